"""From a scenario to a finished run, in one call."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.errors import Terminated, UserError, did_you_mean
from evosim.output import RECORD, remove_checkpoint, reserve
from evosim.results import OWN_FILES, Run, save_into

if TYPE_CHECKING:
    from evosim.checkpoint import Keeper, Rhythm
    from evosim.forks import Fork
    from evosim.progress import Progress
    from evosim.scenario import Scenario

_STANDS = "its checkpoint stands, go on with --resume"
#: Short names of the keys that users change most.
SHORT_KEYS = {
    "seed": "seed",
    "agents": "population.agents",
    "replicates": "population.replicates",
    "generations": "population.generations",
}


def run(
    scenario: str | Path | Scenario,
    out: str | Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
    checkpoint: str | int = "10min",
    resume: bool = False,
    arms: Sequence[str] = (),
    plugins: Iterable[str | Path] = (),
    command: Sequence[str] | None = None,
    **overrides: Any,
) -> Run:
    """Run a scenario and judge its claims.

    Parameters
    ----------
    scenario : path or Scenario
        What to run.
    out : path, optional
        Directory for the results; None keeps them in memory only.
    threads : int, optional
        Cores to use, default all; the result does not depend on it.
    progress : Progress, optional
        Told how far the run is.
    overwrite : bool
        Whether earlier results in `out` may be replaced.
    checkpoint : str or int
        How often a run with `out` writes its state to disk, so that it can be resumed: so many
        generations (of all arms together), a time like ``"90s"``, ``"10min"``, ``"1h"``, or
        ``"never"``. The results do not depend on it.
    resume : bool
        Go on with the run that was interrupted in `out`; its results are the same bits as those
        of a run that was not. Where it is finished nothing is done, where none began it begins.
    arms : sequence of str
        Run these arms only; claims that need others are left out. Empty: all.
    plugins : iterable of path
        Python files that register own worlds, minds or selection schemes.
    command : sequence of str, optional
        The command line, for the record.
    **overrides
        ``seed``, ``agents``, ``replicates``, ``generations``, and ``set``: a mapping from dotted
        keys to values, e.g. ``set={"mind.learning_rate": 0.1}``.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    UserError
        Anything a user can mend: a wrong key, too little memory, a directory in use, a damaged
        checkpoint.
    """
    rhythm = rhythm_of(checkpoint, out, resume)
    files = [load_plugin(path) for path in plugins]
    prepared = prepare(scenario, overrides, arms)
    check_memory(prepared)
    return carry_out(
        prepared,
        out,
        overwrite=overwrite,
        rhythm=rhythm,
        resume=resume,
        threads=threads,
        progress=progress,
        command=command,
        plugins=files,
    )


def carry_out(
    scenario: Scenario,
    out: str | Path | None,
    *,
    overwrite: bool,
    rhythm: Rhythm | None,
    resume: bool,
    threads: int | None,
    progress: Progress | None,
    command: Sequence[str] | None,
    plugins: Sequence[Path],
    fork: Fork | None = None,
) -> Run:
    """Run a prepared scenario, or a fork, into a directory or in memory; see `run`."""
    if out is None:
        return _simulate(scenario, threads, progress, command, plugins, None, fork)
    from evosim.checkpoint import Keeper
    from evosim.record import origin

    begun_as = origin(plugins, scenario) | ({} if fork is None else {"state to fork": fork.digest})
    with reserve(out, overwrite=overwrite, own=OWN_FILES, resume=resume) as reserved:
        if resume and (done := _finished(reserved.target, scenario, begun_as)):
            remove_checkpoint(reserved.unfinished)
            return done
        if (reserved.target / RECORD).is_file() and not (overwrite or reserved.begun):
            raise UserError(
                "holds the results of another run",
                file=reserved.target,
                hint="say --overwrite or choose another --out",
            )
        keeper = Keeper(reserved.unfinished, scenario, begun_as, rhythm, resume=resume)
        with _telling_where_to_go_on(keeper):
            with keeper.patient():
                done = _simulate(scenario, threads, progress, command, plugins, keeper, fork)
            done.info["origin"] = begun_as
            save_into(done, reserved, kept=_STANDS if keeper.written else "nothing was kept")
        keeper.remove()
    return done


def rhythm_of(checkpoint: str | int, out: str | Path | None, resume: bool) -> Rhythm | None:
    """Return how often checkpoints are due.

    Raises
    ------
    UserError
        The text is no rhythm, or there is no directory to resume from.
    """
    from evosim.checkpoint import Rhythm

    if resume and out is None:
        raise UserError("nothing to resume without a directory", key="out")
    return Rhythm.parse(checkpoint)


@contextmanager
def _telling_where_to_go_on(keeper: Keeper) -> Iterator[None]:
    """Let whoever ends a run know that its checkpoint stands."""
    try:
        yield
    except (KeyboardInterrupt, Terminated) as ending:
        if not keeper.written:
            raise
        raise type(ending)(_STANDS) from None


def _finished(directory: Path, scenario: Scenario, begun_as: Mapping[str, Any]) -> Run | None:
    """Return the run in a directory if it is this very one, else None."""
    from evosim.results import load

    if not (directory / RECORD).is_file():
        return None
    done = load(directory)
    same = done.info["scenario_hash"] == scenario.hash() and done.info.get("origin") == begun_as
    return done if same else None


def prepare(
    scenario: str | Path | Scenario, overrides: Mapping[str, Any], arms: Sequence[str] = ()
) -> Scenario:
    """Load a scenario and apply what the user changes.

    Parameters
    ----------
    scenario : path or Scenario
        What to change.
    overrides : mapping
        The keywords of `run`: short names, and ``set`` for dotted keys.
    arms : sequence of str
        Keep these arms only; empty: all.

    Returns
    -------
    Scenario
        Checked.

    Raises
    ------
    UserError
        A key, value or arm does not exist or is given twice.
    """
    from evosim.scenario import Scenario

    if not isinstance(scenario, Scenario):
        scenario = Scenario.load(find_file(Path(scenario)))
    changes = dotted_overrides(overrides)
    if changes:
        scenario = scenario.override(changes)
    return only_arms(scenario, arms) if arms else scenario


def dotted_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys and values for the keywords of `run`.

    Raises
    ------
    UserError
        An unknown keyword, or one key given twice.
    """
    changes: dict[str, Any] = dict(overrides.get("set") or {})
    for name, value in overrides.items():
        if name == "set" or value is None:
            continue
        if name not in SHORT_KEYS:
            known = (*SHORT_KEYS, "set")
            raise UserError(
                f"no parameter '{name}'",
                allowed=", ".join(known),
                hint=did_you_mean(name, known) or "other keys go into set={'a.b': value}",
            )
        key = SHORT_KEYS[name]
        if key in changes:
            raise UserError(f"given twice: as '{name}' and as '{key}'")
        changes[key] = value
    return changes


