"""Whom newborns copy: how many models, and which."""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import inline
from evosim.kernels.near import anyone_at, weighted_at
from evosim.kernels.philox import COPYING, FOLLOW, MODEL, PASS, below, double, philox, uniform

RANDOM = 0
PAYOFF = 1
CONFORMIST = 2
BEST = 3
PRESTIGE = 4
OBLIQUE = 0
VERTICAL = 1
#: Where the genes of the channel stand in its list of loci.
COPYING_GENE, FIDELITY_GENE, MODELS_GENE, TEACHING_GENE, CRITICAL_GENE = 0, 1, 2, 3, 4
#: Most models that a newborn looks at.
MOST_MODELS = 64


@inline
def expressed(genes, locus, value, most):
    """Return a parameter, or the gene that an agent has for it, within 0..most."""
    if locus < 0:
        return value
    return min(max(np.float64(genes[locus]), 0.0), most)


@inline
def model_of(
    choice, path, candidates, strength, near, contact, purpose, key, generation, agent, k, before,
    payoff, cdf, parent, mate,
):  # fmt: skip
    """Return the k-th model of a newborn among `before` agents of the previous generation."""
    if path == VERTICAL:
        return np.int64(parent[agent]) if k == 0 else np.int64(mate[agent])
    local = near.group.size > 0
    if choice == PAYOFF and local:
        w0, w1, w2, w3 = philox(key, generation, agent, purpose, k)
        return weighted_at(near, agent, contact, cdf, w0, w1, w2, w3)
    if choice == PAYOFF:
        u = uniform(key, generation, agent, purpose, k) * cdf[before - 1]
        low, high = 0, before - 1
        while low < high:
            middle = (low + high) >> 1
            if cdf[middle] > u:
                high = middle
            else:
                low = middle + 1
        return np.int64(low)
    if choice == BEST:
        best = np.int64(-1)
        for c in range(candidates):
            word, _, w2, w3 = philox(key, generation, agent, purpose, k * candidates + c)
            other = below(word, before)
            if local:
                other = anyone_at(near, agent, contact, word, w2, w3)
            if best < 0 or payoff[other] > payoff[best]:
                best = other
        return best
    at = np.int64(agent)
    if choice == PRESTIGE:
        # Newborns choose in their order; whom one follows is a function of its number alone.
        while at > 0:
            a, b, c, _ = philox(key, generation, at, purpose - MODEL + FOLLOW, k)
            if double(a, b) >= strength:
                break
            at = np.int64(below(c, at))
    word, _, w2, w3 = philox(key, generation, at, purpose, k)
    if local:
        return anyone_at(near, agent, contact, word, w2, w3)
    return below(word, before)


@inline
def choose(
    who, choice, path, models, candidates, copying, strength, near, contact, turn, loci, key,
    generation, agent, genes, before, payoff, cdf, parent, mate,
):  # fmt: skip
    """Write the models of a newborn and return how many it has: none if it does not copy."""
    if before == 0:
        return 0
    chance = expressed(genes, loci[COPYING_GENE], copying, 1.0)
    if chance < 1.0 and uniform(key, generation, agent, COPYING, 0) >= chance:
        return 0
    n = int(expressed(genes, loci[MODELS_GENE], models, MOST_MODELS) + 0.5)
    for k in range(n):
        who[k] = model_of(
            choice, path, candidates, strength, near, contact, MODEL + turn * PASS, key,
            generation, agent, k, before, payoff, cdf, parent, mate,
        )  # fmt: skip
    return n
