"""Minds whose policy over cues is itself what is learned: REINFORCE and Cross.

REINFORCE (Williams 1992): theta += rate * advantage * sum_t grad log pi(a_t | z_t), at the end of
each episode; the reward enters only as a multiplier of the step. Weights are float64 and
generalise over cues. With an entropy bonus tau the return has -tau log pi(a_t | z_t) added for
every step, which on average climbs the return plus tau times the entropy (Williams & Peng 1991).
Cross (1973): on action a with reward u in [0, 1], p_a += rate u (1 - p_a) and
p_b -= rate u p_b for the others, with rate u kept within [0, 1]; float64 probabilities per percept.

Memory of REINFORCE after the head: [returns, squares, episodes, steps logged], V weights, V of a
gradient, P x A probabilities and P x H activations of the present weights, log of (z, a).
Memory of Cross: P x A probabilities.
"""

from __future__ import annotations

import math

from evosim.kernels.accelerate import inline_borrowing
from evosim.kernels.mind import (
    BASELINE,
    ENTROPY,
    EVERYWHERE,
    GREEDY,
    HEAD,
    HERE,
    NOWHERE,
    RATE,
    TEMPERATURE,
    implements,
    set_numbers,
)

_RETURNS, _SQUARES, _EPISODES, _LOGGED, _TOTAL = HEAD, HEAD + 1, HEAD + 2, HEAD + 3, HEAD + 4
_WEIGHTS = HEAD + 5


def reinforce_size(policy_loci: int, percepts: int, actions: int, hidden: int, steps: int) -> int:
    """Return the length of REINFORCE's memory."""
    return _WEIGHTS + 2 * policy_loci + percepts * (actions + max(hidden, 1)) + 2 * steps


@inline_borrowing
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
    if outputs == 1 and out.size == 2:
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


@inline_borrowing
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


@inline_borrowing
def _places(mind, world):
    """Return where gradient, probabilities, activations and log stand in the memory."""
    loci = mind.policy[1] - mind.policy[0]
    percepts = world.cues.shape[1]
    gradient = _WEIGHTS + loci
    table = gradient + loci
    units = table + percepts * world.actions
    return loci, gradient, table, units, units + percepts * max(mind.hidden, 1)


@implements("reinforce")
def reinforce_awaken(tag, mind, world, genes, memory):
    """Weights from the gene `policy`."""
    set_numbers(mind, genes, memory)
    memory[_RETURNS:_WEIGHTS] = 0.0
    for w in range(mind.policy[1] - mind.policy[0]):
        memory[_WEIGHTS + w] = genes[mind.policy[0] + w]


@implements("reinforce")
def reinforce_prefer(tag, mind, world, memory, z, prob):
    """Softmax over the logits; kept for the gradient at the episode's end."""
    _, gradient, table, units, _ = _places(mind, world)
    width = max(mind.hidden, 1)
    softmax64(
        memory[_WEIGHTS:gradient],
        mind.hidden,
        world.cues,
        z,
        world.outputs,
        memory[TEMPERATURE],
        mind.choice == GREEDY,
        memory[units + z * width : units + (z + 1) * width],
        prob,
    )
    for a in range(world.actions):
        memory[table + z * world.actions + a] = prob[a]


@implements("reinforce")
def reinforce_observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Log the step; nothing changes before the episode's end."""
    log = _places(mind, world)[4]
    at = log + 2 * int(memory[_LOGGED])
    memory[at] = z
    memory[at + 1] = action
    memory[_LOGGED] += 1.0
    memory[_TOTAL] += reward
    return 0.0, NOWHERE


