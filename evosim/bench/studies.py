"""Measure studies: what a second worker brings, what the store costs, what a large plan costs.

Everything goes through ``evosim.study`` and its store, in a folder of its own that is removed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

#: A coin that is worth taking; the numbers after it are filled in.
SCENARIO = """
title = "bench"
seed = 1
[population]
agents = {agents}
replicates = 4
generations = {generations}
[world]
kind = "bandit"
actions = ["left", "right"]
[[context]]
name = "day"
frequency = 1.0
payoff = {{ left = 0.0, right = 1.0 }}
[cues]
bias = 1
[genome.policy]
mutation = 0.1
[selection]
kind = "wright-fisher"
fitness = {{ exponential = 2.0 }}
[record]
every = 100000
"""
#: A run for the efficiency takes so long, in seconds; the overhead is that of short ones.
LONG = 1.5


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    runs : int
        Runs of at least a second of one study; the study is done `rounds` times with one worker
        and as often with two.
    rounds : int
        An even number: one, two, two, one worker, so that a machine that grows slower or faster
        meanwhile is the same to both.
    short : int
        Runs of some milliseconds whose overhead is measured.
    points, replicates : int
        Of the large plan; their product is its number of runs.
    """

    runs: int = 32
    rounds: int = 2
    short: int = 400
    points: int = 10_000
    replicates: int = 10


@dataclass(frozen=True)
class Studies:
    """What was measured.

    Attributes
    ----------
    run_seconds : (float, float)
        Length of one of the long runs, median: with one worker, and beside another with two.
    per_hour : (float, float)
        Long runs an hour with one worker and with two: whole studies, from the call to the tables,
        the workers' start included; the kernels are compiled before.
    overhead : float
        Seconds beside its own that a short run costs with one worker: from one run's end to the
        next one's, median over the study, and its part of putting the tables together.
    planned : int
        Runs of the large plan.
    plan_seconds : float
        From the study file to the plan on disk, in a new process with all its imports.
    plan_bytes : int
        Peak memory of that process.
    """

    run_seconds: tuple[float, float]
    per_hour: tuple[float, float]
    overhead: float
    planned: int
    plan_seconds: float
    plan_bytes: int

    @property
    def efficiency(self) -> float:
        """Speed with two workers over twice that with one."""
        return self.per_hour[1] / (2 * self.per_hour[0])

    @property
    def slowdown(self) -> float:
        """How much longer a run takes beside another: what two cores share, and others use."""
        return self.run_seconds[1] / self.run_seconds[0]


def measure_studies(
    quick: bool = False, say: Callable[[str], object] = lambda text: None
) -> Studies:
    """Do the studies.

    Parameters
    ----------
    quick : bool
        Fewer and shorter runs.
    say : callable
        Told in a few words what is being measured.
    """
    sizes = Sizes(6, 2, 100, 1_000, 10) if quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="evosim-bench-") as folder:
        return _measured(Path(folder), sizes, say)


def _measured(folder: Path, sizes: Sizes, say: Callable[[str], object]) -> Studies:
    say("overhead of a study's runs")
    overhead = _overhead(folder / "short", sizes.short)
    say("runs an hour with one and two workers")
    generations = _generations(folder / "trial")
    walls: dict[int, float] = {1: 0.0, 2: 0.0}
    own: dict[int, list[float]] = {1: [], 2: []}
    for k, workers in enumerate((1, 2, 2, 1) * (sizes.rounds // 2)):
        wall, seconds = _timed(folder / f"long{k}", sizes.runs, generations, workers)
        walls[workers] += wall
        own[workers] += seconds
    done = sizes.runs * sizes.rounds
    say(f"a plan of {sizes.points * sizes.replicates:,} runs")
    plan_seconds, plan_bytes = _plan(folder / "plan", sizes.points, sizes.replicates)
    return Studies(
        (median(own[1]), median(own[2])),
        (3600 * done / walls[1], 3600 * done / walls[2]),
        overhead,
        sizes.points * sizes.replicates,
        plan_seconds,
        plan_bytes,
    )


def _written(folder: Path, generations: int, agents: int) -> dict[str, Any]:
    """Write the scenario; return the head of a study of it."""
    folder.mkdir()
    text = SCENARIO.format(generations=generations, agents=agents)
    (folder / "bench.toml").write_text(text, encoding="utf-8")
    return {
        "title": "bench",
        "scenario": str(folder / "bench.toml"),
        "tables": ["trajectory", "claims"],
    }


def _timed(
    folder: Path,
    runs: int,
    generations: int,
    workers: int,
    agents: int = 1_000,
    clock: _Clock | None = None,
) -> tuple[float, list[float]]:
    """Do a study of so many runs; return its seconds, and each run's own."""
    import evosim

    head = _written(folder, generations, agents)
    rates = [0.05 + 0.001 * k for k in range(runs)]
    design = {"kind": "grid", "parameters": {"genome.policy.mutation": rates}}
    began = perf_counter()
    study = evosim.study({**head, "design": design}, folder / "out", workers, clock)
    seconds = perf_counter() - began
    return seconds, study.runs["wall_seconds"].astype(float).tolist()


def _generations(folder: Path) -> int:
    """Return how many generations take the time of a long run; kernels are compiled on the way."""
    _, seconds = _timed(folder, 3, 400, 1)
    return max(1, int(400 * LONG / median(seconds)))


class _Clock:
    """A progress that notes when each run ended; see `evosim.progress.Progress`."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def start(self, total: int) -> None:
        self.ends.clear()

    def advance(self, n: int, label: str) -> None:
        self.ends.append(perf_counter())

    def finish(self) -> None:
        """Nothing more comes."""


def _overhead(folder: Path, runs: int) -> float:
    """Return the seconds per run beside the runs' own, without the worker's start.

    A median, so that what other programs take at times does not enter.
    """
    clock = _Clock()
    _, own = _timed(folder, runs, 4, 1, 20, clock)
    together = (perf_counter() - clock.ends[-1]) / runs
    gaps = [end - before for before, end in pairwise(clock.ends)]
    return together + median(gap - run for gap, run in zip(gaps, own[1:], strict=True))


_PLAN = """
import sys
from evosim.bench.worker import own_peak_bytes
from evosim.studies.conduct import _register
from evosim.studies.file import load_study_file
from evosim.studies.plan import code_version, make_plan
from evosim.studies.store import Store
file = load_study_file(sys.argv[1])
store, code = Store(sys.argv[2]), code_version(file.plugins, file.base)
plan = make_plan(file, code)
with store.locked():
    _register(store, file, plan, code, False, None)
print(own_peak_bytes())
"""


def _plan(folder: Path, points: int, replicates: int) -> tuple[float, int]:
    """Plan a large study in a new process; return its seconds and peak bytes."""
    _written(folder, 10, 20)
    file = folder / "study.toml"
    file.write_text(
        f'title = "plan"\nscenario = "bench.toml"\nreplicates = {replicates}\n'
        f'[design]\nkind = "random"\npoints = {points}\n'
        '[design.parameters]\n"genome.policy.mutation" = { low = 0.01, high = 0.5 }\n'
        '"selection.fitness.exponential" = { low = 0.5, high = 4.0 }\n',
        encoding="utf-8",
    )
    began = perf_counter()
    command = [sys.executable, "-c", _PLAN, str(file), str(folder / "out")]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return perf_counter() - began, int(said)
