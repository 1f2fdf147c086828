"""Learners of values: bias against what varies, and the reach of credit (T67, T70)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from evosim.oracles import credit_values, full_feedback_choice, hot_stove_choice
from evosim.validate.models import NEUTRAL, Data, scenario
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]


def _log_mean_exp(values: F64, chance: F64, rate: float, slope: float) -> float:
    """Return log E[exp(slope y)] of y = rate * sum_k (1 - rate)^k x_k, x_k independent."""
    total, weight = 0.0, rate
    while abs(slope * weight) > 1e-18:
        total += math.log(float(chance @ np.exp(slope * weight * values)))
        weight *= 1.0 - rate
        if rate == 1.0:
            break
    return total


def _memory_of_start(values: F64, chance: F64, rate: float, inverse: float, episodes: int) -> float:
    """Return how far the chance of the variable arm is from its limit after so many episodes.

    The other arm stays at 0, so that the estimate of the variable one is a Markov chain, here on
    a grid; what the grid itself does to chances enters both numbers.
    """
    y = np.linspace(values.min(), values.max(), 301)
    go = 1.0 / (1.0 + np.exp(-inverse * y))
    move = np.diag(1.0 - go)
    rows = np.arange(y.size)
    for x, p in zip(values, chance, strict=True):
        place = np.clip((y + rate * (x - y) - y[0]) / (y[1] - y[0]), 0.0, y.size - 1.0)
        low = np.minimum(place.astype(int), y.size - 2)
        np.add.at(move, (rows, low), go * p * (1.0 - (place - low)))
        np.add.at(move, (rows, low + 1), go * p * (place - low))
    start = np.abs(y).argmin()
    now = np.linalg.matrix_power(move, episodes)[start] @ go
    limit = np.linalg.matrix_power(move, 2**26)[start] @ go
    return abs(float(now - limit))


def stove(
    mean: float, rate: float, inverse: float, points: int, episodes: int
) -> tuple[Data, F64, F64]:
    """Return lives of choices between a variable arm and a sure one of 0, and its payoffs.

    Payoffs are `points` of Gauss-Hermite quadrature: two are +-1 about the mean, nine are as good
    as normal.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    chance = weights / weights.sum()
    values = mean + nodes
    data = scenario(
        200,
        world={
            "kind": "graph", "actions": ["stove", "floor"], "start": "kitchen", "steps": 1,
            "episodes": episodes,
            "transitions": [
                *(
                    {"from": "kitchen", "action": "stove", "to": f"out{k}", "p": float(p),
                     "reward": float(x)}
                    for k, (x, p) in enumerate(zip(values, chance, strict=True))
                ),
                {"from": "kitchen", "action": "floor", "to": "out"},
            ],
        },
        context=[{"name": "only", "frequency": 1.0}],
        cues={"bias": 1.0},
        mind={"kind": "model-free", "learning_rate": rate, "temperature": 1.0 / inverse},
        genome={"neutral": {}},
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )  # fmt: skip
    return data, values, chance


@result(
    "T67",
    "Hot stove: a variable arm is chosen as if it were worse by S b s^2/(2(2 - b)) (Denrell 2007)",
    replicates=60,
    quick=10,
    settings=[
        {"mean": 0.0, "rate": 0.3, "inverse": 3.0, "points": 9},
        {"mean": 0.2, "rate": 0.5, "inverse": 3.0, "points": 9},
        {"mean": 0.5, "rate": 0.3, "inverse": 2.0, "points": 9},
        {"mean": 0.0, "rate": 0.3, "inverse": 3.0, "points": 2},
    ],
)
def hot_stove(case: Case, mean: float, rate: float, inverse: float, points: int) -> Iterator[Row]:
    """Measure the chance of a variable arm against a sure one of 0 after a long life.

    The law of the estimates is a product for noise of any law, so that the limit is exact for
    two points as for nine.
    """
    episodes = 4_000
    data, values, chance = stove(mean, rate, inverse, points, episodes)
    off = _memory_of_start(values, chance, rate, inverse, episodes)
    chosen = case.engine(data).step(last=True).learned.reshape(-1, 2)[:, 0]
    exact = 1.0 / (1.0 + math.exp(_log_mean_exp(values, chance, rate, -inverse)))
    normal = float(hot_stove_choice([mean, 0.0], [1.0, 0.0], rate, inverse)[0])
    yield case.mean("chance of the variable arm", exact, chosen, bias=off)
    if points > 2:
        yield case.mean(
            "chance of the variable arm, normal payoffs", normal, chosen,
            bias=abs(exact - normal) + off,
        )  # fmt: skip


