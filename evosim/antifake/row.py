"""What a check found: one row of the table, and the table as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from evosim.errors import UserError
from evosim.scenario import Scenario
from evosim.scenario.study_parts import Effect

Verdict = Literal["pass", "fail", "not applicable"]
PASS: Verdict = "pass"
FAIL: Verdict = "fail"
NOT_APPLICABLE: Verdict = "not applicable"


@dataclass(frozen=True)
class Row:
    """The result of one check on one scenario file.

    Attributes
    ----------
    check : str
        F1 to F10.
    file : str
        The scenario file's name, or its title where it was made from data.
    verdict : str
        pass, fail or not applicable.
    reason : str
        What was compared and came out; for "not applicable", why.
    number : float or None
        What the verdict rests on, in the check's own unit (see the check's function).
    seconds : float
        Processor time.
    """

    check: str
    file: str
    verdict: Verdict
    reason: str
    number: float | None = None
    seconds: float = 0.0


def file_of(scenario: Scenario) -> str:
    """Return how rows name a scenario."""
    return scenario.path.name if scenario.path is not None else scenario.model.title


def judged(
    scenario: Scenario, check: str, good: bool, reason: str, number: float | None = None
) -> Row:
    """Return the row of a check that could be made."""
    return Row(check, file_of(scenario), PASS if good else FAIL, reason, number)


def pointless(scenario: Scenario, check: str, reason: str) -> Row:
    """Return the row of a check that the kind of scenario leaves nothing to do for."""
    return Row(check, file_of(scenario), NOT_APPLICABLE, reason)


def excused(scenario: Scenario, check: str) -> Row | None:
    """Return the row of a check that the file itself says does not apply, else None."""
    effect = scenario.model.effect
    reason = None if effect is None else effect.not_applicable.get(check)
    return None if reason is None else pointless(scenario, check, reason)


def effect_of(scenario: Scenario) -> Effect:
    """Return the file's declared effect.

    Raises
    ------
    UserError
        If it declares none.
    """
    if scenario.model.effect is None:
        raise UserError(
            "declares no effect, so that it cannot be checked for being built in",
            file=scenario.path,
            key="effect",
            allowed="[effect] with measure, arm, control, mechanism and margin",
        )
    return scenario.model.effect


def table(rows: Iterable[Row]) -> str:
    """Return rows as aligned text, by file and check."""
    ordered = sorted(rows, key=lambda row: (row.file, int(row.check[1:])))
    head = ("file", "check", "verdict", "number", "s", "reason")
    lines = [head] + [
        (
            row.file,
            row.check,
            row.verdict,
            "" if row.number is None else f"{row.number:.4g}",
            f"{row.seconds:.1f}",
            row.reason,
        )
        for row in ordered
    ]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[-1]])
        for line in lines
    )
