"""NumPy peer: vectorised over agents, one row per agent, as a NumPy user writes it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from evosim.bench.forager import MUTATION_SD, TOURNAMENT, World

Floats = NDArray[np.float32]


def missing() -> str | None:
    """One line saying why this peer cannot run here, or None; NumPy is a dependency."""
    return None


def lives(world: World, genomes: Floats, rng: np.random.Generator) -> Floats:
    """Live one life per row.

    Parameters
    ----------
    world : World
        The world.
    genomes : float32[agents, cues, actions]
        Policy weights.
    rng : numpy.random.Generator
        Advanced by agents x steps draws.

    Returns
    -------
    float32[agents]
        Summed payoff.
    """
    agents = len(genomes)
    payoffs, moves = world.payoff.ravel(), world.next_state.ravel()
    state = np.full(agents, world.start)
    total = np.zeros(agents, dtype=np.float32)
    for _ in range(world.steps):
        scores = np.matmul(world.cue[state][:, None, :], genomes)[:, 0, :]
        scores -= scores.max(axis=1, keepdims=True)
        cumulative = np.exp(scores).cumsum(axis=1)
        threshold = rng.random(agents, dtype=np.float32) * cumulative[:, -1]
        action = (cumulative[:, :-1] <= threshold[:, None]).sum(axis=1)
        entry = state * world.actions + action
        total += payoffs[entry]
        state = moves[entry]
    return total


def offspring(genomes: Floats, payoff: Floats, rng: np.random.Generator) -> Floats:
    """Select parents by tournament and mutate every weight of their copies.

    Parameters
    ----------
    genomes : float32[agents, cues, actions]
        The parents' generation.
    payoff : float32[agents]
        Summed payoff, read as fitness.
    rng : numpy.random.Generator
        Advanced.

    Returns
    -------
    float32[agents, cues, actions]
        The next generation, a new array.
    """
    agents = len(genomes)
    rivals = rng.integers(agents, size=(agents, TOURNAMENT))
    parents = rivals[np.arange(agents), payoff[rivals].argmax(axis=1)]
    children = rng.standard_normal(genomes.shape, dtype=np.float32)
    children *= np.float32(MUTATION_SD)
    children += genomes[parents]
    return children


def evolve(
    world: World,
    agents: int,
    generations: int,
    seed: int,
    life: Callable[[World, Floats, np.random.Generator], Floats] = lives,
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes with a given life function; see :func:`run`."""
    rng = np.random.default_rng(seed)
    genomes = np.zeros((agents, world.cues, world.actions), dtype=np.float32)
    mean = np.zeros(generations)
    began = perf_counter()
    for g in range(generations):
        payoff = life(world, genomes, rng)
        mean[g] = payoff.mean(dtype=np.float64)
        genomes = offspring(genomes, payoff, rng)
    return perf_counter() - began, mean


def run(
    world: World, agents: int, generations: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes; see :mod:`evosim.bench.peers` for the contract."""
    return evolve(world, agents, generations, seed)
