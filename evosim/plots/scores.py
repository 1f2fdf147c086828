"""The two predictors: their scores, and what they predicted against what agents do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evosim.plots.bands import Floats, floats, mean_interval, pivot
from evosim.plots.groups import ArmGroup, arm_groups, evenly
from evosim.plots.layout import Legend, even_pages, facet, page
from evosim.plots.style import (
    Look,
    bounded,
    own_axes,
    wrap,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from evosim.plots import Drawable

ACTUAL = "actual"
_QUESTION = ["arm", "assay", "context", "percept", "action"]
_SPLITS = ("training", "novel")
_MOST_PLACES = 12
_COLUMNS = 3

#: Looks of the predictors; references are grey.
PREDICTORS: dict[str, Look] = {
    "LEDGER": Look("#0072B2", (), "o"),
    "OBJ-informed": Look("#E69F00", (5.0, 1.6), "D"),
    "OBJ-omni": Look("#D55E00", (1.6, 1.2), "s"),
    "FLOOR": Look("0.55", (3.0, 2.0), "v", hollow=True),
    "CEIL": Look("0.30", (3.0, 2.0), "^", hollow=True),
}


def last_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each arm's last generation."""
    last = table.groupby("arm", observed=True)["generation"].transform("max")
    return table[(table["generation"] == last).to_numpy()]


def plot_scores(
    scores: pd.DataFrame,
    arms: Sequence[str],
    *,
    ax: Axes | None = None,
    column: str = "score",
    predictors: Mapping[str, Look] | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw each predictor's score by arm, with 95% intervals over replicates.

    Parameters
    ----------
    scores : DataFrame
        Rows of one split and one generation per arm: arm, replicate, predictor and `column`.
    arms : sequence of str
        The arms along the x axis, in order.
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).
    column : str
        `score` (nats) or `skill`.
    predictors : dict of str to Look, optional
        Which predictors to draw, and how.
    **kwargs
        Passed on to `Axes.errorbar`.

    Returns
    -------
    Axes
    """
    ax = own_axes(ax)
    drawn = [p for p in predictors or PREDICTORS if p in set(scores["predictor"])]
    for i, predictor in enumerate(drawn):
        look = (predictors or PREDICTORS)[predictor]
        rows = scores[((scores["predictor"] == predictor) & scores[column].notna()).to_numpy()]
        places, mean, low, high = _by_arm(rows, arms, column)
        shift = (i - (len(drawn) - 1) / 2) * 0.8 / max(3, len(drawn))
        reach = np.nan_to_num([mean - low, high - mean])
        points = {"linestyle": "None", "capsize": 2.0, "elinewidth": 1.0, "clip_on": False}
        style = look.line() | points | kwargs
        ax.errorbar(places + shift, mean, yerr=reach, label=predictor, **style)
    ax.set_xlim(-0.6, len(arms) - 0.4)
    ax.set_xticks(range(len(arms)))
    ax.grid(visible=False, axis="x")
    return ax


def _by_arm(
    rows: pd.DataFrame, arms: Sequence[str], column: str
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return places, means and intervals of the arms that have rows."""
    place = {arm: float(i) for i, arm in enumerate(arms)}
    rows = rows[rows["arm"].isin(arms).to_numpy()]
    if rows.empty:
        empty = np.empty(0)
        return empty, empty, empty, empty
    at, values = pivot(rows.assign(place=[place[a] for a in rows["arm"]]), "place", column)
    return at, *mean_interval(values)


