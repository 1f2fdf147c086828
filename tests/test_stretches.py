"""Phases and interventions that change what there is to perceive: one ledger for all of them."""

import engine_case
import numpy as np
import pytest

from evosim.errors import UserError
from evosim.scenario import Scenario
from evosim.simulate import plan, simulate
from evosim.stretches import resolve_stretches

SIZE = {"agents": 20, "replicates": 2, "generations": 4}


def swapped():
    """Two contexts of training, one of which gives way to a third with as many percepts."""
    data = engine_case.data("bandit")
    data["context"].append({"name": "spring", "frequency": 0.0, "payoff": {"a": 1}})
    frequencies = {"summer": 0.6, "winter": 0.0, "spring": 0.4}
    return data | {"phase": [{"name": "late", "start": 2, "frequencies": frequencies}]}


def regrouped():
    """Of three states the second looks like the third at first, like the first later."""
    data = engine_case.data("chain")
    data["cues"] = {"at": {"states": {"0": 1, "1": 2, "2": 2}}}
    return data | {"intervention": [{"at": 2, "set": {"cues.at.states.1": 1.0}}]}


def seen():
    """The first state looks like nothing else later."""
    return regrouped() | {"intervention": [{"at": 2, "set": {"cues.at.states.0": 1.5}}]}


def stretches(data):
    return [one for _, one in resolve_stretches(Scenario.from_dict(data).arms()[0].model)]


def test_a_phase_adds_its_contexts_to_what_is_followed():
    early, late = stretches(swapped())
    assert early.tracked.context.tolist() == late.tracked.context.tolist() == [0, 1, 2]
    assert early.tracked.shown.tolist() == [True, True, False]
    assert late.tracked.shown.all()  # winter was shown before
    # Acts count where training shows them now.
    assert early.tables.track.tolist() != late.tables.track.tolist()
    assert {*early.tables.track.tolist()} == {0, 1, -1}
    assert {*late.tables.track.tolist()} == {0, 2, -1}


@pytest.mark.parametrize(
    ("made", "cues", "late"), [(regrouped, [1, 2], [0, 0, 1]), (seen, [1, 2, 1.5], [2, 1, 1])]
)
def test_percepts_have_one_number_all_along(made, cues, late):
    early, later = (one.world for one in stretches(made()))
    for world in (early, later):
        assert world.percept_cue[:, world.cue_names.index("at")].tolist() == cues
    np.testing.assert_array_equal(early.percept[0, :3], [0, 1, 1])
    np.testing.assert_array_equal(later.percept[0, :3], late)


def test_at_most_so_many_percepts_of_a_context():
    early, late = stretches(seen() | {"ledger": {"percepts": 2}})
    for one in (early, late):
        assert one.tracked.percept.tolist() == [0, 1, 0, 1]  # of both contexts


@pytest.mark.parametrize("mind", [{"kind": "reflex"}, {"kind": "model-free"}])
@pytest.mark.parametrize("made", [swapped, regrouped, seen])
def test_following_more_changes_no_population(made, mind):
    runs = [
        simulate(
            Scenario.from_dict(
                made() | {"mind": mind, "population": SIZE, "ledger": {"percepts": percepts}}
            ),
            threads=1,
        )
        for percepts in (0, 8)
    ]
    assert runs[1].population.keys() == runs[0].population.keys()
    for name, values in runs[0].population.items():
        np.testing.assert_array_equal(values, runs[1].population[name], err_msg=name)


def test_a_row_of_the_ledger_is_about_one_percept():
    """What stands under a percept's name adds up over the whole run, shown or not."""
    data = seen() | {"mind": {"kind": "reflex"}, "population": SIZE, "record": {"every": 1}}
    ledger = simulate(Scenario.from_dict(data), threads=1).tables["ledger"]
    logits = ledger[(ledger["kind"] == "logit").to_numpy()]
    assert logits["quantity"].nunique() == 3
    for _, rows in logits.groupby(["replicate", "quantity"], observed=True):
        rows = rows.sort_values("generation")
        np.testing.assert_allclose(
            rows["selection"].cumsum(), rows["cumulative_selection"], atol=1e-12
        )
        np.testing.assert_allclose(rows["after"].iloc[:-1], rows["before"].iloc[1:], atol=1e-12)


def test_what_genomes_mean_does_not_change():
    data = engine_case.data("siege") | {"mind": {"kind": "reflex"}}
    data["intervention"] = [{"at": 2, "set": {"world.sharpness": 3}}]
    with pytest.raises(UserError, match="changes at generation 2 changes the loci or the cues"):
        plan(Scenario.from_dict(data))
