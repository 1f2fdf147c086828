"""Continuous traits under Gaussian stabilising selection: variance, growth, broad against sharp.

Sources: Kimura 1965 (PNAS 54:731); Latter 1970; Lande 1976; Fleming 1979.
Results T27, T28. Asexual haploids, infinite population; order: selection, then Gaussian mutation;
variances are those of newborns.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from evosim.oracles import _checks


class Moments(NamedTuple):
    """Mean and variance of a normally distributed trait among newborns."""

    mean: float
    variance: float


def stabilising_variance(width: float, mutational: float) -> float:
    """Equilibrium variance V = (Vm + sqrt(Vm^2 + 4 Vm Vs))/2 (Kimura 1965; result T28).

    The fixed point of V -> V Vs/(V + Vs) + Vm, about sqrt(Vm Vs) when Vm << Vs.

    Parameters
    ----------
    width : float
        Vs > 0 in w = exp(-x^2 / (2 Vs)), trait units squared.
    mutational : float
        Vm >= 0, variance added by mutation per generation, trait units squared.

    Returns
    -------
    float
        Variance after mutation, trait units squared.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    vs = _checks.number("width", width, 0.0, above=True)
    vm = _checks.number("mutational", mutational, 0.0)
    return float(0.5 * (vm + np.sqrt(vm * vm + 4.0 * vm * vs)))


def stabilising_step(
    mean: float, variance: float, width: float, mutational: float, optimum: float = 0.0
) -> Moments:
    """One generation of a normal trait under Gaussian selection and mutation (Lande 1976).

    mean' = mean - (mean - optimum) V/(V + Vs); V' = V Vs/(V + Vs) + Vm; normality is kept.

    Parameters
    ----------
    mean, variance : float
        Moments of the newborns, trait units and trait units squared; variance >= 0.
    width, mutational : float
        Vs > 0 and Vm >= 0, trait units squared.
    optimum : float
        Trait of highest fitness.

    Returns
    -------
    Moments
        Moments of the next generation's newborns.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    mean = _checks.number("mean", mean)
    v = _checks.number("variance", variance, 0.0)
    vs = _checks.number("width", width, 0.0, above=True)
    vm = _checks.number("mutational", mutational, 0.0)
    shift = (mean - _checks.number("optimum", optimum)) * v / (v + vs)
    return Moments(mean - shift, v * vs / (v + vs) + vm)


def gaussian_peak_growth(height: float, width: float, mutation_sd: float) -> float:
    """Growth of a population settled on a Gaussian peak: lambda = h c/sqrt(c^2 + V) (T27).

    Parameters
    ----------
    height : float
        h > 0, fitness at the optimum, in w = h exp(-x^2 / (2 c^2)).
    width : float
        c > 0, trait units.
    mutation_sd : float
        m >= 0, standard deviation of mutation per generation, trait units.

    Returns
    -------
    float
        Mean fitness of newborns at equilibrium, the growth factor per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    h = _checks.number("height", height, 0.0, above=True)
    c = _checks.number("width", width, 0.0, above=True)
    m = _checks.number("mutation_sd", mutation_sd, 0.0)
    return float(h * c / np.sqrt(c * c + stabilising_variance(c * c, m * m)))


def gaussian_crossing(sharp: tuple[float, float], broad: tuple[float, float]) -> float:
    """Mutation sd above which the lower, broader peak grows faster (result T27).

    Parameters
    ----------
    sharp : (float, float)
        Height and width of the high peak.
    broad : (float, float)
        Height and width of the broad peak; lower and wider than the first.

    Returns
    -------
    float
        m*, trait units, where both growth factors are equal.

    Raises
    ------
    ValueError
        If an argument is out of range, or the second peak is not lower and wider.
    """
    (high, narrow), (low, wide) = sharp, broad
    gaussian_peak_growth(high, narrow, 0.0)
    gaussian_peak_growth(low, wide, 0.0)
    if low >= high or wide <= narrow or high * narrow >= low * wide:
        raise ValueError("no crossing: needs low < high, and height * width larger when broad")

    def lead(log_m: float) -> float:
        m = float(np.exp(log_m))
        return gaussian_peak_growth(high, narrow, m) - gaussian_peak_growth(low, wide, m)

    # growth ~ h as m -> 0 and ~ h c/m as m -> infinity, so the ends have opposite signs.
    ends = np.log(narrow) - 40.0, np.log(wide) + 20.0
    return float(np.exp(optimize.brentq(lead, *ends, xtol=1e-14, rtol=1e-14)))
