"""The figure of the spectrum: minds by horizon and lock-in, from tables of several scenarios."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from evosim.errors import UserError
from evosim.plots.style import figure_style
from evosim.results import Run, save
from evosim.scenario import Scenario

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "analysis" / "spectrum.py"
#: horizon, locked in, unlock dose of the minds below.
MINDS = {
    "reflex": (0.0, 0.6, 12.0),
    "model-free": (0.0, 0.95, 2.0),
    "lookahead": (2.0, 1.0, 327.0),
    "abstract": (4.0, 1.0, 401.0),
    "reflective": (4.0, 1.0, 401.0),
}
EMPTY = pd.DataFrame({"arm": pd.Series(dtype="str")})


def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def bench(path: Path = Path("nowhere/spectrum")) -> SimpleNamespace:
    """Return made-up results of the repository's scenario, 200 pairs of lives per arm."""
    scenario = Scenario.load(ROOT / "scenarios" / "spectrum.toml")
    rows = []
    for cell in scenario.arms():
        horizon, locked, dose = MINDS[cell.model.mind.kind]
        found = {
            "horizon": horizon, "lock_in": locked, "unlock_dose": dose, "coverage_gap": 1.0,
            "competence": -0.1,
        }  # fmt: skip
        for generation in (0, 1):
            at = generation == 0
            own = {f"trial.accident.{k}": v if at else np.nan for k, v in found.items()}
            own["trial.calm.lock_in"] = 0.0 if at else np.nan
            head = {"arm": cell.label, "generation": generation}
            rows += [head | own | {"replicate": r} for r in range(200)]
    return SimpleNamespace(scenario=scenario, trajectory=pd.DataFrame(rows), path=path)


def evolving(path: Path) -> SimpleNamespace:
    """Return made-up results of the evolving scenario: lock-in that rises by chance."""
    rng = np.random.default_rng(1)
    scenario = Scenario.load(ROOT / "scenarios" / "spectrum_evolving.toml")
    rows = [
        {
            "arm": cell.label, "replicate": r, "generation": g,
            "trial.accident.lock_in": rng.random() if g % 20 == 0 else np.nan,
        }
        for cell in scenario.arms()
        for r in range(6)
        for g in range(0, 301, 10)
    ]  # fmt: skip
    return SimpleNamespace(scenario=scenario, trajectory=pd.DataFrame(rows), path=path)


def stored(run: SimpleNamespace, path: Path) -> Run:
    names = ("contexts", "assays", "trials", "ledger", "predictions", "scores", "claims")
    tables = {"trajectory": run.trajectory} | dict.fromkeys(names, EMPTY)
    kept = Run({"schema_version": 1}, scenario=run.scenario, tables=tables, population={})
    save(kept, path)
    return kept


def drawn(run: SimpleNamespace) -> Figure:
    with figure_style():
        figure: Figure = script()["draw"](run)
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure, letter: str) -> list[str]:
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith(letter))
    return [text.get_text() for text in ax.texts]


def test_make_spectrum_runs_what_the_figure_reads() -> None:
    named = re.search(r"^SPECTRUM := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named is not None
    made = script()
    assert named.group(1).split() == ["spectrum", made["EVOLVING"], *made["NATIVE"]]


def test_every_mind_has_one_point_with_its_dose() -> None:
    points = script()["bench_points"](bench())
    assert [p.mind for p in points] == list(MINDS)
    assert [p.dose for p in points] == ["12", "2", "327", "> 400", "> 400"]
    assert {p.lives for p in points} == {400}
    found = np.array([(p.horizon, p.locked) for p in points])
    np.testing.assert_allclose(found, [v[:2] for v in MINDS.values()])


def test_equal_points_stand_side_by_side() -> None:
    made = script()
    places = made["side_by_side"](made["bench_points"](bench()))
    assert places == pytest.approx([0.0, 0.0, 2.0, 4.0, 4.0 + made["APART"]])


def test_points_do_not_cover_each_other_nor_a_dose() -> None:
    made = script()
    near = [(0.0, 0.9), (4.0, 1.0), (0.0, 0.83), (3.0, 0.95), (3.0, 0.89), (3.0, 0.2)]
    points = [made["Point"]("reflex", 9, y, 0.0, x, 0.0, 0.0, "3") for x, y in near]
    places = made["side_by_side"](points)
    apart = made["APART"]
    assert places == pytest.approx([0.0, 4.0, apart, 3.0, 3.0 + apart, 3.0])
    aside = [made["beside_point"](points, places, i) for i in range(len(points))]
    assert aside == [False, True, False, False, False, False]


def test_missing_results_leave_a_note() -> None:
    figure = drawn(bench())
    assert "327" in texts(figure, "a")
    assert texts(figure, "b")[0].startswith("no results of racer")
    assert "spectrum_evolving" in texts(figure, "c")[0]


def test_results_beside_it_are_drawn(tmp_path: Path) -> None:
    stored(evolving(tmp_path), tmp_path / "spectrum_evolving")
    stored(bench(), tmp_path / "fork")
    figure = drawn(bench(tmp_path / "spectrum"))
    assert texts(figure, "c") == []
    assert texts(figure, "b") == ["fork", "327"]  # of the file's own arm
    arms = len(evolving(tmp_path).scenario.arms())
    right = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("c"))
    assert len([line for line in right.lines if len(line.get_xdata()) == 16]) == arms


