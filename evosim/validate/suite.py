"""The theory suite's registry, its rows and their tolerances.

Every comparison is with a known result at a tolerance that follows from the number of replicates:
four standard errors, plus the model's own bias where the result is an approximation. Two-sided,
that is a false alarm in 16,000 comparisons; seeds are fixed, so that a failure can be looked at.
"""

from __future__ import annotations

import math
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evosim.engine import Engine
from evosim.kernels.philox import replicate_keys
from evosim.resolve import Resolved, resolve
from evosim.scenario import Scenario

F64 = npt.NDArray[np.float64]
Setting = Mapping[str, Any]

#: Standard errors within which a measurement must lie.
Z = 4.0
#: Relative error of a sum of float64 terms that should be equal.
ROUNDING = 1e-12
#: Relative error of a partition of a change, in units of its largest term.
IDENTITY = 1e-10
#: Agents that one batch of replicates may hold; more would only fill the memory.
BATCH = 1_000_000


@dataclass(frozen=True)
class Row:
    """One quantity against theory.

    Attributes
    ----------
    id : str
        Of the result, e.g. "T11".
    quantity : str
        What was measured, with the parameters that matter.
    expected, measured, tolerance : float
        In the quantity's own units.
    rule : str
        Where the tolerance comes from.
    replicates, seed : int
    seconds : float
    """

    id: str
    quantity: str
    expected: float
    measured: float
    tolerance: float
    rule: str
    replicates: int
    seed: int
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the measurement lies within the tolerance (never, if it is no number)."""
        return bool(abs(self.measured - self.expected) <= self.tolerance)


@dataclass(frozen=True)
class Case:
    """What a result's function needs: sizes, seed, engines and rows.

    Attributes
    ----------
    id : str
    replicates : int
        How many are asked for: fewer in the quick suite.
    seed : int
    label : str
        The setting in words, put behind each quantity.
    threads : int
    quick : bool
        Whether long measurements are to be shortened.
    """

    id: str
    replicates: int
    seed: int
    label: str
    threads: int
    quick: bool

    def resolved(self, data: Setting) -> Resolved:
        """Check the scenario `data` and turn it into arrays."""
        return resolve(Scenario.from_dict(data).arms()[0].model)

    def engine(self, data: Setting, replicates: int | None = None, **hooks: Any) -> Engine:
        """Return an engine of the scenario `data`, as many replicates as asked for."""
        count = self.replicates if replicates is None else replicates
        return self.engine_of(self.resolved(data), np.arange(count), **hooks)

    def engine_of(self, resolved: Resolved, which: npt.NDArray[np.int64], **hooks: Any) -> Engine:
        """Return an engine of the replicates numbered `which`."""
        return Engine(resolved, replicate_keys(self.seed, which), self.threads, **hooks)

    def batches(self, agents: int, replicates: int | None = None) -> Iterator[npt.NDArray[Any]]:
        """Yield the replicates' numbers in batches that fit in memory."""
        count = self.replicates if replicates is None else replicates
        most = max(1, BATCH // agents)
        for first in range(0, count, most):
            yield np.arange(first, min(first + most, count))

    def mean(
        self,
        quantity: str,
        expected: float,
        values: npt.ArrayLike,
        *,
        sd: float | None = None,
        bias: float = 0.0,
    ) -> Row:
        """Compare the mean of independent values.

        Parameters
        ----------
        quantity : str
        expected : float
        values : array
            One per replicate (or agent, where agents are independent).
        sd : float, optional
            Theory's standard deviation of one value; default: that of the values.
        bias : float
            How far the model itself may be off, computed and not typed.
        """
        x = np.asarray(values, np.float64).ravel()
        if x.size < 2:
            return self._row(quantity, expected, math.nan, 0.0, "too few values", x.size)
        spread = float(x.std(ddof=1)) if sd is None else sd
        rule = f"{Z:g} sd/sqrt(n)" + (" + bias" if bias else "")
        return self._row(
            quantity, expected, float(x.mean()), Z * spread / math.sqrt(x.size) + abs(bias), rule,
            x.size,
        )  # fmt: skip

    def proportion(self, quantity: str, expected: float, hits: int, count: int) -> Row:
        """Compare a proportion of `count` independent trials with its probability."""
        tolerance = Z * math.sqrt(expected * (1.0 - expected) / count)
        return self._row(quantity, expected, hits / count, tolerance, f"{Z:g} sqrt(pq/n)", count)

    def exact(
        self, quantity: str, expected: float, measured: float, relative: float = ROUNDING
    ) -> Row:
        """Compare numbers that should be equal up to rounding."""
        tolerance = relative * max(abs(expected), 1e-300)
        return self._row(quantity, expected, measured, tolerance, f"{relative:g} relative", 1)

    def error(self, quantity: str, worst: float, bound: float = ROUNDING, scale: str = "1") -> Row:
        """Compare the largest error with zero; `scale` says in which units it is measured."""
        return self._row(quantity, 0.0, worst, bound, f"{bound:g} of {scale}", self.replicates)

    def within(self, quantity: str, expected: float, measured: float, by: float, rule: str) -> Row:
        """Compare with a tolerance of the result's own, computed by `rule`."""
        return self._row(quantity, expected, measured, by, rule, self.replicates)

    def _row(
        self, quantity: str, expected: float, measured: float, tolerance: float, rule: str, n: int
    ) -> Row:
        text = f"{quantity} ({self.label})" if self.label else quantity
        return Row(
            self.id, text, float(expected), float(measured), float(tolerance), rule, n, self.seed
        )


@dataclass(frozen=True)
class Result:
    """One registered result.

    Attributes
    ----------
    id : str
    name : str
        Of the function, unique.
    description : str
        What theory says, and who found it.
    replicates, quick : int
        In the full and in the quick suite.
    settings, quick_settings : tuple of dict
        Parameters that the function is called with, once per setting.
    seed : int
        From the name: results are independent of each other and of their order.
    measure : callable
        ``measure(case, **setting)`` yields rows.
    """

    id: str
    name: str
    description: str
    replicates: int
    quick: int
    settings: tuple[Setting, ...]
    quick_settings: tuple[Setting, ...]
    seed: int
    measure: Callable[..., Iterable[Row]]

    def rows(self, quick: bool = False, threads: int = 1) -> Iterator[Row]:
        """Measure, setting by setting, and yield a row per quantity with its time."""
        for setting in self.quick_settings if quick else self.settings:
            label = ", ".join(f"{key} {_short(value)}" for key, value in setting.items())
            replicates = self.quick if quick else self.replicates
            case = Case(self.id, replicates, self.seed, label, threads, quick)
            since = time.perf_counter()
            for row in self.measure(case, **setting):
                now = time.perf_counter()
                yield replace(row, seconds=now - since)
                since = now


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_RESULTS: dict[str, Result] = {}


def result(
    id: str,
    description: str,
    *,
    replicates: int,
    quick: int,
    settings: Sequence[Setting] = ({},),
    quick_settings: Sequence[Setting] | None = None,
) -> Callable[[Callable[..., Iterable[Row]]], Callable[..., Iterable[Row]]]:
    """Register a function that measures one result.

    Parameters
    ----------
    id : str
        Catalogue id of the result.
    description : str
        What theory says, and who found it.
    replicates, quick : int
        Replicates in the full and in the quick suite.
    settings, quick_settings : sequences of dict
        Keyword arguments of the calls; the quick ones default to all.
    """

    def register(function: Callable[..., Iterable[Row]]) -> Callable[..., Iterable[Row]]:
        name = function.__name__
        if name in _RESULTS:
            raise ValueError(f"two results are called {name!r}")
        _RESULTS[name] = Result(
            id=id,
            name=name,
            description=description,
            replicates=replicates,
            quick=quick,
            settings=tuple(settings),
            quick_settings=tuple(settings if quick_settings is None else quick_settings),
            seed=zlib.crc32(name.encode()),
            measure=function,
        )
        return function

    return register


def matching(pattern: str | None = None) -> list[Result]:
    """Return the results whose id is `pattern` or whose id or name holds it, in order of id."""
    found = sorted(_RESULTS.values(), key=lambda r: (int(r.id[1:]), r.name))
    if not pattern:
        return found
    exact = [r for r in found if pattern in (r.id, r.name)]
    return exact or [r for r in found if pattern.lower() in f"{r.id} {r.name}".lower()]


def run_suite(
    pattern: str | None = None, quick: bool = False, threads: int | None = None
) -> list[Row]:
    """Measure the simulator against theory.

    Parameters
    ----------
    pattern : str, optional
        Only the result of this id or name, or else those whose id or name holds it.
    quick : bool
        Fewer replicates, with the wider tolerances that go with them: under a minute.
    threads : int, optional
        Default: the processors this process may use. No number depends on it.

    Returns
    -------
    list of Row
        Empty if nothing matches.
    """
    threads = threads or len(os.sched_getaffinity(0))
    return [row for found in matching(pattern) for row in found.rows(quick, threads)]
