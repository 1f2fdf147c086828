"""A process that does runs of a study: ``python -m evosim.studies.worker``.

It reads one JSON message per line on stdin and answers with one per line on stdout. It ends when
stdin does, so that it never outlives its coordinator by more than the run it has begun. Messages,
unlike `multiprocessing`, need no import of the user's script, which need not guard its main part.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from typing import Any


def main() -> int:
    """Serve until stdin ends; return the exit code."""
    # Ctrl-C is the coordinator's: it decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints must not be taken for an answer
    gc.set_threshold(50_000)

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    from evosim.errors import UserError
    from evosim.studies.job import Bench, Settings

    try:
        bench = Bench(Settings(**json.loads(sys.stdin.readline())))
    except UserError as error:
        answer({"status": "stop", "error": error.one_line()})
        return 0
    answer({"status": "ready"})
    for line in sys.stdin:
        job = json.loads(line)
        if job.get("warm"):
            bench.warm(job)
            answer({"status": "ready"})
        else:
            answer(bench.run(job))
    return 0


if __name__ == "__main__":
    try:
        code = main()
    except BrokenPipeError:  # the coordinator has gone
        code = 0
    os._exit(code)
