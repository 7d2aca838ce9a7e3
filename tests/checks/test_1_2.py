"""Section 1.2 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from audit import audit
from audit.hand_1 import CASES, LAG, LIMITS, LONG, TIMING, Case, case
from checks.hand_1_3 import amount, look, statuses
from checks.seeded import failed, fails_nothing, planted, simulated
from test_audit_1 import write

from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.results import Finding

SIX = tuple(f"1.2.{n}" for n in range(1, 7))
IN_BASE = "fee=0.001 fee_asset=BTC"


class Bad(NamedTuple):
    """A mistake made by hand: the one finding that it is, figures and all."""

    given: Case
    was: str
    should: str
    money: str
    work: tuple[str, ...]
    cause: str = ""


WRONG = [
    # 2 + 1 = 3; 1 at 100 is missing
    Bad(
        case("1.2.1", "a fill that is missed", "positions:2", fills=("5 e1 buy 2 100", "7 e2 buy 1 100"),
             positions=("6 2", "8 2")),
        "the position of X was 2", "3", "100",
        ("positions:1 is right: 2", "fills:2 e2: buy 1: 1", "2 + 1 = 3", "positions:2 claims 2: off by -1"),
        "fills:2 was not booked",
    ),
    Bad(
        case("1.2.1", "a report that is counted again", "positions:2", fills=("5 e1 buy 2 100", "7 e1 buy 2 100"),
             positions=("6 2", "8 4")),
        "the position of X was 4", "2", "200", ("fills:2 repeats e1: 0", "2 + 0 = 2"),
        "repeated execution reports were counted again",
    ),
    # 1 - 0.001 bought, then -0.5 - 0.001 sold: 0.498; 0.002 at 100
    Bad(
        case("1.2.1", "fees in base", "positions:1 positions:2",
             fills=(f"5 e1 buy 1 100 symbol=S {IN_BASE}", f"7 e2 sell 0.5 100 symbol=S {IN_BASE}"),
             positions=("6 1.000 symbol=S", "8 0.500 symbol=S")),
        "the position of S was 1", "0.999", "0.2", ("fills:1 e1: buy 1, fee 0.001 BTC: 0.999", "0 + 0.999 = 0.999"),
        "the fee in the base asset was not taken off",
    ),
    Bad(
        case("1.2.1", "what was held before", "positions:2", fills=("5 e1 buy 1 100",),
             positions=("1 3 source=exchange", "6 1")),
        "the position of X was 1", "4", "300", ("the session starts at 3", "3 + 1 = 4"),
        "the opening position was left out",
    ),
    # 1 where 1 + 2 = 3 is right, 3 where 3 + 4 = 7 is: 4 at 100
    Bad(
        case("1.2.1", "one fill late each time", "positions:1 positions:2",
             fills=("5 e1 buy 1 100", "6 e2 buy 2 100", "8 e3 buy 4 100"), positions=("7 1", "9 3")),
        "the position of X was 1", "3", "400", ("1 + 2 = 3",),
        "the claims are older positions: they lag behind by 1 report",
    ),
    # 5 - 2 = 3, 5 + 2 = 7
    Bad(
        case("1.2.1", "a sale that is added", "positions:2", fills=("5 e1 buy 5 100", "7 e2 sell 2 100"),
             positions=("6 5", "8 7")),
        "the position of X was 7", "3", "400", ("5 + (-2) = 3", "positions:2 claims 7: off by 4"),
        "fills:2 was booked on the other side",
    ),
    # 6 + 7 = 13, 3 too many at 99
    Bad(
        case("1.2.2", "an order past the limit", "order_events:1", LIMITS, fills=LONG,
             order_events=("10 submit a qty=7",)),
        "a was sent, which takes the position of X to 13", "max_position 10 at most", "297",
        ("position of X before order_events:1: 6, by fills:1 and before", "6 + 7 = 13", "13 is 3 above 10"),
    ),
    Bad(
        case("1.2.2", "the position is left out", "order_events:1", LIMITS, fills=("5 e0 sell 6 100",),
             order_events=("10 submit a qty=10 side=sell",)),
        "a was sent, which takes the position of X to -16", "max_position 10 at most", "594", ("(-6) - 10 = -16",),
        "each order was held against the limit alone, without the position",
    ),
    # X trades in lots of 1: at the limit and one more
    Bad(
        case("1.2.2", "the last lot, of a replace", "order_events:2", LIMITS, fills=LONG,
             order_events=("10 submit a qty=2", "11 replace_request b qty=5 orig=a")),
        "a was replaced, which takes the position of X to 11", "max_position 10 at most", "99", ("6 + 5 = 11",),
        "the limit was passed by the last lot",
    ),
    # two orders of 6 rest at once: 12, 2 too many at 98
    Bad(
        case("1.2.2", "seen after the fill", "fills:2", LIMITS,
             fills=("4 e1 buy 6 99 order=a", "5 e2 buy 6 98 order=b"),
             order_events=("1 submit a qty=6", "2 ack a", "3 submit b qty=6")),
        "a fill took the position of X to 12", "max_position 10 at most", "196",
        ("position of X before fills:2: 6", "6 + 6 = 12: 2 above 10", "its order: order_events:3 submit b"),
        "each order was within the limit alone: several were open at once",
    ),
    # 2 of 5 are filled, 5 are booked: 3 at 99
    Bad(
        case("1.2.3", "the order's quantity", "positions:2", fills=("5 e1 buy 2 99 order=a",), positions=("3 0", "6 5"),
             order_events=("1 submit a",)),
        "across a partial fill the position of X moved by 5", "2", "297",
        ("fills:1 is a partial fill of a, order_events:1: 2 of 5 by then", "it moved by 5 - 0 = 5: off by 3"),
        "the partial fill was booked as the whole order",
    ),
    # 2, then 3 of 9: 5 in all, and the 2 again are 7
    Bad(
        case("1.2.3", "what is filled so far", "positions:2",
             fills=("5 e1 buy 2 99 order=a", "7 e2 buy 3 99 order=a"), positions=("6 2", "8 7"),
             order_events=("1 submit a qty=9",)),
        "across a partial fill the position of X moved by 5", "3", "198",
        ("fills:2 is a partial fill of a, order_events:1: 5 of 9 by then", "0 + 3 = 3"),
        "what the order had filled before was added again",
    ),
    # 6 bought, -6 claimed: 12 apart at 100
    Bad(
        case("1.2.4", "short for long", "positions:1", fills=LONG, positions=("6 -6",)),
        "the position of X was -6, short", "6, long", "1200", ("0 + 6 = 6", "off by -12"),
        "buys are taken off and sells added: every claim is the exact opposite",
    ),
    # 6 - 10 = -4, 4 claimed: 8 apart at 100
    Bad(
        case("1.2.4", "turned over", "positions:2", fills=(*LONG, "9 e1 sell 10 100"), positions=("6 6", "10 4")),
        "the position of X was 4, long", "-4, short", "800", ("6 + (-10) = -4",),
        "fills:2 turned the position over, and its sign stayed as it was",
    ),
    Bad(
        case("1.2.4", "the venue says short", "positions:2", fills=LONG, positions=("6 6", "8 -6 source=exchange")),
        "the bot had X long 6 where the exchange states -6", "one sign in both", "1200",
        ("positions:2, exchange: -6", "positions:1, bot: 6"), "the two are exact opposites",
    ),
    # short 6 from 100, at 90: (90 - 100) x -6 = 60; -60 is 120 away
    Bad(
        case("1.2.4", "a short's profit as a loss", "pnl:1", fills=("5 e0 sell 6 100",), marks=("6 90",),
             pnl=("7 0.00 -60.00",)),
        "unrealized P&L of X was -60 USDT", "60 USDT", "120", ("(90 - 100) x (-6) = 60",),
        "a short is valued as a long",
    ),
    Bad(
        case("1.2.5", "a bust that is not booked", "positions:2", fills=(*LONG, "7 e1 buy 6 100 kind=bust of=e0"),
             positions=("6 6", "8 6")),
        "after a bust the position of X was 6", "0", "600", ("fills:2 bust of e0: -6", "6 + (-6) = 0"),
        "the correction was not booked",
    ),
    # 1 short before and after; at 101
    Bad(
        case("1.2.5", "wrong before it", "positions:2", fills=(*LONG, "7 e1 buy 4 101 kind=correction of=e0"),
             positions=("6 5", "8 3")),
        "after a correction the position of X was 3", "4", "101", ("fills:2 correction of e0 to 4: -2",),
        "the position was off by as much before the correction came",
    ),
    Bad(
        case("1.2.5", "a difference that lasts", "positions:2", TIMING, fills=LONG,
             positions=("6 6", "10 7 source=exchange", "7000 6")),
        "the exchange stated 7 of X and the bot did not reach it: it had 6", "7 within 5000 ms", "100",
        ("positions:1, bot, 0.004 s before: 6", "7 - 6 = 1", "the distinct fills up to it give 6"),
        "the bot's position is what the fills give: the exchange counts what is not among them",
    ),
    # 6 + 6 = 12: 2 at 99
    Bad(
        case("1.2.6", "two in flight", "order_events:2", LIMITS,
             order_events=("1 submit a qty=6", "2 submit b qty=6", "3 ack a"), positions=("0 0",)),
        "a and b were in flight together, and may take the position of X to 12", "max_position 10 at most", "198",
        ("a was sent by order_events:1, 0.001 s before order_events:2, and answered by order_events:3, 0.001 s after",
         "1. a arrives and fills 6: 0 + 6 = 6", "2. b arrives and fills 6: 6 + 6 = 12, 2 above 10",
         "alone: a 0 + 6 = 6; b 0 + 6 = 6: within 10"),
    ),
    # a, b, c are 9; d makes 12; without b still 4 + 4 + 3 = 11
    Bad(
        case("1.2.6", "three of four are enough", "order_events:4", LIMITS, positions=("0 0",),
             order_events=("1 submit a qty=4", "1 submit b qty=1", "1 submit c qty=4", "2 submit d qty=3")),
        "a and c and d were in flight together, and may take the position of X to 12", "max_position 10 at most", "198",
        ("a was sent by order_events:1, 0.001 s before order_events:4, and never answered",
         "3. d arrives and fills 3: 8 + 3 = 11, 1 above 10", "no shorter story: d and any one other may take it to 7"),
    ),
    # -3 - 4 - 4 = -11: 1 at 99
    Bad(
        case("1.2.6", "two sales", "order_events:2", LIMITS, fills=("0 e0 sell 3 100",),
             order_events=("1 submit a qty=4 side=sell", "2 submit b qty=4 side=sell")),
        "may take the position of X to -11", "max_position 10 at most", "99",
        ("(-3) - 4 = -7", "(-7) - 4 = -11, 1 below -10", "b (-3) - 4 = -7: within 10"),
    ),
    # a goes from 2 to 6 while b of 6 is sent
    Bad(
        case("1.2.6", "a replace in flight", "order_events:4", LIMITS, positions=("0 0",),
             order_events=("1 submit a qty=2", "2 ack a", "3 replace_request c qty=6 orig=a", "4 submit b qty=6")),
        "may take the position of X to 12", "max_position 10 at most", "198",
        ("was sent by order_events:3, 0.001 s before order_events:4",
         "the replace of a arrives before its fill of 6: 0 + 6 = 6"),
    ),
    # the 5 that only reduce fill first: -5 + 5 = 0, then 0 + 12; the other way round it is -5 + 12 = 7
    Bad(
        case("1.2.6", "the worst order of arrival", "order_events:2", LIMITS, fills=("0 e0 sell 5 100",),
             order_events=("1 submit a qty=5 reduce_only=true", "2 submit b qty=12")),
        "a and b were in flight together, and may take the position of X to 12", "max_position 10 at most", "198",
        ("1. a arrives and fills 5: (-5) + 5 = 0", "2. b arrives and fills 12: 0 + 12 = 12, 2 above 10",
         "alone: b (-5) + 12 = 7: within 10"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: f"{bad.given.item} {bad.given.about}")
def test_a_mistake_is_found_with_its_figures(bad: Bad, tmp_path: Path) -> None:
    write(tmp_path, bad.given)
    seen = look(tmp_path, bad.given.item)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert set(bad.given.where.split()) <= set(finding.occurrences)
    assert bad.was in finding.current and bad.should in finding.correct
    for line in bad.work:
        assert line in "\n".join(finding.work)
    assert finding.cause.startswith(bad.cause) and bool(finding.cause) == bool(bad.cause)
    assert _money(finding) == bad.money
    assert audit(tmp_path, [bad.given.item])[bad.given.item].violations


def _money(finding: Finding) -> str:
    return str(float(amount(finding))).removesuffix(".0") if finding.impact.amount is not None else ""


LEGAL = [
    case("1.2.1", "rounded to fewer digits, in any order of columns", fills=(f"5 e1 buy 1 100 symbol=S {IN_BASE}",),
         positions=("6 1.00 symbol=S",)),
    case("1.2.1", "corrected as if it had always been so", fills=(*LONG, "7 e1 buy 4 101 kind=correction of=e0",
         "8 e2 buy 4 101 kind=bust of=e1"), positions=("6 6", "7 6", "7 4", "9 0")),
    case("1.2.1", "behind by no more than claim_lag_ms", "", LAG, fills=("5 e1 buy 1 100", "60 e2 buy 1 100"),
         positions=("100 0", "120 1", "161 2")),
    case("1.2.2", "just to the limit, and from one side to the other", "", LIMITS, fills=LONG,
         order_events=("10 submit a qty=4", "11 submit b qty=16 side=sell")),
    case("1.2.2", "a fill of the same instant, known or not", "", LIMITS, fills=("10 e1 buy 6 99",),
         order_events=("10 submit a qty=10", "11 submit b qty=4")),
    case("1.2.2", "of a position that is past the limit, less", "", LIMITS, fills=("5 e0 buy 12 100 kind=adl",),
         order_events=("3 submit b", "10 submit a qty=5 side=sell")),
    case("1.2.2", "a replace that has that much filled", "", LIMITS, fills=("5 e0 buy 6 99 order=a",),
         order_events=("1 submit a qty=8", "6 replace_request b qty=10 orig=a")),
    case("1.2.3", "booked together, and with a repeated one", fills=("5 e1 buy 2 99 order=a", "6 e1 buy 2 99 order=a",
         "7 e2 buy 1 99 order=a", "7 e3 sell 3 99"), positions=("3 0", "7 0", "9 0"), order_events=("1 submit a",)),
    case("1.2.4", "flat, and turned over within the time to resync", "", TIMING, fills=(*LONG, "30 e1 sell 12 100"),
         positions=("6 6", "8 -6 source=exchange", "40 -6", "50 -0")),
    case("1.2.4", "profit at one of two marks of the same instant", fills=LONG, marks=("7 110", "7 90"),
         pnl=("7 0.00 60.00", "7 0.00 -60.00")),
    case("1.2.5", "no claim after it, one at its instant", fills=(*LONG, "7 e1 buy 4 101 kind=correction of=e0",
         "9 e2 buy 4 101 kind=bust of=e0"), positions=("6 6", "7 6", "8 4")),
    case("1.2.5", "reached between two claims", "", TIMING, fills=("5 e1 buy 6 100", "6 e2 buy 1 100"),
         positions=("3 0", "5.5 6 source=exchange", "7 7")),
    case("1.2.5", "the time to reach it ends after the session", "", TIMING, fills=LONG,
         positions=("6 6", "7 6 source=exchange", "59000 9 source=exchange")),
    case("1.2.6", "to the limit together", "", LIMITS, fills=("0 e0 buy 1 100",),
         order_events=("1 submit a qty=4", "2 submit b qty=5")),
    case("1.2.6", "the one beside it is answered or filled", "", LIMITS, fills=("3 e1 buy 6 99 order=c x=2",),
         order_events=("1 submit c qty=6", "4 submit d qty=4", "5 submit e qty=1 side=sell",
                       "6 submit f qty=9 side=sell")),
    case("1.2.6", "one that is replaced is one order", "", LIMITS, positions=("0 0",),
         order_events=("1 submit a qty=6", "2 replace_request b qty=8 orig=a", "3 submit c qty=2")),
]  # fmt: skip


@pytest.mark.parametrize("given", LEGAL, ids=lambda given: f"{given.item} {given.about}")
def test_what_is_legal_is_not_reported(given: Case, tmp_path: Path) -> None:
    write(tmp_path, given)
    seen = look(tmp_path, given.item)
    assert (seen.findings, seen.errors) == ((), ())
    assert statuses(seen) == {given.item: "verified"}
    assert audit(tmp_path, [given.item])[given.item].violations == ()


def test_what_is_not_stated_is_not_judged(tmp_path: Path) -> None:
    orders = ("1 submit a qty=600", "2 submit b qty=600")
    write(tmp_path, case("1.2.6", "no limit", order_events=orders, positions=("0 0",)))
    seen = look(tmp_path, "1.2")
    assert set(statuses(seen).values()) == {"not_assessed"}
    assert any("no max_position is stated for X" in note for note in seen.notes)
    assert any("states no resync_timeout_ms" in note for note in seen.notes)


SHORT = ("5 e1 buy 230 100 symbol=S fee=0.23 fee_asset=BTC", "7 e2 sell 230 100 symbol=S")
LEFT = ("6 229.77 symbol=S", "8 0 symbol=S")


def test_a_spot_position_that_its_fills_make_short_did_not_open_at_0(tmp_path: Path) -> None:
    # 230 - 0.23 = 229.77 are there when 230 are sold
    write(tmp_path, case("1.2.1", "", fills=SHORT, positions=LEFT, pnl=("9 1 0 0 0 1 symbol=S",)))
    seen = look(tmp_path, "1.2.1", "1.3.1", "2.3.2")
    assert statuses(seen) == dict.fromkeys(("1.2.1", "1.3.1", "2.3.2"), "not_assessed")
    assert (seen.findings, seen.errors) == ((), ())
    note = "S: its fills alone make it short by fills:2, so what it held at the start is not stated and was not 0"
    assert all(note in item.reason for item in seen.items), [item.reason for item in seen.items]


@pytest.mark.parametrize(
    "more",
    [
        {"positions": ("1 0 symbol=S source=exchange", *LEFT)},
        {"balances": ("1 BTC 0 0 source=exchange",)},
        {"positions": (*LEFT, "9 -0.23 symbol=S")},
        {"balances": ("9 BTC -0.23 0",)},
    ],
    ids=["a position stated", "a balance stated", "short on margin", "a coin that is owed"],
)
def test_a_spot_position_that_is_stated_or_on_margin_is_judged(
    more: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    write(tmp_path, case("1.2.1", "", **{"fills": SHORT, "positions": LEFT, **more}))
    seen = look(tmp_path, "1.2.1")
    (finding,) = seen.findings
    assert "the position of S was 0" in finding.current and "-0.23" in finding.correct


def test_a_position_that_nobody_tells_of_is_not_taken_for_flat(tmp_path: Path) -> None:
    write(tmp_path, case("1.2.2", "orders only", "", LIMITS, order_events=("1 submit a qty=11",)))
    seen = look(tmp_path, "1.2.2")
    assert statuses(seen) == {"1.2.2": "not_assessed"}
    assert any("neither fills nor positions" in note for note in seen.notes)


def test_a_report_without_a_kind_is_a_trade(tmp_path: Path) -> None:
    fills = ("5 e1 buy 6 99 order=a kind=", "6 e2 buy 6 99 order=b kind=")
    orders = ("1 submit a qty=9", "2 ack a", "3 submit b qty=6")
    write(tmp_path, case("1.2.2", "", "", LIMITS, fills=fills, order_events=orders, positions=("4 0", "5.5 9", "7 12")))
    seen = look(tmp_path, "1.2.2", "1.2.3")
    assert statuses(seen) == {"1.2.2": "failed", "1.2.3": "failed"}
    assert [finding.occurrences[0] for finding in seen.findings] == ["fills:2", "positions:2"]


def test_claims_that_the_venue_does_not_confirm_are_not_counted(tmp_path: Path) -> None:
    given = case("1.2.1", "", fills=LONG, positions=("6 6", "8 6 source=exchange", "10 6", "20 6"))
    write(tmp_path, given)
    settings = tmp_path / "session.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"venue"', '"bot"'), encoding="utf-8")
    seen = look(tmp_path, "1.2.1")
    assert (statuses(seen), [item.exercised for item in seen.items]) == ({"1.2.1": "verified"}, [1])
    assert any("2 claims of position come after the last exchange row" in note for note in seen.notes)


@pytest.mark.parametrize(
    "given", [each for each in CASES if each.item in SIX], ids=lambda each: f"{each.item} {each.about}"
)
def test_the_cases_of_the_slow_detectors(given: Case, tmp_path: Path) -> None:
    if given.item == "1.2.6":
        given = given._replace(tables={**given.tables, "positions": ("0 0",)})
    write(tmp_path, given)
    seen = look(tmp_path, given.item)
    (item,) = seen.items
    assert (item.status, item.exercised > 0) == ("failed" if given.where else "verified", True)
    assert {finding.occurrences[0] for finding in seen.findings} == set(given.where.split())


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in SIX]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s1_2") and not each.item]
CHOSEN = {
    "5": (5, None),
    "8-mid": (8, {"unrealized_price": "mid", "cost_basis": "average", "realized": "net"}),
}
CAUSES = {
    "1.2.1-fill-never-booked": "was not booked",
    "1.2.1-claim-without-the-fill-before-last": "was not booked",
    "1.2.1-fee-in-base-left-out": "the base fee of",
    "1.2.2-each-order-held-against-the-limit-alone": "each order was held against the limit alone",
    "1.2.2-one-lot-past-the-limit": "the last lot",
    "1.2.3-partial-fill-booked-as-the-whole-order": "booked as the whole order",
    "1.2.3-cumulative-quantity-added": "what the order had filled before was added again",
    "1.2.4-sells-add-and-buys-take": "every claim is the exact opposite",
    "1.2.4-flip-keeps-the-old-sign": "turned the position over",
    "1.2.4-unrealized-of-the-other-direction": "a short is valued as a long",
    "1.2.5-corrections-ignored": "corrections and busts were ignored",
    "1.2.5-bust-reaches-the-position-late": "the correction was not booked",
    "1.2.5-reconcile-closes-the-position-in-the-books": "the position was set to 0 at connection:",
    "1.2.6-orders-on-their-way-not-counted": "those on their way are not counted",
    "1.2.6-two-at-once-pass-the-limit": "those on their way are not counted",
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look(recording.folder, "1.2")
        assert seen.findings == ()
        assert statuses(seen) == dict.fromkeys(SIX, "verified")
        assert [check.name for item in seen.items for check in item.checks if not check.exercised] == []


def test_every_seeded_mistake_has_its_cause() -> None:
    assert set(CAUSES) == {each.id for each in SEEDED}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    folders = list(planted(chosen, recordings, tmp_path, CHOSEN))
    assert folders
    for folder in folders:
        seen = look(folder, "1.2")
        items = failed(seen)
        assert chosen.item in items
        assert items <= {chosen.item, *chosen.consequences}
        assert items == {item for item, slow in audit(folder, SIX).items() if slow.violations}
        assert any(CAUSES[chosen.id] in each.cause for each in seen.findings if each.item == chosen.item)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, CHOSEN), "1.2")
