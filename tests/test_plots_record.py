"""The record of selection as a picture: what its strips say, on runs that are too small to wait."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from evosim.api import run as run_scenario
from evosim.plots import record
from evosim.plots.style import figure_style, new_figure
from tests.predict_case import coin

SIZE = {"population.agents": 60, "population.replicates": 4, "population.generations": 40}


@pytest.fixture(scope="module")
def lived():
    arm = {"name": "either", "set": {"context.coin left.frequency": 0.5}, "control": True}
    return run_scenario(coin(**SIZE, arm=[arm]), threads=1)


def strips_of(run, label):
    (cell,) = (c for c in run.scenario.arms() if c.label == label)
    return record.read_record(run.ledger, cell)


def test_what_was_met_comes_first_and_what_was_not_is_carried_over(lived):
    strips, generations, actions = strips_of(lived, "base")
    assert actions == ("left", "right")
    assert [(s.context, s.percept, s.met) for s in strips] == [
        ("coin right", "coin = 1", True),
        ("coin right", "no cue", True),
        ("coin left", "coin = -1", False),
    ]
    assert generations[0] == 0
    # Nothing was selected yet; then "right" wherever the coin was, and at the left coin too.
    assert all(s.preferred[0].tolist() == [0.5, 0.5] for s in strips)
    assert all(s.preferred[-1][1] > 0.6 for s in strips)
    # Right pays on the right, left on the left.
    assert [actions[s.pays] for s in strips] == ["right", "right", "left"]


def test_the_strip_of_a_novel_percept_is_the_ledgers_answer(lived):
    strips, _, _ = strips_of(lived, "base")
    logit = {s.percept: np.log(s.preferred[-1][1] / s.preferred[-1][0]) for s in strips}
    # cues (1, 0) and (1, 1) are met: (1, -1) = 2 (1, 0) - (1, 1).
    want = 2 * logit["no cue"] - logit["coin = 1"]
    assert logit["coin = -1"] == pytest.approx(want, abs=1e-3)


def test_training_on_either_side_shows_all(lived):
    strips, _, actions = strips_of(lived, "either")
    assert all(s.met for s in strips)
    by_name = {s.percept: s for s in strips}
    assert actions[by_name["coin = -1"].preferred[-1].argmax()] == "left"
    assert by_name["no cue"].pays == 1  # in the context that shows it first


def test_surer_is_fuller():
    colours = record._colours(np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]]))
    full = np.array(to_rgb(record._colour(0)))
    np.testing.assert_allclose(colours, [[1, 1, 1], (1 + full) / 2, full])


def test_only_one_best_action_pays():
    assert record._only_best(np.array([0.0, 1.0, 0.5])) == 1
    assert record._only_best(np.array([1.0, 1.0, 0.5])) == -1
    assert record._only_best(np.zeros(3)) == -1


def test_a_panel_and_the_figure(lived):
    strips, generations, _ = strips_of(lived, "base")
    ax = record.plot_record(strips, generations, ax=new_figure(4, 2).subplots())
    (image,) = ax.get_images()
    assert image.get_array().shape == (3, record._PIXELS, 3)
    assert [t.get_fontstyle() for t in ax.get_yticklabels()] == ["normal", "normal", "italic"]
    with figure_style():
        (figure,) = record.draw_record(lived)
        figure.draw_without_rendering()
    assert figure._suptitle.get_text().startswith("What selection built, and when.")


def test_no_logits_no_figure():
    case = coin(**SIZE, ledger={"percepts": 0}, predict=None)
    assert record.draw_record(run_scenario(case.override({"population.generations": 2}))) == []
