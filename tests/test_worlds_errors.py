"""Every mistake in a world, a context or a cue is one line: key, what is allowed, a hint."""

import pytest
from worlds_case import grid, refused, scenario

from evosim.worlds.build import contexts_frequency

COIN = {"C": {"payoff": 1.0, "terminal": True}}


def grid_with(context, symbols=None, cues=None, **world):
    base = {"name": "coin left", "frequency": 1.0, "map": "#S.C#"}
    full = {"kind": "grid", "steps": 9, "symbols": COIN if symbols is None else symbols} | world
    return scenario(full, [base | context], cues)


def chain(context=None, cues=None, **world):
    return scenario({"kind": "chain", "length": 4, "steps": 9} | world, context, cues)


def bandit(cues=None, **context):
    base = {"name": "sun", "frequency": 1.0}
    return scenario({"kind": "bandit", "actions": ["left", "right"]}, [base | context], cues)


def graph(transitions, context=None, cues=None, **world):
    full = {"kind": "graph", "actions": ["go", "quit"], "start": "home"} | world
    base = {"name": "day", "frequency": 1.0}
    return scenario(full | {"transitions": transitions}, [base | (context or {})], cues)


OUT = [{"from": "home", "to": "end"}]

GRID = {
    "no map": (grid_with({"map": None}), "context.coin left.map", "needs a map"),
    "blank map": (grid_with({"map": " \n "}), "context.coin left.map", "no S"),
    "no start": (grid_with({"map": "#..C#"}), "context.coin left.map", "no S"),
    "undeclared": (
        grid_with({"map": "####\n#Sc#\n#.C#"}),
        "context.coin left.map",
        "row 2",
        "'c'",
        "did you mean 'C'?",
    ),
    "tab": (grid_with({"map": "\t#SC#"}), "context.coin left.map", "row 1", "'\\t'"),
    "walled off": (
        grid_with({"map": "#S.#C#"}),
        "context.coin left.map",
        "row 1",
        "cannot be reached",
    ),
    "behind an ending": (
        grid_with({"map": "#S.TC#"}, COIN | {"T": {"terminal": True}}),
        "context.coin left.map",
        "'C' cannot be reached",
    ),
    "out of the actions": (
        grid_with({}, actions=["left", "stay"]),
        "context.coin left.map",
        "cannot be reached",
    ),
    "too far": (
        grid_with({"map": "#S..C#"}, steps=2),
        "context.coin left.map",
        "3 steps",
        "world.steps >= 3",
    ),
    "reward too far": (
        grid_with({"map": "#S..R#"}, {"R": {"reward": 1.0}}, steps=2),
        "context.coin left.map",
        "'R' is 3 steps",
    ),
    "nowhere": (grid_with({}, COIN | {"D": {}}), "world.symbols.D", "stands in no map"),
    "not in this map": (
        grid_with({"symbols": {"D": {"payoff": 1.0}}}),
        "context.coin left.symbols.D",
        "not in the map of this context",
    ),
    "two letters": (
        grid_with({}, COIN | {"coin": {}}),
        "world.symbols.coin",
        "not one character",
    ),
    "line break": (grid_with({}, COIN | {"\n": {}}), "world.symbols", "not one character"),
    "two letters in context": (
        grid_with({"symbols": {"CC": {}}}),
        "context.coin left.symbols.CC",
        "not one character",
    ),
    "wall declared": (grid_with({}, COIN | {"#": {}}), "world.symbols.#", "always means wall"),
    "floor declared": (grid_with({}, COIN | {" ": {}}), "world.symbols. ", "always means floor"),
    "ending start": (
        grid_with({}, COIN | {"S": {"terminal": True}}),
        "world.symbols.S",
        "where episodes start",
    ),
    "paying wall": (
        grid_with({}, COIN | {"W": {"wall": True, "payoff": 1.0}}),
        "world.symbols.W",
        "never entered",
    ),
    "no move": (grid_with({"map": "#S#"}, {}), "world.actions", "no map allows a move"),
    "no actions": (grid_with({}, actions=[]), "world.actions", "no map allows a move"),
    "action twice": (grid_with({}, actions=["left", "left"]), "world.actions", "given twice"),
    "slip without another": (
        grid_with({}, actions=["right"], slip=0.1),
        "world.slip",
        "another direction",
    ),
}

