"""When an estimate of one's own payoff pays beside habits, and how much weight it should have.

Sources: SCENARIOS S03; Daw, Niv & Dayan 2005 (Nat. Neurosci. 8:1704) for weight by reliability;
Green & Swets 1966 for prior and evidence. Derived here.

An estimate that costs its carriers c earns what habits miss, d. Under exponential fitness of the
mean payoff over E episodes, of which a habit fails in each with probability d, independently,

    E[exp(beta x)] = exp(beta) (1 - d (1 - exp(-beta/E)))^E,

so that the two types leave as many offspring where exp(-beta c) equals the second factor. With many
episodes (beta/E -> 0) that is c = d = rho (1 - q_r); else the habit gains by its luck.

One choice of A actions pays 1 for the right one. In a share 1 - n of episodes that is the usual
one, else one of the others, which preferences over cues cannot tell. An agent prefers the usual
action by H logits, and adds x = w / temperature times an estimate of each action's payoff that is
off by N(0, s^2), independent between actions:

    P_usual = E[1 / (1 + sum_j exp(-H - x (1 + s (e_u - e_j))))],
    P_odd   = E[exp(x (1 + s e_r)) / (exp(H + x s e_u) + exp(x (1 + s e_r)) + sum exp(x s e_j))].

Payoff is (1 - n) P_usual + n P_odd - c w, without an estimate at most 1 - n. So some weight pays
iff

    c < sup over w, H of [(1 - n) P_usual + n P_odd - (1 - n)] / w,

the boundary; beyond it the best weight is 0, and habits are all.

Mutation keeps preferences apart, which adds an error of sd u (unrest, in logits) to each action's
preference, independent between agents and actions. A strong habit loses nothing by it and a
preference weak enough to be outweighed does, so that the boundary moves inwards. What mutation
does to the weight itself is left out.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import qmc

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray

_LOG_DRAWS = 10
"""Quasi-random points, as a power of two."""

_WEIGHTS = 41
"""Weights that are tried, from 0 on."""


def luck_threshold(missed: float, slope: float, episodes: int) -> float:
    """Return the cost at which who never fails leaves as many offspring as a habit that does.

    c = -(E/beta) ln(1 - d (1 - exp(-beta/E))).

    Parameters
    ----------
    missed : float
        d in [0, 1), chance that the habit fails in an episode.
    slope : float
        beta > 0 of fitness exp(beta x), x the mean payoff per episode.
    episodes : int
        E >= 1, per life.

    Returns
    -------
    float
        In units of the mean payoff per episode.

    Raises
    ------
    ValueError
        If a number lies outside its range.
    """
    d = _checks.number("missed", missed, 0.0, 1.0, below=True)
    beta = _checks.number("slope", slope, 0.0, above=True)
    step = beta / _checks.integer("episodes", episodes, 1)
    return -math.log1p(d * math.expm1(-step)) / step


def weighed_success(
    steepness: npt.ArrayLike, habit: npt.ArrayLike, noise: float, actions: int = 4,
    unrest: float = 0.0,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Return how often the right action is done, where it is the usual one and where not.

    Parameters
    ----------
    steepness : array
        x >= 0, weight of the estimate over the temperature.
    habit : array, broadcast against `steepness`
        H, preference for the usual action in logits.
    noise : float
        s >= 0, sd of the error of each action's estimate.
    actions : int
        A >= 2.
    unrest : float
        u >= 0, sd of the error of each action's preference, in logits.

    Returns
    -------
    usual, odd : arrays
        By 1024 quasi-random draws, within about 0.003.

    Raises
    ------
    ValueError
        If a number lies outside its range.
    """
    s = _checks.number("noise", noise, 0.0)
    x, h = np.broadcast_arrays(np.asarray(steepness, float), np.asarray(habit, float))
    u = _checks.number("unrest", unrest, 0.0)
    draws = _normals(2 * actions if u > 0 else actions)
    error = s * draws[:, :actions] if s > 0 or u > 0 else np.zeros((1, actions))
    x, h = x[..., None, None], h[..., None, None]
    off = x * error
    if u > 0:
        off = off + u * draws[:, actions:]
    usual = off.copy()
    usual[..., 0] += x[..., 0] + h[..., 0]
    odd = off
    odd[..., 0] += h[..., 0]
    odd[..., 1] += x[..., 0]
    return _share(usual, 0), _share(odd, 1)


