"""Price's, Fisher's and the breeder's equations."""

import math
from itertools import product

import numpy as np
import pytest
from oracles_case import assert_printed
from scipy import integrate, special, stats

from evosim.oracles import (
    breeders_response,
    covariance,
    expected_maximum,
    finite_truncation_intensity,
    fundamental_theorem,
    haploid_step,
    lande_response,
    parental_means,
    price_partition,
    price_two_level,
    selection_gradient,
    stabilising_step,
    stabilising_variance,
    threshold_clonal,
    threshold_constant_variance,
    threshold_infinitesimal,
    truncation_intensity,
)


def test_price_identity_on_random_pedigrees():
    rng = np.random.default_rng(11)
    for scale, parents_each in product([1e-3, 1.0, 1e6], [1, 2]):
        z = scale * rng.normal(size=300)
        parents = rng.integers(0, 120, size=(500, parents_each))
        children = z[parents].mean(axis=1) + scale * rng.standard_cauchy(500)
        offspring, mean_trait = parental_means(parents, children, 300)
        assert offspring.sum() == pytest.approx(500, rel=1e-14)
        price = price_partition(z, offspring, mean_trait)
        largest = max(map(abs, price))
        assert price.total == pytest.approx(children.mean() - z.mean(), abs=1e-12 * largest)
        assert abs(price.selection + price.transmission - price.total) <= 1e-12 * largest


def test_two_level_price_adds_up_to_one_level():
    rng = np.random.default_rng(12)
    z, child = rng.normal(size=(2, 200))
    offspring = rng.poisson(2.0, size=200)
    group = rng.integers(-3, 9, size=200)
    one, two = price_partition(z, offspring, child), price_two_level(z, offspring, child, group)
    assert two.between + two.within == pytest.approx(one.selection, abs=1e-13)
    assert (two.transmission, two.total) == (one.transmission, one.total)
    alone = price_two_level(z, offspring, child, np.zeros(200, dtype=int))
    assert alone.between == pytest.approx(0.0, abs=1e-15)
    singletons = price_two_level(z, offspring, child, np.arange(200))
    assert singletons.within == pytest.approx(0.0, abs=1e-15)


def test_two_level_price_of_simpsons_paradox():
    # Two groups of 100, cooperators .2 and .8, benefit 5 p, cost 1: between .12, within -.16/3.
    cooperates = np.concatenate([np.arange(100) < 20, np.arange(100) < 80]).astype(float)
    group = np.repeat([0, 1], 100)
    fitness = 1 + 5 * np.repeat([0.2, 0.8], 100) - cooperates
    price = price_two_level(cooperates, fitness, cooperates, group)
    assert price.between == pytest.approx(0.12, rel=1e-12)
    assert price.within == pytest.approx(-0.16 / 3, rel=1e-12)
    assert_printed(0.5 + price.total, ".566667")


def test_robertson_and_fisher():
    rng = np.random.default_rng(13)
    p, w = rng.dirichlet(np.ones(9)), rng.uniform(0.1, 3, 9)
    after = haploid_step(p, w)
    assert fundamental_theorem(p, w) == pytest.approx(after @ w - p @ w, rel=1e-12)
    z = rng.normal(size=50)
    fitness = np.exp(z)
    response = price_partition(z, fitness, z)
    assert response.selection == pytest.approx(covariance(fitness / fitness.mean(), z), rel=1e-12)
    assert response.transmission == 0.0


def test_truncation_intensity_printed():
    assert_printed(truncation_intensity(0.1), "1.75498")
    assert_printed(truncation_intensity(0.2), "1.39981")
    assert_printed(truncation_intensity(0.5), ".797885")
    assert truncation_intensity(1.0) == 0.0
    assert breeders_response(0.25, 2.0) == 0.5


def test_finite_truncation_intensity():
    # The best and the worst of n cancel, so the mean of the best n - 1 is m_n / (n - 1).
    for n in (2, 5, 30):
        best = finite_truncation_intensity(n, 1)
        assert finite_truncation_intensity(n, n - 1) == pytest.approx(best / (n - 1), rel=1e-10)
    assert finite_truncation_intensity(7, 7) == 0.0
    assert finite_truncation_intensity(10, 1) < truncation_intensity(0.1)
    many = finite_truncation_intensity(100_000, 10_000)
    assert many == pytest.approx(truncation_intensity(0.1), rel=1e-4)


