"""Score a battery of worlds: where pursuit of payoff is right, and where the record is.

Usage: python analysis/battery.py [RESULTS_DIR] [--out FILE]

Reads the tables of every finished run in a folder whose scenario says what its predictors are put
to (`predict.pattern`). One row per world and pattern: both scores with 95% intervals, their paired
difference, who is better, and whether that is what a fair comparison must show:

(i)   in training that went well (less than 5% of the payoff is missed) the two tie;
(ii)  where a correlation of training breaks the ledger is better;
(iii) where all are kept they tie;
(iv)  after training whose cues span the goal they tie;
(v)   of agents that plan for payoff the objective is better;
(vi)  of percepts orthogonal to training the ledger says that it does not know.

The table is written beside the figure, as battery.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evosim.errors import UserError
from evosim.foresight import LEDGER, OBJECTIVES, TIE, judged
from evosim.output import RECORD
from evosim.plots.layout import Legend, page
from evosim.plots.scores import PREDICTORS
from evosim.plots.script import find_run
from evosim.plots.style import figure_style, save, settle, wrap
from evosim.predict.worth import action_values, dynamics
from evosim.resolve import resolve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evosim.results import Run
    from evosim.scenario import ArmCell
    from evosim.scenario.model import ScenarioModel

OMNI, INFORMED = OBJECTIVES
#: Training went well where less than this share of the payoff is missed.
REGRET = 0.05
#: The ledger knows nothing where its probabilities are this near to equal ones.
NEAR = 0.05
#: Pattern -> its number, and who must be better ("chance": the ledger no better than a lot).
PATTERNS = {
    "training": ("i", "tie"),
    "breaks": ("ii", LEDGER),
    "keeps": ("iii", "tie"),
    "spanned": ("iv", "tie"),
    "pursuers": ("v", "OBJ"),
    "orthogonal": ("vi", "chance"),
}
TITLES = {
    "training": "(i) training that went well",
    "breaks": "(ii) a correlation of training breaks",
    "keeps": "(iii) all correlations are kept",
    "spanned": "(iv) training spans the goal",
    "pursuers": "(v) agents plan for payoff",
    "orthogonal": "(vi) nothing in common",
}
MUST = {"tie": "must tie", LEDGER: "ledger must win", "OBJ": "objective must win"}
MUST["chance"] = "ledger must not know"
#: Markers in the order of drawing: where all agree each of them can still be seen.
_SIZES = {INFORMED: 8.0, OMNI: 6.0, LEDGER: 4.0}


@dataclass(frozen=True)
class Case:
    """Scores of one arm in one split, last generation: predictor -> (R,) float64."""

    world: str
    arm: str
    pattern: str
    score: dict[str, NDArray[np.float64]]
    actions: int
    spread: float

    def row(self) -> dict[str, Any]:
        """Return the case as a row of the table."""
        number, must = PATTERNS[self.pattern]
        apart = self.score[LEDGER] - self.score[OMNI]
        verdict = judged(apart)
        means = {name: _interval(values) for name, values in self.score.items()}
        scores: dict[str, float] = {}
        for name in (LEDGER, OMNI, INFORMED):
            middle, low, high = means[name]
            scores |= {name: middle, f"{name} low": low, f"{name} high": high}
        return {
            "pattern": f"({number})",
            "kind": self.pattern,
            "world": self.world,
            "arm": self.arm,
            "replicates": apart.size,
            **scores,
            **verdict,
            "required": must,
            "holds": self._holds(must, verdict["better"]),
        }

    def _holds(self, must: str, better: str) -> str:
        if must != "chance":
            return "undecided" if better == "undecided" else "yes" if better == must else "no"
        gain = _interval(self.score[LEDGER] + np.log(self.actions))
        return "yes" if gain[2] < TIE and self.spread < NEAR else "no"


def cases_of(run: Run) -> Iterator[Case]:
    """Return what a run contributes: its arms with a pattern, and each training that went well.

    Arms that differ in what they ask alone share their training, to the last bit: it counts once.
    """
    if run.scores.empty:
        return
    title = run.scenario.model.title
    trained: set[bytes] = set()
    for cell in run.scenario.arms():
        spec = cell.model.predict
        if spec is None or spec.pattern is None:
            continue
        actions, spread = _answers(run, cell)
        score = _scores(run, cell, "training")
        known = score[LEDGER].tobytes()
        if known not in trained and regret(run, cell) < REGRET:
            trained.add(known)
            yield Case(title, cell.label, "training", score, actions, spread)
        yield Case(title, cell.label, spec.pattern, _scores(run, cell, "novel"), actions, spread)


def battery(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the table, by pattern and world.

    Raises
    ------
    UserError
        If no run says what its predictors are put to.
    """
    rows = [case.row() for run in runs for case in cases_of(run)]
    if not rows:
        raise UserError(
            "no run says what its predictors are put to",
            key="predict.pattern",
            hint="make some with: make battery",
        )
    order = {kind: k for k, kind in enumerate(PATTERNS)}
    table = pd.DataFrame(rows)
    return table.sort_values("kind", key=lambda k: k.map(order), kind="stable", ignore_index=True)


