"""What a scenario file may say of who is near whom: demes, or a network of places."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from evosim.scenario.base import Probability, Table

Reach = Literal["local", "global"]
Edge = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]
Kind = Literal["demes", "network"]


class _Structure(Table):
    migration: Probability = Field(
        default=0.0,
        description="chance that a newborn's parent stands elsewhere: in another deme, or "
        "anywhere on a network",
    )
    contact: Probability = Field(
        default=0.0, description="chance that a model of the channel stands elsewhere"
    )
    parents: Reach = Field(
        default="local",
        description="local: the places near one compete for it; global: all agents do",
    )
    models: Reach = Field(
        default="local", description="local: oblique models stand near a newborn; global: anywhere"
    )

    @model_validator(mode="after")
    def _reaches(self) -> _Structure:
        if self.migration and self.parents == "global":
            raise ValueError("migration goes with parents = 'local'")
        if self.contact and self.models == "global":
            raise ValueError("contact goes with models = 'local'")
        return self


class Demes(_Structure):
    """Groups of equally many places; near are those of the same deme."""

    kind: Kind
    demes: Annotated[int, Field(ge=2, le=100_000)]
    pattern: Literal["island", "ring"] = Field(
        default="island",
        description="elsewhere: any other deme, or one of the two neighbours on a ring of demes",
    )


class Network(_Structure):
    """A place for each agent on a graph; near are its neighbours and the place itself."""

    kind: Kind
    graph: Literal["ring", "torus", "small-world", "scale-free", "random", "edges"] = Field(
        description="ring: the `neighbours` nearest places of a circle; torus: four neighbours on "
        "a square without edges; small-world: a ring of which a share `rewiring` of the links is "
        "laid anew (Watts & Strogatz 1998); scale-free: each place links to `neighbours` earlier "
        "ones, by how many links they have (Barabasi & Albert 1999); random: `neighbours` links a "
        "place on average (Erdos & Renyi 1959); edges: as listed"
    )
    neighbours: Annotated[int, Field(ge=1)] | None = None
    rewiring: Probability | None = Field(default=None, description="small-world: share of links")
    edges: list[Edge] | None = Field(
        default=None, description="edges: pairs of places, counted from 0"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="of graphs drawn at random; all replicates have the same graph"
    )

    @model_validator(mode="after")
    def _parts(self) -> Network:
        wanted = {
            "neighbours": self.graph not in ("torus", "edges"),
            "rewiring": self.graph == "small-world",
            "edges": self.graph == "edges",
        }
        for key, needed in wanted.items():
            if (getattr(self, key) is not None) != needed:
                how = "needs" if needed else "does not go with"
                raise ValueError(f"graph = '{self.graph}' {how} {key}")
        return self


def _kind_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "network" if kind == "network" else "demes"


Structure = Annotated[
    Annotated[Demes, Tag("demes")] | Annotated[Network, Tag("network")], Discriminator(_kind_of)
]


__all__ = ["Demes", "Network", "Structure"]
