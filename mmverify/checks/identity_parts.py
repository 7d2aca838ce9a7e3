"""What the records make of a claimed amount of money: gains, fees, funding, conversion and transfers up to a moment.

The account is what all is worth: the venue's first balances, moved by transfers and spot fills, at their rates, and
what the derivatives have gained at the mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, islice, pairwise, product
from math import prod

import numpy as np

from mmverify.checks.books import FEE_UNIT, Ledger, fills_table, instruments, ledger, payments
from mmverify.checks.identity_view import Held, Parts, Seen, View, view
from mmverify.checks.known import Rates, Rows, Times, timeline
from mmverify.checks.prices import candidates as price_candidates
from mmverify.checks.s1_4_equity import moves
from mmverify.session.load import Session

_ZERO = Fraction(0)
_CHOICES = 256  # ways to combine what was known of one symbol at the same instant
_COMBINED = 4096  # and of all symbols and assets together; of more, the claim may lie anywhere among them
_DUST = Fraction(1, 2**40)  # of the open worth: what a total kept in float64 may be off by where it cancels


# --- one record -------------------------------------------------------------------------------------------------------

Choice = tuple[Parts, Seen | None]
Amounts = tuple[Fraction, Fraction, Fraction]  # realized, fees, funding


def hold(taken: View, rows: Rows, origin: Held | None) -> list[Held]:
    """Recompute what some records claim; those that lack a price or a rate are left out."""
    at = taken.times(rows)
    gains = [_gains(taken, symbol, rows, at) for symbol in taken.symbols]
    found = []
    for place, (row, moment) in enumerate(zip(rows.tolist(), at.tolist(), strict=True)):
        choices = [each[place] for each in gains]
        if taken.of_account:
            choices += _holdings(taken.session, taken.currency(row), moment)
        if choices and all(choices):
            found.append(_nearest(taken, row, moment, choices, origin))
    return found


def _nearest(taken: View, row: int, at: int, choices: Sequence[Sequence[Choice]], origin: Held | None) -> Held:
    """Sum what the newest records give; where those of one instant leave a choice, such a sum as the claim fits."""
    claimed = taken.column.fraction(row)

    def held(chosen: Iterable[Choice]) -> Held:
        parts, found = zip(*chosen, strict=True)
        seen = {each.book.instrument.symbol: each for each in found if each}
        printed, allowed = _rounding(taken, row, tuple(seen.values()))
        return Held(row, at, claimed, sum(parts, Parts()), printed, allowed, seen)

    newest = held(options[0] for options in choices)
    if all(len(options) == 1 for options in choices) or (taken.of_account and not origin):
        return newest
    due = claimed - (origin.claimed - origin.parts.total if origin else _ZERO)
    if abs(due - newest.parts.total) <= newest.printed:
        return newest
    unlike = [{parts.total: (parts, seen) for parts, seen in options} for options in choices]
    if prod(map(len, unlike)) > _COMBINED:
        return replace(newest, allowed=newest.allowed + sum((max(each) - min(each) for each in unlike), _ZERO))
    totals = min(product(*unlike), key=lambda each: abs(due - sum(each)))
    nearest = held(options[total] for options, total in zip(unlike, totals, strict=True))
    fits = abs(due - nearest.parts.total) <= nearest.allowed + (origin.allowed if origin else _ZERO)
    return nearest if fits else newest


def _rounding(taken: View, row: int, seen: Sequence[Seen]) -> tuple[Fraction, Fraction]:
    """Return half a unit of the claim and of what it sums, times their rates; and with that of each fee on top."""
    half = taken.column.tolerance(row)
    printed, more = half, _ZERO
    for each in seen:
        slack = Fraction(each.book.fee_slack[each.count], FEE_UNIT)
        if taken.summed:
            printed += half * each.rate
            slack = abs(each.off) if abs(each.off) <= slack + 5 * half else _ZERO  # its own row is wrong by more
        more += slack * each.rate
        if taken.column.binary and each.price:
            more += abs(each.book.qty_at(each.count)) * _unit(each.book, each.price) * each.rate * _DUST
    if not taken.of_account and not taken.summed:
        columns = [taken.table.decimals(name) for name in ("realized", "unrealized", "fees", "funding")]
        printed += sum((column.tolerance(row) for column in columns if column.known[row]), _ZERO)
    return printed, printed + more


def _unit(book: Ledger, price: Fraction) -> Fraction:
    """Return what a unit of the position is worth in the settlement currency."""
    market = book.instrument
    return market.multiplier / price if market.kind == "inverse" else price * market.multiplier


# --- what was earned --------------------------------------------------------------------------------------------------


def _gains(taken: View, symbol: str, rows: Rows, at: Times) -> list[list[Choice]]:
    """Return, per record, what a symbol may have earned by then, the newest first; nothing where that is not known."""
    book, flow = ledger(taken.session, symbol), payments(taken.session, symbol)
    sources = _sources(taken, symbol, rows)
    times = taken.table.whole("ts_local").values
    flat = times[np.array([source for each in sources for source in each], dtype=np.int64)]
    counts, paid = ([range(int(b), int(a) - 1, -1) for a, b in zip(*line.span(flat), strict=True)]
                    for line in (book.line, flow.line))  # fmt: skip
    known = zip(counts, paid, _prices(taken, book, flat, counts), strict=True)
    found: list[list[Choice]] = []
    for row, moment, each in zip(rows.tolist(), at.tolist(), sources, strict=True):
        options: list[Choice] = []
        for source, states in zip(each, islice(known, len(each)), strict=True):
            for parts, seen in islice(_earned(taken, book, row, moment, *states), _CHOICES):
                off = taken.column.fraction(source) - seen.earned if taken.summed else _ZERO
                options.append((parts, replace(seen, off=off)))
        untraded = not each and book.line.span(np.array([moment]))[1][0] == 0
        found.append([(Parts(), None)] if untraded else options)
    return found


def _sources(taken: View, symbol: str, rows: Rows) -> list[list[int]]:
    """Return the rows that a symbol's profit in each record is of: itself; of a sum, the symbol's own last ones."""
    if symbol not in taken.summed:
        return [[row] for row in rows.tolist()]
    own = view(taken.session, symbol)
    line = timeline(taken.session, own.table, own.table.words("symbol").is_(symbol) & own.column.known)
    spans = zip(*line.span(taken.times(rows)), strict=True)
    return [line.rows[max(int(low) - 1, 0) : int(high)][::-1].tolist() for low, high in spans]


def _prices(taken: View, book: Ledger, at: Times, counts: Sequence[range]) -> list[list[Fraction]]:
    """Return the prices that a position may be valued at, newest first: the stated type, for the account the mark."""
    signs = np.sign(book.qty_floats).astype(int)
    directions = [tuple(dict.fromkeys(signs[each.stop + 1 : each.start + 1].tolist())) for each in counts]
    kinds = {taken.session.convention("unrealized_price"): None}
    kinds = {"mark": None} | kinds if taken.of_account else kinds
    found = [price_candidates(taken.session, book.instrument.symbol, kind, at, directions) for kind in kinds]
    return [next((each[::-1] for each in of_kinds if each), []) for of_kinds in zip(*found, strict=True)]


def _earned(
    taken: View, book: Ledger, row: int, at: int, counts: range, paid: range, prices: list[Fraction]
) -> Iterator[tuple[Parts, Seen]]:
    """Yield what a symbol may have earned, in the currency of a record: at its rates, or at those of the bookings."""
    session, market, currency = taken.session, book.instrument, taken.currency(row)
    rates, flow, sums = Rates.of(session), payments(session, market.symbol), _received(session, market.symbol)
    spot = taken.of_account and market.kind == "spot"
    in_base = rates.choices(market.base, currency, at)[::-1] if spot else []
    third = _third_fees(session, market.symbol) if spot else {}
    booked = _by_fill(session, market.symbol, currency) if taken.by_fill else ()
    for rate, of_flow, count, received, reading in product(
        rates.choices(market.settle, currency, at)[::-1], rates.choices(flow.asset, currency, at)[::-1],
        counts, paid, range(len(book.fees)),
    ):  # fmt: skip
        now = (book.realized_at(count) * rate, book.fees_at(count, reading) * rate, sums[received] * of_flow)
        then = [now] if not booked else list(zip(booked[0][count], booked[1][count], booked[2][received], strict=True))
        revalued = _ZERO
        for asset, fees in third.items():
            worth = next(iter(rates.choices(asset, currency, at)[::-1]), rate)
            revalued += fees.settled[reading][count] * rate - fees.paid[count] * worth
        valued: list[Fraction | None] = [each / rate for each in in_base] or [*prices]
        if book.position[count] == 0:
            valued = valued[:1] or [None]
        for price, amounts in product(valued, then):
            gain = book.unrealized_at(count, price) * rate if price else _ZERO
            since = revalued + _net(now) - _net(amounts) if taken.of_account else _ZERO
            parts = Parts(amounts[0], gain, amounts[1], amounts[2], since)
            yield parts, Seen(book, count, price, rate, sums[received])


def _net(amounts: Amounts) -> Fraction:
    realized, fees, received = amounts
    return realized - fees + received


@lru_cache(maxsize=64)
def _received(session: Session, symbol: str) -> list[Fraction]:
    """Return the sums of the first funding payments, one more than there are."""
    return [*accumulate(payments(session, symbol).amounts, initial=_ZERO)]


@lru_cache(maxsize=64)
def _by_fill(session: Session, symbol: str, currency: str) -> tuple[list[list[Fraction]], ...]:
    """Return realized, fees and funding after each count, every step at the rate known when it was booked."""
    book, flow, rates = ledger(session, symbol), payments(session, symbol), Rates.of(session)
    counts, settle, times = range(len(book.position)), book.instrument.settle, book.line.times.tolist()
    sums = ([book.realized_at(n) for n in counts], [book.fees_at(n) for n in counts])
    steps = [[after - before for before, after in pairwise(each)] for each in sums]
    return (
        *(rates.booked(each, settle, currency, times) for each in steps),
        rates.booked(flow.amounts, flow.asset, currency, flow.line.times.tolist()),
    )


@dataclass(frozen=True)
class _ThirdFees:
    """Spot fees in one asset that is neither base nor quote, after each count of reports: converted, and as paid."""

    settled: list[list[Fraction]]
    paid: list[Fraction]


@lru_cache(maxsize=64)
def _third_fees(session: Session, symbol: str) -> dict[str, _ThirdFees]:
    book = ledger(session, symbol)
    steps, named = book.fee_steps, fills_table(session).words("fee_asset")
    of = [
        named.text(row) if kind == "third" else ""
        for row, kind in zip(book.line.rows.tolist(), steps.kinds, strict=True)
    ]

    def summed(asset: str, units: Sequence[int]) -> list[Fraction]:
        taken = (each if own == asset else 0 for each, own in zip(units, of, strict=True))
        return [Fraction(total, FEE_UNIT) for total in accumulate(taken, initial=0)]

    return {
        asset: _ThirdFees([summed(asset, each) for each in steps.readings], summed(asset, steps.paid))
        for asset in dict.fromkeys(of)
        if asset
    }


# --- what was held ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _opening(session: Session) -> dict[str, Fraction]:
    """Return what the venue says was held of each asset before the first fill, less what the ledgers open with."""
    table, fills = session.table("balances"), timeline(session, fills_table(session))
    total, assets = table.decimals("total"), table.words("asset")
    of_venue = table.words("source").is_("exchange") & total.known
    held: dict[str, Fraction] = {}
    for asset in assets.names:
        line = timeline(session, table, of_venue & assets.is_(asset))
        if len(line) and (not len(fills) or line.times[0] <= fills.times[0]):
            held[asset] = total.fraction(int(line.rows[0]))
    for symbol, market in instruments(session).items():
        if market.kind == "spot" and market.base in held:
            held[market.base] -= ledger(session, symbol).qty_at(0)
    return {asset: qty for asset, qty in held.items() if qty}


@lru_cache(maxsize=8)
def _moved(session: Session) -> dict[str, list[Fraction]]:
    """Return the sums of the first transfers of each asset, one more than there are of all."""
    table, line = session.table("transfers"), moves(session).line
    amount, assets = table.decimals("amount"), table.words("asset")
    rows = line.rows.tolist()
    return {
        asset: [
            *accumulate((amount.fraction(row) if assets.text(row) == asset else _ZERO for row in rows), initial=_ZERO)
        ]
        for asset in assets.names
    }


def _holdings(session: Session, currency: str, at: int) -> list[list[Choice]]:
    """Return what may be in the account beside gains, asset by asset, and the transfers; the newest first."""
    moved, into, opening = moves(session), _moved(session), _opening(session)
    low, high = (int(n[0]) for n in moved.line.span(np.array([at])))
    counts = range(high, low - 1, -1)
    out: list[list[Choice]] = [[
        (Parts(transfers=at_time, conversion=into[currency][n] - at_time if currency in into else -at_time), None)
        for n in counts for at_time in dict.fromkeys((moved.high[n], moved.low[n]))
    ]]  # fmt: skip
    rates = Rates.of(session)
    for asset in dict.fromkeys([*opening, *into]):
        if asset == currency or not _rated(session, asset, currency):
            continue
        held = [opening.get(asset, _ZERO) + (into[asset][n] if asset in into else _ZERO) for n in counts]
        now = rates.choices(asset, currency, at)[::-1]
        out.append([(Parts(conversion=qty * rate), None) for qty, rate in product(dict.fromkeys(held), now)])
    return out


@lru_cache(maxsize=64)
def _rated(session: Session, asset: str, currency: str) -> bool:
    """Say whether the session ever converts an asset."""
    return bool(Rates.of(session).choices(asset, currency, 2**62))
