"""The kernels of culture again in plain Python: sets of items, one agent at a time."""

from __future__ import annotations

import math

from reference import uniform, words

from evosim.kernels import culture as kernels
from evosim.kernels import philox


def items_of(row):
    """The items whose bits are set in an agent's words."""
    return {64 * w + b for w, word in enumerate(row) for b in range(64) if int(word) >> b & 1}


def skip(key, generation, agent, purpose, draw, chance):
    """Events passed over before the next one that happens with this chance."""
    u = uniform(key, generation, agent, purpose, draw)
    return math.log(1.0 - u) * (1.0 / math.log1p(-chance))


def arrivals(key, generation, agent, draw, fidelity, offered):
    """Which of the offered items arrive, in their order; and the next draw."""
    rare = min(fidelity, 1.0 - fidelity)
    offered = sorted(offered)
    hits, at = set(), -1
    while rare > 0.0:
        step = skip(key, generation, agent, philox.FIDELITY, draw, rare)
        draw += 1
        at += 1 + int(min(step, 1e9))
        if at >= len(offered):
            break
        hits.add(offered[at])
    return (set(offered) - hits if fidelity >= 0.5 else hits), draw


def digits(x):
    """The first 64 binary digits of a probability."""
    for _ in range(64):
        x *= 2.0
        yield x >= 1.0
        x -= x >= 1.0


def arrivals_by_words(key, generation, agent, draw, chances, words_of_row):
    """Which items arrive, each with its own chance: digits of a random number against its digits.

    Items of sixteen words share draws: twelve digits of each word, two words a draw; then two
    digits a draw for every word that has an undecided item.
    """
    got = set()
    for chunk in range(0, words_of_row, 16):
        width = min(16, words_of_row - chunk)

        def word(i, of=draw):
            four = words(key, generation, agent, philox.FIDELITY, of + i // 2)
            return four[i % 2 * 2] << 32 | four[i % 2 * 2 + 1]

        draw += 6 * width
        for w in range(width):
            here = {i: list(digits(x)) for i, x in chances.items() if i >> 6 == chunk + w}
            left, d = set(here), 0
            while left and d < 64:
                if d < 12:
                    both = (word(d * width + w), word((d + 1) * width + w))
                else:
                    a, b, c, e = words(key, generation, agent, philox.FIDELITY, draw)
                    both, draw = (a << 32 | b, c << 32 | e), draw + 1
                for drawn in both:
                    ones = {i for i in left if drawn >> (i & 63) & 1}
                    differ = {i for i in left if here[i][d] != (i in ones)}
                    got |= differ - ones
                    left -= differ
                    d += 1
    return got, draw


def arrived(key, generation, agent, fidelity, shown, words_of_row):
    """What arrives of the items that the models show, three models at a time."""
    own, draw = set(), 0
    rare = min(fidelity, 1.0 - fidelity)
    for first in range(0, len(shown), 3):
        some = shown[first : first + 3]
        new = set().union(*some) - own
        if rare * len(new) > 4 * -(-words_of_row // 16):
            seen = {i: sum(i in s for s in some) for i in new}
            chances = {i: 1.0 - (1.0 - fidelity) ** c for i, c in seen.items()}
            got, draw = arrivals_by_words(key, generation, agent, draw, chances, words_of_row)
            own |= got
            continue
        for row in some:
            got, draw = arrivals(key, generation, agent, draw, fidelity, row - own)
            own |= got
    return own


def model(p, r, agent, k):
    """The k-th model of a newborn."""
    key, g, before = p["keys"][r], p["generation"], int(p["before"][r])
    if p["path"] == kernels.VERTICAL:
        return int(p["parent"][r, agent] if k == 0 else p["mate"][r, agent])
    if p["choice"] == kernels.PAYOFF:
        u = uniform(key, g, agent, philox.MODEL, k) * p["cdf"][r, before - 1]
        return next(i for i in range(before) if p["cdf"][r, i] > u)
    if p["choice"] == kernels.BEST:
        n = p["candidates"]
        drawn = [words(key, g, agent, philox.MODEL, k * n + c)[0] * before >> 32 for c in range(n)]
        return max(drawn, key=lambda i: p["payoff"][r, i])
    return words(key, g, agent, philox.MODEL, k)[0] * before >> 32


def gene(p, r, agent, which, value, most):
    locus = p["loci"][which]
    return value if locus < 0 else min(max(float(p["genes"][r, agent, locus]), 0.0), most)


def received(p, r, agent):
    """What one newborn receives: a set of items, or a number of them."""
    key, g = p["keys"][r], p["generation"]
    nothing = 0 if p["counted"] else set()
    if p["before"][r] == 0:
        return nothing
    copying = gene(p, r, agent, kernels.COPYING_GENE, p["copying"], 1.0)
    if copying < 1.0 and uniform(key, g, agent, philox.COPYING, 0) >= copying:
        return nothing
    fidelity = gene(p, r, agent, kernels.FIDELITY_GENE, p["fidelity"], 1.0)
    n = math.floor(gene(p, r, agent, kernels.MODELS_GENE, p["models"], 64) + 0.5)
    rows = [p["shown"][r, model(p, r, agent, k)] for k in range(n)]
    if p["counted"]:
        if not rows:
            return 0
        here, _ = arrivals(key, g, agent, 0, fidelity, range(int(rows[0][0])))
        return min(len(here), p["capacity"])
    shown = [items_of(row) for row in rows]
    if p["choice"] == kernels.CONFORMIST:
        anyone = set().union(*shown)
        shown = [{i for i in anyone if 2 * sum(i in s for s in shown) > n}]
    own = arrived(key, g, agent, fidelity, shown, p["shown"].shape[2])
    if len(own) <= p["capacity"]:
        return own
    kept = set()
    for k, item in enumerate(sorted(own)):
        left = len(own) - k
        if uniform(key, g, agent, philox.CAPACITY, k) * left < p["capacity"] - len(kept):
            kept.add(item)
    return kept


def poisson(key, generation, agent, rate):
    """Events before the time is up."""
    total, n = 0.0, 0
    while True:
        total -= math.log(1.0 - uniform(key, generation, agent, philox.FIND, n))
        if total >= rate:
            return n
        n += 1


def found_in_pool(key, generation, agent, items, rate, has):
    """Which items of a pool a life comes upon that it lacks."""
    chance = min(rate / items, 1.0)
    at, draw, new = -1, 0, set()
    while rate > 0.0:
        at += 1
        if chance < 1.0:
            at += int(min(skip(key, generation, agent, philox.FIND, draw, chance), 1e9))
            draw += 1
        if at >= items:
            break
        new |= {at} - has
    return new
