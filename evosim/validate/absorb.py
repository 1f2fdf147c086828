"""Running replicates until an allele is lost or fixed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.validate.models import Data, frequency, keep
from evosim.validate.suite import F64, Case


class Ends(NamedTuple):
    """How each of R replicates ended: (R,) bool fixed, (R,) int64 generations until then."""

    fixed: npt.NDArray[np.bool_]
    time: npt.NDArray[np.int64]


#: Room times this many generations; drift alone leaves exp(-20) of the replicates undecided.
PATIENCE = 20


def absorb(case: Case, data: Data, *, enough: float = 1.0, measure: Any = frequency) -> Ends:
    """Run each replicate until `measure` is 0 or at least `enough`.

    Replicates that ended are dropped, which changes nothing for the others. Those that never
    end (in a broken simulator) are given up as not fixed.

    Parameters
    ----------
    case : Case
    data : scenario tables
    enough : float
        Counts as fixed from here on.
    measure : callable
        ``measure(engine) -> (R,)``.
    """
    resolved = case.resolved(data)
    fixed = np.zeros(case.replicates, np.bool_)
    time = np.zeros(case.replicates, np.int64)
    population = data["population"]
    room = population.get("limit", population["agents"])
    last = PATIENCE * room * population.get("ploidy", 1)
    for batch in case.batches(room):
        engine, running = case.engine_of(resolved, batch), batch
        time[batch] = last
        while running.size and engine.generation < last:
            engine.step()
            now: F64 = measure(engine)
            done = (now <= 0.0) | (now >= enough)
            fixed[running[done]] = now[done] >= enough
            time[running[done]] = engine.generation
            engine, running = _thinned(engine, running, done)
    return Ends(fixed, time)


def _thinned(
    engine: Engine, running: npt.NDArray[np.int64], done: npt.NDArray[np.bool_]
) -> tuple[Engine, npt.NDArray[np.int64]]:
    """Drop the replicates that are done."""
    if not done.any():
        return engine, running
    if done.all():
        return engine, running[:0]
    return keep(engine, ~done), running[~done]
