"""The whole of a scenario file as one frozen table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evosim.scenario.base import OPTIONAL_NAME_PATTERN, Name, Table
from evosim.scenario.biology import Gene, Population, Reproduction, Selection
from evosim.scenario.culture import Channel, Knowledge
from evosim.scenario.minds import Mind, ReflexMind
from evosim.scenario.structure import Structure
from evosim.scenario.study_parts import (
    Arm,
    Assay,
    Block,
    Claim,
    Effect,
    Explained,
    Intervention,
    Ledger,
    Phase,
    Predict,
    Record,
    Trial,
)
from evosim.scenario.world import Context, CueEntry, World


class ScenarioModel(Table):
    """Every key of a scenario file; cross-references are checked by `evosim.scenario.check`."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    systems: list[Annotated[str, Field(pattern=r"^[A-Z][0-9]{1,2}$")]] = Field(
        default_factory=list, description="catalogue entries that this file realises"
    )
    source: str = Field(default="", description="where the model comes from")
    prose: str = Field(default="", description="what is shown, and why")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    slow: bool = Field(
        default=False, description="the default size takes longer than 45 s on two cores"
    )
    takes: str = Field(default="", description="how long a slow file takes")
    base_arm: Annotated[str, Field(max_length=80, pattern=OPTIONAL_NAME_PATTERN)] = Field(
        default="base", description="name of the file's own arm; '' to leave it out"
    )

    population: Population = Field(default_factory=Population)
    world: World
    context: list[Context] = Field(default_factory=list)
    cues: dict[Name, CueEntry] = Field(default_factory=dict)
    mind: Mind = Field(default_factory=ReflexMind)
    genome: dict[Name, Gene]
    knowledge: Knowledge | None = None
    channel: Channel | None = None
    structure: Structure | None = Field(
        default=None, description="who is near whom (default: a well-mixed population)"
    )
    selection: Selection
    reproduction: Reproduction = Field(default_factory=Reproduction)
    block: list[Block] = Field(default_factory=list)
    phase: list[Phase] = Field(default_factory=list)
    intervention: list[Intervention] = Field(default_factory=list)
    assay: list[Assay] = Field(default_factory=list)
    trial: list[Trial] = Field(default_factory=list)
    record: Record = Field(default_factory=Record)
    ledger: Ledger = Field(default_factory=Ledger)
    predict: Predict | None = None
    explained: list[Explained] = Field(default_factory=list)
    arm: list[Arm] = Field(default_factory=list)
    effect: Effect | None = None
    claim: list[Claim] = Field(default_factory=list)
