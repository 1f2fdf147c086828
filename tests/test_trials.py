"""Trials: they see whole lives and change none; pairs share their luck; errors are one line."""

from __future__ import annotations

import engine_case
import numpy as np
import pandas as pd
import pytest

from evosim import trials
from evosim.claims.names import INDICES
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.scenario import Scenario
from evosim.simulate import simulate

MIND = {"kind": "model-free", "learning_rate": 0.5, "temperature": 0.05, "optimism": 0.8}
#: The fork road of SCENARIOS A6 without its corridor's length: one step to the fork.
ROAD = [
    {"from": "road", "action": "on", "to": "fork"},
    {"from": "road", "action": "off", "to": "end", "payoff": 0.4, "reward": 0.4},
    {"from": "fork", "action": "on", "to": "end", "p": 0.9, "payoff": 0.5, "reward": 0.5},
    {"from": "fork", "action": "on", "to": "l1", "p": 0.1},
    {"from": "fork", "action": "off", "to": "l1"},
    {"from": "l1", "action": "on", "to": "l2"},
    {"from": "l2", "action": "on", "to": "end", "payoff": 1.0, "reward": 1.0},
    {"from": ["l1", "l2"], "action": "off", "to": "end"},
]
TOLL = [
    {"from": "fork", "action": "on", "to": "end", "p": 0.9, "payoff": 0.5, "reward": 0.5},
    {"from": "fork", "action": "on", "to": "l1", "p": 0.1, "payoff": -2, "reward": -2,
     "once": True},
    {"from": "fork", "action": "off", "to": "l1", "payoff": -2, "reward": -2, "once": True},
]  # fmt: skip


def data(*, trial, episodes=60, mind=None, **population):
    return {
        "title": "fork road", "seed": 5,
        "population": {"agents": 16, "replicates": 3, "generations": 3} | population,
        "world": {
            "kind": "graph", "actions": ["on", "off"], "start": "road", "steps": 6,
            "episodes": episodes, "transitions": ROAD, "regions": {"branch": ["l1", "l2"]},
        },
        "context": [
            {"name": "calm", "frequency": 1.0},
            {"name": "accident", "frequency": 0.0, "transitions": TOLL},
            {"name": "twin", "frequency": 0.0},
        ],
        "cues": {"at": {"one_hot": "state"}},
        "mind": MIND | (mind or {}),
        "genome": {
            "temperature": {"initial": {"value": 0.05}, "mutation": 0.02, "bounds": [0.01, 1.0]}
        },
        "selection": {"kind": "wright-fisher", "fitness": {"exponential": 2.0}},
        "trial": trial,
    }  # fmt: skip


def trial(name, context, **more):
    return {"name": name, "context": context, "region": "branch", "windows": 6} | more


PAIR = [
    trial("hurt", "accident", control="unhurt", forced=4),
    trial("unhurt", "calm"),
    trial("twin", "twin", agents=9, every=2),
]


def run(tables, **options):
    return simulate(Scenario.from_dict(tables), **{"threads": 1} | options).tables


def lived(tables, name, generation=0, replicates=range(3), threads=1):
    """Plan of the trial, what it is resolved into, and the lives of one generation's agents."""
    made = engine_case.engine(tables, replicates)
    spec = next(t for t in made.resolved.model.trial if t.name == name)
    plan = trials.plan_trial(spec, made.resolved, 1)
    keys = replicate_keys(tables["seed"], np.asarray(list(replicates)))
    who = (made.birth(), made.population.count, keys)
    return plan, made.resolved, trials.live_trial(plan, made.resolved, *who, generation, threads)


def same(one, other):
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_trials_change_no_bit_of_the_other_tables():
    without, with_trials = run(data(trial=[])), run(data(trial=PAIR))
    for name, table in without.items():
        if name != "trials":
            kept = [c for c in with_trials[name].columns if not c.startswith("trial.")]
            same(table, with_trials[name][kept])
    assert without["trials"].empty
    rows = with_trials["trials"]
    assert set(rows["trial"]) == {"hurt", "unhurt", "twin"}
    assert set(rows[rows["trial"] == "twin"]["generation"]) == {0, 2, 3}  # and the last
    assert len(rows[rows["trial"] == "hurt"]) == 4 * 3 * 6  # generations, replicates, windows
    assert with_trials["trajectory"]["trial.hurt.lock_in"].between(0, 1).all()


