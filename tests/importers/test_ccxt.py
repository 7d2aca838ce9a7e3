"""The ccxt importer: a small file written by hand, and recorded ones where they are at hand."""

from __future__ import annotations

import json
import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mmverify.errors import EvidenceError
from mmverify.importers import formats, import_session
from mmverify.session.load import open_session

T = 1_700_000_000_000  # ms
SYMBOL = "SOL/USDT:USDT"


def order(id: str, at: int, updated: int | None, status: str | None, **fields: Any) -> dict[str, Any]:
    usual = {
        "id": id, "clientOrderId": None, "timestamp": T + at, "symbol": SYMBOL, "type": "limit", "timeInForce": "GTC",
        "postOnly": None, "reduceOnly": False, "side": "buy", "price": 100.5, "amount": 2.0, "filled": 0.0,
        "remaining": 2.0, "average": None, "status": status, "lastTradeTimestamp": 0,
        "lastUpdateTimestamp": None if updated is None else T + updated, "info": {"any": "thing"},
    }  # fmt: skip
    return usual | fields


ORDERS = [
    order("1", 0, 10, "open", timeInForce="PO"),
    order("2", 5, 60, "canceled", filled=0.5, remaining=1.5, average=100.4, side="sell", postOnly=True),
    # The same order later, by the name that the bot gave it; and once more, unchanged.
    order("1", 0, 40, "open", clientOrderId="mine", filled=1.25, remaining=0.75, average=100.25),
    order("1", 0, 50, "closed", filled=2.0, remaining=0.0, average=100.25, clientOrderId="mine"),
    order("1", 0, 50, "closed", filled=2.0, remaining=0.0, average=100.25, clientOrderId="mine"),
    order("3", 7, None, "rejected", type="market", price=None, timeInForce="ioc", filled=None, remaining=None),
    order("4", 8, None, None, lastTradeTimestamp=T + 9, filled=None),
    order("5", 20, 30, "expired"),
    order("6", 21, 31, "closed", filled=0.0),
    order("7", 22, None, "open", symbol=None),
]
# ts_local - T, order_id, client_order_id, event, side, type, tif, post_only, price, qty, cum_qty, leaves_qty, avg_px
EXPECTED_EVENTS = [
    (0, "1", "mine", "submit", "buy", "limit", None, True, "100.5", "2", None, None, None),
    (0, "1", "mine", "ack", "buy", None, None, None, None, None, None, None, None),
    (5, "2", None, "submit", "sell", "limit", "gtc", True, "100.5", "2", None, None, None),
    (5, "2", None, "ack", "sell", None, None, None, None, None, None, None, None),
    (7, "3", None, "submit", "buy", "market", "ioc", None, None, "2", None, None, None),
    (7, "3", None, "reject", "buy", None, None, None, None, None, None, None, None),
    (8, "4", None, "submit", "buy", "limit", "gtc", None, "100.5", "2", None, None, None),
    (8, "4", None, "ack", "buy", None, None, None, None, None, None, None, None),
    (20, "5", None, "submit", "buy", "limit", "gtc", None, "100.5", "2", None, None, None),
    (20, "5", None, "ack", "buy", None, None, None, None, None, None, None, None),
    (21, "6", None, "submit", "buy", "limit", "gtc", None, "100.5", "2", None, None, None),
    (21, "6", None, "ack", "buy", None, None, None, None, None, None, None, None),
    (30, "5", None, "expire", "buy", None, None, None, None, None, "0", None, None),
    (40, "1", "mine", "partial_fill", "buy", None, None, None, None, None, "1.25", "0.75", "100.25"),
    (50, "1", "mine", "fill", "buy", None, None, None, None, None, "2", None, "100.25"),
    (60, "2", None, "partial_fill", "sell", None, None, None, None, None, "0.5", None, "100.4"),
    (60, "2", None, "cancel_ack", "sell", None, None, None, None, None, "0.5", None, "100.4"),
]


def my_trade(id: str, **fields: Any) -> dict[str, Any]:
    usual = {
        "id": id, "order": "1", "timestamp": T + 40, "symbol": SYMBOL, "side": "buy", "takerOrMaker": "maker",
        "price": 100.25, "amount": 1.25, "fee": {"cost": 0.00012530, "currency": "USDT"}, "fees": [],
    }  # fmt: skip
    return usual | fields


