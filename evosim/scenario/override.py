"""Change a scenario's data by dotted keys: arms, sweeps, interventions, the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from evosim.errors import UserError, did_you_mean
from evosim.scenario.explain import unknown_key
from evosim.scenario.fields import Slot, slot_of
from evosim.scenario.keys import find_path, item_index, item_name, join_key, show, split_key
from evosim.scenario.model import ScenarioModel
from evosim.scenario.resolved import plain_value

#: Returned where a scenario holds no value at a key.
ABSENT = object()
#: Asked for first: whether it is a Mapping takes Python long to say, and most values are none.
_VALUES = (str, int, float)


def override(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a scenario's data with some keys set to new values.

    Parameters
    ----------
    data : mapping
        A whole scenario, as read or as `plain` returns it.
    changes : mapping of str to any
        Dotted key -> value; a table (mapping) replaces the whole table. Keys nearer to the top
        are set first, whatever their order. Where frequencies of contexts are set, those of
        the contexts that are not named here are rescaled so that all sum to 1.

    Returns
    -------
    dict
        Not yet validated.

    Raises
    ------
    UserError
        A key leads nowhere in a scenario; with the keys there are, and the closest one.
    """
    changed: dict[str, Any] = _copied(data)
    paths = {key: split_key(key) for key in changes}
    for key in sorted(changes, key=lambda key: len(paths[key])):
        _set(changed, paths[key], plain_value(changes[key]))
    named = [p[1] for p in paths.values() if len(p) == 3 and p[::2] == ["context", "frequency"]]
    if named:
        _rescale(changed, named)
    return changed


