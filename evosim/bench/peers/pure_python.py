"""The forager's policy in pure Python, shared by the two peers whose agents are objects.

At eight cues and four actions, lists and ``math.exp`` take a third of the time of NumPy calls on
arrays this small, so this is what a user who profiles would write.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from operator import mul

from evosim.bench.forager import World


class Tables:
    """The world's arrays as nested lists, which pure Python reads fastest.

    Parameters
    ----------
    world : World
        Source of the tables; its numbers are kept, widened to Python's float.
    """

    def __init__(self, world: World) -> None:
        self.next_state: list[list[int]] = world.next_state.tolist()
        self.payoff: list[list[float]] = world.payoff.tolist()
        self.cue: list[list[float]] = world.cue.tolist()
        self.start = world.start
        self.steps = world.steps


def choose(weights: Sequence[Sequence[float]], cue: Sequence[float], uniform: float) -> int:
    """Draw an action from the linear softmax policy.

    Parameters
    ----------
    weights : float[actions][cues]
        The genome, one row per action.
    cue : float[cues]
        What the agent perceives.
    uniform : float
        A uniform number in [0, 1).

    Returns
    -------
    int
        The action.
    """
    scores = [sum(map(mul, row, cue)) for row in weights]
    top = max(scores)
    odds = [exp(score - top) for score in scores]
    left = uniform * sum(odds)
    for action, odd in enumerate(odds):
        left -= odd
        if left < 0:
            return action
    return len(odds) - 1
