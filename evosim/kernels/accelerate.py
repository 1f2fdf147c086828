"""Compile options, the compile cache, and threads: the only place that decides on them.

Numba does not notice changes in functions of other files, so a stale cache would be a silent
wrong result. The cache therefore lives in a folder named by a hash of every kernel source, the
compiler's versions and the options: an edit means another folder. User kernels are part of the
argument types (see `evosim.kernels.tags`), so an edited user file recompiles as well.

Kernels release the interpreter lock and work on a range of blocks; `run_blocks` hands ranges to
a thread pool. Measured against Numba's own `parallel=True`: same speed for these kernels, a
third of the compile time, no threading layer to load (0.3 s at every start), and it is safe to
call from several Python threads.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import llvmlite
import numba
import platformdirs

#: No fast-math: reordering or fusing would let bits depend on the compiler's mood.
OPTIONS = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}


def kernel_digest() -> str:
    """Return a hash of all kernel sources, compiler versions and options."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    digest.update(f"{numba.__version__} {llvmlite.__version__} {sorted(OPTIONS.items())}".encode())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Return the folder of compiled kernels for exactly these sources and versions."""
    base = os.environ.get("EVOSIM_CACHE_DIR") or platformdirs.user_cache_dir("evosim")
    return Path(base) / kernel_digest()


_CACHE = str(cache_directory())


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` lazily with the project's options, into the project's cache."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _CACHE
    try:
        return numba.njit(**OPTIONS)(function)
    finally:
        numba.config.CACHE_DIR = before


def inline(function: Callable[..., Any]) -> Any:
    """Compile a small helper into its callers (forced: LLVM leaves large ones as calls)."""
    return numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)


def borrowing(function: Callable[..., Any]) -> Any:
    """Compile a function that allocates nothing and keeps no array beyond its call.

    Without reference counts: every array taken out of a tuple, and every slice, costs two atomic
    operations otherwise (measured in the learning life loop: most of its time).
    """
    return numba.njit(nogil=True, error_model="numpy", _nrt=False)(function)


def inline_borrowing(function: Callable[..., Any]) -> Any:
    """Compile a small helper that allocates nothing into callers that `borrowing` compiles.

    What is inlined brings its reference counts along, even where the caller keeps none (measured
    in a planner's life: 112 places; without them a Q-learner's step costs a quarter less).
    """
    return numba.njit(nogil=True, error_model="numpy", forceinline=True, _nrt=False)(function)


class Crew:
    """Threads that wait to help with ranges of blocks.

    Lean, because small populations are handed over several times a millisecond: measured on a
    generation of 1,000 agents, a hand-over costs half of what `ThreadPoolExecutor` takes.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.helpers = 0

    def call(self, helpers: int, job: Job) -> None:
        """Offer a job to so many helpers."""
        while self.helpers < helpers:
            threading.Thread(target=self._help, name="evosim", daemon=True).start()
            self.helpers += 1
        for _ in range(helpers):
            self.jobs.put(job)

    def _help(self) -> None:
        while True:
            self.jobs.get().help()


class Job:
    """A kernel's ranges that nobody has begun, and word of those that helpers have done."""

    def __init__(
        self, function: Any, args: tuple[Any, ...], ranges: Iterable[tuple[int, int]]
    ) -> None:
        self.function: Any = function
        self.args = args
        self.ranges = deque(ranges)
        self.size = len(self.ranges)  # now, before helpers take any
        self.done: SimpleQueue[BaseException | None] = SimpleQueue()

    def help(self) -> None:
        """Do ranges until none is left, each with one word in `done`."""
        with suppress(IndexError):
            while True:
                first, last = self.ranges.pop()
                self.done.put(self._do(first, last))

    def lead(self) -> None:
        """Do ranges until none is left, wait for the helpers', and raise the first error."""
        errors, waiting = [], self.size
        with suppress(IndexError):
            while True:
                first, last = self.ranges.popleft()
                waiting -= 1
                errors.append(self._do(first, last))
        errors += [self.done.get() for _ in range(waiting)]
        # A helper that comes late keeps the job for a while, but not the arrays.
        self.function, self.args = None, ()
        for error in errors:
            if error is not None:
                raise error

    def _do(self, first: int, last: int) -> BaseException | None:
        try:
            self.function(first, last, *self.args)
        except BaseException as error:
            return error
        return None


_CREW = Crew()
if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_CREW.__init__)


def run_blocks(function: Any, blocks: int, threads: int, *args: Any) -> None:
    """Call ``function(first, last, *args)`` over ranges that cover ``0..blocks``.

    Every block writes only its own outputs, so the result does not depend on `threads`.

    Parameters
    ----------
    function : kernel
        Called with the range first.
    blocks : int
        Number of blocks; kernels choose them such that one is worth some 10 us.
    threads : int
        Number of ranges worked on at once; 1 runs here.
    """
    # A hand-over costs some 20 us: few blocks are not worth it, and only many are worth more
    # than one range per thread.
    if threads <= 1 or blocks < 2 * threads:
        function(0, blocks, *args)
        return
    parts = threads if blocks < 64 * threads else 4 * threads
    job = Job(function, args, pairwise(blocks * k // parts for k in range(parts + 1)))
    _CREW.call(threads - 1, job)
    job.lead()
