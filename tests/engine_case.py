"""Tiny scenarios of every kind, and what the engine makes of them, generation by generation."""

from __future__ import annotations

import copy
import hashlib
from importlib.util import find_spec

import numpy as np

from evosim.engine import Engine
from evosim.kernels.philox import replicate_keys
from evosim.resolve import resolve
from evosim.scenario import Scenario
from evosim.simulate import make_probes

MAPS = ["#####\n#C.S#\n#####", "#####\n#S.C#\n#####"]

WORLDS = {
    "chain": {
        "world": {"kind": "chain", "length": 4, "steps": 6, "episodes": 3, "slip": 0.2},
        "context": [
            {"name": "poor", "frequency": 0.5},
            {"name": "rich", "frequency": 0.5, "payoff": 2},
        ],
        "cues": {
            "bias": 1, "at": {"one_hot": "state"}, "rich": {"one_hot": "context", "visible": 0.5},
        },
    },
    "grid": {
        "world": {
            "kind": "grid", "steps": 5, "episodes": 2,
            "symbols": {"C": {"payoff": 1, "reward": 1, "terminal": True}},
        },
        "context": [
            {"name": "left", "frequency": 0.3, "map": MAPS[0]},
            {"name": "right", "frequency": 0.7, "map": MAPS[1]},
        ],
        "cues": {"bias": 1, "coin": {"toward": "C", "visible": 0.5}},
    },
    "siege": {
        "world": {"kind": "siege", "material": 1, "sharpness": 2, "steps": 4, "episodes": 2},
        "context": [{"name": "game", "frequency": 1.0, "payoff": {"win": 1}, "reward": {"win": 1}}],
        "cues": {"bias": 1, "place": {"one_hot": "state"}},
    },
    "bandit": {
        "world": {"kind": "bandit", "actions": ["a", "b", "c"], "steps": 1, "episodes": 4},
        "context": [
            {"name": "summer", "frequency": 0.6, "payoff": {"a": 1, "b": {"p": 0.5, "value": 3}},
             "reward": {"a": 0.5, "c": 1}},
            {"name": "winter", "frequency": 0.4, "payoff": {"c": 1}, "reward": {"b": 1}},
        ],
        "cues": {"bias": 1, "season": {"one_hot": "context"}},
    },
    "graph": {
        "world": {
            "kind": "graph", "actions": ["on", "off"], "start": "here", "steps": 4, "episodes": 2,
            "transitions": [
                {"from": "here", "action": "on", "to": "there", "p": 0.5, "payoff": 1,
                 "once": True},
                {"from": "here", "action": "on", "to": "here", "p": 0.5},
                {"from": "here", "action": "off", "to": "here"},
                {"from": "there", "to": "end", "payoff": 0.5, "reward": 1},
            ],
        },
        "context": [{"name": "only", "frequency": 1.0}],
        "cues": {"bias": 1, "there": {"states": {"there": 1}}},
    },
    "traits": {
        "world": {"kind": "landscape", "shape": "linear", "gene": "trait", "noise": 0.5},
        "genome": {"trait": {"loci": 5, "initial": {"normal": [0, 1]}, "mutation": 0.1}},
    },
    "peaks": {
        "world": {
            "kind": "landscape", "shape": "peaks", "gene": "trait", "elsewhere": 0.5,
            "peaks": [{"height": 2, "value": 1, "essential": 3, "shoulder": 1}],
        },
        "genome": {
            "trait": {"kind": "bits", "loci": 70, "initial": {"probability": 0.5}, "mutation": 0.01}
        },
    },
}  # fmt: skip

if find_spec("gymnasium") is not None:
    WORLDS["gymnasium"] = {
        "world": {
            "kind": "gymnasium", "id": "FrozenLake-v1", "arguments": {"map_name": "4x4"},
            "steps": 8, "episodes": 2, "reward": 1,
            "factors": [{"name": "row", "size": 4}, {"name": "column", "size": 4}],
        },
        "context": [
            {"name": "slippery", "frequency": 0.5},
            {"name": "dry", "frequency": 0.5, "arguments": {"is_slippery": False}, "start": "9"},
        ],
        "cues": {
            "bias": 1, "row": {"factors": ["row"]}, "dry": {"one_hot": "context", "visible": 0.5},
        },
    }  # fmt: skip

