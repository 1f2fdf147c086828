"""What every kind of world gives before cues are added: outcomes packed into arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.scenario.blocks import lived_blocks
from evosim.scenario.model import ScenarioModel
from evosim.worlds.tabular import F64, I32

#: Probabilities that should sum to 1 may miss it by rounding in the scenario file.
TOLERANCE = 1e-9


class Outcome(NamedTuple):
    """One possible result of an action.

    Attributes
    ----------
    state : int
        Index of the next state.
    p : float
        Probability of this outcome.
    payoff, reward, goal : float
        What the outcome brings, the payoff and reward of the step included.
    once : bool
        Payoff and reward count only the first time in a life.
    """

    state: int
    p: float = 1.0
    payoff: float = 0.0
    reward: float = 0.0
    goal: float = 0.0
    once: bool = False


#: Outcomes by state and action: ``table[s][a]`` lists the outcomes of action a in state s.
OutcomeTable = Sequence[Sequence[Sequence[Outcome]]]


@dataclass(frozen=True)
class CuelessWorld:
    """A world without cues; C counts contexts here, because nothing is hidden yet.

    Attributes are those of `evosim.worlds.tabular.TabularWorld` of the same name. States
    that a context does not have (a wall there, a graph state it does not reach) are
    terminal in it: nothing leads to them.
    """

    actions: tuple[str, ...]
    states: tuple[str, ...]
    outcome_state: I32
    outcome_cdf: F64
    payoff: F64
    reward: F64
    goal: F64
    once: NDArray[np.uint8]
    terminal: NDArray[np.uint8]
    start_cdf: F64
    region: I32
    position: I32
    regions: tuple[str, ...] = ()
    symbol: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    layout: tuple[tuple[str, ...], ...] = ()


def merge(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the outcomes with equal ones added up and impossible ones dropped.

    Order of first appearance is kept, so equal worlds give equal arrays.
    """
    listed = list(outcomes)
    if len(listed) == 1:
        return listed
    total: dict[Outcome, float] = {}
    for outcome in listed:
        if outcome.p > 0.0:
            kind = outcome._replace(p=1.0)
            total[kind] = total.get(kind, 0.0) + outcome.p
    return [kind._replace(p=p) for kind, p in total.items()]


def cumulative(p: F64) -> F64:
    """Return cumulative sums over the last axis, exactly 1 from the last positive entry on.

    Parameters
    ----------
    p : (..., K) float64
        Probabilities; each row sums to 1 up to rounding.
    """
    cdf = np.minimum(np.cumsum(p, axis=-1), 1.0)
    last = p.shape[-1] - 1 - np.argmax((p > 0.0)[..., ::-1], axis=-1)
    cdf[np.arange(p.shape[-1]) >= last[..., None]] = 1.0
    return cdf


def pack_world(
    actions: Sequence[str],
    states: Sequence[str],
    outcomes: Sequence[OutcomeTable],
    start: Sequence[dict[int, float]],
    **observer: object,
) -> CuelessWorld:
    """Pack outcomes and start states into arrays.

    Parameters
    ----------
    actions, states : sequences of str
        Labels, lengths A and S.
    outcomes : sequence of length C
        Per context, ``[s][a]`` -> outcomes; an empty ``[s]`` makes the state terminal.
    start : sequence of length C
        Per context, state index -> probability.
    **observer
        `region`, `regions`, `position`, `symbol`, `layout` where the world has them.

    Returns
    -------
    CuelessWorld
    """
    C, S, A = len(outcomes), len(states), len(actions)
    merged = [[[merge(cell) for cell in row] for row in table] for table in outcomes]
    K = max((len(cell) for table in merged for row in table for cell in row), default=1)
    filled = [
        outcome
        for table in merged
        for s, row in enumerate(table)
        # Terminal states loop on themselves and bring nothing: valid rows, never used.
        for cell in (row or [[Outcome(s)]] * A)
        # Padding repeats the last outcome with probability 0.
        for outcome in (*cell, *[cell[-1]._replace(p=0.0)] * (K - len(cell)))
    ]
    values = np.array(filled, dtype=np.float64).reshape(C, S, A, K, len(Outcome._fields))
    state, p, payoff, reward, goal, once = (
        np.ascontiguousarray(v) for v in np.moveaxis(values, -1, 0)
    )
    start_p = np.zeros((C, S))
    for c, chances in enumerate(start):
        for s, chance in chances.items():
            start_p[c, s] = chance
    parts: dict[str, object] = {
        "region": np.full((C, S), -1, dtype=np.int32),
        "position": np.stack([np.arange(S), np.zeros(S)], axis=1).astype(np.int32),
    }
    return CuelessWorld(
        actions=tuple(actions),
        states=tuple(states),
        outcome_state=state.astype(np.int32),
        outcome_cdf=cumulative(p),
        payoff=payoff,
        reward=reward,
        goal=goal,
        once=once.astype(np.uint8),
        terminal=np.array([[not row for row in table] for table in merged], dtype=np.uint8),
        start_cdf=cumulative(start_p),
        **(parts | observer),  # type: ignore[arg-type]
    )


