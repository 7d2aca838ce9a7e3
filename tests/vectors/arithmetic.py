"""The functions of the contract in exact arithmetic, written for the corpus alone: slow, plain, Fraction throughout.

Each takes the inputs and conventions of a case as they stand in its file (text) and gives the exact answer; None is
'not defined', `Refused` is 'outside the domain'. Every case, the ones typed by hand too, is held against them.
"""

from __future__ import annotations

import datetime
import re
from fractions import Fraction as F
from itertools import pairwise

from corpus import log, root, rounded

KINDS = ("spot", "linear", "inverse", "quanto")


class Refused(Exception):
    """The inputs are outside the domain: whoever computes with them must raise or give None."""


def need(condition: bool) -> None:
    if not condition:
        raise Refused


def num(value: str | int | F) -> F:
    """Read a number; NaN is refused."""
    need(value is not None and str(value) not in ("NaN", "Infinity", "-Infinity"))
    return F(value)


def positive(value: str | F) -> F:
    number = num(value)
    need(number > 0)
    return number


def size(value: str | F) -> F:
    number = num(value)
    need(number >= 0)
    return number


# --- prices -----------------------------------------------------------------------------------------------------------


def mid(bids: list[list[str]], asks: list[list[str]], min_qty: str) -> F | None:
    best = []
    for side in (bids, asks):
        levels = [(positive(price), size(qty)) for price, qty in side]
        best.append(next((price for price, qty in levels if qty >= F(min_qty)), None))
    if best[0] is None or best[1] is None:
        return None
    return (best[0] + best[1]) / 2


def microprice(bid: str, bid_qty: str, ask: str, ask_qty: str) -> F | None:
    b, a, bq, aq = positive(bid), positive(ask), size(bid_qty), size(ask_qty)
    return (b * aq + a * bq) / (bq + aq) if bq + aq else None


def quote(fair: str, half_spread: str, skew: str, tick: str) -> list[F] | None:
    step, centre, half = positive(tick), positive(fair) + num(skew), size(half_spread)
    bid = ((centre - half) / step).__floor__() * step
    ask = ((centre + half) / step).__ceil__() * step
    return [bid, ask] if 0 < bid < ask else None


def round_price(price: str, tick: str, side: str) -> F:
    ticks = positive(price) / positive(tick)
    need(side in ("buy", "sell"))
    return (ticks.__floor__() if side == "buy" else ticks.__ceil__()) * F(tick)


def round_qty(qty: str, lot: str) -> F:
    return (size(qty) / positive(lot)).__floor__() * F(lot)


# --- series -----------------------------------------------------------------------------------------------------------


def vwap(prices: list[str], qtys: list[str]) -> F | None:
    need(len(prices) == len(qtys))
    pairs = [(positive(price), size(qty)) for price, qty in zip(prices, qtys, strict=True)]
    volume = sum(qty for _, qty in pairs)
    return sum(price * qty for price, qty in pairs) / volume if volume else None


def ema(values: list[str | None], init: str, span: str | None = None, alpha: str | None = None, ema_nan: str = "repeat") -> list[F | None]:
    need(init in ("first", "sma", "adjusted") and (span is None) != (alpha is None))
    need(not (init == "sma" and alpha is not None))
    if span is not None:
        need(num(span) >= 1 and (init != "sma" or num(span).denominator == 1))
    a = num(alpha) if alpha is not None else 2 / (num(span) + 1)
    need(0 < a <= 1)
    out: list[F | None] = []
    known: list[F] = []
    for position, value in enumerate(values):
        if value is None or value == "NaN":
            if ema_nan == "propagate":
                return out + [None] * (len(values) - position)
        else:
            known.append(F(value))
        out.append(_ema_of(known, a, init, int(F(span)) if init == "sma" else 1))
    return out


def _ema_of(known: list[F], a: F, init: str, seed: int) -> F | None:
    """Return the average of a whole history at once: each value times its weight, newest first."""
    if len(known) < seed:
        return None
    weights = [a * (1 - a) ** age for age in range(len(known) - seed)]
    tail = known[: seed - 1 : -1] if len(known) > seed else []
    if init == "adjusted":
        weights = [(1 - a) ** age for age in range(len(known))]
        return sum(w * x for w, x in zip(weights, reversed(known), strict=True)) / sum(weights)
    start = sum(known[:seed], F(0)) / seed
    return sum((w * x for w, x in zip(weights, tail, strict=True)), F(0)) + (1 - a) ** (len(known) - seed) * start


def returns(prices: list[str], kind: str) -> list[F]:
    need(kind in ("log", "simple"))
    known = [positive(price) for price in prices]
    ratios = [after / before for before, after in pairwise(known)]
    return [ratio - 1 for ratio in ratios] if kind == "simple" else [rounded(log(ratio)) for ratio in ratios]


