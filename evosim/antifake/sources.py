"""F7: the program knows no scenario.

Read from the sources: kernels hold no scenario's title, file name, context or catalogue entry,
and compare no index of a context with a number; nothing in the package chooses by a scenario's
title, file name or catalogue entry. And tried: with every name of a scenario replaced by another
(of its contexts, states, actions and cues as well), no bit of a run may differ.
"""

from __future__ import annotations

import ast
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import evosim
from evosim.antifake.history import (
    LIVES,
    Small,
    difference,
    first_cells,
    live,
    small,
)
from evosim.antifake.row import Row, excused, judged
from evosim.scenario import Scenario, ScenarioModel
from evosim.scenario.biology import RewardCell
from evosim.stretches import resolve_stretches
from evosim.worlds.tabular import TabularWorld

PACKAGE = Path(__file__).resolve().parent.parent
#: Variables of kernels that hold the index of a context or of a variant of one.
CONTEXT = re.compile(r"^(context|variant|place)s?$|^(context|variant)_(index|id|number)$")
#: What a scenario calls itself; comparing it with a text is a branch on its name.
SELF = ("title", "stem", "systems", "prose", "source")


class Place(NamedTuple):
    """A text (or nothing) somewhere in the sources."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Facts:
    """What the sources hold that F7 asks about.

    Attributes
    ----------
    kernel_texts : tuple of Place
        Constants of kernels that are texts, docstrings aside.
    kernel_names : tuple of Place
        Names that kernels use or define.
    context_branches : tuple of Place
        Comparisons of a context's index with a number, as written.
    choices : tuple of Place
        Texts by which something is chosen anywhere in the package.
    self_branches : tuple of Place
        Comparisons of a scenario's own description with a text, as written.
    """

    kernel_texts: tuple[Place, ...]
    kernel_names: tuple[Place, ...]
    context_branches: tuple[Place, ...]
    choices: tuple[Place, ...]
    self_branches: tuple[Place, ...]


def check_sources(scenario: Scenario, lived: Small | None = None, package: Path = PACKAGE) -> Row:
    """Check F7.

    Parameters
    ----------
    scenario : Scenario
    lived : Small, optional
        Histories that further checks share.
    package : path
        The folder of the package's sources.

    Returns
    -------
    Row
        Its number is that of the findings.
    """
    if (row := excused(scenario, "F7")) is not None:
        return row
    facts = read_sources(str(package))
    found = [*_in_kernels(facts, scenario), *_in_package(facts, scenario)]
    found += _by_running(scenario, lived or Small(scenario))
    reason = "; ".join(found) or "no name of it in the sources, and other names change no bit"
    return judged(scenario, "F7", not found, reason, float(len(found)))


@lru_cache(maxsize=4)
def read_sources(package: str) -> Facts:
    """Read all Python sources under a folder.

    Parameters
    ----------
    package : str
        Its folder `kernels` holds the kernels.
    """
    parts: dict[str, list[Place]] = {name: [] for name in Facts.__dataclass_fields__}
    root = Path(package)
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file = path.relative_to(root).as_posix()
        if file.startswith("kernels/"):
            parts["kernel_texts"] += _texts(tree, file)
            parts["kernel_names"] += _names(tree, file)
            parts["context_branches"] += _context_branches(tree, file)
        parts["choices"] += _choices(tree, file)
        parts["self_branches"] += _self_branches(tree, file)
    return Facts(**{name: tuple(places) for name, places in parts.items()})


def _in_kernels(facts: Facts, scenario: Scenario) -> Iterator[str]:
    entries = set(scenario.model.systems)
    names = {_plain(name) for name in own_names(scenario)}
    contexts = {_plain(context.name) for context in scenario.model.context}
    # A context may be called by any one word, so that only names of several words tell.
    names |= {name for name in contexts if " " in name}
    names.discard("")
    for place in facts.kernel_texts:
        text = _plain(place.text)
        words = set(re.findall(r"\w+", place.text))
        said = {name for name in names if f" {name} " in f" {text} "} | (words & entries)
        yield from (_said(place, name) for name in sorted(said | ({text} & contexts)))
    for place in facts.kernel_names:
        if _plain(place.text) in names or place.text in entries:
            yield _said(place, place.text)
    for place in facts.context_branches:
        yield f"{place.file}:{place.line} branches on a context's number: {place.text}"


def _in_package(facts: Facts, scenario: Scenario) -> Iterator[str]:
    entries = set(scenario.model.systems)
    names = {name.casefold() for name in own_names(scenario)}
    for place in facts.choices:
        if place.text.casefold() in names or place.text in entries:
            yield _said(place, place.text)
    for place in facts.self_branches:
        yield f"{place.file}:{place.line} branches on a scenario's description: {place.text}"


def own_names(scenario: Scenario) -> list[str]:
    """Return what names this scenario and no other: its title and its file.

    Of a file that is called what the program offers under that name (`evosim.fork`) only the
    whole name tells.
    """
    names = [scenario.model.title]
    if scenario.path is not None:
        names.append(scenario.path.name)
        if scenario.path.stem not in evosim.__all__:
            names.append(scenario.path.stem)
    return names


def _said(place: Place, name: str) -> str:
    return f"{place.file}:{place.line} names '{name}'"


def _plain(text: str) -> str:
    """Return a text as words in small letters, to find it in whatever spelling."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _docstrings(tree: ast.AST) -> set[int]:
    """Return the ids of the nodes that are docstrings: they decide nothing."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def _constants(nodes: Iterable[ast.AST], file: str) -> list[Place]:
    return [
        Place(file, part.lineno, part.value)
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def _texts(tree: ast.AST, file: str) -> list[Place]:
    said = _docstrings(tree)
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in said]
    return [Place(file, n.lineno, n.value) for n in nodes if isinstance(n.value, str)]


def _names(tree: ast.AST, file: str) -> list[Place]:
    places = []
    for node in ast.walk(tree):
        for field in ("id", "name", "attr", "arg"):
            text = getattr(node, field, None)
            if isinstance(text, str) and hasattr(node, "lineno"):
                places.append(Place(file, node.lineno, text))
    return places


def _choices(tree: ast.AST, file: str) -> list[Place]:
    """Return texts in tests, comparisons, patterns and look-up tables."""
    chosen: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            chosen.append(node.test)
        elif isinstance(node, ast.comprehension):
            chosen += node.ifs
        elif isinstance(node, ast.match_case):
            chosen += [node.pattern, *([node.guard] if node.guard else [])]
        elif isinstance(node, ast.Compare):
            chosen.append(node)
        elif isinstance(node, ast.Dict):
            chosen += [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            chosen.append(node.slice)
    return list(dict.fromkeys(_constants(chosen, file)))


def _self_branches(tree: ast.AST, file: str) -> list[Place]:
    places = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        about = any(
            isinstance(part, ast.Attribute) and part.attr in SELF
            for side in sides
            for part in ast.walk(side)
        )
        if about and any(place.text for place in _constants(sides, file)):
            places.append(Place(file, node.lineno, ast.unparse(node)))
    return places


def _context_branches(tree: ast.Module, file: str) -> list[Place]:
    numbers = set(_assigned_numbers(tree.body))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    places: dict[Place, None] = {}
    for function in functions:
        held = _holding(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Compare) and _told_apart(node, held, numbers):
                places[Place(file, node.lineno, ast.unparse(node))] = None
            elif isinstance(node, ast.Match) and _holds(node.subject, held):
                places[Place(file, node.lineno, ast.unparse(node.subject))] = None
    return list(places)


def _assigned_numbers(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield names that a module gives to numbers."""
    for node in body:
        if isinstance(node, ast.Assign) and _is_number(node.value, set()):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _holding(function: ast.FunctionDef) -> set[str]:
    """Return the variables of a function that hold a context's index, computed ones as well."""
    names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    held = {name for name in names if CONTEXT.match(name)} | set(_looked_up(function))
    while True:
        more = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _holds(node.value, held)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if more <= held:
            return held
        held |= more


