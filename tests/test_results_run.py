"""A run that was saved and loaded is the run that was made; damage is named."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import cli_case
import numpy as np
import pytest
from pandas.testing import assert_frame_equal

import evosim
from evosim.errors import UserError
from evosim.results import TABLES


@pytest.fixture(autouse=True)
def _engine(tmp_path_factory, monkeypatch):
    """Pretend to simulate: these tests are about files."""
    monkeypatch.setenv("EVOSIM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    for name, function in {"simulate": cli_case.pretend, "memory": None}.items():
        module = ModuleType(f"evosim.{name}")
        module.simulate = function
        module.estimate_memory = lambda scenario: 10**6
        monkeypatch.setitem(sys.modules, f"evosim.{name}", module)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lamps.toml"
    path.write_text(cli_case.SCENARIO)
    return path


def read_all(directory):
    run = evosim.load(directory)
    arrays = [part[key] for part in (run.population, run.checkpoint) for key in part]
    return run.claims, run.scenario, arrays


def test_a_run_without_a_directory_stays_in_memory(file, tmp_path):
    run = evosim.run(file, agents=8, seed=9, set={"selection.fitness.exponential": 1.0})
    assert run.path is None
    assert run.info["seed"] == 9
    assert run.scenario.model.population.agents == 8
    assert run.scenario.model.selection.fitness.exponential == 1.0
    assert repr(run) == "<Run 'Two lamps' seed 9: 1 fails, 1 holds; not saved>"
    assert [path.name for path in tmp_path.iterdir()] == ["lamps.toml"]
    with pytest.raises(UserError, match="was not saved"):
        run.plot()


def test_saved_and_loaded_is_equal(file, tmp_path):
    run = evosim.run(file, tmp_path / "out")
    back = evosim.load(tmp_path / "out")
    for name in TABLES:
        assert_frame_equal(getattr(back, name), getattr(run, name))
    assert list(back.population) == list(run.population)
    for name in run.population:
        np.testing.assert_array_equal(back.population[name], run.population[name])
    assert back.info == json.loads(json.dumps(run.info))
    assert back.scenario.hash() == run.scenario.hash() == back.info["scenario_hash"]
    assert back.scenario.model == run.scenario.model
    assert repr(back) == repr(run)


def test_the_record_says_what_is_needed_to_do_it_again(file, tmp_path):
    run = evosim.run(file, tmp_path / "out", threads=1, command=["evosim", "run", "x"])
    info = json.loads((tmp_path / "out" / "run.json").read_text())
    expected = {
        "schema_version": 1,
        "evosim": evosim.__version__,
        "seed": 5,
        "threads": 1,
        "command": ["evosim", "run", "x"],
        "worst_residual": 1e-14,
        "residual_bound": 1e-10,
        "extinctions": [],
        "notes": ["a remark"],
        "plugins": [],
    }
    assert {key: info[key] for key in expected} == expected
    assert {"python", "numpy", "numba", "llvmlite", "pandas", "pyarrow"} <= info["versions"].keys()
    assert info["peak_memory_bytes"] > 1e6
    assert info["wall_seconds"] >= 0
    assert [claim["verdict"] for claim in info["claims"]] == ["holds", "fails"]
    assert info["files"].keys() == {p.name for p in run.path.iterdir()} - {"run.json"}
    again = evosim.run(run.path / "scenario.toml")
    assert_frame_equal(again.trajectory, run.trajectory)


def test_two_runs_give_the_same_bytes(file, tmp_path):
    for name in "ab":
        evosim.run(file, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        if path.name != "run.json":
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    evosim.run(file, tmp_path / "c", seed=6)
    ours, theirs = (tmp_path / x / "trajectory.parquet" for x in "ac")
    assert ours.read_bytes() != theirs.read_bytes()


@pytest.mark.parametrize(
    "name", ["run.json", "scenario.toml", "claims.parquet", "population.npz", "checkpoint"]
)
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_damage_is_named(file, tmp_path, name, damage):
    evosim.run(file, tmp_path / "out")
    path = tmp_path / "out" / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    path.write_bytes(whole[:middle] if damage == "cut" else flipped)
    if damage == "missing":
        path.unlink()
    with pytest.raises(UserError) as caught:
        read_all(tmp_path / "out")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_cut_files_show_when_the_run_is_opened(file, tmp_path):
    run = evosim.run(file, tmp_path / "out")
    table = run.path / "ledger.parquet"
    for content in (table.read_bytes()[:-1], None):
        table.unlink() if content is None else table.write_bytes(content)
        with pytest.raises(UserError, match=r"ledger\.parquet: is (damaged|missing)"):
            evosim.load(run.path)


def test_an_edited_file_is_not_taken_for_the_result(file, tmp_path):
    run = evosim.run(file, tmp_path / "out")
    scenario = run.path / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("seed = 5", "seed = 6"))
    with pytest.raises(UserError, match="bytes are not those that were written"):
        evosim.load(run.path).scenario  # noqa: B018


def test_loading_what_is_no_run(tmp_path, file):
    evosim.run(file, tmp_path / "lamps")
    with pytest.raises(UserError, match="no such directory; did you mean 'lamps'"):
        evosim.load(tmp_path / "lmaps")
    with pytest.raises(UserError, match="holds no results"):
        evosim.load(tmp_path)
    record = tmp_path / "lamps" / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "schema_version": 99}))
    with pytest.raises(UserError, match="format 99; this version reads formats up to 1"):
        evosim.load(tmp_path / "lamps")


def test_unknown_tables_and_names(file):
    run = evosim.run(file)
    with pytest.raises(UserError, match="did you mean 'claims'"):
        run.table("claim")
    with pytest.raises(AttributeError, match="evosim"):
        evosim.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"agnets": 3}, "did you mean 'agents'"),
        ({"agents": 8, "set": {"population.agents": 9}}, "given twice"),
        ({"set": {"population.agnets": 9}}, "agents"),
        ({"arms": ["neutrl"]}, "did you mean 'neutral'"),
        ({"plugins": ["missing.py"]}, "no such file"),
    ],
)
def test_wrong_arguments_are_one_line(file, overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        evosim.run(file, **overrides)
    assert "\n" not in str(caught.value)


def test_one_arm_alone_keeps_its_own_claims(file):
    run = evosim.run(file, arms=["neutral"])
    assert set(run.trajectory["arm"]) == {"neutral"}
    assert [claim.arm for claim in run.scenario.model.claim] == ["neutral"]
    base = evosim.run(file, arms=["base"])
    assert set(base.trajectory["arm"]) == {"base"}
    assert [claim.says for claim in base.scenario.model.claim] == [
        "Selection lights the right lamp"
    ]


def test_too_little_memory_is_told_before_the_run(file, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["evosim.memory"], "estimate_memory", lambda scenario: 10**15)
    monkeypatch.setattr(sys.modules["evosim.simulate"], "simulate", None)
    with pytest.raises(UserError, match=r"needs about 1000000\.0 GB.*lower population\.agents"):
        evosim.run(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(file, tmp_path, monkeypatch):
    def full(path, writer):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evosim.tables.write_file", full)
    with pytest.raises(UserError, match="the disk is full"):
        evosim.run(file, tmp_path / "out")
    assert not [p.name for p in tmp_path.iterdir() if "out" in p.name]


def test_figures_are_replaced_as_a_whole(file, tmp_path, monkeypatch):
    run = evosim.run(file, tmp_path / "out")
    fails = False

    def plot_run(run, directory):
        path = directory / f"{len(list(run.path.iterdir()))}.svg"
        path.write_text("<svg/>")
        if fails:
            raise KeyboardInterrupt
        return [path]

    plots = ModuleType("evosim.plots")
    plots.plot_run = plot_run
    monkeypatch.setitem(sys.modules, "evosim.plots", plots)
    (drawn,) = run.plot()
    assert drawn.parent == run.path / "figures"
    assert drawn.read_text() == "<svg/>"
    fails = True
    with pytest.raises(KeyboardInterrupt):
        run.plot()
    assert [p.name for p in (run.path / "figures").iterdir()] == [drawn.name]
    assert not list(run.path.glob(".figures*"))
    evosim.run(file, run.path, overwrite=True)
    assert not (run.path / "figures").exists()


def test_a_plugin_that_fails_is_one_line_with_its_place(file, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("x = 1\nraise ValueError('two\\nlines')\n")
    with pytest.raises(UserError, match=r"mine\.py:2: plugin fails .*ValueError: two lines"):
        evosim.run(file, plugins=[plugin])
    plugin.write_text("def f(:\n")
    with pytest.raises(UserError, match=r"mine\.py:1: plugin fails to import: SyntaxError"):
        evosim.run(file, plugins=[plugin])
    plugin.write_text("import builtins\nbuiltins.plugin_ran = True\n")
    run = evosim.run(file, plugins=[plugin])
    import builtins

    assert builtins.plugin_ran
    assert run.info["plugins"][0]["file"] == str(plugin)
    del builtins.plugin_ran


def test_the_engine_hash_follows_the_engine_alone(monkeypatch, tmp_path):
    from evosim import record

    package = tmp_path / "evosim"
    (package / "plots").mkdir(parents=True)
    faces = ("cli.py", "cli_options.py", "plots/x.py")
    files = {name: package / name for name in ("engine.py", "record.py", *faces)}
    for path in files.values():
        path.write_text("a = 1\n")
    monkeypatch.setattr(record, "__file__", str(files["record.py"]))
    before = record.engine_hash()
    for name in faces:
        files[name].write_text("a = 2\n")
    assert record.engine_hash() == before
    files["engine.py"].write_text("a = 2\n")
    assert record.engine_hash() != before


def test_one_arm_alone_has_no_effect_to_compare(file):
    effect = """
[effect]
measure = "assay.right by day"
arm = "base"
control = "neutral"
mechanism = "selection"
margin = 0.1
"""
    file.write_text(cli_case.SCENARIO + effect)
    assert evosim.run(file).scenario.model.effect is not None
    assert evosim.run(file, arms=["neutral", "base"]).scenario.model.effect is not None
    assert evosim.run(file, arms=["neutral"]).scenario.model.effect is None


def test_an_arm_brings_the_arm_it_replays(file):
    replay = (
        '\n[[arm]]\nname = "hitchhiker"\nset = { selection = { kind = "replay", of = "base" } }\n'
    )
    file.write_text(cli_case.SCENARIO.replace("\n[[claim]]", f"{replay}\n[[claim]]", 1))
    run = evosim.run(file, arms=["hitchhiker"])
    assert set(run.trajectory["arm"]) == {"base", "hitchhiker"}
    assert len(run.claims) == 1
