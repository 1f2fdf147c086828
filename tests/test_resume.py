"""A run that was killed and resumed ends with the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import test_trials

import evosim
from evosim import checkpoint, tables
from evosim.checkpoint import Rhythm
from evosim.errors import Terminated, UserError
from evosim.results import TABLES
from evosim.scenario import Scenario
from evosim.scenario.resolved import plain
from evosim.simulate import CellRun

HERE = Path(__file__).parent
SETTINGS = {"population.generations": 12, "population.replicates": 3, "record.every": 3}


def bandit():
    """Learners, phases, interventions, assays, indices, predictions, replay, a grid of arms."""
    data = plain(Scenario.load(HERE / "data" / "bandit.toml").override(SETTINGS).model)
    data["context"][0]["frequency"], data["context"][3]["frequency"] = 0.45, 0.05
    frequencies = {"summer": 0.1, "winter": 0.7, "spring": 0.1, "flood": 0.1}
    data["phase"][0] |= {"start": 5, "frequencies": frequencies}
    for change, at in zip(data["intervention"], (3, 7, 10), strict=True):
        change["at"] = at
    return Scenario.from_dict(data)


def road():
    """Q-learners that live trials, in blocks; populations that grow and shrink."""
    data = test_trials.data(trial=test_trials.PAIR, episodes=12, generations=8)
    density = {"kind": "density", "capacity": 16, "fitness": {"exponential": 2.0}}
    arms = [{"name": "slow", "set": {"mind.learning_rate": 0.1}}]
    for context in data["context"]:
        context.pop("frequency")
    data["block"] = [
        {"name": "quiet", "episodes": 4, "frequencies": {"calm": 1.0}},
        {"name": "mixed", "episodes": 8, "frequencies": {"calm": 0.5, "twin": 0.5}},
    ]
    return Scenario.from_dict(data | {"selection": density, "arm": arms})


CASES = {"bandit": bandit, "road": road}


def contents(directory):
    """Bytes of everything a run writes, but for the record with its times."""
    tables = [f"{name}.parquet" for name in TABLES if name != "edges"]  # there only if asked for
    names = [*tables, "population.npz", "checkpoint"]
    return {name: (directory / name).read_bytes() for name in (*names, "scenario.toml")}


class Killed(BaseException):
    """Stands for the end of the process: nothing in evosim catches it."""


@pytest.fixture(scope="module", params=CASES)
def whole(request, tmp_path_factory):
    """A scenario, and what a run leaves that nobody interrupted or checkpointed."""
    scenario = CASES[request.param]()
    out = tmp_path_factory.mktemp("whole") / "out"
    evosim.run(scenario, out=out, threads=1, checkpoint="never")
    return scenario, contents(out)


@pytest.mark.parametrize("rhythm", [5, 40])
def test_interrupted_between_generations(whole, rhythm, tmp_path, monkeypatch):
    scenario, expected = whole
    out, looks = tmp_path / "out", 0
    look = checkpoint.Keeper.look

    def until(self):
        nonlocal looks
        look(self)
        looks += 1
        if looks % 13 == 0:
            raise Killed

    monkeypatch.setattr(checkpoint.Keeper, "look", until)
    started = 0
    while not out.exists():
        started += 1
        try:
            run = evosim.run(scenario, out=out, threads=1, checkpoint=rhythm, resume=True)
        except Killed:
            assert started < 30 or rhythm == 40
            if rhythm == 40:  # thirteen generations never suffice: let it go on from some later one
                monkeypatch.setattr(checkpoint.Keeper, "look", look)
    assert contents(out) == expected
    assert run.info["resumed"] if rhythm == 5 else started == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_killed_at_every_file_that_is_written(whole, tmp_path, monkeypatch):
    """The n-th write is cut in half, for n = 1, 2, ...: each attempt goes one further."""
    scenario, expected = whole
    out = tmp_path / "out"
    real, left = tables.write_file, 0

    def cut(path, writer):
        nonlocal left
        left -= 1
        real(path, writer)
        if left == 0:
            size = path.stat().st_size
            os.truncate(path, size // 2)
            raise Killed

    for module in (tables, checkpoint, sys.modules["evosim.results"]):
        monkeypatch.setattr(module, "write_file", cut)
    attempts = 0
    while not out.exists():
        attempts += 1
        left = attempts
        try:
            evosim.run(scenario, out=out, threads=1, checkpoint=30, resume=True)
        except Killed:
            assert not out.exists()
    assert attempts > 8
    assert contents(out) == expected


def test_killed_before_the_head_is_replaced(whole, tmp_path, monkeypatch):
    scenario, expected = whole
    out = tmp_path / "out"
    replace, count = os.replace, 0

    def cut(source, target):
        nonlocal count
        count += 1
        if Path(target).name == "head.json" and count == 2:
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(Killed):
        evosim.run(scenario, out=out, threads=1, checkpoint=7)
    run = evosim.run(scenario, out=out, threads=1, checkpoint=7, resume=True)
    assert run.info["resumed"][0]["generation"] == 7
    assert contents(out) == expected


SERVER = """
import os, random, signal, sys, time
from pathlib import Path
from evosim.cli import main

