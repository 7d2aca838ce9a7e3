"""The hummingbot importer: a small database written by hand, and recorded runs where they are at hand."""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mmverify.errors import EvidenceError
from mmverify.importers import formats, import_session
from mmverify.session.load import open_session

T = 1_700_000_000_000  # ms: 2023-11-14T22:13:20Z
CREATE = {
    "Order": "id TEXT PRIMARY KEY, market TEXT, symbol TEXT, quote_asset TEXT, creation_timestamp BIGINT, "
    "order_type TEXT, amount BIGINT, price BIGINT, exchange_order_id TEXT",
    "OrderStatus": "id INTEGER PRIMARY KEY, order_id TEXT, timestamp BIGINT, status TEXT",
    "TradeFill": "market TEXT, symbol TEXT, base_asset TEXT, quote_asset TEXT, timestamp BIGINT, order_id TEXT, "
    "trade_type TEXT, price BIGINT, amount BIGINT, trade_fee JSON, exchange_trade_id TEXT",
    "MarketState": "id INTEGER PRIMARY KEY, market TEXT, saved_state JSON",
    "MarketData": "timestamp BIGINT PRIMARY KEY, exchange TEXT, trading_pair TEXT, order_book JSON",
    "FundingPayment": "timestamp BIGINT PRIMARY KEY, amount FLOAT",
}
FEE = {"fee_type": "AddedToCost", "percent": "0.001", "percent_token": None, "flat_fees": []}


def order(id: str, at: int, type: str, amount: int, price: int, venue: str | None = None) -> tuple[Any, ...]:
    return (id, "kucoin", "SOL-USDT", "USDT", T + at, type, amount, price, venue)


def fill(id: str, at: int, side: str, price: int, amount: int, trade: str, **fee: Any) -> tuple[Any, ...]:
    stated = json.dumps(FEE | fee)
    return ("kucoin", "SOL-USDT", "SOL", "USDT", T + at, id, side, price, amount, stated, trade)


ORDERS = [
    order("A", 0, "LIMIT_MAKER", 2_000_000, 100_500_000, "VA"),
    order("B", 1000, "LIMIT", 1_000_000, 101_000_000, "VB"),
    order("C", 1500, "LIMIT", 3_000_000, 99_000_000, "VC"),
    order("D", 2000, "LIMIT", 3_000_000, 102_000_000),
    order("E", 3000, "MARKET", 400_000, 0, "VE"),
    order("F", 4000, "LIMIT", 500_000, 0, "VF"),
]
# In the order of recording. B's fill was recorded before its creation; C was made before A's cancel was recorded.
STATUSES = [
    ("A", 0, "BuyOrderCreated"),
    ("A", 900, "OrderFilled"),
    ("B", 1200, "OrderFilled"),
    ("B", 1000, "SellOrderCreated"),
    ("A", 1700, "OrderFilled"),
    ("A", 1701, "BuyOrderCompleted"),
    ("C", 1500, "BuyOrderCreated"),
    ("D", 2000, "SellOrderCreated"),
    ("C", 2300, "OrderCancelled"),
    ("D", 2310, "OrderFailure"),
    ("C", 2320, "OrderCancelled"),
    ("E", 3000, "BuyOrderCreated"),
    ("E", 3001, "OrderExpired"),
    ("F", 4000, "SellOrderCreated"),
    ("F", 4400, "SellOrderCompleted"),
    ("G", 4500, "OrderFilled"),
    ("Z", 4600, "OrderCancelled"),
]
FILLS = [
    fill("A", 900, "BUY", 100_500_000, 1_500_000, "t1"),
    fill("B", 1200, "SELL", 101_000_000, 1_000_000, "t1", fee_type="DeductedFromReturns"),
    fill("A", 1700, "BUY", 100_400_000, 500_000, "t2", fee_type="DeductedFromReturns"),
    fill("G", 4500, "SELL", 0, 7, "t3", percent="0", flat_fees=[{"token": "BNB", "amount": "0.11"}]),
]
IN_FLIGHT = {
    "A": {"trading_pair": "SOL-USDT"},
    "H": {
        "trading_pair": "SOL-USDT", "order_type": "LIMIT_MAKER", "trade_type": "BUY", "price": "0.00001488",
        "amount": "1.9980", "creation_timestamp": 1700000004.25,
    },
    "I": {"trading_pair": "SOL-USDT"},
}  # fmt: skip
BOOK = {"bid": [[100.4, 2.5], [100.3, 9e-05]], "ask": [[100.5, 1.0]]}

