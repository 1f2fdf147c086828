"""Whole random lives of learning minds: the kernel's beside the reference's, agent by agent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import reference
from kernels_case import KEYS, schedule, tables

from evosim.kernels import learn
from evosim.kernels.mind import Trail
from evosim.kernels.tags import Tag
from evosim.minds.trail import new_trail

AGENTS, COUNT = 4, np.array([4, 2])
CDF = np.array([0.6, 1.0])
SLOTS, GENERATION = 3, 6


class Lived(NamedTuple):
    payoff: np.ndarray
    acts: np.ndarray
    context_payoff: np.ndarray
    context_episodes: np.ndarray
    born: np.ndarray
    learned: np.ndarray
    trail: Trail


def live(kind, world, m, size, genes, *, flat=(0, 2 * AGENTS), values=None, generation=GENERATION):
    """Live the lives of (2, AGENTS) agents, all of which is recorded."""
    percepts, contexts = world.cues.shape[1], len(world.start)
    values = percepts * world.actions if values is None else values
    entries = len(world.percept) * world.actions
    out = Lived(
        np.full((2, AGENTS), 99.0),
        np.full((2, AGENTS, SLOTS * world.actions), 99, np.uint16),
        np.full((2 * AGENTS, contexts), 99.0),
        np.full((2 * AGENTS, contexts), 99),
        np.full((2, AGENTS, values), 99.0),
        np.full((2, AGENTS, values), 99.0),
        new_trail(2, AGENTS, 1, entries, percepts, 0, values),
    )
    learn.live_and_learn(
        *flat, Tag("world", "tabular"), world, Tag("mind", kind), m, size,
        schedule(CDF[-contexts:]),
        world.start_cdf,
        0, np.zeros(0, np.int64), KEYS[:2], generation, 0, COUNT, genes, *out,
    )  # fmt: skip
    return out


def alive():
    return [(r, i) for r, i in np.ndindex(2, AGENTS) if i < COUNT[r]]


def compare(kind, world, m, size, genes, alone):
    """Hold every agent's life against that of the mind `alone(r, i)`; return what was lived.

    Equal are acts, payoffs, and at birth and at death the probabilities at every percept; and
    how much was learned, percept by percept, and at episodes' ends.
    """
    lived = live(kind, world, m, size, genes)
    percepts, actions = world.cues.shape[1], world.actions
    for r, i in alive():
        who = alone(r, i)
        born = np.ravel([who.table(z) for z in range(percepts)])
        assert lived.born[r, i].tolist() == pytest.approx(born, rel=0, abs=1e-12)
        done, episodes = reference.live(world, who.act, CDF, KEYS[r], GENERATION, i, learner=who)
        want = np.zeros((SLOTS, actions), int)
        for slot, action in done:
            want[slot, action] += 1
        assert np.array_equal(lived.acts[r, i].reshape(SLOTS, actions), want)
        assert lived.payoff[r, i] == pytest.approx(sum(e for _, _, e in episodes), abs=1e-12)
        assert lived.context_episodes[r * AGENTS + i].sum() == world.episodes
        learned = np.ravel([who.table(z) for z in range(percepts)])
        assert lived.learned[r, i].tolist() == pytest.approx(learned, rel=0, abs=1e-12)
        moved = [who.moved[z] for z in range(percepts)]
        assert lived.trail.moved[r, i, 0].tolist() == pytest.approx(moved, rel=1e-12, abs=1e-12)
        assert lived.trail.finished[r, i, 0] == pytest.approx(who.finished, rel=1e-12, abs=1e-12)
    return lived


def world_of(seed, *, low=0.0, **given):
    """A small random world; with `low`, rewards reach from it to 1."""
    rng = np.random.default_rng(seed)
    world = tables(rng, **{"slots": SLOTS, "episodes": 12, "steps": 6} | given)
    return rng, world._replace(reward=low + (1.0 - low) * world.reward)


def without_genes(loci=0):
    return np.zeros((2, AGENTS, 1 + loci), np.float32)


def outcomes_of(world):
    """(percept, action) -> places that it can lead to."""
    places = {}
    steps = world.following.reshape(-1, world.actions, world.outcomes)
    for cs, z in enumerate(world.percept):
        for a in range(world.actions):
            met = places.setdefault((int(z), a), set())
            met |= {reference.entered(world, int(x))[1] for x in steps[cs, a]}
    return places
