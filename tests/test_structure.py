"""Demes and networks: who is near whom, what drifts apart, what spreads, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from engine_case import data, engine, history
from kernels_case import KEYS
from reference import uniform, words

import evosim
from evosim.errors import UserError
from evosim.kernels import near, philox
from evosim.oracles.structure import island_heterozygosity, reached
from evosim.scenario import Scenario
from evosim.structure import among, make_structure

Z = 4
FLAT = {"kind": "landscape", "shape": "flat"}
ALLELE = {"kind": "bits", "loci": 1, "initial": {"probability": 0.5}}
DEMES = {"kind": "demes", "demes": 4, "migration": 0.3}
RING = {"kind": "network", "graph": "ring", "neighbours": 2}


def tables(structure, selection="neutral", **changes):
    return data("traits", selection=selection) | {
        "world": FLAT, "genome": {"marker": ALLELE, "neutral": {"mutation": 0.1}},
        "structure": structure,
    } | changes  # fmt: skip


def made(structure, agents=64):
    model = Scenario.from_dict(tables(structure, population={"agents": agents})).model
    return make_structure(model)


def neighbours(code, place):
    table = code.parents
    g = table.group[place]
    return set(table.member[table.start[g] : table.start[g + 1]].tolist())


def test_demes_and_graphs_become_neighbourhoods():
    demes = made(DEMES)
    assert neighbours(demes, 17) == set(range(16, 32))
    assert neighbours(made(RING), 0) == {63, 0, 1}
    assert neighbours(made(RING | {"neighbours": 4}), 2) == {0, 1, 2, 3, 4}
    assert neighbours(made({"kind": "network", "graph": "torus"}), 9) == {9, 8, 10, 1, 17}
    edges = made({"kind": "network", "graph": "edges", "edges": [[0, 5], [5, 9]]})
    assert neighbours(edges, 5) == {0, 5, 9}
    assert neighbours(edges, 7) == {7}


@pytest.mark.parametrize("graph", ["small-world", "scale-free", "random"])
def test_a_drawn_graph_is_the_same_again_and_another_with_another_seed(graph):
    spec = {"kind": "network", "graph": graph, "neighbours": 4}
    spec |= {"rewiring": 0.3} if graph == "small-world" else {}
    one, again, other = made(spec), made(spec), made(spec | {"seed": 1})
    assert np.array_equal(one.parents.member, again.parents.member)
    assert not np.array_equal(one.parents.member, other.parents.member)
    links = one.parents.member.size - 64 - 64
    assert links / 64 == pytest.approx({"scale-free": 7.5}.get(graph, 4), abs=1)


# --- kernels against plain Python ----------------------------------------------------------


def source(table, place, elsewhere, four):
    """Members that are drawn from at a place."""
    g = int(table.group[place])
    if four[2] / 2**32 < elsewhere:
        away = table.away[table.away_start[g] : table.away_start[g + 1]]
        g = int(away[four[3] * away.size >> 32]) if away.size else g
    return table.member[table.start[g] : table.start[g + 1]]


@pytest.mark.parametrize("structure", [DEMES, RING | {"migration": 0.3}, DEMES | {
    "pattern": "ring"}])  # fmt: skip
def test_parents_and_tournaments_against_plain_python(structure):
    code, rng = made(structure), np.random.default_rng(1)
    fitness = np.where(rng.random((2, 64)) < 0.6, 0.0, rng.random((2, 64)))
    fitness[:, 16:32] = 0.0
    cdf = np.empty((2, code.parents.member.size))
    near.cumulate(0, 2, code.parents, False, fitness, cdf)
    parent, winner = np.empty((2, 2, 64), np.int32)
    born = np.full(2, 64)
    rest = (code.parents, 0.3, philox.MATE, KEYS[:2], 5, born)
    near.parents_near(0, 2, *rest, cdf, parent)
    near.tournament_near(0, 2, 3, *rest, fitness, winner)
    from_all = 0
    for r in range(2):
        for j in range(64):
            four = words(KEYS[r], 5, j, philox.MATE, 0)
            those = source(code.parents, j, 0.3, four)
            if not fitness[r, those].sum() > 0:
                those, from_all = np.arange(64), from_all + 1
            u = uniform(KEYS[r], 5, j, philox.MATE, 0) * np.cumsum(fitness[r, those])[-1]
            assert parent[r, j] == next(
                i for i, upto in zip(those, np.cumsum(fitness[r, those]), strict=True) if upto > u
            )
            those = source(code.parents, j, 0.3, words(KEYS[r], 5, j, philox.MATE, 1 << 20))
            drawn = [
                those[words(KEYS[r], 5, j, philox.MATE, k)[0] * those.size >> 32] for k in range(3)
            ]
            assert winner[r, j] == max(drawn, key=lambda i: fitness[r, i])
    assert from_all > 5


# --- closed forms --------------------------------------------------------------------------


@pytest.mark.parametrize(("migration", "pattern"), [(0.05, "island"), (0.4, "island")])
def test_demes_drift_apart_as_wright_says(migration, pattern):
    """Chances that two agents differ, within and between demes, over replicates."""
    replicates, generations = 600, 12
    structure = {"kind": "demes", "demes": 4, "migration": migration, "pattern": pattern}
    size = {"agents": 32, "replicates": replicates, "generations": 20}
    grown = engine(tables(structure, population=size), range(replicates))
    for _ in range(generations):
        grown.step()
    allele = (grown.population.bits[..., 0] & np.uint64(1)).reshape(replicates, 4, 8).astype(float)
    share = allele.mean(axis=2)
    within = (share * (1 - share) * 2 * 8 / 7).mean(axis=1)
    total = share.sum(axis=1)
    between = 1 - ((total**2 - (share**2).sum(axis=1)) +
                   ((4 - total) ** 2 - ((1 - share) ** 2).sum(axis=1))) / 12  # fmt: skip
    expected = island_heterozygosity(generations, 4, 8, migration, 0.5)
    for found, wanted in zip((within, between), expected, strict=True):
        assert abs(found.mean() - wanted) < Z * found.std() / np.sqrt(replicates)
    assert expected[0] < expected[1]


def test_one_deme_of_everybody_drifts_like_a_crowd():
    """Global parents: heterozygosity falls by 1/N a generation, whatever the demes."""
    size = {"agents": 32, "replicates": 600, "generations": 20}
    structure = {"kind": "demes", "demes": 4, "parents": "global"}
    grown = engine(tables(structure, population=size), range(600))
    for _ in range(12):
        grown.step()
    share = (grown.population.bits[..., 0] & np.uint64(1)).mean(axis=1)
    found, wanted = 2 * share * (1 - share), 0.5 * (1 - 1 / 32) ** 13
    assert abs(found.mean() - wanted) < Z * found.std() / np.sqrt(600)


def test_the_trajectory_says_what_lies_among_demes():
    values = np.random.default_rng(0).normal(size=(2, 12, 1))
    deme = np.arange(12) // 4
    by_hand = [v.reshape(3, 4).mean(axis=1).var() / v.var() for v in values[..., 0]]
    assert among(deme, values)[:, 0] == pytest.approx(by_hand)
    run = evosim.run(Scenario.from_dict(tables(DEMES | {"migration": 0.0})), threads=1)
    shares = run.trajectory.groupby("generation")["among.marker"].mean()
    assert shares.iloc[-1] > shares.iloc[0]


# --- models that are near ------------------------------------------------------------------

KNOWS = {"knowledge": {"pool": "finite", "items": 64}, "channel": {"models": 64}}


def spread(structure, generations, **changes):
    """Agents that know, generation by generation, what the one at place 100 knew."""
    size = {"agents": 256, "replicates": 2, "generations": 9}
    grown = engine(tables(structure, population=size, **KNOWS | changes), range(2))
    grown.step()
    grown.culture.shown[:] = 0
    grown.culture.shown[:, 100] = 1
    grown.culture.payoff[:, 100] = 1
    known = []
    for _ in range(generations):
        grown.step()
        known.append(grown.culture.shown[..., 0].astype(bool))
    return known


def test_what_one_knew_spreads_along_a_ring_place_by_place():
    """64 models miss one of three neighbours with probability 5e-12."""
    for t, known in enumerate(spread(RING, 8), 1):
        assert (known.sum(axis=1) == reached(t, 2, 256)).all()
        assert known[:, 100 - t : 101 + t].all()
    crowd = spread(RING | {"models": "global"}, 2)
    assert crowd[0].sum() > 4 * 3
    assert spread({"kind": "network", "graph": "torus"}, 2)[1].sum() == 2 * 13


def test_what_one_knew_leaves_a_deme_by_contact_only():
    demes = {"kind": "demes", "demes": 8, "parents": "global"}
    own = np.arange(256) // 32 == 100 // 32
    for known in spread(demes, 6):
        assert not known[:, ~own].any()
    assert known[:, own].all()
    assert spread(demes | {"contact": 0.1}, 6)[-1][:, ~own].any()


def test_the_best_near_is_the_model_of_a_whole_neighbourhood():
    channel = {"choice": "best", "candidates": 0}
    knowledge = KNOWS["knowledge"] | {"payoff": 1.0}
    last = spread(DEMES, 2, channel=channel, knowledge=knowledge)[-1]
    assert last.sum() == 2 * 64


# --- the same bits -------------------------------------------------------------------------


@pytest.mark.parametrize("selection", ["wright-fisher", "best half", "tournament"])
@pytest.mark.parametrize("structure", [DEMES, RING])
def test_replicates_alone_and_threads_give_the_same_bits(selection, structure):
    big = {"agents": 128, "replicates": 4, "generations": 5}
    one = tables(structure, selection, population=big, reproduction={"kind": "recombining"},
                 world={"kind": "landscape", "shape": "linear", "gene": "neutral"})  # fmt: skip
    together = history(one)
    assert history(one, threads=3) == together
    assert history(one, replicates=[2])[2] == together[2]


@pytest.mark.parametrize("choice", ["random", "payoff"])
def test_local_models_give_the_same_bits(choice):
    size = {"agents": 256, "replicates": 4, "generations": 5}
    one = tables(RING | {"contact": 0.2}, population=size,
                 knowledge={"pool": "finite", "items": 99, "learning": 9.0},
                 channel={"models": 2, "fidelity": 0.7, "choice": choice})  # fmt: skip
    together, alone = engine(one, range(4), 3), engine(one, [2])
    together._threads = lambda: 3
    for _ in range(3):
        together.step()
        alone.step()
    assert together.culture.shown.any()
    assert np.array_equal(together.culture.shown[2], alone.culture.shown[0])


# --- bad input -----------------------------------------------------------------------------

BAD = {
    "unequal demes": ({"kind": "demes", "demes": 7}, "structure.demes", "64 agents do not make 7"),
    "no such place": (
        {"kind": "network", "graph": "edges", "edges": [[0, 64]]}, "structure.edges", "place 64",
    ),
    "no square": ({"kind": "network", "graph": "torus"}, "structure.graph", "no square"),
    "an odd ring": (RING | {"neighbours": 3}, "structure.neighbours", "3 neighbours"),
    "too many": (RING | {"neighbours": 64}, "structure.neighbours", "64 neighbours"),
    "rewiring a ring": (RING | {"rewiring": 0.1}, "structure", "does not go with rewiring"),
    "nothing to rewire": (
        RING | {"graph": "small-world"}, "structure", "needs rewiring",
    ),
    "contact without channel": (DEMES | {"contact": 0.1}, "structure.contact", "no channel"),
    "global migration": (DEMES | {"parents": "global"}, "structure", "migration goes with"),
    "an unknown kind": (DEMES | {"kind": "deems"}, "structure.kind", "'deems' is not allowed"),
    "an unknown key": (DEMES | {"migraton": 0.1}, "structure.migraton", "unknown key"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    structure, key, says = BAD[name]
    agents = 60 if name == "no square" else 64
    with pytest.raises(UserError, match=says) as caught:
        made(structure, agents)
    assert caught.value.key == key


def test_generations_that_overlap_have_no_places():
    with pytest.raises(UserError, match="a place for each agent"):
        Scenario.from_dict(tables(DEMES, "moran"))


def test_prestige_is_seen_from_anywhere():
    with pytest.raises(UserError, match="wherever it stands") as caught:
        Scenario.from_dict(tables(RING, **KNOWS | {"channel": {"choice": "prestige"}}))
    assert caught.value.key == "structure.models"


def test_networks_without_networkx_are_a_user_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(UserError, match="networks need networkx"):
        made(RING)
