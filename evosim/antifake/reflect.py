"""F5: turning the sign of payoff turns the effect.

Selection reads max + min - payoff, where max and min are the most and the least that a life can
bring, so that fitness stays as it was in range and never falls below zero for that. The tables
keep what was truly earned. The effect must then lie on the other side of its start. For files
that declare no direction (`sign`) the check does not apply.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evosim.antifake.measure import Measures, interval_of
from evosim.antifake.row import Row, effect_of, excused, judged, pointless
from evosim.engine import Engine
from evosim.kernels import landscape as land
from evosim.landscapes import LandscapeCode
from evosim.lives import Lives
from evosim.resolve import Resolved
from evosim.scenario import Scenario


def check_reflected(scenario: Scenario, measures: Measures | None = None) -> Row:
    """Check F5.

    Parameters
    ----------
    scenario : Scenario
    measures : Measures, optional
        Values that further checks share.

    Returns
    -------
    Row
        Its number is the mean of the measure under reflected payoff.

    Raises
    ------
    UserError
        Without an effect.
    """
    effect = effect_of(scenario)
    if (row := excused(scenario, "F5")) is not None:
        return row
    if effect.sign is None:
        return pointless(scenario, "F5", "the file declares no direction")
    measures = measures or Measures(scenario)
    start = measures.start
    towards = 1.0 if effect.sign == "higher" else -1.0
    plainly = measures.values(measures.arm(), measures.first)
    turned = measures.values(measures.arm(loop=Reflecting), measures.first)
    there = interval_of(towards * (plainly - start)).low > 0.0
    flips = interval_of(towards * (turned - start)).high < 0.0
    reason = f"start {start:g}; payoff as it is {measures.told(plainly)}"
    reason += (
        "" if there else f", which is not {effect.sign}"
    ) + f"; reflected {measures.told(turned)}"
    return judged(scenario, "F5", there and flips, reason, float(turned.mean()))


@dataclass
class Reflecting(Engine):
    """An engine whose selection sees max + min - payoff; everything else sees payoff."""

    sums: dict[int, float] = field(default_factory=dict)

    def fitness(self, lives: Lives) -> None:
        """Stage 4 with reflected payoff."""
        earned = lives.payoff
        key = id(self.resolved)
        if key not in self.sums:
            self.sums[key] = most_and_least(self.resolved)
        lives.payoff = self.sums[key] - earned
        super().fitness(lives)
        lives.payoff = earned


def most_and_least(resolved: Resolved) -> float:
    """Return the sum of the most and the least payoff that a life of training can bring.

    Where there is no most (linear and quadratic landscapes, worlds that step by code) it is
    twice the payoff of a landscape's origin, or 0.
    """
    if resolved.landscape is not None:
        return _of_landscape(resolved.landscape)
    tables, world = resolved.tables, resolved.world
    assert tables is not None
    assert world is not None
    if tables.following.size == 0:
        return 0.0
    shape = (-1, tables.actions * tables.outcomes)
    following, payoff = tables.following.reshape(shape), tables.payoff.reshape(shape)
    chance = np.diff(tables.cdf.reshape(-1, tables.outcomes), prepend=0.0) > 0.0
    possible = chance.reshape(shape)
    best, worst = np.zeros(len(following)), np.zeros(len(following))
    goes_on = following >= 0
    target = np.where(goes_on, following, 0)
    for _ in range(tables.steps):
        best = np.where(possible, payoff + goes_on * best[target], -np.inf).max(axis=1)
        worst = np.where(possible, payoff + goes_on * worst[target], np.inf).min(axis=1)
    share = world.variant_frequency(world.frequency)
    starts = (np.diff(world.start_cdf, prepend=0.0) > 0.0) & (share > 0.0)[:, None]
    at = np.flatnonzero(starts.ravel())
    return float(best[at].max() + worst[at].min()) * tables.episodes


def _of_landscape(code: LandscapeCode) -> float:
    if code.peak_height.size:
        payoffs = [*code.peak_height, *code.shoulder, code.elsewhere]
        return 2.0 * code.height + float(max(payoffs) + min(payoffs))
    if code.bits:
        return 2.0 * code.height + float(code.weights.sum())
    return 2.0 * code.height + (1.0 if code.shape == land.THRESHOLD else 0.0)
