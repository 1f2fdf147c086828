"""Price sums, exact behaviour and landscapes against the reference."""

from __future__ import annotations

import importlib
import pkgutil
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference
from kernels_case import KEYS
from numba.core.caching import NullCache
from numba.core.registry import CPUDispatcher
from reference_breeding import unpack

import evosim.kernels
from evosim.kernels import landscape, philox, price
from evosim.kernels.observe import propagate
from evosim.kernels.visits import BLOCK, visits

f32 = np.float32


# Price sums


def exactly(x):
    """Fractions: the sums are then exact in any order."""
    return [Fraction(float(v)) for v in x]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("two", [False, True])
def test_price_sums_equal_exact_sums(kind, two):
    rng = np.random.default_rng(1)
    agents = price.BLOCK + 7
    per = 2
    count, born = np.array([agents, 9]), np.array([agents - 2, 5])
    values = rng.normal(5, 1, (2, agents, 2)).astype(kind)
    newborn = rng.normal(5, 1, (2, agents, 2)).astype(kind)
    at = values[:, 0].astype(float)
    gametes = rng.integers(4, size=(2, agents)).astype(np.int32)
    parent = np.stack([rng.integers(count[r], size=agents) for r in (0, 1)]).astype(np.int32)
    mate = np.stack([rng.integers(count[r], size=agents) for r in (0, 1)]).astype(np.int32)
    mate = mate if two else mate[:, :0]
    parents, children = np.full((2 * per, 3, 2), 99.0), np.full((2 * per, 2, 2), 99.0)
    price.parent_sums(0, 2 * per, count, gametes, values, at, parents)
    price.child_sums(0, 2 * per, born, parent, mate, values, newborn, at, children)
    for r, q in np.ndindex(2, 2):
        d = [x - Fraction(at[r, q]) for x in exactly(values[r, : count[r], q])]
        want = [sum(d), sum(int(w) * x for w, x in zip(gametes[r], d, strict=False)),
                sum(x * x for x in d)]  # fmt: skip
        child = exactly(newborn[r, : born[r], q])
        one = exactly(values[r, parent[r, : born[r]], q])
        other = exactly(values[r, mate[r, : born[r]], q]) if two else one
        pairs = zip(child, one, other, strict=True)
        want += [
            sum(c - (a + b) / 2 for c, a, b in pairs),
            sum(c - Fraction(at[r, q]) for c in child),
        ]
        got = [*parents.reshape(2, per, 3, 2).sum(axis=1)[r, :, q],
               *children.reshape(2, per, 2, 2).sum(axis=1)[r, :, q]]  # fmt: skip
        assert got == pytest.approx([float(x) for x in want], rel=1e-12, abs=1e-10)


def test_price_sums_write_their_blocks_only():
    values, at = np.ones((1, 3 * price.BLOCK, 1)), np.zeros((1, 1))
    gametes, count = np.ones((1, 3 * price.BLOCK), np.int32), np.array([3 * price.BLOCK])
    sums = np.full((3, 3, 1), 99.0)
    price.parent_sums(1, 2, count, gametes, values, at, sums)
    assert sums.ravel().tolist() == [*[99] * 3, *[price.BLOCK] * 3, *[99] * 3]


def test_terms_are_put_together_over_the_blocks_of_a_replicate():
    rng = np.random.default_rng(6)
    count, born = np.array([4, 3, 2]), np.array([5, 0, 2])
    gametes = rng.integers(1, 4, (3, 4)).astype(np.int32)
    reference = rng.normal(size=(3, 2))
    parents, children = rng.normal(size=(3, 2, 3, 2)), rng.normal(size=(3, 2, 2, 2))
    parents[:, :, 2] = 10 + np.abs(parents[:, :, 2])
    terms = np.full((6, 3, 2), 99.0)
    price.price_terms_of(0, 2, count, born, gametes, reference, parents, children, terms)
    assert (terms[:, 2] == 99).all()
    for r, q in np.ndindex(2, 2):
        d, weighted, squares = parents[r, :, :, q].sum(axis=0)
        passed, child = children[r, :, :, q].sum(axis=0)
        mean, n = d / count[r], count[r]
        selection = weighted / gametes[r, :n].sum() - mean if born[r] else 0.0
        transmission = passed / born[r] if born[r] else 0.0
        change = child / born[r] - mean if born[r] else 0.0
        largest = max(abs(selection), abs(transmission), abs(change))
        floor = price.CANCELLED * np.sqrt(squares / n)
        want = [reference[r, q] + mean, np.sqrt(squares / n - mean**2), selection, transmission,
                reference[r, q] + mean + change,
                abs(change - selection - transmission) / max(largest, floor)]  # fmt: skip
        assert terms[:, r, q] == pytest.approx(want, rel=1e-12)


