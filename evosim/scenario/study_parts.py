"""What a scenario file may say of time, measurement, arms, effect and claims."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evosim.scenario.base import Name, Positive, Probability, Table

Scalar = bool | int | float | str


class Phase(Table):
    """A stretch of generations with its own context frequencies; lasts to the next phase."""

    name: Name
    start: Annotated[int, Field(ge=0)] = Field(description="first generation")
    frequencies: dict[Name, Probability] = Field(description="context = frequency; sum to 1")


class Block(Table):
    """A stretch of a life's episodes with its own context frequencies; blocks follow in order.

    With blocks contexts have no `frequency` of their own: a context's share of training is what
    the blocks make it.
    """

    name: Name
    episodes: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        description="how many; 0 leaves the block out"
    )
    frequencies: dict[Name, Probability] = Field(description="context = frequency; sum to 1")


class Intervention(Table):
    """Numeric parameters set to new values from a generation on, or what was brought back."""

    at: Annotated[int, Field(ge=1)] = Field(description="first generation with the new values")
    set: dict[str, float] = Field(default_factory=dict, description="key = new value")
    bring_back: dict[Literal["genome", "knowledge"], Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="what this generation gets as an earlier one had it: its genomes at birth, or "
        "the knowledge that its models showed it",
    )

    @model_validator(mode="after")
    def _something(self) -> Intervention:
        if not self.set and not self.bring_back:
            raise ValueError("give set or bring_back")
        if any(generation >= self.at for generation in self.bring_back.values()):
            raise ValueError("what is brought back is of a generation before `at`")
        return self


class Measure(Table):
    """What an assay measures, exactly; one key (`state` or `symbol` go with `action`)."""

    first_action: Name | None = Field(
        default=None, description="exact probability of this action at the start of an episode"
    )
    action: Name | None = Field(
        default=None, description="exact probability of this action at `state` or on `symbol`"
    )
    state: Name | None = None
    symbol: str | None = None
    reach: str | None = Field(
        default=None, description="share of episodes that enter this symbol, state or region"
    )
    payoff: bool | None = Field(default=None, description="mean payoff per episode")
    goal: bool | None = Field(default=None, description="mean goal per episode")
    directedness: bool | None = Field(
        default=None,
        description="(payoff - best fixed sequence of actions) / (optimum - best fixed sequence): "
        "1 for the best policy, 0 for the best habit that looks at nothing, below 0 for less",
    )
    transitivity: Annotated[list[str], Field(min_length=3)] | None = Field(
        default=None,
        description="share of triples of these symbols of a grid in which choices between two "
        "fit one order: 1 for whoever follows one, 3/4 by tosses of a coin; every context asked "
        "about must have two of the symbols",
    )

    @model_validator(mode="after")
    def _one_key(self) -> Measure:
        keys = (
            "first_action", "action", "reach", "payoff", "goal", "directedness", "transitivity",
        )  # fmt: skip
        given = [k for k in keys if getattr(self, k)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(keys)}")
        placed = (self.state is not None) + (self.symbol is not None)
        if placed != (1 if self.action else 0):
            raise ValueError("action goes with exactly one of state and symbol; others without")
        return self


class Assay(Table):
    """A measurement in a copy of some world that cannot disturb the run."""

    name: Name
    context: Name | Annotated[list[Name], Field(min_length=1)] = Field(
        description="where it is made; of several contexts (only for whole episodes) the mean"
    )
    visible: dict[Name, bool] = Field(
        default_factory=dict, description="cue = whether it is seen in this assay"
    )
    measure: Measure
    every: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="generations between measurements (default: as recorded)"
    )
    when: Literal["birth", "death"] = Field(
        default="birth",
        description="of the policy an agent begins its life with (of a genome, and of values that "
        "it received), or has learned at death",
    )
    permute: Name | None = Field(
        default=None,
        description="gene whose loci change places first, as if weights were about something "
        "else: the mean over all rotations (of `policy`: cues change places)",
    )

    @property
    def contexts(self) -> list[str]:
        """Where it is made, as a list."""
        return [self.context] if isinstance(self.context, str) else self.context

    @model_validator(mode="after")
    def _one_place(self) -> Assay:
        if len(self.contexts) > 1 and (self.measure.first_action or self.measure.action):
            raise ValueError("an action's probability is asked of one context")
        if len(set(self.contexts)) < len(self.contexts):
            raise ValueError("a context stands twice in `context`")
        things = self.measure.transitivity or []
        if len(set(things)) < len(things):
            raise ValueError("a symbol stands twice in `transitivity`")
        if self.permute is not None and self.when == "death":
            raise ValueError("`permute` is of what an agent is born with")
        return self


class Trial(Table):
    """Whole lives lived in a copy of the world, and the indices of bad exploration in them.

    All trials of a generation share their luck: the same agents with the same draws, so that two
    trials in two contexts are a pair.
    """

    name: Name
    context: Name = Field(
        description="where all episodes of these lives take place; with `blocks`, where the "
        "region is watched"
    )
    blocks: bool = Field(
        default=False,
        description="the life goes through the scenario's blocks, and `context` must fill its end",
    )
    control: Name | None = Field(
        default=None,
        description="the trial that shows what the same agents do without the accident; the "
        "foresight horizon is measured against it",
    )
    region: Name = Field(description="label of the world's places that may come to be avoided")
    elsewhere: Name | None = Field(
        default=None,
        description="context in which the region plays no part, for competence elsewhere "
        "(default: the same context, without choosing to enter the region)",
    )
    windows: Annotated[int, Field(ge=4, le=200)] = Field(
        default=10, description="stretches of the life's episodes that are told apart"
    )
    agents: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="most agents per replicate that live it (default: all)"
    )
    forced: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0,
        description="entries by a forced choice after the life, to find the dose that unlocks",
    )
    every: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="generations between trials (default: as recorded)"
    )


class Record(Table):
    """What is written, and how often; recording changes nothing."""

    every: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="generations between recorded rows (default: about 100 rows)"
    )
    edges: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=0,
        description="newborns per replicate and recorded generation (a random part, or all where "
        "there are no more) of whom the table `edges` says what they learned from whom, and who "
        "their parents are; 0: there is no such table",
    )


class Ledger(Table):
    """The Price-equation record."""

    percepts: Annotated[int, Field(ge=0, le=256)] = Field(
        default=8, description="most percepts whose logits and acts are tracked"
    )
    indices: list[Name] = Field(
        default_factory=list,
        description="assays with an exact measure that the ledger also tracks per agent",
    )
    directions: dict[Name, Annotated[list[float], Field(min_length=2)]] = Field(
        default_factory=dict,
        description="gene of several real loci = reference vector, a number per locus: the ledger "
        "also tracks GENE.direction, the cosine of the angle between the two, and GENE.length",
    )

    @model_validator(mode="after")
    def _sound(self) -> Ledger:
        for gene, vector in self.directions.items():
            if not any(vector):
                raise ValueError(f"the direction of '{gene}' needs a number that is not 0")
        return self


class Predict(Table):
    """Ask the two predictors what agents do at the percepts of these assays."""

    assays: Annotated[list[Name], Field(min_length=1)] = Field(
        description="assays in contexts that break or keep training; those of whole episodes "
        "ask about all decisions of an episode"
    )
    drift: bool = Field(
        default=True,
        description="add the variance measured on the gene `neutral` to the ledger's answer",
    )
    temperature: Literal["likelihood", "accuracy"] = Field(
        default="likelihood",
        description="how the temperature of OBJ is fitted on training contexts",
    )
    pattern: Literal["breaks", "keeps", "spanned", "pursuers", "orthogonal"] | None = Field(
        default=None,
        description="what the assays put to the test, and analysis/battery.py expects: contexts "
        "that break a correlation of training (LEDGER better) or keep all (a tie), training whose "
        "cues span the goal (a tie), agents that plan for payoff (OBJ better), percepts orthogonal "
        "to those of training (LEDGER no better than chance)",
    )


#: What is measured of each `[[explained]]`; names of measures.
PARTS_EXPLAINED = ("direction", "ledger", "training")


class Explained(Table):
    """How much of what agents prefer one goal explains, and how much the record of selection.

    The goal weighs what is named here, with the same weights wherever the assay looks. Measures:
    explained.NAME.direction is the share of the sum of squares of agents' preferences that it
    explains at best (wrapper-likeness, from 0 to 1); explained.NAME.ledger the share that is a
    multiple of what the ledger says; explained.NAME.training what the first should come to, by
    what training reinforces.
    """

    name: Name
    assay: Name = Field(
        description="the assay that says in which contexts, with which cues in sight, when in "
        "life, and how often; all decisions of its episodes count alike"
    )
    outcomes: dict[Name, dict[str, float]] = Field(
        default_factory=dict,
        description="what the goal may weigh of where an action leads: feature = value by state "
        "or map symbol",
    )
    cues: list[Name] = Field(
        default_factory=list,
        description="what it may weigh of what is perceived: cues, each with a weight per action",
    )
    payoff: bool = Field(
        default=False, description="it may weigh what an action is worth in the context at hand"
    )

    @model_validator(mode="after")
    def _something(self) -> Explained:
        if not (self.outcomes or self.cues or self.payoff):
            raise ValueError("give at least one of outcomes, cues and payoff")
        return self


class Arm(Table):
    """A named variant of the scenario; all arms share seeds."""

    name: Name
    set: dict[str, Any] = Field(default_factory=dict, description="key = value")
    grid: dict[str, Annotated[list[Scalar], Field(min_length=1)]] = Field(
        default_factory=dict, description="key = list of values; one cell per combination"
    )
    control: bool = Field(default=False, description="drawn as a control")


class Dose(Table):
    """The parameter that the effect must follow (check F6)."""

    key: str
    values: Annotated[list[float], Field(min_length=3)]
    direction: Literal["increasing", "decreasing"]


class Start(Table):
    """The value of the measure before anything evolved, at chance (check F8)."""

    value: float
    margin: Positive


class Effect(Table):
    """The scenario's central effect, read by the anti-fake checks."""

    measure: str
    arm: Name
    control: Name
    mechanism: Literal["selection", "learning", "transmission", "identity"]
    margin: Positive = Field(description="a control within this of its expected value is equal")
    expected: float | None = Field(
        default=None, description="value of the measure in the control (default: the start value)"
    )
    sign: Literal["higher", "lower"] | None = Field(
        default=None, description="the effect's direction; declares that reflecting payoff flips it"
    )
    start: Start | None = None
    dose: Dose | None = None
    not_applicable: dict[Annotated[str, Field(pattern=r"^F([1-9]|10)$")], str] = Field(
        default_factory=dict, description="check = the reason why it does not apply"
    )


