"""Section 3.1 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

import csv
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from audit import audit
from audit.market import venues
from audit.recorded import Recorded
from checks.seeded import failed, planted, simulated
from test_audit_3 import BOOK, CASES, FIVE_SECONDS, LOOK, Rows, channel, look, order, quote, update, write

from mmverify.checks.s3_1_feed import feeds
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.replay.depth import states
from mmverify.review.engine import review
from mmverify.review.results import Assessment
from mmverify.session.load import open_session

SIX = tuple(f"3.1.{n}" for n in range(1, 7))
CONNECTED = channel(-1, "connect", "market_data")


def assess(folder: Path, item: str, settings: str, tables: dict[str, Rows]) -> Assessment:
    """Review one item of a session made by hand."""
    folder.mkdir(exist_ok=True)
    return review([open_session(write(folder, settings, tables))], focus=[item])


# --- sessions of the slow detectors -----------------------------------------------------------------------------------

OF_DETECTORS = [each for each in CASES if str(each.values[0]) in SIX]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("item", "exercised", "where", "settings", "tables"), OF_DETECTORS)
def test_as_the_slow_detector_sees_it(
    item: str, exercised: int, where: list[str], settings: str, tables: dict[str, Rows], tmp_path: Path
) -> None:
    seen = assess(tmp_path, item, settings, {"connection": CONNECTED, **tables})
    (got,) = seen.items
    assert got.exercised == exercised and got.status == ("failed" if where else "verified")
    places = {place for finding in seen.findings for place in finding.occurrences} if where else set()
    assert set(where) <= places


# --- mistakes made by hand --------------------------------------------------------------------------------------------


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    item: str
    tables: dict[str, Rows]
    location: str
    was: str
    should: str
    work: str
    cause: str = ""
    amount: float | None = None
    settings: str = ""


MOVED = BOOK + update(1, 11, "bid 100 5") + update(2, 12, "bid 100 7", "ask 101 0")

WRONG = [
    Bad("sides swapped", "3.1.1", {"book": BOOK, "bot_book": look(5, "bid 0 101 2", "ask 0 100 2")}, "bot_book:1",
        "the bids of X were the venue's asks", "the venue's bids", "bot_book:1 bid 101: book:3 sent it as ask",
        "bids are read as asks"),
    # 101 is gone since book:7; of the venue's book 100 is the best bid and 102 the best ask; 103 - 102 = 1
    Bad("a bid above the asks", "3.1.1",
        {"book": BOOK + update(1, 11, "ask 101 0", "bid 103 1") + update(2, 12, "bid 103 0"),
         "bot_book": look(5, "bid 0 103 1", "bid 1 100 2", "ask 0 102 4")}, "bot_book:1",
        "the best bid of X was 103", "not above 102, its best ask", "103 - 102 = 1, above 0",
        "a best level is kept that the venue has removed"),
    Bad("a quote on a crossed book", "3.1.1", {"quotes": quote(5, best_bid=101, best_ask=100)}, "quotes:1",
        "a best bid of 101 and a best ask of 100", "no quote until the book is not crossed", "101 - 100 = 1"),
    Bad("a quote on the venue's crossed book", "3.1.1",
        {"book": BOOK + update(1, 11, "bid 102 1"), "quotes": quote(5)}, "quotes:1",
        "a best bid of 102 and a best ask of 101", "no quote", "102 - 101 = 1"),
    Bad("bids that rise", "3.1.2", {"bot_book": look(5, "bid 0 99 3", "bid 1 100 2")}, "bot_book:1",
        "level 1 of the bids of X was 100", "below 99", "bot_book:2 bid 100 is above bot_book:1 99",
        "its first level is its worst"),
    Bad("an ask twice", "3.1.2", {"bot_book": look(5, "ask 0 101 2", "ask 1 101 4", "ask 2 102 1")}, "bot_book:1",
        "level 1 of the asks of X was 101", "above 101", "bot_book:2 ask 101 is at bot_book:1 101",
        "inserted again where its level should be updated"),
    Bad("two of three out of order", "3.1.2", {"bot_book": look(5, "ask 0 101 2", "ask 1 103 4", "ask 2 102 1")},
        "bot_book:2", "level 2 of the asks of X was 102", "above 103", "bot_book:3 ask 102 is below bot_book:2 103"),
    # 2 + 5 + 7 = 14
    Bad("added", "3.1.3", {"book": MOVED, "bot_book": look(5, "bid 0 100 14", "bid 1 99 3")}, "bot_book:1",
        "14 stood at the bid 100 of X", "7", "book:6 sent 7 for it", "the sums agree"),
    Bad("the last one lost", "3.1.3", {"book": MOVED, "bot_book": look(5, "bid 0 100 5")}, "bot_book:1",
        "5 stood at the bid 100 of X", "7", "book:5 sent 5 for it", "the last update of a level was lost"),
    Bad("kept at zero", "3.1.3", {"book": MOVED, "bot_book": look(5, "ask 0 101 0", "ask 1 102 4")}, "bot_book:1",
        "0 stood at the ask 101 of X", "no such level", "book:7 sent 0 for it", "kept, at 0"),
    Bad("removal lost", "3.1.3", {"book": MOVED, "bot_book": look(5, "ask 0 101 2", "ask 1 102 4")}, "bot_book:1",
        "2 stood at the ask 101 of X", "no such level", "book:7 sent 0 for it", "the removal of a level was lost"),
    Bad("never sent", "3.1.3", {"book": BOOK, "bot_book": look(5, "bid 0 100 2", "bid 1 99.5 1")}, "bot_book:2",
        "1 stood at the bid 99.5 of X", "no such level", "the venue's book at that time has no such level"),
    # a snapshot without 99 takes it away
    Bad("kept over a snapshot", "3.1.3",
        {"book": BOOK + update(1, 11, "bid 100 2", "ask 101 2", kind="snapshot"),
         "bot_book": look(5, "bid 0 100 2", "bid 1 99 3")}, "bot_book:2",
        "3 stood at the bid 99 of X", "no such level", "no such level"),
    # 5,001 ms after 0 ms; the next update's mid is 90: 5 bought at 99 lose 45
    Bad("an old book", "3.1.4",
        {"book": BOOK + update(6000, 11, "bid 100 0", "bid 99 0", "bid 89 1", "ask 91 1"),
         "quotes": quote(5001, bid_qty=5, ask_qty=5)},
        "quotes:1", "a quote of X was made on a book that was 5001 ms old", "5000 ms at most",
        "quotes:1: 5001 ms after book:1, the newest update of its book; 5001 - 5000 = 1 ms too old",
        amount=45.0, settings=FIVE_SECONDS),
    Bad("an order on an old book", "3.1.4", {"book": BOOK, "order_events": order(7000, "submit", price=99)},
        "order_events:1", "an order of X was made on a book that was 7000 ms old", "5000 ms at most",
        "7000 - 5000 = 2000 ms too old", settings=FIVE_SECONDS),
    Bad("a gap", "3.1.5", {"book": BOOK + update(1, 13, "bid 100 5", prev=12), "quotes": quote(5),
                           "connection": CONNECTED}, "book:5", "X was quoted after a gap, seq 13 on 10",
        "resync_start before the next quote", "book:5: seq 13 names 12 as the one before, the last was 10",
        "no resync of this book is ever begun"),
    Bad("a resync too late", "3.1.5",
        {"book": BOOK + update(1, 13, "bid 100 5", prev=12) + update(9, 13, "bid 100 5", kind="snapshot"),
         "quotes": quote(5), "connection": CONNECTED + channel(6, "resync_start", "market_data", "X")}, "book:5",
        "X was quoted after a gap", "resync_start", "quotes:1 quotes 4 ms later",
        "the resync comes, but after the bot has quoted"),
    Bad("a resync that was done before", "3.1.5",
        {"book": BOOK + update(2, 13, "bid 100 5", prev=12), "quotes": quote(5),
         "connection": CONNECTED + channel(0, "resync_start", "market_data", "X")
         + channel(1, "resync_done", "market_data", "X")}, "book:5", "X was quoted after a gap", "resync_start",
        "quotes:1 quotes 3 ms later"),
    Bad("a better level missing", "3.1.6", {"book": BOOK, "bot_book": look(5, "ask 0 102 4")}, "bot_book:1",
        "the asks of X were without 101", "to hold it", "book:3 sent, one of the venue's 1 better ones"),
    # 2 before, 2 at the venue, 1 kept
    Bad("not refilled", "3.1.6",
        {"book": BOOK + update(6, 11, "bid 100 0", "bid 98 1"),
         "bot_book": LOOK + look(7, "bid 0 99 3", "ask 0 101 2", "ask 1 102 4")}, "bot_book:5",
        "1 bids of X were kept", "2, as many as before", "2 - 1 = 1 too few"),
    Bad("a side that is empty", "3.1.6",
        {"book": BOOK, "bot_book": LOOK + look(7, "bid 0 100 2", "bid 1 99 3")}, "bot_book:5",
        "0 asks of X were kept", "2, as many as before", "2 - 0 = 2 too few"),
]  # fmt: skip


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: f"{bad.item} {bad.name}")
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = assess(tmp_path, bad.item, bad.settings, bad.tables)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert finding.item == bad.item and finding.location.startswith(bad.location)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in line for line in work), work
    assert finding.impact.amount == bad.amount
    assert bad.cause in finding.description
    assert audit(tmp_path, [bad.item])[bad.item].violations


# --- what is odd and legal --------------------------------------------------------------------------------------------


class Odd(NamedTuple):
    """What is odd and legal."""

    name: str
    item: str
    exercised: int
    tables: dict[str, Rows]
    settings: str = ""


GAP = update(1, 13, "bid 100 5", prev=12)
LATER = update(3, 13, "bid 100 2", "ask 101 2", kind="snapshot")

LEGAL = [
    Odd("the venue's book is crossed too", "3.1.1", 1,
        {"book": BOOK + update(1, 11, "bid 103 1"), "bot_book": look(5, "bid 0 103 1", "ask 0 101 2")}),
    Odd("a locked book", "3.1.1", 1,
        {"book": BOOK + update(1, 11, "bid 101 1"), "bot_book": look(5, "bid 0 101 1", "ask 0 101 2")}),
    Odd("crossed for the bot, uncrossed by an update of the same time", "3.1.1", 1,
        {"book": BOOK + update(4, 11, "bid 103 1") + update(5, 12, "bid 103 0"),
         "bot_book": look(5, "bid 0 103 1", "ask 0 101 2")}),
    Odd("one level a side", "3.1.2", 0, {"bot_book": look(5, "bid 0 100 2", "ask 0 101 2")}),
    Odd("the book before an update of the same time", "3.1.3", 2,
        {"book": BOOK + update(5, 11, "bid 100 5"), "bot_book": look(5, "bid 0 100 2", "bid 1 99 3")}),
    Odd("the book at its seq, 3 ms back", "3.1.3", 1,
        {"book": BOOK + update(2, 11, "bid 100 5") + update(4, 12, "bid 100 6"),
         "bot_book": look(5, "bid 0 100 5", seq=11)}, "timing.claim_lag_ms = 4"),
    Odd("more digits than the venue's", "3.1.3", 1,
        {"book": BOOK, "bot_book": look(5, "bid 0 100.000 2.0000")}),
    Odd("added twice by a message that is repeated", "3.1.3", 1,
        {"book": BOOK + update(1, 11, "bid 100 5") + update(2, 11, "bid 100 5"), "bot_book": look(5, "bid 0 100 5")}),
    Odd("no threshold", "3.1.4", 0, {"book": BOOK, "quotes": quote(90_000)}),
    Odd("exactly as old as it may be", "3.1.4", 1, {"book": BOOK, "quotes": quote(5000)}, FIVE_SECONDS),
    Odd("a hedge in state halted", "3.1.4", 0,
        {"book": BOOK, "quotes": quote(1, state="halted"), "order_events": order(9000, "submit", intent="close_long")},
        FIVE_SECONDS),
    Odd("a resync that is under way", "3.1.5", 2,
        {"book": BOOK + GAP + LATER + update(4, 15, "bid 100 6", prev=14) + update(6, 15, "bid 100 6", kind="snapshot"),
         "connection": CONNECTED + channel(2, "resync_start", "market_data", "X"),
         "quotes": quote(1, state="halted") + quote(8)}),
    Odd("a gap that nobody quotes after", "3.1.5", 1,
        {"book": BOOK + GAP, "connection": CONNECTED, "quotes": quote(0)}),
    Odd("a venue without numbers", "3.1.5", 0,
        {"book": update(0, "", "bid 100 2", kind="snapshot") + update(1, "", "bid 100 5"), "quotes": quote(5),
         "connection": CONNECTED}),
    Odd("fewer levels where the venue has fewer", "3.1.6", 4,
        {"book": BOOK + update(6, 11, "bid 100 0"),
         "bot_book": LOOK + look(7, "bid 0 99 3", "ask 0 101 2", "ask 1 102 4")}),
    Odd("a look between a gap and its snapshot", "3.1.6", 0,
        {"book": BOOK + GAP, "bot_book": look(5, "bid 0 99 3")}),
    Odd("a look while the channel is down", "3.1.6", 0,
        {"book": BOOK, "connection": CONNECTED + channel(4, "disconnect", "market_data"),
         "bot_book": look(5, "bid 0 99 3")}),
]  # fmt: skip


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: f"{odd.item} {odd.name}")
def test_what_is_odd_is_no_finding(odd: Odd, tmp_path: Path) -> None:
    seen = assess(tmp_path, odd.item, odd.settings, odd.tables)
    (item,) = seen.items
    assert seen.errors == () and seen.findings == () and item.exercised == odd.exercised
    assert item.status == ("verified" if odd.exercised else "not_assessed")
    assert not audit(tmp_path, [odd.item])[odd.item].violations


def test_what_is_not_judged_is_said(tmp_path: Path) -> None:
    unset = assess(tmp_path / "a", "3.1.4", "", {"book": BOOK, "quotes": quote(5)})
    assert any("book_stale_ms is not stated" in note for note in unset.notes)
    bare = {"book": update(0, "", "bid 100 2", kind="snapshot"), "connection": CONNECTED}
    assert any("no gap can be seen" in note for note in assess(tmp_path / "b", "3.1.5", "", bare).notes)


# --- the replay, state by state ---------------------------------------------------------------------------------------


def disorder(folder: Path, seed: int) -> Path:
    """Write a book with gaps, resets, repeats, heartbeats, late messages and snapshots, of a venue of some kind."""
    rng = Random(seed)
    style, depth = rng.choice(["numbered"] * 3 + ["none", "mixed", "noprev"]), rng.choice(["", "", "3", "2"])
    folder.mkdir(parents=True)
    (folder / "session.toml").write_text('[session]\ncurrency = "USD"\n[timing]\nmax_clock_skew_ms = 1\n')
    head = "symbol,kind,base,quote,tick_size,lot_size,book_depth"
    (folder / "instruments.csv").write_text(f"{head}\nX,spot,X,USD,0.5,1,{depth}\n")
    seq, sent, messages = 100_000, 500, list[tuple[int, list[object]]]()
    for number in range(rng.randrange(1, 60)):
        sent += rng.randrange(3) * 10**6
        kind = "snapshot" if rng.random() < (0.8 if number == 0 else 0.12) else "delta"
        prev = seq
        anew = rng.random() < 0.05  # far below, so that no old number follows a new one
        seq += -5000 if anew else 1 if style == "noprev" else rng.choice([1, 1, 2])
        prev += rng.choice([-1, 1, 2]) if rng.random() < 0.06 else 0
        seq = prev if kind == "delta" and rng.random() < 0.04 else seq + (style == "noprev" and rng.random() < 0.07)
        numbered = style not in ("none", "mixed") or (style == "mixed" and rng.random() > 0.15)
        named = numbered and kind == "delta" and style != "noprev"
        cells = [sent, seq if numbered else "", prev if named else "", kind]
        late = rng.randrange(6) if rng.random() < 0.15 else 0
        messages += [(number + late, cells)] * (2 if rng.random() < 0.05 else 1)
    now = 1000
    with (folder / "book.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ts_exchange", "ts_local", "symbol", "seq", "prev_seq", "kind", "side", "price", "qty"])
        for _, (ts, number, prev, kind) in sorted(messages, key=lambda message: message[0]):
            now += rng.choice([0, 1, 1, 5]) * 10**6
            count = 0 if kind == "delta" and rng.random() < 0.06 else rng.randrange(1, 5)
            levels: list[tuple[object, ...]] = [("", "", "")] * (not count)
            levels += [
                (rng.choice(["bid", "ask"]), rng.randrange(14) * 0.5, rng.choice([0, 0, 1, 2])) for _ in range(count)
            ]
            rows.writerows([ts, now, "X", number, prev, kind, *level] for level in levels)
    return folder


def same_states(folder: Path) -> int:
    """Hold every state of the replay against the slow one; return how many."""
    session, slow, count = open_session(folder), venues(Recorded(folder)), 0
    for symbol, feed in feeds(session).items():
        venue, told = slow[symbol], feed.told
        qty, grid = feed.table.decimals("qty"), feed.tape.grid
        assert told.chained == venue.chained
        assert [feed.row(gap) + 1 for gap in told.gaps] == [int(row["#"]) for row, _ in venue.gaps]
        after = states(feed.tape, feed.tape.until(feed.states))
        for message, book, levels in zip(feed.states.tolist(), venue.books, after, strict=True):
            assert (int(told.seq[message]) if told.numbered[message] else None) == book.seq
            assert bool(told.intact[message]) == book.intact
            assert (feed.times[message], feed.times[told.heard[message]]) == (book.since, book.heard)
            sides: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})
            for code in np.flatnonzero(levels).tolist():
                sides[code >= grid.span][feed.price(code)] = qty.fraction(int(feed.tape.row[levels[code] - 1]))
            assert sides == (book.bids, book.asks)
            best = tuple(feed.price(code) if code >= 0 else None for code in feed.best[:, message].tolist())
            assert best == book.best
            count += 1
    return count


@pytest.mark.usefixtures("either_way")
def test_the_fast_replay_is_the_slow_one(tmp_path: Path) -> None:
    counts = [same_states(disorder(tmp_path / str(seed), seed)) for seed in range(80)]
    assert sum(counts) > 800


# --- every mistake seeded for the section -----------------------------------------------------------------------------

SIMULATED = {
    "first": (21, None),
    "second": (4, {"cost_basis": "average", "unrealized_price": "mid", "stop_price": "last"}),
}
SEEDED = {each.id: each for each in defects().values() if each.item in SIX and each.evidence == "session"}
BENIGN = {
    each.id: each for each in defects().values() if each.plant.__module__ == "mmverify.defects.s3_1" and not each.item
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("s3_1"), SIMULATED)


def test_sound_sessions_are_verified(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = review([open_session(recording.folder)], focus=SIX)
        assert failed(seen) == set() and {item.status for item in seen.items} == {"verified"}
        slow = audit(recording.folder, SIX)
        assert {item.id: item.exercised for item in seen.items} == {item: slow[item].exercised for item in SIX}
        assert same_states(recording.folder)


@pytest.mark.armed
@pytest.mark.parametrize("name", sorted(SEEDED))
def test_a_seeded_mistake_fails_its_item(name: str, recordings: dict[str, Recording], tmp_path: Path) -> None:
    chosen: Defect = SEEDED[name]
    for folder in planted(chosen, recordings, tmp_path, recordings):
        broken = {item for item, seen in audit(folder, SIX).items() if seen.violations}
        assert failed(review([open_session(folder)], focus=SIX)) == broken
        if chosen.item in broken:
            return
    pytest.fail("no session shows it")


@pytest.mark.armed
@pytest.mark.parametrize("name", sorted(BENIGN))
def test_what_is_seeded_and_legal_fails_nothing(name: str, recordings: dict[str, Recording], tmp_path: Path) -> None:
    for folder in planted(BENIGN[name], recordings, tmp_path, list(recordings)[:1]):
        assert failed(review([open_session(folder)], focus=SIX)) == set()
