"""Learning from reward: REINFORCE, Cross, and keys that are never hit."""

import math

import numpy as np
import pytest
from oracles_case import assert_printed, random_world
from scipy import special

from evosim.oracles import (
    TabularWorld,
    cross_expected_change,
    cross_never_explores,
    cross_update,
    default_margins,
    enumerate_trajectories,
    expected_return,
    haploid_step,
    key_ever_hit_log,
    key_never_hit,
    key_never_hit_life,
    multiplicative_weights,
    optimal_baseline,
    policy_gradient,
    reinforce_expected_update,
    reinforce_update,
    reinforce_variance,
    reward_inaction_absorption,
    reward_inaction_absorption_exact,
    selection_time,
    softmax_gradient_logit,
    softmax_gradient_time,
    softmax_policy,
    span_residual,
)


@pytest.mark.parametrize("terminal", [False, True])
def test_reinforce_identity(terminal):
    world, logits = random_world(3, terminal)
    gradient = policy_gradient(world, logits)
    for baseline in (0.0, -2.5):
        update = reinforce_expected_update(world, logits, 0.1, baseline)
        np.testing.assert_allclose(update, 0.1 * gradient, atol=1e-12)
    step = 1e-5
    for index in np.ndindex(logits.shape):
        shift = np.zeros(logits.shape)
        shift[index] = step
        slope = expected_return(world, logits + shift) - expected_return(world, logits - shift)
        assert slope / (2 * step) == pytest.approx(gradient[index], abs=1e-8)


@pytest.mark.parametrize("terminal", [False, True])
def test_trajectories_are_complete(terminal):
    world, logits = random_world(4, terminal)
    paths = enumerate_trajectories(world, logits)
    assert paths.probability.sum() == pytest.approx(1.0, rel=1e-13)
    assert paths.probability @ paths.returns == pytest.approx(expected_return(world, logits))
    np.testing.assert_allclose(np.tensordot(paths.probability, paths.score, 1), 0.0, atol=1e-14)
    count = 3 * 6**3 if not terminal else 1 + 2 * (2 + 4 * (2 + 4 * 6))
    assert paths.probability.size == count


def test_optimal_baseline_minimises_variance():
    world, logits = random_world(5)
    best = optimal_baseline(world, logits)
    least = reinforce_variance(world, logits, 0.1, best).sum()
    for other in (best - 0.01, best + 0.01):
        assert reinforce_variance(world, logits, 0.1, other).sum() > least


def test_reinforce_update_averages_to_the_expected_update():
    # One state, one step: all trajectories can be written down here.
    logits = np.array([[0.3, -0.2, 0.1]])
    reward = np.array([[1.0, 0.2, -0.5]])
    world = TabularWorld(np.ones((1, 3, 1)), reward, np.ones(1), 1)
    policy = softmax_policy(logits)[0]
    mean = sum(
        policy[a] * (reinforce_update(logits, [0], [a], reward[0, a], 0.3) - logits)
        for a in range(3)
    )
    np.testing.assert_allclose(mean, reinforce_expected_update(world, logits, 0.3), atol=1e-14)
    np.testing.assert_allclose(mean[0], 0.3 * policy * (reward[0] - policy @ reward[0]), atol=1e-14)


def test_reward_is_a_multiplier_of_the_learning_rate():
    rng = np.random.default_rng(6)
    start = rng.normal(size=(4, 3))
    for scale, exact in ((8.0, True), (3.7, False)):
        by_reward, by_rate, scores = start.copy(), start.copy(), []
        for _ in range(6):
            states, actions = rng.integers(0, 2, 5), rng.integers(0, 3, 5)
            reward = rng.normal()
            score = reinforce_update(by_rate, states, actions, 1.0, 1.0) - by_rate
            scores.append(score.ravel())
            by_reward = reinforce_update(by_reward, states, actions, scale * reward, 0.1)
            by_rate = reinforce_update(by_rate, states, actions, reward, scale * 0.1)
        if exact:
            assert np.array_equal(by_reward, by_rate)
        np.testing.assert_allclose(by_reward, by_rate, rtol=1e-12)
        assert span_residual((by_rate - start).ravel(), scores) <= 1e-10
        assert np.array_equal(by_rate[2:], start[2:])
        assert span_residual((by_rate - start).ravel() + 1.0, scores) > 1.0


def test_cross_learning_is_the_replicator():
    p, u = np.array([0.2, 0.5, 0.3]), np.array([0.9, 0.1, 0.4])
    mean = sum(p[a] * (cross_update(p, a, u[a], 0.2) - p) for a in range(3))
    expected = cross_expected_change(p, u, 0.2)
    np.testing.assert_allclose(mean, expected, atol=1e-15)
    np.testing.assert_allclose(expected, p * (u - p @ u) * 0.2, atol=1e-15)
    assert expected.sum() == pytest.approx(0.0, abs=1e-16)