def volatility(prices: list[str], periods_per_year: str, kind: str, ddof: str) -> F | None:
    need(kind in ("log", "simple"))
    known, periods = [positive(price) for price in prices], positive(periods_per_year)
    ratios = [after / before for before, after in pairwise(known)]
    changes = [ratio - 1 if kind == "simple" else F(log(ratio)) for ratio in ratios]
    count, spare = len(changes), int(ddof)
    if count <= spare:
        return None
    mean = sum(changes, F(0)) / count
    variance = sum(((change - mean) ** 2 for change in changes), F(0)) / (count - spare)
    exact = rounded(root(variance * periods), 60)
    return rounded(exact) if exact * exact != variance * periods else exact


def drawdown(equity: list[str]) -> list[F | None]:
    known = [num(value) for value in equity]
    out: list[F | None] = []
    for count in range(1, len(known) + 1):
        peak = max(known[:count])
        out.append((peak - known[count - 1]) / peak if peak > 0 else None)
    return out


def trade_signs(prices: list[str], first: str) -> list[int]:
    known = [positive(price) for price in prices]
    return [_last_change(known[: here + 1]) or int(first) for here in range(len(known))]


def _last_change(known: list[F]) -> int:
    for here in range(len(known) - 1, 0, -1):
        if known[here] != known[here - 1]:
            return 1 if known[here] > known[here - 1] else -1
    return 0


def lee_ready(trade_prices: list[str], trade_ts: list[str], quote_ts: list[str], bids: list[str], asks: list[str]) -> list[int]:
    need(len(trade_prices) == len(trade_ts) and len(quote_ts) == len(bids) == len(asks))
    known = [positive(price) for price in trade_prices]
    quotes = [(int(ts), positive(bid), positive(ask)) for ts, bid, ask in zip(quote_ts, bids, asks, strict=True)]
    out = []
    for here, (price, ts) in enumerate(zip(known, trade_ts, strict=True)):
        before = [(bid, ask) for when, bid, ask in quotes if when < int(ts)]
        middle = (before[-1][0] + before[-1][1]) / 2 if before else price
        out.append(1 if price > middle else -1 if price < middle else _last_change(known[: here + 1]))
    return out


# --- money ------------------------------------------------------------------------------------------------------------


def gain(kind: str, entry: F, leave: F, qty: F, multiplier: F) -> F:
    """Return what a signed quantity gained between two prices."""
    return (1 / entry - 1 / leave) * qty * multiplier if kind == "inverse" else (leave - entry) * qty * multiplier


def average(kind: str, lots: list[tuple[F, F]]) -> F:
    """Return the mean price of lots (quantity, price); harmonic for an inverse contract."""
    total = sum(qty for qty, _ in lots)
    if kind == "inverse":
        return total / sum(qty / price for qty, price in lots)
    return sum(qty * price for qty, price in lots) / total


class Ledger:
    """A position as a list of lots, oldest first; the sign is kept apart."""

    def __init__(self, kind: str, multiplier: str, cost_basis: str) -> None:
        need(kind in KINDS and cost_basis in ("fifo", "lifo", "average"))
        self.kind, self.multiplier, self.cost_basis = kind, positive(multiplier), cost_basis
        self.direction, self.lots = 0, []
        self.realized, self.fees = F(0), F(0)
        self.terms = F(0)  # sum of the sizes of what realized is a difference of
        self.seen: set[str] = set()

    def fill(self, exec_id: str | None, side: str, price: str, qty: str, fee: str = "0") -> None:
        if exec_id is not None and exec_id in self.seen:
            return
        need(side in ("buy", "sell"))
        at, left, cost = positive(price), size(qty), num(fee)
        direction = 1 if side == "buy" else -1
        while left and self.lots and direction != self.direction:
            place = len(self.lots) - 1 if self.cost_basis == "lifo" else 0
            held, entry = self.lots[place]
            part = min(held, left)
            self.realized += gain(self.kind, entry, at, part * self.direction, self.multiplier)
            unit = 1 / entry + 1 / at if self.kind == "inverse" else entry + at
            self.terms += unit * part * self.multiplier
            left -= part
            if part == held:
                del self.lots[place]
            else:
                self.lots[place] = (held - part, entry)
        if left:
            self.lots.append((left, at))
            self.direction = direction
        if self.cost_basis == "average" and self.lots:
            self.lots = [(sum(held for held, _ in self.lots), average(self.kind, self.lots))]
        self.fees += cost
        if exec_id is not None:
            self.seen.add(exec_id)

    @property
    def qty(self) -> F:
        return self.direction * sum((held for held, _ in self.lots), F(0))

    @property
    def avg_px(self) -> F | None:
        return average(self.kind, self.lots) if self.lots else None


