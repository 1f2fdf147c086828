"""Exact transition matrices of finite populations, and the decay of their heterozygosity.

Sources: Wright 1931 (Genetics 16:97); Moran 1958 (Proc. Camb. Phil. Soc. 54:60);
Crow & Kimura 1970; Ewens 2004. Results T1-T6, T11, T12, T14.

Every matrix is row-stochastic: entry [i, j] is the probability of going from state i to state j.
Selection acts before reproduction (the choice of parents), and there is no mutation.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray

MAX_DIPLOID_AGENTS = 90
"""Largest diploid population whose genotype chain fits in memory (4186 states, 140 MB)."""


def _per_count_fitness(size: int, fitness: npt.ArrayLike) -> FloatArray:
    """Broadcast a relative fitness to one value per allele count 0..size."""
    values = np.asarray(fitness, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(size + 1, values)
    if values.shape != (size + 1,):
        raise ValueError(f"fitness must be a number or one value per count 0..{size}")
    if not np.all(np.isfinite(values)) or np.any(values <= 0.0):
        raise ValueError("fitness must be positive and finite")
    return values


def _binomial_rows(size: int, probability: FloatArray) -> FloatArray:
    """Binomial(size, probability[i]) probabilities of 0..size, one row per i."""
    k = np.arange(size + 1)
    log_choose = special.gammaln(size + 1) - special.gammaln(k + 1) - special.gammaln(size - k + 1)
    p = probability[:, None]
    logs = log_choose + special.xlogy(k, p) + special.xlog1py(size - k, -p)
    return np.asarray(np.exp(logs), dtype=np.float64)


def wright_fisher_matrix(size: int, fitness: npt.ArrayLike = 1.0) -> FloatArray:
    """Exact transition matrix of the haploid Wright-Fisher model with two alleles.

    The next generation is Binomial(size, p'), with p' = i w_i / (i w_i + size - i)
    (Wright 1931).

    Parameters
    ----------
    size : int
        Number of haploid agents, N >= 1.
    fitness : float or array of shape (size + 1,)
        Fitness of allele A relative to a, positive; one value per count i of A when selection
        depends on frequency.

    Returns
    -------
    array of shape (size + 1, size + 1)
        Row i: distribution of the next generation's count of A.

    Raises
    ------
    ValueError
        If `size` < 1 or a fitness is not positive and finite.
    """
    size = _checks.integer("size", size, 1)
    w = _per_count_fitness(size, fitness)
    i = np.arange(size + 1)
    # The brackets keep the frequency at exactly one when everybody carries A.
    return _binomial_rows(size, i * w / (i * w + (size - i)))


def wright_fisher_diploid_matrix(
    agents: int, fitness: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> FloatArray:
    """Transition matrix of 2N gametes with Hardy-Weinberg parents (Crow & Kimura 1970).

    p' = p (p w_AA + q w_Aa) / wbar and 2N gametes are Binomial. This is exact for gametic
    (multiplicative) selection; otherwise it neglects the O(1/N) departure of the N parents from
    Hardy-Weinberg proportions, which `diploid_genotype_matrix` keeps.

    Parameters
    ----------
    agents : int
        Number of diploid agents, N >= 1.
    fitness : (float, float, float)
        Fitness of genotypes AA, Aa, aa; positive. Genic selection is (1 + 2s, 1 + s, 1).

    Returns
    -------
    array of shape (2N + 1, 2N + 1)
        Row i: distribution of the count of A among the next generation's 2N gametes.

    Raises
    ------
    ValueError
        If `agents` < 1 or a fitness is not positive and finite.
    """
    agents = _checks.integer("agents", agents, 1)
    w_AA, w_Aa, w_aa = _genotype_fitness(fitness)
    p = np.arange(2 * agents + 1) / (2 * agents)
    q = 1.0 - p
    mean = p * p * w_AA + 2 * p * q * w_Aa + q * q * w_aa
    return _binomial_rows(2 * agents, p * (p * w_AA + q * w_Aa) / mean)


def _genotype_fitness(fitness: tuple[float, float, float]) -> FloatArray:
    """Check the three genotype fitnesses AA, Aa, aa."""
    values = _checks.array("fitness", fitness, 1)
    if values.shape != (3,) or np.any(values <= 0.0):
        raise ValueError("fitness must be three positive numbers, for AA, Aa and aa")
    return values


def diploid_genotype_matrix(
    agents: int, fitness: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Exact chain of N diploids on genotype counts, two independent parents per offspring.

    Each of an offspring's two gametes comes from a parent chosen in proportion to fitness
    (selfing allowed), so genotypes are multinomial with (p'^2, 2p'q', q'^2), where p' is the
    fitness-weighted gamete frequency of the realised parents. No Hardy-Weinberg assumption.

    Parameters
    ----------
    agents : int
        Number of diploid agents, 1 <= N <= MAX_DIPLOID_AGENTS.
    fitness : (float, float, float)
        Fitness of genotypes AA, Aa, aa; positive.

    Returns
    -------
    states : int array of shape (S, 2)
        Counts of AA and Aa; S = (N + 1)(N + 2) / 2. State 0 is all aa, state S - 1 all AA, so
        that `absorption.fixation_probability` reads the matrix as it is.
    matrix : array of shape (S, S)
        Transition probabilities between the states.

    Raises
    ------
    ValueError
        If `agents` is out of range or a fitness is not positive and finite.
    """
    agents = _checks.integer("agents", agents, 1)
    if agents > MAX_DIPLOID_AGENTS:
        raise ValueError(f"agents must be at most {MAX_DIPLOID_AGENTS}, not {agents}")
    w_AA, w_Aa, w_aa = _genotype_fitness(fitness)
    states = np.array(
        [(a, h) for a in range(agents + 1) for h in range(agents + 1 - a)], dtype=np.int64
    )
    a, h = states.T.astype(np.float64)
    rest = agents - a - h
    p = (a * w_AA + 0.5 * h * w_Aa) / (a * w_AA + h * w_Aa + rest * w_aa)
    q = 1.0 - p
    log_count = special.gammaln(agents + 1) - special.gammaln(states + 1).sum(axis=1)
    log_count -= special.gammaln(rest + 1)
    logs = log_count[None, :] + special.xlogy(a[None, :], (p * p)[:, None])
    logs += special.xlogy(h[None, :], (2 * p * q)[:, None])
    logs += special.xlogy(rest[None, :], (q * q)[:, None])
    return states, np.asarray(np.exp(logs), dtype=np.float64)


def moran_rates(size: int, fitness: npt.ArrayLike = 1.0) -> tuple[FloatArray, FloatArray]:
    """Probabilities of one more and one less A in one Moran birth-death event (Moran 1958).

    The parent is chosen in proportion to fitness, the dying agent uniformly; the parent may be
    the one that dies.

    Parameters
    ----------
    size : int
        Number of haploid agents, N >= 1.
    fitness : float or array of shape (size + 1,)
        Fitness of A relative to a, positive; one value per count when it depends on frequency.

    Returns
    -------
    up, down : arrays of shape (size + 1,)
        T+ and T- per count i of A; both are zero at i = 0 and i = N.

    Raises
    ------
    ValueError
        If `size` < 1 or a fitness is not positive and finite.
    """
    size = _checks.integer("size", size, 1)
    w = _per_count_fitness(size, fitness)
    i = np.arange(size + 1, dtype=np.float64)
    total = i * w + (size - i)
    return i * w / total * (size - i) / size, (size - i) / total * i / size


def birth_death_matrix(up: npt.ArrayLike, down: npt.ArrayLike) -> FloatArray:
    """Tridiagonal transition matrix of a birth-death chain (Karlin & Taylor 1975).

    Parameters
    ----------
    up, down : arrays of shape (S,)
        Probabilities of going one state up and down; `up[-1]` and `down[0]` must be zero.

    Returns
    -------
    array of shape (S, S)
        Row-stochastic matrix.

    Raises
    ------
    ValueError
        If lengths differ, a probability is negative, or up + down exceeds one.
    """
    up = _checks.array("up", up, 1, 0.0)
    down = _checks.array("down", down, 1, 0.0)
    _checks.same_length(up=up, down=down)
    if up[-1] != 0.0 or down[0] != 0.0:
        raise ValueError("up[-1] and down[0] must be zero")
    if np.any(up + down > 1.0 + _checks.ROUNDING):
        raise ValueError("up + down must not exceed one")
    return np.diag(1.0 - up - down) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)


