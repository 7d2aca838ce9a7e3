"""The market data feed: snapshots and deltas with sequence numbers, trades, marks, rates; and what goes wrong there.

A message is one or more rows of one table, without `ts_local`: that is stamped when the bot has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from random import Random

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock, Wire
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.matching import Book

HEARTBEAT = 3 * SECOND
BATCH = 20 * MILLISECOND  # in which changes of a book are sent together
OVERTAKEN = 250 * MILLISECOND
SIDES = {"buy": "bid", "sell": "ask"}


@dataclass(frozen=True, slots=True)
class Message:
    """What the venue sent at once: a channel's message, or the part of it that came through."""

    channel: str
    message_id: str
    table: str
    rows: list[Row]
    ts_exchange: int
    complete: bool = True


class Feed:
    """Publishes what changes; counts its updates.

    Parameters
    ----------
    deliver : Callable
        Called with each message when it arrives at the bot.
    """

    def __init__(
        self, clock: Clock, wire: Wire, rng: Random, *, markets: Mapping[str, Market], books: Mapping[str, Book],
        deliver: Callable[[Message], None],
    ) -> None:  # fmt: skip
        self._clock, self._wire, self._rng = clock, wire, rng
        self._markets, self._books, self._deliver = markets, books, deliver
        self._seqs = dict.fromkeys(markets, 0)
        self._sent = dict.fromkeys(markets, 0)
        self._due = dict.fromkeys(markets, False)
        self._stalled = dict.fromkeys(markets, 0)
        self._faults: dict[str, list[str]] = {symbol: [] for symbol in markets}
        self._messages = 0

    def open(self) -> None:
        """Put the heartbeats of the books on the clock."""
        for symbol in self._markets:
            self._clock.every(HEARTBEAT // 4, partial(self._beat, symbol), rng=self._rng)

    def fail(self, symbol: str, fault: str) -> None:
        """Let the next update of a book be dropped, incomplete, overtaken or sent twice."""
        self._faults[symbol].append(fault)

    def stall(self, symbol: str, duration: int) -> None:
        """Hold the updates of a book back for a while; then they all come, late. [ns]"""
        self._stalled[symbol] = self._clock.now + duration

    def send(self, table: str, rows: list[Row], *, stream: str | None = "ticks", delay: int = 0) -> None:
        """Send rows of another table than the book."""
        ts = self._clock.venue_now
        for row in rows:
            row["ts_exchange"] = ts
        self._carry(self._message(table, rows), stream, delay)

    def publish(self, symbol: str) -> None:
        """Send soon what of a book has changed."""
        if self._books[symbol].touched and not self._due[symbol]:
            self._due[symbol] = True
            self._clock.after(BATCH, partial(self._publish, symbol))

    def _publish(self, symbol: str) -> None:
        """Send the levels that changed, with the quantities that are there now: 0 is a level that is gone."""
        self._due[symbol] = False
        book, market = self._books[symbol], self._markets[symbol]
        levels = [
            (SIDES[side], market.price(price), market.qty(book.depth(side, price))) for side, price in book.touched
        ]
        book.touched.clear()
        self._update(symbol, levels)

    def answer(self, symbol: str) -> None:
        """Send a snapshot to the one who asked for it: all levels, standing at the last update's number."""
        book, market = self._books[symbol], self._markets[symbol]
        rows = [
            self._row(symbol, "snapshot", None, SIDES[side], market.price(price), market.qty(book.depth(side, price)))
            for side, queues in book.queues.items()
            for price in queues
        ]
        self._carry(self._message("book", rows), None, 0)

    def _beat(self, symbol: str) -> None:
        if self._clock.now - self._sent[symbol] >= HEARTBEAT * 3 // 4:
            self._update(symbol, [(None, None, None)])

    def _update(self, symbol: str, levels: Sequence[tuple[str | None, Decimal | None, Decimal | None]]) -> None:
        """THE SEQUENCE RULE: each update names its own number and that of the one before it."""
        before, self._sent[symbol] = self._seqs[symbol], self._clock.now
        self._seqs[symbol] += self._rng.randint(1, 3)
        kind, prev_seq = ("delta", before) if before else ("snapshot", None)
        message = self._message("book", [self._row(symbol, kind, prev_seq, *level) for level in levels])
        fault = self._faults[symbol].pop() if self._faults[symbol] else ""
        stream, delay = f"book {symbol}", max(0, self._stalled[symbol] - self._clock.now)
        if fault == "incomplete":
            whole = message.rows[: len(message.rows) // 2]
            message = Message("market_data", message.message_id, "book", whole, message.ts_exchange, complete=False)
        if fault == "overtaken":
            self._carry(message, None, OVERTAKEN)
        elif fault != "dropped":
            self._carry(message, stream, delay)
        if fault == "duplicate" or self._rng.random() < 0.003:
            self._carry(message, stream, delay)

    def _row(
        self, symbol: str, kind: str, prev_seq: int | None, side: str | None, price: Decimal | None, qty: Decimal | None
    ) -> Row:
        row = {"ts_exchange": self._clock.venue_now, "symbol": symbol, "seq": self._seqs[symbol], "prev_seq": prev_seq}
        return {**row, "kind": kind, "side": side, "price": price, "qty": qty}

    def _message(self, table: str, rows: list[Row]) -> Message:
        self._messages += 1
        return Message("market_data", f"md-{self._messages}", table, rows, rows[0]["ts_exchange"])

    def _carry(self, message: Message, stream: str | None, delay: int) -> None:
        self._wire.carry(partial(self._deliver, message), stream=stream, delay=delay)
