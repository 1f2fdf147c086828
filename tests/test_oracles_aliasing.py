"""The best return with and without telling states apart; and that of a scenario's own worlds."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from evosim.oracles import (
    TabularWorld,
    class_chain_hit,
    class_optimum,
    establishment_probability,
    expected_return,
    optimal_return,
)
from evosim.scenario import Scenario
from evosim.worlds.build import build_world

GAP = Path(__file__).parent.parent / "scenarios" / "reward_gap.toml"


def random_world(seed, states=4, actions=2, steps=4):
    rng = np.random.default_rng(seed)
    return TabularWorld(
        transition=rng.dirichlet(np.full(states, 0.5), size=(states, actions)),
        reward=rng.normal(size=(states, actions, states)),
        start=rng.dirichlet(np.ones(states)),
        steps=steps,
        terminal=np.arange(states) == states - 1,
    )


def oracle_world(model):
    """Return a scenario's first context as the oracles' world, and its percepts."""
    world = build_world(model)
    chance = np.diff(world.outcome_cdf[0], prepend=0.0, axis=-1)
    states = len(world.states)
    # The oracle knows rewards by next state, the scenario by outcome: mean over outcomes.
    reward = np.sum(chance * world.payoff[0], axis=-1)
    move = np.zeros((states, len(world.actions), states))
    for s, a, k in np.ndindex(chance.shape):
        move[s, a, world.outcome_state[0, s, a, k]] += chance[s, a, k]
    start = np.diff(world.start_cdf[0], prepend=0.0)
    ends = world.terminal[0].astype(bool)
    move[ends] = np.eye(states)[ends][:, None, :]
    return TabularWorld(move, reward, start, world.steps, ends), world.percept[0]


def deep(policy):
    return 500.0 * np.asarray(policy)


@pytest.mark.parametrize("seed", range(4))
def test_class_optimum_is_the_best_of_all_enumerated_policies(seed):
    world = random_world(seed)
    percept = np.array([0, 1, 0, 1])
    found = class_optimum(world, percept)
    values = {
        choice: expected_return(world, deep(np.eye(2)[np.array(choice)[percept]]))
        for choice in product(range(2), repeat=2)
    }
    assert found.value == pytest.approx(max(values.values()), rel=1e-12)
    assert values[tuple(found.actions)] == pytest.approx(found.value, rel=1e-12)
    assert found.value <= optimal_return(world) + 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_optimal_return_is_that_of_the_best_tree(seed):
    world = random_world(seed, states=3, steps=3)

    def tree(state, left):
        if left == 0 or world.ends()[state]:
            return 0.0
        return max(
            sum(
                p * (world.reward[state, a, s] + tree(s, left - 1))
                for s, p in enumerate(world.transition[state, a])
            )
            for a in range(2)
        )

    best = sum(p * tree(s, 3) for s, p in enumerate(world.start))
    assert optimal_return(world) == pytest.approx(best, rel=1e-12)


def test_one_percept_for_opposite_needs_costs_the_rarer():
    # Two rooms that end the episode; each needs another action.
    move = np.zeros((3, 2, 3))
    move[:, :, 2] = 1.0
    reward = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    world = TabularWorld(move, reward, [0.7, 0.3, 0.0], 1, np.array([False, False, True]))
    assert optimal_return(world) == pytest.approx(1.0)
    assert class_optimum(world, [0, 1, 2]).value == pytest.approx(1.0)
    assert class_optimum(world, [0, 0, 1]) == (pytest.approx(0.7), pytest.approx([0, 0]))


@pytest.mark.parametrize(
    ("arm", "best", "in_class"),
    [
        ("nothing", 3.5, 3.5),
        ("key", 3.5, 3.5),
        ("aliased", 3.5, 3.2),
        ("noise", 0.95 * 1.5 + 0.05 * 0.5 + 0.95 + 0.95**4, None),
        # Who sees a slip at the door can still be all plain; agents do not see it.
        ("key + noise", None, 0.95**3 * 1.5 + 0.05**3 * 0.5 + 0.95 + 0.95**4),
        ("aliased + noise", None, 1.45 + 0.95 * 0.7 + 0.05 * 0.3 + 0.95**4),
    ],
)
def test_the_numbers_of_the_reward_gap_are_its_worlds_own(arm, best, in_class):
    cell = next(c for c in Scenario.load(GAP).arms() if c.label == arm)
    world, percept = oracle_world(cell.model)
    if best is not None:
        assert optimal_return(world) == pytest.approx(best, rel=1e-12)
    wanted = best if in_class is None else in_class
    assert class_optimum(world, percept).value == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("arm", "rest", "generations"),
    [("key", 2.0, 150), ("key + aliased", 1.7, 150), ("key + load", 2.0, 190)],
)
def test_the_chance_of_the_key_is_that_of_its_chain(arm, rest, generations):
    scenario = Scenario.load(GAP)
    model = next(c.model for c in scenario.arms() if c.label == arm)
    mu = model.genome["policy"].mutation_rate / 2
    between = rest / (rest + 0.5)
    gain = establishment_probability((rest + 1.5) / (rest + 0.5) - 1.0)
    agents = model.population.agents
    has = float(class_chain_hit(agents, 3, mu, generations, between, success=gain))
    loci = 9 - (rest < 2.0)
    share = math.exp(-mu * loci) if arm.endswith("load") else 1.0
    (claim,) = (c for c in scenario.model.claim if c.arm == arm and c.refuted is None)
    assert claim.equals == pytest.approx(share * (rest + 0.5 + has), abs=6e-5)


@pytest.mark.parametrize("percept", [[0, 1], [0, 1, 2, -1], [0.0, 1.0, 2.0, 3.0]])
def test_percepts_must_fit_the_world(percept):
    with pytest.raises(ValueError, match="percept must hold 4 integers"):
        class_optimum(random_world(0), percept)


def test_too_many_policies_are_refused():
    world = random_world(0, states=19)
    with pytest.raises(ValueError, match="policies"):
        class_optimum(world, np.arange(19))
