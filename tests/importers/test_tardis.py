"""CSV files of Tardis, turned into sessions: tiny ones made by hand, and recorded ones."""

from __future__ import annotations

import gzip
import os
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from mmverify.errors import EvidenceError
from mmverify.importers import import_session
from mmverify.review.engine import review
from mmverify.session import open_session

HEAD = "exchange,symbol,timestamp,local_timestamp,"
ROW = "binance-futures,ABCUSDT,1598918403696000,1598918403810979,"
TS, LOCAL = 1_598_918_403_696_000_000, 1_598_918_403_810_979_000


def file(folder: Path, name: str, columns: str, *lines: str, row: str = ROW) -> Path:
    folder.mkdir(exist_ok=True)
    text = "\n".join([HEAD + columns, *(row + line for line in lines)]) + "\n"
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ds.dataset(out / name).to_table().to_pylist()
    return found


def levels(out: Path) -> list[tuple[Any, ...]]:
    return [(row["kind"], row["side"], str(row["price"]), str(row["qty"])) for row in rows(out, "book")]


@pytest.mark.parametrize("name", ["trades.csv", "trades.csv.gz"])
def test_trades(tmp_path: Path, name: str) -> None:
    columns = "id,side,price,amount"
    path = file(tmp_path, name, columns, "a1,sell,8531.5,2152", "a2,buy,8532,1e-05", ",unknown,8532,3")
    notes = import_session("tardis", path, tmp_path / "out")
    assert rows(tmp_path / "out", "trades") == [
        {"ts_exchange": TS, "ts_local": LOCAL, "symbol": "ABCUSDT", "trade_id": id, "price": Decimal(price),
         "qty": Decimal(qty), "aggressor": side}
        for id, side, price, qty in (("a1", "sell", "8531.5", "2152"), ("a2", "buy", "8532", "0.00001"),
                                     (None, None, "8532", "3"))
    ]  # fmt: skip
    # 8531.5 and 8532 are multiples of 0.5
    assert notes == [
        "instruments: ABCUSDT is taken for linear, ABC in USDT; tick 0.5 and lot 0.00001 are read off its prices and "
        "quantities"
    ]
    assert tomllib.loads((tmp_path / "out" / "session.toml").read_text()) == {"session": {"venue": "binance-futures"}}


def test_updates_of_a_book(tmp_path: Path) -> None:
    lines = ("true,ask,10.5,2", "true,bid,10,3.5", "false,bid,10,0")
    import_session("tardis", file(tmp_path, "l2.csv", "is_snapshot,side,price,amount", *lines), tmp_path / "out")
    assert levels(tmp_path / "out") == [
        ("snapshot", "ask", "10.5", "2.0"), ("snapshot", "bid", "10.0", "3.5"), ("delta", "bid", "10.0", "0.0"),
    ]  # fmt: skip
    assert {row["seq"] for row in rows(tmp_path / "out", "book")} == {None}
    assert open_session(tmp_path / "out").notes == []


SNAPSHOTS = ",".join(f"{side}s[{n}].{what}" for n in (0, 1) for side in ("ask", "bid") for what in ("price", "amount"))


def test_each_row_of_best_levels_is_a_snapshot(tmp_path: Path) -> None:
    lines = ("11,1,10,2,12,3,9,4", "11,5,10,6,,,9,7")
    import_session("tardis", file(tmp_path, "s.csv", SNAPSHOTS, *lines), tmp_path / "out")
    assert levels(tmp_path / "out") == [
        ("snapshot", side, price, qty)
        for side, price, qty in (
            ("bid", "10", "2"), ("bid", "9", "4"), ("ask", "11", "1"), ("ask", "12", "3"),
            ("bid", "10", "6"), ("bid", "9", "7"), ("ask", "11", "5"),
        )
    ]  # fmt: skip


def test_quotes_are_a_book_of_one_level(tmp_path: Path) -> None:
    path = file(tmp_path, "q.csv", "ask_amount,ask_price,bid_price,bid_amount", "5,11,10,6", ",,10,7")
    import_session("tardis", path, tmp_path / "out")
    assert levels(tmp_path / "out") == [
        ("snapshot", "bid", "10", "6"), ("snapshot", "ask", "11", "5"), ("snapshot", "bid", "10", "7"),
    ]  # fmt: skip


def test_ticker_gives_the_venues_prices(tmp_path: Path) -> None:
    columns = "funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    path = file(tmp_path, "t.csv", columns, ",0.0001,,7,9500.5,9500.0,9500.25", ",0.0001,,7,,9501,9500")
    notes = import_session("tardis", path, tmp_path / "out")
    assert [(row["mark"], row["index"], row["last"]) for row in rows(tmp_path / "out", "marks")] == [
        (Decimal("9500.25"), Decimal(9500), Decimal("9500.5")), (Decimal(9500), Decimal(9501), None),
    ]  # fmt: skip
    assert notes[0] == "t.csv: funding rates and open interest left out: the session has payments only"
    assert notes[1].startswith("no instrument for ABCUSDT: no price or quantity tells its steps")


