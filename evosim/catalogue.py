"""The scenarios of a folder, and what a scenario would cost to run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evosim.errors import UserError

if TYPE_CHECKING:
    from evosim.scenario import Scenario


@dataclass(frozen=True)
class Entry:
    """One scenario file as its head describes it; `error` when it cannot be read."""

    file: Path
    title: str = ""
    systems: tuple[str, ...] = ()
    slow: bool = False
    takes: str = ""
    error: UserError | None = None


def list_folder(folder: Path) -> list[Entry]:
    """Return the scenario files of a folder, by name, without checking them in full.

    Parameters
    ----------
    folder : path
        Its ``*.toml`` files are read.

    Returns
    -------
    list of Entry
        Broken files are entries with an `error`.

    Raises
    ------
    UserError
        The folder is missing, cannot be read, or holds no such file.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise UserError(f"cannot list: {error.strerror}", file=folder) from error
    if not files:
        raise UserError("holds no scenario files (*.toml)", file=folder)
    return [_read(file) for file in files]


def describe_file(file: Path) -> str:
    """Return what stands in a scenario or study file in one line, once it is checked.

    Raises
    ------
    UserError
        The first mistake.
    """
    from evosim.api import find_file, prepare
    from evosim.scenario.load import is_study, parse, read_text

    text = read_text(find_file(file))
    if not is_study(text):
        return describe(prepare(file, {}))
    from evosim.studies.file import check_study
    from evosim.studies.plan import code_version, make_plan

    study = check_study(parse(text, file), file, text)
    runs = make_plan(study, code_version(study.plugins, study.base))
    return (
        f"{study.model.title}; {len(runs)} runs ({runs['point'].nunique()} points), "
        f"each: {describe(study.base)}"
    )


def describe(scenario: Scenario) -> str:
    """Return title, systems, arms and estimated cost in one line."""
    from evosim.cost import estimate_cost
    from evosim.units import size

    cost = estimate_cost(scenario)
    model = scenario.model
    systems = f" ({', '.join(model.systems)})" if model.systems else ""
    arms = f"{cost.arms} arm{'s' if cost.arms > 1 else ''}"
    return (
        f"{model.title}{systems}; {arms}, about {cost.lives:.3g} agent-generations, "
        f"{size(cost.memory)} of memory"
    )


def _read(file: Path) -> Entry:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return Entry(file, error=UserError(f"cannot read: {error.strerror}", file=file))
    except ValueError as error:
        return Entry(file, error=UserError(f"is no TOML: {error}", file=file))
    systems = data.get("systems", [])
    slow = data.get("slow") is True
    return Entry(
        file,
        title=str(data.get("title", "")),
        systems=tuple(map(str, systems)) if isinstance(systems, list) else (),
        slow=slow,
        takes=str(data.get("takes") or "slow") if slow else "",
    )
