"""Knowledge and channel in a run: information counted, nothing else moved, states complete."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from engine_case import GENOME, WORLDS, data, engine

import evosim
from evosim.culture import QUANTITIES
from evosim.errors import UserError
from evosim.scenario import Scenario

FLAT = {"kind": "landscape", "shape": "flat"}
INNATE = {"kind": "bits", "loci": 90, "initial": {"probability": 0.3}, "mutation": 0.01}
KNOWLEDGE = {
    "pool": "finite", "items": 100, "learning": 4.0, "gene": "innate", "innate": "masked",
    "payoff": 0.05, "learning_cost": 0.01,
}  # fmt: skip
CHANNEL = {"fidelity": 0.8, "models": 2, "capacity": 30, "choice": "payoff"}


def tables(**changes):
    return data("traits") | {
        "world": FLAT, "genome": {"innate": INNATE, "neutral": {"mutation": 0.1}},
        "knowledge": KNOWLEDGE, "channel": CHANNEL, "record": {"every": 1},
    } | changes  # fmt: skip


def run(made, **how):
    return evosim.run(Scenario.from_dict(made), threads=1, **how)


@pytest.mark.parametrize("world", ["bandit", "chain", "traits"])
def test_knowledge_beside_a_world_changes_no_draw_of_it(world):
    genome = WORLDS[world].get("genome", GENOME)
    made = data(world, selection="neutral", genome=genome | {"innate": INNATE})
    without = data(world, selection="neutral", genome=genome)
    known = {k: v for k, v in KNOWLEDGE.items() if k != "payoff"}
    # The gene of innate items is one more gene, so its name is neutral in the plain run.
    plainly = run(without | {"genome": genome | {"neutral bits": INNATE}})
    other = run(made | {"knowledge": known, "channel": CHANNEL})
    for name in ("trajectory", "contexts"):
        one, two = plainly.table(name), other.table(name)
        shared = [c for c in one if c in two and c != "criterion"]
        assert {"payoff", "agents"} <= set(shared) or name == "contexts"
        pd.testing.assert_frame_equal(one[shared], two[shared], check_exact=True)
    assert other.trajectory["information.received"].max() > 0


def test_a_closed_channel_is_no_channel_to_the_last_bit():
    none = {k: v for k, v in tables().items() if k != "channel"}
    closed = tables(channel=CHANNEL | {"copying": 0.0})
    nobody = tables(channel=CHANNEL | {"models": 0, "choice": "random"})
    one = run(none)
    for made in (closed, nobody):
        two = run(made)
        for name in ("trajectory", "ledger"):
            pd.testing.assert_frame_equal(one.table(name), two.table(name), check_exact=True)
        assert np.array_equal(one.population["base/bits"], two.population["base/bits"])
    assert (one.trajectory["information.received"] == 0).all()
    assert run(tables()).trajectory["information.received"].max() > 0


def test_information_is_what_agents_know():
    made = engine(tables())
    for _ in range(4):
        lives = made.step()
    culture, count = made.culture, lives.count
    columns = culture.columns(count)
    assert columns["information.received"].max() > 5
    for r in range(2):
        own = culture.innate[r, : count[r]]
        # Knowledge of the generation that lived last: already what the next one is shown.
        items = np.bitwise_count(culture.shown[r, : count[r]])
        all_items = culture.shown[r, : count[r]].copy()
        all_items[:, : own.shape[1]] |= own
        total = np.bitwise_count(all_items).sum(axis=1)
        assert np.array_equal(culture.information[r, : count[r]].sum(axis=1), total)
        assert columns["information.death"][r] == pytest.approx(total.mean(), rel=1e-12)
        assert np.bitwise_count(own).sum(axis=1).mean() == columns["information.genetic"][r]
        assert items.sum() > 0
        assert np.allclose(lives.payoff[r, : count[r]], 0.05 * total)
        received = columns["information.received"]
        assert columns["information.birth"][r] == columns["information.genetic"][r] + received[r]


def test_costs_of_finding_and_receiving():
    made = engine(tables(channel=CHANNEL | {"cost": 0.02}))
    for _ in range(3):
        lives = made.step()
    values = made.culture.information
    charge = 0.01 * values[..., 2] + 0.02 * values[..., 1]
    assert charge.max() > 0.1
    assert np.allclose(lives.criterion, lives.payoff - charge)


def test_transmission_is_split_into_genetic_received_and_learned():
    made, kept = engine(tables(reproduction={"kind": "recombining"})), []
    made.keep_pedigree = lambda generation, pedigree: kept.append(pedigree)
    made.step()
    parents = made.culture.information.copy()
    pedigree = kept[0]
    made.step()
    children, now = made.culture.information, made.culture.now
    for r in range(4):
        mother, father = pedigree.parent[r], pedigree.mate[r]
        each = children[r] - 0.5 * (parents[r][mother] + parents[r][father])
        change = each.mean(axis=0)
        share = pedigree.gametes[r] / pedigree.gametes[r].mean()
        selection = (share[:, None] * parents[r]).mean(axis=0) - parents[r].mean(axis=0)
        np.testing.assert_allclose(now.transmission[r, :3], change, atol=1e-12)
        np.testing.assert_allclose(now.selection[r, :3], selection, atol=1e-12)
        np.testing.assert_allclose(now.transmission[r, 3], change.sum(), atol=1e-12)
        whole = children[r].sum(axis=1).mean() - parents[r].sum(axis=1).mean()
        assert now.selection[r, 3] + now.transmission[r, 3] == pytest.approx(whole, abs=1e-12)


def test_the_ledger_of_a_run_has_the_rows():
    ledger = run(tables()).ledger
    rows = ledger[ledger["kind"] == "information"]
    assert set(rows["quantity"]) == set(QUANTITIES)
    wide = rows.pivot_table(index=["replicate", "generation"], columns="quantity",
                            values="transmission")  # fmt: skip
    parts = wide[list(QUANTITIES[:3])].sum(axis=1)
    np.testing.assert_allclose(wide[QUANTITIES[3]], parts, atol=1e-12)
    change = rows["after"] - rows["before"] - rows["selection"] - rows["transmission"]
    assert abs(change).max() < 1e-9


def test_a_restored_state_goes_on_bit_for_bit():
    other = {
        "knowledge": {"pool": "open", "items": 9000, "learning": 1.0},
        "reproduction": {"kind": "recombining"}, "genome": {"neutral": {}},
    }  # fmt: skip
    for changes in ({}, other):
        whole, first = engine(tables(**changes)), engine(tables(**changes))
        for _ in range(3):
            first.step()
        second = engine(tables(**changes))
        second.restore(first.state())
        for _ in range(6):
            lives = whole.step()
        for _ in range(3):
            again = second.step()
        assert np.array_equal(lives.payoff, again.payoff)
        one, two = whole.state(), second.state()
        assert one.keys() == two.keys()
        assert all(np.array_equal(one[name], two[name]) for name in one)
        assert whole.culture.transmission.any()


def test_a_state_without_knowledge_is_refused():
    plainly = engine({k: v for k, v in tables().items() if k not in ("knowledge", "channel")} | {
        "genome": {"neutral bits": INNATE, "neutral": {"mutation": 0.1}}})  # fmt: skip
    with pytest.raises(UserError, match="has no 'knowledge"):
        engine(tables()).restore(plainly.state())


def test_a_fork_carries_the_knowledge_on(tmp_path):
    run(tables(), out=tmp_path / "run")
    longer = tables()
    longer["population"] |= {"generations": 10}
    forked = evosim.fork(tmp_path / "run", threads=1, generations=5, set={"channel.copying": 0.0})
    mine = forked.trajectory.query("arm == 'unchanged'").drop(columns="arm")
    theirs = run(longer).trajectory.query("generation >= 5").drop(columns="arm")
    pd.testing.assert_frame_equal(
        mine.reset_index(drop=True), theirs.reset_index(drop=True), check_exact=True
    )
    closed = forked.trajectory.query("arm == 'changed'")
    assert (closed["information.received"] == 0).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_replicates_alone_and_threads_give_the_same_knowledge(threads):
    size = {"population": {"agents": 300, "replicates": 4, "generations": 5}}
    for knowledge in (KNOWLEDGE, {"pool": "open", "items": 9000, "learning": 2.0}):
        genome = {"innate": INNATE, "neutral": {}} if "gene" in knowledge else {"neutral": {}}
        made = tables(knowledge=knowledge, genome=genome, **size)
        together, alone = engine(made, range(4), threads), engine(made, [2])
        together._threads = lambda: threads
        for _ in range(4):
            together.step()
            alone.step()
        assert np.array_equal(together.culture.shown[2], alone.culture.shown[0])
        assert np.array_equal(together.culture.information[2], alone.culture.information[0])


def test_the_channel_changes_during_a_run():
    changes = [
        {"at": 3, "set": {"channel.copying": 1.0}},
        {"at": 6, "set": {"channel.capacity": 2, "channel.fidelity": 1.0}},
        {"at": 8, "set": {"knowledge.learning": 0.0}},
        {"at": 9, "set": {"channel.copying": 0.0}},
    ]
    channel = {"copying": 0.0, "fidelity": 0.9, "capacity": 50}
    made = tables(channel=channel, intervention=changes)
    made["population"]["generations"] = 10
    mean = run(made).trajectory.groupby("generation").mean(numeric_only=True)
    received = mean["information.received"]
    assert (received[:3] == 0).all()
    assert (received[3:6] > 1).all()
    assert (received[6:9] <= 2).all()
    assert (received[6:9] > 0).all()
    assert received[9] == 0
    assert mean["information.learned"][7] > 0
    assert (mean["information.learned"][8:] == 0).all()


def test_genes_of_the_channel_stand_in_for_its_numbers():
    genome = {
        "copying": {"initial": {"share": 0.5, "values": [0, 1]}},
        "fidelity": {"initial": {"value": 1.0}},
        "models": {"initial": {"value": 1.0}},
    }
    made = tables(genome=genome, knowledge={"pool": "finite", "items": 100, "learning": 100.0},
                  channel={})  # fmt: skip
    made["selection"] = {"kind": "wright-fisher", "fitness": {"neutral": True}}
    grown = engine(made)
    grown.step()
    genes = grown.population.real[..., 0].copy()
    grown.step()
    assert np.array_equal(grown.culture.information[..., 1], 100 * genes)
    assert 0 < genes.mean() < 1


def test_counts_are_exact_with_one_model():
    size = {"agents": 100, "replicates": 40, "generations": 40}
    means = {}
    for pool in ("open", "counted"):
        room = {"items": 20_000} if pool == "open" else {}
        made = tables(
            knowledge={"pool": pool, "learning": 2.0, **room}, channel={"fidelity": 0.8},
            genome={"neutral": {}}, population=size,
        )  # fmt: skip
        late = run(made).trajectory.query("generation >= 25 and generation % 5 == 0")
        means[pool] = late.groupby("generation")["information.death"].agg(["mean", "sem"])
    gap = means["open"] - means["counted"]
    error = np.hypot(means["open"]["sem"], means["counted"]["sem"])
    assert (abs(gap["mean"]) < 4 * error).all()
    assert abs(means["counted"]["mean"] - 2 / (1 - 0.8)).max() < 0.3


def test_what_nobody_knows_any_more_makes_room_and_a_full_room_is_an_error():
    made = tables(knowledge={"pool": "open", "items": 1500, "learning": 2.0},
                  channel={"fidelity": 0.5}, genome={"neutral": {}})  # fmt: skip
    made["population"] |= {"generations": 40}
    assert run(made).trajectory["information.distinct"].max() < 600
    with pytest.raises(UserError, match="more than 1500 items are known at once") as caught:
        run(made | {"channel": {"fidelity": 1.0, "models": 3}})
    assert caught.value.key == "knowledge.items"


def test_extinct_and_varying_populations():
    made = tables(selection={"kind": "density", "capacity": 3, "fitness": {"exponential": 1.0}})
    made["population"] |= {"agents": 20, "generations": 60, "limit": 200}
    out = run(made)
    gone = out.trajectory["extinct"]
    assert gone.any()
    assert out.trajectory.loc[gone, "information.death"].isna().all()
    assert out.trajectory.loc[~gone, "information.death"].notna().all()


BAD = {
    "channel alone": ({"knowledge": None}, "channel", "nothing to pass on"),
    "no such gene": ({"knowledge": KNOWLEDGE | {"gene": "inate"}}, "knowledge.gene", "inate"),
    "models of a counted pool": (
        {"knowledge": {"pool": "counted", "learning": 1.0}, "genome": {"neutral": {}}},
        "channel.models", "which of them two models share",
    ),
    "a third parent": (
        {"channel": {"path": "vertical", "models": 2}}, "channel.models", "1 parent",
    ),
    "chosen parents": (
        {"channel": {"path": "vertical", "choice": "best"}}, "channel", "not chosen",
    ),
    "a pool without size": (
        {"knowledge": {"pool": "finite"}, "genome": {"neutral": {}}}, "knowledge", "items goes",
    ),
    "too many innate items": (
        {"knowledge": KNOWLEDGE | {"items": 80}}, "genome.innate.loci", "90 innate items",
    ),
    "an unknown key": ({"channel": {"fidelty": 0.5}}, "channel.fidelty", "unknown key"),
    "a pool that grows": (
        {"intervention": [{"at": 2, "set": {"knowledge.items": 200}}]},
        'intervention.0.set."knowledge.items"', "the size of the pool cannot change",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    changes, key, says = BAD[name]
    made = {k: v for k, v in tables(**changes).items() if v is not None}
    if "innate" in made["genome"] and not made.get("knowledge", {}).get("gene"):
        made["genome"] = {"neutral": {}}
    with pytest.raises(UserError, match=says) as caught:
        run(made)
    assert caught.value.key == key
