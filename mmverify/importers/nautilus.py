"""NautilusTrader: a run's folder of reports, event logs, stream and catalog, turned into a session.

What is read: ``order_events.jsonl.gz`` and ``account_events.jsonl.gz`` (each event's ``to_dict``, a line each),
``positions_report.csv``, ``result.json``, ``stream/<kind>/<run>/position_*.feather`` (Arrow IPC stream) and
``catalog/data`` (instruments, trade_tick, order_book_delta). Only the order events and an instrument must be there.

What its fields mean: ``ts_init`` is the bot's clock, ``ts_event`` the venue's. A commission is a cost when positive.
An order is amended in place: the client order id stays, so ``orig_client_order_id`` is left out. Order events carry
neither ``cum_qty``, ``leaves_qty``, ``avg_px`` nor the order's state after them: these columns are left out. Whether an
execution is the last one follows from the order's quantity and its executions so far.

The engine rounds P&L to the digits of its currency at each fill; only its final statement is a claim that stands on
its own, so ``pnl`` has one row a symbol: of a margin account with one instrument the last total less the first, else
the sum of the report's positions. It is net of fees. The average price of an entry is arithmetic, of an inverse
contract too.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from ast import literal_eval
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mmverify.errors import EvidenceError
from mmverify.importers import table, write_session

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_ORDERS = "order_events.jsonl.gz"
_ACCOUNT = "account_events.jsonl.gz"
_POSITIONS = "positions_report.csv"
_INSTRUMENTS = ("crypto_perpetual", "currency_pair")

_EVENTS = {
    "OrderSubmitted": "submit",
    "OrderAccepted": "ack",
    "OrderRejected": "reject",
    "OrderPendingUpdate": "replace_request",
    "OrderUpdated": "replace_ack",
    "OrderModifyRejected": "replace_reject",
    "OrderPendingCancel": "cancel_request",
    "OrderCanceled": "cancel_ack",
    "OrderCancelRejected": "cancel_reject",
    "OrderExpired": "expire",
    "OrderFilled": "fill",
}
_SENT = {"submit", "replace_request", "cancel_request"}  # the bot's own: the venue's clock has no part in them
_SIDES = {"BUY": "buy", "SELL": "sell"}
_LIQUIDITY = {"MAKER": "maker", "TAKER": "taker", "NO_LIQUIDITY_SIDE": None}

_DELETE, _CLEAR = 3, 4  # BookAction
_F_LAST, _F_SNAPSHOT = 128, 32  # RecordFlag
_DIGITS = {16: 16, 8: 9}  # bytes of a stored number -> digits after its point

_Word = TypeVar("_Word")


def load(source: Path, out: Path) -> list[str]:
    """Turn the folder of a NautilusTrader run into a session folder.

    Parameters
    ----------
    source : Path
        The run's folder.
    out : Path
        The session folder to make; not there yet, or empty.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    EvidenceError
        When a file of the run cannot be read; the message names file, row and field.
    UsageError
        When `out` cannot be written.
    """
    notes: list[str] = []
    orders = _lines(source, _ORDERS)
    if not orders:
        raise EvidenceError(_ORDERS, was=f"no event in {source}", should="the run's order events, a JSON object a line")
    account = _lines(source, _ACCOUNT)
    ids = sorted({event.text("account_id") for event in account})
    if len(ids) > 1:
        raise EvidenceError(_ACCOUNT, was=f"accounts {' and '.join(ids)}", should="events of one account")
    result = _result(source)
    run = result.inner("run")
    backtest = "backtest_start" in run.fields or (source / "stream" / "backtest").is_dir()
    instruments = _instruments(source, result, notes)
    traded = _traded(orders, instruments)

    rows = {
        "instruments": list(instruments.values()),
        "order_events": _order_events(orders, notes),
        "fills": [_fill(event) for event in orders if event.fields.get("type") == "OrderFilled"],
        "positions": _positions(source, account, traded, notes),
        "pnl": _pnl(source, account, traded, notes),
        "balances": [row for event in account for row in _balances(event, backtest=backtest)],
    }
    tables = {name: table(name, some) for name, some in rows.items() if some}
    tables |= _feeds(source, notes)
    if backtest:
        notes.append(
            "ts_exchange of fills and order_events is the simulated venue's, which keeps the bot's clock; "
            "in book and trades it is the real venue's"
        )

    session = {"venue": traded[0]["symbol"].rpartition(".")[2], "bot": "nautilus_trader"}
    if len({_currency(instrument) for instrument in traded}) == 1:
        session["currency"] = _currency(traded[0])
    for name, key in (("start", "backtest_start"), ("end", "backtest_end")):
        if key in run.fields:
            session[name] = _iso(run.time(key))
    session["fills_from"] = "venue" if backtest else "bot"
    write_session(out, {"session": session, "conventions": {"cost_basis": "average", "realized": "net"}}, tables)
    return notes


# --- records ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Record:
    """One record of a file, and where it stands."""

    file: str
    row: int
    fields: Mapping[str, Any]

    def bad(self, key: str, should: str) -> EvidenceError:
        was = repr(self.fields[key]) if key in self.fields else "not there"
        return EvidenceError(self.file, row=self.row, column=key, was=was, should=should)

    def inner(self, key: str) -> _Record:
        """Return the object below a key; one that is not there or null is empty."""
        value = self.fields.get(key) or {}
        if not isinstance(value, dict):
            raise self.bad(key, "an object")
        return _Record(self.file, self.row, value)

    def text(self, key: str) -> str:
        value = self.fields.get(key)
        if not isinstance(value, str) or not value:
            raise self.bad(key, "text")
        return value

    def decimal(self, key: str) -> Decimal:
        return self._number(key, self.text(key))

    def optional(self, key: str) -> Decimal | None:
        return None if self.fields.get(key) is None else self.decimal(key)

    def money(self, key: str) -> tuple[Decimal, str]:
        amount, _, currency = self.text(key).partition(" ")
        if not currency:
            raise self.bad(key, "an amount and its currency")
        return self._number(key, amount), currency

    def time(self, key: str) -> int:
        value = self.fields.get(key)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self.bad(key, "nanoseconds since 1970")
        return value

    def flag(self, key: str) -> bool:
        value = self.fields.get(key)
        if not isinstance(value, bool):
            raise self.bad(key, "true or false")
        return value

    def float(self, key: str) -> float:
        value = self.fields.get(key)
        try:
            return float(value if isinstance(value, float) else self.text(key))
        except ValueError:
            raise self.bad(key, "a number") from None

    def word(self, key: str, words: Mapping[str, _Word]) -> _Word:
        value = self.text(key)
        if value not in words:
            raise self.bad(key, f"one of {', '.join(words)}")
        return words[value]

    def _number(self, key: str, text: str) -> Decimal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.bad(key, "a number") from None
        if not number.is_finite():
            raise self.bad(key, "a finite number")
        return number


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Turn what a broken file raises into one line that names it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        brief = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EvidenceError(file, was=f"cannot be read ({brief})", should="a whole file") from None


def _lines(source: Path, name: str) -> list[_Record]:
    """Read a log of JSON objects, one a line; a log that is not there is empty."""
    path = source / name
    if not path.is_file():
        return []
    records = []
    with _reading(name), gzip.open(path, "rt", encoding="utf-8") as stream:
        for row, line in enumerate(stream, 1):
            records.append(_Record(name, row, _object(name, line, row)))
    return records


def _object(file: str, text: str, row: int | None = None) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise EvidenceError(
            file, row=row, was=f"{error.msg} at character {error.pos}", should="a JSON object"
        ) from None
    if not isinstance(value, dict):
        raise EvidenceError(file, row=row, was=type(value).__name__, should="a JSON object")
    return value


def _result(source: Path) -> _Record:
    path = source / "result.json"
    if not path.is_file():
        return _Record(path.name, 1, {})
    with _reading(path.name):
        return _Record(path.name, 1, _object(path.name, path.read_text(encoding="utf-8")))


def _report(source: Path, name: str) -> list[_Record]:
    """Read a report; one that is not there is empty."""
    path = source / name
    if not path.is_file():
        return []
    with _reading(name), path.open(encoding="utf-8", newline="") as stream:
        return [_Record(name, row, fields) for row, fields in enumerate(csv.DictReader(stream), 1)]


def _iso(ns: int) -> str:
    seconds, rest = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}+00:00"


# --- instruments ------------------------------------------------------------------------------------------------------


def _instruments(source: Path, result: _Record, notes: list[str]) -> dict[str, dict[str, Any]]:
    """Return the instruments by symbol: the catalog's, or the one of result.json."""
    import pyarrow.parquet as pq

    records = []
    for path in (path for kind in _INSTRUMENTS for path in _catalog(source, kind)):
        name = path.relative_to(source).as_posix()
        with _reading(name):
            records += [_Record(name, row, fields) for row, fields in enumerate(pq.read_table(path).to_pylist(), 1)]
    if not records and result.inner("instrument").fields:
        records = [result.inner("instrument")]
    if not records:
        raise EvidenceError(
            "catalog/data", was="no instrument, and none in result.json", should=f"one of {', '.join(_INSTRUMENTS)}"
        )
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        row = _instrument(record)
        if found.setdefault(row["symbol"], row) != row:
            notes.append(f"{record.file}: {row['symbol']} once more, with other terms; the last ones are taken")
            found[row["symbol"]] = row
    return found


