"""Mutation against selection on a sequence: error classes, error threshold, two peaks.

Sources: Eigen 1971; Swetina & Schuster 1982 (Biophys. Chem. 16:329); van Nimwegen, Crutchfield &
Huynen 1999 (PNAS 96:9716); Wilke et al. 2001 (Nature 412:331). Results T24, T26.

Order in a generation: selection, then mutation; frequencies are those of newborns.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


class Quasispecies(NamedTuple):
    """Balance of mutation and selection: asymptotic growth per generation and frequencies."""

    growth: float
    frequency: FloatArray


def _binomial(size: int, p: float) -> FloatArray:
    """Binomial(size, p) probabilities of 0..size."""
    k = np.arange(size + 1)
    logs = special.gammaln(size + 1) - special.gammaln(k + 1) - special.gammaln(size - k + 1)
    logs = logs + special.xlogy(k, p) + special.xlog1py(size - k, -p)
    return np.asarray(np.exp(logs), dtype=np.float64)


def error_class_matrix(loci: int, mutation: float) -> FloatArray:
    """Mutation between error classes of binary sequences (Swetina & Schuster 1982).

    Class i has i of L loci different from the master. A child keeps Binomial(i, 1 - mu) of its
    parent's errors and gains Binomial(L - i, mu) new ones, back mutation included.

    Parameters
    ----------
    loci : int
        L >= 1.
    mutation : float
        mu, probability per locus and birth, in [0, 1].

    Returns
    -------
    array of shape (L + 1, L + 1)
        Row-stochastic: [i, j] is the probability that a parent of class i has a child of class j.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    loci = _checks.integer("loci", loci, 1)
    mu = _checks.probability("mutation", mutation)
    rows = [np.convolve(_binomial(i, 1.0 - mu), _binomial(loci - i, mu)) for i in range(loci + 1)]
    return np.array(rows)


def quasispecies(fitness: npt.ArrayLike, mutation: npt.ArrayLike) -> Quasispecies:
    """Leading eigenvector of selection then mutation: x lambda = (x * w) M (Eigen 1971).

    Parameters
    ----------
    fitness : array of shape (n,)
        Non-negative fitness per type, not all zero.
    mutation : array of shape (n, n)
        Row-stochastic mutation matrix, such as `error_class_matrix`.

    Returns
    -------
    Quasispecies
        `growth`: leading eigenvalue, the mean fitness of newborns; `frequency`: shape (n,), of
        newborns, summing to one.

    Raises
    ------
    ValueError
        If shapes differ, `mutation` is not stochastic, or every type is lethal.
    """
    w = _checks.array("fitness", fitness, 1, 0.0)
    M = _checks.stochastic("mutation", mutation)
    _checks.same_length(fitness=w, mutation=M)
    if np.all(w == 0.0):
        raise ValueError("some type must have positive fitness")
    operator = (w[:, None] * M).T
    values, vectors = np.linalg.eig(operator)
    lead = int(np.argmax(values.real))
    x = np.abs(vectors[:, lead].real)
    # One step of the recursion itself removes the rounding of the general eigensolver.
    x = operator @ (x / x.sum())
    return Quasispecies(float(values[lead].real), x / x.sum())


def error_threshold(loci: int, advantage: float) -> float:
    """Mutation rate above which the master is lost: mu_c = 1 - sigma^(-1/L) (Eigen 1971).

    Parameters
    ----------
    loci : int
        L >= 1.
    advantage : float
        Fitness sigma of the master, relative to all others, > 1.

    Returns
    -------
    float
        mu_c per locus (neglecting back mutation).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    loci = _checks.integer("loci", loci, 1)
    sigma = _checks.number("advantage", advantage, 1.0, above=True)
    return float(-np.expm1(-np.log(sigma) / loci))


def master_frequency(loci: int, advantage: float, mutation: float) -> float:
    """Master frequency without back mutation: x0 = (sigma Q - 1)/(sigma - 1) (Eigen 1971).

    Parameters
    ----------
    loci : int
        L >= 1.
    advantage : float
        Fitness sigma of the master, relative to all others, > 1.
    mutation : float
        mu per locus and birth, in [0, 1].

    Returns
    -------
    float
        Frequency among newborns; 0 above the error threshold.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    loci = _checks.integer("loci", loci, 1)
    sigma = _checks.number("advantage", advantage, 1.0, above=True)
    mu = _checks.probability("mutation", mutation)
    return float(max(0.0, (sigma * (1.0 - mu) ** loci - 1.0) / (sigma - 1.0)))


