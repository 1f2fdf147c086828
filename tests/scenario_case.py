"""The small scenario files of the tests, and how a mistake in one must read."""

from __future__ import annotations

from pathlib import Path

import pytest

from evosim.errors import UserError
from evosim.scenario import Scenario

DATA = Path(__file__).parent / "data"
FILES = ("bandit", "coinrun", "landscape")


def text_of(name):
    return (DATA / f"{name}.toml").read_text(encoding="utf-8")


def scenario(name):
    return Scenario.load(DATA / f"{name}.toml")


def changed(name, old, new):
    """The text of a file with one passage replaced, and the line on which it stood."""
    text = text_of(name)
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    return text.replace(old, new), text[: text.index(old)].count("\n") + 1


def refused(make, *parts):
    """Assert that `make` fails in one line that holds the parts; return the error."""
    with pytest.raises(UserError) as caught:
        make()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    for part in parts:
        assert part in line
    return caught.value


def refused_file(name, old, new, *parts, line=None):
    """Assert that a changed file fails at the changed line (or `line` lines further)."""
    text, at = changed(name, old, new)
    error = refused(lambda: Scenario.from_text(text, "case.toml"), *parts)
    assert str(error).startswith("case.toml:")
    if line is not None:
        assert error.line == at + line
    return error
