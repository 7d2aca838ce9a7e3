"""pandas: exponentially weighted means, changes, running maxima, joins as of a time, timestamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from . import Cannot, Entry, Values, need, number, numbers

VERSION = pd.__version__


def _ewm(params: Values, **settings: Any) -> dict[str, Any]:
    keys = [key for key in ("span", "alpha") if key in params]
    return {key: number(params[key]) for key in keys} | settings


def _ema_default(params: Values, given: Values) -> list[float]:
    return pd.Series(numbers(given["values"])).ewm(**_ewm(params)).mean().tolist()


def _ema(params: Values, given: Values) -> list[float]:
    need("init", params["init"], "first", "adjusted")
    settings = _ewm(params, adjust=params["init"] == "adjusted", ignore_na=True)
    return pd.Series(numbers(given["values"])).ewm(**settings).mean().tolist()


def _changes(prices: list[str], kind: str) -> pd.Series[float]:
    need("kind", kind, "simple", "log")
    known = pd.Series(numbers(prices))
    return (known.pct_change() if kind == "simple" else np.log(known).diff()).iloc[1:]


def _volatility(params: Values, given: Values) -> float:
    changes = _changes(given["prices"], params["kind"])
    return float(changes.std(ddof=int(params["ddof"])) * np.sqrt(number(params["periods_per_year"])))


def _volatility_default(params: Values, given: Values) -> float:
    return float(_changes(given["prices"], params["kind"]).std() * np.sqrt(number(params["periods_per_year"])))


def _vwap(params: Values, given: Values) -> float:
    prices, sizes = pd.Series(numbers(given["prices"])), pd.Series(numbers(given["qtys"]))
    return float((prices * sizes).sum() / sizes.sum())


def _drawdown(params: Values, given: Values) -> list[float]:
    equity = pd.Series(numbers(given["equity"]))
    return (1 - equity / equity.cummax()).tolist()


def _signs(prices: pd.Series[float], first: float) -> pd.Series[float]:
    return np.sign(prices.diff()).replace(0, np.nan).ffill().fillna(first)


def _trade_signs(params: Values, given: Values) -> list[float]:
    return _signs(pd.Series(numbers(given["prices"])), number(params["first"])).tolist()


def _lee_ready(given: Values, **settings: Any) -> list[float]:
    trades = pd.DataFrame(
        {"ts": list(map(int, given["trade_ts"])), "price": numbers(given["trade_prices"])}, dtype=None
    )
    quotes = pd.DataFrame(
        {"ts": list(map(int, given["quote_ts"])), "bid": numbers(given["bids"]), "ask": numbers(given["asks"])}
    )
    both = pd.merge_asof(trades.astype({"ts": "int64"}), quotes.astype({"ts": "int64"}), on="ts", **settings)
    side = np.sign(both["price"] - (both["bid"] + both["ask"]) / 2).replace(0, np.nan)
    return side.fillna(_signs(both["price"], 0)).tolist()


def _parse_ts(params: Values, given: Values) -> int | None:
    if given["text"].lstrip("-").isdigit():
        raise Cannot("a whole number in a text is no time to it: the unit has to be given")
    stamp = pd.Timestamp(given["text"])
    return None if stamp is pd.NaT else int(stamp.as_unit("ns").value)


def _window_of(params: Values, given: Values) -> int:
    return int(pd.Timestamp(int(given["ts_ns"])).floor(pd.Timedelta(int(given["width_ns"]))).value)


ENTRIES = [
    Entry("ema", "Series.ewm(span=span).mean()", _ema_default),
    Entry("ema", "Series.ewm(span=span, adjust=adjusted, ignore_na=True).mean()", _ema),
    Entry(
        "returns", "Series.pct_change(), np.log(Series).diff()", lambda p, g: _changes(g["prices"], p["kind"]).tolist()
    ),
    Entry("volatility", "Series.std(ddof=ddof) * sqrt(periods)", _volatility),
    Entry("volatility", "Series.std() * sqrt(periods)", _volatility_default),
    Entry("vwap", "(p * q).sum() / q.sum()", _vwap),
    Entry("drawdown", "1 - x / x.cummax()", _drawdown),
    Entry("trade_signs", "np.sign(p.diff()).replace(0, nan).ffill()", _trade_signs),
    Entry("lee_ready", "merge_asof(trades, quotes, on='ts'), sign of price - mid", lambda p, g: _lee_ready(g)),
    Entry(
        "lee_ready",
        "merge_asof(..., allow_exact_matches=False), sign of price - mid",
        lambda p, g: _lee_ready(g, allow_exact_matches=False),
    ),
    Entry("parse_ts", "Timestamp(text).value", _parse_ts),
    Entry("window_of", "Timestamp(ts).floor(width).value", _window_of),
]
