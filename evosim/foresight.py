"""Ask the predictors about a run that is over.

The last generation is lived again from the state that the run keeps (draws are counted, so that
it is the same one, bit for bit), and looked at once more. It leaves no offspring and nothing is
written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evosim.assays import Probe, make_probe
from evosim.claims.intervals import t_interval
from evosim.engine import Engine
from evosim.errors import UserError, did_you_mean
from evosim.frames import block, typed
from evosim.lives import Lives
from evosim.predict import Prediction, check_predict, predict_arm
from evosim.resolve import Resolved
from evosim.scenario.check_biology import NEUTRAL
from evosim.scenario.minds import ModelFreeMind, PlannerMind, ReflexMind
from evosim.scenario.model import ScenarioModel
from evosim.scenario.study_parts import Assay, Measure, Predict
from evosim.simulate import CellRun, Plan, begin, make_probes
from evosim.stretches import resolve_stretches

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from evosim.results import Run
    from evosim.scenario import ArmCell

#: Differences that are at most this, interval and all, are ties (nats; SCENARIOS C1).
TIE = 0.1
LEDGER, OBJECTIVES = "LEDGER", ("OBJ-omni", "OBJ-informed")


@dataclass(frozen=True)
class Foresight:
    """What the predictors said of a run's last generation, and how well.

    Attributes
    ----------
    predictions : DataFrame
        As the table of a run that has it.
    scores : DataFrame
        arm, replicate, generation, where, predictor, score, skill. `where` is "training", for
        learners also "training, at death", or an assay by itself.
    minds : dict of str to str
        What LEDGER's answer is in each arm: exact, or an approximation and why.
    """

    predictions: pd.DataFrame
    scores: pd.DataFrame
    minds: dict[str, str]

    def differences(self) -> pd.DataFrame:
        """Return paired differences of scores, LEDGER minus each OBJ, over replicates.

        Returns
        -------
        DataFrame
            arm, where, minus, difference, low, high (95% t interval),
            better (see `judged`).
        """
        import pandas as pd

        rows = []
        for (arm, where), group in self.scores.groupby(["arm", "where"], sort=False):
            wide = group.pivot_table(index="replicate", columns="predictor", values="score")
            for name in OBJECTIVES:
                apart = (wide[LEDGER] - wide[name]).dropna().to_numpy(np.float64)
                rows.append({"arm": arm, "where": where, "minus": name, **judged(apart)})
        return pd.DataFrame(rows)


def foresee(
    run: Run,
    assays: Sequence[str] = (),
    arms: Sequence[str] = (),
    *,
    drift: bool | None = None,
    temperature: str = "likelihood",
    threads: int = 1,
) -> Foresight:
    """Ask the predictors about the last generation of a run.

    Parameters
    ----------
    run : Run
        With its last state.
    assays : sequence of str, optional
        Default: those of its `[predict]`; else all, and every context that training never showed
        and no assay looks at, as a whole.
    arms : sequence of str, optional
        Labels. Default: all.
    drift : bool, optional
        Whether LEDGER's answer has the variance of neutral genes. Default: as `[predict]` says;
        else where there are such genes.
    temperature : {"likelihood", "accuracy"}
        How OBJ's temperature is fitted, where there is no `[predict]`.
    threads : int

    Returns
    -------
    Foresight

    Raises
    ------
    UserError
        For unknown names, runs without a state, and worlds that the predictors cannot read.
    """
    import pandas as pd

    states = _states(run)
    minds: dict[str, str] = {}
    predictions, scores = [], []
    for cell in _chosen(run, arms):
        minds[cell.label] = approximation(cell.model)
        last = cell.model.population.generations
        for when, found in _ask_again(
            cell, states[cell.label], assays, drift, temperature, threads
        ).items():
            answers, marks = _tables(cell.label, last, when, found)
            predictions.append(answers)
            scores.append(marks)
    return Foresight(
        typed(pd.concat(predictions, ignore_index=True)),
        typed(pd.concat(scores, ignore_index=True)),
        minds,
    )


def _tables(
    label: str, generation: int, when: str, found: Prediction
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of `Foresight.predictions` and `Foresight.scores` of one answer."""
    import pandas as pd

    replicates = np.arange(found.score.shape[0])
    answers, both, assays = (
        block(replicates, {"generation": generation, **columns})
        for columns in (
            found.prediction_columns(),
            found.score_columns(),
            found.assay_columns(),
        )
    )
    training = both[(both["split"] == "training").to_numpy()].drop(columns="split")
    assays = assays.rename(columns={"assay": "where"}).drop(columns="context")
    training.insert(2, "where", "training" if when == "birth" else "training, at death")
    marks = pd.concat([training, assays])
    for table in (answers, marks):
        table.insert(0, "arm", label)
    return answers, marks


def approximation(model: ScenarioModel) -> str:
    """Return in words how LEDGER comes by its answer for a mind."""
    mind = model.mind
    learns = not isinstance(mind, ReflexMind) or mind.learning != "none"
    if isinstance(mind, ReflexMind) and mind.policy == "mlp":
        text = "an approximation: a network is carried over as if it were linear in the cues"
    elif isinstance(mind, ReflexMind):
        text = "exact in expectation where loci mutate alike: preferences are linear in the cues"
    elif isinstance(mind, ModelFreeMind | PlannerMind):
        text = "an approximation: what this mind does at birth is carried over by cues"
    else:
        text = "an approximation: LEDGER knows nothing of this mind but what it did"
    return text + ("; what a life teaches is added at death" if learns else "")