def _copied(data: Any) -> Any:
    """Return a copy down to the values; `copy.deepcopy` takes four times as long."""
    if isinstance(data, _VALUES):
        return data
    if isinstance(data, Mapping):
        return {key: _copied(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_copied(item) for item in data]
    return data


def value_at(data: Mapping[str, Any], key: str) -> Any:
    """Return the value that a scenario's data holds at a dotted key, or `ABSENT`."""
    node: Any = data
    for part in find_path(key, data):
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return node


def restated(error: UserError, place: str, cause: str | None = None) -> UserError:
    """Return an error under the key that the user wrote, such as an arm's.

    Parameters
    ----------
    error : UserError
        Its key is that of a scenario with the changes applied.
    place : str
        The key that the user wrote.
    cause : str, optional
        The key that was changed there; the error's own key is said only where it is another.
    """
    own = split_key(error.key) if error.key else []
    said = cause is not None and split_key(cause)[: len(own)] == own
    what = error.message if said or not own else f"{error.key}: {error.message}"
    return UserError(what, key=place, allowed=error.allowed, hint=error.hint)


def cause_of(error: UserError, changes: Iterable[str]) -> str | None:
    """Return the changed key that an error is about: above, at or below the error's key."""
    own = split_key(error.key) if error.key else None
    for key in changes:
        if own and all(a == b for a, b in zip(split_key(key), own, strict=False)):
            return key
    return None


def parse_assignments(items: Iterable[str]) -> dict[str, Any]:
    """Read ``key = value`` texts of a command line.

    Parameters
    ----------
    items : iterable of str
        E.g. ``population.agents=64``; values are TOML values, and bare words are texts.

    Returns
    -------
    dict of str to any

    Raises
    ------
    UserError
        An item without ``=``, key or value, or a key given twice.
    """
    changes: dict[str, Any] = {}
    for item in items:
        key, equals, text = (part.strip() for part in item.partition("="))
        if not (key and equals and text):
            raise UserError(
                f"--set {show(item)} is no assignment",
                allowed="key=value, e.g. population.agents=64",
            )
        if key in changes:
            raise UserError("set twice", key=key)
        changes[key] = _toml_value(text)
    return changes


def _toml_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.get("value")
    known = isinstance(value, bool | int | float | str | list | dict)
    return value if known and len(parsed) == 1 else text


def _set(data: dict[str, Any], parts: list[str], value: Any) -> None:
    """Walk data and models down the parts together, and set the last one."""
    node: Any = data
    slot = slot_of(ScenarioModel)
    for depth, part in enumerate(parts):
        slot = slot.chosen(node)
        last = depth == len(parts) - 1
        step = _step(slot, node, parts[: depth + 1], may_add=last and isinstance(value, dict))
        slot = slot.fields.get(part) or slot.item or slot
        if last:
            node[step] = _fitted(slot, value)
            return
        if isinstance(node, dict) and step not in node:
            node[step] = _default(slot, parts[: depth + 1])
        node = node[step]


def _step(slot: Slot, node: Any, parts: list[str], *, may_add: bool) -> str | int:
    """Return the key or index of the last part in `node`, or raise with what there is.

    `may_add`: a whole table under a new name declares a new thing (a gene, a cue).
    """
    part, key = parts[-1], join_key(parts)
    if slot.model and isinstance(node, dict):
        if part in slot.fields:
            return part
        message, allowed, hint = unknown_key(part, list(slot.fields))
        raise UserError(message, key=key, allowed=allowed, hint=_anywhere(parts) or hint)
    if slot.shape == "names" and isinstance(node, dict):
        if part in node or may_add:
            return part
        raise UserError(
            f"there is no '{part}'",
            key=key,
            allowed=", ".join(map(str, node)) or None,
            hint=did_you_mean(part, map(str, node)),
        )
    if slot.shape == "list" and isinstance(node, list):
        index = item_index(node, part, default=part)
        if isinstance(index, int):
            return index
        known = [item_name(item) or str(i) for i, item in enumerate(node)]
        raise UserError(
            f"there is no '{part}'",
            key=key,
            allowed=", ".join(known) or None,
            hint=did_you_mean(part, known),
        )
    outer = join_key(parts[:-1])
    raise UserError(f"'{outer}' is {show(node)}: it has no parts; set the whole of it", key=key)


def _anywhere(parts: list[str]) -> str | None:
    """Suggest the full key for a bare key of a top table, e.g. agents."""
    if len(parts) > 1:
        return None
    top = slot_of(ScenarioModel).fields
    found = [name for name, slot in top.items() if parts[0] in slot.fields]
    return f"did you mean '{found[0]}.{parts[0]}'?" if len(found) == 1 else None


def _default(slot: Slot, parts: list[str]) -> Any:
    """Return what a key that the file leaves out stands for, to be changed in part."""
    field = slot.field
    default = field.get_default(call_default_factory=True) if field else None
    if field is None or field.is_required() or default is None:
        raise UserError("is not in the scenario: set the whole of it", key=join_key(parts))
    return plain_value(default)


def _fitted(slot: Slot, value: Any) -> Any:
    """Return a whole float as an int where a whole number is due (1e5 agents)."""
    if slot.annotation is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _rescale(data: dict[str, Any], named: list[str]) -> None:
    """Let the frequencies of the other contexts sum to what the named ones leave."""
    contexts = data["context"]
    mine = sorted({int(item_index(contexts, name, default=-1)) for name in named})
    given = [contexts[i].get("frequency") for i in mine]
    rest = [c for i, c in enumerate(contexts) if i not in mine and isinstance(c, dict)]
    old = [c.get("frequency", 0.0) for c in rest]
    if not all(isinstance(f, int | float) and 0 <= f <= 1 for f in [*given, *old]):
        return  # the models say what is wrong
    left, total = 1.0 - sum(given), sum(old)
    key = join_key(["context", named[0], "frequency"])
    if abs(left) < 1e-9:
        left = 0.0  # a remainder of rounding must not make a training context
    if left < 0:
        raise UserError(f"the frequencies set together sum to {sum(given):g}, above 1", key=key)
    if total == 0.0:
        if rest and left > 0:
            raise UserError(
                "no other context has a frequency that could take up the rest",
                key=key,
                allowed="frequencies that sum to 1",
            )
        return
    for context, frequency in zip(rest, old, strict=True):
        context["frequency"] = frequency / total * left
