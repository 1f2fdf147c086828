"""Drift and selection in finite populations: exact chains and closed forms."""

import math

import numpy as np
import pytest
from oracles_case import assert_printed
from scipy import special, stats

from evosim.oracles import (
    absorption_time,
    birth_death_fixation,
    conditional_fixation_time,
    diploid_genotype_matrix,
    diploid_step,
    establishment_probability,
    expected_heterozygosity,
    fixation_probability,
    haploid_frequency,
    haploid_step,
    heterozygosity_decay,
    kimura_fixation,
    kimura_ohta_absorption_time,
    kimura_ohta_fixation_sd,
    kimura_ohta_fixation_time,
    moran_fixation,
    moran_matrix,
    moran_rates,
    wright_fisher_diploid_matrix,
    wright_fisher_matrix,
)

# ---- neutral theory ------------------------------------------------------------------------------


def test_heterozygosity_decay_printed():
    assert_printed(heterozygosity_decay(0.5, 50, 50), "0.182085")
    assert_printed(heterozygosity_decay(0.5, 100, 100), "0.183016")
    assert_printed(heterozygosity_decay(0.5, 2 * 50, 100) / 0.5, "0.366032")
    assert_printed(heterozygosity_decay(0.5, 50, 1250, "moran") / 0.5, "0.36773")


@pytest.mark.parametrize("start", [1, 7, 10])
def test_heterozygosity_decay_is_that_of_the_chains(start):
    h0 = 2 * start / 20 * (1 - start / 20)
    wright_fisher = expected_heterozygosity(wright_fisher_matrix(20), start, 30)
    assert wright_fisher == pytest.approx(heterozygosity_decay(h0, 20, 30), rel=1e-12)
    moran = expected_heterozygosity(moran_matrix(20), start, 300)
    assert moran == pytest.approx(heterozygosity_decay(h0, 20, 300, "moran"), rel=1e-12)
    diploid = expected_heterozygosity(wright_fisher_diploid_matrix(10), start, 30)
    assert diploid == pytest.approx(heterozygosity_decay(h0, 20, 30), rel=1e-12)


def test_genotype_heterozygosity_has_the_expectation_of_gametes():
    states, matrix = diploid_genotype_matrix(6)
    start = int(np.flatnonzero((states == [2, 3]).all(axis=1))[0])
    p = (2 + 1.5) / 6
    observed = states[:, 1] / 6
    for generation in range(1, 8):
        observed = matrix @ observed
        # The union of gametes is random, so observed lags the gametes by one generation.
        expected = heterozygosity_decay(2 * p * (1 - p), 12, generation - 1)
        assert observed[start] == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("size", [2, 20, 150])
def test_transition_matrices_are_binomial_and_stochastic(size):
    w = 1.3
    i = np.arange(size + 1)
    p = i * w / (i * w + (size - i))
    matrix = wright_fisher_matrix(size, w)
    np.testing.assert_allclose(
        matrix, stats.binom.pmf(i[None, :], size, p[:, None]), rtol=1e-10, atol=1e-15
    )
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(moran_matrix(size, w).sum(axis=1), 1.0, rtol=1e-14)
    assert np.all(moran_matrix(size, w) >= 0.0)


def test_diploid_genotype_matrix_is_multinomial():
    fitness = (1.3, 1.1, 0.8)
    states, matrix = diploid_genotype_matrix(4, fitness)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-13)
    full = np.column_stack([states, 4 - states.sum(axis=1)])
    pool = full * fitness / (full @ fitness)[:, None]
    p = pool[:, 0] + 0.5 * pool[:, 1]
    for row, freq in zip(matrix, p, strict=True):
        genotype = [freq**2, 2 * freq * (1 - freq), (1 - freq) ** 2]
        np.testing.assert_allclose(row, stats.multinomial.pmf(full, 4, genotype), atol=1e-13)


@pytest.mark.parametrize("chain", [wright_fisher_matrix, moran_matrix])
def test_neutral_fixation_is_the_initial_frequency(chain):
    np.testing.assert_allclose(fixation_probability(chain(30)), np.arange(31) / 30, atol=1e-12)


def test_neutral_genotype_fixation_is_the_initial_frequency():
    states, matrix = diploid_genotype_matrix(8)
    p = (states[:, 0] + 0.5 * states[:, 1]) / 8
    np.testing.assert_allclose(fixation_probability(matrix), p, atol=1e-12)


def test_conditional_fixation_times_printed():
    assert_printed(conditional_fixation_time(wright_fisher_matrix(20)).mean[1], "37.272")
    times = conditional_fixation_time(wright_fisher_matrix(50))
    assert_printed(times.mean[1], "96.971")
    assert_printed(kimura_ohta_fixation_time(20, 1 / 20), "38.98")
    assert_printed(kimura_ohta_fixation_time(50, 1 / 50), "98.99")
    assert_printed(kimura_ohta_fixation_sd(50), "53.8")
    assert_printed(kimura_ohta_fixation_sd(50) / 100, ".538")
    assert times.sd[1] == pytest.approx(kimura_ohta_fixation_sd(50), rel=0.03)
    assert math.isnan(times.mean[0])
    assert times.mean[-1] == 0.0


