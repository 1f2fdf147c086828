"""Small scenario models for the tests of worlds and cues."""

from __future__ import annotations

import pytest

from evosim.errors import UserError
from evosim.scenario.model import ScenarioModel
from evosim.worlds.build import build_world


def scenario(world, context=None, cues=None):
    """A model with just these parts; one plain context and one constant cue by default."""
    return ScenarioModel.model_validate(
        {
            "title": "case",
            "world": world,
            "context": [{"name": "only", "frequency": 1.0}] if context is None else context,
            "cues": {"bias": 1} if cues is None else cues,
            "genome": {"policy": {}},
            "selection": {"kind": "wright-fisher", "fitness": {"neutral": True}},
        }
    )


def grid(*maps, cues=None, symbols=None, **world):
    """A grid scenario with one context per map, named a, b, ..., equally frequent."""
    contexts = [
        {"name": name, "frequency": 1 / len(maps), "map": text}
        for name, text in zip("abcdef", maps, strict=False)
    ]
    full = {"kind": "grid", "steps": 50, "symbols": symbols or {}} | world
    return scenario(full, contexts, cues)


def refused(model, key, *words, build=build_world):
    """Assert that building fails in one line that names the key and what is allowed."""
    with pytest.raises(UserError) as caught:
        build(model)
    error = caught.value
    assert error.key == key
    assert error.allowed
    line = error.one_line()
    assert len(line.splitlines()) == 1
    for word in words:
        assert word in line, line
    return error


def outcomes(world, c, s, a):
    """The distribution of one entry: (state, payoff, reward, goal, once) -> probability."""
    p = {}
    for k, chance in enumerate(_differences(world.outcome_cdf[c, s, a])):
        if chance > 0:
            kind = (
                world.states[world.outcome_state[c, s, a, k]],
                float(world.payoff[c, s, a, k]),
                float(world.reward[c, s, a, k]),
                float(world.goal[c, s, a, k]),
                bool(world.once[c, s, a, k]),
            )
            assert kind not in p, "equal outcomes are merged"
            p[kind] = chance
    return p


def check_world(world):
    """Everything that any kernel may rely on, whatever the kind of world."""
    C, S, A, K = world.outcome_state.shape
    F, P = len(world.cue_names), len(world.percept_cue)
    assert (len(world.variants), len(world.states), len(world.actions)) == (C, S, A)
    assert world.outcome_state.min() >= 0
    assert world.outcome_state.max() < S
    assert (world.outcome_cdf >= 0).all()
    assert (_differences(world.outcome_cdf) >= 0).all()
    assert (world.outcome_cdf[..., -1] == 1.0).all()
    assert (_differences(world.start_cdf) >= 0).all()
    assert (world.start_cdf[:, -1] == 1.0).all()
    assert not world.terminal[_differences(world.start_cdf) > 0].any()
    shapes = {
        "payoff": (C, S, A, K),
        "reward": (C, S, A, K),
        "goal": (C, S, A, K),
        "once": (C, S, A, K),
        "outcome_cdf": (C, S, A, K),
        "cue": (C, S, F),
        "percept": (C, S),
        "percept_cue": (P, F),
        "terminal": (C, S),
        "region": (C, S),
        "start_cdf": (C, S),
        "position": (S, 2),
    }
    types = {
        "outcome_state": "int32",
        "outcome_cdf": "float64",
        "payoff": "float64",
        "reward": "float64",
        "goal": "float64",
        "once": "uint8",
        "cue": "float32",
        "percept": "int32",
        "percept_cue": "float32",
        "terminal": "uint8",
        "start_cdf": "float64",
        "region": "int32",
        "position": "int32",
        "variant_context": "int32",
        "variant_share": "float64",
        "frequency": "float64",
    }
    for name, shape in shapes.items():
        assert getattr(world, name).shape == shape, name
    for name, dtype in types.items():
        assert getattr(world, name).dtype == dtype, name
    live = world.terminal == 0
    assert (world.percept_cue[world.percept][live] == world.cue[live]).all()
    assert len({row.tobytes() for row in world.percept_cue}) == P
    seen = world.percept[live]
    first = [int(p) for i, p in enumerate(seen) if p not in seen[:i]]
    assert first == list(range(P)), "percepts are numbered by first appearance"
    assert (world.region < max(len(world.regions), 1)).all()
    for c in range(len(world.contexts)):
        assert abs(world.variant_share[world.variant_context == c].sum() - 1) < 1e-12
    assert abs(world.variant_frequency(world.frequency).sum() - 1) < 1e-9


def _differences(cdf):
    shifted = cdf.copy()
    shifted[..., 1:] -= cdf[..., :-1]
    return shifted
