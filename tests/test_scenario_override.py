"""Dotted keys change what they name, and nothing else."""

import numpy as np
import pytest
from scenario_case import FILES, refused, scenario

from evosim.scenario import Scenario, parse_assignments
from evosim.scenario.override import ABSENT, value_at
from evosim.scenario.resolved import plain


def policy(model):
    return model.genome["policy"]


#: File, key, value, and where Python finds the new value.
VALID = [
    ("coinrun", "population.agents", 64, lambda m: m.population.agents),
    ("coinrun", "seed", 2, lambda m: m.seed),
    ("coinrun", "population.limit", 5000, lambda m: m.population.limit),
    ("coinrun", "genome.policy.mutation", 0.3, lambda m: policy(m).mutation),
    ("coinrun", "genome.policy.initial.normal.1", 2.0, lambda m: policy(m).initial.normal[1]),
    ("coinrun", "world.symbols.C.payoff", -1.0, lambda m: m.world.symbols["C"].payoff),
    ("coinrun", "cues.coin_side.visible", 0.75, lambda m: m.cues["coin_side"].visible),
    ("coinrun", "cues.bias", 2.0, lambda m: m.cues["bias"]),
    ("coinrun", "context.coin left.map", "#S.C#", lambda m: m.context[1].map),
    ("coinrun", "assay.coin left, visible.every", 5, lambda m: m.assay[0].every),
    ("coinrun", "claim.0.confidence", 0.9, lambda m: m.claim[0].confidence),
    ("coinrun", "record.every", 3, lambda m: m.record.every),
    ("coinrun", "reproduction.kind", "recombining", lambda m: m.reproduction.kind),
    ("coinrun", "selection.kind", "moran", lambda m: m.selection.kind),
    ("bandit", "intervention.1.at", 30, lambda m: m.intervention[1].at),
    ("bandit", "phase.cold.start", 30, lambda m: m.phase[0].start),
    ("bandit", "context.summer.payoff.right.p", 0.25, lambda m: m.context[0].payoff["right"].p),
    ("landscape", "world.peaks.1.height", 9.0, lambda m: m.world.peaks[1].height),
    ("landscape", "genome.marker a.loci", 3, lambda m: m.genome["marker a"].loci),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value", "read"), VALID, ids=[v[1] for v in VALID])
def test_a_key_changes_what_it_names_and_nothing_else(name, key, value, read):
    before = scenario(name)
    after = before.override({key: value})
    assert read(before.model) != value
    assert read(after.model) == value
    assert value_at(plain(after.model), key) == value
    # Set back, everything is as it was: nothing else changed.
    old = value_at(plain(before.model), key)
    if old is ABSENT:
        old = None
    assert after.override({key: old}) == before
    assert before == scenario(name)
    assert after.path == before.path
    assert after.text == before.text


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("population.agent", 64, "population.agent: unknown key; allowed: agents, replicates"),
        ("agents", 64, "agents: unknown key"),
        ("context.coin lefd.frequency", 0.1, "allowed: coin right, coin left"),
        ("context.1.frequency", 0.1, "there is no '1'; allowed: coin right, coin left"),
        ("genome.polcy.mutation", 0.1, "there is no 'polcy'; allowed: policy"),
        ("cues.coin", 0.1, "there is no 'coin'; allowed: bias, coin_side"),
        ("cues.bias.visible", 0.1, "'cues.bias' is 1.0: it has no parts; set the whole of it"),
        ("seed.x", 1, "'seed' is 7: it has no parts"),
        ("effect.margin", 1, "effect: is not in the scenario: set the whole of it"),
        ("population.agents", 0, "population.agents: 0 is not allowed; allowed: a whole number"),
        ("population.agents", 1.5, "population.agents: 1.5 is not allowed"),
        ("selection.fitness", {"exponential": 1, "neutral": True}, "give exactly one of"),
        ("world", {"kind": "grd"}, "world.kind: 'grd' is not a kind of world"),
        ("", 1, "unknown key"),
        ("..", 1, "unknown key"),
    ],
)
def test_a_wrong_key_or_value_is_told(key, value, says):
    error = refused(lambda: scenario("coinrun").override({key: value}), says)
    assert str(error).startswith(str(scenario("coinrun").path))
    assert error.line is None


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("agents", "did you mean 'population.agents'?"),
        ("population.agent", "did you mean 'agents'?"),
        ("genome.polcy.mutation", "did you mean 'policy'?"),
        ("context.coin lefd.frequency", "did you mean 'coin left'?"),
    ],
)
def test_the_closest_key_is_suggested(key, hint):
    assert refused(lambda: scenario("coinrun").override({key: 1})).hint == hint


