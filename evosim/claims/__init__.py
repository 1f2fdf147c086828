"""Claims: what a scenario says in numbers, judged on its own run.

`check_claim` and `measure_names` work before anything runs and import no table library;
`judge_all` reads the tables of a finished run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evosim.claims.check import check_claim
from evosim.claims.names import measure_names

if TYPE_CHECKING:
    from evosim.claims.indexed import available_measures
    from evosim.claims.judge import ClaimResult, judge_all, strict_failures
    from evosim.claims.measures import measure_frame

_LATER = {
    "ClaimResult": "judge",
    "judge_all": "judge",
    "strict_failures": "judge",
    "available_measures": "indexed",
    "measure_frame": "measures",
}

__all__ = [
    "ClaimResult",
    "available_measures",
    "check_claim",
    "judge_all",
    "measure_frame",
    "measure_names",
    "strict_failures",
]


def __getattr__(name: str) -> Any:
    """Import what needs pandas when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
