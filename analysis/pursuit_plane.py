"""Adaptations or objectives: which of them selection builds, and which predictor is right.

Usage: python analysis/pursuit_plane.py [RESULTS_DIR] [--out FILE]

Reads only the tables of the study scenarios/studies/pursuit_plane.toml. A column for each cost of
the estimate; across, how often something new happens; down, the error of the estimate. Top: the
weight that the estimate has in the last generation. Bottom: the ledger's score in new contexts
minus the objective's, in nats. The line is the boundary derived in evosim/oracles/pursuit.py:
above and to the left of it no weight of the estimate pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evosim.oracles import estimate_threshold
from evosim.plots.layout import page
from evosim.plots.script import need, study_script

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evosim.studies.results import Study

    F64 = NDArray[np.float64]

USUAL, NOISE, PRICE = "usual", "noise", "price"
WEIGHT, LEAD = "plan_weight", "score.LEDGER - OBJ-omni"
#: The largest lead that has a colour of its own, in nats.
_NATS = 4.0
#: Points of the boundary along either axis.
_FINE = 13
_NOTE = (
    "Means over the populations of a cell; a dot: at least three quarters of them agree in which "
    "predictor is better (bottom). Line: the boundary beyond which no weight pays, derived. Cells "
    "stand in the order of their values, not to scale."
)


def means(study: Study, measure: str) -> pd.DataFrame:
    """Return the mean of a measure, and the share of populations above 0, by cell."""
    data = study.measured(measure).dropna(subset=["value"])
    need(len(data) > 0, f"the measure '{measure}'", study)
    cells = data.groupby([PRICE, NOISE, USUAL])["value"]
    return pd.DataFrame(
        {"value": cells.mean(), "above": cells.apply(lambda x: float((x > 0).mean()))}
    ).reset_index()


def grid(table: pd.DataFrame, price: float, column: str) -> pd.DataFrame:
    """Return a column of one cost: rows by noise, columns by novelty, both rising."""
    rows = table[(table[PRICE] == price).to_numpy()]
    wide = rows.assign(new=(1.0 - rows[USUAL]).round(9)).pivot_table(
        index=NOISE, columns="new", values=column
    )
    return wide.sort_index().sort_index(axis=1)


def boundary(new: F64, noise: F64, temperature: float, most: float) -> tuple[F64, F64, F64]:
    """Return places along both axes, in cells, and the cost at which the estimate stops to pay."""
    across = np.linspace(0, new.size - 1, _FINE)
    down = np.linspace(0, noise.size - 1, _FINE)
    n = np.interp(across, np.arange(new.size), new)
    s = np.interp(down, np.arange(noise.size), noise)
    cost = [[estimate_threshold(float(x), float(y), temperature, most=most) for x in n] for y in s]
    return across, down, np.array(cost)


def draw(study: Study) -> Figure:
    """Return the figure of the plane."""
    weight, lead = means(study, WEIGHT), means(study, LEAD)
    prices = sorted(float(x) for x in weight[PRICE].unique())
    model = study.scenario.model
    temperature = float(model.mind.temperature)  # type: ignore[union-attr]
    bounds = model.genome[WEIGHT].bounds or [0.0, 1.5]
    first = grid(weight, prices[0], "value")
    new, noise = (np.asarray(x, float) for x in (first.columns, first.index))
    places = boundary(new, noise, temperature, bounds[1])
    figure, panels = page(study.info["title"], [2.9] * len(prices), [2.7, 2.7], [], note=_NOTE)
    for k, price in enumerate(prices):
        top, bottom = panels[0, k], panels[1, k]
        heat = _heat(top, grid(weight, price, "value"), "viridis", (0.0, 1.2))
        top.set_title(f"{'abc'[k % 3]}   cost {price:g} per unit of weight")
        score = _heat(bottom, grid(lead, price, "value"), "PuOr", (-_NATS, _NATS))
        bottom.set_title("def"[k % 3])
        _agreement(bottom, grid(lead, price, "above"))
        for ax in (top, bottom):
            _line(ax, places, price, light=ax is top)
            ax.set_xlabel("new contexts, share of episodes")
            ax.set_ylabel("error of the estimate (sd)")
    figure.colorbar(heat, ax=list(panels[0]), label="weight of the estimate", shrink=0.9)
    figure.colorbar(
        score, ax=list(panels[1]), label="LEDGER minus OBJ-omni (nats)", shrink=0.9, extend="both"
    )
    return figure


def _heat(ax: Axes, table: pd.DataFrame, colours: str, limits: tuple[float, float]):
    image = ax.imshow(
        table.to_numpy(float), cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto",
        origin="lower",
    )  # fmt: skip
    ax.set_xticks(range(table.shape[1]), [f"{x:g}" for x in table.columns])
    ax.set_yticks(range(table.shape[0]), [f"{y:g}" for y in table.index])
    ax.grid(visible=False)
    return image


def _agreement(ax: Axes, above: pd.DataFrame) -> None:
    share = above.to_numpy(float)
    down, across = np.nonzero(np.maximum(share, 1.0 - share) >= 0.75)
    ax.scatter(across, down, s=4, color="0.25", linewidth=0)


def _line(ax: Axes, places: tuple[F64, F64, F64], price: float, *, light: bool) -> None:
    across, down, cost = places
    ax.contour(across, down, cost, levels=[price], colors="white" if light else "black",
               linewidths=1.6)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(study_script("pursuit_plane", str(__doc__), draw))