@implements("reinforce")
def reinforce_finish(tag, mind, world, memory):
    """Move the weights along the log's gradient, by the return as `advantage` says."""
    loci, gradient, table, units, log = _places(mind, world)
    total, episode = memory[_TOTAL], memory[_EPISODES]
    lived = int(memory[_LOGGED])
    if memory[ENTROPY] != 0.0:
        for t in range(lived):
            done = table + int(memory[log + 2 * t]) * world.actions + int(memory[log + 2 * t + 1])
            # Rounding may let the last action be done although its probability is 0.
            total -= memory[ENTROPY] * math.log(max(memory[done], 1e-300))
    advantage = total - memory[BASELINE]
    if mind.advantage > 0 and episode > 0:
        advantage = total - memory[_RETURNS] / episode
    memory[_RETURNS] += total
    memory[_SQUARES] += total * total
    memory[_EPISODES] += 1.0
    memory[_LOGGED] = 0.0
    memory[_TOTAL] = 0.0
    if mind.advantage == 2:
        size = math.sqrt(memory[_SQUARES] / (episode + 1))
        advantage = advantage / size if size > 0.0 else 0.0
    step_size = memory[RATE] * advantage
    if step_size == 0.0:
        return 0.0, NOWHERE
    width = max(mind.hidden, 1)
    memory[gradient : gradient + loci] = 0.0
    for t in range(lived):
        z = int(memory[log + 2 * t])
        add_gradient(
            memory[_WEIGHTS:gradient],
            mind.hidden,
            world.cues,
            z,
            int(memory[log + 2 * t + 1]),
            world.outputs,
            memory[TEMPERATURE],
            memory[units + z * width : units + (z + 1) * width],
            memory[table + z * world.actions : table + (z + 1) * world.actions],
            memory[gradient : gradient + loci],
        )
    square = 0.0
    for w in range(loci):
        step = step_size * memory[gradient + w]
        memory[_WEIGHTS + w] += step
        square += step * step
    return math.sqrt(square), EVERYWHERE


@implements("reinforce")
def reinforce_report(tag, mind, world, memory, out):
    """Write the policy's weights."""
    for w in range(mind.policy[1] - mind.policy[0]):
        out[w] = memory[_WEIGHTS + w]


def cross_size(policy_loci: int, percepts: int, actions: int, hidden: int) -> int:
    """Return the length of Cross's memory."""
    return HEAD + percepts * actions + policy_loci + max(hidden, 1)


@implements("cross")
def cross_awaken(tag, mind, world, genes, memory):
    """Probabilities at every percept from the gene `policy`."""
    set_numbers(mind, genes, memory)
    percepts, actions = world.cues.shape[1], world.actions
    loci = mind.policy[1] - mind.policy[0]
    weights = HEAD + percepts * actions
    for w in range(loci):
        memory[weights + w] = genes[mind.policy[0] + w]
    for z in range(percepts):
        softmax64(
            memory[weights : weights + loci],
            mind.hidden,
            world.cues,
            z,
            world.outputs,
            memory[TEMPERATURE],
            mind.choice == GREEDY,
            memory[weights + loci :],
            memory[HEAD + z * actions : HEAD + (z + 1) * actions],
        )


@implements("cross")
def cross_prefer(tag, mind, world, memory, z, prob):
    """Read the probabilities at z."""
    for a in range(world.actions):
        prob[a] = memory[HEAD + z * world.actions + a]


@implements("cross")
def cross_observe(tag, mind, world, memory, z, action, reward, following, outcome, prob):
    """Move towards the action done, in proportion to the reward."""
    # In this order the probabilities sum to 1 up to rounding at every step. A rate that mutated
    # out of [0, 1] must not take them out of it as well.
    move = min(max(memory[RATE] * reward, 0.0), 1.0)
    first = HEAD + z * world.actions
    moved = move * (1.0 - memory[first + action])
    for a in range(world.actions):
        if a == action:
            memory[first + a] += move * (1.0 - memory[first + a])
        else:
            memory[first + a] -= move * memory[first + a]
    return moved, HERE


@implements("cross")
def cross_finish(tag, mind, world, memory):
    """Nothing happens at the end of an episode."""
    return 0.0, NOWHERE
