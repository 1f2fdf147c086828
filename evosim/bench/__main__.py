"""``python -m evosim.bench``: measure evosim beside its peers."""

from __future__ import annotations

import argparse
import sys

from evosim.bench.harness import main
from evosim.bench.programs import PEERS
from evosim.bench.worker import ProgramError
from evosim.errors import UserError


def _run() -> int:
    parser = argparse.ArgumentParser(prog="python -m evosim.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes, rounds and seconds")
    names = ",".join(peer.name for peer in PEERS)
    parser.add_argument("--peers", metavar="NAME,...", help=f"some of {names} (default: all)")
    given = parser.parse_args()
    try:
        main(given.quick, given.peers.split(",") if given.peers else None)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except ProgramError as error:
        print(f"evosim failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(_run())
