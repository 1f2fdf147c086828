"""Graph worlds: named states and explicit transitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import Context, GraphWorld, Transition
from evosim.worlds.parts import (
    CuelessWorld,
    Outcome,
    check_distinct,
    check_labels,
    check_sum,
    closest,
    label_regions,
    pack_world,
    shown,
    unknown,
)

#: The unnamed terminal state.
END = "end"
#: The probability that the other outcomes leave.
REST = "rest"

#: (state, action) -> the transitions that start there.
Leaving = dict[tuple[str, str], list[Transition]]


def build_graph(model: ScenarioModel) -> CuelessWorld:
    """Return the tables of a graph.

    States come in the order in which the file names them, starts first. A state from which
    no context leads anywhere is terminal. A context's own transitions replace the common
    ones of the same state and action.

    Raises
    ------
    UserError
        For an unknown action, state or start; for probabilities that do not sum to 1; for a
        state and action without a transition; for a region or percept of unknown states.
    """
    world = cast(GraphWorld, model.world)
    check_distinct(world.actions, "action", "world.actions")
    if REST in world.chances:
        raise UserError(
            f"'{REST}' is what other outcomes leave",
            key="world.chances.rest",
            allowed="another name",
        )
    common = _leaving(world, world.transitions, "world.transitions")
    leaving = [
        common | _leaving(world, context.transitions, f"context.{context.name}.transitions")
        for context in model.context
    ]
    starts = [_start(world, context) for context in model.context]
    states = _state_names(model, world, starts)
    sources = {state for table in leaving for state, _ in table}
    _check_starts(model, starts, sources)
    check_labels(world.percepts, states, "world.percepts")
    region = label_regions(world.regions, states)
    outcomes = []
    for context, table, start in zip(model.context, leaving, starts, strict=True):
        _check_complete(world, context, table, start, sources)
        outcomes.append(_outcomes(world, states, table))
    index = {state: s for s, state in enumerate(states)}
    return pack_world(
        world.actions,
        states,
        outcomes,
        [{index[state]: p for state, p in start.items()} for start in starts],
        region=np.broadcast_to(region, (len(outcomes), len(states))).copy(),
        regions=tuple(world.regions),
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _leaving(world: GraphWorld, transitions: Sequence[Transition], key: str) -> Leaving:
    table: Leaving = {}
    for i, transition in enumerate(transitions):
        actions = world.actions if transition.action is None else _listed(transition.action)
        for action in actions:
            if action not in world.actions:
                raise unknown("action", action, world.actions, f"{key}.{i}.action")
        for state in _listed(transition.from_):
            if state == END:
                raise UserError(
                    f"nothing leads from '{END}'", key=f"{key}.{i}.from", allowed="another state"
                )
            for action in actions:
                table.setdefault((state, action), []).append(transition)
    for (state, action), leads in table.items():
        what = f"probabilities of '{action}' in state '{state}'"
        table[state, action] = _with_numbers(world, leads, what, key)
        check_sum(map(probability, table[state, action]), what, key)
    return table


def probability(transition: Transition) -> float:
    """Return the probability of a transition whose name was replaced by its number."""
    assert not isinstance(transition.p, str)
    return transition.p


def _with_numbers(
    world: GraphWorld, leads: list[Transition], what: str, key: str
) -> list[Transition]:
    """Replace named chances, and 'rest' by what the other outcomes leave."""
    numbers: list[float | None] = []
    for transition in leads:
        name = transition.p
        if not isinstance(name, str):
            numbers.append(name)
        elif name == REST:
            numbers.append(None)
        else:
            if name not in world.chances:
                raise unknown("chance", name, [*world.chances, REST], f"{key}.p")
            numbers.append(world.chances[name])
    if numbers.count(None) > 1:
        raise UserError(f"two outcomes take the rest of the {what}", key=key, allowed="one")
    rest = 1.0 - sum(n for n in numbers if n is not None)
    if None in numbers and rest < -1e-9:
        raise UserError(f"{what} sum to {1.0 - rest:g} without the rest", key=key, allowed="1")
    return [
        transition.model_copy(update={"p": max(rest, 0.0) if number is None else number})
        for transition, number in zip(leads, numbers, strict=True)
    ]


def _start(world: GraphWorld, context: Context) -> dict[str, float]:
    given = world.start if context.start is None else context.start
    if isinstance(given, str):
        return {given: 1.0}
    check_sum(given.values(), "probabilities of the start states", _start_key(context))
    return {state: p for state, p in given.items() if p > 0.0}


def _start_key(context: Context) -> str:
    return "world.start" if context.start is None else f"context.{context.name}.start"


def _state_names(
    model: ScenarioModel, world: GraphWorld, starts: Iterable[dict[str, float]]
) -> list[str]:
    names = [state for start in starts for state in start]
    for transition in [*world.transitions, *(t for c in model.context for t in c.transitions)]:
        names += [*_listed(transition.from_), transition.to]
    return list(dict.fromkeys(names))


def _check_starts(
    model: ScenarioModel, starts: Iterable[dict[str, float]], sources: set[str]
) -> None:
    for context, start in zip(model.context, starts, strict=True):
        for state in start:
            if state not in sources:
                raise UserError(
                    f"no transition leads from the start state '{state}'",
                    key=_start_key(context),
                    allowed=", ".join(shown(sorted(sources))) or "none",
                    hint=closest(state, sorted(sources)),
                )


def _check_complete(
    world: GraphWorld,
    context: Context,
    table: Leaving,
    start: dict[str, float],
    sources: set[str],
) -> None:
    here = {state for state, _ in table}
    met, stack = set(start), list(start)
    while stack:
        state = stack.pop()
        for action in world.actions:
            for t in table.get((state, action), []):
                if probability(t) > 0.0 and t.to not in met:
                    met.add(t.to)
                    stack.append(t.to)
    # A state that only other contexts lead on from is a gap here, unless nothing enters it.
    for state in sorted(here | (met & sources)):
        for action in world.actions:
            if (state, action) not in table:
                raise UserError(
                    f"no transition for action '{action}' in state '{state}'",
                    key=f"context.{context.name}.transitions",
                    allowed=f"every action in every state that is not terminal; "
                    f"to = '{END}' ends the episode",
                )


def _outcomes(
    world: GraphWorld, states: Sequence[str], table: Leaving
) -> list[list[list[Outcome]]]:
    index = {state: s for s, state in enumerate(states)}
    here = {state for state, _ in table}
    return [
        [
            [
                Outcome(
                    index[t.to],
                    probability(t),
                    world.step_payoff + t.payoff,
                    world.step_reward + t.reward,
                    t.goal,
                    t.once,
                )
                for t in table[state, action]
            ]
            for action in (world.actions if state in here else ())
        ]
        for state in states
    ]
