"""Users' own worlds, minds and selection schemes, in the same loops as the built-in ones."""

from __future__ import annotations

import importlib
import math
import sys
import time

import engine_case
import numpy as np
import pytest
from engine_case import data, history
from numba import njit

from evosim import registry
from evosim.api import load_plugin
from evosim.errors import UserError
from evosim.kernels.tags import Tag
from evosim.kernels.userfitness import user_fitness
from evosim.scenario import Scenario
from evosim.user_code import fingerprint
from evosim.worlds.tables import user_tag

CONTEXTS = [
    {"name": "poor", "frequency": 0.5},
    {"name": "rich", "frequency": 0.5, "payoff": 2.0},
]
STEPS = {"steps": 6, "episodes": 3}


@registry.world("own chain")
class OwnChain:
    """The built-in chain without chance, as a user would write it."""

    states = 4
    actions = ("forward", "back")
    cues = ("at=0", "at=1", "at=2", "bias")  # in the order of built-in cues: by name
    parameters = {"payoff": 1.0, "jump": 0.0}  # noqa: RUF012

    @staticmethod
    def start(parameters):
        return 0

    @staticmethod
    def cue(parameters, state):
        return [*(float(state == s) for s in range(3)), 1.0]

    @staticmethod
    def step(parameters, state, action, u):
        if action == 0:
            if state == 2:
                return 3, parameters[0], parameters[0], True
            return state + 1 + int(parameters[1]), 0.0, 0.0, False
        return max(state - 1, 0), 0.0, 0.0, False


@registry.mind("own linear")
class OwnLinear:
    parameters = {}  # noqa: RUF012

    @staticmethod
    def loci(actions, cues):
        return cues * (1 if actions == 2 else actions)

    @staticmethod
    def logits(parameters, genes, cue, out):
        for q in range(out.size):
            x = np.float32(0.0)
            for f in range(cue.size):
                x += genes[q * cue.size + f] * cue[f]
            out[q] = x


@registry.selection("own exponential")
class OwnExponential:
    parameters = {"beta": 1.0}  # noqa: RUF012

    @staticmethod
    def fitness(parameters, criterion, out):
        top = parameters[0] * criterion[0]
        for i in range(criterion.size):
            top = max(top, parameters[0] * criterion[i])
        for i in range(criterion.size):
            out[i] = math.exp(parameters[0] * criterion[i] - top)


def built_in(**changes):
    world = {"kind": "chain", "length": 4, **STEPS}
    return data(world=world_case(world), **changes)


def world_case(world):
    """Register a chain without chance under a name of its own for `engine_case.data`."""
    engine_case.WORLDS["plain chain"] = {
        "world": world, "context": CONTEXTS,
        "cues": {"bias": 1, "at": {"one_hot": "state"}},
    }  # fmt: skip
    return "plain chain"


def own(**changes):
    tables = built_in(**changes)
    contexts = [
        {
            "name": c["name"],
            "frequency": c["frequency"],
            "parameters": {"payoff": c.get("payoff", 1.0)},
        }
        for c in CONTEXTS
    ]
    tables["world"] = {"kind": "own chain", **STEPS}
    tables["context"] = contexts
    del tables["cues"]
    # One combination of user's kinds, so that one life is compiled for all tests here.
    return tables | {"mind": {"kind": "own linear"}}


def same_lives(one, other, generations=3, apart=0.0, **options):
    """Run two scenarios side by side: payoffs and genomes have the same bits.

    Learned states may be so far `apart`.
    """
    engines = [engine_case.engine(tables, **options) for tables in (one, other)]
    start = engines[0].population.real.copy()
    for _ in range(generations):
        lives = [made.step() for made in engines]
        assert lives[0].payoff.any()
        assert np.array_equal(lives[0].payoff, lives[1].payoff)
        assert lives[0].learned.shape == lives[1].learned.shape
        assert (np.abs(lives[0].learned - lives[1].learned) <= apart).all()
        assert np.array_equal(engines[0].population.real, engines[1].population.real)
    assert not np.array_equal(start, engines[0].population.real)


def test_a_users_world_and_mind_give_the_same_bits_as_the_built_in_ones():
    same_lives(own(), built_in())


def test_a_users_chain_gives_the_same_bits_to_learners():
    rewarded = [c | {"reward": c.get("payoff", 1.0)} for c in CONTEXTS]
    learns = {"mind": {"kind": "reflex", "learning": "reinforce", "learning_rate": 0.1}}
    same_lives(own() | learns, built_in() | learns | {"context": rewarded})


def test_a_users_scheme_gives_the_same_bits_as_the_built_in_one():
    one, other = built_in(reproduction="free"), built_in(reproduction="free")
    one["selection"] = {"kind": "own exponential", "parameters": {"beta": 2.0}}
    other["selection"] = {"kind": "wright-fisher", "fitness": {"exponential": 2.0}}
    assert history(one) == history(other)
    assert history(one) != history(built_in(reproduction="free"))


