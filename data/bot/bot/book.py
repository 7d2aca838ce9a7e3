"""The order book of one symbol, from snapshots and deltas. On the hot path: no text, no container, no wait."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from decimal import Decimal

from bot.money import one_of, positive, unsigned

SIDES = ("bid", "ask")
KINDS = ("snapshot", "delta")
Update = Sequence[tuple[str, Decimal, Decimal]]


class Book:
    """Levels of both sides, sorted; valid from a snapshot until a delta is missing."""

    def __init__(self, depth: int | None = None) -> None:
        if depth is not None:
            positive(depth)
        self._depth = depth
        self._bid_prices: list[Decimal] = []  # rising: the best bid is the last
        self._ask_prices: list[Decimal] = []  # rising: the best ask is the first
        self._bid_qtys: dict[Decimal, Decimal] = {}
        self._ask_qtys: dict[Decimal, Decimal] = {}
        self._seq = 0
        self._whole = False  # nothing is missing since the snapshot
        self._fresh = False  # nothing came since the snapshot

    @property
    def bids(self) -> list[tuple[Decimal, Decimal]]:
        """Give price and quantity of each bid, the best first."""
        return [(price, self._bid_qtys[price]) for price in reversed(self._bid_prices)]

    @property
    def asks(self) -> list[tuple[Decimal, Decimal]]:
        """Give price and quantity of each ask, the best first."""
        return [(price, self._ask_qtys[price]) for price in self._ask_prices]

    @property
    def valid(self) -> bool:
        """Say whether nothing is missing and the best bid is not above the best ask."""
        crossed = self._bid_prices and self._ask_prices and self._bid_prices[-1] > self._ask_prices[0]
        return self._whole and not crossed

    @property
    def two_sided(self) -> bool:
        """Say whether there is a bid and an ask."""
        return bool(self._bid_prices and self._ask_prices)

    def best_bid(self) -> Decimal:
        """Give the highest bid."""
        return self._bid_prices[-1]

    def best_ask(self) -> Decimal:
        """Give the lowest ask."""
        return self._ask_prices[0]

    def best_bid_qty(self) -> Decimal:
        """Give the quantity of the highest bid."""
        return self._bid_qtys[self._bid_prices[-1]]

    def best_ask_qty(self) -> Decimal:
        """Give the quantity of the lowest ask."""
        return self._ask_qtys[self._ask_prices[0]]

    def apply(self, kind: str, seq: int, prev_seq: int | None, levels: Update) -> None:
        """Apply a message whole, or refuse it whole."""
        one_of(kind, KINDS)
        for side, price, qty in levels:
            one_of(side, SIDES)
            positive(price)
            unsigned(qty)
        if kind == "snapshot":
            self._bid_prices.clear()
            self._ask_prices.clear()
            self._bid_qtys.clear()
            self._ask_qtys.clear()
            self._whole = True
        elif not self._whole or not self._follows(seq, seq - 1 if prev_seq is None else prev_seq):
            return
        for side, price, qty in levels:
            if side == "bid":
                _set_level(self._bid_prices, self._bid_qtys, price, qty)
            else:
                _set_level(self._ask_prices, self._ask_qtys, price, qty)
        if self._depth is not None:
            self._drop_deep(self._depth)
        self._fresh = kind == "snapshot" or (self._fresh and seq == self._seq)
        self._seq = seq

    def _follows(self, seq: int, prev_seq: int) -> bool:
        """Say whether a delta is the next one; note a gap."""
        if prev_seq == self._seq or (self._fresh and prev_seq <= self._seq < seq):
            return True
        if seq > self._seq:
            self._whole = False
        return False

    def _drop_deep(self, depth: int) -> None:
        for _ in range(len(self._bid_prices) - depth):
            del self._bid_qtys[self._bid_prices.pop(0)]
        for _ in range(len(self._ask_prices) - depth):
            del self._ask_qtys[self._ask_prices.pop()]


def _set_level(prices: list[Decimal], qtys: dict[Decimal, Decimal], price: Decimal, qty: Decimal) -> None:
    if qty:
        if price not in qtys:
            insort(prices, price)
        qtys[price] = qty
    elif price in qtys:
        del prices[bisect_left(prices, price)]
        del qtys[price]
