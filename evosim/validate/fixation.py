"""Alleles under selection: recursion, fixation, establishment (results T10-T14).

Haldane 1924, 1927; Kimura 1962; Moran 1962. Fixation is compared with the exact chains of
`evosim.oracles`; diffusion approximations are for plots.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.oracles import (
    diploid_genotype_matrix,
    establishment_probability,
    fixation_probability,
    haploid_frequency,
    moran_fixation,
    wright_fisher_matrix,
)
from evosim.validate.absorb import absorb
from evosim.validate.models import alleles, expected_shares, frequency
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]


@result(
    "T10",
    "Selection on one locus: the logit grows by ln(1 + s) a generation (Haldane 1924)",
    replicates=1,
    quick=1,
    settings=[{"p0": 0.01, "s": 0.05, "generations": 100}],
)
def haploid_recursion(case: Case, p0: float, s: float, generations: int) -> Iterator[Row]:
    """Iterate the engine's own fitness, weighted by frequency: the infinite population.

    The engine's own fitness, weighted by frequency: the infinite population.
    """
    exact = haploid_frequency(p0, s, np.arange(generations + 1))
    for name, fitness in (
        ("1 + s", {"proportional": s, "baseline": 1.0}),
        ("exp(beta)", {"exponential": math.log1p(s)}),
    ):
        engine = case.engine(alleles(2, 1, payoff=1.0, fitness=fitness))
        worst = 0.0
        # The founder that carries the allele stands first.
        share = np.array([p0, 1.0 - p0])
        for t in range(1, generations + 1):
            share = expected_shares(engine, share)
            worst = max(worst, abs(share[0] - exact[t]) / exact[t])
        yield case.error(f"recursion with fitness {name}", worst)


@result(
    "T10",
    "A large Wright-Fisher population follows the recursion (Haldane 1924)",
    replicates=10,
    quick=10,
    settings=[{"agents": 1_000_000, "p0": 0.01, "s": 0.05, "generations": 100}],
    quick_settings=[{"agents": 20_000, "p0": 0.01, "s": 0.05, "generations": 100}],
)
def haploid_selection(
    case: Case, agents: int, p0: float, s: float, generations: int
) -> Iterator[Row]:
    """Follow an allele in a large Wright-Fisher population.

    Sampling adds 1/(N p q) a generation to the variance of the logit, and (2p - 1)/(2 N p q) to
    its mean, by expanding the logit to second order.
    """
    path = haploid_frequency(p0, s, np.arange(1, generations + 1))
    heterozygosity = agents * path * (1.0 - path)
    variance = float(np.sum(1.0 / heterozygosity))
    bias = float(np.sum((2.0 * path - 1.0) / (2.0 * heterozygosity)))
    data = alleles(agents, round(agents * p0), payoff=s)
    logits, surprise, spread = [], 0.0, 0.0
    for batch in case.batches(agents):
        engine = case.engine_of(case.resolved(data), batch)
        for _ in range(generations):
            p = frequency(engine)
            engine.step()
            mean = p * (1.0 + s) / (1.0 + s * p)
            surprise += float((frequency(engine) - mean).sum())
            spread += float((mean * (1.0 - mean) / agents).sum())
        logits.append(np.log(frequency(engine) / (1.0 - frequency(engine))))
    end = float(np.log(path[-1] / (1.0 - path[-1])))
    yield case.mean("mean logit", end, np.concatenate(logits), sd=math.sqrt(variance), bias=bias)
    # Given p, the next frequency is binomial: the sum of surprises is a martingale.
    yield case.within(
        "sum of p' - E[p'|p] over generations", 0.0, surprise, 4.0 * math.sqrt(spread), "4 sd"
    )


@result(
    "T11",
    "Fixation of a single copy with advantage s, haploid Wright-Fisher (Kimura 1962)",
    replicates=40_000,
    quick=8_000,
    settings=[
        {"agents": 50, "s": 0.02},
        {"agents": 50, "s": 0.1},
        {"agents": 100, "s": 0.02},
        {"agents": 50, "s": -0.02},
        {"agents": 50, "s": 0.1, "fitness": "exponential"},
    ],
)
def fixation_haploid(
    case: Case, agents: int, s: float, fitness: str = "proportional"
) -> Iterator[Row]:
    """Measure how often a single copy with advantage s fixes."""
    data = alleles(agents, 1, payoff=s)
    if fitness == "exponential":
        data = alleles(agents, 1, payoff=1.0, fitness={"exponential": math.log1p(s)})
    exact = fixation_probability(wright_fisher_matrix(agents, 1.0 + s))[1]
    ends = absorb(case, data)
    yield case.proportion("share fixed", exact, int(ends.fixed.sum()), ends.fixed.size)


@result(
    "T12",
    "Fixation of one gene copy under genic selection 1, 1 + s, 1 + 2s (Kimura 1962)",
    replicates=40_000,
    quick=5_000,
    settings=[{"agents": 50, "s": 0.02}, {"agents": 20, "s": 0.1}],
)
def fixation_diploid(case: Case, agents: int, s: float) -> Iterator[Row]:
    """Measure how often one gene copy among diploids fixes."""
    states, matrix = diploid_genotype_matrix(agents, (1.0 + 2.0 * s, 1.0 + s, 1.0))
    start = int(np.flatnonzero((states == (0, 1)).all(axis=1))[0])
    exact = fixation_probability(matrix)[start]
    ends = absorb(case, alleles(agents, 1, payoff=2.0 * s, ploidy=2))
    yield case.proportion("share fixed", exact, int(ends.fixed.sum()), ends.fixed.size)


@result(
    "T13",
    "One copy in a large population establishes as in a branching process (Haldane 1927)",
    replicates=8_000,
    quick=600,
    settings=[
        {"agents": 2_000, "s": 0.05},
        {"agents": 2_000, "s": 0.1},
        {"agents": 2_000, "s": 0.2},
    ],
    quick_settings=[{"agents": 2_000, "s": 0.1}],
)
def establishment(case: Case, agents: int, s: float) -> Iterator[Row]:
    """Measure how often one copy in a large population grows too common to be lost."""
    pi = establishment_probability(s)
    # Of so many copies the branching process loses all with probability below 1e-6.
    enough = math.ceil(math.log(1e-6) / math.log1p(-pi))
    exact = fixation_probability(wright_fisher_matrix(agents, 1.0 + s))[1]
    ends = absorb(case, alleles(agents, 1, payoff=s), enough=enough / agents)
    yield case.mean(
        "share established",
        pi,
        ends.fixed,
        sd=math.sqrt(pi * (1.0 - pi)),
        bias=abs(exact - pi),
    )


@result(
    "T13",
    "Two founders with Poisson offspring of mean 1 + s establish (Haldane 1927)",
    replicates=40_000,
    quick=5_000,
    settings=[{"s": 0.05}, {"s": 0.1}, {"s": 0.2}],
    quick_settings=[{"s": 0.1}],
)
def establishment_density(case: Case, s: float) -> Iterator[Row]:
    """Measure how often two founders far below capacity grow too many to be lost.

    Density regulation far below capacity is the branching process itself.
    """
    pi = establishment_probability(s)
    enough = math.ceil(math.log(1e-6) / math.log1p(-pi))

    def count(engine: Engine) -> F64:
        return engine.population.count.astype(np.float64)

    data = alleles(2, 2, payoff=s, kind="density", capacity=1e15)
    data["population"]["limit"] = 4 * enough
    ends = absorb(case, data, enough=enough, measure=count)
    yield case.proportion(
        "share established", establishment_probability(s, 2), int(ends.fixed.sum()), ends.fixed.size
    )


@result(
    "T14",
    "Fixation under Moran's scheme: (1 - r^-i)/(1 - r^-N) (Moran 1962)",
    replicates=20_000,
    quick=10_000,
    settings=[
        {"agents": 10, "r": 1.1, "copies": 1},
        {"agents": 10, "r": 1.1, "copies": 5},
        {"agents": 10, "r": 0.8, "copies": 5},
        {"agents": 30, "r": 1.1, "copies": 1},
    ],
)
def fixation_moran(case: Case, agents: int, r: float, copies: int) -> Iterator[Row]:
    """Measure how often alleles of relative fitness r fix under Moran's scheme."""
    ends = absorb(case, alleles(agents, copies, payoff=r - 1.0, kind="moran"))
    exact = moran_fixation(agents, r, copies)
    yield case.proportion("share fixed", exact, int(ends.fixed.sum()), ends.fixed.size)
