"""What can be earned at best, knowing all and knowing percepts only.

Source: Singh, Jaakkola & Jordan 1994 (ICML), memoryless policies in worlds seen through percepts;
Sutton & Barto 2018, chapter 4, for backward induction. Used for S16.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.oracles._checks import FloatArray
from evosim.oracles.trajectories import TabularWorld, action_values

MAX_POLICIES = 100_000
"""Most policies that `class_optimum` compares."""


class ClassOptimum(NamedTuple):
    """The best return, and an action per percept, (Z,) int64, that earns it."""

    value: float
    actions: npt.NDArray[np.int64]


def optimal_return(world: TabularWorld) -> float:
    """Greatest expected return of any policy, by backward induction.

    Parameters
    ----------
    world : TabularWorld
        The world.

    Returns
    -------
    float
        Units of reward per episode.

    Raises
    ------
    ValueError
        If the world is not one.
    """
    value = np.zeros(world.start.size)
    for _ in range(world.steps):
        value = action_values(world, value).max(axis=1)
    return float(np.where(world.ends(), 0.0, value) @ world.start)


def class_optimum(world: TabularWorld, percept: npt.ArrayLike) -> ClassOptimum:
    """Greatest expected return of policies that give every percept one action.

    All of them are compared. Where no percept is met twice in an episode, or no earlier action
    changes what a later one brings, the return is linear in the policy at each percept, so that
    policies that draw their actions do no better.

    Parameters
    ----------
    world : TabularWorld
        The world.
    percept : int array of shape (S,)
        Number of the percept in each state, 0..Z - 1.

    Returns
    -------
    ClassOptimum
        `value` in units of reward per episode; of equal policies the first.

    Raises
    ------
    ValueError
        If `percept` does not fit the world, or there are more than MAX_POLICIES.
    """
    seen = np.asarray(percept)
    states, actions = world.transition.shape[:2]
    if seen.shape != (states,) or not np.issubdtype(seen.dtype, np.integer) or np.any(seen < 0):
        raise ValueError(f"percept must hold {states} integers of at least 0")
    # Where the episode is over nothing is decided.
    deciding = np.unique(seen[~world.ends()])
    if actions**deciding.size > MAX_POLICIES:
        raise ValueError(f"{actions}^{deciding.size} policies; at most {MAX_POLICIES} are compared")
    best = ClassOptimum(-np.inf, np.zeros(0, np.int64))
    chosen = np.zeros(int(seen.max()) + 1, np.int64)
    for choice in product(range(actions), repeat=deciding.size):
        chosen[deciding] = choice
        value = _return_of(world, chosen[seen])
        if value > best.value:
            best = ClassOptimum(value, chosen.copy())
    return best


def _return_of(world: TabularWorld, action: npt.NDArray[np.int64]) -> float:
    """Return the expected return of an action per state."""
    here = np.arange(action.size)
    move: FloatArray = np.where(world.ends()[None, :], 0.0, world.transition[here, action])
    gain = np.sum(world.transition[here, action] * world.reward[here, action], axis=1)
    value = np.zeros(action.size)
    for _ in range(world.steps):
        value = gain + move @ value
    return float(np.where(world.ends(), 0.0, value) @ world.start)
