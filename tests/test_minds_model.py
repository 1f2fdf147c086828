"""What a planner is given to know of a world, percept by percept: cases worked out by hand."""

from __future__ import annotations

import engine_case
import numpy as np
import pytest

from evosim.errors import UserError
from evosim.minds.model import given_model, outcome_features


def world(**changes):
    """Two places that look alike, a slip, a toll paid once, and a context never met."""
    tables = engine_case.data("graph") | {
        "world": {
            "kind": "graph", "actions": ["on", "off"], "start": {"left": 0.5, "right": 0.5},
            "steps": 4,
            "transitions": [
                {"from": "left", "action": "on", "to": "hall", "p": 0.75, "reward": 1.0},
                {"from": "left", "action": "on", "to": "right", "p": 0.25, "reward": 3.0},
                {"from": "right", "action": "on", "to": "hall", "reward": -1.0},
                {"from": ["left", "right"], "action": "off", "to": "end", "reward": 0.5},
                {"from": "hall", "action": "on", "to": "end", "reward": -2.0, "once": True},
                {"from": "hall", "action": "off", "to": "out", "reward": 1.0},
            ],
        },
        "context": [
            {"name": "met", "frequency": 1.0},
            {"name": "never", "frequency": 0.0, "transitions": [
                {"from": "hall", "action": "off", "to": "left", "reward": 9.0},
            ]},
        ],
        "cues": {"bias": 1, "in hall": {"states": {"hall": 1}}},
    } | changes  # fmt: skip
    made = engine_case.resolved(tables).world
    percept = {name: int(made.percept[0, made.states.index(name)]) for name in ("left", "hall")}
    ends = {name: len(made.percept_cue) + made.states.index(name) for name in ("end", "out")}
    return made, percept | ends


def outcomes(model, z, a):
    """Place -> (probability, gain)."""
    return {
        int(place): (float(p), float(g))
        for place, p, g in zip(
            model.branch[z, a], model.chance[z, a], model.gain[z, a], strict=True
        )
        if place >= 0
    }


def test_places_that_look_alike_are_averaged():
    made, at = world()
    model = given_model(made)
    # on: from left to the hall .75, to what looks like left .25; from right to the hall.
    want = {at["hall"]: (0.875, (0.75 - 1.0) / 1.75), at["left"]: (0.125, 3.0)}
    got = outcomes(model, at["left"], 0)
    assert got.keys() == want.keys()
    for place, numbers in want.items():
        assert got[place] == pytest.approx(numbers)
    assert outcomes(model, at["left"], 1) == {at["end"]: (1.0, 0.5)}


def test_what_is_paid_once_and_what_training_never_shows_are_not_known():
    made, at = world()
    model = given_model(made)
    assert outcomes(model, at["hall"], 0) == {at["end"]: (1.0, 0.0)}
    assert outcomes(model, at["hall"], 1) == {at["out"]: (1.0, 1.0)}
    everywhere = given_model(made, everywhere=True)
    assert outcomes(everywhere, at["hall"], 1).keys() == {at["out"], at["left"]}
    assert np.allclose(everywhere.chance.sum(axis=2), 1.0)


def test_contexts_weigh_by_their_frequency():
    contexts = [
        {"name": "met", "frequency": 0.75},
        {"name": "also", "frequency": 0.25, "transitions": [
            {"from": "hall", "action": "off", "to": "out", "reward": 5.0},
        ]},
    ]  # fmt: skip
    made, at = world(context=contexts)
    assert outcomes(given_model(made), at["hall"], 1) == {at["out"]: (1.0, 2.0)}


def test_what_only_an_unmet_context_shows_is_known_from_there():
    made, _ = world(cues={"in hall": {"states": {"hall": 1}}, "ctx": {"one_hot": "context"}})
    never = int(made.percept[1, made.states.index("hall")])
    left = int(made.percept[1, made.states.index("left")])
    assert outcomes(given_model(made), never, 1) == {left: (1.0, 9.0)}


def test_features_of_places_are_averaged_over_what_looks_alike():
    made, at = world()
    features = {"side": {"left": 1.0, "right": 3.0}, "exit": {"out": -2.0, "hall": 0.5}}
    table = outcome_features(made, features)
    assert table[at["left"]].tolist() == [2.0, 0.0]
    assert table[at["hall"]].tolist() == [0.0, 0.5]
    assert table[at["out"]].tolist() == [0.0, -2.0]
    assert table[at["end"]].tolist() == [0.0, 0.0]


def test_a_feature_of_no_place_is_one_line():
    made, _ = world()
    with pytest.raises(UserError) as caught:
        outcome_features(made, {"side": {"lefft": 1.0}})
    assert "mind.features.side" in str(caught.value)
    assert "did you mean 'left'?" in str(caught.value)
