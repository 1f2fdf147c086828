"""Cues: all that an agent perceives, who may be hidden, and which states look alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import Context, Cue, GymnasiumWorld
from evosim.worlds.gymnasium_table import factor_values
from evosim.worlds.maps import STEP, WALL
from evosim.worlds.parts import CuelessWorld, closest, shown, unknown
from evosim.worlds.tabular import F32, F64, I32, TabularWorld

#: Source keys that a cue may have in each kind of world; other kinds: as a graph.
SOURCES: dict[str, tuple[str, ...]] = {
    "grid": ("value", "toward", "at", "beside", "distance", "place", "context", "one_hot"),
    "bandit": ("value", "context", "one_hot"),
    "gymnasium": ("value", "states", "context", "one_hot", "factors"),
}
_GRAPH_SOURCES = ("value", "states", "context", "one_hot")
_ALL_SOURCES = (
    "value",
    "toward",
    "at",
    "beside",
    "distance",
    "place",
    "states",
    "context",
    "one_hot",
    "factors",
)
#: More cues that can be hidden would split every context into over a thousand variants.
MOST_HIDDEN = 10
#: Cues are float32: beyond this they would overflow.
LARGEST = 1e30
#: Most values in the columns of one cue (400 MB while building).
MOST_VALUES = 50_000_000


@dataclass(frozen=True)
class CueColumns:
    """Cue values per context, all seen.

    Attributes
    ----------
    names : tuple of str, length F
        One per column; the columns of a one-hot cue are ``cue=state``.
    owner : tuple of str, length F
        The cue that each column belongs to.
    values : (contexts, S, F) float64
        0 in terminal states, where nothing is perceived.
    visible : dict of str -> float
        Share of episodes in which a cue is seen, where that is less than 1.
    """

    names: tuple[str, ...]
    owner: tuple[str, ...]
    values: F64
    visible: dict[str, float]


@dataclass(frozen=True)
class Variants:
    """Contexts split by what is hidden; see the fields of `TabularWorld`."""

    labels: tuple[str, ...]
    context: I32
    visible: tuple[dict[str, bool], ...]
    share: F64


def cue_columns(model: ScenarioModel, tables: CuelessWorld) -> CueColumns:
    """Return the columns of all cues, in the order of the scenario file.

    Parameters
    ----------
    model : ScenarioModel
    tables : CuelessWorld
        The world without cues.

    Raises
    ------
    UserError
        When there are no cues; when a cue has no source, two, or one of another kind of
        world; for unknown symbols, states and context cues; for values beyond float32.
    """
    if not model.cues:
        raise UserError(
            "agents perceive nothing: declare [cues]", key="cues", allowed="e.g. bias = 1"
        )
    _check_context_cues(model)
    names: list[str] = []
    owner: list[str] = []
    columns: list[F64] = []
    visible: dict[str, float] = {}
    for name, entry in model.cues.items():
        cue = entry if isinstance(entry, Cue) else Cue.model_validate({"value": entry})
        labels, values = _columns(model, tables, name, cue)
        if np.abs(values).max(initial=0.0) > LARGEST:
            raise UserError(
                "value is too large", key=f"cues.{name}", allowed=f"up to {LARGEST:g} in size"
            )
        names += labels
        owner += [name] * len(labels)
        columns.append(values)
        if cue.visible < 1.0:
            visible[name] = cue.visible
    values = np.concatenate(columns, axis=2)
    values[tables.terminal.astype(bool)] = 0.0
    return CueColumns(tuple(names), tuple(owner), values, visible)


def split_variants(contexts: Sequence[str], visible: dict[str, float]) -> Variants:
    """Split every context by which cues are seen.

    A cue seen in all episodes or in none makes no split. Shares are products of
    probabilities, because each cue is hidden independently of the others.

    Parameters
    ----------
    contexts : sequence of str
    visible : dict of str -> float
        Share of episodes in which a cue is seen, for cues that are not always seen.

    Returns
    -------
    Variants
        Labels are ``context`` or ``context | cue seen, other hidden``; seen comes first.
    """
    split = [name for name, share in visible.items() if 0.0 < share < 1.0]
    if len(split) > MOST_HIDDEN:
        raise UserError(
            f"{len(split)} cues are hidden at times",
            key="cues",
            allowed=f"at most {MOST_HIDDEN} cues with 0 < visible < 1",
        )
    never = {name: False for name, share in visible.items() if share == 0.0}
    labels, index, seen, shares = [], [], [], []
    for c, context in enumerate(contexts):
        for choice in product((True, False), repeat=len(split)):
            what = dict(zip(split, choice, strict=True))
            words = ", ".join(f"{name} {'seen' if s else 'hidden'}" for name, s in what.items())
            labels.append(f"{context} | {words}" if words else context)
            index.append(c)
            seen.append(never | what)
            share = 1.0
            for name, is_seen in what.items():
                share *= visible[name] if is_seen else 1.0 - visible[name]
            shares.append(share)
    return Variants(tuple(labels), np.array(index, dtype=np.int32), tuple(seen), np.array(shares))


def variant_cues(columns: CueColumns, variants: Variants) -> F32:
    """Return (C, S, F) float32 cues per variant; hidden ones read 0."""
    cue = columns.values[variants.context]
    for c, seen in enumerate(variants.visible):
        hidden = [f for f, name in enumerate(columns.owner) if not seen.get(name, True)]
        cue[c][:, hidden] = 0.0
    # Adding 0 turns -0 into 0, so that equal cues also have equal bytes.
    return cue.astype(np.float32) + np.float32(0.0)


def percepts(cue: F32, terminal: NDArray[np.uint8]) -> tuple[I32, F32]:
    """Give equal numbers to states in which the same is perceived.

    Parameters
    ----------
    cue : (C, S, F) float32
    terminal : (C, S) uint8

    Returns
    -------
    percept : (C, S) int32
        States with equal cues share a percept, numbered by first appearance; 0 in terminal
        states, where nothing is perceived.
    percept_cue : (P, F) float32
    """
    C, S, F = cue.shape
    percept = np.zeros((C, S), dtype=np.int32)
    number: dict[bytes, int] = {}
    rows: list[F32] = []
    for c, s in np.argwhere(terminal == 0):
        row = cue[c, s]
        p = number.setdefault(row.tobytes(), len(number))
        if p == len(rows):
            rows.append(row)
        percept[c, s] = p
    return percept, np.array(rows, dtype=np.float32).reshape(len(rows), F)


def numbered(world: TabularWorld, percept_cue: F32) -> TabularWorld:
    """Return a world whose percepts have the numbers of others.

    Parameters
    ----------
    world : TabularWorld
    percept_cue : (P, F) float32
        The cues of each percept, all of the world's among them.
    """
    number = {row.tobytes(): p for p, row in enumerate(percept_cue)}
    of = np.array([number[row.tobytes()] for row in world.percept_cue], np.int32)
    percept = np.where(world.terminal == 0, of[world.percept], 0).astype(np.int32)
    return replace(world, percept=percept, percept_cue=percept_cue)


def _columns(
    model: ScenarioModel, tables: CuelessWorld, name: str, cue: Cue
) -> tuple[list[str], F64]:
    source = _source(model.world.kind, name, cue)
    C, S = tables.terminal.shape
    if source == "one_hot":
        return _one_hot(model, tables, name, cue)
    if source == "factors":
        return _factors(cast(GymnasiumWorld, model.world), tables, name, cue.factors or [])
    values = np.zeros((C, S, 1))
    if source == "value":
        values[:] = cue.value
    elif source == "context":
        values[:] = np.array([c.cues.get(name, 0.0) for c in model.context])[:, None, None]
    elif source == "states":
        for state, value in (cue.states or {}).items():
            if state not in tables.states:
                raise unknown("state", state, tables.states, f"cues.{name}.states.{state}")
            values[:, tables.states.index(state), 0] = value
    elif source == "place":
        values[:, :, 0] = _place(tables.position[:, "xy".index(str(cue.place))])
    else:
        symbol = str(getattr(cue, source))
        _check_symbol(tables, symbol, source, f"cues.{name}.{source}")
        for c, rows in enumerate(tables.layout):
            values[c, :, 0] = _map_cue(tables, c, rows, source, symbol, cue)
    return [name], values


def _source(kind: str, name: str, cue: Cue) -> str:
    allowed = SOURCES.get(kind, _GRAPH_SOURCES)
    given = [key for key in _ALL_SOURCES if getattr(cue, key) is not None]
    for key in given:
        if key not in allowed:
            raise UserError(
                f"'{key}' does not belong to a {kind} world",
                key=f"cues.{name}.{key}",
                allowed=", ".join(allowed),
            )
    if len(given) != 1:
        what = f"{' and '.join(given)} are too many sources" if given else "has no source"
        raise UserError(what, key=f"cues.{name}", allowed=f"exactly one of {', '.join(allowed)}")
    if cue.axis != "x" and given != ["toward"]:
        raise UserError("axis goes with toward", key=f"cues.{name}.axis", allowed="toward, axis")
    if cue.within is not None and given != ["toward"]:
        raise UserError(
            "within goes with toward", key=f"cues.{name}.within", allowed="toward, within"
        )
    if cue.context is False:
        raise UserError(
            "false says nothing", key=f"cues.{name}.context", allowed="true, or no such key"
        )
    return given[0]


def _check_context_cues(model: ScenarioModel) -> None:
    by_context = [n for n, cue in model.cues.items() if isinstance(cue, Cue) and cue.context]
    for context in model.context:
        for name in context.cues:
            if name not in by_context:
                raise UserError(
                    f"no cue '{name}' is declared with context = true",
                    key=f"context.{context.name}.cues.{name}",
                    allowed=", ".join(shown(by_context)) or "none",
                    hint=closest(name, by_context),
                )
    for name in by_context:
        if not any(name in context.cues for context in model.context):
            raise UserError(
                "no context gives this cue a value",
                key=f"cues.{name}.context",
                allowed=f"cues = {{ {name} = ... }} in a context (elsewhere it reads 0)",
            )


def _one_hot(
    model: ScenarioModel, tables: CuelessWorld, name: str, cue: Cue
) -> tuple[list[str], F64]:
    C, S = tables.terminal.shape
    if cue.one_hot == "context":
        contexts: Sequence[Context] = model.context
        by_context = np.broadcast_to(np.eye(C)[:, None, :], (C, S, C))
        return [f"{name}={context.name}" for context in contexts], by_context.copy()
    # Nobody perceives anything in a state that is terminal everywhere: no column for it.
    met = np.flatnonzero((tables.terminal == 0).any(axis=0))
    if C * S * len(met) > MOST_VALUES:
        raise UserError(
            f"{len(met)} columns for {S} states in {C} contexts are too many",
            key=f"cues.{name}.one_hot",
            allowed=f"contexts * states * columns up to {MOST_VALUES}",
        )
    by_state = np.broadcast_to(np.eye(S)[None, :, met], (C, S, len(met)))
    return [f"{name}={tables.states[s]}" for s in met], by_state.copy()


def _factors(
    world: GymnasiumWorld, tables: CuelessWorld, name: str, factors: Sequence[str]
) -> tuple[list[str], F64]:
    """Return a column for each combination of values that some state has which is not terminal."""
    C, S = tables.terminal.shape
    known = factor_values(world, S)
    for factor in factors:
        if factor not in known:
            raise unknown("factor", factor, known, f"cues.{name}.factors")
    combined = np.array([known[factor] for factor in factors]).T
    met = np.flatnonzero((tables.terminal == 0).any(axis=0))
    values = np.unique(combined[met], axis=0)
    if C * S * len(values) > MOST_VALUES:
        raise UserError(
            f"{len(values)} columns for {S} states in {C} contexts are too many",
            key=f"cues.{name}.factors",
            allowed=f"contexts * states * columns up to {MOST_VALUES}",
        )
    same = (combined[:, None, :] == values[None, :, :]).all(axis=2).astype(np.float64)
    labels = [f"{name}={','.join(map(str, row))}" for row in values.tolist()]
    return labels, np.broadcast_to(same, (C, *same.shape)).copy()


def _check_symbol(tables: CuelessWorld, symbol: str, source: str, key: str) -> None:
    known = list(tables.symbol)
    if source == "beside":
        known.append(WALL)
    if symbol not in known:
        raise unknown("symbol", symbol, known, key)


def _map_cue(
    tables: CuelessWorld, c: int, rows: Sequence[str], source: str, symbol: str, cue: Cue
) -> F64:
    cells = [(x, y) for y, row in enumerate(rows) for x, char in enumerate(row) if char == symbol]
    if source == "beside":
        return _beside(tables.position, rows, symbol)
    if source == "at":
        here = set(cells)
        return np.array([tuple(p) in here for p in tables.position.tolist()], dtype=np.float64)
    if source == "distance":
        return _distance(tables, c, cells)
    return _toward(tables.position, cells, "xy".index(cue.axis), cue.within)


def _beside(position: I32, rows: Sequence[str], symbol: str) -> F64:
    def char(x: int, y: int) -> str:
        return rows[y][x] if 0 <= y < len(rows) and 0 <= x < len(rows[y]) else WALL

    steps = [step for step in STEP.values() if step != (0, 0)]
    return np.array(
        [any(char(x + dx, y + dy) == symbol for dx, dy in steps) for x, y in position.tolist()],
        dtype=np.float64,
    )


def _place(coordinate: I32) -> F64:
    """Return coordinates on a scale from -1 to 1; 0 where all are the same."""
    first, last = int(coordinate.min()), int(coordinate.max())
    return np.asarray((2.0 * coordinate - first - last) / max(last - first, 1), dtype=np.float64)


def _toward(
    position: I32, cells: Sequence[tuple[int, int]], axis: int, within: int | None = None
) -> F64:
    """Return the sign of the way to the nearest cell, walls aside; 0 between two as near.

    Also 0 where the nearest cell is more than `within` columns and rows away, taken together.
    """
    if not cells:
        return np.zeros(len(position))
    way = np.array(cells)[None, :, :] - position[:, None, :]
    length = np.abs(way).sum(axis=2)
    nearest = length == length.min(axis=1, keepdims=True)
    total = (np.sign(way[:, :, axis]) * nearest).sum(axis=1)
    if within is not None:
        total = np.where(length.min(axis=1) <= within, total, 0)
    return np.asarray(np.sign(total), dtype=np.float64)


def _distance(tables: CuelessWorld, c: int, cells: Sequence[tuple[int, int]]) -> F64:
    """Return steps to the nearest cell over the most from any state; 1 without a way there."""
    states = {
        (x, y): s for s, (x, y) in enumerate(tables.position.tolist()) if not tables.terminal[c, s]
    }
    steps = dict.fromkeys(cells, 0)
    queue = deque(steps)
    while queue:
        x, y = queue.popleft()
        for action in tables.actions:
            dx, dy = STEP[action]
            before = (x - dx, y - dy)
            if before in states and before not in steps:
                steps[before] = steps[x, y] + 1
                queue.append(before)
    longest = max((n for cell, n in steps.items() if cell in states), default=0)
    return np.array(
        [
            steps[x, y] / max(longest, 1) if (x, y) in steps else 1.0
            for x, y in tables.position.tolist()
        ]
    )
