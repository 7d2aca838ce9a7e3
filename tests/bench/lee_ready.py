"""How fast Lee-Ready's kernel signs trades, beside polars finding their quotes: ``python tests/bench/lee_ready.py``.

Both get the same sorted int64 columns, in turns, in one process; the fastest turn of each counts. The kernel gives
signs, ties by the tick rule; polars gives the bid and ask in force before each trade, and no sign yet. A quote of the
first market changes a size four times in five, as most updates of a best price do; of the second each moves the mid,
which is the worst case of the kernel.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from time import perf_counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmverify import compiled
from mmverify.formulas.trade_sign import lee_ready

Column = NDArray[np.int64]
START = 1_700_000_000_000_000_000
MARKETS = {"one quote in five moves the mid": 5, "every quote moves the mid": 1}


def market(rows: int, still: int) -> dict[str, Column]:
    """Draw as many trades as quotes, one a microsecond; one trade in three is at a mid."""
    rng = np.random.default_rng(32)
    trade_ts, quote_ts = (START + np.cumsum(rng.integers(0, 2000, rows)) for _ in range(2))
    step = rng.choice(np.array([-1, 1]), rows) * (np.arange(rows) % still == 0)
    bids = 6_000_000 + np.cumsum(step)
    asks = bids + 2
    newest = np.maximum(np.searchsorted(quote_ts, trade_ts) - 1, 0)
    return {"trade_prices": bids[newest] + rng.integers(0, 3, rows), "trade_ts": trade_ts, "quote_ts": quote_ts,
            "bids": bids, "asks": asks}  # fmt: skip


def joined(columns: dict[str, Column]) -> Callable[[], pl.DataFrame]:
    """Return what finds the quotes of a market by polars."""
    trades = pl.DataFrame({"ts": columns["trade_ts"], "price": columns["trade_prices"]}).set_sorted("ts")
    quotes = pl.DataFrame({"ts": columns["quote_ts"], "bid": columns["bids"], "ask": columns["asks"]}).set_sorted("ts")
    return lambda: trades.join_asof(quotes, on="ts", strategy="backward", allow_exact_matches=False)


def ticks(prices: Column) -> Column:
    """Return the tick rule's signs by polars."""
    return pl.Series(prices).diff().sign().replace(0, None).forward_fill().fill_null(0).to_numpy()


def check(columns: dict[str, Column], found: pl.DataFrame) -> None:
    """Fail where the kernel's signs are not those of polars' quotes."""
    away = (
        found.select((2 * pl.col("price") - pl.col("bid") - pl.col("ask")).sign().fill_null(0)).to_series().to_numpy()
    )
    assert (lee_ready(**columns) == np.where(away == 0, ticks(columns["trade_prices"]), away)).all()


def fastest(jobs: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Run jobs in turns; return the shortest time of each. [s]"""
    out = dict.fromkeys(jobs, float("inf"))
    for _ in range(turns):
        for name, job in jobs.items():
            start = perf_counter()
            job()
            out[name] = min(out[name], perf_counter() - start)
    return out


def main() -> None:
    """Print a line of JSON a market: seconds of both, and how many times as fast the kernel is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="trades, and as many quotes")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--columns", action="store_true", help="as without numba")
    arguments = parser.parse_args()
    if arguments.columns:
        compiled.LARGE = sys.maxsize
    for name, still in MARKETS.items():
        columns = market(arguments.rows, still)
        join = joined(columns)
        check(columns, join())
        times = fastest({"join_asof": join, "lee_ready": lambda: lee_ready(**columns)}, arguments.turns)  # noqa: B023
        ratio = times["join_asof"] / times["lee_ready"]
        loops = find_spec("numba") is not None and arguments.rows >= compiled.LARGE
        print(json.dumps({"market": name, "rows": arguments.rows, "compiled": loops,
                          **{job: round(seconds, 3) for job, seconds in times.items()}, "ratio": round(ratio, 2)}),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
