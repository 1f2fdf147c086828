"""Minds that think in topics: features that many places share.

Abstract planner: where places show a topic, an action is an option valued once for all of them,
by what followed until the episode's end, and kept up while the topic is shown. Elsewhere it looks
ahead like `evosim.kernels.plan`.

Reflective planner: looks ahead, and keeps a memory of topics to avoid, from an accident of its
own (a reward below the expected one by more than `alarm`) or from a told fact, heeded with
probability `trust` at each choice; after an accident of its own it heeds every label. Under an
avoid label nothing is stored, unless the mind stores all the same: then a label goes as soon as
what was stored of a place that shows it is no worse than `alarm`. It forbids itself the
transitions that lead to such a topic, and whenever it meets a place where something is forbidden,
also the one by which it came, as many hops up as it looks ahead.

Memory after the planner's: abstract: [logged, topic and action of the option kept up], T x A
values of options and as many counts, a log of (topic, action, reward); reflective: topics to
avoid (1 own accident, 2 told), P x A forbidden transitions, P hops, P x A plan that heeds no
label, A of scratch.
"""

from __future__ import annotations

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.mind import (
    ALARM,
    DISCOUNT,
    EVERYWHERE,
    NOWHERE,
    OPTIMISM,
    RATE,
    TRUST,
    choose_by_value,
    implements,
)
from evosim.kernels.plan import (
    ACCIDENTS,
    STALE,
    count_entries,
    depth_of,
    has_utility,
    known_gain,
    learn_step,
    make_plan,
    places,
    wake_planner,
)

_OWN, _TOLD = 1.0, 2.0

#: The rule of a reflective planner: what it does with observations under an avoid label.
DISCARDS, STORES = 0, 1


def abstract_size(planner: int, actions: int, topics: int, steps: int) -> int:
    """Return the length of an abstract planner's memory, given that of a planner's."""
    return planner + 3 + 2 * topics * actions + 3 * steps


@inline_borrowing
def _options(mind, world):
    """Return where the log's length, the options' values, their counts and the log stand."""
    logged = places(mind, world)[6]
    value = logged + 3
    counts = value + mind.topics * world.actions
    return logged, value, counts, counts + mind.topics * world.actions


@implements("abstract")
def abstract_awaken(tag, mind, world, genes, memory):
    """Every option starts at optimism."""
    wake_planner(mind, world, genes, memory)
    _, value, counts, _ = _options(mind, world)
    memory[value:counts] = memory[OPTIMISM]
    memory[_options(mind, world)[0] + 1] = -1.0


@implements("abstract")
def abstract_prefer(tag, mind, world, memory, z, prob):
    """Keep up the option, choose one by its value, or plan where no topic is shown."""
    actions = world.actions
    if mind.topic[z] >= 0:
        logged, first, _, _ = _options(mind, world)
        if memory[logged + 1] == mind.topic[z]:
            for a in range(actions):
                prob[a] = 1.0 if a == memory[logged + 2] else 0.0
            return
        first += mind.topic[z] * actions
    else:
        planned = places(mind, world)[3]
        if memory[STALE] != 0.0:
            make_plan(mind, world, memory, planned, -1)
            memory[STALE] = 0.0
        first = planned + z * actions
    choose_by_value(mind.choice, memory, memory, first, prob)


