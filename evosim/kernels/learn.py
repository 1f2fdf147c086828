"""Stage 3 for minds that change during life: one loop for all of them.

Each agent lives alone in its thread, step by step; its memory and its tables are that thread's
scratch. What a mind does is picked by its tag (see `evosim.kernels.mind`).
"""

from __future__ import annotations

import numpy as np

from evosim.kernels import plan, reinforce, topics, values  # noqa: F401  (they register minds)
from evosim.kernels.accelerate import borrowing, inline_borrowing, kernel
from evosim.kernels.life import coded_step
from evosim.kernels.mind import (
    EVERYWHERE,
    HERE,
    NOWHERE,
    SOFTMAX,
    awaken,
    finish,
    forgo,
    observe,
    odds,
    prefer,
    report,
    sees_forgone,
    settles,
    tells_odds,
)
from evosim.kernels.odds import OPEN, choose, choose_by_odds
from evosim.kernels.philox import ACTION, CONTEXT, FORGONE, OUTCOME, START, uniform
from evosim.kernels.settled import (
    DONE,
    DRAWN,
    ENTERED,
    ROWS,
    add_each,
    draw,
    episodes_alike,
    keep_doubts,
    live_alike,
    word_of,
)


@inline_borrowing
def _result(world_tag, world, context, cs, action, key, generation, agent, purpose, draw):
    """Return what an action leads to (as in `WorldTables.following`), payoff, reward, entry.

    What was paid already, of what is paid once, is not known here.
    """
    first = (cs * np.uint64(world.actions) + np.uint64(action)) * np.uint64(world.outcomes)
    coded = world.following.size == 0
    # A draw belongs to its decision, so that one not needed need not be made.
    v = 0.0
    if coded or (world.outcomes > 1 and world.cdf[first] < 1.0):
        v = uniform(key, generation, agent, purpose, draw)
    if coded:
        states = world.start_cdf.shape[1]
        first_state = context * states
        state, gain, reward, ends = coded_step(
            world_tag,
            world.parameters[context],
            np.int64(cs) - first_state,
            np.int64(action),
            v,
        )
        if state < 0 or state >= states:
            raise IndexError("step gives a state that is none of 0 to states - 1")
        entered = first_state + state
        if ends:
            entered = -1 - entered
        return np.int64(entered), gain, reward, np.uint64(0)
    entry = first
    for _ in range(world.outcomes - 1):
        if v < world.cdf[entry]:
            break
        entry += np.uint64(1)
    return np.int64(world.following[entry]), world.payoff[entry], world.reward[entry], entry


@inline_borrowing
def _place(world, entered, context):
    """Return the percept that follows, or -1, and the number of the place entered."""
    if entered >= 0:
        ahead = np.int64(np.uint32(world.percept[np.uint64(entered)]))
        return ahead, ahead
    states = world.start_cdf.shape[1]
    return np.int64(-1), np.int64(world.cues.shape[1] + (-1 - entered) - context * states)


@borrowing
def _see_forgone(
    world_tag, world, mind_tag, mind, memory, taken, context, cs, chosen, key, generation, agent,
    offset, decision,
):  # fmt: skip
    """Let the mind see what each action not taken would have brought, drawn one by one.

    What is paid once and not yet was is seen in full, and not used up.
    """
    z = np.int64(np.uint32(world.percept[cs]))
    moved, stale = 0.0, NOWHERE
    for a in range(world.actions):
        if a == np.int64(chosen):
            continue
        entered, _, reward, entry = _result(
            world_tag, world, context, cs, a, key, generation, agent, FORGONE + offset,
            decision * world.actions + a,
        )  # fmt: skip
        if world.flags > 0 and world.once[entry] >= 0 and taken[world.once[entry]]:
            reward = world.step_reward
        ahead, outcome = _place(world, entered, context)
        more, where = forgo(mind_tag, mind, world, memory, z, a, reward, ahead, outcome)
        moved += more
        stale = max(stale, where)
    return moved, stale


