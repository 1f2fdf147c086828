"""Indices of the bad-exploration spectrum: one loop, whatever the mind.

Each index is a function of what lives did and earned, seen from outside; no index looks at what
a mind holds. The region is the part of the world that agents may come to avoid. Its entries are
the (state, action) pairs outside of it whose likeliest outcome lies inside: what an agent chooses,
not what happens to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: A life is locked in if it chooses to enter less often than this per episode, at the end...
RARELY = 0.02
#: ... and loses more than this share of what there is to gain over acting at random.
LOSS = 0.1
#: A region counts as open again when an episode enters it by choice with this probability.
OPEN = 0.25
#: Share of the life that counts as its end (and as its beginning).
END = 0.1
#: A distance counts towards the horizon from this change of behaviour on.
CHANGE = 0.1


@dataclass(frozen=True)
class Site:
    """One variant of a world, and where its region lies.

    Attributes
    ----------
    onto : (S, A, S) float64
        Probability that the episode goes on in each state.
    payoff : (S, A) float64
        Mean payoff as a rule: without what is paid once a life.
    likely : (S, A) int64
        The likeliest next state.
    ends : (S,) bool
        Entering ends the episode.
    start : (S,) float64
    steps : int
    inside : (S,) bool
        Live states of the region.
    entry : (S, A) bool
        Choices that enter it.
    distance : (S,) int64
        Steps to the nearest state where entering can be chosen; -1 if there is no way.
    percept : (S,) int64
    """

    onto: F64
    payoff: F64
    likely: I64
    ends: Bool
    start: F64
    steps: int
    inside: Bool
    entry: Bool
    distance: I64
    percept: I64

    @cached_property
    def best(self) -> F64:
        """Expected payoff of an episode from each state (S,), by the best policy there is."""
        return np.asarray(_ahead(self, None)[0])

    @cached_property
    def random(self) -> F64:
        """Expected payoff of an episode from each state (S,), acting at random."""
        return np.asarray(_ahead(self, at_random(self))[0])

    @cached_property
    def random_outside(self) -> F64:
        """The same (S,), on condition that it does not choose to enter the region."""
        return np.asarray(_ahead(self, _only(at_random(self), self.allowed))[0])

    @cached_property
    def allowed(self) -> Bool:
        """Choices (S, A) that do not enter the region; all, where every one does."""
        return np.asarray(~self.entry | self.entry.all(axis=1, keepdims=True))

    @cached_property
    def closed(self) -> Site:
        """The same, where entering by choice costs more than there is to gain."""
        return replace(self, payoff=np.where(self.allowed, self.payoff, -1e9))

    @cached_property
    def reachable(self) -> Bool:
        """States (S,) that some policy can meet."""
        met = self.start > 0
        for _ in range(self.steps):
            onto = (self.onto[met] > 0).any(axis=(0, 1))
            if not (onto & ~met).any():
                break
            met = met | onto
        return np.asarray(met)


def make_site(world: TabularWorld, variant: int, region: int, step_payoff: float) -> Site:
    """Describe a variant of a world as the indices see it.

    Parameters
    ----------
    world : TabularWorld
    variant, region : int
    step_payoff : float
        What a step brings where something is not paid a second time.
    """
    following = world.outcome_state[variant].astype(np.int64)
    chance = np.diff(world.outcome_cdf[variant], axis=2, prepend=0.0)
    ends = world.terminal[variant] != 0
    inside = (world.region[variant] == region) & ~ends
    likely = np.take_along_axis(following, chance.argmax(axis=2)[..., None], axis=2)[..., 0]
    live = ~ends & ~inside
    entry = live[:, None] & (world.region[variant] == region)[likely]
    payoff = np.where(world.once[variant] != 0, step_payoff, world.payoff[variant])
    onto = np.zeros((*likely.shape, ends.size))
    s, a, k = np.nonzero((chance > 0) & ~ends[following])
    np.add.at(onto, (s, a, following[s, a, k]), chance[s, a, k])
    return Site(
        onto=onto,
        payoff=(chance * payoff).sum(axis=2),
        likely=likely,
        ends=ends,
        start=np.diff(world.start_cdf[variant], prepend=0.0),
        steps=world.steps,
        inside=inside,
        entry=entry,
        distance=_distances(likely, live, entry),
        percept=world.percept[variant].astype(np.int64),
    )


def _distances(likely: I64, live: Bool, entry: Bool) -> I64:
    """Return steps, along likely outcomes, to a state where entering can be chosen."""
    distance = np.where(entry.any(axis=1), 0, -1)
    for steps in range(1, live.size):
        onto = distance[likely] == steps - 1
        new = live & (distance < 0) & onto.any(axis=1)
        if not new.any():
            break
        distance[new] = steps
    return np.asarray(distance, np.int64)


def values(site: Site, policy: F64 | None, start: F64 | None = None) -> F64:
    """Return the expected payoff of an episode.

    Parameters
    ----------
    site : Site
    policy : (n, S, A) float64 or None
        Action probabilities in each state; None for the best there is.
    start : (S,) float64, optional
        Default: the world's own.

    Returns
    -------
    (n,) float64, or () for the best
    """
    ahead = site.best if policy is None else _ahead(site, policy)
    return np.asarray(ahead @ (site.start if start is None else start))


def _ahead(site: Site, policy: F64 | None) -> F64:
    """Return (n, S) the expected payoff of an episode from each state."""
    flat = site.onto.reshape(-1, site.ends.size)
    ahead = np.zeros((1 if policy is None else policy.shape[0], site.ends.size))
    for _ in range(site.steps):
        worth = site.payoff + (ahead @ flat.T).reshape(-1, *site.payoff.shape)
        ahead = worth.max(axis=2) if policy is None else (policy * worth).sum(axis=2)
    return np.asarray(ahead)


def at_random(site: Site) -> F64:
    """Return (1, S, A) probabilities of choosing all actions alike."""
    return np.full((1, *site.entry.shape), 1.0 / site.entry.shape[1])


def entered_by_choice(site: Site, policy: F64) -> F64:
    """Return (n,) probabilities that an episode enters the region by choice.

    Parameters
    ----------
    site : Site
    policy : (n, S, A) float64
    """
    choosing = np.where(site.entry[None], policy, 0.0)
    staying = policy - choosing
    here = np.broadcast_to(site.start, (policy.shape[0], site.start.size)).copy()
    total = np.zeros(policy.shape[0])
    flat = site.onto.reshape(-1, site.ends.size)
    for _ in range(site.steps):
        total += np.einsum("ns,nsa->n", here, choosing)
        here = (here[..., None] * staying).reshape(len(here), -1) @ flat
    return total


def window_rates(visits: I64, entry: Bool, episodes: F64) -> F64:
    """Return (n, W) chosen entries per episode.

    Parameters
    ----------
    visits : (n, W, S, A) int
        How often each action was done in each state.
    entry : (S, A) bool
    episodes : (W,) float64
        Episodes in each window.
    """
    return np.asarray((visits * entry).sum(axis=(2, 3)) / episodes)


def first_entries(entered: F64) -> I64:
    """Return (n,) the window of the first chosen entry; -1 in lives without any.

    Parameters
    ----------
    entered : (n, W) float64
        Chosen entries per episode.
    """
    some = entered > 0
    return np.asarray(np.where(some.any(axis=1), some.argmax(axis=1), -1), np.int64)


def ending(windows: int) -> int:
    """Return how many windows make up the end of a life."""
    return max(1, round(END * windows))


def lock_in(entered: F64, payoff: F64, best: float, random: float, last: int) -> Bool:
    """Tell which lives are locked in: they do not enter any more, and lose by it.

    Parameters
    ----------
    entered : (n, W) float64
        Chosen entries per episode.
    payoff : (n,) float64
        Mean payoff per episode at the end of the life.
    best, random : float
        Payoff per episode of the best policy, and of acting at random.
    last : int
        How many windows make up the end of the life.
    """
    late = entered[:, -last:].max(axis=1)
    return np.asarray((late < RARELY) & (best - payoff > LOSS * (best - random)))


def toward(site: Site, policy: F64, distance: int) -> F64:
    """Return (n,) mean probabilities of going on towards the region at a distance from it.

    Parameters
    ----------
    policy : (n, S, A) float64
    distance : int
        Steps to where entering can be chosen; 0 is that place.
    """
    at = site.distance == distance
    ahead = site.distance[site.likely]
    nearer = (ahead >= 0) & (ahead <= distance)
    on = site.entry if distance == 0 else nearer
    return np.asarray(np.where(on[None], policy, 0.0).sum(axis=2)[:, at].mean(axis=1))


def horizon(site: Site, policy: F64, neutral: F64) -> tuple[float, float]:
    """Return the foresight horizon H and its mean form.

    sigma_h is how much less the agents go on towards the region at distance h than the same
    agents do where no accident happened. H is the largest h > 0 with sigma_h above CHANGE and
    surely above 0 (one-sided 97.5 % over agents), 0 if there is none; the mean form weighs every
    h >= 0 by the positive part of sigma_h.

    Parameters
    ----------
    site : Site
    policy, neutral : (n, S, A) float64
        At the end of their lives, with and without the accident.
    """
    largest, weights = 0, []
    for h in range(int(site.distance.max()) + 1):
        change = toward(site, neutral, h) - toward(site, policy, h)
        mean = float(change.mean())
        error = float(change.std(ddof=1)) / np.sqrt(change.size) if change.size > 1 else 0.0
        weights.append(max(mean, 0.0))
        if h > 0 and mean > CHANGE and mean - 1.96 * error > 0.0:
            largest = h
    total = sum(weights)
    mean_form = sum(h * w for h, w in enumerate(weights)) / total if total > 0.0 else 0.0
    return float(largest), float(mean_form)


def coverage_gap(visits: I64, site: Site) -> F64:
    """Return (n,) how much less of the region is tried than of the rest, late in life.

    The share of reachable (state, action) pairs tried at least once in the second half of the
    life: outside minus inside, over outside. NaN where nothing outside is tried.

    Parameters
    ----------
    visits : (n, W, S, A) int
    """
    tried = visits[:, visits.shape[1] // 2 :].sum(axis=1) > 0
    possible = site.reachable & ~site.ends
    outside, within = possible & ~site.inside, possible & site.inside
    out = tried[:, outside].mean(axis=(1, 2)) if outside.any() else np.zeros(len(tried))
    region = tried[:, within].mean(axis=(1, 2)) if within.any() else np.zeros(len(tried))
    return np.asarray(np.where(out > 0, (out - region) / np.where(out > 0, out, 1.0), np.nan))


def competence(site: Site, policy: F64, start: F64 | None = None, *, shut: bool = False) -> F64:
    """Return (n,) payoff between acting at random (0) and the best there is (1).

    Parameters
    ----------
    site : Site
    policy : (n, S, A) float64
    start : (S,) float64, optional
        Where episodes begin; default: the world's own start.
    shut : bool
        Among policies that do not choose to enter the region; those of the agents, and acting at
        random, are conditional on not entering.
    """
    at = site.start if start is None else start
    if not shut:
        best, random, own = site.best, site.random, _ahead(site, policy)
    else:
        best, random = site.closed.best, site.random_outside
        own = _ahead(site, _only(policy, site.allowed))
    return _between(own @ at, float(best @ at), float(random @ at))


def _between(own: F64, best: float, random: float) -> F64:
    span = best - random
    return np.asarray((own - random) / span) if span > 0 else np.full(own.shape, np.nan)


def _only(policy: F64, allowed: Bool) -> F64:
    """Return the policy conditional on allowed actions; uniform where it never does any."""
    kept = np.where(allowed[None], policy, 0.0)
    total = kept.sum(axis=2, keepdims=True)
    uniform = allowed / allowed.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 1e-12, kept / np.maximum(total, 1e-12), uniform[None]))


def region_start(site: Site) -> F64:
    """Return (S,) the states that chosen entries lead to, weighing alike."""
    states = np.unique(site.likely[site.entry])
    states = states[~site.ends[states]]
    start = np.zeros(site.ends.size)
    start[states] = 1.0 / max(states.size, 1)
    return start


def entry_start(site: Site) -> tuple[F64, I64]:
    """Return (S,) the states where entering can be chosen, weighing alike, and (S,) the choice.

    -1 where entering cannot be chosen.
    """
    able = site.entry.any(axis=1)
    start = able / max(int(able.sum()), 1)
    return np.asarray(start), np.where(able, site.entry.argmax(axis=1), -1)


def unlock_dose(opened: F64) -> F64:
    """Return (n,) forced entries until the region is entered by choice again.

    Parameters
    ----------
    opened : (n, D) float64
        Probability that an episode enters by choice, after each forced entry.

    Returns
    -------
    (n,) float64
        D + 1 where D entries were not enough.
    """
    is_open = opened >= OPEN
    first = np.where(is_open.any(axis=1), is_open.argmax(axis=1) + 1, opened.shape[1] + 1)
    return np.asarray(first, np.float64)


@dataclass(frozen=True)
class Collapse:
    """Fits of how entries die away: exp(-rate t) and t^-power, t in episodes.

    Attributes
    ----------
    rate, power : float
        NaN with fewer than four windows in which anyone entered.
    is_exponential : float
        1 if the exponential fits better (AIC; both have two parameters), else 0.
    """

    rate: float
    power: float
    is_exponential: float


def collapse_law(entered: F64, middle: F64) -> Collapse:
    """Fit log entries on t and on log t by least squares.

    Parameters
    ----------
    entered : (W,) float64
        Mean chosen entries per episode.
    middle : (W,) float64
        Episode in the middle of each window.
    """
    some = entered > 0
    if some.sum() < 4:
        return Collapse(np.nan, np.nan, np.nan)
    y = np.log(entered[some])
    fits = []
    for x in (middle[some], np.log(middle[some])):
        slope, level = np.polyfit(x, y, 1)
        fits.append((-slope, float(((y - slope * x - level) ** 2).sum())))
    (rate, by_rate), (power, by_power) = fits
    return Collapse(float(rate), float(power), float(by_rate < by_power))


def narrowing(drive_reward: tuple[float, float], drive_goal: tuple[float, float]) -> float:
    """Return the narrowing score: growth of agreement with reward that is not with the goal.

    Parameters
    ----------
    drive_reward : (before, after)
        Correlation of the agent's drive with reward over the episodes it visits.
    drive_goal : (before, after)
        Correlation of drive and goal over a fixed, uniform set.
    """
    return (drive_reward[1] - drive_reward[0]) - (drive_goal[1] - drive_goal[0])


def wilson(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the Wilson (1927) interval of a proportion.

    Parameters
    ----------
    successes, trials : int
    z : float
        Quantile of the standard normal; default 95 %.

    Raises
    ------
    ValueError
        Without trials.
    """
    if trials <= 0:
        raise ValueError("a proportion needs at least one trial")
    p = successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
