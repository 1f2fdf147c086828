"""Keys have the lines they stand on."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_case import FILES, text_of

from evosim.scenario.keys import find_path, join_key, named_key, show, split_key
from evosim.scenario.lines import KeyLines

TEXT = '''\
# a comment with [brackets] and "quotes"
title = "x"
prose = """
[not.a.table]
a = 1 \\""" still
"""""
raw = \'\'\'
key = "no"\'\'\'

[world] # comment
kind = "graph"
"quoted.key" = 1
transitions = [
    { from = "a", to = "b" },  # first, with a comma
    # a comment ] with a bracket
    { from = "b", "to" = "]}", nested = { deep = [1,
        2] } },
]

[world.symbols.C]
payoff.left = 1
payoff.right . "far" = 2

[[context]]
name = "one"

[context.symbols.D]
wall = true

[[context]]
name = "two"
[[context.transitions]]
p = 0.5
[[context.transitions]]
p = 0.25
'''

EXPECTED = {
    ("title",): 2,
    ("prose",): 3,
    ("raw",): 7,
    ("world",): 10,
    ("world", "kind"): 11,
    ("world", "quoted.key"): 12,
    ("world", "transitions"): 13,
    ("world", "transitions", 0, "to"): 14,
    ("world", "transitions", 1): 16,
    ("world", "transitions", 1, "to"): 16,
    ("world", "transitions", 1, "nested", "deep", 0): 16,
    ("world", "transitions", 1, "nested", "deep", 1): 17,
    ("world", "symbols", "C"): 20,
    ("world", "symbols", "C", "payoff", "left"): 21,
    ("world", "symbols", "C", "payoff", "right", "far"): 22,
    ("context",): 24,
    ("context", 0, "name"): 25,
    ("context", 0, "symbols", "D", "wall"): 28,
    ("context", 1): 30,
    ("context", 1, "name"): 31,
    ("context", 1, "transitions", 0, "p"): 33,
    ("context", 1, "transitions", 1, "p"): 35,
    # what does not stand in the text falls back to what encloses it
    ("world", "steps"): 10,
    ("context", 1, "transitions", 1, "to"): 34,
    ("context", 5, "name"): 24,
    ("population", "agents"): None,
    (): None,
}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(("path", "line"), EXPECTED.items())
def test_line_of_a_path(path, line, ending):
    text = TEXT.replace("\n", ending)
    tomllib.loads(text)
    assert KeyLines(text).line(path) == line


def leaves(node, path=()):
    """Every path of nested data."""
    if path:
        yield path
    if isinstance(node, dict | list):
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            yield from leaves(value, (*path, key))


@pytest.mark.parametrize("name", FILES)
def test_every_key_of_a_file_is_found(name):
    """The scanner finds each path that tomllib finds, and its line holds the key."""
    text = text_of(name)
    lines = text.splitlines()
    found = KeyLines(text)
    paths = list(leaves(tomllib.loads(text)))
    assert len(paths) > 20
    for path in paths:
        named = [part for part in path if isinstance(part, str)]
        at = found.line(path)
        assert at is not None
        assert path in found._lines, path
        if isinstance(path[-1], str):
            assert named[-1] in lines[at - 1]


@settings(derandomize=True)
@given(st.text(alphabet="ab.\"'[]{}=#\\\n ,1", max_size=40))
def test_any_text_is_scanned(text):
    KeyLines(text).line(("a", 0))


@settings(derandomize=True)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=4))
def test_keys_survive_their_text(parts):
    key = join_key(parts)
    assert len(key.splitlines()) <= 1
    assert split_key(key) == parts


def test_names_stand_for_indices():
    data = {"context": [{"name": "a"}, {"name": "b", "map": [1, 2]}], "peaks": [{"p": 1}]}
    assert named_key(("context", 1, "map", 0), data) == "context.b.map.0"
    assert named_key(("peaks", 0, "p"), data) == "peaks.0.p"
    assert find_path("context.b.map", data) == ("context", 1, "map")
    assert find_path("context.c.map", data) == ("context", "c")
    assert find_path('context."b".frequency', data) == ("context", 1, "frequency")
    assert find_path("peaks.0.p", data) == ("peaks", 0, "p")


@pytest.mark.parametrize(
    "value",
    [10**5000, "a\nb\u2028", [[[1]]] * 50, {"a": 1}, float("nan")],
    ids=["int", "text", "list", "table", "nan"],
)
def test_values_are_shown_in_one_short_line(value):
    assert len(show(value)) <= 40
    assert show(value).isprintable()
