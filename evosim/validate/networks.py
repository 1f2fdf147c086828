"""A sharp peak against a flat one: survival of the flattest, exactly (result T26).

Swetina & Schuster 1982; Wilke et al. 2001; van Nimwegen, Crutchfield & Huynen 1999. Peak A needs
all L loci and is higher; peak B needs half of them. Mutation is lethal off both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy

from evosim.engine import Engine
from evosim.oracles import (
    fixation_probability,
    peak_growth,
    shoulder_growth,
    two_peak_crossing,
    wright_fisher_matrix,
)
from evosim.validate.absorb import absorb
from evosim.validate.models import Data, scenario
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]

LOCI, NEUTRAL = 20, 10
SHARP, FLAT = 2.0, 1.5


def _peaks(agents: int, mutation: float, share: float, shoulder: float = 0.0) -> Data:
    """Return the two peaks, a `share` of the founders on A and the others on B."""
    return scenario(
        agents,
        world={
            "kind": "landscape",
            "shape": "peaks",
            "peaks": [
                {"height": SHARP, "value": 1, "essential": LOCI, "shoulder": shoulder},
                {"height": FLAT, "value": 0, "essential": LOCI - NEUTRAL},
            ],
        },
        genome={
            "trait": {
                "kind": "bits",
                "loci": LOCI,
                "initial": {"share": share, "values": [0, 1]},
                "mutation": mutation,
            }
        },
        selection={"kind": "wright-fisher", "fitness": {"proportional": 1.0}},
    )


def sharp_share(engine: Engine) -> F64:
    """Return (R,) agents on A as a share of those on either peak."""
    bits = engine.population.bits[..., 0]
    on_a = (bits == np.uint64(2**LOCI - 1)).sum(axis=1)
    on_b = ((bits & np.uint64(2 ** (LOCI - NEUTRAL) - 1)) == 0).sum(axis=1)
    return np.asarray(on_a / np.maximum(on_a + on_b, 1), np.float64)


def _survival(mutation: float) -> tuple[float, float]:
    """Return the chances that a newborn of A, and of B, stays on its parent's peak."""
    return (1.0 - mutation) ** LOCI, (1.0 - mutation) ** (LOCI - NEUTRAL)


def flat_wins(agents: int, mutation: float) -> float:
    """Return the exact probability that B takes over from a start half and half.

    States are counts (a, b) on the peaks; each of N newborns is on A with probability
    a w_A Q_A / (a w_A + b w_B), on B likewise, or dead (childless).
    """
    stays_a, stays_b = _survival(mutation)
    a, b = np.array(
        [(a, b) for a in range(1, agents) for b in range(1, agents - a + 1)], np.int64
    ).T
    total = a * SHARP + b * FLAT
    to_a, to_b = a * SHARP / total * stays_a, b * FLAT / total * stays_b
    rest = agents - a - b
    choose = gammaln(agents + 1) - gammaln(a + 1) - gammaln(b + 1) - gammaln(rest + 1)
    logs = choose[None, :] + np.outer(np.log(to_a), a) + np.outer(np.log(to_b), b)
    logs += xlogy(rest[None, :], (1.0 - to_a - to_b)[:, None])
    only_b = (1.0 - to_a) ** agents - (1.0 - to_a - to_b) ** agents
    wins = np.linalg.solve(np.eye(a.size) - np.exp(logs), only_b)
    return float(wins[(a == agents // 2) & (b == agents - agents // 2)][0])


@result(
    "T26",
    "A small population: which peak wins, against the exact chain (mutation in units of mu*)",
    replicates=20_000,
    quick=1_000,
    settings=[{"agents": 60, "mutation": factor} for factor in (0.8, 1.0, 1.2)],
)
def flattest_small(case: Case, agents: int, mutation: float) -> Iterator[Row]:
    """Measure which peak wins a small population; mutation is in units of mu*."""
    mu = mutation * two_peak_crossing(SHARP, FLAT, NEUTRAL)
    ends = absorb(case, _peaks(agents, mu, 0.5), measure=sharp_share)
    won = ends.fixed.size - int(ends.fixed.sum())
    yield case.proportion("share won by the flat peak", flat_wins(agents, mu), won, ends.fixed.size)


@result(
    "T26",
    "The crossing mu* = 1 - (w_B/w_A)^(1/n): the flat peak takes over there",
    replicates=160,
    quick=100,
    settings=[{"agents": 1_000, "mutation": factor} for factor in (0.95, 1.0, 1.05)],
    quick_settings=[{"agents": 300, "mutation": factor} for factor in (0.9, 1.1)],
)
def flattest_large(case: Case, agents: int, mutation: float) -> Iterator[Row]:
    """Measure which peak wins a larger population just beside mu*.

    Among those on a peak it is selection between two types of fitness w Q, in a population of as
    many; their number lies between N Q_A and N Q_B, which bounds the bias.
    """
    mu = mutation * two_peak_crossing(SHARP, FLAT, NEUTRAL)
    ratio = peak_growth(FLAT, LOCI, mu, NEUTRAL) / peak_growth(SHARP, LOCI, mu)
    sizes = [round(0.5 * agents * stays) * 2 for stays in _survival(mu)]
    chances = [fixation_probability(wright_fisher_matrix(n, ratio))[n // 2] for n in sizes]
    ends = absorb(case, _peaks(agents, mu, 0.5), measure=sharp_share)
    p = float(np.mean(chances))
    yield case.mean(
        "share won by the flat peak", p, ~ends.fixed, sd=math.sqrt(p * (1.0 - p)),
        bias=abs(chances[0] - chances[1]) / 2.0,
    )  # fmt: skip


@result(
    "T26",
    "Mean fitness of a settled population is its peak's growth rate (Swetina & Schuster 1982)",
    replicates=20,
    quick=8,
    settings=[{"agents": 2_000, "mutation": 0.02}],
)
def peak_fitness(case: Case, agents: int, mutation: float) -> Iterator[Row]:
    """Measure the mean fitness of populations settled on one peak.

    Drift lowers it where there is a shoulder to drift on, by a share of order 1/N.
    """
    for name, share, shoulder, growth in (
        ("sharp peak", 1.0, 0.0, peak_growth(SHARP, LOCI, mutation)),
        ("flat peak", 0.0, 0.0, peak_growth(FLAT, LOCI, mutation, NEUTRAL)),
        ("sharp peak with shoulder 1", 1.0, 1.0, shoulder_growth(SHARP, 1.0, LOCI, mutation)),
    ):
        engine = case.engine(_peaks(agents, mutation, share, shoulder))
        means = []
        for t in range(60):
            lives = engine.step()
            if t >= 20:
                means.append(lives.criterion.mean(axis=1))
        bias = growth / agents if shoulder else 0.0
        yield case.mean(f"mean fitness, {name}", growth, np.mean(means, axis=0), bias=bias)
