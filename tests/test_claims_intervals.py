"""Intervals: published numbers, coverage by simulation, agreement with scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evosim.claims import intervals as iv

Z = 4.0


def test_nothing_in_fifty_bounds_a_proportion_below_071() -> None:
    assert iv.clopper_pearson(0, 50, 0.95) == pytest.approx((0, 1 - 0.025 ** (1 / 50)), abs=1e-15)
    assert iv.clopper_pearson(0, 50).high == pytest.approx(0.0711, abs=5e-5)
    assert iv.clopper_pearson(50, 50).low == pytest.approx(0.9289, abs=5e-5)


@pytest.mark.parametrize(("margin", "n"), [(0.05, 72), (0.02, 183)])
def test_replicates_that_bound_zero_within_a_margin(margin: float, n: int) -> None:
    needed = iv.replicates_needed(lambda size: iv.clopper_pearson(0, size).high <= margin, 50)
    assert needed == n


@pytest.mark.parametrize(("k", "n"), [(0, 7), (1, 7), (3, 10), (49, 50), (50, 50), (400, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_proportions_agree_with_scipy(k: int, n: int, confidence: float) -> None:
    test = stats.binomtest(k, n)
    for ours, method in ((iv.clopper_pearson, "exact"), (iv.wilson, "wilson")):
        theirs = test.proportion_ci(confidence, method)
        assert ours(k, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-10)


def test_clopper_pearson_covers_every_proportion_exactly_enough() -> None:
    # Exact coverage by enumeration: no simulation error.
    n = 17
    limits = [iv.clopper_pearson(k, n, 0.9) for k in range(n + 1)]
    for p in np.linspace(0.01, 0.99, 99):
        mass = stats.binom.pmf(np.arange(n + 1), n, p)
        covered = sum(m for m, (low, high) in zip(mass, limits, strict=True) if low <= p <= high)
        assert covered >= 0.9


def test_paired_proportions_cover_by_enumeration() -> None:
    n, confidence = 9, 0.9
    counts = [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]
    limits = [iv.paired_proportions(a, b, n, confidence) for a, b in counts]
    for more, less in ((0.3, 0.2), (0.05, 0.0), (0.6, 0.4), (0.01, 0.01), (0.9, 0.05)):
        mass = stats.multinomial.pmf(
            [(a, b, n - a - b) for a, b in counts], n, (more, less, 1 - more - less)
        )
        covered = sum(
            m for m, (low, high) in zip(mass, limits, strict=True) if low <= more - less <= high
        )
        assert covered >= confidence


def test_zero_discordant_pairs_still_have_a_width() -> None:
    low, high = iv.paired_proportions(0, 0, 50)
    assert high == pytest.approx(1 - 0.0125 ** (1 / 50))
    assert low == -high


def test_t_interval_agrees_with_scipy() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0, 9.0])
    theirs = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert iv.t_interval(x, 0.9) == pytest.approx((theirs.low, theirs.high))


def _misses(interval: object, draw: object, truth: float, runs: int) -> int:
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(runs):
        low, high = interval(draw(rng))  # type: ignore[operator]
        missed += not low <= truth <= high
    return missed


def test_t_interval_covers_a_normal_mean() -> None:
    runs, rate = 2_000, 0.1
    missed = _misses(lambda x: iv.t_interval(x, 1 - rate), lambda r: r.normal(3, 2, 8), 3, runs)
    assert abs(missed - runs * rate) < Z * math.sqrt(runs * rate * (1 - rate))


def test_median_interval_covers_whatever_the_distribution() -> None:
    runs, rate = 2_000, 0.1
    missed = _misses(
        lambda x: iv.median_interval(x, 1 - rate),
        lambda r: r.exponential(1, 15),
        math.log(2),
        runs,
    )
    rank = int(stats.binom.ppf(rate / 2, 15, 0.5))
    exact = 2 * stats.binom.cdf(rank - 1, 15, 0.5)
    assert exact <= rate
    assert abs(missed - runs * exact) < Z * math.sqrt(runs * exact * (1 - exact))


def test_bca_covers_a_skewed_mean_nearly() -> None:
    # BCa is second-order accurate: with 30 exponential values it misses a little over 10%.
    runs, rate = 150, 0.1
    missed = _misses(
        lambda x: iv.bca_interval(x, np.mean, 1 - rate), lambda r: r.exponential(1, 30), 1, runs
    )
    assert missed < runs * 0.14 + Z * math.sqrt(runs * 0.14 * 0.86)
    assert missed > runs * 0.06 - Z * math.sqrt(runs * 0.06 * 0.94)


def test_bca_is_a_function_of_data_and_seed() -> None:
    x = np.random.default_rng(2).exponential(1, 25)
    assert iv.bca_interval(x, np.mean, 0.95, 3) == iv.bca_interval(x, np.mean, 0.95, 3)
    assert iv.bca_interval(x, np.mean, 0.95, 3) != iv.bca_interval(x, np.mean, 0.95, 4)


def test_bca_leans_to_the_long_tail() -> None:
    x = np.random.default_rng(2).exponential(1, 25)
    low, high = iv.bca_interval(x)
    assert high - x.mean() > x.mean() - low


def test_degenerate_bootstrap_is_an_error() -> None:
    with pytest.raises(ValueError, match="degenerate"):
        iv.bca_interval(np.full(10, 0.3))


def test_median_interval_of_few_or_censored_values() -> None:
    assert iv.median_interval(np.arange(5.0)) == (-math.inf, math.inf)
    assert iv.median_interval(np.arange(6.0)) == (0, 5)
    censored = np.array([1.0, 2, 3, 4, 5, math.inf, math.inf, math.inf])
    assert iv.median_interval(censored) == (1, math.inf)


def test_percentile_interval_keeps_infinite_draws() -> None:
    draws = np.concatenate([np.linspace(0, 1, 9_000), np.full(999, math.inf)])
    low, high = iv.percentile_interval(draws)
    assert 0 < low < 0.05
    assert high == math.inf


def test_percentile_interval_ranks() -> None:
    # 9,999 draws 1..9999: the 2.5% and 97.5% order statistics are the 250th and 9,750th.
    assert iv.percentile_interval(np.arange(1.0, 10_000.0)) == (250, 9_750)


def test_equivalence_needs_the_whole_interval() -> None:
    assert iv.equivalent(iv.Interval(-0.05, 0.05), 0.0, 0.05)
    assert not iv.equivalent(iv.Interval(-0.05, 0.0501), 0.0, 0.05)


@pytest.mark.parametrize("bad", [(3, 2), (-1, 2), (0, 0)])
def test_impossible_counts_are_errors(bad: tuple[int, int]) -> None:
    for interval in (iv.clopper_pearson, iv.wilson):
        with pytest.raises(ValueError, match="needs 0 <= k <= n"):
            interval(*bad)


def test_impossible_samples_are_errors() -> None:
    with pytest.raises(ValueError, match="two values"):
        iv.t_interval([1.0])
    with pytest.raises(ValueError, match="two values"):
        iv.bca_interval(np.array([1.0]))
    with pytest.raises(ValueError, match="confidence"):
        iv.wilson(1, 2, 1.0)


def test_no_number_of_replicates_decides_on_the_border() -> None:
    assert iv.replicates_needed(lambda _: False, 10) is None
    assert iv.replicates_needed(lambda size: size >= 11, 10) == 11
