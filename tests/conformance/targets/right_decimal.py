"""A bot in exact numbers: Fractions inside, Decimals outside, every convention at the caller's choice."""

from __future__ import annotations

import uuid
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from re import ASCII, compile

KINDS = ("spot", "linear", "inverse", "quanto")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ISO = compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-][01]\d:[0-5]\d|[+-]2[0-3]:[0-5]\d)", ASCII)
WHOLE = compile(r"-?\d+", ASCII)


def demand(sound, words):
    if not sound:
        raise ValueError(words)


def number(value):
    try:
        return Fraction(value)
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"{value!r} is no number") from error


def positive(value):
    demand(number(value) > 0, f"{value} is not above 0")
    return number(value)


def not_negative(value):
    demand(number(value) >= 0, f"{value} is below 0")
    return number(value)


def out(value):
    with localcontext() as context:
        context.prec = 40
        return Decimal(value.numerator) / value.denominator


def size(kind, multiplier):
    demand(kind in KINDS, f"kind {kind!r} is unknown")
    return positive(multiplier)


def worth(price, kind):
    return -1 / price if kind == "inverse" else price


def sign_of(side):
    demand(side in ("buy", "sell"), f"side {side!r} is unknown")
    return 1 if side == "buy" else -1


# --- prices -----------------------------------------------------------------------------------------------------------


def mid(bids, asks, min_qty=0):
    least = not_negative(min_qty)
    sides = [[(positive(p), not_negative(q)) for p, q in levels] for levels in (bids, asks)]
    bid, ask = ([p for p, q in side if q and q >= least] for side in sides)
    return out((max(bid) + min(ask)) / 2) if bid and ask else None


def microprice(bid, bid_qty, ask, ask_qty):
    below, above = not_negative(bid_qty), not_negative(ask_qty)
    return out((positive(bid) * above + positive(ask) * below) / positive(below + above))


def quote(fair, half_spread, skew, tick):
    centre, half, step = positive(fair) + number(skew), not_negative(half_spread), positive(tick)
    bid, ask = floor((centre - half) / step) * step, ceil((centre + half) / step) * step
    demand(0 < bid < ask, "there is no such quote")
    return out(bid), out(ask)


def round_price(price, tick, side):
    step = positive(tick)
    return out((floor if sign_of(side) > 0 else ceil)(positive(price) / step) * step)


def round_qty(qty, lot):
    step = positive(lot)
    return out(floor(not_negative(qty) / step) * step)


# --- series -----------------------------------------------------------------------------------------------------------


def vwap(prices, qtys):
    pairs = [(positive(p), not_negative(q)) for p, q in zip(prices, qtys, strict=True)]
    return out(sum(p * q for p, q in pairs) / positive(sum(q for _, q in pairs)))


def ema(values, span=None, alpha=None, init="first"):
    demand(
        init in ("first", "sma", "adjusted") and (span is None) != (alpha is None), "span or alpha, and a known init"
    )
    demand(init != "sma" or (span is not None and number(span).denominator == 1), "sma needs a whole span")
    demand(span is None or number(span) >= 1, "span should be at least 1")
    a = positive(alpha) if span is None else 2 / (number(span) + 1)
    demand(a <= 1, "alpha should be at most 1")
    need, total, weight, seen, last, answers = span if init == "sma" else 1, Fraction(0), Fraction(0), 0, None, []
    for value in values:
        if value is not None and value == value:
            x, seen = number(value), seen + 1
            if init == "adjusted":
                total, weight = total * (1 - a) + x, weight * (1 - a) + 1
                last = total / weight
            elif seen <= need:
                total += x
                last = total / seen if seen == need else None
            else:
                last += a * (x - last)
        answers.append(None if last is None else out(last))
    return answers


def returns(prices, kind="log"):
    demand(kind in ("log", "simple"), f"kind {kind!r} is unknown")
    ratios = [after / before for before, after in pairwise([positive(p) for p in prices])]
    if kind == "simple":
        return [out(ratio - 1) for ratio in ratios]
    with localcontext() as context:
        context.prec = 60
        return [(Decimal(r.numerator) / r.denominator).ln() for r in ratios]


