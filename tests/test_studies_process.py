"""Studies as they are really done: processes killed, disks full, directories shared."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import pandas as pd
import psutil
import pyarrow
import pytest
import studies_case as case

import evosim
from evosim.errors import UserError
from evosim.studies import compact, conduct, job, local
from evosim.studies.file import load_study_file
from evosim.studies.parts import write_part
from evosim.studies.store import Store

#: Long enough to be hit while it is at work.
SLOW = case.STUDY.replace('generations" = 20', 'generations" = 300')


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a study that nothing happened to, in its folder `out`."""
    folder = tmp_path_factory.mktemp("undisturbed")
    code, out, err = case.done(case.write(folder), folder / "out", "--workers", "2")
    assert (code, err) == (0, "")
    assert "8 runs: 8 done, 0 failed, 0 missing" in out
    return folder


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """The tables of the slow study, undisturbed."""
    folder = tmp_path_factory.mktemp("slow")
    assert case.done(case.write(folder, SLOW), folder / "out", "--workers", "1")[0] == 0
    return case.tables(folder / "out")


def one_line(err):
    assert err.startswith("evosim: ")
    assert err.count("\n") == 1, err
    return err


# What a study computes


def test_a_run_is_what_evosim_run_computes(undisturbed):
    study = evosim.load_study(undisturbed / "out")
    row = study.runs.iloc[5]
    run = evosim.run(
        undisturbed / "lamps.toml",
        arms=["base"],
        seed=int(row["seed"]),
        generations=20,
        agents=int(row["population.agents"]),
        set={"genome.policy.mutation": row["mu"]},
    )
    for name in ("trajectory", "assays", "ledger", "claims"):
        ours = study.table(name)
        ours = ours[(ours["run"] == row["run"]).to_numpy()].reset_index(drop=True)
        theirs = run.table(name)
        for column in theirs.columns:
            values = ours[column]
            if column == "replicate":
                values = values - row["replicate"] * 3
            a, b = pd.Series(values).astype(object), theirs[column].astype(object)
            assert a.where(a.notna(), None).tolist() == b.where(b.notna(), None).tolist(), column


def test_the_frames_are_tidy(undisturbed):
    study = evosim.load_study(undisturbed / "out")
    runs = study.runs
    assert list(runs.columns[:5]) == ["run", "point", "replicate", "mu", "population.agents"]
    assert (runs["status"] == "done").all()
    assert (runs["wall_seconds"] > 0).all()
    assert (runs["peak_memory_bytes"] > 50e6).all()
    assert runs["numba"].notna().all()
    trajectory = study.trajectory
    assert list(trajectory.columns[:5]) == ["run", "mu", "population.agents", "arm", "replicate"]
    assert isinstance(trajectory["run"].dtype, pd.CategoricalDtype)
    assert isinstance(study.assays["assay"].dtype, pd.CategoricalDtype)
    keys = ["mu", "population.agents", "arm", "replicate", "generation"]
    assert not trajectory.duplicated(keys).any()
    assert sorted(trajectory["replicate"].unique()) == [0, 1, 2, 3, 4, 5]
    assert (trajectory["agents"] == trajectory["population.agents"]).all()
    assert len(study.claims) == 8
    few = study.table("trajectory", ["payoff"])
    assert "learned" not in few
    assert few["payoff"].equals(trajectory["payoff"])
    with pytest.raises(UserError, match=r"keeps no table 'trajectoty'; allowed: .* did you mean"):
        study.table("trajectoty")
    with pytest.raises(UserError, match="has no column 'payof'"):
        study.table("trajectory", ["payof"])
    assert "8 done" in repr(study)


def test_a_second_call_does_nothing(undisturbed):
    out = undisturbed / "out"
    before = {path: path.stat().st_mtime_ns for path in (out / "tables").iterdir()}
    code, said, err = case.done(undisturbed / "brighter.toml", out)
    assert (code, err) == (0, "")
    assert "8 done" in said
    assert before == {path: path.stat().st_mtime_ns for path in (out / "tables").iterdir()}


