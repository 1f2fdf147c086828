"""Minds that learn values, look ahead or think in topics, again in plain Python.

Written from what SCENARIOS and the cited books say: dictionaries and lists, one agent at a time,
nothing cached, every plan made from scratch as a recursion over the tree.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import reference

SOFTMAX, GREEDY, EPSILON_GREEDY = "softmax", "greedy", "epsilon-greedy"


def shares(values, how=SOFTMAX, temperature=1.0, epsilon=0.0):
    """Probabilities of the actions, given their values; the best of equals share alike."""
    best = [v == max(values) for v in values]
    if how == SOFTMAX:
        weight = [math.exp((v - max(values)) / temperature) for v in values]
        return [w / sum(weight) for w in weight]
    explored = epsilon / len(values) if how == EPSILON_GREEDY else 0.0
    rest = 1.0 - epsilon if how == EPSILON_GREEDY else 1.0
    return [explored + rest * b / sum(best) for b in best]


class Mind(reference.Learner):
    """Keeps an account of how much was learned: at steps, by percept, and at episodes' ends."""

    def __init__(self, discount=1.0, **choice):
        self.discount, self.choice = discount, choice
        self.moved, self.finished = defaultdict(float), 0.0

    def table(self, z):
        return shares(self.values(z), **self.choice)

    def end(self, episode):
        pass


# Values


class Tabular(Mind):
    """Q(lambda) with Watkins's cut, SARSA(lambda), or returns credited at the end."""

    def __init__(self, start, rule, rate, trace=0.0, episodic=False, full=False, **rest):
        super().__init__(**rest)
        self.full_feedback = full
        self.q = {(z, a): v for z, row in enumerate(start) for a, v in enumerate(row)}
        self.actions = range(len(start[0]))
        self.rule, self.rate, self.trace, self.episodic = rule, rate, trace, episodic
        self.eligible, self.waiting, self.steps = defaultdict(float), None, []

    def values(self, z):
        return [self.q[z, a] for a in self.actions]

    def step(self, z, action, reward, ahead, place):
        if self.episodic:
            self.steps.append((z, action, reward))
            return
        if self.rule == "q":
            if self.q[z, action] < max(self.values(z)):
                self.eligible.clear()  # Watkins: an exploratory action cuts all traces
            best = 0.0 if ahead is None else max(self.values(ahead))
            self.moved[z] += abs(self.update(z, action, reward, best))
            return
        if self.waiting:
            self.moved[z] += abs(self.settle(self.q[z, action]))
        self.waiting = (z, action, reward, ahead)
        if ahead is None:
            self.moved[z] += abs(self.settle(0.0))

    def forgo(self, z, action, reward, ahead, place):
        best = 0.0 if ahead is None else max(self.values(ahead))
        size = self.rate * (reward + self.discount * best - self.q[z, action])
        self.q[z, action] += size
        self.moved[z] += abs(size)

    def settle(self, worth):
        """SARSA: what follows is worth the next action, which is known only now."""
        z, action, reward, _ = self.waiting
        self.waiting = None
        return self.update(z, action, reward, worth)

    def update(self, z, action, reward, worth):
        size = self.rate * (reward + self.discount * worth - self.q[z, action])
        self.eligible[z, action] += 1.0
        for pair in self.eligible:
            self.q[pair] += size * self.eligible[pair]
            self.eligible[pair] *= self.discount * self.trace
        return size

    def end(self, episode):
        if self.waiting:
            # The horizon cut: the mean over the actions that might have been next.
            ahead = self.waiting[3]
            mean = sum(p * v for p, v in zip(self.table(ahead), self.values(ahead), strict=True))
            self.finished += abs(self.settle(mean))
        self.eligible.clear()
        total = 0.0
        for z, action, reward in reversed(self.steps):
            total = reward + self.discount * total
            size = self.rate * (total - self.q[z, action])
            self.q[z, action] += size
            self.finished += abs(size)
        self.steps = []


