"""Rows of lanes in vector registers: what numba's own loops do not compile to, said to LLVM in its own words.

A row is 128 bytes: 64 lanes of uint16 or 32 of uint32. Adds and subtractions that could leave a lane's range saturate.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

ROW_BYTES = 128
"""Lanes of one node: 64 of uint16 or 32 of uint32, two cache lines."""


class Lanes(types.Type):
    """A row of lanes held in registers: <64 x i16> or <32 x i32>, unsigned."""

    def __init__(self, bits):
        self.bits, self.count = bits, ROW_BYTES * 8 // bits
        self.vector = ir.VectorType(ir.IntType(bits), self.count)
        super().__init__(name=f"Lanes{self.count}x{bits}")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, lanes.vector)


def _row(context, builder, array_type, array, index, index_type):
    """Address of a row of a flat array of uint16 or uint32."""
    lanes = Lanes(array_type.dtype.bitwidth)
    number = context.cast(builder, index, index_type, types.int64)
    start = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    place = builder.gep(start, [builder.mul(number, ir.Constant(ir.IntType(64), lanes.count))])
    return builder.bitcast(place, lanes.vector.as_pointer())


@intrinsic
def load(typing, array, row):  # noqa: ARG001
    """Row of lanes ``array[row * count : (row + 1) * count]``."""
    lanes = Lanes(array.dtype.bitwidth)

    def generate(context, builder, signature, arguments):
        found = builder.load(_row(context, builder, signature.args[0], *arguments, signature.args[1]))
        found.align = lanes.bits // 8
        return found

    return lanes(array, row), generate


@intrinsic
def store(typing, array, row, value):  # noqa: ARG001
    """Write a row of lanes."""

    def generate(context, builder, signature, arguments):
        place = _row(context, builder, signature.args[0], arguments[0], arguments[1], signature.args[1])
        written = builder.store(arguments[2], place)
        written.align = signature.args[2].bits // 8
        return context.get_dummy_value()

    return types.void(array, row, value), generate


@intrinsic
def spread(typing, like, value):  # noqa: ARG001
    """Put one number into every lane, as wide as the elements of ``like``."""
    lanes = Lanes(like.dtype.bitwidth)

    def generate(context, builder, signature, arguments):
        number = context.cast(builder, arguments[1], signature.args[1], types.int64)
        number = builder.trunc(number, ir.IntType(lanes.bits))
        blank = ir.Constant(lanes.vector, ir.Undefined)
        first = builder.insert_element(blank, number, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
        return builder.shuffle_vector(first, blank, everywhere)

    return lanes(like, value), generate


def _lanewise(make):
    """Make an operation of two rows."""

    @intrinsic
    def operation(typing, a, b):  # noqa: ARG001
        def generate(context, builder, signature, arguments):  # noqa: ARG001
            return make(builder, signature.args[0], *arguments)

        return a(a, b), generate

    return operation


def _saturating(name):
    def make(builder, lanes, a, b):
        kind = ir.FunctionType(lanes.vector, [lanes.vector, lanes.vector])
        full = f"llvm.{name}.sat.v{lanes.count}i{lanes.bits}"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), [a, b])

    return make


add = _lanewise(lambda builder, _, a, b: builder.add(a, b))
either = _lanewise(lambda builder, _, a, b: builder.or_(a, b))
differ = _lanewise(lambda builder, _, a, b: builder.xor(a, b))
least = _lanewise(lambda builder, _, a, b: builder.select(builder.icmp_unsigned("<", a, b), a, b))
within = _lanewise(lambda builder, lanes, a, b: builder.zext(builder.icmp_unsigned("<=", a, b), lanes.vector))
plus = _lanewise(_saturating("uadd"))
minus = _lanewise(_saturating("usub"))


@intrinsic
def nearer(typing, a, b, mine, theirs):  # noqa: ARG001
    """Lane by lane: ``mine`` where a < b, ``theirs`` where a > b, the lower of both where they are equal."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        a, b, mine, theirs = arguments
        lower = builder.select(builder.icmp_unsigned("<", mine, theirs), mine, theirs)
        tied = builder.select(builder.icmp_unsigned("==", a, b), lower, theirs)
        return builder.select(builder.icmp_unsigned("<", a, b), mine, tied)

    return a(a, a, a, a), generate


@intrinsic
def some(typing, a):  # noqa: ARG001
    """Say whether any lane is not zero."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        words = ir.VectorType(ir.IntType(64), ROW_BYTES // 8)
        kind = ir.FunctionType(ir.IntType(64), [words])
        reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.or.v{ROW_BYTES // 8}i64")
        joined = builder.call(reduce, [builder.bitcast(arguments[0], words)])
        return builder.icmp_unsigned("!=", joined, ir.Constant(ir.IntType(64), 0))

    return types.boolean(a), generate
