"""A bot in floats on numpy, which decides by shortest decimals where a decision hangs on one."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from math import fsum, isfinite

import numpy as np

NUMBER = float
ERRORS = (ValueError,)
CONVENTIONS = {
    "cost_basis": "fifo",
    "volatility": "log",
    "ema_init": "sma",
    "ema_nan": "propagate",
    "maintenance_at": "entry",
}
UNITS_NS = ((11, 10**9), (14, 10**6), (17, 10**3), (99, 1))


def check(sound):
    if not np.all(sound):
        raise ValueError("an input is outside the domain")


def finite(*values):
    check([isinstance(value, int | float) and isfinite(value) for value in values])


def floats(values, least=None):
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    check(np.isfinite(array) if least is None else np.isfinite(array) & (array > least))
    return array


def shortest(value):
    """Return the decimal that a float prints as."""
    finite(value)
    return Decimal(repr(value))


def ticks(value, tick, rounding):
    try:
        return (value / tick).to_integral_value(rounding) * tick
    except InvalidOperation as error:
        raise ValueError("not within 28 digits of the tick") from error


def contract(kind, multiplier, price):
    finite(multiplier, price)
    check(kind in ("spot", "linear", "inverse", "quanto") and multiplier > 0 and price > 0)
    return multiplier / price if kind == "inverse" else multiplier * price


# --- prices -----------------------------------------------------------------------------------------------------------


def mid(bids, asks, min_qty=0.0):
    finite(min_qty)
    check(min_qty >= 0)
    best = []
    for levels, choose in ((bids, np.max), (asks, np.min)):
        prices, qtys = floats([price for price, _ in levels], 0), floats([qty for _, qty in levels])
        check(qtys >= 0)
        enough = prices[(qtys >= min_qty) & (qtys > 0)]
        best.append(float(choose(enough)) if enough.size else None)
    return None if None in best else best[0] / 2 + best[1] / 2


def microprice(bid, bid_qty, ask, ask_qty):
    finite(bid, bid_qty, ask, ask_qty)
    check(bid > 0 and ask > 0 and bid_qty >= 0 and ask_qty >= 0 and bid_qty + ask_qty > 0)
    return (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty)


def quote(fair, half_spread, skew, tick):
    f, h, s, t = map(shortest, (fair, half_spread, skew, tick))
    check(f > 0 and h >= 0 and t > 0)
    bid, ask = ticks(f + s - h, t, ROUND_FLOOR), ticks(f + s + h, t, ROUND_CEILING)
    check(0 < bid < ask)
    return float(bid), float(ask)


def round_price(price, tick, side):
    p, t = shortest(price), shortest(tick)
    check(p > 0 and t > 0 and side in ("buy", "sell"))
    return float(ticks(p, t, ROUND_FLOOR if side == "buy" else ROUND_CEILING))


def round_qty(qty, lot):
    q, step = shortest(qty), shortest(lot)
    check(q >= 0 and step > 0)
    return float(ticks(q, step, ROUND_FLOOR))


# --- series -----------------------------------------------------------------------------------------------------------


def vwap(prices, qtys):
    p, q = floats(prices, 0), floats(qtys)
    check(p.shape == q.shape and (q >= 0).all() and q.any())
    return fsum(p * q) / fsum(q)


def ema(values, span=None, alpha=None):
    check(alpha is None and span is not None and span >= 1 and span == int(span))
    row = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    averages = np.full(row.shape, np.nan)
    if len(row) >= span:
        averages[span - 1] = last = fsum(row[:span]) / span
        for n in range(span, len(row)):
            averages[n] = last = last + 2 / (span + 1) * (row[n] - last)
    return averages


def returns(prices):
    row = floats(prices, 0)
    return np.log(row[1:] / row[:-1])


def volatility(prices, periods_per_year, ddof=1):
    changes = returns(prices)
    check(0 <= ddof < len(changes) and periods_per_year > 0)
    return np.std(changes, ddof=ddof) * np.sqrt(periods_per_year)


def drawdown(equity):
    row = floats(equity)
    high = np.maximum.accumulate(row)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(high > 0, (high - row) / high, np.nan)


def trade_signs(prices, first=0):
    row = floats(prices, 0)
    check(first in (-1, 0, 1))
    moves = np.sign(np.diff(row, prepend=row[:1]))
    moves[:1] = first
    newest = np.maximum.accumulate(np.where(moves == 0, 0, np.arange(len(row))))
    return moves[newest].astype(int)


def lee_ready(trade_prices, trade_ts, quote_ts, bids, asks):
    signs, times, quoted = trade_signs(trade_prices), np.array(trade_ts, dtype=object), np.array(quote_ts, dtype=object)
    check(floats(bids, 0).shape == floats(asks, 0).shape == quoted.shape and signs.shape == times.shape)
    check(np.all(times[1:] >= times[:-1]) and np.all(quoted[1:] >= quoted[:-1]))
    at = np.searchsorted(quoted, times, side="left") - 1
    for n in np.flatnonzero(at >= 0):
        twice = 2 * shortest(trade_prices[n])
        both = shortest(bids[at[n]]) + shortest(asks[at[n]])
        signs[n] = (twice > both) - (twice < both) or signs[n]
    return signs


# --- money ------------------------------------------------------------------------------------------------------------


def realized_pnl(fills, cost_basis, kind="linear", multiplier=1.0):
    position = Position(kind, multiplier, cost_basis)
    for n, (side, price, qty) in enumerate(fills):
        if qty == 0:
            contract(kind, multiplier, price)
            check(side in ("buy", "sell"))
        else:
            position.fill(n, side, price, qty, 0.0)
    return position.realized


def unrealized_pnl(qty, avg_px, price, kind="linear", multiplier=1.0):
    contract(kind, multiplier, price)
    finite(qty)
    if not qty:
        return 0.0
    contract(kind, multiplier, avg_px)
    if kind == "inverse":
        return qty * multiplier * ((price - avg_px) / avg_px / price)
    return qty * multiplier * (price - avg_px)


def notional(price, qty, kind="linear", multiplier=1.0):
    finite(qty)
    check(qty >= 0)
    return qty * contract(kind, multiplier, price)


def fee(price, qty, rate, kind="linear", multiplier=1.0):
    finite(rate)
    return rate * notional(price, qty, kind, multiplier)


def funding(qty, mark, rate, kind="linear", multiplier=1.0):
    finite(qty, rate)
    return -rate * qty * contract(kind, multiplier, mark)


def convert(amount, asset, currency, rates):
    finite(amount)
    if asset == currency:
        return amount
    floats(rates.values(), 0)

    def leg(money, out, into):
        if (out, into) in rates:
            return money * rates[out, into]
        return money / rates[into, out] if (into, out) in rates else None

    direct = leg(amount, asset, currency)
    if direct is not None:
        return direct
    for middle in {name for pair in rates for name in pair}:
        first = leg(amount, asset, middle)
        second = None if first is None else leg(first, middle, currency)
        if second is not None:
            return second
    raise ValueError("no path")


def exposure(position, open_orders):
    finite(position, *(qty for _, qty in open_orders))
    check([side in ("buy", "sell") and qty >= 0 for side, qty in open_orders])
    buys, sales = ([qty for side, qty in open_orders if side == wanted] for wanted in ("buy", "sell"))
    return position + fsum(buys), position - fsum(sales)


def liquidation_price(
    qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1.0, maintenance_amount=0.0
):  # fmt: skip
    finite(qty, margin, maintenance_rate, maintenance_amount)
    check(margin >= 0 and 0 <= maintenance_rate < 1 and maintenance_amount >= 0)
    contract(kind, multiplier, 1.0)
    if not qty:
        return None
    contract(kind, multiplier, avg_px)
    cushion = (margin + maintenance_amount) / (abs(qty) * multiplier)
    direction = np.sign(qty) * (-1 if kind == "inverse" else 1)
    start = 1 / avg_px if kind == "inverse" else avg_px
    value = start * (1 + direction * maintenance_rate) - direction * cushion
    if value <= 0:
        return None
    return 1 / value if kind == "inverse" else value


# --- time -------------------------------------------------------------------------------------------------------------


def parse_ts(text):
    sign, digits = text[:1] == "-", text.removeprefix("-")
    if digits.isascii() and digits.isdecimal():
        unit = next(unit for most, unit in UNITS_NS if len(digits) <= most)
        return int(digits) * unit * (-1 if sign else 1)
    check(text.isascii() and text[10:11] == "T" and not any(each.isspace() for each in text))
    body, zone = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    clock, point, fraction = body.partition(".")
    check(len(clock) == 19 and zone[0] in "+-" and zone[3] == ":" and bool(point) == bool(fraction))
    check(len(fraction) <= 9 and (not fraction or fraction.isdecimal()))
    moment = datetime.strptime(clock, "%Y-%m-%dT%H:%M:%S") - datetime(1970, 1, 1)
    check(zone[1:3].isdecimal() and zone[4:].isdecimal() and int(zone[1:3]) < 24 and int(zone[4:]) < 60)
    moment -= timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[4:]))
    return moment // timedelta(seconds=1) * 10**9 + int(fraction.ljust(9, "0"))


def duration(start_ns, end_ns):
    check(isinstance(start_ns, int) and isinstance(end_ns, int) and start_ns <= end_ns)
    return end_ns - start_ns


def window_of(ts_ns, width_ns):
    check(isinstance(ts_ns, int) and isinstance(width_ns, int) and width_ns > 0)
    return ts_ns - ts_ns % width_ns


def order_id():
    return secrets.randbits(128)


# --- objects ----------------------------------------------------------------------------------------------------------


class Position:
    """FIFO lots in two parallel lists; quantities are decimals, so that a flat position is flat."""

    def __init__(self, kind, multiplier, cost_basis):
        contract(kind, multiplier, 1.0)
        check(cost_basis == "fifo")
        self.inverse, self.multiplier = kind == "inverse", multiplier
        self.sizes, self.prices, self.seen = [], [], set()
        self.realized = self.fees = 0.0

    @property
    def qty(self):
        return float(sum(self.sizes))

    @property
    def avg_px(self):
        if not self.sizes:
            return 0.0
        sizes, prices = np.array(self.sizes, dtype=np.float64), np.array(self.prices)
        return sizes.sum() / (sizes / prices).sum() if self.inverse else (sizes * prices).sum() / sizes.sum()

    def fill(self, exec_id, side, price, qty, fee):
        if exec_id in self.seen:
            return
        finite(price, qty, fee)
        check(side in ("buy", "sell") and price > 0 and qty > 0)
        self.seen.add(exec_id)
        self.fees += fee
        left = shortest(qty) if side == "buy" else -shortest(qty)
        while left and self.sizes and (self.sizes[0] > 0) != (left > 0):
            closed = min(abs(left), abs(self.sizes[0])).copy_sign(self.sizes[0])
            entry = self.prices[0]
            gain = (price - entry) / entry / price if self.inverse else price - entry
            self.realized += float(closed) * gain * self.multiplier
            self.sizes[0] -= closed
            left += closed
            if not self.sizes[0]:
                del self.sizes[0], self.prices[0]
        if left:
            self.sizes.append(left)
            self.prices.append(price)


LIVE = {"PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE"}
OVER = {"FILLED", "CANCELED", "REJECTED", "EXPIRED"}
#: Of events that are no fill: where they are legal, and the state that they lead to; None keeps it.
RULES = {
    "ack": (LIVE | OVER, None),
    "reject": ({"PENDING_NEW", "PENDING_CANCEL"}, "REJECTED"),
    "cancel_request": (LIVE, "PENDING_CANCEL"),
    "cancel_ack": ({"PENDING_CANCEL", "CANCELED", "EXPIRED"}, None),
    "cancel_reject": ({"PENDING_CANCEL"} | OVER, None),
    "replace_request": ({"NEW", "PARTIALLY_FILLED"}, "PENDING_REPLACE"),
    "replace_ack": ({"PENDING_REPLACE", "PENDING_CANCEL", "FILLED"}, None),
    "replace_reject": ({"PENDING_REPLACE", "PENDING_CANCEL"} | OVER, None),
    "expire": (LIVE, "EXPIRED"),
    "exchange_cancel": (LIVE, "CANCELED"),
    "liquidation": (LIVE, "CANCELED"),
    "timeout": ({"PENDING_NEW", "PENDING_CANCEL", "PENDING_REPLACE"}, None),
    "reconcile": (LIVE | OVER, None),
}


class Order:
    """An order as rules of sets; a partial fill while a cancel or replace is open shows as PARTIALLY_FILLED."""

    def __init__(self, side, price, qty, kind="linear"):
        check(side in ("buy", "sell"))
        contract(kind, 1.0, price)
        self.inverse, self.qty, self.state = kind == "inverse", shortest(qty), "PENDING_NEW"
        check(self.qty > 0)
        self.cum = self.booked = Decimal(0)
        self.value, self.seen, self.acked, self.asked, self.cancelling = 0.0, set(), False, None, False

    @property
    def cum_qty(self):
        return float(self.cum)

    @property
    def leaves_qty(self):
        return 0.0 if self.state in OVER else float(self.qty - self.cum)

    @property
    def avg_px(self):
        if not self.booked:
            return 0.0
        return float(self.booked) / self.value if self.inverse else self.value / float(self.booked)

    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        check(event in RULES or event in ("fill", "partial_fill"))
        if exec_id is None or exec_id not in self.seen:
            if event in RULES:
                self.answer(event, qty, price)
            else:
                finite(qty, price)
                check(qty > 0 and price > 0 and exec_id is not None)
                self.fill(shortest(qty), price, None if cum_qty is None else shortest(cum_qty))
            self.seen.add(exec_id)

    def fill(self, qty, price, reported):
        check(reported is None or reported >= qty)
        cum = max(self.cum, self.booked + qty, reported or 0)
        check(cum <= self.qty and not (cum == self.qty and self.state in ("REJECTED", "FILLED") and cum > self.cum))
        if self.state in LIVE and cum > self.cum:
            self.state = "FILLED" if cum == self.qty else "PARTIALLY_FILLED"
        self.cum, self.booked = cum, self.booked + qty
        self.value += float(qty) / price if self.inverse else float(qty) * price

    def answer(self, event, qty, price):
        legal, after = RULES[event]
        open_request = self.cancelling if event.startswith("cancel") else self.asked
        waiting = event.endswith(("_ack", "_reject")) and self.state == "PARTIALLY_FILLED" and open_request
        check(self.state in legal or waiting)
        if event in ("replace_request", "replace_ack"):
            finite(*(each for each in (qty, price) if each is not None))
            check([each > 0 for each in (qty, price) if each is not None])
            asked = self.asked if event == "replace_ack" and self.asked else self.qty
            asked = asked if qty is None else shortest(qty)
        if event == "replace_ack":
            check(self.state != "FILLED" or asked > self.cum)
            self.qty = max(asked, self.cum)
        pending = self.state in ("PENDING_CANCEL", "PARTIALLY_FILLED")
        if event == "ack" and self.state == "PENDING_NEW":
            after = "NEW"
        elif event == "cancel_ack" and pending:
            after = "CANCELED"
        elif event == "cancel_reject" and pending:
            after = "PARTIALLY_FILLED" if self.cum else "NEW" if self.acked else "PENDING_NEW"
        elif event == "replace_ack" and self.state != "PENDING_CANCEL":
            after = "FILLED" if self.qty == self.cum else "PARTIALLY_FILLED" if self.cum else "NEW"
        elif event == "replace_reject" and self.state in ("PENDING_REPLACE", "PARTIALLY_FILLED"):
            after = "PARTIALLY_FILLED" if self.cum else "NEW"
        self.acked = self.acked or event == "ack"
        if event.startswith("cancel"):
            self.cancelling = event == "cancel_request"
        if event.startswith("replace"):
            self.asked = asked if event == "replace_request" else None
        self.state = after or self.state


class Book:
    """Levels in arrays sorted by price, found by bisection."""

    def __init__(self, depth=None):
        check(depth is None or depth > 0)
        self.depth, self.seq, self.whole, self.fresh = depth, None, False, False
        self.prices = {"bid": np.empty(0), "ask": np.empty(0)}
        self.qtys = {"bid": np.empty(0), "ask": np.empty(0)}

    @property
    def bids(self):
        return list(zip(self.prices["bid"][::-1].tolist(), self.qtys["bid"][::-1].tolist(), strict=True))

    @property
    def asks(self):
        return list(zip(self.prices["ask"].tolist(), self.qtys["ask"].tolist(), strict=True))

    @property
    def valid(self):
        bids, asks = self.prices["bid"], self.prices["ask"]
        return self.whole and not bool(bids.size and asks.size and bids[-1] > asks[0])

    def apply(self, kind, seq, prev_seq, levels):
        check(kind in ("snapshot", "delta"))
        for side, price, qty in levels:
            finite(price, qty)
            check(side in ("bid", "ask") and price > 0 and qty >= 0)
        if kind == "snapshot":
            for side in ("bid", "ask"):
                self.prices[side], self.qtys[side] = np.empty(0), np.empty(0)
            self.whole = self.fresh = True
        elif seq is not None:
            before = seq - 1 if prev_seq is None else prev_seq
            overlaps = self.fresh and self.seq is not None and before <= self.seq < seq
            if not (self.whole and (self.seq in (None, before) or overlaps)):
                self.whole = self.whole and seq <= self.seq
                return
            self.fresh = self.fresh and seq == self.seq
        self.seq = seq if seq is not None or kind == "snapshot" else self.seq
        for level in levels:
            self.put(*level)
        if self.depth:
            for side, best in (("bid", slice(-self.depth, None)), ("ask", slice(self.depth))):
                self.prices[side], self.qtys[side] = self.prices[side][best], self.qtys[side][best]

    def put(self, side, price, qty):
        prices, qtys = self.prices[side], self.qtys[side]
        at = int(np.searchsorted(prices, price))
        if at < len(prices) and prices[at] == price:
            prices, qtys = np.delete(prices, at), np.delete(qtys, at)
        if qty:
            prices, qtys = np.insert(prices, at, price), np.insert(qtys, at, qty)
        self.prices[side], self.qtys[side] = prices, qtys


class RateLimiter:
    """Grants in two growing arrays, summed from where the window begins."""

    def __init__(self, limit, window_ns):
        finite(limit)
        check(limit >= 0 and isinstance(window_ns, int) and window_ns > 0)
        self.limit, self.window_ns, self.last_ns = shortest(limit), window_ns, None
        self.times, self.weights = [], []

    def allow(self, ts_ns, weight):
        cost = shortest(weight)
        check(cost >= 0 and isinstance(ts_ns, int) and (self.last_ns is None or ts_ns >= self.last_ns))
        self.last_ns = ts_ns
        while self.times and self.times[0] + self.window_ns <= ts_ns:
            del self.times[0], self.weights[0]
        if sum(self.weights) + cost > self.limit:
            return np.False_
        self.times.append(ts_ns)
        self.weights.append(cost)
        return np.True_


class Breaker:
    """Holds unless the value is known to be below the threshold."""

    def __init__(self, threshold, cooldown_ns):
        finite(threshold)
        check(isinstance(cooldown_ns, int) and cooldown_ns >= 0)
        self.threshold, self.cooldown_ns, self.tripped_ns = threshold, cooldown_ns, None

    @property
    def tripped(self):
        return self.tripped_ns is not None

    def update(self, ts_ns, value):
        check(isinstance(ts_ns, int))
        below = isinstance(value, int | float) and -np.inf < value < self.threshold
        if not below and not self.tripped:
            self.tripped_ns = ts_ns

    def reset(self, ts_ns):
        check(isinstance(ts_ns, int))
        if self.tripped and ts_ns - self.tripped_ns >= self.cooldown_ns:
            self.tripped_ns = None


_best = np.zeros(2)


def on_book_update(update):
    for side, price, qty in update["levels"]:
        if qty:
            _best[0 if side == "bid" else 1] = price
