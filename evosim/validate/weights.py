"""Selection as a learner: multiplicative weights and the replicator (results T60, T61).

Natural policy gradient on a softmax policy is haploid selection with fitness exp(rate * A)
(Kakade 2001); Cross learning's mean is haploid selection with fitness baseline + u.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.oracles import multiplicative_weights, selection_time
from evosim.validate.episodes import bandit
from evosim.validate.models import Data, alleles, expected_shares, scenario
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]


def _types(case: Case, payoffs: F64, fitness: Data) -> Engine:
    """Return an engine in which agent i stands for the type with payoff i."""
    data = scenario(
        payoffs.size,
        world={"kind": "landscape", "shape": "linear"},
        genome={"trait": {}},
        selection={"kind": "wright-fisher", "fitness": fitness},
    )
    engine = case.engine(data)
    engine.population.real[0, :, 0] = payoffs
    return engine


@result(
    "T60",
    "Selection with fitness exp(rate A) is the multiplicative-weights learner (Kakade 2001)",
    replicates=1,
    quick=1,
    settings=[{"generations": 50}],
)
def multiplicative(case: Case, generations: int) -> Iterator[Row]:
    """Iterate selection among six types and the learner, side by side."""
    rate = 0.3
    advantage = np.array([0.5, -0.25, 1.0, 0.0, 0.875, -2.0])
    engine = _types(case, advantage, {"exponential": rate})
    share = learner = np.array([0.1, 0.2, 0.01, 0.39, 0.1, 0.2])
    worst = 0.0
    for _ in range(generations):
        share = expected_shares(engine, share)
        learner = multiplicative_weights(learner, advantage, rate)
        worst = max(worst, float(np.abs(share / learner - 1.0).max()))
    yield case.error("population against learner, every generation", worst)


@result(
    "T60",
    "Mean Cross update is selection with fitness baseline + u, from the same start (result T60)",
    replicates=1,
    quick=1,
    settings=[{"baseline": 0.5}, {"baseline": 4.0}],
)
def replicator(case: Case, baseline: float) -> Iterator[Row]:
    """Compare Cross learning's mean update with one generation of selection.

    Both kernels run; the learner's rate is 1/(baseline + mean u), its mean is over its actions.
    """
    u = np.array([0.875, 0.25, 0.5])
    policy = np.array([0.5, -0.25, 0.125])
    names = ("one", "two", "three")
    mind: Data = {"learning": "cross", "learning_rate": 1.0}
    rewards = dict(zip(names, u.tolist(), strict=True))
    p = case.engine(bandit(2, rewards, policy, mind)).step(last=True).born[0, 0]
    mind["learning_rate"] = 1.0 / (baseline + float(p @ u))
    lives = case.engine(bandit(500, rewards, policy, mind)).step(last=True)
    done = lives.acts[0].argmax(axis=1)
    moved = (lives.learned - lives.born)[0]
    learner = p @ np.array([moved[done == a][0] for a in range(u.size)])
    engine = _types(case, u, {"proportional": 1.0, "baseline": baseline})
    population = expected_shares(engine, p) - p
    yield case.error(
        "learner against population", float(np.abs(learner - population).max()), scale="1"
    )


@result(
    "T61",
    "Selection needs ln(1/p0)/(eta D) where the policy gradient needs 1/(2 p0 eta D) (T61)",
    replicates=1,
    quick=1,
    settings=[{"p0": 0.1}, {"p0": 0.01}],
)
def selection_plateau(case: Case, p0: float) -> Iterator[Row]:
    """Count the generations that selection needs from p0 to one half."""
    advantage = 0.05
    engine = case.engine(alleles(2, 1, payoff=1.0, fitness={"exponential": advantage}))
    share = np.array([p0, 1.0 - p0])
    exact = selection_time(math.log(p0 / (1.0 - p0)), 0.0, 1.0, advantage)
    generations = 0
    while share[0] < 0.5 and generations < 2.0 * exact:
        share = expected_shares(engine, share)
        generations += 1
    yield case.within("generations until 1/2", exact, generations, 1.0, "1 generation")
