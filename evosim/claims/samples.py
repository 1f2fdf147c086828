"""The values that a claim is judged on, per cell and paired by replicate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evosim.claims.indexed import index_tables
from evosim.claims.measures import differing, measure_frame, times_frame
from evosim.claims.names import Measured
from evosim.claims.races import apart
from evosim.scenario.study_parts import Claim

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Values of several cells, for the replicates that have all of them.

    Attributes
    ----------
    data : float array [n, cells]
        One column per label asked for.
    missing : str
        What is missing and why; empty if every replicate has all its values.
    """

    data: Array
    missing: str


def draw_sample(
    claim: Claim,
    measured: Measured,
    tables: Any,
    labels: Sequence[str],
    generations: int | None = None,
) -> Sample:
    """Read the claim's measure in some cells.

    Parameters
    ----------
    claim : Claim
        Gives statistic and time.
    measured : Measured
        Its measure, taken apart.
    tables : object
        The tables of a run.
    labels : sequence of str
        Cells, each a column of the result.
    generations : int, optional
        Generations of the run.

    Returns
    -------
    Sample
        Replicates that lack a value in any cell are left out of `data` and named in `missing`,
        which leaves the claim undecided.
    """
    frames = [
        measure_frame(
            tables,
            measured,
            claim.at,
            claim.statistic,
            reaches=claim.reaches,
            generations=generations,
            arms=[label],
        )
        for label in labels
    ]
    return _paired(frames, labels)


def draw_differing(
    claim: Claim,
    measured: Measured,
    tables: Any,
    labels: tuple[str, str],
    generations: int | None = None,
) -> Sample:
    """Read in which replicates two cells differ in any bit; one column of zeros and ones."""
    frame = differing(tables, measured, claim.at, labels, generations)
    return _paired([frame], labels[:1])


def draw_apart(
    claim: Claim,
    measured: Measured,
    tables: Any,
    labels: tuple[str, str, str],
    generations: int | None = None,
) -> Sample:
    """Read who is first in one cell, and who would be between two cells with an event each.

    Parameters
    ----------
    claim, measured, tables, generations
        As for `draw_sample`; the measure has a `before`.
    labels : (str, str, str)
        Where both events can happen; where only the first can; where only the second can.

    Returns
    -------
    Sample
        Two columns: 1 or 0, and the component of `evosim.claims.races.apart`.
    """
    assert measured.before is not None
    indexed = index_tables(tables)
    both = measure_frame(indexed, measured, claim.at, generations=generations, arms=labels[:1])
    one = times_frame(indexed, measured, claim.at, labels[1], generations)
    two = times_frame(indexed, measured.before, claim.at, labels[2], generations)
    found = _paired([both, one, two], labels)
    if len(found.data) < 2:
        return Sample(found.data[:, :2], found.missing or "a race between arms needs 2 replicates")
    expected = apart(found.data[:, 1], found.data[:, 2])
    return Sample(np.column_stack([found.data[:, 0], expected]), found.missing)


def _paired(frames: Sequence[pd.DataFrame], labels: Sequence[str]) -> Sample:
    absent = [label for label, frame in zip(labels, frames, strict=True) if not len(frame)]
    if absent:
        names = ", ".join(f"'{label}'" for label in absent)
        return Sample(np.empty((0, len(labels))), f"the run has no rows of {names}")
    columns = [frame.set_index("replicate") for frame in frames]
    replicates = sorted(set().union(*(column.index for column in columns)))
    reasons: Counter[str] = Counter()
    parts = []
    for label, column in zip(labels, columns, strict=True):
        full = column.reindex(replicates)
        values = full["value"].to_numpy(np.float64)
        why = full["reason"].fillna("no such replicate")
        reasons.update(f"'{label}': {reason}" for reason in why[np.isnan(values)])
        parts.append(values)
    table = np.column_stack(parts)
    whole = ~np.isnan(table).any(axis=1)
    return Sample(np.ascontiguousarray(table[whole]), _described(reasons, len(replicates)))


def _described(reasons: Counter[str], total: int) -> str:
    most = 3
    parts = [f"{reason} ({n} of {total} replicates)" for reason, n in reasons.most_common(most)]
    if len(reasons) > most:
        parts.append(f"and {len(reasons) - most} more")
    return "missing: " + ", ".join(parts) if parts else ""
