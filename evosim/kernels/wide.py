"""Thirty-two float32 side by side: a type for kernels whose loops LLVM does not vectorise well.

Loops over several arrays are vectorised only behind run-time checks that the arrays do not
overlap, and never where rows of a table are gathered and transposed. `Wide` values are explicit:
one LLVM vector, which becomes two registers of AVX-512, four of AVX2, or eight of SSE or NEON.
Every operation rounds as its scalar form does, so a function of `evosim.kernels.vecmath` gives
the same bits for a float32 and for the lanes of a `Wide` (tested).
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

#: Lanes of a `Wide`. Two registers, so that the latencies of one hide behind the other: a life of
#: the forager is a fifth slower with sixteen.
WIDE = 32
_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_VECTOR = ir.VectorType(_F32, WIDE)


class WideType(types.Type):
    """The type of thirty-two float32."""

    def __init__(self):
        super().__init__(f"Wide({WIDE} x float32)")


wide = WideType()


@register_model(WideType)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, of):
        super().__init__(manager, of, _VECTOR)


def _spread(builder, value):
    """Return a vector whose lanes all hold `value`; vectors stay as they are."""
    if isinstance(value.type, ir.VectorType):
        return value
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(
        one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(_I32, WIDE), [0] * WIDE)
    )


def _arithmetic(operation, instruction):
    """Give `operation` a meaning for two `Wide`, or a `Wide` and a float32."""
    pairs = [(wide, wide), (wide, types.float32), (types.float32, wide)]

    @infer_global(operation)
    class _Typing(ConcreteTemplate):
        cases = [signature(wide, *pair) for pair in pairs]  # noqa: RUF012

    def lower(context, builder, sig, args):
        one, two = (_spread(builder, value) for value in args)
        return getattr(builder, instruction)(one, two)

    for pair in pairs:
        lower_builtin(operation, *pair)(lower)


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.imul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_operation, _instruction)


def _address(context, builder, array_type, array, index):
    """Return the address of an entry of a one-dimensional contiguous array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def load(typingctx, array, index):
    """Return ``array[index : index + WIDE]`` of a contiguous float32 array."""

    def codegen(context, builder, sig, args):
        at = _address(context, builder, sig.args[0], *args)
        value = builder.load(builder.bitcast(at, _VECTOR.as_pointer()))
        value.align = 4
        return value

    return wide(array, types.intp), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Write ``array[index : index + WIDE]`` of a contiguous float32 array."""

    def codegen(context, builder, sig, args):
        at = _address(context, builder, sig.args[0], *args[:2])
        builder.store(args[2], builder.bitcast(at, _VECTOR.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.none(array, types.intp, wide), codegen


@intrinsic
def store_integers(typingctx, array, index, value):
    """Write ``array[index : index + WIDE]`` of a contiguous uint32 array with whole numbers."""

    def codegen(context, builder, sig, args):
        at = _address(context, builder, sig.args[0], *args[:2])
        whole = builder.fptosi(args[2], ir.VectorType(_I32, WIDE))
        builder.store(whole, builder.bitcast(at, whole.type.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.none(array, types.intp, wide), codegen


@intrinsic
def spread(typingctx, x):
    """Return a `Wide` whose lanes all hold the float32 `x`."""

    def codegen(context, builder, sig, args):
        return _spread(builder, args[0])

    return wide(types.float32), codegen


def _common(*given):
    """Return the type of a function of float32 and `Wide` arguments."""
    return wide if wide in given else types.float32


def _chosen_by(comparison, docstring):
    """Make the function of two numbers that returns the first where the comparison holds."""

    def choose(typingctx, x, y):
        result = _common(x, y)

        def codegen(context, builder, sig, args):
            one, two = (_spread(builder, a) if result is wide else a for a in args)
            return builder.select(builder.fcmp_ordered(comparison, one, two), one, two)

        return result(*(a if a is wide else types.float32 for a in (x, y))), codegen

    choose.__doc__ = docstring
    return intrinsic(choose)


larger = _chosen_by(">", "Return ``x if x > y else y``, for float32 or lane by lane.")
smaller = _chosen_by("<", "Return ``x if x < y else y``, for float32 or lane by lane.")


@intrinsic
def pick(typingctx, x, y, one, other):
    """Return ``one if x >= y else other``, lane by lane."""

    def codegen(context, builder, sig, args):
        x, y, one, other = (_spread(builder, a) for a in args)
        return builder.select(builder.fcmp_ordered(">=", x, y), one, other)

    given = (a if a is wide else types.float32 for a in (x, y, one, other))
    return wide(*given), codegen


@intrinsic
def fused(typingctx, x, y, z):
    """Return x y + z, rounded once, for float32 or lane by lane; LLVM never fuses by itself."""
    result = _common(x, y, z)

    def codegen(context, builder, sig, args):
        given = [_spread(builder, a) if result is wide else a for a in args]
        kind = given[0].type
        name = f"llvm.fma.{f'v{WIDE}' if result is wide else ''}f32"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), name
        )
        return builder.call(function, given)

    return result(*(a if a is wide else types.float32 for a in (x, y, z))), codegen


@intrinsic
def power_of_two(typingctx, x):
    """Return 2^n for x = 1.5 * 2^23 + n in float32: n stands in the last bits of x."""

    def codegen(context, builder, sig, args):
        bits = _bits(args[0].type)
        n = builder.sub(builder.bitcast(args[0], bits), _integers(bits, 0x4B400000 - 127))
        return builder.bitcast(builder.shl(n, _integers(bits, 23)), args[0].type)

    result = _common(x)
    return result(result), codegen


@intrinsic
def scaled(typingctx, y, x):
    """Return y 2^n for x = 1.5 * 2^23 + n in float32, where the result is a normal number."""

    def codegen(context, builder, sig, args):
        bits = _bits(args[0].type)
        n, y = builder.bitcast(args[1], bits), builder.bitcast(args[0], bits)
        n = builder.shl(n, _integers(bits, 23))  # the bits of 1.5 * 2^23 fall out
        return builder.bitcast(builder.add(y, n), args[0].type)

    result = _common(y, x)
    return result(result, result), codegen


def _bits(kind):
    """Return the integer type as wide as a float32 or a vector of them."""
    return ir.VectorType(_I32, WIDE) if isinstance(kind, ir.VectorType) else _I32


def _integers(bits, value):
    return ir.Constant(bits, [value] * WIDE if isinstance(bits, ir.VectorType) else value)


def _concatenate(builder, parts):
    """Join vectors of equal length, pair by pair."""
    while len(parts) > 1:
        n = 2 * parts[0].type.count
        mask = ir.Constant(ir.VectorType(_I32, n), list(range(n)))
        parts = [
            builder.shuffle_vector(a, b, mask) for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


@intrinsic
def columns(typingctx, table, stride, first, rows, of, lane):
    """Return eight columns of a table at WIDE rows, one `Wide` per column.

    Parameters
    ----------
    table : (rows * stride,) float32
    stride : uint64
        Entries per row.
    first : uint64
        First of the eight columns.
    rows : (P,) int32
        Row of the table for each value in `of`.
    of : (LANES,) uint64
    lane : int
        First lane: lane k of the result is row ``rows[of[lane + k]]``.
    """

    def codegen(context, builder, sig, args):
        table, stride, first, rows, of, lane = args
        quarter = ir.VectorType(_F32, 4)
        halves = []
        for k in range(WIDE):
            i = builder.load(
                _address(context, builder, sig.args[4], of, builder.add(lane, lane.type(k)))
            )
            row = builder.load(_address(context, builder, sig.args[3], rows, i))
            at = builder.add(builder.mul(builder.zext(row, stride.type), stride), first)
            pair = []
            for half in range(2):
                place = builder.add(at, stride.type(4 * half))
                place = _address(context, builder, sig.args[0], table, place)
                value = builder.load(builder.bitcast(place, quarter.as_pointer()))
                value.align = 4
                pair.append(value)
            halves.append(pair)
        out = []
        for half in range(2):
            # Register j holds rows j, j + 4, j + 8, j + 12: the rest stays within 128 bits.
            a, b, c, d = (
                _concatenate(builder, [halves[4 * g + j][half] for g in range(WIDE // 4)])
                for j in range(4)
            )
            ab, cd = _woven(builder, a, b), _woven(builder, c, d)
            for low_high in range(2):
                out += _pairs(builder, ab[low_high], cd[low_high])
        return context.make_tuple(builder, sig.return_type, out)

    result = types.UniTuple(wide, 8)
    given = (table, types.uint64, types.uint64, rows, of, types.intp)
    return result(*given), codegen


def _shuffle(builder, a, b, of_four):
    """Shuffle within each 128 bits: 0-3 name a's entries, 4-7 b's."""
    mask = [4 * g + (x if x < 4 else x - 4 + WIDE) for g in range(WIDE // 4) for x in of_four]
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, WIDE), mask))


def _woven(builder, a, b):
    return _shuffle(builder, a, b, (0, 4, 1, 5)), _shuffle(builder, a, b, (2, 6, 3, 7))


def _pairs(builder, a, b):
    return [_shuffle(builder, a, b, (0, 1, 4, 5)), _shuffle(builder, a, b, (2, 3, 6, 7))]