CHAIN = {
    "start at the end": (chain(start=3), "world.start", "0 to 2"),
    "too far": (chain(steps=2), "world.steps", "3 steps", ">= 3"),
    "action twice": (chain(actions=["a", "a"]), "world.actions", "given twice"),
    "no actions": (chain(actions=[]), "world.actions", "at least one"),
    "payoff by action": (
        chain([{"name": "x", "frequency": 1, "payoff": {"forward": 1.0}}]),
        "context.x.payoff",
        "one number",
    ),
}

BANDIT = {
    "unknown action": (
        bandit(payoff={"lft": 1.0}),
        "context.sun.payoff.lft",
        "did you mean 'left'?",
    ),
    "unknown goal": (bandit(goal={"up": 1.0}), "context.sun.goal.up", "left, right"),
    "one number": (bandit(reward=1.0), "context.sun.reward", "by action", "{ left = 1 }"),
    "two chances": (
        bandit(
            payoff={"left": {"p": 0.5, "value": 1.0}}, reward={"left": {"p": 0.4, "value": 1.0}}
        ),
        "context.sun.reward.left",
        "one draw",
    ),
}

GRAPH = {
    "unknown action": (
        graph([{"from": "home", "action": "gO", "to": "end"}]),
        "world.transitions.0.action",
        "did you mean 'go'?",
    ),
    "unknown action in context": (
        graph(OUT, {"transitions": [*OUT, {"from": "home", "action": "x", "to": "end"}]}),
        "context.day.transitions.1.action",
        "unknown action 'x'",
    ),
    "too little": (
        graph([{"from": "home", "to": "end", "p": 0.75}]),
        "world.transitions",
        "'go' in state 'home' sum to 0.75",
    ),
    "too much": (
        graph(OUT, {"transitions": [*OUT, *OUT]}),
        "context.day.transitions",
        "sum to 2",
    ),
    "missing action": (
        graph([{"from": "home", "action": "go", "to": "end"}]),
        "context.day.transitions",
        "action 'quit' in state 'home'",
    ),
    "from end": (graph([*OUT, {"from": "end", "to": "home"}]), "world.transitions.1.from", "end"),
    "unknown start": (graph(OUT, start="hom"), "world.start", "did you mean 'home'?"),
    "terminal start": (graph(OUT, {"start": "end"}), "context.day.start", "no transition leads"),
    "start sum": (
        graph(OUT, {"start": {"home": 0.5}}),
        "context.day.start",
        "sum to 0.5",
    ),
    "action twice": (graph(OUT, actions=["go", "go"]), "world.actions", "given twice"),
    "unknown region": (
        graph(OUT, regions={"bad": ["hom"]}),
        "world.regions.bad",
        "did you mean 'home'?",
    ),
    "two regions": (
        graph(OUT, regions={"bad": ["home"], "good": ["home"]}),
        "world.regions.good",
        "two regions",
    ),
    "unknown percept": (graph(OUT, percepts={"p": ["house"]}), "world.percepts.p", "'house'"),
    "unequal percept": (
        graph(
            [{"from": "home", "to": "hill"}, {"from": "hill", "to": "end"}],
            cues={"at": {"one_hot": "state"}},
            percepts={"rough": ["home", "hill"]},
        ),
        "world.percepts.rough",
        "different cues in 'day'",
    ),
}

