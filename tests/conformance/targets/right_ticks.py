"""A bot in whole ticks: integers inside, Decimals at the edges, divided once with 60 digits."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from decimal import Context, Decimal
from itertools import count, pairwise
from os import urandom

WIDE = Context(prec=60)
ERRORS = (ValueError, KeyError)
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
CUMULATED = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


class Refused(ValueError):
    """An input that has no answer."""


def refuse(when, words="outside the domain"):
    if when:
        raise Refused(words)


def ticks(*values, least=None):
    """Return the values as whole numbers of one unit, and the unit's exponent; none below `least`."""
    try:
        numbers = [value if isinstance(value, Decimal) else Decimal(value) for value in values]
    except (TypeError, ArithmeticError) as error:
        raise Refused(str(error)) from error
    refuse(not all(number.is_finite() for number in numbers), "no finite number")
    refuse(least is not None and any(number < least for number in numbers))
    exponent = min((number.as_tuple().exponent for number in numbers), default=0)
    return [int(WIDE.scaleb(number, -exponent)) for number in numbers], exponent


def above_0(*values):
    whole, exponent = ticks(*values)
    refuse(any(each <= 0 for each in whole))
    return whole, exponent


def decimal(whole, exponent=0):
    return WIDE.scaleb(Decimal(whole), exponent)


def ratio(above, below, exponent=0):
    refuse(below == 0)
    return WIDE.scaleb(WIDE.divide(Decimal(above), Decimal(below)), exponent)


def known(word, *words):
    refuse(word not in words, f"{word!r} is unknown")