def test_a_table_replaces_the_whole_table():
    new = scenario("coinrun").override({"selection.fitness": {"proportional": 2, "baseline": 1}})
    assert new.model.selection.fitness.exponential is None
    assert new.model.selection.fitness.proportional == 2.0
    added = scenario("coinrun").override({"genome.neutral": {"loci": 3}})
    assert added.model.genome["neutral"].loci == 3
    assert "policy" in added.model.genome


def test_a_table_nearer_to_the_top_is_set_first():
    cue = {"toward": "C", "axis": "y"}
    for changes in (
        {"cues.coin_side": cue, "cues.coin_side.visible": 0.25},
        {"cues.coin_side.visible": 0.25, "cues.coin_side": cue},
    ):
        made = scenario("coinrun").override(changes).model.cues["coin_side"]
        assert (made.axis, made.visible) == ("y", 0.25)


def test_setting_a_value_again_changes_nothing():
    assert scenario("coinrun").override({"cues.bias": 1}) == scenario("coinrun")
    assert scenario("coinrun").override({}) == scenario("coinrun")


def test_whole_floats_and_numpy_numbers_are_numbers():
    changes = {"population.agents": 1e3, "cues.bias": np.float32(0.5), "seed": np.int64(3)}
    model = scenario("coinrun").override(changes).model
    assert (model.population.agents, model.cues["bias"], model.seed) == (1000, 0.5, 3)
    weights = scenario("landscape").replace(
        **{"genome.marker a.initial": {"value": np.array([1.0, 2.0])}, "genome.marker a.loci": 2}
    )
    assert weights.model.genome["marker a"].initial.value == [1.0, 2.0]


def frequencies(changes, name="bandit"):
    """Frequencies after an override: summer .5, winter .3, spring .2, flood 0 before."""
    changes = {f"context.{context}.frequency": value for context, value in changes.items()}
    return [c.frequency for c in scenario(name).override(changes).model.context]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flood": 0.5}, [0.25, 0.15, 0.1, 0.5]),
        ({"summer": 0}, [0, 0.6, 0.4, 0]),
        ({"summer": 0.1, "winter": 0.1}, [0.1, 0.1, 0.8, 0]),
        ({"summer": 0.5}, [0.5, 0.3, 0.2, 0]),
        ({"winter": 1}, [0, 1, 0, 0]),
        ({"summer": 0.1, "winter": 0.2, "spring": 0.3, "flood": 0.4}, [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_the_other_frequencies_are_rescaled(changes, expected):
    assert frequencies(changes) == pytest.approx(expected, abs=1e-15)


def test_rescaling_leaves_no_rounding_dust():
    """0.3 + 0.6 + 0.1 misses 1 by rounding; the rest must be exactly 0, not a training context."""
    assert 0.3 + 0.6 + 0.1 != 1.0
    assert frequencies({"summer": 0.3, "winter": 0.6, "flood": 0.1})[2] == 0.0
    for rho in (0.02, 0.05, 0.1, 0.3, 0.7):
        assert frequencies({"coin left": rho}, "coinrun") == [1 - rho, rho]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"summer": 0.6, "winter": 0.6}, "the frequencies set together sum to 1.2, above 1"),
        ({"summer": 0.1, "winter": 0.1, "spring": 0.1}, "no other context has a frequency"),
        ({"summer": 1.5}, "context.summer.frequency: 1.5 is not allowed"),
        ({"summer": "much"}, "context.summer.frequency: 'much' is not allowed"),
        (
            {"summer": 0.1, "winter": 0.2, "spring": 0.3, "flood": 0.3},
            "context: frequencies sum to 0.9",
        ),
    ],
)
def test_frequencies_that_cannot_be_rescaled(changes, says):
    refused(lambda: frequencies(changes), says)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("1e5", 1e5),
        ("true", True),
        ("moran", "moran"),
        ('"moran"', "moran"),
        ("[1, 2]", [1, 2]),
        ("{ exponential = 2 }", {"exponential": 2}),
        ("a = b", "a = b"),
        ("1979-05-27", "1979-05-27"),
        ("[1, 2", "[1, 2"),
        ("1\nseed = 3", "1\nseed = 3"),
    ],
)
def test_values_of_the_command_line(text, value):
    made = parse_assignments([f" context.coin left.frequency = {text}"])
    assert made == {"context.coin left.frequency": value}
    assert type(made["context.coin left.frequency"]) is type(value)


@pytest.mark.parametrize("items", [["seed"], ["=3"], ["seed="], ["seed=1", "seed=2"]])
def test_bad_assignments(items):
    refused(lambda: parse_assignments(items), "seed" if items != ["=3"] else "=3")


@pytest.mark.parametrize("name", FILES)
def test_a_scenario_made_of_its_own_data_is_equal(name):
    assert Scenario.from_dict(plain(scenario(name).model)) == scenario(name)
