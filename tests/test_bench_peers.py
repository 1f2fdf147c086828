"""The peers of `make bench` do the work they claim to do, and the harness reports it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from functools import cache
from importlib import import_module

import numpy as np
import pytest
from rich.console import Console

from evosim.bench import neighbours, tables
from evosim.bench.forager import World, make_world, uniform_moments
from evosim.bench.harness import Report, against, measure
from evosim.bench.peers import (
    NOT_INSTALLED,
    deap_toolbox,
    evosax_ga,
    jax_scan,
    mesa_objects,
    numpy_columns,
    numpy_vectorised,
    plain_c,
)
from evosim.bench.programs import BEST_JAX, PEERS, Program, select
from evosim.bench.timing import LONGEST, SLOW, Case, Plan, interleave, ratios
from evosim.bench.worker import ProgramError, Worker
from evosim.errors import UserError

Z = 4
TINY = make_world(3, states=16, steps=8)
AGENTS, GENERATIONS, SEEDS = 64, 30, 8
INSTALLED = [peer.name for peer in PEERS if peer.missing() is None]
MODULES = {peer.name: import_module(peer.module) for peer in PEERS}
PROGRAMS = {peer.name: peer for peer in PEERS}


@cache
def histories(name: str) -> np.ndarray:
    """Mean payoff [seed, generation] of a peer in the tiny world, large enough to be precise."""
    run = MODULES[name].run
    return np.array([run(TINY, 4 * AGENTS, GENERATIONS, seed)[1] for seed in range(SEEDS)])


# --- the world ---------------------------------------------------------------------------


def test_world_is_a_function_of_its_seed_and_read_only() -> None:
    one, same, other = make_world(1), make_world(1), make_world(2)
    assert (one.states, one.actions, one.cues, one.steps) == (256, 4, 8, 64)
    assert np.array_equal(one.next_state, same.next_state)
    assert np.array_equal(one.payoff, same.payoff)
    assert not np.array_equal(one.cue, other.cue)
    with pytest.raises(ValueError, match="read-only"):
        one.payoff[0, 0] = 0


def test_uniform_moments_equal_the_enumeration_of_every_life() -> None:
    world = make_world(5, states=3, steps=4)
    totals = []
    for actions in itertools.product(range(world.actions), repeat=world.steps):
        state, total = world.start, 0.0
        for action in actions:
            total += float(world.payoff[state, action])
            state = int(world.next_state[state, action])
        totals.append(total)
    assert uniform_moments(world) == pytest.approx((np.mean(totals), np.var(totals)))


# --- the peers ---------------------------------------------------------------------------


def test_the_peers_that_need_no_extra_are_here() -> None:
    assert {"mesa", "numpy", "numpy-columns", "plain-c"} <= set(INSTALLED)


@pytest.mark.parametrize("name", INSTALLED)
def test_run_keeps_its_contract(name: str) -> None:
    seconds, mean = MODULES[name].run(TINY, AGENTS, 3, 1)
    assert seconds > 0
    assert mean.shape == (3,)
    assert mean.dtype == np.float64
    assert np.isfinite(mean).all()


@pytest.mark.parametrize("name", INSTALLED)
def test_generation_zero_is_the_uniform_policy(name: str) -> None:
    mean, variance = uniform_moments(TINY)
    agents = 4_000
    measured = MODULES[name].run(TINY, agents, 1, 7)[1][0]
    assert abs(measured - mean) < Z * np.sqrt(variance / agents)


@pytest.mark.parametrize("name", INSTALLED)
def test_generation_zero_varies_as_independent_agents_do(name: str) -> None:
    """Catch seeds or agents that share draws; the interval is that of a chi-square."""
    _, variance = uniform_moments(TINY)
    spread = histories(name)[:, 0].var(ddof=1) / (variance / (4 * AGENTS))
    assert abs(spread - 1) < Z * np.sqrt(2 / (SEEDS - 1))
    assert spread > 0.1


@pytest.mark.parametrize("name", INSTALLED)
def test_fitness_rises_under_selection(name: str) -> None:
    rise = histories(name)[:, -1] - uniform_moments(TINY)[0]
    assert rise.mean() > 1
    assert rise.mean() > Z * rise.std(ddof=1) / np.sqrt(SEEDS)


@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "numpy"])
def test_every_peer_evolves_as_fast_as_numpy(name: str) -> None:
    """Same tournament, same mutation: the same mean payoff over thirty generations.

    A tournament of two shows as z = 7, a doubled mutation as more.
    """
    ours, theirs = (histories(peer)[:, 7:].mean(axis=1) for peer in (name, "numpy"))
    error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / SEEDS)
    assert abs(ours.mean() - theirs.mean()) < Z * error


def test_both_numpy_forms_live_the_same_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    genomes = rng.standard_normal((300, TINY.cues, TINY.actions)).astype(np.float32)
    rows = numpy_vectorised.lives(TINY, genomes, np.random.default_rng(1))
    columns = numpy_columns.lives(TINY, genomes, np.random.default_rng(1))
    assert np.allclose(rows, columns, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(numpy_columns, "BLOCK", 70)
    assert numpy_columns.lives(TINY, genomes, np.random.default_rng(1)).shape == (300,)


def test_numpy_policy_is_the_softmax_of_cues_times_genome() -> None:
    """One step, one genome for all: action frequencies against the closed form."""
    world = make_world(4, states=4, steps=1)
    genome = np.random.default_rng(2).standard_normal((world.cues, world.actions))
    odds = np.exp(world.cue[world.start] @ genome)
    agents = 20_000
    genomes = np.broadcast_to(genome.astype(np.float32), (agents, *genome.shape)).copy()
    payoff = numpy_vectorised.lives(world, genomes, np.random.default_rng(3))
    for action, p in enumerate(odds / odds.sum()):
        share = np.mean(payoff == world.payoff[world.start, action])
        assert abs(share - p) < Z * np.sqrt(p * (1 - p) / agents)


# --- peers that cannot run ---------------------------------------------------------------


@pytest.mark.parametrize("module", [deap_toolbox, jax_scan, evosax_ga])
def test_an_optional_peer_that_is_not_installed_says_so(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert module.missing() == NOT_INSTALLED == "not installed (pip install evosim[bench])"


def test_without_gcc_plain_c_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_c.shutil, "which", lambda name: None)
    assert plain_c.missing() == "gcc not found (apt install gcc)"


def test_a_refused_compilation_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_c, "FLAGS", ("-fno-such-option",))
    with pytest.raises(RuntimeError, match=r"gcc failed: .*no-such-option") as caught:
        plain_c._library.__wrapped__(8, 4)
    assert "\n" not in str(caught.value)


def test_loading_plain_c_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        plain_c.ctypes, "CDLL", lambda name: seen.append(os.environ[plain_c.WAITING])
    )
    monkeypatch.setenv(plain_c.WAITING, "active")
    plain_c._load("x")
    assert os.environ[plain_c.WAITING] == "active"
    monkeypatch.delenv(plain_c.WAITING)
    plain_c._load("x")
    assert plain_c.WAITING not in os.environ
    assert seen == ["passive", "passive"]


def test_mesa_frees_its_agents() -> None:
    import gc

    gc.collect()
    mesa_objects.run(TINY, 50, 1, 0)
    gc.collect()
    assert sum(type(thing).__name__ == "Forager" for thing in gc.get_objects()) == 0


def test_peers_are_selected_by_name_in_the_tables_order() -> None:
    assert [peer.name for peer in select(["plain-c", "mesa"])] == ["mesa", "plain-c"]
    assert select(None) == PEERS
    with pytest.raises(UserError, match=r"unknown peer 'nunpy'.*did you mean 'numpy'"):
        select(["nunpy"])


def test_the_command_line_rejects_an_unknown_peer_in_one_line() -> None:
    command = [sys.executable, "-m", "evosim.bench", "--peers", "nunpy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


# --- worker processes --------------------------------------------------------------------


def test_a_worker_runs_a_peer_in_its_own_process(capfd: pytest.CaptureFixture[str]) -> None:
    with Worker(PROGRAMS["numpy"].module, seed=3, states=16, steps=8) as worker:
        assert worker.seconds(AGENTS, 2, 0) > 0
        before = worker.peak_bytes()
        worker.seconds(50_000, 1, 0)
        assert worker.peak_bytes() - before > 50_000 * TINY.cues * TINY.actions * 4
        with pytest.raises(ProgramError, match=r"^TypeError: .*replicates") as caught:
            worker.seconds(AGENTS, 1, 0, replicates=2)
        assert "\n" not in str(caught.value)
        assert worker.seconds(AGENTS, 1, 0) > 0, "an error does not end the worker"
    assert "Traceback" in capfd.readouterr().err


def test_a_worker_that_cannot_start_says_why() -> None:
    with (
        Worker("evosim.bench.nowhere", seed=1) as worker,
        pytest.raises(ProgramError, match="nowhere"),
    ):
        worker.seconds(1, 1, 0)


# --- the harness, with stubs whose clock is made up --------------------------------------


class Stub:
    """A runner of a known speed, in agent-steps per second; it keeps what it was asked."""

    def __init__(self, rate: float, log: list | None = None, name: str = "", slope: float = 0):
        self.rate, self.name, self.slope = rate, name, slope
        self.log = [] if log is None else log

    def seconds(self, agents: int, generations: int, seed: int, **options: int) -> float:
        self.log.append((self.name, agents, generations, options))
        total = agents * options.get("replicates", 1)
        return total * generations * 8 / self.rate * total**self.slope

    def peak_bytes(self) -> int:
        return 3 * 2**28


class Broken(Stub):
    def seconds(self, agents: int, generations: int, seed: int, **options: int) -> float:
        if agents > 100:
            raise ProgramError("MemoryError: too many")
        return super().seconds(agents, generations, seed, **options)


SMALL_PLAN = Plan(
    sizes=(100, 1_000),
    growth=(100, 1_000, 10_000),
    small=(10, 100),
    memory=10_000,
    rounds=3,
    seconds=0.01,
    steps=8,
)


def report(engine: Stub, runners: dict[str, Stub], notes: dict[str, str]) -> Report:
    peers = [peer for peer in PEERS if peer.name in (*runners, *notes)]
    return measure(SMALL_PLAN, lambda: engine, peers, runners, notes)


def printed(measured: Report) -> list[str]:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        tables.show(measured, console)
        return console.export_text().splitlines()


def row(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.strip("│ ").startswith(start))


def cells(lines: list[str], start: str) -> list[str]:
    """Cells of the table row that begins with `start`, without the first."""
    return [cell.strip() for cell in row(lines, start).strip()[1:-1].split("│")][1:]


def test_the_tables_show_ratios_targets_and_verdicts() -> None:
    runners = {
        "mesa": Stub(0.25e6),
        "numpy": Stub(20e6),
        "jax": Stub(30e6),
        "evosax": Stub(40e6),
        "plain-c": Stub(33e6),
    }
    lines = printed(report(Stub(200e6), runners, {"deap": NOT_INSTALLED}))
    assert cells(lines, "evosim") == ["200", "200", "", "", ""]
    assert cells(lines, "Mesa") == ["0.25  800x"] * 2 + ["500x", "1,000x", "target"]
    assert cells(lines, "NumPy, vec") == ["20  10x"] * 2 + ["15x", "30x", "no"]
    best = ["40  5x"] * 2 + ["4x", "7x", "target"]
    assert cells(lines, "best of JAX") == best, "the faster of the two is the one to beat"
    assert cells(lines, "C -O3") == ["33  6.1x"] * 2 + ["3x", "6x", "stretch"]
    assert row(lines, "DEAP") == f"DEAP: {NOT_INSTALLED}"
    assert cells(lines, "peak memory") == ["0.75 GiB", "below 1 GiB", "yes"]
    assert cells(lines, "time per agent-step at N = 10,000")[0] == "1.00"


def test_growth_and_small_populations_are_judged() -> None:
    lines = printed(report(Stub(200e6, slope=0.1), {}, {}))
    assert cells(lines, "time per agent-step at N = 1,000")[0] == "1.26"
    assert cells(lines, "time per agent-step at N = 1,000")[-1] == "no"
    assert cells(lines, "speed of 100 replicates of 10")[0] == "1.00"


def test_growth_that_misses_linearity_by_being_cheaper_is_named_so() -> None:
    lines = printed(report(Stub(200e6, slope=-0.08), {}, {}))
    assert cells(lines, "time per agent-step at N = 1,000") == ["0.83", "0.8 to 1.2", "yes"]
    measured, _, verdict = cells(lines, "time per agent-step at N = 10,000")
    assert measured == "0.69"
    assert verdict == "better: cheaper at this size"


def test_a_peer_that_fails_becomes_a_note_and_the_rest_goes_on() -> None:
    measured = report(Stub(200e6), {"numpy": Broken(20e6), "plain-c": Stub(40e6)}, {})
    assert against(measured, "numpy") == pytest.approx({100: 10})
    assert against(measured, "plain-c") == pytest.approx({100: 5, 1_000: 5})
    lines = printed(measured)
    assert row(lines, "NumPy, vectorised over agents:").endswith(
        "1,000 agents: MemoryError: too many"
    )


def test_evosims_own_failure_is_raised() -> None:
    with pytest.raises(ProgramError, match="too many"):
        report(Broken(200e6), {"numpy": Stub(20e6)}, {})


def test_programs_take_turns_and_fill_the_time() -> None:
    log: list[tuple[str, int, int, dict[str, int]]] = []
    cases = {name: Case(Stub(rate, log, name), 100) for name, rate in (("a", 8e6), ("b", 8e7))}
    rates, failed = interleave(cases, SMALL_PLAN)
    assert not failed
    assert [len(values) for values in rates.values()] == [3, 3]
    assert rates["b"] == pytest.approx([8e7] * 3)
    turns = [name for name, _ in itertools.groupby(entry[0] for entry in log)]
    assert turns == ["a", "b"] + ["a", "b"] * 3
    # 0.01 s at 8e7 agent-steps/s are 1,000 generations of 100 agents and 8 steps, in short runs
    assert [entry[2] for entry in log if entry[0] == "b"][-10:] == [LONGEST] * 10


def test_a_very_slow_program_is_timed_once() -> None:
    log: list[tuple[str, int, int, dict[str, int]]] = []
    slow = 100 * 8 / (SMALL_PLAN.seconds * SLOW * 1.01)
    rates, _ = interleave({"slow": Case(Stub(slow, log), 100)}, SMALL_PLAN)
    assert len(log) == 1
    assert rates["slow"] == pytest.approx([slow])
    assert ratios([10 * slow, 3.0, 3.0], rates["slow"]) == pytest.approx(10)


def test_the_ratio_is_the_median_over_rounds_not_the_ratio_of_medians() -> None:
    assert ratios([10, 20, 90], [1, 10, 10]) == 9


def test_a_stub_engine_with_the_engines_contract_runs_in_a_worker(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`measure` drives `run(world, agents, generations, seed, replicates, threads)`."""
    (tmp_path / "stub_engine.py").write_text(
        "import numpy as np\n"
        "def run(world, agents, generations, seed, replicates=1, threads=None):\n"
        "    assert threads in (1, 2)\n"
        "    work = replicates * agents * generations * world.steps\n"
        "    return work / 1e8, np.zeros(generations)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    numpy_peer = PROGRAMS["numpy"]
    with (
        Worker("stub_engine", seed=1, states=16, steps=8) as engine,
        Worker(numpy_peer.module, seed=1, states=16, steps=8) as peer,
    ):
        measured = measure(SMALL_PLAN, lambda: engine, [numpy_peer], {"numpy": peer}, {})
    assert measured.rates["evosim"][100] == pytest.approx([1e8] * 3)
    assert len(measured.rates["numpy"][1_000]) == 3
    assert against(measured, BEST_JAX.name) == {}
    assert row(printed(measured), "NumPy, vec")


def test_neighbours_count_what_others_use_and_not_ourselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = {"monotonic": 0.0, "_busy_seconds": 50.0, "_own_seconds": 1.0}
    for name in clock:
        monkeypatch.setattr(neighbours, name, lambda name=name: clock[name])
    meter = neighbours.Neighbours()
    clock |= {"monotonic": 10.0, "_busy_seconds": 65.0, "_own_seconds": 13.0}
    assert meter.cores() == pytest.approx(0.3)


def test_neighbours_read_this_machine() -> None:
    assert neighbours._own_seconds() > 0
    assert neighbours._busy_seconds() >= 0
    assert neighbours.Neighbours().cores() >= 0


def test_a_program_without_targets_gets_no_verdict() -> None:
    bare = Program("x", "X", "")
    assert tables._reached(bare, [100.0]) == ""


def test_worlds_compare_by_identity_so_that_compiled_peers_can_cache_on_them() -> None:
    assert isinstance(TINY, World)
    assert hash(TINY) != hash(make_world(3, states=16, steps=8))
