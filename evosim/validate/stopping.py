"""When to stop looking: the secretary problem, lived and evolved (T71).

Gilbert & Mosteller 1966; Ferguson 1989.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from evosim.oracles import secretary_optimum, secretary_success
from evosim.validate.models import Data, scenario, values
from evosim.validate.suite import Case, Row, result

#: Weight of a candidate's number, so large that its own mutations hardly move the cutoff.
STEEP = 1_000.0


def _search(
    candidates: int, agents: int, cutoff: float, *, searches: int, mutation: float, beta: float
) -> Data:
    """Return a world of candidates in random order, each better than all before or not.

    Only those that are can be the best, so that these are the places: the next one after the
    i-th candidate is the j-th with probability i/(j(j - 1)), and there is none with i/n. The one
    taken is the best of all with probability j/n. The policy takes one from `cutoff` on.
    """
    n = candidates
    transitions: list[Data] = []
    for i in range(1, n + 1):
        here = f"record {i}"
        transitions += [
            {"from": here, "action": "take", "to": "best", "p": i / n, "payoff": 1.0},
            {"from": here, "action": "take", "to": "second best", "p": "rest"},
            {"from": here, "action": "skip", "to": "nobody", "p": "rest"},
        ]
        transitions += [
            {"from": here, "action": "skip", "to": f"record {j}", "p": i / (j * (j - 1))}
            for j in range(i + 1, n + 1)
        ]
    number = {f"record {i}": i / STEEP for i in range(1, n + 1)}
    return scenario(
        agents,
        world={
            "kind": "graph", "actions": ["take", "skip"], "start": "record 1", "steps": n,
            "episodes": searches, "transitions": transitions,
        },
        context=[{"name": "only", "frequency": 1.0}],
        cues={"always": 1.0, "number": {"states": number}},
        mind={"choice": "greedy"},
        ledger={"percepts": 0},
        genome={"policy": {"initial": {"value": [-cutoff, STEEP]}, "mutation": mutation}},
        selection={"kind": "wright-fisher", "fitness": {"exponential": beta}},
    )  # fmt: skip


def _cutoff(engine: Any) -> Any:
    """Return (R, N) the number from which on agents take a candidate."""
    policy = values(engine)
    return -policy[..., 0] / policy[..., 1] * STEEP


@result(
    "T71",
    "Skip r of n and take the next best so far: (r/n) sum 1/(j - 1) (Gilbert & Mosteller 1966)",
    replicates=100,
    quick=20,
    settings=[
        {"candidates": n, "skip": r} for n, r in ((10, 0), (10, 3), (100, 5), (100, 37), (100, 80))
    ],
)
def secretary_cutoffs(case: Case, candidates: int, skip: int) -> Iterator[Row]:
    """Count the searches that end with the best candidate, by cutoff."""
    searches = 20
    data = _search(candidates, 100, skip + 0.5, searches=searches, mutation=0.0, beta=1.0)
    payoff = case.engine(data).step(last=True).payoff
    yield case.proportion(
        "searches that find the best", float(secretary_success(candidates, skip)),
        int(payoff.sum()), payoff.size * searches,
    )  # fmt: skip


@result(
    "T71",
    "The cutoff evolves to where success is within .011 of the optimum (flat: 28..45 of 100)",
    replicates=6,
    quick=2,
    settings=[{"agents": 2_000, "start": start, "generations": 150} for start in (10, 75)],
    quick_settings=[{"agents": 500, "start": 10, "generations": 75}],
)
def secretary_evolves(case: Case, agents: int, start: int, generations: int) -> Iterator[Row]:
    """Let the cutoff evolve, and look at its mean over the last third of the time."""
    n, enough = 100, 0.36
    chance = secretary_success(n, np.arange(n + 1))
    good = np.flatnonzero(chance > enough)
    best = secretary_optimum(n)
    data = _search(n, agents, start + 0.5, searches=20, mutation=1.0, beta=10.0)
    engine = case.engine(data)
    cutoffs = []
    for t in range(generations):
        engine.step()
        if t >= 2 * generations // 3:
            cutoffs.append(_cutoff(engine))
    cutoff = np.array(cutoffs)
    skipped = np.clip(np.ceil(cutoff).astype(int) - 1, 0, n)
    middle, half = (good[0] + good[-1]) / 2.0, (good[-1] - good[0]) / 2.0
    for r in range(cutoff.shape[1]):
        yield case.within(
            f"mean cutoff of population {r}", middle, float(cutoff[:, r].mean()), half,
            f"success > {enough:g} in {good[0]}..{good[-1]}",
        )  # fmt: skip
    yield case.within(
        "exact success of what evolved", best.success, float(chance[skipped].mean()),
        best.success - enough, f"success > {enough:g}",
    )  # fmt: skip
