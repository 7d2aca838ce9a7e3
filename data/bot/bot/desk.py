"""Keeps the orders at the venue as the engine's quote asks, within the limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bot.accounting import Position, drawdown, notional
from bot.engine import Engine
from bot.gateway import DryRun, Venue
from bot.logs import LOG
from bot.orders import DONE, Order, order_id
from bot.prices import SIDES
from bot.risk import Breaker, RateLimiter, exposure

#: An order and the cancel that it will need one day.
ORDER_WEIGHT = 2
SECOND_NS = 1_000_000_000
#: Orders that are remembered after their end, for fills that come late.
KEPT = 10_000


class Desk:
    """At most one working order a side; a new one only once the old one is known to be done."""

    def __init__(self, engine: Engine, venue: DryRun | Venue) -> None:
        self._engine, self._venue, settings = engine, venue, engine.settings
        self.position = Position("linear", 1, "fifo")
        self.breaker = Breaker(settings.max_drawdown, int(settings.breaker_cooldown_s) * SECOND_NS)
        limit = settings.rate_limit * (1 - settings.rate_margin)
        self._limiter = RateLimiter(limit, int(settings.rate_window_s) * SECOND_NS)
        self._orders: dict[str, Order] = {}
        self._newest: dict[str, str] = {}  # by side
        self._high_water = Decimal(0)

    def follow(self, now_ns: int) -> None:
        """Cancel what the quote no longer asks for, and place what it does."""
        quote = self._engine.quote
        self._follow_side("buy", quote.bid, quote.bid_qty, now_ns)
        self._follow_side("sell", quote.ask, quote.ask_qty, now_ns)

    def halt(self, reason: str) -> None:
        """Stop quoting and cancel every order; only a restart undoes it."""
        LOG.error("halted: %s", reason)
        self._engine.halted = True
        self._engine.withdraw()
        for working in filter(None, map(self._working, SIDES)):
            self._cancel(working)

    def on_report(self, report: Mapping[str, Any]) -> None:
        """Take a report of the venue; a fill moves the position even when its order is done."""
        order = self._orders.get(report["client_order_id"])
        if order is None:
            self.halt("a report of an order that is not known")
            return
        terms = {key: report[key] for key in ("qty", "price", "exec_id") if key in report}
        try:
            order.on_report(report["event"], **terms)
            if report["event"] in ("fill", "partial_fill"):
                self.position.fill(report["exec_id"], order.side, report["price"], report["qty"], report["fee"])
                self._engine.position = self.position.qty
        except (ValueError, LookupError) as error:
            self.halt(f"a report that does not fit its order: {error}")

    def on_equity(self, now_ns: int, equity: Decimal) -> None:
        """Watch the drawdown from the highest equity of the run."""
        self._high_water = max(self._high_water, equity)
        self.breaker.update(now_ns, drawdown([self._high_water, equity])[1])
        if self.breaker.tripped and not self._engine.halted:
            self.halt("drawdown")

    def _follow_side(self, side: str, price: Decimal, qty: Decimal, now_ns: int) -> None:
        working = self._working(side)
        if working is not None:
            order = self._orders[working]
            if not qty or (order.price, order.leaves_qty) != (price, qty):
                self._cancel(working)
            if order.state not in DONE:
                return
        if qty and not self._engine.halted and self._fits(side, price, qty):
            self._place(side, price, qty, now_ns)

    def _working(self, side: str) -> str | None:
        """Give the side's order that is not known to be done."""
        newest = self._newest.get(side)
        return None if newest is None or self._orders[newest].state in DONE else newest

    def _fits(self, side: str, price: Decimal, qty: Decimal) -> bool:
        settings = self._engine.settings
        working = [self._orders[name] for name in map(self._working, SIDES) if name is not None]
        left = [(order.side, order.leaves_qty) for order in working]
        longest, shortest = exposure(self.position.qty, [*left, (side, qty)])
        worst = longest if side == "buy" else -shortest
        room = worst <= settings.max_position and len(left) < settings.max_open_orders
        return room and (worst <= 0 or notional(price, worst) <= settings.max_notional)

    def _place(self, side: str, price: Decimal, qty: Decimal, now_ns: int) -> None:
        if not self._limiter.allow(now_ns, ORDER_WEIGHT):
            return
        client_order_id, order = order_id(), Order(side, price, qty)
        self._orders[client_order_id] = order
        self._newest[side] = client_order_id
        self._answered(order, self._venue.place(client_order_id, side, price, qty))
        oldest = next(iter(self._orders))
        if len(self._orders) > KEPT and self._orders[oldest].state in DONE:
            del self._orders[oldest]

    def _cancel(self, client_order_id: str) -> None:
        order = self._orders[client_order_id]
        if order.state != "PENDING_CANCEL":
            order.on_report("cancel_request")
            self._answered(order, self._venue.cancel(client_order_id))

    def _answered(self, order: Order, event: str) -> None:
        order.on_report(event)
        if event == "timeout" and not self._engine.halted:
            self.halt("a request without answer; reconcile by the runbook")
