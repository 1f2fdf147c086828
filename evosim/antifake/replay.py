"""F2: within a life payoff is nothing.

An arm's pedigree is recorded and replayed with other payoffs, while reward and criterion stay:
what agents inherit, do and learn must stay the same to the last bit. Where newborns look at payoff
to choose whom they copy, that choice lies between lives as that of parents does: they are shown the
payoffs that were recorded. Payoffs are replaced in the scenario file, from which the world is built
anew, and in the arrays of the built world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evosim.antifake.history import (
    BEHAVIOUR,
    Small,
    difference,
    first_cells,
    live,
    small,
)
from evosim.antifake.numbers import renumbered
from evosim.antifake.row import Row, excused, judged, pointless
from evosim.landscapes import LandscapeCode
from evosim.resolve import Resolved
from evosim.scenario import ArmCell, Scenario
from evosim.scenario.world import UserWorld
from evosim.stretches import Stretches, resolve_stretches
from evosim.worlds.tabular import TabularWorld


def check_replay(scenario: Scenario, lived: Small | None = None) -> Row:
    """Check F2 on every arm.

    Parameters
    ----------
    scenario : Scenario
    lived : Small, optional
        Histories that further checks share.

    Returns
    -------
    Row
        Its number is that of the arms in which something differed. An arm in which the other
        numbers led to no other payoff tests nothing, and fails.
    """
    if (row := excused(scenario, "F2")) is not None:
        return row
    cells = [c for c in first_cells(scenario) if not isinstance(c.model.world, UserWorld)]
    if not cells:
        return pointless(scenario, "F2", "payoffs of a world that steps by code are no numbers")
    lived = lived or Small(scenario)
    found = []
    for cell in cells:
        plainly = lived.of(cell)
        other = live(
            other_payoffs(cell),
            cell.model.seed,
            replayed=plainly.pedigrees,
            shown=plainly.parts["payoff"],
        )
        where = difference(plainly, other, BEHAVIOUR)
        if where is None and difference(plainly, other, ("payoff",)) is None:
            where = "other numbers led to the same payoffs"
        if where is not None:
            found.append(f"{cell.label}: {where}")
    reason = f"pedigree replayed under other payoffs, {len(cells)} arms: "
    reason += "; ".join(found) or "no bit of genomes, acts and learned states differs"
    return judged(scenario, "F2", not found, reason, float(len(found)))


def other_payoffs(cell: ArmCell) -> Stretches:
    """Return an arm's stretches with payoffs that mean nothing."""
    rng = np.random.default_rng(cell.model.seed)

    def altered(world: TabularWorld) -> TabularWorld:
        return replace(world, payoff=rng.normal(size=world.payoff.shape))

    stretches = resolve_stretches(renumbered(small(cell.model), "payoff", rng), altered)
    return [
        (start, _other_culture(_other_landscape(resolved, rng), rng))
        for start, resolved in stretches
    ]


def _other_culture(resolved: Resolved, rng: np.random.Generator) -> Resolved:
    if resolved.culture is None:
        return resolved
    return replace(resolved, culture=replace(resolved.culture, payoff=float(rng.normal())))


def _other_landscape(resolved: Resolved, rng: np.random.Generator) -> Resolved:
    code = resolved.landscape
    if code is None:
        return resolved
    other: LandscapeCode = replace(
        code,
        weights=rng.normal(size=code.weights.shape),
        optimum=rng.normal(size=code.optimum.shape),
        height=float(rng.normal()),
        peak_height=rng.normal(size=code.peak_height.shape),
        shoulder=rng.normal(size=code.shoulder.shape),
        elsewhere=float(rng.normal()),
    )
    return replace(resolved, landscape=other)
