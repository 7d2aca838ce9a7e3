"""The ``*`` row of pnl: what the symbols' own rows, as last claimed, sum to once each is converted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from itertools import islice, pairwise, product

import numpy as np

from mmverify.checks.books import instruments, ledger, payments
from mmverify.checks.claims import MONEY, Candidates, Suspects, pnl_table
from mmverify.checks.known import Rates, Rows, timeline
from mmverify.numeric import Decimals
from mmverify.session.load import Session, Table

_CHOICES = 4096  # ways to combine the rows that were known at the same instant


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
    def _known(self) -> dict[int, list[list[int]]]:
        """Per ``*`` row and symbol, the rows of the symbol that may have been the last known; the newest first."""
        times = self.table.whole("ts_local").values[self.rows]
        out: dict[int, list[list[int]]] = {int(row): [] for row in self.rows}
        for symbol in self.members:
            which = self.table.words("symbol").is_(symbol) & self.column.known
            line = timeline(self.session, self.table, which)
            low, high = line.span(times)
            for row, a, b in zip(self.rows, low, high, strict=True):
                out[int(row)].append([int(r) for r in line.rows[max(int(a) - 1, 0) : int(b)]][::-1])
        return out

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
        for symbol, members in zip(self.members, self._known[row], strict=True):
            if members:
                amount = self.column.fraction(members[0])
                rate = next(iter(self._choices(members[0], row)), Fraction(1))
                value = next(iter(self._part(symbol, members[0], row)), amount * rate)
                out.append((self.table.where(members[0]), amount, value / amount if amount else rate))
        return out

    def slack(self, row: int) -> Fraction:
        """Half a unit of each part, times the rate known at the claim; of an amount that nearly cancels, too."""
        known = [members[0] for members in self._known[row] if members]
        weights = [max(self._choices(member, row), default=Fraction(1)) for member in known]
        return sum((self.column.tolerance(r) * w for r, w in zip(known, weights, strict=True)), Fraction(0))

    def _choices(self, member: int, row: int) -> list[Fraction]:
        """Return the rates that a symbol's row may be converted at for a ``*`` row."""
        return self._rates.choices(self.currency(member), self.currency(row), self.time(row))

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
            for symbol, members in zip(self.members, self._known[row], strict=True):
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


@lru_cache(maxsize=8)
def sums_of(session: Session) -> tuple[Sums, ...]:
    """Return the columns that ``*`` rows claim, of a session whose symbols have rows of their own."""
    table = pnl_table(session)
    symbols = table.words("symbol")
    members = tuple(symbol for symbol in symbols.names if symbol != "*")
    claimed = [(name, np.flatnonzero(symbols.is_("*") & table.decimals(name).known)) for name in MONEY]
    return tuple(Sums(session, table, name, rows, members) for name, rows in claimed if rows.size and members)
