"""How far back credit reaches after some visits: TD(0), TD(lambda) and Monte Carlo on a chain.

Source: Sutton & Barto 2018, chapters 6, 7 and 12, for the rules; the closed form is derived here.
Result T70, and the speeds of S62.

The path to the reward is followed in every counted episode, each state once; values start at 0.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


def _reach(steps: FloatArray, visits: FloatArray, chance: float, trace: float) -> FloatArray:
    """P(Bin(n, alpha) > Bin(h - 1, 1 - lambda)) for each h of `steps` (rows) and n of `visits`."""
    skipped = np.arange(int(steps.max()))
    stops = stats.binom.pmf(skipped, steps[:, None] - 1.0, 1.0 - trace)
    return np.asarray(stops @ stats.binom.sf(skipped[:, None], visits, chance), dtype=np.float64)


def _rates(learning_rate: float, trace: float, discount: float) -> tuple[float, float, float]:
    """Check what both functions take."""
    return (
        _checks.probability("learning_rate", learning_rate),
        _checks.probability("trace", trace),
        _checks.probability("discount", discount),
    )


def credit_values(
    distance: npt.ArrayLike,
    visits: int,
    learning_rate: float,
    *,
    reward: float = 1.0,
    discount: float = 1.0,
    trace: float = 0.0,
    visit_chance: float = 1.0,
) -> FloatArray:
    """Values of the states on the path after n episodes, under TD(lambda) (result T70).

    V_n(h) = r gamma^(h-1) P(Bin(n, alpha) > Bin(h - 1, 1 - lambda)), two independent binomials:
    of n updates a share alpha moves credit back, by one step and on with probability lambda.
    TD(0) is r gamma^(h-1) P(Bin(n, alpha) >= h), Monte Carlo (lambda = 1) is
    r gamma^(h-1) (1 - (1 - alpha)^n), and one success gives alpha r (gamma lambda)^(h-1).
    Online and offline updates agree, since each state is met once per episode.

    Parameters
    ----------
    distance : int or int array of any shape
        h >= 1, steps to the end; the last state before the reward has h = 1.
    visits : int
        n >= 0, number of episodes.
    learning_rate : float
        alpha in [0, 1].
    reward : float
        r of the last transition; if rewards vary, their mean, and the result is the expectation.
    discount : float
        gamma in [0, 1].
    trace : float
        lambda in [0, 1].
    visit_chance : float
        Probability that an episode follows the path; the others touch none of its states, and
        the result is the expectation over which do.

    Returns
    -------
    array shaped like `distance`
        V_n(h), in units of reward.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    h = np.asarray(distance)
    if not np.issubdtype(h.dtype, np.integer) or h.size == 0 or np.any(h < 1):
        raise ValueError(f"distance must hold integers of at least 1, not {distance!r}")
    n = np.array([_checks.integer("visits", visits, 0)], dtype=np.float64)
    alpha, decay, gamma = _rates(learning_rate, trace, discount)
    # Thinning: Bin(Bin(n, c), alpha) is Bin(n, c alpha).
    alpha *= _checks.probability("visit_chance", visit_chance)
    steps = h.ravel().astype(np.float64)
    r = _checks.number("reward", reward)
    return (r * gamma ** (steps - 1.0) * _reach(steps, n, alpha, decay)[:, 0]).reshape(h.shape)


def credit_weights(
    distance: int, visits: int, learning_rate: float, *, discount: float = 1.0, trace: float = 0.0
) -> FloatArray:
    """Weight of each episode's reward in a value under TD(lambda), whatever the rewards (T70).

    V_n(h) = sum_k w_k R_k for every sequence of rewards, because the updates are linear in them:
    w_k is the step of `credit_values` from n - k to n - k + 1 episodes. Independent rewards of
    any distribution give V_n(h) the mean E[R] sum w and the variance Var[R] sum w^2.

    Parameters
    ----------
    distance : int
        h >= 1, steps to the end.
    visits : int
        n >= 0, number of episodes.
    learning_rate, discount, trace : float
        alpha, gamma and lambda, as in `credit_values`.

    Returns
    -------
    array of shape (n,)
        w_k of episode k, the oldest first; zero for the last h - 1 when lambda = 0.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    h = np.array([_checks.integer("distance", distance, 1)], dtype=np.float64)
    n = _checks.integer("visits", visits, 0)
    alpha, decay, gamma = _rates(learning_rate, trace, discount)
    reach = _reach(h, np.arange(n + 1, dtype=np.float64), alpha, decay)[0]
    return np.asarray(gamma ** (h[0] - 1.0) * np.diff(reach)[::-1], dtype=np.float64)