@pytest.mark.parametrize("size", [5, 20, 50])
def test_moran_conditional_fixation_takes_n_minus_one_generations(size):
    mean = conditional_fixation_time(moran_matrix(size)).mean[1]
    assert mean == pytest.approx(size * (size - 1), rel=1e-10)


def test_absorption_times_printed():
    assert_printed(absorption_time(wright_fisher_matrix(20)).mean[10], "26.229")
    assert_printed(absorption_time(wright_fisher_matrix(50)).mean[25], "67.517")
    assert_printed(kimura_ohta_absorption_time(20, 0.5), "27.73")
    assert_printed(kimura_ohta_absorption_time(50, 0.5), "69.31")


def test_absorption_time_of_a_geometric_wait():
    # One inner state left with probability 1/4 per step: geometric, mean 4, variance 12.
    times = absorption_time([[1, 0, 0], [0.1, 0.75, 0.15], [0, 0, 1]])
    np.testing.assert_allclose(times.mean, [0, 4, 0], rtol=1e-14)
    np.testing.assert_allclose(times.sd, [0, math.sqrt(12), 0], rtol=1e-14)


@pytest.mark.parametrize("chain", [wright_fisher_matrix, moran_matrix])
def test_absorption_time_mixes_the_two_conditional_times(chain):
    favoured, other = chain(15, 1.4), chain(15, 1 / 1.4)
    u = fixation_probability(favoured)
    to_fixation = conditional_fixation_time(favoured).mean
    to_loss = conditional_fixation_time(other).mean[::-1]
    inside = slice(1, 15)
    mixed = u[inside] * to_fixation[inside] + (1 - u[inside]) * to_loss[inside]
    np.testing.assert_allclose(mixed, absorption_time(favoured).mean[inside], rtol=1e-10)


@pytest.mark.parametrize("chain", [wright_fisher_matrix, moran_matrix])
def test_exchanging_the_alleles_mirrors_fixation(chain):
    u = fixation_probability(chain(25, 1.2)) + fixation_probability(chain(25, 1 / 1.2))[::-1]
    np.testing.assert_allclose(u, 1.0, rtol=1e-12)


def test_moran_fixation_takes_as_long_up_as_down():
    # Time reversal: a birth-death chain conditioned on fixation from one copy is reversible in
    # time, so advantage and disadvantage take equally long (Taylor, Iwasa & Nowak 2006).
    up = conditional_fixation_time(moran_matrix(20, 1.5))
    down = conditional_fixation_time(moran_matrix(20, 1 / 1.5))
    assert up.mean[1] == pytest.approx(down.mean[1], rel=1e-10)
    assert up.sd[1] == pytest.approx(down.sd[1], rel=1e-8)


# ---- selection -----------------------------------------------------------------------------------


def test_haploid_selection_printed_and_exact():
    p = haploid_frequency(0.01, 0.05, [0, 100])
    assert_printed(p[1], "0.57050")
    assert_printed(special.logit(p[1]), "0.28390")
    x = np.array([0.01, 0.99])
    for _ in range(100):
        x = haploid_step(x, [1.05, 1.0])
    assert x[0] == pytest.approx(p[1], rel=1e-12)
    for _ in range(100):
        x = haploid_step(x, [1 / 1.05, 1.0])
    assert x[0] == pytest.approx(0.01, rel=1e-12)


def test_diploid_selection_with_gametic_fitness_is_haploid_selection():
    gamete = np.array([1.2, 1.0, 0.7])
    p = np.array([0.2, 0.5, 0.3])
    np.testing.assert_allclose(
        diploid_step(p, np.outer(gamete, gamete)), haploid_step(p, gamete), rtol=1e-13
    )
    # Overdominance (1 - s, 1, 1 - t) rests at t / (s + t).
    s, t = 0.3, 0.1
    rest = np.array([t, s]) / (s + t)
    np.testing.assert_allclose(diploid_step(rest, [[1 - s, 1], [1, 1 - t]]), rest, rtol=1e-13)


@pytest.mark.parametrize(
    ("size", "s", "exact", "kimura"),
    [
        (50, 0.02, "0.045093", ".045348"),
        (50, 0.1, "0.175554", ".181277"),
        (100, 0.02, "0.039653", ".039942"),
    ],
)
def test_wright_fisher_fixation_printed(size, s, exact, kimura):
    assert_printed(fixation_probability(wright_fisher_matrix(size, 1 + s))[1], exact)
    assert_printed(kimura_fixation(size, s, 1 / size), kimura)


def test_kimura_fixation_printed_and_limits():
    assert_printed(kimura_fixation(50, -0.02, 1 / 50), "0.006388")
    assert_printed(kimura_fixation(2 * 50, 0.02, 1 / 100), "0.039942")
    assert kimura_fixation(50, 0.0, 0.3) == 0.3
    assert kimura_fixation(50, 1e-9, 0.3) == pytest.approx(0.3, rel=1e-6)
    assert kimura_fixation(10**6, -0.5, 0.5) == 0.0
    mirrored = kimura_fixation(50, 0.01, 0.3) + kimura_fixation(50, -0.01, 0.7)
    assert mirrored == pytest.approx(1.0, rel=1e-12)


