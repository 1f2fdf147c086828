"""What shipped studies say that theory has is what theory has, worked out here once more."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from evosim.oracles import class_chain_hit, default_margins, hot_stove_choice, reflex_frozen

STUDIES = Path(__file__).parents[1] / "scenarios" / "studies"


def read(name):
    """Return the values of a study's parameter, and its table [dose]."""
    data = tomllib.loads((STUDIES / f"{name}_dose.toml").read_text())
    (values,) = data["design"]["parameters"].values()
    return values, data["dose"]


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def binomial(k, n, p):
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def untried(rate, q0=0.2, steps=2, episodes=400):
    """T64 in lives of `episodes`, of which only those of defaults pay: by how many have paid."""
    default = sigmoid(default_margins(math.log((1 - q0) / q0), rate / 2, episodes + 1))
    paid, key = default**steps, (1 - default) ** steps
    p = np.zeros(episodes + 1)
    p[0] = 1
    for _ in range(episodes):
        further = p * (1 - paid - key)
        further[1:] += (p * paid)[:-1]
        p = further
    return p.sum()


def found(mutation):
    """T31: a hundred agents, two bits, generation 20."""
    return class_chain_hit(100, 2, mutation, np.array(20))


def moved(rate, discount=0.9):
    """Temporal differences along 100 episodes of 60 steps: open water, then round and round."""
    value, total = np.zeros(5), 0.0
    for _ in range(100):
        place = 0
        for _ in range(60):
            ahead = 1 if place in (0, 4) else place + 1
            reward = 0.3 if place == 1 else 0.0
            error = rate * (reward + discount * value[ahead] - value[place])
            value[place] += error
            total += abs(error)
            place = ahead
    return total


def learned(rate):
    """All sequences of choices at the fork, which moves two weights at once; start N(0, 2)."""
    node, weight = np.polynomial.hermite_e.hermegauss(61)
    start = node * math.sqrt(2)
    x, p = start[:, None], np.ones((61, 1))
    left = np.zeros(61)
    for visits in range(13):
        s = sigmoid(x)
        left += binomial(visits, 12, 0.5) * (p * s).sum(1)
        x = np.concatenate([x + 2 * rate * (1 - s), x - 2 * rate * 0.5 * s], 1)
        p = np.concatenate([p * s, p * (1 - s)], 1)
    return weight @ (left - sigmoid(start)) / weight.sum()


def spread(density, sd, step):
    """Add a normal mutation to a density on a grid."""
    reach = int(8 * sd / step) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / sd) ** 2)
    return np.convolve(density, kernel / kernel.sum(), "same")


def bred(fraction, generations=40, step=0.02):
    """Density of the log odds of sitting; the fraction with the most sits of 20 breeds."""
    x = np.arange(-700, 701) * step
    sits = np.array([[binomial(k, 20, s / 2) for s in sigmoid(x)] for k in range(21)])
    p = (x == 0).astype(float)
    for _ in range(generations):
        counts = sits @ p
        above = np.cumsum(counts[::-1])[::-1] - counts
        share = np.clip((fraction - above) / np.maximum(counts, 1e-300), 0, 1)
        p *= share @ sits
        p = spread(p / p.sum(), math.sqrt(0.02), step)
    return p @ sigmoid(x)


def faded(first_step, generations=300, step=0.01):
    """Density of the logit of looping; ten visits, each with a geometric number of loops."""
    x = np.arange(-800, 801) * step
    fitness = (1 + np.exp(x) * (1 - math.exp(-(0.375 - first_step) / 10))) ** -10
    p = (np.arange(-800, 801) == 100).astype(float)
    for _ in range(generations):
        p *= fitness
        p = spread(p / p.sum(), 0.05, step)
    return p @ x


def locked_in(rate):
    """No slip into the left branch for 598 episodes, once one toll has been learned from."""
    last = 0.49 - 0.2 * rate
    before = max(last, 0.4) - 0.01  # from where one can still turn home a step later
    go = sigmoid((last - 0.4) / 0.005) * sigmoid((before - 0.4) / 0.005)
    return (1 - 0.1 * go) ** 598


def reached(reward):
    """Five steps, each by a value that has settled at the reward, at temperature 0.01."""
    return sigmoid(reward / 0.01) ** 5


def unsteady(slip):
    """The door, two rooms and a bridge of four steps, if all acts are right but slip."""
    return 1.5 - slip + (1 - slip) + (1 - slip) ** 4


def shunned(rate):
    """T67: both ways pay alike, left varies with sd 1; S = 3."""
    return hot_stove_choice([0, 0], [1, 0], rate, 3)[0]


def frozen(practice):
    """S50: three gates turn round, two bends do not; 500 episodes to come back."""
    return reflex_frozen(3, 0.0, 0.25, practice, 500, kept=2)


THEORY = {
    "glitch": untried,
    "glitch_population": found,
    "loops": moved,
    "multiplier": learned,
    "dogs": bred,
    "donuts_fading": faded,
    "spectrum": locked_in,
    "bottle": reached,
    "reward_gap": unsteady,
    "fork_stove": shunned,
    "racer": frozen,
}


@pytest.mark.parametrize("name", THEORY)
def test_predicted_curves_are_those_of_theory(name):
    values, dose = read(name)
    worked_out = [float(THEORY[name](value)) for value in values]
    assert dose["predicted"] == pytest.approx(worked_out, abs=6e-5)


THRESHOLDS = {
    "cliff": [1 - 0.8 ** (1 / 5)],
    "donuts": [(1 - 0.95**4) * 0.95**5],
    "robust": [1 - (1.5 / 2) ** (1 / 10)],
    "deceptive": [1 / (0.9**2 * 8), (2 + 0.9) / (0.9**2 * 8)],
    "predictors": [(1 - 0.5) / 2],
    "pages": [0.2 / (0.2 + 0.6)],
    "steering": [-(0.9 - 0.3)],
    "donuts_fading": [3 * 0.125],
    "schoolchildren": [2 * 0.05 / (10 - 1.34), 2 * 0.80 / (10 - 6.07)],
    "spectrum": [0.08 / 0.2],
    "bottle": [-0.01 * math.log(2**0.2 - 1)],
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_predicted_turns_are_those_of_theory(name):
    _, dose = read(name)
    assert dose["thresholds"] == pytest.approx(THRESHOLDS[name], rel=0.04)
