"""Fitness by a user's selection scheme, replicate by replicate."""

from __future__ import annotations

import numba
from numba.extending import overload

from evosim.kernels.accelerate import kernel
from evosim.kernels.tags import KernelType, functions_of


def fitness_by(tag, parameters, criterion, out):
    """Fill `out` with fitness; chosen by the scheme's tag at compile time."""
    raise TypeError("only inside kernels")  # the overload below is the implementation


@overload(fitness_by, jit_options={"error_model": "numpy"})
def _fitness_by(tag, parameters, criterion, out):
    if not isinstance(tag, KernelType):
        return None
    function = numba.njit(error_model="numpy")(functions_of(tag)["fitness"])

    def user(tag, parameters, criterion, out):
        function(parameters, criterion, out)

    return user


@kernel
def user_fitness(first, last, tag, parameters, count, criterion, fitness):
    """Fill ``fitness[R, N]`` for the agents alive of the replicates first..last-1."""
    for r in range(first, last):
        n = count[r]
        fitness_by(tag, parameters, criterion[r, :n], fitness[r, :n])
