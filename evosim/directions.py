"""Where a gene of several loci points, and how far: its angle to a reference, and its length.

A gene such as `utility` is a vector, and loci taken one by one do not tell its direction from its
length. Both are heritable quantities of one agent, so that the ledger can follow them: what
selection did to a drive's direction need not be what it did to its strength.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def direction_and_length(values: NDArray[np.floating], reference: F64) -> F64:
    """Return the cosine of the angle to a reference, and the Euclidean length.

    Parameters
    ----------
    values : (..., L) float
    reference : (L,) float64
        Not all zero.

    Returns
    -------
    (..., 2) float64
        The cosine is 0 for a vector of length 0, which points nowhere.
    """
    vectors = values.astype(np.float64)
    # Sums over loci one after the other: the same bits whatever stands beside them.
    along, square = np.zeros(vectors.shape[:-1]), np.zeros(vectors.shape[:-1])
    for k, part in enumerate(reference / np.sqrt((reference**2).sum())):
        along += part * vectors[..., k]
        square += vectors[..., k] ** 2
    length = np.sqrt(square)
    cosine = np.divide(along, length, out=np.zeros_like(length), where=length > 0.0)
    return np.stack([np.clip(cosine, -1.0, 1.0), length], axis=-1)
