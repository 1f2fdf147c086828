"""Minds that look ahead: depth-limited backward induction over a tabular model (no tree).

The model is given (what each action leads to, and what it brings as a rule) or learned (counts of
what followed). Either way the agent keeps, for every place, how much entering it brought beyond
what the given model says: an accident belongs to the place where it happened, from wherever it
was entered. With a gene `utility` outcomes are worth what that gene says of their features, and
nothing is learned about reward. A lookahead mind may have preferences over cues beside its plan
(gene `policy`), a weight of the plan against them, and misjudge what actions are worth. Plans are
made anew only after something changed; one costs depth x P x A x B operations and allocates
nothing.

Memory after the head: [stale, accidents], F utility weights, O surprises (with a gene `utility`:
what outcomes are worth), O counts, P values of leaves, P x A plan, 2 P values, and with a learned
model P x A x B outcomes and as many counts; a lookahead mind's preferences over cues and P x A
misjudgements, where it has them, come last.
"""

from __future__ import annotations

import math

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.mind import (
    DEPTH,
    DISCOUNT,
    EVERYWHERE,
    HEAD,
    LEAF,
    MAX_DEPTH,
    NOWHERE,
    PLAN_WEIGHT,
    RATE,
    TEMPERATURE,
    UNTRIED,
    VALUE_RATE,
    choose_by_value,
    implements,
    odds_by_value,
    set_numbers,
    set_shares,
)

STALE, ACCIDENTS = HEAD, HEAD + 1
_UTILITY = HEAD + 2


def plan_size(
    percepts: int, actions: int, branches: int, outcomes: int, features: int, learns_model: bool
) -> int:
    """Return the length of a planner's memory."""
    own = 2 * percepts * actions * branches if learns_model else 0
    return _UTILITY + features + 2 * outcomes + 3 * percepts + percepts * actions + own


@inline_borrowing
def places(mind, world):
    """Return where surprise, counts, leaves, plan, values and model stand, and the end."""
    percepts, actions, branches = mind.branch.shape
    surprise = _UTILITY + mind.feature.shape[1]
    seen = surprise + mind.topic.size
    leaves = seen + mind.topic.size
    planned = leaves + percepts
    value = planned + percepts * actions
    model = value + 2 * percepts
    end = model
    if mind.learns_model:
        end += 2 * percepts * actions * branches
    return surprise, seen, leaves, planned, value, model, end


def lookahead_size(planner: int, policy: int, misjudgement: int) -> int:
    """Return the length of a lookahead mind's memory, from a planner's and its genes' loci."""
    return planner + policy + misjudgement


@inline_borrowing
def has_utility(mind):
    """Whether a gene `utility` says what outcomes are worth."""
    return mind.utility[1] > mind.utility[0]


@inline_borrowing
def _worth(mind, memory, surprise, z, action, b, outcome):
    """Return what entering `outcome` brings: by utility, or as told plus what was met."""
    if has_utility(mind):
        return memory[surprise + outcome]
    known = 0.0 if mind.learns_model else mind.gain[z, action, b]
    return known + memory[surprise + outcome]


@inline_borrowing
def _action_value(mind, world, memory, z, action, value):
    """Return the value of an action, given those of the percepts that follow.

    Parameters
    ----------
    value : int
        Where the values of percepts stand in the memory.
    """
    percepts, actions, branches = mind.branch.shape
    surprise, _, _, _, _, model, _ = places(mind, world)
    counts = model + percepts * actions * branches
    first = (z * actions + action) * branches
    total, x = 0.0, 0.0
    for b in range(branches):
        if mind.learns_model:
            weight = memory[counts + first + b]
            outcome = int(memory[model + first + b])
        else:
            weight = mind.chance[z, action, b]
            outcome = int(mind.branch[z, action, b])
        if weight <= 0.0:
            continue
        worth = _worth(mind, memory, surprise, z, action, b, outcome)
        if outcome < percepts:
            worth += memory[DISCOUNT] * memory[value + outcome]
        x += weight * worth
        total += weight
    return x / total if total > 0.0 else memory[UNTRIED]


