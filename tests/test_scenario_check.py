"""Combinations that cannot work, or do nothing, are refused; sensible ones are not."""

import pytest
from scenario_case import changed, refused, refused_file, scenario

from evosim.scenario import Scenario
from evosim.scenario.biology import Gene
from evosim.scenario.check import check_model
from evosim.scenario.check_biology import check_biology, locus_count
from evosim.scenario.check_claims import locus_labels

#: File, changes, key of the error, words of it.
REFUSED = [
    ("coinrun", {"mind.learning_rate": 0.1}, "mind.learning_rate", "does nothing without"),
    ("coinrun", {"mind.learning": "cross"}, "mind.learning", "without a learning rate"),
    ("coinrun", {"genome": {"neutral": {}}}, "genome", "acts by the gene 'policy'"),
    ("coinrun", {"genome.polisy": {}}, "genome.polisy", "did you mean 'policy'?"),
    ("coinrun", {"genome.policy.kind": "bits"}, "genome.policy", "bits"),
    (
        "coinrun",
        {"genome.policy": {"kind": "bits", "initial": {"probability": 0.5}}},
        "genome.policy.kind",
        "bits are for the gene of a landscape, innate knowledge and neutral markers",
    ),
    ("coinrun", {"population.ploidy": 2}, "population.ploidy", "need two parents"),
    ("coinrun", {"population.limit": 10}, "population.limit", "below the 500 agents"),
    (
        "coinrun",
        {"reproduction.recombination": "one-point"},
        "reproduction.recombination",
        "does nothing in clonal",
    ),
    (
        "coinrun",
        {"reproduction.kind": "recombining", "selection.kind": "moran"},
        "reproduction.kind",
        "a Moran birth has one parent",
    ),
    (
        "coinrun",
        {"reproduction": {"kind": "recombining", "recombination": "midparent"}}
        | {"population.ploidy": 2},
        "reproduction.recombination",
        "no haplotypes",
    ),
    (
        "coinrun",
        {"reproduction": {"kind": "recombining", "recombination": "midparent"}}
        | {"genome.marker": {"kind": "bits", "initial": {"value": 0}}},
        "reproduction.recombination",
        "bits have no mean (gene 'marker')",
    ),
    (
        "coinrun",
        {"selection": {"kind": "truncation", "fraction": 0.001}},
        "selection.fraction",
        "less than one parent; allowed: at least 0.002",
    ),
    ("coinrun", {"context": []}, "context", "there is no context"),
    (
        "coinrun",
        {"assay.coin left, visible.visible": {"coin": True}},
        "assay.coin left, visible.visible.coin",
        "there is no cue 'coin'; allowed: bias, coin_side",
    ),
    (
        "coinrun",
        {"assay.coin left, visible.measure": {"action": "left", "symbol": "D"}},
        "assay.coin left, visible.measure.symbol",
        "no symbol on the map of 'coin left' 'D'; allowed: C, S",
    ),
    ("coinrun", {"world.actions": ["up", "down"]}, "assay", "there is no action 'left'"),
    ("bandit", {"ledger.indices": ["flood payoff"]}, "ledger.indices", "measures whole episodes"),
    ("bandit", {"predict.assays": ["food"]}, "predict.assays", "did you mean 'flood'?"),
    ("bandit", {"ledger.indices": ["food"]}, "ledger.indices", "did you mean 'flood'?"),
    (
        "bandit",
        {"assay.flood.measure": {"action": "left", "symbol": "C"}},
        "assay.flood.measure.symbol",
        "a bandit world has no symbols",
    ),
    ("bandit", {"genome.neutral.initial": {"value": [1, 2, 3]}}, "genome", "3 values for 2 loci"),
    (
        "bandit",
        {"genome.neutral.bounds": [1, 2]},
        "genome.neutral.initial",
        "starts outside the gene's bounds; allowed: values from 1 to 2",
    ),
    (
        "landscape",
        {"genome.marker a": {"kind": "bits", "initial": {"value": 0.5}}},
        "genome.marker a.initial",
        "bits are 0 or 1",
    ),
    ("landscape", {"cues": {"bias": 1}}, "cues", "a landscape has no states"),
    (
        "landscape",
        {"context": [{"name": "a", "frequency": 1}]},
        "context",
        "a landscape has no states",
    ),
    ("landscape", {"predict": {"assays": ["x"]}}, "predict", "a landscape has no states"),
    ("landscape", {"ledger.indices": ["x"]}, "ledger.indices", "there is no assay 'x'"),
    ("landscape", {"genome.policy": {}}, "genome.policy", "nothing in this landscape reads"),
    ("landscape", {"world.gene": "tail"}, "world.gene", "there is no gene 'tail'"),
    ("landscape", {"world.peaks": []}, "world.peaks", "has no peaks"),
    ("landscape", {"world.peaks.1.essential": 9}, "world.peaks.1.essential", "allowed: 1 to 8"),
    ("landscape", {"world.shape": "linear"}, "world.peaks", "shape 'linear' does not read it"),
    ("landscape", {"world.weights": [1, 2]}, "world.weights", "'peaks' does not read it"),
    (
        "landscape",
        {"world": {"kind": "landscape", "shape": "linear", "weights": [1, 2]}},
        "world.weights",
        "2 values for 8 loci of gene 'trait'",
    ),
    (
        "landscape",
        {"world": {"kind": "landscape", "shape": "quadratic"}},
        "world.shape",
        "shape 'quadratic' reads real numbers; allowed: 'linear' or 'peaks'",
    ),
    (
        "landscape",
        {"genome.trait": {"initial": {"value": 0}, "loci": 8}},
        "genome.trait.kind",
        "shape 'peaks' reads bits",
    ),
    (
        "landscape",
        {"mind.learning": "cross", "mind.learning_rate": 1},
        "mind.learning",
        "no life to learn in",
    ),
]


