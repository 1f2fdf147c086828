"""Stage 5 and after: what is written down of a run, as columns of arrays.

Recording reads the population and the ledger and changes nothing. Arrays are stacked at the end
into tables whose rows go by arm, replicate, generation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim.assays import Probe, birth_values, learned_values
from evosim.criterion import Fit, ModelCode
from evosim.edges import learned_from
from evosim.engine import Engine
from evosim.kernels.life import TABLE, WEIGHTS
from evosim.ledger import Pedigree, haploid_mean
from evosim.lives import Lives
from evosim.moments import moments, offspring_variance, outer_deciles
from evosim.population import bit_values
from evosim.predict import predict_arm
from evosim.predict.explained import Explanation, explain
from evosim.structure import among
from evosim.subspace import split_square, training_basis
from evosim.trials import TrialPlan, course, indices, live_trial
from evosim.worlds.build import percept_label

F64 = NDArray[np.float64]

TABLES = (
    "trajectory", "contexts", "assays", "trials", "ledger", "edges", "predictions", "scores",
)  # fmt: skip


@dataclass
class Recorder:
    """The tables of one arm's cell while it runs.

    Parameters
    ----------
    label : str
        The cell's label, written into the column `arm`.
    replicates : (R,) int
        Indices of the replicates.
    generations : set of int
        When rows are written.
    probes : sequence of Probe
        Assays.
    claimed : set of int
        When every assay is made, whatever its own rhythm: claims read them then.
    lived : set of int
        When every trial is lived, whatever its own rhythm.
    predicted : set of int
        When the predictors are asked.
    asked : sequence of Probe
        What they are asked.
    explained : sequence of Explanation
        What of agents' preferences is asked for an explanation, with its assay.
    trials : sequence of TrialPlan
        Lives to be lived in copies of the world.
    met : (contexts,) float64
        Frequencies of the contexts, summed over the generations closed so far.
    """

    label: str
    replicates: NDArray[np.int64]
    generations: frozenset[int]
    probes: Sequence[Probe] = ()
    claimed: frozenset[int] = frozenset()
    lived: frozenset[int] = frozenset()
    predicted: frozenset[int] = frozenset()
    asked: Sequence[Probe] = ()
    explained: Sequence[Explanation] = ()
    trials: Sequence[TrialPlan] = ()
    met: F64 = field(default_factory=lambda: np.zeros(1))
    founders: F64 | None = None
    rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in TABLES}
    )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of what later rows depend on besides the engine's own state."""
        founders = {} if self.founders is None else {"founders": self.founders.copy()}
        return {"met": self.met.copy(), **founders}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state."""
        self.met = state["met"].copy()
        self.founders = state["founders"].copy() if "founders" in state else None

    def observe(self, engine: Engine, lives: Lives) -> None:
        """Write down generation `engine.generation`, if it is due."""
        g = engine.generation
        if g in self.generations:
            measured = self._assays(engine, lives, g) | self._trials(engine, lives, g)
            measured |= self._explained(engine, lives, g)
            self._trajectory(engine, lives, g, measured)
            self._contexts(engine, lives, g)
            self._information(engine, g)
        if g in self.predicted and engine.resolved.model.predict is not None:
            spec = engine.resolved.model.predict
            found = predict_arm(engine, lives, self.asked, spec, self.past_frequency())
            for name, columns in (
                ("predictions", found.prediction_columns()),
                ("scores", found.score_columns()),
            ):
                self.rows[name].append({"generation": g, **columns})

    def taught(self, engine: Engine, genes: NDArray[np.float32]) -> None:
        """Write down who learned what from whom, if it is wanted and due."""
        g, most = engine.generation, engine.resolved.model.record.edges
        if most and g in self.generations:
            found = learned_from(engine, genes, most)
            self._add("edges", g, **found | {"replicate": self.replicates[found["replicate"]]})

    def closed(self, engine: Engine, lives: Lives, pedigree: Pedigree) -> None:
        """Write the ledger of the generation that was just closed, if its newborns are due."""
        if engine.resolved.world is not None:
            self.met = self.met + engine.resolved.world.frequency
        if self.rows["trajectory"] and self.rows["trajectory"][-1]["generation"] == (
            engine.generation - 1
        ):
            variance = offspring_variance(pedigree, lives.count)
            self.rows["trajectory"][-1]["offspring_variance"] = variance
        if engine.generation in self.generations:
            self._genes(engine)
            if engine.resolved.world is not None:
                self._logits(engine)
                self._acts(engine, lives)

    def past_frequency(self) -> F64 | None:
        """Return how often each context was met so far; None before anyone has left offspring."""
        total = self.met.sum()
        return self.met / total if total > 0 else None

    def _add(self, table: str, generation: int, **columns: Any) -> None:
        self.rows[table].append({"generation": generation, **columns})

    def _trajectory(self, engine: Engine, lives: Lives, g: int, measured: dict[str, F64]) -> None:
        count = engine.population.count
        scale = 1.0 if engine.resolved.tables is None else 1.0 / engine.resolved.tables.episodes
        mean, sd = moments(lives.payoff * scale, count)
        columns: dict[str, Any] = {
            "agents": count.copy(),
            "extinct": count == 0,
            "payoff": mean,
            "payoff_sd": sd,
            "criterion": moments(lives.criterion, count)[0],
            "offspring_variance": np.full(count.size, np.nan),
            "learned": _learned(lives, count),
        }
        if engine.fit is not None and engine.resolved.reward_model is not None:
            columns |= _cells(engine.resolved.reward_model, engine.fit, lives)
        layout = engine.resolved.layout
        values = haploid_mean(layout, engine.population.real)
        for slot in layout.real:
            part = values[..., slot.start : slot.stop]
            if not slot.each:
                part = part.mean(axis=2, dtype=np.float64)[..., None]
            _add_gene(columns, slot.quantities, part, count)
            self._among(columns, engine, slot.quantities, part)
            if slot.gene.scale == "threshold":
                own = lives.genes[..., slot.start : slot.stop].mean(axis=2, dtype=np.float64)
                columns[f"{slot.name}.expressed"] = moments(own, count)[0]
        self._displacements(columns, engine, lives, values)
        bits = bit_values(layout, engine.population.bits)
        column = 0
        for slot in layout.bits:
            width = len(slot.quantities)
            part = bits[..., column : column + width]
            _add_gene(columns, slot.quantities, part, count)
            self._among(columns, engine, slot.quantities, part)
            column += width
        if engine.culture is not None:
            columns.update(engine.culture.columns(count))
            self._among(columns, engine, ("received",), engine.culture.information[..., 1:2])
        columns.update(measured)
        self._add("trajectory", g, **columns)

    def _among(
        self,
        columns: dict[str, Any],
        engine: Engine,
        names: Sequence[str],
        values: NDArray[np.floating[Any]],
    ) -> None:
        """Add which share of the variance of some values lies among demes."""
        structure = engine.resolved.structure
        if structure is None or not structure.deme.size:
            return
        shares = among(structure.deme, values.astype(np.float64))
        shares[engine.population.count == 0] = np.nan
        columns.update({f"among.{name}": shares[:, k] for k, name in enumerate(names)})

    def _displacements(
        self,
        columns: dict[str, Any],
        engine: Engine,
        lives: Lives,
        values: NDArray[np.floating[Any]],
    ) -> None:
        """Add mean squared distances from the founders' mean, and what learning moved."""
        resolved, count = engine.resolved, lives.count
        if self.founders is None:
            self.founders = np.stack(
                [moments(values[..., k], count)[0] for k in range(values.shape[2])], axis=1
            ) if values.shape[2] else np.zeros((count.size, 0))  # fmt: skip
        basis = training_basis(resolved)
        for slot in resolved.layout.real:
            at = slice(slot.start, slot.stop)
            moved = values[..., at].astype(np.float64) - self.founders[:, None, at]
            columns[f"{slot.name}.spread"] = moments((moved**2).mean(axis=2), count)[0]
            if slot.name == "policy" and basis is not None:
                inside, outside = split_square(moved, basis)
                columns["policy.inside"] = moments(inside, count)[0]
                columns["policy.outside"] = moments(outside, count)[0]
        if basis is not None and resolved.mind is not None and resolved.mind.rule == WEIGHTS:
            moved = lives.learned - lives.born
            inside, outside = split_square(moved, basis)
            columns["learned.inside"] = moments(inside, count)[0]
            columns["learned.outside"] = moments(outside, count)[0]
            columns["learned.moved"] = moments((moved != 0).mean(axis=2), count)[0]

    def _contexts(self, engine: Engine, lives: Lives, g: int) -> None:
        world = engine.resolved.world
        if world is None:
            return
        contexts = len(world.contexts)
        payoff = np.zeros((self.replicates.size, contexts))
        episodes = np.zeros((self.replicates.size, contexts))
        for v, c in enumerate(world.variant_context):
            payoff[:, c] += lives.context_payoff[:, v]
            episodes[:, c] += lives.context_episodes[:, v]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(episodes > 0, payoff / episodes, np.nan)
        self._add(
            "contexts",
            g,
            context=np.array(world.contexts, dtype=object),
            frequency=np.broadcast_to(world.frequency, payoff.shape),
            payoff=mean,
            episodes=episodes.astype(np.int64),
        )

    def _assays(self, engine: Engine, lives: Lives, g: int) -> dict[str, F64]:
        measured: dict[str, F64] = {}
        count = engine.population.count
        resolved = engine.resolved
        for probe in self.probes:
            if not self._due(probe, g):
                continue
            died = probe.when == "death" and resolved.learns
            if died or (resolved.culture is not None and resolved.culture.row):
                # Whose models' values are received begins with more than a genome says.
                state = lives.learned if died else lives.born
                assert resolved.mind is not None
                temperature = np.full(lives.payoff.shape, resolved.mind.temperature)
                if resolved.mind.temperature_locus >= 0:
                    temperature = lives.genes[..., resolved.mind.temperature_locus].astype(float)
                values = learned_values(probe, resolved, state, temperature)
            else:
                values = birth_values(probe, resolved, lives.genes, engine.threads)
            mean, sd = moments(values, count)
            low, high = outer_deciles(values, count)
            measured[f"assay.{probe.name}"] = mean
            self._add(
                "assays", g, assay=probe.name, context=probe.context, when=probe.when,
                value=mean, sd=sd, low=low, high=high,
            )  # fmt: skip
        return measured

    def _due(self, probe: Probe, g: int) -> bool:
        return g % probe.every == 0 or g in self.claimed

    def _explained(self, engine: Engine, lives: Lives, g: int) -> dict[str, F64]:
        """Ask what explains the agents' preferences."""
        return {
            f"explained.{asked.name}.{part}": value
            for asked in self.explained
            if self._due(asked.probe, g)
            for part, value in explain(engine, lives, asked).items()
        }

    def _trials(self, engine: Engine, lives: Lives, g: int) -> dict[str, F64]:
        """Let the agents live the trials that are due, and measure their lives."""
        due = [t for t in self.trials if g % t.every == 0 or g in self.lived]
        count, resolved = engine.population.count, engine.resolved
        lived = {
            t.spec.name: live_trial(t, resolved, lives.genes, count, engine.keys, g, engine.threads)
            for t in due
        }
        measured: dict[str, F64] = {}
        for trial in due:
            name = trial.spec.name
            found = indices(trial, resolved, lived[name], lived.get(trial.spec.control or ""))
            measured |= {f"trial.{name}.{index}": value for index, value in found.items()}
            columns = course(trial, lived[name], resolved)
            self._add("trials", g, trial=name, context=trial.spec.context, **columns)
        return measured

    def _genes(self, engine: Engine) -> None:
        ledger, layout = engine.ledger, engine.resolved.layout
        if ledger.now is None:
            return
        columns = {
            "before": ledger.now.before, "selection": ledger.now.selection,
            "transmission": ledger.now.transmission, "learning": ledger.learned_now,
            "after": ledger.now.after, "cumulative_selection": ledger.selection,
            "cumulative_transmission": ledger.transmission,
        }  # fmt: skip
        kinds, names, picks = [], [], []
        for slot in layout.real:
            loci = list(range(slot.start, slot.stop))
            groups = [[k] for k in loci] if slot.each else [loci]
            for name, group in zip(slot.quantities, groups, strict=True):
                kinds.append("gene")
                names.append(name)
                picks.append(group)
        for at in range(layout.real_loci, len(ledger.names)):
            name = ledger.names[at]
            if name.startswith("logit:"):
                continue
            kinds.append("index" if name.startswith("index:") else "gene")
            names.append(name.removeprefix("index:"))
            picks.append([at])
        if not names:
            return
        self._ledger_rows(
            engine.generation,
            kind=kinds,
            quantity=names,
            **{
                key: np.stack([value[:, pick].mean(axis=1) for pick in picks], axis=1)
                for key, value in columns.items()
            },
        )

    def _information(self, engine: Engine, generation: int) -> None:
        """Write what selection and transmission did to information, once newborns have lived."""
        culture = engine.culture
        if culture is None or culture.now is None:
            return
        kind = "skill" if culture.code.skill else "information"
        self._ledger_rows(generation, kind=kind, **culture.terms())

    def _logits(self, engine: Engine) -> None:
        resolved, ledger = engine.resolved, engine.ledger
        world, tables = resolved.world, resolved.tables
        assert world is not None
        assert tables is not None
        if ledger.now is None:
            return
        percepts = np.unique(resolved.tracked.percept)
        if not percepts.size:
            return
        columns = {
            "before": ledger.now.before, "selection": ledger.now.selection,
            "transmission": ledger.now.transmission, "learning": ledger.learned_now,
            "after": ledger.now.after, "cumulative_selection": ledger.selection,
            "cumulative_transmission": ledger.transmission,
        }  # fmt: skip
        if resolved.is_linear:
            slot = resolved.layout.slot("policy")
            assert slot is not None
            actions = world.actions[: tables.outputs]
            cues = world.percept_cue[percepts].astype(np.float64)
            made = {
                key: np.einsum(
                    "rqf,pf->rpq",
                    value[:, slot.start : slot.stop].reshape(len(value), len(actions), -1),
                    cues,
                ).reshape(len(value), -1)
                for key, value in columns.items()
            }
        else:
            actions = world.actions
            wanted = [ledger.names.index(f"logit:{z}:{a}") for z in percepts for a in actions]
            made = {key: value[:, wanted] for key, value in columns.items()}
        labels = [percept_label(world, int(z)) for z in percepts]
        self._ledger_rows(
            engine.generation,
            kind="logit",
            quantity=[f"logit:{z}:{a}" for z in labels for a in actions],
            percept=[z for z in labels for _ in actions],
            action=[a for _ in labels for a in actions],
            **made,
        )

    def _acts(self, engine: Engine, lives: Lives) -> None:
        world, acts = engine.resolved.world, engine.ledger.acts
        assert world is not None
        tracked = engine.resolved.tracked
        if not tracked.context.size:
            return
        shape = (self.replicates.size, -1)
        contexts = [world.contexts[c] for c in tracked.context]
        labels = [percept_label(world, int(z)) for z in tracked.percept]
        actions = world.actions
        nothing = np.full((self.replicates.size, len(labels) * len(actions)), np.nan)
        self._ledger_rows(
            engine.generation,
            kind="act",
            quantity=[
                f"act:{c}:{z}:{a}" for c, z in zip(contexts, labels, strict=True) for a in actions
            ],
            context=[c for c in contexts for _ in actions],
            percept=[z for z in labels for _ in actions],
            action=[a for _ in labels for a in actions],
            before=acts.share.reshape(shape),
            selection=acts.now.reshape(shape),
            transmission=nothing,
            learning=_learned_acts(engine, lives).reshape(shape),
            after=nothing,
            cumulative_selection=acts.selection.reshape(shape).copy(),  # it goes on growing
            cumulative_transmission=nothing,
        )

    def _ledger_rows(self, generation: int, **columns: Any) -> None:
        for name in ("context", "percept", "action"):
            columns.setdefault(name, "")
        self._add("ledger", generation, **columns)


