"""numpy: averages with weights, differences, running maxima, floor, and comparisons of floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Entry, Values, need, number, numbers

VERSION = np.__version__


def _mid(params: Values, given: Values) -> float | None:
    best = []
    for side in ("bids", "asks"):
        levels = np.array([numbers(level) for level in given[side]]).reshape(-1, 2)
        best.append(levels[levels[:, 1] >= number(params["min_qty"]), 0][:1])
    return float(np.mean(np.concatenate(best))) if all(map(len, best)) else None


def _vwap(params: Values, given: Values) -> float:
    return float(np.average(numbers(given["prices"]), weights=numbers(given["qtys"])))


def _microprice(params: Values, given: Values) -> float:
    prices, sizes = numbers([given["bid"], given["ask"]]), numbers([given["ask_qty"], given["bid_qty"]])
    return float(np.average(prices, weights=sizes))


def _changes(prices: list[str], kind: str) -> np.ndarray[Any, Any]:
    need("kind", kind, "simple", "log")
    known = np.array(numbers(prices))
    return np.diff(known) / known[:-1] if kind == "simple" else np.diff(np.log(known))


def _volatility(params: Values, given: Values) -> float:
    changes = _changes(given["prices"], params["kind"])
    return float(np.std(changes, ddof=int(params["ddof"])) * np.sqrt(number(params["periods_per_year"])))


def _volatility_default(params: Values, given: Values) -> float:
    return float(np.std(_changes(given["prices"], params["kind"])) * np.sqrt(number(params["periods_per_year"])))


def _drawdown(params: Values, given: Values) -> list[float]:
    equity = np.array(numbers(given["equity"]))
    peak = np.maximum.accumulate(equity)
    return list(map(float, (peak - equity) / peak))


def _trade_signs(params: Values, given: Values) -> list[float]:
    prices = numbers(given["prices"])
    return list(map(float, np.sign(np.diff(prices, prepend=prices[:1]))))


def _lee_ready(params: Values, given: Values) -> list[float]:
    np.stack([numbers(given["trade_prices"]), numbers(given["trade_ts"])])  # raises for unequal lengths
    np.stack([numbers(given[key]) for key in ("quote_ts", "bids", "asks")])
    prices, bids, asks = (np.array(numbers(given[key])) for key in ("trade_prices", "bids", "asks"))
    trade_ts, quote_ts = (np.array(list(map(int, given[key])), dtype=np.int64) for key in ("trade_ts", "quote_ts"))
    place = np.searchsorted(quote_ts, trade_ts, side="left") - 1
    mids = np.append((bids + asks) / 2, np.nan)[place]
    moved = np.sign(np.diff(prices, prepend=prices[:1]))
    last = np.maximum.accumulate(np.where(moved != 0, np.arange(len(moved)), 0))
    side = np.sign(prices - mids)
    return list(map(float, np.where(np.isnan(side) | (side == 0), moved[last] if len(moved) else moved, side)))


def _round_price(params: Values, given: Values) -> float:
    round_to = {"buy": np.floor, "sell": np.ceil}
    need("side", given["side"], *round_to)
    price, tick = number(given["price"]), np.float64(given["tick"])
    return float(round_to[given["side"]](price / tick) * tick)


def _round_qty(params: Values, given: Values) -> float:
    lot = np.float64(given["lot"])
    return float(np.floor(number(given["qty"]) / lot) * lot)


def _window_of(params: Values, given: Values) -> int:
    ts, width = np.int64(given["ts_ns"]), np.int64(given["width_ns"])
    return int(ts // width * width)


def _returns(params: Values, given: Values) -> list[float]:
    return list(map(float, _changes(given["prices"], params["kind"])))


ENTRIES = [
    Entry("mid", "np.mean([bid, ask])", _mid),
    Entry("microprice", "np.average([bid, ask], weights=[ask_qty, bid_qty])", _microprice),
    Entry("vwap", "np.average(prices, weights=qtys)", _vwap),
    Entry("returns", "np.diff(p) / p[:-1], np.diff(np.log(p))", _returns),
    Entry("volatility", "np.std(returns, ddof=ddof) * np.sqrt(periods)", _volatility),
    Entry("volatility", "np.std(returns) * np.sqrt(periods)", _volatility_default),
    Entry("drawdown", "(peak - x) / peak, peak = np.maximum.accumulate(x)", _drawdown),
    Entry("trade_signs", "np.sign(np.diff(prices))", _trade_signs),
    Entry("lee_ready", "np.sign(price - (bid + ask) / 2) by np.searchsorted, tick rule carried", _lee_ready),
    Entry("round_price", "np.floor(price / tick) * tick, np.ceil", _round_price),
    Entry("round_qty", "np.floor(qty / lot) * lot", _round_qty),
    Entry("window_of", "np.int64 // and *", _window_of),
]
