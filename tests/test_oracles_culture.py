"""Oracles of culture against recursions and brute force."""

import math

import numpy as np
import pytest

from evosim.oracles import (
    channel_stock,
    critical_agents,
    fidelity_threshold,
    finite_pool_stock,
    item_prevalence,
    masked_share,
    open_pool_stock,
    rogers_equilibrium,
    saturated_offset,
    sexual_information,
    skill_step,
    spread_chance,
    teaching_threshold,
    unbounded_slope,
)


@pytest.mark.parametrize(
    ("learning", "fidelity", "capacity"),
    [
        (10.0, 0.8, math.inf),
        (3.0, 0.95, math.inf),
        (10.0, 0.8, 20.0),
        (10.0, 0.8, 45.0),
        (5, 1, 30),
    ],
)
def test_a_saturated_stock_ends_where_it_should(learning, fidelity, capacity):
    end = saturated_offset(learning, fidelity, capacity)
    stock = channel_stock(learning, fidelity, 2000, capacity)
    assert stock[-1] == pytest.approx(end, rel=1e-12)
    assert stock[0] == learning
    # (i) the way there, and back without learning, is f^t.
    if capacity == math.inf:
        t = np.arange(2001)
        np.testing.assert_allclose(stock, end * (1 - fidelity ** (t + 1)), rtol=1e-12)
        decay = channel_stock(0.0, fidelity, 50, start=end)
        np.testing.assert_allclose(decay, end * fidelity ** (t[:51] + 1), rtol=1e-12)


def test_slopes_of_channels_that_lose_nothing():
    np.testing.assert_allclose(np.diff(channel_stock(7.0, 1.0, 300)), 7.0, rtol=1e-12)
    with pytest.raises(ValueError, match="no fixed point"):
        saturated_offset(1.0, 1.0)


def test_items_spread_only_with_more_than_one_effective_model():
    for n, f in ((2, 0.6), (2, 0.9), (3, 0.5), (5, 0.21)):
        x = item_prevalence(f, n)
        assert 1 - (1 - f * x) ** n == pytest.approx(x, abs=1e-14)
        assert 0 < x < 1
        p = spread_chance(f, n)
        assert 1 - math.exp(-n * f * p) == pytest.approx(p, abs=1e-12)
    assert item_prevalence(0.6, 2) == pytest.approx(0.2 / 0.36, rel=1e-12)
    assert item_prevalence(0.9, 2) == pytest.approx(0.8 / 0.81, rel=1e-12)
    assert item_prevalence(0.45, 2) == item_prevalence(0.9, 1) == spread_chance(0.5, 2) == 0.0
    assert item_prevalence(1.0, 1) == item_prevalence(1.0, 4) == 1.0
    assert unbounded_slope(40, 1.0, 0.9, 2) == pytest.approx(28.9, abs=0.05)
    assert unbounded_slope(40, 1.0, 0.7, 2) == pytest.approx(16.7, abs=0.05)


def test_an_open_pool_against_sets_of_items():
    rng, size, f, n, last = np.random.default_rng(4), 6, 0.7, 2, 7
    known = []
    for _ in range(1200):
        items = [{(0, i)} for i in range(size)]
        for t in range(1, last + 1):
            shown = [[items[rng.integers(size)] for _ in range(n)] for _ in range(size)]
            items = [{x for m in models for x in m if rng.random() < f} for models in shown]
            for i in range(size):
                items[i].add((t, i))
        known.append(np.mean([len(x) for x in items]))
    error = np.std(known) / math.sqrt(len(known))
    assert abs(np.mean(known) - open_pool_stock(size, 1.0, f, n, last)[-1]) < 4 * error
    # One model: the chain is linear, and the population does not matter.
    np.testing.assert_allclose(
        open_pool_stock(9, 2.0, 0.8, 1, 30), channel_stock(2.0, 0.8, 30), rtol=1e-12
    )
    slope = np.diff(open_pool_stock(200, 1.0, 0.9, 2, 60))[-1]
    assert slope == pytest.approx(unbounded_slope(200, 1.0, 0.9, 2), rel=0.01)


def test_a_finite_pool_is_a_transient():
    stock = [20.0]
    for _ in range(300):
        stock.append(stock[-1] + 20.0 * (1 - stock[-1] / 1000))
    np.testing.assert_allclose(finite_pool_stock(1000, 20.0, 300), stock, rtol=1e-12)
    again = finite_pool_stock(1000, 20.0, 100, start=stock[99])
    np.testing.assert_allclose(again, stock[100:201], rtol=1e-12)


def test_masked_items_against_the_recursion():
    y = 0.0
    for _ in range(2000):
        y = 0.9 * y + (1 - 0.9 * y) * (1 - 0.4) * 0.1
    found, known = masked_share(100.0, 1000, 0.9, 0.4)
    assert found == pytest.approx(y, rel=1e-12)
    assert known == pytest.approx(0.9 * y + (1 - 0.9 * y) * 0.1, rel=1e-12)
    assert masked_share(0.0, 1000, 0.9, 0.4) == (0.0, 0.0)


@pytest.mark.parametrize("effort", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("related", [1.0, 0.5, 0.0])
def test_teaching_pays_the_gene_what_it_costs_at_the_threshold(effort, related):
    """Descendants counted one by one, down to the four hundredth."""
    b, f, more = 0.03, 0.6, 1e-3
    cost = teaching_threshold(b, f, related)
    gained, saved, gene = 0.0, (1 - f) * more, related
    for _ in range(400):
        gained += gene * saved * (b - cost * effort)
        saved *= f + (1 - f) * effort
        gene *= related
    assert gained == pytest.approx(cost * more, rel=1e-9, abs=1e-15)


def test_thresholds_of_teaching_are_those_of_the_scenario():
    assert teaching_threshold(0.03, 0.5, 1.0) == pytest.approx(0.03)
    assert teaching_threshold(0.03, 0.5, 0.5) == pytest.approx(0.01)
    assert teaching_threshold(0.03, 0.8, 0.5) == pytest.approx(0.005)
    with pytest.raises(ValueError, match="nothing is lost"):
        teaching_threshold(0.03, 1.0, 0.5)


def test_printed_values():
    assert fidelity_threshold(0.02, 1.0, 0.05) == pytest.approx(0.6)
    share, gain = rogers_equilibrium(0.5, 0.2, 0.1)
    assert share == pytest.approx(0.8333, abs=1e-4)
    assert 1 + gain == pytest.approx(1.3)
    assert rogers_equilibrium(0.5, 0.2, 0.3)[0] == pytest.approx(0.3571, abs=1e-4)
    with pytest.raises(ValueError, match="change"):
        rogers_equilibrium(0.5, 0.2, 0.5)
    assert skill_step(10, 7.0, 1.0) == pytest.approx(-4.1202, abs=1e-4)
    assert skill_step(1000, 7.0, 1.0) == pytest.approx(0.4850, abs=1e-4)
    assert critical_agents(7.0, 1.0) == pytest.approx(615.7, abs=0.1)
    assert skill_step(616, 7.0, 1.0) > 0 > skill_step(615, 7.0, 1.0)
    f = sexual_information(1000, 60)
    at = [5, 10, 20, 30, 40, 60]
    np.testing.assert_allclose(f[at], [0.5492, 0.5980, 0.6922, 0.7788, 0.8548, 0.9630], atol=1e-4)
    assert sexual_information(4, 50)[-1] == 1.0