def moran_matrix(size: int, fitness: npt.ArrayLike = 1.0) -> FloatArray:
    """Exact transition matrix of one Moran birth-death event; parameters as `moran_rates`.

    Parameters
    ----------
    size : int
        Number of haploid agents, N >= 1. One generation is N events.
    fitness : float or array of shape (size + 1,)
        Fitness of A relative to a, positive.

    Returns
    -------
    array of shape (size + 1, size + 1)
        Row i: distribution of the count of A after one event.

    Raises
    ------
    ValueError
        If `size` < 1 or a fitness is not positive and finite.
    """
    return birth_death_matrix(*moran_rates(size, fitness))


def heterozygosity_decay(
    initial: float, copies: int, steps: npt.ArrayLike, model: str = "wright-fisher"
) -> FloatArray:
    """Exact mean of neutral heterozygosity (results T1-T3; Wright 1931, Moran 1958).

    E[H_t] = H_0 (1 - 1/copies)^t for Wright-Fisher, H_0 (1 - 2/copies^2)^k for Moran, where
    H = 2p(1 - p) is of true frequencies, without sample correction.

    Parameters
    ----------
    initial : float
        H_0, in [0, 0.5].
    copies : int
        Gene copies, >= 1: N for haploids, 2N for diploids (selfing allowed).
    steps : array of any shape
        Generations t (Wright-Fisher) or birth-death events k (Moran), non-negative.
    model : {"wright-fisher", "moran"}
        Reproduction scheme.

    Returns
    -------
    array shaped like `steps`
        Expected heterozygosity.

    Raises
    ------
    ValueError
        If an argument is out of range or `model` is unknown.
    """
    initial = _checks.number("initial", initial, 0.0, 0.5)
    copies = _checks.integer("copies", copies, 1)
    t = np.asarray(steps, dtype=np.float64)
    if not np.all(np.isfinite(t)) or np.any(t < 0.0):
        raise ValueError("steps must be non-negative")
    losses = {"wright-fisher": 1.0 / copies, "moran": 2.0 / copies**2}
    if model not in losses:
        raise ValueError(f"model must be one of {sorted(losses)}, not {model!r}")
    # One copy is always homozygous; Moran's formula would give 1 - 2 there.
    loss = min(losses[model], 1.0)
    return np.asarray(initial * (1.0 - loss) ** t, dtype=np.float64)


def expected_heterozygosity(matrix: npt.ArrayLike, start: int, steps: int) -> float:
    """Mean 2p(1 - p) of a chain on allele counts after `steps`, from its matrix power.

    Parameters
    ----------
    matrix : array of shape (n + 1, n + 1)
        Row-stochastic matrix on counts 0..n, with or without selection.
    start : int
        Initial count, 0..n.
    steps : int
        Number of steps, non-negative.

    Returns
    -------
    float
        Expected heterozygosity.

    Raises
    ------
    ValueError
        If `matrix` is not row-stochastic, or `start` or `steps` is out of range.
    """
    matrix = _checks.stochastic("matrix", matrix)
    top = matrix.shape[0] - 1
    start = _checks.integer("start", start, 0)
    steps = _checks.integer("steps", steps, 0)
    if start > top or top < 1:
        raise ValueError(f"start must be at most {top}, and the chain needs two states")
    p = np.arange(top + 1) / top
    value = 2.0 * p * (1.0 - p)
    for _ in range(steps):
        value = matrix @ value
    return float(value[start])
