"""The freqtrade importer: small databases written by hand, of old and new form, and recorded ones where at hand."""

from __future__ import annotations

import os
import sqlite3
import tomllib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mmverify.errors import EvidenceError
from mmverify.importers import formats, import_session
from mmverify.session.load import open_session

SECOND = 10**9
DAY = 1_619_568_000 * SECOND  # 2021-04-28T00:00:00Z
OLD_TRADE = (
    "id INTEGER PRIMARY KEY, exchange VARCHAR, pair VARCHAR, is_open BOOLEAN, fee_open FLOAT, fee_open_cost FLOAT, "
    "fee_open_currency VARCHAR, fee_close FLOAT, fee_close_cost FLOAT, fee_close_currency VARCHAR, open_date DATETIME, "
    "close_date DATETIME, close_profit_abs FLOAT, amount FLOAT"
)
OLD_ORDER = (
    "id INTEGER PRIMARY KEY, ft_trade_id INTEGER, ft_order_side VARCHAR, ft_pair VARCHAR, order_id VARCHAR, "
    "status VARCHAR, order_type VARCHAR, side VARCHAR, price FLOAT, amount FLOAT, filled FLOAT, cost FLOAT, "
    "order_date DATETIME, order_filled_date DATETIME, order_update_date DATETIME"
)
NEW_TRADE = (
    ", base_currency VARCHAR, stake_currency VARCHAR, is_short BOOLEAN, trading_mode VARCHAR, amount_precision FLOAT, "
    "price_precision FLOAT, precision_mode INTEGER, precision_mode_price INTEGER, funding_fees FLOAT"
)
NEW_ORDER = ", average FLOAT, ft_fee_base FLOAT"


def clock(text: str | None) -> str | None:
    return None if text is None else f"2021-04-28 {text}"


def trade(
    id: int, pair: str, opened: str, closed: str | None, profit: float | None, amount: float, *new: Any,
    entry: tuple[float, float | None, str | None] = (0.001, None, None),
    exit: tuple[float, float | None, str | None] = (0.002, None, None),
) -> tuple[Any, ...]:  # fmt: skip
    fixed = (id, "binance", pair, closed is None, *entry, *exit, clock(opened), clock(closed), profit, amount)
    return (*fixed, *new)


