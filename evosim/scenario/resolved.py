"""A model back as plain data, with every default written out: for files, hashes, overrides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evosim.scenario.model import ScenarioModel

#: What a scenario says about itself; changing it changes no result.
DESCRIPTION = ("title", "source", "prose", "slow", "takes")


def plain(model: BaseModel) -> dict[str, Any]:
    """Return a model's tables, lists and values, from which an equal model is made.

    Keys without a value and empty lists and tables that a file may leave out are left out.

    Parameters
    ----------
    model : BaseModel
        A model of `evosim.scenario`.

    Returns
    -------
    dict
        Of dicts, lists, strings, numbers and bools; none of them is shared with the model.
    """
    data: dict[str, Any] = {}
    for name, key, may_go in _keys(type(model)):
        value = plain_value(getattr(model, name))
        if value is None or (may_go and value in ({}, [])):
            continue
        data[key] = value
    return data


@cache
def _keys(model: type[BaseModel]) -> list[tuple[str, str, bool]]:
    """Return each field's name, its key in a file, and whether it is empty when left out."""
    return [
        (name, field.alias or name, not field.is_required() and _is_empty(field))
        for name, field in model.model_fields.items()
    ]


def _is_empty(field: FieldInfo) -> bool:
    return plain_value(field.get_default(call_default_factory=True)) in ({}, [])


def plain_value(value: Any) -> Any:
    """Return `value` with models as dicts, arrays as lists and their numbers as Python's own."""
    if value is None or type(value) in (str, int, float, bool):
        return value  # most are; a Mapping takes Python long to tell
    if isinstance(value, BaseModel):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return value.tolist()
    return value


def toml_text(model: ScenarioModel) -> str:
    """Return the resolved scenario as the text of a TOML file, which loads to an equal model."""
    from evosim.toml_text import dump_toml

    return dump_toml(plain(model))


def content_hash(model: ScenarioModel) -> str:
    """Return the sha256 (64 hexadecimal digits) of all that decides a scenario's results.

    Comments, the order of keys, and the description (title, source, prose, slow, takes) do not
    enter; floats enter by their shortest exact text.
    """
    # pydantic's own walk: a study hashes each of its points, and `plain` takes five times as long.
    data = model.model_dump(exclude=set(DESCRIPTION))
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain_value
    )
    return hashlib.sha256(text.encode()).hexdigest()
