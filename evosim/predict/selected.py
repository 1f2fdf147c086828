"""LEDGER: agents do what was selected where they were trained, carried over by shared cues.

What the ledger holds is L(z, a), the cumulative selection on the logit of action a at a percept
z met in training. Under mutation that is alike and independent in all loci, the loci of a linear
policy that produce given logits are, in expectation, the smallest ones that do (the minimum-norm
solution): with the cue kernel k(z, z') = phi(z).phi(z') a novel percept z* has the logit

    mu = y0(z*) + k*' (K + lambda I)^-1 L,      v = s^2 [k(z*, z*) - k*' (K + lambda I)^-1 k*],

K the kernel over the percepts met, y0 the logit of the mean founder and s^2 the variance that
drift alone gives a locus. No policy locus of an agent is read: founders are in the scenario's
text, drift is measured on loci without any effect.

For other minds this is an approximation, and the distance of LEDGER from CEIL in the table of
scores is its error. Networks: a founder's logits are known everywhere, what selection adds is
carried over as if they were linear. Tables and plans: what a founder does at a percept never met
is worked out by its mind, not by cues, and is not in any record; y0 is that of the percepts met,
and is carried over with what selection added. At most `ledger.percepts` percepts of a context
are followed in either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosim.assays import learned_probabilities, probabilities
from evosim.engine import Engine
from evosim.errors import UserError
from evosim.kernels.life import TABLE
from evosim.layout import Slot
from evosim.lives import Lives
from evosim.predict.founders import expressed, founder_mean, policy_slot
from evosim.predict.objective import softmax
from evosim.resolve import Resolved
from evosim.worlds.tabular import TabularWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: lambda, as a share of the trace of K.
RIDGE = 1e-6
#: Quasi-random draws, as a power of two.
_LOG_DRAWS = 8
#: Smallest probability whose logarithm enters a mean logit.
_LEAST = 1e-3


@dataclass(frozen=True)
class Extrapolation:
    """From met percepts to any percepts.

    Attributes
    ----------
    share : (J, Z) float64
        What a logit at each met percept adds to the one asked for: k*' (K + lambda I)^-1.
    open : (J,) float64
        What the met percepts leave open: k(z*, z*) - k*' (K + lambda I)^-1 k*.
    """

    share: F64
    open: F64


def extrapolation(met: F64, asked: F64) -> Extrapolation:
    """Return the weights of kernel ridge interpolation over cues.

    Parameters
    ----------
    met : (Z, F) float64
        Cues of the percepts met in training.
    asked : (J, F) float64
    """
    kernel = met @ met.T
    ridge = RIDGE * np.trace(kernel)
    if ridge == 0.0:  # all percepts of training are blank
        return Extrapolation(np.zeros((len(asked), len(met))), (asked**2).sum(axis=1))
    across = asked @ met.T
    share = np.linalg.solve(kernel + ridge * np.eye(len(met)), across.T).T
    left = (asked**2).sum(axis=1) - (share * across).sum(axis=1)
    return Extrapolation(np.ascontiguousarray(share), np.maximum(left, 0.0))


def ledger_policy(engine: Engine, lives: Lives, when: str, met: I64, asked: I64, drift: F64) -> F64:
    """Return the probabilities that the ledger predicts.

    Parameters
    ----------
    engine, lives, when, met, asked, drift
        As for `ledger_logits`.

    Returns
    -------
    (R, J, A) float64

    Raises
    ------
    UserError
        If policy loci are not expressed as they are, or no logits are tracked.
    """
    mind, tables = engine.resolved.mind, engine.resolved.tables
    assert mind is not None
    assert tables is not None
    mean, variance = ledger_logits(engine, lives, when, met, asked, drift)
    return expected_choice(mean, variance, tables.actions, mind.greedy)


def ledger_logits(
    engine: Engine, lives: Lives, when: str, met: I64, asked: I64, drift: F64
) -> tuple[F64, F64]:
    """Return mean and variance of the logits that the ledger predicts.

    Parameters
    ----------
    engine : Engine
        At stage 5: the ledger holds the selection of all earlier generations.
    lives : Lives
    when : {"birth", "death"}
        At death, what was learned at the percepts of training in this generation is added.
    met : (Z,) int64
        Percepts of training.
    asked : (J,) int64
        Percepts to predict at.
    drift : (R,) float64
        Variance of a policy locus by drift; 0 for a point estimate.

    Returns
    -------
    (R, J, Q) float64, (R, J) float64
        One logit for two actions, that of the first over the second; else all.

    Raises
    ------
    UserError
        If policy loci are not expressed as they are, or no logits are tracked.
    """
    resolved = engine.resolved
    world, mind = resolved.world, resolved.mind
    assert world is not None
    assert mind is not None
    linear = resolved.mind_tag.numba_type.kind == "linear"
    if linear:
        policy = policy_slot(resolved)
        assert policy is not None
        known = met
        selected = _linear_logits(world, known, engine.ledger.selection, policy)
        founders = _linear_logits(world, asked, founder_mean(policy)[None], policy)
        temperature = _temperature(engine)
    else:
        tracked = resolved.tracked
        known = np.unique(tracked.percept[tracked.shown])
        selected = _tracked_logits(engine, known)
        founders = np.zeros(1)
        if mind.rule == TABLE:
            selected = selected + _founder_logits(resolved, known)
        else:
            founders = _founder_logits(resolved, asked)
        # Tracked logits are those of the probabilities: the temperature is in them.
        temperature = np.ones(lives.count.size)
    cues = world.percept_cue.astype(np.float64)
    reach = extrapolation(cues[known], cues[asked])
    mean = founders + np.matmul(reach.share, selected)
    if when == "death" and resolved.learns:
        mean += _learned(engine, lives, known, asked, reach)
    mean /= temperature[:, None, None]
    variance = (drift / temperature**2)[:, None] * reach.open
    return mean, variance


def expected_choice(mean: F64, variance: F64, actions: int, greedy: bool) -> F64:
    """Return E softmax(Normal(mean, variance)) by quasi-random draws.

    Parameters
    ----------
    mean : (R, J, Q) float64
        Logits: of the first action (Q = 1), or of all.
    variance : (R, J) float64
        The same for every logit, which vary independently.
    actions : int
    greedy : bool
        The action with the largest logit is done, the first of equals.

    Returns
    -------
    (R, J, A) float64
        Logits that leave actions equal give them equal probabilities.
    """
    replicates, asked, logits = mean.shape
    out = np.empty((replicates, asked, actions))
    spread = np.sqrt(variance)[..., None, None]
    draws = _draws(logits) if variance.any() else np.zeros((1, logits))
    for r in range(replicates):
        logit = mean[r, :, None, :] + spread[r] * draws
        if logits == 1:
            logit = np.concatenate([logit, np.zeros_like(logit)], axis=2)
        if greedy:
            prob = np.eye(actions)[logit.argmax(axis=2)]
        else:
            prob = softmax(logit)
        out[r] = prob.mean(axis=1)
    return out


def check_tracked(resolved: Resolved) -> None:
    """Refuse minds whose logits have to be tracked where none are.

    Raises
    ------
    UserError
    """
    if resolved.mind_tag.numba_type.kind != "linear" and not resolved.tracked.percept.size:
        raise UserError(
            "the ledger tracks no logits of this mind to predict from",
            key="ledger.percepts",
            allowed="at least 1, where predictors are asked",
        )


def _linear_logits(world: TabularWorld, percepts: I64, loci: F64, policy: Slot) -> F64:
    """Return (R, P, Q) logits of (R, L) values of all loci, or of the policy's alone."""
    if loci.shape[1] != policy.loci:
        loci = loci[:, policy.start : policy.stop]
    cues = world.percept_cue[percepts].astype(np.float64)
    weights = np.ascontiguousarray(loci).reshape(len(loci), -1, cues.shape[1])
    return np.ascontiguousarray(np.matmul(cues, weights.transpose(0, 2, 1)))


