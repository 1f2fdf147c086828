"""Stage 6: from the criterion to parents, by the scenario's selection scheme."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.errors import EngineError
from evosim.kernels import near, reproduce, select
from evosim.kernels.crew import run_blocks
from evosim.kernels.philox import MATE, PARENT
from evosim.kernels.userfitness import user_fitness
from evosim.ledger import Pedigree
from evosim.population import Population
from evosim.resolve import Resolved

F64 = NDArray[np.float64]


def choose_parents(
    resolved: Resolved,
    keys: NDArray[np.uint64],
    generation: int,
    population: Population,
    criterion: F64,
    fitness: F64,
    threads: int,
) -> Pedigree:
    """Choose parents and count offspring.

    Parameters
    ----------
    criterion : (R, N) float64
    fitness : (R, N) float64
        Overwritten.

    Raises
    ------
    EngineError
        Negative or non-finite fitness; a population that outgrows its limit.
    """
    code = resolved.selection
    replicates, agents = population.replicates, population.agents
    count = population.count
    paired = resolved.recombination != reproduce.CLONAL
    pedigree = Pedigree(
        gametes=np.zeros((replicates, agents), np.int32),
        parent=np.empty((replicates, agents), np.int32),
        mate=np.empty((replicates, agents if paired else 0), np.int32),
        births=np.empty((replicates, agents if code.kind == "moran" else 0), np.int32),
        born=count.copy(),
    )
    if resolved.structure is not None:
        _near(resolved, keys, generation, count, criterion, fitness, pedigree, threads)
        return pedigree
    if code.kind == "tournament":
        _tournament(code.size, keys, generation, count, criterion, pedigree, threads)
        return pedigree
    _fill_fitness(resolved, keys, generation, count, criterion, fitness, pedigree.born, threads)
    by_replicate: tuple[Any, ...] = (replicates, threads)
    if code.kind == "density":
        limit = agents
        run_blocks(
            select.poisson, *by_replicate, code.capacity, keys, generation, count, fitness, limit,
            pedigree.born, pedigree.gametes, pedigree.parent,
        )  # fmt: skip
        if (pedigree.born < 0).any():
            raise EngineError(
                f"a population outgrew its room of {limit} agents in generation {generation}",
                key="population.limit",
                hint="raise population.limit, or lower fitness or selection.capacity",
            )
    elif code.kind == "moran":
        run_blocks(
            select.moran, *by_replicate, keys, generation, pedigree.born, fitness,
            pedigree.gametes, pedigree.parent, pedigree.births,
        )  # fmt: skip
    else:
        gaps = np.empty((replicates, agents))
        blocks = replicates * -(-agents // select.BLOCK)
        run_blocks(select.spacings, blocks, threads, keys, generation, agents, gaps)
        run_blocks(
            select.wright_fisher, *by_replicate, keys, generation, count, pedigree.born, fitness,
            gaps, pedigree.gametes, pedigree.parent,
        )  # fmt: skip
    if paired:
        run_blocks(
            select.mates_by_fitness, *by_replicate, keys, generation, count, pedigree.born,
            fitness, pedigree.gametes, pedigree.mate,
        )  # fmt: skip
    return pedigree


def _near(
    resolved: Resolved,
    keys: NDArray[np.uint64],
    generation: int,
    count: NDArray[np.int64],
    criterion: F64,
    fitness: F64,
    pedigree: Pedigree,
    threads: int,
) -> None:
    """Choose parents among those near each place: what is near competes, the rest does not."""
    code, structure = resolved.selection, resolved.structure
    assert structure is not None
    replicates, agents = criterion.shape
    blocks = replicates * -(-agents // near.BLOCK)
    drawn = [(PARENT, pedigree.parent)]
    if pedigree.mate.shape[1]:
        drawn.append((MATE, pedigree.mate))
    here = (structure.parents, structure.migration)
    cdf = np.empty((replicates, structure.parents.member.size))
    if code.kind != "tournament":
        _fill_fitness(resolved, keys, generation, count, criterion, fitness, pedigree.born, threads)
        run_blocks(near.cumulate, replicates, threads, structure.parents, False, fitness, cdf)
    for purpose, source in drawn:
        if code.kind == "tournament":
            run_blocks(
                near.tournament_near, blocks, threads, code.size, *here, purpose, keys, generation,
                pedigree.born, criterion, source,
            )  # fmt: skip
        else:
            run_blocks(
                near.parents_near, blocks, threads, *here, purpose, keys, generation,
                pedigree.born, cdf, source,
            )  # fmt: skip
        run_blocks(
            select.count_gametes, replicates, threads, pedigree.born, source, pedigree.gametes
        )


def _tournament(
    size: int,
    keys: NDArray[np.uint64],
    generation: int,
    count: NDArray[np.int64],
    criterion: F64,
    pedigree: Pedigree,
    threads: int,
) -> None:
    replicates, agents = criterion.shape
    blocks = replicates * -(-agents // select.BLOCK)
    winner = np.empty((replicates, agents), np.int32)
    common = (keys, generation, count, agents, criterion)
    run_blocks(select.tournament, blocks, threads, size, *common, PARENT, winner)
    run_blocks(
        select.in_order, replicates, threads, pedigree.born, count, winner, pedigree.gametes,
        pedigree.parent,
    )  # fmt: skip
    if pedigree.mate.shape[1]:
        run_blocks(select.tournament, blocks, threads, size, *common, MATE, pedigree.mate)
        run_blocks(
            select.count_gametes, replicates, threads, pedigree.born, pedigree.mate,
            pedigree.gametes,
        )  # fmt: skip


def _fill_fitness(
    resolved: Resolved,
    keys: NDArray[np.uint64],
    generation: int,
    count: NDArray[np.int64],
    criterion: F64,
    fitness: F64,
    born: NDArray[np.int64],
    threads: int,
) -> None:
    """Write fitness; where nobody has any, nobody is born (the Poisson draws see to it alone).

    Raises
    ------
    EngineError
        Negative or non-finite fitness.
    """
    code = resolved.selection
    replicates = count.size
    if code.kind == "truncation":
        run_blocks(
            select.breeders, replicates, threads, code.fraction, code.threshold, keys, generation,
            count, criterion, fitness,
        )  # fmt: skip
    elif code.kind == "user":
        run_blocks(
            user_fitness, replicates, threads, code.tag, code.parameters, count, criterion, fitness
        )
    else:
        # Under density regulation fitness is absolute; elsewhere only ratios matter, and the
        # largest exponent is subtracted so that exp never overflows.
        run_blocks(
            select.fitness_from, replicates, threads, code.fitness, code.slope, code.baseline,
            code.kind != "density", count, criterion, fitness,
        )  # fmt: skip

    alive = np.arange(fitness.shape[1])[None, :] < count[:, None]
    bad = alive & ~((fitness >= 0.0) & (fitness < np.inf))
    if bad.any():
        r, i = np.argwhere(bad)[0]
        raise EngineError(
            f"fitness {fitness[r, i]:g} of agent {i}, replicate {r}, generation {generation}",
            key="selection.fitness",
            allowed="finite and >= 0",
            hint="raise selection.fitness.baseline or use exponential fitness",
        )
    if code.kind != "density":
        born[np.where(alive, fitness, 0.0).max(axis=1) <= 0.0] = 0
