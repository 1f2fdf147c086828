"""What is written down about a run so that it can be trusted and done again: `run.json`.

Wall time, memory and versions stand here and nowhere else, so that the tables of two runs of one
scenario and seed are equal byte by byte.
"""

from __future__ import annotations

import hashlib
import math
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evosim
from evosim.tables import records

if TYPE_CHECKING:
    import pandas as pd

    from evosim.scenario import Scenario

#: Raised when a reader of an older version could misread a run directory.
SCHEMA_VERSION = 1

_RECORDED_VERSIONS = ("numpy", "numba", "llvmlite", "pandas", "pyarrow", "gymnasium")
#: Sources that only show results or start runs; an edit there changes no number of a run.
_FACES = (
    "__main__.py",
    "api.py",
    "bench/",
    "cli",
    "catalogue.py",
    "cost.py",
    "environments.py",
    "memory.py",
    "mesa_model.py",
    "oracles/",
    "output.py",
    "plots/",
    "progress.py",
    "record.py",
    "report.py",
    "reproduce.py",
    "results.py",
    "studies/",
    "tables.py",
    "toml_text.py",
    "schema/",
    "units.py",
    "page/",
    "walker.py",
    "validate",
)


def run_record(
    scenario: Scenario,
    meta: Mapping[str, Any],
    claims: pd.DataFrame,
    *,
    started: datetime,
    wall_seconds: float,
    threads: int | None,
    command: Sequence[str] | None,
    plugins: Sequence[Path],
    resumed: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return everything that `run.json` says about a finished run.

    Parameters
    ----------
    scenario : Scenario
        As run, with every override applied.
    meta : mapping
        The engine's remarks: worst residual and its bound, extinctions, notes and counts.
    claims : DataFrame
        One row per judged claim.
    started : datetime
        When the run began, with its time zone.
    wall_seconds : float
        How long the engine took.
    threads : int or None
        As asked for; None is the engine's own choice.
    command : sequence of str or None
        The command line, or None when started from Python.
    plugins : sequence of path
        User files that were imported first; their contents are hashed.
    resumed : sequence of mapping
        Where (arm, generation) an interrupted run was taken up again.

    Returns
    -------
    dict
        Plain values that JSON can hold.
    """
    record = {
        "schema_version": SCHEMA_VERSION,
        "evosim": evosim.__version__,
        "title": scenario.model.title,
        "systems": list(scenario.model.systems),
        "seed": scenario.model.seed,
        "scenario_file": None if scenario.path is None else str(scenario.path),
        "scenario_hash": scenario.hash(),
        "engine_hash": engine_hash(),
        "versions": versions(),
        "commit": commit(),
        "command": None if command is None else list(command),
        "plugins": [{"file": str(p), "sha256": file_digest(p)} for p in plugins],
        "threads": threads,
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 3),
        "resumed": list(resumed),
        "peak_memory_bytes": peak_memory(),
        "claims": _verdicts(claims),
        **meta,
    }
    return {key: plain(value) for key, value in record.items()}


def origin(plugins: Sequence[Path], scenario: Scenario) -> dict[str, Any]:
    """Return what the bits of a run depend on besides its scenario, by words for errors."""
    found = versions()
    return environment_versions(scenario) | {
        "sources of evosim": engine_hash(),
        "plugins": [file_digest(path) for path in plugins],
        "versions of numpy or numba": [found.get(name) for name in ("numpy", "numba", "llvmlite")],
    }


def versions() -> dict[str, str]:
    """Return the versions that can change bits: Python, the platform and the libraries."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _RECORDED_VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def environment_versions(scenario: Scenario) -> dict[str, str | None]:
    """Return the version of what a scenario's world is read from, by words for errors."""
    if all(cell.model.world.kind != "gymnasium" for cell in scenario.arms()):
        return {}
    return {"version of gymnasium": versions().get("gymnasium")}


def commit() -> str | None:
    """Return the commit of the checkout that evosim runs from, ``-dirty`` if it was edited."""
    root = Path(__file__).resolve().parents[1]
    if not ((root / ".git").exists() and (root / "pyproject.toml").exists()):
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def engine_hash() -> str:
    """Return a hash of every source file that a run's numbers can depend on."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(_FACES):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def peak_memory() -> int:
    """Return the most memory this process has held so far, in bytes."""
    if sys.platform == "win32":
        import psutil  # type: ignore[import-untyped]

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def plain(value: Any) -> Any:
    """Return `value` in JSON's types; a number that is missing or not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str | int | float) or value is None:
        return value
    return str(value)


def _verdicts(claims: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [c for c in ("claim", "arm", "verdict", "refuted") if c in claims.columns]
    return records(claims[columns])
