"""Gymnasium both ways: environments read as worlds, and worlds handed out as environments."""

from __future__ import annotations

import sys
from collections import Counter

import engine_case
import numpy as np
import pytest
from worlds_case import check_world, outcomes

import evosim
from evosim import registry
from evosim.errors import MissingExtraError, UserError
from evosim.reproduce import reproduce_folder
from evosim.scenario import Scenario
from evosim.scenario.kinds import built_in_kinds
from evosim.worlds.build import build_world
from evosim.worlds.gymnasium_table import read_table

gymnasium = pytest.importorskip("gymnasium", reason="the extra evosim[gymnasium] is not installed")

KINDS = [kind for kind in built_in_kinds("world") if kind != "landscape"]


@registry.world("ring of the tests")
class Ring:
    """Five places in a circle; a step goes the other way in a share of the cases."""

    states = 5
    actions = ("left", "right")
    cues = ("bias", "near")
    parameters = {"back": 0.25}  # noqa: RUF012

    @staticmethod
    def start(parameters):
        return 2

    @staticmethod
    def cue(parameters, state):
        return (1.0, float(state == 1))

    @staticmethod
    def step(parameters, state, action, u):
        way = 1 if (action == 1) == (u >= parameters[0]) else 4
        state = (state + way) % 5
        return state, 1.0 if state == 0 else 0.0, 0.5, state == 0


def read(id="FrozenLake-v1", context=None, cues=None, **world):
    """A scenario in an environment."""
    return Scenario.from_dict(
        {
            "title": "read",
            "world": {"kind": "gymnasium", "id": id, "steps": 20} | world,
            "context": [{"name": "only", "frequency": 1.0}] if context is None else context,
            "cues": {"place": {"one_hot": "state"}} if cues is None else cues,
            "genome": {"policy": {"mutation": 0.1}},
            "selection": {"kind": "wright-fisher", "fitness": {"exponential": 1.0}},
        }
    )


def of_kind(kind):
    if kind == "user":
        data = engine_case.data("chain") | {
            "world": {"kind": "ring of the tests", "steps": 6, "episodes": 3},
            "context": [
                {"name": "true", "frequency": 0.5},
                {"name": "turned", "frequency": 0.5, "parameters": {"back": 0.9}},
            ],
        }
        del data["cues"]
        return Scenario.from_dict(data)
    return Scenario.from_dict(engine_case.data(kind))


# Environments as worlds


@pytest.mark.parametrize(
    ("id", "arguments"),
    [
        ("CliffWalking-v1", {}),
        ("CliffWalking-v1", {"is_slippery": True}),
        ("FrozenLake-v1", {"success_rate": 0.7}),
        ("FrozenLake-v1", {"map_name": "8x8"}),
        ("Taxi-v4", {"is_rainy": True}),
    ],
)
def test_tables_are_those_of_the_environment(id, arguments):
    scenario = read(id, arguments=arguments, payoff=2.0, reward=0.5, goal=-1.0, step_payoff=0.25)
    world = build_world(scenario.model)
    check_world(world)
    env = gymnasium.make(id, **arguments).unwrapped
    start = np.diff(world.start_cdf[0], prepend=0.0)
    assert start == pytest.approx(env.initial_state_distrib, abs=1e-12)
    lived, ended = set(), set()
    stack = np.flatnonzero(env.initial_state_distrib).tolist()
    while stack:
        s = stack.pop()
        if s in lived:
            continue
        lived.add(s)
        for a in range(env.action_space.n):
            expected = Counter()
            for p, to, r, end in env.P[s][a]:
                if p > 0.0:
                    expected[str(to), 0.25 + 2.0 * r, 0.5 * r, -1.0 * r, False] += p
                    (ended.add if end else stack.append)(int(to))
            assert outcomes(world, 0, s, a) == pytest.approx(expected)
    assert lived == set(np.flatnonzero(world.terminal[0] == 0))
    assert ended <= set(np.flatnonzero(world.terminal[0]))


