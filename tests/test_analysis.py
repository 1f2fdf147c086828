"""Scripts of analysis/: they draw their figures from the tables of their own scenario's runs."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import plot_case as case
import pytest
from matplotlib.figure import Figure

from evosim.claims import judge_all
from evosim.errors import UserError
from evosim.plots.script import find_run, run_script
from evosim.plots.style import figure_style, new_figure
from evosim.results import Run, save

ROOT = Path(__file__).parent.parent
#: Names in the tables of `plot_case` -> names in the scenario file.
ASSAYS = {
    "coinrun": {
        "left coin, visible": "reaches a visible left coin",
        "jump": "jumps out of the pit",
    },
    "predictors": {"left coin, visible": "visible left coin", "jump": "brighter right coin"},
}


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "analysis" / f"{name}.py"))


def tables_of(name: str) -> SimpleNamespace:
    """Return made-up tables for a scenario file of the repository."""
    run = case.run_of(case.Scenario.load(ROOT / "scenarios" / f"{name}.toml"), replicates=5)
    for table in ("assays", "predictions"):
        frame = getattr(run, table)
        setattr(run, table, frame.replace({"assay": ASSAYS[name]}))
    run.trajectory = run.trajectory.rename(
        columns={f"assay.{old}": f"assay.{new}" for old, new in ASSAYS[name].items()}
    )
    for cue in ("bias", "coin"):
        weight = run.trajectory[f"policy[{cue}]"]
        run.trajectory[f"policy[right,{cue}]"] = weight / 2
        run.trajectory[f"policy[left,{cue}]"] = -weight / 2
    if name == "coinrun":
        reaches = run.assays[run.assays["assay"] == "reaches a visible left coin"]
        passes = reaches.assign(assay="runs right past it", value=1 - reaches["value"])
        run.assays = pd.concat([run.assays, passes], ignore_index=True)
    else:
        kept = run.predictions["arm"] == "kept"
        run.predictions.loc[kept, "assay"] = "brighter right coin"
    model = run.scenario.model
    run.claims = judge_all(model.claim, run, run.scenario.arms())
    return run


@pytest.fixture(scope="module")
def made() -> dict[str, SimpleNamespace]:
    return {name: tables_of(name) for name in ASSAYS}


def drawn(name: str, run: SimpleNamespace) -> Figure:
    with figure_style():
        figure: Figure = script(name)["draw"](run)
        figure.draw_without_rendering()
    return figure


def titles(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes[1:]]


def test_coinrun_shows_every_panel(made: dict[str, SimpleNamespace]) -> None:
    figure = drawn("coinrun", made["coinrun"])
    assert [title[0] for title in titles(figure)] == list("abcdefghi")
    assert titles(figure)[1].endswith(f"generation {made['coinrun'].assays['generation'].max()}")
    assert titles(figure)[6].endswith("rho = 0")


def test_thresholds_stand_at_half_of_what_is_hidden(made: dict[str, SimpleNamespace]) -> None:
    run = made["coinrun"]
    early = drawn("coinrun", run).axes[1]
    upright = [x.get_xdata()[0] for x in early.lines if len(set(x.get_xdata())) == 1]
    seen = {cell.model.cues["coin"].visible for cell in run.scenario.arms() if not cell.control}
    assert len(seen) == 3
    assert {(1 - v) / 2 for v in seen} <= {round(float(x), 9) for x in upright}


def test_shares_are_of_those_that_leave(made: dict[str, SimpleNamespace]) -> None:
    run = SimpleNamespace(**vars(made["coinrun"]))
    passes = (run.assays["assay"] == "runs right past it").to_numpy()
    run.assays = run.assays.assign(value=np.where(passes, 0.1, 0.3))
    assert script("coinrun")["shares"](run)["value"].unique() == pytest.approx([0.75])


def test_coinrun_says_which_assay_it_needs(made: dict[str, SimpleNamespace]) -> None:
    run = SimpleNamespace(**vars(made["coinrun"]), path=Path("there"))
    run.assays = run.assays[run.assays["assay"] != "runs right past it"]
    with pytest.raises(UserError, match="needs an assay 'runs right past it'"):
        drawn("coinrun", run)


def test_differences_are_paired(made: dict[str, SimpleNamespace]) -> None:
    run = made["predictors"]
    last = int(run.scores["generation"].max())
    found = script("predictors")["differences"](run, "novel", last)
    one = run.scores.query("arm == 'broken' and replicate == 3 and split == 'novel'")
    score = one.set_index("predictor")["score"]
    row = found.query("arm == 'broken' and replicate == 3 and predictor == 'OBJ-omni'")
    assert row["score"].item() == pytest.approx(score["LEDGER"] - score["OBJ-omni"])


def test_predictors_asks_each_arm_its_own_question(made: dict[str, SimpleNamespace]) -> None:
    asked = script("predictors")["asked"]
    assert asked(made["predictors"], "broken") == ("visible left coin", "left")
    assert asked(made["predictors"], "kept") == ("brighter right coin", "right")


def test_predictors_draws_one_and_two_generations(made: dict[str, SimpleNamespace]) -> None:
    run = SimpleNamespace(**vars(made["predictors"]))
    assert [t[0] for t in titles(drawn("predictors", run))] == list("abcde")
    for name in ("scores", "predictions"):
        table = getattr(run, name)
        setattr(run, name, pd.concat([table, table.assign(generation=60)], ignore_index=True))
    assert [t[0] for t in titles(drawn("predictors", run))] == list("abcdef")


def test_references_are_the_claims_own(made: dict[str, SimpleNamespace]) -> None:
    run = made["predictors"]
    ax = drawn("predictors", run).axes[-1]
    claims = run.scenario.model.claim
    estimates = run.claims.set_index("index")["estimate"].dropna()
    wanted = [
        (estimates[i] - c.equals) / c.margin
        for i, c in enumerate(claims)
        if c.equals and i in estimates
    ]
    assert wanted
    points = [x.get_xdata()[0] for x in ax.lines if x.get_marker() == "o"]
    np.testing.assert_allclose(points, wanted)


def test_script_writes_beside_the_run(
    made: dict[str, SimpleNamespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made["predictors"]
    names = (
        "trajectory", "contexts", "assays", "trials", "ledger", "predictions", "scores", "claims",
    )  # fmt: skip
    tables = {name: getattr(run, name) for name in names}
    stored = Run({"schema_version": 1}, scenario=run.scenario, tables=tables, population={})
    save(stored, tmp_path / "predictors")
    main = script("predictors")
    for argument in (tmp_path, tmp_path / "predictors"):
        assert run_script("predictors", "", main["draw"], [str(argument)]) == 0
        written = capsys.readouterr().out.split()
        assert written == [str(tmp_path / f"predictors.{x}") for x in ("png", "svg")]
    blank = lambda run: new_figure(1, 1)  # noqa: E731
    for suffix in ("pdf", "png"):
        out = tmp_path / "new" / f"figure.{suffix}"
        assert run_script("predictors", "", blank, [str(tmp_path), "--out", str(out)]) == 0
        assert out.stat().st_size > 0
    assert run_script("predictors", "", blank, [str(tmp_path), "--out", "figure.doc"]) == 2
    assert "allowed: .png, .svg, .pdf" in capsys.readouterr().err


def test_missing_results_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no results of 'coinrun'.*evosim run"):
        find_run(tmp_path, "coinrun")
    for name in ASSAYS:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / "analysis" / f"{name}.py"), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
