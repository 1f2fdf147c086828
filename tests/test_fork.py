"""A fork goes on with the same agents and the same luck, and differs by what was changed."""

from __future__ import annotations

import pytest
import test_resume

import evosim
from evosim.cli import main
from evosim.errors import UserError
from evosim.scenario import Scenario


def scenario(generations=5, **changes):
    data = {
        "title": "coin",
        "population": {"agents": 30, "replicates": 4, "generations": generations},
        "world": {"kind": "bandit", "actions": ["left", "right"], "episodes": 3},
        "context": [
            {"name": "a", "frequency": 0.5, "payoff": {"left": 1.0}},
            {"name": "b", "frequency": 0.5, "payoff": {"right": 0.5}},
            {"name": "c", "frequency": 0.0, "payoff": {"right": 2.0}},
        ],
        "cues": {"bias": 1},
        "mind": {"kind": "reflex", "learning": "reinforce", "learning_rate": 0.1},
        "genome": {
            "policy": {"mutation": 0.1},
            "neutral": {"mutation": 0.1, "loci": 2},
            "marker": {"kind": "bits", "loci": 3, "mutation": 0.1},
        },
        "selection": {"kind": "wright-fisher", "fitness": {"exponential": 2.0}},
        "record": {"every": 1},
        "phase": [{"name": "late", "start": 7, "frequencies": {"a": 0.2, "b": 0.8}}],
        "arm": [{"name": "weak", "set": {"selection.fitness": {"exponential": 0.5}}}],
        **changes,
    }
    return Scenario.from_dict(data)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("fork") / "run"
    evosim.run(scenario(), out=out, threads=1)
    return out


def rows(table, arm, first=5):
    """One arm's rows from generation `first`, without its name."""
    some = table[(table["arm"] == arm) & (table["generation"] >= first)]
    return some.drop(columns="arm").reset_index(drop=True)


@pytest.mark.parametrize("arm", ["base", "weak"])
def test_the_unchanged_arm_is_the_run_that_went_on(finished, arm):
    longer = evosim.run(scenario(10), threads=1)
    forked = evosim.fork(finished, threads=1, arm=arm, set={"mind.learning_rate": 0.3})
    for name in ("trajectory", "contexts", "ledger"):
        mine, theirs = rows(forked.table(name), "unchanged"), rows(longer.table(name), arm)
        if name == "ledger":  # of the generation closed before the fork only the sums are known
            mine, theirs = (t[t["generation"] > 5].reset_index(drop=True) for t in (mine, theirs))
        assert len(mine) > 10
        assert mine.equals(theirs)


def test_the_luck_is_the_same(finished):
    """Another rate of neutral mutation moves neutral loci and nothing else."""
    forked = evosim.fork(finished, threads=1, set={"genome.neutral.mutation": 0.5}, generations=6)
    one, other = (rows(forked.trajectory, arm) for arm in ("unchanged", "changed"))
    neutral = [name for name in one if name.startswith("neutral")]
    assert len(neutral) >= 4
    assert one.drop(columns=neutral).equals(other.drop(columns=neutral))
    later = one["generation"] > 5
    assert (one[later]["neutral[0].sd"] < other[later]["neutral[0].sd"]).all()
    assert one[~later].equals(other[~later])


def test_sums_of_the_ledger_are_carried_by_name(finished):
    """The changed arm meets a context that the run did not: its acts begin at nothing."""
    change = {"context.c.frequency": 0.4}
    forked = evosim.fork(finished, threads=1, set=change, generations=1)
    ledger = forked.ledger[forked.ledger["generation"] == 6]
    acts = ledger[ledger["kind"] == "act"]
    new = acts[(acts["arm"] == "changed") & (acts["context"] == "c")]
    assert len(new) == 4 * 2
    assert new["cumulative_selection"].equals(new["selection"])
    before = evosim.load(finished).ledger
    before = before[(before["arm"] == "base") & (before["generation"] == 5)]
    for arm in ("unchanged", "changed"):
        for quantity in ("policy", "neutral[1]", "act:a:bias=1:left"):
            then, now = (
                t[t["quantity"] == quantity] for t in (before, ledger[ledger["arm"] == arm])
            )
            gained = (
                now["cumulative_selection"].to_numpy() - then["cumulative_selection"].to_numpy()
            )
            assert gained == pytest.approx(now["selection"].to_numpy(), abs=1e-12)


