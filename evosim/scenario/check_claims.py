"""Claims of a scenario, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evosim.scenario.arms import ArmCell
from evosim.scenario.check_biology import locus_count
from evosim.scenario.kinds import user_parts
from evosim.scenario.minds import LookaheadMind, ModelFreeMind, PlannerMind, ReflexMind
from evosim.scenario.model import ScenarioModel


def check_claims(model: ScenarioModel, cells: Sequence[ArmCell]) -> None:
    """Check that every claim has a measure and arms that the run will have.

    Parameters
    ----------
    model : ScenarioModel
        The file's own.
    cells : sequence of ArmCell
        All of its arms.

    Raises
    ------
    UserError
        With the key, e.g. ``claim.0.measure``.
    """
    if not model.claim:
        return
    from evosim.claims.check import check_claim
    from evosim.claims.names import measure_names

    # The arms of a file may differ in genes and assays; the cells of one arm only in numbers.
    models = {cell.arm: cell.model for cell in reversed(cells)}
    names: set[str] = set()
    labelled: list[tuple[ScenarioModel, dict[str, list[str]]]] = []
    for variant in [model, *models.values()]:
        labels = next((known for other, known in labelled if _same_loci(variant, other)), None)
        if labels is None:
            labels = {gene: list(locus_labels(gene, variant)) for gene in variant.genome}
            labelled.append((variant, labels))
        names.update(measure_names(variant, labels))
    for index, claim in enumerate(model.claim):
        check_claim(claim, model, cells, names, index=index)


def _same_loci(one: ScenarioModel, other: ScenarioModel) -> bool:
    """Tell whether two arms agree in all that names loci, so that no world is built twice."""
    return all(
        getattr(one, part) == getattr(other, part)
        for part in ("genome", "mind", "world", "context", "cues", "block")
    )


def locus_labels(gene: str, model: ScenarioModel) -> Iterator[str]:
    """Yield the names of a gene's loci in the tables, as far as its claims ask for them.

    The loci of a policy take a built world to know: without a claim about them there are none
    here. Where only the run can tell (worlds and minds of users), those that claims name.
    """
    count = locus_count(gene, model)
    if gene == "policy" and isinstance(model.mind, ReflexMind | ModelFreeMind | LookaheadMind):
        yield from _policy_labels(model)
    elif gene == "utility" and isinstance(model.mind, PlannerMind):
        yield from (f"utility[{name}]" for name in model.mind.features)
    elif count is None:
        yield from (gene, *_mentioned(gene, model))
    elif count == 1:
        yield gene
    else:
        yield from (f"{gene}[{i}]" for i in range(count))


def _policy_labels(model: ScenarioModel) -> Iterator[str]:
    """Yield the labels of a policy's loci, which take a built world to know."""
    if not any("policy" in claim.measure for claim in model.claim):
        return
    if user_parts(model):
        yield from _mentioned("policy", model)
        return
    from evosim.worlds.build import build_world

    world = build_world(model)
    mind = model.mind
    if isinstance(mind, ReflexMind) and mind.policy == "mlp":
        outputs = 1 if len(world.actions) == 2 else len(world.actions)
        loci = mind.hidden * (len(world.cue_names) + 1) + outputs * (mind.hidden + 1)
        yield from (f"policy[{i}]" for i in range(loci))
    elif len(world.actions) == 2:
        yield from (f"policy[{cue}]" for cue in world.cue_names)
    else:
        yield from (
            f"policy[{action},{cue}]" for action in world.actions for cue in world.cue_names
        )


def _mentioned(gene: str, model: ScenarioModel) -> Iterator[str]:
    """Yield the loci that the claims name, where only the run can tell whether they exist."""
    for claim in model.claim:
        yield from re.findall(rf"{re.escape(gene)}\[[^\]]*\]", claim.measure)
