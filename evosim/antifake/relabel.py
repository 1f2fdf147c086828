"""F3: names and numbers of contexts, states, actions and cues mean nothing.

Their order is changed in the built world, genes follow, and what comes out is put back into the
old order. Where no draw and no sum runs over an axis (states that are not drawn as starts;
contexts of which one is trained in) nothing may differ in any bit, in any arm. Elsewhere draws
fall on other indices and float32 sums round otherwise, so that only distributions can be equal:
paired t tests over replicates of payoffs, acts and genes, in the effect's arm and its control.
Landscapes have loci in the place of all these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.antifake.history import (
    MANY,
    History,
    Small,
    central_cells,
    difference,
    first_cells,
    live,
    small,
)
from evosim.antifake.permute import (
    AXES,
    Loci,
    Order,
    move_bits,
    moved,
    moved_mutation,
    policy_loci,
    reordered,
    turned,
    unpacked,
)
from evosim.antifake.row import Row, excused, judged, pointless
from evosim.antifake.ttest import worst_t
from evosim.engine import Engine
from evosim.kernels import reproduce
from evosim.layout import Slot
from evosim.resolve import Resolved
from evosim.scenario import ArmCell, Scenario
from evosim.scenario.model import ScenarioModel
from evosim.stretches import Stretches, resolve_stretches
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
#: Genes with more bits are compared by their mean alone.
MOST = 256


def check_relabelling(scenario: Scenario, lived: Small | None = None) -> Row:
    """Check F3.

    Parameters
    ----------
    scenario : Scenario
    lived : Small, optional
        Histories that further checks share.

    Returns
    -------
    Row
        Its number is the largest |t| over all comparisons of distributions; None where all
        comparisons were of bits.
    """
    if (row := excused(scenario, "F3")) is not None:
        return row
    lived = lived or Small(scenario)
    same, bad = _compare_bits(lived)
    found = _compare_distributions(lived)
    parts = []
    if same or bad:
        parts.append("; ".join(bad) or f"{', '.join(same)}: no bit differs")
    if found is not None:
        parts.append(found[0])
    if not parts:
        return pointless(scenario, "F3", "nothing here could stand in another order")
    good = not bad and (found is None or found[1])
    return judged(scenario, "F3", good, "; ".join(parts), None if found is None else found[2])


def exact_axes(stretches: Stretches) -> tuple[str, ...]:
    """Return the axes over which nothing is drawn and nothing summed."""
    if any(_world(r) is None for _, r in stretches):
        return ()
    worlds = [world for _, r in stretches if (world := _world(r)) is not None]
    single = all(((np.diff(w.start_cdf, prepend=0.0) > 0).sum(axis=1) == 1).all() for w in worlds)
    trained = all((w.variant_frequency(w.frequency) > 0).sum() == 1 for w in worlds)
    return ("states",) * single + ("contexts",) * trained


def _world(resolved: Resolved) -> TabularWorld | None:
    """Return the world if it is one of tables."""
    return resolved.world if resolved.world_tag.numba_type.kind == "tabular" else None


def _compare_bits(lived: Small) -> tuple[list[str], list[str]]:
    """Return the axes that could be compared in some arm, and where an arm differed."""
    same: dict[str, None] = {}
    bad = []
    for cell in first_cells(lived.scenario):
        stretches = resolve_stretches(small(cell.model))
        axes = exact_axes(stretches)
        world = stretches[0][1].world
        if world is None or not axes:
            continue
        order = turned(world, axes)
        moving = [axis for axis in axes if order.moves(axis)]
        if not moving:
            continue
        same.update(dict.fromkeys(moving))
        one = lived.of(cell)
        other = resolve_stretches(small(cell.model), _in_order(order))
        two = live(other, cell.model.seed, replayed=lived.replayed(cell))
        two.parts["acts"] = [
            acts[..., _columns(one.engine.resolved, two.engine.resolved)]
            for acts in two.parts["acts"]
        ]
        where = difference(one, two, ("real", "bits", "parent", "acts", "learned", "payoff"))
        if where is not None:
            bad.append(f"{cell.label}, other {' and '.join(moving)}: {where}")
    return list(same), bad


def _in_order(order: Order) -> Callable[[TabularWorld], TabularWorld]:
    return lambda world: reordered(world, order)


def _keys(resolved: Resolved) -> list[tuple[str, int, str]]:
    world, tracked = resolved.world, resolved.tracked
    assert world is not None
    pairs = zip(tracked.context.tolist(), tracked.percept.tolist(), strict=True)
    return [(world.contexts[c], z, action) for c, z in pairs for action in world.actions]


def _columns(one: Resolved, two: Resolved) -> list[int]:
    """Return where the counts of acts of one world stand in the other."""
    where = {key: k for k, key in enumerate(_keys(two))}
    return [where[key] for key in _keys(one)]


def _compare_distributions(lived: Small) -> tuple[str, bool, float] | None:
    """Return what was found, whether it is well, and the largest |t|; None without axes."""
    differences: dict[str, F64] = {}
    axes: dict[str, None] = {}
    for cell in central_cells(lived.scenario):
        moving, found = _differences(lived, cell)
        axes.update(dict.fromkeys(moving))
        differences.update({f"{cell.label}: {name}": d for name, d in found.items()})
    if not differences:
        return None
    name, t, bound = worst_t(differences)
    text = f"{', '.join(axes)} by distribution: largest |t| {t:.1f} ({name})"
    return f"{text} of {len(differences)}, bound {bound:.1f}", t < bound, t


def _differences(lived: Small, cell: ArmCell) -> tuple[list[str], dict[str, F64]]:
    """Return the axes that were reordered, and paired differences per replicate by name."""
    model = small(cell.model)
    stretches = resolve_stretches(model)
    first = stretches[0][1]
    if first.landscape is not None:
        return _landscape_differences(lived, cell, stretches)
    axes = _drawn_axes(stretches)
    world = _world(first)
    if world is None or not axes:
        return [], {}
    order = turned(world, axes)
    moving = [axis for axis in axes if order.moves(axis)]
    if not moving:
        return [], {}
    names = [":".join(map(str, key)) for key in _keys(first)]
    slot = first.layout.slot("policy")
    one = lived.of(cell, MANY)
    if slot is None:  # no gene has places that go by the world's
        two = live(resolve_stretches(model, _in_order(order)), model.seed, MANY)
        start = 0
        labels = _labels_in_line(first)
    else:
        two = _with_policy_moved(model, first, order, slot)
        start, labels = slot.start, slot.labels
    columns = _columns(one.engine.resolved, two.engine.resolved)
    two.parts["acts"] = [acts[..., columns] for acts in two.parts["acts"]]
    return moving, _paired(
        one, two, lambda h: {**_act_means(h, names), **_real_means(h, start, labels)}
    )


def _labels_in_line(resolved: Resolved) -> tuple[str, ...]:
    """Return a label of every real locus, in their order."""
    return tuple(
        f"{slot.name}:{k}" for slot in resolved.layout.real for k in range(slot.stop - slot.start)
    )


def _with_policy_moved(model: ScenarioModel, first: Resolved, order: Order, slot: Slot) -> History:
    """Return lives in the reordered world of agents whose policy's loci follow it, put back."""
    loci = policy_loci(first, order)
    other = [
        (start, moved_mutation(resolved, slot, loci))
        for start, resolved in resolve_stretches(model, _in_order(order))
    ]

    def begin(engine: Engine) -> None:
        moved(engine.population.real, slot, first.layout.real_loci, loci)

    two = live(other, model.seed, MANY, begin=begin)
    back = Loci(np.argsort(loci.old), loci.sign[np.argsort(loci.old)])
    for real in two.parts["real"]:
        moved(real, slot, first.layout.real_loci, back)
    return two


