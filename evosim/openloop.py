"""Directedness: how much of what looking can bring a policy brings.

A fixed sequence of actions looks at nothing (open-loop control), a policy at every state (closed
loop; Dreyfus 1964, "Some types of optimal control of stochastic systems", J. SIAM Control 2:120).
What lies between the best of either is the value of feedback, and directedness the share of it
that a policy realises:

    (payoff - best fixed sequence) / (optimum - best fixed sequence),

payoff per episode averaged over the contexts asked about. 1 is the optimum of an observer who knows
the context, 0 what the best habit brings that ignores where it is; less than that is below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]

#: Most sequences that are tried.
MOST = 1 << 18
#: A difference between optimum and best sequence of less than this share of either is none.
_NOTHING = 1e-9


class Feedback(NamedTuple):
    """What looking brings in some contexts, payoff per episode.

    Attributes
    ----------
    fixed : float
        The best fixed sequence of actions.
    best : float
        The optimum in each context.
    """

    fixed: float
    best: float


def feedback(world: TabularWorld, variants: Sequence[int], key: str) -> Feedback:
    """Return what the best fixed sequence brings, and the best policy.

    Parameters
    ----------
    world : TabularWorld
    variants : sequence of int
        Rows of the world, each as likely.
    key : str
        For the error.

    Raises
    ------
    UserError
        Where looking brings nothing, or there are too many sequences.
    """
    from evosim.predict.worth import action_values, dynamics

    actions = len(world.actions)
    if world.steps * np.log2(actions) > np.log2(MOST):
        raise UserError(
            f"{actions} actions in {world.steps} steps are too many sequences to try",
            key=key,
            allowed=f"at most {MOST}",
        )
    best = fixed = 0.0
    parts = [dynamics(world, int(v)) for v in variants]
    for part in parts:
        best += float(part.start @ action_values(part, world.steps)[-1].max(axis=1))
    start = [part.start for part in parts]
    pay = [(part.chance * part.payoff).sum(axis=2) for part in parts]
    onto = [_onto(part.following, part.chance) for part in parts]
    fixed = _best_sequence(start, pay, onto, world.steps) / len(parts)
    best /= len(parts)
    if best - fixed <= _NOTHING * max(abs(best), abs(fixed), 1e-300):
        raise UserError(
            "here a fixed sequence of actions is as good as any policy: looking brings nothing",
            key=key,
            allowed="contexts that ask for different actions",
        )
    return Feedback(fixed, best)


def _onto(following: NDArray[np.int32], chance: F64) -> F64:
    """Return (A, S, S) chances of the next state where the episode goes on."""
    states, actions, outcomes = following.shape
    out = np.zeros((actions, states, states))
    for k in range(outcomes):
        going = following[..., k] >= 0
        s, a = np.nonzero(going)
        np.add.at(out, (a, s, following[s, a, k]), chance[s, a, k])
    return out


def _best_sequence(here: list[F64], pay: list[F64], onto: list[F64], steps: int) -> float:
    """Return the largest sum over contexts of what a sequence of `steps` actions brings."""
    if steps == 0 or not any(mass.any() for mass in here):
        return 0.0
    brought = []
    for a in range(len(onto[0])):
        now = sum(float(mass @ p[:, a]) for mass, p in zip(here, pay, strict=True))
        ahead = [mass @ move[a] for mass, move in zip(here, onto, strict=True)]
        brought.append(now + _best_sequence(ahead, pay, onto, steps - 1))
    return max(brought)
