"""Knowledge where generations overlap: survivors keep theirs, newborns learn, chains exact."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import test_culture
import test_culture_values
from engine_case import engine
from reference_culture import imitated, items_of, received
from test_edges import OPEN, parameters

import evosim
from evosim.edges import learned_from
from evosim.oracles import moran_fixation
from evosim.scenario import Scenario

Z = 4
MORAN = {"kind": "moran", "fitness": {"exponential": 1.0}}
NEUTRAL = {"kind": "moran", "fitness": {"neutral": True}}


def tables(knowledge=OPEN, channel=None, selection=MORAN, **changes):
    changes = {"genome": {"neutral": {}}} | changes
    return test_culture.tables(
        knowledge=knowledge, channel=channel or {}, selection=selection, **changes
    )


COPY = {"fidelity": 0.7, "models": 2, "choice": "payoff"}
CASES = {
    "masked": test_culture.tables(selection=MORAN),
    "open": tables(OPEN | {"payoff": 0.05}, COPY),
    "peers": tables(channel={"fidelity": 0.6, "peers": 1, "critical": 0.4, "copying": 0.6}),
    "parents": tables(channel={"path": "vertical", "fidelity": 0.8, "time": 0.01}),
}


@pytest.mark.parametrize("name", CASES)
def test_survivors_keep_and_newborns_receive_as_in_plain_python(name):
    grown, kept = engine(CASES[name], range(2)), []
    grown.keep_pedigree = lambda generation, pedigree: kept.append(pedigree)
    for _ in range(3):
        grown.step()
    culture, genes = grown.culture, grown.birth()
    past, copied = culture.past.copy(), culture.copied.copy()
    grown.transmission(genes)
    first, stayed = parameters(grown, genes, False), kept[-1].births == 0
    assert 0.2 < stayed.mean() < 0.55  # (1 - 1/N)^N of a generation
    assert np.array_equal(culture.stayed, stayed)
    for r in range(2):
        for j in range(0, 64, 3):
            known = items_of(culture.known[r, j])
            if stayed[r, j]:
                assert known == items_of(culture.shown[r, j])
                assert culture.parent[r, j] == j
                if culture.share.size:
                    assert culture.share[r, j] == (0.4 if name == "peers" and copied[r, j] else 1)
            elif name == "peers":
                assert known == received(parameters(grown, genes, True), r, j)
            else:
                assert known == received(first, r, j)
    rows = pd.DataFrame(learned_from(grown, genes, 10**6))
    grown.life(genes)
    values = culture.information
    taken = np.zeros((2, 64))
    np.add.at(taken, (rows["replicate"], rows["learner"]), rows["taken"])
    assert not taken[stayed].any()
    assert taken[~stayed] == pytest.approx(values[..., 1][~stayed], rel=1e-6)
    assert np.array_equal(values[..., 1][stayed], past[..., 1][stayed])
    assert (values[..., 2] >= past[..., 2])[stayed].all()
    own = culture.known.copy()
    if culture.code.masked:
        own[..., : culture.innate.shape[2]] &= ~culture.innate
    assert np.array_equal(values[..., 1:].sum(axis=2), np.bitwise_count(own).sum(axis=2))


def test_skills_and_learned_values_of_survivors():
    skill = {"pool": "skill", "learning": 1.0}
    grown = engine(tables(skill, {"models": 3, "loss": 0.5, "spread": 0.4}), range(2))
    for _ in range(3):
        grown.step()
    culture, genes = grown.culture, grown.birth()
    past = culture.past.copy()
    grown.transmission(genes)
    p = parameters(grown, genes, False) | {"capacity": culture.code.channel.limit}
    p["skill"] = culture.shown.view(float)[..., 0]
    known = culture.known.view(float)[..., 0].copy()
    grown.life(genes)
    for j in range(0, 64, 3):
        one = culture.stayed[1, j]
        expected = past[1, j].sum() if one else imitated(p, 1, j)
        assert known[1, j] == pytest.approx(expected, rel=1e-12)
        learned = past[1, j, 2] + 1.0 if one else 1.0
        assert culture.information[1, j, 1:] == pytest.approx([expected + 1 - learned, learned])
    made = test_culture_values.tables({"fidelity": 0.6}, selection=NEUTRAL)
    for changes in (made, made | {"channel": {"copying": 0.0}}):
        grown = engine(changes, range(3))
        for _ in range(3):
            lives = grown.step()
        culture, died = grown.culture, lives.learned.copy()
        past, stayed = culture.past.copy(), culture.stayed.copy()
        after = grown.step()
        same = (after.born == died).all(axis=2)
        assert same[stayed].all()
        assert same[~stayed].mean() < 0.6
        assert np.array_equal(culture.past[..., 1][stayed], past[..., 1][stayed])


def test_who_survives_pays_once():
    cost = {"learning_cost": 0.01}
    grown = engine(tables(OPEN | cost, {"fidelity": 0.9, "cost": 0.02}, selection=NEUTRAL))
    for _ in range(3):
        grown.step()
    culture = grown.culture
    past, stayed = culture.past.copy(), culture.stayed.copy()
    lives = grown.step()
    new = culture.past[..., 1:] - np.where(stayed[..., None], past[..., 1:], 0.0)
    assert new.min() == 0
    assert lives.payoff - lives.criterion == pytest.approx(new @ [0.02, 0.01], abs=1e-12)
    assert new[stayed][..., 1].max() > 0 == new[stayed][..., 0].max()


def one_item(selection, fidelity=1.0, agents=10, replicates=400, generations=50):
    """Shares that know the only item, (R, G): half of the founders find it, nobody later."""
    made = tables(
        {"pool": "finite", "items": 1, "learning": 0.5, "payoff": 1.0},
        {"path": "vertical", "fidelity": fidelity}, selection,
        intervention=[{"at": 1, "set": {"knowledge.learning": 0.0}}],
        population={"agents": agents, "replicates": replicates, "generations": generations},
    )  # fmt: skip
    rows = evosim.run(Scenario.from_dict(made), threads=1).trajectory
    return rows.pivot_table(index="replicate", columns="generation", values="information.death")


@pytest.mark.parametrize("advantage", [0.0, 0.15])
def test_an_item_that_parents_pass_on_without_loss_is_fixed_like_a_gene(advantage):
    share = one_item(MORAN | {"fitness": {"exponential": advantage}}).to_numpy(float)
    last = share[:, -1]
    assert np.isin(last, (0, 1)).all()
    counts = np.round(10 * share[:, 0]).astype(int)
    chance = [moran_fixation(10, np.exp(advantage), n) if 0 < n < 10 else n / 10 for n in counts]
    chance = np.array(chance)
    assert abs((last - chance).sum()) < Z * np.sqrt((chance * (1 - chance)).sum())
    if not advantage:
        # Each event takes 2/N^2 of the variance.
        left, start = (x * (1 - x) for x in (share[:, 10], share[:, 0]))
        gap = left - start * (1 - 2 / 100) ** 100
        assert abs(gap.mean()) < Z * gap.std() / np.sqrt(400)
    else:
        assert chance.sum() > share[:, 0].sum() + 48


def test_an_item_is_lost_at_births_alone():
    share = one_item(NEUTRAL, fidelity=0.8, agents=40, replicates=200, generations=12)
    stays = (1 - 1 / 40) ** 40
    factor = stays + (1 - stays) * 0.8
    for t in (1, 4, 12):
        gap = share[t] - share[0] * factor**t
        assert abs(gap.mean()) < Z * gap.std() / np.sqrt(200)
    assert share[12].mean() < 0.3 < 0.45 < share[0].mean()


@pytest.mark.parametrize("name", ["peers", "parents"])
def test_a_restored_state_goes_on_bit_for_bit(name, monkeypatch):
    monkeypatch.setattr("evosim.engine.SMALL", 0)
    whole, first, second = (engine(CASES[name]) for _ in range(3))
    alone = engine(CASES[name], [2], threads=2)
    for _ in range(3):
        first.step()
    second.restore(first.state())
    for _ in range(5):
        whole.step()
        alone.step()
    for _ in range(2):
        second.step()
    one, two = whole.state(), second.state()
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert np.array_equal(whole.culture.shown[2], alone.culture.shown[0])
    assert np.array_equal(whole.culture.past[2], alone.culture.past[0])


def test_a_replayed_pedigree_says_who_survived():
    made = CASES["open"] | {"arm": [
        {"name": "again", "set": {"selection": {"kind": "replay", "of": "base"}}}]}  # fmt: skip
    rows = evosim.run(Scenario.from_dict(made), threads=1).trajectory
    one, two = (rows[rows["arm"] == arm].drop(columns="arm") for arm in ("base", "again"))
    same = [c for c in one if c.startswith("information")]
    pd.testing.assert_frame_equal(
        one[same].reset_index(drop=True), two[same].reset_index(drop=True), check_exact=True
    )
