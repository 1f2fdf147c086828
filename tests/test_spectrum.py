"""The indices of bad exploration: small cases worked out by hand, and what must always hold."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evosim import experience, spectrum

FEW = settings(max_examples=40, deadline=None)


def site(following, cdf, payoff, start, *, ends, region, steps, once=None, step_payoff=0.0):
    """A site of one variant, whose region is number 1."""
    world = SimpleNamespace(
        outcome_state=np.array(following)[None], outcome_cdf=np.array(cdf, float)[None],
        payoff=np.array(payoff, float)[None], terminal=np.array(ends, np.uint8)[None],
        region=np.array(region)[None], start_cdf=np.cumsum(np.array(start, float))[None],
        once=np.zeros_like(payoff, np.uint8)[None] if once is None else np.array(once)[None],
        percept=np.arange(len(ends))[None], steps=steps,
    )  # fmt: skip
    return spectrum.make_site(world, 0, 1, step_payoff)


#: Road, fork, two places of the branch (the region), end. Road: on, or out for .4. Fork: right,
#: which ends with .5 but slips onto the branch with .1, or left, onto it, with a toll of 2 once.
#: Branch: on, or out for nothing; its end pays 1.
ROAD, FORK, L1, L2, END = range(5)


def fork(end=-1, **changes):
    following = [
        [[FORK, FORK], [END, END]],
        [[END, L1], [L1, L1]],
        [[L2, L2], [END, END]],
        [[END, END], [END, END]],
        [[END, END], [END, END]],
    ]
    cdf = np.ones((5, 2, 2))
    cdf[FORK, 0, 0] = 0.9
    payoff, once = np.zeros((5, 2, 2)), np.zeros((5, 2, 2), int)
    payoff[ROAD, 1], payoff[FORK, 0, 0], payoff[L2, 0] = 0.4, 0.5, 1.0
    payoff[FORK, 0, 1] = payoff[FORK, 1] = -2.0
    once[FORK, 0, 1] = once[FORK, 1] = 1
    return site(
        following, cdf, payoff, [1, 0, 0, 0, 0], ends=[0, 0, 0, 0, 1], region=[-1, -1, 1, 1, end],
        steps=6, once=once, **changes,
    )  # fmt: skip


def policy(**first):
    """One agent's probabilities of the first action, by place; 1/2 elsewhere."""
    p = np.full(5, 0.5)
    for place, chance in first.items():
        p[globals()[place.upper()]] = chance
    return np.stack([p, 1.0 - p], axis=1)[None]


def test_a_site_knows_its_entries_and_how_far_they_are():
    made = fork()
    assert np.argwhere(made.entry).tolist() == [[FORK, 1]]  # slips are not chosen
    assert made.distance.tolist() == [1, 0, -1, -1, -1]
    assert np.flatnonzero(made.inside).tolist() == [L1, L2]
    assert made.payoff[FORK].tolist() == pytest.approx([0.45, 0.0])  # the toll is no rule
    assert made.onto[FORK, 0, L1] == pytest.approx(0.1)
    assert made.onto[..., END].sum() == 0.0
    # A place that ends the episode can be entered, but there is no acting inside of it.
    deadly = fork(end=1)
    assert np.argwhere(deadly.entry).tolist() == [[ROAD, 1], [FORK, 0], [FORK, 1]]
    assert np.flatnonzero(deadly.inside).tolist() == [L1, L2]
    assert fork(step_payoff=-0.25).payoff[FORK].tolist() == pytest.approx([0.425, -0.25])


def test_values_by_hand():
    made = fork()
    assert spectrum.values(made, None) == pytest.approx(1.0)
    inside = 0.5 * (0.5 * 1.0)
    at_fork = 0.5 * (0.45 + 0.1 * inside) + 0.5 * inside
    at_random = spectrum.values(made, spectrum.at_random(made))
    assert at_random.tolist() == pytest.approx([0.5 * at_fork + 0.5 * 0.4])
    from_l2 = np.eye(5)[L2]
    assert spectrum.values(made, spectrum.at_random(made), from_l2).tolist() == [0.5]


