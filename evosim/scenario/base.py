"""The common base of every table a scenario file may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: A name a person gives: no dots, because dots separate the parts of a key.
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^.\[\]\n\"]+$")
]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Table(BaseModel):
    """A frozen table of a scenario file; unknown keys and NaN are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )
