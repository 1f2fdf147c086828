"""Commands, called in this process with an engine that only pretends."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType, SimpleNamespace

import cli_case
import pytest

import evosim
from evosim.cli import main
from evosim.errors import UserError


@pytest.fixture(autouse=True)
def engine(tmp_path, monkeypatch):
    """Pretend to simulate, in a folder of our own that holds one scenario."""
    monkeypatch.setenv("EVOSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    modules = {
        "simulate": {"simulate": cli_case.pretend},
        "memory": {"estimate_memory": lambda scenario: 1_500_000},
        "plots": {"plot_run": draw},
    }
    for name, members in modules.items():
        module = ModuleType(f"evosim.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, f"evosim.{name}", module)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "lamps.toml").write_text(cli_case.SCENARIO)
    return sys.modules["evosim.simulate"]


def draw(run, directory):
    path = directory / "trajectory.svg"
    path.write_text("<svg/>")
    return [path]


def call(capsys, *arguments):
    """Return exit code, stdout and stderr of one command."""
    code = main(list(map(str, arguments)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def one_line(text):
    return text.startswith("evosim: ") and text.count("\n") == 1


def test_run_shows_claims_and_where_everything_is(capsys, tmp_path):
    code, out, err = call(capsys, "run", "scenarios/lamps.toml")
    assert (code, err) == (0, "")
    folder = tmp_path / "results" / "lamps"
    assert f"results: {folder}\n" in out
    assert f"figures: {folder / 'figures'}" in out
    assert "worst Price residual 1e-14, within its bound 1e-10" in out
    assert re.search(r"Selection lights the right.*base.*0\.8125.*\[0\.71, 0\.9\].*holds", out)
    assert "note: a remark" in out
    assert max(map(len, out.splitlines())) <= max(100, len(f"results: {folder}") + 40)
    assert "\x1b" not in out
    assert json.loads((folder / "run.json").read_text())["command"][0] == "evosim"


def test_options_reach_the_scenario(capsys, tmp_path):
    numbers = {"--seed": 3, "--agents": 8, "--replicates": 2, "--generations": 4}
    options = [word for pair in numbers.items() for word in pair]
    settings = ["--set", "genome.policy.mutation=0.5", "--set", "selection.kind = moran"]
    where = ["--out", "here", "--no-plots", "--arm", "base"]
    code, *_ = call(capsys, "run", "scenarios/lamps.toml", *where, *options, *settings)
    assert code == 0
    run = evosim.load("here")
    model = run.scenario.model
    assert (model.seed, model.population.agents, model.population.replicates) == (3, 8, 2)
    assert model.population.generations == 4
    assert model.genome["policy"].mutation == 0.5
    assert model.selection.kind == "moran"
    assert set(run.trajectory["arm"]) == {"base"}
    assert not (tmp_path / "here" / "figures").exists()


def test_strict_fails_only_without_a_reason(capsys, tmp_path):
    assert call(capsys, "run", "scenarios/lamps.toml", "--strict")[0] == 1
    assert call(capsys, "show", "results/lamps", "--strict")[0] == 1
    file = tmp_path / "scenarios" / "lamps.toml"
    file.write_text(cli_case.SCENARIO + 'refuted = "it does, in small populations"\n')
    code, out, _ = call(capsys, "run", file, "--strict", "--overwrite")
    assert code == 0
    assert "refuted: Drift does not: it does, in small populations" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "scenarios/lmaps.toml"], "did you mean 'lamps.toml'"),
        (["run", "scenarios"], "folder"),
        (["run", "scenarios/lamps.toml", "--set", "population.agnets=3"], "agents"),
        (["run", "scenarios/lamps.toml", "--set", "population.agents"], "is no assignment"),
        (["run", "scenarios/lamps.toml", "--set", "population.agents=no"], "agents"),
        (["run", "scenarios/lamps.toml", "--arm", "neutrl"], "did you mean 'neutral'"),
        (["run", "scenarios/lamps.toml", "--agents", "1"], "--agents"),
        (["run", "scenarios/lamps.toml", "--agnets", "8"], "--agents"),
        (["run", "scenarios/lamps.toml", "--plugin", "no.py"], "no such file"),
        (["run"], "FILE"),
        (["rnu"], "Did you mean 'run'"),
        (["show", "nothing"], "no such directory"),
        (["plot", "scenarios"], "holds no results"),
        (["predict", "nothing"], "no such directory"),
        (["list", "nothing"], "cannot list"),
    ],
)
def test_mistakes_are_one_line_and_code_2(capsys, tmp_path, arguments, message):
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert one_line(err), err
    assert message in err
    assert not (tmp_path / "results").exists()


def test_results_are_kept_unless_told(capsys):
    assert call(capsys, "run", "scenarios/lamps.toml", "--no-plots")[0] == 0
    code, out, err = call(capsys, "run", "scenarios/lamps.toml", "--seed", "99")
    assert (code, out) == (2, "")
    assert one_line(err)
    assert "--overwrite" in err
    assert evosim.load("results/lamps").info["seed"] == 5
    assert call(capsys, "run", "scenarios/lamps.toml", "--seed", "99", "--overwrite")[0] == 0
    assert evosim.load("results/lamps").info["seed"] == 99


def test_faults_of_our_own_have_their_own_code(capsys, engine, monkeypatch):
    def broken(scenario, **_):
        raise KeyError("lost")

    monkeypatch.setattr(engine, "simulate", broken)
    code, out, err = call(capsys, "run", "scenarios/lamps.toml")
    assert (code, out) == (70, "")
    assert one_line(err)
    assert "internal error: KeyError: 'lost'; rerun with --debug" in err
    for file, code in {"lamps": 70, "lmaps": 2}.items():
        ended, _, err = call(capsys, "run", f"scenarios/{file}.toml", "--debug")
        assert ended == code
        assert err.startswith("Traceback")
        assert one_line(err[err.index("evosim: ") :])


def test_interruption_leaves_nothing(capsys, engine, monkeypatch, tmp_path):
    def interrupted(scenario, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "simulate", interrupted)
    code, out, err = call(capsys, "run", "scenarios/lamps.toml")
    assert (code, out) == (130, "")
    assert one_line(err)
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt, 130), (UserError("no font"), 2), (OSError("x"), 70)]
)
def test_results_are_safe_when_drawing_fails(capsys, monkeypatch, error, code):
    def broken(run, directory):
        raise error

    monkeypatch.setattr(sys.modules["evosim.plots"], "plot_run", broken)
    ended, out, err = call(capsys, "run", "scenarios/lamps.toml")
    assert ended == code
    assert "holds" in out
    assert "draw the figures with 'evosim plot" in err
    assert len(evosim.load("results/lamps").claims) == 2


def test_show_and_plot_read_the_directory(capsys, tmp_path):
    _, ran, _ = call(capsys, "run", "scenarios/lamps.toml", "--no-plots")
    code, shown, _ = call(capsys, "show", "results/lamps")
    assert code == 0
    assert shown == ran
    code, drawn, _ = call(capsys, "plot", "results/lamps")
    assert code == 0
    assert drawn == f"{tmp_path / 'results/lamps/figures/trajectory.svg'}\n"


def test_check_names_every_file(capsys, tmp_path):
    broken = tmp_path / "scenarios" / "broken.toml"
    broken.write_text(cli_case.SCENARIO.replace("agents = 16", "agnets = 16"))
    code, out, err = call(capsys, "check", "scenarios/lamps.toml", broken, "scenarios/none.toml")
    assert code == 2
    cost = "2 arms, about 576 agent-generations, 350 MB of memory"
    assert out == f"ok scenarios/lamps.toml: Two lamps (S01); {cost}\n"
    first, second = err.splitlines()
    assert first.startswith(f"evosim: {broken}:7: ")
    assert "did you mean 'agents'" in first
    assert "no such file" in second
    assert call(capsys, "check", "scenarios/lamps.toml")[0] == 0


def test_list_shows_a_folder(capsys, tmp_path):
    slow = cli_case.SCENARIO.replace("seed = 5", 'slow = true\ntakes = "8 minutes"')
    (tmp_path / "scenarios" / "slow.toml").write_text(slow)
    code, out, err = call(capsys, "list")
    assert (code, err) == (0, "")
    assert re.search(r"lamps\.toml +S01 +Two lamps +\n", out)
    assert re.search(r"slow\.toml +S01 +Two lamps +8 minutes\n", out)
    (tmp_path / "scenarios" / "wrong.toml").write_text("title = ")
    code, out, err = call(capsys, "list", "scenarios")
    assert code == 2
    assert "lamps.toml" in out
    assert one_line(err)
    assert "wrong.toml" in err


def test_validate_prints_measured_against_expected(capsys, monkeypatch):
    def matching(pattern):
        names = {"T1": "fixation", "T2": "drift"}
        return [SimpleNamespace(id=i, name=n) for i, n in names.items() if pattern in n]

    def run_suite(pattern, quick, threads):
        names = ("id", "quantity", "expected", "measured", "tolerance", "ok")
        rows = [("T1", "fixation", 0.1, 0.11, 0.02, True), ("T2", "drift", 1.0, 2.0, 0.1, False)]
        chosen = [row for row in rows if pattern in row[1]]
        return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in chosen]

    suite = ModuleType("evosim.validate")
    suite.matching, suite.run_suite = matching, run_suite
    monkeypatch.setitem(sys.modules, "evosim.validate", suite)
    code, out, err = call(capsys, "validate")
    assert code == 1
    assert re.search(r"T2 +drift +1 +2 +0\.1 +OFF", out)
    assert "1 of 2 quantities agree" in err
    assert call(capsys, "validate", "-k", "fix")[0] == 0
    assert call(capsys, "validate", "-k", "none")[0] == 2


def test_reproduce_runs_what_changed(capsys, tmp_path, monkeypatch):
    other = tmp_path / "scenarios" / "other.toml"
    other.write_text(cli_case.SCENARIO.replace("seed = 5", "seed = 6\nslow = true"))
    code, out, _ = call(capsys, "reproduce", "--no-plots")
    assert code == 0
    assert "2 scenarios run, 0 up to date; claims: 2 holds, 2 fails, 0 refuted" in out
    assert re.search(r"lamps +Selection lights", out)
    code, out, _ = call(capsys, "reproduce", "--no-plots")
    assert "0 scenarios run, 2 up to date; claims: 2 holds" in out
    other.write_text(other.read_text().replace("agents = 16", "agents = 20"))
    code, out, _ = call(capsys, "reproduce", "--no-plots", "--strict")
    assert code == 1
    assert "1 scenarios run, 1 up to date" in out
    assert evosim.load("results/other").scenario.model.population.agents == 20
    monkeypatch.setattr("evosim.record.engine_hash", lambda: "edited")
    code, out, _ = call(capsys, "reproduce", "--no-plots", "--no-slow")
    assert "1 scenarios run, 0 up to date" in out
    assert "slow and left out: other" in out
    table = (tmp_path / "results" / "claims.csv").read_text()
    assert table.splitlines()[1].startswith("lamps,Selection lights the right lamp,0,base")


def test_reproduce_of_some_leaves_the_others_and_the_table_of_all_alone(capsys, tmp_path):
    other = tmp_path / "scenarios" / "other.toml"
    other.write_text(cli_case.SCENARIO.replace("seed = 5", "seed = 6\nslow = true"))
    code, out, _ = call(capsys, "reproduce", "--no-plots", "--no-slow", "--only", "other")
    assert code == 0
    assert "1 scenarios run, 0 up to date; claims: 1 holds" in out
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["other"]
    code, _, err = call(capsys, "reproduce", "--only", "othr")
    assert code == 2
    assert "no scenario 'othr'" in err
    assert "did you mean 'other'?" in err


def test_reproduce_goes_on_after_a_broken_file(capsys, tmp_path):
    (tmp_path / "scenarios" / "broken.toml").write_text("title = 3\n")
    code, out, err = call(capsys, "reproduce", "--no-plots")
    assert code == 2
    assert "1 scenarios run" in out
    assert "1 could not be run" in out
    assert "broken.toml" in err


def test_undecided_claims_say_what_they_need(capsys, tmp_path):
    third = '\n[[claim]]\nsays = "Both"\nmeasure = "assay.right by day"\nbelow = 2\n'
    (tmp_path / "scenarios" / "lamps.toml").write_text(cli_case.SCENARIO + third)
    _, out, _ = call(capsys, "run", "scenarios/lamps.toml", "--no-plots")
    assert "undecided" in out
    assert "+12 replicates" in out
