"""Selection by payoffs that a model predicts: the fit, what it is fitted to, and the loop."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from evosim.criterion import Fit, fit_cells, predict
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.resolve import resolve
from evosim.scenario import Scenario

GROUP = np.array([0, 0, 1, 2])


def drawn_to(above, x, y, prior):
    """Reference: least squares with rows that draw every coefficient to what stands above it."""
    rows = np.concatenate([x, np.sqrt(prior) * np.eye(x.shape[1])])
    right = np.concatenate([y, np.sqrt(prior) * above])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


@pytest.mark.parametrize("prior", [1e-9, 0.5, 20.0])
def test_the_fit_is_least_squares_drawn_to_the_group_and_that_to_the_mean(prior):
    rng = np.random.default_rng(4)
    x = rng.integers(0, 4, (60, 4)).astype(float)
    x[:, 1] = 0.0  # never produced
    y = x @ np.array([1.0, 0.0, 0.5, -1.0]) + rng.normal(size=60)
    total = x.sum(axis=1)
    mean = (y @ total) / (total @ total)
    by_group = np.stack([x[:, g == GROUP].sum(axis=1) for g in range(3)], axis=1)
    group = drawn_to(np.full(3, mean), by_group, y, prior)
    cell = drawn_to(group[GROUP], x, y, prior)
    assert fit_cells(x.T @ x, x.T @ y, GROUP, prior).tolist() == pytest.approx(cell, abs=1e-6)
    assert cell[1] == pytest.approx(group[0], abs=1e-6)


def test_lives_of_one_episode_give_running_means_of_what_was_seen():
    rng = np.random.default_rng(5)
    code = SimpleNamespace(names="abcd", group=GROUP, prior=1e-9, memory=1.0)
    fit = Fit.empty(2, code)
    seen = [[], []]
    for _ in range(3):
        cell = rng.choice([0, 2, 3], (2, 30))
        payoff = rng.normal(size=(2, 30))
        count = np.array([30, 20])
        fit.update(code, np.eye(4)[cell], payoff, count)
        for r in range(2):
            seen[r] += list(zip(cell[r, : count[r]], payoff[r, : count[r]], strict=True))
    for r in range(2):
        mean = {c: np.mean([p for k, p in seen[r] if k == c]) for c in (0, 2, 3)}
        # Cell 1 was never produced: its group has cell 0 only.
        assert fit.value[r].tolist() == pytest.approx([mean[0], mean[0], mean[2], mean[3]])


def test_the_past_weighs_by_memory():
    code = SimpleNamespace(names="a", group=np.zeros(1, int), prior=1e-9, memory=0.25)
    fit = Fit.empty(1, code)
    one = np.ones((1, 8, 1))
    for level in (1.0, 2.0, 4.0):
        fit.update(code, one, np.full((1, 8), level), np.array([8]))
    weights = np.array([0.0625, 0.25, 1.0])
    assert fit.value[0, 0] == pytest.approx(weights @ [1.0, 2.0, 4.0] / weights.sum())


def test_predictions_add_fitted_and_known_worths():
    code = SimpleNamespace(
        known=np.array([-0.5]),
        known_member=np.array([[0.0], [1.0], [0.0]]),
        member=np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
    )
    acts = np.array([[[2, 1, 0], [0, 0, 3]]], np.uint16)
    assert predict(code, np.array([[0.3, 0.7]]), acts).tolist() == [[2 * 0.3 - 0.5, 3 * 0.7]]


WORLD = {
    "kind": "graph", "actions": ["on", "off"], "start": "here", "steps": 3, "episodes": 4,
    "transitions": [
        {"from": "here", "action": "on", "to": "there"},
        {"from": "here", "action": "off", "to": "away", "p": 0.5, "payoff": 1.0},
        {"from": "here", "action": "off", "to": "away", "p": 0.5},
        {"from": "there", "to": "away", "payoff": 0.25},
    ],
}  # fmt: skip
CELLS = [
    {"name": "off", "at": ["here"], "action": "off", "group": "here"},
    {"name": "way", "at": ["here"], "action": "on", "value": -0.1},
    {"name": "on there", "at": ["there"], "action": "on", "group": "there"},
    {"name": "off there", "at": ["there"], "action": "off", "group": "there"},
]


def engine_of(model, fitness=None, threads=1, replicates=(0, 1, 2), **changes):
    """An engine of a small graph world whose selection acts on a model."""
    selection = {"kind": "wright-fisher", "fitness": fitness or {"exponential": 3.0}}
    data = {
        "title": "graph",
        "population": {"agents": 40, "replicates": 3, "generations": 6},
        "world": WORLD,
        "context": [{"name": "a", "frequency": 1.0}],
        "cues": {"place": {"one_hot": "state"}},
        "genome": {"policy": {"initial": {"normal": [0, 1]}, "mutation": 0.2}},
        "selection": selection if model is None else {**selection, "model": model},
        **changes,
    }
    resolved = resolve(Scenario.from_dict(data).model)
    return Engine(resolved, replicate_keys(3, np.array(replicates)), threads)


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


def test_the_criterion_is_what_the_model_predicts_of_each_life():
    engine = engine_of({"cells": CELLS, "memory": 0.5})
    gram, moment = np.zeros((3, 3, 3)), np.zeros((3, 3))
    total = np.zeros((3, 3))
    for _ in range(5):
        lives = engine.step()
        total += lives.produced[..., [1, 2, 3]].sum(axis=1)
        assert np.array_equal(engine.fit.total, total)
        # Acts: here on, here off, there on, there off.
        made = lives.produced[..., [1, 2, 3]].astype(float)
        assert (lives.produced[..., :2].sum(axis=2) == 4).all()
        for r in range(3):
            gram[r] = gram[r] / 2 + made[r].T @ made[r]
            moment[r] = moment[r] / 2 + made[r].T @ lives.payoff[r]
            value = np.linalg.solve(gram[r], moment[r])
            assert engine.fit.value[r].tolist() == pytest.approx(value, abs=1e-6)
            want = (made[r] @ value - 0.1 * lives.produced[r, :, 0]) / 4
            assert lives.criterion[r].tolist() == pytest.approx(want, abs=1e-6)
    assert engine.ledger.worst < 1e-10


def test_the_model_moves_nothing_but_selection():
    """The ledger's acts are counted as without a model; so is all else where nobody selects."""
    plain = engine_of(None, {"neutral": True})
    fitted = engine_of({"cells": CELLS}, {"neutral": True})
    for _ in range(4):
        one, other = plain.step(), fitted.step()
        assert np.array_equal(one.acts, other.acts)
        assert np.array_equal(one.payoff, other.payoff)
        assert not np.array_equal(one.criterion, other.criterion)
    kept = {k: v for k, v in fitted.state().items() if not k.startswith("model.")}
    assert same(plain.state(), kept)


