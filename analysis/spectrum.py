"""The bad-exploration spectrum: one loop, five minds, told apart by how far ahead they avoid.

Usage: python analysis/spectrum.py [RESULTS_DIR] [--out FILE]

Reads only the tables of finished runs. Panel a: the minds of scenarios/spectrum.toml in one world.
Panel b: minds in worlds of their own (racer, fork, schoolchildren, steering, pages), as far as
their results lie beside those of 'spectrum'. Panel c: lock-in of evolving populations, from
scenarios/spectrum_evolving.toml. In a and b, x is the foresight horizon and y the share of lives
that are locked in, with and without the accident; size is the coverage gap, shade the competence
elsewhere, and the number at a point its unlock dose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import seaborn as sns
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from evosim.errors import UserError
from evosim.plots.layout import Legend, page
from evosim.plots.script import find_run, need, run_script
from evosim.plots.style import Look, category, control, wrap
from evosim.plots.trajectories import plot_measure
from evosim.spectrum import CHANGE, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evosim.results import Run
    from evosim.scenario import ArmCell
    from evosim.scenario.study_parts import Trial

#: Minds in the order of their foresight, and how their points look.
MARKERS = {"reflex": "o", "model-free": "s", "lookahead": "^", "abstract": "D", "reflective": "v"}
#: Worlds in which each mind is at home.
NATIVE = ("racer", "fork", "schoolchildren", "steering", "pages")
EVOLVING = "spectrum_evolving"
#: The arm of planners of several depths at a higher temperature.
BY_DEPTH = "warmer"
#: Ends of the scale of competence; what lies beyond takes the shade of the end.
WORST, BEST = -0.25, 1.0
#: Points closer than this in horizon and lock-in would cover each other ...
NEAR = (0.25, 0.2)
#: ... and stand so far apart.
APART = 0.74


@dataclass(frozen=True)
class ByPopulation:
    """How to read a world whose learner is a population, not an agent in its life.

    Attributes
    ----------
    mind : str
        The rung that it stands for.
    control : str
        The arm that shows what happens without the bad habit.
    measure, above : str, float
        A population is locked in where this is above that at the end.
    ahead : dict of int -> str
        Steps before the place that is avoided, and the measure of avoiding it there.
    """

    mind: str
    control: str
    measure: str
    above: float
    ahead: dict[int, str]


POPULATIONS = {
    "steering": ByPopulation(
        "abstract", "no bias", "assay.searched in English", 0.8,
        {1: "assay.steer, last turn", 3: "assay.steer, first turn"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One mind in one world.

    Attributes
    ----------
    mind : str
    lives : int
        Of agents, or of populations, that `locked` and `calm` are shares of.
    locked, calm : float
        Shares locked in, with the accident and without.
    horizon, gap, competence : float
        NaN where it is not measured.
    dose : str
        Forced entries that unlock; empty where nobody was forced.
    world : str
        Its name, where points of one panel have worlds of their own.
    """

    mind: str
    lives: int
    locked: float
    calm: float
    horizon: float
    gap: float
    competence: float
    dose: str
    world: str = ""


def paired_trial(cell: ArmCell) -> Trial | None:
    """Return the first trial with a control."""
    return next((trial for trial in cell.model.trial if trial.control is not None), None)


def point_of(run: Run, cell: ArmCell) -> Point | None:
    """Return the point of an arm, from the first generation in which its trial was lived."""
    trial = paired_trial(cell)
    if trial is None or f"trial.{trial.name}.lock_in" not in run.trajectory:
        return None
    rows = run.trajectory[(run.trajectory["arm"] == cell.label).to_numpy()]
    rows = rows[rows[f"trial.{trial.name}.lock_in"].notna().to_numpy()]
    if rows.empty:
        return None
    rows = rows[(rows["generation"] == rows["generation"].min()).to_numpy()]

    def mean(name: str, of: str = trial.name) -> float:
        column = f"trial.{of}.{name}"
        return float(rows[column].astype("float64").mean()) if column in rows else math.nan

    agents = min(cell.model.population.agents, trial.agents or cell.model.population.agents)
    return Point(
        mind=cell.model.mind.kind,
        lives=agents * len(rows),
        locked=mean("lock_in"),
        calm=mean("lock_in", str(trial.control)),
        horizon=mean("horizon"),
        gap=mean("coverage_gap"),
        competence=mean("competence"),
        dose=_dose(mean("unlock_dose"), trial.forced),
    )