def regret(run: Run, cell: ArmCell) -> float:
    """Return the share of the optimal payoff that the last generation misses in training."""
    rows = run.trajectory[(run.trajectory["arm"] == cell.label).to_numpy()]
    last = rows[(rows["generation"] == rows["generation"].max()).to_numpy()]
    best = optimum(cell.model)
    return float((best - last["payoff"].mean()) / abs(best))


def optimum(model: ScenarioModel) -> float:
    """Return the payoff per episode of whoever knows the context and acts best in it."""
    world = resolve(model).world
    assert world is not None  # predictors were asked
    total = 0.0
    for v, share in enumerate(world.variant_frequency(world.frequency)):
        if share > 0:
            tables = dynamics(world, v)
            total += share * float(
                tables.start @ action_values(tables, world.steps)[-1].max(axis=1)
            )
    return total


def _scores(run: Run, cell: ArmCell, split: str) -> dict[str, NDArray[np.float64]]:
    table = _last(run.scores, cell)
    table = table[(table["split"] == split).to_numpy()]
    return {
        str(name): group.sort_values("replicate")["score"].dropna().to_numpy(np.float64)
        for name, group in table.groupby("predictor", observed=True)
    }


def _answers(run: Run, cell: ArmCell) -> tuple[int, float]:
    """Return how many actions there are, and how far the ledger's answer is from equal ones."""
    table = _last(run.predictions, cell)
    table = table[(table["predictor"] == LEDGER).to_numpy()]
    actions = table["action"].nunique()
    mean = table.groupby(["assay", "percept", "action"], observed=True)["probability"].mean()
    return actions, float((mean - 1.0 / actions).abs().max())


def _last(table: pd.DataFrame, cell: ArmCell) -> pd.DataFrame:
    table = table[(table["arm"] == cell.label).to_numpy()]
    return table[(table["generation"] == table["generation"].max()).to_numpy()]


