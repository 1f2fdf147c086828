"""Exploration that ends: softmax plateaus and the probability of never finding something.

Sources: Norman 1968 and Narendra & Thathachar 1974 for linear reward-inaction; Mei et al. 2020,
2024 for softmax policy gradient; elementary derivations otherwise. Results T61, T64-T66.
"""

import math

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev
from scipy import special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


def _gradient_clock(x: npt.ArrayLike) -> FloatArray:
    """Sinh x + x, which grows linearly in time on two arms."""
    return np.asarray(np.sinh(x) + x, dtype=np.float64)


def softmax_gradient_logit(
    x0: float, gap: float, learning_rate: float, time: npt.ArrayLike
) -> FloatArray:
    """Logit of the better of two arms under exact softmax policy gradient (result T61).

    dx/dt = 2 eta D pi (1 - pi) has the solution sinh x + x = sinh x0 + x0 + eta D t.

    Parameters
    ----------
    x0 : float
        Initial logit difference of better minus worse arm.
    gap : float
        D > 0, difference of expected rewards.
    learning_rate : float
        eta > 0, of the gradient flow of both preferences.
    time : array of any shape
        t >= 0, in update steps.

    Returns
    -------
    array shaped like `time`
        Logit difference x(t); the worse arm's probability falls as 1/(2 eta D t).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x0 = _checks.number("x0", x0, -700.0, 700.0)
    speed = _checks.number("gap", gap, 0.0, above=True)
    speed *= _checks.number("learning_rate", learning_rate, 0.0, above=True)
    t = np.asarray(time, dtype=np.float64)
    if not np.all(np.isfinite(t)) or np.any(t < 0.0):
        raise ValueError("time must be finite and non-negative")
    clock = _gradient_clock(x0) + speed * t
    # Newton on the convex half, from above: asinh(c) >= root, hence monotone convergence.
    target = np.abs(clock)
    x = np.arcsinh(target)
    for _ in range(100):
        step = (np.sinh(x) + x - target) / (np.cosh(x) + 1.0)
        x = x - step
        if np.all(np.abs(step) <= 1e-15 * (1.0 + np.abs(x))):
            break
    return np.asarray(np.sign(clock) * x, dtype=np.float64)


def softmax_gradient_time(x0: float, x1: float, gap: float, learning_rate: float) -> float:
    """Time for the logit to go from x0 to x1 under softmax policy gradient (result T61).

    t = (sinh x1 + x1 - sinh x0 - x0)/(eta D): from p0 << 1 to 1/2 it takes about 1/(2 p0 eta D),
    where selection (`selection.selection_time`) takes ln(1/p0)/(eta D).

    Parameters
    ----------
    x0, x1 : float
        Initial and final logit difference, x1 >= x0.
    gap : float
        D > 0, difference of expected rewards.
    learning_rate : float
        eta > 0.

    Returns
    -------
    float
        Update steps.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x0 = _checks.number("x0", x0, -700.0, 700.0)
    x1 = _checks.number("x1", x1, x0, 700.0)
    speed = _checks.number("gap", gap, 0.0, above=True)
    speed *= _checks.number("learning_rate", learning_rate, 0.0, above=True)
    return float((_gradient_clock(x1) - _gradient_clock(x0)) / speed)


def default_margins(margin: float, step: float, episodes: int) -> FloatArray:
    """Logit margins of the default action while only the default is ever rewarded (T64).

    x_{n+1} = x_n + 2 step / (1 + e^{x_n}): REINFORCE without baseline on all-default episodes.

    Parameters
    ----------
    margin : float
        x_0 of every decision, in logits.
    step : float
        eta r > 0, learning rate times the default's reward.
    episodes : int
        n >= 1, number of margins returned; 1e6 take a second.

    Returns
    -------
    array of shape (episodes,)
        x_0, ..., x_{n-1}.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x = _checks.number("margin", margin, -700.0, 700.0)
    gain = 2.0 * _checks.number("step", step, 0.0, above=True)
    n = _checks.integer("episodes", episodes, 1)
    margins = np.empty(n)
    exp = math.exp
    for i in range(n):
        margins[i] = x
        if x < 700.0:  # beyond, the gain is below rounding and exp would overflow
            x += gain / (1.0 + exp(x))
    return margins


def key_never_hit(
    length: int | npt.NDArray[np.int64], margin: float, step: float, episodes: int
) -> FloatArray:
    """Probability that L precise deviations are never tried together (result T64).

    L binary decisions with own logits; the episode's reward is r when all default, large when all
    deviate, 0 otherwise; REINFORCE without baseline. Then P = prod_n 1/(1 + e^{-L x_n}) over
    episodes that pay anything. It converges to a positive number for L >= 2, and to 0 for L = 1.

    Parameters
    ----------
    length : int or int array of any shape
        L >= 1 decisions; the margins are the same for every L, so several L cost one iteration.
    margin : float
        x_0, initial logit margin of each default; the deviation has probability 1/(1 + e^{x_0}).
    step : float
        eta r > 0, learning rate times the default's reward.
    episodes : int
        n >= 1, number of rewarded episodes.

    Returns
    -------
    array shaped like `length`
        Probability of no hit within `episodes`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    lengths = _lengths(length)
    margins = default_margins(margin, step, episodes)
    logs = [-np.sum(np.logaddexp(0.0, -one * margins)) for one in lengths.ravel()]
    return np.asarray(np.exp(logs), dtype=np.float64).reshape(lengths.shape)


