"""The arms of a scenario: one model for each named variant, and for each cell of its grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from evosim.errors import UserError
from evosim.scenario.keys import join_key, show, split_key
from evosim.scenario.load import validate
from evosim.scenario.model import ScenarioModel
from evosim.scenario.override import cause_of, override, restated, value_at
from evosim.scenario.resolved import plain
from evosim.scenario.study_parts import Arm

#: What all arms share, so that they can be compared replicate by replicate.
SHARED = (
    "seed",
    "population.replicates",
    "population.generations",
    "title",
    "systems",
    "source",
    "prose",
    "slow",
    "takes",
    "base_arm",
    "record",
    "arm",
    "effect",
    "claim",
)
#: More cells than this are a study (many runs), not a run.
_MOST_CELLS = 10_000


@dataclass(frozen=True)
class ArmCell:
    """One variant that a run simulates.

    Attributes
    ----------
    label : str
        Unique in the scenario: the arm's name, or e.g. ``rho [frequency=0.05]`` for a cell of
        a grid.
    arm : str
        The arm's name.
    model : ScenarioModel
        The scenario with the overrides applied.
    cell : dict
        Grid key -> value; empty for an arm without a grid.
    control : bool
        Whether it is drawn as a control.
    """

    label: str
    arm: str
    model: ScenarioModel
    cell: dict[str, Any] = field(default_factory=dict)
    control: bool = False


def expand(model: ScenarioModel) -> list[ArmCell]:
    """Return the cells of all arms, the file's own arm first.

    Parameters
    ----------
    model : ScenarioModel

    Returns
    -------
    list of ArmCell
        In the order of the file, grids in the order of their keys' names and values.

    Raises
    ------
    UserError
        An arm overrides nothing, or what all arms share; two arms have one label; an override
        leads nowhere or to something that the models do not allow.
    """
    base = plain(model)
    cells = [ArmCell(model.base_arm, model.base_arm, model)] if model.base_arm else []
    if not cells and not model.arm:
        raise UserError("leaves nothing to run", key="base_arm", allowed="a name, or arms")
    for arm in model.arm:
        cells += _cells(arm, model, base)
    seen: set[str] = set()
    for cell in cells:
        if cell.label in seen:
            raise UserError(
                f"two arms are called '{cell.label}'",
                key=join_key(["arm", cell.arm]),
                allowed="distinct names",
            )
        seen.add(cell.label)
    return cells


def cell_label(arm: str, cell: Mapping[str, Any]) -> str:
    """Return an arm's label, with a grid cell's values under the last part of their keys.

    Keys with the same last part are told apart by as many more parts as are needed.
    """
    if not cell:
        return arm
    parts = {key: split_key(key) for key in cell}
    depth = 1
    while len({tuple(p[-depth:]) for p in parts.values()}) < len(parts):
        depth += 1
    short = {key: ".".join(p[-depth:]) for key, p in parts.items()}
    return f"{arm} [{', '.join(f'{short[k]}={_text(v)}' for k, v in cell.items())}]"


def arm_error(error: UserError, arm: Arm) -> UserError:
    """Return an error of an arm's model under the arm's key that brought it about."""
    cause = cause_of(error, [*arm.set, *arm.grid])
    return restated(error, _place(arm, cause) if cause else join_key(["arm", arm.name]), cause)


def _place(arm: Arm, key: str) -> str:
    return join_key(["arm", arm.name, "set" if key in arm.set else "grid", key])


def _cells(arm: Arm, model: ScenarioModel, base: dict[str, Any]) -> Iterator[ArmCell]:
    if not arm.set and not arm.grid:
        raise UserError("overrides nothing", key=join_key(["arm", arm.name]))
    for key in [*arm.set, *arm.grid]:
        _check_shared(arm, key)
    for key, values in arm.grid.items():
        twice = next((v for i, v in enumerate(values) if v in values[:i]), None)
        if twice is not None:
            raise UserError(f"{show(twice)} stands in it twice", key=_place(arm, key))
    count = math.prod(len(values) for values in arm.grid.values())
    if count > _MOST_CELLS:
        raise UserError(
            f"a grid of {count} cells",
            key=join_key(["arm", arm.name, "grid"]),
            allowed=f"at most {_MOST_CELLS} cells; for more, run a study",
        )
    # Claims and arms are shared: not read anew for each of up to dozens of cells.
    own = {**base, "arm": [], "claim": []}
    models = []
    for chosen in product(*arm.grid.values()):
        cell = dict(zip(arm.grid, chosen, strict=True))
        models.append(_varied(arm, cell, own))
        whole = models[-1].model_copy(update={"arm": model.arm, "claim": model.claim})
        yield ArmCell(cell_label(arm.name, cell), arm.name, whole, cell, arm.control)
    _check_effect(arm, base, [plain(varied) for varied in models])


def _varied(arm: Arm, cell: dict[str, Any], base: dict[str, Any]) -> ScenarioModel:
    try:
        return validate(override(base, {**arm.set, **cell}))
    except UserError as error:
        raise arm_error(error, arm) from None


def _check_shared(arm: Arm, key: str) -> None:
    place = _place(arm, key)
    if key in arm.set and key in arm.grid:
        raise UserError("stands in both set and grid", key=place)
    parts = split_key(key)
    for shared in SHARED:
        names = shared.split(".")
        if parts[: len(names)] == names:
            raise UserError(f"all arms share {shared}: an arm may not set it", key=place)
    if parts == ["population"]:
        raise UserError(
            "all arms share population.replicates and population.generations",
            key=place,
            allowed="single keys, e.g. population.agents",
        )


def _check_effect(arm: Arm, base: dict[str, Any], varied: list[dict[str, Any]]) -> None:
    """Refuse keys of `set`, and grids, that leave everything as it is."""
    for key in [*arm.set, *arm.grid]:
        old = value_at(base, key)
        if all(value_at(data, key) == old for data in varied):
            raise UserError(
                f"overrides nothing: {key} is {show(old)} already",
                key=_place(arm, key),
            )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
