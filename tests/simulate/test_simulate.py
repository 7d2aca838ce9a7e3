"""The simulated session: reproducible, rich enough to exercise every session item, and true in every claim."""

from __future__ import annotations

import ast
import csv
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from time import process_time

import pytest
from audit import audit

from mmverify.errors import UsageError
from mmverify.simulate import CHOICES, START, simulate
from mmverify.simulate.clock import SECOND, Clock
from mmverify.simulate.fees import fee
from mmverify.simulate.incidents import SCRIPT, script
from mmverify.simulate.ledger import Execution, Ledger
from mmverify.simulate.markets import MARKETS
from mmverify.simulate.matching import Book, Order
from mmverify.simulate.view import View

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sessions" / "sample"
SPOT, LINEAR, INVERSE = MARKETS

#: Seed, hours and conventions of sessions that are looked at whole; together they choose every convention.
SESSIONS = {
    "hour": (7, 1, {}),
    "hour-of-others": (
        11,
        1,
        {
            "cost_basis": "lifo",
            "unrealized_price": "last",
            "stop_price": "last",
            "volatility": "simple",
            "ema_init": "sma",
            "mid_min_qty": "0.002",
            "realized": "net",
            "conversion": "fill",
            "trade_sign": "tick",
        },
    ),
    "average-exit": (
        12,
        Fraction(1, 4),
        {
            "cost_basis": "average",
            "unrealized_price": "exit",
            "stop_price": "mid",
            "ema_init": "adjusted",
            "trade_sign": "lee_ready",
        },
    ),
    "odd-lots": (13, Fraction(1, 4), {"unrealized_price": "mid", "stop_price": "mid", "mid_min_qty": "0.002"}),
    "index-net": (14, Fraction(1, 4), {"unrealized_price": "index", "stop_price": "index", "realized": "net"}),
    "six-minutes": (15, Fraction(1, 10), {}),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def count(folder: Path, table: str, *columns: str) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[column] for column in columns) for row in rows(folder, table))


@pytest.fixture(scope="module", params=SESSIONS)
def recorded(request, tmp_path_factory):
    seed, hours, conventions = SESSIONS[request.param]
    out = tmp_path_factory.mktemp(request.param)
    simulate(out, seed=seed, hours=hours, symbols=3, conventions=conventions)
    return request.param, out


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    out = tmp_path_factory.mktemp("hour")
    started = process_time()
    simulate(out, seed=7, hours=1, symbols=3, conventions=None)
    return out, process_time() - started


def test_every_item_is_exercised_and_none_is_violated(recorded):
    name, out = recorded
    seen = audit(out)
    assert len(seen) >= 85
    assert {item: each.violations for item, each in seen.items() if each.violations} == {}
    if name.startswith("hour"):
        assert {item: each.exercised for item, each in seen.items() if each.exercised < 3} == {}


def test_the_sessions_above_choose_every_convention():
    chosen = {(name, choice) for _, _, conventions in SESSIONS.values() for name, choice in conventions.items()}
    first = {(name, choices[0]) for name, choices in CHOICES.items()}
    assert chosen | first == {(name, choice) for name, choices in CHOICES.items() for choice in choices}


@pytest.mark.parametrize("symbols", [1, 2])
def test_fewer_markets_are_as_right(tmp_path, symbols):
    simulate(tmp_path, seed=3, hours=Fraction(1, 4), symbols=symbols, conventions=None)
    assert not [each.violations for each in audit(tmp_path).values() if each.violations]


# What a session holds


def test_every_event_of_an_order_happens(hour):
    events = count(hour[0], "order_events", "event")
    assert {event for (event,) in events} == {
        "submit", "ack", "reject", "partial_fill", "fill", "cancel_request", "cancel_ack", "cancel_reject",
        "replace_request", "replace_ack", "replace_reject", "expire", "exchange_cancel", "liquidation", "timeout",
        "reconcile",
    }  # fmt: skip
    assert min(events.values()) >= 3


