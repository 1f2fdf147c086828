"""Which measures a run has, what they are called on an axis, and between which bounds they lie.

A measure is named as in a scenario's claims: a trajectory column, or ``assay.NAME``,
``context.NAME.COLUMN``, ``ledger.QUANTITY.COLUMN``, ``score.PREDICTOR``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evosim.plots.bands import floats

if TYPE_CHECKING:
    from evosim.scenario.model import ScenarioModel
    from evosim.scenario.study_parts import Assay

UNIT = (0.0, 1.0)
#: How the names of genes begin that nothing reads.
NEUTRAL = ("neutral", "marker")

_FIXED = {
    "agents": ("number of agents", "agents"),
    "payoff": ("payoff", "mean payoff per episode"),
    "payoff_sd": ("spread of payoff", "sd of payoff over agents"),
    "criterion": ("criterion", "mean criterion"),
    "offspring_variance": ("opportunity for selection", "variance of relative offspring numbers"),
    "learned": ("learning within life", "mean |policy at death - at birth|"),
    "information.genetic": ("genetic information", "bits per agent"),
    "information.received": ("received information", "bits per agent"),
    "information.learned": ("learned information", "bits per agent"),
    "information.birth": ("all information at birth", "bits per agent"),
    "information.death": ("all information at death", "bits per agent"),
    "information.distinct": ("distinct items known", "items"),
    "skill.received": ("skill imitated", "skill"),
    "skill.learned": ("skill gained in life", "skill"),
    "skill.death": ("mean skill", "skill"),
    "skill.best": ("best skill", "skill"),
}
_KEYS = ("arm", "replicate", "generation", "extinct")
#: Indices of trials: what they are called, the axis label, and the bounds.
_INDICES: dict[str, tuple[str, str, tuple[float, float] | None]] = {
    "competence": ("competence elsewhere", "0: at random, 1: best", None),
    "competence_inside": ("competence inside", "0: at random, 1: best", None),
    "coverage_gap": ("coverage gap", "share less covered inside", None),
    "entered": ("entries by choice", "per episode", None),
    "entered_last": ("entries by choice at the end", "per episode", None),
    "first_entry": ("first entry by choice", "episode", None),
    "horizon": ("foresight horizon", "steps", None),
    "lock_in": ("locked in", "share of lives", UNIT),
    "never_entered": ("never enter any more", "share of lives", UNIT),
    "payoff": ("payoff at the end", "per episode", None),
    "reward_ratio": ("rewards, end to beginning", "ratio", None),
    "unlock_dose": ("forced entries that unlock", "entries", None),
    "untried": ("never entered by choice", "share of lives", UNIT),
    "unlocked": ("unlocked by forced entries", "share of lives", UNIT),
}


#: Columns of the reward model's cells.
_MODEL = (
    ("model.", "predicted of", "payoff per occurrence"),
    ("produced.", "produced:", "occurrences per life"),
    ("total.", "produced so far:", "occurrences"),
)


@dataclass(frozen=True)
class Measured:
    """One measure of a run over time.

    Parameters
    ----------
    key : str
        The measure's name in claims.
    title, label : str
        Panel title, and y axis label with the unit.
    data : DataFrame
        Columns arm, replicate, generation, value; rows without a value are left out.
    bounds : (float, float) or None
        Range of the measure by definition, None if it has none.
    """

    key: str
    title: str
    label: str
    data: pd.DataFrame
    bounds: tuple[float, float] | None = None


#: Titles of what explains preferences.
_EXPLAINED = {
    "direction": "explained by one goal",
    "ledger": "explained by the record of selection",
    "training": "one goal, by what training reinforces",
}


def assay_axis(assay: Assay | None) -> tuple[str, tuple[float, float] | None]:
    """Return the y axis label of an assay and the bounds of its value."""
    if assay is None:
        return "value", None
    measure = assay.measure
    if measure.first_action:
        return f"P({measure.first_action}) at the start", UNIT
    if measure.action:
        return f"P({measure.action}) at {measure.state or measure.symbol}", UNIT
    if measure.reach:
        return f"share of episodes reaching {measure.reach}", UNIT
    if measure.directedness:
        return "directedness", None
    if measure.transitivity:
        return "share of transitive triples", UNIT
    return ("mean goal" if measure.goal else "mean payoff") + " per episode", None


def find_assay(model: ScenarioModel, name: str) -> Assay | None:
    """Return the assay of that name, or None."""
    return next((assay for assay in model.assay if assay.name == name), None)


def trajectory_measure(
    trajectory: pd.DataFrame, column: str, model: ScenarioModel
) -> Measured | None:
    """Return a trajectory column as a measure, or None where it is absent or always missing."""
    if column not in trajectory.columns or column in _KEYS:
        return None
    data = trajectory[["arm", "replicate", "generation", column]]
    data = data[data[column].notna()].rename(columns={column: "value"})
    if data.empty:
        return None
    if column.startswith("assay."):
        name = column.removeprefix("assay.")
        label, bounds = assay_axis(find_assay(model, name))
        return Measured(column, name, label, data, bounds)
    if column in _FIXED:
        return Measured(column, *_FIXED[column], data)
    if column.startswith("trial."):
        trial, _, index = column.removeprefix("trial.").rpartition(".")
        title, label, bounds = _INDICES.get(
            index, (index.replace("_", " "), "mean over lives", None)
        )
        return Measured(column, f"{title} (trial '{trial}')", label, data, bounds)
    if column.startswith("explained."):
        name, _, part = column.removeprefix("explained.").rpartition(".")
        label = "share of what agents prefer"
        return Measured(column, f"{_EXPLAINED[part]} ('{name}')", label, data, UNIT)
    for prefix, title, label in _MODEL:
        if column.startswith(prefix):
            return Measured(column, f"{title} '{column.removeprefix(prefix)}'", label, data)
    gene = model.genome.get(gene_of(column, model.genome) or "")
    if gene is not None and gene.kind == "bits":
        return Measured(column, column, "frequency of 1", data, UNIT)
    return Measured(column, column, "mean over agents", data)


def measured(
    key: str,
    *,
    model: ScenarioModel,
    trajectory: pd.DataFrame,
    contexts: pd.DataFrame | None = None,
) -> Measured | None:
    """Return the measure of that name if it can be drawn over time, else None.

    Ledger and score measures are drawn in figures of their own and give None here.
    """
    found = trajectory_measure(trajectory, key, model)
    if found is not None or contexts is None or not key.startswith("context."):
        return found
    name, _, column = key.removeprefix("context.").rpartition(".")
    if not name or column not in contexts.columns or contexts.empty:
        return None
    data = contexts.loc[
        (contexts["context"] == name).to_numpy(), ["arm", "replicate", "generation", column]
    ]
    data = data[data[column].notna()].rename(columns={column: "value"})
    if data.empty:
        return None
    bounds = UNIT if column == "frequency" else None
    label = _FIXED[column][1] if column in _FIXED else column
    return Measured(key, f"{column} in '{name}'", label, data, bounds)


def gene_of(column: str, genes: Iterable[str]) -> str | None:
    """Return the gene whose mean a trajectory column holds, or None (e.g. for an sd)."""
    if column.endswith(".sd"):
        return None
    for gene in genes:
        rest = column.removeprefix(gene)
        if column.startswith(gene) and (rest in ("", ".mean") or rest[0] == "["):
            return gene
    return None


def main_measures(
    model: ScenarioModel,
    trajectory: pd.DataFrame,
    contexts: pd.DataFrame | None = None,
    *,
    most: int = 6,
) -> list[Measured]:
    """Return the measures worth a panel: payoff, effect and claims first, then moving genes."""
    keys = ["payoff"]
    if model.effect is not None:
        keys.append(model.effect.measure)
    keys += [claim.measure for claim in model.claim]
    keys += _telling(trajectory)
    keys += _moving_loci(model, trajectory)
    chosen: list[Measured] = []
    for key in dict.fromkeys(keys):
        found = measured(key, model=model, trajectory=trajectory, contexts=contexts)
        if found is not None and len(chosen) < most:
            chosen.append(found)
    return chosen


def is_marker(name: str) -> bool:
    """Return whether a gene, or a locus of it, is a neutral marker: nothing reads it."""
    return name.startswith(NEUTRAL)


def _telling(trajectory: pd.DataFrame) -> list[str]:
    """Return population size, learning and information where they say anything."""
    wanted = ("agents", "learned", "information.death", "information.genetic", "skill.death")
    known = [name for name in wanted if name in trajectory]
    return [name for name in known if _range(trajectory[name]) > 0]


def _moving_loci(model: ScenarioModel, trajectory: pd.DataFrame) -> list[str]:
    """Return gene columns, the most moved locus of every gene first, then one neutral marker."""
    by_gene: dict[str, list[str]] = {}
    for column in trajectory.columns:
        gene = gene_of(column, model.genome)
        if gene is not None:
            by_gene.setdefault(gene, []).append(column)
    real = [
        _by_movement(gene, columns, trajectory)
        for gene, columns in by_gene.items()
        if not is_marker(gene)
    ]
    # Not the marker that moved most: that one would look selected.
    markers = [columns[0] for gene, columns in by_gene.items() if is_marker(gene)]
    turns = [column for turn in zip_longest(*real) for column in turn if column is not None]
    return turns + markers[:1]


def _by_movement(gene: str, columns: Sequence[str], trajectory: pd.DataFrame) -> list[str]:
    """Return a gene's columns, its mean over loci first, then by how far the arms' means moved."""
    means = trajectory.groupby(["arm", "generation"], observed=True)[list(columns)].mean()
    moved = {column: _range(means[column]) for column in columns}
    return sorted(columns, key=lambda c: (c != f"{gene}.mean", -moved[c]))


def _range(column: Any) -> float:
    """Return the distance between the extremes of a column, 0 without values."""
    values = floats(column)
    values = values[np.isfinite(values)]
    return float(np.ptp(values)) if values.size else 0.0
