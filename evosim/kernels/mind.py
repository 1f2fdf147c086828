"""What a mind that changes during life must do: the contract of the learning life loop.

A mind is five to nine functions over one flat array, the agent's `memory` (float64). The loop
knows nothing else of it; the functions are picked by the mind's tag at compile time and inlined,
so that a learner costs what a loop written for it alone would cost:

``awaken(tag, mind, world, genes, memory)``
    Birth: fill the memory from the expressed genes.
``prefer(tag, mind, world, memory, z, prob)``
    Fill ``prob[:A]`` with the probabilities of the actions at percept z.
``odds(tag, mind, world, memory, z, prob)``
    Of minds that choose between two actions by softmax, which costs less where the odds decide:
    return the log odds of the first, or NaN where only `prefer` says. Where the odds decided, the
    ``prob`` that `observe` is given holds no probabilities; ``prob[:2]`` may be used as scratch.
``observe(tag, mind, world, memory, z, action, reward, following, outcome, prob)``
    A step was made; return ``(moved, stale)``: the size of what was learned (0.0 if nothing),
    and which probabilities must be asked for anew: NOWHERE, HERE (at z) or EVERYWHERE.
``forgo(tag, mind, world, memory, z, action, reward, following, outcome)``
    Only of minds with full feedback, called after `observe` for each action not taken: this is
    what it would have brought; return ``(moved, stale)``, HERE at most.
``finish(tag, mind, world, memory)``
    The episode is over; return ``(moved, stale)``.
``report(tag, mind, world, memory, out)``
    Write the learned state that tables and assays read.
``settles(tag, mind, memory)``
    Of minds that can come to rest: whether a step, or an episode's end, for which `observe` and
    `finish` return NOWHERE changes nothing in the memory, however often it is repeated, but what
    ``again(tag, mind, world, memory, z, action, outcome, times)``
    changes, which counts `times` more of it.

`following` is the next percept, or -1 where the episode ends. `outcome` names the place that was
entered: the percept, or P + state where the episode ends. The first HEAD entries of every memory
hold the agent's own numbers: the scenario's, or the expressed gene of that name.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numba.extending import overload

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.tags import KernelType, functions_of
from evosim.kernels.vecmath import exp64

#: Names of the numbers in the head of a memory, in their order.
NUMBERS = (
    "learning_rate",
    "temperature",
    "discount",
    "trace",
    "optimism",
    "epsilon",
    "depth",
    "trust",
    "leaf_value",
    "untried",
    "alarm",
    "actor_rate",
    "value_rate",
    "plan_weight",
    "baseline",
    "entropy",
)
(
    RATE,
    TEMPERATURE,
    DISCOUNT,
    TRACE,
    OPTIMISM,
    EPSILON,
    DEPTH,
    TRUST,
    LEAF,
    UNTRIED,
    ALARM,
    ACTOR_RATE,
    VALUE_RATE,
    PLAN_WEIGHT,
    BASELINE,
    ENTROPY,
) = range(len(NUMBERS))
#: Entries of every memory before the mind's own.
HEAD = 16
#: Genes for depth are cut off here.
MAX_DEPTH = 8

NOWHERE, HERE, EVERYWHERE = 0, 1, 2
SOFTMAX, GREEDY, EPSILON_GREEDY = 0, 1, 2


class Learner(NamedTuple):
    """A learning mind as numbers; which entries mean something depends on its kind.

    Axes: P percepts, A actions, B branches (distinct outcomes of an action at a percept),
    O = P + S outcomes, F cues.

    Attributes
    ----------
    parameters : (M,) float64
        User minds: numeric parameters.
    numbers, loci : (len(NUMBERS),) float64, int64
        The scenario's numbers, and the locus that overrides each (-1 for none).
    policy, utility, misjudgement : (2,) int64
        First locus of the gene and one past its last; equal where there is no such gene.
    hidden : int
        tanh units of a policy over cues; 0 if linear.
    choice : int
        SOFTMAX, GREEDY or EPSILON_GREEDY.
    rule, advantage : int
        Which update; see the kernels of the kind.
    episodic : bool
        Credit is given at the end of an episode instead of by bootstrapping.
    averaging : bool
        Estimates are means of all observations instead of moving by the learning rate.
    learns_model, learns_leaf : bool
        Planners: the model is learned, not given; so are the values of leaves.
    branch : (P, A, B) int32
        Planners: outcome of each branch, -1 for none (given model; else only its room counts).
    chance, gain : (P, A, B) float64
        Planners: probability and mean standing reward of each branch of the given model.
    feature : (O, F) float64
        Planners: cues of every outcome, which the gene `utility` weighs.
    topic : (O,) int32
        Which topic an outcome shows, -1 for none.
    topics : int
    told : (topics,) uint8
        Topics that the agent is told to avoid.
    table : (R, N, V) float64
        Model-free minds: the values that each agent of a life begins with, overwritten with those
        that it ends with; V = 0: it begins with what its genome says, and nothing is written.
    """

    parameters: np.ndarray
    numbers: np.ndarray
    loci: np.ndarray
    policy: np.ndarray
    utility: np.ndarray
    misjudgement: np.ndarray
    hidden: int
    choice: int
    rule: int
    advantage: int
    episodic: bool
    averaging: bool
    learns_model: bool
    learns_leaf: bool
    branch: np.ndarray
    chance: np.ndarray
    gain: np.ndarray
    feature: np.ndarray
    topic: np.ndarray
    topics: int
    told: np.ndarray
    table: np.ndarray


class Trail(NamedTuple):
    """What observers want of each life, window of episodes by window; of no agents: nothing.

    Attributes
    ----------
    visits : (R, n, W, C * S * A) uint32
        How often each action was done in each state.
    payoff : (R, n, W) float64
    rewarded : (R, n, W) uint32
        Steps that brought any reward.
    moved : (R, n, W, P) float64
        Size of what was learned from steps, by the percept they began at.
    finished : (R, n, W) float64
        Size of what was learned at the end of episodes.
    policy : (R, n, D, V) float64
        Learned state after each forced episode.
    """

    visits: np.ndarray
    payoff: np.ndarray
    rewarded: np.ndarray
    moved: np.ndarray
    finished: np.ndarray
    policy: np.ndarray


#: (kind of mind, name of the contract's function) -> implementation.
IMPLEMENTATIONS: dict[tuple[str, str], object] = {}
# What is called a few times a life is compiled once, beside the loop (measured: 2 s less).
_APART = {"error_model": "numpy", "_nrt": False}
_OPTIONS = {**_APART, "forceinline": True}


def implements(*kinds):
    """Register a function as what its name says, for minds of these kinds."""

    def register(f):
        for kind in kinds:
            IMPLEMENTATIONS[kind, f.__name__.split("_")[-1]] = f
        return f

    return register


def awaken(tag, mind, world, genes, memory):
    """Birth; see the module."""
    raise TypeError("only inside kernels")


def prefer(tag, mind, world, memory, z, prob):
    """Probabilities of actions; see the module."""
    raise TypeError("only inside kernels")


def odds(tag, mind, world, memory, z, prob):
    """Return the log odds of the first of two actions; see the module."""
    raise TypeError("only inside kernels")


def tells_odds(tag):
    """Tell whether this mind has `odds`."""
    raise TypeError("only inside kernels")


def observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Learn from a step; see the module."""
    raise TypeError("only inside kernels")


