"""Exact arithmetic on whole columns of integers: int64 while every result fits, Python integers where one does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mmverify.numeric import INT64_MAX, Ints, Mask, largest, narrow

_SURELY = 2.0**62  # a sum of float64 that is below it is of integers that int64 holds


@dataclass(frozen=True, eq=False)
class Column(Sequence[int]):
    """Whole numbers kept as an array and read as a sequence of Python integers: `ints` times `factor`."""

    ints: Ints
    factor: int = 1

    @staticmethod
    def of(numbers: Sequence[int] | Ints) -> Column:
        """Keep whole numbers as narrow as they allow."""
        return Column(narrow(numbers))

    def __len__(self) -> int:
        return len(self.ints)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, slice):
            return [each * self.factor for each in self.ints[place].tolist()]
        return int(self.ints[place]) * self.factor

    def __iter__(self) -> Iterator[int]:
        return (each * self.factor for each in self.ints.tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(times(self.ints, self.factor), dtype=dtype)

    def floats(self) -> NDArray[np.float64]:
        """Return the numbers as float64."""
        return np.asarray(self.ints, dtype=np.float64) * float(self.factor)

    def sums(self) -> Column:
        """Return the running sums, 0 first."""
        return Column(running(self.ints), self.factor)

    def same(self, other: Column) -> bool:
        """Say whether two columns hold the same numbers."""
        if self.factor == other.factor:
            return np.array_equal(self.ints, other.ints)
        return np.array_equal(times(self.ints, self.factor), times(other.ints, other.factor))


def times(ints: Ints, by: Ints | int) -> Ints:
    """Multiply, element by element or by one number."""
    most = largest(by) if isinstance(by, np.ndarray) else abs(by)
    if ints.dtype != object and max(largest(ints), 1) * most <= INT64_MAX:
        return np.asarray(ints * by)
    return np.asarray(ints.astype(object) * by)


def plus(a: Ints, b: Ints) -> Ints:
    """Add, element by element."""
    wide = largest(a) + largest(b) > INT64_MAX
    return np.asarray(a.astype(object) + b if wide else a + b)


def total(ints: Ints) -> int:
    """Return the sum of fewer than 2**31 integers."""
    if ints.dtype != object and largest(ints) * len(ints) <= INT64_MAX:
        return int(ints.sum())
    return (int((ints >> 32).sum()) << 32) + int((ints & 0xFFFFFFFF).sum())


def running(ints: Ints) -> Ints:
    """Return the running sums, 0 first: one element more."""
    wide = ints.dtype == object or float(np.abs(ints.astype(np.float64)).sum()) > _SURELY
    sums = np.cumsum(ints.astype(object) if wide else ints)
    return narrow(np.concatenate([np.zeros(1, dtype=sums.dtype), sums]))


def scaled(factors: Sequence[Ints], unit: Fraction, digits: int, over: Ints | None = None) -> Ints:
    """Return the product of columns and `unit` in units of ``10**-digits``, rounded down.

    Parameters
    ----------
    factors : sequence of ndarray of int
    unit : Fraction
    digits : int
    over : ndarray of int, optional
        Positive divisors.
    """
    whole = unit * 10**digits
    product = factors[0]
    for factor in factors[1:]:
        product = times(product, factor)
    product = times(product, whole.numerator)
    if over is not None:
        return narrow(product // times(over, whole.denominator))
    return narrow(product // whole.denominator) if whole.denominator > 1 else product


@dataclass(frozen=True, eq=False)
class Near:
    """A value for each of some rows: `units` of ``10**-digits``, give or take `error` of them, where it is `known`."""

    units: Ints
    digits: int
    known: Mask
    error: int = 1

    def plus(self, other: Near, count: int = 1) -> Near:
        """Add another, `count` times."""
        units = plus(self.units, times(other.units, count))
        return Near(units, self.digits, self.known & other.known, self.error + abs(count) * other.error)

    def otherwise(self, other: Near) -> Near:
        """Take another where this is not known."""
        units = np.where(self.known, self.units, other.units)
        return Near(units, self.digits, self.known | other.known, max(self.error, other.error))

    def at(self, places: Any) -> Near:
        """Take some of the rows."""
        return Near(self.units[places], self.digits, self.known[places], self.error)
