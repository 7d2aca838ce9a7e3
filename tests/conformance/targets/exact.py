"""A right target: the library's own oracles and replays, answers as Decimal."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from mmverify.errors import MmverifyError
from mmverify.formulas import clock, formulas
from mmverify.replay.breaker import Breaker as _Breaker
from mmverify.replay.order_book import OrderBook
from mmverify.replay.order_state import Order as _Order
from mmverify.replay.position import Position as _Position
from mmverify.replay.rate_limit import RateLimiter as _RateLimiter

ERRORS = (MmverifyError,)


def out(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [out(each) for each in value]
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / Decimal(value.denominator)
    return value


def exact(name: str, *args: Any, **kwargs: Any) -> Any:
    return out(formulas()[name].exact(*args, **kwargs))


def mid(bids, asks, min_qty=0):
    return exact("mid", bids, asks, min_qty)


def microprice(bid, bid_qty, ask, ask_qty):
    return exact("microprice", bid, bid_qty, ask, ask_qty)


def quote(fair, half_spread, skew, tick):
    return exact("quote", fair, half_spread, skew, tick)


def round_price(price, tick, side):
    return exact("round_price", price, tick, side)


def round_qty(qty, lot):
    return exact("round_qty", qty, lot)


def vwap(prices, qtys):
    return exact("vwap", prices, qtys)


def ema(values, span=None, alpha=None, init="first"):
    return exact("ema", values, span=span, alpha=alpha, init=init)


def returns(prices, kind="log"):
    return exact("returns", prices, kind=kind)


def volatility(prices, periods_per_year, kind="log", ddof=1):
    return exact("volatility", prices, kind=kind, ddof=ddof, periods_per_year=periods_per_year)


def realized_pnl(fills, cost_basis, kind="linear", multiplier=1):
    return exact("realized_pnl", fills, cost_basis=cost_basis, kind=kind, multiplier=multiplier)


def unrealized_pnl(qty, avg_px, price, kind="linear", multiplier=1):
    return exact("unrealized_pnl", qty, avg_px, price, kind=kind, multiplier=multiplier)


def notional(price, qty, kind="linear", multiplier=1):
    return exact("notional", price, qty, kind=kind, multiplier=multiplier)


def fee(price, qty, rate, kind="linear", multiplier=1):
    return exact("fee", price, qty, rate, kind=kind, multiplier=multiplier)


def funding(qty, mark, rate, kind="linear", multiplier=1):
    return exact("funding", qty, mark, rate, kind=kind, multiplier=multiplier)


def convert(amount, asset, currency, rates):
    return exact("convert", amount, asset, currency, rates)


def drawdown(equity):
    return exact("drawdown", equity)


def trade_signs(prices, first=0):
    return exact("trade_signs", prices, first)


def lee_ready(trade_prices, trade_ts, quote_ts, bids, asks):
    return exact("lee_ready", trade_prices, trade_ts, quote_ts, bids, asks)


def exposure(position, open_orders):
    return exact("exposure", position, open_orders)


def liquidation_price(qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1, maintenance_amount=0):
    return exact(
        "liquidation_price", qty, avg_px, margin, maintenance_rate, kind=kind, multiplier=multiplier,
        maintenance_amount=maintenance_amount, maintenance_at="mark",
    )  # fmt: skip


parse_ts, duration, window_of, order_id = (
    clock.parse_ts_exact, clock.duration_exact, clock.window_of_exact, clock.order_id,
)  # fmt: skip


class Shown:
    """Shows its attributes as Decimal."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.inner = self.model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return found if callable(found) else out(found)


class Position(Shown):
    model = _Position


class Order(Shown):
    model = _Order


class Book(Shown):
    model = OrderBook


class RateLimiter(Shown):
    model = _RateLimiter


class Breaker(Shown):
    model = _Breaker


LATEST: dict[tuple[str, Decimal], Decimal] = {}


def on_book_update(update):
    for side, price, qty in update["levels"]:
        if qty:
            LATEST[side, price] = qty
        else:
            LATEST.pop((side, price), None)
