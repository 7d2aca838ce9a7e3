"""Section 2.3 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
from audit import audit
from audit.hand_1 import CASES, LAG, Case
from checks.hand_1_3 import look as look_at
from checks.hand_1_3 import statuses
from checks.seeded import fails_its_item, fails_nothing, planted, simulated
from test_audit_1 import START
from test_audit_1 import write as write_case

from mmverify.checks.markout import Markouts, markouts
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.errors import UsageError
from mmverify.review.results import Assessment
from mmverify.session import open_session

FIVE = tuple(f"2.3.{n}" for n in range(1, 6))
Tables = dict[str, tuple[str, ...]]


def look(folder: Path, item: str, settings: str, tables: Tables) -> Assessment:
    """Review one item: orders buy 5 of X at 99 unless a line says otherwise; fills are the maker's and free."""
    write_case(folder, Case(item, "", "", settings, tables))
    return look_at(folder, item)


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    item: str
    tables: Tables
    location: str
    was: str
    should: str
    amount: str
    work: str
    cause: str = ""
    settings: str = ""


def tables(**given: tuple[str, ...]) -> Tables:
    return given


LIFO, AVERAGE, NET = (f'[conventions]\n{name} = "{value}"\n' for name, value in (
    ("cost_basis", "lifo"), ("cost_basis", "average"), ("realized", "net")
))  # fmt: skip
SENT = ("1 submit o", "2 ack o")
TWO = ("2 e1 buy 1 99 order=o", "3 e2 buy 2 99 order=o")

