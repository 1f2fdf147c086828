"""Measure evosim's learners beside a scalar loop and beside objects.

One thread, because the loop has one: what is compared is the cost of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from evosim.bench.programs import LEARNER, SCALAR, Program
from evosim.bench.road import MINDS
from evosim.bench.timing import Case, Plan, Rates, interleave
from evosim.bench.worker import Runner

#: Slow programs are timed over so many times fewer lives.
FEWER = 500
#: Lives over which allocations are counted.
COUNTED = 100


class Counter(Runner, Protocol):
    """A runner that can also be asked for a number."""

    def number(self, function: str, **options: int) -> float:
        """Return what a function of its module says."""


@dataclass(frozen=True)
class Learners:
    """What was measured, mind by mind.

    Attributes
    ----------
    peers : sequence of Program
        Peers of the table.
    rates : dict
        Mind -> program name -> lives per second of each round.
    allocations : dict
        Mind -> how often a life of evosim's takes memory from the heap.
    notes : dict
        (mind, program name) -> why there are no numbers, or not all.
    """

    peers: Sequence[Program]
    rates: Mapping[str, Mapping[str, Rates]]
    allocations: Mapping[str, float]
    notes: Mapping[tuple[str, str], str]


def measure_learners(
    plan: Plan,
    start: Callable[[Program, str], Counter],
    peers: Sequence[Program],
    say: Callable[[str], object] = lambda text: None,
) -> Learners:
    """Live both workloads with every program in turn.

    Parameters
    ----------
    plan : Plan
        `lives` in `rounds`.
    start : callable
        Starts a program with a mind.
    peers : sequence of Program
        Peers to run beside evosim.
    say : callable
        Told in a few words what is being measured.

    Raises
    ------
    ProgramError
        evosim itself failed; a peer's failure becomes a note.
    """
    rates: dict[str, dict[str, Rates]] = {}
    allocations: dict[str, float] = {}
    notes: dict[tuple[str, str], str] = {}
    lives = max(1, plan.lives // plan.rounds)
    for mind in MINDS:
        say(f"lives of learners: {mind}")
        engine = start(LEARNER, mind)
        allocations[mind] = engine.number("allocations", agents=COUNTED)
        cases = {LEARNER.name: Case(engine, lives, {"threads": 1})}
        for peer in peers:
            many = lives if peer is SCALAR else max(1, lives // FEWER)
            cases[peer.name] = Case(start(peer, mind), many)
        rates[mind], failed = interleave(cases, replace(plan, steps=1))
        if LEARNER.name in failed:
            raise failed[LEARNER.name]
        notes |= {(mind, name): str(error) for name, error in failed.items()}
    return Learners(peers, rates, allocations, notes)
