"""freqtrade: the SQLite database of its trades (``tradesv3.sqlite``), turned into a session.

What is read: the tables ``trades`` and ``orders``, as versions from 2021 on write them. A trade is a round trip, an
order its last state: the steps between its submit and that are not in the database.

What its fields mean, by freqtrade's code: times are UTC without saying so. ``order_date`` is the venue's time where the
venue sent one, ``order_filled_date`` too in newer versions, else they are the bot's: both stand as ``ts_local``, there
is no ``ts_exchange``. An order has a row, with the venue's id, once the venue answered, so it is acknowledged at its
``order_date``; its client order id is not kept. One average price stands for an order's executions: a fill is all of
them, its exec_id the order's id, its price ``average``, else cost over filled. For the same reason an order has no
cum_qty and no avg_px: they would be held to themselves.

A fee is the base coin that the venue kept (``ft_fee_base``); else the cost and currency that the trade has for its
side, where they are of one order; else the trade's rate times price times quantity in the stake currency, as freqtrade
counts it.

``close_profit_abs`` is less fees, against the average entry of the trade, rounded to 8 digits. The first trade of a
pair makes a ``pnl`` row; a sum of rounded profits is no claim that stands on its own. Where no fee was kept in the
coin, the position is flat when a trade is closed, and the trade's amount while it is open. In a dry run freqtrade is
the venue too, so its fills are the venue's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmverify.errors import EvidenceError
from mmverify.importers import table, write_session
from mmverify.importers._record import Record, read_database

_TABLES = {
    "trades": "id exchange pair is_open open_date close_date close_profit_abs amount fee_open fee_open_cost "
    "fee_open_currency fee_close fee_close_cost fee_close_currency",
    "orders": "ft_trade_id ft_order_side ft_pair order_id status order_type price amount filled cost order_date "
    "order_filled_date order_update_date",
}
_SIDES = {"buy": "buy", "sell": "sell"}
_OPEN, _CLOSED = "open", "closed"
_STATUS = {_OPEN: "", _CLOSED: "", "canceled": "cancel_ack", "cancelled": "cancel_ack", "expired": "expire"}
_STATUS |= {"rejected": "reject"}
_DECIMAL_PLACES, _TICK_SIZE = 2, 4  # precision modes of ccxt
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?", re.ASCII)
_QUOTIENT = Context(prec=15)  # the digits that two float64 leave to their quotient
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load(source: Path, out: Path) -> list[str]:
    """Turn freqtrade's database into a session folder.

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
    found = read_database(source, _TABLES)
    if not found["orders"]:
        raise EvidenceError(f"{source.name}, table orders", was="no order", should="the database of a run")
    notes: list[str] = []
    trades = {record.whole("id"): record for record in found["trades"]}
    orders = [_order(record, trades) for record in found["orders"]]
    simulated = sum(order.record.text("order_id").startswith("dry_run_") for order in orders)
    if simulated:
        notes.append(f"orders: {simulated} of {len(orders)} are of a dry run: freqtrade simulated them")
    fees = _fees(orders, notes)
    pairs = _pairs(found["trades"], notes)
    by_time = sorted(orders, key=lambda order: order.ts_filled)
    rows = {
        "instruments": _instruments(found["trades"], notes),
        "order_events": _order_events(orders),
        "fills": [_fill(order, *fees[order.record.row]) for order in by_time if order.record.row in fees],
        "positions": _positions(pairs, orders, fees, notes),
        "pnl": _pnl(pairs, orders, fees, notes),
    }
    session = {"bot": "freqtrade", "fills_from": "venue" if simulated == len(orders) else "bot"}
    for key, names in (
        ("venue", {record.text("exchange") for record in found["trades"]}),
        ("currency", {_currencies(record)[1] for record in found["trades"]}),
    ):
        if len(names) == 1:
            session[key] = names.pop()
    conventions = {"cost_basis": "average", "realized": "net"}
    tables = {name: table(name, some) for name, some in rows.items() if some}
    write_session(out, {"session": session, "conventions": conventions}, tables)
    return notes


def _time(record: Record, key: str) -> int | None:
    """Return a time as nanoseconds since 1970, None where it is not there."""
    if not record.has(key):
        return None
    text = record.text(key)
    if _TIME.fullmatch(text):
        try:
            return (datetime.fromisoformat(f"{text}+00:00") - _EPOCH) // timedelta(microseconds=1) * 1000
        except ValueError:
            pass
    raise record.bad(key, "a time such as 2021-04-28 06:10:15.066000")


def _currencies(trade: Record) -> tuple[str, str]:
    """Return base and stake currency of a trade, which older versions have in its pair alone."""
    base, _, rest = trade.text("pair").partition("/")
    if not base or not rest:
        raise trade.bad("pair", "a pair such as ETH/BTC")
    stated = [trade.fields.get(key) or None for key in ("base_currency", "stake_currency")]
    return str(stated[0] or base), str(stated[1] or rest.partition(":")[0])


