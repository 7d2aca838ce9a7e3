"""A right target in plain floats and NumPy, written without the library: it takes and gives float.

Where a decision hangs on a digit (a tick, a lot, flat or not) it goes by way of the shortest decimal, as it should.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

NUMBER = float
CONVENTIONS = {"cost_basis": "fifo"}
KINDS = ("spot", "linear", "inverse", "quanto")


def need(good: Any) -> None:
    if not good:
        raise ValueError("outside the domain")


def dec(value: float) -> Decimal:
    need(value is not None and math.isfinite(value))
    return Decimal(repr(float(value)))


def mid(bids, asks, min_qty=0.0):
    best = []
    need(min_qty >= 0)
    for side in (bids, asks):
        for price, qty in side:
            need(math.isfinite(price) and price > 0 and qty >= 0)
        best.append([price for price, qty in side if qty >= min_qty and qty > 0])
    return (best[0][0] + best[1][0]) / 2 if best[0] and best[1] else None


def microprice(bid, bid_qty, ask, ask_qty):
    need(bid > 0 and ask > 0 and bid_qty >= 0 and ask_qty >= 0 and bid_qty + ask_qty > 0)
    return bid + (ask - bid) * (bid_qty / (bid_qty + ask_qty))


def quote(fair, half_spread, skew, tick):
    f, h, s, t = map(dec, (fair, half_spread, skew, tick))
    need(f > 0 and h >= 0 and t > 0)
    bid, ask = math.floor((f + s - h) / t) * t, math.ceil((f + s + h) / t) * t
    need(0 < bid < ask)
    return float(bid), float(ask)


def round_price(price, tick, side):
    p, t = dec(price), dec(tick)
    need(p > 0 and t > 0 and side in ("buy", "sell"))
    return float((math.floor if side == "buy" else math.ceil)(p / t) * t)


def round_qty(qty, lot):
    q, step = dec(qty), dec(lot)
    need(q >= 0 and step > 0)
    return float(math.floor(q / step) * step)


def vwap(prices, qtys):
    p, q = np.array(prices, dtype=float), np.array(qtys, dtype=float)
    need(len(p) == len(q) and (p > 0).all() and (q >= 0).all())
    if not q.sum():
        return None
    return p @ q / q.sum()


def ema(values, span=None, alpha=None, init="first"):
    need((span is None) != (alpha is None) and init in ("first", "sma", "adjusted"))
    need(init != "sma" or (span is not None and span == int(span)))
    need(span is None or span >= 1)
    weight = alpha if alpha is not None else 2 / (span + 1)
    need(0 < weight <= 1)
    out, seen, last = [], [], None
    total = share = 0.0
    for value in values:
        if value is not None and not math.isnan(value):
            need(math.isfinite(value))
            if init == "adjusted":
                total, share = value + (1 - weight) * total, 1 + (1 - weight) * share
                last = total / share
            elif last is not None:
                last = last + weight * (value - last)
            else:
                seen.append(value)
                if len(seen) == (span if init == "sma" else 1):
                    last = math.fsum(seen) / len(seen)
        out.append(math.nan if last is None else last)
    return out


def returns(prices, kind="log"):
    p = np.array(prices, dtype=float)
    need(kind in ("log", "simple") and (p > 0).all())
    change = np.diff(p) / p[:-1]
    return (
        change if kind == "simple" else np.where(np.abs(change) < 0.5, np.log1p(change), np.log(p[1:]) - np.log(p[:-1]))
    )


def volatility(prices, periods_per_year, kind="log", ddof=1):
    change = returns(prices, kind)
    need(len(change) > ddof and periods_per_year > 0)
    return np.std(change, ddof=ddof) * np.sqrt(periods_per_year)


class Position:
    """FIFO lots; quantities as the decimals that they print as."""

    def __init__(self, kind, multiplier, cost_basis):
        need(kind in KINDS and multiplier > 0 and cost_basis == "fifo")
        self.kind, self.multiplier = kind, multiplier
        self.lots: deque[list[Any]] = deque()
        self.realized, self._fees, self.seen = 0.0, Decimal(0), set()

    @property
    def fees(self):
        return float(self._fees)

    @property
    def qty(self):
        return float(sum((qty for qty, _ in self.lots), Decimal(0)))

    @property
    def avg_px(self):
        if not self.lots:
            return 0.0
        sizes = [float(qty) for qty, _ in self.lots]
        if self.kind == "inverse":
            return math.fsum(sizes) / math.fsum(q / p for q, (_, p) in zip(sizes, self.lots, strict=True))
        return math.fsum(q * p for q, (_, p) in zip(sizes, self.lots, strict=True)) / math.fsum(sizes)

    def fill(self, exec_id, side, price, qty, fee):
        if exec_id in self.seen:
            return
        need(side in ("buy", "sell") and price > 0 and math.isfinite(price))
        left, cost = dec(qty), dec(fee)
        need(left > 0)
        self.seen.add(exec_id)
        self._fees += cost
        left = left if side == "buy" else -left
        while left and self.lots and (self.lots[0][0] > 0) != (left > 0):
            held, entry = self.lots[0]
            closed = held if abs(held) <= abs(left) else -left
            self.realized += unrealized_pnl(float(closed), entry, price, self.kind, self.multiplier)
            left += closed
            self.lots[0][0] -= closed
            if not self.lots[0][0]:
                self.lots.popleft()
        if left:
            self.lots.append([left, price])


def realized_pnl(fills, cost_basis, kind="linear", multiplier=1.0):
    position = Position(kind, multiplier, cost_basis)
    for n, (side, price, qty) in enumerate(fills):
        if qty != 0:
            position.fill(n, side, price, qty, 0.0)
        else:
            need(price > 0 and side in ("buy", "sell"))
    return position.realized


def unrealized_pnl(qty, avg_px, price, kind="linear", multiplier=1.0):
    need(kind in KINDS and price > 0 and multiplier > 0 and math.isfinite(qty))
    if qty == 0:
        return 0.0
    need(avg_px > 0)
    return (
        (price - avg_px) / price / avg_px * qty * multiplier
        if kind == "inverse"
        else (price - avg_px) * qty * multiplier
    )


def notional(price, qty, kind="linear", multiplier=1.0):
    need(kind in KINDS and price > 0 and qty >= 0 and multiplier > 0)
    return qty * multiplier / price if kind == "inverse" else qty * multiplier * price


def fee(price, qty, rate, kind="linear", multiplier=1.0):
    need(math.isfinite(rate))
    return notional(price, qty, kind, multiplier) * rate


def funding(qty, mark, rate, kind="linear", multiplier=1.0):
    need(math.isfinite(rate) and math.isfinite(qty))
    return -math.copysign(notional(mark, abs(qty), kind, multiplier), qty) * rate


def convert(amount, asset, currency, rates):
    need(math.isfinite(amount) and all(rate > 0 for rate in rates.values()))
    both = {(b, a): 1 / r for (a, b), r in rates.items()} | dict(rates)
    if asset == currency:
        return amount
    if (asset, currency) in both:
        return amount * both[asset, currency]
    for middle in {name for pair in both for name in pair}:
        if (asset, middle) in both and (middle, currency) in both:
            return amount * both[asset, middle] * both[middle, currency]
    raise LookupErrorAsValue(asset, currency)


class LookupErrorAsValue(ValueError, LookupError):
    pass


def drawdown(equity):
    out, high = [], -math.inf
    for value in equity:
        need(math.isfinite(value))
        high = max(high, value)
        out.append((high - value) / high if high > 0 else None)
    return out


def trade_signs(prices, first=0):
    need(all(price > 0 for price in prices))
    signs, last = [], first
    for n, price in enumerate(prices):
        if n and price != prices[n - 1]:
            last = int(math.copysign(1, price - prices[n - 1]))
        signs.append(last)
    return np.array(signs)


def lee_ready(trade_prices, trade_ts, quote_ts, bids, asks):
    need(len(trade_prices) == len(trade_ts) and len(quote_ts) == len(bids) == len(asks))
    need(all(price > 0 for price in [*bids, *asks]))
    need(list(trade_ts) == sorted(trade_ts) and list(quote_ts) == sorted(quote_ts))
    place = np.searchsorted(quote_ts, trade_ts, side="left") - 1
    out = []
    for price, at, sign in zip(trade_prices, place, trade_signs(trade_prices), strict=True):
        off = 2 * dec(price) - dec(bids[at]) - dec(asks[at]) if at >= 0 else 0
        out.append((1 if off > 0 else -1) if off else int(sign))
    return out


def exposure(position, open_orders):
    need(math.isfinite(position) and all(side in ("buy", "sell") and 0 <= q < math.inf for side, q in open_orders))
    return (
        math.fsum([position, *(q for side, q in open_orders if side == "buy")]),
        math.fsum([position, *(-q for side, q in open_orders if side == "sell")]),
    )


def liquidation_price(qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1.0, maintenance_amount=0.0):
    need(
        kind in KINDS
        and multiplier > 0
        and 0 <= margin < math.inf
        and 0 <= maintenance_rate < 1
        and maintenance_amount >= 0
    )
    if qty == 0:
        return None
    need(avg_px > 0 and math.isfinite(qty))
    d = math.copysign(1, qty)
    cushion = (margin + maintenance_amount) / (abs(qty) * multiplier)
    if kind == "inverse":
        x = (1 / avg_px + d * cushion) / (1 + d * maintenance_rate)
        return 1 / x if x > 0 else None
    price = (avg_px - d * cushion) / (1 - d * maintenance_rate)
    return price if price > 0 else None


def parse_ts(text):
    body = text[1:] if text[:1] == "-" else text
    if body.isascii() and body.isdigit():
        size = len(body)
        return int(text) * (10**9 if size <= 11 else 10**6 if size <= 14 else 1000 if size <= 17 else 1)
    need(text[10:11] == "T" and (text.endswith("Z") or text[-6:-5] in ("+", "-")))
    stamp, zone = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    whole, point, part = stamp.partition(".")
    need(
        bool(point) == bool(part)
        and len(whole) == 19
        and len(part) <= 9
        and (part.isdigit() or not part)
        and int(zone[1:3]) < 24
        and int(zone[4:]) < 60
    )
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S") - datetime(1970, 1, 1)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (1 if zone[0] == "+" else -1)
    return (moment - offset) // timedelta(seconds=1) * 10**9 + int(part.ljust(9, "0"))


def duration(start_ns, end_ns):
    need(end_ns >= start_ns)
    return end_ns - start_ns


def window_of(ts_ns, width_ns):
    need(width_ns > 0)
    return ts_ns - ts_ns % width_ns


_COUNT = itertools.count()
_RUN = os.urandom(8).hex()


def order_id():
    return f"{_RUN}-{next(_COUNT)}"


class Order:
    """Its own table, by hand from the protocol."""

    DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")

    def __init__(self, side, price, qty, kind="linear"):
        need(side in ("buy", "sell") and price > 0 and qty > 0 and kind in KINDS)
        self.kind, self.total, self.state = kind, dec(qty), "PENDING_NEW"
        self.fills: OrderedDict[str, tuple[Decimal, float]] = OrderedDict()
        self.acked = self.cancel = self.replace = False

    @property
    def _cum(self):
        return sum((qty for qty, _ in self.fills.values()), Decimal(0))

    @property
    def cum_qty(self):
        return float(self._cum)

    @property
    def leaves_qty(self):
        return 0.0 if self.state in self.DONE else float(self.total - self._cum)

    @property
    def avg_px(self):
        if not self.fills:
            return None
        sizes = [(float(q), p) for q, p in self.fills.values()]
        if self.kind == "inverse":
            return math.fsum(q for q, _ in sizes) / math.fsum(q / p for q, p in sizes)
        return math.fsum(q * p for q, p in sizes) / math.fsum(q for q, _ in sizes)

    def _working(self):
        if self.fills:
            return "FILLED" if self._cum >= self.total else "PARTIALLY_FILLED"
        return "NEW" if self.acked else "PENDING_NEW"

    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        state, alive = self.state, self.state not in self.DONE
        if event in ("partial_fill", "fill"):
            if exec_id in self.fills:
                return
            need(qty is not None and price is not None and price > 0)
            need(
                dec(qty) > 0 and self._cum + dec(qty) <= self.total and (state != "REJECTED" or event == "partial_fill")
            )
            self.fills[exec_id] = (dec(qty), price)
            if alive and self._cum == self.total:
                self.state = "FILLED"
            elif alive:
                self.state = "PARTIALLY_FILLED"
        elif event == "ack":
            self.acked = True
            self.state = "NEW" if state == "PENDING_NEW" else state
        elif event == "reject":
            need(state in ("PENDING_NEW", "PENDING_CANCEL"))
            self.state = "REJECTED"
        elif event == "cancel_request":
            need(alive)
            self.state, self.cancel = "PENDING_CANCEL", True
        elif event == "cancel_ack":
            need((alive and self.cancel and state != "PENDING_REPLACE") or state in ("CANCELED", "EXPIRED"))
            self.state = "CANCELED" if alive else state
        elif event == "cancel_reject":
            need(not alive or (self.cancel and state in ("PENDING_CANCEL", "PARTIALLY_FILLED")))
            self.cancel = False
            self.state = self._working() if alive else state
        elif event == "replace_request":
            need(state in ("NEW", "PARTIALLY_FILLED"))
            self.state, self.replace = "PENDING_REPLACE", True
        elif event == "replace_ack":
            need(self.replace and (alive or state == "FILLED"))
            need(qty > 0 and (state != "FILLED" or dec(qty) > self._cum))
            self.total, self.replace = max(dec(qty), self._cum), False
            self.state = state if state == "PENDING_CANCEL" else self._working()
        elif event == "replace_reject":
            need(not alive or state == "PENDING_CANCEL" or self.replace)
            self.replace = False
            self.state = self._working() if alive and state != "PENDING_CANCEL" else state
        elif event == "expire":
            need(alive)
            self.state = "EXPIRED"
        elif event in ("exchange_cancel", "liquidation"):
            need(alive)
            self.state = "CANCELED"
        else:
            need(event == "timeout" and state.startswith("PENDING"))


class Book:
    """Keeps every level that was sent and shows `depth` of them."""

    def __init__(self, depth=None):
        self.depth, self.sides, self.seq, self.synced, self.fresh = depth, ({}, {}), None, False, False

    @property
    def bids(self):
        return [(p, q) for p, q in sorted(self.sides[0].items(), reverse=True)][: self.depth]

    @property
    def asks(self):
        return [(p, q) for p, q in sorted(self.sides[1].items())][: self.depth]

    @property
    def valid(self):
        return self.synced and (not self.bids or not self.asks or self.bids[0][0] <= self.asks[0][0])

    def apply(self, kind, seq, prev_seq, levels):
        need(kind in ("snapshot", "delta"))
        need(all(side in ("bid", "ask") and 0 < p < math.inf and 0 <= q < math.inf for side, p, q in levels))
        if kind == "snapshot":
            self.sides, self.synced, self.fresh = ({}, {}), True, True
        else:
            before = seq - 1 if prev_seq is None else prev_seq
            if not self.synced:
                return
            if not (before == self.seq or (self.fresh and before <= self.seq < seq)):
                self.synced = seq <= self.seq
                return
            self.fresh = False
        self.seq = seq
        for side, price, qty in levels:
            book = self.sides[side == "ask"]
            book.pop(price, None)
            if qty:
                book[price] = qty


class RateLimiter:
    def __init__(self, limit, window_ns):
        need(limit >= 0 and window_ns > 0)
        self.limit, self.window, self.granted = limit, window_ns, deque()

    def allow(self, ts_ns, weight):
        need(weight >= 0)
        while self.granted and self.granted[0][0] <= ts_ns - self.window:
            self.granted.popleft()
        if sum(w for _, w in self.granted) + weight > self.limit:
            return False
        self.granted.append((ts_ns, weight))
        return True


class Breaker:
    def __init__(self, threshold, cooldown_ns):
        need(math.isfinite(threshold) and cooldown_ns >= 0)
        self.threshold, self.cooldown, self.tripped, self.since = threshold, cooldown_ns, False, 0

    def update(self, ts_ns, value):
        if not self.tripped and not value < self.threshold:
            self.tripped, self.since = True, ts_ns

    def reset(self, ts_ns):
        need(not self.tripped or ts_ns - self.since >= self.cooldown)
        self.tripped = False


BEST: dict[str, float] = {}


def on_book_update(update):
    for side, price, _ in update["levels"]:
        BEST[side] = max(BEST.get(side, price), price) if side == "bid" else min(BEST.get(side, price), price)