def _dose(dose: float, forced: int) -> str:
    if not forced or math.isnan(dose):
        return ""
    return f"> {forced}" if dose > forced else f"{dose:.0f}"


def bench_points(run: Run) -> list[Point]:
    """Return one point per kind of mind: that of the first arm which has it."""
    found: dict[str, Point] = {}
    for cell in run.scenario.arms():
        if cell.model.mind.kind in found or cell.control:
            continue
        # Of several arms with one kind of mind the one with a dose is the mind's own.
        if (point := point_of(run, cell)) is not None and point.dose:
            found[point.mind] = point
    return [found[mind] for mind in MARKERS if mind in found]


def depth_line(run: Run) -> list[tuple[int, Point]]:
    """Return (depth, point) along the arm in which planners choose less strictly."""
    points = []
    for cell in run.scenario.arms():
        if cell.arm == BY_DEPTH and (point := point_of(run, cell)) is not None:
            points.append((int(cell.cell["mind.depth"]), point))
    return points


def draw_depths(ax: Axes, line: Sequence[tuple[int, Point]]) -> None:
    """Draw planners by depth, and write the first depth and the last."""
    if not line:
        return
    x, y = [point.horizon for _, point in line], [point.locked for _, point in line]
    ax.plot(x, y, color="0.5", linewidth=0.9, marker="^", markersize=3.5, zorder=1)
    places = {0: (7, 11, "left"), len(x) - 1: (-3, -9, "right")}
    for i, (dx, dy, ha) in places.items():
        ax.annotate(
            f"d = {line[i][0]}", (x[i], y[i]), (dx, dy), textcoords="offset points",
            ha=ha, va="center", fontsize=7, color="0.3",
        )  # fmt: skip


def population_point(run: Run, how: ByPopulation) -> Point:
    """Return the point of populations, from the last generation of the file's own arm."""

    def ends(arm: str, measure: str) -> NDArray[np.float64]:
        need(measure in run.trajectory, f"a column '{measure}'", run)
        rows = run.trajectory[(run.trajectory["arm"] == arm).to_numpy()]
        rows = rows[(rows["generation"] == rows["generation"].max()).to_numpy()]
        return rows[measure].to_numpy(np.float64)

    own = run.scenario.arms()[0].label
    # As in `evosim.spectrum.horizon`: the change must be larger than CHANGE, and surely above 0.
    horizon = 0
    for steps, measure in how.ahead.items():
        change = ends(own, measure) - ends(how.control, measure)
        sure = 1.96 * change.std(ddof=1) / math.sqrt(change.size)
        if change.mean() > max(CHANGE, sure):
            horizon = max(horizon, steps)
    return Point(
        mind=how.mind,
        lives=ends(own, how.measure).size,
        locked=float((ends(own, how.measure) > how.above).mean()),
        calm=float((ends(how.control, how.measure) > how.above).mean()),
        horizon=float(horizon),
        gap=math.nan,
        competence=math.nan,
        dose="",
    )


def native_points(runs: Mapping[str, Run]) -> list[Point]:
    """Return the point of each world's own arm."""
    points = []
    for world, run in runs.items():
        if world in POPULATIONS:
            point: Point | None = population_point(run, POPULATIONS[world])
        else:
            point = point_of(run, run.scenario.arms()[0])
        if point is not None:
            points.append(replace(point, world=world))
    return points


def beside(run: Run, names: Sequence[str]) -> dict[str, Run]:
    """Return those of the named runs that lie beside a run."""
    assert run.path is not None
    found = {}
    for name in names:
        try:
            found[name] = find_run(run.path.parent / name, name)
        except UserError:
            continue
    return found


