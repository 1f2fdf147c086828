"""The common base of every table a scenario file may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: What a name may hold: no dots, because dots separate the parts of a key; no brackets,
#: because labels of grid cells use them; no control characters, because errors are one line.
NAME_PATTERN = r'^[^.\[\]"\x00-\x1f\x7f-\x9f\u2028\u2029]+$'
#: The same, or nothing.
OPTIONAL_NAME_PATTERN = NAME_PATTERN.replace("+$", "*$")
#: A name a person gives.
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=NAME_PATTERN)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Table(BaseModel):
    """A frozen table of a scenario file; unknown keys and NaN are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )
