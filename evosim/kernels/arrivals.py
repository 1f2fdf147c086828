"""Which items of models' rows arrive: by skips where few events happen, by whole words elsewhere.

Each item arrives with a probability, independently. Where almost all or almost none do, the
distances between the exceptions are drawn (`take`). Elsewhere the bits of a random word are
compared with the binary digits of the probability, 64 items at once, until every one of them is
decided, which takes two bits an item on average (Knuth & Yao 1976). An item that c models show
arrives with 1 - (1 - f)^c, so that three models cost one comparison. A newborn with three models,
f = 0.9 and 1,024 items takes 0.4 us so, and took 4.7 us by skips alone, one for each lost item.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from evosim.kernels.accelerate import borrowing, inline, inline_borrowing
from evosim.kernels.philox import double, philox

#: Words that are decided together: two registers of AVX-512, four of AVX2.
CHUNK = 16
#: Digits that are compared without a branch; words with one of the 2^-12 of items that are left
#: then are finished one by one (measured: 295 ns a newborn with eight digits, 211 with twelve).
DIGITS = 12
#: Models whose rows are merged into one comparison.
MERGED = 3
#: Binary digits of a probability that are looked at.
LONGEST = 64
#: Exceptions per chunk from which whole words are cheaper (measured: between 3 and 5).
MANY = 4.0
#: A skip past every item that there could be.
NEVER = 1 << 50

# Where the parts of a chunk's state begin: items that exactly one, two and three models show;
# those not yet decided; those that arrive.
_ONE, _TWO, _THREE, _LEFT, _GOT = (np.int64(k * CHUNK) for k in range(5))
_32 = np.uint64(32)
_FIRST = np.uint64(1)
_ALL = ~np.uint64(0)


@intrinsic
def ones(typingctx, word):
    """Count the bits of a word that are set."""

    def codegen(context, builder, sig, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def _fetch_line(typingctx, array, index):
    """Ask for the cache line of an entry of a contiguous array, counted flat."""

    def codegen(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        at = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        whole = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [at.type, whole, whole, whole])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(prefetch, [at, whole(0), whole(3), whole(1)])
        return context.get_dummy_value()

    return types.none(array, types.intp), codegen


@inline
def fetch(array, first, entries):
    """Ask for entries of 8 bytes of a contiguous array, to be read soon; it changes nothing."""
    for k in range(0, entries, 8):
        _fetch_line(array, first + k)


@inline
def lowest(word):
    """Return the lowest bit of a word that is set."""
    return word & (~word + _FIRST)


@inline
def skipped(key, generation, agent, purpose, draw, slope):
    """Return how many events are passed over before the next rare one."""
    a, b, _, _ = philox(key, generation, agent, purpose, draw)
    skip = math.log(1.0 - double(a, b)) * slope
    return np.int64(skip) if skip < NEVER else np.int64(NEVER)


@inline_borrowing
def take(key, generation, agent, purpose, draw, fidelity, shown, own):
    """Add to `own` each item of `shown` that it lacks with probability `fidelity`.

    Returns the next draw index.
    """
    rare = min(fidelity, 1.0 - fidelity)
    mostly = fidelity >= 0.5
    slope = 1.0 / math.log1p(-rare) if rare > 0.0 else 0.0
    skip = np.int64(NEVER)
    if rare > 0.0:
        skip = skipped(key, generation, agent, purpose, draw, slope)
        draw += 1
    for w in range(own.size):
        rest = shown[w] & ~own[w]
        left = ones(rest)
        got = rest if mostly else np.uint64(0)
        while skip < left:
            for _ in range(skip):
                rest ^= lowest(rest)
            bit = lowest(rest)
            got ^= bit
            rest ^= bit
            left -= skip + 1
            skip = skipped(key, generation, agent, purpose, draw, slope)
            draw += 1
        skip -= left
        own[w] |= got
    return draw


@inline
def write_digits(fidelity, digits):
    """Write the binary digits of 1 - (1 - fidelity)^c for c = 1, 2, 3, as words of equal bits."""
    for c in range(MERGED):
        rest = 1.0 - (1.0 - fidelity) ** (c + 1)
        for d in range(LONGEST):
            rest *= 2.0
            one = rest >= 1.0
            digits[c * LONGEST + d] = _ALL if one else np.uint64(0)
            rest -= 1.0 if one else 0.0


@borrowing
def lacking(shown, who, first, n, known, agent):
    """Count the items that one of n models from the first shows and an agent lacks."""
    a, b, c = who[first], who[first + min(1, n - 1)], who[first + min(2, n - 1)]
    total = np.int64(0)
    for w in range(known.shape[1]):
        total += ones((shown[a, w] | shown[b, w] | shown[c, w]) & ~known[agent, w])
    return total


@borrowing
def offer(shown, who, first, n, known, agent, word, width, state):
    """Write who shows how many times what an agent lacks of `width` words; return how much it is.

    The words begin at `word`.
    """
    a, b, c = who[first], who[first + min(1, n - 1)], who[first + min(2, n - 1)]
    second = _ALL if n > 1 else np.uint64(0)
    third = _ALL if n > 2 else np.uint64(0)
    total = np.int64(0)
    for w in range(width):
        new = ~known[agent, word + w]
        x = shown[a, word + w] & new
        y = shown[b, word + w] & new & second
        z = shown[c, word + w] & new & third
        anyone, several, all_three = x | y | z, (x & y) | (z & (x | y)), x & y & z
        state[_ONE + w] = anyone ^ several
        state[_TWO + w] = several ^ all_three
        state[_THREE + w] = all_three
        state[_LEFT + w] = anyone
        total += ones(anyone)
    return total


@borrowing
def draw_words(key, generation, agent, purpose, draw, blocks, bits):
    """Fill ``bits[2 * blocks]`` with random words, two of each draw."""
    for b in range(blocks):
        w0, w1, w2, w3 = philox(key, generation, agent, purpose, draw + b)
        bits[2 * b] = (w0 << _32) | w1
        bits[2 * b + 1] = (w2 << _32) | w3


@inline
def compared(left, got, digit, word):
    """Return the items still undecided after one more digit, and those that arrive.

    A random number below the probability arrives: where they first differ it has 0 and the
    probability 1.
    """
    return left & ~(word ^ digit), got | (left & digit & ~word)


@inline
def digit_of(state, digits, w, d):
    """Return the d-th digit of the probability of each item of a word."""
    return (
        (state[_ONE + w] & digits[d])
        | (state[_TWO + w] & digits[LONGEST + d])
        | (state[_THREE + w] & digits[2 * LONGEST + d])
    )


@inline
def four(state, digits, bits, width, w, d, left, got):
    """Compare four digits of a word from the d-th."""
    at = d * width + w
    left, got = compared(left, got, digit_of(state, digits, w, d), bits[at])
    left, got = compared(left, got, digit_of(state, digits, w, d + 1), bits[at + width])
    left, got = compared(left, got, digit_of(state, digits, w, d + 2), bits[at + 2 * width])
    return compared(left, got, digit_of(state, digits, w, d + 3), bits[at + 3 * width])


@borrowing
def decide(digits, bits, width, state):
    """Compare the first DIGITS digits of `width` words; return the undecided items of any word.

    Written out: LLVM vectorises the words only when no loop is left inside.
    """
    undecided = np.uint64(0)
    for w in range(width):
        left, got = state[_LEFT + w], np.uint64(0)
        left, got = four(state, digits, bits, width, w, 0, left, got)
        left, got = four(state, digits, bits, width, w, 4, left, got)
        left, got = four(state, digits, bits, width, w, 8, left, got)
        state[_LEFT + w] = left
        state[_GOT + w] = got
        undecided |= left
    return undecided


@borrowing
def finish(key, generation, agent, purpose, draw, digits, width, state):
    """Compare further digits, word by word; return the next draw index."""
    for w in range(width):
        left, got = state[_LEFT + w], state[_GOT + w]
        d = DIGITS
        while left != np.uint64(0) and d < LONGEST:
            w0, w1, w2, w3 = philox(key, generation, agent, purpose, draw)
            draw += 1
            left, got = compared(left, got, digit_of(state, digits, w, d), (w0 << _32) | w1)
            left, got = compared(left, got, digit_of(state, digits, w, d + 1), (w2 << _32) | w3)
            d += 2
        state[_GOT + w] = got
    return draw


@borrowing
def take_words(
    key, generation, agent, purpose, draw, digits, shown, who, first, n, known, bits, state
):  # fmt: skip
    """Add what arrives from n <= MERGED models to what an agent knows, a chunk after another.

    What is offered of a row that is one chunk stands in `state` already.

    Parameters
    ----------
    digits : (MERGED * LONGEST,) uint64
        See `write_digits`.
    shown, known : (N, W) uint64
        What models show; `known` of the agent is added to.
    who : (M,) int64
        Models; those from `first` on show.
    bits : (CHUNK * DIGITS,) uint64
        Scratch.
    state : (5 * CHUNK,) uint64
        Scratch.

    Returns
    -------
    int
        The next draw index.
    """
    words = known.shape[1]
    for word in range(0, words, CHUNK):
        width = min(CHUNK, words - word)
        if words > CHUNK:
            offer(shown, who, first, n, known, agent, word, width, state)
        draw_words(key, generation, agent, purpose, draw, width * DIGITS // 2, bits)
        draw += width * DIGITS // 2
        if decide(digits, bits, width, state) != np.uint64(0):
            draw = finish(key, generation, agent, purpose, draw, digits, width, state)
        for w in range(width):
            known[agent, word + w] |= state[_GOT + w]
    return draw


@inline_borrowing
def arrive(
    key, generation, agent, purpose, draw, fidelity, digits, shown, who, n, known, bits, state
):  # fmt: skip
    """Add to what an agent knows what arrives from its n models; return the next draw index.

    Three models at a time, and only what the agent lacks yet.
    """
    chunks = (known.shape[1] + CHUNK - 1) // CHUNK
    rare = min(fidelity, 1.0 - fidelity)
    for first in range(0, n, MERGED):
        some = min(MERGED, n - first)
        new = np.int64(0)
        if rare > 0.0 and chunks == 1:
            new = offer(shown, who, first, some, known, agent, 0, known.shape[1], state)
        elif rare > 0.0:
            new = lacking(shown, who, first, some, known, agent)
        if rare * new > MANY * chunks:
            draw = take_words(
                key, generation, agent, purpose, draw, digits, shown, who, first, some, known,
                bits, state,
            )  # fmt: skip
            continue
        for k in range(first, first + some):
            draw = take(
                key, generation, agent, purpose, draw, fidelity, shown[who[k]], known[agent]
            )
    return draw
