"""Quantitative genetics: truncation, threshold characters, multivariate response.

Sources: Lush 1937; Lande 1979 (Evolution 33:402); Lande & Arnold 1983 (Evolution 37:1210);
Dempster & Lerner 1950 (Genetics 35:212); Bulmer 1971 (Am. Nat. 105:201) for the infinitesimal
model; Falconer & Mackay 1996. Results T18, T19, T28, T72.
"""

import numpy as np
import numpy.typing as npt
from scipy import integrate, special

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray

_SEXUAL_GRID = 2401
"""Grid points of the breeding-value density; halving the grid moves no result by 1e-9."""


def _normal_density(x: npt.ArrayLike) -> FloatArray:
    """Density of the standard normal."""
    return np.asarray(np.exp(-0.5 * np.square(x)) / np.sqrt(2.0 * np.pi), dtype=np.float64)


def truncation_intensity(proportion: float) -> float:
    """Intensity of truncation selection in a large population: i = phi(x_p)/p (Lush 1937).

    Parameters
    ----------
    proportion : float
        Fraction p selected from the top, in (0, 1].

    Returns
    -------
    float
        Mean of the selected, in phenotypic standard deviations; 0 at p = 1.

    Raises
    ------
    ValueError
        If `proportion` is out of range.
    """
    p = _checks.number("proportion", proportion, 0.0, 1.0, above=True)
    return float(_normal_density(special.ndtri(p)) / p) if p < 1.0 else 0.0


def finite_truncation_intensity(agents: int, selected: int) -> float:
    """Mean of the best m of n independent standard normals, by exact integration.

    E = (n/m) * integral of x phi(x) P[Bin(n - 1, 1 - Phi(x)) <= m - 1] dx: an agent is selected
    iff fewer than m others exceed it (Burrows 1972, Biometrics 28:1091, has approximations).

    Parameters
    ----------
    agents : int
        Number of candidates n >= 1.
    selected : int
        Number selected m, 1 <= m <= n.

    Returns
    -------
    float
        Intensity in standard deviations; below `truncation_intensity(m / n)`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n = _checks.integer("agents", agents, 1)
    m = _checks.integer("selected", selected, 1)
    if m > n:
        raise ValueError(f"selected must be at most {n}, not {m}")
    if m == n:
        return 0.0

    def integrand(x: float) -> float:
        # P[Bin(n-1, r) <= m-1] = I_{1-r}(n-m, m), with 1 - r = Phi(x).
        keep = special.betainc(n - m, m, special.ndtr(x))
        return float(x * _normal_density(x) * keep)

    edge = float(special.ndtri(1.0 - m / n))
    value, _ = integrate.quad(
        integrand, -10.0, 12.0, points=[edge], epsabs=1e-13, epsrel=1e-12, limit=500
    )
    return float(n / m * value)


def expected_maximum(count: int) -> float:
    """Mean m_k of the maximum of k independent standard normals (Tippett 1925; result T72).

    Parameters
    ----------
    count : int
        Number of draws k >= 1.

    Returns
    -------
    float
        m_k; 0 for k = 1. Best of k by a proxy of correlation rho gains rho m_k.

    Raises
    ------
    ValueError
        If `count` < 1.
    """
    return finite_truncation_intensity(_checks.integer("count", count, 1), 1)


def breeders_response(heritability: float, differential: float) -> float:
    """Response to selection R = h^2 S (Lush 1937).

    Parameters
    ----------
    heritability : float
        h^2 in [0, 1].
    differential : float
        S, mean of the parents minus mean of the population, in trait units.

    Returns
    -------
    float
        R, in trait units.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    h2 = _checks.probability("heritability", heritability)
    return h2 * _checks.number("differential", differential)


def _threshold_setting(
    incidence: float, heritability: float, generations: int
) -> tuple[float, float, int]:
    """Check the arguments of the threshold iterations and return (T, h^2, generations)."""
    p = _checks.probability("incidence", incidence, interior=True)
    h2 = _checks.probability("heritability", heritability, interior=True)
    steps = _checks.integer("generations", generations, 0)
    return float(-special.ndtri(p)), h2, steps


def threshold_constant_variance(
    incidence: float, heritability: float, generations: int
) -> FloatArray:
    """Incidence when only those above the threshold breed, with variance held at its start.

    m' = m + h^2 phi(T - m)/P (Dempster & Lerner 1950). A plotted line only: the variance falls
    in the first generation; see `threshold_clonal` and `threshold_infinitesimal`.

    Parameters
    ----------
    incidence : float
        Initial fraction P_0 above the threshold, in (0, 1).
    heritability : float
        h^2 of the liability, in (0, 1).
    generations : int
        Number of rounds of selection, >= 0.

    Returns
    -------
    array of shape (generations + 1,)
        Incidence per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    threshold, h2, steps = _threshold_setting(incidence, heritability, generations)
    mean = 0.0
    values = [float(special.ndtr(mean - threshold))]
    for _ in range(steps):
        mean += h2 * float(_normal_density(threshold - mean)) / values[-1]
        values.append(float(special.ndtr(mean - threshold)))
    return np.array(values)


def threshold_clonal(incidence: float, heritability: float, generations: int) -> FloatArray:
    """Exact incidence of a threshold character in a large clonal population (result T18).

    A genotype g ~ N(0, h^2) shows the character with probability q(g) = Phi((g - T)/sqrt(1 - h^2))
    independently each generation, so P_t = E[q^{t+1}] / E[q^t], integrated numerically.

    Parameters
    ----------
    incidence : float
        Initial fraction P_0 above the threshold, in (0, 1).
    heritability : float
        h^2 of the liability, in (0, 1).
    generations : int
        Number of rounds of selection, >= 0.

    Returns
    -------
    array of shape (generations + 1,)
        Incidence per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    threshold, h2, steps = _threshold_setting(incidence, heritability, generations)
    z = np.linspace(-12.0, 12.0, 4801)
    log_q = special.log_ndtr((np.sqrt(h2) * z - threshold) / np.sqrt(1.0 - h2))
    powers = np.arange(steps + 2)[:, None] * log_q - 0.5 * z * z
    log_moments = special.logsumexp(powers, axis=1)
    return np.asarray(np.exp(np.diff(log_moments)), dtype=np.float64)


