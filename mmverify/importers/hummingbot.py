"""hummingbot: the SQLite database that its recorder writes, turned into a session.

What is read: the tables ``Order``, ``OrderStatus``, ``TradeFill``, ``MarketState`` and ``MarketData``; the last two may
be missing.

What its fields mean, by the recorder's code: a price and an amount are whole numbers of 1e-6, what is finer is cut off,
so that a price below 1e-6 is stored as 0, which is not taken as an order's price. Times are the bot's in ms, of
``MarketData`` in ns: there is no ``ts_exchange``. An order and its ``Created`` status carry the time at which the bot
made it, not that of the venue's answer; a fill carries the tick of the connector's clock, a cancel or completion the
moment at which it was recorded. ``LIMIT_MAKER`` is a limit order that may only make. Requests to cancel are not
recorded, nor is an order that the venue refused at once, nor an order's state beside its events, nor whether a fill
made or took. A trade's id is unique within its order.

A fee is a share of price times amount in the quote currency; of a buy whose fee is deducted from what it returns, a
share of the amount in the base currency; or a flat amount of a token. The share is the connector's own rate where the
venue did not report the fee: no fee_rate, for it would be held to itself.

Events stand in the order in which they were recorded. An order's submit stands where its time says: before the first
event that is later, at the latest before the order's own first event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmverify.errors import EvidenceError
from mmverify.importers import table, write_session
from mmverify.importers._record import Record, read_database

_TABLES = {
    "Order": "id market symbol quote_asset creation_timestamp order_type amount price exchange_order_id",
    "OrderStatus": "order_id timestamp status",
    "TradeFill": "market symbol base_asset quote_asset timestamp order_id trade_type price amount trade_fee "
    "exchange_trade_id",
    "MarketState": "market saved_state",
    "MarketData": "timestamp exchange trading_pair order_book",
}
_UNREAD = ("FundingPayment", "InventoryCost", "Executors", "Position", "RangePositionUpdate")
_MS, _S = 10**6, 10**9  # ns
_FILLED, _COMPLETED = "OrderFilled", ("BuyOrderCompleted", "SellOrderCompleted")
_EVENTS = {
    "BuyOrderCreated": "ack",
    "SellOrderCreated": "ack",
    _FILLED: "partial_fill",
    **dict.fromkeys(_COMPLETED, "fill"),
    "OrderCancelled": "cancel_ack",
    "OrderFailure": "reject",
    "OrderExpired": "expire",
}
_SIDES = {"BUY": "buy", "SELL": "sell"}
_TYPES = {"LIMIT": ("limit", False), "LIMIT_MAKER": ("limit", True), "MARKET": ("market", False)}
_FEES = {"AddedToCost": False, "DeductedFromReturns": True}


def load(source: Path, out: Path) -> list[str]:
    """Turn hummingbot's database into a session folder.

    Parameters
    ----------
    source : Path
        The database file; it is not written to.
    out : Path
        The session folder to make; not there yet, or empty.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    EvidenceError
        When the database cannot be read; the message names file, table, row and column.
    UsageError
        When `out` cannot be written.
    """
    found = read_database(
        source, _TABLES | dict.fromkeys(_UNREAD, ""), optional=("MarketState", "MarketData", *_UNREAD)
    )
    orders, fills = found["Order"], found["TradeFill"]
    if not orders and not fills:
        raise EvidenceError(source.name, was="no order and no fill", should="the database of a run")
    markets = sorted({*(record.text("market") for record in (*orders, *fills))})
    several = len(markets) > 1
    notes = [
        "no instruments: the database has neither tick size nor lot size; an instruments.csv in the session folder "
        "gives them"
    ]
    notes += [f"{name}: {len(found[name])} rows left out" for name in _UNREAD if found[name]]
    if several:
        notes.append(f"markets {' and '.join(markets)}: a symbol ends in its market, and no venue is stated")
    named = _executions(fills, several, notes)
    rows = {
        "order_events": _order_events(found, named, several, notes),
        "fills": _fills(fills, named, several, notes),
        "bot_book": [row for record in found["MarketData"] for row in _book(record, several)],
    }
    session = {"bot": "hummingbot", "fills_from": "bot"}
    if not several:
        session["venue"] = markets[0]
    currencies = {record.text("quote_asset") for record in (*orders, *fills)}
    if len(currencies) == 1:
        session["currency"] = currencies.pop()
    write_session(out, {"session": session}, {name: table(name, some) for name, some in rows.items() if some})
    return notes


def _symbol(record: Record, several: bool, *, market: str = "market", pair: str = "symbol") -> str:
    return record.text(pair) + (f".{record.text(market)}" if several else "")


def _millionths(record: Record, key: str) -> Decimal:
    return Decimal(record.whole(key)).scaleb(-6)


# --- orders -----------------------------------------------------------------------------------------------------------


def _order_events(
    found: Mapping[str, list[Record]], named: Mapping[int, str], several: bool, notes: list[str]
) -> list[dict[str, Any]]:
    """Return the submits and the recorded events of all orders."""
    statuses = found["OrderStatus"]
    fills: dict[str, list[Record]] = {}
    for record in found["TradeFill"]:
        fills.setdefault(record.text("order_id"), []).append(record)
    sides = {
        record.text("order_id"): "buy" if record.text("status").startswith("Buy") else "sell"
        for record in statuses
        if record.text("status").startswith(("Buy", "Sell"))
    }
    sides |= {order: mine[0].word("trade_type", _SIDES) for order, mine in fills.items()}
    submits = {record.text("id"): _submit(record, sides.get(record.text("id")), several) for record in found["Order"]}
    unpriced = sum(row["price"] is None and row["type"] == "limit" for row in submits.values())
    if unpriced:
        notes.append(f"Order: {unpriced} limit orders have price 0, as what is below 1e-6 is cut off: not known")
    submits |= _in_flight(found["MarketState"], submits, several, notes)
    symbols = {order: _symbol(mine[0], several) for order, mine in fills.items()}
    symbols |= {order: row["symbol"] for order, row in submits.items()}
    events = list(_events(statuses, fills, named, submits, symbols, sides, notes))
    return list(_placed(submits, events))


def _row(ts_local: int, symbol: str, order: str, event: str, side: str | None, **cells: Any) -> dict[str, Any]:
    row = {"ts_local": ts_local, "symbol": symbol, "client_order_id": order, "order_id": None, "event": event}
    return row | {"side": side, "type": None, "post_only": None, "price": None, "qty": None, "exec_id": None} | cells


def _submit(record: Record, side: str | None, several: bool) -> dict[str, Any]:
    kind, post_only = record.word("order_type", _TYPES)
    price = _millionths(record, "price") or None
    terms = {"type": kind, "post_only": post_only, "price": price, "qty": _millionths(record, "amount")}
    terms["order_id"] = record.text("exchange_order_id") if record.has("exchange_order_id") else None
    at = record.time("creation_timestamp", _MS)
    return _row(at, _symbol(record, several), record.text("id"), "submit", side, **terms)


def _in_flight(
    states: list[Record], known: Mapping[str, Any], several: bool, notes: list[str]
) -> dict[str, dict[str, Any]]:
    """Return the submits of orders that were in flight when the bot stopped and have no row of their own."""
    rows: dict[str, dict[str, Any]] = {}
    undated = 0
    for state in states:
        for order in state.object("saved_state").fields:
            record = state.object("saved_state").object(order)
            if order in known:
                continue
            if not record.has("creation_timestamp"):
                undated += 1
                continue
            kind, post_only = record.word("order_type", _TYPES)
            record = Record(record.place, record.row, {**record.fields, "market": state.text("market")})
            price = None if record.fields.get("price") == "NaN" else record.number("price")
            at = int(record.number("creation_timestamp") * _S)
            terms = {"type": kind, "post_only": post_only, "price": price, "qty": record.number("amount")}
            side = record.word("trade_type", _SIDES)
            rows[order] = _row(at, _symbol(record, several, pair="trading_pair"), order, "submit", side, **terms)
    if rows:
        notes.append(f"MarketState: {len(rows)} orders still in flight, of which the database has no row but this one")
    if undated:
        notes.append(f"MarketState: {undated} orders in flight left out: they have no time")
    return rows


def _executions(fills: list[Record], several: bool, notes: list[str]) -> dict[int, str]:
    """Return the exec_id of each row: with its order's id before it where several orders of a symbol have it."""
    orders: dict[tuple[str, str], set[str]] = {}
    for record in fills:
        key = (_symbol(record, several), record.text("exchange_trade_id"))
        orders.setdefault(key, set()).add(record.text("order_id"))
    shared = {key for key, ids in orders.items() if len(ids) > 1}
    if shared:
        notes.append(f"TradeFill: {len(shared)} trade ids are of several orders: exec_id is order and trade id there")
    named = {}
    for record in fills:
        trade = record.text("exchange_trade_id")
        is_shared = (_symbol(record, several), trade) in shared
        named[record.row] = f"{record.text('order_id')} {trade}" if is_shared else trade
    return named


