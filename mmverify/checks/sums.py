"""The ``*`` row of pnl: what the symbols' own rows, as last claimed, sum to once each is converted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property, reduce
from itertools import islice, pairwise, permutations, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.books import instruments, ledger, payments
from mmverify.checks.claims import MONEY, Candidates, Suspects, finer, pnl_table, telling
from mmverify.checks.exact import Near, plus, scaled
from mmverify.checks.known import Rates, Ratio, Rows, Times, timeline
from mmverify.numeric import Decimals, Ints, Mask
from mmverify.session.load import Session, Table

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
_CHOICES = 4096  # ways to combine the rows that were known at the same instant


@dataclass(frozen=True, eq=False)
class _Part:
    """One symbol's part of some ``*`` rows.

    Parameters
    ----------
    column : Decimals
        What is claimed.
    rows : ndarray of int64
        The symbol's rows in order of time.
    first, stop : ndarray of int64
        Per ``*`` row, the first of them that may have been the last known, and the one after the last.
    rates : list of Ratio
        What may convert it at each ``*`` row; none where both are in one currency.
    """

    column: Decimals
    rows: Rows
    first: Rows
    stop: Rows
    rates: list[Ratio]

    @property
    def has(self) -> Mask:
        """Where the symbol has a row."""
        return np.asarray(self.stop > self.first)

    def member(self, place: Rows) -> Rows:
        """Return the rows at these places, any where there is none."""
        return np.append(self.rows, 0)[np.where(self.has, place, -1)]

    def units(self, place: Rows, digits: int, rate: Ratio | None) -> Ints:
        """Return the amounts at these places, converted, in units of ``10**-digits``; 0 where there is none."""
        amounts, unit = np.where(self.has, self.column.ints[self.member(place)], 0), Fraction(1, 10**self.column.scale)
        if rate is None:
            return scaled([amounts], unit, digits)
        return scaled([amounts, rate.top], unit, digits, over=rate.bottom)

    def at(self, places: Rows) -> _Part:
        """Return the part of some of the ``*`` rows."""
        rates = [Ratio(*(each[places] for each in rate)) for rate in self.rates]
        return replace(self, first=self.first[places], stop=self.stop[places], rates=rates)

    def differences(self, digits: int) -> list[Ints]:
        """Return every way in which the converted and the bare amount of rows that may have been known can differ."""
        most = int(np.max(self.stop - self.first, initial=1))
        places = [np.maximum(self.stop - 1 - n, self.first) for n in range(most)]
        bare = [self.units(place, digits, None) for place in places]
        if not self.rates:
            return [bare[0] * 0, *(plus(one, -other) for one, other in permutations(bare, 2))]
        converted = [self.units(place, digits, rate) for place in places for rate in self.rates]
        return [plus(one, -other) for one, other in product(converted, bare)]


def _single(currency: Callable[[int], str], rows: Rows, codes: Codes) -> str | None:
    """Return the currency that all of some rows are in, None where there are several."""
    _, first = np.unique(codes[rows], return_index=True)
    names = {currency(int(rows[each])) for each in first}
    return names.pop() if len(names) == 1 else None


@dataclass(frozen=True, eq=False)
class Sums:
    """One column of the ``*`` rows beside the rows of the symbols that it sums.

    Parameters
    ----------
    session : Session
    table : Table
        The table `pnl`.
    name : str
        The column.
    rows : ndarray of int64
        The ``*`` rows that claim it.
    members : tuple of str
        The symbols that have rows of their own.
    """

    session: Session
    table: Table
    name: str
    rows: Rows
    members: tuple[str, ...]

    @property
    def column(self) -> Decimals:
        """The claims."""
        return self.table.decimals(self.name)

    @cached_property
    def _rates(self) -> Rates:
        return Rates.of(self.session)

    @cached_property
    def _at(self) -> Times:
        return np.asarray(self.table.whole("ts_local").values[self.rows])

    @cached_property
    def _last(self) -> list[tuple[Rows, Rows, Rows]]:
        """Per symbol, its rows in order of time, and the first and the one after the last that may have been known."""
        out = []
        for symbol in self.members:
            line = timeline(self.session, self.table, self.table.words("symbol").is_(symbol) & self.column.known)
            low, high = line.span(self._at)
            out.append((line.rows, np.maximum(low - 1, 0), high))
        return out

    def _known(self, row: int) -> list[list[int]]:
        """Per symbol, its rows that may have been the last known at a ``*`` row; the newest first."""
        place = int(np.searchsorted(self.rows, row))
        return [rows[int(first[place]) : int(stop[place])].tolist()[::-1] for rows, first, stop in self._last]

    def time(self, row: int) -> int:
        """Time of a row, ns."""
        return int(self.table.whole("ts_local").values[row])

    def currency(self, row: int) -> str:
        """Currency of a row: its own, else the session's, else the settlement currency of its symbol."""
        symbol = self.table.words("symbol").text(row)
        otherwise = instruments(self.session)[symbol].settle if symbol in instruments(self.session) else ""
        return self.table.words("currency").text(row) or self.session.currency or otherwise

    def parts(self, row: int) -> list[tuple[str, Fraction, Fraction]]:
        """Return place, amount and rate of each symbol's newest row, as they enter a ``*`` row."""
        out = []
        for symbol, members in zip(self.members, self._known(row), strict=True):
            if members:
                amount = self.column.fraction(members[0])
                rate = next(iter(self._choices(members[0], row)), Fraction(1))
                value = next(iter(self._part(symbol, members[0], row)), amount * rate)
                out.append((self.table.where(members[0]), amount, value / amount if amount else rate))
        return out

    def slack(self, row: int) -> Fraction:
        """Half a unit of each part, times the rate known at the claim; of an amount that nearly cancels, too."""
        known = [members[0] for members in self._known(row) if members]
        weights = [max(self._choices(member, row), default=Fraction(1)) for member in known]
        return sum((self.column.tolerance(r) * w for r, w in zip(known, weights, strict=True)), Fraction(0))

    def _choices(self, member: int, row: int) -> list[Fraction]:
        """Return the rates that a symbol's row may be converted at for a ``*`` row."""
        return self._rates.choices(self.currency(member), self.currency(row), self.time(row))

    @cached_property
    def _parts(self) -> list[_Part] | None:
        """Each symbol's part of every ``*`` row; None where currencies change or each part is converted when booked."""
        codes = self.table.words("currency").codes
        into = _single(self.currency, self.rows, codes)
        own = [_single(self.currency, rows, codes) if rows.size else into for rows, _, _ in self._last]
        at_fill = self.session.convention("conversion") == "fill" and self.name != "unrealized"
        if into is None or None in own or (at_fill and set(own) != {into}):
            return None
        return [
            _Part(self.column, *last, self._rates.ratios(each, into, self._at) if each and each != into else [])
            for last, each in zip(self._last, own, strict=True)
        ]

    @cached_property
    def judged(self) -> Mask:
        """Which ``*`` rows have a sum: each symbol that traded has a row, and each of these a rate."""
        if self._parts is None:
            return np.array([bool(self.right(row)) for row in self.rows.tolist()], dtype=bool)
        whole, some = np.ones(len(self.rows), dtype=bool), np.zeros(len(self.rows), dtype=bool)
        for symbol, part in zip(self.members, self._parts, strict=True):
            if not part.has.all():
                whole &= part.has | (ledger(self.session, symbol).line.span(self._at)[1] == 0)
            for rate in part.rates[:1]:
                whole &= rate.known | ~part.has
            some |= part.has
        return whole & some

    def near(self, *, newest: bool = True, converted: bool = True) -> Near:
        """Return the sum of the symbols' rows that were known last, or first, at each ``*`` row."""
        digits = finer(self.column)
        known = self.judged if self._parts is not None else np.zeros(len(self.rows), dtype=bool)
        total = Near(np.zeros(len(self.rows), dtype=np.int64), digits, known, 0)
        for part in self._parts or ():
            rate = part.rates[0] if converted and part.rates else None
            total = total.plus(Near(part.units(part.stop - 1 if newest else part.first, digits, rate), digits, known))
        return total

    @property
    def room(self) -> Floats:
        """What `slack` of every ``*`` row is at least."""
        total = np.zeros(len(self.rows))
        for part in self._parts or ():
            weight = np.ones(len(self.rows))
            for rate in part.rates[:1]:
                weight = np.where(rate.known, rate.top.astype(np.float64) / rate.bottom.astype(np.float64), 1.0)
            total += np.where(part.has, self.column.tolerances()[part.member(part.stop - 1)] * weight, 0.0)
        return total

    def tells(self) -> tuple[Mask, Mask]:
        """Return which ``*`` rows surely tell `right` from `bare`, and which only these two can say it of."""
        digits, near = finer(self.column), self.near()
        same, _ = telling(self.column, self.rows, near, self.near(converted=False))
        left = np.flatnonzero(self.judged & ~same)
        sure, doubtful = np.zeros(len(self.rows), dtype=bool), np.zeros(len(self.rows), dtype=bool)
        ways = [part.at(left).differences(digits) for part in self._parts or ()]
        if self._parts is None or prod(map(len, ways)) > _CHOICES:
            doubtful[left] = True
            return sure, doubtful
        known, nothing = near.known[left], np.zeros(len(left), dtype=np.int64)
        never, always = np.zeros(len(left), dtype=bool), np.ones(len(left), dtype=bool)
        for chosen in product(*ways):
            apart = Near(reduce(plus, chosen, nothing), digits, known, 2 * len(ways))
            alike, differ = telling(self.column, self.rows[left], apart, Near(nothing, digits, known, 0))
            never |= alike
            always &= differ
        sure[left], doubtful[left] = always, ~(always | never)
        return sure, doubtful

    @cached_property
    def right(self) -> Callable[[int], list[Fraction]]:
        """What the symbols' rows may sum to at a ``*`` row, each converted."""
        return cache(self._summed(converted=True))

    @cached_property
    def bare(self) -> Callable[[int], list[Fraction]]:
        """What the symbols' rows sum to as they stand, in whichever currency."""
        return cache(self._summed(converted=False))

    def _summed(self, *, converted: bool) -> Callable[[int], list[Fraction]]:
        def part(symbol: str, member: int, row: int) -> list[Fraction]:
            return self._part(symbol, member, row) if converted else [self.column.fraction(member)]

        def of_row(row: int) -> list[Fraction]:
            found = []
            for symbol, members in zip(self.members, self._known(row), strict=True):
                if members:
                    found.append([value for member in members for value in part(symbol, member, row)])
                elif len(ledger(self.session, symbol).line.span(np.array([self.time(row)]))[1].nonzero()[0]):
                    return []
            return [sum(choice, Fraction(0)) for choice in islice(product(*found), _CHOICES)] if found else []

        return of_row

    def _part(self, symbol: str, member: int, row: int) -> list[Fraction]:
        """Return what a symbol's row may amount to in a ``*`` row's currency."""
        own, into, amount = self.currency(member), self.currency(row), self.column.fraction(member)
        if own == into:
            return [amount]
        if self.session.convention("conversion") == "fill" and self.name != "unrealized":
            return self._at_fills(symbol, member, row)
        return [amount * rate for rate in self._rates.choices(own, into, self.time(row))]

    def _at_fills(self, symbol: str, member: int, row: int) -> list[Fraction]:
        """Return a symbol's cumulative amount with every part converted when it was booked."""
        at, into = np.array([self.time(member)]), self.currency(row)
        book, flow = ledger(self.session, symbol), payments(self.session, symbol)
        fills, flows = book.line.span(at), flow.line.span(at)
        found = [part for each in self._booked(symbol, into)[int(fills[0][0]) : int(fills[1][0]) + 1] for part in each]
        if self.name in ("funding", "total"):
            paid = self._paid(symbol, into)[int(flows[0][0]) : int(flows[1][0]) + 1]
            found = [part + payment for part in found for each in paid for payment in each]
        open_part = self.table.decimals("unrealized")
        if self.name == "total" and open_part.known[member]:
            choices = self._rates.choices(self.currency(member), into, self.time(row))
            found = [part + open_part.fraction(member) * rate for part in found for rate in choices]
        return list(dict.fromkeys(found))

    @cached_property
    def _booked(self) -> Callable[[str, str], list[list[Fraction]]]:
        net = self.session.convention("realized") == "net"
        gains = {"realized": 1, "total": 1}.get(self.name, 0)
        fees = {"realized": -int(net), "total": -1, "fees": 1}.get(self.name, 0)

        @cache
        def booked(symbol: str, into: str) -> list[list[Fraction]]:
            book = ledger(self.session, symbol)
            sums = [gains * book.realized_at(n) + fees * book.fees_at(n) for n in range(len(book.position))]
            steps = [after - before for before, after in pairwise(sums)]
            return self._rates.booked(steps, book.instrument.settle, into, book.line.times.tolist())

        return booked

    @cached_property
    def _paid(self) -> Callable[[str, str], list[list[Fraction]]]:
        @cache
        def paid(symbol: str, into: str) -> list[list[Fraction]]:
            flow = payments(self.session, symbol)
            return self._rates.booked(flow.amounts, flow.asset, into, flow.line.times.tolist())

        return paid

    def suspects(self) -> Suspects:
        """Yield what may have made the sum wrong."""
        yield "the amounts were added without converting them", self.bare
        right = self.right
        for skipped, symbol in enumerate(self.members):
            yield f"{symbol} was left out", self._without(skipped)
        yield "the sign was turned", lambda row: [-value for value in right(row)]
        for again, symbol in enumerate(self.members):
            yield f"{symbol} was counted twice", self._without(again, -1)

    def _without(self, place: int, times: int = 1) -> Candidates:
        def of_row(row: int) -> list[Fraction]:
            parts = self.parts(row)
            if len(parts) != len(self.members):
                return []
            total = sum((amount * rate for _, amount, rate in parts), Fraction(0))
            return [total - times * parts[place][1] * parts[place][2]]

        return of_row


def sums_of(session: Session) -> Iterator[Sums]:
    """Yield the columns that ``*`` rows claim, of a session whose symbols have rows of their own."""
    table = pnl_table(session)
    symbols = table.words("symbol")
    members = tuple(symbol for symbol in symbols.names if symbol != "*")
    claimed = [(name, np.flatnonzero(symbols.is_("*") & table.decimals(name).known)) for name in MONEY]
    yield from (Sums(session, table, name, rows, members) for name, rows in claimed if rows.size and members)