@kernel
def live_and_learn(
    first,
    last,
    world_tag,
    world,
    mind_tag,
    mind,
    size,
    schedule,
    start_cdf,
    forced,
    forced_action,
    keys,
    generation,
    offset,
    count,
    genes,
    payoff,
    acts,
    context_payoff,
    context_episodes,
    born,
    learned,
    trail,
):
    """Live the lives of the agents first..last-1 (flattened replicate x agent).

    Parameters are those of `evosim.kernels.life.live`, except:

    mind : Learner
    size : int
        Length of a memory.
    start_cdf : (C, S) float64
        Cumulative distribution of the start state in forced episodes.
    forced : int
        Episodes after the life that begin by `start_cdf` instead of the world's own start;
        their payoff does not count.
    forced_action : (S,) int64
        The first action of a forced episode, by the state it begins in; -1 for a free choice.
    context_payoff : (R * N, C) float64
        Overwritten, one row per agent.
    context_episodes : (R * N, C) int64
        Overwritten.
    born, learned : (R, N, V) float64
        Overwritten: learned state at birth and at death; REINFORCE: the policy's weights;
        others: action probabilities per percept, percept by percept.
    trail : Trail
        What observers want of each life; arrays of no agents switch it off.
    """
    percepts, actions = world.cues.shape[1], world.actions
    memory = np.zeros(size, np.float64)
    # Probabilities are kept per percept until what was learned makes them stale.
    table = np.empty((percepts, actions), np.float64)
    fresh = np.zeros(percepts, np.int64)
    words = np.empty((4, DRAWN // 4), np.uint64)
    taken = np.zeros(world.flags, np.bool_)
    path = np.empty((ROWS, world.steps), np.int64)
    _live(
        first,
        last,
        world_tag,
        world,
        mind_tag,
        mind,
        schedule,
        start_cdf,
        forced,
        forced_action,
        keys,
        generation,
        offset,
        count,
        genes,
        payoff,
        acts,
        context_payoff,
        context_episodes,
        born,
        learned,
        trail,
        memory,
        table,
        fresh,
        words,
        taken,
        path,
    )


@inline_borrowing
def _live(
    first,
    last,
    world_tag,
    world,
    mind_tag,
    mind,
    schedule,
    start_cdf,
    forced,
    forced_action,
    keys,
    generation,
    offset,
    count,
    genes,
    payoff,
    acts,
    context_payoff,
    context_episodes,
    born,
    learned,
    trail,
    memory,
    table,
    fresh,
    words,
    taken,
    path,
):
    """Live as `live_and_learn` says, in the scratch given; forced into its only caller.

    Left to LLVM it became a function beside it, compiled twice: alone, and again with the caller.
    The process that compiles ran the first, one that loads from the cache the second, in which
    the minds' functions were calls: 8,700 lives of a Q-learner a second instead of 13,200
    (15,100 in the caller).
    """
    agents = genes.shape[1]
    actions = world.actions
    # Unsigned, so that no index is checked whether it counts from the end.
    width, spread = np.uint64(actions), np.uint64(world.outcomes)
    percepts = world.cues.shape[1]
    following, cdf, payoffs, rewards = world.following, world.cdf, world.payoff, world.reward
    starts, parameters = world.start, world.parameters
    percept_of, track, once = world.percept, world.track, world.once
    states, outcomes, flags = world.start_cdf.shape[1], world.outcomes, world.flags
    steps, episodes = world.steps, world.episodes
    context_cdf, part_ends = schedule.cdf, schedule.ends
    last_row = context_cdf.shape[1] - 1
    coded = following.size == 0
    watched = trail.visits.shape[1] > 0
    handed = mind.table.shape[2]
    windows = trail.visits.shape[2]
    # Where all episodes of a life begin alike, as far as the world goes.
    alike = last_row == 0 or (world.one_context and part_ends.size == 1)
    alike = alike and not (coded or watched)
    by_odds = tells_odds(mind_tag) and mind.choice == SOFTMAX and actions == 2
    for flat in range(first, last):
        r = flat // agents
        i = flat - r * agents
        context_payoff[flat, :] = 0.0
        context_episodes[flat, :] = 0
        if i >= count[r]:
            continue
        key = keys[r]
        payoff[r, i] = 0.0
        done = acts[r, i]
        done[:] = 0
        taken[:] = False
        if watched:
            trail.visits[r, i] = 0
            trail.payoff[r, i] = 0.0
            trail.rewarded[r, i] = 0
            trail.moved[r, i] = 0.0
            trail.finished[r, i] = 0.0
        awaken(mind_tag, mind, world, genes[r, i], memory)
        for k in range(handed):
            memory[values.FIRST_VALUE + k] = mind.table[r, i, k]
        report(mind_tag, mind, world, memory, born[r, i])
        version = 1
        fresh[:] = 0
        decision = 0
        part = 0
        may_settle = alike and settles(mind_tag, mind, memory)
        settled = False
        episode = -1
        while episode + 1 < episodes + forced:
            episode += 1
            is_forced = episode >= episodes
            window = min(episode * windows // episodes, windows - 1)
            context = 0
            if last_row > 0:
                turn = 0 if world.one_context else episode
                v = uniform(key, generation, i, CONTEXT + offset, turn)
                while part < part_ends.size - 1 and episode >= part_ends[part]:
                    part += 1
                while context < last_row and v >= context_cdf[part, context]:
                    context += 1
            start = np.int64(starts[context])
            # Episodes after one that moved nothing are compared by probabilities: ask for them.
            leans = by_odds and not settled
            settled = may_settle and start >= 0
            length = 0
            if start < 0 or is_forced:
                v = uniform(key, generation, i, START + offset, episode)
                start = 0
                if is_forced:
                    while start < states - 1 and v >= start_cdf[context, start]:
                        start += 1
                else:
                    while start < states - 1 and v >= world.start_cdf[context, start]:
                        start += 1
            first_state = context * states
            cs = np.uint64(first_state + start)
            earned = 0.0
            for step in range(steps):
                if decision & (DRAWN - 1) == 0:
                    draw(key, generation, i, ACTION + offset, decision, words)
                z = np.int64(np.uint32(percept_of[cs]))
                word = word_of(words, decision)
                action = OPEN
                if leans and fresh[z] != version:
                    log_odds = odds(mind_tag, mind, world, memory, z, table[z])
                    action = choose_by_odds(log_odds, word)
                if action == OPEN:
                    if fresh[z] != version:
                        prefer(mind_tag, mind, world, memory, z, table[z])
                        fresh[z] = version
                    action = choose(table[z], actions, word)
                if is_forced and step == 0 and forced_action[start] >= 0:
                    action = np.uint64(forced_action[start])
                if done.size > 0 and track[cs] >= 0 and not is_forced:
                    done[np.uint64(track[cs]) * width + action] += 1
                entry = (cs * width + action) * spread
                # A draw belongs to its decision, so that one not needed need not be made.
                v = 0.0
                if coded or (outcomes > 1 and cdf[entry] < 1.0):
                    v = uniform(key, generation, i, OUTCOME + offset, decision)
                    settled = False
                if coded:
                    entry = np.uint64(0)
                    state, gain, reward, ends = coded_step(
                        world_tag,
                        parameters[context],
                        np.int64(cs) - first_state,
                        np.int64(action),
                        v,
                    )
                    if state < 0 or state >= states:
                        raise IndexError("step gives a state that is none of 0 to states - 1")
                    entered = first_state + state
                    if ends:
                        entered = -1 - entered
                else:
                    for _ in range(outcomes - 1):
                        if v < cdf[entry]:
                            break
                        entry += np.uint64(1)
                    entered = np.int64(following[entry])
                    gain = payoffs[entry]
                    reward = rewards[entry]
                if flags > 0 and once[entry] >= 0:
                    if taken[once[entry]]:
                        gain = world.step_payoff
                        reward = world.step_reward
                    else:
                        settled = False
                    taken[once[entry]] = True
                earned += gain
                decision += 1
                ahead = np.int64(-1)
                if entered >= 0:
                    ahead = np.int64(np.uint32(percept_of[np.uint64(entered)]))
                    outcome = ahead
                else:
                    outcome = np.int64(percepts + (-1 - entered) - first_state)
                moved, stale = observe(
                    mind_tag,
                    mind,
                    world,
                    memory,
                    z,
                    np.int64(action),
                    reward,
                    ahead,
                    outcome,
                    table[z],
                )
                if sees_forgone(mind_tag):
                    more, where = _see_forgone(
                        world_tag,
                        world,
                        mind_tag,
                        mind,
                        memory,
                        taken,
                        context,
                        cs,
                        action,
                        key,
                        generation,
                        i,
                        offset,
                        decision - 1,
                    )
                    moved += more
                    stale = max(stale, where)
                if stale == EVERYWHERE:
                    version += 1
                elif stale == HERE and by_odds:
                    fresh[z] = 0  # the odds decide most often
                elif stale == HERE:
                    # At once, not at the next visit: there the step would have to wait for exp,
                    # here the processor does it beside the steps that follow.
                    prefer(mind_tag, mind, world, memory, z, table[z])
                if stale != NOWHERE:
                    settled = False
                if settled:
                    path[DONE, length] = np.int64(cs * width + action)
                    path[ENTERED, length] = outcome
                    length += 1
                if watched and not is_forced:
                    trail.visits[r, i, window, cs * width + action] += 1
                    trail.payoff[r, i, window] += gain
                    trail.rewarded[r, i, window] += reward != 0.0
                    trail.moved[r, i, window, z] += moved
                if entered < 0:
                    break
                cs = np.uint64(entered)
            moved, stale = finish(mind_tag, mind, world, memory)
            if stale != NOWHERE:
                version += 1
                settled = False
            if is_forced:
                if watched:
                    report(mind_tag, mind, world, memory, trail.policy[r, i, episode - episodes])
                continue
            if watched:
                trail.finished[r, i, window] += moved
            payoff[r, i] += earned
            context_payoff[flat, context] += earned
            context_episodes[flat, context] += 1
            if episode == episodes - 1:
                report(mind_tag, mind, world, memory, learned[r, i])
                for k in range(handed):
                    mind.table[r, i, k] = memory[values.FIRST_VALUE + k]
            elif settled and not leans:
                doubts = keep_doubts(path, length, world, table)
                # The last episode is lived: what follows it is done above.
                times = episodes_alike(
                    path,
                    length,
                    doubts,
                    episodes - 2 - episode,
                    key,
                    generation,
                    i,
                    offset,
                    decision,
                    words,
                )
                if times > 0:
                    live_alike(mind_tag, mind, world, memory, path, length, times, done)
                    payoff[r, i] = add_each(payoff[r, i], earned, times)
                    context_payoff[flat, context] = add_each(
                        context_payoff[flat, context], earned, times
                    )
                    context_episodes[flat, context] += times
                    decision += times * length
                    episode += times
