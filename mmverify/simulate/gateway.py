"""Order entry: requests and their answers, private reports, and all that a venue does to those who send them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock, Wire
from mmverify.simulate.feed import Feed, Message
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.matching import OPPOSITE, Book, Order

if TYPE_CHECKING:
    from mmverify.simulate.account import Account

CANCEL_ON_DISCONNECT = 200 * MILLISECOND
OVERLOADED = 1300 * MILLISECOND  # how long the venue answers 503
RETRY_AFTER = 1200  # [ms]
CODES = {
    "unknown order": "-2011",
    "insufficient margin": "-2010",
    "post only order would take": "-5022",
    "too many requests": "-1003",
    "overloaded": "-1008",
    "under maintenance": "-1016",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What the bot asks for; prices in ticks, quantities in lots, expiry by the venue's clock (0 for none)."""

    endpoint: str
    symbol: str = ""
    client_order_id: str = ""
    orig_client_order_id: str = ""
    side: str = ""
    price: int | None = None
    qty: int = 0
    tif: str = "GTC"
    post_only: bool = False
    expires: int = 0
    order_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue answers."""

    status: int = 200
    reason: str = ""
    order_id: str = ""
    retry_after_ms: int | None = None
    ts_exchange: int = 0
    code: str = ""


class Gateway:
    """The venue's order entry.

    Parameters
    ----------
    trade : Callable
        The venue's matching: symbol, side, lots, limit and taker.
    """

    account: Account
    private: Callable[[Message], None]  # the bot's, called with each report

    def __init__(
        self, clock: Clock, wire: Wire, rng: Random, *, markets: Mapping[str, Market], books: Mapping[str, Book],
        feed: Feed, trade: Callable[..., int],
    ) -> None:  # fmt: skip
        self._clock, self._wire, self._rng, self._feed = clock, wire, rng, feed
        self._markets, self._books, self._trade = markets, books, trade
        self.orders: dict[str, Order] = {}
        self.connected = True
        self.maintenance: Sequence[tuple[int, int]] = ()
        self._backlog: list[Message] = []
        self._resting: dict[Order, None] = {}
        self._tricks: dict[str, list[tuple[str, Callable[[Order], None] | None]]] = defaultdict(list)
        self._refusing: dict[str, int] = defaultdict(int)
        self._overloaded = self._lag = self._lag_until = 0
        self._messages = self._numbers = 0

    # What may go wrong

    def arrange(self, endpoint: str, trick: str, act: Callable[[Order], None] | None = None) -> None:
        """Play a trick on the next request: lost, unanswered, refused, limited, overload; or `act` on its order."""
        self._tricks[endpoint].append((trick, act))

    def refuse(self, symbol: str, duration: int) -> None:
        """Refuse all new orders of a market for a while. [ns]"""
        self._refusing[symbol] = self._clock.now + duration

    def lag(self, delay: int, duration: int) -> None:
        """Report executions late for a while. [ns]"""
        self._lag, self._lag_until = delay, self._clock.now + duration

    def disconnect(self) -> None:
        """Lose the bot's order channel; soon after, all that rests of the bot's is cancelled."""
        self.connected = False
        self._clock.after(CANCEL_ON_DISCONNECT, partial(self.cancel_all, "", "exchange_cancel", "cancel on disconnect"))

    def reconnect(self) -> None:
        """Take the bot's channel up again and send what it has missed."""
        self.connected = True
        missed, self._backlog = self._backlog, []
        for message in missed:
            self._private(message)

    def cancel_all(self, symbol: str, event: str, reason: str) -> None:
        """Cancel what rests of the bot's on a market, or on all."""
        for order in self.resting(symbol):
            self._books[order.symbol].remove(order)
            self._end(order, "CANCELED", event, reason)
            self._feed.publish(order.symbol)

    def resting(self, symbol: str = "") -> list[Order]:
        """The bot's orders that rest on a market, or on all."""
        self._resting = {order: None for order in self._resting if order.state == "NEW"}
        return [order for order in self._resting if symbol in ("", order.symbol)]

    # Requests

    def request(self, request: Request, respond: Callable[[Answer], None]) -> None:
        """Carry a request to the venue, and its answer back."""
        self._wire.carry(partial(self._receive, request, respond), stream="requests")

    def _receive(self, request: Request, respond: Callable[[Answer], None]) -> None:
        if not self.connected:
            return
        trick, act = self._tricks[request.endpoint].pop(0) if self._tricks[request.endpoint] else ("", None)
        if act and request.orig_client_order_id in self.orders:
            act(self.orders[request.orig_client_order_id])
        if trick == "lost":
            return
        if trick == "overload":
            self._overloaded = self._clock.now + OVERLOADED
        if trick == "limited":
            answer = self._refusal("too many requests", 429, RETRY_AFTER)
        elif trick == "refused":
            answer = self._refusal("insufficient margin")
        elif self._clock.now < self._overloaded:
            answer = self._refusal("overloaded", 503)
        elif any(start <= self._clock.venue_now < end for start, end in self.maintenance):
            answer = self._refusal("under maintenance", 503)
        else:
            answer = self._execute(request)
        if trick != "unanswered":
            stamped = replace(answer, ts_exchange=self._clock.venue_now)
            self._wire.carry(partial(self._arrive, respond, stamped), stream="answers")
        if answer.status == 200:
            self._follow_up(request)

    def _refusal(self, reason: str, status: int = 400, retry_after_ms: int | None = None) -> Answer:
        return Answer(status, reason, retry_after_ms=retry_after_ms, code=CODES[reason])

    def _execute(self, request: Request) -> Answer:
        if request.endpoint == "order":
            return self._order(request)
        if request.endpoint == "replace":
            return self._replace(request)
        if request.endpoint == "cancel":
            return self._cancel(request)
        if request.endpoint == "query":
            self._report_states(request.order_ids)
        return Answer()

    def _follow_up(self, request: Request) -> None:
        """What happens behind the answer."""
        if request.endpoint == "order":
            self._enter(self.orders[request.client_order_id], request)
        elif request.endpoint == "depth":
            self._feed.answer(request.symbol)

    def _arrive(self, respond: Callable[[Answer], None], answer: Answer) -> None:
        if self.connected:
            respond(answer)

    def _order(self, request: Request) -> Answer:
        if self._clock.now < self._refusing[request.symbol]:
            return self._refusal("insufficient margin")
        if request.post_only and self._crosses(request):
            return self._refusal("post only order would take")
        order = self._new(request.symbol, request.side, request.qty, request.client_order_id, request.price or 0)
        return Answer(order_id=order.order_id)

    def _enter(self, order: Order, request: Request) -> None:
        """What crosses trades at once, the rest rests; of a post only order nothing crosses."""
        if not request.post_only:
            self._trade(order.symbol, order.side, order.qty, request.price, order)
        if not order.leaves:
            order.state = "FILLED"
        elif request.tif == "IOC":
            self._end(order, "EXPIRED", "expire", "nothing left to trade with at once")
        else:
            self._books[order.symbol].add(order)
            self._resting[order] = None
            self._expire_at(order, request.expires)
        self._feed.publish(order.symbol)

    def _replace(self, request: Request) -> Answer:
        order = self.orders.get(request.orig_client_order_id)
        if order is None or order.state != "NEW" or request.qty <= order.filled:
            return self._refusal("unknown order")
        if self._crosses(request):
            return self._refusal("post only order would take")
        leaves = request.qty - order.filled
        order.qty, order.client_order_id = request.qty, request.client_order_id
        self._books[order.symbol].amend(order, price=request.price or 0, leaves=leaves)
        self.orders[request.client_order_id] = order
        self._expire_at(order, request.expires)
        self._feed.publish(order.symbol)
        return Answer(order_id=order.order_id)

    def _cancel(self, request: Request) -> Answer:
        order = self.orders.get(request.orig_client_order_id)
        if order is None or order.state != "NEW":
            return self._refusal("unknown order")
        self._books[order.symbol].remove(order)
        order.state = "CANCELED"
        self._feed.publish(order.symbol)
        return Answer(order_id=order.order_id)

    def _report_states(self, names: Sequence[str]) -> None:
        """Report the state of orders, behind all executions so far; where none is asked for, the whole account."""
        if names:
            self.tell("reports", [self._status(name) for name in names])
        else:
            self.account.publish()

    def _crosses(self, request: Request) -> bool:
        best, price = self._books[request.symbol].best(OPPOSITE[request.side]), request.price or 0
        return best is not None and (price >= best if request.side == "buy" else price <= best)

    # Orders

    def take_over(self, symbol: str, side: str, lots: int, reason: str) -> Order:
        """Cancel what rests of the bot's on a market and open an order of the venue's own in the bot's name."""
        self.cancel_all(symbol, "liquidation", reason)
        return self._new(symbol, side, lots, f"{reason}-{self._numbers + 1}", 0)

    def _new(self, symbol: str, side: str, lots: int, client_order_id: str, price: int) -> Order:
        self._numbers += 1
        order = Order(side, price, lots, lots, client_order_id, f"o{self._numbers}", symbol)
        self.orders[client_order_id] = order
        return order

    def _expire_at(self, order: Order, expires: int) -> None:
        order.expires = expires
        if expires:
            self._clock.at_venue(expires, partial(self._expire, order, expires))

    def _expire(self, order: Order, expires: int) -> None:
        if order.state == "NEW" and order.expires == expires:
            self._books[order.symbol].remove(order)
            self._end(order, "EXPIRED", "expire", "good till date")
            self._feed.publish(order.symbol)

    def _end(self, order: Order, state: str, event: str, reason: str) -> None:
        order.state = state
        self.tell("reports", [{**self._status(order.client_order_id), "event": event, "reason": reason}])

    def _status(self, client_order_id: str) -> Row:
        order = self.orders.get(client_order_id)
        row: Row = {"event": "reconcile", "asked": client_order_id, "ts_exchange": self._clock.venue_now}
        if order is None:
            return row | {"client_order_id": client_order_id, "state": "REJECTED", "reason": "never arrived"}
        state = "PARTIALLY_FILLED" if order.state == "NEW" and order.filled else order.state
        row |= {"client_order_id": order.client_order_id, "order_id": order.order_id, "state": state, "reason": None}
        return row | {"price": order.price, "qty": order.qty}

    # Reports

    def report(self, fills: list[Row]) -> None:
        """Report executions: now and then twice."""
        self.tell("fills", fills, delay=self._lag if self._clock.now < self._lag_until else 0)
        if self._rng.randrange(25) == 0:
            again = [{**fills[-1]}]
            self._clock.after(self._rng.randrange(50 * MILLISECOND, SECOND), partial(self.tell, "fills", again))

    def tell(self, table: str, rows: list[Row], delay: int = 0) -> None:
        """Send a private message: after all answers sent so far, in order."""
        self._messages += 1
        message = Message("orders", f"pm-{self._messages}", table, rows, self._clock.venue_now)
        self._wire.carry(partial(self._private, message), stream="private", behind="answers", delay=delay)

    def _private(self, message: Message) -> None:
        if self.connected:
            self.private(message)
        else:
            self._backlog.append(message)
