"""What a study file may say: a scenario, a design over its parameters, replicates."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from evosim.scenario.base import Name, Table
from evosim.scenario.study_parts import Scalar

#: The tables that a study can keep of each run.
TABLES = (
    "trajectory", "contexts", "assays", "trials", "ledger", "predictions", "scores", "claims",
)  # fmt: skip
TableName = Literal[
    "trajectory", "contexts", "assays", "trials", "ledger", "predictions", "scores", "claims"
]
Values = Annotated[list[Scalar], Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class Range(Table):
    """An interval from which a parameter's values are taken."""

    low: float
    high: float
    scale: Literal["linear", "log"] = Field(
        default="linear", description="log: uniform in the logarithm"
    )
    whole: bool = Field(default=False, description="whole numbers, both ends included")

    @model_validator(mode="after")
    def _sound(self) -> Range:
        if not self.low < self.high:
            raise ValueError("low and high need low < high")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("scale = 'log' needs low > 0")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("whole = true needs whole numbers as low and high")
        return self


#: Values that are equally likely, or an interval.
Choice = Range | Values
Choices = Annotated[dict[str, Choice], Field(min_length=1)]


class GridDesign(Table):
    """Every combination of the parameters' values."""

    kind: Literal["grid"]
    parameters: Annotated[dict[str, Values], Field(min_length=1)] = Field(
        description="parameter = list of values"
    )


class ListDesign(Table):
    """Points that are written out."""

    kind: Literal["list"]
    points: Annotated[list[dict[str, Scalar]], Field(min_length=1)] = Field(
        description="one table of parameter = value per point, all with the same parameters"
    )


class RandomDesign(Table):
    """Independent points; more points can be added later."""

    kind: Literal["random"]
    points: Count
    parameters: Choices = Field(description="parameter = { low, high } or list of values")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        default=0, description="of the points; runs have seeds of their own"
    )


class LatinHypercubeDesign(Table):
    """Points that meet each of as many strata of every parameter once; cannot be extended."""

    kind: Literal["latin-hypercube"]
    points: Count
    parameters: Choices = Field(description="parameter = { low, high } or list of values")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        default=0, description="of the points; runs have seeds of their own"
    )


class SobolDesign(Table):
    """A scrambled Sobol sequence; it can be doubled later."""

    kind: Literal["sobol"]
    points: Count = Field(description="a power of 2")
    parameters: Choices = Field(description="parameter = { low, high } or list of values")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        default=0, description="of the scrambling; runs have seeds of their own"
    )

    @model_validator(mode="after")
    def _sound(self) -> SobolDesign:
        _power_of_2(self.points)
        return self


class SaltelliDesign(Table):
    """Pairs of Sobol points with their parameters exchanged one by one: total indices."""

    kind: Literal["saltelli"]
    points: Count = Field(
        description="pairs of points, a power of 2; with D parameters D + 2 runs for each"
    )
    parameters: Annotated[dict[str, Range], Field(min_length=1)] = Field(
        description="parameter = { low, high }"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        default=0, description="of the scrambling; runs have seeds of their own"
    )

    @model_validator(mode="after")
    def _sound(self) -> SaltelliDesign:
        _power_of_2(self.points)
        for name, value in self.parameters.items():
            if value.whole:
                raise ValueError(
                    f"'{name}' is whole: points would coincide; use 'sobol' or 'latin-hypercube'"
                )
        return self


def _power_of_2(points: int) -> None:
    if points & (points - 1):
        near = 2 ** round(math.log2(points))
        raise ValueError(f"points must be a power of 2, e.g. {near}: Sobol points balance so")


_KINDS = ("grid", "list", "random", "latin-hypercube", "sobol", "saltelli")


def _kind_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in _KINDS else "grid"


Design = Annotated[
    Annotated[GridDesign, Tag("grid")]
    | Annotated[ListDesign, Tag("list")]
    | Annotated[RandomDesign, Tag("random")]
    | Annotated[LatinHypercubeDesign, Tag("latin-hypercube")]
    | Annotated[SobolDesign, Tag("sobol")]
    | Annotated[SaltelliDesign, Tag("saltelli")],
    Discriminator(_kind_of),
]


class Dose(Table):
    """What a study's figure shows: a measure against a parameter, beside what theory says."""

    measure: Annotated[str, Field(min_length=1)] = Field(description="as in a claim")
    parameter: Name | None = Field(
        default=None, description="a parameter of the design (default: its first)"
    )
    generation: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="when the measure is read (default: in the last generation)"
    )
    thresholds: list[float] = Field(
        default_factory=list, description="values of the parameter at which theory has a turn"
    )
    level: float | None = Field(
        default=None, description="a value of the measure that theory singles out"
    )
    predicted: list[float] = Field(
        default_factory=list,
        description="what theory has the measure be, at each value of the parameter in turn",
    )
    scale: Literal["linear", "log"] = Field(default="linear", description="of the parameter's axis")


class StudyModel(Table):
    """Every key of a study file.

    A run of the study is what ``evosim run SCENARIO --seed SEED --set KEY=VALUE ...`` computes;
    the design says for which keys and values.
    """

    title: Annotated[str, Field(min_length=1, max_length=200)]
    scenario: Annotated[str, Field(min_length=1)] = Field(
        description="the scenario file, from the study file's folder"
    )
    systems: list[Annotated[str, Field(pattern=r"^[A-Z][0-9]{1,2}$")]] = Field(
        default_factory=list, description="catalogue entries that this study is about"
    )
    source: str = Field(default="", description="where the question comes from")
    prose: str = Field(default="", description="what is asked, and why")
    takes: str = Field(default="", description="how long all runs take")
    design: Design
    dose: Dose | None = Field(default=None, description="what the study's figure shows")
    names: dict[Name, str] = Field(
        default_factory=dict,
        description="short name = key of the scenario; the name is then the parameter's column",
    )
    replicates: Count = Field(default=1, description="runs per point, each with its own seed")
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(
        default=None,
        description="from which the runs' seeds are spawned (default: the scenario's)",
    )
    independent: bool = Field(
        default=False,
        description="seeds differ between points too; else replicate r has the same luck at all",
    )
    arms: list[Name] = Field(
        default_factory=list, description="arms of the scenario that are run (default: all)"
    )
    set: dict[str, Any] = Field(
        default_factory=dict, description="key = value, the same in all runs"
    )
    plugins: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="Python files that register own worlds, minds or schemes"
    )
    tables: Annotated[list[TableName], Field(min_length=1)] = Field(
        default_factory=lambda: list(TABLES),  # type: ignore[arg-type]
        description="tables that are kept of each run (default: all)",
    )
