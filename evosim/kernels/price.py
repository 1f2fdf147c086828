"""Sums of the Price equation over fixed blocks of agents.

Values are cast to float64 once, minus a reference close to the mean, and the same numbers enter
every sum; the covariance term is summed over parents with their offspring numbers, the
transmission term over parent-child pairs, so that the identity is a check of both.
"""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import kernel

#: Agents per block; fixed, so that the sums do not depend on the number of threads.
BLOCK = 1024


@kernel
def parent_sums(first, last, count, gametes, values, reference, sums):
    """Sum over the agents of blocks first..last-1.

    Parameters
    ----------
    count : (R,) int64
    gametes : (R, N) int32
        Offspring, in gametes.
    values : (R, N, Q) float32 or float64
    reference : (R, Q) float64
    sums : (R * blocks, 3, Q) float64
        Overwritten: sum of d, of gametes * d, of d^2, with d = value - reference.
    """
    agents, quantities = values.shape[1], values.shape[2]
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * BLOCK
        sums[block, :, :] = 0.0
        for i in range(base, min(base + BLOCK, count[r])):
            w = np.float64(gametes[r, i])
            for q in range(quantities):
                d = np.float64(values[r, i, q]) - reference[r, q]
                sums[block, 0, q] += d
                sums[block, 1, q] += w * d
                sums[block, 2, q] += d * d


@kernel
def child_sums(first, last, born, parent, mate, values, newborn, reference, sums):
    """Sum over the offspring of blocks first..last-1.

    Parameters
    ----------
    parent, mate : (R, N) int32
        `mate` has last axis 0 with one parent; with two, each counts half.
    values, newborn : (R, N, Q) float32 or float64
        Of the parents' generation and of the newborns.
    sums : (R * blocks, 2, Q) float64
        Overwritten: sum of (child - parents' mean), sum of child - reference.
    """
    agents, quantities = values.shape[1], values.shape[2]
    per = (agents + BLOCK - 1) // BLOCK
    two = mate.shape[1] > 0
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * BLOCK
        sums[block, :, :] = 0.0
        for j in range(base, min(base + BLOCK, born[r])):
            p = parent[r, j]
            if not two:
                for q in range(quantities):
                    child = np.float64(newborn[r, j, q])
                    sums[block, 0, q] += child - np.float64(values[r, p, q])
                    sums[block, 1, q] += child - reference[r, q]
                continue
            m = mate[r, j]
            for q in range(quantities):
                child = np.float64(newborn[r, j, q])
                one = np.float64(values[r, p, q])
                other = np.float64(values[r, m, q])
                sums[block, 0, q] += 0.5 * (child - one) + 0.5 * (child - other)
                sums[block, 1, q] += child - reference[r, q]


@kernel
def act_sums(first, last, count, gametes, acts, sums):
    """Sum how often each tracked act was done, plain and weighted by offspring.

    Parameters
    ----------
    acts : (R, N, K) uint16 or uint32
    sums : (R * blocks, 2, K) float64
        Overwritten (counts are integers below 2^53: the sums are exact in any order).
    """
    agents, kinds = acts.shape[1], acts.shape[2]
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * BLOCK
        sums[block, :, :] = 0.0
        for i in range(base, min(base + BLOCK, count[r])):
            w = np.float64(gametes[r, i])
            for k in range(kinds):
                n = np.float64(acts[r, i, k])
                sums[block, 0, k] += n
                sums[block, 1, k] += w * n
