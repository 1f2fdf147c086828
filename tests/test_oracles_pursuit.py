"""Oracles of pursuit against integrals, simulation and the kernels' own lives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from evosim.oracles import best_weight, estimate_threshold, luck_threshold, weighed_success


def test_the_threshold_of_luck_is_where_two_types_leave_as_many_offspring():
    d, beta, episodes = 0.16, 10.0, 50
    cost = luck_threshold(d, beta, episodes)
    failed = np.arange(episodes + 1)
    chance = stats.binom.pmf(failed, episodes, d)
    habit = (chance * np.exp(beta * (1 - failed / episodes))).sum()
    assert habit == pytest.approx(math.exp(beta * (1 - cost)), rel=1e-12)
    assert cost == pytest.approx(0.147, abs=5e-4)
    assert luck_threshold(d, beta, 10**9) == pytest.approx(d, rel=1e-6)
    assert luck_threshold(0.0, beta, 5) == 0.0


def test_a_sharp_choice_is_the_best_of_the_estimates():
    """P(1 + s e_r > s max of 3) = integral of phi(e) Phi(1/s + e)^3."""
    for noise in (0.3, 1.0):
        want, _ = integrate.quad(
            lambda e, s=noise: stats.norm.pdf(e) * stats.norm.cdf(1 / s + e) ** 3, -9, 9
        )
        usual, odd = weighed_success(2e3, 0.0, noise)
        assert float(usual) == pytest.approx(want, abs=5e-3)
        assert float(odd) == pytest.approx(want, abs=5e-3)


def test_without_noise_success_is_a_softmax():
    usual, odd = weighed_success([0.0, 2.0], 1.5, 0.0)
    e = math.exp
    assert usual.tolist() == pytest.approx([e(1.5) / (e(1.5) + 3), e(3.5) / (e(3.5) + 3)])
    assert odd.tolist() == pytest.approx([1 / (e(1.5) + 3), e(2) / (e(1.5) + e(2) + 2)])


@pytest.mark.parametrize("unrest", [0.0, 2.0])
def test_success_agrees_with_a_simulation(unrest):
    rng = np.random.default_rng(4)
    x, habit, noise = 5.0, 2.0, 0.7
    error = rng.normal(size=(2, 200_000, 4))
    logit = x * noise * error[0] + unrest * error[1] + np.array([habit, x, 0, 0])
    p = np.exp(logit)
    p = p[:, 1] / p.sum(axis=1)
    _, odd = weighed_success(x, habit, noise, unrest=unrest)
    assert abs(float(odd) - p.mean()) < 4 * p.std() / math.sqrt(p.size) + 4e-3


def test_the_boundary_is_where_the_best_weight_becomes_none():
    for novelty, noise in ((0.05, 0.0), (0.2, 0.5), (0.4, 1.0)):
        cost = estimate_threshold(novelty, noise, 0.1)
        assert 0.0 < cost < 5.0
        assert best_weight(novelty, noise, 0.99 * cost, 0.1) > 0.0
        assert best_weight(novelty, noise, 1.01 * cost, 0.1) == 0.0


def test_what_raises_and_lowers_the_boundary():
    at = [estimate_threshold(n, 0.5, 0.1) for n in (0.0, 0.05, 0.2, 0.4)]
    assert at == sorted(at)
    assert at[0] < 1e-3  # nothing is new: the habit has no limit, and nothing to gain
    by_noise = [estimate_threshold(0.2, s, 0.1) for s in (0.0, 0.5, 1.0)]
    assert by_noise == sorted(by_noise, reverse=True)
    by_unrest = [estimate_threshold(0.2, 0.25, 0.1, unrest=u) for u in (0.0, 1.0, 2.5)]
    assert by_unrest == sorted(by_unrest, reverse=True)
    assert by_unrest[2] < 0.6 * by_unrest[0]


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="episodes"):
        luck_threshold(0.1, 1.0, 0)
    with pytest.raises(ValueError, match="noise"):
        weighed_success(1.0, 0.0, -1.0)
