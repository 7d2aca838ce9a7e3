"""Decode Arrow arrays into columns that are NumPy arrays: times, integers, truth values, words and exact decimals.

Each decoder takes one batch and returns the parts of a column; what cannot be read raises `Unreadable` with the first
row of the batch that is wrong, which the loader turns into an `EvidenceError` with file, row and column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmverify.numeric import Decimals, Ints, Mask, times_power_of_ten
from mmverify.session.schema import Column

_PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"
_SCIENTIFIC = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+$"
_NOT_FINITE = r"^[+-]?([nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)$"
_WHOLE = r"^-?[0-9]+$"
_OFFSET = r"([zZ]|[+-][0-9]{2}:?[0-9]{2})$"
_MAX_DIGITS = 38  # of decimal128, on either side of the point
_NUMBER = "a decimal such as 61800.25"
_TIME = "int64 nanoseconds since 1970 UTC, or ISO-8601 with an offset"


class Unreadable(Exception):
    """The first row of a batch that cannot be read, what stands there and what should."""

    def __init__(self, row: int, was: str, should: str) -> None:
        super().__init__(was)
        self.row, self.was, self.should = row, was, should


@dataclass(frozen=True, eq=False)
class Whole:
    """A column of whole numbers (times in ns, sequence numbers, truth values): int64 and what is missing."""

    values: NDArray[np.int64]
    missing: Mask

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Words:
    """A column of text, dictionary-encoded: `codes` index `names`, -1 where the row is empty."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def code(self, name: str) -> int:
        """Return the code of a word, -2 (which no row has) for a word that never occurs."""
        return self.names.index(name) if name in self.names else -2

    def is_(self, *names: str) -> Mask:
        """Return which rows hold one of these words."""
        return np.isin(self.codes, [self.code(name) for name in names])

    @property
    def missing(self) -> Mask:
        """Rows that are empty."""
        return self.codes < 0

    def text(self, row: int) -> str:
        """Return the word of one row, empty where there is none."""
        return self.names[self.codes[row]] if self.codes[row] >= 0 else ""


AnyColumn = Whole | Words | Decimals


def _nulls(array: pa.Array) -> Mask:
    return np.asarray(pc.is_null(array).to_numpy(zero_copy_only=False), dtype=bool)


def _first(mask: Any) -> int:
    return int(np.flatnonzero(np.asarray(mask))[0])


def _matches(text: pa.Array, pattern: str) -> Mask:
    return np.asarray(pc.fill_null(pc.match_substring_regex(text, pattern), False).to_numpy(zero_copy_only=False))


def _refuse(text: pa.Array, bad: Mask, should: str) -> None:
    if bad.any():
        row = _first(bad)
        raise Unreadable(row, f"{text[row].as_py()!r}", should)


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


# --- decimals ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Digits:
    """A batch of decimals before the batches are brought to one scale."""

    ints: Ints
    scale: int
    digits: int
    missing: Mask
    nan: Mask
    printed: NDArray[np.uint8] | None = None


def _plain_text(text: str) -> str:
    number = Decimal(text)
    if number and not -400 < number.adjusted() < _MAX_DIGITS:
        raise OverflowError(text)
    return f"{number:f}"


def _decimals_from_text(text: pa.Array) -> _Digits:
    missing = _nulls(text)
    plain = _matches(text, _PLAIN)
    nan = np.zeros(len(text), dtype=bool)
    odd = ~plain & ~missing
    if odd.any():
        nan = odd & _matches(text, _NOT_FINITE)
        scientific = odd & _matches(text, _SCIENTIFIC)
        _refuse(text, odd & ~nan & ~scientific, _NUMBER)
        words = text.to_pylist()
        for row in np.flatnonzero(scientific):
            try:
                words[row] = _plain_text(words[row])
            except OverflowError:
                raise Unreadable(int(row), repr(words[row]), f"{_NUMBER}, below 1e{_MAX_DIGITS}") from None
        text = pa.array(words, pa.large_string())
    if (missing | nan).any():
        text = pc.if_else(pa.array(missing | nan), "0", text)
    length = np.asarray(pc.binary_length(text))
    point = np.asarray(pc.find_substring(text, "."))
    digits = np.where(point < 0, 0, length - point - 1)
    _refuse(text, length > 2 * _MAX_DIGITS + 400, f"{_NUMBER}, below 1e{_MAX_DIGITS}")
    scale = int(digits.max()) if len(digits) else 0
    mantissa = pc.replace_substring(pc.utf8_ltrim(text, characters="+"), ".", "")
    try:
        ints: Ints = np.array(pc.cast(mantissa, pa.int64()))
    except pa.ArrowInvalid:
        ints = np.array([int(word) for word in mantissa.to_pylist()], dtype=object)
        _refuse(text, np.abs(ints) >= 10 ** (_MAX_DIGITS + digits.astype(object)), f"{_NUMBER}, below 1e{_MAX_DIGITS}")
    for short in np.unique(scale - digits):
        if short:
            rows = scale - digits == short
            wide = times_power_of_ten(ints[rows], int(short))
            if wide.dtype == object and ints.dtype != object:
                ints = ints.astype(object)
            ints[rows] = wide
    return _Digits(ints, scale, scale, missing, nan, digits.astype(np.uint8))