# ts_local - T, order, order_id, event, side, type, post_only, price, qty, exec_id
EXPECTED_EVENTS = [
    (0, "A", "VA", "submit", "buy", "limit", True, "100.500000", "2.000000"),
    (0, "A", None, "ack", "buy", None, None, None, None),
    (900, "A", None, "partial_fill", "buy", None, None, None, None),
    (1000, "B", "VB", "submit", "sell", "limit", False, "101.000000", "1.000000"),
    (1200, "B", None, "fill", "sell", None, None, None, None),
    (1000, "B", None, "ack", "sell", None, None, None, None),
    (1500, "C", "VC", "submit", "buy", "limit", False, "99.000000", "3.000000"),
    (1700, "A", None, "fill", "buy", None, None, None, None),
    (1500, "C", None, "ack", "buy", None, None, None, None),
    (2000, "D", None, "submit", "sell", "limit", False, "102.000000", "3.000000"),
    (2000, "D", None, "ack", "sell", None, None, None, None),
    (2300, "C", None, "cancel_ack", "buy", None, None, None, None),
    (2310, "D", None, "reject", "sell", None, None, None, None),
    (2320, "C", None, "cancel_ack", "buy", None, None, None, None),
    (3000, "E", "VE", "submit", "buy", "market", False, None, "0.400000"),
    (3000, "E", None, "ack", "buy", None, None, None, None),
    (3001, "E", None, "expire", "buy", None, None, None, None),
    (4000, "F", "VF", "submit", "sell", "limit", False, None, "0.500000"),
    (4000, "F", None, "ack", "sell", None, None, None, None),
    (4250, "H", None, "submit", "buy", "limit", True, "0.00001488", "1.9980"),
    (4400, "F", None, "fill", "sell", None, None, None, None),
    (4500, "G", None, "partial_fill", "sell", None, None, None, None),
]
# By hand: 0.001 x 1.5 x 100.5 USDT; 0.001 x 1 x 101 USDT; a buy that pays out of what it returns, 0.001 x 0.5 SOL.
EXPECTED_FILLS = [
    (900, "A t1", "A", "buy", "100.5", "1.5", "0.15075", "USDT"),
    (1200, "B t1", "B", "sell", "101", "1", "0.101", "USDT"),
    (1700, "t2", "A", "buy", "100.4", "0.5", "0.0005", "SOL"),
    (4500, "t3", "G", "sell", "0", "0.000007", "0.11", "BNB"),
]
EXPECTED_NOTES = [
    "no instruments: the database has neither tick size nor lot size; an instruments.csv in the session folder gives "
    "them",
    "FundingPayment: 1 rows left out",
    "TradeFill: 1 trade ids are of several orders: exec_id is order and trade id there",
    "Order: 1 limit orders have price 0, as what is below 1e-6 is cut off: not known",
    "MarketState: 1 orders still in flight, of which the database has no row but this one",
    "MarketState: 1 orders in flight left out: they have no time",
    "OrderStatus: 1 rows of OrderFailure are rejects: of an order that the bot did not find again, too",
    "OrderStatus: 1 rows are fills without an execution: TradeFill has none of their order",
    "OrderStatus: 1 rows left out: their order is neither in Order nor in TradeFill, so its symbol is not known",
    "TradeFill: 1 fills have price 0, as what is below 1e-6 is cut off; so has a fee that is a share of it",
]