class Both(gymnasium.Env):
    """Its second state can be entered with and without an ending."""

    observation_space = action_space = gymnasium.spaces.Discrete(2)
    initial_state_distrib = (1.0, 0.0)
    P = {  # noqa: RUF012
        0: {0: [(0.5, 1, 1.0, True), (0.5, 1, 2.0, False)], 1: [(1.0, 0, 0.0, False)]},
        1: {0: [(1.0, 1, 3.0, True)], 1: [(1.0, 0, 0.0, False)]},
    }


class Broken(Both):
    P = {0: {0: [(0.5, 1, 1.0, True)]}}  # noqa: RUF012


class Aimless(Both):
    initial_state_distrib = None


@pytest.fixture(autouse=True)
def own_environments():
    for made in (Both, Broken, Aimless):
        gymnasium.register(f"{made.__name__}-v0", entry_point=made)
    yield
    for made in (Both, Broken, Aimless):
        del gymnasium.registry[f"{made.__name__}-v0"]


def test_a_state_entered_both_ways_has_a_twin_that_ends():
    world = build_world(read("Both-v0").model)
    check_world(world)
    assert world.states == ("0", "1", "1 over")
    assert world.terminal[0].tolist() == [0, 0, 1]
    assert outcomes(world, 0, 0, 0) == {
        ("1 over", 1, 0, 0, False): 0.5,
        ("1", 2, 0, 0, False): 0.5,
    }
    assert outcomes(world, 0, 1, 0) == {("1 over", 3, 0, 0, False): 1.0}


def test_contexts_have_arguments_starts_and_scales_of_their_own():
    dry = {"name": "dry", "arguments": {"is_slippery": False}, "start": "14", "payoff": 5}
    world = build_world(read(context=[{"name": "ice", "frequency": 1.0}, dry], reward=1.0).model)
    assert world.outcome_state.shape == (2, 16, 4, 3)
    assert outcomes(world, 1, 14, 2) == {("15", 5, 1, 0, False): 1.0}
    assert world.start_cdf[1].tolist() == [0.0] * 14 + [1.0] * 2
    # Not reached from there, though it is in the other context.
    assert world.terminal[:, 0].tolist() == [0, 0]
    one_way = {"name": "dry", "arguments": {"desc": ["SF", "HG"], "is_slippery": False}}
    with pytest.raises(UserError, match="4 states and 4 actions, unlike 'ice'"):
        build_world(read(context=[{"name": "ice", "frequency": 1.0}, one_way]).model)


