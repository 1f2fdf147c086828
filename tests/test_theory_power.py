"""The theory suite read as a sceptic: with a feature broken, the result about it must be off.

Each case replaces one kernel by one that is wrong in a way that a program could be wrong in.
"""

from __future__ import annotations

import numpy as np
import pytest

from evosim import engine
from evosim.errors import EngineError
from evosim.kernels import culture, finding, landscape, life, reproduce, select
from evosim.kernels.mind import ENTROPY, EPSILON, RATE, TRACE
from evosim.validate import matching


def rearranged(module, name, **changes):
    """Return a kernel that calls the original with some positional arguments changed.

    `changes` maps ``argN`` to a function of that argument's value.
    """
    original = getattr(module, name)

    def broken(*args):
        given = list(args)
        for key, change in changes.items():
            given[int(key[3:])] = change(given[int(key[3:])])
        original(*given)

    return module, name, broken


def followed(module, name, after):
    """Return a kernel that calls the original and then spoils what it wrote."""
    original = getattr(module, name)

    def broken(*args):
        original(*args)
        after(*args)

    return module, name, broken


def evened(*args):
    args[-1][:] = 0.5 * (args[-1] + 1.0)


def nothing(x):
    return x * 0


def raised(fitness):
    # Places without an agent hold whatever was there.
    with np.errstate(over="ignore", invalid="ignore"):
        return 1.02 * fitness


