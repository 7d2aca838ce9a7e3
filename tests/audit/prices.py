"""The prices that were the last known at an instant: of the marks and of the book."""

from __future__ import annotations

from fractions import Fraction

from audit.market import Book, venues
from audit.recorded import Recorded, cuts, number, remember


def marked(session: Recorded, symbol: str, kind: str, ts: int) -> set[Fraction]:
    """Return the prices of a symbol that may be the last known at `ts`: mark, index, last or mid."""
    prices, times = published(session, symbol, kind)
    skew = session.skew if kind != "mid" and session.clock("marks") == "ts_exchange" else 0
    return {prices[count - 1] for count in cuts(times, ts - skew, session.lag, ahead=2 * skew) if count}


@remember
def published(session: Recorded, symbol: str, kind: str) -> tuple[list[Fraction], list[int]]:
    """Return the marks of a symbol, or the mids of its book after mid_min_qty, and when they came."""
    if kind == "mid":
        books = venues(session)[symbol].books if symbol in venues(session) else []
        told = [(mid_of(session, book), book.since) for book in books]
    else:
        rows, times = session.arrivals("marks", symbol=symbol)
        told = [(number(row[kind]), ts) for row, ts in zip(rows, times, strict=True)]
    known = [(price, ts) for price, ts in told if price is not None]
    return [price for price, _ in known], [ts for _, ts in known]


def mid_of(session: Recorded, book: Book) -> Fraction | None:
    """Return the mean of best bid and ask after dropping levels smaller than mid_min_qty; None without both."""
    least = Fraction(session.conventions.get("mid_min_qty", "0"))
    bids = [price for price, qty in book.bids.items() if qty >= least]
    asks = [price for price, qty in book.asks.items() if qty >= least]
    return (Fraction(max(bids)) + Fraction(min(asks))) / 2 if bids and asks else None
