"""The kernels of culture again in plain Python: sets of items, one agent at a time."""

from __future__ import annotations

import math

from reference import uniform, words

from evosim.kernels import choice as kernels
from evosim.kernels import philox


def items_of(row):
    """The items whose bits are set in an agent's words."""
    return {64 * w + b for w, word in enumerate(row) for b in range(64) if int(word) >> b & 1}


def skip(key, generation, agent, purpose, draw, chance):
    """Events passed over before the next one that happens with this chance."""
    u = uniform(key, generation, agent, purpose, draw)
    return math.log(1.0 - u) * (1.0 / math.log1p(-chance))


def arrivals(key, generation, agent, draw, fidelity, offered, purpose=philox.FIDELITY):
    """Which of the offered items arrive, in their order; and the next draw."""
    rare = min(fidelity, 1.0 - fidelity)
    offered = sorted(offered)
    hits, at = set(), -1
    while rare > 0.0:
        step = skip(key, generation, agent, purpose, draw, rare)
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


def arrivals_by_words(key, generation, agent, purpose, draw, chances, words_of_row):
    """Which items arrive, each with its own chance: digits of a random number against its digits.

    Items of sixteen words share draws: twelve digits of each word, two words a draw; then two
    digits a draw for every word that has an undecided item.
    """
    got = set()
    for chunk in range(0, words_of_row, 16):
        width = min(16, words_of_row - chunk)

        def word(i, of=draw):
            four = words(key, generation, agent, purpose, of + i // 2)
            return four[i % 2 * 2] << 32 | four[i % 2 * 2 + 1]

        draw += 6 * width
        for w in range(width):
            here = {i: list(digits(x)) for i, x in chances.items() if i >> 6 == chunk + w}
            left, d = set(here), 0
            while left and d < 64:
                if d < 12:
                    both = (word(d * width + w), word((d + 1) * width + w))
                else:
                    a, b, c, e = words(key, generation, agent, purpose, draw)
                    both, draw = (a << 32 | b, c << 32 | e), draw + 1
                for drawn in both:
                    ones = {i for i in left if drawn >> (i & 63) & 1}
                    differ = {i for i in left if here[i][d] != (i in ones)}
                    got |= differ - ones
                    left -= differ
                    d += 1
    return got, draw


def arrived(key, generation, agent, purpose, fidelity, shown, own, words_of_row):
    """What is known with what arrives of the models' items, three models at a time."""
    own, draw = set(own), 0
    rare = min(fidelity, 1.0 - fidelity)
    for first in range(0, len(shown), 3):
        some = shown[first : first + 3]
        new = set().union(*some) - own
        if rare * len(new) > 4 * -(-words_of_row // 16):
            seen = {i: sum(i in s for s in some) for i in new}
            chances = {i: 1.0 - (1.0 - fidelity) ** c for i, c in seen.items()}
            got, draw = arrivals_by_words(
                key, generation, agent, purpose, draw, chances, words_of_row
            )
            own |= got
            continue
        for row in some:
            got, draw = arrivals(key, generation, agent, draw, fidelity, row - own, purpose)
            own |= got
    return own


def near_by(p, agent, four):
    """Members of the neighbourhood that is drawn from at a place, and where they stand in it."""
    near = p["near"]
    g = int(near.group[agent])
    if four[2] / 2**32 < p["contact"]:
        away = near.away[near.away_start[g] : near.away_start[g + 1]]
        g = int(away[four[3] * away.size >> 32]) if away.size else g
    at = slice(near.start[g], near.start[g + 1])
    return near.member[at], at


def local_model(p, r, agent, k, key, g, purpose):
    """The k-th model of a newborn among those near it."""
    if p["choice"] == kernels.BEST:
        drawn = []
        for c in range(p["candidates"]):
            four = words(key, g, agent, purpose, k * p["candidates"] + c)
            those, _ = near_by(p, agent, four)
            drawn.append(those[four[0] * those.size >> 32])
        return int(max(drawn, key=lambda i: p["payoff"][r, i]))
    four = words(key, g, agent, purpose, k)
    those, at = near_by(p, agent, four)
    if p["choice"] == kernels.PAYOFF:
        cdf = p["cdf"][r, at]
        u = uniform(key, g, agent, purpose, k) * cdf[-1]
        return int(next(i for i, upto in zip(those, cdf, strict=True) if upto > u))
    return int(those[four[0] * those.size >> 32])


def model(p, r, agent, k):
    """The k-th model of a newborn."""
    key, g, before = p["keys"][r], p["generation"], int(p["before"][r])
    later = p.get("turn", 0) * philox.PASS
    purpose = philox.MODEL + later
    if p["path"] == kernels.VERTICAL:
        return int(p["parent"][r, agent] if k == 0 else p["mate"][r, agent])
    if p["near"].group.size:
        return local_model(p, r, agent, k, key, g, purpose)
    if p["choice"] == kernels.PAYOFF:
        u = uniform(key, g, agent, purpose, k) * p["cdf"][r, before - 1]
        return next(i for i in range(before) if p["cdf"][r, i] > u)
    if p["choice"] == kernels.BEST:
        n = p["candidates"]
        drawn = [words(key, g, agent, purpose, k * n + c)[0] * before >> 32 for c in range(n)]
        return max(drawn, key=lambda i: p["payoff"][r, i])
    if p["choice"] == kernels.PRESTIGE and agent > 0:
        u = uniform(key, g, agent, philox.FOLLOW + later, k)
        if u < p["strength"]:
            earlier = words(key, g, agent, philox.FOLLOW + later, k)[2] * agent >> 32
            return model(p, r, earlier, k)
    return words(key, g, agent, purpose, k)[0] * before >> 32


def gene(p, r, agent, which, value, most):
    locus = p["loci"][which]
    return value if locus < 0 else min(max(float(p["genes"][r, agent, locus]), 0.0), most)


def models_of(p, r, agent):
    """Whom one newborn copies: nobody, if it does not."""
    if p["before"][r] == 0:
        return []
    copying = gene(p, r, agent, kernels.COPYING_GENE, p["copying"], 1.0)
    if (
        copying < 1.0
        and uniform(p["keys"][r], p["generation"], agent, philox.COPYING, 0) >= copying
    ):
        return []
    n = math.floor(gene(p, r, agent, kernels.MODELS_GENE, p["models"], 64) + 0.5)
    return [model(p, r, agent, k) for k in range(n)]


def effort(p, r, other):
    return p["effort"][r, other] if p["effort"].size else 0.0


def received(p, r, agent):
    """What one newborn receives: a set of items, or a number of them and their volume."""
    key, g, later = p["keys"][r], p["generation"], p["turn"] * philox.PASS
    who = models_of(p, r, agent)
    own = items_of(p["known"][r, agent]) if p["turn"] else set()
    if not who:
        return (0, 0) if p["counted"] else own
    fidelity = gene(p, r, agent, kernels.FIDELITY_GENE, p["fidelity"], 1.0)
    chance = [fidelity + (1 - fidelity) * effort(p, r, other) for other in who]
    rows = [p["shown"][r, other] for other in who]
    if p["counted"]:
        here, _ = arrivals(key, g, agent, 0, chance[0], range(int(rows[0][0])))
        kept = min(len(here), p["capacity"])
        if len(rows[0]) == 1 or not here:
            return kept, 0
        each = p["compression"] * float(rows[0][1]) / float(rows[0][0])
        if kept * each > p["most"]:
            kept = int(p["most"] / each)
        return kept, int(kept * each)
    shown = [items_of(row) for row in rows]
    if p["choice"] == kernels.CONFORMIST:
        anyone = set().union(*shown)
        shown = [{i for i in anyone if 2 * sum(i in s for s in shown) > len(who)}]
    purpose, draw = philox.FIDELITY + later, 0
    if not p["effort"].size:
        own = arrived(key, g, agent, purpose, fidelity, shown, own, p["shown"].shape[2])
        shown = []
    for some, f in zip(shown, chance, strict=False):
        new, draw = arrivals(key, g, agent, draw, f, some - own, purpose)
        own |= new
    if len(own) <= p["capacity"]:
        return own
    kept = set()
    for k, item in enumerate(sorted(own)):
        left = len(own) - k
        u = uniform(key, g, agent, philox.CAPACITY + later, k)
        if u * left < p["capacity"] - len(kept):
            kept.add(item)
    return kept


def imitated(p, r, agent):
    """The skill that one newborn imitates."""
    who = models_of(p, r, agent)
    if not who:
        return 0.0
    f = gene(p, r, agent, kernels.FIDELITY_GENE, p["fidelity"], 1.0)
    mean = sum(p["skill"][r, other] for other in who) / len(who)
    gap = sum(1.0 - effort(p, r, other) for other in who) / len(who)
    skill = f * mean - p["loss"] * gap
    u = uniform(p["keys"][r], p["generation"], agent, philox.IMITATION, 0)
    return min(skill - p["spread"] * math.log(-math.log(1.0 - u)), p["capacity"])


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


def handed_over(p, r, agent, own):
    """Whom one newborn copies, what each of them knew, and its part of what was received.

    An item that several knew is shared by the chances with which they pass on what they know.
    """
    who = models_of(p, r, agent)
    fidelity = gene(p, r, agent, kernels.FIDELITY_GENE, p["fidelity"], 1.0)
    chance = [fidelity + (1 - fidelity) * effort(p, r, other) for other in who]
    shown = [items_of(p["shown"][r, other]) for other in who]
    parts = [0.0] * len(who)
    for item in own:
        whole = sum(c for c, s in zip(chance, shown, strict=True) if item in s)
        for k, (c, s) in enumerate(zip(chance, shown, strict=True)):
            parts[k] += c / whole * (item in s)
    return [(w, len(s), x) for w, s, x in zip(who, shown, parts, strict=True)]