WRONG = [
    # 2.3.1: bought at 100, sold at 110 by an order at 105: 10 is gained, not 5
    Bad("gains at the order's price", "2.3.1",
        tables(fills=("1 a buy 1 100", "3 b sell 1 110 order=o"), pnl=("4 5.00",),
               order_events=("2 submit o side=sell price=105 qty=1", "3 ack o")),
        "pnl:1", "realized P&L of X was 5 USDT", "10 USDT", "5", "(110 - 100) x 1 = 10",
        "the order's price was used in place of the fill's"),
    # the same of one that gained 10 on 0.1 less fees
    Bad("gains at the order's price, net", "2.3.1",
        tables(fills=("1 a buy 1 100", "3 b sell 1 110 order=o fee=0.1"), pnl=("4 4.90",),
               order_events=("2 submit o side=sell price=105 qty=1", "3 ack o")),
        "pnl:1", "was 4.9 USDT", "9.9 USDT", "5", "with the orders' prices in place of the fills': 4.9", settings=NET),
    # 1 at 110 and 3 at 108: 434 / 4 = 108.5; 105 x 4 = 420, 14 less
    Bad("an average that is the limit", "2.3.1",
        tables(fills=("3 a sell 1 110 order=o", "4 b sell 3 108 order=o"),
               order_events=("2 submit o side=sell price=105 qty=4", "3 partial_fill o cum=1 avg_px=110.0",
                             "5 fill o FILLED cum=4 leaves=0 avg_px=105.0")),
        "order_events:3", "avg_px of o was 105, its own price", "108.5", "14", "(1 x 110 + 3 x 108) / (1 + 3) = 108.5",
        "avg_px is the price that the order was sent with"),
    Bad("bought above the limit", "2.3.1", tables(fills=("3 a buy 4 99.5 order=o",), order_events=SENT),
        "fills:1", "o bought at 99.5", "99 or below", "2", "(99.5 - 99) x 4 = 2 USDT"),
    # 50 contracts of 100 USD: 5000 / 20000 = 0.25 BTC, 5000 / 25000 = 0.2 BTC
    Bad("sold below the limit, inverse", "2.3.1",
        tables(fills=("3 a sell 50 20000 order=o symbol=I fee_asset=BTC",),
               order_events=("1 submit o symbol=I side=sell price=25000 qty=50",)),
        "fills:1", "o sold at 20000", "25000 or above", "0.05", "(1/25000 - 1/20000) x 50 x 100 = -0.05 BTC"),
    Bad("at a limit that was no longer there", "2.3.1",
        tables(fills=("9 a buy 2 99 order=o x=8",),
               order_events=(*SENT, "3 replace_request p PENDING_REPLACE orig=o price=98",
                             "5 replace_ack p NEW orig=o price=98")),
        "fills:1", "o bought at 99", "98 or below", "2", "order_events:3 replace_request: price 98"),
    Bad("at a limit that the venue refused", "2.3.1",
        tables(fills=("9 a buy 2 99.5 order=o x=8",),
               order_events=(*SENT, "3 replace_request p PENDING_REPLACE orig=o price=99.5",
                             "5 replace_reject p NEW orig=o")),
        "fills:1", "o bought at 99.5", "99 or below", "1", "order_events:1 submit: price 99"),
    # 2.3.2: 2 of 4 are there, the other 2 are worth 200
    Bad("half of a fill", "2.3.2", tables(fills=("1 a buy 4 100",), positions=("2 2", "3 4")),
        "positions:1", "the position of X was 2, in the middle of a fill", "0 or 4", "200", "2 of 4 is there"),
    # 1 at 100 and 1 at 110: 105 on average, not 100: 10 less for both
    Bad("quantity without its cost", "2.3.2",
        tables(fills=("1 a buy 1 100", "2 b buy 1 110"), positions=("1.5 1 avg_px=100.0", "3 2 avg_px=100.0")),
        "positions:2", "avg_px of X lacked a fill that qty beside it had", "all of a row with the fill", "10",
        "avg_px 100: 100 before, 105 after", "avg_px is booked after the rest of the fill"),
    Bad("a gain without its fee", "2.3.2",
        tables(fills=("1 a buy 1 100 fee=0.1", "2 b sell 1 110 fee=0.11"),
               pnl=("1.5 0.00  0.10", "3 10.00  0.10", "4 10.00  0.21")),
        "pnl:2", "fees of X lacked a fill that realized beside it had", "all of a row with the fill", "0.11",
        "fees 0.1: 0.1 before, 0.21 after", "fees is booked after the rest of the fill"),
    # of 2 bought at 100, 1 sold at 110: 10 realized, 10 open at 110 and not the 20 of before
    Bad("an open gain from before", "2.3.2",
        tables(fills=("1 a buy 2 100", "2 b sell 1 110"), marks=("0 110",),
               pnl=("1.5 0.00 20.00 0.00", "3 10.00 20.00 0.00")),
        "pnl:2", "unrealized of X lacked a fill", "all of a row with the fill", "10",
        "unrealized 20: 20 before, 10 after"),
    Bad("a position that P&L is ahead of", "2.3.2",
        tables(fills=("1 a buy 1 100", "2 b sell 1 110 fee=0.11"), pnl=("1.5 0.00  0.00", "3 10.00  0.11"),
               positions=("1.5 1", "4 1")),
        "positions:2", "positions of X lacked a fill that pnl:2 had before it", "what the fills give", "110",
        "positions:2 qty 1, with them 0"),
    # 2.3.3: 1, then 2 more: 3, not 1 + 3 = 4; 1 x 99
    Bad("reports of so far added up", "2.3.3",
        tables(fills=TWO, order_events=(*SENT, "2 partial_fill o cum=1 exec_id=e1", "3 partial_fill o cum=4")),
        "order_events:4", "cum_qty of o was 4", "3", "99", "1 + 2 = 3",
        "reports of what is filled so far were added up as if each were new"),
    Bad("a report that is not added", "2.3.3",
        tables(fills=TWO, order_events=(*SENT, "2 partial_fill o cum=1", "3.5 cancel_request o cum=1")),
        "order_events:4", "cum_qty of o was 1", "3", "198", "1 - 3 = -2 too little", "a report was not added"),
    Bad("a report that is added again", "2.3.3",
        tables(fills=(*TWO, "3 e2 buy 2 99 order=o"), order_events=(*SENT, "3 partial_fill o cum=3", "4 fill o cum=5")),
        "order_events:4", "cum_qty of o was 5", "3", "198", "5 - 3 = 2 too much", "a report was added a second time"),
    Bad("counted before it came", "2.3.3",
        tables(fills=TWO, order_events=(*SENT, "2.5 partial_fill o cum=3")), "order_events:3",
        "cum_qty of o was 3", "1", "198", "fills:1: 1", "a fill was counted before `fills` says that it arrived"),
    Bad("more than nothing", "2.3.3",
        tables(fills=("9 e1 buy 1 99 order=o",), order_events=(*SENT, "3 partial_fill o cum=1")), "order_events:3",
        "cum_qty of o was 1", "0", "99", "no fill of the order had arrived by then"),
    # 2.3.4: the lot of 110 is before that of 120 and was made after it: the next 1 that is closed is off by 10
    Bad("booked as they came", "2.3.4",
        tables(fills=("1 a buy 1 100", "3 b buy 1 110 x=2.5", "4 c buy 1 120 x=2", "5 d sell 1 130")),
        "fills:2", "fills:2 was booked before fills:3", "after it", "10",
        "lots that are closed next, as booked: 1 at 110, 1 at 120; in the venue's order: 1 at 120, 1 at 110",
        "fills were booked as they arrived"),
    # long 1 at 90: lifo closes it at 100 (10), or the lot that was bought at 100 just before (0)
    Bad("of one price, but the last in is the first out", "2.3.4",
        tables(fills=("1 a buy 1 90", "3 b sell 1 100 x=2.5", "3 c buy 1 100 x=2")),
        "fills:2", "fills:2 was booked before fills:3", "after it", "10",
        "as booked these realize 10 USDT, in the venue's order 0 USDT",
        "fills that came together were not put in the venue's order", settings=LIFO),
    # long 1 at 90 and 1 more at 110, sold 1 at 120: 30 on the first alone, 20 on the average of 100
    Bad("another average", "2.3.4",
        tables(fills=("1 a buy 1 90", "3 b sell 1 120 x=2.5", "4 c buy 1 110 x=2")),
        "fills:2", "fills:2 was booked before fills:3", "after it", "10",
        "as booked these realize 30 USDT, in the venue's order 20 USDT", settings=AVERAGE),
    Bad("processed in another order than they came", "2.3.4",
        tables(fills=("1 a buy 1 100 order=o", "2 b buy 1 110 order=p"),
               order_events=("1 submit o", "1 submit p", "2 fill p exec_id=b", "2 fill o exec_id=a")),
        "fills:2", "fills:2 was processed before fills:1", "after it", "10",
        "fills:1 was executed 1 ms before fills:2, and processed after it"),
    # 2.3.5: of 1000 a maker pays 0.1, a taker 0.5
    Bad("a post_only order took", "2.3.5",
        tables(fills=("3 a buy 1 1000 order=o liquidity=taker fee=0.50",), order_events=("2 submit o post_only=true",)),
        "fills:1", "a fill of o, a post_only order, was taker", "maker", "0.4",
        "as a maker it pays 0.0001 of its notional, 0.1 USDT; it paid 0.5: 0.4 more"),
    Bad("a maker's fee on what took", "2.3.5",
        tables(fills=("4 b buy 1 1000 order=p liquidity=taker fee=0.10",), order_events=("2 submit p",)),
        "fills:1", "the fee of a taker fill was 0.1 USDT, that of a maker", "0.5 USDT", "0.4",
        "1000 x 1 x 0.0005 = 0.5", "the fee is reckoned from the order"),
    # a market order that made: 100 USD of 1 contract at 50000 is 0.002 BTC, at 0.0001 and 0.0005
    Bad("a taker's fee on what made, inverse", "2.3.5",
        tables(fills=("4 b sell 1 50000 order=p symbol=I fee=0.0000010 fee_asset=BTC fee_rate=0.0005",),
               order_events=("2 submit p symbol=I type=market price=",)),
        "fills:1", "the fee of a maker fill was 0.000001 BTC, that of a taker", "0.0000002 BTC", "0.0000008",
        "1 x 100 / 50000 x 0.0001 = 0.0000002"),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = look(tmp_path, bad.item, bad.settings, bad.tables)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert finding.item == bad.item and finding.location.startswith(bad.location)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in line for line in work), work
    assert finding.impact.amount == (float(bad.amount) if bad.amount else None)
    assert bad.cause in finding.description