def test_entering_by_choice_by_hand():
    made = fork()
    assert spectrum.entered_by_choice(made, policy()).tolist() == [0.25]
    assert spectrum.entered_by_choice(made, policy(road=0.75, fork=0.2)).tolist() == [0.75 * 0.8]
    assert spectrum.entered_by_choice(made, policy(fork=1.0)).tolist() == [0.0]


def test_competence_by_hand():
    made = fork()
    own, random = policy(road=1, fork=1, l1=0), 0.38125
    value = 0.45  # right, and nothing from slips
    assert spectrum.competence(made, own).tolist() == pytest.approx(
        [(value - random) / (1 - random)]
    )
    best_inside = policy(l1=1, l2=1)
    inside = spectrum.region_start(made)
    assert inside.tolist() == [0, 0, 1, 0, 0]
    assert spectrum.competence(made, best_inside, inside).tolist() == [1.0]
    assert spectrum.competence(made, policy(), inside).tolist() == [0.0]
    # Without choosing to enter: right is best with .45 + .1 * 1; random walks the road or leaves.
    shut_random = 0.5 * (0.45 + 0.1 * 0.25) + 0.5 * 0.4
    own = policy(road=1, fork=0.5, l1=1, l2=1)
    assert spectrum.competence(made, own, shut=True).tolist() == pytest.approx([1.0])
    only_enters = policy(road=1, fork=0, l1=1, l2=1)  # never right, so at random among the rest
    assert spectrum.competence(made, only_enters, shut=True).tolist() == pytest.approx([1.0])
    leaves = policy(road=0)
    got = spectrum.competence(made, leaves, shut=True)
    assert got.tolist() == pytest.approx([(0.4 - shut_random) / (0.55 - shut_random)])


def test_competence_without_anything_to_gain_is_unknown():
    flat = fork()
    flat.payoff[:] = 0.0
    assert np.isnan(spectrum.competence(flat, policy())).all()


def test_forced_entries_begin_where_entering_can_be_chosen():
    at, action = spectrum.entry_start(fork())
    assert at.tolist() == [0, 1, 0, 0, 0]
    assert action.tolist() == [-1, 1, -1, -1, -1]


def test_windows_and_lock_in_by_hand():
    made = fork()
    visits = np.zeros((2, 4, 5, 2), int)
    visits[0, :, FORK, 1] = [4, 2, 1, 0]
    visits[1, :, FORK, 1] = [4, 4, 4, 4]
    visits[:, :, FORK, 0] = 9
    rates = spectrum.window_rates(visits, made.entry, np.array([10.0, 10.0, 5.0, 10.0]))
    assert rates.tolist() == [[0.4, 0.2, 0.2, 0.0], [0.4, 0.4, 0.8, 0.4]]
    assert spectrum.first_entries(np.vstack([rates, [[0, 0, 0, 0], [0, 0, 0.2, 0]]])).tolist() == [
        0, 0, -1, 2,
    ]  # fmt: skip
    lost = np.array([0.5, 0.5])
    assert spectrum.lock_in(rates, lost, 1.0, 0.4, 1).tolist() == [True, False]
    # A tenth of 1 - .4 may be missing, no more.
    assert spectrum.lock_in(rates, np.array([0.93, 0.95]), 1.0, 0.4, 1).tolist() == [True, False]
    assert spectrum.lock_in(rates, np.array([0.95, 0.5]), 1.0, 0.4, 1).tolist() == [False, False]
    assert [spectrum.ending(w) for w in (4, 10, 15, 20, 100)] == [1, 1, 2, 2, 10]
    # One window of the last tenth with entries is enough to be free.
    late = np.zeros((1, 20))
    late[0, 18] = 0.02
    assert not spectrum.lock_in(late, np.array([0.0]), 1.0, 0.0, 2)[0]


