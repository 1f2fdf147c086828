"""Ten checks of a scenario for effects that were put where they should emerge (F1 to F10).

The quick checks compare bits, or distributions of small populations, in seconds; the others
measure the file's declared effect at its own sizes, with as many replicates as can decide.

- F1 `observer`: what only observers see decides nothing.
- F2 `replay`: within a life payoff is nothing.
- F3 `relabel`: names and numbers of contexts, states, actions and cues mean nothing.
- F4 `neutral`: with its mechanism switched off the effect is gone.
- F5 `reflect`: turning the sign of payoff turns the effect.
- F6 `dose`: the effect follows its dose.
- F7 `sources`: the program knows no scenario.
- F8 `start`: before anything evolved the measure is at its declared start.
- F9 `control`: the control does not show the effect.
- F10 `markers`: selection passes over genes without any effect.
"""

from evosim.antifake.checks import MEASURED, QUICK, check_file, check_measured, check_quick
from evosim.antifake.history import Small
from evosim.antifake.measure import Measures
from evosim.antifake.row import FAIL, NOT_APPLICABLE, PASS, Row, table

__all__ = [
    "FAIL",
    "MEASURED",
    "NOT_APPLICABLE",
    "PASS",
    "QUICK",
    "Measures",
    "Row",
    "Small",
    "check_file",
    "check_measured",
    "check_quick",
    "table",
]