def _events(
    statuses: list[Record],
    fills: Mapping[str, list[Record]],
    named: Mapping[int, str],
    submits: Mapping[str, dict[str, Any]],
    symbols: Mapping[str, str],
    sides: Mapping[str, str],
    notes: list[str],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each status: of a fill, the execution that was recorded with it."""
    count = Counter(record.text("order_id") for record in statuses if record.fields["status"] == _FILLED)
    completed = {record.text("order_id") for record in statuses if record.fields["status"] in _COMPLETED}
    uneven = {order for order in (*count, *fills) if count[order] != len(fills.get(order, []))}
    left = {order: iter(mine) for order, mine in fills.items() if order not in uneven}
    seen, executed = Counter[str](), dict[str, Decimal]()
    without = Counter[str]()
    for record in statuses:
        order, status = record.text("order_id"), record.text("status")
        event, execution = record.word("status", _EVENTS), None
        if order not in symbols:
            without["left out: their order is neither in Order nor in TradeFill, so its symbol is not known"] += 1
            continue
        if status in _COMPLETED and count[order]:
            continue  # the fill that completed it has its own status
        if status == "OrderFailure":
            without["of OrderFailure are rejects: of an order that the bot did not find again, too"] += 1
        if status in _COMPLETED:
            without["are fills without an execution: TradeFill has none of their order"] += 1
        elif status == _FILLED:
            seen[order] += 1
            if order in left:
                fill = next(left[order])
                execution = named[fill.row]
                executed[order] = executed.get(order, Decimal(0)) + _millionths(fill, "amount")
            is_last = order in completed and seen[order] == count[order]
            is_whole = order in submits and executed.get(order, Decimal(0)) >= submits[order]["qty"]
            event = "fill" if is_last or is_whole else event
        at = record.time("timestamp", _MS)
        yield _row(at, symbols[order], order, event, sides.get(order), exec_id=execution)
    if uneven:
        without["are of orders with more or fewer rows in TradeFill: no exec_id"] = sum(count[each] for each in uneven)
    notes += [f"OrderStatus: {number} rows {why}" for why, number in without.items()]


def _placed(submits: Mapping[str, dict[str, Any]], events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the events as recorded, each submit where its time says and before its order's own events."""
    waiting = dict(sorted(submits.items(), key=lambda item: item[1]["ts_local"]))
    for event in events:
        while waiting and (first := next(iter(waiting.values())))["ts_local"] < event["ts_local"]:
            yield waiting.pop(first["client_order_id"])
        if event["client_order_id"] in waiting:
            yield waiting.pop(event["client_order_id"])
        yield event
    yield from waiting.values()


# --- fills and the book -----------------------------------------------------------------------------------------------


def _fills(records: list[Record], named: Mapping[int, str], several: bool, notes: list[str]) -> list[dict[str, Any]]:
    rows, odd = [], Counter[str]()
    for record in records:
        price, qty = _millionths(record, "price"), _millionths(record, "amount")
        fee, fee_asset = _fee(record, price, qty, odd)
        if not price:
            odd["have price 0, as what is below 1e-6 is cut off; so has a fee that is a share of it"] += 1
        rows.append(
            {
                "ts_exchange": None,
                "ts_local": record.time("timestamp", _MS),
                "symbol": _symbol(record, several),
                "exec_id": named[record.row],
                "client_order_id": record.text("order_id"),
                "side": record.word("trade_type", _SIDES),
                "price": price,
                "qty": qty,
                "liquidity": None,
                "fee": fee,
                "fee_asset": fee_asset,
            }
        )
    notes += [f"TradeFill: {count} fills {what}" for what, count in odd.items()]
    return rows


def _fee(record: Record, price: Decimal, qty: Decimal, odd: Counter[str]) -> tuple[Decimal, str]:
    """Return a fill's fee and its asset."""
    stated = record.object("trade_fee")
    share = stated.optional("percent") or Decimal(0)
    returned = stated.word("fee_type", _FEES) if stated.has("fee_type") else False
    in_base = returned and record.word("trade_type", _SIDES) == "buy"
    parts: dict[str, Decimal] = {}
    if share:
        asset = record.text("base_asset" if in_base else "quote_asset")
        parts[asset] = share * qty * (1 if in_base else price)
        if stated.has("percent_token"):
            odd[f"paid their fee in {stated.text('percent_token')}: given by its worth in {asset}"] += 1
    for flat in stated.listed("flat_fees"):
        asset = flat.text("token")
        parts[asset] = parts.get(asset, Decimal(0)) + flat.number("amount")
    if not parts:
        return Decimal(0), record.text("quote_asset")
    if len(parts) > 1:
        odd["paid a fee in several assets: the first is taken, the others are left out"] += 1
    asset, fee = next(iter(parts.items()))
    return fee, asset


def _book(record: Record, several: bool) -> Iterator[dict[str, Any]]:
    """Yield the levels of the book as the bot had it."""
    at = record.time("timestamp", 1)
    symbol = _symbol(record, several, market="exchange", pair="trading_pair")
    book = record.object("order_book")
    for side in ("bid", "ask"):
        levels = book.fields.get(side)
        if not isinstance(levels, list) or not all(isinstance(each, list) and len(each) == 2 for each in levels):
            raise record.bad("order_book", f"{side}: a list of [price, quantity]")
        for level, (price, qty) in enumerate(levels):
            cells = Record(record.place, record.row, {"order_book": price, "quantity": qty})
            row = {"ts_local": at, "symbol": symbol, "side": side, "level": level}
            yield row | {"price": cells.number("order_book"), "qty": cells.number("quantity")}
