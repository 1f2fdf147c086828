"""Circling in a lagoon: when it pays to stay, and how a costly habit fades.

Derived for system S58. At each pass of the lagoon an agent turns into the loop with probability q,
so it makes e^x = q/(1 - q) loops on average, the odds of looping; x is a heritable logit.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray

MAX_TRAIT_GRID = 100_000
"""Most grid points of `loop_trait_moments`."""

_REACH = 12.0
"""Half-width of its grid, in standard deviations that the trait would have without selection."""


class LoopMoments(NamedTuple):
    """Moments of the logit x of looping, each of shape (generations + 1,)."""

    mean: FloatArray
    variance: FloatArray
    odds: FloatArray
    """E[e^x], loops per visit."""
    inverse_odds: FloatArray
    """E[e^-x]."""


def _loop_setting(
    power_up: float, discount: float, finish: float, length: int, delay: int
) -> tuple[float, float, float]:
    """Check the arguments; return the power-up's worth, the loop's discount and V_finish."""
    gamma = _checks.probability("discount", discount)
    steps = _checks.integer("length", length, 1)
    wait = _checks.integer("delay", delay, 0)
    if wait > steps:
        raise ValueError(f"delay must be at most {steps}, not {wait}")
    worth = _checks.number("power_up", power_up) * gamma**wait
    return worth, gamma**steps, _checks.number("finish", finish)


def loop_value(
    stay: float, power_up: float, discount: float, finish: float, length: int = 4, delay: int = 0
) -> float:
    """Value at the lagoon of looping with probability q at each pass (S58).

    V = (q p gamma^delay + (1 - q) V_finish)/(1 - q gamma^length). With power-up 1, discount 1 and
    finish 0 it is the mean number of loops, q/(1 - q).

    Parameters
    ----------
    stay : float
        q in [0, 1].
    power_up : float
        p, reward per loop.
    discount : float
        gamma in [0, 1]; the same as ending with probability 1 - gamma per step.
    finish : float
        V_finish, value at the lagoon of leaving it for good.
    length : int
        Steps per loop, >= 1.
    delay : int
        Steps of the loop before its power-up, 0..length.

    Returns
    -------
    float
        Expected discounted payoff from the lagoon on.

    Raises
    ------
    ValueError
        If an argument is out of range, or looping for ever is not discounted.
    """
    worth, gamma, leave = _loop_setting(power_up, discount, finish, length, delay)
    q = _checks.probability("stay", stay)
    if q * gamma == 1.0:
        raise ValueError("looping for ever without discount has no finite value")
    return (q * worth + (1.0 - q) * leave) / (1.0 - q * gamma)


def power_up_threshold(discount: float, finish: float, length: int = 4, delay: int = 0) -> float:
    """Power-up above which looping beats finishing (S58): p* = (1 - gamma^length) V_finish.

    It is the same for one more loop and for looping for ever, since p + gamma^length V > V and
    p/(1 - gamma^length) > V are one condition; a delay divides it by gamma^delay.

    Parameters
    ----------
    discount : float
        gamma in (0, 1].
    finish : float
        V_finish, value at the lagoon of leaving it for good.
    length, delay : int
        As in `loop_value`.

    Returns
    -------
    float
        p*, in units of payoff.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    _checks.number("discount", discount, 0.0, 1.0, above=True)
    worth, gamma, leave = _loop_setting(1.0, discount, finish, length, delay)
    return (1.0 - gamma) * leave / worth


