"""Goal misgeneralization by selection: who goes to the coin, when, and what was selected.

Usage: python analysis/coinrun.py [RESULTS_DIR] [--out FILE]

Reads only the tables of a finished run of scenarios/coinrun.toml. Top: the share of those that
get out of the pit and go to a visible coin on the left, against how often the coin lay left in
training (rho), early and at the end, for several visibilities v of the coin; early theory puts the
turning point at (1 - v)/2. Beside it, competence. Middle: the same share, and the two weights that
could carry it, over time. Bottom: the ledger, what was selected where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from evosim.plots.assays import draw_points
from evosim.plots.bands import band
from evosim.plots.layout import Legend, page
from evosim.plots.ledger import heat_tables, plot_heat
from evosim.plots.script import need, run_script
from evosim.plots.style import Look, bounded, category, control, sequence, wrap
from evosim.plots.trajectories import plot_measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.results import Run
    from evosim.scenario import ArmCell

REACHES = "reaches a visible left coin"
PASSES = "runs right past it"
JUMPS = "jumps out of the pit"
COIN, RARE = "coin", "coin left"
SHARE = "goes to the coin, of those that leave the pit"
UNIT = (0.0, 1.0)


@dataclass(frozen=True)
class Cell:
    """An arm cell by its two parameters."""

    label: str
    rho: float
    v: float
    control: bool


def parameters(cell: ArmCell) -> Cell:
    """Read rho and v off the model of an arm cell."""
    rho = next(c.frequency for c in cell.model.context if c.name == RARE)
    cue = cell.model.cues[COIN]
    v = 1.0 if isinstance(cue, int | float) else cue.visible
    return Cell(cell.label, float(rho), float(v), cell.control)


def shares(run: Run) -> pd.DataFrame:
    """Return, by arm, replicate and generation, the share that goes to the coin."""
    keys = ["arm", "replicate", "generation"]
    both = [
        run.assays[(run.assays["assay"] == name).to_numpy()].set_index(keys)["value"]
        for name in (REACHES, PASSES)
    ]
    return (both[0] / (both[0] + both[1])).rename("value").dropna().reset_index()


def early_generation(run: Run, measured: Sequence[int]) -> int:
    """Return the first generation that a claim names, or one tenth into the run."""
    named = [c.at.generation for c in run.scenario.model.claim if c.at is not None]
    named = [g for g in named if g in measured and g not in (None, 0)]
    tenth = max(measured) / 10
    return min(named) if named else min(measured, key=lambda g: abs(g - tenth))


def comparable(run: Run) -> list[Cell]:
    """Return the cells in which only rho, v and (of controls) cues differ, each pair once.

    Arms in another world, such as levels short of time, would not lie on the same curve.
    """
    arms = run.scenario.arms()
    cells: dict[object, Cell] = {}
    for arm in arms:
        cell = parameters(arm)
        if arm.model.world == arms[0].model.world:
            key = cell.label if cell.control else (cell.rho, cell.v)
            cells.setdefault(key, cell)
    return list(cells.values())


def v_looks(cells: Sequence[Cell]) -> dict[float, Look]:
    """Return a look per visibility; the shades of the other palette stand for rho."""
    vs = sorted({cell.v for cell in cells if not cell.control})
    return {v: replace(category(i), marker=category(i).marker or "o") for i, v in enumerate(vs)}


def against_rho(
    ax: Axes, data: pd.DataFrame, cells: Sequence[Cell], looks: dict[float, Look]
) -> None:
    """Draw a measure of one generation against rho, a line per visibility."""
    for v, look in looks.items():
        rho = {cell.label: cell.rho for cell in cells if cell.v == v and not cell.control}
        rows = data[data["arm"].isin(list(rho)).to_numpy()]
        found = band(rows.assign(rho=[rho[arm] for arm in rows["arm"]]), "value", x="rho")
        if found is not None:
            draw_points(ax, found, look, dots=False)
    for i, cell in enumerate(c for c in cells if c.control):
        rows = data[(data["arm"] == cell.label).to_numpy()]
        found = band(rows.assign(rho=cell.rho), "value", x="rho")
        if found is not None:
            draw_points(ax, found, control(i), dots=False)
    bounded(ax, UNIT)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("left coins in training, rho")


def thresholds(ax: Axes, looks: dict[float, Look]) -> None:
    """Draw (1 - v)/2 for every visibility, and one half."""
    for v, look in looks.items():
        style = {"color": look.color, "linewidth": 1.0, "zorder": 0}
        ax.axvline((1 - v) / 2, linestyle=(0, (1, 1.5)), **style)
    ax.axhline(0.5, color="0.5", linewidth=0.8, dashes=(2, 2), zorder=0)


def contrast(trajectory: pd.DataFrame, cue: str) -> pd.DataFrame:
    """Return the weight of a cue for going right over going left."""
    weight = trajectory[f"policy[right,{cue}]"] - trajectory[f"policy[left,{cue}]"]
    data = trajectory[["arm", "replicate", "generation"]].assign(value=weight)
    return data[data["value"].notna().to_numpy()]


def draw(run: Run) -> Figure:
    """Return the figure of a run of the coin scenario."""
    names = set(run.assays["assay"].unique())
    for name in (REACHES, PASSES, JUMPS):
        need(name in names, f"an assay '{name}'", run)
    cells = [cell for cell in comparable(run) if (run.assays["arm"] == cell.label).any()]
    looks = v_looks(cells)
    need(bool(looks), "an arm that is not a control", run)
    data = shares(run)
    measured = sorted({int(g) for g in data["generation"]})
    early, last = early_generation(run, measured), measured[-1]
    common = middle_v(cells)
    over_rho = rho_looks(cells, common)
    legend = _legend(looks, over_rho, common, cells)
    figure, panels = page(
        run.scenario.model.title, [3.3] * 3, [2.2, 2.0, 2.4], [legend], note=_NOTE
    )
    for ax, at in zip(panels[0], (early, last), strict=False):
        against_rho(ax, data[(data["generation"] == at).to_numpy()], cells, looks)
        ax.set_title(f"generation {at}")
        ax.set_ylabel(wrap(SHARE, 28))
    thresholds(panels[0, 0], looks)
    _competence(panels[0, 2], run, cells, looks, last)
    _over_time(panels[1], run, data, over_rho, f"v = {common:g}")
    rho = _rho_of(cells)
    _ledger(
        panels[2],
        run,
        {label: f"selected, rho = {rho[label]:g}" for label in over_rho if label in rho},
    )
    for letter, ax in zip("abcdefghi", figure.axes[1:], strict=False):
        ax.set_title(f"{letter}   {ax.get_title(loc='left')}")
    return figure


_NOTE = (
    "Means over replicates with 95% bootstrap intervals. Upright dotted lines: early theory, "
    "(1 - v)/2. Bias: the cue that is always 1. Maps: cumulative selection on policy logits at "
    "the end; red was selected for, blue against, white neither."
)


def _rho_of(cells: Sequence[Cell]) -> dict[str, float]:
    return {cell.label: cell.rho for cell in cells if not cell.control}


def middle_v(cells: Sequence[Cell]) -> float:
    """Return the visibility with most values of rho, whose course over time is drawn."""
    vs = [cell.v for cell in cells if not cell.control]
    return max(dict.fromkeys(vs), key=vs.count)


def rho_looks(cells: Sequence[Cell], v: float) -> dict[str, Look]:
    """Return looks of that visibility's cells by rho, then of the controls."""
    own = sorted((c for c in cells if c.v == v and not c.control), key=lambda c: c.rho)
    looks = dict(zip((c.label for c in own), sequence(len(own)), strict=True))
    return looks | {c.label: control(i) for i, c in enumerate(c for c in cells if c.control)}


