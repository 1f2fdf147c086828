"""Reading a measure from the tables of a finished run, one value per replicate.

A replicate that cannot give its value keeps a row with the reason; nothing is dropped, and no
neighbouring generation stands in for one that was not recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from evosim.claims.indexed import Indexed, index_tables
from evosim.claims.names import Measured, parse_measure
from evosim.claims.races import COMPARE, earlier, event_times
from evosim.claims.reading import Array, Record, read, window
from evosim.errors import UserError
from evosim.scenario.study_parts import At

#: Measures that keep their value after a replicate has died out.
_AFTER_EXTINCTION = {"extinct": 1.0, "agents": 0.0}
_SPLITS = {"": ("novel", "score"), "training": ("training", "score"), "skill": ("novel", "skill")}


def _term_rows(tables: Indexed, term: str) -> tuple[pd.DataFrame, str]:
    """Return the rows and the column that hold one plain measure."""
    if term in tables.trajectory.columns:
        return tables.trajectory, term
    source, _, rest = term.partition(".")
    if source == "assay":
        return tables.assays[tables.assays["assay"] == rest], "value"
    if source == "score":
        # Predictor names hold no dots.
        predictor, _, part = rest.partition(".")
        split, column = _SPLITS[part]
        scores = tables.scores
        return scores[(scores["predictor"] == predictor) & (scores["split"] == split)], column
    quantity, _, column = rest.rpartition(".")
    if source == "ledger":
        return tables.ledger[tables.ledger["address"] == quantity], column
    return tables.contexts[tables.contexts["context"] == quantity], column


def read_record(
    tables: Indexed, terms: tuple[str, ...], arm: str, generations: int | None = None
) -> Record:
    """Read one measure of one arm.

    Parameters
    ----------
    tables : Indexed
        The tables of a run.
    terms : tuple of str
        One plain measure, or two whose difference is wanted.
    arm : str
        Label of the arm cell.
    generations : int, optional
        Last generation of the run; default: the last one in the trajectory.

    Returns
    -------
    Record
        Without replicates if the arm has no rows.

    Raises
    ------
    UserError
        If the tables hold more than one value per replicate and generation.
    """
    trajectory = tables.trajectory
    rows = trajectory[trajectory["arm"] == arm] if "arm" in trajectory else trajectory
    grids = [_grid(tables, term, arm, rows) for term in terms]
    grid = grids[0] if len(grids) == 1 else grids[0] - grids[1]
    died = _extinctions(rows, grid.index)
    outlives = len(terms) == 1 and terms[0] in _AFTER_EXTINCTION
    if outlives:
        grid = grid.reindex(columns=sorted(trajectory["generation"].unique()))
        after = grid.columns.to_numpy()[None, :] >= died[:, None]
        grid = grid.mask(after, _AFTER_EXTINCTION[terms[0]])
    # Ledger, contexts and scores close at generations of their own.
    own = not outlives and all(_in_trajectory(term, trajectory) for term in terms)
    ends = rows["generation"] if own else pd.Series(grid.columns)
    kept = grid.loc[:, grid.notna().any()]
    return Record(
        replicates=kept.index.to_numpy(dtype=np.int64),
        generations=kept.columns.to_numpy(dtype=np.int64),
        data=kept.to_numpy(dtype=np.float64),
        extinct=died,
        last=int(ends.max()) if len(ends) else -1,
        end=_end(trajectory, generations),
        outlives=outlives,
    )


def _in_trajectory(term: str, trajectory: pd.DataFrame) -> bool:
    return term in trajectory.columns or term.startswith("assay.")


def _end(trajectory: pd.DataFrame, generations: int | None) -> int:
    if generations is not None or not len(trajectory):
        return generations if generations is not None else -1
    return int(trajectory["generation"].max())


def _grid(tables: Indexed, term: str, arm: str, rows: pd.DataFrame) -> pd.DataFrame:
    found, column = _term_rows(tables, term)
    found = found[found["arm"] == arm]
    if found.duplicated(["replicate", "generation"]).any():
        raise UserError(f"'{term}' has more than one value per replicate and generation")
    values = pd.to_numeric(found[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    keyed = found[["replicate", "generation"]].assign(value=values)
    grid = keyed.set_index(["replicate", "generation"])["value"].unstack("generation")  # noqa: PD010
    replicates = sorted(set(rows["replicate"]) | set(grid.index)) if len(rows) else grid.index
    return grid.reindex(index=pd.Index(replicates, dtype=np.int64))


def _extinctions(rows: pd.DataFrame, replicates: pd.Index[Any]) -> Array:
    if "extinct" not in rows or not len(rows):
        return np.full(len(replicates), np.inf)
    gone = rows[rows["extinct"].fillna(False).astype(bool)]
    first = gone.groupby("replicate")["generation"].min().reindex(replicates)
    return first.to_numpy(np.float64, na_value=np.inf)


def measure_frame(
    tables: Any,
    measure: str | Measured,
    at: At | None = None,
    statistic: str = "value",
    *,
    reaches: float | None = None,
    generations: int | None = None,
    arms: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Read one number per arm and replicate.

    Parameters
    ----------
    tables : object
        As `index_tables`.
    measure : str or Measured
        As in a claim; ``differs.`` needs two arms, see `differing`.
    at : At, optional
        One generation, or a window over which recorded values are averaged with equal weight;
        default: the last generation (for a slope or a time: the whole run).
    statistic : {"value", "change", "slope", "time"}
        The value; the value minus that of generation 0; the least-squares slope per generation;
        the first recorded generation that reaches `reaches`, coming from the side on which the
        arm's mean starts. A replicate that never does, or dies out first, has the time inf.
    reaches : float, optional
        For "time".
    generations : int, optional
        Generations of the run, to tell what lies beyond it.
    arms : iterable of str, optional
        Labels to read; default: all in the trajectory.

    Returns
    -------
    DataFrame
        Columns arm, replicate, value (NaN where it is missing) and reason (text where it is).

    Raises
    ------
    UserError
        If the measure is unknown, with the closest known name.
    """
    tables = index_tables(tables)
    trajectory = tables.trajectory
    measured = parse_measure(measure, tables.names) if isinstance(measure, str) else measure
    if arms is None:
        arms = list(trajectory["arm"].unique()) if "arm" in trajectory else []
    frames = []
    for arm in arms:
        if measured.before is not None:
            frames.append(_race(tables, measured, at, arm, generations))
            continue
        record = read_record(tables, measured.terms, arm, generations)
        reading = read(record, at, statistic, reaches)
        values = _compared(reading.data, measured)
        frames.append(_frame(arm, record.replicates, values, reading.reasons))
    return pd.concat(frames, ignore_index=True) if frames else _frame("", [], [], [])