def test_multiplicative_weights_are_haploid_selection():
    rng = np.random.default_rng(7)
    p, advantage = rng.dirichlet(np.ones(5)), rng.normal(size=5)
    learner, clones = p, p
    for _ in range(50):
        learner = multiplicative_weights(learner, advantage, 0.1)
        clones = haploid_step(clones, np.exp(0.1 * advantage))
        np.testing.assert_allclose(learner, clones, rtol=1e-12)
    huge = multiplicative_weights([0.5, 0.5], [1e4, 0.0], 1.0)
    np.testing.assert_allclose(huge, [1.0, 0.0])


def test_softmax_gradient_plateau_printed():
    x0, gap, rate, steps = math.log(0.01 / 0.99), 0.2, 0.05, 20_000
    x = softmax_gradient_logit(x0, gap, rate, [0, 1000, steps])
    assert x[0] == pytest.approx(x0, rel=1e-13)
    assert_printed(math.sinh(x[2]) + x[2], "145.910")
    discrete = x0
    for _ in range(steps):
        pi = 1 / (1 + math.exp(-discrete))
        discrete += 2 * rate * gap * pi * (1 - pi)
    assert_printed(math.sinh(discrete) + discrete, "145.915")
    assert x[2] == pytest.approx(discrete, abs=1e-4)
    assert softmax_gradient_time(x0, x[2], gap, rate) == pytest.approx(steps, rel=1e-12)


def test_softmax_gradient_is_slower_than_selection():
    gradient, selection = [], []
    for p0 in (0.01, 0.001):
        x0 = special.logit(p0)
        gradient.append(softmax_gradient_time(x0, 0.0, 0.2, 0.05))
        selection.append(selection_time(x0, 0.0, 0.2, 0.05))
        assert gradient[-1] == pytest.approx(1 / (2 * p0 * 0.2 * 0.05), rel=0.1)
    assert gradient[1] / gradient[0] == pytest.approx(10, rel=0.1)
    assert_printed(selection[1] / selection[0], "1.5")
    late = special.expit(-softmax_gradient_logit(0.0, 0.2, 0.05, 1e8))
    assert late == pytest.approx(1 / (2 * 0.05 * 0.2 * 1e8), rel=1e-4)


@pytest.mark.parametrize(
    ("q0", "step", "texts"),
    [
        (0.5, 0.25, [".0599", ".1826", ".3314"]),
        (0.5, 0.5, [".2128", ".3556", ".4544"]),
        (0.5, 1.0, [".3856", ".4680", ".4964"]),
        (0.2, 0.25, [".5631", ".9244", ".9972"]),
        (0.2, 0.5, [".7431", ".9583", ".9983"]),
        (0.2, 1.0, [".8524", ".9750", ".9988"]),
    ],
)
def test_key_never_hit_printed(q0, step, texts):
    values = key_never_hit(np.array([2, 3, 5]), -special.logit(q0), step, 10**6)
    for value, text in zip(values, texts, strict=True):
        assert_printed(value, text)


def test_key_never_hit_of_one_decision_falls_with_episodes():
    x0 = -special.logit(0.2)
    assert_printed(key_never_hit(1, x0, 1.0, 10**3), ".0418")
    assert_printed(key_never_hit(1, x0, 1.0, 10**6), ".0013")
    assert_printed(key_never_hit(2, 0.0, 0.25, 10**3), ".0602")
    assert_printed(key_never_hit(2, x0, 0.5, 10**3), ".7438")
    # One episode: all default against all deviate, p^L : q^L.
    assert key_never_hit(3, x0, 1.0, 1) == pytest.approx(0.8**3 / (0.8**3 + 0.2**3), rel=1e-12)


def test_a_life_counts_episodes_that_pay_nothing():
    def never(paid, left, margin):
        """Every course of a life of two decisions, by brute force."""
        if left == 0:
            return 1.0
        p = 1 / (1 + math.exp(-margin))
        further = never(paid + 1, left - 1, margin + 0.6 * (1 - p))
        return p * p * further + 2 * p * (1 - p) * never(paid, left - 1, margin)

    for episodes in (1, 2, 5):
        found = key_never_hit_life(2, 0.7, 0.3, episodes)
        assert found == pytest.approx(never(0, episodes, 0.7), rel=1e-12)
    # Long lives have as many paid episodes as it takes; with one decision all are paid.
    assert key_never_hit_life(1, 0.4, 0.5, 30) == pytest.approx(key_never_hit(1, 0.4, 0.5, 30))
    x0 = -special.logit(0.2)
    assert key_never_hit_life(3, x0, 0.25, 400) == pytest.approx(
        key_never_hit(3, x0, 0.25, 10**5), abs=1e-4
    )


