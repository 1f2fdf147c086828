"""Learning minds as arrays: their numbers and genes, memories, given models, topics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.kernels import mind as code
from evosim.kernels import plan, reinforce, topics, values
from evosim.kernels.mind import Learner
from evosim.kernels.tags import Tag
from evosim.layout import Layout
from evosim.minds.model import given_model, outcome_features
from evosim.scenario.minds import (
    AbstractMind,
    LookaheadMind,
    Mind,
    ModelFreeMind,
    PlannerMind,
    ReflectiveMind,
    ReflexMind,
    UserMind,
)
from evosim.worlds.tabular import TabularWorld

I64 = NDArray[np.int64]

_CHOICE = {
    "softmax": code.SOFTMAX,
    "greedy": code.GREEDY,
    "epsilon-greedy": code.EPSILON_GREEDY,
}
_RULE = {"q": values.Q_LEARNING, "sarsa": values.SARSA, "actor-critic": values.ACTOR_CRITIC}
_ADVANTAGE = {"return": 0, "centred": 1, "normalised": 2}


@dataclass(frozen=True)
class Learning:
    """A mind that changes during life, ready for `evosim.kernels.learn`.

    Attributes
    ----------
    tag : Tag
    tables : Learner
    size : int
        Length of an agent's memory.
    reported : int
        Length of what is reported at birth and at death.
    """

    tag: Tag
    tables: Learner
    size: int
    reported: int


def learning_of(
    spec: Mind, world: TabularWorld, layout: Layout, hidden: int, user: UserLearner | None = None
) -> Learning | None:
    """Return the learning mind, or None for one that never changes.

    Parameters
    ----------
    spec : Mind
        What the scenario says.
    world : TabularWorld
    layout : Layout
    hidden : int
        tanh units of a policy over cues.
    user : UserLearner, optional
        A learning mind that a user registered.

    Raises
    ------
    UserError
        For topics that are no cues, and genes of the wrong length.
    """
    actions, features = len(world.actions), len(world.cue_names)
    outputs = 1 if actions == 2 else actions
    percepts, steps = world.percept_cue.shape[0], world.steps
    table = percepts * actions
    tables = _plain(spec, layout, hidden)
    loci = int(tables.policy[1] - tables.policy[0])
    if isinstance(spec, ReflexMind):
        if spec.learning == "none":
            return None
        if spec.learning == "cross":
            size = reinforce.cross_size(loci, percepts, actions, hidden)
            return Learning(Tag("mind", "cross"), tables, size, table)
        size = reinforce.reinforce_size(loci, percepts, actions, hidden, steps)
        return Learning(Tag("mind", "reinforce"), tables, size, loci)
    if isinstance(spec, UserMind):
        if user is None:
            return None
        tables = tables._replace(parameters=user.parameters)
        return Learning(user.tag, tables, code.HEAD + user.memory, table)
    tag = Tag("mind", spec.kind)
    if isinstance(spec, ModelFreeMind):
        _check_length("policy", loci, outputs * features)
        size = values.values_size(
            tables.rule, percepts, actions, outputs, features, tables.episodic, steps
        )
        if spec.feedback == "full":
            tag = Tag("mind", values.FULL_FEEDBACK)
        return Learning(tag, tables, size, table)
    tables = _with_model(tables, spec, world)
    kinds = tables.feature.shape[1]
    _check_length("utility", int(tables.utility[1] - tables.utility[0]), kinds)
    room = (percepts, actions, tables.branch.shape[2], tables.topic.size, kinds)
    planner = plan.plan_size(*room, tables.learns_model)
    if isinstance(spec, LookaheadMind):
        misjudged = int(tables.misjudgement[1] - tables.misjudgement[0])
        _check_length("policy", loci, outputs * features)
        _check_length("misjudgement", misjudged, table)
        return Learning(tag, tables, plan.lookahead_size(planner, loci, misjudged), table)
    tables = _with_topics(tables, spec, world)
    if isinstance(spec, AbstractMind):
        size = topics.abstract_size(planner, actions, tables.topics, steps)
    else:
        size = topics.reflective_size(planner, percepts, actions, tables.topics)
    return Learning(tag, tables, size, table)


def handed_on(spec: Mind, world: TabularWorld) -> tuple[int, int]:
    """Return how many values a mind can hand on, and how many of them are a row; (0, 1) if none."""
    if not isinstance(spec, ModelFreeMind):
        return 0, 1
    rule, percepts, actions = _RULE[spec.rule], world.percept_cue.shape[0], len(world.actions)
    outputs = 1 if actions == 2 else actions
    count = values.values_count(rule, percepts, actions, outputs, len(world.cue_names))
    return count, 1 if rule == values.ACTOR_CRITIC else actions


@dataclass(frozen=True)
class UserLearner:
    """A registered mind that learns: its tag, numbers, and length of memory."""

    tag: Tag
    parameters: NDArray[np.float64]
    memory: int


def _plain(spec: Mind, layout: Layout, hidden: int) -> Learner:
    """Return the numbers and genes that minds of every kind have."""
    numbers = np.zeros(len(code.NUMBERS))
    loci = np.full(len(code.NUMBERS), -1, np.int64)
    read = getattr(spec, "genes", ())
    for k, name in enumerate(code.NUMBERS):
        value = getattr(spec, name, None)
        numbers[k] = 0.0 if value is None else float(value)
        if name in read or isinstance(spec, UserMind):
            loci[k] = layout.locus(name)
    rate = getattr(spec, "actor_rate", None)
    if isinstance(spec, ModelFreeMind) and rate is None and loci[code.ACTOR_RATE] < 0:
        numbers[code.ACTOR_RATE] = numbers[code.RATE]
        loci[code.ACTOR_RATE] = loci[code.RATE]
    choice = getattr(spec, "choice", "softmax")
    averaging = hasattr(spec, "learning_rate") and spec.learning_rate is None
    rule = _RULE[spec.rule] if isinstance(spec, ModelFreeMind) else 0
    advantage = _ADVANTAGE[spec.advantage] if isinstance(spec, ReflexMind) else 0
    return Learner(
        parameters=np.zeros(0),
        numbers=numbers,
        loci=loci,
        policy=_gene(layout, "policy"),
        utility=_gene(layout, "utility"),
        misjudgement=_gene(layout, "misjudgement"),
        hidden=hidden,
        choice=_CHOICE[choice],
        rule=rule,
        advantage=advantage,
        episodic=getattr(spec, "credit", "") == "episodic",
        averaging=bool(averaging and loci[code.RATE] < 0),
        learns_model=getattr(spec, "model", "") == "learned",
        learns_leaf=getattr(spec, "leaf", "") == "learned",
        branch=np.zeros((0, 0, 0), np.int32),
        chance=np.zeros((0, 0, 0)),
        gain=np.zeros((0, 0, 0)),
        feature=np.zeros((0, 0)),
        topic=np.zeros(0, np.int32),
        topics=0,
        told=np.zeros(0, np.uint8),
        table=np.zeros((0, 0, 0)),
    )


def _gene(layout: Layout, name: str) -> I64:
    slot = layout.slot(name)
    return np.array([0, 0] if slot is None else [slot.start, slot.stop], np.int64)


def _check_length(name: str, loci: int, need: int) -> None:
    if loci not in (0, need):
        raise UserError(
            f"gene '{name}' has {loci} loci where {need} are needed",
            key=f"genome.{name}.loci",
            allowed=f"{need}, or leave it out",
        )


def _with_model(tables: Learner, spec: PlannerMind, world: TabularWorld) -> Learner:
    # What is learned in a trial may be of a context that training never shows.
    model = given_model(world, everywhere=tables.learns_model)
    feature = outcome_features(world, spec.features)
    return tables._replace(
        branch=model.branch,
        chance=model.chance,
        gain=model.gain,
        feature=feature,
        topic=np.full(feature.shape[0], -1, np.int32),
    )


def _with_topics(
    tables: Learner, spec: AbstractMind | ReflectiveMind, world: TabularWorld
) -> Learner:
    for name in spec.topics:
        if name not in world.cue_names:
            raise UserError(
                f"topic '{name}' is no cue",
                key="mind.topics",
                allowed=", ".join(world.cue_names[:20]),
                hint=did_you_mean(name, world.cue_names),
            )
    columns = [world.cue_names.index(name) for name in spec.topics]
    percepts = world.percept_cue.shape[0]
    topic = np.full(percepts + len(world.states), -1, np.int32)
    for k in range(len(columns) - 1, -1, -1):
        topic[:percepts][world.percept_cue[:, columns[k]] != 0.0] = k
    rule = topics.STORES if getattr(spec, "stores", False) else topics.DISCARDS
    told = np.array([name in getattr(spec, "told", ()) for name in spec.topics], np.uint8)
    return tables._replace(topic=topic, topics=len(columns), told=told, rule=rule)
