"""The kernels of culture against plain Python, and against what they must give on average."""

from __future__ import annotations

import numpy as np
import pytest
from kernels_case import KEYS
from reference_culture import found_in_pool, items_of, model, poisson, received

from evosim.kernels import culture as kernels

R, N, ITEMS = 2, 70, 150
WORDS = 3


def pack(items):
    """(R, N, items) bools as words."""
    out = np.zeros((*items.shape[:2], -(-items.shape[2] // 64)), np.uint64)
    for k in range(items.shape[2]):
        out[..., k >> 6] |= items[..., k].astype(np.uint64) << np.uint64(k & 63)
    return out


def case(rng, **given):
    payoff = rng.integers(0, 6, (R, N)).astype(float)
    p = {
        "counted": False, "choice": kernels.RANDOM, "path": kernels.OBLIQUE, "models": 2,
        "candidates": 1, "copying": 1.0, "fidelity": 0.9, "capacity": 10**9,
        "loci": np.full(3, -1), "keys": KEYS[:R], "generation": 7,
        "count": np.array([N, N - 3]), "genes": rng.random((R, N, 3)).astype(np.float32) * 2.2,
        "before": np.array([N - 1, N]), "payoff": payoff, "cdf": np.cumsum(payoff + 0.5, axis=1),
        "parent": rng.integers(0, N - 1, (R, N)).astype(np.int32),
        "mate": rng.integers(0, N - 1, (R, N)).astype(np.int32),
        "shown": pack(rng.random((R, N, ITEMS)) < 0.4),
    } | given  # fmt: skip
    if p["counted"]:
        p["shown"] = rng.integers(0, 60, (R, N, 1)).astype(np.uint64)
    return p


CASES = {
    "random": {},
    "low fidelity": {"fidelity": 0.2, "models": 3},
    "few lost": {"fidelity": 0.98},
    "few models then more": {"models": 7, "fidelity": 0.1},
    "none lost": {"fidelity": 1.0},
    "all lost": {"fidelity": 0.0},
    "half copy": {"copying": 0.5, "models": 1},
    "payoff": {"choice": kernels.PAYOFF},
    "best": {"choice": kernels.BEST, "candidates": 3},
    "conformist": {"choice": kernels.CONFORMIST, "models": 5, "fidelity": 0.7},
    "parents": {"path": kernels.VERTICAL},
    "capacity": {"capacity": 20},
    "no room": {"capacity": 0},
    "genes": {"loci": np.array([0, 1, 2])},
    "counted": {"counted": True, "models": 1},
    "counted, capacity": {"counted": True, "models": 1, "capacity": 10, "fidelity": 0.3},
    "nobody before": {"before": np.array([0, N])},
}


def transmitted(p):
    known = np.full_like(p["shown"], 2**64 - 1)
    kernels.transmit(
        0, R * -(-N // kernels.BLOCK),
        *(p[name] for name in (
            "counted", "choice", "path", "models", "candidates", "copying", "fidelity",
            "capacity", "loci", "keys", "generation", "count", "genes", "before", "payoff",
            "cdf", "parent", "mate", "shown",
        )),
        known,
    )  # fmt: skip
    return known


@pytest.mark.parametrize("name", CASES)
def test_transmission_against_plain_python(name):
    p = case(np.random.default_rng(3), **CASES[name])
    known = transmitted(p)
    some = 0
    for r in range(R):
        for j in range(0, p["count"][r], 3):
            expected = received(p, r, j)
            row = known[r, j]
            assert (int(row[0]) if p["counted"] else items_of(row)) == expected
            some += bool(expected)
    assert some > 10 or name in ("all lost", "no room")


def test_rows_of_more_words_than_are_decided_together():
    rng = np.random.default_rng(4)
    p = case(rng, models=3, shown=pack(rng.random((R, N, 1100)) < 0.5))
    known = transmitted(p)
    for j in range(0, N, 9):
        assert items_of(known[1, j]) == received(p, 1, j)


@pytest.mark.parametrize("fidelity", [0.3, 0.5, 0.9])
def test_an_item_arrives_by_how_many_of_its_models_show_it(fidelity):
    rng = np.random.default_rng(2)
    p = case(rng, models=3, fidelity=fidelity, shown=pack(rng.random((R, N, 900)) < 0.5))
    known, seen, got = transmitted(p), np.zeros(4), np.zeros(4)
    for j in range(N):
        shown = [items_of(p["shown"][0, model(p, 0, j, k)]) for k in range(3)]
        here = items_of(known[0, j])
        for i in range(900):
            c = sum(i in s for s in shown)
            seen[c] += 1
            got[c] += i in here
    expected = 1 - (1 - fidelity) ** np.arange(4)
    assert seen.min() > 5000
    assert (abs(got - seen * expected) <= 4 * np.sqrt(seen * expected * (1 - expected))).all()


@pytest.mark.parametrize("fidelity", [0.3, 0.5, 0.9])
def test_each_item_arrives_with_its_fidelity_and_any_of_two_models_will_do(fidelity):
    shown = np.ones((R, N, ITEMS), bool)
    shown[..., ::2] = False
    p = case(np.random.default_rng(0), fidelity=fidelity, shown=pack(shown))
    got = np.bitwise_count(transmitted(p)).sum(axis=2)[0] / 75
    expected = 1 - (1 - fidelity) ** 2
    assert abs(got.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / (75 * N))


def test_a_random_part_is_kept_where_there_is_no_room_for_all():
    p = case(np.random.default_rng(0), fidelity=1.0, models=1, capacity=30,
             shown=pack(np.ones((R, N, ITEMS), bool)))  # fmt: skip
    known = transmitted(p)[0]
    assert (np.bitwise_count(known).sum(axis=1) == 30).all()
    share = np.zeros(ITEMS)
    for row in known:
        share[list(items_of(row))] += 1 / N
    assert abs(share - 0.2).max() < 5 * np.sqrt(0.16 / N)
    assert abs(share[:75].mean() - share[75:].mean()) < 4 * np.sqrt(2 * 0.16 / (75 * N))


@pytest.mark.parametrize(("items", "rate"), [(ITEMS, 9.5), (100, 0.0), (ITEMS, 150.0), (64, 3.0)])
@pytest.mark.parametrize("masked", [False, True])
def test_finds_in_a_pool(items, rate, masked):
    rng = np.random.default_rng(5)
    known = pack(rng.random((R, N, ITEMS)) < 0.3)
    innate = pack(rng.random((R, N, ITEMS)) < 0.3)[..., :2].copy()
    before, count, learned = known.copy(), np.array([N, 8]), np.zeros((R, N), np.int64)
    blocks = R * -(-N // kernels.BLOCK)
    kernels.find_in_pool(
        0, blocks, False, items, rate, masked, KEYS[:R], 3, count, innate, known, learned
    )
    for r in range(R):
        for i in range(count[r]):
            has = items_of(before[r, i]) | (items_of(innate[r, i]) if masked else set())
            new = found_in_pool(KEYS[r], 3, i, items, rate, has)
            assert items_of(known[r, i]) == items_of(before[r, i]) | new
            assert learned[r, i] == len(new)


def test_new_items_take_the_places_that_nobody_alive_needs():
    rng = np.random.default_rng(5)
    items = rng.random((R, N, ITEMS)) < 0.002
    items[..., 140:] = False
    known = pack(items)
    count = np.array([20, 3])
    before, learned, full = known.copy(), np.zeros((R, N), np.int64), np.zeros(R, np.uint8)
    kernels.find_new(0, R, 140, 2.0, KEYS[:R], 3, count, known, learned, full)
    for r in range(R):
        used = set().union(*(items_of(before[r, i]) for i in range(count[r])))
        free = [k for k in range(140) if k not in used]
        for i in range(count[r]):
            n = poisson(KEYS[r], 3, i, 2.0)
            assert items_of(known[r, i]) - items_of(before[r, i]) == set(free[:n])
            assert learned[r, i] == n
            free = free[n:]
    assert not full.any()
    kernels.find_new(0, R, 140, 30.0, KEYS[:R], 3, count, known, learned, full)
    assert full.tolist() == [1, 0]


def test_tally_and_innate_items():
    rng = np.random.default_rng(8)
    gene = rng.random((R, N, 160)) < 0.5
    bits = pack(gene)
    innate = np.zeros((R, N, 2), np.uint64)
    kernels.innate_items(0, R, 37, 100, np.array([N, N]), bits, innate)
    for i in range(0, N, 7):
        assert items_of(innate[0, i]) == set(np.flatnonzero(gene[0, i, 37:137]).tolist())
    known, learned = pack(rng.random((R, N, ITEMS)) < 0.5), rng.integers(0, 9, (R, N))
    for masked in (False, True):
        values = np.zeros((R, N, 3))
        kernels.tally(0, R, False, masked, np.array([N, N]), innate, known, learned, values)
        for i in range(0, N, 7):
            own, new = items_of(innate[0, i]), items_of(known[0, i])
            assert values[0, i, 0] == len(own)
            assert values[0, i, 1:].sum() == len(new - own if masked else new)
