"""Put the parts of a study together: one table of each kind, rows in the order of the plan.

Two passes, one run in memory at a time: the first reads every part to the last byte and joins the
columns, the second writes. Row groups are cut at fixed rows, so that the tables are the same byte
for byte however the study was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.output import user_errors
from evosim.studies.parts import UnreadableError, open_part
from evosim.studies.store import RECORDS, Store
from evosim.tables import ROWS_PER_GROUP

if TYPE_CHECKING:
    import pyarrow as pa


def compact(store: Store, runs: Sequence[str], names: Sequence[str]) -> list[str]:
    """Move all parts into the compacted tables.

    Parameters
    ----------
    store : Store
        Locked.
    runs : sequence of str
        The plan's ids, in order.
    names : sequence of str
        The tables that the study keeps.

    Returns
    -------
    list of str
        Runs whose parts cannot be read. Where there are any, their parts are removed and nothing
        is compacted.
    """
    parts = store.part_ids() & set(runs)
    if not parts:
        return []
    compacted = store.compacted_ids()
    schemas: dict[str, pa.Schema] = {}
    bad = []
    for run in runs:
        if run in parts - compacted:
            try:
                _join_schemas(store, run, names, schemas)
            except UnreadableError:
                bad.append(run)
    for run in bad:
        store.part(run).unlink()
    if bad:
        return bad
    with user_errors(store.path, kept="finished runs are kept"):
        store.tables.open()
        try:
            for name in (*names, RECORDS):
                _write(store, name, runs, parts - compacted, schemas.get(name))
            store.tables.commit()
        finally:
            store.tables.close()
        for run in parts:
            store.part(run).unlink(missing_ok=True)
    return []


def rows_of(store: Store, name: str, run: str) -> pa.Table:
    """Return a run's rows of a table from its part, with the column `run` in front."""
    with open_part(store.part(run)) as part:
        table = _record_table(part.record()) if name == RECORDS else part.table(name)
    return _with_run(table, run)


def _join_schemas(
    store: Store, run: str, names: Sequence[str], schemas: dict[str, pa.Schema]
) -> None:
    with open_part(store.part(run)) as part:
        found = {name: part.table(name).schema for name in names}
        found[RECORDS] = _record_table(part.record()).schema
    for name, schema in found.items():
        known = schemas.get(name)
        # Nearly always the same columns: joining them costs far more than comparing.
        if known is None or not known.equals(schema):
            schemas[name] = unify([s for s in (known, schema) if s is not None])


def unify(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return the columns of all, each with a type that holds all its values."""
    import pyarrow as pa

    return pa.unify_schemas(list(schemas), promote_options="permissive")


def fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with the columns of `schema`, missing ones empty."""
    import pyarrow as pa

    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _record_table(record: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: [value] for name, value in record.items() if name != "run"})


def _with_run(table: pa.Table, run: str) -> pa.Table:
    import pyarrow as pa

    return table.add_column(0, "run", pa.repeat(pa.scalar(run), table.num_rows))


def _write(
    store: Store, name: str, runs: Iterable[str], parts: set[str], schema: pa.Schema | None
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    earlier = store.table_path(name)
    schemas = [pa.schema([("run", pa.string())])]
    if earlier.is_file():
        schemas.append(parquet.read_schema(earlier).remove_metadata())
    if schema is not None:
        schemas.append(schema)
    whole = unify(schemas)
    old = _Merged(earlier)
    with parquet.ParquetWriter(
        store.tables.partial / earlier.name, whole, compression="zstd", version="2.6"
    ) as writer:
        buffer = _Buffer(writer, whole)
        for run in runs:
            if run in parts:
                buffer.add(rows_of(store, name, run))
            else:
                for table in old.take(run):
                    buffer.add(table)
        buffer.flush()


class _Buffer:
    """Cuts rows into row groups of one size."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        self._waiting.append(fitted(table, self._schema))
        self._rows += table.num_rows
        while self._rows >= ROWS_PER_GROUP:
            self._write(ROWS_PER_GROUP)

    def flush(self) -> None:
        if self._rows:
            self._write(self._rows)

    def _write(self, rows: int) -> None:
        import pyarrow as pa

        joined = pa.concat_tables(self._waiting)
        self._writer.write_table(joined.slice(0, rows).combine_chunks(), row_group_size=rows)
        self._waiting = [joined.slice(rows)]
        self._rows -= rows


class _Merged:
    """The rows of an earlier compacted table, handed out run by run in its own order."""

    def __init__(self, path: Path) -> None:
        self._pieces = self._read(path) if path.is_file() else iter(())
        self._next: tuple[str, pa.Table] | None = next(self._pieces, None)

    def take(self, run: str) -> Iterator[pa.Table]:
        while self._next is not None and self._next[0] == run:
            yield self._next[1]
            self._next = next(self._pieces, None)

    @staticmethod
    def _read(path: Path) -> Iterator[tuple[str, pa.Table]]:
        """Yield stretches of rows of one run."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import parquet

        file = parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            codes = table["run"].combine_chunks().dictionary_encode()
            index = codes.indices.to_numpy()
            starts = np.flatnonzero(np.diff(index, prepend=-1))
            ends = [*starts[1:], index.size]
            for start, end in zip(starts, ends, strict=True):
                run = codes.dictionary[int(index[start])].as_py()
                yield run, pa.Table.slice(table, int(start), int(end - start))
