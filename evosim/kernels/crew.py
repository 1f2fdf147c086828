"""Threads: kernels work on ranges of blocks, and a crew of threads takes them.

Kernels release the interpreter lock. Measured against Numba's own `parallel=True`: same speed
for these kernels, a third of the compile time, no threading layer to load (0.3 s at every
start), and it is safe to call from several Python threads.

A sleeping thread takes some 75 us to wake (the kernel's futex, then a core that was halted), a
quarter of a generation of 1,000 agents, twice in each. So a helper that has done its part keeps
looking at a word in memory for a while before it sleeps, and the leader looks in the same way for
the end of the helpers' parts. Both look without the interpreter lock, and a helper that saw a new
job lets the leader give the lock up first: who finds the lock taken is put to sleep as well.

Where other programs use the cores, a helper that took a range may lose its core before it is done,
for longer than the whole job takes: with four busy processes on two cores a generation of 1,000
agents took 2.4 to 4.5 ms with two threads, .6 ms with one. A crew whose sharing does not pay
therefore works alone for a while, twice as long each time that it finds it so again.
"""

from __future__ import annotations

import os
import platform
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from queue import SimpleQueue
from time import perf_counter
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from evosim.kernels.accelerate import kernel

#: How long a helper looks for the next job, and a leader for the end of this one, in seconds.
PATIENCE = 200e-6

#: How long a leader takes from posting a job to giving up the interpreter lock, in seconds.
HAND_OVER = 5e-6

#: A job that takes one thread so long, in seconds, is shared in any case: a turn at a core is short
#: beside it.
LONG = 0.02

#: For how many jobs a crew works alone after the first that was not worth sharing, and at most.
ALONE, LONGEST = 8, 512


