"""Two predictions of what agents do where they were never trained, scored against what they do.

OBJ says that agents pursue payoff, LEDGER that they do what was selected (see
`evosim.predict.objective` and `evosim.predict.selected`). OBJ-omni knows the context it is asked
about; OBJ-informed knows what an agent can know: the contexts of training in which the percept
occurs, weighted by how often it is met in each, and nothing (all actions alike) where it never
occurs. FLOOR knows only how often each action is done in training, CEIL all that agents do.

The split `novel` holds the percepts of the assays asked for (see `evosim.predict.asked`),
`training` all decisions of training by how often they are taken. A percept that an assay asks for
and that training contains is counted in both: a rare one in training is what this test is often
about.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evosim.assays import Probe
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.lives import Lives
from evosim.predict.asked import Asked, ask, check_asked
from evosim.predict.founders import drift_variance, neutral_slots, policy_slot
from evosim.predict.objective import (
    accuracy_steepness,
    choice,
    likelihood_steepness,
    majority_place,
)
from evosim.predict.prediction import PREDICTORS, Prediction, log_score, mean_of, skills
from evosim.predict.selected import check_tracked, ledger_policy
from evosim.predict.training import Places, Training, observe_training, places_of
from evosim.resolve import Resolved
from evosim.scenario.study_parts import Predict
from evosim.worlds.build import percept_label
from evosim.worlds.tabular import TabularWorld

__all__ = ["PREDICTORS", "Prediction", "check_predict", "predict_arm"]

F64 = NDArray[np.float64]


def predict_arm(
    engine: Engine,
    lives: Lives,
    probes: Sequence[Probe],
    spec: Predict,
    frequency: F64 | None = None,
) -> Prediction:
    """Ask every predictor, and score it.

    Parameters
    ----------
    engine : Engine
        At stage 5: the ledger holds the selection of all earlier generations.
    lives : Lives
        Of this generation.
    probes : sequence of Probe
        The policy at birth or at death, as each says.
    spec : Predict
    frequency : (contexts,) float64, optional
        How often each context was met in the generations whose selection the ledger holds; sums
        to 1. Default: the frequencies in force.

    Returns
    -------
    Prediction

    Raises
    ------
    UserError
        For worlds that step by code, payoff that counts once a life, policies whose loci are
        not expressed as they are, and drift without a neutral gene.

    Notes
    -----
    Scores: Good (1952), Rational decisions, J. R. Stat. Soc. B 14:107 (the logarithmic score).
    """
    resolved = engine.resolved
    world = _tabular(resolved)
    share = world.variant_frequency(world.frequency if frequency is None else frequency)
    places = places_of(world, share)
    drift = np.zeros(lives.count.size)
    if spec.drift:
        drift = drift_variance(engine, lives)
    order, parts = [], []
    for when in ("birth", "death"):
        chosen = [probe for probe in probes if probe.when == when]
        if chosen:
            asked = ask(engine, lives, when, chosen)
            order += asked.probe
            parts.append((asked, *_predict(engine, lives, when, asked, places, spec, drift)))
    many = [float(len({p.name for p in asked.probe})) for asked, *_ in parts]
    score = mean_of([(n, part[2]) for n, part in zip(many, parts, strict=True)])
    with np.errstate(divide="ignore"):
        temperature = 1.0 / parts[0][3]
    skill, defined = skills(score)
    return Prediction(
        assays=tuple(probe.name for probe in order),
        contexts=tuple(probe.context for probe in order),
        percepts=tuple(percept_label(world, int(z)) for part in parts for z in part[0].percept),
        actions=world.actions,
        weight=np.concatenate([part[0].weight for part in parts], axis=1),
        probability=np.concatenate([part[1] for part in parts], axis=1),
        score=score,
        skill=skill,
        defined=defined,
        temperature=temperature,
    )


def check_predict(resolved: Resolved, probes: Sequence[Probe], spec: Predict) -> None:
    """Find out before anything runs whether the predictors can answer.

    Parameters
    ----------
    resolved : Resolved
    probes : sequence of Probe
        Those asked for.
    spec : Predict

    Raises
    ------
    UserError
        As `predict_arm`.
    """
    world = _tabular(resolved)
    places_of(world, world.variant_frequency(world.frequency))
    check_asked(world, probes)
    check_tracked(resolved)
    if policy_slot(resolved) is not None and spec.drift:
        neutral_slots(resolved.layout)


def _tabular(resolved: Resolved) -> TabularWorld:
    world = resolved.world
    if world is None or resolved.world_tag.numba_type.kind != "tabular":
        raise UserError(
            "this world has no tables from which to compute action values",
            key="predict",
            allowed="grid, chain, bandit and graph worlds",
        )
    return world


def _predict(
    engine: Engine,
    lives: Lives,
    when: str,
    asked: Asked,
    places: Places,
    spec: Predict,
    drift: F64,
) -> tuple[F64, F64, F64]:
    """Return probabilities (R, J, P, A), scores (R, 2, P) and 1/tau (R, 2)."""
    gone = lives.count == 0
    pairs = observe_training(engine, lives, when, places)
    training = pairs.by_percept(places)
    actual = asked.action
    flat = np.full_like(actual[0, 0], 1.0 / actual.shape[2])
    marginal = (training.weight[..., None] * training.action).sum(axis=1)
    omni, informed = _steepness(spec, pairs, training, places)
    ledger = ledger_policy(
        engine, lives, when, places.met, np.concatenate([asked.percept, places.met]), drift
    )
    # What OBJ-informed expects at each percept of training; where nobody comes, nothing.
    known = np.where(training.weight[..., None] > 0, choice(training.worth, informed), flat)
    at = np.searchsorted(places.met, asked.percept)
    at = np.minimum(at, places.met.size - 1)
    familiar = (places.met[at] == asked.percept)[None, :, None]
    novel = [
        choice(asked.worth, omni),
        np.where(familiar, known[:, at], flat),
        ledger[:, : asked.percept.size],
        np.broadcast_to(marginal[:, None], actual.shape),
        actual,
    ]
    trained = [
        choice(pairs.worth, omni),
        known[:, places.column],
        ledger[:, asked.percept.size :][:, places.column],
        np.broadcast_to(marginal[:, None], pairs.action.shape),
        pairs.action,
    ]
    score = np.stack(
        [
            np.stack([log_score(pairs.weight, pairs.action, p) for p in trained], axis=1),
            np.stack([log_score(asked.weight, actual, p) for p in novel], axis=1),
        ],
        axis=1,
    )
    probability = np.stack(novel, axis=2)
    probability[gone] = np.nan
    score[gone] = np.nan
    return probability, score, np.stack([omni, informed], axis=1)


def _steepness(
    spec: Predict, pairs: Training, training: Training, places: Places
) -> tuple[F64, F64]:
    """Return 1/tau (R,) of OBJ-omni and of OBJ-informed, each fitted by itself."""
    if spec.temperature == "likelihood":
        return likelihood_steepness(pairs), likelihood_steepness(training)
    most = majority_place(pairs)
    return (
        accuracy_steepness(pairs, most),
        accuracy_steepness(training, places.column[most]),
    )
