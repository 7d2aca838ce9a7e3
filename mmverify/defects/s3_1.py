"""Mistakes of the order book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import MILLISECOND, one, put, refused, some, ts
from mmverify.defects.looks import Look, looks, seq_of, walk
from mmverify.defects.recording import Recording, Row, text

OTHER = {"bid": "ask", "ask": "bid"}

# --- 3.1.1 ------------------------------------------------------------------------------------------------------------


@defect("3.1.1", "gross", also="3.1.3 3.1.6", like="JKorf/Bitfinex.Net#132")
def sides_swapped(recording: Recording) -> Planted:
    """The bot takes the venue's bids for asks and its asks for bids."""
    for look in looks(recording):
        for side, rows in look.sides.items():
            for place, row in enumerate(rows):
                row |= {"side": OTHER[side], "level": str(len(rows) - 1 - place)}
    return recording.planted()


@defect("3.1.1", "deep", also="3.1.3", like="ccxt/ccxt#24944")
def old_bid_above_the_asks(recording: Recording) -> Planted:
    """A bid whose removal was lost stays on top when the asks have come below it."""
    found = []
    for look, sent in walk(recording):
        for price, quantities in sent["bid"].items() if all(look.sides.values()) else ():
            if price > look.best("ask") and not quantities[-1] and len(quantities) > 1 and quantities[-2]:
                found.append((look, price, quantities[-2]))
    look, price, qty = one(found, at=0.7)
    look.insert("bid", price, qty)
    return recording.planted()


@defect("3.1.1", "deep")
def quoted_on_a_crossed_book(recording: Recording) -> Planted:
    """One quote is made on a book whose best bid is above its best ask; the mid is right by accident."""
    rows = [row for row in recording.edit("quotes") if _is_live(row) and row.get("best_bid") and row.get("best_ask")]
    quote = one([row for row in rows if _is_outside(row)], at=0.6)
    quote["best_bid"], quote["best_ask"] = quote["best_ask"], quote["best_bid"]
    return recording.planted()


def _is_outside(quote: Mapping[str, str]) -> bool:
    """Whether both sides stand outside the best prices, which differ."""
    bid, best_bid, best_ask, ask = (Fraction(quote[name] or 0) for name in ("bid", "best_bid", "best_ask", "ask"))
    return bid < best_bid < best_ask < ask


# --- 3.1.2 ------------------------------------------------------------------------------------------------------------


@defect("3.1.2", "gross", like="knowm/XChange#2887")
def asks_from_the_worst_on(recording: Recording) -> Planted:
    """The asks are in the order of the bids: the first is the worst."""
    for look in looks(recording):
        look.write("ask", look.levels("ask")[::-1])
    return recording.planted()


@defect("3.1.2", "deep", like="beatzxbt/mm-toolbox#28")
def two_deep_bids_out_of_order(recording: Recording) -> Planted:
    """A batch that is taken as sorted leaves two bids behind the best in the wrong order, once."""
    look = one([look for look in looks(recording) if len(look.sides["bid"]) > 2], at=0.6)
    levels = look.levels("bid")
    look.write("bid", [*levels[:-2], levels[-1], levels[-2]])
    return recording.planted()


@defect("3.1.2", "deep")
def price_twice_in_a_side(recording: Recording) -> Planted:
    """One price stands in two levels: it is inserted again where it should be updated."""
    look = one([look for look in looks(recording) if len(look.sides["ask"]) > 1], at=0.4)
    levels = look.levels("ask")
    look.write("ask", [*levels[:-1], levels[-2]])
    return recording.planted()


# --- 3.1.3 ------------------------------------------------------------------------------------------------------------


@defect("3.1.3", "gross")
def quantities_are_added(recording: Recording) -> Planted:
    """What the venue sends of a level is added to what the level had, as if it were a change."""
    for look, sent in walk(recording):
        for side, rows in look.sides.items():
            for row in rows:
                quantities = sent[side].get(Fraction(row["price"]), [])
                if quantities and quantities[-1] == Fraction(row["qty"]):
                    row["qty"] = text(sum(quantities), row["qty"])
    return recording.planted()


