"""The venue's book from its updates: one L2 book, and the best prices that stood at given moments.

A snapshot stands at its ``seq`` wherever it arrives: deltas at or below it are dropped, later ones that came first are
applied after it. Between a gap and the snapshot that mends it the book is the one before the gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Level = tuple[str, int, int]  # side, scaled price, scaled quantity


@dataclass
class OrderBook:
    """An L2 book on integer prices: apply whole updates, read the best of each side.

    `bids` and `asks` map scaled price to scaled quantity; `valid` is false before the first snapshot of a book that has
    sequence numbers, and from a gap to the next snapshot.
    """

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    seq: int | None = None
    valid: bool = True
    _early: list[tuple[int | None, int | None, Sequence[Level]]] = field(default_factory=list)

    def apply(self, kind: str, seq: int | None, prev_seq: int | None, levels: Sequence[Level]) -> None:
        """Apply one update, whole.

        Parameters
        ----------
        kind : {"snapshot", "delta"}
        seq, prev_seq : int or None
            None where the venue has no numbers; then nothing can be found missing.
        levels : sequence of (side, price, qty)
            Absolute quantities, 0 removes the level; empty for a heartbeat.
        """
        if kind == "snapshot":
            self.bids.clear()
            self.asks.clear()
            self._set(levels)
            self.seq, self.valid = seq, True
            early, self._early = self._early, []
            for update in early:
                self._delta(*update)
        else:
            self._delta(seq, prev_seq, levels)

    def _delta(self, seq: int | None, prev_seq: int | None, levels: Sequence[Level]) -> None:
        if seq is None or self.seq is None:
            self._set(levels)
            self.seq = seq
            return
        follows = prev_seq == self.seq if prev_seq is not None else seq == self.seq + 1
        overlaps = prev_seq is not None and prev_seq <= self.seq < seq
        if self.valid and (follows or overlaps):
            self._set(levels)
            self.seq = seq
        elif seq > self.seq:
            self.valid = False
            self._early.append((seq, prev_seq, levels))

    def _set(self, levels: Iterable[Level]) -> None:
        for side, price, qty in levels:
            book = self.bids if side == "bid" else self.asks
            if qty:
                book[price] = qty
            else:
                book.pop(price, None)

    def best(self, min_qty: int = 0) -> tuple[int | None, int | None]:
        """Return the best bid and ask among levels of at least `min_qty`, None for an empty side."""
        bid = max((price for price, qty in self.bids.items() if qty >= min_qty), default=None)
        ask = min((price for price, qty in self.asks.items() if qty >= min_qty), default=None)
        return bid, ask
