"""Expected learning updates of small tabular worlds, exactly: REINFORCE and Cross.

Sources: Williams 1992 (Mach. Learn. 8:229); Sutton, McAllester, Singh & Mansour 2000; Sutton &
Barto 2018, chapter 13; Cross 1973 (Q. J. Econ. 87:239); Borgers & Sarin 1997 (J. Econ. Theory
77:1). Results T57-T59.

A policy is softmax(logits[s]). Where logits are linear in cues, logits = cue @ W.T, the update of
W is `update.T @ cue`, by the chain rule.
"""

import numpy as np
import numpy.typing as npt

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray
from evosim.oracles.trajectories import (
    TabularWorld,
    action_values,
    enumerate_trajectories,
    policy_of,
    softmax_policy,
)


def reinforce_expected_update(
    world: TabularWorld, logits: npt.ArrayLike, learning_rate: float, baseline: float = 0.0
) -> FloatArray:
    """Mean REINFORCE update of one episode, by enumeration (Williams 1992; result T57).

    E[alpha (R - b) grad log P(actions)], which equals alpha grad J whatever the baseline b.

    Parameters
    ----------
    world : TabularWorld
        The world.
    logits : array of shape (S, A)
        Preferences of the softmax policy.
    learning_rate : float
        alpha, per unit of reward.
    baseline : float
        b, in units of reward.

    Returns
    -------
    array of shape (S, A)
        Expected change of the logits.

    Raises
    ------
    ValueError
        If shapes differ or there are more than MAX_TRAJECTORIES.
    """
    alpha = _checks.number("learning_rate", learning_rate)
    paths = enumerate_trajectories(world, logits)
    advantage = paths.returns - _checks.number("baseline", baseline)
    weight = alpha * paths.probability * advantage
    return np.asarray(np.tensordot(weight, paths.score, axes=1), dtype=np.float64)


def optimal_baseline(world: TabularWorld, logits: npt.ArrayLike) -> float:
    """Baseline of least update variance: b = E[R |g|^2] / E[|g|^2] (result T57).

    Parameters
    ----------
    world : TabularWorld
        The world.
    logits : array of shape (S, A)
        Preferences of the softmax policy.

    Returns
    -------
    float
        b, in units of reward.

    Raises
    ------
    ValueError
        If shapes differ, there are too many trajectories, or every score is zero.
    """
    paths = enumerate_trajectories(world, logits)
    weight = paths.probability * np.sum(paths.score**2, axis=(1, 2))
    if weight.sum() <= 0.0:
        raise ValueError("every score is zero, so every baseline is equally good")
    return float(weight @ paths.returns / weight.sum())


def reinforce_variance(
    world: TabularWorld, logits: npt.ArrayLike, learning_rate: float, baseline: float = 0.0
) -> FloatArray:
    """Variance of the REINFORCE update of one episode, per logit, by enumeration.

    Parameters
    ----------
    world, logits, learning_rate, baseline
        As in `reinforce_expected_update`.

    Returns
    -------
    array of shape (S, A)
        Variance of the change of each logit: the tolerance of a Monte-Carlo mean follows from it.

    Raises
    ------
    ValueError
        If shapes differ or there are more than MAX_TRAJECTORIES.
    """
    mean = reinforce_expected_update(world, logits, learning_rate, baseline)
    paths = enumerate_trajectories(world, logits)
    update = learning_rate * (paths.returns - baseline)[:, None, None] * paths.score
    return np.asarray(np.tensordot(paths.probability, (update - mean) ** 2, 1), dtype=np.float64)


