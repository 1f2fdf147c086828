"""The anti-fake checks F1 to F10 on every scenario file; `conftest.py` prints their table."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pytest

from evosim import antifake
from evosim.scenario import Scenario

FILES = sorted((Path(__file__).parent.parent / "scenarios").glob("*.toml"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@lru_cache(maxsize=1)
def lived(path):
    """The last file's histories: its checks come one after the other."""
    return antifake.Small(loaded(path))


@lru_cache(maxsize=1)
def measures(path):
    return antifake.Measures(loaded(path))


def loaded(path):
    scenario = Scenario.load(path)
    if scenario.model.world.kind == "gymnasium":
        pytest.importorskip("gymnasium", reason="the extra evosim[gymnasium] is not installed")
    return scenario


def judge(row, request):
    request.node.user_properties.append(("antifake", json.dumps(asdict(row))))
    assert row.verdict != antifake.FAIL, f"{row.file} {row.check}: {row.reason}"


@every_file
def test_the_file_declares_its_effect(path):
    assert Scenario.load(path).model.effect is not None, f"{path.name} has no [effect]"


@pytest.mark.parametrize("check", antifake.QUICK)
@every_file
def test_quick(path, check, request):
    shared = lived(path)
    judge(antifake.check_quick(shared.scenario, check, shared), request)


@pytest.mark.validate
@pytest.mark.parametrize("check", antifake.MEASURED)
@every_file
def test_measured(path, check, request):
    shared = measures(path)
    judge(antifake.check_measured(shared.scenario, check, shared), request)
