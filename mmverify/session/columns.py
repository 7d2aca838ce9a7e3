"""Decode Arrow arrays into columns that are NumPy arrays: times, integers, truth values, words and exact decimals.

Each decoder takes one batch and returns the parts of a column; what cannot be read raises `Unreadable` with the first
row of the batch that is wrong, which the loader turns into an `EvidenceError` with file, row and column. Arrays cross
between Arrow and NumPy by their buffers: Arrow's own conversions import pandas, which takes longer than most sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmverify.numeric import INT64_MAX, Decimals, Ints, Mask, narrow, times_power_of_ten, times_powers_of_ten
from mmverify.session.schema import Column

_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"
_NOT_FINITE = r"^[+-]?([nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)$"
_WHOLE = r"^-?[0-9]+$"
_OFFSET = r"[T ][0-9:.]+(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_BEFORE_OFFSET = r"^[^T ]*([T ][0-9:.]*)?"
_FLOAT_DIGITS, _SAMPLED = 16, 1000  # significant digits that only a float64 prints; rows that are looked at
_MAX_DIGITS = 38  # before the point, as in decimal128
_MAX_DECIMALS = 324  # after it: what the smallest float64 prints
_MAX_LENGTH = 400
_SURE_DIGITS = 10**15  # a decimal of 15 digits is the only one of its length that reads as its float64
_SHOWN = 60  # characters of a value that an error repeats
_HASHED = 1024  # bytes of a text that tell it from others at first
_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)  # the first so many of a word
_MIXER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio
_NUMBER = "a decimal such as 61800.25"
_IN_RANGE = f"{_NUMBER}, below 1e{_MAX_DIGITS} and with at most {_MAX_DECIMALS} decimals"
_TIME = "int64 nanoseconds since 1970 UTC, or ISO-8601 with an offset"
_INT = "a whole number of int64"
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class Unreadable(Exception):
    """The first row of a batch that cannot be read (None: the whole column), what stands there and what should."""

    def __init__(self, row: int | None, was: str, should: str) -> None:
        super().__init__(was)
        self.row, self.was, self.should = row, was, should


class Offset(NamedTuple):
    """Times of a column that are text with one offset: the first row, from 0, and how many."""

    first: int
    rows: int


@dataclass(frozen=True, eq=False)
class Whole:
    """A column of whole numbers (times in ns, sequence numbers, truth values): int64 and what is missing.

    `offsets` are those of times that are text: ``Z`` for UTC, empty for none; a time that is a number has none.
    """

    values: NDArray[np.int64]
    missing: Mask
    offsets: Mapping[str, Offset] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Words:
    """A column of text, dictionary-encoded: `codes` index `names`, -1 where the row is empty."""

    codes: NDArray[np.int32]
    dictionary: pa.Array

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The words that occur, in order of their first row; made when asked for: of ids there may be millions."""
        return tuple(self.dictionary.to_pylist())

    def code(self, name: str) -> int:
        """Return the code of a word, -2 (which no row has) for a word that never occurs."""
        return self.names.index(name) if name in self.names else -2

    def codes_of(self, names: Sequence[str]) -> list[int]:
        """Return the codes of words, -2 where one never occurs; of ids without making `names`."""
        places = np.flatnonzero(_mask(pc.is_in(self.dictionary, value_set=pa.array(names, self.dictionary.type))))
        found = {self.dictionary[int(place)].as_py(): int(place) for place in places}
        return [found.get(name, -2) for name in names]

    def is_(self, *names: str) -> Mask:
        """Return which rows hold one of these words."""
        found = np.zeros(len(self.codes), dtype=bool)
        for name in names:
            found |= self.codes == self.code(name)
        return found

    @property
    def missing(self) -> Mask:
        """Rows that are empty."""
        return self.codes < 0

    def text(self, row: int) -> str:
        """Return the word of one row, empty where there is none."""
        code = int(self.codes[row])
        return str(self.dictionary[code].as_py()) if code >= 0 else ""


