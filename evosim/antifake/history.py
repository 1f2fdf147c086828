"""A few generations of a small population, with all that happened in them.

The checks that compare bits run every arm of a file at the sizes below, once as it is and once
with something changed that must not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.ledger import Pedigree
from evosim.lives import Lives
from evosim.resolve import Resolved
from evosim.scenario import ArmCell, Scenario, ScenarioModel
from evosim.scenario.biology import Density, Replay
from evosim.scenario.blocks import episodes_of
from evosim.scenario.world import LandscapeWorld
from evosim.stretches import Stretches, resolve_stretches

F64 = NDArray[np.float64]

#: Sizes of the checks that compare bits.
AGENTS, GENERATIONS, REPLICATES = 64, 10, 4
#: Most episodes of a life: what can differ differs in these.
EPISODES = 60
#: Decisions of a life (a step of looking ahead counts as `LOOKING`) that so many agents make;
#: where lives are longer fewer agents live them, down to `FEWEST`.
DECISIONS, LOOKING, FEWEST = 1500, 4, 16
#: Replicates of the checks that compare distributions: four could not tell anything apart.
MANY = 20
#: What may differ between two histories, and what it is called.
PARTS = {
    "real": "genomes",
    "bits": "genomes",
    "parent": "pedigree",
    "mate": "pedigree",
    "acts": "acts",
    "learned": "what is learned",
    "known": "what is known",
    "payoff": "payoffs",
}
BEHAVIOUR = ("real", "bits", "acts", "learned", "known")
LIVES = ("real", "bits", "parent", "mate", "acts", "learned", "known")


@dataclass
class History:
    """Everything that happened, generation by generation.

    Attributes
    ----------
    engine : Engine
        As it stood in the end.
    count : list of (R,) int64
    parts : dict of str -> list of arrays
        The keys of `PARTS`; (R, N, ...) each, 0 where there is no agent.
    pedigrees : dict of int -> Pedigree
    """

    engine: Engine
    count: list[NDArray[np.int64]] = field(default_factory=list)
    parts: dict[str, list[NDArray[Any]]] = field(
        default_factory=lambda: {name: [] for name in PARTS}
    )
    pedigrees: dict[int, Pedigree] = field(default_factory=dict)

    def add(self, lives: Lives, real: NDArray[np.float32], bits: NDArray[np.uint64]) -> None:
        """Write down one generation's lives."""
        self.count.append(lives.count.copy())
        alive = np.arange(lives.payoff.shape[1])[None, :] < lives.count[:, None]
        culture = self.engine.culture
        known = np.zeros((*lives.payoff.shape, 0)) if culture is None else culture.lived
        values: dict[str, NDArray[Any]] = {
            "real": real, "bits": bits, "acts": lives.acts,
            "learned": lives.learned, "known": known, "payoff": lives.payoff,
        }  # fmt: skip
        for name, value in values.items():
            self.parts[name].append(_kept(value, alive))

    def add_pedigree(self, generation: int, pedigree: Pedigree) -> None:
        """Write down who came from whom."""
        self.pedigrees[generation] = pedigree
        born = np.arange(pedigree.parent.shape[1])[None, :] < pedigree.born[:, None]
        self.parts["parent"].append(_kept(pedigree.parent, born))
        mate = pedigree.mate
        self.parts["mate"].append(_kept(mate, born) if mate.shape[1] else mate)


