"""Measure transmission: newborns that receive 1,024 items as bits from three models.

Beside it stand what nobody can avoid: reading three rows at random and writing one, and drawing
the random words of the masks. A mask decides only items that a model shows and the newborn still
lacks, 64 at a time, a word for each binary digit of the fidelity until the last item is decided.
One thread, by its own time; what is timed is the stage of the engine, on knowledge of which each
item is known to half of the models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import thread_time

import numba
import numpy as np
from numpy.typing import NDArray

from evosim.bench.timing import Rates, ratios
from evosim.culture import Culture
from evosim.engine import Engine
from evosim.kernels.arrivals import draw_words
from evosim.kernels.philox import FIDELITY as PURPOSE
from evosim.kernels.philox import replicate_keys
from evosim.resolve import resolve
from evosim.scenario import Scenario

ITEMS, MODELS, FIDELITY = 1_024, 3, 0.9
#: Share of the items that a model knows.
KNOWN = 0.5
#: Agents at which transmission is held against the estimates, and others for its growth.
AGENTS = 100_000
GROWTH = (10_000, AGENTS, 1_000_000)


@dataclass(frozen=True)
class Channel:
    """What was measured, in seconds per newborn of each round.

    Attributes
    ----------
    own : dict
        Agents -> transmission.
    memory : list of float
        Three rows read and one written, at `AGENTS`.
    random : list of float
        The words of the masks drawn, at `AGENTS`.
    """

    own: Mapping[int, Rates]
    memory: Rates
    random: Rates

    def excess(self) -> float:
        """Return transmission's time over the larger estimate's, median over rounds."""
        return ratios(self.own[AGENTS], max(self.memory, self.random, key=median))


def measure_channel(
    quick: bool = False, say: Callable[[str], object] = lambda text: None
) -> Channel:
    """Time transmission and both estimates in turn.

    Parameters
    ----------
    quick : bool
        Fewer rounds, and no million agents.
    say : callable
        Told in a few words what is being measured.
    """
    say("transmission of knowledge")
    sizes, rounds = (GROWTH[:2], 3) if quick else (GROWTH, 7)
    stages = {agents: Stage(agents) for agents in sizes}
    own: dict[int, Rates] = {agents: [] for agents in sizes}
    memory: Rates = []
    random: Rates = []
    for turn in range(-1, rounds):  # the first round compiles and warms up
        for agents, stage in stages.items():
            own[agents].append(stage.seconds(turn + 1) / agents)
        memory.append(stages[AGENTS].gathering() / AGENTS)
        random.append(drawing(AGENTS) / AGENTS)
    return Channel({n: times[1:] for n, times in own.items()}, memory[1:], random[1:])


class Stage:
    """A population about to receive.

    Parameters
    ----------
    agents : int
    """

    def __init__(self, agents: int) -> None:
        self.engine = Engine(resolve(scenario(agents).model), replicate_keys(1, np.arange(1)))
        assert self.engine.culture is not None
        self.culture: Culture = self.engine.culture
        rng = np.random.default_rng(1)
        # Bits that are set with probability 1/2: any word will do.
        self.culture.shown = rng.integers(0, 2**64, self.culture.known.shape, np.uint64)
        self.culture.before[:] = agents
        self.genes = self.engine.birth()
        self.who = rng.integers(0, agents, (agents, MODELS))

    def seconds(self, generation: int) -> float:
        """Return the time of one transmission."""
        count, keys = self.engine.population.count, self.engine.keys
        began = thread_time()
        self.culture.transmit(self.genes, count, keys, generation, 1)
        return thread_time() - began

    def gathering(self) -> float:
        """Return the time of reading models' rows and writing each newborn's."""
        began = thread_time()
        _gather(self.who, self.culture.shown[0], self.culture.known[0])
        return thread_time() - began


def scenario(agents: int) -> Scenario:
    """Write the workload as a scenario.

    Parameters
    ----------
    agents : int
    """
    return Scenario.from_dict(
        {
            "title": "transmission",
            "population": {"agents": agents, "replicates": 1, "generations": 1},
            "world": {"kind": "landscape", "shape": "flat"},
            "knowledge": {"pool": "finite", "items": ITEMS},
            "channel": {"models": MODELS, "fidelity": FIDELITY},
            "genome": {"neutral": {"mutation": 0.1}},
            "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
        }
    )


def mask_words() -> float:
    """Return the 64-bit words that the masks of a newborn's models take on average."""
    total, lacked = 0.0, 1.0
    for _ in range(MODELS):
        shown = KNOWN * lacked
        digit = np.arange(200)
        # A word is drawn for a digit where one of its 64 items is undecided after those before.
        total += ITEMS / 64 * float((1.0 - (1.0 - shown * 0.5**digit) ** 64).sum())
        lacked *= 1.0 - KNOWN * FIDELITY
    return total


def drawing(agents: int) -> float:
    """Return the time of drawing the words of all newborns' masks, two from each draw."""
    bits = np.empty(2 * int(mask_words() / 2 + 0.5), np.uint64)
    began = thread_time()
    _draw(agents, bits)
    return thread_time() - began


@numba.njit(nogil=True, error_model="numpy")
def _draw(agents: int, bits: NDArray[np.uint64]) -> None:
    for i in range(agents):
        draw_words(np.uint64(1), 0, i, PURPOSE, 0, bits.size // 2, bits)


@numba.njit(nogil=True, error_model="numpy")
def _gather(who: NDArray[np.int64], shown: NDArray[np.uint64], known: NDArray[np.uint64]) -> None:
    for i in range(who.shape[0]):
        a, b, c = who[i, 0], who[i, 1], who[i, 2]
        for w in range(shown.shape[1]):
            known[i, w] = shown[a, w] | shown[b, w] | shown[c, w]


__all__ = ["Channel", "measure_channel"]
