"""Who locks in: the share of populations against how often the better way was tried with success.

Usage: python analysis/steering.py [RESULTS_DIR] [--out FILE]

Reads only the tables of scenarios/steering.toml. A point per arm: the share of its populations in
which Chinese users end up being served in English, over the successful trials of the better engine
that a population made before that (or until the end); hollow: controls. The line is the Poisson
prediction of catalogue entry S54, P(lock) = exp(-sum of successful trials): as if one success were
enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from evosim.plots.layout import Legend, page
from evosim.plots.script import need, run_script
from evosim.plots.style import wrap
from evosim.spectrum import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.results import Run

#: A population is locked in where this is above that.
LOCKED, ABOVE = "assay.searched in English", 0.8
#: Trials of the better engine, and how often one succeeds, as its model has it.
TRIALS, SUCCESS = "total.Chinese B", "model.Chinese B"
#: Points closer than this (in powers of ten, in share) have labels on different sides.
NEAR = (0.9, 0.03)


@dataclass(frozen=True)
class Point:
    """One arm.

    Attributes
    ----------
    arm : str
    control : bool
    trials : float
        Successful ones until the lock, median over populations.
    low, high : float
        Quartiles.
    locked, populations : int
    """

    arm: str
    control: bool
    trials: float
    low: float
    high: float
    locked: int
    populations: int


def points(run: Run) -> list[Point]:
    """Return the arms whose reward model tells the better engine apart."""
    need(TRIALS in run.trajectory, f"a column '{TRIALS}'", run)
    found = []
    for cell in run.scenario.arms():
        rows = run.trajectory[(run.trajectory["arm"] == cell.label).to_numpy()]
        if rows[TRIALS].isna().all():
            continue
        made, locked = [], 0
        for _, own in rows.sort_values("generation").groupby("replicate"):
            served = own[LOCKED].to_numpy(np.float64) > ABOVE
            until = int(np.argmax(served)) if served.any() else len(own) - 1
            made.append(float((own[TRIALS] * own[SUCCESS]).iloc[until]))
            locked += bool(served[-1])
        low, middle, high = np.quantile(made, (0.25, 0.5, 0.75))
        found.append(Point(cell.label, cell.control, middle, low, high, locked, len(made)))
    return found


def leftmost(found: list[Point], i: int) -> bool:
    """Whether a point has its label on the left: others stand as high, to its right."""
    level = [found[j] for j in range(len(found)) if j != i and _near(found[i], found[j])]
    return bool(level) and all(found[i].trials < other.trials for other in level)


def _near(one: Point, other: Point) -> bool:
    high = abs(one.locked / one.populations - other.locked / other.populations) < NEAR[1]
    return high and abs(np.log10(one.trials / other.trials)) < NEAR[0]


def draw_points(ax: Axes, found: list[Point]) -> None:
    """Draw the arms, and name those that are no controls."""
    for point in found:
        share = point.locked / point.populations
        colour = "0.55" if point.control else "0.15"
        low, high = wilson(point.locked, point.populations)
        ax.vlines(point.trials, low, high, color=colour, linewidth=1.0)
        ax.hlines(share, point.low, point.high, color=colour, linewidth=1.0)
        ax.scatter(
            [point.trials], [share], s=34, zorder=2, clip_on=False, edgecolor=colour,
            facecolor="white" if point.control else colour, linewidth=1.0,
        )  # fmt: skip
    named = [point for point in found if not point.control]
    for i, point in enumerate(named):
        left = leftmost(named, i)
        ax.annotate(
            wrap(point.arm, 40), (point.trials, point.locked / point.populations),
            (-6 if left else 6, 5), textcoords="offset points", fontsize=7,
            ha="right" if left else "left", va="bottom",
        )  # fmt: skip


def draw(run: Run) -> Figure:
    """Return the figure of a run."""
    found = points(run)
    handles = [
        Line2D([], [], color="0.15", linewidth=1.4),
        Line2D([], [], linestyle="", marker="o", color="0.15"),
        Line2D([], [], linestyle="", marker="o", color="0.55", markerfacecolor="white"),
    ]
    legend = Legend("", handles, ["exp(-successful trials), predicted", "arm", "control"])
    figure, panels = page(run.scenario.model.title, [6.2], [3.6], [legend], note=_NOTE)
    ax = panels[0, 0]
    x = np.geomspace(0.03, max(point.high for point in found) * 1.5, 400)
    ax.plot(x, np.exp(-x), color="0.15", linewidth=1.4, zorder=1)
    draw_points(ax, found)
    ax.set_xscale("log")
    ax.set_ylim(-0.04, 1.09)
    ax.set_xlabel("successful trials of the better engine, before the lock or to the end")
    ax.set_ylabel("populations locked in (share)")
    return figure


_NOTE = (
    "Trials: median over populations, flat bars from quartile to quartile; upright bars: Wilson "
    "95% intervals over populations. Without the lock trials go on to the end, so that arms in "
    "which nobody locks in stand far to the right."
)

if __name__ == "__main__":
    raise SystemExit(run_script("steering", str(__doc__), draw))
