"""What a scenario file may say of its world: kind, contexts, cues."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from evosim.scenario.base import Name, NonNegative, Positive, Probability, Table

Direction = Literal["left", "right", "up", "down", "stay"]
#: What may be handed to the maker of an environment.
Argument = bool | int | float | str | list[str] | list[float]


class Symbol(Table):
    """What a letter of a grid map does to an agent that enters its cell."""

    payoff: float = Field(default=0.0, description="payoff on entering (what selection counts)")
    reward: float = Field(default=0.0, description="reward on entering (what a learner receives)")
    goal: float = Field(default=0.0, description="the designer's intent; observer only")
    terminal: bool = Field(default=False, description="entering ends the episode")
    once: bool = Field(default=False, description="payoff and reward only the first time in a life")
    wall: bool = Field(default=False, description="cannot be entered")
    region: Name | None = Field(default=None, description="label of the cell; observer only")


class _Episodic(Table):
    steps: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1, description="longest episode, in steps"
    )
    episodes: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="episodes per life, whose contexts are drawn per agent (default: 1, or what "
        "the blocks sum to)",
    )
    context_per: Literal["episode", "life"] = Field(
        default="episode", description="how often the context is drawn"
    )
    step_payoff: float = Field(
        default=0.0, description="payoff added at every step (a cost if negative)"
    )
    step_reward: float = Field(default=0.0, description="reward added at every step")


class GridWorld(_Episodic):
    """Cells of an ASCII map; `#` is a wall, `.` or a blank is floor, `S` a start."""

    kind: Literal["grid"]
    actions: list[Direction] | None = Field(
        default=None, description="default: the directions in which some map allows a move"
    )
    slip: Probability = Field(
        default=0.0,
        description="probability that a move goes in a direction drawn from the other actions",
    )
    symbols: dict[str, Symbol] = Field(default_factory=dict)


class ChainWorld(_Episodic):
    """States 0..length-1 in a row; the last one ends the episode and pays."""

    kind: Literal["chain"]
    length: Annotated[int, Field(ge=2, le=10_000)]
    actions: list[Name] = Field(default_factory=lambda: ["forward", "back"])
    back: Literal["step", "reset", "stay", "end"] = Field(
        default="step", description="what every action but the first does"
    )
    start: Annotated[int, Field(ge=0)] = 0
    slip: Probability = Field(default=0.0, description="probability that a move has no effect")
    payoff: float = Field(default=1.0, description="on reaching the last state")
    reward: float = 0.0
    goal: float = 0.0
    once: bool = False


class BanditWorld(_Episodic):
    """One decision per step in one state; each context says what each action brings."""

    kind: Literal["bandit"]
    actions: Annotated[list[Name], Field(min_length=2)]


class Transition(Table):
    """One possible outcome of an action: where it leads and what it brings."""

    from_: Name | list[Name] = Field(alias="from")
    action: Name | list[Name] | None = Field(default=None, description="default: every action")
    to: Name = Field(description="a state, or 'end' for an unnamed terminal state")
    p: Probability | Name = Field(
        default=1.0,
        description="probability, the name of one of the world's chances, or 'rest': what the "
        "other outcomes leave; outcomes of one action sum to 1",
    )
    payoff: float = 0.0
    reward: float = 0.0
    goal: float = 0.0
    once: bool = False


class GraphWorld(_Episodic):
    """Named states and explicit transitions, given per context or for all contexts."""

    kind: Literal["graph"]
    actions: Annotated[list[Name], Field(min_length=1)]
    start: Name | dict[Name, Probability]
    chances: dict[Name, Probability] = Field(
        default_factory=dict, description="named probabilities that transitions refer to"
    )
    transitions: list[Transition] = Field(
        default_factory=list, description="transitions that hold in every context"
    )
    percepts: dict[Name, list[Name]] = Field(
        default_factory=dict,
        description="label = states that agents cannot tell apart (their cues must agree)",
    )
    regions: dict[Name, list[Name]] = Field(
        default_factory=dict, description="label = states; observer only"
    )


class SiegeWorld(_Episodic):
    """A game of two players over material and sharpness; the opponent's play is solved for.

    Contexts say what `win`, `loss` and `hold` (a turn that ends with no less material than the
    opponent's) bring: ``payoff = { win = 1, hold = 0.1 }``.
    """

    kind: Literal["siege"]
    material: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="how far a side can be ahead; from there an attack can mate"
    )
    sharpness: Annotated[int, Field(ge=1, le=20)] = Field(
        default=2, description="sharpness that an attack must reach to mate"
    )
    error: Probability = Field(
        default=0.0, description="chance that the opponent does not play its best move"
    )


class Factor(Table):
    """A part of a state's number: how many values it has."""

    name: Name
    size: Annotated[int, Field(ge=1)]


class GymnasiumWorld(_Episodic):
    """A Gymnasium environment that says its transitions (`env.unwrapped.P`), read as tables.

    States are called by their numbers there. What its `step` does beyond `P` is not seen.
    """

    kind: Literal["gymnasium"]
    id: Annotated[str, Field(min_length=1)] = Field(description="as registered: 'Taxi-v4'")
    arguments: dict[Name, Argument] = Field(
        default_factory=dict, description="keywords that the environment is made with"
    )
    steps: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="longest episode, in steps (the environment's own limit is not read)"
    )
    actions: list[Name] | None = Field(
        default=None, description="names of the actions in order (default: their numbers)"
    )
    start: Name | dict[Name, Probability] | None = Field(
        default=None, description="start state (default: `initial_state_distrib`)"
    )
    factors: list[Factor] = Field(
        default_factory=list,
        description="parts that a state's number is made of, the slowest first: "
        "number = (first * size of second + second) * ...",
    )
    payoff: float = Field(default=1.0, description="payoff per unit of the environment's reward")
    reward: float = Field(default=0.0, description="as payoff, for learners")
    goal: float = Field(default=0.0, description="as payoff; observer only")
    regions: dict[Name, list[Name]] = Field(
        default_factory=dict, description="label = states; observer only"
    )