class ActorCritic(Mind):
    """Values of percepts, and a softmax policy over cues; both have traces (S & B 13.5)."""

    def __init__(self, weights, cues, outputs, rate, actor_rate, optimism=0.0, trace=0.0,
                 episodic=False, temperature=1.0, **rest):  # fmt: skip
        super().__init__(**rest)
        self.weights = np.array(weights, float).reshape(outputs, -1)
        self.cues, self.temperature = cues.astype(float), temperature
        self.v = [optimism] * cues.shape[1]
        self.rate, self.actor_rate, self.trace, self.episodic = rate, actor_rate, trace, episodic
        self.forget()

    def forget(self):
        self.steps, self.met, self.done = [], [0.0] * len(self.v), np.zeros_like(self.weights)

    def table(self, z):
        outputs = len(self.weights)
        return reference.chances(
            self.weights.ravel(), 0, self.cues[:, z], outputs, self.temperature
        )

    def gradient(self, z, action):
        p = self.table(z)[: len(self.weights)]
        hit = [float(q == action) for q in range(len(p))]
        return np.outer(np.subtract(hit, p), self.cues[:, z]) / self.temperature

    def step(self, z, action, reward, ahead, place):
        if self.episodic:
            self.steps.append((z, action, reward))
            return
        worth = 0.0 if ahead is None else self.v[ahead]
        error = reward + self.discount * worth - self.v[z]
        self.met[z] += 1.0
        self.done += self.gradient(z, action)
        for k, met in enumerate(self.met):
            self.v[k] += self.rate * error * met
            self.met[k] = met * self.discount * self.trace
        self.weights += self.actor_rate * error * self.done
        self.done *= self.discount * self.trace
        self.moved[z] += abs(self.rate * error)

    def end(self, episode):
        total = 0.0
        for z, action, reward in reversed(self.steps):
            total = reward + self.discount * total
            error = total - self.v[z]
            self.v[z] += self.rate * error
            self.weights += self.actor_rate * error * self.gradient(z, action)
            self.finished += abs(self.rate * error)
        self.forget()


# Planners


class Planner(Mind):
    """Looks `depth` steps ahead over a model, given or learned.

    `given` maps (z, action) to a list of (place, probability, gain); None for a model that is
    learned. `utility` gives the worth of a place, None for rewards. `rate` None is a mean.
    """

    def __init__(self, percepts, actions, depth, given=None, utility=None, rate=None, leaf=0.0,
                 untried=0.0, leaf_rate=None, **rest):  # fmt: skip
        super().__init__(**rest)
        self.percepts, self.actions = percepts, range(actions)
        self.depth = min(max(math.floor(depth), 0), 8)
        self.given, self.utility, self.rate, self.untried = given, utility, rate, untried
        self.leaves, self.leaf_rate = [leaf] * percepts, leaf_rate
        self.counts, self.beyond, self.seen = defaultdict(Counter), defaultdict(float), Counter()

    def model(self, z, action):
        """What an action leads to: (place, probability, what entering it brings as a rule)."""
        if self.given is not None:
            return self.given[z, action]
        met = self.counts[z, action]
        return [(place, n / met.total(), 0.0) for place, n in met.items()]

    def gain(self, z, action, place):
        return next((g for p, _, g in self.model(z, action) if p == place), 0.0)

    def worth(self, place, gain):
        return gain + self.beyond[place] if self.utility is None else self.utility[place]

    def allowed(self, z, heeding):
        return list(self.actions)

    def action_value(self, z, action, left, heeding=False):
        outcomes = self.model(z, action)
        if not outcomes:
            return self.untried
        total = 0.0
        for place, p, gain in outcomes:
            ahead = self.value(place, left - 1, heeding) if place < self.percepts else 0.0
            total += p * (self.worth(place, gain) + self.discount * ahead)
        return total

    def value(self, z, left, heeding):
        if left == 0:
            return self.leaves[z]
        return max(self.action_value(z, a, left, heeding) for a in self.allowed(z, heeding))

    def values(self, z, heeding=False):
        if self.depth == 0:
            return [0.0 for _ in self.actions]
        allowed = self.allowed(z, heeding)
        return [
            self.action_value(z, a, self.depth, heeding) if a in allowed else -math.inf
            for a in self.actions
        ]

    def store(self, z, action, reward, ahead, place):
        """Model, what the place brought beyond it, and leaves; return how much changed."""
        moved = 0.0
        gained = reward
        beyond = reward - self.gain(z, action, place)
        if self.given is None:
            met = self.counts[z, action]
            before = met[place] / met.total() if met else 0.0
            met[place] += 1
            moved += met[place] / met.total() - before
            beyond = reward
        if self.utility is not None:
            gained = self.utility[place]
        else:
            self.seen[place] += 1
            rate = 1.0 / self.seen[place] if self.rate is None else self.rate
            size = rate * (beyond - self.beyond[place])
            self.beyond[place] += size
            moved += abs(size)
        if self.leaf_rate is not None:
            worth = 0.0 if ahead is None else self.leaves[ahead]
            size = self.leaf_rate * (gained + self.discount * worth - self.leaves[z])
            self.leaves[z] += size
            moved += abs(size)
        return moved

    def step(self, z, action, reward, ahead, place):
        self.moved[z] += self.store(z, action, reward, ahead, place)


class Weighing(Planner):
    """Adds preferences over cues to a weighted plan that is off by a number per action.

    `preference` and `off` map a percept to a list over actions; `temperature` is the choice's.
    """

    def __init__(self, *args, preference, off, weight, temperature, **rest):
        super().__init__(*args, temperature=temperature, **rest)
        self.preference, self.off, self.weight, self.scale = preference, off, weight, temperature

    def values(self, z, heeding=False):
        parts = zip(super().values(z, heeding), self.off[z], self.preference[z], strict=True)
        return [self.weight * (value + off) + self.scale * liked for value, off, liked in parts]


