"""What a scenario file may say of population, genome, selection and reproduction."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from evosim.scenario.base import Name, NonNegative, Positive, Probability, Table


class Population(Table):
    """How many agents, in how many independent replicates, for how long."""

    agents: Annotated[int, Field(ge=1, le=50_000_000)] = 500
    replicates: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    generations: Annotated[int, Field(ge=1, le=100_000_000)] = 200
    ploidy: Literal[1, 2] = Field(
        default=1, description="2: two haplotypes, expressed as their mean"
    )
    limit: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="most agents under density regulation (default: 4 times `agents`)"
    )


class Initial(Table):
    """How a gene's loci start; exactly one of the keys (`share` goes with `values`)."""

    value: float | list[float] | None = Field(
        default=None,
        description="the same in every agent; a list has one number per locus (a linear policy's "
        "loci go by action, then by cue in alphabetical order)",
    )
    normal: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="[mean, sd] per locus"
    )
    uniform: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="[low, high] per locus"
    )
    probability: Probability | None = Field(
        default=None, description="bits: chance of a 1 per locus"
    )
    share: Probability | None = Field(
        default=None,
        description="exactly this share of the agents starts with values[1], the rest [0]",
    )
    values: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Initial:
        given = [
            k
            for k in ("value", "normal", "uniform", "probability", "share")
            if getattr(self, k) is not None
        ]
        if len(given) != 1:
            raise ValueError("give exactly one of value, normal, uniform, probability, share")
        if (self.share is None) != (self.values is None):
            raise ValueError("share and values = [rest, share] go together")
        if self.normal is not None and self.normal[1] < 0:
            raise ValueError("the sd in normal = [mean, sd] must be >= 0")
        if self.uniform is not None and self.uniform[0] > self.uniform[1]:
            raise ValueError("uniform = [low, high] needs low <= high")
        return self


class Gene(Table):
    """A named block of loci and how it starts, mutates, is expressed and costs."""

    kind: Literal["real", "bits"] = "real"
    loci: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="default: as many as the mind or the world needs"
    )
    initial: Initial = Field(default_factory=lambda: Initial(value=0.0))
    mutation: NonNegative = Field(
        default=0.0, description="real: sd of the normal step; bits: flip probability per locus"
    )
    mutation_rate: Probability = Field(default=1.0, description="real: chance of a step per locus")
    scale: Literal["linear", "log", "logit", "threshold"] = Field(
        default="linear",
        description="expressed value: x, exp(x), 1/(1 + exp(-x)), or 1 where x > 0 and else 0 (a "
        "threshold character: x is its liability; the share that has it is GENE.expressed)",
    )
    noise: NonNegative = Field(
        default=0.0,
        description="sd of the environmental noise on the expressed value; not inherited",
    )
    bounds: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="[low, high]: mutants are reflected back inside"
    )
    cost: float = Field(
        default=0.0,
        description="criterion lost per unit of |expressed value|, summed over the loci",
    )

    @model_validator(mode="after")
    def _sound(self) -> Gene:
        if self.kind == "bits":
            if self.mutation > 1:
                raise ValueError("mutation of bits is a probability: between 0 and 1")
            if self.noise or self.bounds or self.scale != "linear" or self.mutation_rate != 1.0:
                raise ValueError("noise, bounds, scale and mutation_rate belong to real genes")
            if self.initial.normal or self.initial.uniform:
                raise ValueError("bits start by value, probability, or share and values")
        elif self.initial.probability is not None:
            raise ValueError("initial probability belongs to bits; real genes: normal, uniform")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError("bounds = [low, high] needs low < high")
        return self


class Fitness(Table):
    """How the criterion x becomes expected offspring; exactly one of the keys."""

    exponential: float | None = Field(default=None, description="beta: fitness exp(beta x)")
    proportional: float | None = Field(default=None, description="b: fitness baseline + b x")
    baseline: float = Field(default=0.0, description="goes with proportional")
    neutral: bool | None = Field(default=None, description="true: everyone has fitness 1")

    @model_validator(mode="after")
    def _one_key(self) -> Fitness:
        given = [k for k in ("exponential", "proportional", "neutral") if getattr(self, k)]
        if self.exponential == 0.0 or self.proportional == 0.0:
            given.append("zero")
        if len(given) != 1:
            raise ValueError("give exactly one of exponential, proportional, neutral = true")
        return self


