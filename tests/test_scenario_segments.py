"""Phases and interventions cut a run into segments."""

from itertools import pairwise

import pytest
from scenario_case import refused, refused_file, scenario, text_of

from evosim.scenario import Scenario, dropped, segments
from evosim.scenario.resolved import plain


def frequencies(model):
    return [context.frequency for context in model.context]


def test_a_run_without_changes_is_one_segment():
    model = scenario("coinrun").model
    (only,) = segments(model)
    assert only == (0, 600, model)
    assert only.model is model


def test_phases_and_interventions_in_order():
    model = scenario("bandit").model
    parts = segments(model)
    assert [(start, stop) for start, stop, _ in parts] == [(0, 20), (20, 50), (50, 70), (70, 100)]
    assert [m.mind.learning_rate for _, _, m in parts] == [0.1, 0.2, 0.2, 0.2]
    assert [m.genome["policy"].mutation for _, _, m in parts] == [0.05, 0.01, 0.01, 0.01]
    before = frequencies(model)
    assert frequencies(parts[1].model) == before
    assert frequencies(parts[2].model) == [0, 0.9, 0.1, 0]
    assert frequencies(parts[3].model) == pytest.approx([0, 0.45, 0.05, 0.5])
    # and nothing else changes
    data = [plain(part.model) for part in parts]
    assert {k for k in data[0] if data[3][k] != data[0][k]} == {"mind", "genome", "context"}


def test_a_later_phase_replaces_what_an_intervention_set():
    made = scenario("bandit").override({"phase.ice age.start": 80})
    parts = segments(made.model)
    assert [p.start for p in parts] == [0, 20, 50, 70, 80]
    assert frequencies(parts[-1].model) == [0, 1, 0, 0]


def test_in_one_generation_the_phase_comes_first():
    made = scenario("bandit").override({"phase.cold.start": 70})
    assert frequencies(segments(made.model)[-1].model) == pytest.approx([0, 0.45, 0.05, 0.5])


def test_a_phase_at_the_start_leaves_no_empty_segment():
    made = scenario("bandit").override({"phase.cold.start": 0})
    parts = segments(made.model)
    assert [p.start for p in parts] == [0, 20, 70]
    assert frequencies(parts[0].model) == [0, 0.9, 0.1, 0]


@pytest.mark.parametrize("generations", [1, 20, 21, 50, 70, 100, 101, 200, 201])
def test_segments_cover_the_run_and_notes_tell_the_rest(generations):
    model = scenario("bandit").override({"population.generations": generations}).model
    parts = segments(model)
    assert parts[0].start == 0
    assert parts[-1].stop == generations
    assert all(a.stop == b.start for a, b in pairwise(parts))
    assert all(part.start < part.stop for part in parts)
    late = [at for at in (20, 50, 70, 100, 200) if at >= generations]
    notes = dropped(model)
    assert len(notes) == len(late)
    for at, note in zip(late, notes, strict=True):
        assert f"starts at generation {at}: dropped, the run ends at {generations}" in note


def test_notes_of_a_scenario_are_told_once():
    assert scenario("bandit").notes() == [
        "intervention 2 starts at generation 100: dropped, the run ends at 100",
        "phase 'ice age' starts at generation 200: dropped, the run ends at 100",
    ]
    assert scenario("coinrun").notes() == []


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("seed", 3, "seed cannot change during a run; allowed: numbers of world, context"),
        ("population.agents", 50, "population.agents cannot change during a run"),
        ("population.ploidy", 2, "population.ploidy cannot change during a run"),
        ("record.every", 2, "record.every cannot change during a run"),
        ("assay.flood.every", 2, "assay.flood.every cannot change during a run"),
        ("genome.neutral.loci", 3, "the number of loci cannot change during a run"),
        ("genome.policy.initial.value", 3, "how a gene starts cannot change during a run"),
        ("mind.hidden", 3, "the number of hidden units cannot change during a run"),
        ("mind.kind", 3, "an intervention sets numbers"),
        ("mind", 3, "an intervention sets numbers"),
        ("genome.policy.bounds", 3, "an intervention sets numbers"),
        ("selection.threshold", 3, "an intervention sets numbers"),
        ("mind.temprature", 3, "did you mean 'temperature'?"),
        ("mind.temperature", -3, "-3.0 is not allowed; allowed: a number above 0"),
        ("world.episodes", 2.5, "2.5 is not allowed; allowed: a whole number"),
        ("context.flood.frequency", 1.5, "1.5 is not allowed; allowed: a number from 0 to 1"),
        ("context.fluud.frequency", 0.5, "did you mean 'flood'?"),
    ],
)
def test_interventions_that_cannot_be(key, value, says):
    old = 'set = { "context.flood.frequency" = 0.5 }'
    new = f'set = {{ "{key}" = {value} }}'
    error = refused_file("bandit", old, new, "intervention.1.set", says, line=0)
    assert f'"{key}"' in str(error) or key in str(error)


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("world.episodes", 2, lambda m: m.world.episodes),
        ("cues.season.visible", 0.25, lambda m: m.cues["season"].visible),
        ("context.winter.payoff.right", -1, lambda m: m.context[1].payoff["right"]),
        ("context.summer.payoff.right.p", 0.1, lambda m: m.context[0].payoff["right"].p),
        ("selection.fraction", 0.1, lambda m: m.selection.fraction),
        ("cues.bias", 0, lambda m: m.cues["bias"]),
    ],
)
def test_interventions_that_can_be(key, value, read):
    text = text_of("bandit")
    text = text[: text.index("[[arm]]")].replace(
        '"context.flood.frequency" = 0.5', f'"{key}" = {value}'
    )
    parts = segments(Scenario.from_text(text).model)
    assert read(parts[-2].model) != value
    assert read(parts[-1].model) == value


def test_interventions_are_checked_in_every_arm():
    """An arm without a truncation has no fraction that could change."""
    text = text_of("bandit").replace('"mind.temperature" = 0.25', '"selection.fraction" = 0.25')
    error = refused(lambda: Scenario.from_text(text), "arm.drift", "selection.fraction")
    assert error.line == text.count("\n", 0, text.index("[[arm]]")) + 1


def test_phases_name_contexts_and_sum_to_one():
    refused_file("bandit", "winter = 0.9", "winter = 0.8", "sum to 0.9", line=0)
    refused_file("bandit", "winter = 0.9", "wintr = 0.9", "did you mean 'winter'?", line=0)
    refused_file("bandit", "start = 200", "start = 50", "starts together with", line=0)


def test_a_number_set_twice_at_once():
    refused_file("bandit", "at = 70", "at = 20\nset.x = 1\n[[x]]", "unknown key")
    text = text_of("bandit").replace(
        'at = 70\nset = { "context.flood.frequency" = 0.5 }',
        'at = 20\nset = { "mind.learning_rate" = 0.4 }',
    )
    refused(lambda: Scenario.from_text(text), "set twice at generation 20")