def volatility(prices, periods_per_year, kind="log", ddof=1):
    changes, year = [number(r) for r in returns(prices, kind)], positive(periods_per_year)
    demand(0 <= ddof < len(changes), "too few returns")
    mean = sum(changes) / len(changes)
    variance = sum((r - mean) ** 2 for r in changes) / (len(changes) - ddof)
    with localcontext() as context:
        context.prec = 50
        return (Decimal((variance * year).numerator) / (variance * year).denominator).sqrt()


def drawdown(equity):
    high, answers = None, []
    for value in map(number, equity):
        high = value if high is None else max(high, value)
        answers.append(out((high - value) / high) if high > 0 else None)
    return answers


def trade_signs(prices, first=0):
    demand(first in (-1, 0, 1), "first should be -1, 0 or 1")
    known, signs = [positive(p) for p in prices], [first]
    for before, after in pairwise(known):
        signs.append((after > before) - (after < before) or signs[-1])
    return signs[: len(known)]


def lee_ready(trade_prices, trade_ts, quote_ts, bids, asks):
    ticks = trade_signs(trade_prices)
    mids = [(positive(b) + positive(a)) / 2 for b, a in zip(bids, asks, strict=True)]
    demand(len(trade_ts) == len(ticks) and len(quote_ts) == len(mids), "lists of unequal length")
    demand(sorted(trade_ts) == list(trade_ts) and sorted(quote_ts) == list(quote_ts), "times fall")
    signs = []
    for price, ts, tick in zip(map(number, trade_prices), trade_ts, ticks, strict=True):
        before = [m for m, quoted in zip(mids, quote_ts, strict=True) if quoted < ts]
        signs.append(((price > before[-1]) - (price < before[-1]) or tick) if before else tick)
    return signs


# --- money ------------------------------------------------------------------------------------------------------------


def realized_pnl(fills, cost_basis, kind="linear", multiplier=1):
    position = Position(kind, multiplier, cost_basis)
    for n, (side, price, qty) in enumerate(fills):
        if not_negative(qty):
            position.fill(n, side, price, qty, 0)
        else:
            sign_of(side), positive(price)
    return position.realized


def unrealized_pnl(qty, avg_px, price, kind="linear", multiplier=1):
    held, mark, m = number(qty), positive(price), size(kind, multiplier)
    return out((worth(mark, kind) - worth(positive(avg_px), kind)) * held * m) if held else Decimal(0)


def notional(price, qty, kind="linear", multiplier=1):
    return out(abs(worth(positive(price), kind)) * not_negative(qty) * size(kind, multiplier))


def fee(price, qty, rate, kind="linear", multiplier=1):
    return out(abs(worth(positive(price), kind)) * not_negative(qty) * size(kind, multiplier) * number(rate))


def funding(qty, mark, rate, kind="linear", multiplier=1):
    return out(-abs(worth(positive(mark), kind)) * number(qty) * size(kind, multiplier) * number(rate))


def convert(amount, asset, currency, rates):
    money = number(amount)
    if asset == currency:
        return out(money)
    table = {pair: positive(rate) for pair, rate in rates.items()}
    for (base, other), rate in list(table.items()):
        table.setdefault((other, base), 1 / rate)
    if (asset, currency) in table:
        return out(money * table[asset, currency])
    between = sorted(name for out_of, name in table if out_of == asset and (name, currency) in table)
    demand(between, f"no rate from {asset} to {currency}")
    return out(money * table[asset, between[0]] * table[between[0], currency])


def exposure(position, open_orders):
    signed = [sign_of(side) * not_negative(qty) for side, qty in open_orders]
    held = number(position)
    return out(held + sum(q for q in signed if q > 0)), out(held + sum(q for q in signed if q < 0))


