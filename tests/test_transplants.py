"""Genomes and knowledge that interventions bring back from an earlier generation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from engine_case import WORLDS, data
from test_culture import run, tables

import evosim
from evosim.errors import UserError

BACK = [{"at": 5, "bring_back": {"genome": 2, "knowledge": 2}}]


def lines(made, **how):
    return run(made, **how).trajectory.set_index(["replicate", "generation"])


def fostered(parts, **changes):
    made = tables(**changes)
    made["population"]["generations"] = 8
    return made | {"intervention": [{"at": 5, "bring_back": parts}]}


def test_genomes_are_those_of_the_earlier_generation_and_nothing_before_changes():
    plainly = lines(fostered({}) | {"intervention": []})
    genes = lines(fostered({"genome": 2}))
    columns = ["information.genetic", "neutral"]
    columns = [c for c in columns if c in genes]
    pd.testing.assert_frame_equal(
        plainly.query("generation < 5"), genes.query("generation < 5"), check_exact=True
    )
    for r in range(plainly.index.get_level_values(0).max() + 1):
        assert (genes.loc[(r, 5), columns] == plainly.loc[(r, 2), columns]).all()
        assert (genes.loc[(r, 5), columns] != plainly.loc[(r, 5), columns]).any()
        # Newborns learned from the same models, who were of their own time.
        assert (
            genes.loc[(r, 5), "information.received"] != plainly.loc[(r, 2), "information.received"]
        )


def test_knowledge_is_that_of_the_earlier_generation():
    channel = {"fidelity": 1.0, "choice": "best", "candidates": 0}
    knowledge = {"pool": "counted", "learning": 5.0, "payoff": 0.1}
    genome = {"neutral": {"mutation": 0.1}}
    made = fostered({"knowledge": 2}, channel=channel, knowledge=knowledge, genome=genome)
    data, plainly = lines(made), lines({**made, "intervention": []})
    # All have the best model of the generation before, and lose nothing of it.
    for r in range(2):
        assert (
            data.loc[(r, 5), "information.received"] == plainly.loc[(r, 2), "information.received"]
        )
        assert data.loc[(r, 5), "neutral"] == plainly.loc[(r, 5), "neutral"]
        assert data.loc[(r, 8), "information.death"] < plainly.loc[(r, 8), "information.death"]


def test_a_resumed_run_brings_back_the_same(tmp_path):
    made = fostered({"genome": 2, "knowledge": 2})
    made["population"]["generations"] = 4
    short = run(made, out=tmp_path / "run")
    assert short.trajectory["generation"].max() == 4
    forked = evosim.fork(tmp_path / "run", threads=1, generations=4)
    mine = forked.trajectory.query("arm == 'unchanged'").drop(columns="arm")
    theirs = run(fostered({"genome": 2, "knowledge": 2})).trajectory
    theirs = theirs.query("generation >= 4").drop(columns="arm")
    pd.testing.assert_frame_equal(
        mine.reset_index(drop=True), theirs.reset_index(drop=True), check_exact=True
    )


def test_genomes_come_back_in_a_world_without_knowledge():
    made = data("chain", selection="neutral", genome=WORLDS["chain"].get("genome", None) or {
        "policy": {"mutation": 0.5}})  # fmt: skip
    made |= {"record": {"every": 1}, "intervention": [{"at": 3, "bring_back": {"genome": 0}}]}
    frame = run(made).trajectory.query("replicate == 0").set_index("generation")
    gene = next(c for c in frame if c.startswith("policy") and not c.endswith((".sd", ".spread")))
    assert frame.loc[3, gene] == frame.loc[0, gene] != frame.loc[2, gene]
    assert np.isfinite(frame["payoff"]).all()


BAD = {
    "later": ({"at": 3, "bring_back": {"genome": 3}}, "before `at`"),
    "nothing": ({"at": 3}, "set or bring_back"),
    "what": ({"at": 3, "bring_back": {"genomes": 1}}, "genome"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    change, says = BAD[name]
    with pytest.raises(UserError, match=says) as caught:
        run(tables(intervention=[change]))
    assert caught.value.key.startswith("intervention.0")


def test_what_cannot_be_brought_back():
    density = {"kind": "density", "capacity": 20, "fitness": {"neutral": True}}
    with pytest.raises(UserError, match="as many agents"):
        run(tables(intervention=BACK, selection=density))
    made = {k: v for k, v in tables(intervention=BACK).items() if k != "channel"}
    with pytest.raises(UserError, match="passed on"):
        run(made)
