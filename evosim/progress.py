"""How far a run has come: the protocol that the engine calls, a bar for terminals, lines for logs.

Progress goes to stderr: results on stdout stay clean. A log gets a line for each twentieth of a
run, one a minute at most, so that it stays short.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from evosim.units import duration

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


_SECONDS_BETWEEN_UPDATES = 0.1
_SECONDS_BETWEEN_LINES = 60.0
_MOST_LINES = 20


class Progress(Protocol):
    """What the engine tells about its progress; the unit is one generation of one arm.

    A study tells the same of its runs.
    """

    def start(self, total: int) -> None:
        """Announce how many generations all arms have together."""

    def advance(self, n: int, label: str) -> None:
        """Report `n` more generations done, in the arm `label`."""

    def finish(self) -> None:
        """Say that nothing more comes."""


class TerminalProgress:
    """A bar with the speed and the time left, erased when the run ends.

    Use it as a context manager, so that an error or Ctrl-C gives the terminal back.

    Parameters
    ----------
    stream : file
        Where the bar is drawn, normally stderr.
    unit : str
        What is counted.
    """

    def __init__(self, stream: TextIO, unit: str = "generations") -> None:
        self._stream = stream
        self._unit = unit
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._label = ""
        self._waiting = 0
        self._shown = 0.0

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def start(self, total: int) -> None:
        """Draw the empty bar; the first generation of a new version waits for the compiler."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.finish()
        self._waiting, self._shown = 0, 0.0
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            transient=True,
            redirect_stdout=False,
        )
        self._task = bar.add_task("starting", total=total, rate="")
        self._bar = bar
        bar.start()

    def advance(self, n: int, label: str) -> None:
        """Move the bar by `n` generations and show the arm and the speed."""
        self._waiting += n
        self._label = label
        # A generation can take microseconds, an update of the bar takes hundreds of them.
        if time.monotonic() - self._shown >= _SECONDS_BETWEEN_UPDATES:
            self._update()

    def _update(self) -> None:
        if self._bar is None or self._task is None:
            return
        speed = self._bar.tasks[0].speed
        digits = 0 if speed and speed >= 10 else 2
        rate = f"{speed:,.{digits}f} {self._unit}/s" if speed else ""
        self._bar.update(self._task, advance=self._waiting, description=self._label, rate=rate)
        self._waiting, self._shown = 0, time.monotonic()

    def finish(self) -> None:
        """Erase the bar; harmless when there is none."""
        if self._bar is not None:
            self._update()
            self._bar.stop()
            self._bar = None


class LogProgress:
    """A line now and then: the progress of a run whose output goes into a file or a pipe.

    Parameters
    ----------
    stream : file
        Where the lines go, normally stderr.
    unit : str
        What is counted.
    clock : callable
        Seconds since whenever.
    """

    def __init__(
        self, stream: TextIO, unit: str = "generations", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._unit = unit
        self._clock = clock
        self.start(0)

    def __enter__(self) -> LogProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def start(self, total: int) -> None:
        """Begin to count."""
        self._total, self._done, self._said = total, 0, 0
        self._began = self._said_at = self._clock()

    def advance(self, n: int, label: str) -> None:
        """Count `n` more; write a line where it is time for one."""
        self._done += n
        now = self._clock()
        if now - self._said_at < _SECONDS_BETWEEN_LINES:
            return
        if (self._done - self._said) * _MOST_LINES < self._total or self._done >= self._total:
            return
        took = now - self._began
        left = took * (self._total - self._done) / self._done
        print(
            f"evosim: {self._done:,} of {self._total:,} {self._unit}, in '{label}',"
            f" after {duration(took)}; about {duration(left)} left",
            file=self._stream,
            flush=True,
        )
        self._said, self._said_at = self._done, now

    def finish(self) -> None:
        """Say nothing: what comes next says that the run is over."""


def shown_progress(
    stream: TextIO | None = None, unit: str = "generations"
) -> TerminalProgress | LogProgress:
    """Return a bar on `stream` (default stderr) when it is a terminal, else lines for a log."""
    stream = sys.stderr if stream is None else stream
    return TerminalProgress(stream, unit) if stream.isatty() else LogProgress(stream, unit)
