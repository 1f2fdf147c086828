"""Learned values as knowledge: a newborn's table begins with rows of its models' tables.

A row is what a model-free learner came to expect of the actions at one percept (of an
actor-critic: a single value or weight). Information is counted from what a table would do: at
each percept log2 of the number of actions minus the entropy of the choice, in bits.
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.choice import FIDELITY_GENE, MOST_MODELS, choose, expressed
from evosim.kernels.mind import awaken, prefer
from evosim.kernels.philox import FIDELITY, double, philox, uniform
from evosim.kernels.values import FIRST_VALUE

#: Newborns per block.
BLOCK = 64
#: First draw of the errors, after those of which rows arrive.
ERRORS = 1 << 30


@kernel
def decided(first, last, born, mind_tag, mind, world, size, count, genes, table, bits):
    """Count how far the tables of agents first..last-1 (flattened) decide what they would do.

    Parameters
    ----------
    born : bool
        Whether `table` is first overwritten with the values that the genome gives.
    size : int
        Length of a memory.
    genes : (R, N, L) float32
    table : (R, N, V) float64
    bits : (R, N) float64
        Overwritten for the agents alive.
    """
    agents = genes.shape[1]
    percepts, actions = world.cues.shape[1], world.actions
    memory = np.zeros(size, np.float64)
    prob = np.empty(actions, np.float64)
    for flat in range(first, last):
        r = flat // agents
        i = flat - r * agents
        if i >= count[r]:
            continue
        awaken(mind_tag, mind, world, genes[r, i], memory)
        for k in range(table.shape[2]):
            if born:
                table[r, i, k] = memory[FIRST_VALUE + k]
            else:
                memory[FIRST_VALUE + k] = table[r, i, k]
        total = 0.0
        for z in range(percepts):
            prefer(mind_tag, mind, world, memory, z, prob)
            total += math.log(actions)
            for a in range(actions):
                if prob[a] > 0.0:
                    total += prob[a] * math.log(prob[a])
        bits[r, i] = total / math.log(2.0)


@inline
def giver(key, generation, agent, z, rows, n, fidelity):
    """Return the first of n models of which a row arrives; n if of none."""
    k = 0
    while (
        k < n
        and fidelity < 1.0
        and uniform(key, generation, agent, FIDELITY, k * rows + z) >= fidelity
    ):
        k += 1
    return k


@kernel
def inherit(
    first, last, choice, path, models, candidates, copying, fidelity, noise, strength, near,
    contact, loci, keys, generation, count, genes, before, payoff, cdf, parent, mate, width, shown,
    table,
):  # fmt: skip
    """Write the rows that the newborns of the blocks first..last-1 receive over their own.

    Each row comes from the first model of which it arrives. Parameters that are not named here
    are those of `evosim.kernels.culture.transmit`.

    Parameters
    ----------
    noise : float
        Standard deviation of the error of each value that is received.
    width : int
        Values in a row.
    shown, table : (R, N, V) float64
        Of the models at death; of the newborns, written to where a row arrives.
    """
    agents, rows = table.shape[1], table.shape[2] // width
    per = (agents + BLOCK - 1) // BLOCK
    who = np.empty(MOST_MODELS, np.int64)
    for block in range(first, last):
        r = block // per
        key = keys[r]
        start = (block - r * per) * BLOCK
        for j in range(start, min(start + BLOCK, count[r])):
            n = choose(
                who, choice, path, models, candidates, copying, strength, near, contact, 0, loci,
                key, generation, j, genes[r, j], before[r], payoff[r], cdf[r], parent[r], mate[r],
            )  # fmt: skip
            f = expressed(genes[r, j], loci[FIDELITY_GENE], fidelity, 1.0)
            for z in range(rows):
                k = giver(key, generation, j, z, rows, n, f)
                if k == n:
                    continue
                for v in range(z * width, (z + 1) * width):
                    table[r, j, v] = shown[r, who[k], v]
                    if noise > 0.0:
                        a, b, c, d = philox(key, generation, j, FIDELITY, ERRORS + v)
                        # Box & Muller 1958.
                        size = math.sqrt(-2.0 * math.log(1.0 - double(a, b)))
                        table[r, j, v] += noise * size * math.cos(2.0 * math.pi * double(c, d))
