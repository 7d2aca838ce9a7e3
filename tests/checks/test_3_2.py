"""Section 3.2 on sessions made by hand, on drawn ones beside the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from audit import audit
from checks.seeded import failed, fails_nothing, planted, simulated
from test_audit_3 import BOOK, CASES, INSTRUMENT, Rows, heard, ms, signal, trade, update, write

from mmverify.checks import s3_2_heard, s3_2_signs
from mmverify.checks.s3_2_heard import extremes
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.engine import review
from mmverify.review.results import Assessment
from mmverify.session.load import open_session

FOUR = tuple(f"3.2.{n}" for n in range(1, 5))
TICK = "conventions.trade_sign = 'tick'"
LEE_READY = "conventions.trade_sign = 'lee_ready'"


def assess(folder: Path, item: str, settings: str, tables: dict[str, Rows]) -> Assessment:
    """Review one item of a session made by hand."""
    folder.mkdir(exist_ok=True)
    return review([open_session(write(folder, settings, tables))], focus=[item])


# --- sessions of the slow detectors -----------------------------------------------------------------------------------

OF_DETECTORS = [each for each in CASES if str(each.values[0]) in FOUR]


@pytest.mark.parametrize(("item", "exercised", "where", "settings", "tables"), OF_DETECTORS)
def test_as_the_slow_detector_sees_it(
    item: str, exercised: int, where: list[str], settings: str, tables: dict[str, Rows], tmp_path: Path
) -> None:
    seen = assess(tmp_path, item, settings, tables)
    (got,) = seen.items
    assert got.exercised == exercised and got.status == ("failed" if where else "verified")
    places = {place for finding in seen.findings for place in finding.occurrences}
    assert all(any(place.startswith(each) for place in places) for each in where)


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
    count: int = 1


def heard_all(*names: str, **sides: str) -> Rows:
    return [row for name in names for row in heard(name, sides.get(f"t{name}", "buy"))]


DOWN = trade(1, "1", 100, 3) + trade(2, "2", 99, 2) + trade(3, "3", 99, 5)
PAIR = trade(1, "1", 100, 2) + trade(2, "2", 101, 1) + trade(2, "3", 103, 2)  # the last two of one time
LATE = trade(1001, "1", 100, sent=1000) + trade(1500, "2", 104, 3, sent=500)
OVER = trade(1001, "1", 100, sent=1000) + trade(2500, "2", 104, 3, sent=1999)  # after the end of the window

WRONG = [
    # 3 + 2 of volume
    Bad("the maker's side", "3.2.1",
        {"trades": trade(1, "1", 100, 3) + trade(2, "2", 101, 2, side="sell"),
         "bot_trades": heard("1", "sell") + heard("2", "buy")}, "bot_trades:1",
        "the side of trade 1 of X was sell", "buy by the venue's aggressor", "trades:1: 3 at 100, aggressor buy",
        "the side of the order that rested", count=2),
    Bad("every trade a buy", "3.2.1",
        {"trades": trade(1, "1", 100, 3) + trade(2, "2", 101, 2, side="sell"), "bot_trades": heard_all("1", "2")},
        "bot_trades:2", "the side of trade 2 of X was buy", "sell by the venue's aggressor",
        "trades:2: 2 at 101, aggressor sell", "every trade was taken for a buy"),
    # 100, 99, 99: the second falls, the third keeps its sign
    Bad("a zero tick is an uptick", "3.2.1", {"trades": DOWN, "bot_trades": heard_all("1", "2", "3", t2="sell")},
        "bot_trades:3", "the side of trade 3 of X was buy", "sell by the tick rule",
        "trades:3: 5 at 99, the last other price 100 (trades:1): 99 - 100 = -1, a seller's",
        "at the price of the one before was taken for an uptick", settings=TICK),
    Bad("the aggressor for the tick", "3.2.1", {"trades": DOWN, "bot_trades": heard_all("1", "2", "3")},
        "bot_trades:2", "the side of trade 2 of X was buy", "sell by the tick rule",
        "trades:2: 2 at 99, the last other price 100 (trades:1): 99 - 100 = -1", "the venue's aggressor was taken",
        settings=TICK, count=2),
    # 100 bid, 101 ask: 2 x 101 - 100 - 101 = 1
    Bad("above the mid", "3.2.1", {"book": BOOK, "trades": trade(1, "1", 101), "bot_trades": heard("1", "sell")},
        "bot_trades:1", "the side of trade 1 of X was sell", "buy by Lee-Ready's rule",
        "best bid and ask then (book:1): 2 x 101 - 100 - 101 = 1, a buyer's", "above the mid were taken for sales",
        settings=LEE_READY),
    # the ask of 101 is of 2: with 3 at least the mid is (99 + 102) / 2; 2 x 100.5 - 99 - 102 = 0; then 100.5 - 101
    Bad("at the mid of levels that count", "3.2.1",
        {"book": BOOK, "trades": trade(1, "1", 101) + trade(2, "2", "100.5"), "bot_trades": heard_all("1", "2")},
        "bot_trades:2", "the side of trade 2 of X was buy", "sell by Lee-Ready's rule", "100.5 - 101 = -0.5, a seller",
        "the venue's aggressor was taken", settings=f"{LEE_READY}\nconventions.mid_min_qty = 3"),
    Bad("no book yet", "3.2.1",
        {"book": update(9, 10, "bid 100 2", "ask 101 2", kind="snapshot"), "trades": DOWN,
         "bot_trades": heard_all("1", "2", "3", t2="sell")},
        "bot_trades:3", "the side of trade 3 of X was buy", "sell by Lee-Ready's rule", "trades:3: 5 at 99, no mid",
        "at the price of the one before was taken for an uptick", settings=LEE_READY),
    # (2 x 100 + 1 x 101 + 2 x 103) / 5 = 507 / 5 = 101.4; with the last of each time (200 + 206) / 4 = 101.5
    Bad("the last of each time", "3.2.2", {"trades": PAIR, "signals": signal(3000, "vwap", "101.5")}, "signals:1",
        "vwap of X was 101.5", "101.4", "sum(price x qty) / sum(qty) = 507 / 5 = 101.4",
        "of trades with one ts_exchange only the last is counted", 0.1),
    Bad("the first of each time", "3.2.2", {"trades": PAIR, "signals": signal(3000, "volume", 3)}, "signals:1",
        "volume of X was 3", "5", "5 - 2 = 3", "of trades with one ts_exchange only the first is counted"),
    Bad("neither", "3.2.2", {"trades": PAIR, "signals": signal(3000, "volume", 2)}, "signals:1", "volume of X was 2",
        "5", "trades:2 1 at 101", "of trades with one ts_exchange only none is counted"),
    # of 2 at 100, 2 at 100 and 2 at 101 the second looks like the first
    Bad("alike is a repeat", "3.2.2",
        {"trades": trade(1, "1", 100, 2) + trade(1, "2", 100, 2) + trade(1, "3", 101, 2),
         "signals": signal(3000, "volume", 4)}, "signals:1", "volume of X was 4", "6", "6 - 2 = 4",
        "of trades with one ts_exchange and price only the first is counted"),
    Bad("cut to milliseconds", "3.2.2",
        {"trades": trade(1.25, "1", 100, 2) + trade(1.75, "2", 100, 3), "signals": signal(3000, "volume", 3)},
        "signals:1", "volume of X was 3", "5", "5 - 2 = 3", "of trades with one ts_exchange in ms only the last"),
    # (100 + 3 x 104) / 4 = 103; without the late one 100
    Bad("late and dropped", "3.2.3", {"trades": LATE, "signals": signal(3000, "vwap", 100)}, "signals:1",
        "vwap of X was 100", "103", "trades:2 3 at 104: ts_exchange is window_start +500 ms, ts_local +1000 ms to that",
        "trades that came after a newer one were left out", 3.0),
    Bad("after the end and dropped", "3.2.3", {"trades": OVER, "signals": signal(3000, "vwap", 100)}, "signals:1",
        "vwap of X was 100", "103", "window_end +500 ms: in the window, and left out",
        "trades that came after the window had ended were left out", 3.0),
    # by arrival the window from 1,000 ms on holds both: (100 + 3 x 104) / 4 = 103; by the venue's clock one
    Bad("in the window of its arrival", "3.2.3", {"trades": LATE, "signals": signal(3000, "vwap", 103, 1000)},
        "signals:1", "vwap of X was 103", "100", "412 / 4 = 103, as claimed", "the window was cut by ts_local", 3.0),
    # the book is from 99 to 102
    Bad("a filter of size", "3.2.4",
        {"book": BOOK, "trades": trade(1, "1", 99, 2) + trade(2, "2", 101, 500) + trade(3, "3", 101, 1),
         "bot_trades": heard("1", used="false", reason="small") + heard("2") + heard("3", used="false", reason="odd")},
        "bot_trades:1", "trade 1 of X, 2 at 99, was not used (small)", "used: it is of 2 (min_qty) at least",
        "trades:1: 2 at 99; the book then (book:1) is from 99 to 102: 99 - 99 = 0, 102 - 99 = 3",
        "every trade of less than 500 is left out"),
    Bad("a cap on size", "3.2.4",
        {"book": BOOK, "trades": trade(1, "1", 102, 500) + trade(2, "2", 101, 2),
         "bot_trades": heard("1", used="false", reason="outlier") + heard("2")},
        "bot_trades:1", "trade 1 of X, 500 at 102, was not used (outlier)", "used", "102 - 102 = 0",
        "every trade of more than 2 is left out"),
    # 2 of 100
    Bad("no reason", "3.2.4",
        {"trades": trade(1, "1", 300, 2) + trade(2, "2", 101, 98), "bot_trades": heard("1", used="false") + heard("2")},
        "bot_trades:1", "2 % of the volume of X was left out with no reason", "1 % at most", "2 / 100 = 0.02"),
]  # fmt: skip


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
    assert bad.cause in finding.cause and bool(bad.cause) == bool(finding.cause)
    assert finding.count == bad.count
    assert audit(tmp_path, [bad.item])[bad.item].violations


# --- what is odd and legal --------------------------------------------------------------------------------------------


class Odd(NamedTuple):
    """What is odd and legal."""

    name: str
    item: str
    exercised: int
    tables: dict[str, Rows]
    settings: str = ""


LEGAL = [
    Odd("no aggressor, no side, no such trade", "3.2.1", 1,
        {"trades": trade(1, "1", 100, side="") + trade(2, "2", 100) + trade(3, "3", 100),
         "bot_trades": heard("1", "sell") + heard("2", "") + heard("3") + heard("9", "sell")}),
    Odd("the first price has no tick", "3.2.1", 0,
        {"trades": trade(1, "1", 100) + trade(2, "2", 100), "bot_trades": heard_all("1", "2", t2="sell")}, TICK),
    # by arrival 101, 100, 102; the venue has 100, 101, 102, so that 101 follows 100: as came a sale, as sent none
    Odd("a late trade by either order", "3.2.1", 1,
        {"trades": trade(1, "1", 101, sent=1) + trade(2, "2", 100, sent=0) + trade(3, "3", 102),
         "bot_trades": heard_all("1", "2", "3", t2="sell")}, TICK),
    Odd("before and after an update of the same time", "3.2.1", 2,
        {"book": BOOK + update(5, 11, "bid 100 0", "ask 102 1", "bid 99 0", "bid 101 9", "ask 101 0"),
         "trades": trade(5, "1", 101) + trade(5, "2", 101), "bot_trades": heard_all("1", "2", t2="sell")}, LEE_READY),
    # the book of the same ts_exchange is the trade's effect: of the one before 101 is the ask
    Odd("the book before the trade by the venue's clock", "3.2.1", 1,
        {"book": BOOK + update(4, 11, "ask 101 0", "bid 101 5", sent=3), "trades": trade(6, "1", 101, sent=3),
         "bot_trades": heard("1")}, LEE_READY),
    Odd("a one-sided book has no mid", "3.2.1", 2,
        {"book": update(0, 10, "bid 100 2", kind="snapshot"), "trades": DOWN,
         "bot_trades": heard_all("1", "2", "3", t2="sell", t3="sell")}, LEE_READY),
    Odd("claimed before the second came", "3.2.2", 0,
        {"trades": trade(1, "1", 100, 3) + trade(5, "2", 100, 4, sent=1), "signals": signal(4, "volume", 3)}),
    Odd("at the time of the second", "3.2.2", 2,
        {"trades": trade(1, "1", 100, 3) + trade(5, "2", 100, 4, sent=1),
         "signals": signal(5, "volume", 3) + signal(5, "volume", 7)}),
    Odd("wrong otherwise", "3.2.2", 1, {"trades": PAIR, "signals": signal(3000, "volume", 7)}),
    Odd("empty, open and without a trade", "3.2.2", 0,
        {"trades": PAIR, "signals": signal(3000, "vwap", "", 2000, 3000) + signal(9, "volume", 1, end=1, start=1)
         + [signal(9, "volume", 5)[0] | {"window_end": ""}]}),
    Odd("the mean of prices is of 3.3.1", "3.2.3", 1, {"trades": LATE, "signals": signal(3000, "vwap", 102)}),
    Odd("late but unused", "3.2.3", 0,
        {"trades": LATE, "bot_trades": heard("1") + heard("2", used="false", reason="odd"),
         "signals": signal(3000, "vwap", 100)}),
    Odd("the volume is of 3.2.2", "3.2.3", 0, {"trades": LATE, "signals": signal(3000, "volume", 1)}),
    Odd("before any book, and through it", "3.2.4", 2,
        {"book": BOOK, "trades": trade(-1, "1", 101, 5) + trade(1, "2", 98, 5),
         "bot_trades": heard("1", used="false", reason="x") + heard("2", used="false", reason="x")}),
    Odd("moved away at the same time", "3.2.4", 1,
        {"book": BOOK + update(5, 11, "bid 99 0"), "trades": trade(5, "1", 99, 5),
         "bot_trades": heard("1", used="false", reason="x")}),
    Odd("one per cent without a reason", "3.2.4", 2,
        {"trades": trade(1, "1", 300) + trade(2, "2", 101, 99), "bot_trades": heard("1", used="false") + heard("2")}),
    Odd("a larger min_qty by then", "3.2.4", 1,
        {"instruments": [INSTRUMENT, INSTRUMENT | {"min_qty": 10, "ts_from": ms(1)}], "book": BOOK,
         "trades": trade(5, "1", 100, 9), "bot_trades": heard("1", used="false", reason="small")}),
    Odd("a repeat is not used", "3.2.4", 1,
        {"book": BOOK, "trades": trade(1, "1", 101, 5) + trade(2, "1", 101, 5),
         "bot_trades": heard("1") + heard("1", used="false", reason="repeat")}),
]  # fmt: skip


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: f"{odd.item} {odd.name}")
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    seen = assess(tmp_path, odd.item, odd.settings, odd.tables)
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.exercised for item in seen.items] == [odd.exercised]
    slow = audit(tmp_path, [odd.item])[odd.item]
    assert (slow.exercised, slow.violations) == (odd.exercised, ())


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    tables = {"trades": trade(1, "1", 101, 5, side=""), "bot_trades": heard("1", used="false", reason="x") + heard("9")}
    notes = assess(tmp_path, "3.2.1", "", tables).notes
    assert any("X: 1 trades carry no aggressor" in note for note in notes)
    assert any("X: 1 rows of bot_trades name no public trade" in note for note in notes)
    assert any("X: without its book" in note for note in assess(tmp_path, "3.2.4", "", tables).notes)


# --- drawn sessions ---------------------------------------------------------------------------------------------------


def drawn(folder: Path, seed: int) -> Path:
    """Write trades, a book and claims of all kinds of disorder, and a bot that is often wrong."""
    rng = Random(seed)
    folder.mkdir()
    rule, lag = rng.choice(["venue", "tick", "tick", "lee_ready", "lee_ready", "lee_ready"]), rng.choice([0, 0, 2])
    settings = f"conventions.trade_sign = '{rule}'\nconventions.mid_min_qty = {rng.choice([0, 0, 2])}\n"
    settings += f"timing.claim_lag_ms = {lag}\ntiming.max_clock_skew_ms = {rng.choice([0, 1])}\n"
    book, sent = [], 0.0
    for seq in range(rng.randrange(12)):
        sent += rng.choice([0, 1, 2])
        levels = [f"{side} {price} {rng.choice([0, 1, 3, 5])}"
                  for side, price in (("bid", rng.randrange(97, 101)), ("ask", rng.randrange(101, 105)))
                  if rng.random() < 0.8]  # fmt: skip
        kind = "snapshot" if rng.random() < 0.3 else "delta"
        book += update(sent + rng.choice([0, 0.5, 1]), 10 + seq, *levels, kind=kind, sent=sent)
    if book:
        book.sort(key=lambda row: int(str(row["ts_local"])))
    trades, sent = [], 0.0
    for name in range(rng.randrange(1, 25)):
        sent += rng.choice([0, 0, 1, 2])
        came = sent + rng.choice([0, 0, 0.5, 4])
        one = trade(came, str(name), rng.choice([98, 99, 100, "100.5", 101, 102, 103]), rng.choice([1, 1, 2, 5]),
                    sent=sent, side=rng.choice(["buy", "sell", ""]))  # fmt: skip
        trades += one * rng.choice([1, 1, 1, 2])
    trades.sort(key=lambda row: int(str(row["ts_local"])))
    said = [
        {"trade_id": name, "symbol": "X", "side": rng.choice(["buy", "sell", "buy", "sell", ""]),
         "used": rng.choice(["true", "true", "true", "false", ""]), "reason": rng.choice(["", "x", "x"])}
        for name in range(-1, 25) for _ in range(rng.choice([0, 1, 1, 1, 1, 2]))
    ]  # fmt: skip
    if rng.random() < 0.15:
        trades = [row | {"ts_local": ""} for row in sorted(trades, key=lambda row: int(str(row["ts_exchange"])))]
    elif rng.random() < 0.1:
        book = [row | {"ts_local": ""} for row in sorted(book, key=lambda row: int(str(row["ts_exchange"])))]
    tables = {"book": book, "trades": trades, "bot_trades": said, "signals": claims(rng, trades, said, sent)}
    return write(folder, settings, {name: rows for name, rows in tables.items() if rows})


def claims(rng: Random, trades: Rows, said: Rows, end: float) -> Rows:
    """Draw claims over windows of trades, some of which lost a few."""
    out = []
    used = Counter(str(row["trade_id"]) for row in said if row["used"] != "false")
    left_out = {str(row["trade_id"]) for row in said} - set(used)
    for _ in range(rng.randrange(8)):
        first, last = sorted(rng.sample(range(int(end) + 3), 2))
        at = last + rng.choice([0, 1, 3])
        mine = {
            str(row["trade_id"]): row for row in reversed(trades)
            if ms(first) <= int(str(row["ts_exchange"])) < ms(last) and str(row["trade_id"]) not in left_out
            and int(str(row["ts_local"] or row["ts_exchange"])) <= ms(at)
        }  # fmt: skip
        kept = list(kept_of(rng, list(mine.values()), ms(last)))
        volume = sum(Fraction(str(row["qty"])) for row in kept)
        turnover = sum(Fraction(str(row["qty"])) * Fraction(str(row["price"])) for row in kept)
        name = rng.choice(["vwap", "volume"])
        value: object = f"{float(volume if name == 'volume' else turnover / volume):.6f}" if volume else ""
        out += signal(at, name, value, first, last)
    return out


def kept_of(rng: Random, mine: Rows, end: int) -> Iterator[dict[str, object]]:
    """Yield what a claim is of: all trades of its window, or those that one mistake or another leaves."""
    mistake, newest = rng.choice(["", "late", "ended", "some"]), 0
    for row in sorted(mine, key=lambda row: int(str(row["ts_local"] or row["ts_exchange"]))):
        sent, came = (int(str(row[name] or row["ts_exchange"])) for name in ("ts_exchange", "ts_local"))
        lost = {"late": sent < newest, "ended": came >= end, "some": rng.random() < 0.3}.get(mistake, False)
        newest = max(newest, sent)
        if not lost:
            yield row


@pytest.mark.parametrize("start", range(0, 240, 40))
def test_drawn_sessions_are_judged_as_by_the_slow_detectors(start: int, tmp_path: Path) -> None:
    broken: Counter[str] = Counter()
    for seed in range(start, start + 40):
        folder = drawn(tmp_path / str(seed), seed)
        seen, slow = review([open_session(folder)], focus=["3.2"]), audit(folder, FOUR)
        assert seen.errors == ()
        counts: Counter[str] = Counter()
        for finding in seen.findings:
            counts[finding.item] += 1 if "with no reason" in finding.current else finding.count
        for item in seen.items:
            violations = slow[item.id].violations
            assert (item.exercised, counts[item.id]) == (slow[item.id].exercised, len(violations)), (seed, item.id)
            broken[item.id] += bool(violations)
    assert all(broken[item] for item in FOUR), broken


@pytest.mark.parametrize("step", [1, 2, 5])
def test_trades_are_judged_alike_in_parts_of_any_size(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_2_heard, "STEP", step)
    monkeypatch.setattr(s3_2_signs, "STEP", step)
    wrong = 0
    for seed in range(60):
        folder = drawn(tmp_path / str(seed), seed)
        seen, slow = review([open_session(folder)], focus=["3.2.1"]), audit(folder, ["3.2.1"])["3.2.1"]
        assert seen.errors == ()
        found = sum(finding.count for finding in seen.findings)
        assert (seen.items[0].exercised, found) == (slow.exercised, len(slow.violations)), seed
        wrong += found
    assert wrong


@pytest.mark.parametrize("seed", range(20))
def test_extremes_of_ranges(seed: int) -> None:
    rng = Random(seed)
    values = [rng.randrange(50) for _ in range(rng.randrange(1, 80))]
    ranges = [sorted((rng.randrange(len(values)), rng.randrange(1, len(values) + 1))) for _ in range(30)]
    low, high = (np.array(column) for column in zip(*(r for r in ranges if r[0] < r[1]), strict=True))
    least, greatest = extremes(np.array(values), low, high)
    assert least.tolist() == [min(values[a:b]) for a, b in zip(low, high, strict=True)]
    assert greatest.tolist() == [max(values[a:b]) for a, b in zip(low, high, strict=True)]


# --- every mistake seeded for the section -----------------------------------------------------------------------------

SIMULATED = {
    "venue": (21, None),
    "tick": (4, {"trade_sign": "tick", "cost_basis": "average"}),
    "lee_ready": (9, {"trade_sign": "lee_ready", "mid_min_qty": "0"}),
}
SEEDED = {each.id: each for each in defects().values() if each.item in FOUR and each.evidence == "session"}
BENIGN = {
    each.id: each for each in defects().values() if each.plant.__module__ == "mmverify.defects.s3_2" and not each.item
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("s3_2"), SIMULATED)


def test_sound_sessions_are_verified(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = review([open_session(recording.folder)], focus=["3.2"])
        assert failed(seen) == set() and {item.status for item in seen.items} == {"verified"}
        slow = audit(recording.folder, FOUR)
        assert {item.id: item.exercised for item in seen.items} == {item: slow[item].exercised for item in FOUR}


@pytest.mark.armed
@pytest.mark.parametrize("name", sorted(SEEDED))
def test_a_seeded_mistake_fails_its_item(name: str, recordings: dict[str, Recording], tmp_path: Path) -> None:
    chosen: Defect = SEEDED[name]
    shown = 0
    for folder in planted(chosen, recordings, tmp_path, list(recordings)[: 3 if chosen.item == "3.2.1" else 1]):
        broken = {item for item, seen in audit(folder, FOUR).items() if seen.violations}
        assert failed(review([open_session(folder)], focus=["3.2"])) == broken
        shown += chosen.item in broken
    assert shown


@pytest.mark.armed
@pytest.mark.parametrize("name", sorted(BENIGN))
def test_what_is_seeded_and_legal_fails_nothing(name: str, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(BENIGN[name], recordings, tmp_path, recordings), "3.2")