MINDS = {
    "linear": {"kind": "reflex"},
    "greedy": {"kind": "reflex", "choice": "greedy"},
    "perceptron": {"kind": "reflex", "policy": "mlp", "hidden": 2},
    "reinforce": {
        "kind": "reflex", "learning": "reinforce", "learning_rate": 0.1, "advantage": "centred",
    },
    "learning perceptron": {
        "kind": "reflex", "policy": "mlp", "learning": "reinforce", "learning_rate": 0.1,
    },
    "cross": {"kind": "reflex", "learning": "cross", "learning_rate": 0.2},
    "q": {"kind": "model-free", "learning_rate": 0.2, "trace": 0.5, "optimism": 0.5},
    "sarsa": {"kind": "model-free", "rule": "sarsa", "choice": "epsilon-greedy", "trace": 0.3},
    "actor-critic": {"kind": "model-free", "rule": "actor-critic", "trace": 0.3},
    "episodic": {"kind": "model-free", "credit": "episodic", "choice": "greedy"},
    "lookahead": {"kind": "lookahead", "depth": 2, "temperature": 0.3},
    "model builder": {
        "kind": "lookahead", "depth": 3, "model": "learned", "leaf": "learned", "untried": 0.2,
    },
    "abstract": {"kind": "abstract", "topics": ["bias"], "temperature": 0.3},
    "reflective": {
        "kind": "reflective", "topics": ["bias"], "alarm": 0.1, "told": ["bias"], "trust": 0.4,
    },
}  # fmt: skip

FITNESS = {"exponential": 1.0}
SELECTIONS = {
    "wright-fisher": {"kind": "wright-fisher", "fitness": FITNESS},
    "proportional": {"kind": "wright-fisher", "fitness": {"proportional": 0.2, "baseline": 5.0}},
    "neutral": {"kind": "wright-fisher", "fitness": {"neutral": True}},
    "moran": {"kind": "moran", "fitness": FITNESS},
    "best half": {"kind": "truncation", "fraction": 0.5},
    "threshold": {"kind": "truncation", "threshold": -9.0},
    "tournament": {"kind": "tournament", "size": 3},
    "density": {
        "kind": "density",
        "fitness": {"exponential": 0.3},
        "capacity": 200,
        "criterion": "mean",
    },
}

REPRODUCTIONS = {
    "clonal": {"kind": "clonal"},
    "free": {"kind": "recombining"},
    "one point": {"kind": "recombining", "recombination": "one-point"},
    "midparent": {"kind": "recombining", "recombination": "midparent"},
}

GENOME = {
    "policy": {"initial": {"normal": [0, 1]}, "mutation": 0.1},
    "neutral": {"loci": 2, "initial": {"uniform": [0, 1]}, "mutation": 0.2, "mutation_rate": 0.5},
}
MARKER = {"kind": "bits", "loci": 70, "initial": {"probability": 0.5}, "mutation": 0.01}


def data(world="chain", mind="linear", selection="wright-fisher", reproduction="clonal", **changes):
    """A scenario as nested tables; changes replace whole tables, `population` adds to its own."""
    made = {
        "title": "tiny", "seed": 5,
        "population": {"agents": 64, "replicates": 4, "generations": 5},
        "genome": GENOME, "selection": SELECTIONS[selection],
        "reproduction": REPRODUCTIONS[reproduction], **copy.deepcopy(WORLDS[world]),
    }  # fmt: skip
    if "context" in made:
        made["mind"] = MINDS[mind]
        if MINDS[mind]["kind"] not in ("reflex", "model-free"):
            made["genome"] = {k: v for k, v in made["genome"].items() if k != "policy"}
    made["population"] |= changes.pop("population", {})
    return made | changes


def resolved(tables):
    return resolve(Scenario.from_dict(tables).model)


def engine(tables, replicates=range(4), threads=1, probes=False, **options):
    """An engine of the scenario's own arm; with `probes` its assays are ledger indices."""
    parts = resolved(tables)
    if probes:
        options["index_probes"] = tuple(make_probes(parts, parts.model))
    keys = replicate_keys(tables["seed"], np.asarray(list(replicates)))
    return Engine(parts, keys, threads, **options)


def history(tables, replicates=range(4), threads=1, generations=4, probes=False):
    """Per replicate, one digest per generation of everything that a run is about."""
    made = engine(tables, replicates, threads, probes)
    out = {r: [] for r in replicates}
    for _ in range(generations):
        lives = made.step()
        for k, r in enumerate(replicates):
            out[r].append(digest(made, lives, k))
    return out


def digest(made, lives, k):
    """Hash one replicate's genomes, payoffs and ledger."""
    population, ledger = made.population, made.ledger
    n, lived = population.count[k], lives.count[k]
    genes = made.resolved.layout.real_loci
    parts = [
        n, population.real[k], population.bits[k], lives.payoff[k, :lived],
        lives.criterion[k, :lived], lives.context_payoff[k], lives.context_episodes[k],
        lives.learned[k, :lived], ledger.selection[k, :genes], ledger.transmission[k, :genes],
        ledger.learning[k, :genes], ledger.acts.selection[k],
    ]  # fmt: skip
    sha = hashlib.sha256()
    for part in parts:
        sha.update(np.ascontiguousarray(part).tobytes())
    return sha.hexdigest()[:16]
