"""Worlds, minds and selection schemes written by users, at the speed of the built-in ones.

A class with a few functions, registered by a decorator, is named in a scenario by its `kind`.
The functions marked *kernel* are compiled into the same fused loops as the built-in ones (see
`evosim.kernels.tags`); they may use arithmetic, `math`, local variables, array elements and
other functions compiled with `numba.njit`, but no Python objects.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosim.errors import UserError, did_you_mean
from evosim.user_code import check_arguments, fingerprint


@dataclass(frozen=True)
class Entry:
    """A registered class and the hash of the file it was written in."""

    role: str
    kind: str
    cls: type
    digest: str


_ENTRIES: dict[tuple[str, str], Entry] = {}
_LOADED: dict[str, bool] = {"entry points": False}

#: What a class of each role must define.
REQUIRED = {
    "world": ("states", "actions", "cues", "parameters", "start", "cue", "step"),
    "mind": ("parameters", "loci", "logits"),
    "selection": ("parameters", "fitness"),
}
#: What a mind that changes during life must define instead.
LEARNER = ("parameters", "loci", "memory", "birth", "prefer", "observe")
#: The function of each role that is compiled into the loop.
KERNEL = {"world": "step", "mind": "logits", "selection": "fitness"}
#: Names by which scenarios or kernels know what is built in.
BUILT_IN = {
    "world": (
        "grid",
        "chain",
        "bandit",
        "graph",
        "siege",
        "gymnasium",
        "landscape",
        "tabular",
    ),
    "mind": (
        "reflex",
        "model-free",
        "lookahead",
        "abstract",
        "reflective",
        "linear",
        "mlp",
        "none",
        "reinforce",
        "cross",
    ),
    "selection": ("wright-fisher", "moran", "truncation", "tournament", "density", "replay"),
}


def _register(role: str, kind: str) -> Callable[[type], type]:
    def decorate(cls: type) -> type:
        if kind in BUILT_IN[role]:
            raise UserError(
                f"{role} '{kind}' ({cls.__qualname__}) has the name of a built-in one",
                allowed=f"any name but {', '.join(BUILT_IN[role])}",
            )
        learner = role == "mind" and learns(cls)
        required = LEARNER if learner else REQUIRED[role]
        missing = [name for name in required if not hasattr(cls, name)]
        if missing:
            raise UserError(
                f"{role} '{kind}' ({cls.__qualname__}) lacks {', '.join(missing)}",
                allowed=", ".join(required),
            )
        names = ("birth", "prefer", "observe") if learner else (KERNEL[role],)
        functions = [getattr(cls, name) for name in names]
        for name, function in zip(names, functions, strict=True):
            check_arguments(role, kind, name, function)
        _ENTRIES[role, kind] = Entry(role, kind, cls, _digest(cls, functions))
        return cls

    return decorate


def learns(cls: type) -> bool:
    """Tell whether a registered mind changes during life."""
    return hasattr(cls, "observe")


def _digest(cls: type, functions: list[Callable[..., Any]]) -> str:
    try:
        text = Path(inspect.getfile(cls)).read_bytes()
    except (OSError, TypeError):
        text = b""  # typed in at a prompt: the fingerprint alone has to tell
    # Compiled code asks for its module by name when it is loaded.
    name = f"{cls.__module__}.{cls.__qualname__}".encode()
    return hashlib.sha256(text + name + fingerprint(functions)).hexdigest()[:16]


def world(kind: str) -> Callable[[type], type]:
    """Register a world class under `kind`.

    The class defines ``states`` (int), ``actions``, ``cues`` (tuples of names), ``parameters``
    (dict of name -> default) and the static functions ``start(parameters) -> state``,
    ``cue(parameters, state) -> sequence of float`` (both called once, in Python, with a dict)
    and the *kernel* ``step(parameters, state, action, u) -> (state, payoff, reward, ends)``,
    where `parameters` is a float64 array in the order of the dict and `u` a uniform draw.
    """
    return _register("world", kind)


def mind(kind: str) -> Callable[[type], type]:
    """Register a mind class under `kind`.

    The class defines ``parameters`` (dict of name -> default), the static function
    ``loci(actions, cues) -> int`` (length of the gene `policy`) and the *kernel*
    ``logits(parameters, genes, cue, out)``, which writes one logit (two actions) or one per
    action into `out`, given the policy's loci and the cues of one percept (float32 arrays).

    A mind that changes during life defines, instead of ``logits``, ``memory(actions, percepts)
    -> int`` (how many numbers an agent remembers) and the *kernels* ``birth(parameters, genes,
    cues, memory)``, ``prefer(parameters, memory, percept, cues, out)`` (probabilities of the
    actions) and ``observe(parameters, memory, percept, action, reward, following, cues)``, which
    learns from a step and returns how much it changed (0.0 for not at all). `memory` is a
    float64 array of the agent's own, all 0 before its birth, `cues` a (cues, percepts) table,
    `following` the next percept or -1 where the episode ends. Until `observe` returns something
    else than 0 the probabilities at a percept are asked for only once.
    """
    return _register("mind", kind)


def selection(kind: str) -> Callable[[type], type]:
    """Register a selection scheme under `kind`.

    The class defines ``parameters`` (dict of name -> default) and the *kernel*
    ``fitness(parameters, criterion, out)``, which turns the criteria of one replicate's agents
    (float64 array) into fitness, >= 0; parents are then drawn in proportion to it.
    """
    return _register("selection", kind)


def load_entry_points() -> None:
    """Import the modules named by installed packages in the entry point group `evosim`."""
    if _LOADED["entry points"]:
        return
    _LOADED["entry points"] = True
    from importlib.metadata import entry_points

    for point in entry_points(group="evosim"):
        point.load()


def kinds(role: str) -> list[str]:
    """Return the registered kinds of a role."""
    load_entry_points()
    return sorted(kind for r, kind in _ENTRIES if r == role)


def find(role: str, kind: str, built_in: tuple[str, ...] = ()) -> Entry:
    """Return the entry registered under `kind`.

    Raises
    ------
    UserError
        If nothing is registered under that kind.
    """
    load_entry_points()
    entry = _ENTRIES.get((role, kind))
    if entry is None:
        known = [*built_in, *kinds(role)]
        raise UserError(
            f"no {role} of kind '{kind}'",
            key=f"{role}.kind",
            allowed=", ".join(known) or None,
            hint=did_you_mean(kind, known)
            or "a kind written in Python needs its file: --plugin FILE.py",
        )
    return entry


def sources() -> dict[str, str]:
    """Return ``role kind -> digest`` of everything registered (part of a run's identity)."""
    return {f"{role} {kind}": e.digest for (role, kind), e in sorted(_ENTRIES.items())}


def numbers(entry: Entry, given: dict[str, float], key: str) -> dict[str, float]:
    """Return the class's parameters with the given ones put in.

    Raises
    ------
    UserError
        If a given name is none of the class's parameters.
    """
    known: dict[str, float] = dict(getattr(entry.cls, "parameters"))  # noqa: B009
    for name in given:
        if name not in known:
            raise UserError(
                f"unknown parameter '{name}' of {entry.role} '{entry.kind}'",
                key=f"{key}.parameters.{name}",
                allowed=", ".join(known) or "none",
                hint=did_you_mean(name, known),
            )
    return {**known, **given}
