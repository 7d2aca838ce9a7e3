"""One L2 book from its updates: snapshots, deltas, gaps; and the checksums that venues send with it.

A snapshot stands at its ``seq`` wherever it arrives: deltas at or below it are dropped, later ones that came first,
applied already or not, are applied after it as far as they follow each other (a gap behind them shows in the next
update). The first delta may
overlap the snapshot (prev_seq <= its seq < seq), any other must name the last seq as its prev_seq. An old seq is
ignored, unless its prev_seq is the last seq: a venue's reset. Between a gap and the snapshot that mends it the book is
the one before the gap. Where the venue has no numbers nothing can be found missing.

References
----------
OKX, "Order book channel", sequence and checksum (25 levels, before it became 0); Kraken, "Book checksum"; Binance, "How
to manage a local order book correctly".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import inf
from typing import Any
from zlib import crc32

from mmverify.errors import Undefined

#: Side (bid or ask), price, quantity: numbers of one type, scaled integers where speed counts.
Level = tuple[str, Any, Any]
_KEPT = 10_000  # deltas that a snapshot may yet come to stand before, the newest


class OrderBook:
    """An L2 book: apply whole updates, read levels and the best of each side.

    Parameters
    ----------
    depth : int, optional
        Levels a side that the venue keeps up, > 0: deeper ones drop out after each update. None keeps all.

    Attributes
    ----------
    seq : int or None
        Number of the last update that is in the book, None before it or where the venue has none.

    Raises
    ------
    Undefined
        If the depth is not above 0.
    """

    def __init__(self, depth: int | None = None) -> None:
        if depth is not None and depth < 1:
            raise Undefined(f"a book of {depth} levels is not defined")
        self.seq: int | None = None
        self._depth = depth
        self._bids: dict[Any, Any] = {}
        self._asks: dict[Any, Any] = {}
        self._whole = False  # a snapshot came, and nothing is missing since
        self._fresh = False  # nothing but the snapshot is in the book
        self._kept: deque[tuple[int, int | None, list[Level]]] = deque(maxlen=_KEPT)  # since a snapshot, reset or gap

    @property
    def bids(self) -> list[tuple[Any, Any]]:
        """Price and quantity of each bid, the highest first."""
        return sorted(self._bids.items(), reverse=True)

    @property
    def asks(self) -> list[tuple[Any, Any]]:
        """Price and quantity of each ask, the lowest first."""
        return sorted(self._asks.items())

    @property
    def valid(self) -> bool:
        """Whether a snapshot came, nothing is missing since, and the best bid is not above the best ask."""
        bid, ask = self.best()
        return self._whole and (bid is None or ask is None or bid <= ask)

    def best(self, min_qty: Any = 0) -> tuple[Any, Any]:
        """Return the best bid and ask among levels of at least `min_qty`, None for an empty side."""
        bid = max((price for price, qty in self._bids.items() if qty >= min_qty), default=None)
        ask = min((price for price, qty in self._asks.items() if qty >= min_qty), default=None)
        return bid, ask

    def apply(self, kind: str, seq: int | None, prev_seq: int | None, levels: Iterable[Level]) -> None:
        """Apply one update, whole or not at all.

        Parameters
        ----------
        kind : {"snapshot", "delta"}
            A snapshot replaces the book, and always counts.
        seq : int or None
            Number of the update, None where the venue has none.
        prev_seq : int or None
            Number of the update before it; None stands for seq - 1.
        levels : iterable of (side, price, qty)
            Side ``bid`` or ``ask``, price > 0 [quote/base], absolute quantity >= 0 [base or contracts], 0 removes the
            level; empty for a heartbeat.

        Raises
        ------
        Undefined
            If the kind or a side is unknown or a number outside its domain; nothing has changed then.
        """
        update = list(levels)
        _check(kind, update)
        if kind == "snapshot":
            self._bids.clear()
            self._asks.clear()
            self._set(update)
            self.seq, self._whole, self._fresh = seq, True, True
            kept = [] if seq is None else list(self._kept)
            self._kept.clear()
            for each in kept:
                if self._follows(each[0], each[1]):
                    self._advance(*each)
        elif seq is None:
            self._set(update)
        elif self._whole and self._follows(seq, prev_seq):
            self._advance(seq, prev_seq, update)
        elif not self._whole or self.seq is None or seq > self.seq:
            if self._whole:
                self._kept.clear()
            self._whole = False
            self._kept.append((seq, prev_seq, update))

    def _follows(self, seq: int, prev_seq: int | None) -> bool:
        if self.seq is None:
            return True
        before = seq - 1 if prev_seq is None else prev_seq
        return before == self.seq or (self._fresh and before <= self.seq < seq)

    def _advance(self, seq: int, prev_seq: int | None, levels: list[Level]) -> None:
        if self.seq is not None and seq < self.seq:
            self._kept.clear()
        self._kept.append((seq, prev_seq, levels))
        self._set(levels)
        self._fresh = self._fresh and seq == self.seq
        self.seq = seq

    def _set(self, levels: list[Level]) -> None:
        for side, price, qty in levels:
            book = self._bids if side == "bid" else self._asks
            if qty:
                book[price] = qty
            else:
                book.pop(price, None)
        if self._depth is not None:
            for price, _ in self.bids[self._depth :]:
                del self._bids[price]
            for price, _ in self.asks[self._depth :]:
                del self._asks[price]


def _check(kind: str, levels: list[Level]) -> None:
    if kind not in ("snapshot", "delta"):
        raise Undefined(f"a book update of kind {kind!r} is not defined")
    for side, price, qty in levels:
        try:
            sound = side in ("bid", "ask") and 0 < price < inf and 0 <= qty < inf
        except (TypeError, ArithmeticError):
            sound = False
        if not sound:
            raise Undefined(f"a level of side {side!r}, price {price}, quantity {qty} is not defined")


def checksum(venue: str, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
    """Compute the checksum that a venue sends with its book.

    Parameters
    ----------
    venue : {"kraken", "okx"}
        Kraken: 10 levels, asks first, without points and leading zeros, unsigned. OKX: 25 levels, bid and ask in turn,
        joined by colons, signed; the venue now sends 0, which says nothing.
    bids, asks : sequence of (price, qty)
        Levels, the best first, as the venue printed them: a trailing zero counts.

    Returns
    -------
    int
        CRC-32 of the levels.

    Raises
    ------
    Undefined
        If the venue is none of these.
    """
    if venue == "kraken":
        numbers = [number for level in (*asks[:10], *bids[:10]) for number in level]
        return crc32("".join(number.replace(".", "").lstrip("0") for number in numbers).encode())
    if venue == "okx":
        rows = range(25)
        numbers = [number for n in rows for side in (bids, asks) for level in side[n : n + 1] for number in level]
        unsigned = crc32(":".join(numbers).encode())
        return unsigned - 2**32 if unsigned >= 2**31 else unsigned
    raise Undefined(f"a checksum of {venue!r} is not defined")
