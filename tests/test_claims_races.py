"""Which of two events is first: times by hand, and what arms with one event each say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from claims_case import cells, claim, trajectory
from hypothesis import given, settings
from hypothesis import strategies as st

from evosim.api import only_arms
from evosim.claims.judge import judge
from evosim.claims.races import apart, earlier
from evosim.scenario import Scenario

RACE = "x > 0.5 before y > 0.5"


def record(*passing, generations=(0, 10, 20)):
    """A column that is 1 from the given generation on (None: never), by replicate."""
    return [[float(t is not None and g >= t) for g in generations] for t in passing]


def both(x, y, **keys):
    """Judge a race in one arm."""
    tables = trajectory({"base": {"x": record(*x), "y": record(*y)}})
    return judge(claim(measure=RACE, above=0.5, **keys), tables, cells("base"))


def test_the_first_one_is_counted():
    # First, later, at once, alone, never, and only the other: two of six.
    found = both([10, 20, 10, 20, None, None], [20, 10, 10, None, None, 0])
    assert found.estimate == pytest.approx(2 / 6)
    assert "Clopper-Pearson" in found.method


def test_a_race_can_be_cut_short():
    by_ten = both([10, 20, 20], [20, None, None], at={"generation": 10})
    assert by_ten.estimate == pytest.approx(1 / 3)
    window = both([0, 10, 20], [0, 20, 10], at={"start": 10, "end": 20})
    assert window.estimate == pytest.approx(1 / 3)  # the first replicate has had both by then
    late = both([10], [20], at={"generation": 30})
    assert late.verdict == "undecided"
    assert "beyond the run's last" in late.note


def test_a_replicate_without_values_has_no_winner():
    x, y = record(10, 10), record(20, 20)
    y[1] = [math.nan] * 3
    found = judge(
        claim(measure=RACE, above=0.5), trajectory({"base": {"x": x, "y": y}}), cells("base")
    )
    assert found.verdict == "undecided"
    assert "a value is missing" in found.note


def test_arms_apart_are_compared_across_replicates():
    """By hand: the first event at 10, never and 20, the second at 20, 10 and never."""
    arms = {
        "base": {"x": record(10, None, 10), "y": record(None, 10, 20)},
        "one": {"x": record(10, None, 20), "y": record(0, 0, 0)},
        "two": {"x": record(0, 0, 0), "y": record(20, 10, None)},
    }
    made = claim(measure=RACE, apart=["one", "two"], equals=0, margin=0.5)
    found = judge(made, trajectory(arms), cells("base", "one", "two"))
    # Of six pairs of different replicates 1 wins: 10 before never (10 before 10 does not, and
    # 20 before 20 and 10 do not).
    assert found.estimate == pytest.approx(2 / 3 - 1 / 6)


def test_without_its_arms_apart_a_claim_is_left_out():
    scenario = Scenario.load(Path(__file__).parents[1] / "scenarios" / "race.toml")
    assert any(c.apart for c in scenario.model.claim)
    alone = only_arms(scenario, ["race"])
    assert alone.model.claim
    assert not any(c.apart for c in alone.model.claim)


times = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf]), min_size=2, max_size=9)


@settings(max_examples=60, deadline=None)
@given(times, st.randoms(use_true_random=False))
def test_the_mean_of_components_is_the_share_of_pairs(one, luck):
    two = one[:]
    luck.shuffle(two)
    n = len(one)
    share = np.mean([one[i] < two[j] for i in range(n) for j in range(n) if i != j])
    found = apart(np.array(one), np.array(two))
    assert found.mean() == pytest.approx(share)
    assert earlier(np.array(one), np.array(two)).tolist() == [
        float(a < b) for a, b in zip(one, two, strict=True)
    ]


def test_constant_hazards_race_as_theory_says():
    """b / (a + b) within four standard errors, and errors as large as they are said to be."""
    luck = np.random.default_rng(1)
    means, said = [], []
    for _ in range(400):
        shared = luck.exponential(size=60)  # replicates of one number share luck
        found = apart(shared / 0.3, 0.5 * (shared + luck.exponential(size=60)) / 0.2)
        means.append(found.mean())
        said.append(found.std(ddof=1) / math.sqrt(60))
    assert np.mean(said) == pytest.approx(np.std(means), rel=4 / math.sqrt(2 * 400) + 0.05)
    lock, goal = luck.exponential(1 / 0.2, 2000), luck.exponential(1 / 0.3, 2000)
    found = apart(lock, goal)
    error = found.std(ddof=1) / math.sqrt(found.size)
    assert found.mean() == pytest.approx(0.2 / (0.2 + 0.3), abs=4 * error)
