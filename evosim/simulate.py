"""One scenario, all its arms: resolve, loop, record, judge."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.assays import Probe, make_probe
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.philox import replicate_keys
from evosim.ledger import BOUND, Pedigree
from evosim.lives import Lives
from evosim.predict import check_predict
from evosim.predict.explained import Explanation, make_explanation
from evosim.recorder import Recorder
from evosim.resolve import Resolved
from evosim.scenario import ArmCell, Scenario
from evosim.scenario.biology import Replay
from evosim.scenario.lines import KeyLines
from evosim.scenario.load import placed
from evosim.scenario.model import ScenarioModel
from evosim.scenario.resolved import plain
from evosim.stretches import resolve_stretches
from evosim.transplants import Museum
from evosim.trials import TrialPlan, plan_trial

if TYPE_CHECKING:
    import pandas as pd

    from evosim.checkpoint import Keeper
    from evosim.progress import Progress

#: The state of an arm's cell between two generations, by part: see `CellRun.state`.
State = Mapping[str, NDArray[Any]]

#: Rows per replicate that a run records where the scenario does not say how often.
ROWS = 50


@dataclass
class RunData:
    """What a run brought: tables, verdicts, the final population, and remarks.

    Attributes
    ----------
    tables : dict of str -> DataFrame
        trajectory, contexts, assays, trials, ledger, edges, predictions, scores.
    claims : DataFrame
    population : dict of str -> ndarray
        Final genomes: ``<arm label>/genome``, ``<arm label>/bits``, ``<arm label>/agents``.
    checkpoint : dict of str -> ndarray
        The last state of every arm, ``<arm label>/<part>``: see `CellRun.state`.
    meta : dict
        worst_residual, residual_bound, extinctions, notes.
    """

    tables: dict[str, pd.DataFrame]
    claims: pd.DataFrame
    population: dict[str, NDArray[Any]]
    checkpoint: dict[str, NDArray[Any]] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One arm's cell, resolved stretch by stretch.

    Attributes
    ----------
    cell : ArmCell
    stretches : list of (first generation, Resolved)
    first, generations : int
        The first generation (0 but in a fork), and the last; that lives but leaves no offspring.
    recorded, claimed, lived, predicted : frozenset of int
        When rows are written, assays made, trials lived and predictors asked whatever their own
        rhythm. The last generation is always read, except by trials that no claim reads there:
        they cost whole lives.
    """

    cell: ArmCell
    stretches: list[tuple[int, Resolved]]
    first: int
    generations: int
    recorded: frozenset[int]
    claimed: frozenset[int]
    lived: frozenset[int]
    predicted: frozenset[int]

    def in_force(self, generation: int) -> Resolved:
        """Return the parameters that hold before what changes at `generation` itself."""
        return [r for start, r in self.stretches if start < max(generation, 1)][-1]


