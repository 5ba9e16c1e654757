"""The floor: what one sweep over the same pieces of the network costs, with the sums, if one sweep were enough.

For every 128 origins that are neighbours the union of what they reach is known beforehand, its edges stand in the best
order, and for each 64 origins the rows are filled, swept once and summed up. No method that keeps a cost for every
reached node of every origin does less than touch each edge once.
"""

from typing import NamedTuple

import heap
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from lifecircle.reach.search import Ground

LANES = 64
BATCH = 128


class Pieces(NamedTuple):
    """Edges of every batch's piece, one after another: ``edge_ptr``, ``hang_ptr`` slice the lists, ``size`` nodes."""

    size: np.ndarray
    edge_ptr: np.ndarray
    i: np.ndarray
    j: np.ndarray
    cost: np.ndarray
    hang_ptr: np.ndarray
    hang: np.ndarray
    hang_cost: np.ndarray


def pieces(indptr: np.ndarray, indices: np.ndarray, cost: np.ndarray, cutoff: int) -> Pieces:
    """Cut out the pieces, by a plain search from each batch; dead ends and edges that leave hang on one node."""
    n = len(indptr) - 1
    degree = np.diff(indptr)
    dist, number = np.full(n, cutoff + 1, np.int64), np.full(n, -1, np.int64)
    seen, room = np.empty(n, np.int64), np.empty(len(indices) + BATCH + 1, np.int64)
    parts, hangs, size = [], [], []
    for first in range(0, n, BATCH):
        origins = np.arange(first, min(first + BATCH, n))
        settled = heap.search(indptr, indices, cost, origins, cutoff, dist, seen, room)
        inside = seen[:settled]
        inside = inside[(degree[inside] > 1) | (inside >= first) & (inside < first + BATCH)]
        number[inside] = np.arange(len(inside))
        arc = _arcs(indptr, inside)
        tail, head = np.repeat(np.arange(len(inside)), degree[inside]), number[indices[arc]]
        once = (head >= 0) & (head <= tail)
        parts.append((tail[once], head[once], cost[arc[once]]))
        hangs.append((tail[head < 0], cost[arc[head < 0]]))
        size.append(len(inside))
        number[inside] = -1
        dist[seen[:settled]] = cutoff + 1
    i, j, w = (np.concatenate(found) for found in zip(*parts, strict=True))
    hang, hang_cost = (np.concatenate(found) for found in zip(*hangs, strict=True))
    return Pieces(
        np.array(size), _ptr(parts), i.astype(np.int32), j.astype(np.int32), _cut(w), _ptr(hangs),
        hang.astype(np.int32), _cut(hang_cost),
    )  # fmt: skip


def _arcs(indptr: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Positions of the arcs that leave some nodes, node after node."""
    count = indptr[nodes + 1] - indptr[nodes]
    start = np.repeat(indptr[nodes] - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    return start + np.arange(count.sum())


def _ptr(parts: list[tuple[np.ndarray, ...]]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])])


def _cut(cost: np.ndarray) -> np.ndarray:
    """Costs as lanes hold them."""
    return np.minimum(cost, 65_535).astype(np.uint16)


def in_order(ground: Ground, indptr: np.ndarray, indices: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give a graph the numbers the engine gives it, so that batches are the same neighbours."""
    rank = np.asarray(ground.rank, dtype=np.int64)
    tail = rank[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))]
    head = rank[indices]
    order = np.lexsort((head, tail))
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=len(indptr) - 1))])
    return start, head[order], cost[order].astype(np.int64)


class _Row(types.Type):
    """A row of lanes in registers, ``bits`` each."""

    def __init__(self, bits):
        self.kind = ir.VectorType(ir.IntType(bits), LANES)
        super().__init__(name=f"FloorRow{bits}")


@register_model(_Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager, row):
        super().__init__(manager, row, row.kind)


_NARROW, _WIDE = _Row(16), _Row(32)


def _at(context, builder, array, kind, signature, arguments):
    """Pointer to row ``arguments[1]`` of the array."""
    data = cgutils.create_struct_proxy(array)(context, builder, arguments[0]).data
    row = context.cast(builder, arguments[1], signature.args[1], types.int64)
    place = builder.gep(data, [builder.mul(row, ir.Constant(ir.IntType(64), LANES))])
    return builder.bitcast(place, kind.as_pointer())


