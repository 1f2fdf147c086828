"""Where a sample of agents is in its world, step by step, and where to draw it.

Paths are lived anew for looking, with draws of their own: nothing of the run is read again or
changed. Agents act as they were born.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.assays import probabilities
from evosim.resolve import Resolved
from evosim.scenario.world import GymnasiumWorld, UserWorld
from evosim.walker import Walker, drawn
from evosim.worlds.gymnasium_table import factor_values
from evosim.worlds.parts import cumulative
from evosim.worlds.tabular import TabularWorld


def walk(
    resolved: Resolved,
    walker: Walker,
    genes: NDArray[np.float32],
    context: str,
    luck: np.random.Generator,
) -> NDArray[np.int64]:
    """Live one episode of each agent.

    Parameters
    ----------
    resolved : Resolved
    walker : Walker
        Of the same parameters.
    genes : (N, L) float32
        Expressed values.
    context : str
    luck : Generator

    Returns
    -------
    (N, steps + 1) int64
        State before each step; -1 once the episode is over, but for the state it ended in.
    """
    world = walker.world
    rows = np.flatnonzero(world.variant_context == world.contexts.index(context))
    shares = cumulative(world.variant_share[rows])
    every = np.arange(world.percept_cue.shape[0])
    chances = np.cumsum(probabilities(resolved, genes[None], every)[0], axis=1)
    path = np.full((len(genes), world.steps + 1), -1, np.int64)
    for i in range(len(genes)):
        variant = int(rows[drawn(shares, luck.random())])
        state, paid = walker.begin(variant, luck.random()), walker.flags()
        path[i, 0] = state
        for step in range(world.steps):
            cdf = chances[i, :, world.percept[variant, state]]
            action = min(drawn(cdf, luck.random()), len(world.actions) - 1)
            moved = walker.move(variant, state, action, luck.random(), paid)
            state = path[i, step + 1] = moved.state
            if moved.ended:
                break
    return path


def positions(world: TabularWorld, spec: Any, context: str) -> NDArray[np.float64]:
    """Return (S, 2) where states are drawn: columns to the right, rows downwards.

    A map's cells stand where they are, states of two factors or more in the rows and columns of
    the first two, those of a user's world in a circle, others by their distance from the start.
    """
    if world.layout and world.position is not None:
        return world.position.astype(np.float64)
    if isinstance(spec, UserWorld):  # nothing is known of where its steps lead
        turn = 2.0 * np.pi * np.arange(len(world.states)) / len(world.states)
        return len(world.states) / 4.0 * np.array([np.cos(turn), np.sin(turn)]).T
    if isinstance(spec, GymnasiumWorld) and len(spec.factors) > 1:
        values = factor_values(spec, len(world.states))
        row, column = (values[factor.name] for factor in spec.factors[:2])
        return np.array([column, row], dtype=np.float64).T
    return _by_distance(world, world.contexts.index(context))


def _by_distance(world: TabularWorld, context: int) -> NDArray[np.float64]:
    """Stand states in columns, by the fewest steps from a start; those never met are NaN."""
    v = int(np.flatnonzero(world.variant_context == context)[0])
    chance = np.diff(world.outcome_cdf[v], axis=-1, prepend=0.0)
    start = np.flatnonzero(np.diff(world.start_cdf[v], prepend=0.0) > 0.0).tolist()
    steps = dict.fromkeys(start, 0)
    queue = deque(start)
    while queue:
        s = queue.popleft()
        if world.terminal[v, s]:
            continue
        for to in np.unique(world.outcome_state[v, s][chance[s] > 0.0]).tolist():
            if to not in steps:
                steps[to] = steps[s] + 1
                queue.append(to)
    place = np.full((len(world.states), 2), np.nan)
    for distance in sorted(set(steps.values())):
        column = [s for s, d in steps.items() if d == distance]
        for k, s in enumerate(column):
            place[s] = distance, k - (len(column) - 1) / 2.0
    return place
