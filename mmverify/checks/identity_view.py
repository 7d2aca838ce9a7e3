"""The records that claim an amount of money, one book of them at a time, and what each is held to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache

import numpy as np

from mmverify.checks.books import Ledger, fills_table, instruments
from mmverify.checks.claims import pnl_table
from mmverify.checks.known import Rows, Times, timeline
from mmverify.checks.s1_4_equity import equity_currency, equity_table
from mmverify.numeric import Decimals
from mmverify.session.load import Session, Table

EQUITY, ALL = "equity", "*"
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Parts:
    """What a change is made of, in one currency.

    Parameters
    ----------
    realized, unrealized : Fraction
        Gains of the fills, gross of fees: closed, and open at the price of the moment.
    fees : Fraction
        Paid, a cost positive, a rebate negative.
    funding : Fraction
        Received, paid negative.
    conversion : Fraction
        What rates made of everything that was held, moved or booked in another currency.
    transfers : Fraction
        Moved in, out negative, each at the rate of its moment.
    """

    realized: Fraction = _ZERO
    unrealized: Fraction = _ZERO
    fees: Fraction = _ZERO
    funding: Fraction = _ZERO
    conversion: Fraction = _ZERO
    transfers: Fraction = _ZERO

    @property
    def total(self) -> Fraction:
        """Realized + unrealized - fees + funding + conversion + transfers."""
        return self.realized + self.unrealized - self.fees + self.funding + self.conversion + self.transfers

    def __add__(self, other: Parts) -> Parts:
        return Parts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __sub__(self, other: Parts) -> Parts:
        return Parts(*(getattr(self, each.name) - getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Seen:
    """What a symbol's part in a record rests on: reports in its ledger, price, rate, funding as it was paid.

    `off` is what the symbol's own row, where the record sums such rows, is off by in its own currency.
    """

    book: Ledger
    count: int
    price: Fraction | None
    rate: Fraction
    funding: Fraction
    off: Fraction = _ZERO

    @property
    def earned(self) -> Fraction:
        """Realized + unrealized - fees + funding, in the settlement currency."""
        gained = self.book.realized_at(self.count) - self.book.fees_at(self.count) + self.funding
        return gained + (self.book.unrealized_at(self.count, self.price) if self.price else _ZERO)


@dataclass(frozen=True)
class Held:
    """A record held to the evidence: what it claims, cumulative parts, what they may be off by and rest on.

    `printed` is what the last digits of the claims leave open, `allowed` what those of the fees do as well.
    """

    row: int
    at: int
    claimed: Fraction
    parts: Parts
    printed: Fraction
    allowed: Fraction
    seen: dict[str, Seen]


@dataclass(frozen=True, eq=False)
class View:
    """The records of one book in order of time.

    Parameters
    ----------
    session : Session
    name : str
        ``equity``, a symbol, or ``*``.
    table : Table
    column : Decimals
        What is claimed.
    rows : ndarray of int64
        Rows that claim it.
    symbols : tuple of str
        Whose profit is in it.
    summed : tuple of str
        Of ``*``: the symbols with rows of their own, which it is the sum of.
    """

    session: Session
    name: str
    table: Table
    column: Decimals
    rows: Rows
    symbols: tuple[str, ...]
    summed: tuple[str, ...] = ()

    @property
    def of_account(self) -> bool:
        """Whether it claims what the account is worth, not what was earned."""
        return self.name == EQUITY

    @property
    def by_fill(self) -> bool:
        """Whether each amount is converted when it is booked."""
        return self.name in (EQUITY, ALL) and self.session.convention("conversion") == "fill"

    def times(self, rows: Rows) -> Times:
        """When these rows were claimed, ns."""
        return np.asarray(self.table.whole("ts_local").values[rows])

    def currency(self, row: int) -> str:
        """Return the currency of a row: its own, else the session's, else the settlement currency of its symbol."""
        if self.of_account:
            return equity_currency(self.session)
        named = self.table.words("currency").text(row) or self.session.currency
        return named or instruments(self.session)[self.symbols[0]].settle


@lru_cache(maxsize=16)
def view(session: Session, book: str) -> View:
    """Read the records of one book."""
    traded = dict.fromkeys(fills_table(session).words("symbol").names)
    if book == EQUITY:
        table, paid = equity_table(session), session.table("funding", "symbol").words("symbol").names
        column = table.decimals("equity")
        rows = timeline(session, table, column.known).rows
        return View(session, book, table, column, rows, tuple(traded | dict.fromkeys(paid)))
    table = pnl_table(session)
    column, named = table.decimals("total"), table.words("symbol")
    rows = timeline(session, table, column.known & named.is_(book)).rows
    own = tuple(symbol for symbol in named.names if symbol != ALL)
    if book != ALL:
        return View(session, book, table, column, rows, (book,))
    return View(session, book, table, column, rows, own or tuple(traded), own)
