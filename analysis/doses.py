"""The dose of each effect: what the study files say of it, measured and predicted.

Usage: python analysis/doses.py [RESULTS_DIR]

Reads only the tables of finished studies whose file has a table [dose], and draws a figure for
each beside its directory: the measure against the parameter, a line per arm with its interval and
a dot per population; dotted upright lines where theory has the effect turn, and a broad grey line
where it says what the measure is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evosim.plots.assays import draw_points
from evosim.plots.bands import band
from evosim.plots.layout import Legend, page
from evosim.plots.script import every_study_script, need
from evosim.plots.style import Look, category, clean, control, wrap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evosim.studies.results import Study

#: Theory is grey, without points: a broad line behind the data, and dotted upright ones.
_THEORY = "0.25"
_PREDICTED = Look("0.72", (), "", width=3.2)
_THRESHOLD = Look(_THEORY, (1.0, 1.5), "", width=1.0)


def has_dose(study: Study) -> bool:
    """Whether the study's file says what its figure shows, and a run is done."""
    return bool(study.info.get("dose")) and study.counts()["done"] > 0


def draw(study: Study) -> Figure:
    """Return the figure of a study with a table [dose]."""
    dose = study.info["dose"]
    x = dose.get("parameter") or study.parameters[0]
    data = study.measured(dose["measure"], dose.get("generation"))
    data = data.dropna(subset=["value"])
    need(len(data) > 0, f"the measure '{dose['measure']}'", study)
    looks = _looks(study, list(dict.fromkeys(data["arm"])))
    legend = Legend("", *_entries(looks, dose))
    populations = data.groupby(["arm", x]).size().max()
    when = dose.get("generation")
    note = (
        f"Means over {populations} populations with 95% bootstrap intervals; "
        f"{'last generation' if when is None else f'generation {when}'}."
    )
    figure, panels = page(study.info["title"], [6.2], [3.5], [legend], note=note)
    ax = panels[0, 0]
    _arms(ax, data, x, looks)
    _theory(ax, dose, sorted(set(data[x])))
    if dose.get("scale") == "log":
        ax.set_xscale("log")
    ax.set_xlabel(clean(_key(study, x)))
    ax.set_ylabel(wrap(clean(dose["measure"].replace("assay.", "")), 34))
    return figure


def _key(study: Study, parameter: str) -> str:
    """Return the parameter's name, and the scenario's key that it stands for."""
    key = study.keys[parameter]
    return parameter if key == parameter else f"{parameter} ({key})"


def _looks(study: Study, arms: list[str]) -> dict[str, Look]:
    """Return a look per arm; controls are hollow and grey."""
    controls = {arm.name for arm in study.scenario.model.arm if arm.control}
    own = [arm for arm in arms if arm not in controls]
    looks = {arm: category(i) for i, arm in enumerate(own)}
    looks |= {arm: control(i) for i, arm in enumerate(a for a in arms if a in controls)}
    return {arm: replace(looks[arm], marker="os^Dv"[i % 5]) for i, arm in enumerate(arms)}


def _entries(looks: dict[str, Look], dose: dict[str, Any]) -> tuple[list[object], list[str]]:
    entries = {clean(arm): look.handle() for arm, look in looks.items()}
    if dose.get("predicted"):
        entries["theory"] = _PREDICTED.handle()
    if dose.get("thresholds"):
        entries["predicted turn"] = _THRESHOLD.handle()
    return list(entries.values()), list(entries)


def _arms(ax: Axes, data: pd.DataFrame, x: str, looks: dict[str, Look]) -> None:
    for arm, look in looks.items():
        found = band(data[(data["arm"] == arm).to_numpy()], "value", x=x)
        if found is not None:
            draw_points(ax, found, look)


def _theory(ax: Axes, dose: dict[str, Any], values: list[float]) -> None:
    for place in dose.get("thresholds") or ():
        ax.axvline(place, **_THRESHOLD.line(), zorder=0)
    if dose.get("level") is not None:
        ax.axhline(dose["level"], color="0.5", linewidth=0.8, dashes=(2, 2), zorder=0)
    if dose.get("predicted"):
        ax.plot(np.asarray(values, float), dose["predicted"], **_PREDICTED.line(), zorder=0.5)


if __name__ == "__main__":
    raise SystemExit(every_study_script(str(__doc__), has_dose, draw))