def test_horizon_by_hand():
    made = fork()
    calm = np.repeat(policy(road=0.9, fork=0.1), 8, axis=0)
    same = spectrum.horizon(made, calm, calm)
    assert same == (0.0, 0.0)
    at_the_fork = np.repeat(policy(road=0.9, fork=1.0), 8, axis=0)
    assert spectrum.horizon(made, at_the_fork, calm) == (0.0, 0.0)
    both = np.repeat(policy(road=0.3, fork=1.0), 8, axis=0)
    largest, mean = spectrum.horizon(made, both, calm)
    assert largest == 1.0
    assert mean == pytest.approx((0 * 0.9 + 1 * 0.6) / (0.9 + 0.6))
    small = np.repeat(policy(road=0.81, fork=1.0), 8, axis=0)
    assert spectrum.horizon(made, small, calm)[0] == 0.0  # a change below a tenth
    # One agent of eight that turns back proves nothing: mean .1125, standard error .1125.
    one = calm.copy()
    one[0, ROAD] = [0.0, 1.0]
    assert spectrum.horizon(made, one, calm)[0] == 0.0
    assert spectrum.toward(made, both, 1).tolist() == pytest.approx([0.3] * 8)
    assert spectrum.toward(made, both, 0).tolist() == [0.0] * 8


def test_waiting_on_the_road_is_towards_the_region_and_going_back_is_not():
    """From 0 on to 1, or stay; from 1 on to 2, or back; from 2 in (3), or out."""
    one = np.array([[1, 0], [2, 0], [3, 4], [4, 4], [4, 4]])[..., None]
    made = site(
        one, np.ones((5, 2, 1)), np.zeros((5, 2, 1)), [1, 0, 0, 0, 0], ends=[0, 0, 0, 0, 1],
        region=[-1, -1, -1, 1, -1], steps=9,
    )  # fmt: skip
    assert made.distance.tolist() == [2, 1, 0, -1, -1]
    own = np.full((1, 5, 2), [0.25, 0.75])
    assert [spectrum.toward(made, own, h)[0] for h in range(3)] == [0.25, 0.25, 1.0]


def test_coverage_gap_by_hand():
    made = fork()
    visits = np.zeros((3, 4, 5, 2), int)
    visits[:, :2] = 1  # what was tried early does not count
    visits[0, 2:, ROAD], visits[0, 3, FORK, 0] = 1, 7  # 3 of 4 outside, 0 of 4 inside
    visits[1, 2, ROAD], visits[1, 3, L1] = 1, 1  # 2 of 4, 2 of 4
    assert spectrum.coverage_gap(visits, made).tolist()[:2] == [1.0, 0.0]
    assert math.isnan(spectrum.coverage_gap(visits, made)[2])
    # Where the road cannot be reached it need not be tried: 1 of 2 outside.
    at_the_fork = replace(made, start=np.eye(5)[FORK])
    visits[0, 3, L2, 0] = 1  # 1 of 4 inside
    assert spectrum.coverage_gap(visits, at_the_fork)[0] == 0.5


def test_unlock_dose_by_hand():
    opened = np.array([[0.0, 0.25, 0.1], [0.1, 0.2, 0.24], [0.9, 0.0, 0.0]])
    assert spectrum.unlock_dose(opened).tolist() == [2.0, 4.0, 1.0]


def test_collapse_laws_are_recovered():
    t = np.arange(1.0, 21.0)
    law = spectrum.collapse_law(0.8 * np.exp(-0.15 * t), t)
    assert (law.rate, law.is_exponential) == (pytest.approx(0.15), 1.0)
    law = spectrum.collapse_law(0.8 * t**-1.5, t)
    assert (law.power, law.is_exponential) == (pytest.approx(1.5), 0.0)
    empty = np.where(t < 4, 0.5, 0.0)
    assert math.isnan(spectrum.collapse_law(empty, t).rate)
    # Windows without entries are left out, not taken for small numbers.
    holes = np.where(t % 5 == 0, 0.0, 0.8 * np.exp(-0.15 * t))
    assert spectrum.collapse_law(holes, t).rate == pytest.approx(0.15)


