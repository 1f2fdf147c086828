"""The forager in evosim's own engine: a scenario like any other, ledger on, real random numbers."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from evosim.bench.forager import MUTATION_SD, TOURNAMENT, World, threads
from evosim.engine import Engine
from evosim.kernels.philox import replicate_keys
from evosim.lives import Lives
from evosim.resolve import Resolved, resolve
from evosim.scenario import Scenario


def missing() -> str | None:
    """Return None: evosim can always run."""
    return None


def scenario(world: World, agents: int, replicates: int) -> Scenario:
    """Write the workload as a scenario: an explicit graph, linear softmax policy, tournament.

    Parameters
    ----------
    world : World
    agents, replicates : int
    """
    names = [f"s{s}" for s in range(world.states)]
    actions = [f"a{a}" for a in range(world.actions)]
    transitions = [
        {
            "from": names[s],
            "action": actions[a],
            "to": names[int(world.next_state[s, a])],
            "payoff": float(world.payoff[s, a]),
        }
        for s in range(world.states)
        for a in range(world.actions)
    ]
    cues: dict[str, Any] = {
        f"c{f}": {"states": {names[s]: float(world.cue[s, f]) for s in range(world.states)}}
        for f in range(world.cues)
    }
    return Scenario.from_dict(
        {
            "title": "forager (W2)",
            "population": {"agents": agents, "replicates": replicates, "generations": 1},
            "world": {
                "kind": "graph",
                "actions": actions,
                "start": names[world.start],
                "steps": world.steps,
                "transitions": transitions,
            },
            "context": [{"name": "forest", "frequency": 1.0}],
            "cues": cues,
            "genome": {"policy": {"mutation": MUTATION_SD}},
            "selection": {"kind": "tournament", "size": TOURNAMENT, "criterion": "sum"},
        }
    )


@lru_cache(maxsize=8)
def _resolved(world: World, agents: int, replicates: int) -> Resolved:
    return resolve(scenario(world, agents, replicates).model)


def run(
    world: World,
    agents: int,
    generations: int,
    seed: int,
    replicates: int = 1,
    threads: int = threads(),
) -> tuple[float, list[float]]:
    """Run whole generations: life, selection, reproduction, ledger.

    Returns
    -------
    seconds : float
        Wall time of the generations, without building the world or the founders.
    payoffs : list of float
        Mean payoff of each generation.
    """
    resolved = _resolved(world, agents, replicates)
    payoffs: list[float] = []

    def observe(_engine: Engine, lives: Lives) -> None:
        payoffs.append(float(lives.payoff.mean()))

    engine = Engine(resolved, replicate_keys(seed, np.arange(replicates)), threads)
    engine.observer = observe
    started = perf_counter()
    for _ in range(generations):
        engine.step()
    return perf_counter() - started, payoffs