@dataclass
class CellRun:
    """One arm's cell while it runs.

    Attributes
    ----------
    plan : Plan
    recorder : Recorder
    engine : Engine
    pedigrees : dict of int -> Pedigree, or None
        Of every generation so far, where another arm replays them.
    done : bool
        Whether the last generation has lived.
    """

    plan: Plan
    recorder: Recorder
    engine: Engine
    pedigrees: dict[int, Pedigree] | None = None
    done: bool = False

    def __post_init__(self) -> None:
        self.museum = Museum(self.plan.cell.model)

    def advance(self) -> None:
        """Live the next generation, and record it if it is due."""
        g = self.engine.generation
        starts = dict(self.plan.stretches)
        if g in starts:
            self._adopt(starts[g])
        self.museum.visit(self.engine)
        self.engine.step(last=g == self.plan.generations)
        self.done = g == self.plan.generations

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that the following generations, and what they record, depend on."""
        return {**self.engine.state(), **self.recorder.state(), **self.museum.state()}

    def restore(self, state: State) -> None:
        """Go on from a state, bit for bit.

        Raises
        ------
        UserError
            If the state is of another size.
        """
        self._adopt(self.plan.in_force(int(state["generation"])))
        self.engine.restore(state)
        self.recorder.restore(state)
        self.museum.restore(state)

    def _adopt(self, resolved: Resolved) -> None:
        """Go on with these parameters."""
        engine, recorder, model = self.engine, self.recorder, self.plan.cell.model
        if resolved is not engine.resolved:
            engine.index_probes = index_probes(resolved, model)
            engine.change(resolved)
        recorder.probes = make_probes(resolved, model)
        recorder.asked = _asked(recorder.probes, model)
        recorder.explained = make_explanations(resolved, model, recorder.probes)
        recorder.trials = make_trials(resolved, model)


def simulate(
    scenario: Scenario,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    replicates: Sequence[int] | None = None,
    loop: type[Engine] = Engine,
    keeper: Keeper | None = None,
    states: Mapping[str, State] | None = None,
) -> RunData:
    """Run every arm of a scenario.

    Parameters
    ----------
    scenario : Scenario
    threads : int, optional
        Default: the processors this process may use. The tables do not depend on it.
    progress : Progress, optional
    replicates : sequence of int, optional
        Run only these; each gives the same rows as together with the others.
    loop : type of Engine
        What runs the generations: the anti-fake checks turn payoff's sign in one of their own.
    keeper : Keeper, optional
        Writes checkpoints, and gives the cells that it has one of what they had.
    states : mapping of str to state, optional
        What each arm begins with, by label, in place of founders: all of one generation.

    Raises
    ------
    UserError
        What only shows when arrays are built, or a population that cannot go on.
    """
    from evosim.claims import judge_all
    from evosim.frames import tables_of

    threads = threads or len(os.sched_getaffinity(0))
    states = states or {}
    plans = plan(scenario, max((int(s["generation"]) for s in states.values()), default=0))
    order = _sources_first(plans)
    kept = {p.cell.model.selection.of for p in plans if isinstance(p.cell.model.selection, Replay)}
    done: dict[str, CellRun] = {}
    if progress is not None:
        progress.start(sum(p.generations + 1 - p.first for p in plans))
    for p in order:
        label = p.cell.label
        spec = p.cell.model.selection
        source = done[spec.of].pedigrees if isinstance(spec, Replay) else None
        cell = begin(p, replicates, threads, {} if label in kept else None, source, loop)
        done[label] = cell
        if keeper is not None and keeper.take_up(cell):
            if progress is not None:
                progress.advance(cell.engine.generation - p.first + cell.done, label)
        elif label in states:
            cell.restore(states[label])
        while not cell.done:
            cell.advance()
            if keeper is not None:
                keeper.look()
            if progress is not None:
                progress.advance(1, label)
    if progress is not None:
        progress.finish()
    tables = tables_of([done[p.cell.label].recorder for p in plans])
    meta = _meta(scenario, {p.cell.label: done[p.cell.label] for p in plans})
    claims = judge_all(
        scenario.model.claim,
        _Tables(**tables),
        scenario.arms(),
        scenario.model.population.generations,
        systems=scenario.model.systems,
    )
    population: dict[str, NDArray[Any]] = {}
    for p in plans:
        final = done[p.cell.label].engine.population
        population[f"{p.cell.label}/genome"] = final.real
        population[f"{p.cell.label}/bits"] = final.bits
        population[f"{p.cell.label}/agents"] = final.count
    checkpoint = {
        f"{label}/{part}": array
        for label, cell in done.items()
        for part, array in cell.state().items()
    }
    return RunData(tables, claims, population, checkpoint, meta)


def plan(scenario: Scenario, first: int = 0) -> list[Plan]:
    """Resolve all arms before anything runs, so that mistakes show at once.

    Parameters
    ----------
    scenario : Scenario
    first : int
        The generation that the arms begin with.

    Raises
    ------
    UserError
        With the file and, where it can be found, the key.
    """
    claimed = {
        g
        for claim in scenario.model.claim
        if claim.at is not None
        for g in (claim.at.generation, claim.at.start, claim.at.end)
        if g is not None
    }
    asked = {
        claim.at.generation
        for claim in scenario.model.claim
        if claim.measure.startswith("score.")
        and claim.at is not None
        and claim.at.generation is not None
    }
    plans = []
    for cell in scenario.arms():
        try:
            stretches = resolve_stretches(cell.model)
            for _, resolved in stretches:
                probes = make_probes(resolved, cell.model)
                make_trials(resolved, cell.model)
                make_explanations(resolved, cell.model, probes)
                if cell.model.predict is not None:
                    check_predict(resolved, _asked(probes, cell.model), cell.model.predict)
        except UserError as error:
            lines = KeyLines(scenario.text)
            raise placed(error, plain(cell.model), file=scenario.path, lines=lines) from None
        last = cell.model.population.generations
        every = recording_interval(cell.model)
        recorded = {*range(first, last + 1, every), last, *(g for g in claimed if g <= last)}
        predicted = {last, *(g for g in asked if g <= last)}
        named = frozenset(g for g in claimed if g <= last)
        claims = scenario.model.claim
        lived = named | ({last} if not claims or any(c.at is None for c in claims) else set())
        kinds = (frozenset(recorded), named | {last}, lived, frozenset(predicted))
        plans.append(Plan(cell, stretches, first, last, *kinds))
    return plans


def recording_interval(model: ScenarioModel) -> int:
    """Return the generations between recorded rows."""
    return model.record.every or max(1, -(-model.population.generations // ROWS))


def make_probes(resolved: Resolved, model: ScenarioModel) -> list[Probe]:
    """Return the scenario's assays as probes of the present parameters."""
    if resolved.world is None:
        return []
    return [make_probe(assay, resolved, recording_interval(model)) for assay in model.assay]


