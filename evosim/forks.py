"""A fork: the state of one arm goes on twice, as it was and under other parameters.

Both arms begin with the same agents and draw the same luck (draws are counted by generation and
agent), so that their difference, replicate by replicate, is what the change did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean
from evosim.output import CHECKPOINT_HEAD, RECORD, unfinished_of

if TYPE_CHECKING:
    from evosim.engine import Engine
    from evosim.layout import Layout
    from evosim.progress import Progress
    from evosim.results import Run
    from evosim.scenario import ArmCell, Scenario

#: The names of a fork's arms.
UNCHANGED, CHANGED = "unchanged", "changed"

State = dict[str, NDArray[Any]]

_FIXED = {
    "seed": "the luck is the checkpoint's",
    "population": "the populations are the checkpoint's",
    "reproduction.kind": "how many parents an agent has is the checkpoint's",
}
_SUMS = ("ledger_selection", "ledger_transmission", "ledger_learning")


@dataclass(frozen=True)
class Fork:
    """What a fork begins with.

    Attributes
    ----------
    scenario : Scenario
        Its arms `unchanged` and, where something changes, `changed`.
    states : dict of str -> state
        By arm, all of one generation.
    source : dict
        Where it comes from: directory, arm, generation.
    digest : str
        Of the state.
    """

    scenario: Scenario
    states: dict[str, State]
    source: dict[str, Any]
    digest: str


def fork(
    checkpoint: str | Path,
    out: str | Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    set: Mapping[str, Any] | None = None,
    arm: str | None = None,
    generations: int | None = None,
    overwrite: bool = False,
    checkpoints: str | int = "10min",
    resume: bool = False,
    plugins: Iterable[str | Path] = (),
    command: Sequence[str] | None = None,
) -> Run:
    """Continue the state of a run under other parameters, beside the same state unchanged.

    Parameters
    ----------
    checkpoint : path
        The directory of a run, finished or interrupted.
    out, threads, progress, overwrite, resume, plugins, command
        As for `evosim.run`; `checkpoints` is its `checkpoint`.
    set : mapping of str to any, optional
        Dotted keys and values of the arm `changed`, e.g. ``{"genome.policy.mutation": 0.2}``.
        None: only the unchanged arm goes on.
    arm : str, optional
        Label of the arm whose state it is; default: the file's own, or the only one.
    generations : int, optional
        How many more; default: as many as the run was to have.

    Returns
    -------
    Run
        Arms `unchanged` and `changed`; generations count on from the checkpoint's.

    Raises
    ------
    UserError
        There is no such state, it is damaged, or a key changes what the state fixes.
    """
    from evosim.api import carry_out, load_plugin, rhythm_of

    rhythm = rhythm_of(checkpoints, out, resume)
    files = [load_plugin(path) for path in plugins]
    made = prepare_fork(checkpoint, set or {}, arm, generations)
    return carry_out(
        made.scenario,
        out,
        overwrite=overwrite,
        rhythm=rhythm,
        resume=resume,
        threads=threads,
        progress=progress,
        command=command,
        plugins=files,
        fork=made,
    )


def prepare_fork(
    checkpoint: str | Path, changes: Mapping[str, Any], arm: str | None, generations: int | None
) -> Fork:
    """Return what a fork begins with; see `fork`."""
    place, scenario, states = _open(Path(checkpoint).expanduser())
    cell = _cell(place, scenario, arm, states)
    state = dict(states[cell.label].items())
    forked = _scenario(cell, changes, int(state["generation"]), generations)
    return Fork(
        forked,
        {each.label: _fitted(state, cell, each) for each in forked.arms()},
        {"directory": str(place), "arm": cell.label, "generation": int(state["generation"])},
        _digest(state),
    )


def _open(path: Path) -> tuple[Path, Scenario, dict[str, Mapping[str, NDArray[Any]]]]:
    """Return the directory, the scenario and the states by arm of a run, finished or not."""
    from evosim.checkpoint import SCENARIO, checked_file, read_head
    from evosim.results import CHECKPOINT, load
    from evosim.scenario import Scenario
    from evosim.tables import StoredArrays

    if path.name == CHECKPOINT and path.is_file():
        path = path.parent
    folder = path if (path / CHECKPOINT_HEAD).is_file() else unfinished_of(path.resolve())
    if (folder / CHECKPOINT_HEAD).is_file() and not (path / RECORD).is_file():
        head = read_head(folder)
        found: dict[str, Mapping[str, NDArray[Any]]] = {}
        for label, entry in head["cells"].items():
            ((name, listed),) = entry["state"].items()
            found[label] = StoredArrays(checked_file(folder, name, listed))
        return folder, Scenario.load(folder / SCENARIO), found
    run = load(path)
    stored: Mapping[str, NDArray[Any]] = run.checkpoint
    states: dict[str, dict[str, NDArray[Any]]] = {}
    for name in stored:
        label, _, part = name.rpartition("/")
        states.setdefault(label, {})[part] = stored[name]
    return path, run.scenario, dict(states)


def _cell(place: Path, scenario: Scenario, arm: str | None, states: Mapping[str, Any]) -> ArmCell:
    """Return the arm to fork."""
    cells = {cell.label: cell for cell in scenario.arms()}
    label = arm if arm is not None else scenario.model.base_arm or next(iter(cells))
    if label not in cells:
        raise UserError(
            f"no arm '{label}'",
            file=place,
            key="arm",
            allowed=", ".join(cells),
            hint=did_you_mean(label, cells),
        )
    if label not in states:
        raise UserError(
            f"arm '{label}' has no state yet", file=place, key="arm", allowed=", ".join(states)
        )
    if cells[label].model.selection.kind == "replay":
        raise UserError(
            f"arm '{label}' replays the pedigree of another arm, which ends with the run",
            file=place,
            key="arm",
        )
    return cells[label]


def _scenario(
    cell: ArmCell, changes: Mapping[str, Any], now: int, generations: int | None
) -> Scenario:
    """Return the scenario of a fork at generation `now`."""
    from evosim.scenario import Scenario
    from evosim.scenario.resolved import plain
    from evosim.simulate import ROWS

    for key in changes:
        _check_key(key)
    data = plain(cell.model)
    more = data["population"]["generations"] if generations is None else generations
    data["population"]["generations"] = now + more
    data["title"] = f"{data['title']} (forked at generation {now})"
    data["base_arm"] = UNCHANGED
    record = data.setdefault("record", {})
    record["every"] = record.get("every") or max(1, -(-more // ROWS))
    for part in ("claim", "effect", "arm"):
        data.pop(part, None)
    if changes:
        data["arm"] = [{"name": CHANGED, "set": dict(changes)}]
    try:
        return Scenario.from_dict(data)
    except UserError as error:
        if error.key is not None:
            error.key = error.key.removeprefix(f"arm.{CHANGED}.")
        raise UserError(
            error.message, key=error.key, allowed=error.allowed, hint=error.hint
        ) from None


def _check_key(key: str) -> None:
    for fixed, why in _FIXED.items():
        if key == fixed or key.startswith(f"{fixed}."):
            raise UserError(f"cannot change in a fork: {why}", key=key)
    if key.startswith("genome.") and "initial" in key.split(".")[2:]:
        raise UserError("has no effect in a fork: the founders have lived", key=key)


def _engine(cell: ArmCell, state: Mapping[str, NDArray[Any]]) -> Engine:
    """Return an engine of the cell before its first generation: what its arrays hold."""
    from evosim.engine import Engine
    from evosim.simulate import index_probes
    from evosim.stretches import resolve_stretches

    resolved = resolve_stretches(cell.model)[0][1]
    return Engine(resolved, state["keys"], 1, index_probes(resolved, cell.model))


def _fitted(state: State, old: ArmCell, new: ArmCell) -> State:
    """Return the state for an arm: genomes as they are, the ledger's sums by their names.

    Raises
    ------
    UserError
        Where the arm's genome is not laid out as the state's.
    """
    ours, theirs = _engine(old, state), _engine(new, state)
    what = _layout_difference(ours.resolved.layout, theirs.resolved.layout)
    if what is not None:
        raise UserError(f"cannot change in a fork: {what}", key="set")
    fitted = dict(state)
    names = {name: k for k, name in enumerate(ours.ledger.names)}
    for part in _SUMS:
        fitted[part] = np.zeros((len(state["keys"]), len(theirs.ledger.names)))
        for k, name in enumerate(theirs.ledger.names):
            if name in names:
                fitted[part][:, k] = state[part][:, names[name]]
    fitted["ledger_acts"] = np.zeros_like(theirs.ledger.acts.selection)
    now = int(state["generation"])
    pairs = {pair: k for k, pair in enumerate(_act_pairs(old, now - 1))}
    for k, pair in enumerate(_act_pairs(new, now)):
        if pair in pairs:
            fitted["ledger_acts"][:, k] = state["ledger_acts"][:, pairs[pair]]
    return fitted


def _layout_difference(ours: Layout, theirs: Layout) -> str | None:
    if ours.ploidy != theirs.ploidy:
        return "ploidy"
    before = {slot.name: slot for slot in ours.real + ours.bits}
    after = {slot.name: slot for slot in theirs.real + theirs.bits}
    for name in sorted(before.keys() ^ after.keys()):
        return f"gene '{name}' would {'go' if name in before else 'be new'}"
    for name in before:
        one, other = before[name], after[name]
        if one.labels != other.labels:
            return (
                f"gene '{name}' would have other loci ({len(one.labels)} there, "
                f"{len(other.labels)} here)"
                if len(one.labels) != len(other.labels)
                else f"the loci of gene '{name}' would mean something else"
            )
        if (one.start, one.bits) != (other.start, other.bits):
            return f"gene '{name}' would stand at another place of the genome"
    return None


def _act_pairs(cell: ArmCell, generation: int) -> list[tuple[str, ...]]:
    """Return what each slot of the acts' ledger is about: context, percept, actions."""
    from evosim.stretches import resolve_stretches
    from evosim.worlds.build import percept_label

    parts = resolve_stretches(cell.model)
    resolved = [r for start, r in parts if start <= max(generation, 0)][-1]
    world, tracked = resolved.world, resolved.tracked
    if world is None:
        return []
    return [
        (world.contexts[c], percept_label(world, int(z)), *world.actions)
        for c, z in zip(tracked.context, tracked.percept, strict=True)
    ]


def _digest(state: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + str(state[name].shape).encode() + state[name].tobytes())
    return digest.hexdigest()
