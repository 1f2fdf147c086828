"""Figures of trials."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from evosim.plots import style, trials
from evosim.scenario import Scenario


def _with_trials() -> SimpleNamespace:
    """Return a run of learners that live a trial in generations 0 and 20: entries 1, then 0.25."""
    scenario = Scenario.from_dict(
        {
            "title": "learners",
            "population": {"agents": 10, "replicates": 6, "generations": 20},
            "world": {
                "kind": "graph",
                "actions": ["on", "turn"],
                "start": "a",
                "steps": 2,
                "episodes": 8,
                "transitions": [
                    {"from": "a", "action": "on", "to": "b"},
                    {"from": "a", "action": "turn", "to": "end"},
                    {"from": "b", "action": ["on", "turn"], "to": "end"},
                ],
                "regions": {"there": ["b"]},
            },
            "context": [{"name": "calm", "frequency": 1}],
            "cues": {"place": {"one_hot": "state"}},
            "mind": {"kind": "model-free"},
            "genome": {"optimism": {"mutation": 0.1}},
            "selection": {"kind": "wright-fisher", "fitness": {"exponential": 1}},
            "trial": [{"name": "calm life", "context": "calm", "region": "there", "windows": 4}],
        }
    )
    keys = [(r, g, 2.0 * w) for r in range(6) for g in (0, 20) for w in range(4)]
    data = pd.DataFrame(keys, columns=["replicate", "generation", "episode"])
    data = data.assign(arm="base", trial="calm life", payoff=0.5, rewarded=1.0)
    data["entered"] = np.where(data["generation"] == 0, 1.0, 0.25)
    return SimpleNamespace(scenario=scenario, trials=data)


def test_courses_of_trials_are_drawn_for_the_last_generation() -> None:
    with style.figure_style():
        (figure,) = trials.draw_trials(_with_trials())
        figure.draw_without_rendering()
    said = " ".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))
    assert "trial 'calm life'" in said
    assert "entries per episode" in said
    assert "episode of the life" in said
    assert "Lives of generation 20 in context 'calm'" in said
    first = next(ax for ax in figure.axes if ax.axison)
    (line,) = (x for x in first.lines if len(x.get_xdata()) == 4)
    np.testing.assert_array_equal(line.get_xdata(), [0.0, 2.0, 4.0, 6.0])
    np.testing.assert_array_equal(line.get_ydata(), 0.25)
