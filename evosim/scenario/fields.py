"""What the models allow at a place of a scenario file, and how to say it in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, Discriminator, Tag
from pydantic.fields import FieldInfo

from evosim.scenario.base import NAME_PATTERN, OPTIONAL_NAME_PATTERN

#: Patterns of the models in words; a test holds that every pattern has its words.
PATTERN_WORDS = {
    NAME_PATTERN: "a name of 1 to 80 characters without dots, brackets or double quotes",
    OPTIONAL_NAME_PATTERN: "a name of up to 80 characters without dots, brackets or double quotes",
    "^[A-Z][0-9]{1,2}$": "a capital letter and one or two digits, like 'S10'",
    "^F([1-9]|10)$": "one of F1 to F10",
}
_TYPE_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
}


@dataclass(frozen=True)
class Slot:
    """One place of a scenario file: the type that its value must have.

    Attributes
    ----------
    annotation : type
        Without `Annotated` and without None (a TOML key is left out instead).
    rules : tuple
        Bounds, lengths and patterns that go with it.
    field : FieldInfo or None
        The model field, where the place is one.
    """

    annotation: Any
    rules: tuple[Any, ...] = ()
    field: FieldInfo | None = None

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of a table with fixed keys, else None."""
        is_model = isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel)
        return self.annotation if is_model else None

    @property
    def fields(self) -> dict[str, Slot]:
        """The slots of a model's keys, as the file spells them."""
        return _fields(self.model) if self.model else {}

    @property
    def members(self) -> tuple[Slot, ...]:
        """The alternatives of a union; none for any other type."""
        if get_origin(self.annotation) not in (Union, UnionType):
            return ()
        return tuple(slot_of(member) for member in get_args(self.annotation))

    @property
    def tag(self) -> str | None:
        """The kind of this member of a union by kind."""
        return next((rule.tag for rule in self.rules if isinstance(rule, Tag)), None)

    @property
    def item(self) -> Slot | None:
        """The slot of a list's items or of the values under a table's free names."""
        if get_origin(self.annotation) in (list, dict):
            return slot_of(get_args(self.annotation)[-1])
        return None

    @property
    def name(self) -> Slot | None:
        """The slot of the free names of a table."""
        return slot_of(get_args(self.annotation)[0]) if self.shape == "names" else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a list of alternatives; none for any other type."""
        return get_args(self.annotation) if get_origin(self.annotation) is Literal else ()

    @property
    def shape(self) -> str:
        """One of 'table' (fixed keys), 'names' (free keys), 'list', 'union', 'value'."""
        if self.model:
            return "table"
        if self.members:
            return "union"
        return {dict: "names", list: "list"}.get(get_origin(self.annotation), "value")

    def chosen(self, value: Any) -> Slot:
        """Return the alternative of a union that `value` looks like; itself for other types."""
        if not self.members:
            return self
        choose = next((rule for rule in self.rules if isinstance(rule, Discriminator)), None)
        if choose is not None and callable(choose.discriminator):
            kind = choose.discriminator(value if isinstance(value, Mapping) else {})
            return next(member for member in self.members if member.tag == kind)
        fitting = [member for member in self.members if looks_like(member, value)]
        return fitting[0].chosen(value) if fitting else self

    def words(self) -> str:
        """Say in plain words what may stand here."""
        return _words(self)


def slot_of(annotation: Any, field: FieldInfo | None = None) -> Slot:
    """Return the slot of a type annotation."""
    rules: list[Any] = list(field.metadata) if field else []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *extra = get_args(annotation)
            for rule in extra:
                rules += rule.metadata if isinstance(rule, FieldInfo) else [rule]
            continue
        if get_origin(annotation) in (Union, UnionType):
            members = [m for m in get_args(annotation) if m is not NoneType]
            if len(members) == 1:
                annotation = members[0]
                continue
            annotation = Union[tuple(members)]  # noqa: UP007 (built from a list)
        return Slot(annotation, tuple(rules), field)


def looks_like(slot: Slot, value: Any) -> bool:
    """Return whether a value has the outer shape (table, list or single) of `slot`."""
    if slot.shape == "union":
        return any(looks_like(member, value) for member in slot.members)
    if isinstance(value, Mapping):
        return slot.shape in ("table", "names")
    if isinstance(value, list):
        return slot.shape == "list"
    return slot.shape == "value"


@cache
def _fields(model: type[BaseModel]) -> dict[str, Slot]:
    return {
        info.alias or name: slot_of(info.annotation, info)
        for name, info in model.model_fields.items()
    }


def _words(slot: Slot) -> str:
    bounds = _bounds(slot.rules)
    if slot.model:
        return f"a table with the keys {', '.join(slot.fields)}"
    if slot.members:
        kinds = [member.tag for member in slot.members if member.tag]
        if kinds:
            return f"a table with kind = {_one_of([k for k in kinds if k != 'user'])}"
        return " or ".join(member.words() for member in slot.members)
    if slot.choices:
        return _one_of(slot.choices)
    if slot.item is not None:
        is_list = slot.shape == "list"
        what = f"a list{_length(slot.rules)}" if is_list else "a table of name = value"
        return f"{what}, each {slot.item.words()}"
    pattern = _attribute(slot.rules, "pattern")
    if pattern:
        return PATTERN_WORDS.get(pattern, f"text that matches {pattern}")
    if slot.annotation is str and _attribute(slot.rules, "min_length"):
        return "text, not empty"
    return _TYPE_WORDS.get(slot.annotation, "a value") + bounds


def _one_of(values: Any) -> str:
    return ", ".join(f"'{v}'" if isinstance(v, str) else str(v) for v in values)


def _attribute(rules: tuple[Any, ...], name: str) -> Any:
    found = (getattr(rule, name, None) for rule in rules)
    return next((value for value in found if value is not None), None)


def _bounds(rules: tuple[Any, ...]) -> str:
    low, above, high, below = (
        next((getattr(r, n) for r in rules if isinstance(r, kind)), None)
        for kind, n in ((Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt"))
    )
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    parts = []
    if low is not None:
        parts.append(f"of at least {_number(low)}")
    if above is not None:
        parts.append(f"above {_number(above)}")
    if high is not None:
        parts.append(f"at most {_number(high)}")
    if below is not None:
        parts.append(f"below {_number(below)}")
    return " " + " and ".join(parts) if parts else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _length(rules: tuple[Any, ...]) -> str:
    low = next((r.min_length for r in rules if isinstance(r, MinLen)), 0)
    high = next((r.max_length for r in rules if isinstance(r, MaxLen)), None)
    if high is not None and low == high:
        return f" of {low}"
    if high is not None:
        return f" of {low} to {high}"
    return f" of {low} or more" if low else ""
