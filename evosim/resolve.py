"""From a validated scenario to everything a generation needs, as arrays and codes.

Resolve is the first of a run's three layers (resolve, loop, kernel): after it nothing looks at
the scenario's text again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.criterion import ModelCode, make_model
from evosim.errors import UserError
from evosim.kernels import reproduce, select
from evosim.kernels.life import NONE, TABLE, WEIGHTS, MindTables, Schedule, WorldTables
from evosim.kernels.tags import Tag
from evosim.knowledge import CultureCode, make_culture
from evosim.landscapes import LandscapeCode, landscape_code, landscape_loci
from evosim.layout import Layout, make_layout
from evosim.minds.learner import Learning, UserLearner, handed_on, learning_of
from evosim.registry import find, learns, numbers
from evosim.scenario.biology import Density, Fitness, Truncation, UserScheme
from evosim.scenario.kinds import built_in_kinds
from evosim.scenario.minds import LookaheadMind, ModelFreeMind, PlannerMind, ReflexMind, UserMind
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import LandscapeWorld, UserWorld
from evosim.structure import StructureCode, make_structure
from evosim.worlds.build import build_world
from evosim.worlds.cues import numbered
from evosim.worlds.parts import cumulative
from evosim.worlds.tables import user_tag, user_world, world_tables
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Tracked:
    """The (context, percept) pairs whose acts and logits the ledger follows.

    Attributes
    ----------
    context, percept : (T,) int64
    shown : (T,) bool
        Whether training has shown the pair by now; where what is shown changes during a run, all
        stretches follow the pairs of all.
    """

    context: I64
    percept: I64
    shown: NDArray[np.bool_]


@dataclass(frozen=True)
class Followed:
    """What the ledger follows in every stretch of a run, where stretches differ in it.

    Attributes
    ----------
    percept_cue : (P, F) float32
        The cues of each percept of any stretch; their rows are the percepts' numbers in all.
    tracked : Tracked
        The pairs of all stretches, and which of them training has shown by now.
    """

    percept_cue: NDArray[np.float32]
    tracked: Tracked


@dataclass(frozen=True)
class SelectionCode:
    """A selection scheme as numbers."""

    kind: str
    summed: bool
    fitness: int = select.NEUTRAL
    slope: float = 0.0
    baseline: float = 0.0
    fraction: float = 0.0
    threshold: float = 0.0
    size: int = 1
    capacity: float = 1.0
    tag: Tag | None = None
    parameters: F64 | None = None


@dataclass(frozen=True)
class MutationCode:
    """Mutation per locus: sd, chance and bounds of real loci; flip rates of bit genes."""

    sd: NDArray[np.float32]
    chance: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    first: I64
    stop: I64
    flip: F64


@dataclass(frozen=True)
class Resolved:
    """One stretch of generations with constant parameters, ready to run."""

    model: ScenarioModel
    layout: Layout
    world: TabularWorld | None
    tables: WorldTables | None
    world_tag: Tag
    mind_tag: Tag
    mind: MindTables | None
    hidden: int
    learning: Learning | None
    lazy: bool
    schedule: Schedule
    tracked: Tracked
    landscape: LandscapeCode | None
    selection: SelectionCode
    mutation: MutationCode
    recombination: int
    reward_model: ModelCode | None = None
    culture: CultureCode | None = None
    structure: StructureCode | None = None

    @property
    def learns(self) -> bool:
        """Whether agents change during life."""
        return self.learning is not None

    @property
    def is_linear(self) -> bool:
        """Whether agents are born with a policy that is linear in the cues."""
        return self.mind_tag.numba_type.kind == "linear"

    @property
    def expresses(self) -> bool:
        """Whether expressed values differ from the genome's."""
        return self.layout.ploidy == 2 or any(
            s.gene.noise > 0 or s.gene.scale != "linear" for s in self.layout.real
        )


#: What is made of a built world before it is used.
Altered = Callable[[TabularWorld], TabularWorld]