TWO = [{"cost": 0.1, "currency": "USDT"}, {"cost": 0.2, "currency": "USDT"}]
MY_TRADES = [
    my_trade("a"),
    my_trade("b", takerOrMaker=None, order=None, fee={"cost": None, "currency": None}, fees=TWO),
    my_trade("c", fee=None, fees=[{"cost": -0.5, "currency": "BNB"}], side="sell"),
    my_trade("d", fees=[TWO[0], {"cost": 1, "currency": "BNB"}]),
    my_trade("e", fee={"cost": None, "currency": "USDT"}),
    my_trade("f", amount=None),
]
# exec_id, order_id, side, liquidity, fee, fee_asset
EXPECTED_FILLS = [
    ("a", "1", "buy", "maker", "0.0001253", "USDT"),
    ("b", None, "buy", None, "0.3", "USDT"),
    ("c", "1", "sell", "maker", "-0.5", "BNB"),
]
TRADES = [
    {"id": "t", "timestamp": T + 1, "symbol": SYMBOL, "side": "sell", "price": 1.25e-05, "amount": 3},
    {"id": None, "timestamp": T + 2, "symbol": SYMBOL, "side": None, "price": 100.0, "amount": 3.5},
]
POSITIONS = [
    {"symbol": SYMBOL, "timestamp": T + 70, "side": "short", "contracts": 1.5, "entryPrice": 100.3},
    {"symbol": SYMBOL, "timestamp": T + 60, "side": None, "contracts": 0, "entryPrice": None},
    {"symbol": "BTC/USDT:USDT", "timestamp": T + 70, "side": "long", "contracts": 1, "entryPrice": None},
    {"symbol": "BTC/USDT:USDT", "timestamp": T + 70, "side": "short", "contracts": 2, "entryPrice": None},
]
BALANCE = {
    "timestamp": T + 3, "datetime": None, "info": {}, "free": {"USDT": 900.5}, "used": {}, "total": {},
    "USDT": {"free": 900.5, "used": 99.5, "total": 1000.0},
    "SOL": {"free": None, "used": None, "total": 0.1},
    "BNB": {"free": 1, "used": None, "total": None},
}  # fmt: skip
UNIFIED = {
    "orders": ORDERS, "my_trades": MY_TRADES, "trades": TRADES, "positions": POSITIONS,
    "balance": [BALANCE, BALANCE | {"timestamp": None}], "tickers": [{}],
}  # fmt: skip


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return write(tmp_path, UNIFIED)


def write(folder: Path, unified: Any, **beside: Any) -> Path:
    path = folder / "account.json"
    path.write_text(json.dumps({"exchange": "binance", "unified": unified} | beside))
    return path


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(out / f"{name}.parquet").to_pylist()


def decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


# --- the session that comes out ---------------------------------------------------------------------------------------


def test_order_is_its_states_in_time(dump: Path, tmp_path: Path) -> None:
    import_session("ccxt", dump, tmp_path / "out")
    words = ("order_id", "client_order_id", "event", "side", "type", "tif", "post_only")
    numbers = ("price", "qty", "cum_qty", "leaves_qty", "avg_px")
    found = [
        (row["ts_local"], *(row[name] for name in (*words, *numbers))) for row in rows(tmp_path / "out", "order_events")
    ]
    assert found == [((T + row[0]) * 10**6, *row[1:8], *map(decimal, row[8:])) for row in EXPECTED_EVENTS]
    assert "state" not in rows(tmp_path / "out", "order_events")[0]


def test_fill_is_a_trade_of_the_venues_own_record(dump: Path, tmp_path: Path) -> None:
    import_session("ccxt", dump, tmp_path / "out")
    found = rows(tmp_path / "out", "fills")
    names = ("exec_id", "order_id", "side", "liquidity", "fee", "fee_asset")
    assert [tuple(row[name] for name in names) for row in found] == [
        (*row[:4], Decimal(row[4]), row[5]) for row in EXPECTED_FILLS
    ]
    assert {(row["ts_exchange"], row["ts_local"], row["price"], row["qty"]) for row in found} == {
        ((T + 40) * 10**6, None, Decimal("100.25"), Decimal("1.25"))
    }


def test_public_trades(dump: Path, tmp_path: Path) -> None:
    import_session("ccxt", dump, tmp_path / "out")
    found = [
        (row["ts_exchange"], row["trade_id"], row["price"], row["qty"], row["aggressor"])
        for row in rows(tmp_path / "out", "trades")
    ]
    assert found == [
        ((T + 1) * 10**6, "t", Decimal("0.0000125"), Decimal(3), "sell"),
        ((T + 2) * 10**6, None, Decimal(100), Decimal("3.5"), None),
    ]


def test_positions_are_signed_contracts(dump: Path, tmp_path: Path) -> None:
    import_session("ccxt", dump, tmp_path / "out")
    found = [(row["ts_local"], row["symbol"], row["qty"], row["avg_px"]) for row in rows(tmp_path / "out", "positions")]
    assert found == [
        ((T + 60) * 10**6, SYMBOL, Decimal(0), None),
        ((T + 70) * 10**6, SYMBOL, Decimal("-1.5"), Decimal("100.3")),
    ]


def test_balances(dump: Path, tmp_path: Path) -> None:
    import_session("ccxt", dump, tmp_path / "out")
    found = [
        (row["asset"], row["total"], row["available"], row["source"]) for row in rows(tmp_path / "out", "balances")
    ]
    assert found == [
        ("USDT", Decimal(1000), Decimal("900.5"), "exchange"),
        ("SOL", Decimal("0.1"), None, "exchange"),
    ]


