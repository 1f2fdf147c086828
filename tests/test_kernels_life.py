"""Lives without learning, agent by agent and draw by draw, against the reference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import reference
from kernels_case import KEYS, genomes, mind, policy_loci, schedule, tables

from evosim.kernels.decode import LANES
from evosim.kernels.life import live
from evosim.kernels.tags import Tag

#: Two replicates of a full block and a part of one; one replicate has lost some agents.
AGENTS = LANES + 4
COUNT = np.array([AGENTS, LANES - 5])
CDF = np.array([0.6, 1.0])
SLOTS = 3


def run(
    world, tables_of_mind, kind, genes, *, lazy=False, blocks=None, offset=0, cdf=CDF, keys=None
):
    """Payoff, acts, and payoff and episodes per block and context."""
    replicates, agents = genes.shape[:2]
    per = -(-agents // LANES)
    payoff = np.full((replicates, agents), 99.0)
    acts = np.full((replicates, agents, SLOTS * world.actions), 99, np.uint16)
    context_payoff = np.full((replicates * per, 2), 99.0)
    context_episodes = np.full((replicates * per, 2), 99)
    live(
        *(blocks or (0, replicates * per)), Tag("world", "tabular"), world, Tag("mind", kind),
        tables_of_mind, schedule(cdf), KEYS[:2] if keys is None else keys, 6, offset, lazy, COUNT,
        genes, payoff, acts, context_payoff, context_episodes,
    )  # fmt: skip
    return payoff, acts, context_payoff, context_episodes


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def expect(world, tables_of_mind, kind, genes, offset=0, cdf=CDF):
    """The same four arrays, from the reference."""
    payoff, acts, context_payoff, context_episodes = (
        np.full((2, AGENTS), 99.0), np.full((2, AGENTS, SLOTS, world.actions), 99, np.uint16),
        np.zeros((2, 2, 2)), np.zeros((2, 2, 2), int),
    )  # fmt: skip
    m = tables_of_mind
    decode = {"linear": reference.linear, "mlp": reference.perceptron}[kind]
    for r, block in product(range(2), range(2)):
        ended = []
        for lane, i in enumerate(range(block * LANES, min((block + 1) * LANES, COUNT[r]))):
            logit = decode(genes[r, i, m.policy[0] : m.policy[1]], world.cues, world.outputs)
            temperature = m.temperature
            if m.temperature_locus >= 0:
                temperature = genes[r, i, m.temperature_locus]
            upto = reference.cumulative(logit, temperature, m.greedy, world.actions)
            policy = reference.fixed_policy(upto)
            done, episodes = reference.live(world, policy, cdf, KEYS[r], 6, i, offset)
            acts[r, i] = 0
            for slot, action in done:
                acts[r, i, slot, action] += 1
            payoff[r, i] = sum(earned for _, _, earned in episodes)
            ended += [(decision, lane, c, earned) for decision, c, earned in episodes]
        for _, _, c, earned in sorted(ended):
            context_payoff[r, block, c] += earned
            context_episodes[r, block, c] += 1
    return (
        payoff, acts.reshape(2, AGENTS, -1), context_payoff.reshape(4, 2),
        context_episodes.reshape(4, 2),
    )  # fmt: skip


CASES = [
    {"actions": 2, "outcomes": 1},
    {"actions": 2, "outcomes": 2, "once": True},
    {"actions": 3, "outcomes": 2},
    {"actions": 4, "outcomes": 3, "once": True, "episodes": 2, "steps": 9},
    {"actions": 2, "outcomes": 2, "steps": 1, "episodes": 7},
]


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("greedy", [False, True])
def test_lives_equal_the_reference_from_tables_and_decoded_lazily(case, greedy):
    rng = np.random.default_rng(case)
    world = tables(rng, slots=SLOTS, **CASES[case])
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = mind(loci, greedy=greedy, genes=case % 2 == 1)
    want = expect(world, m, "linear", genes)
    assert same(run(world, m, "linear", genes), want)
    assert same(run(world, m, "linear", genes, lazy=True), want)


BLOCKS = [(1, [0.0, 1.0]), (2, [0.3, 1.0]), (9, [1.0, 1.0])]


def test_lives_go_by_their_blocks_of_episodes():
    rng = np.random.default_rng(3)
    world = tables(rng, slots=SLOTS, **CASES[4])
    loci = policy_loci(len(world.cues), world.outputs)
    genes, m = genomes(rng, 2, AGENTS, loci), mind(loci)
    found = run(world, m, "linear", genes, cdf=BLOCKS)
    assert same(found, expect(world, m, "linear", genes, cdf=BLOCKS))
    # The first of seven episodes in the second context, the last four in the first.
    assert (found[3].sum(axis=0) >= COUNT.sum() * np.array([4, 1])).all()
    late = [(1, [0.0, 1.0]), (5, [0.3, 1.0]), (9, [1.0, 1.0])]
    assert not same(run(world, m, "linear", genes, cdf=late), found)


@pytest.mark.parametrize("case", [1, 2])
def test_lives_of_perceptrons_equal_the_reference(case):
    rng = np.random.default_rng(10 + case)
    world = tables(rng, slots=SLOTS, **CASES[case])
    loci = policy_loci(len(world.cues), world.outputs, hidden=3)
    genes = genomes(rng, 2, AGENTS, loci)
    m = mind(loci)
    assert same(run(world, m, "mlp", genes), expect(world, m, "mlp", genes))


@pytest.fixture
def example():
    rng = np.random.default_rng(20)
    world = tables(rng, slots=SLOTS, once=True)
    loci = policy_loci(len(world.cues), world.outputs)
    return world, mind(loci), genomes(rng, 2, AGENTS, loci)


def test_blocks_write_their_own_outputs_only(example):
    world, m, genes = example
    whole = run(world, m, "linear", genes)
    payoff, _, context_payoff, _ = run(world, m, "linear", genes, blocks=(1, 3))
    assert np.array_equal(context_payoff[1:3], whole[2][1:3])
    assert (context_payoff[[0, 3]] == 99).all()
    assert np.array_equal(payoff[0, LANES:], whole[0][0, LANES:])
    assert np.array_equal(payoff[1, : COUNT[1]], whole[0][1, : COUNT[1]])
    assert (payoff[0, :LANES] == 99).all()
    assert (payoff[1, COUNT[1] :] == 99).all()


def test_an_assays_offset_draws_from_other_counters(example):
    world, m, genes = example
    plain = run(world, m, "linear", genes)
    assay = run(world, m, "linear", genes, offset=64)
    assert same(assay, expect(world, m, "linear", genes, offset=64))
    assert not np.array_equal(plain[0], assay[0])


def test_nothing_tracked_and_one_context_change_no_life(example):
    world, m, genes = example
    plain = run(world, m, "linear", genes)
    untracked = world._replace(track=np.full_like(world.track, -1))
    payoff, acts, *_ = run(untracked, m, "linear", genes)
    assert np.array_equal(payoff, plain[0])
    assert (acts[0] == 0).all()
    first = np.array([1.0, 1.0])
    one = run(world, m, "linear", genes, cdf=first)
    assert same(one, expect(world, m, "linear", genes, cdf=first))
    assert (one[3][:, 1] == 0).all()


def test_one_more_episode_changes_only_later_draws(example):
    world, m, genes = example
    shorter = [reference.live(world, _always(0), CDF, KEYS[0], 6, i)[1] for i in range(5)]
    longer = [
        reference.live(world._replace(episodes=4), _always(0), CDF, KEYS[0], 6, i)[1]
        for i in range(5)
    ]
    assert [x[:3] for x in longer] == shorter
    # The kernel agrees: what the first episodes bring is what a shorter life brings.
    counted = [run(world._replace(episodes=n), m, "linear", genes)[1] for n in (1, 2, 3)]
    assert (counted[0][0] <= counted[1][0]).all()
    assert (counted[1][0] <= counted[2][0]).all()


def _always(action):
    return lambda _z, _word: action
