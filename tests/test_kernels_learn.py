"""Lives with learning against the reference: REINFORCE by finite differences, and Cross."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from kernels_case import KEYS, genomes, learner, policy_loci, schedule, tables

from evosim.kernels import learn
from evosim.kernels.mind import GREEDY
from evosim.kernels.reinforce import cross_size, reinforce_size
from evosim.kernels.tags import Tag
from evosim.minds.trail import no_trail

AGENTS, COUNT = 5, np.array([5, 3])
CDF = np.array([0.6, 1.0])
SLOTS = 3
RULES = {"return": 0, "centred": 1, "normalised": 2}


def run(kind, world, m, genes, *, flat=(0, 2 * AGENTS), episodes=None, cdf=CDF):
    """Payoff, acts, context payoff and episodes, learned state at birth and at death."""
    world = world if episodes is None else world._replace(episodes=episodes)
    values = loci = int(m.policy[1] - m.policy[0])
    percepts = world.cues.shape[1]
    size = reinforce_size(loci, percepts, world.actions, m.hidden, world.steps)
    if kind == "cross":
        values = percepts * world.actions
        size = cross_size(loci, percepts, world.actions, m.hidden)
    out = (
        np.full((2, AGENTS), 99.0), np.full((2, AGENTS, SLOTS * world.actions), 99, np.uint16),
        np.full((2 * AGENTS, 2), 99.0), np.full((2 * AGENTS, 2), 99),
        np.full((2, AGENTS, values), 99.0), np.full((2, AGENTS, values), 99.0),
    )  # fmt: skip
    learn.live_and_learn(
        *flat, Tag("world", "tabular"), world, Tag("mind", kind), m, size, schedule(cdf),
        world.start_cdf, 0, np.zeros(0, np.int64), KEYS[:2], 6, 0, COUNT, genes, *out, no_trail(2),
    )  # fmt: skip
    return out


def compare(kind, world, m, genes, learn_alone, tolerance, cdf=CDF):
    """Run every agent against `learn_alone(r, i)`; return the learners by (r, i)."""
    payoff, acts, context_payoff, context_episodes, _, _ = run(kind, world, m, genes, cdf=cdf)
    acts = acts.reshape(2, AGENTS, SLOTS, world.actions)
    learners = {}
    for r, i in np.ndindex(2, AGENTS):
        if i >= COUNT[r]:
            assert payoff[r, i] == 99
            assert context_episodes[r * AGENTS + i].tolist() == [0, 0]
            continue
        learners[r, i] = who = learn_alone(r, i)
        done, episodes = reference.live(world, who.act, cdf, KEYS[r], 6, i, learner=who)
        want = np.zeros((SLOTS, world.actions), int)
        for slot, action in done:
            want[slot, action] += 1
        assert np.array_equal(acts[r, i], want)
        assert payoff[r, i] == pytest.approx(sum(e for _, _, e in episodes), abs=tolerance)
        for c in range(2):
            brought = [e for _, context, e in episodes if context == c]
            assert context_episodes[r * AGENTS + i, c] == len(brought)
            assert context_payoff[r * AGENTS + i, c] == pytest.approx(sum(brought), abs=tolerance)
    return learners


REINFORCE_CASES = [
    (2, 0, "return", False, 0.0, 0.0),
    (2, 0, "return", False, 0.7, 0.0),
    (2, 0, "centred", True, 0.0, 0.0),
    (3, 0, "normalised", False, 0.0, 0.4),
    (2, 2, "centred", False, 0.0, 0.3),
    (3, 3, "return", True, -0.6, 0.3),
]


@pytest.mark.parametrize(
    ("actions", "hidden", "advantage", "genes_rule", "baseline", "entropy"), REINFORCE_CASES
)
def test_reinforce_equals_finite_differences(
    actions, hidden, advantage, genes_rule, baseline, entropy
):
    rng = np.random.default_rng(actions * 10 + hidden)
    world = tables(rng, actions=actions, slots=SLOTS, episodes=5, once=hidden == 2)
    loci = policy_loci(len(world.cues), world.outputs, hidden)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(
        loci, hidden=hidden, temperature=0.8, learning_rate=0.3, advantage=RULES[advantage],
        genes=genes_rule, baseline=baseline, entropy=entropy,
    )  # fmt: skip

    def alone(r, i):
        own = [float(x) for x in genes[r, i, -2:]] if genes_rule else [0.8, 0.3]
        return reference.Reinforce(
            genes[r, i, 1 : 1 + loci], hidden, world.cues, world.outputs, own[0], own[1],
            RULES[advantage], baseline, entropy,
        )  # fmt: skip

    learners = compare("reinforce", world, m, genes, alone, 1e-12)
    *_, born, learned = run("reinforce", world, m, genes)
    for (r, i), who in learners.items():
        assert np.array_equal(born[r, i], genes[r, i, 1 : 1 + loci].astype(float))
        assert np.allclose(learned[r, i], who.weights, rtol=0, atol=1e-8)
    assert np.abs(learned[0] - born[0]).max() > 0.01  # something was learned


BLOCKS = [(1, [0.0, 1.0]), (2, [0.3, 1.0]), (9, [1.0, 1.0])]


@pytest.mark.parametrize(("actions", "cdf"), [(2, CDF), (3, CDF), (2, BLOCKS)])
def test_cross_equals_the_reference_bit_for_bit(actions, cdf):
    rng = np.random.default_rng(30 + actions)
    world = tables(rng, actions=actions, slots=SLOTS, episodes=4)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(loci, temperature=0.8, learning_rate=0.4)
    start = {
        (r, i): [
            reference.chances(genes[r, i, 1 : 1 + loci], 0, cue, world.outputs, 0.8)
            for cue in world.cues.T
        ]
        for r, i in np.ndindex(2, AGENTS)
    }
    learners = compare(
        "cross", world, m, genes, lambda r, i: reference.Cross(start[r, i], 0.4), 1e-12, cdf
    )
    *_, born, learned = run("cross", world, m, genes, cdf=cdf)
    for (r, i), who in learners.items():
        assert born[r, i].tolist() == pytest.approx(np.ravel(start[r, i]), abs=1e-15)
        assert learned[r, i].tolist() == pytest.approx(np.ravel(who.tables), abs=1e-14)
        assert np.abs(learned[r, i].reshape(-1, actions).sum(axis=1) - 1).max() < 1e-13


@pytest.mark.parametrize("rate", [-3.0, 5.0])
def test_cross_keeps_probabilities_between_0_and_1_whatever_the_rate(rate):
    rng = np.random.default_rng(33)
    world = tables(rng, slots=SLOTS, episodes=6)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    genes[..., -1] = rate
    *_, born, learned = run("cross", world, learner(loci, genes=True), genes)
    alive = np.arange(AGENTS)[None] < COUNT[:, None]
    assert (learned[alive] >= 0).all()
    assert (learned[alive] <= 1).all()
    assert np.array_equal(learned[alive], born[alive]) == (rate < 0)


@pytest.mark.parametrize("kind", ["reinforce", "cross"])
def test_without_a_rate_nothing_is_learned_but_lives_go_on(kind):
    rng = np.random.default_rng(34)
    world = tables(rng, slots=SLOTS)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    payoff, *_, born, learned = run(kind, world, learner(loci), genes)
    assert np.array_equal(born, learned)
    assert (payoff[0] != 99).all()


def test_greedy_learners_take_the_largest_logit():
    rng = np.random.default_rng(35)
    for actions in (2, 3):
        world = tables(rng, actions=actions, slots=SLOTS)
        loci = policy_loci(len(world.cues), world.outputs)
        genes = genomes(rng, 2, AGENTS, loci)
        *_, born, _ = run("cross", world, learner(loci, choice=GREEDY), genes)
        for z, cue in enumerate(world.cues.T):
            want = reference.chances(genes[0, 1, 1 : 1 + loci], 0, cue, world.outputs, 1, True)
            assert born[0, 1, z * actions : (z + 1) * actions].tolist() == want


def test_ranges_of_agents_write_their_own_outputs_only():
    rng = np.random.default_rng(36)
    world = tables(rng, slots=SLOTS)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(loci, learning_rate=0.2)
    whole = run("reinforce", world, m, genes)
    part = run("reinforce", world, m, genes, flat=(2, 7))
    for a, b in zip(whole, part, strict=True):
        a, b = (x if x.shape[0] == 2 * AGENTS else x.reshape(10, -1) for x in (a, b))
        assert np.array_equal(a[2:7], b[2:7])
        assert (b[:2] == 99).all()
        assert (b[7:] == 99).all()


def test_one_more_episode_changes_only_what_is_learned_later():
    rng = np.random.default_rng(37)
    world = tables(rng, slots=SLOTS)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(loci, learning_rate=0.2)
    acts = [run("reinforce", world, m, genes, episodes=n)[1] for n in (2, 3)]
    assert (acts[0][0] <= acts[1][0]).all()
    assert (acts[0][0] < acts[1][0]).any()


def test_what_learners_are_born_with_is_what_their_lives_report():
    rng = np.random.default_rng(38)
    world = tables(rng, slots=SLOTS)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(loci, learning_rate=0.2)
    *_, born, _ = run("cross", world, m, genes)
    alive = np.arange(AGENTS)[None] < COUNT[:, None]
    *_, alone, _ = run("cross", world._replace(episodes=0), m, genes)
    assert np.array_equal(alone[alive], born[alive])
    want = reference.chances(genes[0, 1, 1 : 1 + loci], 0, world.cues[:, 0], world.outputs, 0.7)
    assert alone[0, 1, : world.actions].tolist() == pytest.approx(want, abs=1e-15)