def test_more_points_and_replicates_leave_old_runs_alone(undisturbed, tmp_path):
    file = case.write(tmp_path, case.STUDY.replace("replicates = 2", "replicates = 1"))
    study = evosim.study(file, tmp_path / "out", 1)
    old = study.runs["started"].tolist()
    case.write(tmp_path)
    grown = evosim.study(file, tmp_path / "out", 1)
    assert grown.runs["started"].tolist()[:4] == old
    keys = ["mu", "population.agents", "arm", "replicate", "generation"]
    whole = evosim.load_study(undisturbed / "out").trajectory.sort_values(keys)
    ours = grown.trajectory.sort_values(keys)
    pd.testing.assert_frame_equal(
        ours.drop(columns="run").reset_index(drop=True),
        whole.drop(columns="run").reset_index(drop=True),
    )


def test_a_script_needs_no_guard(undisturbed, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import evosim\n"
        f"study = evosim.study({str(undisturbed / 'brighter.toml')!r}, 'out', 1)\n"
        "print(len(study.trajectory))\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert int(done.stdout) == len(evosim.load_study(undisturbed / "out").trajectory)
    assert case.tables(tmp_path / "out") == case.tables(undisturbed / "out")


def test_no_study_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"holds no study \(no study\.json\)"):
        evosim.load_study(tmp_path)
    with pytest.raises(UserError, match="no such directory"):
        evosim.load_study(tmp_path / "none")
    (tmp_path / "file").mkdir()
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match=r"holds 'file', which is not a file of a study"):
        evosim.study(case.write(tmp_path / "file"), tmp_path)


# What goes wrong


def test_a_killed_worker_costs_nothing(tmp_path, slow):
    out = tmp_path / "out"
    with case.started(case.write(tmp_path, SLOW), out, "--workers", "2") as process:
        case.wait_for(lambda: len(case.parts(out)) >= 2, process)
        victim = case.workers(process)[0]
        victim.send_signal(signal.SIGKILL)
        code, said, err = case.finish(process)
    assert (code, err) == (0, "")
    assert "8 done, 0 failed, 0 missing" in said
    assert case.tables(out) == slow


def test_workers_start_while_one_of_them_compiles_and_one_may_die_of_it(
    tmp_path, undisturbed, monkeypatch
):
    started, warmed, threads = [], [], set()

    class Fragile(local._Worker):
        def __init__(self, settings):
            super().__init__(settings)
            started.append(self)

        def send(self, job, *, warm=False):
            super().send(job, warm=warm)
            threads.add(psutil.Process(self._process.pid).environ()["NUMBA_NUM_THREADS"])
            if warm:
                warmed.append(len(started))
                self._process.kill()
            else:
                assert warmed

    monkeypatch.setattr(local, "_Worker", Fragile)
    evosim.study(case.write(tmp_path), tmp_path / "out", 2)
    assert warmed == [2]  # both were there when the first kernel was asked for
    assert len(started) == 3
    assert threads == {"1"}
    assert case.tables(tmp_path / "out") == case.tables(undisturbed / "out")


def test_kernels_are_compiled_ahead_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EVOSIM_CACHE_DIR", str(tmp_path))
    file = load_study_file(case.write(tmp_path))
    (tmp_path / "base.toml").write_text(file.base.toml())
    code = job.code_version([], file.base)
    bench = job.Bench(job.Settings(str(tmp_path / "base.toml"), str(tmp_path), code, [], []))
    lived = []
    monkeypatch.setattr(job, "_simulate", lived.append)
    for value in (0.1, 0.2, True):
        for _ in range(2):
            bench.warm({"run": "x", "seed": 1, "set": {"genome.policy.mutation": value}})
    assert [made.model.population.generations for made in lived] == [1]
    # Words may choose other kernels; what is no valid run leaves no mark, and no error.
    words = {"run": "x", "seed": 1, "set": {"selection.kind": "moran"}}
    bench.warm(words)
    bench.warm(words | {"seed": 2})
    assert len(lived) == 2


