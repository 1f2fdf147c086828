"""Whatever a scenario can hold comes back from its TOML text."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evosim.toml_text import dump_toml

LEAVES = (
    st.text()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_reads_back_the_same(data):
    assert tomllib.loads(dump_toml(data)) == data


def test_reads_well():
    data = {
        "title": "A 'map'",
        "none": None,
        "world": {"steps": 3, "symbols": {"C": {"payoff": 1.0}}},
        "context": [{"name": "coin left", "map": "##\n#S\n"}],
    }
    assert dump_toml(data) == (
        "title = \"A 'map'\"\n\n[world]\nsteps = 3\nsymbols = { C = { payoff = 1.0 } }\n\n"
        '[[context]]\nname = "coin left"\nmap = """\n##\n#S\n"""\n'
    )


def test_refuses_what_toml_has_no_form_for():
    with pytest.raises(TypeError, match="complex"):
        dump_toml({"z": 1j})
