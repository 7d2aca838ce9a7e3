"""Section 4.3 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from audit import audit
from audit.recorded import Recorded
from audit.s4_3 import loads as slow_loads
from checks.seeded import exercises_all, fails_its_item, fails_nothing, planted, simulated
from test_audit_3 import (
    BOOK,
    CASES,
    LIMITED,
    MAINTENANCE,
    TIMEOUTS,
    Rows,
    cancelled,
    ms,
    order,
    quote,
    request,
    resting,
    update,
    write,
)

from mmverify.checks.s4_3_rates import rates
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.engine import review
from mmverify.review.results import Assessment
from mmverify.session.load import open_session

FOUR = tuple(f"4.3.{n}" for n in range(1, 5))
AGE = "timing.quote_max_age_ms = 10000"


def assess(folder: Path, item: str, settings: str, tables: dict[str, Rows]) -> Assessment:
    """Review one item of a session made by hand."""
    return review([open_session(write(folder, settings, tables))], focus=[item])


# --- sessions of the slow detectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "exercised", "where", "settings", "tables"), [each for each in CASES if each.values[0] in FOUR]
)
def test_as_the_slow_detector_sees_it(
    item: str, exercised: int, where: list[str], settings: str, tables: dict[str, Rows], tmp_path: Path
) -> None:
    seen = assess(tmp_path, item, settings, tables)
    (got,) = seen.items
    assert seen.errors == ()
    assert got.exercised == exercised and got.status == ("failed" if where else "verified")
    places = {place for finding in seen.findings for each in finding.occurrences for place in each.split()[:1]}
    assert set(where) <= places


# --- mistakes made by hand --------------------------------------------------------------------------------------------


class Bad(NamedTuple):
    """A mistake made by hand: the one finding that it is, figures and all."""

    name: str
    item: str
    settings: str
    tables: dict[str, Rows]
    location: str
    was: str
    should: str
    amount: float | None
    work: tuple[str, ...]
    cause: str = ""


FELL = BOOK + update(10500, 20, "bid 95 1", "ask 97 1", kind="snapshot")  # the mid falls from 100.5 to 96
SLOW = LIMITED.replace("limit = 4", "limit = 8")  # 8 x (1 - 0.5) = 4 in a second

WRONG = [
    # from 10001 on the bid at 99 is too old, at 10500 the mid is 96: (99 - 96) x 5
    Bad("11 s untouched", "4.3.1", AGE, {"order_events": resting(0) + cancelled(11002), "book": FELL},
        "order_events:2", "a of X rested untouched for 11001 ms", "10000 ms at most (quote_max_age_ms)", 15,
        ("from then on, untouched for 11001 ms until order_events:3 cancel_request a",
         "11001 - 10000 = 1001 ms too long",
         "a, buy 5 left at 99; worst mid 96 (book:5): (99 - 96) x 5 = 15 USDT")),
    Bad("looked at once, and not again", "4.3.1", AGE,
        {"order_events": resting(0) + cancelled(17000), "quotes": quote(6000) + quote(7000, bid=98)},
        "order_events:2", "a of X rested untouched for 11000 ms", "10000 ms at most", None,
        ("last quoted at its price 5999 ms later, untouched for 11000 ms until order_events:3",)),
    Bad("no replace since, to the session's end", "4.3.1", AGE,
        {"order_events": resting(0) + order(40000, "replace_request", "b", "PENDING_REPLACE", orig_client_order_id="a")
         + order(40001, "replace_ack", "b", "NEW", price=98, orig_client_order_id="a"),
         "quotes": [row for at in range(0, 40000, 9000) for row in quote(at)] + quote(45000)},
        "order_events:4", "b of X rested untouched for 19999 ms", "10000 ms at most", None, ("the session's end",)),
    Bad("a minute and a bit", "4.3.1", "timing.quote_max_age_ms = 60000.5", {"order_events": resting(0)},
        "session.toml timing.quote_max_age_ms", "quote_max_age_ms was 60000.5", "60000 at most", None,
        ("60000.5 - 60000 = 0.5 too long",)),
    # 5 x 99
    Bad("a submit without an answer", "4.3.2", TIMEOUTS, {"order_events": order(0, "submit", state="PENDING_NEW")},
        "order_events:1", "the submit of a was never answered and not followed up", "after 1000 ms (ack_timeout_ms)",
        495, ("no row after it answers", "60000 - 1000 = 59000 ms too long")),
    # 3 of 5 are left: 3 x 99
    Bad("a cancel that is answered late", "4.3.2", TIMEOUTS,
        {"order_events": resting(0) + order(3, "partial_fill", state="PARTIALLY_FILLED", cum_qty=2, leaves_qty=3)
         + order(10, "cancel_request", state="PENDING_CANCEL") + order(1510, "cancel_ack", state="CANCELED")},
        "order_events:4", "the cancel_request of a was answered after 1500 ms and not followed up",
        "after 1000 ms (cancel_timeout_ms)", 297, ("1500 - 1000 = 500 ms too long",)),
    Bad("timed out, and taken as refused", "4.3.2", TIMEOUTS,
        {"order_events": order(0, "submit", state="PENDING_NEW") + order(1000, "timeout", state="REJECTED")},
        "order_events:2", "a was REJECTED for the bot when the session ended", "open: nothing of the venue's", 495,
        ("order_events:2 timeout a of X",)),
    # 4 + 1 in the second up to 999; of the second up to 1000 the first is out
    Bad("the limit without its margin", "4.3.3", SLOW,
        {"requests": request(0, weight=4) + request(999, weight=1) + request(1000, weight=3)},
        "requests:2", "requests to * weighed 5 in the 1000 ms up to it", "4 at most", None,
        ("allowed: 8 x (1 - 0.5) = 4", "requests:1: weight 4", "requests:2: weight 1", "5 - 4 = 1 too much"),
        "the limit is used without its margin"),
    Bad("counted, not weighed", "4.3.3", LIMITED, {"requests": request(0, weight=1) + request(1, weight=9)},
        "requests:2", "requests to * weighed 10", "2 at most", None, ("requests:2: weight 9",),
        "requests are counted, and not what they weigh"),
    # 5 in the second up to 1001, of which 3 are of the second that begins at 1000
    Bad("a new count each second", "4.3.3", LIMITED.replace("limit = 4", "limit = 3").replace("0.5", "0"),
        {"requests": request(998) + request(999) + request(1000) + request(1001) + request(1002)},
        "requests:4", "requests to * weighed 4", "3 at most", None, ("requests:4: weight 1", "4 - 3 = 1 too much"),
        "the count begins anew at each window, where the venue's window slides"),
    # a bucket of 2 that leaks 4 in a second: 1 + 1 + 1 - 0.25 x 4
    Bad("a bucket that is full", "4.3.3", LIMITED + "kind = 'bucket'",
        {"requests": request(0) + request(125) + request(125) + request(250)},
        "requests:3", "requests to * weighed 2.5 in the bucket, which leaks 4 in 1000 ms", "2 at most", None,
        ("requests:1: weight 1, 125 ms before the last", "2.5 - 2 = 0.5 too much"),
        "the limit is used without its margin"),
    Bad("no margin", "4.3.3", LIMITED.replace("margin = 0.5", ""), {"requests": request(0) + request(1, weight=2.5)},
        "session.toml rate_limit *", "the margin of the rate limit of * was unset", "a share of the limit", None,
        ("limit 4 in 1000 ms; the most that was used: 3.5",)),
    # the bid at 99 is cancelled at 10500; the first mid after the maintenance, at 20001, is 96
    Bad("left resting into maintenance", "4.3.4", MAINTENANCE,
        {"order_events": resting(0) + cancelled(10500),
         "book": BOOK + update(20001, 20, "bid 95 1", "ask 97 1", kind="snapshot")},
        "order_events:2", "a was left resting into maintenance", "a cancel before it begins", 15,
        ("session.toml maintenance: 2025-03-03T12:00:10Z to 2025-03-03T12:00:20Z",
         "order_events:3 cancel_request a, qty 5: PENDING_CANCEL, 500 ms after maintenance began",
         "worst mid 96 (book:5): (99 - 96) x 5 = 15 USDT")),
    Bad("sent in maintenance", "4.3.4", MAINTENANCE, {"order_events": order(10000, "submit", intent="open_long")
                                                      + order(10001, "reject", state="REJECTED")},
        "order_events:1", "a was sent 0 ms into maintenance", "nothing before its end, 10000 ms later", None, ()),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = assess(tmp_path, bad.item, bad.settings, bad.tables)
    assert seen.errors == ()
    finding = seen.findings[0]
    assert finding.location == bad.location and bad.was in finding.current
    assert f"should be {bad.should}" in finding.correct or bad.should in finding.correct.split("\n")[0]
    for line in bad.work:
        assert any(line in told for told in finding.work), finding.work
    assert finding.impact.amount == bad.amount
    assert finding.impact.text and finding.cause == bad.cause
    assert audit(tmp_path, [bad.item])[bad.item].violations


def test_one_mistake_is_one_finding(tmp_path: Path) -> None:
    for n, bad in enumerate(WRONG):
        (tmp_path / str(n)).mkdir()
        seen = assess(tmp_path / str(n), bad.item, bad.settings, bad.tables)
        assert len(seen.findings) == 1, bad.name


# --- what is odd and right --------------------------------------------------------------------------------------------


class Odd(NamedTuple):
    """What is odd and legal, and how many of its records could have been wrong."""

    name: str
    item: str
    exercised: int
    settings: str
    tables: dict[str, Rows]


LEGAL = [
    Odd("10 s to the nanosecond", "4.3.1", 1, AGE, {"order_events": resting(0) + cancelled(10001)}),
    Odd("a threshold of a minute", "4.3.1", 1, "timing.quote_max_age_ms = 60000", {"order_events": resting(0)}),
    Odd("quoted anew at its price, the price of the other side, another market's", "4.3.1", 2, AGE,
        {"order_events": resting(0) + resting(1, "b", side="sell", intent="quote_ask", price=102) + cancelled(11500)
         + order(11500, "cancel_request", "b", "PENDING_CANCEL"),
         "quotes": quote(5000, symbol="S") + quote(8000) + quote(9000, bid=98, ask=99)}),
    Odd("replaced in time, refused in time", "4.3.1", 3, AGE,
        {"order_events": resting(0)
         + order(9000, "replace_request", "b", "PENDING_REPLACE", orig_client_order_id="a")
         + order(9001, "replace_reject", "b", "NEW", orig_client_order_id="a")
         + order(18000, "replace_request", "c", "PENDING_REPLACE", orig_client_order_id="a")
         + order(18001, "replace_ack", "c", "NEW", orig_client_order_id="a") + cancelled(28000, "c")}),
    Odd("filled in time at the venue, heard of later", "4.3.1", 1, AGE,
        {"order_events": resting(0) + order(12000, "fill", state="FILLED", cum_qty=5, leaves_qty=0,
                                            ts_exchange=ms(10000))}),
    Odd("answered at the last moment", "4.3.2", 1, TIMEOUTS,
        {"order_events": order(0, "submit", state="PENDING_NEW") + order(1000, "ack", state="NEW")}),
    Odd("answered by its fill, cancelled for it", "4.3.2", 3, TIMEOUTS,
        {"order_events": order(0, "submit", state="PENDING_NEW")
         + order(5, "fill", state="FILLED", cum_qty=5, leaves_qty=0) + order(6, "submit", "b", "PENDING_NEW")
         + order(1100, "cancel_request", "b", "PENDING_CANCEL") + order(1200, "cancel_ack", "b", "CANCELED")}),
    Odd("listed after a later answer", "4.3.2", 1, TIMEOUTS,
        {"order_events": order(0, "submit", state="PENDING_NEW") + order(4000, "partial_fill", cum_qty=1, leaves_qty=4)
         + order(9, "ack", state="NEW")}),
    Odd("expired, as the venue said", "4.3.2", 1, TIMEOUTS,
        {"order_events": resting(0) + order(9000, "expire", state="EXPIRED")}),
    Odd("just what may be used, and one just a window later", "4.3.3", 3, LIMITED,
        {"requests": request(0, weight=1) + request(999, weight=1) + request(1000, weight=1)}),
    Odd("another endpoint", "4.3.3", 2, LIMITED.replace("'*'", "'order'"),
        {"requests": request(0) + request(1, "query", weight=9) + request(2)}),
    Odd("a bucket that has leaked", "4.3.3", 3, LIMITED + "kind = 'bucket'",
        {"requests": request(0) + request(0) + request(250)}),
    Odd("cancelled before, answered in it", "4.3.4", 1, MAINTENANCE,
        {"order_events": resting(0) + order(9999, "cancel_request", state="PENDING_CANCEL")
         + order(10400, "cancel_ack", state="CANCELED")}),
    Odd("filled at the venue before, heard of in it", "4.3.4", 1, MAINTENANCE,
        {"order_events": resting(0) + order(10100, "fill", state="FILLED", cum_qty=5, leaves_qty=0,
                                            ts_exchange=ms(9990))}),
    Odd("the venue's own order", "4.3.4", 1, MAINTENANCE,
        {"order_events": order(0, "ack", "v", "NEW", origin="exchange") + order(20000, "submit", "b")}),
]  # fmt: skip


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    seen = assess(tmp_path, odd.item, odd.settings, odd.tables)
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.exercised for item in seen.items] == [odd.exercised]
    slow = audit(tmp_path, [odd.item])[odd.item]
    assert (slow.exercised, slow.violations) == (odd.exercised, ())


BLIND = {
    "at the instant of the request": order(0, "submit") + order(0, "ack") + order(8, "cancel_request")
    + order(8, "cancel_ack"),
    "at the venue's time": order(0, "submit") + order(7, "ack", ts_exchange=ms(7)) + order(8, "cancel_request")
    + order(9, "cancel_ack", ts_exchange=ms(9)),
}  # fmt: skip


@pytest.mark.parametrize("events", BLIND.values(), ids=BLIND)
def test_answers_without_a_time_of_their_own_exercise_nothing(events: Rows, tmp_path: Path) -> None:
    seen = assess(tmp_path, "4.3.2", TIMEOUTS, {"order_events": events})
    assert [item.status for item in seen.items] == ["not_assessed"]
    assert "1 of 1 submits are left out: no time is recorded" in seen.items[0].reason
    assert audit(tmp_path, ["4.3.2"])["4.3.2"].exercised == 0


def test_an_answer_that_the_venue_gave_too_late_is_late(tmp_path: Path) -> None:
    events = order(0, "submit") + order(1001, "ack", ts_exchange=ms(1001))
    (finding,) = assess(tmp_path, "4.3.2", TIMEOUTS, {"order_events": events}).findings
    assert "the submit of a was answered after 1001 ms" in finding.current


@pytest.mark.parametrize(
    ("item", "settings", "tables", "note"),
    [
        ("4.3.1", AGE, {"order_events": resting(0, intent="")}, "1 orders state no intent"),
        ("4.3.2", "", {"order_events": resting(0)}, "ack_timeout_ms is not stated"),
        ("4.3.3", "", {"requests": request(0)}, "session.toml states no rate_limit"),
        ("4.3.3", LIMITED + "kind = 'drops'", {"requests": request(0)}, "1 rate limits of session.toml are left out"),
        ("4.3.4", "", {"order_events": resting(0)}, "session.toml states no maintenance"),
        ("4.3.4", MAINTENANCE.replace("03-03", "03-02"), {"order_events": resting(0)}, "no maintenance window"),
    ],
)
def test_what_cannot_be_judged_is_said(
    item: str, settings: str, tables: dict[str, Rows], note: str, tmp_path: Path
) -> None:
    seen = assess(tmp_path, item, settings, tables)
    assert [each.status for each in seen.items] == ["not_assessed"]
    assert note in seen.items[0].reason
    assert audit(tmp_path, [item])[item].exercised == 0 or "kind" in settings


@pytest.mark.parametrize("kind", ["sliding", "fixed", "bucket"])
def test_the_load_of_every_window_is_the_slow_detectors(kind: str, tmp_path: Path) -> None:
    drawn = np.random.default_rng(43)
    at, weight = np.cumsum(drawn.choice([0, 1, 30, 400], 300)), drawn.choice([0.5, 1, 2.25], 300)
    rows = [row for each, w in zip(at.tolist(), weight.tolist(), strict=True) for row in request(each, weight=w)]
    write(tmp_path, LIMITED + f"kind = '{kind}'", {"requests": rows})
    (rate,) = rates(open_session(tmp_path))
    slow = Recorded(tmp_path)
    requests, times = slow.arrivals("requests")
    found = slow_loads(list(zip(times, requests, strict=True)), kind, rate.window, rate.limit)
    last = {times[n]: load for n, (_, load) in enumerate(found)}
    assert len(last) > 100
    for n, time in enumerate(times):
        if kind == "sliding" or n + 1 == len(times) or times[n + 1] > time:
            assert rate.load(n) == last[time]


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FOUR]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s4_3") and not each.item]
CHOSEN = {"5": (5, None), "11-other": (11, {"cost_basis": "average", "realized": "net", "conversion": "fill"})}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    exercises_all(recordings, "4.3", FOUR)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, ("5",)), "4.3", FOUR)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, ("5",)), "4.3")