class Odd(NamedTuple):
    """What is odd and legal."""

    name: str
    item: str
    exercised: int
    tables: Tables
    settings: str = ""


LEGAL = [
    Odd("gains at the fills' prices", "2.3.1", 3,
        tables(fills=("1 a buy 1 100", "3 b sell 1 110 order=o"), pnl=("4 10.00",),
               order_events=("2 submit o side=sell price=105 qty=1", "3 fill o cum=1 leaves=0 avg_px=110.00"))),
    Odd("before the amendment arrived, and after it was refused", "2.3.1", 3,
        tables(fills=("4 a buy 1 99.5 order=o x=3", "6 b buy 1 99 order=o", "7 c buy 1 99 order=o"),
               order_events=("1 submit o price=99.5", "2 replace_request p PENDING_REPLACE orig=o price=98",
                             "5 replace_reject p NEW orig=o price=99.5"))),
    Odd("the clocks are apart", "2.3.1", 1,
        tables(fills=("9 a buy 1 99 order=o x=8",),
               order_events=(*SENT, "3 replace_request p PENDING_REPLACE orig=o price=98", "5 replace_ack p orig=o")),
        "[timing]\nmax_clock_skew_ms = 3\n"),
    Odd("an amendment of the quantity alone, a price that the venue moved", "2.3.1", 2,
        tables(fills=("5 a buy 1 99 order=o", "6 b buy 1 101 order=q"),
               order_events=(*SENT, "3 replace_request p PENDING_REPLACE orig=o price= qty=7",
                             "4 submit q price=100", "5 ack q price=101"))),
    Odd("a liquidation is at any price", "2.3.1", 1,
        tables(fills=("3 a buy 1 99 order=o", "3 b buy 1 200 order=o kind=liquidation"), order_events=SENT)),
    Odd("an average between digits", "2.3.1", 3,
        tables(fills=("3 a buy 3 98.5 order=o", "3 b buy 1 99 order=o"),
               order_events=(*SENT, "4 partial_fill o cum=4 avg_px=98.62"))),
    Odd("before the fill or after it at its very time", "2.3.2", 2,
        tables(fills=("1 a buy 1 100", "2 b sell 1 110 fee=0.11"), pnl=("2 0.00  0.00", "2 10.00  0.11"),
               positions=("2 1 avg_px=100.0", "2 0"))),
    Odd("a claim that may lag", "2.3.2", 2,
        tables(fills=("1 a buy 1 100", "2 b sell 1 110 fee=0.11"), pnl=("50 10.00  0.11",),
               positions=("40 1 avg_px=100.0", "60 1 avg_px=100.0", "200 0")), LAG),
    Odd("off since before, by chance between", "2.3.2", 2,
        tables(fills=("1 a buy 1 100", "2 b buy 4 100"), positions=("1.5 3", "3 3"))),
    # 1 - 0.001; less 1: -0.001, and what is left out is no part of the sale: dust that is older
    Odd("dust that the books leave out", "2.3.2", 4,
        tables(fills=("2 a buy 2 100 symbol=S fee=0.002 fee_asset=BTC", "3 b sell 1 100 symbol=S",
                      "4 c buy 1 100 symbol=S fee=0.001 fee_asset=BTC", "5 d sell 2 100 symbol=S"),
               positions=("1 0 symbol=S source=exchange", "2 1.998 symbol=S", "3 0.998 symbol=S", "4 1.997 symbol=S",
                          "6 0.000 symbol=S"))),
    Odd("at a quantity of no part", "2.3.2", 2,
        tables(fills=("1 a buy 4 100", "3 b buy 4 100"), positions=("2 4.0", "4 6.5"))),
    Odd("where it was before", "2.3.2", 6,
        tables(fills=tuple(f"{at} e{at} {side} {qty} 100" for at, side, qty in (
                   (1, "buy", 2), (2, "buy", 3), (3, "buy", 1), (4, "buy", 1), (5, "buy", 1), (6, "sell", 8))),
               positions=("1.5 2", "2.5 5", "3.5 6", "4.5 7", "5.5 8", "6.5 2"))),
    Odd("an average of another kind", "2.3.2", 1,
        tables(fills=("1 a buy 1 100 symbol=I fee_asset=BTC", "2 b buy 1 200 symbol=I fee_asset=BTC"),
               positions=("3 2 avg_px=150.0 symbol=I",))),
    Odd("another price altogether", "2.3.2", 1,
        tables(fills=("1 a buy 2 100", "2 b sell 1 110"), marks=("0 110",), pnl=("3 10.00 7.00 0.00",))),
    Odd("with the fill or without it at its very time", "2.3.3", 4,
        tables(fills=TWO, order_events=(*SENT, "2 partial_fill o cum=1", "3 cancel_request o cum=1",
                                        "3 partial_fill o cum=3", "3 cancel_ack o cum=3"))),
    Odd("a fill that names no order", "2.3.3", 2,
        tables(fills=("2 e1 buy 1 99",), order_events=("1 submit o cum=0", "3 fill o cum=1", "4 fill o cum=1"))),
    Odd("filled before the recording began", "2.3.3", 1,
        tables(fills=(*TWO, "4 e3 buy 1 99 order=q"),
               order_events=("1 reconcile o cum=7", "2 submit p cum=0", "4 cancel_ack o cum=9", "5 reject p cum=0",
                             "5 submit q", "6 fill q cum=1"))),
    Odd("other lots, all of one price", "2.3.4", 3,
        tables(fills=("1 a buy 1 100", "3 b buy 1 110 x=2.5", "4 c buy 1 110 x=2", "5 d sell 3 130"))),
    Odd("another order that averages out", "2.3.4", 2,
        tables(fills=("1 a buy 1 100", "3 b buy 1 110 x=2.5", "4 c buy 1 120 x=2")), AVERAGE),
    Odd("what was taken back never was", "2.3.4", 2,
        tables(fills=("1 a buy 1 100", "3 b buy 1 110 x=2.5", "4 c buy 1 120 x=2", "6 d buy 1 120 kind=bust of=c"))),
    Odd("of the same nanosecond, in the order of the file", "2.3.4", 1,
        tables(fills=("3 b buy 1 110 x=2", "4 c buy 1 120 x=2"))),
    Odd("meant to take, and made", "2.3.5", 1,
        tables(fills=("4 b buy 1 1000 order=p fee=0.10",), order_events=("2 submit p tif=IOC",))),
    Odd("a rate of its own", "2.3.5", 1,
        tables(fills=("4 b buy 1 1000 order=p liquidity=taker fee=0.10 fee_rate=0.00011",),
               order_events=("2 submit p",))),
    Odd("one rate for both", "2.3.5", 1,
        tables(fills=("4 b buy 1 1000 order=p symbol=S liquidity=taker fee=0.001 fee_asset=BTC",),
               order_events=("2 submit p symbol=S",))),
]  # fmt: skip


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    seen = look(tmp_path, odd.item, odd.settings, odd.tables)
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.exercised for item in seen.items] == [odd.exercised]