def _stationary_law(values: F64, chance: F64, rate: float) -> tuple[F64, F64]:
    """Return values and chances of an estimate that every payoff moves.

    The latest payoffs are told apart as far as memory allows; what the earlier ones add is
    taken as normal, which it very nearly is.
    """
    law, weights = np.zeros(1), np.ones(1)
    mean = float(chance @ values)
    variance = float(chance @ (values - mean) ** 2)
    left = 1.0
    while law.size * values.size <= 100_000:
        law = (law[:, None] + rate * left * values[None, :]).ravel()
        weights = (weights[:, None] * chance[None, :]).ravel()
        left *= 1.0 - rate
    nodes, rest = np.polynomial.hermite_e.hermegauss(9)
    earlier = left * (mean + math.sqrt(variance * rate / (2.0 - rate)) * nodes)
    law = (law[:, None] + earlier[None, :]).ravel()
    return law, (weights[:, None] * (rest / rest.sum())[None, :]).ravel()


@result(
    "T67",
    "Full feedback undoes the hot stove: a better arm has more than 1/2 whatever its variance",
    replicates=60,
    quick=10,
    settings=[
        {"mean": 0.2, "rate": 0.5, "inverse": 3.0, "points": 9},
        {"mean": 0.0, "rate": 0.3, "inverse": 3.0, "points": 9},
        {"mean": 0.2, "rate": 0.5, "inverse": 3.0, "points": 2},
        {"mean": 0.2, "rate": 0.1, "inverse": 3.0, "points": 9},
    ],
)
def full_feedback(
    case: Case, mean: float, rate: float, inverse: float, points: int
) -> Iterator[Row]:
    """Measure the chance of a variable arm whose payoffs are seen also when it is not taken."""
    data, values, chance = stove(mean, rate, inverse, points, episodes=round(40 / rate))
    data["mind"]["feedback"] = "full"
    chosen = case.engine(data).step(last=True).learned.reshape(-1, 2)[:, 0]
    law, weights = _stationary_law(values, chance, rate)
    exact = float(weights @ (1.0 / (1.0 + np.exp(-inverse * law))))
    yield case.mean("chance of the variable arm", exact, chosen)
    if points > 2:
        normal = float(full_feedback_choice([mean, 0.0], [1.0, 0.0], rate, inverse)[0])
        yield case.mean(
            "chance of the variable arm, normal payoffs", normal, chosen, bias=abs(exact - normal)
        )


@result(
    "T70",
    "Credit reaches back h steps as P(Bin(n, alpha) > Bin(h - 1, 1 - lambda)) (result T70)",
    replicates=1,
    quick=1,
    settings=[
        {"rule": "q", "trace": 0.0, "discount": 1.0, "episodes": 10},
        {"rule": "sarsa", "trace": 0.0, "discount": 0.9, "episodes": 10},
        {"rule": "q", "trace": 0.7, "discount": 0.9, "episodes": 7},
        {"rule": "sarsa", "trace": 0.7, "discount": 1.0, "episodes": 7},
        {"rule": "sarsa", "trace": 0.8, "discount": 0.9, "episodes": 1},
        {"rule": "q", "trace": 1.0, "discount": 1.0, "episodes": 5},
        {"rule": "q", "trace": None, "discount": 0.9, "episodes": 10},
    ],
)
def credit_reach(
    case: Case, rule: str, trace: float | None, discount: float, episodes: int
) -> Iterator[Row]:
    """Read the values of a corridor of five places whose last step brings 1.

    Both actions do the same; one is worth so little less that it is never done, and the log of its
    probability tells the other's value. Without a trace: None is credit at the end of the episode.
    """
    length, rate, temperature = 5, 0.5, 2.0**-5
    mind: Data = {
        "kind": "model-free", "rule": rule, "learning_rate": rate, "discount": discount,
        "temperature": temperature, "optimism": -1.0,
    }  # fmt: skip
    mind |= {"credit": "episodic"} if trace is None else {"trace": trace}
    names = [f"at{k}" for k in range(length)] + ["end"]
    data = scenario(
        2,
        world={
            "kind": "graph", "actions": ["on", "never"], "start": names[0], "steps": length,
            "episodes": episodes,
            "transitions": [
                {"from": a, "to": b, "reward": 1.0 if b == "end" else 0.0}
                for a, b in pairwise(names)
            ],
        },
        context=[{"name": "only", "frequency": 1.0}],
        cues={"at": {"one_hot": "state"}},
        mind=mind,
        genome={"policy": {"initial": {"value": [1.0] * length}}},
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )  # fmt: skip
    engine = case.engine(data)
    p = engine.step(last=True).learned[0, 0].reshape(-1, 2)
    world = engine.resolved.world
    assert world is not None
    place = np.argsort(world.percept_cue.argmax(axis=1))
    values = temperature * (np.log(p[:, 0]) - np.log(p[:, 1]))[place] - 1.0
    want = credit_values(
        np.arange(length, 0, -1), episodes, rate, discount=discount,
        trace=1.0 if trace is None else trace,
    )  # fmt: skip
    yield case.error("values of all places", float(np.abs(values - want).max()))
    yield case.exact("value of the first place", float(want[0]), float(values[0]), 1e-10)
