"""What a person reads on stdout: claims, scores and lists as tables of words.

On a terminal verdicts are coloured and tables fill its width; elsewhere (a pipe, a file) the same
tables come as plain text of a fixed width, without colour.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evosim.tables import records
from evosim.units import duration, size

if TYPE_CHECKING:
    import pandas as pd

    from evosim.foresight import Foresight
    from evosim.results import Run
    from evosim.studies.results import Study

PLAIN_WIDTH = 100
#: Every verdict as shown; a claim that fails for a reason that was found is refuted.
VERDICTS = ("holds", "fails", "refuted", "undecided")
_COLOURS = {"holds": "green", "fails": "red", "refuted": "magenta", "undecided": "yellow"}


def make_console(stream: TextIO | None = None) -> Console:
    """Return a console for results on `stream` (default stdout).

    Parameters
    ----------
    stream : file, optional
        A terminal gets colour and its own width, anything else 100 columns of plain text.

    Returns
    -------
    Console
        Its ``print`` takes text and tables.
    """
    stream = sys.stdout if stream is None else stream
    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(
        file=stream,
        width=PLAIN_WIDTH,
        no_color=True,
        force_terminal=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def make_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> Table:
    """Return a table of words.

    Parameters
    ----------
    columns : sequence of str
        Headers.
    rows : iterable of sequence of str
        One text per column.
    right : sequence of str
        Columns aligned right.
    whole : sequence of str
        Columns that are never broken into lines.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name in whole,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def claims_table(claims: pd.DataFrame, *, source: bool = False) -> Table:
    """Return the table of judged claims.

    Parameters
    ----------
    claims : DataFrame
        As in a run; with a column `scenario` in front when `source` is true.
    source : bool
        Show which scenario each claim belongs to.
    """
    columns = ["claim", "arm", "estimate", "interval", "stated", "verdict"]
    rows: list[list[str | Text]] = []
    for claim in records(claims):
        row: list[str | Text] = [
            _claim_text(claim),
            word(claim.get("arm")),
            number(claim.get("estimate")),
            interval(claim),
            word(claim.get("region")),
            verdict(claim),
        ]
        rows.append([word(claim["scenario"]), *row] if source else row)
    return make_table(
        ["scenario", *columns] if source else columns,
        rows,
        right=["estimate"],
        whole=["interval", "verdict"],
    )


def verdict_word(claim: Mapping[str, Any]) -> str:
    """Return holds, fails, refuted (fails for a reason that was found) or undecided."""
    found = str(claim["verdict"])
    return "refuted" if found == "fails" and word(claim.get("refuted")) else found


def verdict(claim: Mapping[str, Any]) -> Text:
    """Return the verdict as coloured words, with what an undecided claim would need."""
    found = verdict_word(claim)
    text = Text(found, style=_COLOURS.get(found, ""))
    more = claim.get("more_replicates")
    if found == "undecided" and more is not None and not missing(more):
        text.append(f"\n+{int(more):,} replicates")
    return text


def interval(claim: Mapping[str, Any]) -> str:
    """Return ``[low, high]``, open at an infinite end, or a dash without an interval."""
    low, high = claim.get("low"), claim.get("high")
    if missing(low) and missing(high):
        return "-"
    left = "(-inf" if missing(low) else f"[{number(low)}"
    return left + (", inf)" if missing(high) else f", {number(high)}]")


def number(value: Any) -> str:
    """Return four significant digits, or a dash for what is missing."""
    if missing(value):
        return "-"
    if isinstance(value, str):
        return value
    value = float(value) or 0.0  # never "-0"
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e7 else f"{value:.4g}"


def word(value: Any) -> str:
    """Return `value` as text, empty for what is missing."""
    return "" if missing(value) else str(value)


def missing(value: Any) -> bool:
    """Return whether a cell of a table holds nothing."""
    # By text, because pandas' NA refuses every comparison and pandas is slow to import.
    return value is None or str(value) in ("nan", "<NA>")


def show_claims(console: Console, run: Run) -> None:
    """Print a run's title and its claims with their verdicts."""
    info = run.info
    systems = f" ({', '.join(info['systems'])})" if info.get("systems") else ""
    console.print(f"{info['title']}{systems}\n", style="bold")
    if not len(run.claims):
        console.print("The scenario makes no claims.\n")
        return
    console.print(claims_table(run.claims))
    for line in _reasons(run.claims):
        console.print(line)
    console.print()


def show_summary(console: Console, run: Run) -> None:
    """Print what stands below the claims, see `summary`."""
    for line in summary(run):
        console.print(line, soft_wrap=True)


def summary(run: Run) -> list[str]:
    """Return the lines below the claims: notes, files, worst residual, time and memory."""
    info = run.info
    lines = [f"note: {note}" for note in info.get("notes") or []]
    lost = info.get("extinctions") or []
    if lost:
        lines.append(f"extinctions: {len(lost)}")
    if run.path is not None:
        lines.append(f"results: {run.path}")
        figures = sorted((run.path / "figures").glob("*.svg"))
        if figures:
            lines.append(f"figures: {run.path / 'figures'} ({len(figures)}, as PNG and SVG)")
    lines.append(_residual(info))
    lines.append(
        f"seed {info['seed']}, {duration(info['wall_seconds'])}, "
        f"peak memory {size(info['peak_memory_bytes'])}"
    )
    return lines


