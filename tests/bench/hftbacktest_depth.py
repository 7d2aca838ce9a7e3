"""The other side of book.py: on each line that it reads hftbacktest replays the book of a file, and tells its seconds.

It has an environment of its own, with the NumPy that it asks for.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter, process_time
from typing import Any

import hftbacktest as hft
import numpy as np
from numpy.typing import NDArray

MS = 10**6
DEPTHS = ("HashMap", "ROIVector")
FOR_EVER = 10**17  # [ns]


def events(book: Any) -> NDArray[Any]:
    """Return the updates in hftbacktest's form, for its local book; a snapshot clears both sides first."""
    begins = book["starts"][book["snapshot"][book["starts"]]]
    rows = np.insert(np.arange(len(book["ts"])), np.repeat(begins[begins > 0], 2), -1)
    clears = np.flatnonzero(rows < 0)
    sent = rows.copy()
    sent[clears] = rows[clears + 1 + (np.arange(len(clears)) % 2 == 0)]
    out = np.zeros(len(rows), dtype=hft.types.event_dtype)
    kind = np.where(book["snapshot"], hft.DEPTH_SNAPSHOT_EVENT, hft.DEPTH_EVENT)[sent]
    is_ask = book["is_ask"][sent]
    kind[clears], is_ask[clears] = hft.DEPTH_CLEAR_EVENT, np.arange(len(clears)) % 2 > 0
    out["ev"] = np.where(is_ask, hft.SELL_EVENT, hft.BUY_EVENT) | kind | hft.LOCAL_EVENT
    out["exch_ts"], out["local_ts"] = book["ts"][sent] - MS, book["ts"][sent]
    out["px"] = book["price"][sent] / 10 ** int(book["price_scale"])
    out["qty"] = np.where(rows < 0, 0, book["qty"][sent]) / 10 ** int(book["qty_scale"])
    return out


def replayed(feed: NDArray[Any], tick_size: float, lot_size: float, depth: str) -> dict[str, Any]:
    """Replay; return seconds of the clock and of the processor, and the last best bid and ask."""
    asset = hft.BacktestAsset().data(feed).tick_size(tick_size).lot_size(lot_size)
    if depth == "ROIVector":
        levels = feed["px"][feed["px"] > 0]
        asset = asset.roi_lb(levels.min()).roi_ub(levels.max())
    backtest = getattr(hft, f"{depth}MarketDepthBacktest")([asset])
    wall, cpu = perf_counter(), process_time()
    ended = backtest.elapse(FOR_EVER)
    took = [perf_counter() - wall, process_time() - cpu]
    assert ended in (0, 1)
    last = backtest.depth(0)
    best = [round(last.best_bid, 8), round(last.best_ask, 8)]
    backtest.close()
    return {"took": took, "best": best}


def main() -> None:
    """Replay on each line, with both depths: for its local book alone, then for its exchange's book too."""
    book = np.load(sys.argv[1])
    book = {name: book[name] for name in book}
    steps = 10.0 ** -int(book["price_scale"]), 10.0 ** -int(book["qty_scale"])
    one = events(book)
    both = one.copy()
    both["ev"] |= hft.EXCH_EVENT
    for depth in DEPTHS:
        replayed(one[:1000], *steps, depth)
    for _ in sys.stdin:
        print(json.dumps({f"{depth} {name}": replayed(feed, *steps, depth)
                          for depth in DEPTHS for name, feed in (("one book", one), ("two books", both))}),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
