"""Users' own minds that learn, in the same loop as the built-in ones."""

from __future__ import annotations

import math

import engine_case
import numpy as np
import pytest
from engine_case import data, history
from test_cache import python
from test_registry import refused, same_lives

from evosim import registry

RATE, TEMPERATURE, OPTIMISM = 0.3, 0.4, 0.5


@registry.mind("own q")
class OwnQ:
    """Q-learning on top of innate preferences, as a user would write it."""

    parameters = {"rate": RATE, "temperature": TEMPERATURE, "optimism": OPTIMISM}  # noqa: RUF012

    @staticmethod
    def loci(actions, cues):
        return cues * (1 if actions == 2 else actions)

    @staticmethod
    def memory(actions, percepts):
        return actions * percepts

    @staticmethod
    def birth(parameters, genes, cues, memory):
        features, percepts = cues.shape
        actions = memory.size // percepts
        for z in range(percepts):
            for a in range(actions):
                x = 0.0
                for f in range(features):
                    if (a + 1) * features <= genes.size:
                        x += np.float64(genes[a * features + f]) * cues[f, z]
                memory[z * actions + a] = parameters[2] + x

    @staticmethod
    def prefer(parameters, memory, percept, cues, out):
        first = percept * out.size
        top = memory[first]
        for a in range(1, out.size):
            top = max(top, memory[first + a])
        scale = 1.0 / parameters[1]
        total = 0.0
        for a in range(out.size):
            v = memory[first + a]
            out[a] = 1.0 if v == top else math.exp((v - top) * scale)
            total += out[a]
        for a in range(out.size):
            out[a] /= total

    @staticmethod
    def observe(parameters, memory, percept, action, reward, following, cues):
        actions = memory.size // cues.shape[1]
        ahead = 0.0
        if following >= 0:
            ahead = memory[following * actions]
            for a in range(1, actions):
                ahead = max(ahead, memory[following * actions + a])
        at = percept * actions + action
        size = parameters[0] * (reward + ahead - memory[at])
        memory[at] += size
        return abs(size)


BUILT_IN = {
    "kind": "model-free", "learning_rate": RATE, "temperature": TEMPERATURE, "optimism": OPTIMISM,
}  # fmt: skip


@pytest.mark.parametrize("world", ["graph", "bandit"])
def test_a_users_q_learner_lives_the_lives_of_the_built_in_one(world):
    """The same acts and values; probabilities differ in the last place, exp being another's."""
    own, built_in = (data(world, mind="q", population={"agents": 24}) for _ in range(2))
    own["mind"], built_in["mind"] = {"kind": "own q"}, BUILT_IN
    same_lives(own, built_in, apart=1e-15)


def test_a_users_learner_is_the_same_for_any_threads_and_replicates():
    tables = data("graph", mind="q", population={"agents": 24}) | {"mind": {"kind": "own q"}}
    assert history(tables, threads=2) == history(tables, threads=1)
    assert history(tables, [2]) == {2: history(tables)[2]}


@registry.mind("forgetful")
class Forgetful:
    """Counts its steps from whatever it was born with, and leaves the last action's share out."""

    parameters = {}  # noqa: RUF012

    @staticmethod
    def loci(actions, cues):
        return 1

    @staticmethod
    def memory(actions, percepts):
        return 1

    @staticmethod
    def birth(parameters, genes, cues, memory):
        pass

    @staticmethod
    def prefer(parameters, memory, percept, cues, out):
        out[0] = 1.0 / (2.0 + memory[0])

    @staticmethod
    def observe(parameters, memory, percept, action, reward, following, cues):
        memory[0] += 1.0
        return 1.0


