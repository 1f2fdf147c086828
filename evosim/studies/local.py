"""Workers on this machine: one process each, one thread each, told what to do through pipes."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import evosim
from evosim.errors import UserError
from evosim.studies.job import Settings

Event = dict[str, Any]
#: How often a run is begun whose worker gets killed.
ATTEMPTS = 3
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class LocalWorkers:
    """Processes on this machine; a context manager that leaves none behind.

    `concurrent.futures` would end the whole pool when one process is killed, and not say whose
    run it had; here the run is known, tried again, and after three deaths a failure.

    Parameters
    ----------
    settings : Settings
    count : int
        Number of processes.
    """

    def __init__(self, settings: Settings, count: int) -> None:
        self._settings = settings
        self._count = count
        self._workers: list[_Worker] = []
        self._free = deque[_Worker]()  # ready, and waiting until the compile cache is warm
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> LocalWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.end()
        self._selector.close()

    def run(self, jobs: Iterable[Event], warm: Iterable[Event] = ()) -> Iterator[Event]:
        """Do all jobs and yield what became of each, in the order in which they end.

        Parameters
        ----------
        jobs : iterable of dict
            Taken one by one as workers get free.
        warm : iterable of dict
            Jobs that one worker does, and forgets, before any worker does anything else. The
            others start meanwhile, and load what needs no compiling.

        Yields
        ------
        dict
            Events, see `Bench.run`.

        Raises
        ------
        UserError
            No worker can start, or the store cannot be written.
        """
        self._waiting, self._jobs = deque[Event](), iter(jobs)
        self._warm = deque(warm)
        self._deaths: dict[str, int] = {}
        for _ in range(self._count):
            self._start()
        while self._workers:
            for key, _ in self._selector.select():
                worker = cast(_Worker, key.data)
                for event in worker.read():
                    yield from self._heard(worker, event)
                if worker.ended:
                    yield from self._lost(worker)

    def _start(self) -> None:
        worker = _Worker(self._settings)
        self._workers.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)

    def _heard(self, worker: _Worker, event: Event) -> Iterator[Event]:
        if event["status"] == "stop":
            raise UserError(event["error"])
        if event["status"] != "ready":
            yield event
        worker.job = None
        worker.ready = True
        self._free.append(worker)
        self._employ()

    def _employ(self) -> None:
        """Give free workers something to do, or let them go; while one warms, the others wait."""
        if any(worker.warms for worker in self._workers):
            return
        if self._warm:
            self._free.pop().send(self._warm.popleft(), warm=True)
            return
        while self._free:
            worker = self._free.popleft()
            job = self._waiting.popleft() if self._waiting else next(self._jobs, None)
            if job is None:
                worker.dismiss()
            else:
                worker.send(job)

    def _lost(self, worker: _Worker) -> Iterator[Event]:
        """Deal with a process that has ended: dismissed, killed, or unable to start."""
        self._selector.unregister(worker.output)
        self._workers.remove(worker)
        if worker in self._free:
            self._free.remove(worker)
        worker.end()
        if worker.dismissed:
            return
        if not worker.ready:
            raise UserError(
                f"a worker could not start: {worker.how}", hint="see the lines above this one"
            )
        job = worker.job
        if job is not None and not worker.warms:
            died = self._deaths[job["run"]] = self._deaths.get(job["run"], 0) + 1
            if died < ATTEMPTS:
                self._waiting.append(job)
            else:
                text = f"its worker ended {died} times, the last time {worker.how}"
                yield {"run": job["run"], "status": "failed", "stage": "worker", "error": text}
        self._start()


class _Worker:
    """One process and the job that it has."""

    def __init__(self, settings: Settings) -> None:
        root = str(Path(evosim.__file__).parents[1])
        paths = [root, os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            **dict.fromkeys(_THREADS, "1"),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        self.job: Event | None = None
        self.ready = self.dismissed = self.ended = False
        self._buffer = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "evosim.studies.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            process_group=0,  # a terminal's Ctrl-C reaches the coordinator alone
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout
        self._tell(asdict(settings))

    @property
    def warms(self) -> bool:
        """Whether what it does is only to compile."""
        return self.job is not None and bool(self.job.get("warm"))

    @property
    def how(self) -> str:
        """How the process ended, in words."""
        code = self._process.wait()
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"

    def send(self, job: Event, *, warm: bool = False) -> None:
        """Give the process a job."""
        self.job = {**job, "warm": True} if warm else job
        self._tell(self.job)

    def read(self) -> Iterator[Event]:
        """Yield the messages that have arrived; at the end of all, note it."""
        data = os.read(self.output.fileno(), 1 << 16)
        self.ended = not data
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def dismiss(self) -> None:
        """Tell the process that nothing more comes."""
        self.dismissed = True
        assert self._process.stdin is not None
        self._process.stdin.close()

    def end(self) -> None:
        """Make sure that the process has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self.output):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue

    def _tell(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it is dead, which reading will show
