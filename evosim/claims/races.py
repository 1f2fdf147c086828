"""Which of two events comes first, in one run and between two runs that have one of them each.

An event is the first recorded generation at which a measure passes a number. Two events race in
one population; how often the first would win if neither knew of the other is estimated from two
arms in which only one of them can happen, every replicate of one against every other replicate of
the other. In terms of hazards a(t) and b(t) that is the integral of b exp(-int (a + b)).

References
----------
Prentice et al. 1978, The analysis of failure times in the presence of competing risks,
Biometrics 34: 541; DeLong, DeLong & Clarke-Pearson 1988, Comparing the areas under two or more
correlated receiver operating characteristic curves, Biometrics 44: 837 (components).
"""

from __future__ import annotations

import operator

import numpy as np
import numpy.typing as npt

from evosim.claims.reading import Array, Record
from evosim.scenario.study_parts import At

COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def event_times(record: Record, threshold: tuple[str, float], at: At | None) -> Array | str:
    """Return when each replicate first passes a number.

    Parameters
    ----------
    record : Record
        Of one measure and arm.
    threshold : (str, float)
        Comparison and number.
    at : At or None
        By a generation, within a window, or in the whole run.

    Returns
    -------
    (R,) float64, or str
        Generation; inf for never (also after extinction), NaN for replicates without any value.
        Text where nothing can be read.
    """
    end = None if at is None else at.generation if at.generation is not None else at.end
    if end is not None and end > record.end:
        return f"generation {end} lies beyond the run's last, {record.end}"
    looked = np.ones(record.generations.size, np.bool_)
    if end is not None:
        looked &= record.generations <= end
    if at is not None and at.start is not None:
        looked &= record.generations >= at.start
    if not looked.any():
        return "the measure was not recorded"
    values, generations = record.data[:, looked], record.generations[looked]
    sign, number = threshold
    passed = COMPARE[sign](values, number)  # no missing value passes
    first = generations[passed.argmax(axis=1)].astype(np.float64)
    times = np.where(passed.any(axis=1), first, np.inf)
    return np.where(np.isnan(values).all(axis=1), np.nan, times)


def earlier(one: Array, two: Array) -> Array:
    """Return 1 where the first event comes before the second, 0 where it does not; NaN unknown."""
    unknown = np.isnan(one) | np.isnan(two)
    return np.where(unknown, np.nan, (one < two).astype(np.float64))


def apart(one: Array, two: Array) -> Array:
    """Return a value per replicate whose mean is the chance of `earlier` between replicates.

    Replicates of the same number share their luck, so that they are not compared. The value of
    replicate r is how often its own first event wins against others' second ones, plus how often
    others' first ones win against its own second one, less the overall share: the spread of these
    components over replicates is that of their mean (DeLong et al. 1988).

    Parameters
    ----------
    one, two : (R,) float64
        Times of the first event in one arm and of the second in another, by replicate, R >= 2.
        Not NaN.
    """
    wins: npt.NDArray[np.bool_] = one[:, None] < two[None, :]
    np.fill_diagonal(wins, val=False)
    others = one.size - 1
    mine, theirs = wins.sum(axis=1) / others, wins.sum(axis=0) / others
    return np.asarray(mine + theirs - mine.mean())
