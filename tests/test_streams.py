"""Random streams: what one purpose draws does not depend on anything else that is drawn."""

from __future__ import annotations

import engine_case
import numpy as np
import pytest
from engine_case import GENOME, MARKER, data, history

from evosim.kernels import philox
from evosim.scenario import Scenario
from evosim.simulate import simulate

ASSAYS = [
    {"name": "first", "context": "poor", "measure": {"first_action": "forward"}, "every": 1},
    {"name": "paid", "context": "rich", "measure": {"payoff": True}, "every": 2},
]


def founders(genome, ploidy=1, **changes):
    """Gene name -> founders' values or bits, replicate by replicate."""
    tables = data(genome=genome, population={"ploidy": ploidy}, **changes)
    if ploidy == 2:
        tables["reproduction"] = {"kind": "recombining"}
    made = engine_case.engine(tables)
    layout, population = made.resolved.layout, made.population
    out = {}
    for slot in layout.real:
        rows = population.real.reshape(*population.real.shape[:2], ploidy, -1)
        out[slot.name] = rows[..., slot.start : slot.stop]
    for slot in layout.bits:
        rows = population.bits.reshape(*population.bits.shape[:2], ploidy, -1)
        loci = np.arange(slot.start, slot.stop)
        out[slot.name] = rows[..., loci // 64] >> (loci % 64).astype(np.uint64) & np.uint64(1)
    return out


@pytest.mark.parametrize("ploidy", [1, 2])
@pytest.mark.parametrize(
    ("real", "bits"), [("learning_rate", "marker a"), ("temperature", "marker z")]
)
def test_a_gene_added_anywhere_changes_no_other_genes_founders(ploidy, real, bits):
    """Genes stand in the order of their names: one is added before the others, one after."""
    few = {**GENOME, "marker m": MARKER}
    more = few | {
        real: {"scale": "log", "initial": {"normal": [0, 0.1]}},
        bits: {"kind": "bits", "loci": 9, "initial": {"probability": 0.5}},
    }
    before, after = founders(few, ploidy), founders(more, ploidy)
    assert list(after) != list(before)
    for name, values in before.items():
        assert np.array_equal(values, after[name])
        assert np.unique(values).size > 1
    # Genes of one kind do not share draws either.
    twins = founders({**GENOME, "neutral a": GENOME["policy"], "neutral b": GENOME["policy"]})
    assert not (twins["neutral a"] == twins["neutral b"]).any()


def test_what_a_gene_of_bits_starts_with_does_not_move_the_policy():
    with_marker = {**GENOME, "marker": MARKER}
    one = founders(with_marker)
    other = founders({**with_marker, "marker": {**MARKER, "loci": 200}})
    assert np.array_equal(one["policy"], other["policy"])
    assert np.array_equal(one["marker"], other["marker"][..., :70])


def test_one_more_replicate_changes_no_other():
    three, four = history(data(), range(3)), history(data(), range(4))
    assert three == {r: four[r] for r in range(3)}
    assert len({tuple(h) for h in four.values()}) == 4


def test_a_replicate_alone_is_the_one_among_others():
    tables = data(selection="moran")
    together = history(tables, range(6))
    assert history(tables, [4]) == {4: together[4]}
    assert history(tables, [5, 0]) == {5: together[5], 0: together[0]}
    assert history(tables, [1000])[1000] not in together.values()


def test_assays_as_indices_change_no_life():
    plain = history(data())
    assayed = history(data(assay=ASSAYS[:1]), probes=True)
    assert plain == assayed


def test_another_seed_is_another_run():
    runs = [history(data() | {"seed": seed}) for seed in (5, 6)]
    one, other = ({digest for h in run.values() for digest in h} for run in runs)
    assert not one & other


# One purpose at a time: counters of every draw, watched through a scenario that changes it.


def step_outcome(tables):
    """Payoffs of generation 0 and genomes of generation 1."""
    made = engine_case.engine(tables)
    lives = made.step()
    return lives.payoff, made.population.real.copy()


def parents_of(tables):
    kept = []
    engine_case.engine(tables, keep_pedigree=lambda _, p: kept.append(p)).step()
    return kept[0]


def test_mutation_does_not_move_selection_nor_life():
    still = {**GENOME, "policy": {**GENOME["policy"], "mutation": 0.0}}
    one, other = data(), data(genome=still)
    assert np.array_equal(step_outcome(one)[0], step_outcome(other)[0])
    assert np.array_equal(parents_of(one).parent, parents_of(other).parent)


@pytest.mark.parametrize("selection", ["wright-fisher", "tournament", "best half"])
def test_the_second_parent_does_not_move_the_first(selection):
    clonal, paired = (
        parents_of(data(selection=selection, reproduction=kind)) for kind in ("clonal", "free")
    )
    assert np.array_equal(clonal.parent, paired.parent)
    # Nor is it the first one again; parents stand in order, mates as drawn.
    assert not np.array_equal(paired.parent, np.sort(paired.mate, axis=1))


def test_recombination_does_not_move_mutation():
    """With equal founders a child differs from them by its mutations only."""
    genome = {"policy": {"initial": {"value": 0.0}, "mutation": 0.5}}
    children = [
        step_outcome(data(genome=genome, reproduction=r))[1]
        for r in ("clonal", "free", "one point", "midparent")
    ]
    assert children[0].std() > 0.3
    for other in children[1:]:
        assert np.array_equal(children[0], other)


def test_chance_outcomes_do_not_move_actions_or_contexts():
    """Lives of one step: the same actions and contexts whatever the outcomes drawn after them."""
    steps = {"steps": 1, "length": 2, "episodes": 5}
    acts, contexts = [], []
    for slip in (0.0, 0.5):
        tables = data()
        tables["world"] = {**tables["world"], **steps, "slip": slip}
        lives = engine_case.engine(tables).step()
        acts.append(lives.acts)
        contexts.append(lives.context_episodes)
    assert np.array_equal(acts[0], acts[1])
    assert np.array_equal(contexts[0], contexts[1])


def test_environmental_noise_does_not_move_founders_or_parents():
    loud = {**GENOME, "neutral": {**GENOME["neutral"], "noise": 1.0}}
    one, other = data(selection="neutral"), data(selection="neutral", genome=loud)
    assert np.array_equal(step_outcome(one)[0], step_outcome(other)[0])
    assert np.array_equal(step_outcome(one)[1], step_outcome(other)[1])


def test_one_more_episode_changes_only_later_draws():
    totals = []
    for episodes in (2, 3):
        tables = data()
        tables["world"] = {**tables["world"], "episodes": episodes}
        made = engine_case.engine(tables)
        founders = made.population.real.copy()
        totals.append((made.step(), founders))
    (short, before), (long, after) = totals
    assert np.array_equal(before, after)
    # Every act of the shorter lives is done in the longer ones too.
    assert (short.acts <= long.acts).all()
    assert short.acts.sum() < long.acts.sum()
    assert (short.context_episodes <= long.context_episodes).all()


def test_one_more_generation_changes_no_earlier_one():
    assert history(data(), generations=4) == {
        r: h[:4] for r, h in history(data(), generations=5).items()
    }


def test_generation_agent_purpose_and_draw_fill_different_counter_words():
    base = (np.uint64(5), 1, 1, 1, 1)
    drawn = {tuple(map(int, philox.philox(*base)))}
    for k in range(1, 5):
        moved = [*base]
        moved[k] += 1
        drawn.add(tuple(map(int, philox.philox(*moved))))
    assert len(drawn) == 5


# Whole runs


@pytest.fixture(scope="module")
def plain():
    return simulate(Scenario.from_dict(data(record={"every": 1})), threads=1).tables


def rows(table, generations):
    return table[table["generation"].isin(generations)].reset_index(drop=True)


def test_more_assays_change_no_other_number(plain):
    assayed = simulate(
        Scenario.from_dict(data(record={"every": 1}, assay=ASSAYS, ledger={"indices": ["first"]})),
        threads=1,
    ).tables
    columns = plain["trajectory"].columns
    assert assayed["trajectory"][columns].equals(plain["trajectory"])
    assert assayed["contexts"].equals(plain["contexts"])
    ledger = assayed["ledger"]
    assert ledger[ledger["kind"] != "index"].reset_index(drop=True).equals(plain["ledger"])
    assert len(assayed["assays"]) > 0


def test_recording_less_changes_no_number(plain):
    rare = simulate(Scenario.from_dict(data(record={"every": 4})), threads=1).tables
    for name in ("trajectory", "contexts", "ledger"):
        kept = sorted(set(rare[name]["generation"]))
        assert set(kept) <= {0, 4, 5}
        assert rare[name].equals(rows(plain[name], kept))


def test_fewer_generations_are_the_beginning_of_more(plain):
    short = simulate(
        Scenario.from_dict(data(record={"every": 1}, population={"generations": 3})), threads=1
    ).tables
    for name in ("trajectory", "contexts", "ledger"):
        columns = [c for c in plain[name] if c != "offspring_variance"]
        cut = rows(plain[name], range(4))[columns]
        assert short[name][columns].equals(cut), name


def test_cumulative_columns_are_the_sums_up_to_their_generation(plain):
    """Rows written early must not grow with the sums they were taken from."""
    keys = ["replicate", "kind", "quantity", "context"]
    table = plain["ledger"].sort_values([*keys, "generation"])
    for name in ("selection", "transmission"):
        some = table[table[name].notna()]
        upto = some.groupby(keys, sort=False)[name].cumsum().astype(float)
        written = some[f"cumulative_{name}"].astype(float)
        assert np.abs(upto - written).max() < 1e-12
        assert {"gene", "logit"} <= set(some["kind"])
    assert "act" in set(table.loc[table["selection"].notna(), "kind"])
