"""Life with a learning rule: REINFORCE at the end of each episode, or Cross at every step.

REINFORCE (Williams 1992): theta += rate * advantage * sum_t grad log pi(a_t | z_t); the reward
enters only as a multiplier of the step. Weights are float64 and generalise over cues.
Cross (1973): on action a with reward u in [0, 1], p_a += rate u (1 - p_a) and
p_b -= rate u p_b for the others, with rate u kept within [0, 1]; float64 probabilities per percept.
Learned state starts from the genome at birth and dies with the agent.
"""

from __future__ import annotations

import math

import numpy as np

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.life import coded_step
from evosim.kernels.philox import ACTION, CONTEXT, OUTCOME, START, philox, uniform

REINFORCE = 1
CROSS = 2


@inline
def softmax64(weights, hidden, cues, z, outputs, temperature, greedy, unit, out):
    """Fill ``out[:A]`` with action probabilities at percept z.

    Parameters
    ----------
    weights : (L,) float64
        Linear: Q x F; with `hidden` > 0 the loci of the multilayer perceptron.
    hidden : int
        Number of tanh units, 0 for a linear policy.
    unit : (max(hidden, 1),) float64
        Overwritten: hidden activations.
    out : (A,) float64
        Overwritten.
    """
    features = cues.shape[0]
    first = 0
    for h in range(hidden):
        x = weights[hidden * features + h]
        for f in range(features):
            x += weights[h * features + f] * cues[f, z]
        unit[h] = math.tanh(x)
    if hidden > 0:
        first = hidden * (features + 1)
    for q in range(outputs):
        x = 0.0
        if hidden > 0:
            x = weights[first + outputs * hidden + q]
            for h in range(hidden):
                x += weights[first + q * hidden + h] * unit[h]
        else:
            for f in range(features):
                x += weights[q * features + f] * cues[f, z]
        out[q] = x / temperature
    if outputs == 1:
        x = out[0]
        if greedy:
            out[0] = 1.0 if x >= 0.0 else 0.0
        else:
            out[0] = 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0
        out[1] = 1.0 - out[0]
        return
    top = out[0]
    best = 0
    for q in range(1, outputs):
        if out[q] > top:
            top = out[q]
            best = q
    total = 0.0
    for q in range(outputs):
        out[q] = (1.0 if q == best else 0.0) if greedy else math.exp(out[q] - top)
        total += out[q]
    for q in range(outputs):
        out[q] /= total


@inline
def add_gradient(weights, hidden, cues, z, action, outputs, temperature, unit, prob, gradient):
    """Add grad log pi(action | z) to `gradient`; `unit` and `prob` are those at z."""
    features = cues.shape[0]
    first = hidden * (features + 1)
    for q in range(outputs):
        d = ((1.0 if q == action else 0.0) - prob[q]) / temperature
        if hidden == 0:
            for f in range(features):
                gradient[q * features + f] += d * cues[f, z]
            continue
        gradient[first + outputs * hidden + q] += d
        for h in range(hidden):
            gradient[first + q * hidden + h] += d * unit[h]
            back = d * weights[first + q * hidden + h] * (1.0 - unit[h] * unit[h])
            gradient[hidden * features + h] += back
            for f in range(features):
                gradient[h * features + f] += back * cues[f, z]


@inline
def choose(prob, actions, word):
    """Return the action whose cumulative probability first exceeds the word's uniform."""
    u = np.float64(word) * 2.3283064365386963e-10
    total = 0.0
    for a in range(actions - 1):
        total += prob[a]
        if u < total:
            return a
    return actions - 1


