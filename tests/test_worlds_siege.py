"""The siege against a plain solution of its game, and by hand."""

import numpy as np
import pytest
from worlds_case import check_world, outcomes, refused, scenario

from evosim.worlds.build import build_world
from evosim.worlds.siege import LOST, WON, game_values, opponents_play, place_name

SIZES = [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4), (3, 2)]


def siege(context=None, **world):
    return scenario({"kind": "siege", "steps": 10} | world, context)


def plain_moves(m, k, side, most, full):
    """(quiet, attack) of a side, written anew: a mate is +1 for the agent, -1 for the other."""
    if side * m == most and k + 1 >= full:
        attack = side
    else:
        attack = (m + side * (k > 0), min(k + 1, full))
        if abs(attack[0]) > most:
            attack = (m, attack[1])
    return [(m, k - 1 if k else 0), attack]


def solved(most, full):
    """Retrograde analysis: who mates, and in how many plies, of (m, k, side to move)."""
    nodes = [
        (m, k, side) for m in range(-most, most + 1) for k in range(full + 1) for side in (1, -1)
    ]
    onward = {
        (m, k, side): [
            x if isinstance(x, int) else (*x, -side) for x in plain_moves(m, k, side, most, full)
        ]
        for m, k, side in nodes
    }
    known = {}
    for plies in range(1, 4 * len(nodes)):
        new = {}
        for node in nodes:
            if node in known:
                continue
            side, ends = (
                node[2],
                [(x, 0) if isinstance(x, int) else known.get(x) for x in onward[node]],
            )
            wins = [e for e in ends if e and e[0] == side]
            if any(e[1] == plies - 1 for e in wins):
                new[node] = (side, plies)
            elif all(e and e[0] == -side for e in ends) and max(e[1] for e in ends) == plies - 1:
                new[node] = (-side, plies)
        known |= new
    return onward, known


@pytest.mark.parametrize(("most", "full"), SIZES)
def test_opponent_plays_what_retrograde_analysis_finds(most, full):
    onward, known = solved(most, full)

    def worth(x):
        """To the opponent: mate soon, then draws, then being mated late."""
        who, plies = (x, 0) if isinstance(x, int) else known.get(x, (0, 0))
        return (-who, -plies if who == -1 else plies)

    play = opponents_play(most, full, 0.25)
    names = {1: WON, -1: LOST}
    for (place, move), found in play.items():
        after = onward[*place, 1][move == "attack"]
        if isinstance(after, int):
            assert found == {names[after]: 1.0}
            continue
        quiet, attack = onward[after]
        one, two = worth(quiet), worth(attack)
        if one == two:
            one, two = -quiet[0], -attack[0]
        best, other = (attack, quiet) if two > one else (quiet, attack)
        want = {}
        for x, p in ((best, 0.75), (other, 0.25)):
            to = names[x] if isinstance(x, int) else x[:2]
            want[to] = want.get(to, 0.0) + p
        assert found == pytest.approx(want)


