"""Position, Order, Book, RateLimiter and Breaker as the contract has them, for the corpus alone: every history is replayed."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

from arithmetic import KINDS, Ledger, Refused, average, need, num, positive, size
from corpus import rounded

ERROR = "error"
OPEN = ("PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE")
DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")


def play_position(calls: list[dict[str, str]], kind: str, multiplier: str, cost_basis: str) -> tuple[list[Any], dict[str, F]]:
    """Return the state after each call, and the sizes of the terms that each field is made of."""
    book = Ledger(kind, multiplier, cost_basis)
    states: list[Any] = []
    sizes = {"qty": F(0), "avg_px": F(0), "realized": F(0), "fees": F(0)}
    for call in calls:
        arguments = {key: value for key, value in call.items() if key != "call"}
        before = list(book.lots), book.direction, book.realized, book.fees, book.terms
        try:
            book.fill(**arguments)
        except Refused:
            assert before == (list(book.lots), book.direction, book.realized, book.fees, book.terms)
            states.append(ERROR)
            continue
        sizes["qty"] += F(call["qty"])
        sizes["fees"] += abs(F(call["fee"]))
        sizes["avg_px"] = max(sizes["avg_px"], 4 * F(call["price"]))
        states.append({"qty": book.qty, "avg_px": book.avg_px, "realized": book.realized, "fees": book.fees})
    sizes["realized"] = book.terms
    return states, {key: rounded(value, 3) if value else F(0) for key, value in sizes.items()}


class Order:
    """The map of legal states, with what is open kept beside the state."""

    def __init__(self, side: str, price: str, qty: str, kind: str) -> None:
        need(side in ("buy", "sell") and kind in KINDS)
        positive(price)
        self.kind, self.qty = kind, size(qty)
        self.state, self.acked = "PENDING_NEW", False
        self.cancel_open = self.replace_open = False
        self.fills: list[tuple[F, F]] = []
        self.seen: set[str] = set()

    @property
    def cum(self) -> F:
        return sum((qty for qty, _ in self.fills), F(0))

    def view(self) -> dict[str, Any]:
        leaves = F(0) if self.state in DONE else self.qty - self.cum
        return {"state": self.state, "cum_qty": self.cum, "leaves_qty": leaves, "avg_px": average(self.kind, self.fills) if self.fills else None}

    def working(self) -> str:
        return "PARTIALLY_FILLED" if self.fills else "NEW" if self.acked else "PENDING_NEW"

    def apply(self, event: str, qty: str | None = None, price: str | None = None, exec_id: str | None = None, cum_qty: str | None = None) -> None:
        state = self.state
        if event in ("partial_fill", "fill"):
            if exec_id in self.seen:
                return
            amount, at = size(qty), positive(price)
            need(self.cum + amount <= self.qty and state != "FILLED")
            need(state != "REJECTED" or event == "partial_fill")
            self.seen.add(exec_id)
            if not amount:
                return
            self.fills.append((amount, at))
            if state in OPEN:
                if self.cum == self.qty:
                    self.state = "FILLED"
                elif state not in ("PENDING_CANCEL", "PENDING_REPLACE"):
                    self.state = "PARTIALLY_FILLED"
        elif event == "ack":
            self.acked = True
            self.state = "NEW" if state == "PENDING_NEW" else state
        elif event == "reject":
            need(state in ("PENDING_NEW", "PENDING_CANCEL"))
            self.state = "REJECTED"
        elif event == "cancel_request":
            need(state in OPEN)
            self.state, self.cancel_open = "PENDING_CANCEL", True
        elif event == "cancel_ack":
            need(state in ("CANCELED", "EXPIRED") or (state in OPEN and self.cancel_open))
            self.state = "CANCELED" if state in OPEN else state
        elif event == "cancel_reject":
            need(state in DONE or self.cancel_open)
            self.cancel_open = False
            self.state = self.working() if state in OPEN else state
        elif event == "replace_request":
            need(state in ("NEW", "PARTIALLY_FILLED"))
            self.state, self.replace_open = "PENDING_REPLACE", True
        elif event == "replace_ack":
            need(self.replace_open and state in (*OPEN, "FILLED"))
            self.qty, self.replace_open = size(qty), False
            if state != "PENDING_CANCEL":
                self.state = "FILLED" if self.qty <= self.cum else self.working()
        elif event == "replace_reject":
            need(state in DONE or self.replace_open)
            self.replace_open = False
            if state in ("PENDING_REPLACE", "PARTIALLY_FILLED"):
                self.state = self.working()
        elif event == "expire":
            need(state in OPEN)
            self.state = "EXPIRED"
        elif event in ("exchange_cancel", "liquidation"):
            need(state in OPEN)
            self.state = "CANCELED"
        elif event == "timeout":
            need(state.startswith("PENDING"))
        else:
            raise Refused


def play_order(calls: list[dict[str, str]], kind: str, side: str, price: str, qty: str) -> list[Any]:
    order = Order(side, price, qty, kind)
    states: list[Any] = []
    for call in calls:
        before = order.view()
        try:
            order.apply(**{key: value for key, value in call.items() if key != "call"})
        except Refused:
            assert order.view() == before
            states.append(ERROR)
        else:
            states.append(order.view())
    return states


def play_book(calls: list[dict[str, Any]], depth: str | None) -> list[Any]:
    sides: dict[str, dict[F, F]] = {"bid": {}, "ask": {}}
    last: int | None = None
    synced = fresh = False
    states: list[Any] = []
    for call in calls:
        try:
            need(call["kind"] in ("snapshot", "delta"))
            levels = [(side, positive(price), size(qty)) for side, price, qty in call["levels"]]
            need(all(side in sides for side, _, _ in levels))
        except Refused:
            states.append(ERROR)
            continue
        seq = int(call["seq"])
        prev = int(call["prev_seq"]) if call["prev_seq"] is not None else seq - 1
        taken = call["kind"] == "snapshot"
        if taken:
            sides, synced, fresh = {"bid": {}, "ask": {}}, True, True
        elif synced:
            taken = prev == last or (fresh and prev <= last < seq)
            synced = taken or seq <= last
            fresh = fresh and not taken
        if taken:
            last = seq
            for side, price, qty in levels:
                sides[side].pop(price, None)
                if qty:
                    sides[side][price] = qty
        bids = sorted(sides["bid"].items(), reverse=True)
        asks = sorted(sides["ask"].items())
        if not synced or (bids and asks and bids[0][0] > asks[0][0]):
            states.append({"valid": False})
        else:
            deep = int(depth) if depth is not None else None
            states.append({"bids": [list(each) for each in bids[:deep]], "asks": [list(each) for each in asks[:deep]], "valid": True})
    return states


def play_limiter(calls: list[dict[str, str]], limit: str, window_ns: str) -> list[Any]:
    most, width = size(limit), int(window_ns)
    need(width > 0)
    granted: list[tuple[int, F]] = []
    answers: list[Any] = []
    for call in calls:
        now = int(call["ts_ns"])
        try:
            weight = size(call["weight"])
        except Refused:
            answers.append(ERROR)
            continue
        used = sum(each for ts, each in granted if now - width < ts <= now)
        answers.append(used + weight <= most)
        if answers[-1]:
            granted.append((now, weight))
    return answers


class Breaker:
    """Trips at or above its threshold; a reset works once the cool-down from the trip is over."""

    def __init__(self, threshold: str | F, cooldown_ns: str | int) -> None:
        self.threshold, self.cooldown = num(threshold), int(cooldown_ns)
        need(self.cooldown >= 0)
        self.tripped, self.since = False, 0

    def update(self, ts_ns: str | int, value: str) -> None:
        if not self.tripped and (value == "NaN" or F(value) >= self.threshold):
            self.tripped, self.since = True, int(ts_ns)

    def reset(self, ts_ns: str | int) -> None:
        if int(ts_ns) >= self.since + self.cooldown:
            self.tripped = False


def play_breaker(calls: list[dict[str, str]], threshold: str, cooldown_ns: str) -> list[Any]:
    made = Breaker(threshold, cooldown_ns)
    states = []
    for call in calls:
        if call["call"] == "update":
            made.update(call["ts_ns"], call["value"])
        else:
            made.reset(call["ts_ns"])
        states.append({"tripped": made.tripped})
    return states
