"""What a page draws of a running model: trajectories, the world with agents in it, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from evosim.plots.style import figure_style
from evosim.worlds.maps import FLOOR, WALL
from evosim.worlds.tabular import TabularWorld

_BLUE, _RED, _GREY = "#0072B2", "#D55E00", "0.45"
#: Most lines in one panel, and most bars of the ledger.
MOST_LINES, MOST_BARS = 6, 10


def trajectories(history: Sequence[Mapping[str, float]], panels: Mapping[str, list[str]]) -> Figure:
    """Draw measures over generations, one panel per group of names."""
    with figure_style():
        figure = Figure(figsize=(6.2, 1.45 * max(len(panels), 1)), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
        for ax, (title, names) in zip(axes, panels.items(), strict=True):
            for k, name in enumerate(names[:MOST_LINES]):
                known = [(row["generation"], row[name]) for row in history if name in row]
                ax.plot(*zip(*known, strict=True) if known else ([], []), color=f"C{k}", label=name)
            if names:
                ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
            ax.set_title(title, loc="left", fontsize=9)
        axes[-1].set_xlabel("generation")
        axes[-1].set_xlim(0, max([1, *(row["generation"] for row in history)]))
    return figure


def world(
    made: TabularWorld,
    place: NDArray[np.float64],
    context: str,
    path: NDArray[np.int64],
    moment: int,
) -> Figure:
    """Draw a context, and where each agent is after `moment` steps, with its way there.

    Parameters
    ----------
    made : TabularWorld
    place : (S, 2) float64
        See `evosim.page.walks.positions`.
    context : str
    path : (N, steps + 1) int64
        See `evosim.page.walks.walk`.
    moment : int
    """
    c = made.contexts.index(context)
    v = int(np.flatnonzero(made.variant_context == c)[0])
    with figure_style():
        figure = Figure(figsize=(6.2, 3.6), layout="constrained")
        ax = figure.subplots()
        if made.layout:
            _draw_map(ax, made.layout[c])
        else:
            _draw_states(ax, made, place, v)
        _draw_agents(ax, place, path[:, : moment + 1])
        ax.set_aspect("equal")
        ax.invert_yaxis()
        ax.set_axis_off()
        over = int((path[:, moment] < 0).sum())
        ax.set_title(
            f"{context}: after {moment} steps; {over} of {len(path)} have ended",
            loc="left",
            fontsize=9,
        )
    return figure


def values(frame: pd.DataFrame) -> Figure:
    """Draw the distribution of every gene, for worlds without places."""
    genes = [name for name in frame if name not in ("payoff", "criterion")][:MOST_LINES]
    with figure_style():
        figure = Figure(figsize=(6.2, 3.2), layout="constrained")
        ax = figure.subplots()
        for k, name in enumerate(genes):
            ax.hist(frame[name], bins=30, histtype="step", color=f"C{k}", label=str(name))
        ax.legend(fontsize=8, frameon=False)
        ax.set_xlabel("value")
        ax.set_ylabel("agents")
    return figure


def ledger(frame: pd.DataFrame) -> Figure:
    """Draw what selection and transmission did to genes and logits since generation 0."""
    genes = strongest(frame)
    at = np.arange(len(genes))
    with figure_style():
        figure = Figure(figsize=(6.2, 0.6 + 0.3 * max(len(genes), 1)), layout="constrained")
        ax = figure.subplots()
        for part, color, shift in (("selection", _BLUE, -0.2), ("transmission", _RED, 0.2)):
            ax.barh(at + shift, genes[f"cumulative_{part}"], 0.38, color=color, label=part)
        ax.set_yticks(at, genes["quantity"])
        ax.invert_yaxis()
        ax.axvline(0.0, color="black", linewidth=0.6)
        ax.legend(fontsize=8, frameon=False, loc="best")
        ax.set_xlabel("change since generation 0")
    return figure


def strongest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return genes and logits that selection moved most since generation 0, that most first."""
    if frame.empty:
        return pd.DataFrame(columns=["quantity", "cumulative_selection", "cumulative_transmission"])
    genes = frame[frame["kind"].isin(["gene", "logit"]).to_numpy()]
    order = genes["cumulative_selection"].abs().sort_values(ascending=False, kind="stable").index
    return genes.loc[order[:MOST_BARS]]


def _draw_map(ax: Axes, rows: Sequence[str]) -> None:
    for y, row in enumerate(rows):
        for x, char in enumerate(row):
            face = "0.25" if char == WALL else "0.94"
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="white"))
            if char not in (WALL, *FLOOR):
                ax.text(x, y, char, ha="center", va="center", color=_GREY, fontsize=13, zorder=5)
    ax.set_xlim(-0.5, max(map(len, rows)) - 0.5)
    ax.set_ylim(-0.5, len(rows) - 0.5)


def _draw_states(ax: Axes, made: TabularWorld, place: NDArray[Any], v: int) -> None:
    shown = np.flatnonzero(np.isfinite(place[:, 0]))
    chance = np.diff(made.outcome_cdf[v], axis=-1, prepend=0.0)
    lines = len(shown) <= 60 and made.outcome_state.any()  # a user's world leads nowhere known
    for s in shown.tolist() if lines else []:
        for to in np.unique(made.outcome_state[v, s][chance[s] > 0.0]).tolist():
            if to != s and not made.terminal[v, s]:
                ax.plot(*place[[s, to]].T, color="0.85", linewidth=1.0, zorder=1)
    ended = made.terminal[v, shown].astype(bool)
    for marker, some in (("o", shown[~ended]), ("s", shown[ended])):
        x, y = place[some].T
        ax.scatter(x, y, s=260, marker=marker, color="0.94", edgecolor="0.6", zorder=2)
    if len(shown) <= 60:
        for s in shown.tolist():
            ax.annotate(
                made.states[s], place[s], (0, 11), textcoords="offset points", ha="center",
                fontsize=7, color=_GREY,
            )  # fmt: skip
    ax.margins(0.12)


def _draw_agents(ax: Axes, place: NDArray[np.float64], path: NDArray[np.int64]) -> None:
    """Draw ways and present places; each agent keeps a little to its own side."""
    apart = np.random.default_rng(1).uniform(-0.28, 0.28, (len(path), 2))
    for way, aside in zip(path, apart, strict=True):
        met = way[way >= 0]
        xy = place[met] + aside
        ax.plot(*xy.T, color=_BLUE, alpha=0.25, linewidth=1.0, zorder=3)
        color = _RED if way[-1] < 0 else _BLUE  # over, or still going
        ax.scatter(xy[-1:, 0], xy[-1:, 1], s=26, color=color, zorder=4, linewidth=0)
