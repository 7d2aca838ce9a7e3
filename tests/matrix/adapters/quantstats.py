"""quantstats: returns of prices, their volatility and the drawdown of prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import quantstats as qs

from . import Entry, Values, need, number, numbers

VERSION = qs.__version__


def _series(texts: list[str]) -> pd.Series:
    return pd.Series(numbers(texts), index=pd.date_range("2024-01-01", periods=len(texts), freq="D"))


def _changes(prices: list[str], kind: str) -> pd.Series:
    need("kind", kind, "simple", "log")
    known = _series(prices)
    return (qs.utils.to_returns(known) if kind == "simple" else qs.utils.to_log_returns(known)).iloc[1:]


def _volatility(params: Values, given: Values) -> float:
    changes = (
        _series(given["prices"]).pct_change() if params["kind"] == "simple" else np.log(_series(given["prices"])).diff()
    )
    need("kind", params["kind"], "simple", "log")
    return float(qs.stats.volatility(changes.iloc[1:], periods=number(params["periods_per_year"])))


def _volatility_default(params: Values, given: Values) -> float:
    need("kind", params["kind"], "simple")
    return float(qs.stats.volatility(_series(given["prices"])))


ENTRIES = [
    Entry(
        "returns",
        "utils.to_returns(prices), utils.to_log_returns(prices)",
        lambda p, g: _changes(g["prices"], p["kind"]).tolist(),
    ),
    Entry("volatility", "stats.volatility(returns, periods=periods)", _volatility),
    Entry("volatility", "stats.volatility(prices)", _volatility_default),
    Entry(
        "drawdown",
        "stats.to_drawdown_series(equity)",
        lambda p, g: qs.stats.to_drawdown_series(_series(g["equity"])).tolist(),
    ),
]
