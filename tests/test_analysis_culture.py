"""The figure of cultural channels, from small runs of its four scenarios."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evosim

ROOT = Path(__file__).parent.parent
SIZES = {
    "saturated": {"agents": 20, "generations": 6},
    "unbounded": {"agents": 20, "generations": 6},
    "overhang": {"agents": 10, "generations": 56},
    "left_turn": {"agents": 20, "generations": 40},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    for name, size in SIZES.items():
        path = ROOT / "scenarios" / f"{name}.toml"
        evosim.run(path, out=out / name, replicates=5, threads=1, **size)
    return out


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "analysis" / "culture.py"))


def test_one_command_runs_all_that_the_figure_needs():
    listed = re.search(r"^CULTURE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed[1].split() == list(SIZES)


def test_the_figure_is_drawn_from_results(results):
    command = [sys.executable, str(ROOT / "analysis" / "culture.py"), str(results)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (results / "culture.png").stat().st_size > 20_000


def test_what_is_missing_is_named(results, tmp_path, capsys):
    command = [sys.executable, str(ROOT / "analysis" / "culture.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "holds no results of 'saturated'" in done.stderr


def test_slopes_are_those_of_the_second_half(script):
    t = np.arange(11.0)
    made = pd.DataFrame(
        [
            {
                "replicate": r,
                "generation": g,
                "value": r + (2.0 + r) * max(g - 5, 0) + 9 * min(g, 5),
            }
            for r in range(3)
            for g in t
        ]
    )
    np.testing.assert_allclose(script["slopes"](made), [2.0, 3.0, 4.0])
