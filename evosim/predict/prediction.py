"""Predictions beside what agents do, and their scores, as columns of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: In the order of the tables. FLOOR: the marginal frequencies of actions in training; CEIL: the
#: true mean of the agents' probabilities, the best that any one prediction can do.
PREDICTORS = ("OBJ-omni", "OBJ-informed", "LEDGER", "FLOOR", "CEIL")
SPLITS = ("training", "novel")
#: Predicted probabilities are clipped to this and one minus this before they are scored.
CLIP = 0.001
#: Skill is undefined where FLOOR falls short of CEIL by less than this (nats).
LEAST_RANGE = 0.02


@dataclass(frozen=True)
class Prediction:
    """What each predictor says of the percepts asked for, in one generation.

    Attributes
    ----------
    assays, contexts, percepts : (J,) tuples of str
        Of each percept asked for; an assay that looks at several percepts has a row for each.
    actions : (A,) tuple of str
    weight : (R, J) float64
        Of each percept in the score; sums to 1 over the assays of one `when`.
    probability : (R, J, P, A) float64
        Of each of `PREDICTORS`; NaN in replicates that have died out.
    score : (R, 2, P) float64
        Mean log probability of what agents do, by `SPLITS`, in nats; NaN as above.
    skill : (R, 2, P) float64
        (score - FLOOR) / (CEIL - FLOOR); NaN also where it is undefined.
    defined : (R, 2) bool
        Whether FLOOR and CEIL differ enough for a skill.
    temperature : (R, 2) float64
        tau of OBJ-omni and OBJ-informed, in units of payoff; inf where agents choose at random.
        Of policies at birth, if any assay asks for those.
    """

    assays: tuple[str, ...]
    contexts: tuple[str, ...]
    percepts: tuple[str, ...]
    actions: tuple[str, ...]
    weight: F64
    probability: F64
    score: F64
    skill: F64
    defined: NDArray[np.bool_]
    temperature: F64

    def prediction_columns(self) -> dict[str, Any]:
        """Return the table `predictions` without arm, replicate and generation.

        Returns
        -------
        dict
            Lists of Q labels: assay, context, percept, predictor, action; and `probability`,
            (R, Q) float64. The predictor `actual` is the agents' own mean probability.
        """
        predictors = [*PREDICTORS, "actual"]
        rows = [
            (*place, predictor, action)
            for place in zip(self.assays, self.contexts, self.percepts, strict=True)
            for predictor in predictors
            for action in self.actions
        ]
        names = ("assay", "context", "percept", "predictor", "action")
        columns: dict[str, Any] = {name: [row[k] for row in rows] for k, name in enumerate(names)}
        actual = self.probability[:, :, PREDICTORS.index("CEIL"), None]
        values = np.concatenate([self.probability, actual], axis=2)
        columns["probability"] = values.reshape(len(values), -1)
        return columns

    def score_columns(self) -> dict[str, Any]:
        """Return the table `scores` without arm, replicate and generation.

        Returns
        -------
        dict
            Lists of Q labels: split, predictor; and `score`, `skill`, (R, Q) float64.
        """
        return {
            "split": [split for split in SPLITS for _ in PREDICTORS],
            "predictor": list(PREDICTORS) * len(SPLITS),
            "score": self.score.reshape(len(self.score), -1),
            "skill": self.skill.reshape(len(self.skill), -1),
        }

    def assay_columns(self) -> dict[str, Any]:
        """Return scores and skills of each assay by itself, without arm, replicate, generation.

        Returns
        -------
        dict
            Lists of Q labels: assay, context, predictor; and `score`, `skill`, (R, Q) float64.
        """
        names = list(dict.fromkeys(self.assays))
        actual = self.probability[:, :, PREDICTORS.index("CEIL")]
        score = np.empty((len(self.weight), len(names), len(PREDICTORS)))
        for k, name in enumerate(names):
            rows = np.flatnonzero([assay == name for assay in self.assays])
            weight = self.weight[:, rows]
            with np.errstate(invalid="ignore"):  # nothing is met where all have died out
                weight = weight / weight.sum(axis=1, keepdims=True)
            for p in range(len(PREDICTORS)):
                predicted = self.probability[:, rows, p]
                score[:, k, p] = log_score(weight, actual[:, rows], predicted)
        place = dict(zip(self.assays, self.contexts, strict=True))
        return {
            "assay": [name for name in names for _ in PREDICTORS],
            "context": [place[name] for name in names for _ in PREDICTORS],
            "predictor": list(PREDICTORS) * len(names),
            "score": score.reshape(len(score), -1),
            "skill": skills(score)[0].reshape(len(score), -1),
        }


def log_score(weight: F64, action: F64, predicted: F64) -> F64:
    """Return the mean log probability of what agents do.

    sum_j w_j sum_a abar_j(a) log P_j(a): linear in each agent's own probabilities, so their mean
    abar is all that is needed.

    Parameters
    ----------
    weight : (R, J) or (J,) float64
        Of each percept; sums to 1.
    action : (R, J, A) float64
        Mean over agents of their action probabilities.
    predicted : (R, J, A) float64

    Returns
    -------
    (R,) float64
        In nats, not above 0.
    """
    logs = np.log(np.clip(predicted, CLIP, 1.0 - CLIP))
    return np.asarray((weight * (action * logs).sum(axis=2)).sum(axis=1))


def skills(score: F64) -> tuple[F64, NDArray[np.bool_]]:
    """Return skill (..., P) and whether it is defined (...).

    Parameters
    ----------
    score : (..., P) float64
        In the order of `PREDICTORS`.
    """
    floor = score[..., PREDICTORS.index("FLOOR"), None]
    ceiling = score[..., PREDICTORS.index("CEIL"), None]
    span = ceiling - floor
    defined = span >= LEAST_RANGE
    skill = np.where(defined, (score - floor) / np.where(defined, span, 1.0), np.nan)
    return skill, defined[..., 0]


def mean_of(parts: Sequence[tuple[float, F64]]) -> F64:
    """Return the weighted mean of arrays of one shape."""
    total = sum(weight for weight, _ in parts)
    return np.asarray(sum(weight / total * values for weight, values in parts))
