"""A small scenario and an engine that only pretends, for tests of files and commands."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

SCENARIO = """
title = "Two lamps"
systems = ["S01"]
seed = 5

[population]
agents = 16
replicates = 3
generations = 6

[world]
kind = "bandit"
actions = ["left", "right"]

[[context]]
name = "day"
frequency = 1.0
payoff = { left = 0.0, right = 1.0 }

[cues]
bias = 1

[genome.policy]
initial = { normal = [0, 1] }
mutation = 0.1

[selection]
kind = "wright-fisher"
fitness = { exponential = 2.0 }

[[assay]]
name = "right by day"
context = "day"
measure = { first_action = "right" }

[[arm]]
name = "neutral"
control = true
set = { "selection.fitness" = { neutral = true } }

[[claim]]
says = "Selection lights the right lamp"
measure = "assay.right by day"
above = 0.6

[[claim]]
says = "Drift does not"
measure = "assay.right by day"
arm = "neutral"
between = [0.3, 0.7]
"""


def pretend(scenario, *, threads=None, progress=None, keeper=None):
    """Return what the engine would, from the scenario's size alone; same in, same out."""
    size = scenario.model.population
    cells = scenario.arms()
    if progress is not None:
        progress.start(size.generations * len(cells))
        for cell in cells:
            progress.advance(size.generations, cell.label)
        progress.finish()
    keys = [
        (cell.label, replicate, generation)
        for cell in cells
        for replicate in range(size.replicates)
        for generation in (0, size.generations)
    ]
    trajectory = pd.DataFrame(keys, columns=["arm", "replicate", "generation"])
    trajectory["payoff"] = np.random.default_rng(scenario.model.seed).random(len(keys))
    trajectory["assay.right by day"] = pd.array(
        [None if g == 0 else 0.5 for _, _, g in keys], dtype="Float64"
    )
    trajectory["extinct"] = False
    tables = {
        "trajectory": trajectory,
        "contexts": trajectory[["arm", "replicate", "generation"]].assign(context="day"),
        "assays": trajectory[["arm", "replicate", "generation"]].assign(value=0.25),
        "trials": pd.DataFrame({"arm": pd.Series(dtype="str")}),
        "ledger": pd.DataFrame({"arm": pd.Series(dtype="str"), "before": pd.Series(dtype=float)}),
        "predictions": pd.DataFrame({"arm": pd.Series(dtype="str")}),
        "scores": scores(),
    }
    population = {
        f"{cell.label}/genome": np.zeros((size.replicates, size.agents, 1), np.float32)
        for cell in cells
    }
    meta = {
        "worst_residual": 1e-14,
        "residual_bound": 1e-10,
        "extinctions": [],
        "notes": ["a remark"],
        "generations_done": size.generations,
    }
    return SimpleNamespace(
        tables=tables,
        claims=claims(scenario),
        population=population,
        checkpoint=dict(population),
        meta=meta,
    )


def scores():
    """Return a small table of predictors' scores."""
    rows = [
        ("base", r, g, split, predictor, 0.5 + r / 10, 0.25)
        for r in range(3)
        for g in (0, 6)
        for split in ("training", "novel")
        for predictor in ("OBJ-omni", "LEDGER")
    ]
    names = ["arm", "replicate", "generation", "split", "predictor", "score", "skill"]
    return pd.DataFrame(rows, columns=names)


def claims(scenario):
    """Return verdicts in turn: holds, fails, undecided."""
    verdicts = ("holds", "fails", "undecided")
    rows = [
        {
            "claim": claim.says,
            "index": i,
            "arm": claim.arm or "base",
            "measure": claim.measure,
            "estimate": 0.8125,
            "low": 0.71,
            "high": 0.9,
            "confidence": claim.confidence,
            "method": "t",
            "verdict": verdicts[i % 3],
            "region": "above 0.6",
            "more_replicates": 12 if i % 3 == 2 else None,
            "note": "",
            "refuted": claim.refuted or "",
            "systems": ", ".join(scenario.model.systems),
        }
        for i, claim in enumerate(scenario.model.claim)
    ]
    frame = pd.DataFrame(rows)
    frame["more_replicates"] = frame["more_replicates"].astype("Int64")
    return frame
