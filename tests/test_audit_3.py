"""The naive detectors of sections 3 to 6 on tiny sessions made by hand: one that violates the item, one that is odd."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from audit import audit

START = 1_741_003_200 * 10**9  # 2025-03-03T12:00:00Z
HEAD = """
[session]
currency = "USDT"
end = "2025-03-03T12:01:00Z"
"""
INSTRUMENT = {"symbol": "X", "kind": "linear", "base": "X", "quote": "USDT", "tick_size": "0.1", "lot_size": "1"}
INSTRUMENT |= {"min_qty": "2", "settle": "USDT"}

Rows = list[dict[str, object]]


def ms(value: float) -> int:
    return START + round(value * 10**6)


def update(
    at: float, seq: object, *levels: str, prev: object = "", kind: str = "delta", sent: float | None = None
) -> Rows:
    """One message of the book; a level is `side price qty`, none of them is a heartbeat."""
    head = {
        "ts_exchange": ms(at if sent is None else sent),
        "ts_local": ms(at),
        "symbol": "X",
        "seq": seq,
        "prev_seq": prev,
    }
    cells = [level.split() for level in levels] or [["", "", ""]]
    return [{**head, "kind": kind, "side": side, "price": price, "qty": qty} for side, price, qty in cells]


def look(at: float, *levels: str, seq: object = "") -> Rows:
    """The bot's own book; a level is `side level price qty`."""
    names = ("side", "level", "price", "qty")
    head = {"ts_local": ms(at), "symbol": "X", "seq": seq}
    return [head | dict(zip(names, level.split(), strict=True)) for level in levels]


def trade(
    at: float, name: str, price: object, qty: object = 1, *, sent: float | None = None, side: str = "buy"
) -> Rows:
    head = {"ts_exchange": ms(at if sent is None else sent), "ts_local": ms(at), "symbol": "X", "trade_id": name}
    return [{**head, "price": price, "qty": qty, "aggressor": side}]


def heard(name: str, side: str = "buy", used: str = "true", reason: str = "") -> Rows:
    return [{"trade_id": name, "symbol": "X", "side": side, "used": used, "reason": reason}]


def signal(
    at: float, name: str, value: object, start: float = 0, end: float = 2000, params: str = "", **more: object
) -> Rows:
    row = {"ts_local": ms(at), "symbol": "X", "name": name, "value": value, "params": params}
    return [row | {"window_start": ms(start), "window_end": ms(end)} | more]


def quote(at: float, bid: object = 99, ask: object = 102, **more: object) -> Rows:
    return [
        {"ts_local": ms(at), "symbol": "X", "fair_value": "100.5", "bid": bid, "ask": ask, "state": "normal", **more}
    ]


def order(at: float, event: str, name: str = "a", state: str = "", **more: object) -> Rows:
    row = {
        "ts_local": ms(at),
        "symbol": "X",
        "client_order_id": name,
        "event": event,
        "side": "buy",
        "price": 99,
        "qty": 5,
    }
    return [row | {"type": "limit", "intent": "quote_bid", "state": state} | more]


def resting(at: float, name: str = "a", **more: object) -> Rows:
    return order(at, "submit", name, "PENDING_NEW", **more) + order(at + 1, "ack", name, "NEW", **more)


def cancelled(at: float, name: str = "a") -> Rows:
    return order(at, "cancel_request", name, "PENDING_CANCEL") + order(at + 1, "cancel_ack", name, "CANCELED")


def channel(at: float, event: str, name: str = "orders", detail: str = "") -> Rows:
    return [{"ts_local": ms(at), "channel": name, "event": event, "detail": detail}]


def request(at: float, endpoint: str = "order", answered: float | None = None, **more: object) -> Rows:
    return [{"ts_local": ms(at), "endpoint": endpoint, "ts_response": "" if answered is None else ms(answered), **more}]


def fill(at: float, name: str, qty: object, kind: str = "trade", side: str = "buy", price: object = 100) -> Rows:
    head = {"ts_exchange": ms(at - 1), "ts_local": ms(at), "symbol": "X", "exec_id": name, "side": side, "price": price}
    return [head | {"qty": qty, "liquidity": "maker", "fee": 0, "fee_asset": "USDT", "kind": kind}]


def position(at: float, qty: object, source: str = "bot") -> Rows:
    return [{"ts_local": ms(at), "symbol": "X", "qty": qty, "source": source}]


def risk(at: float, rule: str, event: str = "trip", side: str = "", symbol: str = "X") -> Rows:
    return [{"ts_local": ms(at), "rule": rule, "event": event, "symbol": symbol, "side": side}]


def message(at: float, name: str, applied: str, complete: str = "true", sent: float = 0) -> Rows:
    row = {"ts_local": ms(at), "channel": "market_data", "message_id": name, "ts_exchange": ms(sent)}
    return [row | {"complete": complete, "applied": applied}]


def passed(at: float, book: float, signal: float, send: float, **more: object) -> Rows:
    return [
        {"path_id": at, "ts_receive": ms(at), "ts_book": ms(book), "ts_signal": ms(signal), "ts_send": ms(send), **more}
    ]


