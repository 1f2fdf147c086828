"""Knowledge and the channel it passes through, as numbers that kernels read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.kernels import choice as kernels
from evosim.kernels.culture import VOLUME
from evosim.layout import Layout
from evosim.scenario.check_culture import CHANNEL_GENES
from evosim.scenario.model import ScenarioModel

_CHOICES = {
    "random": kernels.RANDOM,
    "payoff": kernels.PAYOFF,
    "conformist": kernels.CONFORMIST,
    "best": kernels.BEST,
    "prestige": kernels.PRESTIGE,
}
#: Choices that read no payoff, so that newborns can choose each other by them.
_BLIND = (kernels.RANDOM, kernels.CONFORMIST, kernels.PRESTIGE)


@dataclass(frozen=True)
class ChannelCode:
    """A channel as numbers; see `evosim.kernels.culture.transmit`.

    Attributes
    ----------
    best : bool
        Whether all have the best model of the whole generation: then `choice` is PAYOFF.
    capacity : int
        Also at most what there is time for.
    most : float
        Volume that there is time for, in units of `VOLUME`.
    peers, peer_choice : int
        Of the second turn.
    teaching, teaching_cost, critical, time, rise, compression, loss, spread, noise, limit : float
        As in the scenario; `limit` is the capacity of a skill.
    """

    choice: int
    best: bool
    path: int
    models: int
    candidates: int
    copying: float
    fidelity: float
    capacity: int
    strength: float
    cost: float
    most: float
    limit: float
    peers: int
    peer_choice: int
    teaching: float
    teaching_cost: float
    critical: float
    time: float
    rise: float
    compression: float
    loss: float
    spread: float
    noise: float
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
    counted, is_open, skill : bool
        Whether only numbers of items are kept; whether every find is a new item; whether what
        is known is one number.
    items, words : int
        Of the pool or the room; 64-bit words of an agent's knowledge.
    row : int
        Learned values that are passed on together; 0 for other knowledge.
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
    skill: bool
    items: int
    words: int
    row: int
    learnable: int
    learning: float
    learning_cost: float
    payoff: float
    masked: bool
    first: int
    loci: int
    channel: ChannelCode | None


def make_culture(
    model: ScenarioModel, layout: Layout, values: tuple[int, int] = (0, 1)
) -> CultureCode | None:
    """Return a scenario's knowledge and channel as numbers, or None where it has none.

    Parameters
    ----------
    model : ScenarioModel
    layout : Layout
    values : (int, int)
        Values of a model-free mind, and how many of them are a row.
    """
    spec = model.knowledge
    if spec is None:
        return None
    slot = layout.slot(spec.gene) if spec.gene else None
    items = spec.items or 0
    counted, skill = spec.pool == "counted", spec.pool == "skill"
    words = (1 + (counted and _takes_time(model))) if counted or skill else (items + 63) // 64
    return CultureCode(
        counted=counted,
        is_open=spec.pool == "open",
        skill=skill,
        items=items,
        words=values[0] if spec.pool == "values" else words,
        row=values[1] if spec.pool == "values" else 0,
        learnable=spec.learnable or items,
        learning=spec.learning,
        learning_cost=spec.learning_cost,
        payoff=spec.payoff,
        masked=spec.innate == "masked",
        first=slot.start if slot else 0,
        loci=slot.loci if slot else 0,
        channel=_channel(model, layout),
    )


def _takes_time(model: ScenarioModel) -> bool:
    """Return whether receiving takes time at any point of the run."""
    changes = [key for change in model.intervention for key in change.set]
    return model.channel is not None and (model.channel.time > 0.0 or "channel.time" in changes)


def _channel(model: ScenarioModel, layout: Layout) -> ChannelCode | None:
    spec = model.channel
    if spec is None:
        return None
    choice = _CHOICES[spec.choice]
    best = choice == kernels.BEST and spec.candidates == 0
    most = _time_for(spec.time, spec.rise)
    return ChannelCode(
        choice=kernels.PAYOFF if best else choice,
        best=best,
        path=kernels.VERTICAL if spec.path == "vertical" else kernels.OBLIQUE,
        models=spec.models,
        candidates=spec.candidates,
        copying=spec.copying,
        fidelity=spec.fidelity,
        # Compressed items take less room than their number.
        capacity=spec.capacity if spec.compression < 1.0 else _whole(min(spec.capacity, most)),
        strength=spec.strength,
        cost=spec.cost,
        most=most * VOLUME,
        limit=min(float(spec.capacity), most),
        peers=spec.peers,
        peer_choice=choice if choice in _BLIND else kernels.RANDOM,
        teaching=spec.teaching,
        teaching_cost=spec.teaching_cost,
        critical=spec.critical,
        time=spec.time,
        rise=spec.rise,
        compression=spec.compression,
        loss=spec.loss,
        spread=spec.spread,
        noise=spec.noise,
        loci=np.array([layout.locus(name) for name in CHANNEL_GENES], np.int64),
    )


def _time_for(time: float, rise: float) -> float:
    """Return how many items a life has time to acquire: time * z^rise <= 1."""
    if time == 0.0:
        return np.inf
    if rise == 0.0:
        return np.inf if time <= 1.0 else 0.0
    return float((1.0 / time) ** (1.0 / rise))


def _whole(items: float) -> int:
    """Round down, but not what rounding errors keep below a whole number."""
    return int(items * (1.0 + 1e-12))