@defect("3.1.3", "deep")
def last_update_of_a_level_lost(recording: Recording) -> Planted:
    """One level has the quantity that was sent before the last."""
    found = []
    for look, sent in walk(recording):
        for row in (row for side in look.sides for row in look.sides[side]):
            last = sent[row["side"]].get(Fraction(row["price"]), [])[-2:]
            if len(last) == 2 and last[1] == Fraction(row["qty"]) != last[0] > 0:
                found.append((row, last[0]))
    row, qty = one(found, at=0.8)
    row["qty"] = text(qty, row["qty"])
    return recording.planted()


@defect("3.1.3", "deep", like="DigitalRuby/ExchangeSharp#713")
def removed_level_stays_at_zero(recording: Recording) -> Planted:
    """One removed level stays in the book with quantity 0."""
    look, side, price, _ = one(_removed(recording), at=0.5)
    look.insert(side, price, Fraction(0))
    return recording.planted()


@defect("3.1.3", "deep", like="ccxt/ccxt#24944")
def removal_lost(recording: Recording) -> Planted:
    """One removed level stays in the book with the quantity that it had."""
    look, side, price, qty = one([each for each in _removed(recording) if each[-1]], at=0.9)
    look.insert(side, price, qty)
    return recording.planted()


def _removed(recording: Recording) -> list[tuple[Look, str, Fraction, Fraction]]:
    """Return removed prices inside a side of a look, behind its best, and the quantities that they had."""
    return [
        (look, side, price, quantities[-2] if len(quantities) > 1 else Fraction(0))
        for look, sent in walk(recording)
        for side, rows in look.sides.items()
        for price, quantities in (sent[side].items() if len(rows) > 1 else ())
        if not quantities[-1] and min(look.ends(side)) < price < max(look.ends(side))
    ]


# --- 3.1.4 ------------------------------------------------------------------------------------------------------------


@defect("3.1.4", "gross", like="ctubio/Krypto-trading-bot#934")
def quotes_kept_up_on_an_old_book(recording: Recording) -> Planted:
    """The bot renews its quotes from a copy of the book that is older than book_stale_ms."""
    rows = recording.edit("quotes")
    for quote, _, end in some(_pauses(recording)):
        put(rows, {**quote, "ts_local": str(end - 1)})
    return recording.planted()


@defect("3.1.4", "deep")
def quote_a_microsecond_too_late(recording: Recording) -> Planted:
    """One quote is renewed from a book that is a microsecond older than book_stale_ms."""
    quote, start, _ = one(_pauses(recording), at=0.5)
    put(recording.edit("quotes"), {**quote, "ts_local": str(start + 1000)})
    return recording.planted()


@defect("3.1.4", "deep", also="1.4.4")
def order_on_a_stale_book(recording: Recording) -> Planted:
    """One order is sent when the book has had no update for longer than book_stale_ms."""
    found = []
    for symbol, times in _updates(recording).items():
        found += [
            (symbol, was + _stale(recording))
            for was, now in pairwise(times)
            if now - was > _stale(recording) + MILLISECOND
        ]
    symbol, start = one(found, at=0.5)
    refused(recording, start + MILLISECOND, symbol, "buy")
    return recording.planted()


@benign()
def quote_at_exactly_book_stale_ms(recording: Recording) -> Planted:
    """A quote is renewed from a book that is exactly as old as it may be."""
    quote, start, _ = one(_pauses(recording), at=0.3)
    put(recording.edit("quotes"), {**quote, "ts_local": str(start)})
    return recording.planted()


def _stale(recording: Recording) -> int:
    """Return how old a book may be. [ns]"""
    limit = recording.settings.get("timing", {}).get("book_stale_ms")
    return 10**18 if limit is None else round(Fraction(str(limit)) * MILLISECOND)


def _updates(recording: Recording) -> dict[str, list[int]]:
    """Return when the book of each symbol was updated."""
    out: dict[str, list[int]] = defaultdict(list)
    for row in recording["book"]:
        out[row["symbol"]].append(ts(row))
    return {symbol: sorted(times) for symbol, times in out.items()}


def _pauses(recording: Recording) -> list[tuple[Row, int, int]]:
    """Return the live quotes that outlast their book, from when on, and when the symbol's next one comes."""
    came: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in recording["book"]:
        came[row["symbol"], row["seq"]].append(ts(row))
    newest: dict[tuple[str, str], Row] = {}
    out = []
    for row in recording.edit("quotes"):
        for quote in [quote for (symbol, _), quote in newest.items() if symbol == row["symbol"]]:
            times = [at for at in came[row["symbol"], quote.get("book_seq", "")] if at < ts(row)]
            start = max(times, default=ts(row)) + _stale(recording)
            if _is_live(quote) and start + 1001 < ts(row) and ts(quote) < ts(row):
                out.append((quote, start, ts(row)))
        newest = {key: quote for key, quote in newest.items() if key[0] != row["symbol"] or ts(quote) == ts(row)}
        newest[row["symbol"], row.get("level", "")] = row
    return out


