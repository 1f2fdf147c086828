"""Dotted keys with names, as errors show them and overrides use them.

``context.coin left.frequency`` is the key; ``("context", 1, "frequency")`` is the path. A list
item that has a `name` is addressed by it, any other by its index. A part that holds a dot, as
the keys of an arm's `set` do, stands in quotes: ``arm.rho.grid."population.agents"``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Path = tuple[str | int, ...]


def show(value: Any, width: int = 40) -> str:
    """Return `value` as a short text in one line, for an error message.

    Parameters
    ----------
    value : any
        What the user wrote.
    width : int
        Longest text, in characters.

    Returns
    -------
    str
        The value as TOML would write it, more or less; cut with '...' where too long.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge whole number"
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return f"a deeply nested {type(value).__name__}"
    if not text.isprintable():
        text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= width else text[: width - 3] + "..."


def item_name(item: Any) -> str | None:
    """Return the `name` of a list item, or None where it has none."""
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) and name else None


def join_key(parts: Sequence[str | int]) -> str:
    """Return a dotted key; parts that would be misread stand in quotes."""
    return ".".join(_quoted(str(part)) for part in parts)


def split_key(key: str) -> list[str]:
    """Return the parts of a dotted key; quotes protect the dots inside a part."""
    parts: list[str] = []
    rest = key
    while True:
        part, rest = _first(rest)
        parts.append(part)
        if not rest:
            return parts
        rest = rest[1:]


def named_key(path: Sequence[str | int], data: Any) -> str:
    """Return the dotted key of `path`, with names for list items that have one.

    Parameters
    ----------
    path : sequence of str or int
        Keys and list indices from the top of `data`.
    data : any
        What was read from the file; it may end before `path` does.
    """
    parts: list[str | int] = []
    node = data
    for part in path:
        node = _get(node, part)
        parts.append(item_name(node) or part if isinstance(part, int) else part)
    return join_key(parts)


def find_path(key: str, data: Any) -> Path:
    """Return the path in `data` of a dotted key, as far as `data` goes.

    The part after the last one that is found is kept, so that a missing key's table is known.
    Items with a name may be numbered here, so that an error can point at the second of two.
    """
    path: list[str | int] = []
    node = data
    for part in split_key(key):
        step: str | int = part
        if isinstance(node, list):
            number = int(part) if part.isascii() and part.isdigit() and len(part) < 10 else part
            step = item_index(node, part, default=number)
        path.append(step)
        node = _get(node, step)
        if node is None:
            break
    return tuple(path)


def item_index(items: Sequence[Any], part: str, *, default: str | int) -> str | int:
    """Return the index of the item called `part`, or numbered so where it has no name."""
    names = [item_name(item) for item in items]
    if part in names:
        return names.index(part)
    if part.isascii() and part.isdigit() and len(part) < 10:
        index = int(part)
        if index < len(items) and names[index] is None:
            return index
    return default


def _get(node: Any, part: str | int) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def _quoted(part: str) -> str:
    if part and part.isprintable() and not set(part) & set('."'):
        return part
    return json.dumps(part, ensure_ascii=not part.isprintable())


def _first(key: str) -> tuple[str, str]:
    """Return the first part of `key`, and what follows it (from its dot on)."""
    if key.startswith('"'):
        try:
            part, end = json.JSONDecoder().raw_decode(key)
        except ValueError:
            return key, ""
        if end == len(key) or key[end] == ".":
            return str(part), key[end:]
    dot = key.find(".")
    return (key, "") if dot < 0 else (key[:dot], key[dot:])
