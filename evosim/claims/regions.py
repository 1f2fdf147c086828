"""The region that a claim states, as numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evosim.claims.intervals import Interval
from evosim.scenario.study_parts import Claim


@dataclass(frozen=True)
class Region:
    """What a claim says of a number: between `low` and `high`.

    Attributes
    ----------
    low, high : float
        Borders, -inf or inf where there is none.
    closed : bool
        Whether the borders belong to it.
    """

    low: float
    high: float
    closed: bool = True

    def contains(self, interval: Interval) -> bool:
        """Tell whether the whole interval lies inside."""
        return self._above(interval.low) and self._below(interval.high)

    def excludes(self, interval: Interval) -> bool:
        """Tell whether the whole interval lies outside, on one side."""
        return not self._above(interval.high) or not self._below(interval.low)

    def _above(self, x: float) -> bool:
        return self.low == -math.inf or x > self.low or (self.closed and x == self.low)

    def _below(self, x: float) -> bool:
        return self.high == math.inf or x < self.high or (self.closed and x == self.high)


def region_of(claim: Claim) -> Region:
    """Return where the claim says the number lies."""
    if claim.above is not None:
        return Region(claim.above, math.inf, closed=False)
    if claim.below is not None:
        return Region(-math.inf, claim.below, closed=False)
    if claim.equals is not None:
        margin = claim.margin or 0.0
        return Region(claim.equals - margin, claim.equals + margin)
    between = claim.crosses.between if claim.crosses is not None else claim.between
    if between is not None:
        return Region(between[0], between[1])
    border = claim.margin or 0.0
    if "increasing" in (claim.trend, claim.monotone):
        return Region(-border, math.inf, closed=border > 0)
    return Region(-math.inf, border, closed=border > 0)


def region_text(claim: Claim) -> str:
    """Return the stated comparison in words, e.g. ``difference from 'control' > 0``."""
    if claim.crosses is not None:
        low, high = claim.crosses.between
        text = f"crosses {claim.crosses.value:g} within [{low:g}, {high:g}]"
    elif claim.trend is not None:
        text = f"trend {claim.trend}"
    elif claim.monotone is not None:
        within = f" within {claim.margin:g}" if claim.margin else ""
        text = f"every step {claim.monotone}{within}"
    elif claim.above is not None:
        text = f"> {claim.above:g}"
    elif claim.below is not None:
        text = f"< {claim.below:g}"
    elif claim.equals is not None:
        text = f"{claim.equals:g} ± {claim.margin:g}"
    else:
        low, high = claim.between or (-math.inf, math.inf)
        text = f"in [{low:g}, {high:g}]"
    return " ".join((*_subject(claim), text))


def _subject(claim: Claim) -> list[str]:
    words = []
    if claim.statistic == "time":
        words.append(f"median time to reach {claim.reaches:g}")
    elif claim.statistic != "value":
        words.append(claim.statistic)
    if claim.minus is not None:
        words.append(f"difference from '{claim.minus}'")
    if claim.over is not None:
        words.append(f"ratio to '{claim.over}'")
    return [", ".join(words)] if words else []