@inline_borrowing
def depth_of(memory):
    """Return how many steps the agent looks ahead."""
    return int(min(max(math.floor(memory[DEPTH]), 0.0), MAX_DEPTH))


@inline_borrowing
def make_plan(mind, world, memory, planned, forbidden):
    """Fill the P x A action values at `planned` by backward induction from the leaves.

    Parameters
    ----------
    planned : int
        Where they stand in the memory.
    forbidden : int
        Where P x A flags stand: actions that are out of the question; -1 for none. Where all are
        forbidden one must be done all the same, and none is.
    """
    percepts, actions = mind.branch.shape[0], world.actions
    _, _, leaves, _, value, _, _ = places(mind, world)
    for z in range(percepts):
        memory[value + z] = memory[leaves + z] if mind.learns_leaf else memory[LEAF]
        for a in range(actions):
            memory[planned + z * actions + a] = 0.0
    for _ in range(depth_of(memory)):
        for z in range(percepts):
            allowed = 0
            for a in range(actions):
                if forbidden < 0 or memory[forbidden + z * actions + a] == 0.0:
                    allowed += 1
            top = -math.inf
            for a in range(actions):
                x = _action_value(mind, world, memory, z, a, value)
                partly = allowed > 0 and allowed < actions
                if partly and memory[forbidden + z * actions + a] != 0.0:
                    x = -math.inf
                memory[planned + z * actions + a] = x
                top = max(top, x)
            memory[value + percepts + z] = top
        for z in range(percepts):
            memory[value + z] = memory[value + percepts + z]


@inline_borrowing
def known_gain(mind, z, action, outcome):
    """Return what the given model says that this outcome brings as a rule."""
    if mind.learns_model:
        return 0.0
    for b in range(mind.branch.shape[2]):
        if mind.branch[z, action, b] == outcome:
            return mind.gain[z, action, b]
    return 0.0


@inline_borrowing
def _count_outcome(mind, world, memory, z, action, outcome):
    """Add an outcome to the learned model; return how much its probabilities changed."""
    percepts, actions, branches = mind.branch.shape
    model = places(mind, world)[5]
    counts = model + percepts * actions * branches
    first = (z * actions + action) * branches
    total, before = 0.0, 0.0
    for b in range(branches):
        total += memory[counts + first + b]
    for b in range(branches):
        at = counts + first + b
        if memory[at] == 0.0 or memory[model + first + b] == outcome:
            before = memory[at]
            memory[model + first + b] = outcome
            memory[at] += 1.0
            break
    after = (before + 1.0) / (total + 1.0)
    return after - (before / total if total > 0.0 else 0.0)


@inline_borrowing
def learn_step(mind, world, memory, z, action, reward, following, outcome):
    """Update model, surprise and leaves; return how much changed."""
    surprise, seen, leaves, _, _, _, _ = places(mind, world)
    moved = 0.0
    if mind.learns_model:
        moved += abs(_count_outcome(mind, world, memory, z, action, outcome))
    gain = reward
    if has_utility(mind):
        gain = _worth(mind, memory, surprise, z, action, 0, outcome)
    else:
        beyond = reward - known_gain(mind, z, action, outcome)
        memory[seen + outcome] += 1.0
        rate = 1.0 / memory[seen + outcome] if mind.averaging else memory[RATE]
        step = rate * (beyond - memory[surprise + outcome])
        memory[surprise + outcome] += step
        moved += abs(step)
    if mind.learns_leaf:
        ahead = memory[leaves + following] if following >= 0 else 0.0
        step = memory[VALUE_RATE] * (gain + memory[DISCOUNT] * ahead - memory[leaves + z])
        memory[leaves + z] += step
        moved += abs(step)
    if moved != 0.0:
        memory[STALE] = 1.0
    return moved


@inline_borrowing
def count_entries(mind, world, memory, outcome, times):
    """Count entries that `learn_step` found to be as expected, where it counts them."""
    if not has_utility(mind):
        memory[places(mind, world)[1] + outcome] += times


