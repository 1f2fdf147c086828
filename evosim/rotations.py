"""A gene whose loci change places: weights of the same sizes that are about something else.

Whatever a policy owes to what its weights are about, and not to how large they are, is lost when
they change places (as a permutation test loses what pairs belong together: Fisher 1935, The
Design of Experiments). Of all permutations the rotations by 1 to L - 1 places are taken, and what
is measured is averaged over them: every locus then holds what each other one had equally often,
never its own, and nothing is drawn. Of a policy the cues change places, each with all the
weights that it has for different actions or hidden units; weights of no cue stay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.resolve import Resolved

I64 = NDArray[np.int64]


def rotations(gene: str, resolved: Resolved, key: str) -> I64:
    """Return where each locus of the genome gets its value from, in every rotation of a gene.

    Parameters
    ----------
    gene : str
        With M movable parts: cues of the gene `policy`, loci of any other.
    resolved : Resolved
    key : str
        For errors.

    Returns
    -------
    (M - 1, L) int64
        Over all L real loci; those of other genes stay.

    Raises
    ------
    UserError
        For genes that do not exist or have nothing to change places with.
    """
    real = {slot.name: slot for slot in resolved.layout.real}
    if gene not in real:
        raise UserError(
            f"there is no real gene '{gene}'",
            key=key,
            allowed=", ".join(real),
            hint=did_you_mean(gene, real),
        )
    slot = real[gene]
    parts, rows = slot.loci, 1
    if gene == "policy" and resolved.world is not None:
        parts = len(resolved.world.cue_names)
        # Weights of cues come first: of each output, or of each hidden unit of a network.
        rows = resolved.hidden or slot.loci // parts
    if parts < 2:
        raise UserError(
            f"gene '{gene}' has one part, which cannot change places",
            key=key,
            allowed="genes of at least two loci; policies over at least two cues",
        )
    own = np.arange(slot.start, slot.start + rows * parts).reshape(rows, parts)
    order = np.tile(np.arange(resolved.layout.real_loci), (parts - 1, 1))
    for k in range(1, parts):
        order[k - 1, own] = np.roll(own, k, axis=1)
    return order
