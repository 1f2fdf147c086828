"""Quasispecies, peaks, and waiting for several changes."""

import math
from itertools import product

import numpy as np
import pytest
from oracles_case import assert_printed
from scipy import integrate, special, stats

from evosim.oracles import (
    class_chain_deterministic_time,
    class_chain_hit,
    class_chain_waiting_time,
    error_class_matrix,
    error_threshold,
    gaussian_crossing,
    gaussian_peak_growth,
    haploid_step,
    master_frequency,
    needle_waiting_log,
    needle_waiting_time,
    network_neutrality,
    peak_growth,
    quasispecies,
    shoulder_crossing,
    shoulder_growth,
    single_peak,
    stabilising_variance,
    two_peak_crossing,
)

# ---- quasispecies and peaks ----------------------------------------------------------------------


def test_error_threshold_printed():
    critical = error_threshold(20, 10)
    assert_printed(critical, ".108749")
    for factor, exact, simple in [(0.5, ".254882", ".252085"), (0.9, ".034959", ".030501")]:
        assert_printed(single_peak(20, 10, factor * critical).frequency[0], exact)
        assert_printed(master_frequency(20, 10, factor * critical), simple)
    assert_printed(single_peak(20, 10, critical).frequency[0], ".004722")
    assert_printed(single_peak(20, 10, 1.1 * critical).frequency[0], "4.77e-6")
    assert master_frequency(20, 10, 1.1 * critical) == 0.0
    assert master_frequency(20, 10, critical) == pytest.approx(0.0, abs=1e-14)


def test_error_class_matrix_lumps_the_sequences():
    loci, mu = 5, 0.07
    matrix = error_class_matrix(loci, mu)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-13)
    words = np.array(list(product([0, 1], repeat=loci)))
    errors = words.sum(axis=1)
    for parent in words:
        distance = np.abs(words - parent).sum(axis=1)
        chance = mu**distance * (1 - mu) ** (loci - distance)
        lumped = np.bincount(errors, weights=chance)
        np.testing.assert_allclose(matrix[parent.sum()], lumped, rtol=1e-12)
    # Time reversal: mutation is in detailed balance with the uniform sequence distribution.
    flow = special.comb(loci, np.arange(loci + 1))[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, rtol=1e-11)


def test_quasispecies_is_the_limit_of_the_recursion():
    w = np.array([4.0, 1.5, 1.0, 0.0, 1.0])
    matrix = error_class_matrix(4, 0.1)
    settled = quasispecies(w, matrix)
    x = np.full(5, 0.2)
    for _ in range(400):
        x = haploid_step(x, w) @ matrix
    np.testing.assert_allclose(settled.frequency, x, rtol=1e-11)
    assert settled.growth == pytest.approx(x @ w, rel=1e-12)


def test_two_peak_crossing_printed():
    crossing = two_peak_crossing(2, 1.5, 10)
    assert_printed(crossing, ".0283583")
    for loci in (10, 20, 60):
        sharp, flat = peak_growth(2, loci, crossing), peak_growth(1.5, loci, crossing, 10)
        assert sharp == pytest.approx(flat, rel=1e-13)
        assert peak_growth(2, loci, 0.02) > peak_growth(1.5, loci, 0.02, 10)
        assert peak_growth(2, loci, 0.04) < peak_growth(1.5, loci, 0.04, 10)


def test_shoulder_helps_the_sharp_peak():
    assert shoulder_growth(2, 0, 20, 0.03) == pytest.approx(peak_growth(2, 20, 0.03), rel=1e-12)
    assert shoulder_crossing(2, 0, 1.5, 10, 20) == pytest.approx(two_peak_crossing(2, 1.5, 10))
    crossing = shoulder_crossing(2, 0.8, 1.5, 10, 20)
    assert crossing > two_peak_crossing(2, 1.5, 10)
    flat = peak_growth(1.5, 20, crossing, 10)
    assert shoulder_growth(2, 0.8, 20, crossing) == pytest.approx(flat, rel=1e-11)


def test_network_neutrality_is_that_of_the_settled_population():
    # A path of six genotypes, everything else lethal: mean degree of the population at small mu.
    degree_chain = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    radius = network_neutrality(degree_chain)
    assert radius == pytest.approx(2 * math.cos(math.pi / 7), rel=1e-12)
    mu, x = 1e-3, np.full(6, 1 / 6)
    for _ in range(30_000):
        x = x + mu * degree_chain @ x
        x /= x.sum()
    assert x @ degree_chain.sum(axis=1) == pytest.approx(radius, rel=1e-9)


def test_gaussian_crossing_printed():
    crossing = gaussian_crossing((1.2, 0.5), (1.0, 5.0))
    assert_printed(crossing, "0.204124")
    assert_printed(gaussian_peak_growth(1.2, 0.5, crossing), ".979796")
    assert_printed(gaussian_peak_growth(1.0, 5.0, crossing), ".979796")


def test_gaussian_growth_is_mean_fitness_of_the_settled_density():
    h, c, m = 1.3, 0.8, 0.3
    v = stabilising_variance(c * c, m * m)
    mean = integrate.quad(
        lambda x: h * math.exp(-x * x / (2 * c * c)) * stats.norm.pdf(x, 0, math.sqrt(v)), -8, 8
    )[0]
    assert gaussian_peak_growth(h, c, m) == pytest.approx(mean, rel=1e-10)


