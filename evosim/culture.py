"""What the agents of a generation know: received, found, innate; and who it came from.

Information is counted in bits from content: an item is known or not, two states, so that each
known item is log2(2) = 1 bit. A skill is no information: it is reported in its own units. The
Price equation of all information (or skill) at death is closed once the newborns have lived; its
transmission term is the sum of the genetic, the received (cultural) and the learned ones, each
summed over pairs of parent and child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.errors import EngineError
from evosim.kernels import choice, finding
from evosim.kernels import culture as kernels
from evosim.kernels.crew import run_blocks
from evosim.kernels.near import ANYWHERE, Near
from evosim.knowledge import ChannelCode, CultureCode
from evosim.ledger import BOUND, Pedigree, Terms, price_terms
from evosim.population import Population
from evosim.structure import StructureCode
from evosim.turns import Turn, weights_of

if TYPE_CHECKING:
    from evosim.lives import Lives
    from evosim.resolve import Resolved

F64 = NDArray[np.float64]

#: Where information comes from, in the order of the columns of `Culture.information`.
SOURCES = ("genetic", "received", "learned")
#: What the ledger follows, as its table names it; of a skill nothing is innate.
QUANTITIES = tuple(f"information.{name}" for name in (*SOURCES, "all"))
SKILLS = tuple(f"skill.{name}" for name in (*SOURCES[1:], "all"))


class Culture:
    """The knowledge of one arm's living generation, and what the previous one knew.

    Parameters
    ----------
    code : CultureCode
    replicates, agents : int
    paired : bool
        Whether agents have two parents.
    structure : StructureCode, optional
        Who is near whom.

    Attributes
    ----------
    known : (R, N, W) uint64
        Items received and found by the living generation.
    first : (R, N, W) uint64
        Those received in the first turn, before newborns copied each other.
    lived : (R, N, W) uint64
        Those of the generation that lived last, at death.
    information : (R, N, 3) float64
        Bits (units of skill) by source, at death (of a survivor: at the generation's end).
    stayed : (R, N) bool
        Where generations overlap, who is no newborn but survived the one before, in its place;
        length 0 on the last axis elsewhere.
    share : (R, N) float64
        Of a life that is left for finding; length 0 on the last axis where all of it is.
    now : Terms or None
        Price terms from the previous generation's deaths to the present one's.
    selection, transmission : (R, 4) float64
        Sums of the terms since generation 0.
    """

    def __init__(
        self,
        code: CultureCode,
        replicates: int,
        agents: int,
        paired: bool,
        structure: StructureCode | None = None,
    ) -> None:
        self.code, self.structure = code, structure
        shape = (replicates, agents)
        self.known = np.zeros((*shape, code.words), np.uint64)
        self.first = self.lived = self.known
        self.innate = np.zeros((*shape, (code.loci + 63) // 64), np.uint64)
        self.learned = np.zeros(shape, np.int64)
        self.information = np.zeros((*shape, 3))
        self.share = np.zeros((replicates, 0))
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
        # What the models put into teaching, where a gene says so.
        teachers = code.channel is not None and code.channel.loci[choice.TEACHING_GENE] >= 0
        self.effort = np.zeros((replicates, agents if teachers else 0))
        # Who survived that generation, and who of those had copied somebody at birth.
        self.stayed = np.zeros((replicates, 0), np.bool_)
        self.copied = np.zeros((replicates, 0), np.uint8)

    def change(self, resolved: Resolved) -> None:
        """Go on with other parameters."""
        if resolved.culture is not None:
            self.code, self.structure = resolved.culture, resolved.structure

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that the next generation depends on, by names of a checkpoint."""
        return {f"knowledge.{name}": value.copy() for name, value in self._kept().items()} | {
            "knowledge.worst": np.array(self.worst)
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of the same shapes."""
        for name in (*self._kept(), "stayed", "copied"):
            if f"knowledge.{name}" in state:
                setattr(self, name, state[f"knowledge.{name}"].copy())
        self.worst = float(state["knowledge.worst"])

    def shapes(self) -> dict[str, NDArray[Any]]:
        """Return what a state must fit to, by its name."""
        return {f"knowledge.{name}": value for name, value in self._kept().items()}

    def _kept(self) -> dict[str, NDArray[Any]]:
        names = (
            "shown", "past", "payoff", "before", "parent", "mate", "gametes", "selection",
            "transmission", *(("effort",) if self.effort.size else ()),
            *(("stayed",) if self.stayed.size else ()),
            *(("copied",) if self.stayed.size and self.copied.size else ()),
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
        """Let the newborns receive what the previous generation shows them; survivors go on."""
        channel = self.code.channel
        self.share = np.zeros((self.before.size, 0))
        self.first = self.known
        if channel is None or not channel.is_open:
            self.known[:] = 0
            self._go_on()
            self._remember(np.zeros_like(self.copied))
            return
        looks = _looks(channel)
        copied = np.zeros(
            self.learned.shape if looks or self.stayed.size else (self.before.size, 0), np.uint8
        )
        drawn = (genes, count, keys, generation, threads)
        self._receive(channel, self.turn(channel, False, count), *drawn, self.shown, copied)
        self._go_on()
        if channel.peers and not self.code.skill:
            # Newborns copy what other newborns received in the first turn.
            self.first = self.known.copy()
            nobody = np.zeros((self.before.size, 0), np.uint8)
            self._receive(channel, self.turn(channel, True, count), *drawn, self.first, nobody)
            self._go_on()
        self._remember(copied)
        if channel.time or looks:
            self.share = self._time_left(channel, genes, copied)

    def _go_on(self) -> None:
        """Let the survivors know what they knew."""
        if self.stayed.size:
            np.copyto(self.known, self.shown, where=self.stayed[..., None])

    def _remember(self, copied: NDArray[np.uint8]) -> None:
        """Add to who copied now the survivors who did at birth."""
        if self.stayed.size and self.copied.size:
            np.copyto(copied, self.copied, where=self.stayed)
        self.copied = copied

    def earlier(self) -> F64:
        """Return (R, N, 3) information that survivors had when the generation began, by source."""
        if not self.stayed.size:
            return np.zeros((1, 1, 3))
        return np.where(self.stayed[..., None], self.past, 0.0)

    def turn(self, channel: ChannelCode, peers: bool, count: NDArray[np.int64]) -> Turn:
        """Return one of the two turns: from the previous generation, or from other newborns."""
        if not peers:
            return Turn(
                0, channel.choice, channel.path, channel.models, channel.candidates, channel.loci,
                self.before, self._weights(), self._efforts(),
            )  # fmt: skip
        loci = channel.loci.copy()
        loci[choice.MODELS_GENE] = -1
        nothing = np.zeros((self.before.size, 0))
        return Turn(
            1, channel.peer_choice, choice.OBLIQUE, channel.peers, 1, loci, count, nothing, nothing
        )

    def _receive(
        self,
        channel: ChannelCode,
        turn: Turn,
        genes: NDArray[np.float32],
        count: NDArray[np.int64],
        keys: NDArray[np.uint64],
        generation: int,
        threads: int,
        shown: NDArray[np.uint64],
        copied: NDArray[np.uint8],
    ) -> None:
        blocks = self.before.size * -(-self.learned.shape[1] // kernels.BLOCK)
        chosen = (turn.choice, turn.path, turn.models, turn.candidates)
        models = (*self._models(turn, genes, count, keys, generation), turn.effort)
        if self.code.skill:
            run_blocks(
                kernels.imitate, blocks, threads, *chosen, channel.copying, channel.fidelity,
                channel.limit, channel.strength, channel.loss, channel.spread, *self.near(),
                *models, _skill(shown), _skill(self.known), copied,
            )  # fmt: skip
            return
        run_blocks(
            kernels.transmit, blocks, threads, self.code.counted, *chosen, channel.copying,
            channel.fidelity, channel.capacity, channel.strength, *self.near(), turn.number,
            channel.compression, channel.most, *models, shown, self.known, copied,
        )  # fmt: skip

    def _models(
        self,
        turn: Turn,
        genes: NDArray[np.float32],
        count: NDArray[np.int64],
        keys: NDArray[np.uint64],
        generation: int,
    ) -> tuple[Any, ...]:
        """Return what kernels read to choose models, in their order."""
        return (
            turn.loci, keys, generation, count, genes, turn.before, self.payoff, turn.weights,
            self.parent, self.mate,
        )  # fmt: skip

    def near(self) -> tuple[Near, float]:
        """Return among whom models are, and the chance that one stands elsewhere."""
        structure = self.structure
        return (ANYWHERE, 0.0) if structure is None else (structure.models, structure.contact)

    def _weights(self) -> F64:
        """Return the cumulated weights of the models, or nothing where all weigh the same."""
        return weights_of(self.code.channel, self.near()[0], self.payoff, self.before)

    def _efforts(self) -> F64:
        """Return (R, N) efforts of the models in teaching, or nothing where nobody teaches."""
        channel = self.code.channel
        if self.effort.size or channel is None or channel.teaching == 0.0:
            return self.effort
        return np.full(self.learned.shape, channel.teaching)

    def _time_left(
        self, channel: ChannelCode, genes: NDArray[np.float32], copied: NDArray[np.uint8]
    ) -> F64:
        """Return (R, N) shares of a life that are left for finding."""
        share = np.ones(self.learned.shape)
        if channel.time:
            volume = self._volume()
            if self.stayed.size:
                volume = np.where(self.stayed, 0.0, volume)
            share -= np.minimum(channel.time * volume**channel.rise, 1.0) * (volume > 0.0)
        if copied.size:
            still = _gene(genes, channel.loci[choice.CRITICAL_GENE], channel.critical)
            share *= np.where(copied, still, 1.0)
        return share

    def _volume(self) -> F64:
        """Return (R, N) how much newborns received, as it takes their time."""
        if self.code.skill:
            return np.maximum(_skill(self.known), 0.0)
        if not self.code.counted:
            items: F64 = np.bitwise_count(self.known).sum(axis=2, dtype=np.float64)
            return items
        return np.asarray(self.known[..., 1] / float(kernels.VOLUME))

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
        alive = np.arange(agents)[None, :] < count[:, None]
        if code.skill:
            self._improve(alive)
            return
        if code.loci:
            run_blocks(
                finding.innate_items, replicates, threads, code.first, code.loci, count,
                population.bits, self.innate,
            )  # fmt: skip
        if code.is_open:
            full = np.zeros(replicates, np.uint8)
            run_blocks(
                finding.find_new, replicates, threads, code.items, code.learning, keys, generation,
                count, self.share, self.known, self.learned, full,
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
                finding.find_in_pool, replicates * -(-agents // kernels.BLOCK), threads,
                code.counted, code.learnable, code.learning, code.masked, keys, generation, count,
                self.share, self.innate, self.known, self.learned,
            )  # fmt: skip
        self.learned += self.earlier()[..., 2].astype(np.int64)
        run_blocks(
            finding.tally, replicates, threads, code.counted, code.masked, count, self.innate,
            self.known, self.learned, self.information,
        )  # fmt: skip
        self.information[~alive] = 0.0
        self.lived = self.known

    def _improve(self, alive: NDArray[np.bool_]) -> None:
        """Add to each skill what a life adds to it."""
        skill = _skill(self.known)
        gain = self.code.learning * (self.share if self.share.size else np.ones(alive.shape))
        earlier = self.earlier()
        self.information[..., 1] = np.where(alive, skill - earlier[..., 2], 0.0)
        self.information[..., 2] = np.where(alive, gain + earlier[..., 2], 0.0)
        skill += gain
        self.lived = self.known

    def earn(self, lives: Lives, episodes: int) -> None:
        """Add to the lives' payoff what knowledge brings in each episode."""
        if self.code.payoff:
            lives.payoff += self.code.payoff * episodes * self.information.sum(axis=2)

    def charge(self, lives: Lives) -> None:
        """Take from the criterion what finding and receiving cost."""
        code = self.code
        if code.learning_cost:
            lives.criterion -= code.learning_cost * self._new(2)
        channel = code.channel
        if channel is not None and channel.cost:
            lives.criterion -= channel.cost * self._new(1)
        if channel is not None and channel.teaching_cost:
            effort = _gene(lives.genes, channel.loci[choice.TEACHING_GENE], channel.teaching)
            known = self.information[..., 1:].sum(axis=2)
            lives.criterion -= channel.teaching_cost * effort * known

    def _new(self, source: int) -> F64:
        """Return (R, N) information of a source that came in this generation."""
        new: F64 = self.information[..., source] - self.earlier()[..., source]
        return new

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
        if self.effort.size:
            assert self.code.channel is not None
            locus = self.code.channel.loci[choice.TEACHING_GENE]
            self.effort = np.asarray(_gene(lives.genes, locus, 0.0))
        self.before = lives.count.copy()
        newborn = np.arange(agents)[None, :] < pedigree.born[:, None]
        self.parent = np.where(newborn, pedigree.parent, 0)
        self.mate = np.where(newborn, pedigree.mate, 0) if pedigree.mate.shape[1] else pedigree.mate
        self.gametes = pedigree.gametes.copy()
        self.stayed = newborn & (pedigree.births == 0) if pedigree.births.shape[1] else self.stayed

    def columns(self, count: NDArray[np.int64]) -> dict[str, F64]:
        """Return what the trajectory says of knowledge: means over agents, in bits."""
        n = np.maximum(count, 1)
        mean = np.where((count > 0)[:, None], self.information.sum(axis=1) / n[:, None], np.nan)
        genetic, received, learned = mean.T
        if self.code.skill:
            alive = np.arange(self.learned.shape[1])[None, :] < count[:, None]
            best = np.where(alive, self.information.sum(axis=2), -np.inf).max(axis=1)
            return {
                "skill.received": received.copy(),
                "skill.learned": learned.copy(),
                "skill.death": received + learned,
                "skill.best": np.where(count > 0, best, np.nan),
            }
        columns = {
            "information.genetic": genetic.copy(),
            "information.received": received.copy(),
            "information.learned": learned.copy(),
            "information.birth": genetic + received,
            "information.death": genetic + received + learned,
        }
        if not (self.code.counted or self.code.row):
            columns["information.distinct"] = _distinct(self.known, count)
        return columns

    def terms(self) -> dict[str, F64 | list[str]]:
        """Return the columns of the ledger's rows: Price terms of the last pair of generations."""
        assert self.now is not None
        pick = slice(1, None) if self.code.skill else slice(None)
        columns = {
            "before": self.now.before, "selection": self.now.selection,
            "transmission": self.now.transmission, "learning": np.zeros_like(self.now.before),
            "after": self.now.after, "cumulative_selection": self.selection,
            "cumulative_transmission": self.transmission,
        }  # fmt: skip
        # Copies: the sums go on growing.
        picked: dict[str, F64 | list[str]] = {k: v[:, pick].copy() for k, v in columns.items()}
        return {"quantity": list(SKILLS if self.code.skill else QUANTITIES), **picked}


def _looks(channel: ChannelCode) -> bool:
    """Return whether it matters who copied."""
    return channel.critical < 1.0 or bool(channel.loci[choice.CRITICAL_GENE] >= 0)


def _gene(genes: NDArray[np.float32], locus: int, value: float) -> F64 | float:
    """Return a number of the channel, or (R, N) values of the gene that stands in for it."""
    return value if locus < 0 else np.clip(genes[..., locus].astype(np.float64), 0.0, 1.0)


def _skill(known: NDArray[np.uint64]) -> F64:
    """Return (R, N) skills: the words of knowledge as numbers."""
    return known.view(np.float64)[..., 0]


def _with_sum(values: F64) -> F64:
    return np.concatenate([values, values.sum(axis=2, keepdims=True)], axis=2)


def _distinct(known: NDArray[np.uint64], count: NDArray[np.int64]) -> F64:
    """Return (R,) how many items at least one of the agents alive has acquired."""
    anyone = [np.bitwise_or.reduce(known[r, : count[r]], axis=0) for r in range(count.size)]
    return np.array([np.bitwise_count(words).sum() for words in anyone], np.float64)


__all__ = ["QUANTITIES", "SKILLS", "SOURCES", "Culture"]
