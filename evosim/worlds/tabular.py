"""A tabular world: contexts, states, actions and outcomes as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


@dataclass(frozen=True)
class TabularWorld:
    """Everything an episode can be lived in, as data (no code, no names inside kernels).

    Axes: C variants of contexts (a context with hidden cues has one variant for each
    combination of seen and hidden), S states, A actions, K possible outcomes, F cues,
    P percepts.

    Attributes
    ----------
    variants : tuple of str, length C
        Label of each row, e.g. ``coin left`` or ``coin left | coin hidden``.
    contexts : tuple of str
        Names of the contexts of the scenario file, in its order.
    variant_context : (C,) int32
        Index into `contexts` of each variant.
    variant_visible : tuple of dict, length C
        For each variant, cue name -> whether it is seen (only cues that can be hidden).
    variant_share : (C,) float64
        Share of a context's episodes that fall to this variant; sums to 1 per context.
    frequency : (len(contexts),) float64
        Training frequency of each context at generation 0; sums to 1. With blocks, its share
        of the episodes of a life.
    actions, states, cue_names : tuples of str
        Labels; cue columns of a one-hot cue are labelled ``cue=state``.
    steps, episodes : int
        Longest episode; episodes per life.
    outcome_state : (C, S, A, K) int32
        Next state of each outcome.
    outcome_cdf : (C, S, A, K) float64
        Cumulative probabilities over K; the last entry is exactly 1.
    payoff, reward, goal : (C, S, A, K) float64
        What selection counts, what a learner receives, what the designer wants (observer
        only: never handed to a kernel that moves an agent).
    once : (C, S, A, K) uint8
        1 where payoff and reward count only the first time in a life.
    cue : (C, S, F) float32
        All that an agent perceives.
    percept : (C, S) int32
        Index of the percept of each state; states with equal cues share one.
    percept_cue : (P, F) float32
        The cues of each percept.
    terminal : (C, S) uint8
        1 where an episode ends on entering.
    start_cdf : (C, S) float64
        Cumulative distribution of the start state; the last entry is exactly 1.
    region : (C, S) int32
        Observer's label of each state, -1 for none; index into `regions`.
    regions : tuple of str
    symbol : dict of str -> (C, S) uint8
        Grid maps: where each symbol stands (observer: assays and drawings).
    layout : tuple of tuple of str
        Grid maps: the rows of each context's map, for drawing; empty otherwise.
    position : (S, 2) int32
        Grid maps: column and row of each state; (S, 2) of (index, 0) otherwise.
    block_ends : (B,) int64 or None
        One past the last episode of each block of a life; None without blocks.
    block_frequency : (B, len(contexts)) float64 or None
        Frequencies of the contexts in each block.
    """

    variants: tuple[str, ...]
    contexts: tuple[str, ...]
    variant_context: I32
    variant_visible: tuple[dict[str, bool], ...]
    variant_share: F64
    frequency: F64
    actions: tuple[str, ...]
    states: tuple[str, ...]
    cue_names: tuple[str, ...]
    steps: int
    episodes: int
    outcome_state: I32
    outcome_cdf: F64
    payoff: F64
    reward: F64
    goal: F64
    once: NDArray[np.uint8]
    cue: F32
    percept: I32
    percept_cue: F32
    terminal: NDArray[np.uint8]
    start_cdf: F64
    region: I32
    regions: tuple[str, ...] = ()
    symbol: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    layout: tuple[tuple[str, ...], ...] = ()
    position: I32 | None = None
    block_ends: NDArray[np.int64] | None = None
    block_frequency: F64 | None = None

    def variant_frequency(self, frequency: F64) -> F64:
        """Return (..., C) frequencies of the variants, given those (...) of the contexts."""
        return np.asarray(frequency)[..., self.variant_context] * self.variant_share

    def blocks(self) -> tuple[NDArray[np.int64], F64]:
        """Return (B,) one past the last episode of each block, and (B, C) variants' frequencies."""
        if self.block_ends is None or self.block_frequency is None:
            return np.array([self.episodes]), self.variant_frequency(self.frequency)[None]
        return self.block_ends, self.variant_frequency(self.block_frequency)
