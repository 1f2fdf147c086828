"""From a file's bytes to a validated model, with every mistake in one line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evosim.errors import UserError
from evosim.scenario.explain import user_error
from evosim.scenario.keys import find_path
from evosim.scenario.kinds import check_kinds
from evosim.scenario.lines import KeyLines
from evosim.scenario.model import ScenarioModel

_LINE = re.compile(r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
#: A line that may begin a study's design: a header or a key, bare or in quotes.
_DESIGN = re.compile(r"""^[ \t]*\[?[ \t]*["']?design""", re.MULTILINE)
#: No scenario comes near; a wrong file (a table of results, a disk image) does.
_MOST_BYTES = 10_000_000


def read_text(path: str | Path) -> str:
    """Return a scenario file's text.

    Raises
    ------
    UserError
        There is no such file, it cannot be read, or it is no text.
    """
    try:
        path = Path(path)
        if path.is_dir():
            raise UserError("is a directory, not a scenario file", file=path)
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"larger than {_MOST_BYTES} bytes: no scenario file", file=path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError("no such file", file=path) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", file=path) from None
    except (TypeError, ValueError):  # e.g. a null character in the name
        raise UserError(f"not a file name: {path!r}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError("not UTF-8 text", file=path, line=line) from None


def parse(text: str, file: Path | None = None) -> dict[str, Any]:
    """Return the data of a TOML text.

    Raises
    ------
    UserError
        The text is no TOML; with the line.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UserError("nested too deeply", file=file) from None
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        match = _LINE.match(str(error))
        if match is None:
            raise UserError(f"not valid TOML: {error}", file=file) from None
        line = int(match["line"]) if match["line"] else text.count("\n") + 1
        what = match["what"][:1].lower() + match["what"][1:]
        raise UserError(f"not valid TOML: {what}", file=file, line=line) from None


def validate(
    data: Any, *, file: Path | None = None, lines: KeyLines | None = None
) -> ScenarioModel:
    """Return the frozen model of a scenario's data; types are not converted silently.

    Tables are read in the order of their keys' names: TOML gives the order of keys in a table
    no meaning, so it must not change which locus or cue comes first.

    Raises
    ------
    UserError
        The first thing that the models do not allow.
    """
    if not isinstance(data, Mapping):
        raise UserError("a scenario is a table of keys", file=file)
    try:
        check_kinds(data)
        return ScenarioModel.model_validate(in_order(data), strict=True)
    except ValidationError as error:
        raise user_error(error, data, file=file, lines=lines) from None
    except UserError as error:
        raise placed(error, data, file=file, lines=lines) from None
    except RecursionError:
        raise UserError("nested too deeply", file=file) from None


def placed(
    error: UserError, data: Any, *, file: Path | None = None, lines: KeyLines | None = None
) -> UserError:
    """Return `error` with its file, and the line of its key."""
    line = lines.line(find_path(error.key, data)) if lines and error.key else None
    return error.located(file, line)


def in_order(data: Any) -> Any:
    """Return a copy of nested tables and lists with the keys of every table sorted."""
    if isinstance(data, str | int | float):  # most are; a Mapping takes Python long to tell
        return data
    if isinstance(data, Mapping):
        return {key: in_order(data[key]) for key in sorted(data, key=str)}
    if isinstance(data, list | tuple):
        return [in_order(item) for item in data]
    return data


def is_study(text: str) -> bool:
    """Tell a study file's text from a scenario's by the keys that only a study has."""
    if not _DESIGN.search(text):  # most scenarios need no reading for it
        return False
    try:
        data = parse(text)
    except UserError:
        return False
    return "design" in data and isinstance(data.get("scenario"), str)
