"""A long run that survives: its state and its rows on disk, every so many generations or minutes.

A checkpoint is a folder beside the results that it will become (``.NAME.checkpoint``). Rows are
written once, in parts; of states only the last stands. The file `head.json` lists what counts,
with digests, and is replaced in one step after everything that it lists is on disk: a process
killed at any moment leaves the old checkpoint or the new one. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError
from evosim.ledger import Pedigree
from evosim.output import CHECKPOINT_HEAD as HEAD
from evosim.output import remove_checkpoint, sync_directory, write_file
from evosim.record import file_digest
from evosim.tables import StoredArrays, write_arrays

if TYPE_CHECKING:
    from evosim.scenario import Scenario
    from evosim.simulate import CellRun

SCENARIO = "scenario.toml"
FORMAT = 1

_RHYTHM = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>s|min|h)?")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_PEDIGREES = "pedigrees"
_PEDIGREE = ("gametes", "parent", "mate", "births", "born")


@dataclass(frozen=True)
class Rhythm:
    """How often a checkpoint is due: after so many generations, or so many seconds.

    Parameters
    ----------
    generations : int, optional
        Generations of all arms together.
    seconds : float, optional
    """

    generations: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str | int) -> Rhythm | None:
        """Read e.g. ``"500"`` (generations), ``"90s"``, ``"10min"``, ``"1h"``, ``"never"``.

        Returns
        -------
        Rhythm or None
            None: never.

        Raises
        ------
        UserError
            It is none of these.
        """
        words = str(text).strip()
        if words == "never":
            return None
        found = _RHYTHM.fullmatch(words)
        if found is not None and float(found["number"]) > 0:
            if found["unit"]:
                return cls(seconds=float(found["number"]) * _SECONDS[found["unit"]])
            if found["number"].isdecimal():
                return cls(generations=int(found["number"]))
        raise UserError(
            f"no rhythm: '{words}'",
            key="checkpoint",
            allowed="generations (500), a time (90s, 10min, 1h) or never",
        )


@dataclass
class _Stored:
    """What is on disk of one cell: file -> its size and digest, and how much of the rows."""

    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    generation: int = 0
    done: bool = False
    rows: dict[str, int] = field(default_factory=dict)


class Keeper:
    """Writes the checkpoints of one run, and gives back what an earlier process wrote.

    Parameters
    ----------
    folder : path
        Of the checkpoint; made when the first is written.
    scenario : Scenario
        The run's.
    origin : mapping of str to JSON values
        What the bits depend on besides the scenario (see `evosim.record.origin`): a checkpoint
        of another origin is refused.
    rhythm : Rhythm or None
        None: nothing is written.
    resume : bool
        Whether to go on from the checkpoint that stands in `folder`.

    Attributes
    ----------
    started : datetime
        When the first process began.
    spent : float
        Seconds that earlier processes took until their last checkpoint.
    resumed : list of dict
        Where (arm, generation) the run was taken up so far.
    written : bool
        Whether there is a checkpoint to go on from.

    Raises
    ------
    UserError
        The checkpoint is damaged, or of another scenario or program.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Scenario,
        origin: Mapping[str, Any],
        rhythm: Rhythm | None,
        *,
        resume: bool = False,
    ) -> None:
        self.folder = folder
        self.rhythm = rhythm
        self.started, self.spent = datetime.now(UTC), 0.0
        self.resumed: list[dict[str, Any]] = []
        self.written = False
        self._scenario = scenario
        self._origin = {"scenario": scenario.hash(), **origin}
        self._cells: list[CellRun] = []
        self._stored: dict[str, _Stored] = {}
        self._clock = self._last = time.monotonic()
        self._since = 0
        self._ending: Callable[[], Any] | None = None
        if resume and (folder / HEAD).is_file():
            self._open()

    def take_up(self, cell: CellRun) -> bool:
        """Give a cell what the checkpoint has of it; return whether it has anything.

        Every cell of the run is announced so before its first generation.
        """
        label = cell.recorder.label
        self._cells.append(cell)
        stored = self._stored.setdefault(label, _Stored())
        if not stored.state:
            return False
        rows: dict[str, list[dict[str, Any]]] = {_PEDIGREES: []}
        for name in stored.parts:
            for table, more in _read_rows(self._checked(name, stored.parts)).items():
                rows.setdefault(table, []).extend(more)
        for row in rows.pop(_PEDIGREES):
            if cell.pedigrees is not None:
                cell.pedigrees[row["generation"]] = Pedigree(*(row[k] for k in _PEDIGREE))
        cell.recorder.rows.update(rows)
        cell.restore(self._state(stored))
        cell.done = stored.done
        stored.rows = _lengths(cell)
        if not stored.done:
            self.resumed.append({"arm": label, "generation": stored.generation})
        return True

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Within it an interruption waits for the end of the generation, and is written down.

        A second one does not wait. Outside the main thread signals are not ours to handle.
        """
        if self.rhythm is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {}

        def ask(number: int, frame: FrameType | None) -> None:
            if self._ending is not None:
                before[number](number, frame)
            self._ending = lambda: before[number](number, frame)

        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, ask)
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
        if self._ending is not None:  # it came after the last look
            self._ending()

    def look(self) -> None:
        """Write a checkpoint if one is due; called after every generation.

        Raises
        ------
        KeyboardInterrupt
            Or what else an interruption raises that came since the last look.
        """
        if self._ending is not None:
            self.write()
            self._ending()
        self._since += 1
        rhythm = self.rhythm
        if rhythm is None:
            return
        if (rhythm.generations is not None and self._since >= rhythm.generations) or (
            rhythm.seconds is not None and time.monotonic() - self._last >= rhythm.seconds
        ):
            self.write()

    def write(self) -> None:
        """Write a checkpoint of all cells begun so far.

        Raises
        ------
        UserError
            It cannot be written; the checkpoint before it still stands.
        """
        try:
            self._write()
        except OSError as error:
            stands = "the one before it stands, go on from it with --resume"
            raise UserError(
                f"the checkpoint cannot be written: {error.strerror or error}",
                file=self.folder,
                hint=stands if self.written else None,
            ) from error
        self.written = True
        self._since, self._last = 0, time.monotonic()

    def remove(self) -> None:
        """Remove the checkpoint: the results stand."""
        remove_checkpoint(self.folder)
        self.written = False

    def seconds(self) -> float:
        """Return the seconds that the run took, over all its processes."""
        return self.spent + time.monotonic() - self._clock

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / SCENARIO).exists():
            text = self._scenario.toml()
            write_file(self.folder / SCENARIO, lambda stream: stream.write(text.encode()))
        for index, cell in enumerate(self._cells):
            stored = self._stored[cell.recorder.label]
            if not stored.done:
                self._write_cell(index, cell, stored)
        sync_directory(self.folder)
        cells: dict[str, dict[str, Any]] = {
            label: {
                "generation": stored.generation,
                "done": stored.done,
                "parts": stored.parts,
                "state": stored.state,
            }
            for label, stored in self._stored.items()
            if stored.state
        }
        head = {
            "format": FORMAT,
            "origin": self._origin,
            "started": self.started.isoformat(),
            "seconds": round(self.seconds(), 3),
            "resumed": self.resumed,
            "cells": cells,
        }
        text = json.dumps({**head, "digest": _digest(head)}, indent=1)
        fresh = self.folder / f"{HEAD}.new"
        write_file(fresh, lambda stream: stream.write(text.encode()))
        os.replace(fresh, self.folder / HEAD)
        sync_directory(self.folder)
        listed = {HEAD, SCENARIO}
        for entry in cells.values():
            listed |= {*entry["parts"], *entry["state"]}
        for path in self.folder.iterdir():
            if path.name not in listed:
                path.unlink()

    def _write_cell(self, index: int, cell: CellRun, stored: _Stored) -> None:
        """Write the rows that are new and the present state, under names not yet in use."""
        g = cell.engine.generation
        end = "last" if cell.done else f"{g:09d}"
        rows = {
            table: rows[stored.rows.get(table, 0) :] for table, rows in cell.recorder.rows.items()
        }
        if cell.pedigrees is not None:
            fresh = list(cell.pedigrees.items())[stored.rows.get(_PEDIGREES, 0) :]
            rows[_PEDIGREES] = [
                {"generation": at, **{k: getattr(p, k) for k in _PEDIGREE}} for at, p in fresh
            ]
        if any(rows.values()):
            name = f"{index:04d}.rows.{end}.npz"
            write_arrays(self.folder / name, _pack(rows))
            stored.parts[name] = self._entry(name)
        name = f"{index:04d}.state.{end}.npz"
        write_arrays(self.folder / name, cell.state())
        stored.state = {name: self._entry(name)}
        stored.generation, stored.done, stored.rows = g, cell.done, _lengths(cell)

    def _entry(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return {"bytes": path.stat().st_size, "sha256": file_digest(path)}

    def _open(self) -> None:
        head = read_head(self.folder)
        self._check_origin(head["origin"])
        self.started = datetime.fromisoformat(head["started"])
        self.spent = float(head["seconds"])
        self.resumed = list(head["resumed"])
        self._stored = {
            label: _Stored(cell["parts"], cell["state"], cell["generation"], cell["done"])
            for label, cell in head["cells"].items()
        }
        self.written = True

    def _check_origin(self, found: Mapping[str, Any]) -> None:
        for key, present in self._origin.items():
            if found.get(key) == present:
                continue
            if key == "scenario":
                what = f"is of other settings: {_first_difference(self.folder, self._scenario)}"
            else:
                what = f"was written with other {key} (it would not go on with the same bits)"
            raise UserError(
                f"the checkpoint {what}",
                file=self.folder,
                hint="go on as it began, or start again with --overwrite",
            )

    def _checked(self, name: str, listed: Mapping[str, Mapping[str, Any]]) -> Path:
        return checked_file(self.folder, name, listed[name])

    def _state(self, stored: _Stored) -> Mapping[str, NDArray[Any]]:
        ((name, _),) = stored.state.items()
        return StoredArrays(self._checked(name, stored.state))


def read_head(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's list of what counts.

    Raises
    ------
    UserError
        It is damaged, or of a newer evosim.
    """
    path = folder / HEAD
    try:
        head: dict[str, Any] = json.loads(path.read_bytes())
        digest = head.pop("digest")
        sound = digest == _digest(head)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        sound = False
    if not sound:
        raise _damaged(path)
    if head["format"] > FORMAT:
        raise UserError(
            f"is a checkpoint of format {head['format']}; this version reads up to {FORMAT}",
            file=folder,
        )
    return head


