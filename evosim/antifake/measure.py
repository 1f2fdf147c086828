"""The effect's measure in variants of a scenario, with as many replicates as can decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.antifake.history import cell_of
from evosim.antifake.row import effect_of
from evosim.claims.intervals import Interval, clopper_pearson, t_half_width, t_interval
from evosim.claims.names import parse_measure, within_unit
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.scenario import ArmCell, Scenario, ScenarioModel
from evosim.scenario.biology import Replay
from evosim.scenario.load import validate
from evosim.scenario.override import override
from evosim.scenario.resolved import plain
from evosim.scenario.study_parts import At

F64 = NDArray[np.float64]
#: Of the intervals.
CONFIDENCE = 0.95
#: Most replicates, in multiples of the file's own, that a check may ask for.
MOST = 40
#: Agents of all replicates that one run may hold; more would only fill the memory.
BATCH = 1_000_000
#: Label of a variant in the tables of its run.
LABEL = "variant"
#: What is not a cell's own.
_SHARED = ("arm", "claim", "effect", "base_arm", "seed", "population", "record")


@dataclass(frozen=True)
class Variant:
    """One arm's cell with changes.

    Attributes
    ----------
    cell : ArmCell
    changes : mapping of str to any
        Dotted keys and their new values.
    loop : type of Engine
        What runs its generations.
    start : bool
        Whether the measure is read at generation 0, not at the end.
    """

    cell: ArmCell
    changes: Mapping[str, Any]
    loop: type[Engine] = Engine
    start: bool = False

    @property
    def key(self) -> str:
        """What tells it from other variants."""
        changes = sorted((k, repr(v)) for k, v in self.changes.items())
        return repr((self.cell.label, changes, self.loop.__name__, self.start))


class Measures:
    """Values of a scenario's effect, per replicate; none is computed twice.

    Parameters
    ----------
    scenario : Scenario
        With an effect.
    threads : int, optional
        As for `evosim.simulate.simulate`.

    Attributes
    ----------
    effect : Effect
    proportion : bool
        Whether the measure can only lie between 0 and 1; known once it was read.

    Raises
    ------
    UserError
        Without an effect, or with one that compares bits between two arms.
    """

    def __init__(self, scenario: Scenario, threads: int | None = None) -> None:
        self.scenario = scenario
        self.effect = effect_of(scenario)
        self.threads = threads
        self.proportion = False
        self._values: dict[str, F64] = {}
        if self.effect.measure.startswith("differs."):
            raise UserError(
                "bits that differ between two arms have no value in one of them",
                file=scenario.path,
                key="effect.measure",
                allowed="a measure of one arm",
            )

    @property
    def first(self) -> int:
        """The file's own number of replicates, at least 5."""
        return max(5, self.scenario.model.population.replicates)

    @property
    def start(self) -> float:
        """The value of the measure where nothing has evolved.

        Raises
        ------
        UserError
            If the file declares neither a start nor an expected value.
        """
        if self.effect.start is not None:
            return self.effect.start.value
        return self.expected

    @property
    def expected(self) -> float:
        """The value of the measure in the control; default: the start value."""
        if self.effect.expected is not None:
            return self.effect.expected
        if self.effect.start is not None:
            return self.effect.start.value
        raise UserError(
            "says neither where the measure starts nor what is expected in the control",
            file=self.scenario.path,
            key="effect",
            allowed="start = { value, margin } or expected",
        )

    def arm(self, **how: Any) -> Variant:
        """Return the effect's arm; `how` are further fields of `Variant`."""
        return Variant(cell_of(self.scenario, self.effect.arm), **({"changes": {}} | how))

    def values(self, variant: Variant, replicates: int) -> F64:
        """Return the measure in replicates 0, 1, ... of a variant.

        Raises
        ------
        UserError
            If a replicate has no value, with the reason.
        """
        done = self._values.get(variant.key, np.zeros(0))
        if done.size < replicates:
            new = self._run(variant, range(done.size, replicates))
            done = self._values[variant.key] = np.concatenate([done, new])
        return done[:replicates]

    def enough(self, values: Callable[[int], F64], margin: float, first: int | None = None) -> F64:
        """Return values of so many replicates that their mean's interval is narrow enough.

        A first stage gives the standard deviation, from which the second takes its size (Stein
        1945, A two-sample test for a linear hypothesis whose power is independent of the
        variance): half the interval is to be a third of the margin, so that a mean that is what
        it should be lies within by four standard errors.

        Parameters
        ----------
        values : callable
            ``values(n)`` for replicates 0 to n - 1.
        margin : float
        first : int, optional
            Replicates of the first stage; default: the file's.
        """
        first = first or self.first
        pilot = values(first)
        half = t_half_width(float(pilot.std(ddof=1)), first, CONFIDENCE)
        wanted = math.ceil(first * (half / (margin / 3.0)) ** 2)
        if self.proportion and np.isin(pilot, (0.0, 1.0)).all():
            # None of n bounds a proportion by 3.7 / n.
            wanted = max(wanted, math.ceil(4.0 / margin))
        return pilot if wanted <= first else values(min(wanted, MOST * first))

    def interval(self, values: F64) -> Interval:
        """Return the interval of the measure's mean."""
        return interval_of(values, proportion=self.proportion)

    def told(self, values: F64) -> str:
        """Return mean, interval and number of replicates as text."""
        low, high = self.interval(values)
        return f"{values.mean():.3f} [{low:.3f}, {high:.3f}] in {values.size} replicates"

    def _run(self, variant: Variant, replicates: range) -> F64:
        scenario = self._alone(variant)
        size = max(1, BATCH // scenario.model.population.agents)
        parts = [replicates[k : k + size] for k in range(0, len(replicates), size)]
        return np.concatenate([self._run_part(scenario, variant, part) for part in parts])

    def _run_part(self, scenario: Scenario, variant: Variant, replicates: range) -> F64:
        from evosim.claims.indexed import index_tables
        from evosim.claims.measures import measure_frame
        from evosim.simulate import simulate

        run = simulate(scenario, threads=self.threads, replicates=replicates, loop=variant.loop)
        last = scenario.model.population.generations
        tables = index_tables(SimpleNamespace(**run.tables))
        measured = parse_measure(self.effect.measure, tables.names, "effect.measure")
        self.proportion = within_unit(measured, scenario.model)
        frame = measure_frame(
            tables,
            measured,
            At(generation=0 if variant.start else last),
            generations=last,
            arms=[LABEL],
        )
        missing = frame[frame["value"].isna()]
        if len(missing) or not len(frame):
            reason = missing["reason"].iloc[0] if len(missing) else "it is not recorded"
            raise UserError(
                f"{self.effect.measure} has no value in {len(missing)} of {len(replicates)} "
                f"replicates of '{variant.cell.label}': {reason}",
                file=self.scenario.path,
                key="effect.measure",
            )
        return frame["value"].to_numpy(np.float64)

    def _alone(self, variant: Variant) -> Scenario:
        """Return a scenario of this variant and of the arms whose pedigree it replays."""
        own = validate(override(plain(variant.cell.model), variant.changes))
        models = {LABEL: own}
        model = own
        while isinstance(model.selection, Replay):
            source = cell_of(self.scenario, model.selection.of)
            models[source.label] = model = source.model
        tables = {label: _tables(model, self.effect.measure) for label, model in models.items()}
        *later, first = tables
        data = tables[first] | {"base_arm": first}
        data["arm"] = [{"name": label, "set": _set(tables[label], data)} for label in later]
        population = plain(own)["population"]
        data["population"] = population | ({"generations": 1} if variant.start else {})
        if " before " not in self.effect.measure:  # a race is watched all the way
            data["record"] = {"every": data["population"]["generations"]}
        return Scenario.from_dict(data, self.scenario.path)


def _tables(model: ScenarioModel, measure: str) -> dict[str, Any]:
    """Return a cell as a file of its own, that records and predicts what the measure needs."""
    data = {key: value for key, value in plain(model).items() if key not in ("arm", "claim")}
    data.pop("effect", None)
    for assay in data.get("assay", []):
        assay.pop("every", None)
    if "score." not in measure:
        data.pop("predict", None)
    return data


def _set(own: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Return the tables in which a cell differs from the file's own arm."""
    keys = [key for key in {**base, **own} if key not in _SHARED]
    return {key: own.get(key, []) for key in keys if own.get(key) != base.get(key)}


def interval_of(values: F64, *, proportion: bool = False) -> Interval:
    """Return the interval of the mean of one value per replicate.

    Student's; of no width where all replicates gave one and the same value.

    Parameters
    ----------
    values : (R,) float64
    proportion : bool
        Whether the quantity lies between 0 and 1: values that are all 0 or 1 then have the exact
        interval (Clopper and Pearson 1934), because others may only not have been seen.
    """
    if proportion and np.isin(values, (0.0, 1.0)).all():
        return clopper_pearson(float(values.sum()), values.size, CONFIDENCE)
    if float(np.ptp(values)) == 0.0:
        return Interval(float(values[0]), float(values[0]))
    return t_interval(values, CONFIDENCE)
