"""Where each named gene stands in the arrays of a population."""

from __future__ import annotations

from dataclasses import dataclass

from evosim.scenario.biology import Gene

#: Genes with more loci are reported by their mean only.
REPORTED_LOCI = 16


@dataclass(frozen=True)
class Slot:
    """One gene's place: loci ``start..stop-1`` among the real loci, or bits of a haplotype."""

    name: str
    gene: Gene
    start: int
    stop: int
    labels: tuple[str, ...]

    @property
    def loci(self) -> int:
        """Number of loci."""
        return self.stop - self.start

    @property
    def bits(self) -> bool:
        """Whether the loci are bits."""
        return self.gene.kind == "bits"

    @property
    def each(self) -> bool:
        """Whether every locus is reported, not only the mean over loci."""
        return self.loci <= REPORTED_LOCI

    @property
    def quantities(self) -> tuple[str, ...]:
        """Labels of what tables report of this gene."""
        return self.labels if self.each else (f"{self.name}.mean",)


@dataclass(frozen=True)
class Layout:
    """All genes of a genome.

    Attributes
    ----------
    real, bits : tuples of Slot
        In the order of the scenario file.
    real_loci, bit_loci : int
        Per haplotype.
    ploidy : int
    """

    real: tuple[Slot, ...]
    bits: tuple[Slot, ...]
    real_loci: int
    bit_loci: int
    ploidy: int

    @property
    def words(self) -> int:
        """64-bit words per haplotype."""
        return (self.bit_loci + 63) // 64

    def slot(self, name: str) -> Slot | None:
        """Return the slot of the gene called `name`, or None."""
        for slot in self.real + self.bits:
            if slot.name == name:
                return slot
        return None

    def locus(self, name: str) -> int:
        """Return the first real locus of a gene, or -1 where there is no such gene."""
        slot = self.slot(name)
        return slot.start if slot is not None and not slot.bits else -1


def make_layout(
    genome: dict[str, Gene], loci: dict[str, int], labels: dict[str, tuple[str, ...]], ploidy: int
) -> Layout:
    """Place the genes one after the other.

    Parameters
    ----------
    genome : dict of name -> Gene
    loci : dict of name -> int
        Resolved number of loci of every gene.
    labels : dict of name -> tuple of str
        Labels of the loci where they are more than numbers (the policy's).
    ploidy : int
    """
    real: list[Slot] = []
    bits: list[Slot] = []
    ends = {"real": 0, "bits": 0}
    for name, gene in genome.items():
        start = ends[gene.kind]
        stop = start + loci[name]
        ends[gene.kind] = stop
        plain = (name,) if loci[name] == 1 else tuple(f"{name}[{k}]" for k in range(loci[name]))
        slot = Slot(name, gene, start, stop, labels.get(name, plain))
        (bits if gene.kind == "bits" else real).append(slot)
    return Layout(tuple(real), tuple(bits), ends["real"], ends["bits"], ploidy)
