"""Figures of a run, drawn from its tables: trajectories, assays, ledger, scores.

Nothing here opens a window: figures are made off screen and written as PNG and SVG. Every
``plot_x(data, *, ax=None, **kwargs)`` draws one panel into `ax` and returns it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evosim.errors import UserError
from evosim.plots.assays import draw_assays, plot_assay, plot_dose
from evosim.plots.ledger import draw_ledger, plot_heat, plot_selection
from evosim.plots.record import draw_record, plot_record
from evosim.plots.scores import draw_scores, plot_predictions, plot_scores
from evosim.plots.style import figure_style, save
from evosim.plots.trajectories import draw_trajectories, plot_measure
from evosim.plots.trials import draw_trials, plot_course

if TYPE_CHECKING:
    import pandas as pd

    from evosim.scenario import Scenario

__all__ = [
    "Drawable",
    "plot_assay",
    "plot_course",
    "plot_dose",
    "plot_heat",
    "plot_measure",
    "plot_predictions",
    "plot_record",
    "plot_run",
    "plot_scores",
    "plot_selection",
]


class Drawable(Protocol):
    """What a figure needs of a run: its scenario and its tables."""

    @property
    def scenario(self) -> Scenario: ...  # noqa: D102
    @property
    def trajectory(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def contexts(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def assays(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def trials(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def ledger(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def predictions(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def scores(self) -> pd.DataFrame: ...  # noqa: D102


_FIGURES = {
    "trajectories": draw_trajectories,
    "assays": draw_assays,
    "trials": draw_trials,
    "ledger": draw_ledger,
    "record": draw_record,
    "scores": draw_scores,
}


def plot_run(run: Drawable, directory: str | Path) -> list[Path]:
    """Draw the figures that apply to a run and write each as PNG and SVG.

    Figures without data are left out. A figure that needs several pages continues in
    ``NAME-2.png`` and so on.

    Parameters
    ----------
    run : Run
        A finished or loaded run.
    directory : path
        Where the files go; made if it does not exist.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UserError
        If the directory cannot be made or written to.
    """
    directory = Path(directory)
    paths: list[Path] = []
    with figure_style():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for name, draw in _FIGURES.items():
                for page, figure in enumerate(draw(run), start=1):
                    stem = name if page == 1 else f"{name}-{page}"
                    paths += save(figure, directory, stem)
        except OSError as error:
            text = error.strerror or "input/output error"
            raise UserError(f"cannot write figures: {text}", file=directory) from error
    return paths
