"""Settled lives: drawing only the choices of an episode that moved nothing changes no bit."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import reference_minds as ref
from kernels_case import KEYS, learner, schedule, tables
from minds_case import AGENTS, COUNT, GENERATION, SLOTS, alive, without_genes
from test_kernels_plan import FEATURES, planner
from test_kernels_topics import TOPICS, topical, walk
from test_kernels_values import size_of

from evosim.kernels import learn
from evosim.kernels.settled import draws_of
from evosim.kernels.tags import Tag
from evosim.kernels.topics import DISCARDS, STORES, reflective_size
from evosim.kernels.values import Q_LEARNING
from evosim.minds.trail import new_trail, no_trail

EPISODES = 120


def world_of(seed, *, actions=2, outcomes=1, once=False):
    """A world in which episodes can be alike: one start, and most outcomes are certain."""
    rng = np.random.default_rng(seed)
    world = tables(rng, actions=actions, outcomes=outcomes, once=once, episodes=EPISODES)
    cdf = world.cdf.reshape(-1, outcomes).copy()
    cdf[rng.random(len(cdf)) < 0.9] = 1.0
    return rng, world._replace(cdf=cdf.ravel())


def live(kind, world, m, size, genes, cdf=(1.0,), *, recorded):
    """Payoff, acts, context payoff and episodes, learned state; recorded, all lives are lived."""
    percepts, entries = world.cues.shape[1], len(world.percept) * world.actions
    values = percepts * world.actions
    out = (
        np.full((2, AGENTS), 99.0), np.full((2, AGENTS, SLOTS * world.actions), 99, np.uint16),
        np.full((2 * AGENTS, 2), 99.0), np.full((2 * AGENTS, 2), 99),
        np.full((2, AGENTS, values), 99.0), np.full((2, AGENTS, values), 99.0),
    )  # fmt: skip
    trail = new_trail(2, AGENTS, 1, entries, percepts, 0, values) if recorded else no_trail(2)
    learn.live_and_learn(
        0, 2 * AGENTS, Tag("world", "tabular"), world, Tag("mind", kind), m, size,
        schedule(list(cdf)), world.start_cdf, 0, np.zeros(0, np.int64), KEYS[:2], GENERATION, 0,
        COUNT, genes, *out, trail,
    )  # fmt: skip
    return out


def compare(kind, world, m, size, genes, alone):
    """Hold lives that are not recorded against recorded ones, and against the reference.

    Returns how many episodes in the reference moved nothing and were followed by one like them.
    """
    lived = live(kind, world, m, size, genes, recorded=False)
    for one, all_lived in zip(lived, live(kind, world, m, size, genes, recorded=True), strict=True):
        assert one.tobytes() == all_lived.tobytes()
    payoff, acts, _, context_episodes, _, learned = lived
    settled = 0
    for r, i in alive():
        who = alone(r, i)
        episodes = []

        def end(episode, who=who, episodes=episodes, finish=who.end):
            finish(episode)
            episodes.append(sum(who.moved.values()) + who.finished)

        who.end = end
        done, brought = reference.live(world, who.act, [1.0], KEYS[r], GENERATION, i, learner=who)
        want = np.zeros((SLOTS, world.actions), int)
        for slot, action in done:
            want[slot, action] += 1
        assert np.array_equal(acts[r, i].reshape(SLOTS, world.actions), want)
        assert payoff[r, i] == pytest.approx(sum(e for _, _, e in brought), abs=1e-12)
        assert context_episodes[r * AGENTS + i].tolist() == [EPISODES, 0]
        table = np.ravel([who.table(z) for z in range(world.cues.shape[1])])
        assert learned[r, i].tolist() == pytest.approx(table, rel=0, abs=1e-12)
        still = np.diff([0.0, *episodes]) == 0.0
        same = np.diff([e for _, _, e in brought]) == 0.0
        settled += int((still[:-1] & same).sum())
    return settled


@pytest.mark.parametrize(
    ("seed", "actions", "outcomes", "once"),
    [(21, 2, 1, False), (31, 3, 1, True), (2, 2, 2, True), (4, 3, 2, False)],
)
def test_lives_of_learners(seed, actions, outcomes, once):
    _, world = world_of(seed, actions=actions, outcomes=outcomes, once=once)
    m = learner(rule=Q_LEARNING, learning_rate=1.0, discount=0.5, optimism=0.5, temperature=0.1)

    def alone(r, i):
        start = [[0.5] * actions for _ in range(world.cues.shape[1])]
        return ref.Tabular(start, "q", 1.0, discount=0.5, temperature=0.1)

    settled = compare("model-free", world, m, size_of(world, "q"), without_genes(), alone)
    assert settled > EPISODES


def mostly_as_expected(rng, world, m, model):
    """Pay all as the planner's model says, which now says .25, but for one step in ten."""
    m.gain[:] = 0.25
    world = world._replace(reward=np.where(rng.random(world.reward.size) < 0.9, 0.25, -1.0))
    return world, {step: [(place, p, 0.25) for place, p, _ in to] for step, to in model.items()}


