"""Argument checks shared by the oracles: each returns the cleaned value or raises ValueError."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ROUNDING = 1e-9


def integer(name: str, value: Any, minimum: int) -> int:
    """Return `value` as an int that is at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be an integer, not {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {value}")
    return int(value)


def number(
    name: str,
    value: Any,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """Return `value` as a finite float in [low, high]; `above`/`below` open that end."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, not {value!r}") from None
    too_low = result <= low if above else result < low
    too_high = result >= high if below else result > high
    if not np.isfinite(result) or too_low or too_high:
        left, right = "(" if above else "[", ")" if below else "]"
        raise ValueError(f"{name} must lie in {left}{low:g}, {high:g}{right}, not {value!r}")
    return result


def probability(name: str, value: Any, *, interior: bool = False) -> float:
    """Return `value` as a float in [0, 1], or in (0, 1) when `interior`."""
    return number(name, value, 0.0, 1.0, above=interior, below=interior)


def array(name: str, value: npt.ArrayLike, ndim: int, minimum: float = -np.inf) -> FloatArray:
    """Return `value` as a non-empty finite float64 array of `ndim` axes, each entry >= minimum."""
    try:
        result = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers") from None
    if result.ndim != ndim or result.size == 0:
        raise ValueError(f"{name} must be a non-empty array of {ndim} axes, not {result.shape}")
    if not np.all(np.isfinite(result)) or np.any(result < minimum):
        raise ValueError(f"{name} must be finite and at least {minimum:g}")
    return result


def non_negative(name: str, value: npt.ArrayLike) -> FloatArray:
    """Return `value` as a float64 array of any shape, each entry finite and >= 0."""
    result = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(result)) or np.any(result < 0.0):
        raise ValueError(f"{name} must be finite and non-negative")
    return result


def same_length(**named: FloatArray) -> None:
    """Raise unless the named arrays agree in the length of their first axis."""
    if len({value.shape[0] for value in named.values()}) > 1:
        lengths = ", ".join(f"{name} {value.shape[0]}" for name, value in named.items())
        raise ValueError(f"lengths differ: {lengths}")


def distribution(name: str, value: npt.ArrayLike) -> FloatArray:
    """Return `value` as a 1-D array of non-negative numbers that sum to one."""
    result = array(name, value, 1, 0.0)
    if abs(result.sum() - 1.0) > ROUNDING:
        raise ValueError(f"{name} must sum to 1, not {result.sum():.12g}")
    return result


def stochastic(name: str, value: npt.ArrayLike) -> FloatArray:
    """Return `value` as a square matrix of non-negative numbers with rows that sum to one."""
    result = array(name, value, 2, 0.0)
    if result.shape[0] != result.shape[1]:
        raise ValueError(f"{name} must be square, not {result.shape}")
    worst = float(np.max(np.abs(result.sum(axis=1) - 1.0)))
    if worst > ROUNDING:
        raise ValueError(f"rows of {name} must sum to 1 (worst deviation {worst:.3g})")
    return result
