"""Expected visits and acts of given policies by forward propagation; moves no agent."""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import kernel

#: Agents per block; fixed, so that sums do not depend on the number of threads.
BLOCK = 64


@kernel
def visits(first, last, steps, start, row, following, chance, worth, prob, met, acts, worths):
    """Follow the distribution over states of an episode for the agents of blocks first..last-1.

    Parameters
    ----------
    steps : int
        Longest episode.
    start : (S,) float64
    row : (S,) int64
        Index of each state's percept among the P of `prob`; read where an episode can be.
    following : (S, A, K) int32
        Next state, or -1 - next where the episode ends.
    chance : (S, A, K) float64
        Probability of each outcome.
    worth : (T, S, A) float64
        Value of each action with 1..T steps left; with more steps left, the last layer.
    prob : (n, A, P) float64
        Action probabilities of each agent at each percept.
    met : (blocks, P) float64
        Overwritten: expected visits per episode, summed over the block's agents.
    acts, worths : (blocks, P, A) float64
        Overwritten: visits times the probability of each action; visits times its value.
    """
    states, actions, outcomes = following.shape
    agents = prob.shape[0]
    layers = worth.shape[0]
    here = np.empty(states, np.float64)
    there = np.empty(states, np.float64)
    for block in range(first, last):
        met[block] = 0.0
        acts[block] = 0.0
        worths[block] = 0.0
        for i in range(block * BLOCK, min(agents, (block + 1) * BLOCK)):
            here[:] = start
            for t in range(steps):
                layer = min(steps - t, layers) - 1
                there[:] = 0.0
                left = 0.0
                for s in range(states):
                    if here[s] == 0.0:
                        continue
                    p = row[s]
                    met[block, p] += here[s]
                    for a in range(actions):
                        mass = here[s] * prob[i, a, p]
                        acts[block, p, a] += mass
                        worths[block, p, a] += here[s] * worth[layer, s, a]
                        for k in range(outcomes):
                            following_state = following[s, a, k]
                            if following_state >= 0:
                                there[following_state] += mass * chance[s, a, k]
                                left += mass * chance[s, a, k]
                here[:] = there
                if left == 0.0:
                    break
