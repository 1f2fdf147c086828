"""Scenarios: what a file says, validated, with arms, segments and a hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evosim.errors import UserError, did_you_mean
from evosim.scenario.arms import ArmCell, arm_error, expand
from evosim.scenario.check import check_arms, check_model
from evosim.scenario.check_claims import check_claims
from evosim.scenario.lines import KeyLines
from evosim.scenario.load import parse, placed, read_text, validate
from evosim.scenario.model import ScenarioModel
from evosim.scenario.override import override, parse_assignments
from evosim.scenario.resolved import content_hash, plain, toml_text
from evosim.scenario.segments import Segment, dropped, segments

__all__ = [
    "ArmCell",
    "Scenario",
    "ScenarioModel",
    "Segment",
    "dropped",
    "parse_assignments",
    "segments",
]


@dataclass(frozen=True)
class Scenario:
    """A scenario that has passed all checks.

    Attributes
    ----------
    model : ScenarioModel
        The file's own arm, with all defaults, and everything that is not an arm's.
    path : Path or None
        The file it was loaded from.
    text : str
        The file's text; empty where it was made from data.
    """

    model: ScenarioModel
    path: Path | None = field(default=None, compare=False)
    text: str = field(default="", compare=False, repr=False)

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """Read and check a scenario file.

        Parameters
        ----------
        path : path
            A TOML file.

        Returns
        -------
        Scenario

        Raises
        ------
        UserError
            The first mistake: file, line, key, what is allowed.
        """
        return cls.from_text(read_text(path), Path(path))

    @classmethod
    def from_text(cls, text: str, path: str | Path | None = None) -> Scenario:
        """Check a scenario given as TOML text; `path` is the file's name in errors."""
        file = Path(path) if path is not None else None
        return cls._checked(parse(text, file), file, text)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str | Path | None = None) -> Scenario:
        """Check a scenario given as nested tables, as ``tomllib`` returns them."""
        return cls._checked(data, Path(path) if path is not None else None, "")

    @classmethod
    def _checked(cls, data: Any, path: Path | None, text: str) -> Scenario:
        lines = KeyLines(text)
        model = validate(data, file=path, lines=lines)
        scenario = cls(model, path, text)
        try:
            check_model(model)
            cells = scenario.arms()
            for cell in cells:
                _check_cell(cell, model)
            check_arms(model, cells)
            check_claims(model, cells)
        except UserError as error:
            raise placed(error, plain(model), file=path, lines=lines) from None
        except RecursionError:
            raise UserError("nested too deeply", file=path) from None
        return scenario

    def arms(self) -> list[ArmCell]:
        """Return all that a run simulates: the file's own arm, then the cells of the others."""
        return list(self._cells)

    def cell(self, label: str | None = None) -> ArmCell:
        """Return one of `arms` by its label; default: the file's own, or the first.

        Raises
        ------
        UserError
            There is none of this label.
        """
        cells = {cell.label: cell for cell in self._cells}
        chosen = next(iter(cells)) if label is None else label
        if chosen not in cells:
            raise UserError(
                f"no arm '{chosen}'",
                key="arm",
                allowed=", ".join(cells),
                hint=did_you_mean(chosen, cells),
            )
        return cells[chosen]

    @cached_property
    def _cells(self) -> tuple[ArmCell, ...]:
        return tuple(expand(self.model))

    def override(self, changes: Mapping[str, Any]) -> Scenario:
        """Return the scenario with some keys set to new values.

        Parameters
        ----------
        changes : mapping of str to any
            Dotted key -> value, e.g. ``{"population.agents": 64}``; a table replaces a whole
            table. Setting frequencies of contexts rescales those of the others.

        Returns
        -------
        Scenario
            Checked anew.

        Raises
        ------
        UserError
            A key leads nowhere, or the result is no valid scenario.
        """
        try:
            data = override(plain(self.model), changes)
        except UserError as error:
            raise error.located(self.path, None) from None
        except RecursionError:
            raise UserError("nested too deeply", file=self.path) from None
        # Lines of the file would mislead where the mistake is in the change.
        return self._checked(data, self.path, "")._with_text(self.text)

    def replace(self, **changes: Any) -> Scenario:
        """Return the scenario with keys changed: ``replace(**{"population.agents": 64})``."""
        return self.override(changes)

    def _with_text(self, text: str) -> Scenario:
        return Scenario(self.model, self.path, text)

    def notes(self) -> list[str]:
        """Return what the run will leave out: phases and interventions after its end."""
        return list(dict.fromkeys(note for cell in self._cells for note in dropped(cell.model)))

    def hash(self) -> str:
        """Return the sha256 of all that decides the results (not prose, order or comments)."""
        return content_hash(self.model)

    def toml(self) -> str:
        """Return the resolved scenario as TOML; it loads to an equal scenario."""
        return toml_text(self.model)


def _check_cell(cell: ArmCell, own: ScenarioModel) -> None:
    """Check one cell; an error in an arm says in which."""
    try:
        if cell.model is not own:
            check_model(cell.model)
        segments(cell.model)
    except UserError as error:
        if cell.model is own:
            raise
        arm = next(arm for arm in own.arm if arm.name == cell.arm)
        raise arm_error(error, arm) from None
