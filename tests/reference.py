"""The kernels of life again in plain Python: readable, slow, one agent at a time.

Draws come from Philox written with Python's integers and the same counters, so that even what is
random is compared draw by draw. float32 is computed with NumPy, one rounding per operation:
where the kernels do the same operations the bits must be equal, elsewhere the decisions.
"""

from __future__ import annotations

import bisect
import itertools
import math
from fractions import Fraction

import numpy as np

from evosim.kernels import landscape, philox

f32 = np.float32
WORD = 0xFFFFFFFF


# Draws


def words(key, generation, agent, purpose, draw):
    """Philox4x32-10 (Salmon et al. 2011, figure 4): four 32-bit integers."""
    key = int(key)
    k0, k1 = key & WORD, key >> 32
    c = [int(x) & WORD for x in (generation, agent, purpose, draw)]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & WORD, p0 >> 32 ^ c[3] ^ k1, p0 & WORD]
        k0, k1 = k0 + 0x9E3779B9 & WORD, k1 + 0xBB67AE85 & WORD
    return c


def uniform(key, generation, agent, purpose, draw):
    """53 random bits as a float in [0, 1)."""
    high, low, _, _ = words(key, generation, agent, purpose, draw)
    return ((high << 32 | low) >> 11) / 2**53


def normals(key, generation, agent, purpose, first, n):
    """Standard normals in the kernels' order: per draw sine and cosine of two angles."""
    blocks = -(-n // 4)
    drawn = [words(key, generation, agent, purpose, first + b) for b in range(blocks)]
    w = np.array(drawn, np.uint64).reshape(-1, 4).T
    out = []
    for length, angle in ((w[0], w[1]), (w[2], w[3])):
        r = radius(length)
        s, c = sincos(angle)
        out += [r * s, r * c]
    return np.stack(out, axis=1).ravel()[:n]


# Single precision


def exp32(x):
    x = np.minimum(np.maximum(np.asarray(x, f32), f32(-87)), f32(88))
    n = (x * f32(1.44269504) + f32(12582912.0)) - f32(12582912.0)
    r = x - n * f32(0.693359375)
    r = r + n * f32(2.12194440e-4)
    p = f32(1.9875691500e-4)
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + f32(c)
    return np.ldexp(p * r * r + r + f32(1), n.astype(np.int32))


def exp2_32(x):
    x = np.maximum(np.asarray(x, f32), f32(-125))
    n = (x + f32(12582912.0)) - f32(12582912.0)
    r = x - n
    p = f32(1.326472731307149e-3)
    for c in (9.671512991189957e-3, 5.550733581185341e-2, 2.4022242426872253e-1,
              6.931470036506653e-1, 1.0):  # fmt: skip
        p = fused(p, r, c)
    return np.ldexp(p, n.astype(np.int32))


def exp64(x):
    """e^x for one float x <= 0: 2^n times a polynomial in what is left of x."""
    if x < -708:
        return 0.0
    n = fused64(x, 1.4426950408889634, 1.5 * 2**52) - 1.5 * 2**52
    r = fused64(n, -1.9082149292705877e-10, fused64(n, -0.6931471803691238, x))
    c = (
        0.5000000000000001, 0.16666666666666669, 0.04166666666662416, 0.008333333333330063,
        0.0013888888917199863, 0.00019841269863042963, 2.4801521317484083e-05,
        2.7557268476553695e-06, 2.7620078203806394e-07, 2.5100377619606372e-08,
    )  # fmt: skip
    pair = [fused64(odd, r, even) for even, odd in zip(c[::2], c[1::2], strict=True)]
    r2 = r * r
    upper = fused64(pair[4], r2 * r2, fused64(pair[3], r2, pair[2]))
    p = fused64(upper, r2 * r2, fused64(pair[1], r2, pair[0]))
    return math.ldexp(fused64(r2, p, r) + 1.0, int(n))


def fused64(x, y, z):
    """x y + z rounded to float64 once."""
    return float(Fraction(x) * Fraction(y) + Fraction(z))


def tanh32(x):
    e = exp32(f32(-2) * np.abs(x))
    y = (f32(1) - e) / (f32(1) + e)
    return np.where(x >= 0, y, -y)


def minus_two_log(x):
    m, e = np.frexp(np.asarray(x, f32))
    small = m < f32(0.707106781)
    m = np.where(small, m + m, m) - f32(1)
    k = (e - small).astype(f32)
    p = f32(-0.1744472086429596)
    for c in (
        0.28733694553375244, -0.2990453243255615, 0.33124783635139465, -0.39913666248321533,
        0.5000414848327637, -0.6666837334632874, 0.9999997615814209, -2.0,
    ):  # fmt: skip
        p = fused(p, m, c)
    return fused(k, f32(-1.3862943611198906), p * m)


def fused(x, y, z):
    """x y + z rounded to float32 once (products of float32 are exact in float64)."""
    return (np.asarray(x, float) * y + np.asarray(f32(z), float)).astype(f32)


def radius(word):
    u = (word >> np.uint64(1)).astype(f32) * f32(2**-31) + f32(2**-32)
    return np.sqrt(minus_two_log(np.minimum(u, f32(1))))


def sincos(word):
    """Sine and cosine of the turn word / 2^32, less an eighth of a turn."""
    quadrant = word >> np.uint64(30)
    within = (word & np.uint64(2**30 - 1)).astype(np.int32) - np.int32(2**29)
    x = within.astype(f32) * f32(math.pi / 2**31)
    z = x * x
    s = fused(z, f32(-1.9515295891e-4), 8.3321608736e-3)
    s = fused(fused(s, z, -1.6666654611e-1) * z, x, x)
    c = fused(z, f32(2.443315711809948e-5), -1.388731625493765e-3)
    c = fused(c, z, 4.166664568298827e-2)
    c = fused(c * z, z, fused(z, f32(-0.5), 1.0))
    sine = np.select([quadrant == 0, quadrant == 1, quadrant == 2], [s, c, -s], -c)
    cosine = np.select([quadrant == 0, quadrant == 1, quadrant == 2], [c, -s, -c], s)
    return sine, cosine


# Decoding


def linear(genes, cues, outputs):
    """Logits (Q, P): sums in cue order, each product and sum rounded to float32."""
    w = np.asarray(genes, f32).reshape(outputs, -1)
    out = np.zeros((outputs, cues.shape[1]), f32)
    for f in range(cues.shape[0]):
        out = out + w[:, f : f + 1] * cues[f]
    return out


def perceptron(genes, cues, outputs):
    """Logits (Q, P) of one layer of tanh units."""
    hidden = (len(genes) - outputs) // (len(cues) + 1 + outputs)
    w1, b1, w2, b2 = np.split(
        np.asarray(genes, f32),
        np.cumsum([hidden * len(cues), hidden, outputs * hidden]),
    )
    out = np.repeat(b2[:, None], cues.shape[1], 1)
    for h in range(hidden):
        unit = np.full(cues.shape[1], b1[h], f32)
        for f in range(len(cues)):
            unit = unit + w1[h * len(cues) + f] * cues[f]
        out = out + w2.reshape(outputs, hidden)[:, h : h + 1] * tanh32(unit)
    return out


def cumulative(logit, temperature, greedy, actions):
    """Cumulative probabilities (A - 1, P) from logits (Q, P)."""
    if greedy:
        best = logit.argmax(axis=0) if len(logit) > 1 else np.where(logit[0] >= 0, 0, 1)
        return (np.arange(actions - 1)[:, None] >= best).astype(f32)
    scale = f32(1.44269504) / f32(temperature)
    if len(logit) == 1:
        e = exp2_32(-np.abs(logit * scale))
        small = e / (f32(1) + e)
        return np.where(logit * scale >= 0, f32(1) - small, small)
    total = np.zeros(logit.shape[1], f32)
    rows = []
    for row in logit:
        total = total + exp2_32((row - logit.max(axis=0)) * scale)
        rows.append(total)
    return np.minimum(np.array(rows[: actions - 1]) * (f32(1) / total), f32(1))


# Life


def row_of(context_cdf, episode):
    """An episode's cumulative frequencies: one row for all, or [(episodes, row), ...] in order."""
    if not isinstance(context_cdf[0], tuple):
        return context_cdf
    for episodes, row in context_cdf:
        if episode < episodes:
            return row
        episode -= episodes
    return context_cdf[-1][1]


def begin(world, context_cdf, key, generation, agent, offset, episode):
    """Context and flattened start state of an episode."""
    context = 0
    context_cdf = row_of(context_cdf, episode)
    if len(context_cdf) > 1:
        u = uniform(key, generation, agent, philox.CONTEXT + offset, episode)
        context = min(bisect.bisect_right(list(context_cdf), u), len(context_cdf) - 1)
    state = int(world.start[context])
    if state < 0:
        u = uniform(key, generation, agent, philox.START + offset, episode)
        state = bisect.bisect_right(list(world.start_cdf[context]), u)
    return context, context * world.start_cdf.shape[1] + state


def outcome(world, cs, action, u):
    """Next state (or -1 - next), payoff, reward and the index of the table's entry."""
    first = (cs * world.actions + action) * world.outcomes
    row = list(world.cdf[first : first + world.outcomes])
    entry = first + min(bisect.bisect_right(row, u), world.outcomes - 1)
    return int(world.following[entry]), world.payoff[entry], world.reward[entry], entry


def entered(world, following):
    """The percept that follows (None where the episode ends) and the number of the place."""
    if following >= 0:
        return int(world.percept[following]), int(world.percept[following])
    return None, world.cues.shape[1] + (-1 - following) % world.start_cdf.shape[1]


def live(world, policy, context_cdf, key, generation, agent, offset=0, learner=None):
    """One agent's life.

    `policy(z, word)` returns the action at percept z. A learner is told of every step, with the
    percept that follows (None at the end) and the place entered (the percept, or P + state at the
    end), with full feedback of what each other action would have led to, and of the end of every
    episode. Returns acts (slot, action), and per episode (decisions
    made so far, context, payoff).
    """
    acts, episodes, taken = [], [], set()
    decision = 0
    for episode in range(world.episodes):
        context, cs = begin(world, context_cdf, key, generation, agent, offset, episode)
        earned = 0.0
        for _ in range(world.steps):
            w = words(key, generation, agent, philox.ACTION + offset, decision >> 2)
            z = int(world.percept[cs])
            action = policy(z, w[decision & 3])
            if world.track[cs] >= 0:
                acts.append((int(world.track[cs]), action))
            u = uniform(key, generation, agent, philox.OUTCOME + offset, decision)
            following, gain, reward, entry = outcome(world, cs, action, u)
            flag = int(world.once[entry]) if world.flags else -1
            if flag in taken:
                gain, reward = world.step_payoff, world.step_reward
            taken |= {flag} - {-1}
            earned += gain
            if learner is not None:
                ahead, place = entered(world, following)
                learner.step(z, action, reward, ahead, place)
                for other in range(world.actions) if learner.full_feedback else ():
                    if other == action:
                        continue
                    draw = decision * world.actions + other
                    u = uniform(key, generation, agent, philox.FORGONE + offset, draw)
                    instead, _, reward, entry = outcome(world, cs, other, u)
                    if world.flags and int(world.once[entry]) in taken:
                        reward = world.step_reward
                    learner.forgo(z, other, reward, *entered(world, instead))
            decision += 1
            if following < 0:
                break
            cs = following
        episodes.append((decision, context, earned))
        if learner is not None:
            learner.end(episode)
    return acts, episodes


def fixed_policy(cumulated):
    """The policy of a life without learning, from cumulative probabilities (A - 1, P)."""

    def act(z, word):
        u = min(f32(word >> 1) * f32(2**-31), f32(0.99999994))
        return int((u >= cumulated[:, z]).sum())

    return act


def chances(weights, hidden, cue, outputs, temperature, greedy=False):
    """Action probabilities at one percept, in float64."""
    w = [float(x) for x in weights]
    units = [float(x) for x in cue]
    if hidden:
        units = [
            math.tanh(_dot(w[h * len(cue) : (h + 1) * len(cue)], cue, w[hidden * len(cue) + h]))
            for h in range(hidden)
        ]
        w = w[hidden * (len(cue) + 1) :]
    n = len(units)
    bias = w[outputs * n :] if hidden else [0.0] * outputs
    logit = [_dot(w[q * n : (q + 1) * n], units, bias[q]) / temperature for q in range(outputs)]
    if outputs == 1 and not greedy:
        p = 1.0 / (1.0 + math.exp(-logit[0]))
        return [p, 1.0 - p]
    logit += [0.0] * (outputs == 1)
    e = [math.exp(x - max(logit)) for x in logit]
    if greedy:
        e = [float(a == logit.index(max(logit))) for a in range(len(logit))]
    return [x / sum(e) for x in e]


def _dot(weights, values, start):
    for w, x in zip(weights, values, strict=True):
        start += w * float(x)
    return start


class Learner:
    """Acts by float64 probabilities per percept; subclasses say how they change."""

    full_feedback = False

    def act(self, z, word):
        upto = list(itertools.accumulate(self.table(z)[:-1]))
        return bisect.bisect_right(upto, word / 2**32)


class Cross(Learner):
    """Cross 1973: towards the action taken, in proportion to its reward."""

    def __init__(self, tables, rate):
        self.tables, self.rate = [list(t) for t in tables], rate

    def table(self, z):
        return self.tables[z]

    def step(self, z, action, reward, ahead, place):
        move = min(max(self.rate * reward, 0.0), 1.0)
        for a, p in enumerate(self.tables[z]):
            self.tables[z][a] = p + move * (1.0 - p) if a == action else p - move * p

    def end(self, episode):
        pass


class Reinforce(Learner):
    """Williams 1992, its gradient by finite differences of the log-likelihood."""

    def __init__(
        self,
        weights,
        hidden,
        cues,
        outputs,
        temperature,
        rate,
        advantage,
        baseline=0.0,
        entropy=0.0,
    ):
        self.weights = np.array(weights, float)
        self.baseline, self.entropy = baseline, entropy
        self.cues, self.rate, self.advantage = cues, rate, advantage
        self.decode = lambda w, z: chances(w, hidden, cues[:, z], outputs, temperature)
        self.lived, self.returns, self.total = [], [], 0.0

    def table(self, z):
        return self.decode(self.weights, z)

    def step(self, z, action, reward, ahead, place):
        self.lived.append((z, action))
        self.total += reward

    def end(self, episode):
        chosen = [self.table(z)[action] for z, action in self.lived]
        self.total -= self.entropy * sum(map(math.log, chosen))
        advantage = self.total - self.baseline
        if self.advantage > 0 and self.returns:
            advantage -= sum(self.returns) / len(self.returns)
        self.returns.append(self.total)
        if self.advantage == 2:
            size = math.sqrt(sum(x * x for x in self.returns) / len(self.returns))
            advantage = advantage / size if size > 0 else 0.0
        gradient = [self._slope(k) for k in range(len(self.weights))]
        self.weights += self.rate * advantage * np.array(gradient)
        self.lived, self.total = [], 0.0

    def _slope(self, k, h=1e-5):
        def score(x):
            w = self.weights.copy()
            w[k] += x
            return sum(math.log(self.decode(w, z)[a]) for z, a in self.lived)

        return (8 * (score(h) - score(-h)) - (score(2 * h) - score(-2 * h))) / (12 * h)


# Landscapes


def trait_payoff(shape, weights, optimum, width, height, threshold, values, noise):
    total = 0.0
    for k, x in enumerate(values):
        x = float(x)
        if shape == landscape.QUADRATIC:
            d = (x - optimum[k]) / width[k]
            total -= 0.5 * d * d
        else:
            total += weights[k] * x
    total += noise
    return height + (float(total > threshold) if shape == landscape.THRESHOLD else total)


def bit_payoff(weights, height, peaks, elsewhere, haplotypes):
    """Haplotypes: lists of bits. Peaks: (height, value, essential, shoulder)."""
    parts = []
    for bits in haplotypes:
        if not peaks:
            parts.append(sum(w for w, bit in zip(weights, bits, strict=True) if bit))
            continue
        best = elsewhere
        for top, value, essential, shoulder in peaks:
            off = sum(bit != value for bit in bits[:essential])
            best = max(best, {0: top, 1: shoulder}.get(off, elsewhere))
        parts.append(best)
    return height + sum(parts) / len(parts)


# Observation


def episodes(start, following, chance, policy, percept, steps):
    """Every possible episode: (probability, list of (state, action, outcome, next, ends))."""
    actions, outcomes = following.shape[1:]

    def go(state, left):
        if left == 0:
            yield 1.0, []
            return
        for a, k in itertools.product(range(actions), range(outcomes)):
            p = policy[a, percept[state]] * chance[state, a, k]
            after = int(following[state, a, k])
            ends = after < 0
            after = -1 - after if ends else after
            step = (state, a, k, after, ends)
            if p == 0:
                continue
            for rest, path in [(1.0, [])] if ends else go(after, left - 1):
                yield p * rest, [step, *path]

    for state in np.flatnonzero(start):
        for p, path in go(int(state), steps):
            yield start[state] * p, path
