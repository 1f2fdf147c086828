"""Selection schemes against the reference, and what every scheme must keep."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import reference_breeding as reference
from kernels_case import KEYS

from evosim.kernels import select

REPLICATES, AGENTS = 3, 40
COUNT = np.array([40, 7, 0])
G = 11


def criterion(rng, ties=False):
    x = rng.normal(size=(REPLICATES, AGENTS))
    return np.round(x) if ties else x


def weights(rng):
    """Fitness with zeros at the beginning, in the middle and at the end."""
    w = np.where(rng.random((REPLICATES, AGENTS)) < 0.4, 0.0, rng.random((REPLICATES, AGENTS)))
    w[:, 0] = w[1, 6] = w[0, -1] = 0.0
    w[:, 3] = 0.5
    return w


def arrays(born=COUNT):
    return SimpleNamespace(
        gametes=np.full((REPLICATES, AGENTS), 99, np.int32),
        parent=np.full((REPLICATES, AGENTS), 99, np.int32),
        mate=np.full((REPLICATES, AGENTS), 99, np.int32),
        births=np.full((REPLICATES, AGENTS), 99, np.int32),
        born=born.copy(),
    )


@pytest.mark.parametrize(
    ("kind", "slope", "baseline", "relative"),
    [
        (select.EXPONENTIAL, 2.0, 0.0, True),
        (select.EXPONENTIAL, -0.5, 0.0, True),
        (select.EXPONENTIAL, 0.7, 0.0, False),
        (select.PROPORTIONAL, 0.3, 4.0, True),
        (select.NEUTRAL, 0.0, 0.0, True),
    ],
)
def test_fitness_equals_the_reference(kind, slope, baseline, relative):
    x = criterion(np.random.default_rng(1))
    out = np.full_like(x, 99)
    select.fitness_from(0, REPLICATES, kind, slope, baseline, relative, COUNT, x, out)
    for r, n in enumerate(COUNT):
        want = reference.fitness(kind, slope, baseline, relative, list(x[r, :n])) if n else []
        assert out[r, :n].tolist() == want
        assert (out[r, n:] == 99).all()
    assert kind != select.EXPONENTIAL or not relative or out[0].max() == 1.0


def test_exponential_fitness_never_overflows():
    x = np.full((REPLICATES, AGENTS), 1e6)
    x[0, 1] = -1e6
    out = np.zeros_like(x)
    select.fitness_from(0, 1, select.EXPONENTIAL, 100.0, 0.0, True, COUNT, x, out)
    assert out[0, 0] == 1.0
    assert out[0, 1] == 0.0


@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("ties", [False, True])
def test_breeders_equal_the_reference(fraction, ties):
    x = criterion(np.random.default_rng(2), ties)
    out = np.full_like(x, 99)
    select.breeders(0, REPLICATES, fraction, 0.0, KEYS, G, COUNT, x, out)
    for r, n in enumerate(COUNT):
        if n:
            want = reference.breeders(fraction, 0.0, KEYS[r], G, list(x[r, :n]))
            assert out[r, :n].tolist() == want
            assert sum(want) == max(1, math.floor(n * fraction + 0.5))
            assert x[r, :n][out[r, :n] == 1].min() >= x[r, :n][out[r, :n] == 0].max(initial=-9)
        assert (out[r, n:] == 99).all()


def test_breeders_above_a_threshold():
    x = criterion(np.random.default_rng(3), ties=True)
    out = np.full_like(x, 99)
    select.breeders(0, REPLICATES, 0.0, 1.0, KEYS, G, COUNT, x, out)
    assert np.array_equal(out[0], (x[0] >= 1.0).astype(float))


def test_ties_at_the_edge_are_broken_evenly():
    x = np.zeros((1, 6))
    x[0, 2] = 1.0
    counts = np.zeros(6)
    out = np.empty_like(x)
    runs = 3000
    for g in range(runs):
        select.breeders(0, 1, 0.5, 0.0, KEYS, g, np.array([6]), x, out)
        counts += out[0]
    assert counts[2] == runs
    p = 2 / 5
    sd = math.sqrt(p * (1 - p) / runs)
    assert np.abs(np.delete(counts, 2) / runs - p).max() < 4.5 * sd


def spaced(agents=AGENTS):
    gaps = np.full((REPLICATES, agents), 99.0)
    blocks = REPLICATES * -(-agents // select.BLOCK)
    select.spacings(0, blocks, KEYS, G, agents, gaps)
    return gaps


def test_spacings_equal_the_reference_in_any_number_of_blocks():
    gaps = spaced(select.BLOCK + 5)
    for r, j in ((0, 0), (1, 17), (2, select.BLOCK - 1), (2, select.BLOCK), (0, select.BLOCK + 4)):
        assert gaps[r, j] == reference.gap(KEYS[r], G, j)
    part = np.full_like(gaps, 99.0)
    select.spacings(3, 4, KEYS, G, gaps.shape[1], part)
    assert np.array_equal(part[1, select.BLOCK :], gaps[1, select.BLOCK :])
    assert (part[1, : select.BLOCK] == 99).all()


@pytest.mark.parametrize("seed", range(5))
def test_wright_fisher_equals_the_reference(seed):
    w = weights(np.random.default_rng(seed))
    born = np.array([40, 7, 0])
    a = arrays(born)
    select.wright_fisher(0, REPLICATES, KEYS, G, COUNT, born, w, spaced(), a.gametes, a.parent)
    for r in (0, 1):
        n = COUNT[r]
        want = reference.wright_fisher(KEYS[r], G, born[r], list(w[r, :n]))
        assert a.parent[r, : born[r]].tolist() == want
        assert a.gametes[r, :n].tolist() == np.bincount(want, minlength=n).tolist()
        assert (a.parent[r, born[r] :] == 99).all()
        assert (w[r, want] > 0).all()
    assert (a.parent[2] == 99).all()


def test_wright_fisher_is_multinomial():
    w = np.tile(np.array([[1.0, 0.0, 3.0, 4.0]]), (REPLICATES, 1))
    n, runs = 4, 4000
    counts = np.zeros((runs, n))
    for g in range(runs):
        gaps, a = np.empty((REPLICATES, n)), arrays()
        select.spacings(0, 1, KEYS, g, n, gaps)
        select.wright_fisher(
            0, 1, KEYS, g, np.array([n]), np.array([n]), w, gaps, a.gametes, a.parent
        )
        counts[g] = a.gametes[0, :n]
    p = w[0] / w[0].sum()
    assert (counts.sum(axis=1) == n).all()
    assert (np.abs(counts.mean(axis=0) - n * p) <= 4 * np.sqrt(n * p * (1 - p) / runs)).all()
    variance = n * p * (1 - p)
    assert np.allclose(counts.var(axis=0), variance, atol=4 * np.sqrt(3 / runs) * variance.max())
    covariance = np.cov(counts[:, 2], counts[:, 3])[0, 1]
    assert covariance == pytest.approx(-n * p[2] * p[3], abs=4 * variance.max() / math.sqrt(runs))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
def test_tournaments_equal_the_reference(size):
    x = criterion(np.random.default_rng(size), ties=True)
    winner = np.full((REPLICATES, AGENTS), 99, np.int32)
    for purpose in (select.PARENT, select.MATE):
        select.tournament(0, REPLICATES, size, KEYS, G, COUNT, AGENTS, x, purpose, winner)
        for r, n in enumerate(COUNT):
            want = reference.tournament(size, KEYS[r], G, list(x[r, :n]), purpose, n)
            assert winner[r, :n].tolist() == want
            assert (winner[r, n:] == 99).all()


def test_parents_are_put_in_order_and_gametes_counted():
    winner = np.random.default_rng(4).integers(7, size=(REPLICATES, AGENTS)).astype(np.int32)
    a = arrays(np.array([9, 4, 0]))
    select.in_order(0, REPLICATES, a.born, COUNT, winner, a.gametes, a.parent)
    for r, born in ((0, 9), (1, 4)):
        assert a.parent[r, :born].tolist() == sorted(winner[r, :born])
        counts = np.bincount(winner[r, :born], minlength=COUNT[r])
        assert a.gametes[r, : COUNT[r]].tolist() == counts.tolist()
    before = a.gametes.copy()
    select.count_gametes(0, REPLICATES, a.born, winner, a.gametes)
    assert np.array_equal(a.gametes[0] - before[0], np.bincount(winner[0, :9], minlength=AGENTS))


@pytest.mark.parametrize("seed", range(5))
def test_mates_equal_the_reference(seed):
    w = weights(np.random.default_rng(seed))
    a = arrays(np.array([40, 5, 0]))
    a.gametes[:] = 2
    select.mates_by_fitness(0, REPLICATES, KEYS, G, COUNT, a.born, w, a.gametes, a.mate)
    for r in (0, 1):
        want = reference.mates(KEYS[r], G, a.born[r], list(w[r, : COUNT[r]]))
        assert a.mate[r, : a.born[r]].tolist() == want
        assert np.array_equal(a.gametes[r], 2 + np.bincount(want, minlength=AGENTS))
        assert (w[r, want] > 0).all()


def test_mates_of_one_agent_with_fitness_are_that_agent():
    w = np.zeros((1, 5))
    w[0, 2] = 1e-300
    a = arrays()
    a.gametes[:] = 0
    select.mates_by_fitness(0, 1, KEYS, G, np.array([5]), np.array([5]), w, a.gametes, a.mate)
    assert (a.mate[0, :5] == 2).all()


@pytest.mark.parametrize(("scale", "limit"), [(1.0, 40), (3.0, 40), (0.0, 40), (40.0, 40)])
def test_poisson_offspring_equal_the_reference(scale, limit):
    w = weights(np.random.default_rng(6)) * scale
    a = arrays()
    capacity = 30.0
    select.poisson(0, REPLICATES, capacity, KEYS, G, COUNT, w, limit, a.born, a.gametes, a.parent)
    for r, n in enumerate(COUNT):
        means = w[r, :n] * math.exp(-n / capacity)
        want = [reference.poisson(KEYS[r], G, i, m) for i, m in enumerate(means)]
        if sum(want) > limit:
            assert a.born[r] == -1
            continue
        assert a.born[r] == sum(want)
        assert a.gametes[r, :n].tolist() == want
        assert a.parent[r, : sum(want)].tolist() == np.repeat(np.arange(n), want).tolist()
        assert (a.parent[r, sum(want) :] == 99).all()
    assert (a.born[0] == -1) == (scale == 40.0)


@pytest.mark.parametrize("mean", [0.3, 20.0, 499.0, 700.0, 3000.0])
def test_poisson_offspring_have_poisson_mean_and_variance_however_large(mean):
    n, limit = 400, 2_000_000
    a = SimpleNamespace(
        gametes=np.zeros((1, n), np.int32), parent=np.zeros((1, limit), np.int32),
        born=np.zeros(1, np.int64),
    )  # fmt: skip
    w = np.full((1, n), mean * math.e)
    select.poisson(0, 1, float(n), KEYS, G, np.array([n]), w, limit, a.born, a.gametes, a.parent)
    assert abs(a.gametes.mean() - mean) < 4 * math.sqrt(mean / n)
    assert abs(a.gametes.var() / mean - 1) < 4 * math.sqrt((2 + 1 / mean) / n)


def test_a_mean_beyond_all_limits_is_reported_not_lost():
    a = arrays()
    w = np.full((REPLICATES, AGENTS), 1e300)
    select.poisson(0, 2, 1e9, KEYS, G, COUNT, w, AGENTS, a.born, a.gametes, a.parent)
    assert a.born[:2].tolist() == [-1, -1]


@pytest.mark.parametrize("seed", range(6))
def test_moran_equals_the_reference(seed):
    w = weights(np.random.default_rng(seed))
    a = arrays()
    select.moran(0, REPLICATES, KEYS, G, COUNT, w, a.gametes, a.parent, a.births)
    for r in (0, 1):
        n = COUNT[r]
        slots = reference.moran(KEYS[r], G, list(w[r, :n]))
        assert list(zip(a.parent[r, :n].tolist(), a.births[r, :n].tolist(), strict=True)) == slots
        counts = np.bincount([i for i, _ in slots], minlength=n)
        assert a.gametes[r, :n].tolist() == counts.tolist()
        assert (a.parent[r, n:] == 99).all()
    assert (a.gametes[2] == 99).all()


def test_moran_deaths_fall_at_random_and_births_need_fitness():
    n, runs = 6, 3000
    w = np.array([[2.0, 0.0, 1.0, 1.0, 1.0, 1.0]])
    survived = np.zeros(n)
    for g in range(runs):
        a = arrays()
        select.moran(0, 1, KEYS, g, np.array([n]), w, a.gametes, a.parent, a.births)
        own = a.births[0, :n] == 0
        assert (a.parent[0, :n][own] == np.arange(n)[own]).all()
        survived += own
        assert a.gametes[0, 1] == own[1]  # without fitness there are no births
    p = (1 - 1 / n) ** n
    assert np.abs(survived / runs - p).max() < 4.5 * math.sqrt(p * (1 - p) / runs)
