"""Measure evosim beside its peers: interleaved rounds, medians of ratios, never an assertion.

The speed of a shared machine drifts, so programs take turns (A B C, A B C, ...) and a ratio is
the median over rounds of the two speeds of the same round.  One timing is as many generations as
fill a given time, cut into runs of at most `LONGEST` generations from all-zero genomes:
otherwise a fast program would spend its time on evolved, nearly deterministic policies, which
branch predictors like (plain C: 37 M agent-steps/s in the first 100 generations, 55 M after 3,000).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from rich.console import Console

from evosim.bench.forager import STEPS, threads
from evosim.bench.programs import BEST_JAX, BEST_JAX_OF, ENGINE, Program, select
from evosim.bench.worker import ProgramError, Runner, Worker

WORLD_SEED = 1
LONGEST = 100
SLOW = 5  # a generation that takes this many timings is timed once

Key = TypeVar("Key", bound=Hashable)
Rates = list[float]
Say = Callable[[str], object]


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
    """

    sizes: Sequence[int] = (1_000, 10_000, 100_000)
    growth: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    small: tuple[int, int] = (100, 1_000)
    memory: int = 1_000_000
    rounds: int = 5
    seconds: float = 1.0
    steps: int = STEPS


QUICK = Plan(
    sizes=(1_000, 10_000),
    growth=(1_000, 10_000, 100_000),
    small=(100, 100),
    memory=100_000,
    rounds=3,
    seconds=0.2,
)


@dataclass(frozen=True)
class Report:
    """What was measured; every list has one agent-steps per second for each round.

    Attributes
    ----------
    plan : Plan
        What was asked for.
    peers : sequence of Program
        Peers asked for, in the table's order.
    rates : dict
        Program name -> agents -> speeds.
    notes : dict
        Program name -> why it has no numbers, or not all.
    growth : dict
        Agents -> evosim's speeds.
    small, large : list of float
        evosim's speeds in many small populations and in one of the same total size.
    peak_bytes : int
        Peak memory of a process that runs evosim at ``plan.memory`` agents.
    """

    plan: Plan
    peers: Sequence[Program]
    rates: Mapping[str, Mapping[int, Rates]]
    notes: Mapping[str, str]
    growth: Mapping[int, Rates]
    small: Rates
    large: Rates
    peak_bytes: int


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


def speeds(report: Report, name: str, agents: int) -> Rates:
    """Speeds of a program at one size, round by round.

    Parameters
    ----------
    report : Report
        What was measured.
    name : str
        A program's name; ``best-jax`` stands for the faster of JAX and evosax in each round.
    agents : int
        Population size.

    Returns
    -------
    list of float
        Agent-steps per second; empty when nothing was timed.
    """
    names = BEST_JAX_OF if name == BEST_JAX.name else (name,)
    timed = [report.rates[n][agents] for n in names if report.rates.get(n, {}).get(agents)]
    return [max(turn) for turn in zip(*timed, strict=False)]


def against(report: Report, peer: str) -> dict[int, float]:
    """Ratio of evosim's speed to a peer's at each size where both were timed.

    Parameters
    ----------
    report : Report
        What was measured.
    peer : str
        A program's name, as in :func:`speeds`.

    Returns
    -------
    dict
        Agents -> ratio.
    """
    return {
        agents: ratios(report.rates[ENGINE.name][agents], found)
        for agents in report.plan.sizes
        if (found := speeds(report, peer, agents))
    }


def measure(
    plan: Plan,
    open_engine: Callable[[], Runner],
    peers: Sequence[Program],
    runners: Mapping[str, Runner],
    notes: Mapping[str, str],
    say: Say = lambda text: None,
) -> Report:
    """Run the whole plan.

    Parameters
    ----------
    plan : Plan
        What to measure.
    open_engine : callable
        Opens evosim; called twice, because peak memory wants a fresh process.
    peers : sequence of Program
        Peers of the table.
    runners : mapping
        Peer name -> its runner; a peer without one needs a note.
    notes : mapping
        Peer name -> why it cannot run.
    say : callable
        Told in a few words what is being measured.

    Raises
    ------
    ProgramError
        evosim itself failed; a peer's failure becomes a note.
    """
    notes = dict(notes)
    say(f"peak memory at {plan.memory:,} agents")
    own = {"threads": threads()}
    witness = open_engine()
    witness.seconds(plan.memory, 2, 0, **own)
    peak = witness.peak_bytes()
    engine = open_engine()
    rates: dict[str, dict[int, Rates]] = {name: {} for name in (ENGINE.name, *runners)}
    for agents in plan.sizes:
        say(f"all programs at {agents:,} agents")
        cases = {ENGINE.name: Case(engine, agents, own)}
        cases |= {name: Case(runner, agents) for name, runner in runners.items()}
        measured, failed = interleave(cases, plan)
        _raise(failed.pop(ENGINE.name, None))
        notes |= {name: f"at {agents:,} agents: {error}" for name, error in failed.items()}
        for name, values in measured.items():
            rates[name][agents] = values
    say("growth with the number of agents")
    growth, broken = interleave({n: Case(engine, n, own) for n in plan.growth}, plan)
    _raise(*broken.values())
    say("many small populations")
    agents, replicates = plan.small
    split = Case(engine, agents, {**own, "replicates": replicates})
    whole = Case(engine, agents * replicates, own)
    pair, broken_pair = interleave({"small": split, "large": whole}, plan)
    _raise(*broken_pair.values())
    return Report(plan, peers, rates, notes, growth, pair["small"], pair["large"], peak)


def _raise(*errors: ProgramError | None) -> None:
    """Raise the first error there is."""
    for error in errors:
        if error is not None:
            raise error


def _present(peers: Sequence[Program], notes: dict[str, str]) -> Iterator[Program]:
    """Yield the peers that can run here; note why the others cannot."""
    for peer in peers:
        reason = peer.missing()
        if reason is None:
            yield peer
        else:
            notes[peer.name] = reason


def main(quick: bool = False, peers: Sequence[str] | None = None) -> None:
    """Measure and print the tables; progress goes to stderr.

    Parameters
    ----------
    quick : bool
        Fewer sizes, rounds and seconds.
    peers : sequence of str, optional
        Names of the peers to run beside evosim; default all.

    Raises
    ------
    UserError
        A peer's name is unknown.
    ProgramError
        evosim itself failed.
    """
    from evosim.bench.tables import show

    chosen = select(peers)
    notes: dict[str, str] = {}
    progress = Console(stderr=True)
    with ExitStack() as stack, progress.status("starting") as status:

        def start(program: Program) -> Worker:
            return stack.enter_context(Worker(program.module, seed=WORLD_SEED))

        runners = {peer.name: start(peer) for peer in _present(chosen, notes)}
        report = measure(
            QUICK if quick else Plan(),
            lambda: start(ENGINE),
            chosen,
            runners,
            notes,
            status.update,
        )
    show(report, Console())
