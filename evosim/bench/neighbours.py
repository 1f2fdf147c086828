"""How busy other processes kept the machine while we measured.

Neighbours do not slow every program alike: one that waits at barriers for two threads loses far
more than a single-threaded one, and the medians cannot mend that.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from time import monotonic

_IDLE = (3, 4)  # idle and iowait among the columns of /proc/stat
_COLUMNS = 8  # user to steal; guest time is already counted as user


def _busy_seconds() -> float:
    """CPU seconds that anyone has used since the machine started."""
    first = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : 1 + _COLUMNS]
    ticks = sum(int(tick) for i, tick in enumerate(first) if i not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Neighbours:
    """Count what others use from now on."""

    def __init__(self) -> None:
        self._wall, self._busy, self._own = monotonic(), _busy_seconds(), _own_seconds()

    def cores(self) -> float:
        """Return the mean number of cores that other processes kept busy since the start.

        Children count as others until they have ended and been waited for.
        """
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return max(0.0, others / max(monotonic() - self._wall, 1e-9))
