"""What was known at a claim: the rows of another table that the bot may have had when it wrote this one.

Last known is the newest row at or before the claim by the bot's clock; at equal time with or without it, or any state
up to ``timing.claim_lag_ms`` before. A venue table without the bot's clock is read by the venue's, give or take
``timing.max_clock_skew_ms``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmverify.formulas.convert import convert_exact
from mmverify.numeric import Ints, Mask, narrow
from mmverify.session.load import Session, Table

Times = NDArray[np.int64]
Rows = NDArray[np.int64]

_MS = 1_000_000


def rising(values: NDArray[Any]) -> bool:
    """Say whether each value is above the one before it."""
    return bool((values[1:] > values[:-1]).all())


def taken(values: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Return a column's values in some rows, without a copy where they are all of it in its order."""
    return values if len(rows) == len(values) and rising(rows) else values[rows]


def _nanoseconds(session: Session, name: str) -> int:
    return int((session.number("timing", name, 0) or 0) * _MS)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Rows of a table in the order in which the bot learnt of them.

    Parameters
    ----------
    rows : ndarray of int64
        Row numbers of the table, in order of `times`, ties in file order.
    times : ndarray of int64
        When each was known, ns: by the bot's clock, by the venue's where the bot's is not recorded.
    before, after : int
        How far from a claim, in ns, a state may lie and still be the one that the bot had.
    """

    rows: Rows
    times: Times
    before: int
    after: int

    def __len__(self) -> int:
        return len(self.rows)

    def span(self, at: Times) -> tuple[Rows, Rows]:
        """Return, per claim, the fewest and the most rows that may have been known."""
        fewest = np.searchsorted(self.times, at - self.before, side="left")
        most = np.searchsorted(self.times, at + self.after, side="right")
        return fewest.astype(np.int64), most.astype(np.int64)


def timeline(session: Session, table: Table, which: Mask | None = None) -> Timeline:
    """Order the rows of a table (those of `which`) as the bot learnt of them."""
    local = table.whole("ts_local")
    times, blind = local.values, local.missing
    is_blind = blind.any() and (which is None or blind[which].any())
    if is_blind:
        times = np.where(blind, table.whole("ts_exchange").values, times)
    rows = np.arange(len(table)) if which is None else np.flatnonzero(which)
    if len(rows) < len(times):
        times = times[rows]
    if not (times[1:] >= times[:-1]).all():
        order = np.argsort(times, kind="stable")
        rows, times = rows[order], times[order]
    slack = _nanoseconds(session, "max_clock_skew_ms") if is_blind else 0
    return Timeline(rows, times, _nanoseconds(session, "claim_lag_ms") + slack, slack)


class Ratio(NamedTuple):
    """A rate at each of some claims, as numerator and denominator, and where there is one."""

    top: Ints
    bottom: Ints
    known: Mask


@dataclass(frozen=True, eq=False)
class Rates:
    """Conversion rates as they were known: every pair of currencies on its own timeline."""

    pairs: dict[tuple[str, str], tuple[Timeline, list[Fraction]]]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(session: Session) -> Rates:
        """Read the table `rates`."""
        table = session.table("rates", "ts_exchange", "ts_local", "asset", "currency", "rate")
        assets, currencies, rate = table.words("asset"), table.words("currency"), table.decimals("rate")
        pairs = {}
        for asset in assets.names:
            for currency in currencies.names:
                which = assets.is_(asset) & currencies.is_(currency) & np.asarray(np.greater(rate.ints, 0))
                if which.any():
                    line = timeline(session, table, which)
                    pairs[asset, currency] = (line, [rate.fraction(int(row)) for row in line.rows])
        return Rates(pairs)

    def known(self, at: int, *, late: bool = True) -> dict[tuple[str, str], Fraction]:
        """Return each pair's newest rate at a moment; with ``late=False`` without rows of that very moment."""
        out = {}
        for (pair, (_, rates)), counts in zip(self.pairs.items(), self._counts(at), strict=True):
            if count := counts[late]:
                out[pair] = rates[count - 1]
        return out

    def choices(self, asset: str, currency: str, at: int) -> list[Fraction]:
        """Return every rate that a claim at this moment may have used: direct, inverse, or a chain of two."""
        if asset == currency:
            return [Fraction(1)]
        return list(self._choices(asset, currency, self._counts(at)))

    def _counts(self, at: int) -> tuple[tuple[int, int], ...]:
        """Return, per pair, the fewest and the most rates that may have been known at a moment."""
        return tuple(
            (bisect_left(times, at - line.before), bisect_right(times, at + line.after)) for line, times in self._times
        )

    @cached_property
    def _times(self) -> list[tuple[Timeline, list[int]]]:
        return [(line, line.times.tolist()) for line, _ in self.pairs.values()]

    @cached_property
    def _choices(self) -> Callable[[str, str, tuple[tuple[int, int], ...]], list[Fraction]]:
        """Return the choices by what was known: the last ones that were asked for are kept."""
        return lru_cache(maxsize=4096)(self._chosen)

    def _chosen(self, asset: str, currency: str, counts: tuple[tuple[int, int], ...]) -> list[Fraction]:
        legs: dict[tuple[str, str], list[Fraction]] = {}
        for ((base, quote), (_, rates)), (fewest, most) in zip(self.pairs.items(), counts, strict=True):
            seen = rates[max(fewest - 1, 0) : most]
            legs.setdefault((base, quote), []).extend(seen)
            legs.setdefault((quote, base), []).extend(1 / rate for rate in seen)
        found = list(legs.get((asset, currency), []))
        for through in {quote for base, quote in legs if base == asset} - {asset, currency}:
            found += [a * b for a in legs[asset, through] for b in legs.get((through, currency), [])]
        return list(dict.fromkeys(found))

    def changes(self, at: Times, *, late: bool | None = None) -> tuple[Times, Rows]:
        """Return times at which different rates are known, and for each claim the one that knows the same.

        With `late` only the newest rates count, with or without those of the very moment.
        """
        counts = [count for line, _ in self.pairs.values() for count in line.span(at)]
        if late is not None:
            counts = counts[int(late) :: 2]
        new = np.zeros(len(at), dtype=bool)
        new[:1] = True
        for each in counts:
            new[1:] |= each[1:] != each[:-1]
        return at[new], np.cumsum(new) - 1

    def ratios(self, asset: str, currency: str, at: Times) -> list[Ratio]:
        """Return the choices of every claim as columns: the newest direct rate first, the last again where few."""
        times, place = self.changes(at)
        found = []
        for each in times.tolist():
            newest = [rate] if (rate := self.known(each).get((asset, currency))) else []
            found.append(list(dict.fromkeys([*newest, *reversed(self.choices(asset, currency, each))])))
        known = np.array([bool(rates) for rates in found], dtype=bool)[place]
        out = []
        for n in range(max([1, *map(len, found)])):
            chosen = [rates[min(n, len(rates) - 1)] if rates else Fraction(1) for rates in found]
            tops, bottoms = narrow([rate.numerator for rate in chosen]), narrow([rate.denominator for rate in chosen])
            out.append(Ratio(tops[place], bottoms[place], known))
        return out

    def factors(self, asset: str, currency: str, at: Times, *, late: bool) -> tuple[list[Fraction | None], Rows]:
        """Return what one unit converts to (None: there is no path), and for each moment which of them it is."""
        times, place = self.changes(at, late=late)
        return [self.convert(Fraction(1), asset, currency, each, late=late) for each in times.tolist()], place

    def around(self, asset: str, currency: str, at: int, *, earlier: bool) -> list[Fraction]:
        """Return the direct or inverse rates just before or just after those that a claim may have used."""
        out = []
        for pair, turned in (((asset, currency), False), ((currency, asset), True)):
            if pair in self.pairs:
                line, rates = self.pairs[pair]
                fewest, most = (int(n[0]) for n in line.span(np.array([at])))
                near = rates[max(fewest - 3, 0) : max(fewest - 1, 0)] if earlier else rates[most : most + 2]
                out += [1 / rate if turned else rate for rate in near]
        return out

    def convert(self, amount: Fraction, asset: str, currency: str, at: int, *, late: bool = True) -> Fraction | None:
        """Convert an amount at the rate known at a moment, None where there is no path."""
        if asset == currency:
            return amount
        return _converted(amount, asset, currency, self.known(at, late=late))

    def booked(
        self, steps: Sequence[Fraction], asset: str, currency: str, times: Sequence[int]
    ) -> list[list[Fraction]]:
        """Return the sums of the first n steps, each converted at the rate known at its own time.

        One list of values a count n, with and without rates of the very moment; an empty one where a rate is missing.
        """
        sums: list[list[Fraction]] = [[Fraction(0)] * 2]
        found = [self.factors(asset, currency, np.array(times, dtype=np.int64), late=late) for late in (True, False)]
        each = [[rates[place] for place in places.tolist()] for rates, places in found]
        for step, *factors in zip(steps, *each, strict=True):
            parts = [step if not step else None if factor is None else step * factor for factor in factors]
            sums.append([total + part for total, part in zip(sums[-1], parts, strict=False) if part is not None])
        return sums


def _converted(amount: Fraction, asset: str, currency: str, rates: dict[tuple[str, str], Fraction]) -> Fraction | None:
    try:
        return convert_exact(amount, asset, currency, rates)
    except ArithmeticError:
        return None
