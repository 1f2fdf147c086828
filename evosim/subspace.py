"""How far policies moved inside and outside what training could ever show them.

Reward and payoff weight updates along executed behaviour; they cannot point anywhere else. A
linear policy's loci split into the span of the cues that training can meet and its orthogonal
complement: learning leaves the complement untouched, and evolution moves it by drift alone, at
the pace of marker loci (catalogue entry S15).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosim.resolve import Resolved
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]


def reachable_percepts(world: TabularWorld, share: F64) -> NDArray[np.int64]:
    """Return the percepts that an episode of training can meet.

    Parameters
    ----------
    world : TabularWorld
    share : (C,) float64
        Training frequency of each variant.
    """
    met: set[int] = set()
    for v in np.flatnonzero(share > 0):
        here = np.diff(world.start_cdf[v], prepend=0.0) > 0
        for _ in range(world.steps):
            here &= world.terminal[v] == 0
            met.update(world.percept[v][here].tolist())
            chance = np.diff(world.outcome_cdf[v], axis=2, prepend=0.0) > 0
            there = np.zeros_like(here)
            there[world.outcome_state[v][here][chance[here]]] = True
            here = there
    return np.array(sorted(met), np.int64)


def training_basis(resolved: Resolved) -> F64 | None:
    """Return (F, k) orthonormal columns that span the cues of training, or None.

    None where policies are not linear in the cues, or the world steps by code.
    """
    world = resolved.world
    if world is None or not resolved.is_linear or resolved.world_tag.numba_type.kind != "tabular":
        return None
    share = world.variant_frequency(world.frequency)
    cues = world.percept_cue[reachable_percepts(world, share)].astype(np.float64)
    _, size, rows = np.linalg.svd(cues, full_matrices=False)
    rank = int((size > 1e-9 * max(float(size.max(initial=0.0)), 1e-300)).sum())
    return np.ascontiguousarray(rows[:rank].T)


def split_square(moved: F64, basis: F64) -> tuple[F64, F64]:
    """Return mean squared displacement per dimension inside and outside a subspace.

    Parameters
    ----------
    moved : (..., Q * F) float64
        Displacement of the policy's loci, outputs one after the other.
    basis : (F, k) float64

    Returns
    -------
    inside, outside : (...,) float64
        NaN where the subspace, or its complement, has no dimension.
    """
    features, rank = basis.shape
    parts = moved.reshape(*moved.shape[:-1], -1, features)
    along = parts @ basis
    across = parts - along @ basis.T
    outputs = parts.shape[-2]
    nothing = np.full(moved.shape[:-1], np.nan)
    inside = (along**2).sum(axis=(-2, -1)) / (outputs * rank) if rank else nothing
    left = features - rank
    outside = (across**2).sum(axis=(-2, -1)) / (outputs * left) if left else nothing
    return inside, outside
