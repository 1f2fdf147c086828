"""Means over replicates with bootstrap intervals, for lines and points.

Intervals are bias-corrected and accelerated bootstrap intervals of the mean over replicates
(Efron 1987), resampled with a fixed seed: the same table gives the same picture. They stay
inside the range of the data, so a bounded measure never gets an interval outside its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

#: Fewer replicates than this get thin single lines instead of an interval.
FEWEST = 5
_RESAMPLES = 1000
_SLICE = 200_000  # multiplications
_MOST_RESAMPLED = 400  # above this many replicates the mean is normal to well below a pixel


@dataclass(frozen=True)
class Band:
    """Mean and interval of one series.

    Parameters
    ----------
    x : ndarray [G]
        Where the series was measured (generations, or a parameter).
    replicates : ndarray [R, G]
        One row per replicate, NaN where there is none (e.g. after extinction).
    mean, low, high : ndarray [G]
        Mean over the replicates present and its interval; low and high are NaN where fewer
        than `FEWEST` replicates are present.
    """

    x: Floats
    replicates: Floats
    mean: Floats
    low: Floats
    high: Floats


def floats(column: pd.Series[Any]) -> Floats:
    """Return a column as float64 with NaN where a value is missing."""
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def pivot(data: pd.DataFrame, x: str, value: str) -> tuple[Floats, Floats]:
    """Return the sorted values of `x` [G] and the matrix [R, G] of `value` by replicate."""
    at, column = np.unique(floats(data[x]), return_inverse=True)
    names, row = np.unique(data["replicate"].to_numpy(), return_inverse=True)
    matrix = np.full((len(names), len(at)), np.nan)
    matrix[row, column] = floats(data[value])
    return at, matrix


def mean_interval(
    values: Floats, *, confidence: float = 0.95, seed: int = 0
) -> tuple[Floats, Floats, Floats]:
    """Return mean, low and high over the rows of `values` [R, G], column by column.

    Missing values (NaN) are left out column by column. Columns with fewer than `FEWEST`
    values get a mean only (NaN without any value).
    """
    present = np.isfinite(values)
    filled = np.where(present, values, 0.0)
    count = present.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, filled.sum(axis=0) / np.maximum(count, 1), np.nan)
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    use = count >= FEWEST
    if use.any():
        columns = (filled[:, use], present[:, use], mean[use])
        tail = (1.0 - confidence) / 2.0
        interval = _normal if len(values) > _MOST_RESAMPLED else _bca
        low[use], high[use] = interval(*columns, tail, seed)
    return mean, low, high


def _deviations(filled: Floats, present: NDArray[np.bool_], mean: Floats) -> Floats:
    return np.where(present, filled - mean, 0.0)


def _normal(
    filled: Floats, present: NDArray[np.bool_], mean: Floats, tail: float, seed: int
) -> tuple[Floats, Floats]:
    del seed
    count = present.sum(axis=0)
    spread = np.sqrt((_deviations(filled, present, mean) ** 2).sum(axis=0) / (count - 1) / count)
    reach = float(ndtri(1.0 - tail)) * spread
    least = np.where(present, filled, np.inf).min(axis=0)
    most = np.where(present, filled, -np.inf).max(axis=0)
    return np.maximum(mean - reach, least), np.minimum(mean + reach, most)


def _bca(
    filled: Floats, present: NDArray[np.bool_], mean: Floats, tail: float, seed: int
) -> tuple[Floats, Floats]:
    draws = _resamples(len(filled), seed)
    mean_ = mean[:, None]
    boots = _product(filled.T, draws)
    if present.all():
        boots /= len(filled)
    else:
        # A resample may miss every replicate present in a column: it then repeats the mean.
        weight = _product(present.T.astype(np.float64), draws)
        boots = np.where(weight > 0, boots / np.maximum(weight, 1.0), mean_)
    boots.sort(axis=1)
    below = (boots < mean_).mean(axis=1) + 0.5 * (boots == mean_).mean(axis=1)
    bias = ndtri(np.clip(below, 0.5 / _RESAMPLES, 1.0 - 0.5 / _RESAMPLES))
    deviation = _deviations(filled, present, mean)
    squares = (deviation**2).sum(axis=0)
    skew = (deviation**3).sum(axis=0) / (6.0 * np.maximum(squares, 1e-200) ** 1.5)
    ends = []
    for z in (float(ndtri(tail)), float(ndtri(1.0 - tail))):
        level = ndtr(bias + (bias + z) / (1.0 - skew * (bias + z)))
        ends.append(_row_quantile(boots, level))
    return np.minimum(ends[0], mean), np.maximum(ends[1], mean)


@lru_cache(maxsize=8)
def _resamples(replicates: int, seed: int) -> Floats:
    """Return how often each replicate is in each resample, [R, B]."""
    share = np.full(replicates, 1.0 / replicates)
    draws = np.random.default_rng(seed).multinomial(replicates, share, size=_RESAMPLES)
    out: Floats = np.ascontiguousarray(draws.T, dtype=np.float64)
    out.flags.writeable = False
    return out


def _product(left: Floats, right: Floats) -> Floats:
    """Return ``left @ right`` in slices too small for the linear algebra library to thread.

    Threads gain nothing at this size, and on a busy machine waiting for them took 20 times as
    long as the product itself.
    """
    out = np.empty((left.shape[0], right.shape[1]))
    width = max(1, _SLICE // left.size)
    for start in range(0, right.shape[1], width):
        out[:, start : start + width] = left @ right[:, start : start + width]
    return out


def _row_quantile(ordered: Floats, level: Floats) -> Floats:
    """Return one quantile per row of `ordered` (sorted along axis 1), interpolated."""
    place = np.clip(level, 0.0, 1.0) * (ordered.shape[1] - 1)
    under = np.floor(place).astype(np.int64)
    over = np.minimum(under + 1, ordered.shape[1] - 1)
    row = np.arange(len(ordered))
    part = place - under
    out: Floats = ordered[row, under] * (1.0 - part) + ordered[row, over] * part
    return out


def band(data: pd.DataFrame, value: str, *, x: str = "generation", seed: int = 0) -> Band | None:
    """Return the band of one arm's rows, or None when no value is present.

    Parameters
    ----------
    data : DataFrame
        Columns `replicate`, `x` and `value`; at most one row per replicate and `x`.
    value : str
        Column to average over replicates.
    """
    data = data[data[value].notna()]
    if data.empty:
        return None
    at, values = pivot(data, x, value)
    mean, low, high = mean_interval(values, seed=seed)
    return Band(at, values, mean, low, high)
