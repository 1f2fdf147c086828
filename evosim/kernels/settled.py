"""Settled lives: an episode that moved nothing is not lived again, only its choices are drawn.

Once a mind has learned what there is to learn, an episode leads to the next one like it, unless
some choice falls otherwise. So the steps of such an episode are kept; those in doubt, at which
another draw could choose otherwise, with the draws that choose as then. The episodes after it are
compared with it at these steps, until a choice differs; that one is lived. The bits are
those of living them all, for a fraction of the time (measured: a Q-learner at rest in a world of
five states, 5 times as fast).
"""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.mind import again
from evosim.kernels.philox import ACTION, philox

#: Decisions drawn at once: 16 calls of Philox are one vectorised loop.
DRAWN = 64
_WORDS = 4294967296.0

#: Rows of what is kept of an episode: where and what was done, as state * A + action; what was
#: entered. Of its steps in doubt, those at which another draw may choose otherwise: which step; the
#: least word that chooses as then, and one past the largest.
DONE, ENTERED, WHEN, LEAST, PAST = range(5)
ROWS = 5


@inline_borrowing
def draw(key, generation, agent, purpose, decision, words):
    """Fill ``words[4, 16]`` with the draws of this and the next 63 decisions."""
    for k in range(DRAWN // 4):
        w0, w1, w2, w3 = philox(key, generation, agent, purpose, (decision >> 2) + k)
        words[0, k] = w0
        words[1, k] = w1
        words[2, k] = w2
        words[3, k] = w3


@inline_borrowing
def word_of(words, decision):
    """Return the word that `draw` gave a decision."""
    return words[decision & 3, (decision >> 2) & (DRAWN // 4 - 1)]


@inline_borrowing
def draws_of(prob, action, actions):
    """Return the least word for which `choose` gives this action, and one past the largest."""
    low, high = 0.0, 0.0
    for a in range(np.int64(action) + 1):
        low = high
        high += prob[a]
    past = np.int64(np.ceil(high * _WORDS))
    if np.int64(action) == actions - 1:
        past = np.int64(_WORDS)
    return np.int64(np.ceil(low * _WORDS)), past


@inline_borrowing
def keep_doubts(path, length, world, table):
    """Add to an episode its steps in doubt, by the probabilities; return how many they are.

    At the others every draw chooses the same action. Cold planners doubt at half of their steps,
    and their lives take half the time (measured).
    """
    doubts = 0
    for k in range(length):
        cs = path[DONE, k] // world.actions
        action = path[DONE, k] - cs * world.actions
        least, past = draws_of(table[world.percept[cs]], action, world.actions)
        if least > 0 or past < np.int64(_WORDS):
            path[WHEN, doubts] = k
            path[LEAST, doubts] = least
            path[PAST, doubts] = past
            doubts += 1
    return doubts


@inline_borrowing
def _chooses_so(path, doubts, first, drawn, key, generation, agent, offset, words):
    """Return whether an episode chooses all as the one kept did, and the block of draws held.

    Parameters
    ----------
    first, drawn : int
        The episode's first decision; the first of those whose draws `words` hold.
    """
    for k in range(doubts):
        at = first + path[WHEN, k]
        if at & ~(DRAWN - 1) != drawn:
            drawn = at & ~(DRAWN - 1)
            draw(key, generation, agent, ACTION + offset, drawn, words)
        word = np.int64(word_of(words, at))
        if word < path[LEAST, k] or word >= path[PAST, k]:
            return False, drawn
    return True, drawn


@inline_borrowing
def episodes_alike(
    path, length, doubts, most, key, generation, agent, offset, decision, words
):  # fmt: skip
    """Return how many of the next episodes choose all as the one kept did, `most` at most.

    `words` become those of the first decision after these episodes, unless it begins new ones.
    """
    count = 0
    drawn = decision & ~(DRAWN - 1) if decision & (DRAWN - 1) != 0 else -1
    so = True
    while so and count < most:
        so, drawn = _chooses_so(
            path, doubts, decision + count * length, drawn, key, generation, agent, offset, words
        )
        count += so
    after = decision + count * length
    if after & (DRAWN - 1) != 0 and after & ~(DRAWN - 1) != drawn:
        draw(key, generation, agent, ACTION + offset, after & ~(DRAWN - 1), words)
    return count


@inline_borrowing
def live_alike(tag, mind, world, memory, path, length, times, done):
    """Count the steps of `times` more episodes like the one kept: acts, and in the memory."""
    for k in range(length):
        cs = path[DONE, k] // world.actions
        action = path[DONE, k] - cs * world.actions
        if done.size > 0 and world.track[cs] >= 0:
            done[world.track[cs] * world.actions + action] += times
        again(tag, mind, world, memory, world.percept[cs], action, path[ENTERED, k], times)


@inline_borrowing
def add_each(total, earned, times):
    """Add `times` times, one by one: a product has other bits."""
    for _ in range(times):
        total += earned
    return total
