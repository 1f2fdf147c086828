"""Verdicts on the claims of a scenario, from the tables of its run.

Each comparison becomes a region and an estimate with an interval over replicates: proportions
by Clopper-Pearson, means by t or BCa, differences and ratios paired by replicate (arms share
seeds), times by the order statistics of their median, grids by resampling whole replicates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from evosim.claims import estimates, grids, verdicts
from evosim.claims.arms import Cell, grid_line, over_grid, partner, single_cell
from evosim.claims.check import check_shape
from evosim.claims.estimates import Array, Estimate
from evosim.claims.indexed import index_tables
from evosim.claims.names import Measured, parse_measure, within_unit
from evosim.claims.regions import Region, region_of, region_text
from evosim.claims.samples import Sample, draw_apart, draw_differing, draw_sample
from evosim.claims.verdicts import Judgement, Verdict
from evosim.errors import UserError
from evosim.scenario.study_parts import Claim

#: Of every bootstrap: a verdict is a function of the tables alone.
SEED = 0


@dataclass(frozen=True)
class ClaimResult:
    """One row of the claims table.

    Attributes
    ----------
    claim : str
        The claim's text.
    index : int
        Its number in the file, from 0.
    arm, measure : str
        Label of the judged cell (or arm, along a grid), and the measure.
    estimate, low, high : float
        NaN where there is none or it is infinite; the note says which.
    confidence : float
        Two-sided.
    method : str
        How the interval was made, and from how many replicates.
    verdict : {"holds", "fails", "undecided"}
    region : str
        The stated comparison in words.
    more_replicates : int or None
        How many more would decide if the estimate stayed; None where none would, or where
        nothing is missing.
    note : str
    refuted : str
        The reason that the file gives for a refuted prediction, else empty.
    systems : str
        Catalogue entries, joined by commas.
    """

    claim: str
    index: int
    arm: str
    measure: str
    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    verdict: Verdict
    region: str
    more_replicates: int | None
    note: str
    refuted: str
    systems: str


COLUMNS = tuple(field.name for field in fields(ClaimResult))
_DTYPES = {
    "index": "int64",
    "estimate": "float64",
    "low": "float64",
    "high": "float64",
    "confidence": "float64",
    "more_replicates": "Int64",
}


def judge_all(
    claims: Sequence[Claim],
    tables: Any,
    cells: Sequence[Cell],
    generations: int | None = None,
    *,
    systems: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Judge every claim; one that cannot be read stays undecided, with the reason.

    Parameters
    ----------
    claims : sequence of Claim
        In the file's order.
    tables : object
        With DataFrames `trajectory`, `contexts`, `assays`, `ledger`, `scores` as attributes.
    cells : sequence of cells
        With `label`, `arm` and `cell`; a `model` tells probabilities from payoffs.
    generations : int, optional
        Last generation of the run; default: the last one in the trajectory.
    systems : sequence of str, optional
        Catalogue entries of the file; default: those of the cells' model.

    Returns
    -------
    DataFrame
        One row per claim with the fields of `ClaimResult` as columns.
    """
    tables = index_tables(tables)
    results = []
    for index, claim in enumerate(claims):
        try:
            found = judge(claim, tables, cells, generations, index=index, systems=systems)
        except UserError as error:
            found = _undecided(claim, cells, index, systems, error.message)
        results.append(found)
    frame = pd.DataFrame([asdict(result) for result in results], columns=list(COLUMNS))
    texts = {column: "str" for column in COLUMNS if column not in _DTYPES}
    return frame.astype({**texts, **_DTYPES})


def strict_failures(frame: pd.DataFrame) -> int:
    """Count the claims that fail without a stated reason.

    Parameters
    ----------
    frame : DataFrame
        Of `judge_all`.
    """
    unexplained = frame["refuted"].fillna("") == ""
    return int(((frame["verdict"] == "fails") & unexplained).sum())


