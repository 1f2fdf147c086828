"""Any claim on any table: one of three verdicts, or a user error; nothing else, ever."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from claims_case import cells, grid
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evosim.claims.judge import COLUMNS, judge, judge_all, strict_failures
from evosim.errors import UserError
from evosim.scenario.study_parts import Claim

ARMS = [*cells("base", "control"), *grid("g", "x", [0.0, 0.5, 1.0])]
VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, np.nan, np.inf, -np.inf, -1.0, 1e308, -1e308, 1e-308]),
    st.floats(-2, 2),
)
MEASURES = [
    "payoff",
    "extinct",
    "agents",
    "assay.a",
    "assay.b",
    "payoff > 0.5",
    "differs.payoff",
    "payoff - assay.a",
    "score.LEDGER - FLOOR",
    "context.c.payoff",
    "ledger.policy.selection",
    "nonsense",
]


@st.composite
def tables(draw: st.DrawFn) -> Any:
    generations = draw(
        st.one_of(
            st.just([0, 10, 20, 30]),
            st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True),
        )
    )
    labels = [cell.label for cell in ARMS]
    arms = draw(st.one_of(st.just(labels), st.lists(st.sampled_from(labels), unique=True)))
    sizes = st.one_of(st.just(8), st.just(8), st.integers(1, 12))
    common, own = draw(sizes), draw(st.integers(0, 9)) == 0
    pool = draw(st.lists(VALUES, min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    loss = draw(st.sampled_from([0.0, 0.0, 0.0, 0.02, 0.3]))
    noise = draw(st.sampled_from([0.0, 0.01, 0.5]))
    alike = draw(st.booleans())
    rows = []
    for label in arms:
        level = rng.choice(pool)
        for r in range(draw(sizes) if own else common):
            for g in generations:
                if rng.random() < loss:
                    continue
                base = level if alike else rng.choice(pool)
                rows.append(
                    {
                        "arm": label,
                        "replicate": r,
                        "generation": g,
                        "extinct": rng.random() < loss,
                        "agents": 10,
                        "payoff": base + noise * rng.normal(),
                        "assay.a": rng.choice(pool),
                    }
                )
    if not rows:
        return SimpleNamespace(trajectory=pd.DataFrame(), ledger=None)
    frame = pd.DataFrame(rows)
    keys = frame[["arm", "replicate", "generation"]]
    both = pd.concat(
        [
            keys.assign(predictor=p, split="novel", score=frame["payoff"])
            for p in ("LEDGER", "FLOOR")
        ]
    )
    if draw(st.booleans()):
        both = both.iloc[: len(both) // 2]
    return SimpleNamespace(
        trajectory=frame,
        scores=both,
        contexts=keys.assign(context="c", payoff=frame["payoff"]),
        assays=keys.assign(assay="b", value=frame["assay.a"]),
        ledger=keys.assign(
            kind="gene", quantity="policy", context="", percept="", action="", selection=0.0
        ),
    )


@st.composite
def claims(draw: st.DrawFn) -> Claim | None:
    number = st.sampled_from([-1.0, 0.0, 0.3, 1.0])
    pair = st.sampled_from([[0.0, 1.0], [0.2, 0.4], [-2.0, 0.5]])
    way = st.sampled_from(["increasing", "decreasing"])
    comparison = draw(
        st.one_of(
            st.fixed_dictionaries({"above": number}),
            st.fixed_dictionaries({"below": number}),
            st.fixed_dictionaries({"between": pair}),
            st.fixed_dictionaries({"equals": number, "margin": st.sampled_from([0.05, 0.5])}),
            st.fixed_dictionaries(
                {"crosses": st.fixed_dictionaries({"value": number, "between": pair})}
            ),
            st.fixed_dictionaries({"trend": way}),
            st.fixed_dictionaries({"monotone": way, "margin": st.sampled_from([None, 0.1])}),
        )
    )
    # Four in five claims fit together; the rest may ask for anything.
    fits = draw(st.integers(0, 4)) > 0
    along = bool(comparison.keys() & {"crosses", "trend", "monotone"})
    arm = st.sampled_from([None, "base", "control", "g", "nobody"])
    other = st.one_of(st.none(), st.none(), st.just("control") if fits else arm)
    when = st.one_of(
        st.none(),
        st.builds(lambda g: {"generation": g}, st.sampled_from([0, 20, 30])),
        st.builds(lambda a, b: {"start": a, "end": a + b}, st.integers(0, 20), st.integers(1, 20)),
    )
    keys = {
        "says": "x",
        "measure": draw(st.sampled_from(MEASURES if not fits else MEASURES[:-1])),
        "arm": draw(st.sampled_from(["g"] if along else ["base", "g"]) if fits else arm),
        "minus": draw(other),
        "statistic": draw(st.sampled_from(["value", "value", "change", "slope", "time"])),
        "at": draw(when),
        "interval": "auto" if fits else draw(st.sampled_from(["auto", "t", "exact", "bca"])),
        "refuted": draw(st.sampled_from([None, "why"])),
        **comparison,
    }
    cells_asked = st.sampled_from([{}, {"x": 0.5}, {"y": 1.0}])
    keys["cell"] = {"x": 0.5} if keys["arm"] == "g" and not along else {}
    keys["cell"] = keys["cell"] if fits else draw(cells_asked)
    if keys["minus"] is None and not (fits and along):
        keys["over"] = draw(other)
    if fits and keys["measure"].endswith(("0.5", ".payoff")):
        keys["statistic"] = "value"
    if fits and keys["statistic"] in ("slope", "time") and "generation" in (keys["at"] or {}):
        keys["at"] = None
    if fits and keys["measure"].startswith("differs") and not along:
        keys["minus"], keys["over"] = "control", None
    if keys["statistic"] == "time":
        keys["reaches"] = draw(number)
    try:
        return Claim.model_validate(keys)
    except ValidationError:
        return None


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tables(), claims(), st.sampled_from([None, 10, 30]))
def test_any_claim_on_any_table(run: Any, made: Claim | None, generations: int | None) -> None:
    if made is None:
        return
    found = None
    with contextlib.suppress(UserError):
        found = judge(made, run, ARMS, generations)
    if found is not None:
        assert found.verdict in ("holds", "fails", "undecided")
        if found.verdict != "undecided":
            assert found.more_replicates is None
            assert found.method
        elif found.more_replicates is None:
            assert found.note
        else:
            assert found.more_replicates > 0
    frame = judge_all([made], run, ARMS, generations)
    assert tuple(frame.columns) == COLUMNS
    assert strict_failures(frame) == ((frame["verdict"][0] == "fails") and not made.refuted)
