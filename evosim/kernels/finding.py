"""What agents know without others: innate items, what a life finds, and the count of all of it."""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.arrivals import lowest, ones, skipped
from evosim.kernels.culture import BLOCK, VOLUME
from evosim.kernels.philox import FIND, uniform

_ONE = np.uint64(1)


@kernel
def innate_items(first, last, start, loci, count, bits, innate):
    """Write the items that the replicates first..last-1 know from birth: bits of a gene.

    Parameters
    ----------
    start, loci : int
        First bit of the gene, and how many there are.
    bits : (R, N, B) uint64
    innate : (R, N, W) uint64
        Overwritten.
    """
    shift = np.uint64(start & 63)
    base = start >> 6
    words = innate.shape[2]
    for r in range(first, last):
        for i in range(count[r]):
            for w in range(words):
                word = bits[r, i, base + w] >> shift
                if shift != np.uint64(0) and base + w + 1 < bits.shape[2]:
                    word |= bits[r, i, base + w + 1] << (np.uint64(64) - shift)
                over = loci - 64 * w
                if over < 64:
                    word &= (_ONE << np.uint64(over)) - _ONE
                innate[r, i, w] = word


@inline
def effective(rate, share, agent):
    """Return the finds to expect of an agent that has a share of its life for finding."""
    if share.size == 0:
        return rate
    return rate * share[agent]


@inline
def finds(key, generation, agent, rate):
    """Return a Poisson number with mean `rate`: events before its time is up."""
    total, n = 0.0, 0
    while True:
        total -= math.log(1.0 - uniform(key, generation, agent, FIND, n))
        if total >= rate:
            return n
        n += 1


@kernel
def find_in_pool(
    first, last, counted, items, rate, masked, keys, generation, count, share, innate, known,
    learned,
):  # fmt: skip
    """Let the agents of the blocks first..last-1 find items during their lives.

    Parameters
    ----------
    counted : bool
        Whether every find is a new item and only their number is kept.
    items : int
        Those that can be found: the first ones of the pool.
    rate : float
        Expected finds of an agent that knows nothing.
    masked : bool
        Whether innate items are the same as those of the pool: then there is nothing to find.
    share : (R, N) float64
        Of a life that is left for finding; length 0 on the last axis where all of it is.
    innate, known : (R, N, W) uint64
        `known` is added to.
    learned : (R, N) int64
        Overwritten with the number of items found.
    """
    agents = known.shape[1]
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        start = (block - r * per) * BLOCK
        for i in range(start, min(start + BLOCK, count[r])):
            learned[r, i] = 0
            own = effective(rate, share[r], i)
            if own <= 0.0:
                continue
            if counted:
                learned[r, i] = finds(keys[r], generation, i, own)
                known[r, i, 0] += np.uint64(learned[r, i])
                if known.shape[2] > 1:
                    known[r, i, 1] += np.uint64(learned[r, i] * VOLUME)
                continue
            chance = min(own / items, 1.0)
            slope = 1.0 / math.log1p(-chance) if chance < 1.0 else 0.0
            at, draw = np.int64(-1), 0
            while True:
                at += 1
                if chance < 1.0:
                    at += skipped(keys[r], generation, i, FIND, draw, slope)
                    draw += 1
                if at >= items:
                    break
                w, bit = at >> 6, _ONE << np.uint64(at & 63)
                has = known[r, i, w]
                if masked and w < innate.shape[2]:
                    has |= innate[r, i, w]
                if (has & bit) == np.uint64(0):
                    known[r, i, w] |= bit
                    learned[r, i] += 1


@kernel
def find_new(first, last, items, rate, keys, generation, count, share, known, learned, full):
    """Let the agents of the replicates first..last-1 find items that nobody knows.

    A new item gets the first place of the room that no living agent's item has: what everybody
    forgot makes room.

    Parameters
    ----------
    items : int
        Size of the room.
    rate : float
        Expected finds of a life.
    share : (R, N) float64
        As in `find_in_pool`.
    known : (R, N, W) uint64
        Added to.
    learned : (R, N) int64
        Overwritten.
    full : (R,) uint8
        Set to 1 where the room was too small.
    """
    words = known.shape[2]
    used = np.empty(words, np.uint64)
    for r in range(first, last):
        used[:] = np.uint64(0)
        for i in range(count[r]):
            for w in range(words):
                used[w] |= known[r, i, w]
        if items & 63:
            used[words - 1] |= ~((_ONE << np.uint64(items & 63)) - _ONE)
        at = 0
        for i in range(count[r]):
            learned[r, i] = 0
            own = effective(rate, share[r], i)
            if own <= 0.0:
                continue
            for _ in range(finds(keys[r], generation, i, own)):
                while at < words and used[at] == ~np.uint64(0):
                    at += 1
                if at == words:
                    full[r] = 1
                    break
                bit = lowest(~used[at])
                used[at] |= bit
                known[r, i, at] |= bit
                learned[r, i] += 1


@kernel
def tally(first, last, counted, masked, count, innate, known, learned, values):
    """Count the items of the replicates first..last-1 by where they come from.

    Parameters
    ----------
    learned : (R, N) int64
    values : (R, N, 3) float64
        Overwritten: innate items; received ones, beyond those; learned ones, beyond both.
    """
    for r in range(first, last):
        for i in range(count[r]):
            genetic, acquired = np.int64(0), np.int64(0)
            for w in range(innate.shape[2]):
                genetic += ones(innate[r, i, w])
            if counted:
                acquired = np.int64(known[r, i, 0])
            for w in range(0 if counted else known.shape[2]):
                word = known[r, i, w]
                if masked and w < innate.shape[2]:
                    word &= ~innate[r, i, w]
                acquired += ones(word)
            values[r, i, 0] = genetic
            values[r, i, 1] = acquired - learned[r, i]
            values[r, i, 2] = learned[r, i]