def hyperbolic_odds(odds: float, cost: float, variance: npt.ArrayLike) -> FloatArray:
    """Gaussian closure for a fading loop (S58): 1/odds_t = 1/odds_0 + beta c * sum of V.

    Fitness is exp(-beta c e^x), so a narrow trait has dx/dt = -beta c V e^x: hyperbolic, never
    gone. An approximation for plots, at the mean trait: `loop_trait_moments` has the spread that
    it neglects (e^-mean 1.08 and E[e^-x] 1.28 times as large after 300 generations from x = 1
    with beta c = 0.5 and mutation 0.05), and `gamma_odds` is exact.

    Parameters
    ----------
    odds : float
        e^x of the mean trait at the start, > 0.
    cost : float
        beta c >= 0, log fitness lost per loop.
    variance : array of shape (T,)
        V of x in each generation, measured before selection.

    Returns
    -------
    array of shape (T + 1,)
        Odds of looping before generation 0 and after each.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    start = _checks.number("odds", odds, 0.0, above=True)
    price = _checks.number("cost", cost, 0.0)
    total = np.concatenate([[0.0], np.cumsum(_checks.array("variance", variance, 1, 0.0))])
    return np.asarray(start / (1.0 + start * price * total), dtype=np.float64)


def gamma_odds(odds: float, shape: float, cost: float, generations: npt.ArrayLike) -> FloatArray:
    """Mean odds of looping when they start gamma-distributed and nothing mutates; exact (S58).

    exp(-beta c t e^x) tilts a gamma law into a gamma law of the same shape k, so the mean obeys
    1/odds_t = 1/odds_0 + beta c t/k at every strength of selection: V of the closure becomes the
    squared coefficient of variation of the odds, 1/k. Large populations only.

    Parameters
    ----------
    odds : float
        E[e^x] at the start, > 0.
    shape : float
        k > 0; the variance of x is trigamma(k), about 1/k.
    cost : float
        beta c >= 0, log fitness lost per loop.
    generations : array of any shape
        t >= 0, rounds of selection.

    Returns
    -------
    array shaped like `generations`
        E[e^x].

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    start = _checks.number("odds", odds, 0.0, above=True)
    rate = _checks.number("cost", cost, 0.0) / _checks.number("shape", shape, 0.0, above=True)
    t = _checks.non_negative("generations", generations)
    return np.asarray(start / (1.0 + start * rate * t), dtype=np.float64)


def loop_trait_moments(
    mean: float, sd: float, cost: float, mutation: float, generations: int
) -> LoopMoments:
    """Fading of a costly loop in an infinite population, by recursion of the density (S58).

    Selection by exp(-beta c e^x), then a normal mutation, on a grid of a fifth of the smaller sd.
    Nothing is closed: the result is exact for large populations.

    Parameters
    ----------
    mean, sd : float
        Of the normal law of x at the start; sd 0 is a clone.
    cost : float
        beta c >= 0, log fitness lost per loop.
    mutation : float
        sd of the normal step per birth, >= 0.
    generations : int
        T >= 0.

    Returns
    -------
    LoopMoments
        Of newborns in generations 0..T.

    Raises
    ------
    ValueError
        If an argument is out of range, the grid exceeds MAX_TRAIT_GRID points, or e^x overflows.
    """
    centre = _checks.number("mean", mean, -50.0, 50.0)
    start = _checks.number("sd", sd, 0.0)
    price = _checks.number("cost", cost, 0.0)
    step = _checks.number("mutation", mutation, 0.0)
    steps = _checks.integer("generations", generations, 0)
    fine = min((one for one in (start, step) if one > 0.0), default=1.0) / 5.0
    width = int(np.ceil(_REACH * np.sqrt(start**2 + steps * step**2) / fine))
    if 2 * width + 1 > MAX_TRAIT_GRID:
        raise ValueError(f"the grid would need {2 * width + 1} points")
    offset = fine * np.arange(-width, width + 1)
    x = centre + offset
    if x[-1] > 700.0:
        raise ValueError("the trait would spread beyond 700, where its odds overflow")
    density = np.exp(-0.5 * (offset / start) ** 2) if start > 0.0 else (offset == 0.0) * 1.0
    reach = int(np.ceil(8.0 * step / fine))
    kernel = np.ones(1)
    if reach:
        kernel = np.exp(-0.5 * (fine / step * np.arange(-reach, reach + 1)) ** 2)
    kernel /= kernel.sum()
    log_fitness = -price * np.exp(x)
    moments = np.empty((4, steps + 1))
    for t in range(steps + 1):
        density /= density.sum()
        m = density @ offset
        v = density @ (offset - m) ** 2
        moments[:, t] = centre + m, v, density @ np.exp(x), density @ np.exp(-x)
        # Relative to the fittest alive, lest all underflow.
        fittest = log_fitness[density > 0.0].max()
        density = density * np.exp(np.minimum(log_fitness - fittest, 0.0))
        density = np.convolve(density, kernel)[reach : reach + offset.size]
    return LoopMoments(*moments)
