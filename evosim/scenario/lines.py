"""The line on which each key of a TOML text stands (``tomllib`` gives none)."""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

Path = tuple[str | int, ...]

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BLANK = " \t"
_SPACE = " \t\r\n"


class KeyLines:
    """The lines of a TOML text's keys.

    Parameters
    ----------
    text : str
        A TOML text that ``tomllib`` accepts. Of any other text, as much is mapped as can be
        understood from its beginning.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> dict[Path, int]:
        """Read the text when the first mistake asks for a line: most files have none."""
        scanner = _Scanner(self._text)
        # Where the scanner gets lost, errors name the nearest line that is known.
        with suppress(_LostError, RecursionError):
            scanner.document()
        return scanner.lines

    def line(self, path: Sequence[str | int]) -> int | None:
        """Return the 1-based line of `path`, or of the nearest table that encloses it.

        Parameters
        ----------
        path : sequence of str or int
            Keys and list indices from the top, e.g. ``("context", 1, "frequency")``.

        Returns
        -------
        int or None
            None when nothing of the path stands in the text.
        """
        for length in range(len(path), 0, -1):
            found = self._lines.get(tuple(path[:length]))
            if found is not None:
                return found
        return None


class _LostError(Exception):
    """The text is not what the scanner expects here."""


class _Scanner:
    """One pass over a TOML text that notes where keys and list items begin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._breaks = [i for i, char in enumerate(text) if char == "\n"]
        self._counts: dict[Path, int] = {}

    def document(self) -> None:
        """Read everything: headers and key = value lines."""
        table: Path = ()
        while self._skip(_SPACE) < len(self.text):
            if self._next() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        start = self.at
        is_list = self.text.startswith("[[", self.at)
        self.at += 2 if is_list else 1
        parts = self._dotted()
        self._expect("]]" if is_list else "]")
        path: Path = ()
        for part in parts[:-1]:
            path = self._newest((*path, part))
            self._note(path, start)
        path = (*path, parts[-1])
        self._note(path, start)
        if is_list:
            self._counts[path] = self._counts.get(path, 0) + 1
        path = self._newest(path)
        self._note(path, start)
        return path

    def _newest(self, path: Path) -> Path:
        """Go into the last table of a list of tables."""
        count = self._counts.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, table: Path) -> None:
        start = self.at
        path = table
        for part in self._dotted():
            path = (*path, part)
            self._note(path, start)
        self._expect("=")
        self._value(path)

    def _dotted(self) -> list[str]:
        parts = [self._key()]
        while self._next() == ".":
            self.at += 1
            parts.append(self._key())
        return parts

    def _key(self) -> str:
        self._skip(_BLANK)
        start = self.at
        if self._next() in ('"', "'"):
            self._string()
            return _unquoted(self.text[start : self.at])
        while self.at < len(self.text) and self.text[self.at] in _BARE:
            self.at += 1
        if self.at == start:
            raise _LostError
        return self.text[start : self.at]

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        first = self._next()
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in ('"', "'"):
            self._string()
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\r\n":
                self.at += 1

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while True:
            self._skip(_SPACE)
            if self._next() == "]":
                self.at += 1
                return
            item = (*path, index)
            self._note(item, self.at)
            self._value(item)
            self._skip(_SPACE)
            if self._next() == ",":
                self.at += 1
            elif self._next() != "]":
                raise _LostError
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while True:
            self._skip(_SPACE)
            if self._next() == "}":
                self.at += 1
                return
            self._pair(path)
            self._skip(_SPACE)
            if self._next() == ",":
                self.at += 1
            elif self._next() != "}":
                raise _LostError

    def _string(self) -> None:
        quote = self.text[self.at]
        is_long = self.text.startswith(quote * 3, self.at)
        end = quote * 3 if is_long else quote
        self.at += len(end)
        while not self.text.startswith(end, self.at):
            if self.at >= len(self.text) or (not is_long and self.text[self.at] == "\n"):
                raise _LostError
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(end)
        # A long string may end in one or two quotes of its own before the closing three.
        while is_long and self.text.startswith(quote, self.at):
            self.at += 1

    def _skip(self, blanks: str) -> int:
        """Go past blanks, and past comments where a line may end; return the place."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#" and blanks is _SPACE:
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in blanks:
                self.at += 1
            else:
                break
        return self.at

    def _next(self) -> str:
        """Return the next character that is no blank, or '' at the end."""
        self._skip(_BLANK)
        return self.text[self.at : self.at + 1]

    def _expect(self, word: str) -> None:
        self._skip(_BLANK)
        if not self.text.startswith(word, self.at):
            raise _LostError
        self.at += len(word)

    def _note(self, path: Path, position: int) -> None:
        self.lines.setdefault(path, bisect_right(self._breaks, position - 1) + 1)


def _unquoted(key: str) -> str:
    """Return a quoted key's text."""
    try:
        return next(iter(tomllib.loads(f"{key} = 0")))
    except tomllib.TOMLDecodeError:
        raise _LostError from None
