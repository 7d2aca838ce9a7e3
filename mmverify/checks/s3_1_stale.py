"""Quotes and orders on an old book: its newest update came more than `book_stale_ms` before (3.1.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import Instrument, instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows, Times
from mmverify.checks.moments import deadline
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.s3_1_feed import Feed, feeds
from mmverify.checks.s3_1_sides import quoting
from mmverify.numeric import Decimals, Mask, decimal_text
from mmverify.replay.depth import NONE
from mmverify.session.load import Session, Table

_MS = 10**6
_SHOWN = 2
_PRICED = 200  # stale rows that the loss is worked out for
_UNSET = "book_stale_ms is not stated: how old a book may be is not judged"

Sides = Sequence[tuple[Decimals, Decimals, int]]


def stale_books(session: Session) -> Looked:
    """No price is quoted, and no order sent, on a book whose newest update is older than `book_stale_ms`.

    Orders that do not quote are left out in state halted.
    """
    limit = deadline(session, "book_stale_ms")
    if limit is None:
        return Looked(0, (), (_UNSET,))
    looked = []
    for symbol, feed in feeds(session).items():
        if session.has("quotes"):
            looked.append(_quotes(session, symbol, feed, limit))
        if session.has("order_events"):
            looked.append(_orders(session, symbol, feed, limit))
    return gather(looked)


def _quotes(session: Session, symbol: str, feed: Feed, limit: int) -> Looked:
    names = ("ts_local", "symbol", "bid", "ask", "bid_qty", "ask_qty", "book_seq", "state")
    table = session.table("quotes", *names)
    seq, number = table.whole("book_seq"), table.decimals
    sides: Sides = [(number("bid"), number("bid_qty"), 1), (number("ask"), number("ask_qty"), -1)]
    rows = np.flatnonzero(quoting(table) & table.words("symbol").is_(symbol))
    at = table.whole("ts_local").values[rows]
    newest = _newest(feed, at, seq.values[rows], ~seq.missing[rows])
    return _judged(session, feed, table, rows, at, newest, limit, lambda row: sides)


def _orders(session: Session, symbol: str, feed: Feed, limit: int) -> Looked:
    replayed = flow(session)
    table = replayed.table
    rows = np.flatnonzero(orders_sent(replayed) & table.words("symbol").is_(symbol))
    quotes = table.words("intent").is_("quote_bid", "quote_ask")[rows]
    rows = rows[quotes | ~_halted(session, symbol, replayed.ts[rows])]
    at, unnamed = replayed.ts[rows], np.zeros(len(rows), dtype=bool)

    def sides(row: int) -> Sides:
        direction = int(replayed.direction[replayed.lives.life[row]])
        return [(table.decimals("price"), table.decimals("qty"), direction)]

    return _judged(session, feed, table, rows, at, _newest(feed, at, at, unnamed), limit, sides)


def orders_sent(replayed: Flow) -> Mask:
    """Return the submits, and the replace requests to no smaller quantity."""
    qty = replayed.table.decimals("qty")
    before = replayed.lives.before(replayed.qty_at, -1) if len(replayed) else replayed.qty_at
    smaller = (before >= 0) & np.asarray(qty.ints < qty.ints[np.maximum(before, 0)], dtype=bool)
    sent = replayed.is_("submit") | (replayed.is_("replace_request") & ~smaller)
    return np.asarray(sent & qty.known)


def _halted(session: Session, symbol: str, at: Times) -> Mask:
    """Say whether the newest decision of a symbol was to halt, at each of these times."""
    if not session.has("quotes"):
        return np.zeros(len(at), dtype=bool)
    table = session.table("quotes", "ts_local", "symbol", "state")
    rows = np.flatnonzero(table.words("symbol").is_(symbol))
    rows = rows[np.argsort(table.whole("ts_local").values[rows], kind="stable")]
    count = np.searchsorted(table.whole("ts_local").values[rows], at, side="right")
    halted = np.append(False, table.words("state").is_("halted")[rows])
    return np.asarray(halted[count])


def _newest(feed: Feed, at: Times, seq: Rows, named: Mask) -> Rows:
    """Return the newest update of each book, a message: of the one at the seq that is named, else of the last known.

    -1 where no book was there.
    """
    low, high = feed.span(at)
    states, told = feed.states, feed.told
    if not len(states):
        return np.full(len(at), -1, dtype=np.int64)
    out = np.where(high > low, told.heard[states[np.maximum(high - 1, 0)]], -1)
    ask = np.flatnonzero(named & (high > low))
    whole = states[told.intact[states] & told.numbered[states]]
    if not (whole.size and ask.size):
        return out
    numbers, order = told.seq[whole], np.arange(len(whole))
    if (numbers[1:] < numbers[:-1]).any():
        order = np.argsort(numbers, kind="stable")  # of one number in order of arrival
        numbers = numbers[order]
    come = np.searchsorted(feed.times[told.heard[whole]], at[ask], side="right")  # so many states were heard of
    last = np.searchsorted(numbers, seq[ask], side="right")
    left = np.arange(len(ask))
    while left.size:
        last[left] -= 1
        left = left[(last[left] >= 0) & (numbers[np.maximum(last[left], 0)] == seq[ask[left]])]
        heard = order[last[left]] < come[left]
        out[ask[left[heard]]] = told.heard[whole[order[last[left[heard]]]]]
        left = left[~heard]
    return out


def _judged(
    session: Session, feed: Feed, table: Table, rows: Rows, at: Times, newest: Rows, limit: int,
    sides: Callable[[int], Sides],
) -> Looked:  # fmt: skip
    seen = newest >= 0
    age = at - feed.times[np.maximum(newest, 0)] if len(feed.starts) else np.zeros(len(at), dtype=np.int64)
    stale = np.flatnonzero(seen & (age > limit))
    found = (_breach(session, feed, table, rows[stale], at[stale], newest[stale], limit, sides),) if stale.size else ()
    return Looked(int(seen.sum()), found)


def _breach(
    session: Session, feed: Feed, table: Table, rows: Rows, at: Times, newest: Rows, limit: int,
    sides: Callable[[int], Sides],
) -> Breach:  # fmt: skip
    instrument, allowed = instruments(session)[feed.symbol], _ms(limit)
    ages = [_ms(int(now) - int(feed.times[message])) for now, message in zip(at, newest, strict=True)]
    lines = []
    for row, age, message in list(zip(rows.tolist(), ages, newest.tolist(), strict=True))[:_SHOWN]:
        lines.append(
            f"{table.where(row)}: {decimal_text(age, 6)} ms after {feed.table.where(feed.row(message))}, the newest "
            f"update of its book; {text(age)} - {text(allowed)} = {decimal_text(age - allowed)} ms too old"
        )
    losses = [
        _loss(feed, instrument, int(now), each, row)
        for row, now in list(zip(rows.tolist(), at, strict=True))[:_PRICED]
        for each in sides(row)
    ]
    amount = max(losses, default=Fraction(0))
    oldest = ages.index(max(ages))
    what = "an order" if table.name == "order_events" else "a quote"
    return Breach(
        key=feed.symbol if table.name == "quotes" else f"{feed.symbol} orders",
        where=(*places(table, rows.tolist()), feed.table.where(feed.row(int(newest[0])))),
        count=len(rows),
        was=f"{what} of {feed.symbol} was made on a book that was {decimal_text(ages[0], 6)} ms old"
        + (f", the oldest {decimal_text(ages[oldest], 6)} ms" if oldest else ""),
        should=f"{decimal_text(allowed)} ms at most (book_stale_ms), or no quote", work=tuple(lines),
        amount=amount if amount > 0 else None, currency=instrument.settle,
        loss="what the costliest of them, filled whole, would have lost to the mid of the next update that came"
        if amount > 0
        else "by the next update the market had not moved through its prices; the next time it may",
        cause="",
    )  # fmt: skip


def _loss(feed: Feed, instrument: Instrument, at: int, side: tuple[Decimals, Decimals, int], row: int) -> Fraction:
    """Return what a price loses to the mid after the next update, for its whole quantity; 0 where that is not known."""
    price, qty, direction = side
    following = int(np.searchsorted(feed.times, at, side="right"))
    if following == len(feed.times) or not (price.known[row] and qty.known[row] and price.ints[row] > 0):
        return Fraction(0)
    bid, ask = (int(code) for code in feed.best[:, following])
    if NONE in (bid, ask):
        return Fraction(0)
    mid = (feed.price(bid) + feed.price(ask)) / 2
    size, paid = qty.fraction(row), price.fraction(row)
    if mid <= 0 or direction * (paid - mid) <= 0:
        return Fraction(0)
    return abs(notional(instrument, paid, size) - notional(instrument, mid, size))


def _ms(ns: int) -> Fraction:
    return Fraction(ns, _MS)
