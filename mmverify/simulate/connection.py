"""The bot's side of order entry: requests within the rate limits, answers, time-outs, and coming back after a break."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock
from mmverify.simulate.gateway import Answer, Gateway, Request
from mmverify.simulate.halts import Halts
from mmverify.simulate.markets import Row
from mmverify.simulate.orders import Order, Orders
from mmverify.simulate.policy import RATE_LIMITS, TIMING, WEIGHTS
from mmverify.simulate.record import Recorder

POLL = 5 * SECOND
PROBES = [200 * MILLISECOND * 2**n for n in range(8)]  # pauses between probes of a venue that is overloaded
ACK_TIMEOUT, CANCEL_TIMEOUT = (TIMING[f"{name}_timeout_ms"] * MILLISECOND for name in ("ack", "cancel"))
SAFE_AFTER = TIMING["connection_timeout_ms"] * 3 // 4 * MILLISECOND


class Connection:
    """Sends the bot's requests.

    Parameters
    ----------
    on_message : Callable
        Called with each order message sent, and with whether it is a new order.
    on_reject : Callable
        Called with each order that was rejected.
    on_answer : Callable
        Called with an order once a request of it is answered or it is done.
    """

    def __init__(
        self, clock: Clock, gateway: Gateway, orders: Orders, record: Recorder, *,
        on_message: Callable[..., None], on_reject: Callable[[Order], None], on_answer: Callable[[Order], None],
    ) -> None:  # fmt: skip
        self._clock, self._gateway, self._orders, self._record = clock, gateway, orders, record
        self._on_message, self._on_reject, self._on_answer = on_message, on_reject, on_answer
        self.halts: Halts
        self.up = {"market_data": True, "orders": True}
        self._sent: dict[str, deque[tuple[int, int]]] = defaultdict(deque)
        self._blocked_until: dict[str, int] = defaultdict(int)
        self._overloaded = False
        self._requests = 0
        self._unconfirmed: set[str] | None = None

    # Requests

    def submit(self, order: Order) -> None:
        """Send a new order."""
        self._orders.add(order)
        self._orders.event(order, "submit", "PENDING_NEW")
        self._ask(order, Request(
            "order", order.market.symbol, order.client_order_id, "", order.side, order.price, order.qty, order.tif,
            order.post_only, order.expires or 0,
        ))  # fmt: skip

    def replace(self, order: Order, *, price: int, qty: int, expires: int | None) -> None:
        """Ask for another price or quantity: the order goes on under a new id if the venue agrees."""
        new = self._orders.new_id()
        order.asked = new, price, qty, expires
        self._orders.rename(order, new)
        market = order.market
        row: Row = {"client_order_id": new, "orig_client_order_id": order.client_order_id, "ts_expires": expires}
        row |= {"price": market.price(price), "qty": market.qty(qty), "leaves_qty": market.qty(qty - order.cum)}
        self._orders.event(order, "replace_request", "PENDING_REPLACE", **row)
        self._ask(order, Request(
            "replace", market.symbol, new, order.client_order_id, order.side, price, qty, order.tif, order.post_only,
            expires or 0,
        ))  # fmt: skip

    def cancel(self, order: Order) -> None:
        """Withdraw an order, as soon as that is possible."""
        order.unwanted = order.live
        if not order.live or order.state in ("PENDING_CANCEL", "PENDING_REPLACE") or not self.may_send("cancel"):
            return
        self._orders.event(order, "cancel_request", "PENDING_CANCEL")
        name = order.client_order_id
        self._ask(order, Request("cancel", order.market.symbol, name, name))

    def ask_depth(self, symbol: str) -> None:
        """Ask for a snapshot of a book, if that can be asked now."""
        if self.may_send("depth"):
            self._send(Request("depth", symbol), lambda answer: None)

    def may_send(self, endpoint: str) -> bool:
        """THE RATE RULE: what was sent in the window and this stay within the limit, less the margin kept free."""
        now, (limit, window_s, margin) = self._clock.now, RATE_LIMITS[endpoint]
        if not self.up["orders"] or self._overloaded or now < self._blocked_until[endpoint]:
            return False
        sent = self._sent[endpoint]
        while sent and sent[0][0] <= now - window_s * SECOND:
            sent.popleft()
        return sum(weight for _, weight in sent) + WEIGHTS.get(endpoint, 1) <= limit * (1 - margin)

    def flush(self) -> None:
        """Withdraw what is still to be withdrawn."""
        for order in list(self._orders.live()):
            if order.unwanted:
                self.cancel(order)

    def poll(self) -> None:
        """Ask the venue from time to time whether it is well."""
        if self.may_send("status"):
            self._send(Request("status"), lambda answer: None)

    def _ask(self, order: Order, request: Request) -> None:
        self._requests += 1
        order.awaiting = number = self._requests
        self._on_message(is_submit=request.endpoint == "order")
        self._send(request, partial(self._answered, order, request, number))
        timeout = CANCEL_TIMEOUT if request.endpoint == "cancel" else ACK_TIMEOUT
        self._clock.after(timeout, partial(self._time_out, order, number))

    def _send(self, request: Request, respond: Callable[[Answer], None]) -> None:
        now, weight = self._clock.now, WEIGHTS.get(request.endpoint, 1)
        self._sent[request.endpoint].append((now, weight))
        row: Row = {"ts_local": now, "endpoint": request.endpoint, "weight": weight}
        row["client_order_id"] = request.client_order_id
        self._record.hold("requests", row)
        self._gateway.request(request, partial(self._respond, request.endpoint, row, respond))

    def _respond(self, endpoint: str, row: Row, respond: Callable[[Answer], None], answer: Answer) -> None:
        row |= {"status": answer.status, "code": answer.code, "retry_after_ms": answer.retry_after_ms}
        row["ts_response"] = self._clock.now
        respond(answer)
        if answer.status == 429:
            self._wait(endpoint, (answer.retry_after_ms or 0) * MILLISECOND)
        elif answer.status == 503 and not self._overloaded:
            self._overloaded = True
            self.halts.add("overload", cancel=False)
            self._clock.after(PROBES[0], partial(self._probe, 0))

    def _wait(self, endpoint: str, duration: int) -> None:
        """Leave an endpoint alone for as long as the venue says, and a little longer."""
        until = self._clock.now + duration + 5 * MILLISECOND
        self._blocked_until[endpoint] = max(until, self._blocked_until[endpoint])
        self.halts.add("limited", cancel=False)
        self._clock.at(until, self._go_on)

    def _go_on(self) -> None:
        if all(until <= self._clock.now for until in self._blocked_until.values()):
            self.halts.remove("limited")
            self.flush()

    def _probe(self, n: int) -> None:
        """Ask an overloaded venue again, after ever longer pauses."""

        def respond(answer: Answer) -> None:
            if answer.status == 503:
                self._clock.after(PROBES[n + 1], partial(self._probe, n + 1))
            else:
                self._overloaded = False
                self.halts.remove("overload")
                self.flush()

        if self.up["orders"]:
            self._send(Request("status"), respond)

    # Answers

    def _answered(self, order: Order, request: Request, number: int, answer: Answer) -> None:
        if order.awaiting == number:
            order.awaiting = 0
        take = {"order": self._submitted, "replace": self._replaced, "cancel": self._cancelled}[request.endpoint]
        take(order, request, answer)
        if order.unwanted:
            self.cancel(order)
        self._on_answer(order)

    def _submitted(self, order: Order, request: Request, answer: Answer) -> None:
        extra = {"ts_exchange": answer.ts_exchange}
        if answer.status == 200:
            order.order_id, order.acknowledged = answer.order_id, True
            self._orders.event(order, "ack", "NEW" if order.state == "PENDING_NEW" else order.state, **extra)
        else:
            self._orders.event(order, "reject", "REJECTED", code=answer.code, reason=answer.reason, **extra)
            self._on_reject(order)

    def _replaced(self, order: Order, request: Request, answer: Answer) -> None:
        old, asked = order.client_order_id, order.asked
        order.asked = None
        pending = order.state == "PENDING_REPLACE"
        if answer.status == 200 and asked:
            order.client_order_id, order.price, order.qty, order.expires = asked
            state = order.resting_state() if pending else order.state
            self._orders.event(order, "replace_ack", state, ts_exchange=answer.ts_exchange, orig_client_order_id=old)
        else:
            state = order.resting_state() if pending else order.state
            row = {"client_order_id": request.client_order_id, "orig_client_order_id": old}
            row |= {"code": answer.code, "reason": answer.reason}
            self._orders.event(order, "replace_reject", state, ts_exchange=answer.ts_exchange, **row)
            self._doubt(order, answer)

    def _cancelled(self, order: Order, request: Request, answer: Answer) -> None:
        if answer.status == 200:
            state = "CANCELED" if order.live else order.state
            self._orders.event(order, "cancel_ack", state, ts_exchange=answer.ts_exchange)
            return
        state = order.state
        if order.state == "PENDING_CANCEL":
            state = order.resting_state() if order.acknowledged or order.cum else "PENDING_NEW"
        row = {"code": answer.code, "reason": answer.reason}
        self._orders.event(order, "cancel_reject", state, ts_exchange=answer.ts_exchange, **row)
        order.unwanted = order.unwanted and answer.reason != "unknown order"
        self._doubt(order, answer)

    def _doubt(self, order: Order, answer: Answer) -> None:
        """An order that the venue does not know is not taken as gone: its state is asked for."""
        if answer.reason == "unknown order":
            self.query([order.client_order_id])

    def _time_out(self, order: Order, number: int) -> None:
        """No answer came: the order counts as open until its state is known."""
        if order.awaiting != number or not self.up["orders"]:
            return
        order.awaiting = 0
        if order.state.startswith("PENDING"):
            self._orders.event(order, "timeout", order.state)
        self.query([order.client_order_id])

    def query(self, names: Sequence[str]) -> None:
        """Ask for the state of orders, or with none for the whole account; as soon as that is possible."""
        if self.may_send("query"):
            self._send(Request("query", order_ids=tuple(names)), lambda answer: None)
        elif self.up["orders"]:
            self._clock.after(PROBES[0], partial(self.query, names))

    def reconcile(self, row: Row) -> None:
        """Take an order as the venue has it."""
        order = self._orders.get(row["asked"])
        if order is not None:
            asked, order.asked, order.awaiting = order.asked, None, 0
            extra: Row = {"ts_exchange": row["ts_exchange"], "reason": row["reason"]}
            if asked and row["client_order_id"] == asked[0]:
                extra["orig_client_order_id"] = order.client_order_id
                order.client_order_id, order.price, order.qty, order.expires = asked
            order.order_id, order.acknowledged = row.get("order_id") or order.order_id, row["state"] != "REJECTED"
            self._orders.event(order, "reconcile", row["state"], **extra)
            if order.unwanted:
                self.cancel(order)
            self._on_answer(order)
        if self._unconfirmed is not None:
            self._unconfirmed.discard(row["asked"])
            self.confirmed()

    # Channels

    def lose(self, channel: str, event: str) -> None:
        """Note that a channel is gone: halt, withdraw what can be withdrawn, and shut down safely if it stays away."""
        self.up[channel] = False
        self._record("connection", {"ts_local": self._clock.now, "channel": channel, "event": event})
        if channel == "orders":
            self._unconfirmed = {order.client_order_id for order in self._orders.live()}
        self.halts.add(channel)
        if event == "timeout":
            self._clock.after(SAFE_AFTER, partial(self._shut_down, channel))

    def _shut_down(self, channel: str) -> None:
        if not self.up[channel]:
            row = {"ts_local": self._clock.now, "channel": channel, "event": "safe_shutdown"}
            self._record("connection", row | {"detail": "no orders until reconnect"})

    def restore(self, channel: str) -> None:
        """Take a channel up again; of the orders, first of all ask for the state of each that was open."""
        self.up[channel] = True
        self._record("connection", {"ts_local": self._clock.now, "channel": channel, "event": "reconnect"})
        if channel == "orders":
            self._overloaded = False
            self.query(sorted(self._unconfirmed or ()))

    def confirmed(self) -> None:
        """Go on once every order that was open is confirmed."""
        if self._unconfirmed is not None and not self._unconfirmed and self.up["orders"]:
            self._unconfirmed = None
            self.halts.remove("orders")
            self.flush()
