"""The kernels of culture against plain Python, and against what they must give on average."""

from __future__ import annotations

import numpy as np
import pytest
from kernels_case import KEYS
from reference_culture import (
    found_in_pool,
    imitated,
    items_of,
    model,
    models_of,
    poisson,
    received,
)

from evosim.kernels import choice, finding
from evosim.kernels import culture as kernels
from evosim.kernels.near import ANYWHERE, cumulate
from evosim.structure import _near

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
        "counted": False, "choice": choice.RANDOM, "path": choice.OBLIQUE, "models": 2,
        "candidates": 1, "copying": 1.0, "fidelity": 0.9, "capacity": 10**9, "strength": 1.0,
        "near": ANYWHERE, "contact": 0.0, "turn": 0, "compression": 1.0, "most": np.inf,
        "loss": 0.0, "spread": 0.0,
        "loci": np.full(5, -1), "keys": KEYS[:R], "generation": 7,
        "count": np.array([N, N - 3]), "genes": rng.random((R, N, 3)).astype(np.float32) * 2.2,
        "before": np.array([N - 1, N]), "payoff": payoff, "cdf": np.cumsum(payoff + 0.5, axis=1),
        "parent": rng.integers(0, N - 1, (R, N)).astype(np.int32),
        "mate": rng.integers(0, N - 1, (R, N)).astype(np.int32),
        "effort": np.zeros((R, 0)), "copied": np.zeros((R, N), np.uint8),
        "shown": pack(rng.random((R, N, ITEMS)) < 0.4),
        "known": pack(rng.random((R, N, ITEMS)) < 0.2), "skill": rng.normal(2.0, 3.0, (R, N)),
    } | given  # fmt: skip
    if p["counted"]:
        number = rng.integers(0, 60, (R, N))
        volume = number * rng.integers(0, kernels.VOLUME, (R, N))
        p["shown"] = np.stack([number, volume], axis=2).astype(np.uint64)[..., : p["counted"]]
    if given.get("taught"):
        p["effort"] = rng.random((R, N))
    if given.get("demes"):
        p |= {"near": DEMES, "contact": 0.3, "before": np.array([N, N])}
        p["cdf"] = np.empty((R, DEMES.member.size))
        cumulate(0, R, DEMES, False, payoff + 0.5, p["cdf"])
    return p


HALF = kernels.VOLUME // 2
CASES = {
    "random": {},
    "low fidelity": {"fidelity": 0.2, "models": 3},
    "few lost": {"fidelity": 0.98},
    "few models then more": {"models": 7, "fidelity": 0.1},
    "none lost": {"fidelity": 1.0},
    "all lost": {"fidelity": 0.0},
    "half copy": {"copying": 0.5, "models": 1},
    "payoff": {"choice": choice.PAYOFF},
    "best": {"choice": choice.BEST, "candidates": 3},
    "conformist": {"choice": choice.CONFORMIST, "models": 5, "fidelity": 0.7},
    "prestige": {"choice": choice.PRESTIGE, "strength": 0.8},
    "one teacher": {"choice": choice.PRESTIGE, "strength": 1.0},
    "parents": {"path": choice.VERTICAL},
    "capacity": {"capacity": 20},
    "no room": {"capacity": 0},
    "genes": {"loci": np.array([0, 1, 2, -1, -1])},
    "teaching": {"taught": True, "fidelity": 0.3},
    "peers": {"turn": 1},
    "peers, half copy": {"turn": 1, "copying": 0.5, "choice": choice.PRESTIGE, "strength": 0.5},
    "peers, capacity": {"turn": 1, "capacity": 60},
    "counted": {"counted": 1, "models": 1},
    "counted, capacity": {"counted": 1, "models": 1, "capacity": 10, "fidelity": 0.3},
    "volume": {"counted": 2, "models": 1},
    "volume, compression": {"counted": 2, "models": 1, "compression": 0.5, "most": 9.0 * HALF},
    "demes": {"demes": True, "models": 3},
    "demes, payoff": {"demes": True, "choice": choice.PAYOFF},
    "demes, best": {"demes": True, "choice": choice.BEST, "candidates": 3},
    "demes, peers": {"demes": True, "turn": 1},
    "nobody before": {"before": np.array([0, N])},
}

#: Seven demes of ten, and strangers from any other.
DEMES = _near(
    np.arange(N) // 10, [*np.arange(N).reshape(7, 10), range(N)],
    [*([e for e in range(7) if e != d] for d in range(7)), []],
)  # fmt: skip
CHOOSING = ("choice", "path", "models", "candidates", "copying", "fidelity", "capacity")
NEAR = ("near", "contact")
MODELS = (
    "loci", "keys", "generation", "count", "genes", "before", "payoff", "cdf", "parent", "mate",
    "effort",
)  # fmt: skip


