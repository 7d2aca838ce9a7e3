"""What the venue sends in the session of market.py, and what the bot makes of it: book, trades, signals, messages."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from books import MS, SIZE, Book, truth
from columns import Column, Mask, decimals, ids, same, words
from numpy.lib.stride_tricks import sliding_window_view

Spans = tuple[Column, Column]  # from and to, in order and apart [ns]
SYMBOL, SECOND = "BTC-USDT-PERP", 10**9
LOST = 5 * MS  # from a gap's start: what does not arrive
SELDOM = 1000  # one message in so many comes twice, one in part
LATE, DELAY = 200, 2 * MS  # the trades after one message in so many come by so much later than the others
STEP, BUCKETS = SECOND // 10, 10  # of the signals
SPAN = 50
YEAR = 365 * 86_400 * SECOND


def inside(ts: Column, spans: Spans) -> Mask:
    """Say which times lie in a span, its end not."""
    starts, ends = spans
    at = np.searchsorted(starts, ts, side="right") - 1
    return (at >= 0) & (ts < ends[at])


def interrupted(book: Book, down: Spans, gaps: Spans) -> Book:
    """Take away what came while the feed was down, and the first messages of each gap; a snapshot ends both."""
    ts = book.ts[book.starts]
    kept = np.flatnonzero(~inside(ts, down) & ~inside(ts, (gaps[0], gaps[0] + LOST)))
    renews = np.searchsorted(ts[kept], np.concatenate([down[1], gaps[1]]))
    rows = _rows(kept)
    taken = {name: getattr(book, name)[rows] for name in ("ts", "seq", "prev", "snapshot", "is_ask", "price", "qty")}
    taken["snapshot"][_rows(renews)] = True
    return replace(book, **taken, starts=np.arange(len(kept)) * SIZE)


def _rows(messages: Column) -> Column:
    return (messages[:, None] * SIZE + np.arange(SIZE)).ravel()


def tables(book: Book, best: Column, gaps: Spans, rows: int) -> dict[str, pa.Table]:
    """Return the tables of market data: as many trades as `rows`, and a look at the book for a thousand of them.

    Parameters
    ----------
    book : Book
    best : ndarray of int64, shape (2, messages)
        Best bid and ask after each message.
    gaps : Spans
        When the bot's book is not the venue's.
    rows : int
    """
    whole, renews = ~inside(book.ts[book.starts], gaps), book.snapshot[book.starts]
    of = np.flatnonzero(whole[:-1] & ~renews[1:])
    rng = np.random.default_rng(32)
    trades = _trades(book, best, np.sort(of[rng.integers(0, len(of), rows)]), rng)
    looked = np.flatnonzero(whole)
    looked = looked[np.linspace(len(looked) // 100, len(looked) - 1, rows // 1000).astype(np.int64)]
    again = np.intersect1d(of, np.arange(0, len(renews), SELDOM))
    again = again[~renews[again]]
    arrived = pa.table(trades).sort_by("ts_local")
    return {
        "book": _book(book, again), "bot_book": _looks(book, looked), "trades": arrived, "signals": _signals(trades),
        "messages": _messages(book, again), "bot_trades": _classified(arrived),
    }  # fmt: skip


def _book(book: Book, again: Column) -> pa.Table:
    messages = np.sort(np.append(np.arange(len(book.starts)), again))
    rows, repeated = _rows(messages), np.append(False, messages[1:] == messages[:-1])
    return pa.table({
        "ts_exchange": book.ts[rows] - MS, "ts_local": book.ts[rows] + np.repeat(500 * repeated, SIZE),
        "symbol": same(SYMBOL, len(rows)), "seq": book.seq[rows], "prev_seq": book.prev[rows],
        "kind": words(book.snapshot[rows], "delta", "snapshot"), "side": words(book.is_ask[rows], "bid", "ask"),
        "price": decimals(book.price[rows], book.price_scale), "qty": decimals(book.qty[rows], book.qty_scale),
    })  # fmt: skip


def _looks(book: Book, messages: Column) -> pa.Table:
    parts = [(int(book.starts[message]), side, prices, qty) for message, side, prices, qty in truth(book, messages)]
    sizes = [len(prices) for _, _, prices, _ in parts]
    of = np.repeat([row for row, *_ in parts], sizes)
    return pa.table({
        "ts_local": book.ts[of], "symbol": same(SYMBOL, len(of)), "seq": book.seq[of],
        "side": words(np.repeat([side for _, side, _, _ in parts], sizes), "bid", "ask"),
        "level": np.concatenate([np.arange(size) for size in sizes]),
        "price": decimals(np.concatenate([prices for _, _, prices, _ in parts]), book.price_scale),
        "qty": decimals(np.concatenate([qty for *_, qty in parts]), book.qty_scale),
    })  # fmt: skip


def _messages(book: Book, again: Column) -> pa.Table:
    """Return the messages of the book; some come twice, others in part first, and only one of each is applied."""
    count = len(book.starts)
    parted = np.arange(SELDOM // 2, count, SELDOM)
    of = np.concatenate([np.arange(count), again, parted])
    kind = np.repeat([0, 1, 2], [count, len(again), len(parted)])
    ts = book.ts[book.starts[of]]
    local = ts + np.array([0, 500, -300])[kind]
    order = np.argsort(local, kind="stable")
    of, kind = of[order], kind[order]
    return pa.table({
        "ts_local": local[order], "channel": same("market_data", len(of)),
        "message_id": ids("md", book.seq[book.starts[of]]), "complete": pa.array(kind < 2),
        "applied": pa.array(kind == 0), "ts_exchange": ts[order] - MS,
    })  # fmt: skip


# --- trades -----------------------------------------------------------------------------------------------------------


def _trades(book: Book, best: Column, of: Column, rng: np.random.Generator) -> dict[str, pa.Array]:
    """Draw trades at the best prices after these messages, before the next; those beside a window's end are at it."""
    sent = book.ts[book.starts] - MS
    end = sent[of + 1] // STEP * STEP
    ts, side = np.where(end > sent[of], end, (sent[of] + sent[of + 1]) // 2), rng.integers(0, 2, len(of))
    return {
        "ts_exchange": pa.array(ts), "ts_local": pa.array(ts + MS + DELAY * (of % LATE == 0)),
        "symbol": same(SYMBOL, len(of)), "trade_id": ids("t", np.arange(len(of))),
        "price": decimals(best[side, of], book.price_scale),
        "qty": decimals(rng.integers(1, 5000, len(of)), book.qty_scale), "aggressor": words(side, "sell", "buy"),
    }  # fmt: skip


def _classified(trades: pa.Table) -> pa.Table:
    return pa.table({"trade_id": trades["trade_id"], "symbol": trades["symbol"], "side": trades["aggressor"],
                     "used": pa.array(np.ones(len(trades), dtype=bool))})  # fmt: skip


def _signals(trades: dict[str, pa.Array]) -> pa.Table:
    """Return ten times a second VWAP, volume and volatility of the last second, and the EMA of all trades."""
    ts, arrived = (trades[name].to_numpy() for name in ("ts_exchange", "ts_local"))
    price, qty = (trades[name].cast(pa.float64()).to_numpy() for name in ("price", "qty"))
    grid = np.arange(ts[0] // STEP + 2, ts[-1] // STEP) * STEP
    before = np.searchsorted(ts, grid)
    ends, low, high = grid[BUCKETS:], before[:-BUCKETS], before[BUCKETS:]
    units = np.append(0, np.cumsum(np.rint(qty * 1000).astype(np.int64)))
    money = np.append(0, np.cumsum(np.rint(price * 10).astype(np.int64) * np.rint(qty * 1000).astype(np.int64)))
    volume = units[high] - units[low]
    ema = pd.Series(price).ewm(span=SPAN, adjust=False).mean().to_numpy()
    returns = np.diff(np.log(sliding_window_view(price[before - 1], BUCKETS)[1:]))
    some, begun = volume > 0, before[1 : 1 - BUCKETS] > low  # trades in the window, and in its first bucket
    claims = {
        "vwap": ((money[high] - money[low]) / np.maximum(volume, 1) / 10, some, None),
        "volume": (volume / 1000, some, None),
        "volatility": (returns.std(axis=1, ddof=1) * np.sqrt(YEAR / STEP), begun,
                       {"period_ns": STEP, "n": BUCKETS - 1, "ddof": 1}),
        "ema": (ema[high - 1], some, {"span": SPAN}),
    }  # fmt: skip
    at = ends + MS + DELAY + np.arange(len(ends)) * 7919 % 9973
    newest = np.maximum.accumulate(arrived)[high - 1]
    parts = [
        pa.table({
            "ts_local": at, "symbol": same(SYMBOL, len(at)), "name": same(name, len(at)), "value": value,
            "window_start": np.full(len(at), ts[0]) if name == "ema" else ends - SECOND, "window_end": ends,
            "params": same(json.dumps(params) if params else "", len(at)), "ts_input_max": newest,
        }).filter(pa.array(keep))
        for name, (value, keep, params) in claims.items()
    ]  # fmt: skip
    return pa.concat_tables(parts).unify_dictionaries().sort_by("ts_local")
