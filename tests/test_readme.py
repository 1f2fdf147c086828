"""The README is true: its files run, its code runs, its targets and files exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import evosim

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_explained_scenario_runs_and_its_claims_hold(tmp_path):
    file = tmp_path / "coin.toml"
    file.write_text(blocks("toml")[0])
    run = evosim.run(file)
    assert list(run.claims["verdict"]) == ["holds", "holds"]


@pytest.mark.parametrize(("name", "which"), [("ring", 1), ("habit", 2)])
def test_users_own_files_run_through_the_real_command(tmp_path, name, which):
    own = next(code for code in blocks("python") if f"class {name.title()}" in code)
    (tmp_path / f"{name}.py").write_text(own)
    (tmp_path / f"{name}.toml").write_text(blocks("toml")[which])
    command = [sys.executable, "-m", "evosim", "run", f"{name}.toml", "--plugin", f"{name}.py"]
    done = subprocess.run(
        [*command, "--no-plots", "--out", "out"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "holds" in done.stdout


@pytest.fixture(scope="module")
def small_coinrun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    evosim.run(
        ROOT / "scenarios/coinrun.toml",
        out=folder / "results/coinrun",
        agents=20,
        replicates=2,
        generations=3,
    )
    return folder


@pytest.mark.parametrize("which", ["pandas", "seaborn"])
def test_reading_and_plotting_code_runs(small_coinrun, which, monkeypatch):
    monkeypatch.chdir(small_coinrun)
    code = next(
        c
        for c in blocks("python")
        if "evosim.load" in c and ("seaborn" in c) == (which != "pandas")
    )
    exec(compile(code, "README.md", "exec"), {})
    if which == "seaborn":
        assert (small_coinrun / "past.png").stat().st_size > 5_000


def test_the_python_example_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    code = next(c for c in blocks("python") if "evosim.Scenario" in c)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["other"].model.genome["policy"].mutation == 0.2
    assert len(names["run"].trajectory)


def test_every_make_target_and_file_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for path in re.findall(r"\(([\w/.]+\.png)\)|`(scenarios/\w+\.toml)`", TEXT):
        assert (ROOT / next(filter(None, path))).exists()
