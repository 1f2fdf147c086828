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
    if spec.contact and model.channel is None:
        raise UserError(
            "there is no channel", key="structure.contact", allowed="0, or a table [channel]"
        )
    prestige = model.channel is not None and model.channel.choice == "prestige"
    if prestige and spec.models == "local":
        raise UserError(
            "prestige is what all see: whom an earlier newborn chose, wherever it stands",
            key="structure.models",
            allowed="'global', or another channel.choice",
        )
