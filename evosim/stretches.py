"""The stretches of a run, resolved: one ledger for all, whatever each of them shows."""

from __future__ import annotations

import numpy as np

from evosim.errors import UserError
from evosim.resolve import Altered, Followed, Resolved, Tracked, resolve
from evosim.scenario import segments
from evosim.scenario.model import ScenarioModel

#: First generation of each stretch, and the parameters that hold in it.
Stretches = list[tuple[int, Resolved]]


def resolve_stretches(model: ScenarioModel, altered: Altered | None = None) -> Stretches:
    """Resolve a model stretch by stretch.

    Where phases or interventions change what there is to perceive, the ledger follows in every
    stretch the percepts of all of them, and percepts have the same numbers in all.

    Parameters
    ----------
    model : ScenarioModel
        Of one arm.
    altered : callable, optional
        As in `evosim.resolve.resolve`.

    Raises
    ------
    UserError
        A change alters the loci, or the cues that they are about.
    """
    parts = segments(model)
    found = [resolve(part.model, altered) for part in parts]
    for part, one in zip(parts, found, strict=True):
        _check_loci(found[0], one, part.start)
    if not all(_alike(found[0], other) for other in found[1:]):
        family = _follow(found, model.ledger.percepts)
        found = [resolve(p.model, altered, f) for p, f in zip(parts, family, strict=True)]
    return [(part.start, one) for part, one in zip(parts, found, strict=True)]


def _check_loci(first: Resolved, other: Resolved, start: int) -> None:
    """Refuse changes after which genomes would mean something else."""
    ours, theirs = first.layout, other.layout
    same = (ours.real_loci, ours.bit_loci) == (theirs.real_loci, theirs.bit_loci)
    if same and first.world is not None and other.world is not None:
        same = first.world.cue_names == other.world.cue_names
    if not same:
        raise UserError(
            f"what changes at generation {start} changes the loci or the cues that they are about",
            key="intervention",
        )


def _alike(one: Resolved, other: Resolved) -> bool:
    """Whether rows of the ledger mean the same: tracked pairs, and the states of each."""
    if not one.tracked.percept.size and not other.tracked.percept.size:
        return True
    assert one.world is not None
    assert other.world is not None
    return all(
        np.array_equal(a, b)
        for a, b in (
            (one.tracked.context, other.tracked.context),
            (one.tracked.percept, other.tracked.percept),
            (one.world.percept, other.world.percept),
            (one.world.percept_cue, other.world.percept_cue),
        )
    )


def _follow(found: list[Resolved], most: int) -> list[Followed]:
    """Return what each stretch follows: percepts and pairs of all, shown by then or not.

    Percepts keep the first stretch's numbers; those that come later follow.
    """
    rows: dict[bytes, np.ndarray] = {}
    shown: list[set[tuple[int, int]]] = []
    for one in found:
        assert one.world is not None
        rows |= {r.tobytes(): r for r in one.world.percept_cue if r.tobytes() not in rows}
        number = {row: p for p, row in enumerate(rows)}
        of = [number[row.tobytes()] for row in one.world.percept_cue]
        pairs = zip(one.tracked.context.tolist(), one.tracked.percept.tolist(), strict=True)
        shown.append({(c, of[z]) for c, z in pairs}.union(*shown[-1:]))
    percept_cue = np.array(list(rows.values()), np.float32)
    every = sorted(shown[-1])
    kept = [pair for k, pair in enumerate(every) if [c for c, _ in every[:k]].count(pair[0]) < most]
    context, percept = np.array(kept, np.int64).reshape(-1, 2).T
    return [
        Followed(percept_cue, Tracked(context, percept, np.array([p in by_now for p in kept])))
        for by_now in shown
    ]
