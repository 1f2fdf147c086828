"""What shipped studies say that theory has is what theory has, worked out here once more."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit as sigmoid

from evosim.oracles import (
    acquired_stock,
    channel_stock,
    class_chain_hit,
    default_margins,
    finite_pool_stock,
    hot_stove_choice,
    open_pool_stock,
    reflex_frozen,
    rogers_equilibrium,
    skill_step,
)

STUDIES = Path(__file__).parents[1] / "scenarios" / "studies"


def read(name):
    """Return the values of a study's parameter, and its table [dose]."""
    data = tomllib.loads((STUDIES / f"{name}_dose.toml").read_text())
    (values,) = data["design"]["parameters"].values()
    return values, data["dose"]


def binomial(k, n, p):
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def untried(rate, q0=0.2, steps=2, episodes=400):
    """T64 in lives of `episodes`, of which only those of defaults pay: by how many have paid."""
    default = sigmoid(default_margins(math.log((1 - q0) / q0), rate / 2, episodes + 1))
    paid, key = default**steps, (1 - default) ** steps
    p = np.zeros(episodes + 1)
    p[0] = 1
    for _ in range(episodes):
        further = p * (1 - paid - key)
        further[1:] += (p * paid)[:-1]
        p = further
    return p.sum()


def found(mutation):
    """T31: a hundred agents, two bits, generation 20."""
    return class_chain_hit(100, 2, mutation, np.array(20))


def moved(rate, discount=0.9):
    """Temporal differences along 100 episodes of 60 steps: open water, then round and round."""
    value, total = np.zeros(5), 0.0
    for _ in range(100):
        place = 0
        for _ in range(60):
            ahead = 1 if place in (0, 4) else place + 1
            reward = 0.3 if place == 1 else 0.0
            error = rate * (reward + discount * value[ahead] - value[place])
            value[place] += error
            total += abs(error)
            place = ahead
    return total


def learned(rate):
    """All sequences of choices at the fork, which moves two weights at once; start N(0, 2)."""
    node, weight = np.polynomial.hermite_e.hermegauss(61)
    start = node * math.sqrt(2)
    x, p = start[:, None], np.ones((61, 1))
    left = np.zeros(61)
    for visits in range(13):
        s = sigmoid(x)
        left += binomial(visits, 12, 0.5) * (p * s).sum(1)
        x = np.concatenate([x + 2 * rate * (1 - s), x - 2 * rate * 0.5 * s], 1)
        p = np.concatenate([p * s, p * (1 - s)], 1)
    return weight @ (left - sigmoid(start)) / weight.sum()


def spread(density, sd, step):
    """Add a normal mutation to a density on a grid."""
    reach = int(8 * sd / step) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / sd) ** 2)
    return np.convolve(density, kernel / kernel.sum(), "same")


def bred(fraction, generations=40, step=0.02):
    """Density of the log odds of sitting; the fraction with the most sits of 20 breeds."""
    x = np.arange(-700, 701) * step
    sits = np.array([[binomial(k, 20, s / 2) for s in sigmoid(x)] for k in range(21)])
    p = (x == 0).astype(float)
    for _ in range(generations):
        counts = sits @ p
        above = np.cumsum(counts[::-1])[::-1] - counts
        share = np.clip((fraction - above) / np.maximum(counts, 1e-300), 0, 1)
        p *= share @ sits
        p = spread(p / p.sum(), math.sqrt(0.02), step)
    return p @ sigmoid(x)


def faded(first_step, generations=300, step=0.01):
    """Density of the logit of looping; ten visits, each with a geometric number of loops."""
    x = np.arange(-800, 801) * step
    fitness = (1 + np.exp(x) * (1 - math.exp(-(0.375 - first_step) / 10))) ** -10
    p = (np.arange(-800, 801) == 100).astype(float)
    for _ in range(generations):
        p *= fitness
        p = spread(p / p.sum(), 0.05, step)
    return p @ x


def locked_in(rate):
    """No slip into the left branch for 598 episodes, once one toll has been learned from."""
    last = 0.49 - 0.2 * rate
    before = max(last, 0.4) - 0.01  # from where one can still turn home a step later
    go = sigmoid((last - 0.4) / 0.005) * sigmoid((before - 0.4) / 0.005)
    return (1 - 0.1 * go) ** 598