def changed(at: float, name: str, new: object, accepted: str = "true", paused: str = "true") -> Rows:
    return [{"ts_local": ms(at), "name": name, "new": new, "accepted": accepted, "quotes_paused": paused}]


BOOK = update(0, 10, "bid 100 2", "bid 99 3", "ask 101 2", "ask 102 4", kind="snapshot")
LOOK = look(5, "bid 0 100 2", "bid 1 99 3", "ask 0 101 2", "ask 1 102 4")
FIVE_SECONDS = "timing.book_stale_ms = 5000"
TIMEOUTS = "timing.ack_timeout_ms = 1000\ntiming.cancel_timeout_ms = 1000"
SECOND = "timing.connection_timeout_ms = 1000"
LIMITED = "[[rate_limit]]\nendpoint = '*'\nlimit = 4\nwindow_s = 1\nmargin = 0.5\n"
MAINTENANCE = "[[maintenance]]\nstart = '2025-03-03T12:00:10Z'\nend = '2025-03-03T12:00:20Z'\n"
PARAMETER = (
    "[config.quote_qty]\nvalue = 2\nmin = 1\nmax = 5\nunit = 'lots'\ndefault = 1\ncritical = true\nhot_reload = true\n"
)
TWO_RETURNS = '{"n": 2, "period_ns": 1000000000, "periods_per_year": 1, "ddof": 1}'
NO_DDOF = '{"n": 2, "period_ns": 1000000000, "periods_per_year": 1}'
UP_AND_DOWN = trade(100, "1", 100) + trade(1100, "2", 110) + trade(2100, "3", 99)  # returns of 0.1 and -0.1


def case(name: str, exercised: int, where: str = "", *, settings: str = "", **tables: Rows) -> ParameterSet:
    """An item and a session, how many of its records exercise the item, and where it is violated, if at all."""
    return pytest.param(name.partition(" ")[0], exercised, where.split(), settings, tables, id=name)