def key_never_hit_life(length: int, margin: float, step: float, episodes: int) -> float:
    """Probability that the key is never tried in a life of so many episodes, paid or not (T64).

    As `key_never_hit`, where only episodes that pay anything count. Here those of mixed choices
    count as well; how many of n episodes were all default is a Markov chain, for the margins
    depend on nothing else.

    Parameters
    ----------
    length : int
        L >= 1 decisions.
    margin, step
        As in `key_never_hit`.
    episodes : int
        n >= 1; the time taken grows as its square.

    Returns
    -------
    float
        Probability of no hit within the life.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    one = _checks.integer("length", length, 1)
    margins = default_margins(margin, step, episodes)
    default = np.exp(-one * np.logaddexp(0.0, -margins))
    waits = 1.0 - default - np.exp(-one * np.logaddexp(0.0, margins))
    paid = np.zeros(margins.size)
    paid[0] = 1.0
    for _ in range(margins.size - 1):
        up = paid[:-1] * default[:-1]
        paid = paid * waits
        paid[1:] += up
    # In the last episode it no longer matters where a default leads.
    return float(np.sum(paid * (waits + default)))


def key_ever_hit_log(
    length: int | npt.NDArray[np.int64], margin: float, step: float, episodes: int
) -> FloatArray:
    """Natural logarithm of the probability that the key is ever tried: ln(1 - P) (result T64).

    For keys so long that 1 - P is below what a float can tell from 0 (L = 300 with q = 0.2: about
    1e-181). With t_n = ln(1 + e^{-L x_n}), 1 - P = 1 - exp(-sum t_n); everything stays in logs.

    Parameters
    ----------
    length, margin, step, episodes
        As in `key_never_hit`.

    Returns
    -------
    array shaped like `length`
        ln(1 - P), at most 0; divide by ln 10 for powers of ten.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    lengths = _lengths(length)
    margins = default_margins(margin, step, episodes)
    logs = []
    for one in lengths.ravel():
        z = one * margins
        # ln t: beyond 36, t = e^{-z} to the last bit; t itself would be 0 beyond 745.
        near = np.log(np.logaddexp(0.0, -np.minimum(z, 36.0)))
        total = float(special.logsumexp(np.where(z > 36.0, -z, near)))
        # ln(1 - e^{-T}) from ln T: beyond -36 the two are the same.
        logs.append(total if total < -36.0 else math.log(-math.expm1(-math.exp(total))))
    return np.asarray(logs, dtype=np.float64).reshape(lengths.shape)