def test_trials_that_no_claim_reads_at_the_end_are_not_lived_there():
    once = [trial("unhurt", "calm", every=100)]
    claim = {"says": "they enter", "measure": "trial.unhurt.entered", "above": 0.1}
    for at, generations in (({"at": {"generation": 1}}, {0, 1}), ({}, {0, 3})):
        rows = run(data(trial=once) | {"claim": [claim | at]})["trials"]
        assert set(rows["generation"]) == generations


def test_trials_are_the_same_for_any_threads_and_replicates():
    tables = data(trial=PAIR, agents=24)
    one, two = run(tables), run(tables, threads=2)
    for name in ("trials", "trajectory"):
        same(one[name], two[name])
    alone = run(tables, replicates=[2])
    for name in ("trials", "trajectory"):
        together = one[name][one[name]["replicate"] == 2].reset_index(drop=True)
        same(together, alone[name].reset_index(drop=True))


def test_every_index_is_there_and_a_number_may_be_missing_whoever_lives():
    """A replicate alone has the columns and types of all, even where it has no such index."""
    names = [f"trial.hurt.{index}" for index in INDICES]
    for optimism in (0.0, 30.0):
        tables = data(trial=PAIR, mind={"optimism": optimism})
        one, alone = (run(tables, **o)["trajectory"] for o in ({}, {"replicates": [1]}))
        assert set(names) <= set(one.columns)
        assert one.dtypes.equals(alone.dtypes)
    assert one["trial.hurt.unlock_dose"].isna().all()  # all of them enter


def test_another_trial_changes_none():
    both, one = run(data(trial=PAIR))["trials"], run(data(trial=PAIR[1:2]))["trials"]
    same(both[both["trial"] == "unhurt"].reset_index(drop=True), one.reset_index(drop=True))


def test_two_trials_in_equal_contexts_are_equal():
    tables = data(trial=[trial("a", "calm", control="b"), trial("b", "twin", control="a")])
    brought = run(tables)
    rows = brought["trials"]
    a, b = (rows[rows["trial"] == name].reset_index(drop=True) for name in "ab")
    same(a.drop(columns=["trial", "context"]), b.drop(columns=["trial", "context"]))
    columns = brought["trajectory"]
    for name in [c for c in columns if c.startswith("trial.a.")]:
        assert columns[name].equals(columns[name.replace("trial.a.", "trial.b.")]), name
    assert (columns["trial.a.horizon"] == 0).all()
    assert (columns["trial.a.horizon_mean"] == 0).all()


def test_agents_that_never_meet_the_accident_live_their_controls_life():
    # At 0 optimism the sure .4 is what most agents ever try.
    tables = data(trial=PAIR, mind={"optimism": 0.0}, agents=64)
    plan, resolved, hurt = lived(tables, "hurt")
    calm, _, unhurt = lived(tables, "unhurt")
    spared, struck = [], []
    for r in range(3):
        one = trials._visits(plan, hurt, resolved, r)
        other = trials._visits(calm, unhurt, resolved, r)
        met = one[:, :, plan.site.inside].sum(axis=(1, 2, 3)) > 0
        spared += [np.array_equal(one[k], other[k]) for k in np.flatnonzero(~met)]
        struck += [np.array_equal(one[k], other[k]) for k in np.flatnonzero(met)]
    assert len(spared) > 10
    assert all(spared)
    assert len(struck) > 10
    assert not all(struck)


def test_a_generation_has_its_own_luck_and_no_more_agents_live_than_asked():
    tables = data(trial=PAIR)
    one, other = (lived(tables, "unhurt", generation)[2] for generation in (0, 1))
    assert not np.array_equal(one.trail.visits, other.trail.visits)
    few = lived(tables, "twin")[2]
    assert few.alive.shape == (3, 9)
    assert np.array_equal(few.trail.payoff, one.trail.payoff[:, :9])