def _tracked_logits(engine: Engine, percepts: I64) -> F64:
    """Return (R, Z, Q) cumulative selection on the logits that the ledger decodes per agent."""
    check_tracked(engine.resolved)
    world = engine.resolved.world
    assert world is not None
    names = engine.ledger.names
    columns = [[names.index(f"logit:{z}:{a}") for a in world.actions] for z in percepts]
    return _one_of_two(engine.ledger.selection[:, np.array(columns)])


def _founder_logits(resolved: Resolved, percepts: I64) -> F64:
    """Return (1, J, Q) logits of an agent born with the founders' mean genome."""
    genes = np.empty((1, 1, resolved.layout.real_loci), np.float32)
    for slot in resolved.layout.real:
        genes[0, 0, slot.start : slot.stop] = expressed(founder_mean(slot), slot)
    prob = probabilities(resolved, genes, percepts)[0].transpose(0, 2, 1)
    return _one_of_two(_log(prob))


def _temperature(engine: Engine) -> F64:
    """Return (R,) temperatures: constant, or of the founders plus what selection did to it."""
    resolved = engine.resolved
    assert resolved.mind is not None
    slot = resolved.layout.slot("temperature")
    if slot is None:
        return np.full(engine.population.replicates, resolved.mind.temperature)
    selected = engine.ledger.selection[:, slot.start]
    return expressed(founder_mean(slot)[0] + selected, slot)


