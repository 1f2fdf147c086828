"""What learned values as knowledge go with: a mind that has them, and a channel of rows."""

from __future__ import annotations

from evosim.errors import UserError
from evosim.scenario.culture import UNLIMITED
from evosim.scenario.model import ScenarioModel

#: Keys of knowledge and channel that speak of items or skills, with what leaves them out.
_OF_ITEMS: dict[str, dict[str, float | None]] = {
    "knowledge": {"gene": None, "learning": 0.0, "learning_cost": 0.0, "payoff": 0.0},
    "channel": {
        "teaching": 0.0, "teaching_cost": 0.0, "critical": 1.0, "cost": 0.0, "time": 0.0,
    },
}  # fmt: skip


def check_values(model: ScenarioModel) -> None:
    """Check a scenario whose knowledge are learned values.

    Raises
    ------
    UserError
        With the key and what is allowed.
    """
    if model.mind.kind != "model-free" or model.world.kind == "landscape":
        raise UserError(
            "only a model-free mind has a table of values to pass on",
            key="knowledge.pool",
            allowed="another pool, or mind.kind = 'model-free' in a world of states",
        )
    for part, keys in _OF_ITEMS.items():
        table = getattr(model, part)
        for key, off in keys.items():
            if table is not None and getattr(table, key) != off:
                raise UserError(
                    "goes with items that are found and passed on, not with learned values",
                    key=f"{part}.{key}",
                    allowed="nothing",
                )
    if model.trial:
        raise UserError(
            "a trial's lives begin with what genomes say, not with what was received",
            key="trial.0",
            allowed="an assay (when = 'birth': as received; 'death': as learned)",
        )
    if model.channel is None:
        return
    for key in ("teaching", "critical"):
        if key in model.genome:
            raise UserError(
                "goes with items, not with learned values", key=f"genome.{key}", allowed="nothing"
            )
    if model.channel.choice == "conformist":
        raise UserError(
            "values are no items that most know",
            key="channel.choice",
            allowed="random, payoff, best or prestige",
        )
    if model.channel.capacity != UNLIMITED:
        raise UserError(
            "rows are not counted", key="channel.capacity", allowed="channel.fidelity instead"
        )
