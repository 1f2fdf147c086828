"""The learners' workload of `make bench`: the same lives in every program, and none allocates."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from rich.console import Console

from evosim.bench import road_engine, tables
from evosim.bench.learners import FEWER, Learners, measure_learners
from evosim.bench.peers import road_mesa, road_numba
from evosim.bench.programs import LEARNER, LEARNER_PEERS, SCALAR, select
from evosim.bench.road import EPISODES, MINDS, STEPS, build
from evosim.bench.timing import Plan
from evosim.bench.worker import ProgramError, Worker
from evosim.engine import Engine
from evosim.kernels.philox import replicate_keys

Z = 4
LIVES = 2_000
OBJECTS = 60


@cache
def payoffs(program: str, mind: str) -> np.ndarray:
    """Payoff of each life."""
    road = build(mind)
    if program == "scalar":
        return road_numba.lives(road, LIVES, 5)
    if program == "mesa":
        return np.array(road_mesa.lives(road, OBJECTS, 5)[1])
    resolved = road_engine._resolved(mind, LIVES)
    engine = Engine(resolved, replicate_keys(5, np.arange(1)))
    return engine.life(engine.birth()).payoff[0]


# --- the programs ------------------------------------------------------------------------


@pytest.mark.parametrize("mind", MINDS)
@pytest.mark.parametrize("program", ["scalar", "mesa"])
def test_every_program_lives_the_same_distribution_of_lives(program: str, mind: str) -> None:
    ours, theirs = payoffs("evosim", mind), payoffs(program, mind)
    error = np.sqrt(ours.var(ddof=1) / ours.size + theirs.var(ddof=1) / theirs.size)
    assert error > 0
    assert abs(ours.mean() - theirs.mean()) < Z * error


@pytest.mark.parametrize("mind", MINDS)
def test_the_scalar_loop_spreads_as_evosims_lives_do(mind: str) -> None:
    """Standard deviations agree within four errors, which a bootstrap gives."""
    rng = np.random.default_rng(1)
    ours, theirs = payoffs("evosim", mind), payoffs("scalar", mind)
    spread = [rng.choice(p, (400, p.size)).std(axis=1).std() for p in (ours, theirs)]
    assert abs(ours.std() - theirs.std()) < Z * np.hypot(*spread)


def test_seeds_and_lives_differ_and_come_again() -> None:
    road = build("q-learning")
    one = road_numba.lives(road, 50, 1)
    assert np.array_equal(one, road_numba.lives(road, 50, 1))
    assert not np.array_equal(one, road_numba.lives(road, 50, 2))
    assert np.unique(one).size > 40


@pytest.mark.parametrize("module", [road_engine, road_numba, road_mesa])
def test_run_keeps_its_contract(module: object) -> None:
    assert module.missing() is None
    seconds, mean = module.run(module.build("q-learning"), 3, 2, 1)
    assert seconds > 0
    assert len(mean) == 2
    assert all(-EPISODES * STEPS < m < EPISODES for m in mean)
    assert mean[0] != mean[1]


# --- allocations -------------------------------------------------------------------------


@pytest.mark.parametrize("mind", MINDS)
def test_a_life_takes_nothing_from_the_heap(mind: str) -> None:
    assert road_engine.allocations(build(mind), 40) == 0.0


def test_the_count_of_allocations_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are lives, where each life takes an array."""
    import numba

    @numba.njit
    def wasteful(n):
        total = 0.0
        for k in range(n):
            total += np.full(k % 7 + 1, 2.0)[k % 3 % (k % 7 + 1)]
        return total

    life = Engine.life

    def and_waste(engine: Engine, genes: np.ndarray) -> object:
        wasteful(genes.shape[1])
        return life(engine, genes)

    wasteful(1)
    monkeypatch.setattr(Engine, "life", and_waste)
    assert road_engine.allocations(build("lookahead"), 40) == 1.0


# --- harness and table, with stubs whose clock is made up --------------------------------


class Stub:
    """A runner of a known speed in lives per second; it keeps what it was asked."""

    def __init__(self, rate: float, taken: float = 0.0) -> None:
        self.rate, self.taken = rate, taken
        self.asked: list[tuple[int, dict[str, int]]] = []

    def seconds(self, agents: int, generations: int, seed: int, **options: int) -> float:
        self.asked.append((agents, options))
        return agents * generations / self.rate

    def number(self, function: str, **options: int) -> float:
        assert function == "allocations"
        return self.taken

    def peak_bytes(self) -> int:
        return 0


class Broken(Stub):
    def seconds(self, agents: int, generations: int, seed: int, **options: int) -> float:
        raise ProgramError("MemoryError: too many")


PLAN = Plan(rounds=3, seconds=0.01, lives=3_000)


def measured(**stubs: Stub) -> Learners:
    return measure_learners(PLAN, lambda program, mind: stubs[program.name], LEARNER_PEERS)


def rows(learners: Learners) -> list[list[str]]:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(tables.learner_table(learners))
        lines = console.export_text().splitlines()
    cells = [[cell.strip() for cell in line.strip()[1:-1].split("│")] for line in lines]
    return [row for row in cells if row[0] in MINDS]


def test_the_table_shows_costs_targets_and_allocations() -> None:
    stubs = {"evosim": Stub(10_000), "scalar": Stub(12_000), "mesa": Stub(50)}
    found = rows(measured(**stubs))
    assert len(found) == 4 * len(MINDS)
    assert found[0] == ["q-learning", "evosim", "10,000", "", "", ""]
    assert found[1] == ["q-learning", SCALAR.title, "12,000", "1.20", "at most 1.3", "yes"]
    assert found[2][2:] == ["50", "1/200", "", ""]
    assert found[3][1:] == ["heap allocations of a life", "", "0", "0", "yes"]
    assert {agents for agents, _ in stubs["evosim"].asked} == {1_000}
    assert all(options == {"threads": 1} for _, options in stubs["evosim"].asked)
    assert {agents for agents, _ in stubs["mesa"].asked} == {1_000 // FEWER}


def test_a_dear_step_and_an_allocation_miss_their_targets() -> None:
    found = rows(measured(evosim=Stub(10_000, 0.5), scalar=Stub(14_000), mesa=Stub(50)))
    assert found[1][3:] == ["1.40", "at most 1.3", "no"]
    assert found[3][3:] == ["0.5", "0", "no"]


def test_a_peers_failure_becomes_a_note_and_evosims_own_is_raised() -> None:
    found = rows(measured(evosim=Stub(10_000), scalar=Broken(1), mesa=Stub(50)))
    assert found[1][2:] == ["-", "", "", ""]
    assert ["q-learning", "scalar", "MemoryError: too many"] in [row[:3] for row in found]
    with pytest.raises(ProgramError, match="too many"):
        measured(evosim=Broken(1), scalar=Stub(1), mesa=Stub(1))


def test_peers_of_learners_are_selected_by_the_same_names() -> None:
    assert [peer.name for peer in select(["scalar"], LEARNER_PEERS)] == ["scalar"]
    assert select(["scalar"]) == ()
    assert select(None, LEARNER_PEERS) == LEARNER_PEERS


def test_a_worker_lives_and_counts() -> None:
    with Worker(SCALAR.module, mind="lookahead") as worker:
        assert worker.seconds(20, 2, 0) > 0
        with pytest.raises(ProgramError, match="AttributeError"):
            worker.number("nothing")
    assert LEARNER.module == road_engine.__name__