def test_factors_are_what_the_state_number_is_made_of():
    factors = [
        {"name": "row", "size": 5},
        {"name": "column", "size": 5},
        {"name": "passenger", "size": 5},
        {"name": "destination", "size": 4},
    ]
    cues = {"place": {"factors": ["column", "row"]}, "whom": {"factors": ["passenger"]}}
    world = build_world(read("Taxi-v4", factors=factors, cues=cues).model)
    env = gymnasium.make("Taxi-v4").unwrapped
    assert world.cue_names[:2] == ("place=0,0", "place=0,1")
    assert world.cue_names[-5:] == tuple(f"whom={k}" for k in range(5))
    for s in np.flatnonzero(world.terminal[0] == 0).tolist():
        row, column, passenger, _ = env.decode(s)
        seen = [n for n, v in zip(world.cue_names, world.cue[0, s], strict=True) if v]
        assert seen == [f"place={column},{row}", f"whom={passenger}"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"id": "FrozenLak-v1"}, "world.id: Gymnasium has no 'FrozenLak-v1'; did you mean 'Froz"),
        ({"id": "CartPole-v1"}, "world.id: 'CartPole-v1' does not say its transitions"),
        ({"id": "mine:FrozenLake-v1"}, "world.id: an id does not import modules"),
        ({"id": "Broken-v0"}, "world.id: P of 'Broken-v0' is not P[state][action] = "),
        ({"id": "Aimless-v0"}, "world.start: 'Aimless-v0' does not say where episodes begin"),
        ({"arguments": {"wet": True}}, "world.arguments: 'FrozenLake-v1' cannot be made: TypeErr"),
        ({"id": "Taxi-v4", "arguments": {"fickle_passenger": True}}, "does more than its trans"),
        ({"actions": ["a", "b"]}, "world.actions: 2 names for 4 actions"),
        ({"start": "16"}, "world.start: unknown state '16'"),
        ({"start": {"0": 0.5}}, "world.start: probabilities of the start states sum to 0.5"),
        ({"factors": [{"name": "row", "size": 3}]}, "world.factors: sizes multiply to 3"),
        ({"regions": {"a": ["x"]}}, "world.regions.a: unknown state 'x'"),
        ({"cues": {"row": {"factors": ["row"]}}}, "cues.row.factors: unknown factor 'row'"),
        ({"cues": {"row": {"toward": "C"}}}, "'toward' does not belong to a gymnasium world"),
        ({"context": [{"name": "only", "frequency": 1, "payoff": {"0": 1}}]}, "one number"),
    ],
)
def test_mistakes_are_one_line(made, said):
    with pytest.raises(UserError) as caught:
        build_world(read(**made).model)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_assays_reach_regions():
    scenario = read(regions={"shore": ["1", "4"]}, steps=1).override(
        {
            "population.agents": 4,
            "population.replicates": 2,
            "population.generations": 1,
            "assay": [{"name": "off", "context": "only", "measure": {"reach": "shore"}}],
        }
    )
    found = evosim.run(scenario, threads=1).assays
    # Without weights every way is as likely; two of the four lead to the region.
    assert found["value"].iloc[0] == pytest.approx(0.5)


def test_without_the_package_one_line_says_so_and_the_rest_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "lake.toml").write_text(read(arguments={"success_rate": 0.6125}).toml())
    (tmp_path / "pit.toml").write_text(Scenario.from_dict(engine_case.data("bandit")).toml())
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    outcome = reproduce_folder(tmp_path, tmp_path / "out", threads=1, plots=False)
    assert outcome.ran == ["pit"]
    assert outcome.lacking == ["lake"]
    assert not outcome.errors
    assert "left out: lake" in outcome.summary
    said = [line for line in capsys.readouterr().err.splitlines() if "lake" in line]
    assert len(said) == 2  # that it runs, and why not
    assert "needs the package gymnasium; pip install 'evosim[gymnasium]'" in said[-1]
    monkeypatch.delitem(sys.modules, "evosim.environments", raising=False)
    monkeypatch.delitem(vars(evosim), "gymnasium_env", raising=False)
    with pytest.raises(MissingExtraError, match="pip install"):
        _ = evosim.gymnasium_env


def test_the_version_is_part_of_a_runs_identity(monkeypatch):
    from evosim import record

    assert record.environment_versions(of_kind("chain")) == {}
    assert record.environment_versions(read()) == {"version of gymnasium": gymnasium.__version__}
    assert "version of gymnasium" in record.origin([], read())


# Worlds as environments


@pytest.mark.parametrize("observation", ["percept", "cues"])
@pytest.mark.parametrize("kind", [*KINDS, "user"])
def test_every_world_passes_the_checker(kind, observation):
    from gymnasium.utils.env_checker import check_env

    check_env(evosim.gymnasium_env(of_kind(kind), observation=observation))


def walked(env, steps):
    """What random steps bring: (context, state, action) -> (next, payoff, goal) -> how often."""
    luck = np.random.default_rng(5)
    _, info = env.reset(seed=11)
    starts, moves = Counter(), {}
    starts[info["context"], info["state"]] += 1
    for _ in range(steps):
        here = info["context"], info["state"], int(luck.integers(env.action_space.n))
        _, gain, ended, cut, info = env.step(here[2])
        assert gain == info["payoff"]
        found = moves.setdefault(here, Counter())
        found[info["state"], info["payoff"], info["goal"]] += 1
        if ended or cut:
            _, info = env.reset()
            starts[info["context"], info["state"]] += 1
    return starts, moves


