"""The transmission workload of `make bench`: what it draws, and what its table says."""

from __future__ import annotations

import numpy as np
import pytest

from evosim.bench import channel, tables
from evosim.bench.channel import AGENTS, FIDELITY, ITEMS, KNOWN, MODELS, Channel, Stage, mask_words

Z = 4


def test_newborns_receive_what_three_models_pass_on() -> None:
    """Mean and spread of the items received, over newborns and their independent items."""
    stage = Stage(2_000)
    assert stage.seconds(3) > 0
    got = np.bitwise_count(stage.culture.known[0]).sum(axis=1)
    p = 1 - (1 - KNOWN * FIDELITY) ** MODELS
    # Newborns share models: at most MODELS times as many shares of an item as if they did not.
    error = np.sqrt(MODELS * p * (1 - p) / (ITEMS * 2_000))
    assert abs(got.mean() / ITEMS - p) < Z * error
    assert got.std() == pytest.approx(np.sqrt(ITEMS * p * (1 - p)), rel=0.1)


def test_the_estimate_of_words_is_what_masks_take() -> None:
    """Masks drawn for 64 items at a time, digit by digit, in plain NumPy."""
    rng, trials = np.random.default_rng(0), 4_000
    own, words = np.zeros((trials, 64), bool), np.zeros(trials)
    for _ in range(MODELS):
        left = (rng.random((trials, 64)) < KNOWN) & ~own
        own |= left & (rng.random((trials, 64)) < FIDELITY)
        while left.any():
            words += left.any(axis=1)
            left &= rng.random((trials, 64)) < 0.5
    words *= ITEMS / 64
    assert abs(words.mean() - mask_words()) < Z * words.std() / np.sqrt(trials)


def test_gathering_reads_and_writes_every_row() -> None:
    stage = Stage(50)
    assert stage.gathering() > 0
    rows = stage.culture.shown[0][stage.who]
    assert np.array_equal(stage.culture.known[0], np.bitwise_or.reduce(rows, axis=1))
    assert channel.drawing(10) > 0


def test_the_table_judges_excess_and_growth() -> None:
    def rows(own: dict[int, list[float]]) -> list[list[str]]:
        found = Channel(own, memory=[1e-7, 2e-7], random=[2e-7, 3e-7])
        table = tables.channel_table(found)
        return list(zip(*(column.cells for column in table.columns), strict=True))

    good = rows({10_000: [4e-7, 4e-7], AGENTS: [4e-7, 4e-7], 1_000_000: [6e-7, 6e-7]})
    assert [row[1] for row in good[:3]] == ["150 ns", "250 ns", "400 ns"]
    assert good[3][1:] == ("1.67", "at most 2", "yes")
    assert [row[1:] for row in good[4:]] == [
        ("1.00", "0.8 to 1.2", "yes"), ("1.50", "0.8 to 1.2", "no"),
    ]  # fmt: skip
    assert rows({AGENTS: [7e-7, 7e-7]})[3][3] == "no"
