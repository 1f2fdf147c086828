"""Looks shared by every figure: colours and dashes of arms, text, axes and files.

Colours survive colour blindness and a grey printer: plain arms take the palette of Okabe and
Ito (2008) *and* a dash and a marker of their own, grid arms take steps of a palette whose
lightness rises with the parameter, controls are grey, dashed and marked.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A colour as red, green, blue in [0, 1], or a name.
Color = str | tuple[float, float, float]

#: Lightest point of the sequential palette that still stands out from white paper.
_LIGHTEST = 0.84
_DPI = 150
_FONT = "DejaVu Sans"  # ships with matplotlib: the same glyphs and widths everywhere

_CATEGORIES: tuple[Color, ...] = (
    "#000000",
    "#D55E00",
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#7A4F00",
)
_DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (6.0, 1.6),
    (2.2, 1.2),
    (7.0, 1.6, 1.4, 1.6),
    (1.1, 1.1),
    (9.0, 2.0),
    (4.0, 1.2, 1.2, 1.2, 1.2, 1.2),
    (3.0, 3.0),
)
_MARKERS = ("", "s", "^", "D", "v", "P", "o", "X")
_CONTROL_GREYS = ("0.45", "0.62", "0.30", "0.70")
_CONTROL_MARKERS = ("o", "x", "s", "+")


@dataclass(frozen=True)
class Look:
    """How one series is drawn.

    Parameters
    ----------
    color : str or tuple of float
    dash : tuple of float
        Lengths of ink and gap in points; empty for a solid line.
    marker : str
        Matplotlib marker, or "" for none.
    hollow : bool
        Draw the marker's face white (controls).
    """

    color: Color
    dash: tuple[float, ...] = ()
    marker: str = ""
    hollow: bool = False
    width: float = 1.5

    def line(self) -> dict[str, Any]:
        """Return the keyword arguments of `Axes.plot` (without `markevery`)."""
        return {
            "color": self.color,
            "linewidth": self.width,
            "linestyle": (0, self.dash) if self.dash else "-",
            "marker": self.marker or "None",
            "markersize": 4.5,
            "markerfacecolor": "white" if self.hollow else self.color,
            "markeredgecolor": self.color,
        }

    def handle(self) -> Line2D:
        """Return a legend entry."""
        return Line2D([], [], **self.line())


def category(index: int) -> Look:
    """Return the look of the `index`-th of several unordered things (repeats after eight)."""
    i = index % len(_CATEGORIES)
    return Look(_CATEGORIES[i], _DASHES[i], _MARKERS[i])


def control(index: int) -> Look:
    """Return the look of the `index`-th control: grey, dashed, hollow markers."""
    i = index % len(_CONTROL_GREYS)
    return Look(_CONTROL_GREYS[i], (4.0, 2.0), _CONTROL_MARKERS[i], hollow=True, width=1.3)


def sequence(count: int, *, grey: bool = False) -> list[Look]:
    """Return `count` looks from dark to light, for an ordered parameter."""
    palette = sns.color_palette("Greys_r" if grey else "viridis", as_cmap=True)
    lightest = 0.62 if grey else _LIGHTEST
    steps = [0.0 if count == 1 else lightest * i / (count - 1) for i in range(count)]
    dash = (4.0, 2.0) if grey else ()
    return [Look(tuple(palette(step)[:3]), dash) for step in steps]


@lru_cache(maxsize=1)
def _known_glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(_FONT)).get_charmap())


def clean(text: str) -> str:
    """Return `text` as matplotlib can set it: no formulas, no glyph that the font lacks."""
    known = _known_glyphs()
    shown = "".join(c if c == "\n" or ord(c) in known else "?" for c in text)
    return shown.replace("$", r"\$")


def wrap(text: str, width: int, *, balanced: bool = True) -> str:
    """Return `text` in lines of at most `width` characters, of similar length, drawable."""
    words = " ".join(text.split())
    lines = textwrap.wrap(words, width)
    for narrower in range(width - 1, max(width // 2, 1) if balanced else width, -1):
        candidate = textwrap.wrap(words, narrower)
        if len(candidate) > len(lines) or _breaks_word(candidate, words):
            break
        lines = candidate
    return clean("\n".join(lines))


def _breaks_word(lines: Sequence[str], words: str) -> bool:
    return " ".join(lines) != words


@contextmanager
def figure_style() -> Iterator[None]:
    """Apply evosim's looks inside a `with` block, whatever the user's matplotlibrc says."""
    looks = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("paper"),
        "font.family": [_FONT],
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8.5,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.title_fontsize": 8,
        "legend.frameon": False,
        "legend.handlelength": 3.2,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "0.9",
        "grid.linewidth": 0.6,
        "axes.linewidth": 0.8,
        "axes.formatter.useoffset": False,
        "xtick.major.width": 0.8,
        "ytick.major.width": 0.8,
        "svg.hashsalt": "evosim",  # the same figure is the same file
    }
    with mpl.style.context(["default", looks]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` x `height` inches, outside pyplot's global state."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.06, h_pad=0.06, wspace=0.02, hspace=0.02)  # type: ignore[call-arg]
    return figure


def own_axes(ax: Axes | None) -> Axes:
    """Return `ax`, or the current axes of pyplot as seaborn's functions do."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.gca()


def bounded(ax: Axes, bounds: tuple[float, float] | None) -> None:
    """Fix the y axis to `bounds`, or leave it a little room when there are none."""
    if bounds is None:
        ax.margins(y=0.08)
        return
    ax.set_ylim(*bounds)
    if bounds == (0.0, 1.0):
        ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])


def settle(figure: Figure) -> None:
    """Solve the layout of `figure` and keep it.

    Positions are rounded, because the solver's last bit differs from call to call. Panels are
    measured before they get their size, with which the ticks may change: where longer labels then
    reach over the edge, they are measured once more.
    """
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    if box.x0 < 0 or box.y0 < 0 or (box.max > figure.get_size_inches()).any():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        left, bottom, width, height = np.round(ax.get_position(original=True).bounds, 9)
        ax.set_position((left, bottom, width, height))


def save(figure: Figure, directory: Path, stem: str) -> list[Path]:
    """Write `figure` as PNG and SVG and return both paths.

    The layout is solved once and kept, and the canvases print directly: `Figure.savefig` would
    lay out and draw every figure three more times.
    """
    settle(figure)
    paths = [directory / f"{stem}.png", directory / f"{stem}.svg"]
    png: Any = FigureCanvasAgg(figure)
    png.print_png(paths[0], metadata={"Software": None})
    svg: Any = FigureCanvasSVG(figure)
    svg.print_svg(paths[1], metadata={"Date": None})
    return paths
