"""The record of selection as a picture: which action was built for which percept, and when.

A strip per percept over the generations, in the colour of the action that the sums of selection
prefer there. Below those that training showed stand percepts that it never showed, to which the
record is carried over by cues, as the predictor LEDGER does; a dot says which action would pay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evosim.errors import UserError
from evosim.plots.bands import Floats
from evosim.plots.layout import Legend, page
from evosim.plots.ledger import focus_arms
from evosim.plots.style import category, clean, own_axes, wrap
from evosim.predict.objective import softmax
from evosim.predict.selected import extrapolation
from evosim.predict.worth import Dynamics, action_values, dynamics
from evosim.resolve import resolve
from evosim.worlds.build import percept_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evosim.plots import Drawable
    from evosim.scenario import ArmCell
    from evosim.worlds.tabular import TabularWorld

#: Most percepts of each group (met, never met) in one panel.
_MOST = 9
_LABEL = 46  # characters of a strip's name
_STRIP = 0.21  # inches
_PIXELS = 240
#: Action values that differ by less than this share of the largest difference are as good.
_AS_GOOD = 1e-6


@dataclass(frozen=True)
class Strip:
    """What the record says at one percept of one context.

    Attributes
    ----------
    context, percept : str
    met : bool
        Whether training shows it.
    preferred : (G, A) float64
        Probabilities of the actions by the sums of selection so far.
    pays : int
        The action that is worth most there; -1 where several are as good.
    """

    context: str
    percept: str
    met: bool
    preferred: Floats
    pays: int


def plot_record(strips: Sequence[Strip], generations: Floats, *, ax: Axes | None = None) -> Axes:
    """Draw one strip per percept, coloured by the preferred action, fuller where it is surer.

    Parameters
    ----------
    strips : sequence of Strip
        From top to bottom; those met first.
    generations : (G,) float64
        Ascending.
    ax : Axes, optional
        Where to draw (default: pyplot's current axes).

    Returns
    -------
    Axes
    """
    ax = own_axes(ax)
    first, last = float(generations[0]), float(max(generations[-1], generations[0] + 1))
    at = np.searchsorted(generations, np.linspace(first, last, _PIXELS), side="right") - 1
    picture = np.stack([_colours(strip.preferred)[at] for strip in strips])
    ax.imshow(picture, aspect="auto", interpolation="nearest", extent=(first, last, len(strips), 0))
    for i, strip in enumerate(strips):
        ax.axhline(i, color="white", linewidth=1.5)
        if strip.pays >= 0:
            ax.plot(
                1.02, i + 0.5, color=_colour(strip.pays), marker="o", markersize=5,
                markeredgecolor="0.2", markeredgewidth=0.5, clip_on=False,
                transform=ax.get_yaxis_transform(),
            )  # fmt: skip
    met = sum(strip.met for strip in strips)
    if 0 < met < len(strips):
        ax.axhline(met, color="black", linewidth=1.0)
    ax.set_yticks(np.arange(len(strips)) + 0.5, [_name(strip) for strip in strips], fontsize=7)
    for label, strip in zip(ax.get_yticklabels(), strips, strict=True):
        label.set_fontstyle("normal" if strip.met else "italic")
    ax.set_ylim(len(strips), 0)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("generation")
    return ax


def read_record(ledger: pd.DataFrame, cell: ArmCell) -> tuple[list[Strip], Floats, tuple[str, ...]]:
    """Return what a ledger says of one arm: strips, generations, actions; empty without logits.

    Parameters
    ----------
    ledger : DataFrame
        Of a run; means over replicates are taken.
    cell : ArmCell
    """
    resolved = resolve(cell.model)
    world = resolved.world
    rows = ledger[((ledger["arm"] == cell.label) & (ledger["kind"] == "logit")).to_numpy()]
    rows = rows[rows["cumulative_selection"].notna()]
    if world is None or resolved.world_tag.numba_type.kind != "tabular" or rows.empty:
        return [], np.zeros(0), ()
    of = {percept_label(world, p): p for p in range(world.percept_cue.shape[0])}
    rows = rows[rows["percept"].isin(list(of)).to_numpy()]
    if rows.empty:
        return [], np.zeros(0), ()
    table = rows.pivot_table(
        index="percept", columns=["generation", "action"], values="cumulative_selection",
        observed=True,
    )  # fmt: skip
    actions = [a for a in world.actions if a in set(rows["action"])]
    generations = np.array(sorted(rows["generation"].unique()), np.float64)
    logits = np.stack(
        [table.xs(action, axis=1, level="action").to_numpy(np.float64) for action in actions],
        axis=2,
    )
    if len(actions) == 1:  # two actions have one logit, that of the first over the second
        logits = np.concatenate([logits, np.zeros_like(logits)], axis=2)
    met = np.array([of[str(label)] for label in table.index])
    if generations[0] > 0:  # nobody has been selected yet
        generations = np.concatenate([[0.0], generations])
        logits = np.concatenate([np.zeros_like(logits[:, :1]), logits], axis=1)
    if resolved.is_linear and resolved.mind is not None:
        logits = logits / resolved.mind.temperature
    strips = _strips(world, met, logits)
    return _strongest(strips), generations, world.actions


def _strips(world: TabularWorld, met: NDArray[np.int64], logits: Floats) -> list[Strip]:
    """Return a strip for every percept of each context, met ones first."""
    cues = world.percept_cue.astype(np.float64)
    share = world.variant_frequency(world.frequency)
    found: dict[int, Strip | None] = {}
    for v in np.argsort(share <= 0, kind="stable"):
        tables = dynamics(world, int(v))
        worth = action_values(tables, world.steps)[-1]
        visits = _visits(tables, worth, world.steps)
        for p in np.unique(world.percept[v][visits > 0]).tolist():
            known = np.flatnonzero(met == p)
            if p in found:
                continue
            if share[v] > 0 and not known.size:
                found[p] = None  # met, but the ledger does not follow it
                continue
            if known.size:
                mean = logits[known[0]]
            else:
                carried = extrapolation(cues[met], cues[p : p + 1]).share[0]
                mean = np.tensordot(carried, logits, axes=1)
            weight = np.where(world.percept[v] == p, visits, 0.0)
            best = weight @ worth / weight.sum()
            found[p] = Strip(
                world.contexts[world.variant_context[v]],
                _told(world, p),
                bool(known.size),
                softmax(mean),
                _only_best(best),
            )
    strips = [strip for strip in found.values() if strip is not None]
    return sorted(strips, key=lambda strip: not strip.met)


def _visits(tables: Dynamics, worth: Floats, steps: int) -> Floats:
    """Return (S,) visits in an episode of who does every second time what is worth most."""
    actions = worth.shape[1]
    policy = 0.5 / actions + 0.5 * np.eye(actions)[worth.argmax(axis=1)]
    goes = tables.following >= 0
    here: Floats = tables.start
    total = np.zeros_like(here)
    for _ in range(steps):
        total = total + here
        flow = (here[:, None] * policy)[:, :, None] * tables.chance
        arrived = np.bincount(tables.following[goes], flow[goes], minlength=here.size)
        here = np.asarray(arrived, np.float64)
    return np.asarray(total)


def _told(world: TabularWorld, p: int) -> str:
    """Return the cues of a percept that are not the same in all."""
    differs = np.ptp(world.percept_cue, axis=0) > 0
    words = [
        name if "=" in name and value == 1 else f"{name} = {value:g}"
        for name, value, tells in zip(world.cue_names, world.percept_cue[p], differs, strict=True)
        if tells and value != 0
    ]
    return ", ".join(words) or "no cue"


def _only_best(worth: Floats) -> int:
    spread = worth.max() - worth.min()
    best = np.flatnonzero(worth >= worth.max() - _AS_GOOD * spread)
    return int(best[0]) if best.size == 1 and spread > 0 else -1


def _strongest(strips: Sequence[Strip]) -> list[Strip]:
    """Keep the percepts with the surest preferences of either group, in their order."""
    kept: list[Strip] = []
    for met in (True, False):
        group = [strip for strip in strips if strip.met == met]
        force = np.array([strip.preferred[-1].max() for strip in group])
        chosen = np.sort(np.argsort(-force, kind="stable")[:_MOST])
        kept += [group[i] for i in chosen]
    return kept


def _colours(preferred: Floats) -> Floats:
    """Return (G, 3) colours: that of the action most preferred, whiter where it is less sure."""
    actions = preferred.shape[1]
    top = preferred.argmax(axis=1)
    sure = (preferred.max(axis=1) - 1.0 / actions) / (1.0 - 1.0 / actions)
    full = np.array([to_rgb(_colour(a)) for a in range(actions)])[top]
    return np.asarray(1.0 - sure[:, None] * (1.0 - full))


def _colour(action: int) -> str:
    return to_hex(category(action + 1).color)  # the first one is black


def _name(strip: Strip) -> str:
    text = f"{strip.context}: {strip.percept}"
    return clean(text if len(text) <= _LABEL else text[: _LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}")


def draw_record(run: Drawable) -> list[Figure]:
    """Return the figure of a run's record (none without logits): a panel per arm in focus."""
    ledger = run.ledger
    if ledger.empty:
        return []
    cells = run.scenario.arms()
    present = {str(arm) for arm in ledger["arm"].unique()}
    arms = focus_arms(run.scenario.model, cells, present)
    found = []
    for cell in cells:
        if cell.label in arms:
            try:
                strips, generations, actions = read_record(ledger, cell)
            except UserError:  # payoff once a life, or values that do not settle: nothing to ask
                continue
            if strips:
                found.append((cell.label, strips, generations, actions))
    found.sort(key=lambda entry: arms.index(entry[0]))
    return [_page(run.scenario.model.title, found)] if found else []


def _page(title: str, found: Sequence[tuple[str, list[Strip], Floats, tuple[str, ...]]]) -> Figure:
    actions = found[0][3]
    handles = [
        Line2D([], [], linestyle="None", marker="s", markersize=7, color=_colour(a))
        for a in range(len(actions))
    ]
    longest = max(len(_name(strip)) for _, strips, *_ in found for strip in strips)
    width = 4.6 + 0.058 * longest
    heights = [_STRIP * len(strips) + 0.65 for _, strips, *_ in found]
    legend = Legend("", handles, [clean(action) for action in actions])
    head = f"What selection built, and when. {title}"
    figure, panels = page(head, [width], heights, [legend], note=_NOTE)
    for (arm, strips, generations, _), ax in zip(found, panels[:, 0], strict=True):
        plot_record(strips, generations, ax=ax)
        ax.set_title(wrap(arm, 60))
    return figure


_NOTE = (
    "Colour: the action that the sums of selection so far prefer, the fuller the surer (mean over "
    "replicates). In italics, below the line: percepts that training never showed, to which the "
    "record is carried over by cues. Dots: the action that pays most there, where only one does."
)
