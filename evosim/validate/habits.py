"""A habit that only costs fades hyperbolically, and is never gone (S58).

A habit of logit x is lived e^x = q/(1 - q) times at every occasion, and fitness falls by the cost
of each: exp(-c e^x).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evosim.oracles import gamma_odds
from evosim.validate.models import expected_shares, scenario, values
from evosim.validate.suite import Case, Row, result


@result(
    "S58",
    "A costly habit fades by 1/odds_t = 1/odds_0 + c t/k, its odds gamma-distributed (S58)",
    replicates=100,
    quick=20,
    settings=[
        {"shape": 2.0, "cost": 0.05, "generations": 30},
        {"shape": 4.0, "cost": 0.2, "generations": 12},
    ],
)
def costly_habit(case: Case, shape: float, cost: float, generations: int) -> Iterator[Row]:
    """Let odds of a gamma law be selected, in an infinite population and in finite ones.

    The infinite one is a grid of 4000 logits, fine enough for sums to be integrals; what is left
    is that genes are float32. Finite ones lose to sampling about Var(w)/(wbar^2 N) of the mean
    odds per generation, the bias.
    """
    odds, agents = np.e, 4_000
    data = scenario(
        agents,
        world={"kind": "landscape", "shape": "linear", "weights": -cost},
        genome={"trait": {"scale": "log"}},
        selection={"kind": "wright-fisher", "fitness": {"exponential": 1.0}},
    )
    expected = float(gamma_odds(odds, shape, cost, generations))
    engine = case.engine(data, 1)
    x = np.linspace(-30.0 / shape, 5.0, agents)
    engine.population.real[0, :, 0] = x
    share = np.exp(shape * x - shape * np.exp(x) / odds)
    share /= share.sum()
    for _ in range(generations):
        share = expected_shares(engine, share)
    yield case.exact("mean odds, infinite population", expected, float(share @ np.exp(x)), 1e-5)
    engine = case.engine(data)
    draw = np.random.default_rng(case.seed).gamma(shape, odds / shape, (case.replicates, agents))
    engine.population.real[..., 0] = np.log(draw)
    engine.ledger.rebase(engine.population)
    lost = 0.0
    for t in range(generations):
        engine.step()
        scale = float(gamma_odds(odds, shape, cost, t)) / shape
        lost += ((1.0 + cost * scale) ** 2 / (1.0 + 2.0 * cost * scale)) ** shape - 1.0
    mean = np.exp(values(engine)[..., 0]).mean(axis=1)
    yield case.mean(
        f"mean odds after {generations} generations", expected, mean, bias=expected * lost / agents
    )
