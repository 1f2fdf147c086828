"""Every anti-fake check finds its fake, and finds nothing where nothing is faked."""

from __future__ import annotations

from dataclasses import replace

import engine_case
import numpy as np
import pytest
from antifake_case import TOY, toy

import evosim.resolve
import evosim.worlds.build
from evosim import antifake
from evosim.antifake.history import AGENTS, FEWEST, Small, agents_of
from evosim.antifake.neutral import switched_off
from evosim.antifake.permute import Loci, move_bits, unpacked
from evosim.antifake.reflect import most_and_least
from evosim.antifake.ttest import bound_of, t_of
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.layout import Slot
from evosim.resolve import resolve
from evosim.scenario import Scenario
from evosim.scenario.biology import Gene
from evosim.scenario.load import validate
from evosim.scenario.override import override
from evosim.scenario.resolved import plain

LEARNERS = {"mind.learning": "reinforce", "mind.learning_rate": 0.3}
#: Newborns copy whoever earned most.
LORE = {
    "knowledge": {"pool": "finite", "items": 9, "learning": 3},
    "channel": {"choice": "best", "candidates": 0, "fidelity": 0.8},
}
CHAIN = {
    "world": {"kind": "chain", "length": 4, "steps": 6, "episodes": 3},
    "context": [{"name": "only", "frequency": 1.0}],
    "cues": {"bias": 1},
    "assay": [{"name": "right", "context": "only", "measure": {"first_action": "forward"}}],
}
TRAITS = {
    "world": {"kind": "landscape", "shape": "linear", "gene": "trait"},
    "genome": {"trait": {"loci": 4, "mutation": 0.1}},
    "context": [], "cues": {}, "assay": [],
}  # fmt: skip


def quick(check, scenario):
    return antifake.check_quick(scenario, check)


def measured(check, scenario):
    return antifake.check_measured(scenario, check)


# Fakes: each puts something where it must not be.


def in_tables(bend):
    """A fake between the built world and the kernels."""

    def plant(monkeypatch):
        honest = evosim.resolve.world_tables
        monkeypatch.setattr(
            evosim.resolve,
            "world_tables",
            lambda world, *rest: bend(world, honest(world, *rest)),
        )

    return plant


def in_builder(cue_of):
    """A fake that reads the scenario file when cues are made."""

    def plant(monkeypatch):
        honest = evosim.worlds.build.cue_columns

        def columns(model, tables):
            made = honest(model, tables)
            return replace(made, values=made.values + cue_of(model))

        monkeypatch.setattr(evosim.worlds.build, "cue_columns", columns)

    return plant


def in_engine(name, after):
    """A fake that follows a stage of the engine."""

    def plant(monkeypatch):
        honest = getattr(Engine, name)

        def stage(self, *args):
            out = honest(self, *args)
            after(self, *args)
            return out

        monkeypatch.setattr(Engine, name, stage)

    return plant


def whole(world, value):
    return np.ascontiguousarray(np.broadcast_to(value, world.payoff.shape)).ravel()


def goal_pays(world, tables):
    return tables._replace(payoff=tables.payoff + world.goal.ravel())


def region_pays(world, tables):
    into = world.region[np.arange(len(world.region))[:, None, None, None], world.outcome_state]
    return tables._replace(payoff=tables.payoff + into.ravel())


def goal_leads(world, tables):
    return tables._replace(cues=(tables.cues * (1 + 0.1 * world.goal.sum())).astype(np.float32))


def payoff_seen(world, tables):
    return tables._replace(cues=(tables.cues + 0.01 * world.payoff.sum()).astype(np.float32))


def payoff_rewards(world, tables):
    return tables._replace(reward=world.payoff.ravel())


def first_context_pays(world, tables):
    bonus = np.zeros(len(world.variants))
    bonus[0] = 1.0
    chosen = np.zeros(len(world.actions))
    chosen[-1] = 1.0
    return tables._replace(
        payoff=tables.payoff + whole(world, bonus[:, None, None, None] * chosen[:, None])
    )