draw, killed = random.Random(0), 0
for number in range(1000):
    for name in ("bandit", "road"):
        command = ["run", f"{name}.toml", "--threads", "1", "--no-plots"]
        if number == 0:
            for where in ("compiling", "whole"):  # a death while it compiles is another matter
                begun = time.monotonic()
                assert main([*command, "--out", f"{where}/{name}", "--checkpoint", "1"]) == 0
                took = time.monotonic() - begun
            continue
        out = Path(f"{number}/{name}")
        while not out.exists():
            child = os.fork()
            if child == 0:
                os._exit(main([*command, "--out", str(out), "--checkpoint", "1", "--resume"]))
            if killed < 20:
                time.sleep(draw.uniform(0, took))
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            killed += os.WIFSIGNALED(status)
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    if killed >= 20:
        break
print(killed, number)
"""


def test_real_processes_killed_at_random_moments(tmp_path):
    """Children of a process that has loaded everything, so that they die at work."""
    for name, make in CASES.items():
        (tmp_path / f"{name}.toml").write_text(make().toml())
    done = subprocess.run(
        [sys.executable, "-c", SERVER], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    killed, rounds = map(int, done.stdout.split()[-2:])
    assert killed >= 20
    for name in CASES:
        expected = contents(tmp_path / "whole" / name)
        for number in range(1, rounds + 1):
            folder = tmp_path / str(number)
            assert contents(folder / name) == expected
            left = evosim.run(tmp_path / f"{name}.toml", out=folder / name, resume=True, threads=1)
            assert left.path == folder / name
    # Who was killed between its results and its checkpoint's end left that to be removed by now.
    for number in range(1, rounds + 1):
        assert sorted(p.name for p in (tmp_path / str(number)).iterdir()) == sorted(CASES)


# What is refused, and how


def interrupted(tmp_path, monkeypatch, after=6, scenario=None):
    """Return a directory with a checkpoint of every third generation, the run killed."""
    out = tmp_path / "out"
    looks, look = 0, checkpoint.Keeper.look

    def until(self):
        nonlocal looks
        look(self)
        looks += 1
        if looks == after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Keeper, "look", until)
        with pytest.raises(Killed):
            evosim.run(scenario or road(), out=out, threads=1, checkpoint=3)
    return out, out.with_name(".out.checkpoint")


def resumed(out, scenario=None, **options):
    return evosim.run(scenario or road(), out=out, threads=1, resume=True, **options)


def test_the_checkpoint_is_bounded(tmp_path, monkeypatch):
    out, folder = interrupted(tmp_path, monkeypatch, after=15)
    kinds = sorted(path.name.split(".")[:2] for path in folder.iterdir())
    # Nine generations of the first arm, six of the second: rows in parts, one state each.
    assert kinds.count(["0000", "state"]) == kinds.count(["0001", "state"]) == 1
    assert kinds.count(["0000", "rows"]) == 3
    assert kinds.count(["0001", "rows"]) == 2
    resumed(out)
    assert not folder.exists()


def test_a_rhythm_in_seconds_goes_by_the_clock(tmp_path, monkeypatch):
    now, real, written = 0.0, CellRun.advance, []
    write = checkpoint.Keeper.write

    def advance(cell):
        nonlocal now
        now += 1.0  # each generation takes a second
        real(cell)

    def note(keeper):
        write(keeper)
        written.append(now)

    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(CellRun, "advance", advance)
    monkeypatch.setattr(checkpoint.Keeper, "write", note)
    evosim.run(road(), out=tmp_path / "out", threads=1, checkpoint="4s")
    assert written == [4.0, 8.0, 12.0, 16.0]  # two arms of nine generations


def test_an_interrupted_run_is_not_lost_by_mistake(tmp_path, monkeypatch):
    out, folder = interrupted(tmp_path, monkeypatch)
    with pytest.raises(UserError, match="an interrupted run can go on here; say --resume"):
        evosim.run(road(), out=out)
    assert (folder / "head.json").exists()
    begun_anew = evosim.run(road(), out=out, threads=1, overwrite=True)
    assert begun_anew.info["resumed"] == []
    assert not folder.exists()


def test_other_settings_are_refused(tmp_path, monkeypatch):
    out, _ = interrupted(tmp_path, monkeypatch)
    with pytest.raises(UserError, match=r"other settings: mind\.optimism is 0\.8 there, 0\.5 here"):
        resumed(out, road().override({"mind.optimism": 0.5}))


def test_other_code_is_refused(tmp_path, monkeypatch):
    out, _ = interrupted(tmp_path, monkeypatch)
    monkeypatch.setattr("evosim.record.engine_hash", lambda: "other")
    with pytest.raises(UserError, match="was written with other sources of evosim"):
        resumed(out)


@pytest.mark.parametrize("pattern", ["head.json", "0000.rows.*", "0000.state.*"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_damage_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, pattern, how):
    from evosim.cli import main

    file = tmp_path / "road.toml"
    file.write_text(road().toml())
    out, folder = interrupted(tmp_path, monkeypatch, scenario=Scenario.load(file))
    path = next(folder.glob(pattern))
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "cut":
        path.write_bytes(content[: len(content) // 3])
    elif pattern == "head.json":
        path.write_bytes(b"")
    else:
        path.unlink()
    assert main(["run", str(file), "--out", str(out), "--resume", "--threads", "1"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the checkpoint is damaged" in said
    assert "--overwrite" in said


def test_without_room_on_disk_the_checkpoint_before_stands(tmp_path, monkeypatch):
    scenario, out = road(), tmp_path / "out"
    real, full = tables.write_file, False

    def write(path, writer):
        if full or "state.000000006" in path.name:
            raise OSError(28, "No space left on device")
        real(path, writer)

    monkeypatch.setattr(tables, "write_file", write)
    with pytest.raises(UserError, match=r"cannot be written: No space left .* with --resume"):
        evosim.run(scenario, out=out, threads=1, checkpoint=3)
    monkeypatch.undo()
    assert resumed(out).info["resumed"] == [{"arm": "base", "generation": 3}]


def test_without_room_for_the_results_the_checkpoint_stands(tmp_path, monkeypatch):
    scenario, out = road(), tmp_path / "out"
    real = tables.write_file

    def write(path, writer):
        if path.suffix == ".parquet":
            raise OSError(28, "No space left on device")
        real(path, writer)

    monkeypatch.setattr(tables, "write_file", write)
    with pytest.raises(UserError, match=r"the disk is full .* its checkpoint stands, go on with"):
        evosim.run(scenario, out=out, threads=1, checkpoint=3)
    with pytest.raises(UserError, match=r"the disk is full .* nothing was kept"):
        evosim.run(scenario, out=tmp_path / "other", threads=1, checkpoint="never")
    monkeypatch.undo()
    assert (tmp_path / ".out.checkpoint" / "head.json").is_file()
    assert resumed(out).path == out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_waits_for_the_generation_and_is_written_down(
    whole, number, tmp_path, monkeypatch
):
    scenario, expected = whole
    out, lived = tmp_path / "out", 0
    real = CellRun.advance

    def advance(cell):
        nonlocal lived
        lived += 1
        if lived == 8:
            os.kill(os.getpid(), number)  # in the midst of a generation
        real(cell)

    def end(number, frame):
        raise Terminated

    monkeypatch.setattr(CellRun, "advance", advance)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises((KeyboardInterrupt, Terminated), match="go on with --resume"):
            evosim.run(scenario, out=out, threads=1)
        assert signal.getsignal(signal.SIGTERM) is end
    finally:
        signal.signal(signal.SIGTERM, before)
    assert lived == 8
    monkeypatch.undo()
    done = evosim.run(scenario, out=out, threads=1, resume=True)
    assert [place["generation"] for place in done.info["resumed"]] == [8]
    assert contents(out) == expected


def test_a_second_interruption_does_not_wait(tmp_path, monkeypatch):
    def advance(cell):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    monkeypatch.setattr(CellRun, "advance", advance)
    with pytest.raises(KeyboardInterrupt):
        evosim.run(road(), out=tmp_path / "out", threads=1)
    assert not list(tmp_path.glob("*out*"))


def test_resuming_what_is_finished_changes_nothing(tmp_path):
    out = tmp_path / "out"
    first = evosim.run(road(), out=out, threads=1, resume=True)
    before = (out / "run.json").read_bytes()
    again = resumed(out)
    assert (out / "run.json").read_bytes() == before
    assert again.trajectory.equals(first.trajectory)
    with pytest.raises(UserError, match="holds the results of another run"):
        resumed(out, road().override({"seed": 3}))


@pytest.mark.parametrize(
    ("text", "rhythm"),
    [
        (7, Rhythm(generations=7)),
        ("500", Rhythm(generations=500)),
        ("90s", Rhythm(seconds=90.0)),
        ("1.5 h", Rhythm(seconds=5400.0)),
        ("10min", Rhythm(seconds=600.0)),
        ("never", None),
    ],
)
def test_rhythms(text, rhythm):
    assert Rhythm.parse(text) == rhythm


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "often", "3 days", "", 0])
def test_no_rhythms(text):
    with pytest.raises(UserError, match="checkpoint: no rhythm"):
        Rhythm.parse(text)


def test_nothing_to_resume_in_memory():
    with pytest.raises(UserError, match="nothing to resume without a directory"):
        evosim.run(road(), resume=True)
