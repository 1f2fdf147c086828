"""Transitivity: whether choices between two things at a time fit one order of all of them.

Who maximises anything at all prefers a to c where it prefers a to b and b to c. Of three things
that are offered in pairs, choices go in a circle in two of the eight cases, so a tosser of coins
is transitive in 3/4 of all triples; one who follows an order always is; and one who follows
something else than what is offered (the side on which it lies) may never be.

Kendall & Babington Smith 1940, "On the method of paired comparisons", Biometrika 31:324 (circular
triads; their coefficient of consistence counts the same triads). Of an agent that chooses a over b
with probability p_ab, choices drawn independently are transitive in a triple with probability

    1 - (p_ab p_bc p_ca + p_ba p_cb p_ac),

averaged over triples. An episode in which neither is reached counts as a toss of a coin, and so
does one in which both are: p_ab = 1/2 + (P(reach a) - P(reach b))/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Offers:
    """Which two things are offered in each context.

    Attributes
    ----------
    pair : (V, 2) int64
        Things, the smaller number first.
    target : (V, 2, S) uint8
        Where they are.
    things : int
        At least three.
    """

    pair: NDArray[np.int64]
    target: NDArray[np.uint8]
    things: int

    def share(self, reached: F64) -> F64:
        """Return the share of triples in which choices are transitive.

        Parameters
        ----------
        reached : (V, 2, n) float64
            Probability that an episode enters each of the two.

        Returns
        -------
        (n,) float64
        """
        prefers = np.zeros((self.things, self.things, reached.shape[2]))
        offered = np.zeros((self.things, self.things))
        for (a, b), (first, second) in zip(self.pair.tolist(), reached, strict=True):
            prefers[a, b] += 0.5 + 0.5 * (first - second)
            offered[a, b] += 1.0
        triples = [t for t in combinations(range(self.things), 3) if _complete(t, offered)]
        total = np.zeros(reached.shape[2])
        for a, b, c in triples:
            ab, bc, ac = (prefers[x, y] / offered[x, y] for x, y in ((a, b), (b, c), (a, c)))
            total += 1.0 - (ab * bc * (1.0 - ac) + (1.0 - ab) * (1.0 - bc) * ac)
        return np.asarray(total / len(triples))


def offers(world: TabularWorld, variants: Sequence[int], things: Sequence[str], key: str) -> Offers:
    """Find which two of some symbols stand in each context.

    Parameters
    ----------
    world : TabularWorld
    variants : sequence of int
        Rows of the world.
    things : sequence of str
        Symbols of its maps.
    key : str
        For errors.

    Raises
    ------
    UserError
        Where a context does not have exactly two of them, or no triple is complete.
    """
    pairs, targets = [], []
    for v in variants:
        there = [k for k, name in enumerate(things) if name in world.symbol
                 and world.symbol[name][v].any()]  # fmt: skip
        if len(there) != 2:
            where = world.contexts[int(world.variant_context[v])]
            raise UserError(
                f"{len(there)} of {', '.join(things)} stand in context '{where}'",
                key=key,
                allowed="symbols of which every context has two",
            )
        pairs.append(there)
        targets.append([world.symbol[things[k]][v] != 0 for k in there])
    offered = np.zeros((len(things), len(things)))
    for a, b in pairs:
        offered[a, b] += 1.0
    if not any(_complete(t, offered) for t in combinations(range(len(things)), 3)):
        raise UserError(
            "no three of them are offered in all their three pairs",
            key=key,
            allowed="a context for each pair",
        )
    return Offers(np.array(pairs), np.array(targets).astype(np.uint8), len(things))


def _complete(triple: Sequence[int], offered: F64) -> bool:
    return all(offered[a, b] > 0 for a, b in combinations(triple, 2))
