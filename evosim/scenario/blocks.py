"""The order of contexts within a life: blocks of episodes.

Without blocks every episode of a life draws its context from the same frequencies. With blocks
the first so many episodes draw from those of the first block, and so on: what is learned in one
meets the next. Whatever asks how often a context occurs in training (the ledger's choice of
percepts, planners' given models, the predictors) is told its share of all episodes of a life; an
exact assay, and a trial that does not live the blocks, stay in the one context that they name.
"""

from __future__ import annotations

from evosim.errors import UserError
from evosim.scenario.keys import join_key
from evosim.scenario.model import ScenarioModel
from evosim.scenario.study_parts import Block
from evosim.scenario.world import LandscapeWorld


def lived_blocks(model: ScenarioModel) -> list[Block]:
    """Return the blocks that have episodes, in order."""
    return [block for block in model.block if block.episodes > 0]


def episodes_of(model: ScenarioModel) -> int:
    """Return the episodes of a life; 1 where neither the world nor a block says."""
    if isinstance(model.world, LandscapeWorld):
        return 1
    return model.world.episodes or sum(block.episodes for block in model.block) or 1


def frequencies_of(model: ScenarioModel) -> list[float]:
    """Return each context's share of the episodes of a life."""
    if not model.block:
        return [context.frequency for context in model.context]
    total = sum(block.episodes for block in model.block)
    return [
        sum(b.episodes * b.frequencies.get(context.name, 0.0) for b in model.block) / total
        for context in model.context
    ]


def check_blocks(model: ScenarioModel) -> None:
    """Check what blocks say against each other and the rest; contexts' names: the caller.

    Raises
    ------
    UserError
    """
    if not model.block:
        return
    world = model.world
    assert not isinstance(world, LandscapeWorld)
    for context in model.context:
        if context.frequency > 0.0:
            raise UserError(
                "blocks say how often contexts occur",
                key=join_key(["context", context.name, "frequency"]),
                allowed="leave it out, or the blocks",
            )
    if model.phase:
        raise UserError(
            "phases and blocks both say how often contexts occur",
            key=join_key(["phase", model.phase[0].name]),
            allowed="interventions on 'block.NAME.frequencies.CONTEXT'",
        )
    if world.context_per == "life":
        raise UserError(
            "blocks draw a context for every episode",
            key="world.context_per",
            allowed="'episode', or no blocks",
        )
    total = sum(block.episodes for block in model.block)
    if total == 0:
        raise UserError("no block has an episode", key="block", allowed="at least one episode")
    if world.episodes is not None and world.episodes != total:
        raise UserError(
            f"a life of {world.episodes} episodes, but its blocks sum to {total}",
            key="world.episodes",
            allowed=f"{total}, or leave it out",
        )
