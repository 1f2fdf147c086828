"""The plan of a study: one row per run, with an id that says what it will compute.

A run's id is a hash of the resolved scenario, the seed, and the code (engine, kernels and user
files, Numba and NumPy). Seeds are spawned from the study's seed by replicate, and by the point's
own content where points are independent, so that neither more points nor more replicates change
a run that is planned already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.errors import UserError
from evosim.record import engine_hash, environment_versions, file_digest
from evosim.scenario.load import validate
from evosim.scenario.override import override
from evosim.scenario.resolved import content_hash, plain
from evosim.studies.designs import parameters_of, points_of
from evosim.studies.model import LatinHypercubeDesign

if TYPE_CHECKING:
    import pandas as pd

    from evosim.scenario import Scenario
    from evosim.scenario.model import ScenarioModel
    from evosim.studies.file import StudyFile

#: The plan's own columns; the parameters follow.
COLUMNS = ("run", "point", "replicate", "populations", "seed", "scenario", "code", "set")
#: Points whose arms and claims are checked too before anything runs; all are validated.
_CHECKED_POINTS = 20


def code_version(plugins: Sequence[Path], scenario: Scenario) -> str:
    """Return a hash of all code that a run's numbers depend on.

    Parameters
    ----------
    plugins : sequence of path
        User files.
    scenario : Scenario
        What is run: its world may be read from a library.
    """
    digest = hashlib.sha256(engine_hash().encode())
    for library in ("numba", "numpy"):
        digest.update(f" {library} {version(library)}".encode())
    for library, found in environment_versions(scenario).items():
        digest.update(f" {library} {found}".encode())
    for plugin in sorted(file_digest(path) for path in plugins):
        digest.update(f" {plugin}".encode())
    return digest.hexdigest()[:16]


def make_plan(file: StudyFile, code: str) -> pd.DataFrame:
    """Return the runs of a study, point by point.

    Parameters
    ----------
    file : StudyFile
    code : str
        See `code_version`.

    Returns
    -------
    DataFrame
        `COLUMNS`, then a column per parameter. `seed` is what ``evosim run --seed`` would take;
        `set` holds the changed keys as JSON; `populations` is the number of replicates within
        the run.

    Raises
    ------
    UserError
        A point is no valid scenario, or two points are the same one.
    """
    import pandas as pd

    points = points_of(file.model)
    every = max(1, len(points) // _CHECKED_POINTS)
    base = {**plain(file.base.model), "seed": 0}
    seen: dict[str, int] = {}
    rows: list[tuple[Any, ...]] = []
    names = parameters_of(file.model)
    seeds = _Seeds(file)
    for number, point in enumerate(points):
        changes = file.changes(point)
        model = _resolved(file, base, point, changes, thoroughly=number % every == 0)
        scenario = content_hash(model)
        if scenario in seen:
            raise UserError(
                f"points {seen[scenario]} and {number} are the same scenario",
                file=file.path,
                key="design",
            )
        seen[scenario] = number
        text = json.dumps(changes, sort_keys=True)
        inner = model.population.replicates
        values = tuple(point[name] for name in names)
        for replicate, seed in enumerate(seeds.of(scenario)):
            run = run_id(scenario, seed, code)
            rows.append((run, number, replicate, inner, seed, scenario, code, text, *values))
    return _typed(pd.DataFrame(rows, columns=[*COLUMNS, *names]))


def run_id(scenario: str, seed: int, code: str) -> str:
    """Return the 20 hexadecimal digits that name a run."""
    return hashlib.sha256(f"{scenario} {seed} {code}".encode()).hexdigest()[:20]


def extend(
    old: pd.DataFrame, new: pd.DataFrame, file: StudyFile, *, done: set[str], any_code: bool
) -> pd.DataFrame:
    """Return a plan with the runs of the old one first, unchanged, and those that are new.

    Parameters
    ----------
    old, new : DataFrame
        What was planned before, and what the study file says now.
    file : StudyFile
        Of the new plan.
    done : set of str
        Ids of the runs that have results.
    any_code : bool
        Whether runs that another version of the code has done may stay; those that it has not
        done are planned anew.

    Raises
    ------
    UserError
        The new plan lacks runs of the old one, or the code has changed.
    """
    import pandas as pd

    _check_code(old, new, any_code)
    keys = ["scenario", "seed"]
    where = pd.MultiIndex.from_frame(new[keys]).get_indexer(pd.MultiIndex.from_frame(old[keys]))
    if (where < 0).any():
        raise _lost(old, int((where < 0).sum()), file)
    kept = new.iloc[where].copy()
    kept["point"] = old["point"].to_numpy()
    has = old["run"].isin(done).to_numpy()
    for column in ("run", "code"):
        kept[column] = old[column].where(has, kept[column].to_numpy()).to_numpy()
    fresh = new.drop(index=where.tolist())
    number = dict(zip(old["scenario"], old["point"], strict=True))
    after = int(old["point"].max()) + 1
    for scenario in dict.fromkeys(fresh["scenario"]):
        number.setdefault(scenario, after + len(number) - old["point"].nunique())
    fresh["point"] = [number[scenario] for scenario in fresh["scenario"]]
    return _typed(pd.concat([kept, fresh], ignore_index=True))


class _Seeds:
    """The seeds of a point's replicates."""

    def __init__(self, file: StudyFile) -> None:
        self._seed = file.seed
        self._independent = file.model.independent
        self._replicates = file.model.replicates
        self._shared = [] if self._independent else list(self._spawn(()))

    def of(self, scenario: str) -> Sequence[int]:
        if not self._independent:
            return self._shared
        words = [int(scenario[i : i + 8], 16) for i in range(0, 64, 8)]
        return list(self._spawn(tuple(words)))

    def _spawn(self, words: tuple[int, ...]) -> Iterator[int]:
        import numpy as np

        for replicate in range(self._replicates):
            sequence = np.random.SeedSequence(self._seed, spawn_key=(replicate, *words))
            yield int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _resolved(
    file: StudyFile,
    base: dict[str, Any],
    point: dict[str, Any],
    changes: dict[str, Any],
    *,
    thoroughly: bool,
) -> ScenarioModel:
    try:
        if thoroughly:
            file.base.override(changes)
        return validate(override(base, changes))
    except UserError as error:
        raise file.placed(error, point) from None


