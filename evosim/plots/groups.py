"""Which arms share a panel, in which order, and what they look like.

Plain arms share panels of at most eight; each grid arm gets panels of its own, its cells in the
order of the swept parameter, with the controls beside them. A grid over two keys is split by the
key with fewer values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evosim.plots.style import Look, category, control, sequence
from evosim.scenario.keys import split_key

if TYPE_CHECKING:
    from evosim.scenario import ArmCell

MOST_LINES = 8
_MOST_BESIDE = 2

#: First parts of dotted keys that only say in which table of the file the key stands.
_SECTIONS = ("context", "cues", "population", "world", "mind", "genome", "selection")


@dataclass(frozen=True)
class ArmGroup:
    """The arms of one panel.

    Parameters
    ----------
    title : str
        Name of the grid arm, with the values that are the same in all its cells; "" for
        plain arms.
    looks : dict of str to Look
        Look of each arm label, in drawing order.
    names : dict of str to str
        Legend text of each arm label.
    key : str
        Readable name of the swept parameter; "" for plain arms.
    places : dict of str to float
        Value of the swept parameter by arm label.
    ticks : dict of float to str
        Texts of places that stand for values which are not numbers.
    arm : str
        Name of the grid arm; "" for plain arms.
    controls : dict of str to Look
        Plain controls that are drawn beside the cells of a grid arm.
    """

    title: str
    looks: dict[str, Look]
    names: dict[str, str]
    key: str = ""
    places: dict[str, float] = field(default_factory=dict)
    ticks: dict[float, str] = field(default_factory=dict)
    arm: str = ""
    controls: dict[str, Look] = field(default_factory=dict)


def key_name(key: str) -> str:
    """Return a dotted key as words: ``context.coin left.frequency`` -> ``coin left frequency``."""
    parts = split_key(key)
    if len(parts) > 1 and parts[0] in _SECTIONS:
        parts = parts[1:]
    return " ".join(part.replace("_", " ") for part in parts)


def value_name(value: object) -> str:
    """Return a grid value as short text."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def evenly(items: Sequence[str], most: int) -> list[str]:
    """Return at most `most` of `items`, evenly spaced, with the first and the last."""
    if len(items) <= most:
        return list(items)
    step = (len(items) - 1) / (most - 1)
    return [items[round(i * step)] for i in range(most)]


def arm_groups(
    cells: Sequence[ArmCell], present: Collection[str], *, beside: bool = True
) -> list[ArmGroup]:
    """Return the groups of the arms in `present`, plain arms first, then one or more per grid.

    Labels in `present` that no cell has (tables from elsewhere) count as plain arms. With
    `beside`, one or two controls are drawn in the panels of every grid arm, and get panels of
    their own only together with other plain arms.
    """
    known = [cell for cell in cells if cell.label in present]
    plain = [cell for cell in known if not cell.cell]
    labels = {cell.label: cell.control for cell in plain}
    labels |= {label: False for label in present if label not in {c.label for c in known}}
    groups = _plain_groups(labels)
    marked = {x: g.looks[x] for g in groups for x in g.looks if labels[x]}
    by_name: dict[str, list[ArmCell]] = {}
    for cell in known:
        if cell.cell:
            by_name.setdefault(cell.arm, []).append(cell)
    grids = [group for name, grid in by_name.items() for group in _grid_groups(name, grid)]
    if not beside or len(marked) > _MOST_BESIDE:
        return groups + grids
    if grids and all(labels.values()):
        groups = []
    return groups + [replace(group, controls=marked) for group in grids]


def lines(group: ArmGroup) -> tuple[dict[str, Look], int]:
    """Return the looks of the lines of a group and how many of its arms are left out."""
    keep = evenly(list(group.looks), MOST_LINES + 1)
    left_out = len(group.looks) - len(keep)
    return {label: group.looks[label] for label in keep} | group.controls, left_out


def _plain_groups(labels: Mapping[str, bool]) -> list[ArmGroup]:
    looks: dict[str, Look] = {}
    controls = 0
    for label, is_control in labels.items():
        looks[label] = control(controls) if is_control else category(len(looks) - controls)
        controls += is_control
    names = list(looks)
    groups = []
    for start in range(0, len(names), MOST_LINES):
        chunk = names[start : start + MOST_LINES]
        groups.append(ArmGroup("", {n: looks[n] for n in chunk}, {n: n for n in chunk}))
    return groups


def _grid_groups(name: str, cells: Sequence[ArmCell]) -> list[ArmGroup]:
    values: dict[str, list[object]] = {}
    for cell in cells:
        for key, value in cell.cell.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    key = max(values, key=lambda k: len(values[k]))
    others = [k for k in values if k != key and len(values[k]) > 1]
    split: dict[tuple[object, ...], list[ArmCell]] = {}
    for cell in cells:
        split.setdefault(tuple(cell.cell[k] for k in others), []).append(cell)
    chosen = [list(split)[int(i)] for i in evenly([str(i) for i in range(len(split))], 16)]
    return [_grid_group(name, key, dict(zip(others, at, strict=True)), split[at]) for at in chosen]


def _grid_group(
    name: str, key: str, fixed: Mapping[str, object], cells: Sequence[ArmCell]
) -> ArmGroup:
    texts: dict[float, str] = {}
    places: dict[str, float] = {}
    for cell in cells:
        value: object = cell.cell[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            place = next((p for p, t in texts.items() if t == value_name(value)), len(texts))
            texts[float(place)] = value_name(value)
            places[cell.label] = float(place)
        else:
            places[cell.label] = float(value)
    order = sorted(places, key=lambda label: places[label])
    looks = dict(zip(order, sequence(len(order), grey=cells[0].control), strict=True))
    names = {c.label: value_name(c.cell[key]) for c in cells}
    title = ", ".join([name, *(f"{key_name(k)} = {value_name(v)}" for k, v in fixed.items())])
    return ArmGroup(title, looks, names, key_name(key), places, texts, name)
