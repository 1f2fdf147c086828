"""Selection and reproduction again in plain Python: one agent and one locus at a time.

The draws are those of `tests/reference.py`.
"""

from __future__ import annotations

import bisect
import itertools
import math

import numpy as np
from reference import normals, uniform, words
from scipy.special import pdtr

from evosim.kernels import philox, reproduce, select

f32 = np.float32


# Selection


def fitness(kind, slope, baseline, relative, criterion):
    if kind == select.EXPONENTIAL:
        top = max(slope * x for x in criterion) if relative else 0.0
        return [math.exp(slope * x - top) for x in criterion]
    return [baseline + slope * x if kind == select.PROPORTIONAL else 1.0 for x in criterion]


def breeders(fraction, threshold, key, generation, criterion):
    """Who breeds; ties at the edge are drawn one after the other without replacement."""
    if fraction <= 0:
        return [float(x >= threshold) for x in criterion]
    wanted = max(1, math.floor(len(criterion) * fraction + 0.5))
    edge = sorted(criterion, reverse=True)[wanted - 1]
    out = [float(x > edge) for x in criterion]
    tied = [i for i, x in enumerate(criterion) if x == edge]
    for k in range(wanted - int(sum(out))):
        word = words(key, generation, k, philox.PARENT, 1)[0]
        pick = k + (word * (len(tied) - k) >> 32)
        tied[k], tied[pick] = tied[pick], tied[k]
        out[tied[k]] = 1.0
    return out


def gap(key, generation, j, draw=0):
    return -math.log(1.0 - uniform(key, generation, j, philox.PARENT, draw))


def wright_fisher(key, generation, born, fitness):
    """Parents: sorted uniforms (normalised sums of exponential gaps) on cumulated fitness."""
    upto = list(itertools.accumulate(fitness))
    points = list(itertools.accumulate(gap(key, generation, j) for j in range(born)))
    end = points[-1] + gap(key, generation, 0, 2)
    scale = upto[-1] / end
    last = max(i for i, w in enumerate(fitness) if w > 0)
    return [min(bisect.bisect_right(upto, x * scale), last) for x in points]


def mates(key, generation, born, fitness):
    upto = list(itertools.accumulate(fitness))
    last = max(i for i, w in enumerate(fitness) if w > 0)
    drawn = [uniform(key, generation, j, philox.MATE, 0) for j in range(born)]
    return [min(bisect.bisect_right(upto, upto[-1] * u), last) for u in drawn]


def tournament(size, key, generation, criterion, purpose, born):
    winners = []
    for j in range(born):
        drawn = [words(key, generation, j, purpose, k // 4)[k % 4] for k in range(size)]
        entered = [word * len(criterion) >> 32 for word in drawn]
        winners.append(max(entered, key=lambda i: criterion[i]))
    return winners


def poisson(key, generation, agent, mean):
    """Offspring number: the smallest k whose cumulative probability exceeds the draw."""
    total = 0
    for draw in range(max(1, math.ceil(mean / select.LARGEST_MEAN))):
        part = min(mean - draw * select.LARGEST_MEAN, select.LARGEST_MEAN)
        u = uniform(key, generation, agent, philox.PARENT, draw)
        total += next(k for k in itertools.count() if pdtr(k, part) > u)
    return total


def moran(key, generation, fitness):
    """Ancestor and births of each slot after as many birth-death events as agents."""
    n = len(fitness)
    slots = [(i, 0) for i in range(n)]
    for event in range(n):
        a, b, c, _ = words(key, generation, event, philox.MORAN, 0)
        upto = list(itertools.accumulate(fitness[i] for i, _ in slots))
        target = ((a << 32 | b) >> 11) / 2**53 * upto[-1]
        ancestor, births = slots[bisect.bisect_right(upto, target)]
        slots[c * n >> 32] = (ancestor, births + 1)
    return slots


# Reproduction


def crossover(mode, key, generation, offspring, haplotype, real, bits):
    """For every locus of a gamete (real ones, then bits): whether it is of the first source."""
    if mode == reproduce.ONE_POINT:
        a, b, c, _ = words(key, generation, offspring, philox.CROSSOVER, haplotype)
        u = ((a << 32 | b) >> 11) / 2**53
        point = 1 + int(u * (real + bits - 1)) if real + bits > 1 else 1
        return [(k < point) == (c & 1 == 0) for k in range(real + bits)]
    out = []
    for k in range(real):
        draw = 2 + haplotype + 2 * (k // 128)
        word = words(key, generation, offspring, philox.CROSSOVER, draw)[k // 32 % 4]
        out.append(word >> k % 32 & 1 == 1)
    for k in range(bits):
        draw = 1_000_000 + haplotype + 2 * (k // 64)
        high, low, _, _ = words(key, generation, offspring, philox.CROSSOVER, draw)
        out.append((high << 32 | low) >> k % 64 & 1 == 1)
    return out


def real_gamete(mode, key, generation, offspring, haplotype, one, two, bits):
    """Real loci of a gamete of two sources; clonal: of the one."""
    if mode == reproduce.CLONAL:
        return [f32(x) for x in one]
    if mode == reproduce.MIDPARENT:
        return [f32(0.5) * (x + y) for x, y in zip(one, two, strict=True)]
    first = crossover(mode, key, generation, offspring, haplotype, len(one), bits)
    return [x if own else y for own, x, y in zip(first, one, two, strict=False)]


def mutate(values, sd, chance, low, high, key, generation, offspring, order):
    """Mutate the real loci of one gamete; `order` counts the births and haplotypes before."""
    mutable = [k for k in range(len(sd)) if sd[k] > 0]
    if not mutable:
        return values
    start, width = mutable[0], mutable[-1] + 1 - mutable[0]
    quarters = -(-width // 4)
    partial = any(chance[k] < 1 for k in mutable)
    first = order * (quarters + width * partial)
    step = normals(key, generation, offspring, philox.MUTATION, first, width)
    out = list(values)
    for k in range(width):
        x = step[k]
        if partial:
            word = words(key, generation, offspring, philox.MUTATION, first + quarters + k)[0]
            x = x if word / 2**32 < chance[start + k] else f32(0)
        out[start + k] = out[start + k] + sd[start + k] * x
    for k in mutable:
        x = out[k]
        x = low[k] + (low[k] - x) if x < low[k] else x
        x = high[k] - (x - high[k]) if x > high[k] else x
        if x < low[k]:
            width = high[k] - low[k]
            x = high[k] - abs((x - low[k]) % (width + width) - width)
        out[k] = min(max(x, low[k]), high[k])
    return out


def flip(bits, genes, key, generation, offspring, draw):
    """Flip bits of the genes (first, stop, rate) by geometric skips; return the next draw."""
    for first, stop, rate in genes:
        at = first - 1
        while rate > 0:
            u = uniform(key, generation, offspring, philox.FLIP, draw)
            draw += 1
            skip = math.log(1.0 - u) / math.log1p(-rate) if rate < 1 else 0.0
            at += 1 + math.floor(skip)
            if at >= stop:
                break
            bits[at] ^= 1
    return draw


def unpack(row, loci):
    """The first `loci` bits of a row of 64-bit words."""
    return [int(row[k // 64]) >> k % 64 & 1 for k in range(loci)]