def single_peak(loci: int, advantage: float, mutation: float) -> Quasispecies:
    """Exact quasispecies of a single peak, with back mutation (result T24).

    Parameters
    ----------
    loci : int
        L >= 1.
    advantage : float
        Fitness sigma of the master, relative to all others, > 0.
    mutation : float
        mu per locus and birth, in [0, 1].

    Returns
    -------
    Quasispecies
        `frequency` has shape (L + 1,), by number of errors.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    matrix = error_class_matrix(loci, mutation)
    w = np.ones(matrix.shape[0])
    w[0] = _checks.number("advantage", advantage, 0.0, above=True)
    return quasispecies(w, matrix)


def peak_growth(fitness: float, loci: int, mutation: float, neutral: int = 0) -> float:
    """Growth of a peak whose other L - n loci are essential: w (1 - mu)^(L - n) (result T26).

    Parameters
    ----------
    fitness : float
        w > 0 of the peak and of its neutral network.
    loci : int
        L >= 1.
    mutation : float
        mu per locus and birth, in [0, 1]; any change at an essential locus is lethal.
    neutral : int
        n, number of loci free to change, 0..L.

    Returns
    -------
    float
        Growth factor per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    w = _checks.number("fitness", fitness, 0.0, above=True)
    loci = _checks.integer("loci", loci, 1)
    mu = _checks.probability("mutation", mutation)
    neutral = _checks.integer("neutral", neutral, 0)
    if neutral > loci:
        raise ValueError(f"neutral must be at most {loci}, not {neutral}")
    return float(w * (1.0 - mu) ** (loci - neutral))


def two_peak_crossing(sharp: float, flat: float, neutral: int) -> float:
    """Mutation rate at which the flat peak overtakes: mu* = 1 - (w_B/w_A)^(1/n) (result T26).

    Independent of the length L.

    Parameters
    ----------
    sharp : float
        Fitness w_A of the peak with every locus essential.
    flat : float
        Fitness w_B of the flatter peak, 0 < w_B < w_A.
    neutral : int
        n >= 1, neutral loci of the flatter peak.

    Returns
    -------
    float
        mu* per locus.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    sharp = _checks.number("sharp", sharp, 0.0, above=True)
    flat = _checks.number("flat", flat, 0.0, sharp, above=True, below=True)
    neutral = _checks.integer("neutral", neutral, 1)
    return float(-np.expm1(np.log(flat / sharp) / neutral))


def shoulder_growth(fitness: float, shoulder: float, loci: int, mutation: float) -> float:
    """Growth of a peak whose one-error mutants live with fitness `shoulder` (result T26).

    Leading eigenvalue of the error-class matrix with fitness (w, a, 0, 0, ...).

    Parameters
    ----------
    fitness : float
        w > 0 of the peak.
    shoulder : float
        a >= 0 of one-error mutants; with a = 0 this is `peak_growth`.
    loci : int
        L >= 1.
    mutation : float
        mu per locus and birth, in [0, 1].

    Returns
    -------
    float
        Growth factor per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    matrix = error_class_matrix(loci, mutation)
    w = np.zeros(matrix.shape[0])
    w[0] = _checks.number("fitness", fitness, 0.0, above=True)
    w[1] = _checks.number("shoulder", shoulder, 0.0)
    return quasispecies(w, matrix).growth


def shoulder_crossing(sharp: float, shoulder: float, flat: float, neutral: int, loci: int) -> float:
    """Mutation rate at which a flat peak overtakes a sharp one with a shoulder (result T26).

    Parameters
    ----------
    sharp, shoulder : float
        Fitness of the sharp peak and of its one-error mutants, shoulder < sharp.
    flat : float
        Fitness of the flat peak, 0 < flat < sharp.
    neutral : int
        Neutral loci of the flat peak, 1..L.
    loci : int
        L >= 1.

    Returns
    -------
    float
        Smallest mu in (0, 1/2] at which both grow equally.

    Raises
    ------
    ValueError
        If an argument is out of range or the flat peak never overtakes on that interval.
    """
    _checks.number("shoulder", shoulder, 0.0, sharp, below=True)
    lowest = two_peak_crossing(sharp, flat, neutral)

    def lead(mu: float) -> float:
        sharp_growth = shoulder_growth(sharp, shoulder, loci, mu)
        return sharp_growth - peak_growth(flat, loci, mu, neutral)

    # A shoulder only helps the sharp peak, so the crossing without it bounds from below.
    grid = np.linspace(min(lowest, 0.5), 0.5, 201)
    behind = [mu for mu in grid if lead(mu) <= 0.0]
    if not behind:
        raise ValueError("the flat peak never overtakes the sharp one")
    upper = behind[0]
    if upper == grid[0]:
        return float(upper)
    return float(optimize.brentq(lead, upper - (grid[1] - grid[0]), upper, xtol=1e-14))


def network_neutrality(adjacency: npt.ArrayLike) -> float:
    """Average number of neutral neighbours of a population on a neutral network.

    It equals the spectral radius of the network's adjacency matrix when every change off the
    network is lethal (van Nimwegen, Crutchfield & Huynen 1999).

    Parameters
    ----------
    adjacency : array of shape (n, n)
        Symmetric, non-negative; 1 where two genotypes are one mutation apart.

    Returns
    -------
    float
        Mean number of neutral neighbours.

    Raises
    ------
    ValueError
        If `adjacency` is not symmetric and non-negative.
    """
    a = _checks.array("adjacency", adjacency, 2, 0.0)
    if a.shape[0] != a.shape[1] or not np.array_equal(a, a.T):
        raise ValueError("adjacency must be a symmetric matrix")
    return float(np.linalg.eigvalsh(a)[-1])