def only_arms(scenario: Scenario, arms: Sequence[str]) -> Scenario:
    """Return the scenario with these arms only, without the claims that need other arms.

    An arm whose pedigree a kept arm replays is kept too.

    Raises
    ------
    UserError
        The scenario has no such arm.
    """
    from evosim.scenario import Scenario
    from evosim.scenario.resolved import plain

    known = list(dict.fromkeys(cell.arm for cell in scenario.arms()))
    for name in arms:
        if name not in known:
            raise UserError(
                f"no arm '{name}'",
                file=scenario.path,
                allowed=", ".join(known),
                hint=did_you_mean(name, known),
            )
    kept = _with_replayed(scenario, set(arms))
    data = plain(scenario.model)
    own = data["base_arm"] if data["base_arm"] in known else known[0]
    labels = {cell.label for cell in scenario.arms() if cell.arm in kept} | kept

    def complete(part: Mapping[str, Any], *keys: str) -> bool:
        return labels >= {part[key] for key in keys if key in part}

    data["arm"] = [arm for arm in data.get("arm", ()) if arm["name"] in kept]
    data["base_arm"] = data["base_arm"] if data["base_arm"] in kept else ""
    data["claim"] = [
        claim
        for claim in data.get("claim", ())
        if complete({"arm": own, **claim}, "arm", "minus", "over")
        and labels.issuperset(claim.get("apart", ()))
    ]
    if not complete(data.get("effect", {}), "arm", "control"):
        del data["effect"]
    return Scenario.from_dict(data, path=scenario.path)