def execute(path: Path, statement: str, rows: list[tuple[Any, ...]] | None = None) -> None:
    database = sqlite3.connect(path)
    if rows is None:
        database.execute(statement)
    else:
        database.executemany(statement, rows)
    database.commit()
    database.close()


def insert(path: Path, name: str, rows: list[tuple[Any, ...]], columns: str = "") -> None:
    if rows:
        execute(path, f'INSERT INTO "{name}" {columns} VALUES ({", ".join("?" * len(rows[0]))})', rows)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A whole database."""
    path = tmp_path / "conf.sqlite"
    for name, columns in CREATE.items():
        execute(path, f'CREATE TABLE "{name}" ({columns})')
    insert(path, "Order", ORDERS)
    insert(path, "OrderStatus", [(id, T + at, status) for id, at, status in STATUSES], "(order_id, timestamp, status)")
    insert(path, "TradeFill", FILLS)
    insert(path, "MarketState", [(1, "kucoin", json.dumps(IN_FLIGHT))])
    insert(path, "MarketData", [((T + 5) * 10**6, "kucoin", "SOL-USDT", json.dumps(BOOK))])
    insert(path, "FundingPayment", [(1, 0.5)])
    return path


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(out / f"{name}.parquet").to_pylist()


def decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


# --- the session that comes out ---------------------------------------------------------------------------------------


def test_events_stand_as_recorded_and_submits_by_their_time(run: Path, tmp_path: Path) -> None:
    import_session("hummingbot", run, tmp_path / "out")
    names = ("client_order_id", "order_id", "event", "side", "type", "post_only", "price", "qty")
    found = [(row["ts_local"], *(row[name] for name in names)) for row in rows(tmp_path / "out", "order_events")]
    expected = [((T + row[0]) * 10**6, *row[1:7], *map(decimal, row[7:])) for row in EXPECTED_EVENTS]
    assert found == expected


def test_event_of_a_fill_names_the_execution_recorded_with_it(run: Path, tmp_path: Path) -> None:
    import_session("hummingbot", run, tmp_path / "out")
    found = [
        (row["client_order_id"], row["event"], row["exec_id"])
        for row in rows(tmp_path / "out", "order_events")
        if row["event"] in ("partial_fill", "fill")
    ]
    assert found == [
        ("A", "partial_fill", "A t1"),
        ("B", "fill", "B t1"),
        ("A", "fill", "t2"),
        ("F", "fill", None),
        ("G", "partial_fill", "t3"),
    ]


def test_fills_and_their_fees(run: Path, tmp_path: Path) -> None:
    import_session("hummingbot", run, tmp_path / "out")
    found = rows(tmp_path / "out", "fills")
    names = ("exec_id", "client_order_id", "side", "price", "qty", "fee", "fee_asset")
    assert [(row["ts_local"], *(row[name] for name in names)) for row in found] == [
        ((T + at) * 10**6, exec_id, id, side, Decimal(price), Decimal(qty), Decimal(fee), asset)
        for at, exec_id, id, side, price, qty, fee, asset in EXPECTED_FILLS
    ]
    assert {(row["symbol"], row["ts_exchange"], row["liquidity"]) for row in found} == {("SOL-USDT", None, None)}


def test_book_as_the_bot_had_it(run: Path, tmp_path: Path) -> None:
    import_session("hummingbot", run, tmp_path / "out")
    names = ("ts_local", "symbol", "side", "level", "price", "qty")
    found = [tuple(row[name] for name in names) for row in rows(tmp_path / "out", "bot_book")]
    at = (T + 5) * 10**6
    assert found == [
        (at, "SOL-USDT", "bid", 0, Decimal("100.4"), Decimal("2.5")),
        (at, "SOL-USDT", "bid", 1, Decimal("100.3"), Decimal("0.00009")),
        (at, "SOL-USDT", "ask", 0, Decimal("100.5"), Decimal(1)),
    ]


def test_what_is_left_out_is_said_and_the_session_opens(run: Path, tmp_path: Path) -> None:
    assert import_session("hummingbot", run, tmp_path / "out") == EXPECTED_NOTES
    assert tomllib.loads((tmp_path / "out" / "session.toml").read_text()) == {
        "session": {"bot": "hummingbot", "fills_from": "bot", "venue": "kucoin", "currency": "USDT"}
    }
    session = open_session(tmp_path / "out")
    assert {name: len(session.table(name)) for name in session.sources} == {
        "bot_book": 3,
        "fills": 4,
        "order_events": 22,
    }
    assert session.notes == []
    assert "hummingbot" in formats() and "_record" not in formats()


def test_symbols_of_several_markets_are_told_apart(run: Path, tmp_path: Path) -> None:
    execute(run, "UPDATE \"Order\" SET market = 'ascend_ex' WHERE id = 'C'")
    notes = import_session("hummingbot", run, tmp_path / "out")
    assert "markets ascend_ex and kucoin: a symbol ends in its market, and no venue is stated" in notes
    symbols = {row["client_order_id"]: row["symbol"] for row in rows(tmp_path / "out", "order_events")}
    assert symbols == dict.fromkeys("ABDEFGH", "SOL-USDT.kucoin") | {"C": "SOL-USDT.ascend_ex"}
    assert {row["symbol"] for row in rows(tmp_path / "out", "fills")} == {"SOL-USDT.kucoin"}
    assert {row["symbol"] for row in rows(tmp_path / "out", "bot_book")} == {"SOL-USDT.kucoin"}
    assert "venue" not in tomllib.loads((tmp_path / "out" / "session.toml").read_text())["session"]


def test_fills_that_do_not_match_their_events_are_not_joined_to_them(run: Path, tmp_path: Path) -> None:
    execute(run, "DELETE FROM TradeFill WHERE exchange_trade_id = 't2'")
    notes = import_session("hummingbot", run, tmp_path / "out")
    assert "OrderStatus: 2 rows are of orders with more or fewer rows in TradeFill: no exec_id" in notes
    found = [row for row in rows(tmp_path / "out", "order_events") if row["client_order_id"] == "A"]
    ends = [(row["event"], row["exec_id"]) for row in found[2:]]
    assert ends == [("partial_fill", None), ("fill", None)]  # the second by the completion after it


@pytest.mark.parametrize(
    ("fee", "amount", "asset", "note"),
    [
        ({"percent": "0"}, "0", "USDT", None),
        ({"fee_type": None, "percent": 0.001}, "0.15075", "USDT", None),  # as versions of 2021 write it
        ({"percent": "-0.0001"}, "-0.015075", "USDT", None),  # a rebate
        ({"percent_token": "KCS"}, "0.15075", "USDT", "paid their fee in KCS: given by its worth in USDT"),
        ({"flat_fees": [{"token": "USDT", "amount": "0.01"}]}, "0.16075", "USDT", None),
        (
            {"flat_fees": [{"token": "KCS", "amount": "0.01"}]},
            "0.15075",
            "USDT",
            "paid a fee in several assets: the first is taken, the others are left out",
        ),
    ],
)
def test_fee_of_a_fill(
    run: Path, tmp_path: Path, fee: dict[str, Any], amount: str, asset: str, note: str | None
) -> None:
    execute(run, "DELETE FROM TradeFill WHERE order_id != 'A' OR exchange_trade_id != 't1'")
    execute(run, "UPDATE TradeFill SET trade_fee = ?", [(json.dumps(FEE | fee),)])
    notes = import_session("hummingbot", run, tmp_path / "out")
    (row,) = rows(tmp_path / "out", "fills")
    assert (row["fee"], row["fee_asset"]) == (Decimal(amount), asset)
    assert [each for each in notes if each.startswith("TradeFill")] == ([f"TradeFill: 1 fills {note}"] if note else [])


def test_database_is_not_written_to(run: Path, tmp_path: Path) -> None:
    before = run.read_bytes(), run.stat().st_mtime_ns
    import_session("hummingbot", run, tmp_path / "out")
    assert (run.read_bytes(), run.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf.sqlite", "out"]


def test_the_same_database_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        import_session("hummingbot", run, tmp_path / name)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


# --- what is refused --------------------------------------------------------------------------------------------------

Harm = Callable[[Path], None]


def sql(statement: str) -> Harm:
    return lambda path: execute(path, statement)


def set_cell(table: str, column: str, value: Any) -> Harm:
    """Change a cell of the second row of a table."""
    return lambda path: execute(path, f'UPDATE "{table}" SET {column} = ? WHERE rowid = 2', [(value,)])


def write(data: bytes) -> Harm:
    return lambda path: (path.write_bytes(data), None)[1]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def with_log(path: Path) -> None:
    path.with_name("conf.sqlite-wal").write_bytes(b"rows")


def saved(state: str) -> Harm:
    return lambda path: execute(path, "UPDATE MarketState SET saved_state = ?", [(state,)])


def booked(book: Any) -> Harm:
    return lambda path: execute(path, "UPDATE MarketData SET order_book = ?", [(json.dumps(book),)])


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (write(b"plain text, and no database at all"), "conf.sqlite: cannot be read (file is not a database)"),
        (cut, "conf.sqlite: cannot be read (database disk image is malformed)"),
        (as_folder, "conf.sqlite: a folder; should be an SQLite database file"),
        (Path.unlink, "conf.sqlite: not there; should be an SQLite database file"),
        (with_log, "conf.sqlite: conf.sqlite-wal beside it, with rows that are not in the file yet"),
        (write(b""), "conf.sqlite, table Order: not there; should be a table with id, market,"),
        (sql("DROP TABLE TradeFill"), "conf.sqlite, table TradeFill: not there; should be a table with market,"),
        (sql("ALTER TABLE TradeFill DROP COLUMN price"), "conf.sqlite, table TradeFill, column price: not there"),
        (set_cell("Order", "price", 1.5), "conf.sqlite, table Order, row 2, column price: 1.5; should be a whole"),
        (set_cell("Order", "amount", None), "conf.sqlite, table Order, row 2, column amount: None; should be a whole"),
        (set_cell("Order", "id", b"\xff"), "conf.sqlite, table Order, row 2, column id: b'\\xff'; should be text"),
        (set_cell("Order", "symbol", ""), "conf.sqlite, table Order, row 2, column symbol: ''; should be text"),
        (
            set_cell("Order", "order_type", "AMM_SWAP"),
            "table Order, row 2, column order_type: 'AMM_SWAP'; should be one of",
        ),
        (
            set_cell("Order", "creation_timestamp", 2**62),
            f"table Order, row 2, column creation_timestamp: {2**62}; should be a whole number of 1000000 ns",
        ),
        (set_cell("OrderStatus", "status", "Lost"), "table OrderStatus, row 2, column status: 'Lost'; should be one"),
        (set_cell("OrderStatus", "timestamp", "now"), "table OrderStatus, row 2, column timestamp: 'now'"),
        (set_cell("TradeFill", "trade_type", "RANGE"), "table TradeFill, row 2, column trade_type: 'RANGE'"),
        (
            set_cell("TradeFill", "trade_fee", "{"),
            "table TradeFill, row 2, column trade_fee: Expecting property name",
        ),
        (set_cell("TradeFill", "trade_fee", "[]"), "table TradeFill, row 2, column trade_fee: '[]'; should be a JSON"),
        (set_cell("TradeFill", "trade_fee", '{"percent": NaN}'), "table TradeFill, row 2, column trade_fee: NaN"),
        (set_cell("TradeFill", "trade_fee", '{"percent": "a"}'), "table TradeFill, row 2, column percent: 'a'"),
        (
            set_cell("TradeFill", "trade_fee", '{"percent": "1e999999"}'),
            "table TradeFill, row 2, column percent: '1e999999'; should be a finite number",
        ),
        (saved('{"K": {"creation_timestamp": 1}}'), "table MarketState, row 1, column order_type: not there"),
        (saved('{"K": 5}'), "table MarketState, row 1, column K: 5; should be a JSON object"),
        (booked({"bid": []}), "table MarketData, row 1, column order_book"),
        (booked({"bid": [], "ask": [[1, 2, 3]]}), "table MarketData, row 1, column order_book"),
    ],
)
def test_broken_database_is_refused_in_one_line_and_leaves_nothing(
    run: Path, tmp_path: Path, harm: Harm, says: str
) -> None:
    harm(run)
    with pytest.raises(EvidenceError) as refused:
        import_session("hummingbot", run, tmp_path / "out")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_database_of_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    execute(run, 'DELETE FROM "Order"')
    execute(run, "DELETE FROM TradeFill")
    with pytest.raises(EvidenceError, match=r"^conf\.sqlite: no order and no fill"):
        import_session("hummingbot", run, tmp_path / "out")


# --- recorded runs ----------------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDED = [*sorted((SHARED / "live_hummingbot").glob("*.sqlite")), SHARED / "sessions/hummingbot/pmm_btcusdt.sqlite"]
recorded = pytest.mark.skipif(not RECORDED[-1].is_file(), reason="the recorded runs are not at hand")


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    found = database.execute(statement).fetchall()
    database.close()
    return found


@recorded
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_run_keeps_every_order_event_and_fill(path: Path, tmp_path: Path) -> None:
    import_session("hummingbot", path, tmp_path / "out")
    events = Counter(row["event"] for row in rows(tmp_path / "out", "order_events"))
    status = Counter(status for (status,) in query(path, "SELECT status FROM OrderStatus"))
    ((orders,),) = query(path, 'SELECT count(*) FROM "Order"')
    in_flight = sum(len(json.loads(state)) for (state,) in query(path, "SELECT saved_state FROM MarketState"))
    ((silent,),) = query(
        path,
        "SELECT count(*) FROM OrderStatus WHERE status LIKE '%Completed' AND order_id NOT IN "
        "(SELECT order_id FROM OrderStatus WHERE status = 'OrderFilled')",
    )
    assert events["submit"] == orders + in_flight
    assert events["ack"] == orders
    assert events["cancel_ack"] == status["OrderCancelled"]
    assert events["partial_fill"] + events["fill"] == status["OrderFilled"] + silent
    session = open_session(tmp_path / "out")
    assert session.notes == []
    ((base, quote),) = query(
        path,
        "SELECT sum(CASE trade_type WHEN 'BUY' THEN amount ELSE -amount END), "
        "sum(CASE trade_type WHEN 'BUY' THEN -1.0 ELSE 1.0 END * amount * price) FROM TradeFill",
    )
    fills = rows(tmp_path / "out", "fills") if session.has("fills") else []
    signed = [(row["qty"] if row["side"] == "buy" else -row["qty"], row["price"]) for row in fills]
    assert sum(qty for qty, _ in signed) * 10**6 == (base or 0)
    assert float(-sum(qty * price for qty, price in signed)) == pytest.approx((quote or 0) / 1e12, rel=1e-12)


@recorded
def test_recorded_engine_run_ends_with_the_balances_of_its_driver(tmp_path: Path) -> None:
    import_session("hummingbot", RECORDED[-1], tmp_path / "out")
    fills = rows(tmp_path / "out", "fills")
    signed = [(row["qty"] if row["side"] == "buy" else -row["qty"], row["price"]) for row in fills]
    assert sum(qty for qty, _ in signed) == Decimal("0.05146")
    assert -sum(qty * price for qty, price in signed) == Decimal("-3192.7256734")
    assert len(fills) == len({row["exec_id"] for row in fills}) == 62
