"""Innovations and skills that spread by copying (results T52, T53)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evosim.engine import Engine
from evosim.oracles import best_of_fixation, substitution_rate
from evosim.validate.culture import F64, knowing
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
    settings=[{"agents": 20}, {"agents": 200}],
    quick_settings=[{"agents": 20}],
)
def neutral_substitution(case: Case, agents: int) -> Iterator[Row]:
    """Count what all agents know after 5 N generations and again later."""
    rate, last = 0.025, 400 if case.quick else 1_000
    engine = case.engine(knowing(agents, {"pool": "open", "items": 512, "learning": rate}, {}))
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
