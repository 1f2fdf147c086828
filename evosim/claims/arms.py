"""Which cells of which arms a claim is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from evosim.errors import UserError, did_you_mean
from evosim.scenario.study_parts import Claim


class Cell(Protocol):
    """One cell of one arm: what is run."""

    @property
    def label(self) -> str:
        """Unique name, the value of the tables' column `arm`."""

    @property
    def arm(self) -> str:
        """Name of the arm."""

    @property
    def cell(self) -> Mapping[str, Any]:
        """Grid key = value; empty without a grid."""


def over_grid(claim: Claim) -> bool:
    """Tell whether the comparison runs along a grid arm instead of judging one value."""
    return any(part is not None for part in (claim.crosses, claim.trend, claim.monotone))


def cells_of(name: str, cells: Sequence[Cell], key: str | None = None) -> list[Cell]:
    """Return the cells of an arm, or the one cell with this label.

    Raises
    ------
    UserError
        If there is none, with the closest known arm.
    """
    found = [c for c in cells if c.label == name] or [c for c in cells if c.arm == name]
    if not found:
        arms = list(dict.fromkeys(c.arm for c in cells))
        raise UserError(
            f"unknown arm '{name}'",
            key=key,
            allowed=", ".join(arms) or None,
            hint=did_you_mean(name, arms),
        )
    return found


def judged_cells(claim: Claim, cells: Sequence[Cell], key: str | None = None) -> list[Cell]:
    """Return the cells that the claim's `arm` and `cell` leave.

    Parameters
    ----------
    claim : Claim
        Without `arm` it is about the file's own arm, or the only one.
    cells : sequence of cells
        All cells of the scenario.
    key : str, optional
        Dotted key of the claim, e.g. ``claim.2``.

    Returns
    -------
    list of cells
        At least one.

    Raises
    ------
    UserError
        If the arm, a grid key or a grid value is unknown.
    """
    prefix = f"{key}." if key else ""
    arm = claim.arm if claim.arm is not None else _own_arm(cells, f"{prefix}arm")
    found = cells_of(arm, cells, f"{prefix}arm")
    for grid_key, value in claim.cell.items():
        known = list(dict.fromkeys(k for c in found for k in c.cell))
        if grid_key not in known:
            raise UserError(
                f"arm '{arm}' has no grid key '{grid_key}'",
                key=f"{prefix}cell",
                allowed=", ".join(known) or "no cell: the arm has no grid",
                hint=did_you_mean(grid_key, known),
            )
        values = list(dict.fromkeys(c.cell[grid_key] for c in found))
        found = [c for c in found if c.cell[grid_key] == value]
        if not found:
            raise UserError(
                f"the grid of '{arm}' has no {grid_key} = {value:g}",
                key=f"{prefix}cell",
                allowed=", ".join(str(v) for v in values),
            )
    return found


def _own_arm(cells: Sequence[Cell], key: str) -> str:
    arms = list(dict.fromkeys(c.arm for c in cells))
    base = getattr(getattr(cells[0], "model", None), "base_arm", "base") if cells else "base"
    if base in arms:
        return str(base)
    if len(arms) != 1:
        raise UserError("the claim names no arm", key=key, allowed=", ".join(arms) or None)
    return arms[0]


def single_cell(claim: Claim, cells: Sequence[Cell], key: str | None = None) -> Cell:
    """Return the one cell that a claim about a value is judged on.

    Raises
    ------
    UserError
        If `arm` and `cell` leave more than one.
    """
    found = judged_cells(claim, cells, key)
    if len(found) > 1:
        keys = ", ".join(found[0].cell)
        raise UserError(
            f"arm '{found[0].arm}' has {len(found)} cells here",
            key=f"{key}.cell" if key else "cell",
            allowed=f"one value for each of: {keys}",
        )
    return found[0]


def grid_line(
    claim: Claim, cells: Sequence[Cell], key: str | None = None
) -> list[tuple[float, Cell]]:
    """Return the cells that a claim runs along, in order of the one grid key that varies.

    Returns
    -------
    list of (value, cell)
        In ascending order of the grid key that `cell` leaves free; at least two.

    Raises
    ------
    UserError
        If not exactly one numeric grid key is left with two values or more.
    """
    found = judged_cells(claim, cells, key)
    keys = dict.fromkeys(k for c in found for k in c.cell)
    free = [k for k in keys if len({c.cell[k] for c in found}) > 1]
    if len(free) != 1:
        raise UserError(
            f"arm '{found[0].arm}' varies {len(free)} grid keys here, not one",
            key=f"{key}.{'cell' if free else 'arm'}" if key else None,
            allowed=f"a value in cell for all but one of: {', '.join(free)}"
            if free
            else "an arm with a grid of two values or more",
        )
    if any(isinstance(c.cell[free[0]], str) for c in found):
        raise UserError(
            f"the grid of '{found[0].arm}' over {free[0]} holds text",
            key=f"{key}.arm" if key else None,
            allowed="numbers",
        )
    return sorted(((float(c.cell[free[0]]), c) for c in found), key=lambda point: point[0])


def partner(name: str, cell: Cell, cells: Sequence[Cell], key: str | None = None) -> Cell:
    """Return the cell that `cell` is compared with, for `minus` and `over`.

    The partner of a grid cell is the cell of the other arm that agrees on every shared grid
    key, or its only cell.

    Raises
    ------
    UserError
        If there is none, more than one, or it is the same cell.
    """
    found = cells_of(name, cells, key)
    if len(found) > 1:
        found = [
            c
            for c in found
            if set(c.cell) <= set(cell.cell) and all(cell.cell[k] == v for k, v in c.cell.items())
        ]
    if len(found) != 1:
        raise UserError(
            f"arm '{name}' has no single cell to compare with '{cell.label}'",
            key=key,
            allowed="an arm with one cell, or with the same grid",
        )
    if found[0].label == cell.label:
        raise UserError(f"'{cell.label}' is compared with itself", key=key, allowed="another arm")
    return found[0]