def find_file(path: Path) -> Path:
    """Return `path` if it is a readable file.

    Raises
    ------
    UserError
        It is not; names the closest file of its folder.
    """
    path = path.expanduser()
    if path.is_dir():
        raise UserError("is a folder, not a scenario file", file=path)
    if not path.exists():
        folder = path.parent
        try:
            near = [p.name for p in folder.iterdir() if p.suffix == path.suffix]
        except OSError:
            near = []
        raise UserError("no such file", file=path, hint=did_you_mean(path.name, near))
    return path


def check_memory(scenario: Scenario) -> None:
    """Refuse a run that would not fit into the memory that is free.

    Raises
    ------
    UserError
        With the estimate and what to lower.
    """
    import psutil  # type: ignore[import-untyped]

    from evosim.memory import estimate_memory

    needed, free = estimate_memory(scenario), psutil.virtual_memory().available
    if needed > free:
        size = scenario.model.population
        raise UserError(
            f"needs about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free",
            file=scenario.path,
            hint=f"lower population.agents (now {size.agents}) or "
            f"population.replicates (now {size.replicates}), or record less often",
        )


def load_plugin(path: str | Path) -> Path:
    """Import a user's Python file, which registers what it defines.

    Parameters
    ----------
    path : path
        The file; importing it twice in one process does nothing the second time.

    Returns
    -------
    path
        Absolute.

    Raises
    ------
    UserError
        The file is missing or its import fails.
    """
    file = find_file(Path(path)).resolve()
    name = f"evosim_plugin_{file.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return file
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UserError("is not a Python file", file=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _last_line_in(file, error)
        raise UserError(
            f"plugin fails to import: {type(error).__name__}: {error}", file=file, line=line
        ) from error
    return file


def _simulate(
    scenario: Scenario,
    threads: int | None,
    progress: Progress | None,
    command: Sequence[str] | None,
    plugins: Sequence[Path],
    keeper: Keeper | None,
    fork: Fork | None,
) -> Run:
    from evosim.record import run_record
    from evosim.simulate import simulate

    started, clock = datetime.now(UTC), time.perf_counter()
    further: dict[str, Any] = {} if keeper is None else {"keeper": keeper}
    if fork is not None:
        further["states"] = fork.states
    data = simulate(scenario, threads=threads, progress=progress, **further)
    info = run_record(
        scenario,
        data.meta | ({} if fork is None else {"fork": fork.source}),
        data.claims,
        started=started if keeper is None else keeper.started,
        wall_seconds=time.perf_counter() - clock + (keeper.spent if keeper is not None else 0.0),
        threads=threads,
        command=command,
        plugins=plugins,
        resumed=() if keeper is None else keeper.resumed,
    )
    tables = {**data.tables, "claims": data.claims}
    return Run(
        info,
        scenario=scenario,
        tables=tables,
        population=data.population,
        checkpoint=data.checkpoint,
    )


def _with_replayed(scenario: Scenario, arms: set[str]) -> set[str]:
    """Add the arms whose pedigrees `arms` replay."""
    from evosim.scenario.biology import Replay

    source = {
        cell.arm: cell.model.selection.of
        for cell in scenario.arms()
        if isinstance(cell.model.selection, Replay)
    }
    labels = {cell.label: cell.arm for cell in scenario.arms()}
    kept = set(arms)
    while missing := {labels[source[arm]] for arm in kept & source.keys()} - kept:
        kept |= missing
    return kept


def _last_line_in(file: Path, error: BaseException) -> int | None:
    """Return the line of `file` at which `error` came up."""
    if isinstance(error, SyntaxError):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