def first_action_pays(world, tables):
    bonus = np.zeros((len(world.actions), 1))
    bonus[0] = 1.0
    return tables._replace(payoff=tables.payoff + whole(world, bonus))


def first_cue_is_loud(world, tables):
    cues = tables.cues.copy()
    cues[0] *= 5
    return tables._replace(cues=cues)


def second_state_pays(world, tables):
    bonus = np.zeros((len(world.states), 1, 1))
    bonus[1] = 1.0
    return tables._replace(payoff=tables.payoff + whole(world, bonus))


def goals_in_file(model):
    return 0.1 * sum(sum((c.goal or {}).values()) for c in model.context)


def payoffs_in_file(model):
    return 0.1 * sum(sum((c.payoff or {}).values()) for c in model.context)


def earnings_inherited(engine, lives, _pedigree):
    engine.population.real[...] += np.float32(1e-3) * np.float32(lives.payoff.mean())


def learned_from_earnings(_engine, lives):
    lives.learned[...] += 1e-3 * lives.payoff[..., None]


def earnings_told(engine, lives, _pedigree):
    engine.culture.shown[..., 0] ^= lives.payoff.astype(np.uint64)


def first_locus_pays(engine, lives):
    lives.criterion += 2.0 * lives.genes[..., 0]


def marker_pays(engine, lives):
    neutral = engine.resolved.layout.slot("neutral") or engine.resolved.layout.real[-1]
    lives.criterion += 2.0 * lives.genes[..., neutral.start]


def title_pays(engine, lives):
    if engine.resolved.model.title == TOY["title"]:
        lives.criterion += lives.genes[..., 0]


def context_name_pays(engine, lives):
    if engine.resolved.world.contexts[0] == "coin right":
        lives.criterion += lives.genes[..., 0]


def pushed(engine, *_):
    """An effect that is put into the genes, whatever was selected."""
    policy = engine.resolved.layout.slot("policy")
    engine.population.real[..., policy.start : policy.stop] -= np.float32(0.2)


QUICK_FAKES = {
    "F1 goal added to payoff": ("F1", in_tables(goal_pays), {}),
    "F1 region added to payoff": ("F1", in_tables(region_pays), {}),
    "F1 goal in what is seen": ("F1", in_tables(goal_leads), {}),
    "F1 goals of the file in cues": ("F1", in_builder(goals_in_file), {}),
    "F2 payoff in what is seen": ("F2", in_tables(payoff_seen), {}),
    "F2 payoffs of the file in cues": ("F2", in_builder(payoffs_in_file), {}),
    "F2 payoff as reward": ("F2", in_tables(payoff_rewards), LEARNERS),
    "F2 payoff inherited": ("F2", in_engine("close", earnings_inherited), {}),
    "F2 payoff in learned states": ("F2", in_engine("fitness", learned_from_earnings), LEARNERS),
    "F2 payoff in what is copied": ("F2", in_engine("close", earnings_told), LORE),
    "F3 first context pays": ("F3", in_tables(first_context_pays), {}),
    "F3 first of trained contexts pays": (
        "F3", in_tables(first_context_pays), {"context.coin right.frequency": 1.0}),
    "F3 first action pays": ("F3", in_tables(first_action_pays), {}),
    "F3 first cue is louder": ("F3", in_tables(first_cue_is_loud), {}),
    "F3 second state pays": ("F3", in_tables(second_state_pays), CHAIN),
    "F3 first locus pays": ("F3", in_engine("fitness", first_locus_pays), TRAITS),
    "F7 the title pays": ("F7", in_engine("fitness", title_pays), {}),
    "F7 a context's name pays": ("F7", in_engine("fitness", context_name_pays), {}),
    "F10 a marker pays": ("F10", in_engine("fitness", marker_pays), {}),
    "F10 a gene added for the check pays": ("F10", in_engine("fitness", marker_pays), TRAITS),
}  # fmt: skip


def made(changes):
    return toy(**changes) if "world" in changes else toy(changes)