def test_selection_on_acts_is_what_parents_did_beyond_the_populations_share():
    rng = np.random.default_rng(7)
    count, agents, actions = np.array([5, 3]), 5, 2
    acts = rng.integers(0, 9, (2, agents, 6)).astype(np.uint16)
    acts[:, :, 4:] = 0  # never met
    gametes = rng.integers(0, 3, (2, agents)).astype(np.int32)
    gametes[:, 0] = 1
    sums = np.zeros((2, 1, 2, 6))
    price.act_sums(0, 2, count, gametes, acts, sums[:, 0])
    share, now, selection = np.full((2, 6), 99.0), np.full((2, 6), 99.0), np.ones((2, 6))
    price.act_terms(0, 2, count, gametes, actions, sums, share, now, selection)
    for r, n in enumerate(count):
        done = acts[r, :n].reshape(n, 3, actions).astype(float)
        weight = gametes[r, :n] / gametes[r, :n].sum()
        met = done.sum(axis=(0, 2))
        want = done.sum(axis=0) / np.maximum(met, 1)[:, None]
        assert share[r] == pytest.approx(want.ravel(), abs=1e-15)
        beyond = done - done.sum(axis=2, keepdims=True) * want
        assert now[r] == pytest.approx(np.einsum("i,isa->sa", weight, beyond).ravel(), abs=1e-12)
    assert np.array_equal(selection, 1 + now)


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
def test_act_sums_equal_exact_sums(kind):
    rng = np.random.default_rng(2)
    agents = price.BLOCK + 3
    acts = rng.integers(0, 60_000, (2, agents, 4)).astype(kind)
    gametes = rng.integers(5, size=(2, agents)).astype(np.int32)
    count = np.array([agents, 11])
    sums = np.full((4, 2, 4), 99.0)
    price.act_sums(0, 4, count, gametes, acts, sums)
    for r, n in enumerate(count):
        lived = acts[r, :n].astype(np.int64)
        assert sums[2 * r : 2 * r + 2, 0].sum(axis=0).tolist() == lived.sum(axis=0).tolist()
        weighted = (lived * gametes[r, :n, None]).sum(axis=0)
        assert sums[2 * r : 2 * r + 2, 1].sum(axis=0).tolist() == weighted.tolist()


# Exact behaviour


