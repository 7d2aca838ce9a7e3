"""What cannot be read is refused in one line that names file, row and column, what stands there and what should."""

from __future__ import annotations

import gzip
import io
import os
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmverify.errors import EvidenceError
from mmverify.session import Session, open_session
from mmverify.session.load import need_instruments

TRADES = "ts_exchange,ts_local,symbol,trade_id,price,qty,aggressor\n"
TRADE = "1741003200000000000,1741003200001000000,BTC-USDT,t1,60000.1,0.5,buy\n"
BOOK = "ts_exchange,ts_local,symbol,seq,kind,side,price,qty\n"
Refused = Callable[..., EvidenceError]


def trade(**values: str) -> str:
    """Write one trade with these values in place of the sound ones."""
    row = dict(zip(TRADES.strip().split(","), TRADE.strip().split(","), strict=True)) | values
    return ",".join(row.values()) + "\n"


def trades(**columns: Any) -> pa.Table:
    """Make a table of trades with these columns in place of the sound ones."""
    rows = len(next(iter(columns.values()))) if columns else 1
    sound: dict[str, Any] = {
        "ts_exchange": pa.array([1741003200000000000] * rows, pa.int64()),
        "ts_local": pa.array([1741003200001000000] * rows, pa.int64()),
        "symbol": ["BTC-USDT"] * rows,
        "price": pa.array([Decimal("60000.1")] * rows, pa.decimal128(38, 8)),
        "qty": pa.array([0.5] * rows, pa.float64()),
    }
    return pa.table(sound | columns)


