"""Abstract and reflective planners against the reference, along whole random lives."""

from __future__ import annotations

import numpy as np
import pytest
import reference_minds as ref
from kernels_case import learner
from minds_case import AGENTS, compare, live, without_genes, world_of
from test_kernels_plan import planner

from evosim.kernels.plan import plan_size
from evosim.kernels.topics import abstract_size, reflective_size

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
    "all places show it": {"shown": [0, 0, 0, 0]},
}


@pytest.mark.parametrize("case", REFLECTIVE)
def test_lives_of_reflective_planners(case):
    given = {
        "learned": False, "shown": [-1, 0, -1, 1, -1, -1], "told": [], "trust": 1.0, "depth": 1,
        "alarm": 1.5, **REFLECTIVE[case],
    }  # fmt: skip
    depth, told, utility = given["depth"], given.pop("told"), given.get("utility", False)
    rng, world = world_of(70 + len(case), low=-2.0, actions=3, percepts=6)
    m, size, model = topical(
        rng, world, given.pop("learned"), given.pop("shown"), temperature=0.5,
        averaging="learning_rate" not in given, untried=0.5, leaf_value=0.25,
        told=np.isin(np.arange(TOPICS), told).astype(np.uint8), **given,
    )  # fmt: skip
    genes = rng.normal(size=(2, AGENTS, 3)).astype(np.float32)
    minds = {}

    def alone(r, i):
        worth = m.feature @ genes[r, i, 1:].astype(float) if utility else None
        minds[r, i] = who = ref.Reflective(
            world.cues.shape[1], 3, depth, model, worth, given.get("learning_rate"), 0.25, 0.5,
            topic=m.topic, alarm=given["alarm"], told=told, trust=given["trust"], temperature=0.5,
        )  # fmt: skip
        return who

    size = reflective_size(size, world.cues.shape[1], 3, TOPICS)
    compare("reflective", world, m, size, genes, alone)
    owned = {label for who in minds.values() for label in who.own}
    assert bool(owned) == (given["alarm"] < 9.0)
    if case == "three hops, learned":
        assert max(hop for who in minds.values() for hop in who.hops.values()) > 1


def road(depth, *, entered, learned=False, **given):
    """Five places in a row, the last of which shows topic 0; action 0 goes on, 1 ends.

    The life begins at place `entered`; the step onto the last place brings -2.
    """
    branch = np.full((5, 2, 1), -1, np.int32)
    branch[:4, 0, 0], branch[4, 0, 0], branch[:, 1, 0] = [1, 2, 3, 4], 9, np.arange(5, 10)
    topic = np.full(10, -1, np.int32)
    topic[4] = 0
    m = learner(
        branch=branch, chance=np.ones((5, 2, 1)), gain=np.zeros((5, 2, 1)), topic=topic, topics=1,
        told=np.zeros(1, np.uint8), feature=np.zeros((10, 0)), averaging=True, depth=depth,
        alarm=1.0, learns_model=learned, temperature=1.0, untried=0.0, **given,
    )  # fmt: skip
    _, world = world_of(90, percepts=5, outcomes=1)
    on = np.repeat([1, 2, 3, 4, -5], 2)
    on[1::2] = -1 - np.arange(5)
    reward = np.zeros(20)
    reward[6] = reward[16] = -2.0
    world = world._replace(
        following=np.concatenate([on, np.where(on >= 0, on + 5, on - 5)]).astype(np.int32),
        cdf=np.ones(20), reward=reward, payoff=reward, start=np.full(2, entered, np.int32),
        percept=np.tile(np.arange(5), 2).astype(np.int32), steps=5,
    )  # fmt: skip
    size = plan_size(5, 2, 1, 10, 0, learned)
    return world, m, reflective_size(size, 5, 2, 1)


def test_a_told_label_is_heeded_as_far_as_it_is_trusted():
    for trust in (0.0, 0.25, 1.0):
        world, m, size = road(2, entered=0, trust=trust)
        m = m._replace(told=np.ones(1, np.uint8))
        born = live("reflective", world._replace(episodes=1), m, size, without_genes()).born
        p = born[0, 0].reshape(5, 2)[:, 0].tolist()
        # Only the step onto the labelled place is forbidden; all else is worth the same.
        assert p == pytest.approx([0.5, 0.5, 0.5, 0.5 * (1.0 - trust), 0.5], abs=1e-15)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_after_an_accident_the_way_is_forbidden_as_far_as_the_agent_looks_ahead(depth, learned):
    """Agents walk the road again and again; each walk forbids one hop more, up to the depth."""
    world, m, size = road(depth, entered=0, learned=learned)
    lived = live("reflective", world._replace(episodes=400), m, size, without_genes())
    on = lived.learned[0, 0].reshape(5, 2)[:, 0]
    assert (on[:4] == 0.0).tolist() == [4 - z <= depth for z in range(4)]
    entries = lived.trail.visits[0, 0, 0].reshape(2, 5, 2)[:, 3, 0].sum()
    assert entries == 1  # own accident once, and never again


def test_nothing_is_stored_under_a_label():
    world, m, size = road(2, entered=4, trust=0.0)
    # Episodes begin on the labelled place, and its end pays.
    world = world._replace(reward=np.ones(20), episodes=50)
    free = live("reflective", world, m, size, without_genes())
    told = m._replace(told=np.ones(1, np.uint8))
    blind = live("reflective", world, told, size, without_genes())
    assert free.trail.moved[0, 0].sum() > 0.0
    assert blind.trail.moved[0, 0].sum() == 0.0
    assert np.array_equal(blind.learned[0, 0], blind.born[0, 0])


def test_an_option_is_kept_up_as_long_as_the_topic_is_shown():
    """All places of the road show the topic: a walk is all of one action, or ends at once."""
    world, m, _ = road(2, entered=0)
    topic = m.topic.copy()
    topic[:5] = 0
    m = m._replace(topic=topic)
    size = abstract_size(plan_size(5, 2, 1, 10, 0, False), 2, 1, world.steps)
    world = world._replace(episodes=200)
    lived = live("abstract", world, m, size, without_genes())
    done = lived.trail.visits[0, 0, 0].reshape(2, 5, 2).sum(axis=0)
    assert done[:, 0].tolist() == [done[0, 0]] * 5  # who goes on goes on to the end
    assert done[1:, 1].tolist() == [0] * 4
    # The option ended with 0, going on brings -2: less than half go on.
    assert 0 < done[0, 0] < 100