def test_what_is_left_out_is_said_and_the_session_opens(dump: Path, tmp_path: Path) -> None:
    assert import_session("ccxt", dump, tmp_path / "out") == [
        "no instruments: these structures have no tick size; an instruments.csv in the session folder gives them",
        "orders: 1 left out, symbol is null",
        "my_trades: 1 left out, amount is null",
        "balance: 1 left out, timestamp is null",
        "tickers: left out, a session is made of orders, my_trades, trades, positions, balance",
        "orders: 1 left out: the same state of the same order again",
        "orders: 1 closed with nothing filled: how they ended is not said",
        "my_trades: 2 left out, they have no fee or several in other currencies",
        "positions of BTC/USDT:USDT left out: long and short beside each other",
    ]
    assert tomllib.loads((tmp_path / "out" / "session.toml").read_text()) == {
        "session": {"fills_from": "venue", "venue": "binance"}
    }
    session = open_session(tmp_path / "out")
    assert {name: len(session.table(name)) for name in session.sources} == {
        "balances": 2,
        "fills": 3,
        "order_events": 17,
        "positions": 2,
        "trades": 2,
    }
    assert session.notes == []
    assert "ccxt" in formats()


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unified", "says"),
    [
        ([], "account.json, row 1, column unified: []; should be a JSON object"),
        ({}, "account.json: no structure; should be an order, trade or balance"),
        ({"orders": [order("1", 0, 1, "open", symbol=None)]}, "account.json: orders: 1 left out, symbol is null"),
        ({"orders": {}, "trades": 5}, "account.json, row 1, column trades: 5; should be a list of objects"),
        (
            {"orders": [order("1", 0, 1, "done")]},
            "account.json, orders, row 1, column status: 'done'; should be one of",
        ),
        ({"orders": [order("1", 0, 1, "open", side="long")]}, "account.json, orders, row 1, column side: 'long'"),
        ({"orders": [order("1", 0, 1, "open", price="x")]}, "account.json, orders, row 1, column price: 'x'"),
        ({"orders": [order("1", 0, 1, "open", amount=True)]}, "account.json, orders, row 1, column amount: True"),
        ({"orders": [order("1", 0, 1, "open", postOnly=1)]}, "account.json, orders, row 1, column postOnly: 1; should"),
        ({"orders": [order("1", 0, 1, "open", timestamp=1.5)]}, "account.json, orders, row 1, column timestamp"),
        ({"my_trades": [my_trade("a", fee=3)]}, "account.json, my_trades, row 1, column fee: 3; should be a JSON"),
        ({"my_trades": [my_trade("a"), my_trade(7)]}, "account.json, my_trades, row 2, column id: 7; should be text"),
        ({"balance": [BALANCE | {"USDT": 5}]}, "account.json, balance, row 1, column USDT: 5; should be a JSON object"),
        ({"trades": [TRADES[0] | {"price": 10**40}]}, "account.json, trades, row 1, column price: 1000000000"),
    ],
)
def test_broken_file_is_refused_in_one_line_and_leaves_nothing(tmp_path: Path, unified: Any, says: str) -> None:
    with pytest.raises(EvidenceError) as refused:
        import_session("ccxt", write(tmp_path, unified), tmp_path / "out")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{", "account.json: Expecting property name enclosed in double quotes at character 1; should be JSON"),
        (b'{"unified": {"trades": [{"price": NaN}]}}', "account.json: NaN, which is no number in JSON; should be JSON"),
        (b"[]", "account.json: list; should be a JSON object"),
        (b"\xff\xfe", "account.json: bytes that are not UTF-8; should be a JSON file"),
        (b"[" * 100_000, "account.json: nested too deeply; should be JSON"),
        (b'{"unified": ' + b"9" * 5000 + b"}", "account.json: Exceeds the limit"),
        (None, "account.json: cannot be read (No such file or directory); should be a JSON file"),
    ],
)
def test_file_that_is_no_json_is_refused(tmp_path: Path, data: bytes | None, says: str) -> None:
    path = tmp_path / "account.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EvidenceError) as refused:
        import_session("ccxt", path, tmp_path / "out")
    assert str(refused.value).startswith(says)
    assert not (tmp_path / "out").exists()


# --- recorded files ---------------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDED = SHARED / "sessions" / "ccxt_unified"
recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded files are not at hand")


@recorded
@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("binance", {"order_events": 2, "fills": 1}),
        ("okx", {"order_events": 5, "trades": 2, "positions": 1}),
        ("krakenfutures", {"order_events": 7, "positions": 2}),
    ],
)
def test_recorded_file_opens_as_a_session(tmp_path: Path, name: str, tables: dict[str, int]) -> None:
    import_session("ccxt", RECORDED / f"{name}.json", tmp_path / "out")
    session = open_session(tmp_path / "out")
    assert {table: len(session.table(table)) for table in session.sources} == tables
    assert session.notes == []


@recorded
def test_recorded_fill_has_every_digit(tmp_path: Path) -> None:
    import_session("ccxt", RECORDED / "binance.json", tmp_path / "out")
    (row,) = rows(tmp_path / "out", "fills")
    assert (row["price"], row["qty"], row["fee"], row["fee_asset"]) == (
        Decimal("4.000001"),
        Decimal(12),
        Decimal("10.1"),
        "BNB",
    )
