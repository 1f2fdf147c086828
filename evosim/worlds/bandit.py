"""Bandit worlds: one state, and what each action brings in each context."""

from __future__ import annotations

from typing import cast

from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import BanditWorld, Chance, Context
from evosim.worlds.parts import CuelessWorld, Outcome, check_distinct, pack_world, unknown

#: Label of the only state.
CHOICE = "choice"


def build_bandit(model: ScenarioModel) -> CuelessWorld:
    """Return the tables of a bandit: the state repeats for `steps` decisions.

    An action that a context does not name brings 0. Where an action's payoff or reward is a
    chance, there are two outcomes; payoff and reward come from the same draw.

    Raises
    ------
    UserError
        When a context names an unknown action, gives one number for all, or gives an
        action's payoff and reward different chances.
    """
    world = cast(BanditWorld, model.world)
    check_distinct(world.actions, "action", "world.actions")
    return pack_world(
        world.actions,
        [CHOICE],
        [[[_outcomes(world, context, a) for a in world.actions]] for context in model.context],
        [{0: 1.0}] * len(model.context),
    )


def _outcomes(world: BanditWorld, context: Context, action: str) -> list[Outcome]:
    payoff, reward, goal = (
        _by_action(world, context, name).get(action, 0.0) for name in ("payoff", "reward", "goal")
    )
    chances = {value.p for value in (payoff, reward) if isinstance(value, Chance)}
    if len(chances) > 1:
        raise UserError(
            f"payoff and reward of '{action}' come from one draw but have different p",
            key=f"context.{context.name}.reward.{action}",
            allowed="the p of its payoff",
        )
    p = chances.pop() if chances else 1.0

    def outcome(happens: bool) -> Outcome:
        return Outcome(
            0,
            p if happens else 1.0 - p,
            world.step_payoff + _value(payoff, happens),
            world.step_reward + _value(reward, happens),
            _value(goal, happens),
        )

    return [outcome(True), outcome(False)]


def _value(value: float | Chance, happens: bool) -> float:
    if isinstance(value, Chance):
        return value.value if happens else 0.0
    return float(value)


def _by_action(world: BanditWorld, context: Context, name: str) -> dict[str, float | Chance]:
    given = getattr(context, name)
    key = f"context.{context.name}.{name}"
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise UserError(
            "a bandit needs a value by action",
            key=key,
            allowed=f"{{ {world.actions[0]} = {given:g} }}",
        )
    for action in given:
        if action not in world.actions:
            raise unknown("action", action, world.actions, f"{key}.{action}")
    return given