def _check_code(old: pd.DataFrame, new: pd.DataFrame, any_code: bool) -> None:
    before, now = set(old["code"]), str(new["code"].iloc[0])
    if before != {now} and not any_code:
        raise UserError(
            "its runs were planned with another version of evosim, of a plugin, of numba or numpy",
            hint="say --any-code to do what is missing with this one, or choose another --out",
        )


def _lost(old: pd.DataFrame, lost: int, file: StudyFile) -> UserError:
    if isinstance(file.model.design, LatinHypercubeDesign) and lost == len(old):
        why = (
            "a Latin hypercube cannot be extended: its strata are as many as its points, "
            "so that another number of points moves them all"
        )
        return UserError(why, hint="choose another --out, or a design of kind 'sobol' or 'random'")
    what = "all" if lost == len(old) else f"{lost} of the {len(old)}"
    return UserError(
        f"{what} runs planned there are not in this study: its scenario, seed or points differ",
        hint="a study may grow by points and replicates; else choose another --out",
    )


def _typed(plan: pd.DataFrame) -> pd.DataFrame:
    """Give every parameter one type: numbers, truth values, or text."""
    changes: dict[str, Any] = {}
    for name in plan.columns:
        kinds = {type(value) for value in plan[name]} if plan[name].dtype == object else set()
        if kinds and kinds != {bool}:
            changes[str(name)] = float if kinds <= {int, float} else "str"
    return plan.astype(changes)
