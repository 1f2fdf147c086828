"""Measure evosim beside its peers and on its own; nothing here asserts a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console

from evosim.bench.channel import measure_channel
from evosim.bench.forager import threads
from evosim.bench.learners import measure_learners
from evosim.bench.neighbours import Neighbours
from evosim.bench.programs import (
    BEST_JAX,
    BEST_JAX_OF,
    ENGINE,
    LEARNER_PEERS,
    Program,
    select,
)
from evosim.bench.timing import QUICK, Case, Plan, Rates, interleave, ratios
from evosim.bench.worker import ProgramError, Runner, Worker

WORLD_SEED = 1

Say = Callable[[str], object]


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
    from evosim.bench.studies import measure_studies
    from evosim.bench.tables import channel_table, learner_table, show, study_table

    chosen, learners = select(peers), select(peers, LEARNER_PEERS)
    plan = QUICK if quick else Plan()
    neighbours = Neighbours()
    notes: dict[str, str] = {}
    progress = Console(stderr=True)
    with ExitStack() as stack, progress.status("starting") as status:

        def start(program: Program) -> Worker:
            return stack.enter_context(Worker(program.module, seed=WORLD_SEED))

        runners = {peer.name: start(peer) for peer in _present(chosen, notes)}
        report = measure(
            plan,
            lambda: start(ENGINE),
            chosen,
            runners,
            notes,
            status.update,
        )
        learned = measure_learners(
            plan,
            lambda program, mind: stack.enter_context(Worker(program.module, mind=mind)),
            learners,
            status.update,
        )
        channel = measure_channel(quick, status.update)
        studies = measure_studies(quick, status.update)
    console = Console()
    show(report, console)
    console.print(learner_table(learned))
    console.print(channel_table(channel))
    console.print(study_table(studies))
    console.print(
        f"Other processes kept {neighbours.cores():.2f} of {os.cpu_count()} cores busy meanwhile; "
        "above 0.1 the ratios to programs with threads are off."
    )
