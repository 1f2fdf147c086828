"""Directedness against all sequences of actions, tried one by one in plain Python."""

from __future__ import annotations

from itertools import product

import engine_case
import numpy as np
import pytest

from evosim.assays import birth_values, make_probe
from evosim.errors import UserError
from evosim.openloop import feedback
from evosim.predict.asked import ask
from evosim.scenario import Scenario
from evosim.worlds.build import build_world

#: The rows of the world in which the coin is seen: left, right.
SEEN = (0, 2)


def corridor(steps=2, slip=0.0, contexts=("left", "right"), measure="directedness"):
    """A coin two steps away, on either side; the assay asks for both."""
    made = engine_case.data("grid", "linear")
    made["world"] = made["world"] | {"steps": steps, "slip": slip}
    assay = {"name": "both", "context": list(contexts), "measure": {measure: True}}
    return made | {"assay": [assay]}


def brought(world, v, sequence):
    """Mean payoff of a fixed sequence, outcome by outcome."""
    total, here = 0.0, dict(enumerate(np.diff(world.start_cdf[v], prepend=0.0)))
    for action in sequence:
        ahead = {}
        for s, mass in here.items():
            for k, p in enumerate(np.diff(world.outcome_cdf[v, s, action], prepend=0.0)):
                total += mass * p * world.payoff[v, s, action, k]
                onto = int(world.outcome_state[v, s, action, k])
                if not world.terminal[v, onto]:
                    ahead[onto] = ahead.get(onto, 0.0) + mass * p
        here = ahead
    return total


@pytest.mark.parametrize("slip", [0.0, 0.3])
@pytest.mark.parametrize("steps", [2, 3])
def test_the_best_sequence_is_the_best_of_all(slip, steps):
    world = build_world(Scenario.from_dict(corridor(steps, slip)).model)
    found = feedback(world, SEEN, "here")
    every = product(range(len(world.actions)), repeat=steps)
    best = max(np.mean([brought(world, v, one) for v in SEEN]) for one in every)
    assert found.fixed == pytest.approx(best, abs=1e-12)
    assert found.fixed < 0.9 * found.best
    # Two moves towards the coin succeed, or with a third one slip is made good (into the wall at
    # the start, or back from halfway).
    clear = (1 - slip) ** 2
    more = slip * (1 - slip) ** 2 if steps == 3 else 0.0
    assert found.best == pytest.approx(clear + more, abs=1e-12)


def values(measure, weights, contexts=("left", "right")):
    """The assay of four agents whose preference for left hangs on bias and coin side."""
    resolved = engine_case.resolved(corridor(contexts=contexts, measure=measure))
    probe = make_probe(resolved.model.assay[0], resolved, 1)
    genes = np.zeros((1, 4, resolved.layout.real_loci), np.float32)
    policy = resolved.layout.slot("policy")
    genes[0, :, policy.start : policy.stop] = weights
    return birth_values(probe, resolved, genes)[0]


def test_directedness_is_payoff_between_habit_and_optimum():
    """A habit is worth 0, who looks 1, who walks at random (1/4 - 1/2) / (1/2)."""
    bias, coin = 40.0 * np.eye(2)  # loci go by cue in alphabetical order
    weights = np.array([bias, -coin, np.zeros(2), coin], np.float32)
    assert values("directedness", weights) == pytest.approx([0.0, 1.0, -0.5, -1.0], abs=1e-6)
    assert values("payoff", weights) == pytest.approx([0.5, 1.0, 0.25, 0.0], abs=1e-6)


def test_an_assay_of_several_contexts_is_their_mean():
    weights = np.random.default_rng(3).normal(size=(4, 2)).astype(np.float32)
    apart = [values("payoff", weights, (c,)) for c in ("left", "right")]
    assert values("payoff", weights) == pytest.approx(np.mean(apart, axis=0), abs=1e-15)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"contexts": ["left"]}, "assay.both.measure.directedness: .*looking brings nothing"),
        ({"steps": 40}, "2 actions in 40 steps are too many sequences"),
        ({"contexts": ["left", "left"]}, "a context stands twice"),
        ({"contexts": ["left", "rigth"]}, "there is no context 'rigth'.*right"),
    ],
)
def test_what_cannot_be_measured_is_one_line(changed, message):
    def probe():
        resolved = engine_case.resolved(corridor(**changed))
        return make_probe(resolved.model.assay[0], resolved, 1)

    with pytest.raises(UserError, match=message):
        probe()


def test_an_action_is_asked_of_one_context():
    tables = corridor()
    tables["assay"][0]["measure"] = {"first_action": "left"}
    with pytest.raises(UserError, match="an action's probability is asked of one context"):
        Scenario.from_dict(tables)


def test_predictors_ask_about_every_context_of_an_assay():
    """Both sides of the coin are asked about, each episode as often; seen and hidden are not."""
    tables = corridor(measure="payoff")
    tables["genome"] = {"policy": {"initial": {"value": 0}}}
    made = engine_case.engine(tables)
    probe = make_probe(made.resolved.model.assay[0], made.resolved, 1)
    world = made.resolved.world
    asked = ask(made, made.step(), "birth", [probe])
    met = [set(world.percept[v][world.terminal[v] == 0].tolist()) for v in SEEN]
    assert set(asked.percept.tolist()) == met[0] | met[1]
    assert np.allclose(asked.weight.sum(axis=1), 1.0)
    for percepts in met:  # agents without preferences spend as long on either side
        here = np.isin(asked.percept, list(percepts - (met[0] & met[1])))
        assert here.any()
    left, right = (
        asked.weight[:, np.isin(asked.percept, list(p - q))].sum(axis=1)
        for p, q in (met, met[::-1])
    )
    assert np.allclose(left, right)