def block_tables(model: ScenarioModel) -> tuple[NDArray[np.int64] | None, F64 | None]:
    """Return where each block of a life ends, and how often contexts occur in it.

    Returns
    -------
    (B,) int64, (B, contexts) float64
        None without blocks.
    """
    blocks = lived_blocks(model)
    if not blocks:
        return None, None
    ends = np.cumsum([block.episodes for block in blocks])
    rows = [[b.frequencies.get(c.name, 0.0) for c in model.context] for b in blocks]
    return ends.astype(np.int64), np.array(rows, np.float64)


def unknown(what: str, name: str, known: Iterable[str], key: str) -> UserError:
    """Return the error for a name that is not among the known ones."""
    names = list(known)
    return UserError(
        f"unknown {what} '{name}'",
        key=key,
        allowed=", ".join(shown(names)) or "none",
        hint=closest(name, names),
    )


def shown(names: Sequence[str], most: int = 12) -> list[str]:
    """Return at most `most` names, so that an error stays one readable line."""
    return list(names) if len(names) <= most else [*names[:most], f"... ({len(names)} in all)"]


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?``, also where only upper and lower case differ."""
    names = list(known)
    same = [name for name in names if name.lower() == word.lower()]
    return did_you_mean(same[0], same) if same else did_you_mean(word, names)


def check_distinct(names: Sequence[str], what: str, key: str) -> None:
    """Raise UserError when a name is given twice."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UserError(f"{what} '{name}' is given twice", key=key, allowed="distinct names")


def check_sum(values: Iterable[float], what: str, key: str) -> None:
    """Raise UserError unless the values sum to 1 within 1e-9; the message says the sum."""
    total = float(sum(values))
    if abs(total - 1.0) > TOLERANCE:
        raise UserError(f"{what} sum to {total:.10g}", key=key, allowed="a sum of 1")


def check_labels(labels: Mapping[str, Sequence[str]], states: Sequence[str], key: str) -> None:
    """Raise UserError when a label names a state that there is not."""
    for label, members in labels.items():
        for state in members:
            if state not in states:
                raise unknown("state", state, states, f"{key}.{label}")


def label_regions(regions: Mapping[str, Sequence[str]], states: Sequence[str]) -> I32:
    """Return (S,) the index of each state's region, or -1.

    Raises
    ------
    UserError
        For unknown states, or a state in two regions.
    """
    check_labels(regions, states, "world.regions")
    region = np.full(len(states), -1, dtype=np.int32)
    for r, (label, members) in enumerate(regions.items()):
        for state in members:
            s = states.index(state)
            if region[s] not in (-1, r):
                raise UserError(
                    f"state '{state}' is in two regions",
                    key=f"world.regions.{label}",
                    allowed="one region per state",
                )
            region[s] = r
    return region
