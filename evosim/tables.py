"""The files of a run directory: tables as Parquet, final genomes as npz, byte for byte the same.

Parquet stores values but not which of them pandas held as nullable; a short note in the file's
metadata keeps that, and nothing in it varies from run to run. Nothing read back is unpickled.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from evosim.errors import UserError
from evosim.output import write_file

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_DTYPES = b"evosim.dtypes"
ROWS_PER_GROUP = 1 << 17


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet, without its index.

    Parameters
    ----------
    path : path
        The file to create.
    frame : DataFrame
        Tidy: one row per observation, one column per measure.
    """
    write_file(path, lambda stream: _write_parquet(stream, frame))


def table_bytes(frame: pd.DataFrame) -> bytes:
    """Return what `write_table` would write."""
    stream = BytesIO()
    _write_parquet(stream, frame)
    return stream.getvalue()


def _write_parquet(stream: BinaryIO, frame: pd.DataFrame) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(frame, preserve_index=False, nthreads=1)
    dtypes = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    table = table.replace_schema_metadata({_DTYPES: json.dumps(dtypes).encode()})
    parquet.write_table(
        table,
        stream,
        compression="zstd",
        version="2.6",
        row_group_size=ROWS_PER_GROUP,
        store_schema=True,
    )


def read_table(path: Path) -> pd.DataFrame:
    """Read a table with the dtypes it was written with.

    Parameters
    ----------
    path : path
        A file of `write_table`.

    Returns
    -------
    DataFrame
        Equal to the one written.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path).read()
        dtypes = json.loads((table.schema.metadata or {}).get(_DTYPES, b"{}"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise damaged(path, error) from error
    frame: pd.DataFrame = table.to_pandas()
    for name, dtype in dtypes.items():
        if str(frame[name].dtype) != dtype:
            frame[name] = frame[name].astype(dtype)
    return frame


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write named arrays as npz; arrays of Python objects are refused, never pickled."""
    import numpy as np

    write_file(path, lambda stream: np.savez(stream, allow_pickle=False, **arrays))


class StoredArrays(Mapping[str, "np.ndarray[Any, Any]"]):
    """The arrays of an npz file, read when asked for.

    Parameters
    ----------
    path : path
        A file of `write_arrays`.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._members() as members:
            self._names = [name.removesuffix(".npy") for name in members.namelist()]

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        from numpy.lib import format as npy

        if name not in self._names:
            raise KeyError(name)
        with self._members() as members, members.open(f"{name}.npy") as stream:
            array: np.ndarray[Any, Any] = npy.read_array(stream, allow_pickle=False)
            return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"StoredArrays({str(self.path)!r}, {len(self)} arrays)"

    @contextmanager
    def _members(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as members:
                yield members
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise damaged(self.path, error) from error


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as dicts by column name; what is missing becomes None."""
    cells = frame.astype(object)
    rows = cells.where(cells.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def damaged(path: Path, error: Exception | None = None) -> UserError:
    """Return the error for a result file that cannot be read."""
    if not path.exists():
        return UserError("is missing from the results", file=path, hint="run the scenario again")
    detail = f" ({error})" if error is not None and str(error) else ""
    return UserError(
        f"is damaged and cannot be read{detail}", file=path, hint="run the scenario again"
    )
