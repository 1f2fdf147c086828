"""Synthetic tables, arms and claims that the claims tests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from evosim.claims.judge import ClaimResult, judge
from evosim.scenario.study_parts import Claim


@dataclass(frozen=True)
class Cell:
    label: str
    arm: str = ""
    cell: dict[str, Any] = field(default_factory=dict)
    model: Any = None


def cells(*names: str) -> list[Cell]:
    return [Cell(name, name) for name in names]


def grid(arm: str, key: str, values: list[float]) -> list[Cell]:
    return [Cell(f"{arm} [{key}={v}]", arm, {key: v}) for v in values]


def trajectory(arms: dict[str, dict[str, Any]], generations: tuple[int, ...] = (0, 10, 20)) -> Any:
    """Build tables from arm -> column -> values [replicate] or [replicate, generation]."""
    rows = []
    for arm, columns in arms.items():
        wide = {}
        for name, values in columns.items():
            data = np.asarray(values, dtype=float)
            if data.ndim == 1:
                data = np.repeat(data[:, None], len(generations), axis=1)
            wide[name] = data
        n = len(next(iter(wide.values())))
        for r in range(n):
            for g, generation in enumerate(generations):
                row = {"arm": arm, "replicate": r, "generation": generation, "extinct": False}
                rows.append(row | {name: data[r, g] for name, data in wide.items()})
    return SimpleNamespace(trajectory=pd.DataFrame(rows))


def claim(**keys: Any) -> Claim:
    return Claim(**({"says": "a claim", "measure": "payoff", "arm": "base"} | keys))


def verdict(values: Any, generations: tuple[int, ...] = (0, 10, 20), **keys: Any) -> ClaimResult:
    """Judge a claim on the column `payoff` (or `keys['measure']`) of one arm, `base`."""
    column = keys.get("measure", "payoff").split(" ")[0]
    tables = trajectory({"base": {column: values}}, generations)
    return judge(claim(**keys), tables, cells("base"))


def normal(n: int, mean: float, sd: float, seed: int = 1) -> Any:
    """Draw values whose sample mean and standard deviation are exactly these."""
    x = np.random.default_rng(seed).normal(size=n)
    return mean + sd * (x - x.mean()) / x.std(ddof=1)
