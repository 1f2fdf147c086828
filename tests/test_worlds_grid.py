"""Grid worlds: hand-computed maps, and a walk on the text itself as slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds_case import check_world, grid, outcomes

from evosim.errors import UserError
from evosim.worlds.build import build_world

SYMBOLS = {
    "C": {"payoff": 1.0, "reward": 0.5, "goal": 2.0, "terminal": True, "region": "coin"},
    "D": {"payoff": -0.25, "once": True},
    "W": {"wall": True},
    "F": {"region": "field"},
}
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "stay": (0, 0)}


def some(*letters):
    return {letter: SYMBOLS[letter] for letter in letters}


def test_two_coins_by_hand():
    world = build_world(
        grid(
            "######\n#S..C#\n######",
            "######\n#CS..#\n######",
            symbols=some("C"),
            step_payoff=-0.1,
            step_reward=0.2,
            steps=3,
            episodes=7,
        )
    )
    check_world(world)
    assert world.variants == world.contexts == ("a", "b")
    assert world.actions == ("left", "right")
    assert world.states == ("1,1", "2,1", "3,1", "4,1")
    assert (world.steps, world.episodes) == (3, 7)
    assert world.outcome_state.shape == (2, 4, 2, 1)
    assert world.outcome_state[0, :3, :, 0].tolist() == [[0, 1], [0, 2], [1, 3]]
    assert world.terminal.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert world.payoff[0, :, :, 0].tolist() == [[-0.1] * 2, [-0.1] * 2, [-0.1, 0.9], [0, 0]]
    assert world.reward[0, 2, :, 0].tolist() == [0.2, 0.7]
    assert world.goal[0, :, :, 0].tolist() == [[0, 0], [0, 0], [0, 2], [0, 0]]
    assert world.start_cdf.tolist() == [[1, 1, 1, 1], [0, 1, 1, 1]]
    assert world.region.tolist() == [[-1, -1, -1, 0], [0, -1, -1, -1]]
    assert world.regions == ("coin",)
    assert world.symbol["C"].tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert world.symbol["S"].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert world.layout[1] == ("######", "#CS..#", "######")
    assert world.position.tolist() == [[1, 1], [2, 1], [3, 1], [4, 1]]
    assert world.frequency.tolist() == [0.5, 0.5]


def test_bumping_and_staying_enter_nothing():
    world = build_world(
        grid("#SD#", symbols=some("D"), step_payoff=-1.0, actions=["right", "stay", "left"])
    )
    assert world.actions == ("right", "stay", "left")
    assert outcomes(world, 0, 0, 0) == {("2,0", -1.25, 0, 0, True): 1.0}
    for action in (0, 1):
        assert outcomes(world, 0, 1, action) == {("2,0", -1.0, 0, 0, False): 1.0}
    assert outcomes(world, 0, 1, 2) == {("1,0", -1.0, 0, 0, False): 1.0}


def test_slip_goes_to_the_other_actions_and_merges_equal_outcomes():
    world = build_world(grid("#####\n#.S.#\n##.##\n#####", slip=0.3))
    assert world.actions == ("left", "right", "up", "down")
    s = world.states.index("2,1")
    got = outcomes(world, 0, s, 0)
    assert got == {
        ("1,1", 0, 0, 0, False): pytest.approx(0.7),
        ("3,1", 0, 0, 0, False): pytest.approx(0.1),
        ("2,1", 0, 0, 0, False): pytest.approx(0.1),
        ("2,2", 0, 0, 0, False): pytest.approx(0.1),
    }
    # In the dead end below, three of the four directions bump: two distinct outcomes.
    s = world.states.index("2,2")
    assert outcomes(world, 0, s, 0) == {
        ("2,2", 0, 0, 0, False): pytest.approx(0.9),
        ("2,1", 0, 0, 0, False): pytest.approx(0.1),
    }


def test_one_outcome_when_deterministic():
    assert build_world(grid("#S.#")).outcome_state.shape[-1] == 1
    assert build_world(grid("#S.#", slip=0.2)).outcome_state.shape[-1] == 2
    assert outcomes(build_world(grid("#S.#", slip=1.0)), 0, 0, 1) == {("1,0", 0, 0, 0, False): 1.0}


def test_several_starts_are_uniform():
    world = build_world(grid("S.S\n.S."))
    assert np.diff(world.start_cdf[0], prepend=0) == pytest.approx([1 / 3, 0, 1 / 3, 0, 1 / 3, 0])


def test_default_actions_are_the_moves_of_any_map_in_fixed_order():
    assert build_world(grid("S", "S\n.")).actions == ("up", "down")
    assert build_world(grid("S.", "S\n.")).actions == ("left", "right", "up", "down")
    # Out of a coin that ends the episode nobody moves left.
    assert build_world(grid("#SC#", symbols=some("C"))).actions == ("right",)


def test_maps_of_different_shape_share_the_states_that_either_has():
    world = build_world(grid("#S.#", "S\n.\n."))
    check_world(world)
    assert world.states == ("0,0", "1,0", "2,0", "0,1", "0,2")
    # Cells that a map does not have are never entered, and have no percept of their own.
    assert world.terminal.tolist() == [[1, 0, 0, 1, 1], [0, 1, 1, 0, 0]]
    assert len(world.percept_cue) == 1


def test_ragged_rows_and_outer_blanks_are_walls():
    world = build_world(grid("\n   ####   \n   #S .\n   ##.\n   ", symbols={}))
    assert world.states == ("4,1", "5,1", "6,1", "5,2")
    assert world.layout[0] == ("##########", "####S .###", "#####.####")


def test_context_symbol_replaces_the_whole_symbol():
    model = grid("#SC#", "#SC#", symbols=some("C"))
    data = model.model_dump(by_alias=True, exclude_unset=True)
    data["context"][1]["symbols"] = {"C": {"payoff": -3.0}}
    world = build_world(type(model).model_validate(data))
    # Where the coin ends nothing, a way leads back from it.
    assert world.actions == ("left", "right")
    assert outcomes(world, 0, 0, 1) == {("2,0", 1, 0.5, 2, False): 1.0}
    assert outcomes(world, 1, 0, 1) == {("2,0", -3, 0, 0, False): 1.0}
    assert world.terminal.tolist() == [[0, 1], [0, 0]]


def test_symbol_absent_in_one_context_is_fine():
    world = build_world(grid("#SC#", "#S.#", symbols=some("C")))
    assert world.symbol["C"].tolist() == [[0, 1], [0, 0]]


# ---------------------------------------------------------------------------------------
# The slow reference: walks the text, character by character.


def text_at(rows, x, y):
    if y < 0 or y >= len(rows) or x < 0 or x >= len(rows[y]):
        return "#"
    return rows[y][x]


def text_walk(rows, x, y, way):
    """Where a move leads and what is entered there ('' for nothing)."""
    dx, dy = WAYS[way]
    there = text_at(rows, x + dx, y + dy)
    if there in "#W" or way == "stay":
        return x, y, ""
    return x + dx, y + dy, there


def text_reach(rows, ways, through_terminals=False):
    """Fewest steps from any S, by plain relaxation until nothing changes."""
    steps = {(x, y): 0 for y, row in enumerate(rows) for x, c in enumerate(row) if c == "S"}
    while True:
        more = {}
        for (x, y), n in steps.items():
            if text_at(rows, x, y) == "C" and not through_terminals:
                continue
            for way in ways:
                nx, ny, _ = text_walk(rows, x, y, way)
                if n + 1 < steps.get((nx, ny), 10**9):
                    more[nx, ny] = min(n + 1, more.get((nx, ny), 10**9))
        if not more:
            return steps
        steps |= more


def without_outside(rows):
    """The same rows, blanks that no start can reach turned into walls."""
    inside = text_reach(rows, WAYS, through_terminals=True)
    return [
        "".join("#" if c == " " and (x, y) not in inside else c for x, c in enumerate(row))
        for y, row in enumerate(rows)
    ]


maps = st.lists(st.text("##...SCDWF ", min_size=1, max_size=6), min_size=1, max_size=6).filter(
    lambda rows: any("S" in row for row in rows) and rows[0].strip() and rows[-1].strip()
)
FEW = settings(max_examples=120, deadline=None, derandomize=True, database=None)


@FEW
@given(
    rows=maps,
    steps=st.integers(1, 12),
    slip=st.sampled_from([0.0, 0.25, 1.0]),
    ways=st.permutations(list(WAYS)).flatmap(
        lambda order: st.integers(2, 5).map(lambda n: order[:n])
    ),
)
def test_arrays_agree_with_a_walk_on_the_text(rows, steps, slip, ways):
    used = [letter for letter in SYMBOLS if any(letter in row for row in rows)]
    model = grid(
        "\n".join(rows),
        symbols=some(*used),
        steps=steps,
        slip=slip,
        actions=ways,
        step_payoff=-0.5,
        step_reward=0.125,
    )
    reach = text_reach(rows, ways)
    placed = {c: cells(rows, c) for c in "CD"}
    too_far = [
        c
        for c, where in placed.items()
        if where and min(reach.get(xy, 10**9) for xy in where) > steps
    ]
    if too_far:
        with pytest.raises(UserError, match=f"symbol '{too_far[0]}'"):
            build_world(model)
        return
    world = build_world(model)
    check_world(world)
    rows = without_outside(rows)
    expected = [(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c not in "#W"]
    assert world.states == tuple(f"{x},{y}" for x, y in expected)
    for s, (x, y) in enumerate(expected):
        char = text_at(rows, x, y)
        assert world.terminal[0, s] == (char == "C")
        region = SYMBOLS.get(char, {}).get("region")
        assert world.region[0, s] == (world.regions.index(region) if region else -1)
        if char == "C":
            continue
        for a, way in enumerate(ways):
            want = {}
            for other in ways:
                p = 1 - slip if other == way else slip / (len(ways) - 1)
                nx, ny, entered = text_walk(rows, x, y, other)
                symbol = SYMBOLS.get(entered, {})
                kind = (
                    f"{nx},{ny}",
                    symbol.get("payoff", 0.0) - 0.5,
                    symbol.get("reward", 0.0) + 0.125,
                    symbol.get("goal", 0.0),
                    symbol.get("once", False),
                )
                if p > 0:
                    want[kind] = want.get(kind, 0) + p
            assert outcomes(world, 0, s, a) == pytest.approx(want)
    # A slip leads nowhere that another of the actions does not lead.
    assert array_reach(world) == {f"{x},{y}" for x, y in text_reach(rows, ways)}


def cells(rows, letter):
    return [(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == letter]


def array_reach(world):
    met = set(np.flatnonzero(np.diff(world.start_cdf[0], prepend=0)))
    stack = list(met)
    while stack:
        s = stack.pop()
        if not world.terminal[0, s]:
            for n in set(world.outcome_state[0, s].ravel().tolist()) - met:
                met.add(n)
                stack.append(n)
    return {world.states[s] for s in met}
