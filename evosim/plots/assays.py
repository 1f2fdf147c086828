"""Assay values over generations, and against the parameter of a grid arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evosim.plots.bands import Band, band, floats
from evosim.plots.groups import ArmGroup, arm_groups, lines
from evosim.plots.layout import Legend, even_pages, facet, heading, page
from evosim.plots.measures import assay_axis, find_assay
from evosim.plots.style import Look, bounded, clean, own_axes, wrap
from evosim.plots.trajectories import (
    COLUMNS_PER_FIGURE,
    arm_legend,
    band_note,
    column_width,
    draw_marks,
    marks_note,
    plot_measure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from evosim.plots import Drawable
    from evosim.scenario.model import ScenarioModel
    from evosim.scenario.study_parts import Claim

ROWS_PER_FIGURE = 5
_GOLDEN = 0.6180339887498949

#: Looks of the generations in a dose panel, from the last one back.
_WHEN = (
    Look("#000000", (), "o"),
    Look("#D55E00", (5.0, 1.6), "s", hollow=True),
    Look("#0072B2", (1.4, 1.2), "^", hollow=True),
)


def plot_assay(
    assays: pd.DataFrame,
    name: str,
    *,
    ax: Axes | None = None,
    looks: Mapping[str, Look] | None = None,
    bounds: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the value of one assay over generations, a line and band per arm.

    Parameters
    ----------
    assays : DataFrame
        A run's assay table: arm, replicate, generation, assay, value.
    name : str
        The assay.
    ax, looks, bounds, **kwargs
        As in `plot_measure`.

    Returns
    -------
    Axes
    """
    rows = assays[(assays["assay"] == name).to_numpy()]
    return plot_measure(rows, ax=ax, looks=looks, bounds=bounds, **kwargs)