@pytest.mark.parametrize("name", QUICK_FAKES)
def test_quick_checks_find_their_fakes(name, monkeypatch):
    check, plant, changes = QUICK_FAKES[name]
    honest = quick(check, made(changes))
    assert honest.verdict == "pass", honest.reason
    plant(monkeypatch)
    fake = quick(check, made(changes))
    assert fake.verdict == "fail", fake.reason
    assert fake.number > honest.number or "differ" in fake.reason


@pytest.mark.parametrize("check", antifake.MEASURED)
def test_an_honest_effect_passes(check):
    row = measured(check, toy())
    assert row.verdict == "pass", row.reason


@pytest.mark.parametrize("check", ["F4", "F5", "F6", "F9"])
def test_an_effect_that_is_put_in_fails(check, monkeypatch):
    """It comes without selection, in the control, at every dose, whatever payoff's sign."""
    in_engine("close", pushed)(monkeypatch)
    row = measured(check, toy({"selection.fraction": 0.95}) if check == "F5" else toy())
    assert row.verdict == "fail", row.reason


def test_an_effect_that_is_not_there_fails():
    still = toy({"genome.policy.mutation": 0.0})
    for check, word in (
        ("F4", "no effect"),
        ("F5", "not higher"),
        ("F6", "no more than the margin"),
    ):
        row = measured(check, still)
        assert row.verdict == "fail"
        assert word in row.reason
    assert measured("F9", still).verdict == "pass"


def test_a_dose_that_goes_the_other_way_fails():
    row = measured("F6", toy({"effect.dose.direction": "increasing"}))
    assert row.verdict == "fail"
    assert "not from 0.7 to 1" in row.reason
    assert row.number < 0


def test_founders_that_start_with_the_effect_fail():
    row = measured("F8", toy({"genome.policy.initial": {"value": -0.1}}))
    assert row.verdict == "fail"
    assert row.number == pytest.approx(0.55, abs=0.01)
    founders = {"genome.policy.initial": {"normal": [0, 3]}, "population.agents": 4}
    verdicts = {
        margin: measured("F8", toy(founders | {"effect.start.margin": margin})).verdict
        for margin in (0.1, 0.001)
    }
    # In the narrow margin three errors have no room, wherever the mean is.
    assert verdicts == {0.1: "pass", 0.001: "fail"}


def test_a_control_with_the_effect_or_without_an_answer_fails():
    shown = toy(arm=[{"name": "random breeding", "set": {"selection.fraction": 0.5}}])
    assert measured("F9", shown).verdict == "fail"
    row = measured("F9", toy({"effect.margin": 1e-4}))
    assert row.verdict == "fail", row.reason


def test_learning_and_transmission_can_be_switched_off():
    learned = toy(
        {"effect.mechanism": "learning", "assay.right.when": "death"},
        mind={"learning": "reinforce", "learning_rate": 0.3},
        selection={"kind": "truncation", "fraction": 1.0},
        arm=[
            {"name": "random breeding", "set": {"mind.learning": "none", "mind.learning_rate": 0}}
        ],
    )
    row = measured("F4", learned)
    assert row.verdict == "pass", row.reason
    assert "without learning" in row.reason
    carried = toy({"effect.mechanism": "transmission"})
    assert measured("F4", carried).verdict == "pass"
    row = measured("F4", toy({"effect.mechanism": "identity"}))
    assert row.verdict == "fail"
    assert "a reason why F4 does not apply" in row.reason


LOOKING = {"kind": "lookahead", "temperature": 0.1}
SIGNS = {"topics": ["coin"], "temperature": 0.1}


@pytest.mark.parametrize(
    "mind",
    [
        {"kind": "model-free", "learning_rate": 0.5},
        {"kind": "model-free", "rule": "actor-critic", "learning_rate": 0.5, "actor_rate": 0.5},
        LOOKING,
        LOOKING | {"leaf": "learned"},
        SIGNS | {"kind": "abstract"},
        SIGNS | {"kind": "reflective", "alarm": 0.1},
    ],
)
def test_minds_without_learning_die_as_they_were_born(mind):
    given = {
        "mind": mind,
        "genome": {"neutral": {"loci": 3, "mutation": 0.1}},
        # Where no coin is seen, rewards are not what is expected on average.
        "cues": {"bias": 1, "coin": {"context": True, "visible": 0.5}},
    }
    learning = toy({"effect.mechanism": "learning"}, **given)
    model = validate(override(plain(learning.model), switched_off(learning, learning.model)))
    for spec, changes in ((learning.model, True), (model, False)):
        lives = Engine(resolve(spec), replicate_keys(spec.seed, np.arange(2))).step(last=True)
        assert (lives.born != lives.learned).any() == changes


