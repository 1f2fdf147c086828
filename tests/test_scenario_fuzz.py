"""Whatever a scenario file holds, it loads or fails in one line."""

import copy
import datetime
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scenario_case import FILES, text_of

from evosim.errors import UserError
from evosim.scenario import Scenario, parse_assignments

TEXTS = {name: text_of(name) for name in FILES}
DATA = {name: tomllib.loads(text) for name, text in TEXTS.items()}

junk = st.one_of(
    st.sampled_from(
        [
            float("nan"),
            float("inf"),
            -float("inf"),
            1e308,
            -1e-308,
            10**30,
            10**400,
            -1,
            0,
            1,
            2,
            True,
            "",
            "x",
            "base",
            "context",
            "a\nb\x85\u2028",
            [],
            {},
            [[[]]],
            {"kind": "grid"},
            {"": {"name": 3}},
            datetime.date(2000, 1, 1),
            None,
        ]
    ),
    st.floats(),
    st.integers(-5, 10**20),
    st.text(max_size=5),
)


def places(node, path=()):
    """Every place below a node, as paths."""
    found = []
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


def mutate(data, draw):
    """Change one place of nested data."""
    paths = places(data)
    if not paths:
        return
    *above, last = draw(st.sampled_from(paths))
    node = data
    for part in above:
        node = node[part]
    how = draw(st.sampled_from(["drop", "copy", "rename", "replace", "replace", "swap"]))
    if how == "drop":
        del node[last]
    elif how == "copy" and isinstance(node, list):
        node.insert(last, copy.deepcopy(node[last]))
    elif how == "copy" or (how == "rename" and isinstance(node, dict)):
        value = node[last] if how == "copy" else node.pop(last)
        name = draw(st.sampled_from(["kind", "name", "x", str(last) + "s", "a.b", "é\n", ""]))
        node[name] = value
    elif how == "swap":
        other = DATA[draw(st.sampled_from(FILES))]
        *far, key = draw(st.sampled_from(places(other)))
        for part in far:
            other = other[part]
        node[last] = copy.deepcopy(other[key])
    else:
        node[last] = copy.deepcopy(draw(junk))


def said(call):
    """The text of the error that a call raises, if any."""
    try:
        call()
    except UserError as error:
        return str(error)
    return None


def loads_or_says(load):
    """A scenario whose parts all work, or an error in one line."""
    line = said(load)
    if line is not None:
        assert len(line.splitlines()) == 1
        assert "Input should" not in line
        assert "pydantic" not in line
        return
    scenario = load()
    assert scenario.arms()
    again = Scenario.from_text(scenario.toml())
    assert again == scenario
    assert again.hash() == scenario.hash()
    scenario.notes()


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.data())
def test_any_data(data):
    mutated = copy.deepcopy(DATA[data.draw(st.sampled_from(FILES))])
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(mutated, data.draw)
    loads_or_says(lambda: Scenario.from_dict(mutated, "case.toml"))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_lines(data):
    """Lines dropped, doubled, moved, and cut out of other files."""
    name = data.draw(st.sampled_from(FILES))
    lines = TEXTS[name].splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["drop", "double", "move", "other", "cut", "word"]))
        line = lines.pop(at) if how in ("drop", "move") else lines[at]
        if how in ("double", "move"):
            lines.insert(data.draw(st.integers(0, len(lines))), line)
        elif how == "other":
            other = TEXTS[data.draw(st.sampled_from(FILES))].splitlines(keepends=True)
            lines.insert(at, data.draw(st.sampled_from(other)))
        elif how == "cut":
            lines[at] = line[: data.draw(st.integers(0, len(line)))]
        elif how == "word":
            word = data.draw(st.sampled_from(["nan", "1e400", "-0", "9" * 5000, "[", '"', "{}"]))
            lines[at] = line.split("=")[0] + "= " + word + "\n"
    loads_or_says(lambda: Scenario.from_text("".join(lines), "case.toml"))


@pytest.fixture(scope="module")
def file():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "case.toml"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(name=st.sampled_from(FILES), at=st.integers(0, 3000), bits=st.binary(max_size=12))
@example(name="coinrun", at=0, bits=b"\xef\xbb\xbf")
@example(name="coinrun", at=100, bits=b"\xff\xfe\x00")
@example(name="coinrun", at=3000, bits=b"x = " + b"[" * 5000)
@example(name="coinrun", at=3000, bits=b"\nx = " + b"{a=" * 900 + b"1" + b"}" * 900)
@example(name="landscape", at=3000, bits=b'\nset."intervention" = ' + b"[" * 90 + b"]" * 90)
def test_any_bytes(file, name, at, bits):
    content = TEXTS[name].encode()
    file.write_bytes(content[:at] + bits + content[at:])
    loads_or_says(lambda: Scenario.load(file))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_override(data):
    """Keys that exist, nearly exist or are noise, with any value."""
    name = data.draw(st.sampled_from(FILES))
    scenario = SCENARIOS[name]
    known = [".".join(map(str, path)) for path in places(DATA[name])]
    known += ["context.coin left.frequency", "mind.learning_rate", "population.agents"]
    keys = st.one_of(st.sampled_from(known), st.text(alphabet='ab.01"', max_size=6))
    values = st.one_of(junk, st.sampled_from([DATA["bandit"]["mind"], [1, 2], {"value": 1}]))
    changes = data.draw(st.dictionaries(keys, values, min_size=1, max_size=3))
    loads_or_says(lambda: scenario.override(changes))


SCENARIOS = {name: Scenario.from_text(text) for name, text in TEXTS.items()}


@settings(derandomize=True)
@given(st.text(max_size=20))
def test_any_assignment(text):
    message = said(lambda: parse_assignments([text]))
    assert message is None or len(message.splitlines()) == 1
