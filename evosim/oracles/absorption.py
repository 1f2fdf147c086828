"""Fixation probabilities and times of absorbing chains, through the fundamental matrix.

Sources: Kemeny & Snell 1960, chapter 3; Ewens 2004; Nowak, Sasaki,
Taylor & Fudenberg 2004 (Nature 428:646) for the birth-death product. Results T4-T6, T11, T14.

State 0 (loss) and the last state (fixation) must be the only absorbing states.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


class Times(NamedTuple):
    """Mean and standard deviation of a time to absorption, per starting state, in chain steps."""

    mean: FloatArray
    sd: FloatArray


def _transient(matrix: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the checked matrix and its block among the transient states."""
    checked = _checks.stochastic("matrix", matrix)
    states = checked.shape[0]
    if states < 3:
        raise ValueError("the chain needs at least one state between loss and fixation")
    ends = checked[[0, -1], [0, -1]]
    if np.any(np.abs(ends - 1.0) > _checks.ROUNDING):
        raise ValueError("the first and the last state must be absorbing")
    inside = checked[1:-1, 1:-1]
    if np.any(np.diag(inside) >= 1.0):
        raise ValueError("only the first and the last state may be absorbing")
    return checked, inside


def _solve(inside: FloatArray, right: FloatArray) -> FloatArray:
    """Solve (I - inside) x = right, the fundamental matrix applied to `right`."""
    try:
        solution = np.linalg.solve(np.eye(inside.shape[0]) - inside, right)
    except np.linalg.LinAlgError:
        raise ValueError("some state can never reach loss or fixation") from None
    return np.asarray(solution, dtype=np.float64)


def fixation_probability(matrix: npt.ArrayLike) -> FloatArray:
    """Probability of ending in the last state: (I - Q) u = R (Kemeny & Snell 1960, th. 3.3.7).

    Parameters
    ----------
    matrix : array of shape (S, S)
        Row-stochastic, absorbing in its first and last state only.

    Returns
    -------
    array of shape (S,)
        u per starting state; u[0] = 0, u[-1] = 1.

    Raises
    ------
    ValueError
        If `matrix` is no such chain.
    """
    checked, inside = _transient(matrix)
    return np.concatenate(([0.0], _solve(inside, checked[1:-1, -1]), [1.0]))


def _times(inside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of the time to leave `inside`: t = N 1, var = (2N - I) t - t^2."""
    mean = _solve(inside, np.ones(inside.shape[0]))
    variance = 2.0 * _solve(inside, mean) - mean - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))


def absorption_time(matrix: npt.ArrayLike) -> Times:
    """Time to loss or fixation, whichever comes first (Kemeny & Snell 1960, th. 3.3.5).

    Parameters
    ----------
    matrix : array of shape (S, S)
        Row-stochastic, absorbing in its first and last state only.

    Returns
    -------
    Times
        Arrays of shape (S,), in steps of the chain (generations, or Moran events); 0 at the ends.

    Raises
    ------
    ValueError
        If `matrix` is no such chain.
    """
    mean, sd = _times(_transient(matrix)[1])
    return Times(np.pad(mean, 1), np.pad(sd, 1))


def conditional_fixation_time(matrix: npt.ArrayLike) -> Times:
    """Time to fixation among replicates that fix (Ewens 2004).

    The conditioned chain is Doob's transform P*_ij = P_ij u_j / u_i.

    Parameters
    ----------
    matrix : array of shape (S, S)
        Row-stochastic, absorbing in its first and last state only.

    Returns
    -------
    Times
        Arrays of shape (S,), in steps of the chain; entry 0 is NaN because loss never fixes.

    Raises
    ------
    ValueError
        If `matrix` is no such chain, or some starting state has no chance of fixation.
    """
    checked, inside = _transient(matrix)
    u = _solve(inside, checked[1:-1, -1])
    if np.any(u <= 0.0):
        raise ValueError("some starting state never fixes, so the condition has probability zero")
    mean, sd = _times(inside * u[None, :] / u[:, None])
    return Times(np.concatenate(([np.nan], mean, [0.0])), np.concatenate(([np.nan], sd, [0.0])))


def birth_death_fixation(up: npt.ArrayLike, down: npt.ArrayLike) -> FloatArray:
    """Fixation probability of any birth-death chain (Nowak et al. 2004; Ewens 2004).

    rho_i = (1 + sum_{k=1}^{i-1} prod_{j<=k} T-_j/T+_j) / (1 + sum_{k=1}^{N-1} prod_{j<=k} ...).

    Parameters
    ----------
    up, down : arrays of shape (N + 1,)
        T+_j and T-_j for counts j = 0..N; entries 0 and N are not read, the others of `up` must
        be positive.

    Returns
    -------
    array of shape (N + 1,)
        Probability of reaching N before 0, per starting count.

    Raises
    ------
    ValueError
        If lengths differ, N < 1, or some inner rate is not positive (up) or negative (down).
    """
    up = _checks.array("up", up, 1, 0.0)
    down = _checks.array("down", down, 1, 0.0)
    _checks.same_length(up=up, down=down)
    if up.shape[0] < 2:
        raise ValueError("the chain needs at least the counts 0 and 1")
    if np.any(up[1:-1] == 0.0):
        raise ValueError("up must be positive at every inner count")
    with np.errstate(divide="ignore"):
        logs = np.concatenate(([0.0], np.cumsum(np.log(down[1:-1] / up[1:-1]))))
    # Scaling by the largest product keeps strongly deleterious chains from overflowing.
    products = np.exp(logs - logs.max())
    sums = np.concatenate(([0.0], np.cumsum(products)))
    return np.asarray(sums / sums[-1], dtype=np.float64)


def moran_fixation(size: int, fitness: float, start: int = 1) -> float:
    """Fixation probability of constant fitness r (Moran 1962; Nowak 2006).

    rho_i = (1 - r^-i) / (1 - r^-N), and i/N at r = 1.

    Parameters
    ----------
    size : int
        Number of agents N >= 1.
    fitness : float
        Relative fitness r > 0.
    start : int
        Initial copies i, 0..N.

    Returns
    -------
    float
        Fixation probability.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    size = _checks.integer("size", size, 1)
    start = _checks.integer("start", start, 0)
    fitness = _checks.number("fitness", fitness, 0.0, above=True)
    if start > size:
        raise ValueError(f"start must be at most {size}, not {start}")
    slope = np.log(fitness)
    if slope == 0.0:
        return start / size
    if slope < 0.0:
        # Multiplied through by r^N, so that a large N cannot overflow.
        scale = np.exp(slope * (size - start))
        return float(scale * np.expm1(slope * start) / np.expm1(slope * size))
    return float(np.expm1(-slope * start) / np.expm1(-slope * size))
