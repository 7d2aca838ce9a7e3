"""Exact numbers in columns: scaled integers in int64, in Python integers where int64 is too narrow.

A column of decimals is an array of integers and one scale: ``61800.2`` at scale 3 is ``61800200``. While every integer
fits, the array is int64; where one does not, it is an object array of Python integers. NumPy's operators work on both,
so nothing above this module knows which it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT64_MAX = 2**63 - 1
_SURELY_INT64 = 9.2e18  # below 2**63 by more than float64 rounds
_EXACT_POWER = 22  # 10**22 is the last power of ten that float64 holds exactly
#: A float64 claim is held to this relative distance.
FLOAT_TOLERANCE = Fraction(1, 10**9)
#: And to no less than this part of the largest value of its column.
FLOAT_FLOOR = Fraction(1, 10**11)

Ints = NDArray[Any]  # int64 or object
Mask = NDArray[np.bool_]


def largest(ints: Ints) -> int:
    """Return the largest magnitude in `ints`, 0 for an empty array, exact."""
    return max(abs(int(ints.max())), abs(int(ints.min()))) if ints.size else 0


def narrow(ints: Sequence[int] | Ints) -> Ints:
    """Return `ints` as int64 where all of them fit, else as an object array of Python integers."""
    try:
        return np.asarray(ints, dtype=np.int64)
    except OverflowError:
        return np.asarray(ints, dtype=object)


def scaled_floats(ints: Ints, scale: int) -> NDArray[np.float64]:
    """Return ``ints / 10**scale`` as float64, off by 1.5 ulp at most."""
    if ints.dtype == object or scale > _EXACT_POWER:
        unit = 10**scale
        return np.array([value / unit for value in ints.tolist()], dtype=np.float64)
    return np.asarray(ints, dtype=np.float64) / float(10**scale)


def times_power_of_ten(ints: Ints, power: int) -> Ints:
    """Return ``ints * 10**power`` exactly, widened to Python integers where int64 would wrap.

    Raises
    ------
    ValueError
        For a negative power, which would lose digits.
    """
    if power < 0:
        raise ValueError(f"power of ten is {power}; should be 0 or more")
    if power == 0 or not largest(ints):
        return ints
    if ints.dtype == object or largest(ints) * 10**power > INT64_MAX:
        return np.asarray(ints.astype(object) * 10**power)
    return np.asarray(ints * np.int64(10**power))


def times_powers_of_ten(ints: Ints, powers: NDArray[np.int64]) -> Ints:
    """Return ``ints * 10**powers`` row by row, exactly, for powers of 0 or more."""
    if not powers.any():
        return ints
    if ints.dtype != object:
        size = np.abs(ints.astype(np.float64)) * 10.0 ** np.minimum(powers, 30)
        if size.max() < _SURELY_INT64:  # a power that wraps stands beside a 0
            return np.asarray(ints * 10**powers)
    return np.asarray(ints.astype(object) * 10 ** powers.astype(object))


@dataclass(frozen=True, eq=False)
class Decimals:
    """A column of decimals, every digit kept.

    Parameters
    ----------
    ints : ndarray, shape (n,)
        Values times ``10**scale``, int64 or Python integers; 0 where `missing` or `nan`.
    scale : int
        Digits after the point in `ints`.
    digits : int
        The most digits after the point that the source printed: half of the last one is what a claim may differ by.
    binary : bool
        The source held float64: a claim may differ by 1e-9 of itself instead.
    missing, nan : ndarray of bool, shape (n,)
        Rows without a value; rows that are NaN or infinite (only ever in the bot's own claims).
    printed : ndarray of unsigned integers, shape (n,), or None
        Digits after the point that each row printed, where the source was text.
    """

    ints: Ints
    scale: int
    digits: int
    binary: bool
    missing: Mask
    nan: Mask
    printed: NDArray[np.unsignedinteger] | None = None

    def __len__(self) -> int:
        return len(self.ints)

    @property
    def known(self) -> Mask:
        """Rows that hold a number."""
        return ~(self.missing | self.nan)

    def fraction(self, row: int) -> Fraction:
        """Return the value of one row, exact."""
        return Fraction(int(self.ints[row]), 10**self.scale)

    def fractions(self) -> list[Fraction]:
        """Return every row as a Fraction (0 where there is no number): for small tables."""
        unit = 10**self.scale
        return [Fraction(int(value), unit) for value in self.ints]

    def floats(self) -> NDArray[np.float64]:
        """Return each row as float64, off by 1.5 ulp at most, NaN where there is no number."""
        out = scaled_floats(self.ints, self.scale)
        out[~self.known] = np.nan
        return out

    @cached_property
    def _largest(self) -> Fraction:
        return Fraction(largest(self.ints), 10**self.scale)

    def tolerance(self, row: int) -> Fraction:
        """Return what a claim in this row may differ by: half a unit of the last digit, or 1e-9 of a float64.

        A float64 near 0 is a difference of larger ones: none is held to less than 1e-11 of the column's largest.
        """
        if self.binary:
            return max(abs(self.fraction(row)) * FLOAT_TOLERANCE, self._largest * FLOAT_FLOOR)
        return Fraction(1, 2 * 10**self.digits)

    def tolerances(self) -> NDArray[np.float64]:
        """Return `tolerance` of every row as float64, for screening."""
        if self.binary:
            return np.maximum(np.abs(self.floats()) * float(FLOAT_TOLERANCE), float(self._largest * FLOAT_FLOOR))
        return np.full(len(self), float(Fraction(1, 2 * 10**self.digits)))

    def last_digit(self, rows: NDArray[np.int64]) -> Fraction:
        """Return one unit of the last digit that these rows are written with: as printed, else as their values need."""
        if self.printed is not None:
            return Fraction(1, 10 ** int(self.printed[rows].max()))
        ints, digits = self.ints[rows], self.scale
        while digits and not np.any(ints % 10):
            ints, digits = ints // 10, digits - 1
        return Fraction(1, 10**digits)

    def at_scale(self, scale: int) -> Ints:
        """Return the integers at a scale that is not below this column's own."""
        return times_power_of_ten(self.ints, scale - self.scale)


def decimal_text(value: Fraction | int, digits: int = 12) -> str:
    """Write a Fraction as people do: exactly where it ends within `digits` decimals, else rounded there with a ``~``.

    >>> decimal_text(Fraction(247, 20)), decimal_text(Fraction(1, 3), 4)
    ('12.35', '~0.3333')
    """
    value = Fraction(value)
    scaled = value * 10**digits
    whole = round(scaled)
    text = f"{abs(whole):0{digits + 1}d}"
    body = f"{text[:-digits]}.{text[-digits:]}".rstrip("0").rstrip(".") if digits else text
    sign = "-" if whole < 0 else ""
    return ("" if scaled == whole else "~") + sign + body