def test_forced_entries_go_in_by_the_door_and_count_for_nothing_else():
    _, resolved, with_forced = lived(data(trial=[trial("t", "calm", forced=4)]), "t")
    _, _, without = lived(data(trial=[trial("t", "calm")]), "t")
    for part in ("visits", "payoff", "rewarded", "moved", "finished"):
        assert np.array_equal(getattr(with_forced.trail, part), getattr(without.trail, part))
    assert np.array_equal(with_forced.learned, without.learned)
    # The road is met no more: what is known of it stays as it was at the end of the life.
    flat = resolved.world.percept_cue.argmax(axis=1)
    road = resolved.world.cue_names.index("at=road")
    after = with_forced.trail.policy.reshape(3, 16, 4, -1, 2)
    before = with_forced.learned.reshape(3, 16, 1, -1, 2)
    z = int(np.flatnonzero(flat == road)[0])
    assert np.array_equal(after[:, :, :, z], np.broadcast_to(before, after.shape)[:, :, :, z])


def sure_branch(rate, temperature):
    """A branch that ends at once and pays 1, six episodes long, for agents that expect nothing."""
    tables = data(trial=[trial("t", "calm", forced=5)], episodes=6)
    tables["world"]["transitions"] = [
        {"from": "road", "action": "on", "to": "l1", "payoff": 1.0, "reward": 1.0},
        {"from": "road", "action": "off", "to": "end", "payoff": 0.4, "reward": 0.4},
        {"from": "l1", "to": "end"},
    ]
    tables["world"]["regions"] = {"branch": ["l1"]}
    tables["context"] = tables["context"][:1]
    tables["mind"] |= {"optimism": 0.0, "temperature": temperature, "learning_rate": rate}
    tables["genome"] = {"optimism": {"mutation": 0.1}}
    return lived(tables, "t")


def test_forced_entries_move_an_estimate_geometrically():
    """Each takes away half of the error."""
    plan, resolved, made = sure_branch(0.5, 0.7)
    states = np.concatenate([made.learned[:, :, None], made.trail.policy], axis=2)
    p = trials.policies(resolved, made.genes[0], states[0], plan.site)[:, :, 0]
    logit = np.log(p[..., 0] / p[..., 1])
    steps = np.diff(logit, axis=1)
    some = np.abs(steps[:, 0]) > 1e-3  # whose estimate had not arrived already
    assert some.sum() > 5
    assert np.allclose(steps[some, 1:], 0.5 * steps[some, :-1], rtol=0, atol=1e-9)


def test_the_dose_that_unlocks_by_hand():
    """Who was out six times values that .4 (1 - .9^6) = .187 and the branch nothing: shut.

    At a temperature of .045 the branch is chosen with 1/4 when it is worth .187 - .045 ln 3 = .138:
    one entry brings .1, two .19. Who was in even once is not shut.
    """
    plan, resolved, made = sure_branch(0.1, 0.045)
    found = trials.indices(plan, resolved, made, None)
    assert found["unlock_dose"].tolist() == [2.0] * 3
    assert found["unlocked"].tolist() == [1.0] * 3
    shut = (made.trail.visits.reshape(3, 16, 6, -1)[..., 0].sum(axis=2) == 0).mean()
    assert 0 < shut < 1
    assert found["untried"].mean() == pytest.approx(shut)
    assert found["never_entered"].mean() >= shut


def test_first_entries_are_counted_as_they_happen():
    plan, resolved, made = sure_branch(0.1, 0.045)
    found, by_window = (
        trials.indices(plan, resolved, made, None),
        trials.course(plan, made, resolved),
    )
    for r in range(3):
        entered = trials._visits(plan, made, resolved, r)[..., plan.site.entry].sum(axis=2)
        untried, first = 0, []
        for life in entered:
            windows = [w for w, count in enumerate(life) if count]
            untried += not windows
            first += windows[:1]
        assert found["untried"][r] == untried / len(entered)
        assert found["first_entry"][r] == pytest.approx(np.mean(by_window["episode"][r][first]))
        for w, share in enumerate(by_window["untried"][r]):
            assert share == pytest.approx(1 - np.mean([any(life[: w + 1]) for life in entered]))


