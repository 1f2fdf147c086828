"""Measures against generations, one line per arm with its interval over replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evosim.plots.bands import FEWEST, Band, band
from evosim.plots.groups import MOST_LINES, ArmGroup, arm_groups, key_name, lines
from evosim.plots.layout import Legend, even_pages, facet, heading, page
from evosim.plots.measures import Measured, main_measures
from evosim.plots.style import (
    Look,
    bounded,
    category,
    clean,
    own_axes,
    wrap,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from evosim.plots import Drawable
    from evosim.scenario.model import ScenarioModel

COLUMNS_PER_FIGURE = 5


def plot_measure(
    data: pd.DataFrame,
    *,
    ax: Axes | None = None,
    value: str = "value",
    looks: Mapping[str, Look] | None = None,
    bounds: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw one measure over generations: a line and a 95% bootstrap band per arm.

    Parameters
    ----------
    data : DataFrame
        Columns arm, replicate, generation and `value`; missing values are left out.
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).
    value : str
        Column to draw.
    looks : dict of str to Look, optional
        Look of each arm to draw (default: every arm of `data`, by order of appearance).
    bounds : (float, float), optional
        y limits of a measure that is bounded by definition.
    **kwargs
        Passed on to `Axes.plot`.

    Returns
    -------
    Axes
    """
    ax = own_axes(ax)
    if looks is None:
        looks = {str(arm): category(i) for i, arm in enumerate(data["arm"].unique())}
    alpha = 0.18 if len(looks) <= 5 else 0.1
    for turn, (arm, look) in enumerate(looks.items()):
        found = band(data[(data["arm"] == arm).to_numpy()], value)
        if found is not None:
            draw_band(ax, found, look, turn=turn, alpha=alpha, label=clean(arm), **kwargs)
    bounded(ax, bounds)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.margins(x=0.01)
    ax.set_xlabel("generation")
    return ax


def draw_band(
    ax: Axes, found: Band, look: Look, *, turn: int = 0, alpha: float = 0.18, **kwargs: Any
) -> None:
    """Draw the mean of a band and its interval, or single replicates where they are few.

    `turn` counts the lines of a panel: it shifts the markers, so that those of lines that
    coincide are seen side by side.
    """
    style = look.line() | {"clip_on": False, "markevery": _spread(len(found.x), turn)} | kwargs
    if len(found.x) == 1 and not look.marker:
        style["marker"] = "o"
    ax.plot(found.x, found.mean, **style)
    if 1 < len(found.replicates) < FEWEST:
        ax.plot(found.x, found.replicates.T, color=look.color, linewidth=0.5, alpha=0.6)
    elif np.isfinite(found.low).any():
        ax.fill_between(found.x, found.low, found.high, color=look.color, alpha=alpha, linewidth=0)


def arm_legend(
    group: ArmGroup, looks: Mapping[str, Look], lost: Mapping[str, str], width: float
) -> Legend:
    """Return the legend of a group's arms; `lost` adds to their names."""
    head = group.title if group.key.endswith(group.title) else f"{group.title}: {group.key}"
    texts = [wrap(group.names.get(arm, arm) + lost.get(arm, ""), 34) for arm in looks]
    return Legend(heading(head, width), [look.handle() for look in looks.values()], texts)


def extinctions(trajectory: pd.DataFrame) -> dict[str, str]:
    """Return, by arm, a text that says how many replicates went extinct."""
    if "extinct" not in trajectory.columns or trajectory.empty:
        return {}
    gone = trajectory[["arm", "replicate"]].assign(
        extinct=trajectory["extinct"].fillna(False).astype(bool).to_numpy()
    )
    ever = gone.groupby(["arm", "replicate"], observed=True)["extinct"].any()
    count = ever.groupby("arm", observed=True).agg(["sum", "size"])
    return {
        str(arm): f" ({row['sum']} of {row['size']} extinct)"
        for arm, row in count.iterrows()
        if row["sum"] > 0
    }


def draw_trajectories(run: Drawable) -> list[Figure]:
    """Return the figures of a run's main measures (none without rows).

    One group of arms: panels side by side. Several groups: a row per measure and a column per
    group, at most five columns to a figure.
    """
    model = run.scenario.model
    trajectory = run.trajectory
    measures = main_measures(model, trajectory, run.contexts)
    groups = arm_groups(run.scenario.arms(), [str(a) for a in trajectory["arm"].unique()])
    if not measures or not groups:
        return []
    lost = extinctions(trajectory)
    if len(groups) == 1:
        return [_one_group(model, measures, groups[0], lost)]
    cuts = even_pages(len(groups), COLUMNS_PER_FIGURE)
    return [_several_groups(model, measures, groups[cut], lost) for cut in cuts]