def _is_live(quote: Mapping[str, str]) -> bool:
    return quote.get("state") != "halted" and bool(quote["bid"] or quote["ask"])


# --- 3.1.5 ------------------------------------------------------------------------------------------------------------


@defect("3.1.5", "gross", like="ccxt/ccxt#29492")
def gaps_are_not_seen(recording: Recording) -> Planted:
    """An update is applied whatever the one before it was; the book is never asked for again."""
    rows = recording.edit("connection")
    gone = {id(row) for resync, _ in some(_resyncs(recording)) for row in resync}
    rows[:] = [row for row in rows if id(row) not in gone]
    return recording.planted()


@defect("3.1.5", "deep")
def resync_after_the_next_quote(recording: Recording) -> Planted:
    """After one gap the bot quotes before it asks for the book."""
    resync, quoted = one(_resyncs(recording), at=0.99)
    rows = recording.edit("connection")
    by = quoted + MILLISECOND - ts(resync[0])
    for row in resync:
        row["ts_local"] = str(ts(row) + by)
    rows.sort(key=ts)
    return recording.planted()


@defect("3.1.5", "deep")
def resync_of_another_symbol(recording: Recording) -> Planted:
    """After one gap the bot asks for the book of another symbol."""
    resync, _ = one(_resyncs(recording))
    for row in resync:
        row["detail"] = one(
            [market["symbol"] for market in recording["instruments"] if market["symbol"] != row["detail"]]
        )
    return recording.planted()


def _resyncs(recording: Recording) -> list[tuple[list[Row], int]]:
    """Return the resync rows that answer each gap before the next quote of its symbol, and when that quote comes."""
    out: list[tuple[list[Row], int]] = []
    for symbol, gap in _gaps(recording):
        own = [row for row in recording.edit("connection") if row.get("detail") == symbol and ts(row) >= gap]
        quoted = min(
            (ts(row) for row in recording["quotes"] if row["symbol"] == symbol and _is_live(row) and ts(row) > gap),
            default=0,
        )
        start = next((row for row in own if row["event"] == "resync_start"), None)
        if start is not None and ts(start) <= quoted and not any(start is row for resync, _ in out for row in resync):
            done = next((row for row in own if row["event"] == "resync_done" and ts(row) >= ts(start)), None)
            out.append(([start] if done is None else [start, done], quoted))
    return out


def _gaps(recording: Recording) -> Iterator[tuple[str, int]]:
    """Yield symbol and time of each update that does not follow the one before, or overlaps its snapshot."""
    last: dict[str, int] = {}
    fresh: set[str] = set()
    for row in recording["book"]:
        if not row["seq"]:
            continue
        symbol, seq = row["symbol"], int(row["seq"])
        before = int(row.get("prev_seq") or seq - 1)
        if row["kind"] == "snapshot":
            fresh.add(symbol)
        elif seq > last.get(symbol, seq):
            if before != last[symbol] and not (symbol in fresh and before < last[symbol]):
                yield symbol, ts(row)
            fresh.discard(symbol)
        last[symbol] = max(seq, last.get(symbol, 0)) if row["kind"] != "snapshot" else seq


# --- 3.1.6 ------------------------------------------------------------------------------------------------------------


