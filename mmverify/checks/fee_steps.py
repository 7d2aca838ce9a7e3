"""The fee of each report in the settlement currency, by each reading of the rate at the fill."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.exact import Column, times
from mmverify.checks.known import Rates, Times
from mmverify.numeric import FLOAT_FLOOR, FLOAT_TOLERANCE, Decimals, Ints, Mask, largest, narrow
from mmverify.session.load import Session, Table

FEE_DIGITS = 30
FEE_UNIT = 10**FEE_DIGITS
_FLOAT_DIGITS = 11  # that the tolerance of a float64 ends within


@dataclass(frozen=True, eq=False)
class FeeSteps:
    """The fee of each report in the settlement currency, in units of 1e-30, and what kind of asset it was paid in.

    Parameters
    ----------
    readings : tuple of Column
        Once a reading of *the rate at the fill*: by the bot's clock with and without that very moment, by the venue's;
        of a fee in base also at the fill's price as corrected.
    paid : Column
        As printed, unconverted.
    kinds : list of str
        ``settle``, ``base`` (of a spot market) or ``third``.
    slack : Column
        What each may differ by: half a unit of the column's last digit, converted alike.
    """

    readings: tuple[Column, ...]
    paid: Column
    kinds: list[str]
    slack: Column


@dataclass(frozen=True, eq=False)
class _Factors:
    """What one unit of each report's fee asset is worth: `values`, and which of them is each report's."""

    values: list[Fraction]
    which: NDArray[np.int64]

    @cached_property
    def digits(self) -> int | None:
        """Digits after the point that all of them end within, None where one does not end."""
        common = 1
        for value in self.values:
            common = lcm(common, value.denominator)
            if common > FEE_UNIT:
                return None
        return next((digits for digits in range(FEE_DIGITS + 1) if 10**digits % common == 0), None)

    def worth(self, amounts: Ints, digits: int) -> Column:
        """Convert amounts in units of ``10**-digits``, rounded at 1e-30."""
        if self.digits is not None and digits + self.digits <= FEE_DIGITS:
            values = narrow([int(value * 10**self.digits) for value in self.values])
            return Column(times(amounts, values[self.which]), 10 ** (FEE_DIGITS - digits - self.digits))
        unit = Fraction(FEE_UNIT, 10**digits)
        by_value = [value * unit for value in self.values]
        pairs = zip(amounts.tolist(), self.which.tolist(), strict=True)
        return Column.of([round(amount * by_value[place]) for amount, place in pairs])


@dataclass(frozen=True, eq=False)
class Booked:
    """The reports of one symbol whose fees are to be read.

    Parameters
    ----------
    table : Table
        `fills`.
    rows, times : ndarray of int64
        The reports, and when each was booked.
    settle, base : str
        The settlement currency, and the asset that fees may be paid in at the fill's price.
    prices : ndarray of int
        In units of ``1 / price_unit``.
    segments : list of tuple
        Corrections and busts; see `books.restatements`.
    repeats : ndarray of bool
        Reports that count for nothing.
    """

    table: Table
    rows: NDArray[np.int64]
    times: Times
    settle: str
    base: str
    prices: Ints
    price_unit: int
    segments: list[tuple[int, int, bool]]
    repeats: Mask

    @property
    def fee(self) -> Decimals:
        """The fees as printed."""
        return self.table.decimals("fee")

    @cached_property
    def amounts(self) -> Ints:
        """The fees in units of the column's scale, 0 where the report counts for nothing."""
        return np.where(self.repeats, 0, self.fee.ints[self.rows])

    @cached_property
    def assets(self) -> NDArray[np.int32]:
        """Code of each fee's asset."""
        return self.table.words("fee_asset").codes[self.rows]

    @cached_property
    def kinds(self) -> NDArray[np.object_]:
        """``settle``, ``base`` or ``third``, by the code of the asset."""
        names = self.table.words("fee_asset").names
        kinds = ["settle" if name == self.settle else "base" if name == self.base else "third" for name in names]
        return np.array([*kinds, "third"], dtype=object)

    def price(self, n: int) -> Fraction:
        """Price of a report."""
        return Fraction(int(self.prices[n]), self.price_unit)


