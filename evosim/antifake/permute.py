"""The same world under other names: axes in another order, and genes in the order that fits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evosim.layout import Slot
from evosim.resolve import Resolved
from evosim.worlds.parts import cumulative
from evosim.worlds.tabular import TabularWorld

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

#: Axes of a world that have no order of their own.
AXES = ("contexts", "states", "actions", "cues")


@dataclass(frozen=True)
class Order:
    """For each axis, the old index that stands at each new one.

    Attributes
    ----------
    contexts : (C,) int64
        Of variants of contexts.
    states, actions, cues : (S,), (A,), (F,) int64
    """

    contexts: I64
    states: I64
    actions: I64
    cues: I64

    def moves(self, axis: str) -> bool:
        """Whether anything on an axis changes its place."""
        order: I64 = getattr(self, axis)
        return bool((order != np.arange(order.size)).any())


def turned(world: TabularWorld, axes: tuple[str, ...]) -> Order:
    """Return the order in which every index of the given axes moves one place on.

    A turn leaves no index where it was, so that nothing that is done to one of them is missed.
    """
    sizes = (len(world.variants), len(world.states), len(world.actions), len(world.cue_names))
    return Order(
        *(
            np.roll(np.arange(size), 1) if axis in axes else np.arange(size)
            for axis, size in zip(AXES, sizes, strict=True)
        )
    )


def reordered(world: TabularWorld, order: Order) -> TabularWorld:
    """Return the same world with its axes in another order; percepts keep their numbers."""
    c, s, a, f = order.contexts, order.states, order.actions, order.cues
    table, place = np.ix_(c, s, a), np.ix_(c, s)
    old_context = world.variant_context[c]
    contexts = np.array(list(dict.fromkeys(old_context.tolist())))
    start = cumulative(np.diff(world.start_cdf, prepend=0.0)[place])
    layout = tuple(world.layout[k] for k in contexts) if world.layout else ()
    return replace(
        world,
        variants=tuple(world.variants[k] for k in c),
        contexts=tuple(world.contexts[k] for k in contexts),
        variant_context=np.argsort(contexts)[old_context].astype(np.int32),
        variant_visible=tuple(world.variant_visible[k] for k in c),
        variant_share=world.variant_share[c],
        frequency=world.frequency[contexts],
        block_frequency=None
        if world.block_frequency is None
        else world.block_frequency[:, contexts],
        actions=tuple(world.actions[k] for k in a),
        states=tuple(world.states[k] for k in s),
        cue_names=tuple(world.cue_names[k] for k in f),
        outcome_state=np.argsort(s)[world.outcome_state[table]].astype(np.int32),
        outcome_cdf=world.outcome_cdf[table],
        payoff=world.payoff[table],
        reward=world.reward[table],
        goal=world.goal[table],
        once=world.once[table],
        cue=world.cue[np.ix_(c, s, f)],
        percept=world.percept[place],
        percept_cue=np.ascontiguousarray(world.percept_cue[:, f]),
        terminal=world.terminal[place],
        start_cdf=start,
        region=world.region[place],
        symbol={name: where[place] for name, where in world.symbol.items()},
        layout=layout,
        position=None if world.position is None else world.position[s],
    )


@dataclass(frozen=True)
class Loci:
    """Where each locus of a gene comes from when axes change places.

    Attributes
    ----------
    old : (K,) int64
        The old locus that stands at each new one, counted from the gene's first.
    sign : (K,) float32
        -1 where its value changes sign: the one logit of two actions is that of the first.
    """

    old: I64
    sign: NDArray[np.float32]


def policy_loci(resolved: Resolved, order: Order) -> Loci:
    """Return how the loci of a linear or multilayer policy follow a world's axes.

    Parameters
    ----------
    resolved : Resolved
        Of the world as it was.
    order : Order
    """
    features = order.cues.size
    two = order.actions.size == 2
    outputs = np.zeros(1, np.int64) if two else order.actions
    flipped = np.float32(-1.0 if two and order.moves("actions") else 1.0)
    hidden = resolved.hidden
    rows = np.arange(hidden) if hidden else outputs
    first = (rows[:, None] * features + order.cues[None, :]).ravel()
    if not hidden:
        return Loci(first, np.full(first.size, flipped))
    # Weights and constants of the hidden units, then those of the outputs.
    base = hidden * (features + 1)
    weights = (base + outputs[:, None] * hidden + np.arange(hidden)[None, :]).ravel()
    constants = base + outputs.size * hidden + outputs
    old = np.concatenate([first, hidden * features + np.arange(hidden), weights, constants])
    sign = np.ones(old.size, np.float32)
    sign[base:] = flipped
    return Loci(old, sign)


def moved(values: NDArray[np.float32], slot: Slot, each: int, loci: Loci) -> None:
    """Move a real gene's loci in place.

    Parameters
    ----------
    values : (R, N, haplotypes * each) float32
    slot : Slot
    each : int
        Real loci of a haplotype.
    loci : Loci
    """
    for first in range(slot.start, values.shape[2], each):
        at = slice(first, first + slot.loci)
        values[..., at] = values[..., at][..., loci.old] * loci.sign


def moved_mutation(resolved: Resolved, slot: Slot, loci: Loci) -> Resolved:
    """Return the parameters with a real gene's mutation in the order of its loci."""
    code, at = resolved.mutation, slice(slot.start, slot.stop)
    sd, chance, low, high = (x.copy() for x in (code.sd, code.chance, code.low, code.high))
    sd[at], chance[at] = sd[at][loci.old], chance[at][loci.old]
    below, above = low[at][loci.old], high[at][loci.old]
    low[at] = np.where(loci.sign < 0, -above, below)
    high[at] = np.where(loci.sign < 0, -below, above)
    return replace(resolved, mutation=replace(code, sd=sd, chance=chance, low=low, high=high))


def unpacked(bits: NDArray[np.uint64], slot: Slot, words: int) -> NDArray[np.uint8]:
    """Return (R, N, haplotypes, K) bits of a gene.

    Parameters
    ----------
    bits : (R, N, haplotypes * words) uint64
    slot : Slot
    words : int
        Words of a haplotype.
    """
    split = bits.reshape(*bits.shape[:2], -1, words)
    at = np.arange(slot.start, slot.stop)
    shift = (at & 63).astype(np.uint64)
    return ((split[..., at >> 6] >> shift) & np.uint64(1)).astype(np.uint8)


def move_bits(bits: NDArray[np.uint64], slot: Slot, words: int, old: I64) -> None:
    """Move a bit gene's loci in place; `old` as in `Loci`."""
    values = unpacked(bits, slot, words)[..., old].astype(np.uint64)
    split = bits.reshape(*bits.shape[:2], -1, words)
    for k, locus in enumerate(range(slot.start, slot.stop)):
        word, mask = locus >> 6, np.uint64(1) << np.uint64(locus & 63)
        split[..., word] = (split[..., word] & ~mask) | (values[..., k] * mask)
