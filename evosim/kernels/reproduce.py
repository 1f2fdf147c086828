"""Reproduction: recombination and mutation, parents' genomes to newborns'.

Real loci are float32 in a row per agent (two haplotypes one after the other if diploid); bit
loci are packed into 64-bit words. Each block writes its own offspring only.
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.philox import CROSSOVER, FLIP, MUTATION, TWO32, double, philox
from evosim.kernels.vecmath import fill_normals_of_several
from evosim.kernels.wide import WIDE, load, store

_f = np.float32
#: Offspring per block.
BLOCK = 256
#: Offspring whose normals are drawn in one go.
TOGETHER = 16
CLONAL = 0
FREE = 1
ONE_POINT = 2
MIDPARENT = 3


@inline
def reflect(x, low, high):
    """Fold x back into [low, high], as often as it takes: steps of many widths end anywhere."""
    if x < low:
        x = low + (low - x)
    if x > high:
        x = high - (x - high)
    if x < low:  # farther than the bounds are apart, so that both of them are finite
        width = high - low
        x = high - abs((x - low) % (width + width) - width)
    return min(max(x, low), high)


@inline
def crossover_point(key, generation, offspring, haplotype, loci):
    """Return (first locus from the other side, starting side) of a one-point crossover."""
    a, b, c, _ = philox(key, generation, offspring, CROSSOVER, haplotype)
    point = 1 + int(double(a, b) * (loci - 1)) if loci > 1 else 1
    return point, c & np.uint64(1)


@kernel
def reproduce_real(
    first, last, mode, ploidy, all_loci, sd, chance, low, high, keys, generation,
    born, parent, mate, births, parents, newborns,
):  # fmt: skip
    """Write the real loci of the offspring blocks first..last-1.

    Parameters
    ----------
    mode : int
        CLONAL, FREE, ONE_POINT or MIDPARENT.
    ploidy : int
        1, or 2 (each haplotype is a gamete of one of the two parents).
    all_loci : int
        Real and bit loci of a haplotype: the map on which the one crossover point falls.
    sd, chance, low, high : (L,) float32
        Mutation per locus: sd of the step, its probability, bounds.
    born : (R,) int64
    parent, mate : (R, N) int32
        `mate` has length 0 on the last axis when clonal.
    births : (R, N) int32 or last axis 0
        How many births mutate (default one; 0 copies a survivor).
    parents, newborns : (R, N, ploidy * L) float32
        `newborns` is overwritten.
    """
    agents = parents.shape[1]
    loci = sd.size
    per = (agents + BLOCK - 1) // BLOCK
    start, stop = loci, 0
    partial = False
    bounded = False
    for k in range(loci):
        if sd[k] > _f(0.0):
            start = min(start, k)
            stop = k + 1
            partial = partial or chance[k] < _f(1.0)
            bounded = bounded or low[k] > -np.inf or high[k] < np.inf
    width = max(stop - start, 0)
    draws = (width + 3) // 4
    # Draws of one gamete's mutation: normals, then one word per locus where chance decides.
    stride = draws + (width if partial else 0)
    words = np.empty((4, max(TOGETHER * draws, 1)), np.uint64)
    normal = np.empty(4 * max(TOGETHER * draws, 1), np.float32)
    flat = newborns.reshape(-1)
    agent_of = np.empty(TOGETHER * draws, np.uint64)
    draw_of = np.empty(TOGETHER * draws, np.uint64)
    for k in range(TOGETHER * draws):
        agent_of[k], draw_of[k] = k // draws, k % draws
    for block in range(first, last):
        r = block // per
        key = keys[r]
        base = (block - r * per) * BLOCK
        for group in range(base, min(base + BLOCK, born[r]), TOGETHER):
            end = min(group + TOGETHER, base + BLOCK, born[r])
            most = 1
            for j in range(group, end):
                mother = parent[r, j]
                father = mate[r, j] if mode != CLONAL else mother
                write_gametes(
                    mode, ploidy, key, generation, j, all_loci, parents[r, mother],
                    parents[r, father], newborns[r, j],
                )  # fmt: skip
                most = max(most, births[r, j]) if births.shape[1] > 0 else 1
            for turn in range(most * ploidy if width > 0 else 0):
                birth, at = turn // ploidy, (turn % ploidy) * loci
                fill_normals_of_several(
                    key, generation, group, MUTATION, turn * stride, agent_of, draw_of,
                    (end - group) * draws, words, normal,
                )  # fmt: skip
                for j in range(group, end):
                    if births.shape[1] > 0 and births[r, j] <= birth:
                        continue
                    step = 4 * draws * (j - group)
                    for k in range(width if partial else 0):
                        w, _, _, _ = philox(key, generation, j, MUTATION, turn * stride + draws + k)
                        if np.float64(w) * TWO32 >= chance[start + k]:
                            normal[step + k] = _f(0.0)
                    row = (r * agents + j) * newborns.shape[2] + at + start
                    add_product(flat, row, sd, start, normal, step, width)
                    for k in range(start, stop if bounded else start):
                        if sd[k] > _f(0.0):
                            newborns[r, j, at + k] = reflect(
                                newborns[r, j, at + k], low[k], high[k]
                            )


@inline
def add_product(out, at, one, one_at, two, two_at, n):
    """Add ``one[one_at : one_at + n] * two[two_at : two_at + n]`` to ``out[at : at + n]``.

    By explicit vectors: rows are too short for what LLVM makes of the loop (measured: 45 ns for
    32 loci).
    """
    k = 0
    while k + WIDE <= n:
        x = load(out, at + k) + load(one, one_at + k) * load(two, two_at + k)
        store(out, at + k, x)
        k += WIDE
    while k < n:
        out[at + k] += one[one_at + k] * two[two_at + k]
        k += 1


@inline
def write_gametes(mode, ploidy, key, generation, offspring, all_loci, mother, father, child):
    """Write the real loci that an offspring inherits: one haplotype, or one of each parent."""
    loci = child.size // ploidy
    if mode == CLONAL:
        for k in range(child.size):
            child[k] = mother[k]
    elif ploidy == 1:
        recombine(mode, key, generation, offspring, 0, all_loci, mother, father, child)
    else:
        for h in range(2):
            giver = mother if h == 0 else father
            recombine(
                mode, key, generation, offspring, h, all_loci, giver[:loci], giver[loci:],
                child[h * loci : (h + 1) * loci],
            )  # fmt: skip


@inline
def recombine(mode, key, generation, offspring, haplotype, all_loci, one, two, out):
    """Write the real loci of one gamete (or haploid child) of two sources into `out`."""
    loci = out.size
    if mode == MIDPARENT:
        for k in range(loci):
            out[k] = _f(0.5) * (one[k] + two[k])
        return
    if mode == ONE_POINT:
        point, side = crossover_point(key, generation, offspring, haplotype, all_loci)
        for k in range(loci):
            from_one = (k < point) == (side == np.uint64(0))
            out[k] = one[k] if from_one else two[k]
        return
    w0, w1, w2, w3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for k in range(loci):
        if k & 127 == 0:
            w0, w1, w2, w3 = philox(
                key, generation, offspring, CROSSOVER, 2 + haplotype + 2 * (k >> 7)
            )
        word = w0
        if (k >> 5) & 3 == 1:
            word = w1
        elif (k >> 5) & 3 == 2:
            word = w2
        elif (k >> 5) & 3 == 3:
            word = w3
        out[k] = one[k] if (word >> np.uint64(k & 31)) & np.uint64(1) else two[k]


@kernel
def reproduce_bits(
    first, last, mode, ploidy, real_loci, all_loci, gene_first, gene_stop, flip, keys, generation,
    born, parent, mate, births, parents, newborns,
):  # fmt: skip
    """Write the bit loci of the offspring blocks first..last-1.

    Parameters
    ----------
    real_loci : int
        Real loci of a haplotype; they stand before the bits on the map.
    gene_first, gene_stop : (G,) int64
        First bit of each bit gene and one past its last.
    flip : (G,) float64
        Flip probability per locus and birth.
    parents, newborns : (R, N, ploidy * W) uint64
        `newborns` is overwritten.

    Other parameters as in `reproduce_real`. Flips are found by geometric skips, so that the
    cost follows the number of mutations, not of loci.
    """
    agents = parents.shape[1]
    each = parents.shape[2] // ploidy
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        key = keys[r]
        base = (block - r * per) * BLOCK
        for j in range(base, min(base + BLOCK, born[r])):
            mother = parent[r, j]
            draw = 0
            for h in range(ploidy):
                out = newborns[r, j, h * each : (h + 1) * each]
                if mode == CLONAL:
                    own = parents[r, mother, h * each : (h + 1) * each]
                    for w in range(each):
                        out[w] = own[w]
                else:
                    if ploidy == 1:
                        one = parents[r, mother]
                        two = parents[r, mate[r, j]]
                    else:
                        giver = mother if h == 0 else mate[r, j]
                        one = parents[r, giver, :each]
                        two = parents[r, giver, each:]
                    point, side = crossover_point(key, generation, j, h, all_loci)
                    for w in range(each):
                        if mode == ONE_POINT:
                            cut = point - real_loci - 64 * w
                            mask = np.uint64(0)
                            if cut >= 64:
                                mask = ~np.uint64(0)
                            elif cut > 0:
                                mask = (np.uint64(1) << np.uint64(cut)) - np.uint64(1)
                            if side != np.uint64(0):
                                mask = ~mask
                        else:
                            a, b, _, _ = philox(
                                key, generation, j, CROSSOVER, 1_000_000 + h + 2 * w
                            )
                            mask = (a << np.uint64(32)) | b
                        out[w] = (one[w] & mask) | (two[w] & ~mask)
                times = births[r, j] if births.shape[1] > 0 else 1
                for _ in range(times):
                    for g in range(flip.size):
                        draw = flip_bits(
                            out, key, generation, j, draw, gene_first[g], gene_stop[g], flip[g]
                        )


@inline
def flip_bits(out, key, generation, offspring, draw, first, stop, rate):
    """Flip each bit of first..stop-1 with probability `rate`; return the next draw index."""
    if rate <= 0.0:
        return draw
    slope = 1.0 / math.log1p(-rate) if rate < 1.0 else 0.0
    at = first - 1
    while True:
        a, b, _, _ = philox(key, generation, offspring, FLIP, draw)
        draw += 1
        skip = math.log(1.0 - double(a, b)) * slope
        if skip >= np.float64(stop - at):
            return draw
        at += 1 + int(skip)
        if at >= stop:
            return draw
        out[at >> 6] ^= np.uint64(1) << np.uint64(at & 63)
