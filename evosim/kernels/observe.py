"""Exact behaviour of given policies by forward propagation; moves no agent, draws nothing."""

from __future__ import annotations

import numpy as np

from evosim.kernels.accelerate import kernel


@kernel
def propagate(first, last, steps, start, percept, following, chance, value, target, prob, out):
    """Follow the distribution over states of an episode for the agents first..last-1.

    Parameters
    ----------
    steps : int
    start : (S,) float64
    percept : (S,) int32
    following : (S, A, K) int32
        Next state, or -1 - next where the episode ends.
    chance : (S, A, K) float64
        Probability of each outcome.
    value : (S, A, K) float64
        What is summed over the episode (payoff, or the observer's goal).
    target : (S,) uint8
        With any entry set, `out` is the probability of entering such a state instead.
    prob : (n, A, P) float64
        Action probabilities at each percept.
    out : (n,) float64
        Overwritten.
    """
    states, actions, outcomes = following.shape
    reaching = np.any(target != 0)
    here = np.empty(states, np.float64)
    there = np.empty(states, np.float64)
    for i in range(first, last):
        here[:] = start
        total = 0.0
        for _ in range(steps):
            there[:] = 0.0
            left = 0.0
            for s in range(states):
                if here[s] == 0.0:
                    continue
                for a in range(actions):
                    mass = here[s] * prob[i, a, percept[s]]
                    if mass == 0.0:
                        continue
                    for k in range(outcomes):
                        m = mass * chance[s, a, k]
                        nxt = following[s, a, k]
                        ends = nxt < 0
                        nxt = -1 - nxt if ends else nxt
                        if reaching:
                            if target[nxt] and nxt != s:
                                total += m
                                continue
                        else:
                            total += m * value[s, a, k]
                        if not ends:
                            there[nxt] += m
                            left += m
            here[:] = there
            if left == 0.0:
                break
        out[i] = total
