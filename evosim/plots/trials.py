"""What happens in the course of a trial's lives: entries, payoff and reward by episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from evosim.plots.groups import ArmGroup, arm_groups, lines
from evosim.plots.layout import Legend, even_pages, facet, page
from evosim.plots.style import Look, wrap
from evosim.plots.trajectories import (
    COLUMNS_PER_FIGURE,
    arm_legend,
    band_note,
    column_width,
    plot_measure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.plots import Drawable
    from evosim.scenario.study_parts import Trial

#: Columns of the table `trials` that are drawn, and their axis labels.
_ROWS = {
    "entered": "entries per episode",
    "payoff": "payoff per episode",
    "rewarded": "rewarded steps per episode",
}


def plot_course(
    data: pd.DataFrame,
    *,
    ax: Axes | None = None,
    value: str = "entered",
    looks: Mapping[str, Look] | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw one column of a trial against episodes: a line and a 95% bootstrap band per arm.

    Parameters
    ----------
    data : DataFrame
        Rows of the table `trials` of one trial: arm, replicate, generation, episode and `value`.
        Of several generations the last of each arm is drawn.
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).
    value : str
        Column to draw.
    looks : dict of str to Look, optional
        Look of each arm to draw (default: every arm of `data`, by order of appearance).
    **kwargs
        Passed on to `Axes.plot`.

    Returns
    -------
    Axes
    """
    last = data.groupby("arm", observed=True)["generation"].transform("max")
    course = data[(data["generation"] == last).to_numpy()]
    # A life's time is its episodes.
    course = course.assign(generation=course["episode"])
    ax = plot_measure(course, ax=ax, value=value, looks=looks, **kwargs)
    ax.set_xlabel("episode of the life")
    return ax


def draw_trials(run: Drawable) -> list[Figure]:
    """Return the figures of a run's trials (none without any): rows by column, arms by colour."""
    figures = []
    for trial in run.scenario.model.trial:
        data = run.trials[(run.trials["trial"] == trial.name).to_numpy()]
        groups = arm_groups(run.scenario.arms(), [str(arm) for arm in data["arm"].unique()])
        if not groups:
            continue
        cuts = even_pages(len(groups), COLUMNS_PER_FIGURE)
        figures += [_page(run, trial, data, groups[cut]) for cut in cuts]
    return figures


def _page(run: Drawable, trial: Trial, data: pd.DataFrame, groups: Sequence[ArmGroup]) -> Figure:
    chosen = [lines(group) for group in groups]
    width = column_width(len(groups))
    legends: list[Legend] = [
        arm_legend(group, looks, {}, width)
        for group, (looks, _) in zip(groups, chosen, strict=True)
    ]
    last = int(data["generation"].max())
    where = f"in context '{trial.context}'"
    if trial.blocks:
        where = f"that go through the blocks, watched {where}"
    note = (
        f"Lives of generation {last} {where}, in a copy of the world; "
        f"entries of '{trial.region}'. " + band_note(sum(n for _, n in chosen))
    )
    title = f"{run.scenario.model.title} (trial '{trial.name}')"
    figure, panels = page(title, [width] * len(groups), [1.6] * len(_ROWS), legends, note=note)
    for i, (column, label) in enumerate(_ROWS.items()):
        for j, (looks, _) in enumerate(chosen):
            plot_course(data, ax=panels[i, j], value=column, looks=looks)
            panels[i, j].set_ylabel(wrap(label, 24))
    facet(panels)
    figure.align_ylabels(panels[:, 0])
    return figure