def liquidation_price(
    qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1, maintenance_amount=0
):  # fmt: skip
    held, rate, m = number(qty), not_negative(maintenance_rate), size(kind, multiplier)
    money = not_negative(margin) + not_negative(maintenance_amount)
    demand(rate < 1, "the rate should be below 1")
    if not held:
        return None
    sign = 1 if held > 0 else -1
    entry, cushion = positive(avg_px), money / (abs(held) * m)
    if kind == "inverse":
        reciprocal = (1 / entry + sign * cushion) / (1 + sign * rate)
        return out(1 / reciprocal) if reciprocal > 0 else None
    price = (entry - sign * cushion) / (1 - sign * rate)
    return out(price) if price > 0 else None


# --- time -------------------------------------------------------------------------------------------------------------


def parse_ts(text):
    if WHOLE.fullmatch(text):
        digits = len(text.lstrip("-"))
        return int(text) * (10**9 if digits <= 11 else 10**6 if digits <= 14 else 10**3 if digits <= 17 else 1)
    form = ISO.fullmatch(text)
    demand(form, f"{text!r} is no time with an offset")
    clock, fraction, zone = form.groups()
    east = 0 if zone == "Z" else int(f"{zone[0]}1") * (int(zone[1:3]) * 3600 + int(zone[4:]) * 60)
    since = datetime.strptime(f"{clock}+0000", "%Y-%m-%dT%H:%M:%S%z") - EPOCH
    return (since.days * 86400 + since.seconds - east) * 10**9 + int((fraction or "0").ljust(9, "0"))


def whole(ns):
    demand(isinstance(ns, int), f"{ns!r} is no whole number of ns")
    return ns


def duration(start_ns, end_ns):
    demand(whole(start_ns) <= whole(end_ns), "the end is before the start")
    return end_ns - start_ns


def window_of(ts_ns, width_ns):
    demand(whole(width_ns) > 0, "a window needs a width")
    return whole(ts_ns) // width_ns * width_ns


def order_id():
    return uuid.uuid4().hex


# --- objects ----------------------------------------------------------------------------------------------------------


class Position:
    """Lots of signed quantity and value, the oldest first."""

    def __init__(self, kind, multiplier, cost_basis):
        demand(cost_basis in ("fifo", "lifo", "average"), f"cost basis {cost_basis!r} is unknown")
        self.kind, self.size, self.cost_basis = kind, size(kind, multiplier), cost_basis
        self.lots, self.gain, self.paid, self.seen = deque(), Fraction(0), Fraction(0), set()

    qty = property(lambda self: out(sum((held for held, _ in self.lots), Fraction(0))))
    realized = property(lambda self: out(self.gain * self.size))
    fees = property(lambda self: out(self.paid))

    @property
    def avg_px(self):
        held = number(self.qty)
        return out(abs(worth(sum(q * v for q, v in self.lots) / held, self.kind))) if held else None

    def fill(self, exec_id, side, price, qty, fee):
        if exec_id in self.seen:
            return
        signed, value, cost = sign_of(side) * positive(qty), worth(positive(price), self.kind), number(fee)
        self.book(signed, value, cost)
        self.seen.add(exec_id)

    def book(self, signed, value, cost):
        self.paid += cost
        while signed and self.lots and self.lots[0][0] * signed < 0:
            held, entry = self.lots.pop() if self.cost_basis == "lifo" else self.lots.popleft()
            closed = max(held, -signed) if held < 0 else min(held, -signed)
            self.gain += self.won(closed, entry, value)
            signed += closed
            if held != closed:
                (self.lots.append if self.cost_basis == "lifo" else self.lots.appendleft)((held - closed, entry))
        if signed:
            self.lots.append((signed, value))
        if self.cost_basis == "average":
            self.merge()

    def won(self, closed, entry, value):
        return closed * (value - entry)

    def merge(self):
        total = sum(q for q, _ in self.lots)
        if total:
            self.lots = deque([(total, sum(q * v for q, v in self.lots) / total)])


OPEN = ("PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE")
DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")


def stay(*states):
    return dict(zip(states, states, strict=True))


