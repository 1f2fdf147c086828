"""Who learned what from whom, looked up again: nothing of a run is drawn or changed here.

Choices of models are functions of counters, so that they can be made a second time. What arrived
is read from what newborns know.
"""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import kernel
from evosim.kernels.arrivals import lowest, ones
from evosim.kernels.choice import FIDELITY_GENE, MOST_MODELS, choose, expressed
from evosim.kernels.culture import taught
from evosim.kernels.inherit import giver
from evosim.kernels.philox import SAMPLE, uniform


@kernel
def some_of(first, last, keys, generation, count, stayed, chosen):
    """Choose newborns of the replicates first..last-1 at random, each set alike.

    Knuth 1997, 3.4.2, algorithm S.

    Parameters
    ----------
    count : (R,) int64
    stayed : (R, N) bool
        Who is no newborn; length 0 on the last axis where all are.
    chosen : (R, K) int64
        Overwritten with places in their order; -1 where there are no more.
    """
    most = chosen.shape[1]
    for r in range(first, last):
        k, left = 0, count[r]
        for i in range(count[r] if stayed.shape[1] else 0):
            left -= stayed[r, i]
        for i in range(count[r]):
            if k == most:
                break
            if stayed.shape[1] and stayed[r, i]:
                continue
            if uniform(keys[r], generation, i, SAMPLE, 0) * left < most - k:
                chosen[r, k] = i
                k += 1
            left -= 1
        chosen[r, k:] = -1


@kernel
def models_again(
    first, last, choice, path, models, candidates, copying, strength, near, contact, turn, loci,
    keys, generation, genes, before, payoff, cdf, parent, mate, chosen, who, many,
):  # fmt: skip
    """Write whom chosen newborns of the replicates first..last-1 copy.

    Parameters that are not named here are those of `evosim.kernels.culture.transmit`.

    Parameters
    ----------
    chosen : (R, K) int64
        Their places; -1 for nobody.
    who : (R, K, M) int32
        Written to; of those who have fewer models the rest is left.
    many : (R, K) int64
        Overwritten with how many models each has.
    """
    found = np.empty(MOST_MODELS, np.int64)
    for r in range(first, last):
        for k in range(chosen.shape[1]):
            j = chosen[r, k]
            many[r, k] = 0
            if j < 0:
                continue
            many[r, k] = choose(
                found, choice, path, models, candidates, copying, strength, near, contact, turn,
                loci, keys[r], generation, j, genes[r, j], before[r], payoff[r], cdf[r],
                parent[r], mate[r],
            )  # fmt: skip
            for m in range(many[r, k]):
                who[r, k, m] = found[m]


@kernel
def share_items(
    first, last, fidelity, loci, genes, effort, chosen, own, shown, who, many, knew, taken
):
    """Share received items among the models that knew them, for the replicates first..last-1.

    Where several models knew an item, each gets a part in proportion to the chance with which it
    passes items on: without teachers equal ones.

    Parameters
    ----------
    fidelity : float
        And the gene that stands in for it, by `loci` and `genes`; `effort` of the models in
        teaching: see `evosim.kernels.culture.transmit`.
    own : (R, K, W) uint64
        Items to be shared out, of the chosen.
    shown : (R, N, W) uint64
        What the models know.
    who, many : (R, K, M) int32, (R, K) int64
    knew, taken : (R, K, M) float32
        Written to: how many items a model knew; how many were taken over from it.
    """
    words = shown.shape[2]
    chance = np.empty(MOST_MODELS, np.float64)
    got = np.empty(MOST_MODELS, np.float64)
    for r in range(first, last):
        for k in range(chosen.shape[1]):
            n = many[r, k]
            if n == 0:
                continue
            f = expressed(genes[r, chosen[r, k]], loci[FIDELITY_GENE], fidelity, 1.0)
            for m in range(n):
                chance[m] = taught(f, effort[r], who[r, k, m])
                got[m] = 0.0
                total = np.int64(0)
                for w in range(words):
                    total += ones(shown[r, who[r, k, m], w])
                knew[r, k, m] = total
            for w in range(words):
                anyone, several = np.uint64(0), np.uint64(0)
                for m in range(n):
                    several |= anyone & shown[r, who[r, k, m], w]
                    anyone |= shown[r, who[r, k, m], w]
                for m in range(n):
                    got[m] += ones(own[r, k, w] & shown[r, who[r, k, m], w] & ~several)
                rest = own[r, k, w] & several
                while rest != np.uint64(0):
                    bit = lowest(rest)
                    rest ^= bit
                    whole = 0.0
                    for m in range(n):
                        if shown[r, who[r, k, m], w] & bit != np.uint64(0):
                            whole += chance[m]
                    for m in range(n):
                        if shown[r, who[r, k, m], w] & bit != np.uint64(0):
                            got[m] += chance[m] / whole
            for m in range(n):
                taken[r, k, m] = got[m]


@kernel
def share_rows(
    first, last, fidelity, loci, keys, generation, genes, rows, width, chosen, many, taken
):
    """Count the learned values that came from each model, for the replicates first..last-1.

    Parameters
    ----------
    rows, width : int
        Rows of a table, and values in each; the rest as in `share_items`.
    taken : (R, K, M) float32
        Added to.
    """
    for r in range(first, last):
        for k in range(chosen.shape[1]):
            j = chosen[r, k]
            if many[r, k] == 0:
                continue
            f = expressed(genes[r, j], loci[FIDELITY_GENE], fidelity, 1.0)
            for z in range(rows):
                m = giver(keys[r], generation, j, z, rows, many[r, k], f)
                if m < many[r, k]:
                    taken[r, k, m] += width