def test_fills_come_late_in_requests_twice_and_restated(hour):
    out, _ = hour
    states = count(out, "order_events", "event", "state")
    assert states["partial_fill", "CANCELED"] >= 3
    assert states["partial_fill", "PENDING_CANCEL"] + states["partial_fill", "PENDING_REPLACE"] >= 1
    assert states["cancel_reject", "FILLED"] + states["cancel_reject", "NEW"] >= 3
    assert states["replace_reject", "NEW"] >= 3
    reports = count(out, "fills", "exec_id")
    assert sum(times > 1 for times in reports.values()) >= 10
    kinds = count(out, "fills", "kind")
    assert {kind for (kind,) in kinds} == {"trade", "correction", "bust", "liquidation", "adl"}
    assert min(kinds.values()) >= 3


def test_fees_are_of_every_kind(hour):
    out, _ = hour
    assert {asset for asset, symbol in count(out, "fills", "fee_asset", "symbol") if symbol == "BTC-USDT"} == {
        "BTC", "USDT", "BNB",
    }  # fmt: skip
    for row in rows(out, "fills"):
        if row["kind"] == "trade" and row["liquidity"] == "maker":
            assert (Decimal(row["fee"]) < 0) == (row["symbol"] == "BTC-USDT-PERP")
    assert {bool(rate) for (rate,) in count(out, "fills", "fee_rate")} == {True, False}
    assert {Decimal(row["amount"]) > 0 for row in rows(out, "funding")} == {True, False}


def test_the_bot_halts_trips_and_comes_back(hour):
    out, _ = hour
    trips, resets = (
        {rule for rule, event in count(out, "risk_events", "rule", "event") if event == each}
        for each in ("trip", "reset")
    )
    assert trips == {
        "drawdown", "daily_loss", "reject_rate", "stale", "position", "message_rate", "liquidation", "adl",
    }  # fmt: skip
    assert resets == trips
    channels = count(out, "connection", "channel", "event")
    for channel in ("market_data", "orders"):
        assert channels[channel, "disconnect"] == channels[channel, "timeout"] == 4
        assert channels[channel, "reconnect"] == 8
        assert channels[channel, "safe_shutdown"] >= 4
    assert channels["market_data", "resync_start"] == channels["market_data", "resync_done"] >= 24
    assert {status for (status,) in count(out, "requests", "status")} == {"", "200", "400", "429", "503"}
    assert count(out, "stops", "event")[("fire",)] >= 3
    assert {state for (state,) in count(out, "quotes", "state")} == {"normal", "adverse", "halted"}


def test_messages_are_lost_cut_sent_twice_and_late(hour):
    out, _ = hour
    assert count(out, "messages", "complete", "applied")["false", "false"] >= 3
    assert sum(times > 1 for times in count(out, "messages", "message_id").values()) >= 10
    trades = rows(out, "trades")
    assert sum(int(row["ts_local"]) - int(row["ts_exchange"]) > SECOND for row in trades) > 20
    assert any(int(row["ts_exchange"]) % (5 * SECOND) == 0 for row in trades)
    assert any(row["side"] == "" for row in rows(out, "book"))  # a heartbeat


def test_an_hour_is_small_and_quick(hour):
    out, seconds = hour
    total = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in out.glob("*.csv"))
    assert 60_000 <= total <= 90_000
    assert sum(path.stat().st_size for path in out.iterdir()) < 6_200_000
    assert total / seconds > 1_000_000 / 60


def test_six_minutes_have_every_incident():
    clock = Clock(START, START + 360 * SECOND)
    names = [part.split()[0] for part in SCRIPT.strip().split(";")]
    assert [turn.name for turn in script(clock, list(MARKETS), Fraction(1, 10))] == names
    assert len(set(names)) == len(names) > 30


# What is told apart


def test_same_seed_same_bytes(hour, tmp_path):
    simulate(tmp_path, seed=7, hours=1, symbols=3, conventions=None)
    assert contents(tmp_path) == contents(hour[0])


