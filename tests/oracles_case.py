"""Printed numbers of the literature and random worlds, for the tests of the oracles."""

import numpy as np

from evosim.oracles import TabularWorld


def assert_printed(value: float, text: str) -> None:
    """Assert that `value` rounds to the printed number, e.g. ".3240" or "4.77e-6"."""
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - decimals)
    assert abs(value - float(text)) <= 0.5 * unit * (1 + 1e-9), f"{value!r} is not {text}"


def random_world(seed: int, terminal: bool = False) -> tuple[TabularWorld, np.ndarray]:
    rng = np.random.default_rng(seed)
    world = TabularWorld(
        transition=rng.dirichlet(np.ones(3), size=(3, 2)),
        reward=rng.normal(size=(3, 2, 3)),
        start=rng.dirichlet(np.ones(3)),
        steps=3,
        terminal=np.array([False, False, True]) if terminal else None,
    )
    return world, rng.normal(size=(3, 2))