@inline_borrowing
def wake_planner(mind, world, genes, memory):
    """Fill a planner's memory at birth."""
    set_numbers(mind, genes, memory)
    set_shares(memory)
    memory[HEAD:] = 0.0
    memory[STALE] = 1.0
    for f in range(mind.utility[1] - mind.utility[0]):
        memory[_UTILITY + f] = genes[mind.utility[0] + f]
    surprise, _, leaves, _, _, _, _ = places(mind, world)
    if has_utility(mind):
        # Worked out once a life: a plan asks for them depth x P x A x B times.
        for o in range(mind.topic.size):
            for f in range(mind.feature.shape[1]):
                memory[surprise + o] += memory[_UTILITY + f] * mind.feature[o, f]
    for z in range(mind.branch.shape[0]):
        memory[leaves + z] = memory[LEAF]


@implements("lookahead")
def lookahead_awaken(tag, mind, world, genes, memory):
    """Nothing met, nothing planned yet."""
    wake_planner(mind, world, genes, memory)
    at = places(mind, world)[6]
    for k in range(mind.policy[0], mind.policy[1]):
        memory[at] = genes[k]
        at += 1
    for k in range(mind.misjudgement[0], mind.misjudgement[1]):
        memory[at] = genes[k]
        at += 1


@inline_borrowing
def _worth_doing(mind, world, memory, z, planned, out):
    """Fill `out` with what actions at percept z are worth: plan, and preferences over cues.

    The logit of an action is its preference plus the weighted value of the plan over the
    temperature; so preferences are scaled by the temperature here, as the choice divides by it.
    """
    actions, features = world.actions, world.cues.shape[0]
    preferred = places(mind, world)[6]
    loci = mind.policy[1] - mind.policy[0]
    misjudged = preferred + loci
    for a in range(actions):
        x = memory[planned + z * actions + a]
        if mind.misjudgement[1] > mind.misjudgement[0]:
            x += memory[misjudged + z * actions + a]
        out[a] = memory[PLAN_WEIGHT] * x
    if loci > 0:
        # Two actions have one logit, that of the first.
        for a in range(1 if actions == 2 else actions):
            x = 0.0
            for f in range(features):
                x += memory[preferred + a * features + f] * world.cues[f, z]
            out[a] += memory[TEMPERATURE] * x


@inline_borrowing
def _look_ahead(mind, world, memory, z, out):
    """Plan if something changed and the plan has weight; fill `out` with what actions are worth."""
    planned = places(mind, world)[3]
    if memory[STALE] != 0.0 and memory[PLAN_WEIGHT] != 0.0:
        make_plan(mind, world, memory, planned, -1)
        memory[STALE] = 0.0
    _worth_doing(mind, world, memory, z, planned, out)


@implements("lookahead")
def lookahead_prefer(tag, mind, world, memory, z, prob):
    """Look ahead, then choose."""
    _look_ahead(mind, world, memory, z, prob)
    choose_by_value(mind.choice, memory, prob, 0, prob)


@implements("lookahead")
def lookahead_odds(tag, mind, world, memory, z, prob):
    """Look ahead; log odds of the first of two actions."""
    _look_ahead(mind, world, memory, z, prob)
    return odds_by_value(memory, prob[0], prob[1])


@implements("lookahead")
def lookahead_observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Remember what followed."""
    moved = learn_step(mind, world, memory, z, action, reward, following, outcome)
    return moved, EVERYWHERE if moved != 0.0 else NOWHERE


@implements("lookahead")
def lookahead_finish(tag, mind, world, memory):
    """Nothing happens at the end of an episode."""
    return 0.0, NOWHERE


@implements("lookahead")
def lookahead_settles(tag, mind, memory):
    """Where the model is given only what was entered is counted."""
    return not mind.learns_model


@implements("lookahead")
def lookahead_again(tag, mind, world, memory, z, action, outcome, times):
    """Count the entries."""
    count_entries(mind, world, memory, outcome, times)
