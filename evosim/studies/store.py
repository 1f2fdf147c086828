"""The directory of a study: the plan, the journal, the parts, the compacted tables.

``study.json``      what is studied and by which code (makes the directory a study's)
``study.toml``      the study file's text; ``scenario.toml`` the scenario that all runs start from
``runs.parquet``    the plan: id, point, replicate, seed, parameters of every run
``journal.jsonl``   one line per event, only ever appended
``parts/``          one file per finished run, until it is compacted
``tables/``         the compacted tables, in the order of the plan, and ``records.parquet``

What is done is read off the parts and tables, what failed off the journal: no file says twice what
could then disagree.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from evosim.errors import UserError, did_you_mean
from evosim.output import Reserved, user_errors, write_file
from evosim.record import plain
from evosim.studies.parts import SUFFIX, can_be_opened
from evosim.tables import damaged, read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
RECORD = "study.json"
_STUDY, _SCENARIO, _PLAN, _JOURNAL = "study.toml", "scenario.toml", "runs.parquet", "journal.jsonl"
_LOCK, _PARTS, _TABLES, RECORDS = ".lock", "parts", "tables", "records"
_OWN = {
    RECORD, _STUDY, _SCENARIO, _PLAN, _JOURNAL, _LOCK, _PARTS, _TABLES, f".{_TABLES}.partial",
    f".{_TABLES}.old", *(f".{name}.new" for name in (RECORD, _STUDY, _SCENARIO, _PLAN)),
    "figures",
}  # fmt: skip


class Store:
    """A study's directory.

    Parameters
    ----------
    path : path
        It need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        self.parts = self.path / _PARTS
        self.tables = Reserved(self.path / _TABLES)
        self.scenario = self.path / _SCENARIO

    @classmethod
    def existing(cls, path: str | Path) -> Store:
        """Return the store of a directory that holds a study.

        Raises
        ------
        UserError
            There is no study.
        """
        store = cls(path)
        if not store.path.is_dir():
            folder = store.path.parent
            near = [p.name for p in folder.iterdir()] if folder.is_dir() else []
            raise UserError(
                "no such directory", file=path, hint=did_you_mean(store.path.name, near)
            )
        if not store.exists:
            raise UserError(f"holds no study (no {RECORD})", file=path)
        store.info()
        return store

    @property
    def exists(self) -> bool:
        """Whether the directory holds a study."""
        return (self.path / RECORD).is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other studies out of the directory; create it where it is missing.

        The lock lies in the directory itself, so that it also holds between machines that share
        it. It ends with the process that holds it, however that ends.

        Raises
        ------
        UserError
            Another study works there, it holds what is no study's, or it cannot be written.
        """
        from filelock import FileLock, Timeout

        with user_errors(self.path):
            self._check_free()
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / _LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise UserError(
                    "is in use by another study",
                    file=self.path,
                    hint="wait for it or choose another --out",
                ) from None
        try:
            with user_errors(self.path):
                self.parts.mkdir(exist_ok=True)
                self._repair()
            try:
                yield
            finally:
                self._repair()
        finally:
            lock.release()

    def info(self) -> dict[str, Any]:
        """Return what ``study.json`` says.

        Raises
        ------
        UserError
            It is damaged, or of a newer evosim.
        """
        record = self.path / RECORD
        try:
            info = dict(json.loads(record.read_bytes()))
            version = int(info["schema_version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(record, error) from error
        if version > SCHEMA_VERSION:
            raise UserError(
                f"written in format {version}; this evosim reads formats up to {SCHEMA_VERSION}",
                file=record,
            )
        return info

    def plan(self) -> pd.DataFrame:
        """Return the planned runs."""
        return read_table(self.path / _PLAN)

    def register(
        self, plan: pd.DataFrame, info: Mapping[str, Any], study: str, scenario: str
    ) -> None:
        """Write down what is planned; the record last, because it makes the directory a study's."""
        record = json.dumps(plain({"schema_version": SCHEMA_VERSION, **info}), indent=1)
        with self._replacing(_PLAN) as file:
            write_table(file, plan)
        for name, text in ((_STUDY, study), (_SCENARIO, scenario), (RECORD, record + "\n")):
            with self._replacing(name) as file:
                write_file(file, _writer(text))

    def part(self, run: str) -> Path:
        """Return where the results of a run stand until they are compacted."""
        return self.parts / f"{run}{SUFFIX}"

    def part_ids(self) -> set[str]:
        """Return the runs that have a part, readable or not."""
        if not self.parts.is_dir():
            return set()
        with os.scandir(self.parts) as entries:
            names = [entry.name for entry in entries]
        return {n.removesuffix(SUFFIX) for n in names if n.endswith(SUFFIX) and n[0] != "."}

    def table_path(self, name: str) -> Path:
        """Return where a compacted table stands, if there is one."""
        return self.tables.target / f"{name}.parquet"

    def compacted_ids(self) -> set[str]:
        """Return the runs whose results are compacted."""
        path = self.table_path(RECORDS)
        if not path.is_file():
            return set()
        from pyarrow import parquet

        try:
            return set(parquet.read_table(path, columns=["run"])["run"].to_pylist())
        except (OSError, ValueError) as error:
            raise damaged(path, error) from error

    def done(self) -> set[str]:
        """Return the runs that have results; parts that cannot be opened do not count."""
        compacted = self.compacted_ids()
        new = self.part_ids() - compacted
        return compacted | {run for run in new if can_be_opened(self.part(run))}

    def failures(self) -> dict[str, dict[str, Any]]:
        """Return the last event of every run whose last event is a failure."""
        last: dict[str, dict[str, Any]] = {}
        for event in self.events():
            run = event.get("run")
            if run is not None:
                last.pop(run, None)
                if event.get("status") == "failed":
                    last[run] = event
        return last

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the journal's events; a line cut off by a crash is passed over."""
        path = self.path / _JOURNAL
        if not path.is_file():
            return
        with path.open("rb") as stream:
            for line in stream:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """Open the journal to append to it."""
        path = self.path / _JOURNAL
        with path.open("ab") as stream:
            if stream.tell() and not _ends_line(path):
                stream.write(b"\n")
            journal = Journal(stream)
            try:
                yield journal
            finally:
                journal.sync()

    def _check_free(self) -> None:
        if self.path.is_file():
            raise UserError("is a file, not a directory for results", file=self.path)
        if not self.path.is_dir() or self.exists:
            return
        foreign = sorted(entry.name for entry in self.path.iterdir() if entry.name not in _OWN)
        if foreign:
            raise UserError(
                f"holds '{foreign[0]}', which is not a file of a study, and is left alone",
                file=self.path,
                hint="choose another --out",
            )

    def _repair(self) -> None:
        """Put right what a killed study left: half-written files, a table folder half renamed."""
        old = self.tables.target.with_name(f".{_TABLES}.old")
        if old.is_dir() and not self.tables.target.exists():
            old.rename(self.tables.target)
        for partial in self.parts.glob(".*.partial"):
            partial.unlink(missing_ok=True)

    @contextmanager
    def _replacing(self, name: str) -> Iterator[Path]:
        made = self.path / f".{name}.new"
        yield made
        made.replace(self.path / name)


class Journal:
    """The end of the journal; see `Store.journal`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def append(self, event: Mapping[str, Any]) -> None:
        """Add one event with its time; it survives the death of this process."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps(plain({"at": at, **event}), ensure_ascii=False)
        self._stream.write(line.encode("utf-8", "surrogateescape") + b"\n")
        self._stream.flush()

    def sync(self) -> None:
        """Flush to disk, so that it survives the death of the machine."""
        self._stream.flush()
        os.fsync(self._stream.fileno())


def _writer(text: str) -> Any:
    return lambda stream: stream.write(text.encode())


def _ends_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
