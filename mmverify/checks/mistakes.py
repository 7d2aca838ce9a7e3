"""What would explain a wrong claim of P&L: the other conventions and the known mistakes, each recomputed.

A diagnosis is a name and the values that it would give; the one that reproduces every wrong claim is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.books import FEE_UNIT, RIGHT, Ledger, Mistake, payments
from mmverify.checks.claims import Candidates, Claims, Money, Spans, Suspects, finer
from mmverify.checks.exact import Column, Near, scaled
from mmverify.checks.known import Rates
from mmverify.checks.prices import Seen, seen
from mmverify.numeric import Ints, Mask
from mmverify.session.load import Session

Priced = Mapping[int, list[Fraction]]
FeeStep = Callable[[int, int, str], int]

_BOOKING = {
    "the order's price was used in place of the fill's": Mistake(order_price=True),
    "the entry of an inverse contract was averaged arithmetically, where it is harmonic": Mistake(
        arithmetic_entry=True
    ),
    "the linear formula was used on an inverse contract": Mistake(linear_formula=True),
    "average cost was used": Mistake(cost_basis="average"),
    "FIFO was used": Mistake(cost_basis="fifo"),
    "LIFO was used": Mistake(cost_basis="lifo"),
    "the contract multiplier was left out": Mistake(no_multiplier=True),
    "repeated execution reports were counted again": Mistake(count_repeats=True),
    "corrections and busts were ignored": Mistake(ignore_corrections=True),
    "the fee in the base asset was not taken off the position": Mistake(ignore_base_fee=True),
    "fills were matched in the venue's order of time": Mistake(venue_order=True),
}
#: Ways in which realized P&L comes to depend on how fills are grouped (1.3.4).
GROUPING = {
    "the fills of an order were averaged without their quantities": Mistake(order_average="bare"),
    "the fills of an order were merged into one at their average price": Mistake(order_average="weighted"),
}


def booking(session: Session) -> Iterator[tuple[str, Mistake]]:
    """Yield the ways to book fills wrongly that this session's conventions and tables leave open."""
    for words, mistake in (_BOOKING | GROUPING).items():
        stated = mistake.cost_basis == session.convention("cost_basis")
        if session.has("fills") and not stated and (session.has("order_events") or not mistake.order_price):
            yield words, mistake


def gross(book: Ledger, n: int) -> list[Fraction]:
    """Realized P&L after `n` reports, fees left out."""
    return [book.realized_at(n)]


def net(book: Ledger, n: int) -> list[Fraction]:
    """Realized P&L after `n` reports less fees, once a reading of the rate at the fill."""
    return [book.realized_at(n) - book.fees_at(n, reading) for reading in range(len(book.fees))]


def gross_terms(book: Ledger) -> list[tuple[Column, Fraction]]:
    """`gross` of every state, as columns and their units."""
    return [(book.realized, book.money_unit)]


def net_terms(book: Ledger) -> list[tuple[Column, Fraction]]:
    """`net` of every state by the first reading of the rate, as columns and their units."""
    return [*gross_terms(book), (book.fees[0], Fraction(-1, FEE_UNIT))]


def fee_terms(book: Ledger) -> list[tuple[Column, Fraction]]:
    """Fees of every state by the first reading of the rate, as a column and its unit."""
    return [(book.fees[0], Fraction(1, FEE_UNIT))]


def of_realized(claims: Claims, money: Money) -> Suspects:
    """Yield what may have made claims of realized P&L wrong; `money` is the right one, `gross` or `net`."""

    def with_funding(book: Ledger, n: int) -> list[Fraction]:
        flow = payments(claims.session, book.instrument.symbol)
        count = int(np.searchsorted(flow.line.times, book.line.times[n - 1], side="right")) if n else 0
        sums, unit = flow.sums
        return [value + sums[count] * unit for value in money(book, n)]

    @cache
    def costs(book: Ledger) -> list[int]:
        return [*accumulate(map(abs, book.fee_steps.readings[0]), initial=0)]

    def rebates_paid(book: Ledger, n: int) -> list[Fraction]:
        return [book.realized_at(n) - Fraction(costs(book)[n], FEE_UNIT)]

    other, words_of_other = (gross, "fees were not taken off") if money is net else (net, "fees were taken off")
    for words, mistake in booking(claims.session):
        yield words, claims.candidates(money, mistake)
    yield words_of_other, claims.candidates(other)
    yield "funding was counted in", claims.candidates(with_funding)
    if money is net:
        yield "rebates were taken as costs", claims.candidates(rebates_paid)
    yield "the sign was turned", claims.candidates(lambda book, n: [-value for value in money(book, n)])
    yield "the last fill was left out", claims.candidates(lambda book, n: money(book, max(n - 1, 0)))
    for words, mistake in booking(claims.session):
        yield f"{words}, and {words_of_other}", claims.candidates(other, mistake)


