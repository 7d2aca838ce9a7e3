"""The simulated session: reproducible, rich enough to exercise the money and signal items, and true in every claim."""

from __future__ import annotations

import ast
import importlib.util
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from mmverify.errors import UsageError
from mmverify.simulate import simulate
from mmverify.simulate.ledger import Execution, Ledger
from mmverify.simulate.venue import MARKETS

_spec = importlib.util.spec_from_file_location("naive", Path(__file__).with_name("naive.py"))
assert _spec and _spec.loader
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

ROOT = Path(__file__).parents[2]
QUARTER = Fraction(1, 4)

SESSIONS = {
    "sample": (7, {}),
    "lifo-last-simple-sma-net-fill": (
        7,
        {
            "cost_basis": "lifo",
            "unrealized_price": "last",
            "volatility": "simple",
            "ema_init": "sma",
            "realized": "net",
            "conversion": "fill",
        },
    ),
    "average-exit-adjusted": (
        11,
        {"cost_basis": "average", "unrealized_price": "exit", "ema_init": "adjusted"},
    ),
    "lifo-index-fill": (11, {"cost_basis": "lifo", "unrealized_price": "index", "conversion": "fill"}),
    "average-mid-simple-net": (
        12,
        {"cost_basis": "average", "unrealized_price": "mid", "volatility": "simple", "realized": "net"},
    ),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module", params=SESSIONS)
def session(request, tmp_path_factory):
    seed, conventions = SESSIONS[request.param]
    out = tmp_path_factory.mktemp("session")
    simulate(out, seed=seed, hours=QUARTER, symbols=3, conventions=conventions)
    return naive.Recorded(out)


@pytest.fixture(scope="module")
def sample():
    return naive.Recorded(ROOT / "data" / "sessions" / "sample")


def test_every_pnl_claim_is_true(session):
    judged = 0
    for row, should in naive.expected_pnl(session):
        for name in ("realized", "unrealized", "fees", "funding", "total"):
            assert abs(Fraction(row[name]) - should[name]) <= naive.HALF_UNIT, (row, name, float(should[name]))
            judged += 1
        if "price" in should:
            assert Fraction(row["price"]) == should["price"], row
    assert judged == 5 * 4 * 89


def test_every_balance_value_is_true(session):
    rows = [row for row in session.tables["balances"] if row["source"] == "bot"]
    for row in rows:
        assert abs(Fraction(row["value"]) - naive.expected_value(session, row)) <= naive.HALF_UNIT, row
    assert len(rows) == 29 * 5


def test_every_signal_is_true(session):
    names = set()
    for row in session.tables["signals"]:
        should = naive.expected_signal(session, row)
        assert (row["value"] == "") == (should is None), row
        if should is not None:
            names.add((row["name"], "period_ns" in row["params"]))
            assert abs(Fraction(row["value"]) - should) <= naive.HALF_UNIT, (row, float(should))
    assert names == {("vwap", False), ("volume", False), ("ema", False), ("ema", True), ("volatility", True)}


def test_bot_and_venue_agree_on_positions(session):
    rows = session.tables["positions"]
    for row in rows:
        moves, _ = naive.executions(session, row["symbol"], int(row["ts_local"]))
        assert Fraction(row["qty"]) == sum(move for move, _, _ in moves), row
    for row in session.tables["balances"]:
        if row["asset"] == "BTC":
            moves, _ = naive.executions(session, "BTC-USDT", int(row["ts_local"]))
            assert Fraction(row["total"]) == sum(move for move, _, _ in moves), row
    assert {row["source"] for row in rows} == {"bot", "exchange"}


def test_same_seed_same_bytes_and_the_sample_is_it(tmp_path):
    simulate(tmp_path, seed=7, hours=QUARTER, symbols=3, conventions=None)
    assert contents(tmp_path) == contents(ROOT / "data" / "sessions" / "sample")


def test_another_seed_another_session(tmp_path):
    for seed in (1, 2):
        simulate(tmp_path / str(seed), seed=seed, hours=Fraction(1, 60), symbols=1, conventions=None)
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    for table in ("book.csv", "trades.csv", "fills.csv", "pnl.csv"):
        assert one[table] != two[table]


@pytest.mark.parametrize("symbols", [1, 2, 3])
def test_symbols_come_in_order(tmp_path, symbols):
    simulate(tmp_path, seed=3, hours=Fraction(1, 60), symbols=symbols, conventions=None)
    rows = naive.Recorded(tmp_path).tables["instruments"]
    assert [(row["symbol"], row["kind"], row["settle"]) for row in rows] == [
        ("BTC-USDT", "spot", "USDT"),
        ("BTC-USDT-PERP", "linear", "USDT"),
        ("BTC-USD-PERP", "inverse", "BTC"),
    ][:symbols]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbols": 0}, "symbols was 0, but should be 1 to 3"),
        ({"symbols": 4}, "symbols was 4, but should be 1 to 3"),
        ({"hours": 0}, "hours was 0, but should be above 0"),
        ({"conventions": {"cost_basis": "hifo"}}, "cost_basis was hifo, but should be one of fifo, lifo, average"),
        ({"conventions": {"colour": "red"}}, "convention colour is not known"),
    ],
)
def test_what_cannot_be_simulated_is_refused(tmp_path, change, words):
    arguments = {"seed": 1, "hours": 1, "symbols": 1, "conventions": None} | change
    with pytest.raises(UsageError, match=words):
        simulate(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


# The sample exercises what the items look at.


def test_fills_are_of_every_kind(sample):
    fills = sample.tables["fills"]
    ids = [row["exec_id"] for row in fills]
    assert len(ids) - len(set(ids)) >= 10  # reported twice
    for symbol in sample.instruments:
        mine = [row for row in fills if row["symbol"] == symbol]
        assert {row["liquidity"] for row in mine} == {"maker", "taker"}
        rebates = any(Fraction(row["fee"]) < 0 for row in mine if row["kind"] == "trade")
        assert rebates == (symbol == "BTC-USDT-PERP")
        late = [row for row in mine if int(row["ts_local"]) - int(row["ts_exchange"]) > 10**9]
        assert late
        quantities = [Fraction(row["qty"]) for row in sample.tables["positions"] if row["symbol"] == symbol]
        assert sum(now * before < 0 for now, before in zip(quantities[1:], quantities[:-1], strict=True)) > 10
    assert {row["fee_asset"] for row in fills if row["symbol"] == "BTC-USDT"} == {"BTC", "USDT", "BNB"}
    assert {row["kind"] for row in fills} == {"trade", "correction", "bust"}
    assert {bool(row["fee_rate"]) for row in fills} == {True, False}
    prices_of_order: dict[str, set[str]] = {}
    times_of_order: dict[str, list[str]] = {}
    for row in fills:
        prices_of_order.setdefault(row["order_id"], set()).add(row["price"])
        times_of_order.setdefault(row["order_id"], []).append(row["ts_exchange"])
    assert any(len(prices) > 1 for prices in prices_of_order.values())
    assert any(len(times) > len(set(times)) for times in times_of_order.values())


def test_fills_are_booked_in_the_venues_order(sample):
    for symbol in sample.instruments:
        seen: dict[str, int] = {}
        for row in sample.tables["fills"]:
            if row["symbol"] == symbol:
                seen.setdefault(row["exec_id"], int(row["ts_exchange"]))
        assert list(seen.values()) == sorted(seen.values())


def test_trades_come_late_together_and_on_the_stroke(sample):
    trades = sample.tables["trades"]
    times = [(row["symbol"], row["ts_exchange"]) for row in trades]
    assert len(times) - len(set(times)) > 100
    assert any(int(ts) % 10**10 == 0 for _, ts in times)
    excluded = 0
    for row in sample.tables["signals"]:
        if row["name"] == "vwap":
            excluded += any(
                trade["symbol"] == row["symbol"]
                and int(row["window_start"]) <= int(trade["ts_exchange"]) < int(row["window_end"])
                and int(trade["ts_local"]) > int(row["ts_local"])
                for trade in trades
            )
    assert excluded > 20
    assert {row["symbol"] for row in sample.tables["signals"] if row["value"] == "" and row["name"] == "vwap"} == set(
        sample.instruments
    )
    assert {row["reason"] for row in sample.tables["bot_trades"] if row["used"] == "false"} == {"below min_qty"}


def test_prices_and_money_differ_where_a_mix_up_must_show(sample):
    assert sum(row["mark"] == row["index"] or row["mark"] == row["last"] for row in sample.tables["marks"]) < 100
    bot = [row for row in sample.tables["balances"] if row["source"] == "bot"]
    assert {row["asset"] for row in bot if Decimal(row["total"]) < 0} == {"EUR", "BTC"}
    assert {Fraction(row["amount"]) > 0 for row in sample.tables["funding"]} == {True, False}
    assert {row["currency"] for row in sample.tables["pnl"]} == {"USDT", "BTC"}


def test_the_book_has_no_gap_and_is_not_crossed(sample):
    for symbol in sample.instruments:
        last = ""
        for row in sample.tables["book"]:
            if row["symbol"] == symbol and row["seq"] != last:
                assert row["prev_seq"] == last
                last = row["seq"]
    for row in sample.tables["quotes"]:
        assert Decimal(row["best_bid"]) < Decimal(row["best_ask"])
        assert Decimal(row["bid"]) < Decimal(row["ask"])


def test_the_sample_is_small():
    assert sum(path.stat().st_size for path in (ROOT / "data" / "sessions" / "sample").iterdir()) < 3_000_000


# The bot's ledger, by hand.


@pytest.mark.parametrize(("cost_basis", "realized"), [("fifo", 20), ("lifo", 10), ("average", 15)])
def test_a_closing_matches_the_lot_of_its_cost_basis(cost_basis, realized):
    # bought 1 at 100 and 1 at 110, sold 1 at 120: 120 - 100, 120 - 110, 120 - 105
    ledger = Ledger(MARKETS[0], cost_basis=cost_basis)
    for number, (moved, price) in enumerate([(1, 100), (1, 110), (-1, 120)]):
        ledger.execute(str(number), Execution(Decimal(moved), Decimal(price), Fraction(1)))
    assert ledger.settled.realized == realized
    # the open lot closed at 120 too: 40 - 10 = 30 in all
    assert ledger.unrealized(Decimal(120)) == 30 - realized


def test_an_inverse_average_is_harmonic():
    # 100 USD x (1 at 100, 1 at 300) = 1 + 1/3 BTC for 2 contracts; sold 2 at 200 for 1 BTC: gain 1/3 BTC
    ledger = Ledger(MARKETS[2], cost_basis="average")
    for number, (moved, price) in enumerate([(1, 100), (1, 300), (-2, 200)]):
        ledger.execute(str(number), Execution(Decimal(moved), Decimal(price), Fraction(1)))
    assert ledger.settled.realized == Fraction(1, 3)
    assert ledger.lots == []


def test_a_correction_is_matched_as_if_it_had_always_been_so():
    # buy 2 at 100, sell 1 at 110 (+10), sell 1 at 120 (+20); the buy was in truth 3 at 90: +20 and +30, 1 left
    ledger = Ledger(MARKETS[0], cost_basis="fifo")
    for number, (moved, price) in enumerate([(2, 100), (-1, 110), (-1, 120)]):
        ledger.execute(str(number), Execution(Decimal(moved), Decimal(price), Fraction(1)))
    assert ledger.settled.realized == 30
    ledger.restate("0", Decimal(3), Decimal(90))
    assert (ledger.settled.realized, ledger.position) == (50, 1)
    # taken back altogether: short 1 at 110 and 1 at 120
    ledger.restate("0", Decimal(0), Decimal(90))
    assert (ledger.settled.realized, ledger.position) == (0, -2)


def test_the_simulator_is_written_apart():
    for path in (ROOT / "mmverify" / "simulate").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert not module.startswith("mmverify") or module.startswith(("mmverify.errors", "mmverify.simulate"))
