"""Learned values as knowledge: rows handed on, lives that go on from them, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_case import data, engine, history
from reference import uniform, words

import evosim
from evosim.errors import UserError
from evosim.kernels import philox
from evosim.scenario import Scenario

MIND = {"kind": "model-free", "learning_rate": 0.2, "temperature": 0.3, "optimism": 0.3}
SIZE = {"agents": 40, "replicates": 3, "generations": 6}


def tables(channel=None, mind=MIND, **changes):
    made = data("chain", "q", selection="neutral", population=SIZE) | {
        "mind": mind, "genome": {"neutral": {"mutation": 0.1}}, "knowledge": {"pool": "values"},
    } | changes  # fmt: skip
    return made if channel is None else made | {"channel": channel}


def lived(made, generations):
    """An engine after so many generations, and the last one's lives."""
    grown = engine(made, range(3))
    for _ in range(generations):
        lives = grown.step()
    return grown, lives


def test_a_closed_channel_and_none_are_lives_without_knowledge():
    without = {k: v for k, v in tables().items() if k != "knowledge"}
    plain = history(without, range(3))
    assert history(tables(), range(3)) == plain
    assert history(tables({"copying": 0.0}), range(3)) == plain
    assert history(tables({}), range(3)) != plain


def test_rows_and_errors_against_plain_python():
    """What is received, row by row, from the first model of which it arrives."""
    channel = {"fidelity": 0.6, "models": 2, "noise": 0.3}
    grown, _ = lived(tables(channel), 2)
    culture, shown = grown.culture, grown.culture.shown.view(float).copy()
    grown.transmission(grown.birth())
    table, rows = culture.table, culture.table.shape[2] // 2
    received = 0
    for r in range(3):
        for j in range(0, 40, 7):
            key, g = grown.keys[r], grown.generation
            models = [words(key, g, j, philox.MODEL, k)[0] * 40 >> 32 for k in range(2)]
            for z in range(rows):
                arrives = [uniform(key, g, j, philox.FIDELITY, k * rows + z) < 0.6 for k in (0, 1)]
                if not any(arrives):
                    assert table[r, j, 2 * z : 2 * z + 2].tolist() == [0.3, 0.3]
                    continue
                received += 1
                for v in (2 * z, 2 * z + 1):
                    a, b, c, d = words(key, g, j, philox.FIDELITY, (1 << 30) + v)
                    u, angle = ((a << 32 | b) >> 11) / 2**53, ((c << 32 | d) >> 11) / 2**53
                    error = math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * angle)
                    seen = shown[r, models[arrives.index(True)], v]
                    assert table[r, j, v] == pytest.approx(seen + 0.3 * error, rel=1e-12)
    assert 0.7 < received / (3 * 6 * rows) < 0.95


@pytest.mark.parametrize("rule", ["q", "sarsa", "actor-critic"])
def test_what_is_copied_without_loss_is_where_the_model_died(rule):
    grown, lives = lived(tables({"path": "vertical"}, MIND | {"rule": rule}), 3)
    culture, died = grown.culture, lives.learned.copy()
    parent = culture.parent.copy()
    after = grown.step()
    for r in range(3):
        assert np.array_equal(after.born[r], died[r][parent[r]])
    assert not np.array_equal(after.born, after.learned)


def test_assays_at_birth_see_what_was_received():
    """Agents are born alike, and differ where they begin with what others lived through."""
    assay = {"name": "on", "context": "rich", "measure": {"action": "forward", "state": "2"}}

    def spread(channel):
        made = tables(channel, assay=[assay], record={"every": 1})
        found = evosim.run(Scenario.from_dict(made), threads=1).assays
        return found.pivot(index="generation", columns="replicate", values="sd")

    naive, heirs = spread({"copying": 0.0}), spread({})
    assert (naive == 0).all(axis=None)
    assert (heirs.loc[0] == 0).all()
    assert (heirs.loc[1:] > 0.01).all(axis=None)


def test_information_is_what_the_tables_decide():
    grown, lives = lived(tables({}), 4)
    values = grown.culture.information

    def decided(prob):
        p = prob.reshape(3, 40, -1, 2)
        return (1 + (p * np.log2(p)).sum(axis=3)).sum(axis=2)

    assert values[..., :2].sum(axis=2) == pytest.approx(decided(lives.born), abs=1e-12)
    assert values.sum(axis=2) == pytest.approx(decided(lives.learned), abs=1e-12)
    assert values[..., 1].mean() > values[..., 2].mean() > 0


def test_threads_replicates_and_restored_states_give_the_same_bits():
    made = tables({"models": 2, "fidelity": 0.7, "noise": 0.1, "choice": "payoff"})
    together = history(made, range(3))
    assert history(made, range(3), threads=3) == together
    assert history(made, [1])[1] == together[1]
    whole, first, second = (engine(made, range(3)) for _ in range(3))
    first.step()
    second.restore(first.state())
    second.step()
    whole.step()
    whole.step()
    assert np.array_equal(whole.culture.shown, second.culture.shown)


BAD = {
    "another mind": (tables(mind={"kind": "reflex"}), "knowledge.pool", "only a model-free mind"),
    "items": (tables() | {"knowledge": {"pool": "values", "items": 9}}, "knowledge", "items goes"),
    "learning": (
        tables() | {"knowledge": {"pool": "values", "learning": 2.0}}, "knowledge.learning",
        "not with learned values",
    ),
    "most of them": (tables({"choice": "conformist"}), "channel.choice", "no items"),
    "room": (tables({"capacity": 3}), "channel.capacity", "not counted"),
    "trial": (
        tables() | {"trial": [{"name": "alone", "context": "rich", "region": "end"}]}, "trial.0",
        "what was received",
    ),
    "critical": (tables({"critical": 0.5}), "channel.critical", "not with learned values"),
    "noise of items": (
        tables({"noise": 0.1}) | {"knowledge": {"pool": "finite", "items": 9}}, "channel.noise",
        "no error",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    made, key, says = BAD[name]
    with pytest.raises(UserError, match=says) as caught:
        Scenario.from_dict(made)
    assert caught.value.key == key


def test_transmission_of_decisions_is_split_by_where_they_come_from():
    """Genetic, received and learned terms add up to that of all, in every generation."""
    made = tables({"fidelity": 0.8}, genome={"policy": {"mutation": 0.3}, "neutral": {}})
    ledger = evosim.run(Scenario.from_dict(made | {"record": {"every": 1}}), threads=1).ledger
    rows = ledger[ledger["kind"] == "information"]
    keys = ["replicate", "generation"]
    wide = rows.pivot_table(index=keys, columns="quantity", values="transmission")
    parts = [f"information.{name}" for name in ("genetic", "received", "learned")]
    np.testing.assert_allclose(wide[parts].sum(axis=1), wide["information.all"], atol=1e-12)
    assert (wide[parts].abs().max() > 0.01).all()