def checked_file(folder: Path, name: str, entry: Mapping[str, Any]) -> Path:
    """Return a file of a checkpoint, once its bytes are found to be those that were written.

    Raises
    ------
    UserError
        They are not.
    """
    path = folder / name
    if not path.is_file() or file_digest(path) != entry["sha256"]:
        raise _damaged(path)
    return path


def _damaged(path: Path) -> UserError:
    return UserError(
        "the checkpoint is damaged: its bytes are not those that were written",
        file=path,
        hint="start again with --overwrite",
    )


def _digest(head: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()


def _lengths(cell: CellRun) -> dict[str, int]:
    lengths = {table: len(rows) for table, rows in cell.recorder.rows.items()}
    return {**lengths, _PEDIGREES: len(cell.pedigrees or ())}


def _pack(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, NDArray[Any]]:
    """Put recorded rows into few arrays: one per dtype, and an index of what stands where.

    A row is a mapping from column to an array, a list of labels, or a single value. One npz
    member per array took ten times as long to write.
    """
    flat: dict[str, list[NDArray[Any]]] = {}

    def describe(value: Any) -> list[Any]:
        if isinstance(value, np.ndarray) and value.dtype != object:
            flat.setdefault(value.dtype.str, []).append(np.ascontiguousarray(value).reshape(-1))
            return ["array", value.dtype.str, list(value.shape)]
        if isinstance(value, np.ndarray):
            return ["labels", value.tolist()]
        if not isinstance(value, str | int | float | list):
            raise TypeError(f"cannot keep a {type(value).__name__}")
        return ["plain", value]

    index = {
        table: [[[name, describe(value)] for name, value in row.items()] for row in rows]
        for table, rows in tables.items()
    }
    text = np.frombuffer(json.dumps(index).encode(), np.uint8)
    return {"index": text} | {kind: np.concatenate(parts) for kind, parts in flat.items()}


def _read_rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a part."""
    stored = StoredArrays(path)
    index = json.loads(stored["index"].tobytes())
    flat = {name: stored[name] for name in stored if name != "index"}
    at = dict.fromkeys(flat, 0)

    def value(kind: str, what: Any, shape: tuple[int, ...] = ()) -> Any:
        if kind == "plain":
            return what
        if kind == "labels":
            return np.array(what, dtype=object)
        dtype = what
        start, size = at[dtype], int(np.prod(shape))
        at[dtype] = start + size
        return flat[dtype][start : start + size].reshape(shape)

    return {
        table: [{name: value(*said) for name, said in row} for row in rows]
        for table, rows in index.items()
    }


def _first_difference(folder: Path, scenario: Scenario) -> str:
    """Return what differs first between the checkpoint's scenario and this one."""
    from evosim.scenario import Scenario
    from evosim.scenario.resolved import DESCRIPTION, plain

    there = _flat(plain(Scenario.load(folder / SCENARIO).model))
    here = _flat(plain(scenario.model))
    for key in sorted({*there, *here}):
        if key not in DESCRIPTION and there.get(key) != here.get(key):
            return f"{key} is {there.get(key)!r} there, {here.get(key)!r} here"
    return "the scenario differs"


def _flat(data: Any, key: str = "") -> dict[str, Any]:
    """Return the values of nested tables and lists by dotted keys."""
    if isinstance(data, Mapping):
        items = data.items()
    elif isinstance(data, list):
        items = dict(enumerate(data)).items()
    else:
        return {key: data}
    flat: dict[str, Any] = {}
    for name, value in items:
        flat |= _flat(value, f"{key}.{name}" if key else str(name))
    return flat
