"""The model of a world that a planner is given: what actions lead to, percept by percept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class GivenModel:
    """A tabular model over percepts.

    Attributes
    ----------
    branch : (P, A, B) int32
        Outcome of each branch: a percept, or P + state where the episode ends; -1 for none.
    chance, gain : (P, A, B) float64
        Probability, and mean reward as a rule: what is paid once a life is left out, because
        nobody could know of it.
    """

    branch: NDArray[np.int32]
    chance: F64
    gain: F64


def given_model(world: TabularWorld, *, everywhere: bool = False) -> GivenModel:
    """Average the world's tables over the states that share a percept.

    Contexts weigh by their training frequency; percepts that training never shows, by all
    contexts alike. Which context an episode is lived in is not known to the agent, unless cues
    tell.

    Parameters
    ----------
    world : TabularWorld
    everywhere : bool
        All contexts weigh alike, so that `branch` has room for whatever can happen anywhere.
    """
    percepts, actions = world.percept_cue.shape[0], len(world.actions)
    found: list[list[dict[int, list[float]]]] = [
        [{} for _ in range(actions)] for _ in range(percepts)
    ]
    share = world.variant_frequency(world.frequency)
    for c, s, weight in _weighted_states(world, np.ones_like(share) if everywhere else share):
        for a in range(actions):
            _add_outcomes(world, c, s, a, weight, found[world.percept[c, s]][a])
    most = max((len(branches) for row in found for branches in row), default=1)
    shape = (percepts, actions, max(most, 1))
    branch = np.full(shape, -1, np.int32)
    chance, gain = np.zeros(shape), np.zeros(shape)
    for z, row in enumerate(found):
        for a, branches in enumerate(row):
            total = sum(mass for mass, _ in branches.values())
            for b, outcome in enumerate(sorted(branches)):
                mass, reward = branches[outcome]
                branch[z, a, b] = outcome
                chance[z, a, b] = mass / total
                gain[z, a, b] = reward / mass
    return GivenModel(branch, chance, gain)


def _weighted_states(world: TabularWorld, share: F64) -> list[tuple[int, int, float]]:
    """Return (variant, state, weight) of every state that some percept stands for."""
    live = world.terminal == 0
    trained = np.zeros(world.percept_cue.shape[0])
    np.add.at(trained, world.percept[live], np.broadcast_to(share[:, None], live.shape)[live])
    return [
        (int(c), int(s), float(share[c]) if trained[world.percept[c, s]] > 0 else 1.0)
        for c, s in np.argwhere(live)
        if share[c] > 0 or trained[world.percept[c, s]] == 0
    ]


def _add_outcomes(
    world: TabularWorld, c: int, s: int, a: int, weight: float, into: dict[int, list[float]]
) -> None:
    chance = np.diff(world.outcome_cdf[c, s, a], prepend=0.0)
    for k in np.flatnonzero(chance > 0.0):
        state = int(world.outcome_state[c, s, a, k])
        ends = bool(world.terminal[c, state])
        outcome = world.percept_cue.shape[0] + state if ends else int(world.percept[c, state])
        once = bool(world.once[c, s, a, k])
        entry = into.setdefault(outcome, [0.0, 0.0])
        mass = weight * float(chance[k])
        entry[0] += mass
        entry[1] += 0.0 if once else mass * float(world.reward[c, s, a, k])


def outcome_features(world: TabularWorld, features: Mapping[str, Mapping[str, float]]) -> F64:
    """Return what utility weighs of every outcome.

    Parameters
    ----------
    world : TabularWorld
    features : mapping
        Feature -> value by state, or by symbol of a map; elsewhere 0.

    Returns
    -------
    (P + S, K) float64
        States that share a percept are averaged.

    Raises
    ------
    UserError
        For a place that does not exist.
    """
    states = np.zeros((*world.terminal.shape, len(features)))
    for k, (name, places) in enumerate(features.items()):
        for place, value in places.items():
            states[..., k] += value * stands(world, place, f"mind.features.{name}")
    live = world.terminal == 0
    percepts = world.percept_cue.shape[0]
    out = np.zeros((percepts + len(world.states), len(features)))
    count = np.bincount(world.percept[live], minlength=percepts)
    for k in range(len(features)):
        total = np.bincount(world.percept[live], states[live][:, k], minlength=percepts)
        out[:percepts, k] = total / np.maximum(count, 1)
    ends = world.terminal.astype(np.float64)
    weight = np.maximum(ends.sum(axis=0), 1.0)[:, None]
    out[percepts:] = (states * ends[..., None]).sum(axis=0) / weight
    return out


def stands(world: TabularWorld, place: str, key: str) -> F64:
    """Return (C, S) 1 where a state or a symbol of the map is.

    Raises
    ------
    UserError
        For a place that does not exist.
    """
    if place in world.symbol:
        return world.symbol[place].astype(np.float64)
    known = (*world.symbol, *world.states)
    if place not in known:
        raise UserError(
            f"no state or symbol '{place}'",
            key=key,
            allowed=", ".join(known[:20]),
            hint=did_you_mean(place, known),
        )
    here = np.arange(len(world.states)) == world.states.index(place)
    return np.broadcast_to(here.astype(np.float64), world.terminal.shape)
