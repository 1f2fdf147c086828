"""The learners' workload as a straightforward scalar Numba loop, one life after the other.

What a user writes who knows Numba, two actions and these two minds: tables and scratch handed in,
nothing allocated, random numbers from a counter (splitmix64; Steele, Lea & Flood 2014) that LLVM
inlines, where `np.random` would be a call. The softmax of two actions is one exp; plans are made
anew only after something changed.
"""

from __future__ import annotations

import math
from time import perf_counter

import numba
import numpy as np
from numpy.typing import NDArray

from evosim.bench.road import (
    DEPTH,
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


def missing() -> str | None:
    """Return None: Numba is a dependency."""
    return None


@numba.njit
def _mix(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit
def _uniform(counter):
    return np.float64(_mix(counter) >> np.uint64(11)) * 1.1102230246251565e-16


@numba.njit
def live_by_value(place, chance, payoffs, left, seed, q, payoff):
    """Q-learning; `payoff` is overwritten, `q` is scratch."""
    states = place.shape[0]
    for i in range(payoff.size):
        counter = _mix(np.uint64(seed) + _mix(np.uint64(i)))
        q[:] = OPTIMISM
        met = False
        total = 0.0
        for _ in range(EPISODES):
            s = 0
            for _ in range(STEPS):
                counter += np.uint64(0x9E3779B97F4A7C15)
                p = 1.0 / (1.0 + math.exp((q[s, 1] - q[s, 0]) / Q_TEMPERATURE))
                a = 0 if _uniform(counter) < p else 1
                k = 0
                if chance[s, a, 0] < 1.0:
                    counter += np.uint64(0x9E3779B97F4A7C15)
                    k = 0 if _uniform(counter) < chance[s, a, 0] else 1
                reward = payoffs[s, a, k]
                entered = place[s, a, k]
                if entered == left and not met:
                    met = True
                    reward += TOLL
                total += reward
                ahead = max(q[entered, 0], q[entered, 1]) if entered < states else 0.0
                q[s, a] += RATE * (reward + ahead - q[s, a])
                if entered >= states:
                    break
                s = entered
        payoff[i] = total


@numba.njit
def _plan(place, chance, payoffs, surprise, value, after, plan):
    """Fill `plan` by backward induction from the leaves."""
    states = place.shape[0]
    value[:] = 0.0
    value[:states] = LEAF
    for _ in range(DEPTH):
        for s in range(states):
            for a in range(2):
                x = 0.0
                for k in range(2):
                    to = place[s, a, k]
                    x += chance[s, a, k] * (payoffs[s, a, k] + surprise[to] + value[to])
                plan[s, a] = x
            after[s] = max(plan[s, 0], plan[s, 1])
        value[:states] = after


@numba.njit
def live_by_plan(
    place, chance, payoffs, left, seed, surprise, seen, value, after, plan, payoff
):  # fmt: skip
    """Look ahead; `payoff` is overwritten, all between `seed` and it is scratch."""
    states = place.shape[0]
    for i in range(payoff.size):
        counter = _mix(np.uint64(seed) + _mix(np.uint64(i)))
        surprise[:] = 0.0
        seen[:] = 0.0
        met = False
        stale = True
        total = 0.0
        for _ in range(EPISODES):
            s = 0
            for _ in range(STEPS):
                if stale:
                    _plan(place, chance, payoffs, surprise, value, after, plan)
                    stale = False
                counter += np.uint64(0x9E3779B97F4A7C15)
                p = 1.0 / (1.0 + math.exp((plan[s, 1] - plan[s, 0]) / PLAN_TEMPERATURE))
                a = 0 if _uniform(counter) < p else 1
                k = 0
                if chance[s, a, 0] < 1.0:
                    counter += np.uint64(0x9E3779B97F4A7C15)
                    k = 0 if _uniform(counter) < chance[s, a, 0] else 1
                beyond = 0.0
                entered = place[s, a, k]
                if entered == left and not met:
                    met = True
                    beyond = TOLL
                total += payoffs[s, a, k] + beyond
                seen[entered] += 1.0
                change = (beyond - surprise[entered]) / seen[entered]
                if change != 0.0:
                    surprise[entered] += change
                    stale = True
                if entered >= states:
                    break
                s = entered
        payoff[i] = total


def lives(road: Road, agents: int, seed: int) -> NDArray[np.float64]:
    """Return the payoff of each life."""
    states, actions, _ = road.place.shape
    payoff = np.empty(agents)
    world = road.place, road.chance, road.payoff, road.left, seed
    if road.mind == "q-learning":
        live_by_value(*world, np.empty((states, actions)), payoff)
        return payoff
    places = int(road.place.max()) + 1
    scratch = np.empty(places), np.empty(places), np.empty(places), np.empty(states)
    live_by_plan(*world, *scratch, np.empty((states, actions)), payoff)
    return payoff


def run(road: Road, agents: int, generations: int, seed: int) -> tuple[float, NDArray[np.float64]]:
    """Live whole lives, nothing else; see :mod:`evosim.bench.peers` for the contract."""
    lives(road, 1, 0)  # compiles
    began = perf_counter()
    mean = [lives(road, agents, seed * 1_000_003 + g).mean() for g in range(generations)]
    return perf_counter() - began, np.array(mean)
