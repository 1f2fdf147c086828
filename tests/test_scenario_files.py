"""Hash, resolved text, schema: what a scenario leaves behind."""

import json
import re
import subprocess
import sys
import tomllib

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_case import DATA, FILES, changed, refused, scenario, text_of

from evosim.scenario import Scenario
from evosim.scenario.resolved import plain
from evosim.scenario.schema import SCHEMA_FILE, schema_text

#: A passage and its replacement that changes no result.
SAME = [
    ("seed    = 7", "seed=7 # lucky"),
    ("CoinRun: go", "Go"),
    ("reward as selection", "see there"),
    ("Selection rewards both rules", "Both rules are rewarded"),
    ("steps = 12\nepisodes = 20 ", "episodes = 20\nsteps = 12"),
    ("payoff = 1\nterminal = true", "terminal = true\npayoff = 1.0"),
    ('coin_side = { toward = "C", visible = 0.5 }', 'coin_side = { visible=5e-1, toward="C" }'),
    ("seed    = 7", "seed = 7\nslow = true\ntakes = '3 minutes'\nbase_arm = 'base'"),
    ("exponential = 2.0", "exponential = 2"),
]
#: A passage and its replacement that changes results.
OTHER = [
    ("seed    = 7", "seed = 8"),
    ("agents = 500", "agents = 501"),
    ("mutation = 0.1", "mutation = 0.10000000000000002"),
    ("payoff = 1\n", "payoff = -1\n"),
    ("0.25, 0.5]", "0.25, 0.6]"),
    ('systems = ["S10"]', 'systems = ["S11"]'),
    ("between = [0.15, 0.30]", "between = [0.15, 0.31]"),
    ("every = 20", "every = 21"),
]


@pytest.mark.parametrize(("old", "new"), SAME, ids=lambda v: v[:20])
def test_the_hash_ignores_what_changes_no_result(old, new):
    made = Scenario.from_text(changed("coinrun", old, new)[0])
    assert made.hash() == scenario("coinrun").hash()
    described = ("title", "source", "prose", "slow", "takes")
    ours, theirs = plain(made.model), plain(scenario("coinrun").model)
    assert [k for k in ours if ours[k] != theirs[k] and k not in described] == []


@pytest.mark.parametrize(("old", "new"), OTHER, ids=lambda v: v[:20])
def test_the_hash_sees_what_changes_results(old, new):
    made = Scenario.from_text(changed("coinrun", old, new)[0])
    assert made.hash() != scenario("coinrun").hash()


def test_the_order_of_keys_changes_nothing_at_all():
    """Cues and genes stand in one order whatever the file's, so that bits stay the same."""
    made = scenario("bandit")
    data = tomllib.loads(text_of("bandit"))
    turned = {key: data[key] for key in reversed(data)}
    turned["genome"] = dict(reversed(data["genome"].items()))
    turned["cues"] = dict(reversed(data["cues"].items()))
    again = Scenario.from_dict(turned)
    assert list(again.model.genome) == list(made.model.genome)
    assert list(again.model.cues) == list(made.model.cues)
    assert [c.label for c in again.arms()] == [c.label for c in made.arms()]
    assert again.hash() == made.hash()


def test_the_hash_is_the_same_in_another_process():
    code = (
        "from evosim.scenario import Scenario; "
        f"print(Scenario.load({str(DATA / 'coinrun.toml')!r}).hash())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == scenario("coinrun").hash()
    assert re.fullmatch("[0-9a-f]{64}", scenario("coinrun").hash())


@pytest.mark.parametrize("name", FILES)
def test_the_resolved_text_loads_to_an_equal_scenario(name):
    made = scenario(name)
    again = Scenario.from_text(made.toml())
    assert again == made
    assert again.hash() == made.hash()
    assert again.toml() == made.toml()
    assert "mutation_rate = 1.0" in made.toml()


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(prose=texts, value=numbers, seed=st.integers(0, 2**63 - 1), cues=st.lists(numbers))
def test_texts_and_numbers_survive_the_resolved_text(prose, value, seed, cues):
    data = tomllib.loads(text_of("coinrun")) | {"prose": prose, "seed": seed}
    data["world"]["symbols"]["C"]["payoff"] = value
    data["cues"] |= {f"cue {i}": number for i, number in enumerate(cues)}
    made = Scenario.from_dict(data)
    again = Scenario.from_text(made.toml())
    assert again.model.prose == prose
    assert again.model.seed == seed
    assert repr(again.model.world.symbols["C"].payoff) == repr(value)
    assert again == made


def test_the_schema_in_the_package_is_current():
    """`python -m evosim.scenario.schema` writes it."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(schema_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", FILES)
def test_files_follow_the_schema(validator, name):
    validator.validate(tomllib.loads(text_of(name)))
    validator.validate(tomllib.loads(scenario(name).toml()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("agents = 500", "agents = 0"),
        ("agents = 500", "agent = 500"),
        ('kind = "grid"', 'kind = "chain"'),
        ('policy = "linear"', 'policy = "lineal"'),
        ('kind = "wright-fisher"', 'kind = "moran"\ncapacity = 3'),
        ("frequency = 0.05", "frequency = 1.5"),
        ('name = "coin left"', 'name = "coin.left"'),
        ("steps = 12", "step = 12"),
        ('title   = "', 'titel = "'),
    ],
)
def test_the_schema_finds_planted_faults(validator, old, new):
    text, _ = changed("coinrun", old, new)
    assert not validator.is_valid(tomllib.loads(text))
    refused(lambda: Scenario.from_text(text))


def test_a_plain_table_matches_one_kind_only(validator):
    """Else an editor would report a minimal world as two at once."""
    for section, table in (
        ("world", {"kind": "grid", "steps": 3}),
        ("mind", {"kind": "reflex"}),
        ("selection", {"kind": "tournament"}),
        ("world", {"kind": "my own", "parameters": {"k": 1}}),
    ):
        data = tomllib.loads(text_of("coinrun")) | {section: table}
        assert list(validator.iter_errors(data)) == []


def test_a_file_may_name_its_schema():
    assert text_of("coinrun").startswith("#:schema ")


def test_scenarios_load_without_the_heavy_libraries():
    code = (
        "import sys; from evosim.scenario import Scenario; "
        f"Scenario.load({str(DATA / 'coinrun.toml')!r}); "
        "heavy = ['numba', 'numpy', 'pandas', 'scipy', 'matplotlib', 'mesa', 'pyarrow']; "
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
