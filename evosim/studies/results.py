"""A study's results as tidy frames, joined by run, with the parameters as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evosim.errors import UserError, did_you_mean
from evosim.studies import statistics
from evosim.studies.plan import COLUMNS
from evosim.studies.store import RECORDS, Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from evosim.scenario import Scenario

#: What `Study.runs` tells of every run besides the plan.
_STATUS = ("status", "stage", "error")


class Study:
    """The results of a study, as far as they are there.

    Every table has the column `run` and a column per parameter in front. The column `replicate`
    counts the populations of a point through all its runs. Texts are categoricals.

    Parameters
    ----------
    store : Store
        Its directory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.path = store.path
        self.info = store.info()
        self._plan: pd.DataFrame | None = None

    @property
    def plan(self) -> pd.DataFrame:
        """The planned runs: id, point, replicate, seed, changed keys, parameters."""
        if self._plan is None:
            self._plan = self._store.plan()
        return self._plan

    @property
    def scenario(self) -> Scenario:
        """The scenario that all runs start from."""
        from evosim.api import load_plugin
        from evosim.scenario import Scenario

        for plugin in self.info["plugins"]:
            load_plugin(plugin)
        return Scenario.load(self._store.scenario)

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters."""
        return [str(name) for name in self.plan.columns if name not in COLUMNS]

    @property
    def keys(self) -> dict[str, str]:
        """The key of the scenario that each parameter sets."""
        names = self.info.get("names", {})
        return {name: str(names.get(name, name)) for name in self.parameters}

    @property
    def runs(self) -> pd.DataFrame:
        """One row per planned run: parameters, seed, status, and how it was done.

        `status` is done, failed (with `stage` and `error`) or missing; `wall_seconds`,
        `peak_memory_bytes`, versions and the like are there for runs that are done.
        """
        import pandas as pd

        failures = self._store.failures()
        records = self._frame(self._rows(RECORDS, None)).drop(columns="code", errors="ignore")
        done = set(records["run"].astype(str))
        plan = self.plan
        told = [
            ("done", None, None)
            if run in done
            else ("failed", failures[run]["stage"], failures[run]["error"])
            if run in failures
            else ("missing", None, None)
            for run in plan["run"]
        ]
        status = pd.DataFrame(told, columns=list(_STATUS), index=plan.index)
        status["status"] = pd.Categorical(status["status"], ["done", "failed", "missing"])
        status = status.astype({"stage": "str", "error": "str"})
        order = [*COLUMNS[:3], *self.parameters, *COLUMNS[3:-1]]
        runs = pd.concat([plan[order], status], axis=1)
        return runs.merge(records.astype({"run": "str"}), on="run", how="left")

    @property
    def trajectory(self) -> pd.DataFrame:
        """One row per run, arm, replicate and recorded generation."""
        return self.table("trajectory")

    @property
    def contexts(self) -> pd.DataFrame:
        """Frequency, payoff and episodes, by context."""
        return self.table("contexts")

    @property
    def assays(self) -> pd.DataFrame:
        """Every assay's mean, sd and quantiles over agents."""
        return self.table("assays")

    @property
    def trials(self) -> pd.DataFrame:
        """The course of the lives of every trial."""
        return self.table("trials")

    @property
    def ledger(self) -> pd.DataFrame:
        """The Price-equation record per quantity."""
        return self.table("ledger")

    @property
    def predictions(self) -> pd.DataFrame:
        """Probability of each action at each asked percept, by each predictor."""
        return self.table("predictions")

    @property
    def scores(self) -> pd.DataFrame:
        """Score and skill of each predictor."""
        return self.table("scores")

    @property
    def claims(self) -> pd.DataFrame:
        """The scenario's claims as judged in every run on its own."""
        return self.table("claims")

    def table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table of all runs that are done.

        Parameters
        ----------
        name : str
            One of the tables that the study keeps.
        columns : sequence of str, optional
            Read these only (besides run, parameters and the keys arm, replicate, generation),
            where the whole table would not fit into memory.

        Raises
        ------
        UserError
            The study keeps no such table, or it has no such column.
        """
        kept = self.info["tables"]
        if name not in kept:
            raise UserError(
                f"keeps no table '{name}'",
                file=self.path,
                allowed=", ".join(kept),
                hint=did_you_mean(name, kept),
            )
        rows = self._rows(name, columns)
        if columns is not None:
            lost = [c for c in columns if c not in rows.column_names]
            if lost:
                raise UserError(f"the table '{name}' has no column '{lost[0]}'", file=self.path)
        return self._joined(self._frame(rows))

    def measured(
        self,
        measure: str,
        generation: int | None = None,
        arms: Sequence[str] | None = None,
        statistic: str = "value",
    ) -> pd.DataFrame:
        """Read a measure in every population of the study.

        Parameters
        ----------
        measure : str
            As in a claim: ``"payoff"``, ``"assay.NAME"``, ``"ledger.GENE.selection"``, ...
        generation : int, optional
            Default: the last one.
        arms : sequence of str, optional
            Default: all that were run.
        statistic : {"value", "change", "slope"}
            The value, its change since generation 0, or its slope per generation.

        Returns
        -------
        DataFrame
            Columns point, the parameters, arm, replicate, value.

        Raises
        ------
        UserError
            Unknown measure or arm, or no run is done.
        """
        return statistics.measured(self, measure, generation, arms, statistic)

    def differences(
        self,
        measure: str,
        arm: str,
        minus: str,
        generation: int | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Compare two arms at every point, paired by replicate: they share their luck.

        Parameters
        ----------
        measure, generation
            As in `measured`.
        arm, minus : str
            The difference is that of `arm` minus that of `minus`.
        confidence : float
            Of the interval, a bias-corrected and accelerated bootstrap (Efron 1987).

        Returns
        -------
        DataFrame
            Columns point, the parameters, replicates, estimate, low, high; no limits where there
            is one pair only.

        Raises
        ------
        UserError
            As `measured`.
        """
        return statistics.differences(self, measure, arm, minus, generation, confidence)

    def judged(self) -> pd.DataFrame:
        """Judge the scenario's claims at every point, on all its runs together.

        Returns
        -------
        DataFrame
            Columns point, the parameters, and those of a run's claims: `verdict`, and in
            `more_replicates` how many more populations would decide what is undecided.
            (`claims` has the verdicts of each run on its own.)

        Raises
        ------
        UserError
            No run is done.
        """
        return statistics.judged(self)

    def sensitivity(
        self,
        measure: str,
        arm: str = "base",
        generation: int | None = None,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Say how much each parameter moves a measure's mean over populations.

        Parameters
        ----------
        measure, generation
            As in `measured`.
        arm : str
        confidence : float
        seed : int
            Of the bootstrap.

        Returns
        -------
        DataFrame
            One row per parameter. `first` is the first-order index, the share of the measure's
            variance that the parameter alone accounts for: exact on a grid, by RBD-FAST on points
            that fill the space. A design of kind "saltelli" gives `total` beside it, with all
            interactions (Sobol' 2001; Saltelli et al. 2010). Each has half the width of its
            interval (`first_half`, `total_half`).

        Raises
        ------
        UserError
            A parameter that is no number, a measure that does not vary, points without a value,
            or SALib is not installed.
        """
        return statistics.sensitivity(self, measure, arm, generation, confidence, seed)

    def counts(self) -> dict[str, int]:
        """Return how many runs are done, failed and missing."""
        planned = set(self.plan["run"])
        done = planned & self._store.done()
        failed = (planned & self._store.failures().keys()) - done
        return {
            "done": len(done),
            "failed": len(failed),
            "missing": len(planned) - len(done) - len(failed),
        }

    def failures(self) -> list[tuple[str, str, int, str]]:
        """Return stage, error, number of runs, and one of the runs, most frequent first."""
        planned, done = set(self.plan["run"]), self._store.done()
        events = {
            run: event
            for run, event in self._store.failures().items()
            if run in planned and run not in done
        }
        counted = Counter((e["stage"], e["error"]) for e in events.values())
        example = {(e["stage"], e["error"]): run for run, e in reversed(events.items())}
        return [(*key, count, example[key]) for key, count in counted.most_common()]

    def traceback(self, run: str) -> str:
        """Return the traceback of a failed run, empty where there is none."""
        return str(self._store.failures().get(run, {}).get("traceback", ""))

    def _rows(self, name: str, columns: Sequence[str] | None) -> pa.Table:
        """Return the rows of all runs, compacted ones first."""
        import pyarrow as pa
        from pyarrow import parquet

        from evosim.studies.compact import fitted, rows_of, unify
        from evosim.studies.parts import UnreadableError

        wanted = None if columns is None else ["run", "arm", "replicate", "generation", *columns]
        path = self._store.table_path(name)
        pieces, compacted = [], self._store.compacted_ids()
        if path.is_file():
            file = parquet.ParquetFile(path)
            here = None if wanted is None else [c for c in wanted if c in file.schema_arrow.names]
            pieces.append(parquet.read_table(path, columns=here))
        waiting = self._store.part_ids() - compacted
        for run in self.plan["run"] if waiting else ():
            if run in waiting:
                try:
                    rows = rows_of(self._store, name, run)
                except UnreadableError:
                    continue  # it will be done again
                here = [c for c in rows.column_names if wanted is None or c in wanted]
                pieces.append(rows.select(here))
        if not pieces:
            return pa.table({"run": pa.array([], pa.string())})
        schema = unify([piece.schema for piece in pieces])
        return pa.concat_tables([fitted(piece, schema) for piece in pieces])

    def _frame(self, rows: pa.Table) -> pd.DataFrame:
        """Return rows as pandas: texts as categoricals, numbers that may be missing as nullable."""
        import pyarrow as pa

        changes = {}
        for field in rows.schema:
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                at = rows.schema.get_field_index(field.name)
                rows = rows.set_column(at, field.name, rows[field.name].dictionary_encode())
            elif rows[field.name].null_count:
                missing = {pa.float64(): "Float64", pa.int64(): "Int64", pa.bool_(): "boolean"}
                if field.type in missing:
                    changes[field.name] = missing[field.type]
        frame: pd.DataFrame = rows.to_pandas()
        return frame.astype(changes)

    def _joined(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Put the parameters beside the run, and count replicates through a point's runs."""
        import pandas as pd

        plan = self.plan.set_index("run")
        codes = pd.Index(plan.index).get_indexer(pd.Index(frame["run"].astype(str)))
        front = {
            name: plan[name].astype("category").array.take(codes)
            if plan[name].dtype == "str"
            else plan[name].to_numpy()[codes]
            for name in self.parameters
        }
        if "replicate" in frame:
            offset = (plan["replicate"] * plan["populations"]).to_numpy()[codes]
            frame["replicate"] = frame["replicate"].to_numpy() + offset
        rest = frame.drop(columns="run")
        return pd.concat([frame[["run"]], pd.DataFrame(front, index=frame.index), rest], axis=1)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {word}" for word, n in self.counts().items())
        return f"<Study {self.info['title']!r}: {counts}; in {self.path}>"


def load_study(directory: str | Path) -> Study:
    """Open the results of a study, finished or not.

    Parameters
    ----------
    directory : path
        A study's directory.

    Returns
    -------
    Study
        Its tables are read when asked for.

    Raises
    ------
    UserError
        There is no study, or it is damaged or of a newer evosim.
    """
    return Study(Store.existing(directory))