# Topics


class Abstract(Planner):
    """Options by topic: chosen where a topic begins to be shown, and kept up while it is."""

    def __init__(self, *args, topic, optimism=0.0, **rest):
        super().__init__(*args, **rest)
        self.topic, self.steps, self.kept = topic, [], None
        self.option, self.used = defaultdict(lambda: optimism), Counter()

    def table(self, z):
        if self.kept is not None:
            return [float(a == self.kept) for a in self.actions]
        return super().table(z)

    def values(self, z, heeding=False):
        if self.topic[z] >= 0:
            return [self.option[self.topic[z], a] for a in self.actions]
        return super().values(z)

    def step(self, z, action, reward, ahead, place):
        self.steps.append((self.topic[z], action, reward))
        same = ahead is not None and self.topic[z] >= 0 and self.topic[ahead] == self.topic[z]
        self.kept = action if same else None
        super().step(z, action, reward, ahead, place)

    def end(self, episode):
        total, first = 0.0, {}
        for topic, action, reward in reversed(self.steps):
            total = reward + self.discount * total
            first[topic, action] = total  # earlier uses overwrite later ones
        for (topic, action), brought in first.items():
            if topic < 0:
                continue
            self.used[topic, action] += 1
            rate = 1.0 / self.used[topic, action] if self.rate is None else self.rate
            size = rate * (brought - self.option[topic, action])
            self.option[topic, action] += size
            self.finished += abs(size)
        self.steps, self.kept = [], None


class Reflective(Planner):
    """Labels topics to avoid; forbids the transitions that lead there, hop by hop upwards."""

    def __init__(self, *args, topic, alarm, told=(), trust=1.0, stores=False, **rest):
        super().__init__(*args, **rest)
        self.topic, self.alarm, self.trust, self.stores = topic, alarm, trust, stores
        self.own, self.told, self.forbidden, self.hops = set(), set(told), set(), {}
        for label in sorted(self.told):
            self.avoid(label)

    def allowed(self, z, heeding):
        free = [a for a in self.actions if not heeding or (z, a) not in self.forbidden]
        return free or list(self.actions)

    def table(self, z):
        heed = 1.0 if self.own else self.trust if self.told else 0.0
        with_labels = shares(self.values(z, True), **self.choice)
        without = shares(self.values(z, False), **self.choice)
        return [heed * p + (1.0 - heed) * q for p, q in zip(with_labels, without, strict=True)]

    def labelled(self, place):
        return self.topic[place] in self.own | self.told

    def likely(self, z, action):
        outcomes = self.model(z, action)
        return max(outcomes, key=lambda o: o[1])[0] if outcomes else None

    def avoid(self, label):
        for z in range(self.percepts):
            for a in self.actions:
                place = self.likely(z, a)
                if place is not None and self.topic[place] == label:
                    self.forbid(z, a, 1)

    def forbid(self, z, action, hop):
        self.forbidden.add((z, action))
        self.hops[z] = min(self.hops.get(z, hop), hop)

    def step(self, z, action, reward, ahead, place):
        if self.stores or not (self.labelled(z) or self.labelled(place)):
            expected = self.gain(z, action, place)
            expected += self.beyond[place] if self.utility is None else 0.0
            topic = self.topic[place] if self.topic[place] >= 0 else self.topic[z]
            self.moved[z] += self.store(z, action, reward, ahead, place)
            if reward - expected < -self.alarm and topic >= 0:
                self.told.discard(topic)
                self.own.add(topic)
                self.avoid(topic)
                self.moved[z] += 1.0
            elif reward - expected >= -self.alarm and self.labelled(place):
                self.reconsider(place, z)
        self.moved[z] += self.look_back(z, action, ahead)

    def reconsider(self, place, z):
        """Take the label off the topic that a place shows if the place proved not so bad."""
        if self.beyond[place] < -self.alarm:
            return
        self.own.discard(self.topic[place])
        self.told.discard(self.topic[place])
        self.forbidden, self.hops = set(), {}
        for label in sorted(self.own | self.told):
            self.avoid(label)
        self.moved[z] += 1.0

    def look_back(self, z, action, ahead):
        """Forbid the way just taken if it led to a label, or to a place with something forbidden.

        An action that only slipped to the label, and usually leads elsewhere, stays allowed.
        """
        if ahead is None or self.labelled(z) or (z, action) in self.forbidden:
            return 0.0
        if self.labelled(ahead):
            usual = self.likely(z, action)
            if usual is not None and usual != ahead:
                return 0.0
            self.forbid(z, action, 1)
            return 1.0
        hop = self.hops.get(ahead)
        if hop is None or hop >= self.depth:
            return 0.0
        self.forbid(z, action, hop + 1)
        return 1.0
