"""Bias against what hurt: sampling that follows estimates, and full feedback as its control.

Sources: Denrell & March 2001 (Org. Sci. 12:523); Denrell 2005 (Psych. Rev. 112:951) and 2007
(114:177) for the closed form; Feller 1968, chapter XIV, for ruin. Results T67, T68.

Each arm has an estimate y_i that moves by b (payoff - y_i) only when the arm is chosen; choices
are softmax(S y); payoffs are N(mu_i, sigma_i^2), independent.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray

_GRID = 0.25
"""Trapezoidal step in units of the Gumbel noise: its error is exp(-2 pi (pi/2) / step)."""

_MAX_SPREAD = 100.0
"""Largest sd of S y that the control integrates."""


def _estimates(
    mean: npt.ArrayLike, sd: npt.ArrayLike, learning_rate: float, inverse_temperature: float
) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of S y_i in the stationary law of an arm that is always sampled."""
    mu = _checks.array("mean", mean, 1)
    sigma = _checks.array("sd", sd, 1, 0.0)
    _checks.same_length(mean=mu, sd=sigma)
    b = _checks.number("learning_rate", learning_rate, 0.0, 1.0, above=True)
    s = _checks.number("inverse_temperature", inverse_temperature, 0.0)
    return s * mu, s * sigma * math.sqrt(b / (2.0 - b))


def hot_stove_choice(
    mean: npt.ArrayLike, sd: npt.ArrayLike, learning_rate: float, inverse_temperature: float
) -> FloatArray:
    """Limit choice probabilities when only the chosen arm is observed (Denrell; result T67).

    P_i is proportional to exp(S mu_i - S^2 v_i/2), v_i = sigma_i^2 b/(2 - b): a variable arm
    loses exactly as if its mean were lower by S v_i/2. Exact for any number of arms.

    Parameters
    ----------
    mean : array of shape (A,)
        mu_i, expected payoffs.
    sd : array of shape (A,)
        sigma_i >= 0, standard deviations of the payoffs.
    learning_rate : float
        b in (0, 1], weight of a new payoff in the estimate.
    inverse_temperature : float
        S >= 0, per unit of payoff.

    Returns
    -------
    array of shape (A,)
        Long-run probability of each arm.

    Raises
    ------
    ValueError
        If shapes differ or an argument is out of range.
    """
    centre, spread = _estimates(mean, sd, learning_rate, inverse_temperature)
    return np.asarray(special.softmax(centre - 0.5 * spread**2), dtype=np.float64)


def full_feedback_choice(
    mean: npt.ArrayLike, sd: npt.ArrayLike, learning_rate: float, inverse_temperature: float
) -> FloatArray:
    """Limit choice probabilities when every arm is observed every time: E[softmax(S y)] (T67).

    The control of `hot_stove_choice`. The y_i are independent N(mu_i, v_i), and a softmax choice
    is the largest of S y_i plus Gumbel noise, so P_i = integral of f_i prod_{j != i} F_j, with f
    and F of S y + noise. With two arms the better one always has more than 1/2, whatever the
    variances; with more arms of equal means the more variable ones are chosen more often.

    Parameters
    ----------
    mean, sd, learning_rate, inverse_temperature
        As in `hot_stove_choice`; payoffs of different arms are independent.

    Returns
    -------
    array of shape (A,)
        Long-run probability of each arm, to about 1e-12.

    Raises
    ------
    ValueError
        If shapes differ, an argument is out of range, or S sqrt(v_i) exceeds 100.
    """
    centre, spread = _estimates(mean, sd, learning_rate, inverse_temperature)
    if np.any(spread > _MAX_SPREAD):
        raise ValueError(f"inverse_temperature times sd of the estimates exceeds {_MAX_SPREAD:g}")
    centre = centre - centre.max()
    low = float(np.max(centre - 10.0 * spread)) - 4.0  # below, the best arm's F is 0
    high = float(np.max(centre + 10.0 * spread)) + 40.0
    z = np.arange(low, high + _GRID, _GRID)
    below = np.zeros((centre.size, z.size))
    density = np.zeros_like(below)
    for arm, (c, s) in enumerate(zip(centre, spread, strict=True)):
        # Trapezoid in the normal variable, with the Gumbel law resolved as on the grid of z.
        x = np.arange(-10.0, 10.0, min(0.25, _GRID / max(s, 1.0)))
        weight = np.exp(-0.5 * x * x)
        for one, shift in zip(weight / weight.sum(), c + s * x, strict=True):
            e = np.exp(np.minimum(shift - z, 700.0))
            cdf = np.exp(-e)
            below[arm] += one * cdf
            density[arm] += one * e * cdf
    others = np.array([np.prod(np.delete(below, arm, 0), axis=0) for arm in range(centre.size)])
    chance = _GRID * np.sum(density * others, axis=1)
    return np.asarray(chance / chance.sum(), dtype=np.float64)


def greedy_lock_in(success: float, head_start: int, trials: int | None = None) -> float:
    """Probability that a greedy learner abandons a good arm for ever, by ruin (result T68).

    The arm pays +1 with probability p and -1 otherwise, the alternative always 0. The learner
    takes the arm while k plus the sum of its payoffs is positive, and never again afterwards:
    P = ((1 - p)/p)^k for p > 1/2, and 1 otherwise.

    Parameters
    ----------
    success : float
        p, in [0, 1].
    head_start : int
        k >= 1, unit losses that the first estimate can bear.
    trials : int, optional
        Ruin within that many trials, n >= 0, by the hitting-time theorem: the sum over m <= n of
        (k/m) P(Bin(m, p) = (m - k)/2). For ever when omitted.

    Returns
    -------
    float
        Probability of lock-in on the safe arm.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    p = _checks.probability("success", success)
    k = _checks.integer("head_start", head_start, 1)
    if trials is None:
        return 1.0 if p <= 0.5 else float(((1.0 - p) / p) ** k)
    n = _checks.integer("trials", trials, 0)
    m = np.arange(k, n + 1, 2)
    return float(np.sum(k / m * stats.binom.pmf((m - k) // 2, m, p)))
