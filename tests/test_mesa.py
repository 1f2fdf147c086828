"""The Mesa face: the engine's own bits, Mesa's own tools, views that change nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import ClassVar

import mesa
import numpy as np
import pandas as pd
import pytest
import test_trials

import evosim
from evosim import EvoModel, UserError
from evosim.scenario import Scenario

HERE = Path(__file__).parent
BANDIT = HERE / "data" / "bandit.toml"
SMALL = {"agents": 30, "generations": 8}


class Small(EvoModel):
    """As a user would write it."""

    source = BANDIT
    agent_reporters: ClassVar = {"payoff": "payoff", "side": lambda agent: agent["policy[bias]"]}

    def __init__(self, agents=30, generations=4, **keys):
        super().__init__(agents=agents, generations=generations, **keys)


def finished(model):
    while model.running:
        model.step()
    return model


def test_same_seed_same_bits_as_the_engine():
    run = evosim.run(
        BANDIT, threads=1, seed=3, replicates=3, agents=30, generations=8, set={"record.every": 1}
    )
    for replicate in (0, 2):
        model = EvoModel(file=BANDIT, seed=3, replicate=replicate, **SMALL)
        table = run.trajectory[
            (run.trajectory["arm"] == "selected") & (run.trajectory["replicate"] == replicate)
        ]
        for _, row in table.iterrows():
            model.step()
            assert model.generation == row["generation"]
            for name in ("payoff", "criterion", "policy[bias]", "neutral[1].sd"):
                assert model.measure(name) == row[name]
        assert not model.running
        assert model.steps == 9
        genome = run.population["selected/genome"][replicate]
        assert np.array_equal(model.engine.population.real[0], genome)


def test_looking_changes_nothing():
    seen, unseen = EvoModel(file=BANDIT, **SMALL), EvoModel(file=BANDIT, sample=0, **SMALL)
    while seen.running:
        state = seen.random.getstate()
        len(seen.agents), seen.agent_frame(), seen.ledger_frame()
        assert seen.random.getstate() == state
        seen.step()
        unseen.step()
    assert np.array_equal(seen.engine.population.real, unseen.engine.population.real)
    assert not unseen.agents


def test_all_agents_in_a_frame_and_a_sample_as_views():
    model = EvoModel(file=BANDIT, sample=7, **SMALL)
    founders = model.agent_frame()
    assert founders["payoff"].isna().all()
    model.step()
    model.step()
    frame = model.agent_frame()
    assert len(frame) == 30
    assert frame["payoff"].mean() == pytest.approx(model.payoff, rel=1e-12)
    assert frame["criterion"].mean() == pytest.approx(model.criterion, rel=1e-12)
    assert frame["policy[bias]"].mean() == pytest.approx(model.measure("policy[bias]"), rel=1e-6)
    assert not np.allclose(frame["policy[bias]"], founders["policy[bias]"])
    agents = model.agents
    assert isinstance(agents, mesa.agent.AgentSet)
    assert len(agents) == 7
    for agent in agents:
        assert isinstance(agent, mesa.Agent)
        assert agent.traits == frame.loc[agent.unique_id].to_dict()
    rich = agents.select(lambda agent: agent.payoff > model.payoff)
    assert {agent.unique_id for agent in rich} == {
        i for i in agents.get("unique_id") if frame["payoff"][i] > model.payoff
    }
    assert agents.agg("payoff", max) == max(agents.get("payoff"))
    assert model.agents.get("unique_id") == agents.get("unique_id")
    model.step()
    # Views keep what they saw.
    assert [agent.payoff for agent in agents] == [frame["payoff"][a.unique_id] for a in agents]


def test_views_are_read_only():
    model = EvoModel(**SMALL)
    agent = model.agents[0]
    with pytest.raises(AttributeError, match="'payoff' cannot be set"):
        agent.payoff = 3.0
    with pytest.raises(AttributeError, match="cannot be removed"):
        agent.remove()
    with pytest.raises(AttributeError, match="cannot be set"):
        model.agents.set("payoff", 1.0)


def test_the_data_collector_sees_the_generation_that_lives():
    model = finished(Small(sample=5))
    of_model = model.datacollector.get_model_vars_dataframe()
    assert list(of_model.columns) == list(EvoModel.model_reporters)
    assert list(of_model["generation"]) == list(range(5))
    assert of_model["payoff"].iloc[-1] == model.payoff
    of_agents = model.datacollector.get_agent_vars_dataframe()
    assert of_agents.index.names == ["Step", "AgentID"]
    assert len(of_agents) == 5 * 5
    last = of_agents.loc[4]
    assert list(last["payoff"]) == list(model.agent_frame()["payoff"][last.index])
    assert list(last["side"]) == list(model.agent_frame()["policy[bias]"][last.index])


@pytest.mark.parametrize("processes", [1, 2])
def test_batch_runs_have_replicates_that_differ(processes):
    """With one seed for all, as Mesa hands it on, each iteration is a replicate of its own."""
    results = mesa.batch_run(
        Small,
        {"seed": 3, "genome.policy.mutation": [0.05, 0.2]},
        number_processes=processes,
        iterations=3,
        data_collection_period=2,
        display_progress=False,
    )
    frame = pd.DataFrame(results)
    assert sorted(frame["Step"].unique()) == [0, 2, 4]
    assert (frame["generation"] == frame["Step"]).all()
    last = frame[frame["Step"] == 4]
    payoffs = last.groupby(["genome.policy.mutation", "iteration"])["criterion"].first()
    assert payoffs.nunique() == len(payoffs) == 6
    run = evosim.run(
        BANDIT, threads=1, seed=3, replicates=3, agents=30, generations=4, set={"record.every": 1}
    )
    final = run.trajectory[
        (run.trajectory["arm"] == "selected") & (run.trajectory["generation"] == 4)
    ]
    assert list(payoffs[0.05]) == list(final["criterion"])


def test_learners_trials_and_populations_of_changing_size():
    data = test_trials.data(trial=test_trials.PAIR, episodes=12, generations=3)
    density = {"kind": "density", "capacity": 16, "fitness": {"exponential": 2.0}}
    scenario = Scenario.from_dict(data | {"selection": density})
    run = evosim.run(scenario, threads=1)
    model = EvoModel(file=scenario, replicate=1)
    for g in range(4):
        model.step()
        row = run.trajectory[
            (run.trajectory["replicate"] == 1) & (run.trajectory["generation"] == g)
        ].iloc[0]
        assert model.alive == len(model.agent_frame()) == row["agents"]
        assert model.measure("trial.hurt.lock_in") == row["trial.hurt.lock_in"]
    assert not model.running


def test_a_population_that_dies_out_ends_the_model():
    data = test_trials.data(trial=[], episodes=2, generations=30)
    dying = {"kind": "density", "capacity": 1, "fitness": {"exponential": 0.0}}
    model = finished(EvoModel(file=Scenario.from_dict(data | {"selection": dying})))
    assert model.generation < 30
    assert model.engine.extinct


def test_a_model_is_let_go_of():
    model = finished(Small())
    list(model.agents)
    watched = weakref.ref(model)
    del model
    gc.collect()
    assert watched() is None


#: What `mesa.Model` has in 3.5.0 or 4.0.0a0, and not in 3.3.
LATER = """
scenario time data_registry agent_id_counter run_for run_until schedule_event schedule_recurring
observe unobserve observe_class unobserve_class notify batch suppress subscribers observables
clear_all_subscriptions clear_all_class_subscriptions schedule space events
_scenario _simulator _event_list _event_generators _user_step _default_schedule _all_agents
_batch_context _suppress _has_subscribers _mesa_notify _class_subscribers
"""


def test_names_of_later_versions_are_left_free():
    own = set(vars(finished(Small()))) | set(vars(EvoModel))
    ours = own - set(vars(mesa.Model())) - set(vars(mesa.Model))
    assert "_cell" in ours
    assert not ours & set(LATER.split())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"file": BANDIT, "arm": "selectd"}, "did you mean 'selected'"),
        ({"genom.policy.mutation": 1.0}, "did you mean"),
        ({"seed": 1, "rng": 2}, "given twice"),
        ({"seed": "x"}, "no seed"),
        ({"agents": 0}, "population.agents"),
    ],
)
def test_errors_in_one_line(keys, said):
    with pytest.raises(UserError) as caught:
        EvoModel(**keys)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_measures_are_told():
    model = EvoModel(**SMALL)
    with pytest.raises(UserError, match="none before the first step"):
        model.measure("payoff")
    model.step()
    with pytest.raises(UserError, match="did you mean 'payoff'"):
        model.measure("payof")


def test_nothing_else_imports_mesa():
    code = (
        "import sys, evosim, evosim.cli, evosim.api, evosim.simulate\n"
        "try:\n    evosim.cli.main(['--help'])\nfinally:\n    print('mesa' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    root = Path(evosim.__file__).parent
    importing = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "import mesa\n" in path.read_text() or "from mesa" in path.read_text()
    ]
    assert [name for name in importing if not name.startswith("bench/")] == [
        "mesa_model.py",
        "page/app.py",
    ]