def _drawn_axes(stretches: Stretches) -> tuple[str, ...]:
    """Return the axes that can be reordered, but not bit for bit."""
    first = stretches[0][1]
    exact = exact_axes(stretches)
    axes = [axis for axis in AXES if axis not in exact]
    slot = first.layout.slot("policy")
    known = first.mind_tag.numba_type.kind in ("linear", "mlp")
    linked = first.recombination == reproduce.ONE_POINT
    # Only a gene on a linear scale has values of both signs.
    signed = slot is not None and slot.gene.scale == "linear"
    if not known or linked:
        axes.remove("cues")
    two = first.world is not None and len(first.world.actions) == 2
    if not known or (linked and not two) or (two and not signed):
        axes.remove("actions")
    return tuple(axes)


def _landscape_differences(
    lived: Small, cell: ArmCell, stretches: Stretches
) -> tuple[list[str], dict[str, F64]]:
    first = stretches[0][1]
    code, layout = first.landscape, first.layout
    assert code is not None
    slot = next((s for s in layout.real + layout.bits if _reads(first, s.name)), None)
    if slot is None:
        return [], {}
    # Networks name their loci by their place: those up to the next network's last are alike.
    edges = sorted({0, slot.loci, *code.essential.tolist()})
    groups = [np.arange(a, b) for a, b in pairwise(edges)]
    old = np.concatenate([np.roll(group, 1) for group in groups])
    still = bool((old == np.arange(slot.loci)).all())
    if still or first.recombination == reproduce.ONE_POINT:
        return [], {}
    loci = Loci(old, np.ones(old.size, np.float32))
    other = [(start, _other_order(resolved, slot, loci)) for start, resolved in stretches]
    words = layout.words

    def begin(engine: Engine) -> None:
        if slot.bits:
            move_bits(engine.population.bits, slot, words, old)
        else:
            moved(engine.population.real, slot, layout.real_loci, loci)

    one = lived.of(cell, MANY)
    two = live(other, cell.model.seed, MANY, begin=begin)
    back = Loci(np.argsort(old), loci.sign)
    if slot.bits:
        for bits in two.parts["bits"]:
            move_bits(bits, slot, words, back.old)
        return ["loci"], _paired(one, two, lambda h: _bit_means(h, slot, words))
    for real in two.parts["real"]:
        moved(real, slot, layout.real_loci, back)
    return ["loci"], _paired(one, two, lambda h: _real_means(h, slot.start, slot.labels))


