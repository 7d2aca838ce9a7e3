"""Whole columns of a session's tables, as Arrow has them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Column = NDArray[np.int64]
Mask = NDArray[np.bool_]


def decimals(ints: Column, scale: int, missing: Mask | None = None) -> pa.Array:
    """Return scaled integers as decimals."""
    halves = np.stack([ints, ints >> 63], axis=1)
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(ints), [valid, pa.py_buffer(halves)])


def words(codes: NDArray[np.integer] | Mask, *names: str) -> pa.Array:
    """Return a column of text; an empty name is no text."""
    codes, nothing = codes.astype(np.int32), np.array([not name for name in names])
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=nothing[codes]), pa.array(names))


def same(text: str, rows: int) -> pa.Array:
    """Return a column of one text."""
    return words(np.zeros(rows, dtype=np.int32), text)


def ids(stem: str | pa.Array, numbers: Column, missing: Mask | None = None) -> pa.Array:
    """Return names with a number each."""
    return pc.binary_join_element_wise(stem, pa.array(numbers, mask=missing).cast(pa.string()), "-")
