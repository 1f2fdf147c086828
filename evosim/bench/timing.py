"""Fair timings on a machine that is not quiet: programs take turns.

Speed drifts, so programs run A B C, A B C, ... and a ratio is the median over rounds of the two
speeds of the same round.  One timing is as many generations as fill a given time, cut into runs
of at most `LONGEST` generations from all-zero genomes: otherwise a fast program would spend its
time on evolved, nearly deterministic policies, which branch predictors like (plain C: 37 M
agent-steps/s in the first 100 generations, 55 M after 3,000).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from evosim.bench.forager import STEPS
from evosim.bench.worker import ProgramError, Runner

LONGEST = 100
SLOW = 5  # a generation that takes this many timings is timed once

Key = TypeVar("Key", bound=Hashable)
Rates = list[float]


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    sizes : sequence of int
        Agents at which evosim meets its peers.
    growth : sequence of int
        Agents at which evosim's time per agent-step is followed.
    small : (int, int)
        Agents and replicates of many small populations; one population of their product is
        what they are compared with.
    memory : int
        Agents at which peak memory is taken.
    rounds : int
        Turns that every program takes.
    seconds : float
        Length of one timing.
    steps : int
        Steps of one life.
    lives : int
        Lives of learners that evosim lives in all rounds together.
    """

    sizes: Sequence[int] = (1_000, 10_000, 100_000)
    growth: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    small: tuple[int, int] = (100, 1_000)
    memory: int = 1_000_000
    rounds: int = 5
    seconds: float = 1.0
    steps: int = STEPS
    lives: int = 100_000


QUICK = Plan(
    sizes=(1_000, 10_000),
    growth=(1_000, 10_000, 100_000),
    small=(100, 100),
    memory=100_000,
    rounds=3,
    seconds=0.2,
    lives=6_000,
)


@dataclass(frozen=True)
class Case:
    """One runner at one size; `options` go to its ``run``."""

    runner: Runner
    agents: int
    options: Mapping[str, int] = field(default_factory=dict)

    def rate(self, generations: int, seed: int, steps: int) -> float:
        """Return agent-steps per second over runs of at most `LONGEST` generations."""
        seconds = 0.0
        for first in range(0, generations, LONGEST):
            run = min(LONGEST, generations - first)
            seconds += self.runner.seconds(self.agents, run, seed + first, **self.options)
        done = self.agents * self.options.get("replicates", 1) * generations * steps
        return done / max(seconds, 1e-9)

    def generations(self, seconds: float, steps: int) -> tuple[int, float]:
        """Warm up, then guess how many generations fill a timing.

        Returns
        -------
        generations : int
            At least 1; 0 when a single generation takes `SLOW` timings.
        rate : float
            Agent-steps per second of the last guess.
        """
        per_generation = self.agents * self.options.get("replicates", 1) * steps
        rate = self.rate(1, 0, steps)
        if per_generation / rate > SLOW * seconds:
            return 0, rate
        wanted = 1
        for share in (0.02, 0.2):  # one generation may be too short to time
            wanted = max(1, round(share * seconds * rate / per_generation))
            rate = self.rate(wanted, 0, steps)
        return max(1, round(seconds * rate / per_generation)), rate


def interleave(
    cases: Mapping[Key, Case], plan: Plan
) -> tuple[dict[Key, Rates], dict[Key, ProgramError]]:
    """Time every case in turn, round after round.

    Parameters
    ----------
    cases : mapping
        What to time, in the order of its turns.
    plan : Plan
        Rounds, length of a timing, steps of a life.

    Returns
    -------
    rates : dict
        Key -> agent-steps per second of each round; a single number for a case so slow that
        its first generation was its timing.
    failed : dict
        Key -> what stopped a case; it has fewer rounds, or none.
    """
    rates: dict[Key, Rates] = {key: [] for key in cases}
    generations: dict[Key, int] = {}
    failed: dict[Key, ProgramError] = {}
    for key, case in cases.items():
        try:
            generations[key], rate = case.generations(plan.seconds, plan.steps)
        except ProgramError as error:
            failed[key] = error
            continue
        if not generations[key]:
            rates[key].append(rate)
    for turn in range(plan.rounds):
        for key, case in cases.items():
            if key in failed or not generations[key]:
                continue
            try:
                rates[key].append(case.rate(generations[key], 1_000 * (turn + 1), plan.steps))
            except ProgramError as error:
                failed[key] = error
    return rates, failed


def ratios(fast: Sequence[float], slow: Sequence[float]) -> float:
    """Return the median over common rounds of ``fast / slow``."""
    return median(a / b for a, b in zip(fast, slow, strict=False))
