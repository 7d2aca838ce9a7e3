"""Slips, one a target: ``slips.py:ID`` exposes one name; WRONG says which item it fails."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
import time
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
wrong("mid_no_min_qty", "1.1.4", "mid", lambda bids, asks, min_qty=0: exact.mid(bids, asks))
wrong("mid_one_sided", "1.1.4", "mid", lambda bids, asks, min_qty=0: exact.mid(bids or asks, asks or bids, min_qty))
wrong("microprice_own_weights", "1.1.4", "microprice", lambda b, bq, a, aq: exact.microprice(b, aq, a, bq))
wrong("quote_skew_turned", "1.1.1", "quote", lambda f, h, s, t: exact.quote(f, h, -s, t))


def _unchecked_quote(fair: Any, half_spread: Any, skew: Any, tick: Any) -> Any:
    if not (fair > 0 and half_spread >= 0 and tick > 0) or skew != skew:
        raise ValueError("no quote")
    low, high = (fair + skew - half_spread) / tick, (fair + skew + half_spread) / tick
    return math.floor(low) * tick, math.ceil(high) * tick


wrong("quote_crossed", "1.1.3", "quote", _unchecked_quote)
wrong("round_price_half_even", "2.1.3", "round_price", checked("round_price", lambda p, t, side: round(p / t) * t))
wrong("round_price_min_tick", "5.1.5", "round_price", lambda p, t, side: exact.round_price(p, t, side) or t)
wrong(
    "round_price_any_side",
    "5.1.1",
    "round_price",
    lambda p, t, side: exact.round_price(p, t, "buy" if side == "buy" else "sell"),
)
wrong("round_qty_up", "5.1.5", "round_qty", checked("round_qty", lambda q, lot: math.ceil(q / lot) * lot))

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
wrong(
    "vwap_zero",
    "5.1.3",
    "vwap",
    lambda prices, qtys: (
        exact.vwap(prices, qtys) if any(qtys) or len(prices) != len(qtys) or min(prices, default=1) <= 0 else Decimal(0)
    ),
)
wrong("vwap_negative", "5.1.1", "vwap", lambda prices, qtys: exact.vwap([abs(p) or 1 for p in prices], qtys))
wrong("vwap_key_error", "5.1.3", "vwap", lambda prices, qtys: _key_error(prices, qtys))


def _key_error(prices: Any, qtys: Any) -> Any:
    try:
        return exact.vwap(prices, qtys)
    except ValueError as error:
        raise KeyError("volume") from error


wrong("vwap_nan", "3.3.1", "vwap", changed("vwap", lambda value: Decimal("NaN")))
wrong(
    "vwap_hangs", "3.3.1", "vwap", lambda prices, qtys: time.sleep(60) if len(prices) > 1 else exact.vwap(prices, qtys)
)
wrong(
    "vwap_spins",
    "3.3.1",
    "vwap",
    lambda prices, qtys: [None for _ in count()] if len(prices) > 1 else exact.vwap(prices, qtys),
)
wrong(
    "ema_adjusted",
    "3.3.2",
    "ema",
    lambda values, span=None, alpha=None, init="first": exact.ema(
        values, span, alpha, "adjusted" if init == "first" else init
    ),
)
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
wrong(
    "ema_zero",
    "3.3.2",
    "ema",
    lambda values, span=None, alpha=None, init="first": exact.ema(
        [Decimal(0) if v is None or v != v else v for v in values], span, alpha, init
    ),
)


def _detrended(values: Any, span: Any = None, alpha: Any = None, init: Any = "first") -> Any:
    known = [v for v in values if v is not None and v == v]
    last = known[-1] if known else None
    return exact.ema([last if v is None or v != v else v for v in values], span, alpha, init)


wrong("ema_backfill", "3.3.4", "ema", _detrended)
wrong(
    "returns_kind",
    "3.3.3",
    "returns",
    lambda prices, kind="log": exact.returns(prices, "simple") if kind == "log" else exact.returns(prices, kind),
)
wrong(
    "returns_shifted",
    "3.3.4",
    "returns",
    lambda prices, kind="log": exact.returns(prices[1:] + prices[-1:], kind) if exact.returns(prices, kind) else [],
)
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
    "drawdown_first",
    "1.4.1",
    "drawdown",
    lambda equity: [
        None if d is None else (equity[0] - e) / equity[0] if equity[0] > 0 else d
        for d, e in zip(exact.drawdown(equity), equity, strict=True)
    ],
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
wrong(
    "lee_ready_same_instant",
    "3.2.1",
    "lee_ready",
    lambda prices, ts, quote_ts, bids, asks: exact.lee_ready(
        prices, [t * 2 + 1 for t in ts], [t * 2 for t in quote_ts], bids, asks
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
wrong(
    "realized_linear",
    "1.3.1",
    "realized_pnl",
    lambda fills, basis, kind="linear", multiplier=1: exact.realized_pnl(
        fills, basis, "linear" if kind == "inverse" else kind, multiplier
    ),
)
wrong(
    "unrealized_short",
    "1.3.2",
    "unrealized_pnl",
    lambda qty, e, p, kind="linear", multiplier=1: exact.unrealized_pnl(abs(qty), e, p, kind, multiplier),
)
wrong("notional_int64", "5.1.4", "notional", changed("notional", lambda v: v if v < 2**63 else v % 2**63))
wrong("fee_no_rebate", "1.3.3", "fee", changed("fee", lambda v: max(v, Decimal(0))))
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
    "convert_wrong_way",
    "1.3.5",
    "convert",
    lambda amount, a, c, rates: exact.convert(amount, a, c, {p: 1 / r if r > 0 else r for p, r in rates.items()}),
)
wrong("convert_unconverted", "1.3.5", "convert", lambda amount, a, c, rates: _unconverted(amount, a, c, rates))


def _unconverted(amount: Any, asset: Any, currency: Any, rates: Any) -> Any:
    try:
        return exact.convert(amount, asset, currency, rates)
    except ValueError:
        if amount != amount or any(not rate > 0 for rate in rates.values()):
            raise
        return amount


wrong("exposure_clamped", "1.4.3", "exposure", changed("exposure", lambda ends: (max(ends[0], 0), min(ends[1], 0))))
wrong(
    "exposure_no_reducing",
    "5.1.2",
    "exposure",
    lambda position, orders: (
        exact.exposure(position, orders)
        and exact.exposure(position, [o for o in orders if not position or o[0] != ("sell" if position > 0 else "buy")])
    ),
)
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
    "ts_naive",
    "4.1.1",
    "parse_ts",
    lambda text: exact.parse_ts(
        text if "T" not in text or text[-1] == "Z" or text[-6:-5] in ("+", "-") else text + "Z"
    ),
)
wrong(
    "ts_offset_turned",
    "4.1.1",
    "parse_ts",
    lambda text: exact.parse_ts(
        text[:-6] + {"+": "-", "-": "+"}[text[-6]] + text[-5:] if "T" in text and text[-6:-5] in ("+", "-") else text
    ),
)
wrong("ts_float", "4.1.5", "parse_ts", changed("parse_ts", lambda ns: int(ns / 1e9 * 1e9)))
wrong(
    "ts_ms_as_s",
    "4.1.4",
    "parse_ts",
    lambda text: exact.parse_ts(text) * (1000 if text.isdigit() and 11 < len(text) <= 14 else 1),
)
wrong("duration_negative", "4.1.4", "duration", lambda start, end: end - start)
wrong("window_end", "4.1.3", "window_of", checked("window_of", lambda ts, width: (ts - 1) // width * width))
wrong(
    "window_trunc",
    "4.1.3",
    "window_of",
    checked("window_of", lambda ts, width: math.trunc(exact.Fraction(ts, width)) * width),
)
_next = count()
wrong("id_counter", "2.1.5", "order_id", lambda: f"bot-{next(_next)}")
_random = random.Random(7)
wrong("id_seeded", "2.1.5", "order_id", lambda: f"{_random.getrandbits(64):x}")

# --- objects ----------------------------------------------------------------------------------------------------------


class Wrong(exact.Shown):
    """An object that is right but for what a subclass changes."""

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)


class RepeatedFill(exact.Position):
    def fill(self, exec_id: Any, *args: Any) -> None:
        self.n = getattr(self, "n", 0) + 1
        self.inner.fill(f"{exec_id}/{self.n}", *args)


class HalfFill(exact.Position):
    """Books the fee before it looks at the rest."""

    def fill(self, exec_id: Any, side: Any, price: Any, qty: Any, fee: Any) -> None:
        try:
            self.inner.fill(exec_id, side, price, qty, fee)
        except ValueError:
            self.inner.fees += exact.Fraction(1)
            raise


class NoFees(exact.Position):
    @property
    def fees(self) -> Any:
        return max(exact.out(self.inner.fees), Decimal(0))


class FlippedSign(exact.Position):
    @property
    def qty(self) -> Any:
        return abs(exact.out(self.inner.qty))


class ClosesAll(exact.Position):
    """A closing fill takes the whole position."""

    def fill(self, exec_id: Any, side: Any, price: Any, qty: Any, fee: Any) -> None:
        self.inner.fill(exec_id, side, price, qty, fee)

    @property
    def qty(self) -> Any:
        return exact.out(self.inner.qty) + (1 if abs(self.inner.qty) > 3 * self.inner._size else 0)


class ArithmeticEntry(exact.Position):
    @property
    def realized(self) -> Any:
        return exact.out(self.inner.realized) * 2


class Revives(exact.Order):
    def apply(self, event: Any, **kwargs: Any) -> None:
        before = self.inner.state
        self.inner.apply(event, **kwargs)
        if before == "CANCELED" and event in ("fill", "partial_fill"):
            self.inner.state = "PARTIALLY_FILLED"


class Permissive(exact.Order):
    def apply(self, event: Any, **kwargs: Any) -> None:
        if event == "cancel_request" and self.inner.state in ("CANCELED", "FILLED"):
            return
        self.inner.apply(event, **kwargs)


class LeavesStay(exact.Order):
    @property
    def leaves_qty(self) -> Any:
        return exact.out(self.inner.qty - self.inner.cum_qty)


class OrderPrice(exact.Order):
    @property
    def avg_px(self) -> Any:
        return exact.out(self.inner.price) if self.inner.avg_px else None


class RepeatedReport(exact.Order):
    def apply(self, event: Any, **kwargs: Any) -> None:
        self.n = getattr(self, "n", 0) + 1
        if "exec_id" in kwargs:
            kwargs["exec_id"] += f"/{self.n}"
        self.inner.apply(event, **kwargs)


class AnyEvent(exact.Order):
    def apply(self, event: Any, **kwargs: Any) -> None:
        if event == "teleport":
            return
        self.inner.apply(event, **kwargs)


class AddedQty(exact.Book):
    def apply(self, kind: Any, seq: Any, prev_seq: Any, levels: Any) -> None:
        if kind == "delta":
            books = {"bid": self.inner._bids, "ask": self.inner._asks}
            levels = [(s, p, q + books.get(s, {}).get(p, 0) if q > 0 else q) for s, p, q in levels]
        self.inner.apply(kind, seq, prev_seq, levels)


class NoGap(exact.Book):
    @property
    def valid(self) -> Any:
        bid, ask = self.inner.best()
        return self.inner.seq is not None and (bid is None or ask is None or bid <= ask)


class Crossed(exact.Book):
    @property
    def valid(self) -> Any:
        return self.inner._whole


class LockedIsCrossed(exact.Book):
    @property
    def valid(self) -> Any:
        bid, ask = self.inner.best()
        return self.inner.valid and (bid is None or ask is None or bid < ask)


class TextOrder(exact.Book):
    @property
    def asks(self) -> Any:
        return sorted(self.inner.asks, key=lambda level: str(level[0]), reverse=True)


class HalfMessage(exact.Book):
    def apply(self, kind: Any, seq: Any, prev_seq: Any, levels: Any) -> None:
        try:
            self.inner.apply(kind, seq, prev_seq, levels)
        except ValueError:
            if self.inner._whole and kind == "delta":
                self.inner._set([level for level in levels if level[0] in ("bid", "ask") and level[1] > 0])
            raise


class OldApplied(exact.Book):
    def apply(self, kind: Any, seq: Any, prev_seq: Any, levels: Any) -> None:
        self.inner.apply(kind, seq, prev_seq, levels)
        if kind == "delta" and self.inner._whole and seq is not None and seq < self.inner.seq:
            self.inner._set(levels)


class Unbounded(exact.Book):
    def __init__(self, depth: Any = None) -> None:
        super().__init__()


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


class NanPasses(exact.Breaker):
    def update(self, ts: Any, value: Any) -> None:
        if value == value:
            self.inner.update(ts, value)


class NoCooldown(exact.Breaker):
    def reset(self, ts: Any) -> None:
        self.inner.tripped = False


for _id, _item, _class in (
    ("position_repeats", "2.2.6", RepeatedFill),
    ("position_half", "2.3.2", HalfFill),
    ("position_no_rebate", "1.3.3", NoFees),
    ("position_abs", "1.2.4", FlippedSign),
    ("position_off", "1.2.1", ClosesAll),
    ("position_realized", "1.3.1", ArithmeticEntry),
    ("order_revives", "2.2.3", Revives),
    ("order_permissive", "2.2.2", Permissive),
    ("order_leaves", "2.2.4", LeavesStay),
    ("order_price", "2.2.4", OrderPrice),
    ("order_repeats", "2.2.6", RepeatedReport),
    ("order_any_event", "2.2.1", AnyEvent),
    ("book_adds", "3.1.3", AddedQty),
    ("book_no_gap", "3.1.5", NoGap),
    ("book_crossed", "3.1.1", Crossed),
    ("book_locked", "3.1.1", LockedIsCrossed),
    ("book_text_order", "3.1.2", TextOrder),
    ("book_half", "5.2.3", HalfMessage),
    ("book_old", "5.2.4", OldApplied),
    ("book_deep", "3.1.6", Unbounded),
    ("limiter_closed", "4.3.3", WindowClosed),
    ("limiter_refused", "4.3.3", RefusedCounts),
    ("breaker_above", "1.4.4", Above),
    ("breaker_nan", "1.4.4", NanPasses),
    ("breaker_cooldown", "1.4.4", NoCooldown),
):
    wrong(_id, _item, _class.__mro__[1].__name__ if _class is not RefusedCounts else "RateLimiter", _class)

# --- the hot path -----------------------------------------------------------------------------------------------------

_kept: list[Any] = []


def _sleeps(update: Any) -> None:
    time.sleep(0)


def _opens(update: Any) -> None:
    with open(__file__, encoding="utf-8"):
        pass


def _prints(update: Any) -> None:
    print(update["seq"], file=sys.stdout)


def _logs(update: Any) -> None:
    import logging

    logging.getLogger("bot").info("seq %s", update["seq"])


wrong("hot_sleeps", "4.2.2", "on_book_update", _sleeps)
wrong("hot_opens", "4.2.2", "on_book_update", _opens)
wrong("hot_prints", "4.2.5", "on_book_update", _prints)
wrong("hot_logs", "4.2.5", "on_book_update", _logs)
wrong("hot_grows", "4.2.3", "on_book_update", _kept.append)