def order(
    trade: int, side: str, pair: str, id: str, status: str, type: str, price: float | None, amount: float,
    filled: float, cost: float | None, *times: str | None, new: tuple[Any, ...] = (), taken: str | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    fixed = (None, trade, side, pair, id, status, type, taken, price, amount, filled, cost)
    return (*fixed, *(clock(each) for each in times), *new)


def database(path: Path, trades: list[tuple[Any, ...]], orders: list[tuple[Any, ...]], *, new: bool) -> Path:
    connection = sqlite3.connect(path)
    for name, columns, rows in (
        ("trades", OLD_TRADE + NEW_TRADE * new, trades),
        ("orders", OLD_ORDER + NEW_ORDER * new, orders),
    ):
        connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    return path


# Old form: the live fee is kept in the coin on the way in; the limit price is not what was paid on the way out.
OLD = (
    [
        trade(1, "SOL/BTC", "06:10:15", "06:24:21.790957", 0.0004401, 9.99,
              entry=(0.001, 0.01, "SOL"), exit=(0.0009, 0.0000065, "BTC")),
        trade(2, "SOL/BTC", "07:00:00", "07:30:00", -0.0001, 5.0,
              entry=(0.001, 0.005, "SOL"), exit=(0.001, 0.0000025, "BTC")),
    ],
    [
        order(1, "buy", "SOL/BTC", "11", "closed", "limit", 0.0005, 10.0, 10.0, 0.005,
              "06:10:15.066000", "06:10:29.365759", "06:10:29.365801"),
        order(1, "sell", "SOL/BTC", "12", "closed", "limit", 0.0006, 9.0, 9.0, 0.00549,
              "06:24:17", "06:24:21.258634", "06:24:21.258661"),
        order(2, "buy", "SOL/BTC", "13", "closed", "limit", 0.0005, 5.0, 5.0, 0.0025,
              "07:00:00", "07:00:01", "07:00:01"),
        order(2, "stoploss", "SOL/BTC", "14", "canceled", "stop_loss_limit", 0.00045, 5.0, 0.0, None,
              "07:00:02", None, "07:10:00"),
        order(2, "sell", "SOL/BTC", "15", "closed", "market", 0.0004, 5.0, 5.0, 0.002, "07:10:01", "07:30:00", None),
    ],
)  # fmt: skip
# order_date after the day's start in ns, order, event, side, type, price, qty, exec_id
OLD_EVENTS = [
    (22215.066, "11", "submit", "buy", "limit", 0.0005, 10.0, None),
    (22215.066, "11", "ack", "buy", None, None, None, None),
    (22229.365759, "11", "fill", "buy", None, None, None, "11"),
    (23057, "12", "submit", "sell", "limit", 0.0006, 9.0, None),
    (23057, "12", "ack", "sell", None, None, None, None),
    (23061.258634, "12", "fill", "sell", None, None, None, "12"),
    (25200, "13", "submit", "buy", "limit", 0.0005, 5.0, None),
    (25200, "13", "ack", "buy", None, None, None, None),
    (25201, "13", "fill", "buy", None, None, None, "13"),
    (25202, "14", "submit", "sell", "stop_loss_limit", 0.00045, 5.0, None),
    (25202, "14", "ack", "sell", None, None, None, None),
    (25800, "14", "cancel_ack", "sell", None, None, None, None),
    (25801, "15", "submit", "sell", "market", None, 5.0, None),
    (25801, "15", "ack", "sell", None, None, None, None),
    (27000, "15", "fill", "sell", None, None, None, "15"),
]
# By hand: 0.005 / 10, 0.00549 / 9 (not the limit 0.0006), 0.0025 / 5, 0.002 / 5
OLD_FILLS = [
    (22229.365759, "11", "buy", 0.0005, 10.0, 0.01, "SOL"),
    (23061.258634, "12", "sell", 0.00061, 9.0, 0.0000065, "BTC"),
    (25201, "13", "buy", 0.0005, 5.0, 0.005, "SOL"),
    (27000, "15", "sell", 0.0004, 5.0, 0.0000025, "BTC"),
]

SPOT = ("SOL", "USDT", False, "SPOT", 0.001, 2, 4, 2, 0.0)  # price: two decimal places; quantity: steps of 0.001
# New form, in USDT: two entries, one of them amended away half filled; then a trade that is open.
NEW = (
    [
        trade(1, "SOL/USDT", "06:00:00", "08:00:00", 1.9805, 1.5, *SPOT, entry=(0.001, 0.15, "")),
        trade(2, "SOL/USDT", "09:00:00", None, None, 2.0, *SPOT, entry=(0.001, None, None)),
    ],
    [
        order(1, "buy", "SOL/USDT", "a", "closed", "limit", 100.0, 1.0, 1.0, 100.1, "06:00:00", "06:00:00", None,
              new=(100.0, None)),
        order(1, "buy", "SOL/USDT", "b", "canceled", "limit", 99.0, 1.0, 0.5, 49.5495, "06:30:00", None, "07:00:00",
              new=(99.0, 0.0)),
        order(1, "sell", "SOL/USDT", "c", "closed", "limit", 101.25, 1.5, 1.5, 151.875, "07:30:00", "08:00:00", None,
              new=(101.25, None)),
        order(2, "buy", "SOL/USDT", "d", "closed", "limit", 98.0, 2.0, 2.0, 196.0, "09:00:00", "09:00:05", None,
              new=(98.0, None)),
        order(2, "sell", "SOL/USDT", "e", "open", "limit", 105.0, 2.0, 0.0, None, "09:01:00", None, None,
              new=(None, None)),
        order(2, "sell", "SOL/USDT", "f", "rejected", "limit", 105.0, 2.0, 0.0, None, "09:02:00", None, "09:02:01",
              new=(None, None)),
        order(2, "sell", "SOL/USDT", "g", "expired", "limit", 105.0, 2.0, 0.0, None, "09:03:00", None, "09:04:00",
              new=(None, None)),
    ],
)  # fmt: skip


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return database(tmp_path / "tradesv3.sqlite", *OLD, new=False)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return database(tmp_path / "tradesv3.sqlite", *NEW, new=True)


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(out / f"{name}.parquet").to_pylist()


def at(seconds: float) -> int:
    return DAY + int(Decimal(repr(seconds)) * SECOND)


# --- the session that comes out ---------------------------------------------------------------------------------------


def test_order_is_submit_answer_and_last_state(old: Path, tmp_path: Path) -> None:
    import_session("freqtrade", old, tmp_path / "out")
    names = ("order_id", "event", "side", "type", "price", "qty", "exec_id")
    found = [(row["ts_local"], *(row[name] for name in names)) for row in rows(tmp_path / "out", "order_events")]
    assert found == [(at(seconds), *cells) for seconds, *cells in OLD_EVENTS]
    assert {row["client_order_id"] for row in rows(tmp_path / "out", "order_events")} == {None}


def test_fill_is_all_that_its_order_executed_at_what_it_cost(old: Path, tmp_path: Path) -> None:
    import_session("freqtrade", old, tmp_path / "out")
    names = ("exec_id", "side", "price", "qty", "fee", "fee_asset")
    found = [(row["ts_local"], *(row[name] for name in names)) for row in rows(tmp_path / "out", "fills")]
    assert found == [(at(seconds), *cells) for seconds, *cells in OLD_FILLS]


def test_coin_that_fees_are_kept_of_has_no_position_and_the_first_trade_its_profit(old: Path, tmp_path: Path) -> None:
    notes = import_session("freqtrade", old, tmp_path / "out")
    assert not (tmp_path / "out" / "positions.parquet").exists()
    (row,) = rows(tmp_path / "out", "pnl")
    assert row == {
        "ts_local": at(23061.790957),
        "symbol": "SOL/BTC",
        "realized": Decimal("0.00044010"),
        "currency": "BTC",
    }
    assert row["realized"].as_tuple().exponent == -8
    assert notes == [
        "no instruments: the database has neither tick size nor lot size; an instruments.csv in the session folder "
        "gives them",
        "positions of SOL/BTC left out: fees were kept in its coin, and freqtrade counts trades",
        "pnl: the profit of 1 of 2 closed trades left out: not the first of its pair (a sum of rounded profits is no "
        "claim), or more was sold than was bought, or funding or interest is in it",
    ]


def test_profit_of_a_trade_that_sold_more_than_it_bought_is_left_out(tmp_path: Path) -> None:
    trades, orders = OLD
    sold = (*orders[1][:9], 10.0, 10.0, 0.0061, *orders[1][12:])
    path = database(tmp_path / "tradesv3.sqlite", trades, [orders[0], sold, *orders[2:]], new=False)
    import_session("freqtrade", path, tmp_path / "out")
    assert not (tmp_path / "out" / "pnl.parquet").exists()


def test_new_form_keeps_what_ended_an_order_half_way(new: Path, tmp_path: Path) -> None:
    import_session("freqtrade", new, tmp_path / "out")
    events: dict[str, list[str]] = {}
    for row in rows(tmp_path / "out", "order_events"):
        events.setdefault(row["order_id"], []).append(row["event"])
    assert events == {
        "a": ["submit", "ack", "fill"],
        "b": ["submit", "ack", "partial_fill", "cancel_ack"],
        "c": ["submit", "ack", "fill"],
        "d": ["submit", "ack", "fill"],
        "e": ["submit", "ack"],
        "f": ["submit", "reject"],
        "g": ["submit", "ack", "expire"],
    }


def test_fee_is_by_the_trades_rate_where_no_order_has_its_own(new: Path, tmp_path: Path) -> None:
    notes = import_session("freqtrade", new, tmp_path / "out")
    found = [(row["exec_id"], row["fee"], row["fee_asset"]) for row in rows(tmp_path / "out", "fills")]
    # 0.001 x 100 x 1; 0.001 x 99 x 0.5; 0.002 x 101.25 x 1.5; 0.001 x 98 x 2
    assert found == [("a", 0.1, "USDT"), ("b", 0.0495, "USDT"), ("c", 0.30375, "USDT"), ("d", 0.196, "USDT")]
    assert notes == ["fills: 4 have no fee of their own: the trade's rate times price times quantity"]


def test_fee_of_an_order_in_the_coin_goes_before_that_of_its_trade(tmp_path: Path) -> None:
    trades, orders = NEW
    kept = (*orders[0][:-1], 0.001)
    path = database(tmp_path / "tradesv3.sqlite", trades, [kept, *orders[1:]], new=True)
    import_session("freqtrade", path, tmp_path / "out")
    row = rows(tmp_path / "out", "fills")[0]
    assert (row["fee"], row["fee_asset"]) == (0.001, "SOL")


def test_position_is_flat_after_a_trade_and_the_amount_of_one_that_is_open(new: Path, tmp_path: Path) -> None:
    import_session("freqtrade", new, tmp_path / "out")
    found = [(row["ts_local"], row["qty"], row["source"]) for row in rows(tmp_path / "out", "positions")]
    assert found == [(at(28800), 0.0, "bot"), (at(32405), 2.0, "bot")]


def test_market_is_by_the_precision_kept_with_a_trade(new: Path, tmp_path: Path) -> None:
    import_session("freqtrade", new, tmp_path / "out")
    (row,) = rows(tmp_path / "out", "instruments")
    assert row == {
        "symbol": "SOL/USDT",
        "kind": "spot",
        "base": "SOL",
        "quote": "USDT",
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.001"),
    }


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"precision_mode_price": 3}, "neither tick size nor lot size"),  # significant digits are no step
        ({"price_precision": None}, "neither tick size nor lot size"),
        ({"trading_mode": "FUTURES"}, "no contract terms of FUTURES"),
    ],
)
def test_no_market_where_its_terms_are_not_known(new: Path, tmp_path: Path, terms: dict[str, Any], why: str) -> None:
    change(new, "trades", **terms)
    notes = import_session("freqtrade", new, tmp_path / "out")
    assert not (tmp_path / "out" / "instruments.parquet").exists()
    assert notes[1].startswith(f"no instruments: the database has {why};")


