"""Verdicts: each comparison holds, fails and stays undecided on tables made for it."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from claims_case import cells, claim, normal, trajectory, verdict

from evosim.claims.intervals import clopper_pearson, t_interval
from evosim.claims.judge import COLUMNS, judge, judge_all, strict_failures
from evosim.errors import UserError

# --- one arm, one value --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comparison", "mean", "expected"),
    [
        ({"above": 1.0}, 1.5, "holds"),
        ({"above": 1.0}, 0.5, "fails"),
        ({"above": 1.0}, 1.05, "undecided"),
        ({"below": 1.0}, 0.5, "holds"),
        ({"below": 1.0}, 1.5, "fails"),
        ({"below": 1.0}, 0.95, "undecided"),
        ({"between": [1.0, 2.0]}, 1.5, "holds"),
        ({"between": [1.0, 2.0]}, 2.5, "fails"),
        ({"between": [1.0, 2.0]}, 0.5, "fails"),
        ({"between": [1.0, 2.0]}, 2.0, "undecided"),
        ({"equals": 1.5, "margin": 0.5}, 1.6, "holds"),
        ({"equals": 1.5, "margin": 0.5}, 2.5, "fails"),
        ({"equals": 1.5, "margin": 0.1}, 1.5, "undecided"),
    ],
)
@pytest.mark.parametrize("interval", ["auto", "bca"])
def test_a_mean_in_its_region(
    comparison: dict[str, Any], mean: float, expected: str, interval: str
) -> None:
    found = verdict(normal(20, mean, 0.5), interval=interval, **comparison)
    assert found.verdict == expected
    assert found.estimate == pytest.approx(mean)
    assert found.low < mean < found.high


def test_the_whole_interval_counts_not_the_estimate() -> None:
    x = normal(20, 1.5, 0.5)
    low, high = t_interval(x)
    assert verdict(x, above=low - 1e-9).verdict == "holds"
    assert verdict(x, above=low + 1e-9).verdict == "undecided"
    assert verdict(x, above=high - 1e-9).verdict == "undecided"
    assert verdict(x, above=high + 1e-9).verdict == "fails"
    wide = verdict(x, above=low - 1e-9, confidence=0.99)
    assert wide.verdict == "undecided"


def test_more_replicates_for_a_mean_are_enough_and_not_one_too_many() -> None:
    found = verdict(normal(20, 1.1, 0.5), above=1.0)
    assert found.verdict == "undecided"
    size = 20 + (found.more_replicates or 0)
    # The same mean and standard deviation, from as many replicates as asked for.
    assert verdict(normal(size, 1.1, 0.5), above=1.0).verdict == "holds"
    assert verdict(normal(size - 1, 1.1, 0.5), above=1.0).verdict == "undecided"


def test_an_estimate_on_the_border_is_never_decided() -> None:
    values = np.repeat([0.75, 1.25], 10)
    found = verdict(values, above=1.0)
    assert (found.verdict, found.more_replicates) == ("undecided", None)
    assert "border" in found.note


def test_a_decided_claim_asks_for_no_more() -> None:
    assert verdict(normal(20, 1.5, 0.5), above=1.0).more_replicates is None


# --- proportions ---------------------------------------------------------------------------


@pytest.mark.parametrize(("margin", "total"), [(0.05, 72), (0.02, 183)])
def test_nothing_in_fifty_needs_more_replicates_for_a_margin(margin: float, total: int) -> None:
    found = verdict(np.zeros(50), measure="escaped", equals=0.0, margin=margin)
    assert found.verdict == "undecided"
    assert found.high == pytest.approx(0.0711, abs=5e-5)
    assert found.more_replicates == total - 50
    enough = verdict(np.zeros(total), measure="escaped", equals=0.0, margin=margin)
    assert enough.verdict == "holds"
    short = verdict(np.zeros(total - 1), measure="escaped", equals=0.0, margin=margin)
    assert short.verdict == "undecided"


@pytest.mark.parametrize(("ones", "expected"), [(45, "holds"), (10, "fails"), (28, "undecided")])
def test_zeros_and_ones_are_judged_exactly(ones: int, expected: str) -> None:
    values = np.repeat([0.0, 1.0], [50 - ones, ones])
    found = verdict(values, measure="fixed", above=0.5)
    assert found.verdict == expected
    assert (found.low, found.high) == pytest.approx(clopper_pearson(ones, 50))
    assert found.method == "Clopper-Pearson, n = 50"


def test_more_replicates_for_a_proportion_keep_the_proportion() -> None:
    values = np.repeat([0.0, 1.0], [20, 30])
    found = verdict(values, measure="fixed", above=0.5)
    size = 50 + (found.more_replicates or 0)
    assert clopper_pearson(0.6 * size, size).low > 0.5
    assert clopper_pearson(0.6 * (size - 1), size - 1).low <= 0.5


def test_a_comparison_with_a_number_is_a_proportion() -> None:
    values = np.concatenate([normal(45, 2.0, 0.1), np.zeros(5)])
    found = verdict(values, measure="payoff > 1", above=0.75)
    assert (found.verdict, found.estimate) == ("holds", 0.9)
    assert (found.low, found.high) == pytest.approx(clopper_pearson(45, 50))


def test_an_exact_interval_refuses_other_values() -> None:
    found = verdict(normal(20, 0.5, 0.1), above=0.0, interval="exact")
    assert found.verdict == "undecided"
    assert "0 and 1 only" in found.note


# --- what decides nothing ------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_a_constant_payoff_is_undecided(value: float) -> None:
    # Fifty payoffs of exactly 0 bound no mean: payoff is not confined to 0 and 1.
    found = verdict(np.full(50, value), above=-1.0)
    assert (found.verdict, found.more_replicates) == ("undecided", None)
    assert "zero variance" in found.note


def test_rounding_is_no_variance() -> None:
    values = 0.3 + np.spacing(0.3) * np.arange(20)
    assert "zero variance" in verdict(values, above=0.0).note


def test_small_values_with_variance_are_judged() -> None:
    assert verdict(normal(20, 1.5, 0.5) * 1e-15, above=1e-15).verdict == "holds"


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_than_five_replicates_decide_nothing(n: int) -> None:
    values = np.linspace(1.0, 1.001, n)
    found = verdict(values, above=0.0)
    assert (found.verdict, found.more_replicates) == ("undecided", 5 - n)
    assert f"{n} replicate" in found.note
    assert found.estimate == pytest.approx(values.mean())


def test_five_replicates_decide() -> None:
    assert verdict(np.linspace(1.0, 1.001, 5), above=0.0).verdict == "holds"


def test_few_replicates_that_need_more_than_five() -> None:
    found = verdict(np.array([0.0, 1.0, 2.0, 1.0]), measure="score", above=0.5)
    assert (found.more_replicates or 0) > 1


# --- two arms ------------------------------------------------------------------------------


def two(x: Any, y: Any, column: str = "payoff", **keys: Any) -> Any:
    tables = trajectory({"base": {column: x}, "control": {column: y}})
    return judge(claim(measure=column, **keys), tables, cells("base", "control"))


@pytest.mark.parametrize(
    ("difference", "expected"), [(0.5, "holds"), (-0.5, "fails"), (0.01, "undecided")]
)
def test_differences_are_paired_by_replicate(difference: float, expected: str) -> None:
    # The arms share a large spread over replicates, which pairing takes out.
    shared = normal(12, 0.0, 50.0, seed=3)
    found = two(shared + normal(12, difference, 0.2), shared, minus="control", above=0.0)
    assert found.verdict == expected
    assert found.estimate == pytest.approx(difference)
    assert found.method.startswith("paired t")


def test_pairing_follows_the_replicate_not_the_row() -> None:
    shared = normal(12, 0.0, 50.0, seed=3)
    tables = trajectory(
        {"base": {"payoff": shared + normal(12, 0.5, 0.2)}, "c": {"payoff": shared}}
    )
    tables.trajectory = tables.trajectory.sample(frac=1.0, random_state=4)
    assert judge(claim(minus="c", above=0.0), tables, cells("base", "c")).verdict == "holds"


@pytest.mark.parametrize(
    ("ratio", "expected"), [(2.0, "holds"), (1.0, "fails"), (1.5, "undecided")]
)
def test_ratios_are_paired_by_replicate(ratio: float, expected: str) -> None:
    lower = normal(15, 10.0, 2.0, seed=3)
    found = two(ratio * lower + normal(15, 0.0, 0.5), lower, over="control", above=1.5)
    assert found.verdict == expected
    assert found.estimate == pytest.approx(ratio)
    assert found.method.startswith("paired BCa")


def test_a_ratio_to_something_like_zero_is_undecided() -> None:
    found = two(normal(15, 1.0, 0.1), normal(15, 0.1, 2.0, seed=3), over="control", above=0.0)
    assert found.verdict == "undecided"
    assert "not told apart from 0" in found.note


def test_a_difference_of_proportions_has_a_width_even_without_discordant_pairs() -> None:
    found = two(np.zeros(50), np.zeros(50), "fixed", minus="control", equals=0.0, margin=0.1)
    assert found.verdict == "holds"
    assert found.high == pytest.approx(1 - 0.0125 ** (1 / 50))
    narrow = two(np.zeros(50), np.zeros(50), "fixed", minus="control", equals=0.0, margin=0.05)
    assert narrow.verdict == "undecided"
    assert narrow.more_replicates == math.ceil(math.log(0.0125) / math.log(0.95)) - 50


def test_equal_payoffs_are_no_evidence_of_equality() -> None:
    x = normal(30, 1.0, 0.1)
    found = two(x, x, minus="control", equals=0.0, margin=0.5)
    assert found.verdict == "undecided"
    assert "differs.MEASURE" in found.note


def identity(n: int, odd: int = 0, **keys: Any) -> Any:
    x = np.random.default_rng(1).normal(size=(n, 3))
    y = x.copy()
    y[:odd, 1] = np.nextafter(y[:odd, 1], 9.0)
    tables = trajectory({"base": {"payoff": x}, "control": {"payoff": y}})
    keyed = {"measure": "differs.payoff", "minus": "control"} | keys
    return judge(claim(**keyed), tables, cells("base", "control"))


def test_bit_identity_of_two_arms_is_a_proportion_of_replicates() -> None:
    found = identity(50, equals=0.0, margin=0.08)
    assert (found.verdict, found.estimate) == ("holds", 0.0)
    assert found.high == pytest.approx(0.0711, abs=5e-5)
    assert identity(50, below=0.05).more_replicates == 22
    # One last bit in one generation of most replicates is found.
    assert identity(50, odd=40, below=0.5).verdict == "fails"
    assert identity(50, odd=40, below=0.5).estimate == pytest.approx(0.8)
    assert identity(50, odd=40, at={"generation": 20}, below=0.5).estimate == 0.0


def test_two_arms_may_differ_in_bits_and_pass_a_number_alike() -> None:
    assert identity(50, odd=40, measure="differs.payoff > 0", below=0.1).estimate == 0.0
    x = normal(50, 0.0, 1.0).reshape(50, 1) + np.zeros((1, 3))
    y = x + np.array([0.0, 9.0, 0.0]) * (np.arange(50) < 20)[:, None]
    tables = trajectory({"base": {"payoff": x}, "control": {"payoff": y}})
    keyed = {"measure": "differs.payoff > 5", "minus": "control", "above": 0.2}
    found = judge(claim(**keyed), tables, cells("base", "control"))
    assert (found.verdict, found.estimate) == ("holds", 0.4)


# --- missing data --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"generation": 7}, "not recorded at generation 7"),
        ({"generation": 60}, "beyond the run's last, 20"),
        ({"start": 10, "end": 60}, "beyond the run's last, 20"),
        ({"start": 11, "end": 19}, "nothing was recorded from generation 11 to 19"),
    ],
)
def test_a_generation_without_data_is_not_guessed(at: Any, words: str) -> None:
    found = verdict(normal(10, 1.0, 0.1), at=at, above=0.0)
    assert (found.verdict, found.more_replicates) == ("undecided", None)
    assert words in found.note


def test_an_arm_that_was_not_run_is_undecided() -> None:
    tables = trajectory({"base": {"payoff": normal(10, 1.0, 0.1)}})
    for arms in (cells("base"), cells("base", "control")):
        found = judge(claim(minus="control", above=0.0), tables, arms)
        assert found.verdict == "undecided"
        assert "control" in found.note


def test_a_lost_replicate_leaves_the_claim_undecided() -> None:
    tables = trajectory({"base": {"payoff": normal(10, 1.0, 0.1)}})
    frame = tables.trajectory
    frame.loc[(frame.replicate == 3) & (frame.generation == 10), "extinct"] = True
    tables.trajectory = frame[(frame.replicate != 3) | (frame.generation <= 10)]
    found = judge(claim(above=0.0), tables, cells("base"))
    assert found.verdict == "undecided"
    assert "extinct by generation 20 (1 of 10 replicates)" in found.note
    assert judge(claim(above=0.0, at={"generation": 0}), tables, cells("base")).verdict == "holds"


@pytest.mark.parametrize("statistic", ["value", "slope", "change"])
def test_the_end_of_a_run_that_all_died_in_is_missing(statistic: str) -> None:
    tables = trajectory({"base": {"payoff": np.random.default_rng(1).normal(size=(10, 3))}})
    tables.trajectory.loc[tables.trajectory.generation == 20, "extinct"] = True
    found = judge(claim(statistic=statistic, above=-9.0), tables, cells("base"))
    assert found.verdict == "undecided"
    assert "extinct by generation 20 (10 of 10 replicates)" in found.note


def test_two_arms_that_die_out_alike_do_not_differ() -> None:
    x = np.random.default_rng(1).normal(size=(50, 3))
    x[:10, 2] = np.nan
    tables = trajectory({"base": {"payoff": x}, "c": {"payoff": x}})
    made = claim(measure="differs.payoff", minus="c", below=0.08)
    assert judge(made, tables, cells("base", "c")).verdict == "holds"


def test_extinction_itself_can_be_claimed() -> None:
    tables = trajectory({"base": {"payoff": normal(20, 1.0, 0.1)}})
    frame = tables.trajectory
    lost = frame.replicate < 18
    frame.loc[lost & (frame.generation == 10), "extinct"] = True
    tables.trajectory = frame[~lost | (frame.generation <= 10)]
    for at in (None, {"generation": 20}):
        found = judge(claim(measure="extinct", at=at, above=0.5), tables, cells("base"))
        assert (found.verdict, found.estimate) == ("holds", 0.9)


def test_unpaired_replicates_are_named() -> None:
    tables = trajectory(
        {"base": {"payoff": normal(10, 1, 0.1)}, "c": {"payoff": normal(8, 1, 0.1)}}
    )
    found = judge(claim(minus="c", below=5.0), tables, cells("base", "c"))
    assert found.verdict == "undecided"
    assert "'c': no such replicate (2 of 10 replicates)" in found.note


# --- the table of claims -------------------------------------------------------------------


def test_judge_all_gives_the_columns_of_the_claims_table() -> None:
    tables = trajectory({"base": {"payoff": normal(20, 1.5, 0.5)}})
    claims = [
        claim(says="one", above=1.0),
        claim(says="two", above=2.0, refuted="the theory forgot drift"),
        claim(says="three", above=2.0),
        claim(says="four", measure="pay", above=2.0),
        claim(says="five", above=1.0, refuted="wrongly"),
        claim(says="six", equals=1.5, margin=0.01),
    ]
    frame = judge_all(claims, tables, cells("base"), 20, systems=["S01", "S10"])
    assert tuple(frame.columns) == COLUMNS
    verdicts = ["holds", "fails", "fails", "undecided", "holds", "undecided"]
    assert list(frame["verdict"]) == verdicts
    assert list(frame["index"]) == list(range(6))
    assert set(frame["systems"]) == {"S01, S10"}
    assert frame["refuted"][1] == "the theory forgot drift"
    assert "unknown measure 'pay'" in frame["note"][3]
    assert "refuted" in frame["note"][4]
    assert frame["more_replicates"].isna().tolist() == [True] * 5 + [False]
    assert str(frame["more_replicates"].dtype) == "Int64"
    assert strict_failures(frame) == 1


def test_no_claims_give_an_empty_table() -> None:
    frame = judge_all([], SimpleNamespace(trajectory=pd.DataFrame()), [])
    assert tuple(frame.columns) == COLUMNS
    assert strict_failures(frame) == 0


def test_regions_in_words() -> None:
    texts = {
        "> 1": {"above": 1.0},
        "difference from 'c' 0 ± 0.1": {"equals": 0.0, "margin": 0.1, "minus": "c"},
        "slope in [0, 1]": {"between": [0.0, 1.0], "statistic": "slope"},
        "median time to reach 0.5 < 9": {"below": 9.0, "statistic": "time", "reaches": 0.5},
        "crosses 0.5 within [0.1, 0.3]": {"crosses": {"value": 0.5, "between": [0.1, 0.3]}},
        "every step decreasing within 0.1": {"monotone": "decreasing", "margin": 0.1},
        "change, ratio to 'c' < 2": {"below": 2.0, "statistic": "change", "over": "c"},
        "trend increasing": {"trend": "increasing"},
    }
    claims = [claim(**keys) for keys in texts.values()]
    tables = SimpleNamespace(trajectory=pd.DataFrame())
    assert list(judge_all(claims, tables, [])["region"]) == list(texts)


def test_an_unknown_measure_is_a_user_error() -> None:
    with pytest.raises(UserError, match=r"claim\.0\.measure.*did you mean 'payoff'"):
        judge(
            claim(measure="paiof", above=0.0),
            trajectory({"base": {"payoff": normal(10, 1.0, 0.1)}}),
            cells("base"),
        )
