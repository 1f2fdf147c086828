"""Chain, bandit and graph worlds, and contexts: small cases computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds_case import check_world, outcomes, refused, scenario

from evosim.scenario import Scenario, segments
from evosim.worlds.build import BUILDERS, build_world, contexts_frequency

FEW = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def chain(context=None, **world):
    return scenario({"kind": "chain", "length": 4, "steps": 20} | world, context)


def bandit(*context, **world):
    return scenario({"kind": "bandit", "actions": ["left", "right"]} | world, list(context))


def graph(transitions, context=None, cues=None, **world):
    full = {"kind": "graph", "actions": ["go", "quit"], "start": "home", "steps": 9} | world
    return scenario(full | {"transitions": transitions}, context, cues)


def test_kinds():
    assert list(BUILDERS) == ["grid", "chain", "bandit", "graph", "siege", "gymnasium"]


# --- chain -----------------------------------------------------------------------------


def test_chain_by_hand():
    world = build_world(chain(payoff=2.0, reward=0.5, goal=3.0, once=True, step_payoff=-0.1))
    check_world(world)
    assert world.states == ("0", "1", "2", "3")
    assert world.actions == ("forward", "back")
    assert world.outcome_state[0, :3, :, 0].tolist() == [[1, 0], [2, 0], [3, 1]]
    assert world.payoff[0, :, 0, 0].tolist() == [-0.1, -0.1, 1.9, 0]
    assert world.payoff[0, :, 1, 0].tolist() == [-0.1, -0.1, -0.1, 0]
    assert world.reward[0, :, 0, 0].tolist() == [0, 0, 0.5, 0]
    assert world.goal[0, :, 0, 0].tolist() == [0, 0, 3, 0]
    assert world.once[0, :, 0, 0].tolist() == [0, 0, 1, 0]
    assert world.terminal.tolist() == [[0, 0, 0, 1]]
    assert world.start_cdf.tolist() == [[1, 1, 1, 1]]
    assert world.position.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]
    assert world.layout == ()
    assert world.symbol == {}


@pytest.mark.parametrize(
    ("back", "to"),
    [("step", ["0", "0", "1"]), ("reset", ["1", "1", "1"]), ("stay", ["0", "1", "2"])],
)
def test_chain_back(back, to):
    world = build_world(chain(back=back, start=1, actions=["on", "off", "out"]))
    for action in (1, 2):
        assert [world.states[s] for s in world.outcome_state[0, :3, action, 0]] == to
    assert world.start_cdf[0].tolist() == [0, 1, 1, 1]


def test_chain_back_to_an_end_of_its_own():
    world = build_world(chain(back="end"))
    assert world.states[-1] == "end"
    assert world.terminal[0].tolist() == [0, 0, 0, 1, 1]
    assert outcomes(world, 0, 1, 1) == {("end", 0, 0, 0, False): 1.0}


def test_chain_slip_has_no_effect_and_merges():
    world = build_world(chain(slip=0.25, back="stay", payoff=4.0))
    assert outcomes(world, 0, 2, 0) == {
        ("3", 4, 0, 0, False): 0.75,
        ("2", 0, 0, 0, False): 0.25,
    }
    assert outcomes(world, 0, 2, 1) == {("2", 0, 0, 0, False): 1.0}


def test_chain_contexts_replace_what_the_end_brings():
    world = build_world(
        chain(
            [
                {"name": "pays", "frequency": 0.75},
                {"name": "costs", "frequency": 0.25, "payoff": -2, "reward": 1, "goal": 0},
            ],
            payoff=1.0,
            goal=1.0,
        )
    )
    assert outcomes(world, 0, 2, 0) == {("3", 1, 0, 1, False): 1.0}
    assert outcomes(world, 1, 2, 0) == {("3", -2, 1, 0, False): 1.0}
    assert world.frequency.tolist() == [0.75, 0.25]


# --- bandit ----------------------------------------------------------------------------


def test_bandit_by_hand():
    world = build_world(
        bandit(
            {
                "name": "sunny",
                "frequency": 0.5,
                "payoff": {"left": 1.0, "right": {"p": 0.25, "value": 8.0}},
                "reward": {"right": {"p": 0.25, "value": -1.0}},
                "goal": {"right": 5.0},
            },
            {"name": "rainy", "frequency": 0.5, "reward": {"left": {"p": 0.5, "value": 2.0}}},
            steps=10,
            step_payoff=0.5,
        )
    )
    check_world(world)
    assert world.states == ("choice",)
    assert world.steps == 10
    assert world.outcome_state.shape == (2, 1, 2, 2)
    assert not world.terminal.any()
    assert outcomes(world, 0, 0, 0) == {("choice", 1.5, 0, 0, False): 1.0}
    assert outcomes(world, 0, 0, 1) == {
        ("choice", 8.5, -1, 5, False): 0.25,
        ("choice", 0.5, 0, 5, False): 0.75,
    }
    assert outcomes(world, 1, 0, 0) == {
        ("choice", 0.5, 2, 0, False): 0.5,
        ("choice", 0.5, 0, 0, False): 0.5,
    }
    assert outcomes(world, 1, 0, 1) == {("choice", 0.5, 0, 0, False): 1.0}


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_bandit_sure_chance_has_one_outcome(p):
    chance = {"left": {"p": p, "value": 3.0}}
    world = build_world(bandit({"name": "only", "frequency": 1, "payoff": chance}))
    assert world.outcome_state.shape[-1] == 1
    assert world.payoff[0, 0, 0, 0] == 3.0 * p


# --- graph -----------------------------------------------------------------------------

FORK = [
    {"from": "home", "action": "go", "to": "fork", "payoff": -0.1},
    {"from": "fork", "action": "go", "to": "end", "p": 0.9, "payoff": 0.5},
    {"from": "fork", "action": "go", "to": "ditch", "p": 0.1, "payoff": -2.0, "once": True},
    {"from": "ditch", "action": "go", "to": "field", "goal": 1.0, "reward": 0.25},
    {"from": ["home", "fork", "ditch"], "action": "quit", "to": "end"},
]


def test_graph_by_hand():
    world = build_world(
        graph(FORK, step_payoff=-0.5, regions={"bad": ["ditch", "field"], "good": ["home"]})
    )
    check_world(world)
    assert world.states == ("home", "fork", "end", "ditch", "field")
    assert world.terminal[0].tolist() == [0, 0, 1, 0, 1]
    assert outcomes(world, 0, 0, 0) == {("fork", -0.6, 0, 0, False): 1.0}
    assert outcomes(world, 0, 1, 0) == {
        ("end", 0, 0, 0, False): pytest.approx(0.9),
        ("ditch", -2.5, 0, 0, True): pytest.approx(0.1),
    }
    assert outcomes(world, 0, 3, 0) == {("field", -0.5, 0.25, 1, False): 1.0}
    assert outcomes(world, 0, 3, 1) == {("end", -0.5, 0, 0, False): 1.0}
    assert world.regions == ("bad", "good")
    assert world.region[0].tolist() == [1, -1, -1, 0, 0]


def test_graph_transition_without_action_is_for_every_action():
    world = build_world(graph([{"from": "home", "to": "end", "payoff": 1.0}]))
    assert world.payoff[0, 0, :, 0].tolist() == [1.0, 1.0]


def test_graph_equal_outcomes_merge_and_different_payoffs_do_not():
    halves = [
        {"from": "home", "to": "end", "p": 0.5, "payoff": 1.0},
        {"from": "home", "to": "end", "p": 0.25},
        {"from": "home", "to": "end", "p": 0.25},
    ]
    world = build_world(graph(halves))
    assert outcomes(world, 0, 0, 0) == {
        ("end", 1, 0, 0, False): 0.5,
        ("end", 0, 0, 0, False): 0.5,
    }


def test_graph_context_replaces_transitions_and_start():
    world = build_world(
        graph(
            FORK,
            [
                {"name": "common", "frequency": 1.0},
                {
                    "name": "safe",
                    "transitions": [{"from": "fork", "action": "go", "to": "hill"}],
                    "start": {"home": 0.25, "fork": 0.75},
                },
            ],
        )
    )
    check_world(world)
    assert outcomes(world, 1, 1, 0) == {("hill", 0, 0, 0, False): 1.0}
    assert outcomes(world, 1, 0, 0) == {("fork", -0.1, 0, 0, False): 1.0}
    assert np.diff(world.start_cdf[1], prepend=0).tolist()[:2] == [0.25, 0.75]
    assert world.start_cdf[0, 0] == 1.0


def test_graph_state_of_another_context_is_inert_where_nothing_enters_it():
    own = [{"from": "cave", "to": "end"}]
    world = build_world(
        graph(
            FORK,
            [{"name": "a", "frequency": 1}, {"name": "b", "transitions": own, "start": "cave"}],
        )
    )
    s = world.states.index("cave")
    assert world.terminal[:, s].tolist() == [1, 0]


SLIPPERY = [
    {"from": "home", "to": "ditch", "p": "slip", "payoff": -1.0},
    {"from": "home", "to": "field", "p": 0.25},
    {"from": "home", "to": "end", "p": "rest", "payoff": 1.0},
]


def test_graph_chances_have_names_and_one_outcome_takes_the_rest():
    named = build_world(graph(SLIPPERY, chances={"slip": 0.125}))
    numbers = [t | {"p": p} for t, p in zip(SLIPPERY, (0.125, 0.25, 0.625), strict=True)]
    plain = build_world(graph(numbers))
    assert named.states == plain.states
    assert np.array_equal(named.outcome_cdf, plain.outcome_cdf)
    assert np.array_equal(named.payoff, plain.payoff)
    nothing_left = build_world(graph(SLIPPERY, chances={"slip": 0.75}))
    assert sorted(outcomes(nothing_left, 0, 0, 0).values()) == [0.25, 0.75]


def test_graph_chance_can_be_an_arms_grid_and_change_during_a_run():
    data = dict(
        graph(SLIPPERY, chances={"slip": 0.125}).model_dump(by_alias=True, exclude_unset=True)
    )
    data["arm"] = [{"name": "slips", "grid": {"world.chances.slip": [0.0, 0.5]}}]
    data["intervention"] = [{"at": 5, "set": {"world.chances.slip": 0.25}}]
    cells = Scenario.from_dict(data).arms()
    found = [[s.model.world.chances["slip"] for s in segments(c.model)] for c in cells]
    assert found == [[0.125, 0.25], [0.0, 0.25], [0.5, 0.25]]


@pytest.mark.parametrize(
    ("chances", "changed", "key", "words"),
    [
        ({"slp": 0.1}, {}, "world.transitions.p", ["unknown chance 'slip'", "did you mean 'slp'"]),
        ({"slip": 0.8}, {}, "world.transitions", ["sum to 1.05 without the rest"]),
        ({"slip": 0.1}, {"p": "rest"}, "world.transitions", ["two outcomes take the rest"]),
        ({"slip": 0.1, "rest": 0.2}, {}, "world.chances.rest", ["another name"]),
    ],
)
def test_graph_chances_refused(chances, changed, key, words):
    first, second, third = SLIPPERY
    refused(graph([first, second | changed, third], chances=chances), key, *words)


def test_graph_percepts_agree():
    cues = {"bump": {"states": {"fork": 1.0, "ditch": 1.0}}}
    world = build_world(graph(FORK, cues=cues, percepts={"rough": ["fork", "ditch"]}))
    assert world.percept[0].tolist() == [0, 1, 0, 1, 0]
    # Nothing is perceived in a terminal state, so it agrees with any other.
    build_world(graph(FORK, cues=cues, percepts={"rough": ["fork", "field"]}))


# --- contexts --------------------------------------------------------------------------


def test_contexts_frequency():
    thirds = [{"name": n, "frequency": f} for n, f in (("a", 0.1), ("b", 0.2), ("c", 0.7))]
    assert contexts_frequency(chain(thirds)).tolist() == [0.1, 0.2, 0.7]
    novel = [{"name": "a", "frequency": 1.0}, {"name": "b"}]
    assert contexts_frequency(chain(novel)).tolist() == [1.0, 0.0]


# --- any chain, any graph --------------------------------------------------------------

chances = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@FEW
@given(
    table=st.lists(st.lists(chances, min_size=2, max_size=2), min_size=1, max_size=5),
    data=st.data(),
)
def test_any_graph(table, data):
    names = [f"n{i}" for i in range(len(table))]
    targets = st.sampled_from([*names, "end", "other end"])
    transitions, want = [], {}
    for name, row in zip(names, table, strict=True):
        for action, weights in zip(("go", "quit"), row, strict=True):
            for weight in weights:
                to, payoff = data.draw(targets), data.draw(st.sampled_from([0.0, 1.0]))
                p = weight / sum(weights)
                transitions.append(
                    {"from": name, "action": action, "to": to, "p": p, "payoff": payoff}
                )
                entry = want.setdefault((name, action), {})
                kind = (to, payoff, 0.0, 0.0, False)
                entry[kind] = entry.get(kind, 0.0) + p
    world = build_world(graph(transitions, start="n0"))
    check_world(world)
    for (name, action), entry in want.items():
        s, a = world.states.index(name), world.actions.index(action)
        assert outcomes(world, 0, s, a) == pytest.approx(entry)
    assert [n for n, t in zip(world.states, world.terminal[0], strict=True) if not t] == [
        n for n in world.states if n in names
    ]


@FEW
@given(
    length=st.integers(2, 9),
    start=st.integers(0, 7),
    back=st.sampled_from(["step", "reset", "stay", "end"]),
    slip=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_any_chain(length, start, back, slip):
    start = min(start, length - 2)
    world = build_world(chain(length=length, start=start, back=back, slip=slip))
    check_world(world)
    assert world.outcome_state.shape[-1] == (2 if 0 < slip < 1 else 1)
    forward = {outcome[0]: p for outcome, p in outcomes(world, 0, start, 0).items()}
    assert forward == pytest.approx(
        {k: p for k, p in {str(start + 1): 1 - slip, str(start): slip}.items() if p > 0}
    )
