"""F1: what only observers see decides nothing.

Goals and region labels are replaced by random ones twice: as numbers of the scenario file, from
which the world is then built anew, and in the arrays of the built world. Every genome, act,
learned state and parent must stay the same to the last bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from evosim.antifake.history import (
    LIVES,
    Small,
    difference,
    first_cells,
    live,
    small,
)
from evosim.antifake.numbers import renumbered
from evosim.antifake.row import Row, excused, judged, pointless
from evosim.scenario import Scenario, ScenarioModel
from evosim.scenario.load import validate
from evosim.scenario.resolved import plain
from evosim.stretches import resolve_stretches
from evosim.worlds.tabular import TabularWorld


def check_observer(scenario: Scenario, lived: Small | None = None) -> Row:
    """Check F1 on every arm.

    Parameters
    ----------
    scenario : Scenario
    lived : Small, optional
        Histories that further checks share.

    Returns
    -------
    Row
        Its number is that of the arms in which something differed.
    """
    cells = [c for c in first_cells(scenario) if c.model.world.kind != "landscape"]
    if (row := excused(scenario, "F1")) is not None:
        return row
    if not cells:
        return pointless(scenario, "F1", "a landscape has neither goals nor regions")
    lived = lived or Small(scenario)
    found = []
    for cell in cells:
        rng = np.random.default_rng(cell.model.seed)

        def altered(world: TabularWorld, rng: np.random.Generator = rng) -> TabularWorld:
            return randomised(world, rng)

        blind = live(
            resolve_stretches(_relabelled(renumbered(small(cell.model), "goal", rng)), altered),
            cell.model.seed,
            replayed=lived.replayed(cell),
        )
        where = difference(lived.of(cell), blind, (*LIVES, "payoff"))
        if where is not None:
            found.append(f"{cell.label}: {where}")
    reason = f"other goals and regions, {len(cells)} arms: " + (
        "; ".join(found) or "no bit differs"
    )
    return judged(scenario, "F1", not found, reason, float(len(found)))


def randomised(world: TabularWorld, rng: np.random.Generator) -> TabularWorld:
    """Return the world with random values wherever only observers look."""
    regions = world.regions or ("one", "two", "three")
    symbol = {
        name: rng.integers(0, 2, where.shape).astype(np.uint8)
        for name, where in world.symbol.items()
    }
    position = world.position
    return replace(
        world,
        goal=rng.normal(size=world.goal.shape),
        region=rng.integers(-1, len(regions), world.region.shape).astype(np.int32),
        regions=regions,
        symbol=symbol,
        layout=(),
        position=None if position is None else rng.permutation(position),
    )


def _relabelled(model: ScenarioModel) -> ScenarioModel:
    """Give every region another label."""
    data = plain(model)
    world = data["world"]
    if isinstance(world.get("regions"), dict):
        world["regions"] = {f"other {label}": states for label, states in world["regions"].items()}
    for holder in (world, *data.get("context", [])):
        symbols: dict[str, Any] = holder.get("symbols", {})
        for symbol in symbols.values():
            if symbol.get("region"):
                symbol["region"] = f"other {symbol['region']}"
    return validate(data)
