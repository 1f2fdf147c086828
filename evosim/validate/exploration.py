"""Learners that stop to explore, and how long the others take (T64, T65, T68, T69).

Whether something was ever tried is read from payoff, which learners do not receive: it counts the
tries alone. Rewards, which they do receive, are what the result is about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.oracles import (
    cross_never_explores,
    default_margins,
    epsilon_greedy_hit,
    greedy_lock_in,
    key_never_hit,
)
from evosim.validate.episodes import bandit
from evosim.validate.models import NEUTRAL, Data, scenario
from evosim.validate.suite import Case, Row, Z, result

F64 = npt.NDArray[np.float64]


def keys(
    length: int, actions: list[str], agents: int, episodes: int, *, mind: Data, policy: list[float],
    reward: float = 1.0, by_place: bool = False,
) -> Data:  # fmt: skip
    """Return `length` decisions in a row; the key is the last action, every time.

    An episode of nothing but the first action, the default, brings `reward`; one that plays the
    key brings payoff. Agents perceive how many decisions were made, or with `by_place` also
    whether all of them were defaults, keys, or neither.
    """
    default, key = actions[0], actions[-1]
    transitions: list[Data] = []
    places: list[list[str]] = [[] for _ in range(length)]
    for k in range(length):
        last = k == length - 1
        for so_far in ("start",) if k == 0 else ("default", "key", "mixed"):
            here = f"{so_far}{k}"
            places[k].append(here)
            for action in actions:
                kept = "default" if action == default else "key" if action == key else "mixed"
                all_of = kept if so_far in ("start", kept) else "mixed"
                transitions.append({
                    "from": here, "action": action, "to": "end" if last else f"{all_of}{k + 1}",
                    "reward": reward if last and all_of == "default" else 0.0,
                    "payoff": 1.0 if last and all_of == "key" else 0.0,
                })  # fmt: skip
    cues: dict[str, Any] = {"place": {"one_hot": "state"}}
    if not by_place:
        cues = {f"step{k}": {"states": dict.fromkeys(here, 1.0)} for k, here in enumerate(places)}
    return scenario(
        agents,
        world={
            "kind": "graph", "actions": actions, "start": "start0", "steps": length,
            "episodes": episodes, "transitions": transitions,
        },
        context=[{"name": "only", "frequency": 1.0}],
        cues=cues,
        mind=mind,
        genome={"policy": {"initial": {"value": policy}}},
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )  # fmt: skip


def _never(length: int, margin: float, step: float, episodes: int) -> float:
    """Return P(no key in so many episodes): how many were all defaults is a Markov chain."""
    q = 1.0 / (1.0 + np.exp(default_margins(margin, step, episodes + 1)))
    default, key = (1.0 - q) ** length, q**length
    share = np.zeros(episodes + 1)
    share[0] = 1.0
    for _ in range(episodes):
        moved = share * default
        share -= moved + share * key
        share[1:] += moved[:-1]
    return float(share.sum())


@result(
    "T64",
    "REINFORCE may never try a key of several steps: a product over its margins (result T64)",
    replicates=100,
    quick=10,
    settings=[
        {"length": L, "q0": q0, "step": step}
        for L, q0, step in (
            (1, 0.2, 1.0), (2, 0.5, 0.5), (3, 0.5, 0.5), (5, 0.5, 0.5), (2, 0.2, 0.25),
            (3, 0.2, 0.25),
        )
    ],
)  # fmt: skip
def key_never(case: Case, length: int, q0: float, step: float) -> Iterator[Row]:
    """Count lives without the key. One logit stands for two: its rate is twice the oracle's."""
    agents, episodes = 100, 1_000
    margin = float(np.float32(math.log((1.0 - q0) / q0)))
    mind = {"learning": "reinforce", "learning_rate": 2.0 * step}
    data = keys(length, ["on", "off"], agents, episodes, mind=mind, policy=[margin] * length)
    payoff = case.engine(data).step(last=True).payoff
    count, never = payoff.size, int((payoff == 0).sum())
    exact = _never(length, margin, step, episodes)
    yield case.proportion(f"never within {episodes} episodes", exact, never, count)
    if length > 1:
        limit = float(key_never_hit(length, margin, step, 1_000_000))
        yield case.within(
            "never at all", limit, never / count,
            Z * math.sqrt(limit * (1.0 - limit) / count) + abs(exact - limit),
            f"{Z:g} sqrt(pq/n) + bias",
        )  # fmt: skip


@result(
    "T64",
    "Without an advantage of the default, chances stay and every key is tried (result T64)",
    replicates=100,
    quick=10,
    settings=[{"length": 1}, {"length": 2}, {"length": 3}],
)
def key_without_advantage(case: Case, length: int) -> Iterator[Row]:
    """Pay the default nothing beyond its baseline: the control in which nothing is learned."""
    agents, q0 = 100, 0.3
    episodes = round(1.0 / q0**length)
    margin = float(np.float32(math.log((1.0 - q0) / q0)))
    q = 1.0 / (1.0 + math.exp(margin))
    mind = {"learning": "reinforce", "learning_rate": 1.0}
    data = keys(
        length, ["on", "off"], agents, episodes, mind=mind, policy=[margin] * length, reward=0.0
    )
    payoff = case.engine(data).step(last=True).payoff
    yield case.proportion(
        f"never within {episodes} episodes", (1.0 - q**length) ** episodes,
        int((payoff == 0).sum()), payoff.size,
    )  # fmt: skip
    yield case.mean("keys in a life", episodes * q**length, payoff)


