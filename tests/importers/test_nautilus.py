"""The NautilusTrader importer: a small run written by hand, and the recorded runs where they are at hand."""

from __future__ import annotations

import csv
import gzip
import json
import os
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmverify.errors import EvidenceError, MmverifyError, UsageError
from mmverify.importers import formats, import_session
from mmverify.session.load import open_session
from mmverify.session.schema import TABLES

T = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
SYMBOL = "SOLUSDT-PERP.TESTEX"
INSTRUMENT = {
    "type": "CryptoPerpetual",
    "id": SYMBOL,
    "base_currency": "SOL",
    "quote_currency": "USDT",
    "settlement_currency": "USDT",
    "is_inverse": False,
    "price_precision": 2,
    "size_precision": 1,
    "price_increment": "0.01",
    "size_increment": "0.1",
    "multiplier": "1",
    "max_quantity": "5000.0",
    "min_quantity": "0.1",
    "min_notional": "5.00000000 USDT",
    "maker_fee": "0.0001",
    "taker_fee": "0.0004",
}


def event(type: str, order: str, at: int, **fields: Any) -> dict[str, Any]:
    """One order event; the venue's clock is 7 ns behind the bot's."""
    named = {"type": type, "instrument_id": SYMBOL, "client_order_id": order}
    return named | {"ts_event": T + at - 7, "ts_init": T + at} | fields


def initialized(order: str, at: int, side: str, qty: str, price: str | None, **fields: Any) -> dict[str, Any]:
    terms = {"order_side": side, "order_type": "LIMIT", "quantity": qty, "time_in_force": "GTC", "post_only": True}
    options = {"price": price, "expire_time_ns": 0}
    return event("OrderInitialized", order, at, **terms | {"reduce_only": False, "options": options} | fields)


def filled(order: str, at: int, side: str, trade: str, qty: str, price: str, fee: str) -> dict[str, Any]:
    execution = {
        "trade_id": trade,
        "venue_order_id": f"V{order}",
        "order_side": side,
        "last_qty": qty,
        "last_px": price,
    }
    return event("OrderFilled", order, at, **execution, commission=fee, liquidity_side="MAKER")


ORDERS = [
    initialized(
        "A", 1, "BUY", "2.0", "100.50", time_in_force="GTD", options={"price": "100.50", "expire_time_ns": T + 600}
    ),
    event("OrderSubmitted", "A", 1),
    event("OrderAccepted", "A", 20, venue_order_id="VA"),
    filled("A", 30, "BUY", "E1", "1.0", "100.50", "0.01005000 USDT"),
    filled("A", 31, "BUY", "E1", "1.0", "100.50", "0.01005000 USDT"),  # the same execution again
    event("OrderPendingUpdate", "A", 40, venue_order_id="VA"),
    event("OrderModifyRejected", "A", 45, venue_order_id="VA", reason="too late"),
    event("OrderPendingUpdate", "A", 46, venue_order_id="VA"),
    event("OrderUpdated", "A", 50, venue_order_id="VA", quantity="1.5", price="100.40"),
    filled("A", 60, "BUY", "E2", "0.5", "100.40", "-0.00251000 USDT"),
    initialized("B", 61, "SELL", "4.0", "100.00"),
    event("OrderSubmitted", "B", 61),
    event("OrderRejected", "B", 70, reason="would take"),
    initialized("C", 71, "SELL", "4.0", "101.00"),
    event("OrderSubmitted", "C", 71),
    event("OrderAccepted", "C", 80, venue_order_id="VC"),
    event("OrderPendingCancel", "C", 81, venue_order_id="VC"),
    event("OrderCancelRejected", "C", 90, venue_order_id="VC", reason="busy"),
    filled("C", 95, "SELL", "E3", "3.5", "101.00", "0.03535000 USDT"),
    event("OrderCanceled", "C", 99, venue_order_id="VC"),
    initialized("D", 100, "BUY", "1.0", None, order_type="MARKET", post_only=False, reduce_only=True, options={}),
    event("OrderSubmitted", "D", 100),
    event("OrderAccepted", "D", 110, venue_order_id="VD"),
    event("OrderPendingCancel", "D", 111, venue_order_id="VD"),
    event("OrderCanceled", "D", 120, venue_order_id="VD"),
    initialized("E", 121, "BUY", "1.0", "99.00"),
    event("OrderDenied", "E", 121, reason="over the limit"),
    initialized("F", 130, "BUY", "1.0", "99.00"),
    event("OrderSubmitted", "F", 130),
    event("OrderAccepted", "F", 140, venue_order_id="VF"),
    event("OrderExpired", "F", 700, venue_order_id="VF"),
]

