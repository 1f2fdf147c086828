"""Slope or height: what a channel adds per generation over fidelity and number of models.

Usage: python analysis/channel_phase.py [RESULTS_DIR] [--out FILE]

Reads only the tables of the study scenarios/studies/channel_phase.toml. Left: the slope of received
information over the second half of the run, for every fidelity and number of models; the line is
the threshold n f = 1. Right: the same against n f, a colour per number of models, with the exact
chain of the agents that know an item (evosim.oracles.open_pool_stock) as lines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evosim.oracles import open_pool_stock
from evosim.plots.assays import draw_points
from evosim.plots.bands import band, pivot
from evosim.plots.layout import Legend, page
from evosim.plots.script import need, study_script
from evosim.plots.style import sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.studies.results import Study

FIDELITY, MODELS, RECEIVED = "fidelity", "models", "information.received"
#: Slopes below it are drawn as it: less than an item in a hundred generations.
LEAST = 0.01
#: Where the right panel ends: beyond, everything that is found is soon known to all.
MOST = 3.0
_NOTE = (
    "Least squares over the second half of the run. Left: means over populations; slopes below "
    "0.01 have the colour of 0.01. Right: means with 95% bootstrap intervals; dotted: the exact "
    "chain; dashed: n f = 1."
)


def slopes(study: Study) -> pd.DataFrame:
    """Return fidelity, models, replicate and slope of what is received, of every population."""
    table = study.trajectory
    need(RECEIVED in table, f"a column '{RECEIVED}'", study)
    late = table[(table["generation"] >= table["generation"].max() / 2).to_numpy()]
    parts = []
    for (f, n), cell in late.groupby([FIDELITY, MODELS], observed=True):
        at, values = pivot(cell, "generation", RECEIVED)
        found = np.polyfit(at, values.T, 1)[0]
        parts += [
            {FIDELITY: f, MODELS: n, "nf": f * n, "replicate": k, "value": v}
            for k, v in enumerate(found)
        ]
    return pd.DataFrame(parts)


def expected(agents: int, learning: float, fidelity: float, models: int, generations: int) -> float:
    """Return the slope over the second half that the exact chain has."""
    stock = open_pool_stock(agents, learning, fidelity, models, generations)
    # Of what an agent dies with, its own finds are no part of what is received.
    late = np.arange(generations + 1) >= generations / 2
    return float(np.polyfit(np.flatnonzero(late), stock[late], 1)[0])


def _plane(ax: Axes, data: pd.DataFrame) -> None:
    from matplotlib.colors import LogNorm

    mean = data.pivot_table("value", index=MODELS, columns=FIDELITY)
    shown = np.maximum(mean.to_numpy(float), LEAST)
    f, n = mean.columns.to_numpy(float), mean.index.to_numpy(int)
    image = ax.pcolormesh(f, np.arange(n.size), shown, norm=LogNorm(LEAST, np.nanmax(shown)),
                          cmap="viridis", shading="nearest")  # fmt: skip
    step = np.diff(f).min() / 2
    for k, models in enumerate(n):
        x = 1.0 / models
        edge = float(np.clip(x, f[0] - step, f[-1] + step))
        ax.plot([edge, edge], [k - 0.5, k + 0.5], color="white", linewidth=1.6)
    ax.set_yticks(range(n.size), [str(k) for k in n])
    ax.set_xlabel("fidelity, f")
    ax.set_ylabel("models, n")
    ax.figure.colorbar(image, ax=ax, label="received bits per generation")


def draw(study: Study) -> Figure:
    """Return the figure of the study."""
    data = slopes(study)
    model, spec = study.scenario.model, study.info
    assert model.knowledge is not None
    agents, learning = model.population.agents, model.knowledge.learning
    generations = int(study.trajectory["generation"].max())
    numbers = sorted(data[MODELS].unique())
    looks = {n: replace(look, marker="o", dash=()) for n, look in
             zip(numbers, sequence(len(numbers)), strict=True)}  # fmt: skip
    handles = [look.handle() for look in looks.values()]
    legend = Legend("models", handles, [str(int(n)) for n in numbers])
    figure, panels = page(spec["title"], [5.0, 4.6], [3.2], [legend], note=_NOTE)
    _plane(panels[0, 0], data)
    panels[0, 0].set_title("a   the threshold n f = 1")
    ax = panels[0, 1]
    for n, look in looks.items():
        cell = data[((data[MODELS] == n) & (data["nf"] <= MOST)).to_numpy()]
        found = band(cell, "value", x="nf")
        assert found is not None
        # Means that the scale cannot show stand at its end: no replicate is cut before the mean.
        ends = {key: np.maximum(getattr(found, key), LEAST) for key in ("mean", "low", "high")}
        found = replace(found, **ends)
        draw_points(ax, found, replace(look, width=0.0), dots=False)
        f = np.linspace(cell[FIDELITY].min(), cell[FIDELITY].max(), 33)
        line = [max(expected(agents, learning, float(x), int(n), generations), LEAST) for x in f]
        ax.plot(n * f, line, color=look.color, linewidth=1.0, linestyle=(0, (1, 1.5)))
    ax.axvline(1.0, color="0.5", linewidth=0.8, dashes=(2, 2), zorder=0)
    ax.set_yscale("log")
    ax.set_ylim(LEAST * 0.8, None)
    ax.set_xlim(0, MOST)
    ax.set_xlabel("fidelity times models, n f")
    ax.set_ylabel("received bits per generation")
    ax.set_title("b   on one axis")
    return figure


if __name__ == "__main__":
    raise SystemExit(study_script("channel_phase", str(__doc__), draw))