def _reads(resolved: Resolved, name: str) -> bool:
    model = resolved.model
    innate = None if model.knowledge is None else model.knowledge.gene
    return name in (getattr(model.world, "gene", None), innate)


def _other_order(resolved: Resolved, slot: Any, loci: Loci) -> Resolved:
    code = resolved.landscape
    assert code is not None
    order = loci.old
    if code.weights.size != order.size:
        return resolved  # flat: what pays is known, and every item pays alike
    weights, optimum, width = code.weights[order], code.optimum[order], code.width[order]
    turned_code = replace(code, weights=weights, optimum=optimum, width=width)
    resolved = replace(resolved, landscape=turned_code)
    return resolved if slot.bits else moved_mutation(resolved, slot, loci)


def _paired(
    one: History, two: History, means: Callable[[History], dict[str, F64]]
) -> dict[str, F64]:
    """Return differences of payoff and of further means, per replicate."""
    payoff = [np.mean(_mean(h, "payoff"), axis=0) for h in (one, two)]
    found = {"payoff": payoff[0] - payoff[1]}
    first, second = means(one), means(two)
    return found | {name: first[name] - second[name] for name in first}


def _mean(history: History, part: str) -> list[F64]:
    """Return per generation the mean over agents; 0 where there are none."""
    parts = history.parts[part]
    out = []
    for values, count in zip(parts, history.count, strict=True):
        total = values.sum(axis=1, dtype=np.float64)
        out.append(total / np.maximum(count, 1).reshape(-1, *[1] * (total.ndim - 1)))
    return out


def _act_means(history: History, names: list[str]) -> dict[str, F64]:
    total = np.sum(_mean(history, "acts"), axis=0)
    return {f"acts {name}": total[:, k] for k, name in enumerate(names)}


def _real_means(history: History, start: int, labels: tuple[str, ...]) -> dict[str, F64]:
    last = _mean(history, "real")[-1]
    return {label: last[:, start + k] for k, label in enumerate(labels)}


def _bit_means(history: History, slot: Any, words: int) -> dict[str, F64]:
    count = np.maximum(history.count[-1], 1)[:, None]
    values = unpacked(history.parts["bits"][-1], slot, words).mean(axis=2).sum(axis=1) / count
    means = {f"{slot.name}.mean": values.mean(axis=1)}
    if slot.loci <= MOST:
        means |= {label: values[:, k] for k, label in enumerate(slot.labels)}
    return means