def _instrument(record: _Record) -> dict[str, Any]:
    quote, settle = record.text("quote_currency"), record.fields.get("settlement_currency")
    if settle is None:
        kind = "spot"
    elif record.flag("is_inverse"):
        kind = "inverse"
    else:
        kind = "linear" if settle == quote else "quanto"
    return {
        "symbol": record.text("id"),
        "kind": kind,
        "base": record.text("base_currency"),
        "quote": quote,
        "settle": settle,
        "tick_size": record.decimal("price_increment"),
        "lot_size": record.decimal("size_increment"),
        "min_qty": record.optional("min_quantity"),
        "max_qty": record.optional("max_quantity"),
        "min_notional": None if record.fields.get("min_notional") is None else record.money("min_notional")[0],
        "multiplier": record.decimal("multiplier"),
        "maker_fee": record.decimal("maker_fee"),
        "taker_fee": record.decimal("taker_fee"),
    }


def _traded(orders: list[_Record], instruments: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the instruments that have orders; all of one venue."""
    first = {event.text("instrument_id"): event for event in reversed(orders)}
    for symbol, event in first.items():
        if symbol not in instruments:
            raise event.bad("instrument_id", f"one of the instruments: {', '.join(instruments)}")
    venues = sorted({symbol.rpartition(".")[2] for symbol in first})
    if len(venues) > 1:
        raise EvidenceError(_ORDERS, was=f"orders at {' and '.join(venues)}", should="orders at one venue")
    return [instrument for symbol, instrument in instruments.items() if symbol in first]


def _currency(instrument: Mapping[str, Any]) -> str:
    return str(instrument["settle"] or instrument["quote"])


# --- orders and fills -------------------------------------------------------------------------------------------------


@dataclass
class _Order:
    """What the events so far say of one order."""

    opening: dict[str, Any]
    qty: Decimal
    executed: dict[str, Decimal] = field(default_factory=dict)
    cancel_requested: bool = False


def _order_events(events: list[_Record], notes: list[str]) -> list[dict[str, Any]]:
    orders: dict[str, _Order] = {}
    left_out: Counter[str] = Counter()
    rows = []
    for record in events:
        kind, client_order_id = record.text("type"), record.text("client_order_id")
        if kind == "OrderInitialized":
            orders[client_order_id] = _initialized(record)
        elif kind not in _EVENTS:
            left_out[kind] += 1
        elif client_order_id not in orders:
            raise record.bad("client_order_id", "an order with an OrderInitialized before it")
        else:
            rows.append(_order_event(record, _EVENTS[kind], orders[client_order_id]))
    for kind, count in sorted(left_out.items()):
        why = "it never reached the venue" if kind == "OrderDenied" else "a session has no such event"
        notes.append(f"{_ORDERS}: {count} {kind} left out: {why}")
    return rows


def _initialized(record: _Record) -> _Order:
    if record.fields.get("quote_quantity"):
        raise record.bad("quote_quantity", "false: a quantity in quote currency has no place in a session")
    options = record.inner("options")
    qty = record.decimal("quantity")
    opening = {
        "side": record.word("order_side", _SIDES),
        "type": record.text("order_type").lower(),
        "tif": record.text("time_in_force").lower(),
        "post_only": record.flag("post_only"),
        "reduce_only": record.flag("reduce_only"),
        "price": options.optional("price"),
        "qty": qty,
        "ts_expires": options.time("expire_time_ns") if options.fields.get("expire_time_ns") else None,
    }
    return _Order(opening, qty)


def _order_event(record: _Record, event: str, order: _Order) -> dict[str, Any]:
    row: dict[str, Any] = {
        "ts_local": record.time("ts_init"),
        "ts_exchange": None if event in _SENT else record.time("ts_event"),
        "symbol": record.text("instrument_id"),
        "client_order_id": record.text("client_order_id"),
        "order_id": record.fields.get("venue_order_id"),
        "event": event,
        **dict.fromkeys(order.opening),
        "side": order.opening["side"],
        "exec_id": None,
        "reason": record.fields.get("reason"),
    }
    if event == "submit":
        row |= order.opening
    elif event == "replace_ack":
        order.qty = record.decimal("quantity")
        row |= {"qty": order.qty, "price": record.optional("price")}
    elif event in ("cancel_request", "cancel_reject"):
        order.cancel_requested = event == "cancel_request"
    elif event == "cancel_ack" and not order.cancel_requested:
        row["event"] = "exchange_cancel"
    elif event == "fill":
        row["exec_id"] = record.text("trade_id")
        order.executed[row["exec_id"]] = record.decimal("last_qty")
        if sum(order.executed.values()) < order.qty:
            row["event"] = "partial_fill"
    return row


def _fill(record: _Record) -> dict[str, Any]:
    fee, fee_asset = record.money("commission")
    return {
        "ts_exchange": record.time("ts_event"),
        "ts_local": record.time("ts_init"),
        "symbol": record.text("instrument_id"),
        "exec_id": record.text("trade_id"),
        "client_order_id": record.text("client_order_id"),
        "order_id": record.fields.get("venue_order_id"),
        "side": record.word("order_side", _SIDES),
        "price": record.decimal("last_px"),
        "qty": record.decimal("last_qty"),
        "liquidity": record.word("liquidity_side", _LIQUIDITY),
        "fee": fee,
        "fee_asset": fee_asset,
    }


# --- the bot's claims and the account ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Claim:
    """A row of positions, and which position it is of: symbol, order and time that opened it, that closed it."""

    position_id: str
    opened: tuple[str, str, int]
    closed: tuple[str, str, int] | None
    row: dict[str, Any]


def _positions(
    source: Path, account: list[_Record], traded: list[dict[str, Any]], notes: list[str]
) -> list[dict[str, Any]]:
    """Return the engine's position after each of its events, from the stream, else the report's last ones.

    Only of symbols where what the engine calls a position is the position: not of several at once (hedging), nor of a
    coin of which the account held some at the start, for the engine counts from 0.
    """
    claims = _streamed(source) or [_reported(record) for record in _report(source, _POSITIONS)]
    opened = {claim.opened for claim in claims}
    flips = sum(claim.closed in opened for claim in claims)
    if flips:
        notes.append(f"positions: {flips} of qty 0 left out: halfway of an execution that turned the position round")
    dropped = set()
    opening = _totals(account[0]) if account else {}
    for instrument in traded:
        symbol, base = instrument["symbol"], instrument["base"]
        ids = {claim.position_id for claim in claims if claim.row["symbol"] == symbol}
        if instrument["kind"] == "spot" and opening.get(base):
            why = f"the engine counts from 0, the account held {opening[base]} {base} at the start"
        elif len(ids) > 1:
            why = f"{len(ids)} positions beside each other (hedging)"
        else:
            continue
        notes.append(f"positions of {symbol} left out: {why}")
        dropped.add(symbol)
    return [claim.row for claim in claims if claim.closed not in opened and claim.row["symbol"] not in dropped]


def _streamed(source: Path) -> list[_Claim]:
    import pyarrow as pa

    runs = sorted(path for path in source.glob("stream/*/*") if path.is_dir())
    if len(runs) > 1:
        raise EvidenceError("stream", was=f"{len(runs)} runs", should="one run")
    found = []
    for run in runs:
        for order, event in enumerate(("opened", "changed", "closed")):
            for path in sorted(run.glob(f"position_{event}*.feather")):
                name = path.relative_to(source).as_posix()
                with _reading(name):
                    rows = pa.ipc.open_stream(path).read_all().to_pylist()
                found += [(order, _Record(name, row, fields)) for row, fields in enumerate(rows, 1)]
    claims = []
    for order, record in found:
        symbol, qty = record.text("instrument_id"), record.float("signed_qty")
        ts_opened = record.time("ts_opened" if order else "ts_event")
        closed = (symbol, record.text("closing_order_id"), record.time("ts_closed")) if order == 2 else None
        row = {
            "ts_local": record.time("ts_init"),
            "symbol": symbol,
            "qty": qty,
            "avg_px": record.float("avg_px_open") if qty else None,
            "source": "bot",
        }
        opened = (symbol, record.text("opening_order_id"), ts_opened)
        # In one nanosecond: the older position first, of one position in the order of its life.
        claims.append(((row["ts_local"], ts_opened, order), _Claim(record.text("position_id"), opened, closed, row)))
    return [claim for _, claim in sorted(claims, key=lambda pair: pair[0])]


def _reported(record: _Record) -> _Claim:
    symbol, position_id = record.text("instrument_id"), record.text("position_id")
    direction = record.word("side", {"FLAT": 0, "LONG": 1, "SHORT": -1})
    ts_last = record.time("ts_last")
    row = {
        "ts_local": ts_last,
        "symbol": symbol,
        "qty": direction * record.decimal("quantity"),
        "avg_px": record.float("avg_px_open") if direction else None,
        "source": "bot",
    }
    if record.fields.get("is_snapshot") == "True":  # an earlier life of the position: its id, "-", a UUID
        position_id = position_id[:-37]
    closed = None if direction else (symbol, record.text("closing_order_id"), ts_last)
    return _Claim(position_id, (symbol, record.text("opening_order_id"), record.time("ts_init")), closed, row)


def _pnl(source: Path, account: list[_Record], traded: list[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """Return the engine's final claim for each instrument, at the time of the last account event."""
    if not account:
        notes.append(f"no {_ACCOUNT}: no balances and no pnl")
        return []
    reported: dict[str, Decimal] = {}
    fees: dict[str, dict[str, Decimal]] = {}
    for record in _report(source, _POSITIONS):
        symbol = record.text("instrument_id")
        reported[symbol] = reported.get(symbol, Decimal(0)) + record.money("realized_pnl")[0]
        paid = fees.setdefault(symbol, {})
        for amount, asset in _commissions(record):
            paid[asset] = paid.get(asset, Decimal(0)) + amount
    rows = []
    for instrument in traded:
        symbol, currency = instrument["symbol"], _currency(instrument)
        realized = reported.get(symbol)
        if len(traded) == 1 and account[-1].text("account_type") == "MARGIN":
            change = _total(account[-1], currency) - _total(account[0], currency)
            if realized is not None and realized != change:
                notes.append(f"pnl of {symbol}: the account's change {change} taken; {_POSITIONS} says {realized}")
            realized = change
        if realized is None:
            notes.append(f"no pnl of {symbol}: it is not in {_POSITIONS}")
            continue
        paid = fees.get(symbol, {})
        claim = {"realized": realized, "fees": paid.pop(currency, None), "currency": currency}
        rows.append({"ts_local": account[-1].time("ts_init"), "symbol": symbol, **claim})
        for asset, amount in paid.items():
            notes.append(f"pnl of {symbol}: fees of {amount} {asset} left out: the claim is in {currency}")
    return rows


def _commissions(record: _Record) -> list[tuple[Decimal, str]]:
    """Read a list of money, as Python prints it."""
    try:
        listed = literal_eval(record.text("commissions"))
        return [_Record(record.file, record.row, {"commissions": each}).money("commissions") for each in listed]
    except (ValueError, SyntaxError, TypeError):
        raise record.bad("commissions", "a list such as ['0.5 USDT']") from None


def _totals(record: _Record) -> dict[str, Decimal]:
    return {row["asset"]: row["total"] for row in _balances(record, backtest=True)}


def _total(record: _Record, currency: str) -> Decimal:
    if currency not in _totals(record):
        raise record.bad("balances", f"a balance in {currency} among them")
    return _totals(record)[currency]


def _balances(record: _Record, *, backtest: bool) -> list[dict[str, Any]]:
    rows = []
    listed = record.fields.get("balances")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise record.bad("balances", "a list of balances")
    for each in listed:
        balance = _Record(record.file, record.row, each)
        rows.append(
            {
                "ts_local": record.time("ts_init"),
                "asset": balance.text("currency"),
                "total": balance.decimal("total"),
                "available": balance.decimal("free"),
                "source": "exchange" if backtest or record.flag("reported") else "bot",
            }
        )
    return rows


# --- market data ------------------------------------------------------------------------------------------------------


def _catalog(source: Path, kind: str) -> list[Path]:
    return sorted((source / "catalog" / "data" / kind).rglob("*.parquet"))


@dataclass(frozen=True)
class _Feed:
    """One file of market data: of which instrument, and how many digits its price and size have."""

    file: str
    data: pa.Table
    symbol: str
    digits: Mapping[str, int]


def _feeds(source: Path, notes: list[str]) -> dict[str, pa.Table]:
    """Return trades and book of the catalog, all digits kept; say what else it holds."""
    import pyarrow as pa

    tables = {}
    for name, (kind, columns, convert) in _FEEDS.items():
        feeds = [_feed(source, path, columns) for path in _catalog(source, kind)]
        if name == "book" and any(feed.data["order_id"].to_numpy().any() for feed in feeds):
            notes.append(f"catalog {kind} left out: it is order by order (L3), a session's book is price by price (L2)")
        elif feeds:
            price, size = (pa.decimal128(38, max(feed.digits[key] for feed in feeds)) for key in ("price", "size"))
            tables[name] = pa.concat_tables([convert(feed, price, size) for feed in feeds])
    if "book" in tables:
        notes.append(
            "book: the catalog keeps the number of an update, not the one it follows: no seq, so no gap can be seen"
        )
    for kind in sorted(path.name for path in (source / "catalog" / "data").glob("*")):
        if kind == "quote_tick":
            notes.append("catalog quote_tick left out: a best bid and ask is no update of an L2 book")
        elif kind not in (*_INSTRUMENTS, *(fed for fed, _, _ in _FEEDS.values())):
            notes.append(f"catalog {kind} left out: a session has no table for it")
    return tables


def _feed(source: Path, path: Path, columns: str) -> _Feed:
    import pyarrow.parquet as pq

    file = path.relative_to(source).as_posix()
    with _reading(file):
        data = pq.read_table(path, columns=columns.split())
    stated = {key.decode(): value.decode() for key, value in (data.schema.metadata or {}).items()}
    metadata = _Record(file, 1, stated)
    digits = {key: int(metadata.decimal(f"{key}_precision")) for key in ("price", "size")}
    return _Feed(file, data, metadata.text("instrument_id"), digits)


def _trades(feed: _Feed, price: pa.DataType, size: pa.DataType) -> pa.Table:
    import pyarrow as pa

    aggressor = _codes(feed, "aggressor_side", 0, 2)
    return pa.table(
        _stamps(feed)
        | {
            "trade_id": feed.data["trade_id"],
            "price": _numbers(feed, "price", price),
            "qty": _numbers(feed, "size", size),
            "aggressor": _words(aggressor, ["buy", "sell"]),
        }
    )


def _book(feed: _Feed, price: pa.DataType, size: pa.DataType) -> pa.Table:
    """Return the levels of each update. A CLEAR makes it a snapshot; alone in it, it is a row without a level.

    Its number is left out: venues skip some, and without the one that it follows each would look like a gap.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = feed.data.num_rows
    action, side = _codes(feed, "action", 1, _CLEAR), _codes(feed, "side", 0, 2)
    flags, seq, ts_init = (feed.data[name].to_numpy() for name in ("flags", "sequence", "ts_init"))
    clear = action == _CLEAR
    for row in np.flatnonzero((side == 0) & ~clear)[:1]:
        raise EvidenceError(feed.file, row=int(row) + 1, column="side", was="0 (none)", should="1 (buy) or 2 (sell)")

    first = np.ones(rows, bool)  # of an update
    first[1:] = (seq[1:] != seq[:-1]) | (ts_init[1:] != ts_init[:-1]) | (flags[:-1] & _F_LAST != 0)
    update = np.cumsum(first) - 1
    snapshot = np.bincount(update, clear | (flags & _F_SNAPSHOT != 0)) > 0
    empty = np.bincount(update, ~clear) == 0

    zero = pa.scalar(0, pa.int64()).cast(size)
    qty = pc.if_else(pa.array(action == _DELETE), zero, _numbers(feed, "size", size))
    absent = pa.array(clear)
    columns = _stamps(feed) | {
        "seq": pa.nulls(rows, pa.int64()),
        "kind": _words(snapshot[update] + 1, ["delta", "snapshot"]),
        "side": _words(side * ~clear, ["bid", "ask"]),
        "price": pc.if_else(absent, None, _numbers(feed, "price", price)),
        "qty": pc.if_else(absent, None, qty),
    }
    return pa.table(columns).filter(pa.array(~clear | empty[update]))


def _stamps(feed: _Feed) -> dict[str, Any]:
    import numpy as np

    symbols = _words(np.ones(feed.data.num_rows, np.int8), [feed.symbol])
    return {"ts_exchange": _int64(feed, "ts_event"), "ts_local": _int64(feed, "ts_init"), "symbol": symbols}


def _int64(feed: _Feed, column: str) -> pa.ChunkedArray:
    import pyarrow as pa

    with _reading(f"{feed.file}, column {column}"):
        return feed.data[column].cast(pa.int64())


def _numbers(feed: _Feed, column: str, as_type: pa.DataType) -> pa.Array:
    """Decode little-endian integers of 16 or 8 bytes to decimals: exact, or an error."""
    import numpy as np
    import pyarrow as pa

    stored = feed.data[column].combine_chunks()
    width = stored.type.byte_width if pa.types.is_fixed_size_binary(stored.type) else 0
    if width not in _DIGITS:
        raise EvidenceError(feed.file, column=column, was=str(stored.type), should="fixed_size_binary[16] or [8]")
    validity, raw = stored.buffers()
    if width == 8:  # widen to 16 bytes: a price is signed, a size is not
        low = np.frombuffer(raw, "<i8")
        raw = pa.py_buffer(np.column_stack((low, low >> 63 if column == "price" else np.zeros_like(low))))
    whole = pa.Array.from_buffers(pa.decimal128(38, _DIGITS[width]), len(stored), [validity, raw], offset=stored.offset)
    with _reading(f"{feed.file}, column {column}"):
        return whole.cast(as_type)


def _codes(feed: _Feed, column: str, least: int, most: int) -> NDArray[np.uint8]:
    import numpy as np

    codes: NDArray[np.uint8] = feed.data[column].to_numpy()
    for row in np.flatnonzero((codes < least) | (codes > most))[:1]:
        should = f"a code from {least} to {most}"
        raise EvidenceError(feed.file, row=int(row) + 1, column=column, was=str(codes[row]), should=should)
    return codes


def _words(codes: NDArray[Any], words: list[str]) -> pa.DictionaryArray:
    """Return words by code: 1 is the first, 0 an empty cell."""
    import numpy as np
    import pyarrow as pa

    indices = codes.astype(np.int8) - np.int8(1)
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), words)


_FEEDS = {
    "trades": ("trade_tick", "price size aggressor_side trade_id ts_event ts_init", _trades),
    "book": ("order_book_delta", "action side price size order_id flags sequence ts_event ts_init", _book),
}
