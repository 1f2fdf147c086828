"""Scenarios of the theory suite, as data, and how their populations are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.population import Population

F64 = npt.NDArray[np.float64]
Data = dict[str, Any]

NEUTRAL: Data = {"neutral": True}
#: Fitness 1 + payoff.
ADDED: Data = {"proportional": 1.0, "baseline": 1.0}


def scenario(agents: int, **tables: Any) -> Data:
    """Return a scenario of one population; `tables` are its other top-level tables."""
    population = {
        "agents": agents,
        "replicates": 1,
        "generations": 1,
        **tables.pop("population", {}),
    }
    return {"title": "theory", "population": population, **tables}


def alleles(
    agents: int,
    copies: int,
    *,
    payoff: float = 0.0,
    fitness: Mapping[str, Any] = ADDED,
    kind: str = "wright-fisher",
    ploidy: int = 1,
    **scheme: Any,
) -> Data:
    """Return one locus with two alleles, of which `copies` are 1.

    Parameters
    ----------
    agents : int
    copies : int
        Exact number of founders (diploid: gametes) that carry a 1.
    payoff : float
        Of a carrier; of a homozygous one if diploid (haplotypes are averaged).
    fitness : mapping
    kind : str
        Of the selection scheme; `scheme` holds its other keys.
    ploidy : int
        2: two recombining parents with random union of gametes.
    """
    share = copies / (agents * ploidy)
    return scenario(
        agents,
        population={"ploidy": ploidy},
        world={"kind": "landscape", "shape": "linear", "weights": payoff},
        genome={"trait": {"kind": "bits", "initial": {"share": share, "values": [0, 1]}}},
        selection={"kind": kind, "fitness": dict(fitness), **scheme},
        reproduction={"kind": "recombining" if ploidy == 2 else "clonal"},
    )


def frequency(engine: Engine) -> F64:
    """Return (R,) frequency of allele 1 at the first bit, over agents and haplotypes."""
    return np.asarray((engine.population.bits & np.uint64(1)).mean(axis=(1, 2)), np.float64)


def values(engine: Engine) -> F64:
    """Return a copy of the (R, N, L) heritable values of the real genes, haplotypes averaged."""
    real = engine.population.real.astype(np.float64)
    ploidy = engine.resolved.layout.ploidy
    loci = engine.resolved.layout.real_loci
    return np.asarray(real.reshape(*real.shape[:2], ploidy, loci).mean(axis=2))


def same_founders(engine: Engine) -> Engine:
    """Give all replicates the founders of the first one, and return the engine."""
    population = engine.population
    population.real[:] = population.real[:1]
    population.bits[:] = population.bits[:1]
    engine.ledger.rebase(population)
    return engine


def keep(engine: Engine, which: npt.NDArray[np.bool_]) -> Engine:
    """Return an engine that goes on with some replicates only, each as it would have anyway.

    Parameters
    ----------
    engine : Engine
    which : (R,) bool
    """
    other = Engine(
        engine.resolved, engine.keys[which], engine.threads, generation=engine.generation
    )
    now = engine.population
    real, bits = now.real[which], now.bits[which]
    other.population = Population(
        now.count[which], real, np.empty_like(real), bits, np.empty_like(bits)
    )
    other.ledger.rebase(other.population)
    return other


def expected_shares(engine: Engine, share: F64) -> F64:
    """Return the next expected share of each type, from the engine's own fitness.

    Every agent of the first replicate stands for a type of frequency ``share[i]``: the infinite
    population. The engine lives and chooses parents, but its offspring are not written.

    Parameters
    ----------
    engine : Engine
    share : (N,) float64
        Sums to 1.
    """
    lives = engine.life(engine.birth())
    engine.fitness(lives)
    engine.selection(lives)
    weight = share * lives.fitness[0]
    return np.asarray(weight / weight.sum(), np.float64)
