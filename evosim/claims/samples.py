"""The values that a claim is judged on, per cell and paired by replicate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evosim.claims.measures import differing, measure_frame
from evosim.claims.names import Measured
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
