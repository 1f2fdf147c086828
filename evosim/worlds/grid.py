"""Grid worlds: from ASCII maps to tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import GridWorld
from evosim.worlds.maps import START, Cell, GridMap, check_reachable, directions, read_maps
from evosim.worlds.parts import CuelessWorld, Outcome, pack_world


def build_grid(model: ScenarioModel) -> CuelessWorld:
    """Return the tables of a grid world.

    States are the cells that an agent can be in in some context, row by row, labelled
    ``x,y``. Entering a cell brings what its symbol says, plus the payoff and reward of the
    step; bumping into a wall, or staying, enters nothing. A context's own symbol replaces
    the world's symbol of that letter as a whole.

    Raises
    ------
    UserError
        For every mistake of a map, see `evosim.worlds.maps`.
    """
    world = cast(GridWorld, model.world)
    maps = read_maps(world, model.context)
    actions = directions(world, maps)
    for grid, context in zip(maps, model.context, strict=True):
        check_reachable(grid, context, actions, world.steps)
    cells = sorted(
        {cell for grid in maps for cell in grid.cells() if grid.enterable(cell)},
        key=lambda cell: (cell[1], cell[0]),
    )
    index = {cell: s for s, cell in enumerate(cells)}
    letters = [*world.symbols, *(s for context in model.context for s in context.symbols), START]
    regions = tuple(
        dict.fromkeys(s.region for grid in maps for s in grid.symbols.values() if s.region)
    )
    return pack_world(
        actions,
        [f"{x},{y}" for x, y in cells],
        [_outcomes(world, grid, index, actions) for grid in maps],
        [_start(grid, index) for grid in maps],
        region=np.array(
            [[_region(grid, cell, regions) for cell in cells] for grid in maps], dtype=np.int32
        ),
        regions=regions,
        position=np.array(cells, dtype=np.int32).reshape(-1, 2),
        symbol={
            letter: np.array(
                [[grid.at(cell) == letter for cell in cells] for grid in maps], dtype=np.uint8
            )
            for letter in dict.fromkeys(letters)
        },
        layout=tuple(grid.rows for grid in maps),
    )


def _outcomes(
    world: GridWorld, grid: GridMap, index: dict[Cell, int], actions: Sequence[str]
) -> list[list[list[Outcome]]]:
    table: list[list[list[Outcome]]] = []
    for cell in index:
        if not grid.enterable(cell) or grid.meaning(cell).terminal:
            table.append([])
            continue
        row = []
        for action in actions:
            chances = {
                other: world.slip / (len(actions) - 1) for other in actions if other != action
            }
            chances = {action: 1.0 - world.slip} | chances
            row.append([_enter(world, grid, index, cell, d, p) for d, p in chances.items()])
        table.append(row)
    return table


def _enter(
    world: GridWorld, grid: GridMap, index: dict[Cell, int], cell: Cell, direction: str, p: float
) -> Outcome:
    target = grid.move(cell, direction)
    if target == cell:
        return Outcome(index[cell], p, world.step_payoff, world.step_reward)
    symbol = grid.meaning(target)
    return Outcome(
        index[target],
        p,
        world.step_payoff + symbol.payoff,
        world.step_reward + symbol.reward,
        symbol.goal,
        symbol.once,
    )


def _start(grid: GridMap, index: dict[Cell, int]) -> dict[int, float]:
    cells = grid.cells(START)
    return {index[cell]: 1.0 / len(cells) for cell in cells}


def _region(grid: GridMap, cell: Cell, regions: Sequence[str]) -> int:
    region = grid.meaning(cell).region if grid.enterable(cell) else None
    return regions.index(region) if region else -1
