"""evosax peer: the forager's genetic algorithm as an evosax algorithm, its life in JAX.

evosax ships truncation selection only, so tournament and mutation are an ``_ask`` of our own, as
its base class invites; ``ask`` and ``tell`` around it do evosax's usual work.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.bench.forager import World
from evosim.bench.peers import NOT_INSTALLED
from evosim.bench.peers.jax_scan import lives, offspring


def missing() -> str | None:
    """One line saying why this peer cannot run here, or None."""
    return None if find_spec("evosax") else NOT_INSTALLED


def _algorithm(agents: int, genome: Any) -> Any:
    """Build the genetic algorithm; evosax minimises, so its fitness is minus the payoff."""
    import jax.numpy as jnp
    from evosax.algorithms.population_based.base import (
        Params,
        PopulationBasedAlgorithm,
        State,
    )

    class TournamentGA(PopulationBasedAlgorithm):  # type: ignore[misc]
        """Tournament selection and Gaussian mutation."""

        @property
        def _default_params(self) -> Any:
            return Params()

        def _init(self, key: Any, params: Any) -> Any:
            return State(
                population=jnp.zeros((self.population_size, self.num_dims)),
                fitness=jnp.full(self.population_size, jnp.inf),
                best_solution=jnp.zeros(self.num_dims),
                best_fitness=jnp.inf,
                generation_counter=0,
            )

        def _ask(self, key: Any, state: Any, params: Any) -> Any:
            return offspring(key, state.population, -state.fitness), state

        def _tell(self, key: Any, population: Any, fitness: Any, state: Any, params: Any) -> Any:
            return state.replace(population=population, fitness=fitness)

    return TournamentGA(agents, genome)


@lru_cache(maxsize=8)
def _compiled(world: World, agents: int) -> tuple[Any, Any]:
    """Return the algorithm and one compiled generation of ``tell`` and ``ask``."""
    import jax
    import jax.numpy as jnp

    genomes = jnp.zeros((agents, world.cues, world.actions))
    algorithm = _algorithm(agents, genomes[0])
    params = algorithm.default_params
    live = lives(world)

    def generation(key: Any, genomes: Any, state: Any) -> Any:
        key_life, key_tell, key_ask = jax.random.split(key, 3)
        payoff = live(key_life, genomes)
        state, _ = algorithm.tell(key_tell, genomes, -payoff, state, params)
        genomes, state = algorithm.ask(key_ask, state, params)
        return genomes, state, payoff.mean()

    key = jax.random.key(0)
    state = algorithm.init(key, genomes, jnp.full(agents, jnp.inf), params)
    step = jax.jit(generation, donate_argnums=1).lower(key, genomes, state).compile()
    return algorithm, step


def run(
    world: World, agents: int, generations: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes; see :mod:`evosim.bench.peers` for the contract."""
    import jax
    import jax.numpy as jnp

    algorithm, step = _compiled(world, agents)
    genomes = jnp.zeros((agents, world.cues, world.actions))
    unknown = jnp.full(agents, jnp.inf)
    key = jax.random.key(seed)
    state = algorithm.init(key, genomes, unknown, algorithm.default_params)
    keys = list(jax.random.split(key, generations))
    mean = []
    jax.block_until_ready((genomes, state, keys))
    began = perf_counter()
    for key in keys:
        genomes, state, payoff = step(key, genomes, state)
        mean.append(payoff)
    jax.block_until_ready((genomes, mean))
    return perf_counter() - began, np.array(mean, dtype=np.float64)
