"""The market maker: takes in what the venue tells it, keeps its parts informed, and records what it did.

It knows only what has arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from random import Random

from mmverify.simulate.claims import Claims
from mmverify.simulate.clock import MILLISECOND, SECOND, Clock
from mmverify.simulate.connection import POLL, Connection
from mmverify.simulate.feed import Message
from mmverify.simulate.gateway import Gateway
from mmverify.simulate.halts import HARD, Halts
from mmverify.simulate.knowledge import Knowledge
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.orders import Order, Orders
from mmverify.simulate.policy import PARAMETERS
from mmverify.simulate.record import Recorder
from mmverify.simulate.risk import Risk
from mmverify.simulate.stops import Stops
from mmverify.simulate.trader import Trader

WARM_UP, LAST = 3 * SECOND, 5 * SECOND
BEFORE_MAINTENANCE, AFTER_MAINTENANCE = 1500 * MILLISECOND, 200 * MILLISECOND
EQUITY_PERIOD = 10 * SECOND
SNAPSHOT_PATIENCE = SECOND
ENDED = {"expire": "EXPIRED", "exchange_cancel": "CANCELED", "liquidation": "CANCELED"}


class Bot:
    """The market maker.

    Parameters
    ----------
    conventions : Mapping of str to str
        How it computes what it claims, as the session's [conventions] state it.
    maintenance : Sequence of (int, int)
        The windows that the venue has announced. [ns]
    """

    def __init__(
        self, clock: Clock, rng: Random, gateway: Gateway, *, conventions: Mapping[str, str],
        markets: Mapping[str, Market], maintenance: Sequence[tuple[int, int]], record: Recorder,
    ) -> None:  # fmt: skip
        self.clock, self.rng, self.record, self.markets, self.maintenance = clock, rng, record, markets, maintenance
        self.known = Knowledge(markets, conventions)
        self.orders = Orders(clock, record, list(markets))
        self.risk = Risk(clock, self.known, self.orders, record, on_reduce=self._on_reduce)
        self.connection = Connection(
            clock, gateway, self.orders, record, on_message=self.risk.on_message, on_reject=self._on_reject,
            on_answer=self._on_answer,
        )  # fmt: skip
        self.halts = Halts(markets, on_halt=self._on_halt, on_resume=self._on_resume)
        self.risk.halts = self.connection.halts = self.halts
        self.trader = Trader(clock, rng, self.known, self.orders, self.connection, self.risk, self.halts, record)
        self.stops = Stops(clock, self.known, self.halts, record, close=self.trader.close)
        self.claims = Claims(clock, rng, self.known, record)
        self._seen: set[str] = set()

    def start(self) -> None:
        """Connect, and put on the clock what recurs."""
        for channel in ("market_data", "orders"):
            self.record("connection", {"ts_local": self.clock.now, "channel": channel, "event": "connect"})
        self.halts.add("start")
        self.clock.after(WARM_UP, partial(self.halts.remove, "start"))
        self.clock.at(self.clock.end - LAST, self._shut_down)
        for start, end in self.maintenance:
            self.clock.at(start - BEFORE_MAINTENANCE, partial(self.halts.add, "maintenance"))
            self.clock.at(end + AFTER_MAINTENANCE, partial(self.halts.remove, "maintenance"))
        self.clock.every(EQUITY_PERIOD, self.risk.claim_equity, rng=self.rng)
        self.clock.every(POLL, self._poll, rng=self.rng)
        self.risk.start()
        self.trader.start()
        self.claims.start()

    def _shut_down(self) -> None:
        """Withdraw everything before the session ends."""
        row = {"ts_local": self.clock.now, "channel": "orders", "event": "safe_shutdown", "detail": "end of session"}
        self.record("connection", row)
        self.halts.add("shutdown")

    def _poll(self) -> None:
        if not self.halts.has("maintenance", next(iter(self.markets))):
            self.connection.poll()

    # Halts

    def _on_halt(self, symbol: str, reason: str, cancel: bool) -> None:
        self.trader.record_halt(symbol)
        if reason in HARD:
            self.stops.disarm(symbol)
        if cancel:
            self._withdraw(symbol)

    def _withdraw(self, symbol: str) -> None:
        for order in list(self.orders.live(symbol)):
            if order.tif != "IOC":
                self.connection.cancel(order)

    def _on_resume(self, symbol: str) -> None:
        self.stops.update(symbol)
        self.trader.wake(symbol)

    def _on_reduce(self, symbol: str) -> None:
        """Quote anew, from now on only to reduce, or to reduce no longer."""
        self._withdraw(symbol)
        self.trader.wake(symbol)

    def pause(self, symbol: str, duration: int) -> None:
        """Stop quoting a symbol for a while, as the operator asks. [ns]"""
        self.halts.add("operator", symbol)
        self.clock.after(duration, partial(self.halts.remove, "operator", symbol))

    def configure(self, name: str, new: str) -> None:
        """Change a parameter that may change while running; a critical one only while nothing is quoted."""
        critical, hot = PARAMETERS[name][-2:]
        if not hot:
            self._configured(name, new, accepted=False, paused=False)
        elif not critical:
            self._configured(name, new, accepted=True, paused=False)
        else:
            self.halts.add("paused")
            self._configure_when_paused(name, new)

    def _configure_when_paused(self, name: str, new: str) -> None:
        if any(True for _ in self.orders.live()):
            self.clock.after(50 * MILLISECOND, partial(self._configure_when_paused, name, new))
        else:
            self._configured(name, new, accepted=True, paused=True)
            self.clock.after(200 * MILLISECOND, partial(self.halts.remove, "paused"))

    def _configured(self, name: str, new: str, *, accepted: bool, paused: bool) -> None:
        row: Row = {"ts_local": self.clock.now, "name": name, "old": self.trader.parameters[name], "new": new}
        self.record("config_events", row | {"by": "operator", "accepted": accepted, "quotes_paused": paused})
        if accepted:
            self.trader.parameters[name] = Decimal(new)

    # Market data

    def on_market(self, message: Message) -> None:
        """Take in a message of the market data channel: once, whole, or not at all."""
        if not self.connection.up["market_data"]:
            return
        applied = message.complete and message.message_id not in self._seen
        self._note(message, applied=applied)
        if not applied:
            return
        self._seen.add(message.message_id)
        rows = self._arrived(message)
        if message.table == "book":
            self._on_book(rows)
        for row in rows:
            if message.table == "trades":
                self.record("bot_trades", self.known.see_trade(row))
            elif message.table == "marks":
                self.known.marks[row["symbol"]] = row
                self.risk.check_all(row["symbol"])
                self.stops.watch(row["symbol"])
            elif message.table == "rates":
                self.known.rates[row["asset"], row["currency"]] = row["rate"]
        if message.table == "rates" and self.known.wallet:
            self.risk.claim_equity()

    def _note(self, message: Message, *, applied: bool) -> None:
        row: Row = {"ts_local": self.clock.now, "channel": message.channel, "message_id": message.message_id}
        row |= {"complete": message.complete, "applied": applied, "ts_exchange": message.ts_exchange}
        self.record("messages", row)

    def _arrived(self, message: Message) -> list[Row]:
        rows = [{**row, "ts_local": self.clock.now} for row in message.rows]
        for row in rows:
            if message.table != "reports":
                self.record(message.table, row)
        return rows

    def _on_book(self, rows: list[Row]) -> None:
        symbol = rows[0]["symbol"]
        view = self.known.views[symbol]
        waited = view.waiting
        self.risk.check("stale", symbol)
        self.known.see_book(symbol, rows)
        if view.waiting and not waited:
            self._resync(symbol)
        elif waited and not view.waiting:
            self._resync_row(symbol, "resync_done")
            self.halts.remove("resync", symbol)
        if not view.waiting:
            self.stops.watch(symbol)
            self.trader.on_book(symbol)

    def _resync(self, symbol: str) -> None:
        self.known.views[symbol].wait()
        self._resync_row(symbol, "resync_start")
        self.halts.add("resync", symbol, cancel=False)
        self._ask_again(symbol)

    def _ask_again(self, symbol: str) -> None:
        """Ask for a snapshot until it is there."""
        if self.known.views[symbol].waiting and self.connection.up["market_data"]:
            self.connection.ask_depth(symbol)
            self.clock.after(SNAPSHOT_PATIENCE, partial(self._ask_again, symbol))

    def _resync_row(self, symbol: str, event: str) -> None:
        row = {"ts_local": self.clock.now, "channel": "market_data", "event": event, "detail": symbol}
        self.record("connection", row)

    def restore_market_data(self) -> None:
        """Take market data up again: nothing is quoted before each book was sent anew."""
        self.connection.restore("market_data")
        for symbol in self.markets:
            self._resync(symbol)
        self.halts.remove("market_data")

    # Orders and account

    def on_private(self, message: Message) -> None:
        """Take in a message of the order channel."""
        self._note(message, applied=True)
        rows = self._arrived(message)
        for row in rows:
            if message.table == "fills":
                self._on_fill(row)
            elif message.table == "reports":
                self._on_report(row)
            elif message.table == "funding":
                self.known.receive_funding(row)
            elif message.table == "transfers":
                self.known.receive_transfer(row)
            elif message.table == "balances":
                self.known.wallet.setdefault(row["asset"], row["total"])
        if message.table == "fills":
            for symbol in dict.fromkeys(row["symbol"] for row in rows):
                self._after_fills(symbol)
        elif message.table == "positions":
            self.connection.confirmed()

    def _on_fill(self, row: Row) -> None:
        booked, market = self.known.book(row), self.markets[row["symbol"]]
        order = self.orders.get(row["client_order_id"])
        extra = {"exec_id": row["exec_id"], "ts_exchange": row["ts_exchange"]}
        if order is None:
            order = self._adopt(row)
        if booked is None:
            self.orders.event(order, "partial_fill" if order.cum < order.qty else "fill", order.state, **extra)
            return
        worth = booked.qty / booked.price if market.kind == "inverse" else booked.qty * booked.price
        lots = market.lots(booked.qty)
        if row["correction_of"]:
            was = self.known.booked(row["correction_of"])
            worth -= was.qty / was.price if market.kind == "inverse" else was.qty * was.price
            self.orders.restate(order, qty=lots - market.lots(was.qty), worth=worth, **extra)
        else:
            self.orders.fill(order, qty=lots, worth=worth, **extra)
        if row["kind"] in ("liquidation", "adl"):
            self.risk.on_forced(row["kind"], row["symbol"], row["qty"])

    def _adopt(self, row: Row) -> Order:
        """An order that the venue has opened in the bot's name."""
        order = Order(
            row["client_order_id"], self.markets[row["symbol"]], row["side"], None, row["order_qty"],
            "close_long" if row["side"] == "sell" else "close_short", type="market", tif="IOC", reduce_only=True,
            order_id=row["order_id"], origin="exchange", state="NEW", acknowledged=True,
        )  # fmt: skip
        self.orders.add(order)
        return order

    def _after_fills(self, symbol: str) -> None:
        self.claims.position(symbol)
        self.risk.check("position", symbol)
        self.stops.update(symbol)
        self.trader.wake(symbol)

    def _on_report(self, row: Row) -> None:
        if row["event"] == "reconcile":
            self.connection.reconcile(row)
            return
        order = self.orders.get(row["client_order_id"])
        if order and order.live:
            extra = {"ts_exchange": row["ts_exchange"], "reason": row["reason"], "origin": "exchange"}
            self.orders.event(order, row["event"], ENDED[row["event"]], **extra)
            self._on_answer(order)

    def _on_answer(self, order: Order) -> None:
        self.trader.on_answer(order)

    def _on_reject(self, order: Order) -> None:
        self.trader.on_reject(order.market.symbol)
        self.risk.on_reject()
