"""Pursuit of payoff, or the record of selection: two predictions scored on novel contexts.

Usage: python analysis/predictors.py [RESULTS_DIR] [--out FILE]

Reads only the tables of a finished run of scenarios/predictors.toml. Top: what agents do in the
novel context of each arm, and what each predictor said, early and at the end. Middle: paired score
differences, ledger minus objective, in training and in novel contexts. Bottom: every predictor's
score, and the claims that quote a reference value, as distances from it in units of their margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evosim.plots.bands import floats, mean_interval, pivot
from evosim.plots.groups import value_name
from evosim.plots.layout import Legend, page
from evosim.plots.scores import ACTUAL, PREDICTORS, plot_scores
from evosim.plots.script import need, run_script
from evosim.plots.style import Look, bounded, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.results import Run
    from evosim.scenario import ArmCell
    from evosim.scenario.study_parts import Claim

LEDGER = "LEDGER"
OBJECTIVES = ("OBJ-omni", "OBJ-informed")
ANSWERS = {
    ACTUAL: Look("#000000", (), "*"),
    **{name: PREDICTORS[name] for name in (LEDGER, *OBJECTIVES)},
}


def asked(run: Run, arm: str) -> tuple[str, str]:
    """Return the assay and the action that an arm's predictions are about."""
    rows = run.predictions[(run.predictions["arm"] == arm).to_numpy()]
    name = str(rows["assay"].iloc[0])
    (measure,) = (a.measure for a in run.scenario.model.assay if a.name == name)
    return name, str(measure.first_action or measure.action)


def answers(run: Run, arms: Sequence[str], generation: int) -> pd.DataFrame:
    """Return, by arm, replicate and predictor, the probability of the action asked about."""
    parts = []
    for arm in arms:
        name, action = asked(run, arm)
        table = run.predictions
        rows = (table["arm"] == arm) & (table["assay"] == name) & (table["action"] == action)
        parts.append(table[(rows & (table["generation"] == generation)).to_numpy()])
    keys = ["arm", "replicate", "predictor"]
    return pd.concat(parts).groupby(keys, as_index=False, observed=True)["probability"].mean()


def differences(run: Run, split: str, generation: int) -> pd.DataFrame:
    """Return, by arm and replicate, the ledger's score minus that of each objective."""
    rows = (run.scores["split"] == split) & (run.scores["generation"] == generation)
    wide = run.scores[rows.to_numpy()].pivot_table(
        index=["arm", "replicate"], columns="predictor", values="score", observed=True
    )
    apart = [
        (wide[LEDGER] - wide[name]).rename("score").reset_index().assign(predictor=name)
        for name in OBJECTIVES
        if name in wide
    ]
    return pd.concat(apart, ignore_index=True)


def plot_answers(ax: Axes, table: pd.DataFrame, arms: Sequence[str]) -> None:
    """Draw actual and predicted probabilities by arm."""
    named = table.rename(columns={"probability": "score"})
    plot_scores(named, arms, ax=ax, predictors=ANSWERS)
    bounded(ax, (0.0, 1.0))


def plot_differences(
    ax: Axes, tables: Mapping[int, pd.DataFrame], arms: Sequence[str], margin: float | None
) -> None:
    """Draw the ledger's lead by arm: hollow early, full late; a band within which it is a tie."""
    places = {arm: float(i) for i, arm in enumerate(arms)}
    series = [(name, at) for name in OBJECTIVES for at in tables]
    for i, (name, at) in enumerate(series):
        table = tables[at]
        rows = table[((table["predictor"] == name) & table["arm"].isin(arms)).to_numpy()]
        where, values = pivot(rows.assign(place=[places[a] for a in rows["arm"]]), "place", "score")
        mean, low, high = mean_interval(values)
        reach = np.nan_to_num([mean - low, high - mean])
        look = replace(PREDICTORS[name], hollow=at != max(tables))
        style = look.line() | {"linestyle": "None", "capsize": 2.0, "elinewidth": 1.0}
        shift = (i - (len(series) - 1) / 2) * 0.18
        ax.errorbar(where + shift, mean, yerr=reach, **style)
    ax.axhline(0.0, color="0.4", linewidth=0.8, zorder=0)
    if margin is not None:
        ax.axhspan(-margin, margin, color="0.9", linewidth=0, zorder=0)
    ax.set_xlim(-0.6, len(arms) - 0.4)
    ax.set_yscale("symlog", linthresh=margin or 0.1, linscale=0.6)
    ticks = [-0.1, 0.0, 0.1, 1.0, 10.0]
    ax.set_yticks(ticks, [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks])
    ax.minorticks_off()
    ax.grid(visible=False, axis="x")


def tie_margin(run: Run) -> float | None:
    """Return the largest margin within which a claim calls two predictors tied."""
    margins = [
        claim.margin
        for claim in run.scenario.model.claim
        if claim.measure.startswith(f"score.{LEDGER}") and claim.equals == 0 and claim.margin
    ]
    return max(margins, default=None)


