"""An estimate over replicates with its interval, and the interval that more of them would give."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from evosim.claims import intervals
from evosim.claims.intervals import Interval

Array = npt.NDArray[np.float64]

#: Spread below this share of the values' size is rounding, not variance.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """What the replicates say of one quantity.

    Attributes
    ----------
    value : float
        The estimate, in the unit of the measure.
    interval : Interval or None
        None where none can be given.
    method : str
        How the interval was made.
    n : int
        Replicates it rests on.
    planned : callable or None
        The interval that this many replicates would give if the estimate stayed.
    problem : str
        Why the claim stays undecided whatever the interval; empty if nothing is wrong.
    note : str
        A remark that does not bear on the verdict.
    """

    value: float
    interval: Interval | None
    method: str
    n: int
    planned: Callable[[float], Interval] | None = None
    problem: str = ""
    note: str = ""


def unknown(problem: str, n: int = 0) -> Estimate:
    """Return an estimate that says only why there is none."""
    return Estimate(math.nan, None, "", n, problem=problem)


def is_constant(x: Array, scale: float = 0.0) -> bool:
    """Tell whether values differ by no more than rounding.

    Parameters
    ----------
    x : array [n]
        Values, n >= 1.
    scale : float
        Size of the numbers that `x` was computed from, if larger than its own.
    """
    size = max(float(np.abs(x).max()), scale)
    return bool(np.ptp(x) <= _ROUNDING * size)


def is_binary(x: Array) -> bool:
    """Tell whether every value is 0 or 1."""
    return bool(np.isin(x, (0.0, 1.0)).all())


def of_proportion(x: Array, confidence: float) -> Estimate:
    """Estimate the share of replicates in which a 0/1 measure is 1 (Clopper-Pearson).

    Parameters
    ----------
    x : array [n]
        Zeros and ones.
    confidence : float
        Two-sided.
    """
    n, share = x.size, float(x.mean())

    def planned(size: float) -> Interval:
        return intervals.clopper_pearson(share * size, size, confidence)

    found = intervals.clopper_pearson(float(x.sum()), n, confidence)
    return Estimate(share, found, "Clopper-Pearson", n, planned)


def of_paired_proportions(x: Array, y: Array, confidence: float) -> Estimate:
    """Estimate the difference of two 0/1 measures, paired by replicate.

    Parameters
    ----------
    x, y : array [n]
        Zeros and ones; the difference is x - y.
    confidence : float
        Two-sided.
    """
    n = x.size
    more, less = float((x > y).mean()), float((x < y).mean())

    def planned(size: float) -> Interval:
        return intervals.paired_proportions(more * size, less * size, size, confidence)

    return Estimate(more - less, planned(n), "paired Clopper-Pearson", n, planned)


def of_mean(
    x: Array, confidence: float, how: str = "t", *, scale: float = 0.0, seed: int = 0
) -> Estimate:
    """Estimate a mean.

    Parameters
    ----------
    x : array [n]
        One value per replicate, n >= 1.
    confidence : float
        Two-sided.
    how : {"t", "bca"}
        Student's t or the BCa bootstrap.
    scale : float
        Size of the numbers that `x` was computed from, to tell variance from rounding.
    seed : int
        Of the bootstrap.
    """
    n, mean = x.size, float(x.mean())
    if n < 2:
        return Estimate(mean, None, "", n)
    if is_constant(x, scale):
        return Estimate(mean, None, "", n, problem=_identical(n))
    if how == "bca":
        return _bootstrapped(x, np.mean, mean, confidence, seed, "BCa bootstrap")
    sd = float(x.std(ddof=1))

    def planned(size: float) -> Interval:
        half = intervals.t_half_width(sd, size, confidence)
        return Interval(mean - half, mean + half)

    return Estimate(mean, planned(n), "t", n, planned)


def _identical(n: int) -> str:
    return (
        f"zero variance: all {n} replicates give the same value, which bounds nothing; "
        "an identity of two arms is claimed with measure = 'differs.MEASURE' and minus"
    )


def _bootstrapped(
    data: Array | list[Array],
    statistic: Callable[..., Any],
    value: float,
    confidence: float,
    seed: int,
    method: str,
) -> Estimate:
    n = data[0].size if isinstance(data, list) else data.size
    try:
        found = intervals.bca_interval(data, statistic, confidence, seed)
    except ValueError as error:
        return Estimate(value, None, "", n, problem=str(error))
    return Estimate(value, found, method, n, scaled(value, found, n))


def scaled(value: float, found: Interval, n: int) -> Callable[[float], Interval] | None:
    """Return the interval as a function of the replicates: its halves shrink as n^(-1/2)."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return None

    def planned(size: float) -> Interval:
        shrink = math.sqrt(n / size)
        return Interval(value - (value - found.low) * shrink, value + (found.high - value) * shrink)

    return planned


def _ratio(x: Array, y: Array, axis: int = -1) -> Any:
    return x.mean(axis=axis) / y.mean(axis=axis)


def of_ratio(x: Array, y: Array, confidence: float, seed: int = 0) -> Estimate:
    """Estimate a ratio of means, paired by replicate (BCa bootstrap of the pairs).

    Where the t interval of the lower mean holds 0, no bounded interval exists (Fieller 1954).

    Parameters
    ----------
    x, y : array [n]
        The ratio is mean(x) / mean(y).
    confidence : float
        Two-sided.
    seed : int
        Of the bootstrap.
    """
    n = x.size
    if float(y.mean()) == 0.0:
        return unknown("the ratio divides by zero", n)
    value = float(_ratio(x, y))
    if n < 2:
        return Estimate(value, None, "", n)
    if is_constant(x - value * y, float(np.abs(x).max())):
        return Estimate(value, None, "", n, problem=_identical(n))
    if not is_constant(y):
        lower = intervals.t_interval(y, confidence)
        if lower.low <= 0.0 <= lower.high:
            problem = "the mean it is divided by is not told apart from 0: no bounded interval"
            return Estimate(value, None, "", n, problem=problem)
    return _bootstrapped([x, y], _ratio, value, confidence, seed, "paired BCa bootstrap")


def of_median(x: Array, confidence: float) -> Estimate:
    """Estimate a median by order statistics; values may be infinite (censored times).

    Parameters
    ----------
    x : array [n]
        One value per replicate, n >= 1.
    confidence : float
        Two-sided.
    """
    n = x.size
    ordered = np.sort(x)
    low, high = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    value = low if low == high else (low + high) / 2.0
    z = -float(special.ndtri((1.0 - confidence) / 2.0))

    def planned(size: float) -> Interval:
        half = z / (2.0 * math.sqrt(size))
        if half >= 0.5:
            return Interval(-math.inf, math.inf)
        rank = math.floor((0.5 - half) * n)
        return Interval(float(ordered[rank]), float(ordered[n - 1 - rank]))

    found = intervals.median_interval(x, confidence)
    return Estimate(value, found, "order statistics of the median", n, planned)


def with_problem(estimate: Estimate, problem: str) -> Estimate:
    """Return the estimate with one more reason for being undecided, said first."""
    return replace(estimate, problem="; ".join(filter(None, (problem, estimate.problem))))


def replace_method(estimate: Estimate, prefix: str) -> Estimate:
    """Return the estimate with a word put before the name of its method."""
    return replace(estimate, method=f"{prefix} {estimate.method}" if estimate.method else "")
