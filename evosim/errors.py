"""Errors that a user can mend: one line, exit code 2, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(Exception):
    """A mistake in what the user gave: file, line, key, what is allowed, a suggestion.

    Parameters
    ----------
    message : str
        What is wrong, in one line.
    file : path, optional
        The file that holds the mistake.
    line : int, optional
        1-based line in `file`.
    key : str, optional
        Dotted key, e.g. ``context.coin left.frequency``.
    allowed : str, optional
        What would be accepted.
    hint : str, optional
        A suggestion, e.g. the closest valid name.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        key: str | None = None,
        allowed: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = " ".join(message.split())
        self.file = Path(file) if file is not None else None
        self.line = line
        self.key = key
        self.allowed = allowed
        self.hint = hint
        super().__init__(self.one_line())

    def one_line(self) -> str:
        """Return the whole error as one line of text."""
        where = ""
        if self.file is not None:
            where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        text = where + (f"{self.key}: " if self.key else "") + self.message
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f"; {self.hint}"
        return text

    def __str__(self) -> str:
        return self.one_line()

    def located(
        self, file: str | Path | None, line: int | None, key: str | None = None
    ) -> UserError:
        """Return the same error with its place filled in where it was unknown."""
        return type(self)(
            self.message,
            file=self.file or file,
            line=self.line or line,
            key=self.key or key,
            allowed=self.allowed,
            hint=self.hint,
        )


class MissingExtraError(UserError):
    """What was asked for needs a package that is not installed with evosim itself."""


def missing_extra(package: str, extra: str, key: str | None = None) -> MissingExtraError:
    """Return the error for a package of the extra ``evosim[extra]`` that is not installed."""
    return MissingExtraError(
        f"needs the package {package}", key=key, hint=f"pip install 'evosim[{extra}]'"
    )


class EngineError(UserError):
    """A run met a state that no valid model reaches (e.g. negative fitness)."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM), so that temporary files are removed first."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the closest of `known`, or None."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else None
