"""F7 finds what knows a scenario in the sources, planted in copies of them as well."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest
from antifake_case import toy

from evosim.antifake.history import Small
from evosim.antifake.sources import PACKAGE, check_sources

KERNEL = """
\"\"\"Of the coin right: docstrings decide nothing.\"\"\"
FAR = 3
def live(context, place, payoff, n):
    here = place
    for lane in range(n):
        {line}
"""
FAKE_KERNELS = [
    'if context[lane] == 1: payoff[lane] += 1.0',
    'if 2 != context[lane]: payoff[lane] += 1.0',
    'if here in (0, 3): payoff[lane] += 1.0',
    'payoff[lane] += 1.0 if int(place) == FAR else 0.0',
    'k = np.int64(context[lane]) * 2\n        payoff[lane] += k > 1',
    'context_payoff[n, which[lane]] += 1.0\n        payoff[lane] += which[lane] == 1',
    'if v > context_cdf[k]: payoff[lane] += k > 1',
    'name = "coin right"',
    'coin_right = 1',
    'about = "fake of S99"',
    'toyfile = 1',
]  # fmt: skip
HONEST_KERNELS = [
    "while place < n and payoff[place] > 0.5: place += 1",
    "if payoff[context[lane]] == 1.0: payoff[lane] = 0.0",
    "state = place * n + lane\n        payoff[lane] = 1.0 if state >= 0 else 2.0",
    'words = "a coin, and right or left"',
]
FAKE_MODULES = [
    'if model.title == "any": x = 1',
    'x = 1 if path.stem == "any" else 2',
    'x = {"toyfile": 1}[name]',
    'if name.startswith("toyfile.toml"): x = 1',
    'if "S99" in model.systems: x = 1',
    'x = [k for k in ks if k == "A toy that nothing is about"]',
    'match name:\n    case "toyfile": x = 1',
]


def package(folder, kernel="pass", module="pass"):
    (folder / "kernels").mkdir(parents=True)
    (folder / "kernels" / "life.py").write_text(KERNEL.format(line=kernel))
    (folder / "module.py").write_text(f'"""The toyfile of S99."""\n{module}\n')
    return folder


def source_row(folder, **lines):
    scenario = replace(toy(), path=folder / "toyfile.toml")
    return check_sources(scenario, Small(scenario), package(folder / "src", **lines))


@pytest.mark.parametrize("line", FAKE_KERNELS)
def test_kernels_that_know_a_scenario_are_found(tmp_path, line):
    row = source_row(tmp_path, kernel=line)
    assert row.verdict == "fail"
    assert "kernels/life.py:7" in row.reason or "kernels/life.py:8" in row.reason


@pytest.mark.parametrize("line", HONEST_KERNELS)
def test_kernels_may_look_up_what_holds_in_a_context(tmp_path, line):
    assert source_row(tmp_path, kernel=line).reason.startswith("no name of it")


@pytest.mark.parametrize("line", FAKE_MODULES)
def test_modules_that_choose_by_a_scenarios_name_are_found(tmp_path, line):
    row = source_row(tmp_path, module=line)
    assert row.verdict == "fail"
    assert "module.py:2" in row.reason or "module.py:3" in row.reason


def test_modules_may_say_a_scenarios_name(tmp_path):
    row = source_row(tmp_path, module='default = "toyfile.toml"\nif model.title == "": x = 1')
    assert row.verdict == "pass", row.reason


def test_of_a_file_named_like_what_the_program_offers_the_whole_name_tells(tmp_path):
    lines = ['x = {"fork": 1}[name]', 'x = {"fork.toml": 1}[name]']
    scenario = replace(toy(), path=tmp_path / "fork.toml")
    rows = [
        check_sources(scenario, Small(scenario), package(tmp_path / f"src{k}", module=line))
        for k, line in enumerate(lines)
    ]
    assert [row.verdict for row in rows] == ["pass", "fail"]


REAL_PLANTS = {
    "resolve.py": (r"( +)_check_temperature\(model\)\n", r'\1if model.title == "toy": pass\n'),
    "simulate.py": (r"( +)threads = threads or .*\n", r'\1if scenario.path.stem == "toy": pass\n'),
    "kernels/life.py": (
        r"( +)context_payoff\[block, (.+)\] \+= .*\n", r"\1if \2 == 0: total[:] += 1.0\n"),
    "kernels/learn.py": (
        r"( +)context_payoff\[flat, (.+)\] \+= .*\n", r"\1if \2 == 0: earned += 1.0\n"),
}  # fmt: skip


@pytest.mark.parametrize("file", REAL_PLANTS)
def test_a_branch_planted_in_the_real_sources_is_found(tmp_path, file):
    where, plant = REAL_PLANTS[file]
    copied = tmp_path / "evosim"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    text, count = re.subn(where, plant + r"\g<0>", (copied / file).read_text(), count=1)
    assert count == 1
    (copied / file).write_text(text)
    scenario = toy()
    row = check_sources(scenario, Small(scenario), copied)
    assert row.verdict == "fail"
    assert row.number == 1
    assert file in row.reason


@pytest.mark.parametrize(
    "mind",
    [
        {"kind": "reflective", "topics": ["coin"], "told": ["coin"], "trust": 0.5},
        {"kind": "lookahead", "features": {"worth": {"choice": 1.0}}},
    ],
)
def test_minds_that_refer_to_cues_and_places_may_have_other_names(mind):
    genome = {"neutral": {"loci": 3, "mutation": 0.1}}
    if "features" in mind:
        genome["utility"] = {"initial": {"normal": [0, 1]}, "mutation": 0.1}
    scenario = toy(mind=mind, genome=genome)
    row = check_sources(scenario, Small(scenario))
    assert row.verdict == "pass", row.reason
