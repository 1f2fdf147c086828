"""Model-free minds: values of actions per percept, or a policy over cues with a critic.

Q-learning with Watkins's traces (Watkins 1989), SARSA(lambda) (Rummery & Niranjan 1994; Sutton &
Barto 2018, ch. 12), and actor-critic with traces of both (Sutton & Barto 2018, ch. 13.5; the
discount lessens what lies ahead, but not the weight of later steps). Traces accumulate. With
full feedback a Q-learner's other actions move as well, by what they would have brought. With
episodic credit nothing is bootstrapped: when the episode is over every visit, the last one first,
moves towards the return that followed it.

Memory after the head: [logged, waiting z, its action, reward, next percept], P x A values
(actor-critic: P values of states, then W weights of the policy), as many traces, A of scratch, and
with episodic credit a log of (z, a, reward).
"""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.mind import (
    ACTOR_RATE,
    DISCOUNT,
    EVERYWHERE,
    GREEDY,
    HEAD,
    HERE,
    NOWHERE,
    OPTIMISM,
    RATE,
    TEMPERATURE,
    TRACE,
    choose_by_value,
    implements,
    odds_by_value,
    set_numbers,
    set_shares,
)
from evosim.kernels.reinforce import softmax64

Q_LEARNING, SARSA, ACTOR_CRITIC = 1, 2, 3
#: The kind of Q-learners that also see what the actions not taken would have brought.
FULL_FEEDBACK = "model-free, full feedback"

_LOGGED, _Z, _ACTION, _REWARD, _NEXT = range(HEAD, HEAD + 5)
_VALUES = HEAD + 5
#: Where a memory's values begin, for those who pass them on.
FIRST_VALUE = _VALUES


def values_count(rule: int, percepts: int, actions: int, outputs: int, features: int) -> int:
    """Return how many values a memory holds."""
    return percepts + outputs * features if rule == ACTOR_CRITIC else percepts * actions


def values_size(
    rule: int, percepts: int, actions: int, outputs: int, features: int, episodic: bool, steps: int
) -> int:
    """Return the length of the memory."""
    values = values_count(rule, percepts, actions, outputs, features)
    return _VALUES + 2 * values + actions + (3 * steps if episodic else 0)


@inline_borrowing
def _count(mind, world):
    """Return how many values (and traces) there are."""
    if mind.rule == ACTOR_CRITIC:
        return world.cues.shape[1] + world.outputs * world.cues.shape[0]
    return world.cues.shape[1] * world.actions


@inline_borrowing
def _innate(mind, world, genes, z, a):
    """Return what the gene `policy`, where there is one, prefers before anything happened."""
    if mind.policy[1] == mind.policy[0] or a >= world.outputs:
        return 0.0
    features = world.cues.shape[0]
    x = 0.0
    for f in range(features):
        x += np.float64(genes[mind.policy[0] + a * features + f]) * world.cues[f, z]
    return x


@implements("model-free", FULL_FEEDBACK)
def values_awaken(tag, mind, world, genes, memory):
    """Values start at optimism plus innate preference; a policy at the gene's weights."""
    set_numbers(mind, genes, memory)
    set_shares(memory)
    percepts, actions = world.cues.shape[1], world.actions
    memory[HEAD:] = 0.0
    memory[_Z] = -1.0
    if mind.rule == ACTOR_CRITIC:
        for z in range(percepts):
            memory[_VALUES + z] = memory[OPTIMISM]
        for w in range(mind.policy[1] - mind.policy[0]):
            memory[_VALUES + percepts + w] = genes[mind.policy[0] + w]
        return
    for z in range(percepts):
        for a in range(actions):
            innate = _innate(mind, world, genes, z, a)
            memory[_VALUES + z * actions + a] = memory[OPTIMISM] + innate


@implements("model-free", FULL_FEEDBACK)
def values_prefer(tag, mind, world, memory, z, prob):
    """Choose by value, or by the policy of the actor."""
    actions = world.actions
    if mind.rule == ACTOR_CRITIC:
        first = _VALUES + world.cues.shape[1]
        softmax64(
            memory[first : first + world.outputs * world.cues.shape[0]],
            0,
            world.cues,
            z,
            world.outputs,
            memory[TEMPERATURE],
            mind.choice == GREEDY,
            memory[HEAD:_VALUES],
            prob,
        )
        return
    first = _VALUES + z * actions
    choose_by_value(mind.choice, memory, memory, first, prob)