def policy_gradient(world: TabularWorld, logits: npt.ArrayLike) -> FloatArray:
    """Gradient of J by the policy-gradient theorem (Sutton et al. 2000), without trajectories.

    grad J[s, a] = sum_t P(s_t = s) pi(a|s) (Q_t(s, a) - V_t(s)).

    Parameters
    ----------
    world : TabularWorld
        The world.
    logits : array of shape (S, A)
        Preferences of the softmax policy.

    Returns
    -------
    array of shape (S, A)
        Gradient with respect to the logits, in units of reward.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    policy = policy_of(world, logits)
    advantages = []
    value = np.zeros(policy.shape[0])
    for _ in range(world.steps):
        action_value = action_values(world, value)
        value = np.sum(policy * action_value, axis=1)
        advantages.append(action_value - value[:, None])
    gradient = np.zeros(policy.shape)
    visited = world.start
    for advantage in reversed(advantages):
        visited = np.where(world.ends(), 0.0, visited)
        gradient += visited[:, None] * policy * advantage
        visited = np.einsum("s,sa,sat->t", visited, policy, world.transition)
    return gradient


def reinforce_update(
    logits: npt.ArrayLike,
    states: npt.ArrayLike,
    actions: npt.ArrayLike,
    episode_return: float,
    learning_rate: float,
    baseline: float = 0.0,
) -> FloatArray:
    """Logits after one realised episode: theta + alpha (R - b) sum_t grad log pi(a_t|s_t).

    Scaling R - b by c is scaling alpha by c (result T58), to the bit when c is a power of two.

    Parameters
    ----------
    logits : array of shape (S, A)
        Preferences at the start of the episode.
    states, actions : int arrays of shape (T,)
        States visited and actions taken.
    episode_return : float
        R, the episode's sum of rewards.
    learning_rate : float
        alpha.
    baseline : float
        b.

    Returns
    -------
    array of shape (S, A)
        New logits.

    Raises
    ------
    ValueError
        If shapes differ or an index is out of range.
    """
    policy = softmax_policy(logits)
    s, a = np.asarray(states), np.asarray(actions)
    for name, index, top in (("states", s, policy.shape[0]), ("actions", a, policy.shape[1])):
        if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
            raise ValueError(f"{name} must be an integer array of shape (T,)")
        if index.size and (index.min() < 0 or index.max() >= top):
            raise ValueError(f"{name} must lie in 0..{top - 1}")
    if s.shape != a.shape:
        raise ValueError("states and actions must have the same length")
    score = np.zeros(policy.shape)
    np.add.at(score, s, -policy[s])
    np.add.at(score, (s, a), 1.0)
    size = _checks.number("learning_rate", learning_rate) * (
        _checks.number("episode_return", episode_return) - _checks.number("baseline", baseline)
    )
    return np.asarray(logits, dtype=np.float64) + size * score


def span_residual(displacement: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Distance of a displacement from the span of the executed scores (result T58).

    Parameters
    ----------
    displacement : array of shape (P,)
        theta_T - theta_0, flattened.
    scores : array of shape (K, P)
        Gradients of log pi of the executed steps with non-zero reward.

    Returns
    -------
    float
        Euclidean norm of the part outside the span; 0 up to rounding for REINFORCE.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    target = _checks.array("displacement", displacement, 1)
    basis = _checks.array("scores", scores, 2)
    if basis.shape[1] != target.size:
        raise ValueError(f"scores must have shape (K, {target.size})")
    weight = np.linalg.lstsq(basis.T, target, rcond=None)[0]
    return float(np.linalg.norm(target - basis.T @ weight))


def cross_update(
    policy: npt.ArrayLike, action: int, reward: float, learning_rate: float
) -> FloatArray:
    """Cross learning: p_a += theta u (1 - p_a), p_b -= theta u p_b (Cross 1973).

    Parameters
    ----------
    policy : array of shape (A,)
        Action probabilities.
    action : int
        Action taken.
    reward : float
        u in [0, 1].
    learning_rate : float
        theta in [0, 1].

    Returns
    -------
    array of shape (A,)
        New probabilities.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    p = _checks.distribution("policy", policy)
    action = _checks.integer("action", action, 0)
    if action >= p.size:
        raise ValueError(f"action must be below {p.size}, not {action}")
    size = _checks.probability("learning_rate", learning_rate)
    size *= _checks.probability("reward", reward)
    return np.asarray(p + size * (np.eye(p.size)[action] - p), dtype=np.float64)


def cross_expected_change(
    policy: npt.ArrayLike, reward: npt.ArrayLike, learning_rate: float
) -> FloatArray:
    """Mean Cross update is replicator dynamics, E[dp_a] = theta p_a (u_a - ubar).

    Borgers & Sarin 1997; result T59.

    Parameters
    ----------
    policy : array of shape (A,)
        Action probabilities.
    reward : array of shape (A,)
        Expected reward per action, in [0, 1].
    learning_rate : float
        theta in [0, 1].

    Returns
    -------
    array of shape (A,)
        Expected change, summing to zero.

    Raises
    ------
    ValueError
        If shapes differ or an argument is out of range.
    """
    p = _checks.distribution("policy", policy)
    u = _checks.array("reward", reward, 1, 0.0)
    _checks.same_length(policy=p, reward=u)
    if np.any(u > 1.0):
        raise ValueError("reward must lie in [0, 1]")
    return _checks.probability("learning_rate", learning_rate) * p * (u - p @ u)
