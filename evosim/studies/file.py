"""Read and check a study file, and the scenario that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evosim.api import load_plugin, only_arms
from evosim.errors import UserError, did_you_mean
from evosim.scenario import Scenario
from evosim.scenario.arms import SHARED
from evosim.scenario.explain import user_error
from evosim.scenario.keys import join_key, split_key
from evosim.scenario.lines import KeyLines
from evosim.scenario.load import in_order, parse, placed, read_text
from evosim.scenario.override import restated
from evosim.studies.designs import parameters_of
from evosim.studies.model import _KINDS, GridDesign, ListDesign, StudyModel

#: The file in the package.
SCHEMA_FILE = Path(__file__).resolve().parent.parent / "schema" / "study.schema.json"
#: Names of columns that the tables of a study have anyway.
_COLUMNS = (
    "run", "point", "replicate", "populations", "seed", "scenario", "code", "set", "status",
    "stage", "error", "wall_seconds", "peak_memory_bytes", "arm", "generation", "agents",
    "extinct", "payoff", "context", "frequency", "episodes", "assay", "when", "value", "sd", "low",
    "high", "trial", "episode", "kind", "quantity", "percept", "action", "claim", "index",
    "measure", "estimate", "verdict", "predictor", "probability", "split", "score", "skill",
)  # fmt: skip
#: What only describes a run: it cannot be a parameter.
_NO_PARAMETER = ("seed", "title", "systems", "source", "prose", "slow", "takes", "arm", "claim")


@dataclass(frozen=True)
class StudyFile:
    """A study that has passed all checks that need no point of its design.

    Attributes
    ----------
    model : StudyModel
    base : Scenario
        The scenario with `arms` and `set` applied.
    plugins : list of Path
        Absolute; imported.
    path : Path or None
        The file it was loaded from.
    text : str
        Its text; empty where it was made from data.
    """

    model: StudyModel
    base: Scenario
    plugins: list[Path] = field(default_factory=list)
    path: Path | None = None
    text: str = field(default="", repr=False)

    @property
    def seed(self) -> int:
        """The number from which the seeds of the runs are spawned."""
        return self.base.model.seed if self.model.seed is None else self.model.seed

    def changes(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of the scenario that a point sets."""
        return {self.model.names.get(name, name): value for name, value in point.items()}

    def placed(self, error: UserError, point: Mapping[str, Any]) -> UserError:
        """Return the error of a point's scenario under the study's own key."""
        at = ", ".join(f"{name} = {value}" for name, value in point.items())
        known = restated(error, _design_key(self.model, next(iter(point), "")))
        moved = UserError(
            f"at {at}: {known.message}", key=known.key, allowed=error.allowed, hint=error.hint
        )
        return _placed(moved, self.model, self.path, self.text)


def load_study_file(
    source: str | Path | Mapping[str, Any], plugins: Sequence[str | Path] = ()
) -> StudyFile:
    """Read and check a study.

    Parameters
    ----------
    source : path or mapping
        A study file, or what one would hold; paths in a mapping start at the current folder.
    plugins : sequence of path
        Python files to import besides those that the study names.

    Returns
    -------
    StudyFile

    Raises
    ------
    UserError
        The first mistake: file, line, key, what is allowed.
    """
    if isinstance(source, Mapping):
        return check_study(source, plugins=plugins)
    path = Path(source).expanduser()
    text = read_text(path)
    return check_study(parse(text, path), path, text, plugins)


def check_study(
    data: Any, path: Path | None = None, text: str = "", plugins: Sequence[str | Path] = ()
) -> StudyFile:
    """Check a study given as nested tables; see `load_study_file`."""
    model = _validate(data, path, text)
    folder = path.parent if path is not None else Path()
    loaded = [load_plugin(folder / plugin) for plugin in model.plugins]
    loaded += [load_plugin(plugin) for plugin in plugins]
    try:
        base = _base(model, folder)
        _check_parameters(model, base)
    except UserError as error:
        raise _placed(error, model, path, text) from None
    return StudyFile(model, base, list(dict.fromkeys(loaded)), path, text)


def schema_text() -> str:
    """Return the JSON Schema (2020-12) of study files as text."""
    made = StudyModel.model_json_schema(by_alias=True)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evosim study",
        **{key: value for key, value in made.items() if key != "title"},
    }
    return json.dumps(whole, indent=2, ensure_ascii=True, sort_keys=True) + "\n"