def reached(reward):
    """Five steps, each by a value that has settled at the reward, at temperature 0.01."""
    return sigmoid(reward / 0.01) ** 5


def unsteady(slip):
    """The door, two rooms and a bridge of four steps, if all acts are right but slip."""
    return 1.5 - slip + (1 - slip) + (1 - slip) ** 4


def shunned(rate):
    """T67: both ways pay alike, left varies with sd 1; S = 3."""
    return hot_stove_choice([0, 0], [1, 0], rate, 3)[0]


def frozen(practice):
    """S50: three gates turn round, two bends do not; 500 episodes to come back."""
    return reflex_frozen(3, 0.0, 0.25, practice, 500, kept=2)


def kept_up(fidelity, generations=60):
    """T55 i on the way to its height: 50 items a life, through a channel that loses some."""
    return fidelity * channel_stock(50, fidelity, generations - 1)[-1]


def shared(fidelity, generations=40):
    """T55 iv: 40 agents that find one item each, two models; without what a life finds itself."""
    return open_pool_stock(40, 1, fidelity, 2, generations)[-1] - 1


def found_out(learning, generations=10):
    """T55 v: so many generations after a lossless channel to a pool of 1000 has opened."""
    return finite_pool_stock(1000, learning, generations)[-1]


def rescued(strength, agents=100, share=0.01, generations=100):
    """Wright-Fisher chain of the number that go right, from a binomial number of founders."""
    k = np.arange(agents + 1)
    weight = k * np.exp(strength)
    step = stats.binom.pmf(k[None, :], agents, (weight / (weight + agents - k))[:, None])
    p = stats.binom.pmf(k, agents, share)
    for _ in range(generations):
        p = p @ step
    return p @ k / agents


def tried(mutation, generations=30, step=0.02):
    """A lineage of winners: of many mutants the one whose first episode is likeliest the key.

    That chance is the product over its three steps, each of which then is a chain of its own.
    """
    x = math.log(4) + np.arange(-1500, 1501) * step
    key = sigmoid(-x)
    p = (np.arange(-1500, 1501) == 0).astype(float)
    if mutation:
        mutants = spread(key, mutation, step)
        for _ in range(generations - 1):
            p = spread(p / mutants, mutation, step) * key
        p = spread(p, mutation, step)
    return (p @ key / p.sum()) ** 3


def pursued(mutation, generations=60):
    """Density of the weight of a plan whose right act has odds e^w to 3; fitness 1 + 5 payoff."""
    step = min(mutation / 4, 0.02)
    w = np.arange(-6000, 6001) * step
    right = sigmoid(w - math.log(3))
    p = (w == 0).astype(float)
    for _ in range(generations):
        p *= 1 + 5 * right
        p = spread(p / p.sum(), mutation, step)
    return p @ right / p.sum()


def parents(luck, fitness):
    """Draw a parent for every agent, by fitness within its population."""
    population = np.arange(len(fitness))[:, None]
    share = np.cumsum(fitness, 1)
    share = share / share[:, -1:] + population
    born = luck.random(fitness.shape) + population
    return np.minimum(np.searchsorted(share.ravel(), born), fitness.size - 1)


def woken(familiar, populations, agents=300, generations=120):
    """Chance of the forest's act where a share of the forest is seen, by share and population.

    Four places with a cue each, four acts, twelve days a life; a fifth cue drifts.
    """
    luck = np.random.default_rng(1)
    shape = (populations, agents)
    weight, strange = np.zeros((*shape, 4, 4)), np.zeros((*shape, 4))
    for _ in range(generations):
        odds = np.exp(weight)
        right = np.diagonal(odds, axis1=2, axis2=3) / odds.sum(3)
        paid = luck.binomial(luck.multinomial(12, [0.25] * 4, shape), right).sum(2)
        parent = parents(luck, np.exp(3 * paid / 12))
        weight = weight.reshape(-1, 4, 4)[parent] + 0.1 * luck.standard_normal(weight.shape)
        strange = strange.reshape(-1, 4)[parent] + 0.1 * luck.standard_normal(strange.shape)
    odds = [np.exp(h * weight[:, :, 0] + strange) for h in familiar]
    return np.array([(o[..., 0] / o.sum(-1)).mean(1) for o in odds])


