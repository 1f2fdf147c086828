"""What spreads by copying, and what copying costs (results T48-T50, T52, T53, T56)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evosim.engine import Engine
from evosim.oracles import (
    acquired_stock,
    best_of_fixation,
    critical_learning,
    peer_prevalence,
    rogers_equilibrium,
    skill_step,
    substitution_rate,
)
from evosim.validate.culture import F64, knowing, lived
from evosim.validate.models import ADDED, Data
from evosim.validate.suite import Case, Row, result


def known_to_all(engine: Engine) -> F64:
    """Return (R,) how many items every agent of the last generation knew."""
    assert engine.culture is not None
    shared = np.bitwise_and.reduce(engine.culture.shown, axis=1)
    return np.asarray(np.bitwise_count(shared).sum(axis=1), np.float64)


@result(
    "T52",
    "Neutral innovations replace each other at the rate mu of births, whatever N (Aoki et al. "
    "2011)",
    replicates=40,
    quick=20,
    settings=[
        {"agents": 20, "follow": 0.0},
        {"agents": 200, "follow": 0.0},
        {"agents": 20, "follow": 0.5},
        {"agents": 200, "follow": 1.0},
    ],
    quick_settings=[{"agents": 20, "follow": 0.0}, {"agents": 20, "follow": 1.0}],
)
def neutral_substitution(case: Case, agents: int, follow: float) -> Iterator[Row]:
    """Count what all agents know after 5 N generations and again later.

    Newborns follow others in whom they copy with the given chance: 1 is one teacher for all.
    """
    rate, last = (0.05, 160) if case.quick else (0.025, 1_000)
    channel = {"choice": "prestige", "strength": follow}
    tables = knowing(agents, {"pool": "open", "items": 512, "learning": rate}, channel)
    engine = case.engine(tables)
    for _ in range(5 * agents):
        engine.step()
    before = known_to_all(engine)
    for _ in range(last):
        engine.step()
    expected = substitution_rate(agents, rate) * last
    replaced = known_to_all(engine) - before
    yield case.mean(f"items fixed in {last} generations", expected, replaced)


@result(
    "T53",
    "An innovation that any of K models passes on is fixed with a chance that N does not lower",
    replicates=100,
    quick=40,
    settings=[{"candidates": 2}, {"candidates": 3}],
    quick_settings=[{"candidates": 2}],
)
def directly_biased(case: Case, candidates: int) -> Iterator[Row]:
    """Let each of 64 agents know one item of its own, and follow the items to fixation or loss.

    Items of a replicate share their models, so that replicates are the unit.
    """
    agents = 64
    engine = case.engine(knowing(agents, {"items": agents}, {"models": candidates}))
    engine.step()
    assert engine.culture is not None
    own = np.uint64(1) << np.arange(agents, dtype=np.uint64)
    engine.culture.shown[:] = own[None, :, None]
    for _ in range(60):
        engine.step()
    share = known_to_all(engine) / agents
    expected = best_of_fixation(agents, candidates, "wright-fisher")
    yield case.mean("share of innovations fixed", expected, share)


@result(
    "T48",
    "Copiers who never learn spread until they add nothing: mean fitness 1 + b - c (Rogers 1988); "
    "those who learn where the copy is wrong add c (1 - u) (Enquist et al. 2007)",
    replicates=10,
    quick=3,
    settings=[
        {"change": 0.1, "critical": 0.0},
        {"change": 0.3, "critical": 0.0},
        {"change": 0.1, "critical": 1.0},
    ],
    quick_settings=[{"change": 0.3, "critical": 0.0}],
)
def copiers(case: Case, change: float, critical: float) -> Iterator[Row]:
    """Start from as many learners as copiers; what is copied is out of date with chance u each.

    Fitness is proportional, so that the share of copiers is a walk about p*. The mean of its last
    generations has the standard error of the replicates.
    """
    benefit, cost = 0.5, 0.2
    agents, last, late = (1_000, 300, 150) if case.quick else (5_000, 600, 300)
    tables = knowing(
        agents,
        {"items": 1, "learning": 1.0, "payoff": benefit, "learning_cost": cost},
        {"fidelity": 1.0 - change, "critical": critical},
        genome={"copying": {"initial": {"share": 0.5, "values": [0, 1]}}},
        selection={"kind": "wright-fisher", "fitness": ADDED},
    )
    engine, shares, fitness = case.engine(tables), [], []
    for t in range(last):
        share = engine.population.real[..., 0].mean(axis=1, dtype=np.float64)
        lives = engine.step()
        if t >= last - late:
            shares.append(share)
            fitness.append(1.0 + lives.criterion.mean(axis=1))
    if critical:
        yield case.mean(
            "mean fitness", 1.0 + critical_learning(benefit, cost, change), np.mean(fitness, axis=0)
        )
        return
    share, gain = rogers_equilibrium(benefit, cost, change)
    yield case.within("share of copiers", share, float(np.mean(shares)), 0.02, "0.02 (THEORY)")
    yield case.within("mean fitness", 1.0 + gain, float(np.mean(fitness)), 0.003, "0.003 (THEORY)")


@result(
    "T49",
    "Imitating the best of N changes skill by -alpha + beta (gamma + ln N) (Henrich 2004)",
    replicates=400,
    quick=60,
    settings=[{"agents": 10}, {"agents": 100}, {"agents": 1_000}],
    quick_settings=[{"agents": 10}, {"agents": 100}],
)
def best_skill(case: Case, agents: int) -> Iterator[Row]:
    """Follow the best skill for 50 generations: its steps are independent."""
    loss, steps, best = 7.0, 50, []
    replicates = min(case.replicates, 40_000 // agents)
    channel = {"choice": "best", "candidates": 0, "loss": loss, "spread": 1.0}
    engine = case.engine(knowing(agents, {"pool": "skill", "payoff": 1.0}, channel), replicates)
    for _ in range(steps + 2):
        engine.step()
        assert engine.culture is not None
        best.append(engine.culture.information.sum(axis=2).max(axis=1))
    change = np.diff(best[1:], axis=0)
    expected = skill_step(agents, loss, 1.0)
    yield case.mean("change of the best", expected, change, sd=float(np.pi / 6**0.5))
    yield case.mean(
        "its standard deviation", float(np.pi / 6**0.5), change.std(axis=0, ddof=1), bias=0.01
    )


@result(
    "T50",
    "Newborns that also copy each other keep items with one model: n f (1 + m f) > 1",
    replicates=20,
    quick=4,
    settings=[{"fidelity": 0.9, "peers": 1}, {"fidelity": 0.6, "peers": 1}],
)
def lasting_among_peers(case: Case, fidelity: float, peers: int) -> Iterator[Row]:
    """Let the founders know all 64 items, and nobody find any again.

    A newborn is its own peer with chance 1/N, and sampling bends the mean by about as much.
    """
    agents, items = (2_000, 64) if not case.quick else (1_000, 64)
    channel: Data = {"fidelity": fidelity, "peers": peers}
    engine = case.engine(knowing(agents, {"items": items, "learning": items}, channel))
    engine.step()
    engine.change(case.resolved(knowing(agents, {"items": items, "learning": 0.0}, channel)))
    x = peer_prevalence(fidelity, 1, peers)
    share = lived(engine, 40 if x else 200)[-20:].mean(axis=0) / items
    yield case.mean("share that knows an item", x, share, bias=2.0 / agents)


@result(
    "T56",
    "Acquisition that takes time ends at (1/a)^(1/k); at a constant price it does not (Mesoudi "
    "2011)",
    replicates=4,
    quick=2,
    settings=[
        {"time": 0.02, "rise": 1.0},
        {"time": 0.02, "rise": 2.0},
        {"time": 0.02, "rise": 0.5},
        {"time": 0.3, "rise": 0.0},
    ],
)
def acquired_skill(case: Case, time: float, rise: float) -> Iterator[Row]:
    """Compare a skill without error with the recursion that it is."""
    channel = {"time": time, "rise": rise}
    stock = lived(case.engine(knowing(5, {"pool": "skill", "learning": 2.0}, channel)), 150)
    line = acquired_stock(2.0, time, rise, 150)
    yield case.error("recursion", float(np.abs(stock / line[:, None] - 1.0).max()))


@result(
    "T56",
    "Items that take less time each time they are passed on grow without end",
    replicates=60,
    quick=20,
    settings=[
        {"learning": 1.0, "time": 0.01, "compression": 1.0},
        {"learning": 5.0, "time": 0.05, "compression": 0.5},
    ],
)
def acquired_items(case: Case, learning: float, time: float, compression: float) -> Iterator[Row]:
    """Count items with one lossless model: means follow the recursion while time is left."""
    last = 60 if case.quick else 100
    channel = {"time": time, "compression": compression}
    engine = case.engine(knowing(50, {"pool": "counted", "learning": learning}, channel))
    stock = lived(engine, last)
    line = acquired_stock(learning, time, 1.0, last, compression)
    for t in (20, last):
        yield case.mean(f"items in generation {t}", float(line[t]), stock[t])
