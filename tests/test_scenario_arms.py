"""Arms: which there are, what differs, and what an arm may not do."""

import pytest
from scenario_case import changed, refused, refused_file, scenario, text_of

from evosim.scenario import Scenario
from evosim.scenario.arms import SHARED, cell_label
from evosim.scenario.resolved import plain


def test_the_cells_of_the_sketch():
    cells = scenario("coinrun").arms()
    rhos = [0, 0.02, 0.05, 0.1, 0.25, 0.5]
    assert [c.label for c in cells] == [
        "base",
        *(f"rho [frequency={rho}]" for rho in rhos),
        "no bias cue",
    ]
    assert [c.arm for c in cells] == ["base", *["rho"] * 6, "no bias cue"]
    key = "context.coin left.frequency"
    assert [c.cell for c in cells] == [{}, *({key: rho} for rho in rhos), {}]
    for cell, rho in zip(cells[1:7], rhos, strict=True):
        assert [c.frequency for c in cell.model.context] == [1 - rho, rho]
    assert cells[7].model.cues["bias"] == 0.0
    assert cells[0].model == scenario("coinrun").model


def test_cells_differ_from_the_file_in_what_they_set_only():
    base = plain(scenario("coinrun").model)
    for cell in scenario("coinrun").arms()[1:]:
        data = plain(cell.model)
        differing = {key for key in base if data[key] != base[key]}
        assert differing <= ({"cues"} if cell.arm == "no bias cue" else {"context"})


def test_a_grid_over_two_keys_and_a_set():
    cells = [cell for cell in scenario("bandit").arms() if cell.arm == "rates"]
    assert [c.label for c in cells] == [
        f"rates [visible={v}, learning_rate={rate}]" for v in (0.5, 1) for rate in (0.1, 0.4)
    ]
    for cell in cells:
        assert cell.model.population.agents == 20
        assert cell.model.mind.learning_rate == cell.cell["mind.learning_rate"]
        assert cell.model.cues["season"].visible == cell.cell["cues.season.visible"]
    assert [c.control for c in scenario("bandit").arms()] == [False, True, *[False] * 5]


def test_without_a_base_arm_only_the_others_run():
    labels = [c.label for c in scenario("landscape").arms()]
    assert labels == [f"mutation [mutation={m}]" for m in (0.001, 0.02, 0.1)]


def test_labels():
    assert cell_label("a", {}) == "a"
    assert cell_label("a", {"x.y": True, "x.z": "moran"}) == "a [y=true, z=moran]"
    same = {"context.one.frequency": 0.1, "context.two.frequency": 0.2}
    assert cell_label("a", same) == "a [one.frequency=0.1, two.frequency=0.2]"


