"""Workers of a running Dask cluster that shares the study's directory.

The scheduler remembers nothing that counts: Dask carries ids and a few hundred bytes per run, the
results go to disk where they are made, and a lost scheduler or worker costs the runs at work.
Workers should be processes of one thread: ``dask worker ADDRESS --nthreads 1``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import Any

from evosim.errors import UserError
from evosim.studies.job import Bench, Settings

Event = dict[str, Any]
#: Tasks that the scheduler knows at a time; it takes some 10 kB for each.
_WINDOW = 2000
#: Short runs travel together, so that a task is worth its way.
_SECONDS_PER_TASK, _MOST_RUNS_PER_TASK = 1.0, 100
_SECONDS_TO_CONNECT = 30

_BENCHES: dict[str, Bench] = {}
_ONE_AT_A_TIME = Lock()


class DaskWorkers:
    """A running Dask cluster; a context manager that takes back what is not done.

    Parameters
    ----------
    settings : Settings
        Its paths are valid on all workers.
    address : str
        Of the scheduler, e.g. ``tcp://10.0.0.1:8786``.

    Raises
    ------
    UserError
        Dask is not installed, no scheduler answers, or it has workers of several threads.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UserError(
                "--scheduler needs Dask", hint="pip install 'evosim[dask]', here and on the workers"
            ) from None
        self._settings = settings
        self._address = address
        try:
            self._client = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(f"no Dask scheduler answers at {address}") from error
        found = self._client.scheduler_info(n_workers=-1)["workers"].values()
        if any(worker["nthreads"] > 1 for worker in found):
            self._client.close()
            raise UserError(
                f"the cluster at {address} has workers of several threads",
                hint="start them with --nthreads 1, one process per core",
            )

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(Exception):  # the scheduler may be gone
            self._client.close(timeout=2)

    def run(self, jobs: Iterable[Event], warm: Iterable[Event] = ()) -> Iterator[Event]:
        """Do all jobs and yield what became of each; see `LocalWorkers.run`.

        `warm` is not needed: each process warms itself, one per machine at a time.
        """
        from concurrent.futures import CancelledError

        from distributed.comm import CommClosedError

        try:
            yield from self._run(jobs)
        except (CancelledError, CommClosedError, TimeoutError) as error:
            raise UserError(
                f"lost the Dask scheduler at {self._address}; finished runs are kept",
                hint="the same command does the rest",
            ) from error

    def _run(self, jobs: Iterable[Event]) -> Iterator[Event]:
        from concurrent.futures import CancelledError

        from distributed import as_completed

        waiting = iter(jobs)
        alone: deque[Event] = deque()  # jobs whose task was lost: each gets one of its own
        running: dict[str, list[Event]] = {}
        tasks = as_completed(loop=self._client.loop, raise_errors=False)
        done, seconds = 0, 0.0
        while True:
            # Until a run's time is known tasks are short, and few are sent.
            window = _WINDOW if done else 2 * len(self._client.nthreads()) + 2
            size = _runs_per_task(seconds / done) if done else 1
            while len(running) < window:
                batch = [alone.popleft()] if alone else list(islice(waiting, size))
                if not batch:
                    break
                future = self._submit(batch)
                running[future.key] = batch
                tasks.add(future)
            if not running:
                return
            future = next(tasks)
            batch = running.pop(future.key)
            if future.status in ("cancelled", "lost"):
                raise CancelledError
            if future.status == "error":
                if len(batch) > 1:
                    alone.extend(batch)
                    continue
                text = " ".join(str(future.exception()).split())
                yield {"run": batch[0]["run"], "status": "failed", "stage": "worker", "error": text}
                continue
            for event in future.result():
                if event["status"] == "stop":
                    raise UserError(event["error"])
                done += 1
                seconds += event.get("wall_seconds", 0.0)
                yield event

    def _submit(self, batch: list[Event]) -> Any:
        key = f"evosim-{batch[0]['run']}" + ("" if len(batch) == 1 else f"-{len(batch)}")
        return self._client.submit(
            do_runs, asdict(self._settings), batch, key=key, retries=2, pure=False
        )


def do_runs(settings: dict[str, Any], jobs: list[Event]) -> list[Event]:
    """Do some runs in this process, one after the other; called by a Dask worker."""
    with _ONE_AT_A_TIME:
        try:
            bench = _bench(settings, jobs[0])
        except UserError as error:
            return [{"status": "stop", "error": error.one_line()}]
        return [bench.run(job) for job in jobs]


def _bench(settings: dict[str, Any], first: Event) -> Bench:
    """Return this process's bench of a study, made and warmed when it first hears of it."""
    name = repr(sorted(settings.items()))
    if name not in _BENCHES:
        _BENCHES.clear()
        bench = Bench(Settings(**settings))
        bench.warm(first)
        _BENCHES[name] = bench
    return _BENCHES[name]


def _runs_per_task(seconds: float) -> int:
    return max(1, min(_MOST_RUNS_PER_TASK, round(_SECONDS_PER_TASK / max(seconds, 1e-3))))
