"""What the recorder computes from agents' values."""

import numpy as np

from evosim.moments import outer_deciles
from evosim.scenario import Scenario
from evosim.simulate import simulate


def test_outer_deciles_have_the_bits_of_each_replicate_alone():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(40, 33))
    count = rng.integers(1, 34, 40)
    count[::3] = 33
    low, high = outer_deciles(values, count)
    for r, n in enumerate(count):
        one, other = np.nanquantile(values[r, :n], [0.1, 0.9])
        assert (low[r], high[r]) == (one, other)


def test_outer_deciles_ignore_what_stands_beyond_the_agents_alive():
    values = np.full((2, 5), 1e9)
    values[0, :3] = [1.0, 2.0, 3.0]
    low, high = outer_deciles(values, np.array([3, 0]))
    assert (low[0], high[0]) == (1.2, 2.8)
    assert np.isnan([low[1], high[1]]).all()


def test_an_assay_is_made_when_a_claim_reads_it_whatever_its_rhythm():
    scenario = Scenario.from_dict(
        {
            "title": "rhythm",
            "population": {"agents": 10, "replicates": 2, "generations": 12},
            "record": {"every": 2},
            "world": {"kind": "bandit", "actions": ["left", "right"]},
            "context": [{"name": "a", "frequency": 1.0, "payoff": {"left": 1.0}}],
            "cues": {"bias": 1},
            "genome": {"policy": {"mutation": 0.1}},
            "selection": {"kind": "wright-fisher", "fitness": {"exponential": 2.0}},
            "assay": [
                {"name": "l", "context": "a", "measure": {"first_action": "left"}, "every": 4}
            ],
            "claim": [{"says": "so", "measure": "assay.l", "at": {"generation": 5}, "above": 0.1}],
        }
    )
    tables = simulate(scenario, threads=1).tables
    assert sorted(set(tables["assays"]["generation"])) == [0, 4, 5, 8, 12]
    assert sorted(set(tables["trajectory"]["generation"])) == [0, 2, 4, 5, 6, 8, 10, 12]
