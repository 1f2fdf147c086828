"""Who is near a place: parents and models drawn from neighbourhoods.

A newborn takes the place with its own number. Each place has a neighbourhood, and each
neighbourhood others that strangers come from. In a well-mixed population nothing here is called.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.philox import TWO32, below, double, philox

#: Offspring per block.
BLOCK = 1024
#: Draw of the neighbourhood of a tournament, after those of its candidates.
WHERE = 1 << 20


class Near(NamedTuple):
    """Neighbourhoods of places.

    Attributes
    ----------
    group : (N,) int64
        Neighbourhood of each place; length 0 where everybody is near.
    start : (G + 1,) int64
        Where the members of each neighbourhood begin in `member`. The last neighbourhood holds
        all places.
    member : (M,) int64
    away_start : (G + 1,) int64
        The same for the neighbourhoods that strangers come from.
    away : (A,) int64
    """

    group: np.ndarray
    start: np.ndarray
    member: np.ndarray
    away_start: np.ndarray
    away: np.ndarray


#: Everybody is near everybody.
ANYWHERE = Near(*(np.zeros(0, np.int64) for _ in range(5)))


@inline
def group_at(near, place, elsewhere, w2, w3):
    """Return the neighbourhood that is drawn from at a place, by two 32-bit words."""
    g = near.group[place]
    if np.float64(w2) * TWO32 < elsewhere:
        first = near.away_start[g]
        n = near.away_start[g + 1] - first
        if n > 0:
            g = near.away[first + below(w3, n)]
    return g


@inline
def anyone_at(near, place, elsewhere, w0, w2, w3):
    """Return a random member of the neighbourhood that is drawn from."""
    g = group_at(near, place, elsewhere, w2, w3)
    first = near.start[g]
    return near.member[first + below(w0, near.start[g + 1] - first)]


@inline
def weighted_at(near, place, elsewhere, cdf, w0, w1, w2, w3):
    """Return a member drawn by its weight; of all places where nobody drawn from has any.

    Parameters
    ----------
    cdf : (M,) float64
        Weights cumulated within each neighbourhood.
    """
    g = group_at(near, place, elsewhere, w2, w3)
    if not cdf[near.start[g + 1] - 1] > 0.0:
        g = near.start.size - 2
    low, high = near.start[g], near.start[g + 1] - 1
    total = cdf[high]
    u = double(w0, w1) * total
    # The first with more than u; where rounding makes u the total, the first that reaches it.
    while low < high:
        middle = (low + high) >> 1
        if cdf[middle] > u or cdf[middle] >= total:
            high = middle
        else:
            low = middle + 1
    return near.member[low]


@kernel
def cumulate(first, last, near, best, weights, cdf):
    """Cumulate weights within each neighbourhood, for the replicates first..last-1.

    Parameters
    ----------
    best : bool
        Whether only the member with the largest weight counts (the first of equals).
    weights : (R, N) float64
    cdf : (R, M) float64
        Overwritten.
    """
    for r in range(first, last):
        for g in range(near.start.size - 1):
            begin, end = near.start[g], near.start[g + 1]
            if best:
                top = begin
                for m in range(begin, end):
                    if weights[r, near.member[m]] > weights[r, near.member[top]]:
                        top = m
                for m in range(begin, end):
                    cdf[r, m] = 1.0 if m >= top else 0.0
                continue
            total = 0.0
            for m in range(begin, end):
                total += weights[r, near.member[m]]
                cdf[r, m] = total


@kernel
def parents_near(first, last, near, elsewhere, purpose, keys, generation, born, cdf, parent):
    """Draw each newborn's parent among those near its place, in proportion to fitness.

    Parameters
    ----------
    elsewhere : float
        Chance that the parent is a stranger.
    cdf : (R, M) float64
        Fitness cumulated within each neighbourhood.
    parent : (R, N) int32
        Overwritten.
    """
    agents = parent.shape[1]
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * BLOCK
        for j in range(base, min(base + BLOCK, born[r])):
            w0, w1, w2, w3 = philox(keys[r], generation, j, purpose, 0)
            parent[r, j] = weighted_at(near, j, elsewhere, cdf[r], w0, w1, w2, w3)


@kernel
def tournament_near(
    first, last, size, near, elsewhere, purpose, keys, generation, born, criterion, winner
):
    """For each newborn, the best of `size` agents drawn near its place (first drawn wins ties)."""
    agents = winner.shape[1]
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * BLOCK
        for j in range(base, min(base + BLOCK, born[r])):
            _, _, w2, w3 = philox(keys[r], generation, j, purpose, WHERE)
            g = group_at(near, j, elsewhere, w2, w3)
            begin = near.start[g]
            n = near.start[g + 1] - begin
            best = np.int64(-1)
            for k in range(size):
                w0, _, _, _ = philox(keys[r], generation, j, purpose, k)
                i = near.member[begin + below(w0, n)]
                if best < 0 or criterion[r, i] > criterion[r, best]:
                    best = i
            winner[r, j] = best