def _add_gene(
    columns: dict[str, Any],
    names: tuple[str, ...],
    values: NDArray[np.floating],
    count: NDArray[np.int64],
) -> None:
    for k, name in enumerate(names):
        mean, sd = moments(values[..., k], count)
        columns[name] = mean
        if not name.endswith(".mean"):
            columns[f"{name}.sd"] = sd


def _learned(lives: Lives, count: NDArray[np.int64]) -> F64:
    """Return (R,) mean over agents of the mean absolute change during life."""
    if not lives.learned.shape[2]:
        return np.zeros(count.size)
    change = np.abs(lives.learned - lives.born).mean(axis=2)
    return moments(change, count)[0]


def _learned_acts(engine: Engine, lives: Lives) -> F64:
    """Return (R, T, A) mean change of action probabilities during life (tables), else zero."""
    resolved = engine.resolved
    world, mind = resolved.world, resolved.mind
    assert world is not None
    assert mind is not None
    shape = (lives.payoff.shape[0], resolved.tracked.percept.size, len(world.actions))
    if mind.rule != TABLE:
        return np.zeros(shape)
    change = (lives.learned - lives.born).reshape(*lives.payoff.shape, -1, len(world.actions))
    picked = change[:, :, resolved.tracked.percept]
    flat = picked.reshape(*lives.payoff.shape, -1)
    # Learned and born are both zero where nobody lived.
    mean: F64 = flat.sum(axis=1) / np.maximum(lives.count, 1)[:, None]
    return mean.reshape(shape)


def _cells(model: ModelCode, fit: Fit, lives: Lives) -> dict[str, F64]:
    """Return what the reward model predicts of each cell, and how often lives produced it."""
    total = lives.produced.sum(axis=1, dtype=np.float64) @ model.member
    made = total / np.maximum(lives.count, 1)[:, None]
    columns = {}
    for c, name in enumerate(model.names):
        columns[f"model.{name}"] = fit.value[:, c].copy()  # it goes on changing
        columns[f"produced.{name}"] = made[:, c]
        columns[f"total.{name}"] = fit.total[:, c].copy()
    return columns
