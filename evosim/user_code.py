"""Functions written by users: what identifies them, and what is wrong with them in one line."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np

from evosim.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")

#: Packages whose versions the compile cache knows already.
_KNOWN = ("numpy", "numba", "math", "cmath", "builtins")

#: Arguments of each kernel function; letters are Numba types: v vector of float64, w of float32,
#: i integer, f float64, t table of float32.
SIGNATURES = {
    "step": (("parameters", "state", "action", "u"), "viif"),
    "logits": (("parameters", "genes", "cue", "out"), "vwww"),
    "fitness": (("parameters", "criterion", "out"), "vvv"),
    "birth": (("parameters", "genes", "cues", "memory"), "vwtv"),
    "prefer": (("parameters", "memory", "percept", "cues", "out"), "vvitv"),
    "observe": (
        ("parameters", "memory", "percept", "action", "reward", "following", "cues"),
        "vviifit",
    ),
}


def fingerprint(functions: Iterable[Callable[..., Any]]) -> bytes:
    """Hash what compiled code depends on: the functions, and all that they refer to.

    Values from enclosing functions, from other modules and from other notebook cells are
    compiled in as constants, so that a change of any of them must be another kernel.
    """
    digest = hashlib.sha256()
    seen: set[int] = set()
    for function in functions:
        _add(digest.update, function, (), seen)
    return digest.digest()


def _add(
    update: Callable[[bytes], None], value: Any, names: tuple[str, ...], seen: set[int]
) -> None:
    value = getattr(value, "py_func", value)
    if isinstance(value, FunctionType):
        if id(value.__code__) in seen or value.__module__.split(".")[0] in _KNOWN:
            return
        seen.add(id(value.__code__))
        _add_code(update, value.__code__)
        used = _names(value.__code__)
        for cell in value.__closure__ or ():
            _add(update, cell.cell_contents, used, seen)
        for default in value.__defaults__ or ():
            _add(update, default, used, seen)
        for name in used:
            if name in value.__globals__:
                _add(update, value.__globals__[name], used, seen)
    elif isinstance(value, ModuleType):
        if value.__name__.split(".")[0] not in _KNOWN:
            for name in names:
                _add(update, getattr(value, name, None), names, seen)
    elif isinstance(value, np.ndarray):
        update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, bool | int | float | complex | str | bytes | tuple | np.generic):
        update(repr(value).encode())


def _add_code(update: Callable[[bytes], None], code: CodeType) -> None:
    update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(update, constant)
        elif isinstance(constant, frozenset):  # its order differs from process to process
            update(repr(sorted(map(repr, constant))).encode())
        else:
            update(repr(constant).encode())


def _names(code: CodeType) -> tuple[str, ...]:
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _names(c)]
    return (*code.co_names, *inner)


def check_arguments(role: str, kind: str, name: str, function: Any) -> None:
    """Refuse a kernel function with another number of arguments.

    Raises
    ------
    UserError
    """
    wanted, _ = SIGNATURES[name]
    function = getattr(function, "py_func", function)
    if not isinstance(function, FunctionType):
        raise UserError(f"{role} '{kind}': {name} is not a function")
    if function.__code__.co_argcount != len(wanted):
        raise UserError(
            f"{role} '{kind}': {name} takes {function.__code__.co_argcount} arguments",
            file=function.__code__.co_filename,
            line=function.__code__.co_firstlineno,
            allowed=f"{len(wanted)}: {', '.join(wanted)}",
        )


def in_one_line(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], T]:
    """Let a method of an engine raise one line where a user's function cannot work.

    Numba's own message is a hundred lines about the inside of this program.
    """

    @functools.wraps(method)
    def wrapped(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except UserError:
            raise
        except Exception as error:  # Numba raises many kinds; only users' mistakes are rewritten
            plain = explain(error, self.user_functions())
            if plain is None:
                raise
            raise plain from error

    return cast(Callable[Concatenate[Any, P], T], wrapped)


def explain(
    error: Exception, functions: Iterable[tuple[str, str, dict[str, Callable[..., Any]]]]
) -> UserError | None:
    """Return the error of the user's function behind `error`, or None if none is to blame.

    Parameters
    ----------
    functions : iterable of (role, kind, functions by name)
    """
    for role, kind, by_name in functions:
        for name, function in by_name.items():
            written = cast(FunctionType, getattr(function, "py_func", function))
            code = written.__code__
            line, problem = code.co_firstlineno, ""
            if isinstance(error, IndexError):
                problem = str(error) if str(error).startswith(f"{name} ") else ""
            else:
                line, problem = _does_not_compile(name, written)
            if problem:
                return UserError(f"{role} '{kind}': {problem}", file=code.co_filename, line=line)
    return None


def _does_not_compile(name: str, function: FunctionType) -> tuple[int, str]:
    """Compile the function by itself and return (line, what is wrong), or (line, "")."""
    import numba
    from numba import types

    letters: dict[str, Any] = {
        "v": types.Array(types.float64, 1, "C"),
        "w": types.Array(types.float32, 1, "C"),
        "i": types.int64,
        "f": types.float64,
        "t": types.Array(types.float32, 2, "C"),
    }
    code = function.__code__
    compiled = numba.njit(error_model="numpy")(function)
    try:
        compiled.compile(tuple(letters[c] for c in SIGNATURES[name][1]))
    except Exception as error:
        return _line_in(str(error), code), f"{name} cannot be compiled: {_reason(str(error))}"
    given = compiled.nopython_signatures[0].return_type
    if name == "step" and not (isinstance(given, types.BaseTuple) and len(given) == 4):
        return code.co_firstlineno, "step must return (state, payoff, reward, ends)"
    if name == "observe" and not isinstance(given, types.Number | types.Boolean):
        return code.co_firstlineno, "observe must return how much was learned, a number"
    return code.co_firstlineno, ""


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith("Failed in nopython mode")]
    about = next((line for line in said if line.startswith(">>>")), "")
    if said and said[0].endswith(":") and about:
        return f"{said[0]} {about.removeprefix('>>> ')}"
    return said[0] if said else "Numba gives no reason"


def _line_in(text: str, code: CodeType) -> int:
    """Return the last line of the function that Numba's message names, else its first."""
    file = re.escape(Path(code.co_filename).name)
    numbers = [int(n) for n in re.findall(rf'{file}", line (\d+)', text)]
    lines = {line for _, _, line in code.co_lines() if line}
    inside = [n for n in numbers if n in lines]
    return inside[-1] if inside else code.co_firstlineno