def make_explanations(
    resolved: Resolved, model: ScenarioModel, probes: Sequence[Probe]
) -> list[Explanation]:
    """Return what the scenario asks for an explanation, of the present parameters."""
    by_name = {probe.name: probe for probe in probes}
    return [make_explanation(spec, by_name[spec.assay], resolved) for spec in model.explained]


def make_trials(resolved: Resolved, model: ScenarioModel) -> list[TrialPlan]:
    """Return the scenario's trials, ready to be lived."""
    return [plan_trial(trial, resolved, recording_interval(model)) for trial in model.trial]


@dataclass
class _Tables:
    """The tables as attributes, as claims read them."""

    trajectory: pd.DataFrame
    contexts: pd.DataFrame
    assays: pd.DataFrame
    trials: pd.DataFrame
    ledger: pd.DataFrame
    edges: pd.DataFrame
    predictions: pd.DataFrame
    scores: pd.DataFrame


def begin(
    p: Plan,
    replicates: Sequence[int] | None = None,
    threads: int = 1,
    keep: dict[int, Pedigree] | None = None,
    source: dict[int, Pedigree] | None = None,
    loop: type[Engine] = Engine,
) -> CellRun:
    """Return a cell before its first generation."""
    model = p.cell.model
    chosen = np.arange(model.population.replicates)
    if replicates is not None:
        chosen = np.asarray(list(replicates), np.int64)
    resolved = p.stretches[0][1]
    recorder = Recorder(
        p.cell.label, chosen, p.recorded, claimed=p.claimed, lived=p.lived, predicted=p.predicted
    )
    engine = loop(
        resolved,
        replicate_keys(model.seed, chosen),
        threads,
        index_probes(resolved, model),
        replayed=None if source is None else source.__getitem__,
        keep_pedigree=None if keep is None else keep.__setitem__,
        observer=recorder.observe,
        taught=recorder.taught,
        closed=recorder.closed,
    )
    return CellRun(p, recorder, engine, keep)


def _asked(probes: Sequence[Probe], model: ScenarioModel) -> list[Probe]:
    """Return the probes that the predictors are asked about."""
    by_name = {probe.name: probe for probe in probes}
    return [by_name[name] for name in (model.predict.assays if model.predict else ())]


def index_probes(resolved: Resolved, model: ScenarioModel) -> tuple[Probe, ...]:
    """Return the assays that the ledger tracks per agent."""
    wanted = model.ledger.indices
    probes = {probe.name: probe for probe in make_probes(resolved, model)}
    return tuple(probes[name] for name in wanted)


def _sources_first(plans: list[Plan]) -> list[Plan]:
    """Order the plans so that a replayed arm runs before the arm that replays it."""
    waiting = list(plans)
    labels = {p.cell.label for p in plans}
    done: set[str] = set()
    out: list[Plan] = []
    while waiting:
        for p in waiting:
            spec = p.cell.model.selection
            if not isinstance(spec, Replay) or spec.of in done:
                break
            if spec.of not in labels:
                raise UserError(
                    f"arm '{p.cell.label}' replays '{spec.of}', which is no arm or has a grid",
                    key="selection.of",
                    allowed=", ".join(sorted(labels)),
                )
        else:
            raise UserError("arms replay each other in a circle", key="selection.of")
        waiting.remove(p)
        out.append(p)
        done.add(p.cell.label)
    return out


def _meta(scenario: Scenario, done: dict[str, CellRun]) -> dict[str, Any]:
    """Return remarks for `run.json`."""
    return {
        "worst_residual": max(cell.engine.ledger.worst for cell in done.values()),
        "residual_bound": BOUND,
        "extinctions": [
            {"arm": label, "replicate": int(cell.recorder.replicates[r]), "generation": g}
            for label, cell in done.items()
            for r, g in sorted(cell.engine.extinct.items())
        ],
        "notes": scenario.notes(),
        "generations": {label: cell.engine.generation for label, cell in done.items()},
    }


__all__ = ["CellRun", "Lives", "Plan", "RunData", "begin", "make_probes", "plan", "simulate"]
