"""F6: the effect follows its dose.

The effect's arm is run at every declared value of the dose's parameter, with shared seeds. Every
step must go in the declared direction within the effect's margin (the whole interval of the
paired difference above minus the margin), and from the first value to the last the measure must
move that way by more than the margin: an effect that is put in as a constant still leaves room
for a dose to add a little. (The threshold that theory predicts is a matter of claims.)
"""

from __future__ import annotations

from itertools import pairwise

from evosim.antifake.measure import F64, Measures, interval_of
from evosim.antifake.row import Row, effect_of, excused, judged
from evosim.errors import UserError
from evosim.scenario import Scenario


def check_dose(scenario: Scenario, measures: Measures | None = None) -> Row:
    """Check F6.

    Parameters
    ----------
    scenario : Scenario
    measures : Measures, optional
        Values that further checks share.

    Returns
    -------
    Row
        Its number is the change of the mean from the first dose to the last.

    Raises
    ------
    UserError
        Without an effect, or where it declares neither a dose nor a reason for that.
    """
    effect = effect_of(scenario)
    if (row := excused(scenario, "F6")) is not None:
        return row
    dose = effect.dose
    if dose is None:
        raise UserError(
            "declares no dose that the effect follows",
            file=scenario.path,
            key="effect.dose",
            allowed="key, values and direction, or a reason in effect.not_applicable.F6",
        )
    measures = measures or Measures(scenario)
    sign = 1.0 if dose.direction == "increasing" else -1.0
    arms = [measures.arm(changes={dose.key: value}) for value in dose.values]

    def change(one: int, two: int, replicates: int) -> F64:
        first, second = (measures.values(arms[k], replicates) for k in (one, two))
        return sign * (second - first)

    steps = [
        measures.enough(lambda n, a=a, b=b: change(a, b, n), effect.margin)  # type: ignore[misc]
        for a, b in pairwise(range(len(arms)))
    ]
    whole = change(0, len(arms) - 1, measures.first)
    wrong = [
        f"from {dose.values[k]:g} to {dose.values[k + 1]:g}"
        for k, step in enumerate(steps)
        if not interval_of(step).low > -effect.margin
    ]
    moved = interval_of(whole).low > effect.margin
    means = [measures.values(arm, measures.first).mean() for arm in arms]
    curve = ", ".join(f"{v:g}: {m:.3f}" for v, m in zip(dose.values, means, strict=True))
    reason = f"{dose.direction} in {dose.key}? {curve}"
    reason += "".join(f"; not {step}" for step in wrong)
    reason += "" if moved else "; no more than the margin from first to last"
    return judged(scenario, "F6", moved and not wrong, reason, sign * float(whole.mean()))