class At(Table):
    """When a claim reads its measure: one generation, or the mean over a window."""

    generation: Annotated[int, Field(ge=0)] | None = None
    start: Annotated[int, Field(ge=0)] | None = None
    end: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _sound(self) -> At:
        if (self.generation is None) == (self.start is None and self.end is None):
            raise ValueError("give either generation or start and end")
        if self.generation is None and (
            self.start is None or self.end is None or self.end < self.start
        ):
            raise ValueError("start and end go together, start <= end")
        return self


class Crossing(Table):
    """Where along the arm's grid the measure passes a value."""

    value: float
    between: Annotated[list[float], Field(min_length=2, max_length=2)]


class Claim(Table):
    """A quantitative statement, judged on the run's own data."""

    says: Annotated[str, Field(min_length=1)]
    measure: str = Field(
        description="a trajectory column, or 'assay.NAME', 'ledger.QUANTITY.COLUMN', "
        "'context.NAME.COLUMN', 'score.PREDICTOR'; 'A - B'; 'MEASURE > NUMBER' (1 in a replicate "
        "where true, else 0); two such with 'before' between them (1 where the first comes true in "
        "an earlier recorded generation); 'differs.MEASURE' with minus (1 where two arms differ "
        "in any bit; with a number: in which generations pass it)"
    )
    arm: Name | None = Field(default=None, description="arm (or arm cell) that is judged")
    minus: Name | None = Field(default=None, description="paired difference with this arm")
    over: Name | None = Field(default=None, description="ratio to this arm's mean")
    apart: Annotated[list[Name], Field(min_length=2, max_length=2)] | None = Field(
        default=None,
        description="goes with 'before': an arm where only the first event can happen, and one "
        "where only the second can; what two independent events of these times would give is "
        "subtracted",
    )
    statistic: Literal["value", "change", "slope", "time"] = Field(
        default="value",
        description="value at `at`; change since generation 0; slope per generation over the "
        "window; time: first recorded generation at which the measure `reaches` a value",
    )
    reaches: float | None = Field(default=None, description="goes with statistic = 'time'")
    at: At | None = Field(default=None, description="default: the last generation")
    cell: dict[str, float] = Field(
        default_factory=dict, description="grid arm: the cell that is judged, key = value"
    )
    above: float | None = None
    below: float | None = None
    between: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    equals: float | None = None
    margin: Positive | None = Field(default=None, description="goes with equals")
    crosses: Crossing | None = None
    trend: Literal["increasing", "decreasing"] | None = Field(
        default=None, description="slope of the measure over the grid arm's parameter"
    )
    monotone: Literal["increasing", "decreasing"] | None = Field(
        default=None, description="every step along the grid goes this way, within `margin`"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    interval: Literal["auto", "t", "bca", "exact"] = Field(
        default="auto", description="auto: exact (Clopper-Pearson) for 0/1 measures, else t"
    )
    refuted: str | None = Field(
        default=None, description="the reason found; shows as fails and does not trip --strict"
    )

    @model_validator(mode="after")
    def _sound(self) -> Claim:
        keys = ("above", "below", "between", "equals", "crosses", "trend", "monotone")
        given = [k for k in keys if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one comparison of {', '.join(keys)}")
        if self.equals is not None and self.margin is None:
            raise ValueError("equals needs a margin (equivalence is never p > 0.05)")
        if self.margin is not None and given[0] not in ("equals", "monotone"):
            raise ValueError("margin goes with equals or monotone")
        if self.minus is not None and self.over is not None:
            raise ValueError("give minus or over, not both")
        if self.apart is not None and (self.minus is not None or self.over is not None):
            raise ValueError("give apart, or minus or over")
        if (self.statistic == "time") != (self.reaches is not None):
            raise ValueError("statistic = 'time' and reaches go together")
        if self.between is not None and not self.between[0] < self.between[1]:
            raise ValueError("between = [low, high] needs low < high")
        return self