@pytest.mark.parametrize(
    ("seed", "utility", "actions"), [(5, False, 3), (51, True, 3), (53, False, 2), (52, True, 2)]
)
def test_lives_of_planners(seed, utility, actions):
    rng, world = world_of(seed, actions=actions, outcomes=2)
    m, size, model = planner(
        rng, world, utility=utility, averaging=True, depth=2, discount=0.8, temperature=0.05,
        leaf_value=0.25,
    )  # fmt: skip
    world, model = mostly_as_expected(rng, world, m, model)
    genes = rng.normal(size=(2, AGENTS, 1 + FEATURES)).astype(np.float32)

    def alone(r, i):
        worth = m.feature @ genes[r, i, 1:].astype(float)
        return ref.Planner(
            world.cues.shape[1], actions, 2, model, worth if utility else None, None, 0.25, 0.0,
            None, discount=0.8, temperature=0.05,
        )  # fmt: skip

    assert compare("lookahead", world, m, size, genes, alone) > EPISODES


REFLECTIVE = {
    "own accidents": {},
    "own accidents, own ends": {"utility": True},
    "told, hardly trusted": {"told": [0, 1], "trust": 0.02, "alarm": 9.0},
    "told, all is stored": {"told": [0], "trust": 0.1, "alarm": 9.0, "stores": True},
    "accidents that teach nothing": {"learning_rate": 0.0},
}


@pytest.mark.parametrize("case", REFLECTIVE)
def test_lives_of_reflective_planners(case):
    given = {"told": [], "trust": 1.0, "alarm": 0.5, **REFLECTIVE[case]}
    told, stores, utility = given.pop("told"), given.pop("stores", False), given.get("utility")
    rng, world = world_of(6, actions=3, outcomes=2)
    percepts = world.cues.shape[1]
    shown = np.resize([-1, 0, -1, 1], percepts)
    m, size, model = topical(
        rng, world, False, shown, averaging="learning_rate" not in given, depth=2, discount=0.8,
        temperature=0.05, leaf_value=0.25, told=np.isin(np.arange(TOPICS), told).astype(np.uint8),
        rule=STORES if stores else DISCARDS, **given,
    )  # fmt: skip
    world, model = mostly_as_expected(rng, world, m, model)
    genes = rng.normal(size=(2, AGENTS, 1 + FEATURES)).astype(np.float32)

    def alone(r, i):
        worth = m.feature @ genes[r, i, 1:].astype(float) if utility else None
        return ref.Reflective(
            percepts, 3, 2, model, worth, given.get("learning_rate"), 0.25, topic=m.topic,
            alarm=given["alarm"], told=told, trust=given["trust"], stores=stores, discount=0.8,
            temperature=0.05,
        )  # fmt: skip

    size = reflective_size(size, percepts, 3, TOPICS)
    assert compare("reflective", world, m, size, genes, alone) > EPISODES // 2


def test_what_was_entered_under_a_label_is_not_counted():
    """Place 2 is entered by a labelled place, as expected, or straight, which costs."""
    onto = [(1, 2), (2, 2), (None, None)]
    world, m, size = walk(onto, [-1, 0, -1], 0, depth=1, trust=0.0)
    cost = np.zeros(6)
    cost[1] = -0.5
    world = world._replace(reward=cost, payoff=cost, episodes=EPISODES)
    m = m._replace(told=np.ones(1, np.uint8))
    model = {(z, a): [(3 + z if to is None else to, 1.0, 0.0)] for z in range(3)
             for a, to in enumerate(onto[z])}  # fmt: skip

    def alone(r, i):
        return ref.Reflective(
            3, 2, 1, model, topic=m.topic, alarm=1.0, told=[0], trust=0.0, temperature=1.0
        )

    assert compare("reflective", world, m, size, without_genes(), alone) > EPISODES


@pytest.mark.parametrize("one_context", [False, True])
@pytest.mark.parametrize("cdf", [(0.5, 1.0), ((40, [0.5, 1.0]), (80, [0.0, 1.0]))])
def test_contexts_that_change_are_lived(one_context, cdf):
    _, world = world_of(60)
    world = world._replace(one_context=one_context, start=np.array([2, 1], np.int32))
    m = learner(rule=Q_LEARNING, learning_rate=1.0, discount=0.5, temperature=0.1)
    size = size_of(world, "q")
    lives = [
        live("model-free", world, m, size, without_genes(), cdf, recorded=recorded)
        for recorded in (False, True)
    ]
    for one, other in zip(*lives, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_draws_of_an_action_are_those_that_choose_it():
    rng = np.random.default_rng(70)
    for _ in range(200):
        actions = int(rng.integers(2, 5))
        prob = rng.dirichlet(np.full(actions, 0.1)) * rng.choice([1.0, 1.0 - 1e-12])
        prob[rng.integers(actions)] *= rng.choice([0.0, 1e-11, 1.0])
        ends = [draws_of.py_func(prob, a, actions) for a in range(actions)]
        assert ends[0][0] == 0
        assert ends[-1][1] == 2**32
        assert [past for _, past in ends[:-1]] == [first for first, _ in ends[1:]]
        for action, (first, past) in enumerate(ends):
            for word in {first, past - 1} if past > first else set():
                assert learn.choose.py_func(prob, actions, np.uint64(word)) == action
