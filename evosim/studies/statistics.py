"""What a study says as a whole: measures by point, differences of arms, verdicts, sensitivity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evosim.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from evosim.scenario.study_parts import At
    from evosim.studies.results import Study

#: The tables that measures are read from.
_READ = ("trajectory", "contexts", "assays", "scores", "ledger")
#: More populations than any point has.
_ROOM = 2**32


@dataclass
class Tables:
    """The tables of all runs of one point; tables that the study does not keep are not there.

    Attributes
    ----------
    point : int
    parameters : dict
        Parameter -> value.
    frames : dict of str to DataFrame
        By name; `replicate` counts through the point's runs.
    """

    point: int
    parameters: dict[str, Any]
    frames: dict[str, pd.DataFrame] = field(repr=False)

    def __getattr__(self, name: str) -> pd.DataFrame:
        try:
            frame: pd.DataFrame = self.__dict__["frames"][name]
        except KeyError:
            raise AttributeError(name) from None
        return frame


def by_point(study: Study) -> Iterator[Tables]:
    """Yield the tables of every point that has runs that are done."""
    plan = study.plan
    point_of = plan.set_index("run")["point"]
    parts: dict[str, dict[int, pd.DataFrame]] = {}
    for name in _kept(study):
        frame = study.table(name)
        numbers = point_of.reindex(frame["run"].astype(str)).to_numpy()
        rows = frame.drop(columns=["run", *study.parameters])
        parts[name] = {int(str(n)): part for n, part in rows.groupby(numbers, sort=False)}
    points = plan.drop_duplicates("point")
    for point, values in zip(
        points["point"], points[study.parameters].to_dict("records"), strict=True
    ):
        frames = {name: part[point] for name, part in parts.items() if point in part}
        if frames:
            yield Tables(point, {str(name): value for name, value in values.items()}, frames)


def measured(
    study: Study,
    measure: str,
    generation: int | None = None,
    arms: Sequence[str] | None = None,
    statistic: str = "value",
) -> pd.DataFrame:
    """Read a claim's measure in every population; see `Study.measured`."""
    import pandas as pd

    from evosim.claims.measures import measure_frame

    known = _arms(study)
    for arm in arms or ():
        if arm not in known:
            raise UserError(
                f"no arm '{arm}' was run",
                file=study.path,
                allowed=", ".join(known),
                hint=did_you_mean(arm, known),
            )
    points = study.plan.drop_duplicates("point").set_index("point")[study.parameters]
    frames = [
        measure_frame(tables, measure, _at(generation), statistic, arms=arms)
        for tables in _by_length(study, generation)
    ]
    if not frames:
        raise UserError("no run is done yet", file=study.path)
    found = pd.concat(frames, ignore_index=True)
    if found["value"].isna().all():
        raise UserError(f"'{measure}' cannot be read: {found['reason'].iloc[0]}", file=study.path)
    point = found["replicate"] // _ROOM
    front = points.loc[point].reset_index()
    rest = found[["arm", "replicate", "value"]].assign(replicate=found["replicate"] % _ROOM)
    both = pd.concat([front, rest], axis=1)
    return both.sort_values(["point", "arm", "replicate"], kind="stable", ignore_index=True)


