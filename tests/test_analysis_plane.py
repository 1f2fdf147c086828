"""The figure of the plane: cells where they belong, and the boundary where theory has it."""

import runpy
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evosim.oracles import estimate_threshold
from evosim.plots.style import figure_style
from evosim.scenario import Scenario

ROOT = Path(__file__).parents[1]
USUAL, NOISE, PRICE = (1.0, 0.9, 0.6), (0.0, 0.5), (0.02, 0.3)


@pytest.fixture(scope="module")
def script():
    found = runpy.run_path(str(ROOT / "analysis" / "pursuit_plane.py"))
    found["draw"].__globals__["_FINE"] = 3
    return found


def made():
    """A study whose weights say in which cell they were measured."""
    cells = list(product(USUAL, NOISE, PRICE))

    def measured(measure):
        sign = -1.0 if measure.startswith("score") else 1.0
        rows = [
            {"usual": u, "noise": s, "price": c, "value": sign * (1 - u + 10 * s + 100 * c) + r}
            for u, s, c in cells
            for r in (-0.001, 0.001)
        ]
        return pd.DataFrame(rows)

    scenario = Scenario.load(ROOT / "scenarios" / "pursuit_plane.toml")
    return SimpleNamespace(
        measured=measured, scenario=scenario, info={"title": "Plane"}, path=Path("there")
    )


def test_cells_stand_by_novelty_and_noise(script):
    table = script["grid"](script["means"](made(), "plan_weight"), 0.3, "value")
    assert table.columns.tolist() == [0.0, 0.1, 0.4]
    assert table.index.tolist() == [0.0, 0.5]
    assert np.allclose(table, [[30.0, 30.1, 30.4], [35.0, 35.1, 35.4]])


def test_the_boundary_is_the_oracles(script):
    new, noise = np.array([0.0, 0.1, 0.4]), np.array([0.0, 0.5])
    across, down, cost = script["boundary"](new, noise, 0.1, 1.5)
    assert across.tolist() == [0.0, 1.0, 2.0]
    assert down.tolist() == [0.0, 0.5, 1.0]
    assert cost[2, 1] == estimate_threshold(0.1, 0.5, 0.1)
    assert cost[0, 2] == estimate_threshold(0.4, 0.0, 0.1)
    _, _, apart = script["boundary"](new, noise, 0.1, 1.5, 2.0)
    assert apart[2, 1] == estimate_threshold(0.1, 0.5, 0.1, unrest=2.0)


def test_a_column_for_each_cost(script):
    with figure_style():
        figure = script["draw"](made())
        figure.draw_without_rendering()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[:2] == ["a   cost 0.02 per unit of weight", "b   cost 0.3 per unit of weight"]
    # A row for the weight, for each predictor, and for their difference; then the colour bars.
    images = [ax.images[0].get_array() for ax in figure.axes[:8]]
    assert images[0][1, 2] == pytest.approx(0.4 + 5 + 2)
    for row in (1, 2, 3):
        assert images[2 * row][1, 2] == pytest.approx(-(0.4 + 5 + 2))