def transmitted(p):
    known = np.full_like(p["shown"], 2**64 - 1) if p["turn"] == 0 else p["known"].copy()
    kernels.transmit(
        0, R * -(-N // kernels.BLOCK), bool(p["counted"]),
        *(p[name] for name in (*CHOOSING, "strength", *NEAR)),
        *(p[name] for name in ("turn", "compression", "most", *MODELS)),
        p["shown"], known, p["copied"],
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
            if p["counted"]:
                assert tuple(int(word) for word in row) == expected[: row.size]
                some += bool(expected[0])
            else:
                assert items_of(row) == expected
                some += bool(expected)
            assert p["copied"][r, j] == bool(models_of(p, r, j))
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


SKILLS = {
    "best of three": {"choice": choice.BEST, "candidates": 3, "models": 1},
    "blended": {"models": 3, "fidelity": 0.9, "capacity": 2.5},
    "taught, half copy": {"taught": True, "copying": 0.5},
    "genes": {"loci": np.array([0, 1, 2, -1, -1])},
}


@pytest.mark.parametrize("name", SKILLS)
def test_imitation_against_plain_python(name):
    given = {"capacity": 1e9} | SKILLS[name]
    p = case(np.random.default_rng(3), loss=1.5, spread=0.7, **given)
    skill = np.full((R, N), np.nan)
    kernels.imitate(
        0, R * -(-N // kernels.BLOCK), *(p[name] for name in CHOOSING), p["strength"], p["loss"],
        p["spread"], *(p[name] for name in (*NEAR, *MODELS)), p["skill"], skill, p["copied"],
    )  # fmt: skip
    for r in range(R):
        for j in range(0, p["count"][r], 3):
            assert skill[r, j] == pytest.approx(imitated(p, r, j), rel=1e-12, abs=1e-12)
            assert p["copied"][r, j] == bool(models_of(p, r, j))
    assert np.nanstd(skill) > 0.1


def test_prestige_makes_models_unequal_and_at_its_most_leaves_one():
    shown = np.zeros((R, N, ITEMS), bool)
    shown[:, range(N), range(N)] = True
    used = {}
    for strength in (0.0, 0.5, 1.0):
        p = case(np.random.default_rng(0), choice=choice.PRESTIGE, strength=strength, models=1,
                 fidelity=1.0, shown=pack(shown), count=np.array([N, N]))  # fmt: skip
        known = transmitted(p)
        used[strength] = [len({tuple(row) for row in known[r]}) for r in range(R)]
    assert used[1.0] == [1, 1]
    # At random 1 - 1/e of the agents are models of somebody.
    assert min(used[0.0]) > 0.5 * N > 0.45 * N > max(used[0.5]) > 2


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
    share = np.zeros((R, 0))
    finding.find_in_pool(
        0, blocks, False, items, rate, masked, KEYS[:R], 3, count, share, innate, known, learned
    )
    for r in range(R):
        for i in range(count[r]):
            has = items_of(before[r, i]) | (items_of(innate[r, i]) if masked else set())
            new = found_in_pool(KEYS[r], 3, i, items, rate, has)
            assert items_of(known[r, i]) == items_of(before[r, i]) | new
            assert learned[r, i] == len(new)


def test_finds_follow_the_share_of_a_life_that_is_left():
    rng = np.random.default_rng(6)
    share = rng.choice([0.0, 0.3, 1.0], (R, N))
    count, blocks = np.array([N, N]), R * -(-N // kernels.BLOCK)
    innate, learned = np.zeros((R, N, 0), np.uint64), np.zeros((R, N), np.int64)
    for counted, words in ((False, WORDS), (True, 2)):
        known = np.zeros((R, N, words), np.uint64)
        finding.find_in_pool(
            0, blocks, counted, ITEMS, 9.0, False, KEYS[:R], 3, count, share, innate, known,
            learned,
        )  # fmt: skip
        for i in range(N):
            rate = 9.0 * share[1, i]
            if counted:
                number = poisson(KEYS[1], 3, i, rate) if rate else 0
                assert known[1, i].tolist() == [number, number * kernels.VOLUME]
            else:
                assert items_of(known[1, i]) == found_in_pool(KEYS[1], 3, i, ITEMS, rate, set())
    known, full = np.zeros((R, N, 2 * WORDS), np.uint64), np.zeros(R, np.uint8)
    finding.find_new(0, R, 300, 2.0, KEYS[:R], 3, count, share, known, learned, full)
    rates = 2.0 * share[1]
    assert learned[1].tolist() == [
        poisson(KEYS[1], 3, i, x) if x else 0 for i, x in enumerate(rates)
    ]
    assert learned[1].any()


def test_new_items_take_the_places_that_nobody_alive_needs():
    rng = np.random.default_rng(5)
    items = rng.random((R, N, ITEMS)) < 0.002
    items[..., 140:] = False
    known = pack(items)
    count = np.array([20, 3])
    before, learned, full = known.copy(), np.zeros((R, N), np.int64), np.zeros(R, np.uint8)
    share = np.zeros((R, 0))
    finding.find_new(0, R, 140, 2.0, KEYS[:R], 3, count, share, known, learned, full)
    for r in range(R):
        used = set().union(*(items_of(before[r, i]) for i in range(count[r])))
        free = [k for k in range(140) if k not in used]
        for i in range(count[r]):
            n = poisson(KEYS[r], 3, i, 2.0)
            assert items_of(known[r, i]) - items_of(before[r, i]) == set(free[:n])
            assert learned[r, i] == n
            free = free[n:]
    assert not full.any()
    finding.find_new(0, R, 140, 30.0, KEYS[:R], 3, count, share, known, learned, full)
    assert full.tolist() == [1, 0]


def test_tally_and_innate_items():
    rng = np.random.default_rng(8)
    gene = rng.random((R, N, 160)) < 0.5
    bits = pack(gene)
    innate = np.zeros((R, N, 2), np.uint64)
    finding.innate_items(0, R, 37, 100, np.array([N, N]), bits, innate)
    for i in range(0, N, 7):
        assert items_of(innate[0, i]) == set(np.flatnonzero(gene[0, i, 37:137]).tolist())
    known, learned = pack(rng.random((R, N, ITEMS)) < 0.5), rng.integers(0, 9, (R, N))
    for masked in (False, True):
        values = np.zeros((R, N, 3))
        finding.tally(0, R, False, masked, np.array([N, N]), innate, known, learned, values)
        for i in range(0, N, 7):
            own, new = items_of(innate[0, i]), items_of(known[0, i])
            assert values[0, i, 0] == len(own)
            assert values[0, i, 1:].sum() == len(new - own if masked else new)
