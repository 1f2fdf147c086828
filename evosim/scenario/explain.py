"""Turn pydantic's errors into what a user can act on: the key, what is wrong, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from evosim.errors import UserError, did_you_mean
from evosim.scenario.fields import Slot, looks_like, slot_of
from evosim.scenario.keys import Path, named_key, show
from evosim.scenario.lines import KeyLines
from evosim.scenario.model import ScenarioModel


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a scenario's data.

    Attributes
    ----------
    path : tuple of str or int
        Where, in the data as read.
    kind : str
        'unknown', 'missing', 'rule' (a message of a model's own check), 'name' or 'value'.
    message : str
        What is wrong.
    allowed, hint : str or None
        What would be accepted; a suggestion.
    """

    path: Path
    kind: str
    message: str
    allowed: str | None = None
    hint: str | None = None


def problems(
    error: ValidationError, data: Any, root: type[BaseModel] = ScenarioModel
) -> list[Problem]:
    """Return what is wrong, one entry per place of the file.

    Parameters
    ----------
    error : ValidationError
        Of `root`.
    data : any
        What was validated.
    root : type of BaseModel
        The model of the whole file.
    """
    found: dict[Path, Problem] = {}
    for entry in error.errors(include_url=False, include_input=False):
        problem = _problem(entry, data, root)
        if problem is not None:
            found.setdefault(problem.path, problem)
    return _without_twins(list(found.values()))


def user_error(
    error: ValidationError,
    data: Any,
    *,
    file: Any = None,
    lines: KeyLines | None = None,
    root: type[BaseModel] = ScenarioModel,
) -> UserError:
    """Return one error for the first problem of the file, with the number of the others."""
    found = problems(error, data, root)
    if not found:  # every branch of a union was set aside; never seen, but never silent
        return UserError("not a valid file", file=file)

    def line(problem: Problem) -> int:
        return (lines.line(problem.path) if lines else None) or 0

    first = min(found, key=line)
    others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return UserError(
        first.message + others,
        file=file,
        line=line(first) or None,
        key=named_key(first.path, data) or None,
        allowed=first.allowed,
        hint=first.hint,
    )


def unknown_key(part: str, known: Sequence[str]) -> tuple[str, str | None, str | None]:
    """Return message, allowed and hint for a key that is not among `known`."""
    return "unknown key", ", ".join(known) or None, did_you_mean(part, known)


def _problem(entry: Mapping[str, Any], data: Any, root: type[BaseModel]) -> Problem | None:
    place = _place(entry["loc"], data, root)
    if place is None:
        return None
    path, slot, table, value = place
    kind = entry["type"]
    if table is not None and kind == "extra_forbidden":
        return Problem(path, "unknown", *unknown_key(str(path[-1]), list(table.fields)))
    if kind == "missing":
        return Problem(path, "missing", "missing", slot.words())
    if kind == "value_error":
        return Problem(path, "rule", str(entry["ctx"]["error"]))
    if kind in ("too_short", "too_long"):
        return Problem(path, "value", f"has {_entries(entry)}", slot.words())
    if entry["loc"][-1:] == ("[key]",):
        return Problem(path, "name", f"{show(path[-1])} is not a usable name", slot.words())
    return Problem(path, "value", f"{show(value)} is not allowed", slot.words(), _hint(value, slot))


def _place(
    loc: Sequence[str | int], data: Any, root: type[BaseModel]
) -> tuple[Path, Slot, Slot | None, Any] | None:
    """Follow a pydantic location through models and data together.

    Returns the path, its slot, the slot of the table that holds it, and the value there; None
    for an error in a branch of a union that the value does not even look like. The parts of a
    location that name a branch of a union are no part of the path.
    """
    path: list[str | int] = []
    slot, value = slot_of(root), data
    table: Slot | None = None
    for part in loc:
        if part == "[key]" and slot.shape != "names" and table is not None and table.name:
            slot = table.name
            break
        if slot.members:
            is_kind = any(member.tag for member in slot.members)
            if not looks_like(slot, value):
                break  # no branch looks like it: the whole union is what is allowed
            member = slot.chosen(value)
            if not is_kind and not _names_branch(str(part), member):
                return None
            if not is_kind and member.shape == "value":
                break  # say all that is allowed here, not only this kind of value
            slot = member
            continue
        table = slot
        path.append(part)
        slot = slot.fields.get(str(part)) or slot.item or slot_of(Any)
        value = _inside(value, part)
    return tuple(path), slot, table, value


def _names_branch(label: str, member: Slot) -> bool:
    """Return whether pydantic's label of a union's branch may mean `member`."""
    if member.model:
        name = member.model.__name__
        return label == name or label.endswith(f", {name}]")  # one with a check of its own
    if member.shape in ("list", "names"):
        return label.startswith("list[" if member.shape == "list" else "dict[")
    return not label.startswith(("list[", "dict[")) and not label[:1].isupper()


def _inside(value: Any, part: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _entries(entry: Mapping[str, Any]) -> str:
    count = entry["ctx"]["actual_length"]
    return "1 entry" if count == 1 else f"{count} entries"


def _hint(value: Any, slot: Slot) -> str | None:
    words = slot.words()
    if isinstance(value, str):
        if "number" in words and _is_number(value):
            return f"write it without quotes: {value.strip()}"
        return did_you_mean(value, [c for c in slot.choices if isinstance(c, str)])
    if "whole number" in words and isinstance(value, float) and value.is_integer():
        return f"did you mean {value:.0f}?" if abs(value) < 1e15 else None
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isprintable()


def _without_twins(found: list[Problem]) -> list[Problem]:
    """Drop a missing key where an unknown key beside it is that key, misspelt."""
    guesses = {
        (*p.path[:-1], p.hint.split("'")[1]) for p in found if p.kind == "unknown" and p.hint
    }
    return [p for p in found if not (p.kind == "missing" and p.path in guesses)]
