"""What the recorder computes from agents' values."""

import numpy as np

from evosim.recorder import outer_deciles


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
