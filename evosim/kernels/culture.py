"""What newborns take over from models: items as bits of a pool, their number, or a skill.

An agent's knowledge is a row of 64-bit words, one bit an item; in a counted pool the first word
holds how many items it knows, and a second one, where acquiring them takes time, their volume in
units of 1/VOLUME items. A skill is one number. Which items of a row arrive is drawn by
`evosim.kernels.arrivals`.
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import borrowing, inline, kernel
from evosim.kernels.arrivals import (
    CHUNK,
    DIGITS,
    LONGEST,
    MERGED,
    arrive,
    fetch,
    lowest,
    ones,
    skipped,
    take,
    write_digits,
)
from evosim.kernels.choice import CONFORMIST, FIDELITY_GENE, MOST_MODELS, choose, expressed
from evosim.kernels.philox import CAPACITY, FIDELITY, IMITATION, PASS, uniform

#: Newborns per block.
BLOCK = 64
#: Units of volume in an item.
VOLUME = 1 << 20
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
def keep_some(key, generation, agent, purpose, own, known, capacity):
    """Keep `capacity` of the `known` items, each set alike (Knuth 1997, 3.4.2, algorithm S)."""
    kept, left = 0, known
    for w in range(own.size):
        rest = own[w]
        while rest != np.uint64(0):
            bit = lowest(rest)
            rest ^= bit
            u = uniform(key, generation, agent, purpose, known - left)
            if u * left < capacity - kept:
                kept += 1
            else:
                own[w] ^= bit
            left -= 1


@inline
def taught(fidelity, effort, model):
    """Return the chance that an item arrives: what is lost, a teacher's effort may save."""
    if effort.size == 0:
        return fidelity
    return fidelity + (1.0 - fidelity) * effort[model]


@kernel
def transmit(
    first, last, counted, choice, path, models, candidates, copying, fidelity, capacity, strength,
    near, contact, turn, compression, most, loci, keys, generation, count, genes, before, payoff,
    cdf, parent, mate, effort, shown, known, copied,
):  # fmt: skip
    """Write what the newborns of the blocks first..last-1 receive.

    Parameters
    ----------
    counted : bool
        Whether a row is a number of items, not bits (for one model only).
    choice : int
        RANDOM; PAYOFF (in proportion to the weights behind `cdf`); CONFORMIST (random models;
        only items that most of them know); BEST (each model has the most payoff of
        `candidates` random ones, the first of equals); PRESTIGE (with probability `strength` the
        model of a random earlier newborn).
    path : int
        OBLIQUE (the whole previous generation) or VERTICAL (parents).
    models, candidates, capacity : int
    copying, fidelity : float
        Probability that a newborn copies at all; that an item of a model is received.
    strength : float
        Of prestige.
    near : Near
        Among whom models are; `ANYWHERE` for all.
    contact : float
        Chance that a model stands elsewhere.
    turn : int
        0: from the previous generation; 1: added to what is there, from peers.
    compression, most : float
        By which the volume of counted items shrinks; what there is time for, in its units. Not
        read unless rows have a second word.
    loci : (>= 3,) int64
        Loci of genes that stand in for `copying`, `fidelity` and `models`; -1 without.
    count, before : (R,) int64
        Newborns; agents among which models are.
    genes : (R, N, L) float32
        Of the newborns.
    payoff, cdf : (R, N) float64
        Of the models; `cdf` has length 0 on the last axis unless PAYOFF, and follows the members
        of neighbourhoods where there are such.
    parent, mate : (R, N) int32
        `mate` has length 0 on the last axis with one parent.
    effort : (R, N) float64
        Of the models in teaching, 0..1; length 0 on the last axis without.
    shown : (R, N, W) uint64
        What the models know.
    known : (R, N, W) uint64
        Overwritten, or added to in the second turn.
    copied : (R, N) uint8
        Overwritten with whether a newborn had a model; length 0 on the last axis to leave it.
    """
    words = known.shape[2]
    _transmit(
        first, last, counted, choice, path, models, candidates, copying, fidelity, capacity,
        strength, near, contact, turn, compression, most, loci, keys, generation, count, genes,
        before, payoff, cdf, parent, mate, effort, shown, known, copied,
        np.empty((BLOCK, MOST_MODELS), np.int64), np.empty(BLOCK, np.int64),
        np.empty((1, words), np.uint64), np.zeros(1, np.int64),
        np.empty(MERGED * LONGEST, np.uint64), np.empty(CHUNK * DIGITS, np.uint64),
        np.empty(5 * CHUNK, np.uint64),
    )  # fmt: skip


