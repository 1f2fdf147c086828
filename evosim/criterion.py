"""The criterion by a model: payoff as predicted from what agents were seen to do.

Selection may act on payoffs that a model predicts in place of those that agents brought: a reward
model (Christiano et al. 2017, Deep reinforcement learning from human preferences; catalogue S54,
S84). The model is a linear one on declared cells, (state, action) pairs that an observer of
episodes can tell apart. Every generation it is fitted anew to all that was produced so far:
payoff of a life on how often each cell occurred in it. Where every episode passes one cell and a
life is one episode this is the running mean of payoff per cell.

A cell that nobody produced is predicted by its group's mean, a group that nobody produced by the
mean of all: each level is fitted with the level above as what it is drawn to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.scenario.biology import RewardModel
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Weight of what is drawn to where the scenario gives none: decides only what was never seen.
_FAINT = 1e-9


@dataclass(frozen=True)
class ModelCode:
    """A reward model as arrays. C cells to be fitted, X slots in which acts are counted.

    Attributes
    ----------
    names : tuple of str
        Of the cells to be fitted.
    group : (C,) int64
    member : (X * A, C) float64
        1 where an act belongs to a cell.
    known : (K,) float64
        Worth of each cell that is known beforehand.
    known_member : (X * A, K) float64
    ledger : (X,) int64
        The ledger's slot that each slot was taken from, -1 for none.
    memory, prior : float
    audit : int
        Lives at random per generation that the model is fitted to; 0: to the population's.
    """

    names: tuple[str, ...]
    group: I64
    member: F64
    known: F64
    known_member: F64
    ledger: I64
    memory: float
    prior: float
    audit: int


def make_model(
    spec: RewardModel, world: TabularWorld, track: NDArray[np.int32], slots: int
) -> tuple[ModelCode, NDArray[np.int32]]:
    """Return the model, and where acts are counted with slots of its own after the ledger's.

    Parameters
    ----------
    spec : RewardModel
    world : TabularWorld
    track : (V, S) int32
        The ledger's slot of each state in each variant, or -1.
    slots : int
        Slots of the ledger.

    Raises
    ------
    UserError
        For states and actions that do not exist, and acts that are in two cells.
    """
    actions = len(world.actions)
    fitted = [cell for cell in spec.cells if cell.value is None]
    given = [cell for cell in spec.cells if cell.value is not None]
    groups = list(dict.fromkeys(cell.group or cell.name for cell in fitted))
    places = sorted({_place(world, name, cell.name) for cell in spec.cells for name in cell.at})
    pairs = sorted({(s, int(t)) for s in places for t in track[:, s]})
    own = track.copy()
    for k, (s, t) in enumerate(pairs):
        own[track[:, s] == t, s] = slots + k
    member = np.zeros((len(pairs) * actions, len(fitted)))
    known_member = np.zeros((len(pairs) * actions, len(given)))
    for cell in spec.cells:
        wanted = range(actions) if cell.action is None else [_action(world, cell.action, cell.name)]
        at = {_place(world, name, cell.name) for name in cell.at}
        rows = [k * actions + a for k, (s, _) in enumerate(pairs) if s in at for a in wanted]
        if cell.value is not None:
            known_member[rows, given.index(cell)] = 1.0
            continue
        if member[rows].any():
            raise UserError(
                "has acts that are in another cell too",
                key=f"selection.model.cells.{cell.name}",
                allowed="an act in at most one cell without a value",
            )
        member[rows, fitted.index(cell)] = 1.0
    code = ModelCode(
        names=tuple(cell.name for cell in fitted),
        group=np.array([groups.index(cell.group or cell.name) for cell in fitted], np.int64),
        member=member,
        known=np.array([cell.value for cell in given], np.float64),
        known_member=known_member,
        ledger=np.array([t for _, t in pairs], np.int64),
        memory=spec.memory,
        prior=max(spec.prior, _FAINT),
        audit=spec.audit,
    )
    return code, own


def _place(world: TabularWorld, name: str, cell: str) -> int:
    if name not in world.states:
        raise UserError(
            f"no state '{name}'",
            key=f"selection.model.cells.{cell}.at",
            allowed=", ".join(world.states[:20]),
            hint=did_you_mean(name, world.states),
        )
    return world.states.index(name)


def _action(world: TabularWorld, name: str, cell: str) -> int:
    if name not in world.actions:
        raise UserError(
            f"no action '{name}'",
            key=f"selection.model.cells.{cell}.action",
            allowed=", ".join(world.actions),
            hint=did_you_mean(name, world.actions),
        )
    return world.actions.index(name)


@dataclass
class Fit:
    """What the model was fitted to so far, per replicate.

    Attributes
    ----------
    gram : (R, C, C) float64
        Sums over lives of products of two cells' counts.
    moment : (R, C) float64
        Sums of count times payoff.
    value : (R, C) float64
        The last fit: payoff that each cell predicts.
    total : (R, C) float64
        How often agents produced each cell so far: in all of their lives, none forgotten.
    """

    gram: F64
    moment: F64
    value: F64
    total: F64

    @classmethod
    def empty(cls, replicates: int, code: ModelCode) -> Fit:
        """Return the model before anything was produced."""
        cells = len(code.names)
        shape = (replicates, cells)
        return cls(np.zeros((*shape, cells)), np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def update(self, code: ModelCode, made: F64, payoff: F64, count: I64) -> None:
        """Forget a share of the past, add the lives of a generation, and fit anew.

        Parameters
        ----------
        made : (R, N, C) float64
            How often each cell occurred in each life.
        payoff : (R, N) float64
            Summed over the life.
        count : (R,) int64
            Lives of each replicate; those come first.
        """
        for r, n in enumerate(count):
            own = made[r, :n]
            # Counts are whole numbers: exact in any order. Payoffs are added life by life.
            self.gram[r] = code.memory * self.gram[r] + own.T @ own
            self.moment[r] = code.memory * self.moment[r] + (own * payoff[r, :n, None]).sum(axis=0)
            self.value[r] = fit_cells(self.gram[r], self.moment[r], code.group, code.prior)


def fit_cells(gram: F64, moment: F64, group: I64, prior: float) -> F64:
    """Return (C,) least-squares worth of each cell, drawn to its group, and that to the mean.

    Parameters
    ----------
    gram : (C, C) float64
    moment : (C,) float64
    group : (C,) int64
    prior : float
        How many occurrences the level above counts for, > 0.
    """
    if not gram.any():
        return np.zeros(group.size)
    mean = float(moment.sum() / gram.sum())
    groups = (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
    level = _drawn_to(
        np.full(groups.shape[1], mean), groups.T @ gram @ groups, groups.T @ moment, prior
    )
    return _drawn_to(level[group], gram, moment, prior)


def _drawn_to(above: F64, gram: F64, moment: F64, prior: float) -> F64:
    """Return the minimum of squared errors + prior * squared distance from `above`."""
    ridge = gram + prior * np.eye(above.size)
    return np.asarray(above + np.linalg.solve(ridge, moment - gram @ above))


def predict(code: ModelCode, value: F64, acts: NDArray[np.unsignedinteger]) -> F64:
    """Return (R, N) payoffs of whole lives as the model and known worths have it.

    Parameters
    ----------
    value : (R, C) float64
    acts : (R, N, X * A) unsigned
        How often each action was done in each of the model's slots.
    """
    counts = acts.astype(np.float64)
    # Whole numbers up to here; then cell by cell, in the file's order, whatever that of states.
    made, also = counts @ code.member, counts @ code.known_member
    total = np.zeros(acts.shape[:2])
    for c in range(value.shape[1]):
        total += made[..., c] * value[:, c, None]
    for k, worth in enumerate(code.known):
        total += also[..., k] * worth
    return total
