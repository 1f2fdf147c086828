"""The selection ledger: what selection and transmission added up to, by gene, percept, context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evosim.plots.bands import Floats, band
from evosim.plots.layout import Legend, page
from evosim.plots.measures import is_marker
from evosim.plots.style import (
    Look,
    category,
    clean,
    control,
    own_axes,
    wrap,
)
from evosim.plots.trajectories import draw_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from evosim.plots import Drawable
    from evosim.scenario import ArmCell
    from evosim.scenario.model import ScenarioModel

_MOST_LOCI = 6
_MOST_PERCEPTS = 12
_MOST_CONTEXTS = 3
_LABEL = 30  # characters of a percept on one line
_KINDS = {"logit": "selection on policy logits", "act": "selection on acts"}
_CELL = (0.62, 0.36)  # inches of one cell of a heat map


@dataclass(frozen=True)
class HeatTable:
    """Cumulative selection by percept and action, averaged over replicates.

    Parameters
    ----------
    cells : ndarray [P, A]
        NaN where the ledger has no entry.
    percepts, actions : list of str
    context : str
        Name of the context, or "" for all of them together.
    """

    cells: Floats
    percepts: list[str]
    actions: list[str]
    context: str


def plot_selection(
    ledger: pd.DataFrame,
    *,
    ax: Axes | None = None,
    looks: Mapping[str, Look] | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw cumulative selection (line, band) and transmission (thin, dashed) per quantity.

    Parameters
    ----------
    ledger : DataFrame
        Rows of one arm, one kind and one context of a run's ledger: replicate, generation,
        quantity, cumulative_selection, cumulative_transmission.
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).
    looks : dict of str to Look, optional
        Look of each quantity to draw (default: those with the largest cumulative selection).
    **kwargs
        Passed on to `Axes.plot` for the lines of selection.

    Returns
    -------
    Axes
    """
    ax = own_axes(ax)
    if looks is None:
        looks = quantity_looks(leading(ledger))
    for quantity, look in looks.items():
        rows = ledger[(ledger["quantity"] == quantity).to_numpy()]
        selected = band(rows, "cumulative_selection")
        if selected is not None:
            draw_band(ax, selected, look, label=clean(quantity), clip_on=True, **kwargs)
        passed = band(rows, "cumulative_transmission")
        if passed is not None:
            ax.plot(passed.x, passed.mean, color=look.color, linewidth=0.8, dashes=(3, 2))
    ax.axhline(0.0, color="0.4", linewidth=0.7, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.margins(x=0.01, y=0.08)
    ax.set_xlabel("generation")
    return ax


def plot_heat(
    table: HeatTable,
    *,
    ax: Axes | None = None,
    reach: float | None = None,
    label_width: int = _LABEL,
    **kwargs: Any,
) -> Axes:
    """Draw cumulative selection as an annotated percept x action map, blue down and red up.

    `seaborn.heatmap` redraws the whole figure to rotate its labels; a figure has up to a dozen
    such maps, so this one places its own.

    Parameters
    ----------
    table : HeatTable
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).
    reach : float, optional
        Value at the ends of the palette (default: the largest absolute value).
    label_width : int
        Characters of a percept on one line.
    **kwargs
        Passed on to `Axes.pcolormesh`.

    Returns
    -------
    Axes
    """
    import seaborn as sns

    ax = own_axes(ax)
    if reach is None:
        reach = _largest([table])
    style = {
        "cmap": sns.color_palette("vlag", as_cmap=True),
        "vmin": -reach,
        "vmax": reach,
        "edgecolors": "white",
        "linewidth": 0.8,
    }
    mesh = ax.pcolormesh(np.ma.masked_invalid(table.cells), **(style | kwargs))
    shades = np.asarray(mesh.to_rgba(table.cells))
    for (i, j), value in np.ndenumerate(table.cells):
        if np.isfinite(value):
            ink = "white" if _luminance(shades[i, j]) < 0.45 else "black"
            text = number(value)
            ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=7, color=ink)
    ax.set_xticks(np.arange(len(table.actions)) + 0.5, [wrap(a, 18) for a in table.actions])
    ax.set_yticks(
        np.arange(len(table.percepts)) + 0.5, [wrap(p, label_width) for p in table.percepts]
    )
    ax.tick_params(length=0, labelsize=7)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def number(value: float) -> str:
    """Return a signed value with about two digits, rounding noise as 0."""
    if abs(value) < 5e-4:
        return "0"
    digits = 2 if abs(value) < 9.95 else 1 if abs(value) < 99.5 else 0
    if abs(value) < 0.005:
        digits = 3
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def leading(rows: pd.DataFrame, most: int = _MOST_LOCI) -> list[str]:
    """Return the quantities with the largest absolute cumulative selection, averaged, at the end.

    The first neutral marker, where there is one, closes the list as a reference.
    """
    last = rows[(rows["generation"] == rows["generation"].max()).to_numpy()]
    mean = last.groupby("quantity", observed=True, sort=False)["cumulative_selection"].mean()
    names = [str(q) for q in mean.abs().sort_values(ascending=False, kind="stable").index]
    markers = sorted(q for q in names if is_marker(q))
    return [q for q in names if not is_marker(q)][:most] + markers[:1]


