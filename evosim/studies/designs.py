"""The points of a study's design.

Random points are drawn one by one from streams of their own, and a scrambled Sobol sequence goes
on where it ended, so that both can be extended (and Saltelli's pairs of Sobol points too). A Latin
hypercube divides every axis by the number of its points: another number is another hypercube
(McKay, Beckman & Conover 1979).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

from evosim.studies.model import (
    Choice,
    GridDesign,
    LatinHypercubeDesign,
    ListDesign,
    RandomDesign,
    Range,
    SaltelliDesign,
    SobolDesign,
    StudyModel,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Point = dict[str, Any]
Sampled = RandomDesign | LatinHypercubeDesign | SobolDesign | SaltelliDesign


def parameters_of(model: StudyModel) -> list[str]:
    """Return the names of the design's parameters, in the order of the columns."""
    design = model.design
    if isinstance(design, ListDesign):
        return sorted({name for point in design.points for name in point})
    return list(design.parameters)


def points_of(model: StudyModel) -> list[Point]:
    """Return the points of a design, each a value per parameter.

    Parameters
    ----------
    model : StudyModel
        Of one design and seed the same points come out in every process.

    Returns
    -------
    list of dict
        Parameter -> value.
    """
    design = model.design
    if isinstance(design, GridDesign):
        names = list(design.parameters)
        combined = product(*design.parameters.values())
        return [dict(zip(names, values, strict=True)) for values in combined]
    if isinstance(design, ListDesign):
        return [dict(sorted(point.items())) for point in design.points]
    unit = _SAMPLERS[design.kind](design)
    columns = [
        [_value(choice, float(u)) for u in unit[:, j]]
        for j, choice in enumerate(design.parameters.values())
    ]
    names = list(design.parameters)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _random(design: Sampled) -> NDArray[np.float64]:
    import numpy as np

    def stream(point: int) -> np.random.Generator:
        sequence = np.random.SeedSequence(design.seed, spawn_key=(point,))
        return np.random.Generator(np.random.Philox(sequence))

    size = len(design.parameters)
    return np.array([stream(point).random(size) for point in range(design.points)])


def _latin_hypercube(design: Sampled) -> NDArray[np.float64]:
    import numpy as np
    from scipy.stats import qmc

    sampler = qmc.LatinHypercube(len(design.parameters), rng=np.random.default_rng(design.seed))
    return np.asarray(sampler.random(design.points))


def _sobol(design: Sampled) -> NDArray[np.float64]:
    import numpy as np
    from scipy.stats import qmc

    sampler = qmc.Sobol(len(design.parameters), rng=np.random.default_rng(design.seed))
    return np.asarray(sampler.random_base2(design.points.bit_length() - 1))


def _saltelli(design: Sampled) -> NDArray[np.float64]:
    """Return, for each pair of points A and B: A, A with one column of B in turn, B.

    Saltelli et al., Comput. Phys. Commun. 181:259 (2010), radial sampling.
    """
    import numpy as np
    from scipy.stats import qmc

    size = len(design.parameters)
    sampler = qmc.Sobol(2 * size, rng=np.random.default_rng(design.seed))
    pairs = np.asarray(sampler.random_base2(design.points.bit_length() - 1))
    one, two = pairs[:, :size], pairs[:, size:]
    block = np.repeat(one[:, None, :], size + 2, axis=1)
    for j in range(size):
        block[:, j + 1, j] = two[:, j]
    block[:, -1] = two
    return block.reshape(-1, size)


_SAMPLERS: dict[str, Callable[[Sampled], NDArray[np.float64]]] = {
    "random": _random,
    "latin-hypercube": _latin_hypercube,
    "sobol": _sobol,
    "saltelli": _saltelli,
}


def _value(choice: Choice, u: float) -> Any:
    """Return the value of a parameter at the quantile `u` in [0, 1)."""
    if not isinstance(choice, Range):
        return choice[int(u * len(choice))]
    # Every whole number owns the interval up to the next one.
    low, high = choice.low, choice.high + choice.whole
    if choice.scale == "log":
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    else:
        value = low + u * (high - low)
    value = max(low, min(value, high))  # rounding never leaves the range
    return min(math.floor(value), int(choice.high)) if choice.whole else value
