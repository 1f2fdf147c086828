"""Assays of genes whose loci change places, and transitivity, against sums by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from evosim.assays import birth_values, make_probe
from evosim.errors import UserError
from evosim.rotations import rotations
from evosim.scenario import Scenario
from evosim.transitivity import offers
from tests import engine_case

# --- genes whose loci change places -----------------------------------------------------------


def bandit(mind="linear", **assay):
    made = engine_case.data("bandit", mind)
    made["assay"] = [{"name": "it", "context": "summer", "measure": {"payoff": True}} | assay]
    return made


def measured(tables, genes):
    resolved = engine_case.resolved(tables)
    return birth_values(make_probe(resolved.model.assay[0], resolved, 1), resolved, genes)


def genes_of(tables, seed=5):
    loci = engine_case.resolved(tables).layout.real_loci
    return np.random.default_rng(seed).normal(size=(2, 3, loci)).astype(np.float32)


def test_cues_change_places_each_with_all_its_weights():
    tables = bandit(permute="policy")
    resolved = engine_case.resolved(tables)
    slot, cues = resolved.layout.slot("policy"), len(resolved.world.cue_names)
    assert (cues, slot.loci) == (3, 9)
    genes = genes_of(tables)
    by_hand = []
    for k in range(1, cues):
        other = genes.copy()
        for output, cue in product(range(3), range(cues)):
            onto, of = (slot.start + output * cues + c for c in (cue, (cue - k) % cues))
            other[..., onto] = genes[..., of]
        by_hand.append(measured(bandit(), other))
    found = measured(tables, genes)
    np.testing.assert_allclose(found, np.mean(by_hand, axis=0), rtol=1e-13)
    assert np.abs(found - measured(bandit(), genes)).max() > 0.01


@pytest.mark.parametrize("mind", ["linear", "perceptron"])
def test_every_weight_comes_to_every_other_cue_once_and_no_other_gene_moves(mind):
    resolved = engine_case.resolved(bandit(mind))
    slot, cues = resolved.layout.slot("policy"), len(resolved.world.cue_names)
    order = rotations("policy", resolved, "key")
    assert order.shape == (cues - 1, resolved.layout.real_loci)
    everywhere = np.arange(order.shape[1])
    rows = resolved.hidden or slot.loci // cues
    moves = (everywhere >= slot.start) & (everywhere < slot.start + rows * cues)
    assert (order[:, ~moves] == everywhere[~moves]).all()
    for locus in everywhere[moves]:
        row = slot.start + (locus - slot.start) // cues * cues
        assert sorted([*order[:, locus], locus]) == list(range(row, row + cues))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"permute": "polcy"}, "assay.it.permute: there is no real gene 'polcy'.*did you mean"),
        ({"permute": "policy", "when": "death"}, "`permute` is of what an agent is born with"),
        ({"permute": "marker"}, "assay.it.permute: gene 'marker' has one part"),
    ],
)
def test_what_cannot_change_places_is_one_line(changed, message):
    tables = bandit(**changed)
    tables["genome"]["marker"] = {"mutation": 0.1}
    with pytest.raises(UserError, match=message):
        measured(tables, genes_of(bandit()))


@pytest.mark.parametrize("part", ["predict", "ledger"])
def test_nobody_has_such_genes_so_nobody_is_asked_about_them(part):
    tables = bandit(permute="policy")
    tables["assay"][0]["measure"] = {"first_action": "a"}
    tables[part] = {"assays": ["it"]} if part == "predict" else {"indices": ["it"]}
    with pytest.raises(UserError, match=f"{part}.*genes that changed places"):
        Scenario.from_dict(tables).arms()


# --- transitivity -----------------------------------------------------------------------------

#: First things lie left, second ones right; in a circle, so that no side is the better one's.
PAIRS = {"A or B": "AB", "B or C": "BC", "C or A": "CA"}


def fair(pairs=PAIRS, things="ABC", **assay):
    """A corridor with something at either end; the only cue that differs is the context."""
    made = engine_case.data("grid", "linear")
    made["world"] = made["world"] | {
        "symbols": {x: {"payoff": 1, "terminal": True} for x in "ABC"},
    }
    made["context"] = [
        {"name": name, "frequency": 1 / len(pairs), "map": f"#####\n#{a}S{b}#\n#####"}
        for name, (a, b) in pairs.items()
    ]
    made["cues"] = {"bias": 1, "place": {"one_hot": "context"}}
    made["assay"] = [
        {"name": "it", "context": list(pairs), "measure": {"transitivity": list(things)}} | assay
    ]
    return made


def consistent(weights):
    """The share of transitive triples of agents that prefer left by these logits."""
    tables = fair()
    resolved = engine_case.resolved(tables)
    genes = np.zeros((1, len(weights), resolved.layout.real_loci), np.float32)
    slot = resolved.layout.slot("policy")
    genes[0, :, slot.start : slot.stop] = weights
    return measured(tables, genes)[0]


def test_an_order_is_transitive_a_side_is_not_and_coins_are_in_three_of_four():
    # bias; A or B, B or C, C or A
    order, side = [0, 40, 40, -40], [40, 0, 0, 0]  # A > B > C, or always left
    found = consistent([order, side, [0, 0, 0, 0], [0, 40, 40, 0]])
    np.testing.assert_allclose(found, [1.0, 0.0, 0.75, 0.5], atol=1e-6)


def test_the_share_is_that_of_the_eight_ways_to_choose():
    logits = np.random.default_rng(2).normal(size=(6, 3))
    left = 1.0 / (1.0 + np.exp(-logits))
    # Whoever takes a step left or right is at an end: five steps bring nobody elsewhere.
    wanted = np.zeros(6)
    for taken in product((True, False), repeat=3):
        if len(set(taken)) > 1:  # the same side three times is a circle
            wanted += np.prod(np.where(taken, left, 1.0 - left), axis=1)
    found = consistent(np.column_stack([np.zeros(6), logits]))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_neither_is_a_toss_of_a_coin():
    resolved = engine_case.resolved(fair())
    variants = list(range(3))
    offered = offers(resolved.world, variants, "ABC", "key")
    nobody = np.zeros((3, 2, 1))
    assert offered.share(nobody).tolist() == [0.75]
    nobody[:, :, 0] = [[1, 0], [1, 0], [0, 1]]  # A over B, B over C, A over C (A comes first)
    both = [sorted(pair) for pair in PAIRS.values()]
    assert [["ABC"[k] for k in pair] for pair in offered.pair] == both
    nobody[2] = [[1], [0]]
    assert offered.share(nobody).tolist() == [1.0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pairs": {"A or B": "AB", "B or C": "BC"}}, "no three of them are offered"),
        ({"things": "ABD"}, "1 of A, B, D stand in context 'B or C'"),
        ({"things": "ABA"}, "a symbol stands twice in `transitivity`"),
    ],
)
def test_what_is_no_choice_of_two_is_one_line(changed, message):
    with pytest.raises(UserError, match=message):
        engine_case.resolved(fair(**changed)) and measured(
            fair(**changed), np.zeros((1, 1, 9), np.float32)
        )
