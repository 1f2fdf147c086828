"""Small scenarios and runs that the tests of the predictors share."""

from __future__ import annotations

from typing import Any

import numpy as np

from evosim.engine import Engine
from evosim.kernels.philox import replicate_keys
from evosim.predict import predict_arm
from evosim.resolve import resolve
from evosim.scenario import Scenario
from evosim.simulate import make_probes

LEFT = "visible left coin"


def coin(**changes: Any) -> Scenario:
    """The coin world: go left or right; see a constant and, at times, the side of the coin."""
    data = {
        "title": "coin",
        "seed": 5,
        "population": {"agents": 300, "replicates": 24, "generations": 60},
        "world": {"kind": "bandit", "actions": ["left", "right"], "episodes": 20},
        "context": [
            {"name": "coin right", "frequency": 1.0, "payoff": {"right": 1}, "cues": {"coin": 1}},
            {"name": "coin left", "payoff": {"left": 1}, "cues": {"coin": -1}},
        ],
        "cues": {"bias": 1, "coin": {"context": True, "visible": 0.5}},
        "genome": {"policy": {"mutation": 0.1}, "neutral": {"loci": 8, "mutation": 0.1}},
        "selection": {"kind": "wright-fisher", "fitness": {"exponential": 2.0}},
        "assay": [
            {"name": LEFT, "context": "coin left", "measure": {"first_action": "left"}},
        ],
        "predict": {"assays": [LEFT], "drift": False, "temperature": "accuracy"},
    }
    scenario = Scenario.from_dict(data)
    return scenario.override(changes) if changes else scenario


def run(scenario: Scenario, at: tuple[int, ...], replicates: int | None = None, **kwargs: Any):
    """Run the file's own arm up to the last generation asked for.

    Returns
    -------
    Engine
    dict of generation -> Prediction
    """
    model = scenario.model
    resolved = resolve(model)
    probes = make_probes(resolved, model)
    asked = [p for name in model.predict.assays for p in probes if p.name == name]
    found = {}

    def observe(engine, lives):
        if engine.generation in at:
            found[engine.generation] = predict_arm(engine, lives, asked, model.predict, **kwargs)

    count = replicates or model.population.replicates
    keys = replicate_keys(model.seed, np.arange(count))
    engine = Engine(resolved, keys, observer=observe)
    for g in range(max(at) + 1):
        engine.step(last=g == max(at))
    return engine, found
