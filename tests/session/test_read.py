"""What is odd and can be read is read: forms, partitions, times, words, NaN in a claim; and no more than asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from mmverify.session import Session, open_session
from mmverify.session.load import need_instruments

TRADES = "ts_exchange,ts_local,symbol,trade_id,price,qty,aggressor\n"
TRADE = "1741003200000000000,1741003200001000000,BTC-USDT,t1,60000.1,0.5,buy\n"
NOON = 1741003200000000000  # 2025-03-03T12:00:00Z
Opened = Callable[..., Session]
Write = Callable[..., Path]


def words(session: Session, table: str, column: str) -> list[str]:
    found = session.table(table).words(column)
    return [found.text(row) for row in range(len(found))]


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        TRADES + TRADE * 2,
        (TRADES + TRADE * 2).strip(),
        "\ufeff" + TRADES + TRADE * 2,
        '\ufeff"ts_exchange",' + TRADES.removeprefix("ts_exchange,") + TRADE * 2,
        (TRADES + TRADE * 2).replace("\n", "\r\n"),
        (TRADES + TRADE * 2).replace("\n", "\r"),
        TRADES + "\n" + TRADE + "\n\n" + TRADE + "\n",
        TRADES + TRADE + TRADE.replace("t1", '"t1"').replace("60000.1", '"60000.1"'),
    ],
)
@pytest.mark.parametrize("name", ["trades.csv", "trades.csv.gz"])
def test_a_csv_file_as_programs_write_it_is_read(opened: Opened, name: str, content: str) -> None:
    session = opened({name: content})
    table = session.table("trades")
    assert len(table) == 2
    assert table.whole("ts_exchange").values.tolist() == [NOON] * 2
    assert table.decimals("price").fractions() == [Fraction(600001, 10)] * 2
    assert words(session, "trades", "trade_id") == ["t1", "t1"]
    assert session.notes == []


@pytest.mark.parametrize("content", [TRADES, TRADES.strip(), "\ufeff" + TRADES])
@pytest.mark.parametrize("name", ["trades.csv", "trades.csv.gz"])
def test_a_header_alone_is_a_table_without_rows(opened: Opened, name: str, content: str) -> None:
    session = opened({name: content})
    assert session.has("trades")
    table = session.table("trades")
    assert len(table) == 0
    assert [len(column) for column in table.columns.values()] == [0] * 7
    assert table.decimals("price").floats().size == 0
    assert table.words("symbol").names == ()


def trades(rows: int, first: int = 0, **columns: Any) -> pa.Table:
    sound: dict[str, Any] = {
        "ts_exchange": pa.array(range(NOON + first, NOON + first + rows), pa.int64()),
        "ts_local": pa.nulls(rows, pa.int64()),
        "symbol": ["A"] * rows,
        "price": pa.array([Decimal("1.50")] * rows, pa.decimal128(20, 8)),
        "qty": pa.array([0.1] * rows),
    }
    return pa.table(sound | columns)


def test_a_parquet_file_without_rows_is_a_table_without_rows(opened: Opened) -> None:
    table = opened({"trades.parquet": trades(0)}).table("trades")
    assert len(table) == 0
    assert len(table.decimals("price")) == 0


def test_parts_follow_in_order_of_their_names_and_may_lack_optional_columns(opened: Opened) -> None:
    parts = {
        "trades/part-1.parquet": trades(2, 10, aggressor=["buy", None], checksum=[1, 2]),
        "trades/part-0.parquet": trades(1),
        "trades/part-2.parquet": trades(0),
        "trades/part-3.parquet": trades(1, 20, trade_id=["t"], price=pa.array([2.25])),
    }
    session = opened(parts)
    table = session.table("trades")
    assert (table.whole("ts_exchange").values - NOON).tolist() == [0, 10, 11, 20]
    assert words(session, "trades", "aggressor") == ["", "buy", "", ""]
    assert words(session, "trades", "trade_id") == ["", "", "", "t"]
    assert table.decimals("price").fractions() == [Fraction(3, 2)] * 3 + [Fraction(9, 4)]
    assert table.starts == (0, 1, 3, 3)
    assert table.where(3) == "trades:4"
    assert session.notes == ["trades: unknown columns, kept and ignored: checksum"]


def test_partitions_fill_their_columns(opened: Opened) -> None:
    one, other = trades(2).drop_columns("symbol"), trades(1, 5).drop_columns("symbol")
    parts = {
        "trades/symbol=BTC%2FUSDT/date=2025-03-03/part-0.parquet": one,
        "trades/symbol=ETH-USDT/date=2025-03-04/part-0.parquet": other,
    }
    session = opened(parts)
    assert words(session, "trades", "symbol") == ["BTC/USDT", "BTC/USDT", "ETH-USDT"]
    assert session.notes == ["trades: unknown columns, kept and ignored: date"]


def test_a_partition_may_be_a_number_or_empty(opened: Opened) -> None:
    one, other = trades(2).drop_columns("price"), trades(1, 5).drop_columns("price")
    parts = {
        "trades/price=1.5/aggressor=__HIVE_DEFAULT_PARTITION__/0.parquet": one,
        "trades/price=2/aggressor=sell/0.parquet": other,
    }
    session = opened(parts)
    assert session.table("trades").decimals("price").fractions() == [Fraction(3, 2)] * 2 + [Fraction(2)]
    assert words(session, "trades", "aggressor") == ["", "", "sell"]


def test_a_link_inside_the_folder_is_followed(write: Write) -> None:
    folder = write({"raw/day.csv": TRADES + TRADE})
    (folder / "trades.csv").symlink_to("raw/day.csv")
    assert len(open_session(folder).table("trades")) == 1


def test_what_is_unknown_gets_one_note_each(opened: Opened) -> None:
    header = TRADES.strip() + ",venue_id,checksum\n"
    tables: dict[str, Any] = {"trades.csv": header + TRADE.strip() + ",1,2\n", "candles.csv": "x\n", "README.md": "x"}
    tables |= {"depth/0.parquet": b"", "oi.parquet": b""}
    assert opened(tables).notes == [
        "unknown tables, kept and ignored: candles.csv, depth, oi.parquet",
        "trades.csv: unknown columns, kept and ignored: venue_id, checksum",
    ]


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2025-03-03T12:00:00Z", NOON),
        ("2025-03-03 12:00:00Z", NOON),
        ("2025-03-03T12:00:00+00:00", NOON),
        ("2025-03-03T17:30:00+05:30", NOON),
        ("2025-03-03T17:30:00+0530", NOON),
        ("2025-03-03T07:00:00-05", NOON),
        ("2025-03-03T12:00Z", NOON),
        ("2025-03-03T12:00:00.000000001Z", NOON + 1),
        ("2025-03-03T11:59:59.123456789-00:00", NOON - 876543211),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("1741003200000000001", NOON + 1),
        ("-1", -1),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0001741003200000000001", NOON + 1),
    ],
)
@pytest.mark.parametrize("beside", ["7", "1970-01-01T00:00:00.000000007Z"])
def test_a_time_is_exact_to_the_nanosecond(opened: Opened, text: str, ns: int, beside: str) -> None:
    session = opened({"equity.csv": f"ts_local,equity\n{beside},1\n{text},1\n"})
    assert session.table("equity").whole("ts_local").values.tolist() == [7, ns]
    assert session.notes == []


@pytest.mark.parametrize("text", ["2025-03-03T12:00:00", "2025-03-03 12:00:00.000000000", "2025-03-03T12:00"])
def test_a_time_without_an_offset_is_utc_with_one_note(opened: Opened, text: str) -> None:
    session = opened({"equity.csv": f"ts_local,equity\n7,1\n2025-03-03T13:00:00+01:00,1\n{text},1\n{text},1\n"})
    assert session.table("equity").whole("ts_local").values.tolist() == [7, NOON, NOON, NOON]
    assert session.notes == [f"equity, column ts_local: '{text}' has no offset; read as UTC"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_of_parquet_is_nanoseconds(opened: Opened, unit: str) -> None:
    values = [NOON // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit], None]
    at = pa.array(values, pa.timestamp(unit))
    session = opened({"trades.parquet": trades(2, ts_local=at)})
    local = session.table("trades").whole("ts_local")
    assert (local.values.tolist(), local.missing.tolist()) == ([NOON, 0], [False, True])
    assert len(session.notes) == 1 and "read as UTC" in session.notes[0]


# --- words, truth values, claims --------------------------------------------------------------------------------------

AWKWARD = [
    "a,b",
    'say "no"',
    "two\nlines",
    "two\r\nlines",
    " spaced ",
    "नमस्ते",
    "x" * 300_000,
    "nan",
    "NULL",
    "0",
    "-",
    "\\",
]


def test_awkward_text_comes_through_csv(opened: Opened) -> None:
    rows = "".join('1,"{}",b,sell\n'.format(text.replace('"', '""')) for text in AWKWARD)
    session = opened({"risk_events.csv": "ts_local,rule,event,side\n" + rows.replace(",b,", ",block,")})
    assert words(session, "risk_events", "rule") == AWKWARD


def test_text_of_many_lines_comes_through_a_file_of_many_blocks(opened: Opened) -> None:
    row = f'1,"two\nlines, {"x" * 3000}",block\n'
    session = opened({"risk_events.csv": "ts_local,rule,event\n" + row * 3000})
    assert len(session.table("risk_events", "rule")) == 3000
    assert len(session.table("risk_events", "rule").words("rule").names) == 1


def test_a_quote_inside_bare_text_is_text(opened: Opened) -> None:
    session = opened({"risk_events.csv": 'ts_local,rule,event\n1,5" disc,block\n'})
    assert words(session, "risk_events", "rule") == ['5" disc']


def test_a_symbol_with_a_comma_has_its_instrument(opened: Opened) -> None:
    instruments = 'symbol,kind,base,quote,tick_size,lot_size\n"BTC,PERP",linear,BTC,USDT,1,1\n'
    session = opened({"instruments.csv": instruments, "trades.csv": TRADES + TRADE.replace("BTC-USDT", '"BTC,PERP"')})
    need_instruments(session, "trades", session.table("trades").words("symbol"))
    assert session.table("trades").words("symbol").names == ("BTC,PERP",)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array(["a", None, "", "b", "a"]),
        pa.array(["a", None, "", "b", "a"], pa.large_string()),
        pa.array(["a", None, "", "b", "a"], pa.string_view()),
        pa.array([b"a", None, b"", b"b", b"a"], pa.binary()),
        pa.array(["a", None, "", "b", "a"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([2, None, 0, 3, 2], pa.int8()), pa.array(["", "unused", "a", "b"])),
    ],
)
def test_text_of_every_kind_gives_the_same_words(opened: Opened, ids: pa.Array) -> None:
    session = opened({"trades.parquet": trades(5, trade_id=ids)})
    column = session.table("trades").words("trade_id")
    assert column.names == ("a", "b")
    assert column.codes.tolist() == [0, -1, -1, 1, 0]
    assert column.missing.tolist() == [False, True, True, False, False]
    assert column.is_("b", "never").tolist() == [False, False, False, True, False]
    assert column.is_("never").tolist() == [False] * 5
    assert (column.code("b"), column.code("never")) == (1, -2)
    assert (column.text(0), column.text(1)) == ("a", "")


def test_whole_numbers_may_be_ids(opened: Opened) -> None:
    session = opened({"trades.parquet": trades(2, trade_id=pa.array([2**63 + 1, None], pa.uint64()))})
    assert words(session, "trades", "trade_id") == ["9223372036854775809", ""]


def test_words_of_several_batches_share_their_codes(opened: Opened) -> None:
    chance = np.random.default_rng(3)
    ids = [f"t{n}" for n in chance.integers(0, 50, 3000)]
    sink = io.BytesIO()
    pq.write_table(trades(3000, trade_id=ids), sink, row_group_size=70)
    parts = {"trades/0.parquet": sink.getvalue(), "trades/1.parquet": trades(2, trade_id=["new", ids[0]])}
    column = opened(parts).table("trades").words("trade_id")
    assert [column.text(row) for row in range(len(column))] == [*ids, "new", ids[0]]
    assert len(column.names) == len(set(ids)) + 1
    assert column.code("new") == column.codes[3000]
    assert column.codes[3001] == column.codes[0]


def test_ids_of_two_tables_are_kept_once(opened: Opened) -> None:
    said = "trade_id,symbol,side,used\n" + "".join(f"{id},BTC-USDT,buy,true\n" for id in ("t1", "t2", "t1"))
    session = opened({"trades.parquet": trades(2, trade_id=["t1", "t2"]), "bot_trades.csv": said})
    ids, same = (session.table(name).words("trade_id") for name in ("trades", "bot_trades"))
    assert same.dictionary is ids.dictionary
    assert words(session, "bot_trades", "trade_id") == ["t1", "t2", "t1"]


def test_truth_values_are_read_in_every_spelling(opened: Opened) -> None:
    texts = ["true", "True", "TRUE", "1", "false", "False", "0", ""]
    rows = "".join(f"1,c,m,{text}\n" for text in texts)
    applied = (
        opened({"messages.csv": "ts_local,channel,message_id,applied\n" + rows}).table("messages").whole("applied")
    )
    assert applied.values.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert applied.missing.tolist() == [False] * 7 + [True]


@pytest.mark.parametrize("values", [pa.array([True, False, None]), pa.array([1, 0, None], pa.int8())])
def test_truth_values_of_parquet(opened: Opened, values: pa.Array) -> None:
    table = pa.table({"ts_local": [1, 2, 3], "channel": ["c"] * 3, "message_id": ["m"] * 3, "applied": values})
    applied = opened({"messages.parquet": table.slice(0, 3)}).table("messages").whole("applied")
    assert (applied.values.tolist(), applied.missing.tolist()) == ([1, 0, 0], [False, False, True])


def test_a_claim_that_is_not_finite_is_marked_and_not_refused(opened: Opened) -> None:
    texts = ["1.5", "nan", "", "-Infinity", "1e-05"]
    rows = "".join(f"1,A,{text}\n" for text in texts)
    total = opened({"pnl.csv": "ts_local,symbol,total\n" + rows}).table("pnl").decimals("total")
    assert total.nan.tolist() == [False, True, False, True, False]
    assert total.missing.tolist() == [False, False, True, False, False]
    assert total.known.tolist() == [True, False, False, False, True]
    assert total.fractions() == [Fraction(3, 2), 0, 0, 0, Fraction(1, 100_000)]
    assert np.isnan(total.floats()).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("value", [1.5, 1.1e-17])
def test_a_float_claim_that_is_not_finite_is_marked_and_not_refused(opened: Opened, value: float) -> None:
    values = pa.array([value, float("nan"), None, float("-inf")])
    table = pa.table({"ts_local": [1] * 4, "symbol": ["A"] * 4, "total": values})
    total = opened({"pnl.parquet": table}).table("pnl").decimals("total")
    assert total.nan.tolist() == [False, True, False, True]
    assert total.missing.tolist() == [False, False, True, False]
    assert total.fraction(0) == Fraction(str(value))


def test_a_heartbeat_has_no_level(opened: Opened) -> None:
    rows = "1,1,A,1,delta,,,\n1,1,A,2,delta,bid,1.5,0\n"
    table = opened({"book.csv": "ts_exchange,ts_local,symbol,seq,kind,side,price,qty\n" + rows}).table("book")
    assert table.words("side").missing.tolist() == [True, False]
    assert table.decimals("price").missing.tolist() == [True, False]


# --- what is read, and when -------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record the columns that each pass over a file asks the readers for."""
    passes: list[list[str]] = []
    open_csv, iter_batches = pacsv.open_csv, pq.ParquetFile.iter_batches

    def counted_csv(stream: Any, **options: Any) -> Any:
        passes.append(options["convert_options"].include_columns)
        return open_csv(stream, **options)

    def counted_parquet(file: pq.ParquetFile, **options: Any) -> Any:
        passes.append(options["columns"])
        return iter_batches(file, **options)

    monkeypatch.setattr(pacsv, "open_csv", counted_csv)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted_parquet)
    return passes


