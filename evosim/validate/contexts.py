"""The Price equation and what follows from it, in several contexts (results T15, T16, T19).

A life is lived in several contexts, in which the same preference may pay or cost. What selection
does to it is the mean of what it would do in each, weighted by how often they are met.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.ledger import Pedigree
from evosim.lives import Lives
from evosim.oracles import price_partition
from evosim.oracles.price import covariance
from evosim.validate.models import Data, same_founders, scenario, values
from evosim.validate.suite import IDENTITY, Case, Row, result

F64 = npt.NDArray[np.float64]

#: Contexts of a bandit with two actions: frequency, and what each action pays there.
CONTEXTS: dict[str, tuple[float, float, float]] = {
    "often": (0.5, 1.0, 0.0), "rare": (0.2, 0.0, 1.0), "either": (0.3, 0.4, 0.4),
}  # fmt: skip


def choices(agents: int, episodes: int, *, spread: float = 1.0, sides: bool = False) -> Data:
    """Return a choice of two actions in several contexts; payoff adds to fitness.

    Parameters
    ----------
    spread : float
        Sd of founders' loci.
    sides : bool
        Whether a second cue tells the contexts apart: +1 often, -1 where rare, 0 in the third.
    """
    side = {"often": 1.0, "rare": -1.0, "either": 0.0}
    return scenario(
        agents,
        world={"kind": "bandit", "actions": ["one", "two"], "episodes": episodes},
        context=[
            {
                "name": name, "frequency": share, "payoff": {"one": one, "two": two},
                **({"cues": {"side": side[name]}} if sides else {}),
            }
            for name, (share, one, two) in CONTEXTS.items()
        ],
        cues={"bias": 1.0, **({"side": {"context": True}} if sides else {})},
        genome={"policy": {"initial": {"normal": [0.0, spread]}}},
        selection={
            "kind": "wright-fisher", "fitness": {"proportional": 1.0, "baseline": BASELINE}
        },
    )  # fmt: skip


#: Fitness of an agent without payoff.
BASELINE = 0.5


@result(
    "T15",
    "Selection on what agents did, by context: Cov(W, n_cza - n_cz pbar_cza) / mean(W)",
    replicates=3,
    quick=2,
    settings=[{"agents": 300, "contexts": 1}, {"agents": 300, "contexts": 3}],
)
def price_acts(case: Case, agents: int, contexts: int) -> Iterator[Row]:
    """Recompute selection on acts from every agent's counts (Price 1970).

    With several contexts an agent meets each of them as often as luck has it; what it meets is
    taken out, so that only what it does there counts.
    """
    data = choices(agents, 10)
    if contexts == 1:
        data["context"] = [data["context"][0] | {"frequency": 1.0}]
    engine = case.engine(data)
    worst = 0.0

    def closed(engine: Engine, lives: Lives, pedigree: Pedigree) -> None:
        nonlocal worst
        for r in range(engine.population.replicates):
            acts = lives.acts[r].astype(np.float64).reshape(agents, contexts, -1)
            met = acts.sum(axis=2, keepdims=True)
            share = acts.sum(axis=0) / met.sum(axis=0)
            done = (acts - met * share).reshape(agents, -1)
            offspring = np.bincount(pedigree.parent[r], minlength=agents).astype(np.float64)
            expected = np.array([price_partition(a, offspring, a).selection for a in done.T])
            off = np.abs(engine.ledger.acts.now[r].reshape(-1) - expected).max()
            worst = max(worst, float(off / np.abs(expected).max()))

    engine.closed = closed
    for _ in range(5):
        engine.step()
    yield case.error("ledger of acts against pedigree", worst, IDENTITY, "largest term")


@result(
    "T16",
    "With contexts the response is the mean of theirs: sum f_c Cov(payoff_c, z) / wbar",
    replicates=4_000,
    quick=600,
    settings=[{"agents": 300, "episodes": 10}],
)
def secondary_theorem_by_context(case: Case, agents: int, episodes: int) -> Iterator[Row]:
    """Measure the mean response of a preference that pays in one context and costs in another.

    One parental population, many lives and offspring generations. Fitness is linear in payoff,
    so that the luck of which contexts are met leaves the expected response alone, up to a share
    of 1/N (Robertson 1966).
    """
    terms, changes, against = [], [], 0.0
    for batch in case.batches(agents):
        engine = same_founders(case.engine_of(case.resolved(choices(agents, episodes)), batch))
        z = values(engine)[0, :, 0]
        engine.step()
        changes.append(values(engine)[..., 0].mean(axis=1) - z.mean())
        by_context = _differentials(z)
        terms.append(np.full(changes[-1].size, sum(by_context.values())))
        against = max(against, abs(by_context["rare"]))
    expected, change = np.concatenate(terms), np.concatenate(changes)
    yield case.mean(
        "mean change of the preference", float(expected.mean()), change,
        bias=2.0 * (float(expected.mean()) + against) / agents,
        sd=float((change - expected).std(ddof=1)),
    )  # fmt: skip


def _differentials(z: F64) -> dict[str, float]:
    """Return f_c Cov(payoff_c, z) / wbar of every context, of preferences z (N,) for `one`."""
    one = 1.0 / (1.0 + np.exp(-z))
    payoff = {name: a * one + b * (1.0 - one) for name, (_, a, b) in CONTEXTS.items()}
    share = {name: f for name, (f, _, _) in CONTEXTS.items()}
    fitness = BASELINE + sum(share[name] * float(payoff[name].mean()) for name in CONTEXTS)
    return {name: share[name] * covariance(payoff[name], z) / fitness for name in CONTEXTS}


@result(
    "T19",
    "With contexts each cue's weight responds by its mean gradient: G sum f_c beta_c",
    replicates=400,
    quick=60,
    settings=[{"agents": 5_000, "spread": 0.3}],
)
def response_by_context(case: Case, agents: int, spread: float) -> Iterator[Row]:
    """Measure the responses of the weights of two cues to selection in three contexts.

    Lande 1979 with beta averaged over contexts: at small weights an action's probability is
    1/2 + cues.weights/4, so that beta_c = cues_c (payoff of one - payoff of two) / (4 wbar). The
    next order is a share of the weights' variance.
    """
    side = {"often": 1.0, "rare": -1.0, "either": 0.0}
    gradient = np.zeros(2)
    mean = BASELINE
    for name, (share, one, two) in CONTEXTS.items():
        gradient += share * (one - two) / 4.0 * np.array([1.0, side[name]])
        mean += share * (one + two) / 2.0
    response = spread**2 * gradient / mean
    changes = []
    data = choices(agents, 10, spread=spread, sides=True)
    for batch in case.batches(agents):
        engine = case.engine_of(case.resolved(data), batch)
        before = values(engine).mean(axis=1)
        engine.step()
        changes.append(values(engine).mean(axis=1) - before)
    change = np.concatenate(changes)
    # tanh(y/2)/2 = y/4 (1 - y^2/12 ...): by Stein's lemma E[y^2] / 4 of the slope is lost.
    lost = spread**2 / 2.0
    for k, cue in enumerate(("bias", "side")):
        yield case.mean(
            f"response of the weight of '{cue}'", response[k], change[:, k],
            bias=lost * float(response[k]),
        )  # fmt: skip