def _by_length(study: Study, generation: int | None) -> Iterator[Tables]:
    """Yield the tables of all points at once, with a replicate for every population of any point.

    Where the last generation is asked for, points that differ in it come one after the other.
    """
    import numpy as np

    point_of = study.plan.set_index("run")["point"]
    frames = {}
    for name in _kept(study):
        frame = study.table(name)
        point = point_of.reindex(frame["run"].astype(str)).to_numpy()
        rows = frame.drop(columns=["run", *study.parameters])
        frames[name] = rows.assign(replicate=point * _ROOM + rows["replicate"].to_numpy())
    if generation is not None or "trajectory" not in frames:
        yield Tables(0, {}, frames)
        return
    trajectory = frames["trajectory"]
    lasts = trajectory.groupby(trajectory["replicate"] // _ROOM)["generation"].max()
    for last in np.unique(lasts):
        these = lasts.index[lasts == last]
        yield Tables(
            0, {}, {n: f[(f["replicate"] // _ROOM).isin(these)] for n, f in frames.items()}
        )


def differences(
    study: Study,
    measure: str,
    arm: str,
    minus: str,
    generation: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare two arms point by point, paired by replicate; see `Study.differences`."""
    import pandas as pd

    from evosim.claims.estimates import of_mean

    values = measured(study, measure, generation, [arm, minus])
    keys = ["point", *study.parameters]
    rows = []
    for key, part in values.groupby(keys, sort=False, dropna=False):
        wide = part.pivot_table(index="replicate", columns="arm", values="value", dropna=False)
        pairs = (wide[arm] - wide[minus]).dropna().to_numpy(float)
        if not pairs.size:
            continue
        found = of_mean(pairs, confidence, "bca", scale=float(wide.abs().max().max()))
        low, high = (None, None) if found.interval is None else found.interval
        if found.interval is None and pairs.size > 1:
            low = high = found.value  # all pairs differ by the same
        rows.append((*key, pairs.size, found.value, low, high))
    columns = [*keys, "replicates", "estimate", "low", "high"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"estimate": float, "low": float, "high": float})


def judged(study: Study) -> pd.DataFrame:
    """Judge the scenario's claims at every point on all its runs; see `Study.judged`."""
    import json

    import pandas as pd

    from evosim.claims import judge_all

    base = study.scenario
    sets = study.plan.drop_duplicates("point").set_index("point")["set"]
    frames = []
    for tables in by_point(study):
        scenario = base.override(json.loads(str(sets[tables.point])))
        frame = judge_all(
            scenario.model.claim,
            tables,
            scenario.arms(),
            scenario.model.population.generations,
            systems=scenario.model.systems,
        )
        for place, (name, value) in enumerate(tables.parameters.items()):
            frame.insert(place, name, [value] * len(frame))
        frame.insert(0, "point", tables.point)
        frames.append(frame)
    if not frames:
        raise UserError("no run is done yet", file=study.path)
    return pd.concat(frames, ignore_index=True)


def sensitivity(
    study: Study,
    measure: str,
    arm: str = "base",
    generation: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how much each parameter moves a measure; see `Study.sensitivity`."""
    import numpy as np
    import pandas as pd

    values = measured(study, measure, generation, [arm])
    means = values.groupby("point")["value"].mean()
    plan = study.plan.drop_duplicates("point").set_index("point").sort_index()
    names = study.parameters
    inputs = plan.loc[means.index, names]
    words = [name for name in names if not pd.api.types.is_numeric_dtype(inputs[name])]
    if words:
        raise UserError(
            f"the parameter '{words[0]}' has no numbers: indices of sensitivity need them",
            file=study.path,
        )
    missing = len(plan) - int(means.notna().sum())
    x, y = inputs.to_numpy(float), means.to_numpy(float)
    if missing:
        raise UserError(
            f"{missing} of {len(plan)} points have no value of '{measure}'",
            file=study.path,
            hint="finish the study first",
        )
    if not np.ptp(y):
        raise UserError(f"'{measure}' is the same at all points", file=study.path)
    kind = str(study.info.get("design"))
    index = {"saltelli": _saltelli, "grid": _grid}.get(kind, _given)
    state = np.random.get_state()  # noqa: NPY002 - SALib seeds NumPy's global stream
    try:
        found = index(names, x, y, confidence, seed)
    except ImportError:
        raise UserError(
            "indices of sensitivity need SALib", hint="pip install 'evosim[sensitivity]'"
        ) from None
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return pd.DataFrame({"parameter": names, **found, "points": len(y)})


def _saltelli(
    names: list[str], x: NDArray[np.float64], y: NDArray[np.float64], confidence: float, seed: int
) -> dict[str, Any]:
    """Return first-order and total indices of a Saltelli design (Saltelli et al. 2010)."""
    from SALib.analyze import sobol

    found = sobol.analyze(
        _problem(names, x), y, calc_second_order=False, conf_level=confidence, seed=seed
    )
    return {
        "first": found["S1"], "first_half": found["S1_conf"],
        "total": found["ST"], "total_half": found["ST_conf"],
    }  # fmt: skip


def _grid(
    names: list[str], x: NDArray[np.float64], y: NDArray[np.float64], confidence: float, seed: int
) -> dict[str, Any]:
    """Return first-order indices of a full grid: exact, as every combination is there."""
    import numpy as np

    first = []
    for column in x.T:
        levels, of = np.unique(column, return_inverse=True)
        means = np.bincount(of, y) / np.bincount(of)
        first.append(means.var() / y.var() if levels.size > 1 else 0.0)
    return {"first": first, "first_half": 0.0}


def _given(
    names: list[str], x: NDArray[np.float64], y: NDArray[np.float64], confidence: float, seed: int
) -> dict[str, Any]:
    """Return first-order indices of points that fill the space (RBD-FAST).

    Tarantola, Gatelli & Mara, Reliab. Eng. Syst. Saf. 91:717 (2006), with the bias correction of
    Tissot & Prieur, ibid. 107:205 (2012).
    """
    from SALib.analyze import rbd_fast

    found = rbd_fast.analyze(_problem(names, x), x, y, conf_level=confidence, seed=seed)
    return {"first": found["S1"], "first_half": found["S1_conf"]}


def _problem(names: list[str], x: NDArray[np.float64]) -> dict[str, Any]:
    bounds = [[float(low), float(high)] for low, high in zip(x.min(0), x.max(0), strict=True)]
    return {"num_vars": len(names), "names": names, "bounds": bounds}


def _at(generation: int | None) -> At | None:
    from evosim.scenario.study_parts import At

    return None if generation is None else At(generation=generation)


def _kept(study: Study) -> list[str]:
    kept = [name for name in _READ if name in study.info["tables"]]
    if not kept:
        raise UserError("keeps no table that measures are read from", file=study.path)
    return kept


def _arms(study: Study) -> list[str]:
    found = study.table(_kept(study)[0], [])
    if "arm" not in found:
        raise UserError("no run is done yet", file=study.path)
    return [str(arm) for arm in found["arm"].unique()]