CUES = {
    "none": (grid_with({}, cues={}), "cues", "[cues]"),
    "no source": (grid_with({}, cues={"x": {"visible": 0.5}}), "cues.x", "no source"),
    "two sources": (
        grid_with({}, cues={"x": {"at": "C", "value": 1}}),
        "cues.x",
        "value and at",
    ),
    "states in a grid": (
        grid_with({}, cues={"x": {"states": {"1,0": 1.0}}}),
        "cues.x.states",
        "does not belong to a grid world",
    ),
    "toward in a chain": (
        chain(cues={"x": {"toward": "C"}}),
        "cues.x.toward",
        "does not belong to a chain world",
    ),
    "at in a graph": (graph(OUT, cues={"x": {"at": "C"}}), "cues.x.at", "graph world"),
    "states in a bandit": (
        bandit(cues={"x": {"states": {"choice": 1.0}}}),
        "cues.x.states",
        "bandit world",
    ),
    "axis alone": (
        grid_with({}, cues={"x": {"at": "C", "axis": "y"}}),
        "cues.x.axis",
        "axis goes with toward",
    ),
    "within alone": (
        grid_with({}, cues={"x": {"place": "x", "within": 2}}),
        "cues.x.within",
        "within goes with toward",
    ),
    "place in a chain": (
        chain(cues={"x": {"place": "x"}}),
        "cues.x.place",
        "does not belong to a chain world",
    ),
    "unknown symbol": (
        grid_with({}, cues={"x": {"toward": "c"}}),
        "cues.x.toward",
        "did you mean 'C'?",
    ),
    "toward a wall": (grid_with({}, cues={"x": {"toward": "#"}}), "cues.x.toward", "C, S"),
    "unknown state": (
        graph(OUT, cues={"x": {"states": {"hime": 1.0}}}),
        "cues.x.states.hime",
        "did you mean 'home'?",
    ),
    "context cue unknown": (
        scenario(
            {"kind": "bandit", "actions": ["a", "b"]},
            [{"name": "sun", "frequency": 1.0, "cues": {"smel": 1.0}}],
            {"smell": {"context": True}},
        ),
        "context.sun.cues.smel",
        "did you mean 'smell'?",
    ),
    "context cue without values": (
        bandit(cues={"smell": {"context": True}}),
        "cues.smell.context",
        "no context gives",
    ),
    "context false": (
        bandit(cues={"smell": {"context": False}}),
        "cues.smell.context",
        "false says nothing",
    ),
    "too large": (bandit(cues={"x": 1e39}), "cues.x", "too large"),
    "too many columns": (
        scenario(
            {"kind": "chain", "length": 9000, "steps": 9000}, cues={"x": {"one_hot": "state"}}
        ),
        "cues.x.one_hot",
        "8999 columns",
    ),
    "too many hidden": (
        bandit(cues={f"x{i}": {"value": 1, "visible": 0.5} for i in range(11)}),
        "cues",
        "at most 10",
    ),
}


def _cases(*groups):
    return [
        pytest.param(*case[:2], case[2:], id=f"{name}: {what}")
        for name, group in groups
        for what, case in group.items()
    ]


@pytest.mark.parametrize(
    ("model", "key", "words"),
    _cases(("grid", GRID), ("chain", CHAIN), ("bandit", BANDIT), ("graph", GRAPH), ("cues", CUES)),
)
def test_mistake(model, key, words):
    refused(model, key, *words)


FOREIGN = {
    "map": ("chain", "#S.#"),
    "symbols": ("graph", COIN),
    "payoff": ("grid", 1.0),
    "reward": ("graph", 1.0),
    "goal": ("grid", {"left": 1.0}),
    "transitions": ("bandit", OUT),
    "start": ("chain", "home"),
    "parameters": ("bandit", {"x": 1.0}),
}
WORLDS = {
    "grid": {"kind": "grid"},
    "chain": {"kind": "chain", "length": 2},
    "bandit": {"kind": "bandit", "actions": ["left", "right"]},
    "graph": {"kind": "graph", "actions": ["go"], "start": "home"},
}


@pytest.mark.parametrize("key", FOREIGN)
def test_keys_of_another_kind_of_world(key):
    kind, value = FOREIGN[key]
    model = scenario(WORLDS[kind], [{"name": "x", "frequency": 1.0, key: value}])
    refused(model, f"context.x.{key}", f"does not belong to a {kind} world", "frequency")


def test_contexts():
    world = WORLDS["chain"]
    refused(scenario(world, []), "context", "no context")
    twice = [{"name": "x", "frequency": 0.5}] * 2
    refused(scenario(world, twice), "context", "'x' is given twice")
    short = [{"name": "x", "frequency": 0.5}, {"name": "y", "frequency": 0.25}]
    refused(scenario(world, short), "context", "sum to 0.75")
    refused(scenario(world, short), "context", "sum to 0.75", build=contexts_frequency)


def test_state_that_only_another_context_leads_on_from():
    gap = {"kind": "graph", "actions": ["go"], "start": "home"}
    contexts = [
        {
            "name": "whole",
            "frequency": 1.0,
            "transitions": [{"from": "home", "to": "hill"}, {"from": "hill", "to": "end"}],
        },
        {"name": "gap", "transitions": [{"from": "home", "to": "hill"}]},
    ]
    refused(scenario(gap, contexts), "context.gap.transitions", "'go' in state 'hill'")


def test_the_second_context_is_named():
    refused(grid("#S.C#", "#S.#C#", symbols=COIN), "context.b.map", "cannot be reached")
