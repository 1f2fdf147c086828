"""The page without a browser: what can be moved, where agents are, what it says when it cannot."""

from __future__ import annotations

import socket

import engine_case
import numpy as np
import pytest
from scenario_case import scenario

from evosim import cli
from evosim.assays import birth_values, make_probe
from evosim.errors import UserError
from evosim.page import figures, server, walks
from evosim.page.sliders import MOST, Range, ranges
from evosim.resolve import resolve
from evosim.scenario import Scenario
from evosim.scenario.study_parts import Assay
from evosim.walker import Walker


def offered(made, **chosen):
    return {r.key: r for r in ranges(made.cell().model, made.model.arm, **chosen)}


def test_what_arms_change_comes_first_and_reaches_their_values():
    found = offered(scenario("coinrun"))
    assert list(found)[:2] == ["context.coin left.frequency", "cues.bias"]
    assert (found["cues.bias"].low, found["cues.bias"].high) == (0.0, 4.0)
    assert (found["context.coin left.frequency"].high, found["cues.bias"].value) == (1.0, 1.0)
    assert "selection.fitness.exponential" in found
    assert not [key for key in found if "neutral" in key or key.endswith("steps")]
    assert len(found) <= MOST


@pytest.mark.parametrize("world", engine_case.WORLDS)
def test_every_end_of_every_range_is_a_valid_scenario(world):
    made = Scenario.from_dict(engine_case.data(world))
    for key, r in offered(made).items():
        assert r.low <= r.value <= r.high
        assert r.step > 0
        for value in (r.low, r.high):
            if not key.endswith((".frequency", ".share")):  # these have to go with others
                made.override({key: int(value) if r.whole else value})


def test_wanted_numbers_and_wrong_ones():
    made = scenario("coinrun")
    assert list(offered(made, wanted=["world.steps"])) == ["world.steps"]
    with pytest.raises(UserError, match=r"slider: no number 'world.stepps'.*did you mean 'world.s"):
        offered(made, wanted=["world.stepps"])


def test_walks_are_lives_by_the_assays_measure():
    """2,000 agents of one genome reach the coin as often as forward propagation says."""
    model = Scenario.from_dict(engine_case.data("grid")).cell().model
    resolved = resolve(model)
    genes = np.tile(np.array([[0.3, 0.6] + [0.0] * 9], np.float32), (2000, 1))
    genes = np.ascontiguousarray(genes[:, : resolved.layout.real_loci])
    path = walks.walk(resolved, Walker(model), genes, "left", np.random.default_rng(3))
    assert path.shape == (2000, model.world.steps + 1)
    coin = np.flatnonzero(resolved.world.symbol["C"][0])
    reached = (path == coin[0]).any(axis=1)
    expected = 0.0
    for seen in (True, False):
        assay = Assay.model_validate(
            {"name": "a", "context": "left", "visible": {"coin": seen}, "measure": {"reach": "C"}}
        )
        expected += (
            0.5 * birth_values(make_probe(assay, resolved, 1), resolved, genes[None, :1])[0, 0]
        )
    assert 0.1 < expected < 0.9
    sd = np.sqrt(expected * (1 - expected) / 2000)
    assert reached.mean() == pytest.approx(expected, abs=4 * sd)
    over = path[np.arange(2000), np.argmax(path == coin[0], axis=1)]
    assert set(over[reached]) == set(coin)


def test_states_are_drawn_where_they_are():
    grid = resolve(Scenario.from_dict(engine_case.data("grid")).cell().model)
    place = walks.positions(grid.world, grid.model.world, "left")
    assert place.tolist() == grid.world.position.tolist()
    chain = resolve(Scenario.from_dict(engine_case.data("chain")).cell().model)
    assert walks.positions(chain.world, chain.model.world, "rich")[:, 0].tolist() == [0, 1, 2, 3]


