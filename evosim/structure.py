"""Who is near whom, as arrays that kernels read: turned once from demes or a networkx graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.kernels.near import ANYWHERE, Near
from evosim.scenario.structure import Demes, Network

if TYPE_CHECKING:
    from evosim.scenario.model import ScenarioModel


@dataclass(frozen=True)
class StructureCode:
    """Whom newborns at each place may have as parents and as models.

    Attributes
    ----------
    parents, models : Near
        Models `ANYWHERE` where they are drawn from all agents.
    migration, contact : float
        Chances that a parent, a model stands elsewhere.
    deme : (N,) int64
        Deme of each place; length 0 on a network.
    """

    parents: Near
    models: Near
    migration: float
    contact: float
    deme: NDArray[np.int64]


def make_structure(model: ScenarioModel) -> StructureCode | None:
    """Return a scenario's structure as arrays, or None in a well-mixed population.

    Raises
    ------
    UserError
        For demes of unequal sizes, graphs that cannot be, or networkx that is not installed.
    """
    spec, agents = model.structure, model.population.agents
    if spec is None:
        return None
    deme = np.zeros(0, np.int64)
    if isinstance(spec, Demes):
        if agents % spec.demes:
            raise UserError(
                f"{agents} agents do not make {spec.demes} equal demes",
                key="structure.demes",
                allowed=f"a divisor of {agents}",
            )
        deme = np.arange(agents) // (agents // spec.demes)
        near = _demes(spec, deme)
    else:
        near = _network(spec, agents)
    crowd = _near(np.zeros(agents, np.int64), [range(agents)], [[]])
    return StructureCode(
        parents=crowd if spec.parents == "global" else near,
        models=ANYWHERE if spec.models == "global" else near,
        migration=spec.migration,
        contact=spec.contact,
        deme=deme,
    )


def _demes(spec: Demes, deme: NDArray[np.int64]) -> Near:
    """Return neighbourhoods that are demes; the last one holds everybody."""
    members: list[Any] = [np.flatnonzero(deme == d) for d in range(spec.demes)]
    if spec.pattern == "ring":
        away = [
            sorted({(d - 1) % spec.demes, (d + 1) % spec.demes} - {d}) for d in range(spec.demes)
        ]
    else:
        away = [[e for e in range(spec.demes) if e != d] for d in range(spec.demes)]
    return _near(deme, [*members, range(deme.size)], [*away, []])


def _network(spec: Network, agents: int) -> Near:
    """Return neighbourhoods of places on a graph; the last one holds everybody."""
    edges = np.array(_edges(spec, agents), np.int64).reshape(-1, 2)
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    own = np.arange(agents)
    both = np.unique(np.concatenate([both, np.stack([own, own], axis=1)]), axis=0)
    members = np.split(both[:, 1], np.searchsorted(both[:, 0], own[1:]))
    return _near(own, [*members, own], [*([agents] for _ in own), []])


def _edges(spec: Network, agents: int) -> list[tuple[int, int]]:
    """Return the links of a graph, made by networkx."""
    if spec.graph == "edges":
        edges = [(a, b) for a, b in spec.edges or []]
        last = max((max(pair) for pair in edges), default=0)
        if last >= agents:
            raise UserError(
                f"place {last} of {agents}", key="structure.edges",
                allowed=f"0 to {agents - 1}",
            )  # fmt: skip
        return edges
    try:
        import networkx as nx
    except ModuleNotFoundError as error:
        raise UserError(
            "networks need networkx", key="structure.graph",
            hint="pip install 'evosim[networks]'",
        ) from error  # fmt: skip
    links, seed = spec.neighbours or 4, spec.seed
    _fits(spec, agents, links)
    if spec.graph == "torus":
        side = round(agents**0.5)
        grid = nx.grid_2d_graph(side, side, periodic=True)
        return [(a * side + b, c * side + d) for (a, b), (c, d) in grid.edges]
    if spec.graph == "ring":
        graph = nx.circulant_graph(agents, range(1, links // 2 + 1))
    elif spec.graph == "small-world":
        graph = nx.watts_strogatz_graph(agents, links, spec.rewiring, seed=seed)
    elif spec.graph == "scale-free":
        graph = nx.barabasi_albert_graph(agents, links, seed=seed)
    else:
        graph = nx.gnp_random_graph(agents, links / (agents - 1), seed=seed)
    return list(graph.edges)


def _fits(spec: Network, agents: int, links: int) -> None:
    """Raise where so many places cannot have such a graph."""
    if spec.graph == "torus" and round(agents**0.5) ** 2 != agents:
        raise UserError(
            f"{agents} agents make no square", key="structure.graph",
            allowed="a square number of population.agents",
        )  # fmt: skip
    if spec.graph in ("ring", "small-world") and (links % 2 or links >= agents):
        raise UserError(
            f"{links} neighbours on both sides among {agents} places",
            key="structure.neighbours",
            allowed=f"an even number below {agents}",
        )
    if links >= agents:
        raise UserError(
            f"{links} neighbours among {agents} places",
            key="structure.neighbours",
            allowed=f"below {agents}",
        )


def _near(group: NDArray[np.int64], members: list[Any], away: list[Any]) -> Near:
    sizes = np.array([len(part) for part in members])
    others = np.array([len(part) for part in away])
    return Near(
        group=group.astype(np.int64),
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        member=np.concatenate([np.asarray(part, np.int64) for part in members]),
        away_start=np.concatenate([[0], np.cumsum(others)]).astype(np.int64),
        away=np.concatenate([np.asarray(part, np.int64) for part in away]),
    )


def among(deme: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the variance of (R, N, V) values that lies among demes, (R, V).

    NaN where there is no variance at all.
    """
    demes = int(deme[-1]) + 1
    means = values.reshape(values.shape[0], demes, -1, values.shape[2]).mean(axis=2)
    whole = values.var(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0.0, means.var(axis=1) / whole, np.nan)


__all__ = ["StructureCode", "among", "make_structure"]
