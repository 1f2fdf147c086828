"""The tables of ``make bench``."""

from __future__ import annotations

from statistics import median

from rich.console import Console
from rich.table import Table

from evosim.bench.channel import AGENTS, FIDELITY, ITEMS, MODELS, Channel, mask_words
from evosim.bench.forager import MAX_THREADS
from evosim.bench.harness import Report, against, speeds
from evosim.bench.learners import Learners
from evosim.bench.programs import BEST_JAX, BEST_JAX_OF, ENGINE, LEARNER, Program
from evosim.bench.road import DEPTH, EPISODES, STATES
from evosim.bench.studies import Studies
from evosim.bench.timing import ratios

GROWTH = 0.2
SMALL = 0.8
MEMORY_GIB = 1.0
EXCESS = 2.0
EFFICIENCY = 0.9
OVERHEAD_MS = 20
PLAN_SECONDS = 10
PLAN_MIB = 500


def show(report: Report, console: Console) -> None:
    """Print what was measured.

    Parameters
    ----------
    report : Report
        What was measured.
    console : rich.console.Console
        Where to print.
    """
    console.print(peer_table(report))
    titles = {peer.name: peer.title for peer in report.peers}
    for name, note in report.notes.items():
        console.print(f"{titles[name]}: {note}", markup=False)
    console.print(own_table(report))


def peer_table(report: Report) -> Table:
    """Build the table of speeds and ratios, one row per program.

    Parameters
    ----------
    report : Report
        What was measured.

    Returns
    -------
    rich.table.Table
        A cell holds the median of millions of agent-steps per second, and evosim's ratio.
    """
    table = Table(
        title="The forager: M agent-steps/s, and evosim's speed as a multiple",
        caption=f"medians of {report.plan.rounds} rounds in turn, {MAX_THREADS} threads at most",
    )
    table.add_column("program")
    for agents in report.plan.sizes:
        table.add_column(f"N = {agents:,}", justify="right")
    for heading in ("target", "stretch"):
        table.add_column(heading, justify="right")
    table.add_column("reached")
    for program in (ENGINE, *_rows(report)):
        found = {} if program is ENGINE else against(report, program.name)
        cells = [_cell(speeds(report, program.name, n), found.get(n)) for n in report.plan.sizes]
        table.add_row(
            program.title,
            *cells,
            _times(program.target),
            _times(program.stretch),
            _reached(program, list(found.values())),
        )
    return table


def _rows(report: Report) -> list[Program]:
    """Return the timed peers; the best of JAX and evosax stands after both."""
    timed = [peer for peer in report.peers if any(report.rates.get(peer.name, {}).values())]
    of = [i for i, peer in enumerate(timed) if peer.name in BEST_JAX_OF]
    if of:
        timed.insert(of[-1] + 1, BEST_JAX)
    return timed


def _cell(rates: list[float], ratio: float | None) -> str:
    speed = f"{median(rates) / 1e6:.3g}" if rates else ""
    return f"{speed}  {_times(ratio)}".strip() if ratio is not None else speed or "-"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def _reached(program: Program, found: list[float]) -> str:
    """Say what the smallest ratio reaches."""
    if program.target is None or program.stretch is None or not found:
        return ""
    if min(found) >= program.stretch:
        return "stretch"
    return "target" if min(found) >= program.target else "no"


def own_table(report: Report) -> Table:
    """Build the table of what evosim is asked alone: growth, small populations, memory.

    Parameters
    ----------
    report : Report
        What was measured.

    Returns
    -------
    rich.table.Table
        One row per measure.
    """
    table = Table(title="evosim alone")
    table.add_column("measure")
    for heading in ("measured", "target"):
        table.add_column(heading, justify="right")
    table.add_column("reached")
    first, *rest = report.plan.growth
    for agents in rest:
        time = ratios(report.growth[first], report.growth[agents])
        table.add_row(
            f"time per agent-step at N = {agents:,}, N = {first:,} being 1",
            f"{time:.2f}",
            f"{1 - GROWTH:.1f} to {1 + GROWTH:.1f}",
            _growth(time),
        )
    agents, replicates = report.plan.small
    share = ratios(report.small, report.large)
    table.add_row(
        f"speed of {replicates:,} replicates of {agents:,}, one population of "
        f"{agents * replicates:,} being 1",
        f"{share:.2f}",
        f"at least {SMALL}",
        _yes(share >= SMALL),
    )
    gib = report.peak_bytes / 2**30
    table.add_row(
        f"peak memory at N = {report.plan.memory:,}",
        f"{gib:.2f} GiB",
        f"below {MEMORY_GIB:.0f} GiB",
        _yes(gib < MEMORY_GIB),
    )
    return table


def _growth(time: float) -> str:
    """Judge growth that should be linear; a miss in the favourable direction is named as such."""
    if time < 1 - GROWTH:
        return "better: cheaper at this size"
    return _yes(time <= 1 + GROWTH)


