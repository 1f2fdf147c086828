"""The predictors in the two-gene coin world: reference values, learners, other minds, phases."""

from __future__ import annotations

import numpy as np
import pytest

from evosim.assays import probabilities
from evosim.predict import PREDICTORS
from evosim.scenario import Scenario
from evosim.simulate import simulate
from tests.predict_case import coin, run

OMNI, INFORMED, LEDGER, FLOOR, CEIL = range(5)
TRAINING, NOVEL = 0, 1
RUNS = 24
#: The reference means are over ten runs of an independent program.
REFERENCE_RUNS = 10


def assert_near(values, reference, rounding=0.0005):
    """Within four standard errors of the difference of the two means."""
    error = values.std(ddof=1) * np.sqrt(1 / REFERENCE_RUNS + 1 / len(values))
    assert abs(values.mean() - reference) < 4 * error + rounding, (values.mean(), error)


def left(prediction, predictor):
    return prediction.probability[:, 0, predictor, 0]


@pytest.fixture(scope="module")
def early():
    return run(coin(), (60,), RUNS)


def test_reference_after_60_generations(early):
    found = early[1][60]
    assert_near(left(found, CEIL), 0.247)
    assert_near(left(found, LEDGER), 0.219)
    assert_near(left(found, OMNI), 0.954)
    assert_near(found.score[:, NOVEL, LEDGER], -0.554)
    assert_near(found.score[:, NOVEL, OMNI], -2.373)


def test_ledger_is_the_selection_on_both_loci(early):
    engine, found = early
    names = engine.ledger.names
    bias, side = (
        engine.ledger.selection[:, names.index(f"policy[{cue}]")] for cue in ("bias", "coin")
    )
    # One logit, that of the first action; the coin cue reads -1.
    want = 1.0 / (1.0 + np.exp(-(bias - side)))
    np.testing.assert_allclose(left(found[60], LEDGER), want, atol=1e-4)


def test_informed_flips_a_coin_where_nothing_was_met(early):
    found = early[1][60]
    assert (left(found, INFORMED) == 0.5).all()
    np.testing.assert_allclose(found.score[:, NOVEL, INFORMED], np.log(0.5))


def test_accuracy_is_that_of_the_visible_right_coin(early):
    engine, found = early
    world = engine.resolved.world
    percept = np.flatnonzero((world.percept_cue == [1, 1]).all(axis=1))
    prob = probabilities(engine.resolved, engine.population.real, percept)
    np.testing.assert_allclose(left(found[60], OMNI), prob[:, :, 1, 0].mean(axis=1), atol=1e-6)


def test_ties_and_bounds_in_training(early):
    score = early[1][60].score[:, TRAINING]
    assert (np.abs(score[:, LEDGER] - score[:, OMNI]) < 0.1).all()
    assert (score[:, CEIL, None] >= score - 1e-12).all()


@pytest.mark.validate
def test_reference_after_600_generations():
    found = run(coin(), (600,), RUNS)[1][600]
    assert_near(left(found, CEIL), 0.026)
    assert_near(left(found, LEDGER), 0.012)
    assert_near(found.score[:, NOVEL, LEDGER], -0.112)
    assert_near(found.score[:, NOVEL, OMNI], -6.10)


@pytest.mark.validate
def test_reference_of_a_coin_that_is_always_visible():
    found = run(coin(**{"cues.coin.visible": 1}), (600,), RUNS)[1][600]
    assert_near(left(found, CEIL), 0.487)
    assert_near(left(found, OMNI), 0.999)
    assert_near(found.score[:, NOVEL, OMNI], -3.43)
    np.testing.assert_allclose(left(found, LEDGER), 0.5, atol=1e-9)
    np.testing.assert_allclose(found.score[:, NOVEL, LEDGER], -0.693, atol=5e-4)


def test_orthogonal_percept_with_drift_is_no_better_than_a_coin_flip():
    case = coin(**{"cues.coin.visible": 1, "predict.drift": True})
    found = run(case, (60,), 8)[1][60]
    np.testing.assert_allclose(left(found, LEDGER), 0.5, atol=1e-9)
    assert left(found, CEIL).std() > 0.05  # what they do is anything but one coin flip


def test_drift_draws_predictions_towards_a_coin_flip_only_where_training_leaves_room():
    # Hidden and visible right coins are met: bias and coin side are both known, nothing is open.
    sure, open_ = (
        run(coin(**{"predict.drift": drift, "population.agents": 60}), (20,), 4)[1][20]
        for drift in (False, True)
    )
    np.testing.assert_allclose(left(sure, LEDGER), left(open_, LEDGER), atol=1e-4)
    # With the coin always visible and brighter on the left, part of its logit is open.
    changes = {
        "cues.coin.visible": 1,
        "population.agents": 60,
        "context.coin left.cues": {"coin": 3},
    }
    sure, open_ = (
        run(coin(**changes, **{"predict.drift": drift}), (20,), 4)[1][20] for drift in (False, True)
    )
    away = np.abs(left(sure, LEDGER) - 0.5) - np.abs(left(open_, LEDGER) - 0.5)
    assert (away > 1e-4).all()


def test_informed_knows_a_rare_percept_of_training():
    found = run(coin(**{"context.coin left.frequency": 0.05}), (30,), 6)[1][30]
    np.testing.assert_allclose(left(found, INFORMED), left(found, OMNI), atol=1e-9)
    # Where the coin is hidden it only knows that the right pays in 95 of 100 levels.
    assert (found.score[:, TRAINING, INFORMED] > found.score[:, TRAINING, OMNI]).all()