#: State after an event by the state before it; "" is whatever the filled quantity makes it.
MAP = {
    "ack": stay(*OPEN, *DONE) | {"PENDING_NEW": "NEW"},
    "reject": dict.fromkeys(("PENDING_NEW", "PENDING_CANCEL"), "REJECTED"),
    "partial_fill": dict.fromkeys(("PENDING_NEW", "NEW", "PARTIALLY_FILLED"), "PARTIALLY_FILLED")
    | stay("PENDING_CANCEL", "PENDING_REPLACE", "CANCELED", "EXPIRED", "REJECTED"),
    "fill": dict.fromkeys(OPEN, "FILLED") | stay("CANCELED", "EXPIRED"),
    "cancel_request": dict.fromkeys(OPEN, "PENDING_CANCEL"),
    "cancel_ack": {"PENDING_CANCEL": "CANCELED"} | stay("CANCELED", "EXPIRED"),
    "cancel_reject": {"PENDING_CANCEL": ""} | stay(*DONE),
    "replace_request": dict.fromkeys(("NEW", "PARTIALLY_FILLED"), "PENDING_REPLACE"),
    "replace_ack": {"PENDING_REPLACE": "", "FILLED": ""} | stay("PENDING_CANCEL"),
    "replace_reject": {"PENDING_REPLACE": ""} | stay("PENDING_CANCEL", *DONE),
    "expire": dict.fromkeys(OPEN, "EXPIRED"),
    "exchange_cancel": dict.fromkeys(OPEN, "CANCELED"),
    "liquidation": dict.fromkeys(OPEN, "CANCELED"),
    "timeout": stay("PENDING_NEW", "PENDING_CANCEL", "PENDING_REPLACE"),
    "reconcile": stay(*OPEN, *DONE),
}


class Order:
    """An order by the map; what the venue's running total is ahead of the executions is not booked twice."""

    map = MAP

    def __init__(self, side, price, qty, kind="linear"):
        sign_of(side), size(kind, 1)
        self.kind, self.price, self.qty, self.state = kind, positive(price), positive(qty), "PENDING_NEW"
        self.cum, self.booked, self.value, self.seen = Fraction(0), Fraction(0), Fraction(0), set()
        self.acknowledged, self.asked, self.cancelling = False, None, False

    cum_qty = property(lambda self: out(self.cum))
    leaves_qty = property(lambda self: out(Fraction(0) if self.state in DONE else self.qty - self.cum))

    @property
    def avg_px(self):
        return out(abs(worth(self.value / self.booked, self.kind))) if self.booked else None

    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        demand(event in self.map, f"event {event!r} is unknown")
        if exec_id is not None and exec_id in self.seen:
            return
        if event in ("fill", "partial_fill"):
            demand(exec_id is not None, "a fill needs its exec_id")
            self.fill(positive(qty), positive(price), None if cum_qty is None else number(cum_qty))
        elif event.startswith("replace"):
            self.replace(event, qty, price)
        else:
            after = self.after(event, self.cum, self.qty)
            self.state, self.acknowledged = after, self.acknowledged or event == "ack"
            if event.startswith("cancel"):
                self.cancelling = event == "cancel_request"
        self.seen.add(exec_id)

    def fill(self, qty, price, reported):
        booked = self.booked + qty
        demand(reported is None or reported >= qty, "cum_qty is below the fill's own")
        cum = max(self.cum, booked, reported or 0)
        demand(cum <= self.qty, "more than the order's quantity")
        if cum > self.cum:
            self.state = self.after("fill" if cum == self.qty else "partial_fill", cum, self.qty)
        self.cum, self.booked, self.value = cum, booked, self.value + qty * worth(price, self.kind)

    def replace(self, event, qty, price):
        new_price, new_qty = self.asked if self.asked and event == "replace_ack" else (self.price, self.qty)
        if event == "replace_reject":
            self.state = self.after(event, self.cum, self.qty)
        else:
            new_price = new_price if price is None else positive(price)
            new_qty = new_qty if qty is None else positive(qty)
        if event == "replace_ack":
            demand(self.state != "FILLED" or new_qty > self.cum, "the order stays filled")
            self.state = self.after(event, self.cum, max(new_qty, self.cum))
            self.price, self.qty = new_price, max(new_qty, self.cum)
        elif event == "replace_request":
            self.state = self.after(event, self.cum, self.qty)
        self.asked = (new_price, new_qty) if event == "replace_request" else None

    def after(self, event, cum, qty):
        waiting = {"cancel_ack": self.cancelling, "cancel_reject": self.cancelling, "replace_ack": self.asked}
        waiting["replace_reject"] = self.asked
        table = self.map[event]
        if self.state == "PARTIALLY_FILLED" and waiting.get(event):
            table = table | {"PARTIALLY_FILLED": "CANCELED" if event == "cancel_ack" else ""}
        demand(self.state in table, f"{event} in {self.state} is not in the map")
        resting = "NEW" if self.acknowledged or event.startswith("replace") else "PENDING_NEW"
        by_cum = "FILLED" if cum == qty else "PARTIALLY_FILLED" if cum else resting
        return table[self.state] or by_cum