def test_trades_beside_each_other_make_no_position(new: Path, tmp_path: Path) -> None:
    change(new, "trades", open_date="2021-04-28 07:59:59")
    notes = import_session("freqtrade", new, tmp_path / "out")
    assert "positions and pnl of SOL/USDT left out: trades beside each other" in notes
    assert not {"positions.parquet", "pnl.parquet"} & {path.name for path in (tmp_path / "out").iterdir()}


def test_short_trade_is_entered_by_a_sell(tmp_path: Path) -> None:
    trades, orders = NEW
    short = (*trades[1][:-7], True, *trades[1][-6:])
    entry = (None, 2, "sell", *orders[3][3:])
    cover = order(2, "stoploss", "SOL/USDT", "h", "open", "stop", 120.0, 2.0, 0.0, None, "09:05:00", None, None,
                  new=(None, None))  # fmt: skip
    path = database(tmp_path / "tradesv3.sqlite", [trades[0], short], [*orders[:3], entry, cover], new=True)
    import_session("freqtrade", path, tmp_path / "out")
    assert [row["qty"] for row in rows(tmp_path / "out", "positions")] == [0.0, -2.0]
    sides = {row["order_id"]: row["side"] for row in rows(tmp_path / "out", "order_events")}
    assert (sides["d"], sides["h"]) == ("sell", "buy")