def test_the_sample_is_half_an_hour_of_seed_7(tmp_path):
    simulate(tmp_path, seed=7, hours=Fraction(1, 2), symbols=3, conventions=None)
    assert contents(SAMPLE) == contents(tmp_path)


def test_another_seed_another_session(tmp_path):
    for seed in (1, 2):
        simulate(tmp_path / str(seed), seed=seed, hours=Fraction(1, 60), symbols=1, conventions=None)
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    for table in ("book.csv", "trades.csv", "fills.csv", "pnl.csv"):
        assert one[table] != two[table]


@pytest.mark.parametrize("symbols", [1, 2, 3])
def test_symbols_come_in_order(tmp_path, symbols):
    simulate(tmp_path, seed=3, hours=Fraction(1, 60), symbols=symbols, conventions=None)
    assert [(row["symbol"], row["kind"], row["settle"]) for row in rows(tmp_path, "instruments")] == [
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


# The rules, by hand


def test_price_goes_before_time_and_time_before_size():
    book = Book()
    first, second, best = Order("sell", 101, 5, 5), Order("sell", 101, 9, 9), Order("sell", 100, 2, 2)
    for order in (first, second, best):
        book.add(order)
    # 10 at most at 101: 2 at 100, then 5 of who came first at 101, then 3 of the next
    assert [(m.resting, m.price, m.qty) for m in book.match("buy", 10, 101)] == [
        (best, 100, 2),
        (first, 101, 5),
        (second, 101, 3),
    ]
    assert (second.leaves, book.best("sell")) == (6, 101)
    assert book.match("buy", 1, 100) == []


def test_an_amended_order_keeps_its_place_only_if_it_shrinks():
    book = Book()
    orders = [Order("buy", 99, 5, 5) for _ in range(3)]
    for order in orders:
        book.add(order)
    book.amend(orders[0], price=99, leaves=4)
    assert [match.resting for match in book.match("sell", 1, None)] == [orders[0]]
    book.amend(orders[0], price=99, leaves=8)
    assert [match.resting for match in book.match("sell", 6, None)] == [orders[1], orders[2]]


def test_the_bot_never_trades_with_itself():
    book = Book()
    own, other = Order("buy", 99, 5, 5, client_order_id="mm-1"), Order("buy", 98, 5, 5)
    book.add(own)
    book.add(other)
    assert [match.resting for match in book.match("sell", 5, None, client_order_id="mm-2")] == [other]


@pytest.mark.parametrize(
    ("market", "side", "liquidity", "minute", "expected"),
    [
        # 2 x 50,000 x 0.0001 = 10 USDT of a sell, 2 x 0.0001 = 0.0002 BTC of a buy
        (SPOT, "sell", "maker", 0, ("10", "USDT", None)),
        (SPOT, "buy", "maker", 0, ("0.0002", "BTC", None)),
        # 2 x 50,000 x 0.0004 x 0.75 = 30 USDT = 0.05 BNB at 600
        (SPOT, "buy", "taker", 2, ("0.05", "BNB", "0.0003")),
        # 2 x 0.0001 x 50,000 = 10 USDT; a rebate of 0.00005, a fee of 0.0003, later of 0.00024
        (LINEAR, "buy", "maker", 0, ("-0.0005", "USDT", None)),
        (LINEAR, "buy", "taker", 0, ("0.003", "USDT", None)),
        (LINEAR, "buy", "taker", 31, ("0.0024", "USDT", "0.00024")),
        # 2 x 100 / 50,000 x 0.0004 = 0.0000016 BTC
        (INVERSE, "sell", "taker", 0, ("0.0000016", "BTC", None)),
    ],
)
def test_fees(market, side, liquidity, minute, expected):
    amount, asset, rate = fee(
        market, side=side, price=Decimal(50_000), qty=Decimal(2), liquidity=liquidity, into=minute * 60 * SECOND,
        length=3600 * SECOND, bnb=Decimal(600),
    )  # fmt: skip
    assert (amount, asset, rate) == (Decimal(expected[0]), expected[1], expected[2] and Decimal(expected[2]))


def test_the_venues_clock_drifts_within_what_is_stated_and_never_back():
    clock = Clock(START, START + 1200 * SECOND)
    skews, before = set(), 0
    for ts in range(START, START + 1200 * SECOND, SECOND // 3):
        clock.now = ts
        assert before < clock.venue_now
        before = clock.venue_now
        skews.add(clock.venue_now - ts)
    assert (min(skews) // 10**5, max(skews) // 10**5) == (-15, 15)


def test_what_is_put_on_the_venues_clock_happens_then():
    clock, shown = Clock(START, START + 900 * SECOND), []
    times = [START + second * SECOND for second in range(1, 800, 7)]
    for ts in times:
        clock.at_venue(ts, lambda: shown.append(clock.venue_now))
    clock.run()
    assert max(abs(is_ - should) for is_, should in zip(shown, times, strict=True)) <= 1


def update(kind, seq, prev_seq, price, qty):
    row = {"kind": kind, "seq": seq, "prev_seq": prev_seq, "side": "bid", "price": Decimal(price), "qty": Decimal(qty)}
    return [{**row, "ts_exchange": seq, "ts_local": seq}]


def test_a_book_waits_for_its_snapshot_and_then_takes_what_came_early():
    view = View()
    view.apply(update("snapshot", 1, None, 100, 5))
    view.apply(update("delta", 3, 1, 101, 6))
    view.apply(update("delta", 9, 7, 102, 7))  # 7 is missing
    assert (view.waiting, view.levels["bid"]) == (True, {100: 5, 101: 6})
    view.apply(update("delta", 12, 9, 103, 8))
    view.apply(update("snapshot", 9, None, 99, 1))
    assert (view.waiting, view.seq, view.levels["bid"]) == (False, 12, {99: 1, 103: 8})


# The bot's ledger, by hand.


@pytest.mark.parametrize(("cost_basis", "realized"), [("fifo", 20), ("lifo", 10), ("average", 15)])
def test_a_closing_matches_the_lot_of_its_cost_basis(cost_basis, realized):
    # bought 1 at 100 and 1 at 110, sold 1 at 120: 120 - 100, 120 - 110, 120 - 105
    ledger = Ledger(SPOT, cost_basis=cost_basis)
    for number, (moved, price) in enumerate([(1, 100), (1, 110), (-1, 120)]):
        ledger.execute(str(number), Execution(Decimal(moved), Decimal(price), Decimal(1)))
    assert ledger.settled.realized == realized
    # the open lot closed at 120 too: 40 - 10 = 30 in all
    assert ledger.unrealized(Decimal(120)) == 30 - realized


def test_an_inverse_average_is_harmonic():
    # 100 USD x (1 at 100, 1 at 300) = 1 + 1/3 BTC for 2 contracts; sold 2 at 200 for 1 BTC: gain 1/3 BTC
    ledger = Ledger(INVERSE, cost_basis="average")
    for number, (moved, price) in enumerate([(1, 100), (1, 300), (-2, 200)]):
        ledger.execute(str(number), Execution(Decimal(moved), Decimal(price), Decimal(1)))
    assert abs(Fraction(ledger.settled.realized) - Fraction(1, 3)) < Fraction(1, 10**45)
    assert ledger.lots == []


def test_a_correction_is_matched_as_if_it_had_always_been_so():
    # buy 2 at 100, sell 1 at 110 (+10), sell 1 at 120 (+20); the buy was in truth 3 at 90: +20 and +30, 1 left
    ledger = Ledger(SPOT, cost_basis="fifo")
    for number, (moved, price) in enumerate([(2, 100), (-1, 110), (-1, 120)]):
        ledger.execute(str(number), Execution(Decimal(moved), Decimal(price), Decimal(1)))
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
