"""Do one run of a study: the scenario at a point, its part file, and what became of it."""

from __future__ import annotations

import errno
import hashlib
import json
import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.api import check_memory, load_plugin
from evosim.errors import UserError
from evosim.output import DISK_FULL, cache_directory, user_errors
from evosim.record import peak_memory, versions
from evosim.scenario.resolved import content_hash
from evosim.studies.parts import write_part
from evosim.studies.plan import code_version

if TYPE_CHECKING:
    from evosim.scenario import Scenario

#: Asks the kernel of Linux to forget the peak of this process's memory, see proc_pid_clear_refs(5).
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True)
class Settings:
    """What every worker of a study is told once.

    Attributes
    ----------
    scenario, parts : str
        The file of the scenario that all runs start from; the folder of the parts.
    code : str
        The version of the code that the coordinator runs.
    plugins, tables : sequence of str
        Files to import; tables to keep.
    """

    scenario: str
    parts: str
    code: str
    plugins: Sequence[str]
    tables: Sequence[str]


class Bench:
    """Where one worker does its runs.

    Raises
    ------
    UserError
        The worker has other code than the coordinator, or cannot read the scenario.
    """

    def __init__(self, settings: Settings) -> None:
        from evosim.scenario import Scenario

        self._settings = settings
        plugins = [load_plugin(plugin) for plugin in settings.plugins]
        self._base = Scenario.load(settings.scenario)
        here = code_version(plugins, self._base)
        if here != settings.code:
            raise UserError(
                f"a worker on {socket.gethostname()} has another version of evosim, of a plugin, "
                "of numba or of numpy",
                hint="install the same everywhere",
            )
        self._versions = versions()
        # What a run imports is imported now: local workers do that side by side, before any runs.
        import evosim.claims.judge
        import evosim.simulate  # noqa: F401

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Do a run and write its part.

        Parameters
        ----------
        job : mapping
            `run` (id), `set` (changed keys) and `seed`.

        Returns
        -------
        dict
            An event: `run`, `status` (done, failed, or stop where the store itself cannot go
            on), and what goes with it.
        """
        started, clock, stage = datetime.now(UTC), time.perf_counter(), "check"
        _forget_peak()
        try:
            scenario = self._scenario(job)
            check_memory(scenario)
            stage = "run"
            tables, meta = _simulate(scenario)
            record = {
                "run": job["run"],
                "code": self._settings.code,
                "started": started.isoformat(timespec="seconds"),
                "wall_seconds": round(time.perf_counter() - clock, 4),
                "peak_memory_bytes": _peak(),
                "worst_residual": meta["worst_residual"],
                "residual_bound": meta["residual_bound"],
                "extinctions": len(meta["extinctions"]),
                "notes": "; ".join(meta["notes"]),
                "host": socket.gethostname(),
                **self._versions,
            }
            stage = "write"
            kept = {name: tables[name] for name in self._settings.tables}
            _write(Path(self._settings.parts), job["run"], kept, record)
        except Exception as error:
            event = _failure(error, stage)
        else:
            numbers = ("wall_seconds", "peak_memory_bytes")
            event = {"status": "done", **{name: record[name] for name in numbers}}
        return {"run": job["run"], **event}

    def warm(self, job: Mapping[str, Any]) -> None:
        """Compile what a run of this kind needs, alone on this machine, and forget the run.

        First compiles at the same time have crashed for others (numba #4807, #10128). A mark
        beside the compiled kernels says that it was done, so that nobody waits for it again. What
        goes wrong here goes wrong in the run itself, which tells.
        """
        from filelock import FileLock

        with suppress(Exception):
            mark = self._mark(job)
            if mark.exists():
                return
            folder = cache_directory() / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "compile.lock"):
                if not mark.exists():
                    _simulate(self._scenario(job).override({"population.generations": 1}))
                    mark.parent.mkdir(parents=True, exist_ok=True)
                    mark.touch()

    def _mark(self, job: Mapping[str, Any]) -> Path:
        """Return the mark of a kind of run: this code, this scenario, these words."""
        from evosim.kernels import accelerate

        base = self._base.override({"seed": 0, "population.generations": 1})
        kind = [self._settings.code, content_hash(base.model), words_of(job)]
        digest = hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
        return accelerate.cache_directory() / "warm" / digest[:20]

    def _scenario(self, job: Mapping[str, Any]) -> Scenario:
        return self._base.override({**job["set"], "seed": job["seed"]})


def words_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a job's changes that are no numbers: they may choose other kernels."""
    return {k: v for k, v in job["set"].items() if isinstance(v, str | bool)}


def _simulate(scenario: Scenario) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run on one thread: a study's cores have a run each."""
    from evosim.simulate import simulate

    data = simulate(scenario, threads=1)
    return {**data.tables, "claims": data.claims}, data.meta


def _write(parts: Path, run: str, tables: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    with user_errors(parts, kept="finished runs are kept"):
        write_part(parts, run, tables, record)


def _failure(error: Exception, stage: str) -> dict[str, Any]:
    cause = error.__cause__
    full = isinstance(cause, OSError) and cause.errno in DISK_FULL
    if stage == "write" and isinstance(error, UserError) and (full or _cannot_write(cause)):
        return {"status": "stop", "stage": stage, "error": error.one_line()}
    user = isinstance(error, UserError)
    said = error.one_line() if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return {
        "status": "failed",
        "stage": stage,
        "error": " ".join(said.split()),
        "traceback": "" if user else traceback.format_exc(),
    }


def _cannot_write(cause: BaseException | None) -> bool:
    """Tell whether no other run could be written either."""
    wrong = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EIO)
    return isinstance(cause, OSError) and cause.errno in wrong


def _forget_peak() -> None:
    with suppress(OSError):
        _CLEAR.write_text("5")


def _peak() -> int:
    """Return the most memory held since `_forget_peak`, or by the process where that is unknown."""
    with suppress(OSError, ValueError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return peak_memory()