@intrinsic
def _take(typing, rows, row):
    def emit(context, builder, signature, arguments):
        taken = builder.load(_at(context, builder, rows, _NARROW.kind, signature, arguments))
        taken.align = 2
        return taken

    return _NARROW(rows, row), emit


@intrinsic
def _put(typing, rows, row, value):
    def emit(context, builder, signature, arguments):
        kind = value.kind
        put = builder.store(arguments[2], _at(context, builder, rows, kind, signature, arguments))
        put.align = kind.element.width // 8
        return context.get_dummy_value()

    return types.void(rows, row, value), emit


@intrinsic
def _all(typing, value):
    """Put one number in every lane."""

    def emit(context, builder, signature, arguments):
        number = builder.trunc(context.cast(builder, arguments[0], value, types.int64), ir.IntType(16))
        one = builder.insert_element(ir.Constant(_NARROW.kind, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return _NARROW(value), emit


def _of_two(make):
    @intrinsic
    def operation(typing, a, b):
        def emit(context, builder, signature, arguments):
            return make(builder, *arguments)

        return a(a, b), emit

    return operation


def _saturating(word):
    def make(builder, a, b):
        kind = ir.FunctionType(_NARROW.kind, [_NARROW.kind, _NARROW.kind])
        called = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{word}.sat.v{LANES}i16")
        return builder.call(called, [a, b])

    return make


_plus, _minus = _of_two(_saturating("uadd")), _of_two(_saturating("usub"))
_least = _of_two(lambda builder, a, b: builder.select(builder.icmp_unsigned("<", a, b), a, b))
_sum = _of_two(lambda builder, a, b: builder.add(a, b))
_not_above = _of_two(lambda builder, a, b: builder.zext(builder.icmp_unsigned("<=", a, b), _NARROW.kind))


@intrinsic
def _no_total(typing):
    def emit(context, builder, signature, arguments):
        return ir.Constant(_WIDE.kind, [0] * LANES)

    return _WIDE(), emit


@intrinsic
def _total(typing, total, a):
    def emit(context, builder, signature, arguments):
        return builder.add(arguments[0], builder.zext(arguments[1], _WIDE.kind))

    return total(total, a), emit


@njit(nogil=True)
def once(found, cutoff, rows, counts, sums):
    """Fill, sweep once and sum up for every 64 origins of every batch. The sums mean nothing, their cost does."""
    for batch in range(found.size.shape[0]):
        first, last = found.edge_ptr[batch], found.edge_ptr[batch + 1]
        for _ in range(BATCH // LANES):
            beyond, limit = _all(cutoff + 1), _all(cutoff)
            for i in range(found.size[batch]):
                _put(rows, i, beyond)
            for k in range(first, last):
                i = found.i[k]
                _put(rows, i, _least(_take(rows, i), _plus(_take(rows, found.j[k]), _all(found.cost[k]))))
            count, total = _all(0), _no_total()
            for i in range(found.size[batch]):
                count = _sum(count, _not_above(_take(rows, i), limit))
            for k in range(first, last):
                left = _plus(_minus(limit, _take(rows, found.i[k])), _minus(limit, _take(rows, found.j[k])))
                total = _total(total, _least(_all(found.cost[k]), left))
            for k in range(found.hang_ptr[batch], found.hang_ptr[batch + 1]):
                here, cost = _take(rows, found.hang[k]), _all(found.hang_cost[k])
                count = _sum(count, _not_above(_plus(here, cost), limit))
                total = _total(total, _least(cost, _minus(limit, here)))
            _put(counts, batch, count)
            _put(sums, batch, total)


def ready(found: Pieces, cutoff: int) -> tuple[object, ...]:
    """Arguments of `once`."""
    n = len(found.size)
    return (
        found, cutoff, np.empty(int(found.size.max()) * LANES, np.uint16), np.empty(n * LANES, np.uint16),
        np.empty(n * LANES, np.uint32),
    )  # fmt: skip