def chi_square(found, expected):
    """Return chi-square and its degrees of freedom; fails where the impossible happened."""
    assert set(found) <= set(expected)
    n = sum(found.values())
    if n == 0:
        return 0.0, 0
    return sum((found[k] - n * p) ** 2 / (n * p) for k, p in expected.items()), len(expected) - 1


@pytest.mark.parametrize("kind", KINDS)
def test_draws_follow_the_tables(kind):
    scenario = of_kind(kind)
    world = build_world(scenario.model)
    starts, moves = walked(evosim.gymnasium_env(scenario), 4000)
    first = {name: world.contexts.index(name) for name in world.contexts}
    variant = {n: int(np.flatnonzero(world.variant_context == c)[0]) for n, c in first.items()}
    wanted = {
        (name, world.states[s]): world.frequency[first[name]] * p
        for name, v in variant.items()
        for s, p in enumerate(np.diff(world.start_cdf[v], prepend=0.0))
        if p > 0.0
    }
    total, freedom = chi_square(starts, wanted)
    for (context, state, action), found in moves.items():
        expected, repeated = Counter(), set()
        table = outcomes(world, variant[context], world.states.index(state), action)
        for (to, payoff, _, goal, once), p in table.items():
            expected[to, payoff, goal] += p
            if once:
                repeated.add((to, payoff, goal))
        for to, payoff, goal in repeated:  # paid a second time: as the first one here
            found[to, payoff, goal] += found.pop((to, scenario.model.world.step_payoff, goal), 0)
        more, further = chi_square(found, expected)
        total, freedom = total + more, freedom + further
    assert freedom >= (kind == "gymnasium") * 20
    assert total < freedom + 4.0 * np.sqrt(2.0 * freedom) + 1e-9


def test_a_users_world_steps_by_its_own_code():
    starts, moves = walked(evosim.gymnasium_env(of_kind("user"), context="turned"), 3000)
    assert set(starts) == {("turned", "2")}
    found = moves["turned", "3", 1]
    assert set(found) == {("4", 0.0, 0.0), ("2", 0.0, 0.0)}
    n = sum(found.values())
    assert found["4", 0.0, 0.0] / n == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / n))


def test_there_and_back_the_dynamics_are_the_environments():
    given = gymnasium.make("FrozenLake-v1").unwrapped.P
    _, moves = walked(evosim.gymnasium_env(read(steps=100)), 6000)
    total = freedom = 0
    for (_, state, action), found in moves.items():
        expected = Counter()
        for p, to, r, _ in given[int(state)][action]:
            expected[str(to), float(r), 0.0] += p
        more, further = chi_square(found, expected)
        total, freedom = total + more, freedom + further
    assert freedom > 60
    assert total < freedom + 4.0 * np.sqrt(2.0 * freedom)


def test_a_seed_says_all_that_follows():
    one, two = (evosim.gymnasium_env(of_kind("gymnasium")) for _ in range(2))
    assert walked(one, 300) == walked(two, 300)


def test_rewards_percepts_and_ends():
    lamp = engine_case.data("chain") | {
        "world": {"kind": "chain", "length": 3, "steps": 3, "payoff": 1, "reward": 2, "goal": 3},
        "context": [{"name": "only", "frequency": 1.0}],
        "cues": {"at": {"one_hot": "state"}},
    }
    for reward, gain in (("payoff", 1.0), ("reward", 2.0), ("goal", 3.0)):
        env = evosim.gymnasium_env(Scenario.from_dict(lamp), reward=reward)
        assert env.reset()[0] == 0
        assert env.step(0)[:4] == (1, 0.0, False, False)
        assert env.step(0)[:4] == (2, gain, True, False)  # nothing is perceived there
        with pytest.raises(gymnasium.error.ResetNeeded):
            env.step(0)
    env.reset()
    for cut in (False, False, True):
        assert env.step(1)[:4] == (0, 0.0, False, cut)
    env = evosim.gymnasium_env(Scenario.from_dict(lamp), observation="cues")
    assert env.reset()[0].tolist() == [1.0, 0.0]
    with pytest.raises(gymnasium.error.InvalidAction):
        env.step(2)