def threshold_infinitesimal(incidence: float, heritability: float, generations: int) -> FloatArray:
    """Exact incidence of a threshold character under the infinitesimal sexual model.

    Offspring breeding value = mid-parent + N(0, h^2/2), the segregation variance staying at its
    start (Bulmer 1971). The whole density, not only its mean and variance, is iterated.

    Parameters
    ----------
    incidence : float
        Initial fraction P_0 above the threshold, in (0, 1).
    heritability : float
        h^2 of the initial liability, whose variance is 1; in (0, 1).
    generations : int
        Number of rounds of selection, 0..100 (the density must stay on its grid).

    Returns
    -------
    array of shape (generations + 1,)
        Incidence per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    threshold, h2, steps = _threshold_setting(incidence, heritability, generations)
    if steps > 100:
        raise ValueError(f"generations must be at most 100, not {steps}")
    scale = np.sqrt(h2)
    # The mean gains at most h^2 i per generation, and stalls where everybody breeds.
    gain = steps * h2 * truncation_intensity(incidence)
    gain = min(gain, max(0.0, threshold) + 9.0)
    low, high = -9.0 * scale, 9.0 * scale + gain
    g = np.linspace(low, high, _SEXUAL_GRID)
    half = 0.5 * (g[1] - g[0])
    density = _normal_density(g / scale)
    breeds = special.ndtr((g - threshold) / np.sqrt(1.0 - h2))
    # The mid-parent lives on a grid of half the spacing, from `low` to `high`.
    offset = half * np.arange(1 - _SEXUAL_GRID, _SEXUAL_GRID)
    segregation = _normal_density(offset / np.sqrt(h2 / 2.0))
    values = []
    for _ in range(steps + 1):
        density /= density.sum()
        selected = density * breeds
        values.append(float(selected.sum()))
        midparent = np.convolve(selected, selected)
        density = np.maximum(_convolve_same(midparent, segregation)[::2], 0.0)
    return np.array(values)


def _convolve_same(x: FloatArray, kernel: FloatArray) -> FloatArray:
    """Linear convolution by FFT, cut to the centred length of `x`."""
    size = x.size + kernel.size - 1
    full = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(kernel, size), size)
    start = (kernel.size - 1) // 2
    return np.asarray(full[start : start + x.size], dtype=np.float64)


def selection_gradient(P: npt.ArrayLike, S: npt.ArrayLike) -> FloatArray:
    """Directional selection gradient beta = P^-1 S (Lande & Arnold 1983).

    Parameters
    ----------
    P : array of shape (k, k)
        Phenotypic covariance matrix, positive definite.
    S : array of shape (k,)
        Selection differentials Cov(w/wbar, z).

    Returns
    -------
    array of shape (k,)
        Partial regression of relative fitness on each trait, per trait unit.

    Raises
    ------
    ValueError
        If shapes differ or `P` is not symmetric positive definite.
    """
    P = _checks.array("P", P, 2)
    S = _checks.array("S", S, 1)
    if P.shape != (S.size, S.size) or not np.allclose(P, P.T):
        raise ValueError(f"P must be a symmetric matrix of shape ({S.size}, {S.size})")
    if np.min(np.linalg.eigvalsh(P)) <= 0.0:
        raise ValueError("P must be positive definite")
    return np.asarray(np.linalg.solve(P, S), dtype=np.float64)


def lande_response(G: npt.ArrayLike, P: npt.ArrayLike, S: npt.ArrayLike) -> FloatArray:
    """Multivariate response G P^-1 S (Lande 1979).

    Parameters
    ----------
    G : array of shape (k, k)
        Additive genetic covariance matrix, symmetric.
    P : array of shape (k, k)
        Phenotypic covariance matrix, positive definite.
    S : array of shape (k,)
        Selection differentials.

    Returns
    -------
    array of shape (k,)
        Change of the mean traits in one generation, in trait units.

    Raises
    ------
    ValueError
        If shapes differ or a matrix is invalid.
    """
    beta = selection_gradient(P, S)
    G = _checks.array("G", G, 2)
    if G.shape != (beta.size, beta.size) or not np.allclose(G, G.T):
        raise ValueError(f"G must be a symmetric matrix of shape ({beta.size}, {beta.size})")
    return np.asarray(G @ beta, dtype=np.float64)
