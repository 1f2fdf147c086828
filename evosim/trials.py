"""Trials: whole lives lived in a copy of the world, for observers only.

The same genomes live the same kind of life, with draws from a key space of their own that all
trials of a generation share: two trials in two contexts differ in nothing but the context.
Nothing that the run reads is written.

A trial that lives the scenario's blocks is watched in one context all the same: entries, visits
and what is left untried are counted in its episodes only, and rates are per such episode; reward
events and what was learned are those of the whole life.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evosim import experience, spectrum
from evosim.assays import learned_probabilities
from evosim.errors import UserError, did_you_mean
from evosim.kernels.crew import run_blocks
from evosim.kernels.learn import live_and_learn
from evosim.kernels.life import Schedule
from evosim.kernels.mind import Trail
from evosim.kernels.philox import ASSAY
from evosim.lives import acts_type
from evosim.minds.trail import new_trail
from evosim.resolve import Resolved
from evosim.scenario.study_parts import Trial
from evosim.spectrum import Site

F64 = NDArray[np.float64]

#: Indices that every trial has; the others need a control or forced entries.
_ALWAYS = (
    "best", "collapse_exponential", "collapse_power", "collapse_rate", "competence",
    "competence_inside", "coverage_gap", "displacement", "entered", "entered_last",
    "first_entry", "lock_in", "moved", "moved_inside", "moved_unrewarded", "never_entered",
    "occupancy", "occupancy_last", "off_gradient", "payoff", "reward_ratio", "selective_gap",
    "untried", "update_share", "visit_divergence",
)  # fmt: skip


@dataclass(frozen=True)
class TrialPlan:
    """A trial ready to be lived.

    Attributes
    ----------
    spec : Trial
    schedule : Schedule
    site : Site
        The variant of the context with all cues seen.
    elsewhere : Site or None
    episodes : (W,) float64
        Episodes in each window.
    watched : (W,) float64
        Episodes of the trial's context that are expected in each window.
    own : (C,) bool
        The variants of its context.
    every : int
        Generations between trials.
    """

    spec: Trial
    schedule: Schedule
    site: Site
    elsewhere: Site | None
    episodes: F64
    watched: F64
    own: NDArray[np.bool_]
    every: int

    @cached_property
    def by_chance(self) -> F64:
        """Expected visits (S,) of each live state in an episode of choices at random."""
        return np.asarray(experience.expected_visits(self.site, spectrum.at_random(self.site))[0])

    @cached_property
    def within(self) -> F64:
        """The states (S,) that chosen entries lead to, weighing alike."""
        return spectrum.region_start(self.site)


@dataclass(frozen=True)
class Lived:
    """What a trial's lives did, per replicate and agent.

    Attributes
    ----------
    trail : Trail
    genes : (R, n, L) float32
        Expressed values at birth.
    born, learned : (R, n, V) float64
        What was reported at the beginning and at the end of the life.
    alive : (R, n) bool
    """

    trail: Trail
    genes: NDArray[np.float32]
    born: F64
    learned: F64
    alive: NDArray[np.bool_]


def plan_trial(trial: Trial, resolved: Resolved, every: int) -> TrialPlan:
    """Prepare a trial.

    Raises
    ------
    UserError
        If agents never change during life, or region or context do not exist.
    """
    key = f"trial.{trial.name}"
    world, tables = resolved.world, resolved.tables
    if world is None or tables is None or resolved.world_tag.numba_type.kind != "tabular":
        raise UserError("this world has no tables to live a trial in", key=key)
    if resolved.learning is None:
        raise UserError(
            "these agents do not change during life: an assay measures them exactly",
            key=key,
            allowed="minds that learn",
        )
    if trial.region not in world.regions:
        raise UserError(
            f"there is no region '{trial.region}'",
            key=f"{key}.region",
            allowed=", ".join(world.regions) or "regions = { NAME = [STATE, ...] } in the world",
            hint=did_you_mean(trial.region, world.regions),
        )
    region = world.regions.index(trial.region)
    own = world.variant_context == world.contexts.index(trial.context)
    share = np.where(own, world.variant_share, 0.0)
    site = spectrum.make_site(world, _seen(resolved, trial.context), region, tables.step_payoff)
    if not site.entry.any():
        raise UserError(
            f"nobody can choose to enter '{trial.region}' in context '{trial.context}'",
            key=f"{key}.region",
        )
    elsewhere = None
    if trial.elsewhere is not None:
        variant = _seen(resolved, trial.elsewhere)
        elsewhere = spectrum.make_site(world, variant, region, tables.step_payoff)
    if world.episodes < trial.windows:
        raise UserError(
            f"{trial.windows} windows in {world.episodes} episodes",
            key=f"{key}.windows",
            allowed=f"4 to {world.episodes}",
        )
    turn = np.arange(world.episodes) * trial.windows // world.episodes
    episodes = np.bincount(turn, minlength=trial.windows).astype(np.float64)
    schedule = resolved.schedule
    watched: F64 = episodes
    if trial.blocks:
        ends, by_block = world.blocks()
        there = by_block[:, own].sum(axis=1)
        of = np.searchsorted(ends, np.arange(world.episodes), side="right")
        watched = np.bincount(turn, there[of], minlength=trial.windows).astype(np.float64)
        _check_end(trial, episodes, watched)
    else:
        schedule = Schedule((np.cumsum(share) / share.sum())[None], np.array([world.episodes]))
    return TrialPlan(trial, schedule, site, elsewhere, episodes, watched, own, trial.every or every)


def _check_end(trial: Trial, episodes: F64, watched: F64) -> None:
    """Refuse to watch a context that is not all of what the life ends with."""
    last = spectrum.ending(trial.windows)
    if not np.allclose(watched[-last:], episodes[-last:], rtol=0.0, atol=1e-6):
        raise UserError(
            f"context '{trial.context}' is not all of the last {last} of {trial.windows} windows",
            key=f"trial.{trial.name}.context",
            allowed="the context that the blocks end with",
        )


def _seen(resolved: Resolved, context: str) -> int:
    """Return the variant of a context in which every cue is seen."""
    world = resolved.world
    assert world is not None
    own = np.flatnonzero(world.variant_context == world.contexts.index(context))
    return int(next((v for v in own if all(world.variant_visible[v].values())), own[0]))


def live_trial(
    plan: TrialPlan,
    resolved: Resolved,
    genes: NDArray[np.float32],
    count: NDArray[np.int64],
    keys: NDArray[np.uint64],
    generation: int,
    threads: int,
) -> Lived:
    """Let the agents live the trial.

    Parameters
    ----------
    genes : (R, N, L) float32
        Expressed values at birth.
    count : (R,) int64
        Agents alive.
    keys : (R,) uint64
    generation, threads : int
    """
    world, tables, learning = resolved.world, resolved.tables, resolved.learning
    assert world is not None
    assert tables is not None
    assert learning is not None
    replicates, agents = genes.shape[0], min(genes.shape[1], plan.spec.agents or genes.shape[1])
    variants, states = world.percept.shape
    lived = np.minimum(count, agents)
    trail = new_trail(
        replicates, agents, plan.spec.windows, variants * states * tables.actions,
        tables.cues.shape[1], plan.spec.forced, learning.reported,
    )  # fmt: skip
    at, action = spectrum.entry_start(plan.site)
    start = np.cumsum(np.broadcast_to(at, (variants, states)), axis=1)
    blocks = replicates * agents
    nothing = np.zeros((replicates, agents))
    born, learned = np.zeros((2, replicates, agents, learning.reported))
    own = np.ascontiguousarray(genes[:, :agents])
    run_blocks(
        live_and_learn, blocks, threads, resolved.world_tag, tables, learning.tag,
        learning.tables, learning.size, plan.schedule, start, plan.spec.forced, action, keys,
        generation, ASSAY, lived, own, nothing,
        np.zeros((replicates, agents, 0), acts_type(tables)), np.zeros((blocks, variants)),
        np.zeros((blocks, variants), np.int64), born, learned, trail,
    )  # fmt: skip
    return Lived(trail, own, born, learned, np.arange(agents)[None, :] < lived[:, None])


def policies(resolved: Resolved, genes: NDArray[np.float32], reported: F64, site: Site) -> F64:
    """Return (n, ..., S, A) action probabilities in each state of a site.

    Parameters
    ----------
    genes : (n, L) float32
        Expressed values at birth.
    reported : (n, ..., V) float64
        What the minds reported.
    """
    mind, tables = resolved.mind, resolved.tables
    assert mind is not None
    assert tables is not None
    lead = reported.shape[:-1]
    temperature = np.full(lead, mind.temperature)
    if mind.temperature_locus >= 0:
        temperature.T[...] = genes[:, mind.temperature_locus].astype(np.float64)
    prob = learned_probabilities(
        resolved,
        reported.reshape(-1, reported.shape[-1]),
        temperature.reshape(-1),
        np.arange(tables.cues.shape[1]),
    )
    return np.asarray(prob.transpose(0, 2, 1)[:, site.percept].reshape(*lead, -1, tables.actions))


def indices(
    plan: TrialPlan, resolved: Resolved, lived: Lived, neutral: Lived | None
) -> dict[str, F64]:
    """Return every index of a trial, one value per replicate (NaN where there is none).

    Parameters
    ----------
    lived, neutral : Lived
        The trial, and its control where it names one.

    Returns
    -------
    dict of str -> (R,) float64
    """
    rows = [_of_replicate(plan, resolved, lived, neutral, r) for r in range(len(lived.alive))]
    # All of them, whichever replicates are run and whatever they did.
    names = [*_ALWAYS]
    names += ["horizon", "horizon_mean"] if plan.spec.control else []
    names += ["unlocked", "unlock_dose"] if plan.spec.forced else []
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def course(plan: TrialPlan, lived: Lived, resolved: Resolved) -> dict[str, F64]:
    """Return the course of the lives, window by window, means over agents.

    Returns
    -------
    dict of str -> (R, W) float64
        episode (middle of the window), payoff, entered, rewarded (steps) and moved per episode;
        untried: share of lives that have not chosen to enter by the end of the window.
    """
    n = np.maximum(lived.alive.sum(axis=1), 1)[:, None]
    trail, per = lived.trail, plan.episodes[None, :]
    seen = np.where(plan.watched > 0.0, plan.watched, np.nan)[None, :]
    moved = trail.moved.sum(axis=3) + trail.finished
    entries = [
        (_visits(plan, lived, resolved, r) * plan.site.entry).sum(axis=(2, 3))
        for r in range(len(lived.alive))
    ]
    untried = [(np.cumsum(own, axis=1) == 0).sum(axis=0) for own in entries]
    return {
        "episode": np.broadcast_to(_middles(plan), (len(n), per.size)).copy(),
        "payoff": trail.payoff.sum(axis=1) / n / per,
        "entered": np.array([own.sum(axis=0) for own in entries]) / n / seen,
        "untried": np.array(untried) / n,
        "rewarded": trail.rewarded.sum(axis=1) / n / per,
        "moved": moved.sum(axis=1) / n / per,
    }


def _of_replicate(
    plan: TrialPlan, resolved: Resolved, lived: Lived, neutral: Lived | None, r: int
) -> dict[str, float]:
    some = lived.alive[r]
    if not some.any():
        return {}
    site, last = plan.site, spectrum.ending(plan.spec.windows)
    visits = _visits(plan, lived, resolved, r)
    there = plan.watched > 0.0
    entered = spectrum.window_rates(visits[:, there], site.entry, plan.watched[there])
    middles = _middles(plan)[there]
    at_end = (lived.trail.payoff[r, some] / plan.episodes)[:, -last:].mean(axis=1)
    best = float(spectrum.values(site, None))
    random = float(site.random @ site.start)
    moved = lived.trail.moved[r, some].sum() + lived.trail.finished[r, some].sum()
    first = spectrum.first_entries(entered)
    law = spectrum.collapse_law(entered.mean(axis=0), middles)
    return {
        "payoff": float(at_end.mean()),
        "best": best,
        "entered": float(entered.mean()),
        "entered_last": float(entered[:, -last:].mean()),
        "never_entered": float((entered[:, -last:] == 0).all(axis=1).mean()),
        "untried": float((first < 0).mean()),
        "first_entry": _mean(np.where(first < 0, np.nan, middles[first])),
        "lock_in": float(spectrum.lock_in(entered, at_end, best, random, last).mean()),
        "coverage_gap": _mean(spectrum.coverage_gap(visits, site)),
        "collapse_rate": law.rate,
        "collapse_power": law.power,
        "collapse_exponential": law.is_exponential,
        "moved": float(moved / some.sum()),
        "moved_unrewarded": _moved_unrewarded(lived, r),
        "reward_ratio": _reward_ratio(plan, lived, r),
        **_data(plan, lived, resolved, visits, r),
        **_skill(plan, resolved, lived, neutral, r),
        **_dose(plan, resolved, lived, r),
    }


def _data(
    plan: TrialPlan, lived: Lived, resolved: Resolved, visits: NDArray[np.int64], r: int
) -> dict[str, float]:
    """Return where lives were spent, where things were learned, and how much.

    moved_inside is what was learned from steps in the region, per life (a percept that is also
    met elsewhere counts by its share of visits inside), update_share its share of all that was
    learned from steps; displacement the norm of the change from birth to death of what a mind
    reports: the policy's weights in REINFORCE, action probabilities in all others.
    """
    world, site, some = resolved.world, plan.site, lived.alive[r]
    assert world is not None
    stays = visits.sum(axis=3).astype(np.float64)
    late = stays[:, -spectrum.ending(plan.spec.windows) :].sum(axis=(0, 1))
    everywhere = stays.sum(axis=(0, 1))
    counts = lived.trail.visits[r, some].astype(np.float64)
    by_variant = counts.reshape(*counts.shape[:2], -1, len(world.states), len(world.actions))
    share = experience.inside_share(
        by_variant.sum(axis=(1, 4)), world.percept.astype(np.int64),
        site.inside & plan.own[:, None],
        lived.trail.moved.shape[3],
    )  # fmt: skip
    moved = lived.trail.moved[r, some].sum(axis=1)
    inside, total = float((moved * share).sum()), float(moved.sum())
    change = lived.learned[r, some] - lived.born[r, some]
    return {
        "occupancy": float(everywhere[site.inside].sum() / everywhere.sum()),
        "occupancy_last": float(late[site.inside].sum() / late.sum()),
        "visit_divergence": experience.divergence(late, plan.by_chance),
        "moved_inside": inside / some.sum(),
        "update_share": inside / total if total > 0.0 else float("nan"),
        "displacement": float(np.sqrt((change**2).sum(axis=1)).mean()),
    }


def _skill(
    plan: TrialPlan, resolved: Resolved, lived: Lived, neutral: Lived | None, r: int
) -> dict[str, float]:
    """Return competence, how far learning went by the gradient, and the horizon, from policies."""
    some, site = lived.alive[r], plan.site
    own, reported = lived.genes[r, some], lived.learned[r, some]
    policy = policies(resolved, own, reported, site)
    if plan.elsewhere is None:
        outside = spectrum.competence(site, policy, shut=True)
    else:
        away = policies(resolved, own, reported, plan.elsewhere)
        outside = spectrum.competence(plan.elsewhere, away)
    inside = spectrum.competence(site, policy, plan.within)
    innate = policies(resolved, own, lived.born[r, some], site)
    out = {
        "off_gradient": _mean(experience.off_gradient(site, innate, policy)),
        "competence": _mean(outside),
        "competence_inside": _mean(inside),
        "selective_gap": _mean(outside) - _mean(inside),
    }
    if neutral is not None:
        calm = policies(resolved, own, neutral.learned[r, some], site)
        out["horizon"], out["horizon_mean"] = spectrum.horizon(site, policy, calm)
    return out


def _dose(plan: TrialPlan, resolved: Resolved, lived: Lived, r: int) -> dict[str, float]:
    """Return the forced entries that unlock, over the agents that do not enter by themselves."""
    if not plan.spec.forced:
        return {}
    some = lived.alive[r]
    own = lived.genes[r, some]
    before = policies(resolved, own, lived.learned[r, some], plan.site)
    shut = spectrum.entered_by_choice(plan.site, before) < spectrum.RARELY
    if not shut.any():
        return {}
    after = policies(resolved, own[shut], lived.trail.policy[r, some][shut], plan.site)
    flat = after.reshape(-1, *after.shape[-2:])
    opened = spectrum.entered_by_choice(plan.site, flat).reshape(after.shape[:2])
    dose = spectrum.unlock_dose(opened)
    return {
        "unlocked": float((dose <= plan.spec.forced).mean()),
        "unlock_dose": float(np.median(dose)),
    }


def _visits(plan: TrialPlan, lived: Lived, resolved: Resolved, r: int) -> NDArray[np.int64]:
    """Return (n, W, S, A) visits of the agents alive in the trial's context."""
    world = resolved.world
    assert world is not None
    counts = lived.trail.visits[r, lived.alive[r]].astype(np.int64)
    shape = (*counts.shape[:2], -1, len(world.states), len(world.actions))
    return np.asarray(counts.reshape(shape)[:, :, plan.own].sum(axis=2))


def _middles(plan: TrialPlan) -> F64:
    """Return the episode in the middle of each window, counted from 1."""
    return np.asarray(np.cumsum(plan.episodes) - plan.episodes / 2 + 0.5)


def _reward_ratio(plan: TrialPlan, lived: Lived, r: int) -> float:
    """Return steps with reward per episode at the end of life over those at its beginning."""
    per = lived.trail.rewarded[r, lived.alive[r]].sum(axis=0) / plan.episodes
    last = spectrum.ending(plan.spec.windows)
    first = float(per[:last].mean())
    return float(per[-last:].mean()) / first if first > 0 else float("nan")


def _moved_unrewarded(lived: Lived, r: int) -> float:
    """Return what was learned, per life, in windows of a life in which nothing was rewarded."""
    trail, some = lived.trail, lived.alive[r]
    moved = trail.moved[r, some].sum(axis=2) + trail.finished[r, some]
    return float(np.where(trail.rewarded[r, some] == 0, moved, 0.0).sum() / some.sum())


def _mean(values: F64) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
