"""Tables and arrays come back as they were written, byte for byte the same each time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from evosim.errors import UserError
from evosim.tables import StoredArrays, read_table, write_arrays, write_table


def frame():
    return pd.DataFrame(
        {
            "arm": ["rho [frequency=0.05]", "é"],
            "replicate": [0, 1],
            "payoff": [0.1, np.nan],
            "assay.x": pd.array([None, 0.5], dtype="Float64"),
            "more": pd.array([None, 3], dtype="Int64"),
            "extinct": [True, False],
            "context": ["a", "b"],
            "note": [None, "late"],
        }
    )


@pytest.mark.parametrize("rows", [0, 2])
def test_a_table_reads_back_equal(tmp_path, rows):
    table = frame().iloc[:rows]
    write_table(tmp_path / "t.parquet", table)
    assert_frame_equal(read_table(tmp_path / "t.parquet"), table)


def test_the_bytes_depend_on_the_values_only(tmp_path):
    write_table(tmp_path / "a", frame())
    write_table(tmp_path / "b", frame().set_index(pd.Index([7, 9])))
    write_table(tmp_path / "c", frame().assign(replicate=[1, 1]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()
    assert b"pandas_version" not in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text"])
def test_a_damaged_table_is_named(tmp_path, damage):
    path = tmp_path / "t.parquet"
    write_table(path, frame())
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"empty": b"", "cut": whole[:-40], "text": b"hello" * 50}[damage])
    with pytest.raises(UserError, match=r"t\.parquet: is (missing|damaged)"):
        read_table(path)


def test_arrays_read_back_equal_one_at_a_time(tmp_path):
    arrays = {"a/genome": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "a/bits": np.eye(2) > 0}
    write_arrays(tmp_path / "p.npz", arrays)
    stored = StoredArrays(tmp_path / "p.npz")
    assert list(stored) == list(arrays)
    assert len(stored) == 2
    for name, array in arrays.items():
        np.testing.assert_array_equal(stored[name], array, strict=True)
    with pytest.raises(KeyError):
        stored["b/genome"]


def test_array_files_have_the_same_bytes(tmp_path):
    for name in "ab":
        write_arrays(tmp_path / name, {"x": np.arange(3)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_objects_are_neither_pickled_nor_unpickled(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "p.npz", {"x": np.array([{}], dtype=object)})
    np.savez(tmp_path / "q.npz", x=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="damaged"):
        StoredArrays(tmp_path / "q.npz")["x"]


def test_damaged_arrays_are_named(tmp_path):
    path = tmp_path / "p.npz"
    with pytest.raises(UserError, match=r"p\.npz: is missing"):
        StoredArrays(path)
    write_arrays(path, {"x": np.arange(100)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(UserError, match=r"p\.npz: is damaged"):
        StoredArrays(path)
    path.write_bytes(whole[:200] + bytes(50) + whole[250:])
    with pytest.raises(UserError, match=r"p\.npz: is damaged"):
        StoredArrays(path)["x"]
