"""The page itself: Mesa's `SolaraViz` around a model of one population of a scenario.

A slider takes effect with the next reset, as in every `SolaraViz`; the model is then built anew
with the keys that were moved. This and `evosim.mesa_model` are the only modules that import mesa.
"""

from __future__ import annotations

from html import escape
from typing import Any, ClassVar

import numpy as np
import solara
from matplotlib.figure import Figure
from mesa.visualization import Slider, SolaraViz
from mesa.visualization.utils import update_counter

from evosim.errors import UserError
from evosim.mesa_model import EvoModel
from evosim.page import figures, walks
from evosim.page.sliders import Range
from evosim.scenario import Scenario
from evosim.tables import records
from evosim.walker import Walker

#: Agents whose ways are drawn.
SHOWN = 24


class PageModel(EvoModel):
    """A model that keeps its measures, and stands where values it is given are refused.

    Attributes
    ----------
    ranges : list of Range
        Of the class: the numbers that can be moved.
    history : list of dict
        Measures of every generation so far.
    moved : dict of str to number
        The keys that have other values than in the file.
    refused : str
        Why the last values that were asked for are not in force; empty when they are.
    """

    ranges: ClassVar[list[Range]] = []
    label: ClassVar[str | None] = None
    asked_seed: ClassVar[int | None] = None

    def __init__(self, **kwargs: Any) -> None:
        usual = {made.key: made.value for made in self.ranges}
        moved = {k: v for k, v in kwargs.items() if usual.get(k) != v}
        self.refused = ""
        try:
            super().__init__(arm=self.label, seed=self.asked_seed, sample=SHOWN, **moved)
        except UserError as error:
            moved = {}
            super().__init__(arm=self.label, seed=self.asked_seed, sample=SHOWN)
            self.refused = str(error)
        self.moved = {k: v for k, v in moved.items() if k in usual}
        self.history: list[dict[str, float]] = []
        self._walker: tuple[Any, Walker] | None = None

    def step(self) -> None:
        """Live a generation and remember its measures."""
        before = self.generation
        super().step()
        if self.generation > before:
            numbers = {k: float(v) for k, v in self.measures.items() if np.isfinite(v)}
            self.history.append(numbers | {"generation": self.generation})

    def paths(self, context: str) -> np.ndarray:
        """Return an episode in `context` of each agent that is shown; see `walks.walk`."""
        resolved = self.engine.resolved
        if self._walker is None or self._walker[0] is not resolved:
            self._walker = resolved, Walker(resolved.model)
        rows = np.array([agent.unique_id for agent in self.agents], np.int64)
        luck = np.random.default_rng([self._seed_of_run, self.replicate, self.generation + 1, 1])
        return walks.walk(resolved, self._walker[1], self.genes(rows), context, luck)

    def panels(self) -> dict[str, list[str]]:
        """Return what is drawn over generations: title -> measures."""
        names = [name for name in self.measures if not name.endswith(".sd")]
        assays = [name for name in names if name.startswith(("assay.", "trial."))]
        genes = [n for n in names if n.split(".")[0].split("[")[0] in self.cell.model.genome]
        wanted = [n for n in genes if not n.startswith("neutral") and not n.endswith(".spread")]
        panels: dict[str, list[str]] = {
            "payoff per episode": [n for n in ("payoff", "criterion") if n in names],
            "assays": assays,
            "genes": wanted,
        }
        return {title: shown for title, shown in panels.items() if shown or not names}


class NumberSlider(Slider):  # type: ignore[misc]
    """Mesa's slider, whose label tells the value that it stands at.

    Mesa hands `value` on to the browser's slider, which takes a reactive as well, and `label`,
    which is read anew when that reactive changes; `get` is what it gives to the model.
    """

    def __init__(self, made: Range) -> None:
        self._now = solara.reactive(made.value)
        kind = int if made.whole else float
        super().__init__(made.key, self._now, made.low, made.high, made.step, kind)

    @property
    def label(self) -> str:
        """The key and its present value."""
        return f"{self._key} = {_number(self._now.value)}"

    @label.setter
    def label(self, key: str) -> None:
        self._key = key

    def get(self, attr: str) -> Any:
        """Return an attribute; of `value` the plain number."""
        return self._now.value if attr == "value" else getattr(self, attr)