def plot_references(ax: Axes, run: Run) -> None:
    """Draw claims that quote a reference: (estimate - reference) / margin, with its interval."""
    claims = run.scenario.model.claim
    rows = [
        (row, claims[int(row["index"])])
        for _, row in run.claims.iterrows()
        if claims[int(row["index"])].equals and pd.notna(row["estimate"])
    ]
    if not rows:
        ax.remove()
        return
    ax.set_title("against the reference")
    for i, (row, claim) in enumerate(rows):
        assert claim.equals is not None  # chosen above
        assert claim.margin is not None  # the models ask for it
        ends = floats(pd.Series([row["low"], row["estimate"], row["high"]]))
        low, middle, high = (ends - claim.equals) / claim.margin
        ax.plot([low, high], [i, i], color="black", linewidth=1.2)
        ax.plot(middle, i, color="black", marker="o", markersize=4.5)
    texts = [
        wrap(
            f"{row['arm']}, {_short(claim.measure)}, {_when(claim)}: "
            f"{_number(row['estimate'])} (reference {_number(claim.equals)})",
            40,
        )
        for row, claim in rows
    ]
    ax.set_yticks(range(len(rows)), texts, fontsize=7)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.axvspan(-1, 1, color="0.9", linewidth=0, zorder=0)
    ax.axvline(0.0, color="0.4", linewidth=0.8, zorder=0)
    reach = max(1.2, *(abs(x) for x in ax.get_xlim()))
    ax.set_xlim(-reach, reach)
    ax.set_xlabel("distance from the reference, in margins")
    ax.grid(visible=False, axis="y")


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def _short(measure: str) -> str:
    return measure.removeprefix("assay.").replace("score.", "score of ")


def _when(claim: Claim) -> str:
    if claim.at is None or claim.at.generation is None:
        return "at the end"
    return f"generation {claim.at.generation}"


def _name(cell: ArmCell) -> str:
    """Return an arm's name, with a grid cell's values instead of its label."""
    return wrap(" ".join([cell.arm, *map(value_name, cell.cell.values())]), 12)


def draw(run: Run) -> Figure:
    """Return the figure of a run of the predictors scenario."""
    need(len(run.predictions) > 0 and len(run.scores) > 0, "predictions: a table [predict]", run)
    present = set(run.predictions["arm"].unique())
    cells = [cell for cell in run.scenario.arms() if cell.label in present]
    arms = [cell.label for cell in cells]
    scored = sorted({int(g) for g in run.scores["generation"]})
    when = list(dict.fromkeys((scored[0], scored[-1])))
    legend = Legend(
        "",
        [_handle(look) for look in (*ANSWERS.values(), PREDICTORS["FLOOR"], PREDICTORS["CEIL"])],
        ["what agents do", *list(ANSWERS)[1:], "FLOOR", "CEIL"],
    )
    width = max(4.6, 0.75 * len(arms) + 0.9)
    figure, panels = page(
        run.scenario.model.title, [width] * 2, [2.0, 2.0, 2.6], [legend], note=_NOTE
    )
    _top(panels[0], run, arms, when)
    _middle(panels[1], run, arms, when)
    novel = (run.scores["split"] == "novel") & (run.scores["generation"] == when[-1])
    plot_scores(run.scores[novel.to_numpy()], arms, ax=panels[2, 0])
    panels[2, 0].set_title(f"scores in novel contexts, generation {when[-1]}")
    panels[2, 0].set_ylabel("score (nats)")
    by_arm = [*panels[0][: len(when)], *panels[1], panels[2, 0]]
    for ax in by_arm:
        ax.set_xticks(range(len(arms)), [_name(cell) for cell in cells], fontsize=7)
    plot_references(panels[2, 1], run)
    for letter, ax in zip("abcdef", [*by_arm, panels[2, 1]], strict=False):
        ax.set_title(f"{letter}   {ax.get_title(loc='left')}")
    return figure


def _top(axes: Sequence[Axes], run: Run, arms: Sequence[str], when: Sequence[int]) -> None:
    for ax in axes[len(when) :]:
        ax.remove()
    for ax, at in zip(axes, when, strict=False):
        plot_answers(ax, answers(run, arms, at), arms)
        ax.set_title(f"the action asked about, generation {at}")
        ax.set_ylabel("probability")


def _middle(axes: Sequence[Axes], run: Run, arms: Sequence[str], when: Sequence[int]) -> None:
    margin = tie_margin(run)
    for ax, split in zip(axes, ("training", "novel"), strict=True):
        plot_differences(ax, {at: differences(run, split, at) for at in when}, arms, margin)
        ax.set_title(f"the ledger's lead in {split} contexts")
        ax.set_ylabel("score, ledger minus\nobjective (nats)")
    axes[1].sharey(axes[0])
    ends = [ax.dataLim.intervaly for ax in axes]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    axes[0].set_ylim(min(1.3 * low, -0.13), 10 ** np.ceil(np.log10(max(high, 0.13))))


def _handle(look: Look) -> object:
    handle = look.handle()
    handle.set_linestyle("None")
    return handle


_NOTE = (
    "Means over replicates with 95% bootstrap intervals, differences paired by replicate; c, d: "
    "hollow early, full late, grey where a claim calls it a tie. f: intervals of the claims; "
    "grey: within the claim's margin of the value it quotes."
)


if __name__ == "__main__":
    raise SystemExit(run_script("predictors", str(__doc__), draw))
