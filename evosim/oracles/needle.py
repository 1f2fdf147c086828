"""Waiting for a genotype that needs several changes: lethal, neutral or costly intermediates.

Source: elementary Markov-chain derivations for the Wright-Fisher model; stochastic tunnelling is
in Iwasa, Michor & Nowak 2004 (Genetics 166:1571) and Weissman et al. 2009. Result T31.
"""

import math
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray
from evosim.oracles.quasispecies import error_class_matrix

MAX_STATES = 3000
"""Largest class chain that is solved exactly (a dense matrix of 72 MB)."""

MAX_GENERATIONS = 100_000
"""Generations after which the infinite-population recursion gives up."""


def needle_waiting_time(agents: int, changes: int, mutation: float, conserved: int = 0) -> float:
    """Mean generations to the first target when every intermediate is lethal (geometric).

    A birth hits with probability h = mu^L (1 - mu)^c, so E[T] = 1/(1 - (1 - h)^N), about 1/(N h).

    Parameters
    ----------
    agents : int
        Births per generation N >= 1.
    changes : int
        L >= 1 loci that must change at once.
    mutation : float
        mu per locus and birth, in (0, 1).
    conserved : int
        c >= 0 further loci that must not change.

    Returns
    -------
    float
        Generations; the generation of the first target counts. Divide by the probability of
        fixation for the time to a target that takes over. Infinite where a float cannot hold it.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    log_wait = needle_waiting_log(agents, changes, mutation, conserved)
    return math.exp(log_wait) if log_wait < 709.0 else math.inf


def needle_waiting_log(agents: int, changes: int, mutation: float, conserved: int = 0) -> float:
    """Natural logarithm of `needle_waiting_time`, for needles that no float could wait for (T31).

    Parameters
    ----------
    agents, changes, mutation, conserved
        As in `needle_waiting_time`.

    Returns
    -------
    float
        ln E[T], generations; with L = 300, mu = 0.01 and N = 100 about ln 10 times 598.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n = _checks.integer("agents", agents, 1)
    changes = _checks.integer("changes", changes, 1)
    mu = _checks.probability("mutation", mutation, interior=True)
    conserved = _checks.integer("conserved", conserved, 0)
    log_hit = changes * math.log(mu) + conserved * math.log1p(-mu)
    log_rate = math.log(n) + log_hit
    # Where hits are so rare, 1 - (1 - h)^N is N h to the last bit.
    if log_rate < -40.0:
        return -log_rate
    return -math.log(-math.expm1(n * math.log1p(-math.exp(log_hit))))


def _class_setting(
    changes: int, mutation: float, intermediate: float
) -> tuple[FloatArray, FloatArray]:
    """Check the arguments; return the mutation matrix by changes made, and fitness by class."""
    changes = _checks.integer("changes", changes, 1)
    mu = _checks.probability("mutation", mutation, interior=True)
    w = np.ones(changes)
    w[1:] = _checks.number("intermediate", intermediate, 0.0, above=True)
    return error_class_matrix(changes, mu), w


def class_chain_waiting_time(
    agents: int, changes: int, mutation: float, intermediate: float = 1.0
) -> float:
    """Exact mean generations to the first target, with viable intermediates (result T31).

    The Markov chain on the numbers of agents with 0..L - 1 changes, killed when a target is born;
    selection, then mutation with back mutation; everybody starts with no change.

    Parameters
    ----------
    agents : int
        N >= 1. The number of states, C(N + L - 1, L - 1), must not exceed MAX_STATES: with L = 2
        any N < 3000, with L = 3 N <= 75.
    changes : int
        L >= 1 loci that must change.
    mutation : float
        mu per locus and birth, in (0, 1).
    intermediate : float
        Fitness of agents with 1..L - 1 changes, relative to none, > 0; 1 is neutral.

    Returns
    -------
    float
        Generations; the generation of the first target counts.

    Raises
    ------
    ValueError
        If an argument is out of range or the chain has too many states.
    """
    stay = _class_chain(agents, changes, mutation, intermediate)
    return float(np.linalg.solve(np.eye(len(stay)) - stay, np.ones(len(stay)))[-1])


