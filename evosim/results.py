"""A finished run: its tables, its final population, its record, and the directory they live in.

`save` writes everything or nothing; `load` gives the same tables back, each read when first used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.errors import UserError, did_you_mean
from evosim.output import RECORD, Reserved, reserve, user_errors, write_file
from evosim.record import SCHEMA_VERSION, file_digest, plain
from evosim.tables import StoredArrays, damaged, read_table, write_arrays, write_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from evosim.foresight import Foresight
    from evosim.scenario import Scenario

TABLES = (
    "trajectory", "contexts", "assays", "trials", "ledger", "edges", "predictions", "scores",
    "claims",
)  # fmt: skip
#: The table that is only there where a scenario asks for it.
EDGES = "edges"
SCENARIO = "scenario.toml"
POPULATION = "population.npz"
CHECKPOINT = "checkpoint"
FIGURES = "figures"
_SCENARIO_HEAD = "# The scenario as it was run: every default and override is spelled out.\n"
#: Every name that a run directory may hold; anything else in it is the user's.
OWN_FILES = frozenset(
    {RECORD, SCENARIO, POPULATION, CHECKPOINT}
    | {FIGURES, f".{FIGURES}.partial", f".{FIGURES}.old"}
    | {f"{name}.parquet" for name in TABLES}
)


class Run:
    """A finished run.

    Parameters
    ----------
    info : dict
        The record (`run.json`): seed, versions, times, verdicts, notes.
    scenario : Scenario, optional
        As run; read from `path` when first asked for if not given.
    tables : mapping of str to DataFrame, optional
        The tables by name; read from `path` when first asked for if not given.
    population : mapping of str to ndarray, optional
        Final genomes by ``"<arm label>/<field>"``.
    checkpoint : mapping of str to ndarray, optional
        The last state of every arm by ``"<arm label>/<part>"``.
    path : path, optional
        The directory of the results; None for a run that was never saved.
    """

    def __init__(
        self,
        info: dict[str, Any],
        *,
        scenario: Scenario | None = None,
        tables: Mapping[str, pd.DataFrame] | None = None,
        population: Mapping[str, np.ndarray[Any, Any]] | None = None,
        checkpoint: Mapping[str, np.ndarray[Any, Any]] | None = None,
        path: Path | None = None,
    ) -> None:
        self.info = info
        self.path = path
        self._scenario = scenario
        self._tables = dict(tables or {})
        self._population = population
        self._checkpoint = checkpoint

    @property
    def scenario(self) -> Scenario:
        """The scenario as it was run, every override applied."""
        if self._scenario is None:
            from evosim.scenario import Scenario

            self._scenario = Scenario.load(self._file(SCENARIO))
        return self._scenario

    @property
    def trajectory(self) -> pd.DataFrame:
        """One row per arm, replicate and recorded generation; one column per measure."""
        return self.table("trajectory")

    @property
    def contexts(self) -> pd.DataFrame:
        """Frequency, payoff and episodes per arm, replicate, generation and context."""
        return self.table("contexts")

    @property
    def assays(self) -> pd.DataFrame:
        """Every assay's mean, sd and quantiles over agents, where it was measured."""
        return self.table("assays")

    @property
    def trials(self) -> pd.DataFrame:
        """The course of the lives of every trial, window by window, means over agents."""
        return self.table("trials")

    @property
    def ledger(self) -> pd.DataFrame:
        """The Price-equation record per quantity, and its sums since generation 0."""
        return self.table("ledger")

    @property
    def edges(self) -> pd.DataFrame:
        """Who learned what from whom; without rows unless the scenario has `record.edges`."""
        return self.table("edges")

    @property
    def predictions(self) -> pd.DataFrame:
        """Probability of each action at each asked percept, by each predictor."""
        return self.table("predictions")

    @property
    def scores(self) -> pd.DataFrame:
        """Score and skill of each predictor on training and on novel contexts."""
        return self.table("scores")

    @property
    def claims(self) -> pd.DataFrame:
        """The scenario's claims with estimate, interval and verdict."""
        return self.table("claims")

    @property
    def population(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Final genomes, arrays [replicate, agent, locus] by ``"<arm label>/<field>"``."""
        if self._population is None:
            self._population = StoredArrays(self._file(POPULATION))
        return self._population

    @property
    def keeps_state(self) -> bool:
        """Whether there is a last state (not in a run put together from tables)."""
        return self._checkpoint is not None or self.path is not None

    @property
    def checkpoint(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """The last state of every arm, by ``"<arm label>/<part>"``; see `Engine.state`."""
        if self._checkpoint is None:
            self._checkpoint = StoredArrays(self._file(CHECKPOINT))
        return self._checkpoint

    def table(self, name: str) -> pd.DataFrame:
        """Return a table by its name.

        Raises
        ------
        UserError
            No table has this name, or its file is missing or damaged.
        """
        if name not in TABLES:
            raise UserError(
                f"no table '{name}'", allowed=", ".join(TABLES), hint=did_you_mean(name, TABLES)
            )
        if name not in self._tables and name == EDGES and not self._has_edges():
            from evosim.frames import no_rows

            self._tables[name] = no_rows(name)
        if name not in self._tables:
            self._tables[name] = read_table(self._file(f"{name}.parquet"))
        return self._tables[name]

    def predict(
        self, assays: Sequence[str] = (), arms: Sequence[str] = (), **options: Any
    ) -> Foresight:
        """Ask the predictors what the last generation does, whether the scenario did or not.

        Parameters
        ----------
        assays, arms : sequence of str, optional
            Default: the assays of `[predict]`, or all and what training never showed; all arms.
        **options
            As for `evosim.foresight.foresee`.

        Returns
        -------
        Foresight
            Its `predictions`, `scores` and `assays` are tables; `differences()` compares.

        Raises
        ------
        UserError
            As `evosim.foresight.foresee`.
        """
        from evosim.foresight import foresee

        return foresee(self, assays, arms, **options)

    def plot(self, out: str | Path | None = None) -> list[Path]:
        """Draw every figure of the run.

        Parameters
        ----------
        out : path, optional
            Folder for the figures; default ``figures`` in the run's own directory, where all
            figures are replaced at once.

        Returns
        -------
        list of path
            The files written (PNG and SVG).

        Raises
        ------
        UserError
            The run was never saved and no folder is given, or it cannot be written.
        """
        from evosim.plots import plot_run

        if out is not None:
            with user_errors(Path(out)):
                return plot_run(self, Path(out))
        if self.path is None:
            raise UserError("the run was not saved", hint="give plot() a folder")
        figures = Reserved(self.path / FIGURES)
        with user_errors(self.path):
            figures.open()
            try:
                drawn = plot_run(self, figures.partial)
                figures.commit()
            finally:
                figures.close()
        return [figures.target / path.relative_to(figures.partial) for path in drawn]

    def verdicts(self) -> dict[str, int]:
        """Return how many claims hold, fail (those with a reason apart) or are undecided."""
        counts: Counter[str] = Counter()
        for claim in self.info.get("claims", []):
            refuted = claim["verdict"] == "fails" and claim.get("refuted")
            counts["refuted" if refuted else str(claim["verdict"])] += 1
        return dict(sorted(counts.items()))

    def _has_edges(self) -> bool:
        return self.path is not None and f"{EDGES}.parquet" in self.info["files"]

    def _file(self, name: str) -> Path:
        """Return a file of the run, once its bytes are found to be those that were written."""
        if self.path is None:
            raise UserError(f"the run has no directory to read {name} from")
        path = self.path / name
        recorded = self.info["files"].get(name)
        if recorded is None or not path.is_file() or file_digest(path) != recorded["sha256"]:
            raise damaged(path, ValueError("its bytes are not those that were written"))
        return path

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{n} {word}" for word, n in self.verdicts().items()) or "no claims"
        place = f"in {self.path}" if self.path else "not saved"
        title, seed = self.info.get("title"), self.info.get("seed")
        return f"<Run {title!r} seed {seed}: {verdicts}; {place}>"


def save(run: Run, directory: str | Path, overwrite: bool = False) -> Path:
    """Write a run into a directory of its own, all of it or nothing.

    Parameters
    ----------
    run : Run
        Its `path` is set to the directory, its record completed with the files' digests.
    directory : path
        Missing or empty, or holding earlier results.
    overwrite : bool
        Whether earlier results are replaced.

    Returns
    -------
    path
        The directory, absolute.

    Raises
    ------
    UserError
        See `evosim.output.reserve`; also when the disk is full.
    """
    with reserve(directory, overwrite=overwrite, own=OWN_FILES) as reserved:
        return save_into(run, reserved)


def save_into(run: Run, reserved: Reserved, kept: str = "nothing was kept") -> Path:
    """Write a run into a directory that is already reserved; see `save`.

    `kept` says what a full disk leaves behind.
    """
    partial = reserved.partial
    with user_errors(reserved.target, kept=kept):
        text = _SCENARIO_HEAD + run.scenario.toml()
        write_file(partial / SCENARIO, lambda stream: stream.write(text.encode()))
        for name in TABLES:
            if name == EDGES and run.edges.empty:
                continue
            write_table(partial / f"{name}.parquet", run.table(name))
        write_arrays(partial / POPULATION, run.population)
        if run.keeps_state:
            write_arrays(partial / CHECKPOINT, run.checkpoint)
        run.info["files"] = {
            path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
            for path in sorted(partial.iterdir())
        }
        record = json.dumps(plain(run.info), indent=1, ensure_ascii=False, allow_nan=False)
        write_file(partial / RECORD, lambda stream: stream.write(record.encode() + b"\n"))
        run.path = reserved.commit()
    return run.path


def load(directory: str | Path) -> Run:
    """Open the results of an earlier run.

    Parameters
    ----------
    directory : path
        A run directory.

    Returns
    -------
    Run
        Its tables are read when first used.

    Raises
    ------
    UserError
        The directory or one of its files is missing, damaged or from a newer evosim.
    """
    path = Path(directory).expanduser().resolve()
    if not path.is_dir():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError("no such directory", file=directory, hint=did_you_mean(path.name, near))
    record = path / RECORD
    if not record.is_file():
        raise UserError(f"holds no results (no {RECORD})", file=directory)
    try:
        info = json.loads(record.read_bytes())
        version, files = int(info["schema_version"]), dict(info["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(record, error) from error
    if version > SCHEMA_VERSION:
        raise UserError(
            f"written by evosim {info.get('evosim')} in format {version}; "
            f"this version reads formats up to {SCHEMA_VERSION}",
            file=record,
        )
    for name, recorded in files.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != recorded["bytes"]:
            raise damaged(file)
    return Run(info, path=path)
