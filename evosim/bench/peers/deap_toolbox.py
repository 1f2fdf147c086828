"""DEAP peer: list individuals and a toolbox, the loop of ``eaSimple`` without crossover."""

from __future__ import annotations

import random
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.bench.forager import MUTATION_SD, TOURNAMENT, World
from evosim.bench.peers import NOT_INSTALLED
from evosim.bench.peers.pure_python import Tables, choose


def missing() -> str | None:
    """One line saying why this peer cannot run here, or None."""
    return None if find_spec("deap") else NOT_INSTALLED


def _toolbox(world: World) -> Any:
    """Register the operators of the forager; an individual is flat, action after action."""
    from deap import base, creator, tools

    if not hasattr(creator, "Forager"):  # DEAP keeps its classes in one global module
        creator.create("Payoff", base.Fitness, weights=(1.0,))
        creator.create("Forager", list, fitness=creator.Payoff)
    tables = Tables(world)
    cues, loci = world.cues, world.cues * world.actions

    def life(individual: list[float]) -> tuple[float]:
        weights = [individual[i : i + cues] for i in range(0, loci, cues)]
        state, payoff = tables.start, 0.0
        for _ in range(tables.steps):
            action = choose(weights, tables.cue[state], random.random())
            payoff += tables.payoff[state][action]
            state = tables.next_state[state][action]
        return (payoff,)

    toolbox = base.Toolbox()
    toolbox.register("individual", lambda: creator.Forager([0.0] * loci))
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", life)
    toolbox.register("select", tools.selTournament, tournsize=TOURNAMENT)
    toolbox.register("mutate", tools.mutGaussian, mu=0.0, sigma=MUTATION_SD, indpb=1.0)
    return toolbox


def run(
    world: World, agents: int, generations: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes; see :mod:`evosim.bench.peers` for the contract."""
    random.seed(seed)  # DEAP draws from Python's global generator
    toolbox = _toolbox(world)
    population = toolbox.population(n=agents)
    mean = np.zeros(generations)
    began = perf_counter()
    for g in range(generations):
        for individual, fitness in zip(population, map(toolbox.evaluate, population), strict=True):
            individual.fitness.values = fitness
        mean[g] = sum(individual.fitness.values[0] for individual in population) / agents
        population = [toolbox.clone(parent) for parent in toolbox.select(population, agents)]
        for child in population:
            toolbox.mutate(child)
            del child.fitness.values
    return perf_counter() - began, mean
