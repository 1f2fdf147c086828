"""The predictors asked about a run that is over; whole contexts; minds that are no sum of loci."""

from __future__ import annotations

import re

import numpy as np
import pytest

import evosim
from evosim.api import run as run_scenario
from evosim.errors import UserError
from evosim.foresight import TIE, Foresight, approximation
from tests import cli_case
from tests.predict_case import LEFT, coin, run
from tests.test_predict_coin import LEDGER, NOVEL, OMNI, TRAINING, learners, left

SMALL = {"population.agents": 30, "population.replicates": 3, "population.generations": 6}


def scores_of(table, **where):
    for column, value in where.items():
        table = table[(table[column] == value).to_numpy()]
    return table["score"].to_numpy(np.float64)


def planners(**changes):
    """Agents that inherit how much a plan counts, from nothing, and are told what pays."""
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
    return coin(
        context=contexts,
        mind={"kind": "lookahead", "depth": 1},
        genome={"plan_weight": {"initial": {"value": 0}, "mutation": 0.2}},
        **{"population.agents": 60, **changes},
    )


def test_a_run_asked_again_says_what_it_said():
    found = run_scenario(coin(**SMALL, **{"predict.drift": True}), threads=1)
    again = found.predict()
    recorded = found.predictions.reset_index(drop=True)
    assert again.predictions.equals(recorded)
    for where, split in (("training", "training"), (LEFT, "novel")):
        one = scores_of(again.scores, where=where)
        assert one.tobytes() == scores_of(found.scores, split=split).tobytes()


def test_a_run_with_interventions_is_asked_under_the_last_parameters():
    changes = {
        "intervention": [{"at": 3, "set": {"mind.temperature": 0.25}}],
    }
    found = run_scenario(coin(**SMALL, **changes), threads=1)
    assert found.predict().predictions.equals(found.predictions.reset_index(drop=True))


def test_whole_episodes_of_one_decision_are_that_decision():
    # In a bandit an episode is its first action.
    whole = {"name": "all", "context": "coin left", "measure": {"payoff": True}}
    first = {"name": LEFT, "context": "coin left", "measure": {"first_action": "left"}}
    found = run_scenario(coin(**SMALL, assay=[first, whole]), threads=1)
    asked = found.predict([LEFT, "all"])
    assert scores_of(asked.scores, where="all").tolist() == pytest.approx(
        scores_of(asked.scores, where=LEFT), abs=1e-12
    )


def test_whole_episodes_weigh_by_how_often_each_decision_is_taken():
    # Two steps along 0-1-2, back at 0 stays: 0 is met once and a half, 1 half the time.
    case = coin(
        world={"kind": "chain", "length": 3, "steps": 2},
        context=[{"name": "near", "frequency": 1.0}, {"name": "far"}],
        cues={"bias": 1, "place": {"one_hot": "state"}},
        assay=[{"name": "whole", "context": "far", "measure": {"payoff": True}}],
        **{"predict.assays": ["whole"]},
    )
    _, found = run(case, (0,), 2)
    np.testing.assert_allclose(found[0].weight, np.tile([0.75, 0.25], (2, 1)))


def test_without_predict_all_assays_and_novel_contexts_are_asked():
    case = coin(**SMALL, predict=None, assay=[])
    asked = run_scenario(case, threads=1).predict()
    assert list(dict.fromkeys(asked.scores["where"])) == ["training", "all of 'coin left'"]
    assert set(asked.predictions["percept"]) == {"bias=1 coin=-1"}
    assert asked.minds["base"].startswith("exact")


def test_learners_are_asked_as_born_and_after_a_life():
    case = learners("reinforce").override({**SMALL, "predict": None})
    asked = run_scenario(case, threads=1).predict(["birth", "birth, at death"])
    where = list(dict.fromkeys(asked.scores["where"]))
    assert where == ["training", "birth", "training, at death", "birth, at death"]
    # Before anyone was selected a ledger of genes says nothing, one of lives does.
    ledger = {w: scores_of(asked.scores, where=w, predictor="LEDGER").mean() for w in where}
    assert ledger["training, at death"] > ledger["training"] + 0.1


def test_nothing_to_predict_and_names_that_are_not_there():
    case = coin(**SMALL, predict=None, assay=[])
    only = case.override({"context": [{"name": "r", "frequency": 1, "payoff": {"right": 1}}]})
    only = only.override({"cues": {"bias": 1}})
    with pytest.raises(UserError, match="nothing to predict"):
        run_scenario(only, threads=1).predict()
    finished = run_scenario(case, threads=1)
    with pytest.raises(UserError, match="no assay 'all of coin'"):
        finished.predict(["all of coin"])
    with pytest.raises(UserError, match="no arm 'bse'"):
        finished.predict(arms=["bse"])


def made(apart):
    import pandas as pd

    rows = [
        {
            "arm": "a",
            "where": "w",
            "replicate": r,
            "predictor": p,
            "score": -1.0 + d * (p[0] == "L"),
        }
        for r, d in enumerate(apart)
        for p in ("LEDGER", "OBJ-omni", "OBJ-informed")
    ]
    return Foresight(pd.DataFrame(), pd.DataFrame(rows), {"a": ""}).differences().iloc[0]


