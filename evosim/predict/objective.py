"""OBJ: agents act as if they pursued payoff, with some random error.

P(a) = softmax(Q(a) / tau), Q the optimal action value of payoff. The one free number, tau, is
fitted to each replicate's own behaviour in training. It is handled as 1/tau, from 0 (choice at
random) to a largest value beyond which nothing is left to choose.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evosim.predict.training import Training

F64 = NDArray[np.float64]

#: 1/tau is at most this over the largest difference between values: a certain choice.
_STEEPEST = 1e6
#: Differences below this share of the largest one are ties (of values, or of weights).
_TIE = 1e-9
_HALVINGS = 100


def softmax(preference: F64) -> F64:
    """Return probabilities over the last axis."""
    e = np.exp(preference - preference.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def choice(worth: F64, steepness: F64) -> F64:
    """Return (R, J, A) softmax(Q / tau), with `worth` Q (R, J, A) and `steepness` 1/tau (R,)."""
    return softmax(worth * steepness[:, None, None])


def likelihood_steepness(training: Training) -> F64:
    """Fit 1/tau by maximum likelihood on training, each decision weighing as it is met.

    The derivative, mean[Q(done)] - mean[Q(predicted)], falls monotonically: it is bisected.

    Parameters
    ----------
    training : Training
        By pair or by percept.

    Returns
    -------
    (R,) float64
        0 where agents do no better than at random.
    """
    worth, weight = _centred(training), training.weight[..., None]
    done = (weight * training.action * worth).sum(axis=(1, 2))

    def too_flat(steepness: F64) -> NDArray[np.bool_]:
        predicted = (weight * choice(worth, steepness) * worth).sum(axis=(1, 2))
        return np.asarray(done > predicted)

    return _bisect(too_flat, worth)


def accuracy_steepness(training: Training, majority: NDArray[np.int64]) -> F64:
    """Fit 1/tau so that the best action is as probable as in the population, at one place.

    Parameters
    ----------
    training : Training
        By pair or by percept.
    majority : (R,) int64
        The place of each replicate.

    Returns
    -------
    (R,) float64
        0 where the best action is done no more often than at random, or where all are best.
    """
    at = (np.arange(majority.size), majority)
    worth = _centred(training)[at][:, None, :]
    spread = (worth.max(axis=2) - worth.min(axis=2))[..., None]
    best = worth >= -_TIE * spread
    done = (best[:, 0] * training.action[at]).sum(axis=1)

    def too_flat(steepness: F64) -> NDArray[np.bool_]:
        return np.asarray(done > (best * choice(worth, steepness)).sum(axis=(1, 2)))

    return _bisect(too_flat, worth)


def majority_place(training: Training) -> NDArray[np.int64]:
    """Return (R,) the pair at which most decisions of training are taken; the first of equals."""
    most = training.weight.max(axis=1, keepdims=True)
    return np.asarray((training.weight >= most * (1.0 - _TIE)).argmax(axis=1))


def _centred(training: Training) -> F64:
    """Return values minus the best one of each place: large values lose no digits."""
    return np.asarray(training.worth - training.worth.max(axis=2, keepdims=True))


def _bisect(too_flat: Callable[[F64], NDArray[np.bool_]], worth: F64) -> F64:
    spread = -worth.min(axis=(1, 2))
    low = np.zeros(spread.size)
    high = np.where(spread > 0, _STEEPEST / np.where(spread > 0, spread, 1.0), 0.0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        raise_it = too_flat(middle)
        low = np.where(raise_it, middle, low)
        high = np.where(raise_it, high, middle)
    return low