def predicted_actual(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predicted beside actual probabilities, one row per question and replicate.

    Returns
    -------
    DataFrame
        Columns arm, assay, context, percept, action, replicate, predictor, predicted, actual; in
        worlds of two actions only one of them, because the other says the same.
    """
    keys = [*_QUESTION, "replicate"]
    table = predictions[[*keys, "predictor", "probability"]]
    table = table.rename(columns={"probability": "predicted"})
    is_actual = (table["predictor"] == ACTUAL).to_numpy()
    actual = table[is_actual].rename(columns={"predicted": ACTUAL}).drop(columns="predictor")
    both = table[~is_actual].merge(actual, on=keys, how="inner")
    actions = sorted(str(action) for action in both["action"].unique())
    if len(actions) == 2:
        both = both[(both["action"].astype(str) == actions[0]).to_numpy()]
    return both


def plot_predictions(
    predictions: pd.DataFrame,
    *,
    ax: Axes | None = None,
    predictors: Mapping[str, Look] | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw predicted against actual action probabilities.

    A large point per arm, percept and action (mean over replicates), a small one per replicate.

    Parameters
    ----------
    predictions : DataFrame
        A run's predictions of one generation per arm (predictor ``actual`` is what agents do).
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).
    predictors : dict of str to Look, optional
        Which predictors to draw, and how (default: all but FLOOR and CEIL).
    **kwargs
        Passed on to `Axes.plot`.

    Returns
    -------
    Axes
    """
    ax = own_axes(ax)
    both = predicted_actual(predictions)
    if predictors is None:
        predictors = {p: k for p, k in PREDICTORS.items() if p not in ("FLOOR", "CEIL")}
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=0)
    for predictor, look in predictors.items():
        rows = both[(both["predictor"] == predictor).to_numpy()]
        style = look.line() | {"linestyle": "None", "clip_on": False}
        small = {"marker": ".", "markersize": 3, "markeredgewidth": 0, "alpha": 0.4}
        ax.plot(floats(rows[ACTUAL]), floats(rows["predicted"]), **(style | small))
        mean = rows.groupby(_QUESTION, observed=True)[[ACTUAL, "predicted"]].mean()
        large = style | {"markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 6}
        x, y = floats(mean[ACTUAL]), floats(mean["predicted"])
        ax.plot(x, y, label=predictor, **(large | kwargs))
    bounded(ax, (0.0, 1.0))
    ax.set_xlim(0.0, 1.0)
    ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    ax.set_aspect("equal")
    return ax


def draw_scores(run: Drawable) -> list[Figure]:
    """Return the figures of a run's predictors (none without rows).

    A row per split with the scores and one with predicted against actual probabilities; a
    column per group of arms.
    """
    scores = run.scores
    scores = scores[scores["score"].notna()]
    if scores.empty:
        return []
    groups = arm_groups(run.scenario.arms(), [str(a) for a in scores["arm"].unique()], beside=False)
    predictions = last_rows(run.predictions) if len(run.predictions) else run.predictions
    cuts = even_pages(len(groups), _COLUMNS)
    return [_page(run.scenario.model.title, scores, predictions, groups[cut]) for cut in cuts]


def _page(
    title: str, scores: pd.DataFrame, predictions: pd.DataFrame, groups: Sequence[ArmGroup]
) -> Figure:
    kinds = _kinds(scores)
    arms = [evenly(list(group.looks), _MOST_PLACES) for group in groups]
    widths = [max(2.8 if len(groups) > 1 else 5.0, 0.58 * len(a) + 0.8) for a in arms]
    heights = [2.0] * len(kinds) + [2.4] * bool(len(predictions))
    shown = [p for p in PREDICTORS if p in set(scores["predictor"])]
    legend = Legend("", [_dot(PREDICTORS[p]) for p in shown], shown)
    figure, panels = page(title, widths, heights, [legend], note=_NOTE)
    for j, group in enumerate(groups):
        for i, (split, generation) in enumerate(kinds):
            is_kind = (scores["split"] == split) & (scores["generation"] == generation)
            here = scores[is_kind.to_numpy()]
            plot_scores(here, arms[j], ax=panels[i, j])
            _name_places(panels[i, j], group, arms[j], widths[j] - 0.8)
            panels[i, j].set_ylabel(f"{split} contexts,\ngeneration {generation} (nats)")
        if len(predictions):
            here = predictions[predictions["arm"].isin(list(group.looks)).to_numpy()]
            _prediction_panel(panels[-1, j], here)
    facet(panels[: len(kinds)])
    for ax, group in zip(panels[0], groups, strict=True):
        ax.set_title(wrap(group.title or "arms", 36))
    return figure


def _kinds(scores: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the splits of contexts, each at the first and the last generation with scores."""
    found = []
    for split in _SPLITS:
        when = scores.loc[(scores["split"] == split).to_numpy(), "generation"]
        if len(when):
            found += [(split, at) for at in sorted({int(when.min()), int(when.max())})]
    return found


def _dot(look: Look) -> Line2D:
    handle = look.handle()
    handle.set_linestyle("None")
    return handle


_NOTE = (
    "Score: mean log probability (nats) given to what agents do; means and 95% bootstrap intervals "
    "over replicates. Below, at the last generation: a large point per arm, percept and action, a "
    "small one per replicate."
)


def _prediction_panel(ax: Axes, predictions: pd.DataFrame) -> None:
    plot_predictions(predictions, ax=ax)
    ax.set_xlabel("actual probability")
    ax.set_ylabel("predicted probability")


def _name_places(ax: Axes, group: ArmGroup, arms: Sequence[str], width: float) -> None:
    """Label the places of arms in a panel `width` inches wide, on a slant where it is tight."""
    room = int(width / len(arms) * 12)
    slanted = room < min(12, max(len(group.names[arm]) for arm in arms))
    names = [wrap(group.names[arm], 26 if slanted else room) for arm in arms]
    ax.set_xticks(range(len(arms)), names)
    if slanted:
        ax.tick_params(axis="x", rotation=40)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    ax.set_xlabel(wrap(group.key, 40))
