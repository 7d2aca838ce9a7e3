"""Prices that a claim may have been valued at: the venue's mark, index and last, and its book's mid and exit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks.known import Times, timeline
from mmverify.errors import EvidenceError
from mmverify.replay.order_book import OrderBook
from mmverify.session.load import Session

Best = tuple[Fraction | None, Fraction | None]


@dataclass(frozen=True)
class Prices:
    """Candidate prices of one symbol and price type, a list a claim, and the row after and before what was known."""

    known: list[list[Fraction]]
    later: list[list[Fraction]]
    earlier: list[list[Fraction]]


def venue_prices(session: Session, symbol: str, kind: str, at: Times) -> Prices:
    """Return the marks of one type (mark, index, last) that were last known at each of the times `at`."""
    table = session.table("marks", "ts_exchange", "ts_local", "symbol", kind)
    column = table.decimals(kind)
    line = timeline(session, table, table.words("symbol").is_(symbol) & column.known)
    fewest, most = line.span(at)

    def take(first: int, stop: int) -> list[Fraction]:
        chosen = line.rows[max(first, 0) : max(stop, 0)]
        return list(dict.fromkeys(column.fraction(int(row)) for row in chosen))

    spans = [(int(low), int(high)) for low, high in zip(fewest, most, strict=True)]
    return Prices(
        [take(low - 1, high) for low, high in spans],
        [take(high, high + 1) for _, high in spans],
        [take(low - 2, low - 1) for low, _ in spans],
    )


def book_prices(
    session: Session, symbol: str, kind: str, at: Times, directions: Sequence[Sequence[int]]
) -> list[list[Fraction]]:
    """Return the book's mid, or its exit prices for a long (+1) or a short (-1), at each of the times `at`."""
    if kind == "mid":
        minimum = session.settings.get("conventions", {}).get("mid_min_qty", "0")
        try:
            min_qty = Fraction(str(minimum))
        except ValueError:
            raise EvidenceError(
                "session.toml", column="conventions.mid_min_qty", was=repr(minimum), should="a decimal"
            ) from None
    else:
        min_qty = Fraction(0)
    states, spans = best_prices(session, symbol, at, min_qty)

    def price(best: Best, direction: int) -> Fraction | None:
        bid, ask = best
        if kind == "mid":
            return None if bid is None or ask is None else (bid + ask) / 2
        return bid if direction > 0 else ask

    out = []
    for (low, high), signs in zip(spans, directions, strict=True):
        found = [price(states[n], sign) for n in range(low, high + 1) if n in states for sign in signs]
        out.append(list(dict.fromkeys(value for value in found if value is not None)))
    return out


def best_prices(
    session: Session, symbol: str, at: Times, min_qty: Fraction
) -> tuple[dict[int, Best], list[tuple[int, int]]]:
    """Replay the book; return its best prices after each count of updates that a claim may have seen."""
    columns = ("ts_exchange", "ts_local", "symbol", "seq", "prev_seq", "kind", "side", "price", "qty")
    table = session.table("book", *columns)
    line = timeline(session, table, table.words("symbol").is_(symbol))
    rows = line.rows
    seq, prev, kind, side = table.whole("seq"), table.whole("prev_seq"), table.words("kind"), table.words("side")
    exchange, price, qty = table.whole("ts_exchange"), table.decimals("price"), table.decimals("qty")
    if not len(rows):
        return {}, [(0, 0)] * len(at)
    keys = (line.times, seq.values[rows], kind.codes[rows], exchange.values[rows])
    fresh = np.concatenate([[True], np.logical_or.reduce([key[1:] != key[:-1] for key in keys])])
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(rows))
    times = line.times[starts]
    low = np.searchsorted(times, at - line.before, side="left")
    high = np.searchsorted(times, at + line.after, side="right")
    spans = [(int(a), int(b)) for a, b in zip(low, high, strict=True)]
    wanted = {n for a, b in spans for n in range(a, b + 1)}
    threshold = int(-(-min_qty * 10**qty.scale // 1))
    states: dict[int, Best] = {}
    book = OrderBook()
    bid_code = side.code("bid")

    def best() -> Best:
        bid, ask = book.best(threshold)
        unit = 10**price.scale
        return (None if bid is None else Fraction(bid, unit), None if ask is None else Fraction(ask, unit))

    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if n in wanted:
            states[n] = best()
        members = rows[start:end]
        first = int(members[0])
        levels = [
            ("bid" if side.codes[row] == bid_code else "ask", int(price.ints[row]), int(qty.ints[row]))
            for row in members
            if side.codes[row] >= 0 and price.ints[row] > 0
        ]
        book.apply(
            kind.text(first),
            None if seq.missing[first] else int(seq.values[first]),
            None if prev.missing[first] else int(prev.values[first]),
            levels,
        )
    states[len(starts)] = best()
    return states, spans


def candidates(
    session: Session, symbol: str, kind: str, at: Times, directions: Sequence[Sequence[int]]
) -> list[list[Fraction]]:
    """Return, per claim, the prices of a type that it may have been valued at; empty where the evidence has none."""
    if kind in ("mid", "exit"):
        if not session.has("book"):
            return [[] for _ in at]
        return book_prices(session, symbol, kind, at, directions)
    return venue_prices(session, symbol, kind, at).known if session.has("marks") else [[] for _ in at]