def side_by_side(points: Sequence[Point]) -> list[float]:
    """Return where points stand: of near ones the first in its place, the others to its right."""
    places: dict[int, float] = {}
    for i in sorted(range(len(points)), key=lambda i: points[i].horizon):
        x = points[i].horizon
        while any(_near(points[i], x, points[j], places[j]) for j in places):
            x += APART
        places[i] = x
    return [places[i] for i in range(len(points))]


def _near(one: Point, x: float, other: Point, there: float) -> bool:
    """Whether two points, standing at x and there, would cover each other."""
    return abs(x - there) < NEAR[0] and abs(one.locked - other.locked) < NEAR[1]


def beside_point(
    points: Sequence[Point],
    places: Sequence[float],
    i: int,
    line: Sequence[tuple[int, Point]] = (),
) -> bool:
    """Whether the dose of a point is written to its right: something else stands below it."""
    others = [(places[j], points[j].locked) for j in range(len(points)) if j != i]
    others += [(point.horizon, point.locked) for _, point in line]
    return any(abs(x - places[i]) < 0.5 and 0.0 < points[i].locked - y < NEAR[1] for x, y in others)


def shade() -> ScalarMappable:
    """Return the scale of competence: dark is bad, and no shade is too light for white paper."""
    colours = sns.color_palette("viridis", as_cmap=True)
    light = sns.blend_palette([colours(0.0), colours(0.45), colours(0.85)], as_cmap=True)
    return ScalarMappable(Normalize(WORST, BEST, clip=True), light)


def area(gap: float) -> float:
    """Return the area of a point in square points; the smallest where there is no gap."""
    return 30.0 + 110.0 * min(max(0.0, gap), 1.0)


def draw_points(
    ax: Axes,
    points: Sequence[Point],
    scale: ScalarMappable,
    line: Sequence[tuple[int, Point]] = (),
) -> None:
    """Draw minds by horizon and lock-in, each with what its twins do without the accident.

    `line` is drawn already; no dose is written across it.
    """
    places = side_by_side(points)
    for i, (point, x) in enumerate(zip(points, places, strict=True)):
        for y, is_control in ((point.calm, True), (point.locked, False)):
            if math.isnan(y):
                continue
            # From where it would stand to where there is room.
            ax.hlines(y, point.horizon, x, color="0.35", linewidth=0.9, linestyle=":", zorder=1)
            low, high = wilson(round(y * point.lives), point.lives)
            ax.vlines(x, low, high, color="0.35", linewidth=1.1, zorder=1)
            unknown = math.isnan(point.competence)
            face = "white" if is_control or unknown else scale.to_rgba(point.competence)
            ax.scatter(
                [x], [y], s=area(0.0 if is_control else point.gap), marker=MARKERS[point.mind],
                facecolor=[face], edgecolor="0.2", linewidth=0.9, zorder=2, clip_on=False,
                hatch="" if is_control or not unknown else "//////",
            )  # fmt: skip
        if point.world and not math.isnan(point.calm):
            ax.annotate(
                point.world, (x, point.calm), (4, 6), textcoords="offset points", rotation=50,
                rotation_mode="anchor", ha="left", va="bottom", fontsize=7.5,
            )  # fmt: skip
        if point.dose:
            right = beside_point(points, places, i, line)
            ax.annotate(
                point.dose, (x, point.locked), (10, 0) if right else (0, -12),
                textcoords="offset points", ha="left" if right else "center",
                va="center" if right else "top", fontsize=7.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
            )  # fmt: skip
    ax.set_ylim(-0.04, 1.06)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    far = max([4.0, *(point.horizon for point in points)])
    ax.set_xlim(-0.5, far + 1.25)
    ax.set_xticks(range(int(far) + 1))
    ax.set_xlabel("foresight horizon H (steps)")
    ax.set_ylabel("locked in (share of lives)")