AnyColumn = Whole | Words | Decimals


# --- Arrow and NumPy --------------------------------------------------------------------------------------------------


def _values(array: pa.Array, dtype: Any) -> Any:
    """Return the values of a primitive array, read-only and not copied; where it is empty, whatever stands there."""
    if not len(array):
        return np.zeros(0, dtype)
    width = array.type.bit_width // (8 * np.dtype(dtype).itemsize)
    return np.frombuffer(array.buffers()[1], dtype)[width * array.offset : width * (array.offset + len(array))]


def _mask(array: pa.Array) -> Mask:
    """Return a boolean array, False where it is empty."""
    if not len(array):
        return np.zeros(0, dtype=bool)
    bits = np.frombuffer(array.buffers()[1], np.uint8)
    mask = np.unpackbits(bits, bitorder="little", count=array.offset + len(array))[array.offset :].view(bool)
    return mask & ~_nulls(array) if array.null_count else mask


def _nulls(array: pa.Array) -> Mask:
    return _mask(pc.is_null(array)) if array.null_count else np.zeros(len(array), dtype=bool)


def _bits(mask: Mask) -> pa.Array:
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, pa.py_buffer(np.packbits(mask, bitorder="little"))])


def _only(array: pa.Array, mask: Mask) -> pa.Array:
    return array if mask.all() else array.filter(_bits(mask))


def _emptied(array: pa.Array, mask: Mask) -> pa.Array:
    return pc.if_else(_bits(mask), pa.nulls(len(array), array.type), array) if mask.any() else array


def _first(mask: Mask) -> int:
    return int(np.flatnonzero(mask)[0])


def _matches(text: pa.Array, pattern: str) -> Mask:
    return _mask(pc.match_substring_regex(text, pattern))


def _type(array: pa.Array) -> str:
    names = {
        "double": "float64",
        "float": "float32",
        "halffloat": "float16",
        "large_string": "text",
        "bool": "booleans",
    }
    return f"a column of {names.get(str(array.type), str(array.type))}"


def shown(value: Any) -> str:
    """Write a value as an error repeats it: a long one cut short."""
    text = repr(value) if isinstance(value, (str, bytes)) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _refuse(text: pa.Array, bad: Mask, should: str) -> None:
    if bad.any():
        row = _first(bad)
        raise Unreadable(row, shown(text[row].as_py()), should)


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_large_string(array.type))


def _text(array: pa.Array) -> pa.Array:
    """Return any column of text as large_string, empty where it holds no character; another column as it is."""
    types = pa.types
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if types.is_null(array.type):
        return pa.nulls(len(array), pa.large_string())
    if not any(is_(array.type) for is_ in (types.is_string, types.is_large_string, types.is_string_view,
                                           types.is_binary, types.is_large_binary, types.is_binary_view)):  # fmt: skip
        return array
    try:
        array.validate(full=True)
        text = pc.cast(array, pa.large_string())
    except pa.ArrowInvalid:
        for row, value in enumerate(pc.cast(array, pa.large_binary()).to_pylist()):
            try:
                (value or b"").decode()
            except UnicodeDecodeError:
                raise Unreadable(row, shown(value), "text in UTF-8") from None
        raise
    return _emptied(text, (_values(pc.binary_length(text), np.int64) == 0) & ~_nulls(text))


# --- decimals ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Digits:
    """A batch of decimals before the batches are brought to one scale."""

    ints: Ints
    scale: int
    digits: int
    missing: Mask
    nan: Mask
    printed: NDArray[np.unsignedinteger] | None = None


