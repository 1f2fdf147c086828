"""Compile options and the compile cache: the only place that decides on them.

Numba does not notice changes in functions of other files, so a stale cache would be a silent
wrong result. The cache therefore lives in a folder named by a hash of every kernel source, the
compiler's versions and the options: an edit means another folder. User kernels are part of the
argument types (see `evosim.kernels.tags`), so an edited user file recompiles as well.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import platformdirs
from numba.core.registry import CPUDispatcher

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


def compiled(function: Callable[..., None], args: tuple[Any, ...]) -> Callable[..., None]:
    """Return a kernel's code for arguments of these types, without the look at their types.

    Numba finds out all types at every call, some 10 us for a life, whose world and mind are tuples
    of many arrays; where two threads take a range each they pay it one after the other, under the
    interpreter lock. For callers whose arguments are of the same types every time, as the code
    does not check them.

    Parameters
    ----------
    function : kernel
        Anything else that can be called is returned as it is.
    args : tuple
        Its arguments.
    """
    if not isinstance(function, CPUDispatcher):
        return function
    signature = tuple(function.typeof_pyval(value) for value in args)
    function.compile(signature)  # or load it, or find it compiled
    entry: Callable[..., None] = function.overloads[signature].entry_point
    return entry


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
