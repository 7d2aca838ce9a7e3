"""Section 5.3 on sessions worked by hand, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit import audit
from checks.hand_1_3 import look, statuses
from checks.hand_5 import Bad, Odd, check, legal, session
from checks.seeded import fails_its_item, fails_nothing, planted, simulated

from mmverify.checks.s5_3_pauses import waits
from mmverify.checks.s5_3_requests import is_down, is_failure, is_rate, is_unknown_order
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.session import open_session

FIVE = tuple(f"5.3.{n}" for n in range(1, 6))
ACK = "ack_timeout_ms = 1000\n"
SHARED = '[[rate_limit]]\nendpoint = "*"\nlimit = 10\nwindow_s = 1\n'
LATER = "\n9000 submit z PENDING_NEW"

SENT = "1 submit a PENDING_NEW\n2 ack a NEW\n"
LONG = "10 e1 buy 8 100\n"

WRONG = [
    # 5 x 100 = 500 are counted and not there
    Bad("a cancel of the venue's is not read", "5.3.1",
        {"order_events": SENT + "5 exchange_cancel a NEW\n1500 reconcile a CANCELED" + LATER}, "order_events:3",
        "a of X stayed NEW after the venue had cancelled it", "CANCELED within 1000 ms", 500.0,
        "1495 ms later; 1495 > 1000", settings=ACK),
    # of 5, 2 are filled: 3 x 100
    Bad("and never is", "5.3.1",
        {"order_events": SENT + "4 partial_fill a PARTIALLY_FILLED cum_qty=2 leaves_qty=3\n"
         "5 exchange_cancel a PARTIALLY_FILLED" + LATER}, "order_events:4",
        "a of X stayed PARTIALLY_FILLED", "CANCELED", 300.0, "no later row has a as done", settings=ACK),
    Bad("a cancel of what the venue cancelled", "5.3.1",
        {"order_events": SENT + "5 exchange_cancel a CANCELED\n25 cancel_request a PENDING_CANCEL" + LATER},
        "order_events:4", "a cancel_request was sent for a of X 20 ms after", "nothing: the order is gone", None,
        "20 ms later, no reconcile between"),
    Bad("an ack puts it back", "5.3.1",
        {"order_events": SENT + "5 exchange_cancel a CANCELED\n7 ack a NEW" + LATER}, "order_events:4",
        "a ack put back to NEW a of X 2 ms after", "nothing: the order is gone", 500.0, "order_events:3"),
    # 200 ms, then 200 ms again
    Bad("one pace", "5.3.2",
        {"requests": "0 status 503 - 10\n200 status 503 - 210\n400 status 503 - 410\n600 status 200 - 610"},
        "requests:3", "status was asked again after 200 ms", "more than 200 ms", None, "200 ms is not more than 200 ms",
        "the pause is the same each time"),
    Bad("a cap", "5.3.2",
        {"requests": "0 status 503 - 5\n100 status 503 - 105\n300 status 503 - 305\n500 status 503 - 505"},
        "requests:4", "asked again after 200 ms", "more than 200 ms", None, "200 ms later: requests:3",
        "the pause has a cap, and stays there"),
    Bad("ever sooner, by word of maintenance", "5.3.2",
        {"requests": "0 order 200 under_maintenance 5\n500 order 200 -1016 505\n600 order 200 - 605"},
        "requests:3", "order was asked again after 100 ms", "more than 500 ms", None, "100 ms is not more than 500 ms"),
    # long 8; the liquidation of 3 at 90 is left out: 3 x 90 = 270
    Bad("a liquidation that is not booked", "5.3.3",
        {"fills": LONG + "50 e2 sell 3 90 kind=liquidation client_order_id=liq", "positions": "20 8\n60 8"},
        "positions:2", "the position of X was 8 after liquidation e2", "5", 270.0, "8 + (-3) = 5",
        "a fill that is of no order of the bot's is not booked"),
    # two parts at one moment, with a trade between the claims: 8 + 2 - 3 - 1 = 6; 4 x 90 = 360
    Bad("an ADL in two parts", "5.3.3",
        {"fills": LONG + "50 e2 sell 3 90 kind=adl\n50 e3 sell 1 90 kind=adl\n55 e4 buy 2 95",
         "positions": "20 8\n60 10"},
        "positions:2", "the position of X was 10 after adl e2", "6", 360.0, "8 + (-3) + (-1) + 2 = 6",
        "a fill that is of no order of the bot's is not booked"),
    # (90 - 100) x 3 = -30
    Bad("what it lost is left out", "5.3.3",
        {"fills": LONG + "50 e2 sell 3 90 kind=liquidation", "pnl": "20 0.00\n60 0.00"},
        "pnl:2", "realized P&L of X was 0 USDT after liquidation e2", "-30 USDT", 30.0,
        "realized by it: (-30) - 0 = -30 USDT", "what the fill realized was left out"),
    Bad("a P&L that was off by 7 before", "5.3.3",
        {"fills": LONG + "50 e2 sell 3 90 kind=liquidation", "pnl": "20 7.00\n60 7.00"},
        "pnl:2", "realized P&L of X was 7 USDT", "-30 USDT", 30.0, "it is off by 37",
        "what the fill realized was left out"),
    # quoted at 60, tripped at 70: 5 x 100
    Bad("quoted before the trip", "5.3.3",
        {"fills": LONG + "50 e2 sell 3 90 kind=adl", "risk_events": "70 adl trip symbol=X",
         "order_events": "60 submit a PENDING_NEW intent=quote_bid"},
        "order_events:1", "X was quoted 10 ms after adl e2", "a trip before the next quote", 500.0,
        "risk_events:1 trips 20 ms after the fill, too late"),
    Bad("a trip that was reset, one of another symbol", "5.3.3",
        {"fills": LONG + "50 e2 sell 3 90 kind=liquidation", "quotes": "60 99 101",
         "risk_events": "20 liquidation trip symbol=X\n30 liquidation reset symbol=X\n50 liquidation trip symbol=Y"},
        "quotes:1", "X was quoted 10 ms after liquidation e2", "a trip", None, "no trip of rule liquidation or adl"),
    Bad("again at once", "5.3.4",
        {"requests": "0 order 429 -1003 10 retry_after_ms=500\n20 order 200 - 25\n30 cancel 200 - 35"},
        "requests:2", "order was asked 10 ms after order was refused", "500 ms at least", None,
        "sent 10 ms after that answer, 500 - 10 = 490 ms too early"),
    Bad("any endpoint under one limit", "5.3.4",
        {"requests": "0 order 418 - 10 retry_after_ms=500\n30 cancel 200 - 35"}, "requests:2",
        "cancel was asked 20 ms after order was refused", "500 ms at least", None, "480 ms too early",
        settings=SHARED),
    # 500 ms from 0, not from 10
    Bad("counted from the request", "5.3.4",
        {"requests": "0 order 200 10006 10 retry_after_ms=500\n500 order 200 - 525"}, "requests:2",
        "order was asked 490 ms after", "500 ms at least", None, "500 - 490 = 10 ms too early",
        "the wait was counted from when the request was sent, not from its answer"),
    # a short wait that comes later does not end the long one
    Bad("the longer of two waits holds", "5.3.4",
        {"requests": "0 order 429 - 10 retry_after_ms=500\n5 order 429 - 12 retry_after_ms=50\n100 order 200 - 105"},
        "requests:3", "order was asked 90 ms after", "500 ms at least", None, "410 ms too early"),
    Bad("an error that nothing follows", "5.3.5",
        {"order_events": SENT + "9000 submit z PENDING_NEW",
         "requests": "10 query 400 -1021 20 client_order_id=a"},
        "requests:1", "query for a was answered 400 -1021, and nothing followed", "within 1000 ms", 500.0,
        "requests:1 query of a: 400 -1021 after 10 ms", settings=ACK),
    Bad("another order's retry and reject", "5.3.5",
        {"order_events": SENT + "40 reject b REJECTED" + LATER,
         "requests": "10 order 400 -2010 20 client_order_id=a\n30 order 200 - 35 client_order_id=b"},
        "requests:1", "order for a was answered 400 -2010", "within 1000 ms", 500.0, "no reject or reconcile of a",
        settings=ACK),
    Bad("a retry too late", "5.3.5",
        {"order_events": "9000 submit z PENDING_NEW",
         "requests": "10 leverage 500 - 20\n1021 leverage 200 - 1030"},
        "requests:1", "leverage was answered 500", "within 1000 ms", None, "no request of leverage", settings=ACK),
    Bad("an unknown order is written off", "5.3.5",
        {"order_events": SENT + "4 partial_fill a PARTIALLY_FILLED cum_qty=1 leaves_qty=4\n"
         "5 cancel_request a PENDING_CANCEL\n7 cancel_reject a CANCELED code=-2011 leaves_qty=0" + LATER},
        "order_events:5", "a of X was taken as CANCELED", "until a reconcile", 400.0, "answered -2011"),
    Bad("the answer to the request said it", "5.3.5",
        {"order_events": SENT + "5 cancel_request a PENDING_CANCEL\n9 timeout a CANCELED" + LATER,
         "requests": "5 cancel 400 110001 7 client_order_id=a\n8 cancel 200 - 9 client_order_id=a"},
        "order_events:4", "a of X was taken as CANCELED", "until a reconcile", 500.0, "answered unknown order",
        settings=ACK),
]  # fmt: skip

LEGAL = [
    Odd("cancelled by the venue while the bot cancels", "5.3.1", 1,
        {"order_events": SENT + "4 cancel_request a PENDING_CANCEL\n5 exchange_cancel a CANCELED\n"
         "6 cancel_reject a CANCELED" + LATER}, ACK),
    Odd("noticed at the very end of the time", "5.3.1", 1,
        {"order_events": SENT + "5 exchange_cancel a NEW\n1005 cancel_ack a CANCELED" + LATER}, ACK),
    Odd("the session ends before", "5.3.1", 1,
        {"order_events": SENT + "5 exchange_cancel a NEW\n900 submit z PENDING_NEW"}, ACK),
    Odd("a late fill leaves it cancelled; a reconcile finds it open", "5.3.1", 1,
        {"order_events": SENT + "5 exchange_cancel a CANCELED\n6 partial_fill a CANCELED cum_qty=1\n"
         "9 reconcile a NEW\n10 cancel_request a PENDING_CANCEL" + LATER}, ACK),
    Odd("how soon is not said", "5.3.1", 1, {"order_events": SENT + "5 exchange_cancel a NEW" + LATER}),
    Odd("growing pauses, and what went before the answer", "5.3.2", 2,
        {"requests": "0 order 503 - 10\n5 order 503 - 12\n100 order 503 - 110\n105 order 503 - 115\n"
         "301 order 503 - 310\n800 order 200 - 805\n810 order 503 - 815\n815 order 200 - 820"}),
    Odd("two outages hours apart", "5.3.2", 1,
        {"requests": "0 leverage 503 - 10\n3600000 leverage 503 - 3600010\n3600500 leverage 503 - 3600510\n"
         "3602000 leverage 200 - 3602010"}),
    Odd("of two endpoints", "5.3.2", 1,
        {"requests": "0 order 503 - 10\n100 cancel 503 - 110\n200 order 503 - 210\n300 cancel 200 - 310\n"
         "500 order 200 - 505"}),
    Odd("booked by all and tripped", "5.3.3", 3,
        {"fills": LONG + "50 e2 sell 3 90 kind=liquidation\n52 e2 sell 3 90 kind=liquidation",
         "positions": "20 8\n60 5", "pnl": "20 0\n60 -30", "quotes": "60 99 101",
         "risk_events": "50 Liquidation trip"}),
    Odd("a trip of all symbols stands", "5.3.3", 1,
        {"fills": LONG + "50 e2 sell 3 90 kind=adl", "quotes": "60 99 101", "risk_events": "10 liquidation trip"}),
    Odd("nothing is quoted any more: halted, a hedge", "5.3.3", 1,
        {"fills": LONG + "50 e2 sell 3 90 kind=adl\n70 e3 sell 5 90", "quotes": "60 99 101 state=halted\n65 - -",
         "order_events": "61 submit h PENDING_NEW intent=close_long side=sell\n", "positions": "20 8\n80 0",
         "risk_events": "10 stale trip"}),
    Odd("off by something else", "5.3.3", 1,
        {"fills": LONG + "50 e2 sell 3 90 kind=adl", "positions": "20 8\n60 7"}),
    Odd("the claim of the same instant may know it or not", "5.3.3", 1,
        {"fills": LONG + "50 e2 sell 3 90 kind=adl", "positions": "20 8\n50 8\n60 5"}),
    Odd("it opened, so nothing was realized", "5.3.3", 0,
        {"fills": "50 e2 sell 3 90 kind=adl", "pnl": "60 0"}),
    Odd("in flight with the refusal, and at the end of the wait", "5.3.4", 1,
        {"requests": "0 order 429 - 10 retry_after_ms=500\n5 order 200 - 12\n10 order 200 - 15\n510 order 200 - 515"}),
    Odd("without an answer's time the clocks may be off", "5.3.4", 1,
        {"requests": "0 order 429 - - retry_after_ms=500\n20 order 200 - 25\n500 order 200 - 505"},
        "max_clock_skew_ms = 20\n"),
    Odd("how long to wait is not said", "5.3.4", 0, {"requests": "0 order 429 - 10\n11 order 200 - 12"}),
    Odd("rejected, retried, reconciled, tripped", "5.3.5", 4,
        {"order_events": SENT + "40 replace_reject a2 NEW orig_client_order_id=a\n2040 reconcile b NEW\n"
         "9000 submit z PENDING_NEW", "risk_events": "8000 reject_rate trip",
         "requests": "10 replace 400 -2010 20 client_order_id=a\n1500 order 400 -1021 1510 client_order_id=c\n"
         "2510 order 200 - 2515 client_order_id=c\n2000 query 502 - 2020 client_order_id=b\n"
         "7200 order 400 -4131 7210 client_order_id=d"}, ACK),
    Odd("success by its code; a rate, an outage", "5.3.5", 0,
        {"order_events": SENT + LATER.strip(), "requests": "10 order 200 0 20\n11 order 200 00000 20\n"
         "12 order 429 -1003 20\n13 order 503 - 20\n14 order 200 SUCCESS 20"}, ACK),
    Odd("the session ends before anything could follow", "5.3.5", 0,
        {"order_events": SENT, "requests": "10 order 400 -2010 20 client_order_id=a"}, ACK),
    Odd("unknown, and looked up; unknown, and filled before", "5.3.5", 3,
        {"order_events": SENT + "5 cancel_request a PENDING_CANCEL\n7 cancel_reject a NEW code=-2011\n"
         "30 reconcile a CANCELED\n40 submit b PENDING_NEW\n41 fill b FILLED cum_qty=5 leaves_qty=0\n"
         "42 cancel_reject b FILLED reason=unknown_order\n50 submit c PENDING_NEW\n51 cancel_request c PENDING_CANCEL\n"
         "52 cancel_reject c CANCELED code=-2013\n60 reconcile c CANCELED" + LATER}, ACK),
    Odd("refused for another reason, and gone by its own word", "5.3.5", 1,
        {"order_events": SENT + "5 cancel_request a PENDING_CANCEL\n7 cancel_reject a CANCELED reason=too_late\n"
         "10 submit b PENDING_NEW\n11 cancel_request b PENDING_CANCEL\n12 cancel_reject b NEW code=-2011\n"
         "13 exchange_cancel b CANCELED" + LATER}, ACK),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    check(bad, tmp_path)


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    legal(odd, tmp_path)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    tables = {"order_events": SENT + "5 exchange_cancel a NEW", "requests": "0 order 429 - 10\n1 order 400 -2010 2"}
    notes = look(session(tmp_path, tables), "5.3").notes
    assert any("5.3.1" in note and "states no ack_timeout_ms" in note for note in notes)
    assert any("1 refusals for the rate state no retry_after_ms" in note for note in notes)
    assert any("5.3.5" in note and "states no ack_timeout_ms" in note for note in notes)


def test_net_of_fees_the_fee_of_a_forced_fill_is_missing_too(tmp_path: Path) -> None:
    """(90 - 100) x 3 = -30, and a fee of 2: the claim lacks -32, or -30 where the fee alone was booked."""
    for name, claimed in (("all", "0.00"), ("gain", "-2.00")):
        fills = LONG + "50 e2 sell 3 90 kind=liquidation fee=2"
        folder = session(tmp_path / name, {"fills": fills, "pnl": f"20 0.00\n60 {claimed}"})
        settings = (folder / "session.toml").read_text(encoding="utf-8")
        (folder / "session.toml").write_text(settings.replace('"gross"', '"net"'), encoding="utf-8")
        (finding,) = look(folder, "5.3.3").findings
        assert finding.impact.amount == {"all": 32.0, "gain": 30.0}[name]


def test_what_the_venues_mean_by_a_code() -> None:
    """Binance, Bybit, OKX, Kraken and Coinbase, as their documentation words them."""
    assert all(map(is_rate, ("-1003", "-1015", "10006", "50011", "EAPI:Rate limit exceeded", "rate_limit_exceeded")))
    assert all(map(is_down, ("-1016", "50001", "EService:Unavailable", "under maintenance")))
    assert all(map(is_unknown_order, ("-2011", "-2013", "110001", "51603", "EOrder:Unknown order", "ORDER_NOT_FOUND")))
    assert not any(map(is_rate, ("-2010", "-10030", "200")))
    assert not any(map(is_unknown_order, ("-2010", "-20110", "insufficient balance")))
    assert not any(map(is_failure, ("0", "200", "OK")))
    assert all(map(is_failure, ("-1021", "EGeneral:Invalid arguments")))


def test_the_waits_of_a_session(tmp_path: Path) -> None:
    tables = {"requests": "0 order 429 - 10 retry_after_ms=500\n20 order 418 - - retry_after_ms=1.5"}
    found = waits(open_session(session(tmp_path, tables, "max_clock_skew_ms = 7\n")))
    start = 1_767_225_600_000 * 10**6
    assert [(each.start - start, each.end - start) for each in found] == [
        (10_000_000, 510_000_000), (27_000_000, 21_500_000)
    ]  # fmt: skip


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FIVE]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s5_3") and not each.item]
CHOSEN = {
    "5": (5, None),
    "11-other": (11, {"cost_basis": "average", "realized": "net", "conversion": "fill"}),
    "23-lifo": (23, {"cost_basis": "lifo", "unrealized_price": "mid"}),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look(recording.folder, "5.3")
        assert (seen.findings, seen.errors) == ((), ())
        assert statuses(seen) == dict.fromkeys(FIVE, "verified")
        assert [check.name for item in seen.items for check in item.checks if not check.exercised] == []
        slow = audit(recording.folder, FIVE)
        same = [item.id for item in seen.items if item.exercised == slow[item.id].exercised]
        assert set(same) >= set(FIVE) - {"5.3.3"}  # of which each fill is looked for in three places


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, ("5", "11-other")), "5.3", FIVE)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, ("5", "11-other")), "5.3")