def _decimals_from_text(text: pa.Array) -> _Digits:
    missing = _nulls(text)
    number, nan = ~missing, np.zeros(len(text), dtype=bool)
    unsigned = _mask(pc.ascii_is_decimal(pc.replace_substring(text, ".", "", max_replacements=1)))
    if not (unsigned | missing).all():
        number = _matches(text, _DECIMAL)
        nan = ~missing & ~number & _matches(text, _NOT_FINITE)
        _refuse(text, ~(missing | number | nan), _NUMBER)
    rows = np.flatnonzero(number)
    mantissas, exponents = _split_exponents(_only(text, number))
    length = _values(pc.binary_length(mantissas), np.int64)
    point = _values(pc.find_substring(mantissas, "."), np.int64)
    decimals = np.where(point < 0, 0, length - point - 1) - exponents
    before = np.where(point < 0, length, point) + exponents
    for n in np.flatnonzero((before > _MAX_DIGITS) | (decimals > _MAX_DECIMALS) | (length > _MAX_LENGTH)):
        _refuse_out_of_range(text, int(rows[n]))
    bare = pc.replace_substring(pc.ascii_ltrim(mantissas, characters="+"), ".", "")
    try:
        found: Ints = _values(pc.cast(bare, pa.int64()), np.int64)
    except pa.ArrowInvalid:
        found = narrow([int(word) for word in bare.to_pylist()])
    scale = max(0, int(decimals.max(initial=0)))
    found = times_powers_of_ten(found, scale - decimals)
    printed = np.zeros(len(text), dtype=np.min_scalar_type(scale))
    printed[rows] = np.maximum(decimals, 0)
    ints = np.zeros(len(text), dtype=found.dtype)
    ints[rows] = found
    return _Digits(ints, scale, scale, missing, nan, printed)


def _printed_floats(array: pa.Array) -> bool:
    """Say whether text is what float64 prints: as many digits as only a float needs, and just those that it prints."""
    if not _is_text(array):
        return False
    long = np.flatnonzero((_values(pc.binary_length(array), np.int64) > _FLOAT_DIGITS) & ~_nulls(array))[:_SAMPLED]
    numbers = [number for row in long.tolist() if (number := Decimal(array[row].as_py())).is_finite()]
    numbers = [number for number in numbers if len(number.as_tuple().digits) >= _FLOAT_DIGITS]
    return bool(numbers) and all(Decimal(repr(float(number))) == number for number in numbers)