class Book:
    """An L2 book by absolute quantities; nothing early is kept."""

    def __init__(self, depth=None):
        demand(depth is None or depth > 0, "a book needs levels")
        self.depth, self.seq, self.whole, self.fresh = depth, None, False, False
        self.sides = {"bid": {}, "ask": {}}

    bids = property(lambda self: sorted(self.sides["bid"].items(), reverse=True)[: self.depth])
    asks = property(lambda self: sorted(self.sides["ask"].items())[: self.depth])

    @property
    def valid(self):
        return self.whole and not (self.bids and self.asks and self.bids[0][0] > self.asks[0][0])

    def apply(self, kind, seq, prev_seq, levels):
        demand(kind in ("snapshot", "delta"), f"kind {kind!r} is unknown")
        for side, price, qty in levels:
            demand(side in self.sides, f"side {side!r} is unknown")
            positive(price), not_negative(qty)
        if kind == "snapshot":
            self.sides = {"bid": {}, "ask": {}}
            self.seq, self.whole, self.fresh = seq, True, True
            self.put(levels)
        elif seq is None:
            self.put(levels)
        elif self.whole and self.follows(seq, seq - 1 if prev_seq is None else prev_seq):
            self.fresh, self.seq = self.fresh and seq == self.seq, seq
            self.put(levels)
        elif self.whole and seq > self.seq:
            self.whole = False

    def follows(self, seq, before):
        return self.seq is None or before == self.seq or (self.fresh and before <= self.seq < seq)

    def put(self, levels):
        for side, price, qty in levels:
            if qty:
                self.sides[side][price] = qty
            else:
                self.sides[side].pop(price, None)


class RateLimiter:
    """Weights granted in (t - window, t]."""

    def __init__(self, limit, window_ns):
        self.limit, self.window, self.granted, self.last = not_negative(limit), whole(window_ns), deque(), None
        demand(window_ns > 0, "a window needs a width")

    def allow(self, ts_ns, weight):
        cost = not_negative(weight)
        demand(self.last is None or whole(ts_ns) >= self.last, "time runs backwards")
        self.last = ts_ns
        while self.granted and not self.inside(self.granted[0][0], ts_ns):
            self.granted.popleft()
        fits = sum(each for _, each in self.granted) + cost <= self.limit
        if fits:
            self.granted.append((ts_ns, cost))
        return fits

    def inside(self, then, now):
        return then > now - self.window


class Breaker:
    """Trips at the threshold, and at what is no number."""

    def __init__(self, threshold, cooldown_ns):
        self.threshold, self.cooldown = number(threshold), whole(cooldown_ns)
        demand(cooldown_ns >= 0, "the cool-down is below 0")
        self.tripped, self.since = False, 0

    def update(self, ts_ns, value):
        whole(ts_ns)
        if not self.tripped and self.passes(value):
            self.tripped, self.since = True, ts_ns

    def reset(self, ts_ns):
        if whole(ts_ns) - self.since >= self.cooldown:
            self.tripped = False

    def passes(self, value):
        try:
            return number(value) >= self.threshold
        except ValueError:
            return True


_books = {}


def on_book_update(update):
    book = _books.setdefault(update["symbol"], Book())
    book.whole = book.seq in (None, update["prev_seq"])
    book.seq = update["seq"]
    book.put(update["levels"])