class RewardCell(Table):
    """Acts that an observer of episodes counts as one kind of outcome."""

    name: Name
    at: Annotated[list[Name], Field(min_length=1)] = Field(description="states")
    action: Name | None = Field(default=None, description="what is done there (default: anything)")
    group: Name | None = Field(
        default=None, description="cells that stand in for this one while nobody produced it"
    )
    value: float | None = Field(
        default=None, description="what it is worth, known beforehand; else it is fitted"
    )

    @model_validator(mode="after")
    def _fitted_or_known(self) -> RewardCell:
        if self.value is not None and self.group is not None:
            raise ValueError("group goes with cells that are fitted: leave out group or value")
        return self


class RewardModel(Table):
    """A model of payoff, fitted every generation to what agents produced; it is what selects.

    The payoff of a life is regressed on how often each cell occurred in it.
    """

    cells: Annotated[list[RewardCell], Field(min_length=1, max_length=64)]
    memory: Probability = Field(
        default=1.0, description="weight of the past, generation by generation (1: all alike)"
    )
    prior: NonNegative = Field(
        default=0.0, description="occurrences that a group's mean counts for in each of its cells"
    )
    audit: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0,
        description="fit to so many lives per generation of choices at random, not to the agents'",
    )

    @model_validator(mode="after")
    def _names(self) -> RewardModel:
        names = [cell.name for cell in self.cells]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two cells are called '{twice}'")
        if all(cell.value is not None for cell in self.cells):
            raise ValueError("nothing is to be fitted: give a cell without value")
        return self


class _Scheme(Table):
    criterion: Literal["mean", "sum"] = Field(
        default="mean", description="payoff per episode averaged, or summed, over the life"
    )
    model: RewardModel | None = Field(
        default=None, description="the criterion is payoff as this model predicts it"
    )


class WrightFisher(_Scheme):
    """Each offspring draws its parent in proportion to fitness."""

    kind: Literal["wright-fisher"]
    fitness: Fitness


class Moran(_Scheme):
    """As many birth-death events as agents: a birth by fitness, a death at random.

    Survivors keep what they know; newborns learn from those who lived when the events began.
    """

    kind: Literal["moran"]
    fitness: Fitness


class Truncation(_Scheme):
    """The best `fraction` (or all at or above `threshold`) breed, each alike."""

    kind: Literal["truncation"]
    fraction: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    threshold: float | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Truncation:
        if (self.fraction is None) == (self.threshold is None):
            raise ValueError("give exactly one of fraction and threshold")
        return self


class Tournament(_Scheme):
    """Each offspring's parent is the best of `size` agents drawn at random."""

    kind: Literal["tournament"]
    size: Annotated[int, Field(ge=1, le=1_000)] = 3


class Density(_Scheme):
    """Poisson offspring with mean fitness * exp(-n / capacity): N varies, may go extinct."""

    kind: Literal["density"]
    fitness: Fitness
    capacity: Positive


class Replay(_Scheme):
    """Parents are those recorded in another arm, whatever the payoff here."""

    kind: Literal["replay"]
    of: Name = Field(description="the arm whose pedigree is replayed")


class UserScheme(_Scheme):
    """A selection scheme registered in Python under its `kind`."""

    kind: Name
    parameters: dict[Name, float] = Field(default_factory=dict)


_SCHEMES = ("wright-fisher", "moran", "truncation", "tournament", "density", "replay")


def _scheme_kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in _SCHEMES else "user"


Selection = Annotated[
    Annotated[WrightFisher, Tag("wright-fisher")]
    | Annotated[Moran, Tag("moran")]
    | Annotated[Truncation, Tag("truncation")]
    | Annotated[Tournament, Tag("tournament")]
    | Annotated[Density, Tag("density")]
    | Annotated[Replay, Tag("replay")]
    | Annotated[UserScheme, Tag("user")],
    Discriminator(_scheme_kind),
]


class Reproduction(Table):
    """One parent per offspring, or two whose genomes recombine."""

    kind: Literal["clonal", "recombining"] = "clonal"
    recombination: Literal["free", "one-point", "midparent"] = Field(
        default="free",
        description="recombining: each locus from either parent, one crossover point, or the "
        "parents' mean (infinitesimal model; the gene's mutation is the segregation sd)",
    )
