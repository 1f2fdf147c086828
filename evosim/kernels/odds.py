"""The choice of an action from a draw; of one among two, from bounds of its odds.

A softmax of two actions costs an exponential and two divisions, two fifths of a Q-learner's step
whose values keep moving (measured). Most draws do not need them: the logistic function at the two
ends of a 32nd around the log odds decides all but a hundredth of the draws. What it leaves open is
chosen by the probabilities themselves, so the action is the same in any case.
"""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.philox import TWO32

#: What `choose_by_odds` returns where the bounds decide nothing.
OPEN = np.uint64(2)

_REACH, _PARTS = 24, 32
_LAST = 2 * _REACH * _PARTS


def _thresholds():
    """Return how many of the 2^32 words the logistic function claims at each end of a part."""
    log_odds = np.linspace(-_REACH, _REACH, _LAST + 1)
    share = np.floor(2.0**32 / (1.0 + np.exp(-log_odds)))
    return np.append(share, 2.0**32 - 1.0).astype(np.uint32)


#: The first part reaches down to impossible, the last up to certain: only the very first words and
#: the very last one are open there.
_THRESHOLDS = _thresholds()


@inline_borrowing
def choose(prob, actions, word):
    """Return the action whose cumulative probability first exceeds the word's uniform."""
    u = np.float64(word) * TWO32
    total = 0.0
    for a in range(actions - 1):
        total += prob[a]
        if u < total:
            return np.uint64(a)
    return np.uint64(actions - 1)


@inline_borrowing
def choose_by_odds(log_odds, word):
    """Return which of two actions `choose` would return, or OPEN where it is too close to tell.

    Parameters
    ----------
    log_odds : float
        Of the first action; NaN is too close to tell.
    word : uint64
        32 random bits.
    """
    if log_odds != log_odds:
        return OPEN
    k = np.uint64(min(max((log_odds + _REACH) * _PARTS, 0.0), np.float64(_LAST)))
    # A word more on either side than what the probability's rounding could move.
    if word < _THRESHOLDS[k]:
        return np.uint64(0)
    if word > np.uint64(_THRESHOLDS[k + np.uint64(1)]) + np.uint64(1):
        return np.uint64(1)
    return OPEN