# ts_local - T, ts_exchange - T, order, order_id, event, side, price, qty, exec_id, reason
EXPECTED_EVENTS = [
    (1, None, "A", None, "submit", "buy", "100.50", "2.0", None, None),
    (20, 13, "A", "VA", "ack", "buy", None, None, None, None),
    (30, 23, "A", "VA", "partial_fill", "buy", None, None, "E1", None),
    (31, 24, "A", "VA", "partial_fill", "buy", None, None, "E1", None),
    (40, None, "A", "VA", "replace_request", "buy", None, None, None, None),
    (45, 38, "A", "VA", "replace_reject", "buy", None, None, None, "too late"),
    (46, None, "A", "VA", "replace_request", "buy", None, None, None, None),
    (50, 43, "A", "VA", "replace_ack", "buy", "100.40", "1.5", None, None),
    (60, 53, "A", "VA", "fill", "buy", None, None, "E2", None),
    (61, None, "B", None, "submit", "sell", "100.00", "4.0", None, None),
    (70, 63, "B", None, "reject", "sell", None, None, None, "would take"),
    (71, None, "C", None, "submit", "sell", "101.00", "4.0", None, None),
    (80, 73, "C", "VC", "ack", "sell", None, None, None, None),
    (81, None, "C", "VC", "cancel_request", "sell", None, None, None, None),
    (90, 83, "C", "VC", "cancel_reject", "sell", None, None, None, "busy"),
    (95, 88, "C", "VC", "partial_fill", "sell", None, None, "E3", None),
    (99, 92, "C", "VC", "exchange_cancel", "sell", None, None, None, None),
    (100, None, "D", None, "submit", "buy", None, "1.0", None, None),
    (110, 103, "D", "VD", "ack", "buy", None, None, None, None),
    (111, None, "D", "VD", "cancel_request", "buy", None, None, None, None),
    (120, 113, "D", "VD", "cancel_ack", "buy", None, None, None, None),
    (130, None, "F", None, "submit", "buy", "99.00", "1.0", None, None),
    (140, 133, "F", "VF", "ack", "buy", None, None, None, None),
    (700, 693, "F", "VF", "expire", "buy", None, None, None, None),
]


def state(at: int, *balances: tuple[str, str, str], type: str = "MARGIN", reported: bool = False) -> dict[str, Any]:
    """One account event; a balance is its currency, total and what is free."""
    listed = [{"currency": currency, "total": total, "free": free} for currency, total, free in balances]
    account = {"type": "AccountState", "account_id": "TESTEX-001", "account_type": type, "balances": listed}
    return account | {"reported": reported, "ts_event": T + at, "ts_init": T + at}


ACCOUNT = [
    state(0, ("USDT", "1000.00000000", "1000.00000000"), reported=True),
    state(95, ("USDT", "1000.85962500", "980.00000000")),
]

# One position that turns from +1.5 to -2.0 by execution E3: closed and opened at once, by order C.
POSITION = {"instrument_id": SYMBOL, "position_id": "P"}
OPENED = [
    POSITION
    | {"opening_order_id": "A", "signed_qty": 1.0, "avg_px_open": 100.5, "ts_event": T + 23, "ts_init": T + 30},
    POSITION
    | {"opening_order_id": "C", "signed_qty": -2.0, "avg_px_open": 101.0, "ts_event": T + 88, "ts_init": T + 95},
]
CHANGED = [
    POSITION
    | {"opening_order_id": "A", "signed_qty": 1.5, "avg_px_open": 100.46666666666667}
    | {"ts_opened": T + 23, "ts_event": T + 53, "ts_init": T + 60}
]
CLOSED = [
    POSITION
    | {"opening_order_id": "A", "closing_order_id": "C", "signed_qty": 0.0, "avg_px_open": 100.46666666666667}
    | {"ts_opened": T + 23, "ts_closed": T + 88, "ts_init": T + 95}
]
REPORT = f"""\
position_id,instrument_id,opening_order_id,closing_order_id,side,quantity,ts_init,ts_last,avg_px_open,is_snapshot,\
commissions,realized_pnl
P-00000000-0000-4000-8000-000000000000,{SYMBOL},A,C,FLAT,0.0,{T + 30},{T + 95},100.46666666666667,True,\
"['0.02266500 USDT', '0.001 BNB']",0.87982500 USDT
P,{SYMBOL},C,,SHORT,2.0,{T + 95},{T + 120},101.0,False,['0.02020000 USDT'],-0.02020000 USDT
"""

# By hand: the numbers times 10^16, stored in 16 bytes, and times 10^9, stored in 8.
WIDE = {
    "100.50": 1_005_000_000_000_000_000,
    "100.51": 1_005_100_000_000_000_000,
    "61800.2": 618_002_000_000_000_000_000,
}
WIDE |= {"0.3": 3_000_000_000_000_000, "12.0": 120_000_000_000_000_000, "0": 0, "-0.5": -5_000_000_000_000_000}
WIDE |= {"10000000000.0": 10**26}
NARROW = {"100.50": 100_500_000_000, "100.51": 100_510_000_000, "61800.2": 61_800_200_000_000}
NARROW |= {"0.3": 300_000_000, "12.0": 12_000_000_000, "0": 0, "-0.5": -500_000_000}
NARROW |= {"10000000000.0": 10**19}  # more than an int64 holds


def fixed(values: list[str], width: int) -> pa.Array:
    stored = WIDE if width == 16 else NARROW
    return pa.array(
        [stored[value].to_bytes(width, "little", signed=stored[value] < 0) for value in values], pa.binary(width)
    )


def write_feed(run: Path, kind: str, columns: dict[str, pa.Array], digits: int = 2) -> None:
    folder = run / "catalog" / "data" / kind / SYMBOL
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"instrument_id": SYMBOL, "price_precision": str(digits), "size_precision": "1"}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), folder / "part.parquet")


