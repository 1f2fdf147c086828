"""Diffusion and branching-process approximations of fixation.

Sources: Kimura 1962 (Genetics 47:713); Kimura & Ohta 1969 (Genetics 61:763); Haldane 1927
(Proc. Camb. Phil. Soc. 23:838). Results T5, T6, T11-T13. These are approximations for large
populations and weak selection: test against `evosim.oracles.absorption` where a chain exists.
"""

import numpy as np
from scipy import optimize

from evosim.oracles import _checks


def kimura_fixation(copies: int, s: float, p: float) -> float:
    """Kimura's fixation probability of a genic advantage (Kimura 1962).

    u(p) = (1 - e^{-2 n s p}) / (1 - e^{-2 n s}) with n gene copies: n = N for haploids, n = 2N
    for diploids with genotype fitnesses (1, 1 + s, 1 + 2s).

    Parameters
    ----------
    copies : int
        Gene copies n >= 1.
    s : float
        Selective advantage of one copy, per generation.
    p : float
        Initial frequency in [0, 1]; 1/n for one copy.

    Returns
    -------
    float
        Fixation probability; p itself when s = 0.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    copies = _checks.integer("copies", copies, 1)
    s = _checks.number("s", s)
    p = _checks.probability("p", p)
    strength = 2.0 * copies * s
    if strength == 0.0:
        return p
    if strength < 0.0:
        # Multiplied through by e^{2ns}, so that strong counter-selection cannot overflow.
        scale = np.exp(strength * (1.0 - p))
        return float(scale * np.expm1(strength * p) / np.expm1(strength))
    return float(np.expm1(-strength * p) / np.expm1(-strength))


def kimura_ohta_fixation_time(copies: int, p: float) -> float:
    """Neutral mean time to fixation given fixation (Kimura & Ohta 1969).

    t1(p) = -2 n (1 - p) ln(1 - p) / p generations, tending to 2n as p -> 0.

    Parameters
    ----------
    copies : int
        Gene copies n >= 1 (N haploid, 2N diploid).
    p : float
        Initial frequency in [0, 1].

    Returns
    -------
    float
        Generations.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    copies = _checks.integer("copies", copies, 1)
    p = _checks.probability("p", p)
    if p == 0.0:
        return 2.0 * copies
    if p == 1.0:
        return 0.0
    return float(-2.0 * copies * (1.0 - p) * np.log1p(-p) / p)


def kimura_ohta_fixation_sd(copies: int) -> float:
    """Sd of the neutral conditional fixation time from one copy: 2n sqrt(pi^2/3 - 3).

    The time is that of the coalescent of a whole large population (Kingman 1982), whose variance
    is the sum over k >= 2 of [2n / (k(k - 1))]^2 = (2n)^2 (pi^2/3 - 3).

    Parameters
    ----------
    copies : int
        Gene copies n >= 1.

    Returns
    -------
    float
        Generations.

    Raises
    ------
    ValueError
        If `copies` < 1.
    """
    return float(2.0 * _checks.integer("copies", copies, 1) * np.sqrt(np.pi**2 / 3.0 - 3.0))


def kimura_ohta_absorption_time(copies: int, p: float) -> float:
    """Neutral mean time to loss or fixation (Kimura & Ohta 1969).

    t(p) = -2 n [p ln p + (1 - p) ln(1 - p)] generations.

    Parameters
    ----------
    copies : int
        Gene copies n >= 1.
    p : float
        Initial frequency in [0, 1].

    Returns
    -------
    float
        Generations; 2 n ln 2 from p = 1/2.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    copies = _checks.integer("copies", copies, 1)
    p = _checks.probability("p", p)
    if p in (0.0, 1.0):
        return 0.0
    return float(-2.0 * copies * (p * np.log(p) + (1.0 - p) * np.log1p(-p)))


def establishment_probability(s: float, copies: int = 1) -> float:
    """Survival of a Poisson branching process with mean 1 + s (Haldane 1927, result T13).

    pi solves pi = 1 - exp(-(1 + s) pi); n independent copies establish with 1 - (1 - pi)^n.
    "2s" is only the leading term.

    Parameters
    ----------
    s : float
        Advantage, > -1. Without an advantage (s <= 0) extinction is certain.
    copies : int
        Initial copies n >= 1.

    Returns
    -------
    float
        Probability of establishment.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    s = _checks.number("s", s, -1.0, above=True)
    copies = _checks.integer("copies", copies, 1)
    if s <= 0.0:
        return 0.0
    if s < 1e-5:
        # The bracket below would lose its sign to rounding; the next term is of order s^4.
        root = 2.0 * s - 8.0 / 3.0 * s**2 + 28.0 / 9.0 * s**3
    else:
        # s/(1+s)^2 bounds the root from below for every s > 0, and keeps off the root pi = 0.
        low = s / (1.0 + s) ** 2
        root = optimize.brentq(
            lambda x: x + np.expm1(-(1.0 + s) * x), low, 1.0, xtol=1e-300, rtol=1e-14
        )
    return float(-np.expm1(copies * np.log1p(-root))) if root < 1.0 else 1.0