def random_dynamics(rng, states=4, actions=2, outcomes=2, percepts=3, agents=3):
    shape = (states, actions, outcomes)
    following = rng.integers(states, size=shape).astype(np.int32)
    following = np.where(rng.random(shape) < 0.25, -1 - following, following).astype(np.int32)
    start = np.zeros(states)
    start[:2] = [0.3, 0.7]
    prob = rng.dirichlet(np.ones(actions), (agents, percepts)).transpose(0, 2, 1)
    prob[0, :, 0] = [1, 0]  # an action that is never taken
    return {
        "start": start,
        "percept": rng.integers(percepts, size=states).astype(np.int32),
        "following": following,
        "chance": rng.dirichlet(np.ones(outcomes), shape[:2]),
        "prob": np.ascontiguousarray(prob),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_propagation_equals_the_enumeration_of_all_episodes(seed, steps):
    rng = np.random.default_rng(seed)
    d = random_dynamics(rng)
    value = rng.normal(size=d["chance"].shape)
    target = np.array([1, 0, 1, seed % 2], np.uint8)  # some episodes start on one
    paid, reached = np.full(3, 99.0), np.full(3, 99.0)
    common = (steps, d["start"], d["percept"], d["following"], d["chance"], value)
    propagate(0, 3, *common, np.zeros(4, np.uint8), d["prob"], paid)
    propagate(1, 3, *common, target, d["prob"], reached)
    assert reached[0] == 99
    for i in range(3):
        want = [0.0, 0.0]
        total = 0.0
        for p, path in reference.episodes(
            d["start"], d["following"], d["chance"], d["prob"][i], d["percept"], steps
        ):
            total += p
            want[0] += p * sum(value[s, a, k] for s, a, k, _, _ in path)
            # Staying where one is is not entering it.
            want[1] += p * any(target[after] and after != s for s, _, _, after, _ in path)
        assert total == pytest.approx(1)
        assert paid[i] == pytest.approx(want[0], abs=1e-12)
        assert i == 0 or reached[i] == pytest.approx(want[1], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("steps", "layers"), [(1, 1), (4, 4), (4, 2)])
def test_visits_equal_the_enumeration_of_all_episodes(seed, steps, layers):
    rng = np.random.default_rng(10 + seed)
    agents = 3
    d = random_dynamics(rng, agents=agents)
    worth = rng.normal(size=(layers, 4, 2))
    met, acts, worths = np.full((1, 3), 99.0), np.full((1, 3, 2), 99.0), np.full((1, 3, 2), 99.0)
    visits(
        0, 1, steps, d["start"], d["percept"].astype(np.int64), d["following"], d["chance"],
        worth, d["prob"], met, acts, worths,
    )  # fmt: skip
    want = np.zeros(3), np.zeros((3, 2)), np.zeros((3, 2))
    for i in range(agents):
        for p, path in reference.episodes(
            d["start"], d["following"], d["chance"], d["prob"][i], d["percept"], steps
        ):
            for t, (s, a, _, _, _) in enumerate(path):
                z = d["percept"][s]
                want[0][z] += p
                want[1][z, a] += p
                want[2][z] += p * worth[min(steps - t, layers) - 1, s]
    for got, expected in zip((met, acts, worths), want, strict=True):
        assert np.allclose(got[0], expected, rtol=0, atol=1e-12)


def test_visits_are_summed_block_by_block():
    d = random_dynamics(np.random.default_rng(3), agents=BLOCK + 1)
    worth = np.zeros((1, 4, 2))
    out = np.full((2, 3), 99.0), np.full((2, 3, 2), 99.0), np.full((2, 3, 2), 99.0)
    visits(
        1, 2, 3, d["start"], d["percept"].astype(np.int64), d["following"], d["chance"], worth,
        d["prob"], *out,
    )  # fmt: skip
    assert (out[0][0] == 99).all()
    last = np.full((1, 3), 99.0), np.full((1, 3, 2), 99.0), np.full((1, 3, 2), 99.0)
    visits(
        0, 1, 3, d["start"], d["percept"].astype(np.int64), d["following"], d["chance"], worth,
        d["prob"][-1:], *last,
    )  # fmt: skip
    assert np.array_equal(out[0][1], last[0][0])
    assert out[0][1].sum() >= 1  # an episode meets at least its start


# Landscapes


@pytest.mark.parametrize("shape", [landscape.LINEAR, landscape.QUADRATIC, landscape.THRESHOLD])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_traits_equal_the_reference(shape, noise):
    rng = np.random.default_rng(4)
    genes = rng.normal(size=(2, 6, 5)).astype(f32)
    weights, optimum, width = rng.normal(size=3), rng.normal(size=3), 0.5 + rng.random(3)
    payoff = np.full((2, 6), 99.0)
    landscape.live_on_traits(
        0, 2, shape, weights, optimum, width, 0.25, 0.1, noise, 1, KEYS[:2], 3,
        np.array([6, 2]), genes, payoff,
    )  # fmt: skip
    for r, i in ((0, 0), (0, 5), (1, 1)):
        drawn = float(reference.normals(KEYS[r], 3, i, philox.NOISE, 0, 1)[0])
        want = reference.trait_payoff(
            shape, weights, optimum, width, 0.25, 0.1, genes[r, i, 1:4], noise * drawn
        )
        assert payoff[r, i] == want
    assert (payoff[1, 2:] == 99).all()


@pytest.mark.parametrize("ploidy", [1, 2])
@pytest.mark.parametrize("peaked", [False, True])
def test_bit_landscapes_equal_the_reference(ploidy, peaked):
    rng = np.random.default_rng(5)
    first, loci, words = 61, 7, 2
    bits = rng.integers(0, 2**64, (2, 40, ploidy * words), dtype=np.uint64)
    weights = rng.normal(size=loci)
    peaks = [(1.0, 1, 2, 0.4), (1.5, 0, 3, 0.1), (2.0, 1, 1, 0.1)][: 2 + ploidy] if peaked else []
    height, shoulder = (np.array([p[k] for p in peaks], float) for k in (0, 3))
    value, essential = (np.array([p[k] for p in peaks], int) for k in (1, 2))
    payoff = np.full((2, 40), 99.0)
    landscape.live_on_bits(
        0, 2, weights, 0.5, first, height, value, essential, shoulder, 0.1, ploidy, words,
        np.array([40, 3]), bits, payoff,
    )  # fmt: skip
    for r, n in ((0, 40), (1, 3)):
        for i in range(n):
            rows = bits[r, i].reshape(ploidy, words)
            strands = [unpack(row, first + loci)[first:] for row in rows]
            want = reference.bit_payoff(weights, 0.5, peaks, 0.1, strands)
            assert payoff[r, i] == pytest.approx(want, abs=1e-15)
    assert (payoff[1, 3:] == 99).all()
    assert len(set(payoff[0])) > 3


# What is covered


def kernels():
    """Names of all cached kernels, by module."""
    for module in pkgutil.iter_modules(evosim.kernels.__path__):
        loaded = importlib.import_module(f"evosim.kernels.{module.name}")
        for name, value in vars(loaded).items():
            is_own = (
                isinstance(value, CPUDispatcher) and value.py_func.__module__ == loaded.__name__
            )
            if is_own and not isinstance(value._cache, NullCache):
                yield name


def test_every_kernel_has_a_test_against_a_reference():
    folder = Path(__file__).parent
    files = [*folder.glob("test_kernels_*.py")]
    files += [folder / f"test_{name}.py" for name in ("crew", "structure", "edges")]
    tests = "".join(path.read_text() for path in files)
    names = list(kernels())
    assert len(names) > 20
    untested = [name for name in names if not re.search(rf"\b{name}\(", tests)]
    # Through the engine: test_edges, test_culture_values; with the registry.
    through = ["models_again", "share_items", "share_rows", "decided", "inherit", "user_fitness"]
    assert sorted(untested) == sorted(through)
