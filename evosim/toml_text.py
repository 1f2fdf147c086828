"""Write a scenario back as TOML (the standard library only reads it).

Covers what a scenario can hold: text, numbers, truth values, lists and tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
#: Tables up to this many characters stand on one line.
_INLINE_WIDTH = 88


def dump_toml(data: Mapping[str, Any]) -> str:
    """Return `data` as the text of a TOML file; keys with the value None are left out.

    Parameters
    ----------
    data : mapping
        Nested mappings, lists, strings, ints, finite floats and bools.

    Returns
    -------
    str
        Text that ``tomllib.loads`` turns into the same data.

    Raises
    ------
    TypeError
        A value has another type.
    """
    lines: list[str] = []
    _table(lines, data, ())
    return "\n".join(lines).strip("\n") + "\n"


def _table(lines: list[str], data: Mapping[str, Any], path: tuple[str, ...]) -> None:
    """Write a table's own values first: after a sub-table's header they would belong to it."""
    nested: list[tuple[str, Any]] = []
    for key, value in data.items():
        if value is None:
            continue
        if _needs_header(key, value, top=not path):
            nested.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_value(value, multiline=True)}")
    for key, value in nested:
        name = (*path, key)
        header = ".".join(_key(part) for part in name)
        if isinstance(value, Mapping):
            lines += ["", f"[{header}]"]
            _table(lines, value, name)
            continue
        for item in value:
            lines += ["", f"[[{header}]]"]
            _table(lines, item, name)


def _needs_header(key: str, value: Any, *, top: bool) -> bool:
    if isinstance(value, list):
        if not value or not all(isinstance(item, Mapping) for item in value):
            return False
    elif not isinstance(value, Mapping):
        return False
    if not value:
        return False
    return top or len(key) + len(_value(value)) > _INLINE_WIDTH


def _value(value: Any, *, multiline: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value, multiline=multiline)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        inside = ", ".join(pairs)
        return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"{type(value).__name__} has no TOML form")


def _text(value: str, *, multiline: bool) -> str:
    if not multiline or "\n" not in value:
        # JSON's escapes are a subset of TOML's, except that TOML also wants DEL escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    escaped = [_text(line, multiline=False)[1:-1] for line in value.split("\n")]
    return '"""\n' + "\n".join(escaped) + '"""'


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _text(key, multiline=False)
