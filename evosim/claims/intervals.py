"""Intervals over replicates, and how many replicates an interval would need.

Every interval is two-sided. Sources: Clopper and Pearson, Biometrika 26:404 (1934); Wilson,
J. Am. Stat. Assoc. 22:209 (1927); Student, Biometrika 6:1 (1908); Efron, J. Am. Stat. Assoc.
82:171 (1987) for BCa; Thompson, Ann. Math. Stat. 7:122 (1936) for the median; Schuirmann,
J. Pharmacokinet. Biopharm. 15:657 (1987) for equivalence; Fieller, J. R. Stat. Soc. B 16:175
(1954) for when a ratio has a bounded interval.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

#: Bootstrap resamples; an odd count keeps the percentile order statistics symmetric.
RESAMPLES = 9_999
#: Largest number of replicates that is worth naming as "would decide".
MOST_REPLICATES = 10**8


class Interval(NamedTuple):
    """Lower and upper limit; infinite where the data give no limit."""

    low: float
    high: float


def _tail(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return (1.0 - confidence) / 2.0


def clopper_pearson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the exact interval of a proportion (Clopper and Pearson 1934).

    0 of n gives the upper limit 1 - (alpha/2)^(1/n): 0 of 50 bounds a proportion by .0711.
    For a quantity that may lie anywhere in [0, 1] but was only seen at 0 and 1, the interval
    holds for the mean too: the mean lies between P(x = 1) and P(x > 0), and k counts both.

    Parameters
    ----------
    k : float
        Successes, 0 <= k <= n. Need not be whole: a planned n keeps the proportion k/n.
    n : float
        Trials, n > 0.
    confidence : float
        Two-sided, e.g. .95.

    Returns
    -------
    Interval
        Limits in [0, 1].

    Raises
    ------
    ValueError
        If k or n is out of range.
    """
    tail = _tail(confidence)
    if not (n > 0 and 0 <= k <= n):
        raise ValueError(f"needs 0 <= k <= n and n > 0, not k = {k}, n = {n}")
    if k == 0:
        return Interval(0.0, -math.expm1(math.log(tail) / n))
    if k == n:
        return Interval(math.exp(math.log(tail) / n), 1.0)
    low = float(special.betaincinv(k, n - k + 1, tail))
    high = float(special.betaincinv(k + 1, n - k, 1.0 - tail))
    return Interval(low, high)


def wilson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the score interval of a proportion (Wilson 1927).

    Parameters
    ----------
    k, n : float
        Successes and trials, 0 <= k <= n, n > 0.
    confidence : float
        Two-sided.

    Returns
    -------
    Interval
        Limits in [0, 1].

    Raises
    ------
    ValueError
        If k or n is out of range.
    """
    z = -float(special.ndtri(_tail(confidence)))
    if not (n > 0 and 0 <= k <= n):
        raise ValueError(f"needs 0 <= k <= n and n > 0, not k = {k}, n = {n}")
    p = k / n
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At k = 0 and k = n one limit is 0 or 1 exactly; rounding must not step over it.
    low = 0.0 if k == 0 else (middle - half) / scale
    high = 1.0 if k == n else (middle + half) / scale
    return Interval(low, high)


def paired_proportions(more: float, less: float, n: float, confidence: float = 0.95) -> Interval:
    """Return conservative exact limits for a mean paired difference of two 0/1 measures.

    The difference is P(only the first) - P(only the second); each share gets its own
    Clopper-Pearson interval at half the error (Bonferroni), so zero discordant pairs still
    give an interval of honest width.

    Parameters
    ----------
    more, less : float
        Pairs in which only the first, only the second is 1.
    n : float
        Pairs, more + less <= n.
    confidence : float
        Two-sided.

    Returns
    -------
    Interval
        Limits in [-1, 1].
    """
    split = 1.0 - (1.0 - confidence) / 2.0
    first = clopper_pearson(more, n, split)
    second = clopper_pearson(less, n, split)
    return Interval(first.low - second.high, first.high - second.low)


def t_half_width(sd: float, n: float, confidence: float = 0.95) -> float:
    """Return half the width of a t interval of a mean (Student 1908).

    Parameters
    ----------
    sd : float
        Sample standard deviation (n - 1 in the denominator).
    n : float
        Sample size, n > 1.
    confidence : float
        Two-sided.

    Returns
    -------
    float
        t quantile times the standard error, in the unit of `sd`.
    """
    return -float(special.stdtrit(n - 1, _tail(confidence))) * sd / math.sqrt(n)


def t_interval(x: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the t interval of a mean (Student 1908).

    Parameters
    ----------
    x : array [n]
        One value per replicate.
    confidence : float
        Two-sided.

    Returns
    -------
    Interval
        In the unit of `x`.

    Raises
    ------
    ValueError
        If there are fewer than two values.
    """
    values = np.asarray(x, dtype=np.float64)
    if values.size < 2:
        raise ValueError("a t interval needs at least two values")
    half = t_half_width(float(values.std(ddof=1)), values.size, confidence)
    mean = float(values.mean())
    return Interval(mean - half, mean + half)