def test_what_is_paid_once_is_paid_once_a_life():
    scenario = of_kind("graph").override({"world.transitions.0.p": 1, "world.transitions.1.p": 0})
    env = evosim.gymnasium_env(scenario)
    gains = []
    for seed in (3, None, None, None, 3):
        env.reset(seed=seed)
        gains.append(env.step(0)[1])
    assert gains == [1.0, 0.0, 1.0, 0.0, 1.0]  # lives of two episodes; a seed begins one


def test_contexts_are_drawn_once_a_life_where_the_world_says_so():
    scenario = of_kind("bandit").override({"world.context_per": "life"})
    env = evosim.gymnasium_env(scenario)
    env.reset(seed=0)
    drawn = [env.reset(seed=0)[1]["context"]] + [env.reset()[1]["context"] for _ in range(99)]
    lives = [set(drawn[k : k + 4]) for k in range(0, 100, 4)]
    assert all(len(life) == 1 for life in lives)
    assert set.union(*lives) == {"summer", "winter"}


def test_contexts_come_in_the_order_of_blocks():
    data = engine_case.data("bandit")
    for context in data["context"]:
        del context["frequency"]
    data["block"] = [
        {"name": "warm", "episodes": 3, "frequencies": {"summer": 1.0}},
        {"name": "cold", "episodes": 1, "frequencies": {"winter": 1.0}},
    ]
    env = evosim.gymnasium_env(Scenario.from_dict(data))
    life = ["summer", "summer", "summer", "winter"]
    assert [env.reset()[1]["context"] for _ in range(8)] == 2 * life


def test_maps_are_drawn_and_novel_contexts_can_be_lived_in():
    scenario = of_kind("grid").override(
        {"context.left.frequency": 0.0, "context.right.frequency": 1.0}
    )
    env = evosim.gymnasium_env(scenario, context="left", render_mode="ansi")
    _, info = env.reset(seed=1)
    assert info["context"] == "left"
    assert env.render() == "#####\n#C.@#\n#####"
    env.step(0)
    assert env.render() == "#####\n#C@S#\n#####"
    made = gymnasium.make(
        "evosim.environments:evosim/World-v0", scenario=scenario, context="left", reward="goal"
    )
    assert made.reset(seed=1)[1]["context"] == "left"
    several = gymnasium.make_vec(
        "evosim/World-v0", num_envs=3, vectorization_mode="sync", scenario=scenario
    )
    assert several.reset(seed=1)[0].shape == (3,)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"context": "lfet"}, "context: no context 'lfet'; allowed: left, right; did you mean"),
        ({"arm": "x"}, "arm: no arm 'x'"),
        ({"reward": "fitness"}, "reward: no reward 'fitness'; allowed: payoff, reward, goal"),
        ({"observation": "state"}, "allowed: percept, cues"),
        ({"render_mode": "human"}, "allowed: ansi"),
        ({"set": {"world.slipp": 1}}, "world.slipp"),
    ],
)
def test_wrong_names_are_told(chosen, said):
    with pytest.raises(UserError) as caught:
        evosim.gymnasium_env(of_kind("grid"), **chosen)
    assert said in str(caught.value)


def test_a_landscape_has_nothing_to_act_in():
    with pytest.raises(UserError, match="a landscape has no states"):
        evosim.gymnasium_env(Scenario.from_dict(engine_case.data("traits")))


def test_reading_twice_makes_an_environment_once():
    assert read_table("FrozenLake-v1", {}) is read_table("FrozenLake-v1", {})
