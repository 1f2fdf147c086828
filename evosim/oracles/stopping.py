"""When to stop looking: the secretary problem.

Sources: Lindley 1961 (Appl. Stat. 10:39); Gilbert & Mosteller 1966 (J. Am. Stat. Assoc. 61:35);
Ferguson 1989 (Stat. Sci. 4:282). Result T71.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


class Cutoff(NamedTuple):
    """A rule that skips some candidates, and its probability of taking the best."""

    skip: int
    success: float


def secretary_success(candidates: int, skip: npt.ArrayLike) -> FloatArray:
    """Probability of taking the best of n by skipping r and taking the next record (T71).

    P = (r/n) sum_{j=r+1..n} 1/(j - 1), and 1/n at r = 0. Candidates come in random order.

    Parameters
    ----------
    candidates : int
        n >= 1.
    skip : int or int array of any shape
        r, 0..n; skipping all takes nobody.

    Returns
    -------
    array shaped like `skip`
        Probability of success.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n = _checks.integer("candidates", candidates, 1)
    r = np.asarray(skip)
    if not np.issubdtype(r.dtype, np.integer) or np.any(r < 0) or np.any(r > n):
        raise ValueError(f"skip must hold integers in 0..{n}, not {skip!r}")
    # tail[r] = sum over j from r + 1 to n of 1/(j - 1), summed from its small end.
    tail = np.zeros(n + 1)
    tail[1:n] = np.cumsum(1.0 / np.arange(n - 1, 0, -1))[::-1]
    chance = np.arange(n + 1) / n * tail
    chance[0] = 1.0 / n
    return np.asarray(chance[r], dtype=np.float64)


def secretary_optimum(candidates: int) -> Cutoff:
    """Best number of candidates to skip, which no other rule beats (Lindley 1961; result T71).

    The smallest r with sum_{j=r+1..n-1} 1/j <= 1; r/n and the success tend to 1/e.

    Parameters
    ----------
    candidates : int
        n >= 1.

    Returns
    -------
    Cutoff
        The smallest best `skip` and its `success`.

    Raises
    ------
    ValueError
        If `candidates` < 1.
    """
    n = _checks.integer("candidates", candidates, 1)
    chance = secretary_success(n, np.arange(n))
    best = int(np.argmax(chance))
    return Cutoff(best, float(chance[best]))
