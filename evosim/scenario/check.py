"""Cross-references of a scenario: every name leads somewhere, every part is used.

What takes a built world to know (symbols on maps, states of graphs, the directions a map
allows) is checked by the world builders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from evosim.errors import UserError, did_you_mean
from evosim.scenario.arms import ArmCell
from evosim.scenario.biology import Replay
from evosim.scenario.blocks import check_blocks
from evosim.scenario.check_biology import check_biology
from evosim.scenario.check_culture import check_culture, culture_genes
from evosim.scenario.check_structure import check_structure
from evosim.scenario.keys import join_key, split_key
from evosim.scenario.model import ScenarioModel
from evosim.scenario.study_parts import Assay, Measure, Trial
from evosim.scenario.world import Context, Direction, LandscapeWorld, UserWorld

#: Frequencies that should sum to 1 may miss it by the rounding of decimals in the file.
TOLERANCE = 1e-9


def check_model(model: ScenarioModel, extra_genes: Iterable[str] = ()) -> None:
    """Check one arm's model.

    Parameters
    ----------
    model : ScenarioModel
    extra_genes : iterable of str
        Genes that something outside the built-in minds and worlds reads.

    Raises
    ------
    UserError
        The first fault, with its dotted key and what is allowed.
    """
    _check_names(model)
    if isinstance(model.world, LandscapeWorld):
        _check_bare_landscape(model)
    else:
        _check_blocks(model)
        _check_contexts(model)
        _check_phases(model)
        for assay in model.assay:
            _check_assay(assay, model)
        for trial in model.trial:
            _check_trial(trial, model)
    _check_exact_assays(model)
    _check_interventions(model)
    check_culture(model)
    check_structure(model)
    check_biology(model, (*extra_genes, *culture_genes(model)))


def check_arms(model: ScenarioModel, cells: Sequence[ArmCell]) -> None:
    """Check what refers to arms: replays and the effect.

    Parameters
    ----------
    model : ScenarioModel
        The file's own.
    cells : sequence of ArmCell
        All of its arms.

    Raises
    ------
    UserError
    """
    for cell in cells:
        _check_replay(cell, cells)
    if model.effect is None:
        return
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    for part in ("arm", "control"):
        _known(getattr(model.effect, part), arms, "arm", f"effect.{part}")
    if model.effect.arm == model.effect.control:
        raise UserError("the arm is its own control", key="effect.control", allowed="another arm")


def _check_names(model: ScenarioModel) -> None:
    for what in ("context", "block", "phase", "assay", "trial", "explained", "arm"):
        names = [item.name for item in getattr(model, what)]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise UserError(
                    f"a second {what} called '{name}'",
                    key=f"{what}.{index}",
                    allowed="distinct names",
                )


def _check_bare_landscape(model: ScenarioModel) -> None:
    for key in ("context", "cues", "block", "phase", "assay", "trial", "predict", "explained"):
        if getattr(model, key):
            raise UserError(
                "a landscape has no states, so no contexts, cues, blocks, phases, assays, trials "
                "or predictors",
                key=key,
                allowed="nothing",
            )


def _check_contexts(model: ScenarioModel) -> None:
    if not model.context and isinstance(model.world, UserWorld):
        return
    if not model.context:
        raise UserError("there is no context", key="context", allowed="at least one [[context]]")
    if not model.block:
        _check_sum((c.frequency for c in model.context), "context")


def _check_blocks(model: ScenarioModel) -> None:
    contexts = [context.name for context in model.context]
    for block in model.block:
        key = join_key(["block", block.name, "frequencies"])
        for name in block.frequencies:
            _known(name, contexts, "context", f"{key}.{name}")
        _check_sum(block.frequencies.values(), key)
    check_blocks(model)


def _check_sum(frequencies: Iterable[float], key: str) -> None:
    total = sum(frequencies)
    if abs(total - 1.0) > TOLERANCE:
        raise UserError(f"frequencies sum to {total:.10g}", key=key, allowed="a sum of 1")


def _check_phases(model: ScenarioModel) -> None:
    contexts = [context.name for context in model.context]
    starts: dict[int, str] = {}
    for phase in model.phase:
        key = join_key(["phase", phase.name])
        for name in phase.frequencies:
            _known(name, contexts, "context", f"{key}.frequencies.{name}")
        _check_sum(phase.frequencies.values(), f"{key}.frequencies")
        if phase.start in starts:
            raise UserError(
                f"starts together with phase '{starts[phase.start]}'", key=f"{key}.start"
            )
        starts[phase.start] = phase.name


def _check_interventions(model: ScenarioModel) -> None:
    seen: set[tuple[int, str]] = set()
    for index, intervention in enumerate(model.intervention):
        for name in intervention.set:
            if (intervention.at, name) in seen:
                raise UserError(
                    f"set twice at generation {intervention.at}",
                    key=join_key(["intervention", str(index), "set", name]),
                )
            seen.add((intervention.at, name))


def _check_assay(assay: Assay, model: ScenarioModel) -> None:
    key = join_key(["assay", assay.name])
    contexts = {context.name: context for context in model.context}
    for name in assay.contexts:
        _known(name, contexts, "context", f"{key}.context")
    for cue in assay.visible:
        _known(cue, model.cues, "cue", f"{key}.visible.{cue}")
    _check_place(assay.measure, contexts[assay.contexts[0]], model, f"{key}.measure")
    for part in ("first_action", "action"):
        action = getattr(assay.measure, part)
        if action is not None:
            _check_action(action, model, f"{key}.measure.{part}")


def _check_trial(trial: Trial, model: ScenarioModel) -> None:
    key = join_key(["trial", trial.name])
    contexts = [context.name for context in model.context]
    if trial.blocks and not model.block:
        raise UserError("there are no blocks", key=f"{key}.blocks", allowed="false, or [[block]]")
    _known(trial.context, contexts, "context", f"{key}.context")
    if trial.elsewhere is not None:
        _known(trial.elsewhere, contexts, "context", f"{key}.elsewhere")
    if trial.control is not None:
        others = [other.name for other in model.trial if other.name != trial.name]
        _known(trial.control, others, "other trial", f"{key}.control")
    regions = getattr(model.world, "regions", None)
    if isinstance(regions, dict):
        _known(trial.region, regions, "region", f"{key}.region")


def _check_action(action: str, model: ScenarioModel, key: str) -> None:
    known = getattr(model.world, "actions", None)
    if model.world.kind == "grid":
        known = known or get_args(Direction)
    if known:
        _known(action, known, "action", key)


def _check_place(measure: Measure, context: Context, model: ScenarioModel, key: str) -> None:
    """Check the place of a measure, as far as the file alone tells."""
    kind = model.world.kind
    if measure.symbol is not None:
        if kind != "grid":
            raise UserError(
                f"a {kind} world has no symbols", key=f"{key}.symbol", allowed="state = '...'"
            )
        symbols = sorted(set(context.map or "") - set("#. \n"))
        _known(measure.symbol, symbols, f"symbol on the map of '{context.name}'", f"{key}.symbol")
    length = getattr(model.world, "length", None)
    if kind == "chain" and measure.state is not None and length is not None:
        _known(measure.state, [str(s) for s in range(length)], "state", f"{key}.state")


def _check_exact_assays(model: ScenarioModel) -> None:
    """Refuse indices of whole episodes: the ledger follows what genomes alone decide."""
    assays = {assay.name: assay for assay in model.assay}
    own = [name for name, assay in assays.items() if assay.permute is None]
    exact = [n for n in own if assays[n].measure.first_action or assays[n].measure.action]
    for name in model.predict.assays if model.predict else []:
        _known(name, assays, "assay", "predict.assays")
        _of_own_genes(name, own, "predict.assays")
    for asked in model.explained:
        _known(asked.assay, assays, "assay", f"explained.{asked.name}.assay")
        _of_own_genes(asked.assay, own, f"explained.{asked.name}.assay")
    for name in model.ledger.indices:
        _known(name, assays, "assay", "ledger.indices")
        _of_own_genes(name, own, "ledger.indices")
        if name not in exact:
            raise UserError(
                f"assay '{name}' measures whole episodes, not an action's probability",
                key="ledger.indices",
                allowed=", ".join(exact) or "assays of first_action or action",
            )


def _of_own_genes(name: str, own: Sequence[str], key: str) -> None:
    if name not in own:
        raise UserError(
            f"assay '{name}' is of genes that changed places, which nobody has",
            key=key,
            allowed=", ".join(own) or "an assay without permute",
        )


def _check_replay(cell: ArmCell, cells: Sequence[ArmCell]) -> None:
    if not isinstance(cell.model.selection, Replay):
        return
    key = _selection_key(cell)
    of = {other.label: other for other in cells}
    followed, source = [cell.label], cell
    while isinstance(source.model.selection, Replay):
        wanted = source.model.selection.of
        _known(wanted, of, "arm with a single cell", key)
        if wanted in followed:
            raise UserError(
                f"replays itself: {' <- '.join([*followed, wanted])}",
                key=key,
                allowed="an arm that selects",
            )
        followed.append(wanted)
        source = of[wanted]
    mine, theirs = cell.model, of[followed[1]].model
    for what, mine_has, theirs_has in (
        ("agents", mine.population.agents, theirs.population.agents),
        ("reproduction", mine.reproduction.kind, theirs.reproduction.kind),
        ("ploidy", mine.population.ploidy, theirs.population.ploidy),
    ):
        if mine_has != theirs_has:
            raise UserError(
                f"{what} {mine_has} cannot replay '{followed[1]}' with {theirs_has}",
                key=key,
                allowed=f"the same {what}",
            )


def _selection_key(cell: ArmCell) -> str:
    """Return where a cell's selection is written."""
    for arm in cell.model.arm:
        if arm.name == cell.arm:
            keys = [key for key in arm.set if split_key(key)[0] == "selection"]
            return join_key(["arm", arm.name, *(["set", keys[0]] if keys else [])])
    return "selection.of"


def _known(name: str, known: Iterable[str], what: str, key: str) -> None:
    names = list(known)
    if name not in names:
        shown = names if len(names) <= 20 else [*names[:20], "..."]
        raise UserError(
            f"there is no {what} '{name}'",
            key=key,
            allowed=", ".join(shown) or "none",
            hint=did_you_mean(name, names),
        )
