"""Worlds without episodes, from text to numbers: payoff is a function of the genome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.kernels import landscape as land
from evosim.layout import Layout
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import LandscapeWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class LandscapeCode:
    """A landscape as numbers; see `evosim.kernels.landscape`."""

    shape: int
    bits: bool
    locus: int
    weights: F64
    optimum: F64
    width: F64
    height: float
    threshold: float
    noise: float
    peak_height: F64
    peak_value: I64
    essential: I64
    shoulder: F64
    elsewhere: float


def landscape_loci(world: LandscapeWorld) -> int:
    """Return how many loci a landscape's lists and peaks ask for (1 where it does not say)."""
    lists = [v for v in (world.weights, world.optimum, world.width) if isinstance(v, list)]
    return max([len(v) for v in lists] + [p.essential for p in world.peaks] + [1])


def landscape_code(model: ScenarioModel, layout: Layout) -> LandscapeCode | None:
    """Return the scenario's landscape as numbers; None where its world has episodes.

    Raises
    ------
    UserError
        For a gene that does not fit the landscape's lists and peaks.
    """
    world = model.world
    if not isinstance(world, LandscapeWorld):
        return None
    if world.shape == "flat":
        none = np.zeros(0)
        return LandscapeCode(
            shape=land.LINEAR, bits=False, locus=0, weights=none, optimum=none, width=none,
            height=world.height, threshold=0.0, noise=0.0, peak_height=none,
            peak_value=np.zeros(0, np.int64), essential=np.zeros(0, np.int64), shoulder=none,
            elsewhere=0.0,
        )  # fmt: skip
    slot = layout.slot(world.gene)
    if slot is None:
        raise UserError(f"the landscape reads a gene '{world.gene}'", key="world.gene")

    def per_locus(value: float | list[float], key: str) -> F64:
        if isinstance(value, list) and len(value) != slot.loci:
            raise UserError(
                f"{len(value)} values for {slot.loci} loci", key=f"world.{key}",
                allowed=f"one number, or {slot.loci}",
            )  # fmt: skip
        return np.ascontiguousarray(np.broadcast_to(np.asarray(value, np.float64), (slot.loci,)))

    for k, peak in enumerate(world.peaks):
        if peak.essential > slot.loci:
            raise UserError(
                f"{peak.essential} essential loci, but gene '{world.gene}' has {slot.loci}",
                key=f"world.peaks.{k}.essential",
                allowed=f"1 to {slot.loci}",
            )
    if slot.bits and world.shape not in ("linear", "peaks"):
        raise UserError(
            f"a {world.shape} landscape needs a real gene", key="world.shape",
            allowed="linear or peaks for bits",
        )  # fmt: skip
    elsewhere = world.elsewhere
    return LandscapeCode(
        shape={"linear": land.LINEAR, "quadratic": land.QUADRATIC}.get(world.shape, land.THRESHOLD),
        bits=slot.bits,
        locus=slot.start,
        weights=per_locus(world.weights, "weights"),
        optimum=per_locus(world.optimum, "optimum"),
        width=per_locus(world.width, "width"),
        height=world.height,
        threshold=world.threshold,
        noise=world.noise,
        peak_height=np.array([p.height for p in world.peaks], np.float64),
        peak_value=np.array([p.value for p in world.peaks], np.int64),
        essential=np.array([p.essential for p in world.peaks], np.int64),
        shoulder=np.array(
            [elsewhere if p.shoulder is None else p.shoulder for p in world.peaks], np.float64
        ),
        elsewhere=elsewhere,
    )