def test_threshold_character():
    constant = threshold_constant_variance(0.1, 0.5, 3)
    for value, text in zip(constant, [".100", ".343", ".552", ".688"], strict=True):
        assert_printed(value, text)
    clonal = threshold_clonal(0.1, 0.5, 2)
    assert_printed(clonal[0], ".1000")
    assert_printed(clonal[1], ".3240")
    # Generation 1 is a bivariate normal orthant of correlation h^2.
    cut = -special.ndtri(0.1)
    both = stats.multivariate_normal.cdf([-cut, -cut], cov=[[1, 0.5], [0.5, 1]], rng=1)
    assert clonal[1] == pytest.approx(both / 0.1, rel=1e-4)
    sexual = threshold_infinitesimal(0.1, 0.5, 2)
    assert_printed(sexual[0], ".1000")
    assert_printed(sexual[1], ".335")
    # The second generation is known to us from simulations of large populations only.
    assert clonal[2] == pytest.approx(0.482, abs=0.002)
    assert sexual[2] == pytest.approx(0.523, abs=0.002)


def test_infinitesimal_first_generation_by_direct_integration():
    h2, cut = 0.3, -special.ndtri(0.2)

    def breeds(g: float) -> float:
        return float(special.ndtr((g - cut) / math.sqrt(1 - h2)))

    def selected(g: float) -> float:
        return math.exp(-g * g / (2 * h2)) / math.sqrt(2 * math.pi * h2) * breeds(g) / 0.2

    spread = math.sqrt(1 - h2 / 2)  # segregation variance h2/2 plus environment 1 - h2

    def child(g1: float, g2: float) -> float:
        return selected(g1) * selected(g2) * float(special.ndtr(((g1 + g2) / 2 - cut) / spread))

    nodes, weights = np.polynomial.legendre.leggauss(80)
    g = 5.0 * nodes
    table = np.array([[child(a, b) for b in g] for a in g])
    direct = 25.0 * weights @ table @ weights
    assert threshold_infinitesimal(0.2, h2, 1)[1] == pytest.approx(direct, rel=1e-8)


def test_lande_response():
    G = np.diag([0.2, 0.5])
    P = np.array([[1.0, 0.6], [0.6, 2.0]])
    beta = np.array([0.3, -0.1])
    np.testing.assert_allclose(selection_gradient(P, P @ beta), beta, rtol=1e-12)
    np.testing.assert_allclose(lande_response(G, P, P @ beta), [0.06, -0.05], rtol=1e-12)
    one = lande_response([[0.4]], [[1.0]], [0.7])
    assert one[0] == pytest.approx(breeders_response(0.4, 0.7), rel=1e-14)


@pytest.mark.parametrize(
    ("k", "text"),
    [(2, ".5642"), (4, "1.0294"), (8, "1.4236"), (16, "1.7660"), (64, "2.3437"), (1024, "3.2")],
)
def test_expected_maximum_printed(k, text):
    assert_printed(expected_maximum(k), text)


def test_expected_maximum_against_other_formulas():
    assert expected_maximum(1) == 0.0
    assert expected_maximum(2) == pytest.approx(1 / math.sqrt(math.pi), rel=1e-11)
    assert expected_maximum(3) == pytest.approx(1.5 / math.sqrt(math.pi), rel=1e-11)
    assert expected_maximum(1024) == pytest.approx(3.249, abs=0.002)


@pytest.mark.parametrize("k", [64, 1024])
def test_expected_maximum_by_the_tail_formula(k):
    # E[max] = integral of 1 - F^k above 0, minus that of F^k below.
    above = integrate.quad(lambda x: -np.expm1(k * special.log_ndtr(x)), 0, 12, limit=200)[0]
    below = integrate.quad(lambda x: special.ndtr(x) ** k, -12, 0)[0]
    assert expected_maximum(k) == pytest.approx(above - below, rel=1e-8)


@pytest.mark.parametrize(
    ("width", "mutational", "text"),
    [(10, 0.01, ".32127"), (20, 0.05, "1.0253"), (10, 0.001, ".10050")],
)
def test_stabilising_variance_printed(width, mutational, text):
    v = stabilising_variance(width, mutational)
    assert_printed(v, text)
    moved = stabilising_step(1.5, v, width, mutational)
    assert moved.variance == pytest.approx(v, rel=1e-12)
    assert moved.mean == pytest.approx(1.5 * width / (width + v), rel=1e-12)