def every_other_event(first, last, keys, generation, count, fitness, gametes, parent, births):
    """Half of the slots keep their occupant."""
    n = parent.shape[1]
    parent[:, : n // 2], births[:, : n // 2] = np.arange(n // 2), 0
    for r in range(first, last):
        gametes[r] = np.bincount(parent[r], minlength=n)


def same_parent(first, last, keys, generation, count, born, fitness, gametes, mate):
    for r in range(first, last):
        m = int(born[r])
        mate[r, :m] = np.repeat(np.arange(gametes.shape[1]), gametes[r])[:m]
    gametes *= 2


def second_copied(*args):
    newborns = args[-1]
    newborns[..., newborns.shape[2] // 2 :] = newborns[..., : newborns.shape[2] // 2]


def all_shifted(*args):
    args[-1][:] = np.roll(args[-1], 1, axis=1)


def offspring_misbooked(*args):
    gametes = args[-2]
    gametes[:, 0] += 1
    gametes[:, 1] -= 1


def mind_with(**changes):
    return lambda mind: mind._replace(**{k: f(getattr(mind, k)) for k, f in changes.items()})


def world_with(**changes):
    return lambda world: world._replace(**{k: f(getattr(world, k)) for k, f in changes.items()})


def scaled(times, number=RATE):
    """One of the mind's numbers, by default the learning rate, that many times as large."""

    def change(mind):
        numbers = mind.numbers.copy()
        numbers[number] *= times
        return mind._replace(numbers=numbers)

    return change


def also_elsewhere(*args):
    args[-2][:] += 1e-6


# Positions of arguments, counted from the range's start and end.
FITNESS_KIND, FITNESS_SLOPE, FITNESS_BASELINE = 2, 3, 4
LEARN_WORLD, LEARN_MIND = 3, 5

BROKEN = {
    "parents drawn too evenly": (
        lambda: followed(select, "spacings", evened),
        ["absorption_time_neutral", "heterozygosity_haploid", "fixation_time_neutral"],
    ),
    "no selection": (
        lambda: rearranged(select, "fitness_from", arg2=lambda _: select.NEUTRAL),
        [
            "haploid_recursion", "haploid_selection", "fixation_haploid", "fixation_diploid",
            "fixation_moran", "establishment", "establishment_density",
            "fundamental_theorem_fails", "multivariate_response",
            "stabilising_selection", "flattest_small", "flattest_large", "peak_fitness",
            "multiplicative", "replicator", "selection_plateau", "costly_habit",
        ],
    ),
    "everybody breeds": (
        lambda: rearranged(select, "breeders", arg2=lambda _: 1.0),
        ["information_gain", "truncation_response"],
    ),
    "selection a fifth too strong": (
        lambda: rearranged(select, "fitness_from", arg3=lambda s: 1.2 * s),
        [
            "haploid_recursion", "haploid_selection", "secondary_theorem",
            "multivariate_response", "multiplicative", "replicator", "costly_habit",
        ],
    ),
    "parents by the square root of fitness": (
        lambda: rearranged(select, "wright_fisher", arg6=np.sqrt),
        [
            "fundamental_theorem_holds", "secondary_theorem", "haploid_selection",
            "multivariate_response", "fixation_haploid", "secondary_theorem_by_context",
            "response_by_context",
        ],
    ),
    "half of Moran's events": (
        lambda: followed(select, "moran", every_other_event),
        ["heterozygosity_moran", "absorption_time_neutral"],
    ),
    "everybody mates with itself": (
        lambda: (select, "mates_by_fitness", same_parent),
        ["heterozygosity_diploid"],
    ),
    "both haplotypes from one gamete": (
        lambda: followed(reproduce, "reproduce_bits", second_copied),
        ["heterozygosity_diploid"],
    ),
    "no mutation of real genes": (
        lambda: rearranged(reproduce, "reproduce_real", arg5=nothing),
        ["stabilising_selection", "threshold_later", "secretary_evolves"],
    ),
    "no mutation of bits": (
        lambda: rearranged(reproduce, "reproduce_bits", arg8=nothing),
        ["peak_fitness", "flattest_small", "first_target"],
    ),
    "items passed on a twentieth too rarely": (
        lambda: rearranged(culture, "transmit", arg8=lambda fidelity: 0.95 * fidelity),
        [
            "channel_line", "lasting_items", "poisson_stock", "open_line", "acquired_items",
            "copiers", "directly_biased", "lasting_among_peers", "neutral_substitution",
        ],
    ),
    "skills imitated a twentieth short": (
        lambda: rearranged(culture, "imitate", arg7=lambda fidelity: 0.95 * fidelity),
        ["acquired_skill", "best_skill"],
    ),
    "a tenth more found": (
        lambda: rearranged(finding, "find_in_pool", arg4=lambda rate: 1.1 * rate),
        ["finite_pool", "channel_line"],
    ),
    "errors of imitation a tenth too small": (
        lambda: rearranged(culture, "imitate", arg11=lambda spread: 0.9 * spread),
        ["best_skill"],
    ),
    "genomes from the parent's neighbour": (
        lambda: followed(reproduce, "reproduce_real", all_shifted),
        ["pedigree_true"],
    ),
    "no environmental noise": (
        lambda: rearranged(landscape, "live_on_traits", arg8=nothing),
        ["truncation_response", "threshold_first", "threshold_later", "tails_apart"],
    ),
    "a fifth more breed": (
        lambda: rearranged(select, "breeders", arg2=lambda fraction: 1.2 * fraction),
        ["truncation_response"],
    ),
    "twice as many breed": (
        lambda: rearranged(select, "breeders", arg2=lambda fraction: 2.0 * fraction),
        ["tails_heavy", "truncation_response"],
    ),
    "one contestant too few": (
        lambda: rearranged(select, "tournament", arg2=lambda size: size - 1),
        ["tails_apart"],
    ),
    "Poisson means 2 % too high": (
        lambda: rearranged(select, "poisson", arg6=raised),
        ["establishment_density"],
    ),
    "learning 5 % too fast": (
        lambda: rearranged(engine, "live_and_learn", arg5=scaled(1.05)),
        [
            "reinforce_gradient", "cross_replicator", "plateau_expected", "replicator",
            "credit_reach",
        ],
    ),
    "learning twice as fast": (
        lambda: rearranged(engine, "live_and_learn", arg5=scaled(2.0)),
        [
            "reinforce_baseline", "plateau_sampled", "reward_inaction", "key_never",
            "cross_never", "hot_stove", "greedy_ruin", "gradient_rate", "tries_go_on",
            "full_feedback",
        ],
    ),
    "rewards squared": (
        lambda: rearranged(engine, "live_and_learn", arg3=world_with(reward=lambda x: x * x)),
        ["reward_scale", "reinforce_gradient", "cross_replicator", "greedy_ruin"],
    ),
    "rewards for nothing": (
        lambda: rearranged(engine, "live_and_learn", arg3=world_with(reward=lambda x: x + 0.5)),
        ["key_without_advantage", "credit_reach"],
    ),
    "exploring a fifth less": (
        lambda: rearranged(engine, "live_and_learn", arg5=scaled(0.8, EPSILON)),
        ["epsilon_greedy_key"],
    ),
    "an entropy bonus a fifth too small": (
        lambda: rearranged(engine, "live_and_learn", arg5=scaled(0.8, ENTROPY)),
        ["entropy_bonus"],
    ),
    "rare outcomes too rare": (
        lambda: rearranged(life, "live", arg3=world_with(cdf=lambda p: p * p)),
        ["secretary_cutoffs"],
    ),
    "traces that fade too fast": (
        lambda: rearranged(engine, "live_and_learn", arg5=scaled(0.99, TRACE)),
        ["credit_reach"],
    ),
    "learning without being there": (
        lambda: followed(engine, "live_and_learn", also_elsewhere),
        ["executed_span", "cross_replicator"],
    ),
}  # fmt: skip


CASES = [(how, name) for how, (_, names) in BROKEN.items() for name in names]


def noticed(how, name, monkeypatch):
    monkeypatch.setattr(*BROKEN[how][0]())
    (result,) = matching(name)
    return any(not row.ok for row in result.rows(quick=True))


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_kernel_is_noticed(how, monkeypatch):
    assert noticed(how, BROKEN[how][1][0], monkeypatch)


@pytest.mark.validate
@pytest.mark.parametrize(("how", "name"), CASES)
def test_a_broken_kernel_is_noticed_wherever_it_matters(how, name, monkeypatch):
    assert noticed(how, name, monkeypatch)


def test_offspring_booked_on_the_wrong_parent_stop_the_run(monkeypatch):
    monkeypatch.setattr(*followed(select, "wright_fisher", offspring_misbooked))
    (result,) = matching("price_identity")
    with pytest.raises(EngineError, match="Price identity"):
        list(result.rows(quick=True))


def test_every_statistical_result_has_a_way_to_be_wrong():
    tried = {name for _, names in BROKEN.values() for name in names}
    exempt = {"price_identity", "price_acts", "fixation_neutral"}
    assert {result.name for result in matching()} - tried == exempt
