"""F8: before anything evolved the measure is at its declared start.

The population of generation 0 lives, and the mean of the measure over replicates, plus or minus
three standard errors, must lie within the declared margin of the declared value.
"""

from __future__ import annotations

import math

from evosim.antifake.measure import Measures
from evosim.antifake.row import Row, effect_of, excused, judged
from evosim.errors import UserError
from evosim.scenario import Scenario

#: Standard errors on each side.
ERRORS = 3.0


def check_start(scenario: Scenario, measures: Measures | None = None) -> Row:
    """Check F8.

    Parameters
    ----------
    scenario : Scenario
    measures : Measures, optional
        Values that further checks share.

    Returns
    -------
    Row
        Its number is the mean of the measure in generation 0.

    Raises
    ------
    UserError
        Without an effect, or where it declares neither a start nor a reason for that.
    """
    effect = effect_of(scenario)
    if (row := excused(scenario, "F8")) is not None:
        return row
    if effect.start is None:
        raise UserError(
            "declares no start of the measure",
            file=scenario.path,
            key="effect.start",
            allowed="value and margin, or a reason in effect.not_applicable.F8",
        )
    measures = measures or Measures(scenario)
    arm = measures.arm(start=True)
    value, margin = effect.start.value, effect.start.margin
    # Three errors must leave room for the mean itself.
    values = measures.enough(lambda n: measures.values(arm, n), margin / 2.0)
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    good = abs(mean - value) + ERRORS * error <= margin
    reason = f"generation 0: {mean:.4f} +- {ERRORS:g} * {error:.2g} in {values.size} replicates"
    return judged(scenario, "F8", good, f"{reason}, declared {value:g} +- {margin:g}", mean)
