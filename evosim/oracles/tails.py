"""What selection by a proxy gains when its tails come apart from the goal's.

Sources: Tippett 1925 and Stein's lemma for the Gaussian goal; Kwa, Thomas & Garriga-Alonso 2024
for heavy-tailed errors (regressional and catastrophic Goodhart). Result T72; `quantitative` has
`expected_maximum`, what a proxy of correlation rho gains divided by rho.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import integrate, special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray
from evosim.oracles.quantitative import truncation_intensity

_REACH = 12.0
"""Half-width of the interval of the goal that is integrated, in its standard deviations."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def best_by_proxy(count: int, noise: Any) -> float:
    """Mean of the goal G in the best of k by the proxy U = G + X, by quadrature (result T72).

    G is standard normal and X independent noise of any continuous law. By Stein's lemma
    E[G | best of k] = k (k - 1) * integral of f_U^2 F_U^(k - 2). It grows without bound with k
    if X has lighter tails than an exponential, tends to a if the tail falls as exp(-a x), and
    returns to 0 if it is heavier: as 2 pi/(k s) with Cauchy noise of scale s.

    Parameters
    ----------
    count : int
        k >= 1 candidates.
    noise : frozen continuous distribution of scipy.stats
        Law of X, in standard deviations of G, for instance `stats.cauchy(scale=0.5)` or
        `stats.lognorm(1.0)`. Its density must be smooth inside its support.

    Returns
    -------
    float
        Mean of G, in its standard deviations; for another sd of G divide the scale of X by it.

    Raises
    ------
    ValueError
        If `count` < 1 or `noise` is no continuous distribution.
    """
    k = _checks.integer("count", count, 1)
    missing = [m for m in ("pdf", "cdf", "sf", "ppf", "isf", "support") if not hasattr(noise, m)]
    if missing:
        raise ValueError(f"noise must be a frozen continuous distribution; no {missing[0]}()")
    if k == 1:
        return 0.0
    # Quantiles up to where k times the upper tail is 1e-6, and errors of its square.
    z = np.arange(-5.0, 0.25 - float(special.ndtri(1e-6 / k)), 0.25)
    quantiles = np.where(z < 0.0, noise.ppf(special.ndtr(z)), noise.isf(special.ndtr(-z)))
    ends = np.array([x for x in noise.support() if np.isfinite(x)])
    breaks = np.unique(np.concatenate([quantiles, ends]))

    def integrand(u: float) -> float:
        density, below, above = _convolved(u, noise, breaks)
        log_below = math.log1p(-above) if above < 0.5 else math.log(max(below, 1e-300))
        return density**2 * math.exp((k - 2) * log_below)

    # Neighbours within half a unit share an interval, since U has no finer features.
    edges = [float(breaks[0]) - _REACH]
    for edge in [*breaks, breaks[-1] + _REACH]:
        if edge - edges[-1] > max(0.5, 1e-9 * abs(edge)):
            edges.append(float(edge))
    pieces = [
        integrate.quad(integrand, a, b, epsabs=1e-12 / float(k) ** 3, epsrel=1e-9, limit=200)[0]
        for a, b in pairwise(edges)
    ]
    return float(k * (k - 1) * sum(pieces))


def _convolved(u: float, noise: Any, breaks: FloatArray) -> tuple[float, float, float]:
    """Density, lower and upper tail of G + X at u, by panels between the breaks of X."""
    low, high = u - _REACH, u + _REACH
    inside = breaks[(breaks > low) & (breaks < high)]
    edges = np.unique(np.concatenate([np.linspace(low, high, 25), inside]))
    half = 0.5 * np.diff(edges)
    x = (edges[:-1] + half)[:, None] + half[:, None] * _NODES
    mass = half[:, None] * _WEIGHTS * noise.pdf(x)
    density = np.sum(mass * np.exp(-0.5 * (x - u) ** 2)) / math.sqrt(2.0 * math.pi)
    below = noise.cdf(low) + np.sum(mass * special.ndtr(u - x))
    above = noise.sf(high) + np.sum(mass * special.ndtr(x - u))
    return float(density), float(below), float(above)


def selected_correlation(correlation: float, proportion: npt.ArrayLike) -> FloatArray:
    """Correlation of goal and proxy among those above a cut of the proxy (result T72).

    Both are standard normal. The selected keep the share V = 1 - i (i - z) of the proxy's
    variance (i the intensity, z the cut), and rho' = rho sqrt(V/(rho^2 V + 1 - rho^2)).

    Parameters
    ----------
    correlation : float
        rho in [-1, 1] before selection.
    proportion : array of any shape
        Fractions selected from the top by the proxy, in (0, 1].

    Returns
    -------
    array shaped like `proportion`
        rho', which falls to 0 as the proportion does, unless rho^2 = 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    rho = _checks.number("correlation", correlation, -1.0, 1.0)
    p = np.asarray(proportion, dtype=np.float64)
    intensity = np.array([truncation_intensity(float(one)) for one in p.ravel()]).reshape(p.shape)
    # At p = 1 the cut is at minus infinity, and the intensity 0.
    cut = -special.ndtri(np.where(p < 1.0, p, 0.5))
    kept = 1.0 - intensity * (intensity - cut)
    return np.asarray(rho * np.sqrt(kept / (rho**2 * kept + 1.0 - rho**2)), dtype=np.float64)