@result(
    "T65",
    "Cross learning on a default that always pays may never explore: (q0; theta) (result T65)",
    replicates=100,
    quick=20,
    settings=[{"q0": 0.1, "rate": 0.1}, {"q0": 0.1, "rate": 0.05}, {"q0": 0.3, "rate": 0.2}],
)
def cross_never(case: Case, q0: float, rate: float) -> Iterator[Row]:
    """Count lives of defaults only, and compare the policy at their end."""
    agents, episodes = 100, round(30 / rate)
    mind = {"learning": "cross", "learning_rate": rate}
    policy = np.array([math.log((1.0 - q0) / q0)])
    data = bandit(agents, {"default": 1.0, "other": 0.0}, policy, mind, episodes=episodes)
    data["context"][0]["payoff"] = {"other": 1.0}
    lives = case.engine(data).step(last=True)
    q = float(lives.born[0, 0, 1])
    never = lives.payoff.ravel() == 0
    yield case.proportion(
        "default only", cross_never_explores(q, rate), int(never.sum()), never.size
    )
    left = lives.learned.reshape(-1, 2)[never, 1]
    falls = q * (1.0 - rate) ** episodes
    yield case.error(
        "their chance of exploring, against q0 (1 - theta)^n", float(np.abs(left / falls - 1).max())
    )


@result(
    "T68",
    "Greed abandons a good arm for ever by ruin: ((1 - p)/p)^k (Feller 1968, chapter XIV)",
    replicates=100,
    quick=20,
    settings=[
        {"p": 0.6, "k": 1, "kind": "model-free"},
        {"p": 0.6, "k": 3, "kind": "model-free"},
        {"p": 0.75, "k": 2, "kind": "model-free"},
        {"p": 0.6, "k": 1, "kind": "lookahead"},
    ],
)
def greedy_ruin(case: Case, p: float, k: int, kind: str) -> Iterator[Row]:
    """Count lives that ever take the safe arm, whose payoff is counted alone.

    Model-free: with a tiny rate the value of the good arm is the rate times k - 1/2 plus the sum
    of its payoffs, up to less than the half. Lookahead: it is the mean, and the safe arm is worth
    so little less than 0 that a mean of 0 goes on and one lost unit does not.
    """
    episodes = 1_000
    tiny = 2.0**-30
    safe = 0.0 if kind == "model-free" else -0.5 / episodes
    mind: Data = {"kind": kind, "choice": "greedy"}
    genome: Data = {"neutral": {}}
    if kind == "model-free":
        mind["learning_rate"] = tiny
        genome = {"policy": {"initial": {"value": [tiny * (k - 0.5)]}}}
    else:
        mind["depth"] = 1
    data = scenario(
        100,
        world={
            "kind": "graph", "actions": ["arm", "safe"], "start": "here", "steps": 1,
            "episodes": episodes,
            "transitions": [
                {"from": "here", "action": "arm", "to": "cave", "p": p, "reward": 1.0},
                {"from": "here", "action": "arm", "to": "cave", "p": 1.0 - p, "reward": -1.0},
                {"from": "here", "action": "safe", "to": "home", "payoff": 1.0, "reward": safe},
            ],
        },
        context=[{"name": "only", "frequency": 1.0}],
        cues={"bias": 1.0},
        mind=mind,
        genome=genome,
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )  # fmt: skip
    payoff = case.engine(data).step(last=True).payoff
    count, ruined = payoff.size, int((payoff > 0).sum())
    yield case.proportion(
        f"abandoned within {episodes} trials", greedy_lock_in(p, k, episodes), ruined, count
    )
    ever = greedy_lock_in(p, k)
    late = ever - greedy_lock_in(p, k, episodes)
    yield case.within(
        "abandoned", ever, ruined / count,
        Z * math.sqrt(ever * (1.0 - ever) / count) + late, f"{Z:g} sqrt(pq/n) + bias",
    )  # fmt: skip


@result(
    "T69",
    "Epsilon-greedy plays a key of L steps after (A/epsilon)^L episodes on average (result T69)",
    replicates=100,
    quick=10,
    settings=[
        {"length": 1, "epsilon": 0.1, "actions": 2},
        {"length": 2, "epsilon": 0.1, "actions": 2},
        {"length": 2, "epsilon": 0.3, "actions": 3},
        {"length": 3, "epsilon": 0.4, "actions": 2},
        {"length": 2, "epsilon": 1.0, "actions": 4},
    ],
)
def epsilon_greedy_key(case: Case, length: int, epsilon: float, actions: int) -> Iterator[Row]:
    """Count keys in lives that learn all the while, but only what defaults bring."""
    agents, episodes = 100, round((actions / epsilon) ** length)
    names = ["default", *(f"other{k}" for k in range(actions - 2)), "key"]
    mind = {
        "kind": "model-free", "choice": "epsilon-greedy", "epsilon": epsilon,
        "learning_rate": 0.2, "credit": "episodic",
    }  # fmt: skip
    # Innately defaults are worth 1/2 everywhere, all else nothing. (Bootstrapping from that makes
    # the way to a key of three steps look good: it is then tried more than twice as often.)
    places = 3 * length - 2
    policy = [0.5] * places + [0.0] * (places * (actions - 1) if actions > 2 else 0)
    data = keys(length, names, agents, episodes, mind=mind, policy=policy, by_place=True)
    payoff = case.engine(data).step(last=True).payoff
    chance = (epsilon / actions) ** length
    within = float(epsilon_greedy_hit(length, epsilon, actions, episodes))
    yield case.proportion(
        f"key within {episodes} episodes", within, int((payoff > 0).sum()), payoff.size
    )
    yield case.mean("keys in a life", episodes * chance, payoff)
