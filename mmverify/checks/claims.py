"""Hold the bot's claims against what the evidence gives: a column screened in float64, doubtful rows judged exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import islice, pairwise, product

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach
from mmverify.checks.books import RIGHT, Ledger, Mistake, fills_table, ledger
from mmverify.checks.exact import Column, Near, plus, scaled
from mmverify.checks.known import Rates, Ratio, Rows, Times
from mmverify.checks.offs import claimed_off
from mmverify.numeric import Decimals, Ints, Mask, decimal_text
from mmverify.session.load import Session, Table, need_instruments

MONEY = ("realized", "unrealized", "fees", "funding", "total")
Money = Callable[[Ledger, int], Iterable[Fraction]]
Candidates = Callable[[int], Iterable[Fraction]]
Suspects = Iterable[tuple[str, Candidates]]
Slack = Callable[[int], Fraction]
Terms = Callable[[Ledger], Iterable[tuple[Column, Fraction]]]
_SURE = 1 - 2.0**-40  # of a limit, so that the rounding of float64 cannot matter
_EPS = 2.0**-50  # of a float64 screen: a few roundings of the values compared
_GRACE = 1 + Fraction(1, 10**9)  # the guard digits of a replay never decide a claim at exactly half a unit
_CHOICES = 4096  # ways to combine what was known at the same instant
_DUST = 2.0**-40  # of its largest term: what sums in float64 may be off by where they cancel
_SAMPLE = 200  # wrong rows that a cause has to reproduce
_SHOWN = 5


@dataclass(frozen=True)
class Wrong:
    """Claims that no state known at their time gives: their rows, and the first and the costliest of them."""

    rows: tuple[int, ...]
    first: int
    first_should: Fraction
    worst: int
    worst_should: Fraction


def _no_slack(row: int) -> Fraction:
    return Fraction(0)


def agrees(column: Decimals, row: int, candidates: Iterable[Fraction], slack: Fraction = Fraction(0)) -> bool:
    """Say whether a claim is within its tolerance of one of these values."""
    claimed, allowed = column.fraction(row), (column.tolerance(row) + slack) * _GRACE
    return any(abs(claimed - value) <= allowed for value in candidates)


def nearest(column: Decimals, row: int, candidates: Iterable[Fraction]) -> Fraction:
    """Return the value that a claim comes nearest to."""
    claimed = column.fraction(row)
    return min(candidates, key=lambda value: abs(claimed - value))


def judge(
    column: Decimals,
    rows: Rows,
    guess: NDArray[np.float64],
    exact: Candidates,
    slack: Slack = _no_slack,
    magnitude: NDArray[np.float64] | float = 0.0,
) -> Wrong | None:
    """Find the claims that are wrong.

    Parameters
    ----------
    column : Decimals
        The claims.
    rows : ndarray of int64
        Rows to judge; all of them hold a number.
    guess : ndarray of float64
        One right value a row, within 2**-50 of its size and of `magnitude`; NaN sends the row to `exact`.
    exact : callable
        Every value that the claim of a row may have, exact; none where the row cannot be judged.
    slack : callable
        What a row may differ by beyond its own tolerance.
    magnitude : ndarray of float64 or float
        Size of the terms that `guess` is a difference of, as a claim in float64 is too.
    """
    dust = np.broadcast_to(magnitude * _DUST if column.binary else 0.0, rows.shape)
    claimed, allowed = column.floats()[rows], column.tolerances()[rows] + dust
    noise = _EPS * (np.abs(claimed) + np.abs(guess) + magnitude)
    with np.errstate(invalid="ignore"):
        doubtful = ~(np.abs(claimed - guess) + noise < allowed)
    return _judged(column, rows, doubtful, exact, slack, dust)


def judge_near(
    column: Decimals,
    rows: Rows,
    guesses: Sequence[Near],
    exact: Candidates,
    slack: Slack = _no_slack,
    room: NDArray[np.float64] | float = 0.0,
    magnitude: NDArray[np.float64] | float = 0.0,
) -> Wrong | None:
    """Find the claims that are wrong, as `judge` does, where right values are known as integers.

    Parameters
    ----------
    guesses : sequence of Near
        One right value a row each, in units that are finer than the column's half unit; where it is not known, or not
        what the row claims, the row goes to `exact`.
    room : ndarray of float64 or float
        What `slack` is at least.
    """
    dust = np.broadcast_to(magnitude * _DUST if column.binary else 0.0, rows.shape)
    doubtful = np.ones(len(rows), dtype=bool)
    for guess in guesses:
        doubtful &= ~within(column, rows, guess, dust + room)
    return _judged(column, rows, doubtful, exact, slack, dust)


def within(column: Decimals, rows: Rows, near: Near, room: NDArray[np.float64] | float = 0.0) -> Mask:
    """Return which claims are surely within their tolerance, and `room` more, of a value."""
    off = _apart(scaled([column.ints[rows]], Fraction(1, 10**column.scale), near.digits), near.units)
    allowed = (column.tolerances()[rows] + room) * 10.0**near.digits
    return near.known & np.asarray(off + near.error + 1 < allowed * _SURE)


def telling(column: Decimals, rows: Rows, one: Near, other: Near) -> tuple[Mask, Mask]:
    """Return where a claim surely could not tell two values from each other, and where it surely could."""
    off, error = _apart(one.units, other.units), one.error + other.error
    allowed = 2 * column.tolerances()[rows] * 10.0**one.digits
    known = one.known & other.known
    return known & np.asarray(off + error < allowed * _SURE), known & np.asarray(off - error > allowed / _SURE)


def _apart(one: Ints, other: Ints) -> NDArray[np.float64]:
    return np.abs(plus(one, -other)).astype(np.float64)


def column_near(column: Decimals, rows: Rows, digits: int) -> Near:
    """Return what rows of a column hold."""
    return Near(scaled([column.ints[rows]], Fraction(1, 10**column.scale), digits), digits, column.known[rows])


def finer(column: Decimals) -> int:
    """Return the digits of units that are a thousandth of the column's last one."""
    return max(column.scale, column.digits) + 3


