"""Small worlds to learn in, as scenarios and as the oracles see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.lives import Lives
from evosim.oracles import TabularWorld, policy_gradient
from evosim.validate.models import NEUTRAL, Data, scenario

F64 = npt.NDArray[np.float64]

#: Live states of the Markov decision process; a further one ends the episode.
STATES = 3


def process(actions: int) -> TabularWorld:
    """Return three states, chance moves, one way out, rewards by state, action and next state."""
    move = np.zeros((STATES + 1, actions, STATES + 1))
    reward = np.zeros_like(move)
    for s in range(STATES):
        for a in range(actions):
            first, second = (s + a) % (STATES + 1), (s + 1 + 2 * a) % (STATES + 1)
            move[s, a, first] += 0.625
            move[s, a, second] += 0.375
            reward[s, a, first] = 1.0 + s - 0.5 * a
            reward[s, a, second] = 0.25 * a - 1.0
    move[STATES, :, STATES] = 1.0
    start = np.array([1.0, 0.0, 0.0, 0.0])
    return TabularWorld(move, reward, start, STATES, np.arange(STATES + 1) == STATES)


def process_scenario(world: TabularWorld, agents: int, weights: F64, mind: Data) -> Data:
    """Return the process as a graph in which agents perceive the state, payoff = reward."""
    names = [f"s{s}" for s in range(STATES)] + ["end"]
    actions = [f"a{a}" for a in range(world.transition.shape[1])]
    transitions = [
        {
            "from": names[s], "action": actions[a], "to": names[t],
            "p": float(world.transition[s, a, t]),
            "payoff": float(world.reward[s, a, t]), "reward": float(world.reward[s, a, t]),
        }
        for s in range(STATES)
        for a in range(len(actions))
        for t in np.flatnonzero(world.transition[s, a])
    ]  # fmt: skip
    return scenario(
        agents,
        world={
            "kind": "graph", "actions": actions, "start": names[0], "steps": world.steps,
            "episodes": mind.pop("episodes", 1), "transitions": transitions,
        },
        context=[{"name": "only", "frequency": 1.0}],
        cues={"state": {"one_hot": "state"}},
        mind={"learning": "reinforce", **mind},
        genome={"policy": {"initial": {"value": weights.tolist()}}},
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )  # fmt: skip


def logits_of(weights: F64, actions: int) -> F64:
    """Return the oracle's (S, A) logits of a policy gene over one-hot states.

    Two actions have one weight per state, the logit of the first; more have one per action.
    """
    logits = np.zeros((STATES + 1, actions))
    if actions == 2:
        logits[:STATES, 0] = weights
    else:
        logits[:STATES] = weights.reshape(actions, STATES).T
    return logits


def by_weight(table: F64) -> F64:
    """Return per-logit numbers (..., S, A) in the order of the policy gene's loci."""
    live = table[..., :STATES, :]
    if live.shape[-1] == 2:
        return np.asarray(live[..., 0])
    return np.asarray(np.swapaxes(live, -1, -2).reshape(*live.shape[:-2], -1))


def gradient(world: TabularWorld, weights: F64) -> F64:
    """Return the gradient of the return by the policy gene's loci."""
    actions = world.transition.shape[1]
    return by_weight(policy_gradient(world, logits_of(weights, actions)))


def acts_by_state(engine: Engine, lives: Lives) -> F64:
    """Return (R * N, S, A) how often each action was done in each live state."""
    tracked, world = engine.resolved.tracked, engine.resolved.world
    assert world is not None
    counts = lives.acts.reshape(-1, tracked.percept.size, len(world.actions)).astype(np.float64)
    out = np.zeros((counts.shape[0], STATES + 1, counts.shape[2]))
    for slot, percept in enumerate(tracked.percept):
        state = int(np.flatnonzero(world.percept_cue[percept])[0])
        out[:, state] = counts[:, slot]
    return out


def bandit(
    agents: int, rewards: dict[str, Any], policy: F64, mind: Data, *, episodes: int = 1
) -> Data:
    """Return a bandit of one state; `rewards` by action, numbers or chances."""
    return scenario(
        agents,
        world={"kind": "bandit", "actions": list(rewards), "episodes": episodes},
        context=[{"name": "only", "frequency": 1.0, "reward": rewards}],
        cues={"bias": 1.0},
        mind=mind,
        genome={"policy": {"initial": {"value": policy.tolist()}}},
        selection={"kind": "wright-fisher", "fitness": NEUTRAL},
    )
