"""What a claim may measure: the grammar of a measure, and its names before anything runs.

A measure is one *term* (a plain name such as ``payoff`` or ``assay.NAME``), the difference of
two terms (``score.LEDGER - OBJ-informed``), either of these compared with a number
(``policy[coin] > 0``: 1 in a replicate where it is true, else 0), two such comparisons with
``before`` between them (1 in a replicate where the first is true in an earlier generation than the
second, else 0), or ``differs.MEASURE`` (1 in a replicate where two arms differ in any bit of it,
else 0; with a number, where they differ in whether it is passed).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from evosim.errors import UserError, did_you_mean
from evosim.layout import REPORTED_LOCI
from evosim.scenario.kinds import built_in_kinds
from evosim.scenario.model import ScenarioModel
from evosim.scenario.study_parts import PARTS_EXPLAINED

KEYS = ("arm", "replicate", "generation")
TRAJECTORY = (
    "agents",
    "payoff",
    "payoff_sd",
    "criterion",
    "offspring_variance",
    "extinct",
    "learned",
)
CONTEXT = ("frequency", "payoff", "episodes")
LEDGER = (
    "before",
    "selection",
    "transmission",
    "learning",
    "after",
    "cumulative_selection",
    "cumulative_transmission",
)
#: Indices of a trial that are shares of lives; the others are not bounded by 0 and 1.
SHARES = ("lock_in", "unlocked", "never_entered", "untried")
INDICES = (
    *SHARES, "payoff", "entered", "entered_last", "best", "horizon", "horizon_mean",
    "coverage_gap", "competence", "competence_inside", "selective_gap", "unlock_dose",
    "reward_ratio", "first_entry", "moved", "moved_unrewarded",
    "collapse_rate", "collapse_power", "collapse_exponential",
    "occupancy", "occupancy_last", "visit_divergence", "moved_inside", "update_share",
    "displacement", "off_gradient",
)  # fmt: skip
#: Bits that agents know; those of the ledger first.
INFORMATION = tuple(
    f"information.{name}" for name in ("genetic", "received", "learned", "birth", "death")
)
#: A skill, in its own units.
SKILL = tuple(f"skill.{name}" for name in ("received", "learned", "death", "best"))
PREDICTORS = ("OBJ-omni", "OBJ-informed", "LEDGER", "FLOOR", "CEIL")

_THRESHOLD = re.compile(r"^(.*\S)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)$")
_ALLOWED = (
    "a trajectory column, assay.NAME, trial.NAME.INDEX, explained.NAME.PART, context.NAME.COLUMN, "
    "ledger.QUANTITY.COLUMN, information.SOURCE, among.GENE, model.CELL, produced.CELL, "
    "total.CELL, score.PREDICTOR[.training]; A - B; MEASURE > NUMBER; "
    "MEASURE > NUMBER before MEASURE > NUMBER; differs.MEASURE"
)


@dataclass(frozen=True)
class Measured:
    """A measure taken apart.

    Attributes
    ----------
    terms : tuple of str
        One plain name, or two of which the second is subtracted.
    threshold : (str, float) or None
        Comparison and number that turn the value into 0 or 1.
    differs : bool
        Whether bits are compared between two arms (with a threshold: those zeros and ones).
    before : Measured or None
        The event, a measure with a threshold, that this one must come before.
    """

    terms: tuple[str, ...]
    threshold: tuple[str, float] | None = None
    differs: bool = False
    before: Measured | None = None


def plain(name: str) -> str:
    """Return a term without the optional prefix ``trajectory.``."""
    return name.strip().removeprefix("trajectory.")


def _difference(text: str, known: Callable[[str], bool]) -> tuple[str, ...] | None:
    pieces = text.split(" - ")
    for i in range(1, len(pieces)):
        left, right = plain(" - ".join(pieces[:i])), plain(" - ".join(pieces[i:]))
        if not known(left):
            continue
        # "score.LEDGER - OBJ-informed": the second predictor inherits prefix and split.
        split = ".".join(left.split(".")[2:]) if left.startswith("score.") else ""
        for name in (right, ".".join(filter(None, ("score", right, split)))):
            if known(name):
                return (left, name)
    return None


def _terms(text: str, known: Callable[[str], bool]) -> tuple[str, ...] | None:
    return (plain(text),) if known(plain(text)) else _difference(text, known)


def parse_measure(text: str, names: Collection[str], key: str | None = None) -> Measured:
    """Take a measure apart and check its terms.

    Parameters
    ----------
    text : str
        As written in the claim.
    names : collection of str
        The plain names that exist; ``*`` in a ledger name stands for any text.
    key : str, optional
        Dotted key for the error.

    Returns
    -------
    Measured

    Raises
    ------
    UserError
        If a term is unknown, with the closest known name.
    """
    exact = names if isinstance(names, (set, frozenset, dict)) else frozenset(names)

    def known(name: str) -> bool:
        return name in exact or (name.startswith("ledger.") and _starred(name, exact))

    rest = text.strip()
    terms = _terms(rest, known)
    if terms is not None:
        return Measured(terms)
    differs = rest.startswith("differs.")
    rest = rest.removeprefix("differs.")
    terms = _terms(rest, known) if differs else None
    if terms is not None:
        return Measured(terms, differs=True)
    found = _THRESHOLD.match(rest)
    threshold = (found[2], float(found[3])) if found else None
    rest = found[1] if found else rest
    terms = _terms(rest, known) if found else None
    if terms is None and not differs and " before " in text:
        return _race(text, names, key)
    if terms is None:
        hint = did_you_mean(plain(rest), sorted(exact))
        raise UserError(f"unknown measure '{text}'", key=key, allowed=_ALLOWED, hint=hint)
    return Measured(terms, threshold, differs)


def _race(text: str, names: Collection[str], key: str | None) -> Measured:
    """Return two comparisons of which the first must come true before the second."""
    one, two = (parse_measure(part, names, key) for part in text.split(" before ", 1))
    for event in (one, two):
        if event.threshold is None or event.differs or event.before is not None:
            raise UserError(
                f"'{text}' is no race of two events",
                key=key,
                allowed="MEASURE > NUMBER before MEASURE > NUMBER",
            )
    return replace(one, before=two)


def _starred(name: str, names: Collection[str]) -> bool:
    """Tell whether a name with ``*`` for any text stands for this one.

    A file of 64 contexts has hundreds of such names: an expression is compiled only of those that
    begin and end like the name that is asked for.
    """
    for pattern in names:
        head, star, rest = pattern.partition("*")
        if star and name.startswith(head) and name.endswith(rest.rpartition("*")[2]):
            parts = ".+".join(re.escape(part) for part in pattern.split("*"))
            if re.fullmatch(parts, name):
                return True
    return False


def measure_names(
    model: ScenarioModel,
    gene_labels: Mapping[str, Iterable[str]] | Iterable[str],
    predictors: Iterable[str] = PREDICTORS,
    percepts: Iterable[str] | None = None,
) -> list[str]:
    """List every plain measure that a run of this scenario will have.

    Parameters
    ----------
    model : ScenarioModel
        The whole file.
    gene_labels : mapping gene -> labels, or labels
        The loci as the trajectory names them: ``policy[coin]``, or the gene's name if it has
        one locus.
    predictors : iterable of str
        Predictors that are scored, if the file asks for predictions.
    percepts : iterable of str, optional
        Percept labels; unknown before the world is built, then ``*`` stands for them.

    Returns
    -------
    list of str
        Sorted. Ledger names of logits and acts may hold ``*``.
    """
    names = set(TRAJECTORY)
    names.update(f"assay.{assay.name}" for assay in model.assay)
    names.update(f"explained.{e.name}.{part}" for e in model.explained for part in PARTS_EXPLAINED)
    names.update(f"trial.{trial.name}.{index}" for trial in model.trial for index in INDICES)
    names.update(f"context.{context.name}.{col}" for context in model.context for col in CONTEXT)
    names.update(_displacements(model))
    fitted = model.selection.model.cells if model.selection.model else ()
    names.update(
        f"{what}.{cell.name}"
        for cell in fitted
        if cell.value is None
        for what in ("model", "produced", "total")
    )
    quantities = set(model.ledger.indices)
    if model.knowledge is not None and model.knowledge.pool == "skill":
        names.update(SKILL)
        quantities.update(("skill.all", *SKILL[:2]))
    elif model.knowledge is not None:
        names.update(INFORMATION)
        if model.knowledge.pool not in ("counted", "values"):
            names.add("information.distinct")
        quantities.update(("information.all", *INFORMATION[:3]))
    demes = model.structure is not None and model.structure.kind == "demes"
    if demes and model.knowledge is not None:
        names.add("among.received")
    for gene in model.ledger.directions:
        quantities.update(direction_names(gene))
    for label in _labels(gene_labels):
        names.update((label, label if label.endswith(".mean") else f"{label}.sd"))
        quantities.add(label)
        if demes:
            names.add(f"among.{label}")
    quantities.update(_percept_quantities(model, percepts))
    names.update(f"ledger.{quantity}.{column}" for quantity in quantities for column in LEDGER)
    if model.predict is not None:
        for predictor in predictors:
            names.update(f"score.{predictor}{part}" for part in ("", ".training", ".skill"))
    return sorted(names)


def direction_names(gene: str) -> tuple[str, str]:
    """Name what the ledger tracks of a gene whose direction is asked for."""
    return f"{gene}.direction", f"{gene}.length"


def _displacements(model: ScenarioModel) -> list[str]:
    """Name distances from the founders, inside and outside what training can show, and shares."""
    names = [f"{name}.spread" for name, gene in model.genome.items() if gene.kind == "real"]
    names += [f"{name}.expressed" for name, g in model.genome.items() if g.scale == "threshold"]
    mind = model.mind
    if model.world.kind in _tabular() and mind.kind == "reflex":
        if getattr(mind, "policy", "") == "linear":
            names += ["policy.inside", "policy.outside"]
        names += ["learned.inside", "learned.outside", "learned.moved"]
    return names


def _tabular() -> list[str]:
    """Return the kinds of world that are tables."""
    return [kind for kind in built_in_kinds("world") if kind != "landscape"]


def _labels(gene_labels: Mapping[str, Iterable[str]] | Iterable[str]) -> list[str]:
    if not isinstance(gene_labels, Mapping):
        return list(gene_labels)
    labels: list[str] = []
    for gene, given in gene_labels.items():
        loci = list(given)
        labels += loci if len(loci) <= REPORTED_LOCI else [f"{gene}.mean"]
    return labels


def _percept_quantities(model: ScenarioModel, percepts: Iterable[str] | None) -> list[str]:
    if model.world.kind == "landscape":
        return []
    actions = getattr(model.world, "actions", None) or ["*"]
    contexts = [context.name for context in model.context] or ["*"]
    seen = ["*"] if percepts is None else list(percepts)
    logits = [f"logit:{p}:{a}" for p in seen for a in actions]
    return logits + [f"act:{c}:{p}:{a}" for c in contexts for p in seen for a in actions]


def within_unit(measured: Measured, model: ScenarioModel | None = None) -> bool:
    """Tell whether a measure can only lie between 0 and 1, as far as is known.

    An exact interval of 0/1 values bounds the mean of such a measure; for any other measure
    fifty values of exactly 0 say nothing about its mean.

    Parameters
    ----------
    measured : Measured
        The measure.
    model : ScenarioModel, optional
        Tells genes of bits from real ones, and probabilities from payoffs in assays; without
        it these count as lying between 0 and 1.

    Returns
    -------
    bool
    """
    if measured.differs or measured.threshold is not None:
        return True
    return len(measured.terms) == 1 and _unit_term(measured.terms[0], model)


def _unit_term(term: str, model: ScenarioModel | None) -> bool:
    first, _, rest = term.partition(".")
    if first in ("ledger", "score", "context"):
        act = first == "ledger" and rest.startswith("act:")
        return term.endswith(".frequency") or (act and term.endswith((".before", ".after")))
    if first in ("model", "produced", "total", "information"):
        return False
    if first == "explained":
        return True
    if first == "trial":
        return term.endswith(tuple(f".{name}" for name in SHARES))
    if first == "assay":
        found = [a.measure for a in model.assay if a.name == rest] if model else []
        return not found or not (found[0].payoff or found[0].goal or found[0].directedness)
    if term in TRAJECTORY:
        return term == "extinct"
    gene = model.genome.get(re.split(r"[.\[]", term)[0]) if model else None
    if rest == "expressed":
        return gene is None or gene.noise == 0.0
    return rest != "sd" and (gene is None or gene.kind == "bits")
