"""A small scenario, a study of it, and the real command that does it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import cli_case
import psutil

#: Eight runs of some tenths of a second.
STUDY = """
title = "Brighter lamps"
scenario = "lamps.toml"
arms = ["base"]
replicates = 2
[names]
mu = "genome.policy.mutation"
[set]
"population.generations" = 20
[design]
kind = "grid"
[design.parameters]
mu = [0.05, 0.2]
"population.agents" = [16, 32]
"""


def write(folder, text=STUDY):
    """Write the scenario and a study of it; return the study file."""
    (folder / "lamps.toml").write_text(cli_case.SCENARIO)
    file = folder / "brighter.toml"
    file.write_text(text)
    return file


def tables(store):
    """Return the bytes of every compacted table but the one that holds times."""
    return {
        path.name: path.read_bytes()
        for path in sorted((store / "tables").iterdir())
        if path.name != "records.parquet"
    }


@contextmanager
def started(file, out, *options, **kwargs):
    """Start ``evosim study`` in a process of its own; it ends with the block, and its workers."""
    command = [sys.executable, "-m", "evosim", "study", str(file), "--out", str(out), *options]
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    ) as process:
        mine = []
        try:
            yield process
        finally:
            mine = workers(process)
            process.kill()
            for worker in mine:
                worker.wait(60)


def finish(process):
    """Return exit code, stdout and stderr."""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def done(file, out, *options, **kwargs):
    """Do a study with the real command."""
    with started(file, out, *options, **kwargs) as process:
        return finish(process)


def workers(process):
    """Return the worker processes of a study."""
    try:
        children = psutil.Process(process.pid).children()
        return [c for c in children if "evosim.studies.worker" in " ".join(c.cmdline())]
    except psutil.NoSuchProcess:
        return []


def wait_for(condition, process):
    """Wait until something is true of a process that still runs."""
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def parts(store):
    """Return the part files that are there."""
    return sorted((store / "parts").glob("[!.]*.zip")) if store.exists() else []
