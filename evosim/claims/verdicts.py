"""Regions, verdicts and how many more replicates would decide.

A claim holds if the whole interval lies inside the stated region, fails if it lies wholly
outside, and is undecided otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evosim.claims.estimates import Estimate
from evosim.claims.intervals import Interval, replicates_needed
from evosim.claims.regions import Region

Verdict = Literal["holds", "fails", "undecided"]

#: Fewer replicates than this decide nothing.
FEWEST = 5


@dataclass(frozen=True)
class Judgement:
    """A verdict, what more would decide it, and remarks."""

    verdict: Verdict
    more: int | None = None
    note: str = ""


def decide(region: Region, estimate: Estimate) -> Judgement:
    """Judge one estimate against one region.

    Parameters
    ----------
    region : Region
        What is stated.
    estimate : Estimate
        What was found.

    Returns
    -------
    Judgement
        With `more` where the claim is undecided and more replicates would help.
    """
    return decide_all([(region, estimate)])


def decide_all(steps: Sequence[tuple[Region, Estimate]]) -> Judgement:
    """Judge a claim that several estimates lie in their regions, each with its own interval.

    It holds if every interval lies inside, fails if any lies wholly outside.

    Parameters
    ----------
    steps : sequence of (Region, Estimate)
        At least one; the estimates' intervals carry the correction for their number.

    Returns
    -------
    Judgement
    """
    notes = dict.fromkeys(e.note for _, e in steps if e.note)
    problems = dict.fromkeys(e.problem for _, e in steps if e.problem)
    n = min(e.n for _, e in steps)
    if 0 < n < FEWEST:
        few = f"{n} replicate{'' if n == 1 else 's'}: fewer than {FEWEST} decide nothing"
        more = None if problems else max(_more(steps, n) or 0, FEWEST - n)
        return Judgement("undecided", more, _join(few, *problems, *notes))
    if problems or any(e.interval is None for _, e in steps):
        return Judgement("undecided", None, _join(*problems, *notes))
    verdict = _verdict([(region, e.interval) for region, e in steps if e.interval is not None])
    if verdict != "undecided":
        return Judgement(verdict, None, _join(*notes))
    more = _more(steps, n)
    near = "the estimate lies too near the border for more replicates to decide"
    return Judgement("undecided", more, _join(*notes, "" if more else near))


def _verdict(steps: Sequence[tuple[Region, Interval]]) -> Verdict:
    if any(math.isnan(limit) for _, interval in steps for limit in interval):
        raise ValueError("an interval has no limits")
    if any(region.excludes(interval) for region, interval in steps):
        return "fails"
    return "holds" if all(region.contains(interval) for region, interval in steps) else "undecided"


def _more(steps: Sequence[tuple[Region, Estimate]], n: int) -> int | None:
    plans = [(region, e.planned) for region, e in steps if e.planned is not None]
    if len(plans) < len(steps):
        return None

    def decides(size: int) -> bool:
        if size < FEWEST:
            return False
        return _verdict([(region, plan(size)) for region, plan in plans]) != "undecided"

    needed = replicates_needed(decides, n)
    return None if needed is None else needed - n


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