def spread_out(contact, items, villages=8, agents=8, fidelity=0.7, generations=60):
    """Agents of all villages that know an item, summed over its generations, item by item.

    Each of two models is of the own village, or with chance `contact` of another.
    """
    luck = np.random.default_rng(1)
    know = np.zeros((items, villages), np.int64)
    know[:, 0] = 1
    known = np.zeros(items)
    for _ in range(generations):
        elsewhere = (know.sum(1, keepdims=True) - know) / (agents * (villages - 1))
        near = (1 - contact) * know / agents + contact * elsewhere
        know = luck.binomial(agents, 1 - (1 - fidelity * near) ** 2)
        known += know.sum(1)
    return known


def averaged(strength, populations, agents=100, generations=80):
    """Mean logit of the learning rate in populations whose lives are drawn, not lived.

    A life's payoff is that of the choices of T67 and the luck of 400 of them.
    """
    luck = np.random.default_rng(1)
    shape = (populations, agents)
    rate, log = np.zeros(shape), np.full(shape, -1.0986)
    for _ in range(generations):
        s, v = np.exp(-log), sigmoid(rate) / (2 - sigmoid(rate))
        left = sigmoid(0.2 * s - v * s**2 / 2)
        spread = np.sqrt((left + 0.04 * left * (1 - left)) / 400)
        payoff = 0.2 * left + spread * luck.standard_normal(shape)
        parent = parents(luck, np.exp(strength * payoff))
        rate = rate.ravel()[parent] + 0.1 * luck.standard_normal(shape)
        log = log.ravel()[parent] + 0.1 * luck.standard_normal(shape)
    return rate.mean(1)


def copied(fidelity, benefit=0.5, cost=0.2):
    """T48: copiers who are right, b q (1 - u) = b - c, as long as copying pays."""
    if 1 - fidelity >= cost / benefit:
        return 0.0
    share, gain = rogers_equilibrium(benefit, cost, 1 - fidelity)
    return share * gain / benefit


def kept(fidelity, generations=120):
    """T50: a hundred items, two models."""
    x = 1.0
    for _ in range(generations):
        x = 1 - (1 - fidelity * x) ** 2
    return 100 * x


def missed(rate, trials=40, temperature=0.1):
    """Payoff that a change of the rule costs, by how often either action was paid and was not."""
    kept = [(1 - rate) ** n for n in range(trials + 1)]
    shots = np.zeros(trials + 1)  # by how many there were, all paid
    shots[0], before = 1.0, 0.0
    for _ in range(trials):
        shoots = shots * sigmoid([(1 - k) / temperature for k in kept])
        before += shoots.sum() / trials
        shots = shots - shoots + np.append(0.0, shoots[:-1])
    after = 0.0
    for k, share in enumerate(shots):
        stood = np.array([share])  # by how often, all paid; other trials were shots for nothing
        for trial in range(trials):
            for_nothing = trial - np.arange(trial + 1)
            worth = (1 - kept[k]) * (1 - rate) ** for_nothing - (1 - np.array(kept[: trial + 1]))
            stands = stood * sigmoid(-worth / temperature)
            after += stands.sum() / trials
            stood = np.append(stood - stands, 0.0) + np.append(0.0, stands)
    return before - after


def of_one_goal(mutation):
    """Three percepts of nine are met; a goal that mutates so takes its part of them, q."""
    q = mutation**2 / (mutation**2 + 0.1**2)
    return (1 + 2 * q) ** 2 / (3 * (1 + 2 * q**2))


def taken_over(ratio, agents=50, mutation=0.0005, generations=200):
    """Wright-Fisher chain: by when more than half are mutants, whose fitness is `ratio` times."""
    k = np.arange(agents + 1)
    after = k * ratio / (k * ratio + agents - k)
    after = after * (1 - mutation) + (1 - after) * mutation
    step = stats.binom.pmf(k[None, :], agents, after[:, None])
    over = k > agents / 2
    step[over] = np.eye(agents + 1)[over]
    p, by = (k == 0).astype(float), []
    for _ in range(generations + 1):
        by.append(p[over].sum())
        p = p @ step
    return np.array(by)