def test_who_is_better_takes_the_whole_interval():
    row = made([0.4, 0.5, 0.6])  # t(2) = 4.303, se = 0.1/sqrt(3)
    assert row["difference"] == pytest.approx(0.5)
    assert row["low"] == pytest.approx(0.5 - 4.3027 * 0.1 / np.sqrt(3), abs=1e-4)
    assert row["better"] == "LEDGER"
    assert made([-0.4, -0.5, -0.6])["better"] == "OBJ"
    assert made([0.02, 0.0, -0.02])["better"] == "tie"
    assert made([TIE - 0.01, TIE, TIE + 0.01])["better"] == "LEDGER"
    assert made([-0.5, 0.0, 0.7])["better"] == "undecided"
    assert made([3.0])["better"] == "undecided"


# --- minds that plan, networks --------------------------------------------------------------------


def test_of_planners_the_objective_is_right_and_the_record_is_not():
    found = run(planners(), (0, 40), 6)[1]
    # Nobody plans yet: nothing to tell.
    np.testing.assert_allclose(found[0].score[:, NOVEL], np.log(0.5))
    novel, training = found[40].score[:, NOVEL], found[40].score[:, TRAINING]
    assert (novel[:, OMNI] - novel[:, LEDGER] > 1.0).all()
    assert (np.abs(training[:, OMNI] - training[:, LEDGER]) < 0.1).all()
    # What was selected says "right", and is carried over to the left coin; they plan, and go left.
    assert (left(found[40], LEDGER) < 0.2).all()
    assert (left(found[40], OMNI) > 0.8).all()


def test_the_record_of_planners_never_asks_their_minds_about_what_was_not_met():
    # Founders that plan already go left; of that the record holds what they did where trained.
    case = planners(**{"genome.plan_weight.initial": {"value": 2}})
    found = run(case, (0,), 2)[1][0]
    right = 1.0 / (1.0 + np.exp(-2.0))
    np.testing.assert_allclose(left(found, OMNI), right, atol=1e-6)
    np.testing.assert_allclose(left(found, LEDGER), 1.0 - right, atol=1e-5)


def test_what_ledger_is_of_each_mind():
    network = coin(mind={"policy": "mlp", "hidden": 2}, predict=None)
    assert approximation(network.model).startswith("an approximation: a network")
    assert approximation(coin().model).startswith("exact")
    assert approximation(planners().model).startswith("an approximation: what this mind does")
    assert approximation(learners("cross").model).endswith("what a life teaches is added at death")


def test_a_learner_of_values_is_asked_as_born_and_after_a_life():
    """Born with one value for all, it knows nothing; a life teaches it, where it was lived."""
    learner = coin(
        mind={"kind": "model-free", "rule": "q", "temperature": 0.2, "learning_rate": 0.3},
        genome={"optimism": {"initial": {"value": 0.5}, "mutation": 0.05}},
        **{**SMALL, "predict": None, "context.coin right.reward": {"right": 1}},
    )
    found = run_scenario(learner, threads=1).predict().scores
    chance = np.log(0.5)
    for predictor in ("LEDGER", "CEIL"):
        born = scores_of(found, where="training", predictor=predictor)
        np.testing.assert_allclose(born, chance, atol=1e-6)
        taught = scores_of(found, where="training, at death", predictor=predictor)
        assert (taught > -0.15).all()
        # A table by percept says nothing of percepts that were not met.
        elsewhere = scores_of(found, where=f"{LEFT}, at death", predictor=predictor)
        np.testing.assert_allclose(elsewhere, chance, atol=1e-6)


# --- the command ----------------------------------------------------------------------------------


def test_predict_prints_scores_differences_and_what_ledger_is(capsys, tmp_path):
    from evosim.cli import main

    text = cli_case.SCENARIO.replace("[[arm]]", NIGHT, 1)
    file, out = tmp_path / "lamps.toml", tmp_path / "out"
    file.write_text(text)
    assert main(["run", str(file), "--out", str(out), "--no-plots"]) == 0
    capsys.readouterr()
    assert main(["predict", str(out), "--arm", "base"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"base +all of +score +-\d\.\d{3}", said)
    assert re.search(r"right by day +score +-\d\.\d{3}", said)
    assert re.search(r"base +training +-?0\.\d{3} \[", said)
    assert "LEDGER is exact in expectation" in said
    assert main(["predict", str(out), "--assay", "right by nigth"]) == 2
    assert "no assay 'right by nigth'" in capsys.readouterr().err
    assert evosim.load(out).predict(arms=["neutral"]).minds.keys() == {"neutral"}


NIGHT = """
[[context]]
name = "night"
payoff = { left = 1.0 }

[[arm]]"""


def test_the_error_of_an_approximation_is_measured_and_printed(capsys):
    from evosim.report import make_console, show_foresight

    network = coin(
        mind={"policy": "mlp", "hidden": 2},
        **{**SMALL, "predict": None, "genome.policy.initial": {"normal": [0, 1]}},
    )
    found = run_scenario(network, threads=1).predict()
    show_foresight(make_console(), found)
    said = capsys.readouterr().out
    assert "LEDGER is an approximation: a network" in said
    for where in ("training", LEFT):
        ceiling, ledger = (
            scores_of(found.scores, where=where, predictor=name) for name in ("CEIL", "LEDGER")
        )
        error = (ceiling - ledger).mean()
        assert re.search(rf"CEIL - LEDGER .*{error:.3f} \S+ nats \({where}\)", said)
    assert error > 0.001  # it is an approximation
