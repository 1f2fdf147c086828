"""`python -m evosim` is the same as the `evosim` command."""

import sys

from evosim.cli import main

sys.exit(main())
