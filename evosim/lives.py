"""What the lives of one generation leave behind."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evosim.criterion import ModelCode
from evosim.kernels.life import WorldTables

F64 = NDArray[np.float64]


def acts_type(tables: WorldTables) -> type[np.uint16] | type[np.uint32]:
    """Return the type of counts that hold what can be done in a life.

    The same for all that live: lives whose arrays are of other types are compiled once more.
    """
    return np.uint16 if tables.steps * tables.episodes < 2**16 else np.uint32


@dataclass
class Lives:
    """What one generation's lives brought.

    Attributes
    ----------
    count : (R,) int64
        Agents that lived.
    genes : (R, N, L) float32
        Expressed values at birth.
    payoff, criterion, fitness : (R, N) float64
        Summed over the life; what selection reads; expected offspring up to a factor.
    acts : (R, N, T * A) unsigned
        How often each action was done at each tracked percept.
    context_payoff, context_episodes : (R, C) float64
        Summed over agents, per variant.
    born, learned : (R, N, V) float64
        Learned state at birth and at death; last axis 0 without learning.
    produced : (R, N, X * A) unsigned
        How often each action was done in each slot of the reward model; X = 0 without one.
    """

    count: NDArray[np.int64]
    genes: NDArray[np.float32]
    payoff: F64
    criterion: F64
    fitness: F64
    acts: NDArray[np.unsignedinteger]
    context_payoff: F64
    context_episodes: F64
    born: F64
    learned: F64
    produced: NDArray[np.unsignedinteger] = field(
        default_factory=lambda: np.zeros((0, 0, 0), np.uint16)
    )


def blank_lives(count: NDArray[np.int64], genes: NDArray[np.float32]) -> Lives:
    """Return lives of which nothing is known yet."""
    replicates, agents = genes.shape[:2]
    payoff = np.zeros((replicates, agents))
    nothing = np.zeros((replicates, agents, 0))
    acts = np.zeros((replicates, agents, 0), np.uint16)
    contexts = np.zeros((replicates, 1))
    return Lives(
        count, genes, payoff, payoff, np.empty_like(payoff), acts, contexts, contexts.copy(),
        nothing, nothing, acts,
    )  # fmt: skip


def share_out(lives: Lives, model: ModelCode, slots: int, actions: int) -> None:
    """Part the acts counted for the reward model from the ledger's, which includes them."""
    own = slots * actions
    alive = np.arange(lives.acts.shape[1])[None, :, None] < lives.count[:, None, None]
    lives.produced = np.where(alive, lives.acts[..., own:], 0)
    ledger = np.ascontiguousarray(lives.acts[..., :own])
    for k, t in enumerate(model.ledger):
        if t >= 0:
            part = lives.produced[..., k * actions : (k + 1) * actions]
            ledger[..., t * actions : (t + 1) * actions] += part
    lives.acts = ledger


__all__ = ["Lives", "blank_lives", "share_out"]
