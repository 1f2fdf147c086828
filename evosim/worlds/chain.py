"""Chain worlds: states in a row, the last of which ends the episode and pays."""

from __future__ import annotations

from typing import cast

from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import ChainWorld, Context
from evosim.worlds.parts import CuelessWorld, Outcome, check_distinct, pack_world


def build_chain(model: ScenarioModel) -> CuelessWorld:
    """Return the tables of a chain; with ``back = "end"`` there is one more state, ``end``.

    The first action goes one state forward, every other does what `back` says (``reset``
    leads to the start). A slip leaves the agent where it is.

    Raises
    ------
    UserError
        When the start lies outside the chain, the end is further than an episode lasts, an
        action is repeated, or a context gives payoffs by action.
    """
    world = cast(ChainWorld, model.world)
    check_distinct(world.actions, "action", "world.actions")
    last = world.length - 1
    if not world.actions:
        raise UserError("no actions", key="world.actions", allowed="at least one name")
    if world.start >= last:
        raise UserError(
            f"start {world.start} is not before the last state {last}",
            key="world.start",
            allowed=f"0 to {last - 1}",
        )
    if world.steps < last - world.start:
        raise UserError(
            f"the last state is {last - world.start} steps from the start, "
            f"but an episode has {world.steps}",
            key="world.steps",
            allowed=f">= {last - world.start}",
        )
    states = [str(s) for s in range(world.length)]
    if world.back == "end":
        states.append("end")
    return pack_world(
        world.actions,
        states,
        [_outcomes(world, context, len(states)) for context in model.context],
        [{world.start: 1.0}] * len(model.context),
    )


def _outcomes(world: ChainWorld, context: Context, count: int) -> list[list[list[Outcome]]]:
    brings = {name: _number(world, context, name) for name in ("payoff", "reward", "goal")}
    last = world.length - 1

    def outcome(state: int, p: float) -> Outcome:
        if state != last:
            return Outcome(state, p, world.step_payoff, world.step_reward)
        return Outcome(
            state,
            p,
            world.step_payoff + brings["payoff"],
            world.step_reward + brings["reward"],
            brings["goal"],
            world.once,
        )

    def back(s: int) -> int:
        return {"step": max(s - 1, 0), "reset": world.start, "stay": s, "end": count - 1}[
            world.back
        ]

    table: list[list[list[Outcome]]] = []
    for s in range(count):
        targets = [s + 1] + [back(s)] * (len(world.actions) - 1) if s < last else []
        table.append([[outcome(t, 1.0 - world.slip), outcome(s, world.slip)] for t in targets])
    return table


def _number(world: ChainWorld, context: Context, name: str) -> float:
    value = getattr(context, name)
    if isinstance(value, dict):
        raise UserError(
            "a chain pays on reaching its last state, not by action",
            key=f"context.{context.name}.{name}",
            allowed="one number",
        )
    return float(getattr(world, name) if value is None else value)