def forgo(tag, mind, world, memory, z, action, reward, following, outcome):
    """Learn from an action not taken; see the module."""
    raise TypeError("only inside kernels")


def sees_forgone(tag):
    """Tell whether this mind is shown the outcomes of actions not taken."""
    raise TypeError("only inside kernels")


def settles(tag, mind, memory):
    """Tell whether what moved nothing moves nothing again; see the module."""
    raise TypeError("only inside kernels")


def again(tag, mind, world, memory, z, action, outcome, times):
    """Count a step that moved nothing `times` more; see the module."""
    raise TypeError("only inside kernels")


def finish(tag, mind, world, memory):
    """Learn from the end of an episode; see the module."""
    raise TypeError("only inside kernels")


def report(tag, mind, world, memory, out):
    """Write the learned state; see the module."""
    raise TypeError("only inside kernels")


@overload(awaken, jit_options=_OPTIONS)
def _awaken(tag, mind, world, genes, memory):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "awaken") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "awaken"]
    function = numba.njit(error_model="numpy")(functions_of(tag)["birth"])

    def user(tag, mind, world, genes, memory):
        set_numbers(mind, genes, memory)
        memory[HEAD:] = 0.0  # not what the agent before remembered
        own = genes[mind.policy[0] : mind.policy[1]]
        function(mind.parameters, own, world.cues, memory[HEAD:])

    return user


@overload(prefer, jit_options=_OPTIONS)
def _prefer(tag, mind, world, memory, z, prob):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "prefer") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "prefer"]
    function = numba.njit(error_model="numpy")(functions_of(tag)["prefer"])

    def user(tag, mind, world, memory, z, prob):
        prob[:] = 0.0
        function(mind.parameters, memory[HEAD:], z, world.cues, prob)

    return user


@overload(odds, jit_options=_OPTIONS)
def _odds(tag, mind, world, memory, z, prob):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "odds") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "odds"]

    def nothing(tag, mind, world, memory, z, prob):
        return np.nan  # never called

    return nothing


@overload(tells_odds, jit_options=_OPTIONS)
def _tells_odds(tag):
    if not isinstance(tag, KernelType):
        return None
    # Known to the compiler, which leaves out what is not called.
    if (tag.kind, "odds") in IMPLEMENTATIONS:
        return lambda tag: True
    return lambda tag: False


@overload(observe, jit_options=_OPTIONS)
def _observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "observe") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "observe"]
    function = numba.njit(error_model="numpy")(functions_of(tag)["observe"])

    def user(tag, mind, world, memory, z, action, reward, following, outcome, prob):
        own = memory[HEAD:]
        moved = function(mind.parameters, own, z, action, reward, following, world.cues)
        return np.float64(moved), EVERYWHERE if moved != 0.0 else NOWHERE

    return user


