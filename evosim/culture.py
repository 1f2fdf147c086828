"""What the agents of a generation know: received, found, innate; and who it came from.

Information is counted in bits from content: an item is known or not, two states, so that each
known item is log2(2) = 1 bit. The Price equation of all information at death is closed once the
newborns have lived; its transmission term is the sum of the genetic, the received (cultural) and
the learned ones, each summed over pairs of parent and child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.errors import EngineError
from evosim.kernels import culture as kernels
from evosim.kernels.crew import run_blocks
from evosim.knowledge import CultureCode
from evosim.ledger import BOUND, Pedigree, Terms, price_terms
from evosim.population import Population

if TYPE_CHECKING:
    from evosim.engine import Lives

F64 = NDArray[np.float64]

#: Where information comes from, in the order of the columns of `Culture.information`.
SOURCES = ("genetic", "received", "learned")
#: What the ledger follows, as its table names it.
QUANTITIES = tuple(f"information.{name}" for name in (*SOURCES, "all"))


class Culture:
    """The knowledge of one arm's living generation, and what the previous one knew.

    Parameters
    ----------
    code : CultureCode
    replicates, agents : int
    paired : bool
        Whether agents have two parents.

    Attributes
    ----------
    known : (R, N, W) uint64
        Items received and found by the living generation.
    lived : (R, N, W) uint64
        Those of the generation that lived last, at death.
    information : (R, N, 3) float64
        Bits by source, at death.
    now : Terms or None
        Price terms from the previous generation's deaths to the present one's.
    selection, transmission : (R, 4) float64
        Sums of the terms since generation 0.
    """

    def __init__(self, code: CultureCode, replicates: int, agents: int, paired: bool) -> None:
        self.code = code
        shape = (replicates, agents)
        self.known = np.zeros((*shape, code.words), np.uint64)
        self.lived = self.known
        self.innate = np.zeros((*shape, (code.loci + 63) // 64), np.uint64)
        self.learned = np.zeros(shape, np.int64)
        self.information = np.zeros((*shape, 3))
        self.now: Terms | None = None
        self.worst = 0.0
        self.selection = np.zeros((replicates, len(QUANTITIES)))
        self.transmission = np.zeros((replicates, len(QUANTITIES)))
        # The previous generation: nobody before the founders.
        self.shown = np.zeros_like(self.known)
        self.past = np.zeros_like(self.information)
        self.payoff = np.zeros(shape)
        self.before = np.zeros(replicates, np.int64)
        self.parent = np.zeros(shape, np.int32)
        self.mate = np.zeros((replicates, agents if paired else 0), np.int32)
        self.gametes = np.zeros(shape, np.int32)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that the next generation depends on, by names of a checkpoint."""
        return {f"knowledge.{name}": value.copy() for name, value in self._kept().items()} | {
            "knowledge.worst": np.array(self.worst)
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of the same shapes."""
        for name in self._kept():
            setattr(self, name, state[f"knowledge.{name}"].copy())
        self.worst = float(state["knowledge.worst"])

    def shapes(self) -> dict[str, NDArray[Any]]:
        """Return what a state must fit to, by its name."""
        return {f"knowledge.{name}": value for name, value in self._kept().items()}

    def _kept(self) -> dict[str, NDArray[Any]]:
        names = (
            "shown", "past", "payoff", "before", "parent", "mate", "gametes", "selection",
            "transmission",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def transmit(
        self,
        genes: NDArray[np.float32],
        count: NDArray[np.int64],
        keys: NDArray[np.uint64],
        generation: int,
        threads: int,
    ) -> None:
        """Let the newborns receive what the previous generation shows them."""
        channel = self.code.channel
        if channel is None or not channel.is_open:
            self.known[:] = 0
            return
        replicates, agents = self.learned.shape
        run_blocks(
            kernels.transmit, replicates * -(-agents // kernels.BLOCK), threads, self.code.counted,
            channel.choice, channel.path, channel.models, channel.candidates, channel.copying,
            channel.fidelity, channel.capacity, channel.loci, keys, generation, count, genes,
            self.before, self.payoff, self._weights(), self.parent, self.mate, self.shown,
            self.known,
        )  # fmt: skip

    def _weights(self) -> F64:
        """Return (R, N) cumulated weights of the models, or nothing where all weigh the same."""
        channel = self.code.channel
        if channel is None or channel.choice != kernels.PAYOFF:
            return np.zeros((self.before.size, 0))
        alive = np.arange(self.payoff.shape[1])[None, :] < self.before[:, None]
        pull = np.where(alive, channel.strength * self.payoff, -np.inf)
        most = pull.max(axis=1, initial=-np.inf, keepdims=True)
        weights: F64 = np.exp(pull - np.where(np.isfinite(most), most, 0.0))
        return np.cumsum(weights, axis=1)

    def live(
        self,
        population: Population,
        keys: NDArray[np.uint64],
        generation: int,
        threads: int,
    ) -> None:
        """Let the agents find items, and count what they know when they die.

        Raises
        ------
        EngineError
            If the room of an open pool is full.
        """
        code, count = self.code, population.count
        replicates, agents = self.learned.shape
        if code.loci:
            run_blocks(
                kernels.innate_items, replicates, threads, code.first, code.loci, count,
                population.bits, self.innate,
            )  # fmt: skip
        if code.is_open:
            full = np.zeros(replicates, np.uint8)
            run_blocks(
                kernels.find_new, replicates, threads, code.items, code.learning, keys, generation,
                count, self.known, self.learned, full,
            )  # fmt: skip
            if full.any():
                raise EngineError(
                    f"more than {code.items} items are known at once in generation {generation}, "
                    f"replicate {int(np.argmax(full))}",
                    key="knowledge.items",
                    allowed="a larger room, fewer generations, or a channel that loses more",
                )
        else:
            run_blocks(
                kernels.find_in_pool, replicates * -(-agents // kernels.BLOCK), threads,
                code.counted, code.learnable, code.learning, code.masked, keys, generation, count,
                self.innate, self.known, self.learned,
            )  # fmt: skip
        run_blocks(
            kernels.tally, replicates, threads, code.counted, code.masked, count, self.innate,
            self.known, self.learned, self.information,
        )  # fmt: skip
        alive = np.arange(agents)[None, :] < count[:, None]
        self.information[~alive] = 0.0
        self.lived = self.known

    def earn(self, lives: Lives, episodes: int) -> None:
        """Add to the lives' payoff what knowledge brings in each episode."""
        if self.code.payoff:
            lives.payoff += self.code.payoff * episodes * self.information.sum(axis=2)

    def charge(self, lives: Lives) -> None:
        """Take from the criterion what finding and receiving cost."""
        code = self.code
        if code.learning_cost:
            lives.criterion -= code.learning_cost * self.information[..., 2]
        if code.channel is not None and code.channel.cost:
            lives.criterion -= code.channel.cost * self.information[..., 1]

    def close(self, count: NDArray[np.int64], generation: int, threads: int) -> None:
        """Close the Price equation from the previous generation's deaths to this one's.

        Raises
        ------
        EngineError
            If the identity is off: a defect of the program.
        """
        if not self.before.any():
            return
        pedigree = Pedigree(self.gametes, self.parent, self.mate, np.zeros((0, 0), np.int32), count)
        parents, children = (_with_sum(values) for values in (self.past, self.information))
        self.now, residual = price_terms(self.before, pedigree, parents, children, threads)
        worst = float(residual.max(initial=0.0))
        if not worst <= BOUND:
            raise EngineError(
                f"Price identity of information off by {worst:.2g} of its largest term in "
                f"generation {generation}",
                allowed=f"{BOUND:g}",
            )
        self.worst = max(self.worst, worst)
        self.selection += self.now.selection
        self.transmission += self.now.transmission

    def keep(self, lives: Lives, pedigree: Pedigree) -> None:
        """Make the living generation the previous one."""
        agents = self.learned.shape[1]
        self.shown, self.known = self.known, self.shown
        # Places without an agent hold whatever was there: a resumed run would not know it.
        self.shown[np.arange(agents)[None, :] >= lives.count[:, None]] = 0
        self.past = self.information.copy()
        self.payoff = lives.payoff.copy()
        self.before = lives.count.copy()
        newborn = np.arange(agents)[None, :] < pedigree.born[:, None]
        self.parent = np.where(newborn, pedigree.parent, 0)
        self.mate = np.where(newborn, pedigree.mate, 0) if pedigree.mate.shape[1] else pedigree.mate
        self.gametes = pedigree.gametes.copy()

    def columns(self, count: NDArray[np.int64]) -> dict[str, F64]:
        """Return what the trajectory says of knowledge: means over agents, in bits."""
        n = np.maximum(count, 1)
        mean = np.where((count > 0)[:, None], self.information.sum(axis=1) / n[:, None], np.nan)
        genetic, received, learned = mean.T
        columns = {
            "information.genetic": genetic.copy(),
            "information.received": received.copy(),
            "information.learned": learned.copy(),
            "information.birth": genetic + received,
            "information.death": genetic + received + learned,
        }
        if not self.code.counted:
            columns["information.distinct"] = _distinct(self.known, count)
        return columns


def _with_sum(values: F64) -> F64:
    return np.concatenate([values, values.sum(axis=2, keepdims=True)], axis=2)


def _distinct(known: NDArray[np.uint64], count: NDArray[np.int64]) -> F64:
    """Return (R,) how many items at least one of the agents alive has acquired."""
    anyone = [np.bitwise_or.reduce(known[r, : count[r]], axis=0) for r in range(count.size)]
    return np.array([np.bitwise_count(words).sum() for words in anyone], np.float64)


__all__ = ["QUANTITIES", "SOURCES", "Culture"]