def times_frame(
    tables: Indexed, event: Measured, at: At | None, arm: str, generations: int | None = None
) -> pd.DataFrame:
    """Read when each replicate of an arm first passes a measure's number.

    Parameters
    ----------
    tables : Indexed
    event : Measured
        With a threshold.
    at : At, optional
        By a generation, within a window; default: in the whole run.
    arm : str
        Label of the cell.
    generations : int, optional
        Generations of the run.

    Returns
    -------
    DataFrame
        As `measure_frame`; inf for never.
    """
    assert event.threshold is not None
    record = read_record(tables, event.terms, arm, generations)
    times = event_times(record, event.threshold, at)
    size = len(record.replicates)
    if isinstance(times, str):
        return _frame(arm, record.replicates, np.full(size, np.nan), [times] * size)
    reasons = ["a value is missing" if missing else "" for missing in np.isnan(times)]
    return _frame(arm, record.replicates, times, reasons)


def _race(
    tables: Indexed, measured: Measured, at: At | None, arm: str, generations: int | None
) -> pd.DataFrame:
    """Return 1 in the replicates of an arm in which the first event comes before the second."""
    assert measured.before is not None
    one = times_frame(tables, measured, at, arm, generations).set_index("replicate")
    two = times_frame(tables, measured.before, at, arm, generations).set_index("replicate")
    replicates = one.index.union(two.index)
    one, two = one.reindex(replicates), two.reindex(replicates)
    values = earlier(one["value"].to_numpy(np.float64), two["value"].to_numpy(np.float64))
    why = one["reason"].fillna("") + two["reason"].fillna("")
    reasons = [
        (reason or "no such replicate") if np.isnan(value) else ""
        for value, reason in zip(values, why, strict=True)
    ]
    return _frame(arm, replicates.to_numpy(), values, reasons)


def _compared(values: Array, measured: Measured) -> Array:
    """Return 1 where values pass the measure's number, else 0; values as they are without one."""
    if measured.threshold is None:
        return values
    sign, number = measured.threshold
    return np.where(np.isnan(values), np.nan, COMPARE[sign](values, number).astype(np.float64))


def _frame(arm: str, replicates: Any, values: Any, reasons: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "arm": pd.Series([arm] * len(replicates), dtype="str"),
            "replicate": np.asarray(replicates, dtype=np.int64),
            "value": np.asarray(values, dtype=np.float64),
            "reason": pd.Series(list(reasons), dtype="str"),
        }
    )


def differing(
    tables: Any,
    measured: Measured,
    at: At | None,
    arms: tuple[str, str],
    generations: int | None = None,
) -> pd.DataFrame:
    """Tell in which replicates two arms differ in any bit of a measure, or of what passes a number.

    Parameters
    ----------
    tables : object
        The tables of a run.
    measured : Measured
        What is compared.
    at : At, optional
        The generation or window that is looked at; default: every recorded generation.
    arms : (str, str)
        Labels of the two arm cells.
    generations : int, optional
        Generations of the run.

    Returns
    -------
    DataFrame
        As `measure_frame`, under the first label: value 1 where they differ, else 0.
    """
    grids = []
    tables = index_tables(tables)
    for arm in arms:
        record = read_record(tables, measured.terms, arm, generations)
        columns = window(record, at)
        size = len(record.replicates)
        if isinstance(columns, str):
            return _frame(arms[0], record.replicates, np.full(size, np.nan), [columns] * size)
        grids.append(
            pd.DataFrame(
                _compared(record.data[:, columns], measured),
                index=record.replicates,
                columns=record.generations[columns],
            )
        )
    first, second = grids
    replicates = sorted(set(first.index) | set(second.index))
    generation = sorted(set(first.columns) | set(second.columns))
    one = first.reindex(index=replicates, columns=generation).to_numpy()
    two = second.reindex(index=replicates, columns=generation).to_numpy()
    same = ((one == two) | (np.isnan(one) & np.isnan(two))).all(axis=1)
    paired = np.isin(replicates, first.index) & np.isin(replicates, second.index)
    values = np.where(paired, (~same).astype(np.float64), np.nan)
    reasons = ["" if pair else "not in both arms" for pair in paired]
    return _frame(arms[0], replicates, values, reasons)