def steering(path: Path, late: float) -> SimpleNamespace:
    """Return made-up populations: of 20 that steer 16 are locked in; `late`: steers at the end."""
    scenario = Scenario.load(ROOT / "scenarios" / "steering.toml")
    rows = [
        {
            "arm": cell.label, "replicate": r, "generation": g,
            "assay.searched in English": 0.9 if cell.arm == "cheap" and r < 16 else 0.1,
            "assay.steer, first turn": 0.3 + 0.01 * r if cell.arm == "cheap" else 0.3,
            "assay.steer, last turn": late * (cell.arm == "cheap") + 0.01 * r,
        }
        for cell in scenario.arms()
        for r in range(20)
        for g in (0, 300)
    ]  # fmt: skip
    return SimpleNamespace(scenario=scenario, trajectory=pd.DataFrame(rows), path=path)


@pytest.mark.parametrize(("late", "horizon"), [(0.5, 1.0), (0.05, 0.0)])
def test_a_world_whose_learner_is_a_population(late: float, horizon: float) -> None:
    """A change of 0.095 in the first turn is too small to count, one of 0.5 in the last is not."""
    made = script()
    run = steering(Path("nowhere/steering"), late)
    (point,) = made["native_points"]({"steering": run})
    assert (point.world, point.mind, point.lives) == ("steering", "abstract", 20)
    assert (point.locked, point.calm, point.horizon) == (0.8, 0.0, horizon)
    assert made["area"](point.gap) == made["area"](0.0)


def test_trials_before_the_lock_beside_the_poisson_line() -> None:
    """Of 20 populations 16 lock in at generation 100, after 50 trials of which 0.8 succeed."""
    made = runpy.run_path(str(ROOT / "analysis" / "steering.py"))
    scenario = Scenario.load(ROOT / "scenarios" / "steering.toml")
    rows = [
        {
            "arm": cell.label, "replicate": r, "generation": g,
            "assay.searched in English": 0.9 if cell.arm == "cheap" and r < 16 and g else 0.1,
            "total.Chinese B": np.nan if cell.arm == "language only" else g / 2,
            "model.Chinese B": 0.8,
        }
        for cell in scenario.arms()
        for r in range(20)
        for g in (0, 100, 300)
    ]  # fmt: skip
    run = SimpleNamespace(scenario=scenario, trajectory=pd.DataFrame(rows), path=None)
    found = {point.arm: point for point in made["points"](run)}
    assert found.keys() == {cell.label for cell in scenario.arms()} - {"language only"}
    cheap, dear = found["cheap"], found["dear"]
    assert (cheap.locked, cheap.populations, cheap.trials, cheap.high) == (16, 20, 40.0, 40.0)
    assert (dear.locked, dear.trials, dear.control) == (0, 120.0, False)
    with figure_style():
        figure = made["draw"](run)
        figure.draw_without_rendering()
    (ax,) = (ax for ax in figure.axes if ax.get_xscale() == "log")
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(y, np.exp(-x))
    assert "cheap" in [text.get_text() for text in ax.texts]
    assert "audit" not in [text.get_text() for text in ax.texts]
    run.trajectory = run.trajectory[["arm", "replicate", "generation"]]
    with pytest.raises(UserError, match="a column 'total"):
        made["points"](run)


def test_a_run_without_trials_says_what_is_missing() -> None:
    run = bench()
    run.trajectory = run.trajectory[["arm", "replicate", "generation"]]
    with pytest.raises(UserError, match="needs trials of several minds"):
        drawn(run)


def test_the_script_writes_beside_the_run(tmp_path: Path) -> None:
    stored(bench(), tmp_path / "spectrum")
    for place, code in ((tmp_path, 0), (tmp_path / "nothing", 2)):
        done = subprocess.run(
            [sys.executable, "-W", "error", str(SCRIPT), str(place)],
            capture_output=True, text=True, check=False, timeout=120, env=None,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert done.stderr.count("\n") == (code > 0)
    assert (tmp_path / "spectrum.png").stat().st_size > 0
