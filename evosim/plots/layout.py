"""Pages of panels: a legend above each column (or above all), rows that share their y axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.plots.style import new_figure, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: Axes in rows and columns (an object array; its items have no type of their own).
Panels = NDArray[Any]


@dataclass(frozen=True)
class Legend:
    """A legend and the heading of the panels below it.

    Parameters
    ----------
    title : str
    handles : list
    labels : list of str
        Wrapped and made drawable already.
    """

    title: str
    handles: Sequence[Any]
    labels: Sequence[str]

    def columns(self, width: float) -> int:
        """Return how many columns of entries fit into `width` inches."""
        longest = max((len(line) for label in self.labels for line in label.split("\n")), default=0)
        return max(1, min(len(self.labels), int(width / (0.066 * longest + 0.6))))

    def height(self, width: float) -> float:
        """Return the height in inches that the legend takes."""
        rows = -(-len(self.labels) // self.columns(width))
        lines = max((label.count("\n") + 1 for label in self.labels), default=0)
        return 0.17 * bool(self.title) * (self.title.count("\n") + 1) + 0.165 * rows * lines + 0.06


def heading(title: str, width: float) -> str:
    """Return a legend title wrapped to `width` inches."""
    return wrap(title, max(12, int(width * 12.5)))


def page(
    title: str,
    widths: Sequence[float],
    heights: Sequence[float],
    legends: Sequence[Legend],
    *,
    note: str = "",
) -> tuple[Figure, Panels]:
    """Return a titled figure and its panels [rows, columns], legends drawn.

    Parameters
    ----------
    title : str
        Of the whole figure; wrapped.
    widths, heights : sequence of float
        Inches of the columns and rows, axis labels included.
    legends : sequence of Legend
        One per column, or a single one for all columns.
    note : str
        Small print under the panels.
    """
    total = max(5.0, sum(widths))
    spans = [total]
    if len(legends) != 1:
        spans = [total * w / sum(widths) for w in widths][: len(legends)]
    top = max((x.height(w - 0.5) for x, w in zip(legends, spans, strict=True)), default=0.0)
    title = wrap(title, int(total * 11))
    note = wrap(note, int(total * 14.5), balanced=False)
    extra = 0.2 * (title.count("\n") + 1) + 0.14 * (note.count("\n") + 1) + 0.25
    figure = new_figure(total, sum(heights) + top + extra)
    figure.suptitle(title, x=0.012, ha="left", fontsize=10.5, fontweight="bold")
    figure.supxlabel(note, x=0.012, ha="left", fontsize=7.5, color="0.25")
    ratios = [top, *heights] if legends else list(heights)
    grid = figure.add_gridspec(len(ratios), len(widths), height_ratios=ratios, width_ratios=widths)
    for i, legend in enumerate(legends):
        ax = figure.add_subplot(grid[0, :] if len(legends) == 1 else grid[0, i])
        _draw_legend(ax, legend, legend.columns(spans[i] - 0.5))
    panels = np.empty((len(heights), len(widths)), dtype=object)
    for index in np.ndindex(panels.shape):
        panels[index] = figure.add_subplot(grid[index[0] + bool(legends), index[1]])
    return figure, panels


def _draw_legend(ax: Axes, legend: Legend, columns: int) -> None:
    """Turn `ax` into nothing but a legend at its lower left, next to its panels."""
    ax.axis("off")
    drawn = ax.legend(
        legend.handles,
        legend.labels,
        loc="lower left",
        borderaxespad=0.0,
        borderpad=0.0,
        title=legend.title or None,
        alignment="left",
        ncols=columns,
        handlelength=2.6,
        columnspacing=1.2,
    )
    drawn.get_title().set(fontweight="bold", fontsize=9)


def facet(panels: Panels) -> None:
    """Let panels of a row share the y axis; keep only the outer tick labels and axis labels."""
    for row in panels:
        ends = [end for ax in row for end in ax.get_ylim()]
        for ax in row[1:]:
            ax.sharey(row[0])
            ax.tick_params(labelleft=False)
            ax.set_ylabel("")
            ax.set_title("")
        row[0].set_ylim(min(ends), max(ends))
    for ax in panels[:-1].flat:
        ax.tick_params(labelbottom=False)
        ax.set_xlabel("")


def even_pages(count: int, most: int) -> list[slice]:
    """Return slices that cut `count` columns into pages of at most `most`, of similar size."""
    pages = -(-count // most)
    size = -(-count // max(1, pages))
    return [slice(start, start + size) for start in range(0, count, max(1, size))]
