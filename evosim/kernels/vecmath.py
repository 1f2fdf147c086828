"""float32 exp, log, sine and cosine, and normal draws, in forms that LLVM vectorises; float64 exp.

libm calls are scalar: `math.exp` on float32 costs most of a softmax, and a libm Box-Muller
costs 256 ns for 32 loci where these take about 50. Polynomials are minimax fits, of exp, sine and
cosine those of Moshier's Cephes; relative error below 2e-7, tested against float64.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from evosim.kernels.accelerate import inline
from evosim.kernels.philox import philox
from evosim.kernels.wide import fused, larger, power_of_two, scaled, smaller

_f = np.float32


@intrinsic
def as_int(typingctx, x):
    """Reinterpret the bits of a float32 as int32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), codegen


@intrinsic
def as_float(typingctx, x):
    """Reinterpret the bits of an int32 as float32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@intrinsic
def fused64(typingctx, x, y, z):
    """Return x y + z of float64, rounded once."""

    def codegen(context, builder, signature, args):
        kind = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), "llvm.fma.f64"
        )
        return builder.call(function, args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic
def scaled64(typingctx, y, x):
    """Return y 2^n for x = 1.5 * 2^52 + n in float64, where the result is a normal number."""

    def codegen(context, builder, signature, args):
        bits = ir.IntType(64)
        y, n = (builder.bitcast(a, bits) for a in args)
        n = builder.shl(n, bits(52))  # the bits of 1.5 * 2^52 fall out
        return builder.bitcast(builder.add(y, n), args[0].type)

    return types.float64(types.float64, types.float64), codegen


#: One over log(2): e^x is 2^(x LOG2E).
LOG2E = _f(1.44269504)
_MAGIC = _f(12582912.0)  # 1.5 * 2^23: adding it rounds to the nearest integer


@inline
def exp32(x):
    """Return exp(x) of a float32 or of a `Wide`; x is clamped to [-87, 88]."""
    x = smaller(larger(x, _f(-87.0)), _f(88.0))
    t = x * _f(1.44269504) + _MAGIC
    n = t - _MAGIC
    r = x - n * _f(0.693359375)
    r = r + n * _f(2.12194440e-4)
    p = r * _f(1.9875691500e-4) + _f(1.3981999507e-3)
    p = p * r + _f(8.3334519073e-3)
    p = p * r + _f(4.1665795894e-2)
    p = p * r + _f(1.6666665459e-1)
    p = p * r + _f(5.0000001201e-1)
    y = p * r * r + r + _f(1.0)
    return y * power_of_two(t)


@inline
def exp2_32(x):
    """Return 2^x in float32 for x <= 0; x is raised to -125. Half the work of `exp32`.

    A minimax polynomial of 2^x on [-1/2, 1/2] that is 1 at 0; relative error below 2e-7.
    """
    x = larger(x, _f(-125.0))
    t = x + _MAGIC
    r = x - (t - _MAGIC)
    p = fused(r, _f(1.326472731307149e-3), _f(9.671512991189957e-3))
    p = fused(p, r, _f(5.550733581185341e-2))
    p = fused(p, r, _f(2.4022242426872253e-1))
    p = fused(p, r, _f(6.931470036506653e-1))
    return scaled(fused(p, r, _f(1.0)), t)


@inline
def exp64(x):
    """Return exp(x) of a float64 x <= 0, within one unit in the last place; 0 below -708.

    In place of libm's, which is a call behind three others: a third of a learner's step
    (measured: 11 ns; this takes 3, and no registers are saved for it). Also, its bits do not
    depend on the version of the C library. log(2) is split in two, high part with 21 zeros at
    its end (Cody & Waite 1980); the polynomial interpolates (e^r - 1 - r) / r^2 at the Chebyshev
    nodes of |r| <= log(2) / 2, error 2e-17 of e^r, and is summed in pairs (Estrin), so that most
    of its operations need not wait for each other.
    """
    t = fused64(x, 1.4426950408889634, 6755399441055744.0)  # 1.5 * 2^52: rounds to an integer
    n = t - 6755399441055744.0
    r = fused64(n, -0.6931471803691238, x)
    r = fused64(n, -1.9082149292705877e-10, r)
    square = r * r
    p01 = fused64(0.16666666666666669, r, 0.5000000000000001)
    p23 = fused64(0.008333333333330063, r, 0.04166666666662416)
    p45 = fused64(0.00019841269863042963, r, 0.0013888888917199863)
    p67 = fused64(2.7557268476553695e-06, r, 2.4801521317484083e-05)
    p89 = fused64(2.5100377619606372e-08, r, 2.7620078203806394e-07)
    fourth = square * square
    p = fused64(p89, fourth, fused64(p67, square, p45))
    p = fused64(p, fourth, fused64(p23, square, p01))
    y = scaled64(fused64(square, p, r) + 1.0, t)
    return 0.0 if x < -708.0 else y


@inline
def tanh32(x):
    """Return tanh(x) in float32."""
    e = exp32(_f(-2.0) * abs(x))
    y = (_f(1.0) - e) / (_f(1.0) + e)
    return y if x >= _f(0.0) else -y


@inline
def minus_two_log(x):
    """Return -2 log(x) in float32 for normal positive x; relative error below 2e-7.

    With x = 2^k m and m in [sqrt(1/2), sqrt(2)), -2 log(m) is (m - 1) times a minimax polynomial,
    so that nothing cancels near x = 1.
    """
    bits = as_int(x)
    e = np.int32((bits >> np.int32(23)) - np.int32(126))
    m = as_float(np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)))
    small = m < _f(0.707106781)
    m = (m + m if small else m) - _f(1.0)
    k = _f(e - np.int32(1) if small else e)
    p = fused(m, _f(-0.1744472086429596), _f(0.28733694553375244))
    p = fused(p, m, _f(-0.2990453243255615))
    p = fused(p, m, _f(0.33124783635139465))
    p = fused(p, m, _f(-0.39913666248321533))
    p = fused(p, m, _f(0.5000414848327637))
    p = fused(p, m, _f(-0.6666837334632874))
    p = fused(p, m, _f(0.9999997615814209))
    p = fused(p, m, _f(-2.0))
    return fused(k, _f(-1.3862943611198906), p * m)


@inline
def sincos_turn(word):
    """Return (sin, cos) of 2 pi word / 2^32 in float32; `word` holds 32 bits."""
    quadrant = np.int32(word >> np.uint64(30))
    within = np.int32(word & np.uint64(0x3FFFFFFF)) - np.int32(0x20000000)
    x = _f(within) * _f(1.4629180792671596e-09)  # (pi / 2) / 2^30: x in [-pi/4, pi/4)
    z = x * x
    s = fused(z, _f(-1.9515295891e-4), _f(8.3321608736e-3))
    s = fused(fused(s, z, _f(-1.6666654611e-1)) * z, x, x)
    c = fused(z, _f(2.443315711809948e-5), _f(-1.388731625493765e-3))
    c = fused(c, z, _f(4.166664568298827e-2))
    c = fused(c * z, z, fused(z, _f(-0.5), _f(1.0)))
    # The offset of an eighth turn is common to all draws and harmless for a uniform angle.
    swap = (quadrant & np.int32(1)) != np.int32(0)
    first = c if swap else s
    second = s if swap else c
    first = -first if (quadrant & np.int32(2)) != np.int32(0) else first
    second = -second if quadrant == np.int32(1) or quadrant == np.int32(2) else second
    return first, second


@inline
def radius(word):
    """Return sqrt(-2 ln u) in float32, u uniform on (0, 1] in steps of 2^-31."""
    u = _f(np.int32(word >> np.uint64(1))) * _f(4.656612873077393e-10) + _f(2.3283064e-10)
    return np.sqrt(minus_two_log(min(u, _f(1.0))))


@inline
def fill_normals(key, generation, agent, purpose, first, words, out, n):
    """Fill ``out[:n]`` with standard normal float32 (Box & Muller 1958).

    Parameters
    ----------
    first : int
        First draw index; four normals use one.
    words : (4, >= n/4) uint64
        Scratch, overwritten.
    out : (>= n rounded up to a multiple of 4,) float32
        Overwritten.
    """
    draws = (n + 3) // 4
    for d in range(draws):
        w0, w1, w2, w3 = philox(key, generation, agent, purpose, first + d)
        words[0, d] = w0
        words[1, d] = w1
        words[2, d] = w2
        words[3, d] = w3
    normals_of(words, draws, out)


@inline
def fill_normals_of_several(
    key, generation, agent, purpose, first, agents, draws, n, words, out
):  # fmt: skip
    """Fill ``out`` with normals of several agents, the same as `fill_normals` draws for each.

    In one go, so that vectors stay full where each agent needs few.

    Parameters
    ----------
    agent, first : int
        Added to `agents` and `draws`.
    agents, draws : (>= n,) uint64
        Which agent's draw stands in each place.
    n : int
        Number of draws; each gives four normals.
    words : (4, >= n) uint64
        Scratch, overwritten.
    out : (>= 4 n,) float32
        Overwritten.
    """
    one, begin = np.uint64(agent), np.uint64(first)
    for d in range(n):
        w0, w1, w2, w3 = philox(key, generation, one + agents[d], purpose, begin + draws[d])
        words[0, d] = w0
        words[1, d] = w1
        words[2, d] = w2
        words[3, d] = w3
    normals_of(words, n, out)


@inline
def normals_of(words, draws, out):
    """Turn each draw's four words into four normals."""
    for d in range(draws):
        r = radius(words[0, d])
        s, c = sincos_turn(words[1, d])
        out[4 * d] = r * s
        out[4 * d + 1] = r * c
        r = radius(words[2, d])
        s, c = sincos_turn(words[3, d])
        out[4 * d + 2] = r * s
        out[4 * d + 3] = r * c