def test_what_another_agent_remembered_never_reaches_a_newborn():
    tables = data("graph", mind="q", population={"agents": 24}) | {"mind": {"kind": "forgetful"}}
    assert history(tables, threads=2) == history(tables, threads=1)
    made = engine_case.engine(tables)
    lives = made.step()
    born = lives.born.reshape(-1, lives.born.shape[2] // 2, 2)
    assert np.array_equal(born, np.broadcast_to([0.5, 0.0], born.shape))
    assert not np.array_equal(lives.born, lives.learned)


# Errors are one line


def changed(**changes):
    return type("Changed", (OwnQ,), {k: staticmethod(v) for k, v in changes.items()})


@pytest.mark.parametrize("missing", [n for n in registry.LEARNER if n != "observe"])
def test_a_missing_part_is_named(missing):
    parts = {n: v for n, v in vars(OwnQ).items() if n != missing and not n.startswith("__")}
    cls = type("Short", (), parts)
    refused(lambda: registry.mind("short")(cls), "mind 'short' (Short) lacks", missing)


def test_a_mind_that_neither_learns_nor_has_logits_is_told_what_one_without_learning_needs():
    parts = {n: v for n, v in vars(OwnQ).items() if n != "observe" and not n.startswith("__")}
    refused(lambda: registry.mind("short")(type("Short", (), parts)), "lacks logits")


@pytest.mark.parametrize("name", ["birth", "prefer", "observe"])
def test_kernel_functions_need_their_arguments(name):
    def short(parameters, memory):
        return 0.0

    refused(
        lambda: registry.mind("short")(changed(**{name: short})),
        "mind 'short'", "test_registry_minds.py:", f"{name} takes 2 arguments", "parameters, ",
    )  # fmt: skip


def fails(kind, **changes):
    """An engine whose mind has some functions changed."""
    registry.mind(kind)(changed(**changes))
    return engine_case.engine(data("graph", mind="q") | {"mind": {"kind": kind}})


def test_code_that_cannot_be_compiled_is_one_line_with_its_place():
    def unknown(parameters, memory, percept, cues, out):
        out[0] = undefined_name(percept)  # noqa: F821

    def silent(parameters, memory, percept, action, reward, following, cues):
        memory[0] = reward

    for kind, changes, said in (
        ("unknown", {"prefer": unknown}, "name 'undefined_name' is not defined"),
        ("silent", {"observe": silent}, "observe must return how much was learned, a number"),
    ):
        refused(
            lambda k=kind, c=changes: fails(k, **c).step(),
            f"mind '{kind}'",
            "test_registry_minds.py:",
            said,
        )


def test_a_memory_of_less_than_nothing_is_refused():
    refused(
        lambda: fails("negative", memory=lambda actions, percepts: -1),
        "mind 'negative'", "memory gives -1 numbers", "0 or more",
    )  # fmt: skip


def test_parameters_come_with_suggestions():
    tables = data("graph", mind="q")
    tables["mind"] = {"kind": "own q", "parameters": {"rtae": 0.1}}
    refused(
        lambda: engine_case.engine(tables),
        "unknown parameter 'rtae' of mind 'own q'", "did you mean 'rate'?",
    )  # fmt: skip


# An edited file

LEARNS = """
import json, sys
import numpy as np
from pathlib import Path
from evosim.api import load_plugin
from evosim.engine import Engine
from evosim.kernels.learn import live_and_learn
from evosim.kernels.philox import replicate_keys
from evosim.resolve import resolve
from evosim.scenario import Scenario

load_plugin(Path(sys.argv[1]))
made = Engine(resolve(Scenario.from_dict({
    "title": "t", "population": {"agents": 4, "replicates": 1}, "genome": {"policy": {}},
    "world": {"kind": "bandit", "actions": ["a", "b"], "steps": 1, "episodes": 2},
    "context": [{"name": "x", "frequency": 1.0, "payoff": {"a": 1.0}, "reward": {"a": 1.0}}],
    "cues": {"bias": 1}, "mind": {"kind": "edited"},
    "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
}).model), replicate_keys(1, np.arange(1)))
print(json.dumps({
    "learned": made.life(made.birth()).learned[0, 0].tolist(),
    "hits": sum(live_and_learn.stats.cache_hits.values()),
    "misses": sum(live_and_learn.stats.cache_misses.values()),
}))
"""
EDITED = """
from evosim import registry

@registry.mind("edited")
class Edited:
    parameters = {}

    @staticmethod
    def loci(actions, cues):
        return 1

    @staticmethod
    def memory(actions, percepts):
        return 1

    @staticmethod
    def birth(parameters, genes, cues, memory):
        memory[0] = START

    @staticmethod
    def prefer(parameters, memory, percept, cues, out):
        out[0] = memory[0]
        out[1] = 1.0 - memory[0]

    @staticmethod
    def observe(parameters, memory, percept, action, reward, following, cues):
        memory[0] *= STEP
        return 1.0
"""


def test_an_edited_file_is_compiled_anew(tmp_path):
    """Each of the three functions is part of what is compiled; the first version is found again."""
    file = tmp_path / "edited_mind.py"

    def lives(start, step):
        file.write_text(EDITED.replace("START", start).replace("STEP", step))
        done = python(LEARNS, file)
        return done["learned"], done["hits"] + done["misses"] and done["misses"] == 0

    assert lives("1.0", "0.5")[0] == [0.25, 0.75]
    assert lives("0.5", "0.5")[0] == [0.125, 0.875]
    assert lives("1.0", "0.25")[0] == [0.0625, 0.9375]
    assert lives("1.0", "0.5") == ([0.25, 0.75], True)