def ledger(fills: list[list[str]], cost_basis: str, kind: str, multiplier: str) -> Ledger:
    book = Ledger(kind, multiplier, cost_basis)
    for side, price, qty in fills:
        book.fill(None, side, price, qty)
    return book


def realized_pnl(fills: list[list[str]], cost_basis: str, kind: str, multiplier: str) -> F:
    return ledger(fills, cost_basis, kind, multiplier).realized


def unrealized_pnl(qty: str, avg_px: str, price: str, kind: str, multiplier: str) -> F:
    need(kind in KINDS)
    return gain(kind, positive(avg_px), positive(price), num(qty), positive(multiplier))


def notional(price: str, qty: str, kind: str, multiplier: str) -> F:
    need(kind in KINDS)
    p, q, m = positive(price), size(qty), positive(multiplier)
    return q * m / p if kind == "inverse" else p * q * m


def fee(price: str, qty: str, rate: str, kind: str, multiplier: str) -> F:
    return notional(price, qty, kind, multiplier) * num(rate)


def funding(qty: str, mark: str, rate: str, kind: str, multiplier: str) -> F:
    signed = num(qty)
    paid = notional(mark, abs(signed), kind, multiplier) * num(rate)
    return -paid if signed > 0 else paid


def convert(amount: str, asset: str, currency: str, rates: list[list[str]]) -> F:
    """Take the only chain that there is; a case where chains disagree states its answers itself."""
    money = num(amount)
    table = {(out, into): positive(rate) for out, into, rate in rates}
    if asset == currency:
        return money

    def leg(out: str, into: str) -> F | None:
        if (out, into) in table:
            return table[out, into]
        return 1 / table[into, out] if (into, out) in table else None

    direct = leg(asset, currency)
    if direct is not None:
        return money * direct
    middles = sorted({name for pair in table for name in pair} - {asset, currency})
    chains = {money * leg(asset, via) * leg(via, currency) for via in middles if leg(asset, via) and leg(via, currency)}
    need(len(chains) == 1)
    return chains.pop()


def exposure(position: str, open_orders: list[list[str]]) -> list[F]:
    net = num(position)
    for side, qty in open_orders:
        need(side in ("buy", "sell"))
        size(qty)
    long = net + sum(F(qty) for side, qty in open_orders if side == "buy")
    short = net - sum(F(qty) for side, qty in open_orders if side == "sell")
    return [long, short]


def liquidation_price(qty: str, avg_px: str, margin: str, maintenance_rate: str, maintenance_amount: str, kind: str, multiplier: str, maintenance_at: str) -> F | None:
    """Solve margin + P&L(P) - maintenance(P) = 0: linear in P, or in 1/P for an inverse contract."""
    need(kind in KINDS and maintenance_at in ("liquidation", "entry"))
    q, entry, money, m = num(qty), positive(avg_px), num(margin), positive(multiplier)
    rate, amount = num(maintenance_rate), num(maintenance_amount)

    def excess(x: F) -> F:
        price_term = x  # the price, or its reciprocal
        pnl = (1 / entry - price_term) * q * m if kind == "inverse" else (price_term - entry) * q * m
        at = price_term if maintenance_at == "liquidation" else (1 / entry if kind == "inverse" else entry)
        return money + pnl - (rate * abs(q) * m * at - amount)

    start, slope = excess(F(0)), excess(F(1)) - excess(F(0))
    if slope == 0 or -start / slope <= 0:
        return None
    return 1 / (-start / slope) if kind == "inverse" else -start / slope


# --- times ------------------------------------------------------------------------------------------------------------

ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def parse_ts(text: str) -> int:
    if re.fullmatch(r"-?\d+", text):
        digits = len(text.lstrip("-"))
        return int(text) * next(unit for most, unit in ((11, 10**9), (14, 10**6), (17, 1000), (99, 1)) if digits <= most)
    found = ISO.fullmatch(text)
    need(found is not None)
    year, month, day, hour, minute, second = (int(each) for each in found.groups()[:6])
    need(1 <= month <= 12 and hour < 24 and minute < 60 and second < 60)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    need(1 <= day <= [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1])
    days = datetime.date(year, month, day).toordinal() - datetime.date(1970, 1, 1).toordinal()
    offset = 0
    if found[8] != "Z":
        need(int(found[8][1:3]) < 24 and int(found[8][4:]) < 60)
        offset = (int(found[8][1:3]) * 60 + int(found[8][4:])) * (1 if found[8][0] == "+" else -1)
    seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    return seconds * 10**9 + int((found[7] or "0").ljust(9, "0"))


def duration(start_ns: str, end_ns: str) -> int:
    need(int(end_ns) >= int(start_ns))
    return int(end_ns) - int(start_ns)


def window_of(ts_ns: str, width_ns: str) -> int:
    need(int(width_ns) > 0)
    return int(ts_ns) - int(ts_ns) % int(width_ns)
