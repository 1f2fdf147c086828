"""Worlds read from Gymnasium environments that say their transitions.

`env.unwrapped.P[state][action]` lists outcomes as (probability, next state, reward, ended), and
`initial_state_distrib` says where episodes begin. Ending goes with an outcome there, with a state
in evosim: states that cannot be entered without ending are terminal, and one that can be entered
both ways gets a twin, called ``NUMBER over``, for the ending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from evosim.errors import UserError, did_you_mean, missing_extra
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import Context, GymnasiumWorld
from evosim.worlds.parts import (
    CuelessWorld,
    Outcome,
    check_distinct,
    check_sum,
    label_regions,
    pack_world,
    unknown,
)

#: Attributes that say that an environment's `step` does more than its `P`.
BEYOND = ("fickle_passenger",)
#: Probabilities of an environment's table may miss a sum of 1 by this much.
TOLERANCE = 1e-6

#: (probability, next state, reward, ended)
Entry = tuple[float, int, float, bool]


class Table(NamedTuple):
    """What an environment says of itself.

    Attributes
    ----------
    entries : [state][action] -> tuple of Entry
    start : tuple of float, or None
        Probability of each state to begin in, where it says so.
    """

    entries: tuple[tuple[tuple[Entry, ...], ...], ...]
    start: tuple[float, ...] | None


def build_gymnasium(model: ScenarioModel) -> CuelessWorld:
    """Return the tables of a Gymnasium environment, made anew for each context's arguments.

    Raises
    ------
    UserError
        Gymnasium is not installed, does not make the environment, or it has no transitions;
        contexts differ in their numbers of states or actions; unknown states.
    """
    world = cast(GymnasiumWorld, model.world)
    tables = [_table(world, context) for context in model.context]
    count, actions = _shape(world, model.context, tables)
    starts = [
        _start(world, context, table) for context, table in zip(model.context, tables, strict=True)
    ]
    reached = [_reached(table, start) for table, start in zip(tables, starts, strict=True)]
    both = sorted({s for live, ended in reached for s in live & ended})
    over = {s: count + k for k, s in enumerate(both)}
    names = [*map(str, range(count)), *(f"{s} over" for s in both)]
    _check_factors(world, count)
    region = label_regions(world.regions, names)
    return pack_world(
        actions,
        names,
        [
            _outcomes(world, context, table, live, over, len(names))
            for context, table, (live, _) in zip(model.context, tables, reached, strict=True)
        ],
        starts,
        region=np.broadcast_to(region, (len(tables), len(names))).copy(),
        regions=tuple(world.regions),
    )


def factor_values(world: GymnasiumWorld, count: int) -> dict[str, list[int]]:
    """Return each factor's value in each of `count` states; 0 in states that have no number."""
    values: dict[str, list[int]] = {}
    step = 1
    for factor in reversed(world.factors):
        values[factor.name] = [(s // step) % factor.size for s in range(count)]
        step *= factor.size
    return values


def read_table(id: str, arguments: dict[str, Any]) -> Table:
    """Make an environment and read its transitions.

    Raises
    ------
    UserError
        As `build_gymnasium`.
    """
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return _read(id, tuple(sorted(frozen.items())))


@lru_cache(maxsize=64)
def _read(id: str, arguments: tuple[tuple[str, Any], ...]) -> Table:
    try:
        import gymnasium
    except ImportError:
        raise missing_extra("gymnasium", "gymnasium", "world.kind") from None
    if ":" in id:
        raise UserError(
            "an id does not import modules", key="world.id", hint="import them by --plugin FILE.py"
        )
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments}
    try:
        made = gymnasium.make(id, disable_env_checker=True, **given)
    except (gymnasium.error.NameNotFound, gymnasium.error.VersionNotFound):
        raise UserError(
            f"Gymnasium has no '{id}'",
            key="world.id",
            hint=did_you_mean(id, map(str, gymnasium.registry)),
        ) from None
    except Exception as error:  # whatever a maker of environments raises
        raise UserError(
            f"'{id}' cannot be made: {type(error).__name__}: {error}",
            key="world.arguments" if given else "world.id",
        ) from None
    env = made.unwrapped
    try:
        for name in BEYOND:
            if getattr(env, name, False):
                raise UserError(
                    f"with {name} '{id}' does more than its transitions say",
                    key=f"world.arguments.{name}",
                    allowed="false",
                )
        return _as_table(id, env)
    finally:
        made.close()


def _as_table(id: str, env: Any) -> Table:
    """Read the transitions, and refuse what are none."""
    entries = getattr(env, "P", None)
    if entries is None:
        raise UserError(
            f"'{id}' does not say its transitions",
            key="world.id",
            allowed="environments with P, like 'FrozenLake-v1'",
        )
    try:
        table = tuple(
            tuple(
                tuple((float(p), int(to), float(r), bool(end)) for p, to, r, end in entries[s][a])
                for a in range(len(entries[s]))
            )
            for s in range(len(entries))
        )
    except (KeyError, IndexError, TypeError, ValueError):
        table = ()
    if not table or not all(_sound(cell, len(table)) for row in table for cell in row):
        raise UserError(
            f"P of '{id}' is not P[state][action] = [(probability, state, reward, ended), ...]",
            key="world.id",
        )
    start = getattr(env, "initial_state_distrib", None)
    return Table(table, None if start is None else tuple(map(float, start)))


def _sound(cell: tuple[Entry, ...], count: int) -> bool:
    return (
        abs(sum(p for p, *_ in cell) - 1.0) <= TOLERANCE
        and all(p >= 0.0 and 0 <= to < count for p, to, *_ in cell)
        and all(np.isfinite(reward) for *_, reward, _ in cell)
    )


def _table(world: GymnasiumWorld, context: Context) -> Table:
    return read_table(world.id, {**world.arguments, **context.arguments})


def _shape(
    world: GymnasiumWorld, contexts: Sequence[Context], tables: Sequence[Table]
) -> tuple[int, list[str]]:
    """Return the number of states and the names of the actions."""
    sizes = [(len(table.entries), len(table.entries[0])) for table in tables]
    for context, table, size in zip(contexts, tables, sizes, strict=True):
        if size != sizes[0] or any(len(row) != size[1] for row in table.entries):
            raise UserError(
                f"{size[0]} states and {size[1]} actions, unlike '{contexts[0].name}'",
                key=f"context.{context.name}.arguments",
                allowed=f"{sizes[0][0]} states, all with {sizes[0][1]} actions",
            )
    count, actions = sizes[0]
    names = [str(a) for a in range(actions)] if world.actions is None else world.actions
    check_distinct(names, "action", "world.actions")
    if len(names) != actions:
        raise UserError(
            f"{len(names)} names for {actions} actions",
            key="world.actions",
            allowed=f"{actions} names",
        )
    return count, list(names)


def _start(world: GymnasiumWorld, context: Context, table: Table) -> dict[int, float]:
    given = world.start if context.start is None else context.start
    key = "world.start" if context.start is None else f"context.{context.name}.start"
    if given is None:
        if table.start is None or abs(sum(table.start) - 1.0) > TOLERANCE:
            raise UserError(
                f"'{world.id}' does not say where episodes begin", key=key, allowed="a state"
            )
        return {s: p for s, p in enumerate(table.start) if p > 0.0}
    chances = {given: 1.0} if isinstance(given, str) else given
    check_sum(chances.values(), "probabilities of the start states", key)
    names = [str(s) for s in range(len(table.entries))]
    for state in chances:
        if state not in names:
            raise unknown("state", state, names, key)
    return {int(state): p for state, p in chances.items() if p > 0.0}


def _reached(table: Table, start: Iterable[int]) -> tuple[set[int], set[int]]:
    """Return the states that an episode can go on in, and those in which it can end."""
    live, ended = set(start), set()
    stack = list(live)
    while stack:
        for cell in table.entries[stack.pop()]:
            for p, to, _, end in cell:
                if p > 0.0 and end:
                    ended.add(to)
                elif p > 0.0 and to not in live:
                    live.add(to)
                    stack.append(to)
    return live, ended


def _outcomes(
    world: GymnasiumWorld,
    context: Context,
    table: Table,
    live: set[int],
    over: dict[int, int],
    states: int,
) -> list[list[list[Outcome]]]:
    payoff, reward, goal = (_per_unit(world, context, key) for key in ("payoff", "reward", "goal"))
    return [
        [
            [
                Outcome(
                    over.get(to, to) if end else to,
                    p,
                    world.step_payoff + payoff * r,
                    world.step_reward + reward * r,
                    goal * r,
                )
                for p, to, r, end in cell
            ]
            for cell in (table.entries[s] if s in live else ())
        ]
        for s in range(states)
    ]


def _per_unit(world: GymnasiumWorld, context: Context, name: str) -> float:
    value = getattr(context, name)
    if isinstance(value, dict):
        raise UserError(
            "an environment pays its reward, not by action",
            key=f"context.{context.name}.{name}",
            allowed="one number: how much of it",
        )
    return float(getattr(world, name) if value is None else value)


def _check_factors(world: GymnasiumWorld, count: int) -> None:
    check_distinct([factor.name for factor in world.factors], "factor", "world.factors")
    product = int(np.prod([factor.size for factor in world.factors], dtype=np.int64))
    if world.factors and product != count:
        raise UserError(
            f"sizes multiply to {product}, but '{world.id}' has {count} states",
            key="world.factors",
            allowed=f"sizes whose product is {count}",
        )
