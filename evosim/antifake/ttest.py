"""t tests of zero means over replicates, Bonferroni over all that is tested (Student 1908)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Standard errors that a normal deviate would have to exceed; both sides give 6.3e-5.
Z = 4.0
#: Differences below this share of the largest value are rounding.
ROUNDING = 1e-9


def t_of(values: F64, scale: float = 1.0) -> float:
    """Return |t| of the mean of values against zero.

    Parameters
    ----------
    values : (R,) float64
        One per replicate, R >= 2.
    scale : float
        Size of what the values were computed from; what rounds away beside it counts as 0.

    Returns
    -------
    float
        0 if all values are 0, infinite if all are one other number.
    """
    values = np.where(np.abs(values) <= ROUNDING * abs(scale), 0.0, values)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if mean == 0.0:
        return 0.0
    return abs(mean) / (sd / math.sqrt(values.size)) if sd > 0.0 else math.inf


def bound_of(replicates: int, tests: int) -> float:
    """Return the |t| that none of so many tests may reach.

    Chosen so that all tests together fail by chance as often as one normal deviate exceeds `Z`.

    Parameters
    ----------
    replicates, tests : int
    """
    from scipy import special

    tail = float(special.ndtr(-Z)) / tests
    return -float(special.stdtrit(replicates - 1, tail))


def worst_t(values: Mapping[str, F64], scale: float = 1.0) -> tuple[str, float, float]:
    """Return the name with the largest |t|, that |t|, and the bound.

    Parameters
    ----------
    values : mapping of str -> (R,) float64
    scale : float
        As in `t_of`.
    """
    found = {name: t_of(x, scale) for name, x in values.items()}
    name = max(found, key=lambda name: found[name])
    return name, found[name], bound_of(next(iter(values.values())).size, len(values))