@pytest.mark.parametrize(
    ("mind", "genes"),
    [
        (LOOKING | {"model": "learned"}, {}),
        (SIGNS | {"kind": "reflective", "told": ["coin"]}, {}),
        ({"kind": "model-free"}, {"learning_rate": {"initial": {"value": 0.5}}}),
    ],
)
def test_learning_without_a_switch_needs_a_reason(mind, genes):
    genome = {"neutral": {"loci": 3, "mutation": 0.1}} | genes
    learning = toy({"effect.mechanism": "learning"}, mind=mind, genome=genome)
    with pytest.raises(UserError, match="'learning' cannot be switched off here"):
        switched_off(learning, learning.model)


def test_what_a_file_does_not_declare_fails_with_what_is_missing():
    bare = toy(effect={})
    for check in antifake.MEASURED:
        row = measured(check, bare)
        assert row.verdict == "fail"
        assert "declares no effect" in row.reason
    effect = {k: v for k, v in TOY["effect"].items() if k not in ("start", "dose", "sign")}
    rows = {check: measured(check, toy(effect=effect)) for check in antifake.MEASURED}
    assert {k: r.verdict for k, r in rows.items() if k != "F5"} == dict.fromkeys(
        ("F4", "F6", "F8", "F9"), "fail"
    )
    assert rows["F5"].verdict == "not applicable"
    assert "effect.dose" in rows["F6"].reason
    assert "effect.start" in rows["F8"].reason
    reasons = {f"F{k}": f"because {k}" for k in range(1, 11)}
    excused = toy(effect=TOY["effect"] | {"not_applicable": reasons})
    for check in reasons:
        row = (quick if check in antifake.QUICK else measured)(check, excused)
        assert (row.verdict, row.reason) == ("not applicable", reasons[check])


# No false alarms, and the parts that the verdicts rest on.