def quantity_looks(quantities: Sequence[str]) -> dict[str, Look]:
    """Return solid looks for quantities (dashes mean transmission), markers as controls."""
    looks = {}
    for i, quantity in enumerate(quantities):
        look = control(0) if is_marker(quantity) else category(i)
        looks[quantity] = Look(look.color, (), look.marker, hollow=look.hollow)
    return looks


def heat_tables(rows: pd.DataFrame) -> list[HeatTable]:
    """Return one table per context from the last generation of one arm's rows of one kind."""
    rows = rows[rows["cumulative_selection"].notna()]
    rows = rows[(rows["generation"] == rows["generation"].max()).to_numpy()]
    tables = []
    for context in dict.fromkeys(rows["context"].fillna("").astype(str)):
        here = rows[(rows["context"].fillna("").astype(str) == context).to_numpy()]
        percepts = list(dict.fromkeys(here["percept"].astype(str)))
        actions = list(dict.fromkeys(here["action"].astype(str)))
        mean = here.groupby(["percept", "action"], observed=True)["cumulative_selection"].mean()
        values = np.full((len(percepts), len(actions)), np.nan)
        for place, value in zip(mean.index.to_list(), mean.to_list(), strict=True):
            values[percepts.index(str(place[0])), actions.index(str(place[1]))] = value
        tables.append(_strongest(HeatTable(values, percepts, actions, context)))
    return tables


def _strongest(table: HeatTable) -> HeatTable:
    """Keep the percepts with the strongest selection, in their order, where there are many."""
    if len(table.percepts) <= _MOST_PERCEPTS:
        return table
    force = np.nanmax(np.abs(np.nan_to_num(table.cells)), axis=1)
    keep = np.sort(np.argsort(-force, kind="stable")[:_MOST_PERCEPTS])
    percepts = [table.percepts[i] for i in keep]
    return HeatTable(table.cells[keep], percepts, table.actions, table.context)


def focus_arms(model: ScenarioModel, cells: Sequence[ArmCell], present: set[str]) -> list[str]:
    """Return the at most three arms whose ledger is drawn: the effect's, or the first, a control.

    Of a grid arm its first and last cells are taken.
    """
    cells = [cell for cell in cells if cell.label in present]
    wanted = [model.effect.arm, model.effect.control] if model.effect is not None else []
    wanted += [c.arm for c in sorted(cells, key=lambda c: c.control)]
    chosen: list[str] = []
    for name in dict.fromkeys(wanted):
        labels = [c.label for c in cells if name in (c.arm, c.label)]
        chosen += [labels[0], labels[-1]] if len(labels) > 1 else labels
    controls = [c.label for c in cells if c.control]
    if controls and not set(controls) & set(chosen[:3]):
        chosen.insert(2, controls[0])
    return list(dict.fromkeys([*chosen, *sorted(present)]))[:3]