def judge(
    claim: Claim,
    tables: Any,
    cells: Sequence[Cell],
    generations: int | None = None,
    *,
    index: int = 0,
    systems: Sequence[str] | None = None,
) -> ClaimResult:
    """Judge one claim on the tables of a run.

    Parameters
    ----------
    claim : Claim
        The claim.
    tables, cells, generations, systems
        As in `judge_all`.
    index : int
        Number of the claim in the file.

    Returns
    -------
    ClaimResult
        Undecided, with a note, where data are missing: an arm that was not run, a replicate
        that died out, a generation that was not recorded.

    Raises
    ------
    UserError
        If the measure is unknown or parts of the claim do not go together.
    """
    key = f"claim.{index}"
    tables = index_tables(tables)
    measured = parse_measure(claim.measure, tables.names, f"{key}.measure")
    check_shape(claim, measured, key)
    blank = _undecided(claim, cells, index, systems, "")
    try:
        question = _Question(claim, measured, tables, cells, generations)
        arm = question.arm
    except UserError as error:
        return replace(blank, note=error.message)
    with np.errstate(all="ignore"):  # what overflows is caught as not finite, below
        steps = [(region, _finite(found)) for region, found in question.steps()]
        judgement = verdicts.decide_all(steps)
    return _row(replace(blank, arm=arm), claim, steps, judgement)


class _Question:
    """A claim, the cells it is about, and what the tables say of them."""

    def __init__(
        self,
        claim: Claim,
        measured: Measured,
        tables: Any,
        cells: Sequence[Cell],
        generations: int | None,
    ) -> None:
        self.claim, self.measured = claim, measured
        self.tables, self.generations = tables, generations
        if over_grid(claim):
            points = grid_line(claim, cells)
            self.points = np.array([value for value, _ in points])
            judged = [cell for _, cell in points]
            self.arm = judged[0].arm
        else:
            judged = [single_cell(claim, cells)]
            self.arm = judged[0].label
        self.labels = [cell.label for cell in judged]
        other = claim.minus or claim.over
        self.others = [partner(other, cell, cells).label for cell in judged] if other else []
        self.apart = [partner(name, judged[0], cells).label for name in claim.apart or ()]
        model = getattr(judged[0], "model", None)
        self.unit = claim.statistic == "value" and within_unit(measured, model)

    def steps(self) -> list[tuple[Region, Estimate]]:
        """Return the regions and estimates; along a grid `monotone` has several."""
        sample = self._sample()
        if not len(sample.data):
            return [(region_of(self.claim), estimates.unknown(sample.missing or "no replicates"))]
        found = self._grid(sample) if over_grid(self.claim) else [self._single(sample)]
        if sample.missing:
            found = [estimates.with_problem(estimate, sample.missing) for estimate in found]
        return [(region_of(self.claim), estimate) for estimate in found]

    def _sample(self) -> Sample:
        if self.measured.differs:
            pair = (self.labels[0], self.others[0])
            return draw_differing(self.claim, self.measured, self.tables, pair, self.generations)
        if self.apart:
            three = (self.labels[0], self.apart[0], self.apart[1])
            return draw_apart(self.claim, self.measured, self.tables, three, self.generations)
        labels = [*self.labels, *self.others]
        return draw_sample(self.claim, self.measured, self.tables, labels, self.generations)

    def _single(self, sample: Sample) -> Estimate:
        claim, confidence = self.claim, self.claim.confidence
        x = sample.data[:, 0]
        if claim.statistic == "time":
            return self._median(sample)
        if self.apart:
            return _mean(x - sample.data[:, 1], confidence, claim.interval, unit=False)
        if self.measured.differs or not self.others:
            return _mean(x, confidence, claim.interval, unit=self.unit)
        y = sample.data[:, 1]
        if claim.over is not None:
            return estimates.of_ratio(x, y, confidence, SEED)
        return grids.of_difference(x, y, confidence, claim.interval, unit=self.unit, seed=SEED)

    def _median(self, sample: Sample) -> Estimate:
        x = sample.data[:, 0]
        never = int(np.isinf(x).sum())
        if self.others:
            y = sample.data[:, 1]
            x = x - y if self.claim.minus is not None else x / y
            if np.isnan(x).any():
                return estimates.unknown("replicates never reach it in both arms", x.size)
        found = estimates.of_median(x, self.claim.confidence)
        note = f"{never} of {x.size} replicates never reach it and count as later than all others"
        return replace(found, note=note) if never else found

    def _grid(self, sample: Sample) -> list[Estimate]:
        claim, size = self.claim, len(self.labels)
        values = sample.data[:, :size]
        if self.others:
            values = values - sample.data[:, size:]
        if not np.isfinite(values).all():
            return [estimates.unknown("some replicates never reach it", len(values))]
        how = "bca" if claim.interval == "bca" else "t"
        if claim.crosses is not None:
            crossing = claim.crosses.value
            return [grids.of_crossing(self.points, values, crossing, claim.confidence, SEED)]
        if claim.trend is not None:
            return [grids.of_trend(self.points, values, claim.confidence, how, SEED)]
        unit = self.unit and not self.others
        return grids.of_steps(values, claim.confidence, claim.interval, unit=unit, seed=SEED)


