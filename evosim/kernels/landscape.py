"""Payoff straight from genes: linear, quadratic, threshold and peaked landscapes."""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import kernel
from evosim.kernels.philox import NOISE
from evosim.kernels.vecmath import fill_normals

LINEAR = 0
QUADRATIC = 1
THRESHOLD = 2


@kernel
def live_on_traits(
    first, last, shape, weights, optimum, width, height, threshold, noise,
    locus, keys, generation, count, genes, payoff,
):  # fmt: skip
    """Evaluate real-gene landscapes for the replicates first..last-1.

    Parameters
    ----------
    shape : int
        LINEAR, QUADRATIC or THRESHOLD.
    weights, optimum, width : (K,) float64
        Per locus of the gene.
    height, threshold, noise : float
        Added for everyone; where the character is expressed; environmental sd.
    locus : int
        First locus of the gene.
    genes : (R, N, L) float32
        Expressed values.
    payoff : (R, N) float64
        Overwritten.
    """
    loci = weights.size
    words = np.empty((4, 1), np.uint64)
    normal = np.zeros(4, np.float32)
    for r in range(first, last):
        for i in range(count[r]):
            total = 0.0
            for k in range(loci):
                x = np.float64(genes[r, i, locus + k])
                if shape == QUADRATIC:
                    d = (x - optimum[k]) / width[k]
                    total -= 0.5 * d * d
                else:
                    total += weights[k] * x
            if noise > 0.0:
                fill_normals(keys[r], generation, i, NOISE, 0, words, normal, 1)
                total += noise * np.float64(normal[0])
            if shape == THRESHOLD:
                total = 1.0 if total > threshold else 0.0
            payoff[r, i] = height + total


@kernel
def live_on_bits(
    first, last, weights, height, first_bit, peak_height, peak_value, essential, shoulder,
    elsewhere, haplotypes, words_each, count, bits, payoff,
):  # fmt: skip
    """Evaluate bit-gene landscapes for the replicates first..last-1.

    Without peaks the payoff is linear: height + sum of weight * bit (haplotypes averaged).
    With peaks an agent gets the height of the best network that its genotype belongs to, that
    network's shoulder when one essential locus is off, else `elsewhere`.

    Parameters
    ----------
    weights : (K,) float64
    first_bit : int
        First bit of the gene in a haplotype.
    peak_height, shoulder : (P,) float64
        A NaN-free shoulder: `elsewhere` where the peak has none.
    peak_value, essential : (P,) int64
    haplotypes, words_each : int
        Haplotypes per agent, words per haplotype.
    bits : (R, N, haplotypes * words_each) uint64
    payoff : (R, N) float64
        Overwritten.
    """
    peaks = peak_height.size
    for r in range(first, last):
        for i in range(count[r]):
            total = 0.0
            for h in range(haplotypes):
                base = h * words_each
                if peaks == 0:
                    part = 0.0
                    for k in range(weights.size):
                        b = first_bit + k
                        if (bits[r, i, base + (b >> 6)] >> np.uint64(b & 63)) & np.uint64(1):
                            part += weights[k]
                    total += part
                    continue
                best = elsewhere
                for p in range(peaks):
                    off = 0
                    for k in range(essential[p]):
                        b = first_bit + k
                        bit = (bits[r, i, base + (b >> 6)] >> np.uint64(b & 63)) & np.uint64(1)
                        off += bit != np.uint64(peak_value[p])
                        if off > 1:
                            break
                    value = elsewhere
                    if off == 0:
                        value = peak_height[p]
                    elif off == 1:
                        value = shoulder[p]
                    best = max(best, value)
                total += best
            payoff[r, i] = height + total / haplotypes
