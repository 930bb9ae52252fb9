"""Instructions for compiled loops that numba has no words for: sums that stay in registers, and memory asked for ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 16
"""float32 in a cache line; as many columns make a vector, in one register or a few, of any processor."""

STRIP = 4 * LINE
"""Columns summed side by side, so that one addition need not wait for the one before."""

FEW = 4
"""Columns of the shortest vector that pays."""

AHEAD = 16
"""Entries between the one summed and the one whose row is on its way to the cache; 12 to 32 are about as good."""

_INDEX = ir.IntType(64)
_NUMBER = ir.IntType(32)


def _summing(columns: int) -> Callable[..., Any]:
    """Make the intrinsic that sums a strip of ``columns`` columns.

    A loop over columns inside one over entries asks at every entry whether the output overlaps the rows it reads, and
    loads and stores the output again. For rows that caches hold, this takes longer than the sum itself.
    """

    def typed(context: Any, indices: Any, values: Any, x: Any, first: Any, last: Any, column: Any, ahead: Any, out: Any, row: Any) -> Any:
        """out[row, column : column + columns] = sum over first <= e < last of values[e] * x[indices[e], same columns].

        Up to entry ``ahead`` the row of the entry AHEAD later is asked for. No index is checked.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            types_of = dict(zip(("indices", "values", "x", "first", "last", "column", "ahead", "out", "row"), signature.args, strict=True))
            given = dict(zip(types_of, arguments, strict=True))
            arrays = {name: context.make_array(kind)(context, builder, given[name]) for name, kind in types_of.items() if _is_array(kind)}
            first, last, column, ahead, row = (_index(builder, given[name]) for name in ("first", "last", "column", "ahead", "row"))
            element = context.get_data_type(types_of["x"].dtype)
            lanes = min(columns, LINE)
            vector = ir.VectorType(element, lanes)
            size = context.get_abi_sizeof(element)

            def places(array: Any, at: Any) -> list[Any]:
                """Where the vectors of the strip lie in a row."""
                start = builder.add(builder.mul(at, _index(builder, builder.extract_value(array.shape, 1))), column)
                starts = [builder.add(start, _INDEX(offset)) for offset in range(0, columns, lanes)]
                return [builder.bitcast(builder.gep(array.data, [place]), vector.as_pointer()) for place in starts]

            def node(entry: Any) -> Any:
                return _index(builder, builder.load(builder.gep(arrays["indices"].data, [entry])))

            with builder.goto_entry_block():
                sums = [builder.alloca(vector) for _ in range(0, columns, lanes)]
            for total in sums:
                builder.store(ir.Constant(vector, [0.0] * lanes), total)
            with cgutils.for_range_slice(builder, first, last, _INDEX(1), _INDEX) as (entry, _):
                with builder.if_then(builder.icmp_signed("<=", entry, ahead)):
                    for place in places(arrays["x"], node(builder.add(entry, _INDEX(AHEAD)))):
                        _ask(builder, place)
                value = builder.load(builder.gep(arrays["values"].data, [entry]))
                one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _NUMBER(0))
                factor = builder.shuffle_vector(
                    one, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_NUMBER, lanes), [0] * lanes)
                )
                for total, place in zip(sums, places(arrays["x"], node(entry)), strict=True):
                    product = builder.fmul(builder.load(place, align=size), factor, flags=("contract",))
                    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for total, place in zip(sums, places(arrays["out"], row), strict=True):
                builder.store(builder.load(total), place, align=size)
            return context.get_dummy_value()

        return types.void(indices, values, x, first, last, column, ahead, out, row), generate

    return typed


def _asking(context: Any, array: Any, row: Any, column: Any) -> Any:
    """Ask the processor for the cache line of array[row, column].

    Neighbours lie anywhere in memory, which the processor cannot foresee; the indices tell.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = context.make_array(signature.args[0])(context, builder, arguments[0])
        row, column = (_index(builder, value) for value in arguments[1:])
        width = _index(builder, builder.extract_value(target.shape, 1))
        _ask(builder, builder.gep(target.data, [builder.add(builder.mul(row, width), column)]))
        return context.get_dummy_value()

    return types.void(array, row, column), generate


def _ask(builder: Any, place: Any) -> None:
    place = builder.bitcast(place, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [place.type, _NUMBER, _NUMBER, _NUMBER])
    # To be read, kept in all caches, data.
    builder.call(builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind), [place, *map(_NUMBER, (0, 3, 1))])


def _index(builder: Any, value: Any) -> Any:
    return value if value.type == _INDEX else builder.sext(value, _INDEX)


def _is_array(kind: Any) -> bool:
    return isinstance(kind, types.Array)


sum_strip: Any = intrinsic(_summing(STRIP))
sum_line: Any = intrinsic(_summing(LINE))
sum_few: Any = intrinsic(_summing(FEW))
prefetch: Any = intrinsic(_asking)
