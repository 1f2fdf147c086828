"""From the world of a scenario file to the arrays that kernels read."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from evosim.errors import UserError
from evosim.scenario.blocks import episodes_of, frequencies_of
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import (
    BanditWorld,
    ChainWorld,
    Context,
    GraphWorld,
    GridWorld,
    GymnasiumWorld,
    SiegeWorld,
    UserWorld,
)
from evosim.worlds.bandit import build_bandit
from evosim.worlds.chain import build_chain
from evosim.worlds.cues import cue_columns, percepts, split_variants, variant_cues
from evosim.worlds.graph import build_graph
from evosim.worlds.grid import build_grid
from evosim.worlds.gymnasium_table import build_gymnasium
from evosim.worlds.parts import CuelessWorld, block_tables, check_distinct, check_sum
from evosim.worlds.siege import build_siege
from evosim.worlds.tabular import F64, TabularWorld

#: Kind of world -> the function that makes its tables.
BUILDERS: dict[str, Callable[[ScenarioModel], CuelessWorld]] = {
    "grid": build_grid,
    "chain": build_chain,
    "bandit": build_bandit,
    "graph": build_graph,
    "siege": build_siege,
    "gymnasium": build_gymnasium,
}

#: Keys of a context, besides name, frequency and cues, that belong to each kind of world.
CONTEXT_KEYS: dict[str, tuple[str, ...]] = {
    "grid": ("map", "symbols"),
    "chain": ("payoff", "reward", "goal"),
    "bandit": ("payoff", "reward", "goal"),
    "graph": ("transitions", "start"),
    "siege": ("payoff", "reward", "goal"),
    "gymnasium": ("arguments", "payoff", "reward", "goal", "start"),
    "landscape": (),
}
_USER_KEYS = ("parameters",)
#: All of a scenario that a world is made of.
PARTS = ("world", "context", "cues", "block")
_OWN_KEYS = tuple(dict.fromkeys([*sum(CONTEXT_KEYS.values(), ()), *_USER_KEYS]))


def build_world(model: ScenarioModel) -> TabularWorld:
    """Build the arrays of a tabular world.

    Parameters
    ----------
    model : ScenarioModel
        With a world of a kind in `BUILDERS`.

    Returns
    -------
    TabularWorld

    Raises
    ------
    UserError
        For every mistake in world, contexts and cues; `key` says where.
    """
    contexts_frequency(model)
    return finish_world(model, BUILDERS[model.world.kind](model))


def contexts_frequency(model: ScenarioModel) -> F64:
    """Check the contexts and return their training frequencies.

    Returns
    -------
    (contexts,) float64
        Frequencies at generation 0; they sum to 1 within 1e-9.

    Raises
    ------
    UserError
        Without contexts; for repeated names, keys of another kind of world, or frequencies
        that do not sum to 1.
    """
    if not model.context:
        raise UserError("there is no context", key="context", allowed="at least one [[context]]")
    check_distinct([c.name for c in model.context], "context", "context")
    for context in model.context:
        _check_keys(model.world.kind, context)
    frequency = frequencies_of(model)
    check_sum(frequency, "frequencies of the contexts", "context")
    return np.array(frequency, dtype=np.float64)


def finish_world(model: ScenarioModel, tables: CuelessWorld) -> TabularWorld:
    """Add cues, variants and percepts to the tables of a world of any kind.

    Parameters
    ----------
    model : ScenarioModel
    tables : CuelessWorld
        One table per context, in the order of the scenario file.

    Returns
    -------
    TabularWorld

    Raises
    ------
    UserError
        For every mistake in the cues.
    """
    episodic = cast(
        GridWorld | ChainWorld | BanditWorld | GraphWorld | SiegeWorld | GymnasiumWorld | UserWorld,
        model.world,
    )
    columns = cue_columns(model, tables)
    contexts = tuple(context.name for context in model.context)
    variants = split_variants(contexts, columns.visible)
    of = variants.context
    cue = variant_cues(columns, variants)
    percept, percept_cue = percepts(cue, tables.terminal[of])
    block_ends, block_frequency = block_tables(model)
    world = TabularWorld(
        variants=variants.labels,
        contexts=contexts,
        variant_context=of,
        variant_visible=variants.visible,
        variant_share=variants.share,
        frequency=contexts_frequency(model),
        actions=tables.actions,
        states=tables.states,
        cue_names=columns.names,
        steps=episodic.steps,
        episodes=episodes_of(model),
        outcome_state=tables.outcome_state[of],
        outcome_cdf=tables.outcome_cdf[of],
        payoff=tables.payoff[of],
        reward=tables.reward[of],
        goal=tables.goal[of],
        once=tables.once[of],
        cue=cue,
        percept=percept,
        percept_cue=percept_cue,
        terminal=tables.terminal[of],
        start_cdf=tables.start_cdf[of],
        region=tables.region[of],
        regions=tables.regions,
        symbol={name: where[of] for name, where in tables.symbol.items()},
        layout=tables.layout,
        position=tables.position,
        block_ends=block_ends,
        block_frequency=block_frequency,
    )
    if isinstance(model.world, GraphWorld):
        _check_percepts(model.world, world)
    return world


def percept_label(world: TabularWorld, p: int) -> str:
    """Return what is perceived in percept `p`, e.g. ``bias=1 coin=-1``; zeros are left out.

    A one-hot column stands without its value; ``blank`` means that every cue reads 0.
    """
    words = []
    for name, value in zip(world.cue_names, world.percept_cue[p], strict=True):
        if value != 0.0:
            words.append(name if "=" in name and value == 1.0 else f"{name}={value:g}")
    return " ".join(words) or "blank"


def _check_keys(kind: str, context: Context) -> None:
    allowed = CONTEXT_KEYS.get(kind, _USER_KEYS)
    for key in _OWN_KEYS:
        given = getattr(context, key)
        if given is not None and given != {} and given != [] and key not in allowed:
            raise UserError(
                f"'{key}' does not belong to a {kind} world",
                key=f"context.{context.name}.{key}",
                allowed=", ".join(("name", "frequency", "cues", *allowed)),
            )


def _check_percepts(graph: GraphWorld, world: TabularWorld) -> None:
    for label, members in graph.percepts.items():
        where = [world.states.index(state) for state in members]
        for c in range(len(world.variants)):
            live = [s for s in where if not world.terminal[c, s]]
            if len({int(p) for p in world.percept[c, live]}) > 1:
                raise UserError(
                    f"its states have different cues in '{world.variants[c]}'",
                    key=f"world.percepts.{label}",
                    allowed="states whose cues are all equal",
                )
