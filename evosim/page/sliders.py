"""Which numbers of a scenario a page lets people move, and how far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotated_types import Ge, Gt, Le, Lt

from evosim.errors import UserError, did_you_mean
from evosim.scenario.fields import Slot, slot_of
from evosim.scenario.keys import item_name, join_key, split_key
from evosim.scenario.model import ScenarioModel
from evosim.scenario.resolved import plain
from evosim.scenario.study_parts import Arm

#: Parts of a scenario in the order in which their numbers are offered.
PARTS = ("selection", "genome", "mind", "world", "context", "cues")
#: Beginnings of keys whose numbers are sizes or labels rather than strengths.
LEFT_OUT = ("loci", "steps", "length", "start", "goal", "hidden", "windows", "size")
#: Genes that do nothing.
MARKERS = ("neutral", "marker")
#: Numbers offered where none is asked for by name.
MOST = 14


@dataclass(frozen=True)
class Range:
    """A number that can be moved.

    Attributes
    ----------
    key : str
        Dotted key of the scenario.
    value, low, high, step : float
    whole : bool
        Only whole numbers.
    """

    key: str
    value: float
    low: float
    high: float
    step: float
    whole: bool


def ranges(
    model: ScenarioModel, arms: Iterable[Arm] = (), wanted: Sequence[str] = ()
) -> list[Range]:
    """Return the numbers to offer.

    Parameters
    ----------
    model : ScenarioModel
        Of one arm.
    arms : iterable of Arm
        All arms of the file: what they change comes first.
    wanted : sequence of str
        Dotted keys; empty: at most `MOST`, of those that arms change or the file gives.

    Raises
    ------
    UserError
        A wanted key is no number of this scenario.
    """
    tried = _tried(arms)
    found = {made.key: _with(made, tried.get(made.key, [])) for made, _ in _all(model)}
    if wanted:
        for key in wanted:
            if key not in found:
                raise UserError(
                    f"no number '{key}' to move",
                    key="slider",
                    allowed=", ".join([*list(found)[:20], "..."]),
                    hint=did_you_mean(key, found),
                )
        return [found[key] for key in wanted]
    given = [made.key for made, is_given in _all(model) if is_given and _strength(made.key)]
    chosen = [key for key in tried if key in found] + given
    return [found[key] for key in list(dict.fromkeys(chosen))[:MOST]]


def _tried(arms: Iterable[Arm]) -> dict[str, list[float]]:
    """Return the values that arms give to each key they change."""
    tried: dict[str, list[float]] = {}
    for arm in arms:
        for key, values in (*arm.grid.items(), *((k, [v]) for k, v in arm.set.items())):
            numbers = [v for v in values if isinstance(v, int | float) and v is not True]
            tried.setdefault(join_key(split_key(key)), []).extend(map(float, numbers))
    return tried


def _with(made: Range, values: Iterable[float]) -> Range:
    """Return a range that reaches these values."""
    low, high = min([made.low, *values]), max([made.high, *values])
    return replace(made, low=low, high=high)


def _strength(key: str) -> bool:
    parts = split_key(key)
    marker = parts[0] == "genome" and parts[1] in MARKERS
    return not (marker or parts[-1].startswith(LEFT_OUT))


def _all(model: ScenarioModel) -> Iterator[tuple[Range, bool]]:
    """Find all numbers of the parts, in their order, and whether the file gives them."""
    data, slots = plain(model), slot_of(ScenarioModel).fields
    for part in PARTS:
        if part in data:
            yield from _numbers(data[part], slots[part].chosen(data[part]), [part])


def _numbers(
    value: Any, slot: Slot, path: list[str | int], usual: Any = None
) -> Iterator[tuple[Range, bool]]:
    """Walk through a part; `usual` is the default of the place, where it has one."""
    if isinstance(value, bool | str) or value is None or slot.choices:
        return
    if isinstance(value, int | float):
        yield _range(join_key(path), value, slot), value != usual
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inner = slot.fields.get(key) or slot.item
            if inner is not None:
                default = None if inner.field is None else inner.field.default
                yield from _numbers(item, inner.chosen(item), [*path, key], default)
    else:
        for index, item in enumerate(value):
            if slot.item is not None and isinstance(item, Mapping):
                name = item_name(item)
                place: str | int = index if name is None else name
                yield from _numbers(item, slot.item.chosen(item), [*path, place])


def _range(key: str, value: float, slot: Slot) -> Range:
    """Return how far a number may go: its bounds, else from nothing to four times itself."""
    low = _bound(slot, Ge, "ge")
    low = _bound(slot, Gt, "gt") if low is None else low
    high = _bound(slot, Le, "le")
    high = _bound(slot, Lt, "lt") if high is None else high
    whole = slot.annotation is int
    size = max(4.0 * abs(value), 1.0)
    least = min(0.0, -size if value < 0 else 0.0) if low is None else low
    most = size if high is None or high > 100 * size else high
    least = max(least, -size)
    step = 1.0 if whole else 10.0 ** math.floor(math.log10((most - least) / 50.0))
    if _bound(slot, Gt, "gt") is not None:
        least += step
    return Range(key, value, min(least, value), max(most, value), step, whole)


def _bound(slot: Slot, kind: type, name: str) -> float | None:
    return next((float(getattr(r, name)) for r in slot.rules if isinstance(r, kind)), None)
