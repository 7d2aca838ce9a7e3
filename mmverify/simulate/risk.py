"""The bot's limits and circuit breakers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock
from mmverify.simulate.halts import Halts
from mmverify.simulate.knowledge import Knowledge
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.orders import Order, Orders
from mmverify.simulate.policy import (
    BREAKERS,
    CURRENCY,
    MAX_OPEN_ORDERS,
    max_notional,
    max_position,
)

LOOK = 99_991_117  # how often staleness and cool-downs are looked at [ns]
REJECT_WINDOW, MESSAGE_WINDOW = 60 * SECOND, SECOND
FORCED_COOLDOWN = 2 * SECOND  # after a liquidation or ADL
BLOCK_PAUSE = 2 * SECOND  # between two records of the same limit
CLAIMED = Decimal("1e-8")


class Risk:
    """Says what may be sent, and trips.

    Parameters
    ----------
    on_reduce : Callable
        Called with a symbol when it may only be reduced from now on, and when that ends.
    """

    def __init__(
        self, clock: Clock, known: Knowledge, orders: Orders, record: Callable[[str, Row], None], *,
        on_reduce: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._clock, self._known, self._orders, self._record = clock, known, orders, record
        self._on_reduce = on_reduce
        self.halts: Halts
        self._tripped: dict[tuple[str, str], int] = {}
        self._submits: deque[int] = deque()
        self._rejects: deque[int] = deque()
        self._messages: deque[int] = deque()
        self._blocked: dict[tuple[str, str], int] = {}
        self._high = self._first = self._equity = Decimal(0)

    # Limits

    def room(self, market: Market, side: str, *, reduce_only: bool, aside: Order | None = None) -> int:
        """How much more may be sent, pending orders counted: up to max_position, or when reducing to flat. [lots]"""
        symbol, direction = market.symbol, 1 if side == "buy" else -1
        held = direction * self._known.position(symbol)
        if reduce_only:
            return market.lots(-held) - self._orders.open_lots(symbol, side, aside=aside)
        return market.lots(max_position(market) - held) - self._orders.open_lots(symbol, side, aside=aside)

    def allows(self, order: Order) -> bool:
        """Whether a new order keeps within every limit; a limit that stops it is recorded."""
        market, side = order.market, order.side
        direction = 1 if side == "buy" else -1
        held = direction * self._known.position(market.symbol)
        opened = market.qty(self._orders.open_lots(market.symbol, side) + order.qty)
        if not order.reduce_only and held + opened > max_position(market):
            return self._block("max_position", market.symbol, side, held + opened, max_position(market))
        mark = self._known.marks[market.symbol]["mark"]
        exposure = market.face(mark, held + opened)
        if not order.reduce_only and exposure > max_notional(market):
            return self._block("max_notional", market.symbol, side, exposure, max_notional(market))
        count = sum(1 for _ in self._orders.live(market.symbol)) + 1
        if count > MAX_OPEN_ORDERS:
            return self._block("max_open_orders", market.symbol, side, Decimal(count), Decimal(MAX_OPEN_ORDERS))
        return order.reduce_only or not self.reduce_only(market.symbol)

    def block_at_limit(self, market: Market, side: str) -> None:
        """Record that a side is not quoted since the position stands at its limit."""
        direction = 1 if side == "buy" else -1
        self._block(
            "max_position", market.symbol, side, direction * self._known.position(market.symbol), max_position(market)
        )

    def _block(self, rule: str, symbol: str, side: str, value: Decimal, threshold: Decimal) -> bool:
        key = f"{rule} {side}", symbol
        if self._clock.now - self._blocked.get(key, 0) >= BLOCK_PAUSE:
            self._blocked[key] = self._clock.now
            row: Row = {"ts_local": self._clock.now, "rule": rule, "event": "block", "symbol": symbol, "side": side}
            self._record("risk_events", row | {"value": value, "threshold": threshold, "action": "not sent"})
        return False

    # Breakers

    def start(self) -> None:
        """Look at what goes by in time."""
        self._clock.after(LOOK, self._look)

    def reduce_only(self, symbol: str) -> bool:
        """Whether only orders that reduce the position may be sent."""
        return ("position", symbol) in self._tripped

    def on_message(self, *, is_submit: bool) -> None:
        """Count an order message."""
        self._messages.append(self._clock.now)
        if is_submit:
            self._submits.append(self._clock.now)
        self.check("message_rate")

    def on_reject(self) -> None:
        """Count a reject."""
        self._rejects.append(self._clock.now)
        self.check("reject_rate")

    def on_forced(self, kind: str, symbol: str, qty: Decimal) -> None:
        """Stop after a liquidation or ADL."""
        if self.halts.has(kind, symbol):
            return
        row: Row = {"ts_local": self._clock.now, "rule": kind, "event": "trip", "symbol": symbol}
        self._record("risk_events", row | {"value": qty, "action": "halt"})
        self.halts.add(kind, symbol)
        self._clock.after(FORCED_COOLDOWN, partial(self._release, kind, symbol))

    def _release(self, kind: str, symbol: str) -> None:
        self._record("risk_events", {"ts_local": self._clock.now, "rule": kind, "event": "reset", "symbol": symbol})
        self.halts.remove(kind, symbol)

    def claim_equity(self) -> None:
        """Claim equity, its high water (moved by transfers) and drawdown, and look at the breakers on them."""
        equity = self._known.equity().quantize(CLAIMED, ROUND_HALF_EVEN)
        if not self._first:
            self._first = self._high = equity
        moved, self._known.transferred = self._known.transferred, Decimal(0)
        self._first, self._high = self._first + moved, max(self._high + moved, equity)
        self._equity = equity
        drawdown = ((self._high - equity) / self._high).quantize(CLAIMED, ROUND_HALF_EVEN)
        row: Row = {"ts_local": self._clock.now, "equity": equity, "high_water": self._high, "drawdown": drawdown}
        self._record("equity", row | {"currency": CURRENCY})
        self.check("drawdown")
        self.check("daily_loss")

    def check(self, name: str, symbol: str = "") -> None:
        """Trip a breaker if its metric is at its threshold."""
        value, breaker = self._metric(name, symbol), BREAKERS[name]
        if value is None or value < breaker.threshold or (name, symbol) in self._tripped:
            return
        self._tripped[name, symbol] = self._clock.now
        self._row(name, "trip", symbol, value)
        if breaker.action == "reduce_only":
            self._on_reduce(symbol)
        else:
            self.halts.add(name, symbol)

    def check_all(self, symbol: str) -> None:
        """Look at all that may have passed its threshold since the last look, before anything is sent."""
        self.check("stale", symbol)
        self.check("position", symbol)
        self.check("reject_rate")

    def _metric(self, name: str, symbol: str) -> Decimal | None:
        """What a breaker looks at, None where there are too few events."""
        if name == "drawdown":
            return (self._high - self._equity) / self._high
        if name == "daily_loss":
            return self._first - self._equity
        if name == "stale":
            view = self._known.views[symbol]
            return Decimal(self._clock.now - view.ts_local) / MILLISECOND if view.ts_local else None
        if name == "position":
            return abs(self._known.position(symbol)) / max_position(self._known.markets[symbol])
        if name == "message_rate":
            count = _recent(self._messages, self._clock.now - MESSAGE_WINDOW)
            return Decimal(count) if count >= BREAKERS[name].min_count else None
        submits, rejects = (_recent(times, self._clock.now - REJECT_WINDOW) for times in (self._submits, self._rejects))
        least = 1 if (name, symbol) in self._tripped else BREAKERS[name].min_count
        return Decimal(rejects) / submits if submits >= least else None

    def _look(self) -> None:
        self._clock.after(LOOK, self._look)
        for symbol in self._known.markets:
            self.check("stale", symbol)
        for (name, symbol), since in list(self._tripped.items()):
            value, breaker = self._metric(name, symbol), BREAKERS[name]
            if self._clock.now - since > breaker.cooldown_s * SECOND and (value is None or value < breaker.threshold):
                del self._tripped[name, symbol]
                self._row(name, "reset", symbol, value)
                if breaker.action == "reduce_only":
                    self._on_reduce(symbol)
                else:
                    self.halts.remove(name, symbol)

    def _row(self, name: str, event: str, symbol: str, value: Decimal | None) -> None:
        breaker = BREAKERS[name]
        row: Row = {"ts_local": self._clock.now, "rule": name, "event": event, "symbol": symbol}
        shown = None if value is None else value.quantize(CLAIMED, ROUND_HALF_EVEN)
        row |= {"value": shown, "threshold": breaker.threshold, "action": breaker.action}
        self._record("risk_events", row)


def _recent(times: deque[int], since: int) -> int:
    """How many of these are later than `since`; older ones are forgotten."""
    while times and times[0] <= since:
        times.popleft()
    return len(times)