@pytest.mark.parametrize(
    "given", [each for each in CASES if each.item in FIVE], ids=lambda each: f"{each.item} {each.about}"
)
def test_the_cases_of_the_slow_detectors(given: Case, tmp_path: Path) -> None:
    write_case(tmp_path, given)
    seen = look_at(tmp_path, given.item)
    (item,) = seen.items
    assert (item.status, item.exercised) == (
        "failed" if given.where else "verified",
        audit(tmp_path, [given.item])[given.item].exercised,
    )
    places = {place for finding in seen.findings for place in finding.location.replace(",", " ").split()}
    assert set(given.where.split()) <= places


# --- markouts ---------------------------------------------------------------------------------------------------------


def held_against(folder: Path, symbol: str, against: str, settings: str = "", **given: tuple[str, ...]) -> Markouts:
    write_case(folder, Case("", "", "", settings, given))
    return markouts(open_session(folder), symbol, (1, 10), against=against)


def test_markouts_of_both_sides_net_of_fees_and_rebates(tmp_path: Path) -> None:
    # at 1 s: (101 - 100) x 2 - 0.1 = 1.9 of 200, 95 bps; sold: (103 - 101) x 1 + 0.05 = 2.05 of 103
    # at 10 s: (98 - 100) x 2 - 0.1 = -4.1; (103 - 98) x 1 + 0.05 = 5.05
    seen = held_against(
        tmp_path, "X", "mark", fills=("0 a buy 2 100 fee=0.1", "0 b sell 1 103 fee=-0.05", "0 a buy 2 100 fee=0.1"),
        marks=("0 100", "1000 101", "1001 99", "9000 98", "59000 97"),
    )  # fmt: skip
    assert seen.net(1) == [Fraction("1.9"), Fraction("2.05")]
    assert seen.net(10) == [Fraction("-4.1"), Fraction("5.05")]
    assert seen.notional == [200, 103] and seen.direction.tolist() == [1, -1]
    assert (seen.bps(1), seen.bps(1, [0])) == (Fraction("3.95") / 303 * 10_000, 95)


