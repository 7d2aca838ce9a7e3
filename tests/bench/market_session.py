"""The session of market.py: every five seconds all that may go wrong, and every claim true.

It is clean in market data, timing and failures. What is open beside an order when it is sent, sections 1 and 2, is not
held to limits: the session of run.py is for these.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import market_feed
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from books import MS, Book, drawn
from columns import Column, decimals, ids, same, words
from market_feed import SYMBOL, Spans
from market_orders import AGAIN, FULL, LOTS, REST, STEPS, TAKEN, Lives, Orders, following, joined, lives, pauses, quoted

CLOSED = (20, 120)  # for maintenance, from the pause's start [ms]
PROBES = (21, 26, 33, 46, 75, 131)  # of a venue under maintenance, from the pause's start; all but the last fail [ms]
BANNED = 40  # by a refusal for the rate [ms]
SETTINGS = """\
[session]
venue = "bench"
bot = "mm"
currency = "USDT"
fills_from = "venue"

[conventions]
cost_basis = "fifo"
unrealized_price = "mark"
realized = "gross"
conversion = "claim"
volatility = "log"
ema_init = "first"
mid_min_qty = "0"
trade_sign = "lee_ready"

[limits."BTC-USDT-PERP"]
max_position = 1
max_order_qty = 0.01

[timing]
book_stale_ms = 4000
quote_max_age_ms = 1000
ack_timeout_ms = 50
cancel_timeout_ms = 50
connection_timeout_ms = 100
max_clock_skew_ms = 5