def write_trades(
    run: Path, width: int = 16, *, prices: tuple[str, ...] = ("100.50", "61800.2", "100.51"), digits: int = 2
) -> None:
    columns = {
        "price": fixed(list(prices), width),
        "size": fixed(["0.3", "10000000000.0", "0.3"], width),
        "aggressor_side": pa.array([1, 2, 0], pa.uint8()),
        "trade_id": pa.array(["t1", "t2", "t2"]),
        "ts_event": pa.array([T + 5, T + 6, T + 6], pa.uint64()),
        "ts_init": pa.array([T + 1, T + 2, T + 3], pa.uint64()),
    }
    write_feed(run, "trade_tick", columns, digits=digits)


# action, side, price, size, flags, sequence, ts_init - T: a snapshot, an update of two levels, a book that was emptied
DELTAS = [
    (4, 0, "0", "0", 0, 50, 1),
    (1, 1, "100.50", "0.3", 32, 50, 1),
    (1, 2, "100.51", "12.0", 160, 50, 1),
    (2, 1, "100.50", "12.0", 0, 57, 2),
    (3, 2, "100.51", "12.0", 128, 57, 2),
    (4, 0, "0", "0", 128, 60, 3),
]
# ts_exchange - T, ts_local - T, seq, kind, side, price, qty: 57 after 50 is no gap that anyone could tell
EXPECTED_BOOK = [
    (5, 1, None, "snapshot", "bid", "100.50", "0.3"),
    (5, 1, None, "snapshot", "ask", "100.51", "12.0"),
    (6, 2, None, "delta", "bid", "100.50", "12.0"),
    (6, 2, None, "delta", "ask", "100.51", "0.0"),
    (7, 3, None, "snapshot", None, None, None),
]


def write_deltas(run: Path, width: int = 16, *, deltas: list[tuple[Any, ...]] = DELTAS, order_id: int = 0) -> None:
    action, side, price, size, flags, sequence, at = (list(column) for column in zip(*deltas, strict=True))
    columns = {
        "action": pa.array(action, pa.uint8()),
        "side": pa.array(side, pa.uint8()),
        "price": fixed(price, width),
        "size": fixed(size, width),
        "order_id": pa.array([order_id] * len(deltas), pa.uint64()),
        "flags": pa.array(flags, pa.uint8()),
        "sequence": pa.array(sequence, pa.uint64()),
        "ts_event": pa.array([T + 4 + each for each in at], pa.uint64()),
        "ts_init": pa.array([T + each for each in at], pa.uint64()),
    }
    write_feed(run, "order_book_delta", columns)


def write_log(run: Path, name: str, events: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(each) + "\n" for each in events)
    (run / name).write_bytes(gzip.compress(text.encode()))


def write_stream(run: Path, kind: str = "backtest") -> None:
    folder = run / "stream" / kind / "8f2c"
    folder.mkdir(parents=True)
    for name, events in (("opened", OPENED), ("changed", CHANGED), ("closed", CLOSED)):
        data = pa.Table.from_pylist(events)
        with pa.ipc.new_stream(folder / f"position_{name}_0.feather", data.schema) as stream:
            stream.write_table(data)


