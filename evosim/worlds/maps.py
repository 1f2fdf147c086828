"""ASCII maps of grid worlds: from text to cells, and every mistake a map can hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evosim.errors import UserError
from evosim.scenario.world import Context, GridWorld, Symbol
from evosim.worlds.parts import check_distinct, closest, shown

Cell = tuple[int, int]

#: Column and row step of each direction, in the default order of actions.
STEP: dict[str, Cell] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "stay": (0, 0),
}
WALL, START = "#", "S"
FLOOR = (".", " ")
_PLAIN = Symbol.model_validate({})
_ONLY_WALL = Symbol.model_validate({"wall": True})


@dataclass(frozen=True)
class GridMap:
    """One context's map.

    Attributes
    ----------
    rows : tuple of str, all of one length
        Ragged rows are filled up with walls. A blank that no start can reach lies outside
        the map and is a wall too, so margins and indents make no states.
    symbols : dict of str -> Symbol
        What each letter means in this context.
    """

    rows: tuple[str, ...]
    symbols: dict[str, Symbol]

    def at(self, cell: Cell) -> str:
        """Return the character of a cell; everything outside the map is wall."""
        x, y = cell
        inside = 0 <= y < len(self.rows) and 0 <= x < len(self.rows[y])
        return self.rows[y][x] if inside else WALL

    def meaning(self, cell: Cell) -> Symbol:
        """Return what entering the cell does."""
        return self.symbols.get(self.at(cell), _PLAIN)

    def enterable(self, cell: Cell) -> bool:
        """Whether an agent can be in the cell."""
        return self.at(cell) != WALL and not self.meaning(cell).wall

    def cells(self, symbol: str | None = None) -> list[Cell]:
        """Return the cells of a symbol (default: all), row by row."""
        return [
            (x, y)
            for y, row in enumerate(self.rows)
            for x, char in enumerate(row)
            if symbol is None or char == symbol
        ]

    def move(self, cell: Cell, direction: str) -> Cell:
        """Return the cell that a move leads to; a wall leaves the agent where it is."""
        dx, dy = STEP[direction]
        target = (cell[0] + dx, cell[1] + dy)
        return target if self.enterable(target) else cell

    def steps_from_start(self, directions: Sequence[str]) -> dict[Cell, int]:
        """Return the fewest steps from a start to each cell that can be reached."""
        steps = dict.fromkeys(self.cells(START), 0)
        queue = deque(steps)
        while queue:
            cell = queue.popleft()
            if self.meaning(cell).terminal:
                continue
            for direction in directions:
                target = self.move(cell, direction)
                if target not in steps:
                    steps[target] = steps[cell] + 1
                    queue.append(target)
        return steps


def read_maps(world: GridWorld, contexts: Sequence[Context]) -> list[GridMap]:
    """Return the map of each context.

    Raises
    ------
    UserError
        For a missing map or start, an undeclared or unused symbol, a symbol that is not one
        character or contradicts itself.
    """
    _check_symbols(world.symbols, "world.symbols")
    maps = [_read_map(world, context) for context in contexts]
    used = {char for grid in maps for row in grid.rows for char in row}
    for symbol in world.symbols:
        if symbol not in used:
            raise UserError(
                f"symbol '{symbol}' stands in no map",
                key=f"world.symbols.{symbol}",
                allowed="symbols of the maps",
            )
    return maps


def directions(world: GridWorld, maps: Sequence[GridMap]) -> tuple[str, ...]:
    """Return the actions: as declared, else the directions in which some map allows a move.

    Raises
    ------
    UserError
        When actions are empty or repeated, when no map allows a move, or when `slip` has no
        other direction to go.
    """
    if world.actions is not None:
        found: tuple[str, ...] = tuple(world.actions)
        check_distinct(found, "action", "world.actions")
    else:
        found = tuple(d for d in STEP if any(_allows(grid, d) for grid in maps))
    if not found:
        raise UserError("no map allows a move", key="world.actions", allowed=", ".join(STEP))
    if world.slip > 0 and len(found) == 1:
        raise UserError(
            f"a slip needs another direction than '{found[0]}'", key="world.slip", allowed="0"
        )
    return found


def check_reachable(grid: GridMap, context: Context, actions: Sequence[str], longest: int) -> None:
    """Raise UserError when an ending or a payoff is too far from every start.

    Parameters
    ----------
    longest : int
        `world.steps`, the longest episode in steps.
    """
    steps = grid.steps_from_start(actions)
    for name, symbol in grid.symbols.items():
        cells = grid.cells(name)
        if not cells or symbol.wall or not (symbol.terminal or symbol.payoff or symbol.reward):
            continue
        fewest = min((steps[cell] for cell in cells if cell in steps), default=None)
        row = cells[0][1] + 1
        if fewest is None:
            raise UserError(
                f"row {row}: symbol '{name}' cannot be reached from any {START}",
                key=f"context.{context.name}.map",
                allowed="a way that no wall and no ending blocks",
            )
        if fewest > longest:
            raise UserError(
                f"row {row}: symbol '{name}' is {fewest} steps from the nearest {START}, "
                f"but an episode has {longest}",
                key=f"context.{context.name}.map",
                allowed=f"world.steps >= {fewest}",
            )


def _read_map(world: GridWorld, context: Context) -> GridMap:
    key = f"context.{context.name}"
    _check_symbols(context.symbols, f"{key}.symbols")
    if context.map is None:
        raise UserError("a grid context needs a map", key=f"{key}.map", allowed="rows of letters")
    rows = context.map.splitlines()
    while rows and not rows[0].strip():
        rows.pop(0)
    while rows and not rows[-1].strip():
        rows.pop()
    symbols = world.symbols | context.symbols
    _check_letters(rows, symbols, f"{key}.map")
    for symbol in context.symbols:
        if not any(symbol in row for row in rows):
            raise UserError(
                f"symbol '{symbol}' is not in the map of this context",
                key=f"{key}.symbols.{symbol}",
                allowed="symbols of this map",
            )
    width = max(map(len, rows))
    grid = GridMap(tuple(row.ljust(width, WALL) for row in rows), symbols)
    return _without_outside(grid)


def _check_letters(rows: Sequence[str], symbols: Iterable[str], key: str) -> None:
    known = [WALL, *FLOOR, START, *(s for s in symbols if s != START)]
    for y, row in enumerate(rows):
        for char in row:
            if char not in known:
                raise UserError(
                    f"row {y + 1}: symbol {char!r} is not declared in world.symbols",
                    key=key,
                    allowed=" ".join("blank" if s == " " else s for s in shown(known)),
                    hint=closest(char, known),
                )
    if not any(START in row for row in rows):
        raise UserError(
            f"rows 1 to {len(rows)} hold no {START}, so no episode can start",
            key=key,
            allowed=f"at least one {START}",
        )


def _check_symbols(symbols: dict[str, Symbol], key: str) -> None:
    for name, symbol in symbols.items():
        here = f"{key}.{name}"
        if len(name) != 1 or not name.isprintable():
            # A key with a line break in it would break the one line of an error.
            where = here if name.isprintable() else key
            raise UserError(f"{name!r} is not one character", key=where, allowed="one letter")
        if name in (WALL, *FLOOR):
            raise UserError(
                f"'{name}' always means {'wall' if name == WALL else 'floor'}",
                key=here,
                allowed="another letter",
            )
        if name == START and (symbol.wall or symbol.terminal):
            raise UserError(
                f"{START} is where episodes start: neither wall nor terminal",
                key=here,
                allowed="payoff, reward, goal, once, region",
            )
        if symbol.wall and symbol != _ONLY_WALL:
            raise UserError(
                "a wall is never entered, so nothing else can be said of it",
                key=here,
                allowed="wall alone",
            )


def _without_outside(grid: GridMap) -> GridMap:
    inside = set(grid.cells(START))
    stack = list(inside)
    while stack:
        cell = stack.pop()
        for direction in STEP:
            target = grid.move(cell, direction)
            if target not in inside:
                inside.add(target)
                stack.append(target)
    rows = tuple(
        "".join(WALL if c == " " and (x, y) not in inside else c for x, c in enumerate(row))
        for y, row in enumerate(grid.rows)
    )
    return GridMap(rows, grid.symbols)


def _allows(grid: GridMap, direction: str) -> bool:
    return any(
        grid.enterable(cell)
        and not grid.meaning(cell).terminal
        and grid.move(cell, direction) != cell
        for cell in grid.cells()
    )
