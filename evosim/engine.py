"""The loop: one generation in eight stages, for a batch of replicates of one arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosim import criterion
from evosim.assays import Probe, birth_values, probabilities
from evosim.culture import Culture
from evosim.culture_values import ValueCulture
from evosim.directions import direction_and_length
from evosim.errors import EngineError, UserError
from evosim.kernels import landscape as land
from evosim.kernels import life, reproduce
from evosim.kernels.accelerate import compiled
from evosim.kernels.crew import run_blocks
from evosim.kernels.decode import LANES
from evosim.kernels.learn import live_and_learn
from evosim.kernels.philox import ASSAY
from evosim.kernels.tags import FUNCTIONS
from evosim.ledger import Ledger, Pedigree, haploid_mean
from evosim.lives import Lives, acts_type, blank_lives, share_out
from evosim.minds.trail import no_trail
from evosim.parents import choose_parents
from evosim.population import Population, bit_values, expressed, found
from evosim.resolve import Resolved
from evosim.user_code import in_one_line

F64 = NDArray[np.float64]

#: Key space of lives at random that a reward model is fitted to: after those of any assay.
AUDIT = ASSAY << 12

#: Below this many agent-steps a generation is not worth handing to other threads.
SMALL = 20_000


@dataclass
class Engine:
    """One arm's population and its ledger, generation by generation.

    Parameters
    ----------
    resolved : Resolved
        The parameters in force; replaced between generations by `change`.
    keys : (R,) uint64
        Philox keys of the replicates.
    threads : int
    index_probes : tuple of Probe
        Assays that the ledger tracks per agent.
    replayed : callable, optional
        ``replayed(generation) -> Pedigree`` for selection of kind "replay".
    keep_pedigree : callable, optional
        Called with (generation, Pedigree) after selection.
    observer : callable, optional
        Stage 5: called with (engine, lives); must change nothing.
    taught : callable, optional
        Called with (engine, genes) after transmission; likewise.
    closed : callable, optional
        Called with (engine, lives, pedigree) after the ledger closed a generation; likewise.
    """

    resolved: Resolved
    keys: NDArray[np.uint64]
    threads: int = 1
    index_probes: tuple[Probe, ...] = ()
    replayed: Callable[[int], Pedigree] | None = None
    keep_pedigree: Callable[[int, Pedigree], None] | None = None
    observer: Callable[[Engine, Lives], None] | None = None
    taught: Callable[[Engine, NDArray[np.float32]], None] | None = None
    closed: Callable[[Engine, Lives, Pedigree], None] | None = None
    generation: int = 0
    extinct: dict[int, int] = field(default_factory=dict)

    @in_one_line
    def __post_init__(self) -> None:
        self.population = found(self.resolved, self.keys)
        self._life: Callable[..., None] | None = None
        model = self.resolved.reward_model
        self.fit = None if model is None else criterion.Fit.empty(self.keys.size, model)
        self.culture: Culture | None = None
        if self.resolved.culture is not None:
            shape = (self.keys.size, self.population.agents)
            paired = self.resolved.recombination != reproduce.CLONAL
            self.culture = (
                ValueCulture(self.resolved, *shape, paired)
                if self.resolved.culture.row
                else Culture(self.resolved.culture, *shape, paired, self.resolved.structure)
            )
        self.ledger = Ledger(
            self.resolved,
            self.population,
            self._index_values if self._index_names() else None,
            self._index_names(),
            self.threads,
        )

    def user_functions(self) -> list[tuple[str, str, dict[str, Callable[..., Any]]]]:
        """Return (role, kind, functions by name) of what users wrote and kernels compile."""
        tags = (self.resolved.world_tag, self.resolved.mind_tag, self.resolved.selection.tag)
        types = [tag.numba_type for tag in tags if tag is not None]
        return [(t.role, t.kind, FUNCTIONS[t.key]) for t in types if t.key in FUNCTIONS]

    def change(self, resolved: Resolved) -> None:
        """Go on with other parameters (an intervention or the next phase)."""
        self.resolved = resolved
        self._life = None  # other parameters may be of other types
        self.ledger.rebase(self.population)
        if self.culture is not None:
            self.culture.change(resolved)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that the following generations depend on.

        Draws are counted by generation and agent, so that the generation is the whole position
        in the random numbers.
        """
        population, ledger = self.population, self.ledger
        extinct = np.array(sorted(self.extinct.items()), np.int64).reshape(-1, 2)
        return {
            "generation": np.array(self.generation),
            "keys": self.keys.copy(),
            "count": population.count.copy(),
            "real": population.real.copy(),
            "bits": population.bits.copy(),
            "extinct": extinct,
            **{name: part.copy() for name, part in self._fitted().items()},
            **ledger.sums(),
            **({} if self.culture is None else self.culture.state()),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of the same scenario, bit for bit.

        Raises
        ------
        UserError
            If the state is of another number of replicates, agents or loci.
        """
        population = self.population
        held: dict[str, NDArray[Any]] = {
            "keys": self.keys,
            "count": population.count,
            "real": population.real,
            "bits": population.bits,
            **self._fitted(),
            **({} if self.culture is None else self.culture.shapes()),
        }
        for name, present in held.items():
            if name not in state or state[name].shape != present.shape:
                raise UserError(
                    f"the checkpoint's '{name}' has shape {state[name].shape}"
                    if name in state
                    else f"the checkpoint has no '{name}'",
                    allowed=str(present.shape),
                    hint="continue with the scenario that wrote it",
                )
        self.generation = int(state["generation"])
        self.keys = state["keys"].copy()
        self.extinct = {int(r): int(g) for r, g in state["extinct"]}
        population.count = state["count"].copy()
        population.real[:] = state["real"]
        population.bits[:] = state["bits"]
        for name, present in self._fitted().items():
            present[:] = state[name]
        self.ledger.resume(population, state)
        if self.culture is not None:
            self.culture.restore(state)

    @in_one_line
    def step(self, *, last: bool = False) -> Lives:
        """Run one generation.

        1. Birth: genome to expressed values, the mind's starting memory.
        2. Transmission: newborns receive through the cultural channel.
        3. Life: episodes of perceiving, acting and learning; payoff, acts, learned state.
        4. Fitness: payoff, or what a reward model fitted to all lives so far predicts of it, to
           criterion (costs subtracted) to expected offspring.
        5. Record and assay: the observer looks; nothing is drawn or changed.
        6. Selection: parents and realised offspring.
        7. Reproduction: recombination and mutation into the next genomes.
        8. Ledger: Price terms of the generation, identity checked.

        With `last` the generation lives and is observed, but leaves no offspring.
        """
        genes = self.birth()
        self.transmission(genes)
        lives = self.life(genes)
        self.fitness(lives)
        if self.observer is not None:
            self.observer(self, lives)
        if last:
            return lives
        pedigree = self.selection(lives)
        self.reproduction(pedigree)
        self.close(lives, pedigree)
        if self.closed is not None:
            self.closed(self, lives, pedigree)
        return lives

    def birth(self) -> NDArray[np.float32]:
        """Stage 1: return (R, N, L) expressed values."""
        return expressed(self.resolved, self.population, self.keys, self.generation)

    def transmission(self, genes: NDArray[np.float32]) -> None:
        """Stage 2: newborns receive what the previous generation knew, through the channel."""
        if self.culture is not None:
            self.culture.transmit(
                genes, self.population.count, self.keys, self.generation, self._threads()
            )
            if self.taught is not None:
                self.taught(self, genes)

    def life(self, genes: NDArray[np.float32]) -> Lives:
        """Stage 3: every agent lives its episodes."""
        lives = blank_lives(self.population.count, genes)
        if self.resolved.landscape is not None:
            self._live_on_landscape(lives)
        else:
            self._live_in_world(lives)
            mind = self.resolved.mind
            if mind is not None and mind.rule == life.WEIGHTS:
                self.ledger.learned(lives.born, lives.learned, mind.policy, lives.count)
        if self.culture is not None:
            tables, threads = self.resolved.tables, self._threads()
            self.culture.live(self.population, self.keys, self.generation, threads)
            self.culture.earn(lives, 1 if tables is None else tables.episodes)
            self.culture.close(lives.count, self.generation, threads)
        return lives

    def fitness(self, lives: Lives) -> None:
        """Stage 4: payoff to criterion; fitness itself is computed by the scheme."""
        resolved = self.resolved
        episodes = 1 if resolved.tables is None else resolved.tables.episodes
        scale = 1.0 if resolved.selection.summed else 1.0 / episodes
        lives.criterion = self._predicted(lives) * scale
        column = 0
        for slot in resolved.layout.real:
            if slot.gene.cost:
                values = lives.genes[..., slot.start : slot.stop]
                lives.criterion -= slot.gene.cost * np.abs(values).sum(axis=2, dtype=np.float64)
        if any(slot.gene.cost for slot in resolved.layout.bits):
            bits = bit_values(resolved.layout, self.population.bits)
            for slot in resolved.layout.bits:
                width = len(slot.quantities)
                part = bits[..., column : column + width].sum(axis=2)
                # A long gene is reported by its mean; its cost is on the number of ones.
                lives.criterion -= slot.gene.cost * part * (slot.loci if not slot.each else 1)
                column += width
        if self.culture is not None:
            self.culture.charge(lives)
        if not np.isfinite(lives.criterion).all():
            r, i = np.argwhere(~np.isfinite(lives.criterion))[0]
            raise EngineError(
                f"criterion is not finite in generation {self.generation}, replicate {r}, "
                f"agent {i}: look at the payoffs and gene costs",
                key="selection.criterion",
            )

    def _predicted(self, lives: Lives) -> F64:
        """Return (R, N) payoffs summed over the life, or what the model makes of the acts."""
        model, count = self.resolved.reward_model, lives.count
        if model is None or self.fit is None:
            return lives.payoff
        self.fit.total += lives.produced.sum(axis=1, dtype=np.float64) @ model.member
        seen = self._audited(model) if model.audit else lives
        made = seen.produced.astype(np.float64) @ model.member
        self.fit.update(model, made, seen.payoff, seen.count)
        predicted = criterion.predict(model, self.fit.value, lives.produced)
        return np.where(np.arange(predicted.shape[1]) < count[:, None], predicted, 0.0)

    def _audited(self, model: criterion.ModelCode) -> Lives:
        """Return lives of choices at random, drawn from a key space of their own."""
        replicates = self.keys.size
        # A policy of zeros prefers nothing, at any temperature but 0.
        genes = np.zeros((replicates, model.audit, self.resolved.layout.real_loci), np.float32)
        temperature = self.resolved.layout.locus("temperature")
        if temperature >= 0:
            genes[..., temperature] = 1.0
        lives = blank_lives(np.full(replicates, model.audit, np.int64), genes)
        self._live_in_world(lives, AUDIT)
        return lives

    def _fitted(self) -> dict[str, F64]:
        """Return what the reward model was fitted to, by its name in a checkpoint."""
        if self.fit is None:
            return {}
        return {f"model.{name}": value for name, value in vars(self.fit).items()}

    def selection(self, lives: Lives) -> Pedigree:
        """Stage 6: who has how many offspring."""
        if self.resolved.selection.kind == "replay":
            assert self.replayed is not None
            pedigree = self.replayed(self.generation)
        else:
            pedigree = choose_parents(
                self.resolved, self.keys, self.generation, self.population, lives.criterion,
                lives.fitness, self._threads(),
            )  # fmt: skip
        if self.keep_pedigree is not None:
            self.keep_pedigree(self.generation, pedigree)
        if not pedigree.born.all():
            for r in np.flatnonzero((pedigree.born == 0) & (self.population.count > 0)):
                self.extinct[int(r)] = self.generation + 1
        return pedigree

    def reproduction(self, pedigree: Pedigree) -> None:
        """Stage 7: write the next generation's genomes."""
        resolved, population = self.resolved, self.population
        layout, code = resolved.layout, resolved.mutation
        blocks = population.replicates * -(-population.agents // reproduce.BLOCK)
        all_loci = layout.real_loci + layout.bit_loci
        threads = self._threads()
        if layout.real_loci:
            run_blocks(
                reproduce.reproduce_real, blocks, threads, resolved.recombination, layout.ploidy,
                all_loci, code.sd, code.chance, code.low, code.high, self.keys, self.generation,
                pedigree.born, pedigree.parent, pedigree.mate, pedigree.births,
                population.real, population.next_real,
            )  # fmt: skip
        if layout.bit_loci:
            run_blocks(
                reproduce.reproduce_bits, blocks, threads, resolved.recombination, layout.ploidy,
                layout.real_loci, all_loci, code.first, code.stop, code.flip, self.keys,
                self.generation, pedigree.born, pedigree.parent, pedigree.mate, pedigree.births,
                population.bits, population.next_bits,
            )  # fmt: skip

    def close(self, lives: Lives, pedigree: Pedigree) -> None:
        """Stage 8: the ledger closes the generation, and the next one becomes the present."""
        self.ledger.close(self.resolved, self.population, pedigree, lives.acts, self.generation)
        if self.culture is not None:
            self.culture.keep(lives, pedigree)
        self.population.swap(pedigree.born.copy())
        self.generation += 1

    def _threads(self) -> int:
        tables = self.resolved.tables
        steps = 1 if tables is None else tables.steps * tables.episodes
        work = self.population.replicates * self.population.agents * (steps + 20)
        return self.threads if work > SMALL else 1

    def _live_in_world(self, lives: Lives, offset: int = 0) -> None:
        resolved = self.resolved
        tables, mind = resolved.tables, resolved.mind
        assert tables is not None
        assert mind is not None
        replicates, agents = lives.payoff.shape
        variants = tables.start.size
        model = resolved.reward_model
        slots = resolved.tracked.context.size
        kinds = (slots + (0 if model is None else model.ledger.size)) * tables.actions
        lives.acts = np.empty((replicates, agents, kinds), acts_type(tables))
        learning = resolved.learning
        per = -(-agents // LANES) if learning is None else agents
        context_payoff = np.empty((replicates * per, variants))
        context_episodes = np.empty((replicates * per, variants), np.int64)
        ahead = self.keys, self.generation, offset
        lived = lives.count, lives.genes, lives.payoff, lives.acts, context_payoff, context_episodes
        args: tuple[Any, ...]
        if learning is None:
            args = (
                resolved.world_tag, tables, resolved.mind_tag, mind, resolved.schedule, *ahead,
                resolved.lazy, *lived,
            )  # fmt: skip
        else:
            lives.born = np.zeros((replicates, agents, learning.reported))
            lives.learned = np.zeros((replicates, agents, learning.reported))
            mind_tables = learning.tables
            if isinstance(self.culture, ValueCulture):
                mind_tables = mind_tables._replace(table=self.culture.table)
            args = (
                resolved.world_tag, tables, learning.tag, mind_tables, learning.size,
                resolved.schedule, tables.start_cdf, 0, np.zeros(0, np.int64), *ahead, *lived,
                lives.born, lives.learned, no_trail(replicates),
            )  # fmt: skip
        if self._life is None:
            kernel = life.live if learning is None else live_and_learn
            self._life = compiled(kernel, (0, 0, *args))
        run_blocks(self._life, replicates * per, self._threads(), *args)
        if model is not None:
            share_out(lives, model, slots, tables.actions)
        # Fixed blocks, then one sum per replicate: the same bits for any number of threads.
        lives.context_payoff = context_payoff.reshape(replicates, per, variants).sum(axis=1)
        lives.context_episodes = context_episodes.reshape(replicates, per, variants).sum(axis=1)

    def _live_on_landscape(self, lives: Lives) -> None:
        code, population = self.resolved.landscape, self.population
        assert code is not None
        layout = self.resolved.layout
        if code.bits:
            run_blocks(
                land.live_on_bits, population.replicates, self._threads(), code.weights,
                code.height, code.locus, code.peak_height, code.peak_value, code.essential,
                code.shoulder, code.elsewhere, layout.ploidy, layout.words, population.count,
                population.bits, lives.payoff,
            )  # fmt: skip
        else:
            run_blocks(
                land.live_on_traits, population.replicates, self._threads(), code.shape,
                code.weights, code.optimum, code.width, code.height, code.threshold, code.noise,
                code.locus, self.keys, self.generation, population.count, lives.genes,
                lives.payoff,
            )  # fmt: skip
        alive = np.arange(population.agents)[None, :] < population.count[:, None]
        lives.context_payoff = np.where(alive, lives.payoff, 0.0).sum(axis=1, keepdims=True)
        lives.context_episodes = population.count[:, None].astype(np.float64)

    def _nonlinear(self) -> bool:
        """Whether logits are followed that do not follow from the genes' covariances."""
        resolved = self.resolved
        return (
            resolved.world is not None
            and not resolved.is_linear
            and resolved.tracked.percept.size > 0
        )

    def _logit_percepts(self) -> NDArray[np.int64]:
        return np.unique(self.resolved.tracked.percept)

    def _index_names(self) -> tuple[str, ...]:
        names = [f"index:{probe.name}" for probe in self.index_probes]
        for gene in self.resolved.model.ledger.directions:
            names += [f"index:{gene}.direction", f"index:{gene}.length"]
        if self._nonlinear():
            assert self.resolved.world is not None
            actions = self.resolved.world.actions
            names += [f"logit:{z}:{a}" for z in self._logit_percepts() for a in actions]
        return tuple(names)

    def _index_values(self, population: Population) -> F64:
        """Return (R, N, X) indices and non-linear logits that genomes alone determine."""
        genes = expressed(self.resolved, population, self.keys, 0, noisy=False)
        parts = [
            birth_values(probe, self.resolved, genes, self.threads)[..., None]
            for probe in self.index_probes
        ]
        values = haploid_mean(self.resolved.layout, population.real)
        for gene, vector in self.resolved.model.ledger.directions.items():
            slot = self.resolved.layout.slot(gene)
            assert slot is not None
            parts.append(
                direction_and_length(values[..., slot.start : slot.stop], np.array(vector))
            )
        if self._nonlinear():
            prob = probabilities(self.resolved, genes, self._logit_percepts(), self.threads)
            with np.errstate(divide="ignore"):
                logit = np.log(np.maximum(prob, 1e-30))
            logit -= logit.mean(axis=2, keepdims=True)
            parts.append(logit.transpose(0, 1, 3, 2).reshape(*genes.shape[:2], -1))
        return np.concatenate(parts, axis=2)


__all__ = ["Engine"]
