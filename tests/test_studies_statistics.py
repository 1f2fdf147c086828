"""What a study says as a whole, against data whose answers are known, and through a real study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import studies_case as case

import evosim
from evosim.errors import UserError
from evosim.studies import statistics
from evosim.studies.designs import points_of
from evosim.studies.model import StudyModel

DESIGN = {"kind": "saltelli", "points": 256, "parameters": {
    name: {"low": -np.pi, "high": np.pi} for name in ("x1", "x2", "x3")}}  # fmt: skip


class Made:
    """A study whose tables are made up: a value per point and population."""

    path = Path("made")

    def __init__(self, design, value, populations=1):
        model = StudyModel.model_validate(
            {"title": "made", "scenario": "none.toml", "design": design}
        )
        points = pd.DataFrame(points_of(model))
        self.parameters = list(points.columns)
        self.info = {"tables": ["trajectory"], "design": design["kind"]}
        runs = [f"run{i}" for i in range(len(points))]
        self.plan = pd.concat(
            [pd.DataFrame({"run": runs, "point": range(len(runs)), "set": "{}"}), points], axis=1
        )
        rows = self.plan.drop(columns=["point", "set"]).merge(
            pd.DataFrame({"arm": ["base", "control"]}), how="cross"
        ).merge(pd.DataFrame({"replicate": range(populations)}), how="cross")  # fmt: skip
        self.trajectory = rows.assign(generation=5, payoff=value(rows))

    def table(self, name, columns=None):
        return self.trajectory


def ishigami(rows):
    """Its indices are known: first .3139, .4424, 0; total .5576, .4424, .2437."""
    value = np.sin(rows["x1"]) + 7 * np.sin(rows["x2"]) ** 2
    return value + 0.1 * rows["x3"] ** 4 * np.sin(rows["x1"])


def test_without_a_run_that_is_done_measures_say_so():
    study = Made({"kind": "grid", "parameters": {"mu": [0.1, 0.2]}}, lambda rows: rows["mu"])
    study.trajectory = pd.DataFrame(columns=["run", "mu"])
    with pytest.raises(UserError, match="no run is done yet"):
        statistics.measured(study, "payoff")


def test_indices_of_a_saltelli_design_are_those_of_the_function():
    found = statistics.sensitivity(Made(DESIGN, ishigami), "payoff").set_index("parameter")
    wanted = {
        "first": [0.3139, 0.4424, 0.0],
        "total": [0.5576, 0.4424, 0.2437],
    }
    assert (found["points"] == 256 * 5).all()
    for index, values in wanted.items():
        half = found[f"{index}_half"]
        assert (half < 0.3).all()
        assert (abs(found[index] - values) < 2 * half + 0.01).all()


def additive(rows):
    """Shares of the variance: .9, .1 and 0."""
    return 3 * rows["x1"] + rows["x2"] + 0.0 * rows["x3"]


def test_indices_of_points_that_fill_the_space():
    design = {**DESIGN, "kind": "latin-hypercube"}
    found = statistics.sensitivity(Made(design, additive), "payoff").set_index("parameter")
    assert (abs(found["first"] - [0.9, 0.1, 0.0]) < 2 * found["first_half"] + 0.02).all()
    assert (found["first_half"] < 0.2).all()


def test_indices_of_a_grid_are_exact():
    levels = [1.0, 2.0, 4.0]
    design = {"kind": "grid", "parameters": {"x1": levels, "x2": levels, "x3": levels}}
    found = statistics.sensitivity(Made(design, additive), "payoff")
    assert found["first"].to_numpy() == pytest.approx([0.9, 0.1, 0.0], abs=1e-12)


def test_numpys_own_stream_is_left_as_it_was():
    np.random.seed(5)  # noqa: NPY002
    wanted = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    statistics.sensitivity(Made(DESIGN, additive), "payoff")
    assert np.random.random() == wanted  # noqa: NPY002


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda rows: 1.0, "is the same at all points"),
        (lambda rows: rows["x1"].where(rows["x1"] > 0), "of 1280 points have no value"),
    ],
)
def test_what_has_no_index_is_told_in_one_line(value, said):
    with pytest.raises(UserError, match=said):
        statistics.sensitivity(Made(DESIGN, value), "payoff")


def test_words_have_no_index():
    design = {"kind": "grid", "parameters": {"x": ["a", "b"]}}
    with pytest.raises(UserError, match="'x' has no numbers"):
        statistics.sensitivity(Made(design, lambda rows: rows["replicate"]), "payoff")


def paired(rows):
    """Luck that the arms share, and .5 more in the base arm at x = 2, give or take a little."""
    luck = np.random.default_rng(0).normal(size=8)[rows["replicate"]]
    own = 0.01 * np.random.default_rng(1).normal(size=len(rows))
    return luck + own + 0.5 * ((rows["arm"] == "base") & (rows["x"] == 2))


def test_differences_are_paired_by_replicate():
    made = Made({"kind": "grid", "parameters": {"x": [1, 2]}}, paired, populations=8)
    found = statistics.differences(made, "payoff", "base", "control")
    assert list(found.columns) == ["point", "x", "replicates", "estimate", "low", "high"]
    assert list(found["replicates"]) == [8, 8]
    assert ((found["low"] < found["estimate"]) & (found["estimate"] < found["high"])).all()
    assert found["estimate"].to_numpy() == pytest.approx([0.0, 0.5], abs=0.03)
    # The shared luck has an sd of one: unpaired, the interval would be thirty times as wide.
    assert (found["high"] - found["low"] < 0.05).all()


def test_runs_of_different_lengths_are_read_at_their_ends():
    made = Made({"kind": "grid", "parameters": {"x": [1, 2]}}, lambda rows: rows["x"], 2)
    early = made.trajectory.assign(generation=3, payoff=9.0)
    longer = made.trajectory[made.trajectory["x"] == 2].assign(generation=8, payoff=7.0)
    made.trajectory = pd.concat([early, made.trajectory, longer])
    found = statistics.measured(made, "payoff", arms=["base"])
    assert list(found["point"]) == [0, 0, 1, 1]
    assert list(found["replicate"]) == [0, 1, 0, 1]
    assert list(found["value"]) == [1, 1, 7, 7]
    assert (statistics.measured(made, "payoff", generation=3)["value"] == 9).all()


def test_equal_arms_differ_by_nothing():
    made = Made({"kind": "grid", "parameters": {"x": [1]}}, lambda r: r["replicate"] + 0.5, 3)
    row = statistics.differences(made, "payoff", "base", "control").iloc[0]
    assert (row["estimate"], row["low"], row["high"]) == (0, 0, 0)


def test_an_unknown_arm_is_told_in_one_line():
    made = Made({"kind": "grid", "parameters": {"x": [1]}}, lambda r: 1.0)
    with pytest.raises(UserError, match="no arm 'bass' was run"):
        statistics.measured(made, "payoff", arms=["bass"])


def test_a_real_study_is_read_and_judged(tmp_path):
    file = case.write(tmp_path, case.STUDY.replace('arms = ["base"]\n', ""))
    study = evosim.study(file, tmp_path / "out", workers=1)
    values = study.measured("payoff")
    populations = int(study.plan["populations"].iloc[0])
    assert len(values) == 4 * 2 * populations * len(values["arm"].unique())
    last = study.trajectory.query("generation == 20")
    assert values["value"].sum() == pytest.approx(last["payoff"].sum())
    judged = study.judged()
    assert len(judged) == 4 * study.claims["index"].nunique()
    together = judged[judged["measure"] == judged["measure"].iloc[0]]
    assert together["method"].str.contains(str(2 * populations)).any()
    assert set(judged["verdict"]) <= {"holds", "fails", "undecided"}
    assert "more_replicates" in judged
    assert json.loads((tmp_path / "out" / "study.json").read_text())["design"] == "grid"
    assert len(study.differences("payoff", "base", "neutral")) == 4