@dataclass(frozen=True, eq=False)
class Prices(Mapping[int, list[Fraction]]):
    """The prices that a position may have been valued at, by the number of the row that claims its value.

    Parameters
    ----------
    seen : Seen
        The prices, a claim for each of the rows.
    span : Spans
        The states of the books that each row may be of.
    signs : ndarray of int64
        The side of the position in each state.
    """

    seen: Seen
    span: Spans
    signs: NDArray[np.int64]

    def __getitem__(self, row: int) -> list[Fraction]:
        low, high = self.span[row]
        sides = tuple(dict.fromkeys(self.signs[low : high + 1].tolist())) if self.seen.by_side else (1,)
        return self.seen.candidates(int(np.searchsorted(self.span.rows, row)), sides)

    def __iter__(self) -> Iterator[int]:
        return iter(self.span.rows.tolist())

    def __len__(self) -> int:
        return len(self.span.rows)

    @property
    def newest(self) -> tuple[Ints, Mask]:
        """The newest price of each row, in the units of `seen`, and where there is one."""
        return self.seen.newest(self.signs[self.span.high] if self.seen.by_side else np.ones(len(self), dtype=np.int64))


def prices_of(claims: Claims, kind: str) -> Prices:
    """Return, per row, the prices of a type that the position may have been valued at."""
    signs = np.sign(claims.book.qty_floats).astype(np.int64)
    return Prices(seen(claims.session, claims.symbol, kind, claims.at), claims.spans[0], signs)


def unrealized_values(claims: Claims, prices: Priced, mistake: Mistake = RIGHT) -> Candidates:
    """Return what unrealized P&L may be at a row when the position is valued at that row's `prices`, if it has any."""

    def of_row(row: int) -> list[Fraction]:
        low, high = claims.spans[0][row]
        if any(claims.book.position[low : high + 1]) and not any(prices[row]):
            return []

        def money(book: Ledger, n: int) -> list[Fraction]:
            if not book.position[n]:
                return [Fraction(0)]
            return [book.unrealized_at(n, price) for price in prices[row] if price]

        return list(claims.candidates(money, mistake)(row))

    return of_row


def of_unrealized(claims: Claims, known: Priced, kind: str) -> Suspects:
    """Yield what may have made claims of unrealized P&L wrong; `known` are the right prices, of type `kind`."""
    right, rows = unrealized_values(claims, known), claims.rows.tolist()
    for other in ("mark", "index", "last", "mid", "exit"):
        if other != kind:
            yield f"the {other} price was used", unrealized_values(claims, prices_of(claims, other))
    if kind in ("mark", "index", "last"):
        right_kind = prices_of(claims, kind)
        around = (("of after the claim", right_kind.seen.later), ("before the last known", right_kind.seen.earlier))
        for words, found in around:
            yield f"the {kind} {words} was used", unrealized_values(claims, replace(right_kind, seen=found))
    yield "the sign was turned", lambda row: [-value for value in right(row)]
    for words, mistake in booking(claims.session):
        yield words, unrealized_values(claims, known, mistake)
    own = claims.table.decimals("price")
    beside = {row: [own.fraction(row)] if own.known[row] else [] for row in rows}
    yield "the price beside it was used, which is not of the stated type", unrealized_values(claims, beside)
    yield (
        "fees were taken off it",
        lambda row: [
            value - fee for value in right(row) for fee in claims.candidates(lambda book, n: [book.fees_at(n)])(row)
        ],
    )


def of_fees(claims: Claims) -> Suspects:
    """Yield what may have made claims of fees wrong."""

    def summed(step: FeeStep) -> Candidates:
        @cache
        def sums(book: Ledger) -> list[int]:
            fees = book.fee_steps
            return [*accumulate(map(step, fees.readings[0], fees.paid, fees.kinds), initial=0)]

        def money(book: Ledger, n: int) -> list[Fraction]:
            return [Fraction(sums(book)[n], FEE_UNIT)]

        return claims.candidates(money, of_lots=False)

    def total(book: Ledger, n: int) -> list[Fraction]:
        return [book.fees_at(n)]

    yield "rebates were left out", summed(lambda due, paid, kind: max(due, 0))
    yield "rebates were taken as costs", summed(lambda due, paid, kind: abs(due))
    yield "the sign was turned", summed(lambda due, paid, kind: -due)
    for asset, words in (("third", "a third asset"), ("base", "the base asset")):
        yield f"fees in {words} were left out", summed(_replaced(asset, unconverted=False))
        yield f"fees in {words} were added unconverted", summed(_replaced(asset, unconverted=True))
    yield "fees were left out altogether", summed(lambda due, paid, kind: 0)
    yield "the last fee was left out", claims.candidates(lambda book, n: total(book, max(n - 1, 0)), of_lots=False)
    yield (
        "repeated execution reports were charged again",
        claims.candidates(total, Mistake(count_repeats=True), of_lots=False),
    )
    yield (
        "the fee changes of corrections were ignored",
        claims.candidates(total, Mistake(ignore_corrections=True), of_lots=False),
    )


