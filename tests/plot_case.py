"""Synthetic result tables for tests of figures: the shapes of a run, without running one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from evosim.scenario import ArmCell, Scenario

RHO = [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]

COIN: dict[str, Any] = {
    "title": "CoinRun: go to the coin, or run right?",
    "systems": ["S10"],
    "population": {"agents": 300, "replicates": 20, "generations": 600},
    "world": {
        "kind": "grid",
        "steps": 12,
        "episodes": 20,
        "symbols": {"C": {"payoff": 1.0, "terminal": True}},
    },
    "context": [
        {"name": "coin right", "frequency": 0.95, "map": "#..S..C#"},
        {"name": "coin left", "frequency": 0.05, "map": "#C..S..#"},
    ],
    "cues": {"bias": 1, "coin": {"toward": "C", "visible": 0.5}},
    "mind": {"kind": "reflex", "policy": "linear"},
    "genome": {
        "policy": {"initial": {"value": 0.0}, "mutation": 0.1},
        "neutral": {"loci": 8, "mutation": 0.1},
    },
    "selection": {"kind": "wright-fisher", "fitness": {"exponential": 2.0}},
    "assay": [
        {
            "name": "left coin, visible",
            "context": "coin left",
            "visible": {"coin": True},
            "measure": {"first_action": "left"},
        },
        {"name": "jump", "context": "coin right", "measure": {"reach": "C"}},
    ],
    "arm": [
        {"name": "rho", "grid": {"context.coin left.frequency": RHO}},
        {"name": "v", "grid": {"cues.coin.visible": [0.2, 0.8, 1.0]}},
        {"name": "no bias cue", "set": {"cues.bias": 0}, "control": True},
    ],
    "effect": {
        "measure": "assay.left coin, visible",
        "arm": "base",
        "control": "no bias cue",
        "mechanism": "selection",
        "margin": 0.1,
        "start": {"value": 0.5, "margin": 0.1},
    },
    "claim": [
        {
            "says": "Early on, below (1 - v)/2, agents run right past a visible coin",
            "measure": "assay.left coin, visible",
            "at": {"generation": 60},
            "arm": "rho",
            "crosses": {"value": 0.5, "between": [0.15, 0.3]},
        }
    ],
}


def coin(**changes: Any) -> Scenario:
    """Return the coin scenario with top-level keys replaced."""
    return Scenario.from_dict(COIN | changes)


def plain(**changes: Any) -> Scenario:
    """Return it with the base arm and one control only."""
    return coin(arm=[COIN["arm"][2]], claim=[], **changes)


def run_of(
    scenario: Scenario, *, replicates: int = 8, rows: int = 11, seed: int = 1
) -> SimpleNamespace:
    """Return something with a run's tables, filled with curves that look like selection."""
    rng = np.random.default_rng(seed)
    last = scenario.model.population.generations
    generation = np.unique(np.linspace(0, last, rows).round().astype(int))
    if last >= 60:
        generation = np.unique(np.append(generation, 60))
    lives = [_lives(cell, replicates, generation, rng) for cell in scenario.arms()]
    tables = {name: pd.concat([x[name] for x in lives], ignore_index=True) for name in lives[0]}
    return SimpleNamespace(scenario=scenario, **tables)