def _validate(data: Any, path: Path | None, text: str) -> StudyModel:
    lines = KeyLines(text)
    if not isinstance(data, Mapping):
        raise UserError("a study is a table of keys", file=path)
    design = data.get("design")
    if isinstance(design, Mapping) and design.get("kind") not in _KINDS:
        kind = design.get("kind")
        error = UserError(
            "missing" if kind is None else f"'{kind}' is not a kind of design",
            key="design.kind",
            allowed=", ".join(f"'{k}'" for k in _KINDS),
            hint=did_you_mean(str(kind), _KINDS),
        )
        raise placed(error, data, file=path, lines=lines)
    try:
        return StudyModel.model_validate(in_order(data), strict=True)
    except ValidationError as error:
        raise user_error(error, data, file=path, lines=lines, root=StudyModel) from None
    except RecursionError:
        raise UserError("nested too deeply", file=path) from None


def _base(model: StudyModel, folder: Path) -> Scenario:
    """Return the scenario that all runs start from; its own errors are its own file's."""
    from evosim.api import find_file

    try:
        base = Scenario.load(find_file(folder / model.scenario))
    except UserError as error:
        if error.message == "no such file":
            raise UserError(
                f"no such file: {error.file}", key="scenario", hint=error.hint
            ) from None
        raise
    try:
        base = only_arms(base, model.arms) if model.arms else base
    except UserError as error:
        raise _bare(error, "arms") from None
    try:
        return base.override(model.set) if model.set else base
    except UserError as error:
        raise restated(error, "set") from None


def _check_parameters(model: StudyModel, base: Scenario) -> None:
    """Refuse parameters that are no keys, or that would hide a column."""
    names = parameters_of(model)
    _check_names(model, names)
    _check_dose(model, names)
    if isinstance(model.design, ListDesign):
        for i, point in enumerate(model.design.points):
            missing = [name for name in names if name not in point]
            if missing:
                raise UserError(f"lacks '{missing[0]}'", key=f"design.points.{i}")
    taken = {*_COLUMNS, *base.model.genome}
    keys: dict[str, str] = {}
    for name in names:
        key, place = model.names.get(name, name), _design_key(model, name)
        parts = split_key(key)
        if parts[0] in _NO_PARAMETER or (key in SHARED and parts[0] != "population"):
            hint = "a study's replicates have seeds of their own" if key == "seed" else None
            raise UserError(f"{key} is no parameter of a study", key=place, hint=hint)
        if name in taken:
            raise UserError(
                f"'{name}' is the name of a column of the tables",
                key=place,
                hint="choose another name under [names]",
            )
        if key in keys:
            raise UserError(f"'{keys[key]}' sets {key} already", key=place)
        if key in model.set:
            raise UserError(f"{key} stands in both set and design", key=place)
        keys[key] = name


def _check_dose(model: StudyModel, names: Sequence[str]) -> None:
    """Refuse a figure over a parameter that is none, or with another number of predictions."""
    dose = model.dose
    if dose is None:
        return
    name = dose.parameter or names[0]
    if name not in names:
        raise UserError(
            "the design has no such parameter",
            key="dose.parameter",
            allowed=", ".join(names),
            hint=did_you_mean(name, names),
        )
    if not dose.predicted:
        return
    if not isinstance(model.design, GridDesign):
        raise UserError("predicted values belong to a design of kind 'grid'", key="dose.predicted")
    wanted = len(model.design.parameters[name])
    if len(dose.predicted) != wanted:
        raise UserError(
            f"{len(dose.predicted)} values for {wanted} of '{name}'", key="dose.predicted"
        )


def _check_names(model: StudyModel, used: Sequence[str]) -> None:
    for name in model.names:
        if name not in used:
            raise UserError(
                "the design has no such parameter",
                key=join_key(["names", name]),
                allowed=", ".join(used),
                hint=did_you_mean(name, used),
            )


def _design_key(model: StudyModel, name: str) -> str:
    table = "points" if isinstance(model.design, ListDesign) else "parameters"
    return join_key(["design", table, name]) if table == "parameters" else "design.points"


def _bare(error: UserError, key: str) -> UserError:
    """Return an error of the scenario as one of a key of the study."""
    return UserError(error.message, key=key, allowed=error.allowed, hint=error.hint)


def _placed(error: UserError, model: StudyModel, path: Path | None, text: str) -> UserError:
    from evosim.scenario.resolved import plain

    if error.file is not None and error.key not in ("scenario", "arms", "set"):
        return error
    return placed(error, plain(model), file=path, lines=KeyLines(text))