def show_study(console: Console, study: Study) -> None:
    """Print how many runs of a study are done, failed and missing, and why runs failed."""
    counts = study.counts()
    console.print(f"{study.info['title']}\n", style="bold")
    states = ", ".join(f"{counts[state]:,} {state}" for state in ("done", "failed", "missing"))
    console.print(f"{sum(counts.values()):,} runs: {states}")
    failures = study.failures()
    if failures:
        rows = [[stage, text, f"{count:,}", run] for stage, text, count, run in failures[:10]]
        columns = ["stage", "error", "runs", "for example"]
        console.print(make_table(columns, rows, right=["runs"], whole=["stage", "for example"]))
        if len(failures) > 10:
            console.print(f"and {len(failures) - 10} other errors")
    for line in _study_times(study):
        console.print(line, soft_wrap=True)


def _study_times(study: Study) -> list[str]:
    runs = study.runs
    lines = [f"results: {study.path}"]
    if "wall_seconds" not in runs or runs["wall_seconds"].isna().all():
        return lines
    seconds, memory = runs["wall_seconds"], runs["peak_memory_bytes"]
    lines.append(
        f"a run took {duration(float(seconds.median()))} (median), at most "
        f"{duration(float(seconds.max()))} and {size(float(memory.max()))} of memory"
    )
    worst = float(runs["worst_residual"].max())
    bound = float(runs["residual_bound"].max())
    codes = runs.loc[runs["status"] == "done", "code"].nunique()
    lines.append(_residual({"worst_residual": worst, "residual_bound": bound}))
    if codes > 1:
        lines.append(f"note: {codes} versions of the code did these runs, see the column 'code'")
    return lines


def show_foresight(console: Console, found: Foresight) -> None:
    """Print what the predictors scored, who was better, and what LEDGER's answer is."""
    console.print(scores_table(found))
    console.print()
    console.print(differences_table(found.differences()))
    console.print()
    for text in dict.fromkeys(found.minds.values()):
        arms = [arm for arm, of_it in found.minds.items() if of_it == text]
        console.print(f"LEDGER is {text} ({', '.join(arms)})", soft_wrap=True)
        if text.startswith("an approximation"):
            for arm in arms:
                console.print(f"  its error in '{arm}': {_error_of(found, arm)}", soft_wrap=True)


def scores_table(found: Foresight) -> Table:
    """Return mean scores (nats) and, where they are defined, skills, with standard errors.

    Parameters
    ----------
    found : Foresight
    """
    predictors = list(dict.fromkeys(found.scores["predictor"]))
    rows = []
    for (arm, where), table in found.scores.groupby(["arm", "where"], sort=False):
        for what in ("score", "skill"):
            by = dict(list(table.groupby("predictor")[what]))
            if table[what].notna().any():
                cells = (_mean(by[p], 3) for p in predictors)
                rows.append([str(arm), str(where), what, *cells])
    return make_table(["arm", "where", "", *predictors], rows, right=predictors)


def differences_table(differences: pd.DataFrame) -> Table:
    """Return `Foresight.differences`, one row per arm and place."""
    names = list(dict.fromkeys(differences["minus"]))
    rows = []
    for (arm, where), group in differences.groupby(["arm", "where"], sort=False):
        cells = [
            f"{row['difference']:.3f} [{row['low']:.3f}, {row['high']:.3f}] {row['better']}"
            for row in records(group)
        ]
        rows.append([str(arm), str(where), *cells])
    return make_table(["arm", "where", *(f"LEDGER - {name}" for name in names)], rows)


def _error_of(found: Foresight, arm: str) -> str:
    """Return how far LEDGER is from the best that a prediction can do."""
    parts = []
    table = found.scores[(found.scores["arm"] == arm).to_numpy()]
    for where, group in table.groupby("where", sort=False):
        wide = group.pivot_table(index="replicate", columns="predictor", values="score")
        parts.append(_mean(wide["CEIL"] - wide["LEDGER"], 3) + " nats (" + str(where) + ")")
    return "CEIL - LEDGER " + ", ".join(parts)


def _mean(values: pd.Series[float], decimals: int) -> str:
    """Return the mean and its standard error."""
    known = values.dropna().to_numpy(float)
    if not known.size:
        return "-"
    text = f"{known.mean():.{decimals}f}"
    if known.size > 1:
        text += f" ±{known.std(ddof=1) / math.sqrt(known.size):.{decimals}f}"
    return text


def _claim_text(claim: Mapping[str, Any]) -> Text:
    text = Text(word(claim["claim"]))
    note = word(claim.get("note"))
    if note:
        text.append(f"\n({note})", style="dim")
    return text


def _reasons(claims: pd.DataFrame) -> list[str]:
    return [
        f"refuted: {claim['claim']}: {claim['refuted']}"
        for claim in records(claims)
        if verdict_word(claim) == "refuted"
    ]


def _residual(info: Mapping[str, Any]) -> str:
    worst, bound = info.get("worst_residual"), info.get("residual_bound")
    if worst is None or (isinstance(worst, float) and math.isnan(worst)):
        return "ledger: nothing recorded"
    text = f"ledger: worst Price residual {worst:.2g}"
    if bound is None:
        return text
    return f"{text}, {'within' if worst <= bound else 'OUTSIDE'} its bound {bound:.2g}"


def validation_table(rows: Iterable[Any]) -> Table:
    """Return the table of the theory suite.

    Parameters
    ----------
    rows : iterable
        Each with `id`, `quantity`, `expected`, `measured`, `tolerance`, `ok`.
    """
    lines: list[list[str | Text]] = [
        [
            str(row.id),
            str(row.quantity),
            number(row.expected),
            number(row.measured),
            number(row.tolerance),
            Text("ok", style="green") if row.ok else Text("OFF", style="red"),
        ]
        for row in rows
    ]
    numbers = ["expected", "measured", "tolerance"]
    return make_table(["id", "quantity", *numbers, ""], lines, right=numbers, whole=["id"])
