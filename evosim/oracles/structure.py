"""Closed forms of structured populations: demes of haploids, spread from one place.

Wright 1931 (the island model); the recursion of identities as in Maruyama 1970, here for finitely
many islands and for migrants that always come from another one.
"""

from __future__ import annotations

import numpy as np


def island_heterozygosity(
    generations: int, demes: int, size: int, migration: float, start: float
) -> tuple[float, float]:
    """Return the chances that two agents of the same deme, of different demes, differ.

    Parameters
    ----------
    generations : int
        Of drift since founders of which any two differ with probability `start`.
    demes, size : int
        Demes, and haploid agents in each; every deme fills its places itself.
    migration : float
        Chance that a parent is of another deme, each alike.

    Returns
    -------
    within, between : float

    Raises
    ------
    ValueError
        For less than two demes or one agent, or a chance beyond 0 and 1.
    """
    if demes < 2 or size < 1 or not 0.0 <= migration <= 1.0:
        raise ValueError("two demes or more, of one agent or more, and a chance of 0 to 1")
    stay, others = 1.0 - migration, demes - 1
    same = stay**2 + migration**2 / others
    meet = 2.0 * stay * migration / others + migration**2 * (demes - 2) / others**2
    apart = 1.0 - 1.0 / size  # two parents of one deme are not the same agent
    step = np.array([[same * apart, 1.0 - same], [meet * apart, 1.0 - meet]])
    within, between = np.linalg.matrix_power(step, generations) @ np.array([start, start])
    return float(within), float(between)


def reached(generations: int, near: int, places: int) -> int:
    """Return how many places of a ring know what one knew, if everyone near always copies.

    Parameters
    ----------
    generations : int
    near : int
        Neighbours on both sides together.
    places : int

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If a number is negative.
    """
    if min(generations, near, places) < 0:
        raise ValueError("numbers of generations, neighbours and places are not negative")
    return min(places, near * generations + 1)
