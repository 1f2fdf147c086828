"""Waiting for several changes of a bit genome (result T31).

Iwasa, Michor & Nowak 2004; Weissman, Desai, Fisher & Feldman 2009. Compared with the exact chain
on the numbers of agents with so many changes, and where intermediates are lethal with the
geometric law.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.oracles import class_chain_hit, class_chain_waiting_time, needle_waiting_time
from evosim.validate.absorb import absorb
from evosim.validate.models import scenario
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]


@result(
    "T31",
    "Waiting for L changes at once: the chain on classes, or 1/(N mu^L) (Iwasa et al. 2004)",
    replicates=10_000,
    quick=1_000,
    settings=[
        {"agents": 100, "changes": 1, "mu": 0.002},
        {"agents": 100, "changes": 2, "mu": 0.01},
        {"agents": 40, "changes": 3, "mu": 0.02},
        {"agents": 50, "changes": 2, "mu": 0.02, "intermediate": 0.5},
        {"agents": 50, "changes": 2, "mu": 0.03, "intermediate": 0.0},
    ],
)
def first_target(
    case: Case, agents: int, changes: int, mu: float, intermediate: float = 1.0
) -> Iterator[Row]:
    """Wait for the first genotype with all changes, and compare the mean and three quantiles."""
    data = scenario(
        agents,
        world={
            "kind": "landscape", "shape": "peaks", "elsewhere": intermediate,
            "peaks": [
                {"height": 1.0, "value": 0, "essential": changes},
                {"height": 10.0, "value": 1, "essential": changes},
            ],
        },
        genome={"trait": {"kind": "bits", "loci": changes, "mutation": mu}},
        selection={"kind": "wright-fisher", "fitness": {"proportional": 1.0}},
    )  # fmt: skip
    all_of = np.uint64((1 << changes) - 1)

    def found(engine: Engine) -> F64:
        there = (engine.population.bits[:, :, 0] & all_of == all_of).any(axis=1)
        return np.where(there, 1.0, 0.5)

    times = absorb(case, data, measure=found).time
    grid = np.arange(20 * agents)
    mean = needle_waiting_time(agents, changes, mu)
    by: F64 = np.asarray(1.0 - (1.0 - 1.0 / mean) ** grid, np.float64)
    if intermediate > 0.0:
        mean = class_chain_waiting_time(agents, changes, mu, intermediate)
        by = class_chain_hit(agents, changes, mu, grid, intermediate)
    yield case.mean("generations until the first target", mean, times)
    for share in (0.25, 0.5, 0.75):
        t = int(np.argmin(np.abs(by - share)))
        hits = int((times <= t).sum())
        yield case.proportion(f"found by generation {t}", float(by[t]), hits, times.size)