def empty(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without its rows."""
    return table.iloc[:0]


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _lives(
    cell: ArmCell, replicates: int, generation: np.ndarray, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    rho = float(cell.model.context[1].frequency)
    cue = cell.model.cues["coin"]
    visible = float(cue.visible) if not isinstance(cue, int | float) else 1.0
    time = np.tile(generation / max(1, generation[-1]), replicates)
    steps = rng.normal(0, 0.1, (3, replicates, len(generation)))
    walk = np.cumsum(steps, axis=2).reshape(3, -1)
    bias = 0.0 if cell.control else 3 * (1 - 2 * rho) * np.minimum(1, 4 * time)
    bias = bias + walk[0]
    coin_ = (8 * rho - 3 * (1 - visible)) * time + walk[1] + visible
    left = _logistic(coin_ * time * 2 - bias * (1 - rho) * time)
    payoff = 0.5 + 0.4 * time * (1 - rho)
    head = pd.DataFrame(
        {
            "arm": cell.label,
            "replicate": np.repeat(np.arange(replicates), len(generation)),
            "generation": np.tile(generation, replicates),
        }
    )
    last = head["generation"] == generation[-1]
    jump = np.clip(0.5 + time, 0, 1)
    trajectory = head.assign(agents=300, payoff=payoff, payoff_sd=0.1, criterion=payoff)
    trajectory["fitness_variance"] = 0.02
    for name, values in (("policy[bias]", bias), ("policy[coin]", coin_)):
        trajectory[name] = values
        trajectory[f"{name}.sd"] = 0.1
    trajectory["neutral[0]"] = walk[2]
    trajectory["extinct"] = False
    trajectory["learned"] = 0.0
    trajectory["assay.left coin, visible"] = left
    trajectory["assay.jump"] = jump
    return {
        "trajectory": trajectory,
        "contexts": _contexts(head, rho, payoff),
        "assays": _assays(head, left, jump),
        "trials": pd.DataFrame({"arm": pd.Series(dtype="str")}),
        "ledger": _ledger(head, bias, coin_, walk[2], rho),
        "predictions": _predictions(head[last], left[last]),
        "scores": _scores(head[last], rho, rng),
    }


def _contexts(head: pd.DataFrame, rho: float, payoff: np.ndarray) -> pd.DataFrame:
    rows = [
        head.assign(context=name, frequency=share, payoff=payoff, episodes=6000)
        for name, share in (("coin right", 1 - rho), ("coin left", rho))
    ]
    return pd.concat(rows, ignore_index=True)


def _assays(head: pd.DataFrame, left: np.ndarray, jump: np.ndarray) -> pd.DataFrame:
    rows = [
        head.assign(
            assay=name, context=context, when="birth", value=value, sd=0.1, low=value, high=value
        )
        for name, context, value in (
            ("left coin, visible", "coin left", left),
            ("jump", "coin right", jump),
        )
    ]
    return pd.concat(rows, ignore_index=True)


def _ledger(
    head: pd.DataFrame, bias: np.ndarray, coin_: np.ndarray, marker: np.ndarray, rho: float
) -> pd.DataFrame:
    rows = []

    def add(kind: str, quantity: str, context: str, percept: str, action: str, z: Any) -> None:
        what = {"kind": kind, "quantity": quantity, "context": context}
        sums = {"cumulative_selection": z, "cumulative_transmission": 0.1 * np.asarray(z)}
        rows.append(head.assign(**what, percept=percept, action=action, **sums))

    for quantity, z in (("policy[bias]", bias), ("policy[coin]", coin_), ("neutral[0]", marker)):
        add("gene", quantity, "", "", "", z)
    for percept, side in (("coin=1", 1), ("coin=-1", -1), ("coin hidden", 0)):
        for action, sign in (("left", -0.5), ("right", 0.5)):
            z = sign * (bias + side * coin_)
            add("logit", f"logit {percept} {action}", "", percept, action, z)
            for context, share in (("coin right", 1 - rho), ("coin left", rho)):
                if (context, side) not in (("coin left", 1), ("coin right", -1)):
                    add("act", f"act {percept} {action}", context, percept, action, share * z)
    return pd.concat(rows, ignore_index=True)


def _predictions(head: pd.DataFrame, left: np.ndarray) -> pd.DataFrame:
    answers = {
        "OBJ-omni": 0.98,
        "OBJ-informed": 0.9,
        "LEDGER": 0.9 * left + 0.05,
        "FLOOR": 0.2,
        "CEIL": left,
        "actual": left,
    }
    rows = [
        head.assign(
            assay="left coin, visible",
            context="coin left",
            percept="coin=-1",
            predictor=predictor,
            action=action,
            probability=p if action == "left" else 1 - p,
        )
        for predictor, p in answers.items()
        for action in ("left", "right")
    ]
    return pd.concat(rows, ignore_index=True)


def _scores(head: pd.DataFrame, rho: float, rng: np.random.Generator) -> pd.DataFrame:
    novel = {"OBJ-omni": -2.3, "OBJ-informed": -1.5, "LEDGER": -0.4, "FLOOR": -0.8, "CEIL": -0.3}
    rows = [
        head.assign(
            split=split,
            predictor=name,
            score=part * score - 0.1 * rng.random(len(head)),
            skill=0.5,
        )
        for split, part in (("training", 0.2), ("novel", 1.0 - rho))
        for name, score in novel.items()
    ]
    return pd.concat(rows, ignore_index=True)