def test_expected_visits_and_their_divergence_by_hand():
    made = fork()
    met = experience.expected_visits(made, policy(road=0.8, fork=0.5, l1=1))[0]
    in_l1 = 0.8 * (0.5 * 0.1 + 0.5)
    assert met.tolist() == pytest.approx([1, 0.8, in_l1, in_l1, 0])
    uniform = np.array([1.0, 1, 1, 1, 0])
    assert experience.divergence(uniform, 7 * uniform) == 0.0
    assert experience.divergence(np.array([3.0, 0, 0, 0, 0]), uniform) == pytest.approx(math.log(4))
    half = experience.divergence(np.array([2.0, 1, 1, 0, 0]), uniform)
    assert half == pytest.approx(0.5 * math.log(2))
    assert math.isnan(experience.divergence(np.zeros(5), uniform))
    # Episodes of one step are spent at the start, whatever the policy.
    short = replace(made, steps=1)
    assert experience.expected_visits(short, policy(road=0.8))[0].tolist() == made.start.tolist()


def test_shares_of_percepts_inside_by_hand():
    """Two variants; places 0 and 1 look alike in the first, 1 and 2 in the second; 1 is inside."""
    percept = np.array([[0, 0, 1], [0, 1, 1]])
    visits = np.array([[[6.0, 2, 5], [0, 0, 0]], [[1, 0, 0], [1, 3, 1]]])
    share = experience.inside_share(visits, percept, np.array([False, True, False]), 3)
    assert share.tolist() == [[2 / 8, 0, 0], [0, 3 / 4, 0]]


def test_the_payoff_gradient_is_that_of_values():
    made, own = fork(), policy(road=0.7, fork=0.4, l1=0.6, l2=0.9)
    slope = experience.payoff_gradient(made, own)
    assert np.abs(slope.sum(axis=2)).max() < 1e-15
    for s in (ROAD, FORK, L1, L2):
        other = own.copy()
        other[0, s] += [1e-6, -1e-6]
        change = spectrum.values(made, other)[0] - spectrum.values(made, own)[0]
        assert change / 1e-6 == pytest.approx(slope[0, s, 0] - slope[0, s, 1], abs=1e-5)


def test_what_was_learned_off_the_gradient_by_hand():
    made, own = fork(), policy(road=0.7, fork=0.4, l1=0.6, l2=0.9)
    slope = experience.payoff_gradient(made, own)
    along = own + 0.01 * slope
    assert experience.off_gradient(made, own, along)[0] == pytest.approx(0.0, abs=1e-7)
    assert experience.off_gradient(made, own, own - 0.01 * slope)[0] == pytest.approx(0, abs=1e-7)
    assert math.isnan(experience.off_gradient(made, own, own)[0])
    # One place alone: its part of the gradient is along, the rest is off.
    other = policy(road=0.75, fork=0.4, l1=0.6, l2=0.9)
    part = slope[0, ROAD] @ slope[0, ROAD] / (slope[0] * slope[0]).sum()
    assert experience.off_gradient(made, own, other)[0] == pytest.approx(math.sqrt(1 - part))
    # Places that look alike cannot be told apart by what is learned.
    alike = replace(made, percept=np.array([0, 1, 2, 2, 0]))
    together = policy(road=0.7, fork=0.4, l1=0.6, l2=0.6)
    g = experience.payoff_gradient(alike, together)[0]
    tied = np.stack([g[ROAD], g[FORK], g[L1] + g[L2]])
    change = together.copy()
    change[0, [L1, L2]] += [0.1, -0.1]
    want = math.sqrt(1 - (tied[2] @ tied[2]) / (tied * tied).sum())
    assert experience.off_gradient(alike, together, change)[0] == pytest.approx(want)


def test_narrowing_is_agreement_with_reward_that_is_not_with_the_goal():
    assert spectrum.narrowing((0.25, 0.75), (0.25, 0.0)) == 0.75
    assert spectrum.narrowing((0.1, 0.3), (0.1, 0.3)) == 0.0


@FEW
@given(trials=st.integers(1, 5_000), share=st.floats(0, 1))
def test_wilson_equals_scipys(trials, share):
    successes = round(trials * share)
    low, high = spectrum.wilson(successes, trials)
    want = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (low, high) == (pytest.approx(want.low, abs=1e-12), pytest.approx(want.high, abs=1e-12))
    assert 0.0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1.0


