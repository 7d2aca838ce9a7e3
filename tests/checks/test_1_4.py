"""Section 1.4 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from audit import audit
from audit.hand_1 import CASES, FLAT_BOOK, LIMITS, LONG, TIMING, Case, case
from checks.hand_1_3 import amount, look, statuses
from checks.seeded import fails_its_item, fails_nothing, planted, simulated
from test_audit_1 import write

from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.results import Finding

FOUR = ("1.4.1", "1.4.2", "1.4.3", "1.4.4")
NOTIONAL = "[limits.X]\nmax_notional = 1000"
OF_ALL = '[limits."*"]\n'


def breaker(metric: str, threshold: str, more: str = "") -> str:
    return f'[[breaker]]\nname = "b"\nmetric = "{metric}"\nthreshold = {threshold}\naction = "halt"\n{more}\n'


class Bad(NamedTuple):
    """A mistake made by hand: the one finding that it is, figures and all."""

    given: Case
    was: str
    should: str
    money: str
    work: str
    cause: str = ""


WRONG = [
    # 120 was reached: the mark is 20 short
    Bad(
        case("1.4.1", "a high that is missed", "equity:2", equity=("1 100 100", "2 120 100", "3 120 120")),
        "high_water was 100 USDT", "120 USDT", "20", "max(equity 120, 100) = 120", "a new high did not raise the mark",
    ),
    Bad(
        case("1.4.1", "the mark falls with the equity", "equity:2", equity=("1 100 100", "2 90 90")),
        "high_water was 90 USDT", "100 USDT", "10", "max(equity 90, 100) = 100", "the mark followed the equity down",
    ),
    # 100 less the 50 that were withdrawn
    Bad(
        case("1.4.1", "a withdrawal taken for a loss", "equity:2", transfers=("3 USDT -50",),
             equity=("1 100 100", "4 50 100")),
        "high_water was 100 USDT", "50 USDT", "50", "max(equity 50, 100 + (-50)) = 50",
        "a transfer was taken for a profit or a loss: the mark did not move with it",
    ),
    # (200 - 160) / 200 = 0.2; 0.2 x 200 - 0.02 x 200 = 36 do not show
    Bad(
        case("1.4.1", "a drawdown too small", "equity:2", equity=("1 200 200 0.00", "2 160 200 0.02")),
        "drawdown was 0.02", "0.2", "36", "(200 - 160) / 200 = 40 / 200 = 0.2",
    ),
    Bad(
        case("1.4.1", "in percent", "equity:2", equity=("1 200 200 0.00", "2 160 200 20.00")),
        "drawdown was 20", "0.2", "", "(200 - 160) / 200 = 40 / 200 = 0.2", "it is in percent",
    ),
    # long 6 from 96 down to 90
    Bad(
        case("1.4.2", "a stop that sleeps", "stops:1", TIMING, fills=LONG, marks=("1 100", "9 95", "20 90"),
             stops=("6 arm sell 96", "5000 disarm sell 96")),
        "an armed stop did not fire", "to fire once mark was through 96", "36", "0.003 s later mark was 95",
    ),
    # a buy stop fires at or above: short 6 of I from 100.5 to 125: 6 x 100 x (1/100.5 - 1/125) = 1.170... BTC
    Bad(
        case("1.4.2", "a late buy stop of an inverse contract", "stops:1", TIMING, marks=("1 100 symbol=I",
             "9 125 symbol=I"), fills=("5 e0 sell 6 100 symbol=I fee_asset=BTC",),
             stops=("6 arm buy 100.5 symbol=I", "5000 disarm buy 100.5 symbol=I")),
        "an armed stop did not fire", "to fire once mark was through 100.5", "~1.17", "0.003 s later mark was 125",
    ),
    # long 6 from 96 to 93 until the sell of 3000
    Bad(
        case("1.4.2", "an order too late", "stops:2", TIMING, fills=LONG, marks=("1 100", "9 95", "50 93", "3500 80"),
             stops=("6 arm sell 96", "10 fire sell 96 price=95"), order_events=("3000 submit a side=sell",)),
        "no sell order followed a stop within ack_timeout_ms", "a sell within 1000 ms", "18",
        "the next sell was sent 2.99 s later",
    ),
    Bad(
        case("1.4.2", "at a price that never was", "stops:1", marks=("1 100",), stops=("2 fire sell 99 price=98",)),
        "a stop fired at 98", "mark 100, the last known", "", "mark known then: 100",
    ),
    Bad(
        case("1.4.2", "on the mid", "stops:1", marks=("1 100",), stops=("2 fire sell 99 price=98 price_type=mid",)),
        "a stop fired on mid", "on mark, as stated", "", "mark known then: 100", "stops listen to mid",
    ),
    # 6 + 5 = 11 at 99 = 1089
    Bad(
        case("1.4.3", "a notional that forgets the position", "order_events:1", NOTIONAL, fills=LONG,
             order_events=("10 submit a",)),
        "order a may take the notional of X to 1089", "max_notional 1000 at most", "89",
        "11 x 99 = 1089, limit 1000", "the limit was held against each order alone",
    ),
    # 6 + 6 = 12: 2 at 99
    Bad(
        case("1.4.3", "a cancel that is not answered", "order_events:4", LIMITS, order_events=(
            "1 submit a qty=6", "2 ack a NEW", "3 cancel_request a PENDING_CANCEL", "4 submit b qty=6")),
        "order b may take the position of X to 12", "max_position 10 at most", "198", "buy a, open: 6 left",
        "the orders whose cancel is not answered were left out",
    ),
    Bad(
        case("1.4.3", "an order that is not acknowledged", "order_events:2", LIMITS,
             order_events=("1 submit a qty=6 side=sell", "4 submit b qty=6 side=sell")),
        "order b may take the position of X to 12", "max_position 10 at most", "198", "the position is -12",
        "all other orders were left out",
    ),
    # 10 x 100 + 6 x 100 = 1600
    Bad(
        case("1.4.3", "all symbols together", "order_events:2", OF_ALL + "max_notional = 1500",
             marks=("1 100", "1 100 symbol=S"), order_events=("10 submit a symbol=S qty=10", "20 submit b qty=6")),
        "order b may take the notional of all symbols to 1600", "max_notional 1500 at most", "100",
        "all symbols at their marks: 1600, limit 1500",
    ),
    Bad(
        case("1.4.3", "an order too many of all", "order_events:2", OF_ALL + "max_open_orders = 1",
             order_events=("10 submit a symbol=S", "20 submit b")),
        "order b is open order 2 of all symbols", "max_open_orders 1 at most", "", "limit 1",
        "the count leaves out the order itself",
    ),
    # 6 of 10 are 0.6; 1 at 99
    Bad(
        case("1.4.4", "a share of max_position", "order_events:1", LIMITS + breaker("position", "0.5"), fills=LONG,
             order_events=("10 submit a qty=1",)),
        "position of X was 0.6 and b did not trip before the next submit", "a trip at 0.5", "99",
        "0.005 s later: order_events:1 submit a",
    ),
    # 100 - 80 = 20; 5 at 99
    Bad(
        case("1.4.4", "a loss of the day", "order_events:1", breaker("daily_loss", "20"),
             equity=("1 100 100", "2 80 100"), order_events=("3 submit a",)),
        "daily_loss was 20 and b did not trip", "a trip at 20", "495", "daily_loss comes to 20, at or above 20",
    ),
    Bad(
        case("1.4.4", "too many messages", "order_events:4", breaker("message_rate", "3", "min_count = 1"),
             order_events=("1 submit a", "2 submit b", "3 submit c", "4 submit d")),
        "message_rate was 3 and b did not trip", "a trip at 3", "495", "0.001 s later: order_events:4 submit d",
    ),
    Bad(
        case("1.4.4", "too many rejects", "order_events:3", breaker("reject_rate", "0.5", "min_count = 1"),
             order_events=("1 submit a", "2 reject a REJECTED", "3 submit b")),
        "reject_rate was 1 and b did not trip", "a trip at 0.5", "495", "reject_rate comes to 1",
    ),
    Bad(
        case("1.4.4", "a book that stands still", "order_events:1", breaker("stale", "100"),
             book=(*FLAT_BOOK, "300 2 delta bid 98 1"), order_events=("150 submit a",)),
        "stale of X was 100 and b did not trip", "a trip at 100", "495", "0.049 s later",
    ),
    # both orders after the trip: 5 x 99 + 2 x 99
    Bad(
        case("1.4.4", "sent after the trip", "order_events:1 order_events:2", breaker("drawdown", "0.1"),
             risk_events=("1 b trip", "9 b reset"), order_events=("2 submit a", "8 submit b qty=2", "10 submit c")),
        "a was sent 0.001 s after b tripped", "nothing but reduce_only before its reset", "693",
        "risk_events:1: b trip",
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
    assert bad.work in "\n".join(finding.work)
    assert finding.cause == bad.cause
    assert _money(finding) == bad.money
    assert audit(tmp_path, [bad.given.item])[bad.given.item].violations


def _money(finding: Finding) -> str:
    if finding.impact.amount is None:
        return ""
    value = amount(finding)
    return str(value) if value.denominator == 1 else f"~{float(value):.2f}"


LEGAL = [
    case("1.4.1", "a deposit at the instant of a row, with or without it", transfers=("2 USDT 50",),
         equity=("1 100 100 0", "2 100 100 0", "2 150 150 0", "3 150 150 0")),
    case("1.4.1", "rounded from more digits", equity=("1 99.999 100.001 0.00002", "2 100.002 100.002 0")),
    case("1.4.2", "withdrawn before a deadline is over", "", TIMING, marks=("1 100", "9 95"),
         stops=("2 arm sell 96", "900 disarm sell 96")),
    case("1.4.2", "fired with no arm on record, no order judged", "", TIMING, marks=("1 100",),
         order_events=("1 submit a",), stops=("2 fire sell 101 price=100",)),
    case("1.4.2", "the deadline ends after the session", "", TIMING, marks=("1 100", "59900 95"),
         order_events=("1 submit a",), stops=("2 arm sell 96", "59900 fire sell 96 price=95")),
    case("1.4.2", "a moment behind the price", "", "[timing]\nclaim_lag_ms = 5\n", marks=("1 100", "9 95", "12 97"),
         stops=("2 arm sell 96", "13 fire sell 96 price=95")),
    case("1.4.3", "at the limit, not above it", "", LIMITS + "max_open_orders = 2",
         order_events=("1 submit a qty=4 symbol=S", "2 submit b qty=6 symbol=S", "3 submit c qty=10")),
    case("1.4.3", "bids and offers are no sum", "", LIMITS,
         order_events=("1 submit a qty=10", "2 submit b qty=10 side=sell")),
    case("1.4.3", "a fill of the same instant", "", LIMITS, fills=("3 e1 buy 6 99 order=a", "3 e2 sell 6 99"),
         order_events=("1 submit a qty=6", "3 submit b qty=10")),
    case("1.4.4", "money moved out is no loss", "", breaker("daily_loss", "20", "min_count = 1")
         + '[[breaker]]\nname = "m"\nmetric = "message_rate"\nthreshold = 2\nmin_count = 1\naction = "reduce_only"\n',
         transfers=("2 USDT -20",), equity=("1 100 100", "3 80 80"), risk_events=("5 m trip",),
         order_events=("4 submit a", "5 submit b", "6 submit c reduce_only=true")),
    case("1.4.4", "another symbol, the cool-down over, cancelled as it tripped", "",
         TIMING + breaker("stale", "100", "cooldown_s = 1"),
         risk_events=("100 b trip symbol=X", "1100 b reset symbol=X"),
         order_events=("1 submit a", "99 cancel_request a PENDING_CANCEL", "150 submit b symbol=S", "1200 submit c")),
]  # fmt: skip


@pytest.mark.parametrize("given", LEGAL, ids=lambda given: f"{given.item} {given.about}")
def test_what_is_legal_is_not_reported(given: Case, tmp_path: Path) -> None:
    write(tmp_path, given)
    seen = look(tmp_path, given.item)
    assert (seen.findings, seen.errors) == ((), ())
    assert statuses(seen) == {given.item: "verified"}
    assert audit(tmp_path, [given.item])[given.item].violations == ()


def test_what_is_not_stated_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path, case("1.4.3", "no limits", order_events=("1 submit a", "2 submit b")))
    seen = look(tmp_path, "1.4.3", "1.4.4")
    assert set(statuses(seen).values()) == {"not_assessed"}
    assert any("states no max_position" in note for note in seen.notes)
    assert any("states no breaker" in note for note in seen.notes)


@pytest.mark.parametrize(
    "given", [each for each in CASES if each.item in FOUR], ids=lambda each: f"{each.item} {each.about}"
)
def test_the_cases_of_the_slow_detectors(given: Case, tmp_path: Path) -> None:
    write(tmp_path, given)
    seen = look(tmp_path, given.item)
    (item,) = seen.items
    assert (item.status, item.exercised > 0) == ("failed" if given.where else "verified", True)
    assert {finding.occurrences[0] for finding in seen.findings} == set(given.where.split())


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FOUR]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s1_4") and not each.item]
CHOSEN = {
    "5": (5, None),
    "6-index": (6, {"stop_price": "index", "conversion": "fill"}),
    "7-last": (7, {"stop_price": "last", "realized": "net", "cost_basis": "lifo"}),
    "8-mid": (8, {"stop_price": "mid", "cost_basis": "average"}),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look(recording.folder, "1.4")
        assert seen.findings == ()
        assert statuses(seen) == dict.fromkeys(FOUR, "verified")
        assert [check.name for item in seen.items for check in item.checks if not check.exercised] == []


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, ("5", "8-mid")), "1.4", FOUR)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, ("5", "8-mid")), "1.4")