def write_result(run: Path, **run_fields: int) -> None:
    (run / "result.json").write_text(json.dumps({"run": run_fields, "instrument": INSTRUMENT}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A whole run: logs, report, stream, catalog, result."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_log(folder, "order_events.jsonl.gz", ORDERS)
    write_log(folder, "account_events.jsonl.gz", ACCOUNT)
    write_stream(folder)
    write_trades(folder)
    write_deltas(folder)
    write_result(folder, backtest_start=T, backtest_end=T + 1_234_567_890)
    (folder / "positions_report.csv").write_text(REPORT)
    return folder


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(out / f"{name}.parquet").to_pylist()


def text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


# --- the session that comes out ---------------------------------------------------------------------------------------


def test_session_toml_says_whose_record_it_is(run: Path, tmp_path: Path) -> None:
    import_session("nautilus", run, tmp_path / "out")
    assert tomllib.loads((tmp_path / "out" / "session.toml").read_text()) == {
        "session": {
            "venue": "TESTEX",
            "bot": "nautilus_trader",
            "currency": "USDT",
            "start": "2023-11-14T22:13:20.000000000+00:00",
            "end": "2023-11-14T22:13:21.234567890+00:00",
            "fills_from": "venue",
        },
        "conventions": {"cost_basis": "average", "realized": "net"},
    }


def test_every_table_opens_as_a_session(run: Path, tmp_path: Path) -> None:
    import_session("nautilus", run, tmp_path / "out")
    session = open_session(tmp_path / "out")
    assert {name: len(session.table(name)) for name in session.sources} == {
        "balances": 2,
        "book": 5,
        "fills": 4,
        "instruments": 1,
        "order_events": 24,
        "pnl": 1,
        "positions": 3,
        "trades": 3,
    }
    assert session.notes == []


@pytest.mark.parametrize(
    ("terms", "kind"),
    [
        ({}, "linear"),
        ({"quote_currency": "USD", "settlement_currency": "SOL", "is_inverse": True}, "inverse"),
        ({"settlement_currency": "BTC"}, "quanto"),
        ({"settlement_currency": None}, "spot"),
    ],
)
def test_kind_follows_from_the_settlement(run: Path, tmp_path: Path, terms: dict[str, Any], kind: str) -> None:
    (run / "result.json").write_text(json.dumps({"instrument": INSTRUMENT | terms}))
    (run / "account_events.jsonl.gz").unlink()
    import_session("nautilus", run, tmp_path / "out")
    assert [row["kind"] for row in rows(tmp_path / "out", "instruments")] == [kind]


def test_instrument_of_the_catalog_comes_before_the_one_of_result_json(run: Path, tmp_path: Path) -> None:
    folder = run / "catalog" / "data" / "crypto_perpetual" / SYMBOL
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([INSTRUMENT | {"maker_fee": "-0.00005"}]), folder / "part.parquet")
    import_session("nautilus", run, tmp_path / "out")
    assert rows(tmp_path / "out", "instruments") == [
        {
            "symbol": SYMBOL,
            "kind": "linear",
            "base": "SOL",
            "quote": "USDT",
            "settle": "USDT",
            "tick_size": Decimal("0.01"),
            "lot_size": Decimal("0.1"),
            "min_qty": Decimal("0.1"),
            "max_qty": Decimal("5000.0"),
            "min_notional": Decimal("5.00000000"),
            "multiplier": Decimal("1"),
            "maker_fee": Decimal("-0.00005"),
            "taker_fee": Decimal("0.0004"),
        }
    ]


def test_order_events_map_to_the_session_events(run: Path, tmp_path: Path) -> None:
    notes = import_session("nautilus", run, tmp_path / "out")
    found = [
        (
            row["ts_local"] - T,
            None if row["ts_exchange"] is None else row["ts_exchange"] - T,
            row["client_order_id"],
            row["order_id"],
            row["event"],
            row["side"],
            text(row["price"]),
            text(row["qty"]),
            row["exec_id"],
            row["reason"],
        )
        for row in rows(tmp_path / "out", "order_events")
    ]
    assert found == EXPECTED_EVENTS
    assert "order_events.jsonl.gz: 1 OrderDenied left out: it never reached the venue" in notes


def test_submit_carries_the_terms_of_the_order(run: Path, tmp_path: Path) -> None:
    import_session("nautilus", run, tmp_path / "out")
    terms = {
        row["client_order_id"]: (row["type"], row["tif"], row["post_only"], row["reduce_only"], row["ts_expires"])
        for row in rows(tmp_path / "out", "order_events")
        if row["event"] == "submit"
    }
    assert terms["A"] == ("limit", "gtd", True, False, T + 600)
    assert terms["C"] == ("limit", "gtc", True, False, None)
    assert terms["D"] == ("market", "gtc", False, True, None)


def test_fills_keep_order_digits_rebates_and_duplicates(run: Path, tmp_path: Path) -> None:
    import_session("nautilus", run, tmp_path / "out")
    first, again, rebate, sell = rows(tmp_path / "out", "fills")
    assert first == {
        "ts_exchange": T + 23,
        "ts_local": T + 30,
        "symbol": SYMBOL,
        "exec_id": "E1",
        "client_order_id": "A",
        "order_id": "VA",
        "side": "buy",
        "price": Decimal("100.50"),
        "qty": Decimal("1.0"),
        "liquidity": "maker",
        "fee": Decimal("0.01005000"),
        "fee_asset": "USDT",
    }
    assert again == first | {"ts_exchange": T + 24, "ts_local": T + 31}
    assert (rebate["exec_id"], rebate["fee"]) == ("E2", Decimal("-0.00251000"))
    assert (sell["exec_id"], sell["side"], sell["qty"]) == ("E3", "sell", Decimal("3.5"))


def test_streamed_positions_leave_out_the_half_of_a_flip(run: Path, tmp_path: Path) -> None:
    notes = import_session("nautilus", run, tmp_path / "out")
    found = [
        (row["ts_local"] - T, row["qty"], row["avg_px"], row["source"]) for row in rows(tmp_path / "out", "positions")
    ]
    assert found == [(30, 1.0, 100.5, "bot"), (60, 1.5, 100.46666666666667, "bot"), (95, -2.0, 101.0, "bot")]
    assert any(note.startswith("positions: 1 of qty 0 left out") for note in notes)


def test_positions_come_from_the_report_without_a_stream(run: Path, tmp_path: Path) -> None:
    for path in (run / "stream" / "backtest" / "8f2c").iterdir():
        path.unlink()
    import_session("nautilus", run, tmp_path / "out")
    found = [(row["ts_local"] - T, row["qty"], row["avg_px"]) for row in rows(tmp_path / "out", "positions")]
    assert found == [(120, Decimal("-2.0"), 101.0)]


def test_position_closed_and_opened_in_one_nanosecond_by_two_orders_keeps_both(run: Path, tmp_path: Path) -> None:
    path = run / "stream" / "backtest" / "8f2c" / "position_closed_0.feather"
    closed = pa.Table.from_pylist([CLOSED[0] | {"closing_order_id": "B"}])
    with pa.ipc.new_stream(path, closed.schema) as stream:
        stream.write_table(closed)
    import_session("nautilus", run, tmp_path / "out")
    found = [(row["ts_local"] - T, row["qty"], row["avg_px"]) for row in rows(tmp_path / "out", "positions")]
    assert found[2:] == [(95, 0.0, None), (95, -2.0, 101.0)]


def test_hedged_positions_are_left_out(run: Path, tmp_path: Path) -> None:
    path = run / "stream" / "backtest" / "8f2c" / "position_opened_0.feather"
    hedged = pa.Table.from_pylist([OPENED[0], OPENED[1] | {"position_id": "Q", "opening_order_id": "B"}])
    with pa.ipc.new_stream(path, hedged.schema) as stream:
        stream.write_table(hedged)
    notes = import_session("nautilus", run, tmp_path / "out")
    assert not (tmp_path / "out" / "positions.parquet").exists()
    assert f"positions of {SYMBOL} left out: 2 positions beside each other (hedging)" in notes


def test_margin_claim_is_the_change_of_the_account(run: Path, tmp_path: Path) -> None:
    # 1000.85962500 - 1000.00000000; the report's 0.87982500 - 0.02020000 is the same. Fees 0.02266500 + 0.02020000.
    notes = import_session("nautilus", run, tmp_path / "out")
    assert rows(tmp_path / "out", "pnl") == [
        {
            "ts_local": T + 95,
            "symbol": SYMBOL,
            "realized": Decimal("0.85962500"),
            "fees": Decimal("0.04286500"),
            "currency": "USDT",
        }
    ]
    assert [note for note in notes if note.startswith("pnl")] == [
        f"pnl of {SYMBOL}: fees of 0.001 BNB left out: the claim is in USDT"
    ]


def test_margin_claim_that_the_report_contradicts_is_still_the_accounts(run: Path, tmp_path: Path) -> None:
    (run / "positions_report.csv").write_text(REPORT.replace("-0.02020000 USDT", "-0.02020001 USDT"))
    notes = import_session("nautilus", run, tmp_path / "out")
    assert [row["realized"] for row in rows(tmp_path / "out", "pnl")] == [Decimal("0.85962500")]
    assert f"pnl of {SYMBOL}: the account's change 0.85962500 taken; positions_report.csv says 0.85962499" in notes


def test_cash_claim_is_the_sum_of_the_report(run: Path, tmp_path: Path) -> None:
    (run / "result.json").write_text(json.dumps({"instrument": INSTRUMENT | {"settlement_currency": None}}))
    cash = [state(0, ("USDT", "1000", "1000"), ("SOL", "0", "0"), type="CASH")]
    write_log(
        run, "account_events.jsonl.gz", [*cash, state(95, ("USDT", "700.5", "1"), ("SOL", "3.1", "0"), type="CASH")]
    )
    import_session("nautilus", run, tmp_path / "out")
    assert [(row["realized"], row["currency"]) for row in rows(tmp_path / "out", "pnl")] == [
        (Decimal("0.85962500"), "USDT")
    ]
    assert len(rows(tmp_path / "out", "positions")) == 3


def test_spot_positions_are_left_out_when_the_account_held_some_of_the_coin(run: Path, tmp_path: Path) -> None:
    (run / "result.json").write_text(json.dumps({"instrument": INSTRUMENT | {"settlement_currency": None}}))
    write_log(run, "account_events.jsonl.gz", [state(0, ("USDT", "10", "10"), ("SOL", "7.5", "7.5"), type="CASH")])
    notes = import_session("nautilus", run, tmp_path / "out")
    assert not (tmp_path / "out" / "positions.parquet").exists()
    why = "the engine counts from 0, the account held 7.5 SOL at the start"
    assert f"positions of {SYMBOL} left out: {why}" in notes


def test_balances_of_a_backtest_are_the_venues(run: Path, tmp_path: Path) -> None:
    import_session("nautilus", run, tmp_path / "out")
    assert rows(tmp_path / "out", "balances")[1] == {
        "ts_local": T + 95,
        "asset": "USDT",
        "total": Decimal("1000.85962500"),
        "available": Decimal("980.00000000"),
        "source": "exchange",
    }


def test_of_a_live_run_only_reported_balances_are_the_venues(run: Path, tmp_path: Path) -> None:
    (run / "stream" / "backtest").rename(run / "stream" / "live")
    write_result(run)
    import_session("nautilus", run, tmp_path / "out")
    assert [row["source"] for row in rows(tmp_path / "out", "balances")] == ["exchange", "bot"]
    settings = tomllib.loads((tmp_path / "out" / "session.toml").read_text())["session"]
    assert settings == {"venue": "TESTEX", "bot": "nautilus_trader", "currency": "USDT", "fills_from": "bot"}


@pytest.mark.parametrize("width", [16, 8])
def test_trades_keep_every_digit(run: Path, tmp_path: Path, width: int) -> None:
    write_trades(run, width)
    import_session("nautilus", run, tmp_path / "out")
    found = [tuple(row.values()) for row in rows(tmp_path / "out", "trades")]
    assert found == [
        (T + 5, T + 1, SYMBOL, "t1", Decimal("100.50"), Decimal("0.3"), "buy"),
        (T + 6, T + 2, SYMBOL, "t2", Decimal("61800.20"), Decimal("10000000000.0"), "sell"),
        (T + 6, T + 3, SYMBOL, "t2", Decimal("100.51"), Decimal("0.3"), None),
    ]


def test_digits_are_those_of_the_finest_instrument(run: Path, tmp_path: Path) -> None:
    other = run / "catalog" / "data" / "trade_tick" / "XRPUSDT-PERP.TESTEX"
    other.mkdir()
    coarse = pq.read_table(run / TRADES).slice(1, 1)
    metadata = {"instrument_id": other.name, "price_precision": "1", "size_precision": "0"}
    pq.write_table(coarse.replace_schema_metadata(metadata), other / "part.parquet")
    import_session("nautilus", run, tmp_path / "out")
    found = [(row["symbol"], text(row["price"]), text(row["qty"])) for row in rows(tmp_path / "out", "trades")]
    assert found == [
        (SYMBOL, "100.50", "0.3"),
        (SYMBOL, "61800.20", "10000000000.0"),
        (SYMBOL, "100.51", "0.3"),
        (other.name, "61800.20", "10000000000.0"),
    ]


def test_negative_price_of_eight_bytes_keeps_its_sign(run: Path, tmp_path: Path) -> None:
    write_trades(run, 8, prices=("-0.5", "100.50", "-0.5"))
    import_session("nautilus", run, tmp_path / "out")
    prices = [row["price"] for row in rows(tmp_path / "out", "trades")]
    assert prices == [Decimal("-0.50"), Decimal("100.50"), Decimal("-0.50")]


def test_book_is_levels_of_updates(run: Path, tmp_path: Path) -> None:
    notes = import_session("nautilus", run, tmp_path / "out")
    found = [
        (
            row["ts_exchange"] - T,
            row["ts_local"] - T,
            row["seq"],
            row["kind"],
            row["side"],
            text(row["price"]),
            text(row["qty"]),
        )
        for row in rows(tmp_path / "out", "book")
    ]
    assert found == EXPECTED_BOOK
    assert any("no seq, so no gap" in note for note in notes)


@pytest.mark.parametrize(
    "deltas",
    [
        [(*delta[:5], 0, 1) for delta in DELTAS],  # all of one time: the last flag ends an update
        [(*delta[:4], delta[4] & 32, 0, delta[6]) for delta in DELTAS],  # no last flag: the time does
        [(*delta[:4], delta[4] & 32, delta[5], 1) for delta in DELTAS],  # neither: the number does
    ],
)
def test_update_ends_by_flag_number_or_time(run: Path, tmp_path: Path, deltas: list[tuple[Any, ...]]) -> None:
    write_deltas(run, deltas=deltas)
    import_session("nautilus", run, tmp_path / "out")
    kinds = [row["kind"] for row in rows(tmp_path / "out", "book")]
    assert kinds == ["snapshot", "snapshot", "delta", "delta", "snapshot"]


def test_book_order_by_order_is_left_out(run: Path, tmp_path: Path) -> None:
    write_deltas(run, order_id=12)
    notes = import_session("nautilus", run, tmp_path / "out")
    assert not (tmp_path / "out" / "book.parquet").exists()
    assert any("L3" in note for note in notes)


def test_other_market_data_is_left_out_and_named(run: Path, tmp_path: Path) -> None:
    for kind in ("quote_tick", "bar"):
        (run / "catalog" / "data" / kind).mkdir()
    notes = import_session("nautilus", run, tmp_path / "out")
    assert "catalog quote_tick left out: a best bid and ask is no update of an L2 book" in notes
    assert "catalog bar left out: a session has no table for it" in notes


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        import_session("nautilus", run, tmp_path / name)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert len(one) == 9


# --- what is refused --------------------------------------------------------------------------------------------------


def broken_orders(**fields: Any) -> list[dict[str, Any]]:
    """The order events with fields of the first OrderFilled, the fourth row, changed; None takes a field away."""
    fill = {key: value for key, value in (ORDERS[3] | fields).items() if value is not None}
    return [*ORDERS[:3], fill, *ORDERS[4:]]


@pytest.mark.parametrize(
    ("fields", "column", "was"),
    [
        ({"last_px": None}, "last_px", "not there"),
        ({"last_px": "NaN"}, "last_px", "'NaN'"),
        ({"last_px": "1,5"}, "last_px", "'1,5'"),
        ({"last_px": 100.5}, "last_px", "100.5"),
        ({"order_side": "NO_ORDER_SIDE"}, "order_side", "'NO_ORDER_SIDE'"),
        ({"liquidity_side": "AUCTION"}, "liquidity_side", "'AUCTION'"),
        ({"commission": "0.5"}, "commission", "'0.5'"),
        ({"ts_init": "2024-08-08"}, "ts_init", "'2024-08-08'"),
        ({"ts_event": 2**63}, "ts_event", "9223372036854775808"),
        ({"instrument_id": "XRPUSDT-PERP.TESTEX"}, "instrument_id", "'XRPUSDT-PERP.TESTEX'"),
        ({"client_order_id": "Z"}, "client_order_id", "'Z'"),
        ({"type": 7}, "type", "7"),
    ],
)
def test_bad_field_is_refused_by_its_row(
    run: Path, tmp_path: Path, fields: dict[str, Any], column: str, was: str
) -> None:
    write_log(run, "order_events.jsonl.gz", broken_orders(**fields))
    with pytest.raises(EvidenceError) as refused:
        import_session("nautilus", run, tmp_path / "out")
    assert (refused.value.file, refused.value.row, refused.value.column) == ("order_events.jsonl.gz", 4, column)
    assert refused.value.was == was
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def drop(name: str) -> Any:
    return lambda run: (run / name).unlink()


def cut(name: str) -> Any:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:-20])


