"""Single lives of two arms, told apart by what they brought."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evosim.apart import auc, lives, told_apart
from evosim.api import run as run_scenario
from evosim.errors import UserError
from tests.predict_case import coin

SIZE = {"population.agents": 200, "population.replicates": 5, "population.generations": 3}


def test_the_area_is_the_share_of_pairs():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, 40).astype(float), rng.integers(1, 8, 30).astype(float)
    pairs = np.sign(x[:, None] - y[None, :])
    assert auc(x, y) == pytest.approx((0.5 + 0.5 * pairs).mean(), abs=1e-14)
    assert auc(x, y) + auc(y, x) == pytest.approx(1.0, abs=1e-14)
    assert auc(np.ones(3), np.zeros(2)) == 1.0


@pytest.fixture(scope="module")
def two():
    """Agents that go right with probabilities .9 and .8, where the coin lies right in training."""
    arms = [
        {"name": name, "set": {"genome.policy.initial": {"value": [-logit, 0]}}}
        for name, logit in (("nine", np.log(9.0)), ("eight", np.log(4.0)))
    ]
    frozen = {"genome.policy.mutation": 0, "predict": None, **SIZE}
    return run_scenario(coin(arm=arms, **frozen), threads=1)


def test_as_in_training_they_are_the_lives_that_were_lived(two):
    last = two.trajectory[(two.trajectory["generation"] == 3).to_numpy()]
    lived = lives(two, "nine")
    recorded = last[(last["arm"] == "nine").to_numpy()]["payoff"]
    assert [one.mean() for one in lived] == pytest.approx(recorded.tolist(), abs=1e-12)


def test_the_area_is_that_of_two_binomials_and_turns_where_the_coin_lies_left(two):
    episodes = 20
    k = np.arange(episodes + 1)
    nine, eight = stats.binom.pmf(k, episodes, 0.9), stats.binom.pmf(k, episodes, 0.8)
    wanted = nine @ (np.cumsum(eight) - 0.5 * eight)
    found = told_apart(two, "nine", "eight")
    # Agents are alike, so that pairs of 200 lives scatter little: sd of an area is below .03.
    assert two.scenario.model.world.episodes == episodes
    assert found.each.shape == (5,)
    assert abs(found.auc - wanted) < 4 * 0.03 / np.sqrt(5)
    assert found.low < found.auc < found.high
    left = told_apart(two, "nine", "eight", ["coin left"])
    assert abs(left.auc - (1.0 - wanted)) < 4 * 0.03 / np.sqrt(5)


@pytest.mark.parametrize(
    ("arm", "contexts", "message"),
    [("nien", (), "no arm 'nien'.*nine"), ("nine", ["coin lefft"], "no context 'coin lefft'")],
)
def test_unknown_names_are_one_line(two, arm, contexts, message):
    with pytest.raises(UserError, match=message):
        lives(two, arm, contexts)