def test_session_toml_and_tables_open(new: Path, tmp_path: Path) -> None:
    import_session("freqtrade", new, tmp_path / "out")
    assert tomllib.loads((tmp_path / "out" / "session.toml").read_text()) == {
        "session": {"bot": "freqtrade", "fills_from": "bot", "venue": "binance", "currency": "USDT"},
        "conventions": {"cost_basis": "average", "realized": "net"},
    }
    session = open_session(tmp_path / "out")
    assert {name: len(session.table(name)) for name in session.sources} == {
        "fills": 4,
        "instruments": 1,
        "order_events": 20,
        "pnl": 1,
        "positions": 2,
    }
    assert session.notes == []
    assert "freqtrade" in formats()


def test_dry_run_is_said_and_its_fills_are_the_venues_where_all_is_dry(old: Path, tmp_path: Path) -> None:
    change(old, "orders", order_id="dry_run_buy_1")
    notes = import_session("freqtrade", old, tmp_path / "one")
    assert "orders: 1 of 5 are of a dry run: freqtrade simulated them" in notes
    sql("UPDATE orders SET order_id = 'dry_run_' || id")(old)
    notes = import_session("freqtrade", old, tmp_path / "all")
    assert "orders: 5 of 5 are of a dry run: freqtrade simulated them" in notes
    stated = [tomllib.loads((tmp_path / name / "session.toml").read_text())["session"] for name in ("one", "all")]
    assert [each["fills_from"] for each in stated] == ["bot", "venue"]


