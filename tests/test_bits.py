"""The same bits whatever the threads, the company of replicates, the recording, the process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import engine_case
import pytest
from engine_case import GENOME, MARKER, data, history

from evosim import engine
from evosim.results import TABLES
from evosim.scenario import Scenario
from evosim.simulate import simulate
from evosim.tables import write_arrays, write_table

HERE = Path(__file__).parent

BOTH = {**GENOME, "marker": MARKER}
ONE_LOCUS = {"policy": GENOME["policy"]}
COST = {**BOTH, "policy": {**GENOME["policy"], "cost": 0.1}, "marker": {**MARKER, "cost": 0.01}}
CASES = {
    "wright-fisher": data(genome=BOTH),
    "costs and greedy": data("grid", "greedy", genome=COST),
    "moran": data(selection="moran", genome=BOTH),
    "truncation, two parents": data(selection="best half", reproduction="free", genome=BOTH),
    "tournament, diploid, one point": data(
        selection="tournament", reproduction="one point", genome=BOTH, population={"ploidy": 2}
    ),
    "diploid, free": data("peaks", reproduction="free", population={"ploidy": 2}),
    "density": data(selection="density", genome=BOTH),
    "density, two parents": data(selection="density", reproduction="free", genome=BOTH),
    "three actions": data("bandit", genome=BOTH),
    "paid once": data("graph", genome=BOTH),
    "perceptron": data("chain", "perceptron"),
    "reinforce": data("chain", "reinforce"),
    "reinforce, one locus": data("bandit", "reinforce", cues={"bias": 1}, genome=ONE_LOCUS),
    "learning perceptron": data("chain", "learning perceptron"),
    "cross, parents' mean": data("bandit", "cross", reproduction="midparent"),
    "traits with noise": data("traits"),
    "peaks": data("peaks"),
}


def case(name, **population):
    tables = dict(CASES[name])
    return tables | {"population": {**tables["population"], **population}}


@pytest.fixture
def always_threads(monkeypatch):
    monkeypatch.setattr(engine, "SMALL", 0)


@pytest.mark.parametrize("name", CASES)
def test_threads_and_company_of_small_populations(name, always_threads):
    """64 agents in 4 replicates: blocks of several replicates in one range."""
    together = history(case(name), threads=1)
    assert history(case(name), threads=2) == together
    for r in range(4):
        assert history(case(name), [r]) == {r: together[r]}
    assert history(case(name), [3, 1], threads=2) == {r: together[r] for r in (3, 1)}


@pytest.mark.parametrize("name", CASES)
def test_threads_of_a_large_population(name):
    """20,000 agents in 1 replicate: blocks of one replicate in several ranges."""
    large = case(name, agents=20_000, replicates=1)
    if large["selection"]["kind"] == "density":
        large["selection"] = {**large["selection"], "capacity": 60_000}
    alone, *others = (history(large, [2], threads, generations=2) for threads in (1, 2, 3))
    assert others == [alone] * 2


def test_threads_do_work_in_these_tests(monkeypatch, always_threads):
    """Were everything run in one range, the tests above would prove nothing."""
    ranges = []

    def spy(function, blocks, threads, *args):
        ranges.append((threads, blocks >= 2 * threads))
        return original(function, blocks, threads, *args)

    original = engine.run_blocks
    monkeypatch.setattr(engine, "run_blocks", spy)
    history(case("wright-fisher", agents=200), threads=2, generations=1)
    assert (2, True) in ranges


def test_blocks_do_not_meet_in_the_digest():
    """The digests tell replicates and generations apart."""
    histories = history(case("wright-fisher"))
    digests = [d for h in histories.values() for d in h]
    assert len(set(digests)) == len(digests)


# Whole runs

SETTINGS = {"population.generations": 12, "population.replicates": 5, "record.every": 3}


def bandit():
    """Learners, phases, interventions, assays, indices, predictions, replay, a grid of arms."""
    return Scenario.load(HERE / "data" / "bandit.toml").override(SETTINGS)


@pytest.fixture(scope="module")
def run():
    return simulate(bandit(), threads=1)


def same_tables(one, other):
    return [name for name in one if not one[name].equals(other[name])] == []


def test_tables_do_not_depend_on_threads(run, always_threads):
    threaded = simulate(bandit(), threads=2)
    assert all(len(run.tables[name]) > 0 for name in run.tables if name not in ("trials", "edges"))
    assert same_tables(run.tables, threaded.tables)
    assert run.claims.equals(threaded.claims)
    assert run.population.keys() == threaded.population.keys()
    for name, array in run.population.items():
        assert array.tobytes() == threaded.population[name].tobytes()


@pytest.mark.parametrize("chosen", [[0], [3], [4, 1]])
def test_tables_of_some_replicates_are_their_rows_of_all(run, chosen):
    some = simulate(bandit(), threads=1, replicates=chosen)
    for name, table in run.tables.items():
        for r in chosen:
            want = table[table["replicate"] == r].reset_index(drop=True)
            got = some.tables[name]
            got = got[got["replicate"] == r].reset_index(drop=True)
            # Missing numbers in other replicates make a column nullable there only.
            assert got.astype(want.dtypes).equals(want), name


def test_rows_go_by_arm_replicate_and_generation(run):
    order = [cell.label for cell in bandit().arms()]
    for name, table in run.tables.items():
        keys = [
            (order.index(a), r, g)
            for a, r, g in zip(table["arm"], table["replicate"], table["generation"], strict=True)
        ]
        assert keys == sorted(keys), name


def test_extinct_replicates_are_named_by_their_own_number():
    tables = data(selection="threshold")
    tables["selection"] = {"kind": "truncation", "threshold": 1e9}
    done = simulate(Scenario.from_dict(tables), threads=1, replicates=[2, 3])
    assert [(e["replicate"], e["generation"]) for e in done.meta["extinctions"]] == [(2, 1), (3, 1)]


PROGRAM = """
import sys
from test_bits import digests
print(digests(sys.argv[1], int(sys.argv[2])))
"""


def digests(folder, threads):
    """Hash the files that a run would write."""
    done = simulate(bandit(), threads=threads)
    folder = Path(folder)
    for name in TABLES:
        table = done.claims if name == "claims" else done.tables[name]
        write_table(folder / f"{name}.parquet", table)
    write_arrays(folder / "population.npz", done.population)
    sha = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()


def test_files_are_the_same_bytes_in_processes_of_their_own(tmp_path):
    (tmp_path / "here").mkdir()
    want = digests(tmp_path / "here", 1)
    for k, (threads, salt, blas) in enumerate([(1, "1", "1"), (2, "2", "2")]):
        folder = tmp_path / str(k)
        folder.mkdir()
        environment = os.environ | {
            "PYTHONPATH": str(HERE), "PYTHONHASHSEED": salt, "OPENBLAS_NUM_THREADS": blas,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder), str(threads)],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == want


def test_parameters_changed_between_generations_keep_the_bits(always_threads):
    """An intervention and a phase, in both orders of threads."""

    def run_with(threads):
        made = engine_case.engine(data(), threads=threads)
        out = []
        for g in range(4):
            if g == 2:
                changed = data()
                changed["genome"] = {**GENOME, "policy": {**GENOME["policy"], "mutation": 0.7}}
                made.change(engine_case.resolved(changed))
            lives = made.step()
            out += [engine_case.digest(made, lives, k) for k in range(4)]
        return out

    assert run_with(1) == run_with(2)
