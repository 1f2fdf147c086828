"""Studies on a Dask cluster: scheduler and workers as processes of their own, and their deaths."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
import studies_case as case

import evosim
from evosim.errors import UserError

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'evosim[dask]'")

SLOW = case.STUDY.replace('generations" = 20', 'generations" = 300')


@contextmanager
def process(module, *arguments):
    command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def cluster(folder, workers=2):
    """Yield the address, the scheduler and the workers."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        own = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        scheduler = stack.enter_context(
            process("dask_scheduler", *own, "--scheduler-file", str(file))
        )
        deadline = time.monotonic() + 300
        while not file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        common = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--scheduler-file", str(file))
        mine = [
            stack.enter_context(
                process("dask_worker", *common, "--local-directory", str(folder / f"w{i}"))
            )
            for i in range(workers)
        ]
        yield json.loads(file.read_text())["address"], scheduler, mine


def test_deaths_on_a_cluster_lose_nothing(tmp_path):
    """A worker dies in one study, the scheduler in the next, whose rest is done without Dask."""
    file = case.write(tmp_path, SLOW)
    one, two = tmp_path / "one", tmp_path / "two"
    with cluster(tmp_path) as (address, scheduler, workers):
        with case.started(file, one, "--scheduler", address) as study:
            case.wait_for(lambda: len(case.parts(one)) >= 2, study)
            workers[0].send_signal(signal.SIGKILL)
            code, said, err = case.finish(study)
        assert code == 0, err
        assert "8 done, 0 failed, 0 missing" in said
        with case.started(file, two, "--scheduler", address) as study:
            case.wait_for(lambda: len(case.parts(two)) >= 2, study)
            scheduler.send_signal(signal.SIGKILL)
            code, said, err = case.finish(study)
        assert (code, said) == (2, ""), err
        assert f"lost the Dask scheduler at {address}; finished runs are kept" in err
    assert 2 <= evosim.load_study(two).counts()["done"] < 8
    assert evosim.study(file, two, 1).counts()["done"] == 8
    assert case.tables(one) == case.tables(two)  # and so those of local runs


def test_what_cannot_work_is_one_line(tmp_path, monkeypatch):
    file = case.write(tmp_path)
    with pytest.raises(UserError, match="give either workers or a scheduler"):
        evosim.study(file, tmp_path / "out", 2, scheduler="tcp://127.0.0.1:1")
    monkeypatch.setattr("evosim.studies.cluster._SECONDS_TO_CONNECT", 1)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        evosim.study(file, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
