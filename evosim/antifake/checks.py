"""All checks by name, timed, with a file's own mistakes as failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from evosim.antifake.control import check_control
from evosim.antifake.dose import check_dose
from evosim.antifake.history import Small
from evosim.antifake.markers import check_markers
from evosim.antifake.measure import Measures
from evosim.antifake.neutral import check_neutral
from evosim.antifake.observer import check_observer
from evosim.antifake.reflect import check_reflected
from evosim.antifake.relabel import check_relabelling
from evosim.antifake.replay import check_replay
from evosim.antifake.row import Row, effect_of, judged
from evosim.antifake.sources import check_sources
from evosim.antifake.start import check_start
from evosim.errors import UserError
from evosim.scenario import Scenario

#: Checks at small sizes, in seconds.
QUICK: dict[str, Callable[[Scenario, Small], Row]] = {
    "F1": check_observer,
    "F2": check_replay,
    "F3": check_relabelling,
    "F7": check_sources,
    "F10": check_markers,
}
#: Checks of the declared effect at sizes that can decide, in minutes.
MEASURED: dict[str, Callable[[Scenario, Measures], Row]] = {
    "F4": check_neutral,
    "F5": check_reflected,
    "F6": check_dose,
    "F8": check_start,
    "F9": check_control,
}


def check_quick(scenario: Scenario, name: str, lived: Small | None = None) -> Row:
    """Make one of the quick checks.

    Parameters
    ----------
    scenario : Scenario
    name : str
        A key of `QUICK`.
    lived : Small, optional
        Histories that the checks of one file share.

    Returns
    -------
    Row
        A failure as well where the scenario cannot be checked, with the reason.
    """
    shared = lived or Small(scenario)
    return _timed(scenario, name, lambda: QUICK[name](scenario, shared))


def check_measured(scenario: Scenario, name: str, measures: Measures | None = None) -> Row:
    """Make one of the checks that measure the declared effect.

    Parameters
    ----------
    scenario : Scenario
    name : str
        A key of `MEASURED`.
    measures : Measures, optional
        Values that the checks of one file share.

    Returns
    -------
    Row
        As `check_quick`.
    """
    return _timed(scenario, name, lambda: MEASURED[name](scenario, measures or Measures(scenario)))


def check_file(path: str | Path, names: Iterable[str] = tuple(QUICK)) -> list[Row]:
    """Check a scenario file.

    Parameters
    ----------
    path : path
    names : iterable of str
        F1 to F10; default: the quick ones.

    Returns
    -------
    list of Row

    Raises
    ------
    UserError
        If the file is no scenario, or declares no effect.
    """
    scenario = Scenario.load(path)
    effect_of(scenario)
    lived, measures = Small(scenario), Measures(scenario)
    return [
        check_quick(scenario, name, lived)
        if name in QUICK
        else check_measured(scenario, name, measures)
        for name in names
    ]


def _timed(scenario: Scenario, name: str, check: Callable[[], Row]) -> Row:
    begun = time.process_time()
    try:
        row = check()
    except UserError as error:
        row = judged(scenario, name, False, error.one_line())
    return replace(row, seconds=time.process_time() - begun)
