"""An output directory is whole or not there, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evosim.errors import UserError
from evosim.output import RECORD, reserve, user_errors, write_file

OWN = {RECORD, "table.parquet"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVOSIM_CACHE_DIR", str(tmp_path / "cache"))


def fill(reserved, text="new"):
    write_file(reserved.partial / RECORD, lambda stream: stream.write(text.encode()))


def fail(target, error):
    with reserve(target, overwrite=True, own=OWN) as reserved:
        fill(reserved)
        raise error


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


def test_a_committed_directory_stands_alone(tmp_path):
    with reserve(tmp_path / "deep" / "run", own=OWN) as reserved:
        fill(reserved)
        assert not reserved.target.exists()
        assert reserved.commit() == tmp_path / "deep" / "run"
    assert names(tmp_path / "deep") == ["run"]
    assert (tmp_path / "deep" / "run" / RECORD).read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_stays_of_a_run_that_ends_early(tmp_path, error):
    with pytest.raises(error):
        fail(tmp_path / "run", error)
    assert names(tmp_path) == []


def test_results_are_replaced_only_when_asked_and_only_at_the_end(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    (target / RECORD).write_text("old")
    with pytest.raises(UserError, match=r"already holds results.*--overwrite"):
        reserve(target, own=OWN).__enter__()
    with pytest.raises(RuntimeError):
        fail(target, RuntimeError)
    assert (target / RECORD).read_text() == "old"
    with reserve(target, overwrite=True, own=OWN) as reserved:
        fill(reserved)
        assert (target / RECORD).read_text() == "old"
        reserved.commit()
    assert (target / RECORD).read_text() == "new"
    assert names(tmp_path) == ["run"]


def test_a_failed_swap_brings_the_old_results_back(tmp_path, monkeypatch):
    target = tmp_path / "run"
    target.mkdir()
    (target / RECORD).write_text("old")
    with reserve(target, overwrite=True, own=OWN) as reserved:
        rename = Path.rename

        def failing(path, target):
            if path == reserved.partial:
                raise OSError(errno.EIO, "the disk has gone")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(UserError, match="Input/output error"):
            reserved.commit()
    assert (target / RECORD).read_text() == "old"


def test_what_a_killed_run_left_is_repaired(tmp_path):
    old = tmp_path / ".run.old"
    old.mkdir()
    (old / RECORD).write_text("old")
    (tmp_path / ".run.partial").mkdir()
    (tmp_path / ".run.partial" / "half").touch()
    with reserve(tmp_path / "run", overwrite=True, own=OWN) as reserved:
        assert (tmp_path / "run" / RECORD).read_text() == "old"
        assert list(reserved.partial.iterdir()) == []
    assert names(tmp_path) == ["run"]


def test_foreign_files_are_never_deleted(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    (target / RECORD).touch()
    (target / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"thesis\.tex"):
        reserve(target, overwrite=True, own=OWN).__enter__()
    assert names(target) == [RECORD, "thesis.tex"]


def test_an_empty_directory_may_be_used_but_not_the_current_one(tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    with reserve(empty, own=OWN) as reserved:
        fill(reserved)
        reserved.commit()
    assert names(empty) == [RECORD]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in (".", ".."):
        with pytest.raises(UserError, match="current directory"):
            reserve(place, own=OWN).__enter__()


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(UserError, match="is a file"):
        reserve(tmp_path / "run", own=OWN).__enter__()


def test_another_process_in_the_same_directory_is_told(tmp_path):
    code = (
        "import sys\nfrom evosim.errors import UserError\nfrom evosim.output import reserve\n"
        "try:\n    reserve(sys.argv[1]).__enter__()\n"
        "except UserError as error:\n    print(error)\n"
    )
    with reserve(tmp_path / "run", own=OWN):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "run")],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "is in use by another run" in done.stdout
    with reserve(tmp_path / "run", own=OWN):
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line(tmp_path, code):
    with pytest.raises(UserError, match=r"the disk is full \(\d+ MB free\)"), user_errors(tmp_path):
        raise OSError(code, os.strerror(code))


def test_a_device_that_is_really_full_is_one_line(tmp_path):
    full = tmp_path / "table.parquet"
    full.symlink_to("/dev/full")
    with pytest.raises(UserError, match="the disk is full"), user_errors(tmp_path):
        write_file(full, lambda stream: stream.write(b"data"))


def test_missing_rights_are_one_line(tmp_path):
    denied = OSError(errno.EACCES, "denied", str(tmp_path / "x"))
    message = "x: cannot write: Permission denied"
    with pytest.raises(UserError, match=message), user_errors(tmp_path):
        raise denied
