"""A small scenario with an effect, for tests of the anti-fake checks."""

from __future__ import annotations

import copy

from evosim.scenario import Scenario

#: A coin that mostly lies right, and agents that learn nothing.
TOY = {
    "title": "A toy that nothing is about",
    "systems": ["S99"],
    "seed": 3,
    "base_arm": "selected",
    "population": {"agents": 64, "replicates": 16, "generations": 15},
    "world": {"kind": "bandit", "actions": ["left", "right"], "episodes": 8},
    "context": [
        {"name": "coin right", "frequency": 0.8, "payoff": {"right": 1}, "goal": {"right": 1},
         "reward": {"right": 1}, "cues": {"coin": 1}},
        {"name": "coin left", "frequency": 0.2, "payoff": {"left": 1}, "goal": {"left": 1},
         "reward": {"left": 1}, "cues": {"coin": -1}},
    ],
    "cues": {"bias": 1, "coin": {"context": True}},
    "genome": {"policy": {"mutation": 0.2}, "neutral": {"loci": 3, "mutation": 0.1}},
    "selection": {"kind": "truncation", "fraction": 0.3},
    "assay": [{"name": "right", "context": "coin right", "measure": {"first_action": "right"}}],
    "arm": [{"name": "random breeding", "set": {"selection.fraction": 1.0}}],
    "effect": {
        "measure": "assay.right", "arm": "selected", "control": "random breeding",
        "mechanism": "selection", "margin": 0.1, "sign": "higher",
        "start": {"value": 0.5, "margin": 0.02},
        "dose": {"key": "selection.fraction", "values": [0.3, 0.7, 1.0],
                 "direction": "decreasing"},
    },
}  # fmt: skip


def toy(changes=None, **tables):
    data = {k: v for k, v in (copy.deepcopy(TOY) | tables).items() if v not in ([], {})}
    return Scenario.from_dict(data).override(changes or {})
