"""An output directory that is either whole or not there: lock, write beside it, rename.

A run reserves its directory before it computes anything, so that a wrong path, a directory in
use or missing rights end the run in its first second. Everything is written into a hidden
sibling (same file system, so a rename moves it), flushed to disk and renamed in one step.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evosim.errors import UserError

#: The file that makes a directory one of ours; written last.
RECORD = "run.json"
#: The file of a checkpoint that says what else of it counts; replaced last.
CHECKPOINT_HEAD = "head.json"

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Reserved:
    """A directory under construction.

    Parameters
    ----------
    target : path
        Where it will stand (absolute, links resolved); what stands there is replaced.

    Attributes
    ----------
    partial : path
        Where it is written.
    unfinished : path
        The folder of the checkpoint of a run that will stand there.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.partial = target.with_name(f".{target.name}.partial")
        self.unfinished = unfinished_of(target)
        self._old = target.with_name(f".{target.name}.old")

    @property
    def begun(self) -> bool:
        """Whether the checkpoint of an interrupted run stands."""
        return (self.unfinished / CHECKPOINT_HEAD).is_file()

    def open(self) -> None:
        """Create the empty sibling; repair what a killed run left behind."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if self._old.is_dir() and not self.target.exists():
            self._old.rename(self.target)
        _remove(self._old)
        _remove(self.partial)
        self.partial.mkdir()

    def commit(self) -> Path:
        """Put the sibling in the target's place; old results go only once the new ones stand.

        Returns
        -------
        path
            The finished directory.
        """
        with user_errors(self.target):
            sync_directory(self.partial)
            try:
                if self.target.exists():
                    self.target.rename(self._old)
                self.partial.rename(self.target)
            except BaseException:
                if self._old.exists() and not self.target.exists():
                    self._old.rename(self.target)
                raise
            sync_directory(self.target.parent)
            _remove(self._old)
        return self.target

    def close(self) -> None:
        """Remove the sibling if it was not committed."""
        _remove(self.partial)


def unfinished_of(target: Path) -> Path:
    """Return the folder of the checkpoint of the run whose results will stand in `target`."""
    return target.with_name(f".{target.name}.checkpoint")


@contextmanager
def reserve(
    directory: str | Path,
    *,
    overwrite: bool = False,
    own: Collection[str] = (),
    resume: bool = False,
) -> Iterator[Reserved]:
    """Reserve an output directory for one run.

    Parameters
    ----------
    directory : path
        Where the results will stand. It may be missing or empty, or hold earlier results.
    overwrite : bool
        Whether earlier results may be replaced.
    own : collection of str
        Names of the entries that evosim writes; others are never deleted.
    resume : bool
        Whether a run that was interrupted here goes on. Results are then no error: beside a
        checkpoint they may be replaced, for it was begun with leave to do so; whether they are
        this run's own is for the caller to see.

    Yields
    ------
    Reserved
        Write into its ``partial`` folder, then call ``commit()``.

    Raises
    ------
    UserError
        The directory holds results (without `overwrite`) or foreign files, is a file, is the
        current directory, is in use by another run, or cannot be written; or an interrupted
        run would be lost (without `overwrite` or `resume`).
    """
    target = Path(directory).expanduser().resolve()
    reserved = Reserved(target)
    with _lock(target):
        with user_errors(target):
            begun = reserved.begun
            _check_target(target, overwrite or resume, own)
            if begun and not (overwrite or resume):
                raise UserError(
                    "an interrupted run can go on here",
                    file=target,
                    hint="say --resume to go on or --overwrite to start again",
                )
            if not (begun and resume):
                remove_checkpoint(reserved.unfinished)
            reserved.open()
        try:
            yield reserved
        finally:
            reserved.close()


@contextmanager
def user_errors(path: Path, *, kept: str = "nothing was kept") -> Iterator[None]:
    """Turn a full disk, missing rights and the like into one line.

    Parameters
    ----------
    path : path
        Where it happens.
    kept : str
        What a full disk leaves behind.

    Raises
    ------
    UserError
        In place of any OSError that names a cause (`errno`).
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        where = Path(os.fsdecode(error.filename)) if error.filename else path
        if error.errno in DISK_FULL:
            free = _free_bytes(path)
            raise UserError(
                f"the disk is full ({free / 1e6:.0f} MB free); {kept}",
                file=path,
                hint="free some space or choose another --out",
            ) from error
        raise UserError(f"cannot write: {os.strerror(error.errno)}", file=where) from error


def write_file(path: Path, writer: Callable[[BinaryIO], object]) -> None:
    """Write one file through `writer` and flush it to disk."""
    with path.open("wb") as stream:
        writer(stream)
        stream.flush()
        os.fsync(stream.fileno())


def _check_target(target: Path, overwrite: bool, own: Collection[str]) -> None:
    if target.is_file():
        raise UserError("is a file, not a directory for results", file=target)
    if not target.exists():
        return
    if target == Path.cwd() or target in Path.cwd().parents:
        raise UserError(
            "the output directory is the current directory or holds it",
            file=target,
            hint="give --out the name of a new directory",
        )
    entries = sorted(entry.name for entry in target.iterdir())
    foreign = [name for name in entries if name not in own]
    if foreign:
        raise UserError(
            f"holds '{foreign[0]}', which is not a file of a run, and is left alone",
            file=target,
            hint="choose another --out",
        )
    if entries and not overwrite:
        raise UserError(
            "already holds results", file=target, hint="say --overwrite or choose another --out"
        )


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    folder = cache_directory() / "locks"
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:32]
    with user_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                "is in use by another run", file=target, hint="wait for it or choose another --out"
            ) from None
    try:
        yield
    finally:
        lock.release()


def cache_directory() -> Path:
    """Return the folder for locks and compiled kernels (``EVOSIM_CACHE_DIR`` overrides it)."""
    given = os.environ.get("EVOSIM_CACHE_DIR")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("evosim"))


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; its head goes first, so that half of it never counts."""
    (folder / CHECKPOINT_HEAD).unlink(missing_ok=True)
    _remove(folder)


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def sync_directory(directory: Path) -> None:
    """Flush a folder's entries to disk, where the system can (Windows cannot)."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_bytes(path: Path) -> int:
    existing = next(p for p in (path, *path.parents) if p.exists())
    return shutil.disk_usage(existing).free
