"""Verdicts on courses: slopes, times, trends and crossings along generations and grids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from claims_case import Cell, cells, claim, grid, normal, trajectory, verdict

from evosim.claims.intervals import t_interval
from evosim.claims.judge import judge, judge_all

# --- statistics over time ------------------------------------------------------------------

WHEN = tuple(range(0, 101, 10))


def rising(rates: Any) -> Any:
    return np.outer(rates, np.array(WHEN, dtype=float))


@pytest.mark.parametrize(("at", "factor"), [(None, 100), ({"generation": 50}, 50)])
def test_change_is_since_generation_0(at: Any, factor: int) -> None:
    rates = normal(10, 0.1, 0.01)
    values = rising(rates) + np.arange(10)[:, None]
    found = verdict(values, WHEN, statistic="change", at=at, above=0.0)
    assert found.estimate == pytest.approx(0.1 * factor)
    assert found.verdict == "holds"


def test_window_is_the_mean_of_recorded_generations() -> None:
    values = rising(normal(10, 0.1, 0.01))
    found = verdict(values, WHEN, at={"start": 25, "end": 50}, above=0.0)
    assert found.estimate == pytest.approx(0.1 * (30 + 40 + 50) / 3)


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.1, "holds"), (-0.1, "fails"), (0.002, "undecided")]
)
def test_slope_is_per_generation(rate: float, expected: str) -> None:
    values = rising(normal(10, rate, 0.01)) + np.arange(10)[:, None]
    for at in (None, {"start": 20, "end": 70}):
        found = verdict(values, WHEN, statistic="slope", at=at, above=0.0)
        assert found.estimate == pytest.approx(rate)
        assert found.verdict == expected


def reaching(times: list[float], sign: float = 1.0) -> Any:
    """Return values that pass 0.5 (from below if sign is 1) at these recorded generations."""
    past = np.array(WHEN)[None, :] >= np.array(times)[:, None]
    return 0.5 + sign * np.where(past, 0.25, -0.25)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_time_is_the_first_recorded_generation_from_either_side(sign: float) -> None:
    values = reaching([30, 40, 40, 50, 50, 50, 60, 70, 70, 80], sign)
    keys: dict[str, Any] = {"statistic": "time", "reaches": 0.5}
    found = verdict(values, WHEN, **keys, below=75.0)
    assert (found.estimate, found.low, found.high) == (50, 40, 70)
    assert found.verdict == "holds"
    assert verdict(values, WHEN, **keys, below=60.0).verdict == "undecided"
    assert verdict(values, WHEN, **keys, above=75.0).verdict == "fails"


def test_replicates_that_never_reach_it_count_as_late() -> None:
    values = reaching([30.0] * 8 + [math.inf] * 4)
    keys: dict[str, Any] = {"statistic": "time", "reaches": 0.5}
    found = verdict(values, WHEN, **keys, below=60.0)
    assert found.estimate == 30
    assert found.verdict == "undecided"
    assert math.isnan(found.high)
    assert "4 of 12 replicates never reach it" in found.note
    assert "upper limit is +infinite" in found.note
    assert (found.more_replicates or 0) > 0
    never = verdict(reaching([math.inf] * 12), WHEN, **keys, below=60.0)
    assert never.verdict == "fails"
    assert verdict(reaching([math.inf] * 12), WHEN, **keys, above=60.0).verdict == "holds"


def test_extinction_before_the_value_is_reached_counts_as_never() -> None:
    tables = trajectory({"base": {"payoff": reaching([50.0] * 7)}}, WHEN)
    frame = tables.trajectory
    frame.loc[(frame.replicate == 0) & (frame.generation == 20), "extinct"] = True
    tables.trajectory = frame[(frame.replicate != 0) | (frame.generation <= 20)]
    found = judge(claim(statistic="time", reaches=0.5, above=45.0), tables, cells("base"))
    assert (found.verdict, found.estimate) == ("holds", 50)
    assert "1 of 7 replicates never reach it" in found.note


def test_times_of_two_arms() -> None:
    early, late = [20.0, 30, 30, 40, 40, 50], [70.0, 80, 80, 90, 90, math.inf]
    tables = trajectory(
        {"base": {"payoff": reaching(early)}, "c": {"payoff": reaching(late)}}, WHEN
    )
    keys: dict[str, Any] = {"statistic": "time", "reaches": 0.5, "minus": "c"}
    found = judge(claim(**keys, below=0.0), tables, cells("base", "c"))
    assert (found.verdict, found.estimate) == ("holds", -50)
    tables = trajectory(
        {"base": {"payoff": reaching([math.inf] * 6)}, "c": {"payoff": reaching([math.inf] * 6)}},
        WHEN,
    )
    assert judge(claim(**keys, below=0.0), tables, cells("base", "c")).verdict == "undecided"


# --- along a grid --------------------------------------------------------------------------

RHO = [0.0, 0.1, 0.2, 0.3, 0.4]


def along(curves: Any, **keys: Any) -> Any:
    arms = grid("rho", "context.left.frequency", RHO)
    data = {c.label: {"payoff": curves[:, i]} for i, c in enumerate(arms)}
    return judge(claim(arm="rho", **keys), trajectory(data), arms)


def curves(shape: list[float], sd: float = 0.02, n: int = 12) -> Any:
    columns = [normal(n, mean, sd, seed) for seed, mean in enumerate(shape)]
    return np.stack(columns, axis=1)


RISE = [0.1, 0.2, 0.4, 0.8, 0.9]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("between", "expected"),
    [([0.2, 0.3], "holds"), ([0.0, 0.1], "fails"), ([0.225, 0.3], "undecided")],
)
def test_crossing_by_interpolation(between: list[float], expected: str, flip: bool) -> None:
    values = 1.0 - curves(RISE) if flip else curves(RISE)
    found = along(values, crosses={"value": 0.5, "between": between})
    assert found.estimate == pytest.approx(0.2 + 0.1 * (0.1 / 0.4))
    assert found.verdict == expected


def test_more_replicates_for_a_crossing() -> None:
    found = along(curves(RISE), crosses={"value": 0.5, "between": [0.224, 0.3]})
    needed = 12 * ((found.estimate - found.low) / (found.estimate - 0.224)) ** 2
    assert needed > 24
    assert 12 + (found.more_replicates or 0) == math.ceil(needed)


@pytest.mark.parametrize("shape", [[0.1, 0.2, 0.2, 0.3, 0.3], [0.7, 0.8, 0.8, 0.9, 0.9]])
def test_not_crossing_at_all_fails(shape: list[float]) -> None:
    found = along(curves(shape), crosses={"value": 0.5, "between": [0.0, 0.4]})
    assert found.verdict == "fails"
    assert "does not cross 0.5" in found.note
    assert math.isnan(found.estimate)


def test_perhaps_not_crossing_is_undecided() -> None:
    shape = [0.1, 0.2, 0.3, 0.4, 0.499]
    found = along(curves(shape), crosses={"value": 0.5, "between": [0.3, 0.4]})
    assert found.verdict == "undecided"


def test_a_curve_that_crosses_more_than_once_says_so() -> None:
    found = along(curves([0.1, 0.6, 0.2, 0.8, 0.9]), crosses={"value": 0.5, "between": [0.0, 0.2]})
    assert "crosses 0.5 3 times" in found.note


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(RISE, "holds"), (RISE[::-1], "fails"), ([0.5, 0.51, 0.49, 0.5, 0.501], "undecided")],
)
def test_trend(shape: list[float], expected: str) -> None:
    found = along(curves(shape), trend="increasing")
    slope = np.polyfit(RHO, shape, 1)[0]
    assert found.verdict == expected
    assert found.estimate == pytest.approx(slope)
    if expected != "undecided":
        other = "fails" if expected == "holds" else "holds"
        assert along(curves(shape), trend="decreasing").verdict == other


@pytest.mark.parametrize(
    ("shape", "margin", "expected"),
    [
        (RISE, None, "holds"),
        ([0.1, 0.4, 0.2, 0.8, 0.9], None, "fails"),
        ([0.1, 0.4, 0.4, 0.8, 0.9], None, "undecided"),
        ([0.1, 0.4, 0.4, 0.8, 0.9], 0.1, "holds"),
        ([0.1, 0.4, 0.2, 0.8, 0.9], 0.1, "fails"),
    ],
)
@pytest.mark.parametrize("direction", ["increasing", "decreasing"])
def test_monotone(shape: list[float], margin: Any, expected: str, direction: str) -> None:
    values = curves(shape) if direction == "increasing" else -curves(shape)
    found = along(values, monotone=direction, margin=margin)
    assert found.verdict == expected
    steps = np.diff(shape) if direction == "increasing" else -np.diff(shape)
    worst = steps.min() if direction == "increasing" else steps.max()
    assert found.estimate == pytest.approx(worst, abs=0.011)


def test_monotone_corrects_for_the_number_of_steps() -> None:
    values = curves(RISE)
    steps = np.diff(values, axis=1)
    found = along(values, monotone="increasing")
    intervals = [t_interval(step, 1 - 0.05 / 4) for step in steps.T]
    assert (found.low, found.high) == pytest.approx(min(intervals))


def test_monotone_shows_the_step_that_fails() -> None:
    values = curves([0.1, 0.4, 0.2, 0.8, 0.9])
    values[:, 4] = normal(12, 0.9, 2.0, seed=9)  # a wide last step, which decides nothing
    found = along(values, monotone="increasing")
    assert found.verdict == "fails"
    assert found.estimate == pytest.approx(-0.2)
    assert "least of 4 steps" in found.note


def test_grid_claims_of_differences() -> None:
    arms = [*grid("rho", "f", RHO), *cells("control")]
    values = curves(RISE)
    data = {c.label: {"payoff": values[:, i]} for i, c in enumerate(arms[:-1])}
    tables = trajectory(data | {"control": {"payoff": values[:, 0]}})
    keys: dict[str, Any] = {"arm": "rho", "minus": "control"}
    found = judge(claim(**keys, crosses={"value": 0.3, "between": [0.15, 0.25]}), tables, arms)
    assert found.verdict == "holds"
    assert found.estimate == pytest.approx(0.2)


def test_a_cell_of_a_grid_against_the_same_cell_of_another() -> None:
    arms = [*grid("a", "f", [0.0, 0.1]), *grid("b", "f", [0.0, 0.1])]
    means = [0.0, 5.0, 0.0, 1.0]
    columns = [normal(10, mean, 0.1, seed) for seed, mean in enumerate(means)]
    data = {c.label: {"payoff": x} for c, x in zip(arms, columns, strict=True)}
    found = judge(claim(arm="a", cell={"f": 0.1}, minus="b", above=3.0), trajectory(data), arms)
    assert (found.verdict, found.arm) == ("holds", "a [f=0.1]")
    assert found.estimate == pytest.approx(4.0)


def test_two_grid_keys_and_one_fixed() -> None:
    arms = [Cell(f"g{i}{j}", "g", {"i": i, "j": j}) for i in range(5) for j in range(2)]
    values = curves(RISE)
    data = {c.label: {"payoff": values[:, c.cell["i"]] * (1 - 2 * c.cell["j"])} for c in arms}
    tables = trajectory(data)
    assert judge(claim(arm="g", cell={"j": 0}, trend="increasing"), tables, arms).verdict == "holds"
    assert judge(claim(arm="g", cell={"j": 1}, trend="increasing"), tables, arms).verdict == "fails"
    loose = judge(claim(arm="g", trend="increasing"), tables, arms)
    assert loose.verdict == "undecided"
    assert "varies 2 grid keys" in loose.note


def test_verdicts_do_not_depend_on_row_order() -> None:
    arms = grid("rho", "f", RHO)
    values = curves(RISE)
    tables = trajectory({c.label: {"payoff": values[:, i]} for i, c in enumerate(arms)})
    claims = [
        claim(arm="rho", crosses={"value": 0.5, "between": [0.2, 0.3]}),
        claim(arm="rho", cell={"f": 0.1}, above=0.1, interval="bca"),
    ]
    first = judge_all(claims, tables, arms)
    tables.trajectory = tables.trajectory.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(first, judge_all(claims, tables, arms))
