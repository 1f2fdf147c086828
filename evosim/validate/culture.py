"""Cultural channels and genetic information (results T20, T50, T51, T54, T55)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.oracles import (
    channel_stock,
    finite_pool_stock,
    item_prevalence,
    open_pool_stock,
    saturated_offset,
    sexual_information,
    unbounded_slope,
)
from evosim.validate.models import NEUTRAL, Data, scenario
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]

FLAT: Data = {"kind": "landscape", "shape": "flat"}


def knowing(agents: int, knowledge: Data, channel: Data, **tables: Any) -> Data:
    """Return agents that know things and are not selected for it, unless `tables` say so."""
    return scenario(
        agents,
        **{
            "world": FLAT,
            "genome": {"neutral": {}},
            "selection": {"kind": "wright-fisher", "fitness": NEUTRAL},
            "knowledge": knowledge,
            "channel": channel,
        }
        | tables,
    )


def lived(engine: Engine, generations: int) -> F64:
    """Let the agents live; return (T + 1, R) items known at death, means over agents."""
    return np.array([_death(engine).mean(axis=1) for _ in range(generations + 1)])


def _death(engine: Engine) -> F64:
    engine.step()
    assert engine.culture is not None
    known: F64 = engine.culture.information.sum(axis=2)
    return known


@result(
    "T50",
    "An item lasts only with more than one effective model: x' = 1 - (1 - f x)^n (Enquist 2010)",
    replicates=20,
    quick=4,
    settings=[
        {"models": 2, "fidelity": 0.6},
        {"models": 2, "fidelity": 0.9},
        {"models": 2, "fidelity": 0.45},
        {"models": 1, "fidelity": 0.9},
    ],
    quick_settings=[{"models": 2, "fidelity": 0.6}, {"models": 1, "fidelity": 0.9}],
)
def lasting_items(case: Case, models: int, fidelity: float) -> Iterator[Row]:
    """Let the founders know all 64 items, and nobody find any again."""
    agents, items = (5_000, 64) if not case.quick else (1_000, 64)
    tables = knowing(
        agents, {"items": items, "learning": items}, {"models": models, "fidelity": fidelity}
    )
    engine = case.engine(tables)
    engine.step()
    engine.change(case.resolved({**tables, "knowledge": {"items": items, "learning": 0.0}}))
    if models == 1:
        shares = lived(engine, 9) / items
        yield case.mean("share after 10 generations", fidelity**10, shares[-1])
    after = 60 if models * fidelity > 1 else 160
    shares = lived(engine, after) / items
    x = item_prevalence(fidelity, models)
    # Sampling pulls the mean below the fixed point by half its variance times the curvature.
    slope = models * fidelity * (1.0 - fidelity * x) ** (models - 1)
    bend = models * (models - 1) * fidelity**2 * (1.0 - fidelity * x) ** max(models - 2, 0)
    variance = x * (1.0 - x) / agents / (1.0 - slope**2)
    bias = 0.5 * variance * bend / (1.0 - slope)
    late = shares[-20:].mean(axis=0)
    sd = max(float(late.std(ddof=1)), 1e-9)
    yield case.mean("share that knows an item", x, late, sd=sd, bias=bias)


@result(
    "T51",
    "Knowledge that is lost and found again is Poisson with mean L/(1 - f) (Enquist 2008; T54)",
    replicates=4_000,
    quick=400,
)
def poisson_stock(case: Case) -> Iterator[Row]:
    """Count one agent's items in each replicate: mean and variance are 20."""
    tables = knowing(10, {"pool": "counted", "learning": 2.0}, {"fidelity": 0.9})
    engine = case.engine(tables)
    for _ in range(100):
        engine.step()
    one = _death(engine)[:, 0]
    mean = saturated_offset(2.0, 0.9)
    yield case.mean("items", mean, one)
    # The variance of a Poisson sample's variance is (2 m^2 + m)/R.
    yield case.mean(
        "squared distance from the mean", mean, (one - mean) ** 2, sd=(2 * mean**2 + mean) ** 0.5
    )