def _is_short(trade: Record) -> bool:
    return bool(trade.fields.get("is_short"))


# --- orders and fills -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Order:
    """An order, its trade, what was executed of it and when; `price` is the average of that."""

    record: Record
    trade: Record
    side: str
    is_entry: bool
    sent: int
    filled: Decimal
    price: Decimal | None
    ts_filled: int
    ts_end: int


def _order(record: Record, trades: Mapping[int, Record]) -> _Order:
    trade = trades.get(record.whole("ft_trade_id"))
    if trade is None:
        raise record.bad("ft_trade_id", "the id of a trade")
    entry = "sell" if _is_short(trade) else "buy"
    side = record.text("ft_order_side")
    if side not in _SIDES:  # stoploss
        side = record.word("side", _SIDES) if record.has("side") else "buy" if _is_short(trade) else "sell"
    sent, ts_filled, updated = (_time(record, f"order_{name}date") for name in ("", "filled_", "update_"))
    if sent is None:
        raise record.bad("order_date", "a time")
    filled, cost = record.optional("filled") or Decimal(0), record.optional("cost")
    price = record.optional("average")
    if price is None and cost and filled:
        price = _QUOTIENT.divide(cost, filled)
    ts_end = updated or ts_filled or sent
    return _Order(record, trade, side, side == entry, sent, filled, price, ts_filled or ts_end, ts_end)


def _order_events(orders: list[_Order]) -> list[dict[str, Any]]:
    rows = [row for order in orders for row in _events(order)]
    return sorted(rows, key=lambda row: int(row["ts_local"]))


def _events(order: _Order) -> Iterator[dict[str, Any]]:
    record, status = order.record, order.record.fields.get("status")
    row = {
        "ts_local": order.sent,
        "symbol": record.text("ft_pair"),
        "client_order_id": None,
        "order_id": record.text("order_id"),
        "event": "submit",
        "side": order.side,
        "type": record.fields.get("order_type"),
        "price": _float(record.optional("price")) if record.fields.get("order_type") != "market" else None,
        "qty": _float(record.optional("amount")),
        "exec_id": None,
    }
    yield row
    row = row | {"type": None, "price": None, "qty": None}
    end = record.word("status", _STATUS) if status else ""
    if end != "reject":
        yield row | {"event": "ack"}
    if order.filled:
        event = "fill" if status == _CLOSED else "partial_fill"
        yield row | {"ts_local": order.ts_filled, "event": event, "exec_id": row["order_id"]}
    if end:
        yield row | {"ts_local": order.ts_end, "event": end}


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _fees(orders: list[_Order], notes: list[str]) -> dict[int, tuple[Decimal, str]]:
    """Return fee and its asset by row of the orders that make a fill."""
    filled = [order for order in orders if order.filled and order.price]
    unpriced = sum(bool(order.filled) for order in orders) - len(filled)
    if unpriced:
        notes.append(f"orders: {unpriced} that were filled make no fill: they have neither average nor cost")
    sides = Counter((order.trade.row, order.is_entry) for order in filled)
    fees, counted = {}, 0
    for order in filled:
        name = "fee_open" if order.is_entry else "fee_close"
        base, stake = _currencies(order.trade)
        kept, cost = order.record.optional("ft_fee_base"), order.trade.optional(f"{name}_cost")
        if kept:
            fee = kept, base
        elif (
            cost is not None
            and order.trade.fields.get(f"{name}_currency")
            and sides[order.trade.row, order.is_entry] == 1
        ):
            fee = cost, order.trade.text(f"{name}_currency")
        else:
            fee = order.trade.number(name) * (order.price or 0) * order.filled, stake
            counted += 1
        fees[order.record.row] = fee
    if counted:
        notes.append(f"fills: {counted} have no fee of their own: the trade's rate times price times quantity")
    return fees


def _fill(order: _Order, fee: Decimal, asset: str) -> dict[str, Any]:
    return {
        "ts_exchange": None,
        "ts_local": order.ts_filled,
        "symbol": order.record.text("ft_pair"),
        "exec_id": order.record.text("order_id"),
        "order_id": order.record.text("order_id"),
        "side": order.side,
        "price": _float(order.price),
        "qty": _float(order.filled),
        "liquidity": None,
        "fee": _float(fee),
        "fee_asset": asset,
    }


# --- what the bot claims, and the markets -----------------------------------------------------------------------------


def _pairs(trades: list[Record], notes: list[str]) -> dict[str, list[Record]]:
    """Return the trades of each pair in order of time; of no pair that has trades beside each other."""
    pairs: dict[str, list[Record]] = {}
    for trade in sorted(trades, key=_begin):
        pairs.setdefault(trade.text("pair"), []).append(trade)
    beside = [pair for pair, mine in pairs.items() if any(_end(one) > _begin(two) for one, two in pairwise(mine))]
    notes += [f"positions and pnl of {pair} left out: trades beside each other" for pair in beside]
    return {pair: mine for pair, mine in pairs.items() if pair not in beside}