def learner_table(learners: Learners) -> Table:
    """Build the table of learners: speeds, costs beside each peer, and allocations.

    Parameters
    ----------
    learners : Learners
        What was measured.

    Returns
    -------
    rich.table.Table
        A row per mind and program.
    """
    table = Table(
        title=f"Learners: lives of {EPISODES} episodes among {len(STATES)} states, one thread",
        caption=f"medians of rounds in turn; lookahead has depth {DEPTH}",
    )
    table.add_column("mind")
    table.add_column("program")
    for heading in ("lives/s", "evosim's cost of a step", "target"):
        table.add_column(heading, justify="right")
    table.add_column("reached")
    for mind, rates in learners.rates.items():
        own = rates[LEARNER.name]
        table.add_row(mind, LEARNER.title, f"{median(own):,.0f}", "", "", "")
        for peer in learners.peers:
            table.add_row(mind, peer.title, *_learner_cells(peer, own, rates[peer.name]))
        taken = learners.allocations[mind]
        table.add_row(mind, "heap allocations of a life", "", f"{taken:g}", "0", _yes(taken == 0.0))
    for (mind, name), note in learners.notes.items():
        table.add_row(mind, name, note)
    return table


def _learner_cells(peer: Program, own: list[float], its: list[float]) -> list[str]:
    """Return speed, evosim's cost as a multiple of the peer's, the most allowed, a verdict."""
    if not its:
        return ["-", "", "", ""]
    cost = ratios(its, own)
    cells = [f"{median(its):,.0f}", f"{cost:.2f}" if cost >= 0.1 else f"1/{1 / cost:,.0f}"]
    if peer.target is None:
        return [*cells, "", ""]
    return [*cells, f"at most {1 / peer.target:.2g}", _yes(cost * peer.target <= 1.0)]


def channel_table(channel: Channel) -> Table:
    """Build the table of transmission: its time, what it cannot avoid, its growth.

    Parameters
    ----------
    channel : Channel
        What was measured.

    Returns
    -------
    rich.table.Table
        One row per measure.
    """
    table = Table(
        title=f"Transmission: {ITEMS:,} items as bits, {MODELS} models, fidelity {FIDELITY}, "
        f"N = {AGENTS:,}, one thread",
        caption="medians of rounds in turn, by the thread's own time",
    )
    table.add_column("measure")
    for heading in ("measured", "target"):
        table.add_column(heading, justify="right")
    table.add_column("reached")
    for what, seconds in (
        (f"estimate: {MODELS} rows read at random, one written", channel.memory),
        (f"estimate: {mask_words():.0f} random words of masks", channel.random),
        ("a newborn", channel.own[AGENTS]),
    ):
        table.add_row(what, f"{1e9 * median(seconds):.0f} ns", "", "")
    excess = channel.excess()
    table.add_row(
        "a newborn's time, the larger estimate being 1",
        f"{excess:.2f}",
        f"at most {EXCESS:.0f}",
        _yes(excess <= EXCESS),
    )
    for agents, seconds in channel.own.items():
        if agents != AGENTS:
            time = ratios(seconds, channel.own[AGENTS])
            table.add_row(
                f"a newborn's time at N = {agents:,}, N = {AGENTS:,} being 1",
                f"{time:.2f}",
                f"{1 - GROWTH:.1f} to {1 + GROWTH:.1f}",
                _growth(time),
            )
    return table


def study_table(studies: Studies) -> Table:
    """Build the table of studies: workers, the store's cost, a large plan.

    Parameters
    ----------
    studies : Studies
        What was measured.

    Returns
    -------
    rich.table.Table
        One row per measure.
    """
    table = Table(title=f"Studies: runs of {studies.run_seconds[0]:.1f} s")
    table.add_column("measure")
    for heading in ("measured", "target"):
        table.add_column(heading, justify="right")
    table.add_column("reached")
    for workers, rate in zip(("one worker", "two workers"), studies.per_hour, strict=True):
        table.add_row(f"runs an hour, {workers}", f"{rate:,.0f}", "", "")
    table.add_row("a run beside another: times as long", f"{studies.slowdown:.2f}", "", "")
    mib = studies.plan_bytes / 2**20
    rows = (
        ("parallel efficiency of two workers", f"{studies.efficiency:.2f}",
         f"at least {EFFICIENCY}", studies.efficiency >= EFFICIENCY),
        ("overhead of a run beside its own time", f"{1e3 * studies.overhead:.1f} ms",
         f"at most {OVERHEAD_MS} ms", 1e3 * studies.overhead <= OVERHEAD_MS),
        (f"a plan of {studies.planned:,} runs, start to disk", f"{studies.plan_seconds:.1f} s",
         f"below {PLAN_SECONDS} s", studies.plan_seconds < PLAN_SECONDS),
        (f"memory of a plan of {studies.planned:,} runs", f"{mib:,.0f} MiB",
         f"below {PLAN_MIB} MiB", mib < PLAN_MIB),
    )  # fmt: skip
    for what, found, target, reached in rows:
        table.add_row(what, found, target, _yes(reached))
    return table


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
