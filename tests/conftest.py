"""What holds for all tests, and what pytest prints at the end."""

from __future__ import annotations

import json
import signal

# A shell gives what it starts in the background an interrupt that is ignored, and whatever that
# starts inherits it: tests that interrupt would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    """Gather the rows that tests left in their reports, from all workers."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    found = [
        json.loads(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "antifake" and report.when == "call"
    ]
    if not found:
        return
    from evosim.antifake import Row, table

    terminalreporter.section("anti-fake checks")
    terminalreporter.write_line(table(Row(**row) for row in found))