LARGE = TRADES + TRADE * 70_000  # a little over 4 MiB


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_only_the_columns_that_are_asked_for_are_read_of_a_large_table(
    write: Write, asked: list[list[str]], form: str
) -> None:
    chance = np.random.default_rng(5)
    noise = pa.array(chance.integers(0, 2**62, 300_000))
    content = LARGE if form == "csv" else trades(300_000, price=pa.array(chance.random(300_000)), venue_id=noise)
    session = open_session(write({f"trades.{form}": content}))
    assert asked == []
    session.table("trades", "price")
    session.table("trades", "price")
    assert asked == [["price"]]
    table = session.table("trades", "symbol", "price", "qty")
    assert asked == [["price"], ["symbol", "qty"]]
    assert set(table.columns) == {"price", "symbol", "qty"}


def test_a_large_table_is_counted_by_one_column_where_none_of_those_asked_for_is_there(
    write: Write, asked: list[list[str]]
) -> None:
    session = open_session(write({"pnl.csv": "ts_local,symbol\n" + "1741003200000000000,BTC-USDT\n" * 200_000}))
    table = session.table("pnl", "realized", "fees")
    assert asked == [["ts_local"]]
    assert len(table) == len(table.decimals("fees")) == 200_000
    assert table.decimals("fees").missing.all()