def estimate_threshold(
    novelty: float, noise: float, temperature: float, actions: int = 4, most: float = 1.5,
    unrest: float = 0.0,
) -> float:  # fmt: skip
    """Return the cost per unit of weight below which some weight of the estimate pays.

    Parameters
    ----------
    novelty : float
        n in [0, 1].
    noise : float
        s, see `weighed_success`.
    temperature : float
        Of the choice; the steepness is weight / temperature.
    actions : int
        A >= 2.
    most : float
        Largest weight.
    unrest : float
        u, see `weighed_success`.

    Returns
    -------
    float
        0 where no weight pays at any cost.

    Raises
    ------
    ValueError
        If a number lies outside its range.
    """
    weight, payoff = _payoffs(novelty, noise, temperature, actions, most, unrest)
    gain = payoff.max(axis=1)[1:] - (1.0 - novelty)
    return float(np.maximum(gain / weight[1:], 0.0).max())


def best_weight(
    novelty: float, noise: float, cost: float, temperature: float, actions: int = 4,
    most: float = 1.5, unrest: float = 0.0,
) -> float:  # fmt: skip
    """Return the weight of the estimate that earns most, with the best habit beside it.

    Parameters
    ----------
    novelty, noise, temperature, actions, most, unrest
        As in `estimate_threshold`.
    cost : float
        c >= 0 per unit of weight.

    Returns
    -------
    float
        0 beyond the boundary.

    Raises
    ------
    ValueError
        If a number lies outside its range.
    """
    weight, payoff = _payoffs(novelty, noise, temperature, actions, most, unrest)
    net = payoff.max(axis=1) - _checks.number("cost", cost, 0.0) * weight
    net[0] = 1.0 - novelty  # a habit without bound
    return float(weight[int(np.argmax(net))])


def _payoffs(
    novelty: float, noise: float, temperature: float, actions: int, most: float, unrest: float
) -> tuple[FloatArray, FloatArray]:
    """Return weights (W,) and payoffs (W, H) over habits, before costs."""
    n = _checks.number("novelty", novelty, 0.0, 1.0)
    t = _checks.number("temperature", temperature, 0.0, above=True)
    weight = np.linspace(0.0, most, _WEIGHTS)
    usual, odd = _table(noise, t, actions, most, unrest)
    return weight, (1.0 - n) * usual + n * odd


@lru_cache(maxsize=64)
def _table(
    noise: float, temperature: float, actions: int, most: float, unrest: float
) -> tuple[FloatArray, FloatArray]:
    weight = np.linspace(0.0, most, _WEIGHTS)
    habit = np.concatenate([np.linspace(0.0, 15.0, 31), [20.0, 30.0, 45.0]])
    rows = [weighed_success(np.full(habit.size, w / temperature), habit, noise, actions, unrest)
            for w in weight]  # fmt: skip
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@lru_cache(maxsize=8)
def _normals(dimensions: int) -> FloatArray:
    points = qmc.Sobol(dimensions, scramble=False).random_base2(_LOG_DRAWS)
    return np.asarray(ndtri(points + 0.5 ** (_LOG_DRAWS + 1)))


def _share(logit: FloatArray, action: int) -> FloatArray:
    """Return the mean over draws of an action's softmax probability."""
    e = np.exp(logit - logit.max(axis=-1, keepdims=True))
    return np.asarray((e[..., action] / e.sum(axis=-1)).mean(axis=-1))