def bca_interval(
    x: Array | Sequence[Array],
    statistic: Callable[..., Any] = np.mean,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the bias-corrected and accelerated bootstrap interval (Efron 1987).

    Parameters
    ----------
    x : array [n], or list of arrays [n]
        One value per replicate; several arrays are resampled together (paired).
    statistic : callable
        ``statistic(*arrays, axis=...)``, vectorised over the other axes.
    confidence : float
        Two-sided.
    seed : int
        Of the resampling; the same data and seed give the same interval.

    Returns
    -------
    Interval
        In the unit of the statistic.

    Raises
    ------
    ValueError
        If there are fewer than two values or the bootstrap distribution is degenerate.
    """
    from scipy.stats import bootstrap

    parts = [x] if isinstance(x, np.ndarray) else list(x)
    data = tuple(np.asarray(part, dtype=np.float64) for part in parts)
    size = data[0].size
    if size < 2:
        raise ValueError("a bootstrap needs at least two values")
    _tail(confidence)  # raises if out of range
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # degenerate data are raised below, as an error
        found = bootstrap(
            data,
            statistic,
            paired=len(data) > 1,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=max(1, 2_000_000 // size),
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    interval = Interval(float(found.low), float(found.high))
    if not (-math.inf < interval.low < interval.high < math.inf):
        raise ValueError("the bootstrap distribution is degenerate")
    return interval


def percentile_interval(draws: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the percentile interval of bootstrap draws, which may be infinite.

    Order statistics are taken outwards and never interpolated, so that a draw at infinity
    (a curve that does not cross) stays one.

    Parameters
    ----------
    draws : array [b]
        The statistic in each resample.
    confidence : float
        Two-sided.

    Returns
    -------
    Interval
        In the unit of `draws`; a limit may be infinite.
    """
    ordered = np.sort(np.asarray(draws, dtype=np.float64))
    rank = math.floor(_tail(confidence) * (ordered.size + 1))
    below = max(rank - 1, 0)
    return Interval(float(ordered[below]), float(ordered[ordered.size - 1 - below]))


def median_interval(x: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the distribution-free interval of a median by order statistics (Thompson 1936).

    Its coverage is binomial whatever the distribution, ties and values at infinity included:
    censored times enter as +inf.

    Parameters
    ----------
    x : array [n]
        One value per replicate, n >= 1; infinite values allowed.
    confidence : float
        Two-sided, at least this.

    Returns
    -------
    Interval
        In the unit of `x`; (-inf, inf) where n is too small (below 6 at .95).
    """
    ordered = np.sort(np.asarray(x, dtype=np.float64))
    size = ordered.size
    below = special.bdtr(np.arange(0, size // 2 + 1, dtype=np.float64), size, 0.5)
    rank = int(np.count_nonzero(below <= _tail(confidence)))
    if rank == 0:
        return Interval(-math.inf, math.inf)
    return Interval(float(ordered[rank - 1]), float(ordered[size - rank]))


def equivalent(interval: Interval, value: float, margin: float) -> bool:
    """Tell whether a whole interval lies within `margin` of `value` (Schuirmann 1987).

    With a 95% interval this is stricter than two one-sided tests at 5%, which use the 90% one.

    Parameters
    ----------
    interval : Interval
        Of the estimate.
    value, margin : float
        The region is [value - margin, value + margin].

    Returns
    -------
    bool
        True if equivalence is shown; False says nothing about a difference.
    """
    return value - margin <= interval.low and interval.high <= value + margin


def replicates_needed(decides: Callable[[int], bool], n: int) -> int | None:
    """Return the smallest number of replicates above `n` that would decide.

    Parameters
    ----------
    decides : callable
        Whether that many replicates decide; once True it stays True.
    n : int
        The present number.

    Returns
    -------
    int or None
        None if no number up to 100 million does (the estimate lies on the border).
    """
    fails, holds = n, max(n + 1, 2)
    while not decides(holds):
        fails, holds = holds, 2 * holds
        if fails >= MOST_REPLICATES:
            return None
    while holds - fails > 1:
        middle = (fails + holds) // 2
        if decides(middle):
            holds = middle
        else:
            fails = middle
    return holds
