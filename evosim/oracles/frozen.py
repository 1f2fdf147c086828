"""Learners that move on success only: frozen once success no longer comes.

Derived for system S50 (the spinning racer); margins are those of T64, which T61 approximates.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from evosim.oracles import _checks
from evosim.oracles.lockin import default_margins

FloatArray = npt.NDArray[np.float64]


def frozen_probability(chances: npt.ArrayLike, trials: int) -> float:
    """Probability that a learner which moves on success only never moves (S50).

    E[(1 - prod eps)^T] over replicates. With one decision of the same chance everywhere it is
    (1 - eps)^T, the reflex of the bench.

    Parameters
    ----------
    chances : array of shape (R, n)
        eps, chance that each of n decisions goes right, per replicate, in [0, 1].
    trials : int
        T >= 0, episodes.

    Returns
    -------
    float
        Mean probability of no success in T episodes.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    eps = _checks.array("chances", chances, 2, 0.0)
    if np.any(eps > 1.0):
        raise ValueError("chances must lie in [0, 1]")
    n = _checks.integer("trials", trials, 0)
    return float(np.mean(np.exp(special.xlog1py(n, -np.prod(eps, axis=1)))))


def reflex_frozen(
    decisions: int,
    margin: float,
    step: float,
    training: int,
    trials: int,
    *,
    shared: bool = False,
    kept: int = 0,
) -> float:
    """Exact probability that a trained reflex freezes when the tracks turn round (S50).

    Block 1 pays r when all n decisions go left, block 2 when all go right, and REINFORCE without
    baseline moves on payment only. So the margin is that of `default_margins` after s successes,
    s is a pure birth process with chances (1 + e^(-x_s))^(-n), and
    P = E[(1 - (1 + e^(x_s))^(-n))^T] over the s of block 1. Late margins are
    e^x = 2 eta r s, n times that if the decisions share a cue. Decisions that are kept must go
    left in both blocks, too: they multiply both chances by (1 + e^(-x_s))^(-1) each.

    Parameters
    ----------
    decisions : int
        n >= 1 per episode that turn round.
    margin : float
        x_0, initial logit of left over right.
    step : float
        eta r > 0: a success adds 2 eta r/(1 + e^x) to a decision's margin (two logits each, one-hot
        cues; halve it for a single logit).
    training : int
        Episodes of block 1, >= 0.
    trials : int
        T >= 0, episodes of block 2.
    shared : bool
        Whether one cue serves all decisions; otherwise each has its own.
    kept : int
        Further decisions, >= 0, with cues of their own, which do not turn round; none if `shared`.

    Returns
    -------
    float
        Probability of no success in block 2.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x, chance = _habits(decisions, margin, step, training, shared, kept)
    recovers = np.exp(-decisions * np.logaddexp(0.0, x) - kept * np.logaddexp(0.0, -x))
    frozen = np.exp(special.xlog1py(_checks.integer("trials", trials, 0), -recovers))
    return float(chance @ frozen)


def reflex_turns(
    decisions: int,
    margin: float,
    step: float,
    training: int,
    *,
    shared: bool = False,
    kept: int = 0,
) -> float:
    """Mean probability eps that a decision goes right after block 1; see `reflex_frozen`.

    Where all episodes succeed it is that of T61, 1/(2 eta r T) for large T.

    Parameters
    ----------
    decisions, margin, step, training, shared, kept
        As in `reflex_frozen`.

    Returns
    -------
    float
        eps, over the number of episodes that succeed.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x, chance = _habits(decisions, margin, step, training, shared, kept)
    return float(chance @ special.expit(-x))


def _habits(
    decisions: int, margin: float, step: float, training: int, shared: bool, kept: int
) -> tuple[FloatArray, FloatArray]:
    """Return margins after 0, 1, ... successes, and the probability of each after block 1."""
    n = _checks.integer("decisions", decisions, 1)
    episodes = _checks.integer("training", training, 0)
    if _checks.integer("kept", kept, 0) and shared:
        raise ValueError("kept decisions have cues of their own: not with shared")
    gain = _checks.number("step", step, 0.0, above=True) * (n if shared else 1)
    x = default_margins(margin, gain, episodes + 1)
    succeeds = np.exp(-(n + kept) * np.logaddexp(0.0, -x))
    chance = np.zeros(episodes + 1)
    chance[0] = 1.0
    for _ in range(episodes):
        born = (chance * succeeds)[:-1]
        chance[:-1] -= born
        chance[1:] += born
    return x, chance