def _replaced(asset: str, *, unconverted: bool) -> FeeStep:
    """Return the step that takes fees of one kind of asset as printed, or not at all."""

    def step(due: int, paid: int, kind: str) -> int:
        if kind != asset:
            return due
        return paid if unconverted else 0

    return step


def funding_values(claims: Claims, step: Callable[[Fraction], Fraction]) -> Candidates:
    """Return what the funding payments known at a row sum to, each changed by `step`."""
    flows = [payments(claims.session, book.instrument.symbol) for book in claims.books]
    steps = [[step(amount) for amount in flow.amounts] for flow in flows]
    sums = [[Fraction(0), *accumulate(each)] for each in steps]
    rates = Rates.of(claims.session)

    @cache
    def booked(place: int, currency: str) -> list[list[Fraction]]:
        return rates.booked(steps[place], flows[place].asset, currency, flows[place].line.times.tolist())

    def of_row(row: int) -> list[Fraction]:
        totals = [Fraction(0)]
        for place, flow in enumerate(flows):
            low, high = (int(n[0]) for n in flow.line.span(np.array([claims.time(row)])))
            if claims.at_fill:
                parts = [part for each in booked(place, claims.currency(row))[low : high + 1] for part in each]
            else:
                choices = rates.choices(flow.asset, claims.currency(row), claims.time(row))
                parts = [part * rate for part in sums[place][low : high + 1] for rate in choices]
            totals = [total + part for total in totals for part in dict.fromkeys(parts)]
        return totals

    return of_row


def funding_near(claims: Claims, *, newest: bool = True) -> Near:
    """Return what the funding payments known last, or first, at each row sum to."""
    digits = finer(claims.column)
    total = Near(np.zeros(len(claims.rows), dtype=np.int64), digits, np.full(len(claims.rows), not claims.at_fill), 0)
    for book in claims.books:
        flow = payments(claims.session, book.instrument.symbol)
        sums, unit = flow.sums
        top, bottom, rated = claims.rates(flow.asset)
        units = scaled([sums.ints[flow.line.span(claims.at)[newest]], top], unit, digits, over=bottom)
        total = total.plus(Near(units, digits, rated))
    return total


def funding_rated(claims: Claims) -> Mask:
    """Return which rows have a rate for every payment."""
    if claims.at_fill:
        values = funding_values(claims, lambda amount: amount)
        return np.array([bool(values(row)) for row in claims.rows.tolist()])
    flows = [payments(claims.session, book.instrument.symbol) for book in claims.books]
    return np.asarray(np.logical_and.reduce([claims.rates(flow.asset).known for flow in flows]))


def of_funding(claims: Claims) -> Suspects:
    """Yield what may have made claims of funding wrong."""
    yield "the sign was turned", funding_values(claims, lambda amount: -amount)
    yield "funding was left out", funding_values(claims, lambda amount: 0 * amount)
    yield "funding received was left out", funding_values(claims, lambda amount: min(amount, Fraction(0)))
    yield "funding paid was left out", funding_values(claims, lambda amount: max(amount, Fraction(0)))
    yield "funding paid was taken as received", funding_values(claims, abs)


#: How often the parts of a total were counted in place of once: by the words of a diagnosis.
TOTALS = {
    "funding was left out": {"funding": 0},
    "funding was counted with its sign turned": {"funding": -1},
    "fees were left out": {"fees": 0},
    "fees were counted with their sign turned": {"fees": 1},
    "fees were counted twice": {"fees": -2},
    "fees were taken off realized P&L that is net of them": {"fees": -1},
    "funding was counted twice": {"funding": 2},
    "unrealized P&L was left out": {"unrealized": 0},
    "realized P&L was left out": {"realized": 0},
    "fees and funding were left out": {"fees": 0, "funding": 0},
}
