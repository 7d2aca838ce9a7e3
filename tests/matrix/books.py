"""Positions, books and money under other conventions than the contract's: exact arithmetic, one switch a convention."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction as F
from itertools import combinations
from typing import Any

Found = tuple[str, Any, float]
MONEY = 0.5e-8 * (1 + 1e-6)

#: In the order in which a label names them.
SWITCHES = (
    "average cost", "arithmetic entry", "flip keeps entry", "net of fees", "per cycle", "flip is two fills",
    "flat keeps entry", "repeat raises", "repeat by content", "any price", "8 places",
    "signed quantity", "NaN is no order",
)  # fmt: skip


class Bad(Exception):
    """The fill is refused."""


class Ledger:
    """Lots of one position, with the switches that are on."""

    def __init__(self, params: Mapping[str, Any], on: frozenset[str]) -> None:
        self.inverse = params["kind"] == "inverse"
        self.size = F(params["multiplier"])
        self.basis = "average" if "average cost" in on else params["cost_basis"]
        self.on = on
        self.lots: list[list[F]] = []
        self.way, self.entry = 0, None
        self.realized = self.fees = F(0)
        self.seen: set[tuple[str, ...]] = set()

    def fill(self, trade: str, side: str, price: str, qty: str, fee: str) -> None:
        """Book a fill."""
        key = (trade, side, price, qty) if "repeat by content" in self.on else (trade,)
        if key in self.seen:
            if "repeat raises" in self.on:
                raise Bad
            return
        try:
            at, left, cost = F(price), F(qty), F(fee)
        except ValueError:
            if "NaN is no order" in self.on:
                return
            raise Bad from None
        if left < 0 and "signed quantity" in self.on:
            side, left = {"buy": "sell", "sell": "buy"}[side], -left
        if side not in ("buy", "sell") or (at <= 0 and "any price" not in self.on) or left < 0:
            raise Bad
        if not self.lots and "per cycle" in self.on and self.seen:
            self.realized = self.fees = F(0)
        self.seen.add(key)
        way = 1 if side == "buy" else -1
        held = sum((lot[0] for lot in self.lots), F(0))
        if "flip is two fills" in self.on and self.way == -way and 0 < held < left:
            share = held / left
            self.book(way, at, held, cost * share)
            self.realized, self.fees = F(0), F(0)
            self.book(way, at, left - held, cost * (1 - share))
        else:
            self.book(way, at, left, cost)

    def book(self, way: int, at: F, left: F, cost: F) -> None:
        """Match against the open lots and open what is left."""
        old = self.average()
        closed = False
        while left and self.lots and way != self.way:
            lot = self.lots[-1 if self.basis == "lifo" else 0]
            part = min(lot[0], left)
            self.realized += self.gain(lot[1], at, part)
            lot[0], left, closed = lot[0] - part, left - part, True
            if not lot[0]:
                self.lots.remove(lot)
        if left:
            new = old if closed and "flip keeps entry" in self.on and old is not None else at
            self.lots.append([left, new])
            self.way = way
        if self.basis == "average" and self.lots:
            self.lots = [[sum((lot[0] for lot in self.lots), F(0)), self.average() or F(0)]]
        self.fees += cost
        self.realized -= cost if "net of fees" in self.on else 0
        self.entry = self.average() if self.lots else old if old is not None else self.entry

    def gain(self, entry: F, leave: F, qty: F) -> F:
        """Return what a part earned."""
        signed = qty * self.way * self.size
        if not self.inverse:
            return (leave - entry) * signed
        return (1 / entry - 1 / leave) * signed if entry and leave else F(0)

    def average(self) -> F | None:
        """Return the mean entry of the open lots."""
        held = sum((lot[0] for lot in self.lots), F(0))
        if not held:
            return None
        if self.inverse and "arithmetic entry" not in self.on and all(lot[1] for lot in self.lots):
            return held / sum((lot[0] / lot[1] for lot in self.lots), F(0))
        return sum((lot[0] * lot[1] for lot in self.lots), F(0)) / held

    def state(self) -> dict[str, Any]:
        """Return what is shown after a fill."""
        held = self.way * sum((lot[0] for lot in self.lots), F(0))
        price = self.average()
        if price is None and "flat keeps entry" in self.on:
            price = self.entry
        return {"qty": held, "avg_px": price, "realized": self.realized, "fees": self.fees}


def switches(names: tuple[str, ...]) -> Iterator[frozenset[str]]:
    """Yield what may be on, the fewest first."""
    for count in range(len(names) + 1):
        yield from map(frozenset, combinations(names, count))


def _label(on: frozenset[str]) -> str:
    return " + ".join(name for name in SWITCHES if name in on)


def position(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the states of a history under one set of switches after the other."""
    fills = [tuple(each[key] for key in ("exec_id", "side", "price", "qty", "fee")) for each in given["calls"]]
    slack = 2 * MONEY * max(len(fills), 1)
    idle = {"average cost"} if params["cost_basis"] == "average" else set()
    idle |= set() if params["kind"] == "inverse" else {"arithmetic entry"}
    idle |= {"signed quantity", "NaN is no order"}
    idle |= {"repeat raises", "repeat by content"} if len({fill[0] for fill in fills}) == len(fills) else set()
    for on in switches(tuple(name for name in SWITCHES if name not in idle)):
        ledger, states = Ledger(params, on), []
        for fill in fills:
            try:
                ledger.fill(*fill)
                states.append(ledger.state())
            except Bad:
                states.append("error")  # type: ignore[arg-type]
        if on:
            yield _label(on), states, slack if "8 places" in on else 0.0


