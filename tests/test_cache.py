"""Compiled kernels are found again, and never a stale one: each test runs in processes of its own.

Numba by itself does not notice an edit in another file than the kernel's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import evosim

FITNESS = """
import json, sys
import numpy as np
import evosim
from evosim.kernels import select
from evosim.kernels.accelerate import cache_directory

x, out, gaps = np.array([[0.0, 1.0]]), np.zeros((1, 2)), np.zeros((1, 2))
keys = np.array([7], np.uint64)
select.fitness_from(0, 1, 0, 1.0, 0.0, False, np.array([2]), x, out)
select.spacings(0, 1, keys, 0, 2, gaps)
print(json.dumps({
    "package": evosim.__file__, "directory": str(cache_directory()),
    "out": out[0].tolist(), "gaps": gaps[0].tolist(),
    "hits": sum(select.fitness_from.stats.cache_hits.values()),
    "misses": sum(select.fitness_from.stats.cache_misses.values()),
}))
"""

SCHEME = """
import json, sys
from pathlib import Path
import numpy as np
from evosim.api import load_plugin
from evosim.kernels.userfitness import user_fitness
from evosim.registry import find
from evosim.worlds.tables import user_tag

load_plugin(Path(sys.argv[1]))
out = np.zeros((1, 2))
tag = user_tag(find("selection", sys.argv[2]), "fitness")
user_fitness(0, 1, tag, np.array([1.0]), np.array([2]), np.array([[1.0, 2.0]]), out)
print(json.dumps({
    "out": out[0].tolist(), "hits": sum(user_fitness.stats.cache_hits.values()),
    "misses": sum(user_fitness.stats.cache_misses.values()),
}))
"""

WORLD = """
import json, sys
import numpy as np
from pathlib import Path
from evosim.api import load_plugin
from evosim.engine import Engine
from evosim.kernels.life import live
from evosim.kernels.philox import replicate_keys
from evosim.resolve import resolve
from evosim.scenario import Scenario

load_plugin(Path(sys.argv[1]))
made = Engine(resolve(Scenario.from_dict({
    "title": "t", "population": {"agents": 4, "replicates": 1}, "genome": {"policy": {}},
    "world": {"kind": "edited", "steps": 3}, "context": [{"name": "a", "frequency": 1.0}],
    "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
}).model), replicate_keys(1, np.arange(1)))
print(json.dumps({
    "payoff": made.life(made.birth()).payoff[0].tolist(),
    "hits": sum(live.stats.cache_hits.values()),
    "misses": sum(live.stats.cache_misses.values()),
}))
"""

LEARNERS = """
import contextlib, io, json, sys
from evosim.cli import main
from evosim.kernels.learn import live_and_learn

with contextlib.redirect_stdout(io.StringIO()):
    done = main(["run", *sys.argv[1:]])
print(json.dumps({"done": done, "compiled": len(live_and_learn.signatures)}))
"""


def python(program, *arguments, cache=None, path=None):
    """Run a program in a process of its own and return what it prints."""
    environment = dict(os.environ)
    if cache is not None:
        environment["EVOSIM_CACHE_DIR"] = str(cache)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment, cwd=path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache that holds the kernels of `FITNESS`, and what the first process printed."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, python(FITNESS, cache=cache)


def test_a_second_process_compiles_nothing(compiled):
    cache, first = compiled
    assert (first["hits"], first["misses"]) == (0, 1)
    second = python(FITNESS, cache=cache)
    assert (second["hits"], second["misses"]) == (1, 0)
    assert second["out"] == first["out"]
    assert second["directory"] == first["directory"]


def test_the_cache_stands_where_it_is_asked_for_and_nowhere_else(compiled):
    cache, first = compiled
    assert Path(first["directory"]).parent == cache
    assert list(cache.iterdir()) == [Path(first["directory"])]
    assert list(Path(first["directory"]).rglob("*.nbi"))
    assert not list(Path(evosim.__file__).parent.rglob("*.nbi"))


def edited(tmp_path, file, old, new):
    """A copy of the package with one passage of one kernel file replaced."""
    shutil.copytree(
        Path(evosim.__file__).parent, tmp_path / "evosim",
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    target = tmp_path / "evosim" / "kernels" / file
    text = target.read_text(encoding="utf-8")
    assert text.count(old) == 1
    target.write_text(text.replace(old, new), encoding="utf-8")
    return tmp_path


def test_an_edited_kernel_is_compiled_anew_into_another_folder(compiled, tmp_path):
    cache, first = compiled
    path = edited(
        tmp_path, "select.py",
        "math.exp(slope * criterion[r, i] - top)", "2.0 * math.exp(slope * criterion[r, i] - top)",
    )  # fmt: skip
    second = python(FITNESS, cache=cache, path=path)
    assert second["package"] == str(tmp_path / "evosim" / "__init__.py")
    assert second["out"] == [2 * x for x in first["out"]]
    assert second["directory"] != first["directory"]
    assert second["misses"] == 1
    assert python(FITNESS, cache=cache)["out"] == first["out"]


def test_an_edited_helper_in_another_file_is_noticed(compiled, tmp_path):
    """The kernel `spacings` is untouched: what it calls, and what that calls, is edited."""
    cache, first = compiled
    path = edited(tmp_path, "philox.py", "_W0 = np.uint64(0x9E3779B9)", "_W0 = np.uint64(3)")
    second = python(FITNESS, cache=cache, path=path)
    assert second["gaps"] != first["gaps"]
    assert second["directory"] != first["directory"]


def test_an_edited_constant_in_another_file_is_noticed(compiled, tmp_path):
    cache, first = compiled
    path = edited(tmp_path, "philox.py", "PARENT = 8", "PARENT = 88")
    assert python(FITNESS, cache=cache, path=path)["gaps"] != first["gaps"]


# Users' own kinds

PLUGIN = """
from evosim import registry


