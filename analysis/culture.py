"""What a cultural channel does to the slope: saturated, unbounded, used up, and evolved.

Usage: python analysis/culture.py [RESULTS_DIR] [--out FILE]

Reads only the tables of finished runs of scenarios/saturated.toml, unbounded.toml, overhang.toml
and left_turn.toml, side by side in RESULTS_DIR. Top: all information at death and genetic
information, for saturated channels (a constant) and unbounded ones (another slope), with fitted
slopes; the slope against fidelity times models, with the prediction and the threshold at 1. Bottom:
information before and after a channel opens, its speed, and the fidelity that evolves from several
starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evosim.oracles import finite_pool_stock, unbounded_slope
from evosim.plots.assays import draw_points
from evosim.plots.bands import band, pivot
from evosim.plots.layout import page
from evosim.plots.script import find_run, need, run_script
from evosim.plots.style import Look, category, control, sequence
from evosim.plots.trajectories import draw_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.results import Run

GENES, DEATH, RECEIVED = "information.genetic", "information.death", "information.received"
_NOTE = (
    "Means over replicates with 95% bootstrap bands. Slopes: least squares over the second half, "
    "bits per generation. Thin dotted lines: genetic information (a, b), the predictions "
    "N L pi x* (c) and L (1 - L/M)^t (e), and f_c = 1 - b L/k (f). e: where "
    "the mean exceeds two standard errors. f: each replicate."
)


def rows(run: Run, arm: str, column: str) -> pd.DataFrame:
    """Return replicate, generation and value of a column of an arm."""
    table = run.trajectory
    need(column in table and (table["arm"] == arm).any(), f"'{column}' of an arm '{arm}'", run)
    part = table.loc[(table["arm"] == arm).to_numpy(), ["replicate", "generation", column]]
    return part.rename(columns={column: "value"})


def slopes(data: pd.DataFrame, first: float = 0.5) -> np.ndarray:
    """Return each replicate's slope per generation over the last part of the run."""
    late = data[(data["generation"] >= first * data["generation"].max()).to_numpy()]
    at, values = pivot(late, "generation", "value")
    return np.asarray(np.polyfit(at, values.T, 1)[0])


def lines(ax: Axes, run: Run, looks: Mapping[str, Look], headroom: float = 0.0) -> None:
    """Draw all information of several arms, with its slope, over genetic information.

    `headroom` is the part of the panel's height that is added for the legend.
    """
    for arm, look in looks.items():
        data = rows(run, arm, DEATH)
        found = band(data, "value")
        assert found is not None
        draw_band(ax, found, replace(look, marker=""))
        genes = band(rows(run, arm, GENES), "value")
        assert genes is not None
        ax.plot(genes.x, genes.mean, color=look.color, linewidth=0.8, linestyle=(0, (1, 1.5)))
        label = f"{arm}: {slopes(data).mean():+.2f}"
        ax.plot([], [], label=label, **replace(look, marker="").line())
    ax.set_ylabel("bits per agent at death")
    ax.set_xlabel("generation")
    low, high = ax.get_ylim()
    ax.set_ylim(top=high + headroom * (high - low))
    ax.legend(loc="upper left", fontsize=7)


def threshold(ax: Axes, run: Run) -> None:
    """Draw the slope of received information against fidelity times models."""
    measured = []
    for cell in run.scenario.arms():
        spec, knowledge = cell.model.channel, cell.model.knowledge
        if cell.control or spec is None or knowledge is None or knowledge.pool != "open":
            continue
        found = slopes(rows(run, cell.label, RECEIVED))
        measured += [
            {"nf": spec.models * spec.fidelity, "replicate": k, "value": v}
            for k, v in enumerate(found)
        ]
    found = band(pd.DataFrame(measured), "value", x="nf")
    assert found is not None
    model = run.scenario.model
    assert model.knowledge is not None
    assert model.channel is not None
    n = model.channel.models
    x = np.linspace(0.5, 2.0, 121)
    rate, agents = model.knowledge.learning, model.population.agents
    expected = [unbounded_slope(agents, rate, f / n, n) for f in x]
    ax.plot(x, expected, color="0.25", linewidth=1.0, linestyle=(0, (1, 1.5)), zorder=0)
    ax.axvline(1.0, color="0.5", linewidth=0.8, dashes=(2, 2), zorder=0)
    draw_points(ax, found, replace(category(0), marker="o"))
    ax.set_xlabel("fidelity times models, n f")
    ax.set_ylabel("received bits per generation")


def opening(ax: Axes, run: Run, looks: Mapping[str, Look], first: int) -> None:
    """Draw received information from shortly before the channel opens."""
    for arm, look in looks.items():
        data = rows(run, arm, RECEIVED)
        found = band(data[(data["generation"] >= first).to_numpy()], "value")
        assert found is not None
        draw_band(ax, found, replace(look, marker=""), clip_on=True)
        ax.plot([], [], label=arm, **replace(look, marker="").line())
    ax.set_ylim(-200, 2300)
    ax.set_xlabel("generation")
    ax.set_ylabel("bits received per agent")
    # Below the lines, where none of them comes: above, the pool without end crosses everything.
    ax.legend(loc="lower right", fontsize=7, ncols=2, columnspacing=1.0, handlelength=1.8)