def _kept(values: NDArray[Any], alive: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a copy with 0 where nobody is: those places hold whatever memory held."""
    out = values.copy()
    out[~alive] = 0
    return out


def difference(one: History, two: History, parts: Sequence[str] = LIVES) -> str | None:
    """Return where two histories first differ in any bit, or None.

    Parameters
    ----------
    one, two : History
    parts : sequence of str
        Keys of `PARTS`.
    """
    for generation in range(max(len(one.count), len(two.count))):
        for name in parts:
            pair = [h.parts[name][generation : generation + 1] for h in (one, two)]
            if len(pair[0]) != len(pair[1]) or (pair[0] and not _same(pair[0][0], pair[1][0])):
                return f"{PARTS[name]} differ in generation {generation}"
    return None


def _same(one: NDArray[Any], two: NDArray[Any]) -> bool:
    return one.shape == two.shape and one.dtype == two.dtype and one.tobytes() == two.tobytes()


def first_cells(scenario: Scenario) -> list[ArmCell]:
    """Return the first cell of every arm: the cells of one arm differ in numbers only."""
    cells: dict[str, ArmCell] = {}
    for cell in scenario.arms():
        cells.setdefault(cell.arm, cell)
    return list(cells.values())


def cell_of(scenario: Scenario, name: str) -> ArmCell:
    """Return the first cell of an arm.

    Raises
    ------
    UserError
        If there is no such arm.
    """
    for cell in scenario.arms():
        if name in (cell.arm, cell.label):
            return cell
    raise UserError(f"no arm '{name}'", file=scenario.path, key="effect.arm")


def source_of(scenario: Scenario, cell: ArmCell) -> ArmCell | None:
    """Return the cell whose pedigree a cell replays, or None if it selects for itself."""
    spec = cell.model.selection
    return cell_of(scenario, spec.of) if isinstance(spec, Replay) else None


def selecting(scenario: Scenario, name: str) -> ArmCell:
    """Return an arm's first cell, or the one whose pedigree it replays."""
    cell = cell_of(scenario, name)
    while (source := source_of(scenario, cell)) is not None:
        cell = source
    return cell


def central_cells(scenario: Scenario) -> list[ArmCell]:
    """Return the effect's arm and its control, or the first arm of a file without an effect.

    Arms that replay a pedigree are replaced by those that made it.
    """
    effect = scenario.model.effect
    names = [first_cells(scenario)[0].arm]
    if effect is not None:
        names = [effect.arm, effect.control]
    return list({(c := selecting(scenario, name)).label: c for name in names}.values())


def small(model: ScenarioModel) -> ScenarioModel:
    """Return the model with the checks' number of agents, generations and (at most) episodes.

    Every arm, every generation and every replicate stay; where lives are long fewer are lived.
    """
    population = model.population
    limit = population.limit
    if isinstance(model.selection, Density):
        # Its capacity stays the file's, so that the room must be the file's as well.
        limit = limit or 4 * population.agents
    changed = population.model_copy(
        update={"agents": agents_of(model), "generations": GENERATIONS, "limit": limit}
    )
    world = model.world
    if not isinstance(world, LandscapeWorld):
        life = episodes_of(model)
        episodes = None if model.block else min(life, EPISODES)
        world = world.model_copy(update={"episodes": episodes})
        # Every block stays, each shorter by the same factor, in whole episodes.
        scale = min(1.0, EPISODES / life)
        blocks = [
            block.model_copy(update={"episodes": math.ceil(block.episodes * scale)})
            for block in model.block
        ]
        model = model.model_copy(update={"block": blocks})
    return model.model_copy(update={"population": changed, "world": world})


def agents_of(model: ScenarioModel) -> int:
    """Return how many agents the checks have live, by what a life costs.

    A file with a replayed pedigree keeps all: both of its arms must have as many.
    """
    if isinstance(model.world, LandscapeWorld) or _has_replay(model):
        return AGENTS
    work = model.world.steps * min(episodes_of(model), EPISODES)
    work *= 1 + LOOKING * getattr(model.mind, "depth", 0)
    return min(AGENTS, max(FEWEST, AGENTS * DECISIONS // work))


def _has_replay(model: ScenarioModel) -> bool:
    """Whether this arm, or any of its file, has the pedigree of another."""
    spoken = [arm.set.get("selection.kind", arm.set.get("selection")) for arm in model.arm]
    kinds = [kind.get("kind") if isinstance(kind, dict) else kind for kind in spoken]
    return isinstance(model.selection, Replay) or "replay" in kinds


def live(
    stretches: Stretches,
    seed: int,
    replicates: int = REPLICATES,
    *,
    replayed: Mapping[int, Pedigree] | None = None,
    shown: Sequence[F64] | None = None,
    begin: Callable[[Engine], None] | None = None,
) -> History:
    """Run `GENERATIONS` generations, and one more that leaves no offspring.

    Parameters
    ----------
    stretches : list of (int, Resolved)
    seed, replicates : int
    replayed : mapping of int -> Pedigree, optional
        Parents are these, whatever the scheme of selection says.
    shown : sequence of (R, N) float64, optional
        Payoffs, generation by generation, by which newborns choose whom they copy.
    begin : callable, optional
        Given the engine with its founders.
    """
    keys = replicate_keys(seed, np.arange(replicates))
    # Founded under its own scheme, which decides how much room there is.
    engine = Engine(stretches[0][1], keys)
    history = History(engine)
    if replayed is not None:
        stretches = [(start, _replaying(resolved)) for start, resolved in stretches]
        engine.replayed = replayed.__getitem__
        engine.change(stretches[0][1])
    engine.keep_pedigree = history.add_pedigree
    if shown is not None and engine.culture is not None:
        engine.closed = lambda engine, _lives, _pedigree: _show(engine, shown)
    if begin is not None:
        begin(engine)
        engine.ledger.rebase(engine.population)
    starts = dict(stretches)
    for generation in range(GENERATIONS + 1):
        if generation in starts and generation > 0:
            engine.change(starts[generation])
        real, bits = engine.population.real.copy(), engine.population.bits.copy()
        history.add(engine.step(last=generation == GENERATIONS), real, bits)
    return history


def _replaying(resolved: Resolved) -> Resolved:
    """Let the pedigree come from elsewhere; the rest of the scheme stays."""
    return replace(resolved, selection=replace(resolved.selection, kind="replay"))


def _show(engine: Engine, payoffs: Sequence[F64]) -> None:
    """Let the generation that just lived be chosen as models by these payoffs."""
    assert engine.culture is not None
    engine.culture.payoff = payoffs[engine.generation - 1]


class Small:
    """The histories of a scenario's arms as they are, each run once.

    Parameters
    ----------
    scenario : Scenario
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._histories: dict[tuple[str, int], History] = {}

    def of(self, cell: ArmCell, replicates: int = REPLICATES) -> History:
        """Return what one arm does; it must not be changed."""
        key = (cell.label, replicates)
        if key not in self._histories:
            self._histories[key] = live(
                resolve_stretches(small(cell.model)),
                cell.model.seed,
                replicates,
                replayed=self.replayed(cell, replicates),
            )
        return self._histories[key]

    def replayed(
        self, cell: ArmCell, replicates: int = REPLICATES
    ) -> Mapping[int, Pedigree] | None:
        """Return the pedigree that an arm replays, or None if it selects for itself."""
        source = source_of(self.scenario, cell)
        return None if source is None else self.of(source, replicates).pedigrees
