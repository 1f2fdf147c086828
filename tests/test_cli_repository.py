"""What stands beside the package: make targets, the citation, the entry of the checks."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import evosim

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def makefile():
    return (ROOT / "Makefile").read_text()


def test_make_alone_lists_every_target_with_its_purpose(makefile):
    targets = re.findall(r"^\.PHONY: (\S+)", makefile, re.MULTILINE)
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = re.findall(r"^  make (\S+) +\S", done.stdout, re.MULTILINE)
    assert listed == targets
    assert {"run", "test", "lint", "reproduce", "figures", "bench", "validate"} <= set(targets)


def test_every_target_that_runs_something_creates_the_environment(makefile):
    rules = dict(re.findall(r"^([a-z-]+):(.*?)## ", makefile, re.MULTILINE))
    assert {name for name, needs in rules.items() if "$(STAMP)" not in needs} == {"help", "clean"}


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE).group(1) == evosim.__version__


def test_the_checks_have_one_entry():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert re.findall(r"^make (\S+)$", text, re.MULTILINE) == ["test", "lint", "test-browser"]


def test_every_public_name_is_there():
    assert set(evosim.__all__) <= set(dir(evosim))
    assert all(getattr(evosim, name) is not None for name in evosim.__all__)