def test_learned_models_have_room_for_what_only_trials_show():
    """A context of frequency 0 in which the road leads elsewhere as well."""
    tables = data(trial=PAIR)
    tables["mind"] = {"kind": "lookahead", "model": "learned"}
    tables["context"][1]["transitions"] = [
        {"from": "road", "action": "on", "to": "fork", "p": 0.5},
        {"from": "road", "action": "on", "to": "l2", "p": 0.5},
    ]
    assert engine_case.resolved(tables).learning.tables.branch.shape[2] == 2
    tables["mind"]["model"] = "given"
    given = engine_case.resolved(tables).learning.tables
    road = engine_case.resolved(tables).world.cue_names.index("at=road")
    z = int(np.flatnonzero(engine_case.resolved(tables).world.percept_cue[:, road])[0])
    assert (given.chance[z, 0] > 0).sum() == 1  # what training never shows is not given


def test_one_accident_locks_value_learners_and_the_control_never():
    """SCENARIOS A6: .927-.950 of 400 lives with the toll, none without (lr .5, q0 .8, temp .02)."""
    tables = data(trial=PAIR[:2], episodes=600, agents=200, replicates=2, generations=1)
    tables["genome"] = {"optimism": {"initial": {"value": 0.8}}}
    tables["mind"]["temperature"] = 0.02
    tables["trial"] = [t | {"windows": 10} for t in PAIR[:2]]
    found = run(tables)["trajectory"]
    hurt = found["trial.hurt.lock_in"].mean()
    assert abs(hurt - 0.94) < 4 * np.sqrt(0.94 * 0.06 / 400) + 0.012
    assert (found["trial.unhurt.lock_in"] == 0).all()
    assert (found["trial.hurt.horizon"] == 0).all()  # the fork alone is avoided
    assert (found["trial.hurt.competence"] > 0.8).all()


def test_where_lives_are_spent_and_where_things_are_learned():
    tables = data(trial=[trial("t", "calm")])
    plan, resolved, made = lived(tables, "t")
    found = trials.indices(plan, resolved, made, None)
    world = resolved.world
    inside = [world.states.index(name) for name in ("l1", "l2")]
    percepts = [world.percept[0, s] for s in inside]
    for r in range(3):
        visits = made.trail.visits[r].reshape(16, 6, 3, -1, 2).sum(axis=(0, 2, 4))
        assert found["occupancy"][r] == visits[:, inside].sum() / visits.sum()
        assert found["occupancy_last"][r] == visits[-1, inside].sum() / visits[-1].sum()
        moved = made.trail.moved[r].sum(axis=(0, 1))
        want = moved[percepts].sum()
        assert found["moved_inside"][r] == pytest.approx(want / 16)
        assert found["update_share"][r] == pytest.approx(want / moved.sum())
        change = np.linalg.norm(made.learned[r] - made.born[r], axis=1)
        assert found["displacement"][r] == pytest.approx(change.mean())
    assert (found["visit_divergence"] > 0.01).all()
    assert (found["off_gradient"] > 0.1).all()


def test_who_learns_nothing_changes_nothing_and_visits_what_chance_does():
    tables = data(
        trial=[trial("t", "calm")], agents=400, mind={"learning_rate": 0.0, "temperature": 1e6}
    )
    tables["genome"] = {"optimism": {"mutation": 0.1}}
    found = trials.indices(*lived(tables, "t"), None)
    assert (found["displacement"] == 0).all()
    assert (found["moved_inside"] == 0).all()
    assert np.isnan(found["update_share"]).all()
    assert np.isnan(found["off_gradient"]).all()
    # A sample of n visits among k places is off by (k - 1)/2n on average.
    assert (found["visit_divergence"] < 10 * 3 / (2 * 400 * 10)).all()


def in_blocks(tables, *blocks):
    """The same scenario with (context, episodes) block after block."""
    for context in tables["context"]:
        context.pop("frequency")
    tables["world"].pop("episodes")
    tables["block"] = [
        {"name": f"{i}", "episodes": n, "frequencies": {name: 1.0}}
        for i, (name, n) in enumerate(blocks)
    ]
    return tables


