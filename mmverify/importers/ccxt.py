"""ccxt: the unified structures of an account in a JSON file, turned into a session.

The file is an object: ``exchange`` (ccxt's id of it, may be missing) and ``unified``, an object of lists of what ccxt's
calls return: ``orders`` (fetch_orders), ``my_trades`` (fetch_my_trades), ``trades`` (fetch_trades), ``positions``
(fetch_positions), ``balance`` (fetch_balance); each may be missing.

What its fields mean, by ccxt: times are the venue's, in ms. There is no bot's clock: ``ts_local`` of orders, positions
and balances, which cannot do without one, is the venue's too. An order is its last state: a submit at its ``timestamp``
and what its status says at its last update; several structures of one order are its states in time. The status is the
venue's and no state of the bot's. ``remaining`` of an order that is done is what was not filled, so no leaves_qty.
Quantities of a contract are contracts. A fee is positive when paid. Any field may be null: a structure without a field
that a session cannot do without is left out, and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmverify.errors import EvidenceError
from mmverify.importers import table, write_session
from mmverify.importers._record import Record, parse

_NEEDS = {
    "orders": "id symbol timestamp side",
    "my_trades": "id symbol timestamp side price amount",
    "trades": "symbol timestamp price amount",
    "positions": "symbol timestamp contracts",
    "balance": "timestamp",
}
_MS = 10**6
_SIDES = {"buy": "buy", "sell": "sell"}
_ENDS = {"canceled": "cancel_ack", "expired": "expire", "rejected": "reject"}
_STATUS = {"open": "", "closed": "fill", **_ENDS}
_LIQUIDITY = {"maker": "maker", "taker": "taker"}
_DIRECTIONS = {"long": 1, "short": -1}
_BESIDE = ("info", "timestamp", "datetime", "free", "used", "total", "debt")  # in a balance, beside its currencies


def load(source: Path, out: Path) -> list[str]:
    """Turn a file of ccxt's unified structures into a session folder.

    Parameters
    ----------
    source : Path
        The JSON file.
    out : Path
        The session folder to make; not there yet, or empty.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    EvidenceError
        When the file cannot be read; the message names file, list, row and field.
    UsageError
        When `out` cannot be written.
    """
    content = _content(source)
    unified = content.object("unified")
    notes = ["no instruments: these structures have no tick size; an instruments.csv in the session folder gives them"]
    kept = {name: _kept(unified, name, notes) for name in _NEEDS}
    notes += [
        f"{name}: left out, a session is made of {', '.join(_NEEDS)}" for name in unified.fields if name not in _NEEDS
    ]
    rows = {
        "order_events": _order_events(kept["orders"], notes),
        "fills": _fills(kept["my_trades"], notes),
        "trades": [_trade(record) for record in kept["trades"]],
        "positions": _positions(kept["positions"], notes),
        "balances": [row for record in kept["balance"] for row in _balances(record)],
    }
    tables = {name: table(name, some) for name, some in rows.items() if some}
    if not tables:
        raise EvidenceError(
            source.name, was="; ".join(notes[1:]) or "no structure", should="an order, trade or balance"
        )
    session = {"fills_from": "venue"} | ({"venue": content.text("exchange")} if content.has("exchange") else {})
    write_session(out, {"session": session}, tables)
    return notes


def _content(source: Path) -> Record:
    try:
        content = parse(source.read_text(encoding="utf-8-sig"), source.name)
    except OSError as error:
        raise EvidenceError(source.name, was=f"cannot be read ({error.strerror})", should="a JSON file") from None
    except UnicodeDecodeError:
        raise EvidenceError(source.name, was="bytes that are not UTF-8", should="a JSON file") from None
    if not isinstance(content, dict):
        raise EvidenceError(source.name, was=type(content).__name__, should="a JSON object")
    return Record(source.name, 1, content)


def _kept(unified: Record, name: str, notes: list[str]) -> list[Record]:
    """Return the structures of a list that have what a session cannot do without."""
    kept, lacking = [], Counter[str]()
    for row, each in enumerate(unified.listed(name), 1):
        record = Record(f"{unified.place}, {name}", row, each.fields)
        null = [key for key in _NEEDS[name].split() if not record.has(key)]
        if null:
            lacking[" and ".join(null)] += 1
        else:
            kept.append(record)
    notes += [f"{name}: {count} left out, {what} is null" for what, count in lacking.items()]
    return kept


# --- orders -----------------------------------------------------------------------------------------------------------


def _order_events(records: list[Record], notes: list[str]) -> list[dict[str, Any]]:
    orders: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        orders.setdefault((record.text("symbol"), record.text("id")), []).append(record)
    odd = Counter[str]()
    rows = [row for states in orders.values() for row in _events(sorted(states, key=_updated), odd)]
    notes += [f"orders: {count} {what}" for what, count in odd.items()]
    return sorted(rows, key=lambda row: int(row["ts_local"]))


def _updated(record: Record) -> int:
    key = next((key for key in ("lastUpdateTimestamp", "lastTradeTimestamp") if record.fields.get(key)), "timestamp")
    return record.time(key, _MS)


def _events(states: list[Record], odd: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one order, whose states are in the order of time."""
    first = states[0]
    named = [record.text("clientOrderId") for record in states if record.fields.get("clientOrderId")]
    tif = first.text("timeInForce").lower() if first.has("timeInForce") else None
    base = {
        "ts_local": first.time("timestamp", _MS),
        "symbol": first.text("symbol"),
        "client_order_id": named[0] if named else None,
        "order_id": first.text("id"),
        "event": "submit",
        "side": first.word("side", _SIDES),
    }
    terms = {
        "type": first.text("type").lower() if first.has("type") else None,
        "tif": None if tif == "po" else tif,
        "post_only": True if tif == "po" else first.flag("postOnly"),
        "reduce_only": first.flag("reduceOnly"),
        "price": first.optional("price"),
        "qty": first.optional("amount"),
    }
    nothing = dict.fromkeys(terms) | dict.fromkeys(("cum_qty", "leaves_qty", "avg_px"))
    yield base | nothing | terms
    if first.fields.get("status") != "rejected":
        yield base | nothing | {"event": "ack"}
    seen, filled = set(), Decimal(0)
    for record in states:
        status = record.text("status") if record.has("status") else "open"
        event, total = record.word("status", _STATUS) if record.has("status") else "", record.optional("filled")
        state = (status, total, _updated(record))
        if state in seen:
            odd["left out: the same state of the same order again"] += 1
            continue
        seen.add(state)
        cells = {"ts_local": _updated(record), "cum_qty": total, "avg_px": record.optional("average")}
        if status == "open":
            cells["leaves_qty"] = record.optional("remaining")
        if event == "fill" and total == 0:
            odd["closed with nothing filled: how they ended is not said"] += 1
            continue
        if event != "fill" and total is not None and total > filled:
            yield base | nothing | cells | {"event": "partial_fill"}
        if event:
            yield base | nothing | cells | {"event": event}
        filled = max(filled, total or Decimal(0))