class Peak(Table):
    """A network of bit genotypes of equal height (a flat peak when few loci are essential)."""

    height: float = Field(description="payoff of every genotype of the network")
    value: Literal[0, 1] = Field(description="the value that each essential locus must have")
    essential: Annotated[int, Field(ge=1)] = Field(
        description="how many loci, counted from the first, must have the value"
    )
    shoulder: float | None = Field(
        default=None,
        description="payoff of genotypes one essential locus away (default: elsewhere)",
    )


class LandscapeWorld(Table):
    """Payoff straight from genes: no states, one evaluation per life."""

    kind: Literal["landscape"]
    shape: Literal["linear", "quadratic", "threshold", "peaks", "flat"] = Field(
        description="linear: sum of weight * value; quadratic: minus the squared distance over "
        "2 width^2; threshold: 1 above the threshold of the sum, else 0; peaks: bit networks; "
        "flat: the height, whatever the genes (what is known may pay)"
    )
    gene: Name = "trait"
    weights: float | list[float] = Field(default=1.0, description="per locus (linear, threshold)")
    optimum: float | list[float] = Field(default=0.0, description="per locus (quadratic)")
    width: Positive | list[Positive] = Field(default=1.0, description="per locus (quadratic)")
    height: float = Field(default=0.0, description="payoff added for everyone")
    threshold: float = 0.0
    noise: NonNegative = Field(
        default=0.0, description="sd of the environmental noise on the sum (linear, threshold)"
    )
    peaks: list[Peak] = Field(default_factory=list)
    elsewhere: float = Field(default=0.0, description="payoff off every peak; 0 is lethal")


