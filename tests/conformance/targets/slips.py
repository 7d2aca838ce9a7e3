"""Slips, one a target: ``slips.py:ID`` exposes one name; WRONG says which item it fails."""

from __future__ import annotations

import importlib.util
import math
from decimal import Decimal
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_spec = importlib.util.spec_from_file_location("right_target", Path(__file__).with_name("exact.py"))
assert _spec and _spec.loader
exact: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exact)

WRONG: dict[str, tuple[str, str]] = {}


def wrong(id: str, item: str, name: str, value: Any, **more: Any) -> None:
    """Add a wrong target."""
    WRONG[id] = (name, item)
    globals()[id] = SimpleNamespace(**{name: value, "ERRORS": (ValueError, ArithmeticError)} | more)


def changed(name: str, change: Any) -> Any:
    """Return the right function with its answer changed."""
    right = getattr(exact, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        value = right(*args, **kwargs)
        return None if value is None else change(value)

    return call


def checked(name: str, body: Any) -> Any:
    """Return `body`, which the right function guards: it refuses what the right one does."""
    right = getattr(exact, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        return None if right(*args, **kwargs) is None else body(*args, **kwargs)

    return call


# --- prices -----------------------------------------------------------------------------------------------------------

wrong(
    "mid_float",
    "1.1.5",
    "mid",
    checked("mid", lambda bids, asks, min_qty=0: Decimal(float(exact.mid(bids, asks, min_qty)))),
)
wrong("microprice_own_weights", "1.1.4", "microprice", lambda b, bq, a, aq: exact.microprice(b, aq, a, bq))


def _unchecked_quote(fair: Any, half_spread: Any, skew: Any, tick: Any) -> Any:
    if not (fair > 0 and half_spread >= 0 and tick > 0) or skew != skew:
        raise ValueError("no quote")
    low, high = (fair + skew - half_spread) / tick, (fair + skew + half_spread) / tick
    return math.floor(low) * tick, math.ceil(high) * tick


wrong("quote_crossed", "1.1.3", "quote", _unchecked_quote)
wrong("round_price_half_even", "2.1.3", "round_price", checked("round_price", lambda p, t, side: round(p / t) * t))
wrong("round_price_min_tick", "5.1.5", "round_price", lambda p, t, side: exact.round_price(p, t, side) or t)

# --- series -----------------------------------------------------------------------------------------------------------


def _alike_once(prices: Any, qtys: Any) -> Any:
    exact.vwap(prices, qtys)
    pairs = dict.fromkeys(zip(prices, qtys, strict=True))
    return exact.vwap([p for p, _ in pairs], [q for _, q in pairs])


def _decaying(prices: Any, qtys: Any) -> Any:
    exact.vwap(prices, qtys)
    weights = [q * Decimal("0.9") ** n for n, q in enumerate(qtys)]
    return exact.vwap(prices, weights)


wrong("vwap_alike_once", "3.2.2", "vwap", _alike_once)
wrong("vwap_order", "3.2.3", "vwap", _decaying)
wrong("vwap_mean", "3.3.1", "vwap", checked("vwap", lambda prices, qtys: sum(prices) / len(prices)))
wrong("vwap_key_error", "5.1.3", "vwap", lambda prices, qtys: _key_error(prices, qtys))


def _key_error(prices: Any, qtys: Any) -> Any:
    try:
        return exact.vwap(prices, qtys)
    except ValueError as error:
        raise KeyError("volume") from error


wrong(
    "ema_wilder",
    "3.3.2",
    "ema",
    lambda values, span=None, alpha=None, init="first": (
        exact.ema(values, None, Decimal(1) / span, init)
        if span and init != "sma" and alpha is None
        else exact.ema(values, span, alpha, init)
    ),
)


def _detrended(values: Any, span: Any = None, alpha: Any = None, init: Any = "first") -> Any:
    known = [v for v in values if v is not None and v == v]
    last = known[-1] if known else None
    return exact.ema([last if v is None or v != v else v for v in values], span, alpha, init)


wrong("ema_backfill", "3.3.4", "ema", _detrended)
wrong(
    "volatility_ddof",
    "3.3.3",
    "volatility",
    lambda p, n, kind="log", ddof=1: exact.volatility(p, n, kind, ddof) and exact.volatility(p, n, kind, 0),
)
wrong(
    "volatility_252",
    "3.3.3",
    "volatility",
    lambda p, n, kind="log", ddof=1: exact.volatility(p, n, kind, ddof) and exact.volatility(p, 252, kind, ddof),
)
wrong(
    "drawdown_global",
    "3.3.4",
    "drawdown",
    lambda equity: exact.drawdown([max(equity), *equity])[1:] if exact.drawdown(equity) else [],
)
wrong(
    "signs_zero_tick",
    "3.2.1",
    "trade_signs",
    lambda prices, first=0: (
        exact.trade_signs(prices, first) and [first] + [(b > a) - (b < a) for a, b in pairwise(prices)]
    ),
)

# --- money ------------------------------------------------------------------------------------------------------------

wrong(
    "realized_fifo",
    "1.3.1",
    "realized_pnl",
    lambda fills, basis, kind="linear", multiplier=1: exact.realized_pnl(
        fills, basis and "fifo" if basis in ("fifo", "lifo", "average") else basis, kind, multiplier
    ),
)
wrong(
    "realized_alike_once",
    "1.3.4",
    "realized_pnl",
    lambda fills, basis, kind="linear", multiplier=1: (
        exact.realized_pnl(fills, basis, kind, multiplier)
        and exact.realized_pnl(list(dict.fromkeys(fills)), basis, kind, multiplier)
    ),
)
wrong("notional_int64", "5.1.4", "notional", changed("notional", lambda v: v if v < 2**63 else v % 2**63))
wrong(
    "fee_taker",
    "2.3.5",
    "fee",
    lambda p, q, rate, kind="linear", multiplier=1: (
        exact.fee(p, q, rate, kind, multiplier) is None or exact.fee(p, q, Decimal("0.0005"), kind, multiplier)
    ),
)
wrong("funding_sign", "1.3.3", "funding", changed("funding", lambda v: -v))


wrong(
    "liquidation_no_maintenance",
    "5.3.3",
    "liquidation_price",
    lambda qty, e, margin, rate, kind="linear", multiplier=1, maintenance_amount=0: (
        exact.liquidation_price(qty, e, margin, rate, kind, multiplier, maintenance_amount)
        and exact.liquidation_price(qty, e, margin, 0, kind, multiplier, 0)
    ),
)

# --- times and ids ----------------------------------------------------------------------------------------------------

wrong(
    "ts_ms_as_s",
    "4.1.4",
    "parse_ts",
    lambda text: exact.parse_ts(text) * (1000 if text.isdigit() and 11 < len(text) <= 14 else 1),
)
wrong("duration_negative", "4.1.4", "duration", lambda start, end: end - start)
wrong(
    "window_trunc",
    "4.1.3",
    "window_of",
    checked("window_of", lambda ts, width: math.trunc(exact.Fraction(ts, width)) * width),
)
_next = count()
wrong("id_counter", "2.1.5", "order_id", lambda: f"bot-{next(_next)}")

# --- objects ----------------------------------------------------------------------------------------------------------


class HalfFill(exact.Position):
    """Books the fee before it looks at the rest."""

    def fill(self, exec_id: Any, side: Any, price: Any, qty: Any, fee: Any) -> None:
        try:
            self.inner.fill(exec_id, side, price, qty, fee)
        except ValueError:
            self.inner.fees += exact.Fraction(1)
            raise


class Revives(exact.Order):
    def apply(self, event: Any, **kwargs: Any) -> None:
        before = self.inner.state
        self.inner.apply(event, **kwargs)
        if before == "CANCELED" and event in ("fill", "partial_fill"):
            self.inner.state = "PARTIALLY_FILLED"


class NoGap(exact.Book):
    @property
    def valid(self) -> Any:
        bid, ask = self.inner.best()
        return self.inner.seq is not None and (bid is None or ask is None or bid <= ask)


class WindowClosed(exact.RateLimiter):
    def __init__(self, limit: Any, window_ns: Any) -> None:
        self.limit, self.window, self.granted = limit, window_ns, []
        super().__init__(limit, window_ns)

    def allow(self, ts: Any, weight: Any) -> bool:
        self.inner.__class__(self.limit, self.window).allow(ts, weight)
        load = sum(w for t, w in self.granted if ts - self.window <= t)
        if load + weight > self.limit:
            return False
        self.granted.append((ts, weight))
        return True


class RefusedCounts(WindowClosed):
    def allow(self, ts: Any, weight: Any) -> bool:
        self.inner.__class__(self.limit, self.window).allow(ts, weight)
        self.granted.append((ts, weight))
        return sum(w for t, w in self.granted if ts - self.window < t) <= self.limit


class Above(exact.Breaker):
    def update(self, ts: Any, value: Any) -> None:
        if value != self.inner._threshold:
            self.inner.update(ts, value)


for _id, _item, _class in (
    ("position_half", "2.3.2", HalfFill),
    ("order_revives", "2.2.3", Revives),
    ("book_no_gap", "3.1.5", NoGap),
    ("limiter_refused", "4.3.3", RefusedCounts),
    ("breaker_above", "1.4.4", Above),
):
    wrong(_id, _item, _class.__mro__[1].__name__ if _class is not RefusedCounts else "RateLimiter", _class)

# --- the hot path -----------------------------------------------------------------------------------------------------

_kept: list[Any] = []


def _logs(update: Any) -> None:
    import logging

    logging.getLogger("bot").info("seq %s", update["seq"])


wrong("hot_logs", "4.2.5", "on_book_update", _logs)
wrong("hot_grows", "4.2.3", "on_book_update", _kept.append)
