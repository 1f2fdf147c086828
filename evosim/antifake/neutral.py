"""F4: with its mechanism switched off the effect is gone.

- selection: everyone has the same fitness.
- learning: nobody learns. Reflexes have no update rule; all else has rates of 0, and a reflective
  planner is alarmed by nothing.
- transmission: no gene with an effect mutates; where there is a channel, nothing passes.

The effect's arm must then give the value of its start by an equivalence test (the whole interval
within the declared margin; Schuirmann 1987), and must not do so with the mechanism on, or there
would be nothing to switch off.
"""

from __future__ import annotations

from typing import Any

from evosim.antifake.measure import Measures
from evosim.antifake.row import Row, effect_of, excused, judged
from evosim.claims.intervals import equivalent
from evosim.errors import UserError
from evosim.scenario import Scenario, ScenarioModel
from evosim.scenario.check_biology import NEUTRAL
from evosim.scenario.minds import ModelFreeMind, ReflectiveMind, ReflexMind, UserMind


def check_neutral(scenario: Scenario, measures: Measures | None = None) -> Row:
    """Check F4.

    Parameters
    ----------
    scenario : Scenario
    measures : Measures, optional
        Values that further checks share.

    Returns
    -------
    Row
        Its number is the mean of the measure without the mechanism.

    Raises
    ------
    UserError
        Where the file declares no effect, or a mechanism that cannot be switched off and no
        reason for that.
    """
    effect = effect_of(scenario)
    if (row := excused(scenario, "F4")) is not None:
        return row
    measures = measures or Measures(scenario)
    arm = measures.arm()
    off = measures.arm(changes=switched_off(scenario, arm.cell.model))
    value, margin = measures.start, effect.margin
    with_it = measures.values(arm, measures.first)
    without = measures.enough(lambda n: measures.values(off, n), margin)
    gone = equivalent(measures.interval(without), value, margin)
    there = not equivalent(measures.interval(with_it), value, margin)
    reason = f"without {effect.mechanism} {measures.told(without)}, start {value:g} +- {margin:g}"
    reason += f"; with it {measures.told(with_it)}" + (
        "" if there else ", which is no effect at all"
    )
    return judged(scenario, "F4", gone and there, reason, float(without.mean()))


def switched_off(scenario: Scenario, model: ScenarioModel) -> dict[str, Any]:
    """Return the changes that switch off the effect's mechanism in an arm.

    Raises
    ------
    UserError
        If it is an identity, or learning in a mind that has no switch for it: one registered by
        a user, one that counts out its model or was told what to avoid, one whose genes set
        rates.
    """
    mechanism = effect_of(scenario).mechanism
    if mechanism == "selection":
        criterion = model.selection.criterion
        return {
            "selection": {
                "kind": "wright-fisher",
                "fitness": {"neutral": True},
                "criterion": criterion,
            }
        }
    if mechanism == "transmission" and model.channel is not None:
        # A gene would stand in for the chance to copy: then nothing fits through the channel.
        closed = {"channel.capacity": 0} if "copying" in model.genome else {"channel.copying": 0.0}
        # Nor may an intervention let them copy later.
        later = [
            {"at": change.at, "set": rest}
            for change in model.intervention
            if (rest := {k: v for k, v in change.set.items() if k not in closed})
        ]
        return {**closed, "intervention": later}
    if mechanism == "transmission":
        genes = [name for name in model.genome if not name.startswith(NEUTRAL)]
        return {f"genome.{name}.mutation": 0.0 for name in genes}
    if mechanism == "learning" and (changes := _unlearning(model)):
        return changes
    raise UserError(
        f"'{mechanism}' cannot be switched off here",
        file=scenario.path,
        key="effect.not_applicable.F4",
        allowed="a reason why F4 does not apply",
    )


#: Genes that would override the rates set to 0.
_RATES = frozenset({"learning_rate", "value_rate", "actor_rate", "alarm"})
#: A disappointment that no world brings.
_UNMOVED = 1e30


def _unlearning(model: ScenarioModel) -> dict[str, Any]:
    """Return the changes that keep an agent what it is at birth; none where there are none."""
    mind = model.mind
    if model.knowledge is not None and getattr(mind, "learning", "none") == "none":
        return {"knowledge.learning": 0.0}
    if isinstance(mind, ReflexMind):
        return {"mind.learning": "none", "mind.learning_rate": 0.0}
    if isinstance(mind, UserMind) or _RATES & set(model.genome):
        return {}
    if isinstance(mind, ModelFreeMind):
        actor = {} if mind.actor_rate is None else {"mind.actor_rate": 0.0}
        return {"mind.learning_rate": 0.0, **actor}
    told = isinstance(mind, ReflectiveMind) and bool(mind.told)
    if mind.model == "learned" or told:
        return {}
    changes = {"mind.learning_rate": 0.0, "mind.value_rate": 0.0}
    if isinstance(mind, ReflectiveMind):
        changes["mind.alarm"] = _UNMOVED
    return changes