CASES = [
    case(
        "3.1.1 sides swapped",
        1,
        "bot_book:1 bot_book:1 bot_book:2",
        book=BOOK,
        bot_book=look(5, "bid 0 101 2", "ask 0 100 2"),
    ),
    case("3.1.1 quoted on a crossed book", 1, "quotes:1", quotes=quote(5, best_bid=101, best_ask=100)),
    case(
        "3.1.1 locked is not crossed",
        2,
        book=BOOK + update(1, 11, "ask 101 0", "ask 100 1"),
        bot_book=look(5, "bid 0 100 2", "ask 0 100 1"),
        quotes=quote(5, best_bid=100, best_ask=100) + quote(6, "", "", best_bid=101, best_ask=100),
    ),
    case("3.1.2 bids rise", 1, "bot_book:2", bot_book=look(5, "bid 0 99 3", "bid 1 100 2")),
    case("3.1.2 rows out of order", 1, bot_book=look(5, "ask 1 102 4", "bid 0 100 2", "ask 0 101 2")),
    case(
        "3.1.3 added, not set",
        2,
        "bot_book:1",
        book=BOOK + update(1, 11, "bid 100 5"),
        bot_book=look(5, "bid 0 100 7", "bid 1 99 3"),
    ),
    case(
        "3.1.3 a removed level stays",
        1,
        "bot_book:1",
        book=BOOK + update(1, 11, "bid 100 0"),
        bot_book=look(5, "bid 0 100 2"),
    ),
    case(
        "3.1.3 a snapshot after later updates",
        2,
        book=update(0, 11, "bid 100 5") + update(1, 10, "bid 100 2", "bid 99 3", kind="snapshot", sent=-1),
        bot_book=look(5, "bid 0 100 5", "bid 1 99 3"),
    ),
    case(
        "3.1.3 the book before the gap",
        1,
        book=BOOK + update(1, 13, "bid 100 5", prev=12),
        bot_book=look(5, "bid 0 100 2"),
    ),
    case(
        "3.1.3 a snapshot that numbers anew, and an old one again",
        2,
        book=BOOK
        + update(1, 3, "bid 100 7", "bid 99 4", kind="snapshot")
        + update(2, 4, "bid 100 8", prev=3)
        + update(3, 3, "bid 100 7", "bid 99 4", kind="snapshot", sent=1),
        bot_book=look(5, "bid 0 100 8", "bid 1 99 4"),
    ),
    case(
        "3.1.3 what a gap kept out follows its snapshot by number, whatever its time",
        2,
        book=BOOK
        + update(1, 13, "bid 100 5", prev=12)
        + update(3, 12, "bid 100 2", "bid 99 3", kind="snapshot", sent=2),
        bot_book=look(5, "bid 0 100 5", "bid 1 99 3"),
    ),
    case("3.1.4 old book", 1, "quotes:1", settings=FIVE_SECONDS, book=BOOK, quotes=quote(5001)),
    case(
        "3.1.4 old by its seq",
        1,
        "quotes:1",
        settings=FIVE_SECONDS,
        book=BOOK + update(3000, 11, "bid 99 1"),
        quotes=quote(5001, book_seq=10),
    ),
    case(
        "3.1.4 order on an old book",
        1,
        "order_events:1",
        settings=FIVE_SECONDS,
        book=BOOK,
        order_events=order(5001, "submit"),
    ),
    case(
        "3.1.4 heartbeat, and halted",
        1,
        settings=FIVE_SECONDS,
        book=BOOK + update(3000, 10),
        quotes=quote(8000) + quote(9000, state="halted"),
    ),
    case("3.1.5 gap", 1, "book:5", book=BOOK + update(1, 13, "bid 100 5", prev=12), quotes=quote(5)),
    case(
        "3.1.5 reset, old seq, overlap, snapshot",
        3,
        book=BOOK
        + update(1, 11, "bid 100 5", prev=8)
        + update(2, 3, "bid 99 1", prev=11)
        + update(3, 2, "bid 99 9", prev=1)
        + update(4, 20, "bid 100 1", kind="snapshot"),
        quotes=quote(5),
    ),
    case(
        "3.1.5 gap and resync",
        1,
        book=BOOK + update(1, 13, "bid 100 5", prev=12) + update(7, 13, "bid 100 5", kind="snapshot"),
        connection=channel(2, "resync_start", "market_data", "X"),
        quotes=quote(1, state="halted") + quote(8),
    ),
    case("3.1.6 better level missing", 2, "bot_book:1", book=BOOK, bot_book=look(5, "ask 0 102 4")),
    case(
        "3.1.6 not refilled",
        4,
        "bot_book:5",
        book=BOOK + update(6, 11, "bid 100 0", "bid 98 1"),
        bot_book=LOOK + look(7, "bid 0 99 3", "ask 0 101 2", "ask 1 102 4"),
    ),
    case("3.1.6 fewer levels than the venue", 2, book=BOOK, bot_book=look(5, "bid 0 100 2", "ask 0 101 2")),
    case("3.2.1 against the aggressor", 1, "bot_trades:1", trades=trade(1, "1", 100), bot_trades=heard("1", "sell")),
    case(
        "3.2.1 zero tick turns",
        2,
        "bot_trades:3",
        settings="conventions.trade_sign = 'tick'",
        trades=trade(1, "1", 100) + trade(2, "2", 101) + trade(3, "3", 101),
        bot_trades=heard("1", "sell") + heard("2") + heard("3", "sell"),
    ),
    case(
        "3.2.1 below the mid",
        1,
        "bot_trades:1",
        settings="conventions.trade_sign = 'lee_ready'",
        book=BOOK,
        trades=trade(1, "1", 100),
        bot_trades=heard("1"),
    ),
    case(
        "3.2.1 at the mid by tick",
        3,
        settings="conventions.trade_sign = 'lee_ready'",
        book=BOOK,
        trades=trade(1, "1", 101) + trade(2, "2", "100.5") + trade(3, "3", "100.5"),
        bot_trades=heard("1") + heard("2", "sell") + heard("3", "sell"),
    ),
    case(
        "3.2.2 one of two",
        1,
        "signals:1",
        trades=trade(1, "1", 100, 3) + trade(1, "2", 100, 4),
        signals=signal(3000, "volume", 4),
    ),
    case(
        "3.2.2 a trade reported twice",
        1,
        trades=trade(1, "1", 100, 3) + trade(1, "2", 100, 4) + trade(2, "1", 100, 3, sent=1),
        bot_trades=heard("1") + heard("2") + heard("1", used="false", reason="duplicate"),
        signals=signal(3000, "volume", 7),
    ),
    case(
        "3.2.3 late trade dropped",
        1,
        "signals:1",
        trades=trade(1001, "1", 100, sent=1000) + trade(1500, "2", 104, sent=500),
        signals=signal(3000, "vwap", 100),
    ),
    case(
        "3.2.3 later than the claim",
        1,
        trades=trade(1001, "1", 100, sent=1000) + trade(1500, "2", 104, sent=500) + trade(3500, "3", 110, sent=900),
        signals=signal(3000, "vwap", 102),
    ),
    case(
        "3.2.4 min_qty left out",
        2,
        "bot_trades:1",
        book=BOOK,
        trades=trade(1, "1", 101, 2) + trade(2, "2", 101, 500),
        bot_trades=heard("1", used="false", reason="small") + heard("2"),
    ),
    case(
        "3.2.4 2 % without a reason",
        2,
        "bot_trades",
        book=BOOK,
        trades=trade(1, "1", 300, 2) + trade(2, "2", 101, 98),
        bot_trades=heard("1", used="false") + heard("2"),
    ),
    case(
        "3.2.4 odd lot, and far off the book",
        3,
        book=BOOK,
        trades=trade(1, "1", 101, 1) + trade(2, "2", 300, 9) + trade(3, "3", 101, 5),
        bot_trades=heard("1", used="false", reason="odd lot") + heard("2", used="false", reason="off") + heard("3"),
    ),
    case(
        "3.3.1 mean of prices",
        1,
        "signals:1",
        trades=trade(1, "1", 100, 3) + trade(2, "2", 104, 1),
        signals=signal(3000, "vwap", 102),
    ),
    case(
        "3.3.1 number of an empty window",
        1,
        "signals:1",
        trades=trade(1, "1", 100),
        signals=signal(3000, "vwap", 100, 1000),
    ),
    case(
        "3.3.1 unused, on the end, and empty",
        1,
        trades=trade(1, "1", 100, 3) + trade(2, "2", 104, 1) + trade(3, "3", 900) + trade(2000, "4", 900),
        bot_trades=heard("3", used="false"),
        signals=signal(3000, "vwap", 101) + signal(3000, "vwap", "", 1000, 2000),
    ),
    case(
        "3.3.2 from 0",
        1,
        "signals:1",
        trades=trade(1, "1", 100) + trade(2, "2", 102),
        signals=signal(9, "ema", "44.25", params='{"span": 7}'),
    ),
    case(
        "3.3.2 before n inputs",
        1,
        "signals:1",
        settings="conventions.ema_init = 'sma'",
        trades=trade(1, "1", 100),
        signals=signal(9, "ema", 100, params='{"span": 3}'),
    ),
    case(
        "3.3.2 poisoned",
        1,
        "signals:1",
        trades=trade(1, "1", 100),
        signals=signal(9, "ema", "NaN", params='{"span": 3}'),
    ),
    case(  # span 7 is alpha 1/4; in the venue's order 102, 100: (100 + 3/4 x 102) / (1 + 3/4) = 100.857142857...
        "3.3.2 late trade, two claims",
        2,
        settings="conventions.ema_init = 'adjusted'",
        trades=trade(1, "1", 100, sent=0.9) + trade(2, "2", 102, sent=0.5),
        signals=signal(1.5, "ema", 100, params='{"span": 7}') + signal(9, "ema", "100.857143", params='{"span": 7}'),
    ),
    case(  # 0.1 and -0.1: the mean is 0, the variance 0.02 / (2 - ddof)
        "3.3.3 the other ddof",
        1,
        "signals:1",
        settings="conventions.volatility = 'simple'",
        trades=UP_AND_DOWN,
        signals=signal(3500, "volatility", "0.1000", 0, 3000, TWO_RETURNS),
    ),
    case(
        "3.3.3 declared, and nothing declared",
        2,
        settings="conventions.volatility = 'simple'",
        trades=UP_AND_DOWN,
        signals=signal(3500, "volatility", "0.1414", 0, 3000, TWO_RETURNS)
        + signal(3500, "volatility", "0.1000", 0, 3000, NO_DDOF),
    ),
    case("3.3.4 later input", 1, "signals:1", signals=signal(5, "ema", 1, ts_input_max=ms(6))),
    case("3.3.4 input of the same time", 1, signals=signal(5, "ema", 1, ts_input_max=ms(5))),
    case(
        "4.1.1 no offset, and another one",
        3,
        "connection:1 connection:3",
        connection=[
            {"ts_local": f"2025-03-03T{text}", "channel": "orders", "event": "connect"}
            for text in ("12:00:01", "12:00:01Z", "13:00:01+01:00")
        ],
    ),
    case(
        "4.1.1 two hours on",
        6,
        "quotes:1",
        trades=trade(1, "1", 100) + trade(9, "2", 100),
        quotes=quote(1 + 7200000) + quote(9 + 7200000),
    ),
    case(
        "4.1.1 venue an hour behind",
        5,
        "trades:1 trades:1",
        trades=trade(1, "1", 100, sent=-3600000) + trade(9, "2", 100, sent=-3599000),
        quotes=quote(5),
    ),
    case(
        "4.1.1 a trade two hours late",
        6,
        trades=trade(1, "1", 100, sent=-7200000) + trade(9, "2", 100),
        quotes=quote(5) + quote(6),
    ),
    case(
        "4.1.2 6 ms before",
        2,
        "trades:2",
        settings="timing.max_clock_skew_ms = 5",
        trades=trade(1, "1", 100) + trade(2, "2", 100, sent=8),
    ),
    case("4.1.2 copied", 3, "trades:1", trades=trade(1.5e-6, "1", 100) + trade(2, "2", 100) + trade(3, "3", 100)),
    case("4.1.2 whole ms, too few to tell", 3, trades=trade(1, "1", 100) + trade(2, "2", 100) + trade(3, "3", 100)),
    case(
        "4.1.2 window by ts_local",
        3,
        "signals:1",
        trades=trade(500, "1", 100, 3, sent=-1) + trade(600, "2", 100, 4, sent=599),
        signals=signal(3000, "volume", 7),
    ),
    case(
        "4.1.2 fixed skew",
        3,
        settings="timing.max_clock_skew_ms = 5",
        trades=trade(1, "1", 100, sent=6) + trade(2, "2", 100, sent=7),
        signals=signal(3000, "volume", 2),
    ),
    case(
        "4.1.3 end counted",
        1,
        "signals:1",
        trades=trade(1, "1", 100, 3) + trade(2000, "2", 100, 4),
        signals=signal(3000, "volume", 7),
    ),
    case(
        "4.1.3 start left out",
        1,
        "signals:1",
        trades=trade(0, "1", 100, 3) + trade(9, "2", 100, 4),
        signals=signal(3000, "volume", 4),
    ),
    case(
        "4.1.3 on both ends",
        2,
        trades=trade(0, "1", 100, 3) + trade(2000, "2", 100, 4),
        signals=signal(3000, "volume", 3) + signal(3000, "volume", 4, 2000, 2500),
    ),
    case("4.1.4 ms for ns", 1, "quotes:1", quotes=[{**quote(1)[0], "ts_local": START // 10**6}]),
    case("4.1.4 answered before asked", 2, "requests:1", requests=request(5, answered=4)),
    case("4.1.4 wrapped at 2^32 us", 2, "quotes:2", quotes=quote(4294968) + quote(1)),
    case(
        "4.1.4 in force for ever, an order that expired",
        5,
        instruments=[{**INSTRUMENT, "ts_from": 0}],
        order_events=order(1, "submit", ts_expires=ms(9)) + order(10, "expire", ts_expires=ms(9)),
    ),
    case(
        "4.1.5 through a float64",
        3,
        "quotes:1",
        quotes=[{**quote(0)[0], "ts_local": START + 256 * n} for n in (1, 3, 5)],
    ),
    case(
        "4.1.5 two of them by chance",
        3,
        quotes=[{**quote(0)[0], "ts_local": START + 256 * n} for n in (0, 3, 5)],
    ),
    case("4.1.5 whole ms beside ns", 4, "quotes:1", quotes=quote(1) + quote(2) + quote(3), requests=request(1e-06)),
    case("4.1.5 whole ms, and nothing finer", 6, quotes=quote(1) + quote(2) + quote(3), signals=signal(4, "x", 1)),
    case("4.2.1 signal before book", 1, "latency:1", latency=passed(1, 3, 2, 4)),
    case("4.2.1 no book stage", 1, latency=[{"path_id": 1, "ts_receive": ms(1), "ts_send": ms(1)}]),
    case("4.2.2 blocked", 1, "latency:1", latency=passed(1, 2, 3, 4, blocked_us=7)),
    case("4.2.2 one not measured", 1, latency=passed(1, 2, 3, 4, blocked_us=0) + passed(5, 6, 7, 8)),
    case(
        "4.2.3 allocates",
        1,
        "latency:2",
        latency=passed(1, 2, 3, 4, allocations=0) + passed(5, 6, 7, 8, allocations=2),
    ),
    case("4.2.3 warms up", 1, latency=passed(1, 2, 3, 4, allocations=9) + passed(5, 6, 7, 8, allocations=0)),
    case(
        "4.2.4 slow",
        2,
        "latency:2",
        settings="timing.max_tick_to_order_us = 3000",
        latency=passed(1, 2, 3, 4) + passed(5, 6, 7, 8.001),
    ),
    case(
        "4.2.4 one in 1000 slow",
        1000,
        settings="timing.max_tick_to_order_us = 3000",
        latency=[row for at in range(999) for row in passed(at, at, at, at + 3)] + passed(1000, 1000, 1000, 1009),
    ),
    case("4.2.5 waits for its log", 1, "latency:1", latency=passed(1, 2, 3, 4, log_us="0.5")),
    case("4.2.5 logs aside", 1, latency=passed(1, 2, 3, 4, log_us="0.0")),
    case(
        "4.3.1 11 s",
        1,
        "order_events:2",
        settings="timing.quote_max_age_ms = 10000",
        order_events=resting(0) + cancelled(11002),
    ),
    case("4.3.1 no threshold", 1, "session.toml", order_events=resting(0) + cancelled(9)),
    case(
        "4.3.1 quoted anew, refused cancel, the session's end",
        3,
        settings="timing.quote_max_age_ms = 10000",
        order_events=resting(0)
        + order(15000, "cancel_request", state="PENDING_CANCEL")
        + order(15001, "cancel_reject", state="NEW")
        + cancelled(24000)
        + resting(51000, "b"),
        quotes=quote(6000),
    ),
    case("4.3.2 no answer", 1, "order_events:1", settings=TIMEOUTS, order_events=order(0, "submit")),
    case(
        "4.3.2 taken as gone",
        2,
        "order_events:4",
        settings=TIMEOUTS,
        order_events=resting(0)
        + order(5, "cancel_request", state="CANCELED")
        + order(900, "timeout", state="CANCELED"),
    ),
    case(
        "4.3.2 timed out and reconciled, too near the end",
        1,
        settings=TIMEOUTS,
        order_events=order(0, "submit", state="PENDING_NEW")
        + order(1000, "timeout", state="PENDING_NEW")
        + order(1100, "reconcile", state="CANCELED")
        + order(59500, "submit", "b", "PENDING_NEW"),
    ),
    case("4.3.3 3 in a second", 3, "requests:3", settings=LIMITED, requests=request(0) + request(1) + request(999)),
    case("4.3.3 no margin", 1, "session.toml", settings=LIMITED.replace("margin = 0.5", ""), requests=request(0)),
    case("4.3.3 weights", 2, "requests:2", settings=LIMITED, requests=request(0, weight=1) + request(1, weight="1.5")),
    case("4.3.3 a window on", 3, settings=LIMITED, requests=request(0) + request(1) + request(1000)),
    case(
        "4.3.3 fixed windows",
        4,
        settings=LIMITED + "kind = 'fixed'",
        requests=request(0) + request(998) + request(1000) + request(1001),
    ),
    case(
        "4.3.3 a bucket that leaks",
        4,
        settings=LIMITED + "kind = 'bucket'",
        requests=request(0) + request(1) + request(300) + request(600),
    ),
    case("4.3.4 left resting", 1, "order_events:2", settings=MAINTENANCE, order_events=resting(0) + cancelled(10500)),
    case("4.3.4 sent inside", 1, "order_events:1", settings=MAINTENANCE, order_events=resting(19999)),
    case(
        "4.3.4 cancel sent before, submit at the end",
        2,
        settings=MAINTENANCE,
        order_events=resting(0)
        + order(9999, "cancel_request", state="PENDING_CANCEL")
        + order(10003, "cancel_ack", state="CANCELED")
        + resting(20000, "b"),
    ),
    case("5.1.1 mid of 0", 1, "quotes:1", quotes=quote(1, mid=0)),
    case(
        "5.1.1 a trade at 0 in the VWAP",
        1,
        "signals:1",
        trades=trade(1, "1", 100, 3) + trade(2, "2", 0, 1),
        signals=signal(3000, "vwap", 75),
    ),
    case(
        "5.1.1 market order, and a trade at 0 left out",
        1,
        trades=trade(1, "1", 100, 3) + trade(2, "2", 0, 1),
        signals=signal(3000, "vwap", 100),
        order_events=order(1, "submit", price=0, type="market"),
    ),
    case(
        "5.1.2 grows",
        1,
        "order_events:1",
        settings="limits.X.max_position = 5",
        fills=fill(1, "e1", 5),
        order_events=order(2, "submit"),
    ),
    case(
        "5.1.2 reducing blocked",
        1,
        "risk_events:1",
        settings="limits.X.max_position = 5",
        fills=fill(1, "e1", 5),
        risk_events=risk(2, "max_position", "block", "sell"),
    ),
    case(
        "5.1.2 reduces, and below",
        3,
        settings="limits.X.max_position = 5",
        fills=fill(1, "e1", 5) + fill(4, "e2", 1, side="sell"),
        order_events=order(2, "submit", side="sell")
        + order(3, "submit", "b", reduce_only="true")
        + order(5, "submit", "c"),
        risk_events=risk(2, "max_position", "block", "buy"),
    ),
    case(
        "5.1.3 NaN and infinity",
        2,
        "signals:1 pnl:1",
        signals=signal(1, "ema", "NaN"),
        pnl=[{"ts_local": ms(1), "symbol": "X", "total": "inf"}],
    ),
    case("5.1.3 nothing claimed", 1, signals=signal(1, "ema", "") + signal(2, "ema", 0)),
    case("5.1.4 negative average", 1, "order_events:1", order_events=order(1, "fill", avg_px=-99, cum_qty=5)),
    case(
        "5.1.4 no fill yet, and debt",
        2,
        order_events=order(1, "ack", avg_px=0, cum_qty=0),
        balances=[{"ts_local": ms(1), "asset": "X", "total": -5, "value": -500, "source": "bot"}],
    ),
    case("5.1.5 qty of 0", 2, "order_events:1", order_events=order(1, "submit", qty="0.4")),
    case("5.1.5 market order", 1, order_events=order(1, "submit", qty=1, price=0, type="market")),
    case(
        "5.2.1 sent while down",
        1,
        "order_events:1",
        settings=SECOND,
        connection=channel(5, "disconnect") + channel(9, "reconnect"),
        order_events=order(6, "submit"),
    ),
    case(
        "5.2.1 rests and quotes on",
        1,
        "quotes:2 order_events:1",
        settings=SECOND,
        connection=channel(5, "disconnect", "market_data") + channel(3000, "reconnect", "market_data"),
        order_events=resting(0) + cancelled(2000),
        quotes=quote(900) + quote(1500),
    ),
    case(
        "5.2.1 redundant, short, cancelled by the venue",
        2,
        settings=SECOND,
        connection=channel(5, "disconnect", "market_data")
        + channel(4000, "reconnect", "market_data")
        + channel(0, "connect", "market_data:2")
        + channel(10, "disconnect")
        + channel(500, "reconnect")
        + channel(5000, "disconnect")
        + channel(9000, "reconnect"),
        order_events=resting(1)
        + order(6, "submit", "b")
        + order(9001, "exchange_cancel", "a", "CANCELED", ts_exchange=ms(5200))
        + cancelled(9002, "b"),
        quotes=quote(4500),
    ),
    case(
        "5.2.2 before the reconcile",
        1,
        "order_events:3",
        connection=channel(5, "disconnect") + channel(9, "reconnect"),
        order_events=resting(0) + order(10, "submit", "b") + order(11, "reconcile", state="NEW"),
    ),
    case(
        "5.2.2 before resync_done",
        1,
        "order_events:1",
        connection=channel(5, "timeout", "market_data")
        + channel(9, "reconnect", "market_data")
        + channel(10, "resync_done", "market_data", "Y"),
        order_events=order(11, "submit"),
    ),
    case(
        "5.2.2 none open, and resync of a gap",
        1,
        connection=channel(5, "disconnect") + channel(9, "reconnect") + channel(20, "resync_start", "market_data", "X"),
        positions=position(10, 0, "exchange"),
        order_events=order(11, "submit") + order(21, "submit", "b"),
    ),
    case("5.2.3 applied in part", 1, "messages:1", messages=message(1, "m1", "true", "false")),
    case("5.2.3 dropped, then whole", 1, messages=message(1, "m1", "false", "false") + message(2, "m1", "true")),
    case("5.2.4 message twice", 1, "messages:2", messages=message(1, "m1", "true") + message(2, "m1", "true")),
    case(
        "5.2.4 update added twice",
        1,
        "bot_book:1",
        book=BOOK + update(1, 11, "bid 100 5", sent=1) + update(2, 11, "bid 100 5", sent=1),
        bot_book=look(3, "bid 0 100 10"),
    ),
    case(
        "5.2.4 execution booked twice",
        1,
        "positions:2",
        fills=fill(1, "e1", 5) + fill(3, "e1", 5),
        positions=position(2, 5) + position(4, 10),
    ),
    case(
        "5.2.4 twice and taken once, an id that starts anew",
        3,
        fills=fill(1, "e1", 5) + fill(3, "e1", 5),
        positions=position(2, 5) + position(4, 5),
        messages=message(1, "m1", "true") + message(2, "m1", "false") + message(9, "m1", "true", sent=8),
        book=BOOK + update(1, 11, "bid 100 5", sent=1) + update(2, 11, "bid 100 5", sent=1),
        bot_book=look(3, "bid 0 100 5"),
    ),
    case(
        "5.2.5 no shutdown",
        1,
        "connection:1",
        settings=SECOND,
        connection=channel(5, "timeout") + channel(3000, "reconnect"),
    ),
    case(
        "5.2.5 an order left open",
        1,
        "order_events:1",
        settings=SECOND,
        connection=channel(5, "timeout", "market_data")
        + channel(1000, "safe_shutdown", "market_data")
        + channel(3000, "reconnect", "market_data"),
        order_events=resting(0),
    ),
    case(
        "5.2.5 shut down, and a short one",
        1,
        settings=SECOND,
        connection=channel(5, "timeout", "market_data")
        + channel(1000, "safe_shutdown", "market_data")
        + channel(3000, "reconnect", "market_data")
        + channel(4000, "timeout")
        + channel(4900, "reconnect"),
        order_events=resting(0) + cancelled(1001),
    ),
    case(
        "5.3.1 stays open",
        1,
        "order_events:3",
        settings="timing.ack_timeout_ms = 1000",
        order_events=resting(0) + order(5, "exchange_cancel", state="NEW"),
    ),
    case(
        "5.3.1 cancelled after it",
        1,
        "order_events:4",
        order_events=resting(0) + order(5, "exchange_cancel", state="CANCELED") + cancelled(9),
    ),
    case(
        "5.3.1 crossed by a cancel",
        1,
        order_events=resting(0)
        + order(4, "cancel_request", state="PENDING_CANCEL")
        + order(5, "exchange_cancel", state="CANCELED")
        + order(6, "cancel_reject", state="CANCELED"),
    ),
    case(
        "5.3.2 the same pause",
        1,
        "requests:3",
        requests=request(0, status=503) + request(1000, status=503) + request(2000, status=200),
    ),
    case(
        "5.3.2 two at once, pauses that grow",
        1,
        requests=request(0, answered=50, status=503)
        + request(10, answered=60, status=503)
        + request(1000, status=503)
        + request(3000, status=200)
        + request(3001, status=200),
    ),
    case(
        "5.3.3 left out, and quoted on",
        1,
        "positions:2 quotes:1",
        fills=fill(1, "e1", 5) + fill(3, "e2", 5, "liquidation", "sell"),
        positions=position(2, 5) + position(4, 5),
        quotes=quote(5),
    ),
    case(
        "5.3.3 not in the P&L",
        1,
        "pnl:2",
        fills=fill(1, "e1", 5) + fill(3, "e2", 5, "liquidation", "sell", price=90),
        pnl=[{"ts_local": ms(at), "symbol": "X", "realized": 0} for at in (2, 4)],
    ),
    case(
        "5.3.3 tripped first",
        1,
        fills=fill(1, "e1", 5) + fill(3, "e2", 5, "adl", "sell"),
        positions=position(2, 5) + position(4, 0),
        risk_events=risk(4, "adl"),
        quotes=quote(5),
    ),
    case(
        "5.3.4 too early",
        1,
        "requests:2",
        settings=LIMITED,
        requests=request(0, answered=10, status=429, retry_after_ms=100) + request(109, "other"),
    ),
    case(
        "5.3.4 sent before the answer, and after",
        1,
        settings=LIMITED,
        requests=request(0, answered=10, status=429, retry_after_ms=100) + request(9) + request(110),
    ),
    case(
        "5.3.5 nobody cares",
        1,
        "requests:1",
        settings=TIMEOUTS,
        requests=request(0, answered=10, status=400, code="-2010", client_order_id="a"),
    ),
    case(
        "5.3.5 unknown order taken as cancelled",
        1,
        "order_events:4",
        settings=TIMEOUTS,
        order_events=resting(0)
        + order(5, "cancel_request", state="PENDING_CANCEL")
        + order(9, "cancel_reject", state="CANCELED", code="-2011", reason="unknown order"),
    ),
    case(
        "5.3.5 refused, and reconciled",
        2,
        settings=TIMEOUTS,
        requests=request(0, answered=10, status=400, code="-2011", client_order_id="a") + request(1, status=503),
        order_events=resting(0)
        + order(5, "cancel_request", state="PENDING_CANCEL")
        + order(11, "cancel_reject", state="NEW", code="-2011")
        + order(20, "reconcile", state="CANCELED"),
    ),
    case(
        "6.1 outside, and unbounded",
        2,
        "session.toml session.toml",
        settings=PARAMETER.replace("value = 2", "value = 6") + "[config.n]\nvalue = 1\n",
    ),
    case("6.1 a spread of 0", 1, "session.toml", settings="[config.spread_bps]\nvalue = 2\nmin = 0\nmax = 9\n"),
    case(
        "6.1 at its bound, and a word",
        1,
        settings=PARAMETER.replace("value = 2", "value = 5") + "[config.mode]\nvalue = 'paper'\n",
    ),
    case(
        "6.2 not paused",
        1,
        "config_events:1",
        settings=PARAMETER,
        config_events=changed(5, "quote_qty", 3, paused="false"),
        quotes=quote(1),
    ),
    case(
        "6.2 out of bounds, not to be reloaded",
        1,
        "config_events:1 config_events:1",
        settings=PARAMETER.replace("reload = true", "reload = false"),
        config_events=changed(5, "quote_qty", 9),
    ),
    case(
        "6.2 refused, and before any quote",
        2,
        settings=PARAMETER,
        config_events=changed(5, "quote_qty", 3, paused="false") + changed(9, "quote_qty", 9, "false"),
        quotes=quote(6),
    ),
    case("6.3 live by default", 1, "session.toml", settings="[config.live_trading]\nvalue = false\ndefault = true\n"),
    case("6.3 no limit", 1, "session.toml", settings="[config.max_position]\nvalue = 5\ndefault = inf\n"),
    case("6.3 live when told to", 1, settings="[config.live]\nvalue = true\ndefault = false\n"),
    case(
        "6.4 no unit, and another",
        2,
        "session.toml session.toml",
        settings="[config.n]\nvalue = 1\n[config.wait_ms]\nvalue = 5\nunit = 's'\n",
    ),
    case("6.4 a fraction of 5", 1, "session.toml", settings="[config.share]\nvalue = 5\nunit = 'fraction'\n"),
    case(
        "6.4 a switch has none",
        1,
        settings="[config.live]\nvalue = true\n[config.wait_s]\nvalue = 5\nunit = 'seconds'\n",
    ),
    case("6.5 a key in a reason", 3, "bot_trades:1", bot_trades=heard("1", reason="api_key=abcd1234efgh5678")),
    case(
        "6.5 masked",
        4,
        settings="config.api_key.value = '********'",
        bot_trades=heard("1", reason="api_key=REDACTED"),
    ),
]


def write(folder: Path, settings: str, tables: Mapping[str, Rows]) -> Path:
    (folder / "session.toml").write_text(settings + HEAD if settings[:1] not in ("[", "") else HEAD + settings)
    for table, rows in {"instruments": [INSTRUMENT], **tables}.items():
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list({column: None for row in rows for column in row}), restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.mark.parametrize(("item", "exercised", "where", "settings", "tables"), CASES)
def test_detector(item, exercised, where, settings, tables, tmp_path):
    seen = audit(write(tmp_path, settings, tables), [item])[item]
    assert [violation.split()[0] for violation in seen.violations] == where
    assert seen.exercised == exercised


def test_each_item_has_a_wrong_and_an_odd_session():
    wrong = {values[0] for values, *_ in CASES if values[2]}
    odd = {values[0] for values, *_ in CASES if not values[2]}
    assert wrong == odd
    assert len(wrong) == 48
