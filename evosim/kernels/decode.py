"""Decode a genome into a table of preferences per percept: the phenotype.

Two-action policies have one logit, that of the first action; A > 2 actions have A. Loops run
four cues at a time with percepts innermost: they vectorise without compile-time shapes, and four
sums share a load and a store (measured: 1.7 times faster than cue by cue). Sums go in cue order
throughout, so that every way of decoding gives the same bits. The softmax subtracts the largest
logit per percept (adaptations can be arbitrarily strong).
"""

from __future__ import annotations

import numba
import numpy as np
from numba.extending import overload

from evosim.kernels.accelerate import inline, kernel
from evosim.kernels.tags import KernelType, functions_of
from evosim.kernels.vecmath import LOG2E, exp2_32, tanh32

_f = np.float32
#: Agents per block. Vectorised loops over lanes start with run-time checks that their arrays do
#: not overlap; measured per lane and decision of the forager, 16 lanes: 13 ns, 64 lanes: 5 ns.
LANES = 64


def logits(tag, parameters, genes, cues, out):
    """Fill ``out[Q, P]`` with logits; chosen by the mind's tag at compile time."""
    raise TypeError("only inside kernels")  # the overloads below are the implementations


@overload(logits, jit_options={"error_model": "numpy", "forceinline": True})
def _logits(tag, parameters, genes, cues, out):
    if not isinstance(tag, KernelType):
        return None
    if tag.kind == "linear":

        def linear(tag, parameters, genes, cues, out):
            features, percepts = cues.shape
            for q in range(out.shape[0]):
                for p in range(percepts):
                    out[q, p] = _f(0.0)
                f = 0
                while f + 4 <= features:
                    w0 = genes[q * features + f]
                    w1 = genes[q * features + f + 1]
                    w2 = genes[q * features + f + 2]
                    w3 = genes[q * features + f + 3]
                    for p in range(percepts):
                        x = out[q, p] + w0 * cues[f, p]
                        x += w1 * cues[f + 1, p]
                        x += w2 * cues[f + 2, p]
                        out[q, p] = x + w3 * cues[f + 3, p]
                    f += 4
                while f < features:
                    w0 = genes[q * features + f]
                    for p in range(percepts):
                        out[q, p] += w0 * cues[f, p]
                    f += 1

        return linear
    if tag.kind == "mlp":

        def mlp(tag, parameters, genes, cues, out):
            features, percepts = cues.shape
            outputs = out.shape[0]
            hidden = (genes.size - outputs) // (features + 1 + outputs)
            b1 = hidden * features
            w2 = b1 + hidden
            b2 = w2 + outputs * hidden
            unit = np.empty(percepts, np.float32)
            for q in range(outputs):
                for p in range(percepts):
                    out[q, p] = genes[b2 + q]
            for h in range(hidden):
                for p in range(percepts):
                    unit[p] = genes[b1 + h]
                for f in range(features):
                    w = genes[h * features + f]
                    for p in range(percepts):
                        unit[p] += w * cues[f, p]
                for p in range(percepts):
                    unit[p] = tanh32(unit[p])
                for q in range(outputs):
                    w = genes[w2 + q * hidden + h]
                    for p in range(percepts):
                        out[q, p] += w * unit[p]

        return mlp
    function = numba.njit(error_model="numpy")(functions_of(tag)["logits"])

    def user(tag, parameters, genes, cues, out):
        features, percepts = cues.shape
        cue = np.empty(features, np.float32)
        preference = np.empty(out.shape[0], np.float32)
        for p in range(percepts):
            for f in range(features):
                cue[f] = cues[f, p]
            function(parameters, genes, cue, preference)
            for q in range(out.shape[0]):
                out[q, p] = preference[q]

    return user


@inline
def cumulate(preference, temperature, greedy, cum):
    """Turn logits into cumulative probabilities, percept by percept.

    Parameters
    ----------
    preference : (Q, P) float32
        Logits; overwritten.
    temperature : float32
    greedy : bool
        The largest logit gets probability 1 (the first of equals).
    cum : (A - 1, P) float32
        Overwritten: probability of any action up to this one.
    """
    outputs, percepts = preference.shape
    actions = cum.shape[0] + 1
    if greedy:
        for p in range(percepts):
            best = 0
            if outputs == 1:
                best = 0 if preference[0, p] >= _f(0.0) else 1
            else:
                for q in range(1, outputs):
                    if preference[q, p] > preference[best, p]:
                        best = q
            for k in range(actions - 1):
                cum[k, p] = _f(1.0) if k >= best else _f(0.0)
        return
    scale = LOG2E / temperature
    if outputs == 1:
        for p in range(percepts):
            x = preference[0, p] * scale
            e = exp2_32(-abs(x))
            small = e / (_f(1.0) + e)
            cum[0, p] = _f(1.0) - small if x >= _f(0.0) else small
        return
    top = np.empty(percepts, np.float32)
    for p in range(percepts):
        top[p] = preference[0, p]
    for q in range(1, outputs):
        for p in range(percepts):
            top[p] = max(top[p], preference[q, p])
    total = np.zeros(percepts, np.float32)
    for q in range(outputs):
        for p in range(percepts):
            total[p] += exp2_32((preference[q, p] - top[p]) * scale)
            preference[q, p] = total[p]
    for p in range(percepts):
        total[p] = _f(1.0) / total[p]
    for k in range(actions - 1):
        for p in range(percepts):
            cum[k, p] = min(preference[k, p] * total[p], _f(1.0))


@kernel
def decode_population(
    first, last, tag, parameters, genes, policy, temperature, cues, greedy, outputs, logit, prob
):
    """Decode every agent of the blocks (replicates) first..last-1 for the observer.

    Parameters
    ----------
    genes : (R, N, L) float32
        Expressed gene values.
    policy : (2,) int64
        First locus of the policy gene and one past its last.
    temperature : (R, N) float32
    cues : (F, P) float32
        Percepts to decode at, one per column.
    outputs : int
        Logits per percept: 1 for two actions, else the number of actions.
    logit : (R, N, Q, P) float32
        Overwritten: logits before temperature.
    prob : (R, N, A, P) float64
        Overwritten: action probabilities.
    """
    actions = prob.shape[2]
    percepts = cues.shape[1]
    preference = np.empty((outputs, percepts), np.float32)
    cum = np.empty((actions - 1, percepts), np.float32)
    for r in range(first, last):
        for i in range(genes.shape[1]):
            logits(tag, parameters, genes[r, i, policy[0] : policy[1]], cues, preference)
            for q in range(outputs):
                for p in range(percepts):
                    logit[r, i, q, p] = preference[q, p]
            cumulate(preference, temperature[r, i], greedy, cum)
            for p in range(percepts):
                before = 0.0
                for a in range(actions - 1):
                    prob[r, i, a, p] = cum[a, p] - before
                    before = np.float64(cum[a, p])
                prob[r, i, actions - 1, p] = 1.0 - before
