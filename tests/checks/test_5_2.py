"""Section 5.2 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from audit import audit
from checks.seeded import exercises_all, fails_its_item, fails_nothing, planted, simulated
from test_audit_3 import (
    BOOK,
    CASES,
    INSTRUMENT,
    SECOND,
    Rows,
    cancelled,
    channel,
    fill,
    look,
    message,
    order,
    position,
    quote,
    resting,
    update,
    write,
)

from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.engine import review
from mmverify.review.results import Assessment
from mmverify.session.load import open_session

FIVE = tuple(f"5.2.{n}" for n in range(1, 6))
REFUSED = order(-9, "submit", "z", "PENDING_NEW", intent="open_long") + order(-8, "reject", "z", "REJECTED")


def assess(folder: Path, item: str, settings: str, tables: dict[str, Rows]) -> Assessment:
    """Review one item of a session made by hand."""
    return review([open_session(write(folder, settings, tables))], focus=[item])


# --- sessions of the slow detectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "exercised", "where", "settings", "tables"), [each for each in CASES if each.values[0] in FIVE]
)
def test_as_the_slow_detector_sees_it(
    item: str, exercised: int, where: list[str], settings: str, tables: dict[str, Rows], tmp_path: Path
) -> None:
    seen = assess(tmp_path, item, settings, {"order_events": REFUSED} | tables)
    (got,) = seen.items
    assert seen.errors == ()
    assert got.exercised == exercised and got.status == ("failed" if where else "verified")
    assert set(where) <= {place for finding in seen.findings for place in finding.occurrences}


# --- mistakes made by hand --------------------------------------------------------------------------------------------


class Bad(NamedTuple):
    """A mistake made by hand: the one finding that it is, figures and all."""

    name: str
    item: str
    tables: dict[str, Rows]
    location: str
    was: str
    should: str
    amount: float | None
    work: tuple[str, ...]
    cause: str = ""


BLIND = channel(10, "disconnect", "market_data") + channel(3000, "reconnect", "market_data")
DEAF = channel(10, "disconnect") + channel(3000, "reconnect")
SILENT = channel(10, "timeout", "market_data") + channel(3000, "reconnect", "market_data")
FELL = BOOK + update(3000, 20, "bid 95 1", "ask 97 1", kind="snapshot")  # the mid falls from 100.5 to 96
EARLY = BOOK + update(1500, 20, "bid 95 1", "ask 97 1", kind="snapshot")
INVERSE = [INSTRUMENT | {"kind": "inverse", "settle": "X", "quote": "USD", "multiplier": "100"}]
TWICE = update(1, 11, "bid 100 5", sent=1) + update(2, 11, "bid 100 5", sent=1)

WRONG = [
    # 5 are left at 99, the next mid is 96: (99 - 96) x 5
    Bad("a bid rests while blind", "5.2.1",
        {"connection": BLIND, "order_events": resting(0) + cancelled(2000), "book": FELL},
        "order_events:1", "a rested on while market_data was down", "a cancel within 1000 ms", 15,
        ("connection:1: disconnect of market_data, reconnect 2990 ms later",
         "order_events:3 cancel_request a, qty 5: PENDING_CANCEL, 990 ms after the 1000 ms that it had",
         "a, buy 5 left at 99; worst mid 96 (book:5): (99 - 96) x 5 = 15 USDT")),
    # the mid rises to 104: (104 - 102) x 3 of a sale of 5 at 102, 2 of which are filled
    Bad("an ask rests, partly filled", "5.2.1",
        {"connection": BLIND, "book": BOOK + update(3000, 20, "bid 103 1", "ask 105 1", kind="snapshot"),
         "order_events": resting(0, side="sell", price=102, intent="quote_ask")
         + order(3, "partial_fill", "a", "PARTIALLY_FILLED", side="sell", price=102, cum_qty=2, leaves_qty=3)},
        "order_events:1", "a rested on while market_data was down", "a cancel within 1000 ms", 6,
        ("no row of the session cancels it or ends it",
         "a, sell 3 left at 102; worst mid 104 (book:5): (104 - 102) x 3 = 6 USDT")),
    # (1/96 - 1/99) x 5 x 100 = 500 x 3 / 9504
    Bad("a bid of an inverse contract", "5.2.1",
        {"instruments": INVERSE, "connection": BLIND, "order_events": resting(0) + cancelled(2000), "book": FELL},
        "order_events:1", "a rested on while market_data was down", "a cancel within 1000 ms", 1500 / 9504,
        ("a, buy 5 left at 99; worst mid 96 (book:5): (1/96 - 1/99) x 5 x 100 = ~0.157828282828 X",)),
    Bad("no prices to value it by", "5.2.1",
        {"connection": BLIND, "order_events": resting(0) + cancelled(2000)},
        "order_events:1", "a rested on while market_data was down", "a cancel within 1000 ms", None, ()),
    # the trade at 97.5 that came while it rested: (99 - 97.5) x 5
    Bad("sent while the order channel is down", "5.2.1",
        {"connection": DEAF, "order_events": REFUSED + order(500, "submit"),
         "trades": [{"ts_exchange": 1741003200900000000, "ts_local": 1741003200900000000, "symbol": "X", "price": 97.5,
                     "qty": 1}]},
        "order_events:3", "a was sent 490 ms after orders went down", "nothing until it is back", 7.5,
        ("a, buy 5 left at 99; worst trade 97.5 (trades:1): (99 - 97.5) x 5 = 7.5 USDT",)),
    Bad("quoted while blind", "5.2.1",
        {"connection": BLIND, "order_events": REFUSED, "quotes": quote(900) + quote(1011) + quote(1500)},
        "quotes:2", "X was quoted 1001 ms after market_data went down", "state halted, or no price", None,
        ("quotes:2: a price was quoted 1001 ms after it went down",)),
    # 5 x 99 may have filled
    Bad("new orders before the old are looked up", "5.2.2",
        {"connection": DEAF, "order_events": resting(0) + order(3010, "submit", "b") + order(3011, "submit", "c")
         + order(3020, "reconcile", "a", "NEW")},
        "order_events:3", "b was sent 10 ms after the reconnect of orders, with 1 orders of before not confirmed",
        "nothing before each of them is", 495,
        ("order_events:2 ack a, qty 5: NEW: open at the disconnect, confirmed 20 ms after the reconnect",)),
    Bad("one of two is never looked up", "5.2.2",
        {"connection": DEAF, "order_events": resting(0) + resting(2, "b") + order(3001, "reconcile", "a", "NEW")
         + order(3010, "submit", "c")},
        "order_events:6", "with 1 orders of before not confirmed", "nothing before each of them is", 495,
        ("order_events:4 ack b, qty 5: NEW: open at the disconnect, never confirmed",)),
    Bad("the position is not asked for", "5.2.2",
        {"connection": DEAF, "order_events": REFUSED + order(3010, "submit", "b"),
         "positions": position(1, 0, "exchange")},
        "order_events:3", "with the position not confirmed", "nothing before the venue's position is known", None,
        ("no order was open at the disconnect, and no position of the venue's came",)),
    # sent on the old book, before the snapshot at 96: 3 x 5
    Bad("sent on the old book", "5.2.2",
        {"connection": BLIND + channel(3020, "resync_done", "market_data", "X"),
         "order_events": REFUSED + order(3010, "submit"),
         "book": BOOK + update(3015, 20, "bid 95 1", "ask 97 1", kind="snapshot")},
        "order_events:3", "a was sent 10 ms after the reconnect of market_data, before resync_done of X",
        "nothing before it", 15,
        ("connection:3: resync_done of X 20 ms after the reconnect",
         "a, buy 5 left at 99; worst mid 96 (book:5): (99 - 96) x 5 = 15 USDT")),
    Bad("parts of messages", "5.2.3",
        {"messages": message(1, "m1", "true", "false") + message(2, "m2", "true") + message(3, "m3", "true", "false")},
        "messages:1", "message m1 of market_data was applied in part", "dropped", None,
        ("messages:3 market_data m3: complete false, applied true",
         "2 of 2 messages of market_data that broke off were applied"),
        "what was received is applied whether the message is complete or not"),
    Bad("a message from the redundant feed", "5.2.4",
        {"messages": message(1, "m1", "true")
         + [row | {"channel": "market_data:2"} for row in message(2, "m1", "true")]},
        "messages:2", "message m1 of market_data was applied again", "dropped: it was applied before", None,
        ("messages:1 market_data m1: complete true, applied true",
         "messages:2 market_data:2 m1: complete true, applied true")),
    Bad("an update that is added", "5.2.4", {"book": BOOK + TWICE, "bot_book": look(3, "bid 0 100 10")},
        "bot_book:1", "10 stood at the bid 100 of X after seq 11 came twice", "5", None,
        ("book:6: seq 11 came again", "bot_book:1 bid 100: 10, the last that was sent is 5 (book:5)"),
        "the update was added again where it replaces"),
    # seq 12 makes it 7, seq 11 comes again and puts 5 back
    Bad("an old update over a newer one", "5.2.4",
        {"book": BOOK + update(1, 11, "bid 100 5", sent=1) + update(2, 12, "bid 100 7", sent=2)
         + update(3, 11, "bid 100 5", sent=1), "bot_book": look(4, "bid 0 100 5", seq=12)},
        "bot_book:1", "5 stood at the bid 100 of X after seq 11 came twice", "7", None,
        ("bot_book:1 bid 100: 5, the last that was sent is 7 (book:6)",)),
    # 5 x 100
    Bad("a fill from both channels", "5.2.4",
        {"fills": fill(1, "e1", 5) + fill(3, "e1", 5), "positions": position(2, 5) + position(4, 10)},
        "positions:2", "position of X moved by 5 beside what the distinct fills give", "0 beside them", 500,
        ("booked again they move position by 5, as positions:2 does",), "a repeated report was booked again"),
    # rested from 1010 on: (99 - 96) x 5
    Bad("no shutdown", "5.2.5", {"connection": SILENT, "order_events": resting(0), "book": EARLY},
        "connection:1", "market_data was silent for 2990 ms and no safe_shutdown is on record", "a safe_shutdown", 15,
        ("2990 - 1000 = 1990 ms too long, and no safe_shutdown from start to end",
         "orders open 1000 ms into it with no cancel sent: 1")),
    Bad("no shutdown, and nothing open", "5.2.5", {"connection": SILENT, "order_events": REFUSED, "book": EARLY},
        "connection:1", "no safe_shutdown is on record", "a safe_shutdown", None,
        ("orders open 1000 ms into it with no cancel sent: 0",)),
    Bad("an order that the shutdown forgets", "5.2.5",
        {"connection": SILENT + channel(1000, "safe_shutdown", "market_data"),
         "order_events": resting(0) + resting(1, "b") + cancelled(1001), "book": EARLY},
        "order_events:3", "b was left open by the safe_shutdown", "cancelled with it", 15,
        ("no row of the session cancels it or ends it",)),
    Bad("sent after the shutdown", "5.2.5",
        {"connection": SILENT + channel(1000, "safe_shutdown", "market_data"),
         "order_events": REFUSED + order(1100, "submit") + order(1101, "reject", state="REJECTED"), "book": EARLY},
        "order_events:3", "a was sent 1090 ms after market_data went down after the safe_shutdown",
        "nothing until the reconnect", 15, ("worst mid 96 (book:5)",)),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = assess(tmp_path, bad.item, SECOND, bad.tables)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert finding.location == bad.location and bad.was in finding.current
    assert finding.correct.startswith(f"should be {bad.should}")
    for line in bad.work:
        assert any(line in told for told in finding.work), finding.work
    assert finding.impact.amount == (None if bad.amount is None else pytest.approx(bad.amount, rel=1e-9))
    assert finding.impact.text and finding.cause == bad.cause
    assert audit(tmp_path, [bad.item])[bad.item].violations


# --- what is odd and right --------------------------------------------------------------------------------------------


class Odd(NamedTuple):
    """What is odd and legal, and how many of its records could have been wrong."""

    name: str
    item: str
    exercised: int
    tables: dict[str, Rows]


LEGAL = [
    Odd("cancelled at the deadline", "5.2.1", 1, {"connection": BLIND, "order_events": resting(0) + cancelled(1010)}),
    Odd("back at the deadline", "5.2.1", 1,
        {"connection": channel(10, "disconnect") + channel(1010, "reconnect"), "order_events": resting(0)}),
    Odd("down beyond the session's end", "5.2.1", 1,
        {"connection": channel(59500, "disconnect"), "order_events": resting(0)}),
    Odd("a cancel that was open before", "5.2.1", 1,
        {"connection": BLIND, "order_events": resting(0) + order(5, "cancel_request", state="PENDING_CANCEL")}),
    Odd("a hedge may rest", "5.2.1", 1, {"connection": BLIND, "order_events": resting(0, intent="close_long")}),
    Odd("sent at the disconnect and at the reconnect", "5.2.1", 1,
        {"connection": BLIND, "order_events": order(10, "submit", intent="open_long")
         + order(3000, "submit", "b", intent="open_long")}),
    Odd("cancelled by the venue when it lost the orders", "5.2.1", 1,
        {"connection": DEAF, "order_events": resting(0) + order(3001, "exchange_cancel", state="CANCELED")
         + order(3002, "submit", "b")}),
    Odd("cancelled first thing after", "5.2.1", 1,
        {"connection": DEAF, "order_events": resting(0) + cancelled(3001) + order(3002, "submit", "b")}),
    Odd("a replace to less takes something back", "5.2.1", 1,
        {"connection": BLIND, "order_events": resting(0)
         + order(500, "replace_request", "b", "PENDING_REPLACE", qty=1, orig_client_order_id="a") + cancelled(600)}),
    Odd("halted in time", "5.2.1", 1,
        {"connection": BLIND, "order_events": REFUSED, "quotes": quote(1010) + quote(2000, state="halted")}),
    Odd("looked up and sent in the same instant", "5.2.2", 1,
        {"connection": DEAF, "order_events": resting(0) + order(3001, "reconcile", state="NEW")
         + order(3001, "submit", "b")}),
    Odd("known to be filled while the channel was down", "5.2.2", 1,
        {"connection": DEAF, "order_events": resting(0) + order(20, "fill", state="FILLED", leaves_qty=0, cum_qty=5)
         + order(3001, "submit", "b")}),
    Odd("resync_done of all markets", "5.2.2", 1,
        {"connection": BLIND + channel(3005, "resync_done", "market_data"), "order_events": order(3010, "submit")}),
    Odd("lost again before anything was sent", "5.2.2", 1,
        {"connection": BLIND + channel(3005, "disconnect", "market_data") + channel(3500, "reconnect", "market_data")
         + channel(3600, "resync_done", "market_data", "X"), "order_events": order(3601, "submit")}),
    Odd("another id, another time, not applied", "5.2.4", 1,
        {"messages": message(1, "m1", "true") + message(2, "m2", "true") + message(3, "m1", "true", sent=3)
         + message(4, "m2", "false")}),
    Odd("twice the same id in two channels", "5.2.4", 1,
        {"messages": message(1, "1", "true") + [row | {"channel": "orders"} for row in message(1, "1", "true")]
         + message(2, "1", "false")}),
    Odd("two updates of one seq that differ", "5.2.4", 1,
        {"book": BOOK + TWICE + update(4, 12, "bid 100 6", sent=4), "bot_book": look(5, "bid 0 100 6")}),
    Odd("the venue's own order stays open", "5.2.5", 1,
        {"connection": SILENT + channel(1000, "safe_shutdown", "market_data"),
         "order_events": order(0, "ack", "v", "NEW", origin="exchange", intent="") + resting(1) + cancelled(1000)}),
    Odd("a disconnect is no timeout, a short one is none either", "5.2.5", 1,
        {"connection": BLIND + channel(4000, "timeout") + channel(5000, "reconnect") + channel(6000, "timeout")
         + channel(7500, "safe_shutdown") + channel(8000, "reconnect"), "order_events": REFUSED}),
]  # fmt: skip


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    seen = assess(tmp_path, odd.item, SECOND, odd.tables)
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.exercised for item in seen.items] == [odd.exercised]
    slow = audit(tmp_path, [odd.item])[odd.item]
    assert (slow.exercised, slow.violations) == (odd.exercised, ())


def test_without_a_timeout_only_what_is_sent_is_judged(tmp_path: Path) -> None:
    tables = {"connection": SILENT, "order_events": resting(0)}
    seen = assess(tmp_path, "5.2.1", "", tables)
    assert seen.findings == () and any("connection_timeout_ms is not stated" in note for note in seen.notes)
    seen = assess(tmp_path, "5.2.5", "", tables)
    assert [item.status for item in seen.items] == ["not_assessed"]
    assert "connection_timeout_ms is not stated" in seen.items[0].reason


def test_what_nothing_could_confirm_is_not_judged(tmp_path: Path) -> None:
    seen = assess(tmp_path, "5.2.2", "", {"connection": DEAF, "order_events": REFUSED + order(3010, "submit")})
    assert [item.status for item in seen.items] == ["not_assessed"]
    assert "1 reconnects with no order open are not judged" in seen.items[0].reason


def test_messages_that_tell_nothing_are_left_out(tmp_path: Path) -> None:
    seen = assess(tmp_path, "5.2.3", "", {"messages": message(1, "m1", "", "false") + message(2, "m2", "true", "")})
    assert [item.status for item in seen.items] == ["not_assessed"]
    assert "2 messages that do not tell complete or applied are left out" in seen.items[0].reason


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FIVE]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s5_2") and not each.item]
CHOSEN = {"5": (5, None), "11-other": (11, {"cost_basis": "average", "realized": "net", "conversion": "fill"})}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    exercises_all(recordings, "5.2", FIVE)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, ("5",)), "5.2", FIVE)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, ("5",)), "5.2")