def put(name: str, data: bytes) -> Any:
    return lambda run: (run / name).write_bytes(data)


def two_accounts(run: Path) -> None:
    write_log(run, "account_events.jsonl.gz", [ACCOUNT[0], ACCOUNT[1] | {"account_id": "OTHER-001"}])


def account_without_settlement(run: Path) -> None:
    write_log(run, "account_events.jsonl.gz", [state(0, ("BTC", "1", "1"))])


def two_venues(run: Path) -> None:
    other = [each | {"instrument_id": "SOLUSDT.ELSEWHERE"} for each in ORDERS[:2]]
    write_log(run, "order_events.jsonl.gz", [*ORDERS, *other])
    folder = run / "catalog" / "data" / "currency_pair" / "SOLUSDT.ELSEWHERE"
    folder.mkdir(parents=True)
    both = [INSTRUMENT, INSTRUMENT | {"id": "SOLUSDT.ELSEWHERE"}]
    pq.write_table(pa.Table.from_pylist(both), folder / "part.parquet")


def two_runs(run: Path) -> None:
    (run / "stream" / "backtest" / "9a11").mkdir()


def too_many_digits(run: Path) -> None:
    (run / "result.json").write_text(json.dumps({"instrument": INSTRUMENT | {"max_quantity": "1e39"}}))