def realized_pnl(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the realized P&L under one set of switches after the other."""
    slack = 2 * MONEY * max(len(given["fills"]), 1)
    for on in switches(
        (
            "average cost",
            "arithmetic entry",
            "flip keeps entry",
            "any price",
            "signed quantity",
            "NaN is no order",
            "8 places",
        )
    ):
        ledger = Ledger(params, on)
        try:
            for place, (side, price, qty) in enumerate(given["fills"]):
                ledger.fill(str(place), side, price, qty, "0")
        except Bad:
            continue
        if on:
            yield _label(on), ledger.realized, slack if "8 places" in on else 0.0


def notional(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the notional rounded to a currency's places."""
    yield from _money(params, given, F(1))


def fee(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the fee rounded to a currency's places, of a notional that is so too."""
    yield from _money(params, given, F(given["rate"]))


def _money(params: Mapping[str, Any], given: Mapping[str, Any], rate: F) -> Iterator[Found]:
    price, qty, size = F(given["price"]), F(given["qty"]), F(params["multiplier"])
    inverse = params["kind"] == "inverse"
    if inverse and not price:
        yield "no domain", math.inf, 0
        return
    value = (qty * size / price if inverse else qty * size * price) * rate
    if min(price, size) <= 0 or qty < 0:
        yield "no domain", value, 0
    yield "8 places", value, MONEY * (1 + abs(float(rate)))


def unrealized_pnl(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the unrealized P&L rounded to a currency's places."""
    ledger = Ledger({**params, "cost_basis": "average"}, frozenset())
    qty = F(given["qty"])
    ledger.way = 1 if qty > 0 else -1
    value = ledger.gain(F(given["avg_px"]), F(given["price"]), abs(qty))
    if F(given["avg_px"]) <= 0 or F(given["price"]) <= 0 or F(params["multiplier"]) <= 0:
        yield "no domain", value, 0
    yield "8 places", value, MONEY


def book(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the states of a book that applies every message that it can read."""
    cut = () if params["depth"] is None else ("full depth",)
    low = any(level[1].startswith("-") or level[1] == "0" for call in given["calls"] for level in call["levels"])
    for on in switches((*cut, "any price") if low else cut):
        depth = None if "full depth" in on or params["depth"] is None else int(params["depth"])
        sides: dict[str, dict[F, F]] = {"bid": {}, "ask": {}}
        states: list[Any] = []
        for call in given["calls"]:
            try:
                levels = [(side, F(price), F(qty)) for side, price, qty in call["levels"]]
            except ValueError:
                states.append("error")
                continue
            if (
                any(price <= 0 and "any price" not in on for _, price, _ in levels)
                or any(side not in sides or qty < 0 for side, _, qty in levels)
                or call["kind"] not in ("snapshot", "delta")
            ):
                states.append("error")
                continue
            if call["kind"] == "snapshot":
                sides = {"bid": {}, "ask": {}}
            for side, price, qty in levels:
                sides[side].pop(price, None)
                if qty:
                    sides[side][price] = qty
            bids, asks = sorted(sides["bid"].items(), reverse=True)[:depth], sorted(sides["ask"].items())[:depth]
            fine = not bids or not asks or bids[0][0] <= asks[0][0]
            states.append({"bids": bids, "asks": asks, "valid": fine})
        label = " + ".join(name for name in ("full depth", "any price") if name in on)
        if label:
            yield label, states, 0
        yield " + ".join(filter(None, ["no sequence", label])), states, 0