def test_filled_order_without_price_and_cost_makes_no_fill(old: Path, tmp_path: Path) -> None:
    change(old, "orders", cost=None)
    notes = import_session("freqtrade", old, tmp_path / "out")
    assert "orders: 1 that were filled make no fill: they have neither average nor cost" in notes
    assert [row["exec_id"] for row in rows(tmp_path / "out", "fills")] == ["11", "13", "15"]


def test_database_is_not_written_to(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes(), old.stat().st_mtime_ns
    import_session("freqtrade", old, tmp_path / "out")
    assert (old.read_bytes(), old.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "tradesv3.sqlite"]


# --- what is refused --------------------------------------------------------------------------------------------------


def change(path: Path, table: str, **cells: Any) -> None:
    """Change cells of the second row of a table."""
    connection = sqlite3.connect(path)
    for column, value in cells.items():
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 2", (value,))
    connection.commit()
    connection.close()


def cell(table: str, column: str, value: Any) -> Callable[[Path], None]:
    return lambda path: change(path, table, **{column: value})


def sql(statement: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    return run


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (sql("DROP TABLE orders"), "tradesv3.sqlite, table orders: not there; should be a table with ft_trade_id,"),
        (sql("DELETE FROM orders"), "tradesv3.sqlite, table orders: no order; should be the database of a run"),
        (sql("ALTER TABLE trades DROP COLUMN fee_open"), "tradesv3.sqlite, table trades, column fee_open: not there"),
        (cell("trades", "pair", "SOLBTC"), "table trades, row 2, column pair: 'SOLBTC'; should be a pair"),
        (cell("trades", "is_open", None), "table trades, row 2, column is_open: None; should be a whole number"),
        (
            sql("UPDATE trades SET close_date = NULL"),
            "table trades, row 1, column close_date: None; should be a time: the trade is closed",
        ),
        (cell("trades", "open_date", None), "table trades, row 2, column open_date: None; should be a time"),
        (cell("trades", "open_date", "2021-04-28T07:00:00+02:00"), "table trades, row 2, column open_date"),
        (cell("trades", "fee_close", "much"), "table trades, row 2, column fee_close: 'much'; should be a number"),
        (cell("orders", "ft_trade_id", 9), "table orders, row 2, column ft_trade_id: 9; should be the id of a trade"),
        (cell("orders", "order_date", None), "table orders, row 2, column order_date: None; should be a time"),
        (cell("orders", "order_date", "2021-02-30 00:00:00"), "column order_date: '2021-02-30 00:00:00'; should be"),
        (cell("orders", "status", "done"), "table orders, row 2, column status: 'done'; should be one of open, closed"),
        (cell("orders", "filled", float("inf")), "table orders, row 2, column filled: inf; should be a finite number"),
        (cell("orders", "price", b"1"), "table orders, row 2, column price: b'1'; should be a finite number"),
    ],
)
def test_broken_database_is_refused_in_one_line_and_leaves_nothing(
    old: Path, tmp_path: Path, harm: Callable[[Path], None], says: str
) -> None:
    harm(old)
    if "fee_close" in says:
        change(old, "trades", fee_close_currency=None)
        change(old, "orders", ft_trade_id=2)
    with pytest.raises(EvidenceError) as refused:
        import_session("freqtrade", old, tmp_path / "out")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


