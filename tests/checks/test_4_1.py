"""Section 4.1 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from audit import audit
from checks.seeded import failed, planted, simulated
from test_audit_3 import CASES, START, ms, order, passed, request, signal, trade
from test_audit_3 import write as write_case

from mmverify.checks.s4_1_skew import skew
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.engine import review, run_source
from mmverify.review.results import Assessment
from mmverify.session import open_session
from mmverify.source.evidence import open_source

FIVE = tuple(f"4.1.{n}" for n in range(1, 6))
HOUR = 3_600_000  # ms
SKEW = "timing.max_clock_skew_ms = 5"
Rows = list[dict[str, object]]


def look(folder: Path, item: str, settings: str = "", **tables: Rows) -> Assessment:
    """Review one item of a session made by hand."""
    return review([open_session(write_case(folder, settings, tables))], focus=[item], today=date(2026, 1, 2))


def spot(at: float, **more: object) -> Rows:
    """A row of the account's value."""
    return [{"ts_local": ms(at), "equity": 100, **more}]


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    item: str
    tables: Mapping[str, Rows]
    location: str
    was: str
    should: str
    work: str
    count: int = 1
    cause: str = ""
    settings: str = ""


def told(text: str) -> Rows:
    return [{"ts_local": text, "channel": "orders", "event": "connect"}]


MANY = [row for n in range(4) for row in trade(n + 0.5e-6, str(n), 100, sent=n + HOUR)]
LATE = trade(500, "1", 100, 3, sent=-1) + trade(600, "2", 100, 4, sent=599)
START_MS, END_MS = ms(0), ms(2000)

