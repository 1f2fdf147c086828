"""What holds for every world, mind and selection scheme; users' own: test_registry.py."""

from __future__ import annotations

import engine_case
import numpy as np
import pytest
from engine_case import MINDS, REPRODUCTIONS, SELECTIONS, WORLDS, data

from evosim.errors import UserError
from evosim.ledger import BOUND
from evosim.scenario.kinds import built_in_kinds

GENERATIONS = 3


def combinations():
    """Every world with every mind, and every scheme with every way to reproduce."""
    for world in WORLDS:
        minds = MINDS if "context" in WORLDS[world] else ["linear"]
        yield from ((world, mind, "wright-fisher", "clonal", 1) for mind in minds)
    for selection in SELECTIONS:
        for reproduction in REPRODUCTIONS:
            for ploidy in (1, 2):
                midparent = reproduction == "midparent"
                if ploidy == 2 and (reproduction == "clonal" or midparent):
                    continue
                if selection == "moran" and reproduction != "clonal":
                    continue
                yield "chain", "linear", selection, reproduction, ploidy
                if not midparent:
                    yield "peaks", "linear", selection, reproduction, ploidy


def case(world, mind, selection, reproduction, ploidy):
    tables = data(world, mind, selection, reproduction, population={"ploidy": ploidy, "agents": 40})
    if "context" in tables and reproduction != "midparent":
        tables["genome"] = {**tables["genome"], "marker": engine_case.MARKER}
    return tables


def test_the_cases_are_all_kinds_there_are():
    pytest.importorskip("gymnasium", reason="the extra evosim[gymnasium] is not installed")
    kinds = {WORLDS[w]["world"]["kind"] for w in WORLDS}
    assert kinds == set(built_in_kinds("world"))
    assert {s["kind"] for s in SELECTIONS.values()} | {"replay"} == set(built_in_kinds("selection"))
    assert {mind["kind"] for mind in MINDS.values()} == set(built_in_kinds("mind"))


CASES = list(dict.fromkeys(combinations()))


@pytest.mark.parametrize("parts", CASES, ids=lambda parts: ", ".join(map(str, parts)))
def test_three_generations_of_every_kind(parts, monkeypatch):
    monkeypatch.setattr("evosim.engine.SMALL", 0)
    tables = case(*parts)
    seen = []
    made = engine_case.engine(tables, keep_pedigree=lambda g, p: seen.append(p))
    for _ in range(GENERATIONS):
        check_generation(made, made.step(), seen)
    assert 0 < made.ledger.worst <= BOUND
    assert engine_case.history(tables, threads=2, generations=2) == engine_case.history(
        tables, threads=1, generations=2
    )


def check_generation(made, lives, seen):
    pedigree, room = seen[-1], made.population.agents
    resolved = made.resolved
    paired = pedigree.mate.shape[1] > 0
    for r, n in enumerate(lives.count):
        born = pedigree.born[r]
        assert np.isfinite(lives.payoff[r, :n]).all()
        assert np.isfinite(lives.criterion[r, :n]).all()
        assert 0 < born <= room
        assert resolved.selection.kind == "density" or born == n
        assert made.population.count[r] == born
        for chosen in (pedigree.parent, pedigree.mate)[: 1 + paired]:
            assert chosen[r, :born].min() >= 0
            assert chosen[r, :born].max() < n
        given = np.bincount(pedigree.parent[r, :born], minlength=n)
        if paired:
            given += np.bincount(pedigree.mate[r, :born], minlength=n)
        assert pedigree.gametes[r, :n].tolist() == given.tolist()
        assert np.isfinite(made.population.real[r]).all()
        episodes = 1 if resolved.tables is None else resolved.tables.episodes
        assert lives.context_episodes[r].sum() == n * episodes
        total = lives.context_payoff[r].sum()
        assert total == pytest.approx(lives.payoff[r, :n].sum(), abs=1e-9)