def _judged(
    column: Decimals, rows: Rows, doubtful: Mask, exact: Candidates, slack: Slack, dust: NDArray[np.float64]
) -> Wrong | None:
    wrong: list[tuple[int, Fraction, Fraction]] = []
    for row, noisy in zip(rows[doubtful].tolist(), dust[doubtful].tolist(), strict=True):
        values = list(exact(row))
        if not values or agrees(column, row, values):
            continue
        if not agrees(column, row, values, slack(row) + Fraction(noisy)):
            should = nearest(column, row, values)
            wrong.append((row, should, abs(column.fraction(row) - should)))
    if not wrong:
        return None
    worst = max(wrong, key=lambda entry: entry[2])
    return Wrong(tuple(row for row, _, _ in wrong), wrong[0][0], wrong[0][1], worst[0], worst[1])


def cause(column: Decimals, wrong: Wrong, suspects: Suspects, slack: Slack = _no_slack) -> str:
    """Name the first mistake or convention that reproduces every wrong claim to its last digit, '' if none does."""
    rows = [*wrong.rows[:_SAMPLE], wrong.rows[-1]]
    for name, candidates in suspects:
        if all(agrees(column, row, list(candidates(row)), slack(row)) for row in rows):
            return name
    return ""


def places(table: Table, rows: Sequence[int]) -> tuple[str, ...]:
    """Name the first few rows as findings do."""
    return tuple(table.where(row) for row in rows[:_SHOWN])


def money_breach(
    table: Table, column: Decimals, wrong: Wrong, *, key: str, what: str, currency: str, work: Sequence[str], loss: str,
    reason: str, severity: str = "",
) -> Breach:  # fmt: skip
    """Word a wrong money claim: first place, was and should be, the costliest difference."""
    was, should = column.fraction(wrong.first), wrong.first_should
    amount = abs(column.fraction(wrong.worst) - wrong.worst_should)
    lines = [*work, f"{table.where(wrong.first)} claims {decimal_text(was)}: it is off by {decimal_text(was - should)}"]
    if wrong.worst != wrong.first:
        lines.append(
            f"at worst, {table.where(wrong.worst)} claims {decimal_text(column.fraction(wrong.worst))} where "
            f"{decimal_text(wrong.worst_should)} is right: off by {decimal_text(amount)}"
        )
    return Breach(
        key=key,
        where=places(table, wrong.rows),
        count=len(wrong.rows),
        was=f"{what} was {decimal_text(was)} {currency}",
        should=f"{decimal_text(should)} {currency}",
        work=tuple(lines),
        amount=amount,
        currency=currency,
        loss=loss,
        cause=reason,
        severity=severity,
        offs=claimed_off(table, column, wrong.first, wrong.first_should, currency),
    )


