"""A right target in whole ticks and lots: decimals become integers at the door, and decimals again on the way out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

ERRORS = (ValueError,)
SCALE = 10**12


def whole(value: Any, low: int | None = None) -> int:
    """Return a number in units of 10**-12."""
    if value is None or not Decimal(value).is_finite():
        raise ValueError(f"{value} is no number")
    scaled = int(Decimal(value).scaleb(12))
    if low is not None and scaled < low:
        raise ValueError(f"{value} is too small")
    return scaled


def over(numerator: int, denominator: int) -> Decimal:
    return Decimal(numerator) / Decimal(denominator)


def mid(bids, asks, min_qty=0):
    least = max(whole(min_qty, 0), 1)
    tops = []
    for side in (bids, asks):
        levels = [(whole(price, 1), whole(qty, 0)) for price, qty in side]
        tops.append(next((price for price, qty in levels if qty >= least), None))
    return None if None in tops else over(sum(tops), 2 * SCALE)


def microprice(bid, bid_qty, ask, ask_qty):
    b, a, bq, aq = whole(bid, 1), whole(ask, 1), whole(bid_qty, 0), whole(ask_qty, 0)
    if not bq + aq:
        return None
    return over(b * aq + a * bq, (bq + aq) * SCALE)


def round_price(price, tick, side):
    p, t = whole(price, 1), whole(tick, 1)
    if side not in ("buy", "sell"):
        raise ValueError(side)
    return over((p // t if side == "buy" else -(-p // t)) * t, SCALE)


def quote(fair, half_spread, skew, tick):
    f, h, s, t = whole(fair, 1), whole(half_spread, 0), whole(skew), whole(tick, 1)
    bid, ask = (f + s - h) // t * t, -(-(f + s + h) // t) * t
    return (over(bid, SCALE), over(ask, SCALE)) if 0 < bid < ask else None


def round_qty(qty, lot):
    q, step = whole(qty, 0), whole(lot, 1)
    return over(q // step * step, SCALE)


def vwap(prices, qtys):
    if len(prices) != len(qtys):
        raise ValueError("lengths")
    p, q = [whole(price, 1) for price in prices], [whole(qty, 0) for qty in qtys]
    return over(sum(x * y for x, y in zip(p, q, strict=True)), sum(q) * SCALE) if sum(q) else None


def trade_signs(prices, first=0):
    ticks, signs = [whole(price, 1) for price in prices], []
    for n, price in enumerate(ticks):
        step = price - ticks[n - 1] if n else 0
        signs.append((step > 0) - (step < 0) if step else signs[-1] if signs else first)
    return signs


def exposure(position, open_orders):
    ends = {"buy": whole(position), "sell": whole(position)}
    for side, qty in open_orders:
        if side not in ends:
            raise ValueError(side)
        ends[side] += whole(qty, 0) * (1 if side == "buy" else -1)
    return over(ends["buy"], SCALE), over(ends["sell"], SCALE)


class Position:
    """One linear contract at average cost, in whole units; it takes no other."""

    def __init__(self, kind, multiplier, cost_basis):
        if kind != "linear" or cost_basis != "average":
            raise ValueError("not supported")
        self.size, self.units, self.cost, self.paid, self.fee, self.seen = whole(multiplier, 1), 0, Decimal(0), 0, 0, set()

    qty = property(lambda self: over(self.units, SCALE))
    fees = property(lambda self: over(self.fee, SCALE))
    avg_px = property(lambda self: self.cost / self.units / SCALE if self.units else Decimal(0))
    realized = property(lambda self: (self.cost - self.paid) * self.size / SCALE**3)

    def fill(self, exec_id, side, price, qty, fee):
        if side not in ("buy", "sell"):
            raise ValueError(side)
        if exec_id in self.seen:
            return
        at, units, cost = whole(price, 1), whole(qty, 1) * (1 if side == "buy" else -1), whole(fee)
        self.seen.add(exec_id)
        after = self.units + units
        if self.units * units >= 0:
            self.cost += at * units
        elif self.units * after > 0:
            self.cost = self.cost * after / self.units
        else:
            self.cost = Decimal(at * after)
        self.units, self.paid, self.fee = after, self.paid + at * units, self.fee + cost
