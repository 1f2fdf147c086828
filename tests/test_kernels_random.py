"""Philox against its published vectors; single-precision functions; normal draws."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
import reference
from kernels_case import KEYS

from evosim.kernels import philox
from evosim.kernels.philox import replicate_keys
from evosim.kernels.vecmath import (
    exp2_32,
    exp32,
    exp64,
    fill_normals,
    minus_two_log,
    radius,
    sincos_turn,
    tanh32,
)

MASK = 2**64 - 1


@numba.njit
def _words(keys, counters, out):
    for k in range(keys.size):
        g, a, p, d = counters[k]
        out[k] = philox.philox(keys[k], g, a, p, d)


@numba.njit
def _functions(x, out):
    for k in range(x.size):
        out[0, k] = exp32(x[k])
        out[1, k] = tanh32(x[k])
        out[2, k] = minus_two_log(np.float32(1e-30) + abs(x[k]))
        out[3, k] = exp2_32(-abs(x[k]))


@numba.njit
def _exp64(x, out):
    for k in range(x.size):
        out[k] = exp64(x[k])


def double_exp(x):
    x = np.array(x, np.float64)
    out = np.empty_like(x)
    _exp64(x, out)
    return out


@numba.njit
def _of_words(w, out):
    for k in range(w.size):
        out[0, k], out[1, k] = sincos_turn(w[k])
        out[2, k] = radius(w[k])


@numba.njit
def _normals(key, agents, out):
    scratch = np.empty((4, out.shape[1] // 4), np.uint64)
    for i in range(agents):
        fill_normals(key, 5, i, philox.MUTATION, 0, scratch, out[i], out.shape[1])


def words(keys, counters):
    out = np.empty((len(keys), 4), np.uint64)
    _words(np.array(keys, np.uint64), np.array(counters, np.int64), out)
    return out.tolist()


def functions(x):
    out = np.empty((4, len(x)), np.float32)
    _functions(np.asarray(x, np.float32), out)
    return out


def of_words(w):
    out = np.empty((3, len(w)), np.float32)
    _of_words(np.asarray(w, np.uint64), out)
    return out


@pytest.fixture(scope="module")
def normals():
    out = np.empty((20_000, 16), np.float32)
    _normals(KEYS[0], len(out), out)
    return out


# The file kat_vectors of the Random123 distribution, lines "philox4x32 10".
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_answers(counter, key, answer):
    key = key[0] | key[1] << 32
    assert words([key], [counter]) == [list(answer)]
    assert reference.words(key, *counter) == list(answer)


def test_philox_equals_the_reference_on_random_counters():
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 2**64, 200, dtype=np.uint64)
    counters = rng.integers(0, 2**32, (200, 4))
    want = [reference.words(k, *c) for k, c in zip(keys, counters, strict=True)]
    assert words(keys, counters) == want


def test_philox_reads_32_bits_of_each_counter_word():
    assert words([7], [(2**32 + 1, 2, 3, 4)]) == words([7], [(1, 2, 3, 4)])


def test_every_purpose_has_a_number_of_its_own_below_the_assays():
    names = [n for n in vars(philox) if n.isupper() and not n.startswith(("_", "TWO"))]
    numbers = [getattr(philox, n) for n in names]
    assert len(names) > 10
    assert len(set(numbers)) == len(numbers)
    assert max(n for n in numbers if n != philox.ASSAY) < philox.ASSAY


def test_double_uses_53_bits_and_stays_below_one():
    assert philox.double(np.uint64(2**32 - 1), np.uint64(2**32 - 1)) == 1 - 2**-53
    assert philox.double(np.uint64(0), np.uint64(2**11)) == 2**-53
    assert philox.double(np.uint64(2**31), np.uint64(0)) == 0.5


def test_below_covers_the_range_evenly():
    rng = np.random.default_rng(2)
    for n in (1, 3, 1000, 50_000_000):
        assert philox.below(np.uint64(2**32 - 1), n) == n - 1
        assert philox.below(np.uint64(0), n) == 0
        for w in rng.integers(0, 2**32, 5):
            assert philox.below(np.uint64(w), n) == int(w) * n >> 32


def test_replicate_keys_hash_seed_and_index():
    def mix(x):
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
        x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
        return x ^ x >> 31

    for seed in (0, 1, 2**63 - 1, 2**64 - 1):
        base = mix(seed + 0x9E3779B97F4A7C15 & MASK)
        want = [mix(base ^ mix((i + 1) * 0xD1342543DE82EF95 & MASK)) for i in (0, 1, 999_999)]
        assert replicate_keys(seed, np.array([0, 1, 999_999])).tolist() == want


def test_replicate_keys_do_not_meet_and_can_be_had_one_by_one():
    keys = np.concatenate([replicate_keys(seed, np.arange(20_000)) for seed in range(5)])
    assert np.unique(keys).size == keys.size
    halves = np.concatenate([keys & np.uint64(2**32 - 1), keys >> np.uint64(32)])
    # 200,000 random halves of 32 bits meet about 4.7 times.
    assert halves.size - np.unique(halves).size < 20
    assert replicate_keys(3, np.array([777])) == keys[3 * 20_000 + 777]


def test_single_precision_functions_are_accurate():
    x = np.concatenate([np.linspace(-86.9, 87.9, 40_001), np.geomspace(1e-6, 80, 20_001)])
    x = x.astype(np.float32)
    exact = x.astype(np.float64)
    got = functions(x).astype(np.float64)
    assert np.abs(got[0] / np.exp(exact) - 1).max() < 2e-7
    assert np.abs(got[1] - np.tanh(exact)).max() < 2e-7
    assert np.abs(got[3] / np.exp2(-np.abs(exact)) - 1).max() < 2e-7
    away = np.abs(exact) > 1e-3
    log = -2 * np.log(np.abs(exact[away]))
    assert (np.abs(got[2][away] - log) <= 2e-7 * np.abs(log) + 1e-9).all()


def test_single_precision_functions_equal_the_reference_bit_for_bit():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(0, 30, 5000), [0, -0.0, 1, -1, 500, -500]]).astype(np.float32)
    got = functions(x)
    assert np.array_equal(got[0], reference.exp32(x))
    assert np.array_equal(got[1], reference.tanh32(x))
    assert np.array_equal(got[3], reference.exp2_32(-np.abs(x)))
    assert np.array_equal(got[2], reference.minus_two_log(np.float32(1e-30) + np.abs(x)))
    w = np.concatenate([rng.integers(0, 2**32, 5000), [0, 1, 2**30, 2**31, 2**32 - 1]])
    got = of_words(w)
    sine, cosine = reference.sincos(w.astype(np.uint64))
    assert np.array_equal(got[0], sine)
    assert np.array_equal(got[1], cosine)
    assert np.array_equal(got[2], reference.radius(w.astype(np.uint64)))


def test_double_precision_exp_is_within_a_unit_in_the_last_place():
    x = -np.concatenate([np.linspace(0, 708, 100_001), np.geomspace(1e-300, 700, 20_001)])
    exact = np.array([math.exp(v) for v in x])
    assert (np.abs(double_exp(x) - exact) <= np.spacing(exact)).all()


def test_double_precision_exp_equals_the_reference_bit_for_bit():
    x = -np.abs(np.random.default_rng(4).normal(0, 100, 3000))
    x = np.concatenate([x, [0.0, -0.0, -1.0, -708.0, -709.0, -math.log(2) / 2]])
    assert double_exp(x).tolist() == [reference.exp64(v) for v in x.tolist()]


def test_double_precision_exp_of_what_is_no_ordinary_number():
    assert double_exp([0.0, -709.0, -1e300, -np.inf]).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert np.isnan(double_exp([np.nan])[0])


def test_exp_is_clamped_not_infinite():
    got = functions([-1e30, -1e4, 1e4, 1e30])[0]
    assert (got > 0).all()
    assert np.isfinite(got).all()
    assert got[0] == got[1] < 1e-37
    assert got[3] == got[2] > 1e38


def test_angles_and_radii_of_the_extreme_words():
    w = np.concatenate([np.arange(0, 2**32, 104_729), [2**32 - 1]])
    sine, cosine, length = of_words(w).astype(np.float64)
    angle = 2 * math.pi * w / 2**32 - math.pi / 4
    assert np.abs(sine - np.sin(angle)).max() < 1.5e-7
    assert np.abs(cosine - np.cos(angle)).max() < 1.5e-7
    u = (w >> 1) / 2**31 + 2**-32
    ordinary = u < 0.999
    want = np.sqrt(-2 * np.log(u[ordinary]))
    assert np.abs(length[ordinary] / want - 1).max() < 2e-5
    assert np.isfinite(length).all()
    assert length[-1] == 0.0  # the largest word, not the root of a rounded negative number
    assert 6.6 < length[0] < 6.7


def test_normals_equal_the_reference_draw_by_draw(normals):
    for i in (0, 7, 19_999):
        want = reference.normals(KEYS[0], 5, i, philox.MUTATION, 0, 16)
        assert np.array_equal(normals[i], want)


def test_normals_are_normal(normals):
    x = normals.astype(np.float64).ravel()
    n = x.size
    assert abs(x.mean()) < 4 / math.sqrt(n)
    assert abs(x.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((x**3).mean()) < 4 * math.sqrt(15 / n)
    assert abs((x**4).mean() - 3) < 4 * math.sqrt(96 / n)
    # Counts in bins, tails included: chi-square with 24 degrees of freedom.
    edges = np.linspace(-3, 3, 24)
    upto = np.array([0.5 * math.erfc(-e / math.sqrt(2)) for e in edges])
    p = np.diff(np.concatenate([[0], upto, [1]]))
    seen = np.bincount(np.searchsorted(edges, x), minlength=25)
    chi = ((seen - n * p) ** 2 / (n * p)).sum()
    assert abs(chi - 24) < 4 * math.sqrt(48)


def test_normals_of_one_agent_are_independent(normals):
    x = normals.astype(np.float64)
    n = len(x)
    for y, size in ((x, 1.0), (x**2 - 1, 2.0)):
        correlation = y.T @ y / (n * size)
        off = correlation[~np.eye(16, dtype=bool)]
        assert np.abs(off).max() < 5 / math.sqrt(n)  # the largest of 240
        assert abs((y[1:] * y[:-1]).mean()) < 4 * size / math.sqrt(y[1:].size)
