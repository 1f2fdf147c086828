"""One value per replicate from a record: at a generation, over a window, a slope, a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evosim.scenario.study_parts import At

Array = npt.NDArray[np.float64]
Columns = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Record:
    """One measure of one arm over replicates and recorded generations.

    Attributes
    ----------
    replicates : int array [R]
        All replicates of the arm, whether or not they have values.
    generations : int array [G]
        Generations at which the measure was recorded in any replicate, ascending.
    data : float array [R, G]
        NaN where a replicate has no finite value.
    extinct : float array [R]
        Generation of extinction, inf if none.
    last : int
        What "the last generation" means for this measure and arm; -1 if nothing was recorded.
    end : int
        Last generation of the run.
    outlives : bool
        Whether the measure keeps its value after extinction.
    """

    replicates: npt.NDArray[np.int64]
    generations: npt.NDArray[np.int64]
    data: Array
    extinct: Array
    last: int
    end: int
    outlives: bool = False


@dataclass(frozen=True)
class Reading:
    """One number per replicate, or the reason why there is none.

    Attributes
    ----------
    data : float array [R]
        NaN where missing; inf for a time that is never reached.
    reasons : list of str [R]
        Empty where there is a value.
    """

    data: Array
    reasons: list[str]


def read(record: Record, at: At | None, statistic: str, reaches: float | None = None) -> Reading:
    """Read one number per replicate.

    Parameters
    ----------
    record : Record
        Of one measure and arm.
    at : At or None
        One generation, a window, or the default of the statistic.
    statistic : {"value", "change", "slope", "time"}
        As in `evosim.claims.measures.measure_frame`.
    reaches : float, optional
        For "time".

    Returns
    -------
    Reading
        As long as `record.replicates`.
    """
    if statistic == "value":
        return _value(record, at)
    if statistic == "change":
        return _change(record, at)
    if statistic == "slope":
        return _over(record, at, _slopes)
    if reaches is None:
        raise ValueError("a time needs the value that is reached")
    return _time(record, at, reaches)


def window(record: Record, at: At | None) -> Columns | str:
    """Return the columns of the generation or window, or why there are none.

    Without `at`, all columns.
    """
    recorded = record.generations
    if not recorded.size:
        return "the measure was not recorded"
    if at is None:
        return np.arange(recorded.size)
    if at.generation is not None:
        return _column(record, at.generation)
    start, end = at.start or 0, at.end or 0
    if end > record.end:
        return f"generation {end} lies beyond the run's last, {record.end}"
    columns = np.flatnonzero((recorded >= start) & (recorded <= end))
    return columns if columns.size else f"nothing was recorded from generation {start} to {end}"


def _column(record: Record, generation: int) -> Columns | str:
    found = np.flatnonzero(record.generations == generation)
    if found.size:
        return found
    if generation > record.end:
        return f"generation {generation} lies beyond the run's last, {record.end}"
    if np.all(record.extinct <= generation) and not record.outlives:
        return f"extinct by generation {generation}"
    return f"not recorded at generation {generation}"


def _value(record: Record, at: At | None) -> Reading:
    if at is not None:
        return _over(record, at, lambda _, values: values.mean(axis=1))
    if not record.generations.size:
        return _none(record, "the measure was not recorded")
    died = np.isfinite(record.extinct) & (not record.outlives)
    columns = _column(record, record.last)
    if isinstance(columns, str):
        return _none(record, columns)
    values = np.where(died, np.nan, record.data[:, columns[0]])
    return _reading(record, values, record.last)


def _over(record: Record, at: At | None, statistic: Callable[[Array, Array], Array]) -> Reading:
    """Apply a statistic to a window in which a replicate must have every recorded value."""
    columns = window(record, at)
    if isinstance(columns, str):
        return _none(record, columns)
    times = record.generations[columns].astype(np.float64)
    values = statistic(times, record.data[:, columns])
    if np.isnan(values).all() and len(times) < 2 and statistic is _slopes:
        return _none(record, "a slope needs two recorded generations")
    if at is None and not record.outlives:
        # The whole run: a replicate that died out has no row that could be missed here.
        values = np.where(np.isfinite(record.extinct), np.nan, values)
    return _reading(record, values, int(times[-1]))


def _slopes(times: Array, values: Array) -> Array:
    if times.size < 2:
        return np.full(len(values), np.nan)
    # Plain sums, not a matrix product: its bits may depend on the number of threads.
    centred = times - times.mean()
    deviations = values - values.mean(axis=1, keepdims=True)
    slopes: Array = (deviations * centred).sum(axis=1) / (centred * centred).sum()
    return slopes


def _change(record: Record, at: At | None) -> Reading:
    late, early = _value(record, at), _value(record, At(generation=0))
    reasons = [a or b for a, b in zip(late.reasons, early.reasons, strict=True)]
    return Reading(late.data - early.data, reasons)


def _time(record: Record, at: At | None, reaches: float) -> Reading:
    """Return the first recorded generation on the far side of `reaches`; inf if there is none.

    The near side is that of the arm's mean at the first recorded generation. The values of a
    replicate that died out before it got there stay away from `reaches` for ever.
    """
    columns = window(record, at)
    if isinstance(columns, str):
        return _none(record, columns)
    values = record.data[:, columns]
    start = float(np.nanmean(values[:, 0]))
    there = values >= reaches if start <= reaches else values <= reaches
    first = record.generations[columns][there.argmax(axis=1)].astype(np.float64)
    times = np.where(there.any(axis=1), first, np.inf)
    unknown = np.isnan(values).any(axis=1) & ~np.isfinite(record.extinct)
    times = np.where(unknown, np.nan, times)
    return _reading(record, times, int(record.generations[columns[-1]]))


def _reading(record: Record, values: Array, generation: int) -> Reading:
    reasons = []
    for value, died in zip(values, record.extinct, strict=True):
        gone = np.isfinite(died) and (died <= generation or not record.outlives)
        missing = f"extinct by generation {generation}" if gone else "a value is missing"
        reasons.append(missing if np.isnan(value) else "")
    return Reading(values, reasons)


def _none(record: Record, reason: str) -> Reading:
    size = len(record.replicates)
    return Reading(np.full(size, np.nan), [reason] * size)
