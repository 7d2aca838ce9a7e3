"""Time the review of market data and timing: ``python tests/bench/market.py``, at 1x, 2x and 4x.

The largest session has 10 million book rows, 10 million trades and a million orders, or as many rows as ``--rows`` says
and a tenth of it in orders; a review of sections 3.1 to 3.3, 4.1, 4.3 and 5.1 to 5.3 is a process of its own, as a user
starts it. The session is clean: a finding is an error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from books import MS, Book, Column, drawn, truth
from numpy.typing import NDArray
from run import BUILD, Run, timed
from scipy.signal import lfilter

SIZES = (1, 2, 4)
SECTIONS = ("3.1", "3.2", "3.3", "4.1", "4.3", "5.1", "5.2", "5.3")
SECONDS, MEBIBYTES = 120, 4096  # that the largest may take
GROWTH = 1.25  # of what a row costs, from the smallest to the largest
SYMBOL, SPAN, SECOND = "BTC-USDT", 50, 10**9
SETTINGS = """\
[session]
venue = "bench"
bot = "mm"
currency = "USDT"

[conventions]
ema_init = "first"
trade_sign = "lee_ready"

[timing]
book_stale_ms = 4000
quote_max_age_ms = 1000
ack_timeout_ms = 3000
cancel_timeout_ms = 3000
max_clock_skew_ms = 5

[[rate_limit]]
endpoint = "*"
limit = 1000000
window_s = 1
margin = 0.1
kind = "sliding"
"""


def decimals(ints: Column, scale: int) -> pa.Array:
    """Return scaled integers as decimals."""
    halves = np.stack([ints, ints >> 63], axis=1)
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(ints), [None, pa.py_buffer(halves)])


def words(codes: NDArray[np.integer], *names: str) -> pa.Array:
    """Return a column of text."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names))


def ids(stem: str, numbers: Column) -> pa.Array:
    """Return names with a number each."""
    return pc.binary_join_element_wise(stem, pa.array(numbers).cast(pa.string()), "-")


def same(text: str, rows: int) -> pa.Array:
    """Return a column of one text."""
    return words(np.zeros(rows), text)


