"""Founders, and from genome to expressed values."""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.philox import EXPRESS, INITIAL, double, philox
from evosim.kernels.vecmath import fill_normals

_f = np.float32
#: Draws reserved per haplotype.
_STRIDE = 1 << 20


@kernel
def draw_initial(
    how, each, low, high, threshold, keys, gene, haplotype, agents, is_bits, at, real, bits
):
    """Fill one gene of one haplotype of all founders.

    Founders belong to no generation: that counter word names the gene instead, so that adding a
    gene changes no other gene's founders, wherever in the genome it stands.

    Parameters
    ----------
    how : int
        0 the values `each`; 1 normal(low, high); 2 uniform(low, high); 3 bits with probability
        `threshold`; 4 the first `threshold` gametes get `high`, the others `low`.
    each : (K,) float64
    gene : int
        32 bits that name the gene.
    haplotype : int
        0 or 1.
    at : int
        Real: first column; bits: first bit of the haplotype's row.
    real : (R, N, ...) float32
    bits : (R, N, ...) uint64
        One of the two is filled.
    """
    loci = each.size
    words = np.empty((4, (loci + 3) // 4), np.uint64)
    normal = np.empty(4 * ((loci + 3) // 4), np.float32)
    for r in range(keys.size):
        for i in range(agents):
            if how == 1:
                fill_normals(keys[r], gene, i, INITIAL, haplotype * _STRIDE, words, normal, loci)
            for k in range(loci):
                x = each[k]
                if how == 1:
                    x = low + high * np.float64(normal[k])
                elif how == 2 or how == 3:
                    a, b, _, _ = philox(keys[r], gene, i, INITIAL, haplotype * _STRIDE + k)
                    u = double(a, b)
                    x = low + (high - low) * u if how == 2 else np.float64(u < threshold)
                elif how == 4:
                    x = high if haplotype * agents + i < threshold else low
                if not is_bits:
                    real[r, i, at + k] = _f(x)
                elif x >= 0.5:
                    b = at + k
                    bits[r, i, b >> 6] |= np.uint64(1) << np.uint64(b & 63)


@kernel
def express(ploidy, noise, scale, keys, generation, count, real, out):
    """Write expressed values: the haplotypes' mean, scaled, plus environmental noise.

    Parameters
    ----------
    noise : (L,) float32
        sd per locus.
    scale : (L,) int64
        0 linear, 1 exp, 2 logistic, 3 threshold (1 above 0, else 0).
    real : (R, N, ploidy * L) float32
    out : (R, N, L) float32
        Overwritten.
    """
    loci = noise.size
    noisy = False
    for k in range(loci):
        noisy = noisy or noise[k] > _f(0.0)
    words = np.empty((4, (loci + 3) // 4), np.uint64)
    normal = np.zeros(4 * ((loci + 3) // 4), np.float32)
    for r in range(count.size):
        for i in range(count[r]):
            if noisy:
                fill_normals(keys[r], generation, i, EXPRESS, 0, words, normal, loci)
            for k in range(loci):
                x = real[r, i, k]
                if ploidy == 2:
                    x = _f(0.5) * (x + real[r, i, loci + k])
                if scale[k] == 1:
                    x = _f(math.exp(x))
                elif scale[k] == 2:
                    x = _f(1.0 / (1.0 + math.exp(-x)))
                elif scale[k] == 3:
                    x = _f(x > _f(0.0))
                out[r, i, k] = x + noise[k] * normal[k]


@kernel
def unpack_bits(bits, words, ploidy, first, stop, each, column, out):
    """Write a bit gene's values, haplotypes averaged, into columns of `out`.

    Parameters
    ----------
    bits : (R, N, ploidy * words) uint64
    first, stop : int
        Bits of a haplotype.
    each : bool
        One column per locus, else the mean over loci in one column.
    out : (R, N, Q) float64
        Columns from `column` on are overwritten.
    """
    loci = stop - first
    for r in range(bits.shape[0]):
        for i in range(bits.shape[1]):
            if not each:
                ones = 0
                for h in range(ploidy):
                    ones += count_ones(bits[r, i, h * words : (h + 1) * words], first, stop)
                out[r, i, column] = ones / ploidy / loci
                continue
            for k in range(loci):
                b = first + k
                x = 0.0
                for h in range(ploidy):
                    word = bits[r, i, h * words + (b >> 6)]
                    x += np.float64((word >> np.uint64(b & 63)) & np.uint64(1))
                out[r, i, column + k] = x / ploidy


@inline
def count_ones(row, first, stop):
    """Count the ones among bits first..stop-1 of one haplotype, a word at a time.

    The sum within a word is the usual one over pairs, nibbles and bytes (Warren 2013, Hacker's
    Delight, section 5-1).
    """
    ones = 0
    for w in range(first >> 6, (stop + 63) >> 6):
        x = row[w]
        low = first - 64 * w
        if low > 0:
            x = (x >> np.uint64(low)) << np.uint64(low)
        high = 64 * (w + 1) - stop
        if high > 0:
            x = (x << np.uint64(high)) >> np.uint64(high)
        x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
        x = (x & np.uint64(0x3333333333333333)) + (
            (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
        )
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        ones += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return ones
