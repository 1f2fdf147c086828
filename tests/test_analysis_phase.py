"""The phase diagram of channels: slopes are found, and stand beside what the exact chain gives."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evosim.oracles import unbounded_slope
from evosim.plots.style import figure_style

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "analysis" / "channel_phase.py"))


def study():
    """Slopes of 2 n f after generation 30, of another size before."""
    rows = [
        {"fidelity": f, "models": n, "replicate": r, "generation": g,
         "information.received": 9.0 * min(g, 30) + 2 * n * f * max(g - 30, 0) + r}
        for f in (0.3, 0.6) for n in (1, 2) for r in range(5) for g in range(0, 61, 2)
    ]  # fmt: skip
    model = SimpleNamespace(
        population=SimpleNamespace(agents=40), knowledge=SimpleNamespace(learning=1.0)
    )
    return SimpleNamespace(
        trajectory=pd.DataFrame(rows), info={"title": "Phases"}, path=Path("there"),
        scenario=SimpleNamespace(model=model),
    )  # fmt: skip


def test_slopes_are_those_of_the_second_half(script):
    found = script["slopes"](study())
    assert len(found) == 20
    np.testing.assert_allclose(found["value"], 2 * found["nf"])


def test_the_chain_has_the_slope_of_theory_far_above_the_threshold(script):
    assert script["expected"](200, 1.0, 0.9, 2, 60) == pytest.approx(
        unbounded_slope(200, 1.0, 0.9, 2), rel=0.02
    )
    assert script["expected"](40, 1.0, 0.4, 2, 60) < 0.01


def test_both_panels_are_drawn(script):
    with figure_style():
        figure = script["draw"](study())
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert any("threshold" in title for title in titles)
