"""Knowledge as bits of a pool: what newborns take over from models, and what a life finds.

An agent's knowledge is a row of 64-bit words, one bit an item; in a counted pool it is one word
that holds how many items it knows. What arrives is drawn by `evosim.kernels.arrivals`. Rare events
are found by geometric skips, so that the cost follows their number: a draw per shown item would
cost 13 times what reading a model's row does.
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.arrivals import (
    CHUNK,
    DIGITS,
    LONGEST,
    MERGED,
    arrive,
    lowest,
    ones,
    skipped,
    write_digits,
)
from evosim.kernels.philox import CAPACITY, COPYING, FIDELITY, FIND, MODEL, below, philox, uniform

#: Newborns per block.
BLOCK = 64
RANDOM = 0
PAYOFF = 1
CONFORMIST = 2
BEST = 3
OBLIQUE = 0
VERTICAL = 1
#: Where the genes of the channel stand in its list of loci.
COPYING_GENE, FIDELITY_GENE, MODELS_GENE = 0, 1, 2
#: Most models that a newborn looks at.
MOST_MODELS = 64

_ONE = np.uint64(1)


@inline
def retained(key, generation, agent, fidelity, shown):
    """Return how many of so many items arrive, each with probability `fidelity`."""
    rare = min(fidelity, 1.0 - fidelity)
    hits = np.int64(0)
    if rare > 0.0:
        slope = 1.0 / math.log1p(-rare)
        at, draw = np.int64(-1), 0
        while True:
            at += 1 + skipped(key, generation, agent, FIDELITY, draw, slope)
            draw += 1
            if at >= shown:
                break
            hits += 1
    return shown - hits if fidelity >= 0.5 else hits


@inline
def keep_some(key, generation, agent, own, known, capacity):
    """Keep `capacity` of the `known` items, each set alike (Knuth 1997, 3.4.2, algorithm S)."""
    kept, left = 0, known
    for w in range(own.size):
        rest = own[w]
        while rest != np.uint64(0):
            bit = lowest(rest)
            rest ^= bit
            u = uniform(key, generation, agent, CAPACITY, known - left)
            if u * left < capacity - kept:
                kept += 1
            else:
                own[w] ^= bit
            left -= 1


@inline
def expressed(genes, locus, value, most):
    """Return a parameter, or the gene that an agent has for it, within 0..most."""
    if locus < 0:
        return value
    return min(max(np.float64(genes[locus]), 0.0), most)


@inline
def model_of(
    choice, path, candidates, key, generation, agent, k, before, payoff, cdf, parent, mate
):
    """Return the k-th model of a newborn among `before` agents of the previous generation."""
    if path == VERTICAL:
        return np.int64(parent[agent]) if k == 0 else np.int64(mate[agent])
    if choice == PAYOFF:
        u = uniform(key, generation, agent, MODEL, k) * cdf[before - 1]
        low, high = 0, before - 1
        while low < high:
            middle = (low + high) >> 1
            if cdf[middle] > u:
                high = middle
            else:
                low = middle + 1
        return np.int64(low)
    if choice == BEST:
        best = np.int64(-1)
        for c in range(candidates):
            word, _, _, _ = philox(key, generation, agent, MODEL, k * candidates + c)
            other = below(word, before)
            if best < 0 or payoff[other] > payoff[best]:
                best = other
        return best
    word, _, _, _ = philox(key, generation, agent, MODEL, k)
    return below(word, before)


@kernel
def transmit(
    first, last, counted, choice, path, models, candidates, copying, fidelity, capacity, loci,
    keys, generation, count, genes, before, payoff, cdf, parent, mate, shown, known,
):  # fmt: skip
    """Write what the newborns of the blocks first..last-1 receive.

    Parameters
    ----------
    counted : bool
        Whether a row is one number of items, not bits (for one model only).
    choice : int
        RANDOM; PAYOFF (in proportion to the weights behind `cdf`); CONFORMIST (random models;
        only items that most of them know); BEST (each model has the most payoff of
        `candidates` random ones, the first of equals).
    path : int
        OBLIQUE (the whole previous generation) or VERTICAL (parents).
    models, candidates, capacity : int
    copying, fidelity : float
        Probability that a newborn copies at all; that an item of a model is received.
    loci : (3,) int64
        Loci of genes that stand in for `copying`, `fidelity` and `models`; -1 without.
    count, before : (R,) int64
        Newborns; agents of the previous generation.
    genes : (R, N, L) float32
        Of the newborns.
    payoff, cdf : (R, N) float64
        Of the previous generation; `cdf` has length 0 on the last axis unless PAYOFF.
    parent, mate : (R, N) int32
        `mate` has length 0 on the last axis with one parent.
    shown : (R, N, W) uint64
        What the previous generation knew when it died.
    known : (R, N, W) uint64
        Overwritten.
    """
    agents, words = known.shape[1], known.shape[2]
    per = (agents + BLOCK - 1) // BLOCK
    who = np.empty(MOST_MODELS, np.int64)
    common = np.empty((1, words), np.uint64)
    nobody_else = np.zeros(1, np.int64)
    digits, of = np.empty(MERGED * LONGEST, np.uint64), -1.0
    bits, state = np.empty(CHUNK * DIGITS, np.uint64), np.empty(5 * CHUNK, np.uint64)
    for block in range(first, last):
        r = block // per
        key = keys[r]
        start = (block - r * per) * BLOCK
        for j in range(start, min(start + BLOCK, count[r])):
            own = known[r, j]
            own[:] = np.uint64(0)
            if before[r] == 0:
                continue
            chance = expressed(genes[r, j], loci[COPYING_GENE], copying, 1.0)
            if chance < 1.0 and uniform(key, generation, j, COPYING, 0) >= chance:
                continue
            f = expressed(genes[r, j], loci[FIDELITY_GENE], fidelity, 1.0)
            n = int(expressed(genes[r, j], loci[MODELS_GENE], models, MOST_MODELS) + 0.5)
            for k in range(n):
                who[k] = model_of(
                    choice, path, candidates, key, generation, j, k, before[r], payoff[r], cdf[r],
                    parent[r], mate[r],
                )  # fmt: skip
            if counted:
                total = np.int64(0)
                if n > 0:
                    total = retained(key, generation, j, f, np.int64(shown[r, who[0], 0]))
                own[0] = np.uint64(min(total, capacity))
                continue
            if f != of:
                write_digits(f, digits)
                of = f
            if choice == CONFORMIST:
                majority(shown[r], who, n, common[0])
                arrive(
                    key, generation, j, FIDELITY, 0, f, digits, common, nobody_else, 1, known[r],
                    bits, state,
                )  # fmt: skip
            else:
                arrive(
                    key, generation, j, FIDELITY, 0, f, digits, shown[r], who, n, known[r], bits,
                    state,
                )  # fmt: skip
            if capacity >= 64 * words:
                continue
            total = np.int64(0)
            for w in range(words):
                total += ones(own[w])
            if total > capacity:
                keep_some(key, generation, j, own, total, capacity)


@inline
def majority(shown, who, n, common):
    """Write the items that more than half of n models know."""
    for w in range(common.size):
        rest = np.uint64(0)
        for k in range(n):
            rest |= shown[who[k], w]
        common[w] = np.uint64(0)
        while rest != np.uint64(0):
            bit = lowest(rest)
            rest ^= bit
            those = 0
            for k in range(n):
                those += (shown[who[k], w] & bit) != np.uint64(0)
            if 2 * those > n:
                common[w] |= bit


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
    first, last, counted, items, rate, masked, keys, generation, count, innate, known, learned
):
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
    innate, known : (R, N, W) uint64
        `known` is added to.
    learned : (R, N) int64
        Overwritten with the number of items found.
    """
    agents = known.shape[1]
    per = (agents + BLOCK - 1) // BLOCK
    chance = min(rate / items, 1.0) if items > 0 else 0.0
    slope = 1.0 / math.log1p(-chance) if 0.0 < chance < 1.0 else 0.0
    for block in range(first, last):
        r = block // per
        start = (block - r * per) * BLOCK
        for i in range(start, min(start + BLOCK, count[r])):
            learned[r, i] = 0
            if rate <= 0.0:
                continue
            if counted:
                learned[r, i] = finds(keys[r], generation, i, rate)
                known[r, i, 0] += np.uint64(learned[r, i])
                continue
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
def find_new(first, last, items, rate, keys, generation, count, known, learned, full):
    """Let the agents of the replicates first..last-1 find items that nobody knows.

    A new item gets the first place of the room that no living agent's item has: what everybody
    forgot makes room.

    Parameters
    ----------
    items : int
        Size of the room.
    rate : float
        Expected finds of a life.
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
            if rate <= 0.0:
                continue
            for _ in range(finds(keys[r], generation, i, rate)):
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
