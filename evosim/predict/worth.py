"""The objective: optimal action values of payoff, by backward induction (Bellman 1957)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

#: Values that change by less than this share of the largest one no longer change.
_SETTLED = 1e-12
#: Most values that the layers of one context may hold (800 MB).
_MOST_VALUES = 100_000_000


@dataclass(frozen=True)
class Dynamics:
    """One context's variant as plain arrays.

    Attributes
    ----------
    start : (S,) float64
    following : (S, A, K) int32
        Next state, or -1 - next where the episode ends.
    chance : (S, A, K) float64
    payoff : (S, A, K) float64
    """

    start: F64
    following: I32
    chance: F64
    payoff: F64


def dynamics(world: TabularWorld, variant: int) -> Dynamics:
    """Return the tables of one variant.

    Parameters
    ----------
    world : TabularWorld
    variant : int

    Raises
    ------
    UserError
        If payoff counts once a life: an action's value then depends on the life so far.
    """
    if world.once[variant].any():
        raise UserError(
            "payoff that counts once a life has no optimal action value per state",
            key="predict",
            allowed="contexts without `once`",
        )
    following = world.outcome_state[variant].astype(np.int32)
    ends = world.terminal[variant][following] != 0
    return Dynamics(
        start=np.diff(world.start_cdf[variant], prepend=0.0),
        following=np.where(ends, -1 - following, following).astype(np.int32),
        chance=np.ascontiguousarray(np.diff(world.outcome_cdf[variant], axis=2, prepend=0.0)),
        payoff=np.ascontiguousarray(world.payoff[variant]),
    )


def action_values(tables: Dynamics, steps: int) -> F64:
    """Return the largest expected payoff to come after each action, by steps left.

    Q_t(s, a) = sum_k p_k [payoff_k + max_a' Q_{t-1}(s_k, a')], with Q_0 = 0 and nothing to come
    where the episode ends.

    Parameters
    ----------
    tables : Dynamics
    steps : int
        Longest episode.

    Returns
    -------
    (T, S, A) float64
        Layer t - 1 with t steps left. T = `steps`, or less where values stopped changing: then
        the last layer holds for all longer rests.

    Raises
    ------
    UserError
        If the layers would not fit into memory.
    """
    states, actions, _ = tables.following.shape
    ends = tables.following < 0
    onto = np.where(ends, -1 - tables.following, tables.following)
    immediate = (tables.chance * tables.payoff).sum(axis=2)
    going = np.where(ends, 0.0, tables.chance)
    layers = [immediate]
    while len(layers) < steps:
        best = layers[-1].max(axis=1)
        layer = immediate + (going * best[onto]).sum(axis=2)
        if np.abs(layer - layers[-1]).max() <= _SETTLED * max(1.0, np.abs(layer).max()):
            break
        layers.append(layer)
        if len(layers) * states * actions > _MOST_VALUES:
            raise UserError(
                f"action values of {states} states over {steps} steps do not settle",
                key="predict",
                allowed="shorter episodes, or fewer states",
            )
    return np.stack(layers)


def reachable(tables: Dynamics, steps: int) -> NDArray[np.bool_]:
    """Return (S,) whether some policy can perceive a state within an episode.

    Parameters
    ----------
    tables : Dynamics
    steps : int
        Longest episode.
    """
    met = tables.start > 0
    possible = (tables.chance > 0) & (tables.following >= 0)
    for _ in range(steps - 1):
        onto = tables.following[met][possible[met]]
        if met[onto].all():
            break
        met[onto] = True
    return met
