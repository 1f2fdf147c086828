"""Combinations of knowledge, channel, genome and selection that cannot work or do nothing."""

from __future__ import annotations

from evosim.errors import UserError, did_you_mean
from evosim.scenario.check_values import check_values
from evosim.scenario.culture import Channel, Knowledge
from evosim.scenario.keys import join_key
from evosim.scenario.model import ScenarioModel

#: Genes that stand in for a number of the channel.
CHANNEL_GENES = ("copying", "fidelity", "models", "teaching", "critical")


def culture_genes(model: ScenarioModel) -> tuple[str, ...]:
    """Return the genes that knowledge and channel read."""
    innate = (model.knowledge.gene,) if model.knowledge and model.knowledge.gene else ()
    return (*innate, *(CHANNEL_GENES if model.channel else ()))


def check_culture(model: ScenarioModel) -> None:
    """Check knowledge and channel against the rest of the scenario.

    Raises
    ------
    UserError
        With the key and what is allowed.
    """
    knowledge, channel = model.knowledge, model.channel
    if model.record.edges and channel is None:
        raise UserError(
            "nobody learns from anybody", key="record.edges", allowed="0, or with a table [channel]"
        )
    _check_brought_back(model)
    if knowledge is None:
        if channel is not None:
            raise UserError(
                "there is nothing to pass on", key="channel", allowed="with a table [knowledge]"
            )
        return
    _check_gene(knowledge, model)
    if model.selection.model is not None:
        raise UserError(
            "knowledge is no outcome of an episode that a reward model could be fitted to",
            key="selection.model",
            allowed="no model beside [knowledge]",
        )
    if knowledge.pool == "values":
        check_values(model)
    if channel is not None:
        _check_channel(channel, knowledge, model)


def _check_gene(knowledge: Knowledge, model: ScenarioModel) -> None:
    if knowledge.gene is None:
        return
    gene = model.genome.get(knowledge.gene)
    bits = [name for name, spec in model.genome.items() if spec.kind == "bits"]
    if gene is None or gene.kind != "bits":
        raise UserError(
            f"there is no gene of bits called '{knowledge.gene}'",
            key="knowledge.gene",
            allowed=", ".join(bits) or "the name of a gene of kind 'bits'",
            hint=did_you_mean(knowledge.gene, bits),
        )
    key = join_key(["genome", knowledge.gene, "loci"])
    if gene.loci is None:
        raise UserError("says not how many items can be innate", key=key, allowed="a whole number")
    if knowledge.innate == "masked" and gene.loci > (knowledge.items or 0):
        raise UserError(
            f"{gene.loci} innate items of a pool of {knowledge.items}",
            key=key,
            allowed=f"at most {knowledge.items}, or knowledge.innate = 'disjoint'",
        )
    if model.population.ploidy == 2:
        raise UserError(
            "two haplotypes may disagree on what is innate",
            key="population.ploidy",
            allowed="1 with knowledge.gene",
        )


def _check_channel(channel: Channel, knowledge: Knowledge, model: ScenarioModel) -> None:
    for name in CHANNEL_GENES:
        gene = model.genome.get(name)
        if gene is not None and (gene.kind != "real" or (gene.loci or 1) != 1):
            raise UserError(
                "a gene of the channel is one real locus",
                key=join_key(["genome", name]),
                allowed="kind = 'real', loci = 1",
            )
    if knowledge.pool == "counted" and (channel.models > 1 or "models" in model.genome):
        raise UserError(
            "numbers of items do not tell which of them two models share",
            key="channel.models" if channel.models > 1 else "genome.models",
            allowed="one model, or knowledge.pool = 'open'",
        )
    _check_pool(channel, knowledge, "teaching" in model.genome)
    if channel.path == "vertical":
        parents = 2 if model.reproduction.kind == "recombining" else 1
        if channel.models > parents or "models" in model.genome:
            raise UserError(
                f"a newborn has {parents} parent{'s' * (parents > 1)}",
                key="channel.models" if channel.models > parents else "genome.models",
                allowed=f"at most {parents}, or path = 'oblique'",
            )


def _check_pool(channel: Channel, knowledge: Knowledge, teachers: bool) -> None:
    """Refuse keys of the channel that the kind of knowledge has no use for."""
    skill, items = knowledge.pool == "skill", knowledge.pool in ("finite", "open")
    wrong = [
        ("peers", channel.peers > 0 and not items, "peers tell each other items"),
        ("compression", channel.compression < 1.0 and knowledge.pool != "counted",
         "which items were passed on how often is not kept"),
        ("choice", channel.choice == "conformist" and skill, "a skill is no item that most know"),
        ("loss", channel.loss != 0.0 and not skill, "items are not lost by degrees"),
        ("spread", channel.spread > 0.0 and not skill, "items have no error"),
        ("noise", channel.noise > 0.0 and knowledge.pool != "values", "items have no error"),
        ("teaching", channel.choice == "conformist" and teachers,
         "most of several models are no teacher"),
    ]  # fmt: skip
    allowed = {
        "peers": "knowledge.pool = 'finite' or 'open'",
        "compression": "knowledge.pool = 'counted'",
        "choice": "another choice, or a pool of items",
        "loss": "knowledge.pool = 'skill'",
        "spread": "knowledge.pool = 'skill'",
        "noise": "knowledge.pool = 'values'",
        "teaching": "no gene 'teaching', or another choice",
    }
    for key, is_wrong, says in wrong:
        if is_wrong:
            raise UserError(says, key=f"channel.{key}", allowed=allowed[key])


def _check_brought_back(model: ScenarioModel) -> None:
    """Refuse to bring back knowledge that nobody has, or whose bearers would be of another size."""
    for index, change in enumerate(model.intervention):
        key = f"intervention.{index}.bring_back"
        if change.bring_back and model.selection.kind in ("density", "moran"):
            raise UserError(
                "what is brought back is of as many agents",
                key=key,
                allowed="a selection of constant size, generation by generation",
            )
        if "knowledge" in change.bring_back and model.channel is None:
            raise UserError(
                "there is no knowledge that is passed on", key=key, allowed="with [channel]"
            )