def quote_quantity(run: Path) -> None:
    write_log(run, "order_events.jsonl.gz", [ORDERS[0] | {"quote_quantity": True}, *ORDERS[1:]])


def finer_price_than_stated(run: Path) -> None:
    write_trades(run, digits=0)


def level_without_side(run: Path) -> None:
    write_deltas(run, deltas=[*DELTAS[:3], (2, 0, "100.50", "0.3", 128, 57, 2)])


TRADES = f"catalog/data/trade_tick/{SYMBOL}/part.parquet"
DELTA = f"catalog/data/order_book_delta/{SYMBOL}/part.parquet"
OPENING = "stream/backtest/8f2c/position_opened_0.feather"


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (drop("order_events.jsonl.gz"), "order_events.jsonl.gz: no event in"),
        (cut("order_events.jsonl.gz"), "order_events.jsonl.gz: cannot be read ("),
        (put("order_events.jsonl.gz", b"plain text"), "order_events.jsonl.gz: cannot be read ("),
        (put("order_events.jsonl.gz", gzip.compress(b'{"type":\n')), "order_events.jsonl.gz, row 1: Expecting value"),
        (put("order_events.jsonl.gz", gzip.compress(b"[]\n")), "order_events.jsonl.gz, row 1: list; should be a JSON"),
        (put("result.json", b'{"run": [1]}'), "result.json, row 1, column run: [1]; should be an object"),
        (put("result.json", b"{"), "result.json: Expecting property name"),
        (drop("result.json"), "catalog/data: no instrument, and none in result.json"),
        (cut(TRADES), f"{TRADES}: cannot be read ("),
        (put(OPENING, b""), f"{OPENING}: cannot be read ("),
        (
            put("positions_report.csv", b"position_id\nP\n"),
            "positions_report.csv, row 1, column instrument_id: not there",
        ),
        (two_accounts, "account_events.jsonl.gz: accounts OTHER-001 and TESTEX-001; should be events of one account"),
        (account_without_settlement, "account_events.jsonl.gz, row 1, column balances"),
        (two_venues, "order_events.jsonl.gz: orders at ELSEWHERE and TESTEX; should be orders at one venue"),
        (two_runs, "stream: 2 runs; should be one run"),
        (quote_quantity, "order_events.jsonl.gz, row 1, column quote_quantity: True"),
        (too_many_digits, "instruments, column max_qty: "),
        (finer_price_than_stated, f"{TRADES}, column price: cannot be read ("),
        (level_without_side, f"{DELTA}, row 4, column side: 0 (none); should be 1 (buy) or 2 (sell)"),
    ],
)
def test_broken_run_is_refused_in_one_line_and_leaves_nothing(run: Path, tmp_path: Path, harm: Any, says: str) -> None:
    harm(run)
    with pytest.raises(MmverifyError) as refused:
        import_session("nautilus", run, tmp_path / "out")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_unknown_format_names_those_there_are(tmp_path: Path) -> None:
    assert "nautilus" in formats()
    with pytest.raises(UsageError, match=r"^metatrader: no such format; should be one of .*nautilus"):
        import_session("metatrader", tmp_path, tmp_path / "out")


