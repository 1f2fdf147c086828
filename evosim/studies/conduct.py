"""Do a study: plan it, do what is missing, put the results together."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evosim
from evosim.errors import UserError
from evosim.output import user_errors
from evosim.record import commit, versions
from evosim.scenario.resolved import plain
from evosim.studies.cluster import DaskWorkers
from evosim.studies.compact import compact
from evosim.studies.file import StudyFile, load_study_file
from evosim.studies.job import Settings, words_of
from evosim.studies.local import LocalWorkers
from evosim.studies.plan import code_version, extend, make_plan
from evosim.studies.results import Study
from evosim.studies.store import Journal, Store
from evosim.toml_text import dump_toml

if TYPE_CHECKING:
    import pandas as pd

    from evosim.progress import Progress

_KEPT = "finished runs are kept"
#: How often runs whose results turn out to be unreadable are done again.
_ROUNDS = 3


def study(
    source: str | Path | Mapping[str, Any],
    out: str | Path,
    workers: int | None = None,
    progress: Progress | None = None,
    *,
    scheduler: str | None = None,
    any_code: bool = False,
    plugins: Sequence[str | Path] = (),
    command: Sequence[str] | None = None,
) -> Study:
    """Do all runs of a study that have no results yet.

    Parameters
    ----------
    source : path or mapping
        A study file, or what one would hold.
    out : path
        The study's directory: new, or of this study, which then goes on.
    workers : int, optional
        Processes on this machine, with one thread each; default: one per core.
    progress : Progress, optional
        Told how many runs are done.
    scheduler : str, optional
        Address of a running Dask scheduler whose workers share `out`; instead of own workers.
    any_code : bool
        Go on although the code has changed since some runs were planned.
    plugins : sequence of path
        Python files to import besides those that the study names.
    command : sequence of str, optional
        The command line, for the record.

    Returns
    -------
    Study
        Failed runs are rows of its `runs`; another call tries them again.

    Raises
    ------
    UserError
        A mistake in the study, a directory in use or of another study, changed code, a full disk.
    KeyboardInterrupt
        Says how many runs are done; the same call goes on.
    """
    file = load_study_file(source, plugins)
    code = code_version(file.plugins, file.base)
    plan = make_plan(file, code)
    if workers and scheduler:
        raise UserError("give either workers or a scheduler: a cluster has its own workers")
    workers = workers or len(os.sched_getaffinity(0))
    store = Store(out)
    with store.locked(), user_errors(store.path, kept=_KEPT):
        plan = _register(store, file, plan, code, any_code, command)
        try:
            _do(store, file, plan, code, scheduler or workers, progress)
        except KeyboardInterrupt:
            done = len(store.done())
            text = f"{done} of {len(plan)} runs are done; the same command does the rest"
            raise KeyboardInterrupt(text) from None
    return Study(store)


def _register(
    store: Store,
    file: StudyFile,
    plan: pd.DataFrame,
    code: str,
    any_code: bool,
    command: Sequence[str] | None,
) -> pd.DataFrame:
    """Write the plan down, joined to what was planned in the directory before."""
    tables = list(file.model.tables)
    if store.exists:
        earlier = store.info()
        if earlier["tables"] != tables:
            raise UserError(
                f"keeps the tables {', '.join(earlier['tables'])} of its runs",
                file=store.path,
                hint="choose another --out for other tables",
            )
        try:
            plan = extend(store.plan(), plan, file, done=store.done(), any_code=any_code)
        except UserError as error:
            raise error.located(store.path, None) from None
    info = {
        "evosim": evosim.__version__,
        "title": file.model.title,
        "systems": file.model.systems,
        "design": file.model.design.kind,
        "names": dict(file.model.names),
        "dose": None if file.model.dose is None else plain(file.model.dose),
        "study_file": None if file.path is None else str(file.path),
        "code": code,
        "versions": versions(),
        "commit": commit(),
        "plugins": [str(plugin) for plugin in file.plugins],
        "command": None if command is None else list(command),
        "tables": tables,
        "runs": len(plan),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = file.text or dump_toml(plain(file.model))
    store.register(plan, info, text, file.base.toml())
    return plan


def _do(
    store: Store,
    file: StudyFile,
    plan: pd.DataFrame,
    code: str,
    workers: int | str,
    progress: Progress | None,
) -> None:
    """Do what is missing, until all that is done can also be read."""
    names = list(file.model.tables)
    settings = Settings(
        str(store.scenario), str(store.parts), code, [str(p) for p in file.plugins], names
    )
    runs = plan["run"].tolist()
    with store.journal() as journal:
        for _ in range(_ROUNDS):
            done = store.done()
            missing = plan[~plan["run"].isin(done).to_numpy()]
            _tell_unreadable(store, journal, done)
            if len(missing):
                journal.append({"event": "start", "missing": len(missing), "workers": workers})
                _work(journal, missing, settings, workers, progress)
            bad = compact(store, runs, names)
            for run in bad:
                journal.append({"run": run, "status": "unreadable"})
            if not bad:
                return
        raise UserError("results cannot be read back", file=store.path, hint="check the disk")


def _tell_unreadable(store: Store, journal: Journal, done: set[str]) -> None:
    """Remove parts without an end, so that nothing takes them for results."""
    for run in store.part_ids() - done:
        store.part(run).unlink()
        journal.append({"run": run, "status": "unreadable"})


def _work(
    journal: Journal,
    missing: pd.DataFrame,
    settings: Settings,
    workers: int | str,
    progress: Progress | None,
) -> None:
    if progress is not None:
        progress.start(len(missing))
    failed = 0
    pool: LocalWorkers | DaskWorkers
    if isinstance(workers, str):
        pool = DaskWorkers(settings, workers)
    else:
        pool = LocalWorkers(settings, min(workers, len(missing)))
    with pool:
        for event in pool.run(_jobs(missing), _warm(missing)):
            journal.append(event)
            failed += event["status"] == "failed"
            if progress is not None:
                progress.advance(1, f"{failed} failed" if failed else "runs")
    if progress is not None:
        progress.finish()


def _jobs(missing: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for run, seed, text in zip(missing["run"], missing["seed"], missing["set"], strict=True):
        yield {"run": run, "seed": int(seed), "set": json.loads(text)}


def _warm(missing: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a job for every set of words among the parameters."""
    found: dict[str, dict[str, Any]] = {}
    for job in _jobs(missing.drop_duplicates("point")):
        found.setdefault(json.dumps(words_of(job), sort_keys=True), job)
    return list(found.values())