# ---- waiting for several changes -----------------------------------------------------------------


@pytest.mark.parametrize("changes", [2, 3])
def test_lethal_intermediates_wait_for_all_changes_at_once(changes):
    rate = 1000 * 1e-2**changes
    assert 1 / rate < needle_waiting_time(1000, changes, 1e-2) < 1 / rate + 1
    assert needle_waiting_time(1, 2, 0.1, conserved=3) == pytest.approx(1 / (0.01 * 0.9**3))
    # Intermediates of vanishing fitness never leave offspring, if anyone else is alive.
    chain = class_chain_waiting_time(12, changes, 0.05, intermediate=1e-12)
    assert chain == pytest.approx(needle_waiting_time(12, changes, 0.05), rel=1e-6)


def test_neutral_intermediates():
    # Simulated means 3.2 and 32; the deterministic form is meant for large N mu.
    assert class_chain_waiting_time(1000, 2, 1e-2) == pytest.approx(3.2, rel=0.1)
    assert class_chain_waiting_time(1000, 2, 1e-3) == pytest.approx(32, rel=0.1)
    assert class_chain_deterministic_time(1000, 3, 1e-2) == pytest.approx(9.8, rel=0.1)
    exact = class_chain_waiting_time(2000, 2, 1e-2)
    assert class_chain_deterministic_time(2000, 2, 1e-2) == pytest.approx(exact, rel=0.005)
    slow = class_chain_deterministic_time(10, 2, 1e-3, intermediate=0.01)
    assert slow == pytest.approx(class_chain_waiting_time(10, 2, 1e-3, 0.01), rel=0.01)


@pytest.mark.parametrize("changes", [1, 2, 4])
def test_class_chain_of_one_agent_is_a_hitting_time(changes):
    below = error_class_matrix(changes, 0.2)[:-1, :-1]
    hitting = np.linalg.solve(np.eye(changes) - below, np.ones(changes))[0]
    assert class_chain_waiting_time(1, changes, 0.2) == pytest.approx(hitting, rel=1e-12)


@pytest.mark.parametrize(("agents", "changes", "w"), [(8, 1, 1.0), (20, 2, 1.0), (9, 3, 0.4)])
def test_hit_times_of_the_class_chain_sum_to_its_mean(agents, changes, w):
    t = np.arange(3000)
    hit = class_chain_hit(agents, changes, 0.05, t, w)
    assert hit[0] == 0.0
    assert np.all(np.diff(hit) >= -1e-15)
    assert np.sum(1.0 - hit) == pytest.approx(
        class_chain_waiting_time(agents, changes, 0.05, w), rel=1e-10
    )


def test_hit_times_are_those_of_enumerated_populations():
    # Two agents, two bits, two generations: all 4^2 offspring of each population, one by one.
    mu, w = 0.3, np.array([1.0, 0.5, 0.5, 9.0])
    ones = np.array([bin(k).count("1") for k in range(4)])
    child = np.array([[mu ** ones[a ^ b] * (1 - mu) ** (2 - ones[a ^ b]) for b in range(4)]
                      for a in range(4)])  # fmt: skip
    waiting = {(0, 0): 1.0}
    for t in (1, 2):
        following: dict[tuple[int, int], float] = {}
        for pair, p in waiting.items():
            weight = w[list(pair)] / w[list(pair)].sum()
            one = weight @ child[list(pair)]
            for a, b in np.ndindex(3, 3):  # without a target, which is 3
                following[a, b] = following.get((a, b), 0.0) + p * one[a] * one[b]
        waiting = following
        missed = 1.0 - class_chain_hit(2, 2, mu, t, 0.5)
        assert missed == pytest.approx(sum(waiting.values()), rel=1e-12)


def test_only_targets_whose_line_survives_count():
    # One change: every birth is a target with probability mu, and counts with a half.
    hit = class_chain_hit(10, 1, 0.02, np.array([0, 3]), success=0.5)
    assert hit == pytest.approx([0.0, 1.0 - 0.99**30], rel=1e-12)
    assert class_chain_hit(10, 2, 0.1, 40, success=0.0) == pytest.approx(0.0, abs=1e-12)
    whole, half = (class_chain_hit(20, 2, 0.05, 15, success=p) for p in (1.0, 0.5))
    assert 0.5 * whole < half < whole


def test_three_hundred_changes_are_waited_for_in_logarithms():
    # No float holds mu^300 = 1e-600.
    log_wait = needle_waiting_log(100, 300, 0.01)
    assert log_wait / math.log(10) == pytest.approx(598.0, rel=1e-12)
    assert needle_waiting_time(100, 300, 0.01) == math.inf
    for changes in (1, 2, 5):
        assert math.exp(needle_waiting_log(50, changes, 0.02, 3)) == pytest.approx(
            -1.0 / math.expm1(50 * math.log1p(-(0.02**changes) * 0.98**3)), rel=1e-9
        )
    # Neutral intermediates come to equilibrium: 2^-300 a birth.
    free = class_chain_deterministic_time(100, 300, 0.01)
    # ... but for the children of targets, of which there are none yet.
    assert free == pytest.approx(2.0**300 / 100 / (1.0 - 0.99**300), rel=1e-3)
