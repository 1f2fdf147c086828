"""How fast softmax policy gradients stop exploring, and that they never quite do (T62, T63).

Mei, Xiao, Szepesvari & Schuurmans 2020; Mei, Zhong, Dai, Agarwal, Szepesvari & Schuurmans 2024.
Only the best arm pays: worse ones move nothing, so that a life is told by how often they were
tried, and its law is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.lives import Lives
from evosim.oracles import (
    entropy_approach_rate,
    entropy_fixed_point,
    key_never_hit,
    softmax_gradient_flow,
    softmax_gradient_gap,
)
from evosim.validate.episodes import bandit
from evosim.validate.models import Data
from evosim.validate.suite import Case, Row, Z, result

F64 = npt.NDArray[np.float64]


def tries(chance: F64, episodes: int, most: int = 200) -> F64:
    """Return the probabilities of 0, 1, ... tries of something else than the default.

    Parameters
    ----------
    chance : (> episodes,) float64
        Of leaving the default after 0, 1, ... defaults; tries change nothing.
    episodes, most : int
        Length of the life; tries beyond `most` are neglected.
    """
    share = np.zeros(most)
    share[0] = 1.0
    for n in range(episodes):
        # After m tries in n episodes the default was done n - m times.
        known = chance[max(n - most + 1, 0) : n + 1][::-1]
        moved = share[: known.size] * known
        share[: known.size] -= moved
        share[1 : known.size] += moved[:-1]
        if known.size < most:
            share[known.size] += moved[-1]
    return share


def _chances(arms: int, step: float, episodes: int) -> F64:
    """Return the chance of a worse arm after 0, 1, ... choices of the best one, from even odds.

    All worse arms stay alike. With two arms one logit stands for two, which halves the step.
    """
    out = np.empty(episodes + 1)
    x = 0.0
    for n in range(episodes + 1):
        worse = (arms - 1) / (arms - 1 + math.exp(x))
        out[n] = worse
        x += step * worse * (1.0 if arms == 2 else arms / (arms - 1))
    return out


def _moments(chance: F64, share: F64, episodes: int) -> tuple[float, float]:
    """Return mean and sd of the chance of a worse arm at the end of the life."""
    at_end = chance[np.maximum(episodes - np.arange(share.size), 0)]
    mean = float(share @ at_end)
    return mean, math.sqrt(float(share @ (at_end - mean) ** 2))


def _worse(lives: Lives, arms: int) -> F64:
    """Return (R * N,) chance of a worse arm at the end of each life."""
    logits = lives.learned.reshape(-1, 1 if arms == 2 else arms)
    if arms == 2:
        return np.asarray(1.0 / (1.0 + np.exp(logits[:, 0])))
    others = np.exp(logits[:, 1:] - logits[:, :1]).sum(axis=1)
    return np.asarray(others / (1.0 + others))


def _arms(arms: int, mind: Data, episodes: int, pay: float) -> Data:
    rewards: dict[str, Any] = {"best": pay, **{f"worse{k}": 0.0 for k in range(1, arms)}}
    policy = np.zeros(1 if arms == 2 else arms)
    return bandit(20, rewards, policy, {"learning": "reinforce", **mind}, episodes=episodes)


@result(
    "T62",
    "Regret of a softmax policy gradient falls as (A - 1)/(A eta t), whatever arms pay (Mei 2020)",
    replicates=20,
    quick=2,
    settings=[
        {"arms": arms, "pay": pay, "episodes": (10_000, 100_000)}
        for arms, pay in ((2, 1.0), (2, 0.5), (4, 1.0))
    ],
    quick_settings=[
        {"arms": arms, "pay": 1.0, "episodes": (5_000, 30_000)} for arms in (2, 4)
    ],
)  # fmt: skip
def gradient_rate(case: Case, arms: int, pay: float, episodes: tuple[int, int]) -> Iterator[Row]:
    """Measure regret at two late times: the exact law, the flow's constant, the slope of -1.

    The slope is that of late times, eta pay t >> 1 (here 1000 and more): earlier it is flatter.
    """
    rate = 0.2
    mind = {"learning_rate": rate * (2.0 if arms == 2 else 1.0)}
    chance = _chances(arms, mind["learning_rate"] * pay, episodes[1])
    measured, errors = [], []
    for n in episodes:
        data = _arms(arms, mind, n, pay)
        regret = pay * _worse(case.engine(data).step(last=True), arms)
        mean, sd = _moments(chance, tries(chance, n), n)
        yield case.mean(f"regret after {n}, exact law", pay * mean, regret, sd=pay * sd)
        flow = float(softmax_gradient_gap(arms, rate, n))
        yield case.mean(
            f"regret after {n}, (A - 1)/(A eta t)", flow, regret, sd=pay * sd,
            bias=flow - pay * mean,
        )  # fmt: skip
        measured.append(float(regret.mean()))
        errors.append(sd / mean / math.sqrt(regret.size))
    decades = math.log(episodes[1] / episodes[0])
    slope = math.log(measured[1] / measured[0]) / decades
    yield case.within(
        "slope of log regret by log time", -1.0, slope,
        0.02 + Z * math.hypot(*errors) / decades, f"0.02 + {Z:g} errors",
    )  # fmt: skip


@result(
    "T62",
    "With an entropy bonus policies approach softmax(r/tau) exponentially (Mei 2020)",
    replicates=60,
    quick=3,
    settings=[
        {"entropy": 0.4, "rewards": (1.0, 0.0)},
        {"entropy": 0.5, "rewards": (1.0, 0.6, 0.0)},
    ],
)
def entropy_bonus(case: Case, entropy: float, rewards: tuple[float, ...]) -> Iterator[Row]:
    """Measure the way to the fixed point, by mean policies, and the rest at it.

    Steps are so small that the mean follows the flow, but for what the spread of the logits
    adds: half its variance times the curvature of a policy, at most 1/(6 sqrt 3), is the bias.
    """
    rate, arms = 0.01, len(rewards)
    one = arms == 2
    fixed = entropy_fixed_point(list(rewards), entropy)
    speed = entropy_approach_rate(list(rewards), entropy, rate)
    mind = {"learning": "reinforce", "learning_rate": rate * (2.0 if one else 1.0),
            "entropy": entropy}  # fmt: skip
    arm = {f"arm{k}": r for k, r in enumerate(rewards)}
    for times in (0.5, 1.0, 8.0):
        episodes = round(times / speed)
        data = bandit(100, arm, np.zeros(1 if one else arms), mind, episodes=episodes)
        lives = case.engine(data).step(last=True)
        logits = lives.learned.reshape(-1, 1 if one else arms)
        if one:
            logits = np.column_stack([logits[:, 0], np.zeros(len(logits))])
        policy = np.exp(logits - logits.max(axis=1, keepdims=True))
        first = (policy / policy.sum(axis=1, keepdims=True))[:, 0]
        flow = float(softmax_gradient_flow(np.zeros(arms), list(rewards), rate, [episodes],
                                           entropy)[0, 0])  # fmt: skip
        spread = float(logits.var(axis=0).sum())
        want = flow if times < 8.0 else float(fixed[0])
        label = "the flow" if times < 8.0 else "softmax(r/tau)"
        yield case.mean(
            f"best arm after {times:g} relaxation times, {label}", want, first,
            bias=0.5 * spread / (6.0 * math.sqrt(3.0)) + 0.25 * rate + abs(flow - want),
        )  # fmt: skip


@result(
    "T63",
    "A softmax policy gradient never stops trying a single other action (Mei 2024)",
    replicates=40,
    quick=6,
    settings=[
        {"q0": 0.2, "step": 1.0, "episodes": 8_000},
        {"q0": 0.5, "step": 0.5, "episodes": 8_000},
    ],
    quick_settings=[{"q0": 0.2, "step": 1.0, "episodes": 4_000}],
)
def tries_go_on(case: Case, q0: float, step: float, episodes: int) -> Iterator[Row]:
    """Count tries of the action that never pays, by payoff, which learners do not receive.

    Lives without any become rare as a power law; tries go on by ln 2/(2 eta r) whenever time
    doubles; the chance of a try is O(1/t), 1/(2 eta r t), not exponentially small.
    """
    margin = float(np.float32(math.log((1.0 - q0) / q0)))
    x = np.empty(episodes + 1)
    x[0] = margin
    for n in range(episodes):
        x[n + 1] = x[n] + 2.0 * step / (1.0 + math.exp(x[n]))
    chance = 1.0 / (1.0 + np.exp(x))
    mind = {"learning": "reinforce", "learning_rate": 2.0 * step}
    lived = {}
    for n in (episodes // 8, episodes // 2, episodes):
        data = bandit(100, {"default": 1.0, "other": 0.0}, np.array([margin]), mind, episodes=n)
        data["context"][0]["payoff"] = {"other": 1.0}
        lives = case.engine(data).step(last=True)
        lived[n] = lives.payoff.ravel()
        exact = float(key_never_hit(1, margin, step, n))
        yield case.proportion(
            f"no try in {n} episodes", exact, int((lived[n] == 0).sum()), lived[n].size
        )
    law = {n: tries(chance, n) for n in lived}
    mean = {n: float(share @ np.arange(share.size)) for n, share in law.items()}
    # The same lives: the shorter ones are the beginning of the longer.
    later = lived[episodes] - lived[episodes // 2]
    more = mean[episodes] - mean[episodes // 2]
    yield case.mean("tries in the second half of life, exact law", more, later)
    limit = math.log(2.0) / (2.0 * step)
    yield case.mean(
        "tries in the second half of life, ln 2/(2 eta r)", limit, later, bias=limit - more
    )
    p, sd = _moments(chance, law[episodes], episodes)
    left = 1.0 / (1.0 + np.exp(lives.learned.ravel()))
    yield case.mean("chance of a try times t, exact law", p * episodes, left * episodes,
                    sd=sd * episodes)  # fmt: skip
    yield case.mean(
        "chance of a try times t, 1/(2 eta r)", 0.5 / step, left * episodes, sd=sd * episodes,
        bias=p * episodes - 0.5 / step,
    )  # fmt: skip