@pytest.mark.parametrize("audit", [0, 30])
def test_bits_depend_neither_on_threads_nor_on_company_nor_on_interruption(audit, monkeypatch):
    monkeypatch.setattr("evosim.engine.SMALL", 0)
    model = {"cells": CELLS, "audit": audit}
    whole, threaded = engine_of(model), engine_of(model, threads=2)
    alone, begun = engine_of(model, replicates=(1,)), engine_of(model)
    for _ in range(4):
        for engine in (whole, threaded, alone):
            engine.step()
    for _ in range(2):
        begun.step()
    resumed = engine_of(model)
    resumed.restore(begun.state())
    for _ in range(2):
        resumed.step()
    assert same(whole.state(), threaded.state())
    assert same(whole.state(), resumed.state())
    assert np.array_equal(whole.fit.value[1], alone.fit.value[0])
    assert np.array_equal(whole.population.real[1], alone.population.real[0])


def test_an_audit_is_of_choices_at_random():
    never_off = {"policy": {"initial": {"value": [9.0, 0.0]}}}
    for audit, known in ((0, False), (400, True)):
        engine = engine_of({"cells": CELLS, "audit": audit}, genome=never_off)
        lives = engine.step()
        assert (lives.produced[..., 1] > 0).mean() < 0.01
        assert (np.abs(engine.fit.value[:, 0] - 0.5) < 0.1).all() == known
        assert engine.fit.gram.any()


def test_an_audit_leaves_what_agents_learned_to_the_ledger():
    rewarded = [{**step, "reward": 1.0} for step in WORLD["transitions"][1:]]
    changes = {
        "mind": {"learning": "reinforce", "learning_rate": 0.5},
        "world": {**WORLD, "transitions": [WORLD["transitions"][0], *rewarded]},
    }
    plain, audited = (
        engine_of(model, {"neutral": True}, **changes)
        for model in (None, {"cells": CELLS, "audit": 25})
    )
    for _ in range(3):
        plain.step()
        audited.step()
    assert plain.ledger.learning.any()
    assert np.array_equal(plain.ledger.learning, audited.ledger.learning)
    assert np.array_equal(plain.ledger.learned_now, audited.ledger.learned_now)


def test_an_audit_is_of_choices_at_random_at_any_temperature():
    cold = {"temperature": {"scale": "log", "initial": {"value": -3.0}}}
    engine = engine_of({"cells": CELLS, "audit": 400}, genome={"policy": {}, **cold})
    engine.step()
    # Lives of four even choices: the square of how often "off" was chosen has mean 5 and variance
    # 17.5, so that four standard errors over 400 lives are 0.84.
    assert (np.abs(engine.fit.gram[:, 0, 0] / 400 - 5.0) < 0.84).all()


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ({"cells": [{"name": "a", "at": ["hare"]}]}, {}, "no state 'hare'.*here"),
        ({"cells": [{"name": "a", "at": ["here"], "action": "up"}]}, {}, "no action 'up'"),
        (
            {"cells": [{"name": "a", "at": ["here"]}, CELLS[0]]}, {},
            "acts that are in another cell too",
        ),
        ({"cells": [CELLS[1]]}, {}, "nothing is to be fitted"),
        ({"cells": [CELLS[0], CELLS[0]]}, {}, "two cells are called 'off'"),
        ({"cells": [CELLS[0] | {"value": 1.0}]}, {}, "leave out group or value"),
        (
            {"cells": CELLS, "audit": 5},
            {"mind": {"kind": "model-free"}, "genome": {"temperature": {"scale": "log"}}},
            "choices at random",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(model, changes, message):
    with pytest.raises(UserError, match=message) as error:
        engine_of(model, **changes)
    assert "\n" not in str(error.value)
