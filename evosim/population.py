"""The population store: named arrays on leading axes [replicate, agent]."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.kernels.express import draw_initial, express, unpack_bits
from evosim.layout import Layout, Slot
from evosim.resolve import Resolved

F32 = NDArray[np.float32]

#: Scales of genes, in the order of their codes in `evosim.kernels.express`.
SCALES = ("linear", "log", "logit", "threshold")


@dataclass
class Population:
    """Genomes of all replicates, and room for the next generation.

    Attributes
    ----------
    count : (R,) int64
        Agents alive; 0 once extinct.
    real, next_real : (R, N, ploidy * L) float32
    bits, next_bits : (R, N, ploidy * W) uint64
    """

    count: NDArray[np.int64]
    real: F32
    next_real: F32
    bits: NDArray[np.uint64]
    next_bits: NDArray[np.uint64]

    @property
    def replicates(self) -> int:
        """Number of replicates."""
        return int(self.count.size)

    @property
    def agents(self) -> int:
        """Room for agents per replicate."""
        return int(self.real.shape[1])

    def swap(self, count: NDArray[np.int64]) -> None:
        """Make the next generation the present one."""
        self.real, self.next_real = self.next_real, self.real
        self.bits, self.next_bits = self.next_bits, self.bits
        self.count = count
        # Slots without an agent are saved with the others: what stood in them two generations
        # ago is not known to a run that was resumed since.
        short = count < self.agents
        if short.any():
            for r in np.flatnonzero(short):
                self.real[r, count[r] :] = 0
                self.bits[r, count[r] :] = 0


def found(resolved: Resolved, keys: NDArray[np.uint64]) -> Population:
    """Draw the founders from each gene's initial distribution."""
    spec = resolved.model.population
    layout = resolved.layout
    room = spec.agents
    if resolved.selection.kind == "density":
        room = spec.limit or 4 * spec.agents
    replicates = keys.size
    real = np.zeros((replicates, room, layout.ploidy * layout.real_loci), np.float32)
    bits = np.zeros((replicates, room, layout.ploidy * layout.words), np.uint64)
    for slot in layout.real + layout.bits:
        for haplotype in range(layout.ploidy):
            _found_gene(slot, layout, haplotype, keys, spec.agents, real, bits)
    count = np.full(replicates, spec.agents, np.int64)
    # Zeros, not whatever memory held: slots without an agent are saved with the others.
    return Population(count, real, np.zeros_like(real), bits, np.zeros_like(bits))


_DRAWN = {"value": 0, "normal": 1, "uniform": 2, "probability": 3, "share": 4}


def _found_gene(
    slot: Slot,
    layout: Layout,
    haplotype: int,
    keys: NDArray[np.uint64],
    agents: int,
    real: F32,
    bits: NDArray[np.uint64],
) -> None:
    initial = slot.gene.initial
    how = next(k for k in _DRAWN if getattr(initial, k) is not None)
    low, high, threshold = 0.0, 0.0, 0.0
    each = np.zeros(slot.loci)
    if how == "value":
        each[:] = initial.value
    elif how in ("normal", "uniform"):
        low, high = getattr(initial, how)
    elif how == "probability":
        threshold = float(initial.probability or 0.0)
    else:
        assert initial.values is not None
        low, high = initial.values
        # An exact number of agents (of gametes, if diploid), not a random one.
        threshold = np.floor(float(initial.share or 0.0) * agents * layout.ploidy + 0.5)
    draw_initial(
        _DRAWN[how],
        each,
        low,
        high,
        threshold,
        keys,
        zlib.crc32(slot.name.encode()),
        haplotype,
        agents,
        slot.bits,
        haplotype * (layout.words * 64 if slot.bits else layout.real_loci) + slot.start,
        real,
        bits,
    )
    if how == "normal" and slot.gene.bounds is not None:
        first = haplotype * layout.real_loci
        _reflect(real[:, :agents, first + slot.start : first + slot.stop], *slot.gene.bounds)


def _reflect(values: F32, low: float, high: float) -> None:
    """Fold founders back into their gene's bounds, as reproduction does with mutants."""
    least, most = np.float32(low), np.float32(high)
    values[...] = np.where(values < least, least + (least - values), values)
    values[...] = np.where(values > most, most - (values - most), values)
    np.clip(values, least, most, out=values)


def expressed(
    resolved: Resolved,
    population: Population,
    keys: NDArray[np.uint64],
    generation: int,
    *,
    noisy: bool = True,
) -> F32:
    """Return (R, N, L) expressed values: haplotypes averaged, scaled, noise added if `noisy`."""
    if not resolved.expresses:
        return population.real
    layout = resolved.layout
    noise = np.zeros(layout.real_loci, np.float32)
    scale = np.zeros(layout.real_loci, np.int64)
    for slot in layout.real:
        noise[slot.start : slot.stop] = slot.gene.noise if noisy else 0.0
        scale[slot.start : slot.stop] = SCALES.index(slot.gene.scale)
    out = np.zeros((*population.real.shape[:2], layout.real_loci), np.float32)
    express(layout.ploidy, noise, scale, keys, generation, population.count, population.real, out)
    return out


def bit_values(layout: Layout, bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return (R, N, Q) values of the bit genes as tables report them.

    One column per locus of genes with few loci, else their mean; haplotypes averaged.
    """
    columns = sum(len(s.quantities) for s in layout.bits)
    out = np.zeros((*bits.shape[:2], columns), np.float64)
    column = 0
    for slot in layout.bits:
        unpack_bits(
            bits, layout.words, layout.ploidy, slot.start, slot.stop, slot.each, column, out
        )
        column += len(slot.quantities)
    return out