def test_founders_expectation_is_part_of_the_prediction():
    case = coin(**{"genome.policy.initial": {"value": [0.3, -0.8]}})
    engine, found = run(case, (0,), 2)
    assert engine.resolved.layout.slot("policy").labels == ("policy[bias]", "policy[coin]")
    np.testing.assert_allclose(left(found[0], LEDGER), 1 / (1 + np.exp(-1.1)), atol=1e-6)
    np.testing.assert_allclose(left(found[0], LEDGER), left(found[0], CEIL), atol=1e-6)


def test_temperature_divides_what_is_predicted():
    case = coin(**{"genome.policy.initial": {"value": [0.3, -0.8]}, "mind.temperature": 0.25})
    found = run(case, (0,), 2)[1][0]
    np.testing.assert_allclose(left(found, LEDGER), 1 / (1 + np.exp(-4.4)), atol=1e-6)
    genome = {
        "policy": {"initial": {"value": [0.3, -0.8]}},
        "temperature": {"initial": {"value": float(np.log(0.25))}, "scale": "log"},
    }
    found = run(coin(genome=genome), (0,), 2)[1][0]
    np.testing.assert_allclose(left(found, LEDGER), 1 / (1 + np.exp(-4.4)), atol=1e-5)


def test_three_actions():
    case = coin(
        **{
            "world.actions": ["left", "right", "stay"],
            "population.agents": 100,
            "predict.drift": True,
        }
    )
    found = run(case, (40,), 6)[1][40]
    assert found.probability.shape == (6, 1, len(PREDICTORS), 3)
    np.testing.assert_allclose(found.probability.sum(axis=3), 1.0)
    gap = np.abs(found.probability[:, 0, LEDGER] - found.probability[:, 0, CEIL])
    assert gap.mean() < 0.06


# --- learners -----------------------------------------------------------------------------------


def learners(rule: str) -> Scenario:
    contexts = [
        {
            "name": f"coin {side}",
            "frequency": float(side == "right"),
            "payoff": {side: 1},
            "reward": {side: 1},
            "cues": {"coin": 1 if side == "right" else -1},
        }
        for side in ("right", "left")
    ]
    assays = [
        {"name": when, "context": "coin left", "when": when, "measure": {"first_action": "left"}}
        for when in ("birth", "death")
    ]
    return coin(
        context=contexts,
        assay=assays,
        predict={"assays": ["birth", "death"], "drift": False},
        mind={"learning": rule, "learning_rate": 0.3},
        population={"agents": 100, "replicates": 4, "generations": 20},
    )


def test_what_a_life_teaches_carries_over_by_cues():
    _, found = run(learners("reinforce"), (0, 20))
    birth, death = found[0].probability[:, :, :, 0].transpose(1, 0, 2)
    np.testing.assert_allclose(birth[:, LEDGER], 0.5, atol=1e-6)
    # Rewarded for going right, nobody selected yet: the ledger of learning says how much.
    assert (death[:, CEIL] < 0.4).all()
    np.testing.assert_allclose(death[:, LEDGER], death[:, CEIL], atol=0.02)
    birth, death = found[20].probability[:, :, :, 0].transpose(1, 0, 2)
    assert (death[:, LEDGER] < birth[:, LEDGER]).all()
    np.testing.assert_allclose(death[:, LEDGER], death[:, CEIL], atol=0.06)
    np.testing.assert_allclose(birth[:, LEDGER], birth[:, CEIL], atol=0.06)


def test_a_table_by_percept_teaches_nothing_of_other_percepts():
    _, found = run(learners("cross"), (0,))
    birth, death = found[0].probability[:, :, :, 0].transpose(1, 0, 2)
    np.testing.assert_allclose(death[:, LEDGER], 0.5, atol=1e-6)
    np.testing.assert_allclose(death[:, CEIL], birth[:, CEIL], atol=1e-6)
    # At the percepts of training what was learned counts in full.
    score = found[0].score[:, TRAINING]
    assert (score[:, CEIL] > -0.55).all()
    assert (score[:, CEIL] - score[:, LEDGER] < 0.01).all()


# --- other minds, phases -------------------------------------------------------------------------


def test_an_mlp_is_predicted_exactly_where_trained_and_roughly_elsewhere():
    case = coin(
        **{
            "mind": {"policy": "mlp", "hidden": 4},
            "genome.policy.initial": {"normal": [0, 1]},
            "population.agents": 150,
        }
    )
    found = run(case, (60,), 12)[1][60]
    training = found.score[:, TRAINING]
    assert (training[:, CEIL] - training[:, LEDGER] < 0.05).all()
    error = np.abs(left(found, LEDGER) - left(found, CEIL)).mean()
    assert error < 0.2
    assert (found.score[:, NOVEL, LEDGER] > found.score[:, NOVEL, OMNI]).all()


def test_a_later_phase_does_not_pass_for_training():
    data = {
        "population": {"agents": 40, "replicates": 2, "generations": 25},
        "phase": [{"name": "moved", "start": 20, "frequencies": {"coin left": 1.0}}],
        "ledger": {"percepts": 8},
        "claim": [
            {"says": "x", "measure": "score.LEDGER", "above": -9, "at": {"generation": g}}
            for g in (20, 25)
        ],
    }
    table = simulate(coin(**data), threads=1).tables["predictions"]
    rows = table[(table["predictor"] == "OBJ-informed") & (table["action"] == "left")]
    values = {g: part["probability"].to_numpy() for g, part in rows.groupby("generation")}
    assert (values[20] == 0.5).all()  # left coins begin to count, none has been met
    assert (values[25] != 0.5).all()