@result(
    "T55",
    "Saturated channels add a constant: L/(1 - f), or C + L; lossless ones add L a generation",
    replicates=50,
    quick=10,
    settings=[
        {"learning": 5.0, "fidelity": 0.8, "capacity": None},
        {"learning": 50.0, "fidelity": 0.9, "capacity": 100},
        {"learning": 5.0, "fidelity": 1.0, "capacity": None},
    ],
)
def channel_line(
    case: Case, learning: float, fidelity: float, capacity: int | None
) -> Iterator[Row]:
    """Follow one-model channels from nothing known; with f < 1 switch learning off at the end.

    The capacity is five standard deviations below what would arrive without one: the recursion is
    of means, and a newborn that by chance receives less than C fills nothing.
    """
    channel: Data = {"fidelity": fidelity} | ({"capacity": capacity} if capacity else {})
    knowledge: Data = {"pool": "counted", "learning": learning}
    engine = case.engine(knowing(200, knowledge, channel))
    stock = lived(engine, 60)
    limit = float(capacity or np.inf)
    line = channel_stock(learning, fidelity, 60, limit)
    yield case.mean("items in generation 60", line[-1], stock[-1])
    if fidelity == 1.0:
        slope = np.polyfit(np.arange(61), stock, 1)[0]
        yield case.mean("slope", learning, slope)
        return
    if capacity is None:
        yield case.mean("items in generation 5", line[5], stock[5])
    off = {**knowledge, "learning": 0.0}
    engine.change(case.resolved(knowing(200, off, channel)))
    decay = lived(engine, 5)
    expected = channel_stock(
        0.0, fidelity, 5, limit, start=saturated_offset(learning, fidelity, limit)
    )
    yield case.mean("items 6 generations after learning ends", expected[-1], decay[-1])


@result(
    "T55",
    "Above the threshold n f = 1 an open pool grows by N L pi x* a generation (T55 iv)",
    replicates=50,
    quick=8,
    settings=[{"fidelity": f, "models": 2} for f in (0.9, 0.7, 0.4)],
    quick_settings=[{"fidelity": 0.9, "models": 2}, {"fidelity": 0.4, "models": 2}],
)
def open_line(case: Case, fidelity: float, models: int) -> Iterator[Row]:
    """Compare with the exact chain of one item's knowers; the formula is its limit."""
    agents, learning, last = 40, 1.0, 40
    knowledge = {"pool": "open", "items": 4_096, "learning": learning}
    tables = knowing(agents, knowledge, {"models": models, "fidelity": fidelity})
    stock = lived(case.engine(tables), last)
    exact = open_pool_stock(agents, learning, fidelity, models, last)
    yield case.mean("items in generation 40", exact[-1], stock[-1])
    t = np.arange(20, last + 1)
    slope = np.polyfit(t, stock[20:], 1)[0]
    yield case.mean("slope", float(np.polyfit(t, exact[20:], 1)[0]), slope)
    limit = unbounded_slope(agents, learning, fidelity, models)
    # The formula is for many agents and late generations: here within 4%, or nothing.
    yield case.within(
        "formula of the slope", limit, float(np.diff(exact)[-1]), 0.04 * limit + 0.01, "4% + 0.01"
    )


@result(
    "T55",
    "A finite pool is a one-time transient: M (1 - (1 - L/M)^t) (T55 v)",
    replicates=40,
    quick=8,
)
def finite_pool(case: Case) -> Iterator[Row]:
    """One lossless model: each lineage finds what is left."""
    engine = case.engine(knowing(50, {"items": 500, "learning": 10.0}, {}))
    stock = lived(engine, 120)
    line = finite_pool_stock(500, 10.0, 120)
    for t in (10, 60, 120):
        yield case.mean(f"items in generation {t}", float(line[t]), stock[t])


@result(
    "T20",
    "Truncation of the better half gains about sqrt(G) bits a generation with recombination and "
    "at most 1 without (MacKay 2003)",
    replicates=5,
    quick=2,
    settings=[{"recombining": True}, {"recombining": False}],
    quick_settings=[{"recombining": True}],
)
def information_gain(case: Case, recombining: bool) -> Iterator[Row]:
    """Count right loci of newborns: 2,000 live, the better half breeds."""
    loci, agents = 1_000, 2_000
    mutation = 0.0 if recombining else 0.25 / loci
    gene = {"kind": "bits", "loci": loci, "initial": {"probability": 0.5}, "mutation": mutation}
    tables = scenario(
        agents,
        world=FLAT,
        genome={"innate": gene},
        knowledge={"items": 1, "gene": "innate", "payoff": 1.0},
        selection={"kind": "truncation", "fraction": 0.5},
        reproduction={"kind": "recombining" if recombining else "clonal"},
    )
    engine = case.engine(tables)
    if recombining:
        share = lived(engine, 30) / loci
        for t in (10, 20, 30):
            expected = float(sexual_information(loci, t)[t])
            yield case.within(
                f"share of right loci in generation {t}", expected, float(share[t].mean()), 0.01,
                "0.01 (THEORY)",
            )  # fmt: skip
        return
    last = 250
    right = lived(engine, last)
    gain = float((right[last] - right[50]).mean() / (last - 50))
    yield case.within("bits per generation, clonal", 0.6, gain, 0.3, "0.3 to 0.9 (THEORY)")
    yield case.within("of at most log2(2N/N) = 1", 0.5, gain, 0.5, "a share of 1 bit")
