"""Minds that weigh an estimate of payoff against preferences over cues, in one population."""

from __future__ import annotations

import engine_case
import numpy as np
import pytest

from evosim.api import run
from evosim.assays import probabilities
from evosim.population import expressed
from evosim.scenario import Scenario

COST = 0.25


def gated(initial, **changes):
    """A bandit whose agents plan where the liability of a threshold gene is above 0."""
    genome = {
        "policy": {"initial": {"normal": [0, 1]}, "mutation": 0.1},
        "plan_weight": {"scale": "threshold", "initial": initial, "mutation": 0.5, "cost": COST},
    }
    made = engine_case.data("bandit", "lookahead", genome=genome, **changes)
    made["mind"] = {"kind": "lookahead", "depth": 1, "temperature": 0.02}
    return made


def at_birth(tables):
    made = engine_case.engine(tables)
    percepts = np.arange(made.resolved.world.percept_cue.shape[0])
    return made, probabilities(made.resolved, made.birth(), percepts)


def test_a_closed_gate_leaves_a_reflex_and_an_open_one_a_planner():
    closed = gated({"value": -1})
    reflex = closed | {"mind": {"kind": "reflex"}, "genome": {"policy": closed["genome"]["policy"]}}
    made, by_cues = at_birth(closed)
    assert np.abs(by_cues - at_birth(reflex)[1]).max() < 1e-6
    _, both = at_birth(gated({"value": 1}))
    # Rewards of the best action are .5 and more above all others: 25 logits beside habits of 1.
    world = made.resolved.world
    reward = (world.reward * np.diff(world.outcome_cdf, axis=3, prepend=0.0)).sum(axis=3)
    for c in range(len(world.contexts)):
        z, best = world.percept[c, 0], reward[c, 0].argmax()
        assert (both[:, :, best, z] > 0.99).all()
        assert by_cues[:, :, best, z].mean() < 0.6


def test_who_carries_the_estimate_pays_for_it():
    """Liabilities are inherited and differ; all above 0 pay the same, others nothing."""
    made = engine_case.engine(gated({"normal": [0, 1]}))
    gate = made.resolved.layout.locus("plan_weight")
    for _ in range(3):
        liability = made.population.real[..., gate].copy()
        lives = made.step()
        paid = lives.payoff / made.resolved.tables.episodes - lives.criterion
        assert paid == pytest.approx(COST * (liability > 0), abs=1e-12)
        assert 0.1 < (liability > 0).mean() < 0.9


def test_the_share_of_carriers_is_a_column():
    tables = gated({"share": 0.25, "values": [-1, 1]})
    genome = tables["genome"]["plan_weight"] | {"mutation": 0.0}
    lived = run(Scenario.from_dict(tables | {
        "genome": tables["genome"] | {"plan_weight": genome},
        "selection": engine_case.SELECTIONS["neutral"],
        "claim": [{"says": "A quarter", "measure": "plan_weight.expressed", "equals": 0.25,
                   "margin": 0.2, "at": {"generation": 0}}],
    }), threads=1)  # fmt: skip
    found = lived.trajectory
    assert (found.loc[found["generation"] == 0, "plan_weight.expressed"] == 0.25).all()
    assert found["plan_weight.expressed"].tolist() == pytest.approx(
        (0.5 + 0.5 * found["plan_weight"]).tolist(), abs=1e-12
    )


def test_expression_of_a_liability_is_all_or_nothing():
    made = engine_case.engine(gated({"values": [0.0, 1e-30], "share": 0.5}))
    gate = made.resolved.layout.locus("plan_weight")
    shown = expressed(made.resolved, made.population, made.keys, 0)[..., gate]
    assert sorted(set(shown.ravel().tolist())) == [0.0, 1.0]
    assert (shown.mean(axis=1) == 0.5).all()
