"""Settled lives: an episode that moved nothing is not lived again, only its choices are drawn.

Once a mind has learned what there is to learn, an episode leads to the next one like it, unless
some choice falls otherwise. So the steps of such an episode are kept, each with the draws by which
one would choose as then, and the episodes after it are compared with it draw by draw, until a
choice differs; that one is lived. The bits are those of living them all, for a fraction of the
time (measured: a Q-learner at rest in a world of five states, 5 times as fast).
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
#: entered; the least word that chooses so, and one past the largest.
DONE, ENTERED, LEAST, PAST = range(4)


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
def keep_choices(path, length, world, table):
    """Add to an episode's steps the draws that choose as it did, from the probabilities."""
    for k in range(length):
        cs = path[DONE, k] // world.actions
        z = world.percept[cs]
        path[LEAST, k], path[PAST, k] = draws_of(
            table[z], path[DONE, k] - cs * world.actions, world.actions
        )


@inline_borrowing
def episodes_alike(path, length, most, key, generation, agent, offset, decision, words):
    """Return how many of the next episodes choose all as the one kept did, `most` at most.

    `words` become those of the first decision after these episodes, unless it begins new ones.
    """
    count = 0
    at = decision
    while count < most:
        for k in range(length):
            if at & (DRAWN - 1) == 0:
                draw(key, generation, agent, ACTION + offset, at, words)
            word = np.int64(word_of(words, at))
            if word < path[LEAST, k] or word >= path[PAST, k]:
                first = decision + count * length
                if first & ~(DRAWN - 1) != at & ~(DRAWN - 1) and first & (DRAWN - 1) != 0:
                    draw(key, generation, agent, ACTION + offset, first & ~(DRAWN - 1), words)
                return count
            at += 1
        count += 1
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
