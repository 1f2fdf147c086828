"""A state, restored, goes on bit for bit; the run directory keeps the last one."""

from pathlib import Path

import numpy as np
import pytest

import evosim
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.resolve import resolve
from evosim.scenario import Scenario


def coin(kind="wright-fisher", **changes):
    data = {
        "title": "coin",
        "population": {"agents": 40, "replicates": 3, "generations": 6},
        "world": {"kind": "bandit", "actions": ["left", "right"], "episodes": 3},
        "context": [{"name": "a", "frequency": 1.0, "payoff": {"left": 1.0}}],
        "cues": {"bias": 1},
        "genome": {"policy": {"mutation": 0.1}, "neutral": {"kind": "bits", "mutation": 0.1}},
        "selection": {"kind": kind, "fitness": {"exponential": 2.0}},
        **changes,
    }
    return Scenario.from_dict(data)


def engine_of(scenario):
    resolved = resolve(scenario.model)
    return Engine(resolved, replicate_keys(3, np.arange(scenario.model.population.replicates)))


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize("kind", ["wright-fisher", "moran"])
def test_a_restored_state_goes_on_as_if_never_stopped(kind):
    whole, begun = engine_of(coin(kind)), engine_of(coin(kind))
    for _ in range(6):
        whole.step()
    for _ in range(3):
        begun.step()
    state = begun.state()
    resumed = engine_of(coin(kind))
    resumed.restore(state)
    for _ in range(3):
        resumed.step()
    assert same(resumed.state(), whole.state())
    # The state is a copy: the engine it came from did not move it.
    begun.step()
    assert int(state["generation"]) == 3


def test_a_state_of_another_size_is_refused():
    other = coin(population={"agents": 41, "replicates": 3, "generations": 6})
    with pytest.raises(UserError, match="checkpoint's 'real' has shape"):
        engine_of(coin()).restore(engine_of(other).state())


def test_the_run_directory_keeps_the_last_state(tmp_path):
    scenario = coin()
    run = evosim.run(scenario, out=tmp_path / "out")
    stored = evosim.load(tmp_path / "out").checkpoint
    fresh = Engine(resolve(scenario.model), replicate_keys(scenario.model.seed, np.arange(3)))
    for _ in range(6):
        fresh.step()
    state = {name.split("/")[1]: array for name, array in stored.items()}
    # What the recorder knows besides: frequencies met so far, the founders' means.
    assert state.pop("met").tolist() == [6.0]
    assert state.pop("founders").shape == (3, 1)
    assert same(state, fresh.state())
    assert np.array_equal(stored["base/real"], run.population["base/genome"])


def test_nothing_is_pickled():
    package = Path(evosim.__file__).parent
    words = ("import pickle", "from pickle", "cloudpickle", "joblib", "marshal", "shelve", "dill")
    for file in package.rglob("*.py"):
        text = file.read_text()
        assert "allow_pickle=True" not in text
        assert "read_pickle" not in text
        assert not [word for word in words if word in text], file
