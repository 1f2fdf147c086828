"""Counter-based random numbers: Philox4x32-10.

Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
A draw is a pure function of (key, counter): the key is hashed from (seed, replicate), the
counter is (generation, agent, purpose, draw). There is no stream to advance, hence nothing that
could depend on threads, order, recording or resumption.
"""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import inline

# Purposes (the third counter word). An assay adds (its index + 1) * ASSAY, so it draws from a
# key space of its own.
INITIAL = 1
EXPRESS = 2
CONTEXT = 3
START = 4
ACTION = 5
OUTCOME = 6
NOISE = 7
PARENT = 8
MATE = 9
CROSSOVER = 10
MUTATION = 11
FLIP = 12
MORAN = 13
FORGONE = 14
SAMPLE = 15
COPYING = 20
MODEL = 21
FIDELITY = 22
CAPACITY = 23
FIND = 24
FOLLOW = 25
IMITATION = 26
#: A second pass of transmission draws from purposes that are so much higher.
PASS = 16
ASSAY = 64

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_11 = np.uint64(11)
TWO53 = 1.0 / 9007199254740992.0
TWO32 = 1.0 / 4294967296.0


@inline
def _round(c0, c1, c2, c3, k0, k1):
    p0 = _M0 * c0
    p1 = _M1 * c2
    return (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW


@inline
def philox(key, generation, agent, purpose, draw):
    """Return four uint64, each holding 32 random bits.

    Parameters
    ----------
    key : uint64
        Low half is the first key word, high half the second.
    generation, agent, purpose, draw : int
        The four 32-bit counter words.
    """
    k0 = np.uint64(key) & _LOW
    k1 = np.uint64(key) >> _32
    c0 = np.uint64(generation) & _LOW
    c1 = np.uint64(agent) & _LOW
    c2 = np.uint64(purpose) & _LOW
    c3 = np.uint64(draw) & _LOW
    # Ten rounds written out: LLVM vectorises callers' loops only when no loop is left inside
    # (measured: 12 ns a call with a loop over rounds, 3 without).
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(1) * _W0) & _LOW, (k1 + np.uint64(1) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(2) * _W0) & _LOW, (k1 + np.uint64(2) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(3) * _W0) & _LOW, (k1 + np.uint64(3) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(4) * _W0) & _LOW, (k1 + np.uint64(4) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(5) * _W0) & _LOW, (k1 + np.uint64(5) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(6) * _W0) & _LOW, (k1 + np.uint64(6) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(7) * _W0) & _LOW, (k1 + np.uint64(7) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(8) * _W0) & _LOW, (k1 + np.uint64(8) * _W1) & _LOW
    )
    c0, c1, c2, c3 = _round(
        c0, c1, c2, c3, (k0 + np.uint64(9) * _W0) & _LOW, (k1 + np.uint64(9) * _W1) & _LOW
    )
    return c0, c1, c2, c3


@inline
def double(high, low):
    """Return a float64 in [0, 1) with 53 random bits from two 32-bit words."""
    return np.float64(((high << _32) | low) >> _11) * TWO53


@inline
def uniform(key, generation, agent, purpose, draw):
    """Return one float64 in [0, 1)."""
    a, b, _, _ = philox(key, generation, agent, purpose, draw)
    return double(a, b)


@inline
def below(word, n):
    """Return an integer in 0..n-1 from one 32-bit word (bias below n / 2^32)."""
    return np.int64((word * np.uint64(n)) >> _32)


def replicate_keys(seed: int, replicates: np.ndarray) -> np.ndarray:
    """Hash (seed, replicate index) into Philox keys, one per replicate.

    Parameters
    ----------
    seed : int
        64 bits.
    replicates : (R,) int
        Indices, so that any subset can be run without the others.

    Returns
    -------
    (R,) uint64
    """
    with np.errstate(over="ignore"):
        base = _mix(np.uint64(seed % 2**64) + np.uint64(0x9E3779B97F4A7C15))
        index = np.asarray(replicates).astype(np.uint64) + np.uint64(1)
        return _mix(base ^ _mix(index * np.uint64(0xD1342543DE82EF95)))


def _mix(x):
    """Finalise 64 bits (splitmix64; Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
