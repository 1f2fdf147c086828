"""Selection: expected offspring to realised offspring, parents in ascending order.

Every scheme ends in the same three arrays: how many gametes each agent gave, the parent of each
offspring, and how many births made it (0 for a survivor). Offspring stand in the order of their
parents, which costs nothing in a well-mixed population and lets reproduction read genomes in
order (random gathers cost a third of the speed at a million agents).
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.philox import MATE, MORAN, PARENT, below, double, philox

#: Agents per block of the parallel kernels here; fixed, so that sums do not depend on threads.
BLOCK = 1024

#: Poisson draws of larger means are made in parts.
LARGEST_MEAN = 500.0

EXPONENTIAL = 0
PROPORTIONAL = 1
NEUTRAL = 2


@kernel
def fitness_from(first, last, kind, slope, baseline, relative, count, criterion, fitness):
    """Turn the criterion into fitness for the replicates first..last-1.

    Parameters
    ----------
    kind : int
        EXPONENTIAL: exp(slope x), minus the largest x first if `relative`; PROPORTIONAL:
        baseline + slope x; NEUTRAL: 1.
    criterion, fitness : (R, N) float64
        `fitness` is overwritten for the agents alive.
    """
    for r in range(first, last):
        top = 0.0
        if kind == EXPONENTIAL and relative:
            top = -math.inf
            for i in range(count[r]):
                top = max(top, slope * criterion[r, i])
        for i in range(count[r]):
            if kind == EXPONENTIAL:
                fitness[r, i] = math.exp(slope * criterion[r, i] - top)
            elif kind == PROPORTIONAL:
                fitness[r, i] = baseline + slope * criterion[r, i]
            else:
                fitness[r, i] = 1.0


@kernel
def breeders(first, last, fraction, threshold, keys, generation, count, criterion, fitness):
    """Give fitness 1 to those that breed, 0 to the others (truncation).

    With ``fraction > 0`` the best share of each replicate breeds (ties at the edge by lot),
    else all with a criterion of at least `threshold`.
    """
    for r in range(first, last):
        n = count[r]
        if n == 0:
            continue
        if fraction <= 0.0:
            for i in range(n):
                fitness[r, i] = 1.0 if criterion[r, i] >= threshold else 0.0
            continue
        wanted = max(1, math.floor(n * fraction + 0.5))
        edge = np.sort(criterion[r, :n])[n - wanted]
        above = 0
        tied = np.empty(n, np.int64)
        ties = 0
        for i in range(n):
            fitness[r, i] = 0.0
            if criterion[r, i] > edge:
                fitness[r, i] = 1.0
                above += 1
            elif criterion[r, i] == edge:
                tied[ties] = i
                ties += 1
        for k in range(wanted - above):
            w, _, _, _ = philox(keys[r], generation, k, PARENT, 1)
            pick = k + below(w, ties - k)
            tied[k], tied[pick] = tied[pick], tied[k]
            fitness[r, tied[k]] = 1.0


@kernel
def spacings(first, last, keys, generation, agents, gaps):
    """Fill ``gaps[R, N]`` with exponential draws: the gaps between sorted uniforms."""
    per = (agents + BLOCK - 1) // BLOCK
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * BLOCK
        for j in range(base, min(base + BLOCK, agents)):
            a, b, _, _ = philox(keys[r], generation, j, PARENT, 0)
            gaps[r, j] = -math.log(1.0 - double(a, b))


@kernel
def wright_fisher(first, last, keys, generation, count, born, fitness, gaps, gametes, parent):
    """Draw each offspring's parent in proportion to fitness (multinomial), parents sorted.

    Sorted uniforms are the normalised partial sums of exponential gaps, so that one pass over
    agents and offspring together replaces a search per offspring.

    Parameters
    ----------
    count, born : (R,) int64
        Agents alive now; offspring to be born (0 where nobody has fitness).
    fitness, gaps : (R, N) float64
    gametes : (R, N) int32
        Overwritten: offspring of each agent.
    parent : (R, N) int32
        Overwritten.
    """
    for r in range(first, last):
        n = count[r]
        total = 0.0
        fittest = 0
        for i in range(n):
            gametes[r, i] = 0
            total += fitness[r, i]
            if fitness[r, i] > 0.0:
                fittest = i
        if born[r] == 0:
            continue
        m = born[r]
        all_gaps = 0.0
        for j in range(m):
            all_gaps += gaps[r, j]
        # The gap after the last uniform has a draw of its own.
        a, b, _, _ = philox(keys[r], generation, 0, PARENT, 2)
        all_gaps += -math.log(1.0 - double(a, b))
        scale = total / all_gaps
        point = 0.0
        i = 0
        upto = fitness[r, 0]
        for j in range(m):
            point += gaps[r, j]
            # Rounding at the very end cannot pass the last agent with fitness.
            while upto <= point * scale and i < fittest:
                i += 1
                upto += fitness[r, i]
            parent[r, j] = i
            gametes[r, i] += 1


@kernel
def tournament(first, last, size, keys, generation, count, agents, criterion, purpose, winner):
    """For each offspring, the best of `size` agents drawn at random (first drawn wins ties)."""
    per = (agents + BLOCK - 1) // BLOCK
    words = np.empty((4, BLOCK), np.uint64)
    for block in range(first, last):
        r = block // per
        key, n = keys[r], count[r]
        base = (block - r * per) * BLOCK
        offspring = min(BLOCK, n - base)
        for drawn in range(0, size, 4):
            # Philox for the whole block first, so that it is vectorised.
            for j in range(offspring):
                w0, w1, w2, w3 = philox(key, generation, base + j, purpose, drawn >> 2)
                words[0, j] = w0
                words[1, j] = w1
                words[2, j] = w2
                words[3, j] = w3
            for k in range(drawn, min(drawn + 4, size)):
                for j in range(offspring):
                    i = below(words[k - drawn, j], n)
                    if k == 0 or criterion[r, i] > criterion[r, winner[r, base + j]]:
                        winner[r, base + j] = i


@kernel
def in_order(first, last, born, count, winner, gametes, parent):
    """Count each agent's offspring in `winner` and write `parent` sorted."""
    for r in range(first, last):
        for i in range(count[r]):
            gametes[r, i] = 0
        for j in range(born[r]):
            gametes[r, winner[r, j]] += 1
        j = 0
        for i in range(count[r]):
            for _ in range(gametes[r, i]):
                parent[r, j] = i
                j += 1