KINDS = [
    *((world, mind, "wright-fisher", "clonal", 1) for world in engine_case.WORLDS
      for mind in ("linear", "learning perceptron")
      if mind == "linear" or "context" in engine_case.WORLDS[world]),
    ("bandit", "perceptron", "tournament", "clonal", 1),
    ("bandit", "reinforce", "best half", "free", 2),
    ("chain", "cross", "density", "clonal", 1),
    ("grid", "linear", "moran", "clonal", 1),
    ("chain", "linear", "proportional", "one point", 1),
    ("traits", "linear", "neutral", "midparent", 1),
    ("traits", "linear", "best half", "one point", 2),
    ("peaks", "linear", "tournament", "free", 2),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_false_alarm_whatever_the_kind(kind):
    *parts, ploidy = kind
    tables = engine_case.data(*parts, population={"ploidy": ploidy})
    if "context" in tables and parts[3] != "midparent":
        tables["genome"] = {**tables["genome"], "marker": engine_case.MARKER}
    scenario = Scenario.from_dict(tables)
    shared = Small(scenario)
    for check in antifake.QUICK:
        row = antifake.check_quick(scenario, check, shared)
        assert row.verdict != "fail", f"{check}: {row.reason}"


def test_arms_that_replay_are_checked_under_the_pedigree_they_replay():
    replayed = {"name": "replayed", "set": {"selection": {"kind": "replay", "of": "selected"}}}
    scenario = toy(arm=[*TOY["arm"], replayed])
    for check in antifake.QUICK:
        assert quick(check, scenario).verdict == "pass"
    again = scenario.override({"effect.arm": "replayed", "effect.control": "random breeding"})
    same = [antifake.Measures(s) for s in (scenario, again)]
    one, two = (m.values(m.arm(), 6) for m in same)
    assert one.tolist() == two.tolist()
    assert one.min() > 0.6


def test_long_lives_are_lived_by_fewer_agents():
    def agents(steps, mind=None, **more):
        world = TOY["world"] | {"steps": steps}
        tables = {"world": world} | ({"mind": mind} if mind else {}) | more
        return agents_of(toy(**tables).model)

    assert agents(1) == agents(100) == AGENTS
    assert FEWEST < agents(400) < AGENTS
    assert agents(100_000) == FEWEST
    looking = {"kind": "lookahead", "depth": 5}
    assert agents(60, looking, genome={"neutral": {}}) < agents(60)
    # Both arms of a replayed pedigree have as many.
    again = {"name": "again", "set": {"selection": {"kind": "replay", "of": "selected"}}}
    assert agents(400, arm=[*TOY["arm"], again]) == AGENTS


def test_measures_do_not_depend_on_stages():
    whole_run, in_parts = antifake.Measures(toy()), antifake.Measures(toy())
    in_parts.values(in_parts.arm(), 3)
    at_once = whole_run.values(whole_run.arm(), 7)
    assert at_once.tolist() == in_parts.values(in_parts.arm(), 7).tolist()
    assert np.ptp(at_once) > 0


def test_a_first_stage_too_scattered_asks_for_more():
    measures = antifake.Measures(toy())
    draws = np.random.default_rng(1).normal(size=5000)
    assert measures.enough(lambda n: draws[:n], 10.0).size == 16
    size = measures.enough(lambda n: draws[:n], 0.4).size
    # Student's half width of 16 unit normals, 2.13 / 4, is to be brought to a third of 0.4.
    assert size / 16 == pytest.approx(
        (2.13 / 4 / (0.4 / 3)) ** 2 * draws[:16].var(ddof=1), rel=0.02
    )
    assert measures.enough(lambda n: draws[:n], 0.01).size == 16 * 40
    measures.proportion = True
    assert measures.enough(lambda n: np.zeros(n), 0.05).size == 80


def test_the_most_and_the_least_that_a_life_brings():
    """A chain of four: at most 1 for the end and least 6 idle steps, at a cost of 0.1 each."""
    data = engine_case.data("chain")
    data["world"] = {**data["world"], "step_payoff": -0.1, "slip": 0.0}
    one = [{**c, "payoff": 1} for c in data["context"]]
    sums = most_and_least(resolve(Scenario.from_dict(data | {"context": one}).model))
    assert sums == pytest.approx(3 * ((1 - 0.3) + 6 * -0.1))
    peaks = most_and_least(resolve(Scenario.from_dict(engine_case.data("peaks")).model))
    assert peaks == pytest.approx(2 + 0.5)


def test_bits_move_to_their_new_places():
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2**63, (2, 3, 4), dtype=np.uint64)
    slot = Slot("trait", Gene(kind="bits"), 5, 75, ())
    before = unpacked(bits, slot, 2)
    others = [unpacked(bits, replace(slot, start=a, stop=b), 2) for a, b in ((0, 5), (75, 128))]
    loci = Loci(rng.permutation(70), np.ones(70, np.float32))
    move_bits(bits, slot, 2, loci.old)
    np.testing.assert_array_equal(unpacked(bits, slot, 2), before[..., loci.old])
    for (a, b), other in zip(((0, 5), (75, 128)), others, strict=True):
        np.testing.assert_array_equal(unpacked(bits, replace(slot, start=a, stop=b), 2), other)


def test_t_and_its_bound():
    assert t_of(np.zeros(5)) == 0.0
    assert t_of(np.full(5, 1e-12)) == 0.0
    assert t_of(np.full(5, 0.1)) == np.inf
    assert t_of(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / (1 / 3**0.5))
    assert bound_of(10**6, 1) == pytest.approx(4.0, abs=1e-3)
    assert bound_of(20, 10) > bound_of(20, 1) > 4.0


def test_the_table_reads_by_file_and_check():
    rows = [quick("F10", toy()), quick("F1", toy())]
    text = antifake.table(rows).splitlines()
    assert [line.split()[0] for line in text] == ["file", "A", "A"]
    assert "F1 " in text[1]
    assert "F10" in text[2]