#: The page that is served.
PAGE: Any = None


def model_class(
    scenario: Scenario, label: str | None, seed: int | None, chosen: list[Range]
) -> type[PageModel]:
    """Return a model of an arm with these numbers to move."""
    own = {"source": scenario, "label": label, "asked_seed": seed, "ranges": chosen}
    return type("PageModel", (PageModel,), own)


def make_page(made: type[PageModel]) -> Any:
    """Return the page of a model, a component of solara."""
    moved = [*made.ranges, Range("replicate", 0, 0, 20, 1, whole=True)]
    parameters: dict[str, Any] = {r.key: NumberSlider(r) for r in moved}

    @solara.component
    def Page() -> None:
        model = solara.use_memo(made, [])
        SolaraViz(
            solara.use_reactive(model),
            components=[(part, 0) for part in (Numbers, Trajectories, World, Ledger)],
            model_params=parameters,
            name=made.source.model.title,
            play_interval=50,
        )

    return Page


@solara.component
def Numbers(model: PageModel) -> None:
    """Say in numbers how things stand."""
    update_counter.get()
    if model.refused:
        solara.Error(f"{model.refused}; the values of the file are in force")
    rows = [("generation", model.generation), ("agents", model.alive), ("payoff", model.payoff)]
    rows += list(model.moved.items())
    rows += [(k, v) for k, v in model.measures.items() if k.startswith(("assay.", "trial."))]
    _table("numbers", ("measure", "value"), [(k, _number(v)) for k, v in rows])


@solara.component
def Trajectories(model: PageModel) -> None:
    """Draw measures over generations."""
    update_counter.get()
    _picture(figures.trajectories(model.history, model.panels()))


@solara.component
def World(model: PageModel) -> None:
    """Draw the world, and a sample of the present agents living in it."""
    update_counter.get()
    names = [context.name for context in model.cell.model.context]
    context, set_context = solara.use_state(names[0] if names else "")
    moment, set_moment = solara.use_state(2**31)
    path = solara.use_memo(
        lambda: model.paths(context) if names else None, [id(model), model.generation, context]
    )
    made = model.engine.resolved.world
    if path is None or made is None:
        _picture(figures.values(model.agent_frame()))
        return
    last = path.shape[1] - 1
    solara.Select("context", value=context, values=names, on_value=set_context)
    solara.SliderInt(
        "moment of the episode", value=min(moment, last), min=0, max=last, on_value=set_moment
    )
    place = walks.positions(made, model.cell.model.world, context)
    _picture(figures.world(made, place, context, path, min(moment, last)))


@solara.component
def Ledger(model: PageModel) -> None:
    """Draw what selection and transmission did, and check that they add up."""
    update_counter.get()
    frame = model.ledger_frame()
    _picture(figures.ledger(frame))
    names = ("before", "selection", "transmission", "after")
    rows = [
        (str(row["quantity"]), *(_number(float(row[name])) for name in names))
        for row in records(figures.strongest(frame))
    ]
    _table("ledger", ("gene or logit, last generation", *names), rows)
    solara.Text(f"worst residual of the Price equation: {model.engine.ledger.worst:.1e}")


def _picture(figure: Figure) -> None:
    solara.FigureMatplotlib(figure, format="png", bbox_inches="tight")


def _number(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:.4g}"


def _table(name: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    lines = [("th", head), *(("td", row) for row in rows)]
    body = "".join(
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line) + "</tr>"
        for tag, line in lines
    )
    solara.HTML(
        tag="table",
        unsafe_innerHTML=body,
        attributes={"id": f"evosim-{name}"},
        style="font-size: 0.85rem; text-align: left; border-spacing: 0.8em 0.1em",
    )
