"""Blocks: an order of contexts within a life, for every mind; the kernels' own in theirs."""

from __future__ import annotations

import copy

import engine_case
import numpy as np
import pytest
from engine_case import MINDS, data, history

from evosim import engine
from evosim.antifake.permute import Order, reordered
from evosim.errors import UserError
from evosim.scenario import Scenario


def block(name, episodes, **frequencies):
    return {"name": name, "episodes": episodes, "frequencies": frequencies}


def in_blocks(tables, *blocks):
    """The same scenario with these blocks in place of its contexts' frequencies."""
    contexts = [{k: v for k, v in c.items() if k != "frequency"} for c in tables["context"]]
    world = {k: v for k, v in tables["world"].items() if k != "episodes"}
    return tables | {"context": contexts, "world": world, "block": list(blocks)}


@pytest.mark.parametrize("mind", MINDS)
def test_blocks_for_every_mind(mind, monkeypatch):
    """One block is as good as none, bit by bit; of two, each has the episodes it says."""
    monkeypatch.setattr(engine, "SMALL", 0)
    tables = data("chain", mind, population={"agents": 20})
    whole = in_blocks(
        tables, block("all", 2, poor=0.5, rich=0.5), block("more", 1, poor=0.5, rich=0.5)
    )
    assert history(whole, generations=2) == history(tables, generations=2)
    first = in_blocks(
        tables, block("first", 1, poor=1.0), block("none", 0, poor=1.0), block("then", 2, rich=1.0)
    )
    lives = engine_case.engine(first).step()
    world = engine_case.resolved(first).world
    by_context = np.bincount(world.variant_context, lives.context_episodes[0])
    assert by_context.tolist() == [20, 40]
    assert history(first, threads=2, generations=2) == history(first, generations=2)
    swapped = in_blocks(tables, block("then", 2, rich=1.0), block("first", 1, poor=1.0))
    assert history(swapped, generations=2) != history(first, generations=2)


def test_what_is_learned_in_one_block_meets_the_next():
    """Cross moves on payment only: what the first block taught stays, whatever the second pays."""
    tables = data("bandit", "cross", cues={"bias": 1})
    tables["context"] = [
        {"name": "summer", "reward": {"a": 1}}, {"name": "winter", "reward": {"c": 1}},
    ]  # fmt: skip
    tables["genome"] = {"policy": {"initial": {"value": 0.0}}}

    def learned(*blocks):
        made = in_blocks(tables, *blocks)
        return engine_case.engine(made).step().learned.mean(axis=(0, 1))

    ahead = learned(block("summer", 12, summer=1.0), block("winter", 12, winter=1.0))
    back = learned(block("winter", 12, winter=1.0), block("summer", 12, summer=1.0))
    assert ahead[0] > back[0] + 0.2
    assert back[2] > ahead[2] + 0.2
    assert ahead[0] == pytest.approx(back[2], abs=0.1)


def test_a_context_counts_by_its_share_of_all_episodes():
    tables = data("chain")
    made = in_blocks(tables, block("a", 6, poor=1.0), block("b", 2, poor=0.5, rich=0.5))
    world = engine_case.resolved(made).world
    assert world.episodes == 8
    assert world.frequency.tolist() == [0.875, 0.125]
    ends, share = world.blocks()
    assert ends.tolist() == [6, 8]
    assert share.sum(axis=1).tolist() == [1.0, 1.0]
    assert np.bincount(world.variant_context, share[1]).tolist() == [0.5, 0.5]
    # In another order of contexts every block keeps its own frequencies.
    order = np.argsort(-world.variant_context, kind="stable")
    axes = (np.arange(len(x)) for x in (world.states, world.actions, world.cue_names))
    turned = reordered(world, Order(order, *axes))
    assert turned.contexts == ("rich", "poor")
    assert np.array_equal(turned.blocks()[1], share[:, order])


def test_arms_and_interventions_change_blocks():
    tables = in_blocks(data("chain"), block("a", 2, poor=1.0), block("b", 1, rich=1.0))
    tables["arm"] = [{"name": "longer", "grid": {"block.a.episodes": [0, 5]}}]
    tables["intervention"] = [{"at": 2, "set": {"block.b.episodes": 4}}]
    cells = Scenario.from_dict(tables).arms()
    assert [sum(b.episodes for b in c.model.block) for c in cells] == [3, 1, 6]
    from evosim.scenario import segments

    assert [s.model.block[1].episodes for s in segments(cells[0].model)] == [1, 4]


def test_a_mistake_is_one_line():
    tables = data("chain")
    good = in_blocks(tables, block("a", 2, poor=1.0), block("b", 1, rich=1.0))
    Scenario.from_dict(good)

    def refused(change, says):
        wrong = copy.deepcopy(good)
        change(wrong)
        with pytest.raises(UserError) as caught:
            Scenario.from_dict(wrong)
        assert str(caught.value).startswith(says)

    refused(
        lambda t: t["world"].update(episodes=4),
        "world.episodes: a life of 4 episodes, but its blocks sum to 3; allowed: 3, or leave",
    )
    refused(
        lambda t: t["context"][1].update(frequency=0.5),
        "context.rich.frequency: blocks say how often contexts occur; allowed: leave it out",
    )
    refused(
        lambda t: t["block"][1].update(frequencies={"rich": 0.9}),
        "block.b.frequencies: frequencies sum to 0.9; allowed: a sum of 1",
    )
    refused(
        lambda t: t["block"][1].update(frequencies={"ritch": 1.0}),
        "block.b.frequencies.ritch: there is no context 'ritch'; allowed: poor, rich; did you",
    )
    refused(lambda t: t["block"][1].update(name="a"), "block.1: a second block called 'a'")
    refused(
        lambda t: t["world"].update(context_per="life"),
        "world.context_per: blocks draw a context for every episode; allowed: 'episode', or no",
    )
    refused(
        lambda t: t.update(phase=[{"name": "late", "start": 2, "frequencies": {"rich": 1.0}}]),
        "phase.late: phases and blocks both say how often contexts occur; allowed: interventions",
    )
    refused(
        lambda t: [b.update(episodes=0) for b in t["block"]],
        "block: no block has an episode; allowed: at least one episode",
    )
    refused(lambda t: t["block"][0].update(episodes=-1), "block.a.episodes: -1 is not allowed")
    with pytest.raises(UserError, match="a landscape has no states, so no contexts, cues, blocks"):
        Scenario.from_dict(data("traits") | {"block": [block("a", 1, poor=1.0)]})