def class_chain_hit(
    agents: int,
    changes: int,
    mutation: float,
    generations: npt.ArrayLike,
    intermediate: float = 1.0,
    success: float = 1.0,
) -> FloatArray:
    """Exact probability that a target was born by generation t, with viable intermediates (T31).

    Parameters
    ----------
    agents, changes, mutation, intermediate
        As in `class_chain_waiting_time`.
    generations : int array of any shape
        t, 0..MAX_GENERATIONS; everybody has no change at t = 0.
    success : float
        Probability that a target's line is not lost by chance, such as
        `diffusion.establishment_probability`: only such targets count. Others are taken as not
        born, which is an approximation where it is not 1.

    Returns
    -------
    array shaped like `generations`
        P(T <= t).

    Raises
    ------
    ValueError
        If an argument is out of range or the chain has too many states.
    """
    t = np.asarray(generations)
    if not np.issubdtype(t.dtype, np.integer) or np.any((t < 0) | (t > MAX_GENERATIONS)):
        raise ValueError(f"generations must hold integers from 0 to {MAX_GENERATIONS}")
    success = _checks.probability("success", success)
    stay = _class_chain(agents, changes, mutation, intermediate, success)
    states = np.zeros(len(stay))
    states[-1] = 1.0
    waiting = [1.0]
    for _ in range(int(t.max(initial=0))):
        states = states @ stay
        waiting.append(float(states.sum()))
    return np.asarray(1.0 - np.array(waiting)[t], dtype=np.float64)


def _class_chain(
    agents: int, changes: int, mutation: float, intermediate: float, success: float = 1.0
) -> FloatArray:
    """Return the chain on counts of classes without a target; the last state is the start."""
    n = _checks.integer("agents", agents, 1)
    matrix, w = _class_setting(changes, mutation, intermediate)
    if special.comb(n + changes - 1, changes - 1) > MAX_STATES:
        raise ValueError(f"more than {MAX_STATES} states; use class_chain_deterministic_time")
    # Compositions of N into L parts by placing L - 1 bars; the last one is (N, 0, ..., 0).
    width = n + changes - 1
    bars = np.array(list(combinations(range(width), changes - 1)), dtype=np.int64)
    counts = np.diff(np.pad(bars, ((0, 0), (1, 1)), constant_values=(-1, width)), axis=1) - 1
    parents = counts * w
    child = (parents / parents.sum(axis=1, keepdims=True)) @ matrix[:changes]
    log_count = special.gammaln(n + 1) - special.gammaln(counts + 1).sum(axis=1)
    # A generation without a target: multinomial over the classes below it, killed otherwise.
    stay = np.exp(log_count[None, :] + np.log(child[:, :changes]) @ counts.T)
    target = child[:, changes]
    spared = ((1.0 - success * target) / (1.0 - target)) ** n
    return np.asarray(stay * spared[:, None], dtype=np.float64)


def class_chain_deterministic_time(
    agents: int, changes: int, mutation: float, intermediate: float = 1.0
) -> float:
    """Approximate waiting time for large N: classes deterministic, targets drawn (T31).

    The classes follow the infinite-population recursion and each generation misses the target
    with probability (1 - tau_t)^N. Good when N mu >> 1, since it neglects the drift of the
    intermediates; `class_chain_waiting_time` is exact.

    Parameters
    ----------
    agents : int
        N >= 1.
    changes : int
        L >= 1 loci that must change.
    mutation : float
        mu per locus and birth, in (0, 1).
    intermediate : float
        Fitness of agents with 1..L - 1 changes, relative to none, > 0.

    Returns
    -------
    float
        Generations; the generation of the first target counts.

    Raises
    ------
    ValueError
        If an argument is out of range, or classes settle too slowly for MAX_GENERATIONS.
    """
    n = _checks.integer("agents", agents, 1)
    matrix, w = _class_setting(changes, mutation, intermediate)
    x = np.zeros(changes)
    x[0] = 1.0
    waited, still_waiting = 0.0, 1.0
    for _ in range(MAX_GENERATIONS):
        waited += still_waiting
        newborn = (x * w / (x @ w)) @ matrix[:changes]
        log_miss = n * math.log1p(-newborn[-1])
        still_waiting *= math.exp(log_miss)
        previous, x = x, newborn[:-1] / newborn[:-1].sum()
        if still_waiting < 1e-15:
            return waited
        if np.max(np.abs(x - previous)) < 1e-15:
            # The classes have settled: from here on the wait is geometric.
            return waited - still_waiting / math.expm1(log_miss)
    raise ValueError(f"classes have not settled within {MAX_GENERATIONS} generations")
