"""On a terminal there is colour and a bar, elsewhere there is neither."""

from __future__ import annotations

import io
import re
import time

import pandas as pd
import pytest

from evosim import report, units
from evosim.progress import LogProgress, TerminalProgress, shown_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def claims(**changes):
    claim = {
        "claim": "A long statement " * 10,
        "arm": "rho [frequency=0.05]",
        "estimate": 0.123456,
        "low": 0.1,
        "high": 0.2,
        "region": "between 0.1 and 0.2",
        "verdict": "holds",
        "more_replicates": None,
        "note": "",
        "refuted": "",
    }
    return pd.DataFrame([{**claim, **changes}])


def printed(stream, table):
    report.make_console(stream).print(table)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("changes", "word", "colour"),
    [
        ({}, "holds", "32"),
        ({"verdict": "fails"}, "fails", "31"),
        ({"verdict": "fails", "refuted": "too few agents"}, "refuted", "35"),
        ({"verdict": "undecided"}, "undecided", "33"),
    ],
)
def test_verdicts_are_words_and_on_a_terminal_coloured(changes, word, colour):
    table = report.claims_table(claims(**changes))
    assert f"\x1b[{colour}m{word}" in printed(Terminal(), table)
    plain = printed(io.StringIO(), report.claims_table(claims(**changes)))
    assert "\x1b" not in plain
    assert re.search(rf"\b{word}\b", plain)
    assert max(map(len, plain.splitlines())) == report.PLAIN_WIDTH


def test_intervals_may_be_open_or_missing():
    nan = float("nan")
    assert report.interval({"low": 0.1, "high": 0.25}) == "[0.1, 0.25]"
    assert report.interval({"low": 0.1, "high": nan}) == "[0.1, inf)"
    assert report.interval({"low": None, "high": 2}) == "(-inf, 2]"
    assert report.interval({"low": nan, "high": pd.NA}) == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-0.0, "0"), (12345.0, "12,345"), (0.000123456, "0.0001235"), (pd.NA, "-")],
)
def test_numbers_have_four_digits(value, text):
    assert report.number(value) == text


def test_times_and_sizes_are_readable():
    assert [units.duration(s) for s in (0.04, 75, 7300)] == ["0.0 s", "1 min 15 s", "2 h 1 min"]
    assert [units.size(n) for n in (999, 1.5e6, 2e13)] == ["999 B", "1.5 MB", "20 TB"]


def test_the_bar_shows_speed_and_goes_away():
    stream = Terminal()
    with shown_progress(stream) as progress:
        assert isinstance(progress, TerminalProgress)
        progress.advance(1, "before the start is no error")
        progress.start(10)
        for _ in range(5):
            progress.advance(2, "base")
            time.sleep(0.11)  # the bar is drawn ten times a second at most
    shown = stream.getvalue()
    assert "base" in shown
    assert "10/10" in shown
    assert "generations/s" in shown
    assert re.search(r"0:00:0\d", shown)  # the time left
    assert shown.endswith("\x1b[2K") or shown.rstrip("\r\n").endswith("\x1b[2K")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def logged(seconds, total=1000, step=10):
    """Lines of a run of `total` generations, `step` of which take so many seconds."""
    stream, clock = io.StringIO(), Clock()
    progress = LogProgress(stream, clock=clock)
    progress.start(total)
    for _ in range(0, total, step):
        clock.now += seconds
        progress.advance(step, "base")
    progress.finish()
    return stream.getvalue().splitlines()


def test_a_log_gets_a_line_a_minute_or_for_each_twentieth_of_a_run():
    assert logged(0.5) == []
    assert logged(2.5)[0] == (
        "evosim: 240 of 1,000 generations, in 'base', after 1 min 0 s; about 3 min 10 s left"
    )
    assert len(logged(2.5)) == 4
    assert len(logged(100.0)) == 19
    assert len(logged(100.0, total=10_000)) == 19


def test_what_is_written_into_a_pipe_is_told_in_lines():
    stream = io.StringIO()
    with shown_progress(stream) as progress:
        assert isinstance(progress, LogProgress)
        progress.advance(1, "before the start is no error")
        progress.start(10)
        progress.advance(10, "base")
    assert stream.getvalue() == ""