def _mean(x: Array, confidence: float, interval: str, *, unit: bool) -> Estimate:
    binary = estimates.is_binary(x)
    if interval == "exact" and not binary:
        return estimates.unknown("an exact interval needs values 0 and 1 only", x.size)
    if interval == "exact" or (interval == "auto" and unit and binary):
        return estimates.of_proportion(x, confidence)
    return estimates.of_mean(x, confidence, "bca" if interval == "bca" else "t", seed=SEED)


def _finite(found: Estimate) -> Estimate:
    """Return the estimate, undecided if a number in it is not one."""
    numbers = [found.value, *(found.interval or ())]
    if found.n and not found.problem and any(math.isnan(number) for number in numbers):
        return estimates.unknown("the values are too large to compute with", found.n)
    return found


def _undecided(
    claim: Claim, cells: Sequence[Cell], index: int, systems: Sequence[str] | None, note: str
) -> ClaimResult:
    if systems is None:
        models = (getattr(cell, "model", None) for cell in cells)
        systems = next((model.systems for model in models if model is not None), ())
    return ClaimResult(
        claim=claim.says,
        index=index,
        arm=claim.arm or "",
        measure=claim.measure,
        estimate=math.nan,
        low=math.nan,
        high=math.nan,
        confidence=claim.confidence,
        method="",
        verdict="undecided",
        region=region_text(claim),
        more_replicates=None,
        note=note,
        refuted=claim.refuted or "",
        systems=", ".join(systems),
    )


def _row(
    blank: ClaimResult,
    claim: Claim,
    steps: Sequence[tuple[Region, Estimate]],
    judgement: Judgement,
) -> ClaimResult:
    fails = judgement.verdict == "fails"
    worst = min(steps, key=lambda step: _support(*step, fails=fails))[1]
    low, high = worst.interval or (math.nan, math.nan)
    notes = [judgement.note]
    if judgement.verdict == "holds" and claim.refuted:
        notes.append("holds, though the file calls it refuted")
    if len(steps) > 1:
        notes.append(f"shown is the least of {len(steps)} steps")
    notes += [
        f"the {name} is {'+' if x > 0 else '-'}infinite"
        for name, x in (("estimate", worst.value), ("lower limit", low), ("upper limit", high))
        if math.isinf(x)
    ]
    return replace(
        blank,
        estimate=_shown(worst.value),
        low=_shown(low),
        high=_shown(high),
        method=f"{worst.method}, n = {worst.n}" if worst.method else "",
        verdict=judgement.verdict,
        more_replicates=judgement.more,
        note="; ".join(note for note in notes if note),
    )


def _support(region: Region, estimate: Estimate, *, fails: bool) -> float:
    """Return how far a step goes the stated way: of several, the table shows the least.

    Where the claim fails, the end nearest to the region counts, else the farthest.
    """
    if estimate.interval is None:
        return -math.inf
    low, high = estimate.interval
    if region.low == -math.inf:
        low, high = -high, -low
    return high if fails else low


def _shown(x: float) -> float:
    return x if math.isfinite(x) else math.nan