def speed(ax: Axes, run: Run, looks: Mapping[str, Look], opened: int) -> None:
    """Draw how much is added per generation after the opening, on a logarithmic scale."""
    for arm, look in looks.items():
        at, values = pivot(rows(run, arm, RECEIVED), "generation", "value")
        gain = np.diff(values, axis=1)
        mean, error = gain.mean(axis=0), gain.std(axis=0, ddof=1) / np.sqrt(len(gain))
        keep = (at[1:] > opened) & (mean > 2.0 * error)
        ax.plot(at[1:], np.where(keep, mean, np.nan), color=look.color, linewidth=1.0)
    model = run.scenario.model
    assert model.knowledge is not None
    knowledge = model.knowledge
    items = knowledge.learnable or knowledge.items or 1
    stock = finite_pool_stock(items, knowledge.learning, model.population.generations - opened)
    t = np.arange(opened + 1, opened + stock.size)
    ax.plot(t, np.diff(stock), color="0.25", linewidth=1.2, linestyle=(0, (1, 1.5)))
    genes = float(slopes(rows(run, next(iter(looks)), GENES)).mean())
    ax.axhline(genes, color="0.5", linewidth=0.8, dashes=(2, 2))
    ax.text(opened + 2, genes * 0.72, "genes", fontsize=7, color="0.3", va="top")
    ax.set_yscale("log")
    ax.set_ylim(0.02, 400)
    ax.set_xlabel("generation")
    ax.set_ylabel("received bits added per generation")


def starts(ax: Axes, run: Run) -> None:
    """Draw the fidelity of every replicate, shaded by where its population started."""
    cells = {
        cell.label: float(cell.model.genome["fidelity"].initial.value)  # type: ignore[arg-type]
        for cell in run.scenario.arms()
        if cell.arm == "start"
    }
    need(bool(cells), "an arm 'start'", run)
    ordered = sorted(cells, key=cells.__getitem__)
    for label, look in zip(ordered, sequence(len(ordered)), strict=True):
        at, values = pivot(rows(run, label, "fidelity"), "generation", "value")
        ax.plot(at, values.T, color=look.color, linewidth=0.7)
        ax.plot([], [], color=look.color, label=f"from {cells[label]:g}")
    gene, knowledge = run.scenario.model.genome["fidelity"], run.scenario.model.knowledge
    assert knowledge is not None
    point = 1.0 - knowledge.payoff * knowledge.learning / gene.cost
    ax.axhline(point, color="0.25", linewidth=1.2, linestyle=(0, (1, 1.5)))
    ax.set_ylim(0, 1)
    ax.set_xlabel("generation")
    ax.set_ylabel("fidelity, mean of the population")
    # Between those that have turned and those that have not, after most of them have.
    ax.legend(
        loc="upper right",
        bbox_to_anchor=(1.0, 0.88),
        fontsize=6.5,
        ncols=2,
        columnspacing=0.8,
        handlelength=1.0,
    )


def looks_of(arms: Sequence[str], controls: Sequence[str] = ()) -> dict[str, Look]:
    """Return the looks of arms and of controls."""
    looks = {arm: category(k) for k, arm in enumerate(arms)}
    return looks | {arm: control(k) for k, arm in enumerate(controls)}


def draw(saturated: Run) -> Figure:
    """Return the figure of the runs beside that of the saturated channels."""
    assert saturated.path is not None
    beside = saturated.path.parent
    unbounded, overhang, turn = (
        find_run(beside, name) for name in ("unbounded", "overhang", "left_turn")
    )
    figure, panels = page("What a cultural channel does to the slope", [3.7] * 3, [2.9, 2.9], [],
                          note=_NOTE)  # fmt: skip
    ax = panels[0, 0]
    arms = looks_of(["saturated", "narrow channel", "learning only"], ["genes only"])
    lines(ax, saturated, arms, headroom=0.25)
    ax.set_title("a   saturated: a constant")
    lines(
        panels[0, 1],
        unbounded,
        looks_of(["perfect copying", "two models"], ["imperfect copying", "genes only"]),
    )
    panels[0, 1].set_title("b   unbounded: a slope")
    threshold(panels[0, 2], unbounded)
    panels[0, 2].set_title("c   the threshold")
    opened = next(c.at for c in overhang.scenario.model.intervention)
    shown = looks_of(["opening", "shared", "larger pool later", "leak closed later"], ["no end"])
    opening(panels[1, 0], overhang, shown, opened - 10)
    panels[1, 0].set_title("d   an overhang is used up")
    speed(panels[1, 1], overhang, shown, opened)
    panels[1, 1].set_title("e   its speed")
    starts(panels[1, 2], turn)
    panels[1, 2].set_title("f   the left turn")
    return figure


if __name__ == "__main__":
    raise SystemExit(run_script("saturated", str(__doc__), draw, figure="culture"))
