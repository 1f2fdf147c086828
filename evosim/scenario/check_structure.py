"""Combinations of a population's structure with selection and channel that cannot work."""

from __future__ import annotations

from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel

#: Schemes that fill every place anew in each generation.
SCHEMES = "wright-fisher, truncation, tournament, replay or your own"


def check_structure(model: ScenarioModel) -> None:
    """Check that there is a place for everyone, and that no scheme overrules it.

    Raises
    ------
    UserError
        With the key and what is allowed.
    """
    spec = model.structure
    if spec is None:
        return
    if model.selection.kind in ("moran", "density"):
        raise UserError(
            "a place for each agent needs generations of the same size that do not overlap",
            key="selection.kind",
            allowed=SCHEMES,
        )
