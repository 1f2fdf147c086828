"""Bring the results of a folder of scenarios up to date, and gather all their claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evosim.catalogue import Entry, list_folder
from evosim.cli_errors import say
from evosim.errors import MissingExtraError, UserError, did_you_mean
from evosim.output import user_errors, write_file
from evosim.report import VERDICTS, verdict_word
from evosim.tables import records

if TYPE_CHECKING:
    import pandas as pd

    from evosim.results import Run
    from evosim.scenario import Scenario

CLAIMS_FILE = "claims.csv"


@dataclass
class Outcome:
    """What came of a folder of scenarios.

    Attributes
    ----------
    claims : DataFrame
        All claims, with the column `scenario` in front.
    ran, kept, left_out, lacking : list of str
        Names of the scenarios run now, up to date already, slow ones not asked for, and those that
        need an extra that is not installed.
    errors : list of UserError
        One per scenario that could not be run.
    """

    claims: pd.DataFrame
    ran: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    errors: list[UserError] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many claims fail for no reason that is given."""
        return sum(verdict_word(claim) == "fails" for claim in records(self.claims))

    @property
    def summary(self) -> str:
        """One line of counts."""
        counts = Counter(map(verdict_word, records(self.claims)))
        judged = ", ".join(f"{counts[word]} {word}" for word in VERDICTS)
        text = f"{len(self.ran)} scenarios run, {len(self.kept)} up to date; claims: {judged}"
        if self.left_out:
            text += f"; slow and left out: {', '.join(self.left_out)}"
        if self.lacking:
            text += f"; for want of an extra left out: {', '.join(self.lacking)}"
        if self.errors:
            text += f"; {len(self.errors)} could not be run"
        return text


def reproduce_folder(
    folder: Path,
    out: Path,
    *,
    threads: int | None = None,
    slow: bool = True,
    plots: bool = True,
    only: Sequence[str] = (),
) -> Outcome:
    """Run every scenario whose results are missing or older than its file or the engine.

    Parameters
    ----------
    folder : path
        Holds the scenario files.
    out : path
        Each scenario's results stand in the folder of its name; all claims in ``claims.csv``.
    threads : int, optional
        Cores to use.
    slow : bool
        Whether files marked slow are run as well.
    plots : bool
        Whether figures are drawn.
    only : sequence of str
        Names of the scenarios to look at, slow or not; none: all. The file of all claims is left
        alone if there are any.

    Returns
    -------
    Outcome
        A scenario that cannot be run is an entry in its `errors` and does not stop the others.

    Raises
    ------
    UserError
        The folder cannot be read or has no scenario of such a name, or the table of claims cannot
        be written.
    """
    import pandas as pd

    outcome = Outcome(pd.DataFrame())
    tables = []
    entries = list_folder(folder)
    names = [entry.file.stem for entry in entries]
    for name in only:
        if name not in names:
            raise UserError(
                f"no scenario '{name}' in {folder}", key="--only",
                allowed=", ".join(sorted(names)), hint=did_you_mean(name, names),
            )  # fmt: skip
    for entry, name in zip(entries, names, strict=True):
        if only and name not in only:
            continue
        if entry.slow and not slow and not only:
            outcome.left_out.append(name)
            continue
        try:
            done = _bring_up_to_date(entry, out / name, threads, plots, outcome)
        except UserError as error:
            located = error.located(entry.file, None)
            say(located.one_line())
            if isinstance(error, MissingExtraError):
                outcome.lacking.append(name)
            else:
                outcome.errors.append(located)
            continue
        claims = done.claims.copy()
        claims.insert(0, "scenario", name)
        tables.append(claims)
    if tables:
        outcome.claims = pd.concat([t.astype(object) for t in tables], ignore_index=True)
    if only:
        return outcome
    with user_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        text = outcome.claims.to_csv(index=False, lineterminator="\n")
        write_file(out / CLAIMS_FILE, lambda stream: stream.write(text.encode()))
    return outcome


def up_to_date(scenario: Scenario, directory: Path) -> Run | None:
    """Return the results in `directory` if this scenario and these sources made them.

    Parameters
    ----------
    scenario : Scenario
        With every override applied.
    directory : path
        May be missing, damaged or of another scenario.

    Returns
    -------
    Run or None
        None when the scenario has to be run.
    """
    from evosim.record import engine_hash, environment_versions
    from evosim.results import load

    try:
        run = load(directory)
    except UserError:
        return None
    same = run.info.get("scenario_hash") == scenario.hash()
    same &= environment_versions(scenario).items() <= run.info.get("origin", {}).items()
    return run if same and run.info.get("engine_hash") == engine_hash() else None


def _bring_up_to_date(
    entry: Entry, directory: Path, threads: int | None, plots: bool, outcome: Outcome
) -> Run:
    from evosim.api import prepare
    from evosim.api import run as run_scenario
    from evosim.progress import shown_progress

    if entry.error is not None:
        raise entry.error
    scenario = prepare(entry.file, {})
    kept = up_to_date(scenario, directory)
    if kept is not None:
        outcome.kept.append(entry.file.stem)
        return kept
    say(f"running {entry.file}")
    with shown_progress() as progress:
        done = run_scenario(scenario, directory, threads, progress, overwrite=True)
    if plots:
        done.plot()
    outcome.ran.append(entry.file.stem)
    return done
