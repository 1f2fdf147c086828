"""Workload W2, the forager: the world and the constants that every program shares.

An agent carries a linear softmax policy, ``genome[cue, action]`` in float32, and lives one
episode of a fixed number of steps in a deterministic table world.  Fitness is the summed
payoff; parents are the best of three drawn with replacement; every weight of a child gets a
Gaussian mutation.  One generation is life + selection + reproduction, and the unit of speed is
agent-steps per second.  Generation 0 has all-zero genomes, so its policy is uniform and its
payoff is known exactly (:func:`uniform_moments`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STATES = 256
ACTIONS = 4
CUES = 8
STEPS = 64
TOURNAMENT = 3
MUTATION_SD = 0.05
MAX_THREADS = 2


@dataclass(frozen=True, eq=False)
class World:
    """A deterministic table world, read-only.

    Attributes
    ----------
    next_state : int32[states, actions]
        State entered by an action.
    payoff : float32[states, actions]
        Payoff of an action, counted when it is taken.
    cue : float32[states, cues]
        All that an agent perceives of a state.
    start : int
        State in which every life begins.
    steps : int
        Actions per life.
    """

    next_state: NDArray[np.int32]
    payoff: NDArray[np.float32]
    cue: NDArray[np.float32]
    start: int
    steps: int

    @property
    def states(self) -> int:
        """Number of states."""
        return int(self.payoff.shape[0])

    @property
    def actions(self) -> int:
        """Number of actions."""
        return int(self.payoff.shape[1])

    @property
    def cues(self) -> int:
        """Number of cues."""
        return int(self.cue.shape[1])


def make_world(seed: int, states: int = STATES, steps: int = STEPS) -> World:
    """Draw a world from a seed.

    Cues are standard normal, next states uniform.  Half of a payoff's variance is a linear
    function of the cues and half is noise, so that a linear policy has something to find.

    Parameters
    ----------
    seed : int
        Seed of the NumPy generator that draws the tables.
    states, steps : int
        Size of the world and length of a life; the defaults are the benchmark's.

    Returns
    -------
    World
        Its arrays are C-contiguous and read-only.
    """
    rng = np.random.default_rng(seed)
    cue = rng.standard_normal((states, CUES)).astype(np.float32)
    value = rng.standard_normal((CUES, ACTIONS)) / np.sqrt(CUES)
    noise = rng.standard_normal((states, ACTIONS))
    payoff = ((cue @ value + noise) / np.sqrt(2)).astype(np.float32)
    next_state = rng.integers(states, size=(states, ACTIONS), dtype=np.int32)
    for table in (next_state, payoff, cue):
        table.flags.writeable = False
    return World(next_state, payoff, cue, start=0, steps=steps)


def uniform_moments(world: World) -> tuple[float, float]:
    """Mean and variance of one life's summed payoff under the uniform policy, exactly.

    Both follow from the recursion over steps to go, with r the payoff, s' the next state and
    the bar a mean over actions: ``m1(s) = mean(r + m1(s'))`` and
    ``m2(s) = mean(r^2 + 2 r m1(s') + m2(s'))``.

    Parameters
    ----------
    world : World
        Any world.

    Returns
    -------
    mean, variance : float
        Moments of the payoff of one agent.
    """
    payoff = world.payoff.astype(np.float64)
    first = np.zeros(world.states)
    second = np.zeros(world.states)
    for _ in range(world.steps):
        ahead = first[world.next_state]
        second = (payoff**2 + 2 * payoff * ahead + second[world.next_state]).mean(axis=1)
        first = (payoff + ahead).mean(axis=1)
    mean = float(first[world.start])
    return mean, float(second[world.start]) - mean**2


def threads() -> int:
    """Threads that a compiled program may use: the cores open to this process, at most two."""
    return min(MAX_THREADS, len(os.sched_getaffinity(0)))
