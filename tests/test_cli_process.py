"""The real command in a process of its own: start-up, signals, pipes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import cli_case
import pytest

import evosim

HEAVY = ("numba", "pandas", "scipy", "matplotlib", "pyarrow", "mesa")


@contextmanager
def started(*arguments, folder):
    """Start a command in `folder`; whatever happens in the test, it ends with the block."""
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def done(*arguments, folder):
    """Return exit code, stdout and stderr of a command."""
    with started(*arguments, folder=folder) as process:
        return finish(process)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lamps.toml").write_text(cli_case.SCENARIO)
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["check", "lamps.toml"], ["list", "."]]
)
def test_light_commands_load_nothing_heavy(folder, arguments):
    code = (
        "import sys\nfrom evosim.cli import main\ncode = main(sys.argv[1:])\n"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)\nsys.exit(code)\n"
    )
    ended, out, err = done(sys.executable, "-c", code, *arguments, folder=folder)
    assert ended == 0
    assert out
    assert err == "[]\n"


def processor_time(*arguments, folder):
    """Return the processor seconds of a command, its exit code checked."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done(sys.executable, *arguments, folder=folder)[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# Against a process that only loads NumPy and pydantic, in turn, as machines differ and their
# neighbours come and go. Seen: .4 and 2.4; a check that loads Numba and pandas takes 4.4.
@pytest.mark.parametrize(("arguments", "most"), [(["--help"], 1), (["check", "lamps.toml"], 4)])
def test_light_commands_are_quick(folder, arguments, most):
    ratios = []
    for _ in range(3):
        libraries = processor_time("-c", "import numpy, pydantic", folder=folder)
        ratios.append(processor_time("-m", "evosim", *arguments, folder=folder) / libraries)
    assert min(ratios) < most


def test_the_installed_command_tells_its_version(folder):
    command = Path(sys.executable).with_name("evosim")
    answer = (0, f"evosim {evosim.__version__}\n", "")
    assert done(command, "--version", folder=folder) == answer


def test_a_pipe_that_closes_early_is_no_error(folder):
    with started(sys.executable, "-m", "evosim", "schema", folder=folder) as process:
        process.stdout.close()
        err = process.stderr.read()
        assert (process.wait(60), err) == (0, "")


def test_a_run_writes_its_directory(folder):
    code, out, err = done(sys.executable, "-m", "evosim", "run", "lamps.toml", folder=folder)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "worst Price residual" in out
    assert evosim.load(folder / "results" / "lamps").info["seed"] == 5


def test_the_same_seed_gives_the_same_bytes(folder):
    run = [sys.executable, "-m", "evosim", "run", "lamps.toml", "--no-plots", "--out"]
    for name, options in {"a": ["--threads", "1"], "b": [], "c": ["--seed", "6"]}.items():
        assert done(*run, name, *options, folder=folder)[0] == 0
    files = [path.name for path in (folder / "a").iterdir() if path.name != "run.json"]
    assert len(files) == 11
    for name in files:
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes(), name
    name = "trajectory.parquet"
    assert (folder / "a" / name).read_bytes() != (folder / "c" / name).read_bytes()


def test_an_interrupt_within_compiled_text_ends_alike(folder):
    (folder / "compiles.py").write_text(
        "import sys\nfrom evosim.cli_errors import exit_code_of\n"
        "def command():\n    exec('raise KeyboardInterrupt')\n"
        "sys.exit(exit_code_of(command, lambda: False))\n"
    )
    assert done(sys.executable, "-m", "compiles", folder=folder)[0] == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("rhythm", ["never", "1h"])
def test_a_signal_ends_the_run_and_leaves_its_checkpoint_or_nothing(folder, number, code, rhythm):
    command = [sys.executable, "-m", "evosim", "run", "lamps.toml", "--generations", "10000000"]
    command += ["--checkpoint", rhythm]
    partial = folder / "results" / ".lamps.partial"
    with started(*command, folder=folder) as process:
        deadline = time.monotonic() + 60
        while not partial.exists():
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(number)
        ended, out, err = finish(process)
    assert (ended, out) == (code, "")
    assert err.startswith("evosim: ")
    assert err.count("\n") == 1
    left = [path.name for path in (folder / "results").iterdir()]
    assert left == ([] if rhythm == "never" else [".lamps.checkpoint"])
    assert ("--resume" in err) == bool(left)