def _learned(engine: Engine, lives: Lives, known: I64, asked: I64, reach: Extrapolation) -> F64:
    """Return (R, J, Q) what this generation's learning adds to the logits asked for.

    Weights over cues carry over as genes do. Learners of tables keep one by percept: what they
    learned counts at that percept and nowhere else.
    """
    resolved = engine.resolved
    world, mind = resolved.world, resolved.mind
    assert world is not None
    assert mind is not None
    if resolved.is_linear and mind.rule != TABLE:
        policy = policy_slot(resolved)
        assert policy is not None
        weights = _linear_logits(world, known, engine.ledger.learned_now, policy)
        return np.asarray(np.matmul(reach.share, weights))
    change = np.zeros((lives.count.size, known.size, len(world.actions)))
    for r, count in enumerate(lives.count.tolist()):
        temperature = np.full(count, mind.temperature)
        if mind.temperature_locus >= 0:
            temperature = lives.genes[r, :count, mind.temperature_locus].astype(np.float64)
        dead, born = (
            _log(learned_probabilities(resolved, state[r, :count], temperature, known))
            for state in (lives.learned, lives.born)
        )
        if count:
            change[r] = (dead - born).mean(axis=0).T
    change = _one_of_two(change)
    if mind.rule == TABLE:
        same = (asked[:, None] == known[None, :]).astype(np.float64)
        return np.asarray(np.matmul(same, change))
    return np.asarray(np.matmul(reach.share, change))


def _log(prob: F64) -> F64:
    return np.asarray(np.log(np.maximum(prob, _LEAST)))


def _one_of_two(logits: F64) -> F64:
    """Return one logit for two actions, that of the first over the second; else all."""
    if logits.shape[-1] == 2:
        return logits[..., :1] - logits[..., 1:]
    return logits


def _draws(dimensions: int) -> F64:
    """Return (256, D) standard normal draws: quantiles of Sobol points (Sobol 1967).

    Shifted by half a cell the points avoid the corner 0, which has no finite quantile, and each
    coordinate is symmetric about 0. Sobol points balance in powers of two only.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = qmc.Sobol(dimensions, scramble=False).random_base2(_LOG_DRAWS)
    return np.asarray(ndtri(points + 0.5 ** (_LOG_DRAWS + 1)))
