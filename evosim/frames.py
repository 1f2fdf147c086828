"""From recorded arrays to tidy tables: rows by arm, replicate, generation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evosim.edges import PATHS
from evosim.recorder import Recorder

KEYS = ("arm", "replicate", "generation")

#: Columns of the tables that exist even when they are empty.
COLUMNS = {
    "trajectory": (*KEYS, "agents", "extinct", "payoff"),
    "contexts": (*KEYS, "context", "frequency", "payoff", "episodes"),
    "assays": (*KEYS, "assay", "context", "when", "value", "sd", "low", "high"),
    "trials": (
        *KEYS, "trial", "context", "episode", "payoff", "entered", "rewarded", "moved",
        "untried",
    ),
    "ledger": (
        *KEYS, "kind", "quantity", "context", "percept", "action", "before", "selection",
        "transmission", "learning", "after", "cumulative_selection", "cumulative_transmission",
    ),
    "edges": (*KEYS, "learner", "parent", "mate", "model", "path", "knew", "taken"),
    "predictions": (
        *KEYS, "assay", "context", "percept", "predictor", "action", "probability",
    ),
    "scores": (*KEYS, "split", "predictor", "score", "skill"),
}  # fmt: skip


def tables_of(recorders: list[Recorder]) -> dict[str, pd.DataFrame]:
    """Return the tables of a run, cells in the order given."""
    out = {}
    for name, columns in COLUMNS.items():
        parts = [_table(recorder, name) for recorder in recorders if recorder.rows[name]]
        if not parts:
            out[name] = no_rows(name)
            continue
        frame = pd.concat(parts, ignore_index=True)
        ordered = [c for c in columns if c in frame] + [c for c in frame if c not in columns]
        out[name] = typed(frame[ordered])
    return out


def no_rows(name: str) -> pd.DataFrame:
    """Return a table of which nothing was recorded."""
    return typed(pd.DataFrame(columns=list(COLUMNS[name])))


def _table(recorder: Recorder, name: str) -> pd.DataFrame:
    parts = [
        _edges(row) if name == "edges" else block(recorder.replicates, row)
        for row in recorder.rows[name]
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "arm", recorder.label)
    order = np.lexsort((frame["generation"].to_numpy(), frame["replicate"].to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def _edges(row: dict[str, Any]) -> pd.DataFrame:
    """Return rows of one generation of which each newborn has as many as it has models."""
    return pd.DataFrame(row | {"path": np.array(PATHS, dtype=object)[row["path"]]})


def block(indices: NDArray[np.integer], row: dict[str, Any]) -> pd.DataFrame:
    """Return rows of one generation: (R,) or (R, Q) arrays, labels (Q,), or single values.

    Parameters
    ----------
    indices : (R,) int
        Of the replicates.
    row : dict
        Columns but `replicate`, which comes first.
    """
    replicates = indices.size
    inner = 1
    for value in row.values():
        if isinstance(value, np.ndarray) and value.ndim == 2:
            inner = value.shape[1]
    columns: dict[str, Any] = {"replicate": np.repeat(indices, inner)}
    for name, value in row.items():
        if isinstance(value, np.ndarray) and value.ndim == 2:
            columns[name] = np.ascontiguousarray(value).ravel()
        elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
            columns[name] = np.tile(np.array(value, dtype=object), replicates)
        elif isinstance(value, np.ndarray):
            columns[name] = np.repeat(value, inner)
        else:
            columns[name] = value
    return pd.DataFrame(columns)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give missing numbers a name: a float column with NaN becomes nullable.

    Which lives have which index of a trial, and which populations prefer anything that could be
    explained, differs between replicates: these columns are always nullable, so that a replicate
    has the same table alone and with others.
    """
    changes: dict[Any, str] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object:
            changes[name] = "str"
        elif column.dtype == np.float64 and (
            column.isna().any() or name.startswith(("trial.", "explained."))
        ):
            changes[name] = "Float64"
    return frame.astype(changes)
