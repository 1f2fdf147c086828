"""The oracles against the numbers of the literature, against each other, and against identities."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import integrate, special, stats

import evosim.oracles as oracles
from evosim.oracles import (
    TabularWorld,
    absorption_time,
    birth_death_fixation,
    birth_death_matrix,
    breeders_response,
    class_chain_deterministic_time,
    class_chain_hit,
    class_chain_waiting_time,
    conditional_fixation_time,
    covariance,
    cross_expected_change,
    cross_never_explores,
    cross_update,
    default_margins,
    diploid_genotype_matrix,
    diploid_step,
    enumerate_trajectories,
    error_class_matrix,
    error_threshold,
    establishment_probability,
    expected_heterozygosity,
    expected_maximum,
    expected_return,
    finite_truncation_intensity,
    fixation_probability,
    fundamental_theorem,
    gaussian_crossing,
    gaussian_peak_growth,
    haploid_frequency,
    haploid_step,
    heterozygosity_decay,
    key_ever_hit_log,
    key_never_hit,
    key_never_hit_life,
    kimura_fixation,
    kimura_ohta_absorption_time,
    kimura_ohta_fixation_sd,
    kimura_ohta_fixation_time,
    lande_response,
    master_frequency,
    moran_fixation,
    moran_matrix,
    moran_rates,
    multiplicative_weights,
    needle_waiting_log,
    needle_waiting_time,
    network_neutrality,
    optimal_baseline,
    parental_means,
    peak_growth,
    policy_gradient,
    price_partition,
    price_two_level,
    quasispecies,
    reinforce_expected_update,
    reinforce_update,
    reinforce_variance,
    reward_inaction_absorption,
    reward_inaction_absorption_exact,
    selection_gradient,
    selection_time,
    shoulder_crossing,
    shoulder_growth,
    single_peak,
    softmax_gradient_logit,
    softmax_gradient_time,
    softmax_policy,
    span_residual,
    stabilising_step,
    stabilising_variance,
    threshold_clonal,
    threshold_constant_variance,
    threshold_infinitesimal,
    truncation_intensity,
    two_peak_crossing,
    wright_fisher_diploid_matrix,
    wright_fisher_matrix,
)


def assert_printed(value: float, text: str) -> None:
    """Assert that `value` rounds to the printed number, e.g. ".3240" or "4.77e-6"."""
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - decimals)
    assert abs(value - float(text)) <= 0.5 * unit * (1 + 1e-9), f"{value!r} is not {text}"


# ---- neutral theory -----------------------------------------------------------------------------


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


# ---- selection ----------------------------------------------------------------------------------


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


# ---- Price, Fisher, breeder ---------------------------------------------------------------------


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


# ---- quasispecies and peaks ---------------------------------------------------------------------


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


# ---- waiting for several changes ----------------------------------------------------------------


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


# ---- learning -----------------------------------------------------------------------------------


def random_world(seed: int, terminal: bool = False) -> tuple[TabularWorld, np.ndarray]:
    rng = np.random.default_rng(seed)
    world = TabularWorld(
        transition=rng.dirichlet(np.ones(3), size=(3, 2)),
        reward=rng.normal(size=(3, 2, 3)),
        start=rng.dirichlet(np.ones(3)),
        steps=3,
        terminal=np.array([False, False, True]) if terminal else None,
    )
    return world, rng.normal(size=(3, 2))


@pytest.mark.parametrize("terminal", [False, True])
def test_reinforce_identity(terminal):
    world, logits = random_world(3, terminal)
    gradient = policy_gradient(world, logits)
    for baseline in (0.0, -2.5):
        update = reinforce_expected_update(world, logits, 0.1, baseline)
        np.testing.assert_allclose(update, 0.1 * gradient, atol=1e-12)
    step = 1e-5
    for index in np.ndindex(logits.shape):
        shift = np.zeros(logits.shape)
        shift[index] = step
        slope = expected_return(world, logits + shift) - expected_return(world, logits - shift)
        assert slope / (2 * step) == pytest.approx(gradient[index], abs=1e-8)


@pytest.mark.parametrize("terminal", [False, True])
def test_trajectories_are_complete(terminal):
    world, logits = random_world(4, terminal)
    paths = enumerate_trajectories(world, logits)
    assert paths.probability.sum() == pytest.approx(1.0, rel=1e-13)
    assert paths.probability @ paths.returns == pytest.approx(expected_return(world, logits))
    np.testing.assert_allclose(np.tensordot(paths.probability, paths.score, 1), 0.0, atol=1e-14)
    count = 3 * 6**3 if not terminal else 1 + 2 * (2 + 4 * (2 + 4 * 6))
    assert paths.probability.size == count


def test_optimal_baseline_minimises_variance():
    world, logits = random_world(5)
    best = optimal_baseline(world, logits)
    least = reinforce_variance(world, logits, 0.1, best).sum()
    for other in (best - 0.01, best + 0.01):
        assert reinforce_variance(world, logits, 0.1, other).sum() > least


def test_reinforce_update_averages_to_the_expected_update():
    # One state, one step: all trajectories can be written down here.
    logits = np.array([[0.3, -0.2, 0.1]])
    reward = np.array([[1.0, 0.2, -0.5]])
    world = TabularWorld(np.ones((1, 3, 1)), reward, np.ones(1), 1)
    policy = softmax_policy(logits)[0]
    mean = sum(
        policy[a] * (reinforce_update(logits, [0], [a], reward[0, a], 0.3) - logits)
        for a in range(3)
    )
    np.testing.assert_allclose(mean, reinforce_expected_update(world, logits, 0.3), atol=1e-14)
    np.testing.assert_allclose(mean[0], 0.3 * policy * (reward[0] - policy @ reward[0]), atol=1e-14)


def test_reward_is_a_multiplier_of_the_learning_rate():
    rng = np.random.default_rng(6)
    start = rng.normal(size=(4, 3))
    for scale, exact in ((8.0, True), (3.7, False)):
        by_reward, by_rate, scores = start.copy(), start.copy(), []
        for _ in range(6):
            states, actions = rng.integers(0, 2, 5), rng.integers(0, 3, 5)
            reward = rng.normal()
            score = reinforce_update(by_rate, states, actions, 1.0, 1.0) - by_rate
            scores.append(score.ravel())
            by_reward = reinforce_update(by_reward, states, actions, scale * reward, 0.1)
            by_rate = reinforce_update(by_rate, states, actions, reward, scale * 0.1)
        if exact:
            assert np.array_equal(by_reward, by_rate)
        np.testing.assert_allclose(by_reward, by_rate, rtol=1e-12)
        assert span_residual((by_rate - start).ravel(), scores) <= 1e-10
        assert np.array_equal(by_rate[2:], start[2:])
        assert span_residual((by_rate - start).ravel() + 1.0, scores) > 1.0


def test_cross_learning_is_the_replicator():
    p, u = np.array([0.2, 0.5, 0.3]), np.array([0.9, 0.1, 0.4])
    mean = sum(p[a] * (cross_update(p, a, u[a], 0.2) - p) for a in range(3))
    expected = cross_expected_change(p, u, 0.2)
    np.testing.assert_allclose(mean, expected, atol=1e-15)
    np.testing.assert_allclose(expected, p * (u - p @ u) * 0.2, atol=1e-15)
    assert expected.sum() == pytest.approx(0.0, abs=1e-16)


def test_multiplicative_weights_are_haploid_selection():
    rng = np.random.default_rng(7)
    p, advantage = rng.dirichlet(np.ones(5)), rng.normal(size=5)
    learner, clones = p, p
    for _ in range(50):
        learner = multiplicative_weights(learner, advantage, 0.1)
        clones = haploid_step(clones, np.exp(0.1 * advantage))
        np.testing.assert_allclose(learner, clones, rtol=1e-12)
    huge = multiplicative_weights([0.5, 0.5], [1e4, 0.0], 1.0)
    np.testing.assert_allclose(huge, [1.0, 0.0])


def test_softmax_gradient_plateau_printed():
    x0, gap, rate, steps = math.log(0.01 / 0.99), 0.2, 0.05, 20_000
    x = softmax_gradient_logit(x0, gap, rate, [0, 1000, steps])
    assert x[0] == pytest.approx(x0, rel=1e-13)
    assert_printed(math.sinh(x[2]) + x[2], "145.910")
    discrete = x0
    for _ in range(steps):
        pi = 1 / (1 + math.exp(-discrete))
        discrete += 2 * rate * gap * pi * (1 - pi)
    assert_printed(math.sinh(discrete) + discrete, "145.915")
    assert x[2] == pytest.approx(discrete, abs=1e-4)
    assert softmax_gradient_time(x0, x[2], gap, rate) == pytest.approx(steps, rel=1e-12)


def test_softmax_gradient_is_slower_than_selection():
    gradient, selection = [], []
    for p0 in (0.01, 0.001):
        x0 = special.logit(p0)
        gradient.append(softmax_gradient_time(x0, 0.0, 0.2, 0.05))
        selection.append(selection_time(x0, 0.0, 0.2, 0.05))
        assert gradient[-1] == pytest.approx(1 / (2 * p0 * 0.2 * 0.05), rel=0.1)
    assert gradient[1] / gradient[0] == pytest.approx(10, rel=0.1)
    assert_printed(selection[1] / selection[0], "1.5")
    late = special.expit(-softmax_gradient_logit(0.0, 0.2, 0.05, 1e8))
    assert late == pytest.approx(1 / (2 * 0.05 * 0.2 * 1e8), rel=1e-4)


@pytest.mark.parametrize(
    ("q0", "step", "texts"),
    [
        (0.5, 0.25, [".0599", ".1826", ".3314"]),
        (0.5, 0.5, [".2128", ".3556", ".4544"]),
        (0.5, 1.0, [".3856", ".4680", ".4964"]),
        (0.2, 0.25, [".5631", ".9244", ".9972"]),
        (0.2, 0.5, [".7431", ".9583", ".9983"]),
        (0.2, 1.0, [".8524", ".9750", ".9988"]),
    ],
)
def test_key_never_hit_printed(q0, step, texts):
    values = key_never_hit(np.array([2, 3, 5]), -special.logit(q0), step, 10**6)
    for value, text in zip(values, texts, strict=True):
        assert_printed(value, text)


def test_key_never_hit_of_one_decision_falls_with_episodes():
    x0 = -special.logit(0.2)
    assert_printed(key_never_hit(1, x0, 1.0, 10**3), ".0418")
    assert_printed(key_never_hit(1, x0, 1.0, 10**6), ".0013")
    assert_printed(key_never_hit(2, 0.0, 0.25, 10**3), ".0602")
    assert_printed(key_never_hit(2, x0, 0.5, 10**3), ".7438")
    # One episode: all default against all deviate, p^L : q^L.
    assert key_never_hit(3, x0, 1.0, 1) == pytest.approx(0.8**3 / (0.8**3 + 0.2**3), rel=1e-12)


def test_a_life_counts_episodes_that_pay_nothing():
    def never(paid, left, margin):
        """Every course of a life of two decisions, by brute force."""
        if left == 0:
            return 1.0
        p = 1 / (1 + math.exp(-margin))
        further = never(paid + 1, left - 1, margin + 0.6 * (1 - p))
        return p * p * further + 2 * p * (1 - p) * never(paid, left - 1, margin)

    for episodes in (1, 2, 5):
        found = key_never_hit_life(2, 0.7, 0.3, episodes)
        assert found == pytest.approx(never(0, episodes, 0.7), rel=1e-12)
    # Long lives have as many paid episodes as it takes; with one decision all are paid.
    assert key_never_hit_life(1, 0.4, 0.5, 30) == pytest.approx(key_never_hit(1, 0.4, 0.5, 30))
    x0 = -special.logit(0.2)
    assert key_never_hit_life(3, x0, 0.25, 400) == pytest.approx(
        key_never_hit(3, x0, 0.25, 10**5), abs=1e-4
    )


def test_a_key_of_three_hundred_steps_is_tried_with_a_chance_in_logarithms():
    x0 = -special.logit(0.2)
    for margin in (0.0, x0, 3.0):
        lengths = np.array([1, 2, 5, 20])
        ever = np.exp(key_ever_hit_log(lengths, margin, 0.25, 1000))
        never = key_never_hit(lengths, margin, 0.25, 1000)
        np.testing.assert_allclose(ever, 1.0 - never, rtol=1e-10, atol=1e-16)
    # The first episode alone: q^L / (p^L + q^L) = 1 / (1 + 4^300).
    log_first = key_ever_hit_log(300, x0, 0.25, 1)
    assert log_first == pytest.approx(-300 * math.log(4), rel=1e-14)
    powers = float(key_ever_hit_log(300, x0, 0.25, 10**5)) / math.log(10)
    assert powers == pytest.approx(-300 * math.log10(4), abs=1e-9)
    assert key_never_hit(300, x0, 0.25, 1000) == 1.0
    # Even odds: all defaults and all keys are equally likely.
    assert key_ever_hit_log(300, 0.0, 0.25, 1) == pytest.approx(-math.log(2.0), rel=1e-14)


def test_default_margins_are_reinforce_updates():
    margins = default_margins(0.4, 0.3, 5)
    logits = np.array([[0.4, 0.0]])
    for margin in margins:
        assert logits[0, 0] - logits[0, 1] == pytest.approx(margin, rel=1e-13)
        logits = reinforce_update(logits, [0], [0], 1.0, 0.3)


@pytest.mark.parametrize(("theta", "text"), [(0.1, ".35786"), (0.05, ".12825"), (0.01, "3.49e-5")])
def test_cross_never_explores_printed(theta, text):
    assert_printed(cross_never_explores(0.1, theta), text)


def test_cross_never_explores_limits():
    assert cross_never_explores(0.3, 0.2, 1) == pytest.approx(0.7, rel=1e-14)
    assert cross_never_explores(0.3, 0.2, 2) == pytest.approx(0.7 * (1 - 0.24), rel=1e-14)
    assert cross_never_explores(0.3, 0.2, 10**9) == cross_never_explores(0.3, 0.2)
    assert cross_never_explores(0.3, 1.0) == pytest.approx(0.7, rel=1e-14)
    assert cross_never_explores(1.0, 0.5) == 0.0
    policy = np.array([0.7, 0.3])
    for n in range(1, 5):
        left = cross_never_explores(0.3, 0.2, n + 1) / cross_never_explores(0.3, 0.2, n)
        policy = cross_update(policy, 0, 1.0, 0.2)
        assert left == pytest.approx(policy[0], rel=1e-12)


@pytest.mark.parametrize(
    ("d1", "d2", "theta", "p", "diffusion", "simulated"),
    [
        (0.52, 0.5, 0.05, 0.5, ".6864", 0.6831),
        (0.52, 0.5, 0.05, 0.1, ".1827", 0.1830),
        (0.55, 0.5, 0.1, 0.2, ".3697", 0.3689),
        (1.0, 0.9, 0.1, 0.1, ".2136", 0.2174),
        (0.5, 0.5, 0.1, 0.3, ".3", 0.2957),
        (0.8, 0.5, 0.02, 0.1, ".979", 0.9935),
    ],
)
def test_reward_inaction_printed(d1, d2, theta, p, diffusion, simulated):
    assert_printed(reward_inaction_absorption(d1, d2, theta, p), diffusion)
    exact = reward_inaction_absorption_exact(d1, d2, theta, p)
    # The simulations had some thousand replicates: 4 standard errors of 5000.
    assert exact == pytest.approx(simulated, abs=4 * math.sqrt(exact * (1 - exact) / 5000))
    finer = reward_inaction_absorption_exact(d1, d2, theta, p, nodes=320)
    assert exact == pytest.approx(finer, abs=1e-10)


def test_reward_inaction_solves_its_equation():
    d1, d2, theta = 0.7, 0.4, 0.15

    def u(p: float) -> float:
        return reward_inaction_absorption_exact(d1, d2, theta, p, nodes=120)

    for p in (0.07, 0.31, 0.88):
        stay = 1 - p * d1 - (1 - p) * d2
        up, down = u(p + theta * (1 - p)), u(p * (1 - theta))
        assert u(p) == pytest.approx(p * d1 * up + (1 - p) * d2 * down + stay * u(p), abs=1e-11)
    mirrored = reward_inaction_absorption_exact(d2, d1, theta, 0.7, nodes=120)
    assert u(0.3) + mirrored == pytest.approx(1.0, abs=1e-11)
    assert reward_inaction_absorption(0.4, 0.7, theta, 0.7) == pytest.approx(
        1 - reward_inaction_absorption(0.7, 0.4, theta, 0.3), rel=1e-12
    )
    assert reward_inaction_absorption_exact(0.5, 0.0, 0.2, 0.1) == 1.0
    assert (u(0.0), u(1.0)) == (0.0, 1.0)


# ---- contract -----------------------------------------------------------------------------------

NAN = float("nan")
WORLD, LOGITS = random_world(1)
PAIR = np.array([0.5, 0.5])


@pytest.mark.parametrize(
    "call",
    [
        lambda: wright_fisher_matrix(0),
        lambda: wright_fisher_matrix(10.5),
        lambda: wright_fisher_matrix(10, -1.0),
        lambda: wright_fisher_matrix(10, np.ones(10)),
        lambda: wright_fisher_diploid_matrix(5, (1, 1)),
        lambda: diploid_genotype_matrix(91),
        lambda: moran_matrix(True),
        lambda: moran_rates(4, NAN),
        lambda: birth_death_matrix([0.1, 0.1], [0.0, 0.1]),
        lambda: birth_death_matrix([0.6, 0.6, 0.0], [0.0, 0.6, 0.1]),
        lambda: birth_death_fixation([0, 0, 0], [0, 0.1, 0]),
        lambda: birth_death_fixation([0, 0.1, 0], [0, 0.1]),
        lambda: fixation_probability(np.eye(4)),
        lambda: fixation_probability(np.full((3, 3), 1 / 3)),
        lambda: fixation_probability([[1, 0, 0], [0.5, 0.6, 0], [0, 0, 1]]),
        lambda: fixation_probability([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
        lambda: absorption_time(np.eye(2)),
        lambda: conditional_fixation_time([[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]),
        lambda: moran_fixation(5, 1.0, 6),
        lambda: heterozygosity_decay(0.7, 10, 1),
        lambda: heterozygosity_decay(0.5, 10, -1),
        lambda: heterozygosity_decay(0.5, 10, 1, "moren"),
        lambda: expected_heterozygosity(wright_fisher_matrix(3), 4, 1),
        lambda: kimura_fixation(10, NAN, 0.5),
        lambda: kimura_fixation(10, 0.1, 1.5),
        lambda: kimura_ohta_fixation_time(10, -0.1),
        lambda: kimura_ohta_absorption_time(0, 0.5),
        lambda: establishment_probability(-1.0),
        lambda: haploid_frequency(0.0, 0.1, 1),
        lambda: haploid_frequency(0.1, 0.1, NAN),
        lambda: haploid_step([0.5, 0.6], [1, 1]),
        lambda: haploid_step(PAIR, [0, 0]),
        lambda: haploid_step(PAIR, [1, 1, 1]),
        lambda: diploid_step(PAIR, [[1, 2], [3, 1]]),
        lambda: diploid_step(PAIR, np.zeros((2, 2))),
        lambda: multiplicative_weights(PAIR, [1, "x"], 0.1),
        lambda: fundamental_theorem(PAIR, [1, NAN]),
        lambda: selection_time(1.0, 0.0, 1, 1),
        lambda: covariance([1, 2], [1]),
        lambda: parental_means([0, 3], [1.0, 2.0], 3),
        lambda: parental_means([0.5], [1.0], 3),
        lambda: price_partition([1, 2], [0, 0], [1, 2]),
        lambda: price_partition([1, 2], [-1, 2], [1, 2]),
        lambda: price_two_level([1, 2], [1, 1], [1, 2], [0.5, 0.5]),
        lambda: truncation_intensity(0.0),
        lambda: finite_truncation_intensity(5, 6),
        lambda: expected_maximum(0),
        lambda: breeders_response(1.1, 1.0),
        lambda: threshold_clonal(0.0, 0.5, 1),
        lambda: threshold_infinitesimal(0.1, 0.5, 101),
        lambda: threshold_constant_variance(0.1, 0.5, -1),
        lambda: selection_gradient([[1, 2], [2, 1]], [1, 1]),
        lambda: selection_gradient([[1, 2], [0, 1]], [1, 1]),
        lambda: lande_response([[1, 2], [0, 1]], np.eye(2), [1, 1]),
        lambda: stabilising_variance(0.0, 1.0),
        lambda: stabilising_step(0.0, -1.0, 1.0, 1.0),
        lambda: gaussian_peak_growth(1.0, 1.0, -1.0),
        lambda: gaussian_crossing((1.0, 0.5), (1.2, 5.0)),
        lambda: gaussian_crossing((2.0, 0.5), (1.0, 0.6)),
        lambda: error_class_matrix(0, 0.1),
        lambda: quasispecies([0, 0], np.eye(2)),
        lambda: quasispecies([1, 1], np.ones((2, 2))),
        lambda: error_threshold(10, 1.0),
        lambda: peak_growth(1.0, 5, 0.1, 6),
        lambda: two_peak_crossing(1.0, 1.5, 3),
        lambda: shoulder_crossing(2, 1.99, 0.1, 1, 3),
        lambda: network_neutrality([[0, 1], [0, 0]]),
        lambda: needle_waiting_time(10, 2, 0.0),
        lambda: class_chain_waiting_time(200, 3, 0.1),
        lambda: class_chain_waiting_time(10, 2, 0.1, 0.0),
        lambda: class_chain_hit(10, 2, 0.1, -1),
        lambda: class_chain_hit(10, 2, 0.1, 1, success=1.5),
        lambda: class_chain_hit(10, 2, 0.1, 1.5),
        lambda: needle_waiting_log(10, 2, 0.0),
        lambda: class_chain_deterministic_time(2, 9, 1e-7),
        lambda: TabularWorld(np.ones((2, 2, 2)), np.ones((2, 2)), PAIR, 1),
        lambda: TabularWorld(np.full((2, 2, 2), 0.5), np.ones((2, 3)), PAIR, 1),
        lambda: TabularWorld(np.full((2, 2, 2), 0.5), np.ones((2, 2)), np.ones(1), 1),
        lambda: TabularWorld(np.full((2, 2, 2), 0.5), np.ones((2, 2)), PAIR, 0),
        lambda: enumerate_trajectories(
            TabularWorld(WORLD.transition, WORLD.reward, WORLD.start, 8), LOGITS
        ),
        lambda: policy_gradient(WORLD, LOGITS[:2]),
        lambda: softmax_policy([0.1, 0.2]),
        lambda: oracles.action_values(WORLD, [0.0]),
        lambda: optimal_baseline(
            TabularWorld(np.ones((1, 1, 1)), np.ones((1, 1)), np.ones(1), 1), [[0.0]]
        ),
        lambda: reinforce_update(LOGITS, [0], [2], 1.0, 0.1),
        lambda: reinforce_update(LOGITS, [0, 1], [1], 1.0, 0.1),
        lambda: reinforce_update(LOGITS, [0.0], [1], 1.0, 0.1),
        lambda: span_residual([1.0, 2.0], [[1.0]]),
        lambda: cross_update(PAIR, 2, 1.0, 0.1),
        lambda: cross_update(PAIR, 0, 1.5, 0.1),
        lambda: cross_expected_change(PAIR, [0.5, 1.5], 0.1),
        lambda: softmax_gradient_logit(0.0, 0.0, 0.1, 1.0),
        lambda: softmax_gradient_logit(0.0, 0.1, 0.1, -1.0),
        lambda: softmax_gradient_time(1.0, 0.0, 0.1, 0.1),
        lambda: default_margins(0.0, 0.0, 5),
        lambda: key_never_hit(0, 0.0, 0.1, 5),
        lambda: key_never_hit(1.5, 0.0, 0.1, 5),
        lambda: key_ever_hit_log(0, 0.0, 0.1, 5),
        lambda: key_never_hit_life(0, 0.0, 0.1, 5),
        lambda: key_never_hit_life(2, 0.0, 0.1, 0),
        lambda: cross_never_explores(0.1, 0.0),
        lambda: reward_inaction_absorption(0.0, 0.0, 0.1, 0.5),
        lambda: reward_inaction_absorption_exact(0.5, 0.4, 1.0, 0.5),
        lambda: reward_inaction_absorption_exact(0.5, 0.4, 0.1, 0.5, nodes=2001),
    ],
)
def test_invalid_input_raises_value_error(call):
    with pytest.raises(ValueError):  # noqa: PT011 - every message is the oracle's own
        call()


def test_everything_public_is_exported_and_documented():
    for name in oracles.__all__:
        item = getattr(oracles, name)
        if callable(item):
            assert item.__doc__, name
        if type(item).__name__ == "function":
            for section in ("Parameters", "Returns", "Raises"):
                assert f"    {section}\n" in item.__doc__, f"{name} has no {section}"
