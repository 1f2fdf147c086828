"""Knowledge and the channel it passes through, as numbers that kernels read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.kernels import culture as kernels
from evosim.layout import Layout
from evosim.scenario.check_culture import CHANNEL_GENES
from evosim.scenario.model import ScenarioModel

_CHOICES = {
    "random": kernels.RANDOM,
    "payoff": kernels.PAYOFF,
    "conformist": kernels.CONFORMIST,
    "best": kernels.BEST,
}


@dataclass(frozen=True)
class ChannelCode:
    """A channel as numbers; see `evosim.kernels.culture.transmit`."""

    choice: int
    path: int
    models: int
    candidates: int
    copying: float
    fidelity: float
    capacity: int
    strength: float
    cost: float
    loci: NDArray[np.int64]

    @property
    def is_open(self) -> bool:
        """Whether anything can pass."""
        return self.copying > 0.0 or bool(self.loci[kernels.COPYING_GENE] >= 0)


@dataclass(frozen=True)
class CultureCode:
    """Knowledge as numbers.

    Attributes
    ----------
    counted, is_open : bool
        Whether only numbers of items are kept; whether every find is a new item.
    items, words : int
        Of the pool or the room; 64-bit words of an agent's knowledge.
    learnable : int
        Items that can be found.
    learning, learning_cost, payoff : float
    masked : bool
        Whether innate items are those of the pool.
    first, loci : int
        First bit of the gene of innate items, and how many there are; 0 loci without one.
    channel : ChannelCode or None
    """

    counted: bool
    is_open: bool
    items: int
    words: int
    learnable: int
    learning: float
    learning_cost: float
    payoff: float
    masked: bool
    first: int
    loci: int
    channel: ChannelCode | None


def make_culture(model: ScenarioModel, layout: Layout) -> CultureCode | None:
    """Return a scenario's knowledge and channel as numbers, or None where it has none."""
    spec = model.knowledge
    if spec is None:
        return None
    slot = layout.slot(spec.gene) if spec.gene else None
    items = spec.items or 0
    counted = spec.pool == "counted"
    return CultureCode(
        counted=counted,
        is_open=spec.pool == "open",
        items=items,
        words=1 if counted else (items + 63) // 64,
        learnable=spec.learnable or items,
        learning=spec.learning,
        learning_cost=spec.learning_cost,
        payoff=spec.payoff,
        masked=spec.innate == "masked",
        first=slot.start if slot else 0,
        loci=slot.loci if slot else 0,
        channel=_channel(model, layout),
    )


def _channel(model: ScenarioModel, layout: Layout) -> ChannelCode | None:
    spec = model.channel
    if spec is None:
        return None
    return ChannelCode(
        choice=_CHOICES[spec.choice],
        path=kernels.VERTICAL if spec.path == "vertical" else kernels.OBLIQUE,
        models=spec.models,
        candidates=spec.candidates,
        copying=spec.copying,
        fidelity=spec.fidelity,
        capacity=spec.capacity,
        strength=spec.strength,
        cost=spec.cost,
        loci=np.array([layout.locus(name) for name in CHANNEL_GENES], np.int64),
    )