# --- recorded databases -----------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
LIVE, DRY = (SHARED / "live_freqtrade" / f"tradesv3{kind}.sqlite" for kind in ("", ".dryrun"))
BACKTEST = SHARED / "sessions" / "freqtrade" / "ft_spot" / "tradesv3.sqlite"
recorded = pytest.mark.skipif(not BACKTEST.is_file(), reason="the recorded databases are not at hand")


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


@recorded
@pytest.mark.parametrize("path", [LIVE, DRY, BACKTEST], ids=["live", "dry", "backtest"])
def test_recorded_database_keeps_every_order_and_what_it_bought(path: Path, tmp_path: Path) -> None:
    import_session("freqtrade", path, tmp_path / "out")
    events = rows(tmp_path / "out", "order_events")
    ids = [id for (id,) in query(path, "SELECT order_id FROM orders")]
    assert sorted(row["order_id"] for row in events if row["event"] == "submit") == sorted(ids)
    held: dict[str, Fraction] = {}
    for row in rows(tmp_path / "out", "fills"):
        moved = Fraction(repr(row["qty"])) * (1 if row["side"] == "buy" else -1)
        held[row["symbol"]] = held.get(row["symbol"], Fraction(0)) + moved
    summed = query(
        path,
        "SELECT ft_pair, sum(CASE ft_order_side WHEN 'buy' THEN filled ELSE -filled END) FROM orders GROUP BY ft_pair",
    )
    assert {pair: float(qty) for pair, qty in held.items()} == {
        pair: pytest.approx(qty, rel=1e-9, abs=1e-6) for pair, qty in summed
    }
    assert open_session(tmp_path / "out").notes == []


@recorded
def test_recorded_backtest_profits_are_what_the_fills_give(tmp_path: Path) -> None:
    import_session("freqtrade", BACKTEST, tmp_path / "out")
    fills = rows(tmp_path / "out", "fills")
    claims = rows(tmp_path / "out", "pnl")
    assert len(claims) == 4
    for claim in claims:
        mine = [row for row in fills if row["symbol"] == claim["symbol"] and row["ts_local"] <= claim["ts_local"]]
        cash = sum(
            Fraction(repr(row["price"])) * Fraction(repr(row["qty"])) * (1 if row["side"] == "sell" else -1)
            - Fraction(repr(row["fee"]))
            for row in mine
        )
        assert abs(cash - Fraction(claim["realized"])) <= Fraction(1, 2 * 10**8)


@recorded
def test_recorded_live_orders_were_filled_at_their_limit_or_better(tmp_path: Path) -> None:
    import_session("freqtrade", LIVE, tmp_path / "out")
    limits = {row["order_id"]: row for row in rows(tmp_path / "out", "order_events") if row["event"] == "submit"}
    for row in rows(tmp_path / "out", "fills"):
        limit = limits[row["order_id"]]["price"]
        if limit is not None:
            assert row["price"] <= limit if row["side"] == "buy" else row["price"] >= limit
