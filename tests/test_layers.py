"""Who may import whom, and what no kernel may know."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import evosim
from evosim.kernels.life import MindTables, WorldTables

ROOT = Path(evosim.__file__).parent
#: From the bottom up; a module imports from its own layer and from those below.
LAYERS = (
    ("kernels",),
    # What a file may say; builders from text to arrays; the store. Claims are judged on tables
    # handed to them, and checked when a file is: they stand on nothing but scenarios.
    (
        "errors", "units", "toml_text", "user_code", "registry", "scenario", "worlds", "minds",
        "layout", "criterion", "knowledge", "structure", "landscapes", "resolve", "stretches",
        "turns", "population", "claims", "oracles", "walker",
    ),
    (
        "engine", "lives", "ledger", "culture", "culture_values", "edges", "parents", "assays",
        "openloop", "moments", "trials", "predict", "recorder", "subspace", "spectrum",
        "experience", "directions", "transplants", "rotations", "transitivity",
    ),
    (
        "simulate", "checkpoint", "foresight", "apart", "forks", "frames", "studies", "results",
        "record", "output", "tables", "cost", "memory", "api", "catalogue",
    ),
    (
        "cli", "cli_errors", "cli_options", "progress", "report", "reproduce", "plots",
        "mesa_model", "environments", "page", "bench", "validate", "antifake", "__main__",
        "__init__",
    ),
)  # fmt: skip
#: Drawing is asked for on a result, and loaded only then.
EXCEPTIONS = {("results", "plots")}
HEAVY = ("pandas", "pyarrow", "matplotlib", "seaborn", "mesa", "dask", "rich", "typer")


def layer_of(module):
    found = [k for k, names in enumerate(LAYERS) if module in names]
    assert found, f"evosim.{module} stands in no layer: give it one in {Path(__file__).name}"
    return found[0]


def files(*names):
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").parts[0]
        if not names or module in names:
            yield module, path


def imports(path):
    """Absolute names imported anywhere in a file, but not only for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_go_down_only():
    wrong, seen = [], 0
    for module, path in files():
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "evosim" or parts[1:2] in ([], ["__version__"]):
                continue
            target = (
                parts[1]
                if (ROOT / f"{parts[1]}.py").exists() or (ROOT / parts[1]).is_dir()
                else "__init__"
            )
            seen += 1
            up = layer_of(target) > layer_of(module)
            if up and (module, target) not in EXCEPTIONS:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong
    assert seen > 200


def test_kernels_import_nothing_of_evosim_but_kernels():
    names = [n for _, path in files("kernels") for n in imports(path) if n.startswith("evosim")]
    assert len(names) > 30
    assert all(n.startswith("evosim.kernels.") for n in names)


def test_the_core_imports_neither_tables_nor_plots_nor_mesa():
    core = [name for names in LAYERS[:3] for name in names if name != "claims"]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for _, path in files(*core)
        for name in imports(path)
        if name.split(".")[0] in HEAVY
    ]
    assert not wrong


def test_loading_the_core_loads_neither_tables_nor_plots_nor_mesa():
    code = (
        "import sys, evosim.engine, evosim.recorder, evosim.predict, evosim.scenario\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# What kernels know


def words_of(path):
    """Identifiers and strings of a file's code; docstrings and comments are for readers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node) is not None
    }
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(getattr(node, field, None), str):
                yield getattr(node, field)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def scenario_names():
    """File names, titles, and contexts and arms of two words, of all scenarios there are."""
    for path in sorted((ROOT.parent / "scenarios").glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        yield path.stem
        yield data["title"]
        parts = [part["name"] for key in ("context", "arm") for part in data.get(key, [])]
        yield from (name for name in parts if " " in name)


@pytest.mark.parametrize("word", ["goal", "region", "symbol", "intent"])
def test_no_kernel_reads_what_is_only_for_the_observer(word):
    found = [path.name for _, path in files("kernels") if any(word in w for w in words_of(path))]
    assert not found


def test_the_tables_of_life_hold_nothing_for_the_observer():
    fields = {*WorldTables._fields, *MindTables._fields}
    assert "payoff" in fields
    assert not fields & {"goal", "region", "regions", "symbol", "layout", "position", "variants"}


def test_no_engine_code_knows_a_scenario_by_name():
    names = {name.lower() for name in scenario_names()}
    assert names
    moving = [name for names in LAYERS[:3] for name in names if name not in ("scenario", "claims")]
    known = [
        f"{path.relative_to(ROOT)}: {word!r}"
        for module, path in files(*moving)
        for word in words_of(path)
        # File names are plain words; outside kernels they may stand for something else.
        if (word.lower() in names and (module == "kernels" or " " in word)) or word == "title"
    ]
    assert not known


def test_these_tests_see_what_they_look_for(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text(
        '"""A goal in a docstring is for readers."""\n'
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def f(world, context):\n"
        "    import seaborn as sns\n"
        "    from evosim.engine import Engine\n"
        "    return world.goal if context == 'coin left' else world.payoff\n"
    )
    assert list(imports(file)) == ["typing.TYPE_CHECKING", "seaborn", "evosim.engine.Engine"]
    words = set(words_of(file))
    assert {"goal", "coin left", "payoff"} <= words
    assert not any("docstring" in word for word in words)
