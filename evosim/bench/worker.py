"""A program in a process of its own: no shared heap, thread pool or garbage collector.

The parent writes one JSON request a line and reads one JSON reply a line.  Run as
``python -m evosim.bench.worker MODULE WORLD``, this file is the child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from evosim.bench.forager import MAX_THREADS, make_world


class ProgramError(RuntimeError):
    """A program could not do what it was asked; the message is one line."""


class Runner(Protocol):
    """Something that can be timed."""

    def seconds(self, agents: int, generations: int, seed: int, **options: int) -> float:
        """Run once and return the wall time of its generations in seconds."""

    def peak_bytes(self) -> int:
        """Return the largest resident memory of its process so far."""


class Worker:
    """Run one program's module in a child process.

    Parameters
    ----------
    module : str
        Module with ``run``; see :mod:`evosim.bench.peers`.
    **world : int or str
        Arguments of the module's ``build``, or where it has none of
        :func:`evosim.bench.forager.make_world`.
    """

    def __init__(self, module: str, **world: int | str) -> None:
        command = [sys.executable, "-m", __name__, module, json.dumps(world)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, even in the middle of a run."""
        self._child.kill()
        self._child.communicate()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with suppress(BrokenPipeError):  # a child that ended may have left its reason
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise ProgramError(f"its process ended with exit code {self._child.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise ProgramError(reply["error"])
        return reply

    def seconds(self, agents: int, generations: int, seed: int, **options: int) -> float:
        """Run once and return the wall time of its generations in seconds.

        Parameters
        ----------
        agents, generations, seed : int
            As in :mod:`evosim.bench.peers`.
        **options : int
            Passed to ``run`` as they are (evosim's own: ``replicates``, ``threads``).

        Raises
        ------
        ProgramError
            The program raised, or its process died.
        """
        request = {"agents": agents, "generations": generations, "seed": seed, **options}
        return float(self._ask(request)["number"])

    def number(self, function: str, **options: int) -> float:
        """Return what another function of the module says of its world.

        Parameters
        ----------
        function : str
            Called with the world and the options.

        Raises
        ------
        ProgramError
            The program raised, or its process died.
        """
        return float(self._ask({"function": function, **options})["number"])

    def peak_bytes(self) -> int:
        """Return the largest resident memory of the child so far."""
        return int(self._ask({})["peak"])


def _reply(program: Any, world: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Run what is asked, if anything is; an exception becomes one line, its trace stderr's."""
    number = 0.0
    if request:
        try:
            function = getattr(program, request.pop("function", "run"))
            answer = function(world, **request)
            number = answer[0] if isinstance(answer, tuple) else answer
        except Exception as error:
            traceback.print_exc()
            return {"error": " ".join(f"{type(error).__name__}: {error}".split())}
    return {"number": number, "peak": own_peak_bytes()}


def own_peak_bytes() -> int:
    """Largest resident memory of this process; ``ru_maxrss`` would include its parent's."""
    status = Path("/proc/self/status").read_text()
    kib = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kib) * 1024


def _serve(module: str, given: dict[str, Any]) -> None:
    """Answer requests until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:MAX_THREADS])
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # whatever a library prints must not reach the pipe
        try:
            program = import_module(module)
        except ImportError as error:
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
            return
        world = getattr(program, "build", make_world)(**given)
        for line in sys.stdin:
            answers.write(json.dumps(_reply(program, world, json.loads(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
