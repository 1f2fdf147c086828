"""Neutral alleles: heterozygosity, fixation and its times (results T1-T6).

Wright 1931; Moran 1958; Kimura 1962; Kimura & Ohta 1969. Expected values and standard deviations
come from the exact transition matrices, so that no diffusion approximation enters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evosim.oracles import (
    absorption_time,
    conditional_fixation_time,
    expected_heterozygosity,
    heterozygosity_decay,
    moran_matrix,
    wright_fisher_matrix,
)
from evosim.validate.absorb import absorb
from evosim.validate.models import NEUTRAL, alleles, frequency
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]


def _spread(matrix: F64, start: int, steps: int) -> float:
    """Return the exact sd of 2p(1 - p) after `steps` of a chain on allele counts."""
    p = np.arange(matrix.shape[0]) / (matrix.shape[0] - 1)
    square = (2.0 * p * (1.0 - p)) ** 2
    for _ in range(steps):
        square = matrix @ square
    return float(np.sqrt(square[start] - expected_heterozygosity(matrix, start, steps) ** 2))


def by_generation(kind: str, agents: int) -> F64:
    """Return the exact chain of a neutral allele, seen once a generation (Moran: N events)."""
    if kind == "moran":
        return np.linalg.matrix_power(moran_matrix(agents), agents)
    return wright_fisher_matrix(agents)


@result(
    "T1",
    "Haploid Wright-Fisher: heterozygosity falls by 1/N a generation (Wright 1931)",
    replicates=10_000,
    quick=4_000,
    settings=[{"agents": 50, "generations": 50}, {"agents": 100, "generations": 100}],
    quick_settings=[{"agents": 50, "generations": 50}],
)
def heterozygosity_haploid(case: Case, agents: int, generations: int) -> Iterator[Row]:
    """Measure the mean of 2p(1-p) in haploids."""
    engine = case.engine(alleles(agents, agents // 2, fitness=NEUTRAL))
    for _ in range(generations):
        engine.step()
    p = frequency(engine)
    yield case.mean(
        "mean 2p(1-p)",
        float(heterozygosity_decay(0.5, agents, generations)),
        2.0 * p * (1.0 - p),
        sd=_spread(wright_fisher_matrix(agents), agents // 2, generations),
    )


@result(
    "T2",
    "Diploid Wright-Fisher: heterozygosity falls by 1/(2N) a generation (Wright 1931)",
    replicates=10_000,
    quick=2_000,
    settings=[{"agents": 50, "generations": 100}],
)
def heterozygosity_diploid(case: Case, agents: int, generations: int) -> Iterator[Row]:
    """Measure the mean of 2p(1-p), and of heterozygous agents, in diploids."""
    engine = case.engine(alleles(agents, agents, fitness=NEUTRAL, ploidy=2))
    for _ in range(generations):
        engine.step()
    p = frequency(engine)
    matrix = wright_fisher_matrix(2 * agents)
    yield case.mean(
        "mean 2p(1-p) of 2N gametes",
        float(heterozygosity_decay(0.5, 2 * agents, generations)),
        2.0 * p * (1.0 - p),
        sd=_spread(matrix, agents, generations),
    )
    # Gametes unite at random, so genotypes show the heterozygosity of their parents' generation.
    differ = (engine.population.bits[..., 0] ^ engine.population.bits[..., 1]) & np.uint64(1)
    yield case.mean(
        "mean share of heterozygous agents",
        float(heterozygosity_decay(0.5, 2 * agents, generations - 1)),
        differ.mean(axis=1),
    )


@result(
    "T3",
    "Moran: heterozygosity falls by 2/N^2 an event, twice as fast a generation (Moran 1958)",
    replicates=10_000,
    quick=4_000,
    settings=[{"agents": 50, "generations": 25}],
)
def heterozygosity_moran(case: Case, agents: int, generations: int) -> Iterator[Row]:
    """Measure the mean of 2p(1-p) after so many times N events."""
    engine = case.engine(alleles(agents, agents // 2, fitness=NEUTRAL, kind="moran"))
    for _ in range(generations):
        engine.step()
    p = frequency(engine)
    events = agents * generations
    yield case.mean(
        "mean 2p(1-p)",
        float(heterozygosity_decay(0.5, agents, events, "moran")),
        2.0 * p * (1.0 - p),
        sd=_spread(by_generation("moran", agents), agents // 2, generations),
    )


@result(
    "T4",
    "A neutral allele fixes with its frequency (Kimura 1962)",
    replicates=40_000,
    quick=10_000,
    settings=[
        {"kind": "wright-fisher", "agents": 20, "copies": 1},
        {"kind": "wright-fisher", "agents": 30, "copies": 9},
        {"kind": "moran", "agents": 20, "copies": 1},
        {"kind": "moran", "agents": 30, "copies": 9},
    ],
)
def fixation_neutral(case: Case, kind: str, agents: int, copies: int) -> Iterator[Row]:
    """Measure how often a neutral allele fixes."""
    ends = absorb(case, alleles(agents, copies, fitness=NEUTRAL, kind=kind))
    yield case.proportion("share fixed", copies / agents, int(ends.fixed.sum()), ends.fixed.size)


@result(
    "T5",
    "Time of a single neutral copy to fixation, given that it fixes (Kimura & Ohta 1969)",
    replicates=100_000,
    quick=8_000,
    settings=[
        {"kind": "wright-fisher", "agents": 20},
        {"kind": "wright-fisher", "agents": 50},
        {"kind": "moran", "agents": 20},
    ],
)
def fixation_time_neutral(case: Case, kind: str, agents: int) -> Iterator[Row]:
    """Measure the time of a single neutral copy to fixation, where it fixes.

    Moran's N - 1 generations are N(N - 1) events; seen once a generation that takes about half
    a generation more, which the chain of N events at a time counts exactly.
    """
    ends = absorb(case, alleles(agents, 1, fitness=NEUTRAL, kind=kind))
    exact = conditional_fixation_time(by_generation(kind, agents))
    yield case.mean(
        "mean generations to fixation", exact.mean[1], ends.time[ends.fixed], sd=float(exact.sd[1])
    )


@result(
    "T6",
    "Time of a neutral allele at one half to loss or fixation (Kimura & Ohta 1969)",
    replicates=4_000,
    quick=2_000,
    settings=[
        {"kind": "wright-fisher", "agents": 20},
        {"kind": "wright-fisher", "agents": 50},
        {"kind": "moran", "agents": 20},
    ],
)
def absorption_time_neutral(case: Case, kind: str, agents: int) -> Iterator[Row]:
    """Measure the time of a neutral allele at one half to loss or fixation."""
    ends = absorb(case, alleles(agents, agents // 2, fitness=NEUTRAL, kind=kind))
    exact = absorption_time(by_generation(kind, agents))
    start = agents // 2
    yield case.mean(
        "mean generations to absorption", exact.mean[start], ends.time, sd=float(exact.sd[start])
    )
