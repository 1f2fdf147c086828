"""From founders and genomes to expressed values and preferences, against the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from kernels_case import KEYS, policy_loci
from reference_breeding import unpack

from evosim import registry
from evosim.kernels import express, philox
from evosim.kernels.decode import decode_population
from evosim.kernels.tags import Tag
from evosim.worlds.tables import user_tag

f32 = np.float32


def decode(kind, genes, cues, actions, *, temperature=1.0, greedy=False, parameters=()):
    """Logits (R, N, Q, P) and probabilities (R, N, A, P) of policies from locus 1 on."""
    replicates, agents = genes.shape[:2]
    outputs = 1 if actions == 2 else actions
    temperature = np.full((replicates, agents), temperature, f32)
    logit = np.full((replicates, agents, outputs, cues.shape[1]), 99, f32)
    prob = np.full((replicates, agents, actions, cues.shape[1]), 99.0)
    decode_population(
        0, replicates, kind, np.array(parameters, float), genes, np.array([1, genes.shape[2]]),
        temperature, cues, greedy, outputs, logit, prob,
    )  # fmt: skip
    return logit, prob


CASES = [
    (actions, features, hidden, greedy)
    for actions in (2, 3, 4)
    for features, hidden in ((1, 0), (4, 0), (7, 0), (3, 1), (5, 3))
    for greedy in (False, True)
]


@pytest.mark.parametrize(("actions", "features", "hidden", "greedy"), CASES)
def test_decoding_equals_the_reference_bit_for_bit(actions, features, hidden, greedy):
    rng = np.random.default_rng(actions * 100 + features)
    outputs = 1 if actions == 2 else actions
    loci = policy_loci(features, outputs, hidden)
    genes = rng.normal(0, 3, (2, 3, loci + 1)).astype(f32)
    genes[0, 0] = 0.0  # all logits equal
    cues = rng.normal(size=(features, 6)).astype(f32)
    tag = Tag("mind", "mlp" if hidden else "linear")
    logit, prob = decode(tag, genes, cues, actions, temperature=0.3, greedy=greedy)
    for r, i in np.ndindex(2, 3):
        make = reference.perceptron if hidden else reference.linear
        want = make(genes[r, i, 1:], cues, outputs)
        assert np.array_equal(logit[r, i], want)
        upto = reference.cumulative(want, 0.3, greedy, actions).astype(float)
        assert np.array_equal(prob[r, i], np.diff(upto, axis=0, prepend=0, append=1))
    assert np.allclose(prob.sum(axis=2), 1, atol=1e-12, rtol=0)
    assert (prob >= 0).all()


@pytest.mark.parametrize("actions", [2, 3])
def test_probabilities_are_the_softmax_of_the_logits(actions):
    rng = np.random.default_rng(actions)
    loci = policy_loci(4, 1 if actions == 2 else actions)
    genes = rng.normal(0, 2, (1, 50, loci + 1)).astype(f32)
    cues = rng.normal(size=(4, 9)).astype(f32)
    logit, prob = decode(Tag("mind", "linear"), genes, cues, actions, temperature=0.5)
    x = logit.astype(float) / 0.5
    if actions == 2:
        x = np.concatenate([x, np.zeros_like(x)], axis=2)
    e = np.exp(x - x.max(axis=2, keepdims=True))
    assert np.abs(prob - e / e.sum(axis=2, keepdims=True)).max() < 5e-7


@pytest.mark.parametrize("actions", [2, 3])
def test_arbitrarily_strong_preferences_stay_finite(actions):
    genes = np.full((1, 2, 1 + policy_loci(1, 1 if actions == 2 else actions)), 1e30, f32)
    genes[0, 0, 1] = -1e30
    cues = np.array([[1, -1, 0]], f32)
    _, prob = decode(Tag("mind", "linear"), genes, cues, actions)
    assert np.isfinite(prob).all()
    assert prob[0, 0, 0].tolist() == pytest.approx([0, 1, 1 / actions], rel=1e-6, abs=1e-37)


def test_a_users_mind_decodes_percept_by_percept():
    @registry.mind("two slopes")
    class TwoSlopes:
        parameters = {"bend": 0.5}  # noqa: RUF012

        @staticmethod
        def loci(actions, cues):
            return actions * cues

        @staticmethod
        def logits(parameters, genes, cue, out):
            for a in range(out.size):
                x = 0.0
                for f in range(cue.size):
                    x += genes[a * cue.size + f] * cue[f]
                out[a] = x if x > 0 else parameters[0] * x

    rng = np.random.default_rng(8)
    genes = rng.normal(size=(2, 3, 13)).astype(f32)
    cues = rng.normal(size=(4, 5)).astype(f32)
    tag = user_tag(registry.find("mind", "two slopes"), "logits")
    logit, _ = decode(tag, genes, cues, 3, parameters=[0.25])
    x = np.einsum("rnqf,fp->rnqp", genes[..., 1:].reshape(2, 3, 3, 4).astype(float), cues)
    assert np.allclose(logit, np.where(x > 0, x, 0.25 * x), atol=1e-5)


# Founders


def found(
    how, loci, *, each=0.0, low=0.0, high=0.0, threshold=0.0, gene=77, haplotype=0, bits=False
):
    """Real (R, N, 2 loci + 3) and bits (R, N, 4) of founders whose gene starts at locus 3."""
    real, packed = np.zeros((2, 5, 2 * loci + 3), f32), np.zeros((2, 5, 4), np.uint64)
    express.draw_initial(
        how, np.broadcast_to(float(each), (loci,)).copy(), low, high, threshold, KEYS[:2], gene,
        haplotype, 5, bits, 3 + haplotype * (128 if bits else loci), real, packed,
    )  # fmt: skip
    return packed if bits else real


def test_founders_equal_the_reference():
    value = found(0, 3, each=1.5)
    assert (value[..., 3:6] == 1.5).all()
    assert value.sum() == 2 * 5 * 3 * 1.5  # nothing beside the gene was touched
    for haplotype in (0, 1):
        at = 3 + 7 * haplotype
        normal = found(1, 7, low=2.0, high=0.5, haplotype=haplotype)[..., at : at + 7]
        uniform = found(2, 7, low=-1.0, high=3.0, haplotype=haplotype)[..., at : at + 7]
        for r, i in np.ndindex(2, 5):
            first = haplotype << 20
            x = reference.normals(KEYS[r], 77, i, philox.INITIAL, first, 7).astype(float)
            assert np.array_equal(normal[r, i], (2.0 + 0.5 * x).astype(f32))
            u = [reference.uniform(KEYS[r], 77, i, philox.INITIAL, first + k) for k in range(7)]
            assert np.array_equal(uniform[r, i], (-1.0 + 4.0 * np.array(u)).astype(f32))


def test_founders_of_bits_equal_the_reference_across_words():
    loci = 130
    packed = found(3, loci, threshold=0.3, bits=True)
    assert found(3, loci, threshold=0.0, bits=True).sum() == 0
    for r, i in np.ndindex(2, 5):
        u = [reference.uniform(KEYS[r], 77, i, philox.INITIAL, k) for k in range(loci)]
        assert unpack(packed[r, i], 200) == [0, 0, 0, *(int(x < 0.3) for x in u), *[0] * 67]


def test_a_share_of_founders_is_exact_and_counts_gametes():
    assert found(4, 1, low=0.25, high=0.75, threshold=2.0)[0, :, 3].tolist() == [
        *[0.75] * 2,
        *[0.25] * 3,
    ]
    second = found(4, 1, low=0.25, high=0.75, threshold=7.0, haplotype=1)[0, :, 4]
    assert second.tolist() == [*[0.75] * 2, *[0.25] * 3]
    assert (found(4, 1, low=0.25, high=0.75, threshold=7.0)[0, :, 3] == 0.75).all()


def test_founders_depend_on_gene_haplotype_replicate_and_agent():
    base = found(2, 3, high=1.0)
    assert not (base[0] == base[1])[:, 3:6].any()
    assert not (base[:, 0] == base[:, 1])[:, 3:6].any()
    assert not (found(2, 3, high=1.0, gene=78)[..., 3:6] == base[..., 3:6]).any()
    assert not (found(2, 3, high=1.0, haplotype=1)[..., 6:9] == base[..., 3:6]).any()


# Expression

SCALES = (float, math.exp, lambda x: 1 / (1 + math.exp(-x)), lambda x: float(x > 0))


def test_expression_equals_the_reference():
    rng = np.random.default_rng(4)
    for ploidy in (1, 2):
        real = rng.normal(size=(2, 4, ploidy * 8)).astype(f32)
        noise = np.array([0, 0.5, 0, 0.25, 0, 1, 0, 0.5], f32)
        scale = np.array([0, 0, 1, 1, 2, 2, 3, 3])
        out = np.full((2, 4, 8), 99, f32)
        express.express(ploidy, noise, scale, KEYS[:2], 9, np.array([4, 2]), real, out)
        assert (out[1, 2:] == 99).all()  # no agents there
        for r, i in ((0, 0), (0, 3), (1, 1)):
            x = real[r, i, :8]
            if ploidy == 2:
                x = f32(0.5) * (x + real[r, i, 8:])
            want = [f32(SCALES[s](float(v))) for s, v in zip(scale, x, strict=True)]
            step = reference.normals(KEYS[r], 9, i, philox.EXPRESS, 0, 8)
            assert np.allclose(out[r, i], np.array(want) + noise * step, rtol=3e-7, atol=0)


def test_expression_without_noise_draws_nothing_and_saturates():
    real = np.array([[[1000, -1000, 88, -1000]]], f32)
    out = np.zeros_like(real)
    express.express(
        1, np.zeros(4, f32), np.array([2, 2, 0, 1]), KEYS[:1], 0, np.array([1]), real, out
    )
    assert out[0, 0].tolist() == [1, 0, 88, 0]


def test_unpacked_bits_equal_the_reference():
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**64, (2, 3, 6), dtype=np.uint64)
    for ploidy, words in ((1, 6), (2, 3)):
        for first, stop in ((0, 5), (60, 70), (130, 131), (3, 140), (64, 128)):
            for each in (True, False):
                out = np.full((2, 3, 140), 99.0)
                express.unpack_bits(bits, words, ploidy, first, stop, each, 1, out)
                for r, i in np.ndindex(2, 3):
                    rows = bits[r, i].reshape(ploidy, words)
                    want = np.mean([unpack(row, 192)[first:stop] for row in rows], axis=0)
                    want = want if each else np.array([want.mean()])
                    assert out[r, i, 1 : 1 + want.size].tolist() == want.tolist()
                    assert (out[r, i, 1 + want.size :] == 99).all()
                    assert out[r, i, 0] == 99
