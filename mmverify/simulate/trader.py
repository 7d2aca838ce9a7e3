"""Turns decisions into orders: one order a side and level, replaced where its price moves; and hedges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from random import Random

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock
from mmverify.simulate.connection import Connection
from mmverify.simulate.halts import Halts
from mmverify.simulate.knowledge import Knowledge
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.orders import Order, Orders
from mmverify.simulate.policy import HEDGE_UNITS, LEVELS, PARAMETERS, UNIT
from mmverify.simulate.quoting import Quote, Variance, quotes
from mmverify.simulate.risk import Risk

PATIENT = 15 * SECOND  # how long an order may stand a grid step off
SOON, APART = 250 * MILLISECOND, 2 * SECOND  # least pause between decisions: when an order needs one, when prices move
MOVED, JUMPY = 4, 7  # grid steps: a price move that counts, and one that does not wait
FAR = 6  # grid steps, beyond which an order is cancelled and not replaced
LIFE = 25 * SECOND  # of a GTD order
BACKOFF = 500 * MILLISECOND  # after a reject, doubled by each further one
HEDGE_REACH = 40  # beyond the best price [USD]
HEDGE_PATIENCE = 2 * SECOND
HOT_PATH = 100_000  # a decision this soon is made on the way of the message [ns]


@dataclass
class Desk:
    """What the trader keeps of one symbol."""

    slots: dict[tuple[str, int], Order] = field(default_factory=dict)
    prices: dict[tuple[str, int], int] = field(default_factory=dict)  # decided last
    variance: Variance = field(default_factory=Variance)
    decided_at: int = 0
    decided_mid: Decimal = Decimal(0)
    due: int = 0  # when a decision is on the clock, 0 for none
    rejected: int = 0
    rejected_at: int = 0
    hedges: int = 0


class Trader:
    """Quotes and hedges all symbols."""

    def __init__(
        self, clock: Clock, rng: Random, known: Knowledge, orders: Orders, connection: Connection, risk: Risk,
        halts: Halts, record: Callable[[str, Row], None],
    ) -> None:  # fmt: skip
        self._clock, self._rng, self._known, self._orders = clock, rng, known, orders
        self._connection, self._risk, self._halts, self._record = connection, risk, halts, record
        self._desks = {symbol: Desk() for symbol in known.markets}
        self._passes = 0
        self.parameters = {name: Decimal(values[0]) for name, values in PARAMETERS.items()}

    def start(self) -> None:
        """Put on the clock what recurs."""
        for symbol in self._desks:
            self._clock.every(SECOND, partial(self._tick, symbol), rng=self._rng)
            period = int(self.parameters["hedge_interval_s"]) * SECOND
            self._clock.every(period, partial(self._consider_hedge, symbol), rng=self._rng)

    # When to decide

    def _tick(self, symbol: str) -> None:
        """Once a second: note the mid, and quote anew what has stood long enough."""
        desk, mid = self._desks[symbol], self._known.views[symbol].mid(self._known.least)
        if mid is not None:
            desk.variance.see(mid)
        if self._clock.now - desk.decided_at >= int(self.parameters["quote_interval_ms"]) * MILLISECOND:
            self.wake(symbol)

    def on_book(self, symbol: str) -> None:
        """Quote anew if the mid has moved."""
        desk, mid = self._desks[symbol], self._known.views[symbol].mid(self._known.least)
        market = self._known.markets[symbol]
        if mid is not None:
            moved = abs(mid - desk.decided_mid) / market.price(market.grid)
            if moved >= MOVED:
                self.wake(symbol, SOON if moved >= JUMPY else APART)

    def wake(self, symbol: str, pause: int = SOON) -> None:
        """Put a decision on the clock, a moment from now and not too soon after the last one."""
        desk, received = self._desks[symbol], self._clock.now
        at = max(received + 40_000 + self._rng.randrange(60_000), desk.decided_at + pause + self._rng.randrange(90_000))
        if not desk.due or at < desk.due:
            desk.due = at
            self._clock.at(at, partial(self._decide, symbol, at, received if at - received <= HOT_PATH else 0))

    def on_answer(self, order: Order) -> None:
        """An order's request was answered, or it is done: its place may be taken again, or its price be wrong."""
        symbol = order.market.symbol
        desk = self._desks[symbol]
        if order.acknowledged:
            desk.rejected = 0
        if order.level is None or self._halts.any(symbol):
            return
        if not order.live or order.price != desk.prices.get((order.side, order.level), order.price):
            self.wake(symbol)

    def on_reject(self, symbol: str) -> None:
        """Send no new order for a while, longer after each reject."""
        desk = self._desks[symbol]
        if not desk.rejected or self._clock.now - desk.rejected_at >= BACKOFF // 2:
            desk.rejected += 1
        desk.rejected_at = self._clock.now
        self._clock.after(BACKOFF * 2 ** (desk.rejected - 1), partial(self.wake, symbol))

    # What to quote

    def _decide(self, symbol: str, at: int, received: int) -> None:
        desk, market = self._desks[symbol], self._known.markets[symbol]
        if desk.due != at:
            return
        desk.due, desk.decided_at = 0, self._clock.now
        self._risk.check_all(symbol)
        view = self._known.views[symbol]
        mid, (bid, ask) = view.mid(self._known.least), view.best()
        if self._halts.any(symbol) or view.waiting:
            return
        if mid is None or bid is None or ask is None or bid >= ask:
            self.record_halt(symbol)
            return
        before, desk.decided_mid = desk.decided_mid, mid
        unit = market.qty(UNIT[market.kind])
        decided = quotes(
            market, mid=mid, best=(bid, ask), imbalance=view.imbalance(),
            inventory=self._known.position(symbol) / unit, variance=desk.variance,
            risk_aversion=self.parameters["risk_aversion"], fill_decay=self.parameters["fill_decay"],
            alpha=self.parameters["alpha_usd"], levels=LEVELS,
        )  # fmt: skip
        expires = self._clock.now + LIFE if market.kind == "inverse" else None
        sides = ("sell", "buy") if mid > before else ("buy", "sell")
        wanted = {(side, q.level): self._lots(market, side, q) for q in decided for side in sides}
        for quote in decided:
            self._record_quote(market, quote, wanted, mid, (bid, ask), expires)
        if received:
            self._record_pass(received)
        for side in sides:
            for quote in decided:
                self._place(market, side, quote, wanted[side, quote.level], expires)

    def _lots(self, market: Market, side: str, quote: Quote) -> int:
        """How much to quote: an order, or what the limit leaves, pending orders counted; 0 for nothing."""
        symbol, unit = market.symbol, UNIT[market.kind]
        own = self._desks[symbol].slots.get((side, quote.level))
        reduce_only = self._risk.reduce_only(symbol)
        inner = unit * quote.level if not own or not own.live else 0
        lots = min(unit, self._risk.room(market, side, reduce_only=reduce_only, aside=own) - inner)
        qty = market.qty(lots)
        if qty < market.min_qty or market.face(market.price(quote.bid), qty) < market.min_notional:
            if not reduce_only and quote.level == 0:
                self._risk.block_at_limit(market, side)
            return 0
        return lots

    def _place(self, market: Market, side: str, quote: Quote, lots: int, expires: int | None) -> None:
        """Bring the order of a side and level to its price: nothing new before the old one is known to be done."""
        desk, slot = self._desks[market.symbol], (side, quote.level)
        order, price = desk.slots.get(slot), quote.bid if side == "buy" else quote.ask
        desk.prices[slot] = price
        if order is None or not order.live:
            if lots and self._is_allowed_again(desk) and not self._meets_own(market.symbol, side, price):
                new = Order(
                    self._orders.new_id(), market, side, price, lots, "quote_bid" if side == "buy" else "quote_ask",
                    tif="GTD" if expires else "GTC", post_only=True, level=quote.level, expires=expires,
                    reduce_only=self._risk.reduce_only(market.symbol),
                )  # fmt: skip
                if self._submit(new):
                    desk.slots[slot] = new
        elif order.state in ("NEW", "PARTIALLY_FILLED") and not order.awaiting:
            self._adjust(order, price, lots, expires)

    def _adjust(self, order: Order, price: int, lots: int, expires: int | None) -> None:
        """Replace an order whose price has moved; cancel it where it has moved far, or is not quoted any more."""
        market, moved = order.market, abs(price - (order.price or 0))
        is_young = self._clock.now - order.priced_at < PATIENT
        if not lots or moved > FAR * market.grid:
            self._connection.cancel(order)
            return
        stays = not moved or (order.leaves == lots and moved <= market.grid and is_young)
        lots = min(lots, self._risk.room(market, order.side, reduce_only=order.reduce_only, aside=order))
        if stays or lots <= 0 or not self._connection.may_send("replace"):
            return
        if not self._halts.any(market.symbol) and not self._meets_own(market.symbol, order.side, price):
            self._connection.replace(order, price=price, qty=order.cum + lots, expires=expires)

    def _is_allowed_again(self, desk: Desk) -> bool:
        return not desk.rejected or self._clock.now - desk.rejected_at >= BACKOFF * 2 ** (desk.rejected - 1)

    def _meets_own(self, symbol: str, side: str, price: int) -> bool:
        """Whether an order of the bot's own would stand in the way."""
        prices = [
            other.price
            for other in self._orders.live(symbol)
            if other.side != side and other.price is not None and other.state in ("NEW", "PARTIALLY_FILLED")
        ]
        return any(price >= other if side == "buy" else price <= other for other in prices)

    def _record_quote(
        self, market: Market, quote: Quote, wanted: dict[tuple[str, int], int], mid: Decimal,
        best: tuple[Decimal, Decimal], expires: int | None,
    ) -> None:  # fmt: skip
        view, bid_lots, ask_lots = (
            self._known.views[market.symbol],
            wanted["buy", quote.level],
            wanted["sell", quote.level],
        )
        row: Row = {
            "ts_local": self._clock.now,
            "symbol": market.symbol,
            "fair_value": quote.fair,
            "level": quote.level,
        }
        if bid_lots:
            row |= {"bid": market.price(quote.bid), "bid_qty": market.qty(bid_lots)}
        if ask_lots:
            row |= {"ask": market.price(quote.ask), "ask_qty": market.qty(ask_lots)}
        row |= {"half_spread": quote.half_spread, "mid": mid, "skew": quote.skew, "volatility": quote.volatility}
        row |= {"best_bid": best[0], "best_ask": best[1], "state": quote.state, "ts_expires": expires}
        self._record("quotes", row | {"book_seq": view.seq, "book_ts_exchange": view.ts_exchange})

    def record_halt(self, symbol: str) -> None:
        """Record that a symbol is not quoted."""
        for level in range(LEVELS):
            row = {"ts_local": self._clock.now, "symbol": symbol, "level": level, "state": "halted"}
            self._record("quotes", row)

    def _record_pass(self, received: int) -> None:
        self._passes += 1
        book = received + 4_000 + self._rng.randrange(9_000)
        signal = book + 5_000 + self._rng.randrange(12_000)
        row = {"path_id": f"p{self._passes}", "ts_receive": received, "ts_book": book, "ts_signal": signal}
        self._record("latency", row | {"ts_send": self._clock.now, "blocked_us": 0, "allocations": 0, "log_us": 0})

    # Taking

    def close(self, symbol: str, side: str) -> None:
        """Close the position at the market: a stop has fired."""
        market = self._known.markets[symbol]
        lots = abs(market.lots(self._known.position(symbol)))
        self._take(market, side, lots, price=None, reduce_only=True)

    def _consider_hedge(self, symbol: str) -> None:
        """Pull the quotes of a symbol whose position has grown too large; once they are gone, take the other side."""
        market = self._known.markets[symbol]
        lots = market.lots(self._known.position(symbol))
        if abs(lots) >= HEDGE_UNITS * UNIT[market.kind] and not self._halts.any(symbol):
            self._halts.add("hedging", symbol)
            self._hedge(symbol, self._clock.now + HEDGE_PATIENCE)

    def _hedge(self, symbol: str, deadline: int) -> None:
        market, desk = self._known.markets[symbol], self._desks[symbol]
        if any(True for _ in self._orders.live(symbol)) and self._clock.now < deadline:
            self._clock.after(20 * MILLISECOND, partial(self._hedge, symbol, deadline))
            return
        self._risk.check_all(symbol)
        lots, view = market.lots(self._known.position(symbol)), self._known.views[symbol]
        bid, ask = view.best()
        side, best, sign = ("sell", bid, -1) if lots > 0 else ("buy", ask, 1)
        if self._clock.now < deadline and lots and best is not None and not self._halts.others(symbol, "hedging"):
            desk.hedges += 1
            beyond = 0 if self._risk.reduce_only(symbol) or desk.hedges % 2 else UNIT[market.kind]
            price = int(best / market.tick_size) + sign * market.ticks(100 * HEDGE_REACH)
            self._take(market, side, abs(lots) + beyond, price=price, reduce_only=not beyond)
        self._end_hedge(symbol)

    def _end_hedge(self, symbol: str) -> None:
        """Quote again once the hedge is done, so that no quote meets it."""
        if any(order.tif == "IOC" for order in self._orders.live(symbol)):
            self._clock.after(20 * MILLISECOND, partial(self._end_hedge, symbol))
        else:
            self._halts.remove("hedging", symbol)

    def _take(self, market: Market, side: str, lots: int, *, price: int | None, reduce_only: bool) -> None:
        intent = "close_long" if side == "sell" else "close_short"
        order = Order(
            self._orders.new_id(), market, side, price, lots, intent, type="limit" if price else "market", tif="IOC",
            reduce_only=reduce_only,
        )  # fmt: skip
        if lots:
            self._submit(order)

    def _submit(self, order: Order) -> bool:
        """Send a new order if the breakers, the limits and the rate limit let it through."""
        symbol = order.market.symbol
        self._risk.check_all(symbol)
        halted = self._halts.hard(symbol) or (not order.reduce_only and self._halts.others(symbol, "hedging"))
        sent = not halted and self._connection.may_send("order") and self._risk.allows(order)
        if sent:
            self._connection.submit(order)
        return sent
