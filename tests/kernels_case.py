"""Random small inputs for the tests of kernels, with the types that the engine passes."""

from __future__ import annotations

import numpy as np

from evosim.kernels.life import NONE, MindTables, Schedule, WorldTables
from evosim.kernels.mind import DISCOUNT, NUMBERS, PLAN_WEIGHT, RATE, SOFTMAX, TEMPERATURE, Learner
from evosim.kernels.philox import replicate_keys

#: Keys that fill both halves of Philox's key.
KEYS = replicate_keys(20260101, np.arange(4))


def cumulated(rng, *shape):
    """Random cumulative probabilities over the last axis, ending in exactly 1."""
    cdf = np.cumsum(rng.dirichlet(np.ones(shape[-1]), shape[:-1]), axis=-1)
    cdf[..., -1] = 1.0
    return cdf


def tables(rng, *, actions=2, outcomes=2, once=False, steps=5, episodes=3, percepts=4, slots=3):
    """A random tabular world of two contexts; rewards lie between 0 and 1."""
    contexts, states, features = 2, 5, 6
    shape = (contexts, states, actions, outcomes)
    following = rng.integers(states, size=shape) + np.arange(contexts)[:, None, None, None] * states
    following = np.where(rng.random(shape) < 0.2, -1 - following, following)
    flags = 3 if once else 0
    return WorldTables(
        following=following.ravel().astype(np.int32),
        cdf=cumulated(rng, *shape).ravel(),
        payoff=rng.normal(size=shape).ravel(),
        reward=rng.random(shape).ravel(),
        once=rng.integers(-1, flags, following.size if flags else 0).astype(np.int32),
        percept=rng.integers(percepts, size=contexts * states).astype(np.int32),
        cues=np.where(
            rng.random((features, percepts)) < 0.3, 0, rng.normal(size=(features, percepts))
        ).astype(np.float32),
        start=np.array([2, -1], np.int32),
        start_cdf=cumulated(rng, contexts, states),
        track=rng.integers(-1, slots, contexts * states).astype(np.int32),
        outcomes=outcomes,
        actions=actions,
        outputs=1 if actions == 2 else actions,
        steps=steps,
        episodes=episodes,
        flags=flags,
        step_payoff=-0.125,
        step_reward=0.0625,
        parameters=np.zeros((contexts, 0)),
    )


def schedule(context_cdf):
    """What the kernels read of one row of cumulative frequencies, or [(episodes, row), ...]."""
    if isinstance(context_cdf[0], tuple):
        episodes, rows = zip(*context_cdf, strict=True)
        return Schedule(np.array(rows), np.cumsum(episodes))
    return Schedule(np.array([context_cdf]), np.array([10**9]))


def mind(loci, *, temperature=0.7, greedy=False, genes=False):
    """A mind with `loci` policy loci from locus 1 on; with `genes`, temperature follows."""
    return MindTables(
        parameters=np.zeros(0),
        policy=np.array([1, 1 + loci]),
        temperature=temperature,
        temperature_locus=1 + loci if genes else -1,
        greedy=greedy,
        rule=NONE,
    )


def learner(loci=0, *, genes=False, hidden=0, choice=SOFTMAX, rule=0, advantage=0, **given):
    """A learner with `loci` policy loci from locus 1 on, and its numbers (learning_rate=...).

    With `genes`, temperature and learning rate are the loci after the policy's. Further fields
    of `Learner` may be given as well.
    """
    numbers = np.zeros(len(NUMBERS))
    numbers[TEMPERATURE], numbers[DISCOUNT], numbers[PLAN_WEIGHT] = 0.7, 1.0, 1.0
    where = np.full(len(NUMBERS), -1)
    if genes:
        where[TEMPERATURE], where[RATE] = 1 + loci, 2 + loci
    fields = {k: v for k, v in given.items() if k not in NUMBERS}
    for name in given.keys() - fields.keys():
        numbers[NUMBERS.index(name)] = given[name]
    blank = np.zeros((0, 0, 0))
    made = Learner(
        parameters=np.zeros(0), numbers=numbers, loci=where,
        policy=np.array([1, 1 + loci]), utility=np.zeros(2, np.int64),
        misjudgement=np.zeros(2, np.int64), hidden=hidden,
        choice=choice, rule=rule, advantage=advantage, episodic=False, averaging=False,
        learns_model=False, learns_leaf=False, branch=blank.astype(np.int32), chance=blank,
        gain=blank, feature=np.zeros((0, 0)), topic=np.zeros(0, np.int32), topics=0,
        told=np.zeros(0, np.uint8), table=blank,
    )  # fmt: skip
    return made._replace(**fields)


def genomes(rng, replicates, agents, loci):
    """Random (R, N, loci + 3) genes: one before the policy, positive ones after it."""
    genes = rng.normal(size=(replicates, agents, loci + 3)).astype(np.float32)
    genes[..., -2:] = 0.2 + rng.random((replicates, agents, 2))
    return genes


def policy_loci(features, outputs, hidden=0):
    """Number of policy loci of a linear mind, or of a perceptron with `hidden` units."""
    return hidden * (features + 1) + outputs * (hidden + 1) if hidden else features * outputs
