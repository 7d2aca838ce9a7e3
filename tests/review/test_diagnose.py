"""What follows from what: each link by hand, and mistakes planted together, each with its own consequences."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from checks.hand_1_3 import look
from checks.seeded import simulated

from mmverify.checks import Off, items
from mmverify.defects import defects
from mmverify.defects.recording import Recording
from mmverify.review.diagnose import Moment, diagnose, known_roots
from mmverify.review.results import Assessment, Finding, Impact


def finding(check: str, key: str = "X", *places: str, amount: float | None = None, **fields: object) -> Finding:
    item, name = check.split(":")
    base = Finding(
        id=f"{check}:{key.replace(' ', '-')}", item=item, severity=items()[item].severity, title="", location=places[0],
        category="", description="", current="", correct="", impact=Impact("", amount, "USDT"), fix="", test="",
        waived=False, check=name, key=key, session="day", count=1, occurrences=places, work=(), cause="",
    )  # fmt: skip
    return replace(base, **fields)


#: A repeated report, fills:4, moves the position at positions:7.
ROOT = finding("2.2.6:repeated_in_books", "X position", "positions:7", "fills:4", amount=50.0)
MOMENTS = {
    ("day", "fills:4"): Moment(40), ("day", "positions:7"): Moment(70, True, 30), ("day", "fills:9"): Moment(90),
    ("day", "positions:6"): Moment(30, True, 20), ("day", "positions:8"): Moment(80, True, 70),
    ("day", "pnl:3"): Moment(75, True, 35), ("day", "pnl:4"): Moment(85, True, 75),
}  # fmt: skip


def off(what: str, ts: int, low: str, high: str = "") -> tuple[Off]:
    return (Off(what, ts, Fraction(low), Fraction(high or low)),)


LINKED = {
    "its cause reproduces it to the last digit": finding(
        "1.3.1:realized_pnl", "X", "pnl:4", cause="repeated execution reports were counted again"
    ),
    "it comes to the same amount": finding("1.2.1:running_sum", "X", "positions:8", amount=50.0),
    "both are of positions:7": finding("1.2.4:claimed_signs", "X", "positions:8", "positions:7"),
    "pnl:3 is the first claim since": finding("1.3.2:unrealized_pnl", "X", "pnl:3", amount=7.0),
}


@pytest.mark.parametrize("link", LINKED)
def test_a_consequence_follows_where_the_evidence_links_it(link: str) -> None:
    root, consequence = diagnose([LINKED[link], ROOT], {}, MOMENTS)
    assert (root.id, root.follows, root.link) == (ROOT.id, "", "")
    assert (consequence.id, consequence.follows, consequence.link) == (LINKED[link].id, ROOT.id, link)


def test_the_very_same_cause_links_what_is_off_by_more_since() -> None:
    words = "buys were taken off and sells added"
    sums = finding("1.2.1:running_sum", "X", "positions:7", cause=words)
    apart = finding("1.2.5:exchange_difference", "X difference", "positions:8", cause=words)
    offs = {sums.id: off("position", 70, "-2"), apart.id: off("position", 80, "-6")}
    assert [each.follows for each in diagnose([apart, sums], offs, MOMENTS)] == ["", sums.id]
    assert [each.follows for each in diagnose([replace(apart, cause=""), sums], offs, MOMENTS)] == ["", ""]


def test_of_two_readings_of_one_move_the_one_of_the_order_is_the_root() -> None:
    """The position moved by 3 too much: a report of 3 was repeated, and 3 of an order of 4 were left open."""
    repeated = replace(ROOT, cause="a repeated report was booked again")
    whole = finding("1.2.3:partial_fills", "X", "positions:7", cause="the partial fill was booked as the whole order")
    offs = dict.fromkeys((repeated.id, whole.id), off("position", 70, "3"))
    assert [each.id for each in diagnose([repeated, whole], offs, MOMENTS) if not each.follows] == [whole.id]
    twice = replace(whole, cause="the partial fill was booked twice")
    assert [each.id for each in diagnose([twice, repeated], offs, MOMENTS) if not each.follows] == [repeated.id]


def test_a_window_that_is_wrong_as_often_is_the_lost_trades() -> None:
    """Of 3 windows in which trades of one time were lost all are a wrong VWAP; of 9 wrong ones it explains 3."""
    moments = {("day", f"signals:{n}"): Moment(n) for n in range(1, 9)}
    lost = finding("3.2.2:same_time_trades", "X", "signals:4", "signals:5", count=3, cause="only the last is counted")
    vwap = finding("3.3.1:vwap", "X", "signals:4", "signals:5", count=3)
    assert [each.id for each in diagnose([vwap, lost], {}, moments) if not each.follows] == [lost.id]
    vwap = replace(vwap, count=9, occurrences=("signals:1", "signals:4", "signals:5"))
    assert [each.id for each in diagnose([lost, vwap], {}, moments) if not each.follows] == [vwap.id]


SEPARATE = {
    "another symbol": finding("1.2.1:running_sum", "Y", "positions:7", amount=50.0, occurrences=("positions:8",)),
    "another session": finding("1.2.1:running_sum", "X", "positions:7", session="night"),
    "no consequence of it": finding("2.1.1:order_side", "X", "positions:7", "fills:4"),
    "it began before": finding("1.2.1:running_sum", "X", "positions:6", "positions:7", amount=50.0),
    "nothing links them": finding("1.3.2:unrealized_pnl", "X", "pnl:4", amount=49.0),
    "at a moment that is not known": finding("1.2.1:running_sum", "X", "session.toml", amount=50.0),
    "of all symbols, no cause of one": finding("1.3.4:all_symbols_row", "Y realized", "pnl:4"),
}


@pytest.mark.parametrize("why", SEPARATE)
def test_what_nothing_links_stays_a_finding_of_its_own(why: str) -> None:
    assert [each.follows for each in diagnose([ROOT, SEPARATE[why]], {}, MOMENTS)] == ["", ""]


@pytest.mark.parametrize(
    ("own", "follows"),
    [
        (off("position", 80, "2"), True),  # as after the first step
        (off("position", 90, "5"), True),  # as after both
        (off("position", 90, "2"), True),  # at the very moment of the second
        (off("position", 95, "2"), False),
        (off("position", 60, "2"), False),  # before the first
        (off("position", 80, "1.9", "2.1"), True),  # give or take its rounding
        (off("position", 80, "2.01", "2.1"), False),
    ],
)
def test_it_is_off_by_what_was_booked_wrongly_until_then_or_stays_separate(own: tuple[Off], follows: bool) -> None:
    claim = finding("1.2.1:running_sum", "X", "positions:7", "fills:4", amount=50.0)
    steps = {ROOT.id: (*off("position", 70, "2"), *off("position", 90, "5"))}
    _, seen = diagnose([ROOT, claim], steps | {claim.id: own}, MOMENTS)
    assert (seen.follows, seen.link) == ((ROOT.id, "it is off by just as much") if follows else ("", ""))


def test_what_is_off_in_another_thing_is_not_compared() -> None:
    claim = finding("1.3.1:realized_pnl", "X", "pnl:3")
    offs = {ROOT.id: off("position", 70, "2"), claim.id: off("realized USDT", 75, "9")}
    assert diagnose([ROOT, claim], offs, MOMENTS)[1].link == "pnl:3 is the first claim since"


def test_consequences_of_consequences_follow_from_the_root() -> None:
    position = finding("1.2.1:running_sum", "X", "positions:7", amount=60.0)
    apart = finding("1.2.5:exchange_difference", "X difference", "positions:8", amount=60.0)
    seen = diagnose([apart, position, ROOT], {}, MOMENTS)
    assert [(each.id, each.follows) for each in seen] == [
        (ROOT.id, ""), (position.id, ROOT.id), (apart.id, ROOT.id),
    ]  # fmt: skip
    assert seen[2].link == f"by way of {position.id}: it comes to the same amount"


def test_of_two_that_may_follow_from_each_other_the_one_with_a_cause_is_the_root() -> None:
    total = finding("1.3.3:total_claim", "X", "pnl:3", amount=5.0)
    sums = finding("1.1.5:money_sums", "X", "pnl:3", amount=5.0)
    assert [each.id for each in diagnose([total, sums], {}, MOMENTS) if not each.follows] == [sums.id]
    total = replace(total, cause="funding was left out")
    assert [each.id for each in diagnose([total, sums], {}, MOMENTS) if not each.follows] == [total.id]


def test_what_was_seen_more_often_is_no_consequence_of_half_a_fill() -> None:
    half = finding("2.3.2:whole_fills", "X part", "positions:7")
    position = finding("1.2.1:running_sum", "X", "positions:7")
    assert [each.follows for each in diagnose([position, half], {}, MOMENTS)] == ["", half.id]
    position = replace(position, count=2)
    assert [(each.id, each.follows) for each in diagnose([position, half], {}, MOMENTS)] == [
        (position.id, ""), (half.id, position.id),
    ]  # fmt: skip


def test_roots_stand_first_by_the_worst_that_follows() -> None:
    order = finding("2.3.4:booking_order", "X", "fills:4", severity="MEDIUM")
    realized = finding("1.3.1:realized_pnl", "X", "pnl:3", amount=1.0)
    unrealized = finding("1.3.2:unrealized_pnl", "X", "pnl:3", amount=2.0)
    other = finding("1.1.1:half_spreads", "Y", "quotes:1")
    seen = diagnose([other, unrealized, order, realized], {}, MOMENTS)
    assert [each.id for each in seen] == [order.id, realized.id, unrealized.id, other.id]


def test_the_table_names_checks_that_are_there_once() -> None:
    named = {f"{item.id}:{check.name}" for item in items().values() for check in item.checks}
    assert known_roots()
    for root, known in known_roots().items():
        assert root in named
        assert known.consequences
        assert not [each for each in known.consequences if each not in named and each not in items()]


def test_what_the_table_declares_is_what_some_seeded_mistake_does() -> None:
    """A consequence in the table is one that a seeded mistake of either item has, or of its own item."""
    seen = {(each.item, other) for each in defects().values() for other in each.consequences}
    declared = {
        (root.partition(":")[0], each.partition(":")[0])
        for root, known in known_roots().items() for each in known.consequences
    }  # fmt: skip
    unseen = {(root, each) for root, each in declared if root != each and not {(root, each), (each, root)} & seen}
    assert unseen == set()


# --- planted mistakes -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return simulated(tmp_path_factory.mktemp("simulated"), {"5": (5, None)})["5"]


def planted(recording: Recording, folder: Path, *chosen: str) -> Assessment:
    copy = recording.fresh()
    for each in chosen:
        defects()[each].plant(copy)
    copy.write(folder / "day")
    return look(folder / "day", "1", "2", "3", "4", "5")


#: The items of its roots, and items of which findings follow from them.
ALONE = {
    "1.2.1-fill-never-booked": ("1.2.1", "1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3 2.3.2"),
    "1.2.2-one-lot-past-the-limit": ("1.2.2", "1.4.3"),
    "1.2.3-cumulative-quantity-added": ("1.2.3", "1.2.1"),
    "1.2.3-partial-fill-booked-as-the-whole-order": ("1.2.3 1.3.1", "1.2.1 1.2.4 1.2.5 1.3.2 2.2.6 5.2.4"),
    "1.2.5-corrections-ignored": ("1.2.5", "1.2.1 1.3.1 1.3.2 1.3.3"),
    "1.2.6-two-at-once-pass-the-limit": ("1.2.6", "1.4.3"),
    "1.3.3-total-without-funding": ("1.3.3", "1.1.5"),
    "2.1.5-one-id-used-again": ("2.1.5", "2.2.2"),
    "2.2.3-late-fill-is-dropped": ("2.2.3", "1.2.1 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3"),
    "2.2.5-rejected-order-is-cancelled": ("2.2.5", "2.2.2 2.4.1"),
    "2.2.6-repeated-reports-booked-again": ("2.2.6", "1.2.1 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3 5.2.4"),
    "2.2.6-repeated-report-added-to-the-order": ("2.2.6", "2.3.3"),
    "2.2.6-fee-of-a-repeated-report-paid-again": ("2.2.6", "1.3.3"),
    "2.3.1-gains-at-the-orders-prices": ("2.3.1", "1.3.1 1.3.2"),
    "2.3.2-position-in-the-middle-of-a-fill": ("2.3.2", "1.2.1"),
    "2.3.3-cumulative-reports-added-up": ("2.3.3", "2.2.4"),
    "2.3.4-two-fills-booked-in-turn": ("2.3.4", "1.3.1 1.3.2"),
    "2.4.4-cancelled-orders-make-room": ("2.4.4", "1.4.3"),
    "3.1.1-old-bid-above-the-asks": ("3.1.1", "3.1.3"),
    "3.1.4-order-on-a-stale-book": ("3.1.4", "1.4.4"),
    "3.2.3-late-trades-dropped": ("3.2.3", "3.3.1"),
    "3.3.1-vwap-reset-on-every-trade": ("3.3.1", "3.2.2"),
    "4.1.2-window-cut-by-the-local-clock": ("4.1.2", "3.2.3 3.3.1"),
    "4.1.3-start-of-a-window-in-neither": ("4.1.3", "3.2.2"),
    "4.2.1-one-pass-sent-before-it-was-received": ("4.2.1", "4.1.4"),
    "4.3.2-order-gone-when-its-cancel-is-sent": ("2.4.3 4.3.2", "2.2.2 2.2.4"),
    "5.1.1-mid-of-nothing-is-zero": ("5.1.1", "1.1.4"),
    "5.1.2-order-sent-while-the-limit-is-reached": ("5.1.2", "1.2.2 1.4.3 1.4.4"),
    "5.1.4-average-of-a-signed-quantity": ("5.1.4", "2.2.4"),
    "5.1.4-value-of-a-debt-is-unsigned": ("5.1.4", "1.3.5"),
    "5.1.5-half-a-tick-is-sent": ("5.1.5", "1.1.5 1.1.6"),
    "5.2.2-one-order-not-reconciled": ("5.2.1 5.2.2", "5.2.5"),
    "5.2.4-repeated-fill-moves-the-position-again": ("2.2.6", "1.2.1 1.2.3 1.2.5 5.2.4"),
    "5.3.1-cancel-sent-for-what-the-venue-cancelled": ("5.3.1", "2.2.2 2.4.1"),
    "5.3.3-forced-fills-are-not-booked": ("5.3.3", "1.2.1 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3"),
}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ALONE)
def test_what_a_planted_mistake_leads_to_follows_from_it(chosen: str, recording: Recording, tmp_path: Path) -> None:
    seen = planted(recording, tmp_path, chosen)
    assert seen.errors == ()
    roots, following = ALONE[chosen]
    assert {each.item for each in seen.findings if not each.follows} == set(roots.split())
    assert {each.item for each in seen.findings if each.follows} >= set(following.split())
    assert {each.item for each in seen.findings} <= {defects()[chosen].item, *defects()[chosen].consequences}


#: Two mistakes at once, and the roots that they come to.
TOGETHER = {
    ("2.2.6-fee-of-a-repeated-report-paid-again", "1.3.3-fee-of-one-fill-left-out"): {
        "2.2.6:repeated_in_books:BTC-USD-PERP-fees": {"1.3.3:fees_claim:BTC-USD-PERP"},
        "1.3.3:fees_claim:BTC-USDT-PERP": set(),
    },
    ("1.2.6-two-at-once-pass-the-limit", "2.1.5-one-id-used-again"): {
        "1.2.6:races:BTC-USDT": {"1.4.3:pending_orders:BTC-USDT-max_position"},
        "2.1.5:unique_ids:client_order_id": {"2.2.2:transitions_of_map:submit"},
    },
    ("2.2.6-repeated-report-added-to-the-order", "1.2.3-cumulative-quantity-added"): {
        "2.2.6:repeated_in_orders:BTC-USD-PERP": {"2.3.3:counted_fills:BTC-USD-PERP"},
        "1.2.3:partial_fills:BTC-USDT": {"1.2.1:running_sum:BTC-USDT"},
    },
    # both are of BTC-USDT-PERP, and both have orders after a trip among what they may lead to
    ("3.1.4-order-on-a-stale-book", "5.1.2-order-sent-while-the-limit-is-reached"): {
        "3.1.4:stale_books:BTC-USDT-PERP-orders": {"1.4.4:breaker_trips:stale-BTC-USDT-PERP-no-trip"},
        "5.1.2:at_limit:BTC-USDT-PERP-sent": {
            "1.2.2:limit_before_submit:BTC-USDT-PERP-sent", "1.4.3:pending_orders:BTC-USDT-PERP-max_position",
            "1.4.4:after_trips:position-BTC-USDT-PERP-sent",
        },
    },
    # both are of windows of BTC-USDT
    ("3.2.3-late-trade-in-the-window-of-its-arrival", "4.1.3-start-of-a-window-in-neither"): {
        "4.1.2:windows_by_venue_clock:BTC-USDT-vwap": {"3.2.3:late_trades:BTC-USDT", "3.3.1:vwap:BTC-USDT"},
        "4.1.3:window_ends:BTC-USDT-volume": {"3.2.2:same_time_trades:BTC-USDT-volume"},
    },
    ("3.1.1-old-bid-above-the-asks", "5.2.4-repeated-fill-moves-the-position-again"): {
        "3.1.1:book_sides:BTC-USD-PERP": {"3.1.3:level_quantities:BTC-USD-PERP"},
        "2.2.6:repeated_in_books:BTC-USDT-PERP-position": {
            "1.2.1:running_sum:BTC-USDT-PERP", "1.2.3:partial_fills:BTC-USDT-PERP",
            "1.2.5:exchange_difference:BTC-USDT-PERP-difference", "5.2.4:repeated_fills:BTC-USDT-PERP-position",
        },
    },
    # both are of orders of BTC-USDT
    ("5.1.4-value-wraps-in-32-bits", "5.3.1-cancel-sent-for-what-the-venue-cancelled"): {
        "5.1.4:average_signs:BTC-USDT": {"2.2.4:average_price:BTC-USDT"},
        "5.3.1:exchange_cancels:BTC-USDT-used": {
            "2.2.2:transitions_of_map:cancel_request", "2.4.1:request_targets:BTC-USDT-done",
        },
    },
    ("4.2.1-one-pass-sent-before-it-was-received", "5.1.5-half-a-tick-is-sent"): {
        "4.2.1:stage_order:ts_receive-to-ts_book": {"4.1.4:durations:latency-ts_send"},
        "5.1.5:least_steps:BTC-USDT-PERP-price": {
            "1.1.5:price_digits:BTC-USDT-PERP", "1.1.6:prices_on_tick:BTC-USDT-PERP",
        },
    },
}  # fmt: skip


@pytest.mark.armed
@pytest.mark.parametrize("chosen", TOGETHER, ids="+".join)
def test_two_planted_mistakes_are_two_root_causes(
    chosen: tuple[str, str], recording: Recording, tmp_path: Path
) -> None:
    seen = planted(recording, tmp_path, *chosen)
    roots = {each.id: {late.id for late in seen.findings if late.follows == each.id}
             for each in seen.findings if not each.follows}  # fmt: skip
    assert roots == TOGETHER[chosen]
    failed = {item.id for item in seen.items if item.status == "failed"}
    assert failed == {each.item for each in seen.findings}
    assert seen.roots == 2
    assert sum(seen.counts.values()) == len(seen.findings)
