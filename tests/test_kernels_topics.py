"""Abstract and reflective planners against the reference, along whole random lives."""

from __future__ import annotations

import numpy as np
import pytest
import reference_minds as ref
from kernels_case import learner
from minds_case import AGENTS, alive, compare, live, without_genes, world_of
from test_kernels_plan import planner

from evosim.kernels.plan import plan_size
from evosim.kernels.topics import DISCARDS, STORES, abstract_size, reflective_size

TOPICS = 2


def topical(rng, world, learned, shown, **given):
    """A planner of a world whose percepts show topics: -1 for none."""
    m, planner_size, model = planner(rng, world, learned=learned, **given)
    topic = np.full(m.topic.size, -1, np.int32)
    topic[: len(shown)] = shown
    m = m._replace(topic=topic, topics=TOPICS, told=m.told if m.told.size else np.zeros(2, "u1"))
    return m, planner_size, model


ABSTRACT = {
    "given, means": {},
    "given, by a rate": {"learning_rate": 0.4, "discount": 0.8},
    "learned": {"learned": True},
    "topics everywhere": {"shown": [0, 1, 1, 0]},
    "one topic everywhere": {"shown": [1, 1, 1, 1]},
    "no topic anywhere": {"shown": [-1, -1, -1, -1]},
}


@pytest.mark.parametrize("case", ABSTRACT)
def test_lives_of_abstract_planners(case):
    given = {"learned": False, "shown": [-1, 0, 0, 1], "discount": 1.0, **ABSTRACT[case]}
    rng, world = world_of(50 + len(case), low=-1.5, actions=3)
    m, size, model = topical(
        rng, world, given.pop("learned"), given.pop("shown"), depth=2, temperature=0.5,
        averaging="learning_rate" not in given, optimism=0.75, untried=0.5, leaf_value=0.25,
        **given,
    )  # fmt: skip

    def alone(r, i):
        return ref.Abstract(
            world.cues.shape[1], 3, 2, model, None, given.get("learning_rate"), 0.25, 0.5,
            topic=m.topic, optimism=0.75, discount=given["discount"], temperature=0.5,
        )  # fmt: skip

    size = abstract_size(size, 3, TOPICS, world.steps)
    lived = compare("abstract", world, m, size, without_genes(), alone)
    assert np.abs(lived.learned[0] - lived.born[0]).max() > 0.05
    finished = lived.trail.finished[0].sum()
    assert (finished == 0.0) == (case == "no topic anywhere")


REFLECTIVE = {
    "own accidents": {},
    "two hops": {"depth": 2},
    "three hops, learned": {"depth": 3, "learned": True},
    "learned, by a rate": {"learned": True, "learning_rate": 0.3},
    "told and trusted": {"told": [0]},
    "told, trusted half of the time": {"told": [1], "trust": 0.5, "alarm": 9.0},
    "told, not trusted": {"told": [0, 1], "trust": 0.0, "alarm": 9.0},
    "told one topic, an accident in the other": {"told": [0], "trust": 0.25},
    "told, learned": {"told": [1], "trust": 0.75, "learned": True, "alarm": 9.0},
    "nothing alarms": {"alarm": 9.0},
    "own ends": {"utility": True},
    "all is stored": {"stores": True, "alarm": 0.7, "learning_rate": 0.5},
    "all is stored, told and learned": {
        "stores": True,
        "told": [0, 1],
        "trust": 0.5,
        "learned": True,
        "depth": 3,
    },
    "all places show it": {"shown": [0, 0, 0, 0]},
}


