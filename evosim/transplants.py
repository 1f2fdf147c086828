"""What interventions bring back: genomes, or what is passed on, as they were in a generation.

Cross-fostering (2 by 2, genomes by what they learn from) tells what comes from where: the newborns
of a generation get the genomes of an earlier one, or learn from what its models knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.engine import Engine
from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel

#: Of a population that is put back with its genomes, and of knowledge.
_GENOME = ("count", "real", "bits")
_KNOWLEDGE = ("shown", "before", "payoff", "effort")
_PREFIX = "brought"


class Museum:
    """Copies of what will be brought back.

    Parameters
    ----------
    model : ScenarioModel
        Of one arm.
    """

    def __init__(self, model: ScenarioModel) -> None:
        self._moves = {
            change.at: dict(change.bring_back) for change in model.intervention if change.bring_back
        }
        self._wanted = {(g, part) for move in self._moves.values() for part, g in move.items()}
        self._kept: dict[str, NDArray[Any]] = {}

    def visit(self, engine: Engine) -> None:
        """Keep what is wanted of this generation, then put back what belongs in it.

        Raises
        ------
        UserError
            If it was never kept: in a fork that began after it.
        """
        now = engine.generation
        for generation, part in self._wanted:
            if generation == now:
                for name, value in _parts(engine, part).items():
                    self._kept[f"{_PREFIX}.{now}.{part}.{name}"] = value.copy()
        for part, generation in self._moves.get(now, {}).items():
            for name, value in _parts(engine, part).items():
                key = f"{_PREFIX}.{generation}.{part}.{name}"
                if key not in self._kept:
                    raise UserError(
                        f"there is no {part} of generation {generation} to bring back",
                        key="intervention",
                        allowed="a run that begins before it",
                    )
                value[:] = self._kept[key]
            engine.ledger.rebase(engine.population)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that is kept, by names of a checkpoint."""
        return {name: value.copy() for name, value in self._kept.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up what a checkpoint kept."""
        self._kept = {k: v.copy() for k, v in state.items() if k.startswith(f"{_PREFIX}.")}


def _parts(engine: Engine, part: str) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an engine, to be read or written."""
    if part == "genome":
        return {name: getattr(engine.population, name) for name in _GENOME}
    assert engine.culture is not None
    return {name: getattr(engine.culture, name) for name in _KNOWLEDGE}