def draw_ledger(run: Drawable) -> list[Figure]:
    """Return the figure of a run's ledger (none without rows): a row per arm in focus.

    Columns: cumulative selection by gene; on policy logits by percept and action; on acts by
    context.
    """
    table = run.ledger
    if table.empty:
        return []
    present = {str(arm) for arm in table["arm"].unique()}
    arms = focus_arms(run.scenario.model, run.scenario.arms(), present)
    table = table[table["arm"].isin(arms).to_numpy()]
    genes = table[(table["kind"] == "gene").to_numpy()]
    looks = quantity_looks(leading(genes)) if len(genes) else {}
    heats = {arm: _heats(table[(table["arm"] == arm).to_numpy()]) for arm in arms}
    if not looks and not any(heats.values()):
        return []
    return [_page(run.scenario.model.title, arms, genes, looks, heats)]


@dataclass(frozen=True)
class Heat:
    """A heat map with its kind, `logit` or `act`."""

    kind: str
    table: HeatTable

    def title(self) -> str:
        """Return the title in two lines."""
        where = f"in '{self.table.context}'" if self.table.context else "over the whole life"
        return f"{_KINDS[self.kind]}\n{wrap(where, 30)}"


def _heats(rows: pd.DataFrame) -> list[Heat]:
    """Return the heat maps of one arm: logits first, then acts by context.

    Where two actions have one logit between them, its column says which over which.
    """
    actions = [str(action) for action in rows["action"].unique() if action]
    out = []
    for kind in _KINDS:
        here = rows[(rows["kind"] == kind).to_numpy()]
        tables = heat_tables(here) if len(here) else []
        for table in tables[:_MOST_CONTEXTS]:
            if len(actions) == 2 and len(table.actions) == 1:
                (one,) = table.actions
                (other,) = {*actions} - {one}
                table = replace(table, actions=[f"{one} over {other}"])
            out.append(Heat(kind, table))
    return out


def _page(
    title: str,
    arms: Sequence[str],
    genes: pd.DataFrame,
    looks: Mapping[str, Look],
    heats: Mapping[str, Sequence[Heat]],
) -> Figure:
    widths = [3.3] if looks else []
    for k in range(max(len(h) for h in heats.values())):
        widths.append(_heat_width([h[k].table for h in heats.values() if k < len(h)]))
    tallest = max((len(heat.table.percepts) for h in heats.values() for heat in h), default=0)
    heights = [max(2.1, tallest * _CELL[1] + 0.7)] * len(arms)
    legend = Legend("", [x.handle() for x in looks.values()], [wrap(name, 34) for name in looks])
    figure, panels = page(title, widths, heights, [legend] if looks else [], note=_NOTE)
    reaches = {
        kind: _largest([x.table for h in heats.values() for x in h if x.kind == kind])
        for kind in _KINDS
    }
    for i, arm in enumerate(arms):
        axes = list(panels[i])
        if looks:
            _selection_panel(axes.pop(0), arm, genes, looks)
        for ax in axes[len(heats[arm]) :]:
            ax.remove()
        for ax, heat in zip(axes, heats[arm], strict=False):
            plot_heat(heat.table, ax=ax, reach=reaches[heat.kind])
            ax.set_title(heat.title(), fontsize=8)
    return figure


_NOTE = (
    "Sums since generation 0, mean over replicates (bands: 95% interval). Lines: solid is "
    "selection, thin dashed is transmission. Maps: red was selected for, blue against, white "
    "neither; one scale for all maps of a kind; acts are counted per life."
)


def _selection_panel(ax: Axes, arm: str, genes: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    plot_selection(genes[(genes["arm"] == arm).to_numpy()], ax=ax, looks=looks)
    ax.set_ylabel("cumulative selection")
    ax.set_title(wrap(arm, 40))


def _heat_width(tables: Sequence[HeatTable]) -> float:
    label = max(min(_LABEL, len(percept)) for t in tables for percept in t.percepts) * 0.06
    return max(1.3, max(len(t.actions) for t in tables) * _CELL[0]) + label + 0.25


def _largest(tables: Sequence[HeatTable]) -> float:
    """Return the largest absolute value of the tables, 1 where all are 0 or missing."""
    most = max((float(np.abs(np.nan_to_num(t.cells)).max(initial=0)) for t in tables), default=0)
    return most if most > 0 else 1.0


def _luminance(rgba: Any) -> float:
    red, green, blue = rgba[:3]
    return float(0.299 * red + 0.587 * green + 0.114 * blue)
