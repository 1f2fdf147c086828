"""A world stepped in Python, one agent at a time: for environments, pages and tests.

The kernels live whole populations; this moves through the same tables, with draws that are given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosim.errors import EngineError, UserError
from evosim.registry import find
from evosim.scenario.kinds import built_in_kinds
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import LandscapeWorld
from evosim.worlds.build import build_world
from evosim.worlds.tables import user_world, world_tables


class Moved(NamedTuple):
    """What a step brought."""

    state: int
    payoff: float
    reward: float
    goal: float
    ended: bool


class Walker:
    """The world of a model, ready to be walked in.

    Parameters
    ----------
    model : ScenarioModel
        Of one arm and one stretch of generations.

    Attributes
    ----------
    world : TabularWorld
    tables : WorldTables
        As the life kernels read them; of a user's world only starts and percepts mean something.

    Raises
    ------
    UserError
        The world has no states.
    """

    def __init__(self, model: ScenarioModel) -> None:
        if isinstance(model.world, LandscapeWorld):
            raise UserError(
                "a landscape has no states to act in",
                key="world.kind",
                allowed=", ".join(kind for kind in built_in_kinds("world") if kind != "landscape"),
            )
        self._step: Any = None
        if model.world.kind in built_in_kinds("world"):
            self.world = build_world(model)
        else:
            self.world, self._parameters, _ = user_world(model)
            self._step = find("world", model.world.kind).cls.step  # type: ignore[attr-defined]
        nowhere = np.full(self.world.percept.shape, -1, np.int32)
        self.tables = world_tables(
            self.world,
            nowhere,
            model.world.step_payoff,
            model.world.step_reward,
            model.world.context_per == "life",
        )
        self._goal = self.world.goal.ravel()

    def begin(self, variant: int, u: float) -> int:
        """Return the state in which an episode begins."""
        return drawn(self.world.start_cdf[variant], u)

    def flags(self) -> NDArray[np.bool_]:
        """Return, for a new life, what of the things paid once has been paid."""
        return np.zeros(self.tables.flags, np.bool_)

    def move(
        self, variant: int, state: int, action: int, u: float, paid: NDArray[np.bool_]
    ) -> Moved:
        """Return what an action leads to.

        Parameters
        ----------
        variant, state, action : int
        u : float
            Uniform draw.
        paid : (flags,) bool
            Changed where something is paid that is paid once a life.
        """
        if self._step is not None:
            return self._by_code(variant, state, action, u)
        tables, states = self.tables, len(self.world.states)
        row = (variant * states + state) * tables.actions + action
        entry = row * tables.outcomes + drawn(tables.cdf.reshape(-1, tables.outcomes)[row], u)
        payoff, reward = float(tables.payoff[entry]), float(tables.reward[entry])
        if tables.flags and tables.once[entry] >= 0:
            if paid[tables.once[entry]]:
                payoff, reward = tables.step_payoff, tables.step_reward
            paid[tables.once[entry]] = True
        following = int(tables.following[entry])
        place = following if following >= 0 else -1 - following
        return Moved(place % states, payoff, reward, float(self._goal[entry]), following < 0)

    def _by_code(self, variant: int, state: int, action: int, u: float) -> Moved:
        to, payoff, reward, ended = self._step(self._parameters[variant], state, action, u)
        if not 0 <= to < len(self.world.states):
            raise EngineError(f"step gives state {to}, none of 0 to states - 1")
        return Moved(int(to), float(payoff), float(reward), 0.0, bool(ended))


def drawn(cdf: NDArray[Any], u: float) -> int:
    """Return the first place whose cumulative probability (or count) is above u."""
    return int(np.searchsorted(cdf, u, side="right"))
