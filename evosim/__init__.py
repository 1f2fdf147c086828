"""evosim: populations of tiny agents under genetic selection.

>>> import evosim
>>> run = evosim.run("scenarios/coinrun.toml", out="results/coinrun")  # doctest: +SKIP
>>> run.claims  # doctest: +SKIP

Everything but the version is imported when first used, so that ``import evosim`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evosim.api import run
    from evosim.environments import gymnasium_env
    from evosim.errors import UserError
    from evosim.forks import fork
    from evosim.mesa_model import EvoModel
    from evosim.results import Run, load, save
    from evosim.scenario import Scenario
    from evosim.studies.conduct import study
    from evosim.studies.results import Study, load_study

__version__ = "0.1.0"

_HOMES = {
    "EvoModel": "evosim.mesa_model",
    "Run": "evosim.results",
    "Scenario": "evosim.scenario",
    "Study": "evosim.studies.results",
    "UserError": "evosim.errors",
    "fork": "evosim.forks",
    "gymnasium_env": "evosim.environments",
    "load": "evosim.results",
    "load_study": "evosim.studies.results",
    "run": "evosim.api",
    "save": "evosim.results",
    "study": "evosim.studies.conduct",
}

__all__ = [
    "EvoModel",
    "Run",
    "Scenario",
    "Study",
    "UserError",
    "__version__",
    "fork",
    "gymnasium_env",
    "load",
    "load_study",
    "run",
    "save",
    "study",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that holds it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evosim' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
