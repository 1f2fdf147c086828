"""Where genes started, as the scenario says, and how far drift alone has carried them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosim.engine import Engine
from evosim.errors import UserError
from evosim.layout import Layout, Slot
from evosim.ledger import haploid_mean
from evosim.lives import Lives
from evosim.resolve import Resolved
from evosim.scenario.biology import Initial
from evosim.scenario.check_biology import NEUTRAL

F64 = NDArray[np.float64]


def drift_variance(engine: Engine, lives: Lives) -> F64:
    """Measure what drift alone did to a policy locus, on loci without any effect.

    Mean over the loci of genes called `neutral` or `marker...` of the squared distance between
    their population mean and where their founders started, times the ratio of the variance that
    mutation adds to a policy locus and to them.

    Parameters
    ----------
    engine : Engine
    lives : Lives

    Returns
    -------
    (R,) float64
        Each replicate's own; 0 without agents, and in minds without a gene `policy`: there is
        nothing in them that could drift from one percept to another by the cues they share.

    Raises
    ------
    UserError
        Without such a gene that mutates.
    """
    layout, policy = engine.resolved.layout, policy_slot(engine.resolved)
    if policy is None:
        return np.zeros(lives.count.size)
    wanted = _mutational_variance(policy)
    alive = np.arange(lives.genes.shape[1])[None, :] < lives.count[:, None]
    values = haploid_mean(layout, engine.population.real)
    squares = []
    for slot in neutral_slots(layout):
        away = values[..., slot.start : slot.stop].astype(np.float64) - founder_mean(slot)
        away = np.where(alive[..., None], away, 0.0).sum(axis=1)
        away /= np.maximum(lives.count, 1)[:, None]
        squares.append(away**2 * (wanted / _mutational_variance(slot)))
    return np.asarray(np.concatenate(squares, axis=1).mean(axis=1))


def neutral_slots(layout: Layout) -> list[Slot]:
    """Return the genes that measure drift.

    Raises
    ------
    UserError
        If there are none.
    """
    found = [s for s in layout.real if s.name.startswith(NEUTRAL) and _mutational_variance(s) > 0]
    if not found:
        raise UserError(
            "the drift of the policy is measured on a neutral gene, and there is none",
            key="predict.drift",
            allowed="false, or a real gene 'neutral' that mutates",
        )
    return found


def founder_mean(slot: Slot) -> F64:
    """Return (L,) expected values of a gene's loci in the founders, from the scenario's text."""
    initial: Initial = slot.gene.initial
    if initial.value is not None:
        expected: float | list[float] = initial.value
    elif initial.normal is not None:
        expected = initial.normal[0]
    elif initial.uniform is not None:
        expected = 0.5 * (initial.uniform[0] + initial.uniform[1])
    else:
        assert initial.values is not None
        rest, chosen = initial.values
        expected = rest + float(initial.share or 0.0) * (chosen - rest)
    return np.ascontiguousarray(np.broadcast_to(np.asarray(expected, np.float64), (slot.loci,)))


def expressed(values: F64, slot: Slot) -> F64:
    """Return what a gene's values do, on its scale: the same, exp, logistic, or 1 above 0."""
    if slot.gene.scale == "log":
        return np.asarray(np.exp(values))
    if slot.gene.scale == "logit":
        return np.asarray(1.0 / (1.0 + np.exp(-values)))
    if slot.gene.scale == "threshold":
        return np.asarray(values > 0.0, np.float64)
    return values


def policy_slot(resolved: Resolved) -> Slot | None:
    """Return the policy's place; None in minds that have no such gene.

    Raises
    ------
    UserError
        If its loci are not expressed as they are.
    """
    slot = resolved.layout.slot("policy")
    if slot is not None and slot.gene.scale != "linear":
        raise UserError(
            "the ledger follows logits, which such a policy does not sum up to",
            key="genome.policy.scale",
            allowed="linear, where predictors are asked",
        )
    return slot


def _mutational_variance(slot: Slot) -> float:
    return slot.gene.mutation_rate * slot.gene.mutation**2
