"""Tables that are too long to hold: written a part at a time, text turned into decimals, their steps read off."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from mmverify.errors import EvidenceError

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a part.
ROWS = 200_000
_NUMBER = r"^[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?$"
_DIGITS = 38


class Parts:
    """The parts of the tables of a session, in its folder.

    Parameters
    ----------
    folder : Path
        The session folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, int] = {}

    def add(self, name: str, rows: pa.Table) -> None:
        """Write rows of a table as its next part."""
        import pyarrow.parquet as pq

        count = self._written[name] = self._written.get(name, 0) + 1
        (self._folder / name).mkdir(exist_ok=True)
        pq.write_table(rows, self._folder / name / f"{count:05d}.parquet", compression="zstd")


def decimals(text: pa.Array, place: str, column: str, start: int = 0) -> pa.Array:
    """Return prices or quantities that are text as decimals, every digit kept.

    Parameters
    ----------
    text : pyarrow.Array of string
        Empty cells are null.
    place, column : str
        File and column, for an error.
    start : int
        Rows of the file before the first.

    Raises
    ------
    EvidenceError
        For the first that is no number of 0 or more, or of more than 38 digits.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fine = pc.fill_null(pc.match_substring_regex(text, _NUMBER), True)
    row = pc.index(fine, False).as_py()
    if row >= 0:
        should = "a number of 0 or more"
        raise EvidenceError(place, row=start + row + 1, column=column, was=repr(text[row].as_py())[:60], should=should)
    if pc.any(pc.match_substring_regex(text, "[eE]")).as_py():
        plain = [None if each is None else format(Decimal(each), "f") for each in text.to_pylist()]
        text = pa.array(plain, pa.string())
    point = pc.find_substring(text, ".")
    after = pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(pc.utf8_length(text), point), 1))
    try:
        return pc.cast(text, pa.decimal128(_DIGITS, pc.max(after).as_py() or 0))
    except pa.ArrowInvalid as error:
        raise EvidenceError(place, column=column, was=str(error), should=f"{_DIGITS} digits at most") from None


def step(numbers: pa.Array, known: Fraction = Fraction(0)) -> Fraction:
    """Return the greatest step that decimals are all multiples of, and `known` too; 0 where all are 0."""
    import numpy as np

    scale, given = numbers.type.scale, numbers.drop_null()
    halves = np.frombuffer(given.buffers()[1] or b"", np.int64).reshape(-1, 2)[given.offset : given.offset + len(given)]
    low, high = halves[:, 0], halves[:, 1]
    values = low if not high.any() and (low >= 0).all() else high.astype(object) * 2**64 + low.view(np.uint64)
    common = Fraction(int(np.gcd.reduce(values)) if len(values) else 0, 10**scale)
    if not known or not common:
        return known or common
    return Fraction(
        gcd(common.numerator * known.denominator, known.numerator * common.denominator),
        common.denominator * known.denominator,
    )


def increment(common: Fraction) -> Decimal:
    """Return the largest of 1, 2 and 5 times a power of ten that divides a step: few prices have a step of their own.

    >>> increment(Fraction("8531.5")), increment(Fraction(30)), increment(Fraction("0.02"))
    (Decimal('0.5'), Decimal('10'), Decimal('0.02'))
    """
    place = 20
    while True:
        for digit in (5, 2, 1):
            size = Decimal(digit).scaleb(place)
            if (common / Fraction(size)).denominator == 1:
                return Decimal(format(size, "f"))
        place -= 1
