"""Choices between two actions by their odds: those that the probabilities make, or none."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from evosim.kernels.mind import HEAD, SOFTMAX, TEMPERATURE, choose_by_value, odds_by_value
from evosim.kernels.odds import OPEN, choose, choose_by_odds

WORDS = 2**32


@numba.njit
def _both(values, words, memory, out):
    prob = np.empty(2)
    for k in range(words.size):
        choose_by_value(SOFTMAX, memory, values[k], 0, prob)
        out[k, 0] = choose(prob, 2, words[k])
        out[k, 1] = choose_by_odds(odds_by_value(memory, values[k, 0], values[k, 1]), words[k])


def both(values, words, temperature=1.0):
    """Actions by the probabilities, and by the odds."""
    memory = np.zeros(HEAD)
    memory[TEMPERATURE] = temperature
    out = np.empty((len(words), 2), np.uint64)
    _both(np.asarray(values, float), np.asarray(words, np.uint64), memory, out)
    return out.T


def near(values, steps):
    """Words around that at which the choice changes, with their pairs of values."""
    share = WORDS / (1.0 + np.exp(values[:, 1] - values[:, 0]))
    words = np.floor(share)[:, None] + steps
    pairs = np.repeat(values, len(steps), axis=0)
    return pairs, np.clip(words, 0, WORDS - 1).ravel()


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_next_to_the_threshold_odds_never_choose_otherwise(temperature):
    rng = np.random.default_rng(1)
    gap = rng.uniform(-30.0, 30.0, 4000)
    # The ends of the parts, and their neighbours: nowhere do bounds change faster.
    ends = np.arange(-24.0, 24.03125, 0.03125)
    gap = np.concatenate([gap, ends, np.nextafter(ends, 99.0), np.nextafter(ends, -99.0)])
    for base in (0.0, 0.7):
        values = base + np.stack([gap, np.zeros_like(gap)], axis=1)
        pairs, words = near(values, np.arange(-3, 4))
        exact, by_odds = both(temperature * pairs, words, temperature)
        told = by_odds != OPEN
        assert np.array_equal(by_odds[told], exact[told])


def test_most_draws_are_decided():
    rng = np.random.default_rng(2)
    values = rng.normal(0.0, 3.0, (200_000, 2))
    exact, by_odds = both(values, rng.integers(0, WORDS, len(values)))
    told = by_odds != OPEN
    assert np.array_equal(by_odds[told], exact[told])
    # A part is a 32nd wide and the logistic function's slope is 1/4 at most.
    assert 1.0 - told.mean() < 1.0 / 128.0


@pytest.mark.parametrize("gap", [24.0, 60.0, 800.0, 1e300, np.inf])
def test_the_ends_reach_to_impossible_and_to_certain(gap):
    words = [0, 1, 2, 1000, WORDS // 2, WORDS - 1000, WORDS - 2, WORDS - 1]
    for pair in ([gap, 0.0], [0.0, gap]):
        exact, by_odds = both([pair] * len(words), words)
        told = by_odds != OPEN
        assert np.array_equal(by_odds[told], exact[told])
        assert told[2:-2].all()


@pytest.mark.parametrize("pair", [[np.nan, 0.0], [np.inf, np.inf], [-np.inf, -np.inf]])
def test_what_is_no_number_is_left_open(pair):
    words = [0, 5, WORDS // 2, WORDS - 1]
    assert (both([pair] * len(words), words)[1] == OPEN).all()
