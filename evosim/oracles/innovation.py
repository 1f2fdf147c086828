"""Innovations that spread by copying, learners and copiers, and what acquiring knowledge costs.

Sources: Aoki, Lehmann & Feldman 2011 TPB 79:192 (substitution of innovations), Rogers 1988 Am.
Anthropol. 90:819 and Enquist, Eriksson & Ghirlanda 2007 Am. Anthropol. 109:727 (when copying
pays), Mesoudi 2011 PLoS ONE 6:e18239 (acquisition costs). Results T48, T50, T52, T53 and T56; the
rest of culture is in `evosim.oracles.culture`.
"""

import math

import numpy as np
from scipy import optimize

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray
from evosim.oracles.absorption import birth_death_fixation, fixation_probability
from evosim.oracles.chains import _binomial_rows


def best_of_fixation(agents: int, candidates: int, model: str = "moran") -> float:
    """Chance that an innovation of one agent comes to be known by all (result T53).

    A newborn has it if any of K random models does. Moran: one newborn replaces a random agent,
    T+ = (1 - (1 - p)^K)(1 - p), T- = p (1 - p)^K. Wright-Fisher: all are newborn at once,
    k' ~ Binomial(N, 1 - (1 - k/N)^K).

    Parameters
    ----------
    agents : int
        N >= 2.
    candidates : int
        K >= 1.
    model : "moran" or "wright-fisher"

    Returns
    -------
    float
        In a large population 1 - 1/K (Moran), or pi = 1 - exp(-K pi) (Wright-Fisher).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    size = _checks.integer("agents", agents, 2)
    among = _checks.integer("candidates", candidates, 1)
    p = np.arange(size + 1) / size
    if model == "moran":
        up, down = (1.0 - (1.0 - p) ** among) * (1.0 - p), p * (1.0 - p) ** among
        return float(birth_death_fixation(up, down)[1])
    if model != "wright-fisher":
        raise ValueError(f"model must be 'moran' or 'wright-fisher', not {model!r}")
    return float(fixation_probability(_binomial_rows(size, 1.0 - (1.0 - p) ** among))[1])


def substitution_rate(agents: int, rate: float, candidates: int = 1, model: str = "moran") -> float:
    """Innovations per generation that replace what all knew: N mu times the chance of one (T52).

    With one model that is mu, for any N and however unequal the models' shares of newborns are
    (Kimura 1968; Aoki et al. 2011); with the best of K it grows with N.

    Parameters
    ----------
    agents : int
        N >= 2.
    rate : float
        mu >= 0, innovations per birth.
    candidates : int
        K >= 1.
    model : "moran" or "wright-fisher"

    Returns
    -------
    float
        Innovations per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    mu = _checks.number("rate", rate, 0.0)
    if _checks.integer("candidates", candidates, 1) == 1:
        return mu
    return agents * mu * best_of_fixation(agents, candidates, model)