def _decimals_from_float(array: pa.Array) -> _Digits:
    missing = _nulls(array)
    values = np.asarray(array.fill_null(0.0).to_numpy(zero_copy_only=False), dtype=np.float64)
    nan = ~np.isfinite(values)
    values = np.where(nan, 0.0, values)
    for scale in range(13):  # the shortest decimal of a float is k / 10**scale as soon as that division gives it back
        scaled = np.rint(values * 10.0**scale)
        if np.all((scaled / 10.0**scale == values) & (np.abs(scaled) < 2.0**53)):
            return _Digits(scaled.astype(np.int64), scale, scale, missing, nan)
    parts = _decimals_from_text(pa.array([repr(float(value)) for value in values], pa.large_string()))
    return replace(parts, missing=missing, nan=nan, printed=None)


def _decimals_from_decimal128(array: pa.Array) -> _Digits:
    missing = _nulls(array)
    array = array.fill_null(pa.scalar(0, array.type))
    printed = array.type.scale
    head = [value.as_py().normalize() for value in array[:1000]]
    scale = min(printed, max([0, *(-int(value.as_tuple().exponent) for value in head)]))
    while scale < printed:  # drop the zeros that every row ends in
        try:
            array = pc.cast(array, pa.decimal128(_MAX_DIGITS, scale))
            break
        except pa.ArrowInvalid:
            scale += 1
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    low, high = words[0::2], words[1::2]
    if np.array_equal(high, low >> 63):
        ints: Ints = low.copy()
    else:
        ints = np.array([int(value.as_py().scaleb(scale)) for value in array], dtype=object)
    return _Digits(ints, scale, printed, missing, np.zeros(len(missing), dtype=bool))


def _decimal_batch(array: pa.Array, column: Column) -> _Digits:
    if _is_text(array):
        parts = _decimals_from_text(array)
    elif pa.types.is_floating(array.type):
        parts = _decimals_from_float(pc.cast(array, pa.float64()))
    elif pa.types.is_decimal128(array.type):
        parts = _decimals_from_decimal128(array)
    elif pa.types.is_integer(array.type) or pa.types.is_null(array.type):
        whole = _whole_batch(array, "a whole number of int64")
        parts = _Digits(whole.values, 0, 0, whole.missing, np.zeros(len(array), dtype=bool))
    else:
        raise Unreadable(0, f"a column of {array.type}", _NUMBER)
    if column.venue and parts.nan.any():
        row = _first(parts.nan)
        raise Unreadable(row, repr(array[row].as_py()), f"{_NUMBER}: what the venue sent is a number")
    if column.venue and column.type == "udec" and (negative := np.asarray(parts.ints < 0)).any():
        row = _first(negative)
        raise Unreadable(row, f"{array[row].as_py()!s}", "0 or more")
    return parts


def _join_decimals(parts: Sequence[_Digits], binary: bool) -> Decimals:
    scale = max((part.scale for part in parts), default=0)
    ints = [times_power_of_ten(part.ints, scale - part.scale) for part in parts]
    printed = [part.printed for part in parts if part.printed is not None]
    return Decimals(
        ints=np.concatenate(ints) if ints else np.zeros(0, dtype=np.int64),
        scale=scale,
        digits=max((part.digits for part in parts), default=0),
        binary=binary,
        missing=_concatenate([part.missing for part in parts]),
        nan=_concatenate([part.nan for part in parts]),
        printed=np.concatenate(printed) if len(printed) == len(parts) > 0 else None,
    )


# --- times, integers, truth values, words -----------------------------------------------------------------------------


def _whole_batch(array: pa.Array, should: str) -> Whole:
    missing = _nulls(array)
    if _is_text(array):
        _refuse(array, ~missing & ~_matches(array, _WHOLE), should)
    elif not (pa.types.is_integer(array.type) or pa.types.is_null(array.type)):
        raise Unreadable(0, f"a column of {array.type}", should)
    try:
        values = np.asarray(pc.cast(array, pa.int64()).fill_null(0))
    except pa.ArrowInvalid:
        wide = np.array([0 if value is None else int(value) for value in array.to_pylist()], dtype=object)
        row = _first((wide > 2**63 - 1) | (wide < -(2**63)))
        raise Unreadable(row, str(wide[row]), should) from None
    return Whole(values, missing)