@dataclass(frozen=True, eq=False)
class Spans:
    """The fewest and the most reports that the bot may have had at each of some rows, read by the row's number."""

    rows: Rows
    low: Rows
    high: Rows

    def __getitem__(self, row: int) -> tuple[int, int]:
        place = int(np.searchsorted(self.rows, row))
        return int(self.low[place]), int(self.high[place])


@dataclass(frozen=True, eq=False)
class Claims:
    """The pnl rows of one symbol that claim one column, beside the books that they are held to.

    Parameters
    ----------
    session : Session
    table : Table
        The table `pnl`.
    column : Decimals
        What is claimed.
    symbol : str
        A symbol, or ``*`` of a session whose symbols have no rows of their own.
    rows : ndarray of int64
        The rows that claim it.
    books : tuple of Ledger
        The symbol's ledger; every symbol's for ``*``.
    """

    session: Session
    table: Table
    column: Decimals
    symbol: str
    rows: Rows
    books: tuple[Ledger, ...]

    @property
    def book(self) -> Ledger:
        """The ledger of the symbol."""
        return self.books[0]

    @cached_property
    def at(self) -> Times:
        """When each claim was made, ns."""
        return np.asarray(self.table.whole("ts_local").values[self.rows])

    @cached_property
    def spans(self) -> tuple[Spans, ...]:
        """Per book, the fewest and the most reports that the bot may have had at each row."""
        return tuple(Spans(self.rows, *book.line.span(self.at)) for book in self.books)

    @cached_property
    def latest(self) -> Rows:
        """How many reports of the (first) book were known at each claim, at most."""
        return self.book.line.span(self.at)[1]

    def time(self, row: int) -> int:
        """Time of a row, ns."""
        return int(self.table.whole("ts_local").values[row])

    def currency(self, row: int) -> str:
        """Currency that a row's money is in: its own, else the session's, else the settlement currency."""
        return self.table.words("currency").text(row) or self.session.currency or self.book.instrument.settle

    @cached_property
    def currencies(self) -> tuple[list[str], Rows]:
        """The currencies that the rows are in, and which of them each is in."""
        words = self.table.words("currency")
        _, first, place = np.unique(words.codes[self.rows], return_index=True, return_inverse=True)
        return [self.currency(int(self.rows[each])) for each in first], place

    @cached_property
    def native(self) -> bool:
        """Whether all rows are of one symbol and in its settlement currency."""
        return len(self.books) == 1 and set(self.currencies[0]) == {self.book.instrument.settle}

    @property
    def at_fill(self) -> bool:
        """Whether each part is converted when it is booked, as the stated convention of a ``*`` row may be."""
        return self.symbol == "*" and self.session.convention("conversion") == "fill"

    def candidates(self, money: Money, mistake: Mistake = RIGHT, *, of_lots: bool = True) -> Candidates:
        """Return what `money` of the books may amount to at a row, in the row's currency.

        What is made of lots is not known before the ledger's first state with a known entry.
        """
        books = self.books if mistake == RIGHT else self.mistaken(mistake).books
        rates = Rates.of(self.session)

        @cache
        def booked(book: Ledger, currency: str) -> list[list[Fraction]]:
            sums = [next(iter(money(book, n))) for n in range(len(book.position))]
            steps = [after - before for before, after in pairwise(sums)]
            return rates.booked(steps, book.instrument.settle, currency, book.line.times.tolist())

        def amounts(book: Ledger, n: int, row: int) -> list[Fraction]:
            if of_lots and n < book.opened:
                return []
            if self.at_fill:
                return booked(book, self.currency(row))[n]
            choices = rates.choices(book.instrument.settle, self.currency(row), self.time(row))
            return [value * rate for value in money(book, n) for rate in choices]

        def of_row(row: int) -> list[Fraction]:
            sums: list[Fraction] = []
            counts = product(*(range(span[row][1], span[row][0] - 1, -1) for span in self.spans))
            for states in islice(counts, _CHOICES):
                parts = [amounts(book, n, row) for book, n in zip(books, states, strict=True)]
                sums += [sum(choice, Fraction(0)) for choice in islice(product(*parts), _CHOICES)]
            return sums

        return of_row

    def rates(self, asset: str) -> Ratio:
        """Return a rate that may convert an asset at each row."""
        size = len(self.rows)
        out: list[Ints] = [np.ones(size, dtype=np.int64), np.ones(size, dtype=np.int64), np.ones(size, dtype=bool)]
        names, place = self.currencies
        for code, currency in enumerate(names):
            own = np.flatnonzero(place == code)
            if currency != asset:
                for n, part in enumerate(Rates.of(self.session).ratios(asset, currency, self.at[own])[0]):
                    out[n] = out[n].astype(np.result_type(out[n], part))
                    out[n][own] = part
        return Ratio(*out)

    def near(self, terms: Terms, *, of_lots: bool = True, newest: bool = True) -> Near:
        """Return what `terms` of the books come to at each row by what was known last, or first, in its currency."""
        digits = finer(self.column)
        total = Near(np.zeros(len(self.rows), dtype=np.int64), digits, np.full(len(self.rows), not self.at_fill), 0)
        for book, span in zip(self.books, self.spans, strict=True):
            count = span.high if newest else span.low
            top, bottom, rated = self.rates(book.instrument.settle)
            known = rated & (count >= book.opened) if of_lots else rated
            for column, unit in terms(book):
                units = scaled([column.ints[count], top], unit * column.factor, digits, over=bottom)
                total = total.plus(Near(units, digits, known))
        return total

    def mistaken(self, mistake: Mistake) -> Claims:
        """Return the same claims beside books that a mistake was made in."""
        books = tuple(ledger(self.session, book.instrument.symbol, mistake) for book in self.books)
        return replace(self, books=books)

    def judged(self, values: Candidates, *, of_lots: bool = True) -> Mask:
        """Return which claims have anything to be held to: `values` of the books that `candidates` made."""
        if self.at_fill:
            return np.array([bool(list(values(row))) for row in self.rows.tolist()])
        known = np.ones(len(self.rows), dtype=bool)
        for book, span in zip(self.books, self.spans, strict=True):
            known &= self.rates(book.instrument.settle).known
            if of_lots:
                known &= span.high >= book.opened
        return known

    def confirmed(self) -> Mask:
        """Return which claims lie within what the venue confirms, so that no fill can be missing."""
        return np.asarray(np.logical_and.reduce([self.at <= book.trusted_until for book in self.books]))

    def closings(self) -> Rows:
        """Return how many reports up to each claim realized anything."""
        return np.asarray(np.sum([book.closings[book.line.span(self.at)[1]] for book in self.books], axis=0))


def pnl_table(session: Session) -> Table:
    """Read the claims of P&L."""
    table = session.table("pnl", "ts_local", "symbol", "currency", "price", *MONEY)
    need_instruments(session, "pnl", table.words("symbol"))
    return table


def claims_of(session: Session, name: str) -> Iterator[Claims]:
    """Yield the claims of one pnl column symbol by symbol; of ``*`` only where no symbol has rows of its own."""
    table = pnl_table(session)
    symbols, column = table.words("symbol"), table.decimals(name)
    own = [symbol for symbol in symbols.names if symbol != "*"]
    for symbol in own or symbols.names:
        rows = np.flatnonzero(symbols.is_(symbol) & column.known)
        traded = [symbol] if symbol != "*" else list(dict.fromkeys(fills_table(session).words("symbol").names))
        if rows.size and traded:
            yield Claims(session, table, column, symbol, rows, tuple(ledger(session, each) for each in traded))