@pytest.mark.parametrize(("name", "changes", "key", "says"), REFUSED, ids=lambda v: None)
def test_refused(name, changes, key, says):
    error = refused(lambda: scenario(name).override(changes), says)
    assert error.key.startswith(key)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("coinrun", {"mind.learning": "cross", "mind.learning_rate": 0.1}),
        ("coinrun", {"mind.learning": "reinforce", "genome.learning_rate": {"scale": "log"}}),
        ("coinrun", {"mind.policy": "mlp", "mind.learning": "reinforce", "mind.learning_rate": 1}),
        ("coinrun", {"genome.temperature": {"scale": "log"}, "genome.marker of drift": {}}),
        ("coinrun", {"genome.neutral": {"kind": "bits", "loci": 9, "initial": {"value": 1}}}),
        ("coinrun", {"population.ploidy": 2, "reproduction.kind": "recombining"}),
        ("coinrun", {"selection": {"kind": "truncation", "fraction": 0.002}}),
        (
            "coinrun",
            {"reproduction": {"kind": "recombining", "recombination": "midparent"}},
        ),
        (
            "coinrun",
            {"selection": {"kind": "density", "fitness": {"neutral": True}, "capacity": 500}},
        ),
        ("coinrun", {"assay.coin left, visible.measure": {"action": "up", "symbol": "C"}}),
        ("bandit", {"genome.neutral.initial": {"value": [1, 2]}}),
        (
            "landscape",
            {
                "world": {"kind": "landscape", "shape": "quadratic", "optimum": [1, 2]},
                "genome.trait": {"initial": {"value": 0}},
            },
        ),
    ],
    ids=lambda v: None,
)
def test_allowed(name, changes):
    scenario(name).override(changes)


def test_frequencies_sum_to_one():
    refused_file("coinrun", "frequency = 0.05", "frequency = 0.06", "context: frequencies sum to")
    refused_file("coinrun", 'name = "coin left"', 'name = "coin right"', "context.1", line=-1)
    text, _ = changed("coinrun", "frequency = 0.05", "frequency = 0.05000000000001")
    Scenario.from_text(text)


def test_further_genes_may_be_read():
    model = scenario("coinrun").model
    more = model.model_copy(update={"genome": {**model.genome, "boldness": Gene()}})
    refused(lambda: check_biology(more), "genome.boldness: nothing in this mind reads this gene")
    check_model(more, extra_genes=["boldness"])


def test_number_of_loci():
    assert locus_count("policy", scenario("coinrun").model) is None
    assert locus_count("neutral", scenario("bandit").model) == 2
    assert locus_count("marker a", scenario("landscape").model) == 1
    longer = scenario("landscape").override(
        {
            "world": {"kind": "landscape", "shape": "linear", "weights": [1, 2, 3]},
            "genome.trait": {"kind": "real"},
        }
    )
    assert locus_count("trait", longer.model) == 3


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("coinrun", {}),
        ("coinrun", {"world.actions": ["left", "right", "stay"]}),
        ("coinrun", {"mind.policy": "mlp", "mind.hidden": 2}),
        ("coinrun", {"mind.policy": "mlp", "world.actions": ["left", "right", "stay"]}),
        ("bandit", {}),
        ("landscape", {}),
    ],
)
def test_claims_may_name_the_loci_that_the_run_has(name, changes):
    from evosim.resolve import resolve

    claim = scenario("coinrun").model.claim[0].model_copy(update={"measure": "policy[bias]"})
    model = scenario(name).override(changes).model.model_copy(update={"claim": [claim]})
    layout = resolve(model).layout
    for slot in (*layout.real, *layout.bits):
        assert tuple(locus_labels(slot.name, model)) == slot.labels


def test_claims_are_checked_before_the_run():
    refused_file("bandit", "neutral[1]", "neutral[2]", "did you mean 'neutral[1]'?", line=0)
    for gene in ("policy[bias]", "policy[season=winter]"):
        scenario("bandit").override({"claim.1.measure": gene})
    error = refused(lambda: scenario("bandit").override({"claim.1.measure": "policy[seasons]"}))
    assert error.key == "claim.1.measure"
    three = {"world.actions": ["left", "right", "stay"]}
    scenario("coinrun").override({**three, "claim.0.measure": "policy[stay,coin_side]"})
    refused(lambda: scenario("coinrun").override({**three, "claim.0.measure": "policy[up,bias]"}))
