"""Mesa 3 peer: one agent object per individual, as a good Mesa user would write it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.bench.forager import MUTATION_SD, TOURNAMENT, World
from evosim.bench.peers.pure_python import Tables, choose

if TYPE_CHECKING:
    from mesa import Model


def missing() -> str | None:
    """One line saying why this peer cannot run here, or None; Mesa is a dependency."""
    return None


def _model(world: World, agents: int, seed: int) -> Model:
    """Build the Mesa model of a population of all-zero genomes."""
    from mesa import Agent, Model

    class Forager(Agent):  # type: ignore[misc]
        """One individual: a genome of one row of cue weights per action, and a life."""

        def __init__(self, model: Model, genome: list[list[float]]) -> None:
            super().__init__(model)
            self.genome = genome
            self.state = model.tables.start
            self.payoff = 0.0

        def step(self) -> None:
            """Perceive, act, be paid, move."""
            tables = self.model.tables
            state = self.state
            action = choose(self.genome, tables.cue[state], self.random.random())
            self.payoff += tables.payoff[state][action]
            self.state = tables.next_state[state][action]

        def child(self) -> list[list[float]]:
            """Copy the genome with a Gaussian mutation on every weight."""
            gauss = self.random.gauss
            return [[weight + gauss(0.0, MUTATION_SD) for weight in row] for row in self.genome]

    class Foragers(Model):  # type: ignore[misc]
        """A population with discrete generations; one Mesa step is one generation."""

        def __init__(self, world: World, size: int, seed: int) -> None:
            super().__init__(seed=seed)
            self.tables = Tables(world)
            blank = [[0.0] * world.cues for _ in range(world.actions)]
            Forager.create_agents(self, size, [blank] * size)
            self.mean_payoff: list[float] = []

        def step(self) -> None:
            """Live, select by tournament, reproduce, replace."""
            for _ in range(self.tables.steps):
                self.agents.do("step")
            parents = list(self.agents)
            self.mean_payoff.append(sum(agent.payoff for agent in parents) / len(parents))
            genomes = [self.tournament(parents).child() for _ in parents]
            for agent in parents:
                agent.remove()
            Forager.create_agents(self, len(genomes), genomes)

        def tournament(self, parents: list[Any]) -> Any:
            """Return the best of a few agents drawn with replacement."""
            return max(self.random.choices(parents, k=TOURNAMENT), key=lambda a: a.payoff)

    return Foragers(world, agents, seed)


def run(
    world: World, agents: int, generations: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes; see :mod:`evosim.bench.peers` for the contract."""
    model = _model(world, agents, seed)
    began = perf_counter()
    for _ in range(generations):
        model.step()
    seconds = perf_counter() - began
    mean = np.array(model.mean_payoff)
    model.remove_all_agents()  # Mesa 3.3 keeps every model alive, and with it its agents
    return seconds, mean