def test_a_small_table_is_read_whole_and_once(write: Write, asked: list[list[str]]) -> None:
    session = open_session(write({"trades.csv": TRADES + TRADE * 3}))
    assert asked == [TRADES.strip().split(",")]
    session.table("trades", "price")
    session.table("trades")
    assert len(asked) == 1


def test_the_header_of_a_large_table_is_checked_when_it_is_opened(write: Write, asked: list[list[str]]) -> None:
    folder = write({"trades.csv": LARGE.replace("aggressor", "taker", 1)})
    assert open_session(folder).notes == ["trades.csv: unknown columns, kept and ignored: taker"]
    assert asked == []


@pytest.mark.parametrize("fee", ["0.5", "1e-05"])
def test_opening_a_session_does_not_import_what_takes_longer(write: Write, root: Path, fee: str) -> None:
    code = """
import sys
from mmverify.session import open_session
session = open_session(sys.argv[1])
assert session.has("trades", "pnl", "marks") and len(session.table("trades")) == 3
print([name for name in ("pandas", "matplotlib", "scipy", "pyarrow.dataset") if name in sys.modules])
"""
    pnl = f"ts_local,symbol,fees,total\n2025-03-03T12:00:00Z,A,{fee},nan\n2025-03-03T12:00:00,A,-1,{2**70}\n"
    marks = pa.table({"ts_exchange": [1, 2], "symbol": ["A", "A"], "mark": [1 / 3, None], "last": [0.5, 1.5]})
    folder = write({"trades.parquet": trades(3, trade_id=["a", "", None]), "pnl.csv": pnl, "marks.parquet": marks})
    run = subprocess.run([sys.executable, "-c", code, folder], cwd=root, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\n", "")