def _looked_up(function: ast.FunctionDef) -> Iterator[str]:
    """Yield, whatever they are called, the variables that find their place in `context_...`."""
    for node in ast.walk(function):
        array = node.value if isinstance(node, ast.Subscript) else None
        if not (isinstance(array, ast.Name) and array.id.startswith("context_")):
            continue
        assert isinstance(node, ast.Subscript)
        # The context stands last: (context), or (block, context).
        index = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else node.slice
        while isinstance(index, ast.Subscript):
            index = index.value
        if isinstance(index, ast.Name):
            yield index.id


def _holds(node: ast.expr, held: set[str]) -> bool:
    """Tell whether an expression's value is, or is computed from, a context's index.

    What is looked up at such an index is not: that is what tables are for.
    """
    if isinstance(node, ast.Name):
        return node.id in held
    if isinstance(node, ast.Subscript):
        return _holds(node.value, held)
    if isinstance(node, ast.BinOp):
        return _holds(node.left, held) or _holds(node.right, held)
    if isinstance(node, ast.UnaryOp):
        return _holds(node.operand, held)
    if isinstance(node, ast.Call):
        return any(_holds(argument, held) for argument in node.args) and _is_cast(node.func)
    return False


def _is_cast(function: ast.expr) -> bool:
    name = getattr(function, "attr", getattr(function, "id", ""))
    return name.startswith(("int", "uint", "float", "abs", "min", "max"))