@implements("model-free", FULL_FEEDBACK)
def values_odds(tag, mind, world, memory, z, prob):
    """Log odds of the first of two actions, by their values; those of an actor are not told."""
    if mind.rule == ACTOR_CRITIC:
        return np.nan
    at = _place(z, 2)
    return odds_by_value(memory, memory[at], memory[at + np.uint64(1)])


@inline_borrowing
def _place(z, actions):
    """Return where the values at percept z begin; unsigned, for an index that needs no check."""
    return np.uint64(_VALUES) + np.uint64(z) * np.uint64(actions)


@inline_borrowing
def _best(memory, z, actions):
    """Return the largest value at percept z."""
    first = _place(z, actions)
    top = memory[first]
    for a in range(1, actions):
        top = max(top, memory[first + np.uint64(a)])
    return top


@inline_borrowing
def _follow_traces(memory, count, size):
    """Move every value along its trace by `size`; let traces decay."""
    decay = memory[DISCOUNT] * memory[TRACE]
    for k in range(count):
        memory[_VALUES + k] += size * memory[_VALUES + count + k]
        memory[_VALUES + count + k] *= decay


@inline_borrowing
def _q_step(mind, world, memory, z, action, reward, following):
    actions = world.actions
    at = _place(z, actions) + np.uint64(action)
    ahead = _best(memory, following, actions) if following >= 0 else 0.0
    size = memory[RATE] * (reward + memory[DISCOUNT] * ahead - memory[at])
    if memory[TRACE] == 0.0:
        memory[at] += size
        return size
    count = world.cues.shape[1] * actions
    if memory[at] < _best(memory, z, actions):
        # Watkins: credit does not reach back over an action that was not the best one.
        memory[_VALUES + count : _VALUES + 2 * count] = 0.0
    memory[at + np.uint64(count)] += 1.0
    _follow_traces(memory, count, size)
    return size


@inline_borrowing
def _sarsa_settle(mind, world, memory, ahead):
    """Make the update that waited for the next action; `ahead` is that action's value."""
    if memory[_Z] < 0.0:
        return 0.0
    actions = world.actions
    at = _VALUES + int(memory[_Z]) * actions + int(memory[_ACTION])
    memory[_Z] = -1.0
    size = memory[RATE] * (memory[_REWARD] + memory[DISCOUNT] * ahead - memory[at])
    if memory[TRACE] == 0.0:
        memory[at] += size
        return size
    count = world.cues.shape[1] * actions
    memory[at + count] += 1.0
    _follow_traces(memory, count, size)
    return size


@inline_borrowing
def _critic_step(mind, world, memory, z, action, reward, following, prob):
    percepts, features = world.cues.shape[1], world.cues.shape[0]
    ahead = memory[_VALUES + following] if following >= 0 else 0.0
    error = reward + memory[DISCOUNT] * ahead - memory[_VALUES + z]
    size = memory[RATE] * error
    traced = memory[TRACE] > 0.0
    traces = _VALUES + _count(mind, world)
    if traced:
        memory[traces + z] += 1.0
        decay = memory[DISCOUNT] * memory[TRACE]
        for k in range(percepts):
            memory[_VALUES + k] += size * memory[traces + k]
            memory[traces + k] *= decay
    else:
        memory[_VALUES + z] += size
    step = memory[ACTOR_RATE] * error
    for q in range(world.outputs):
        d = ((1.0 if q == action else 0.0) - prob[q]) / memory[TEMPERATURE]
        for f in range(features):
            k = percepts + q * features + f
            if traced:
                memory[traces + k] += d * world.cues[f, z]
                memory[_VALUES + k] += step * memory[traces + k]
                memory[traces + k] *= decay
            else:
                memory[_VALUES + k] += step * d * world.cues[f, z]
    return size


@inline_borrowing
def _log(mind, world, memory, z, action, reward):
    at = _VALUES + 2 * _count(mind, world) + world.actions + 3 * int(memory[_LOGGED])
    memory[at] = z
    memory[at + 1] = action
    memory[at + 2] = reward
    memory[_LOGGED] += 1.0