def test_folder_in_use_is_refused_untouched(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="already there"):
        import_session("nautilus", run, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_empty_folder_is_filled(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    import_session("nautilus", run, tmp_path / "out")
    assert (tmp_path / "out" / "session.toml").is_file()


# --- recorded runs ----------------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDED = SHARED / "sessions" / "nautilus"
RUNS = {"linear": "linear_btcusdt_quoter_l2", "inverse": "inverse_ethusd_quoter", "spot": "spot_btcusdt_volmm"}
recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded runs are not at hand")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The recorded runs by kind, imported."""
    folder = tmp_path_factory.mktemp("imported")
    for kind, name in RUNS.items():
        import_session("nautilus", RECORDED / name, folder / kind)
    return {kind: folder / kind for kind in RUNS}


def fractions(out: Path) -> list[tuple[int, Fraction, Fraction, Fraction]]:
    """Direction, price, quantity and fee of each fill."""
    return [
        (1 if row["side"] == "buy" else -1, Fraction(row["price"]), Fraction(row["qty"]), Fraction(row["fee"]))
        for row in rows(out, "fills")
    ]


def net_by_average_cost(out: Path, value: Any, average: Any) -> Decimal:
    """Realized P&L less fees at average cost, exact, rounded once to 8 digits.

    `value` is what one unit bought at a price is worth, `average` the average price of two lots.
    """
    held, entry, net = Fraction(0), Fraction(0), Fraction(0)
    for direction, price, qty, fee in fractions(out):
        closing = min(qty, max(-direction * held, Fraction(0)))
        opening = qty - closing
        net += -direction * closing * (value(price) - value(entry)) - fee if closing else -fee
        held += direction * closing
        if opening:
            entry = average(entry, abs(held), price, opening) if held else price
        held += direction * opening
    return Decimal(round(net * 10**8)).scaleb(-8)


def arithmetic(entry: Fraction, held: Fraction, price: Fraction, qty: Fraction) -> Fraction:
    return (entry * held + price * qty) / (held + qty)


def harmonic(entry: Fraction, held: Fraction, price: Fraction, qty: Fraction) -> Fraction:
    return (held + qty) / (held / entry + qty / price)


@recorded
def test_recorded_linear_run_reconciles_to_the_last_digit(imported: dict[str, Path]) -> None:
    assert net_by_average_cost(imported["linear"], lambda price: price, arithmetic) == Decimal("-183.12495617")
    (claim,) = rows(imported["linear"], "pnl")
    assert (claim["realized"], claim["fees"]) == (Decimal("-183.12495617"), Decimal("116.028327"))
    assert sum(direction * qty for direction, _, qty, _ in fractions(imported["linear"])) == Fraction("-0.200")


@recorded
def test_recorded_inverse_run_shows_the_engines_arithmetic_average(imported: dict[str, Path]) -> None:
    def worth(price: Fraction) -> Fraction:
        return -10 / price  # a contract of 10 USD, in ETH

    assert net_by_average_cost(imported["inverse"], worth, harmonic) == Decimal("-0.01040383")
    assert net_by_average_cost(imported["inverse"], worth, arithmetic) == Decimal("-0.01040396")
    (claim,) = rows(imported["inverse"], "pnl")
    assert (claim["realized"], claim["fees"]) == (Decimal("-0.01040396"), Decimal("0.00738237"))


@recorded
def test_recorded_spot_run_reconciles_cash_and_coin(imported: dict[str, Path]) -> None:
    balances = rows(imported["spot"], "balances")
    cash, coin = ([Fraction(row["total"]) for row in balances if row["asset"] == asset] for asset in ("USDT", "BTC"))
    assert (cash[0], coin[0]) == (50000, 1)
    spent = sum(direction * price * qty + fee for direction, price, qty, fee in fractions(imported["spot"]))
    bought = sum(direction * qty for direction, _, qty, _ in fractions(imported["spot"]))
    assert cash[0] - spent == cash[-1] == Fraction("28807.38592236")
    assert coin[0] + bought == coin[-1] == Fraction("1.34")


@recorded
@pytest.mark.parametrize("kind", ["linear", "inverse"])
def test_recorded_position_claims_follow_the_fills_one_by_one(imported: dict[str, Path], kind: str) -> None:
    held, running = Fraction(0), []
    for direction, _, qty, _ in fractions(imported[kind]):
        held += direction * qty
        running.append(held)
    assert [Fraction(repr(row["qty"])) for row in rows(imported[kind], "positions")] == running


@recorded
@pytest.mark.parametrize("kind", RUNS)
def test_recorded_orders_end_as_the_report_says(imported: dict[str, Path], kind: str) -> None:
    refusals = ("cancel_reject", "replace_reject")
    events = [row for row in rows(imported[kind], "order_events") if row["event"] not in refusals]
    last = {row["client_order_id"]: row["event"] for row in events}
    with (RECORDED / RUNS[kind] / "orders_report.csv").open(newline="") as stream:
        status = {row["client_order_id"]: row["status"] for row in csv.DictReader(stream)}
    assert last.keys() == status.keys()
    ends = {"fill": "FILLED", "cancel_ack": "CANCELED", "reject": "REJECTED"}
    ends |= {"cancel_request": "PENDING_CANCEL", "submit": "SUBMITTED"}
    assert {order: ends.get(event) for order, event in last.items()} == status


@recorded
def test_recorded_runs_open_as_sessions(imported: dict[str, Path]) -> None:
    for folder in imported.values():
        session = open_session(folder)
        for name in session.sources:
            assert len(session.table(name, *TABLES[name])) > 0
