"""Whether an observer who sees one life can tell which of two arms it was lived in.

The last generation of a finished run lives once more, from the state that the run keeps, in the
contexts of training or in others (of equal frequency). What the observer sees of a life is its
payoff. How well the best threshold on it tells two arms apart whatever the costs of errors is the
area under the curve of hits against false alarms (ROC), which is the probability that a life of
one arm brought more than one of the other, a tie counting half:

    AUC = P(x > y) + P(x = y)/2.

0.5 is a toss of a coin. Hanley & McNeil 1982, "The meaning and use of the area under a receiver
operating characteristic (ROC) curve", Radiology 143:29; Bradley 1997, Pattern Recognition 30:1145.
Populations are independent and agents within one are not, so that the interval is over replicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.claims.intervals import t_interval
from evosim.engine import Engine
from evosim.errors import UserError, did_you_mean
from evosim.resolve import resolve
from evosim.scenario.keys import join_key
from evosim.scenario.load import validate
from evosim.scenario.override import override
from evosim.scenario.resolved import plain
from evosim.scenario.segments import segments

if TYPE_CHECKING:
    from evosim.results import Run
    from evosim.scenario.model import ScenarioModel

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Apart:
    """How well single lives of two arms are told apart.

    Attributes
    ----------
    each : (R,) float64
        AUC of every pair of populations of the same replicate.
    auc, low, high : float
        Mean, and its 95% t interval.
    """

    each: F64
    auc: float
    low: float
    high: float


def auc(first: F64, second: F64) -> float:
    """Return P(x > y) + P(x = y)/2 of x drawn from `first` and y from `second`.

    Parameters
    ----------
    first, second : (n,) and (m,) float64
        At least one value each.
    """
    ordered = np.sort(second)
    below = np.searchsorted(ordered, first, side="left")
    up_to = np.searchsorted(ordered, first, side="right")
    return float((below + up_to).mean() / (2.0 * ordered.size))


def lives(run: Run, arm: str, contexts: Sequence[str] = (), threads: int = 1) -> list[F64]:
    """Let the last generation of an arm live once more, and return what its lives brought.

    Parameters
    ----------
    run : Run
        With its last state.
    arm : str
        Label of a cell.
    contexts : sequence of str, optional
        Where they live, each as often. Default: as in training, the same lives again.
    threads : int

    Returns
    -------
    list of (n,) float64
        Of each replicate: payoff per episode of the agents alive.

    Raises
    ------
    UserError
        For names that do not exist, runs without a state, cultural channels and blocks.
    """
    cells = {cell.label: cell for cell in run.scenario.arms()}
    _known(arm, cells, "arm")
    if not run.keeps_state:
        raise UserError("the run keeps no last state", file=run.path, hint="run the scenario again")
    part = f"{arm}/"
    state = {
        name.removeprefix(part): values
        for name, values in run.checkpoint.items()
        if name.startswith(part)
    }
    model = _there(segments(cells[arm].model)[-1].model, contexts)
    resolved = resolve(model)
    engine = Engine(resolved, state["keys"].copy(), threads)
    if engine.culture is not None:
        raise UserError("what was passed on is not lived again", key="channel", allowed="none")
    engine.generation = int(state["generation"])
    engine.population.count = state["count"].copy()
    engine.population.real[:] = state["real"]
    engine.population.bits[:] = state["bits"]
    lived = engine.step(last=True)
    episodes = resolved.world.episodes if resolved.world is not None else 1
    return [
        lived.payoff[r, :n] / episodes for r, n in enumerate(lived.count.tolist())
    ]  # fmt: skip


def told_apart(
    run: Run, arm: str, minus: str, contexts: Sequence[str] = (), threads: int = 1
) -> Apart:
    """Return how well single lives of two arms are told apart by what they brought.

    Parameters
    ----------
    run, contexts, threads
        As in `lives`.
    arm, minus : str
        Labels; 1 where every life of `arm` brings more.

    Raises
    ------
    UserError
        As `lives`; where populations have died out.
    """
    pairs = zip(
        lives(run, arm, contexts, threads), lives(run, minus, contexts, threads), strict=True
    )
    both = [(x, y) for x, y in pairs if x.size and y.size]
    if not both:
        raise UserError("nobody is alive in both arms", key="arm")
    each = np.array([auc(x, y) for x, y in both])
    low, high = t_interval(each) if each.size > 1 else (float("nan"), float("nan"))
    return Apart(each, float(each.mean()), low, high)


def _there(model: ScenarioModel, contexts: Sequence[str]) -> ScenarioModel:
    """Return the parameters with these contexts instead of those of training."""
    if not contexts:
        return model
    names = [context.name for context in model.context]
    for name in contexts:
        _known(name, names, "context")
    if model.block:
        raise UserError(
            "the blocks of a life say where it is lived", key="block", allowed="no contexts"
        )
    changes: dict[str, Any] = {
        join_key(["context", name, "frequency"]): (name in contexts) / len(contexts)
        for name in names
    }
    return validate(override(plain(model), changes))


def _known(name: str, known: Any, what: str) -> None:
    if name not in known:
        raise UserError(
            f"no {what} '{name}'",
            key=what,
            allowed=", ".join(known),
            hint=did_you_mean(name, known),
        )