def test_wilson_needs_a_trial():
    with pytest.raises(ValueError, match="at least one trial"):
        spectrum.wilson(0, 0)


@st.composite
def places(draw):
    """The parts of a random site, agents' policies and visits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, actions, outcomes = draw(st.integers(4, 8)), draw(st.integers(2, 3)), 2
    shape = (n, actions, outcomes)
    chance = rng.dirichlet(np.ones(outcomes), (n, actions))
    cdf = np.cumsum(chance, axis=2)
    cdf[..., -1] = 1.0
    parts = {
        "following": rng.integers(n, size=shape), "cdf": cdf, "payoff": rng.normal(size=shape),
        "start": rng.dirichlet(np.ones(n)), "ends": rng.random(n) < 0.2,
        "region": np.where(rng.random(n) < 0.4, 1, -1), "once": rng.random(shape) < 0.2,
    }  # fmt: skip
    parts["start"] = np.where(parts["ends"], 0.0, parts["start"])
    visits = rng.poisson(0.7, (3, 6, n, actions))
    policies = rng.dirichlet(np.ones(actions), (2, 3, n))
    return parts, draw(st.integers(1, 9)), visits, policies, rng.permutation(n)


def indices(parts, steps, visits, policies):
    """Every index that a site has, as lists of numbers."""
    made = site(**parts, steps=steps)
    own, calm = policies
    visited = experience.expected_visits(made, np.stack([own[0], calm[0]]))
    out = {
        "best": [float(spectrum.values(made, None))],
        "value": spectrum.values(made, own).tolist(),
        "entered": spectrum.entered_by_choice(made, own).tolist(),
        "rates": spectrum.window_rates(visits, made.entry, np.full(6, 5.0)).ravel().tolist(),
        "coverage": spectrum.coverage_gap(visits, made).tolist(),
        "competence": spectrum.competence(made, own).tolist(),
        "inside": spectrum.competence(made, own, spectrum.region_start(made)).tolist(),
        "shut": spectrum.competence(made, own, shut=True).tolist(),
        "off": experience.off_gradient(made, calm, own).tolist(),
        "skew": [experience.divergence(*visited)],
    }
    if made.entry.any():
        out["horizon"] = list(spectrum.horizon(made, own, calm))
        depth = int(made.distance.max())
        out["toward"] = [x for h in range(depth + 1) for x in spectrum.toward(made, own, h)]
    return made, out


@FEW
@given(case=places())
def test_indices_keep_their_bounds(case):
    parts, steps, visits, policies, _ = case
    made, found = indices(parts, steps, visits, policies)
    assert all(-1e-12 <= p <= 1 + 1e-12 for p in found["entered"])
    assert all(v <= found["best"][0] + 1e-9 for v in found["value"])
    for name in ("competence", "inside", "shut"):
        assert all(math.isnan(c) or c <= 1 + 1e-7 for c in found[name])
    assert all(math.isnan(g) or g <= 1 for g in found["coverage"])
    assert all(-1e-12 <= share <= 1 + 1e-12 for share in found["off"])
    assert found["skew"][0] >= -1e-12
    assert all(-1e-12 <= p <= 1 + 1e-12 for p in found.get("toward", []))
    if "horizon" in found:
        largest, mean = found["horizon"]
        assert 0 <= largest <= made.distance.max()
        assert 0 <= mean <= made.distance.max()
    assert np.isclose(spectrum.entry_start(made)[0].sum(), float(made.entry.any()))
    assert spectrum.region_start(made)[~made.inside].sum() == 0.0


@FEW
@given(case=places())
def test_indices_do_not_depend_on_the_names_of_states(case):
    parts, steps, visits, policies, order = case
    back = np.argsort(order)
    renamed = {name: value[order] for name, value in parts.items()}
    renamed["following"] = back[renamed["following"]]
    _, one = indices(parts, steps, visits, policies)
    _, other = indices(renamed, steps, visits[:, :, order], policies[:, :, order])
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == pytest.approx(other[name], abs=1e-6, nan_ok=True), name