[[rate_limit]]
endpoint = "*"
limit = 6000
window_s = 1
margin = 0.1
kind = "sliding"
"""
WINDOW = """
[[maintenance]]
start = "{}"
end = "{}"
"""


def write(out: Path, rows: int) -> None:
    """Write a session of so many book rows and trades, 50000 at least, and about a tenth of it in orders."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    book = drawn(rows)
    plan = pauses(int(book.ts[-1]))
    book = market_feed.interrupted(book, joined(plan, "disconnect", "timeout"), plan["gap"])
    best = np.stack([book.price[book.starts + 1], book.price[book.starts + 2]])
    asked = quoted(book, best, plan, rows * 3 // 50)
    lived = lives(asked)
    instrument = {"symbol": SYMBOL, "kind": "linear", "base": "BTC", "quote": "USDT", "settle": "USDT",
                  "tick_size": "0.1", "lot_size": "0.001", "min_qty": "0.001", "maker_fee": "0.0001",
                  "taker_fee": "0.0003"}  # fmt: skip
    made = {
        "instruments": pa.table({name: [value] for name, value in instrument.items()}),
        **market_feed.tables(book, best, plan["gap"], rows), "connection": _connection(book, plan),
        "risk_events": _risk(asked, plan),
        "quotes": _quotes(book, best, asked), "order_events": _events(asked, lived),
        "requests": _requests(asked, lived, plan), **_account(asked, lived, plan),
    }  # fmt: skip
    for name, table in made.items():
        pq.write_table(table, out / f"{name}.parquet", compression="zstd")
    closed = [[datetime.fromtimestamp((start // MS + each) / 1000, UTC).isoformat(timespec="milliseconds")
               for each in CLOSED] for start in plan["maintenance"][0].tolist()]  # fmt: skip
    (out / "session.toml").write_text(SETTINGS + "".join(WINDOW.format(*each) for each in closed))


def _names(asked: Orders, of: Column) -> pa.Array:
    return ids(words(asked.told("forced")[of], "mm", "venue").cast(pa.string()), of)


# --- tables -----------------------------------------------------------------------------------------------------------


def _quotes(book: Book, best: Column, asked: Orders) -> pa.Table:
    of, scale = asked.of, book.price_scale
    sides = {name: decimals(best[n, of], scale, asked.is_full[:, n]) for n, name in enumerate(("bid", "ask"))}
    return pa.table({
        "ts_local": asked.at, "symbol": same(SYMBOL, len(of)), "fair_value": decimals(best[:, of].sum(axis=0) * 5,
        scale + 1), **sides, "book_seq": book.seq[book.starts[of]], "best_bid": decimals(best[0, of], scale),
        "best_ask": decimals(best[1, of], scale), "state": same("normal", len(of)),
    })  # fmt: skip


def _events(asked: Orders, lived: Lives) -> pa.Table:
    of, step, ts, count = lived.order, lived.step, lived.ts, len(lived.ts)
    halves, price = lived.values("halves"), asked.price[of]
    is_forced, is_ask = asked.told("forced")[of], asked.is_ask[of]
    sent = np.isin(lived.values("event"), ("submit", "cancel_request", "timeout"))
    over = np.isin(lived.values("state"), ("FILLED", "CANCELED", "REJECTED"))
    unnamed = np.isin(lived.values("state"), ("PENDING_NEW", "REJECTED"))
    return pa.table({
        "ts_local": ts, "ts_exchange": pa.array(ts - _age(step), mask=sent), "symbol": same(SYMBOL, count),
        "client_order_id": _names(asked, of), "order_id": ids("v", of, unnamed), "event": lived.words("event"),
        "side": words(is_ask, "buy", "sell"), "type": words(is_forced, "limit", "market"),
        "tif": words(is_forced, "GTC", "IOC"), "post_only": pa.array(~is_forced), "reduce_only": pa.array(is_forced),
        "price": decimals(price, 1, is_forced), "qty": decimals(np.full(count, 2 * LOTS), 3),
        "cum_qty": decimals(LOTS * halves, 3), "leaves_qty": decimals(np.where(over, 0, LOTS * (2 - halves)), 3),
        "avg_px": decimals(price, 1, halves == 0), "state": lived.words("state"),
        "exec_id": ids("e", 2 * of + halves, halves == 0), "code": lived.words("code"),
        "origin": words(is_forced, "bot", "exchange"),
        "intent": words(np.where(is_forced, 2, 0) + is_ask, "quote_bid", "quote_ask", "close_short", "close_long"),
    })  # fmt: skip


def _age(step: Column) -> Column:
    """Return how long ago the venue sent what the bot hears; an execution that is reported again, longer."""
    return np.where(step == STEPS.index(AGAIN), AGAIN.after - FULL.after + 1, 1) * MS


def _requests(asked: Orders, lived: Lives, plan: dict[str, Spans]) -> pa.Table:
    """Return the requests about orders; of all of them after a reconnect, and two endpoints that fail for a while."""
    mine = lived.among(lived.values("asks") != "")
    (refused, again), (closed, _), (_, back) = plan["rate"], plan["maintenance"], plan["orders"]
    probes = closed[:, None] + np.array(PROBES) * MS
    status = np.where(np.arange(len(PROBES)) < len(PROBES) - 1, 503, 200)
    tables = [
        _asked(mine.ts, mine.words("asks"), mine.values("status"), _names(asked, mine.order), mine.words("refusal")),
        _asked(back + MS, same("query", len(back)), np.full(len(back), 200)),
        _asked(probes.ravel(), same("status", probes.size), np.tile(status, len(closed))),
        _asked(refused, same("positions", len(refused)), np.where(np.arange(len(refused)) % 2, 418, 429)),
        _asked(again + MS, same("positions", len(again)), np.full(len(again), 200)),
    ]
    return pa.concat_tables(tables).unify_dictionaries().sort_by("ts_local")


def _asked(
    ts: Column, endpoint: pa.Array, status: Column, names: pa.Array | None = None, code: pa.Array | None = None
) -> pa.Table:
    none, limited = pa.nulls(len(ts), pa.string()), np.isin(status, (418, 429))
    return pa.table({
        "ts_local": ts, "endpoint": endpoint, "weight": np.ones(len(ts), dtype=np.int64),
        "status": pa.array(status, mask=status == 0), "code": none if code is None else code.cast(pa.string()),
        "retry_after_ms": pa.array(np.full(len(ts), BANNED), mask=~limited),
        "ts_response": pa.array(ts + 2 * MS, mask=status == 0), "client_order_id": none if names is None else names,
    })  # fmt: skip


def _account(asked: Orders, lived: Lives, plan: dict[str, Spans]) -> dict[str, pa.Table]:
    """Return the fills, and after them what the bot claims: position, P&L by FIFO, and when flat equity and balance.

    All fills are of one size, and those of half a cycle first open a position and then close it.
    """
    told = lived.among(lived.values("halves") > 0)
    mine = told.among(told.step != STEPS.index(AGAIN))
    ts, price, side = mine.ts, asked.price[mine.order], np.where(asked.is_ask[mine.order], -1, 1)
    is_forced = asked.told("forced")[mine.order]
    held = LOTS * np.cumsum(side)
    place = np.arange(len(ts)) % (4 * TAKEN)
    entry = price[np.maximum(np.arange(len(ts)) - 2 * TAKEN, 0)]
    realized = np.cumsum(np.where(place >= 2 * TAKEN, LOTS * side * (entry - price), 0))  # [1e-4 USDT]
    fees = np.cumsum(LOTS * price * np.where(is_forced, 3, 1))  # [1e-8 USDT]
    equity = 10**13 + realized * 10**4 - fees
    seen = np.flatnonzero(is_forced | (place % 10 == 9))
    flat = np.flatnonzero(held == 0)
    asked_at = plan["orders"][1] + 3 * MS
    known = np.append(held, 0)[np.searchsorted(ts, asked_at) - 1]
    money = {"ts_local": ts[flat] + 3, "currency": same("USDT", len(flat))}
    return {
        "fills": _fills(asked, told),
        "positions": pa.table({
            "ts_local": np.append(ts + 1, asked_at), "symbol": same(SYMBOL, len(ts) + len(asked_at)),
            "qty": decimals(np.append(held, known), 3),
            "source": words(np.repeat([0, 1], [len(ts), len(asked_at)]), "bot", "exchange"),
        }).sort_by("ts_local"),
        "pnl": pa.table({
            "ts_local": ts[seen] + 2, "symbol": same(SYMBOL, len(seen)), "realized": decimals(realized[seen], 4),
            "fees": decimals(fees[seen], 8), "currency": same("USDT", len(seen)),
        }),
        "equity": pa.table({**money, "equity": decimals(equity[flat], 8),
                            "high_water": decimals(np.maximum.accumulate(np.append(10**13, equity[flat]))[1:], 8)}),
        "balances": pa.table({**money, "asset": same("USDT", len(flat)), "total": decimals(equity[flat], 8),
                              "value": decimals(equity[flat], 8), "source": same("bot", len(flat))}),
    }  # fmt: skip


def _fills(asked: Orders, told: Lives) -> pa.Table:
    of, count = told.order, len(told.ts)
    is_forced, is_ask, price = asked.told("forced")[of], asked.is_ask[of], asked.price[of]
    return pa.table({
        "ts_exchange": told.ts - _age(told.step), "ts_local": told.ts, "symbol": same(SYMBOL, count),
        "exec_id": ids("e", 2 * of + told.values("halves")), "client_order_id": _names(asked, of),
        "order_id": ids("v", of), "side": words(is_ask, "buy", "sell"), "price": decimals(price, 1),
        "qty": decimals(np.full(count, LOTS), 3), "liquidity": words(is_forced, "maker", "taker"),
        "fee": decimals(LOTS * price * np.where(is_forced, 3, 1), 8), "fee_asset": same("USDT", count),
        "kind": words(np.where(is_forced, 1 + (1 - is_ask), 0), "trade", "liquidation", "adl"),
    })  # fmt: skip


def _risk(asked: Orders, plan: dict[str, Spans]) -> pa.Table:
    """Return the trips and resets by what the venue closed, and the orders that are blocked at the largest position."""
    rows = [(times + 1000, rule, event, "") for rule in ("liquidation", "adl")
            for times, event in zip(plan[rule], ("trip", "reset"), strict=True)]  # fmt: skip
    rows += [(asked.at[full], "position", "block", side)
             for full, side in zip(asked.is_full.T, ("buy", "sell"), strict=True)]  # fmt: skip
    tables = [
        pa.table({
            "ts_local": times, "rule": same(rule, len(times)), "event": same(event, len(times)),
            "symbol": same(SYMBOL, len(times)), "side": same(side, len(times)),
            "value": decimals(np.full(len(times), 2 * LOTS * TAKEN), 3, np.full(len(times), event != "block")),
            "threshold": decimals(np.full(len(times), 2 * LOTS * TAKEN), 3, np.full(len(times), event != "block")),
        })
        for times, rule, event, side in rows
    ]  # fmt: skip
    return pa.concat_tables(tables).unify_dictionaries().sort_by("ts_local")


def _connection(book: Book, plan: dict[str, Spans]) -> pa.Table:
    """Return the outages of both channels, and the resyncs after them and after the gaps."""
    messages, begin = book.ts[book.starts], np.array([book.ts[0] - MS])
    rows = [(begin, "market_data", "connect"), (begin, "orders", "connect")]
    for name, channel, event in (("disconnect", "market_data", "disconnect"), ("orders", "orders", "disconnect"),
                                 ("timeout", "market_data", "timeout")):  # fmt: skip
        rows += [(plan[name][0], channel, event), (plan[name][1], channel, "reconnect")]
    rows.append((plan["timeout"][0] + REST, "market_data", "safe_shutdown"))
    _, back = joined(plan, "disconnect", "timeout")
    begun = np.append(back, following(messages, plan["gap"][0]))
    done = following(messages, np.append(back, plan["gap"][1]))
    rows += [(begun + 1000, "market_data", "resync_start"), (done + 1000, "market_data", "resync_done")]
    tables = [
        pa.table({"ts_local": times, "channel": same(channel, len(times)), "event": same(event, len(times)),
                  "detail": same(SYMBOL if event.startswith("resync") else "", len(times))})
        for times, channel, event in rows
    ]  # fmt: skip
    return pa.concat_tables(tables).unify_dictionaries().sort_by("ts_local")
