"""Planners against the reference, which looks ahead by recursion over the tree."""

from __future__ import annotations

import numpy as np
import pytest
import reference_minds as ref
from kernels_case import learner
from minds_case import AGENTS, compare, live, outcomes_of, without_genes, world_of

from evosim.kernels.mind import EPSILON_GREEDY, GREEDY, NUMBERS, SOFTMAX
from evosim.kernels.plan import lookahead_size, plan_size

CHOICES = {"softmax": SOFTMAX, "greedy": GREEDY, "epsilon-greedy": EPSILON_GREEDY}
FEATURES = 2


def planner(rng, world, *, learned=False, utility=False, **given):
    """Kernel arrays and the reference's model: random for a given one, only room if learned.

    The random model is not the world's: what is expected and what happens differ.
    """
    met = outcomes_of(world)
    percepts, actions = world.cues.shape[1], world.actions
    outcomes = percepts + world.start_cdf.shape[1]
    room = max(map(len, met.values()))
    branch = np.full((percepts, actions, room), -1, np.int32)
    chance, gain = np.zeros(branch.shape), np.zeros(branch.shape)
    model = {(z, a): [] for z in range(percepts) for a in range(actions)}
    for (z, a), places in met.items():
        p = rng.dirichlet(np.ones(len(places)))
        for b, place in enumerate(sorted(places)):
            branch[z, a, b], chance[z, a, b], gain[z, a, b] = place, p[b], rng.normal()
            model[z, a].append((place, p[b], gain[z, a, b]))
    m = learner(
        branch=branch, chance=chance, gain=gain, topic=np.full(outcomes, -1, np.int32),
        feature=rng.normal(size=(outcomes, FEATURES)), learns_model=learned,
        utility=np.array([1, 1 + FEATURES if utility else 1]), **given,
    )  # fmt: skip
    size = plan_size(percepts, actions, room, outcomes, FEATURES, learned)
    return m, size, None if learned else model


CASES = {
    "given": {},
    "given, moved by a rate": {"learning_rate": 0.4},
    "given, utility": {"utility": True},
    "given, learned leaves": {"learns_leaf": True, "depth": 1},
    "given, utility, learned leaves": {"utility": True, "learns_leaf": True, "depth": 2},
    "learned": {"learned": True},
    "learned, deep": {"learned": True, "depth": 5, "discount": 0.9, "actions": 2},
    "learned, moved by a rate": {"learned": True, "learning_rate": 0.3, "how": "epsilon-greedy"},
    "learned, utility": {"learned": True, "utility": True},
    "learned, learned leaves": {"learned": True, "learns_leaf": True, "how": "greedy"},
    "blind": {"depth": 0},
}


@pytest.mark.parametrize("case", CASES)
def test_lives_of_planners(case):
    given = {"depth": 3, "discount": 0.8, "how": "softmax", "actions": 3, **CASES[case]}
    depth, discount, how = given.pop("depth"), given.pop("discount"), given.pop("how")
    rng, world = world_of(len(case), low=-1.5, actions=given.pop("actions"), steps=5)
    learned, utility = given.get("learned", False), given.get("utility", False)
    m, size, model = planner(
        rng, world, choice=CHOICES[how], averaging="learning_rate" not in given, depth=depth,
        discount=discount, temperature=0.4, epsilon=0.2, leaf_value=0.25, untried=0.75,
        value_rate=0.3, **given,
    )  # fmt: skip
    genes = rng.normal(size=(2, AGENTS, 1 + FEATURES)).astype(np.float32)

    def alone(r, i):
        worth = m.feature @ genes[r, i, 1:].astype(float)
        return ref.Planner(
            world.cues.shape[1], world.actions, depth, model, worth if utility else None,
            given.get("learning_rate"), 0.25, 0.75, 0.3 if m.learns_leaf else None,
            discount=discount, how=how, temperature=0.4, epsilon=0.2,
        )  # fmt: skip

    lived = compare("lookahead", world, m, size, genes, alone)
    moved = np.abs(lived.learned[0] - lived.born[0]).max()
    still = depth == 0 or (utility and not learned and not m.learns_leaf)
    assert (moved == 0.0) if still else (moved > 0.05)


