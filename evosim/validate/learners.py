"""Learners: REINFORCE is gradient ascent, Cross learning a replicator (T57-T59, T61, T66).

Williams 1992; Sutton & Barto 2018; Cross 1973; Borgers & Sarin 1997; Norman 1968. The engine's
own kernels live the lives; sums over trajectories and actions are exact, means are sampled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evosim.lives import Lives
from evosim.oracles import (
    cross_expected_change,
    cross_update,
    enumerate_trajectories,
    reward_inaction_absorption_exact,
    softmax_gradient_logit,
    softmax_gradient_time,
    softmax_policy,
    span_residual,
)
from evosim.validate.episodes import (
    acts_by_state,
    bandit,
    by_weight,
    gradient,
    logits_of,
    process,
    process_scenario,
)
from evosim.validate.models import NEUTRAL, Data, scenario
from evosim.validate.suite import ROUNDING, Case, Row, result

F64 = npt.NDArray[np.float64]

#: Start of the policies; exact in float32, as genomes are.
START = np.array([0.5, -0.25, 0.125, -0.5, 0.75, 0.25, 0.0, 0.375, -1.0])


def change(lives: Lives) -> F64:
    """Return (R * N, V) what each agent learned."""
    return (lives.learned - lives.born).reshape(-1, lives.born.shape[2])


@result(
    "T57",
    "Mean REINFORCE update is the rate times the gradient of the return (Williams 1992)",
    replicates=200,
    quick=60,
    settings=[{"actions": 2}, {"actions": 3}],
)
def reinforce_gradient(case: Case, actions: int) -> Iterator[Row]:
    """Compare the updates of single episodes with the gradient of the return."""
    rate, agents = 0.5, 1_000
    world = process(actions)
    weights = START[: 3 if actions == 2 else 9]
    mind: Data = {"learning_rate": rate}
    engine = case.engine(process_scenario(world, agents, weights, mind))
    lives = engine.step(last=True)
    logits = logits_of(weights, actions)
    counts = acts_by_state(engine, lives)
    scores = counts - counts.sum(axis=2, keepdims=True) * softmax_policy(logits)
    returns = lives.payoff.ravel()
    updates = change(lives)
    predicted = rate * returns[:, None] * by_weight(scores)
    yield case.error(
        "update of each life against rate * return * score",
        float(np.abs(updates - predicted).max() / np.abs(predicted).max()),
    )
    # Every trajectory that some agent lived, weighted by its probability.
    paths = enumerate_trajectories(world, logits)
    seen = {
        (*np.round(score.ravel(), 9), round(total, 9)): update
        for score, total, update in zip(scores, returns, updates, strict=True)
    }
    keys = [
        (*np.round(score.ravel(), 9), round(total, 9))
        for score, total in zip(paths.score, paths.returns, strict=True)
    ]
    lived = np.array([seen.get(key, np.full(weights.size, np.nan)) for key in keys])
    expected = rate * gradient(world, weights)
    exact = paths.probability @ np.where(paths.returns[:, None] == 0.0, 0.0, lived)
    yield case.error(
        f"sum over {len(keys)} trajectories against the gradient",
        float(np.abs(exact - expected).max() / np.abs(expected).max()),
    )
    along = expected / np.linalg.norm(expected)
    yield case.mean(
        "mean update along the gradient", float(np.linalg.norm(expected)), updates @ along
    )


@result(
    "T57",
    "A baseline that the episode cannot change leaves the mean update as it is (Williams 1992)",
    replicates=400,
    quick=60,
    settings=[{"advantage": "return"}, {"advantage": "centred"}],
)
def reinforce_baseline(case: Case, advantage: str) -> Iterator[Row]:
    """Measure the mean change over two episodes, with and without a baseline.

    The second of two episodes has the first one's return as its baseline when centred.
    """
    rate, agents, actions = 0.5, 1_000, 2
    world, weights = process(actions), START[:3]
    mind: Data = {"learning_rate": rate, "advantage": advantage, "episodes": 2}
    lives = case.engine(process_scenario(world, agents, weights, mind)).step(last=True)
    paths = enumerate_trajectories(world, logits_of(weights, actions))
    steps = rate * paths.returns[:, None] * by_weight(paths.score)
    after = np.array([gradient(world, weights + step) for step in steps])
    expected = paths.probability @ (steps + rate * after)
    updates = change(lives)
    for k in range(weights.size):
        yield case.mean(f"mean change in state {k}, two episodes", expected[k], updates[:, k])


def _walk(reward: float, mind: Data, *, one_hot: bool) -> Data:
    """Return a paid walk over three states and a silent one over two, and a state nobody meets."""
    states = ["p0", "p1", "p2", "q0", "q1", "away"]
    step = [
        {"from": a, "action": action, "to": b, "p": 0.5, "reward": reward * paid * (k + 1)}
        for a, to, paid in (
            ("p0", ("p1", "p2"), 0.25), ("p1", ("p2", "p0"), 0.125), ("p2", ("p0", "p1"), 0.0625),
            ("q0", ("q1", "q0"), 0.0), ("q1", ("q0", "q1"), 0.0), ("away", ("p0", "q0"), 0.5),
        )
        for k, action in enumerate(("x", "y"))
        for b in to
    ]  # fmt: skip
    draw = np.random.default_rng(7).normal(size=(8, len(states)))
    dense = {
        f"c{f}": {"states": dict(zip(states, map(float, row), strict=True))}
        for f, row in enumerate(draw)
    }
    return scenario(
        20,
        world={
            "kind": "graph", "actions": ["x", "y"], "start": "p0", "steps": 4, "episodes": 40,
            "transitions": step,
        },
        context=[
            {"name": "paid", "frequency": 0.5},
            {"name": "silent", "frequency": 0.5, "start": "q0"},
        ],
        cues={"state": {"one_hot": "state"}} if one_hot else dense,
        mind=mind,
        genome={"policy": {"initial": {"normal": [0.0, 0.5]}}},
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )  # fmt: skip


@result(
    "T58",
    "Scaling rewards by c is scaling the rate by c, along whole lives (Williams 1992)",
    replicates=20,
    quick=4,
    settings=[{"rule": "reinforce"}, {"rule": "cross"}],
)
def reward_scale(case: Case, rule: str) -> Iterator[Row]:
    """Compare lives with scaled rewards and lives with scaled rates."""

    def learned(reward: float, rate: float) -> F64:
        mind = {"learning": rule, "learning_rate": rate}
        engine = case.engine(_walk(reward, mind, one_hot=False))
        return engine.step(last=True).learned

    base = learned(1.0, 0.125)
    for c in (0.25, 0.5):
        off = learned(c, 0.125 / c) != base
        yield case.error(f"numbers that differ in any bit, c = {c:g}", float(off.sum()), 0.0)
    other = learned(0.7, 0.125 / 0.7)
    yield case.error("relative error, c = 0.7", float(np.abs(other / base - 1.0).max()))


@result(
    "T58",
    "Learning moves only along cues of what was executed and rewarded (Sutton & Barto 2018)",
    replicates=20,
    quick=4,
)
def executed_span(case: Case) -> Iterator[Row]:
    """Look for learning along cues that were not met, or not rewarded."""
    mind = {"learning": "reinforce", "learning_rate": 0.5}
    engine = case.engine(_walk(1.0, mind, one_hot=False))
    resolved = engine.resolved
    assert resolved.world is not None
    lives = engine.step(last=True)
    done = lives.acts.reshape(-1, resolved.tracked.context.size, 2).sum(axis=(0, 2))
    paid = resolved.tracked.percept[(resolved.tracked.context == 0) & (done > 0)]
    cues = resolved.world.percept_cue[paid].astype(np.float64)
    moved = change(lives)
    residual = max(span_residual(one, cues) for one in moved)
    yield case.error(
        f"part outside {len(cues)} of {cues.shape[1]} dimensions",
        residual / float(np.linalg.norm(moved, axis=1).max()),
        1e-10,
        "largest change",
    )
    engine = case.engine(_walk(1.0, mind, one_hot=True))
    assert engine.resolved.world is not None
    moved = change(engine.step(last=True))
    names = engine.resolved.world.cue_names
    idle = [k for k, name in enumerate(names) if not name.startswith("state=p")]
    yield case.error(
        f"change of {len(idle)} weights without reward", float(np.abs(moved[:, idle]).max()), 0.0
    )


@result(
    "T59",
    "Mean Cross update is replicator dynamics (Cross 1973; Borgers & Sarin 1997)",
    replicates=200,
    quick=40,
    settings=[{"actions": 2}, {"actions": 3}],
)
def cross_replicator(case: Case, actions: int) -> Iterator[Row]:
    """Compare Cross learning's updates with the replicator."""
    rate, agents = 0.25, 1_000
    mind = {"learning": "cross", "learning_rate": rate}
    u = np.array([0.875, 0.25, 0.5])[:actions]
    policy = START[: 1 if actions == 2 else 3]
    names = [f"a{k}" for k in range(actions)]
    engine = case.engine(bandit(agents, dict(zip(names, u.tolist(), strict=True)), policy, mind))
    lives = engine.step(last=True)
    p = lives.born[0, 0]
    done = lives.acts.reshape(-1, actions).argmax(axis=1)
    moved = change(lives)
    each = np.array([moved[done == a][0] for a in range(actions)])
    predicted = np.array([cross_update(p, a, u[a], rate) - p for a in range(actions)])
    yield case.error(
        "update of each life against Cross's rule", float(np.abs(moved - predicted[done]).max())
    )
    expected = cross_expected_change(p, u, rate)
    yield case.error(
        "sum over actions against the replicator", float(np.abs(p @ each - expected).max())
    )
    chances = {name: {"p": float(x), "value": 1.0} for name, x in zip(names, u, strict=True)}
    moved = change(case.engine(bandit(agents, chances, policy, mind)).step(last=True))
    for a in range(actions):
        yield case.mean(f"mean change of action {a}, chance rewards", expected[a], moved[:, a])


