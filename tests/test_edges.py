"""Who learned what from whom: against plain Python, adding up to what is received, idle else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import test_culture
import test_culture_values
from engine_case import data, engine
from kernels_case import KEYS
from reference import uniform
from reference_culture import handed_over, imitated, items_of, models_of, received

import evosim
from evosim.checkpoint import Keeper
from evosim.cost import estimate_cost
from evosim.edges import PATHS, learned_from
from evosim.errors import UserError
from evosim.kernels import edges as kernels
from evosim.kernels import philox
from evosim.scenario import Scenario

ALL = 10**6
OPEN = {"pool": "open", "items": 9000, "learning": 2.0}
GENES = {
    "models": {"initial": {"uniform": [0, 3]}}, "fidelity": {"initial": {"uniform": [0, 1]}},
    "copying": {"initial": {"value": 0.7}}, "teaching": {"initial": {"uniform": [0, 1]}},
}  # fmt: skip
PAIRED = {"kind": "recombining"}


def of_items(knowledge=OPEN, genome=None, **changes):
    return test_culture.tables(knowledge=knowledge, genome=genome or {"neutral": {}}, **changes)


CASES = {
    "masked": test_culture.tables(),
    "parents": of_items(channel={"path": "vertical", "models": 2, "fidelity": 0.7},
                        reproduction=PAIRED),
    "genes": of_items(genome=GENES, channel={"choice": "best", "candidates": 3}),
    "most of five": of_items({"pool": "finite", "items": 30, "learning": 9.0}, channel={
        "models": 5, "choice": "conformist", "copying": 0.8}),
    "peers": of_items(channel={"fidelity": 0.6, "peers": 2, "choice": "prestige", "capacity": 6}),
    "demes": of_items(channel={"models": 2, "fidelity": 0.5}, selection={
        "kind": "wright-fisher", "fitness": {"neutral": True}},
        structure={"kind": "demes", "demes": 4, "migration": 0.3}),
}  # fmt: skip


def parameters(grown, genes, peers):
    """What the plain kernels read of one turn of the living generation's transmission."""
    culture = grown.culture
    channel = culture.code.channel
    turn = culture.turn(channel, peers, grown.population.count)
    near, contact = culture.near()
    names = ("copying", "fidelity", "capacity", "strength", "compression", "most", "loss", "spread")
    return {
        "counted": culture.code.counted, "choice": turn.choice, "path": turn.path,
        "models": turn.models, "candidates": turn.candidates, "near": near, "contact": contact,
        "turn": turn.number, "loci": turn.loci, "keys": grown.keys, "generation": grown.generation,
        "genes": genes, "before": turn.before, "payoff": culture.payoff, "cdf": turn.weights,
        "parent": culture.parent, "mate": culture.mate, "effort": turn.effort,
        "shown": culture.first if peers else culture.shown, "known": culture.first,
        **{name: getattr(channel, name) for name in names},
    }  # fmt: skip


def between(made, generations=3, replicates=range(2)):
    """An engine between transmission and life, and its newborns' genes."""
    grown = engine(made, replicates)
    for _ in range(generations):
        grown.step()
    genes = grown.birth()
    grown.transmission(genes)
    return grown, genes


