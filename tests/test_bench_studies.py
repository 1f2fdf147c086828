"""The studies' part of `make bench`: what it does is done, and its table says what it means."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from evosim.bench import studies
from evosim.bench.studies import Studies
from evosim.bench.tables import study_table
from evosim.studies.store import Store


def text(found):
    page = StringIO()
    Console(width=110, file=page).print(study_table(found))
    return page.getvalue()


def test_a_plan_is_written_by_a_process_of_its_own(tmp_path):
    seconds, peak = studies._plan(tmp_path / "plan", 20, 3)
    plan = Store.existing(tmp_path / "plan" / "out").plan()
    assert len(plan) == 60
    assert plan["point"].nunique() == 20
    assert seconds > 0
    assert 2**24 < peak < 2**30


def test_a_timed_study_does_its_runs(tmp_path):
    clock = studies._Clock()
    wall, seconds = studies._timed(tmp_path / "few", 3, 4, 1, 20, clock)
    assert len(seconds) == len(clock.ends) == 3
    assert clock.ends == sorted(clock.ends)
    assert 0 < sum(seconds) < wall


def test_the_overhead_is_that_of_the_runs_and_not_of_the_start(tmp_path, monkeypatch):
    now = 100.0

    def timed(folder, runs, generations, workers, agents, clock):
        nonlocal now
        clock.start(runs)
        now += 5.0  # the worker's start
        for k in range(runs):
            now += 0.25 + 0.01 + (3.0 if k == 7 else 0.0)  # once another program is in the way
            clock.advance(1, "runs")
        now += 0.002 * runs  # tables
        return now, [0.25] * runs

    monkeypatch.setattr(studies, "perf_counter", lambda: now)
    monkeypatch.setattr(studies, "_timed", timed)
    assert studies._overhead(tmp_path / "short", 40) == pytest.approx(0.012)


def test_the_table_judges_each_target():
    good = text(Studies((1.5, 1.56), (2000.0, 3700.0), 0.004, 100_000, 6.0, 300 * 2**20))
    assert good.count("│ yes ") == 4
    assert "0.93" in good  # 3700 / 4000
    assert "1.04" in good  # of which runs side by side
    assert "100,000 runs" in good
    bad = text(Studies((1.5, 1.5), (2000.0, 3500.0), 0.021, 100_000, 10.5, 501 * 2**20))
    assert bad.count("│ no ") == 4
