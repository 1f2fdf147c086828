"""Adaptations or objectives: which of them selection builds, and which predictor is right.

Usage: python analysis/pursuit_plane.py [RESULTS_DIR] [--out FILE]

Reads only the tables of the study scenarios/studies/pursuit_plane.toml. A column for each cost of
the estimate; across, how often something new happens; up, the error of the estimate. From top to
bottom: the weight that the estimate has in the last generation; the score of each predictor in new
contexts; and the ledger's minus the objective's, in nats. The lines are the boundary derived in
evosim/oracles/pursuit.py: above and to the left of it no weight of the estimate pays. Solid: to
agents whose preferences are alike; dashed: to agents whose preferences mutation keeps as far apart
as was measured in the cells beside the line.
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
WEIGHT, LEDGER, OBJECTIVE = "plan_weight", "score.LEDGER", "score.OBJ-omni"
LEAD = f"{LEDGER} - OBJ-omni"
#: Sd in logits of preferences for an action within a population, in the cells beside the line.
UNREST = 2.5
#: The largest lead that has a colour of its own, and the worst score, in nats.
_NATS = 4.0
#: Points of the boundary along either axis.
_FINE = 13
#: Of each row of panels: the measure, its colours and their range, what it is.
_ROWS = (
    (WEIGHT, "viridis", (0.0, 1.2), "weight of the estimate"),
    (LEDGER, "magma", (-_NATS, 0.0), "score of LEDGER (nats)"),
    (OBJECTIVE, "magma", (-_NATS, 0.0), "score of OBJ-omni (nats)"),
    (LEAD, "PuOr", (-_NATS, _NATS), "LEDGER minus OBJ-omni (nats)"),
)
_NOTE = (
    "Means over the populations of a cell; a dot: at least three quarters of them agree in which "
    "predictor is better (bottom). Lines: the boundary beyond which no weight pays, derived; "
    f"dashed: with preferences that mutation keeps {UNREST:g} logits apart. Cells stand in the "
    "order of their values, not to scale."
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


def boundary(
    new: F64, noise: F64, temperature: float, most: float, unrest: float = 0.0
) -> tuple[F64, F64, F64]:
    """Return places along both axes, in cells, and the cost at which the estimate stops to pay."""
    across = np.linspace(0, new.size - 1, _FINE)
    down = np.linspace(0, noise.size - 1, _FINE)
    n = np.interp(across, np.arange(new.size), new)
    s = np.interp(down, np.arange(noise.size), noise)
    cost = [
        [estimate_threshold(float(x), float(y), temperature, most=most, unrest=unrest) for x in n]
        for y in s
    ]
    return across, down, np.array(cost)


def draw(study: Study) -> Figure:
    """Return the figure of the plane."""
    tables = [means(study, measure) for measure, *_ in _ROWS]
    prices = sorted(float(x) for x in tables[0][PRICE].unique())
    model = study.scenario.model
    temperature = float(model.mind.temperature)  # type: ignore[union-attr]
    most = (model.genome[WEIGHT].bounds or [0.0, 1.5])[1]
    first = grid(tables[0], prices[0], "value")
    new, noise = (np.asarray(x, float) for x in (first.columns, first.index))
    lines = [boundary(new, noise, temperature, most, unrest) for unrest in (0.0, UNREST)]
    figure, panels = page(
        study.info["title"], [2.9] * len(prices), [2.1] * len(_ROWS), [], note=_NOTE
    )
    for r, (measure, colours, limits, label) in enumerate(_ROWS):
        for k, price in enumerate(prices):
            ax = panels[r, k]
            heat = _heat(ax, grid(tables[r], price, "value"), colours, limits)
            letter = chr(ord("a") + r * len(prices) + k)
            ax.set_title(f"{letter}   cost {price:g} per unit of weight" if r == 0 else letter)
            for places, style in zip(lines, ("solid", "dashed"), strict=True):
                _line(ax, places, price, style, light=measure != LEAD)
            if measure == LEAD:
                _agreement(ax, grid(tables[r], price, "above"))
                ax.set_xlabel("new contexts, share of episodes")
            if k == 0:
                ax.set_ylabel("error of the estimate (sd)")
        extend = {WEIGHT: "neither", LEAD: "both"}.get(measure, "min")
        figure.colorbar(heat, ax=list(panels[r]), label=label, shrink=0.9, extend=extend)
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


def _line(ax: Axes, places: tuple[F64, F64, F64], price: float, style: str, *, light: bool) -> None:
    across, down, cost = places
    ax.contour(across, down, cost, levels=[price], colors="white" if light else "black",
               linewidths=1.5, linestyles=style)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(study_script("pursuit_plane", str(__doc__), draw))
