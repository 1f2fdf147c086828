"""The learners' workload in evosim's own engine: a scenario like any other, ledger on."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from evosim.bench.road import ACTIONS, EPISODES, LEFT, MINDS, OUTCOMES, STATES, STEPS, TOLL, Road
from evosim.bench.road import build as build  # what a worker calls
from evosim.engine import Engine
from evosim.kernels.philox import replicate_keys
from evosim.lives import Lives
from evosim.resolve import Resolved, resolve
from evosim.scenario import Scenario


def missing() -> str | None:
    """Return None: evosim can always run."""
    return None


def scenario(mind: str, agents: int) -> Scenario:
    """Write the workload as a scenario; a neutral gene is all that evolves.

    Parameters
    ----------
    mind : str
        A key of `evosim.bench.road.MINDS`.
    agents : int
    """
    transitions: list[dict[str, Any]] = []
    for (state, action), outcomes in OUTCOMES.items():
        for entered, p, pay in outcomes:
            step = {"from": state, "action": action, "to": entered, "p": p}
            if entered == LEFT:
                step |= {"payoff": TOLL, "reward": TOLL, "once": True}
            elif pay:
                step |= {"payoff": pay, "reward": pay}
            transitions.append(step)
    return Scenario.from_dict(
        {
            "title": "the learners' workload",
            "population": {"agents": agents, "replicates": 1, "generations": 1},
            "world": {
                "kind": "graph",
                "actions": list(ACTIONS),
                "start": STATES[0],
                "steps": STEPS,
                "episodes": EPISODES,
                "transitions": transitions,
            },
            "context": [{"name": "road", "frequency": 1.0}],
            "cues": {"place": {"one_hot": "state"}},
            "mind": MINDS[mind],
            "genome": {"neutral": {"loci": 1, "mutation": 0.1}},
            "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
        }
    )


@lru_cache(maxsize=8)
def _resolved(mind: str, agents: int) -> Resolved:
    return resolve(scenario(mind, agents).model)


def run(
    road: Road, agents: int, generations: int, seed: int, threads: int = 1
) -> tuple[float, list[float]]:
    """Run whole generations: life, selection, reproduction, ledger.

    Returns
    -------
    seconds : float
        Wall time of the generations, without building the world or the founders.
    payoffs : list of float
        Mean payoff of a life in each generation.
    """
    engine = Engine(_resolved(road.mind, agents), replicate_keys(seed, np.arange(1)), threads)
    payoffs: list[float] = []

    def observe(_engine: Engine, lives: Lives) -> None:
        payoffs.append(float(lives.payoff.mean()))

    engine.observer = observe
    started = perf_counter()
    for _ in range(generations):
        engine.step()
    return perf_counter() - started, payoffs


def allocations(road: Road, agents: int) -> float:
    """Count what compiled code takes from the heap in the course of a life.

    Parameters
    ----------
    road : Road
    agents : int
        Lives to count over.

    Returns
    -------
    float
        Allocations per life: those of twice as many lives in one call, less those of `agents`
        (what a call allocates for all its lives cancels out).
    """
    from numba.core import runtime

    numba_heap: Any = runtime
    numba_heap._nrt_python.memsys_enable_stats()
    # Compiles all that a generation calls, so that no timing that follows waits for it.
    Engine(_resolved(road.mind, agents), replicate_keys(0, np.arange(1))).step()
    taken: list[int] = []
    for many in (agents, 2 * agents):
        engine = Engine(_resolved(road.mind, many), replicate_keys(0, np.arange(1)))
        genes = engine.birth()
        before = numba_heap.rtsys.get_allocation_stats().alloc
        engine.life(genes)
        taken.append(int(numba_heap.rtsys.get_allocation_stats().alloc - before))
    return (taken[1] - taken[0]) / agents
