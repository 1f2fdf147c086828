"""Who learned what from whom: a row for each newborn that is followed and each of its models.

Looked up again after transmission, while what the models showed still stands. An agent's number is
its place in its generation: models and parents are agents of the generation before, peers of the
newborn's own, so that rows join with each other, and with the genetic pedigree that they hold.
Where an intervention brings knowledge back, models are agents of the generation that it is of.
Where generations overlap survivors keep their places, and have a row only when they are born.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.kernels import choice, edges, finding
from evosim.kernels.crew import run_blocks

if TYPE_CHECKING:
    from evosim.culture import Culture
    from evosim.engine import Engine
    from evosim.knowledge import ChannelCode
    from evosim.turns import Turn

#: Whom a newborn copied: nobody, a parent, another of the parents' generation, one of its own.
PATHS = ("none", "vertical", "oblique", "horizontal")
NONE, VERTICAL, OBLIQUE, HORIZONTAL = range(4)
#: Number of an agent that there is not.
NOBODY = -1


def learned_from(engine: Engine, genes: NDArray[np.float32], most: int) -> dict[str, NDArray[Any]]:
    """Return whom some newborns of the living generation copied, and what they took over.

    Parameters
    ----------
    engine : Engine
        Between transmission and life; nothing of it changes.
    genes : (R, N, L) float32
        Of the newborns.
    most : int
        Newborns per replicate: so many at random, or all.

    Returns
    -------
    dict of (E,) arrays
        `replicate` (its index among the engine's), `learner`, `parent`, `mate`, `model`
        (-1: there is none), `path` (an index into `PATHS`), `knew` and `taken`. A newborn that
        copied nobody has one row. In items, units of skill or learned values: what the model
        knew, and what the newborn took over from it. An item that several of its models knew is
        shared among them by the chance with which each passes on what it knows, a skill evenly.
    """
    culture, count = engine.culture, engine.population.count
    assert culture is not None
    channel = culture.code.channel
    chosen = np.empty((count.size, min(most, genes.shape[1])), np.int64)
    run_blocks(
        edges.some_of, count.size, engine.threads, engine.keys, engine.generation, count,
        culture.stayed, chosen,
    )  # fmt: skip
    parts = []
    if channel is not None and channel.is_open:
        parts.append(_turn(engine, culture, channel, False, genes, chosen))
        if culture.first is not culture.known:
            parts.append(_turn(engine, culture, channel, True, genes, chosen))
    copied = np.zeros(chosen.shape, bool)
    for part in parts:
        copied[part["row"], part["column"]] = True
    r, k = np.nonzero((chosen >= 0) & ~copied)
    nothing = np.zeros(r.size, np.float32)
    parts.append(
        {"row": r, "column": k, "model": np.full(r.size, NOBODY, np.int32), "knew": nothing,
         "taken": nothing, "path": np.full(r.size, NONE, np.uint8)}
    )  # fmt: skip
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((found["column"], found["row"]))
    r, k = found["row"][order], found["column"][order]
    j = chosen[r, k]
    born = culture.before[r] > 0
    parent = np.where(born, culture.parent[r, j], NOBODY).astype(np.int32)
    mate = np.full(r.size, NOBODY, np.int32)
    if culture.mate.shape[1]:
        mate = np.where(born, culture.mate[r, j], NOBODY).astype(np.int32)
    model, path = found["model"][order], found["path"][order]
    path[(path == OBLIQUE) & ((model == parent) | (model == mate))] = VERTICAL
    return {
        "replicate": r, "learner": j.astype(np.int32), "parent": parent, "mate": mate,
        "model": model, "path": path, "knew": found["knew"][order], "taken": found["taken"][order],
    }  # fmt: skip


def _turn(
    engine: Engine,
    culture: Culture,
    channel: ChannelCode,
    peers: bool,
    genes: NDArray[np.float32],
    chosen: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """Return the models of one turn of transmission, by row and column of `chosen`."""
    turn = culture.turn(channel, peers, engine.population.count)
    locus = turn.loci[choice.MODELS_GENE]
    room = turn.models
    if locus >= 0:
        room = min(int(np.nanmax(genes[..., locus], initial=0.0) + 0.5), choice.MOST_MODELS)
    who = np.zeros((*chosen.shape, max(room, 1)), np.int32)
    many = np.empty(chosen.shape, np.int64)
    run_blocks(
        edges.models_again, chosen.shape[0], engine.threads, turn.choice, turn.path, turn.models,
        turn.candidates, channel.copying, channel.strength, *culture.near(), turn.number,
        turn.loci, engine.keys, engine.generation, genes, turn.before, culture.payoff,
        turn.weights, culture.parent, culture.mate, chosen, who, many,
    )  # fmt: skip
    knew, taken = np.zeros(who.shape, np.float32), np.zeros(who.shape, np.float32)
    _fill(engine, culture, channel, turn, genes, chosen, who, many, knew, taken)
    r, k, m = np.nonzero(np.arange(who.shape[2]) < many[..., None])
    path = np.full(r.size, HORIZONTAL if peers else OBLIQUE, np.uint8)
    return {
        "row": r, "column": k, "model": who[r, k, m], "knew": knew[r, k, m],
        "taken": taken[r, k, m], "path": path,
    }  # fmt: skip


def _fill(
    engine: Engine,
    culture: Culture,
    channel: ChannelCode,
    turn: Turn,
    genes: NDArray[np.float32],
    chosen: NDArray[np.int64],
    who: NDArray[np.int32],
    many: NDArray[np.int64],
    knew: NDArray[np.float32],
    taken: NDArray[np.float32],
) -> None:
    """Write what models knew, and what newborns took over from each."""
    code, replicates = culture.code, np.arange(many.shape[0])[:, None]
    shown = culture.first if turn.number else culture.shown
    if code.row:
        knew[:] = code.words
        run_blocks(
            edges.share_rows, many.shape[0], engine.threads, channel.fidelity, turn.loci,
            engine.keys, engine.generation, genes, code.words // code.row, code.row, chosen, many,
            taken,
        )  # fmt: skip
        return
    own = culture.known[replicates, chosen]
    if code.skill or code.counted:
        values = own.view(np.float64) if code.skill else own
        theirs = shown.view(np.float64) if code.skill else shown
        knew[:] = theirs[replicates[..., None], who, 0]
        taken[:] = (values[..., 0] / np.maximum(many, 1))[..., None]
        return
    first = culture.first[replicates, chosen]
    if culture.first is not culture.known:
        own &= ~first if turn.number else first
    if code.masked:
        # What is innate is no information received.
        innate = np.zeros_like(culture.innate)
        run_blocks(
            finding.innate_items, many.shape[0], engine.threads, code.first, code.loci,
            engine.population.count, engine.population.bits, innate,
        )  # fmt: skip
        own[..., : innate.shape[2]] &= ~innate[replicates, chosen]
    run_blocks(
        edges.share_items, many.shape[0], engine.threads, channel.fidelity, turn.loci, genes,
        turn.effort, chosen, own, shown, who, many, knew, taken,
    )  # fmt: skip


__all__ = ["NOBODY", "PATHS", "learned_from"]
