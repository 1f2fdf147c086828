"""A siege: a small game of two players, solved, with the opponent folded into the transitions.

Two sides move in turn. A position is material m (in -M..M, as the agent sees it) and sharpness k
(in 0..K). A quiet move lowers sharpness by one. An attack raises it by one, and where the position
was sharp already (k >= 1) it wins one unit of material. A side that is ahead by M and whose attack
takes sharpness to K mates. Sharp positions are sharp for both: who attacks hands over the same
weapons.

The opponent's play is not given but found: values of all positions under perfect play of both
sides, by value iteration on the zero-sum game (Shapley 1953), a win or loss counting a little less
per turn that it is away, so that the nearer mate is preferred. The opponent plays its best move
there, and another one with probability `error`. Of equals it takes the one that wins more material,
then the quieter.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from evosim.errors import UserError, did_you_mean
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import Context, SiegeWorld
from evosim.worlds.parts import CuelessWorld, Outcome, pack_world

MOVES = ("quiet", "attack")
#: What can happen to the agent at the end of its turn, and names of a context's payoffs.
EVENTS = ("win", "loss", "hold")
WON, LOST = "won", "lost"
#: Worth of a turn later, in the opponent's eyes.
_DISCOUNT = 0.99
#: Values that differ by less are equal.
_EQUAL = 1e-9

#: (material, sharpness), or WON or LOST.
Position = tuple[int, int] | str


def build_siege(model: ScenarioModel) -> CuelessWorld:
    """Return the tables of a siege.

    States are called ``m0 k0`` (the start), ``m-1 k2`` and so on, then ``won`` and ``lost``.
    A turn is the agent's move and the opponent's; one that leaves the game going with no less
    material than the opponent's brings what the context's tables say for ``hold``.

    Raises
    ------
    UserError
        For payoffs of anything but win, loss and hold.
    """
    world = cast(SiegeWorld, model.world)
    replies = opponents_play(world.material, world.sharpness, world.error)
    places: list[Position] = [*positions(world.material, world.sharpness), WON, LOST]
    index = {place: s for s, place in enumerate(places)}
    tables = []
    for context in model.context:
        brings = {key: _brings(context, key) for key in ("payoff", "reward", "goal")}
        table: list[list[list[Outcome]]] = []
        for place in places:
            moves = [] if isinstance(place, str) else MOVES
            table.append(
                [
                    [
                        _outcome(world, index[to], p, _event(to), brings)
                        for to, p in replies[place, move].items()  # type: ignore[index]
                    ]
                    for move in moves
                ]
            )
        tables.append(table)
    return pack_world(MOVES, [place_name(place) for place in places], tables, [
        {index[0, 0]: 1.0}
    ] * len(model.context), **_regions(places, world.sharpness, len(tables)))  # fmt: skip


def positions(material: int, sharpness: int) -> list[tuple[int, int]]:
    """Return all positions, level and quiet ones first."""
    by_size = sorted(range(-material, material + 1), key=lambda m: (abs(m), -m))
    return [(m, k) for m in by_size for k in range(sharpness + 1)]


def place_name(place: Position) -> str:
    """Return the name of a state."""
    return place if isinstance(place, str) else f"m{place[0]} k{place[1]}"


def moved(place: tuple[int, int], move: str, side: int, material: int, sharpness: int) -> Position:
    """Return where a move leads.

    Parameters
    ----------
    place : (int, int)
    move : {"quiet", "attack"}
    side : {1, -1}
        1 for the agent, -1 for the opponent.
    material, sharpness : int
        The largest of both.
    """
    m, k = place
    if move == "quiet":
        return (m, max(k - 1, 0))
    if side * m >= material and k + 1 >= sharpness:
        return WON if side > 0 else LOST
    won = side if k >= 1 else 0
    return (min(max(m + won, -material), material), min(k + 1, sharpness))


def game_values(material: int, sharpness: int) -> dict[Position, float]:
    """Return the value of every position, the agent to move, under perfect play of both."""
    value: dict[Position, float] = dict.fromkeys(positions(material, sharpness), 0.0)
    value |= {WON: 1.0, LOST: -1.0}

    def answered(place: Position) -> float:
        if isinstance(place, str):
            return value[place]
        return min(value[moved(place, move, -1, material, sharpness)] for move in MOVES)

    change = 1.0
    while change > _EQUAL / 10:
        new: dict[Position, float] = {
            place: _DISCOUNT
            * max(answered(moved(place, move, 1, material, sharpness)) for move in MOVES)
            for place in positions(material, sharpness)
        }
        change = max(abs(new[place] - value[place]) for place in new)
        value.update(new)
    return value


def opponents_play(
    material: int, sharpness: int, error: float
) -> dict[tuple[tuple[int, int], str], dict[Position, float]]:
    """Return what each move of the agent leads to, once the opponent has answered.

    Returns
    -------
    dict of (position, move) -> position -> probability
    """
    value = game_values(material, sharpness)
    play: dict[tuple[tuple[int, int], str], dict[Position, float]] = {}
    for place in positions(material, sharpness):
        for move in MOVES:
            after = moved(place, move, 1, material, sharpness)
            if isinstance(after, str):
                play[place, move] = {after: 1.0}
                continue
            best, other = _ranked(after, value, material, sharpness)
            chances = {best: 1.0 - error}
            chances[other] = chances.get(other, 0.0) + error
            play[place, move] = chances
    return play


def _ranked(
    after: tuple[int, int], value: dict[Position, float], material: int, sharpness: int
) -> list[Position]:
    """Return where the opponent's moves lead, its best first."""
    quiet, attack = (moved(after, move, -1, material, sharpness) for move in MOVES)
    gain = value[quiet] - value[attack]
    if abs(gain) <= _EQUAL:
        # A mate is never equal to going on, so that both are positions.
        gain = float(cast(tuple[int, int], quiet)[0] - cast(tuple[int, int], attack)[0])
    return [attack, quiet] if gain > 0.0 else [quiet, attack]


def _event(to: Position) -> str:
    if isinstance(to, str):
        return "win" if to == WON else "loss"
    return "hold" if to[0] >= 0 else ""


def _outcome(
    world: SiegeWorld, state: int, p: float, event: str, brings: dict[str, dict[str, float]]
) -> Outcome:
    payoff, reward, goal = (brings[key].get(event, 0.0) for key in ("payoff", "reward", "goal"))
    return Outcome(state, p, world.step_payoff + payoff, world.step_reward + reward, goal)


def _brings(context: Context, key: str) -> dict[str, float]:
    given = getattr(context, key)
    if given is None:
        return {}
    where = f"context.{context.name}.{key}"
    allowed = "a table of numbers for " + ", ".join(EVENTS)
    if not isinstance(given, dict):
        raise UserError("a siege pays by event", key=where, allowed=allowed)
    for event, value in given.items():
        if event not in EVENTS:
            raise UserError(
                f"unknown event '{event}'",
                key=f"{where}.{event}",
                allowed=", ".join(EVENTS),
                hint=did_you_mean(event, EVENTS),
            )
        if not isinstance(value, int | float):
            raise UserError("events bring a number", key=f"{where}.{event}", allowed=allowed)
    return {event: float(value) for event, value in given.items()}


def _regions(places: list[Position], sharpness: int, contexts: int) -> dict[str, object]:
    """Label the positions of full sharpness, which nobody meets who does not attack."""
    sharp = [not isinstance(place, str) and place[1] == sharpness for place in places]
    region = np.where(sharp, 0, -1).astype(np.int32)
    return {
        "region": np.broadcast_to(region, (contexts, len(places))).copy(),
        "regions": ("sharp",),
    }
