"""TA-Lib: EMA in both of its compatibility modes, ROCP, and STDDEV."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib

from . import Cannot, Entry, Values, need, number, numbers, span_of

VERSION = talib.__version__


def _ema(mode: int) -> Callable[[Values, Values], list[float]]:
    def run(params: Values, given: Values) -> list[float]:
        need("init", params["init"], "first", "sma")
        talib.set_compatibility(mode)
        if talib.get_compatibility() != mode:
            raise Cannot(f"set_compatibility({mode}) is not kept: get_compatibility() is {talib.get_compatibility()}")
        try:
            return talib.EMA(np.array(numbers(given["values"]), dtype=float), timeperiod=span_of(params)).tolist()
        finally:
            talib.set_compatibility(0)

    return run


def _changes(prices: list[str], kind: str) -> np.ndarray:
    need("kind", kind, "simple", "log")
    known = np.array(numbers(prices), dtype=float)
    changes = talib.ROCP(known, timeperiod=1) if kind == "simple" else talib.MOM(talib.LN(known), timeperiod=1)
    return changes[1:]


def _volatility(params: Values, given: Values) -> float:
    changes = _changes(given["prices"], params["kind"])
    if len(changes) < 2:
        raise Cannot("STDDEV takes a period of at least 2")
    return float(talib.STDDEV(changes, timeperiod=len(changes))[-1] * np.sqrt(number(params["periods_per_year"])))


ENTRIES = [
    Entry("ema", "EMA(values, timeperiod=span)", _ema(0)),
    Entry("ema", "EMA(values, timeperiod=span) after set_compatibility(1)", _ema(1)),
    Entry("returns", "ROCP(p, 1), MOM(LN(p), 1)", lambda p, g: _changes(g["prices"], p["kind"]).tolist()),
    Entry("volatility", "STDDEV(returns, n) * sqrt(periods)", _volatility),
]
