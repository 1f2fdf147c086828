"""What lineages drawn apart from this program make of the doses of two traditions."""

import math

import numpy as np
import pytest
from test_studies_predicted import read


def _forgotten(luck, values, fidelity, rows):
    """Let each row of a copy arrive with its lineage's fidelity, or begin at 0."""
    lost = luck.random((len(values), rows)) >= np.asarray(fidelity)[:, None]
    values.reshape(len(values), rows, -1)[lost] = 0


def heirs_of_the_coin(fidelity, generations=5):
    """Chance that a newborn runs right past a left coin it sees; scenarios/coin_tradition.toml.

    Cells 2 to 4 lie between the ends, 3 above the pit, which is cell 0. The coin is right.
    """
    luck = np.random.default_rng(1)
    everyone = np.arange(len(fidelity))
    value = np.zeros((len(fidelity), 4))  # coin hidden, seen; the same in the pit
    weight = np.zeros((len(fidelity), 3, 3))  # of left, right, up for bias, coin, pit
    for _ in range(generations):
        for _ in range(20):
            seen, at, live = luck.integers(0, 2, len(fidelity)), 0 * everyone, everyone
            traces, eligible = np.zeros_like(value), np.zeros_like(weight)
            while live.size:  # the horizon of 40 steps is hardly ever met
                here, place = at[live], 2 * (at[live] == 0) + seen[live]
                cue = np.stack([np.ones(live.size), seen[live], here == 0], 1)
                p = np.exp((weight[live] * cue[:, None]).sum(2))
                p /= p.sum(1, keepdims=True)
                act = (luck.random(live.size)[:, None] > p.cumsum(1)[:, :2]).sum(1)
                saw = (here == 0) & (act < 2)
                to = np.where(here == 0, 3, here + np.array([-1, 1, 0])[act])
                on = ~saw & (to > 1) & (to < 5)
                reward = np.where(saw, -0.25, to == 5) - 0.02
                error = reward + np.where(on, value[live, seen[live]], 0) - value[live, place]
                traces[live, place] += 1
                eligible[live] += (np.eye(3)[act] - p)[:, :, None] * cue[:, None]
                value[live] += 0.2 * error[:, None] * traces[live]
                weight[live] += 0.2 * error[:, None, None] * eligible[live]
                traces[live] *= 0.7
                eligible[live] *= 0.7
                at[live] = to
                live = live[on]
        _forgotten(luck, value, fidelity, 4)
        _forgotten(luck, weight, fidelity, 9)
    pull = np.exp(weight[:, :, 0] - weight[:, :, 1])
    right = pull[:, 1] ** 2 / (pull[:, 0] ** 2 + pull[:, 1] ** 2)  # two steps from the middle
    out = pull * np.exp(weight[:, :, 2])
    return out[:, 2] / out.sum(1) * right


def heirs_of_the_cheese(fidelity, generations=5):
    """Payoff per episode in scenarios/maze_tradition.toml: place 5 is the top right corner."""
    luck = np.random.default_rng(1)
    everyone = np.arange(len(fidelity))
    value = np.zeros((len(fidelity), 36, 4))  # of right, left, down, up
    for generation in range(generations + 1):
        if generation:
            _forgotten(luck, value, fidelity, 36)
        total = np.zeros(len(fidelity))
        for _ in range(12):
            at, live = np.full(len(fidelity), 20), everyone
            for _ in range(24):
                here, x, y = at[live], at[live] % 6, at[live] // 6
                own = value[live, here]
                p = np.exp((own - own.max(1, keepdims=True)) / 0.05).cumsum(1)
                act = (luck.random(live.size)[:, None] * p[:, 3:] > p[:, :3]).sum(1)
                x = np.clip(x + (act == 0) - (act == 1), 0, 5)
                to = x + 6 * np.clip(y + (act == 2) - (act == 3), 0, 5)
                reward = (to == 5) - 0.01
                total[live] += reward
                ahead = np.where(to == 5, 0, value[live, to].max(1))
                value[live, here, act] += 0.5 * (reward + ahead - value[live, here, act])
                at[live] = to
                live = live[to != 5]
    return total / 12


#: Per study: what it draws, how many lineages in the file and here, and of which values here.
TRADITIONS = {
    "coin_tradition": (heirs_of_the_coin, 12_000, 100, slice(2, None, 3)),
    "maze_tradition": (heirs_of_the_cheese, 2000, 100, slice(2, None, 3)),
}


@pytest.mark.parametrize("name", TRADITIONS)
def test_traditions_are_those_of_drawn_lineages(name):
    draw, there, here, some = TRADITIONS[name]
    values, dose = read(name)
    found = draw(np.repeat(values[some], here)).reshape(-1, here)
    error = found.std(1, ddof=1) * math.sqrt(1 / here + 1 / there)
    assert (np.abs(found.mean(1) - dose["predicted"][some]) < 4 * error + 0.0005).all()