@pytest.mark.parametrize("actions", [2, 3])
@pytest.mark.parametrize("misjudging", [False, True])
def test_preferences_over_cues_beside_a_plan(actions, misjudging):
    rng, world = world_of(70 + actions, low=-1.0, actions=actions, steps=4)
    m, size, model = planner(rng, world, discount=0.9, averaging=True, depth=2, temperature=0.4)
    features, percepts = world.cues.shape
    outputs = 1 if actions == 2 else actions
    ends = np.cumsum([1, outputs * features, percepts * actions if misjudging else 0])
    loci = m.loci.copy()
    loci[NUMBERS.index("plan_weight")] = 0
    m = m._replace(policy=ends[:2], misjudgement=ends[1:], loci=loci)
    size = lookahead_size(size, int(ends[1] - 1), int(ends[2] - ends[1]))
    genes = rng.normal(size=(2, AGENTS, int(ends[2]))).astype(np.float32)
    genes[:, 1, 0] = 0.0  # who gives the plan no weight makes none

    def alone(r, i):
        own = genes[r, i].astype(float)
        weights = own[1 : ends[1]].reshape(outputs, features)
        liked = np.zeros((percepts, actions))
        liked[:, :outputs] = (weights @ world.cues.astype(float)).T
        off = own[ends[1] :].reshape(percepts, actions) if misjudging else 0.0 * liked
        return ref.Weighing(
            percepts, actions, 2, model, discount=0.9, temperature=0.4, weight=own[0],
            preference=liked, off=off,
        )  # fmt: skip

    compare("lookahead", world, m, size, genes, alone)


@pytest.mark.parametrize("depth", [-3.0, 0.99, 1.0, 2.75, 40.0])
def test_a_gene_for_depth_is_rounded_down_and_bounded(depth):
    rng, world = world_of(40, low=-1.0, steps=4, episodes=3, outcomes=1)
    m, size, model = planner(rng, world, discount=0.5, averaging=True)
    where = m.loci.copy()
    where[NUMBERS.index("depth")] = 1
    genes = np.full((2, AGENTS, 2), depth, np.float32)

    def alone(r, i):
        percepts = world.cues.shape[1]
        return ref.Planner(percepts, 2, depth, model, discount=0.5, temperature=0.7)

    compare("lookahead", world, m._replace(loci=where), size, genes, alone)


def fork(depth, learned=False, **given):
    """A road of 3 places to a fork: right ends with .5; left, then two steps, ends with 1.

    Action 0 goes on (at the fork: right), 1 leaves the road with .4 (at the fork: left).
    Percepts 0-3 are the road and the fork, 4-5 the branch; the place after the branch is 12.
    """
    ends = {(0, 1): 0.4, (1, 1): 0.4, (2, 1): 0.4, (3, 0): 0.5, (4, 1): 0.0, (5, 0): 1.0,
            (5, 1): 0.0}  # fmt: skip
    onto = {(0, 0): 1, (1, 0): 2, (2, 0): 3, (3, 1): 4, (4, 0): 5}
    branch = np.full((6, 2, 1), -1, np.int32)
    chance, gain = np.ones((6, 2, 1)), np.zeros((6, 2, 1))
    for (z, a), value in ends.items():
        branch[z, a, 0], gain[z, a, 0] = 6 + z, value
    for (z, a), place in onto.items():
        branch[z, a, 0] = place
    m = learner(
        branch=branch, chance=chance, gain=gain, topic=np.full(12, -1, np.int32),
        feature=np.zeros((12, 0)), choice=GREEDY, averaging=True, learns_model=learned,
        depth=depth, leaf_value=0.5, untried=0.45, **given,
    )  # fmt: skip
    _, world = world_of(41, percepts=6)
    nobody = np.zeros((6, 6), np.float32)
    return world._replace(cues=nobody), m, plan_size(6, 2, 1, 12, 0, learned)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_what_is_known_from_birth_is_found_within_the_depth(depth):
    """From the end backwards: the branch's 1 is seen from where it is `depth` steps ahead."""
    world, m, size = fork(depth)
    born = live("lookahead", world._replace(episodes=1, steps=1), m, size, without_genes()).born
    left_at_the_fork = born[0, 0].reshape(6, 2)[3].tolist()
    # Leaves are worth .5, so that short sight ties left with right until the 1 is in view.
    assert left_at_the_fork == ([0.0, 1.0] if depth >= 3 else [0.5, 0.5])
    assert born[0, 0].reshape(6, 2)[0].tolist() == [1.0, 0.0]
    assert born[0, 0].reshape(6, 2)[5].tolist() == [1.0, 0.0]


def test_an_action_never_tried_is_worth_what_the_scenario_says():
    world, m, size = fork(3, learned=True)
    born = live("lookahead", world._replace(episodes=1, steps=1), m, size, without_genes()).born
    assert (born[0, 0] == 0.5).all()
