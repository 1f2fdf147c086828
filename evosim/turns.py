"""How newborns choose whom they copy in one turn of transmission, and what models weigh."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosim.kernels import choice
from evosim.kernels.crew import run_blocks
from evosim.kernels.near import Near, cumulate
from evosim.knowledge import ChannelCode

F64 = NDArray[np.float64]


class Turn(NamedTuple):
    """How newborns choose whom they copy in one turn of transmission, and among whom.

    Attributes
    ----------
    number : int
        0: from the previous generation; 1: from each other.
    choice, path, models, candidates, loci : int, (5,) int64
        As in `evosim.kernels.culture.transmit`.
    before : (R,) int64
        Agents among which models are.
    weights, effort : (R, N) float64
        Of the models; length 0 on the last axis where they are not read.
    """

    number: int
    choice: int
    path: int
    models: int
    candidates: int
    loci: NDArray[np.int64]
    before: NDArray[np.int64]
    weights: F64
    effort: F64


def weights_of(
    channel: ChannelCode | None, near: Near, payoff: F64, before: NDArray[np.int64]
) -> F64:
    """Return (R, N) cumulated weights of the models, or nothing where all weigh the same.

    Where models are near, (R, M): cumulated within each neighbourhood.

    Parameters
    ----------
    channel : ChannelCode or None
    near : Near
        Among whom models are.
    payoff : (R, N) float64
    before : (R,) int64
        Agents that can be models.
    """
    if channel is None or channel.choice != choice.PAYOFF:
        return np.zeros((before.size, 0))
    alive = np.arange(payoff.shape[1])[None, :] < before[:, None]
    if near.group.size and channel.best:
        return _cumulated(near, True, np.where(alive, payoff, -np.inf))
    if channel.best:
        most = np.where(alive, payoff, -np.inf).argmax(axis=1)
        return np.asarray(np.arange(alive.shape[1])[None, :] >= most[:, None], np.float64)
    pull = np.where(alive, channel.strength * payoff, -np.inf)
    top = pull.max(axis=1, initial=-np.inf, keepdims=True)
    weights: F64 = np.exp(pull - np.where(np.isfinite(top), top, 0.0))
    if near.group.size:
        return _cumulated(near, False, weights)
    return np.cumsum(weights, axis=1)


def _cumulated(near: Near, best: bool, weights: F64) -> F64:
    cdf = np.empty((weights.shape[0], near.member.size))
    run_blocks(cumulate, weights.shape[0], 1, near, best, weights, cdf)
    return cdf


__all__ = ["Turn", "weights_of"]
