"""Model-free minds against the reference, along whole random lives."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import reference_minds as ref
from kernels_case import genomes, learner, policy_loci
from minds_case import AGENTS, alive, compare, live, without_genes, world_of

from evosim.kernels.mind import EPSILON_GREEDY, GREEDY, NUMBERS, SOFTMAX
from evosim.kernels.values import ACTOR_CRITIC, FULL_FEEDBACK, Q_LEARNING, SARSA, values_size

RULES = {"q": Q_LEARNING, "sarsa": SARSA, "actor-critic": ACTOR_CRITIC}
CHOICES = {"softmax": SOFTMAX, "greedy": GREEDY, "epsilon-greedy": EPSILON_GREEDY}


def size_of(world, rule, episodic=False):
    features, percepts = world.cues.shape
    return values_size(
        RULES[rule], percepts, world.actions, world.outputs, features, episodic, world.steps
    )


CASES = [
    # rule, actions, trace, discount, choice, episodic
    ("q", 2, 0.0, 1.0, "softmax", False),
    ("q", 3, 0.7, 0.9, "softmax", False),
    ("q", 3, 1.0, 1.0, "epsilon-greedy", False),
    ("q", 3, 0.8, 0.9, "greedy", False),
    ("sarsa", 2, 0.0, 1.0, "softmax", False),
    ("sarsa", 3, 0.6, 0.9, "softmax", False),
    ("sarsa", 3, 1.0, 0.8, "epsilon-greedy", False),
    ("sarsa", 2, 0.5, 1.0, "greedy", False),
    ("q", 2, 1.0, 1.0, "softmax", False),
    ("q", 2, 0.9, 1.0, "greedy", False),
    ("q", 3, 0.0, 0.9, "softmax", True),
    ("sarsa", 2, 0.0, 1.0, "epsilon-greedy", True),
]


@pytest.mark.parametrize(("rule", "actions", "trace", "discount", "choice", "episodic"), CASES)
def test_values_of_actions(rule, actions, trace, discount, choice, episodic):
    seed = CASES.index((rule, actions, trace, discount, choice, episodic))
    _, world = world_of(seed, low=-1.0, actions=actions, once=actions == 3, episodes=40)
    numbers = {
        "learning_rate": 0.4, "temperature": 0.3, "discount": discount, "trace": trace,
        "optimism": 0.25, "epsilon": 0.2,
    }  # fmt: skip
    m = learner(choice=CHOICES[choice], rule=RULES[rule], episodic=episodic, **numbers)

    def alone(r, i):
        start = [[0.25] * actions for _ in range(world.cues.shape[1])]
        return ref.Tabular(
            start, rule, 0.4, trace, episodic, discount=discount, how=choice, temperature=0.3,
            epsilon=0.2,
        )  # fmt: skip

    size = size_of(world, rule, episodic)
    lived = compare("model-free", world, m, size, without_genes(), alone)
    assert np.abs(lived.learned[0] - lived.born[0]).max() > 0.1


@pytest.mark.parametrize(("actions", "trace", "once"), [(2, 0.0, False), (3, 0.7, True)])
def test_with_full_feedback_all_actions_are_worth_what_they_would_have_brought(
    actions, trace, once
):
    _, world = world_of(40, low=-1.0, actions=actions, once=once, outcomes=3, episodes=40)
    m = learner(
        rule=Q_LEARNING, learning_rate=0.4, discount=0.9, trace=trace, optimism=0.25,
    )  # fmt: skip

    def alone(r, i):
        start = [[0.25] * actions for _ in range(world.cues.shape[1])]
        return ref.Tabular(start, "q", 0.4, trace, full=True, discount=0.9, temperature=0.7)

    size = size_of(world, "q")
    lived = compare(FULL_FEEDBACK, world, m, size, without_genes(), alone)
    chosen = live("model-free", world, m, size, without_genes())
    assert lived.trail.moved[0].sum() > 1.3 * chosen.trail.moved[0].sum()


ACTORS = [
    # actions, trace, discount, episodic
    (2, 0.0, 1.0, False),
    (3, 0.7, 0.9, False),
    (2, 1.0, 1.0, False),
    (3, 0.0, 0.9, True),
    (2, 0.0, 1.0, True),
]


@pytest.mark.parametrize(("actions", "trace", "discount", "episodic"), ACTORS)
def test_actor_and_critic(actions, trace, discount, episodic):
    rng, world = world_of(20 + ACTORS.index((actions, trace, discount, episodic)), actions=actions)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(
        loci, rule=ACTOR_CRITIC, episodic=episodic, learning_rate=0.3, actor_rate=0.5,
        temperature=0.8, discount=discount, trace=trace, optimism=0.5,
    )  # fmt: skip

    def alone(r, i):
        return ref.ActorCritic(
            genes[r, i, 1 : 1 + loci], world.cues, world.outputs, 0.3, 0.5, 0.5, trace, episodic,
            0.8, discount=discount,
        )  # fmt: skip

    size = size_of(world, "actor-critic", episodic)
    lived = compare("model-free", world, m, size, genes, alone)
    assert np.abs(lived.learned[0] - lived.born[0]).max() > 0.1


def test_genes_override_the_scenarios_numbers_and_shares_stay_shares():
    names = ("learning_rate", "temperature", "discount", "trace", "optimism", "epsilon")
    _, world = world_of(30, low=-1.0, actions=3)
    m = learner(rule=Q_LEARNING)
    where = m.loci.copy()
    for k, name in enumerate(names):
        where[NUMBERS.index(name)] = 1 + k
    genes = np.zeros((2, AGENTS, 7), np.float32)
    genes[..., 1:] = np.random.default_rng(3).uniform(-0.5, 1.5, (2, AGENTS, 6))
    genes[..., 2] = np.abs(genes[..., 2]) + 0.125
    genes[0, 0, 1], genes[0, 1, 4] = 1.375, -0.25

    def alone(r, i):
        own = [float(x) for x in genes[r, i, 1:]]
        rate, discount, trace = (min(max(own[k], 0.0), 1.0) for k in (0, 2, 3))
        start = [[own[4]] * 3 for _ in range(world.cues.shape[1])]
        return ref.Tabular(start, "q", rate, trace, discount=discount, temperature=own[1])

    compare("model-free", world, m._replace(loci=where), size_of(world, "q"), genes, alone)


def test_an_actors_rate_is_no_share():
    rng, world = world_of(31)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(loci, rule=ACTOR_CRITIC, learning_rate=0.3, actor_rate=2.5)

    def alone(r, i):
        own = genes[r, i, 1 : 1 + loci]
        return ref.ActorCritic(own, world.cues, world.outputs, 0.3, 2.5, temperature=0.7)

    compare("model-free", world, m, size_of(world, "actor-critic"), genes, alone)


@pytest.mark.parametrize("actions", [2, 3])
def test_values_start_at_optimism_plus_innate_preference(actions):
    rng, world = world_of(32, actions=actions)
    loci = policy_loci(len(world.cues), world.outputs)
    genes = genomes(rng, 2, AGENTS, loci)
    m = learner(loci, rule=SARSA, learning_rate=0.5, optimism=1.5)

    def alone(r, i):
        own = genes[r, i, 1 : 1 + loci].astype(float).reshape(world.outputs, -1)
        innate = own @ world.cues.astype(float)
        if actions == 2:
            innate = np.vstack([innate, np.zeros_like(innate)])
        return ref.Tabular((1.5 + innate).T.tolist(), "sarsa", 0.5, temperature=0.7)

    compare("model-free", world, m, size_of(world, "sarsa"), genes, alone)


def born_with(values, choice, **numbers):
    """Probabilities that an agent is born with whose innate values are given."""
    _, world = world_of(33, actions=len(values), percepts=1)
    cues = np.zeros_like(world.cues)
    cues[0] = 1.0
    world = world._replace(cues=cues, outputs=len(values))
    loci = policy_loci(len(cues), len(values))
    genes = np.zeros((2, AGENTS, 1 + loci), np.float32)
    genes[..., 1 :: len(cues)] = values
    m = learner(loci, choice=CHOICES[choice], rule=Q_LEARNING, **numbers)
    return live("model-free", world, m, size_of(world, "q"), genes).born[0, 0].tolist()


def test_the_best_of_equals_are_chosen_alike():
    assert born_with([1.0, 2.0, 2.0], "greedy") == [0.0, 0.5, 0.5]
    assert born_with([2.0, 2.0, 2.0], "greedy") == [1 / 3] * 3
    close = pytest.approx([0.1, 0.45, 0.45], abs=1e-15)
    assert born_with([1.0, 2.0, 2.0], "epsilon-greedy", epsilon=0.3) == close
    weights = np.array([exp(-0.5), 1.0, 1.0])
    softmax = born_with([1.0, 2.0, 2.0], "softmax", temperature=2.0)
    assert softmax == pytest.approx(weights / weights.sum(), abs=1e-15)


def test_a_temperature_close_to_0_overflows_nowhere():
    assert born_with([1.0, -300.0, 300.0], "softmax", temperature=1e-300) == [0.0, 0.0, 1.0]


def chain(rule, choice, **given):
    """A corridor of 5 places, where both actions go on, whose last step ends and pays 1."""
    _, world = world_of(34, percepts=5, outcomes=1)
    along = np.repeat([1, 2, 3, 4, -5], 2)
    following = np.concatenate([along, np.where(along >= 0, along + 5, along - 5)])
    reward = np.zeros(20)
    reward[[8, 9, 18, 19]] = 1.0
    world = world._replace(
        following=following.astype(np.int32), cdf=np.ones(20), reward=reward, payoff=reward,
        percept=np.tile(np.arange(5), 2).astype(np.int32), start=np.array([0, 0], np.int32),
        steps=5, episodes=1,
    )  # fmt: skip
    given = {"temperature": 1.0, "learning_rate": 0.5} | given
    m = learner(choice=CHOICES[choice], rule=RULES[rule], **given)
    return world, m, size_of(world, rule)


@pytest.mark.parametrize("trace", [0.0, 0.8])
@pytest.mark.parametrize("rule", ["q", "sarsa"])
def test_after_one_success_a_trace_reaches_back_by_its_powers(rule, trace):
    """T70: alpha (gamma lambda)^(h-1) r at h steps from the reward."""
    world, m, size = chain(rule, "softmax", discount=0.9, trace=trace)
    lived = live("model-free", world, m, size, without_genes())
    want = 0.5 * (0.9 * trace) ** np.arange(4, -1, -1)
    for r, i in alive():
        p = lived.learned[r, i].reshape(5, 2)
        # The action that was not done is still worth 0.
        values = np.abs(np.log(p[:, 0] / p[:, 1]))
        assert values.tolist() == pytest.approx(want.tolist(), abs=1e-12)
        assert lived.trail.moved[r, i, 0].tolist() == [0.0, 0.0, 0.0, 0.0, 0.5]


def test_sarsa_cut_by_the_horizon_looks_at_what_would_be_done():
    """One step of the corridor a life, then the horizon: the next place's values are known."""
    world, m, size = chain("sarsa", "epsilon-greedy", epsilon=0.5)
    world = world._replace(steps=1)
    cues = np.zeros((6, 5), np.float32)
    cues[0, 1] = 1.0  # innate: the first action of the second place is worth 1, all else 0
    genes = np.zeros((2, AGENTS, 7), np.float32)
    genes[..., 1] = 1.0
    m = m._replace(policy=np.array([1, 7]))
    lived = live("model-free", world._replace(cues=cues), m, size, genes)
    # It is done with 1 - .5/2, and the step settles half of that.
    assert lived.trail.finished[0, 0, 0] == 0.5 * 0.75
    assert lived.trail.moved[0, 0].sum() == 0.0


def test_ranges_of_agents_write_their_own_outputs_only():
    _, world = world_of(35)
    m = learner(rule=Q_LEARNING, learning_rate=0.5)
    whole, part = (
        live("model-free", world, m, size_of(world, "q"), without_genes(), flat=flat)
        for flat in ((0, 8), (2, 5))
    )
    for a, b in zip(whole[:6], part[:6], strict=True):
        a, b = (x if len(x) == 8 else x.reshape(8, -1) for x in (a, b))
        assert np.array_equal(a[2:5], b[2:5])
        assert (b[:2] == 99).all()
        assert (b[5:] == 99).all()
