"""The predictors' parts, against hand-computed values and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.kernels.visits import BLOCK, visits
from evosim.predict import PREDICTORS, check_predict
from evosim.predict.founders import drift_variance, founder_mean
from evosim.predict.objective import (
    accuracy_steepness,
    choice,
    likelihood_steepness,
    majority_place,
    softmax,
)
from evosim.predict.prediction import log_score, skills
from evosim.predict.selected import expected_choice, extrapolation
from evosim.predict.training import Training, observe_training, places_of
from evosim.predict.worth import Dynamics, action_values, dynamics, reachable
from evosim.resolve import resolve
from evosim.scenario import Scenario
from evosim.simulate import make_probes, simulate
from evosim.worlds.build import build_world
from tests.predict_case import LEFT, coin, run
from tests.worlds_case import scenario


def chain(**world):
    return build_world(
        scenario({"kind": "chain", "length": 3, "payoff": 2.0, "step_payoff": -0.5} | world)
    )


# --- the objective: optimal action values -----------------------------------------------------


def test_action_values_by_hand():
    # 0 -> 1 -> 2 pays 2 on arrival, every step costs .5; back from 0 stays.
    world = chain(steps=4)
    q = action_values(dynamics(world, 0), 4)
    assert q.shape == (3, 3, 2)  # nothing changes any more with four steps left
    np.testing.assert_allclose(q[0, :2], [[-0.5, -0.5], [1.5, -0.5]], atol=1e-12)
    np.testing.assert_allclose(q[1, :2], [[1.0, -1.0], [1.5, -1.0]], atol=1e-12)
    np.testing.assert_allclose(q[2, :2], [[1.0, 0.5], [1.5, 0.5]], atol=1e-12)


def test_action_values_of_chances():
    # A move slips with probability .2 and then has no effect.
    q = action_values(dynamics(chain(steps=2, slip=0.2), 0), 2)
    last = 0.8 * 1.5 - 0.2 * 0.5
    np.testing.assert_allclose(q[0, 1, 0], last, atol=1e-12)
    np.testing.assert_allclose(q[1, 1, 0], 0.8 * 1.5 + 0.2 * (-0.5 + last), atol=1e-12)


def test_action_values_stop_where_they_settle():
    long = action_values(dynamics(chain(steps=1000), 0), 1000)
    assert len(long) < 10
    np.testing.assert_allclose(long[-1, :2], [[1.0, 0.5], [1.5, 0.5]], atol=1e-12)


def test_nothing_comes_after_the_end():
    # Both actions lead to state 0, which pays; the first one ends the episode there.
    tables = Dynamics(
        start=np.ones(1),
        following=np.array([[[-1], [0]]], np.int32),
        chance=np.ones((1, 2, 1)),
        payoff=np.full((1, 2, 1), 3.0),
    )
    assert action_values(tables, 3)[:, 0].tolist() == [[3.0, 3.0], [3.0, 6.0], [3.0, 9.0]]


def test_reachable_within_an_episode():
    tables = dynamics(chain(steps=4), 0)
    assert reachable(tables, 1).tolist() == [True, False, False]
    assert reachable(tables, 2).tolist() == [True, True, False]
    assert reachable(tables, 9).tolist() == [True, True, False]


# --- training: visits and what they are worth -------------------------------------------------


def reference_visits(steps, start, row, following, chance, worth, prob):
    """The kernel again: one agent, one state, one action at a time."""
    agents, actions, percepts = prob.shape
    states, _, outcomes = following.shape
    met, acts, worths = np.zeros(percepts), *np.zeros((2, percepts, actions))
    for i in range(agents):
        here = start.copy()
        for t in range(steps):
            layer = worth[min(steps - t, len(worth)) - 1]
            there = np.zeros(states)
            for s in range(states):
                met[row[s]] += here[s]
                acts[row[s]] += here[s] * prob[i, :, row[s]]
                worths[row[s]] += here[s] * layer[s]
                for a in range(actions):
                    for k in range(outcomes):
                        if following[s, a, k] >= 0:
                            mass = here[s] * prob[i, a, row[s]] * chance[s, a, k]
                            there[following[s, a, k]] += mass
            here = there
    return met, acts, worths


def test_visits_kernel_against_reference():
    rng = np.random.default_rng(1)
    agents, states, actions, outcomes, percepts = BLOCK + 3, 5, 3, 2, 4
    start = rng.dirichlet(np.ones(states))
    row = rng.integers(percepts, size=states)
    following = rng.integers(-states, states, size=(states, actions, outcomes)).astype(np.int32)
    chance = rng.dirichlet(np.ones(outcomes), size=(states, actions))
    worth = rng.normal(size=(2, states, actions))
    prob = rng.dirichlet(np.ones(actions), size=(agents, percepts)).transpose(0, 2, 1).copy()
    out = np.full((2, percepts), np.nan), *np.full((2, 2, percepts, actions), np.nan)
    visits(0, 2, 4, start, row, following, chance, worth, prob, *out)
    want = reference_visits(4, start, row, following, chance, worth, prob)
    for found, expected in zip(out, want, strict=True):
        np.testing.assert_allclose(found.sum(axis=0), expected, rtol=1e-12)


def test_informed_weighs_contexts_by_frequency_and_visits():
    # Two contexts share a percept. An agent acting at random stays in it longer where the other
    # action does not end the episode: 1 decision against 1 + 1/2.
    common = {"kind": "graph", "actions": ["go", "wait"], "start": "s", "steps": 2}
    go = {"from": "s", "action": "go", "to": "end", "payoff": 3}
    contexts = [
        {
            "name": "ends",
            "frequency": 0.4,
            "transitions": [go, {"from": "s", "action": "wait", "to": "end"}],
        },
        {
            "name": "stays",
            "frequency": 0.6,
            "transitions": [
                go | {"payoff": 0},
                {"from": "s", "action": "wait", "to": "s", "payoff": 1},
            ],
        },
    ]
    case = Scenario.from_dict(
        {
            "title": "x",
            "population": {"agents": 2, "replicates": 1, "generations": 1},
            "world": common,
            "context": contexts,
            "cues": {"bias": 1},
            "genome": {"policy": {}},
            "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
            "assay": [{"name": "go", "context": "ends", "measure": {"first_action": "go"}}],
            "predict": {"assays": ["go"], "drift": False},
        }
    )
    resolved = resolve(case.model)
    world = resolved.world
    places = places_of(world, world.variant_frequency(world.frequency))
    found = []
    engine = Engine(
        resolved,
        replicate_keys(0, np.arange(1)),
        observer=lambda e, lives: found.append(observe_training(e, lives, "birth", places)),
    )
    engine.step(last=True)
    total = 0.4 + 0.6 * 1.5
    np.testing.assert_allclose(found[0].weight[0], [0.4 / total, 0.9 / total])
    # In "stays" two decisions are worth (go 0 + next 0, wait 1 + 1), then (0, 1) half the time.
    wait = (2.0 + 0.5 * 1.0) / 1.5
    np.testing.assert_allclose(found[0].worth[0], [[3.0, 0.0], [0.0, wait]], atol=1e-12)
    merged = found[0].by_percept(places)
    np.testing.assert_allclose(merged.worth[0], [[0.4 * 3 / total, 0.9 * wait / total]], atol=1e-12)


# --- tau --------------------------------------------------------------------------------------


def made(worth, action, weight=None):
    worth = np.array(worth, float)[None]
    weight = np.full(worth.shape[:2], 1.0 / worth.shape[1]) if weight is None else weight
    return Training(np.asarray(weight, float), np.asarray(action, float)[None], worth)


def test_likelihood_recovers_the_temperature():
    worth = [[1.0, 0.0, 0.4], [0.2, 0.7, -3.0], [5.0, 5.0, 5.0]]
    for tau in (0.05, 0.7, 40.0):
        found = likelihood_steepness(made(worth, softmax(np.array(worth) / tau)))
        np.testing.assert_allclose(1.0 / found, tau, rtol=1e-6)


def test_likelihood_at_random_and_beyond():
    worth = [[1.0, 0.0], [0.0, 2.0]]
    assert likelihood_steepness(made(worth, np.full((2, 2), 0.5)))[0] == 0.0
    assert likelihood_steepness(made(worth, [[0.1, 0.9], [0.9, 0.1]]))[0] == 0.0
    assert likelihood_steepness(made([[1.0, 1.0]], [[0.3, 0.7]]))[0] == 0.0
    certain = made(worth, [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(
        choice(certain.worth, likelihood_steepness(certain)), certain.action, atol=1e-12
    )


def test_accuracy_is_matched_at_the_most_frequent_place():
    training = made(
        [[0.0, 1.0, 1.0], [2.0, 0.0, 0.0]],
        [[0.1, 0.3, 0.6], [0.1, 0.45, 0.45]],
        weight=[[0.6, 0.4]],
    )
    most = majority_place(training)
    assert most.tolist() == [0]
    predicted = choice(training.worth, accuracy_steepness(training, most))
    # Two best actions: their probabilities together are the accuracy.
    np.testing.assert_allclose(predicted[0, 0, 1:].sum(), 0.9, atol=1e-9)
    assert accuracy_steepness(training, np.array([1]))[0] == 0.0


def test_first_of_equally_frequent_places():
    training = made([[0.0, 1.0]] * 3, [[0.5, 0.5]] * 3, weight=[[0.2, 0.4, 0.4 * (1 + 1e-15)]])
    assert majority_place(training).tolist() == [1]


# --- the ledger's extrapolation ---------------------------------------------------------------


def test_extrapolation_is_the_minimum_norm_solution():
    rng = np.random.default_rng(2)
    for met in (rng.normal(size=(3, 6)), rng.normal(size=(6, 3)), np.ones((4, 2))):
        asked = rng.normal(size=(5, met.shape[1]))
        logits = met @ rng.normal(size=(met.shape[1], 2))
        smallest = np.linalg.pinv(met) @ logits
        found = extrapolation(met, asked)
        np.testing.assert_allclose(found.share @ logits, asked @ smallest, atol=2e-4)
        seen = np.linalg.pinv(met) @ met
        left = ((asked - asked @ seen) ** 2).sum(axis=1)
        np.testing.assert_allclose(found.open, left, atol=2e-4)


def test_extrapolation_is_the_conditional_expectation():
    # Loci w are independent normals; what is known are the logits at two percepts.
    rng = np.random.default_rng(3)
    met, asked = np.array([[1.0, 1, 0], [1.0, 0, 0]]), np.array([[1.0, -1, 2]])
    w = rng.normal(size=(400_000, 3))
    known, novel = w @ met.T, w @ asked[0]
    design = np.column_stack([known, np.ones(len(w))])
    fit, residual, *_ = np.linalg.lstsq(design, novel, rcond=None)
    found = extrapolation(met, asked)
    np.testing.assert_allclose(found.share[0], fit[:2], atol=4 * 2 * 3 / np.sqrt(len(w)))
    np.testing.assert_allclose(found.open[0], residual[0] / len(w), rtol=4 * np.sqrt(2 / len(w)))


def test_orthogonal_percepts_stay_open():
    found = extrapolation(np.array([[1.0, 1.0]]), np.array([[1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found.share, [[0.0], [1.0], [0.0]], atol=1e-5)
    np.testing.assert_allclose(found.open, [2.0, 0.0, 0.0], atol=1e-5)


def test_blank_training_leaves_everything_open():
    found = extrapolation(np.zeros((1, 2)), np.array([[1.0, -1.0]]))
    assert found.share.tolist() == [[0.0]]
    assert found.open.tolist() == [2.0]


def test_expected_choice_against_quadrature():
    from numpy.polynomial.hermite_e import hermegauss

    x, w = hermegauss(80)
    w = w / w.sum()
    for mean, sd in ((0.0, 3.0), (1.0, 0.5), (-2.0, 2.0)):
        want = (w / (1.0 + np.exp(-(mean + sd * x)))).sum()
        found = expected_choice(np.full((1, 1, 1), mean), np.full((1, 1), sd**2), 2, False)
        np.testing.assert_allclose(found[0, 0], [want, 1 - want], atol=5e-4)
    # Three logits: integrate over all three.
    grid = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    mass = (w[:, None, None] * w[None, :, None] * w[None, None, :]).ravel()
    mean = np.array([0.5, 0.0, -1.0])
    want = (mass[:, None] * softmax(mean + 1.5 * grid)).sum(axis=0)
    found = expected_choice(mean[None, None], np.full((1, 1), 2.25), 3, False)
    np.testing.assert_allclose(found[0, 0], want, atol=0.01)
    assert found.sum() == pytest.approx(1.0)


def test_expected_choice_without_variance_and_greedy():
    mean = np.array([[[0.3, 0.1, -1.0]]])
    np.testing.assert_allclose(
        expected_choice(mean, np.zeros((1, 1)), 3, False)[0, 0], softmax(mean[0, 0])
    )
    assert expected_choice(mean, np.zeros((1, 1)), 3, True)[0, 0].tolist() == [1.0, 0.0, 0.0]
    # A greedy choice between open logits: P(first) = Phi(mean / sd).
    found = expected_choice(np.full((1, 1, 1), 1.0), np.full((1, 1), 4.0), 2, True)
    assert found[0, 0, 0] == pytest.approx(0.6915, abs=2 / 256)


def test_founder_means():
    def mean(initial):
        case = coin(**{"genome.policy.initial": initial})
        return founder_mean(resolve(case.model).layout.slot("policy"))

    assert mean({"value": 0.5}).tolist() == [0.5, 0.5]
    assert mean({"value": [1, 2]}).tolist() == [1.0, 2.0]
    assert mean({"normal": [-1, 3]}).tolist() == [-1.0, -1.0]
    assert mean({"uniform": [0, 3]}).tolist() == [1.5, 1.5]
    assert mean({"share": 0.25, "values": [1, 5]}).tolist() == [2.0, 2.0]


def test_drift_variance_is_that_of_neutral_theory():
    # Wright-Fisher without selection, N agents: with V the variance among agents,
    # Var(mean') = Var(mean) + (V + u^2)/N and E V' = (1 - 1/N)(V + u^2), from 0.
    agents, replicates, generations, u = 40, 60, 30, 0.2
    case = coin(
        **{
            "population.agents": agents,
            "selection.fitness": {"neutral": True},
            "genome.neutral.mutation": u,
            "genome.neutral.initial": {"value": 7.0},
        }
    )
    found = []
    engine = Engine(
        resolve(case.model),
        replicate_keys(1, np.arange(replicates)),
        observer=lambda e, lives: found.append(drift_variance(e, lives)),
    )
    for g in range(generations + 1):
        engine.step(last=g == generations)
    within, between = 0.0, 0.0
    for _ in range(generations):
        between += (within + u**2) / agents
        within = (1 - 1 / agents) * (within + u**2)
    ratio = (0.1 / u) ** 2
    per_replicate = found[-1]
    assert per_replicate.shape == (replicates,)
    se = per_replicate.std(ddof=1) / np.sqrt(replicates)
    assert abs(per_replicate.mean() - ratio * between) < 4 * se
    assert se < 0.15 * ratio * between  # the test can tell
    assert found[0].tolist() == [0.0] * replicates


# --- scores -----------------------------------------------------------------------------------


def test_score_by_hand():
    action = np.array([[[0.75, 0.25], [0.0, 1.0]]])
    predicted = np.array([[[0.5, 0.5], [1.0, 0.0]]])
    found = log_score(np.array([0.2, 0.8]), action, predicted)
    want = 0.2 * np.log(0.5) + 0.8 * np.log(0.001)  # clipped
    np.testing.assert_allclose(found, [want])


def test_skill_and_where_it_is_undefined():
    score = np.array([[-1.0, -0.5, -0.2, -0.6, -0.1], [-1.0, -0.5, -0.2, -0.119, -0.1]])
    skill, defined = skills(score)
    assert defined.tolist() == [True, False]
    np.testing.assert_allclose(skill[0], [-0.8, 0.2, 0.8, 0.0, 1.0])
    assert np.isnan(skill[1]).all()


# --- what cannot be asked ---------------------------------------------------------------------


def refused(case, key):
    resolved = resolve(case.model)
    probes = make_probes(resolved, case.model)
    with pytest.raises(UserError) as caught:
        check_predict(resolved, probes, case.model.predict)
    assert caught.value.key == key
    assert caught.value.allowed
    return caught.value


def test_drift_needs_a_neutral_gene():
    case = coin(**{"predict.drift": True, "genome": {"policy": {"mutation": 0.1}}})
    refused(case, "predict.drift")
    # ... and a run stops before it starts.
    with pytest.raises(UserError, match="neutral"):
        simulate(case)


def test_logits_must_be_sums_of_loci():
    refused(coin(**{"genome.policy.scale": "log"}), "genome.policy.scale")


def test_tracked_logits_are_needed_of_other_minds():
    case = coin(mind={"policy": "mlp", "hidden": 2}, ledger={"percepts": 0})
    refused(case, "ledger.percepts")


def test_payoff_paid_once_has_no_action_values():
    case = Scenario.from_dict(
        {
            "title": "x",
            "world": {
                "kind": "grid",
                "steps": 4,
                "symbols": {"C": {"payoff": 1, "once": True}},
            },
            "context": [{"name": "only", "frequency": 1, "map": "#####\n#S.C#\n#####\n"}],
            "cues": {"bias": 1},
            "genome": {"policy": {}},
            "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
            "assay": [{"name": "a", "context": "only", "measure": {"first_action": "left"}}],
            "predict": {"assays": ["a"], "drift": False},
        }
    )
    refused(case, "predict")


# --- the tables -------------------------------------------------------------------------------


def test_columns_go_together():
    _, found = run(coin(**{"population.agents": 20}), (3,), replicates=2)
    columns = found[3].prediction_columns()
    assert columns["probability"].shape == (2, 12)
    assert {len(columns[k]) for k in columns if k != "probability"} == {12}
    assert columns["predictor"][::2] == [*PREDICTORS, "actual"]
    assert columns["action"][:2] == ["left", "right"]
    assert columns["assay"][0] == LEFT
    assert columns["percept"][0] == "bias=1 coin=-1"
    np.testing.assert_allclose(columns["probability"].reshape(2, 6, 2).sum(axis=2), 1.0)
    scores = found[3].score_columns()
    assert scores["score"].shape == scores["skill"].shape == (2, 10)
    assert scores["split"] == ["training"] * 5 + ["novel"] * 5
    ceiling = scores["score"][:, [4, 9]]
    assert (scores["score"].reshape(2, 2, 5) <= ceiling[..., None] + 1e-12).all()


def test_a_replicate_alone_gives_the_same_bits():
    case = coin(
        **{"population.agents": 30, "predict.drift": True, "predict.temperature": "likelihood"}
    )
    _, together = run(case, (5,), replicates=3)
    _, alone = run(case, (5,), replicates=1)
    for name in ("probability", "score", "skill", "temperature"):
        one, many = getattr(alone[5], name), getattr(together[5], name)
        assert one[0].tobytes() == many[0].tobytes(), name


def test_asking_changes_nothing():
    case = coin(**{"population.agents": 30})
    asked, _ = run(case, (1, 2, 3, 4), replicates=2)
    quiet, _ = run(case, (4,), replicates=2)
    assert asked.population.real.tobytes() == quiet.population.real.tobytes()


def test_replicates_that_died_out_are_missing():
    case = coin(
        population={"agents": 4, "replicates": 2, "generations": 40, "limit": 200},
        selection={
            "kind": "density",
            "fitness": {"proportional": 0.1, "baseline": 0.2},
            "capacity": 100,
        },
    )
    _, found = run(case, (40,))
    assert np.isnan(found[40].probability).all()
    assert np.isnan(found[40].score).all()
    assert not found[40].defined.any()
