"""Mistakes in a scenario file read as a person would say them, at the line of the mistake."""

import pytest
from scenario_case import DATA, FILES, refused, refused_file, text_of

from evosim.scenario import Scenario
from evosim.scenario.fields import PATTERN_WORDS, slot_of
from evosim.scenario.model import ScenarioModel

#: File, passage, replacement, and the error without the file's name and line.
MODELS = [
    (
        "bandit",
        '[mind]\nkind = "reflex"\nlearning = "reinforce"',
        '[mind]\nlearning = "cross"\nentropy = 0.1',
        "mind: entropy goes with learning = 'reinforce'",
    ),
    (
        "bandit",
        '[mind]\nkind = "reflex"\nlearning = "reinforce"',
        '[mind]\nlearning = "reinforce"\nadvantage = "centred"\nbaseline = 1',
        "mind: baseline goes with advantage = 'return': others have their own",
    ),
    (
        "bandit",
        '[mind]\nkind = "reflex"\nlearning = "reinforce"',
        '[mind]\nkind = "model-free"\nrule = "sarsa"\nfeedback = "full"',
        "mind: feedback = 'full' goes with rule = 'q' and bootstrapped credit: what would have "
        "been done next is not seen",
    ),
    (
        "coinrun",
        "agents = 500",
        "agents = 0",
        "population.agents: 0 is not allowed; allowed: a whole number from 1 to 50000000",
    ),
    (
        "coinrun",
        "agents = 500",
        'agents = "500"',
        "population.agents: '500' is not allowed; allowed: a whole number from 1 to 50000000; "
        "write it without quotes: 500",
    ),
    (
        "coinrun",
        "agents = 500",
        "agents = 500.0",
        "population.agents: 500.0 is not allowed; allowed: a whole number from 1 to 50000000; "
        "did you mean 500?",
    ),
    (
        "coinrun",
        "agents = 500",
        "agent = 500",
        "population.agent: unknown key; "
        "allowed: agents, replicates, generations, ploidy, limit; did you mean 'agents'?",
    ),
    (
        "coinrun",
        "frequency = 0.05",
        "frequency = nan",
        "context.coin left.frequency: nan is not allowed; allowed: a number from 0 to 1",
    ),
    (
        "coinrun",
        'kind = "grid"',
        'kind = "gird"',
        "world.kind: 'gird' is not a kind of world; "
        "allowed: 'grid', 'chain', 'bandit', 'graph', 'siege', 'gymnasium', "
        "'landscape'; did you mean 'grid'?",
    ),
    (
        "coinrun",
        'policy = "linear"',
        'policy = "lineal"',
        "mind.policy: 'lineal' is not allowed; allowed: 'linear', 'mlp'; did you mean 'linear'?",
    ),
    (
        "coinrun",
        "bias = 1\n",
        "bias = true\n",
        "cues.bias: true is not allowed; allowed: a number or a table with the keys value, "
        "toward, axis, within, place, at, beside, distance, states, context, one_hot, factors, "
        "visible",
    ),
    (
        "coinrun",
        'toward = "C"',
        'towards = "C"',
        "cues.coin_side.towards: unknown key; allowed: value, toward, axis, within, place, at, "
        "beside, distance, states, context, one_hot, factors, visible; did you mean 'toward'?",
    ),
    (
        "coinrun",
        "normal = [0, 0]",
        "normal = [0]",
        "genome.policy.initial.normal: has 1 entry; allowed: a list of 2, each a number",
    ),
    (
        "coinrun",
        "normal = [0, 0]",
        "normal = [0, 0], value = 1",
        "genome.policy.initial: give exactly one of value, normal, uniform, probability, share",
    ),
    (
        "coinrun",
        'name = "coin left"',
        'name = "coin.left"',
        "context.\"coin.left\".name: 'coin.left' is not allowed; "
        "allowed: a name of 1 to 80 characters without dots, brackets or double quotes",
    ),
    (
        "coinrun",
        "terminal = true",
        "terminal = 1",
        "world.symbols.C.terminal: 1 is not allowed; allowed: true or false",
    ),
    (
        "coinrun",
        "seed    = 7",
        "seed = -1",
        "seed: -1 is not allowed; "
        "allowed: a whole number of at least 0 and below 9223372036854775808",
    ),
    (
        "coinrun",
        'systems = ["S10"]',
        'systems = ["10"]',
        "systems.0: '10' is not allowed; "
        "allowed: a capital letter and one or two digits, like 'S10'",
    ),
    (
        "bandit",
        "payoff = { left = -1 }",
        "payoff = { left = { p = 2, value = 1 } }",
        "context.flood.payoff.left.p: 2 is not allowed; allowed: a number from 0 to 1",
    ),
    (
        "bandit",
        "payoff = { left = -1 }",
        'payoff = { "a.b" = -1 }',
        "context.flood.payoff.\"a.b\": 'a.b' is not a usable name; "
        "allowed: a name of 1 to 80 characters without dots, brackets or double quotes",
    ),
    (
        "landscape",
        "value = 1, essential",
        "value = 2, essential",
        "world.peaks.0.value: 2 is not allowed; allowed: 0, 1",
    ),
]
#: The same for references and combinations that only the whole file shows.
CHECKS = [
    (
        "coinrun",
        'context = "coin left"',
        'context = "coin lft"',
        "assay.coin left, visible.context: there is no context 'coin lft'; "
        "allowed: coin right, coin left; did you mean 'coin left'?",
    ),
    (
        "coinrun",
        'first_action = "left"',
        'first_action = "west"',
        "assay.coin left, visible.measure.first_action: there is no action 'west'; "
        "allowed: left, right, up, down, stay; did you mean 'stay'?",
    ),
    (
        "coinrun",
        "[0, 0.02, 0.05, 0.1, 0.25, 0.5]",
        "[0, 2]",
        'arm.rho.grid."context.coin left.frequency": 2 is not allowed; '
        "allowed: a number from 0 to 1",
    ),
    (
        "coinrun",
        '"context.coin left.frequency" =',
        '"context.coin lift.frequency" =',
        "arm.rho.grid.\"context.coin lift.frequency\": there is no 'coin lift'; "
        "allowed: coin right, coin left; did you mean 'coin left'?",
    ),
    (
        "coinrun",
        'set = { "cues.bias" = 0 }',
        'set = { "mind.learning" = "reinforce" }',
        'arm.no bias cue.set."mind.learning": '
        "'reinforce' learns nothing without a learning rate; "
        "allowed: mind.learning_rate above 0, or a gene learning_rate",
    ),
    (
        "coinrun",
        'arm = "rho"',
        'arm = "roh"',
        "claim.0.arm: unknown arm 'roh'; allowed: base, rho, no bias cue; did you mean 'rho'?",
    ),
    (
        "bandit",
        "winter = 0.9",
        "wintr = 0.9",
        "phase.cold.frequencies.wintr: there is no context 'wintr'; "
        "allowed: summer, winter, spring, flood; did you mean 'winter'?",
    ),
    (
        "bandit",
        "winter = 0.9",
        "winter = 0.8",
        "phase.cold.frequencies: frequencies sum to 0.9; allowed: a sum of 1",
    ),
    (
        "bandit",
        "[genome.polic",
        "[genome.polc",
        "genome.polcy: nothing in this mind reads this gene; allowed: policy, learning_rate, "
        "temperature, neutral, marker (neutral and marker with any ending); "
        "did you mean 'policy'?",
    ),
    (
        "landscape",
        'gene = "trait"',
        'gene = "trat"',
        "world.gene: there is no gene 'trat'; allowed: marker a, trait; did you mean 'trait'?",
    ),
]


