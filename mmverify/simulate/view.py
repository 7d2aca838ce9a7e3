"""The bot's own copy of a book, built from the feed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mmverify.simulate.markets import Row

Levels = dict[Decimal, Decimal]


class View:
    """A book as far as the bot has it; while it waits for a snapshot, as it was before the gap.

    Attributes
    ----------
    seq, ts_exchange, ts_local : int
        Of the last update that is in it; 0 before the first.
    waiting : bool
        Whether an update is missing and a snapshot is awaited.
    """

    def __init__(self) -> None:
        self.levels: dict[str, Levels] = {"bid": {}, "ask": {}}
        self.seq = self.ts_exchange = self.ts_local = 0
        self.waiting = False
        self._early: list[list[Row]] = []

    def apply(self, update: list[Row]) -> None:
        """Apply an update, keep it for after the snapshot, or find that one is missing."""
        head = update[0]
        if head["kind"] == "snapshot":
            self.levels = {"bid": {}, "ask": {}}
            self._set(update)
            early, self._early, self.waiting = self._early, [], False
            for later in early:
                if later[0]["seq"] > self.seq:
                    self.apply(later)
        elif not self.waiting and head["prev_seq"] == self.seq:
            self._set(update)
        elif self.waiting or head["seq"] > self.seq:
            self.waiting = True
            self._early.append(update)

    def wait(self) -> None:
        """Count on nothing until the next snapshot."""
        self.waiting = True

    def _set(self, update: list[Row]) -> None:
        for row in update:
            if row["qty"]:
                self.levels[row["side"]][row["price"]] = row["qty"]
            elif row["side"]:
                self.levels[row["side"]].pop(row["price"], None)
        self.seq, self.ts_exchange = update[0]["seq"], update[0]["ts_exchange"]
        self.ts_local = max(self.ts_local, update[0]["ts_local"])

    def best(self, least: Decimal = Decimal(0)) -> tuple[Decimal | None, Decimal | None]:
        """The best bid and ask among levels of at least so much, None for a side without."""
        bids, asks = self.levels["bid"], self.levels["ask"]
        if least:
            bids, asks = ({price: qty for price, qty in side.items() if qty >= least} for side in (bids, asks))
        return max(bids, default=None), min(asks, default=None)

    def mid(self, least: Decimal) -> Decimal | None:
        """The mean of the best bid and ask of at least so much."""
        bid, ask = self.best(least)
        return None if bid is None or ask is None else (bid + ask) / 2

    def top(self, side: str, count: int) -> Sequence[tuple[Decimal, Decimal]]:
        """The best levels of a side, the best first."""
        return sorted(self.levels[side].items(), reverse=side == "bid")[:count]

    def imbalance(self) -> Decimal:
        """What is bid more than asked on the three best levels, as a share of both."""
        bid, ask = (sum((qty for _, qty in self.top(side, 3)), Decimal(0)) for side in ("bid", "ask"))
        return (bid - ask) / (bid + ask)
