"""How a command ends: exit codes, and every mistake told in one line on stderr.

0 done; 1 a claim failed under ``--strict`` (or a theory result is off, or runs of a study failed);
2 something the user can mend; 70 a fault in evosim itself; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer

from evosim.errors import Terminated, UserError

INTERNAL_ERROR = 70
INTERRUPTED = 130
TERMINATED = 143

_INTERRUPTION = "interrupted; nothing half-written is left behind"


def exit_code_of(command: Callable[[], object], debug: Callable[[], bool]) -> int:
    """Run a command and turn whatever ends it into an exit code and at most one line.

    Parameters
    ----------
    command : callable
        Returns its exit code, or None for 0.
    debug : callable
        Whether to show the traceback before the one line; asked when something went wrong.

    Returns
    -------
    int
        The exit code.
    """
    try:
        with _terminable():
            code = command()
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as interruption:
        say(f"interrupted; {interruption}" if str(interruption) else _INTERRUPTION)
        # An interrupt that passed through exec() of a text (Numba compiles so) makes CPython kill
        # the process by SIGINT at its end, whoever caught it; the next exec() takes that back.
        exec("")
        return INTERRUPTED
    except Terminated as end:
        say(f"terminated; {str(end) or 'nothing half-written is left behind'}")
        return TERMINATED
    except BrokenPipeError:
        # The reader (head, less) has gone: what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug():
            traceback.print_exc()
        return _tell(error, debug())


def say(message: str) -> None:
    """Write one line to stderr."""
    print(f"evosim: {' '.join(message.split())}", file=sys.stderr)


def one_line_warnings() -> None:
    """Show warnings as one line each, without the source line that raised them."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        say(f"warning: {message}")

    warnings.showwarning = show


def _tell(error: Exception, debugged: bool) -> int:
    if isinstance(error, UserError):
        say(error.one_line())
        return error.exit_code
    # Typer carries its own copy of click, whose base exception has had several homes.
    explain = getattr(error, "format_message", None)
    if explain is not None:
        say(f"{explain()} (see 'evosim --help')")
        return UserError.exit_code
    if isinstance(error, MemoryError):
        say("out of memory; lower population.agents or population.replicates")
        return UserError.exit_code
    detail = f": {error}" if str(error) else ""
    hint = "" if debugged else "; rerun with --debug to see where"
    say(f"internal error: {type(error).__name__}{detail}{hint}")
    return INTERNAL_ERROR


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C does."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread: whoever runs us handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
