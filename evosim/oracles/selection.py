"""Infinite-population selection: deterministic recursions and Fisher's theorem.

Sources: Haldane 1924 (Trans. Camb. Phil. Soc. 23:19); Fisher 1930; Crow & Kimura 1970;
Freund & Schapire 1997 (J. Comput. Syst. Sci. 55:119) for multiplicative weights.
Results T10, T17, T60.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


def _weighted(frequency: npt.ArrayLike, fitness: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check a distribution over types and the fitness of each type."""
    p = _checks.distribution("frequency", frequency)
    w = _checks.array("fitness", fitness, 1, 0.0)
    _checks.same_length(frequency=p, fitness=w)
    if float(p @ w) <= 0.0:
        raise ValueError("mean fitness must be positive")
    return p, w


def haploid_frequency(p0: float, s: float, generations: npt.ArrayLike) -> FloatArray:
    """Frequency of a favoured allele: logit p_t = logit p_0 + t ln(1 + s) (Haldane 1924).

    Parameters
    ----------
    p0 : float
        Initial frequency in (0, 1).
    s : float
        Relative advantage, > -1.
    generations : array of any shape
        Times t, generations.

    Returns
    -------
    array shaped like `generations`
        Frequencies.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    p0 = _checks.probability("p0", p0, interior=True)
    s = _checks.number("s", s, -1.0, above=True)
    t = np.asarray(generations, dtype=np.float64)
    if not np.all(np.isfinite(t)):
        raise ValueError("generations must be finite")
    return np.asarray(special.expit(special.logit(p0) + t * np.log1p(s)), dtype=np.float64)


def haploid_step(frequency: npt.ArrayLike, fitness: npt.ArrayLike) -> FloatArray:
    """One generation of selection among any number of clones: p'_i = p_i w_i / wbar.

    Parameters
    ----------
    frequency : array of shape (n,)
        Frequencies, summing to one.
    fitness : array of shape (n,)
        Non-negative fitness per type.

    Returns
    -------
    array of shape (n,)
        Next frequencies.

    Raises
    ------
    ValueError
        If shapes differ, frequencies do not sum to one, or mean fitness is zero.
    """
    p, w = _weighted(frequency, fitness)
    return p * w / (p @ w)


def diploid_step(frequency: npt.ArrayLike, fitness: npt.ArrayLike) -> FloatArray:
    """One generation of random mating and viability selection: p'_i = p_i (Wp)_i / pWp.

    Parameters
    ----------
    frequency : array of shape (n,)
        Allele frequencies, summing to one.
    fitness : array of shape (n, n)
        Symmetric, non-negative fitness of the genotype of alleles i and j.

    Returns
    -------
    array of shape (n,)
        Next allele frequencies.

    Raises
    ------
    ValueError
        If shapes differ, `fitness` is asymmetric, or mean fitness is zero.
    """
    p = _checks.distribution("frequency", frequency)
    w = _checks.array("fitness", fitness, 2, 0.0)
    if w.shape != (p.size, p.size) or not np.array_equal(w, w.T):
        raise ValueError(f"fitness must be a symmetric matrix of shape ({p.size}, {p.size})")
    marginal = w @ p
    mean = float(p @ marginal)
    if mean <= 0.0:
        raise ValueError("mean fitness must be positive")
    return p * marginal / mean


def multiplicative_weights(
    policy: npt.ArrayLike, advantage: npt.ArrayLike, rate: float
) -> FloatArray:
    """One multiplicative-weights update: haploid selection with fitness e^{rate A} (T60).

    pi'_a = pi_a e^{rate A_a} / Z. The natural policy gradient of a tabular softmax policy is the
    same update (Kakade 2001).

    Parameters
    ----------
    policy : array of shape (n,)
        Action probabilities.
    advantage : array of shape (n,)
        Advantage (or value: constants cancel) per action.
    rate : float
        Learning rate, per unit of advantage.

    Returns
    -------
    array of shape (n,)
        Next action probabilities.

    Raises
    ------
    ValueError
        If shapes differ or an entry is invalid.
    """
    exponent = _checks.number("rate", rate) * _checks.array("advantage", advantage, 1)
    # Subtracting the maximum before exp cannot change the ratio, and cannot overflow.
    return haploid_step(policy, np.exp(exponent - exponent.max()))


def fundamental_theorem(frequency: npt.ArrayLike, fitness: npt.ArrayLike) -> float:
    """Change of mean fitness in one generation of clonal selection: Var(w) / wbar (Fisher 1930).

    Exact for asexual, frequency-independent fitness, before mutation (result T17).

    Parameters
    ----------
    frequency : array of shape (n,)
        Frequencies, summing to one.
    fitness : array of shape (n,)
        Non-negative fitness per type.

    Returns
    -------
    float
        E[wbar'] - wbar, in units of fitness.

    Raises
    ------
    ValueError
        If shapes differ, frequencies do not sum to one, or mean fitness is zero.
    """
    p, w = _weighted(frequency, fitness)
    mean = float(p @ w)
    return float(p @ (w - mean) ** 2) / mean


def selection_time(x0: float, x1: float, gap: float, rate: float) -> float:
    """Time for the logit to go from x0 to x1 under multiplicative weights or selection.

    t = (x1 - x0) / (rate gap): a logit grows linearly, so escaping from frequency p0 takes
    ln(1/p0) / (rate gap) (Haldane 1924; result T61 has the softmax-gradient counterpart).

    Parameters
    ----------
    x0, x1 : float
        Initial and final logit of the better type, x1 >= x0.
    gap : float
        Advantage of the better type per unit time, > 0.
    rate : float
        Learning rate or strength of selection, > 0.

    Returns
    -------
    float
        Time, in the steps or generations that `rate` counts.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x0 = _checks.number("x0", x0)
    x1 = _checks.number("x1", x1, x0)
    gap = _checks.number("gap", gap, 0.0, above=True)
    return (x1 - x0) / (_checks.number("rate", rate, 0.0, above=True) * gap)