@pytest.fixture(autouse=True)
def _no_kinds_of_other_tests(monkeypatch):
    """Errors list the registered kinds: leave out those that other tests registered."""
    monkeypatch.setattr("evosim.registry._ENTRIES", {})


@pytest.mark.parametrize(("name", "old", "new", "says"), MODELS + CHECKS)
def test_what_is_wrong_and_where(name, old, new, says):
    error = refused_file(name, old, new, line=0)
    assert str(error) == f"case.toml:{error.line}: {says}"


@pytest.mark.parametrize(
    ("old", "new", "says", "line"),
    [
        ("[population]", "[population", "not valid TOML: expected ']'", 0),
        ("steps = 12", "steps = 12 13", "not valid TOML: expected newline", 0),
        ("steps = 12", "steps = 12\nsteps = 13", "not valid TOML: cannot overwrite a value", 1),
        ("steps = 12", f"steps = {'1' * 5000}", "not valid TOML", None),
        ("steps = 12", f"steps = {'[' * 5000}", "nested too deeply", None),
        ('title   = "', 'title = """', "not valid TOML", None),
    ],
)
def test_broken_toml(old, new, says, line):
    refused_file("coinrun", old, new, says, line=line)


def test_a_missing_key_is_told_at_its_table():
    refused_file(
        "coinrun",
        "fitness = { exponential = 2.0 }\n",
        "",
        "selection.fitness: missing",
        line=-2,
    )
    refused(lambda: Scenario.from_text("title = 'x'", "f"), "f: world: missing (and 2 more)")


