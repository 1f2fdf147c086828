"""JAX peer: a life is a ``scan``, a population is ``vmap``, a generation is one ``jit``.

Measured beside this form on two cores (M agent-steps/s at 1e3/1e4/1e5 agents; this form 35/38/30):
a key per agent and step with ``random.categorical`` 11/12/18; ``jnp.cumsum`` for the cumulative
odds 30/33/29; a policy table decoded once per life 22/12/12; agents on the last axis 10/9/6;
hardware random bits (``unsafe_rbg``) slower than threefry.  Splitting the population over two
host devices by ``shard_map`` reached 43/55/38 and can deadlock under asynchronous dispatch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.bench.forager import MUTATION_SD, TOURNAMENT, World
from evosim.bench.peers import NOT_INSTALLED


def missing() -> str | None:
    """One line saying why this peer cannot run here, or None."""
    return None if find_spec("jax") else NOT_INSTALLED


def lives(world: World) -> Callable[[Any, Any], Any]:
    """Build the function that lives a generation.

    Parameters
    ----------
    world : World
        Its tables become constants of the compiled program.

    Returns
    -------
    callable
        From a key and genomes float32[agents, cues, actions] to the summed payoff
        float32[agents].
    """
    import jax
    import jax.numpy as jnp

    next_state, payoff = jnp.asarray(world.next_state), jnp.asarray(world.payoff)
    cue = jnp.asarray(world.cue)

    def life(uniforms: Any, genome: Any) -> Any:
        def step(carry: Any, uniform: Any) -> Any:
            state, total = carry
            scores = cue[state] @ genome
            odds = jnp.exp(scores - scores.max())
            below = [odds[0]]
            for a in range(1, world.actions):
                below.append(below[-1] + odds[a])
            threshold = uniform * below[-1]
            action = sum((edge <= threshold).astype(jnp.int32) for edge in below[:-1])
            return (next_state[state, action], total + payoff[state, action]), None

        begin = (jnp.int32(world.start), jnp.float32(0))
        (_, total), _ = jax.lax.scan(step, begin, uniforms)
        return total

    def population(key: Any, genomes: Any) -> Any:
        uniforms = jax.random.uniform(key, (world.steps, len(genomes)))
        return jax.vmap(life, in_axes=(1, 0))(uniforms, genomes)

    return population


def offspring(key: Any, genomes: Any, payoff: Any) -> Any:
    """Select parents by tournament and mutate every weight of their copies.

    Parameters
    ----------
    key : jax.Array
        Random key.
    genomes : float32[agents, ...]
        The parents' generation.
    payoff : float32[agents]
        Summed payoff, read as fitness.

    Returns
    -------
    float32[agents, ...]
        The next generation.
    """
    import jax
    import jax.numpy as jnp

    agents = len(genomes)
    key_rivals, key_mutation = jax.random.split(key)
    rivals = jax.random.randint(key_rivals, (TOURNAMENT, agents), 0, agents)
    parents = rivals[payoff[rivals].argmax(axis=0), jnp.arange(agents)]
    return genomes[parents] + MUTATION_SD * jax.random.normal(key_mutation, genomes.shape)


@lru_cache(maxsize=8)
def _compiled(world: World, agents: int) -> Any:
    """Compile one generation, from (key, genomes) to (genomes, mean payoff)."""
    import jax
    import jax.numpy as jnp

    live = lives(world)

    def generation(key: Any, genomes: Any) -> Any:
        key_life, key_offspring = jax.random.split(key)
        payoff = live(key_life, genomes)
        return offspring(key_offspring, genomes, payoff), payoff.mean()

    genomes = jnp.zeros((agents, world.cues, world.actions))
    return jax.jit(generation, donate_argnums=1).lower(jax.random.key(0), genomes).compile()


def run(
    world: World, agents: int, generations: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Evolve all-zero genomes; see :mod:`evosim.bench.peers` for the contract."""
    import jax
    import jax.numpy as jnp

    step = _compiled(world, agents)
    genomes = jnp.zeros((agents, world.cues, world.actions))
    keys = list(jax.random.split(jax.random.key(seed), generations))
    mean = []
    jax.block_until_ready((genomes, keys))
    began = perf_counter()
    for key in keys:
        genomes, payoff = step(key, genomes)
        mean.append(payoff)
    jax.block_until_ready((genomes, mean))
    return perf_counter() - began, np.array(mean, dtype=np.float64)