@borrowing
def _transmit(
    first, last, counted, choice, path, models, candidates, copying, fidelity, capacity, strength,
    near, contact, turn, compression, most, loci, keys, generation, count, genes, before, payoff,
    cdf, parent, mate, effort, shown, known, copied,
    models_of, many, common, nobody_else, digits, bits, state,
):  # fmt: skip
    """Transmit as `transmit` says, in the scratch given: without it slices count references."""
    agents, words = known.shape[1], known.shape[2]
    per = (agents + BLOCK - 1) // BLOCK
    of = -1.0
    purpose = FIDELITY + turn * PASS
    for block in range(first, last):
        r = block // per
        key, rows, all_known, own_genes = keys[r], shown[r], known[r], genes[r]
        pays, upto, mother, father, effort_of = payoff[r], cdf[r], parent[r], mate[r], effort[r]
        start = (block - r * per) * BLOCK
        for j in range(start, min(start + BLOCK, count[r])):
            who = models_of[j - start]
            many[j - start] = choose(
                who, choice, path, models, candidates, copying, strength, near, contact, turn,
                loci, key, generation, j, own_genes[j], before[r], pays, upto, mother, father,
            )  # fmt: skip
            for k in range(many[j - start]):
                # The block's rows are on their way before the first of them is read.
                fetch(shown, (r * agents + who[k]) * words, min(words, CHUNK))
        for j in range(start, min(start + BLOCK, count[r])):
            own, who, n = all_known[j], models_of[j - start], many[j - start]
            if turn == 0:
                own[:] = np.uint64(0)
            if copied.shape[1]:
                copied[r, j] = n > 0
            if n == 0:
                continue
            f = expressed(own_genes[j], loci[FIDELITY_GENE], fidelity, 1.0)
            if counted:
                f = taught(f, effort_of, who[0])
                number(key, generation, j, f, capacity, compression, most, rows[who[0]], own)
                continue
            if effort.shape[1]:
                # Each model teaches with an effort of its own.
                draw = 0
                for k in range(n):
                    chance = taught(f, effort_of, who[k])
                    draw = take(key, generation, j, purpose, draw, chance, rows[who[k]], own)
            else:
                if f != of:
                    write_digits(f, digits)
                    of = f
                if choice == CONFORMIST:
                    majority(rows, who, n, common[0])
                    arrive(
                        key, generation, j, purpose, 0, f, digits, common, nobody_else, 1,
                        all_known, bits, state,
                    )  # fmt: skip
                else:
                    arrive(
                        key, generation, j, purpose, 0, f, digits, rows, who, n, all_known,
                        bits, state,
                    )  # fmt: skip
            if capacity >= 64 * words:
                continue
            total = np.int64(0)
            for w in range(words):
                total += ones(own[w])
            if total > capacity:
                keep_some(key, generation, j, CAPACITY + turn * PASS, own, total, capacity)


@inline
def number(key, generation, agent, fidelity, capacity, compression, most, shown, own):
    """Write how many of a model's counted items arrive, and their volume."""
    total = retained(key, generation, agent, fidelity, np.int64(shown[0]))
    kept = min(total, capacity)
    if own.size > 1 and total > 0:
        each = compression * np.float64(shown[1]) / np.float64(shown[0])
        if kept * each > most:
            kept = np.int64(most / each)
        own[1] = np.uint64(kept * each)
    own[0] = np.uint64(kept)


@kernel
def imitate(
    first, last, choice, path, models, candidates, copying, fidelity, capacity, strength, loss,
    spread, near, contact, loci, keys, generation, count, genes, before, payoff, cdf, parent, mate,
    effort, shown, known, copied,
):  # fmt: skip
    """Write the skills that the newborns of the blocks first..last-1 imitate (Henrich 2004).

    A learner's skill is `fidelity` times its models' mean, plus a Gumbel error whose mode is
    -`loss` and whose scale is `spread`, at most `capacity`; who does not copy has none.

    Parameters
    ----------
    loss, spread : float
        A teacher's effort lowers the loss. Parameters that are not named here are those of
        `transmit`.
    capacity : float
    shown : (R, N) float64
    known : (R, N) float64
        Overwritten.
    """
    agents = known.shape[1]
    per = (agents + BLOCK - 1) // BLOCK
    who = np.empty(MOST_MODELS, np.int64)
    for block in range(first, last):
        r = block // per
        start = (block - r * per) * BLOCK
        for j in range(start, min(start + BLOCK, count[r])):
            known[r, j] = 0.0
            n = choose(
                who, choice, path, models, candidates, copying, strength, near, contact, 0, loci,
                keys[r], generation, j, genes[r, j], before[r], payoff[r], cdf[r], parent[r],
                mate[r],
            )  # fmt: skip
            if copied.shape[1]:
                copied[r, j] = n > 0
            if n == 0:
                continue
            seen, gap = 0.0, 0.0
            for k in range(n):
                seen += shown[r, who[k]]
                gap += 1.0 - taught(0.0, effort[r], who[k])
            f = expressed(genes[r, j], loci[FIDELITY_GENE], fidelity, 1.0)
            skill = f * (seen / n) - loss * (gap / n)
            if spread > 0.0:
                u = uniform(keys[r], generation, j, IMITATION, 0)
                # An exponential of at least 1e-17: the error stays finite.
                skill -= spread * math.log(max(-math.log1p(-u), 1e-17))
            known[r, j] = min(skill, capacity)


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