def _legend(
    looks: dict[float, Look], over_rho: dict[str, Look], v: float, cells: Sequence[Cell]
) -> Legend:
    rho = _rho_of(cells)
    handles = [look.handle() for look in (*looks.values(), *over_rho.values())]
    labels = [f"coin visible: v = {at:g}" for at in looks]
    labels += [f"rho = {rho[c]:g} (v = {v:g})" if c in rho else wrap(c, 30) for c in over_rho]
    return Legend("", handles, labels)


def _competence(
    ax: Axes, run: Run, cells: Sequence[Cell], looks: dict[float, Look], last: int
) -> None:
    rows = run.assays[
        ((run.assays["assay"] == JUMPS) & (run.assays["generation"] == last)).to_numpy()
    ]
    against_rho(ax, rows[rows["value"].notna().to_numpy()], cells, looks)
    ax.set_title(f"competence, generation {last}")
    ax.set_ylabel("P(jump) in the pit")


def _over_time(
    axes: Sequence[Axes], run: Run, data: pd.DataFrame, looks: dict[str, Look], title: str
) -> None:
    plot_measure(data, ax=axes[0], looks=looks, bounds=UNIT)
    axes[0].set_ylabel(wrap(SHARE, 28))
    axes[0].set_title(title)
    for ax, cue, name in zip(axes[1:], (COIN, "bias"), ("coin's side", "bias"), strict=True):
        plot_measure(contrast(run.trajectory, cue), ax=ax, looks=looks)
        ax.axhline(0.0, color="0.5", linewidth=0.8, zorder=0)
        ax.set_ylabel("weight, right over left")
        ax.set_title(f"{name}, {title}")
    ends = [ax.get_ylim() for ax in axes[1:]]
    for ax in axes[1:]:
        ax.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))


def _ledger(axes: Sequence[Axes], run: Run, titles: dict[str, str]) -> None:
    """Draw the ledger of the first, the middle and the last cell."""
    labels = list(titles)
    chosen = list(dict.fromkeys(labels[i] for i in (0, len(labels) // 2, -1)))
    logits = run.ledger[(run.ledger["kind"] == "logit").to_numpy()]
    tables = [
        heat_tables(rows)[0]
        for label in chosen
        if len(rows := logits[(logits["arm"] == label).to_numpy()])
    ]
    reach = max((float(np.nanmax(np.abs(table.cells))) for table in tables), default=1.0)
    for ax in axes[len(tables) :]:
        ax.remove()
    for ax, table, label in zip(axes, tables, chosen, strict=False):
        plot_heat(table, ax=ax, reach=reach, label_width=14)
        ax.set_title(titles[label])


if __name__ == "__main__":
    raise SystemExit(run_script("coinrun", str(__doc__), draw))
