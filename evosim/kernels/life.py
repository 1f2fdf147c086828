"""Life without learning: decode once, then live by look-ups.

Agents are worked on in blocks of lanes that step together: the look-up latencies of one agent hide
behind those of the others, and their Philox words are drawn in one vectorised loop. A lane whose
episode ends begins its next one at once, so that short episodes leave no lane idle (measured on
CoinRun: 33 ns a step with lanes waiting for each other's episodes); draws are counted by the
decisions an agent has made in its life.

Arrays are taken out of their tuples before the loops, and looked into in place: every array that
is handed to a function or taken from a tuple inside a loop counts references, two atomic
operations (38% of CoinRun's life when it was so).

Each genome is decoded into a table of cumulative action probabilities per percept, once. Where a
life is shorter than the list of percepts, most of that table would never be read: a linear policy
is then decoded lazily, all lanes at once at the percepts they meet. Both ways do the same float32
operations in the same order, so the choice, made from shapes alone, changes no bit (tested).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numba.extending import overload

from evosim.kernels.accelerate import kernel
from evosim.kernels.decode import LANES, cumulate, logits
from evosim.kernels.lanes import choose_met, draw_uniforms, move
from evosim.kernels.philox import CONTEXT, OUTCOME, START, uniform
from evosim.kernels.tags import KernelType, functions_of
from evosim.kernels.vecmath import LOG2E
from evosim.kernels.wide import WIDE

_f = np.float32
NEVER = 2**62


class WorldTables(NamedTuple):
    """A world as the life kernels see it; (context, state) pairs are flattened to `cs`.

    Attributes
    ----------
    following : (C*S*A*K,) int32
        Next flattened state, or -1 - next where the episode ends.
    cdf : (C*S*A*K,) float64
    payoff, reward : (C*S*A*K,) float64
    once : (C*S*A*K,) int32, or length 0 if nothing is paid once.
        Which of the `flags` an outcome raises, or -1; with the flag up only the step's own
        payoff and reward are paid.
    percept : (C*S,) int32
    cues : (F, P) float32
    start : (C,) int32
        The start state, or -1 where it is drawn.
    start_cdf : (C, S) float64
    track : (C*S,) int32
        Ledger slot of each state's (context, percept), or -1.
    outcomes : int
        K.
    actions, outputs, steps, episodes : int
    flags : int
        How many things are paid once a life.
    step_payoff, step_reward : float
    parameters : (C, M) float64
        User worlds: numeric parameters per context.
    one_context : bool
        The context is drawn once for the whole life.
    """

    following: np.ndarray
    cdf: np.ndarray
    payoff: np.ndarray
    reward: np.ndarray
    once: np.ndarray
    percept: np.ndarray
    cues: np.ndarray
    start: np.ndarray
    start_cdf: np.ndarray
    track: np.ndarray
    outcomes: int
    actions: int
    outputs: int
    steps: int
    episodes: int
    flags: int
    step_payoff: float
    step_reward: float
    parameters: np.ndarray
    one_context: bool = False


class Schedule(NamedTuple):
    """Which contexts a life's episodes are lived in: block after block of episodes.

    Attributes
    ----------
    cdf : (B, C) float64
        Cumulative frequencies of the contexts' variants in each block.
    ends : (B,) int64
        One past the last episode of each block; episodes beyond the last belong to it.
    """

    cdf: np.ndarray
    ends: np.ndarray


#: What a mind reports of what it learned.
NONE, WEIGHTS, TABLE = 0, 1, 2


class MindTables(NamedTuple):
    """What the life kernels need of a mind beside the genes.

    Attributes
    ----------
    parameters : (M,) float64
        User minds: numeric parameters.
    policy : (2,) int64
        First locus of the policy gene and one past its last.
    temperature : float
        Used where the locus index beside it is -1.
    temperature_locus : int
    greedy : bool
    rule : int
        NONE, or how what was learned is reported: WEIGHTS of the policy, or a TABLE of action
        probabilities per percept.
    """

    parameters: np.ndarray
    policy: np.ndarray
    temperature: float
    temperature_locus: int
    greedy: bool
    rule: int


def coded_step(tag, parameters, state, action, u):
    """Return (next state, payoff, reward, ends) of a user's world; chosen by the world's tag."""
    raise TypeError("only inside kernels")  # the overloads below are the implementations


@overload(coded_step)
def _coded_step(tag, parameters, state, action, u):
    if not isinstance(tag, KernelType):
        return None
    if tag.kind == "tabular":

        def tabular(tag, parameters, state, action, u):
            return 0, 0.0, 0.0, False  # never called: tables are read in place

        return tabular
    function = numba.njit(error_model="numpy")(functions_of(tag)["step"])

    def user(tag, parameters, state, action, u):
        following, payoff, reward, ends = function(parameters, state, np.int64(action), u)
        return np.int64(following), np.float64(payoff), np.float64(reward), bool(ends)

    return user


@kernel
def live(
    first,
    last,
    world_tag,
    world,
    mind_tag,
    mind,
    schedule,
    keys,
    generation,
    offset,
    lazy,
    count,
    genes,
    payoff,
    acts,
    context_payoff,
    context_episodes,
):
    """Live the lives of the blocks first..last-1.

    Parameters
    ----------
    schedule : Schedule
    keys : (R,) uint64
    generation, offset : int
        Counter words; `offset` is 0 for a run and the assay's own otherwise.
    lazy : bool
        Decode at the percepts met only (linear policies; same bits).
    count : (R,) int64
        Agents alive in each replicate.
    genes : (R, N, L) float32
        Expressed gene values.
    payoff : (R, N) float64
        Overwritten: payoff summed over the life.
    acts : (R, N, T * A) uint16 or uint32
        Overwritten: how often each action was done at each tracked (context, percept); T = 0
        switches it off.
    context_payoff : (blocks, C) float64
        Overwritten: payoff summed over the block's episodes in each variant.
    context_episodes : (blocks, C) int64
        Overwritten.
    """
    agents = genes.shape[1]
    per = (agents + LANES - 1) // LANES
    actions, outputs = world.actions, world.outputs
    features, percepts = world.cues.shape
    tracked = acts.shape[2] > 0
    following, cdf, payoffs = world.following, world.cdf, world.payoff
    starts, start_cdf, parameters = world.start, world.start_cdf, world.parameters
    percept_of, track, once, cues = world.percept, world.track, world.once, world.cues
    states, outcomes, flags = start_cdf.shape[1], world.outcomes, world.flags
    steps, episodes = world.steps, world.episodes
    context_cdf, part_ends = schedule.cdf, schedule.ends
    last_row, last_part = context_cdf.shape[1] - 1, part_ends.size - 1
    coded = following.size == 0
    simple = outcomes == 1 and flags == 0 and not coded
    rows = 0 if lazy else percepts
    preference = np.empty((outputs, rows), np.float32)
    table = np.empty((actions - 1, rows), np.float32)
    # Percept by percept, so that one decision reads neighbouring entries.
    cum = np.empty((LANES, rows, actions - 1), np.float32)
    padded = 8 * ((features + 7) // 8) if lazy else 0
    met = np.zeros(outputs * LANES, np.float32)
    weights = np.zeros(outputs * padded * LANES, np.float32)
    scale = np.ones(LANES, np.float32)
    words = np.empty((4, LANES), np.uint64)
    u = np.zeros((4, LANES), np.float32)
    flat_u = u.reshape(-1)
    act = np.zeros(LANES, np.uint32)
    live = np.zeros(LANES, np.int64)
    # Unsigned where an index is looked up: a signed one is first tested for wrapping around.
    cs = np.zeros(LANES, np.uint64)
    # Acts of the lanes' agents; the first slot counts what is not tracked.
    kinds = acts.shape[2]
    tally = np.zeros(LANES * (kinds + actions), acts.dtype)
    tally_width = np.uint64(kinds + actions)
    width, choices = np.uint64(actions), np.uint64(actions - 1)
    spread = np.uint64(outcomes)
    flat_cum = cum.reshape(-1)
    cue_rows = np.zeros(percepts * padded if lazy else 0, np.float32)
    for f in range(features if lazy else 0):
        for p in range(percepts):
            cue_rows[p * padded + f] = cues[f, p]
    begun = np.zeros(LANES, np.bool_)
    until = np.zeros(LANES, np.int64)
    episode = np.zeros(LANES, np.int64)
    context = np.zeros(LANES, np.int64)
    earned = np.zeros(LANES, np.float64)
    total = np.zeros(LANES, np.float64)
    taken = np.zeros((LANES, flags), np.bool_)
    for block in range(first, last):
        r = block // per
        base = (block - r * per) * LANES
        key = keys[r]
        lanes = min(LANES, count[r] - base)
        context_payoff[block, :] = 0.0
        context_episodes[block, :] = 0
        if lanes <= 0:
            continue
        for lane in range(lanes):
            i = base + lane
            policy = genes[r, i, mind.policy[0] : mind.policy[1]]
            temperature = _f(mind.temperature)
            if mind.temperature_locus >= 0:
                temperature = genes[r, i, mind.temperature_locus]
            if lazy:
                scale[lane] = LOG2E / temperature
                for k in range(outputs):
                    for f in range(features):
                        weights[(k * padded + f) * LANES + lane] = policy[k * features + f]
            else:
                logits(mind_tag, mind.parameters, policy, cues, preference)
                cumulate(preference, temperature, mind.greedy, table)
                for p in range(percepts):
                    for k in range(actions - 1):
                        cum[lane, p, k] = table[k, p]
            begun[lane] = 0
            episode[lane] = 0
            earned[lane] = 0.0
            total[lane] = 0.0
        if flags > 0:
            taken[:, :] = False
        if tracked:
            tally[:] = 0
        # The choice is wide; draws and moves are not, and leave the lanes behind the last alone.
        used = WIDE * ((lanes + WIDE - 1) // WIDE)
        drawn = min(LANES, 8 * ((lanes + 7) // 8))
        for lane in range(LANES):
            live[lane] = lane < lanes
            if lane >= lanes:
                cs[lane] = np.uint64(0)
                act[lane] = 0
        living = lanes
        beginning = lanes
        decision = 0
        while living > 0:
            q = decision & 3
            if q == 0:
                draw_uniforms(key, generation, base, offset, decision, drawn, words, u)
            for lane in range(lanes if beginning > 0 else 0):
                if begun[lane] or not live[lane]:
                    continue
                begun[lane] = 1
                until[lane] = decision + steps - 1
                place = 0
                if last_row > 0:
                    turn = 0 if world.one_context else episode[lane]
                    v = uniform(key, generation, base + lane, CONTEXT + offset, turn)
                    part = 0
                    while part < last_part and episode[lane] >= part_ends[part]:
                        part += 1
                    while place < last_row and v >= context_cdf[part, place]:
                        place += 1
                context[lane] = place
                start = np.int64(starts[place])
                if start < 0:
                    v = uniform(key, generation, base + lane, START + offset, episode[lane])
                    start = 0
                    while start < states - 1 and v >= start_cdf[place, start]:
                        start += 1
                cs[lane] = np.uint64(place * states + start)
            if beginning > 0:
                soonest = until[:lanes].min()
            beginning = 0
            if lazy:
                choose_met(
                    weights, cue_rows, padded, percept_of, cs, flat_u, decision, scale,
                    mind.greedy, outputs, actions, used, met, act,
                )  # fmt: skip
            else:
                for lane in range(lanes):
                    z = np.uint64(lane) * np.uint64(rows) + np.uint64(percept_of[cs[lane]])
                    x = u[q, lane]
                    action = np.uint64(0)
                    for k in range(actions - 1):
                        action += np.uint64(x >= flat_cum[z * choices + np.uint64(k)])
                    act[lane] = action
            over = decision >= soonest
            if simple:
                over |= move(lanes, actions, act, cs, following, payoffs, track, tally, earned)
            else:
                for lane in range(lanes):
                    if not live[lane]:
                        continue
                    here, gain, entry = cs[lane], 0.0, np.uint64(0)
                    v = uniform(key, generation, base + lane, OUTCOME + offset, decision)
                    if coded:
                        place = context[lane]
                        first_state = place * states
                        state, gain, _, ends = coded_step(
                            world_tag,
                            parameters[place],
                            np.int64(here) - first_state,
                            np.int64(act[lane]),
                            v,
                        )
                        if state < 0 or state >= states:
                            raise IndexError("step gives a state that is none of 0 to states - 1")
                        target = first_state + state
                        if ends:
                            target = -1 - target
                    else:
                        entry = (here * width + np.uint64(act[lane])) * spread
                        for _ in range(outcomes - 1):
                            if v < cdf[entry]:
                                break
                            entry += np.uint64(1)
                        target = np.int64(following[entry])
                        gain = payoffs[entry]
                    if tracked:
                        slot = np.uint64(lane) * tally_width + np.uint64(act[lane])
                        tally[slot + np.uint64(1 + track[here]) * width] += 1
                    if flags > 0 and once[entry] >= 0:
                        if taken[lane, once[entry]]:
                            gain = world.step_payoff
                        taken[lane, once[entry]] = True
                    earned[lane] += gain
                    over |= target < 0
                    cs[lane] = np.uint64(target)
            for lane in range(lanes if over else 0):
                ended = np.int64(cs[lane]) < 0
                if ended:
                    cs[lane] = ~cs[lane]
                if not live[lane] or (not ended and decision < until[lane]):
                    continue
                total[lane] += earned[lane]
                context_payoff[block, context[lane]] += earned[lane]
                context_episodes[block, context[lane]] += 1
                earned[lane] = 0.0
                begun[lane] = 0
                episode[lane] += 1
                beginning += 1
                if episode[lane] == episodes:
                    live[lane] = 0
                    living -= 1
                    until[lane] = NEVER
                    payoff[r, base + lane] = total[lane]
                    counts = lane * (kinds + actions) + actions
                    for k in range(kinds):
                        acts[r, base + lane, k] = tally[counts + k]
            decision += 1