def _rewarded_chain(x0: float, step: float, episodes: int) -> tuple[F64, F64]:
    """Return logits after 0, 1, ... rewarded choices, and their exact distribution at the end.

    The worse arm pays nothing and moves nothing, so the logit only knows how often the better
    one was chosen.
    """
    x = np.empty(episodes + 1)
    x[0] = x0
    for k in range(episodes):
        x[k + 1] = x[k] + step / (1.0 + math.exp(x[k]))
    better = 1.0 / (1.0 + np.exp(-x))
    share = np.zeros(episodes + 1)
    share[0] = 1.0
    for _ in range(episodes):
        moves = share * better
        share -= moves
        share[1:] += moves[:-1]
    return x, share


@result(
    "T61",
    "Softmax REINFORCE on two arms follows sinh x + x = const + eta D t (result T61)",
    replicates=40,
    quick=8,
    settings=[{"p0": 0.05, "episodes": 2_000}, {"p0": 0.05, "episodes": 4_000}],
    quick_settings=[{"p0": 0.05, "episodes": 2_000}],
)
def plateau_sampled(case: Case, p0: float, episodes: int) -> Iterator[Row]:
    """Measure the mean logit of many learners on the plateau.

    A small step leaves sampling noise, whose exact effect on the mean is the bias.
    """
    rate, gap = 0.02, 0.5
    x0 = float(np.float32(math.log(p0 / (1.0 - p0))))
    mind = {"learning": "reinforce", "learning_rate": rate}
    data = bandit(100, {"good": gap, "bad": 0.0}, np.array([x0]), mind, episodes=episodes)
    lives = case.engine(data).step(last=True)
    x, share = _rewarded_chain(x0, rate * gap, episodes)
    mean = float(share @ x)
    sd = math.sqrt(float(share @ (x - mean) ** 2))
    yield case.mean("mean logit, exact chain", mean, lives.learned, sd=sd)
    # One logit stands for two: half the rate of the oracle's.
    flow = float(softmax_gradient_logit(x0, gap, rate / 2.0, episodes))
    yield case.mean("mean logit, gradient flow", flow, lives.learned, sd=sd, bias=mean - flow)