def test_markouts_of_an_inverse_contract_are_in_coin(tmp_path: Path) -> None:
    # 50 contracts of 100 USD: (1/20000 - 1/25000) x 5000 = 0.05 less 0.001, of 0.25; at 10 s back at 20000
    seen = held_against(
        tmp_path, "I", "mark", fills=("0 a buy 50 20000 symbol=I fee=0.001 fee_asset=BTC",),
        marks=("1 25000 symbol=I", "2000 20000 symbol=I"),
    )  # fmt: skip
    assert (seen.net(1), seen.net(10), seen.notional) == ([Fraction("0.049")], [Fraction("-0.001")], [Fraction("0.25")])


def test_markouts_against_the_mid_without_odd_lots_and_against_trades(tmp_path: Path) -> None:
    book = ("1 1 snapshot bid 99 5", "1 1 snapshot ask 101 5", "1 1 snapshot bid 100.8 1")
    odd_lots = '[conventions]\nmid_min_qty = "2"\n'
    trades = [f"{START + ms * 10**6},{START + ms * 10**6},X,{price},1" for ms, price in ((5, 98), (1500, 97))]
    (tmp_path / "trades.csv").write_text(
        "\n".join(["ts_exchange,ts_local,symbol,price,qty", *trades]), encoding="utf-8"
    )
    given = {"fills": ("0 a sell 1 99",), "book": book}
    assert held_against(tmp_path, "X", "mid", odd_lots, **given).net(1) == [-1]  # 99 - (99 + 101) / 2
    assert held_against(tmp_path, "X", "trade", **given).net(1) == [1]  # 99 - 98


