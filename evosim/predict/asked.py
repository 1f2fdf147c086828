"""The percepts that probes ask about, how much each counts, and what is done and worth there.

A probe of one action asks about the place that it looks at. A probe of whole episodes (reach,
payoff, goal) asks about all decisions of an episode of its context, by how often they are taken
by the agents themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.assays import Probe
from evosim.engine import Engine
from evosim.lives import Lives
from evosim.predict.training import mean_policy, observe_training, places_of
from evosim.predict.worth import action_values, dynamics
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """The percepts of the probes of one `when`.

    Attributes
    ----------
    probe : (J,) list of Probe
        The owner of each percept.
    percept : (J,) int64
    weight : (R, J) float64
        Sums to 1; each probe counts the same.
    worth : (R, J, A) float64
        Optimal action values in the probe's context.
    action : (R, J, A) float64
        What agents do, on average.
    """

    probe: list[Probe]
    percept: I64
    weight: F64
    worth: F64
    action: F64


def ask(engine: Engine, lives: Lives, when: str, probes: Sequence[Probe]) -> Asked:
    """List the percepts of probes of one `when`.

    Parameters
    ----------
    engine : Engine
        At stage 5.
    lives : Lives
    when : {"birth", "death"}
    probes : sequence of Probe
        At least one.

    Raises
    ------
    UserError
        If a context has no optimal action values (payoff that counts once a life).
    """
    world = engine.resolved.world
    assert world is not None
    parts = []
    for probe in probes:
        if probe.action >= 0:
            percept, worth = probe.percepts, _place_worth(probe, world)
            action = mean_policy(engine.resolved, lives, when, percept)
            weight = probe.weights / (probe.weights.sum() * len(probes))
            weight = np.broadcast_to(weight, action.shape[:2])
            worth = np.broadcast_to(worth, action.shape)
        else:
            places = places_of(world, np.eye(len(world.percept))[probe.variants].mean(axis=0))
            seen = observe_training(engine, lives, when, places)
            percept, worth, action = places.percept, seen.worth, seen.action
            weight = seen.weight / len(probes)
        parts.append(([probe] * percept.size, percept, weight, worth, action))
    owners, percepts, weights, worths, actions = zip(*parts, strict=True)
    return Asked(
        [probe for owner in owners for probe in owner],
        np.concatenate(percepts),
        np.concatenate(weights, axis=1),
        np.concatenate(worths, axis=1),
        np.concatenate(actions, axis=1),
    )


def check_asked(world: TabularWorld, probes: Sequence[Probe]) -> None:
    """Find out before anything runs whether the probes' contexts have action values.

    Raises
    ------
    UserError
        As `ask`.
    """
    for probe in probes:
        for variant in probe.variants.tolist():
            dynamics(world, variant)


def _place_worth(probe: Probe, world: TabularWorld) -> F64:
    """Return (P, A) action values of the percepts of the place that a probe looks at."""
    # An assay's episode begins at the place it looks at: all steps are left.
    first = action_values(dynamics(world, probe.variant), world.steps)[-1]
    worth = []
    for z in probe.percepts:
        here = np.where(world.percept[probe.variant] == z, probe.places, 0.0)
        worth.append((here[:, None] * first).sum(axis=0) / here.sum())
    return np.stack(worth)
