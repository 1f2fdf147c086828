"""How many left coins are enough: the threshold of CoinRun against what the coin's cue hides.

Usage: python analysis/coinrun_dose.py [RESULTS_DIR] [--out FILE]

Reads only the tables of the study scenarios/studies/coinrun_dose.toml. Left: of those that get out
of the pit, the share that goes to a visible coin on the left, at the first measured generation,
against how often the coin lay left in training (rho), a line per visibility v; upright lines stand
at the prediction (1 - v)/2. Right: where that share passes one half, in every population, at every
measured generation, against v, with the prediction as a line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from evosim.plots.assays import draw_points
from evosim.plots.bands import band
from evosim.plots.layout import Legend, page
from evosim.plots.script import need, study_script
from evosim.plots.style import Look, bounded, category, sequence, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.studies.results import Study

REACHES = "reaches a visible left coin"
PASSES = "runs right past it"
RHO, V = "rho", "v"
UNIT = (0.0, 1.0)
_NOTE = (
    "Means over populations with 95% bootstrap intervals. Lines without points: early theory, "
    "(1 - v)/2. A population whose share never passes 1/2 has no point on the right."
)


def shares(study: Study) -> pd.DataFrame:
    """Return, by rho, v, replicate and generation, the share that goes to the coin."""
    keys = [RHO, V, "replicate", "generation"]
    assays = study.assays
    both = [
        assays[(assays["assay"] == name).to_numpy()].set_index(keys)["value"]
        for name in (REACHES, PASSES)
    ]
    return (both[0] / (both[0] + both[1])).rename("value").dropna().reset_index()


def crossings(data: pd.DataFrame) -> pd.DataFrame:
    """Return, by v, replicate and generation, the rho at which the share passes one half.

    Read off the closest curve that never falls (isotonic regression): the first place where a
    scattered curve passes lies too low.
    """
    rows = []
    for key, curve in data.groupby([V, "replicate", "generation"]):
        curve = curve.sort_values(RHO)
        rho = curve[RHO].to_numpy(float)
        share = isotonic_regression(curve["value"].to_numpy(float)).x
        passed = np.flatnonzero((share[:-1] < 0.5) & (share[1:] >= 0.5))
        if passed.size:
            i = passed[0]
            part = (0.5 - share[i]) / (share[i + 1] - share[i])
            rows.append((*key, rho[i] + part * (rho[i + 1] - rho[i])))
    return pd.DataFrame(rows, columns=[V, "replicate", "generation", "value"])


def draw(study: Study) -> Figure:
    """Return the figure of the study of the coin scenario's dose."""
    names = set(study.assays["assay"].unique())
    for name in (REACHES, PASSES):
        need(name in names, f"an assay '{name}'", study)
    data = shares(study)
    data = data[(data["generation"] > 0).to_numpy()]
    need(len(data) > 0, "a generation after the first", study)
    generations = sorted(data["generation"].unique())
    vs = sorted(data[V].unique())
    by_v = {v: replace(look, marker="o") for v, look in zip(vs, sequence(len(vs)), strict=True)}
    by_time = {
        g: replace(category(i), marker="os^DvP"[i % 6], dash=()) for i, g in enumerate(generations)
    }
    legends = [
        Legend("coin visible in training, v", *_entries({f"{v:g}": x for v, x in by_v.items()})),
        Legend("generation", *_entries({str(g): look for g, look in by_time.items()})),
    ]
    figure, panels = page(study.info["title"], [5.0, 4.0], [3.1], legends, note=_NOTE)
    _curves(panels[0, 0], data[(data["generation"] == generations[0]).to_numpy()], by_v)
    panels[0, 0].set_title(f"a   generation {generations[0]}")
    _thresholds(panels[0, 1], crossings(data), by_time)
    panels[0, 1].set_title("b   where the share passes 1/2")
    return figure


def _entries(looks: dict[str, Look]) -> tuple[list[object], list[str]]:
    return [look.handle() for look in looks.values()], list(looks)


def _curves(ax: Axes, data: pd.DataFrame, looks: dict[float, Look]) -> None:
    for v, look in looks.items():
        found = band(data[(data[V] == v).to_numpy()], "value", x=RHO)
        if found is not None:
            draw_points(ax, found, look, dots=False)
        ax.axvline((1 - v) / 2, color=look.color, linewidth=1.0, linestyle=(0, (1, 1.5)), zorder=0)
    ax.axhline(0.5, color="0.5", linewidth=0.8, dashes=(2, 2), zorder=0)
    bounded(ax, UNIT)
    ax.set_xlabel("left coins in training, rho")
    ax.set_ylabel(wrap("goes to the coin, of those that leave the pit", 28))


def _thresholds(ax: Axes, data: pd.DataFrame, looks: dict[int, Look]) -> None:
    for generation, look in looks.items():
        found = band(data[(data["generation"] == generation).to_numpy()], "value", x=V)
        if found is not None:
            draw_points(ax, found, replace(look, width=0.9))
    ends = np.array(UNIT)
    ax.plot(ends, (1 - ends) / 2, color="0.25", linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=0)
    ax.set_xlim(*UNIT)
    ax.set_ylim(0.0, 0.52)
    ax.set_xlabel("coin visible in training, v")
    ax.set_ylabel("threshold of rho")


if __name__ == "__main__":
    raise SystemExit(study_script("coinrun_dose", str(__doc__), draw))
