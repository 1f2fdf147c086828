"""Faults of claims that are found without running."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from claims_case import Cell, cells, claim, grid

from evosim.claims import check_claim
from evosim.errors import UserError

NAMES = ["payoff", "assay.sits", "ledger.logit:*:go.selection"]
ARMS = [
    *cells("base", "control"),
    *grid("rho", "context.left.frequency", [0.0, 0.1, 0.2]),
    *(Cell(f"two [{i},{j}]", "two", {"i": i, "j": j}) for i in (0, 1) for j in (0.0, 0.5)),
    *grid("words", "mind.policy", ["linear", "mlp"]),  # type: ignore[list-item]
    *grid("one", "f", [0.5]),
]


def check(arms: Any = ARMS, **keys: Any) -> None:
    made = claim(**keys)
    other = claim(says="another", above=0.0)
    model: Any = SimpleNamespace(claim=[other, made])
    check_claim(made, model, arms, NAMES)


@pytest.mark.parametrize(
    "keys",
    [
        {"above": 0.0},
        {"arm": None, "above": 0.0},
        {"minus": "control", "above": 0.0},
        {"over": "control", "above": 0.0, "interval": "bca"},
        {"arm": "rho", "cell": {"context.left.frequency": 0.1}, "above": 0.0},
        {"arm": "rho", "cell": {"context.left.frequency": 0.1}, "minus": "control", "above": 0.0},
        {"arm": "one", "above": 0.0},
        {"arm": "rho", "trend": "increasing", "minus": "base"},
        {"arm": "two", "cell": {"i": 1}, "monotone": "decreasing"},
        {"arm": "two", "cell": {"i": 1, "j": 0}, "below": 1.0},
        {"arm": "rho", "crosses": {"value": 0.5, "between": [0.1, 0.2]}},
        {"measure": "ledger.logit:coin:go.selection", "above": 0.0},
        {"measure": "payoff > 0.5", "above": 0.9, "interval": "exact"},
        {"measure": "differs.payoff", "minus": "control", "equals": 0.0, "margin": 0.1},
        {"measure": "payoff > 0.5 before assay.sits < 0.1", "above": 0.0},
        {
            "measure": "payoff > 0.5 before assay.sits < 0.1",
            "apart": ["control", "one"],
            "equals": 0.0,
            "margin": 0.1,
        },
        {"statistic": "slope", "at": {"start": 0, "end": 10}, "above": 0.0},
        {"statistic": "time", "reaches": 0.5, "below": 50},
    ],
)
def test_sound_claims_pass(keys: dict[str, Any]) -> None:
    check(**keys)


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"arm": "bose", "above": 0.0}, "arm", "did you mean 'base'"),
        ({"minus": "contrl", "above": 0.0}, "minus", "did you mean 'control'"),
        ({"over": "contrl", "above": 0.0}, "over", "did you mean 'control'"),
        ({"minus": "base", "above": 0.0}, "minus", "compared with itself"),
        ({"arm": "rho", "minus": "rho", "trend": "increasing"}, "minus", "compared with itself"),
        ({"measure": "assay.sit", "above": 0.0}, "measure", "did you mean 'assay.sits'"),
        ({"measure": "ledger.logit:coin:stop.selection", "above": 0.0}, "measure", "unknown"),
        ({"measure": "ledger.logit::go.selection", "above": 0.0}, "measure", "unknown"),
        ({"measure": "ledger.logit:coin:go.selected", "above": 0.0}, "measure", "unknown"),
        ({"trend": "increasing"}, "arm", "varies 0 grid keys"),
        ({"crosses": {"value": 0.5, "between": [0.1, 0.2]}}, "arm", "a grid of two values"),
        ({"arm": "one", "monotone": "increasing"}, "arm", "varies 0 grid keys"),
        ({"arm": "two", "trend": "increasing"}, "cell", "all but one of: i, j"),
        ({"arm": "words", "trend": "increasing"}, "arm", "holds text"),
        ({"arm": "rho", "above": 0.0}, "cell", "has 3 cells here"),
        ({"arm": "two", "cell": {"i": 1}, "above": 0.0}, "cell", "has 2 cells here"),
        ({"arm": "two", "cell": {"i": 7}, "above": 0.0}, "cell", "allowed: 0, 1"),
        ({"arm": "two", "cell": {"ii": 7}, "above": 0.0}, "cell", "did you mean 'i'"),
        ({"cell": {"i": 1}, "above": 0.0}, "cell", "the arm has no grid"),
        ({"minus": "rho", "above": 0.0}, "minus", "no single cell"),
        (
            {"arm": "rho", "crosses": {"value": 0.5, "between": [0.2, 0.1]}},
            "crosses.between",
            "low < high",
        ),
        ({"arm": "rho", "over": "base", "trend": "increasing"}, "over", "ratio"),
        ({"statistic": "slope", "at": {"generation": 5}, "above": 0.0}, "at", "a stretch"),
        ({"statistic": "slope", "at": {"start": 5, "end": 5}, "above": 0.0}, "at", "start < end"),
        (
            {"statistic": "time", "reaches": 1, "at": {"generation": 5}, "above": 0},
            "at",
            "a stretch",
        ),
        ({"statistic": "time", "reaches": 1, "above": 0, "interval": "t"}, "interval", "exact"),
        ({"statistic": "slope", "above": 0, "interval": "exact"}, "interval", "auto, t, bca"),
        ({"over": "control", "above": 0, "interval": "t"}, "interval", "auto, bca"),
        ({"arm": "rho", "trend": "increasing", "interval": "exact"}, "interval", "auto, t, bca"),
        ({"measure": "payoff > 1", "statistic": "slope", "above": 0}, "statistic", "0 or 1"),
        ({"measure": "differs.payoff", "above": 0}, "measure", "minus = the other arm"),
        ({"measure": "payoff before assay.sits > 0", "above": 0}, "measure", "NUMBER before"),
        ({"measure": "payoff > 0 before assay.sit > 0", "above": 0}, "measure", "assay.sits"),
        ({"apart": ["control", "one"], "above": 0}, "apart", "before"),
        (
            {"measure": "payoff > 0 before assay.sits > 0", "apart": ["control", "x"], "above": 0},
            "apart",
            "control",
        ),
        (
            {"measure": "differs.payoff", "minus": "control", "statistic": "slope", "above": 0},
            "statistic",
            "0 or 1",
        ),
    ],
)
def test_faults_are_one_line_with_key_and_cure(
    keys: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        check(**keys)
    assert caught.value.key == f"claim.1.{place}"
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_claim_without_an_arm_needs_a_base_arm() -> None:
    check(cells("only"), arm=None, above=0.0)
    with pytest.raises(UserError, match="names no arm"):
        check(cells("a", "b"), arm=None, above=0.0)
    model = SimpleNamespace(base_arm="mine")
    check([Cell("a", "a", {}, model), Cell("mine", "mine", {}, model)], arm=None, above=0.0)


def test_checking_claims_imports_no_tables_and_no_kernels() -> None:
    code = (
        "import sys, evosim.claims.check, evosim.claims.names;"
        "print([m for m in ('pandas', 'scipy', 'numba', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
