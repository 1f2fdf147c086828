"""Figures of studies: thresholds are found where they were put, and drawn where theory has them."""

import runpy
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evosim.catalogue import describe_file
from evosim.errors import UserError
from evosim.plots.script import every_study_script, find_study, study_script
from evosim.plots.style import figure_style

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "scenarios" / "studies").glob("*.toml"))


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "analysis" / "coinrun_dose.py"))


def made(threshold):
    """Return a study in which the share that goes to the coin passes 1/2 at `threshold(v)`."""
    rng = np.random.default_rng(1)
    rows = []
    for v in (0.25, 0.5, 0.75):
        for rho in np.linspace(0, 0.5, 11):
            for generation in (0, 20, 40):
                for replicate in range(6):
                    logit = 8 * (rho - threshold(v)) + 0.02 * rng.standard_normal()
                    share = 0.5 if generation == 0 else 1 / (1 + np.exp(-logit))
                    key = {"rho": rho, "v": v, "replicate": replicate, "generation": generation}
                    rows.append(key | {"assay": "reaches a visible left coin", "value": share / 2})
                    rows.append(key | {"assay": "runs right past it", "value": (1 - share) / 2})
    return SimpleNamespace(assays=pd.DataFrame(rows), info={"title": "Dose"}, path=Path("there"))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_shipped_studies_are_sound_and_have_a_figure(file):
    assert " runs (" in describe_file(file)
    data = tomllib.loads(file.read_text())
    # A script of its own, or the one for all that say what their figure shows.
    assert "dose" in data or (ROOT / "analysis" / file.name).with_suffix(".py").exists()
    assert data["prose"]
    assert file.read_text().startswith("#:schema ../../evosim/schema/study.schema.json\n")


@pytest.mark.validate  # a scenario may come a while before its study
def test_every_effect_with_a_dose_has_a_study_of_it():
    varied = {}
    for file in STUDIES:
        data = tomllib.loads(file.read_text())
        names = data.get("names", {})
        keys = {names.get(p, p) for p in data["design"].get("parameters", {})}
        varied.setdefault(Path(data["scenario"]).stem, set()).update(keys)
    lacking = []
    for file in sorted((ROOT / "scenarios").glob("*.toml")):
        dose = tomllib.loads(file.read_text()).get("effect", {}).get("dose")
        keys = varied.get(file.stem, set())
        # Of two contexts either may be varied: the other one takes up the rest.
        frequency = any(k.startswith("context.") and k.endswith(".frequency") for k in keys)
        complement = dose and dose["key"].endswith(".frequency") and frequency
        if dose and dose["key"] not in keys and not complement:
            lacking.append(file.stem)
    assert lacking == []


def test_the_threshold_is_found_where_it_was_put(script):
    study = made(lambda v: 0.4 - 0.3 * v)
    found = script["crossings"](script["shares"](study))
    late = found[(found["generation"] == 40).to_numpy()]
    assert len(late) == 18
    error = late["value"] - (0.4 - 0.3 * late["v"])
    assert error.abs().max() < 0.01
    never = script["crossings"](script["shares"](made(lambda v: 0.7)))
    assert never.empty or (never["generation"] == 0).all()


def test_the_prediction_is_drawn(script):
    with figure_style():
        figure = script["draw"](made(lambda v: 0.4 - 0.3 * v))
        figure.draw_without_rendering()
    left, right = figure.axes[-2:]
    assert left.get_title(loc="left") == "a   generation 20"
    upright = {
        round(float(x.get_xdata()[0]), 9) for x in left.lines if len(set(x.get_xdata())) == 1
    }
    assert {(1 - v) / 2 for v in (0.25, 0.5, 0.75)} <= upright
    straight = [x for x in right.lines if list(x.get_xdata()) == [0.0, 1.0]]
    assert [list(x.get_ydata()) for x in straight] == [[0.5, 0.0]]


def test_what_is_missing_is_one_line(script, tmp_path, capsys):
    with pytest.raises(UserError, match=r"no results of the study 'coinrun_dose'.*evosim study"):
        find_study(tmp_path, "coinrun_dose")
    assert study_script("coinrun_dose", "", script["draw"], [str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    study = made(lambda v: 0.3)
    study.assays = study.assays[(study.assays["assay"] != "runs right past it").to_numpy()]
    with pytest.raises(UserError, match="needs an assay 'runs right past it'"):
        script["draw"](study)


# The figures of all studies that say what theirs shows


class Dosed:
    """A study of a made-up effect that turns at .3."""

    path = Path("there")
    parameters = ("rho",)
    keys = {"rho": "context.coin left.frequency"}  # noqa: RUF012
    scenario = SimpleNamespace(
        model=SimpleNamespace(arm=[SimpleNamespace(name="off", control=True)])
    )

    def __init__(self, **dose):
        self.info = {"title": "Turns", "dose": {"measure": "assay.turned", **dose}}

    def counts(self):
        return {"done": 5}

    def measured(self, measure, generation):
        rng = np.random.default_rng(3)
        rows = [
            {"rho": rho, "arm": arm, "replicate": r, "value": rng.normal(rho > 0.3, 0.1)}
            for rho in (0.1, 0.2, 0.4, 0.5)
            for arm in ("base", "off")
            for r in range(6)
        ]
        return pd.DataFrame(rows)


def test_a_dose_is_drawn_with_what_theory_says():
    doses = runpy.run_path(str(ROOT / "analysis" / "doses.py"))
    study = Dosed(thresholds=[0.3], level=0.5, predicted=[0.0, 0.0, 1.0, 1.0], generation=7)
    assert doses["has_dose"](study)
    with figure_style():
        figure = doses["draw"](study)
        figure.draw_without_rendering()
    ax = figure.axes[-1]
    assert ax.get_xlabel() == "rho (context.coin left.frequency)"
    assert ax.get_ylabel() == "turned"
    drawn = [(list(x.get_xdata()), list(x.get_ydata())) for x in ax.lines]
    assert any(set(x) == {0.3} for x, _ in drawn)
    assert ([0.1, 0.2, 0.4, 0.5], [0.0, 0.0, 1.0, 1.0]) in drawn
    assert "generation 7" in figure.get_supxlabel()


def test_studies_without_a_dose_are_passed_over(tmp_path, capsys):
    doses = runpy.run_path(str(ROOT / "analysis" / "doses.py"))
    assert not doses["has_dose"](SimpleNamespace(info={"dose": None}))
    assert every_study_script("", doses["has_dose"], doses["draw"], [str(tmp_path)]) == 2
    assert "holds no study with a figure of this kind" in capsys.readouterr().err
