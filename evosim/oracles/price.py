"""Price's equation, with one and two levels, for realised offspring numbers.

Sources: Price 1970 (Nature 227:520); Price 1972 (Ann. Hum. Genet. 35:485); Robertson 1966;
Hamilton 1975 for groups. Results T15, T16. The terms are identities: they hold for any trait and
any offspring numbers, to rounding.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


class Price(NamedTuple):
    """One-level partition, in units of the trait: total = selection + transmission."""

    selection: float
    transmission: float
    total: float


class TwoLevelPrice(NamedTuple):
    """Two-level partition: total = between + within + transmission, in units of the trait."""

    between: float
    within: float
    transmission: float
    total: float


def covariance(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Covariance with divisor n, the one in Price's equation.

    Parameters
    ----------
    x, y : arrays of shape (n,)
        Paired values.

    Returns
    -------
    float
        Mean of (x - xbar)(y - ybar).

    Raises
    ------
    ValueError
        If shapes differ.
    """
    x = _checks.array("x", x, 1)
    y = _checks.array("y", y, 1)
    _checks.same_length(x=x, y=y)
    return float(np.mean((x - x.mean()) * (y - y.mean())))


def parental_means(
    parents: npt.ArrayLike, offspring_trait: npt.ArrayLike, agents: int
) -> tuple[FloatArray, FloatArray]:
    """Turn a pedigree into offspring numbers W_i and mean offspring trait zbar'_i per parent.

    With two parents each offspring counts half for each, so sum W_i is the number of offspring.

    Parameters
    ----------
    parents : int array of shape (m,) or (m, k)
        Indices of the parent(s) of each offspring, in 0..agents - 1.
    offspring_trait : array of shape (m,)
        Trait of each offspring.
    agents : int
        Number of parents n >= 1.

    Returns
    -------
    offspring : array of shape (n,)
        W_i.
    mean_trait : array of shape (n,)
        zbar'_i; 0 where W_i = 0 (it enters every formula multiplied by W_i).

    Raises
    ------
    ValueError
        If shapes differ or an index is out of range.
    """
    agents = _checks.integer("agents", agents, 1)
    index = np.asarray(parents)
    if index.ndim == 1:
        index = index[:, None]
    if index.ndim != 2 or index.size == 0 or not np.issubdtype(index.dtype, np.integer):
        raise ValueError("parents must be an integer array of shape (m,) or (m, k)")
    if index.min() < 0 or index.max() >= agents:
        raise ValueError(f"parents must lie in 0..{agents - 1}")
    trait = _checks.array("offspring_trait", offspring_trait, 1)
    _checks.same_length(parents=index, offspring_trait=trait)
    share = 1.0 / index.shape[1]
    values = np.repeat(trait, index.shape[1])
    offspring = share * np.bincount(index.ravel(), minlength=agents)
    totals = share * np.bincount(index.ravel(), weights=values, minlength=agents)
    means = np.divide(totals, offspring, out=np.zeros(agents), where=offspring > 0.0)
    return offspring, means


def _checked_family(
    trait: npt.ArrayLike, offspring: npt.ArrayLike, mean_trait: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Check the three per-parent arrays of a partition."""
    z = _checks.array("trait", trait, 1)
    w = _checks.array("offspring", offspring, 1, 0.0)
    child = _checks.array("mean_trait", mean_trait, 1)
    _checks.same_length(trait=z, offspring=w, mean_trait=child)
    if w.sum() <= 0.0:
        raise ValueError("at least one parent must have offspring")
    return z, w, child


def price_partition(
    trait: npt.ArrayLike, offspring: npt.ArrayLike, mean_trait: npt.ArrayLike
) -> Price:
    """Change of a mean trait: Cov(W, z)/Wbar + E[W (zbar' - z)]/Wbar (Price 1970, 1972).

    With fitness in place of realised numbers and breeding values in place of z, the selection
    term is Robertson's secondary theorem (result T16).

    Parameters
    ----------
    trait : array of shape (n,)
        z_i of each parent.
    offspring : array of shape (n,)
        W_i, realised (or expected) offspring numbers, not all zero.
    mean_trait : array of shape (n,)
        zbar'_i, mean trait of i's offspring; any finite value where W_i = 0.

    Returns
    -------
    Price
        Selection and transmission terms, and the total mean(z') - mean(z), each computed on its
        own rather than as a remainder.

    Raises
    ------
    ValueError
        If shapes differ or nobody has offspring.
    """
    z, w, child = _checked_family(trait, offspring, mean_trait)
    total = float((w @ child) / w.sum() - z.mean())
    selection = covariance(w, z) / float(w.mean())
    return Price(selection, float(w @ (child - z) / w.sum()), total)


def price_two_level(
    trait: npt.ArrayLike,
    offspring: npt.ArrayLike,
    mean_trait: npt.ArrayLike,
    group: npt.ArrayLike,
) -> TwoLevelPrice:
    """Partition selection between and within groups of any size (Price 1972; Hamilton 1975).

    Between: Cov_g(W_g, z_g)/Wbar over group means weighted by group size; within:
    E_g[Cov_{i in g}(W, z)]/Wbar, weighted likewise.

    Parameters
    ----------
    trait, offspring, mean_trait : arrays of shape (n,)
        As in `price_partition`.
    group : int array of shape (n,)
        Group label of each parent.

    Returns
    -------
    TwoLevelPrice
        between + within equals the one-level selection term.

    Raises
    ------
    ValueError
        If shapes differ, labels are not integers or nobody has offspring.
    """
    z, w, child = _checked_family(trait, offspring, mean_trait)
    labels = np.asarray(group)
    if labels.shape != z.shape or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError("group must hold one integer label per parent")
    _, member = np.unique(labels, return_inverse=True)
    sizes = np.bincount(member)
    z_mean = (np.bincount(member, weights=z) / sizes)[member]
    w_mean = (np.bincount(member, weights=w) / sizes)[member]
    mean = float(w.mean())
    one_level = price_partition(z, w, child)
    return TwoLevelPrice(
        covariance(w_mean, z_mean) / mean,
        float(np.mean((w - w_mean) * (z - z_mean))) / mean,
        one_level.transmission,
        one_level.total,
    )