def peer_prevalence(fidelity: float, models: int, peers: int) -> float:
    """Share x* of agents that know an item where newborns also copy each other (T50).

    x1 = 1 - (1 - f x)^n after the models of the previous generation, and
    x = 1 - (1 - x1)(1 - f x1)^m after m peers. Items last only if n f (1 + m f) > 1.

    Parameters
    ----------
    fidelity : float
        f in [0, 1].
    models, peers : int
        n >= 1 and m >= 0.

    Returns
    -------
    float
        x*, between 0 and 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    n, m = _checks.integer("models", models, 1), _checks.integer("peers", peers, 0)

    def after(x: float) -> float:
        first = 1.0 - (1.0 - f * x) ** n
        return 1.0 - (1.0 - first) * (1.0 - f * first) ** m

    if f == 1.0:
        return 1.0
    if n * f * (1.0 + m * f) <= 1.0:
        return 0.0
    return float(optimize.brentq(lambda x: after(x) - x, 1e-12, 1.0, xtol=1e-15))


def rogers_recursion(
    benefit: float, cost: float, change: float, start: float, generations: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Copiers among learners, generation by generation (result T48; Rogers 1988).

    Learners are right and have fitness 1 + b - c; copiers are right with q (1 - u), q the share
    that was right in the generation before, and have 1 + b q (1 - u). At the end both have
    1 + b - c: copying that anybody can take up adds nothing.

    Parameters
    ----------
    benefit, cost : float
        b >= 0 of being right; c >= 0 of learning, less than 1 + b.
    change : float
        u, chance that what a copier took over is out of date.
    start : float
        Share of copiers at first; all were right before.
    generations : int

    Returns
    -------
    ((T + 1,), (T + 1,), (T + 1,)) float64
        Share of copiers, share that is right, mean fitness in generations 0 to T.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    b = _checks.number("benefit", benefit, 0.0)
    c = _checks.number("cost", cost, 0.0, 1.0 + b, below=True)
    u = _checks.number("change", change, 0.0, 1.0)
    p, before, out = _checks.number("start", start, 0.0, 1.0), 1.0, []
    for _ in range(_checks.integer("generations", generations, 0) + 1):
        copied = before * (1.0 - u)
        mean = (1.0 - p) * (1.0 + b - c) + p * (1.0 + b * copied)
        before = (1.0 - p) + p * copied
        out.append((p, before, mean))
        p *= (1.0 + b * copied) / mean
    shares, right, fitness = np.array(out).T
    return shares, right, fitness


def critical_learning(benefit: float, cost: float, change: float) -> float:
    """Mean excess fitness b - c u where all copy, and learn where the copy is wrong (T48).

    Everybody is right in the end, so that a copy is wrong with u alone and learning is paid for
    that often: more than the b - c of learners, and of any mixture with copiers (Enquist,
    Eriksson & Ghirlanda 2007).

    Parameters
    ----------
    benefit, cost, change : float
        b, c and u of `rogers_recursion`.

    Returns
    -------
    float
        In units of payoff.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    b = _checks.number("benefit", benefit, 0.0)
    c = _checks.number("cost", cost, 0.0, 1.0 + b, below=True)
    return b - c * _checks.number("change", change, 0.0, 1.0)


def acquisition_ceiling(time: float, rise: float) -> float:
    """Most that a life has time to acquire: (1/a)^(1/k) (result T56).

    Parameters
    ----------
    time : float
        a > 0, share of a life that acquiring the first item takes: a z^k for z of them.
    rise : float
        k >= 0; 0: anything takes the same time, and there is no ceiling.

    Returns
    -------
    float
        Items; infinite where all of them leave time.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    a = _checks.number("time", time, 0.0, above=True)
    k = _checks.number("rise", rise, 0.0)
    if k == 0.0:
        return math.inf if a < 1.0 else 0.0
    return float((1.0 / a) ** (1.0 / k))


def acquired_stock(
    learning: float,
    time: float,
    rise: float,
    generations: int,
    compression: float = 1.0,
    start: float = 0.0,
) -> FloatArray:
    """Items known where acquiring takes time from finding (result T56).

    Of the items z of its model a newborn acquires what it has time for; their volume v takes the
    share a v^k of its life, and it finds L times what is left. The volume of what is passed on
    shrinks by the factor q each time: v' = q v + finds. Without compression (q = 1) v = z, and
    z' = z + L (1 - a z^k) ends at the ceiling; with k = 1 it is z_max (1 - (1 - a L)^t). With
    q < 1 and k = 1 the volume ends where a = q a L/(1 - q + q a L) < 1 of the life is used, and
    knowledge grows by L (1 - q)/(1 - q + q a L) for ever.

    Parameters
    ----------
    learning : float
        L >= 0, finds of a life that need acquire nothing.
    time, rise : float
        a >= 0 and k >= 0 of `acquisition_ceiling`.
    generations : int
        T.
    compression : float
        q in (0, 1].
    start : float
        Items (and volume) that the generation before the first knew.

    Returns
    -------
    (T + 1,) float64
        At death, in generations 0 to T.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    gain = _checks.number("learning", learning, 0.0)
    a, k = _checks.number("time", time, 0.0), _checks.number("rise", rise, 0.0)
    q = _checks.number("compression", compression, 0.0, 1.0, above=True)
    most = acquisition_ceiling(a, k) if a > 0.0 else math.inf
    items = _checks.number("start", start, 0.0)
    volume, out = items, []
    for _ in range(_checks.integer("generations", generations, 0) + 1):
        volume *= q
        if volume > most:
            items, volume = items * most / volume, most
        # Where nothing is acquired, nothing takes time.
        found = gain * (1.0 - min(a * volume**k, 1.0) if volume > 0.0 else 1.0)
        items, volume = items + found, volume + found
        out.append(items)
    return np.array(out)


__all__ = [
    "acquired_stock",
    "acquisition_ceiling",
    "best_of_fixation",
    "critical_learning",
    "peer_prevalence",
    "rogers_recursion",
    "substitution_rate",
]