@implements("abstract")
def abstract_observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Remember what followed, and log the step for the end of the episode."""
    logged, _, _, log = _options(mind, world)
    at = log + 3 * int(memory[logged])
    memory[at] = mind.topic[z]
    memory[at + 1] = action
    memory[at + 2] = reward
    memory[logged] += 1.0
    topic = mind.topic[following] if following >= 0 else -1
    begun = topic >= 0 and topic == mind.topic[z]
    memory[logged + 1] = topic if begun else -1.0
    memory[logged + 2] = action
    moved = learn_step(mind, world, memory, z, action, reward, following, outcome)
    return moved, EVERYWHERE


@implements("abstract")
def abstract_finish(tag, mind, world, memory):
    """Credit every option with what followed its first use in the episode."""
    logged, value, counts, log = _options(mind, world)
    lived = int(memory[logged])
    memory[logged] = 0.0
    memory[logged + 1] = -1.0
    total = 0.0
    for t in range(lived - 1, -1, -1):
        total = memory[log + 3 * t + 2] + memory[DISCOUNT] * total
        memory[log + 3 * t + 2] = total
    moved = 0.0
    for t in range(lived):
        topic, action = int(memory[log + 3 * t]), int(memory[log + 3 * t + 1])
        used = topic < 0
        for past in range(t):
            same = memory[log + 3 * past] == topic and memory[log + 3 * past + 1] == action
            used = used or same
        if used:
            continue
        at = topic * world.actions + action
        memory[counts + at] += 1.0
        rate = 1.0 / memory[counts + at] if mind.averaging else memory[RATE]
        step = rate * (memory[log + 3 * t + 2] - memory[value + at])
        memory[value + at] += step
        moved += abs(step)
    return moved, EVERYWHERE


def reflective_size(planner: int, percepts: int, actions: int, topics: int) -> int:
    """Return the length of a reflective planner's memory, given that of a planner's."""
    return planner + topics + 2 * percepts * actions + percepts + actions


@inline_borrowing
def _labels(mind, world):
    """Return where avoided topics, forbidden transitions, hops and the free plan stand."""
    avoided = places(mind, world)[6]
    forbidden = avoided + mind.topics
    hops = forbidden + mind.branch.shape[0] * world.actions
    return avoided, forbidden, hops, hops + mind.branch.shape[0]


@inline_borrowing
def _likely(mind, world, memory, z, action):
    """Return the likeliest outcome of an action as far as the agent knows, -1 for none."""
    percepts, actions, branches = mind.branch.shape
    model = places(mind, world)[5]
    counts = model + percepts * actions * branches
    first = (z * actions + action) * branches
    best, outcome = 0.0, -1
    for b in range(branches):
        weight = memory[counts + first + b] if mind.learns_model else mind.chance[z, action, b]
        if weight > best:
            best = weight
            outcome = (
                int(memory[model + first + b])
                if mind.learns_model
                else int(mind.branch[z, action, b])
            )
    return outcome


@inline_borrowing
def _avoid(mind, world, memory, topic, why):
    """Label a topic, and forbid the transitions known to lead to it."""
    avoided, forbidden, hops, _ = _labels(mind, world)
    memory[avoided + topic] = why
    memory[STALE] = 1.0
    for z in range(mind.branch.shape[0]):
        for a in range(world.actions):
            outcome = _likely(mind, world, memory, z, a)
            if outcome >= 0 and mind.topic[outcome] == topic:
                memory[forbidden + z * world.actions + a] = 1.0
                memory[hops + z] = 1.0


@inline_borrowing
def _relieve(mind, world, memory, topic):
    """Take a label off a topic, and with it all that is forbidden but the ways to the others."""
    avoided, forbidden, _, free = _labels(mind, world)
    memory[avoided + topic] = 0.0
    memory[forbidden:free] = 0.0
    memory[STALE] = 1.0
    for other in range(mind.topics):
        if memory[avoided + other] != 0.0:
            _avoid(mind, world, memory, other, memory[avoided + other])


@inline_borrowing
def _is_avoided(mind, memory, avoided, outcome):
    return mind.topic[outcome] >= 0 and memory[avoided + mind.topic[outcome]] != 0.0


@inline_borrowing
def _is_stored(mind, memory, avoided, z, outcome):
    """Whether a step is learned from: nothing is stored under a label, unless the mind does so."""
    if mind.rule == STORES:
        return True
    return not (
        _is_avoided(mind, memory, avoided, z) or _is_avoided(mind, memory, avoided, outcome)
    )


@inline_borrowing
def _blacklist(mind, world, memory, z, action, following):
    """Forbid the transition just made where it led to a place with something forbidden."""
    avoided, forbidden, hops, _ = _labels(mind, world)
    if following < 0 or _is_avoided(mind, memory, avoided, z):
        return 0.0
    entered_avoided = _is_avoided(mind, memory, avoided, following)
    reach = 0.0 if entered_avoided else memory[hops + following]
    if not entered_avoided and (reach == 0.0 or reach >= depth_of(memory)):
        return 0.0
    if entered_avoided:
        usual = _likely(mind, world, memory, z, action)
        if usual >= 0 and usual != following:
            return 0.0  # a slip: the action itself leads elsewhere
    at = forbidden + z * world.actions + action
    if memory[at] != 0.0:
        return 0.0
    memory[at] = 1.0
    if memory[hops + z] == 0.0 or memory[hops + z] > reach + 1.0:
        memory[hops + z] = reach + 1.0
    memory[STALE] = 1.0
    return 1.0


@implements("reflective")
def reflective_awaken(tag, mind, world, genes, memory):
    """Nothing met; topics that the agent is told of are labelled."""
    wake_planner(mind, world, genes, memory)
    for topic in range(mind.topics):
        if mind.told[topic]:
            _avoid(mind, world, memory, topic, _TOLD)


@implements("reflective")
def reflective_prefer(tag, mind, world, memory, z, prob):
    """Choose by the plan that heeds the labels, as far as they are trusted."""
    avoided, forbidden, _, free = _labels(mind, world)
    planned = places(mind, world)[3]
    own, told = False, False
    for topic in range(mind.topics):
        own = own or memory[avoided + topic] == _OWN
        told = told or memory[avoided + topic] == _TOLD
    heed = 1.0 if own else (memory[TRUST] if told else 0.0)
    if memory[STALE] != 0.0:
        make_plan(mind, world, memory, planned, forbidden)
        make_plan(mind, world, memory, free, -1)
        memory[STALE] = 0.0
    actions = world.actions
    first = planned if heed > 0.0 else free
    first += z * actions
    choose_by_value(mind.choice, memory, memory, first, prob)
    if heed == 0.0 or heed == 1.0:
        return
    other = free + z * actions
    _mix(mind, memory, other, heed, prob)


@inline_borrowing
def _mix(mind, memory, other, heed, prob):
    """Replace `prob` by heed * prob + (1 - heed) * the choice by the values at `other`."""
    actions = prob.size
    spare = memory[memory.size - actions :]
    choose_by_value(mind.choice, memory, memory, other, spare)
    for a in range(actions):
        prob[a] = heed * prob[a] + (1.0 - heed) * spare[a]


@implements("reflective")
def reflective_observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Store what followed unless under a label; an accident makes a label; blacklist the way."""
    avoided = _labels(mind, world)[0]
    moved = 0.0
    accidents = memory[ACCIDENTS]
    if _is_stored(mind, memory, avoided, z, outcome):
        surprise = places(mind, world)[0]
        beyond = reward - known_gain(mind, z, action, outcome)
        if not has_utility(mind):
            beyond -= memory[surprise + outcome]
        moved += learn_step(mind, world, memory, z, action, reward, following, outcome)
        topic = mind.topic[outcome] if mind.topic[outcome] >= 0 else mind.topic[z]
        if beyond < -memory[ALARM]:
            memory[ACCIDENTS] += 1.0
            if topic >= 0:
                _avoid(mind, world, memory, topic, _OWN)
                moved += 1.0
        elif (
            _is_avoided(mind, memory, avoided, outcome)
            and memory[surprise + outcome] >= -memory[ALARM]
        ):
            _relieve(mind, world, memory, topic)
            moved += 1.0
    moved += _blacklist(mind, world, memory, z, action, following)
    still = moved == 0.0 and memory[ACCIDENTS] == accidents
    return moved, NOWHERE if still else EVERYWHERE


@implements("reflective")
def reflective_finish(tag, mind, world, memory):
    """Nothing happens at the end of an episode."""
    return 0.0, NOWHERE


@implements("reflective")
def reflective_settles(tag, mind, memory):
    """Where the model is given only what was entered is counted."""
    return not mind.learns_model


@implements("reflective")
def reflective_again(tag, mind, world, memory, z, action, outcome, times):
    """Count the entries that are stored."""
    if _is_stored(mind, memory, _labels(mind, world)[0], z, outcome):
        count_entries(mind, world, memory, outcome, times)