def up(whole, step):
    return -(-whole // step) * step


def down(whole, step):
    return whole // step * step


# --- prices -----------------------------------------------------------------------------------------------------------


def mid(bids, asks, min_qty=0):
    prices, exponent = above_0(*(price for price, _ in [*bids, *asks]))
    (least, *qtys), _ = ticks(min_qty, *(qty for _, qty in [*bids, *asks]), least=0)
    real = [price if qty and qty >= least else None for price, qty in zip(prices, qtys, strict=True)]
    bid = [price for price in real[: len(bids)] if price]
    ask = [price for price in real[len(bids) :] if price]
    return decimal(5 * (max(bid) + min(ask)), exponent - 1) if bid and ask else None


def microprice(bid, bid_qty, ask, ask_qty):
    (b, a), exponent = above_0(bid, ask)
    (below, above), _ = ticks(bid_qty, ask_qty, least=0)
    return ratio(b * above + a * below, below + above, exponent)


def quote(fair, half_spread, skew, tick):
    (f, h, s, t), exponent = ticks(fair, half_spread, skew, tick)
    refuse(f <= 0 or h < 0 or t <= 0)
    bid, ask = down(f + s - h, t), up(f + s + h, t)
    refuse(not 0 < bid < ask, "no quote")
    return decimal(bid, exponent), decimal(ask, exponent)


def round_price(price, tick, side):
    known(side, "buy", "sell")
    (p, t), exponent = above_0(price, tick)
    return decimal(down(p, t) if side == "buy" else up(p, t), exponent)


def round_qty(qty, lot):
    (q, step), exponent = ticks(qty, lot, least=0)
    refuse(step == 0)
    return decimal(down(q, step), exponent)


# --- series -----------------------------------------------------------------------------------------------------------


def vwap(prices, qtys):
    refuse(len(prices) != len(qtys))
    whole, exponent = above_0(*prices)
    weights, _ = ticks(*qtys, least=0)
    return ratio(sum(p * q for p, q in zip(whole, weights, strict=True)), sum(weights), exponent)


def ema(values, span=None, alpha=None, init="first"):
    """Keep the average as a numerator over a power of alpha's denominator."""
    known(init, "first", "sma", "adjusted")
    refuse((span is None) == (alpha is None) or (init == "sma" and span is None))
    (top, bottom), _ = above_0(alpha, 1) if span is None else above_0(2, WIDE.add(Decimal(span), Decimal(1)))
    refuse(top > bottom or (span is not None and span < 1) or (init == "sma" and span != int(span)))
    there = [None if value is None or value.is_nan() else value for value in values]
    whole, exponent = ticks(*(value for value in there if value is not None))
    numbers = iter(whole)
    need, seed, above, below, power, answers = int(span) if init == "sma" else 1, [], 0, 0, 1, []
    for value in there:
        if value is not None:
            x = next(numbers)
            if init == "adjusted":
                power *= bottom
                above, below = (bottom - top) * above + power * x, (bottom - top) * below + power
            elif len(seed) < need:
                seed.append(x)
                above, below = (sum(seed), need) if len(seed) == need else (0, 0)
            else:
                above, below = above * (bottom - top) + x * top * below, below * bottom
        answers.append(ratio(above, below, exponent) if below else None)
    return answers


def returns(prices, kind="log"):
    known(kind, "log", "simple")
    whole, _ = above_0(*prices)
    steps = list(pairwise(whole))
    return [ratio(b - a, a) if kind == "simple" else WIDE.ln(ratio(b, a)) for a, b in steps]


def volatility(prices, periods_per_year, kind="log", ddof=1):
    changes, n = returns(prices, kind), len(prices) - 1
    above_0(periods_per_year)
    refuse(not 0 <= ddof < n)
    whole, exponent = ticks(*changes)
    squares = n * sum(x * x for x in whole) - sum(whole) ** 2
    year = WIDE.multiply(Decimal(periods_per_year), ratio(squares, n * (n - ddof), 2 * exponent))
    return WIDE.sqrt(year)


def drawdown(equity):
    whole, _ = ticks(*equity)
    high, answers = None, []
    for each in whole:
        high = each if high is None or each > high else high
        answers.append(ratio(high - each, high) if high > 0 else None)
    return answers


def trade_signs(prices, first=0):
    refuse(first not in (-1, 0, 1))
    whole, _ = above_0(*prices)
    signs, sign = [], first
    for n, price in enumerate(whole):
        if n and price != whole[n - 1]:
            sign = 1 if price > whole[n - 1] else -1
        signs.append(sign)
    return signs


def lee_ready(trade_prices, trade_ts, quote_ts, bids, asks):
    refuse(len(trade_prices) != len(trade_ts) or not len(quote_ts) == len(bids) == len(asks))
    refuse(sorted(trade_ts) != [*trade_ts] or sorted(quote_ts) != [*quote_ts])
    whole, _ = above_0(*trade_prices, *bids, *asks)
    n, m = len(trade_prices), len(quote_ts)
    signs = []
    for price, ts, tick in zip(whole[:n], trade_ts, trade_signs(trade_prices), strict=True):
        at = bisect_left(quote_ts, ts) - 1
        off = 2 * price - whole[n + at] - whole[n + m + at] if at >= 0 else 0
        signs.append(tick if off == 0 else 1 if off > 0 else -1)
    return signs


# --- money ------------------------------------------------------------------------------------------------------------


def face(price, qty, kind, multiplier):
    """Return what a quantity is worth, as a fraction of whole numbers and its exponent."""
    known(kind, "spot", "linear", "inverse", "quanto")
    (p,), price_exponent = above_0(price)
    (m,), size_exponent = above_0(multiplier)
    (q,), qty_exponent = ticks(qty)
    if kind == "inverse":
        return q * m, p, qty_exponent + size_exponent - price_exponent
    return q * m * p, 1, qty_exponent + size_exponent + price_exponent


def notional(price, qty, kind="linear", multiplier=1):
    ticks(qty, least=0)
    return ratio(*face(price, qty, kind, multiplier))


def fee(price, qty, rate, kind="linear", multiplier=1):
    ticks(qty, least=0)
    above, below, exponent = face(price, qty, kind, multiplier)
    (part,), rate_exponent = ticks(rate)
    return ratio(above * part, below, exponent + rate_exponent)


def funding(qty, mark, rate, kind="linear", multiplier=1):
    above, below, exponent = face(mark, qty, kind, multiplier)
    (part,), rate_exponent = ticks(rate)
    return ratio(-above * part, below, exponent + rate_exponent)


def unrealized_pnl(qty, avg_px, price, kind="linear", multiplier=1):
    known(kind, "spot", "linear", "inverse", "quanto")
    above_0(price, multiplier)
    if ticks(qty)[0] == [0]:
        return Decimal(0)
    (mark, entry), price_exponent = above_0(price, avg_px)
    (q,), qty_exponent = ticks(qty)
    (m,), size_exponent = ticks(multiplier)
    if kind == "inverse":
        return ratio(q * m * (mark - entry), mark * entry, qty_exponent + size_exponent - price_exponent)
    return decimal(q * m * (mark - entry), qty_exponent + size_exponent + price_exponent)


def realized_pnl(fills, cost_basis, kind="linear", multiplier=1):
    position, ids = Position(kind, multiplier, cost_basis), count()
    for side, price, qty in fills:
        known(side, "buy", "sell")
        above_0(price)
        if ticks(qty, least=0)[0] != [0]:
            position.fill(next(ids), side, price, qty, Decimal(0))
    return position.realized


def convert(amount, asset, currency, rates):
    ticks(amount)
    if asset == currency:
        return amount
    above_0(*rates.values())
    paths = [(asset, currency), *((asset, middle, currency) for middle in sorted({m for pair in rates for m in pair}))]
    for path in paths:
        above, below, exponent = *ticks(amount)[0], 1, ticks(amount)[1]
        for out, into in pairwise(path):
            (direct,), direct_exponent = ticks(rates.get((out, into), 0))
            (turned,), turned_exponent = ticks(rates.get((into, out), 0))
            if direct:
                above, exponent = above * direct, exponent + direct_exponent
            else:
                below, exponent = below * turned, exponent - turned_exponent
        if below:
            return ratio(above, below, exponent)
    raise Refused("no path")


def exposure(position, open_orders):
    for side, qty in open_orders:
        known(side, "buy", "sell")
        ticks(qty, least=0)
    (held, *qtys), exponent = ticks(position, *(qty for _, qty in open_orders))
    ends = {"buy": held, "sell": held}
    for (side, _), qty in zip(open_orders, qtys, strict=True):
        ends[side] += qty if side == "buy" else -qty
    return decimal(ends["buy"], exponent), decimal(ends["sell"], exponent)


def liquidation_price(
    qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1, maintenance_amount=0
):  # fmt: skip
    known(kind, "spot", "linear", "inverse", "quanto")
    above_0(multiplier)
    (money, amount, _), money_exponent = ticks(margin, maintenance_amount, 1, least=0)
    (rate, one), _ = ticks(maintenance_rate, 1, least=0)
    (q,), qty_exponent = ticks(qty)
    (m,), size_exponent = ticks(multiplier)
    refuse(rate >= one)
    if q == 0:
        return None
    (entry,), price_exponent = above_0(avg_px)
    sign = 1 if q > 0 else -1
    # cushion = c_above / c_below, in whole numbers of 1: exponents are written out
    c_above, c_below = whole_ratio(money + amount, abs(q) * m, money_exponent - qty_exponent - size_exponent)
    e_above, e_below = whole_ratio(entry, 1, price_exponent)
    if kind == "inverse":
        above = one * (e_below * c_below + sign * c_above * e_above)
        below = (one + sign * rate) * e_above * c_below
        above, below = below, above
    else:
        above = one * (e_above * c_below - sign * c_above * e_below)
        below = (one - sign * rate) * e_below * c_below
    return ratio(above, below) if above > 0 and below > 0 else None


def whole_ratio(above, below, exponent):
    return above * 10 ** max(exponent, 0), below * 10 ** max(-exponent, 0)


# --- time -------------------------------------------------------------------------------------------------------------


def digits(text, low, high):
    refuse(not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high, f"{text!r} is no number here")
    return int(text)


def parse_ts(text):
    """Count the days by integers, from a year that begins in March."""
    bare = text.removeprefix("-")
    if bare.isascii() and bare.isdecimal():
        return int(text) * (1_000_000_000, 1_000_000, 1000, 1)[sum(len(bare) > most for most in (11, 14, 17))]
    body, offset = (text[:-1], 0) if text.endswith("Z") else (text[:-6], None)
    refuse(len(body) < 19 or (body[4], body[7], body[10], body[13], body[16]) != ("-", "-", "T", ":", ":"))
    if offset is None:
        refuse(text[-6] not in "+-" or text[-3] != ":")
        offset = digits(text[-5:-3], 0, 23) * 60 + digits(text[-2:], 0, 59)
        offset = -offset if text[-6] == "-" else offset
    fraction = body[20:]
    refuse(len(body) > 19 and (body[19] != "." or not 1 <= len(fraction) <= 9))
    year, month, day = digits(body[:4], 1, 9999), digits(body[5:7], 1, 12), digits(body[8:10], 1, 31)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    refuse(day > DAYS[month - 1] + (leap and month == 2))
    past = year - 1
    days = 365 * past + past // 4 - past // 100 + past // 400 + CUMULATED[month - 1] + (leap and month > 2) + day
    hour, minute, second = digits(body[11:13], 0, 23), digits(body[14:16], 0, 59), digits(body[17:19], 0, 59)
    seconds = ((days - 719163) * 24 + hour) * 3600 + (minute - offset) * 60 + second
    return seconds * 1_000_000_000 + (digits(fraction, 0, 10**9) * 10 ** (9 - len(fraction)) if fraction else 0)


def duration(start_ns, end_ns):
    refuse(type(start_ns) is not int or type(end_ns) is not int or end_ns < start_ns)
    return end_ns - start_ns


def window_of(ts_ns, width_ns):
    refuse(type(ts_ns) is not int or type(width_ns) is not int or width_ns <= 0)
    return down(ts_ns, width_ns)


_process, _numbers = urandom(12).hex(), count()


def order_id():
    return f"{_process}-{next(_numbers):x}"


# --- objects ----------------------------------------------------------------------------------------------------------

UNIT = 18  # digits after the point that quantities are kept with


def lots_of(qty):
    whole, exponent = ticks(qty)
    refuse(exponent < -UNIT, "finer than the unit of quantities")
    return whole[0] * 10 ** (exponent + UNIT)


class Position:
    """A list of [lots, value]; under average cost the one lot's cost stands beside it."""

    def __init__(self, kind, multiplier, cost_basis):
        known(kind, "spot", "linear", "inverse", "quanto")
        known(cost_basis, "fifo", "lifo", "average")
        above_0(multiplier)
        self.kind, self.multiplier, self.cost_basis = kind, multiplier, cost_basis
        self.lots, self.gain, self.fees, self.seen = [], Decimal(0), Decimal(0), set()

    @property
    def qty(self):
        return decimal(sum(lot[0] for lot in self.lots), -UNIT)

    @property
    def avg_px(self):
        if not self.lots:
            return None
        cost = Decimal(0)
        for lots, value in self.lots:
            cost = WIDE.add(cost, WIDE.multiply(Decimal(lots), value))
        value = WIDE.divide(cost, Decimal(sum(lot[0] for lot in self.lots)))
        return WIDE.divide(Decimal(-1), value) if self.kind == "inverse" else value

    @property
    def realized(self):
        return WIDE.multiply(self.gain, Decimal(self.multiplier))

    def fill(self, exec_id, side, price, qty, fee):
        if exec_id in self.seen:
            return
        known(side, "buy", "sell")
        above_0(price, qty)
        ticks(fee)
        left = lots_of(qty) * (1 if side == "buy" else -1)
        value = WIDE.divide(Decimal(-1), price) if self.kind == "inverse" else price
        self.seen.add(exec_id)
        self.fees = WIDE.add(self.fees, fee)
        at = -1 if self.cost_basis == "lifo" else 0
        while left and self.lots and self.lots[0][0] * left < 0:
            lot = self.lots[at]
            closed = min(abs(left), abs(lot[0])) * (1 if lot[0] > 0 else -1)
            self.gain = WIDE.fma(decimal(closed, -UNIT), WIDE.subtract(value, lot[1]), self.gain)
            lot[0] -= closed
            left += closed
            if not lot[0]:
                del self.lots[at]
        if left:
            self.lots.append([left, value])
        if self.cost_basis == "average" and len(self.lots) == 2:
            total = self.lots[0][0] + self.lots[1][0]
            cost = WIDE.fma(Decimal(self.lots[0][0]), self.lots[0][1], WIDE.multiply(Decimal(self.lots[1][0]), value))
            self.lots = [[total, WIDE.divide(cost, Decimal(total))]]


class Order:
    """An order as one match of what happens in which state."""

    def __init__(self, side, price, qty, kind="linear"):
        known(side, "buy", "sell")
        known(kind, "spot", "linear", "inverse", "quanto")
        above_0(price, qty)
        self.inverse, self.lots, self.state = kind == "inverse", lots_of(qty), "PENDING_NEW"
        self.filled = self.booked = 0
        self.value, self.seen, self.acked, self.cancels, self.replaces = Decimal(0), OrderedDict(), False, False, None

    @property
    def cum_qty(self):
        return decimal(self.filled, -UNIT)

    @property
    def leaves_qty(self):
        over = self.state in ("FILLED", "CANCELED", "REJECTED", "EXPIRED")
        return Decimal(0) if over else decimal(self.lots - self.filled, -UNIT)

    @property
    def avg_px(self):
        if not self.booked:
            return None
        booked = decimal(self.booked, -UNIT)
        return WIDE.divide(booked, self.value) if self.inverse else WIDE.divide(self.value, booked)

    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        if exec_id is not None and exec_id in self.seen and event in EVENTS:
            return
        if event in ("fill", "partial_fill"):
            refuse(exec_id is None)
            self.execute(qty, price, cum_qty)
        else:
            lots = [lots_of(each) for each in (qty,) if each is not None]
            if event in ("replace_request", "replace_ack"):
                above_0(*(each for each in (qty, price) if each is not None))
            self.answer(event, *(lots or [None]))
        self.seen[exec_id] = True

    def execute(self, qty, price, cum_qty):
        above_0(qty, price)
        lots = lots_of(qty)
        reported = 0 if cum_qty is None else lots_of(cum_qty)
        refuse(cum_qty is not None and reported < lots)
        filled = max(self.filled, self.booked + lots, reported)
        refuse(filled > self.lots, "more than the order's quantity")
        if filled > self.filled:
            match self.state, filled == self.lots:
                case ("CANCELED" | "EXPIRED", _) | ("REJECTED", False):
                    pass
                case ("REJECTED" | "FILLED", _):
                    raise Refused("no fill is due")
                case _, True:
                    self.state = "FILLED"
                case ("PENDING_NEW" | "NEW" | "PARTIALLY_FILLED", _):
                    self.state = "PARTIALLY_FILLED"
        value = WIDE.divide(qty, price) if self.inverse else WIDE.multiply(qty, price)
        self.filled, self.booked, self.value = filled, self.booked + lots, WIDE.add(self.value, value)

    def answer(self, event, lots):
        part = "PARTIALLY_FILLED" if self.filled else "NEW"
        match event, self.state:
            case "ack", "PENDING_NEW":
                self.state = "NEW"
            case ("ack" | "reconcile", _) | ("timeout", "PENDING_NEW" | "PENDING_CANCEL" | "PENDING_REPLACE"):
                pass
            case "reject", "PENDING_NEW" | "PENDING_CANCEL":
                self.state = "REJECTED"
            case "cancel_request", "PENDING_NEW" | "NEW" | "PARTIALLY_FILLED" | "PENDING_REPLACE" | "PENDING_CANCEL":
                self.state = "PENDING_CANCEL"
            case "cancel_ack", "PENDING_CANCEL":
                self.state = "CANCELED"
            case ("cancel_ack", "CANCELED" | "EXPIRED") | ("replace_reject", "PENDING_CANCEL"):
                pass
            case "cancel_ack" | "cancel_reject", "PARTIALLY_FILLED" if self.cancels:
                self.state = "CANCELED" if event == "cancel_ack" else part
            case "cancel_reject", "PENDING_CANCEL":
                self.state = part if self.filled or self.acked else "PENDING_NEW"
            case "cancel_reject" | "replace_reject", "FILLED" | "CANCELED" | "REJECTED" | "EXPIRED":
                pass
            case "replace_request", "NEW" | "PARTIALLY_FILLED":
                self.state = "PENDING_REPLACE"
            case "replace_reject", "PENDING_REPLACE":
                self.state = part
            case "replace_reject", "PARTIALLY_FILLED" if self.replaces:
                self.state = part
            case "replace_ack", "PENDING_REPLACE" | "PENDING_CANCEL" | "PARTIALLY_FILLED" | "FILLED":
                self.replaced(lots or self.replaces or self.lots, part)
            case (
                ("expire" | "exchange_cancel" | "liquidation"),
                ("PENDING_NEW" | "NEW" | "PARTIALLY_FILLED" | "PENDING_CANCEL" | "PENDING_REPLACE"),
            ):
                self.state = "EXPIRED" if event == "expire" else "CANCELED"
            case _:
                raise Refused(f"{event} in {self.state}")
        self.acked |= event == "ack"
        if event.startswith("cancel"):
            self.cancels = event == "cancel_request"
        if event.startswith("replace"):
            self.replaces = (lots or self.lots) if event == "replace_request" else None

    def replaced(self, lots, part):
        refuse(self.state == "PARTIALLY_FILLED" and not self.replaces, "no replace is open")
        refuse(self.state == "FILLED" and lots <= self.filled, "the order stays filled")
        self.lots = max(lots, self.filled)
        if self.state != "PENDING_CANCEL":
            self.state = "FILLED" if self.lots == self.filled else part


EVENTS = {
    *("ack", "reject", "partial_fill", "fill", "cancel_request", "cancel_ack", "cancel_reject", "replace_request"),
    *("replace_ack", "replace_reject", "expire", "exchange_cancel", "liquidation", "timeout", "reconcile"),
}


class Book:
    """Sorted keys of whole ticks a side, the best first; quantities beside them."""

    def __init__(self, depth=None):
        refuse(depth is not None and depth < 1)
        self.depth, self.seq, self.state = depth, None, "waiting"
        self.keys, self.levels = {"bid": [], "ask": []}, {"bid": {}, "ask": {}}

    def side(self, name):
        return [self.levels[name][key] for key in self.keys[name][: self.depth]]

    bids = property(lambda self: self.side("bid"))
    asks = property(lambda self: self.side("ask"))

    @property
    def valid(self):
        bids, asks = self.keys["bid"], self.keys["ask"]
        return self.state != "waiting" and (not bids or not asks or -bids[0] <= asks[0])

    def apply(self, kind, seq, prev_seq, levels):
        known(kind, "snapshot", "delta")
        changes = []
        for name, price, qty in levels:
            known(name, "bid", "ask")
            above_0(price)
            ticks(qty, least=0)
            changes.append((name, lots_of(price) * (-1 if name == "bid" else 1), price, qty))
        if kind == "snapshot":
            self.keys, self.levels = {"bid": [], "ask": []}, {"bid": {}, "ask": {}}
            self.seq, self.state = seq, "fresh"
        elif seq is not None:
            before = seq - 1 if prev_seq is None else prev_seq
            if self.state == "waiting":
                return
            if self.seq not in (None, before) and not (self.state == "fresh" and before <= self.seq < seq):
                self.state = "waiting" if seq > self.seq else self.state
                return
            self.state = self.state if seq == self.seq else "running"
            self.seq = seq
        for name, key, price, qty in changes:
            if self.levels[name].pop(key, None) is not None:
                del self.keys[name][bisect_left(self.keys[name], key)]
            if qty:
                insort(self.keys[name], key)
                self.levels[name][key] = (price, qty)


class RateLimiter:
    """Grants kept as running totals; the load of a window is a difference of two."""

    def __init__(self, limit, window_ns):
        refuse(type(window_ns) is not int or window_ns <= 0)
        self.limit, self.window_ns = lots_of(limit), window_ns
        refuse(self.limit < 0)
        self.times, self.totals, self.last_ns = [], [0], None

    def allow(self, ts_ns, weight):
        cost = lots_of(weight)
        refuse(cost < 0 or type(ts_ns) is not int or (self.last_ns is not None and ts_ns < self.last_ns))
        self.last_ns = ts_ns
        gone = bisect_left(self.times, ts_ns - self.window_ns + 1)
        if self.totals[-1] - self.totals[gone] + cost > self.limit:
            return False
        self.times.append(ts_ns)
        self.totals.append(self.totals[-1] + cost)
        return True


class Breaker:
    """Free at some time; refuses a reset before it."""

    def __init__(self, threshold, cooldown_ns):
        ticks(threshold)
        refuse(type(cooldown_ns) is not int or cooldown_ns < 0)
        self.threshold, self.cooldown_ns, self.free_ns = threshold, cooldown_ns, None

    @property
    def tripped(self):
        return self.free_ns is not None

    def update(self, ts_ns, value):
        refuse(type(ts_ns) is not int)
        known_below = value is not None and Decimal(value).is_finite() and value < self.threshold
        if not known_below and self.free_ns is None:
            self.free_ns = ts_ns + self.cooldown_ns

    def reset(self, ts_ns):
        refuse(type(ts_ns) is not int)
        refuse(self.free_ns is not None and ts_ns < self.free_ns, "still cooling down")
        self.free_ns = None


_top = {"bid": 0, "ask": 0}


def on_book_update(update):
    for side, price, qty in update["levels"]:
        if qty:
            _top[side] = int(price)
