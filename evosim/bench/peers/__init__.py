"""Peer programs: the forager written in other tools, one module each, one function.

Every module has ``missing() -> str | None``, which says in one line why the peer cannot run
here, and

``run(world, agents, generations, seed) -> (seconds, mean_payoff)``

which evolves a population from all-zero genomes and returns the wall time of the generations
alone (no import, no compilation) and ``float64[generations]``, the mean summed payoff of each
generation.  Heavy libraries are imported inside the functions.
"""

from __future__ import annotations

NOT_INSTALLED = "not installed (pip install evosim[bench])"
