"""How much memory a run needs, estimated before it starts."""

from __future__ import annotations

from evosim.cost import estimate_cost
from evosim.scenario import Scenario


def estimate_memory(scenario: Scenario) -> int:
    """Return the bytes a run needs at its largest moment."""
    return estimate_cost(scenario).memory