@kernel
def live_and_learn(
    first,
    last,
    world_tag,
    world,
    mind,
    hidden,
    context_cdf,
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
):
    """Live the lives of the agents first..last-1 (flattened replicate x agent).

    Parameters are those of `evosim.kernels.life.live`, except:

    hidden : int
        tanh units of the policy, 0 if linear.
    context_payoff : (R * N, C) float64
        Overwritten, one row per agent.
    context_episodes : (R * N, C) int64
        Overwritten.
    born, learned : (R, N, V) float64
        Overwritten: learned state at birth and at death; REINFORCE: the policy's weights;
        Cross: action probabilities per percept, percept by percept.
    """
    agents = genes.shape[1]
    actions, outputs = world.actions, world.outputs
    percepts = world.cues.shape[1]
    following, cdf, payoffs, rewards = world.following, world.cdf, world.payoff, world.reward
    starts, start_cdf, parameters = world.start, world.start_cdf, world.parameters
    percept_of, track, once, cues = world.percept, world.track, world.once, world.cues
    states, outcomes, flags = start_cdf.shape[1], world.outcomes, world.flags
    steps, episodes = world.steps, world.episodes
    coded = following.size == 0
    policy_loci = mind.policy[1] - mind.policy[0]
    weights = np.empty(policy_loci, np.float64)
    gradient = np.empty(policy_loci, np.float64)
    unit = np.zeros(max(hidden, 1), np.float64)
    prob = np.empty(actions, np.float64)
    # Probabilities are kept per percept until the next update makes them stale.
    table = np.empty((percepts, actions), np.float64)
    units = np.zeros((percepts, max(hidden, 1)), np.float64)
    fresh = np.zeros(percepts, np.int64)
    log = np.empty((steps, 2), np.int64)
    taken = np.zeros(flags, np.bool_)
    for flat in range(first, last):
        r = flat // agents
        i = flat - r * agents
        context_payoff[flat, :] = 0.0
        context_episodes[flat, :] = 0
        if i >= count[r]:
            continue
        key = keys[r]
        rate = mind.rate
        if mind.rate_locus >= 0:
            rate = np.float64(genes[r, i, mind.rate_locus])
        temperature = mind.temperature
        if mind.temperature_locus >= 0:
            temperature = np.float64(genes[r, i, mind.temperature_locus])
        for w in range(policy_loci):
            weights[w] = np.float64(genes[r, i, mind.policy[0] + w])
        payoff[r, i] = 0.0
        acts[r, i, :] = 0
        taken[:] = False
        version = 1
        fresh[:] = 0
        if mind.rule == CROSS:
            for z in range(percepts):
                softmax64(weights, hidden, cues, z, outputs, temperature, mind.greedy, unit, prob)
                for a in range(actions):
                    table[z, a] = prob[a]
                    born[r, i, z * actions + a] = prob[a]
                fresh[z] = version
        else:
            for w in range(policy_loci):
                born[r, i, w] = weights[w]
        returns = 0.0
        squares = 0.0
        decision = 0
        words = (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))
        for episode in range(episodes):
            context = 0
            if context_cdf.size > 1:
                v = uniform(key, generation, i, CONTEXT + offset, episode)
                while context < context_cdf.size - 1 and v >= context_cdf[context]:
                    context += 1
            start = np.int64(starts[context])
            if start < 0:
                v = uniform(key, generation, i, START + offset, episode)
                start = 0
                while start < states - 1 and v >= start_cdf[context, start]:
                    start += 1
            cs = context * states + start
            lived = 0
            earned = 0.0
            total = 0.0
            for _ in range(steps):
                quarter = decision & 3
                if quarter == 0:
                    words = philox(key, generation, i, ACTION + offset, decision >> 2)
                z = percept_of[cs]
                if fresh[z] != version:
                    softmax64(
                        weights,
                        hidden,
                        cues,
                        z,
                        outputs,
                        temperature,
                        mind.greedy,
                        unit,
                        prob,
                    )
                    table[z, :] = prob
                    units[z, :] = unit
                    fresh[z] = version
                word = words[0]
                if quarter == 1:
                    word = words[1]
                elif quarter == 2:
                    word = words[2]
                elif quarter == 3:
                    word = words[3]
                action = choose(table[z], actions, word)
                if acts.shape[2] > 0 and track[cs] >= 0:
                    acts[r, i, track[cs] * actions + action] += 1
                v = 0.0
                if outcomes > 1 or coded:
                    v = uniform(key, generation, i, OUTCOME + offset, decision)
                entry = 0
                if coded:
                    state, gain, reward, ends = coded_step(
                        world_tag, parameters[context], cs - context * states, action, v
                    )
                    if state < 0 or state >= states:
                        raise IndexError("step gives a state that is none of 0 to states - 1")
                    entered = context * states + state
                    if ends:
                        entered = -1 - entered
                else:
                    entry = (cs * actions + action) * outcomes
                    for _ in range(outcomes - 1):
                        if v < cdf[entry]:
                            break
                        entry += 1
                    entered = np.int64(following[entry])
                    gain = payoffs[entry]
                    reward = rewards[entry]
                if flags > 0 and once[entry] >= 0:
                    if taken[once[entry]]:
                        gain = world.step_payoff
                        reward = world.step_reward
                    taken[once[entry]] = True
                earned += gain
                total += reward
                decision += 1
                log[lived, 0] = z
                log[lived, 1] = action
                lived += 1
                if mind.rule == CROSS:
                    # In this order the probabilities sum to 1 up to rounding at every step. A rate
                    # that mutated out of [0, 1] must not take them out of it as well.
                    move = min(max(rate * reward, 0.0), 1.0)
                    for a in range(actions):
                        if a == action:
                            table[z, a] += move * (1.0 - table[z, a])
                        else:
                            table[z, a] -= move * table[z, a]
                if entered < 0:
                    break
                cs = entered
            payoff[r, i] += earned
            context_payoff[flat, context] += earned
            context_episodes[flat, context] += 1
            if mind.rule != REINFORCE:
                continue
            advantage = total
            if mind.advantage > 0 and episode > 0:
                advantage = total - returns / episode
            returns += total
            squares += total * total
            if mind.advantage == 2:
                size = math.sqrt(squares / (episode + 1))
                advantage = advantage / size if size > 0.0 else 0.0
            step_size = rate * advantage
            if step_size == 0.0:
                continue
            gradient[:] = 0.0
            for t in range(lived):
                z = log[t, 0]
                add_gradient(
                    weights,
                    hidden,
                    cues,
                    z,
                    log[t, 1],
                    outputs,
                    temperature,
                    units[z],
                    table[z],
                    gradient,
                )
            for w in range(policy_loci):
                weights[w] += step_size * gradient[w]
            version += 1
        if mind.rule == CROSS:
            for z in range(percepts):
                for a in range(actions):
                    learned[r, i, z * actions + a] = table[z, a]
        else:
            for w in range(policy_loci):
                learned[r, i, w] = weights[w]
