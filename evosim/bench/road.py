"""The learners' workload: whole lives of 600 episodes in a world of 8 states and 2 actions.

The world is the fork road of the bad-exploration spectrum (`scenarios/spectrum.toml`): four steps
lead to a fork, at each of which one may turn home; behind the fork the better of two branches
costs 2 when it is entered for the first time in a life. Two minds live in it: Q-learning, and
planners that look four steps ahead. The unit of speed is lives per second: all programs live
the same distribution of lives (tested), so that the costs of a life are in the proportion of
the costs of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

EPISODES = 600
STEPS = 10
ACTIONS = ("on", "turn")
STATES = ("h4", "h3", "h2", "h1", "fork", "L1", "L2", "L3")
ENDS = ("home", "right", "good", "nothing")
#: The place that costs TOLL at its first entry in a life.
LEFT, TOLL = "L1", -2.0

_ROAD = STATES[:4]
#: (state, action) -> (place entered, probability, payoff) of each outcome.
OUTCOMES: dict[tuple[str, str], list[tuple[str, float, float]]] = {
    **{(here, "on"): [(STATES[k + 1], 1.0, -0.01)] for k, here in enumerate(_ROAD)},
    **{(here, "turn"): [("home", 1.0, 0.4)] for here in _ROAD},
    ("fork", "on"): [("right", 0.9, 0.5), (LEFT, 0.1, 0.0)],
    ("fork", "turn"): [(LEFT, 1.0, 0.0)],
    ("L1", "on"): [("L2", 1.0, 0.0)],
    ("L2", "on"): [("L3", 1.0, 0.0)],
    ("L3", "on"): [("good", 1.0, 1.0)],
    **{(here, "turn"): [("nothing", 1.0, 0.0)] for here in STATES[5:]},
}

RATE, OPTIMISM, Q_TEMPERATURE = 0.5, 0.8, 0.02
DEPTH, LEAF, PLAN_TEMPERATURE = 4, 0.5, 0.005
#: A mind as scenarios write it.
MINDS: dict[str, dict[str, object]] = {
    "q-learning": {
        "kind": "model-free",
        "learning_rate": RATE,
        "optimism": OPTIMISM,
        "temperature": Q_TEMPERATURE,
    },
    "lookahead": {
        "kind": "lookahead",
        "depth": DEPTH,
        "leaf_value": LEAF,
        "temperature": PLAN_TEMPERATURE,
    },
}


@dataclass(frozen=True, eq=False)
class Road:
    """The world as tables, and who lives in it; places are STATES, then ENDS.

    Attributes
    ----------
    mind : str
        A key of MINDS.
    place : int64[states, actions, 2]
        Place entered by each of at most two outcomes.
    chance, payoff : float64[states, actions, 2]
        Probability of an outcome, and its payoff but for the toll.
    left : int
        The place that takes the toll.
    """

    mind: str
    place: NDArray[np.int64]
    chance: NDArray[np.float64]
    payoff: NDArray[np.float64]
    left: int


@cache
def build(mind: str) -> Road:
    """Return the workload of a mind.

    Parameters
    ----------
    mind : str
        A key of MINDS.

    Raises
    ------
    KeyError
        For another mind.
    """
    assert MINDS[mind]
    places = (*STATES, *ENDS)
    shape = (len(STATES), len(ACTIONS), 2)
    place = np.zeros(shape, np.int64)
    chance, payoff = np.zeros(shape), np.zeros(shape)
    for (state, action), outcomes in OUTCOMES.items():
        for k, (entered, p, pay) in enumerate(outcomes):
            at = STATES.index(state), ACTIONS.index(action), k
            place[at], chance[at], payoff[at] = places.index(entered), p, pay
    for table in (place, chance, payoff):
        table.flags.writeable = False
    return Road(mind, place, chance, payoff, places.index(LEFT))
