"""Recombination and mutation against the reference, locus by locus."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import reference_breeding as reference
from kernels_case import KEYS

from evosim.kernels import reproduce
from evosim.kernels.reproduce import CLONAL, FREE, MIDPARENT, ONE_POINT

f32 = np.float32
G = 4
#: More offspring than a block in one replicate, none in another.
BORN = np.array([reproduce.BLOCK + 3, 6, 0])
AGENTS = int(BORN.max())
SHOWN = [(0, 0), (0, 5), (0, reproduce.BLOCK), (0, reproduce.BLOCK + 2), (1, 0), (1, 5)]
NONE = np.zeros((3, 0), np.int32)
INFINITE = math.inf


def pedigree(rng, mode, births=False):
    parent = rng.integers(AGENTS, size=(3, AGENTS)).astype(np.int32)
    mate = NONE if mode == CLONAL else rng.integers(AGENTS, size=(3, AGENTS)).astype(np.int32)
    times = rng.integers(0, 4, (3, AGENTS)).astype(np.int32) if births else NONE
    return parent, mate, times


def mutation(rng, loci, kind):
    """sd, chance, low, high per locus."""
    sd = np.full(loci, 0.3, f32)
    chance, low, high = np.ones(loci, f32), np.full(loci, -INFINITE), np.full(loci, INFINITE)
    if kind == "none":
        sd[:] = 0
    if kind == "some loci":
        sd[[0, 2]] = 0
        sd[-1] = 0 if loci > 4 else sd[-1]
    if kind == "partial":
        chance[:] = rng.random(loci)
    if kind == "bounded":
        sd[:] = 2.0
        low[1:], high[1:] = -0.5, 0.5
        low[-1] = -INFINITE
    return sd, chance, low.astype(f32), high.astype(f32)


def sources(mode, ploidy, parents, r, mother, father, haplotype):
    """The two strands that a gamete is made of."""
    if mode == CLONAL:
        strand = np.split(parents[r, mother], ploidy)[haplotype]
        return strand, strand
    if ploidy == 1:
        return parents[r, mother], parents[r, father]
    return tuple(np.split(parents[r, father if haplotype else mother], 2))


CASES = [
    (mode, ploidy, loci, kind, births)
    for (mode, ploidy), (loci, kind, births) in product(
        [(CLONAL, 1), (CLONAL, 2), (FREE, 1), (FREE, 2), (ONE_POINT, 1), (ONE_POINT, 2),
         (MIDPARENT, 1)],
        [(5, "all", False), (3, "none", False), (6, "some loci", True), (5, "partial", True),
         (4, "bounded", False)],
    )
]  # fmt: skip


@pytest.mark.parametrize(("mode", "ploidy", "loci", "kind", "births"), CASES)
def test_real_loci_equal_the_reference_bit_for_bit(mode, ploidy, loci, kind, births):
    rng = np.random.default_rng(loci)
    parent, mate, times = pedigree(rng, mode, births)
    parents = rng.normal(size=(3, AGENTS, ploidy * loci)).astype(f32)
    code = mutation(rng, loci, kind)
    out = np.full_like(parents, 99)
    bits = 7
    blocks = 3 * -(-AGENTS // reproduce.BLOCK)
    reproduce.reproduce_real(
        0, blocks, mode, ploidy, loci + bits, *code, KEYS[:3], G, BORN, parent, mate, times,
        parents, out,
    )  # fmt: skip
    for r, j in SHOWN:
        for h in range(ploidy):
            father = mate[r, j] if mate.size else -1
            one, two = sources(mode, ploidy, parents, r, parent[r, j], father, h)
            want = reference.real_gamete(mode, KEYS[r], G, j, h, one, two, bits)
            for birth in range(times[r, j] if times.size else 1):
                want = reference.mutate(want, *code, KEYS[r], G, j, birth * ploidy + h)
            assert out[r, j, h * loci : (h + 1) * loci].tolist() == [float(x) for x in want]
    assert (out[1, BORN[1] :] == 99).all()
    assert (out[2] == 99).all()


def test_free_recombination_of_many_loci_equals_the_reference():
    rng = np.random.default_rng(1)
    loci = 300
    parent, mate, times = pedigree(rng, FREE)
    parents = rng.normal(size=(3, AGENTS, loci)).astype(f32)
    out = np.zeros_like(parents)
    reproduce.reproduce_real(
        0, 6, FREE, 1, loci, *mutation(rng, loci, "none"), KEYS[:3], G, BORN, parent, mate,
        times, parents, out,
    )  # fmt: skip
    one, two = parents[0, parent[0, 5]], parents[0, mate[0, 5]]
    assert out[0, 5].tolist() == reference.real_gamete(FREE, KEYS[0], G, 5, 0, one, two, 0)


BIT_CASES = [
    (mode, ploidy, births)
    for mode, ploidy in [(CLONAL, 1), (CLONAL, 2), (FREE, 1), (FREE, 2), (ONE_POINT, 1),
                         (ONE_POINT, 2)]
    for births in (False, True)
]  # fmt: skip
#: Genes of a haplotype of 150 bits, one across the end of a word: first, stop, flip probability.
GENES = [(0, 1, 1.0), (1, 60, 0.05), (60, 140, 0.3), (140, 150, 0.0)]


@pytest.mark.parametrize(("mode", "ploidy", "births"), BIT_CASES)
def test_bits_equal_the_reference(mode, ploidy, births):
    rng = np.random.default_rng(ploidy)
    parent, mate, times = pedigree(rng, mode, births)
    loci, words, real = 150, 3, 5
    parents = rng.integers(0, 2**64, (3, AGENTS, ploidy * words), dtype=np.uint64)
    out = np.full_like(parents, 99)
    first, stop, rate = (np.array(x) for x in zip(*GENES, strict=True))
    reproduce.reproduce_bits(
        0, 6, mode, ploidy, real, real + loci, first, stop, rate, KEYS[:3], G, BORN, parent,
        mate, times, parents, out,
    )  # fmt: skip
    for r, j in SHOWN:
        draw = 0
        for h in range(ploidy):
            father = mate[r, j] if mate.size else -1
            strands = sources(mode, ploidy, parents, r, parent[r, j], father, h)
            one, two = (reference.unpack(s, loci) for s in strands)
            want = one
            if mode != CLONAL:
                own = reference.crossover(mode, KEYS[r], G, j, h, real, loci)[real:]
                want = [x if mine else y for mine, x, y in zip(own, one, two, strict=True)]
            for _ in range(times[r, j] if times.size else 1):
                draw = reference.flip(want, GENES, KEYS[r], G, j, draw)
            got = out[r, j, h * words : (h + 1) * words]
            assert reference.unpack(got, loci) == want
    assert (out[1, BORN[1] :] == 99).all()
    assert (out[2] == 99).all()


@pytest.mark.parametrize("offset", [0, 1, 59, 60, 127, 128])
def test_one_crossover_point_cuts_real_loci_and_bits_at_one_place(offset):
    """One strand all 1, the other all 0: the child changes from one to the other once."""
    real, loci = offset, 130
    code = (np.zeros(real, f32), np.ones(real, f32), *(np.zeros(real, f32),) * 2)
    parents = np.zeros((1, 2, real), f32)
    parents[0, 0] = 1
    packed = np.zeros((1, 2, 3), np.uint64)
    packed[0, 0] = ~np.uint64(0)
    born = np.array([400])
    parent, mate = np.zeros((1, 400), np.int32), np.ones((1, 400), np.int32)
    children, bits = np.zeros((1, 400, real), f32), np.zeros((1, 400, 3), np.uint64)
    wide = np.zeros((1, 400, real), f32)
    wide[:, :2] = parents
    wide_bits = np.zeros((1, 400, 3), np.uint64)
    wide_bits[:, :2] = packed
    common = (KEYS[:1], G, born, parent, mate, np.zeros((1, 0), np.int32))
    if real:
        reproduce.reproduce_real(0, 2, ONE_POINT, 1, real + loci, *code, *common, wide, children)
    nothing = np.zeros(0, np.int64)
    reproduce.reproduce_bits(
        0, 2, ONE_POINT, 1, real, real + loci, nothing, nothing, np.zeros(0), *common,
        wide_bits, bits,
    )  # fmt: skip
    points, sides = [], []
    for j in range(400):
        child = [*children[0, j].astype(int), *reference.unpack(bits[0, j], loci)]
        changes = [k for k in range(1, real + loci) if child[k] != child[k - 1]]
        assert len(changes) == 1
        points += changes
        sides.append(child[0])
    # Points are uniform on 1..L-1 and both strands come first equally often.
    last = real + loci - 1
    assert abs(np.mean(points) - (1 + last) / 2) < 4 * (last / math.sqrt(12)) / 20
    assert abs(np.mean(sides) - 0.5) < 4 * 0.5 / 20


def test_mutation_and_flips_have_their_rates_and_sizes():
    n, loci = 20_000, 8
    born, parent = np.array([n]), np.zeros((1, n), np.int32)
    none = np.zeros((1, 0), np.int32)
    sd, chance = np.full(loci, 0.5, f32), np.full(loci, 0.1, f32)
    bound = np.full(loci, INFINITE, f32)
    parents, out = np.zeros((1, n, loci), f32), np.zeros((1, n, loci), f32)
    blocks = -(-n // reproduce.BLOCK)
    reproduce.reproduce_real(
        0, blocks, CLONAL, 1, loci, sd, chance, -bound, bound, KEYS[:1], G, born, parent, none,
        none, parents, out,
    )  # fmt: skip
    moved = out[0] != 0
    assert abs(moved.mean() - 0.1) < 4 * math.sqrt(0.09 / moved.size)
    assert abs(out[moved[None]].std() - 0.5) < 4 * 0.5 / math.sqrt(2 * moved.sum())
    bits, flipped = np.zeros((1, n, 1), np.uint64), np.zeros((1, n, 1), np.uint64)
    genes = np.array([0, 4]), np.array([4, 64]), np.array([0.25, 0.01])
    reproduce.reproduce_bits(
        0, blocks, CLONAL, 1, 0, 64, *genes, KEYS[:1], G, born, parent, none, none, bits, flipped
    )
    each = np.array([[int(w) >> k & 1 for k in range(64)] for w in flipped[0, :, 0]])
    for first, stop, p in zip(*genes, strict=True):
        share = each[:, first:stop].mean(axis=0)
        assert np.abs(share - p).max() < 5 * math.sqrt(p * (1 - p) / n)
        together = (each[:, first] * each[:, first + 1]).mean()
        assert abs(together - p * p) < 4 * p / math.sqrt(n)


def test_bounds_hold_however_long_the_step():
    rng = np.random.default_rng(2)
    sd = np.full(4, 50.0, f32)
    low, high = np.full(4, -1, f32), np.full(4, 2, f32)
    parents = rng.uniform(-1, 2, (3, AGENTS, 4)).astype(f32)
    out = np.zeros_like(parents)
    parent, mate, times = pedigree(rng, CLONAL)
    reproduce.reproduce_real(
        0, 6, CLONAL, 1, 4, sd, np.ones(4, f32), low, high, KEYS[:3], G, BORN, parent, mate,
        times, parents, out,
    )  # fmt: skip
    assert out[0].min() >= -1
    assert out[0].max() <= 2
    # Steps of many widths end anywhere between the bounds.
    ends = out[0][: BORN[0]].ravel().astype(float)
    assert abs(ends.mean() - 0.5) < 4 * math.sqrt(9 / 12 / ends.size)
    assert abs((ends < 0).mean() - 1 / 3) < 4 * math.sqrt(2 / 9 / ends.size)
