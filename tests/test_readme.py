"""The README is true: its files run, its code runs, its targets and files exist."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import evosim
from evosim.catalogue import describe_file

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SMALL = {"agents": 20, "replicates": 2, "generations": 20}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_explained_scenario_runs_and_its_claims_hold(tmp_path):
    file = tmp_path / "coin.toml"
    file.write_text(blocks("toml")[0])
    run = evosim.run(file)
    assert list(run.claims["verdict"]) == ["holds", "holds"]


@pytest.mark.parametrize(("name", "which"), [("ring", 3), ("habit", 4)])
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
    study = tomllib.loads((ROOT / "scenarios/studies/coinrun_dose.toml").read_text())
    study["scenario"] = str(ROOT / "scenarios/coinrun.toml")
    study["design"]["parameters"] = {"rho": [0.1, 0.3], "v": [0.5]}
    study["set"] = {f"population.{k}": n for k, n in SMALL.items()}
    evosim.study(study, folder / "results/coinrun_dose", 1)
    return folder


@pytest.mark.parametrize("which", ["pandas", "seaborn"])
def test_reading_and_plotting_code_runs(small_coinrun, which, monkeypatch):
    monkeypatch.chdir(small_coinrun)
    code = next(
        c
        for c in blocks("python")
        if "evosim.load(" in c and ("seaborn" in c) == (which != "pandas")
    )
    exec(compile(code, "README.md", "exec"), {})
    if which == "seaborn":
        assert (small_coinrun / "past.png").stat().st_size > 5_000


def test_the_predictors_are_asked(small_coinrun, monkeypatch, capsys):
    monkeypatch.chdir(small_coinrun)
    code = next(c for c in blocks("python") if ".predict(" in c)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("runs right past it") == 4


def test_a_study_becomes_a_figure_in_six_lines(small_coinrun, monkeypatch):
    monkeypatch.chdir(small_coinrun)
    code = next(c for c in blocks("python") if "evosim.load_study" in c)
    assert len([line for line in code.splitlines() if line]) == 6
    exec(compile(code, "README.md", "exec"), {})
    assert (small_coinrun / "dose.png").stat().st_size > 5_000


def test_the_explained_study_is_one(tmp_path):
    (tmp_path / "coin.toml").write_text(blocks("toml")[0])
    file = tmp_path / "study.toml"
    file.write_text(blocks("toml")[1])
    assert "8 runs (4 points)" in describe_file(file)


def test_the_python_example_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    code = next(c for c in blocks("python") if "evosim.Scenario" in c)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["other"].model.genome["policy"].mutation == 0.2
    assert len(names["run"].trajectory)


def test_edges_join_with_the_pedigree(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names = {}
    exec(compile(next(c for c in blocks("python") if ".edges" in c), "README.md", "exec"), names)
    pairs, born = names["pairs"], names["born"]
    assert len(pairs) == (born["generation"] > 0).sum()
    assert pairs["taken_y"].max() > 1
    assert "oblique" in capsys.readouterr().out


def test_the_forks_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    code = next(c for c in blocks("python") if "evosim.fork(" in c)
    exec(compile(code, "README.md", "exec"), {})
    first, *_, last = (
        float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()[1:-1]
    )
    assert first == 0.0
    assert last != 0.0


def test_the_mesa_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code = next(c for c in blocks("python") if "EvoModel" in c)
    names = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), names)
    assert names["model"].generation == 10
    frame = names["pandas"].DataFrame(names["rows"])
    assert frame.groupby(["genome.policy.mutation", "iteration"])["spread"].first().nunique() == 6


def test_the_gymnasium_example_learns(monkeypatch):
    pytest.importorskip("gymnasium", reason="the extra evosim[gymnasium] is not installed")
    monkeypatch.chdir(ROOT)
    code = next(c for c in blocks("python") if "gymnasium_env" in c)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    best = [names["env"].world.actions[a] for a in names["values"][:4].argmax(axis=1)]
    assert best == ["right", "up", "right", "up"]  # coin seen or hidden: out of the pit, and right


def test_every_make_target_and_file_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXT, flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for path in re.findall(r"\(([\w/.]+\.png)\)|`(scenarios/\w+\.toml)`", TEXT):
        assert (ROOT / next(filter(None, path))).exists()
