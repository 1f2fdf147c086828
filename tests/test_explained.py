"""Wrapper-likeness: shares by hand, the shares that training predicts, and minds of known kind."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evosim.errors import UserError
from evosim.predict.explained import (
    centred,
    explained_by,
    make_explanation,
    multiple_of,
    orthonormal,
)
from evosim.resolve import resolve
from evosim.scenario import Scenario
from evosim.simulate import make_probes, simulate

DRIVES, THINGS = 3, 3
WANTED = np.array([1, -1, 1])


def meeting(d, k, wanted, frequency):
    """A drive meets a thing: approaching it pays `wanted`, leaving it nothing."""
    gain = {"payoff": float(wanted), "reward": float(wanted)}
    return {
        "name": f"{d} {k}",
        "start": f"thing{k}",
        "frequency": frequency,
        "transitions": [
            {"from": f"thing{k}", "action": "approach", "to": f"at{k}", **gain},
            {"from": f"thing{k}", "action": "leave", "to": "end"},
        ],
    }


def world(trained=None, differs=(), shared=1.0, **changes):
    """Drives and things as in scenarios/omega.toml; nobody is selected or mutates."""
    pairs = [(d, k) for d in range(DRIVES) for k in range(THINGS)]
    trained = trained or pairs
    places = [f"{d} {k}" for d, k in pairs]
    data = {
        "title": "drives",
        "seed": 3,
        "population": {"agents": 6, "replicates": 3, "generations": 1},
        "world": {"kind": "graph", "actions": ["approach", "leave"], "start": "thing0",
                  "steps": 1, "episodes": 4},
        "context": [
            meeting(d, k, -WANTED[k] if (d, k) in differs else WANTED[k],
                    (1 / len(trained)) * ((d, k) in trained))
            for d, k in pairs
        ],
        "cues": {f"c{k}": {"states": {f"thing{k}": shared}} for k in range(THINGS)}
        | {"moment": {"one_hot": "context"}},
        "genome": {"policy": {"mutation": 0.0}},
        "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
        "ledger": {"percepts": 9},
        "assay": [{"name": "everywhere", "context": places, "measure": {"payoff": True}}],
        "explained": [
            {"name": "goal", "assay": "everywhere",
             "outcomes": {f"f{k}": {f"at{k}": 2.0} for k in range(THINGS)}},
            {"name": "cues", "assay": "everywhere", "cues": [f"c{k}" for k in range(THINGS)]},
            {"name": "payoff", "assay": "everywhere", "payoff": True},
        ],
    }  # fmt: skip
    return Scenario.from_dict(copy.deepcopy(data) | changes)


def last(scenario):
    """Return the last row of each measure, by name, over replicates."""
    rows = simulate(scenario, threads=1).tables["trajectory"]
    rows = rows[rows["generation"] == rows["generation"].max()]
    return {n: rows[n].to_numpy(float) for n in rows if n.startswith("explained.")}


# --- shares of a sum of squares ---------------------------------------------------------------


def test_shares_by_hand():
    # One feature, seen at two percepts: preferences 3 and 1 along it are (2, 2) and a rest.
    basis = orthonormal(np.array([[[1.0], [0.0]], [[1.0], [0.0]]]))
    preference = np.array([[[1.5, -1.5], [0.5, -0.5]], [[1.0, -1.0], [1.0, -1.0]]])
    assert explained_by(basis, preference) == pytest.approx([8 / 10, 1.0])
    ledger = np.array([[[1.0, -1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert multiple_of(ledger, preference) == pytest.approx([9 / 10, 0.0])


def test_nothing_preferred_has_no_explanation():
    nothing = np.zeros((2, 1, 2))
    nothing[1] = np.nan
    basis = orthonormal(np.ones((1, 2, 1)) * [[[1.0], [0.0]]])
    assert np.isnan(explained_by(basis, nothing)).all()
    assert np.isnan(multiple_of(np.ones((2, 1, 2)), nothing)).all()


def test_what_all_actions_have_alike_is_no_feature():
    assert orthonormal(np.ones((3, 2, 1))).shape == (6, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(1, 4))
def test_shares_are_those_of_least_squares(seed, actions, kinds):
    luck = np.random.default_rng(seed)
    features = luck.standard_normal((6, actions, kinds))
    y = centred(luck.standard_normal((2, 6, actions)))
    share = explained_by(orthonormal(features), y)
    flat = centred(features.transpose(0, 2, 1)).transpose(0, 2, 1).reshape(-1, kinds)
    for r in range(2):
        g = np.linalg.lstsq(flat, y[r].ravel(), rcond=None)[0]
        rest = ((y[r].ravel() - flat @ g) ** 2).sum()
        assert share[r] == pytest.approx(1 - rest / (y[r] ** 2).sum())
    # Other units of the same features explain as much; what they span is explained wholly.
    mixed = features @ (luck.standard_normal((kinds, kinds)) + 3 * np.eye(kinds))
    assert explained_by(orthonormal(mixed), 7 * y) == pytest.approx(share)
    within = (flat @ luck.standard_normal(kinds)).reshape(1, 6, actions)
    assert explained_by(orthonormal(features), within) == pytest.approx([1.0])


# --- what training alone says -----------------------------------------------------------------

OWN = [(k, k) for k in range(3)]
TWO = OWN + [((k + 1) % 3, k) for k in range(3)]
PREDICTED = {
    "all drives agree": ({}, 1),
    "one differs": ({"differs": OWN}, 1 / 9),
    "two differ": ({"differs": TWO}, 1 / 9),
    "own thing each": ({"trained": OWN}, 8 / 9),
    "two things each": ({"trained": TWO}, (2 + 2 / 3) ** 2 / (3 * (2 + 4 / 9))),
    "nothing shared": ({"trained": OWN, "shared": 1e-3}, 1 / 3),
    "two, nothing shared": ({"trained": TWO, "shared": 1e-3}, 2 / 3),
    "much shared": ({"trained": OWN, "shared": 2.0}, (1 + 1.6) ** 2 / (3 * (1 + 2 * 0.64))),
}


@pytest.mark.parametrize("name", PREDICTED)
def test_training_says_what_one_goal_will_explain(name):
    how, share = PREDICTED[name]
    scenario = world(**how)
    resolved = resolve(scenario.model)
    (probe,) = make_probes(resolved, scenario.model)
    goal, cues, payoff = (
        make_explanation(spec, probe, resolved) for spec in scenario.model.explained
    )
    assert goal.training == pytest.approx(share, abs=1e-5)
    assert cues.training == pytest.approx(share, abs=1e-5)
    if not how.get("differs"):  # then payoff is one of the goals
        assert payoff.training == pytest.approx(share, abs=1e-5)
    else:
        assert payoff.training == pytest.approx(1.0)


def test_a_percept_of_two_contexts_has_the_worth_of_both():
    """Without cues of the drive the majority decides, and there is one goal."""
    scenario = world(differs=OWN)
    data = scenario.override({"cues.moment": {"value": 1.0}, "assay.everywhere.context": ["0 1"]})
    resolved = resolve(data.model)
    (probe,) = make_probes(resolved, data.model)
    goal, _, _ = (make_explanation(spec, probe, resolved) for spec in data.model.explained)
    assert goal.training == pytest.approx(1.0)
    assert goal.basis.shape == (2, 1)


# --- minds whose kind is known ----------------------------------------------------------------


def genome(shared, moments):
    """Weights by cue, in the order of the layout: c0 to c2, then moments."""
    return {"policy": {"initial": {"value": [*map(float, [*shared, *np.ravel(moments)])]},
                       "mutation": 0.0}}  # fmt: skip


def test_inherited_preferences_by_hand():
    # A thing alone: one goal. With an exception of size 3 under the drive of the same number,
    # preferences for a thing are 1 + 3, 1, 1: 3 * 2^2 of 18.
    found = last(world(genome=genome([1, -2, 1], np.zeros((3, 3)))))
    assert found["explained.goal.direction"] == pytest.approx([1.0] * 3)
    assert found["explained.cues.direction"] == pytest.approx([1.0] * 3)
    assert found["explained.payoff.direction"] == pytest.approx([(4 / 3) ** 2 / 2] * 3)
    found = last(world(genome=genome([1, 1, 1], 3 * np.eye(3))))
    assert found["explained.goal.direction"] == pytest.approx([12 / 18] * 3)
    assert found["explained.goal.ledger"] == pytest.approx([1.0] * 3)  # founders are known


def test_the_record_of_selection_is_what_selection_made():
    """Without mutation all that differs from the founders' mean is selection's."""
    policy = {"policy": {"initial": {"normal": [0.0, 1.0]}, "mutation": 0.0}}
    scenario = world(genome=policy).override({
        "selection": {"kind": "truncation", "fraction": 0.5},
        "population": {"agents": 60, "replicates": 3, "generations": 3},
    })  # fmt: skip
    run = simulate(scenario, threads=1)
    found = last(scenario)["explained.goal.ledger"]
    start = run.tables["trajectory"].query("generation == 0")
    end = run.tables["trajectory"].query("generation == 3")
    cues = [f"policy[c{k}]" for k in range(3)]
    moment = [[f"policy[moment={d} {k}]" for k in range(3)] for d in range(3)]
    for r in range(3):
        logits = {}
        for name, rows in (("start", start), ("end", end)):
            w = rows.iloc[r]
            logits[name] = np.array([[w[cues[k]] + w[moment[d][k]] for k in range(3)]
                                     for d in range(3)])  # fmt: skip
        # Expected founders are 0, so that the drawn ones are not in the record.
        one, two = logits["end"] - logits["start"], logits["end"]
        cosine = (one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum())
        assert found[r] == pytest.approx(cosine**2, abs=1e-5)


PLANNER = {"kind": "lookahead", "depth": 1, "temperature": 0.5}


def test_planners_for_things_are_wrappers():
    mind = PLANNER | {"features": {f"f{k}": {f"at{k}": 1.0} for k in range(3)}}
    utility = {"utility": {"initial": {"value": [1.0, 0.5, -1.0]}, "mutation": 0.0}}
    found = last(world(trained=OWN, differs=OWN, mind=mind, genome=utility))
    assert found["explained.goal.direction"] == pytest.approx([1.0] * 3)


def test_planners_for_payoff_are_wrappers_if_the_goal_may_weigh_it():
    neutral = {"neutral": {"mutation": 0.1}}
    found = last(world(differs=OWN, mind=PLANNER, genome=neutral))
    assert found["explained.payoff.direction"] == pytest.approx([1.0] * 3)
    assert found["explained.goal.direction"] == pytest.approx([1 / 9] * 3)
    assert found["explained.goal.ledger"] == pytest.approx([1.0] * 3)  # born so


def test_learners_are_asked_after_their_life():
    mind = {"kind": "reflex", "learning": "reinforce", "learning_rate": 0.5}
    scenario = world(trained=OWN, mind=mind, genome=genome([0, 0, 0], np.zeros((3, 3))))
    assert np.isnan(last(scenario)["explained.goal.direction"]).all()
    late = scenario.override({"assay.everywhere.when": "death", "world.episodes": 200})
    found = last(late)
    assert found["explained.goal.direction"] == pytest.approx([8 / 9] * 3)
    assert found["explained.goal.ledger"] == pytest.approx([1.0] * 3)


# --- recording, and mistakes ------------------------------------------------------------------


def test_asking_changes_nothing():
    asking = world(genome={"policy": {"mutation": 0.1}})
    silent = asking.override({"explained": []})
    with_it, without = (simulate(s, threads=1).tables for s in (asking, silent))
    rows = with_it["trajectory"]
    kept = rows[[name for name in rows if not name.startswith("explained.")]]
    assert kept.equals(without["trajectory"])
    assert with_it["ledger"].equals(without["ledger"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"assay": "nowhere"}, "explained.goal.assay"),
        ({"cues": ["c9"]}, "explained.goal.cues"),
        ({"outcomes": {"f": {"at9": 1.0}}}, "explained.goal.outcomes.f"),
        ({"outcomes": {}}, "outcomes, cues and payoff"),
    ],
)
def test_mistakes_are_named(change, words):
    spec = {"name": "goal", "assay": "everywhere", "outcomes": {"f": {"at0": 1.0}}}
    with pytest.raises(UserError, match=words):
        simulate(world(explained=[spec | change]), threads=1)


def test_claims_know_the_measures():
    claim = {"says": "x", "measure": "explained.goal.directions", "above": 0.5}
    with pytest.raises(UserError, match=r"explained\.goal\.direction'"):
        world(claim=[claim])
