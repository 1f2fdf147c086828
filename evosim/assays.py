"""Assays: exact measurements of agents' policies in a copy of some world.

Nothing is drawn and nothing the run reads is written: an assay follows the distribution over
states of an episode (forward propagation), so it cannot disturb the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.kernels.crew import run_blocks
from evosim.kernels.decode import decode_population
from evosim.kernels.learn import live_and_learn
from evosim.kernels.life import TABLE
from evosim.kernels.observe import propagate
from evosim.lives import acts_type
from evosim.minds.trail import no_trail
from evosim.openloop import Feedback, feedback
from evosim.resolve import Resolved
from evosim.rotations import rotations
from evosim.scenario.study_parts import Assay
from evosim.transitivity import Offers, offers
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]

#: Agents decoded at once, so that tables of preferences never exist for the whole population.
CHUNK = 4096


@dataclass(frozen=True)
class Probe:
    """An assay ready to be made.

    Attributes
    ----------
    name, context, when : str
    variants : (V,) int64
        The rows of the world it happens in, each as often; one for exact measures.
    percepts : (P,) int64
        Percepts whose action probabilities it needs.
    action : int
        Exact measures: the action; -1 for propagated ones.
    weights : (P,) float64
        Exact measures: weight of each percept.
    places : (S,) float64
        Exact measures: weight of each state; sums to 1.
    value : (V, S, A, K) float64
        Propagated measures: what is summed (payoff or goal).
    target : (V, S) uint8
        Propagated measures: the states to be reached.
    every : int
        Generations between measurements.
    feedback : Feedback or None
        Directedness: between which payoffs it is measured.
    offers : Offers or None
        Transitivity: what is offered where.
    rotations : (K, L) int64 or None
        Where each locus gets its value from, if a gene's loci change places: the mean over K.
    """

    name: str
    context: str
    when: str
    variants: NDArray[np.int64]
    percepts: NDArray[np.int64]
    action: int
    weights: F64
    places: F64
    value: F64
    target: NDArray[np.uint8]
    every: int
    feedback: Feedback | None = None
    offers: Offers | None = None
    rotations: NDArray[np.int64] | None = None

    @property
    def variant(self) -> int:
        """The row of the world it happens in, of exact measures."""
        return int(self.variants[0])


def make_probe(assay: Assay, resolved: Resolved, every: int) -> Probe:
    """Turn an assay of the scenario into a probe.

    Raises
    ------
    UserError
        If its context, action, state or symbol does not exist, or the world has no tables.
    """
    world = resolved.world
    key = f"assay.{assay.name}"
    if world is None:
        raise UserError("a landscape has no contexts to assay", key=key)
    variants = np.array([_variant(name, assay, world, key) for name in assay.contexts])
    variant, where = int(variants[0]), ", ".join(assay.contexts)
    measure = assay.measure
    nothing = np.zeros(0)
    moved = None
    if assay.permute is not None:
        moved = rotations(assay.permute, resolved, f"{key}.permute")
    if measure.first_action or measure.action:
        start = np.diff(world.start_cdf[variant], prepend=0.0)
        if measure.action:
            start = _where(measure.state or measure.symbol or "", variant, world, key).astype(float)
            start /= start.sum()
        action = _index(measure.first_action or measure.action or "", world.actions, key, "action")
        states = np.flatnonzero(start)
        percepts, column = np.unique(world.percept[variant][states], return_inverse=True)
        weights = np.bincount(column, start[states]).astype(np.float64)
        return Probe(
            assay.name, where, assay.when, variants, percepts.astype(np.int64), action,
            weights, start, nothing, np.zeros(0, np.uint8), assay.every or every,
            rotations=moved,
        )  # fmt: skip
    if resolved.world_tag.numba_type.kind != "tabular":
        raise UserError(
            "this world steps by code: only action probabilities can be assayed",
            key=f"{key}.measure",
            allowed="first_action, action",
        )
    target = np.zeros((len(variants), len(world.states)), np.bool_)
    value = world.goal[variants] if measure.goal else world.payoff[variants]
    between = offered = None
    if measure.transitivity:
        things = measure.transitivity
        offered = offers(world, variants.tolist(), things, f"{key}.measure.transitivity")
    elif measure.reach:
        target = np.stack([_where(measure.reach, v, world, key) for v in variants.tolist()])
    elif world.once[variants].any():
        raise UserError(
            "payoff that counts once a life has no mean per episode",
            key=f"{key}.measure",
            allowed="reach, transitivity, first_action, action",
        )
    if measure.directedness:
        between = feedback(world, variants.tolist(), f"{key}.measure.directedness")
    return Probe(
        assay.name, where, assay.when, variants,
        np.arange(world.percept_cue.shape[0], dtype=np.int64), -1, nothing, nothing,
        np.ascontiguousarray(value), target.astype(np.uint8), assay.every or every, between,
        offered, moved,
    )  # fmt: skip


def birth_values(
    probe: Probe, resolved: Resolved, genes: NDArray[np.float32], threads: int = 1
) -> F64:
    """Measure every agent's policy as it was born.

    Parameters
    ----------
    genes : (R, N, L) float32
        Expressed values.

    Returns
    -------
    (R, N) float64
    """
    if probe.rotations is not None:
        as_it_is = replace(probe, rotations=None)
        moved = [
            birth_values(as_it_is, resolved, np.ascontiguousarray(genes[..., order]), threads)
            for order in probe.rotations
        ]
        return np.asarray(np.mean(moved, axis=0))
    replicates, agents = genes.shape[:2]
    out = np.empty((replicates, agents))
    size = max(1, CHUNK // max(1, probe.percepts.size // 8))
    for r in range(replicates):
        for first in range(0, agents, size):
            part = genes[r : r + 1, first : first + size]
            out[r, first : first + size] = _measure(
                probe, resolved, probabilities(resolved, part, probe.percepts, threads)[0], threads
            )
    return out


def learned_values(probe: Probe, resolved: Resolved, learned: F64, temperature: F64) -> F64:
    """Measure every agent's policy as learned at death, or as received at birth.

    Parameters
    ----------
    learned : (R, N, V) float64
        Weights (REINFORCE) or probabilities per percept (Cross).
    temperature : (R, N) float64
    """
    out = np.empty(learned.shape[:2])
    for r in range(learned.shape[0]):
        prob = learned_probabilities(resolved, learned[r], temperature[r], probe.percepts)
        out[r] = _measure(probe, resolved, prob, 1)
    return out


def _born(resolved: Resolved, genes: NDArray[np.float32], threads: int) -> F64:
    """Return (R, N, V) what learners report at birth: that of lives without an episode."""
    tables, learning = resolved.tables, resolved.learning
    assert tables is not None
    assert learning is not None
    replicates, agents = genes.shape[:2]
    blocks, variants = replicates * agents, tables.start.size
    born = np.empty((replicates, agents, learning.reported))
    run_blocks(
        live_and_learn, blocks, threads, resolved.world_tag, tables._replace(episodes=0),
        learning.tag, learning.tables, learning.size, resolved.schedule, tables.start_cdf, 0,
        np.zeros(0, np.int64), np.zeros(replicates, np.uint64), 0, 0,
        np.full(replicates, agents), np.ascontiguousarray(genes), np.empty((replicates, agents)),
        np.empty((replicates, agents, 0), acts_type(tables)), np.empty((blocks, variants)),
        np.empty((blocks, variants), np.int64), born, np.empty_like(born), no_trail(replicates),
    )  # fmt: skip
    return born


def probabilities(
    resolved: Resolved,
    genes: NDArray[np.float32],
    percepts: NDArray[np.int64],
    threads: int = 1,
) -> F64:
    """Return (R, N, A, P) action probabilities at birth, decoded as in life."""
    world, mind, tables = resolved.world, resolved.mind, resolved.tables
    assert world is not None
    assert mind is not None
    assert tables is not None
    replicates, agents = genes.shape[:2]
    learning = resolved.learning
    if learning is not None and mind.rule == TABLE:
        born = _born(resolved, genes, threads)
        table = born.reshape(replicates, agents, -1, tables.actions)[:, :, percepts]
        return np.ascontiguousarray(table.transpose(0, 1, 3, 2))
    cues = np.ascontiguousarray(world.percept_cue[percepts].T)
    temperature = np.full((replicates, agents), mind.temperature, np.float32)
    if mind.temperature_locus >= 0:
        temperature = np.ascontiguousarray(genes[..., mind.temperature_locus])
    logit = np.empty((replicates, agents, tables.outputs, percepts.size), np.float32)
    prob = np.empty((replicates, agents, tables.actions, percepts.size))
    decode_population(
        0, replicates, resolved.mind_tag, mind.parameters, np.ascontiguousarray(genes),
        mind.policy, temperature, cues, mind.greedy, tables.outputs, logit, prob,
    )  # fmt: skip
    return prob


def learned_probabilities(
    resolved: Resolved, learned: F64, temperature: F64, percepts: NDArray[np.int64]
) -> F64:
    """Return (N, A, P) action probabilities of learned states (float64)."""
    world, mind, tables = resolved.world, resolved.mind, resolved.tables
    assert world is not None
    assert mind is not None
    assert tables is not None
    agents, actions = learned.shape[0], tables.actions
    if mind.rule == TABLE:
        table = learned.reshape(agents, -1, actions)[:, percepts]
        return np.ascontiguousarray(table.transpose(0, 2, 1))
    cues = world.percept_cue[percepts].astype(np.float64)
    features, outputs, hidden = cues.shape[1], tables.outputs, resolved.hidden
    if hidden:
        w1 = learned[:, : hidden * features].reshape(agents, hidden, features)
        b1 = learned[:, hidden * features : hidden * (features + 1)]
        rest = learned[:, hidden * (features + 1) :]
        w2 = rest[:, : outputs * hidden].reshape(agents, outputs, hidden)
        unit = np.tanh(np.einsum("nhf,pf->nhp", w1, cues) + b1[..., None])
        logit = np.einsum("nqh,nhp->nqp", w2, unit) + rest[:, outputs * hidden :, None]
    else:
        w = learned.reshape(agents, outputs, features)
        logit = np.einsum("nqf,pf->nqp", w, cues)
    logit = logit / temperature[:, None, None]
    if outputs == 1:
        logit = np.concatenate([logit, np.zeros_like(logit)], axis=1)
    if mind.greedy:
        return np.asarray(
            np.arange(actions)[None, :, None] == logit.argmax(axis=1)[:, None, :], np.float64
        )
    e = np.exp(logit - logit.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _measure(probe: Probe, resolved: Resolved, prob: F64, threads: int) -> F64:
    if probe.action >= 0:
        return np.asarray(prob[:, probe.action] @ probe.weights)
    if probe.offers is not None:
        reached = np.empty((probe.variants.size, 2, prob.shape[0]))
        for k, v in enumerate(probe.variants.tolist()):
            for side in range(2):
                target = probe.offers.target[k, side]
                reached[k, side] = _propagated(resolved, v, probe.value[k], target, prob, threads)
        return probe.offers.share(reached)
    total = np.zeros(prob.shape[0])
    for k, v in enumerate(probe.variants.tolist()):
        total += _propagated(resolved, v, probe.value[k], probe.target[k], prob, threads)
    mean = total / probe.variants.size
    if probe.feedback is None:
        return mean
    fixed, best = probe.feedback
    return (mean - fixed) / (best - fixed)


def _propagated(
    resolved: Resolved, v: int, value: F64, target: NDArray[np.uint8], prob: F64, threads: int
) -> F64:
    """Return (n,) what an episode in a variant sums up to, or how likely it enters `target`."""
    world, tables = resolved.world, resolved.tables
    assert world is not None
    assert tables is not None
    states = len(world.states)
    following = tables.following.reshape(-1, states, tables.actions, tables.outcomes)[v]
    base = np.int32(v * states)
    following = np.where(following < 0, following + base, following - base).astype(np.int32)
    chance = np.diff(world.outcome_cdf[v], axis=2, prepend=0.0)
    out = np.empty(prob.shape[0])
    run_blocks(
        propagate, prob.shape[0], threads, world.steps,
        np.diff(world.start_cdf[v], prepend=0.0), world.percept[v], following,
        np.ascontiguousarray(chance), value, target, prob, out,
    )  # fmt: skip
    return out


def _index(name: str, known: tuple[str, ...], key: str, what: str) -> int:
    if name not in known:
        raise UserError(
            f"no {what} '{name}'",
            key=f"{key}.measure",
            allowed=", ".join(known[:20]),
            hint=did_you_mean(name, known),
        )
    return known.index(name)


def _where(name: str, variant: int, world: TabularWorld, key: str) -> NDArray[np.bool_]:
    if name in world.symbol:
        found: NDArray[np.bool_] = world.symbol[name][variant] != 0
        if not found.any():
            raise UserError(
                f"symbol '{name}' does not stand in context "
                f"'{world.contexts[world.variant_context[variant]]}'",
                key=f"{key}.measure",
            )
        return found
    if name in world.regions and name not in world.states:
        inside: NDArray[np.bool_] = world.region[variant] == world.regions.index(name)
        return inside
    known = (*world.symbol, *world.regions, *world.states)
    _index(name, known, key, "state, symbol or region")
    here: NDArray[np.bool_] = np.arange(len(world.states)) == world.states.index(name)
    return here


def _variant(name: str, assay: Assay, world: TabularWorld, key: str) -> int:
    """Return the variant of a context in which exactly the wanted cues are visible."""
    context = _index(name, world.contexts, key, "context")
    wanted = dict(assay.visible)
    for v in np.flatnonzero(world.variant_context == context):
        seen = world.variant_visible[v]
        for cue in wanted:
            if cue not in seen:
                raise UserError(
                    f"cue '{cue}' is never hidden or does not exist",
                    key=f"{key}.visible",
                    allowed=", ".join(seen) or "no cue of this scenario can be hidden",
                )
        if all(wanted.get(cue, True) == value for cue, value in seen.items()):
            return int(v)
    raise UserError("no such combination of visible cues", key=f"{key}.visible")