def stored(table: pa.Table, **options: Any) -> bytes:
    """Give the bytes of a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


# --- one bad value, in the second row ---------------------------------------------------------------------------------

NUMBERS = [
    "nan", "NaN", "-inf", "Infinity", "cheap", "1,5", "1 000", "0x10", "१२", "--1", "+-1", "1.2.3", ".", "-", "e5",
    "1e", "1e400", "1e39", "1e38", "9" * 39, "9" * 5000, "1e-500", "1e-325", "1e99999", "0." + "0" * 324 + "1",
    " 1", "1_000", "NA", "null", "1/3", "60000.1USDT", "-1", "-0.0000001", "-1e-5",
]  # fmt: skip


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("column", ["price", "qty"])
def test_a_price_that_is_no_number_is_refused(refused: Refused, column: str, value: str) -> None:
    error = refused({"trades.csv": TRADES + TRADE + trade(**{column: f'"{value}"'})})
    assert (error.file, error.row, error.column) == ("trades.csv", 2, column)
    assert value[:40] in error.was


TIMES = [
    "yesterday", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2025-02-29T00:00:00+00:00", "2024-01-01T24:00:00Z",
    "1600-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "2262-04-11T23:47:16.854775808Z", "1e18", "1741003200.5", "1.7e18",
    "9223372036854775808", "-9223372036854775809", "9" * 5000, "0x10", "+1", "--1", "१२", "nan",
    "2024-01-01T00:00:00.1234567891Z", "2024-01-01T00:00:00+25:00", "03/01/2024 12:00",
    "Mon, 03 Mar 2025 12:00:00 GMT", "2024-01-01T00:00:00 UTC",
]  # fmt: skip


@pytest.mark.parametrize("value", TIMES)
@pytest.mark.parametrize("beside", ["1741003200000000000", "2025-03-03T12:00:00Z", "2025-03-03T12:00:00"])
def test_a_time_that_is_none_is_refused(refused: Refused, value: str, beside: str) -> None:
    rows = trade(ts_local=beside) + trade(ts_local=f'"{value}"') + trade(ts_local=beside)
    error = refused({"trades.csv": TRADES + rows})
    assert (error.file, error.row, error.column) == ("trades.csv", 2, "ts_local")
    assert value[:40] in error.was
    assert error.should == "int64 nanoseconds since 1970 UTC, or ISO-8601 with an offset"


@pytest.mark.parametrize(
    ("table", "columns", "sound", "bad", "column", "should"),
    [
        ("trades", TRADES, TRADE, trade(aggressor="BUY"), "aggressor", "one of buy, sell"),
        ("trades", TRADES, TRADE, trade(symbol=""), "symbol", "a value in every row"),
        ("trades", TRADES, TRADE, trade(symbol='""'), "symbol", "a value in every row"),
        ("trades", TRADES, TRADE, trade(price=""), "price", "a value in every row"),
        ("trades", TRADES, TRADE, trade(ts_exchange="", ts_local=""), "ts_exchange", "one of the two at least"),
        ("trades", TRADES, TRADE, trade(trade_id="a\0b"), "trade_id", "text without a NUL character"),
        ("positions", "ts_local,symbol,qty,source\n", "1,A,1,bot\n", "1,A,1,venue\n", "source", "one of bot, exchange"),
        ("positions", "ts_local,symbol,qty,source\n", "1,A,1,bot\n", "1,A,,bot\n", "qty", "a value in every row"),
        ("bot_book", "ts_local,symbol,side,level,price,qty\n", "1,A,bid,0,1,1\n", "1,A,ask,1.5,1,1\n", "level",
         "a whole number of int64"),
        ("messages", "ts_local,channel,message_id,applied\n", "1,c,m,true\n", "1,c,n,yes\n",
         "applied", "true or false"),
        ("book", BOOK, "1,1,A,1,delta,,,\n", "1,1,A,1,update,,,\n",
         "kind", "one of snapshot, delta"),
        ("book", BOOK, "1,1,A,1,delta,,,\n", "1,1,A,1,delta,bid,,1\n",
         "price", "side, price and qty, or none of them"),
        ("book", BOOK, "1,1,A,1,delta,,,\n", "1,1,A,1,delta,,2,1\n",
         "side", "side, price and qty, or none of them"),
        ("fills", "ts_exchange,ts_local,symbol,exec_id,side,price,qty,liquidity,fee,fee_asset\n",
         "1,1,A,e1,buy,1,1,maker,-0.1,USDT\n", "1,1,A,e2,buy,1,1,Maker,-0.1,USDT\n", "liquidity",
         "one of maker, taker"),
        ("fills", "ts_exchange,ts_local,symbol,exec_id,side,price,qty,liquidity,fee,fee_asset\n",
         "1,1,A,e1,buy,1,1,maker,-0.1,USDT\n", "1,1,A,e2,buy,1,1,,nan,USDT\n", "fee",
         "a decimal such as 61800.25: what the venue sent is a number"),
        ("instruments", "symbol,kind,base,quote,tick_size,lot_size\n", "A,spot,A,B,1,1\n", "B,future,A,B,1,1\n", "kind",
         "one of spot, linear, inverse, quanto"),
    ],
)  # fmt: skip
def test_a_row_that_breaks_its_schema_is_refused(
    refused: Refused, table: str, columns: str, sound: str, bad: str, column: str, should: str
) -> None:
    error = refused({f"{table}.csv": columns + sound + bad})
    assert (error.file, error.row, error.column, error.should) == (f"{table}.csv", 2, column, should)


def test_the_message_is_a_sentence_that_a_stranger_understands(refused: Refused) -> None:
    error = refused({"trades.csv": TRADES + TRADE + trade(price="cheap")})
    assert str(error) == "trades.csv, row 2, column price: 'cheap'; should be a decimal such as 61800.25"


def test_a_long_value_is_cut_short_in_the_message(refused: Refused) -> None:
    error = refused({"trades.csv": TRADES + TRADE + trade(price="7" * 5000)})
    assert "(5002 characters)" in error.was and len(str(error)) < 300


# --- CSV as a whole ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "row", "column", "was"),
    [
        ("", None, None, "an empty file"),
        ("\n\n", None, None, "an empty first line"),
        (TRADES.replace("price", "px") + TRADE, None, "price", "no such column"),
        (TRADES.replace(",", ";"), None, "ts_exchange", "no such column"),
        (TRADES.replace("trade_id", "price"), None, "price", "the column twice"),
        (TRADES + TRADE + "1,2,3\n", 2, None, "3 values"),
        (TRADES + TRADE + TRADE.strip() + ",more\n", 2, None, "8 values"),
        (TRADES + "\n\n" + TRADE + "\n1,2,3\n", 2, None, "3 values"),
        (TRADES + TRADE + TRADE.strip()[:30], 2, None, "2 values"),
        (TRADES + TRADE + trade(aggressor='"buy') + TRADE, 2, "aggressor", "'buy\\n1741003200"),
        (TRADES + TRADE + trade(trade_id='"t2') + TRADE, 2, None, "a quote that is never closed"),
        (TRADES + TRADE + trade(trade_id='"t2') + TRADE * 5000, 2, None, "a quote that is never closed"),
        (b"\xff\xfe" + TRADES.encode("utf-16-le"), None, None, "a header that is not UTF-8"),
        ((TRADES + TRADE).encode() + trade(trade_id="t").encode().replace(b",t,", b",\xff\xfe,"), 2, "trade_id", "xff"),
        ((TRADES + TRADE).encode() + b"\0" * 4096, 2, None, "1 values"),
        (stored(trades()), None, None, "no such column"),
    ],
)
def test_a_csv_file_that_is_broken_is_refused(
    refused: Refused, content: str | bytes, row: int | None, column: str | None, was: str
) -> None:
    error = refused({"trades.csv": content})
    assert (error.file, error.row) == ("trades.csv", row)
    assert was in error.was or was == "no such column"
    assert column is None or error.column == column


@pytest.mark.parametrize("wide", [False, True])
def test_an_unclosed_quote_in_the_last_column_loses_no_rows(refused: Refused, wide: bool) -> None:
    # The parser takes all that follows for one value: seen nowhere but in the count of quotes.
    reason = ' "5"" disc"' if wide else ""
    header, row = "trade_id,symbol,side,used,reason\n", f"t,BTC-USDT,buy,true,{reason}\n"
    error = refused({"bot_trades.csv": header + row * 3 + 't,BTC-USDT,buy,true,"late\n' + row * 3})
    assert (error.file, error.row) == ("bot_trades.csv", 4)
    assert "quote" in error.was


@pytest.mark.parametrize("cut", [0, 4, 9, 12, 200, 0.5, -8, -1])
def test_a_gzip_file_that_was_cut_off_is_refused(refused: Refused, cut: float) -> None:
    whole = gzip.compress((TRADES + TRADE * 5000 + "x").encode())
    end = int(len(whole) * cut) if isinstance(cut, float) else cut
    error = refused({"trades.csv.gz": whole[:end]})
    assert error.file == "trades.csv.gz"
    assert error.was in ("a gzip file that is damaged or was cut off", "an empty file")


@pytest.mark.parametrize("place", [3, 15, 40, -6])
def test_a_gzip_file_that_is_damaged_is_refused(refused: Refused, place: int) -> None:
    whole = bytearray(gzip.compress(("".join(trade(trade_id=str(n * n)) for n in range(2000))).encode()))
    whole[place] ^= 0xFF
    refused({"trades.csv.gz": bytes(whole)})


def test_plain_text_named_gz_is_refused(refused: Refused) -> None:
    refused({"trades.csv.gz": (TRADES + TRADE).encode()})


# --- Parquet ----------------------------------------------------------------------------------------------------------

SOUND = stored(trades(trade_id=[f"t{n}" for n in range(2000)]), row_group_size=500)


@pytest.mark.parametrize(
    ("content", "was"),
    [
        (b"", "an empty file"),
        (b"PAR1", "damaged"),
        (b"PAR1PAR1", "damaged"),
        ((TRADES + TRADE).encode(), "no Parquet file: it begins with b'ts_excha'"),
        (SOUND[:3], "no Parquet file"),
        (SOUND[:20], "was cut off"),
        (SOUND[: len(SOUND) // 2], "was cut off"),
        (SOUND[:-1], "was cut off"),
        (SOUND[:-8] + SOUND[-4:], "damaged"),
        (SOUND[: len(SOUND) // 2] + SOUND[-8:], "damaged"),
        (SOUND[:4] + b"\0" * 100 + SOUND[104:], "damaged"),
    ],
)
def test_a_parquet_file_that_is_broken_is_refused(refused: Refused, content: bytes, was: str) -> None:
    error = refused({"trades.parquet": content})
    assert error.file == "trades.parquet"
    assert was in error.was
    assert error.should == "a whole Parquet file"


def test_a_damaged_parquet_file_is_refused_or_read_but_never_a_traceback(tmp_path: Path) -> None:
    chance = random.Random(7)
    outcomes = set()
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "session.toml").touch()
    for _ in range(150):
        damaged = bytearray(SOUND)
        for _ in range(chance.randint(1, 4)):
            place = chance.choice([chance.randrange(len(damaged)), len(damaged) - chance.randrange(1, 700)])
            damaged[place] = chance.randrange(256)
        (folder / "trades.parquet").write_bytes(damaged)
        try:
            open_session(folder)
            outcomes.add("read")
        except EvidenceError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def invalid_text() -> pa.Array:
    """Make a column of text whose second value is not UTF-8."""
    ends = pa.py_buffer(np.array([0, 1, 2], np.int32))
    return pa.Array.from_buffers(pa.string(), 2, [None, ends, pa.py_buffer(b"a\xff")])


NS = 1741003200000000000


@pytest.mark.parametrize(
    ("column", "values", "row", "was"),
    [
        ("price", pa.array([1.5, float("nan")]), 2, "nan"),
        ("price", pa.array([1.5, float("inf")]), 2, "inf"),
        ("price", pa.array([1.5, -1e-9]), 2, "-1e-09"),
        ("price", pa.array([1.5, None]), 2, "empty"),
        ("price", pa.array([Decimal("1.5"), Decimal("-0.5")], pa.decimal128(10, 4)), 2, "-0.5000"),
        ("price", pa.array([5, 2**63], pa.uint64()), 2, "9223372036854775808"),
        ("price", pa.array(["1.5", "dear"]), 2, "'dear'"),
        ("price", pa.array([1.5, 1.5], pa.float32()), None, "a column of float32"),
        ("price", pa.array([True, False]), None, "a column of bool"),
        ("price", pa.array([[1], [2]]), None, "a column of list"),
        ("price", pa.array([Decimal(1)] * 2, pa.decimal256(60, 2)), None, "a column of decimal256(60, 2)"),
        ("ts_local", pa.array([float(NS)] * 2), None, "a column of float64"),
        ("ts_local", pa.array([5, 2**63], pa.uint64()), 2, "9223372036854775808"),
        ("ts_local", pa.array([0, 10**16], pa.timestamp("us")), 2, "10000000000000000 us since 1970"),
        ("ts_local", pa.array([0, -(10**15)], pa.timestamp("ms", "UTC")), 2, "-1000000000000000 ms since 1970"),
        ("ts_local", pa.array([date(2025, 3, 3)] * 2), None, "a column of date32[day]"),
        ("ts_local", pa.array(["2025-03-03T12:00:00Z", "noon"]), 2, "'noon'"),
        ("symbol", pa.array(["A", None]), 2, "empty"),
        ("symbol", pa.array(["A", ""]), 2, "empty"),
        ("symbol", pa.array(["A", None]).dictionary_encode(), 2, "empty"),
        ("symbol", pa.array([1.5, 2.5]), None, "a column of float64"),
        ("symbol", pa.array([["A"], ["B"]]), None, "a column of list"),
        ("symbol", invalid_text(), 2, "b'\\xff'"),
        ("trade_id", pa.array([b"a", b"\xff"]), 2, "b'\\xff'"),
        ("aggressor", pa.array(["buy", "Buy"]), 2, "'Buy'"),
    ],
)
def test_a_parquet_column_that_cannot_be_read_is_refused(
    refused: Refused, column: str, values: pa.Array, row: int | None, was: str
) -> None:
    error = refused({"trades.parquet": trades(**{column: values})})
    assert (error.file, error.row, error.column) == ("trades.parquet", row, column)
    assert was in error.was


# --- the right row, deep in a table -----------------------------------------------------------------------------------


def test_the_row_is_right_in_a_later_block_of_a_csv_file(write: Callable[..., Path]) -> None:
    folder = write({"trades.csv": TRADES + TRADE * 300_000 + trade(price="bad") + TRADE * 10})
    assert (folder / "trades.csv").stat().st_size > 2 * 2**23
    session = open_session(folder)
    session.table("trades", "symbol")
    with pytest.raises(EvidenceError, match=r"^trades\.csv, row 300001, column price: 'bad'; should be a decimal"):
        session.table("trades", "price")


@pytest.mark.parametrize("bad", ["1,2,3\n", trade(trade_id='"t2')])
def test_the_row_is_right_in_a_later_block_that_cannot_be_parsed(write: Callable[..., Path], bad: str) -> None:
    session = open_session(write({"trades.csv": TRADES + TRADE * 250_000 + bad + TRADE * 10}))
    with pytest.raises(EvidenceError, match=r"^trades\.csv, row 250001: "):
        session.table("trades", "price")


def test_the_row_is_right_in_a_later_row_group(refused: Refused) -> None:
    prices = pa.array([1.5] * 2000 + [float("nan")] + [1.5] * 10)
    error = refused({"trades.parquet": stored(trades(price=prices), row_group_size=300)})
    assert (error.row, error.column) == (2001, "price")


def test_the_row_is_that_of_the_part_it_is_in(refused: Refused) -> None:
    bad = trades(price=pa.array([1.5, float("inf")]))
    error = refused({"trades/part-0.parquet": trades(price=pa.array([1.5] * 7)), "trades/part-1.parquet": bad})
    assert (error.file, error.row, error.column) == ("trades/part-1.parquet", 2, "price")


def test_the_row_without_a_time_is_that_of_the_part_it_is_in(refused: Refused) -> None:
    empty = pa.array([NS, None, None], pa.int64())
    bad = trades(ts_local=empty, ts_exchange=pa.array([None, NS, None], pa.int64()))
    parts = {"trades/0.parquet": trades(price=[1.5] * 7), "trades/1.parquet": trades(price=pa.array([], pa.float64()))}
    error = refused({**parts, "trades/2.parquet": bad})
    assert (error.file, error.row, error.column) == ("trades/2.parquet", 3, "ts_exchange")


def test_a_row_without_a_time_is_seen_though_the_two_are_asked_for_apart(write: Callable[..., Path]) -> None:
    rows = TRADE * 70_000 + trade(ts_exchange="", ts_local="")
    session = open_session(write({"trades.csv": TRADES + rows}))
    session.table("trades", "ts_local")
    with pytest.raises(EvidenceError, match=r"^trades\.csv, row 70001, column ts_exchange: empty, as is ts_local"):
        session.table("trades", "ts_exchange")


# --- symbols without an instrument ------------------------------------------------------------------------------------

INSTRUMENTS = "symbol,kind,base,quote,tick_size,lot_size\nBTC-USDT,spot,BTC,USDT,0.01,0.00001\n"


def stranger(session: Session) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        need_instruments(session, "trades", session.table("trades", "symbol").words("symbol"))
    return caught.value


def test_a_symbol_without_an_instrument_is_refused_where_a_check_needs_it(opened: Callable[..., Session]) -> None:
    rows = TRADE + trade(symbol="*") + trade(symbol="ETH-USDT") + trade(symbol="A")
    error = stranger(opened({"instruments.csv": INSTRUMENTS, "trades.csv": TRADES + rows}))
    assert str(error) == (
        "trades.csv, row 3, column symbol: 'ETH-USDT', a symbol without an instrument; "
        "should be a symbol of the instruments table"
    )


def test_a_symbol_without_an_instrument_is_named_by_part(opened: Callable[..., Session]) -> None:
    parts = {"trades/0.parquet": trades(symbol=["BTC-USDT"] * 3), "trades/1.parquet": trades(symbol=["BTC-USDT", "X"])}
    error = stranger(opened({"instruments.csv": INSTRUMENTS, **parts}))
    assert (error.file, error.row) == ("trades/1.parquet", 2)


def test_without_instruments_every_symbol_is_refused(opened: Callable[..., Session]) -> None:
    assert stranger(opened({"trades.csv": TRADES + TRADE})).row == 1


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"no such folder; should be a session folder"):
        open_session(tmp_path / "none")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "session").write_text("")
    with pytest.raises(EvidenceError, match="no such folder"):
        open_session(tmp_path / "session")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"^session\.toml: not there; should be a file in the session folder"):
        open_session(tmp_path)


@pytest.mark.parametrize(
    ("tables", "file", "was"),
    [
        ({"trades.csv": TRADES, "trades.parquet": trades()}, "trades.parquet", "a second time, beside trades.csv"),
        ({"trades.csv": TRADES, "trades.csv.gz": TRADES}, "trades.csv.gz", "a second time, beside trades.csv"),
        ({"trades/0.parquet": trades(), "trades.csv": TRADES}, "trades.csv", "a second time, beside trades"),
        ({"trades.csv/0.parquet": trades()}, "trades.csv", "a directory"),
        ({"trades/0.parquet/0.parquet": trades()}, "trades/0.parquet", "a directory"),
        ({"trades/0.txt": "x"}, "trades/", "a folder without Parquet parts"),
        ({"trades": TRADES}, "trades", "a file without an ending"),
        ({"trades/0.parquet": trades(), "trades/1.parquet": trades().drop_columns("qty")}, "trades/1.parquet",
         "no such column"),
        ({"trades/symbol=A/0.parquet": trades()}, "trades/symbol=A/0.parquet", "the column twice"),
        ({"trades/qty=much/0.parquet": trades().drop_columns("qty")}, "trades/qty=much/0.parquet", "'much'"),
    ],
)  # fmt: skip
def test_a_table_in_a_form_that_is_none_is_refused(
    refused: Refused, tables: dict[str, Any], file: str, was: str
) -> None:
    error = refused(tables)
    assert error.file == file
    assert was in error.was


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.mark.parametrize("name", ["trades.csv", "session.toml", "trades/0.parquet", "trades", "trades/symbol=A"])
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, write: Callable[..., Path], name: str) -> None:
    folder = write({})
    outside = tmp_path / "outside" / "0.parquet"
    outside.parent.mkdir()
    outside.write_bytes(stored(trades()))
    (folder / name).unlink(missing_ok=True)
    link(folder / name, outside if "." in name else outside.parent)
    if name == "trades/symbol=A":
        (folder / "trades" / "1.parquet").write_bytes(stored(trades()))
    with pytest.raises(EvidenceError, match="a link that leads out of the session folder") as caught:
        open_session(folder)
    assert caught.value.file == name


@pytest.mark.parametrize("target", ["nowhere.csv", "trades.csv"])
def test_a_link_that_leads_nowhere_is_refused(write: Callable[..., Path], target: str) -> None:
    folder = write({})
    link(folder / "trades.csv", folder / target)
    with pytest.raises(EvidenceError, match=r"^trades\.csv: a link that leads nowhere"):
        open_session(folder)


def test_a_pipe_is_refused_and_not_waited_for(write: Callable[..., Path]) -> None:
    folder = write({})
    os.mkfifo(folder / "trades.csv")
    with pytest.raises(EvidenceError, match=r"^trades\.csv: not a file"):
        open_session(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["trades.csv", "fills.parquet", "session.toml"])
def test_a_file_that_may_not_be_read_is_refused(write: Callable[..., Path], name: str) -> None:
    folder = write({"trades.csv": TRADES, "fills.parquet": b"PAR1"})
    (folder / name).chmod(0)
    with pytest.raises(EvidenceError, match="Permission denied"):
        open_session(folder)


def test_a_table_that_grows_while_it_is_read_is_refused(write: Callable[..., Path]) -> None:
    session = open_session(write({"trades.csv": TRADES + TRADE * 70_000}))
    session.table("trades", "price")
    with (session.folder / "trades.csv").open("a") as stream:
        stream.write(TRADE)
    with pytest.raises(EvidenceError, match=r"^trades\.csv: 70001 rows, 70000 a moment ago"):
        session.table("trades", "qty")


def test_a_timestamp_with_a_zone_is_no_fault(opened: Callable[..., Session]) -> None:
    at = pa.array([datetime(2025, 3, 3, 12, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin"))
    session = opened({"trades.parquet": trades(ts_local=at)})
    assert session.table("trades").whole("ts_local").values.tolist() == [NS]
    assert session.notes == []