def _interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return mean, low and high."""
    found = judged(values)
    return float(found["difference"]), float(found["low"]), float(found["high"])


# --- the figure -----------------------------------------------------------------------------------


def draw(table: pd.DataFrame) -> Figure:
    """Return the figure: scores on the left, paired differences on the right."""
    names = [_name(row) for _, row in table.iterrows()]
    lines = 1.15 * len(table) + 0.9 * table["kind"].nunique()
    looks = {name: PREDICTORS[name] for name in (LEDGER, OMNI, INFORMED)}
    handles = [look.handle() for look in looks.values()]
    for handle in handles:
        handle.set_linestyle("None")
    held = int((table["holds"] == "yes").sum())
    title = f"Pursuit of payoff or the record of selection: {held} of {len(table)} as required"
    figure, panels = page(
        title, [6.8, 3.8], [0.19 * lines + 0.7], [Legend("", handles, list(looks))], note=_NOTE
    )
    left, right = panels[0]
    places, heads = _places(table)
    for name, size in _SIZES.items():
        style = looks[name].line() | {"linestyle": "None", "capsize": 1.5, "elinewidth": 1.0}
        style["markersize"] = size
        low, high = table[name] - table[f"{name} low"], table[f"{name} high"] - table[name]
        reach = np.nan_to_num([low, high])
        left.errorbar(table[name], places, xerr=reach, **style)
    left.set_yticks(places, names, fontsize=7)
    left.set_xlabel("score: mean log probability of what agents do (nats)")
    _differences(right, table, places)
    for ax in (left, right):
        ax.set_ylim(max(places) + 0.8, min(heads.values()) - 0.7)
        ax.grid(visible=False, axis="y")
        for at in list(heads.values())[1:]:
            ax.axhline(at - 0.75, color="0.8", linewidth=0.6, zorder=0)
    for kind, at in heads.items():
        text = f"{TITLES[kind]}: {MUST[PATTERNS[kind][1]]}"
        left.text(0.01, at, text, transform=left.get_yaxis_transform(), va="center", fontsize=8,
                  fontweight="bold")  # fmt: skip
    return figure


def _differences(ax: Axes, table: pd.DataFrame, places: Sequence[float]) -> None:
    """Draw LEDGER minus OBJ-omni; full where the required pattern holds, a cross where not."""
    ax.axvspan(-TIE, TIE, color="0.9", linewidth=0, zorder=0)
    ax.axvline(0.0, color="0.4", linewidth=0.8, zorder=0)
    colours = {LEDGER: PREDICTORS[LEDGER].color, "OBJ": PREDICTORS[OMNI].color}
    for at, (_, row) in zip(places, table.iterrows(), strict=True):
        colour = colours.get(row["better"], "0.25")
        ax.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=1.2)
        marker = {"yes": "o", "no": "x"}.get(row["holds"], ".")
        ax.plot(row["difference"], at, color=colour, marker=marker, markersize=5)
        word = {"yes": "as required", "no": "NOT as required"}.get(row["holds"], "undecided")
        text = word if word == row["better"] else f"{row['better']}: {word}"
        ax.text(1.02, at, text, transform=ax.get_yaxis_transform(),
                va="center", fontsize=7)  # fmt: skip
    ax.set_xscale("symlog", linthresh=TIE, linscale=0.6)
    reach = 1.3 * max(1.0, float(table[["low", "high"]].abs().max().max()))
    ax.set_xlim(-reach, reach)
    ticks = [-1.0, -TIE, 0.0, TIE, 1.0]
    ax.set_xticks(ticks, [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks([])
    ax.set_xlabel("LEDGER minus OBJ-omni (nats)\nobjective better \N{LEFTWARDS ARROW}  "
                  "\N{RIGHTWARDS ARROW} ledger better")  # fmt: skip


def _places(table: pd.DataFrame) -> tuple[list[float], dict[str, float]]:
    """Return the height of every row, and that of the heading of every pattern."""
    places: list[float] = []
    heads: dict[str, float] = {}
    at = 0.0
    for kind in table["kind"]:
        if kind not in heads:
            at += 0.5 * bool(heads)
            heads[kind] = at
            at += 1.0
        places.append(at)
        at += 1.0
    return places, heads


def _name(row: pd.Series[Any]) -> str:
    return wrap(f"{str(row['world']).split(':')[0]}: {row['arm']}", 64)


_NOTE = (
    "Means over replicates with 95% t intervals, differences paired by replicate; grey: within 0.1 "
    "nats, a tie. Which pattern a world belongs to is said in its scenario file, who wins is not."
)


def find_runs(folder: Path) -> list[Run]:
    """Return the run in `folder` itself, or those in its subfolders, by name."""
    below = sorted(folder.iterdir()) if folder.is_dir() else []
    return [find_run(place, place.name) for place in (folder, *below) if (place / RECORD).is_file()]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the table and the figure; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"),
                        metavar="RESULTS_DIR", help="a folder that holds results")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="a .png, .svg or .pdf file")
    given = parser.parse_args(argv)
    try:
        table = battery(find_runs(given.results))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    with figure_style():
        figure = draw(table)
        if given.out is None:
            written = save(figure, given.results, "battery")
        else:
            settle(figure)
            figure.savefig(given.out)
            written = [given.out]
    csv = written[0].with_suffix(".csv")
    table.to_csv(csv, index=False, float_format="%.4f")
    for path in (*written, csv):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