class UserWorld(_Episodic):
    """A world registered in Python under its `kind`, with its own numeric parameters."""

    kind: Name
    parameters: dict[Name, float] = Field(default_factory=dict)


_BUILT_IN = ("grid", "chain", "bandit", "graph", "siege", "gymnasium", "landscape")


def _kind_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in _BUILT_IN else "user"


World = Annotated[
    Annotated[GridWorld, Tag("grid")]
    | Annotated[ChainWorld, Tag("chain")]
    | Annotated[BanditWorld, Tag("bandit")]
    | Annotated[GraphWorld, Tag("graph")]
    | Annotated[SiegeWorld, Tag("siege")]
    | Annotated[GymnasiumWorld, Tag("gymnasium")]
    | Annotated[LandscapeWorld, Tag("landscape")]
    | Annotated[UserWorld, Tag("user")],
    Discriminator(_kind_of),
]


class Chance(Table):
    """A value that comes with probability p, else 0 (a stochastic outcome of a bandit)."""

    p: Probability
    value: float


class Context(Table):
    """One table of the world an episode can be lived in."""

    name: Name
    frequency: Probability = Field(
        default=0.0, description="share of training episodes; 0 makes it a novel context"
    )
    map: str | None = Field(default=None, description="grid: the ASCII map")
    symbols: dict[str, Symbol] = Field(
        default_factory=dict, description="grid: symbols that differ in this context"
    )
    cues: dict[Name, float] = Field(
        default_factory=dict, description="values of cues declared `context = true`"
    )
    payoff: float | dict[Name, float | Chance] | None = Field(
        default=None,
        description="bandit: per action; chain: on reaching the end; siege: per event; gymnasium: "
        "per unit of the environment's reward",
    )
    reward: float | dict[Name, float | Chance] | None = Field(default=None, description="as payoff")
    goal: float | dict[Name, float] | None = Field(
        default=None, description="as payoff; observer only"
    )
    transitions: list[Transition] = Field(
        default_factory=list, description="graph: added to (or replacing) the common ones"
    )
    start: Name | dict[Name, Probability] | None = Field(
        default=None, description="graph, gymnasium: start state"
    )
    arguments: dict[Name, Argument] = Field(
        default_factory=dict, description="gymnasium: keywords that differ in this context"
    )
    parameters: dict[Name, float] = Field(
        default_factory=dict, description="user worlds: parameters that differ in this context"
    )


class Cue(Table):
    """One thing an agent perceives; exactly one source key, and how often it is visible."""

    value: float | None = Field(default=None, description="a constant, the same in every state")
    toward: str | None = Field(
        default=None,
        description="grid: sign (-1, 0, 1) of the way to the nearest cell of this symbol",
    )
    axis: Literal["x", "y"] = Field(default="x", description="grid: the axis of `toward`")
    within: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="grid: `toward` reads 0 where the nearest cell is more columns and rows away "
        "than this, taken together",
    )
    place: Literal["x", "y"] | None = Field(
        default=None,
        description="grid: where on the map, from -1 (the first column or row of places) to 1",
    )
    at: str | None = Field(default=None, description="grid: 1 on a cell of this symbol, else 0")
    beside: str | None = Field(
        default=None, description="grid: 1 next to a cell of this symbol, else 0"
    )
    distance: str | None = Field(
        default=None,
        description="grid: steps to the nearest cell of this symbol over the longest way",
    )
    states: dict[Name, float] | None = Field(
        default=None, description="value by state name (graph, chain: '0', '1', ...), else 0"
    )
    context: bool | None = Field(default=None, description="value given by each context's `cues`")
    one_hot: Literal["state", "context"] | None = Field(
        default=None, description="one column per state (or per context): tells all of them apart"
    )
    factors: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None,
        description="gymnasium: one column per combination of values of these factors",
    )
    visible: Probability = Field(
        default=1.0, description="share of episodes in which the cue is seen; hidden it reads 0"
    )


CueEntry = float | Cue
