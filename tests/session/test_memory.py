"""A large table takes little more than its arrays: no Python object a row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from mmverify.session import columns
from mmverify.session.columns import Builder
from mmverify.session.schema import TABLES

MIB = 2**20
_CHILD = r"""
import json, pathlib, re, resource, sys
from mmverify.session import open_session

def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # ru_maxrss begins with what the parent had
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

session = open_session(sys.argv[1])
before = peak()
table = session.table(sys.argv[2])
arrays = [
    array
    for column in table.columns.values()
    for array in vars(column).values()
    if hasattr(array, "nbytes") and hasattr(array, "dtype")
]
held = sum(array.nbytes for array in arrays)
print(json.dumps({"rows": len(table), "arrays": held, "grown": peak() - before, "peak": peak()}))
"""


def book(rows: int) -> pa.Table:
    """Make book updates as a venue sends them."""
    chance = np.random.default_rng(1)
    at = 1741003200000000000 + np.cumsum(chance.integers(0, 2_000_000, rows))
    ticks = pa.array(6_000_000 + chance.integers(-5000, 5000, rows))
    lots = pa.array(chance.integers(0, 10**7, rows))
    return pa.table(
        {
            "ts_exchange": at,
            "ts_local": at + 1_000_000,
            "symbol": pa.array(["BTC-USDT", "ETH-USDT"]).take(pa.array(chance.integers(0, 2, rows))),
            "seq": np.arange(rows),
            "prev_seq": np.arange(rows) - 1,
            "kind": pa.array(["delta"]).take(pa.array(np.zeros(rows, dtype=int))),
            "side": pa.array(["bid", "ask"]).take(pa.array(chance.integers(0, 2, rows))),
            "price": pc.divide(pc.cast(ticks, pa.decimal128(19, 0)), pa.scalar(100, pa.decimal128(5, 2))).cast(
                pa.decimal128(18, 2), safe=False
            ),
            "qty": pc.divide(pc.cast(lots, pa.float64()), 1e5),
        }
    )


def measured(folder: Path, table: str = "book") -> dict[str, int]:
    """Open a session in a process of its own and read a table whole."""
    run = subprocess.run(
        [sys.executable, "-c", _CHILD, folder, table],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert run.stderr == ""
    found: dict[str, int] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_two_million_book_rows_show_that_ten_million_fit_in_2_gib(tmp_path: Path, form: str) -> None:
    rows = 2_000_000
    (tmp_path / "session.toml").touch()
    table = book(rows)
    if form == "parquet":
        pq.write_table(table, tmp_path / "book.parquet", row_group_size=500_000)
    else:
        pacsv.write_csv(table, tmp_path / "book.csv")
    found = measured(tmp_path)
    assert found["rows"] == rows
    assert found["arrays"] < 75 * rows  # nine columns: 8 + 1 bytes each, 4 a word, 11 a decimal
    transient = 300 * MIB  # of the readers, whatever the size of the file
    assert found["grown"] < 1.6 * found["arrays"] + transient
    fixed = found["peak"] - found["grown"] + transient
    assert fixed + 5 * 1.6 * found["arrays"] < 1600 * MIB


# --- no Python object a row -------------------------------------------------------------------------------------------

ROWS = 200_000
PRINTED = ["1e-05", "0.25", "-1.5E-7", "61800.2", "12"]


def spread(values: list[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Repeat a few values over many rows."""
    return pa.array(values, kind).take(pa.array(np.arange(ROWS) % len(values)))


@pytest.mark.parametrize(
    "values",
    [
        spread(PRINTED, pa.large_string()),
        spread([f"{value:.8f}" for value in (0.1, -2.5, 61800.2)]),
        spread([float(text) for text in PRINTED]),
        spread([2 / 7, 1.2345678901234, 1e-05, 0.1 + 0.2]),
        spread(["1.5", None, "nan", ""]),
        spread([1.5, None, float("inf")]),
        spread([3, None, -5]),
    ],
)
def test_decimals_that_fit_int64_are_never_python_integers(monkeypatch: pytest.MonkeyPatch, values: pa.Array) -> None:
    def by_object(ints: Any) -> Any:
        raise AssertionError(f"{len(ints)} numbers were read as Python integers")

    monkeypatch.setattr(columns, "narrow", by_object)
    builder = Builder(TABLES["pnl"]["fees"])
    builder.add(values)
    found = builder.column_data()
    assert found.ints.dtype == np.int64 and len(found) == ROWS


def test_a_million_distinct_ids_are_not_a_million_strings(tmp_path: Path) -> None:
    rows = 1_000_000
    (tmp_path / "session.toml").touch()
    ids = pc.cast(pa.array(np.arange(rows)), pa.string())
    trades = {"ts_exchange": np.arange(rows), "ts_local": np.arange(rows), "symbol": spread_ids(rows), "trade_id": ids}
    prices = {"price": np.full(rows, 1.5), "qty": np.full(rows, 0.5)}
    pq.write_table(pa.table(trades | prices), tmp_path / "trades.parquet")
    found = measured(tmp_path, "trades")
    assert found["rows"] == rows
    assert found["grown"] < 400 * MIB


def spread_ids(rows: int) -> pa.Array:
    return pa.array(["BTC-USDT"]).take(pa.array(np.zeros(rows, dtype=int)))
