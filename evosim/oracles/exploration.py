"""How long exploration lasts, and what it finds: softmax gradients, epsilon-greedy, outer loops.

Sources: Mei, Xiao, Szepesvari & Schuurmans 2020 (ICML) for rates with true gradients; Mei et al.
2024 for exploration that never ends; elementary derivations otherwise. Results T62, T63, T69 and
S19's outer loop; `lockin` has two arms in closed form (T61) and keys of L steps (T64).
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import integrate, special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


def softmax_gradient_flow(
    logits: npt.ArrayLike,
    reward: npt.ArrayLike,
    learning_rate: float,
    time: npt.ArrayLike,
    entropy: float = 0.0,
) -> FloatArray:
    """Policies under exact softmax policy gradient, with or without entropy bonus (T62).

    d theta_a/dt = eta pi_a (u_a - pi . u), u_a = r_a - tau ln pi_a, the gradient of pi . r plus
    tau times the entropy of pi, integrated to a relative error of about 1e-8. Updates of unit
    time follow it as long as eta times the rewards is small.

    Parameters
    ----------
    logits : array of shape (A,)
        Initial preferences theta.
    reward : array of shape (A,)
        r, expected rewards.
    learning_rate : float
        eta > 0, per update.
    time : array of shape (T,)
        t >= 0, in updates, in any order.
    entropy : float
        tau >= 0, in units of reward.

    Returns
    -------
    array of shape (T, A)
        Action probabilities.

    Raises
    ------
    ValueError
        If shapes differ, an argument is out of range, or the integration fails.
    """
    theta = _checks.array("logits", logits, 1)
    r = _checks.array("reward", reward, 1)
    _checks.same_length(logits=theta, reward=r)
    eta = _checks.number("learning_rate", learning_rate, 0.0, above=True)
    t = _checks.array("time", time, 1, 0.0)
    tau = _checks.number("entropy", entropy, 0.0)

    def slope(_: float, x: FloatArray) -> FloatArray:
        log_policy = special.log_softmax(x)
        policy = np.exp(log_policy)
        advantage = r - tau * log_policy
        return np.asarray(eta * policy * (advantage - policy @ advantage), dtype=np.float64)

    wanted, place = np.unique(t, return_inverse=True)
    if wanted[-1] == 0.0:
        return np.asarray(np.tile(special.softmax(theta), (t.size, 1)), dtype=np.float64)
    path = integrate.solve_ivp(
        slope, (0.0, wanted[-1]), theta, "LSODA", t_eval=wanted, rtol=1e-10, atol=1e-10
    )
    if not path.success:
        raise ValueError(f"the flow could not be integrated: {path.message}")
    return np.asarray(special.softmax(path.y, axis=0).T[place], dtype=np.float64)


def softmax_gradient_gap(arms: int, learning_rate: float, time: npt.ArrayLike) -> FloatArray:
    """Late regret of exact softmax policy gradient: max r - pi . r ~ (A - 1)/(A eta t) (T62).

    Approximation for late times and one best arm. With w_a = pi_a (max r - r_a), to leading order
    d ln pi_a/dt = -eta (sum w + w_a) for every worse arm, so all w_a become 1/(A eta t): the
    regret is O(1/t) and its constant does not depend on the rewards.

    Parameters
    ----------
    arms : int
        A >= 2.
    learning_rate : float
        eta > 0, per update.
    time : array of any shape
        t > 0, in updates.

    Returns
    -------
    array shaped like `time`
        Expected regret per choice, in units of reward.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    count = _checks.integer("arms", arms, 2)
    eta = _checks.number("learning_rate", learning_rate, 0.0, above=True)
    t = _checks.non_negative("time", time)
    if np.any(t == 0.0):
        raise ValueError("time must be positive")
    return np.asarray((count - 1) / (count * eta * t), dtype=np.float64)


def entropy_fixed_point(reward: npt.ArrayLike, entropy: float) -> FloatArray:
    """Policy that maximises pi . r + tau H(pi): softmax(r / tau) (result T62).

    Parameters
    ----------
    reward : array of shape (A,)
        r, expected rewards.
    entropy : float
        tau > 0, in units of reward.

    Returns
    -------
    array of shape (A,)
        Action probabilities at which the flow with entropy rests, from any start.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    r = _checks.array("reward", reward, 1)
    tau = _checks.number("entropy", entropy, 0.0, above=True)
    return np.asarray(special.softmax((r - r.max()) / tau), dtype=np.float64)


def entropy_approach_rate(reward: npt.ArrayLike, entropy: float, learning_rate: float) -> float:
    """Rate of the final exponential approach to `entropy_fixed_point` (result T62).

    Near it d(theta - r/tau)/dt = -eta tau (diag(pi) - pi pi^T)(theta - r/tau), so the distance
    falls as exp(-rate t) with eta tau times the smallest non-zero eigenvalue of that matrix.

    Parameters
    ----------
    reward : array of shape (A,)
        r, expected rewards, A >= 2.
    entropy : float
        tau > 0, in units of reward.
    learning_rate : float
        eta > 0, per update.

    Returns
    -------
    float
        Rate per update; with two arms 2 eta tau pi_1 pi_2.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    policy = entropy_fixed_point(reward, entropy)
    if policy.size < 2:
        raise ValueError("reward must have at least 2 entries")
    eta = _checks.number("learning_rate", learning_rate, 0.0, above=True)
    spectrum = np.linalg.eigvalsh(np.diag(policy) - np.outer(policy, policy))
    return float(eta * entropy * max(0.0, spectrum[1]))


