"""Claims along the grid of an arm: where a curve crosses a value, its trend, its steps."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from evosim.claims import estimates, intervals
from evosim.claims.estimates import Estimate

Array = npt.NDArray[np.float64]
Direction = Literal["increasing", "decreasing"]


def first_passage(points: Array, curve: Array, value: float, sign: float) -> Array:
    """Return where curves first reach a value, walking up the grid.

    Parameters
    ----------
    points : array [g]
        Grid values, ascending.
    curve : array [..., g]
        The measure at each of them.
    value : float
        What is reached.
    sign : float
        1 if reached from below, -1 if from above.

    Returns
    -------
    array [...]
        By linear interpolation between grid values; -inf where the curve is past `value` from
        the first one on, inf where it never gets there.
    """
    gap = sign * (curve - value)
    past = gap >= 0
    k = past.argmax(axis=-1)
    before = np.maximum(k - 1, 0)
    low = np.take_along_axis(gap, before[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(gap, k[..., None], axis=-1)[..., 0]
    step = np.where(high > low, high - low, 1.0)
    crossing = points[before] + (points[k] - points[before]) * (-low / step)
    crossing = np.where(k == 0, -np.inf, crossing)
    return np.where(past.any(axis=-1), crossing, np.inf)


def of_crossing(
    points: Array, values: Array, value: float, confidence: float, seed: int = 0
) -> Estimate:
    """Estimate where the mean curve crosses a value along the grid.

    Replicates are resampled whole (all grid cells of a replicate together, as they share
    seeds); the interval is the bootstrap's percentile interval. The direction is that of the
    mean curve's least-squares slope. A resample that does not cross counts as crossing beyond
    the end of the grid, so a limit may be infinite.

    Parameters
    ----------
    points : array [g]
        Grid values, ascending.
    values : array [n, g]
        The measure per replicate and grid value.
    value : float
        What is crossed.
    confidence : float
        Two-sided.
    seed : int
        Of the bootstrap.
    """
    n = len(values)
    mean = values.mean(axis=0)
    sign = 1.0 if _slopes(points, mean[None, :])[0] >= 0 else -1.0
    found = float(first_passage(points, mean, value, sign))
    if n < 2:
        return Estimate(found, None, "", n, note=_shape(mean, value, found))
    if all(estimates.is_constant(column) for column in values.T):
        return Estimate(found, None, "", n, problem=f"zero variance in all {n} replicates")
    rng = np.random.default_rng(seed)
    block = max(1, 2_000_000 // values.size)
    draws = []
    for start in range(0, intervals.RESAMPLES, block):
        size = min(block, intervals.RESAMPLES - start)
        curves = values[rng.integers(0, n, (size, n))].mean(axis=1)
        draws.append(first_passage(points, curves, value, sign))
    interval = intervals.percentile_interval(np.concatenate(draws), confidence)
    planned = estimates.scaled(found, interval, n) if math.isfinite(found) else None
    note = _shape(mean, value, found)
    return Estimate(found, interval, "percentile bootstrap", n, planned, note=note)


def _shape(mean: Array, value: float, found: float) -> str:
    if math.isinf(found):
        return f"the mean curve does not cross {value:g} within the grid"
    turns = int(np.count_nonzero(np.diff(mean >= value)))
    return f"the mean curve crosses {value:g} {turns} times; the first is judged" * (turns > 1)


def _slopes(points: Array, values: Array) -> Array:
    centred = points - points.mean()
    deviations = values - values.mean(axis=1, keepdims=True)
    slopes: Array = (deviations * centred).sum(axis=1) / (centred * centred).sum()
    return slopes


def of_trend(
    points: Array, values: Array, confidence: float, how: str = "t", seed: int = 0
) -> Estimate:
    """Estimate the mean over replicates of the least-squares slope along the grid.

    The slope is linear in the grid parameter itself, in units of the measure per unit of it.

    Parameters
    ----------
    points : array [g]
        Grid values, ascending.
    values : array [n, g]
        The measure per replicate and grid value.
    confidence : float
        Two-sided.
    how : {"t", "bca"}
        Of the interval over replicates.
    seed : int
        Of the bootstrap.
    """
    spread = float(np.ptp(points))
    scale = float(np.abs(values).max()) / spread
    return estimates.of_mean(_slopes(points, values), confidence, how, scale=scale, seed=seed)


def of_steps(
    values: Array, confidence: float, how: str = "t", *, unit: bool = False, seed: int = 0
) -> list[Estimate]:
    """Estimate every step between neighbouring grid values, paired by replicate.

    Each interval has the confidence that lets all of them hold together (Bonferroni).

    Parameters
    ----------
    values : array [n, g]
        The measure per replicate and grid value.
    confidence : float
        Of all steps together.
    how : {"t", "bca"}
        Of the interval over replicates.
    unit : bool
        Whether the measure lies between 0 and 1: then steps of 0/1 values are exact.
    seed : int
        Of the bootstrap.
    """
    each = 1.0 - (1.0 - confidence) / (values.shape[1] - 1)
    steps = []
    for before, after in zip(values.T[:-1], values.T[1:], strict=True):
        steps.append(of_difference(after, before, each, how, unit=unit, seed=seed))
    return steps


def of_difference(
    x: Array, y: Array, confidence: float, how: str = "auto", *, unit: bool = False, seed: int = 0
) -> Estimate:
    """Estimate the mean difference x - y, paired by replicate.

    Parameters
    ----------
    x, y : array [n]
        One value per replicate, n >= 1.
    confidence : float
        Two-sided.
    how : {"auto", "t", "bca", "exact"}
        "auto" is exact for 0/1 values of measures between 0 and 1, else t.
    unit : bool
        Whether the measure lies between 0 and 1.
    seed : int
        Of the bootstrap.
    """
    binary = estimates.is_binary(x) and estimates.is_binary(y)
    if how == "exact" and not binary:
        return estimates.unknown("an exact interval needs values 0 and 1 only", x.size)
    if how == "exact" or (how == "auto" and unit and binary):
        return estimates.of_paired_proportions(x, y, confidence)
    scale = float(max(np.abs(x).max(), np.abs(y).max()))
    how = "bca" if how == "bca" else "t"
    found = estimates.of_mean(x - y, confidence, how, scale=scale, seed=seed)
    return estimates.replace_method(found, "paired")