@kernel
def mates_by_fitness(first, last, keys, generation, count, born, fitness, gametes, mate):
    """Draw each offspring's second parent in proportion to fitness, independent of the first.

    A guide table (Chen & Asau 1974) replaces the binary search that dominates at 1e5 agents.
    `gametes` is increased by the second parents' contributions.
    """
    for r in range(first, last):
        n = count[r]
        if born[r] == 0:
            continue
        upto = np.empty(n, np.float64)
        total = 0.0
        fittest = 0
        for i in range(n):
            total += fitness[r, i]
            upto[i] = total
            if fitness[r, i] > 0.0:
                fittest = i
        guide = np.empty(n, np.int64)
        i = 0
        for g in range(n):
            while i < fittest and upto[i] <= total * g / n:
                i += 1
            guide[g] = i
        for j in range(born[r]):
            a, b, _, _ = philox(keys[r], generation, j, MATE, 0)
            u = double(a, b)
            i = guide[int(u * n)]
            while i < fittest and upto[i] <= total * u:
                i += 1
            mate[r, j] = i
            gametes[r, i] += 1


@kernel
def poisson(first, last, capacity, keys, generation, count, fitness, limit, born, gametes, parent):
    """Density regulation: Poisson offspring with mean fitness * exp(-n / capacity).

    Where the offspring would outgrow `limit`, ``born`` is set to -1 and nothing else written.
    """
    for r in range(first, last):
        n = count[r]
        crowd = math.exp(-n / capacity)
        j = 0
        for i in range(n):
            rest = fitness[r, i] * crowd
            draw = 0
            k = 0
            # A sum of Poisson draws is a Poisson draw: exp(-mean) must not vanish.
            while draw == 0 or (rest > 0.0 and j + k <= limit):
                mean = min(rest, LARGEST_MEAN)
                rest -= mean
                a, b, _, _ = philox(keys[r], generation, i, PARENT, draw)
                draw += 1
                u = double(a, b)
                term = math.exp(-mean)
                upto = term
                part = 0
                while u >= upto and term > 0.0:
                    part += 1
                    term *= mean / part
                    upto += term
                k += part
            gametes[r, i] = k
            if j + k > limit:
                j = -1
                break
            for c in range(k):
                parent[r, j + c] = i
            j += k
        born[r] = j


@inline
def fenwick_add(tree, n, i, x):
    """Add x to entry i of a Fenwick tree of n entries (1-based storage)."""
    i += 1
    while i <= n:
        tree[i] += x
        i += i & (-i)


@inline
def fenwick_find(tree, n, top, target):
    """Return the first entry whose cumulative sum exceeds target."""
    at = 0
    step = top
    while step > 0:
        if at + step <= n and tree[at + step] <= target:
            at += step
            target -= tree[at]
        step >>= 1
    return min(at, n - 1)


@kernel
def moran(first, last, keys, generation, count, fitness, gametes, parent, births):
    """N birth-death events: a birth in proportion to fitness, a death at random.

    Fitness is that of the generation's start; newborns inherit their parent's. The one that
    gives birth may be the one that dies (Moran 1958).

    Parameters
    ----------
    gametes : (R, N) int32
        Overwritten: slots whose ancestor at the generation's start was this agent; a survivor
        counts as its own offspring.
    parent : (R, N) int32
        Overwritten: that ancestor, per slot.
    births : (R, N) int32
        Overwritten: births between the ancestor and the slot's occupant, 0 for a survivor.
    """
    for r in range(first, last):
        n = count[r]
        if n == 0:
            continue
        tree = np.zeros(n + 1, np.float64)
        weight = np.empty(n, np.float64)
        total = 0.0
        for i in range(n):
            parent[r, i] = i
            births[r, i] = 0
            weight[i] = fitness[r, i]
            total += weight[i]
            fenwick_add(tree, n, i, weight[i])
        top = 1
        while top * 2 <= n:
            top *= 2
        for event in range(n):
            a, b, c, _ = philox(keys[r], generation, event, MORAN, 0)
            mother = fenwick_find(tree, n, top, double(a, b) * total)
            while weight[mother] <= 0.0:  # rounding may land beside the last with fitness
                mother = mother - 1 if mother > 0 else n - 1
            dead = below(c, n)
            change = weight[mother] - weight[dead]
            if change != 0.0:
                fenwick_add(tree, n, dead, change)
                total += change
            parent[r, dead] = parent[r, mother]
            births[r, dead] = births[r, mother] + 1
            weight[dead] = weight[mother]
        for i in range(n):
            gametes[r, i] = 0
        for i in range(n):
            gametes[r, parent[r, i]] += 1


@kernel
def count_gametes(first, last, born, source, gametes):
    """Add one gamete to the agent that each of the offspring names in `source`."""
    for r in range(first, last):
        for j in range(born[r]):
            gametes[r, source[r, j]] += 1
