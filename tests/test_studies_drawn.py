"""What theory has of five more doses: a density, populations and lineages drawn apart."""

import math

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.special import expit as sigmoid
from test_studies_predicted import parents, read


def deployed(strength, generations=10, step=0.05):
    """Density of the weights of a constant and a coin; its mean payoff where it was trained."""
    x = np.arange(-60, 61) * step
    kernel = np.exp(-0.5 * (np.arange(-16, 17) * step / 0.1) ** 2)
    kernel /= kernel.sum()
    right = (sigmoid(x - x[:, None]) + sigmoid(-x[:, None])) / 2  # coin seen, coin hidden
    fitness = (1 + right * (math.exp(strength / 20) - 1)) ** 20
    p = np.outer(x == 0, x == 0).astype(float)
    for _ in range(generations):
        p *= fitness / (p * fitness).sum()
        for axis in (0, 1):
            p = convolve1d(p, kernel, axis, mode="constant")
    return (p * right).sum() / p.sum()


def carried_over(strength, populations, agents=300):
    """Chance to go right by a sense that only the second sixty generations had a use for."""
    luck = np.random.default_rng(1)
    weight = np.zeros((2, populations, agents))  # of the old cue and of the new one
    for generation in range(120):
        use = 0.5 + 0.5 * sigmoid(weight[generation // 60])  # half of all episodes pay anyway
        parent = parents(luck, np.exp(strength * luck.binomial(10, use) / 10))
        weight = weight.reshape(2, -1)[:, parent] + 0.1 * luck.standard_normal(weight.shape)
    return sigmoid(weight[1]).mean(1)


def climbed(fidelity, lineages, generations=20):
    """Levels passed per episode; a level passed k times has the value 1 - 2^-k."""
    luck = np.random.default_rng(1)
    chance = np.exp(10 * (1 - 0.5 ** np.arange(6 * generations + 7)))
    chance /= chance + 2
    passed = np.zeros((lineages, 30), np.int64)
    for _ in range(generations + 1):
        passed[luck.random(passed.shape) >= fidelity] = 0
        levels = np.zeros(lineages)
        for _ in range(6):
            way = np.logical_and.accumulate(luck.random(passed.shape) < chance[passed], axis=1)
            passed += way
            levels += way.sum(1) / 6
    return levels


def weighed(cost, populations, agents=100, generations=150):
    """Right acts in two contexts that never came: preferences, and a weight that costs.

    Three contexts of training and two new ones, with a preference for each of three acts; the
    right one is the first here.
    """
    luck = np.random.default_rng(1)
    shape = (populations, agents)
    plan, taste = np.zeros(shape), np.zeros((*shape, 5, 3))

    def right():
        return 1 / (
            1 + np.exp(taste[..., 1:] - taste[..., :1] - 10 * plan[..., None, None]).sum(-1)
        )

    for _ in range(generations):
        met = luck.multinomial(30, [0.34, 0.33, 0.33], shape)
        paid = luck.binomial(met, right()[..., :3]).sum(-1) / 30
        parent = parents(luck, np.exp(10 * (paid - cost * plan)))
        plan = np.abs(plan.ravel()[parent] + 0.05 * luck.standard_normal(shape))
        plan = np.where(plan > 1.5, 3 - plan, plan)
        taste = taste.reshape(-1, 5, 3)[parent] + 0.3 * luck.standard_normal(taste.shape)
    return right()[..., 3:].mean((1, 2))


#: The fork of scenarios/hearsay.toml: h4 to h1, the fork, L1 to L3; where "on" leads, -1 is over.
_ON = np.array([1, 2, 3, 4, -1, 6, 7, -1])
_ON_PAYS = np.array([-0.01, -0.01, -0.01, -0.01, 0.5, 0, 0, 1])
_TURN = np.array([-1, -1, -1, -1, 5, -1, -1, -1])
_TURN_PAYS = np.array([0.4, 0.4, 0.4, 0.4, 0, 0, 0, 0])


def cautious(fidelity, generations=5):
    """Payoff per episode of lineages that copy rows of values with their own fidelity each."""
    luck = np.random.default_rng(1)
    who = np.arange(len(fidelity))
    value = np.full((len(fidelity), 8, 2), 0.8)
    for generation in range(generations + 1):
        value[luck.random(value.shape[:2]) >= np.asarray(fidelity)[:, None]] = 0.8
        hurt = np.full(len(fidelity), generation > 0)
        total = np.zeros(len(fidelity))
        for _ in range(200):
            at, trace, live = np.zeros(len(who), np.int64), np.zeros_like(value), who
            while live.size:
                here = at[live]
                own = value[live, here]
                turn = (luck.random(live.size) < sigmoid((own[:, 1] - own[:, 0]) / 0.02)) * 1
                ahead = np.where(turn, _TURN[here], _ON[here])
                reward = np.where(turn, _TURN_PAYS[here], _ON_PAYS[here])
                astray = (here == 4) & (turn == 0) & (luck.random(live.size) < 0.1)
                ahead[astray], reward[astray] = 5, 0
                accident = (here == 6) & (turn == 0) & ~hurt[live]
                reward[accident] = -2
                hurt[live[accident]] = True
                total[live] += reward
                best = np.where(ahead >= 0, value[live, ahead].max(1), 0)
                chosen = own[np.arange(live.size), turn]
                trace[live[chosen < own.max(1)]] = 0
                trace[live, here, turn] += 1
                error = 0.5 * (reward + best - chosen)
                value[live] += error[:, None, None] * trace[live]
                trace[live] *= 0.7
                at[live] = ahead
                live = live[ahead >= 0]
    return total / 200


def test_deployment_is_that_of_the_density():
    values, dose = read("deployment")
    assert dose["predicted"] == pytest.approx([deployed(s) for s in values], abs=6e-5)


#: Per study: what it draws, how many here and in the file, and which of its values are drawn here.
DRAWN = {
    "skills": (climbed, 400, 20_000, slice(None, None, 3)),
    "new_domain": (carried_over, 6, 200, slice(1, None, 3)),
    "wrapper": (weighed, 12, 200, slice(0, 6, 2)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_curves_are_those_of_drawn_lives(name):
    draw, here, there, some = DRAWN[name]
    values, dose = read(name)
    for value, predicted in zip(values[some], dose["predicted"][some], strict=True):
        found = draw(value, here)
        error = found.std(ddof=1) * math.sqrt(1 / here + 1 / there)
        assert predicted == pytest.approx(found.mean(), abs=4 * error + 0.005)  # as written


def test_caution_is_kept_as_lineages_keep_it():
    values, dose = read("hearsay")
    found = cautious(np.repeat(values[1:7:3], 60)).reshape(-1, 60)  # the file has 1000
    error = found.std(1, ddof=1) * math.sqrt(1 / 60 + 1 / 1000)
    assert (np.abs(found.mean(1) - dose["predicted"][1:7:3]) < 4 * error + 0.0005).all()