@pytest.mark.parametrize("case", REFLECTIVE)
def test_lives_of_reflective_planners(case):
    given = {
        "learned": False, "shown": [-1, 0, -1, 1, -1, -1], "told": [], "trust": 1.0, "depth": 1,
        "alarm": 1.5, **REFLECTIVE[case],
    }  # fmt: skip
    depth, told, utility = given["depth"], given.pop("told"), given.get("utility", False)
    stores = given.pop("stores", False)
    rng, world = world_of(70 + len(case), low=-2.0, actions=3, percepts=6)
    m, size, model = topical(
        rng, world, given.pop("learned"), given.pop("shown"), temperature=0.5,
        averaging="learning_rate" not in given, untried=0.5, leaf_value=0.25,
        told=np.isin(np.arange(TOPICS), told).astype(np.uint8), rule=STORES if stores else DISCARDS,
        **given,
    )  # fmt: skip
    genes = rng.normal(size=(2, AGENTS, 3)).astype(np.float32)
    minds = {}

    def alone(r, i):
        worth = m.feature @ genes[r, i, 1:].astype(float) if utility else None
        minds[r, i] = who = ref.Reflective(
            world.cues.shape[1], 3, depth, model, worth, given.get("learning_rate"), 0.25, 0.5,
            topic=m.topic, alarm=given["alarm"], told=told, trust=given["trust"], stores=stores,
            temperature=0.5,
        )  # fmt: skip
        return who

    size = reflective_size(size, world.cues.shape[1], 3, TOPICS)
    compare("reflective", world, m, size, genes, alone)
    owned = {label for who in minds.values() for label in who.own}
    assert bool(owned) == (given["alarm"] < 9.0)
    if case == "three hops, learned":
        assert max(hop for who in minds.values() for hop in who.hops.values()) > 1


def walk(onto, shown, start, tolls=(), **given):
    """A world whose action a leads from z to ``onto[z][a]`` (None: the end), and its planner.

    Entering a place of `tolls` brings -2, which the given model does not know.
    """
    n = len(onto)
    branch = np.array([[[n + z if to is None else to] for to in row] for z, row in enumerate(onto)])
    m = learner(
        branch=branch.astype(np.int32), chance=np.ones((n, 2, 1)), gain=np.zeros((n, 2, 1)),
        topic=np.array([*shown, *[-1] * n], np.int32), topics=max(shown) + 1,
        told=np.zeros(max(shown) + 1, np.uint8), feature=np.zeros((2 * n, 0)), averaging=True,
        alarm=1.0, temperature=1.0, **given,
    )  # fmt: skip
    _, world = world_of(90, percepts=n)
    following = np.where(branch < n, branch, -1 - (branch - n)).ravel().astype(np.int32)
    reward = np.where(np.isin(following, tolls), -2.0, 0.0)
    world = world._replace(
        following=following, cdf=np.ones(2 * n), reward=reward, payoff=reward, outcomes=1,
        start=np.array([start], np.int32), start_cdf=np.ones((1, n)), steps=n,
        percept=np.arange(n, dtype=np.int32), track=np.full(n, -1, np.int32),
        parameters=np.zeros((1, 0)),
    )  # fmt: skip
    size = plan_size(n, 2, 1, 2 * n, 0, m.learns_model)
    return world, m, reflective_size(size, n, 2, m.topics)


def road(depth, *, entered=0, **given):
    """Five places in a row, the last of which shows topic 0 and costs; action 1 leaves."""
    onto = [(1, None), (2, None), (3, None), (4, None), (None, None)]
    return walk(onto, [-1, -1, -1, -1, 0], entered, [4], depth=depth, **given)


def test_hops_are_counted_from_the_nearest_label():
    """From 1 one way leads straight to a label, the other by 2, or by 2 and 3, to another one."""
    short = [(1, None), (2, 4), (3, None), (None, None), (None, None)]
    long = [(1, None), (2, 5), (3, None), (4, None), (None, None), (6, None), (None, None)]
    for onto, shown, tolls, depth in (
        (short, [-1, -1, -1, 0, 1], [3, 4], 2),
        (long, [-1, -1, -1, -1, 0, -1, 1], [4, 6], 3),
    ):
        world, m, size = walk(onto, shown, 0, tolls, depth=depth)
        world = world._replace(episodes=300)
        lives = [
            live("reflective", world, m, size, without_genes(), generation=g) for g in range(5)
        ]
        first = [lived.learned[who].reshape(-1, 2)[:2, 0] for lived in lives for who in alive()]
        first = np.array(first)
        assert (first[:, 0] == 0.0).all()
        # Who met the farther label first has forbidden both ways, so none is; others only one.
        assert (first[:, 1] < 1.0).any()
        assert (first[:, 1] == 1.0).any()