def test_a_key_of_three_hundred_steps_is_tried_with_a_chance_in_logarithms():
    x0 = -special.logit(0.2)
    for margin in (0.0, x0, 3.0):
        lengths = np.array([1, 2, 5, 20])
        ever = np.exp(key_ever_hit_log(lengths, margin, 0.25, 1000))
        never = key_never_hit(lengths, margin, 0.25, 1000)
        np.testing.assert_allclose(ever, 1.0 - never, rtol=1e-10, atol=1e-16)
    # The first episode alone: q^L / (p^L + q^L) = 1 / (1 + 4^300).
    log_first = key_ever_hit_log(300, x0, 0.25, 1)
    assert log_first == pytest.approx(-300 * math.log(4), rel=1e-14)
    powers = float(key_ever_hit_log(300, x0, 0.25, 10**5)) / math.log(10)
    assert powers == pytest.approx(-300 * math.log10(4), abs=1e-9)
    assert key_never_hit(300, x0, 0.25, 1000) == 1.0
    # Even odds: all defaults and all keys are equally likely.
    assert key_ever_hit_log(300, 0.0, 0.25, 1) == pytest.approx(-math.log(2.0), rel=1e-14)


def test_default_margins_are_reinforce_updates():
    margins = default_margins(0.4, 0.3, 5)
    logits = np.array([[0.4, 0.0]])
    for margin in margins:
        assert logits[0, 0] - logits[0, 1] == pytest.approx(margin, rel=1e-13)
        logits = reinforce_update(logits, [0], [0], 1.0, 0.3)


@pytest.mark.parametrize(("theta", "text"), [(0.1, ".35786"), (0.05, ".12825"), (0.01, "3.49e-5")])
def test_cross_never_explores_printed(theta, text):
    assert_printed(cross_never_explores(0.1, theta), text)


def test_cross_never_explores_limits():
    assert cross_never_explores(0.3, 0.2, 1) == pytest.approx(0.7, rel=1e-14)
    assert cross_never_explores(0.3, 0.2, 2) == pytest.approx(0.7 * (1 - 0.24), rel=1e-14)
    assert cross_never_explores(0.3, 0.2, 10**9) == cross_never_explores(0.3, 0.2)
    assert cross_never_explores(0.3, 1.0) == pytest.approx(0.7, rel=1e-14)
    assert cross_never_explores(1.0, 0.5) == 0.0
    policy = np.array([0.7, 0.3])
    for n in range(1, 5):
        left = cross_never_explores(0.3, 0.2, n + 1) / cross_never_explores(0.3, 0.2, n)
        policy = cross_update(policy, 0, 1.0, 0.2)
        assert left == pytest.approx(policy[0], rel=1e-12)


@pytest.mark.parametrize(
    ("d1", "d2", "theta", "p", "diffusion", "simulated"),
    [
        (0.52, 0.5, 0.05, 0.5, ".6864", 0.6831),
        (0.52, 0.5, 0.05, 0.1, ".1827", 0.1830),
        (0.55, 0.5, 0.1, 0.2, ".3697", 0.3689),
        (1.0, 0.9, 0.1, 0.1, ".2136", 0.2174),
        (0.5, 0.5, 0.1, 0.3, ".3", 0.2957),
        (0.8, 0.5, 0.02, 0.1, ".979", 0.9935),
    ],
)
def test_reward_inaction_printed(d1, d2, theta, p, diffusion, simulated):
    assert_printed(reward_inaction_absorption(d1, d2, theta, p), diffusion)
    exact = reward_inaction_absorption_exact(d1, d2, theta, p)
    # The simulations had some thousand replicates: 4 standard errors of 5000.
    assert exact == pytest.approx(simulated, abs=4 * math.sqrt(exact * (1 - exact) / 5000))
    finer = reward_inaction_absorption_exact(d1, d2, theta, p, nodes=320)
    assert exact == pytest.approx(finer, abs=1e-10)


def test_reward_inaction_solves_its_equation():
    d1, d2, theta = 0.7, 0.4, 0.15

    def u(p: float) -> float:
        return reward_inaction_absorption_exact(d1, d2, theta, p, nodes=120)

    for p in (0.07, 0.31, 0.88):
        stay = 1 - p * d1 - (1 - p) * d2
        up, down = u(p + theta * (1 - p)), u(p * (1 - theta))
        assert u(p) == pytest.approx(p * d1 * up + (1 - p) * d2 * down + stay * u(p), abs=1e-11)
    mirrored = reward_inaction_absorption_exact(d2, d1, theta, 0.7, nodes=120)
    assert u(0.3) + mirrored == pytest.approx(1.0, abs=1e-11)
    assert reward_inaction_absorption(0.4, 0.7, theta, 0.7) == pytest.approx(
        1 - reward_inaction_absorption(0.7, 0.4, theta, 0.3), rel=1e-12
    )
    assert reward_inaction_absorption_exact(0.5, 0.0, 0.2, 0.1) == 1.0
    assert (u(0.0), u(1.0)) == (0.0, 1.0)