def with_arm(lines, name="coinrun"):
    """The text of a file with one more arm."""
    return text_of(name) + "\n[[arm]]\n" + lines


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('name = "new"', "arm.new: overrides nothing"),
        ('name = "rho"\nset = { "cues.bias" = 3 }', "a second arm called 'rho'"),
        ('name = "base"\nset = { "cues.bias" = 3 }', "two arms are called 'base'"),
        (
            'name = "new"\nset = { "cues.bias" = 1 }',
            'arm.new.set."cues.bias": overrides nothing: cues.bias is 1.0 already',
        ),
        ('name = "new"\nset = { "mind.temperature" = 1 }', "mind.temperature is 1.0 already"),
        (
            'name = "new"\nset = { "selection" = { kind = "wright-fisher", '
            "fitness = { exponential = 2 } } }",
            "overrides nothing: selection is a table already",
        ),
        (
            'name = "new"\ngrid = { "cues.bias" = [1] }',
            "overrides nothing: cues.bias is 1.0 already",
        ),
        ('name = "new"\ngrid = { "cues.bias" = [2, 3, 2.0] }', "2.0 stands in it twice"),
        ('name = "new"\ngrid = { "cues.bias" = [] }', "has 0 entries"),
        (
            'name = "new"\nset = { "cues.bias" = 2 }\ngrid = { "cues.bias" = [3] }',
            "stands in both set and grid",
        ),
        ('name = "new"\nset = { "population" = { agents = 3 } }', "all arms share population"),
        ('name = "new"\nset = { "population.generations" = 3 }', "share population.generations"),
        ('name = "new"\nset = { "seed" = 3 }', "all arms share seed: an arm may not set it"),
        ('name = "new"\nset = { "claim.0.confidence" = 0.9 }', "all arms share claim"),
        ('name = "new"\nset = { "cues.bais" = 3 }', "did you mean 'bias'?"),
        ('name = "new"\nset = { "cues.bias" = nan }', 'set."cues.bias": nan is not allowed'),
        (
            'name = "new"\ngrid = { "cues.bias" = ['
            + ",".join(map(str, range(2, 105)))
            + '], "genome.policy.mutation" = ['
            + ",".join(map(str, range(2, 105)))
            + "] }",
            "a grid of 10609 cells; allowed: at most 10000 cells; for more, run a study",
        ),
        (
            'name = "new"\nset = { "context.coin left.frequency" = 0.2, '
            '"context.coin right.frequency" = 0.2 }',
            "frequencies sum to 0.4; allowed: a sum of 1",
        ),
    ],
)
def test_arms_that_make_no_sense(lines, says):
    text = with_arm(lines)
    error = refused(lambda: Scenario.from_text(text, "f.toml"))
    assert says in str(error)
    first = text.count("\n", 0, text.rindex("[[arm]]")) + 1
    assert first <= error.line or "'base'" in says


def test_what_all_arms_share():
    model = plain(scenario("bandit").model)
    for key in SHARED:
        top = key.split(".")[0]
        assert top in type(scenario("bandit").model).model_fields
        text = with_arm(f'name = "new"\nset = {{ "{key}" = {{}} }}', "bandit")
        refused(lambda text=text: Scenario.from_text(text), "all arms share", "may not set it")
    assert model["population"]["replicates"] == 6
    for cell in scenario("bandit").arms():
        assert cell.model.seed == scenario("bandit").model.seed
        assert cell.model.population.replicates == 6


def test_an_arm_may_differ_in_size_and_add_genes():
    text = with_arm(
        'name = "new"\nset = { "population.agents" = 50, "genome.neutral" = { loci = 2 } }'
    )
    made = Scenario.from_text(text).arms()[-1].model
    assert made.population.agents == 50
    assert made.genome["neutral"].loci == 2


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ("replayed", "replays itself: replayed <- replayed"),
        ("selectd", "there is no arm with a single cell 'selectd'"),
        ("rates", "there is no arm with a single cell 'rates'"),
    ],
)
def test_replays_must_lead_to_an_arm_that_selects(of, says):
    refused_file("bandit", 'of = "selected"', f'of = "{of}"', says, line=0)


def test_replays_in_a_circle():
    one, _ = changed("bandit", 'of = "selected"', 'of = "again"')
    more = '\n[[arm]]\nname = "again"\nset.selection = { kind = "replay", of = "replayed" }\n'
    refused(lambda: Scenario.from_text(one + more), "replays itself: replayed <- again <- replayed")


def test_a_replay_of_a_replay_is_fine():
    more = '\n[[arm]]\nname = "again"\nset.selection = { kind = "replay", of = "replayed" }\n'
    assert Scenario.from_text(text_of("bandit") + more).arms()[-1].label == "again"


def test_a_replay_needs_as_many_agents():
    refused_file(
        "bandit",
        '"mind.learning_rate" = 0.3 }',
        '"population.agents" = 10 }',
        "agents 10 cannot replay 'selected' with 40",
        line=0,
    )


def test_effect_names_two_arms():
    refused_file("bandit", 'control = "drift"', 'control = "drfit"', "effect.control", line=0)
    refused_file("bandit", 'control = "drift"', 'control = "selected"', "its own control", line=0)