WRONG = [
    Bad("text without an offset", "4.1.1", {"connection": told("2025-03-03T12:00:01") + told("2025-03-03T12:00:02Z")},
        "connection:1", "ts_local of connection has no offset", "an explicit offset", "it is 2025-03-03T12:00:01Z"),
    Bad("another offset", "4.1.1",
        {"connection": told("2025-03-03T12:00:01Z") + told("2025-03-03T13:00:01+0100") * 2}, "connection:2",
        "ts_local of connection is at +01:00", "Z, as the other times", "at +01:00 is 2025-03-03T12:00:01Z", count=2),
    # 1741006800000000000 - 1741003200000000000 is an hour; the clocks are 0 ms apart beside it
    Bad("venue an hour ahead", "4.1.1", {"trades": MANY}, "trades:1",
        "ts_exchange of trades is 1 h after ts_local in 4 rows", "both clocks in UTC",
        "trades:1: ts_local - ts_exchange = 1741003200000000000 - 1741006800000000000 = -3600000 ms", count=4),
    Bad("a table two hours on", "4.1.1",
        {"trades": trade(1, "1", 100) + trade(9, "2", 100), "equity": spot(1 + 2 * HOUR) + spot(9 + 2 * HOUR)},
        "equity:1", "ts_local of equity is 2 h after the other times", "all in UTC",
        "equity ts_local is from 2025-03-03T14:00:00.001Z to 2025-03-03T14:00:00.009Z", count=2),
    # sent at 12:00:00.008, arrived at 12:00:00.002
    Bad("one from the future", "4.1.2", {"trades": trade(1, "1", 100) + trade(2, "2", 100, sent=8)}, "trades:2",
        "ts_local of trades is 6 ms before ts_exchange", "5 ms at most (max_clock_skew_ms)",
        "trades:2: ts_local - ts_exchange = 1741003200002000000 - 1741003200008000000 = -6 ms", settings=SKEW),
    # 1001.5 and 1002.5 ms early, the least: the clock is that far behind; 1 ms in 1 s is 1000 ppm, 3600 ms an hour
    Bad("a clock that is behind", "4.1.2",
        {"trades": trade(0, "1", 100, sent=1001.5) + trade(1000, "2", 100, sent=2002.5)}, "trades:1",
        "the bot's clock is at least 1002 ms behind the venue's: ts_local comes first in 2 of 2 rows of trades",
        "1000 ms at most (max_clock_skew_ms is not stated)", "it loses 3600 ms an hour (1000 ppm)", count=2),
    Bad("copied", "4.1.2", {"trades": trade(1e-6, "1", 100) + trade(2, "2", 100) + trade(3, "3", 100)}, "trades:1",
        "ts_exchange of trades is ts_local in all 3 rows", "the venue's own time", "= 0 ms", count=3,
        cause="ts_local was written in place of the venue's time"),
    Bad("whole ms copied often", "4.1.2", {"trades": [row for n in range(30) for row in trade(n, str(n), 100)]},
        "trades:1", "ts_exchange of trades is ts_local in all 30 rows", "the venue's own time", "= 0 ms", count=30),
    # 3 was sent at 11:59:59.999 and came at 12:00:00.5: of the window are 4
    Bad("a window by arrival", "4.1.2", {"trades": LATE, "signals": signal(3000, "volume", 7)}, "signals:1",
        "volume of X was 7: its window is cut by ts_local", "4, its window cut by ts_exchange",
        f"trades:1: 3 sent at {ms(-1)}, arrived at {ms(500)}", cause="its window is cut by ts_local"),
    Bad("a mean by arrival", "4.1.2",
        {"trades": LATE + trade(700, "3", 103, 4), "signals": signal(3000, "vwap", "101.0909", 0, 2000)}, "signals:1",
        # (100 x 7 + 103 x 4) / 11 = 1112 / 11 = 101.0909 by arrival; (400 + 412) / 8 = 101.5 by the venue
        "vwap of X was 101.0909: its window is cut by ts_local", "101.5, its window cut by ts_exchange",
        "vwap of the window: 101.5"),
    Bad("the end is counted", "4.1.3",
        {"trades": trade(1, "1", 100, 3) + trade(2000, "2", 100, 4), "signals": signal(3000, "volume", 7)}, "signals:1",
        "volume of X was 7: the trades on its end are counted in it, and in the next", "3: its start in the window",
        f"trades:2: 4 sent at {END_MS}, arrived at {END_MS}"),
    Bad("the start is left out", "4.1.3",
        {"trades": trade(0, "1", 100, 3) + trade(9, "2", 100, 4), "signals": signal(3000, "volume", 4)}, "signals:1",
        "volume of X was 4: the trades on its start are left out of it", "7: its start in the window",
        f"trades:1: 3 sent at {START_MS}"),
    Bad("one end for the other", "4.1.3",
        {"trades": trade(0, "1", 100, 3) + trade(9, "2", 100, 4) + trade(2000, "3", 100, 5),
         "signals": signal(3000, "volume", 9)}, "signals:1",
        "volume of X was 9: the trades on its end are counted in it, those on its start are not", "7: its start",
        f"signals:1: the window is from {START_MS} to {END_MS}"),
    Bad("ms for ns", "4.1.4", {"equity": [{"ts_local": START // 10**6, "equity": 1}]}, "equity:1",
        "ts_local of equity was 1741003200000", "nanoseconds since 1970", "as milliseconds it is 2025-03-03T12:00:00Z",
        cause="milliseconds were written where nanoseconds belong"),
    Bad("s for ns", "4.1.4", {"equity": [{"ts_local": START // 10**9, "equity": 1}]}, "equity:1",
        "ts_local of equity was 1741003200", "nanoseconds", "as seconds it is 2025-03-03T12:00:00Z"),
    Bad("nothing as 0", "4.1.4", {"order_events": order(1, "ack", ts_exchange=0)}, "order_events:1",
        "ts_exchange of order_events was 0", "nanoseconds", "0 stands for no time"),
    # 2300-01-01 is 10413792000 s after 1970: 10413792000000000000 - 2^64 = -8032952073709551616
    Bad("past 2262", "4.1.4", {"order_events": order(1, "submit", ts_expires=-8032952073709551616)}, "order_events:1",
        "ts_expires of order_events was -8032952073709551616", "nanoseconds",
        "2^64 - 8032952073709551616 = 10413792000000000000 ns wraps to it"),
    # 4294968 ms less 1 ms is 4294967 ms; 2^32 us = 4294967.296 ms: 0.296 ms have passed
    Bad("a counter that wraps", "4.1.4", {"equity": spot(4294968) + spot(1)}, "equity:2",
        "ts_local of equity falls by 4294967000000 ns", "a time after the one before",
        "2^32 us = 4294967296000 ns; 4294967296000 - 4294967000000 = 296000 ns have passed",
        cause="a 32-bit counter wrapped at 2^32 us"),
    Bad("answered before it was asked", "4.1.4", {"requests": request(5, answered=4)}, "requests:1",
        "ts_response of requests is 1 ms before ts_local", "after it",
        f"requests:1: ts_response - ts_local = {ms(4)} - {ms(5)} = -1000000 ns"),
    Bad("ms added to ns", "4.1.4", {"order_events": order(1, "submit", ts_expires=ms(1) + 30_000)}, "order_events:1",
        "ts_expires of order_events is 30000 ns after ts_local", "longer than it takes to send",
        "30000 taken as milliseconds is 30 s", cause="milliseconds were added to a time in nanoseconds"),
    Bad("blocked for a negative time", "4.1.4", {"latency": passed(1, 2, 3, 4, blocked_us=-7)}, "latency:1",
        "blocked_us of latency was -7", "0 or more, and below 2^31", "latency:1: blocked_us -7"),
    Bad("a window that ends first", "4.1.4", {"signals": signal(3000, "x", 1, 2000, 0)}, "signals:1",
        "window_end of signals is 2000 ms before window_start", "after it", "= -2000000000 ns"),
    # 1741003200000000256 = 256 x 6800793750000001
    Bad("through a float64", "4.1.5", {"equity": [{**spot(0)[0], "ts_local": START + 256 * n} for n in (1, 3, 5, 7)]},
        "equity:1", "all 4 different times of equity ts_local are multiples of 256 ns", "multiples of 1 ns",
        "equity:1 ts_local: 1741003200000000256 = 256 x 6800793750000001", count=4,
        cause="the times went through a float64"),
    Bad("whole ms beside ns", "4.1.5", {"equity": spot(1) + spot(2) + spot(3), "requests": request(7e-6)}, "equity:1",
        "all 3 times of equity ts_local are multiples of 1 ms", "as fine as requests ts_local",
        "requests:1 ts_local: 1741003200000000007 = 1000000 x 1741003200000 + 7", count=3),
    Bad("whole us beside ns", "4.1.5",
        {"equity": spot(1) + spot(2.001) + spot(3), "requests": request(1e-6)}, "equity:1",
        "all 3 times of equity ts_local are multiples of 1 us", "as fine as requests ts_local", "+ 1", count=3),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = look(tmp_path, bad.item, bad.settings, **bad.tables)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert (finding.item, finding.location, finding.count) == (bad.item, bad.location, bad.count)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in each for each in work), work
    assert finding.impact.amount is None and finding.impact.text
    assert bad.cause in finding.cause and bool(finding.cause) >= bool(bad.cause)
    slow = audit(tmp_path, [bad.item])[bad.item]
    assert slow.violations


class Odd(NamedTuple):
    """What is odd, and legal."""

    name: str
    item: str
    tables: Mapping[str, Rows]
    settings: str = ""


def payment(at: float) -> Rows:
    """A payment of funding, dated to the hour by the venue, heard of a nanosecond later."""
    return [{"ts_exchange": ms(at), "ts_local": ms(at + 1e-6), "symbol": "X", "rate": 1, "amount": 1}]


LEGAL = [
    Odd("text with an offset beside numbers", "4.1.1",
        {"connection": told("2025-03-03T12:00:01Z") + told(str(ms(5))), "equity": spot(1)}),
    Odd("UTC in any spelling", "4.1.1",
        {"connection": [row for end in ("Z", "+00:00", "+0000", "-00") for row in told(f"2025-03-03T12:00:01{end}")]}),
    Odd("a deposit of hours before", "4.1.1",
        {"transfers": [{"ts_exchange": ms(-2 * HOUR), "asset": "USDT", "amount": 1}], "equity": spot(1) + spot(9),
         "trades": trade(9, "1", 1)}),
    Odd("two hours late, once", "4.1.1", {"trades": trade(1, "1", 1, sent=-2 * HOUR) + trade(9, "2", 1)}),
    Odd("a table that lasts for longer", "4.1.1",
        {"trades": trade(1, "1", 1) + trade(9, "2", 1), "equity": spot(1) + spot(5 * HOUR)}),
    Odd("half an hour late, always", "4.1.1", {"trades": trade(1, "1", 1, sent=-HOUR / 2) * 3}),
    Odd("within the skew that is stated", "4.1.2", {"trades": trade(1, "1", 1, sent=6) + trade(2, "2", 1, sent=7)},
        SKEW),
    Odd("within the second that is taken", "4.1.2", {"trades": trade(1, "1", 1, sent=1001)}),
    Odd("equal in whole ms, a few times", "4.1.2",
        {"trades": trade(1, "1", 1) + trade(2, "2", 1) + trade(3, "3", 1)}),
    Odd("equal but once", "4.1.2", {"trades": trade(1e-6, "1", 1) + trade(2, "2", 1) + trade(3, "3", 1, sent=2)}),
    Odd("either clock gives the same", "4.1.2",
        {"trades": trade(5, "1", 100, 3, sent=4), "signals": signal(3000, "volume", 3)}),
    Odd("wrong by either clock", "4.1.2", {"trades": LATE, "signals": signal(3000, "volume", 9)}),
    Odd("half-open", "4.1.3",
        {"trades": trade(0, "1", 100, 3) + trade(2000, "2", 100, 4),
         "signals": signal(3000, "volume", 3) + signal(3000, "volume", 4, 2000, 2500)}),
    Odd("on the end, arrived after the claim", "4.1.3",
        {"trades": trade(1, "1", 100, 3) + trade(3001, "2", 100, 4, sent=2000), "signals": signal(3000, "volume", 3)}),
    Odd("wrong, but not by its ends", "4.1.3",
        {"trades": trade(0, "1", 100, 3) + trade(9, "2", 100, 4), "signals": signal(3000, "volume", 5)}),
    Odd("good till far away, and a row after it expired", "4.1.4",
        {"order_events": order(1, "submit", ts_expires=9 * 10**18) + order(10, "expire", ts_expires=ms(9))}),
    Odd("another symbol begins again", "4.1.4",
        {"trades": [*trade(4294968, "1", 1), {**trade(1, "2", 1)[0], "symbol": "Y"}]}),
    Odd("an answer at once", "4.1.4", {"requests": request(5, answered=5)}),
    Odd("whole ms everywhere", "4.1.5", {"equity": spot(1) + spot(2) + spot(3), "requests": request(4)}),
    Odd("round by chance", "4.1.5", {"equity": [{**spot(0)[0], "ts_local": START + 256 * n} for n in (0, 3, 5)]}),
    Odd("whole ms, but two of them", "4.1.5", {"equity": spot(1) + spot(2), "requests": request(1e-6)}),
    Odd("funding on the hour", "4.1.5",
        {"funding": payment(HOUR) + payment(2 * HOUR) + payment(3 * HOUR), "trades": trade(5, "1", 1, sent=1e-6)}),
    # what is a copy of the bot's clock says nothing of how fine the venue's is
    Odd("a copied clock is finer", "4.1.5",
        {"trades": trade(5.000001, "1", 1, sent=1) + trade(6, "2", 1, sent=2) + trade(7, "3", 1, sent=3),
         "order_events": order(9.000001, "ack", ts_exchange=ms(9.000001))}),
]  # fmt: skip


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_found(odd: Odd, tmp_path: Path) -> None:
    seen = look(tmp_path, odd.item, odd.settings, **odd.tables)
    assert (seen.findings, seen.errors) == ((), ())
    slow = audit(tmp_path, [odd.item])[odd.item]
    assert slow.violations == ()
    assert [item.status for item in seen.items] == ["verified" if slow.exercised else "not_assessed"]


OF_SECTION = [each for each in CASES if str(each.values[0]).startswith("4.1")]


@pytest.mark.parametrize(("item", "exercised", "where", "settings", "tables"), OF_SECTION)
def test_the_slow_detectors_own_sessions(
    item: str, exercised: int, where: list[str], settings: str, tables: dict[str, Rows], tmp_path: Path
) -> None:
    seen = look(tmp_path, item, settings, **tables)
    assert failed(seen) == ({item} if where else set())
    assert bool(seen.items[0].exercised) == bool(exercised)


def test_without_the_tables_nothing_is_verified(tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_text("[session]\n")
    seen = review([open_session(tmp_path)], focus=["4.1"], today=date(2026, 1, 2))
    assert {item.status for item in seen.items} == {"not_assessed"}


def test_a_skew_that_is_not_stated_is_said(tmp_path: Path) -> None:
    seen = look(tmp_path, "4.1.2", trades=trade(1, "1", 1, sent=1001))
    assert "4.1.2 early_arrivals: max_clock_skew_ms is not stated: 1000 ms is taken" in "\n".join(seen.notes)


def test_a_rare_row_is_no_clock(tmp_path: Path) -> None:
    """One of three rows of trades is early, and each of two marks: a row, and a clock."""
    trades = trade(1, "1", 1) + trade(2, "2", 1, sent=5) + trade(3, "3", 1)
    marks: Rows = [{"ts_local": ms(at), "ts_exchange": ms(at + 3), "symbol": "X", "mark": 1} for at in (1, 2)]
    seen = look(tmp_path, "4.1.2", "timing.max_clock_skew_ms = 2", trades=trades, marks=marks)
    assert sorted(finding.key for finding in seen.findings) == ["clock", "trades ts_exchange"]


# --- the estimate of a clock ------------------------------------------------------------------------------------------

S = 10**9


def clock(venue: Any, offset: int, drift: float, took: Any) -> Any:
    """What a clock shows that is ahead by `offset` ns at 0 and gains `drift` ns a ns."""
    return venue + offset + (venue * drift).astype(np.int64) + took


@pytest.mark.parametrize("drift", [-5e-6, 0.0, 2e-5])
@pytest.mark.parametrize("offset", [-1_270_000_000, 0, 40_000_000])
def test_offset_and_drift_of_a_clock_are_found(offset: int, drift: float) -> None:
    """Messages take 2 ms and a random more, some of them long: the least of each minute is near 2 ms."""
    rng = np.random.default_rng(7)
    venue = np.sort(rng.integers(0, 600 * S, 60_000))
    took = 2_000_000 + rng.exponential(3_000_000, venue.size).astype(np.int64)
    seen = skew(clock(venue, offset, drift, took), venue, parts=60)
    assert len(seen.at) == 60
    assert abs(seen.offset - (offset + 2_000_000 + drift * (np.median(seen.at) - offset))) < 30_000
    assert abs(seen.drift - drift) < 3e-7
    assert (seen.floor <= seen.median).all()


def test_a_few_wrong_times_do_not_turn_the_line() -> None:
    venue = np.arange(0, 600 * S, S // 10)
    local = clock(venue, -S, -5e-6, 1_000_000)
    local[[7, 3000]] -= 60 * S
    local[5000] += 60 * S
    seen = skew(local, venue, parts=60)
    assert abs(seen.drift + 5e-6) < 2e-7
    assert abs(seen.offset - (-S + 1_000_000 - 5e-6 * 300 * S)) < 20_000


def test_the_estimate_by_hand() -> None:
    """Two parts of 2 s: least 5 ns at 0 s and 3 ns at 2 s, so -1 ns a second, and 4 ns in the middle, at 1 s."""
    venue = np.array([0, S, 2 * S, 3 * S])
    seen = skew(venue + np.array([5, 9, 3, 8]), venue, parts=2)
    assert seen.floor.tolist() == [5.0, 3.0] and seen.median.tolist() == [7.0, 5.5]
    assert seen.drift == pytest.approx(-1e-9, rel=1e-6) and seen.offset == pytest.approx(4, abs=1e-6)


def test_order_does_not_matter_and_one_row_has_no_drift() -> None:
    venue = np.array([0, S, 2 * S, 3 * S])
    local = venue + np.array([5, 9, 3, 8])
    turned = skew(local[::-1], venue[::-1], parts=2)
    assert (turned.drift, turned.offset) == (skew(local, venue, parts=2).drift, skew(local, venue, parts=2).offset)
    one = skew(local[:1], venue[:1], parts=60)
    assert np.isnan(one.drift) and one.offset == 5 and one.floor.tolist() == [5.0]


# --- the source tree --------------------------------------------------------------------------------------------------


def test_naive_local_time_in_code_is_found(tmp_path: Path) -> None:
    code = "from datetime import UTC, datetime\n\n\ndef good():\n    return datetime.now(UTC)\n"
    (tmp_path / "clean.py").write_text(code)
    (run,) = [run for run in run_source(open_source(tmp_path), ["4.1.1"]) if run.check == "naive_local_time"]
    assert run.looked.exercised >= 1 and run.looked.breaches == () and run.error == ""
    (tmp_path / "stamp.py").write_text(code.replace("now(UTC)", "now()") + "\n\ndef more():\n    datetime.utcnow()\n")
    (run,) = [run for run in run_source(open_source(tmp_path), ["4.1.1"]) if run.check == "naive_local_time"]
    (breach,) = run.looked.breaches
    assert (breach.key, breach.where, breach.count) == ("stamp.py", ("stamp.py:5", "stamp.py:9"), 2)
    assert breach.was == "return datetime.now()"


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FIVE and each.evidence == "session"]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s4_1") and not each.item]
CHOSEN = {
    "5": (5, None),
    "11-other": (11, {"cost_basis": "average", "realized": "net", "conversion": "fill"}),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def looked(folder: Path) -> Assessment:
    return review([open_session(folder)], focus=["4.1"], today=date(2026, 1, 2))


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = looked(recording.folder)
        assert (seen.findings, seen.errors) == ((), ())
        assert {item.id: item.status for item in seen.items} == dict.fromkeys(FIVE, "verified")
        checks = {check.name: check.exercised for item in seen.items for check in item.checks}
        slow = {item: each.exercised for item, each in audit(recording.folder, FIVE).items()}
        assert checks["offsets_of_text"] == checks["whole_hours"] == slow["4.1.1"]
        assert checks["early_arrivals"] + checks["windows_by_venue_clock"] == slow["4.1.2"]
        assert checks["window_ends"] == slow["4.1.3"]
        assert checks["units_and_wraps"] == slow["4.1.4"]
        assert checks["float_trips"] == checks["cut_times"] == slow["4.1.5"]
        assert all(checks.values())


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    folders = list(planted(chosen, recordings, tmp_path, CHOSEN))
    assert folders
    for folder in folders:
        items = failed(looked(folder))
        assert chosen.item in items
        assert items <= {chosen.item, *chosen.consequences}
        assert items == {item for item, seen in audit(folder, FIVE).items() if seen.violations}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    folders = list(planted(chosen, recordings, tmp_path, CHOSEN))
    assert folders
    assert [failed(looked(folder)) for folder in folders] == [set()] * len(folders)
