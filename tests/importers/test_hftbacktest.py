"""Captures of Binance's streams, turned into sessions: tiny ones made by hand, and recorded ones."""

from __future__ import annotations

import gzip
import json
import os
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from mmverify.cli import main
from mmverify.errors import EvidenceError
from mmverify.importers import _parts, import_session
from mmverify.review.engine import review
from mmverify.session import open_session

T = 1_723_161_255_000  # ms
NS = T * 10**6


def line(at: int, message: dict[str, Any]) -> str:
    """One line of a capture; the bot's clock is 1 s behind."""
    return f"{NS - 10**9 + at} {json.dumps(message)}\n"


def update(at: int, stream: str, **data: Any) -> str:
    return line(at, {"stream": stream, "data": data})


def depth(at: int, first: int, last: int, bids: list[list[str]], asks: list[list[str]], **more: Any) -> str:
    data = {"e": "depthUpdate", "E": T + 5, "s": "ABCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return update(at, "abcusdt@depth@100ms", **(data | more))


def trade(at: int, id: int, price: str, qty: str, maker: bool, **more: Any) -> str:
    data = {"e": "trade", "E": T + 9, "T": T + 7, "s": "ABCUSDT", "t": id, "p": price, "q": qty, "m": maker}
    return update(at, "abcusdt@trade", **(data | more))


SPOT = (
    line(1, {"lastUpdateId": 13, "bids": [["10.50", "1.00"]], "asks": [["10.75", "2.00"], ["11.00", "3.00"]]})
    + depth(2, 11, 12, [["10.25", "4.00"]], [])
    + depth(3, 13, 15, [["10.50", "0.00"]], [["10.75", "0.50"]])
    + depth(4, 16, 16, [], [])
    + update(5, "abcusdt@bookTicker", u=16, s="ABCUSDT", b="10.25", B="4.00", a="10.75", A="0.50")
    + trade(6, 100, "10.75", "1.50", False, M=True)
    + trade(7, 101, "10.25", "0.25", True, M=True)
)
# ts_exchange - NS, ts_local - NS + 1 s, seq, prev_seq, kind, side, price, qty
SPOT_BOOK = [
    (None, 1, 13, None, "snapshot", "bid", "10.50", "1.00"),
    (None, 1, 13, None, "snapshot", "ask", "10.75", "2.00"),
    (None, 1, 13, None, "snapshot", "ask", "11.00", "3.00"),
    (5_000_000, 2, 12, 10, "delta", "bid", "10.25", "4.00"),
    (5_000_000, 3, 15, 12, "delta", "bid", "10.50", "0.00"),
    (5_000_000, 3, 15, 12, "delta", "ask", "10.75", "0.50"),
    (5_000_000, 4, 16, 15, "delta", None, None, None),
]


def capture(folder: Path, text: str, name: str = "capture.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ds.dataset(out / name).to_table().to_pylist()
    return found


def book(out: Path) -> list[tuple[Any, ...]]:
    names = ("seq", "prev_seq", "kind", "side")
    return [
        (row["ts_exchange"] and row["ts_exchange"] - NS, row["ts_local"] - NS + 10**9, *(row[name] for name in names),
         *(None if row[name] is None else str(row[name]) for name in ("price", "qty")))
        for row in rows(out, "book")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["capture.gz", "capture.txt"])
def test_spot_book_and_trades(tmp_path: Path, name: str) -> None:
    import_session("hftbacktest", capture(tmp_path, SPOT, name), tmp_path / "out")
    assert book(tmp_path / "out") == SPOT_BOOK
    assert rows(tmp_path / "out", "trades") == [
        {"ts_exchange": NS + 7_000_000, "ts_local": NS - 10**9 + at, "symbol": "ABCUSDT", "trade_id": id,
         "aggressor": side, "price": Decimal(price), "qty": Decimal(qty)}
        for at, id, side, price, qty in ((6, "100", "buy", "10.75", "1.50"), (7, "101", "sell", "10.25", "0.25"))
    ]  # fmt: skip
    assert tomllib.loads((tmp_path / "out" / "session.toml").read_text()) == {"session": {"venue": "Binance"}}


def test_what_is_read_off_and_left_out_is_said(tmp_path: Path) -> None:
    notes = import_session("hftbacktest", capture(tmp_path, SPOT), tmp_path / "out")
    # all prices and quantities are multiples of 0.25; of 1, 2 and 5 times a power of ten 0.05 divides it
    assert rows(tmp_path / "out", "instruments") == [
        {"symbol": "ABCUSDT", "kind": "spot", "base": "ABC", "quote": "USDT", "settle": "USDT",
         "tick_size": Decimal("0.05"), "lot_size": Decimal("0.05"), "multiplier": Decimal(1)}
    ]  # fmt: skip
    assert notes == [
        "1 messages of bookTicker left out",
        "instruments: ABCUSDT is taken for spot, ABC in USDT; tick 0.05 and lot 0.05 are read off its prices and "
        "quantities",
    ]


def test_futures_number_by_pu_and_time_by_the_transaction(tmp_path: Path) -> None:
    text = (
        line(1, {"lastUpdateId": 13, "E": T + 4, "T": T + 3, "bids": [["10.50", "1.000"]], "asks": []})
        + depth(2, 11, 20, [["10.25", "4.000"]], [], T=T + 2, pu=9)
        + trade(3, 100, "10.75", "1.500", False, X="MARKET")
        + trade(4, 101, "0", "0", False, X="NA")
        + trade(5, 102, "10.75", "9.000", False, X="INSURANCE_FUND")
    )
    notes = import_session("hftbacktest", capture(tmp_path, text), tmp_path / "out")
    assert book(tmp_path / "out") == [
        (3_000_000, 1, 13, None, "snapshot", "bid", "10.50", "1.000"),
        (2_000_000, 2, 20, 9, "delta", "bid", "10.25", "4.000"),
    ]
    assert [row["trade_id"] for row in rows(tmp_path / "out", "trades")] == ["100"]
    assert [row["kind"] for row in rows(tmp_path / "out", "instruments")] == ["linear"]
    assert notes[0] == "2 trades that were none of the market (X is not MARKET) left out"


@pytest.mark.parametrize(("base", "worth"), [("ETH", "10"), ("BTC", "100")])
def test_coin_margined_contracts_are_worth_what_binance_lists(tmp_path: Path, base: str, worth: str) -> None:
    symbol = f"{base}USD_PERP"
    text = line(1, {"lastUpdateId": 13, "E": T, "T": T, "symbol": symbol, "bids": [["10.50", "7"]], "asks": []})
    text += depth(2, 11, 20, [["10.25", "4"]], [], T=T + 2, pu=9, s=symbol, ps=f"{base}USD")
    import_session("hftbacktest", capture(tmp_path, text), tmp_path / "out")
    (row,) = rows(tmp_path / "out", "instruments")
    assert (row["kind"], row["base"], row["quote"], row["settle"]) == ("inverse", base, "USD", base)
    assert (row["multiplier"], row["lot_size"], row["tick_size"]) == (Decimal(worth), 1, Decimal("0.05"))


def test_microseconds_are_told_by_their_digits(tmp_path: Path) -> None:
    text = depth(2, 11, 12, [["10.25", "4.00"]], [], E=T * 1000 + 7)
    import_session("hftbacktest", capture(tmp_path, text), tmp_path / "out")
    assert [row[0] for row in book(tmp_path / "out")] == [7000]


def test_parts_join_to_one_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmverify.importers.hftbacktest.ROWS", 2)
    import_session("hftbacktest", capture(tmp_path, SPOT), tmp_path / "out")
    assert len(list((tmp_path / "out" / "book").iterdir())) == 3
    session = open_session(tmp_path / "out")
    assert {name: len(session.table(name)) for name in session.sources} == {"book": 7, "instruments": 1, "trades": 2}
    assert session.notes == []
    assert session.table("book").decimals("price").fraction(0) == Decimal("10.50")


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    notes = import_session("hftbacktest", capture(tmp_path, SPOT[:-40]), tmp_path / "out")
    assert notes[0] == "line 7, the last, is cut off and was left out"
    assert len(rows(tmp_path / "out", "trades")) == 1


def test_a_book_without_snapshot_is_said(tmp_path: Path) -> None:
    notes = import_session("hftbacktest", capture(tmp_path, depth(2, 11, 12, [["1", "4"]], [])), tmp_path / "out")
    assert notes[0] == "book: the capture has no snapshot; levels that did not change in it are missing"


def test_an_unknown_quote_makes_no_instrument(tmp_path: Path) -> None:
    text = depth(2, 11, 12, [["1", "4"]], [], s="ABCXYZ")
    notes = import_session("hftbacktest", capture(tmp_path, text), tmp_path / "out")
    assert not (tmp_path / "out" / "instruments").exists()
    assert notes[1].startswith("no instrument for ABCXYZ: its terms are not known")


BAD = {
    "not JSON": (f"{NS} {{no\n", "row 1"),
    "no time": ("x {}\n", "row 1"),
    "a time in seconds": (depth(1, 1, 2, [], [], E=T // 1000), "is no time in ms or us"),
    "no update id": (depth(1, 1, 2, [["1", "2"]], []).replace('"u"', '"v"'), "row 1"),
    "a price that is none": (depth(1, 1, 2, [["x", "2"]], []), "'x'; should be a number of 0 or more"),
    "a negative quantity": (depth(1, 1, 2, [["1", "-2"]], []), "'-2'; should be a number of 0 or more"),
    "nothing of the market": (update(1, "a@bookTicker", u=1, s="A"), "neither depth updates nor trades"),
    "snapshots that may be of either": (SPOT + depth(9, 1, 2, [], [], s="DEFUSDT"), "snapshots without a symbol"),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_refused_and_leaves_nothing(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(EvidenceError, match=r"capture\.gz") as error:
        import_session("hftbacktest", capture(tmp_path, text), tmp_path / "out")
    assert says in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["capture.gz"]


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    path = capture(tmp_path, SPOT * 50)
    path.write_bytes(path.read_bytes()[:-9])
    for source in (path, tmp_path / "absent", tmp_path):
        with pytest.raises(EvidenceError):
            import_session("hftbacktest", source, tmp_path / "out")


@pytest.mark.parametrize(
    ("common", "size"),
    [("8531.5", "0.5"), ("30", "10"), ("0.02", "0.02"), ("0.25", "0.05"), ("7", "1"), ("200", "200")],
)
def test_an_increment_is_1_2_or_5_times_a_power_of_ten(common: str, size: str) -> None:
    from fractions import Fraction

    assert _parts.increment(Fraction(common)) == Decimal(size)


# --- the recorded captures --------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
CAPTURES = SHARED / "hftbacktest"
recorded = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the recorded captures are not at hand")
# lines of each kind, counted with grep and wc; whether a snapshot is among them
LINES = {
    "cm/ethusd_perp_20240808": (22909, 1732, True),
    "spot/btcusdt_20240808": (3451, 9757, True),
    "spot/btcusdt_20240809": (3044, 10147, False),
}


@recorded
@pytest.mark.parametrize("name", LINES)
def test_a_recorded_capture_has_no_gap_and_a_clock_that_is_behind(name: str, tmp_path: Path) -> None:
    from mmverify.checks.s3_1_feed import feeds

    updates, trades, has_snapshot = LINES[name]
    assert main(["import", "hftbacktest", str(CAPTURES / f"{name}.gz"), str(tmp_path / "out")]) == 0
    session = open_session(tmp_path / "out")
    assert session.notes == []
    assert len(session.table("trades")) == trades
    (feed,) = feeds(session).values()
    assert len(feed.starts) == updates + has_snapshot
    assert len(feed.told.gaps) == 0
    if has_snapshot:
        assert feed.told.chained > 0.99 * updates
    assert not feed.crossed.any()
    seen = review([session], focus=["4.1"], today=date(2026, 1, 2))
    assert seen.errors == ()
    (finding,) = seen.findings
    assert finding.item == "4.1.2" and finding.key == "clock"
    behind = float(finding.current.split(" at least ")[1].split(" ms ")[0])
    assert 1260 < behind < 1280