def test_without_changes_the_run_just_goes_on(finished):
    forked = evosim.fork(finished, threads=1, generations=3)
    assert list(forked.trajectory["arm"].unique()) == ["unchanged"]
    assert forked.trajectory["generation"].min() == 5
    assert forked.trajectory["generation"].max() == 8
    assert forked.info["fork"] == {"directory": str(finished), "arm": "base", "generation": 5}


def test_an_interrupted_run_can_be_forked_and_a_fork_resumed(tmp_path, monkeypatch):
    out, _ = test_resume.interrupted(tmp_path, monkeypatch, after=12, scenario=scenario(9))
    change = {"selection.fitness": {"exponential": 0.1}}
    with pytest.raises(UserError, match=r"arm: arm 'base \[x\]'|no arm 'bas'; allowed: base"):
        evosim.fork(out, arm="bas")
    forked = evosim.fork(out, tmp_path / "whole", 1, set=change, generations=4, arm="weak")
    assert forked.info["fork"]["generation"] == 2
    looks, look = 0, test_resume.checkpoint.Keeper.look

    def until(self):
        nonlocal looks
        look(self)
        looks += 1
        if looks == 7:
            raise test_resume.Killed

    options = {"set": change, "generations": 4, "arm": "weak", "checkpoints": 2}
    with monkeypatch.context() as patch:
        patch.setattr(test_resume.checkpoint.Keeper, "look", until)
        with pytest.raises(test_resume.Killed):
            evosim.fork(out, tmp_path / "killed", 1, **options)
    again = evosim.fork(out, tmp_path / "killed", 1, **options, resume=True)
    assert again.info["resumed"] == [{"arm": "changed", "generation": 3}]
    assert test_resume.contents(again.path) == test_resume.contents(forked.path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("seed", 3, "seed: cannot change in a fork: the luck"),
        ("population.agents", 50, "population.agents: cannot change in a fork"),
        ("population.replicates", 2, "population.replicates: cannot change in a fork"),
        ("genome.policy.initial", {"value": 1.0}, "has no effect in a fork"),
        ("genome.neutral.loci", 5, "gene 'neutral' would have other loci (2 there, 5 here)"),
        ("genome.neutral2", {"mutation": 0.1}, "gene 'neutral2' would be new"),
        ("cues.side", {"one_hot": "context"}, "gene 'policy' would have other loci"),
        ("mind.learning_rate", 0.1, "overrides nothing"),
        ("mind.lerning_rate", 0.1, "did you mean"),
        ("selection.kind", "replay", "selection"),
    ],
)
def test_what_cannot_change_is_said_in_one_line(finished, key, value, said):
    with pytest.raises(UserError) as caught:
        evosim.fork(finished, set={key: value})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command(finished, tmp_path, capsys):
    command = ["fork", str(finished), "--threads", "1", "--no-plots", "--generations", "2"]
    out = ["--out", str(tmp_path / "forked")]
    assert main([*command, *out, "--set", "mind.learning_rate=0.3"]) == 0
    forked = evosim.load(tmp_path / "forked")
    assert set(forked.trajectory["arm"]) == {"unchanged", "changed"}
    assert "forked at generation 5" in forked.scenario.model.title
    assert str(tmp_path / "forked") in capsys.readouterr().out
    assert main([*command, *out]) == 2
    assert "already holds results" in capsys.readouterr().err
    assert main(["fork", str(tmp_path / "nothing"), "--set", "mind.learning_rate=0.3"]) == 2
    assert main([*command, "--set", "seed=9"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    assert "seed: cannot change" in said