@overload(forgo, jit_options=_OPTIONS)
def _forgo(tag, mind, world, memory, z, action, reward, following, outcome):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "forgo") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "forgo"]

    def nothing(tag, mind, world, memory, z, action, reward, following, outcome):
        return 0.0, NOWHERE  # never called

    return nothing


@overload(sees_forgone, jit_options=_OPTIONS)
def _sees_forgone(tag):
    if not isinstance(tag, KernelType):
        return None
    # Known to the compiler, which leaves out what is not called.
    if (tag.kind, "forgo") in IMPLEMENTATIONS:
        return lambda tag: True
    return lambda tag: False


@overload(settles, jit_options=_OPTIONS)
def _settles(tag, mind, memory):
    if not isinstance(tag, KernelType):
        return None
    # Of those that do not say so the compiler knows, and leaves out what follows from it.
    return IMPLEMENTATIONS.get((tag.kind, "settles"), lambda tag, mind, memory: False)


@overload(again, jit_options=_OPTIONS)
def _again(tag, mind, world, memory, z, action, outcome, times):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "again") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "again"]

    def nothing(tag, mind, world, memory, z, action, outcome, times):
        return

    return nothing


@overload(finish, jit_options=_OPTIONS)
def _finish(tag, mind, world, memory):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "finish") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "finish"]

    def nothing(tag, mind, world, memory):
        return 0.0, NOWHERE

    return nothing


@overload(report, jit_options=_APART)
def _report(tag, mind, world, memory, out):
    if not isinstance(tag, KernelType):
        return None
    if (tag.kind, "report") in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[tag.kind, "report"]

    def table(tag, mind, world, memory, out):
        actions = world.actions
        for z in range(world.cues.shape[1]):
            prefer(tag, mind, world, memory, z, out[z * actions : (z + 1) * actions])

    return table


@inline_borrowing
def set_numbers(mind, genes, memory):
    """Fill the head of a memory: the scenario's numbers, or the expressed genes."""
    for k in range(mind.numbers.size):
        memory[k] = mind.numbers[k]
        if mind.loci[k] >= 0:
            memory[k] = np.float64(genes[mind.loci[k]])


@inline_borrowing
def set_shares(memory):
    """Keep rates, discount, trace, epsilon and trust within [0, 1], whatever mutation brought."""
    for k in (RATE, DISCOUNT, TRACE, EPSILON, TRUST, VALUE_RATE):
        memory[k] = min(max(memory[k], 0.0), 1.0)
    memory[ACTOR_RATE] = max(memory[ACTOR_RATE], 0.0)  # a step of weights is no share


@inline_borrowing
def choose_by_value(choice, memory, value, first, prob):
    """Turn the values of the actions into probabilities.

    Parameters
    ----------
    choice : int
        SOFTMAX (of value over temperature), GREEDY, or EPSILON_GREEDY (a uniform draw with
        probability epsilon); the best of equals are chosen alike.
    memory : (M,) float64
        Its head holds temperature and epsilon.
    value : (V,) float64
        Minus infinity marks an action that is out of the question.
    first : int
        Where in `value` those of the actions begin. (No slice: those are clamped to the array's
        length, which costs more than two actions do.)
    prob : (A,) float64
        Overwritten; may be `value`.
    """
    actions = prob.size
    at = np.uint64(first)  # unsigned: no check whether it counts from the end
    if choice == SOFTMAX and actions == 2:
        # The same bits as below, without the preparations that LLVM makes for long loops.
        one, two = value[at], value[at + np.uint64(1)]
        top = max(one, two)
        less = 1.0
        if one != two:
            less = exp64((min(one, two) - top) * (1.0 / memory[TEMPERATURE]))
        total = 1.0 + less
        prob[0] = (1.0 if one == top else less) / total
        prob[1] = (1.0 if two == top else less) / total
        return
    top = value[at]
    for a in range(1, actions):
        top = max(top, value[at + np.uint64(a)])
    total = 0.0
    if choice == SOFTMAX:
        scale = 1.0 / memory[TEMPERATURE]
        for a in range(actions):
            x = value[at + np.uint64(a)]
            prob[a] = 1.0 if x == top else exp64((x - top) * scale)
            total += prob[a]
        for a in range(actions):
            prob[a] /= total
        return
    for a in range(actions):
        prob[a] = 1.0 if value[at + np.uint64(a)] == top else 0.0
        total += prob[a]
    share = memory[EPSILON] if choice == EPSILON_GREEDY else 0.0
    for a in range(actions):
        prob[a] = (1.0 - share) * prob[a] / total + share / actions


@inline_borrowing
def odds_by_value(memory, one, two):
    """Return the log odds of an action worth `one` against another worth `two`, by softmax."""
    return (one - two) * (1.0 / memory[TEMPERATURE])
