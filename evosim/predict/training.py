"""What training is like: percepts met, how often, and what is done and worth doing there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.assays import learned_probabilities, probabilities
from evosim.engine import Engine
from evosim.kernels.crew import run_blocks
from evosim.kernels.visits import BLOCK, visits
from evosim.lives import Lives
from evosim.predict.worth import Dynamics, action_values, dynamics, reachable
from evosim.resolve import Resolved
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Action probabilities that are held at once (64 MB).
_CHUNK_VALUES = 8_000_000
#: Probabilities below this (actions never done) count as this where their logarithm is asked.
_LEAST = 1e-12


@dataclass(frozen=True)
class Places:
    """The (variant, percept) pairs of the training contexts.

    Attributes
    ----------
    variant, percept : (M,) int64
        Of each pair; pairs of one variant stand together.
    met : (Z,) int64
        The percepts of training, ascending.
    column : (M,) int64
        Index into `met` of each pair's percept.
    share : (V,) float64
        Training frequency of each variant; sums to 1.
    """

    variant: I64
    percept: I64
    met: I64
    column: I64
    share: F64


@dataclass(frozen=True)
class Training:
    """A population in its training contexts, exactly.

    Attributes
    ----------
    weight : (R, M) float64
        Share of all decisions of training that are taken at each pair; sums to 1.
    action : (R, M, A) float64
        Mean action probabilities there (over visits); 0 where nobody comes.
    worth : (R, M, A) float64
        Mean optimal action value there (over visits, with the steps left at each); likewise.
    """

    weight: F64
    action: F64
    worth: F64

    def by_percept(self, places: Places) -> Training:
        """Return the same, pairs of equal percept averaged: (R, Z) and (R, Z, A)."""
        weight, action, worth = (
            np.zeros((self.weight.shape[0], places.met.size, *values.shape[2:]))
            for values in (self.weight, self.action, self.worth)
        )
        for m, z in enumerate(places.column):
            w = self.weight[:, m, None]
            weight[:, z] += self.weight[:, m]
            action[:, z] += w * self.action[:, m]
            worth[:, z] += w * self.worth[:, m]
        size = np.where(weight > 0, weight, 1.0)[..., None]
        return Training(weight, action / size, worth / size)


def places_of(world: TabularWorld, share: F64) -> Places:
    """List what agents can meet in the contexts with a training frequency above 0.

    Parameters
    ----------
    world : TabularWorld
    share : (V,) float64
        Frequency of each variant in training.
    """
    variant, percept = [], []
    for v in np.flatnonzero(share > 0):
        met = np.unique(world.percept[v][reachable(dynamics(world, int(v)), world.steps)])
        variant.append(np.full(met.size, v))
        percept.append(met)
    of = np.concatenate(percept).astype(np.int64)
    met, column = np.unique(of, return_inverse=True)
    return Places(np.concatenate(variant), of, met, column.astype(np.int64), share)


def observe_training(engine: Engine, lives: Lives, when: str, places: Places) -> Training:
    """Follow every agent's policy through an episode of every training context.

    Parameters
    ----------
    engine : Engine
        At stage 5.
    lives : Lives
    when : {"birth", "death"}
        The policy that agents are born with, or have learned at death.
    places : Places

    Returns
    -------
    Training
        All 0 for a replicate that has died out.
    """
    resolved = engine.resolved
    world, tables = resolved.world, resolved.tables
    assert world is not None
    assert tables is not None
    replicates, pairs = lives.genes.shape[0], places.percept.size
    met = np.zeros((replicates, pairs))
    acts = np.zeros((replicates, pairs, tables.actions))
    worths = np.zeros((replicates, pairs, tables.actions))
    parts = [(v, dynamics(world, v)) for v in np.unique(places.variant).tolist()]
    values = {v: action_values(part, world.steps) for v, part in parts}
    chunk = max(1, _CHUNK_VALUES // (BLOCK * tables.actions * places.met.size)) * BLOCK
    for r in range(replicates):
        for low in range(0, int(lives.count[r]), chunk):
            high = min(low + chunk, int(lives.count[r]))
            prob = policies(resolved, lives, when, r, slice(low, high), places.met)
            for v, part in parts:
                mine = places.variant == v
                sums = _follow(engine, part, values[v], v, prob, places)
                for out, found in zip((met, acts, worths), sums, strict=True):
                    out[r, mine] += places.share[v] * found[places.column[mine]]
    total = met.sum(axis=1, keepdims=True)
    size = np.where(met > 0, met, 1.0)[..., None]
    return Training(met / np.where(total > 0, total, 1.0), acts / size, worths / size)


def policies(
    resolved: Resolved, lives: Lives, when: str, r: int, agents: slice, percepts: I64
) -> F64:
    """Return (n, A, P) action probabilities of some agents of replicate `r` at `percepts`."""
    mind = resolved.mind
    assert mind is not None
    if when == "birth" or not resolved.learns:
        return np.asarray(probabilities(resolved, lives.genes[r : r + 1, agents], percepts)[0])
    temperature = np.full(lives.count[r], mind.temperature)[agents]
    if mind.temperature_locus >= 0:
        temperature = lives.genes[r, agents, mind.temperature_locus].astype(np.float64)
    return learned_probabilities(resolved, lives.learned[r, agents], temperature, percepts)


def mean_policy(resolved: Resolved, lives: Lives, when: str, percepts: I64) -> F64:
    """Return (R, P, A) action probabilities averaged over agents; NaN without agents."""
    return _mean(resolved, lives, when, percepts, lambda prob: prob)


def log_policy(resolved: Resolved, lives: Lives, when: str, percepts: I64) -> F64:
    """Return (R, P, A) log probabilities, less their mean over actions, averaged over agents.

    For softmax minds these are the logits over the temperature. NaN without agents.
    """

    def logits(prob: F64) -> F64:
        logs = np.log(np.maximum(prob, _LEAST))
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))

    return _mean(resolved, lives, when, percepts, logits)


def _mean(
    resolved: Resolved, lives: Lives, when: str, percepts: I64, what: Callable[[F64], F64]
) -> F64:
    """Return (R, P, A) the mean over agents of something of their (n, A, P) probabilities."""
    assert resolved.tables is not None
    actions = resolved.tables.actions
    out = np.full((lives.count.size, percepts.size, actions), np.nan)
    chunk = max(1, _CHUNK_VALUES // (actions * percepts.size))
    for r, count in enumerate(lives.count.tolist()):
        if count == 0:
            continue
        total = np.zeros((actions, percepts.size))
        for low in range(0, count, chunk):
            agents = slice(low, min(low + chunk, count))
            total += what(policies(resolved, lives, when, r, agents, percepts)).sum(axis=0)
        out[r] = total.T / count
    return out


def _follow(
    engine: Engine, part: Dynamics, worth: F64, variant: int, prob: F64, places: Places
) -> tuple[F64, F64, F64]:
    """Return visits (Z,), acts (Z, A) and worths (Z, A) of an episode, summed over agents."""
    world = engine.resolved.world
    assert world is not None
    agents, actions, percepts = prob.shape
    blocks = -(-agents // BLOCK)
    met = np.empty((blocks, percepts))
    acts = np.empty((blocks, percepts, actions))
    worths = np.empty((blocks, percepts, actions))
    # Percepts that no episode meets have no column; their states are never looked up.
    row = np.minimum(np.searchsorted(places.met, world.percept[variant]), percepts - 1)
    run_blocks(
        visits, blocks, engine.threads, world.steps, part.start, row, part.following, part.chance,
        worth, np.ascontiguousarray(prob), met, acts, worths,
    )  # fmt: skip
    return met.sum(axis=0), acts.sum(axis=0), worths.sum(axis=0)
