"""A run cut into stretches of generations with constant parameters: phases, interventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evosim.errors import UserError
from evosim.scenario.keys import join_key, split_key
from evosim.scenario.load import validate
from evosim.scenario.model import ScenarioModel
from evosim.scenario.override import ABSENT, cause_of, override, restated, value_at
from evosim.scenario.resolved import plain
from evosim.scenario.study_parts import Intervention, Phase

#: Tables whose numbers say how agents live, breed and mutate: they may change during a run.
_MUTABLE = (
    "world", "context", "block", "cues", "mind", "genome", "knowledge", "channel", "selection",
)  # fmt: skip
#: Keys in them that fix the shape of arrays, or only matter at the start.
_FIXED = {
    ("genome", "loci"): "the number of loci",
    ("genome", "initial"): "how a gene starts",
    ("mind", "hidden"): "the number of hidden units",
    ("world", "length"): "the number of states",
    ("knowledge", "items"): "the size of the pool",
}


class Segment(NamedTuple):
    """Generations ``start <= generation < stop`` and the parameters that hold in them."""

    start: int
    stop: int
    model: ScenarioModel


def segments(model: ScenarioModel) -> list[Segment]:
    """Return the stretches of a run, from generation 0 to `population.generations`.

    A phase sets the frequencies of all contexts (0 where it names none) until the next phase;
    an intervention sets numbers until something sets them again. Of both in one generation the
    phase comes first. What starts at or after the last generation's end never happens (see
    `dropped`).

    Parameters
    ----------
    model : ScenarioModel
        Of one arm.

    Returns
    -------
    list of Segment
        At least one; without gaps.

    Raises
    ------
    UserError
        An intervention sets something that is no number or must not change during a run.
    """
    last = model.population.generations
    if not (model.phase or model.intervention):
        return [Segment(0, last, model)]
    data = plain(model)
    for index, intervention in enumerate(model.intervention):
        check_intervention(index, intervention, data)
    events = [event for event in _events(model) if event[0] < last]
    result: list[Segment] = []
    current, start = model, 0
    for at, index, event in events:
        if at > start:
            result.append(Segment(start, at, current))
            start = at
        try:
            data = _after(event, data)
            current = validate(data)
        except UserError as error:
            raise _event_error(error, index, event) from None
    result.append(Segment(start, last, current))
    return result


def dropped(model: ScenarioModel) -> list[str]:
    """Return a note for each phase and intervention that the run ends before."""
    last = model.population.generations
    notes = []
    for at, index, event in _events(model):
        if at >= last:
            what = f"phase '{event.name}'" if isinstance(event, Phase) else f"intervention {index}"
            notes.append(f"{what} starts at generation {at}: dropped, the run ends at {last}")
    return notes


def check_intervention(index: int, intervention: Intervention, data: Mapping[str, Any]) -> None:
    """Refuse keys that are no numbers, or that must stay as they are during a run.

    Parameters
    ----------
    index : int
        Of the intervention in its list.
    intervention : Intervention
    data : mapping
        The scenario, as `plain` returns it.

    Raises
    ------
    UserError
    """
    for key, value in intervention.set.items():
        place = join_key([*_place(index), "set", key])
        parts = split_key(key)
        if parts[0] not in _MUTABLE:
            raise UserError(
                f"{key} cannot change during a run",
                key=place,
                allowed=f"numbers of {', '.join(_MUTABLE)}",
            )
        for (top, leaf), what in _FIXED.items():
            if parts[0] == top and leaf in parts[1:]:
                raise UserError(f"{what} cannot change during a run", key=place)
        try:
            override(data, {key: value})
        except UserError as error:
            raise restated(error, place, key) from None
        old = value_at(data, key)
        if isinstance(old, bool) or not isinstance(old, int | float):
            what = "has no value" if old is ABSENT else "is not a number"
            raise UserError(f"{key} {what}: an intervention sets numbers", key=place)


def _events(model: ScenarioModel) -> list[tuple[int, int, Phase | Intervention]]:
    """Return phases and interventions in the order in which they happen."""
    events: list[tuple[int, int, Phase | Intervention]] = []
    events += [(phase.start, i, phase) for i, phase in enumerate(model.phase)]
    events += [(change.at, i, change) for i, change in enumerate(model.intervention)]
    # The sort is stable: in one generation phases stay before interventions, in file order.
    return sorted(events, key=lambda event: event[0])


def _after(event: Phase | Intervention, data: dict[str, Any]) -> dict[str, Any]:
    if isinstance(event, Phase):
        contexts = [
            {**context, "frequency": event.frequencies.get(context["name"], 0.0)}
            for context in data.get("context", [])
        ]
        return {**data, "context": contexts}
    return override(data, event.set)


def _event_error(error: UserError, index: int, event: Phase | Intervention) -> UserError:
    if isinstance(event, Phase):
        return restated(error, join_key(["phase", event.name]))
    cause = cause_of(error, event.set)
    return restated(error, join_key([*_place(index), *(["set", cause] if cause else [])]), cause)


def _place(index: int) -> list[str]:
    return ["intervention", str(index)]