def resolve(
    model: ScenarioModel, altered: Altered | None = None, followed: Followed | None = None
) -> Resolved:
    """Turn a checked scenario model into arrays.

    Parameters
    ----------
    model : ScenarioModel
    altered : callable, optional
        Given the built world, returns the one to use: the anti-fake checks replace payoffs and
        what only observers see, or put its axes into another order.
    followed : Followed, optional
        What the ledger follows where it is not what this model alone would have it follow (see
        `evosim.stretches`).

    Raises
    ------
    UserError
        For what only shows when arrays are built: unreachable symbols, wrong numbers of loci,
        unknown kinds.
    """
    world, parameters, world_tag = _world(model)
    if altered is not None and world is not None:
        world = altered(world)
    if followed is not None and world is not None:
        world = numbered(world, followed.percept_cue)
    _check_temperature(model)
    mind_tag, mind, hidden, need, user = _mind(model, world)
    loci, labels = _loci(model, world, hidden, need)
    layout = make_layout(model.genome, loci, labels, model.population.ploidy)
    tables, lazy, learning, reward_model = None, False, None, None
    schedule = Schedule(np.ones((1, 1)), np.ones(1, np.int64))
    tracked = Tracked(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
    if world is not None:
        assert not isinstance(model.world, LandscapeWorld)
        assert mind is not None
        mind = _with_genes(mind, layout, needed=need > 0)
        learning = learning_of(model.mind, world, layout, hidden, user)
        share = world.variant_frequency(world.frequency)
        ends, by_block = world.blocks()
        schedule = Schedule(cumulative(by_block), ends)
        tracked = followed.tracked if followed is not None else _tracked(model, world, share)
        track = _track(tracked, world, share)
        if model.selection.model is not None:
            spec = model.selection.model
            reward_model, track = make_model(spec, world, track, tracked.context.size)
        tables = world_tables(
            world, track, model.world.step_payoff, model.world.step_reward,
            model.world.context_per == "life",
        )  # fmt: skip
        if parameters is not None:
            tables = tables._replace(
                parameters=parameters,
                following=np.zeros(0, np.int32),
                cdf=np.zeros(0),
                payoff=np.zeros(0),
                reward=np.zeros(0),
            )
        steps = world.steps * world.episodes
        lazy = (
            mind_tag.numba_type.kind == "linear"
            and mind.rule == NONE
            and world.percept_cue.shape[0] > 2 * steps
        )
    return Resolved(
        model=model,
        layout=layout,
        world=world,
        tables=tables,
        world_tag=world_tag,
        mind_tag=mind_tag,
        mind=mind,
        hidden=hidden,
        learning=learning,
        lazy=lazy,
        schedule=schedule,
        tracked=tracked,
        landscape=landscape_code(model, layout),
        selection=_selection(model),
        mutation=_mutation(layout),
        recombination=reproduce.CLONAL
        if model.reproduction.kind == "clonal"
        else {"free": reproduce.FREE, "one-point": reproduce.ONE_POINT}.get(
            model.reproduction.recombination, reproduce.MIDPARENT
        ),
        reward_model=reward_model,
        culture=make_culture(
            model, layout, (0, 1) if world is None else handed_on(model.mind, world)
        ),
        structure=make_structure(model),
    )


def _world(model: ScenarioModel) -> tuple[TabularWorld | None, F64 | None, Tag]:
    if isinstance(model.world, LandscapeWorld):
        return None, None, Tag("world", "landscape")
    if isinstance(model.world, UserWorld):
        world, parameters, tag = user_world(model)
        return world, parameters, tag
    return build_world(model), None, Tag("world", "tabular")


def _mind(
    model: ScenarioModel, world: TabularWorld | None
) -> tuple[Tag, MindTables | None, int, int, UserLearner | None]:
    """Return the mind's tag, tables, hidden units, loci that its policy needs, user's learner."""
    if world is None:
        return Tag("mind", "none"), None, 0, 0, None
    features, actions = len(world.cue_names), len(world.actions)
    outputs = 1 if actions == 2 else actions
    spec = model.mind
    tables = MindTables(np.zeros(0), np.zeros(2, np.int64), 1.0, -1, False, TABLE)
    if isinstance(spec, UserMind):
        return _user_mind(spec, world, tables)
    if not isinstance(spec, ReflexMind):
        return Tag("mind", spec.kind), tables._replace(temperature=spec.temperature), 0, 0, None
    hidden = spec.hidden if spec.policy == "mlp" else 0
    need = outputs * features
    if hidden:
        need = hidden * (features + 1) + outputs * (hidden + 1)
    tables = tables._replace(
        temperature=spec.temperature,
        greedy=spec.choice == "greedy",
        rule={"none": NONE, "reinforce": WEIGHTS, "cross": TABLE}[spec.learning],
    )
    if spec.learning == "cross":
        low, high = float(world.reward.min()), float(world.reward.max())
        if low < 0.0 or high > 1.0:
            raise UserError(
                f"Cross learning needs rewards between 0 and 1; here {low:g} to {high:g}",
                key="mind.learning",
            )
    return Tag("mind", spec.policy), tables, hidden, need, None


def _user_mind(
    spec: UserMind, world: TabularWorld, tables: MindTables
) -> tuple[Tag, MindTables, int, int, UserLearner | None]:
    entry = find("mind", spec.kind, built_in_kinds("mind"))
    values = np.array(list(numbers(entry, spec.parameters, "mind").values()), np.float64)
    actions, features = len(world.actions), len(world.cue_names)
    need = int(entry.cls.loci(actions, features))  # type: ignore[attr-defined]
    tables = tables._replace(parameters=values)
    if not learns(entry.cls):
        return user_tag(entry, "logits"), tables._replace(rule=NONE), 0, need, None
    tag = user_tag(entry, "birth", "prefer", "observe")
    room = int(entry.cls.memory(actions, world.percept_cue.shape[0]))  # type: ignore[attr-defined]
    if room < 0:
        raise UserError(
            f"mind '{spec.kind}': memory gives {room} numbers", key="mind.kind", allowed="0 or more"
        )
    return tag, tables, 0, need, UserLearner(tag, values, room)


def _with_genes(mind: MindTables, layout: Layout, needed: bool) -> MindTables:
    """Say where the genes stand that minds of every kind may read."""
    policy = layout.slot("policy")
    if policy is None or policy.bits:
        if needed:
            raise UserError("the mind needs a real gene 'policy'", key="genome.policy")
        return mind._replace(temperature_locus=layout.locus("temperature"))
    return mind._replace(
        policy=np.array([policy.start, policy.stop]),
        temperature_locus=layout.locus("temperature"),
    )


def _check_temperature(model: ScenarioModel) -> None:
    """Refuse a gene that could bring a temperature of zero or less to the softmax."""
    gene = model.genome.get("temperature")
    if gene is None or (gene.noise == 0.0 and gene.scale in ("log", "logit")):
        return
    start = gene.initial
    values = start.value if isinstance(start.value, list) else [start.value]
    drawn = [*(start.uniform or ()), *(start.values or ()), *values]
    constant = gene.mutation == 0.0 and start.normal is None
    positive = all(v is None or v > 0.0 for v in drawn) if constant else False
    if gene.bounds is not None:
        positive = positive or gene.bounds[0] > 0.0
    if gene.noise > 0.0 or not positive:
        raise UserError(
            "can become zero or negative",
            key="genome.temperature",
            allowed="scale = 'log', or bounds = [low, high] with low above 0; no noise",
        )


def _loci(
    model: ScenarioModel, world: TabularWorld | None, hidden: int, need: int
) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    loci: dict[str, int] = {}
    labels: dict[str, tuple[str, ...]] = {}
    wanted: dict[str, int] = {"policy": need} if world is not None else {}
    with_policy = isinstance(model.mind, ReflexMind | ModelFreeMind | LookaheadMind)
    if world is not None and isinstance(model.mind, ModelFreeMind | LookaheadMind):
        outputs = 1 if len(world.actions) == 2 else len(world.actions)
        wanted["policy"] = outputs * len(world.cue_names)
    if isinstance(model.mind, PlannerMind):
        wanted["utility"] = len(model.mind.features)
    if world is not None and isinstance(model.mind, LookaheadMind):
        wanted["misjudgement"] = world.percept_cue.shape[0] * len(world.actions)
    if isinstance(model.world, LandscapeWorld):
        wanted[model.world.gene] = landscape_loci(model.world)
    for name, gene in model.genome.items():
        need_here = wanted.get(name, 0)
        # A landscape's gene may have loci beyond the essential ones; lists are checked there.
        short = world is None and need_here > (gene.loci or need_here)
        if gene.loci is not None and (
            short or (world is not None and need_here > 0 and gene.loci != need_here)
        ):
            raise UserError(
                f"gene '{name}' has {gene.loci} loci where {need_here} are needed",
                key=f"genome.{name}.loci",
                allowed=f"{need_here}, or leave it out",
            )
        loci[name] = gene.loci or max(need_here, 1)
        vector = model.ledger.directions.get(name)
        if vector is not None and len(vector) != loci[name]:
            raise UserError(
                f"{len(vector)} numbers for {loci[name]} loci",
                key=f"ledger.directions.{name}",
                allowed=str(loci[name]),
            )
        value = gene.initial.value
        if isinstance(value, list) and len(value) != loci[name]:
            raise UserError(
                f"{len(value)} initial values for {loci[name]} loci",
                key=f"genome.{name}.initial.value",
                allowed=f"one number, or {loci[name]}",
            )
    if isinstance(model.mind, PlannerMind):
        labels["utility"] = tuple(f"utility[{name}]" for name in model.mind.features)
    if world is not None and not hidden and with_policy:
        cues = world.cue_names
        labels["policy"] = (
            tuple(f"policy[{c}]" for c in cues)
            if len(world.actions) == 2
            else tuple(f"policy[{a},{c}]" for a in world.actions for c in cues)
        )
    return loci, labels


def _tracked(model: ScenarioModel, world: TabularWorld, share: F64) -> Tracked:
    """Choose the ledger's (context, percept) pairs: those of training, in percept order."""
    pairs: list[tuple[int, int]] = []
    for c in range(len(world.contexts)):
        rows = np.flatnonzero((world.variant_context == c) & (share > 0))
        live = [world.percept[v][world.terminal[v] == 0] for v in rows]
        percepts = np.unique(np.concatenate(live)) if live else np.zeros(0, int)
        pairs += [(c, int(z)) for z in percepts[: model.ledger.percepts]]
    array = np.array(pairs, np.int64).reshape(-1, 2)
    return Tracked(array[:, 0], array[:, 1], np.ones(len(pairs), bool))


def _track(tracked: Tracked, world: TabularWorld, share: F64) -> NDArray[np.int32]:
    """Return (V, S) the pair that acts in each state of training count for, or -1."""
    track = np.full(world.percept.shape, -1, np.int32)
    for k, (c, z) in enumerate(zip(tracked.context, tracked.percept, strict=True)):
        for v in np.flatnonzero((world.variant_context == c) & (share > 0)):
            track[v][world.percept[v] == z] = k
    return track


def _fitness(fitness: Fitness) -> tuple[int, float, float]:
    if fitness.exponential is not None:
        return select.EXPONENTIAL, fitness.exponential, 0.0
    if fitness.proportional is not None:
        return select.PROPORTIONAL, fitness.proportional, fitness.baseline
    return select.NEUTRAL, 0.0, 0.0


def _selection(model: ScenarioModel) -> SelectionCode:
    spec = model.selection
    summed = spec.criterion == "sum"
    if isinstance(spec, UserScheme):
        entry = find(
            "selection",
            spec.kind,
            ("wright-fisher", "moran", "truncation", "tournament", "density", "replay"),
        )
        values = numbers(entry, spec.parameters, "selection")
        return SelectionCode(
            "user",
            summed,
            tag=user_tag(entry, "fitness"),
            parameters=np.array(list(values.values()), np.float64),
        )
    if isinstance(spec, Truncation):
        return SelectionCode(
            "truncation",
            summed,
            fraction=spec.fraction or 0.0,
            threshold=0.0 if spec.threshold is None else spec.threshold,
        )
    if spec.kind == "tournament":
        return SelectionCode("tournament", summed, size=spec.size)
    if spec.kind == "replay":
        return SelectionCode("replay", summed)
    kind, slope, baseline = _fitness(spec.fitness)
    capacity = spec.capacity if isinstance(spec, Density) else 1.0
    return SelectionCode(spec.kind, summed, kind, slope, baseline, capacity=capacity)


def _mutation(layout: Layout) -> MutationCode:
    loci = layout.real_loci
    sd = np.zeros(loci, np.float32)
    chance = np.ones(loci, np.float32)
    low = np.full(loci, -np.inf, np.float32)
    high = np.full(loci, np.inf, np.float32)
    for slot in layout.real:
        at = slice(slot.start, slot.stop)
        sd[at] = slot.gene.mutation
        chance[at] = slot.gene.mutation_rate
        if slot.gene.bounds is not None:
            low[at], high[at] = slot.gene.bounds
    return MutationCode(
        sd,
        chance,
        low,
        high,
        np.array([s.start for s in layout.bits], np.int64),
        np.array([s.stop for s in layout.bits], np.int64),
        np.array([s.gene.mutation for s in layout.bits], np.float64),
    )