def test_diploid_genic_fixation():
    s, agents = 0.02, 50
    genic = (1 + 2 * s, 1 + s, 1.0)
    approximate = kimura_fixation(2 * agents, s, 1 / (2 * agents))
    gametes = fixation_probability(wright_fisher_diploid_matrix(agents, genic))[1]
    assert gametes == pytest.approx(approximate, rel=0.015)
    small = 20
    states, matrix = diploid_genotype_matrix(small, genic)
    one_heterozygote = int(np.flatnonzero((states == [0, 1]).all(axis=1))[0])
    exact = fixation_probability(matrix)[one_heterozygote]
    pooled = fixation_probability(wright_fisher_diploid_matrix(small, genic))[1]
    # With p given, N parents have 1/(2N - 1) too many heterozygotes, and selection less to act on.
    weaker = tuple(1 + (w - 1) * (1 - 1 / (2 * small - 1)) for w in genic)
    corrected = fixation_probability(wright_fisher_diploid_matrix(small, weaker))[1]
    assert exact == pytest.approx(corrected, rel=0.001)
    assert exact < 0.99 * pooled


@pytest.mark.parametrize(
    ("s", "text"),
    [
        (0.01, ".0197364"),
        (0.02, ".0389577"),
        (0.05, ".0937018"),
        (0.1, ".176134"),
        (0.2, ".313698"),
    ],
)
def test_establishment_printed(s, text):
    assert_printed(establishment_probability(s), text)


@pytest.mark.parametrize("s", [1e-9, 0.99e-5, 1.01e-5, 1e-3, 1.0, 50.0])
def test_establishment_solves_its_equation(s):
    pi = establishment_probability(s)
    lambert = 1.0 + special.lambertw(-(1 + s) * math.exp(-(1 + s))).real / (1 + s)
    assert pi == pytest.approx(lambert, rel=1e-9, abs=3e-8)
    assert pi == pytest.approx(-math.expm1(-(1 + s) * pi), rel=1e-12, abs=0.0)
    assert 2 * s / (1 + s) ** 2 <= pi * (1 + 1e-12) <= 2 * s * (1 + 1e-12)
    assert establishment_probability(s, 3) == pytest.approx(1 - (1 - pi) ** 3, rel=1e-6)
    assert establishment_probability(-0.1) == 0.0


@pytest.mark.parametrize(("pi", "rel"), [(1.9e-5, 1e-13), (2.1e-5, 1e-10), (0.01, 1e-12)])
def test_establishment_inverts_its_series(pi, rel):
    # s = -ln(1 - pi)/pi - 1 = sum over k >= 1 of pi^k/(k + 1), free of cancellation.
    s = sum(pi**k / (k + 1) for k in range(1, 12))
    assert establishment_probability(s) == pytest.approx(pi, rel=rel, abs=0.0)


def test_moran_fixation_printed_and_consistent():
    assert_printed(moran_fixation(10, 1.1), ".14795")
    for r in (0.7, 1.0, 1.0001, 1.3):
        closed = [moran_fixation(12, r, i) for i in range(13)]
        np.testing.assert_allclose(birth_death_fixation(*moran_rates(12, r)), closed, rtol=1e-11)
        np.testing.assert_allclose(fixation_probability(moran_matrix(12, r)), closed, atol=1e-12)
    assert moran_fixation(1000, 0.5) == pytest.approx(0.5**1000, rel=1e-9, abs=0.0)
    assert moran_fixation(5000, 0.5) == 0.0
    assert moran_fixation(5000, 2.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("models", "size", "text"),
    [(1, 100, ".0100"), (2, 100, ".50500"), (3, 100, ".67165"), (2, 1000, ".50050")],
)
def test_birth_death_fixation_with_best_of_k(models, size, text):
    p = np.arange(size + 1) / size
    up, down = (1 - (1 - p) ** models) * (1 - p), p * (1 - p) ** models
    assert_printed(birth_death_fixation(up, down)[1], text)


def test_birth_death_fixation_obeys_the_one_third_law():
    # A coordination game under weak selection: favoured iff the unstable point is below 1/3,
    # with the exact boundary a(N-2) + b(2N-1) = c(N+1) + d(2N-4) (Nowak et al. 2004).
    size, weak = 40, 1e-5
    i = np.arange(size + 1)

    def scaled_fixation(a: float, b: float, c: float, d: float) -> float:
        first = (a * (i - 1) + b * (size - i)) / (size - 1)
        second = (c * i + d * (size - i - 1)) / (size - 1)
        ratio = (1 - weak + weak * first) / (1 - weak + weak * second)
        return size * birth_death_fixation(*moran_rates(size, ratio))[1]

    assert scaled_fixation(4, 0, 0, 1) > 1 + 1e-6  # unstable point 1/5
    assert scaled_fixation(3, 0, 0, 2) < 1 - 1e-6  # unstable point 2/5
    a = (2 * size - 4) / (size - 2)
    assert scaled_fixation(a, 0, 0, 1) == pytest.approx(1.0, abs=1e-7)