def _one_group(
    model: ScenarioModel, measures: Sequence[Measured], group: ArmGroup, lost: Mapping[str, str]
) -> Figure:
    columns = min(3, len(measures))
    rows = -(-len(measures) // columns)
    looks, left_out = lines(group)
    widths = [max(3.0, 5.0 / columns)] * columns
    legend = arm_legend(group, looks, lost, sum(widths))
    note = band_note(left_out) + marks_note(model, [m.key for m in measures])
    legends = [legend] if len(looks) > 1 or lost or group.key else []
    figure, panels = page(model.title, widths, [2.0] * rows, legends, note=note)
    for ax in panels.flat[len(measures) :]:
        ax.remove()
    for ax, measure in zip(panels.flat, measures, strict=False):
        draw_measure(ax, measure, looks)
    same_generations(panels.ravel().tolist()[: len(measures)], measures)
    for ax, measure in zip(panels.flat, measures, strict=False):
        draw_marks(ax, model, measure.key)
    return figure


def _several_groups(
    model: ScenarioModel,
    measures: Sequence[Measured],
    groups: Sequence[ArmGroup],
    lost: Mapping[str, str],
) -> Figure:
    chosen = [lines(group) for group in groups]
    width = column_width(len(groups))
    legends = [
        arm_legend(g, looks, lost, width) for g, (looks, _) in zip(groups, chosen, strict=True)
    ]
    note = band_note(sum(n for _, n in chosen)) + marks_note(model, [m.key for m in measures])
    widths = [width] * len(groups)
    figure, panels = page(model.title, widths, [1.6] * len(measures), legends, note=note)
    for i, measure in enumerate(measures):
        for j, (looks, _) in enumerate(chosen):
            draw_measure(panels[i, j], measure, looks)
    same_generations(panels.ravel().tolist(), measures)
    for i, measure in enumerate(measures):
        for ax in panels[i]:
            draw_marks(ax, model, measure.key)
    facet(panels)
    figure.align_ylabels(panels[:, 0])
    return figure


def same_generations(panels: Sequence[Axes], measures: Sequence[Measured]) -> None:
    """Give all panels the generations that any of the measures has."""
    first = min(float(measure.data["generation"].min()) for measure in measures)
    last = max(float(measure.data["generation"].max()) for measure in measures)
    room = 0.01 * (last - first) or 0.5
    for ax in panels:
        ax.set_xlim(first - room, last + room)


def draw_measure(ax: Axes, measure: Measured, looks: Mapping[str, Look]) -> None:
    """Draw a measure into a titled panel."""
    plot_measure(measure.data, ax=ax, looks=looks, bounds=measure.bounds)
    ax.set_ylabel(wrap(measure.label, 24))
    ax.set_title(wrap(measure.title, 40))


def draw_marks(ax: Axes, model: ScenarioModel, key: str = "") -> None:
    """Mark when phases and interventions begin, and the effect's start value on its measure."""
    last = ax.get_xlim()[1]
    for at in _changes(model):
        if at <= last:
            ax.axvline(at, color="0.35", linewidth=0.8, dashes=(1, 2), zorder=0)
    if model.effect is not None and model.effect.start is not None and key == model.effect.measure:
        ax.axhline(model.effect.start.value, color="0.35", linewidth=0.8, dashes=(1, 2), zorder=0)


def marks_note(model: ScenarioModel, keys: Sequence[str]) -> str:
    """Return the note that explains the dotted lines of `draw_marks`; empty without any."""
    note = ""
    changes = _changes(model)
    if changes:
        texts = [f"{at} ({what})" for at, what in changes.items()]
        note += f" Vertical dotted lines: from generation {', '.join(texts)}."
    effect = model.effect
    if effect is not None and effect.start is not None and effect.measure in keys:
        note += f" Horizontal dotted line: start value {effect.start.value:g}."
    return note


def _changes(model: ScenarioModel) -> dict[int, str]:
    """Return, by generation, the phases and interventions that begin after generation 0."""
    found: dict[int, list[str]] = {}
    for phase in model.phase:
        if phase.start > 0:
            found.setdefault(phase.start, []).append(f"phase '{phase.name}'")
    for change in model.intervention:
        texts = [f"{key_name(key)} = {value:g}" for key, value in change.set.items()]
        texts += [f"{part} of generation {g}" for part, g in change.bring_back.items()]
        found.setdefault(change.at, []).extend(texts)
    end = model.population.generations
    return {at: ", ".join(texts) for at, texts in sorted(found.items()) if at <= end}


def column_width(columns: int) -> float:
    """Return the inches of a column of panels, narrower where there are many."""
    return 3.2 if columns <= 3 else 2.7


def band_note(left_out: int = 0) -> str:
    """Return the note that says what lines and bands are."""
    note = (
        "Lines: mean over replicates; bands: 95% bootstrap interval of that mean "
        f"(fewer than {FEWEST} replicates: each as a thin line)."
    )
    return note + (f" {left_out} cells between those drawn are left out." if left_out else "")


def _spread(count: int, turn: int) -> tuple[int, int]:
    """Return `markevery`: about six markers on a line of `count` points, shifted by `turn`."""
    step = max(1, count // 6)
    return (turn * step // MOST_LINES % step, step)
