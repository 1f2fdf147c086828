"""What the scripts that draw figures from finished results have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosim.errors import UserError
from evosim.plots.style import figure_style, save, settle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evosim.results import Run
    from evosim.studies.results import Study

_FORMATS = (".png", ".svg", ".pdf")


def run_script(
    name: str,
    describe: str,
    draw: Callable[[Run], Figure],
    argv: Sequence[str] | None = None,
    *,
    figure: str | None = None,
) -> int:
    """Draw one figure from the results of one scenario; return the exit code.

    Parameters
    ----------
    name : str
        The scenario's name: its results stand in ``RESULTS_DIR/name``.
    describe : str
        What the figure shows, for ``--help``.
    draw : callable
        Makes the figure from the run.
    argv : sequence of str, optional
        Arguments (default: those of the command line).
    figure : str, optional
        The figure's name (default: the scenario's).
    """
    return _script(name, describe, draw, find_run, argv, figure)


def study_script(
    name: str,
    describe: str,
    draw: Callable[[Study], Figure],
    argv: Sequence[str] | None = None,
) -> int:
    """Draw one figure from the results of one study; see `run_script`."""
    return _script(name, describe, draw, find_study, argv)


def _script(
    name: str,
    describe: str,
    draw: Callable[[Any], Figure],
    find: Callable[[Path, str], Run | Study],
    argv: Sequence[str] | None,
    figure: str | None = None,
) -> int:
    stem = figure or name
    parser = argparse.ArgumentParser(description=describe)
    parser.add_argument(
        "results",
        nargs="?",
        type=Path,
        default=Path("results"),
        metavar="RESULTS_DIR",
        help=f"a directory of results, or a folder that holds one called '{name}'",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"a {', '.join(_FORMATS)} file (default: {stem}.png and .svg beside the run)",
    )
    given = parser.parse_args(argv)
    try:
        run = find(given.results, name)
        with figure_style():
            paths = _write(draw(run), run, stem, given.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for path in paths:
        print(path)
    return 0


def every_study_script(
    describe: str,
    wanted: Callable[[Study], bool],
    draw: Callable[[Study], Figure],
    argv: Sequence[str] | None = None,
) -> int:
    """Draw a figure for each study of a folder that has one; return the exit code.

    Parameters
    ----------
    describe : str
        What the figures show, for ``--help``.
    wanted : callable
        Whether a study has such a figure.
    draw : callable
        Makes the figure from the study.
    argv : sequence of str, optional
        Arguments (default: those of the command line).
    """
    parser = argparse.ArgumentParser(description=describe)
    parser.add_argument(
        "results",
        nargs="?",
        type=Path,
        default=Path("results"),
        metavar="RESULTS_DIR",
        help="a study's directory, or a folder that holds some",
    )
    given = parser.parse_args(argv)
    try:
        studies = [study for study in find_studies(given.results) if wanted(study)]
        if not studies:
            raise UserError(
                "holds no study with a figure of this kind",
                file=given.results,
                hint="make one with: make study STUDY=scenarios/studies/cliff_dose.toml",
            )
        for study in studies:
            with figure_style():
                for path in _write(draw(study), study, study.path.name, None):
                    print(path)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def find_studies(folder: Path) -> list[Study]:
    """Return the study in `folder` itself, or those in its subfolders, by name."""
    from evosim.studies.results import load_study
    from evosim.studies.store import Store

    below = sorted(folder.iterdir()) if folder.is_dir() else []
    return [load_study(place) for place in (folder, *below) if Store(place).exists]


def find_run(folder: Path, name: str) -> Run:
    """Return the run in `folder` itself, or in its subfolder `name`.

    Raises
    ------
    UserError
        Neither holds results.
    """
    from evosim.output import RECORD
    from evosim.results import load

    for place in (folder, folder / name):
        if (place / RECORD).is_file():
            return load(place)
    raise UserError(
        f"holds no results of '{name}'",
        file=folder,
        hint=f"make them with: evosim run scenarios/{name}.toml --out {folder / name}",
    )


def find_study(folder: Path, name: str) -> Study:
    """Return the study in `folder` itself, or in its subfolder `name`.

    Raises
    ------
    UserError
        Neither holds results.
    """
    from evosim.studies.results import load_study
    from evosim.studies.store import Store

    for place in (folder, folder / name):
        if Store(place).exists:
            return load_study(place)
    raise UserError(
        f"holds no results of the study '{name}'",
        file=folder,
        hint=f"make them with: evosim study scenarios/studies/{name}.toml --out {folder / name}",
    )


def _write(figure: Figure, run: Run | Study, name: str, out: Path | None) -> list[Path]:
    """Write the figure to `out`, or as PNG and SVG beside the run's directory."""
    assert run.path is not None  # it was loaded
    if out is not None and out.suffix.lower() not in _FORMATS:
        raise UserError("unknown kind of file", file=out, allowed=", ".join(_FORMATS))
    try:
        if out is None:
            return save(figure, run.path.parent, name)
        out.parent.mkdir(parents=True, exist_ok=True)
        settle(figure)
        figure.savefig(out)
    except OSError as error:
        text = error.strerror or "input/output error"
        raise UserError(f"cannot write the figure: {text}", file=out or run.path.parent) from error
    return [out]


def need(found: bool, what: str, run: Run | Study) -> None:
    """Raise a `UserError` where a run lacks something that a figure is made of."""
    if not found:
        raise UserError(f"this figure needs {what}", file=run.path)