def test_of_several_books_the_fullest_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    file(folder, "a.csv", "ask_amount,ask_price,bid_price,bid_amount", "5,11,10,6")
    file(folder, "b.csv", SNAPSHOTS, "11,1,10,2,12,3,9,4")
    file(folder, "c.csv.gz", "id,side,price,amount", "a1,sell,11,1")
    notes = import_session("tardis", folder, tmp_path / "out")
    assert len(rows(tmp_path / "out", "book")) == 4 and len(rows(tmp_path / "out", "trades")) == 1
    assert notes[0] == "a.csv: left out, the book is of book_snapshot_2"
    file(folder, "d.csv", "is_snapshot,side,price,amount", "true,ask,10.5,2")
    file(folder, "e.csv", "is_snapshot,side,price,amount", "false,ask,10.5,3")
    notes = import_session("tardis", folder, tmp_path / "other")
    assert levels(tmp_path / "other") == [("snapshot", "ask", "10.5", "2"), ("delta", "ask", "10.5", "3")]
    assert [note[:5] for note in notes[:2]] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("exchange", "symbol", "terms"),
    [
        ("binance", "BTCUSDT", ("spot", "BTC", "USDT", "USDT", 1)),
        ("binance-futures", "BTCUSDT_240927", ("linear", "BTC", "USDT", "USDT", 1)),
        ("binance-delivery", "BTCUSD_PERP", ("inverse", "BTC", "USD", "BTC", 100)),
        ("binance-delivery", "ETHUSD_240927", ("inverse", "ETH", "USD", "ETH", 10)),
        ("bitmex", "XBTUSD", ("inverse", "XBT", "USD", "XBT", 1)),
        ("deribit", "ETH-27SEP24", ("inverse", "ETH", "USD", "ETH", 1)),
        ("huobi-dm-swap", "BTC-USD", ("inverse", "BTC", "USD", "BTC", 100)),
        ("deribit", "BTC-27SEP24-60000-C", None),
        ("bitmex", "ETHUSD", None),
        ("kraken", "XBT/USD", None),
    ],
)
def test_terms_are_those_that_the_exchange_lists(
    exchange: str, symbol: str, terms: tuple[Any, ...] | None, tmp_path: Path
) -> None:
    row = ROW.replace("binance-futures", exchange).replace("ABCUSDT", symbol)
    notes = import_session(
        "tardis", file(tmp_path, "t.csv", "id,side,price,amount", "a,buy,10,20", row=row), tmp_path / "out"
    )
    if terms is None:
        assert not (tmp_path / "out" / "instruments").exists()
        assert "its terms are not known" in notes[0]
    else:
        (found,) = rows(tmp_path / "out", "instruments")
        assert tuple(found[name] for name in ("kind", "base", "quote", "settle", "multiplier")) == terms


TRADES = "id,side,price,amount"
BAD = {
    "nanoseconds": (TRADES, "a,buy,1,2", ROW.replace("3696000,", "3696000000,"), "row 1, column timestamp"),
    "no time": (TRADES, "a,buy,1,2", ROW.replace("1598918403810979", ""), "row 1, column local_timestamp"),
    "an unknown side": (TRADES, "a,up,1,2", ROW, "row 1, column side: 'up'"),
    "a negative price": (TRADES, "a,buy,-1,2", ROW, "row 1, column price: '-1'"),
    "other columns": ("id,side,price", "a,buy,1", ROW, "should be a file of trades, incremental_book_L2"),
    "a ragged line": (TRADES, "a,buy,1", ROW, "cannot be read"),
}


@pytest.mark.parametrize(("columns", "line", "row", "says"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_refused_by_its_place(
    tmp_path: Path, columns: str, line: str, row: str, says: str
) -> None:
    with pytest.raises(EvidenceError) as error:
        import_session("tardis", file(tmp_path, "t.csv", columns, line, row=row), tmp_path / "out")
    assert str(error.value).startswith("t.csv") and says in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_two_exchanges_in_one_session_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "t.csv", TRADES, "a,buy,1,2", "a,buy,1,2\nkraken,X,1,1,b,buy,1,2")
    with pytest.raises(EvidenceError, match="kraken; should be binance-futures"):
        import_session("tardis", path, tmp_path / "out")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="a folder without CSV files"):
        import_session("tardis", tmp_path, tmp_path / "out")


# --- the recorded files -----------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDED = SHARED / "nautilus" / "tardis"
recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded files are not at hand")
# rows by hand: lines less the header, times the levels of both sides
ROWS = {
    "binance-futures_book_snapshot_25_BTCUSDT": ("book", 10 * 50),
    "binance-futures_book_snapshot_5_BTCUSDT": ("book", 10 * 10),
    "bitmex_trades_XBTUSD": ("trades", 10),
    "deribit_incremental_book_L2_BTC-PERPETUAL": ("book", 15),
    "huobi-dm-swap_quotes_BTC-USD": ("book", 10 * 2),
    "csv/deltas_with_snapshot": ("book", 9),
    "csv/derivative_ticker_1": ("marks", 2),
}


@recorded
@pytest.mark.parametrize("name", ROWS)
def test_a_recorded_file_is_whole_and_nothing_is_found_in_it(name: str, tmp_path: Path) -> None:
    import_session("tardis", RECORDED / f"{name}.csv", tmp_path / "out")
    session = open_session(tmp_path / "out")
    table, count = ROWS[name]
    assert len(session.table(table)) == count and session.notes == []
    seen = review([session], focus=["3.1", "4.1"], today=date(2026, 1, 2))
    assert seen.errors == () and not seen.findings


@recorded
@pytest.mark.parametrize("name", ["deltas_1", "trades_1"])
def test_recorded_nanoseconds_are_refused(name: str, tmp_path: Path) -> None:
    """Both files are in nanoseconds, which those of Tardis never are."""
    with pytest.raises(EvidenceError, match="should be microseconds"):
        import_session("tardis", RECORDED / "csv" / f"{name}.csv", tmp_path / "out")