# --- the rest ---------------------------------------------------------------------------------------------------------


def _fills(records: list[Record], notes: list[str]) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        paid = _fee(record)
        if paid is None:
            continue
        rows.append(
            {
                "ts_exchange": record.time("timestamp", _MS),
                "ts_local": None,
                "symbol": record.text("symbol"),
                "exec_id": record.text("id"),
                "order_id": record.text("order") if record.has("order") else None,
                "side": record.word("side", _SIDES),
                "price": record.number("price"),
                "qty": record.number("amount"),
                "liquidity": record.word("takerOrMaker", _LIQUIDITY) if record.has("takerOrMaker") else None,
                "fee": paid[0],
                "fee_asset": paid[1],
            }
        )
    if len(rows) < len(records):
        notes.append(f"my_trades: {len(records) - len(rows)} left out, they have no fee or several in other currencies")
    return rows


def _fee(record: Record) -> tuple[Decimal, str] | None:
    """Return a trade's fee and its currency, None where it has none or several that cannot be added."""
    single = [record.object("fee")] if record.has("fee") else []
    for listed in (record.listed("fees"), single):
        known = [fee for fee in listed if fee.has("cost") and fee.has("currency")]
        currencies = {fee.text("currency") for fee in known}
        if len(currencies) == 1:
            return sum((fee.number("cost") for fee in known), Decimal(0)), currencies.pop()
        if currencies:
            return None
    return None


def _trade(record: Record) -> dict[str, Any]:
    return {
        "ts_exchange": record.time("timestamp", _MS),
        "ts_local": None,
        "symbol": record.text("symbol"),
        "trade_id": record.text("id") if record.has("id") else None,
        "price": record.number("price"),
        "qty": record.number("amount"),
        "aggressor": record.word("side", _SIDES) if record.has("side") else None,
    }


def _positions(records: list[Record], notes: list[str]) -> list[dict[str, Any]]:
    held: dict[str, set[int]] = {}
    rows = []
    for record in records:
        contracts = record.number("contracts")
        direction = record.word("side", _DIRECTIONS) if contracts else 0
        held.setdefault(record.text("symbol"), set()).add(direction)
        rows.append(
            {
                "ts_local": record.time("timestamp", _MS),
                "symbol": record.text("symbol"),
                "qty": direction * contracts,
                "avg_px": record.optional("entryPrice") if contracts else None,
                "source": "exchange",
            }
        )
    hedged = [symbol for symbol, directions in held.items() if {1, -1} <= directions]
    notes += [f"positions of {symbol} left out: long and short beside each other" for symbol in hedged]
    return sorted((row for row in rows if row["symbol"] not in hedged), key=lambda row: int(row["ts_local"]))


def _balances(record: Record) -> Iterator[dict[str, Any]]:
    for asset in record.fields:
        if asset not in _BESIDE:
            balance = record.object(asset)
            if balance.has("total"):
                row = {"ts_local": record.time("timestamp", _MS), "asset": asset, "total": balance.number("total")}
                yield row | {"available": balance.optional("free"), "source": "exchange"}
