"""Cues, hidden cues and percepts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds_case import check_world, grid, scenario

from evosim.worlds.build import build_world, percept_label
from evosim.worlds.cues import split_variants

FEW = settings(max_examples=80, deadline=None, derandomize=True, database=None)
COIN = {"C": {"payoff": 1.0, "terminal": True}}
PLACE = {"C": {"region": "place"}}


def column(world, name, variant=0):
    """The values of one cue, by state label."""
    f = world.cue_names.index(name)
    return dict(zip(world.states, world.cue[variant, :, f].tolist(), strict=True))


# --- sources ---------------------------------------------------------------------------


def test_constants():
    world = build_world(grid("#S.#", cues={"bias": 1, "two": {"value": 2.0}, "none": 0}))
    check_world(world)
    assert world.cue_names == ("bias", "two", "none")
    assert world.cue[0].tolist() == [[1, 2, 0], [1, 2, 0]]
    assert world.percept_cue.tolist() == [[1, 2, 0]]


def test_nothing_is_perceived_in_a_terminal_state():
    world = build_world(grid("#SC#", symbols=COIN, cues={"bias": 1, "coin": {"at": "C"}}))
    assert world.cue[0].tolist() == [[1, 0], [0, 0]]
    assert len(world.percept_cue) == 1


def test_toward_takes_the_nearest_and_is_even_between_two():
    world = build_world(grid("C.S..C.C", symbols=PLACE, cues={"coin": {"toward": "C"}}))
    signs = [column(world, "coin")[f"{x},0"] for x in range(8)]
    assert signs == [0, -1, -1, 1, 1, 0, 0, 0]


def test_toward_by_axis():
    cues = {"x": {"toward": "C"}, "y": {"toward": "C", "axis": "y"}}
    world = build_world(grid("..C\nS..\n...", symbols=PLACE, cues=cues))
    assert column(world, "x") == {f"{x},{y}": float(x < 2) for y in range(3) for x in range(3)}
    assert column(world, "y") == {f"{x},{y}": -float(y > 0) for y in range(3) for x in range(3)}


def test_toward_within_sees_no_further():
    cues = {"coin": {"toward": "C", "within": 2}}
    world = build_world(grid("S...C..\n.......", symbols=PLACE, cues=cues))
    seen = {f"{x},{y}" for x in range(7) for y in range(2) if abs(x - 4) + y <= 2 and x != 4}
    assert {s for s, v in column(world, "coin").items() if v != 0} == seen


def test_place_spans_the_places_of_the_map():
    cues = {"x": {"place": "x"}, "y": {"place": "y"}}
    world = build_world(grid("######\n#S...#\n#....#\n#....#\n######", cues=cues))
    check_world(world)
    assert [column(world, "x")[f"{x},2"] for x in range(1, 5)] == pytest.approx(
        [-1, -1 / 3, 1 / 3, 1]
    )
    assert [column(world, "y")[f"2,{y}"] for y in range(1, 4)] == [-1, 0, 1]
    flat = build_world(grid("#S..#", cues={"y": {"place": "y"}}))
    assert set(column(flat, "y").values()) == {0}


def test_toward_reads_0_where_the_symbol_is_absent():
    world = build_world(grid("S.C", "S..", symbols=PLACE, cues={"coin": {"toward": "C"}}))
    assert world.cue[:, 0, 0].tolist() == [1, 0]


def test_at_and_beside():
    cues = {"at": {"at": "C"}, "beside": {"beside": "C"}, "wall": {"beside": "#"}}
    world = build_world(grid("S.C.\n...#", symbols=PLACE, cues=cues))
    assert [k for k, v in column(world, "at").items() if v] == ["2,0"]
    assert [k for k, v in column(world, "beside").items() if v] == ["1,0", "3,0", "2,1"]
    # Outside the map is wall: of the cells of this map all but none touch it.
    assert all(column(world, "wall").values())
    inner = build_world(grid("...\n.S.\n...", cues={"wall": {"beside": "#"}}))
    assert [k for k, v in column(inner, "wall").items() if not v] == ["1,1"]


def test_cues_read_landmarks_that_are_walls():
    lamp = {"L": {"wall": True}}
    cues = {"lamp": {"beside": "L"}, "way": {"toward": "L"}, "far": {"distance": "L"}}
    world = build_world(grid("#S..L", symbols=lamp, cues=cues))
    assert list(column(world, "lamp").values()) == [0, 0, 1]
    assert list(column(world, "way").values()) == [1, 1, 1]
    assert list(column(world, "far").values()) == pytest.approx([1, 2 / 3, 1 / 3])


def test_distance_goes_around_walls_and_over_the_longest_way():
    world = build_world(grid("S#C\n...", symbols=PLACE, cues={"far": {"distance": "C"}}))
    assert column(world, "far") == {
        "0,0": 1.0,
        "2,0": 0.0,
        "0,1": 0.75,
        "1,1": 0.5,
        "2,1": 0.25,
    }


def test_distance_is_1_where_no_way_leads():
    cues = {"far": {"distance": "C"}}
    # The trap T ends every episode: there is no way on from it.
    symbols = PLACE | {"T": {"terminal": True}}
    world = build_world(grid("S.TC.", "S.T..", symbols=symbols, cues=cues))
    assert [column(world, "far")[s] for s in ("0,0", "1,0", "3,0", "4,0")] == [1, 1, 0, 1]
    assert [column(world, "far", 1)[s] for s in ("0,0", "1,0")] == [1, 1]


def test_distance_follows_the_actions():
    world = build_world(
        grid(".SC.", symbols=PLACE, cues={"far": {"distance": "C"}}, actions=["right"])
    )
    assert list(column(world, "far").values()) == [1, 0.5, 0, 1]


def test_states_by_name():
    model = scenario(
        {"kind": "chain", "length": 4, "steps": 3},
        cues={"near": {"states": {"1": 0.5, "2": -1.0}}},
    )
    assert build_world(model).cue[0, :, 0].tolist() == [0, 0.5, -1, 0]


def test_context_cue_reads_0_where_a_context_gives_none():
    model = scenario(
        {"kind": "bandit", "actions": ["a", "b"]},
        [{"name": "x", "frequency": 1, "cues": {"smell": -2.5}}, {"name": "y"}],
        {"smell": {"context": True}},
    )
    world = build_world(model)
    assert world.cue[:, 0, 0].tolist() == [-2.5, 0]
    assert [percept_label(world, p) for p in range(2)] == ["smell=-2.5", "blank"]


def test_one_hot_state_has_a_column_for_each_state_that_is_perceived():
    model = scenario(
        {"kind": "chain", "length": 4, "steps": 3}, cues={"bias": 1, "at": {"one_hot": "state"}}
    )
    world = build_world(model)
    check_world(world)
    assert world.cue_names == ("bias", "at=0", "at=1", "at=2")
    assert (world.cue[0, :3, 1:] == np.eye(3)).all()
    assert world.percept[0].tolist() == [0, 1, 2, 0]
    assert percept_label(world, 1) == "bias=1 at=1"


def test_one_hot_context():
    model = scenario(
        {"kind": "bandit", "actions": ["a", "b"]},
        [{"name": "x", "frequency": 1}, {"name": "y"}],
        {"in": {"one_hot": "context"}},
    )
    world = build_world(model)
    assert world.cue_names == ("in=x", "in=y")
    assert world.cue[:, 0].tolist() == [[1, 0], [0, 1]]


# --- hidden cues -----------------------------------------------------------------------


def coins(**visible):
    cues = {"bias": 1.0, "coin": {"toward": "C"}, "wind": {"value": 3.0}}
    for name, share in visible.items():
        cues[name]["visible"] = share
    return build_world(grid("#S.C#", "#C.S#", symbols=COIN, cues=cues))


def test_nothing_hidden_splits_nothing():
    world = coins(coin=1.0)
    assert world.variants == ("a", "b")
    assert world.variant_visible == ({}, {})
    assert world.variant_share.tolist() == [1, 1]


def test_a_cue_never_seen_splits_nothing_and_reads_0():
    world = coins(coin=0.0)
    assert world.variants == ("a", "b")
    assert world.variant_visible == ({"coin": False},) * 2
    assert not world.cue[:, :, 1].any()


def test_one_hidden_cue():
    world = coins(coin=0.25)
    check_world(world)
    assert world.variants == (
        "a | coin seen",
        "a | coin hidden",
        "b | coin seen",
        "b | coin hidden",
    )
    assert world.contexts == ("a", "b")
    assert world.variant_context.tolist() == [0, 0, 1, 1]
    assert world.variant_share.tolist() == [0.25, 0.75] * 2
    assert world.variant_visible == ({"coin": True}, {"coin": False}) * 2
    assert world.variant_frequency(world.frequency).tolist() == [0.125, 0.375] * 2
    start = world.states.index("1,0")
    assert world.cue[:2, start].tolist() == [[1, 1, 3], [1, 0, 3]]
    # Only what is perceived differs between the variants of a context.
    assert (world.outcome_state[0] == world.outcome_state[1]).all()
    assert (world.payoff[0] == world.payoff[1]).all()
    assert [percept_label(world, p) for p in range(3)] == [
        "bias=1 coin=1 wind=3",
        "bias=1 wind=3",
        "bias=1 coin=-1 wind=3",
    ]


def test_two_hidden_cues_are_hidden_independently():
    world = coins(coin=0.25, wind=0.5)
    check_world(world)
    assert world.variants[:4] == (
        "a | coin seen, wind seen",
        "a | coin seen, wind hidden",
        "a | coin hidden, wind seen",
        "a | coin hidden, wind hidden",
    )
    assert world.variant_share.tolist() == [0.125, 0.125, 0.375, 0.375] * 2
    assert world.cue[:4, 0, 2].tolist() == [3, 0, 3, 0]


def test_a_hidden_one_hot_cue_loses_all_its_columns():
    model = scenario(
        {"kind": "chain", "length": 3, "steps": 2},
        cues={"at": {"one_hot": "state", "visible": 0.5}},
    )
    world = build_world(model)
    assert world.cue[0, :2].tolist() == [[1, 0], [0, 1]]
    assert not world.cue[1].any()
    assert percept_label(world, 2) == "blank"


@FEW
@given(
    contexts=st.integers(1, 3),
    visible=st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1), max_size=4),
)
def test_shares_of_variants(contexts, visible):
    names = [f"c{i}" for i in range(contexts)]
    variants = split_variants(names, visible)
    split = [n for n, v in visible.items() if 0 < v < 1]
    assert len(variants.labels) == len(set(variants.labels)) == contexts * 2 ** len(split)
    for c in range(contexts):
        here = variants.context == c
        assert variants.share[here].sum() == pytest.approx(1, abs=1e-12)
        for name in split:
            seen = np.array([v[name] for v in variants.visible])
            assert variants.share[here & seen].sum() == pytest.approx(visible[name], abs=1e-12)


# --- percepts --------------------------------------------------------------------------


@FEW
@given(
    values=st.lists(
        st.lists(st.sampled_from([0.0, -0.0, 1.0, 0.1]), min_size=2, max_size=2),
        min_size=2,
        max_size=6,
    ),
    visible=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_states_share_a_percept_exactly_if_their_cues_are_equal(values, visible):
    cues = {
        f"cue{f}": {"states": {str(s): row[f] for s, row in enumerate(values)}} for f in range(2)
    }
    cues["cue0"]["visible"] = visible
    model = scenario({"kind": "chain", "length": len(values) + 1, "steps": len(values)}, cues=cues)
    world = build_world(model)
    check_world(world)
    places = np.argwhere(world.terminal == 0)
    for c, s in places:
        for d, t in places:
            equal = bool((world.cue[c, s] == world.cue[d, t]).all())
            assert equal == (world.percept[c, s] == world.percept[d, t])


def test_percept_label_is_short():
    cues = {"bias": 1, "half": 0.5, "third": 1 / 3}
    world = build_world(grid("#S.#", cues=cues))
    assert percept_label(world, 0) == "bias=1 half=0.5 third=0.333333"