def test_a_run_that_kills_its_workers_is_a_failed_row(tmp_path):
    plugin = tmp_path / "deadly.py"
    plugin.write_text(
        "import os, signal\n"
        "from evosim import simulate\n"
        "real = simulate.simulate\n"
        "def deadly(scenario, **options):\n"
        "    poison = scenario.model.genome['policy'].mutation\n"
        "    if poison == 0.1:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    if poison == 0.2:\n"
        "        raise RuntimeError('bitter\\nindeed')\n"
        "    return real(scenario, **options)\n"
        "simulate.simulate = deadly\n"
    )
    text = case.STUDY.replace("[0.05, 0.2]", "[0.05, 0.1, 0.2, 0.3]").replace("[16, 32]", "[16]")
    study = case.write(
        tmp_path, text.replace("replicates = 2", 'replicates = 1\nplugins = ["deadly.py"]')
    )
    code, said, err = case.done(study, tmp_path / "out", "--workers", "1")
    assert (code, err) == (1, "")
    assert "4 runs: 2 done, 2 failed, 0 missing" in said
    assert "its worker ended 3 times, the last time by SIGKILL" in " ".join(said.split())
    done = evosim.load_study(tmp_path / "out")
    runs = done.runs.set_index("mu")
    assert runs["status"].tolist() == ["done", "failed", "failed", "done"]
    assert runs.loc[0.1, "stage"] == "worker"
    assert runs.loc[0.2, ["stage", "error"]].tolist() == ["run", "RuntimeError: bitter indeed"]
    assert "in deadly" in done.traceback(runs.loc[0.2, "run"])
    # What failed is tried again; here the plugin is mended, which is other code.
    plugin.write_text(plugin.read_text().replace("== 0", "== 9"))
    code, said, err = case.done(study, tmp_path / "out", "--workers", "1")
    assert code == 2
    assert "were planned with another version" in one_line(err)
    code, said, err = case.done(study, tmp_path / "out", "--workers", "1", "--any-code")
    assert (code, err) == (0, "")
    assert "4 runs: 4 done" in said
    assert "2 versions of the code did these runs" in said


def test_a_killed_coordinator_loses_nothing(tmp_path, slow):
    file, out = case.write(tmp_path, SLOW), tmp_path / "out"
    for wanted in (1, 4):
        with case.started(file, out, "--workers", "2") as process:
            case.wait_for(lambda n=wanted: len(case.parts(out)) >= n, process)
            kept = set(case.parts(out))
            process.send_signal(signal.SIGKILL)
            process.wait(60)
        assert kept <= set(case.parts(out))
        counts = evosim.load_study(out).counts()
        assert wanted <= counts["done"] < 8
        assert counts["missing"] == 8 - counts["done"]
        assert len(evosim.load_study(out).trajectory["run"].unique()) == counts["done"]
    code, _, err = case.done(file, out, "--workers", "1")
    assert (code, err) == (0, "")
    assert case.tables(out) == slow


def test_an_interrupt_keeps_what_is_done(tmp_path):
    file, out = case.write(tmp_path, SLOW), tmp_path / "out"
    with case.started(file, out, "--workers", "2") as process:
        case.wait_for(lambda: len(case.parts(out)) >= 2, process)
        mine = case.workers(process)
        process.send_signal(signal.SIGINT)
        code, said, err = case.finish(process)
    assert (code, said) == (130, "")
    assert "of 8 runs are done; the same command does the rest" in one_line(err)
    assert len(mine) == 2
    assert not any(worker.is_running() for worker in mine)
    assert not list((out / "parts").glob(".*"))
    assert evosim.load_study(out).counts()["done"] >= 2


def test_two_studies_cannot_share_a_directory(tmp_path):
    file, out = case.write(tmp_path, SLOW), tmp_path / "out"
    with case.started(file, out, "--workers", "1") as process:
        case.wait_for((out / "study.json").exists, process)
        code, said, err = case.done(file, out)
        assert (code, said) == (2, "")
        assert "out: is in use by another study; wait for it" in one_line(err)
        # Looking is allowed.
        assert evosim.load_study(out).counts()["missing"] > 0


#: A disk of its own for the results, too small at first, then larger; what is kept is copied out.
FULL = """
mount -t tmpfs -o size=$3k none out || exit 99
$1 -m evosim study $2 --out out --workers 1 2>err; echo "code $?"
ls out/parts | grep -c zip
mount -o remount,size=50m out
$1 -m evosim show out | grep missing
$1 -m evosim study $2 --out out --workers 1 | grep missing
cp -r out/tables kept
"""


def test_a_full_disk_keeps_what_is_done(tmp_path, undisturbed):
    file, out = case.write(tmp_path), tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL, "sh", sys.executable, str(file), "120"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode in (1, 99):
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    code, parts, before, after = done.stdout.splitlines()
    assert code == "code 2"
    err = one_line((tmp_path / "err").read_text())
    assert "the disk is full (0 MB free); finished runs are kept" in err
    assert 0 < int(parts) < 8
    assert before == f"8 runs: {parts} done, 0 failed, {8 - int(parts)} missing"
    assert after == "8 runs: 8 done, 0 failed, 0 missing"
    (tmp_path / "kept").rename(out / "tables")
    assert case.tables(out) == case.tables(undisturbed / "out")


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    largest = 12_000  # bytes of a file: enough for the plan, not for a part
    code, said, err = case.done(
        case.write(tmp_path),
        tmp_path / "out",
        "--workers",
        "1",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )
    assert (code, said) == (2, "")
    assert "the disk is full" in one_line(err)
    assert not list((tmp_path / "out" / "parts").iterdir())