def test_a_fill_without_a_price_then_has_no_markout(tmp_path: Path) -> None:
    # the session ends at 60 s: ten seconds after the second fill it is over; before the first mark there is no price
    seen = held_against(tmp_path, "X", "mark", fills=("0 a buy 1 100", "55000 b buy 1 100"), marks=("5000 101",))
    assert (seen.net(1), seen.net(10)) == ([None, 1], [1, None])
    assert (seen.bps(10), seen.bps(10, [1])) == (100, None)


def test_the_error_of_a_mean_is_that_of_money_over_notional(tmp_path: Path) -> None:
    # 1 and 3 on 100 each are 200 bps; off by -1 and +1: the root of 2 / 1 x (1 + 1), 2, over 200 is 100 bps
    fills = ("0 a buy 1 100", "1000 b sell 1 100")
    seen = held_against(tmp_path, "X", "mark", fills=fills, marks=("5 101", "1500 97"))
    assert (seen.net(1), seen.bps(1), seen.error_bps(1)) == ([1, 3], 200, 100.0)
    assert seen.error_bps(1, [0]) is None


def test_what_was_restated_has_no_markout(tmp_path: Path) -> None:
    fills = ("0 a buy 1 100", "1 b buy 1 100", "2 c buy 1 90 kind=correction of=a", "3 d buy 1 100")
    seen = held_against(tmp_path, "X", "mark", fills=fills, marks=("0 101",))
    assert (seen.rows.tolist(), seen.left_out) == ([1, 3], 1)


def test_a_reference_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'last' is not known; should be one of mid, mark, trade"):
        held_against(tmp_path, "X", "last", fills=("0 a buy 1 100",))


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FIVE]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s2_3") and not each.item]
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
        seen = look_at(recording.folder, "2.3")
        assert (seen.findings, seen.errors) == ((), ())
        assert statuses(seen) == dict.fromkeys(FIVE, "verified")
        slow = {name: each.exercised for name, each in audit(recording.folder, FIVE).items()}
        quick = {item.id: item.exercised for item in seen.items}
        # a claim counts here once any fill was at another price than its order's, there if its own P&L differs by it
        assert slow["2.3.1"] <= quick.pop("2.3.1") < 1.2 * slow.pop("2.3.1")
        assert quick == slow


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    slow_to_plant = chosen.item == "2.3.4"
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, ["23-lifo"] if slow_to_plant else CHOSEN), "2.3", FIVE)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, CHOSEN), "2.3")
