"""What a scenario file may say of knowledge, lifetime learning and the cultural channel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evosim.scenario.base import Name, NonNegative, Probability, Table

#: A capacity that no life's knowledge reaches.
UNLIMITED = 1_000_000_000


class Knowledge(Table):
    """What agents can know, how much of it a life finds, and what it is worth."""

    pool: Literal["finite", "open", "counted", "skill", "values"] = Field(
        default="finite",
        description="finite: the same `items` for all; open: every find is a new item; counted: "
        "as open, but only the number that an agent knows is kept (exact with one model); skill: "
        "one number, imitated with error; values: what a model-free mind learned of its actions, "
        "row by row (a row is a percept); learning, its cost and payoff are the mind's and the "
        "world's own",
    )
    items: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="finite: items of the pool; open: room for the items that are known at once; "
        "counted, skill, values: none",
    )
    learnable: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="finite: only the first so many can be found in a life"
    )
    learning: NonNegative = Field(
        default=0.0,
        description="items that a life finds on average (finite: times the share not yet known); "
        "skill: what a life adds to it; where generations overlap, in each generation of it",
    )
    learning_cost: NonNegative = Field(
        default=0.0, description="criterion lost per item (or unit of skill) found in life"
    )
    payoff: float = Field(
        default=0.0,
        description="payoff per episode for each item known at death, innate, received or found",
    )
    gene: Name | None = Field(
        default=None, description="gene of bits: item k is innate where bit k is 1"
    )
    innate: Literal["masked", "disjoint"] = Field(
        default="disjoint",
        description="masked: bit k is item k of the pool, known only once; disjoint: the gene's "
        "items are others than the pool's",
    )

    @model_validator(mode="after")
    def _sound(self) -> Knowledge:
        if (self.items is None) != (self.pool in ("counted", "skill", "values")):
            raise ValueError("items goes with pools finite and open, which need it")
        if self.pool == "skill" and self.gene is not None:
            raise ValueError("a gene of innate items goes with pools of items, not with a skill")
        if self.learnable is not None:
            if self.pool != "finite":
                raise ValueError("learnable goes with a finite pool")
            if self.learnable > (self.items or 0):
                raise ValueError("learnable is at most items")
        if self.innate == "masked" and (self.pool != "finite" or self.gene is None):
            raise ValueError("innate = 'masked' goes with a finite pool and a gene")
        return self


class Channel(Table):
    """How newborns take over what agents of the previous generation knew when they died."""

    copying: Probability = Field(
        default=1.0,
        description="chance that a newborn copies at all (0: closed); a gene 'copying' stands in",
    )
    fidelity: Probability = Field(
        default=1.0,
        description="chance that an item of a model is received; a gene 'fidelity' stands in",
    )
    models: Annotated[int, Field(ge=0, le=64)] = Field(
        default=1,
        description="models of a newborn, drawn with replacement; a gene 'models' stands in, "
        "rounded",
    )
    capacity: Annotated[int, Field(ge=0, le=UNLIMITED)] = Field(
        default=UNLIMITED,
        description="most items that are received; of more a random part is kept (default: no "
        "limit)",
    )
    path: Literal["oblique", "vertical"] = Field(
        default="oblique",
        description="models are any agents of the previous generation, or the parents",
    )
    choice: Literal["random", "payoff", "conformist", "best", "prestige"] = Field(
        default="random",
        description="oblique models: at random; in proportion to exp(strength * payoff); at "
        "random, with only the items that most of them know; the one of `candidates` random "
        "agents with the most payoff; with chance `strength` whom an earlier newborn chose, else "
        "at random",
    )
    candidates: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=1,
        description="best: agents among which each model is the best; 0: the whole generation",
    )
    strength: float = Field(
        default=1.0,
        description="payoff: how strongly payoff draws copiers; prestige: how often a model is "
        "chosen because others chose it (1: all newborns have the same one)",
    )
    peers: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0,
        description="horizontal path: newborns that each newborn then copies as well, chosen as "
        "the models are (at random where that reads payoff, which they do not have yet)",
    )
    teaching: Probability = Field(
        default=0.0,
        description="effort of models: chance that an item that would be lost arrives after all "
        "(skill: share of `loss` that it saves); a model's gene 'teaching' stands in",
    )
    teaching_cost: NonNegative = Field(
        default=0.0,
        description="criterion lost per unit of effort in teaching and item known at death",
    )
    critical: Probability = Field(
        default=1.0,
        description="share of learning that an agent who copied still does (0: who copies never "
        "looks for what it lacks); a gene 'critical' stands in",
    )
    cost: NonNegative = Field(default=0.0, description="criterion lost per item received")
    time: NonNegative = Field(
        default=0.0,
        description="share of a life that receiving z items takes: time * z^rise; only the rest "
        "is left for learning, and no more is received than there is time for",
    )
    rise: NonNegative = Field(
        default=1.0, description="how that time rises with what is received (0: not at all)"
    )
    compression: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=1.0,
        description="counted pool: factor by which the volume of an item, which takes the time, "
        "shrinks each time it is passed on",
    )
    noise: NonNegative = Field(
        default=0.0, description="values: standard deviation of the error of each that is received"
    )
    loss: float = Field(
        default=0.0,
        description="skill: by how much a learner's likeliest skill falls short of its models' "
        "mean (times fidelity)",
    )
    spread: NonNegative = Field(
        default=0.0, description="skill: scale of the Gumbel error of imitation"
    )

    @model_validator(mode="after")
    def _sound(self) -> Channel:
        if self.path == "vertical" and self.choice not in ("random", "conformist"):
            raise ValueError("parents are not chosen: choice = 'random' or 'conformist'")
        if self.path == "vertical" and self.models > 2:
            raise ValueError("there are at most two parents: models = 1 or 2")
        if self.choice != "best" and self.candidates != 1:
            raise ValueError("candidates goes with choice = 'best'")
        if self.choice not in ("payoff", "prestige") and self.strength != 1.0:
            raise ValueError("strength goes with choice = 'payoff' or 'prestige'")
        if self.choice == "prestige" and not 0.0 <= self.strength <= 1.0:
            raise ValueError("strength of prestige is a chance: 0 to 1")
        if self.choice == "conformist" and self.teaching > 0.0:
            raise ValueError("most of several models are no teacher: teaching = 0")
        if self.compression < 1.0 and self.time == 0.0:
            raise ValueError("compression goes with time: what it saves is time")
        return self
