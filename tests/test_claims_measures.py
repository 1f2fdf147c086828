"""Reading measures from every table, and the grammar of their names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from claims_case import trajectory

from evosim.claims.indexed import available_measures, index_tables
from evosim.claims.measures import measure_frame
from evosim.claims.names import Measured, measure_names, parse_measure, within_unit
from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.scenario.study_parts import At

PLACE = {"arm": "base", "replicate": 0, "generation": 20}
KINDS = (
    ("gene", "policy[coin]", "", "", ""),
    ("gene", "policy[coin]", "left", "", ""),
    ("logit", "logit", "", "coin=0.5", "go"),
    ("act", "act", "left", "coin=0.5", "go"),
    ("index", "sits", "", "", ""),
)


def tables() -> Any:
    found = trajectory({"base": {"payoff": [3.0, 4.0], "policy[coin]": [0.1, 0.2]}})
    frame = found.trajectory
    frame["assay.sits"] = np.where(frame.generation == 20, frame.payoff / 10, np.nan)
    ledger = [
        PLACE
        | dict(zip(("kind", "quantity", "context", "percept", "action"), kind, strict=True))
        | {"replicate": r, "selection": 10.0 * r + i, "after": -1.0}
        for r in range(2)
        for i, kind in enumerate(KINDS)
    ]
    contexts = [
        PLACE | {"replicate": r, "context": c, "frequency": 0.5, "payoff": 1.0 * r, "episodes": 9}
        for r in range(2)
        for c in ("left", "right")
    ]
    scores = [
        PLACE | {"replicate": r, "split": s, "predictor": p, "score": v + w + r, "skill": v}
        for r in range(2)
        for p, v in (("LEDGER", -1.0), ("OBJ-informed", -3.0))
        for s, w in (("novel", 0.0), ("training", 0.25))
    ]
    assays = [PLACE | {"replicate": r, "assay": "late", "value": 0.5 + r} for r in range(2)]
    found.ledger, found.contexts = pd.DataFrame(ledger), pd.DataFrame(contexts)
    found.scores, found.assays = pd.DataFrame(scores), pd.DataFrame(assays)
    return found


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("payoff", [3, 4]),
        ("trajectory.payoff", [3, 4]),
        ("policy[coin]", [0.1, 0.2]),
        ("assay.sits", [0.3, 0.4]),
        ("assay.late", [0.5, 1.5]),
        ("ledger.policy[coin].selection", [0, 10]),
        ("ledger.logit:coin=0.5:go.selection", [2, 12]),
        ("ledger.act:left:coin=0.5:go.selection", [3, 13]),
        ("ledger.sits.selection", [4, 14]),
        ("ledger.sits.after", [-1, -1]),
        ("context.left.payoff", [0, 1]),
        ("context.right.frequency", [0.5, 0.5]),
        ("score.LEDGER", [-1, 0]),
        ("score.LEDGER.training", [-0.75, 0.25]),
        ("score.LEDGER.skill", [-1, -1]),
        ("score.LEDGER - OBJ-informed", [2, 2]),
        ("score.LEDGER - score.OBJ-informed", [2, 2]),
        ("score.LEDGER.training - OBJ-informed", [2, 2]),
        ("assay.late - assay.sits", [0.2, 1.1]),
        ("payoff > 3.5", [0, 1]),
        ("payoff <= 3", [1, 0]),
        ("score.LEDGER - OBJ-informed >= 2e0", [1, 1]),
    ],
)
def test_every_measure_reads_its_own_rows(measure: str, expected: list[float]) -> None:
    frame = measure_frame(tables(), measure)
    assert list(frame["arm"]) == ["base", "base"]
    assert list(frame["replicate"]) == [0, 1]
    assert frame["value"].to_numpy() == pytest.approx(expected)
    assert list(frame["reason"]) == ["", ""]


def test_available_measures_can_all_be_read() -> None:
    found = tables()
    names = available_measures(found)
    assert "ledger.logit:coin=0.5:go.selection" in names
    assert "arm" not in names
    for name in names:
        assert len(measure_frame(found, name)) == 2
    assert available_measures(SimpleNamespace()) == []


def test_ledger_rows_are_found_in_any_order_and_with_missing_texts() -> None:
    found = tables()
    found.ledger = found.ledger.replace("", None).sample(frac=1.0, random_state=3)
    for i, address in ((0, "policy[coin]"), (2, "logit:coin=0.5:go"), (4, "sits")):
        frame = measure_frame(index_tables(found), f"ledger.{address}.selection")
        assert list(frame["value"]) == [i, 10 + i]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("assay.sit", "assay.sits"),
        ("ledger.policy[coin].selecton", "ledger.policy[coin].selection"),
        ("score.LEDGR", "score.LEDGER"),
        ("paiof > 2", "payoff"),
        ("differs.paiof", "payoff"),
    ],
)
def test_unknown_measures_name_the_closest(wrong: str, right: str) -> None:
    with pytest.raises(UserError, match="unknown measure") as caught:
        measure_frame(tables(), wrong)
    assert caught.value.hint == f"did you mean '{right}'?"


def test_a_missing_value_keeps_its_row_and_reason() -> None:
    frame = measure_frame(tables(), "assay.sits", At(generation=10))
    assert frame["value"].isna().all()
    assert set(frame["reason"]) == {"not recorded at generation 10"}


def test_infinite_values_are_missing() -> None:
    found = trajectory({"base": {"payoff": [1.0, np.inf]}})
    frame = measure_frame(found, "payoff")
    assert frame["value"].isna().tolist() == [False, True]
    assert list(frame["reason"]) == ["", "a value is missing"]


def test_two_values_for_one_place_are_an_error() -> None:
    found = tables()
    found.trajectory = pd.concat([found.trajectory, found.trajectory])
    with pytest.raises(UserError, match="more than one value"):
        measure_frame(found, "payoff")


def test_a_window_with_a_gap_in_one_replicate_has_no_value_there() -> None:
    found = trajectory({"base": {"payoff": [1.0, 2.0]}})
    frame = found.trajectory
    frame.loc[(frame.replicate == 1) & (frame.generation == 10), "payoff"] = np.nan
    for statistic in ("value", "slope"):
        read = measure_frame(found, "payoff", At(start=0, end=20), statistic)
        assert read["value"].isna().tolist() == [False, True]


def test_nullable_columns_and_booleans_are_read() -> None:
    found = trajectory({"base": {"payoff": [1.0, 2.0]}})
    found.trajectory["payoff"] = found.trajectory["payoff"].astype("Float64")
    found.trajectory["extinct"] = found.trajectory["extinct"].astype("boolean")
    assert measure_frame(found, "payoff")["value"].tolist() == [1.0, 2.0]
    assert measure_frame(found, "extinct")["value"].tolist() == [0.0, 0.0]


def test_a_name_that_looks_like_a_comparison_is_a_name() -> None:
    names = {"assay.payoff > 1", "assay.a - b", "assay.a"}
    assert parse_measure("assay.payoff > 1", names) == Measured(("assay.payoff > 1",))
    assert parse_measure("assay.a - b", names) == Measured(("assay.a - b",))
    assert parse_measure("assay.a - b < -.5", names) == Measured(("assay.a - b",), ("<", -0.5))


# --- names before anything runs -------------------------------------------------------------

MODEL = ScenarioModel.model_validate(
    {
        "title": "t",
        "world": {"kind": "bandit", "actions": ["go", "stop"]},
        "context": [{"name": "left", "frequency": 1.0, "payoff": {"go": 1.0, "stop": 0.0}}],
        "genome": {"policy": {}, "fixed": {"kind": "bits", "loci": 1}},
        "selection": {"kind": "truncation", "fraction": 0.5},
        "assay": [
            {"name": "sits", "context": "left", "measure": {"first_action": "go"}},
            {"name": "earns", "context": "left", "measure": {"payoff": True}},
        ],
        "ledger": {"indices": ["sits"]},
        "predict": {"assays": ["sits"]},
    }
)


def test_measure_names_of_a_scenario() -> None:
    labels = {
        "policy": ["policy[coin]", "policy[bias]"],
        "trait": ["trait[0]", "trait[15]"],
        "neutral": [f"neutral[{i}]" for i in range(65)],
    }
    names = measure_names(MODEL, labels)
    known = [
        "payoff",
        "policy[coin]",
        "policy[bias].sd",
        "trait[15]",
        "neutral.mean",
        "assay.sits",
        "context.left.episodes",
        "ledger.sits.cumulative_selection",
        "ledger.policy[coin].transmission",
        "ledger.logit:coin=1:stop.selection",
        "ledger.act:left:coin=1:go.learning",
        "score.CEIL.training",
        "score.LEDGER - OBJ-informed",
    ]
    for measure in known:
        parse_measure(measure, names)
    unknown = [
        "neutral[0]",
        "ledger.logit:coin=1:jump.selection",
        "ledger.act:right:coin=1:go.selection",
        "ledger.earns.selection",
        "assay.runs",
        "score.CIEL",
        "policy",
    ]
    for measure in unknown:
        with pytest.raises(UserError):
            parse_measure(measure, names)


def test_known_percepts_are_checked() -> None:
    names = measure_names(MODEL, ["policy[coin]"], percepts=["coin=1"])
    parse_measure("ledger.logit:coin=1:go.selection", names)
    with pytest.raises(UserError):
        parse_measure("ledger.logit:coin=2:go.selection", names)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("extinct", True),
        ("payoff", False),
        ("assay.sits", True),
        ("assay.earns", False),
        ("fixed", True),
        ("fixed.sd", False),
        ("policy[coin]", False),
        ("context.left.frequency", True),
        ("context.left.payoff", False),
        ("ledger.act:left:coin=1:go.after", True),
        ("ledger.policy[coin].selection", False),
        ("score.LEDGER", False),
    ],
)
def test_which_measures_lie_between_0_and_1(term: str, expected: bool) -> None:
    assert within_unit(Measured((term,)), MODEL) is expected
    assert within_unit(Measured((term,), (">", 0.5)), MODEL)
    assert not within_unit(Measured((term, "payoff")), MODEL)