def locked_first(bypass):
    """S72: int b exp(-int (a + b)); fitness exp(2 mean) of ten episodes that pay 1 or nothing."""
    before, goal, locked = (1 + np.array([0.5, 1, bypass]) * (math.exp(0.2) - 1)) ** 10
    reached, lost = taken_over(goal / before), taken_over(locked / before)
    return np.diff(lost) @ (1 - reached[1:])


THEORY = {
    "race": locked_first,
    "omega": of_one_goal,
    "lookalike": missed,
    "rogers": copied,
    "one_parent": kept,
    "same_brains": lambda learning: channel_stock(learning, 1, 170)[-1],
    "too_few": lambda loss: 120 * skill_step(100, loss, 1.0),
    "acquisition": lambda learning: acquired_stock(learning, 0.02, 1.0, 299)[-1],
    "saturated": kept_up,
    "unbounded": shared,
    "overhang": found_out,
    "racer_rescue": rescued,
    "outer_loop": tried,
    "cloning_device": pursued,
    "glitch": untried,
    "reward_gap_learners": lambda rate: untried(rate * 0.5, q0=0.5, steps=3),
    "glitch_population": found,
    "loops": moved,
    "multiplier": learned,
    "dogs": bred,
    "donuts_fading": faded,
    "spectrum": locked_in,
    "bottle": reached,
    "reward_gap": unsteady,
    "fork_stove": shunned,
    "racer": frozen,
}


@pytest.mark.parametrize("name", THEORY)
def test_predicted_curves_are_those_of_theory(name):
    values, dose = read(name)
    worked_out = [float(THEORY[name](value)) for value in values]
    written = [f"{value}".partition(".")[2] for value in dose["predicted"]]
    last = 10.0 ** -max(map(len, written))  # as exactly as it is written
    assert dose["predicted"] == pytest.approx(worked_out, abs=0.6 * last)


def test_slower_averaging_is_that_of_drawn_lives():
    values, dose = read("fork_evolving")
    for value, predicted in zip(values[::3], dose["predicted"][::3], strict=True):
        found = averaged(value, 40)  # the file has 400
        error = found.std(ddof=1) * math.sqrt(1 / 40 + 1 / 400)
        assert predicted == pytest.approx(found.mean(), abs=4 * error)


def test_contact_lets_items_out_of_their_village():
    """Every agent finds one item a generation, so that it receives what an item is known, ever."""
    values, dose = read("villages")
    closed = open_pool_stock(8, 1, 0.7, 2, 60)[-1] - 1
    crowd = open_pool_stock(64, 1, 0.7, 2, 60)[-1] - 1
    assert (values[0], values[-1]) == (0, 7 / 8)  # a model of anywhere, as often as not at home
    assert dose["predicted"][0] == pytest.approx(closed, abs=0.01)
    assert dose["predicted"][-1] == pytest.approx(crowd, abs=0.01)
    for value, predicted in list(zip(values, dose["predicted"], strict=True))[2::3]:
        found = spread_out(value, 2000)  # the file has 100,000
        error = found.std(ddof=1) / math.sqrt(2000)
        assert predicted == pytest.approx(found.mean(), abs=4 * error)


def test_what_is_familiar_calls_up_what_was_selected():
    values, dose = read("waking")
    found = woken(values, 8)  # the file has 200
    error = found.std(1, ddof=1) * math.sqrt(1 / 8 + 1 / 200)
    assert (np.abs(found.mean(1) - dose["predicted"]) < 4 * error).all()