@pytest.mark.parametrize("name", CASES)
def test_edges_are_the_models_of_the_plain_kernels_and_what_they_handed_over(name):
    grown, genes = between(CASES[name])
    rows = pd.DataFrame(learned_from(grown, genes, ALL))
    culture, paths = grown.culture, set()
    for r in range(2):
        for j in range(0, grown.population.count[r], 3):
            first = parameters(grown, genes, False)
            own = received(first, r, j)
            expected, second = [], None
            if name == "peers":
                second = parameters(grown, genes, True)
                later = received(second, r, j)
                expected = handed_over(second, r, j, later - own)
                own &= later
            if culture.code.masked:
                own -= items_of(grown.population.bits[r, j])
            expected = handed_over(first, r, j, own) + expected
            mine = rows[(rows["replicate"] == r) & (rows["learner"] == j)]
            assert (mine["parent"] == culture.parent[r, j]).all()
            if culture.mate.shape[1]:
                assert (mine["mate"] == culture.mate[r, j]).all()
            if not expected:
                assert mine[["model", "path", "taken"]].to_numpy().tolist() == [[-1, 0, 0]]
                continue
            assert mine["model"].tolist() == [who for who, _, _ in expected]
            assert mine["knew"].tolist() == [knew for _, knew, _ in expected]
            assert mine["taken"].to_numpy() == pytest.approx([x for _, _, x in expected], rel=1e-6)
            related = (mine["model"] == mine["parent"]) | (mine["model"] == mine["mate"])
            if second is None:
                assert ((mine["path"] == PATHS.index("vertical")) == related).all()
            paths |= {PATHS[p] for p in mine["path"]}
    assert rows["taken"].sum() > 50
    assert ("horizontal" in paths) == (name == "peers")
    assert ("oblique" in paths) == (name != "parents")


