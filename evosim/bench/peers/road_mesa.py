"""The learners' workload as Mesa 3 objects in plain Python, as a good Mesa user would write it."""

from __future__ import annotations

from math import exp
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.bench.road import (
    DEPTH,
    ENDS,
    EPISODES,
    LEAF,
    OPTIMISM,
    PLAN_TEMPERATURE,
    Q_TEMPERATURE,
    RATE,
    STEPS,
    TOLL,
    Road,
)
from evosim.bench.road import build as build  # what a worker calls

if TYPE_CHECKING:
    from mesa import Model


def missing() -> str | None:
    """Return None: Mesa is a dependency."""
    return None


class Tables:
    """The world as nested lists of (place, probability, payoff)."""

    def __init__(self, road: Road) -> None:
        whole = zip(road.place.tolist(), road.chance.tolist(), road.payoff.tolist(), strict=True)
        self.outcomes: list[list[list[tuple[int, float, float]]]] = [
            [list(zip(*action, strict=True)) for action in zip(*state, strict=True)]
            for state in whole
        ]
        self.states = len(self.outcomes)
        self.left = road.left


class QMind:
    """Q-learning."""

    temperature = Q_TEMPERATURE

    def __init__(self, tables: Tables) -> None:
        self.states = tables.states
        self.values = [[OPTIMISM, OPTIMISM] for _ in range(tables.states)]

    def learn(self, s: int, a: int, entered: int, expected: float, reward: float) -> None:
        """Move the value of the action towards what it brought and what lies ahead."""
        ahead = max(self.values[entered]) if entered < self.states else 0.0
        row = self.values[s]
        row[a] += RATE * (reward + ahead - row[a])


class Planner:
    """Backward induction over the given model, after every surprise anew."""

    temperature = PLAN_TEMPERATURE

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.surprise: dict[int, float] = {}
        self.seen: dict[int, int] = {}
        self.plan()

    def plan(self) -> None:
        """Make the plan."""
        met = self.surprise
        ahead = [LEAF] * self.tables.states + [0.0] * len(ENDS)
        for _ in range(DEPTH):
            self.values = [
                [
                    sum(p * (pay + met.get(to, 0.0) + ahead[to]) for to, p, pay in outcomes)
                    for outcomes in row
                ]
                for row in self.tables.outcomes
            ]
            ahead[: self.tables.states] = map(max, self.values)

    def learn(self, s: int, a: int, entered: int, expected: float, reward: float) -> None:
        """Keep the mean of what entering a place brought beyond the model."""
        self.seen[entered] = self.seen.get(entered, 0) + 1
        before = self.surprise.get(entered, 0.0)
        change = (reward - expected - before) / self.seen[entered]
        if change:
            self.surprise[entered] = before + change
            self.plan()


def _model(road: Road, agents: int, seed: int) -> Model:
    """Build the Mesa model of a population of newborns."""
    from mesa import Agent, Model

    class Walker(Agent):  # type: ignore[misc]
        """One life; a step of it is an episode."""

        def __init__(self, model: Model) -> None:
            super().__init__(model)
            self.mind = (QMind if road.mind == "q-learning" else Planner)(model.tables)
            self.payoff = 0.0
            self.met = False

        def step(self) -> None:
            """Walk from the start until the episode ends."""
            tables, mind, draw = self.model.tables, self.mind, self.random.random
            s = 0
            for _ in range(STEPS):
                on, turn = mind.values[s]
                odds = (turn - on) / mind.temperature
                a = 0 if odds < 700 and draw() * (1.0 + exp(odds)) < 1.0 else 1
                first, second = tables.outcomes[s][a]
                entered, p, expected = first
                if p < 1.0 and draw() >= p:
                    entered, _, expected = second
                reward = expected
                if entered == tables.left and not self.met:
                    self.met = True
                    reward += TOLL
                self.payoff += reward
                mind.learn(s, a, entered, expected, reward)
                if entered >= tables.states:
                    return
                s = entered

    class Walkers(Model):  # type: ignore[misc]
        """A population whose lives go side by side, episode by episode."""

        def __init__(self, road: Road, size: int, seed: int) -> None:
            super().__init__(seed=seed)
            self.tables = Tables(road)
            Walker.create_agents(self, size)

        def step(self) -> None:
            """Live an episode."""
            self.agents.do("step")

    return Walkers(road, agents, seed)


def lives(road: Road, agents: int, seed: int) -> tuple[float, list[float]]:
    """Return the seconds that whole lives took, and the payoff of each."""
    model: Any = _model(road, agents, seed)
    began = perf_counter()
    for _ in range(EPISODES):
        model.step()
    seconds = perf_counter() - began
    payoff = [agent.payoff for agent in model.agents]
    model.remove_all_agents()  # Mesa 3.3 keeps every model alive, and with it its agents
    return seconds, payoff


def run(road: Road, agents: int, generations: int, seed: int) -> tuple[float, NDArray[np.float64]]:
    """Live whole lives, nothing else; see :mod:`evosim.bench.peers` for the contract."""
    lived = [lives(road, agents, seed * 1_000_003 + g) for g in range(generations)]
    return sum(seconds for seconds, _ in lived), np.array([np.mean(p) for _, p in lived])
