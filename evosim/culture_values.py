"""Learned values as what a generation knows: tables of model-free minds, passed on in rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evosim.culture import Culture
from evosim.kernels import inherit
from evosim.kernels.crew import run_blocks
from evosim.population import Population

if TYPE_CHECKING:
    from evosim.knowledge import ChannelCode
    from evosim.resolve import Resolved
    from evosim.turns import Turn

F64 = NDArray[np.float64]


class ValueCulture(Culture):
    """The tables of one arm's living generation, and those that the previous one died with.

    Parameters
    ----------
    resolved : Resolved
        With knowledge that are learned values.
    replicates, agents : int
    paired : bool
        Whether agents have two parents.
    """

    def __init__(self, resolved: Resolved, replicates: int, agents: int, paired: bool) -> None:
        assert resolved.culture is not None
        super().__init__(resolved.culture, replicates, agents, paired, resolved.structure)
        self.resolved = resolved
        self.genes = np.zeros((replicates, agents, 0), np.float32)

    def change(self, resolved: Resolved) -> None:
        """Go on with other parameters."""
        super().change(resolved)
        self.resolved = resolved

    @property
    def table(self) -> F64:
        """(R, N, V) values that agents begin with, and at death end with."""
        return self.known.view(np.float64)

    def transmit(
        self,
        genes: NDArray[np.float32],
        count: NDArray[np.int64],
        keys: NDArray[np.uint64],
        generation: int,
        threads: int,
    ) -> None:
        """Give the newborns their genomes' values, and over them what they receive."""
        self.genes = genes
        self.information[:] = 0.0
        self.information[..., 0] = self._decided(True, count, threads)
        channel = self.code.channel
        if channel is not None and channel.is_open:
            turn, nobody = self.turn(channel, False, count), np.zeros((count.size, 0), np.uint8)
            drawn = (genes, count, keys, generation, threads)
            self._receive(channel, turn, *drawn, self.shown, nobody)
        elif not self.stayed.size:
            return
        self._go_on()
        self.information[..., 1] = self._decided(False, count, threads) - self.information[..., 0]
        if self.stayed.size:
            np.copyto(self.information[..., 1], self.past[..., 1], where=self.stayed)

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
        """Write the rows that are received over the newborns' own."""
        replicates, agents = self.learned.shape
        run_blocks(
            inherit.inherit, replicates * -(-agents // inherit.BLOCK), threads, turn.choice,
            turn.path, turn.models, turn.candidates, channel.copying, channel.fidelity,
            channel.noise, channel.strength, *self.near(),
            *self._models(turn, genes, count, keys, generation), self.code.row,
            shown.view(np.float64), self.table,
        )  # fmt: skip

    def live(
        self,
        population: Population,
        keys: NDArray[np.uint64],
        generation: int,
        threads: int,
    ) -> None:
        """Count what the lives that were just lived decided beyond what their agents began with."""
        died = self._decided(False, population.count, threads)
        self.information[..., 2] = died - self.information.sum(axis=2)
        self.lived = self.known

    def _decided(self, born: bool, count: NDArray[np.int64], threads: int) -> F64:
        """Return (R, N) bits that tables decide; with `born` those that genomes give."""
        resolved = self.resolved
        learning, bits = resolved.learning, np.zeros(self.learned.shape)
        assert learning is not None
        run_blocks(
            inherit.decided, bits.size, threads, born, learning.tag, learning.tables,
            resolved.tables, learning.size, count, self.genes, self.table, bits,
        )  # fmt: skip
        return bits


__all__ = ["ValueCulture"]
