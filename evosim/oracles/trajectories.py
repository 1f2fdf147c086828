"""Small worlds with known outcomes: every trajectory of an episode, and backward induction.

Source: Sutton & Barto 2018, chapters 3, 4 and 13. Used by `evosim.oracles.learning` for result
T57; a policy is softmax(logits[s]).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray

MAX_TRAJECTORIES = 500_000
"""Largest number of trajectories that is enumerated."""


@dataclass(frozen=True, eq=False)
class TabularWorld:
    """A finite world with known outcomes, for exact enumeration.

    Parameters
    ----------
    transition : array of shape (S, A, S)
        Probability of the next state, summing to one over the last axis.
    reward : array of shape (S, A) or (S, A, S)
        Reward per action, or per action and next state.
    start : array of shape (S,)
        Distribution of the first state.
    steps : int
        Actions per episode T >= 1, fewer if a terminal state is reached.
    terminal : bool array of shape (S,), optional
        States in which the episode ends on arrival; none by default.

    Raises
    ------
    ValueError
        If shapes differ or probabilities do not sum to one.
    """

    transition: FloatArray
    reward: FloatArray
    start: FloatArray
    steps: int
    terminal: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check the arrays and bring `reward` and `terminal` to their full shapes."""
        move = _checks.array("transition", self.transition, 3, 0.0)
        states = move.shape[0]
        if move.shape[2] != states or np.any(np.abs(move.sum(axis=2) - 1.0) > _checks.ROUNDING):
            raise ValueError("transition must have shape (S, A, S) and sum to 1 over its last axis")
        reward = np.asarray(self.reward, dtype=np.float64)
        if reward.shape == move.shape[:2]:
            reward = np.repeat(reward[:, :, None], states, axis=2)
        if reward.shape != move.shape or not np.all(np.isfinite(reward)):
            raise ValueError("reward must be finite, of shape (S, A) or (S, A, S)")
        start = _checks.distribution("start", self.start)
        ends = np.zeros(states) if self.terminal is None else self.terminal
        terminal = np.asarray(ends, dtype=bool)
        if start.shape != (states,) or terminal.shape != (states,):
            raise ValueError(f"start and terminal must have shape ({states},)")
        fields = {
            "transition": move,
            "reward": reward,
            "start": start,
            "steps": _checks.integer("steps", self.steps, 1),
            "terminal": terminal,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def ends(self) -> npt.NDArray[np.bool_]:
        """Return the terminal flags, shape (S,)."""
        return np.asarray(self.terminal, dtype=bool)


class Trajectories(NamedTuple):
    """All trajectories of an episode: M probabilities, M returns, scores of shape (M, S, A).

    The score is the gradient with respect to the logits of the log-probability of the actions.
    """

    probability: FloatArray
    returns: FloatArray
    score: FloatArray


def softmax_policy(logits: npt.ArrayLike) -> FloatArray:
    """Softmax over the last axis of logits.

    Parameters
    ----------
    logits : array of shape (S, A)
        Preferences, without unit.

    Returns
    -------
    array of shape (S, A)
        Action probabilities per state.

    Raises
    ------
    ValueError
        If `logits` is not a finite matrix.
    """
    x = _checks.array("logits", logits, 2)
    weight = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float64)


def policy_of(world: TabularWorld, logits: npt.ArrayLike) -> FloatArray:
    """Return the softmax policy of `logits`, checked to fit the world.

    Parameters
    ----------
    world : TabularWorld
        The world.
    logits : array of shape (S, A)
        Preferences, without unit.

    Returns
    -------
    array of shape (S, A)
        Action probabilities per state.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    policy = softmax_policy(logits)
    if policy.shape != world.transition.shape[:2]:
        raise ValueError(f"logits must have shape {world.transition.shape[:2]}")
    return policy


def enumerate_trajectories(world: TabularWorld, logits: npt.ArrayLike) -> Trajectories:
    """List every trajectory of one episode with its probability, return and score.

    Parameters
    ----------
    world : TabularWorld
        The world.
    logits : array of shape (S, A)
        Preferences of the softmax policy.

    Returns
    -------
    Trajectories
        Undiscounted returns; probabilities sum to one.

    Raises
    ------
    ValueError
        If shapes differ or there are more than MAX_TRAJECTORIES.
    """
    policy = policy_of(world, logits)
    joint = policy[:, :, None] * world.transition
    # score[s, a] of taking action a in state s: one-hot(a) - pi(s), in row s only.
    step_score = np.eye(policy.shape[1])[None, :, :] - policy[:, None, :]
    state: npt.NDArray[np.int64] = np.flatnonzero(world.start > 0.0)
    probability: FloatArray = world.start[state]
    returns: FloatArray = np.zeros(state.size)
    score = np.zeros((state.size, *policy.shape))
    done = []
    for _ in range(world.steps):
        over = world.ends()[state]
        done.append((probability[over], returns[over], score[over]))
        state, probability = state[~over], probability[~over]
        returns, score = returns[~over], score[~over]
        index, action, following = np.nonzero(joint[state] > 0.0)
        if index.size + sum(part[0].size for part in done) > MAX_TRAJECTORIES:
            raise ValueError(f"more than {MAX_TRAJECTORIES} trajectories")
        here = state[index]
        probability = probability[index] * joint[here, action, following]
        returns = returns[index] + world.reward[here, action, following]
        score = score[index]
        score[np.arange(index.size), here] += step_score[here, action]
        state = following
    done.append((probability, returns, score))
    return Trajectories(
        np.concatenate([part[0] for part in done]),
        np.concatenate([part[1] for part in done]),
        np.concatenate([part[2] for part in done]),
    )


def expected_return(world: TabularWorld, logits: npt.ArrayLike) -> float:
    """Return J expected of a policy, by backward induction (Sutton & Barto 2018, ch. 4).

    Parameters
    ----------
    world : TabularWorld
        The world.
    logits : array of shape (S, A)
        Preferences of the softmax policy.

    Returns
    -------
    float
        J, in units of reward per episode.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    policy = policy_of(world, logits)
    value = np.zeros(policy.shape[0])
    for _ in range(world.steps):
        value = np.sum(policy * action_values(world, value), axis=1)
    return float(np.where(world.ends(), 0.0, value) @ world.start)


def action_values(world: TabularWorld, value: npt.ArrayLike) -> FloatArray:
    """One step of backward induction: Q[s, a] = E[reward + value of the next state].

    Parameters
    ----------
    world : TabularWorld
        The world.
    value : array of shape (S,)
        Return still to come in each state; ignored in terminal states, which yield nothing.

    Returns
    -------
    array of shape (S, A)
        Expected return of each action, in units of reward.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    value = _checks.array("value", value, 1)
    _checks.same_length(value=value, transition=world.transition)
    ahead = np.where(world.ends(), 0.0, value)
    return np.asarray(np.sum(world.transition * (world.reward + ahead), axis=2), dtype=np.float64)
