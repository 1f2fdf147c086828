"""What a life's data were, and where learning went by them: indices of trials beside B1's.

What an agent does decides what it learns from: how far the states that it meets lie from those of
choices at random, how much of its learning happened inside a region, and how much of the change
of its policy goes along the payoff's gradient (catalogue S59, S62, S90).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosim.spectrum import Site

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


def expected_visits(site: Site, policy: F64) -> F64:
    """Return (n, S) expected visits of each live state in an episode.

    Parameters
    ----------
    policy : (n, S, A) float64
    """
    return np.asarray(sum(_distributions(site, policy)))


def _distributions(site: Site, policy: F64) -> list[F64]:
    """Return (n, S) probabilities of being in each state, step by step."""
    here = np.broadcast_to(site.start, (policy.shape[0], site.start.size))
    flat = site.onto.reshape(-1, site.ends.size)
    out = []
    for _ in range(site.steps):
        out.append(here)
        here = (here[..., None] * policy).reshape(len(here), -1) @ flat
    return out


def divergence(visits: F64, reference: F64) -> float:
    """Return the Kullback-Leibler divergence of visited states from a reference, in nats.

    Parameters
    ----------
    visits, reference : (S,) float64
        Not necessarily normalised; the reference is positive where there are visits. NaN where
        there are none.
    """
    if not visits.sum() > 0.0:
        return float("nan")
    p, q = visits / visits.sum(), reference / reference.sum()
    some = p > 0.0
    return float((p[some] * np.log(p[some] / q[some])).sum())


def inside_share(visits: F64, percept: I64, inside: Bool, percepts: int) -> F64:
    """Return (..., P) the share of each percept's visits that lies in the region; 0 of none.

    Parameters
    ----------
    visits : (..., C, S) float64
        By variant and state.
    percept : (C, S) int64
    inside : (S,) or (C, S) bool
    percepts : int
        P.
    """
    flat = visits.reshape(-1, percept.size)
    of = np.zeros((percept.size, percepts))
    of[np.arange(percept.size), percept.ravel()] = 1.0
    within = np.broadcast_to(inside, percept.shape).ravel()
    every, own = flat @ of, (flat * within) @ of
    share = own / np.where(every > 0.0, every, 1.0)
    return np.asarray(share.reshape(*visits.shape[:-2], percepts))


def payoff_gradient(site: Site, policy: F64) -> F64:
    """Return (n, S, A) the gradient of an episode's payoff by action probabilities.

    Policy gradient theorem (Sutton et al. 2000): visits times the value of the action, at every
    step; less the mean over actions, because probabilities sum to 1.

    Parameters
    ----------
    policy : (n, S, A) float64
    """
    met = _distributions(site, policy)
    flat = site.onto.reshape(-1, site.ends.size)
    ahead = np.zeros((policy.shape[0], site.ends.size))
    out = np.zeros(policy.shape)
    for here in reversed(met):
        worth = site.payoff + (ahead @ flat.T).reshape(policy.shape)
        out += here[..., None] * worth
        ahead = (policy * worth).sum(axis=2)
    return np.asarray(out - out.mean(axis=2, keepdims=True))


def off_gradient(site: Site, before: F64, after: F64) -> F64:
    """Return (n,) the part of a policy's change that does not go along the payoff's gradient.

    Norm of the change of action probabilities orthogonal to the gradient at the start, over the
    norm of the change: 0 where what was learned is what payoff asks for, by the shortest way, 1
    where it has nothing to do with payoff. NaN where nothing changed. States that look alike
    count as one.

    Parameters
    ----------
    before, after : (n, S, A) float64
        Action probabilities at birth and at the end of the life.
    """
    live = np.flatnonzero(~site.ends)
    seen, first = np.unique(site.percept[live], return_index=True)
    alike = (site.percept[live][:, None] == seen).astype(np.float64)
    change = (after - before)[:, live[first]].reshape(len(before), -1)
    by_state = payoff_gradient(site, before)[:, live]
    slope = np.einsum("nsa,sz->nza", by_state, alike).reshape(len(before), -1)
    square = (slope**2).sum(axis=1, keepdims=True)
    along = (change * slope).sum(axis=1, keepdims=True) / np.where(square > 0.0, square, 1.0)
    size = np.sqrt((change**2).sum(axis=1))
    rest = np.sqrt(((change - along * slope) ** 2).sum(axis=1))
    return np.asarray(np.where(size > 0.0, rest / np.where(size > 0.0, size, 1.0), np.nan))
