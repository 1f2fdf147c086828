"""The theory suite: this simulator against results that are known exactly.

Every result builds a scenario, runs the engine itself and compares with `evosim.oracles`, which
share no code with it. ``evosim validate`` prints the table; the tests run a quick version.

- `drift`: neutral alleles (T1-T6).
- `fixation`: alleles under selection (T10-T14).
- `partition`: the Price equation and what follows from it (T15-T17).
- `contexts`: the same where a life is lived in several contexts (T15, T16, T19).
- `traits`: breeding values, thresholds, stabilising selection (T18, T19, T28, T72).
- `networks`: a sharp peak against a flat one (T26).
- `needle`: waiting for several changes at once (T31).
- `learners`, `weights`: reinforcement learning as selection (T57-T61, T66).
- `habits`: a costly habit fades (S58).
- `rates`: how fast softmax policy gradients stop exploring (T62, T63).
- `exploration`, `estimates`: what learners never try, shun, and credit (T64, T65, T67-T70).
- `stopping`: when to stop looking (T71).
- `culture`: genetic information, and what channels add to it (T20, T50, T51, T55).
- `innovation`: who copies whom, and what it costs (T48-T50, T52, T53, T56).
"""

from evosim.validate import (  # noqa: F401  (importing registers their results)
    contexts,
    culture,
    drift,
    estimates,
    exploration,
    fixation,
    habits,
    innovation,
    learners,
    needle,
    networks,
    partition,
    rates,
    stopping,
    traits,
    weights,
)
from evosim.validate.suite import Case, Result, Row, matching, run_suite

__all__ = ["Case", "Result", "Row", "matching", "run_suite"]