def _lengths(length: int | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return lengths of keys as an array, checked."""
    lengths = np.asarray(length)
    if not np.issubdtype(lengths.dtype, np.integer) or np.any(lengths < 1):
        raise ValueError(f"length must hold integers of at least 1, not {length!r}")
    return lengths


def cross_never_explores(q0: float, learning_rate: float, episodes: int | None = None) -> float:
    """Probability that Cross learning never leaves a default that always pays 1 (result T65).

    q_n = q0 (1 - theta)^n, so P = prod_n (1 - q_n), a q-Pochhammer symbol: positive for ever.

    Parameters
    ----------
    q0 : float
        Initial probability of leaving the default, in [0, 1].
    learning_rate : float
        theta in (0, 1].
    episodes : int, optional
        Number of episodes, >= 1; infinitely many when omitted.

    Returns
    -------
    float
        Probability of never exploring.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    q0 = _checks.probability("q0", q0)
    theta = _checks.number("learning_rate", learning_rate, 1e-6, 1.0)
    # Terms below 1e-20 change nothing; every theta allowed needs fewer than 5e7 of them.
    decay = math.log1p(-theta) if theta < 1.0 else -math.inf
    terms = 1 if theta == 1.0 else 1 + math.ceil(-46.1 / decay)
    if episodes is not None:
        terms = min(terms, _checks.integer("episodes", episodes, 1))
    if q0 == 1.0:
        return 0.0
    q = q0 * np.exp(decay * np.arange(1, terms))
    return float(np.exp(np.log1p(-q0) + np.sum(np.log1p(-q))))


def _reward_inaction_setting(
    d1: float, d2: float, learning_rate: float, p: float
) -> tuple[float, float, float, float]:
    """Check the arguments of linear reward-inaction."""
    d1 = _checks.probability("d1", d1)
    d2 = _checks.probability("d2", d2)
    theta = _checks.probability("learning_rate", learning_rate, interior=True)
    p = _checks.probability("p", p)
    if d1 == d2 == 0.0:
        raise ValueError("with no reward at all the policy never moves")
    return d1, d2, theta, p


def reward_inaction_absorption(d1: float, d2: float, learning_rate: float, p: float) -> float:
    """Diffusion approximation of absorption at arm 1 under linear reward-inaction (T66).

    u(p) = [d1^k - (d1 - (d1 - d2) p)^k] / [d1^k - d2^k], k = 1 + 2/theta; p itself when d1 = d2.
    Good for |d1 - d2| up to about 2 theta; `reward_inaction_absorption_exact` is exact.

    Parameters
    ----------
    d1, d2 : float
        Reward probabilities of the two arms, in [0, 1].
    learning_rate : float
        theta in (0, 1): on a reward the chosen arm's probability moves by theta (1 - p).
    p : float
        Initial probability of arm 1, in [0, 1].

    Returns
    -------
    float
        Probability that arm 1 is chosen for ever in the end.

    Raises
    ------
    ValueError
        If an argument is out of range, or both arms never pay.
    """
    d1, d2, theta, p = _reward_inaction_setting(d1, d2, learning_rate, p)
    if d1 == d2:
        return p
    if d1 < d2:
        return 1.0 - reward_inaction_absorption(d2, d1, theta, 1.0 - p)
    k = 1.0 + 2.0 / theta
    ratio = d2 / d1
    return float((1.0 - (1.0 - (1.0 - ratio) * p) ** k) / (1.0 - ratio**k))


def reward_inaction_absorption_exact(
    d1: float, d2: float, learning_rate: float, p: float, nodes: int = 200
) -> float:
    """Absorption at arm 1 under linear reward-inaction, from its functional equation (Norman 1968).

    (p d1 + q d2) u(p) = p d1 u(p + theta q) + q d2 u(p - theta p), u(0) = 0, u(1) = 1, solved by
    Chebyshev collocation, which converges geometrically because u is smooth when both arms pay.

    Parameters
    ----------
    d1, d2 : float
        Reward probabilities of the two arms, in [0, 1].
    learning_rate : float
        theta in (0, 1).
    p : float
        Initial probability of arm 1, in [0, 1].
    nodes : int
        Degree of the interpolant, 8..2000; more for small theta.

    Returns
    -------
    float
        Probability that arm 1 is chosen for ever in the end.

    Raises
    ------
    ValueError
        If an argument is out of range, or both arms never pay.
    """
    d1, d2, theta, p = _reward_inaction_setting(d1, d2, learning_rate, p)
    nodes = _checks.integer("nodes", nodes, 8)
    if nodes > 2000:
        raise ValueError(f"nodes must be at most 2000, not {nodes}")
    if p in (0.0, 1.0):
        return p
    if d1 == 0.0 or d2 == 0.0:
        # Only one arm ever moves the policy, and always towards itself.
        return 1.0 if d2 == 0.0 else 0.0
    x = 0.5 - 0.5 * np.cos(np.pi * np.arange(nodes + 1) / nodes)

    def basis(y: FloatArray) -> FloatArray:
        return np.asarray(chebyshev.chebvander(2.0 * y - 1.0, nodes), dtype=np.float64)

    towards, away = (x * d1)[:, None], ((1.0 - x) * d2)[:, None]
    rows = (towards + away) * basis(x)
    rows -= towards * basis(x + theta * (1.0 - x)) + away * basis(x * (1.0 - theta))
    # At the ends the equation says nothing, so the boundary values take those rows.
    rows[[0, -1]] = basis(x[[0, -1]])
    right = np.zeros(nodes + 1)
    right[-1] = 1.0
    weights = np.linalg.solve(rows, right)
    return float((basis(np.array([p])) @ weights)[0])
