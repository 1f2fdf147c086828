"""Parts of the channel in a run: peers, teachers, time, critical copiers, skills."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from engine_case import engine
from test_culture import CHANNEL, KNOWLEDGE, run, tables

from evosim.errors import UserError

NEUTRAL = {"neutral": {"mutation": 0.1}}
SKILL = {"pool": "skill", "learning": 0.5, "payoff": 0.1}


def stepped(generations, **changes):
    made = engine(tables(genome=NEUTRAL, **changes))
    for _ in range(generations):
        lives = made.step()
    return made.culture, lives


def test_what_is_switched_off_changes_no_bit():
    off = {
        "peers": 0, "teaching": 0.0, "teaching_cost": 0.3, "critical": 1.0, "time": 0.0,
        "rise": 2.0, "compression": 1.0, "loss": 0.0, "spread": 0.0,
    }  # fmt: skip
    one, two = run(tables()), run(tables(channel=CHANNEL | off))
    for name in ("trajectory", "ledger"):
        pd.testing.assert_frame_equal(one.table(name), two.table(name), check_exact=True)


def test_a_closed_channel_is_no_channel_whatever_it_could_do():
    all_on = {"peers": 3, "teaching": 0.5, "critical": 0.5, "time": 0.01, "copying": 0.0}
    none = {k: v for k, v in tables().items() if k != "channel"}
    one, two = run(none), run(tables(channel=CHANNEL | all_on))
    for name in ("trajectory", "ledger"):
        pd.testing.assert_frame_equal(one.table(name), two.table(name), check_exact=True)
    assert np.array_equal(one.population["base/bits"], two.population["base/bits"])


def test_peers_pass_on_what_they_received():
    known = {"items": 200, "learning": 20.0}
    alone, _ = stepped(3, knowledge=known, channel={"fidelity": 0.5})
    more, _ = stepped(3, knowledge=known, channel={"fidelity": 0.5, "peers": 2})
    first = engine(tables(genome=NEUTRAL, knowledge=known, channel={"fidelity": 0.5, "peers": 2}))
    first.step()
    one = engine(tables(genome=NEUTRAL, knowledge=known, channel={"fidelity": 0.5}))
    one.step()
    first.transmission(first.birth())
    one.transmission(one.birth())
    # The first turn is the same to the bit; the second only adds.
    assert np.array_equal(first.culture.known & one.culture.known, one.culture.known)
    assert more.information[..., 1].mean() > 1.5 * alone.information[..., 1].mean()


def test_teachers_save_what_would_be_lost_and_pay_for_it():
    known = {"items": 200, "learning": 200.0}
    genome = NEUTRAL | {"teaching": {"initial": {"share": 0.5, "values": [0.0, 1.0]}}}
    channel = {"fidelity": 0.3, "teaching_cost": 0.01}
    made = engine(tables(genome=genome, knowledge=known, channel=channel))
    efforts = made.population.real[..., -1].copy()
    lives = made.step()
    assert set(np.unique(efforts)) == {0.0, 1.0}
    assert np.allclose(lives.payoff - lives.criterion, 0.01 * 200 * efforts)
    made.step()
    received = made.culture.information[..., 1]
    # With one model each newborn gets all of it from a teacher, and 3 in 10 from others.
    assert ((received == 200) | (abs(received - 60) < 40)).all()
    assert 0.2 < (received == 200).mean() < 0.8
    constant, _ = stepped(2, knowledge=known, channel={"fidelity": 0.3, "teaching": 0.5})
    assert constant.information[..., 1].mean() == pytest.approx(200 * 0.65, abs=3)
    # A checkpoint holds the efforts.
    again = engine(tables(genome=genome, knowledge=known, channel=channel))
    again.restore(made.state())
    made.step()
    again.step()
    assert np.array_equal(made.culture.information, again.culture.information)


def test_who_copies_uncritically_finds_nothing():
    known = {"items": 100, "learning": 30.0}
    channel = {"copying": 0.5, "fidelity": 0.5, "critical": 0.0}
    culture, _ = stepped(2, knowledge=known, channel=channel)
    _, received, learned = np.moveaxis(culture.information, 2, 0)
    assert (learned[received > 0] == 0).all()
    assert (learned[received == 0] > 0).mean() > 0.9
    genome = NEUTRAL | {"critical": {"initial": {"value": 0.5}}}
    made = engine(tables(genome=genome, knowledge=known, channel=channel | {"copying": 1.0}))
    founders = made.step() and made.culture.information[..., 2].mean()
    made.step()
    rest = 1 - made.culture.information[..., 1].mean() / 100
    assert made.culture.information[..., 2].mean() == pytest.approx(0.5 * rest * founders, rel=0.15)


def test_receiving_takes_time_from_finding():
    known = {"items": 100, "learning": 60.0}
    culture, _ = stepped(3, knowledge=known, channel={"time": 0.02, "rise": 1.0})
    received, learned = culture.information[..., 1], culture.information[..., 2]
    # No more than there is time for, and then nothing is found.
    assert received.max() == 50
    assert (learned[received == 50] == 0).all()
    flat, _ = stepped(3, knowledge=known, channel={"time": 0.5, "rise": 0.0})
    assert flat.information[..., 1].max() > 60


def test_a_skill_is_imitated_improved_and_reported():
    channel = {"choice": "best", "candidates": 0, "loss": 1.0, "spread": 0.5}
    made = tables(genome=NEUTRAL, knowledge=SKILL, channel=channel)
    grown = engine(made)
    for _ in range(3):
        grown.step()
    best = grown.culture.past.sum(axis=2).max(axis=1)
    lives = grown.step()
    values = grown.culture.information
    skill = values[..., 1:].sum(axis=2)
    assert np.allclose(lives.payoff, 0.1 * skill)
    assert (values[..., 2] == 0.5).all()
    error = (values[..., 1] - best[:, None] + 1.0) / 0.5
    assert abs(error.mean() - np.euler_gamma) < 4 * 1.2825 / np.sqrt(error.size)
    columns = grown.culture.columns(lives.count)
    assert np.allclose(columns["skill.best"], skill.max(axis=1))
    assert np.allclose(columns["skill.death"], skill.mean(axis=1))
    out = run(made)
    assert {"skill.received", "skill.best"} <= set(out.trajectory)
    assert "information.death" not in out.trajectory
    rows = out.ledger[out.ledger["kind"] == "skill"]
    assert set(rows["quantity"]) == {"skill.received", "skill.learned", "skill.all"}
    change = rows["after"] - rows["before"] - rows["selection"] - rows["transmission"]
    assert abs(change).max() < 1e-9


@pytest.mark.parametrize(
    ("knowledge", "channel"),
    [
        (SKILL, {"choice": "prestige", "strength": 0.5, "spread": 1.0}),
        (KNOWLEDGE, {"peers": 2, "fidelity": 0.6, "critical": 0.5, "time": 0.02}),
        ({"pool": "counted", "learning": 3.0}, {"time": 0.03, "compression": 0.8}),
    ],
)
def test_threads_replicates_and_resuming_change_nothing(knowledge, channel):
    genome = tables()["genome"] if "gene" in knowledge else NEUTRAL
    made = tables(
        knowledge=knowledge, channel=channel, genome=genome,
        population={"agents": 300, "replicates": 3, "generations": 5},
    )  # fmt: skip
    together, alone, half = engine(made, range(3)), engine(made, [2]), engine(made, [2])
    together._threads = lambda: 3
    for _ in range(4):
        together.step()
        alone.step()
    for _ in range(2):
        half.step()
    again = engine(made, [2])
    again.restore(half.state())
    for _ in range(2):
        again.step()
    assert np.array_equal(together.culture.information[2], alone.culture.information[0])
    assert np.array_equal(again.culture.information, alone.culture.information)
    assert np.array_equal(again.culture.shown, alone.culture.shown)


def test_time_that_an_intervention_brings_has_volumes_from_the_start():
    changes = [{"at": 3, "set": {"channel.time": 0.05, "channel.compression": 0.5}}]
    made = tables(
        genome=NEUTRAL, knowledge={"pool": "counted", "learning": 4.0}, channel={},
        intervention=changes, population={"agents": 40, "replicates": 3, "generations": 8},
    )  # fmt: skip
    mean = run(made).trajectory.groupby("generation").mean(numeric_only=True)
    learned = mean["information.learned"]
    assert learned[2] > 3
    # 12 items take half as much each: 0.05 * 6 of a life.
    assert learned[3] == pytest.approx(4 * 0.7, abs=0.5)


BAD = {
    "peers of a counted pool": (
        {"knowledge": {"pool": "counted", "learning": 1.0}, "channel": {"peers": 1}},
        "channel.peers", "tell each other items",
    ),
    "compressed bits": (
        {"channel": {"time": 0.1, "compression": 0.5}}, "channel.compression", "passed on",
    ),
    "compression of no time": ({"channel": {"compression": 0.5}}, "channel", "goes with time"),
    "loss of items": ({"channel": {"loss": 0.5}}, "channel.loss", "by degrees"),
    "an error of items": ({"channel": {"spread": 0.5}}, "channel.spread", "no error"),
    "a conformist skill": (
        {"knowledge": SKILL, "channel": {"choice": "conformist"}}, "channel.choice", "no item",
    ),
    "a strength of 2 others": (
        {"channel": {"choice": "prestige", "strength": 2.0}}, "channel", "0 to 1",
    ),
    "chosen parents": (
        {"channel": {"choice": "prestige", "path": "vertical"}}, "channel", "not chosen",
    ),
    "a majority that teaches": (
        {"channel": {"choice": "conformist", "teaching": 0.5}}, "channel", "no teacher",
    ),
    "a skill with items": ({"knowledge": SKILL | {"items": 5}}, "knowledge", "items goes"),
    "an innate skill": (
        {"knowledge": SKILL | {"gene": "innate"}}, "knowledge", "not with a skill",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    changes, key, says = BAD[name]
    made = tables(**{"genome": NEUTRAL, "knowledge": {"items": 50, "learning": 1.0}} | changes)
    with pytest.raises(UserError, match=says) as caught:
        run(made)
    assert caught.value.key == key