def _time_batch(array: pa.Array, naive: list[str]) -> Whole:
    if pa.types.is_timestamp(array.type):
        if array.type.tz is None:
            naive.append(f"times of type {array.type}")
        return _whole_batch(pc.cast(pc.cast(array, pa.timestamp("ns", array.type.tz)), pa.int64()), _TIME)
    if not _is_text(array) or not (iso := ~_nulls(array) & ~_matches(array, _WHOLE)).any():
        return _whole_batch(array, _TIME)
    offset = iso & _matches(array, _OFFSET)
    local = iso & ~offset
    values = np.zeros(len(array), dtype=np.int64)
    for rows, zone in ((offset, "UTC"), (local, None)):
        if rows.any():
            text = array.filter(pa.array(rows))
            try:
                values[rows] = np.asarray(pc.cast(pc.cast(text, pa.timestamp("ns", zone)), pa.int64()))
            except pa.ArrowInvalid:
                _refuse(array, rows & ~_readable_times(array, rows, zone), _TIME)
    if local.any():
        naive.append(f"{array[_first(local)].as_py()!r}")
    whole = _whole_batch(pc.if_else(pa.array(iso), None, array), _TIME)
    return Whole(np.where(iso, values, whole.values), whole.missing & ~iso)


def _readable_times(array: pa.Array, rows: Mask, zone: str | None) -> Mask:
    readable = np.zeros(len(array), dtype=bool)
    for row in np.flatnonzero(rows):
        try:
            pc.cast(array[int(row)], pa.timestamp("ns", zone))
            readable[row] = True
        except pa.ArrowInvalid:
            continue
    return readable


def _truth_batch(array: pa.Array) -> Whole:
    if pa.types.is_boolean(array.type):
        return Whole(np.asarray(array.fill_null(False)).astype(np.int64), _nulls(array))
    text = pc.utf8_lower(pc.cast(array, pa.large_string()))
    missing = _nulls(text)
    yes = _matches(text, "^(true|1)$")
    _refuse(text, ~missing & ~yes & ~_matches(text, "^(false|0)$"), "true or false")
    return Whole(yes.astype(np.int64), missing)


def _words_batch(array: pa.Array, column: Column) -> pa.Array:
    text = array if _is_text(array) else pc.cast(array, pa.large_string())
    text = pc.if_else(pc.equal(text, ""), None, text)
    if column.words:
        unknown = ~_nulls(text) & ~np.asarray(pc.is_in(text, value_set=pa.array(column.words, text.type)))
        _refuse(text, unknown, f"one of {', '.join(column.words)}")
    return pc.dictionary_encode(pc.cast(text, pa.large_string()))


def _join_words(parts: Sequence[pa.Array]) -> Words:
    if not parts:
        return Words(np.zeros(0, dtype=np.int32), ())
    whole = pa.chunked_array(parts).unify_dictionaries()
    codes = np.concatenate([np.asarray(chunk.indices.fill_null(-1), dtype=np.int32) for chunk in whole.chunks])
    return Words(codes, tuple(whole.chunk(0).dictionary.to_pylist()))


def _concatenate(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def _join_whole(parts: Sequence[Whole]) -> Whole:
    if not parts:
        return Whole(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool))
    return Whole(np.concatenate([p.values for p in parts]), np.concatenate([p.missing for p in parts]))


def absent(column: Column, rows: int) -> AnyColumn:
    """Return the column of a table that does not have it: every row empty."""
    nothing, missing = np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=bool)
    if column.type in ("dec", "udec"):
        return Decimals(nothing, 0, 0, False, missing, ~missing)
    if column.type == "id" or column.words:
        return Words(np.full(rows, -1, dtype=np.int32), ())
    return Whole(nothing, missing)


class Builder:
    """Collects the batches of one column and joins them at the end."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.naive: list[str] = []
        self._binary = False
        self._parts: list[Any] = []

    def add(self, array: pa.Array) -> None:
        """Decode one batch; raise `Unreadable` for the first row that cannot be."""
        kind = self.column.type
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if _is_text(array) and kind != "id":
            array = pc.if_else(pc.equal(array, ""), None, array)
        decode: dict[str, Callable[[], Any]] = {
            "ts": lambda: _time_batch(array, self.naive),
            "int": lambda: _whole_batch(array, "a whole number of int64"),
            "bool": lambda: _truth_batch(array),
            "dec": lambda: _decimal_batch(array, self.column),
            "udec": lambda: _decimal_batch(array, self.column),
        }
        part = decode.get(kind, lambda: _words_batch(array, self.column))()
        self._binary = self._binary or (kind in ("dec", "udec") and pa.types.is_floating(array.type))
        missing = _nulls(part) if isinstance(part, pa.Array) else part.missing
        if not self.column.nullable and missing.any():
            raise Unreadable(_first(missing), "empty", "a value in every row")
        self._parts.append(part)

    def column_data(self) -> AnyColumn:
        """Join the batches."""
        if self.column.type in ("dec", "udec"):
            return _join_decimals(self._parts, self._binary)
        if self.column.type == "id" or self.column.words:
            return _join_words(self._parts)
        return _join_whole(self._parts)


