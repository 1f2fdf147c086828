"""From a world to the flat tables that the life kernels read (no observer arrays)."""

from __future__ import annotations

import numpy as np

from evosim.errors import UserError
from evosim.kernels.life import WorldTables
from evosim.kernels.tags import FUNCTIONS, Tag
from evosim.registry import Entry, find, numbers
from evosim.scenario.blocks import episodes_of, frequencies_of
from evosim.scenario.kinds import built_in_kinds
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import UserWorld
from evosim.worlds.parts import block_tables
from evosim.worlds.tabular import I32, TabularWorld


def world_tables(
    world: TabularWorld,
    track: I32,
    step_payoff: float = 0.0,
    step_reward: float = 0.0,
    one_context: bool = False,
) -> WorldTables:
    """Flatten a tabular world.

    Parameters
    ----------
    world : TabularWorld
    track : (C, S) int32
        Ledger slot of each state, or -1.
    step_payoff, step_reward : float
        What a step itself brings, also where nothing is paid a second time.
    one_context : bool
        The context is drawn once a life.
    """
    variants, states = world.percept.shape
    base = (np.arange(variants, dtype=np.int32) * states)[:, None, None, None]
    ends = world.terminal[np.arange(variants)[:, None, None, None], world.outcome_state] != 0
    following = base + world.outcome_state
    following = np.where(ends, -1 - following, following)
    start = np.argmax(world.start_cdf > 0, axis=1).astype(np.int32)
    single = world.start_cdf[np.arange(variants), start] >= 1.0
    once, flags = _once(world)
    return WorldTables(
        following=following.ravel().astype(np.int32),
        cdf=np.ascontiguousarray(world.outcome_cdf.ravel()),
        payoff=np.ascontiguousarray(world.payoff.ravel()),
        reward=np.ascontiguousarray(world.reward.ravel()),
        once=once,
        percept=world.percept.ravel().astype(np.int32),
        cues=np.ascontiguousarray(world.percept_cue.T),
        start=np.where(single, start, -1).astype(np.int32),
        start_cdf=world.start_cdf,
        track=track.ravel().astype(np.int32),
        outcomes=world.outcome_state.shape[3],
        actions=len(world.actions),
        outputs=1 if len(world.actions) == 2 else len(world.actions),
        steps=world.steps,
        episodes=world.episodes,
        flags=flags,
        step_payoff=step_payoff,
        step_reward=step_reward,
        parameters=np.zeros((variants, 0)),
        one_context=one_context,
    )


def _once(world: TabularWorld) -> tuple[I32, int]:
    """Return the flag that each outcome raises (-1 for none) and the number of flags.

    What is paid once is a place in a context, from whichever side it is entered and whatever
    cues are seen in that episode.
    """
    if not world.once.any():
        return np.zeros(0, np.int32), 0
    place = world.variant_context[:, None, None, None] * len(world.states) + world.outcome_state
    chosen = world.once.ravel() != 0
    flags, index = np.unique(place.ravel()[chosen], return_inverse=True)
    once = np.full(chosen.size, -1, np.int32)
    once[chosen] = index
    return once, int(flags.size)


def user_tag(entry: Entry, *names: str) -> Tag:
    """Return the tag of a registered class and make its kernels known to the compiler."""
    tag = Tag(entry.role, entry.kind, entry.digest)
    FUNCTIONS[tag.numba_type.key] = {name: getattr(entry.cls, name) for name in names}
    return tag


def user_world(model: ScenarioModel) -> tuple[TabularWorld, np.ndarray, Tag]:
    """Build a user's world: its percepts as tables, its steps left to the kernel.

    Returns
    -------
    TabularWorld
        With outcome arrays of one entry per (context, state, action) that lead nowhere: only
        cues, percepts and starts mean something.
    (C, M) float64
        Parameters per context.
    Tag
    """
    spec = model.world
    assert isinstance(spec, UserWorld)
    entry = find("world", spec.kind, built_in_kinds("world"))
    cls = entry.cls
    names = tuple(c.name for c in model.context)
    per_context = [
        numbers(entry, {**spec.parameters, **c.parameters}, f"context.{c.name}")
        for c in model.context
    ]
    states, actions = int(cls.states), tuple(cls.actions)  # type: ignore[attr-defined]
    cue_names = tuple(cls.cues)  # type: ignore[attr-defined]
    cue = np.zeros((len(names), states, len(cue_names)), np.float32)
    start_cdf = np.zeros((len(names), states))
    for c, parameters in enumerate(per_context):
        for s in range(states):
            cue[c, s] = np.asarray(cls.cue(parameters, s), np.float32)  # type: ignore[attr-defined]
        first = int(cls.start(parameters))  # type: ignore[attr-defined]
        if not 0 <= first < states:
            raise UserError(
                f"world '{spec.kind}' starts in state {first}",
                key="world.kind",
                allowed=f"0 to {states - 1}",
            )
        start_cdf[c, first:] = 1.0
    if not np.isfinite(cue).all():
        raise UserError(f"world '{spec.kind}' gives cues that are not finite", key="world.kind")
    unique, inverse = np.unique(cue.reshape(-1, len(cue_names)), axis=0, return_inverse=True)
    shape = (len(names), states, len(actions), 1)
    block_ends, block_frequency = block_tables(model)
    world = TabularWorld(
        variants=names,
        contexts=names,
        variant_context=np.arange(len(names), dtype=np.int32),
        variant_visible=tuple({} for _ in names),
        variant_share=np.ones(len(names)),
        frequency=np.array(frequencies_of(model)),
        actions=actions,
        states=tuple(str(s) for s in range(states)),
        cue_names=cue_names,
        steps=spec.steps,
        episodes=episodes_of(model),
        outcome_state=np.zeros(shape, np.int32),
        outcome_cdf=np.ones(shape),
        payoff=np.zeros(shape),
        reward=np.zeros(shape),
        goal=np.zeros(shape),
        once=np.zeros(shape, np.uint8),
        cue=cue,
        percept=inverse.reshape(len(names), states).astype(np.int32),
        percept_cue=np.ascontiguousarray(unique, np.float32),
        terminal=np.zeros((len(names), states), np.uint8),
        start_cdf=start_cdf,
        region=np.full((len(names), states), -1, np.int32),
        block_ends=block_ends,
        block_frequency=block_frequency,
    )
    numeric = np.array([list(p.values()) for p in per_context], np.float64)
    return world, numeric.reshape(len(names), -1), user_tag(entry, "step")
