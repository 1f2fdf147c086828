"""The Price-equation record of what selection and transmission did, generation by generation.

Price 1970: mean(z') - mean(z) = Cov(W, z) / mean(W) + E[W (z' - z)] / mean(W), with W the
realised offspring. The identity is checked in every generation of every run for every tracked
quantity: genes, logits of non-linear policies, and indices. Logits of linear policies follow
exactly from the genes' covariances; acts have a selection term only (they are not inherited).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.errors import EngineError
from evosim.kernels.crew import run_blocks
from evosim.kernels.price import (
    BLOCK,
    act_sums,
    act_terms,
    child_sums,
    parent_sums,
    price_terms_of,
)
from evosim.layout import Layout
from evosim.population import Population, bit_values
from evosim.resolve import Resolved

F64 = NDArray[np.float64]

#: The identity must hold to this share of the largest term (terms below 1e-12 count as 1e-12).
BOUND = 1e-10


@dataclass
class Terms:
    """Price terms of Q quantities in one generation; each (R, Q)."""

    before: F64
    sd: F64
    selection: F64
    transmission: F64
    after: F64


@dataclass
class Pedigree:
    """Who came from whom in one generation.

    Attributes
    ----------
    gametes : (R, N) int32
        Offspring of each agent, counted in gametes.
    parent : (R, N) int32
    mate : (R, N) int32, or last axis 0 with one parent
    births : (R, N) int32, or last axis 0 (one birth each)
    born : (R,) int64
    """

    gametes: NDArray[np.int32]
    parent: NDArray[np.int32]
    mate: NDArray[np.int32]
    births: NDArray[np.int32]
    born: NDArray[np.int64]


def price_terms(
    count: NDArray[np.int64],
    pedigree: Pedigree,
    values: NDArray[np.floating],
    newborn: NDArray[np.floating],
    threads: int,
) -> tuple[Terms, F64]:
    """Compute the Price terms and how far the identity is off.

    Parameters
    ----------
    count : (R,) int64
    pedigree : Pedigree
    values, newborn : (R, N, Q) float32 or float64
        Parents' values at birth; their offspring's.

    Returns
    -------
    Terms
        Zero where a replicate left no offspring.
    (R, Q) float64
        |residual| / max(|terms|, a share of the values' spread, 1e-12).
    """
    replicates, agents, quantities = values.shape
    per = (agents + BLOCK - 1) // BLOCK
    reference = values[:, 0, :].astype(np.float64)
    parents = np.empty((replicates * per, 3, quantities))
    children = np.empty((replicates * per, 2, quantities))
    run_blocks(
        parent_sums, replicates * per, threads, count, pedigree.gametes, values, reference, parents
    )
    run_blocks(
        child_sums,
        replicates * per,
        threads,
        pedigree.born,
        pedigree.parent,
        pedigree.mate,
        values,
        newborn,
        reference,
        children,
    )
    terms = np.empty((6, replicates, quantities))
    run_blocks(
        price_terms_of, replicates, threads, count, pedigree.born, pedigree.gametes, reference,
        parents.reshape(replicates, per, 3, quantities),
        children.reshape(replicates, per, 2, quantities), terms,
    )  # fmt: skip
    return Terms(*terms[:5]), terms[5]


class Ledger:
    """Running sums of the Price terms of one arm.

    Parameters
    ----------
    resolved : Resolved
    population : Population
        The founders.
    indices : callable, optional
        ``indices(population) -> (R, N, X) float64``: values at birth of further quantities that
        follow from an agent's genome alone.
    index_names : tuple of str
    threads : int

    Attributes
    ----------
    names : tuple of str
        Real loci, then reported bit quantities, then `extra` logits, then indices.
    now : Terms
        Of the generation closed last.
    selection, transmission, learning : (R, Q) float64
        Sums since generation 0.
    worst : float
        Largest relative residual so far.
    """

    def __init__(
        self,
        resolved: Resolved,
        population: Population,
        indices: Callable[[Population], F64] | None = None,
        index_names: tuple[str, ...] = (),
        threads: int = 1,
    ) -> None:
        self.layout = resolved.layout
        self.threads = threads
        self._indices = indices
        real = tuple(label for slot in self.layout.real for label in slot.labels)
        bits = tuple(label for slot in self.layout.bits for label in slot.quantities)
        self.names = real + bits + index_names
        self._further = self._further_values(population)
        shape = (population.replicates, len(self.names))
        self.selection = np.zeros(shape)
        self.transmission = np.zeros(shape)
        self.learning = np.zeros(shape)
        self.learned_now = np.zeros(shape)
        self.worst = 0.0
        self.now: Terms | None = None
        self.acts = ActLedger(resolved, population.replicates)

    def sums(self) -> dict[str, NDArray[np.float64]]:
        """Return copies of the sums since generation 0, by the names of a checkpoint."""
        return {
            "ledger_selection": self.selection.copy(),
            "ledger_transmission": self.transmission.copy(),
            "ledger_learning": self.learning.copy(),
            "ledger_acts": self.acts.selection.copy(),
            "ledger_worst": np.array(self.worst),
        }

    def resume(self, population: Population, sums: Mapping[str, NDArray[np.floating]]) -> None:
        """Take up the sums of a checkpoint and the values of its population."""
        self.selection = np.array(sums["ledger_selection"])
        self.transmission = np.array(sums["ledger_transmission"])
        self.learning = np.array(sums["ledger_learning"])
        self.acts.selection = np.array(sums["ledger_acts"])
        self.worst = float(sums["ledger_worst"])
        self.rebase(population)

    def rebase(self, population: Population) -> None:
        """Take the further values anew after parameters changed between generations."""
        self._further = self._further_values(population)

    def learned(
        self, born: F64, dead: F64, policy: NDArray[np.int64], count: NDArray[np.int64]
    ) -> None:
        """Add what agents learned: mean of value at death minus value at birth, per locus."""
        alive = (np.arange(born.shape[1])[None, :] < count[:, None])[..., None]
        change = np.where(alive, dead - born, 0.0).sum(axis=1) / np.maximum(count, 1)[:, None]
        self.learned_now[:] = 0.0
        self.learned_now[:, policy[0] : policy[1]] = change
        self.learning += self.learned_now

    def close(
        self,
        resolved: Resolved,
        population: Population,
        pedigree: Pedigree,
        acts: NDArray[np.unsignedinteger],
        generation: int,
    ) -> None:
        """Close a generation, after its offspring were written to the population's next arrays.

        Raises
        ------
        EngineError
            If the Price identity is off by more than BOUND: a defect of the program.
        """
        newborn = Population(
            pedigree.born, population.next_real, population.next_real,
            population.next_bits, population.next_bits,
        )  # fmt: skip
        further = self._further_values(newborn)
        parts = []
        for values, after in (
            (haploid_mean(self.layout, population.real), haploid_mean(self.layout, newborn.real)),
            (self._further, further),
        ):
            if values.shape[2]:
                parts.append(price_terms(population.count, pedigree, values, after, self.threads))
        self._further = further
        if not parts:
            return
        self.now, residual = parts[0] if len(parts) == 1 else _joined(parts)
        worst = float(residual.max(initial=0.0))
        if not worst <= BOUND:
            where = np.unravel_index(int(np.nanargmax(residual)), residual.shape)
            raise EngineError(
                f"Price identity off by {worst:.2g} of its largest term for "
                f"'{self.names[where[1]]}' in generation {generation}, replicate {where[0]}",
                allowed=f"{BOUND:g}",
            )
        self.worst = max(self.worst, worst)
        self.selection += self.now.selection
        self.transmission += self.now.transmission
        self.acts.close(population.count, pedigree, acts, self.threads)

    def policy_selection(self, resolved: Resolved) -> F64:
        """Return (R, L) cumulative selection on the policy's loci."""
        slot = resolved.layout.slot("policy")
        assert slot is not None
        return self.selection[:, slot.start : slot.stop]

    def _further_values(self, population: Population) -> F64:
        shape = population.real.shape[:2]
        parts = [bit_values(self.layout, population.bits)] if self.layout.bits else []
        if self._indices is not None:
            parts.append(self._indices(population))
        return np.concatenate(parts, axis=2) if parts else np.zeros((*shape, 0))


def _joined(parts: list[tuple[Terms, F64]]) -> tuple[Terms, F64]:
    """Put the quantities of several parts side by side."""
    terms = (
        np.concatenate([getattr(part, name) for part, _ in parts], axis=1)
        for name in ("before", "sd", "selection", "transmission", "after")
    )
    return Terms(*terms), np.concatenate([residual for _, residual in parts], axis=1)


def haploid_mean(layout: Layout, real: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return (R, N, L) heritable values: the genome, or the haplotypes' mean if diploid."""
    if layout.ploidy == 1:
        return real
    one, two = real[..., : layout.real_loci], real[..., layout.real_loci :]
    return 0.5 * (one.astype(np.float64) + two)


class ActLedger:
    """Selection on acts: what was done more often by those who left offspring.

    S[c, z, a] = Cov(W, n[c, z, a] - n[c, z] pbar[c, z, a]) / mean(W), with n the counts of one
    life and pbar the population's share of action a at (c, z). Units: acts per life.
    """

    def __init__(self, resolved: Resolved, replicates: int) -> None:
        self.slots = resolved.tracked.context.size if resolved.world is not None else 0
        self.actions = len(resolved.world.actions) if resolved.world is not None else 0
        shape = (replicates, self.slots, self.actions)
        self.share = np.zeros(shape)
        self.now = np.zeros(shape)
        self.selection = np.zeros(shape)

    def close(
        self,
        count: NDArray[np.int64],
        pedigree: Pedigree,
        acts: NDArray[np.unsignedinteger],
        threads: int,
    ) -> None:
        """Add one generation."""
        replicates, agents, kinds = acts.shape
        if kinds == 0:
            return
        per = (agents + BLOCK - 1) // BLOCK
        sums = np.empty((replicates * per, 2, kinds))
        run_blocks(act_sums, replicates * per, threads, count, pedigree.gametes, acts, sums)
        flat = (replicates, kinds)
        self.share, self.now = np.empty_like(self.share), np.empty_like(self.now)
        run_blocks(
            act_terms, replicates, threads, count, pedigree.gametes, self.actions,
            sums.reshape(replicates, per, 2, kinds), self.share.reshape(flat),
            self.now.reshape(flat), self.selection.reshape(flat),
        )  # fmt: skip