@result(
    "T61",
    "The plateau: from p0 to one half takes about 1/(2 p0 eta D) (result T61)",
    replicates=1,
    quick=1,
    settings=[{"p0": 0.1}, {"p0": 0.01}],
)
def plateau_expected(case: Case, p0: float) -> Iterator[Row]:
    """Iterate the mean update of the kernel itself: no sampling is left.

    The kernel's own update of each action, weighted by the policy: no sampling is left. A step
    from x to x + f is off the flow's clock by half of sinh(x) f^2, the bias.
    """
    rate, gap, agents = 0.2, 0.5, round(40 / p0)
    mind = {"learning": "reinforce", "learning_rate": rate}
    x0 = x = math.log(p0 / (1.0 - p0))
    clock = rate * gap / 2.0
    engine = case.engine(bandit(agents, {"good": gap, "bad": 0.0}, np.array([x]), mind))
    exact = softmax_gradient_time(x0, 0.0, gap, rate / 2.0)
    time = off = 0.0
    while x < 0.0 and time < 2.0 * exact:
        engine.population.real[:] = x
        lives = engine.step(last=True)
        chosen = lives.acts[0, :, 0] == 1
        moved = change(lives)[:, 0]
        p = 1.0 / (1.0 + math.exp(-x))
        f = p * float(moved[chosen][0]) + (1.0 - p) * float(moved[~chosen][0])
        off += 0.5 * abs(math.sinh(x)) * f * f / clock
        # The last step counts by the part of it that was needed.
        time += min(1.0, -x / f)
        x += f
        # Other draws, so that both actions are met again.
        engine.generation += 1
    rounding = float(np.spacing(np.float32(abs(x0)))) * time
    yield case.within(
        "episodes until 1/2", exact, time,
        off + rounding + 1.0, "Euler's bias + 1 step",
    )  # fmt: skip


