"""The results of one run in one file: its tables as Parquet and its record as JSON, in a zip.

A part is named by its run, written beside its place and renamed, so that it is whole or not there.
A zip's directory stands at its end and holds a checksum of every member: a truncated file cannot
be opened, a damaged one is found when it is read. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.output import write_file
from evosim.record import plain
from evosim.tables import table_bytes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SUFFIX = ".zip"
_RECORD = "record.json"


class UnreadableError(Exception):
    """A part file is damaged."""


def write_part(
    folder: Path, run: str, tables: Mapping[str, pd.DataFrame], record: Mapping[str, Any]
) -> Path:
    """Write a run's tables and record, all or nothing.

    Parameters
    ----------
    folder : path
        Where the parts are.
    run : str
        The run's id.
    tables : mapping of str to DataFrame
    record : mapping
        Plain values.

    Returns
    -------
    path
        The part.
    """
    target = folder / f"{run}{SUFFIX}"
    partial = folder / f".{run}.{os.getpid()}.partial"
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as members:
        for name, frame in tables.items():
            members.writestr(f"{name}.parquet", table_bytes(frame))
        members.writestr(_RECORD, json.dumps(plain(record)))
    try:
        write_file(partial, lambda stream: stream.write(made.getbuffer()))
        partial.replace(target)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    return target


class Part:
    """One run's results, open for reading; use `open_part`."""

    def __init__(self, members: zipfile.ZipFile) -> None:
        self._members = members

    def record(self) -> dict[str, Any]:
        """Return what is known about how the run was done."""
        return dict(json.loads(self._members.read(_RECORD)))

    def table(self, name: str) -> pa.Table:
        """Return a table of the run as Arrow, without pandas' notes."""
        from pyarrow import parquet

        data = BytesIO(self._members.read(f"{name}.parquet"))
        return parquet.ParquetFile(data).read().replace_schema_metadata()

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table of the run."""
        from pyarrow import parquet

        data = BytesIO(self._members.read(f"{name}.parquet"))
        return parquet.ParquetFile(data).schema_arrow.remove_metadata()


@contextmanager
def open_part(path: Path) -> Iterator[Part]:
    """Open a part file.

    Raises
    ------
    UnreadableError
        It is damaged, here or where it is read.
    """
    import pyarrow as pa

    try:
        with zipfile.ZipFile(path) as members:
            yield Part(members)
    except (
        OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, pa.ArrowException,
    ) as error:  # fmt: skip
        raise UnreadableError(str(path)) from error


def can_be_opened(path: Path) -> bool:
    """Tell whether a part file has its end, without reading what it holds."""
    try:
        with zipfile.ZipFile(path) as members:
            return _RECORD in members.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
