"""Prices that a claim may have been valued at: the venue's mark, index and last, and its book's mid and exit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.exact import Column
from mmverify.checks.known import Rows, Times, timeline
from mmverify.checks.s3_1_feed import feeds
from mmverify.errors import EvidenceError
from mmverify.numeric import Ints, Mask
from mmverify.replay.depth import NONE
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


@dataclass(frozen=True, eq=False)
class Seen:
    """Prices of one type as they came, and which of them each claim may have known.

    Parameters
    ----------
    long, short : ndarray of int, shape (n,)
        The price after each change for a long and for a short, in units of ``1 / unit``; the same unless `by_side`.
    known : ndarray of bool, shape (2, n)
        Where there is one, for a long and for a short.
    unit : int
    first, stop : ndarray of int64
        Per claim, the first change that it may have known, and the one after the last.
    by_side : bool
        Whether the price depends on the side of the position.
    """

    long: Ints
    short: Ints
    known: NDArray[np.bool_]
    unit: int
    first: Rows
    stop: Rows
    by_side: bool = False

    def candidates(self, claim: int, signs: Sequence[int]) -> list[Fraction]:
        """Return the prices that a claim may have been valued at, long (+1) or short (-1), the newest last."""
        found = []
        for n in range(int(self.first[claim]), int(self.stop[claim])):
            for sign in signs:
                if self.known[int(sign <= 0), n]:
                    found.append(Fraction(int((self.long if sign > 0 else self.short)[n]), self.unit))
        return list(dict.fromkeys(found))

    def newest(self, signs: Rows) -> tuple[Ints, Mask]:
        """Return the newest price that each claim may have known, in units, and where there is one."""
        has = self.stop > self.first
        at = np.where(has, self.stop - 1, 0)
        if not self.long.size:
            return np.zeros(len(at), dtype=np.int64), has
        short = signs <= 0
        return np.where(short, self.short[at], self.long[at]), has & self.known[short.astype(np.intp), at]

    @property
    def later(self) -> Seen:
        """The first price after those that each claim may have known."""
        return replace(self, first=self.stop, stop=np.minimum(self.stop + 1, len(self.long)))

    @property
    def earlier(self) -> Seen:
        """The last price before those that each claim may have known."""
        return replace(self, first=np.maximum(self.first - 1, 0), stop=self.first)


def seen(session: Session, symbol: str, kind: str, at: Times) -> Seen:
    """Return the prices of a type (mark, index, last, mid, exit) by the times `at`; none where there are none."""
    nothing = np.zeros(0, dtype=np.int64)
    if kind in ("mid", "exit") and session.has("book"):
        return _book_seen(session, symbol, kind, at)
    if kind in ("mid", "exit") or not session.has("marks"):
        none = np.zeros(len(at), dtype=np.int64)
        return Seen(nothing, nothing, np.zeros((2, 0), dtype=bool), 1, none, none)
    table = session.table("marks", "ts_exchange", "ts_local", "symbol", kind)
    column = table.decimals(kind)
    line = timeline(session, table, table.words("symbol").is_(symbol) & column.known)
    fewest, most = line.span(at)
    prices, known = column.ints[line.rows], np.ones((2, len(line)), dtype=bool)
    return Seen(prices, prices, known, 10**column.scale, np.maximum(fewest - 1, 0), most)


def _book_seen(session: Session, symbol: str, kind: str, at: Times) -> Seen:
    states, low, high = _book_states(session, symbol, at, _least_qty(session, kind))
    unit = 2 * 10 ** session.table("book", "price").decimals("price").scale
    size = max(states, default=-1) + 1
    bids, asks, known = [0] * size, [0] * size, np.zeros((2, size), dtype=bool)
    for n, (bid, ask) in states.items():
        if kind == "mid":
            bid = ask = None if bid is None or ask is None else (bid + ask) / 2
        bids[n], asks[n] = int((bid or 0) * unit), int((ask or 0) * unit)
        known[:, n] = bid is not None, ask is not None
    stop = np.minimum(high + 1, size)
    return Seen(Column.of(bids).ints, Column.of(asks).ints, known, unit, low, stop, kind == "exit")


def _least_qty(session: Session, kind: str) -> Fraction:
    """Return the size from which on a level of the book counts."""
    minimum = session.settings.get("conventions", {}).get("mid_min_qty", "0") if kind == "mid" else "0"
    try:
        return Fraction(str(minimum))
    except ValueError:
        raise EvidenceError(
            "session.toml", column="conventions.mid_min_qty", was=repr(minimum), should="a decimal"
        ) from None


def best_prices(
    session: Session, symbol: str, at: Times, min_qty: Fraction
) -> tuple[dict[int, Best], list[tuple[int, int]]]:
    """Replay the book; return its best prices after each count of updates that a claim may have seen."""
    states, low, high = _book_states(session, symbol, at, min_qty)
    return states, list(zip(low.tolist(), high.tolist(), strict=True))


def _book_states(session: Session, symbol: str, at: Times, min_qty: Fraction) -> tuple[dict[int, Best], Rows, Rows]:
    book = feeds(session).get(symbol)
    if book is None:
        return {}, np.zeros(len(at), dtype=np.int64), np.zeros(len(at), dtype=np.int64)
    low = np.searchsorted(book.times, at - book.line.before, side="left")
    high = np.searchsorted(book.times, at + book.line.after, side="right")
    size = len(book.starts) + 2
    asked = np.cumsum(np.bincount(low, minlength=size) - np.bincount(high + 1, minlength=size))[:-1]
    asked[-1] = 1
    counts = np.flatnonzero(asked)
    after = np.concatenate([np.full((2, 1), NONE, dtype=np.int32), book.best_of(min_qty)], axis=1)[:, counts]
    prices = {code: None if code == NONE else book.price(code) for code in np.unique(after).tolist()}
    bids, asks = (side.tolist() for side in after)
    states = {n: (prices[bid], prices[ask]) for n, bid, ask in zip(counts.tolist(), bids, asks, strict=True)}
    return states, low, high


def candidates(
    session: Session, symbol: str, kind: str, at: Times, directions: Sequence[Sequence[int]]
) -> list[list[Fraction]]:
    """Return, per claim, the prices of a type that it may have been valued at; empty where the evidence has none."""
    known = seen(session, symbol, kind, at)
    return [known.candidates(n, signs if known.by_side else (1,)) for n, signs in enumerate(directions)]