def single_never_hit(margin: float, step: float, episodes: npt.ArrayLike) -> FloatArray:
    """Flow approximation of never trying a single other action: a power law (result T63).

    While only the default pays, dx/dn = 2 s/(1 + e^x), hence e^x + x = e^{x0} + x0 + 2 s n, and
    P = exp(-(x - x0)/(2 s)), which falls as n^(-1/(2 s)): every action is tried in the end. For
    s << 1; `lockin.key_never_hit` with length 1 is exact and has the same exponent for every s.

    Parameters
    ----------
    margin : float
        x_0, initial logit margin of the default.
    step : float
        s = eta r > 0, learning rate times the default's reward.
    episodes : array of any shape
        n >= 0.

    Returns
    -------
    array shaped like `episodes`
        Probability of default choices only.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x0 = _checks.number("margin", margin, -700.0, 700.0)
    gain = 2.0 * _checks.number("step", step, 0.0, above=True)
    n = _checks.non_negative("episodes", episodes)
    # e^x + x = c has the solution x = c - W(e^c): the Wright omega function, e^x = omega(c).
    clock = math.exp(x0) + x0 + gain * n
    omega = special.wrightomega(clock)
    x = np.where(clock > 1.0, np.log(np.maximum(omega, 1.0)), clock - omega)
    return np.asarray(np.exp(-(x - x0) / gain), dtype=np.float64)


def _hit_setting(length: int, epsilon: float, actions: int) -> tuple[int, float]:
    """Check the arguments; return L and A/epsilon."""
    steps = _checks.integer("length", length, 1)
    eps = _checks.number("epsilon", epsilon, 0.0, 1.0, above=True)
    return steps, _checks.integer("actions", actions, 1) / eps


def epsilon_greedy_hit_time(length: int, epsilon: float, actions: int) -> float:
    """Mean episodes until epsilon-greedy first plays an L-step key: (A/epsilon)^L (T69).

    Each of L decisions explores with probability epsilon, uniformly over A actions of which one
    is right and not greedy. With epsilon = 1 it is the time A^L of a random walker (S62).

    Parameters
    ----------
    length : int
        L >= 1 decisions.
    epsilon : float
        Probability of exploring, in (0, 1].
    actions : int
        A >= 1.

    Returns
    -------
    float
        Episodes, the first success included; infinite where a float cannot hold it.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    steps, wait = _hit_setting(length, epsilon, actions)
    return float(wait**steps) if steps * math.log(wait) < 709.0 else math.inf


def epsilon_greedy_hit(
    length: int, epsilon: float, actions: int, episodes: npt.ArrayLike
) -> FloatArray:
    """Probability that epsilon-greedy has played an L-step key within n episodes (T69).

    The law is geometric: 1 - (1 - (epsilon/A)^L)^n, as long as the key's payoff is unseen.

    Parameters
    ----------
    length, epsilon, actions
        As in `epsilon_greedy_hit_time`.
    episodes : array of any shape
        n >= 0.

    Returns
    -------
    array shaped like `episodes`
        Probability of at least one success.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    steps, wait = _hit_setting(length, epsilon, actions)
    n = _checks.non_negative("episodes", episodes)
    return np.asarray(0.0 - np.expm1(special.xlog1py(n, -(wait**-steps))), dtype=np.float64)


def outer_loop_found(never: float, learners: int, generations: npt.ArrayLike) -> FloatArray:
    """Probability that an outer loop of many lives has found the key (S19): 1 - P^(M g).

    M independent learners per generation, each of which never finds it with probability P. It
    holds up to the first hit, if all are born with the same margins.

    Parameters
    ----------
    never : float
        P in [0, 1], for instance `lockin.key_never_hit` over one life.
    learners : int
        M >= 1.
    generations : array of any shape
        g >= 0.

    Returns
    -------
    array shaped like `generations`
        Probability that some learner has found it by then.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    p = _checks.probability("never", never)
    lives = _checks.non_negative("generations", generations)
    lives = lives * _checks.integer("learners", learners, 1)
    return np.asarray(0.0 - np.expm1(special.xlogy(lives, p)), dtype=np.float64)
