"""Faults of a claim that can be found without running anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from evosim.claims.arms import Cell, grid_line, over_grid, partner, single_cell
from evosim.claims.names import Measured, parse_measure
from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.scenario.study_parts import Claim


def check_claim(
    claim: Claim,
    model: ScenarioModel,
    cells: Sequence[Cell],
    names: Collection[str],
    *,
    index: int | None = None,
) -> None:
    """Check a claim against the scenario it stands in.

    Parameters
    ----------
    claim : Claim
        The claim.
    model : ScenarioModel
        The whole file, which gives the claim its number.
    cells : sequence of cells
        All cells of all arms.
    names : collection of str
        From `measure_names`.
    index : int, optional
        Number of the claim in the file; default: looked up in `model`.

    Raises
    ------
    UserError
        With the key ``claim.<index>.<part>``, what is allowed and the closest known name.
    """
    if index is None:
        index = next((i for i, other in enumerate(model.claim) if other is claim), None)
    key = "claim" if index is None else f"claim.{index}"
    measured = parse_measure(claim.measure, names, f"{key}.measure")
    check_shape(claim, measured, key)
    if over_grid(claim):
        judged = [cell for _, cell in grid_line(claim, cells, key)]
    else:
        judged = [single_cell(claim, cells, key)]
    for name in claim.apart or ():
        partner(name, judged[0], cells, f"{key}.apart")
    for part in ("minus", "over"):
        other = getattr(claim, part)
        if other is not None:
            for cell in judged:
                partner(other, cell, cells, f"{key}.{part}")


def check_shape(claim: Claim, measured: Measured, key: str = "claim") -> None:
    """Check that the parts of a claim go together.

    Raises
    ------
    UserError
        With the key ``<key>.<part>`` and what is allowed.
    """
    if claim.crosses is not None and not claim.crosses.between[0] < claim.crosses.between[1]:
        raise UserError("low is not below high", key=f"{key}.crosses.between", allowed="low < high")
    if over_grid(claim) and claim.over is not None:
        raise UserError(
            "a ratio has no grid comparison",
            key=f"{key}.over",
            allowed="minus, or above, below, between, equals",
        )
    _check_time(claim, key)
    if measured.threshold is not None and claim.statistic != "value":
        raise UserError(
            "a measure compared with a number is 0 or 1",
            key=f"{key}.statistic",
            allowed="statistic = 'value'",
        )
    if measured.differs:
        _check_differs(claim, key)
    if claim.apart is not None and (measured.before is None or over_grid(claim)):
        raise UserError(
            "arms with an event each go with a measure that says which is first",
            key=f"{key}.apart",
            allowed="measure = 'MEASURE > NUMBER before MEASURE > NUMBER', and no grid comparison",
        )
    allowed = _intervals(claim)
    if claim.interval not in allowed:
        raise UserError(
            f"interval '{claim.interval}' does not fit this claim",
            key=f"{key}.interval",
            allowed=", ".join(allowed),
        )


def _check_time(claim: Claim, key: str) -> None:
    at = claim.at
    if at is None or claim.statistic not in ("slope", "time"):
        return
    if at.generation is not None or at.start == at.end:
        raise UserError(
            f"statistic '{claim.statistic}' reads a stretch of generations",
            key=f"{key}.at",
            allowed="{ start = ..., end = ... } with start < end, or no `at`: the whole run",
        )


def _check_differs(claim: Claim, key: str) -> None:
    if claim.minus is None or over_grid(claim):
        raise UserError(
            "'differs.' compares the bits of two arms",
            key=f"{key}.measure",
            allowed="minus = the other arm, with above, below, between or equals",
        )
    if claim.statistic != "value":
        raise UserError("'differs.' is 0 or 1", key=f"{key}.statistic", allowed="value")


def _intervals(claim: Claim) -> tuple[str, ...]:
    if claim.crosses is not None:
        return ("auto",)
    if claim.over is not None:
        return ("auto", "exact") if claim.statistic == "time" else ("auto", "bca")
    if claim.trend is not None or claim.monotone is not None:
        return ("auto", "t", "bca")
    if claim.statistic == "time":
        return ("auto", "exact")
    return ("auto", "t", "bca", "exact") if claim.statistic == "value" else ("auto", "t", "bca")