def test_a_misspelt_key_is_not_also_missing():
    error = refused_file("coinrun", "title   =", "titel =", line=0)
    assert "more)" not in str(error)
    assert "did you mean 'title'?" in str(error)


def test_the_first_mistake_in_the_file_is_told_and_the_others_counted():
    text = text_of("coinrun").replace("agents = 500", "agents = 0")
    text = text.replace("seed    = 7", "seed = -1").replace('"linear"', '"flat"')
    refused(lambda: Scenario.from_text(text, "f"), "f:6: seed: -1 is not allowed (and 2 more);")
    # whatever the order in which the models look
    start, end = text.index("[population]"), text.index("[world]")
    moved = text[:start] + text[end:] + text[start:end]
    moved = moved.replace("seed = -1", "seed = 7")
    refused(lambda: Scenario.from_text(moved, "f"), "mind.policy: 'flat' is not allowed (and 1")


@pytest.mark.parametrize("kind", ["reflex", "wright-fisher", "bandit"])
def test_registered_kinds_are_offered(monkeypatch, kind):
    section = {"reflex": "mind", "wright-fisher": "selection", "bandit": "world"}[kind]
    monkeypatch.setattr("evosim.registry.kinds", lambda role: ["mazes"] if role == section else [])
    file = "coinrun" if kind == "wright-fisher" else "bandit"
    old = f'kind = "{kind}"' if kind != "wright-fisher" else 'kind = "wright-fisher"\nfitness'
    error = refused_file(file, old, old.replace(kind, "maze"), f"{section}.kind: 'maze' is not")
    assert "'mazes'" in error.allowed
    assert error.hint == "did you mean 'mazes'?"


def test_a_registered_kind_takes_its_parameters(monkeypatch):
    monkeypatch.setattr("evosim.registry.kinds", lambda role: ["mine"] if role == "mind" else [])
    text = text_of("bandit").replace(
        'kind = "reflex"\nlearning = "reinforce"\nlearning_rate = 0.1',
        'kind = "mine"\nparameters = { boldness = 2 }',
    )
    text = text[: text.index("[[phase]]")].replace("[genome.neutral]", "[genome.boldness]")
    scenario = Scenario.from_text(text)
    assert scenario.model.mind.parameters == {"boldness": 2.0}


def test_files_that_are_none(tmp_path):
    refused(lambda: Scenario.load(tmp_path / "none.toml"), "none.toml: no such file")
    refused(lambda: Scenario.load(tmp_path), "is a directory")
    refused(lambda: Scenario.load("a\0b"), "not a file name")
    (tmp_path / "a.toml").write_bytes(b'title = "x"\nprose = "\xff"\n')
    refused(lambda: Scenario.load(tmp_path / "a.toml"), "a.toml:2: not UTF-8 text")
    refused(lambda: Scenario.from_dict([1]), "a scenario is a table")


def test_a_byte_order_mark_and_windows_lines_are_no_mistake(tmp_path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbf" + text_of("coinrun").replace("\n", "\r\n").encode())
    assert Scenario.load(file) == Scenario.from_text(text_of("coinrun"))


def slots(slot, seen):
    """Every slot below one."""
    if slot in seen:
        return
    seen.append(slot)
    for below in [*slot.fields.values(), *slot.members, slot.item, slot.name]:
        if below is not None:
            slots(below, seen)


def test_every_place_of_a_scenario_has_plain_words():
    seen = []
    slots(slot_of(ScenarioModel), seen)
    assert len(seen) > 200
    for slot in seen:
        words = slot.words()
        assert words
        assert not any(char in words for char in "^\\|<>")
    assert len(set(PATTERN_WORDS.values())) == len(PATTERN_WORDS)


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_right(name):
    scenario = Scenario.load(DATA / f"{name}.toml")
    assert scenario.path == DATA / f"{name}.toml"
    assert scenario.text == text_of(name)
