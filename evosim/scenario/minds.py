"""What a scenario file may say of the mind: how an agent decides, and what it learns from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from evosim.scenario.base import Name, NonNegative, Positive, Probability, Table

_OVERRIDE = "; a gene of that name overrides it"


class ReflexMind(Table):
    """Acts on what it perceives now: a policy over cues, with or without learning."""

    genes: ClassVar[tuple[str, ...]] = ("policy", "learning_rate", "temperature")

    kind: Literal["reflex"] = "reflex"
    policy: Literal["linear", "mlp"] = "linear"
    hidden: Annotated[int, Field(ge=1, le=8)] = Field(default=4, description="mlp: tanh units")
    choice: Literal["softmax", "greedy"] = "softmax"
    temperature: Positive = Field(
        default=1.0, description="softmax temperature (a gene of that name overrides it)"
    )
    learning: Literal["none", "reinforce", "cross"] = "none"
    learning_rate: NonNegative = Field(
        default=0.0, description="step of the update rule (a gene of that name overrides it)"
    )
    advantage: Literal["return", "centred", "normalised"] = Field(
        default="return",
        description="reinforce: the return itself, minus its running mean, or that over the root "
        "mean square of returns",
    )
    baseline: float = Field(
        default=0.0, description="reinforce, advantage = 'return': subtracted from every return"
    )
    entropy: NonNegative = Field(
        default=0.0,
        description="reinforce: bonus for uncertain choices; minus its product with the log "
        "probability of every action done is added to the return",
    )

    @model_validator(mode="after")
    def _sound(self) -> ReflexMind:
        for key in ("baseline", "entropy"):
            if getattr(self, key) != 0.0 and self.learning != "reinforce":
                raise ValueError(f"{key} goes with learning = 'reinforce'")
        if self.baseline != 0.0 and self.advantage != "return":
            raise ValueError("baseline goes with advantage = 'return': others have their own")
        return self


class _Chooser(Table):
    """How values become choices."""

    choice: Literal["softmax", "greedy", "epsilon-greedy"] = Field(
        default="softmax", description="the best of equals are chosen alike"
    )
    temperature: Positive = Field(default=1.0, description=f"softmax{_OVERRIDE}")
    epsilon: Probability = Field(
        default=0.1, description=f"epsilon-greedy: chance of a uniform draw{_OVERRIDE}"
    )
    discount: Probability = Field(default=1.0, description=f"worth of the next step{_OVERRIDE}")


class ModelFreeMind(_Chooser):
    """Learns what actions are worth from rewards, without a model of what they lead to."""

    genes: ClassVar[tuple[str, ...]] = (
        "policy", "learning_rate", "temperature", "discount", "trace", "optimism", "epsilon",
        "actor_rate",
    )  # fmt: skip

    kind: Literal["model-free"]
    rule: Literal["q", "sarsa", "actor-critic"] = Field(
        default="q",
        description="Q-learning, SARSA (values of actions per percept), or an actor over cues "
        "with a critic per percept",
    )
    credit: Literal["bootstrapped", "episodic"] = Field(
        default="bootstrapped",
        description="episodic: every visit moves towards the return that followed it, at the end "
        "of the episode",
    )
    feedback: Literal["chosen", "full"] = Field(
        default="chosen",
        description="full: after each step it is also seen what the actions not taken would have "
        "brought there (an outcome drawn for each), and their values move by one step as well",
    )
    learning_rate: Probability = Field(default=0.1, description=f"step of the values{_OVERRIDE}")
    trace: Probability = Field(
        default=0.0, description=f"lambda: how far credit reaches back at once{_OVERRIDE}"
    )
    optimism: float = Field(default=0.0, description=f"what values start at{_OVERRIDE}")
    actor_rate: NonNegative | None = Field(
        default=None, description="actor-critic: step of the policy (default: learning_rate)"
    )

    @model_validator(mode="after")
    def _sound(self) -> ModelFreeMind:
        if self.credit == "episodic" and self.trace > 0:
            raise ValueError("episodic credit has no trace: it reaches back over the whole episode")
        if self.actor_rate is not None and self.rule != "actor-critic":
            raise ValueError("actor_rate goes with rule = 'actor-critic'")
        if self.feedback == "full" and (self.rule != "q" or self.credit == "episodic"):
            raise ValueError(
                "feedback = 'full' goes with rule = 'q' and bootstrapped credit: what would have "
                "been done next is not seen"
            )
        return self


class _Planner(_Chooser):
    """Plans over a tabular model by backward induction to a fixed depth."""

    genes: ClassVar[tuple[str, ...]] = (
        "utility", "learning_rate", "temperature", "discount", "epsilon", "depth", "leaf_value",
        "untried", "value_rate",
    )  # fmt: skip

    depth: Annotated[int, Field(ge=0, le=8)] = Field(
        default=2, description=f"steps looked ahead (a gene is rounded down){_OVERRIDE}"
    )
    model: Literal["given", "learned"] = Field(
        default="given",
        description="given: what actions lead to, and what that brings as a rule, is known from "
        "birth; learned: counted. What entering a place brought beyond that is always learned",
    )
    learning_rate: Probability | None = Field(
        default=None,
        description="step of what is learned of places (default: the mean of all that happened)",
    )
    leaf: Literal["constant", "learned"] = Field(
        default="constant", description="learned: values of percepts by temporal differences"
    )
    leaf_value: float = Field(
        default=0.0, description=f"worth of a place at the horizon{_OVERRIDE}"
    )
    untried: float = Field(
        default=0.0, description=f"learned model: worth of an action never tried{_OVERRIDE}"
    )
    value_rate: Probability = Field(default=0.1, description=f"step of learned leaves{_OVERRIDE}")
    features: dict[Name, dict[str, float]] = Field(
        default_factory=dict,
        description="what the gene `utility` weighs: feature = value by state or map symbol",
    )


class LookaheadMind(_Planner):
    """Looks some steps ahead; with a gene `utility` it has ends of its own over outcomes.

    With a gene `policy` it has preferences over cues as well, and the logit of an action is
    that of the policy plus `plan_weight` times what the plan says over the temperature (as in
    Daw et al. 2011, Neuron 69: 1204). A gene `misjudgement` (a number per percept and action,
    say with environmental noise) is added to what the plan says.

    Where reward is payoff the plan estimates the agent's own fitness, and `plan_weight` says how
    far it pursues that, from 0 (a reflex: no plan is made) on. A `cost` of that gene is paid by
    carriers, per unit of weight; on the scale 'threshold' agents have the estimate or have not.
    """

    genes: ClassVar[tuple[str, ...]] = (*_Planner.genes, "policy", "plan_weight", "misjudgement")

    kind: Literal["lookahead"]
    plan_weight: float = Field(
        default=1.0, description=f"of the plan against preferences over cues{_OVERRIDE}"
    )


class AbstractMind(_Planner):
    """Looks ahead, but where places show a topic it values options by the topic alone."""

    genes: ClassVar[tuple[str, ...]] = (*_Planner.genes, "optimism")

    kind: Literal["abstract"]
    topics: Annotated[list[Name], Field(min_length=1)] = Field(
        description="cues that name a topic; a place shows the first of them that it has"
    )
    optimism: float = Field(default=0.0, description=f"worth of an option never used{_OVERRIDE}")


class ReflectiveMind(_Planner):
    """Looks ahead, labels topics to avoid, and forbids itself the ways that lead to them."""

    genes: ClassVar[tuple[str, ...]] = (*_Planner.genes, "trust", "alarm")

    kind: Literal["reflective"]
    topics: Annotated[list[Name], Field(min_length=1)] = Field(
        description="cues that name a topic; a place shows the first of them that it has"
    )
    alarm: Positive = Field(
        default=1.0,
        description=f"a reward this much below the expected one labels its topic{_OVERRIDE}",
    )
    told: list[Name] = Field(
        default_factory=list, description="topics that agents are told from birth to avoid"
    )
    trust: Probability = Field(
        default=1.0, description=f"chance that a told label is heeded, at each choice{_OVERRIDE}"
    )

    stores: bool = Field(
        default=False,
        description="what is met under an avoid label is stored all the same, and the label goes "
        "once a place that shows it proved no worse than the alarm",
    )

    @model_validator(mode="after")
    def _known(self) -> ReflectiveMind:
        for name in self.told:
            if name not in self.topics:
                raise ValueError(f"told '{name}' is none of the topics {', '.join(self.topics)}")
        return self


class UserMind(Table):
    """A mind registered in Python under its `kind`, with its own numeric parameters."""

    kind: Name
    parameters: dict[Name, float] = Field(default_factory=dict)


_BUILT_IN = ("reflex", "model-free", "lookahead", "abstract", "reflective")


def _mind_kind(value: Any) -> str:
    kind = value.get("kind", "reflex") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in _BUILT_IN else "user"


Mind = Annotated[
    Annotated[ReflexMind, Tag("reflex")]
    | Annotated[ModelFreeMind, Tag("model-free")]
    | Annotated[LookaheadMind, Tag("lookahead")]
    | Annotated[AbstractMind, Tag("abstract")]
    | Annotated[ReflectiveMind, Tag("reflective")]
    | Annotated[UserMind, Tag("user")],
    Discriminator(_mind_kind),
]
PlannerMind = LookaheadMind | AbstractMind | ReflectiveMind
