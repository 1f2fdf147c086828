"""Explicit vectors give, lane by lane, the bits of the scalar operations."""

from __future__ import annotations

import numba
import numpy as np

from evosim.kernels.vecmath import exp2_32, exp32
from evosim.kernels.wide import (
    WIDE,
    columns,
    fused,
    larger,
    load,
    pick,
    smaller,
    spread,
    store,
    store_integers,
)

f32 = np.float32


@numba.njit(error_model="numpy")
def _vectors(x, y, out, whole):
    for at in range(0, x.size, WIDE):
        a, b = load(x, at), load(y, at)
        store(out[0], at, a + b)
        store(out[1], at, a - f32(0.5) * b)
        store(out[2], at, a / b)
        store(out[3], at, larger(a, b) - smaller(a, f32(0.25)))
        store(out[4], at, fused(a, b, f32(1.0)))
        store(out[5], at, exp32(a))
        store(out[6], at, exp2_32(smaller(a, spread(f32(0.0)))))
        chosen = pick(a, b, f32(3.0), f32(7.0))
        chosen += f32(1.0)
        store_integers(whole, at, chosen)


@numba.njit(error_model="numpy")
def _scalars(x, y, out, whole):
    for k in range(x.size):
        a, b = x[k], y[k]
        out[0, k] = a + b
        out[1, k] = a - f32(0.5) * b
        out[2, k] = a / b
        out[3, k] = max(a, b) - min(a, f32(0.25))
        out[4, k] = fused(a, b, f32(1.0))
        out[5, k] = exp32(a)
        out[6, k] = exp2_32(min(a, f32(0.0)))
        whole[k] = 4 if a >= b else 8


def both(x, y):
    found = []
    for run in (_vectors, _scalars):
        out, whole = np.full((7, x.size), 99, f32), np.full(x.size, 99, np.uint32)
        run(x, y, out, whole)
        found.append((out, whole))
    return found


def test_vectors_give_the_bits_of_scalars():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 20, (2, 40 * WIDE)).astype(f32)
    x[:6], y[:4] = [0, -0.0, 300, -300, 1e30, -1e30], [0, 0, 1, 1]
    y[7] = x[7]
    (out, whole), (want, chosen) = both(x, y)
    assert np.array_equal(out, want, equal_nan=True)
    assert np.array_equal(whole, chosen)
    assert set(whole) == {4, 8}


def test_a_fused_product_is_rounded_once():
    x = np.full(WIDE, 1 + 2**-12, f32)
    y = np.full(WIDE, -(1 - 2**-12), f32)
    (out, _), (want, _) = both(x, y)
    assert (out[4] == f32(2**-24)).all()
    assert (want[4] == f32(2**-24)).all()


@numba.njit(error_model="numpy")
def _columns(table, stride, first, rows, of, lane, out):
    for k, column in enumerate(columns(table, stride, first, rows, of, lane)):
        store(out[k], 0, column)


def test_columns_are_those_of_the_rows_looked_up():
    rng = np.random.default_rng(2)
    table = rng.normal(size=(9, 24)).astype(f32)
    rows = rng.integers(9, size=30).astype(np.int32)
    of = rng.integers(30, size=2 * WIDE).astype(np.uint64)
    for first in (0, 8, 16):
        for lane in (0, WIDE):
            out = np.empty((8, WIDE), f32)
            _columns(table.ravel(), 24, first, rows, of, lane, out)
            want = table[rows[of[lane : lane + WIDE]], first : first + 8].T
            assert np.array_equal(out, want)