def test_a_told_label_is_heeded_as_far_as_it_is_trusted():
    for trust in (0.0, 0.25, 1.0):
        world, m, size = road(2, trust=trust)
        m = m._replace(told=np.ones(1, np.uint8))
        born = live("reflective", world._replace(episodes=1), m, size, without_genes()).born
        p = born[0, 0].reshape(5, 2)[:, 0].tolist()
        # Only the step onto the labelled place is forbidden; all else is worth the same.
        assert p == pytest.approx([0.5, 0.5, 0.5, 0.5 * (1.0 - trust), 0.5], abs=1e-15)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_after_an_accident_the_way_is_forbidden_as_far_as_the_agent_looks_ahead(depth, learned):
    """Agents walk the road again and again; each walk forbids one hop more, up to the depth."""
    world, m, size = road(depth, learns_model=learned)
    lived = live("reflective", world._replace(episodes=400), m, size, without_genes())
    on = lived.learned[0, 0].reshape(5, 2)[:, 0]
    assert (on[:4] == 0.0).tolist() == [4 - z <= depth for z in range(4)]
    entries = lived.trail.visits[0, 0, 0].reshape(5, 2)[3, 0]
    assert entries == 1  # own accident once, and never again


def test_nothing_is_stored_under_a_label():
    world, m, size = road(2, entered=4, trust=0.0)
    # Episodes begin on the labelled place, and its end pays.
    world = world._replace(reward=np.ones(10), episodes=50)
    free = live("reflective", world, m, size, without_genes())
    told = m._replace(told=np.ones(1, np.uint8))
    blind = live("reflective", world, told, size, without_genes())
    assert free.trail.moved[0, 0].sum() > 0.0
    assert blind.trail.moved[0, 0].sum() == 0.0
    assert np.array_equal(blind.learned[0, 0], blind.born[0, 0])


def test_a_label_goes_once_what_was_stored_shows_it_harmless():
    """Walks begin one step before the labelled place, where nothing bad happens."""
    for trust, rule, on in (
        (0.5, DISCARDS, 0.25),
        (0.5, STORES, 0.5),  # no label any more: both ways are worth the same
        (1.0, STORES, 0.0),  # who trusts wholly never enters, so that nothing is stored
    ):
        world, m, size = road(2, entered=3, trust=trust)
        world = world._replace(reward=np.zeros_like(world.reward), episodes=60)
        m = m._replace(told=np.ones(1, np.uint8), rule=rule)
        lived = live("reflective", world, m, size, without_genes())
        assert lived.learned[0, 0].reshape(5, 2)[3, 0] == pytest.approx(on, abs=1e-15)


def test_an_option_is_kept_up_as_long_as_the_topic_is_shown():
    """All places of the road show the topic: a walk is all of one action, or ends at once."""
    world, m, _ = road(2)
    topic = m.topic.copy()
    topic[:5] = 0
    m = m._replace(topic=topic)
    size = abstract_size(plan_size(5, 2, 1, 10, 0, False), 2, 1, world.steps)
    world = world._replace(episodes=200)
    lived = live("abstract", world, m, size, without_genes())
    done = lived.trail.visits[0, 0, 0].reshape(5, 2)
    assert done[:, 0].tolist() == [done[0, 0]] * 5  # who goes on goes on to the end
    assert done[1:, 1].tolist() == [0] * 4
    # The option ended with 0, going on brings -2: less than half go on.
    assert 0 < done[0, 0] < 100