@intrinsic
def look(typingctx, words, index):
    """Read ``words[index]`` as it is in memory now."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = cgutils.get_item_pointer(context, builder, signature.args[0], array, [args[1]])
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(words, types.intp), generate


@intrinsic
def rest(typingctx):
    """Leave the core's units to its other thread for a moment, where the processor knows how."""

    def generate(context, builder, signature, args):
        if platform.machine() in ("x86_64", "AMD64"):
            pause = ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), pause), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def add(typingctx, words, index, value):
    """Add to ``words[index]`` at once, for all threads to see."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = cgutils.get_item_pointer(context, builder, signature.args[0], array, [args[1]])
        return builder.atomic_rmw("add", place, args[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), generate


#: Where a word lies in an array of its own: no other data share its cache line, whose writing
#: would make each look a trip to memory.
WORD = 8


def new_word() -> NDArray[np.int64]:
    """Return zeros with room around the word that threads look at."""
    return np.zeros(2 * WORD + 1, np.int64)


@kernel
def linger(done, ranges, word, than, looks, delay):
    """Add `ranges` to the word of `done`, then look until that of `word` is more than `than`.

    Looks at most `looks` times; where it is more, `delay` times again before it returns.
    """
    add(done, WORD, ranges)
    for _ in range(looks):
        if look(word, WORD) > than:
            for _ in range(delay):
                rest()
            return
        rest()


class Crew:
    """Threads that help with ranges of blocks.

    A job goes to who is looking for one, and wakes as many others as it wants beside. Who misses
    a job loses time, no range: what no helper takes the leader does.

    Attributes
    ----------
    posted : int64 word
        How many jobs there have been.
    latest : Job or None
        The last of them.
    looking : set of int
        Helpers that look at `posted`.
    rests : dict of str to Rest
        By the kernel's name: a short kernel that is not worth sharing says nothing of a long one.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.helpers = 0
        self.posted = new_word()
        self.latest: Job | None = None
        self.looking: set[int] = set()
        self.rests: dict[str, Rest] = {}
        self.pace = 0.0

    def call(self, helpers: int, job: Job) -> None:
        """Offer a job to so many helpers."""
        if self.pace == 0.0:
            self.pace = _looks_per_second()
        while self.helpers < helpers:
            threading.Thread(
                target=self._help, args=(self.helpers,), name="evosim", daemon=True
            ).start()
            self.helpers += 1
        self.latest = job
        self.posted[WORD] += 1
        for _ in range(helpers - len(self.looking)):
            self.jobs.put(job)

    def run(self, function: Any, args: tuple[Any, ...], blocks: int, threads: int) -> None:
        """Do all blocks, shared among the threads unless that has not paid lately."""
        rest = self.rests.setdefault(getattr(function, "__name__", ""), Rest())
        if rest.alone > 0:
            rest.alone -= 1
            function(0, blocks, *args)
            return
        # Only many blocks are worth more than one range per thread.
        parts = threads if blocks < 64 * threads else 4 * threads
        job = Job(function, args, pairwise(blocks * k // parts for k in range(parts + 1)))
        self.call(threads - 1, job)
        rest.judge(job.lead(self.patience()))

    def patience(self) -> int:
        """Return how often a thread looks before it sleeps."""
        return int(PATIENCE * self.pace)

    def _help(self, number: int) -> None:
        while True:
            job: Job | None = self.jobs.get()
            seen = int(self.posted[WORD])
            while job is not None:
                done, ranges = job.finished, job.help()
                self.looking.add(number)
                linger(done, ranges, self.posted, seen, self.patience(), self._delay())
                self.looking.discard(number)
                job = self.latest if self.posted[WORD] > seen else None
                seen = int(self.posted[WORD])

    def _delay(self) -> int:
        return int(HAND_OVER * self.pace)


def _looks_per_second() -> float:
    word, looks = new_word(), 1_000
    linger(word, 0, word, 0, 1, 0)  # compiled or loaded
    times = []
    for _ in range(3):
        began = perf_counter()
        linger(word, 0, word, 0, looks, 0)
        times.append(perf_counter() - began)
    return looks / min(times)


class Rest:
    """For how long the jobs of one kernel are not shared.

    Attributes
    ----------
    alone : int
        How many jobs to come are not shared.
    retreat : int
        For how many jobs the crew works alone next time that sharing does not pay.
    """

    def __init__(self) -> None:
        self.alone = 0
        self.retreat = ALONE

    def judge(self, paid: bool) -> None:
        """Work alone for a while after a job whose sharing did not pay."""
        if paid:
            self.retreat = max(ALONE, self.retreat // 2)
            return
        self.alone = self.retreat
        self.retreat = min(2 * self.retreat, LONGEST)


class Job:
    """A kernel's ranges that nobody has begun, and word of those that helpers have done.

    Attributes
    ----------
    done : SimpleQueue
        What each range done by a helper raised, or None.
    finished : int64 word
        How many ranges helpers have done, for the leader to look at.
    """

    def __init__(
        self, function: Any, args: tuple[Any, ...], ranges: Iterable[tuple[int, int]]
    ) -> None:
        self.function: Any = function
        self.args = args
        self.ranges = deque(ranges)
        self.size = len(self.ranges)  # now, before helpers take any
        self.done: SimpleQueue[BaseException | None] = SimpleQueue()
        self.finished = new_word()

    def help(self) -> int:
        """Do ranges until none is left, each with one word in `done`; return how many."""
        ranges = 0
        with suppress(IndexError):
            while True:
                first, last = self.ranges.pop()
                self.done.put(self._do(first, last))
                ranges += 1
        return ranges

    def lead(self, looks: int = 0) -> bool:
        """Do ranges until none is left, wait for the helpers', and raise the first error.

        Returns
        -------
        bool
            Whether this was sooner than the leader alone had been, at its own pace, or it
            would have taken the leader long.
        """
        errors, waiting = [], self.size
        began = perf_counter()
        with suppress(IndexError):
            while True:
                first, last = self.ranges.popleft()
                waiting -= 1
                errors.append(self._do(first, last))
        alone = (perf_counter() - began) * self.size / max(1, self.size - waiting)
        if waiting and looks:
            linger(new_word(), 0, self.finished, waiting - 1, looks, 0)
        errors += [self.done.get() for _ in range(waiting)]
        # A helper that comes late keeps the job for a while, but not the arrays.
        self.function, self.args = None, ()
        for error in errors:
            if error is not None:
                raise error
        return alone > LONG or perf_counter() - began <= alone

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
    # A hand-over costs some 20 us: few blocks are not worth it.
    if threads <= 1 or blocks < 2 * threads:
        function(0, blocks, *args)
    else:
        _CREW.run(function, args, blocks, threads)
