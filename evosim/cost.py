"""What a run would cost, from its scenario alone and without the compiled engine.

`evosim check` shall answer at once, so this counts the arrays that the engine would make instead
of making them. Worlds are built, because that is quick and shows every mistake in their maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evosim.errors import UserError

if TYPE_CHECKING:
    from evosim.scenario import Scenario
    from evosim.scenario.model import ScenarioModel
    from evosim.worlds.tabular import TabularWorld

#: What Python, the compiled kernels and the table libraries take by themselves, in bytes.
BASE = 350_000_000
#: A row of the ledger, twice (its parts and the table they are joined into); measured, in bytes.
_ROW = 400
#: A row of who learned what from whom; measured, in bytes.
_EDGE = 240
#: What the other tables take, in such rows.
_OTHER_ROWS = 8
#: Most models that a newborn has whose gene says how many.
_MODELS = 64
#: Rows per replicate and arm that are recorded where the scenario does not say how often.
_ROWS = 50


_Built = list[tuple["ScenarioModel", "TabularWorld"]]


@dataclass(frozen=True)
class Cost:
    """How large a run is.

    Attributes
    ----------
    arms : int
        Cells of all arms.
    lives : int
        Agents times replicates times generations, over all arms.
    memory : int
        Bytes at the largest moment.
    """

    arms: int
    lives: int
    memory: int


def estimate_cost(scenario: Scenario) -> Cost:
    """Count lives and bytes of a run.

    One arm lives at a time: genomes twice (now and next), payoffs, parents, tracked acts, learned
    state; the recorded rows of all arms add up.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    Cost

    Raises
    ------
    UserError
        A world of some arm cannot be built.
    """
    cells = scenario.arms()
    lives = rows = edges = 0
    largest = 0
    built: _Built = []
    for cell in cells:
        size = cell.model.population
        try:
            world = _check_worlds(cell.model, built)
        except UserError as error:
            raise _placed(error, scenario) from None
        lives += size.agents * size.replicates * size.generations
        largest = max(largest, _agents(cell.model) * _bytes_per_agent(cell.model, world))
        recorded = size.replicates * _recorded(cell.model)
        rows += recorded * _quantities(cell.model, world)
        edges += recorded * _edges(cell.model)
    return Cost(len(cells), lives, BASE + largest + rows * _ROW + edges * _EDGE)


def _placed(error: UserError, scenario: Scenario) -> UserError:
    from evosim.scenario.lines import KeyLines
    from evosim.scenario.load import placed
    from evosim.scenario.resolved import plain

    lines = KeyLines(scenario.text)
    return placed(error, plain(scenario.model), file=scenario.path, lines=lines)


def _check_worlds(model: ScenarioModel, known: _Built) -> TabularWorld | None:
    """Build the world of every stretch of generations; return the first.

    `known` has those of the arms before: the 46 arms of the spectrum's file have five worlds.
    """
    from evosim.scenario import segments
    from evosim.scenario.kinds import user_parts

    if user_parts(model):
        # The user's file has loaded the compiler already, and only resolving calls its class.
        from evosim.resolve import resolve

        built = [resolve(part.model).world for part in segments(model)]
    elif model.world.kind == "landscape":
        return None
    else:
        built = [_world(part.model, known) for part in segments(model)]
    return built[0]


def _world(model: ScenarioModel, known: _Built) -> TabularWorld:
    from evosim.worlds.build import PARTS, build_world

    for other, world in known:
        if all(getattr(other, part) == getattr(model, part) for part in PARTS):
            return world
    known.append((model, build_world(model)))
    return known[-1][1]


def _agents(model: ScenarioModel) -> int:
    return _room(model) * model.population.replicates


def _room(model: ScenarioModel) -> int:
    size = model.population
    if model.selection.kind == "density":
        return size.limit or 4 * size.agents
    return size.agents


def _edges(model: ScenarioModel) -> int:
    """Return the most rows of who learned what from whom, per replicate and recorded generation."""
    channel, gene = model.channel, model.genome.get("models")
    if channel is None:
        return 0
    models: float = channel.models
    if gene is not None:
        models = min(gene.bounds[1], _MODELS) if gene.bounds else _MODELS
    newborns = min(model.record.edges, _room(model))
    return newborns * max(1, math.ceil(models) + channel.peers)


def _bytes_per_agent(model: ScenarioModel, world: TabularWorld | None) -> int:
    real, bits = _loci(model, world)
    genome = model.population.ploidy * (4 * real + 8 * ((bits + 63) // 64))
    # Twice the genome, eight float32 sums, parents and offspring counts, keys of the draws.
    each = 2 * genome + 8 * 4 + 4 * 3 + 24 + 4 * real
    if world is not None:
        each += 4 * _tracked(model, world) * len(world.actions)
        if getattr(model.mind, "learning", "values") != "none":
            values = max(_policy(model, world), len(world.percept_cue) * len(world.actions))
            each += 16 * (values + world.start_cdf.size)
    if model.knowledge is not None:
        # Knowledge of two generations, sources of both, pedigree, payoff.
        each += 16 * ((model.knowledge.items or 64) + 63) // 64 + 2 * 24 + 40
    if model.selection.kind == "replay":
        each += 8 * model.population.generations
    return each


def _loci(model: ScenarioModel, world: TabularWorld | None) -> tuple[int, int]:
    """Return the numbers of real loci and of bits per haplotype."""
    from evosim.scenario.check_biology import locus_count

    counts = {"real": 0, "bits": 0}
    for name, gene in model.genome.items():
        counts[gene.kind] += locus_count(name, model) or _policy(model, world)
    return counts["real"], counts["bits"]


def _policy(model: ScenarioModel, world: TabularWorld | None) -> int:
    """Return the loci of a policy (for a user's mind: as many as a linear one has)."""
    if world is None:
        return 1
    cues, actions = len(world.cue_names), len(world.actions)
    outputs = 1 if actions == 2 else actions
    if getattr(model.mind, "policy", "linear") == "mlp":
        hidden: int = getattr(model.mind, "hidden", 0)
        return hidden * (cues + 1) + outputs * (hidden + 1)
    return outputs * cues


def _tracked(model: ScenarioModel, world: TabularWorld) -> int:
    """Return the most pairs of context and percept that the ledger can follow."""
    return len(world.contexts) * min(model.ledger.percepts, len(world.percept_cue))


def _recorded(model: ScenarioModel) -> int:
    generations = model.population.generations
    return 2 + generations // (model.record.every or -(-generations // _ROWS))


def _quantities(model: ScenarioModel, world: TabularWorld | None) -> int:
    tracked = 0 if world is None else _tracked(model, world)
    reported = sum(_reported(model, world, name) for name in model.genome)
    information = 0 if model.knowledge is None else 4
    return reported + information + 3 * tracked + _OTHER_ROWS


def _reported(model: ScenarioModel, world: TabularWorld | None, gene: str) -> int:
    """Return how many quantities of a gene are reported: its loci, or their mean alone."""
    from evosim.layout import REPORTED_LOCI
    from evosim.scenario.check_biology import locus_count

    loci = locus_count(gene, model) or _policy(model, world)
    return loci if loci <= REPORTED_LOCI else 1
