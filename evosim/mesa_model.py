"""The engine as a Mesa model: one population, a step is a generation.

Agents stay rows of arrays. `EvoModel.agents` is a Mesa `AgentSet` of read-only views of a sample
(one Python object per agent would cost more than its life), `agent_frame` has all of them. Names
that Mesa owns in later versions (`scenario`, `time`, `data_registry`) are left free.

Only this module and the page in a browser import mesa: it forces how Python starts processes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import mesa
import numpy as np
import pandas as pd
from mesa.agent import AgentSet
from mesa.datacollection import DataCollector
from numpy.typing import NDArray

from evosim.api import load_plugin, prepare
from evosim.engine import Engine
from evosim.errors import UserError, did_you_mean
from evosim.lives import Lives
from evosim.population import bit_values
from evosim.scenario import ArmCell, Scenario
from evosim.simulate import begin, plan

#: What is run where no scenario is named: two keys, one of which pays in a context.
EXAMPLE: dict[str, Any] = {
    "title": "Two keys",
    "population": {"agents": 200, "replicates": 1, "generations": 100},
    "world": {"kind": "bandit", "actions": ["left", "right"], "episodes": 10},
    "context": [
        {"name": "usual", "frequency": 0.8, "payoff": {"left": 1.0}},
        {"name": "rare", "frequency": 0.2, "payoff": {"right": 1.0}},
    ],
    "cues": {"bias": 1, "context": {"one_hot": "context", "visible": 0.5}},
    "genome": {"policy": {"mutation": 0.1}},
    "selection": {"kind": "wright-fisher", "fitness": {"exponential": 2.0}},
}


class EvoModel(mesa.Model):  # type: ignore[misc]
    """A population of a scenario, for Mesa's tools.

    Every parameter has a default, so that Mesa can build the model anew by its keywords. Same
    seed and replicate, same bits as `evosim.run`.

    Parameters
    ----------
    file : path or Scenario, optional
        What to run; default: the class's `source`.
    arm : str, optional
        Label of the arm; default: the file's own, or the first.
    seed, rng : int, optional
        Of all draws; default: the scenario's. (`rng` is Mesa's later name of it.)
    replicate : int, optional
        Which of the independent populations that a seed has. Default: the iteration of
        `mesa.batch_run`, which gives all iterations the same seed; elsewhere 0.
    agents, generations : int, optional
        Size of the population; the last generation (after which `running` is False).
    sample : int
        Most agents that `agents` shows.
    threads : int
        The bits do not depend on it.
    plugins : path or iterable of path
        Python files that register own worlds, minds or schemes.
    **keys
        Keys of the scenario, e.g. ``**{"genome.policy.mutation": 0.2}``.

    Attributes
    ----------
    source : path or Scenario or dict
        Of the class: what is run where no `file` is given.
    model_reporters, agent_reporters : dict
        Of the class: what the data collector collects in every generation.
    generation : int
        The generation that lived last; -1 before the first step.
    measures : dict of str -> float
        Of that generation: the columns that the table `trajectory` would have. What is not
        measured in every generation (assays, trials) keeps its last value; see `record.every`.
    datacollector : DataCollector
        Collects while a generation lives, so that all agents have their payoffs.

    Raises
    ------
    UserError
        A wrong key or value, in one line.
    """

    source: ClassVar[Any] = EXAMPLE
    model_reporters: ClassVar[dict[str, Any]] = {
        "generation": "generation",
        "alive": "alive",
        "payoff": "payoff",
        "criterion": "criterion",
    }
    agent_reporters: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        *,
        file: str | Path | Scenario | None = None,
        arm: str | None = None,
        seed: int | None = None,
        rng: int | None = None,
        replicate: int | None = None,
        agents: int | None = None,
        generations: int | None = None,
        sample: int = 50,
        threads: int = 1,
        plugins: str | Path | Iterable[str | Path] = (),
        **keys: Any,
    ) -> None:
        for path in [plugins] if isinstance(plugins, str | Path) else plugins:
            load_plugin(path)
        seed = _one_seed(seed, rng)
        own = self.source if file is None else file
        changes = {
            "set": keys, "seed": seed, "agents": agents, "generations": generations
        }  # fmt: skip
        prepared = prepare(
            Scenario.from_dict(own) if isinstance(own, dict) else own,
            {name: value for name, value in changes.items() if value is not None},
        )
        super().__init__(rng=prepared.model.seed)
        self._seed_of_run = prepared.model.seed
        self.replicate = _iteration() if replicate is None else int(replicate)
        self.sample = sample
        chosen = prepared.cell(arm)
        (planned,) = (p for p in plan(prepared) if p.cell.label == chosen.label)
        if planned.cell.model.selection.kind == "replay":
            raise UserError(f"arm '{chosen.label}' replays another arm's pedigree", key="arm")
        every = frozenset(range(planned.generations + 1))
        planned = replace(planned, recorded=every, predicted=frozenset())
        self._cell = begin(planned, [self.replicate], threads)
        self._record = self._cell.engine.observer
        self._cell.engine.observer = self._observe
        self.generation = -1
        self.measures: dict[str, Any] = {}
        self._lived = _Lived(self._cell.engine, None)
        self._shown: list[EvoAgent] | None = None
        self.datacollector = GenerationCollector(
            model_reporters=dict(self.model_reporters), agent_reporters=dict(self.agent_reporters)
        )

    @property
    def engine(self) -> Engine:
        """The engine underneath, before the next generation."""
        return self._cell.engine

    @property
    def cell(self) -> ArmCell:
        """The scenario's arm that this is."""
        return self._cell.plan.cell

    @property
    def alive(self) -> int:
        """Number of agents of the generation that lived last (before the first: founders)."""
        return self._lived.alive

    @property
    def payoff(self) -> float:
        """Mean payoff per episode of the generation that lived last; NaN before the first."""
        return float(self.measures.get("payoff", np.nan))

    @property
    def criterion(self) -> float:
        """Mean of what selection read in it; NaN before the first."""
        return float(self.measures.get("criterion", np.nan))

    @property
    def agents(self) -> AgentSet:
        """Read-only views of a random sample of the agents that lived last, the same each time.

        It is drawn apart from the run and from `random`: looking changes nothing.
        """
        if self._shown is None:
            luck = np.random.default_rng([self._seed_of_run, self.replicate, self.generation + 1])
            count = min(self.sample, self.alive)
            rows = np.sort(luck.permutation(self.alive)[:count])
            frame = self._lived.frame(rows)
            self._shown = [
                EvoAgent(self, int(i), {str(name): float(v) for name, v in row.items()})
                for i, row in zip(rows, frame.to_dict("records"), strict=True)
            ]
        return AgentSet(self._shown, random=self.random)

    def agent_frame(self) -> pd.DataFrame:
        """Return all agents of the generation that lived last.

        Returns
        -------
        DataFrame
            Indexed by `agent`; payoff (per episode), criterion (both NaN before the first step),
            and every locus as expressed at birth.
        """
        return self._lived.frame(np.arange(self.alive))

    def genes(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (rows, loci) real genes, as expressed at birth, of agents that lived last."""
        return self._lived.genes(rows)

    def ledger_frame(self) -> pd.DataFrame:
        """Return the Price terms of the last generation that left offspring, as in the tables."""
        from evosim.frames import tables_of

        return tables_of([self._cell.recorder])["ledger"]

    def measure(self, name: str) -> float:
        """Return one of `measures`, e.g. ``"assay.coin left, visible"``.

        Raises
        ------
        UserError
            There is none of this name.
        """
        if name not in self.measures:
            raise UserError(
                f"no measure '{name}'",
                allowed=", ".join(self.measures) or "none before the first step",
                hint=did_you_mean(name, self.measures),
            )
        return float(self.measures[name])

    def step(self) -> None:
        """Live one generation, collect data of it, and let it leave offspring."""
        if self._cell.done:
            self.running = False
            return
        for rows in self._cell.recorder.rows.values():
            rows.clear()
        self._cell.advance()
        self._measure()  # of offspring, there is more to say now
        if self._cell.done or not self.engine.population.count.any():
            self.running = False

    def _observe(self, engine: Engine, lives: Lives) -> None:
        """Stage 5 of a generation: measure it, then let the data collector look."""
        assert self._record is not None
        self._record(engine, lives)
        self.generation = engine.generation
        self._measure()
        self._lived = _Lived(engine, lives)
        self._shown = None
        self.datacollector.collect(self)

    def _measure(self) -> None:
        (row,) = self._cell.recorder.rows["trajectory"]
        self.measures |= {
            name: value[0].item() for name, value in row.items() if isinstance(value, np.ndarray)
        }


class EvoAgent(mesa.Agent):  # type: ignore[misc]
    """A read-only view of one agent: its values when it was looked at.

    Not registered with the model: Mesa 3.3 never lets go of a model whose agents are.

    Attributes
    ----------
    model : EvoModel
    unique_id : int
        Its place in its generation.
    payoff, criterion : float
        Of its life.
    traits : dict of str -> float
        All columns of `EvoModel.agent_frame`; ``agent["policy"]`` is short for one.
    """

    def __init__(self, model: EvoModel, unique_id: int, traits: dict[str, float]) -> None:
        # Not super().__init__(), which registers.
        for name, value in (
            ("model", model),
            ("unique_id", unique_id),
            ("pos", None),
            ("traits", traits),
            ("payoff", traits["payoff"]),
            ("criterion", traits["criterion"]),
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"agents of an EvoModel are views: '{name}' cannot be set")

    def __getitem__(self, name: str) -> float:
        if name not in self.traits:
            raise UserError(
                f"agents have no '{name}'",
                allowed=", ".join(self.traits),
                hint=did_you_mean(name, self.traits),
            )
        return float(self.traits[name])

    def remove(self) -> None:
        """Refuse: selection decides who leaves."""
        raise AttributeError("agents of an EvoModel are views: they cannot be removed")

    def __repr__(self) -> str:
        return f"<EvoAgent {self.unique_id} of generation {self.model.generation}>"


class GenerationCollector(DataCollector):  # type: ignore[misc]
    """A data collector whose `Step` is the generation.

    Mesa's counts agents' records by the number of steps begun and models' from 0, so that its
    batch runner would put agents of one generation beside means of the next.
    """

    def collect(self, model: EvoModel) -> None:
        """Collect the generation that lives."""
        super().collect(model)
        if self.agent_reporters:
            found = self._agent_records.pop(model.steps)
            at = model.generation
            self._agent_records[at] = [(at, *record[1:]) for record in found]


class _Lived:
    """The agents of one generation, while its genomes still stand in the store."""

    def __init__(self, engine: Engine, lives: Lives | None) -> None:
        population = engine.population
        self._resolved = engine.resolved
        self._lives = lives
        # Reproduction writes into the other of the two arrays: these stand until it comes again.
        self._bits = population.bits
        self._genes = engine.birth() if lives is None else lives.genes
        self.alive = int(population.count[0])

    def genes(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.ascontiguousarray(self._genes[0, rows])

    def frame(self, rows: NDArray[np.int64]) -> pd.DataFrame:
        """Return these agents, by place."""
        lives, layout, tables = self._lives, self._resolved.layout, self._resolved.tables
        nothing = np.full(rows.size, np.nan)
        columns: dict[str, Any] = {"payoff": nothing, "criterion": nothing}
        if lives is not None:
            episodes = 1 if tables is None else tables.episodes
            columns["payoff"] = lives.payoff[0, rows] / episodes
            columns["criterion"] = lives.criterion[0, rows]
        for slot in layout.real:
            for k, label in enumerate(slot.labels):
                columns[label] = self._genes[0, rows, slot.start + k].astype(np.float64)
        bits = bit_values(layout, self._bits[:, rows])
        names = [name for slot in layout.bits for name in slot.quantities]
        columns |= {name: bits[0, :, k] for k, name in enumerate(names)}
        return pd.DataFrame(columns, index=pd.Index(rows, name="agent"))


def _one_seed(seed: int | None, rng: int | None) -> int | None:
    if seed is not None and rng is not None:
        raise UserError("given twice: as 'seed' and as 'rng'", key="seed")
    value = rng if seed is None else seed
    if value is not None and not isinstance(value, int | np.integer):
        raise UserError(f"no seed: {value!r}", key="seed", allowed="a whole number from 0")
    return None if value is None else int(value)


def _iteration() -> int:
    """Return the iteration of the batch run that builds this model, else 0.

    `mesa.batch_run` hands all iterations of a parameter set the same keywords, and says nowhere
    which iteration it builds: with a fixed seed they would all be one run. It stands only in the
    frame of the function that calls us, in whatever process that is.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "mesa.batchrunner" and "run" in frame.f_locals:
            run = frame.f_locals["run"]
            if isinstance(run, tuple) and len(run) == 3:
                return int(run[1])
        frame = frame.f_back  # type: ignore[assignment]
    return 0


__all__ = ["EvoAgent", "EvoModel", "GenerationCollector"]