def test_numbers_of_states_of_gymnasium_are_rows_and_columns():
    pytest.importorskip("gymnasium", reason="the extra evosim[gymnasium] is not installed")
    lake = resolve(Scenario.from_dict(engine_case.data("gymnasium")).cell().model)
    place = walks.positions(lake.world, lake.model.world, "dry")
    assert place[6].tolist() == [2, 1]


@pytest.mark.parametrize(
    "world", [w for w in engine_case.WORLDS if "context" in engine_case.WORLDS[w]]
)
def test_every_world_can_be_drawn(world):
    model = Scenario.from_dict(engine_case.data(world)).cell().model
    resolved = resolve(model)
    context = model.context[0].name
    genes = np.zeros((3, resolved.layout.real_loci), np.float32)
    path = walks.walk(resolved, Walker(model), genes, context, np.random.default_rng(0))
    place = walks.positions(resolved.world, model.world, context)
    drawn = figures.world(resolved.world, place, context, path, path.shape[1] - 1)
    assert context in drawn.axes[0].get_title(loc="left")


def say(capsys, *arguments):
    code = cli.main(["serve", *arguments])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return code, err


def test_what_hinders_is_said_in_one_line(capsys, monkeypatch):
    file = "tests/data/coinrun.toml"
    monkeypatch.chdir(server.__file__.rpartition("/evosim/")[0])
    monkeypatch.setattr(server, "NEEDED", ("no_such_package",))
    code, err = say(capsys, file)
    assert (code, "pip install 'evosim[serve]'" in err) == (2, True)
    monkeypatch.setattr(server, "NEEDED", ())
    for arguments, said in (
        (("no.toml",), "no such file"),
        ((file, "--arm", "roh"), "no arm 'roh'"),
        ((file, "--slider", "world.stepps"), "did you mean 'world.steps'"),
        ((file, "--set", "world.stepps=3"), "world.stepps"),
        ((file, "--port", "70000"), "--port"),
    ):
        code, err = say(capsys, *arguments)
        assert code == 2
        assert said in err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, err = say(capsys, file, "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "Address already in use; choose another --port" in err


def test_sliders_tell_their_values(monkeypatch):
    monkeypatch.setenv("SOLARA_CHECK_HOOKS", "off")  # it warns of a line of Mesa's own
    pytest.importorskip("solara", reason="the extra evosim[serve] is not installed")
    from evosim.page.app import NumberSlider

    slider = NumberSlider(Range("mind.temperature", 0.25, 0.0, 1.0, 0.01, whole=False))
    assert slider.label == "mind.temperature = 0.25"
    slider.value.value = 0.3  # as the browser does
    assert slider.label == "mind.temperature = 0.3"
    assert slider.get("value") == 0.3
    whole = NumberSlider(Range("world.episodes", 20, 1, 80, 1, whole=True))
    assert (whole.label, whole.is_float_slider) == ("world.episodes = 20", False)


def test_values_that_cannot_be_leave_those_of_the_file_in_force(monkeypatch):
    monkeypatch.setenv("SOLARA_CHECK_HOOKS", "off")  # it warns of a line of Mesa's own
    pytest.importorskip("solara", reason="the extra evosim[serve] is not installed")
    from evosim.page.app import model_class

    made = Scenario.from_dict(engine_case.data("bandit"))
    offered_numbers = ranges(made.cell().model, ())
    page_model = model_class(made, None, None, offered_numbers)
    usual = {r.key: r.value for r in offered_numbers}
    model = page_model(**usual, replicate=0)
    assert (model.moved, model.refused) == ({}, "")
    model.step()
    assert model.history[0]["generation"] == 0
    assert model.paths("summer").shape == (24, 2)
    refused = page_model(**usual | {"context.summer.frequency": 2.0})
    assert "context.summer.frequency" in refused.refused
    assert refused.moved == {}
    moved = page_model(**usual | {"selection.fitness.exponential": 0.5})
    assert moved.moved == {"selection.fitness.exponential": 0.5}
    assert moved.cell.model.selection.fitness.exponential == 0.5