def say(ax: Axes, text: str) -> None:
    """Write in an empty panel why it is empty."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, wrap(text, 34), transform=ax.transAxes, ha="center", va="center", color="0.3")


def evolving_looks(run: Run) -> dict[str, Look]:
    """Return looks of the evolving arms."""
    looks, controls = {}, 0
    for cell in run.scenario.arms():
        looks[cell.label] = control(controls) if cell.control else category(len(looks) - controls)
        controls += cell.control
    return looks


def draw_evolving(ax: Axes, run: Run | None) -> None:
    """Draw lock-in over evolutionary time, arm by arm."""
    if run is None:
        say(ax, f"no results of '{EVOLVING}' beside these")
        return
    trial = paired_trial(run.scenario.arms()[0])
    name = f"trial.{trial.name}.lock_in" if trial is not None else ""
    need(name in run.trajectory, "a trial with a control", run)
    data = run.trajectory[["arm", "replicate", "generation", name]].rename(columns={name: "value"})
    data = data[data["value"].notna().to_numpy()].astype({"value": "float64"})
    plot_measure(data, ax=ax, looks=evolving_looks(run))
    ax.set_ylim(-0.04, 1.06)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    ax.set_ylabel("locked in when it happens again")
    ax.set_xlabel("generation")


def legends_of(points: Sequence[Point], evolving: Run | None) -> list[Legend]:
    """Return a legend per panel: minds; controls, sizes and depths; the arms that evolve."""
    minds = [mind for mind in MARKERS if any(point.mind == mind for point in points)]
    looks = evolving_looks(evolving) if evolving is not None else {}
    how = [_dot("o", "white", 0.0), _dot("o", "0.55", 0.0), _dot("o", "0.55", 1.0)]
    how.append(Line2D([], [], color="0.5", linewidth=0.9, marker="^", markersize=3.5))
    what = ["no accident", "coverage gap 0", "coverage gap 1", "d steps ahead, warmer"]
    return [
        Legend("", [_dot(MARKERS[mind], "0.55", 0.5) for mind in minds], minds),
        Legend("", how, what),
        Legend("", [look.handle() for look in looks.values()], [wrap(arm, 40) for arm in looks]),
    ]


def _dot(marker: str, face: str, gap: float) -> Line2D:
    size = math.sqrt(area(gap))
    return Line2D(
        [], [], linestyle="", marker=marker, markersize=size, markerfacecolor=face,
        markeredgecolor="0.2",
    )  # fmt: skip


def draw(run: Run) -> Figure:
    """Return the figure of a run of the bench world and of what lies beside it."""
    bench = bench_points(run)
    need(bool(bench), "trials of several minds, with forced entries", run)
    native = native_points(beside(run, NATIVE))
    evolving = beside(run, [EVOLVING]).get(EVOLVING)
    legends = legends_of([*bench, *native], evolving)
    figure, panels = page(run.scenario.model.title, [3.4, 3.4, 3.6], [3.3], legends, note=_NOTE)
    left, middle, right = panels[0]
    scale = shade()
    depths = depth_line(run)
    draw_depths(left, depths)
    draw_points(left, bench, scale, depths)
    left.set_title("a   one world for all")
    if native:
        draw_points(middle, native, scale)
    else:
        say(middle, f"no results of {', '.join(NATIVE)} beside these")
    middle.set_title("b   worlds of their own")
    draw_evolving(right, evolving)
    right.set_title("c   as populations evolve")
    bar = figure.colorbar(scale, ax=[left, middle], location="bottom", shrink=0.5, aspect=40)
    bar.set_label("competence elsewhere (0: at random, 1: best)")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


_NOTE = (
    "Numbers at points: forced entries until the place is entered by choice again. Of points that "
    "would cover each other the first stands at its horizon, the others to its right (dotted). "
    "Hatched: nothing else is at stake there, so that there is no competence elsewhere. In b "
    "steering's learners are populations, and its H counts turns. Bars: Wilson 95% intervals over "
    "lives (steering: populations); bands: 95% bootstrap intervals over replicates."
)

if __name__ == "__main__":
    raise SystemExit(run_script("spectrum", str(__doc__), draw))