def test_everything_of_the_users_own_together_keeps_the_contract(monkeypatch):
    monkeypatch.setattr("evosim.engine.SMALL", 0)
    tables = own()
    tables["selection"] = {"kind": "own exponential", "parameters": {"beta": 2.0}}
    assert history(tables, threads=2) == history(tables, threads=1)
    assert history(tables, [2]) == {2: history(tables)[2]}
    made = engine_case.engine(tables)
    lives = made.step()
    assert np.isfinite(lives.payoff).all()
    assert lives.payoff.max() > 0


def test_user_fitness_equals_the_function_in_python():
    x = np.random.default_rng(1).normal(size=(3, 7))
    out = np.full_like(x, 99)
    tag = user_tag(registry.find("selection", "own exponential"), "fitness")
    user_fitness(0, 3, tag, np.array([1.5]), np.array([7, 4, 0]), x, out)
    for r, n in enumerate((7, 4, 0)):
        want = np.zeros(n)
        if n:
            OwnExponential.fitness(np.array([1.5]), x[r, :n], want)
        assert out[r, :n].tolist() == want.tolist()
        assert (out[r, n:] == 99).all()


def test_a_users_world_is_about_as_fast_as_the_built_in_one():
    """Fused into the loop: a call per step through Python would be a hundred times slower."""
    seconds = []
    for tables in (own(), built_in()):
        large = {**tables, "population": {**tables["population"], "agents": 20_000}}
        made = engine_case.engine(large, range(1))
        made.step()
        times = []
        for _ in range(3):
            genes = made.birth()
            began = time.perf_counter()
            made.life(genes)
            times.append(time.perf_counter() - began)
        seconds.append(min(times))
    assert seconds[0] < 5 * seconds[1] + 0.02


# Errors are one line


def world_class(**changes):
    return type("Changed", (OwnChain,), changes)


def refused(make, *parts):
    with pytest.raises(UserError) as caught:
        make()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 400
    for part in parts:
        assert part in line, line
    return caught.value


@pytest.mark.parametrize("missing", registry.REQUIRED["world"])
def test_a_missing_part_is_named(missing):
    parts = {n: v for n, v in vars(OwnChain).items() if n != missing and not n.startswith("__")}
    cls = type("Short", (), parts)
    refused(lambda: registry.world("short")(cls), "world 'short' (Short) lacks", missing)
    assert "short" not in registry.kinds("world")


@pytest.mark.parametrize(
    ("role", "kind"), [(role, kind) for role, kinds in registry.BUILT_IN.items() for kind in kinds]
)
def test_the_names_of_what_is_built_in_are_taken(role, kind):
    cls = {"world": OwnChain, "mind": OwnLinear, "selection": OwnExponential}[role]
    refused(lambda: getattr(registry, role)(kind)(cls), f"{role} '{kind}'", "built-in")


def test_kernel_functions_need_their_arguments():
    def short(parameters, state, action):
        return state, 0.0, 0.0, False

    refused(
        lambda: registry.world("short step")(world_class(step=staticmethod(short))),
        "test_registry.py:", "step takes 3 arguments", "parameters, state, action, u",
    )  # fmt: skip
    refused(lambda: registry.world("no step")(world_class(step=3)), "step is not a function")


def test_unknown_kinds_and_parameters_come_with_suggestions():
    tables = own()
    refused(
        lambda: Scenario.from_dict(tables | {"world": {"kind": "own chian", **STEPS}}),
        "world.kind", "'own chian'", "did you mean 'own chain'?",
    )  # fmt: skip
    refused(
        lambda: registry.find("mind", "own linaer", ("reflex",)),
        "did you mean 'own linear'?", "reflex",
    )  # fmt: skip
    wrong = {"world": {"kind": "own chain", **STEPS, "parameters": {"payof": 1.0}}}
    refused(
        lambda: engine_case.engine(tables | wrong),
        "unknown parameter 'payof' of world 'own chain'", "did you mean 'payoff'?",
    )  # fmt: skip
    scheme = {"selection": {"kind": "own exponential", "parameters": {"alpha": 1.0}}}
    refused(
        lambda: engine_case.engine(tables | scheme), "selection.parameters.alpha", "allowed: beta"
    )


def of_kind(kind):
    tables = own()
    tables["world"] = {"kind": kind, **STEPS}
    return tables


def test_a_start_outside_the_states_is_refused():
    registry.world("bad start")(world_class(start=staticmethod(lambda parameters: 9)))
    refused(lambda: engine_case.engine(of_kind("bad start")), "starts in state 9", "0 to 3")


def test_cues_must_be_finite():
    cue = staticmethod(lambda parameters, state: [math.nan] * 4)
    registry.world("blind")(world_class(cue=cue))
    refused(lambda: engine_case.engine(of_kind("blind")), "cues that are not finite")


@pytest.mark.parametrize("jump", [4.0, -9.0, 1e9])
def test_a_step_out_of_the_world_reads_no_memory_but_says_so(jump):
    tables = own()
    tables["world"]["parameters"] = {"jump": jump}
    refused(
        engine_case.engine(tables).step,
        "world 'own chain'", "test_registry.py:", "step gives a state that is none of 0 to",
    )  # fmt: skip