def test_skills_counts_and_learned_values():
    skill = of_items({"pool": "skill", "learning": 1.0},
                     channel={"models": 3, "choice": "best", "candidates": 4, "loss": 0.5,
                              "spread": 0.4})  # fmt: skip
    counted = of_items({"pool": "counted", "learning": 3.0}, channel={"fidelity": 0.7})
    for made in (skill, counted):
        grown, genes = between(made)
        p = parameters(grown, genes, False)
        shown, known = grown.culture.shown[..., 0], grown.culture.known[..., 0]
        if made is skill:
            shown, known = shown.view(float), known.view(float)
            p |= {"skill": shown, "capacity": grown.culture.code.channel.limit}
        rows = pd.DataFrame(learned_from(grown, genes, ALL)).query("replicate == 1")
        for j in range(0, 64, 5):
            mine, who = rows[rows["learner"] == j], models_of(p, 1, j)
            assert mine["model"].tolist() == who
            assert mine["knew"].to_numpy() == pytest.approx(shown[1, who].astype(float), rel=1e-6)
            total = imitated(p, 1, j) if made is skill else received(p, 1, j)[0]
            assert mine["taken"].sum() == pytest.approx(total, rel=1e-6, abs=1e-6)
            assert mine["taken"].std(ddof=0) < 1e-6
    grown, genes = between(test_culture_values.tables({"fidelity": 0.6, "models": 2}))
    rows = pd.DataFrame(learned_from(grown, genes, ALL)).query("replicate == 0")
    values = grown.culture.code.words
    for j in range(0, 40, 7):
        mine = rows[rows["learner"] == j]
        assert mine["model"].tolist() == models_of(parameters(grown, genes, False), 0, j)
        taken = [0, 0]
        for z in range(values // 2):
            for k in range(2):
                u = uniform(grown.keys[0], 3, j, philox.FIDELITY, k * (values // 2) + z)
                if u < 0.6:
                    taken[k] += 2
                    break
        assert mine["taken"].tolist() == taken
        assert (mine["knew"] == values).all()


def run(made, edges=0, threads=1, **how):
    made = made | {"record": {"every": 2, "edges": edges}}
    return evosim.run(Scenario.from_dict(made), threads=threads, **how)


def test_what_is_taken_is_the_information_received_and_nothing_else_changes(monkeypatch):
    monkeypatch.setattr("evosim.engine.SMALL", 0)
    for name in ("masked", "peers"):
        without, made = run(CASES[name]), run(CASES[name], ALL)
        for table in ("trajectory", "ledger"):
            one, two = without.table(table), made.table(table)
            pd.testing.assert_frame_equal(one, two, check_exact=True)
        assert without.edges.empty
        assert run(CASES[name], ALL, threads=2).edges.equals(made.edges)
        rows = made.trajectory
        taken = made.edges.groupby(["replicate", "generation"])["taken"].sum().to_numpy()
        agents = rows["agents"].to_numpy(float)
        assert taken / agents == pytest.approx(rows["information.received"].to_numpy(float), 1e-6)
        assert taken.max() > 50
        assert (made.edges.groupby(["replicate", "generation"])["learner"].nunique() == 64).all()
        assert (made.edges.query("generation == 0")["parent"] == -1).all()
        assert (made.edges.query("generation > 0")["parent"] >= 0).all()


def test_edges_join_with_the_parents_of_the_generation_before():
    made = CASES["parents"] | {"record": {"every": 1, "edges": ALL}}
    kept = {}
    grown = engine(made)
    grown.keep_pedigree = kept.__setitem__
    for _ in range(3):
        grown.step()
    edges = evosim.run(Scenario.from_dict(made), threads=1).edges
    for g in (1, 2):
        for r in range(4):
            mine = edges[(edges["generation"] == g) & (edges["replicate"] == r)]
            born = mine.drop_duplicates("learner").set_index("learner")
            assert np.array_equal(born["parent"], kept[g - 1].parent[r])
            assert np.array_equal(born["mate"], kept[g - 1].mate[r])


def test_a_sample_is_some_of_all_and_each_newborn_has_the_same_chance():
    some, everyone = run(CASES["genes"], 10).edges, run(CASES["genes"], ALL).edges
    keys = ["arm", "replicate", "generation", "learner"]
    of_some = everyone.merge(some[keys].drop_duplicates(), on=keys)
    pd.testing.assert_frame_equal(some, of_some, check_exact=True)
    assert (some.groupby(keys[:3])["learner"].nunique() == 10).all()
    seen = np.zeros(9)
    for g in range(600):
        chosen = np.empty((4, 3), np.int64)
        kernels.some_of(0, 4, KEYS, g, np.array([9, 9, 9, 2]), np.zeros((4, 0), bool), chosen)
        assert chosen[3].tolist() == [0, 1, -1]
        for row in chosen[:3]:
            assert (np.diff(row) > 0).all()
            seen[row] += 1
        kernels.some_of(0, 4, KEYS, g, np.full(4, 9), np.tile(np.arange(9) % 2 > 0, (4, 1)), chosen)
        assert (chosen % 2 == 0).all()
    assert abs(seen - 600).max() < 4 * np.sqrt(1800 * (1 / 3) * (2 / 3))


class Killed(BaseException):
    """Stands for the end of the process."""


def test_interrupted_and_saved_edges_are_the_same(tmp_path, monkeypatch):
    made = CASES["genes"] | {"record": {"every": 2, "edges": 20}}
    whole = evosim.run(Scenario.from_dict(made), threads=1, out=tmp_path / "whole")
    back = evosim.load(tmp_path / "whole")
    pd.testing.assert_frame_equal(back.edges, whole.edges, check_exact=True)
    look = Keeper.look

    def once(self):
        look(self)
        monkeypatch.setattr(Keeper, "look", until)

    def until(self):
        raise Killed

    monkeypatch.setattr(Keeper, "look", once)
    how = {"out": tmp_path / "again", "threads": 1, "checkpoint": 1, "resume": True}
    with pytest.raises(Killed):
        evosim.run(Scenario.from_dict(made), **how)
    monkeypatch.setattr(Keeper, "look", look)
    assert evosim.run(Scenario.from_dict(made), **how).info["resumed"]
    one, two = ((tmp_path / name / "edges.parquet").read_bytes() for name in ("whole", "again"))
    assert one == two
    forked = evosim.fork(tmp_path / "whole", threads=1, generations=4)
    assert (forked.edges["parent"] >= 0).all()
    plain = run(data("traits"), out=tmp_path / "plain")
    assert not (tmp_path / "plain" / "edges.parquet").exists()
    assert evosim.load(tmp_path / "plain").edges.equals(plain.edges)


def test_the_estimate_knows_of_edges_and_edges_need_a_channel():
    def memory(edges, **channel):
        made = of_items(channel=channel, record={"every": 1, "edges": edges})
        return estimate_cost(Scenario.from_dict(made)).memory

    assert memory(0) < memory(10) < memory(10, models=5) == memory(10, models=3, peers=2)
    assert memory(ALL) == memory(64)
    with pytest.raises(UserError, match="nobody learns") as caught:
        run(data("traits"), 5)
    assert caught.value.key == "record.edges"