def _positions(
    pairs: Mapping[str, list[Record]], orders: list[_Order], fees: Mapping[int, tuple[Decimal, str]], notes: list[str]
) -> list[dict[str, Any]]:
    """Return the position of each trade, flat where it closed; none of a coin that the venue kept fees of."""
    filled = sorted((order for order in orders if order.filled), key=lambda order: order.ts_filled)
    newest = {order.trade.row: order.ts_filled for order in filled}
    in_base = {order.record.text("ft_pair") for order in orders if _is_in_base(order, fees)}
    rows = []
    for pair, mine in pairs.items():
        if pair in in_base:
            notes.append(f"positions of {pair} left out: fees were kept in its coin, and freqtrade counts trades")
            continue
        for trade in mine:
            if not trade.whole("is_open"):
                rows.append(_position(pair, _end(trade), Decimal(0)))
            elif trade.row in newest:
                rows.append(
                    _position(pair, newest[trade.row], trade.number("amount") * (-1 if _is_short(trade) else 1))
                )
    return sorted(rows, key=lambda row: int(row["ts_local"]))


def _is_in_base(order: _Order, fees: Mapping[int, tuple[Decimal, str]]) -> bool:
    return order.record.row in fees and fees[order.record.row][1] == _currencies(order.trade)[0]


def _pnl(
    pairs: Mapping[str, list[Record]], orders: list[_Order], fees: Mapping[int, tuple[Decimal, str]], notes: list[str]
) -> list[dict[str, Any]]:
    """Return the profit of the first trade of each pair, where it is closed and of its own fills alone."""
    held: dict[int, Decimal] = {}
    for order in orders:
        moved = order.filled if order.is_entry else -order.filled
        moved -= fees[order.record.row][0] if _is_in_base(order, fees) else 0
        held[order.trade.row] = held.get(order.trade.row, Decimal(0)) + moved
    rows, closed = [], 0
    for pair, mine in pairs.items():
        done = [trade for trade in mine if not trade.whole("is_open") and trade.has("close_profit_abs")]
        closed += len(done)
        first = mine[0]
        is_sound = held.get(first.row, Decimal(-1)) >= 0  # else more was sold than was bought: some was held before
        if first in done and is_sound and not any(first.optional(key) for key in ("funding_fees", "interest_rate")):
            profit = first.number("close_profit_abs") + Decimal(
                "0.00000000"
            )  # rounded to 8 digits, zeros at its end too
            claim = {"realized": profit, "currency": _currencies(first)[1]}
            rows.append({"ts_local": _end(first), "symbol": pair, **claim})
    if closed > len(rows):
        notes.append(
            f"pnl: the profit of {closed - len(rows)} of {closed} closed trades left out: not the first of its pair (a "
            "sum of rounded profits is no claim), or more was sold than was bought, or funding or interest is in it"
        )
    return sorted(rows, key=lambda row: int(row["ts_local"]))


def _position(pair: str, ts_local: int, qty: Decimal) -> dict[str, Any]:
    return {"ts_local": ts_local, "symbol": pair, "qty": _float(qty), "source": "bot"}


def _begin(trade: Record) -> int:
    opened = _time(trade, "open_date")
    if opened is None:
        raise trade.bad("open_date", "a time")
    return opened


def _end(trade: Record) -> int:
    """Return when a trade was closed, the end of all time for one that is open."""
    if trade.whole("is_open"):
        return 2**63 - 1
    closed = _time(trade, "close_date")
    if closed is None:
        raise trade.bad("close_date", "a time: the trade is closed")
    return closed


def _instruments(trades: list[Record], notes: list[str]) -> list[dict[str, Any]]:
    """Return the markets by the precision that newer versions keep with each trade; none where one is not known."""
    found: dict[str, dict[str, Any]] = {}
    for trade in trades:
        base, quote = _currencies(trade)
        price = _step(trade, "price_precision", "precision_mode_price")
        lot = _step(trade, "amount_precision", "precision_mode")
        mode = trade.fields.get("trading_mode")
        if price is None or lot is None or mode != "SPOT":
            why = "neither tick size nor lot size" if mode in (None, "SPOT") else f"no contract terms of {mode}"
            notes.append(f"no instruments: the database has {why}; an instruments.csv in the session folder gives them")
            return []
        pair = trade.text("pair")
        terms = {"symbol": pair, "kind": "spot", "base": base, "quote": quote, "tick_size": price, "lot_size": lot}
        if found.setdefault(pair, terms) != terms:
            notes.append(f"instruments: {pair} has several tick or lot sizes; the last ones are taken")
            found[pair] = terms
    return list(found.values())


def _step(trade: Record, key: str, mode: str) -> Decimal | None:
    """Return the smallest step of a price or quantity, None where it is not known."""
    kind = trade.fields.get(mode) or trade.fields.get("precision_mode")
    if not trade.has(key) or kind not in (_DECIMAL_PLACES, _TICK_SIZE):
        return None
    number = trade.number(key)
    return number if kind == _TICK_SIZE else Decimal(1).scaleb(-int(number))