def write(out: Path, rows: int) -> None:
    """Write a session of so many book rows and trades, and a tenth of it in orders."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "session.toml").write_text(SETTINGS)
    book = drawn(rows)
    best = np.stack([book.price[book.starts + 1], book.price[book.starts + 2]])
    trades = _trades(book, best, rows)
    instrument = {"symbol": SYMBOL, "kind": "spot", "base": "BTC", "quote": "USDT", "settle": "USDT",
                  "tick_size": "0.1", "lot_size": "0.001", "min_qty": "0.001"}  # fmt: skip
    connection = {
        "ts_local": [int(book.ts[0]) - MS] * 2,
        "channel": ["market_data", "orders"],
        "event": ["connect"] * 2,
    }
    made = {
        "instruments": pa.table({name: [value] for name, value in instrument.items()}),
        "connection": pa.table(connection), "book": _book(book), "bot_book": _looks(book, rows // 1000),
        "trades": pa.table(trades), "signals": _signals(trades), "messages": _messages(book),
        "bot_trades": pa.table({"trade_id": trades["trade_id"], "symbol": trades["symbol"],
                                "side": trades["aggressor"], "used": pa.array(np.ones(rows, dtype=bool))}),
        **_orders(book, best, rows // 10),
    }  # fmt: skip
    for name, table in made.items():
        pq.write_table(table, out / f"{name}.parquet", compression="zstd")


def _book(book: Book) -> pa.Table:
    return pa.table({
        "ts_exchange": book.ts - MS, "ts_local": book.ts, "symbol": same(SYMBOL, len(book.ts)), "seq": book.seq,
        "prev_seq": book.prev, "kind": words(book.snapshot, "delta", "snapshot"),
        "side": words(book.is_ask, "bid", "ask"), "price": decimals(book.price, book.price_scale),
        "qty": decimals(book.qty, book.qty_scale),
    })  # fmt: skip


def _looks(book: Book, count: int) -> pa.Table:
    parts = [(int(book.starts[message]), side, prices, qty) for message, side, prices, qty in truth(book, count)]
    sizes = [len(prices) for _, _, prices, _ in parts]
    of = np.repeat([row for row, *_ in parts], sizes)
    return pa.table({
        "ts_local": book.ts[of], "symbol": same(SYMBOL, len(of)), "seq": book.seq[of],
        "side": words(np.repeat([side for _, side, _, _ in parts], sizes), "bid", "ask"),
        "level": np.concatenate([np.arange(size) for size in sizes]),
        "price": decimals(np.concatenate([prices for _, _, prices, _ in parts]), book.price_scale),
        "qty": decimals(np.concatenate([qty for *_, qty in parts]), book.qty_scale),
    })  # fmt: skip


def _trades(book: Book, best: Column, rows: int) -> dict[str, pa.Array]:
    """Draw trades at the best prices, between two updates."""
    rng = np.random.default_rng(32)
    of = np.sort(rng.integers(0, len(book.starts) - 1, rows))
    sent = book.ts[book.starts] - MS
    ts, side = (sent[of] + sent[of + 1]) // 2, rng.integers(0, 2, rows)
    return {
        "ts_exchange": pa.array(ts), "ts_local": pa.array(ts + MS), "symbol": same(SYMBOL, rows),
        "trade_id": ids("t", np.arange(rows)), "price": decimals(best[side, of], book.price_scale),
        "qty": decimals(rng.integers(1, 5000, rows), book.qty_scale), "aggressor": words(side, "sell", "buy"),
    }  # fmt: skip


def _signals(trades: dict[str, pa.Array]) -> pa.Table:
    """Return VWAP and volume of the last second, and the EMA of all trades, ten times a second."""
    ts = trades["ts_exchange"].to_numpy()
    price, qty = (trades[name].cast(pa.float64()).to_numpy() for name in ("price", "qty"))
    ends = np.arange(ts[0] // SECOND + 2, ts[-1] // SECOND) * SECOND
    ends = np.unique((ends[:, None] + np.arange(10) * (SECOND // 10)).ravel())
    ends = ends[ends < ts[-1]]
    low, high = np.searchsorted(ts, ends - SECOND), np.searchsorted(ts, ends)
    units = np.append(0, np.cumsum(np.rint(qty * 1000).astype(np.int64)))
    money = np.append(0, np.cumsum(np.rint(price * 10).astype(np.int64) * np.rint(qty * 1000).astype(np.int64)))
    volume = units[high] - units[low]
    at = ends + 3 * MS + np.arange(len(ends)) * 7919 % 9973
    known = np.searchsorted(ts + MS, at, side="right")
    alpha = 2 / (SPAN + 1)
    ema = lfilter([alpha], [1, alpha - 1], price, zi=[(1 - alpha) * price[0]])[0]
    claims = {
        "vwap": (money[high] - money[low]) / np.maximum(volume, 1) / 10,
        "volume": volume / 1000,
        "ema": ema[known - 1],
    }
    parts = []
    for name, value in claims.items():
        newest = ts[(known if name == "ema" else high) - 1] + MS
        params = same(json.dumps({"span": SPAN}), len(at)) if name == "ema" else pa.nulls(len(at), pa.string())
        keep = volume > 0
        parts.append(pa.table({
            "ts_local": at, "symbol": same(SYMBOL, len(at)), "name": [name] * len(at), "value": value,
            "window_start": np.where(name == "ema", ts[0], ends - SECOND),
            "window_end": np.where(name == "ema", at, ends), "params": params.cast(pa.string()), "ts_input_max": newest,
        }).filter(pa.array(keep)))  # fmt: skip
    return pa.concat_tables(parts).sort_by("ts_local")


def _messages(book: Book) -> pa.Table:
    """Return the messages of the book; one in a thousand comes again, cut off, and is not applied."""
    count = len(book.starts)
    of = np.sort(np.append(np.arange(count), np.arange(0, count, 1000)))
    first, again = book.starts[of], np.append(False, of[1:] == of[:-1])
    return pa.table({"ts_local": book.ts[first], "channel": same("market_data", len(of)),
                     "message_id": ids("md", book.seq[first]), "complete": pa.array(~again),
                     "applied": pa.array(~again), "ts_exchange": book.ts[first] - MS})  # fmt: skip


def _orders(book: Book, best: Column, orders: int) -> dict[str, pa.Table]:
    """Return quotes, and orders that rest for a tenth of a second: submit, ack, cancel request, cancel ack."""
    of = np.linspace(1, len(book.starts) - 2, orders // 2).astype(np.int64)
    at = book.ts[book.starts[of]]
    quotes = pa.table({
        "ts_local": at, "symbol": same(SYMBOL, len(of)),
        "fair_value": decimals((best[0, of] + best[1, of]) * 5, book.price_scale + 1),
        "bid": decimals(best[0, of], book.price_scale), "ask": decimals(best[1, of], book.price_scale),
        "book_seq": book.seq[book.starts[of]], "best_bid": decimals(best[0, of], book.price_scale),
        "best_ask": decimals(best[1, of], book.price_scale), "state": same("normal", len(of)),
    })  # fmt: skip
    names, is_ask = np.arange(2 * len(of)), np.arange(2 * len(of)) % 2
    submit = np.repeat(at, 2) + np.where(is_ask, MS // 50, MS // 100)
    price, qty = best[is_ask, np.repeat(of, 2)], np.full(len(names), 10)
    times = np.stack([submit, submit + 2 * MS, submit + 100 * MS, submit + 102 * MS])
    order = np.argsort(times.ravel(), kind="stable")
    event, name = order // len(names), order % len(names)
    heard = (event == 1) | (event == 3)
    ts = times.ravel()[order]
    gone = event == 3
    rows = pa.table({
        "ts_local": ts, "ts_exchange": pa.array(ts - MS, mask=~heard), "symbol": same(SYMBOL, len(ts)),
        "client_order_id": ids("mm", name), "order_id": ids("v", name),
        "event": words(event, "submit", "ack", "cancel_request", "cancel_ack"),
        "side": words(is_ask[name], "buy", "sell"), "type": same("limit", len(ts)), "tif": same("GTC", len(ts)),
        "post_only": pa.array(np.ones(len(ts), dtype=bool)), "price": decimals(price[name], book.price_scale),
        "qty": decimals(qty[name], book.qty_scale),
        "cum_qty": decimals(0 * name, 0), "leaves_qty": decimals(np.where(gone, 0, qty[name]), book.qty_scale),
        "state": words(event, "PENDING_NEW", "NEW", "PENDING_CANCEL", "CANCELED"), "origin": same("bot", len(ts)),
        "intent": words(is_ask[name], "quote_bid", "quote_ask"),
    })  # fmt: skip
    asked = ~heard
    requests = pa.table({
        "ts_local": ts[asked], "endpoint": words(event[asked] > 0, "order", "cancel"),
        "weight": np.ones(int(asked.sum()), dtype=np.int64), "status": np.full(int(asked.sum()), 200),
        "ts_response": ts[asked] + 2 * MS, "client_order_id": ids("mm", name[asked]),
    })  # fmt: skip
    return {"quotes": quotes, "order_events": rows, "requests": requests}


# --- the reviews ------------------------------------------------------------------------------------------------------


def review(folder: Path, sections: list[str]) -> tuple[Run, Counter[str]]:
    """Review a session; return what it took, and how many items came out how."""
    out = BUILD / f"report-{folder.name}"
    shutil.rmtree(out, ignore_errors=True)
    focus = [word for section in sections for word in ("--focus", section)]
    run = timed(["-m", "mmverify", "review", str(folder), *focus, "--no-notebooks", "--no-arm", "--out", str(out)])
    assessment = json.loads((out / "assessment.json").read_text(encoding="utf-8"))
    if assessment["findings"] or assessment["errors"]:
        wrong = [*assessment["errors"], *(f"{finding['id']} {finding['item']}" for finding in assessment["findings"])]
        raise SystemExit(f"{folder.name} is clean, but the review says: {'; '.join(wrong)}")
    return run, Counter(item["status"] for item in assessment["items"])


def main() -> int:
    """Print the table; return 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="book rows, and trades, of the largest session")
    parser.add_argument("--section", action="append", help="review these alone")
    arguments = parser.parse_args()
    print("| | book rows, trades | orders | CPU s | clock s | peak MiB | CPU us a row | to 1x |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    costs = []
    for size in SIZES:
        rows = arguments.rows * size // SIZES[-1]
        folder = BUILD / f"market-{rows}"
        if not (folder / "requests.parquet").exists():
            print(f"writing {folder.name}", file=sys.stderr)
            write(folder, rows)
        run, statuses = review(folder, arguments.section or list(SECTIONS))
        costs.append(run.cpu / rows * 10**6)
        print(f"| {size}x | {rows} | {rows // 10} | {run.cpu:.1f} | {run.wall:.1f} | {run.mebibytes:.0f} | "
              f"{costs[-1]:.2f} | {costs[-1] / costs[0]:.2f} |", flush=True)  # fmt: skip
    items = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(statuses.items(), reverse=True))
    print(f"\n{items}; no finding")
    too_much = run.wall > SECONDS or run.mebibytes > MEBIBYTES or costs[-1] > GROWTH * costs[0]
    print("too much" if too_much else f"at most {SECONDS} s, {MEBIBYTES} MiB and {GROWTH} times as much a row")
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
