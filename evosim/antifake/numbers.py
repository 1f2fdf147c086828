"""Other numbers in a scenario file, where nothing but the number may matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evosim.scenario import ScenarioModel
from evosim.scenario.load import validate
from evosim.scenario.resolved import plain

#: Tables of numbers by action or outcome: nothing in them is a key of its own.
_VALUES = ("payoff", "reward", "goal")


def renumbered(model: ScenarioModel, what: str, rng: np.random.Generator) -> ScenarioModel:
    """Return the model with all its payoffs (or goals) replaced by random numbers.

    Zeros stay zeros and equal numbers stay equal, so that outcomes that were one stay one; for
    the zeros the built arrays are replaced as well, by the checks that use this.

    Parameters
    ----------
    model : ScenarioModel
    what : {"payoff", "goal"}
    rng : Generator
    """
    data = plain(model)
    other: dict[float, float] = {0.0: 0.0}

    def number(value: Any) -> Any:
        if isinstance(value, dict):
            # A chance has a probability beside its value.
            keep = ("p",) if set(value) == {"p", "value"} else ()
            return {k: v if k in keep else number(v) for k, v in value.items()}
        return other.setdefault(float(value), float(rng.normal()))

    for section in ("world", "context"):
        if section in data:
            _walk(data[section], (what, f"step_{what}"), number)
    return validate(data)


def _walk(node: Any, keys: tuple[str, ...], number: Callable[[Any], Any]) -> None:
    """Replace what stands under the keys, anywhere below a node."""
    if isinstance(node, list):
        for item in node:
            _walk(item, keys, number)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in keys:
                node[key] = number(value)
            elif key not in _VALUES:
                _walk(value, keys, number)
