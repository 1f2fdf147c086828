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
from evosim.plots.script import find_study, study_script
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
    assert (ROOT / "analysis" / file.name).with_suffix(".py").exists()
    data = tomllib.loads(file.read_text())
    assert data["prose"]
    assert file.read_text().startswith("#:schema ../../evosim/schema/study.schema.json\n")


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
