"""Wrapper-likeness: what share of agents' preferences one goal explains, and what the ledger.

y(z, a) is the mean over agents of the log probability of action a at percept z, less its mean over
actions: for softmax minds the logits, but for what is alike in all actions. Two explanations are
regressed on it:

- one goal (`direction`): y(z, a) = sum_k g_k psi_k(z, a), the same weights g everywhere. psi are
  features of the outcome that a leads to, cues with a weight per action, or payoff (the optimal
  action value in the context at hand). The share of the sum of squares of y
  that the best g explains is omega, the wrapper-likeness: 1 where agents prefer what one fixed
  goal would, everywhere that was asked.
- the record (`ledger`): y is a multiple of LEDGER's logits (see `evosim.predict.selected`), which
  are built up context by context and carried over by the cues that percepts share.

What omega should be follows from training alone (`training`). Where selection has separated right
from wrong, preferences of equal size t(z, a) stand at the percepts met (the best actions there,
centred), and elsewhere what the smallest weights over cues that produce them say, k*' K^-1 t. The
share of that which one goal explains is the share of the variance of the reinforced actions along
one direction, if training met all that is asked.

Measured on preferences of a population, not of an agent: what agents differ in, averages out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evosim.assays import Probe
from evosim.engine import Engine
from evosim.errors import UserError, did_you_mean
from evosim.lives import Lives
from evosim.minds.model import stands
from evosim.predict.founders import policy_slot
from evosim.predict.selected import check_tracked, extrapolation, ledger_logits
from evosim.predict.training import Places, log_policy, places_of
from evosim.predict.worth import action_values, dynamics, reachable
from evosim.resolve import Resolved
from evosim.scenario.study_parts import PARTS_EXPLAINED, Explained
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Features whose part that others lack is below this share of the largest are no features.
_RANK = 1e-9
#: Actions worth less than the best by no more than this share of the largest difference are best.
_TIE = 1e-9


@dataclass(frozen=True)
class Explanation:
    """A question about what explains preferences, ready to be asked.

    Attributes
    ----------
    name : str
    probe : Probe
        The assay that says where, when in life and how often.
    percept : (J,) int64
        Of each decision that is asked about.
    met : (Z,) int64
        Percepts of training.
    basis : (J * A, K) float64
        Orthonormal; spans the preferences that one goal can have there.
    training : float
        The share that one goal explains of what training reinforces; NaN where it reinforces
        nothing.
    """

    name: str
    probe: Probe
    percept: I64
    met: I64
    basis: F64
    training: float


def make_explanation(spec: Explained, probe: Probe, resolved: Resolved) -> Explanation:
    """Work out what does not depend on agents.

    Parameters
    ----------
    spec : Explained
    probe : Probe
        The assay that `spec` names.
    resolved : Resolved

    Raises
    ------
    UserError
        For places and cues that do not exist, worlds that step by code, payoff that counts
        once a life, and minds whose selection on logits is not known.
    """
    world, key = resolved.world, f"explained.{spec.name}"
    if world is None or resolved.world_tag.numba_type.kind != "tabular":
        raise UserError(
            "this world has no tables of what could be met", key=key, allowed="a world of tables"
        )
    policy_slot(resolved)
    check_tracked(resolved)
    try:
        asked = places_of(world, np.eye(len(world.percept))[probe.variants].mean(axis=0))
        training = places_of(world, world.variant_frequency(world.frequency))
        features = _features(spec, world, asked, key)
        best = _reinforced(world, training)
    except UserError as error:
        if error.key != "predict":
            raise
        raise UserError(error.message, key=key, allowed=error.allowed) from None
    cues = world.percept_cue.astype(np.float64)
    carried = extrapolation(cues[training.met], cues[asked.percept]).share @ best
    basis = orthonormal(features)
    (share,) = explained_by(basis, centred(carried)[None])
    return Explanation(spec.name, probe, asked.percept, training.met, basis, float(share))


def explain(engine: Engine, lives: Lives, asked: Explanation) -> dict[str, F64]:
    """Ask.

    Parameters
    ----------
    engine : Engine
        At stage 5: the ledger holds the selection of all earlier generations.
    lives : Lives
    asked : Explanation

    Returns
    -------
    dict of str -> (R,) float64
        By `PARTS_EXPLAINED`; NaN in replicates that have died out or prefer nothing.
    """
    when = asked.probe.when
    found = log_policy(engine.resolved, lives, when, asked.percept)
    none = np.zeros(lives.count.size)
    logits, _ = ledger_logits(engine, lives, when, asked.met, asked.percept, none)
    if logits.shape[2] == 1:
        logits = np.concatenate([logits, np.zeros_like(logits)], axis=2)
    along = centred(np.broadcast_to(logits, found.shape))
    values = (
        explained_by(asked.basis, found),
        multiple_of(along, found),
        np.full(none.size, asked.training),
    )
    return dict(zip(PARTS_EXPLAINED, values, strict=True))


def explained_by(basis: F64, preference: F64) -> F64:
    """Return the share of the sum of squares of preferences that a linear space explains.

    Parameters
    ----------
    basis : (J * A, K) float64
        Orthonormal columns.
    preference : (R, J, A) float64

    Returns
    -------
    (R,) float64
        From 0 to 1; NaN where nothing is preferred, or not known.
    """
    flat = preference.reshape(len(preference), -1)
    within = np.einsum("rn,nk->rk", flat, basis)
    return _share((within**2).sum(axis=1), (flat**2).sum(axis=1))


def multiple_of(explanation: F64, preference: F64) -> F64:
    """Return the share of the sum of squares that a multiple of an explanation explains.

    Parameters
    ----------
    explanation, preference : (R, J, A) float64

    Returns
    -------
    (R,) float64
        As `explained_by`; 0 for an explanation that says nothing.
    """
    one, two = (values.reshape(len(values), -1) for values in (explanation, preference))
    size = (one**2).sum(axis=1)
    along = (one * two).sum(axis=1) / np.sqrt(np.where(size > 0.0, size, 1.0))
    return _share(along**2, (two**2).sum(axis=1))


def centred(values: F64) -> F64:
    """Return (..., A) values less their mean over actions."""
    return np.asarray(values - values.mean(axis=-1, keepdims=True))


def _share(part: F64, whole: F64) -> F64:
    with np.errstate(invalid="ignore"):
        known = whole > 0.0
    return np.where(known, np.minimum(part / np.where(known, whole, 1.0), 1.0), np.nan)


def orthonormal(features: F64) -> F64:
    """Return an orthonormal basis (J * A, K) of (J, A, F) features, centred over actions."""
    flat = centred(features.transpose(0, 2, 1)).transpose(0, 2, 1)
    left, size, _ = np.linalg.svd(flat.reshape(-1, features.shape[2]), full_matrices=False)
    return np.ascontiguousarray(left[:, size > _RANK * max(size[0], 1e-300)])


def _features(spec: Explained, world: TabularWorld, asked: Places, key: str) -> F64:
    """Return (J, A, F) what the goal may weigh."""
    actions = len(world.actions)
    parts = [_worth(world, asked)[:, :, None]] if spec.payoff else []
    for name in spec.cues:
        if name not in world.cue_names:
            raise UserError(
                f"no cue '{name}'",
                key=f"{key}.cues",
                allowed=", ".join(world.cue_names[:20]),
                hint=did_you_mean(name, world.cue_names),
            )
        cue = world.percept_cue[asked.percept, world.cue_names.index(name)].astype(np.float64)
        parts.append(cue[:, None, None] * np.eye(actions))
    for name, places in spec.outcomes.items():
        value = np.zeros(world.terminal.shape)
        for place, size in places.items():
            value += size * stands(world, place, f"{key}.outcomes.{name}")
        parts.append(_over_states(world, asked, partial(_expected, value))[:, :, None])
    return np.concatenate(parts, axis=2)


def _expected(value: F64, world: TabularWorld, variant: int) -> F64:
    """Return (S, A) the mean of (V, S) values over where each action leads."""
    chance = np.diff(world.outcome_cdf[variant], axis=2, prepend=0.0)
    return np.asarray((chance * value[variant][world.outcome_state[variant]]).sum(axis=2))


def _optimal(world: TabularWorld, variant: int) -> F64:
    """Return (S, A) optimal action values with all steps left."""
    return np.asarray(action_values(dynamics(world, variant), world.steps)[-1])


def _worth(world: TabularWorld, places: Places) -> F64:
    return _over_states(world, places, _optimal)


def _over_states(
    world: TabularWorld, places: Places, values: Callable[[TabularWorld, int], F64]
) -> F64:
    """Return (M, A) means of (S, A) values over the states that can be met of each percept."""
    out = np.empty((places.percept.size, len(world.actions)))
    for v in np.unique(places.variant).tolist():
        found, met = values(world, v), reachable(dynamics(world, v), world.steps)
        for m in np.flatnonzero(places.variant == v).tolist():
            out[m] = found[met & (world.percept[v] == places.percept[m])].mean(axis=0)
    return out


def _reinforced(world: TabularWorld, training: Places) -> F64:
    """Return (Z, A) what training reinforces: the best actions of each percept, centred.

    A percept that several contexts show has the worth of actions in all of them, by frequency.
    """
    worth = np.zeros((training.met.size, len(world.actions)))
    for m, values in enumerate(_worth(world, training)):
        worth[training.column[m]] += training.share[training.variant[m]] * values
    short = worth.max(axis=1, keepdims=True) - worth
    best = short <= _TIE * max(float(short.max()), 1e-300)
    return centred(best / best.sum(axis=1, keepdims=True))