def test_populations_without_room_or_fitness_end_or_say_so():
    crowded = data(selection="density", population={"limit": 70})
    crowded["selection"] = {**crowded["selection"], "fitness": {"exponential": 9.0}}
    made = engine_case.engine(crowded)
    with pytest.raises(UserError, match="outgrew its room of 70 agents in generation 0"):
        made.step()
    lost = engine_case.engine(data(selection="threshold") | {
        "selection": {"kind": "truncation", "threshold": 1e9}})  # fmt: skip
    lost.step()
    assert lost.population.count.tolist() == [0] * 4
    assert lost.extinct == dict.fromkeys(range(4), 1)
    lives = lost.step()
    assert lives.count.sum() == 0
    assert lost.ledger.worst <= BOUND


def test_many_offspring_are_never_none():
    """A mean of 1,000 offspring each: the population outgrows its room, it does not vanish."""
    tables = data(selection="density", population={"agents": 2, "limit": 500})
    fitness = {"proportional": 1e-9, "baseline": 1000.0}
    tables["selection"] = {"kind": "density", "fitness": fitness, "capacity": 1e9}
    with pytest.raises(UserError, match="outgrew"):
        engine_case.engine(tables).step()


def test_negative_fitness_is_an_error_with_its_place():
    tables = data()
    tables["selection"] = {
        "kind": "wright-fisher",
        "fitness": {"proportional": 1.0, "baseline": -5.0},
    }
    with pytest.raises(UserError, match=r"fitness -\d.* of agent 0, replicate 0, generation 0"):
        engine_case.engine(tables).step()


@pytest.mark.parametrize(
    ("gene", "fine"),
    [
        ({"scale": "log"}, True),
        ({"scale": "log", "mutation": 0.1, "initial": {"normal": [0, 1]}}, True),
        ({"initial": {"value": 0.5}}, True),
        ({"initial": {"value": 0.5}, "mutation": 0.1, "bounds": [0.1, 2]}, True),
        ({"initial": {"normal": [1, 5]}, "bounds": [0.1, 2]}, True),
        ({"initial": {"value": 0.5}, "mutation": 0.1}, False),
        ({"initial": {"value": 0.0}}, False),
        ({"initial": {"values": [1, -1], "share": 0.5}}, False),
        ({"initial": {"normal": [1, 0.1]}}, False),
        ({"initial": {"value": 0.5}, "mutation": 0.1, "bounds": [0, 2]}, False),
        ({"scale": "log", "noise": 0.1}, False),
        ({"scale": "threshold", "initial": {"value": 1}, "mutation": 0.1}, False),
    ],
)
def test_a_temperature_that_can_reach_zero_is_refused(gene, fine):
    tables = data(genome={**engine_case.GENOME, "temperature": gene})
    if fine:
        made = engine_case.engine(tables)
        values = made.birth()[..., made.resolved.mind.temperature_locus]
        assert (values > 0).all()
    else:
        with pytest.raises(UserError, match=r"genome.temperature: can become zero or negative"):
            engine_case.engine(tables)


def test_founders_stay_within_their_bounds():
    genome = {"policy": {"initial": {"normal": [0, 9]}, "bounds": [-1, 2], "mutation": 0.1}}
    made = engine_case.engine(data(genome=genome))
    values = made.population.real
    assert values.min() >= -1
    assert values.max() <= 2
    assert np.unique(values).size > values.size // 2  # folded back, not heaped at the ends


@pytest.mark.parametrize("selection", ["wright-fisher", "moran", "threshold", "tournament"])
def test_an_agent_alone_is_its_own_parent(selection):
    seen = []
    tables = data(selection=selection, population={"agents": 1})
    made = engine_case.engine(tables, keep_pedigree=lambda g, p: seen.append(p))
    for _ in range(GENERATIONS):
        made.step()
        assert (made.ledger.selection == 0).all()
        assert np.abs(made.ledger.transmission).max() > 0
    assert all((p.born == 1).all() and (p.parent == 0).all() for p in seen)


def test_slots_without_an_agent_hold_no_leftovers_of_memory():
    tables = data(selection="density", genome={**engine_case.GENOME, "marker": engine_case.MARKER})
    made = engine_case.engine(tables)
    first = made.population.count.copy()
    for part in (made.population.next_real, made.population.next_bits):
        assert (part == 0).all()
    made.step()
    for r, n in enumerate(np.maximum(first, made.population.count)):
        assert (made.population.real[r, n:] == 0).all()
        assert (made.population.bits[r, n:] == 0).all()
