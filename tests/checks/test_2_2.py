"""Section 2.2 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from audit.hand_1 import CASES, Case
from checks.hand_1_3 import Row, Tables, fills, market, pnl, statuses, table
from checks.hand_1_3 import look as look_at
from checks.hand_1_3 import write as write_tables
from checks.seeded import fails_its_item, fails_nothing, planted, simulated
from test_audit_1 import write as write_case

from mmverify.checks.s2_2_map import observed_map
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.results import Assessment, Finding
from mmverify.session import open_session

SIX = tuple(f"2.2.{n}" for n in range(1, 7))
COLUMNS = "ts_local client_order_id event state qty cum_qty leaves_qty avg_px exec_id"
ETH = "ETH-PERP"


def events(text: str, **defaults: str) -> list[Row]:
    """Read order events: a buy of ETH-PERP at 3000 unless a line says otherwise."""
    return table(f"{COLUMNS}\n{text}", **({"symbol": ETH, "side": "buy", "price": "3000"} | defaults))


def look(folder: Path, tables: Tables, **timing: int) -> Assessment:
    return look_at(write_tables(folder, {"instruments": market(ETH)} | tables, timing=timing), "2.2")


#: An order filled in three parts, the second reported twice and the last after its cancel; and one that is rejected.
BASE: Tables = {
    "order_events": events("""
        10 a submit         PENDING_NEW      10 0 10 -      -
        20 a ack            NEW              10 0 10 -      -
        30 a partial_fill   PARTIALLY_FILLED 10 2 8  3000   e1
        40 a partial_fill   PARTIALLY_FILLED 10 5 5  2997   e2
        45 a partial_fill   PARTIALLY_FILLED 10 5 5  2997   e2
        50 a cancel_request PENDING_CANCEL   10 5 5  2997   -
        60 a cancel_ack     CANCELED         10 5 0  2997   -
        70 a partial_fill   CANCELED         10 6 0  2997   e3
        80 b submit         PENDING_NEW      4  0 4  -      -
        90 b reject         REJECTED         4  0 0  -      -
    """),
    "fills": fills(f"""
        30 {ETH} e1 buy 3000 2 maker 0.60 USDT client_order_id=a
        40 {ETH} e2 buy 2995 3 maker 0.90 USDT client_order_id=a
        45 {ETH} e2 buy 2995 3 maker 0.90 USDT client_order_id=a
        70 {ETH} e3 buy 2997 1 maker 0.30 USDT client_order_id=a
    """),
    "positions": table(f"""
        ts_local symbol qty source
        31 {ETH} 2.00 bot
        46 {ETH} 5.00 bot
        71 {ETH} 6.00 bot
    """),
    "pnl": pnl(f"""
        31 {ETH} 0 0 0.60 0 -0.60
        46 {ETH} 0 0 1.50 0 -1.50
        71 {ETH} 0 0 1.80 0 -1.80
    """),
}  # fmt: skip


def changed(name: str, rows: dict[int, dict[str, str]], *, extra: str = "") -> Tables:
    """Return the base with cells of some rows (the first is 1) replaced, and events added at its end."""
    out = [row | rows.get(n, {}) for n, row in enumerate(BASE[name], 1)]
    return BASE | {name: out + (events(extra) if extra else [])}


def test_the_base_is_right(tmp_path: Path) -> None:
    seen = look(tmp_path, BASE)
    assert (seen.findings, seen.errors) == ((), ())
    assert statuses(seen) == dict.fromkeys(SIX, "verified")
    assert {c.name: c.exercised for item in seen.items for c in item.checks} == {
        "order_map": 10,
        "transitions_of_map": 10,
        "revived_orders": 1,  # e3
        "late_fills": 1,  # e3, with the claim at 71 after it
        "open_quantity": 10,  # seven rows of an open order, three of one that is done
        "falling_cum_qty": 5,  # the rows of a after the first with something filled before them
        "average_price": 6,  # from e1 on
        "rejected_orders": 1,
        "resent_orders": 1,
        "repeated_in_orders": 1,
        "repeated_in_books": 1,
    }
    (note,) = seen.notes
    assert "partial_fill: CANCELED -> CANCELED 1" in note and "not legal" not in note


def test_events_without_a_state_show_nothing_of_the_map(tmp_path: Path) -> None:
    """A recording without states and requests cannot show that a rejected order stays open, or is asked for."""
    silent = [row | {"state": ""} for row in BASE["order_events"] if row["event"] != "cancel_request"]
    seen = look(tmp_path, BASE | {"order_events": tuple(silent)})
    exercised = {c.name: c.exercised for item in seen.items for c in item.checks}
    assert (exercised["order_map"], exercised["transitions_of_map"], exercised["rejected_orders"]) == (0, 0, 0)
    assert exercised["resent_orders"] == 1
    assert any("9 order events record no state: they show nothing of the map" in note for note in seen.notes)


def test_the_observed_map_counts_every_step(tmp_path: Path) -> None:
    tables = changed("order_events", {2: {"state": "new"}, 7: {"state": "FILLED"}})
    seen = observed_map(open_session(write_tables(tmp_path, {"instruments": market(ETH)} | tables)))
    assert seen["submit", "(none)", "PENDING_NEW"] == (2, 0)
    assert seen["ack", "PENDING_NEW", "new"] == (1, 1)
    assert seen["partial_fill", "new", "PARTIALLY_FILLED"] == (1, 0)
    assert seen["cancel_ack", "PENDING_CANCEL", "FILLED"] == (1, 1)
    assert sum(count for count, _ in seen.values()) == 10


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    item: str
    check: str
    tables: Tables
    location: str
    was: str
    should: str
    amount: str
    work: str
    cause: str = ""
    also: tuple[str, ...] = ()


WRONG = [
    Bad(
        "a state of the venue's own", "2.2.1", "order_map", changed("order_events", {2: {"state": "OPEN"}}),
        "order_events:2", "state was OPEN", "one of PENDING_NEW, NEW,", "",
        "the map: ack in PENDING_NEW leads to NEW", "a word of the venue's was passed on unmapped",
    ),
    Bad(
        "an event of nobody's", "2.2.1", "order_map", changed("order_events", {2: {"event": "accepted"}}),
        "order_events:2", "event was accepted", "one of submit, ack,", "", "order_events:2 accepted a, qty 10",
        "a word of the venue's was passed on unmapped",
    ),
    Bad(
        "a cancel that leaves the state", "2.2.2", "transitions_of_map",
        changed("order_events", {6: {"state": "PARTIALLY_FILLED"}}), "order_events:6",
        "cancel_request took PARTIALLY_FILLED to PARTIALLY_FILLED", "PENDING_CANCEL", "",
        "the map: cancel_request in PARTIALLY_FILLED leads to PENDING_CANCEL",
        "cancel_request left the state as it was",
    ),
    Bad(
        "an order that was never sent", "2.2.2", "transitions_of_map",
        changed("order_events", {}, extra="95 z ack NEW 1 0 1 - -"), "order_events:11", "ack took (none) to NEW",
        "no ack in (none)", "", "the map has no ack in (none)", "the order was never sent",
    ),
    # nothing rests, but the bot takes 4 at 3000 to: 12000
    Bad(
        "a late fill opens the order", "2.2.3", "revived_orders",
        changed("order_events", {8: {"state": "PARTIALLY_FILLED", "leaves_qty": "4"}}), "order_events:8",
        f"a of {ETH} went from CANCELED to PARTIALLY_FILLED", "CANCELED, with the fill booked", "12000",
        "order_events:7 cancel_ack a, qty 10, cum_qty 5, leaves_qty 0, avg_px 2997: CANCELED", also=("2.2.2",),
    ),
    # 1 at 2997 is not in the position
    Bad(
        "a late fill is dropped", "2.2.3", "late_fills", changed("positions", {3: {"qty": "5.00"}}), "positions:3",
        f"the position of {ETH} moved by 0", "1", "2997", "fills:4 arrived after it: buy 1",
        "the fill was dropped, as its order was gone",
    ),
    # 5 + 6 = 11 of 10: 1 at 3000
    Bad(
        "leaves of the fill before", "2.2.4", "open_quantity", changed("order_events", {6: {"leaves_qty": "6"}}),
        "order_events:6", "cum_qty + leaves_qty of a was 5 + 6", "10, its qty", "3000", "5 + 6 - 10 = 1, should be 0",
    ),
    Bad(
        "leaves kept when done", "2.2.4", "open_quantity", changed("order_events", {7: {"leaves_qty": "5"}}),
        "order_events:7", "leaves_qty of a was 5 once CANCELED", "0", "15000", "leaves_qty 5, avg_px 2997: CANCELED",
    ),
    # 5 - 2 = 3 at 3000
    Bad(
        "cum_qty falls", "2.2.4", "falling_cum_qty",
        changed("order_events", {6: {"cum_qty": "2", "leaves_qty": "8", "avg_px": ""}}), "order_events:6",
        "cum_qty of a fell to 2", "5 or more: no fill was taken back", "9000", "5 - 2 = 3 of what was filled is gone",
    ),
    # (2 x 3000 + 3 x 2995) / 5 = 14985 / 5 = 2997, not (3000 + 2995) / 2 = 2997.5: 0.5 x 6 at the last row
    Bad(
        "the mean of the prices", "2.2.4", "average_price",
        changed("order_events", {n: {"avg_px": "2997.5"} for n in (4, 5, 6, 7)}), "order_events:4",
        "avg_px of a was 2997.5", "2997", "2.5", "(2 x 3000 + 3 x 2995) / (2 + 3) = 2997",
        "the mean of the fills' prices, whatever their quantities",
    ),
    Bad(
        "a rejected order stays open", "2.2.5", "rejected_orders",
        changed("order_events", {10: {"state": "PENDING_NEW", "leaves_qty": "4"}}), "order_events:10",
        "b was PENDING_NEW after its reject", "REJECTED", "12000", "order_events:9 submit b, qty 4", also=("2.2.2",),
    ),
    Bad(
        "a rejected order is cancelled", "2.2.5", "rejected_orders",
        changed("order_events", {}, extra="95 b cancel_request REJECTED 4 0 0 - -"), "order_events:11",
        "cancel_request was sent for b, which was rejected", "nothing: there is no such order at the venue", "",
        "order_events:10 reject b", also=("2.2.2",),
    ),
    Bad(
        "a rejected order is sent four times more", "2.2.5", "resent_orders",
        changed("order_events", {}, extra="\n".join(
            f"{90 + at} c{at} submit PENDING_NEW 4 0 4 - -" for at in (1, 2, 3, 1000)
        )),
        "order_events:10", "the like of b was sent 4 times in the second after its reject",
        "3 times at most, at another price or quantity, or not at all", "", "order_events:11 submit c1, qty 4",
    ),
    # e2 adds its 3 once more: 3 at 3000; what is left is not what it says any more either
    Bad(
        "a repeated report fills the order", "2.2.6", "repeated_in_orders",
        changed("order_events", {5: {"cum_qty": "8", "leaves_qty": "2"}, 6: {"cum_qty": "8", "leaves_qty": "2"},
                                 7: {"cum_qty": "8"}, 8: {"cum_qty": "9"}}),
        "order_events:5", "cum_qty of a went to 8 by a repeated report", "5", "9000",
        "e2 again: 8 - 5 = 3 added a second time",
    ),
    # 3 more at 2995 = 8985
    Bad(
        "a repeated report moves the position", "2.2.6", "repeated_in_books",
        changed("positions", {2: {"qty": "8"}, 3: {"qty": "9"}}), "positions:2",
        f"position of {ETH} moved by 3 beside what the distinct fills give", "0 beside them", "8985",
        "fills:3 repeats e2: buy 3 at 2995, fee 0.9 USDT", "a repeated report was booked again",
    ),
    Bad(
        "the fee of a repeated report is paid again", "2.2.6", "repeated_in_books",
        changed("pnl", {2: {"fees": "2.40", "total": "-2.40"}, 3: {"fees": "2.70", "total": "-2.70"}}), "pnl:2",
        f"fees of {ETH} moved by 0.9 beside what the distinct fills give", "0 beside them", "0.9",
        "booked again they move fees by 0.9, as pnl:2 does", "a repeated report was booked again",
    ),
]  # fmt: skip


def found(assessment: Assessment, check: str) -> Finding:
    (finding,) = [each for each in assessment.findings if each.check == check]
    return finding


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = look(tmp_path, bad.tables)
    assert seen.errors == ()
    assert {each.item for each in seen.findings} == {bad.item, *bad.also}
    finding = found(seen, bad.check)
    assert finding.item == bad.item and finding.location.startswith(bad.location)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in line for line in work), work
    assert finding.impact.amount == (float(bad.amount) if bad.amount else None)
    assert bad.cause in finding.description


def test_realized_of_a_repeated_report(tmp_path: Path) -> None:
    # long 10 at 100; sell 4 at 110 gives 4 x 10 = 40; booked again, 40 more
    tables: Tables = {
        "order_events": events("1 o submit PENDING_NEW 4 0 4 - -", side="sell"),
        "fills": fills(f"""
            10 {ETH} e0 buy  100 10 maker 0 USDT
            20 {ETH} e1 sell 110 4  maker 0 USDT client_order_id=o
            25 {ETH} e1 sell 110 4  maker 0 USDT client_order_id=o"""),
        "pnl": pnl(f"21 {ETH} 40 0 0 0 40\n30 {ETH} 80 0 0 0 80"),
    }
    finding = found(look(tmp_path, tables), "repeated_in_books")
    assert f"realized of {ETH} moved by 40 beside" in finding.current
    assert finding.impact.amount == 40
    tables["pnl"] = pnl(f"21 {ETH} 40 0 0 0 40\n30 {ETH} 40 0 0 0 40")
    assert look(tmp_path / "right", tables).findings == ()


LEGAL: dict[str, Tables] = {
    "either state when a fill comes into a pending cancel": {
        "order_events": events("""
            1 a submit         PENDING_NEW      10 0 10 - -
            2 a ack            NEW              10 0 10 - -
            3 a cancel_request PENDING_CANCEL   10 0 10 - -
            4 a partial_fill   PARTIALLY_FILLED 10 1 9  - e1
            5 a cancel_request PENDING_CANCEL   10 1 9  - -
            6 a partial_fill   PENDING_CANCEL   10 2 8  - e2
            7 a cancel_reject  PARTIALLY_FILLED 10 2 8  - -
        """)
    },
    "the last fill is called partial, and one that it has overtaken comes after it": {
        "order_events": events("""
            1 a submit       PENDING_NEW 10 0  10 - -
            2 a partial_fill FILLED      10 10 0  - e2
            3 a partial_fill FILLED      10 10 0  - e1
            4 a ack          FILLED      10 10 0  - -
        """)
    },
    "cum_qty falls by a bust": {
        "order_events": events("""
            1 a submit       PENDING_NEW      10 0 10 -    -
            5 a partial_fill PARTIALLY_FILLED 10 2 8  3000 e1
            7 a reconcile    NEW              10 0 10 -    x1
        """),
        "fills": fills(f"""
            5 {ETH} e1 buy 3000 2 maker 0 USDT client_order_id=a
            7 {ETH} x1 buy 3000 2 maker 0 USDT client_order_id=a kind=bust correction_of=e1"""),
        "positions": table(f"ts_local symbol qty source\n6 {ETH} 2 bot\n8 {ETH} 0 bot"),
    },
    "a replace to less than is filled ends the order, one to more opens it again": {
        "order_events": events("""
            1 a submit          PENDING_NEW      10 0 10 - -
            2 a ack             NEW              10 0 10 - -
            3 a partial_fill    PARTIALLY_FILLED 10 6 4  - e1
            4 b replace_request PENDING_REPLACE  5  6 4  - - orig_client_order_id=a
            5 b replace_ack     FILLED           5  6 0  - - orig_client_order_id=a
            6 c submit          PENDING_NEW      2  0 2  - -
            7 c ack             NEW              2  0 2  - -
            8 d replace_request PENDING_REPLACE  4  0 4  - - orig_client_order_id=c
            9 c fill            FILLED           2  2 0  - e2
            10 d replace_ack    PARTIALLY_FILLED 4  2 2  - - orig_client_order_id=c
        """)
    },
    "three times in a second, and another price": {
        "order_events": events("""
            1    a submit PENDING_NEW 4 0 4 - -
            2    a reject REJECTED    4 0 0 - -
            2    b submit PENDING_NEW 4 0 4 - -
            3    c submit PENDING_NEW 4 0 4 - -
            4    d submit PENDING_NEW 4 0 4 - -
            5    e submit PENDING_NEW 4 0 4 - - price=2999
            1002 f submit PENDING_NEW 4 0 4 - -
            1003 g submit PENDING_NEW 4 0 4 - -
        """)
    },
    "a query of the venue takes a rejected order back": {
        "order_events": events("""
            1 a submit         PENDING_NEW    4 0 4 - -
            2 a reject         REJECTED       4 0 0 - -
            3 a reconcile      NEW            4 0 4 - -
            4 a cancel_request PENDING_CANCEL 4 0 4 - -
            5 a cancel_ack     CANCELED       4 0 0 - -
        """)
    },
    "a claim that lags a repeated report": {
        "fills": BASE["fills"],
        "order_events": BASE["order_events"],
        "positions": table(f"""
            ts_local symbol qty source
            31 {ETH} 2.00 bot
            44 {ETH} 2.00 bot
            46 {ETH} 5.00 bot
            71 {ETH} 6.00 bot
        """),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_is_not_reported(name: str, tmp_path: Path) -> None:
    seen = look(tmp_path, LEGAL[name])
    assert (seen.findings, seen.errors) == ((), ())


def test_rows_without_a_state_are_left_out_and_counted(tmp_path: Path) -> None:
    seen = look(tmp_path, changed("order_events", {2: {"state": ""}, 3: {"state": ""}}))
    assert seen.findings == ()
    assert any("2 order events record no state of the map" in note for note in seen.notes)


@pytest.mark.parametrize(
    "given", [each for each in CASES if each.item in SIX], ids=lambda each: f"{each.item} {each.about}"
)
def test_the_cases_of_the_slow_detectors(given: Case, tmp_path: Path) -> None:
    write_case(tmp_path, given)
    seen = look_at(tmp_path, given.item)
    (item,) = seen.items
    assert (item.status, item.exercised > 0) == ("failed" if given.where else "verified", True)
    places = {place for finding in seen.findings for place in finding.location.replace(",", " ").split()}
    assert places & set(given.where.split()) or not given.where


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in SIX]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s2_2") and not each.item]
OTHER = {"cost_basis": "average", "realized": "net", "conversion": "fill"}
CHOSEN = {"5": (5, None), "11-other": (11, OTHER)}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look_at(recording.folder, "2.2")
        assert seen.findings == ()
        assert statuses(seen) == dict.fromkeys(SIX, "verified")
        assert [c.name for item in seen.items for c in item.checks if not c.exercised] == []


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, CHOSEN), "2.2", SIX)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, CHOSEN), "2.2")