@result(
    "T66",
    "Linear reward-inaction ends at arm 1 with a known probability (Norman 1968)",
    replicates=40,
    quick=8,
    settings=[
        {"d1": 0.52, "d2": 0.5, "rate": 0.05, "p": 0.5},
        {"d1": 0.52, "d2": 0.5, "rate": 0.05, "p": 0.1},
        {"d1": 0.55, "d2": 0.5, "rate": 0.1, "p": 0.2},
        {"d1": 1.0, "d2": 0.9, "rate": 0.1, "p": 0.1},
        {"d1": 0.5, "d2": 0.5, "rate": 0.1, "p": 0.3},
    ],
    quick_settings=[
        {"d1": 0.55, "d2": 0.5, "rate": 0.1, "p": 0.2},
        {"d1": 1.0, "d2": 0.9, "rate": 0.1, "p": 0.1},
    ],
)
def reward_inaction(case: Case, d1: float, d2: float, rate: float, p: float) -> Iterator[Row]:
    """Measure how often Cross learning ends at the better arm.

    p(1 - p) shrinks by at least rate^2 min(d) a step on average, which bounds what is undecided
    after a life of 12 such times.
    """
    decay = rate**2 * min(d1, d2)
    episodes = math.ceil(12.0 / decay)
    mind = {"learning": "cross", "learning_rate": rate}
    rewards = {"one": {"p": d1, "value": 1.0}, "two": {"p": d2, "value": 1.0}}
    logit = np.array([math.log(p / (1.0 - p))])
    engine = case.engine(bandit(250, rewards, logit, mind, episodes=episodes))
    final = engine.step(last=True).learned[..., 0]
    u = reward_inaction_absorption_exact(d1, d2, rate, p)
    yield case.mean(
        "mean final probability of arm 1", u, final, sd=math.sqrt(u * (1.0 - u)),
        bias=p * (1.0 - p) * math.exp(-decay * episodes) + ROUNDING,
    )  # fmt: skip
