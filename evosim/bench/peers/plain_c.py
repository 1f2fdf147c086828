"""Plain C peer: ``forager.c``, compiled by gcc into a temporary directory and called in place."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from evosim.bench.forager import MUTATION_SD, TOURNAMENT, World, threads

SOURCE = Path(__file__).with_name("forager.c")
WAITING = "OMP_WAIT_POLICY"
FLAGS = ("-O3", "-march=native", "-std=c11", "-fopenmp", "-shared", "-fPIC")


def missing() -> str | None:
    """One line saying why this peer cannot run here, or None."""
    return None if shutil.which("gcc") else "gcc not found (apt install gcc)"


@cache
def _library(cues: int, actions: int) -> ctypes.CDLL:
    """Compile for one genome shape; a loaded library outlives its deleted file."""
    shape = [f"-DCUES={cues}", f"-DACTIONS={actions}", f"-DTOURNAMENT={TOURNAMENT}"]
    with tempfile.TemporaryDirectory(prefix="evosim-bench-") as folder:
        target = Path(folder) / "forager.so"
        command = ["gcc", *FLAGS, *shape, "-o", str(target), str(SOURCE), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"gcc failed: {done.stderr.strip().splitlines()[0]}")
        return _load(str(target))


def _load(library: str) -> ctypes.CDLL:
    """Load a library so that its OpenMP threads sleep at barriers.

    By default they spin, which on a machine with other work takes the core from the very thread
    they wait for: at 1,000 agents 2.4 instead of 12 M agent-steps/s, and evosim would win unfairly.
    """
    before = os.environ.get(WAITING)
    os.environ[WAITING] = "passive"  # libgomp reads it once, while it is loaded
    try:
        return ctypes.CDLL(library)
    finally:
        del os.environ[WAITING]
        if before is not None:
            os.environ[WAITING] = before


def _pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def run(
    world: World, agents: int, generations: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes; see :mod:`evosim.bench.peers` for the contract.

    Raises
    ------
    RuntimeError
        gcc refused the source; the message is its first line.
    """
    evolve = _library(world.cues, world.actions).evolve
    genomes = np.zeros((2, agents, world.cues, world.actions), dtype=np.float32)
    genomes[1] = 1  # touch the pages before the clock starts
    fitness = np.zeros(agents, dtype=np.float32)
    mean = np.zeros(generations)
    began = perf_counter()
    evolve(
        _pointer(world.next_state),
        _pointer(world.payoff),
        _pointer(world.cue),
        ctypes.c_int(world.start),
        ctypes.c_int(world.steps),
        ctypes.c_int(agents),
        ctypes.c_int(generations),
        ctypes.c_float(MUTATION_SD),
        ctypes.c_uint64(seed),
        ctypes.c_int(threads()),
        _pointer(genomes[0]),
        _pointer(genomes[1]),
        _pointer(fitness),
        _pointer(mean),
    )
    return perf_counter() - began, mean