@defect("3.1.6", "gross")
def book_is_not_refilled(recording: Recording) -> Planted:
    """Levels that are removed are not made up for from below: the sides grow shorter."""
    seen: set[str] = set()
    for look in looks(recording):
        for side, rows in look.sides.items() if look.symbol in seen else ():
            look.drop(recording, side, rows[(len(rows) + 1) // 2 :])
        seen.add(look.symbol)
    return recording.planted()


@defect("3.1.6", "deep")
def level_missing_inside_a_side(recording: Recording) -> Planted:
    """One bid between the best and the worst is not in the bot's book."""
    look = one([look for look in looks(recording) if len(look.sides["bid"]) > 2], at=0.7)
    look.drop(recording, "bid", look.sides["bid"][1:2])
    return recording.planted()


@defect("3.1.6", "deep")
def best_ask_missing(recording: Recording) -> Planted:
    """One best ask that the venue has is not in the bot's book."""
    look = one([look for look in looks(recording) if len(look.sides["ask"]) > 1], at=0.3)
    look.drop(recording, "ask", look.sides["ask"][:1])
    return recording.planted()


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def locked_book(recording: Recording) -> Planted:
    """The venue's best bid is its best ask for a moment, and the bot's book says so."""
    look, place, after = one(_quiet(recording), at=0.5)
    rows, price = recording.edit("book"), look.levels("ask")[0][0]
    bid = {**rows[place], "side": "bid", "price": price, "qty": look.levels("bid")[0][1]}
    rows.insert(after + 1, {**rows[after], "side": "bid", "price": price, "qty": text(0, bid["qty"])})
    rows.insert(place + 1, bid)
    look.insert("bid", Fraction(price), Fraction(bid["qty"]))
    return recording.planted()


@benign()
def old_update_repeated(recording: Recording) -> Planted:
    """The venue sends an update again after the one that followed it."""
    rows = recording.edit("book")
    for place in range(len(rows) // 2, len(rows) - 1):
        was, now = rows[place : place + 2]
        if was["symbol"] == now["symbol"] and was["kind"] == now["kind"] == "delta" and 0 < seq_of(was) < seq_of(now):
            put(rows, {**was, "ts_local": now["ts_local"]})
            break
    return recording.planted()


@benign()
def heartbeat_between_updates(recording: Recording) -> Planted:
    """The venue repeats its last seq without a level, to say that nothing has changed."""
    rows = recording.edit("book")
    symbol = one(rows, at=0.5)["symbol"]
    deltas = {row["seq"]: row for row in rows[len(rows) // 2 :] if row["symbol"] == symbol and row["kind"] == "delta"}
    was, now = one(list(pairwise(deltas.values())))
    cells = {"seq": was["seq"], "prev_seq": was.get("prev_seq", ""), "side": "", "price": "", "qty": ""}
    put(rows, {**was, **cells, "ts_local": str((ts(was) + ts(now)) // 2)})
    return recording.planted()


@benign()
def side_without_a_level(recording: Recording) -> Planted:
    """At the session's end the venue has no ask left, and the bot's book has none either."""
    book = recording.edit("book")
    look = one([look for look in looks(recording) if look.sides["bid"]], at=0.99)
    last = [row for row in book if row["symbol"] == look.symbol][-1]
    now = max(ts(row) for table in ("book", "quotes", "order_events", "pnl") for row in recording[table]) + MILLISECOND
    sent = str(int(last["ts_exchange"]) + now - ts(last)) if last["ts_exchange"] else ""
    head = {"ts_local": str(now), "symbol": look.symbol, "seq": str(seq_of(last) + 1)}
    for level, (price, qty) in enumerate(look.levels("bid")):
        row = {"kind": "snapshot", "side": "bid", "price": price, "qty": qty, "ts_exchange": sent, "prev_seq": ""}
        book.append(head | row)
        recording.edit("bot_book").append(head | {"side": "bid", "level": str(level), "price": price, "qty": qty})
    return recording.planted()


def _quiet(recording: Recording) -> list[tuple[Look, int, int]]:
    """Return looks that alone depend on the book between two updates, and the places of these."""
    tables = ["quotes", "bot_book"]
    tables += ["pnl"] if recording.convention("unrealized_price", "mark") in ("mid", "exit") else []
    tables += ["trades"] if recording.convention("trade_sign", "venue") == "lee_ready" else []
    busy = [(row["symbol"], ts(row)) for table in tables for row in recording[table]]
    book, every, out = recording["book"], looks(recording), []
    for look in every:
        own = [place for place, row in enumerate(book) if row["symbol"] == look.symbol]
        before = [place for place in own if ts(book[place]) <= look.ts]
        after = own[len(before) :]
        is_full = len(look.sides["bid"]) == max(len(each.sides["bid"]) for each in every if each.symbol == look.symbol)
        if before and after and is_full and look.sides["ask"] and book[before[-1]]["seq"] == look.seq:
            start, end = ts(book[before[-1]]), ts(book[after[0]])
            others = {at for symbol, at in busy if symbol == look.symbol and start <= at < end} - {look.ts}
            if not others and book[after[0]]["kind"] == book[before[-1]]["kind"] == "delta" and book[after[0]]["price"]:
                out.append((look, before[-1], after[0]))
    return out
