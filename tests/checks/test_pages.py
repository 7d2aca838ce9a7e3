"""The figures that the pages of sections 2.1, 2.2 and 2.4 rest on, worked by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from checks.hand_1_3 import T0_MS, Row, fills, look, market, table, write

from mmverify.checks.orderflow import flow
from mmverify.checks.s2_1_prices import measured
from mmverify.checks.s2_1_sent import orders_sent
from mmverify.checks.s2_2_map import observed_map, replayed_map
from mmverify.checks.s2_4_pending import Left, Stretch, side_of, stretches
from mmverify.session import open_session

ETH, BTC = "ETH-PERP", "BTC-USD"


def events(text: str, **defaults: str) -> list[Row]:
    """Read order events: to buy 2 of ETH-PERP at 3000 unless a line says otherwise."""
    given = {"symbol": ETH, "side": "buy", "price": "3000", "qty": "2"} | defaults
    return table(f"ts_local client_order_id event\n{text}", **given)


def ns(ms: int) -> int:
    return (T0_MS + ms) * 1_000_000


# --- 2.1 --------------------------------------------------------------------------------------------------------------


def test_an_order_beside_what_it_is_held_to(tmp_path: Path) -> None:
    tables = {
        "instruments": market(ETH, tick_size="0.5", lot_size="0.1") + market(BTC),
        "quotes": table(f"""
            ts_local symbol fair_value skew half_spread bid    ask
            10       {ETH}  3000.0     0.20 1.60        2998.5 3002.0
            20       {ETH}  -          -    -           2990.0 3010.0
        """),
        "order_events": events("""
            11 a submit price=2998.5 intent=quote_bid
            12 b submit price=3002.0 intent=quote_ask side=sell qty=2.05
            13 c submit price=2999.0 intent=quote_bid
            14 d submit price=-      intent=close_short
            15 e submit price=62500  intent=close_short symbol=BTC-USD qty=3
            21 f submit price=2990.0 intent=quote_bid
        """),
    }
    session = open_session(write(tmp_path, tables))
    bid, ask, other, at_market, inverse, bare = measured(session, list(range(len(orders_sent(session)))))
    # 3000 + 0.2 - 1.6 = 2998.6, which is 0.1 of 0.5 above 2998.5; 3000 + 0.2 + 1.6 = 3001.8, 0.2 of 0.5 below 3002
    assert (bid.unrounded, bid.beyond) == (Fraction("2998.6"), Fraction("0.2"))
    assert (ask.unrounded, ask.beyond) == (Fraction("3001.8"), Fraction("0.4"))
    assert (bid.ticks, bid.lots, bid.notional) == (5997, 20, 5997)
    assert ask.lots == Fraction("20.5")
    assert (other.quote, other.unrounded, other.beyond) == (-1, None, None)  # of no quote's price
    assert (at_market.price, at_market.ticks, at_market.notional, at_market.lots) == (None, None, None, 20)
    assert (inverse.notional, inverse.quote) == (300, -1)  # three of 100, whatever the price
    assert (bare.quote, bare.unrounded) == (1, None)  # the quote says no more than its prices


# --- 2.2 --------------------------------------------------------------------------------------------------------------

STATELESS = events("""
    10 a submit
    20 a ack
    30 a cancel_request
    40 a cancel_ack
    50 a fill exec_id=e1
    60 z ack
