"""Terms of the Price equation that cancel exactly leave rounding, which is no violation."""

from __future__ import annotations

import numpy as np
import pytest

from evosim.ledger import BOUND, Pedigree, price_terms

NONE = np.zeros((1, 0), np.int32)


def pedigree(gametes):
    parent = np.repeat(np.arange(gametes.size), gametes).astype(np.int32)
    born = np.array([parent.size])
    return Pedigree(gametes[None].astype(np.int32), parent[None], NONE, NONE, born)


@pytest.mark.parametrize("seed", range(5))
def test_terms_that_cancel(seed):
    rng = np.random.default_rng(seed)
    half = rng.integers(0, 21, 200) / 20
    # Twins on both sides: whoever is doubled on one side is left out on the other.
    values = np.concatenate([half, rng.permutation(half)])
    order = np.argsort(values, kind="stable")
    gametes = np.ones(values.size, np.int64)
    gametes[order[0::4]], gametes[order[3::4]] = 2, 0
    gametes[order[1::4]], gametes[order[2::4]] = 0, 2
    count = np.array([values.size])
    found = pedigree(gametes)
    terms, residual = price_terms(
        count, found, values[None, :, None], values[found.parent[0]][None, :, None], 1
    )
    assert abs(terms.after[0, 0] - terms.before[0, 0]) < 0.01
    assert residual.max() <= BOUND


def test_exact_balance_is_within_the_bound():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).repeat(50)
    # 0.1 + 0.6 = 0.2 + 0.5: the mean stays, in exact arithmetic.
    gametes = np.ones(300, np.int64)
    gametes[[0, 250]] = 2
    gametes[[50, 200]] = 0
    found = pedigree(gametes)
    count = np.array([300])
    terms, residual = price_terms(
        count, found, values[None, :, None], values[found.parent[0]][None, :, None], 1
    )
    assert abs(terms.selection[0, 0]) < 1e-15
    assert residual.max() <= BOUND


def test_a_wrong_offspring_number_is_found():
    values = np.linspace(0.0, 1.0, 300)
    gametes = np.ones(300, np.int64)
    found = pedigree(gametes)
    # One birth is booked on another parent, in a generation in which nothing else happens.
    found.gametes[0, 10], found.gametes[0, 11] = 0, 2
    _, residual = price_terms(
        np.array([300]), found, values[None, :, None], values[None, :, None], 1
    )
    assert residual.max() > BOUND