def judged(apart: NDArray[np.float64]) -> dict[str, Any]:
    """Return a difference of scores with its interval, and who is better.

    Parameters
    ----------
    apart : (R,) float64
        LEDGER minus OBJ in each replicate (nats).

    Returns
    -------
    dict
        difference, low, high (95% t interval) and better: "tie" where the interval is within
        `TIE` of 0, else "LEDGER" or "OBJ" where it lies on one side of 0, else "undecided".
    """
    if apart.size < 2:
        alone = float(apart[0]) if apart.size else float("nan")
        return {"difference": alone, "low": np.nan, "high": np.nan, "better": "undecided"}
    found = t_interval(apart)
    if found.low >= -TIE and found.high <= TIE:
        better = "tie"
    else:
        better = "LEDGER" if found.low > 0 else "OBJ" if found.high < 0 else "undecided"
    return {
        "difference": float(apart.mean()),
        "low": found.low,
        "high": found.high,
        "better": better,
    }


def _ask_again(
    cell: ArmCell,
    state: dict[str, NDArray[Any]],
    assays: Sequence[str],
    drift: bool | None,
    temperature: str,
    threads: int,
) -> dict[str, Prediction]:
    """Live the last generation of one cell again and ask; of policies at birth, and at death."""
    last = cell.model.population.generations
    stretches = resolve_stretches(cell.model)
    nothing: frozenset[int] = frozenset()
    live = begin(
        Plan(cell, stretches, 0, last, nothing, nothing, nothing, nothing),
        range(len(state["keys"])),
        threads,
    )
    live.restore(state)
    resolved = [r for start, r in stretches if start <= last][-1]
    spec, probes = _question(live, resolved, assays, drift, temperature)
    check_predict(resolved, probes, spec)
    answers: dict[str, Prediction] = {}

    def look(engine: Engine, lives: Lives) -> None:
        for when in ("birth", "death"):
            some = [probe for probe in probes if probe.when == when]
            if some:
                past = live.recorder.past_frequency()
                answers[when] = predict_arm(engine, lives, some, spec, past)

    live.engine.observer = look
    live.advance()
    return answers


def _question(
    live: CellRun,
    resolved: Resolved,
    assays: Sequence[str],
    drift: bool | None,
    temperature: str,
) -> tuple[Predict, list[Probe]]:
    """Return what is asked of one cell: the spec and its probes."""
    model = live.plan.cell.model
    given = model.predict
    made = [probe for probe in make_probes(resolved, model) if probe.rotations is None]
    if given is None:
        made += _whole_contexts(live, resolved, made)
        if resolved.learns:
            made += _other_policies(made)
    probes = {probe.name: probe for probe in made}
    names = list(assays) or (given.assays if given is not None else list(probes))
    for name in names:
        if name not in probes:
            raise UserError(
                f"no assay '{name}'",
                key="assay",
                allowed=", ".join(probes) or "none: the scenario has no assays",
                hint=did_you_mean(name, probes),
            )
    if not names:
        raise UserError(
            "there is nothing to predict: no assay, and no context that training never showed",
            key="assay",
            allowed="scenarios with an [[assay]] or a context of frequency 0",
        )
    if given is not None:
        changes: dict[str, Any] = {"assays": names}
        if drift is not None:
            changes["drift"] = drift
        return given.model_copy(update=changes), [probes[name] for name in names]
    neutral = any(name.startswith(NEUTRAL) for name in model.genome)
    spec = Predict.model_validate(
        {
            "assays": names,
            "drift": neutral if drift is None else drift,
            "temperature": temperature,
        }
    )
    return spec, [probes[name] for name in names]


def _whole_contexts(live: CellRun, resolved: Resolved, probes: Iterable[Probe]) -> list[Probe]:
    """Return probes of the contexts that were never met and that no assay looks at."""
    world = resolved.world
    if world is None:
        return []
    met = live.recorder.past_frequency()
    met = world.frequency if met is None else met
    looked_at = {probe.context for probe in probes}
    novel = [
        name
        for name, share in zip(world.contexts, met, strict=True)
        if share == 0 and name not in looked_at
    ]
    return [
        make_probe(
            Assay(name=f"all of '{name}'", context=name, measure=Measure(payoff=True)), resolved, 1
        )
        for name in novel
    ]


def _other_policies(probes: Iterable[Probe]) -> list[Probe]:
    """Return the same probes of learners' other policy: at death for at birth, and reverse."""
    other = {"birth": "death", "death": "birth"}
    return [
        replace(probe, name=f"{probe.name}, at {other[probe.when]}", when=other[probe.when])
        for probe in probes
    ]


def _chosen(run: Run, arms: Sequence[str]) -> list[ArmCell]:
    """Return the cells asked for.

    Raises
    ------
    UserError
        For an arm that the run does not have.
    """
    cells = {cell.label: cell for cell in run.scenario.arms()}
    for arm in arms:
        if arm not in cells:
            raise UserError(
                f"no arm '{arm}'",
                key="arm",
                allowed=", ".join(cells),
                hint=did_you_mean(arm, cells),
            )
    return [cells[arm] for arm in dict.fromkeys(arms)] or list(cells.values())


def _states(run: Run) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the last state of every arm.

    Raises
    ------
    UserError
        If the run keeps none.
    """
    states: dict[str, dict[str, NDArray[Any]]] = {}
    for name in run.checkpoint if run.keeps_state else ():
        label, _, part = name.rpartition("/")
        states.setdefault(label, {})[part] = run.checkpoint[name]
    if not states:
        raise UserError("the run keeps no last state", file=run.path, hint="run the scenario again")
    return states
