"""The Price equation and what follows from it (results T15-T17).

Price 1970, 1972; Robertson 1966, 1968; Fisher 1930. Everything is computed here, outside the
ledger, from the pedigree and the genomes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.ledger import Pedigree
from evosim.lives import Lives
from evosim.oracles import (
    fundamental_theorem,
    haploid_step,
    parental_means,
    price_partition,
    price_two_level,
)
from evosim.validate.models import ADDED, Data, alleles, frequency, same_founders, scenario, values
from evosim.validate.suite import IDENTITY, Case, Row, result

F64 = npt.NDArray[np.float64]

CLONAL: Data = {"kind": "clonal"}
FREE: Data = {"kind": "recombining"}
MIDPARENT: Data = {"kind": "recombining", "recombination": "midparent"}
EXPONENTIAL: Data = {"exponential": 0.5}


def trait(
    agents: int,
    selection: Data,
    reproduction: Data = CLONAL,
    *,
    loci: int = 3,
    ploidy: int = 1,
    mutation: float = 0.0,
    noise: float = 0.0,
    height: float = 0.0,
    gene: Data | None = None,
) -> Data:
    """Return a real gene of normal founders on a linear landscape.

    Parameters
    ----------
    noise : float
        Environmental sd of the payoff (an agent's expressed value stays its own).
    height : float
        Payoff of everybody.
    gene : dict, optional
        Further keys of the gene.
    """
    return scenario(
        agents,
        population={"ploidy": ploidy, "limit": 20 * agents},
        world={"kind": "landscape", "shape": "linear", "noise": noise, "height": height},
        genome={
            "trait": {
                "loci": loci, "initial": {"normal": [0.0, 1.0]}, "mutation": mutation,
                **(gene or {}),
            }
        },
        selection=selection,
        reproduction=reproduction,
    )  # fmt: skip


#: name -> (selection, reproduction, ploidy) of the schemes whose partition is checked.
SCHEMES: dict[str, tuple[Data, Data, int]] = {
    "clonal": ({"kind": "wright-fisher", "fitness": EXPONENTIAL}, CLONAL, 1),
    "two parents": ({"kind": "wright-fisher", "fitness": EXPONENTIAL}, FREE, 1),
    "diploid": ({"kind": "wright-fisher", "fitness": EXPONENTIAL}, FREE, 2),
    "moran": ({"kind": "moran", "fitness": EXPONENTIAL}, CLONAL, 1),
    "truncation": ({"kind": "truncation", "fraction": 0.3}, MIDPARENT, 1),
    "tournament": ({"kind": "tournament", "size": 3}, FREE, 1),
    "density": ({"kind": "density", "fitness": {"exponential": 0.1}, "capacity": 90.0}, CLONAL, 1),
}
#: Keeps a population under density regulation near its 60 founders; elsewhere it cancels.
HEIGHT = 7.0


class _Outside:
    """Checks the identity of every generation with plain NumPy, traits of any kind.

    Attributes
    ----------
    identity, ledger, levels : float
        Worst errors, in units of the largest term: of the identity, of the ledger's terms
        against the partition computed here, of the two-level partition against the one-level.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.identity = self.ledger = self.levels = 0.0
        self.founders = self.now = values(engine)
        self.labels = self.random.normal(size=self.now.shape[:2])
        self.start = [z[: engine.population.count[r]] for r, z in enumerate(self.founders)]

    def closed(self, engine: Engine, lives: Lives, pedigree: Pedigree) -> None:
        """Check the generation that the engine just closed."""
        newborn = values(engine)
        labels = self.random.normal(size=newborn.shape[:2])
        terms = engine.ledger.now
        assert terms is not None
        for r in range(newborn.shape[0]):
            born, agents = int(pedigree.born[r]), int(lives.count[r])
            parents = pedigree.parent[r, :born, None]
            if pedigree.mate.shape[1]:
                parents = np.column_stack([pedigree.parent[r, :born], pedigree.mate[r, :born]])
            before, after = self.now[r, :agents], newborn[r, :born]
            for locus in range(before.shape[1]):
                found = self._check(parents, before[:, locus], after[:, locus])
                ledger = (terms.selection[r, locus], terms.transmission[r, locus])
                scale = max(map(abs, found), default=0.0)
                off = max(abs(ledger[0] - found[0]), abs(ledger[1] - found[1]))
                self.ledger = max(self.ledger, off / scale)
            # A product of loci is a trait like any other, and so is a number drawn anew in
            # every agent.
            self._check(parents, before.prod(axis=1), after.prod(axis=1))
            self._check(parents, self.labels[r, :agents], labels[r, :born])
        self.now, self.labels = newborn, labels

    def _check(self, parents: Any, before: F64, after: F64) -> tuple[float, float]:
        offspring, mean_trait = parental_means(parents, after, before.size)
        one = price_partition(before, offspring, mean_trait)
        change = after.mean() - before.mean()
        scale = max(abs(one.selection), abs(one.transmission), abs(change))
        off = max(abs(change - one.selection - one.transmission), abs(change - one.total))
        self.identity = max(self.identity, off / scale)
        group = self.random.integers(0, 7, before.size) ** 2 // 5
        two = price_two_level(before, offspring, mean_trait, group)
        largest = max(abs(two.between), abs(two.within), abs(one.selection))
        self.levels = max(self.levels, abs(two.between + two.within - one.selection) / largest)
        return one.selection, one.transmission


@result(
    "T15",
    "Selection and transmission add up to the change of any trait (Price 1970, 1972)",
    replicates=5,
    quick=2,
    settings=[{"scheme": name, "generations": 200} for name in SCHEMES],
    quick_settings=[{"scheme": name, "generations": 15} for name in SCHEMES],
)
def price_identity(case: Case, scheme: str, generations: int) -> Iterator[Row]:
    """Recompute the partition of every generation from genomes and pedigree."""
    selection, reproduction, ploidy = SCHEMES[scheme]
    engine = case.engine(
        trait(60, selection, reproduction, loci=2, ploidy=ploidy, mutation=0.1, height=HEIGHT)
    )
    outside = _Outside(engine, case.seed)
    engine.closed = outside.closed
    start = [z.mean(axis=0) for z in outside.start]
    for _ in range(generations):
        engine.step()
    yield case.error("identity, worst residual", outside.identity, IDENTITY, "largest term")
    yield case.error("ledger against pedigree", outside.ledger, IDENTITY, "largest term")
    yield case.error("between + within groups", outside.levels, IDENTITY, "largest term")
    end = values(engine)
    sums = engine.ledger.selection + engine.ledger.transmission
    off = scale = 0.0
    for r, founders in enumerate(start):
        change = end[r, : engine.population.count[r]].mean(axis=0) - founders
        off = max(off, float(np.abs(change - sums[r]).max()))
        scale = max(scale, float(np.abs(engine.ledger.selection[r]).max()))
    yield case.error(
        "sum over generations", off / scale / generations, IDENTITY, "largest sum, per generation"
    )


@result(
    "T15",
    "Without mutation every locus comes from a parent that the pedigree names (Price 1970)",
    replicates=20,
    quick=2,
    settings=[{"scheme": name} for name in SCHEMES],
)
def pedigree_true(case: Case, scheme: str) -> Iterator[Row]:
    """Look for loci that come from nobody whom the pedigree names.

    The identity holds for any assignment of parents; that the assignment is true is checked here.
    """
    selection, reproduction, ploidy = SCHEMES[scheme]
    engine = case.engine(trait(60, selection, reproduction, loci=4, ploidy=ploidy, height=HEIGHT))
    strange = 0

    def closed(engine: Engine, lives: Lives, pedigree: Pedigree) -> None:
        nonlocal strange
        for r in range(engine.population.replicates):
            born, parents = int(pedigree.born[r]), [pedigree.parent[r]]
            if pedigree.mate.shape[1]:
                parents.append(pedigree.mate[r])
            # After the swap `next_real` holds the parents' genomes.
            before = engine.population.next_real[r].reshape(engine.population.agents, ploidy, -1)
            now = engine.population.real[r, :born].reshape(born, ploidy, -1)
            from_parent = [before[p[:born]] for p in parents]
            if reproduction == MIDPARENT:
                known = now == np.float32(0.5) * (from_parent[0] + from_parent[1])
            elif ploidy == 2:
                # A haplotype is one gamete: the first is the first parent's, and so on.
                known = np.stack(
                    [(now[:, h, None] == from_parent[h]).any(axis=1) for h in range(2)], axis=1
                )
            else:
                known = np.stack([now == genome for genome in from_parent]).any(axis=0)
            strange += int((~known).sum())

    engine.closed = closed
    for _ in range(5):
        engine.step()
    yield case.error("loci from nobody named as parent", strange, 0.0)


#: name -> scenario of Robertson's theorem; the breeding value is the sum over loci.
BREEDING: dict[str, Data] = {
    "clonal": trait(
        1000, {"kind": "wright-fisher", "fitness": {"exponential": 0.5}}, mutation=0.2, loci=1
    ),
    "clonal, noise": trait(
        1000, {"kind": "truncation", "fraction": 0.2}, mutation=0.2, loci=1, noise=1.0
    ),
    "two parents": trait(
        1000, {"kind": "wright-fisher", "fitness": {"exponential": 0.3}}, FREE, mutation=0.1
    ),
    "diploid": trait(
        1000, {"kind": "wright-fisher", "fitness": {"exponential": 0.3}}, FREE, ploidy=2,
        gene={"noise": 1.0},
    ),
}  # fmt: skip


def _relative_fitness(selection: Data, payoff: F64) -> F64:
    """Return (R, N) fitness over its mean, as the scheme defines it."""
    if selection["kind"] == "truncation":
        best = round(selection["fraction"] * payoff.shape[1])
        w = (payoff >= np.sort(payoff, axis=1)[:, -best, None]).astype(np.float64)
    else:
        w = np.exp(selection["fitness"]["exponential"] * payoff)
    return np.asarray(w / w.mean(axis=1, keepdims=True))


@result(
    "T16",
    "Expected response is Cov(w/wbar, breeding value), parents given (Robertson 1966)",
    replicates=2_000,
    quick=300,
    settings=[{"scheme": name} for name in BREEDING],
)
def secondary_theorem(case: Case, scheme: str) -> Iterator[Row]:
    """Measure the mean response over many offspring generations of one population.

    One parental population, many offspring generations.
    """
    terms, changes = [], []
    for batch in case.batches(BREEDING[scheme]["population"]["agents"]):
        engine = same_founders(case.engine_of(case.resolved(BREEDING[scheme]), batch))
        before = values(engine).sum(axis=2)
        w = _relative_fitness(BREEDING[scheme]["selection"], engine.step().payoff)
        terms.append((w * (before - before.mean(axis=1, keepdims=True))).mean(axis=1))
        changes.append(values(engine).sum(axis=2).mean(axis=1) - before.mean(axis=1))
    expected, change = np.concatenate(terms), np.concatenate(changes)
    # Noise is drawn anew in each replicate, so that the covariance may differ between them.
    spread = float((change - expected).std(ddof=1))
    yield case.mean("mean change of the trait", float(expected.mean()), change, sd=spread)


@result(
    "T17",
    "Clonal, frequency-independent: mean fitness grows by Var(w)/wbar (Fisher 1930)",
    replicates=4_000,
    quick=1_000,
    settings=[{"agents": 200}],
)
def fundamental_theorem_holds(case: Case, agents: int) -> Iterator[Row]:
    """Measure the mean change of mean fitness from given parents."""
    data = trait(
        agents, {"kind": "wright-fisher", "fitness": ADDED}, loci=1,
        gene={"initial": {"uniform": [0.0, 2.0]}},
    )  # fmt: skip
    engine = same_founders(case.engine(data))
    before = 1.0 + values(engine)[0, :, 0]
    engine.step()
    after = 1.0 + values(engine)[..., 0].mean(axis=1)
    expected = fundamental_theorem(np.full(agents, 1.0 / agents), before)
    yield case.mean("change of mean fitness", expected, after - before.mean())


@result(
    "T17",
    "With frequency dependence only the partial change is Var(w)/wbar (Fisher 1930; Price 1972)",
    replicates=1,
    quick=1,
    settings=[{"agents": 1_000_000, "benefit": 0.6, "cost": 0.2}],
    quick_settings=[{"agents": 100_000, "benefit": 0.6, "cost": 0.2}],
)
def fundamental_theorem_fails(
    case: Case, agents: int, benefit: float, cost: float
) -> Iterator[Row]:
    """Measure mean fitness where givers help everybody at their own cost.

    Givers (bit 1) pay the cost, everybody gains the benefit times the givers' frequency. In the
    old surroundings mean fitness rises by Var(w)/wbar; it falls, because givers get fewer.
    """
    p = 0.5

    def surroundings(givers: float) -> Data:
        data = alleles(agents, round(agents * p), payoff=-cost)
        data["world"]["height"] = benefit * givers
        return data

    engine = case.engine(surroundings(p))
    w = np.array([1.0 + benefit * p, 1.0 + benefit * p - cost])
    share = np.array([1.0 - p, p])
    before = engine.step().fitness.mean()
    new = float(frequency(engine)[0])
    after = engine.life(engine.birth())
    engine.fitness(after)
    partial = 1.0 + after.criterion.mean() - before
    q = haploid_step(share, w)[1]
    sampling = np.sqrt(q * (1.0 - q) / agents)
    yield case.within(
        "change in the old surroundings", fundamental_theorem(share, w), partial,
        4.0 * cost * sampling, "4 sd of sampling",
    )  # fmt: skip
    engine.change(case.resolved(surroundings(new)))
    total = engine.step().fitness.mean() - before
    yield case.within(
        "change of mean fitness", (benefit - cost) * (q - p), total,
        4.0 * (benefit - cost) * sampling, "4 sd of sampling",
    )  # fmt: skip