def fee_steps(session: Session, booked: Booked) -> tuple[FeeSteps, list[str]]:
    """Read the fee of each report, and say which have no rate."""
    fee, kinds = booked.fee, booked.kinds[booked.assets]
    third = bool(np.any((kinds == "third") & (booked.amounts != 0)))
    rates = Rates.of(session) if third else Rates({})
    readings: list[Column] = []
    flaws: list[str] = []
    for reading in range(3 if third else 1):
        factors = _factors(booked, kinds, rates, reading, flaws)
        readings.append(factors.worth(booked.amounts, fee.scale))
        if not reading:
            slack = factors.worth(*_tolerances(booked))
    if booked.segments and "base" in kinds:
        readings += [_revalued(booked, kinds, steps) for steps in readings]
    unique: list[Column] = []
    for steps in readings:
        if not any(steps.same(other) for other in unique):
            unique.append(steps)
    paid = _Factors([Fraction(1)], np.zeros(len(booked.rows), dtype=np.int64)).worth(booked.amounts, fee.scale)
    return FeeSteps(tuple(unique), paid, kinds.tolist(), slack), list(dict.fromkeys(flaws))


def _tolerances(booked: Booked) -> tuple[Ints, int]:
    """Return what each printed fee may differ by, 0 for a report that counts for nothing, and the digits it is in."""
    fee = booked.fee
    if not fee.binary:
        return np.where(booked.repeats, 0, 5), fee.digits + 1
    finer = 10**_FLOAT_DIGITS
    relative = times(np.abs(fee.ints[booked.rows]), int(FLOAT_TOLERANCE * finer))
    least = largest(fee.ints) * int(FLOAT_FLOOR * finer)
    return narrow(np.where(booked.repeats, 0, np.maximum(relative, least))), fee.scale + _FLOAT_DIGITS


def _factors(booked: Booked, kinds: NDArray[np.object_], rates: Rates, reading: int, flaws: list[str]) -> _Factors:
    """Return the worth of each report's fee asset; where a rate is missing 0, with a flaw."""
    values = [Fraction(1)]
    which = np.zeros(len(booked.rows), dtype=np.int64)
    if (in_base := kinds == "base").any():
        prices, place = np.unique(booked.prices[in_base], return_inverse=True)
        which[in_base] = place + len(values)
        values += [Fraction(int(price), booked.price_unit) for price in prices]
    at = booked.times
    if reading == 2:
        venue = booked.table.whole("ts_exchange")
        at = np.where(venue.missing[booked.rows], at, venue.values[booked.rows])
    paid = (kinds == "third") & (booked.amounts != 0)
    names = booked.table.words("fee_asset")
    unrated: dict[int, str] = {}
    for code in np.unique(booked.assets[paid]).tolist():
        own = np.flatnonzero(paid & (booked.assets == code))
        found, place = rates.factors(names.names[code], booked.settle, at[own], late=reading != 1)
        missing = np.array([value is None for value in found], dtype=bool)[place]
        unrated |= dict.fromkeys(own[missing].tolist(), names.names[code])
        which[own] = place + len(values)
        values += [value or Fraction(0) for value in found]
    for n, asset in sorted(unrated.items()):
        flaws.append(f"{booked.table.where(int(booked.rows[n]))}: no rate from {asset} to {booked.settle} at the fill")
    return _Factors(values, which)


def _revalued(booked: Booked, kinds: NDArray[np.object_], steps: Column) -> Column:
    """Value all that an execution paid in base at its price as corrected, once that is known."""
    unit = 10**booked.fee.scale
    changed: dict[int, int] = {}
    paid: dict[int, Fraction] = {}
    price: dict[int, Fraction] = {}
    for n, target, _ in booked.segments:
        if kinds[target] == "base":
            before = paid.get(target, Fraction(int(booked.amounts[target]), unit))
            change = booked.price(n) - price.get(target, booked.price(target))
            changed[n] = round(before * change * FEE_UNIT)
            paid[target] = before + Fraction(int(booked.amounts[n]), unit)
            price[target] = booked.price(n)
    out = list(steps)
    for n, by in changed.items():
        out[n] += by
    return Column.of(out)