def test_putting_together_holds_one_run_at_a_time(tmp_path, monkeypatch):
    """Twenty times the runs in hardly more memory."""
    monkeypatch.setattr(compact, "ROWS_PER_GROUP", 2_000)
    real, held = compact.rows_of, []

    def weighed(*arguments):
        held.append(pyarrow.total_allocated_bytes())
        return real(*arguments)

    monkeypatch.setattr(compact, "rows_of", weighed)
    peaks = []
    for count in (10, 200):
        store = Store(tmp_path / str(count))
        store.parts.mkdir(parents=True)
        names = [f"{i:020d}" for i in range(count)]
        for i, name in enumerate(names):
            frame = pd.DataFrame({"arm": "base", "value": [i / 7.0] * 1_500})
            write_part(store.parts, name, {"trajectory": frame}, {"run": name, "code": "x"})
        before = pyarrow.total_allocated_bytes()
        held.clear()
        assert compact.compact(store, names, ["trajectory"]) == []
        assert len(held) == 2 * count  # the table and the record
        peaks.append(max(held) - before)
        assert store.compacted_ids() == set(names)
    assert 0 < peaks[1] < 1.5 * peaks[0]


def test_unreadable_parts_are_done_again(tmp_path, undisturbed, monkeypatch):
    file, out = case.write(tmp_path), tmp_path / "out"
    with monkeypatch.context() as left:
        left.setattr(conduct, "compact", lambda *_: [])
        evosim.study(file, out, 1)
    cut, flipped, empty, *_ = case.parts(out)
    cut.write_bytes(cut.read_bytes()[:-100])
    data = bytearray(flipped.read_bytes())
    data[200] ^= 255
    flipped.write_bytes(bytes(data))
    empty.write_bytes(b"")
    with (out / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"run": "cut off in the mid')
    study = evosim.load_study(out)
    assert study.counts() == {"done": 6, "failed": 0, "missing": 2}
    assert study.trajectory["run"].nunique() == 5  # the flipped one shows when it is read
    evosim.study(file, out, 1)
    assert case.tables(out) == case.tables(undisturbed / "out")
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()
              if "cut off" not in line]  # fmt: skip
    again = [event["run"] for event in events if event.get("status") == "unreadable"]
    assert sorted(again) == sorted(path.stem for path in (cut, flipped, empty))


def test_a_run_without_enough_memory_is_a_failed_row(tmp_path):
    text = case.STUDY.replace("[16, 32]", "[16, 50000000]").replace("0.05, 0.2", "0.1")
    text = text.replace("[set]", '[set]\n"population.replicates" = 1000')
    code, said, err = case.done(case.write(tmp_path, text), tmp_path / "out", "--workers", "1")
    assert (code, err) == (1, "")
    assert "4 runs: 2 done, 2 failed" in said
    runs = evosim.load_study(tmp_path / "out").runs
    failed = runs[(runs["status"] == "failed").to_numpy()]
    assert failed["stage"].tolist() == ["check"] * 2
    assert failed["error"].str.contains("GB of memory").all()


def test_a_worker_with_other_code_ends_the_study(tmp_path, monkeypatch):
    monkeypatch.setattr(conduct, "code_version", lambda *_: "0" * 16)
    with pytest.raises(UserError, match="another version of evosim, of a plugin, of numba"):
        evosim.study(case.write(tmp_path), tmp_path / "out", 1)


def test_show_and_check_know_studies(undisturbed):
    run = [sys.executable, "-m", "evosim"]
    shown = subprocess.run(
        [*run, "show", undisturbed / "out"], capture_output=True, text=True, check=True
    )
    assert "8 runs: 8 done, 0 failed, 0 missing" in shown.stdout
    assert "worst Price residual" in shown.stdout
    checked = subprocess.run(
        [*run, "check", undisturbed / "brighter.toml"], capture_output=True, text=True, check=True
    )
    assert "Brighter lamps; 8 runs (4 points), each: Two lamps" in checked.stdout
    assert os.sep in checked.stdout
