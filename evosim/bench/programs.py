"""The programs that ``make bench`` runs side by side, and the ratios evosim must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from evosim.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Program:
    """One program that runs the forager.

    Attributes
    ----------
    name : str
        What ``--peers`` calls it.
    title : str
        What the table calls it.
    module : str
        Module with ``run`` (see :mod:`evosim.bench.peers`).
    target, stretch : float or None
        Least ratio of evosim's speed to this program's, wanted at every population size; None
        for a program shown for comparison only.
    """

    name: str
    title: str
    module: str
    target: float | None = None
    stretch: float | None = None

    def missing(self) -> str | None:
        """One line saying why the program cannot run here, or None."""
        reason: str | None = import_module(self.module).missing()
        return reason


_PEERS = "evosim.bench.peers"
ENGINE = Program("evosim", "evosim", "evosim.bench.engine")
PEERS = (
    Program("mesa", "Mesa 3, agents as objects", f"{_PEERS}.mesa_objects", 500, 1000),
    Program("deap", "DEAP", f"{_PEERS}.deap_toolbox"),
    Program("numpy", "NumPy, vectorised over agents", f"{_PEERS}.numpy_vectorised", 15, 30),
    Program("numpy-columns", "NumPy, agents on the last axis", f"{_PEERS}.numpy_columns"),
    Program("jax", "JAX, jit + vmap + scan", f"{_PEERS}.jax_scan"),
    Program("evosax", "evosax on JAX", f"{_PEERS}.evosax_ga"),
    Program("plain-c", "C -O3 -march=native, plain", f"{_PEERS}.plain_c", 3, 6),
)
# The faster of the two counts: evosax runs on JAX, so either can stand for compiled Python.
BEST_JAX = Program("best-jax", "best of JAX and evosax", "", 4, 7)
BEST_JAX_OF = ("jax", "evosax")
# Who lives the learners' workload. A step may cost at most 1.3 times what the loop takes for it.
LEARNER = Program("evosim", "evosim", "evosim.bench.road_engine")
SCALAR = Program("scalar", "scalar Numba loop", f"{_PEERS}.road_numba", 1 / 1.3)
LEARNER_PEERS = (SCALAR, Program("mesa", "Mesa 3, agents as objects", f"{_PEERS}.road_mesa"))


def select(names: Sequence[str] | None, peers: tuple[Program, ...] = PEERS) -> tuple[Program, ...]:
    """Return the peers of the given names in the table's order, or all of them.

    Parameters
    ----------
    names : sequence of str or None
        Names as in ``--peers``; None means every peer.
    peers : tuple of Program
        Which of the two workloads' to choose from.

    Raises
    ------
    UserError
        A name is unknown.
    """
    if names is None:
        return peers
    known = list(dict.fromkeys(peer.name for peer in (*PEERS, *LEARNER_PEERS)))
    for name in names:
        if name not in known:
            raise UserError(
                f"unknown peer '{name}'",
                key="--peers",
                allowed=", ".join(known),
                hint=did_you_mean(name, known),
            )
    return tuple(peer for peer in peers if peer.name in names)