""")


def test_without_states_the_events_make_the_steps(tmp_path: Path) -> None:
    session = open_session(write(tmp_path, {"instruments": market(ETH), "order_events": STATELESS}))
    assert observed_map(session) == {}
    assert replayed_map(session) == {
        ("submit", "(none)", "PENDING_NEW"): (1, 0),
        ("ack", "(none)", "NEW"): (1, 1),  # of an order that was never sent
        ("ack", "PENDING_NEW", "NEW"): (1, 0),
        ("fill", "CANCELED", "CANCELED"): (1, 0),
        ("cancel_request", "NEW", "PENDING_CANCEL"): (1, 0),
        ("cancel_ack", "PENDING_CANCEL", "CANCELED"): (1, 0),
    }
    within = np.array([False, True, True, False, False, False])
    assert set(replayed_map(session, within)) == {
        ("ack", "PENDING_NEW", "NEW"),
        ("cancel_request", "NEW", "PENDING_CANCEL"),
    }


def test_a_part_of_the_recorded_steps(tmp_path: Path) -> None:
    states = ("PENDING_NEW", "NEW", "PENDING_CANCEL", "FILLED", "FILLED", "NEW")
    rows = [row | {"state": state} for row, state in zip(STATELESS, states, strict=True)]
    session = open_session(write(tmp_path, {"instruments": market(ETH), "order_events": rows}))
    within = np.array([False, False, False, True, True, False])
    assert observed_map(session, within) == {
        ("cancel_ack", "PENDING_CANCEL", "FILLED"): (1, 1),
        ("fill", "FILLED", "FILLED"): (1, 1),
    }


@pytest.mark.parametrize("section", ["2.1", "2.2", "2.4"])
def test_a_table_without_a_row_is_no_crash(tmp_path: Path, section: str) -> None:
    write(tmp_path, {"instruments": market(ETH), "order_events": events("10 a submit")})
    path = tmp_path / "order_events.csv"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    assert observed_map(open_session(tmp_path)) == replayed_map(open_session(tmp_path)) == {}
    seen = look(tmp_path, section)
    assert {item.status for item in seen.items if item.id.startswith(section)} == {"not_assessed"}


# --- 2.4 --------------------------------------------------------------------------------------------------------------

#: Long 3, with a, whose cancel is open, and b, which is not answered; c only reduces, d comes last.
RACE = {
    "instruments": market(ETH),
    "fills": fills(f"5 {ETH} e0 buy 3000 3 maker 0 USDT client_order_id=old"),
    "order_events": events("""
        10 a submit
        20 a ack
        30 c submit side=sell qty=5 reduce_only=true
        40 a cancel_request
        50 b submit
        60 a cancel_ack
        70 b ack
        80 d submit side=sell qty=1
    """),
}


def test_what_a_side_may_fill_just_before_each_event(tmp_path: Path) -> None:
    session = open_session(write(tmp_path, RACE))
    buys, sells = side_of(session, ETH, 1), side_of(session, ETH, -1)
    units = 10**buys.known.digits
    assert (buys.reach // units).tolist() == [3, 5, 5, 5, 5, 7, 5, 5]
    assert {kind: (left // units).tolist() for kind, left in buys.left.items()} == {
        "live": [0, 0, 2, 2, 0, 0, 0, 2],
        "in flight": [0, 2, 0, 0, 0, 2, 2, 0],
        "canceling": [0, 0, 0, 0, 2, 2, 0, 0],
    }
    # c takes the long of 3 to flat at most, whatever it is for
    assert (sells.reach // units).tolist() == [-3, -3, -3, 0, 0, 0, 0, 0]
    names = flow(session).table.words("client_order_id")
    before_ack = [(names.text(each.row), each.kind, each.qty) for each in buys.orders(5)]
    assert before_ack == [("a", "canceling", 2), ("b", "in flight", 2)]
    assert sells.orders(3) == [Left(life=1, row=2, kind="in flight", qty=Fraction(5))]


def test_the_furthest_moment_and_how_long_it_lasted(tmp_path: Path) -> None:
    session = open_session(write(tmp_path, RACE))
    buys, sells = side_of(session, ETH, 1), side_of(session, ETH, -1)
    every = np.ones(8, dtype=bool)
    assert buys.furthest(every, canceling=False) == buys.furthest(every, canceling=True) == 5
    assert buys.steady(5) == (ns(50), ns(60))
    assert buys.furthest(every & (np.arange(8) < 5), canceling=True) == 4
    assert buys.furthest(every & (np.arange(8) < 4), canceling=True) is None
    assert buys.steady(2) == (ns(10), ns(40))  # sent, acknowledged: as much may fill
    assert sells.furthest(every, canceling=True) is None
    assert sells.steady(7) == (ns(30), ns(80))


def test_the_stretches_of_an_order(tmp_path: Path) -> None:
    replayed = flow(open_session(write(tmp_path, RACE)))
    assert list(stretches(replayed, 0)) == [
        Stretch(ns(10), ns(20), "in flight"),
        Stretch(ns(20), ns(40), "live"),
        Stretch(ns(40), ns(60), "canceling"),
    ]
    assert list(stretches(replayed, 2)) == [
        Stretch(ns(50), ns(70), "in flight"),
        Stretch(ns(70), ns(80), "live"),  # to the session's last event
    ]