@implements("model-free", FULL_FEEDBACK)
def values_observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Bootstrap from the step just made, or log it for the end of the episode."""
    if mind.episodic:
        _log(mind, world, memory, z, action, reward)
        return 0.0, NOWHERE
    if mind.rule == Q_LEARNING:
        at = _place(z, world.actions) + np.uint64(action)
        before = memory[at]
        size = _q_step(mind, world, memory, z, action, reward, following)
        if memory[TRACE] > 0.0:
            return abs(size), EVERYWHERE
        # In a settled life most steps move nothing by one bit: no new probabilities then.
        return abs(size), NOWHERE if memory[at] == before else HERE
    if mind.rule == ACTOR_CRITIC:
        size = _critic_step(mind, world, memory, z, action, reward, following, prob)
        return abs(size), EVERYWHERE
    size = _sarsa_settle(mind, world, memory, memory[_VALUES + z * world.actions + action])
    memory[_Z] = z
    memory[_ACTION] = action
    memory[_REWARD] = reward
    memory[_NEXT] = following
    if following < 0:
        size = abs(size) + abs(_sarsa_settle(mind, world, memory, 0.0))
    return abs(size), EVERYWHERE


@implements("model-free")
def values_settles(tag, mind, memory):
    """Q-learning without traces keeps nothing but its values."""
    return mind.rule == Q_LEARNING and not mind.episodic and memory[TRACE] == 0.0


@implements(FULL_FEEDBACK)
def values_forgo(tag, mind, world, memory, z, action, reward, following, outcome):
    """Move the value of an action not taken as one step of Q-learning would, without traces."""
    at = _place(z, world.actions) + np.uint64(action)
    before = memory[at]
    ahead = _best(memory, following, world.actions) if following >= 0 else 0.0
    memory[at] += memory[RATE] * (reward + memory[DISCOUNT] * ahead - before)
    return abs(memory[at] - before), NOWHERE if memory[at] == before else HERE


@implements("model-free", FULL_FEEDBACK)
def values_finish(tag, mind, world, memory):
    """Give credit for the whole episode, or settle what the horizon cut short."""
    count, actions = _count(mind, world), world.actions
    moved = 0.0
    if mind.episodic:
        log = _VALUES + 2 * count + actions
        total = 0.0
        for t in range(int(memory[_LOGGED]) - 1, -1, -1):
            at = log + 3 * t
            z, action = int(memory[at]), int(memory[at + 1])
            total = memory[at + 2] + memory[DISCOUNT] * total
            if mind.rule == ACTOR_CRITIC:
                moved += abs(_episodic_actor(mind, world, memory, z, action, total))
                continue
            size = memory[RATE] * (total - memory[_VALUES + z * actions + action])
            memory[_VALUES + z * actions + action] += size
            moved += abs(size)
        memory[_LOGGED] = 0.0
        return moved, EVERYWHERE
    if memory[_Z] >= 0.0:
        # The horizon ended the episode: what lies ahead is worth what would have been done there.
        first = _VALUES + int(memory[_NEXT]) * actions
        prob = memory[_VALUES + 2 * count : _VALUES + 2 * count + actions]
        choose_by_value(mind.choice, memory, memory, first, prob)
        ahead = 0.0
        for a in range(actions):
            ahead += prob[a] * memory[first + a]
        moved = abs(_sarsa_settle(mind, world, memory, ahead))
    if memory[TRACE] > 0.0:
        memory[_VALUES + count : _VALUES + 2 * count] = 0.0
    return moved, EVERYWHERE if moved > 0.0 else NOWHERE


@inline_borrowing
def _episodic_actor(mind, world, memory, z, action, total):
    percepts, features = world.cues.shape[1], world.cues.shape[0]
    first = _VALUES + percepts
    scratch = _VALUES + 2 * _count(mind, world)
    prob = memory[scratch : scratch + world.actions]
    softmax64(
        memory[first : first + world.outputs * features],
        0,
        world.cues,
        z,
        world.outputs,
        memory[TEMPERATURE],
        mind.choice == GREEDY,
        memory[HEAD:_VALUES],
        prob,
    )
    error = total - memory[_VALUES + z]
    memory[_VALUES + z] += memory[RATE] * error
    step = memory[ACTOR_RATE] * error / memory[TEMPERATURE]
    for q in range(world.outputs):
        d = step * ((1.0 if q == action else 0.0) - prob[q])
        for f in range(features):
            memory[first + q * features + f] += d * world.cues[f, z]
    return memory[RATE] * error
