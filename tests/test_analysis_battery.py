"""analysis/battery.py: what it reads of runs, and how it judges the required patterns."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evosim.api import run as run_scenario
from evosim.errors import UserError
from tests.predict_case import coin
from tests.test_foresight import planners

BATTERY = runpy.run_path(str(Path(__file__).parent.parent / "analysis" / "battery.py"))
Case, PATTERNS = BATTERY["Case"], BATTERY["PATTERNS"]


def case(pattern, ledger, omni, spread=0.0):
    """A case of 5 replicates that scatter by 0.01 about these scores."""
    noise = 0.01 * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    scores = {"LEDGER": ledger + noise, "OBJ-omni": np.full(5, omni), "OBJ-informed": noise - 0.7}
    return Case("World: so and so", "arm", pattern, scores, 2, spread).row()


@pytest.mark.parametrize(
    ("pattern", "ledger", "omni", "better", "holds"),
    [
        ("training", -0.2, -0.21, "tie", "yes"),
        ("training", -0.2, -0.5, "LEDGER", "no"),
        ("breaks", -0.2, -2.0, "LEDGER", "yes"),
        ("breaks", -0.2, -0.2, "tie", "no"),
        ("keeps", -0.2, -0.2, "tie", "yes"),
        ("spanned", -0.5, -0.2, "OBJ", "no"),
        ("pursuers", -3.0, -0.1, "OBJ", "yes"),
        ("pursuers", -0.1, -3.0, "LEDGER", "no"),
    ],
)
def test_what_is_required_of_each_pattern(pattern, ledger, omni, better, holds):
    row = case(pattern, ledger, omni)
    assert (row["better"], row["holds"]) == (better, holds)
    assert row["LEDGER low"] < row["LEDGER"] < row["LEDGER high"]
    assert row["difference"] == pytest.approx(ledger - omni)


def test_of_what_is_orthogonal_the_ledger_must_know_nothing():
    chance = np.log(0.5)
    assert case("orthogonal", chance, -3.0)["holds"] == "yes"
    assert case("orthogonal", chance + 0.3, -3.0)["holds"] == "no"  # it knew
    assert case("orthogonal", chance, -3.0, spread=0.2)["holds"] == "no"  # it said something


def test_every_pattern_of_a_scenario_file_is_in_the_table():
    from typing import get_args

    from evosim.scenario.study_parts import Predict

    (literal, _) = get_args(Predict.model_fields["pattern"].annotation)
    assert {*get_args(literal), "training"} == {*PATTERNS}
    assert [number for number, _ in PATTERNS.values()] == ["i", "ii", "iii", "iv", "v", "vi"]


def test_one_command_runs_every_world_that_says_what_it_is_put_to():
    root = Path(__file__).parent.parent
    listed = re.search(
        r"^BATTERY := ((?:.*\\\n)*.*)", (root / "Makefile").read_text(), re.MULTILINE
    )
    names = listed[1].replace("\\", " ").split()
    said = re.compile(r'^pattern = "|predict\.pattern|predict" = .*pattern', re.MULTILINE)
    files = sorted((root / "scenarios").glob("*.toml"))
    assert names == [file.stem for file in files if said.search(file.read_text())]


def test_the_optimum_is_that_of_who_knows_the_context():
    optimum = BATTERY["optimum"]
    assert optimum(coin().model) == pytest.approx(1.0)
    mixed = coin(**{"context.coin left.frequency": 0.25, "context.coin left.payoff.left": 3})
    assert optimum(mixed.model) == pytest.approx(0.75 + 0.25 * 3)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    size = {"population.agents": 40, "population.replicates": 5, "population.generations": 25}
    arm = {"name": "diverse", "set": {"context.coin left.frequency": 0.5}}
    arm["set"]["predict.pattern"] = "spanned"
    world = coin(**size, arm=[arm], **{"predict.pattern": "breaks"})
    told = planners(**size, **{"predict.pattern": "pursuers"})
    for name, scenario in (("coin", world), ("told", told), ("unasked", coin(**size))):
        run_scenario(scenario, out=folder / name, threads=1)
    return folder


def test_the_table_and_the_figure_of_a_folder(two_runs, capsys):
    assert BATTERY["main"]([str(two_runs)]) == 0
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in written] == ["battery.png", "battery.svg", "battery.csv"]
    assert all(path.stat().st_size > 500 for path in written)
    table = pd.read_csv(two_runs / "battery.csv")
    novel = table[table["kind"] != "training"]
    # 25 generations train nobody well enough for the first pattern.
    assert len(novel) == len(table)
    assert novel["kind"].tolist() == ["breaks", "spanned", "pursuers"]
    assert novel.set_index("kind")["better"]["breaks"] == "LEDGER"
    assert novel.set_index("kind")["better"]["pursuers"] == "OBJ"
    assert novel["replicates"].tolist() == [5, 5, 5]


def test_a_folder_without_patterns_is_one_line(two_runs, capsys):
    assert BATTERY["main"]([str(two_runs / "unasked")]) == 2
    assert "no run says what its predictors are put to" in capsys.readouterr().err
    with pytest.raises(UserError, match="no run says"):
        BATTERY["battery"]([])