def test_code_that_cannot_be_compiled_is_one_line_with_its_place():
    def unknown(parameters, criterion, out):
        out[0] = undefined_name(criterion[0])  # noqa: F821

    def text(parameters, criterion, out):
        out[0] = len(f"{criterion[0]:.3f}")

    def too_few(parameters, state, action, u):
        return state, 0.0, False

    registry.world("too few")(world_class(step=staticmethod(too_few)))
    cases = [
        (of_kind("too few"), "world 'too few'", "step must return (state, payoff, reward, ends)")
    ]
    for name, function, said in (
        ("unknown", unknown, "name 'undefined_name' is not defined"),
        ("text", text, "fitness cannot be compiled: format spec in f-strings"),
    ):
        parts = {"parameters": {}, "fitness": staticmethod(function)}
        registry.selection(name)(type("Typed", (), parts))
        tables = built_in() | {"selection": {"kind": name}}
        cases.append((tables, f"selection '{name}'", said))
    for tables, who, said in cases:
        refused(engine_case.engine(tables).step, "test_registry.py:", who, said)


def test_a_scheme_with_negative_fitness_is_refused():
    cls = type(
        "Negative", (),
        {"parameters": {}, "fitness": staticmethod(_negative)},
    )  # fmt: skip
    registry.selection("negative")(cls)
    tables = built_in() | {"selection": {"kind": "negative"}}
    refused(engine_case.engine(tables).step, "fitness -1 of agent 0", "generation 0")


def _negative(parameters, criterion, out):
    for i in range(criterion.size):
        out[i] = -1.0


# What a kernel's identity depends on


@njit
def helper(x):
    return x + 1.0


FACTOR = 2.0


def test_the_fingerprint_follows_everything_that_is_compiled_in(monkeypatch):
    def make(bonus):
        def step(parameters, state, action, u):
            return state, helper(bonus) * FACTOR, 0.0, True

        return step

    first = fingerprint([make(1.0)])
    assert fingerprint([make(1.0)]) == first
    assert fingerprint([make(2.0)]) != first  # a value of the enclosing function
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "FACTOR", 3.0)
    assert fingerprint([make(1.0)]) != first  # a constant of the module
    monkeypatch.setattr(module, "FACTOR", 2.0)
    monkeypatch.setattr(module, "helper", njit(lambda x: x + 2.0))
    assert fingerprint([make(1.0)]) != first  # a function beside it


def test_the_fingerprint_reaches_other_modules_and_arrays(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_helpers.py"
    prints = []
    for body, table in (("1.0", "1.0"), ("2.0", "1.0"), ("1.0", "5.0"), ("1.0", "1.0")):
        file.write_text(
            "import numpy as np\n"
            f"TABLE = np.array([{table}])\n"
            f"def bonus(x):\n    return x + {body}\n"
        )
        sys.modules.pop("own_helpers", None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        scope = {"own_helpers": importlib.import_module("own_helpers")}
        sys.dont_write_bytecode = before
        exec("def f(p, c, out):\n    out[0] = own_helpers.bonus(own_helpers.TABLE[0])\n", scope)
        scope["f"].__module__ = "typed"
        prints.append(fingerprint([scope["f"]]))
    assert prints[0] == prints[3]
    assert len(set(prints)) == 3


def test_classes_typed_at_a_prompt_can_be_registered():
    source = (
        "class Typed:\n    parameters = {}\n"
        "    def fitness(parameters, criterion, out):\n        out[:] = BONUS\n"
    )
    digests = []
    for bonus in (1.0, 2.0, 1.0):
        scope = {"__name__": "__main__", "BONUS": bonus}
        exec(source, scope)
        scope["Typed"].__module__ = "no such module"
        registry.selection("typed")(scope["Typed"])
        digests.append(registry.find("selection", "typed").digest)
    assert digests[0] == digests[2] != digests[1]


def test_a_registered_class_is_part_of_a_runs_identity():
    before = registry.sources()
    assert before["world own chain"] == registry.find("world", "own chain").digest
    registry.world("own chain two")(world_class(states=5))
    assert registry.sources().keys() - before.keys() == {"world own chain two"}


def test_tags_are_equal_by_role_name_and_digest():
    assert Tag("world", "a", "1").numba_type == Tag("world", "a", "1").numba_type
    for other in (Tag("mind", "a", "1"), Tag("world", "b", "1"), Tag("world", "a", "2")):
        assert Tag("world", "a", "1").numba_type != other.numba_type


def test_a_plugin_file_registers_what_it_defines(tmp_path):
    file = tmp_path / "my_scheme.py"
    file.write_text(
        "from evosim import registry\n\n\n"
        "@registry.selection('from a file')\nclass Mine:\n"
        "    parameters = {'k': 1.0}\n\n    @staticmethod\n"
        "    def fitness(parameters, criterion, out):\n        out[:] = parameters[0]\n"
    )
    load_plugin(file)
    assert "from a file" in registry.kinds("selection")
    tables = built_in() | {"selection": {"kind": "from a file"}}
    neutral = built_in() | {"selection": {"kind": "wright-fisher", "fitness": {"neutral": True}}}
    assert history(tables) == history(neutral)
