"""The direction and length of a gene, as the ledger follows them."""

import engine_case
import numpy as np
import pytest

from evosim.directions import direction_and_length
from evosim.errors import UserError
from evosim.ledger import haploid_mean
from evosim.scenario import Scenario

VECTOR = [1.0, -2.0, 0.5]


def data(**ledger):
    tables = engine_case.data()
    tables["genome"]["neutral"] = {"loci": 3, "initial": {"normal": [0, 1]}, "mutation": 0.3}
    return tables | {"ledger": ledger}


def test_angles_and_lengths_by_hand():
    values = np.array([[3, 4], [-3, 4], [0, 0], [0, -2]], np.float32)
    found = direction_and_length(values, np.array([0.0, 10.0]))
    np.testing.assert_allclose(found, [[0.8, 5], [0.8, 5], [0, 0], [-1, 2]], rtol=1e-15)


def test_the_ledger_follows_them():
    """Their means are those of the genomes, and selection and transmission add up to change."""
    engine = engine_case.engine(data(directions={"neutral": VECTOR}))
    names = ["index:neutral.direction", "index:neutral.length"]
    at = [engine.ledger.names.index(name) for name in names]

    def mean():
        slot = engine.resolved.layout.slot("neutral")
        values = haploid_mean(engine.resolved.layout, engine.population.real)
        x = values[..., slot.start : slot.stop].astype(float)
        length = np.sqrt((x**2).sum(-1))
        cosine = (x @ VECTOR) / length / np.linalg.norm(VECTOR)
        return np.stack([cosine.mean(1), length.mean(1)], axis=1)

    first = mean()
    for _ in range(4):
        before = mean()
        engine.step()
        now = engine.ledger.now
        np.testing.assert_allclose(now.before[:, at], before, rtol=1e-6)
        np.testing.assert_allclose(now.after[:, at], mean(), rtol=1e-6)
    change = engine.ledger.selection[:, at] + engine.ledger.transmission[:, at]
    np.testing.assert_allclose(change, mean() - first, rtol=1e-6, atol=1e-9)
    assert np.abs(change).min() > 1e-3


def test_following_changes_nothing():
    plain, followed = (
        engine_case.history(data(**ledger)) for ledger in ({}, {"directions": {"neutral": VECTOR}})
    )
    assert plain == followed


@pytest.mark.parametrize(
    ("directions", "key", "words"),
    [
        ({"neutrl": VECTOR}, "ledger.directions.neutrl", "did you mean 'neutral'?"),
        ({"neutral": [1, 2]}, "ledger.directions.neutral", "2 numbers for 3 loci"),
        ({"neutral": [0, 0, 0]}, "ledger", "not 0"),
        ({"policy": [1] * 9}, "ledger.directions.policy", "9 numbers for"),
    ],
)
def test_mistakes(directions, key, words):
    with pytest.raises(UserError) as caught:
        engine_case.resolved(data(directions=directions))
    assert words in caught.value.one_line()
    assert key in str(caught.value.key)


def test_claims_can_name_them():
    tables = data(directions={"neutral": VECTOR})
    claim = {"says": "x", "measure": "ledger.neutral.length.after", "above": 0}
    Scenario.from_dict(tables | {"claim": [claim]})
    with pytest.raises(UserError, match="unknown measure"):
        Scenario.from_dict(data() | {"claim": [claim]})
