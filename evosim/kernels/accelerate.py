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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
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


_POOLS: dict[int, ThreadPoolExecutor] = {}


def run_blocks(function: Any, blocks: int, threads: int, *args: Any) -> None:
    """Call ``function(first, last, *args)`` over ranges that cover ``0..blocks``.

    Every block writes only its own outputs, so the result does not depend on `threads`.

    Parameters
    ----------
    function : kernel
        Called with the range first.
    blocks : int
        Number of blocks.
    threads : int
        Number of ranges worked on at once; 1 runs here.
    """
    # Handing over a range costs about 40 us, most of it with the interpreter lock held: few
    # blocks are not worth it, and only many are worth more than one range per thread.
    if threads <= 1 or blocks < 8 * threads:
        function(0, blocks, *args)
        return
    if threads not in _POOLS:
        _POOLS[threads] = ThreadPoolExecutor(threads - 1, "evosim")
    pool = _POOLS[threads]
    parts = threads if blocks < 64 * threads else 4 * threads
    bounds = [blocks * k // parts for k in range(parts + 1)]
    ranges = list(pairwise(bounds))
    waiting = [pool.submit(function, lo, hi, *args) for lo, hi in ranges[1:]]
    function(*ranges[0], *args)
    # The calling thread helps: it takes ranges nobody has started yet.
    for future, (lo, hi) in zip(reversed(waiting), reversed(ranges[1:]), strict=True):
        if future.cancel():
            function(lo, hi, *args)
    for future in waiting:
        if not future.cancelled():
            future.result()