THRESHOLDS = {
    "race": [1 - 0.5],
    "superstimulus": [0],
    "animals": [2 * 0.1],
    "cheese_mouse": [1 / (200 * 0.5)],
    "necessary": [0.5 * (1 - 0.75) / 0.2],
    "left_turn": [0.25 * (1 - 0.8) / 0.1],
    "unbounded": [1 / 2],
    "one_parent": [1 / 2],
    "rogers": [1 - 0.2 / 0.5],
    "too_few": [np.euler_gamma + math.log(100)],
    "fork": [-0.7 * (1 - 0.8)],
    "racer_evolving": [1 / (100 * 0.3)],
    "taxi": [1 / (150 * 6)],
    # Fitness exp(10 x) of 50 episodes, a cost of 0.04, a habit that meets 0.6 of moved goals.
    "pursuit": [1 - (1 - math.exp(-0.04 / 5)) / (1 - math.exp(-1 / 5)) / (1 - 0.6)],
    "cliff": [1 - 0.8 ** (1 / 5)],
    "donuts": [(1 - 0.95**4) * 0.95**5],
    "robust": [1 - (1.5 / 2) ** (1 / 10)],
    "deceptive": [1 / (0.9**2 * 8), (2 + 0.9) / (0.9**2 * 8)],
    "predictors": [(1 - 0.5) / 2],
    "pages": [0.2 / (0.2 + 0.6)],
    "steering": [-(0.9 - 0.3)],
    "donuts_fading": [3 * 0.125],
    "schoolchildren": [2 * 0.05 / (10 - 1.34), 2 * 0.80 / (10 - 6.07)],
    "spectrum": [0.08 / 0.2],
    "bottle": [-0.01 * math.log(2**0.2 - 1)],
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_predicted_turns_are_those_of_theory(name):
    _, dose = read(name)
    assert dose["thresholds"] == pytest.approx(THRESHOLDS[name], rel=0.04)


# Worlds of Gymnasium: ways through them are weighed by the environment's own table.


def transitions(name, **arguments):
    """Return (S, A, S) chances, (S, A) payoffs and the states that end an episode."""
    gymnasium = pytest.importorskip("gymnasium", reason="evosim[gymnasium] is not installed")
    table = gymnasium.make(name, **arguments).unwrapped.P
    chance = np.zeros((len(table), 4, len(table)))
    payoff, over = np.zeros((len(table), 4)), set()
    for s, acts in table.items():
        for a, outcomes in acts.items():
            for p, following, reward, ended in outcomes:
                chance[s, a, following] += p
                payoff[s, a] += p * reward
                over |= {following} if ended else set()
    return chance, payoff, over


def test_the_cliff_is_left_where_its_study_says():
    chance, payoff, (goal,) = transitions("CliffWalking-v1")
    row, column = np.divmod(np.arange(48), 12)

    def worth(temperature, up, walks):
        """Certainty equivalent of an episode to selection by exp(0.2 mean of so many walks)."""
        weight = np.full((4, 5), -3.0)  # up, right, down, left; last column, rows 0 to 3
        weight[0, 3:] = up, 3
        weight[1, 1:4] = 3, 3, -up
        weight[2, 0] = 3
        cue = np.eye(5)[row + 1] + 3 * np.eye(5)[0] * ((column == 11) & (row < 3))[:, None]
        act = np.exp(cue @ weight.T / temperature)
        act /= act.sum(1, keepdims=True)
        risk = 0.2 / walks
        value = np.ones(48)
        for _ in range(40):
            value = (act * np.exp(risk * payoff) * (chance @ value)).sum(1)
            value[goal] = 1
        return math.log(value[36]) / risk

    def gain(temperature, walks):
        return worth(temperature, -3, walks) - worth(temperature, 3, walks)

    turns = [optimize.brentq(gain, 0.5, 2, args=(walks,)) for walks in (1e6, 8)]
    assert read("cliff_walking")[1]["thresholds"] == pytest.approx(turns, abs=1e-4)


def test_the_lake_is_crossed_on_dry_days_where_its_study_says():
    """The best of all 4^11 ways, and the best of those that cross on dry days, by enumeration."""
    ways = ["<^<<<.<.^v<..>v.", ">>v^<.v.^v<..>>."]
    crossed = []
    for slippery in (True, False):
        chance, _, over = transitions("FrozenLake-v1", is_slippery=slippery)
        for way in ways:
            act = [max("<v>^".find(c), 0) for c in way]
            value = np.eye(16)[15]
            for _ in range(60):
                value = chance[np.arange(16), act] @ value
                value[list(over)] = np.eye(16)[15][list(over)]
            crossed.append(value[0])
    ice, both, dry, dry_both = crossed
    assert (dry, dry_both) == (0, 1)
    turn = (ice - both) / (ice - both + 1)
    assert read("frozen_lake")[1]["thresholds"] == pytest.approx([turn], abs=1e-4)
