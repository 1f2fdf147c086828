"""Sums of the Price equation over fixed blocks of agents, and the terms made of them.

Values are cast to float64 once, minus a reference close to the mean, and the same numbers enter
every sum; the covariance term is summed over parents with their offspring numbers, the
transmission term over parent-child pairs, so that the identity is a check of both.
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel

#: Agents per block; fixed, so that the sums do not depend on the number of threads.
BLOCK = 1024
#: Where all terms are below this share of the values' spread they count as this share: discrete
#: values make them cancel exactly now and then, and what remains is rounding (some 50 ulp).
CANCELLED = 1e-4


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
        end = min(base + BLOCK, count[r])
        fours = base + max(end - base, 0) // 4 * 4
        # Four agents share the loads and stores of the sums: twice as fast.
        for i in range(base, fours, 4):
            w0, w1 = np.float64(gametes[r, i]), np.float64(gametes[r, i + 1])
            w2, w3 = np.float64(gametes[r, i + 2]), np.float64(gametes[r, i + 3])
            for q in range(quantities):
                d0 = np.float64(values[r, i, q]) - reference[r, q]
                d1 = np.float64(values[r, i + 1, q]) - reference[r, q]
                d2 = np.float64(values[r, i + 2, q]) - reference[r, q]
                d3 = np.float64(values[r, i + 3, q]) - reference[r, q]
                sums[block, 0, q] += (d0 + d1) + (d2 + d3)
                sums[block, 1, q] += (w0 * d0 + w1 * d1) + (w2 * d2 + w3 * d3)
                sums[block, 2, q] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        for i in range(fours, end):
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
        end = min(base + BLOCK, born[r])
        fours = base if two else base + max(end - base, 0) // 4 * 4
        for j in range(base, fours, 4):
            p0, p1, p2, p3 = parent[r, j], parent[r, j + 1], parent[r, j + 2], parent[r, j + 3]
            for q in range(quantities):
                c0, c1 = np.float64(newborn[r, j, q]), np.float64(newborn[r, j + 1, q])
                c2, c3 = np.float64(newborn[r, j + 2, q]), np.float64(newborn[r, j + 3, q])
                d0, d1 = c0 - np.float64(values[r, p0, q]), c1 - np.float64(values[r, p1, q])
                d2, d3 = c2 - np.float64(values[r, p2, q]), c3 - np.float64(values[r, p3, q])
                at = reference[r, q]
                sums[block, 0, q] += (d0 + d1) + (d2 + d3)
                sums[block, 1, q] += ((c0 - at) + (c1 - at)) + ((c2 - at) + (c3 - at))
        for j in range(fours, end):
            p = parent[r, j]
            m = mate[r, j] if two else p
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
        end = min(base + BLOCK, count[r])
        fours = base + max(end - base, 0) // 4 * 4
        for i in range(base, fours, 4):
            w0, w1 = np.float64(gametes[r, i]), np.float64(gametes[r, i + 1])
            w2, w3 = np.float64(gametes[r, i + 2]), np.float64(gametes[r, i + 3])
            for k in range(kinds):
                n0, n1 = np.float64(acts[r, i, k]), np.float64(acts[r, i + 1, k])
                n2, n3 = np.float64(acts[r, i + 2, k]), np.float64(acts[r, i + 3, k])
                sums[block, 0, k] += (n0 + n1) + (n2 + n3)
                sums[block, 1, k] += (w0 * n0 + w1 * n1) + (w2 * n2 + w3 * n3)
        for i in range(fours, end):
            w = np.float64(gametes[r, i])
            for k in range(kinds):
                n = np.float64(acts[r, i, k])
                sums[block, 0, k] += n
                sums[block, 1, k] += w * n


@inline
def gametes_given(count, gametes, r):
    """Return the gametes that the agents alive gave, at least 1."""
    total = 0
    for i in range(count[r]):
        total += gametes[r, i]
    return max(total, 1)


@kernel
def price_terms_of(first, last, count, born, gametes, reference, parents, children, terms):
    """Put the Price terms of the replicates first..last-1 together from their blocks' sums.

    A kernel because NumPy needs 40 us for it, whatever the size.

    Parameters
    ----------
    count, born : (R,) int64
    gametes : (R, N) int32
    reference : (R, Q) float64
    parents : (R, blocks, 3, Q) float64
        Of `parent_sums`.
    children : (R, blocks, 2, Q) float64
        Of `child_sums`.
    terms : (6, R, Q) float64
        Overwritten: mean before, spread, selection, transmission, mean after, and how far the
        identity is off: |residual| / max(|terms|, CANCELLED * spread of the values, 1e-12).
        Terms are zero where a replicate left no offspring.
    """
    for r in range(first, last):
        n = np.float64(max(count[r], 1))
        offspring = np.float64(max(born[r], 1))
        total = np.float64(gametes_given(count, gametes, r))
        alive = born[r] > 0 and count[r] > 0
        for q in range(reference.shape[1]):
            d, weighted, squares, passed, child = 0.0, 0.0, 0.0, 0.0, 0.0
            for block in range(parents.shape[1]):
                d += parents[r, block, 0, q]
                weighted += parents[r, block, 1, q]
                squares += parents[r, block, 2, q]
                passed += children[r, block, 0, q]
                child += children[r, block, 1, q]
            mean = d / n
            selection = weighted / total - mean if alive else 0.0
            transmission = passed / offspring if alive else 0.0
            change = child / offspring - mean if alive else 0.0
            largest = max(abs(selection), abs(transmission), abs(change))
            # The values' spread about the reference is what the sums were rounded at.
            floor = max(CANCELLED * math.sqrt(squares / n), 1e-12)
            terms[0, r, q] = reference[r, q] + mean
            terms[1, r, q] = math.sqrt(max(squares / n - mean * mean, 0.0))
            terms[2, r, q] = selection
            terms[3, r, q] = transmission
            terms[4, r, q] = reference[r, q] + mean + change
            terms[5, r, q] = abs(change - selection - transmission) / max(largest, floor)


@kernel
def act_terms(first, last, count, gametes, actions, sums, share, now, selection):
    """Put the selection on acts of the replicates first..last-1 together.

    Parameters
    ----------
    actions : int
        Acts at one tracked percept.
    sums : (R, blocks, 2, K) float64
        Of `act_sums`.
    share, now : (R, K) float64
        Overwritten: the population's share of each action at its percept; selection on it.
    selection : (R, K) float64
        `now` is added.
    """
    blocks, kinds = sums.shape[1], sums.shape[3]
    for r in range(first, last):
        total = np.float64(gametes_given(count, gametes, r))
        for slot in range(0, kinds, actions):
            met, weight = 0.0, 0.0
            for k in range(slot, slot + actions):
                done, weighted = 0.0, 0.0
                for block in range(blocks):
                    done += sums[r, block, 0, k]
                    weighted += sums[r, block, 1, k]
                share[r, k], now[r, k] = done, weighted
                met += done
                weight += weighted
            for k in range(slot, slot + actions):
                share[r, k] /= max(met, 1.0)
                now[r, k] = (now[r, k] - weight * share[r, k]) / total
                selection[r, k] += now[r, k]
