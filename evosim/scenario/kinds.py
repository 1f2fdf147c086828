"""The kinds a scenario may name: built-in ones, and those that users register in Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from evosim.errors import UserError, did_you_mean
from evosim.scenario.fields import slot_of
from evosim.scenario.keys import show
from evosim.scenario.model import ScenarioModel

Section = Literal["world", "mind", "selection"]
SECTIONS: tuple[Section, ...] = ("world", "mind", "selection")


@cache
def built_in_kinds(section: Section) -> tuple[str, ...]:
    """Return the kinds of `section` that come with evosim, as the models list them."""
    slot = slot_of(ScenarioModel.model_fields[section].annotation)
    return tuple(m.tag for m in slot.members if m.tag and m.tag != "user")


def user_parts(model: ScenarioModel) -> list[Section]:
    """Return the sections of a scenario whose kind a user has registered."""
    return [s for s in SECTIONS if getattr(model, s).kind not in built_in_kinds(s)]


def check_kinds(data: Mapping[str, Any]) -> None:
    """Refuse a `kind` that nothing provides, before the models take it for a user's own.

    Parameters
    ----------
    data : mapping
        A scenario as read.

    Raises
    ------
    UserError
        With the kinds there are, and the closest one.
    """
    for section in SECTIONS:
        table = data.get(section)
        if not isinstance(table, Mapping) or ("kind" not in table and section == "mind"):
            continue  # the models say what is wrong, or know the default
        kind = table.get("kind")
        if isinstance(kind, str) and kind in built_in_kinds(section):
            continue
        from evosim.registry import kinds

        known = (*built_in_kinds(section), *kinds(section))
        if isinstance(kind, str) and kind in known:
            continue
        hint = None
        if isinstance(kind, str):
            hint = did_you_mean(kind, known) or "one written in Python needs --plugin FILE.py"
        raise UserError(
            "missing" if "kind" not in table else f"{show(kind)} is not a kind of {section}",
            key=f"{section}.kind",
            allowed=", ".join(f"'{k}'" for k in known),
            hint=hint,
        )