def _split_exponents(text: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    exponents = np.zeros(len(text), dtype=np.int64)
    scientific = _mask(pc.match_substring(text, "e", ignore_case=True))
    if scientific.any():
        parts = pc.split_pattern(
            pc.utf8_lower(_only(text, scientific)), "e"
        ).flatten()  # mantissa, exponent, mantissa …
        even = np.arange(len(parts)) % 2 == 0
        tails = pc.ascii_ltrim(parts.filter(_bits(~even)), characters="+")
        exponents[scientific] = _values(pc.cast(tails, pa.int64()), np.int64)
        text = pc.replace_with_mask(text, _bits(scientific), parts.filter(_bits(even)))
    return text, exponents


def _refuse_out_of_range(text: pa.Array, row: int) -> None:
    word = text[row].as_py()
    number = Decimal(word)
    exponent = int(number.as_tuple().exponent)
    whole = number.adjusted() if number else exponent
    if len(word) > _MAX_LENGTH or whole >= _MAX_DIGITS or -exponent > _MAX_DECIMALS:
        raise Unreadable(row, shown(word), _IN_RANGE)


def _decimals_from_float(array: pa.Array) -> _Digits:
    missing = _nulls(array)
    values = np.where(missing, 0.0, _values(array, np.float64))
    nan = ~np.isfinite(values)
    values[nan] = 0.0
    with np.errstate(over="ignore"):
        for scale in range(13):
            scaled = np.rint(values * 10.0**scale)
            if np.all((scaled / 10.0**scale == values) & (np.abs(scaled) < _SURE_DIGITS)):
                return _Digits(scaled.astype(np.int64), scale, scale, missing, nan)
    return replace(_decimals_from_text(pc.cast(array, pa.large_string())), printed=None)


def _decimals_from_decimal128(array: pa.Array) -> _Digits:
    missing = _nulls(array)
    printed = array.type.scale
    exact = Context(prec=2 * _MAX_DIGITS)
    head = [exact.normalize(value) for value in array[:1000].to_pylist() if value is not None]
    scale = min(printed, max([0, *(-int(value.as_tuple().exponent) for value in head)]))
    while scale < printed:  # drop the zeros that every row ends in
        try:
            array = pc.cast(array, pa.decimal128(_MAX_DIGITS, scale))
            break
        except pa.ArrowInvalid:
            scale += 1
    halves = np.where(missing[:, None], 0, _values(array, np.int64).reshape(-1, 2))
    low, high = halves[:, 0], halves[:, 1]
    if np.array_equal(high, low >> 63):
        ints: Ints = low.copy()
    else:
        ints = high.astype(object) * 2**64 + low.copy().view(np.uint64).astype(object)
    return _Digits(ints, scale, printed, missing, np.zeros(len(missing), dtype=bool))


def _decimal_batch(array: pa.Array, column: Column) -> _Digits:
    if _is_text(array):
        parts = _decimals_from_text(array)
    elif pa.types.is_float64(array.type):
        parts = _decimals_from_float(array)
    elif pa.types.is_decimal128(array.type):
        parts = _decimals_from_decimal128(array)
    elif pa.types.is_integer(array.type):
        whole = _whole_batch(array, _INT)
        parts = _Digits(whole.values, 0, 0, whole.missing, np.zeros(len(array), dtype=bool))
    else:
        raise Unreadable(None, _type(array), "decimal128, float64 or text")
    if column.venue:
        _refuse(array, parts.nan, f"{_NUMBER}: what the venue sent is a number")
    if column.venue and column.type == "udec" and (negative := parts.ints < 0).any():
        row = _first(negative)
        raise Unreadable(row, str(array[row].as_py()), "0 or more")
    return parts


# --- times, integers, truth values, words -----------------------------------------------------------------------------


def _whole_batch(array: pa.Array, should: str) -> Whole:
    missing = _nulls(array)
    if _is_text(array):
        if not (_mask(pc.ascii_is_decimal(array)) | missing).all():
            _refuse(array, ~missing & ~_matches(array, _WHOLE), should)
    elif not pa.types.is_integer(array.type):
        raise Unreadable(None, _type(array), should)
    try:
        values = _values(pc.cast(array, pa.int64()), np.int64)
    except pa.ArrowInvalid:
        wide = [value is not None and not -(2**63) <= Decimal(value) < 2**63 for value in array.to_pylist()]
        _refuse(array, np.array(wide), should)
        raise
    return Whole(np.where(missing, 0, values), missing)


def _time_batch(array: pa.Array, naive: list[str]) -> Whole:
    if pa.types.is_timestamp(array.type):
        stamps = _nanoseconds(array)
        if array.type.tz is not None:
            return stamps
        naive.append(f"times of type {array.type}")
        return replace(stamps, offsets=_offsets(pa.repeat("", len(array)), ~stamps.missing))
    if not _is_text(array):
        return _whole_batch(array, _TIME)
    missing = _nulls(array)
    whole = _mask(pc.ascii_is_decimal(array))
    if (whole | missing).all():
        return _whole_batch(array, _TIME)
    iso = ~missing & ~whole & ~_matches(array, _WHOLE)
    offset = iso & _matches(array, _OFFSET)
    values = _whole_batch(_emptied(array, iso), _TIME).values
    for rows, zone in ((offset, "UTC"), (iso & ~offset, None)):
        if rows.any():
            values[rows] = _iso(array, rows, zone)
            if zone is None:
                naive.append(shown(array[_first(rows)].as_py()))
    return Whole(values, missing, _offsets(array, iso))


def _offsets(array: pa.Array, iso: Mask) -> dict[str, Offset]:
    """Return the offsets of these rows of text, each with its first row and how many have it."""
    out: dict[str, Offset] = {}
    rows = np.flatnonzero(iso)
    if rows.size:
        ends = pc.dictionary_encode(pc.replace_substring_regex(_only(array, iso), _BEFORE_OFFSET, ""))
        codes = _values(ends.indices, np.int32)
        for code, text in enumerate(ends.dictionary.to_pylist()):
            mine = codes == code
            name = _offset_name(text)
            before = out.get(name, Offset(int(rows[mine][0]), 0))
            out[name] = Offset(min(before.first, int(rows[mine][0])), before.rows + int(mine.sum()))
    return out


def _nanoseconds(array: pa.Array) -> Whole:
    unit, missing = array.type.unit, _nulls(array)
    values = np.where(missing, 0, _values(array, np.int64))
    limit = INT64_MAX // _NANOSECONDS[unit]
    outside = (values > limit) | (values < -limit)
    if outside.any():
        row = _first(outside)
        raise Unreadable(row, f"{values[row]} {unit} since 1970", _TIME)
    return Whole(values * _NANOSECONDS[unit], missing)


def _iso(array: pa.Array, rows: Mask, zone: str | None) -> NDArray[np.int64]:
    """Read ISO-8601 text; where one is no time, refuse the first that is not."""
    kind = pa.timestamp("ns", zone)
    try:
        return np.asarray(_values(pc.cast(_only(array, rows), kind), np.int64))
    except pa.ArrowInvalid:
        for row in np.flatnonzero(rows):
            try:
                pc.cast(array[int(row)], kind)
            except pa.ArrowInvalid:
                raise Unreadable(int(row), shown(array[int(row)].as_py()), _TIME) from None
        raise


def _offset_name(text: str) -> str:
    """Write an offset as +hh:mm, Z for UTC."""
    name = f"{text[:3]}:{text[3:].lstrip(':') or '00'}" if text not in ("", "Z") else text
    return "Z" if name[1:] == "00:00" else name


def _truth_batch(array: pa.Array) -> Whole:
    missing = _nulls(array)
    if pa.types.is_boolean(array.type):
        return Whole(_mask(array).astype(np.int64), missing)
    if not (_is_text(array) or pa.types.is_integer(array.type)):
        raise Unreadable(None, _type(array), "true or false")
    text = pc.utf8_lower(pc.cast(array, pa.large_string()))
    yes = _matches(text, "^(true|1)$")
    _refuse(array, ~missing & ~yes & ~_matches(text, "^(false|0)$"), "true or false")
    return Whole(yes.astype(np.int64), missing)


def _words_batch(array: pa.Array, column: Column) -> pa.Array:
    if not (_is_text(array) or pa.types.is_integer(array.type)):
        raise Unreadable(None, _type(array), "text")
    encoded = pc.dictionary_encode(pc.cast(array, pa.large_string()))
    names = encoded.dictionary
    bad = _mask(pc.match_substring(names, "\0"))
    if column.words:
        bad |= np.array([name not in column.words for name in names.to_pylist()], dtype=bool)
    if bad.any():
        row = _first(~_nulls(array) & np.isin(_values(encoded.indices, np.int32), np.flatnonzero(bad)))
        should = f"one of {', '.join(column.words)}" if column.words else "text without a NUL character"
        raise Unreadable(row, shown(array[row].as_py()), should)
    return encoded


# --- columns out of batches -------------------------------------------------------------------------------------------


class _Growing:
    """An array that grows: pieces in a list would cost their memory twice. Its unused end is never touched, so free."""

    def __init__(self, dtype: Any) -> None:
        self._room = np.empty(0, dtype)
        self._size = 0

    def extend(self, values: NDArray[Any]) -> None:
        end = self._size + len(values)
        dtype = np.result_type(self._room, values)
        if end > len(self._room) or dtype != self._room.dtype:
            room = np.empty(max(end, 2 * len(self._room)) if self._size else end, dtype)
            room[: self._size] = self.array
            self._room = room
        self._room[self._size : end] = values
        self._size = end

    @property
    def array(self) -> NDArray[Any]:
        return self._room[: self._size]


class _Marks:
    """A mask that grows: no array of its own as long as no row is marked, as in most columns."""

    def __init__(self) -> None:
        self._marked, self._size = _Growing(bool), 0

    def extend(self, mask: Mask) -> None:
        if mask.any() and not len(self._marked.array):
            self._marked.extend(np.zeros(self._size, dtype=bool))
        if mask.any() or len(self._marked.array):
            self._marked.extend(mask)
        self._size += len(mask)

    @property
    def array(self) -> Mask:
        return self._marked.array if len(self._marked.array) else np.broadcast_to(np.False_, self._size)


class _Wholes:
    def __init__(self) -> None:
        self._values, self._missing = _Growing(np.int64), _Marks()
        self._offsets: dict[str, Offset] = {}

    def add(self, part: Whole) -> None:
        done = len(self._values.array)
        for name, (first, rows) in part.offsets.items():
            before = self._offsets.get(name, Offset(done + first, 0))
            self._offsets[name] = Offset(before.first, before.rows + rows)
        self._values.extend(part.values)
        self._missing.extend(part.missing)

    def joined(self) -> Whole:
        return Whole(self._values.array, self._missing.array, self._offsets)


class _Texts:
    def __init__(self) -> None:
        self._codes, self._hashes = _Growing(np.int32), _Growing(np.uint64)
        self._parts: list[tuple[int, pa.Array]] = []

    def add(self, part: pa.Array) -> None:
        self._codes.extend(np.where(_nulls(part), np.int32(-1), _values(part.indices, np.int32)))
        self._hashes.extend(_hashes(part.dictionary))
        self._parts.append((len(part), part.dictionary))

    def joined(self) -> Words:
        sizes = [(rows, len(part)) for rows, part in self._parts]
        names = pa.concat_arrays([part for _, part in self._parts])
        self._parts = []
        new, names = _distinct(names, self._hashes.array)
        codes, row, place = self._codes.array, 0, 0
        for rows, size in sizes:
            mine = np.append(new[place : place + size], np.int32(-1))  # the last is for -1
            codes[row : row + rows] = mine[codes[row : row + rows]]
            row, place = row + rows, place + size
        return Words(codes, names)


def _hashes(texts: pa.Array) -> NDArray[np.uint64]:
    """Return 64 bits of each text; the bytes after the first `_HASHED` have no part in them."""
    _, places, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(len(texts), dtype=np.uint64)
    offsets = np.frombuffer(places, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    words: NDArray[np.uint64] = np.ndarray(
        (len(text) + 1,), "<u8", np.append(text, np.zeros(8, np.uint8)), strides=(1,)
    )
    lengths, starts = np.diff(offsets), offsets[:-1] - offsets[0]
    out = lengths.astype(np.uint64)
    for at in range(0, min(int(lengths.max()), _HASHED), 8):
        rows = np.flatnonzero(lengths > at)
        mixed = (out[rows] ^ (words[starts[rows] + at] & _BYTES[np.minimum(lengths[rows] - at, 8)])) * _MIXER
        out[rows] = mixed ^ (mixed >> np.uint64(29))
    return out


def _distinct(texts: pa.Array, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int32], pa.Array]:
    """Number texts in order of their first place; texts of one hash are compared."""
    ranked = np.sort(hashes)
    if (ranked[1:] != ranked[:-1]).all():
        return np.arange(len(texts), dtype=np.int32), texts
    order = np.argsort(hashes, kind="stable")
    head = np.append(True, hashes[order[1:]] != hashes[order[:-1]])
    again = np.flatnonzero(~head)
    if not pc.all(pc.equal(texts.take(pa.array(order[again])), texts.take(pa.array(order[again - 1])))).as_py():
        encoded = pc.dictionary_encode(texts)
        return _values(encoded.indices, np.int32), encoded.dictionary
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[head][np.cumsum(head) - 1]
    is_first = first == np.arange(len(first))
    return (np.cumsum(is_first, dtype=np.int32) - np.int32(1))[first], texts.filter(_bits(is_first))


class _Numbers:
    def __init__(self) -> None:
        self._ints, self._missing, self._nan = _Growing(np.int64), _Marks(), _Marks()
        self._printed: _Growing | None = _Growing(np.uint8)
        self._scale = self._digits = 0

    def add(self, part: _Digits) -> None:
        if part.scale > self._scale:
            wider = _Growing(np.int64)
            wider.extend(times_power_of_ten(self._ints.array, part.scale - self._scale))
            self._ints, self._scale = wider, part.scale
        self._ints.extend(times_power_of_ten(part.ints, self._scale - part.scale))
        self._missing.extend(part.missing)
        self._nan.extend(part.nan)
        self._digits = max(self._digits, part.digits)
        if part.printed is None:
            self._printed = None
        elif self._printed:
            self._printed.extend(part.printed)

    def joined(self, binary: bool) -> Decimals:
        printed = self._printed.array if self._printed else None
        ints, missing, nan = self._ints.array, self._missing.array, self._nan.array
        return Decimals(ints, self._scale, self._digits, binary, missing, nan, printed)


def absent(column: Column, rows: int) -> AnyColumn:
    """Return the column of a table that does not have it: every row empty."""
    nothing = np.broadcast_to(np.int64(0), rows)
    missing, finite = (np.broadcast_to(np.bool_(each), rows) for each in (True, False))
    if column.type in ("dec", "udec"):
        return Decimals(nothing, 0, 0, False, missing, finite)
    if column.type == "id" or column.words:
        return Words(np.broadcast_to(np.int32(-1), rows), pa.nulls(0, pa.large_string()))
    return Whole(nothing, missing)


def constant(value: str | None, rows: int) -> pa.Array:
    """Return a column of one text in every row, empty for None."""
    if not value:
        return pa.nulls(rows, pa.large_string())
    return pa.array([value], pa.large_string()).take(
        pa.Array.from_buffers(pa.int8(), rows, [None, pa.py_buffer(bytes(rows))])
    )


def give_back() -> None:
    """Give the system back the memory that decoding took: Arrow keeps it for the next batch."""
    pa.default_memory_pool().release_unused()


class Builder:
    """Collects the batches of one column."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.naive: list[str] = []
        self._binary = False
        self._numbers, self._texts, self._wholes = _Numbers(), _Texts(), _Wholes()

    def add(self, array: pa.Array) -> None:
        """Decode one batch; raise `Unreadable` for the first row that cannot be."""
        array = _text(array)
        number = self.column.type in ("dec", "udec")
        if number:
            self._numbers.add(_decimal_batch(array, self.column))
        elif self.column.type == "ts":
            self._wholes.add(_time_batch(array, self.naive))
        elif self.column.type == "int":
            self._wholes.add(_whole_batch(array, _INT))
        elif self.column.type == "bool":
            self._wholes.add(_truth_batch(array))
        else:
            self._texts.add(_words_batch(array, self.column))
        self._binary = self._binary or pa.types.is_floating(array.type) or (number and _printed_floats(array))
        if not self.column.nullable and array.null_count:
            raise Unreadable(_first(_nulls(array)), "empty", "a value in every row")

    def column_data(self) -> AnyColumn:
        """Return the column of at least one batch."""
        if self.column.type in ("dec", "udec"):
            return self._numbers.joined(self._binary)
        if self.column.type == "id" or self.column.words:
            return self._texts.joined()
        return self._wholes.joined()
