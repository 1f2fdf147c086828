"""The simulator against theory: a quick version of every result, and the long one on demand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from evosim.validate import matching, run_suite
from evosim.validate.absorb import absorb
from evosim.validate.models import NEUTRAL, alleles, keep
from evosim.validate.suite import Case, Row

RESULTS = [result.name for result in matching()]
CASE = Case("T0", replicates=40, seed=11, label="", threads=1, quick=True)


def off(rows):
    return [
        f"{row.id} {row.quantity}: {row.measured:g}, expected {row.expected:g} +- {row.tolerance:g}"
        for row in rows
        if not row.ok
    ]


@pytest.mark.parametrize("name", RESULTS)
def test_quick(name):
    (result,) = matching(name)
    rows = list(result.rows(quick=True))
    assert rows
    assert not off(rows)


@pytest.mark.validate
@pytest.mark.parametrize("name", RESULTS)
def test_full(name):
    (result,) = matching(name)
    assert not off(result.rows(threads=2))


def test_every_result_is_there():
    wanted = [*range(1, 7), *range(10, 21), 26, 28, 31, *range(48, 54), 55, 56, *range(57, 73)]
    found = {result.id for result in matching()}
    assert found >= {"S58", *(f"T{k}" for k in wanted)}
    for result in matching():
        assert result.description
        assert 0 < result.quick <= result.replicates
    assert len({result.seed for result in matching()}) == len(RESULTS)


def test_patterns():
    assert {result.id for result in matching("T1")} == {"T1"}
    assert {result.id for result in matching("moran")} == {"T3", "T14"}
    assert [result.name for result in matching("multiplicative")] == ["multiplicative"]
    assert run_suite("no such result") == []


def test_rows_are_the_same_for_any_number_of_threads():
    one = run_suite("haploid_selection", quick=True, threads=1)
    two = run_suite("haploid_selection", quick=True, threads=2)
    assert [dataclasses.replace(row, seconds=0.0) for row in one] == [
        dataclasses.replace(row, seconds=0.0) for row in two
    ]


def test_a_row_off_by_more_than_its_tolerance_is_off():
    row = Row("T0", "x", 1.0, 1.25, 0.25, "", 1, 0)
    assert row.ok
    assert not dataclasses.replace(row, measured=1.26).ok
    assert not dataclasses.replace(row, measured=math.nan).ok


def test_tolerances_follow_from_the_number_of_values():
    values = np.tile([0.0, 1.0], 50)
    sd = values.std(ddof=1)
    assert CASE.mean("x", 0.5, values).tolerance == pytest.approx(4 * sd / 10)
    assert CASE.mean("x", 0.5, values, sd=2.0).tolerance == pytest.approx(0.8)
    assert CASE.mean("x", 0.5, values, sd=2.0, bias=-0.1).tolerance == pytest.approx(0.9)
    assert CASE.proportion("x", 0.2, 5, 25).tolerance == pytest.approx(4 * 0.08)
    assert CASE.error("x", 1e-13).ok
    assert not CASE.error("x", 1e-11).ok
    assert not CASE.error("x", math.nan).ok


def test_dropping_replicates_changes_nothing_for_the_others():
    together = CASE.engine(alleles(30, 15, payoff=0.1))
    for _ in range(3):
        together.step()
    which = np.arange(40) % 3 == 0
    alone = keep(together, which)
    for _ in range(4):
        together.step()
        alone.step()
    np.testing.assert_array_equal(alone.population.bits, together.population.bits[which])


def test_batches_cover_all_replicates_once():
    numbers = np.concatenate(list(CASE.batches(300_000)))
    np.testing.assert_array_equal(numbers, np.arange(40))


def test_absorbed_replicates_stop():
    ends = absorb(CASE, alleles(10, 5, fitness=NEUTRAL))
    assert ends.fixed.any()
    assert not ends.fixed.all()
    assert (ends.time > 0).all()


def test_replicates_that_never_end_are_given_up(monkeypatch):
    monkeypatch.setattr("evosim.validate.absorb.PATIENCE", 1)
    ends = absorb(CASE, alleles(10, 5, fitness=NEUTRAL))
    late = ends.time == 10
    assert late.any()
    assert not ends.fixed[late].all()
