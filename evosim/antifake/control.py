"""F9: the control does not show the effect.

By an equivalence test (Schuirmann 1987): the whole interval of the measure in the control must
lie within the declared margin of what is expected there. "Not significant" would not do: a
control with too few replicates never is.
"""

from __future__ import annotations

from evosim.antifake.measure import F64, Measures, Variant
from evosim.antifake.row import Row, effect_of, excused, judged
from evosim.claims.intervals import equivalent
from evosim.scenario import Scenario


def check_control(scenario: Scenario, measures: Measures | None = None) -> Row:
    """Check F9 in every cell of the control.

    Parameters
    ----------
    scenario : Scenario
    measures : Measures, optional
        Values that further checks share.

    Returns
    -------
    Row
        Its number is the mean of the measure in the control, in the cell farthest from what is
        expected.

    Raises
    ------
    UserError
        Without an effect, or where nothing says what is expected in the control.
    """
    effect = effect_of(scenario)
    if (row := excused(scenario, "F9")) is not None:
        return row
    shared = measures or Measures(scenario)
    value, margin = shared.expected, effect.margin

    def in_cell(variant: Variant) -> F64:
        return shared.enough(lambda n: shared.values(variant, n), margin)

    cells = [cell for cell in scenario.arms() if cell.arm == effect.control]
    found = {cell.label: in_cell(Variant(cell, {})) for cell in cells}
    good = all(equivalent(shared.interval(values), value, margin) for values in found.values())
    reason = "; ".join(f"{label}: {shared.told(values)}" for label, values in found.items())
    farthest = max((float(v.mean()) for v in found.values()), key=lambda mean: abs(mean - value))
    return judged(scenario, "F9", good, f"{reason}, expected {value:g} +- {margin:g}", farthest)
