"""Quantitative traits: truncation, thresholds, several traits, optima (T18, T19, T28, T72).

Lush 1937; Dempster & Lerner 1950; Falconer & Mackay 1996; Lande 1976, 1979; Lande & Arnold 1983;
Kimura 1965.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import ndtri

from evosim.oracles import (
    best_by_proxy,
    expected_maximum,
    finite_truncation_intensity,
    lande_response,
    stabilising_variance,
    threshold_clonal,
    threshold_infinitesimal,
)
from evosim.validate.models import Data, scenario, values
from evosim.validate.suite import Case, Row, result

F64 = npt.NDArray[np.float64]


def _liability(
    agents: int, shape: str, heritability: float, selection: Data, **world: float
) -> Data:
    """Return a scenario of one trait: breeding value and noise with a total variance of 1."""
    return scenario(
        agents,
        world={
            "kind": "landscape", "shape": shape, "noise": math.sqrt(1.0 - heritability), **world,
        },
        genome={"trait": {"initial": {"normal": [0.0, math.sqrt(heritability)]}}},
        selection=selection,
    )  # fmt: skip


@result(
    "T18",
    "Truncation: the response is h^2 i sigma_P, the breeder's equation (Lush 1937)",
    replicates=4_000,
    quick=1_000,
    settings=[
        {"agents": 100, "fraction": 0.1, "heritability": 1.0},
        {"agents": 100, "fraction": 0.2, "heritability": 0.5},
        {"agents": 100, "fraction": 0.5, "heritability": 0.25},
    ],
)
def truncation_response(
    case: Case, agents: int, fraction: float, heritability: float
) -> Iterator[Row]:
    """Measure the response of the mean breeding value to truncation.

    The intensity i is that of the best m of N, not of an infinite population.
    """
    selection = {"kind": "truncation", "fraction": fraction}
    engine = case.engine(_liability(agents, "linear", heritability, selection))
    before = values(engine)[..., 0].mean(axis=1)
    engine.step()
    intensity = finite_truncation_intensity(agents, round(fraction * agents))
    # Founders' means have expectation zero; taking them off only removes their noise.
    yield case.mean(
        "response of the mean breeding value",
        heritability * intensity,
        values(engine)[..., 0].mean(axis=1) - before,
    )


@result(
    "T18",
    "Only those that show a threshold character breed: the next incidence (Dempster & Lerner)",
    replicates=400,
    quick=400,
    settings=[{"agents": 100, "incidence": 0.1, "heritability": 0.5}],
)
def threshold_first(
    case: Case, agents: int, incidence: float, heritability: float
) -> Iterator[Row]:
    """Measure the incidence of a threshold character after one generation, at small N.

    Whoever breeds is an independent draw from the founders' distribution above the threshold, so
    the expectation is exact for any N, and the ten that breed make the variance.
    """
    exact = threshold_clonal(incidence, heritability, 1)
    shown = _incidence(case, agents, incidence, heritability, 1)
    yield case.mean("incidence after 1 generation", float(exact[1]), shown[1])


@result(
    "T18",
    "A threshold character, clonal and under the infinitesimal model (Bulmer 1971)",
    replicates=40,
    quick=20,
    settings=[
        {"agents": 20_000, "incidence": 0.1, "heritability": 0.5, "parents": parents}
        for parents in (1, 2)
    ],
)
def threshold_later(
    case: Case, agents: int, incidence: float, heritability: float, parents: int
) -> Iterator[Row]:
    """Measure the incidence of a threshold character over two generations.

    A finite number of breeders biases later generations by about its inverse.
    """
    exact = (threshold_clonal, threshold_infinitesimal)[parents - 1](incidence, heritability, 2)
    shown = _incidence(case, agents, incidence, heritability, 2, parents)
    for t in (1, 2):
        yield case.mean(
            f"incidence after {t} generations", float(exact[t]), shown[t],
            bias=1.0 / (incidence * agents),
        )  # fmt: skip


def _incidence(
    case: Case, agents: int, incidence: float, heritability: float, generations: int,
    parents: int = 1,
) -> list[F64]:  # fmt: skip
    """Return the (R,) incidence of the character in generations 0..generations."""
    data = _liability(
        agents, "threshold", heritability, {"kind": "truncation", "threshold": 0.5},
        threshold=-float(ndtri(incidence)),
    )  # fmt: skip
    if parents == 2:
        data["reproduction"] = {"kind": "recombining", "recombination": "midparent"}
        # The infinitesimal model: segregation keeps half the founders' variance alive.
        data["genome"]["trait"]["mutation"] = math.sqrt(heritability / 2.0)
    engine = case.engine(data)
    out = []
    for _ in range(generations + 1):
        lives = engine.step()
        shown = lives.payoff.sum(axis=1) / np.maximum(lives.count, 1)
        out.append(shown[lives.count > 0])
    return out


@result(
    "T19",
    "Two traits respond by G beta: each by what it and its correlate are selected for",
    replicates=200,
    quick=40,
    settings=[
        {"agents": 5_000, "correlation": 0.0, "noise": 0.0},
        {"agents": 5_000, "correlation": 0.8, "noise": 0.0},
        {"agents": 5_000, "correlation": 0.8, "noise": 1.0},
    ],
)
def multivariate_response(
    case: Case, agents: int, correlation: float, noise: float
) -> Iterator[Row]:
    """Measure the responses of two traits, correlated or not.

    Lande 1979; Lande & Arnold 1983. With fitness exp(b1 z1 + b2 z2) and normal traits beta is b;
    a finite population changes the weighted mean by its share Var(w)/(wbar^2 N).
    """
    G = np.array([[1.0, correlation * 0.5], [correlation * 0.5, 0.25]])
    P = G + noise**2 * np.eye(2)
    b = np.array([0.1, 0.3])
    data = scenario(
        agents,
        world={"kind": "landscape", "shape": "linear", "weights": b.tolist()},
        genome={"trait": {"loci": 2, "noise": noise, "initial": {"normal": [0.0, 1.0]}}},
        selection={"kind": "wright-fisher", "fitness": {"exponential": 1.0}},
    )
    response = lande_response(G, P, P @ b)
    share = math.expm1(float(b @ P @ b)) / agents
    changes = []
    for batch in case.batches(agents):
        engine = case.engine_of(case.resolved(data), batch)
        # The founders' loci are independent normals: mix them to the covariance wanted.
        engine.population.real[:] = engine.population.real @ np.linalg.cholesky(G).T
        before = values(engine).mean(axis=1)
        engine.step()
        changes.append(values(engine).mean(axis=1) - before)
    change = np.concatenate(changes)
    for k in range(2):
        yield case.mean(
            f"response of trait {k + 1}", response[k], change[:, k], bias=share * response[k]
        )


@result(
    "T28",
    "Variance between mutation and a Gaussian optimum (Kimura 1965; Lande 1976)",
    replicates=24,
    quick=24,
    settings=[
        {"agents": 2_000, "Vs": 10.0, "Vm": 0.01, "generations": 600},
        {"agents": 2_000, "Vs": 20.0, "Vm": 0.05, "generations": 600},
        {"agents": 2_000, "Vs": 10.0, "Vm": 0.001, "generations": 1_500},
    ],
    quick_settings=[{"agents": 2_000, "Vs": 20.0, "Vm": 0.05, "generations": 150}],
)
def stabilising_selection(
    case: Case, agents: int, Vs: float, Vm: float, generations: int
) -> Iterator[Row]:
    """Measure the variance that mutation and a Gaussian optimum keep up.

    Drift lowers it by a share of about 1/(N sqrt(Vm/Vs)).
    """
    exact = stabilising_variance(Vs, Vm)
    data = scenario(
        agents,
        world={"kind": "landscape", "shape": "quadratic", "width": math.sqrt(Vs)},
        genome={
            "trait": {"initial": {"normal": [0.0, math.sqrt(exact)]}, "mutation": math.sqrt(Vm)}
        },
        selection={"kind": "wright-fisher", "fitness": {"exponential": 1.0}},
    )
    engine = case.engine(data)
    total = np.zeros(case.replicates)
    # A third of the time lets what founders' normality hides (drift of the mean) settle.
    for t in range(generations):
        engine.step()
        if t >= generations // 3:
            total += values(engine)[..., 0].var(axis=1)
    share = 1.0 / (agents * math.sqrt(Vm / Vs))
    yield case.mean(
        "variance among newborns", exact, total / (generations - generations // 3),
        bias=exact * share,
    )  # fmt: skip


def _distinct(draws: int, agents: int) -> F64:
    """Return the probabilities of 0..draws distinct agents among `draws` with replacement."""
    share = np.zeros(draws + 1)
    share[0] = 1.0
    for _ in range(draws):
        again = share * np.arange(draws + 1) / agents
        new = share * (1.0 - np.arange(draws + 1) / agents)
        share = again + np.concatenate(([0.0], new[:-1]))
    return share


@result(
    "T72",
    "Best of k by a proxy of correlation rho: the target gains rho m_k, the proxy m_k",
    replicates=1_000,
    quick=200,
    settings=[{"size": k, "correlation": 0.6, "agents": 500} for k in (2, 4, 8, 16)],
)
def tails_apart(case: Case, size: int, correlation: float, agents: int) -> Iterator[Row]:
    """Measure what a tournament on a noisy proxy gains.

    Gaussian regression; Tippett 1925. Contestants are drawn with replacement, so that some of
    the k may be the same agent.
    """
    data = _liability(agents, "linear", 1.0, {"kind": "tournament", "size": size})
    data["world"]["weights"] = correlation
    data["world"]["noise"] = math.sqrt(1.0 - correlation**2)
    engine = case.engine(data)
    before = values(engine)[..., 0]
    pedigrees: list[npt.NDArray[np.int32]] = []
    engine.keep_pedigree = lambda _, pedigree: pedigrees.append(pedigree.parent)
    lives = engine.step()
    proxy = np.take_along_axis(lives.payoff, pedigrees[0].astype(np.int64), axis=1)
    gains: Sequence[float] = [0.0] + [expected_maximum(k) for k in range(1, size + 1)]
    best = float(_distinct(size, agents) @ np.array(gains))
    mean, proxy_mean = before.mean(axis=1), lives.payoff.mean(axis=1)
    yield case.mean("gain of the proxy", best, proxy.mean(axis=1) - proxy_mean)
    yield case.mean(
        "gain of the target", correlation * best, values(engine)[..., 0].mean(axis=1) - mean
    )


#: Laws of what a proxy holds besides the target, in the target's standard deviations.
ERRORS = {"normal": stats.norm(), "lognormal": stats.lognorm(1.0), "Cauchy": stats.cauchy()}


@result(
    "T72",
    "Best of k by target + error: heavy tails of the error undo selection (Kwa et al. 2024)",
    replicates=20_000,
    quick=2_000,
    settings=[{"size": k, "error": law} for law in ERRORS for k in (4, 64, 1_024)],
    quick_settings=[{"size": k, "error": law} for law in ERRORS for k in (4, 64)],
)
def tails_heavy(case: Case, size: int, error: str) -> Iterator[Row]:
    """Measure the target in the best of a whole population, which alone breeds.

    Target and error are two loci, of which payoff is the sum; founders get an error of that law.
    """
    data = scenario(
        size,
        world={"kind": "landscape", "shape": "linear"},
        genome={"trait": {"loci": 2, "initial": {"normal": [0.0, 1.0]}}},
        selection={"kind": "truncation", "fraction": 1.0 / size},
    )
    # Enough for the largest populations, and of the same weight.
    replicates = case.replicates if size < 1_000 else case.replicates // 4
    law, random = ERRORS[error], np.random.default_rng([case.seed, size])
    best = []
    for batch in case.batches(size, replicates):
        engine = case.engine_of(case.resolved(data), batch)
        shape = engine.population.real.shape[:2]
        engine.population.real[..., 1] = law.ppf(random.uniform(size=shape))
        engine.step()
        best.append(engine.population.real[:, 0, 0].astype(np.float64))
    yield case.mean("mean target", best_by_proxy(size, law), np.concatenate(best))