def plot_dose(
    assays: pd.DataFrame,
    name: str,
    places: Mapping[str, float],
    *,
    ax: Axes | None = None,
    generations: Sequence[int] | None = None,
    looks: Sequence[Look] | None = None,
    bounds: tuple[float, float] | None = None,
    dots: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw one assay against the swept parameter: means, intervals and single replicates.

    Parameters
    ----------
    assays : DataFrame
        A run's assay table: arm, replicate, generation, assay, value.
    name : str
        The assay.
    places : dict of str to float
        Value of the parameter by arm label.
    generations : sequence of int, optional
        When to read the assay, the last one first (default: the last measured).
    dots : bool
        Show every replicate of the first generation as a small dot.
    **kwargs
        Passed on to `Axes.errorbar`.

    Returns
    -------
    Axes
    """
    ax = own_axes(ax)
    rows = assays[((assays["assay"] == name) & assays["arm"].isin(list(places))).to_numpy()]
    if generations is None:
        generations = [int(rows["generation"].max())] if len(rows) else []
    rows = rows.assign(place=[places[arm] for arm in rows["arm"]])
    looks = looks or _WHEN
    for i, generation in enumerate(generations):
        found = band(rows[(rows["generation"] == generation).to_numpy()], "value", x="place")
        if found is None:
            continue
        look = looks[i % len(looks)]
        style = {"label": f"generation {generation}", "zorder": 4 - i} | kwargs
        draw_points(ax, found, look, dots=dots and i == 0, **style)
    bounded(ax, bounds)
    return ax


def draw_points(ax: Axes, found: Band, look: Look, *, dots: bool = True, **kwargs: Any) -> None:
    """Draw means with their intervals, joined by a line, and every replicate as a small dot."""
    style = look.line() | {"clip_on": False, "capsize": 2.5, "elinewidth": 1.0} | kwargs
    reach = np.nan_to_num([found.mean - found.low, found.high - found.mean])
    line = ax.errorbar(found.x, found.mean, yerr=reach, **style)
    for part in (*line[1], *line[2]):
        part.set_clip_on(False)
    if dots:
        _draw_dots(ax, found.x, found.replicates, look)


def _draw_dots(ax: Axes, x: Any, values: Any, look: Look) -> None:
    """Draw every replicate beside its place; the shift depends on the replicate only."""
    span = float(np.ptp(x)) or 1.0
    gaps = np.diff(x, prepend=-np.inf, append=np.inf)
    room = np.minimum(np.minimum(gaps[:-1], gaps[1:]), 0.06 * span)
    room = np.where(x > 0, np.minimum(room, 0.5 * x), room)  # stays right of 0 on a log axis
    shift = ((np.arange(len(values)) + 1) * _GOLDEN) % 1.0 - 0.5
    across = x[None, :] + shift[:, None] * 0.5 * room[None, :]
    ax.plot(
        across.ravel(),
        values.ravel(),
        linestyle="None",
        marker=".",
        markersize=2.6,
        color=look.color,
        alpha=0.35,
        markeredgewidth=0,
        clip_on=False,
        zorder=1,
    )


def claim_generations(
    model: ScenarioModel, assay: str, arm: str, measured: Sequence[int]
) -> list[int]:
    """Return when to read an assay in a dose panel: the last generation, then the claims' own.

    A claim over a window is read at its end. At most three generations, and only measured ones.
    """
    wanted = [max(measured)]
    for claim in model.claim:
        if claim.measure == f"assay.{assay}" and claim.arm == arm and claim.at is not None:
            at = claim.at.generation if claim.at.generation is not None else claim.at.end
            if at is not None and at in measured and at not in wanted:
                wanted.append(at)
    return wanted[: len(_WHEN)]


def mark_crossings(ax: Axes, claims: Sequence[Claim]) -> None:
    """Mark where claims say that the measure crosses a value."""
    for claim in claims:
        if claim.crosses is not None:
            low, high = claim.crosses.between
            ax.axvspan(low, high, color="0.88", zorder=0, linewidth=0)
            ax.axhline(claim.crosses.value, color="0.5", linewidth=0.8, dashes=(2, 2), zorder=0)


def draw_assays(run: Drawable) -> list[Figure]:
    """Return the figures of a run's assays (none without rows).

    A row per assay, a column per group of arms over time and one per grid arm against its
    parameter.
    """
    assays = run.assays
    assays = assays[assays["value"].notna()]
    if assays.empty:
        return []
    groups = arm_groups(run.scenario.arms(), [str(a) for a in assays["arm"].unique()])
    names = [str(name) for name in assays["assay"].unique()]
    kinds = [(group, dose) for group in groups for dose in (False, True) if group.key or not dose]
    kinds = [(g, d) for g, d in kinds if not d or len(set(g.places.values())) > 1]
    figures = []
    for across in even_pages(len(kinds), COLUMNS_PER_FIGURE):
        for down in even_pages(len(names), ROWS_PER_FIGURE):
            figures.append(_page(run, assays, names[down], kinds[across]))
    return figures


def _page(
    run: Drawable,
    assays: pd.DataFrame,
    names: Sequence[str],
    columns: Sequence[tuple[ArmGroup, bool]],
) -> Figure:
    model = run.scenario.model
    drawn = [lines(group) for group, _ in columns]
    width = column_width(len(columns))
    legends = [
        _dose_legend(model, assays, names, group, width)
        if dose
        else arm_legend(group, looks, {}, width)
        for (group, dose), (looks, _) in zip(columns, drawn, strict=True)
    ]
    left_out = sum(n for (_, dose), (_, n) in zip(columns, drawn, strict=True) if not dose)
    note = _note(columns, left_out) + marks_note(model, [f"assay.{name}" for name in names])
    widths, heights = [width] * len(columns), [1.75] * len(names)
    figure, panels = page(model.title, widths, heights, legends, note=note)
    for i, name in enumerate(names):
        label, bounds = assay_axis(find_assay(model, name))
        for j, (group, dose) in enumerate(columns):
            ax = panels[i, j]
            if dose:
                _dose_panel(ax, model, assays, name, group, bounds)
            else:
                plot_assay(assays, name, ax=ax, looks=drawn[j][0], bounds=bounds)
                draw_marks(ax, model, f"assay.{name}")
            ax.set_ylabel(wrap(label, 24))
            ax.set_title(wrap(name, 40))
    facet(panels)
    figure.align_ylabels(panels[:, 0])
    return figure


def _when(model: ScenarioModel, assays: pd.DataFrame, name: str, group: ArmGroup) -> list[int]:
    """Return the generations of one dose panel, none without rows."""
    rows = assays[((assays["assay"] == name) & assays["arm"].isin(list(group.places))).to_numpy()]
    measured = [int(g) for g in rows["generation"].unique()]
    return claim_generations(model, name, group.arm, measured) if measured else []


def _dose_panel(
    ax: Axes,
    model: ScenarioModel,
    assays: pd.DataFrame,
    name: str,
    group: ArmGroup,
    bounds: tuple[float, float] | None,
) -> None:
    when = _when(model, assays, name, group)
    plot_dose(assays, name, group.places, ax=ax, generations=when, bounds=bounds)
    claims = [c for c in model.claim if c.measure == f"assay.{name}" and c.arm == group.arm]
    mark_crossings(ax, claims)
    if when:
        _control_levels(ax, assays, name, group, when[0])
    parameter_axis(ax, group)


def _control_levels(
    ax: Axes, assays: pd.DataFrame, name: str, group: ArmGroup, generation: int
) -> None:
    """Draw the controls' means at a generation as level lines."""
    now = ((assays["assay"] == name) & (assays["generation"] == generation)).to_numpy()
    for arm, look in group.controls.items():
        mean = floats(assays.loc[now & (assays["arm"] == arm).to_numpy(), "value"])
        if mean.size:
            ax.axhline(float(mean.mean()), zorder=1, **(look.line() | {"marker": "None"}))


def _dose_legend(
    model: ScenarioModel,
    assays: pd.DataFrame,
    names: Sequence[str],
    group: ArmGroup,
    width: float,
) -> Legend:
    """Return the legend of a dose column: the generations of the panel that has most."""
    when = max((_when(model, assays, name, group) for name in names), key=len)
    looks = [*_WHEN[: len(when)], *(replace(x, marker="") for x in group.controls.values())]
    handles = [look.handle() for look in looks]
    labels = [f"generation {g}" for g in when] + [wrap(name, 34) for name in group.controls]
    return Legend(heading(f"against {group.key}", width), handles, labels)


def parameter_axis(ax: Axes, group: ArmGroup) -> None:
    """Label the x axis with the swept parameter; logarithmic where values span decades."""
    if group.ticks:
        ax.set_xticks(list(group.ticks), [clean(text) for text in group.ticks.values()])
    places = sorted(set(group.places.values()))
    if not group.ticks and places[0] > 0 and places[-1] / places[0] >= 50:
        ax.set_xscale("log")
    elif not group.ticks:
        ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(wrap(group.key, 40))


def _note(columns: Sequence[tuple[ArmGroup, bool]], left_out: int) -> str:
    note = band_note(left_out)
    if any(dose for _, dose in columns):
        note += (
            " Against a parameter: mean and 95% interval, dots are replicates of the last "
            "generation; grey: where a claim puts the crossing."
        )
    return note
