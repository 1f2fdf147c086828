"""Room for what observers want of lives."""

from __future__ import annotations

import numpy as np

from evosim.kernels.mind import Trail


def new_trail(
    replicates: int,
    agents: int,
    windows: int,
    entries: int,
    percepts: int,
    forced: int,
    values: int,
) -> Trail:
    """Return empty arrays of a `Trail`.

    Parameters
    ----------
    replicates, agents : int
        R and n.
    windows : int
        W, stretches of episodes.
    entries : int
        C * S * A.
    percepts : int
        P.
    forced, values : int
        D forced episodes, V numbers reported after each.
    """
    lead = (replicates, agents)
    return Trail(
        visits=np.zeros((*lead, windows, entries), np.uint32),
        payoff=np.zeros((*lead, windows)),
        rewarded=np.zeros((*lead, windows), np.uint32),
        moved=np.zeros((*lead, windows, percepts)),
        finished=np.zeros((*lead, windows)),
        policy=np.zeros((*lead, forced, values)),
    )


def no_trail(replicates: int) -> Trail:
    """Return a trail that records nothing."""
    return new_trail(replicates, 0, 1, 0, 0, 0, 0)