@pytest.mark.parametrize(("most", "full"), SIZES)
def test_values_have_the_sign_and_distance_of_the_mate(most, full):
    _, known = solved(most, full)
    for place, value in game_values(most, full).items():
        if isinstance(place, tuple):
            who, plies = known.get((*place, 1), (0, 0))
            assert value == pytest.approx(who * 0.99 ** ((plies + 1) // 2), abs=1e-6)


def test_tables_by_hand():
    given = {"win": 1.0, "loss": -2.0, "hold": 0.25}
    context = [
        {"name": "novice", "frequency": 0.5, "payoff": given, "reward": {"hold": 3}},
        {"name": "expert", "frequency": 0.5, "goal": {"win": 1}},
    ]
    world = build_world(siege(context, error=0.3, step_payoff=-0.01))
    check_world(world)
    assert world.actions == ("quiet", "attack")
    assert world.states[:3] == ("m0 k0", "m0 k1", "m0 k2")
    assert world.states[-2:] == (WON, LOST)
    at = {name: s for s, name in enumerate(world.states)}
    # The first attack is a gambit: the opponent takes, unless it errs.
    assert outcomes(world, 0, at["m0 k0"], 1) == pytest.approx({
        ("m-1 k2", -0.01, 0, 0, False): 0.7, ("m0 k0", 0.24, 3, 0, False): 0.3,
    })  # fmt: skip
    assert outcomes(world, 0, at["m0 k0"], 0) == pytest.approx({
        ("m0 k0", 0.24, 3, 0, False): 0.7, ("m0 k1", 0.24, 3, 0, False): 0.3,
    })  # fmt: skip
    # Behind and sharp: who rests is mated, unless the opponent errs.
    assert outcomes(world, 0, at["m-1 k2"], 0) == pytest.approx({
        (LOST, -2.01, 0, 0, False): 0.7, ("m-1 k0", -0.01, 0, 0, False): 0.3,
    })  # fmt: skip
    assert outcomes(world, 1, at["m1 k1"], 1) == {(WON, -0.01, 0, 1, False): 1.0}
    assert world.terminal[:, [at[WON], at[LOST]]].all()
    assert world.terminal.sum() == 4
    sharp = [name for name, r in zip(world.states, world.region[0], strict=True) if r == 0]
    assert sharp == ["m0 k2", "m1 k2", "m-1 k2"]
    assert world.regions == ("sharp",)


def test_names_and_perfect_opponents():
    assert place_name((-1, 2)) == "m-1 k2"
    play = opponents_play(1, 2, 0.0)
    assert all(1.0 in found.values() for found in play.values())
    # Nobody beats a perfect opponent by force from a level start.
    assert game_values(1, 2)[0, 0] == 0.0
    assert np.ptp(list(game_values(1, 2).values())) == 2.0


MISTAKES = {
    "number": ({"payoff": 1.0}, "context.day.payoff", "win, loss, hold"),
    "event": ({"payoff": {"wins": 1}}, "context.day.payoff.wins", "did you mean 'win'?"),
    "chance": ({"reward": {"win": {"p": 0.5, "value": 1}}}, "context.day.reward.win", "number"),
    "foreign": ({"start": "m0 k0"}, "context.day.start", "does not belong to a siege world"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_line(case):
    context, key, words = MISTAKES[case]
    refused(siege([{"name": "day", "frequency": 1.0} | context]), key, words)


def test_regions_of_the_scenario():
    """Wins and level turns of the best rule of positions, and where stalling becomes best."""
    play, turns = opponents_play(1, 2, 0.3), 10
    places = [place for place, move in play if move == "quiet"]
    to = np.zeros((2, 9, 9))
    wins, holds = np.zeros((2, 9)), np.zeros((2, 9))
    for (place, move), found in play.items():
        at = (int(move == "attack"), places.index(place))
        for end, p in found.items():
            if isinstance(end, tuple):
                to[*at, places.index(end)] += p
                holds[at] += p * (end[0] >= 0)
            wins[at] += p * (end == WON)

    def lived(attack):
        """Chance of a win, and expected level turns, of attacking so often at each position."""
        mix = np.stack([1 - attack, attack])
        onto, win, hold = (np.einsum("ap,ap...->p...", mix, x) for x in (to, wins, holds))
        value = np.zeros((2, 9))
        for _ in range(turns):
            value = np.stack([win + onto @ value[0], hold + onto @ value[1]])
        return value[:, places.index((0, 0))]

    rules = ((np.arange(512)[:, None] >> np.arange(9)) & 1).astype(float)
    found = np.array([lived(rule) for rule in rules])
    best = found[found[:, 0].argmax()]
    assert best == pytest.approx([0.80, 6.07], abs=0.005)
    assert lived(np.zeros(9)) == pytest.approx([0, turns])
    border = best[0] / (turns - best[1])
    assert border == pytest.approx(0.205, abs=0.0005)
    for bonus, wins_there in ((0.95 * border, best[0]), (1.05 * border, 0.0)):
        assert found[(found @ [1, bonus]).argmax(), 0] == pytest.approx(wins_there)
    assert (found @ [1, 0.05]).max() == pytest.approx(1.11, abs=0.005)
    assert (found @ [1, 0.15]).max() == pytest.approx(1.72, abs=0.005)
    unskilled = lived(np.where([place == (0, 0) for place in places], 1.0, 0.5))
    assert unskilled == pytest.approx([0.05, 1.34], abs=0.005)
    assert unskilled[0] / (turns - unskilled[1]) == pytest.approx(0.006, abs=0.0005)
