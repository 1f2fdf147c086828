"""F10: selection passes over genes without any effect.

The sum of the selection terms of the Price equation of every marker locus is tested against zero
over replicates. A file without such a gene gets one for the check. Genes that start by `share`
are left out: the share's first agents get them, so that they are linked from the start with
everything else that starts so, and are labels of lineages rather than markers.
"""

from __future__ import annotations

from evosim.antifake.history import (
    MANY,
    History,
    Small,
    central_cells,
    live,
    small,
)
from evosim.antifake.row import Row, excused, judged
from evosim.antifake.ttest import F64, worst_t
from evosim.scenario import ArmCell, Scenario, ScenarioModel
from evosim.scenario.biology import Gene
from evosim.scenario.check_biology import NEUTRAL
from evosim.stretches import resolve_stretches

#: The gene that a file without markers gets.
ADDED = Gene(loci=8, mutation=0.1)


def check_markers(scenario: Scenario, lived: Small | None = None) -> Row:
    """Check F10 in the effect's arm and its control.

    Parameters
    ----------
    scenario : Scenario
    lived : Small, optional
        Histories that further checks share.

    Returns
    -------
    Row
        Its number is the largest |t| over loci and arms.
    """
    if (row := excused(scenario, "F10")) is not None:
        return row
    lived = lived or Small(scenario)
    selection: dict[str, F64] = {}
    for cell in central_cells(scenario):
        selection |= _selection(lived, cell)
    name, t, bound = worst_t(selection)
    reason = f"selection on {len(selection)} marker loci: largest |t| {t:.1f} ({name})"
    return judged(scenario, "F10", t < bound, f"{reason}, bound {bound:.1f}", t)


def markers(model: ScenarioModel) -> list[str]:
    """Return the genes without effect that vary and are not linked to others by their start."""
    return [
        name
        for name, gene in model.genome.items()
        if name.startswith(NEUTRAL)
        and gene.initial.share is None
        and (gene.mutation > 0.0 or gene.initial.value is None)
    ]


def _selection(lived: Small, cell: ArmCell) -> dict[str, F64]:
    genes = markers(cell.model)
    if genes:
        history = lived.of(cell, MANY)
    else:
        # Spelt as no gene of a file can be, so that it replaces none.
        genes = ["neutral.added"]
        model = small(cell.model)
        model = model.model_copy(update={"genome": {**model.genome, genes[0]: ADDED}})
        history = live(resolve_stretches(model), model.seed, MANY)
    return {
        f"{cell.label}: {label}": history.engine.ledger.selection[:, k]
        for label, k in _columns(history, genes)
    }


def _columns(history: History, genes: list[str]) -> list[tuple[str, int]]:
    """Return labels and places in the ledger of the loci of some genes."""
    layout, names = history.engine.resolved.layout, history.engine.ledger.names
    slots = [slot for slot in layout.real + layout.bits if slot.name in genes]
    labels = [label for s in slots for label in (s.quantities if s.bits else s.labels)]
    return [(label, names.index(label)) for label in labels]