def test_a_trial_that_lives_the_blocks_is_watched_in_one_context():
    """Two windows calm, then four in which the accident can happen: the same luck throughout."""
    tables = data(trial=[trial("both", "accident", blocks=True, control="calm"),
                         trial("calm", "calm")])  # fmt: skip
    tables = in_blocks(tables, ("calm", 20), ("accident", 40))
    plan, resolved, both = lived(tables, "both")
    _, _, calm = lived(tables, "calm")
    assert plan.watched.tolist() == [0, 0, 10, 10, 10, 10]
    visits = [t.trail.visits.reshape(3, 16, 6, 3, -1, 2) for t in (both, calm)]
    assert np.array_equal(visits[0][:, :, :2], visits[1][:, :, :2])
    assert visits[0][:, :, 2:, [0, 2]].sum() == 0
    found, course = (
        trials.indices(plan, resolved, both, calm),
        trials.course(plan, both, resolved),
    )
    for r in range(3):
        entered = visits[0][r, :, 2:, 1][..., plan.site.entry].sum(axis=2)
        assert entered.sum() > 0
        assert found["entered"][r] == pytest.approx(entered.sum() / (16 * 40))
        assert found["entered_last"][r] == pytest.approx(entered[:, -1].sum() / (16 * 10))
        assert found["untried"][r] == (entered.sum(axis=1) == 0).mean()
        assert np.isnan(course["entered"][r, :2]).all()
        assert course["entered"][r, 2:] == pytest.approx(entered.sum(axis=0) / (16 * 10))
        assert course["untried"][r, 1] == 1.0
        still = both.trail.rewarded[r] == 0
        moved = (both.trail.moved[r].sum(axis=2) + both.trail.finished[r])[still].sum()
        assert found["moved_unrewarded"][r] == pytest.approx(moved / 16)
    assert found["payoff"].max() < plan.site.best @ plan.site.start + 1e-9


def test_a_trial_in_blocks_must_end_in_its_context():
    tables = data(trial=[trial("t", "calm", blocks=True)])
    with pytest.raises(UserError, match=r"trial.t.blocks: there are no blocks; allowed: false, or"):
        Scenario.from_dict(tables)
    tables = in_blocks(tables, ("calm", 56), ("accident", 4))
    with pytest.raises(UserError, match="context 'calm' is not all of the last 1 of 6 windows"):
        simulate(Scenario.from_dict(tables), threads=1)


WRONG = [
    ({"region": "branhc"}, "trial.t.region", "'branhc'", "did you mean 'branch'?"),
    ({"context": "acident"}, "trial.t.context", "'acident'", "did you mean 'accident'?"),
    ({"elsewhere": "nowhere"}, "trial.t.elsewhere", "'nowhere'", "calm"),
    ({"control": "unhrut"}, "trial.t.control", "'unhrut'", "did you mean 'unhurt'?"),
    ({"control": "t"}, "trial.t.control", "'t'", "unhurt"),
    ({"windows": 61}, "trial.t.windows", "61 windows in 60 episodes", "4 to 60"),
    ({"windows": 3}, "trial.t.windows", "3", "from 4 to 200"),
    ({"forced": 1001}, "trial.t.forced", "1001", "from 0 to 1000"),
]


def refused(tables, *parts):
    with pytest.raises(UserError) as caught:
        run(tables)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    for part in parts:
        assert part in line, line


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: str(w[0]))
def test_errors_are_one_line(wrong):
    changes, *parts = wrong
    refused(data(trial=[trial("t", "accident") | changes, PAIR[1]]), *parts)


def test_minds_that_do_not_learn_are_assayed_not_tried():
    tables = data(trial=PAIR)
    tables["mind"], tables["genome"] = {"kind": "reflex"}, {"policy": {"mutation": 0.1}}
    refused(tables, "trial.hurt", "do not change during life", "minds that learn")


def test_a_region_that_nobody_can_choose_to_enter_is_refused():
    tables = data(trial=PAIR)
    tables["world"]["regions"] = {"branch": ["road"]}
    refused(tables, "trial.hurt.region", "nobody can choose to enter 'branch'", "'accident'")


def test_a_second_trial_of_the_same_name_is_refused():
    refused(data(trial=[PAIR[1], PAIR[1]]), "a second trial called 'unhurt'")