def bonus(x):
    return x + {bonus}


@registry.selection("{kind}")
class Own:
    parameters = {{}}

    @staticmethod
    def fitness(parameters, criterion, out):
        for i in range(criterion.size):
            out[i] = {factor} * twice(bonus(criterion[i]))


from numba import njit

bonus = njit(bonus)
twice = njit(lambda x: 2.0 * x)
"""


def plugin(folder, name="own.py", kind="own", bonus=1.0, factor=1.0):
    file = folder / name
    text = PLUGIN.format(kind=kind, bonus=bonus, factor=factor)
    # Helpers above the class, as a user would write them.
    head, tail = text.split("\n\nfrom numba import njit\n")
    before, after = head.split("\n\n@registry")
    file.write_text("from numba import njit\n" + before + tail + "\n\n@registry" + after + "\n")
    return file


def test_a_users_kernel_is_found_again_and_an_edited_one_compiled(tmp_path):
    cache = tmp_path / "cache"
    first = python(SCHEME, plugin(tmp_path), "own", cache=cache)
    assert first["out"] == [4.0, 6.0]
    assert (first["hits"], first["misses"]) == (0, 1)
    again = python(SCHEME, plugin(tmp_path), "own", cache=cache)
    assert again["out"] == [4.0, 6.0]
    assert (again["hits"], again["misses"]) == (1, 0)
    body = python(SCHEME, plugin(tmp_path, factor=3.0), "own", cache=cache)
    assert body["out"] == [12.0, 18.0]
    helper = python(SCHEME, plugin(tmp_path, bonus=5.0), "own", cache=cache)
    assert helper["out"] == [12.0, 14.0]


def test_a_users_file_may_move_and_be_renamed(tmp_path):
    """Compiled code knows its module by name, not by folder."""
    cache = tmp_path / "cache"
    (tmp_path / "elsewhere").mkdir()
    python(SCHEME, plugin(tmp_path), "own", cache=cache)
    for name, hits in (("own.py", 1), ("renamed.py", 0)):
        moved = python(SCHEME, plugin(tmp_path / "elsewhere", name), "own", cache=cache)
        assert moved["out"] == [4.0, 6.0]
        assert moved["hits"] == hits


def test_a_removed_class_does_not_break_the_others(tmp_path):
    cache = tmp_path / "cache"
    gone = plugin(tmp_path, "gone.py", kind="gone", bonus=100.0)
    python(SCHEME, gone, "gone", cache=cache)
    kept = plugin(tmp_path, "kept.py", kind="kept")
    assert python(SCHEME, kept, "kept", cache=cache)["out"] == [4.0, 6.0]
    gone.unlink()
    again = python(SCHEME, kept, "kept", cache=cache)
    assert again["out"] == [4.0, 6.0]
    assert (again["hits"], again["misses"]) == (1, 0)


def test_a_helper_imported_from_another_file_is_noticed(tmp_path):
    cache = tmp_path / "cache"
    helper = tmp_path / "my_helper.py"
    file = tmp_path / "importing.py"
    file.write_text(
        "import my_helper\nfrom evosim import registry\n\n\n"
        '@registry.selection("importing")\nclass Own:\n    parameters = {}\n\n    @staticmethod\n'
        "    def fitness(parameters, criterion, out):\n        out[:] = my_helper.value(2.0)\n"
    )
    for bonus, hits in ((1.0, 0), (8.0, 0), (1.0, 1)):
        # Bytecode is told apart by size and time: as long as before, within the same second.
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        helper.write_text(
            f"from numba import njit\n\n\n@njit\ndef value(x):\n    return x + {bonus}\n"
        )
        done = python(SCHEME, file, "importing", cache=cache, path=tmp_path)
        assert done["out"] == [2.0 + bonus] * 2
        assert done["hits"] == hits


@pytest.fixture
def world(tmp_path):
    def write(payoff):
        file = tmp_path / "edited.py"
        file.write_text(
            "from evosim import registry\n\n\n"
            '@registry.world("edited")\nclass Edited:\n    states = 2\n    actions = ("a", "b")\n'
            '    cues = ("bias",)\n    parameters = {}\n\n    @staticmethod\n'
            "    def start(parameters):\n        return 0\n\n    @staticmethod\n"
            "    def cue(parameters, state):\n        return [1.0]\n\n    @staticmethod\n"
            "    def step(parameters, state, action, u):\n"
            f"        return 1 - state, {payoff}, 0.0, False\n"
        )
        return file

    return write


def test_an_edited_world_lives_as_it_is_now_written(world):
    """In the cache that all runs share: back at the first version nothing is compiled."""
    first = python(WORLD, world(1.0))
    assert first["payoff"] == [3.0] * 4
    assert python(WORLD, world(2.5))["payoff"] == [7.5] * 4
    back = python(WORLD, world(1.0))
    assert back["payoff"] == [3.0] * 4
    assert (back["hits"], back["misses"]) == (1, 0)


def test_lives_trials_and_what_learners_are_born_with_are_one_kernel(tmp_path):
    """Arrays of other types would be one more kernel, and a learner's takes long to compile."""
    file = Path(evosim.__file__).parent.parent / "scenarios" / "spectrum_evolving.toml"
    small = ["--arm", "no accidents", "--generations", 1, "--replicates", 2, "--agents", 20]
    done = python(LEARNERS, file, *small, "--no-plots", "--out", tmp_path / "run")
    assert done == {"done": 0, "compiled": 1}