def _is_number(node: ast.expr, numbers: set[str]) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand, numbers)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_is_number(item, numbers) for item in node.elts)
    if isinstance(node, ast.Call):
        return _is_cast(node.func) and any(_is_number(item, numbers) for item in node.args)
    return isinstance(node, ast.Name) and node.id in numbers


def _told_apart(node: ast.Compare, held: set[str], numbers: set[str]) -> bool:
    sides = [node.left, *node.comparators]
    for one, operator, two in zip(sides, node.ops, sides[1:], strict=False):
        # The sign of a coded state (-1 - state where the episode ends) tells no context.
        sign = isinstance(operator, ast.Lt | ast.GtE) and isinstance(two, ast.Constant)
        if sign and isinstance(two, ast.Constant) and two.value == 0:
            continue
        for index, number in ((one, two), (two, one)):
            if _holds(index, held) and _is_number(number, numbers):
                return True
    return False


def _by_running(scenario: Scenario, lived: Small) -> Iterator[str]:
    for cell in first_cells(scenario):
        other = resolve_stretches(renamed(small(cell.model)), _renamed_world)
        two = live(other, cell.model.seed, replayed=lived.replayed(cell))
        where = difference(lived.of(cell), two, (*LIVES, "payoff"))
        if where is not None:
            yield f"{cell.label} under other names: {where}"


def renamed(model: ScenarioModel) -> ScenarioModel:
    """Return the model with another title and nothing of its description.

    Where a mind or a reward model refers to what is in the world it does so by the names of
    `_renamed_world`.
    """
    update: dict[str, Any] = {
        "title": "another", "systems": [], "source": "", "prose": "", "base_arm": "another",
    }  # fmt: skip
    mind: dict[str, Any] = {}
    for part in ("topics", "told"):
        if hasattr(model.mind, part):
            mind[part] = [_other("cue", name) for name in getattr(model.mind, part)]
    if features := getattr(model.mind, "features", None):
        symbols = getattr(model.world, "symbols", {})
        mind["features"] = {
            name: {(p if p in symbols else _other("state", p)): x for p, x in places.items()}
            for name, places in features.items()
        }
    if mind:
        update["mind"] = model.mind.model_copy(update=mind)
    if (fitted := model.selection.model) is not None:
        cells = [_renamed_cell(cell) for cell in fitted.cells]
        own = fitted.model_copy(update={"cells": cells})
        update["selection"] = model.selection.model_copy(update={"model": own})
    return model.model_copy(update=update)


def _renamed_cell(cell: RewardCell) -> RewardCell:
    """Return a cell of a reward model under other names."""
    return cell.model_copy(
        update={
            "name": _other("cell", cell.name),
            "at": [_other("state", name) for name in cell.at],
            "action": None if cell.action is None else _other("action", cell.action),
            "group": None if cell.group is None else _other("group", cell.group),
        }
    )


def _other(word: str, name: str) -> str:
    """Return a name that says nothing, the same for the same name."""
    return f"{word} {zlib.crc32(name.encode()):08x}"


def _renamed_world(world: TabularWorld) -> TabularWorld:
    def other(names: tuple[str, ...], word: str) -> tuple[str, ...]:
        return tuple(_other(word, name) for name in names)

    return replace(
        world,
        variants=other(world.variants, "variant"),
        contexts=other(world.contexts, "context"),
        states=other(world.states, "state"),
        actions=other(world.actions, "action"),
        cue_names=other(world.cue_names, "cue"),
        regions=other(world.regions, "region"),
    )
