"""Oracles of innovations, copiers and acquisition costs against recursions and brute force."""

import math

import numpy as np
import pytest

from evosim.oracles import (
    acquired_stock,
    acquisition_ceiling,
    best_of_fixation,
    critical_learning,
    item_prevalence,
    peer_prevalence,
    rogers_equilibrium,
    rogers_recursion,
    skill_step,
    spread_chance,
    substitution_rate,
)


@pytest.mark.parametrize(
    ("agents", "among", "value"),
    [(100, 1, 0.0100), (100, 2, 0.50500), (100, 3, 0.67165), (1000, 2, 0.50050)],
)
def test_fixation_of_the_best_of_k_is_as_printed(agents, among, value):
    assert best_of_fixation(agents, among) == pytest.approx(value, abs=5e-6)


def test_fixation_against_events_and_generations_played_out():
    rng, size, among, fixed = np.random.default_rng(1), 8, 2, {"moran": 0, "wright-fisher": 0}
    for _ in range(4000):
        for model in fixed:
            knowers = 1
            while 0 < knowers < size:
                seen = rng.random((size if model == "wright-fisher" else 1, among)) * size
                new = (seen < knowers).any(axis=1).sum()
                dead = rng.random() * size < knowers
                knowers = new if model == "wright-fisher" else knowers + new - dead
            fixed[model] += knowers == size
    for model, count in fixed.items():
        p = best_of_fixation(size, among, model)
        assert abs(count / 4000 - p) < 4 * math.sqrt(p * (1 - p) / 4000)


def test_substitution_rates():
    assert substitution_rate(20, 0.01) == substitution_rate(200, 0.01) == 0.01
    assert substitution_rate(100, 0.01, 2) == pytest.approx(0.505, abs=1e-5)
    # Births at once, not one by one: the large population's chance is that of a Poisson tree.
    large = best_of_fixation(400, 2, "wright-fisher")
    assert large == pytest.approx(spread_chance(1.0, 2), abs=0.002)
    assert best_of_fixation(50, 1, "wright-fisher") == pytest.approx(1 / 50, rel=1e-6)
    with pytest.raises(ValueError, match="model must be"):
        best_of_fixation(50, 2, "clonal")


def test_peers_make_one_model_enough():
    assert peer_prevalence(0.9, 1, 0) == item_prevalence(0.9, 1) == 0.0
    assert peer_prevalence(0.7, 3, 0) == pytest.approx(item_prevalence(0.7, 3), rel=1e-12)
    x = peer_prevalence(0.9, 1, 1)
    first = 0.9 * x
    assert 1 - (1 - first) * (1 - 0.9 * first) == pytest.approx(x, abs=1e-14)
    assert peer_prevalence(0.6, 1, 1) == 0.0 < peer_prevalence(0.63, 1, 1)
    assert peer_prevalence(1.0, 1, 2) == 1.0


@pytest.mark.parametrize(("b", "c", "u"), [(0.5, 0.2, 0.1), (0.5, 0.2, 0.3), (1.0, 0.5, 0.01)])
def test_copiers_come_to_where_copying_adds_nothing(b, c, u):
    share, gain = rogers_equilibrium(b, c, u)
    p, right, mean = rogers_recursion(b, c, u, 0.01, 20_000)
    assert p[-1] == pytest.approx(share, rel=1e-12)
    assert mean[-1] - 1 == pytest.approx(gain, rel=1e-12)
    assert right[-1] == pytest.approx((1 - share) / (1 - share * (1 - u)), rel=1e-12)
    # At first copying pays: the paradox is that it ends.
    assert mean.max() > 1 + gain + 1e-4
    assert critical_learning(b, c, u) == pytest.approx(b - c * u)
    assert critical_learning(b, c, u) > gain


def test_copiers_do_not_invade_where_copies_are_out_of_date_too_often():
    p, _, _ = rogers_recursion(0.5, 0.2, 0.5, 0.3, 5000)
    assert p[-1] < 1e-12


def test_acquisition_costs_make_a_ceiling():
    t = np.arange(400)
    one = acquired_stock(2.0, 0.02, 1.0, 399)
    np.testing.assert_allclose(one, 50 * (1 - (1 - 0.04) ** (t + 1)), rtol=1e-12)
    for k in (0.5, 1.0, 2.0, 3.0):
        end = acquired_stock(0.5, 0.02, k, 300_000 if k < 1 else 20_000)[-1]
        assert end == pytest.approx(acquisition_ceiling(0.02, k), rel=1e-9)
    # Control: a cost that does not rise with what is known.
    flat = acquired_stock(2.0, 0.3, 0.0, 399)
    np.testing.assert_allclose(flat, 2.0 + 1.4 * t, rtol=1e-12)
    assert acquisition_ceiling(0.3, 0.0) == math.inf
    assert acquisition_ceiling(1.0, 0.0) == 0.0
    # Overshoot: more than a life has time for is not acquired.
    assert acquired_stock(0.0, 0.1, 1.0, 3, start=40.0)[-1] == pytest.approx(10.0)
    np.testing.assert_allclose(acquired_stock(3.0, 0.0, 1.0, 9), 3.0 * np.arange(1, 11))


def test_compression_makes_a_slope_of_a_ceiling():
    items, volume, made = 0.0, 0.0, []
    for _ in range(3000):
        new = 2.0 * (1 - 0.02 * 0.5 * volume)
        items, volume = items + new, 0.5 * volume + new
        made.append(items)
    stock = acquired_stock(2.0, 0.02, 1.0, 2999, compression=0.5)
    np.testing.assert_allclose(stock, made, rtol=1e-12)
    slope = 2.0 * 0.5 / (0.5 + 0.5 * 0.02 * 2.0)
    assert stock[-1] - stock[-2] == pytest.approx(slope, rel=1e-10)


def test_the_best_of_many_gumbels_is_a_gumbel():
    rng = np.random.default_rng(2)
    for agents in (10, 100):
        best = (rng.gumbel(-7.0, 1.0, (20_000, agents))).max(axis=1)
        assert abs(best.mean() - skill_step(agents, 7.0, 1.0)) < 4 * 1.2825 / math.sqrt(20_000)
