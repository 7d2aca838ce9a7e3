"""Every diagnosis of section 1.3: a bot that makes the mistake, booked by a bookkeeper of the tests' own, is told so.

The numbers are such that one mistake alone gives them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from checks.hand_1_3 import (
    Deal,
    Row,
    bookkeep,
    changed,
    deals,
    fills,
    look,
    market,
    marks,
    pnl,
    printed,
    rates,
    table,
    worth,
    write,
)  # fmt: skip

pytestmark = pytest.mark.armed

LINEAR = changed(market("ETH-PERP"), symbol="X", multiplier="10")
INVERSE = changed(market("BTC-USD"), symbol="X", multiplier="100", settle="BTC")
SPOT = changed(market("BTC-USDT"), symbol="X")

# e2 comes twice and is corrected; e3 was done before e1 and came after e2.
STORY = """
    1000 X e1 buy  100 1 maker -0.1  USDT client_order_id=a
    1100 X e2 buy  104 3 maker -0.4  USDT client_order_id=a
    1200 X e3 buy  110 2 taker 0.7   USDT client_order_id=b ts_exchange=950
    1300 X e2 buy  104 3 maker -0.4  USDT client_order_id=a
    1400 X e4 sell 120 3 taker 1.1   USDT client_order_id=c
    1500 X e5 buy  103 2 maker -0.05 USDT client_order_id=a kind=correction correction_of=e2
    1600 X e6 sell 115 1 taker 0.3   USDT client_order_id=d
"""
FEES = Fraction("-0.1") + Fraction("-0.4") + Fraction("0.7") + Fraction("1.1") + Fraction("-0.05") + Fraction("0.3")
PAID = Fraction("0.1") + Fraction("0.4") + Fraction("0.7") + Fraction("1.1") + Fraction("0.05") + Fraction("0.3")
SENT = table("""
    ts_local symbol client_order_id event  side price
    900      X      a               submit buy  105
    900      X      b               submit buy  111
    900      X      c               submit sell 119
    900      X      d               submit sell 114
""")
FUNDING = table("""
    ts_exchange symbol rate amount asset
    1550        X      0    0.3    USDT
    1650        X      0    -0.8   USDT
""")
RIGHT = deals("+1@100 +2@103 +2@110 -3@120 -1@115")
ORDER_PRICES = deals("+1@105 +2@105 +2@111 -3@119 -1@114")
REPEATED = deals("+1@100 +2@103 +2@110 +3@104 -3@120 -1@115")
UNCORRECTED = deals("+1@100 +3@104 +2@110 -3@120 -1@115")
VENUE_ORDER = deals("+2@110 +1@100 +2@103 -3@120 -1@115")


def realized(trades: Iterable[Deal], **how: Any) -> Fraction:
    return bookkeep(trades, **{"multiplier": 10} | how)[0]


class Case(NamedTuple):
    """A claim that a mistake gives, where the conventions say otherwise."""

    cause: str
    claim: Fraction
    conventions: dict[str, str]
    tables: dict[str, list[Row]]


def case(cause: str, claim: Fraction | str, tables: dict[str, list[Row]] | None = None, **conventions: str) -> Case:
    return Case(cause, Fraction(claim), conventions, tables or {})


def inverse(text: str) -> dict[str, list[Row]]:
    return {"instruments": INVERSE, "fills": changed(fills(text), fee_asset="BTC", fee="0"), "funding": []}


TWICE = "1000 X e1 buy 100 2 maker 0 BTC\n1100 X e2 buy 125 3 maker 0 BTC\n1200 X e3 sell 150 4 maker 0 BTC"
TWO = deals("+2@100 +3@125 -4@150")
# 1 bought at 100 less 0.01 of fee in base, 1 at 110 less 0.02; 1.5 sold at 120
BASE_FEES = {
    "instruments": SPOT, "funding": [],
    "fills": fills("""
        1000 X e1 buy  100 1   taker 0.01 BTC
        1100 X e2 buy  110 1   taker 0.02 BTC
        1200 X e3 sell 120 1.5 maker 0    USDT"""),
}  # fmt: skip
# p in parts at 100 and 106 (1 and 2), then 1 at 118; 1 is sold at 120
PARTS = {
    "instruments": LINEAR, "funding": [],
    "fills": fills("""
        1000 X e1 buy  100 1 maker 0 USDT client_order_id=p
        1100 X e2 buy  106 2 maker 0 USDT client_order_id=p
        1150 X e2 buy  106 2 maker 0 USDT client_order_id=p
        1170 X e3 buy  118 1 maker 0 USDT client_order_id=r
        1200 X e4 sell 120 1 maker 0 USDT client_order_id=q"""),
}  # fmt: skip
NET = realized(RIGHT) - FEES

REALIZED = [
    case("the order's price was used in place of the fill's", realized(ORDER_PRICES)),
    case("average cost was used", realized(RIGHT, basis="average")),
    case("FIFO was used", realized(RIGHT), cost_basis="lifo"),
    case("LIFO was used", realized(RIGHT, basis="lifo")),
    case("LIFO was used", realized(RIGHT, basis="lifo"), cost_basis="average"),
    case("the contract multiplier was left out", realized(RIGHT, multiplier=1)),
    case("repeated execution reports were counted again", realized(REPEATED, basis="lifo"), cost_basis="lifo"),
    case("corrections and busts were ignored", realized(UNCORRECTED)),
    case("fills were matched in the venue's order of time", realized(VENUE_ORDER)),
    # (1/112.5 - 1/150) x 3 x 100 in place of the harmonic 5 / (2/100 + 3/125) = 113.63...; the arithmetic one is 115
    case(
        "the entry of an inverse contract was averaged arithmetically, where it is harmonic",
        realized(TWO, basis="average", kind="inverse", entry_kind="linear", multiplier=100),
        inverse(TWICE),
        cost_basis="average",
        currency="BTC",
    ),
    case(
        "the linear formula was used on an inverse contract",
        realized(TWO, multiplier=100),
        inverse(TWICE),
        currency="BTC",
    ),
    # 0.99 x 20 + 0.51 x 10 = 24.9 is right; with all of 1 at 100: 20 + 0.5 x 10 = 25
    case("the fee in the base asset was not taken off the position", "25", BASE_FEES),
    # (100 + 106) / 2 = 103: 17 x 10; by quantity 312 / 3 = 104: 16 x 10; right is 20 x 10
    case("the fills of an order were averaged without their quantities", "170", PARTS),
    case("the fills of an order were merged into one at their average price", "160", PARTS),
    case("fees were taken off", NET),
    case("fees were not taken off", realized(RIGHT), realized="net"),
    case("funding was counted in", realized(RIGHT) + Fraction("0.3")),
    case("rebates were taken as costs", realized(RIGHT) - PAID, realized="net"),
    case("the sign was turned", -realized(RIGHT)),
    case("the last fill was left out", realized(RIGHT[:-1])),
    case("average cost was used, and fees were taken off", realized(RIGHT, basis="average") - FEES),
    case(
        "the contract multiplier was left out, and fees were not taken off",
        realized(RIGHT, multiplier=1),
        realized="net",
    ),
]


def told(tmp_path: Path, it: Case, check: str, claims: list[Row], **tables: list[Row]) -> list[str]:
    """Return the causes that the findings of a check name."""
    currency = it.conventions.get("currency", "USDT")
    conventions = {name: word for name, word in it.conventions.items() if name != "currency"}
    given = {"instruments": LINEAR, "fills": fills(STORY), "funding": FUNDING, "order_events": SENT, "pnl": claims}
    tables = given | tables | it.tables
    tables |= {"fills": [row | {"fee": f"{Decimal(row['fee']):.8f}"} for row in tables["fills"]]}
    folder = write(
        tmp_path / "bot", {name: rows for name, rows in tables.items() if rows}, currency=currency, **conventions
    )
    seen = look(folder, "1.3")
    assert not seen.errors
    return [f.cause for f in seen.findings if f.check == check]


def ids(it: Case) -> str:
    return it.cause


@pytest.mark.parametrize("it", REALIZED, ids=ids)
def test_a_mistake_in_realized_is_named(tmp_path: Path, it: Case) -> None:
    assert told(tmp_path, it, "realized_pnl", pnl(f"2000 X {printed(it.claim)} - - - -")) == [it.cause]


PRICES = marks("""
    1700 X 121 122 123
    1900 X 125 127 128
    2100 X 131 132 133
""")
BOOK = [
    {"ts_exchange": row["ts_local"]} | row
    for row in table("""
        ts_local symbol seq kind     side price qty
        100      X      1   snapshot bid  129   5
        100      X      1   snapshot ask  131.5 5""")
]


def open_worth(price: str, trades: Iterable[Deal] = RIGHT, *, multiplier: int = 10, **how: Any) -> Fraction:
    return worth(bookkeep(trades, **how)[1], Fraction(price), multiplier=multiplier, kind=how.get("kind", "linear"))


UNREALIZED = [
    case("the index price was used", open_worth("127")),
    case("the last price was used", open_worth("128")),
    case("the mid price was used", open_worth("130.25")),
    case("the exit price was used", open_worth("129")),
    case("the mark price was used", open_worth("125"), unrealized_price="index"),
    case("the mark price was used", open_worth("125"), unrealized_price="mid"),
    case("the mark of after the claim was used", open_worth("131")),
    case("the mark before the last known was used", open_worth("121")),
    case("the index of after the claim was used", open_worth("132"), unrealized_price="index"),
    case("the sign was turned", -open_worth("125")),
    case("the order's price was used in place of the fill's", open_worth("125", ORDER_PRICES)),
    case("average cost was used", open_worth("125", basis="average")),
    case("FIFO was used", open_worth("125"), cost_basis="lifo"),
    case("LIFO was used", open_worth("125", basis="lifo")),
    case("the contract multiplier was left out", open_worth("125", multiplier=1)),
    case("repeated execution reports were counted again", open_worth("125", REPEATED)),
    case("corrections and busts were ignored", open_worth("125", UNCORRECTED)),
    case("fills were matched in the venue's order of time", open_worth("125", VENUE_ORDER)),
    # 0.48 of e2 at 110 are right, 15 x 0.47 = 7.05...; without the fees in base 0.5
    case("the fee in the base asset was not taken off the position", "7.5", BASE_FEES),
    case("the price beside it was used, which is not of the stated type", open_worth("141")),
    # 1 at 125 is open, at a mark of 160; its arithmetic average is 115
    case(
        "the linear formula was used on an inverse contract",
        worth(bookkeep(TWO)[1], Fraction(160), multiplier=100),
        inverse(TWICE) | {"marks": marks("500 X 160 161 162")},
        currency="BTC",
    ),
    case(
        "the entry of an inverse contract was averaged arithmetically, where it is harmonic",
        worth(deals("+1@115"), Fraction(160), kind="inverse", multiplier=100),
        inverse(TWICE) | {"marks": marks("500 X 160 161 162")},
        cost_basis="average",
        currency="BTC",
    ),
    case("fees were taken off it", open_worth("125") - FEES),
]


@pytest.mark.parametrize("it", UNREALIZED, ids=ids)
def test_a_mistake_in_unrealized_is_named(tmp_path: Path, it: Case) -> None:
    claims = pnl(f"2000 X - {printed(it.claim)} - - - price=141")
    assert told(tmp_path, it, "unrealized_pnl", claims, marks=PRICES, book=BOOK) == [it.cause]


# Fees of two kinds more: 0.002 BNB at 500 = 1; and on a spot market 0.01 BTC at 110 = 1.1
THIRD = {"rates": rates("500 BNB USDT 500"), "fills": fills(STORY) + fills("1700 X e7 sell 116 0.5 taker 0.002 BNB")}
IN_BASE = {"instruments": SPOT, "rates": [],
           "fills": fills(STORY + """
               1700 X e7 buy  110 0.5 taker 0.01 BTC
               1800 X e8 sell 110 0.5 taker 0.07 USDT""")}  # fmt: skip
FEE_CLAIMS = [
    case("rebates were left out", Fraction("0.7") + Fraction("1.1") + Fraction("0.3")),
    case("rebates were taken as costs", PAID),
    case("the sign was turned", -FEES),
    case("fees in a third asset were left out", FEES, THIRD),
    case("fees in a third asset were added unconverted", FEES + Fraction("0.002"), THIRD),
    case("fees in the base asset were left out", FEES + Fraction("0.07"), IN_BASE),
    case("fees in the base asset were added unconverted", FEES + Fraction("0.08"), IN_BASE),
    case("fees were left out altogether", "0"),
    case("the last fee was left out", FEES - Fraction("0.3")),
    case("repeated execution reports were charged again", FEES - Fraction("0.4")),
    case("the fee changes of corrections were ignored", FEES + Fraction("0.05")),
]


@pytest.mark.parametrize("it", FEE_CLAIMS, ids=ids)
def test_a_mistake_in_fees_is_named(tmp_path: Path, it: Case) -> None:
    assert told(tmp_path, it, "fees_claim", pnl(f"2000 X - - {printed(it.claim)} - -")) == [it.cause]


CHARGED = [
    # 100 x 2 x 10 = 2000; maker -0.0001: -0.2, taker 0.0005: 1
    ("the sign was turned: a rebate booked as a cost, or a cost as a rebate", "0.200"),
    ("the rate of the other liquidity was charged: taker for maker, or maker for taker", "1.000"),
    ("", "0.300"),
]


@pytest.mark.parametrize(("cause", "fee"), CHARGED)
def test_a_mistake_in_a_fee_is_named(tmp_path: Path, cause: str, fee: str) -> None:
    tables = {"instruments": changed(LINEAR, maker_fee="-0.0001", taker_fee="0.0005"),
              "fills": fills(f"1000 X e1 buy 100 2 maker {fee} USDT")}  # fmt: skip
    assert told(tmp_path, case(cause, "0", tables), "fee_rate", []) == [cause]


@pytest.mark.parametrize(
    "it",
    [
        case("the sign was turned", "0.5"),
        case("funding was left out", "0"),
        case("funding received was left out", "-0.8"),
        case("funding paid was left out", "0.3"),
        case("funding paid was taken as received", "1.1"),
    ],
    ids=ids,
)
def test_a_mistake_in_funding_is_named(tmp_path: Path, it: Case) -> None:
    assert told(tmp_path, it, "funding_claim", pnl(f"2000 X - - - {printed(it.claim)} -")) == [it.cause]


# realized 100, unrealized 20, fees 3, funding 0.7: 117.7 is right, 120.7 where realized is net of fees
TOTALS = [
    case("funding was left out", "117"),
    case("funding was counted with its sign turned", "116.3"),
    case("fees were left out", "120.7"),
    case("fees were counted with their sign turned", "123.7"),
    case("fees were counted twice", "114.7"),
    case("fees were taken off realized P&L that is net of them", "117.7", realized="net"),
    case("funding was counted twice", "118.4"),
    case("unrealized P&L was left out", "97.7"),
    case("realized P&L was left out", "17.7"),
    case("fees and funding were left out", "120"),
]


@pytest.mark.parametrize("it", TOTALS, ids=ids)
def test_a_mistake_in_a_total_is_named(tmp_path: Path, it: Case) -> None:
    assert told(tmp_path, it, "total_claim", pnl(f"2000 X 100.0000 20.0000 3.0000 0.7000 {printed(it.claim)}")) == [
        it.cause
    ]


# 10 USDT of X, 0.001 BTC of Y at 50000 = 50 USDT, 7 USDT of Z: 67
SUMS = [
    case("the amounts were added without converting them", "17.001"),
    case("X was left out", "57"),
    case("Y was left out", "17"),
    case("Z was left out", "60"),
    case("the sign was turned", "-67"),
    case("X was counted twice", "77"),
    case("Y was counted twice", "117"),
]


@pytest.mark.parametrize("column", ["realized", "unrealized", "fees", "funding", "total"])
@pytest.mark.parametrize("it", SUMS, ids=ids)
def test_a_mistake_in_a_sum_is_named(tmp_path: Path, it: Case, column: str) -> None:
    amounts = {"X": "10", "Y": "0.00100000", "Z": "7", "*": printed(it.claim)}
    claims = [
        {
            "ts_local": "2010" if symbol == "*" else "2000",
            "symbol": symbol,
            column: amount,
            "currency": "BTC" if symbol == "Y" else "USDT",
        }
        for symbol, amount in amounts.items()
    ]
    tables = {
        "instruments": LINEAR + changed(LINEAR, symbol="Y") + changed(LINEAR, symbol="Z"),
        "rates": rates("500 BTC USDT 50000"),
    }
    bare = it.cause == "the amounts were added without converting them"
    assert told(tmp_path, it, "all_symbols_row", claims, **tables) == [it.cause]
    assert told(tmp_path, it, "currencies_added", claims, **tables) == [it.cause] * bare


# 4 EUR at 1.25, haircut 0.1: 4 x 1.25 x 0.9 = 4.5; owed 4: -5
BALANCES = [
    ("the haircut was left out", "4", "5."),
    ("the haircut was taken off a negative total", "-4", "-4.5"),
    ("the total was not converted", "4", "4."),
    ("the total was not converted", "-4", "-4."),
    ("the total was not converted, the haircut taken off", "4", "3.6"),
    ("the rate was applied the wrong way round", "4", "2.88"),
    ("the rate was applied the wrong way round", "-4", "-3.2"),
    ("the haircut was multiplied by, not taken off", "4", "0.5"),
    ("the haircut was taken off twice", "4", "4.05"),
    # 1.5 came after the claim: 4 x 1.5 x 0.9 = 5.4; 1.2 was before: 4.32
    ("a rate of after the claim was used", "4", "5.4"),
    ("an older rate was used", "4", "4.32"),
]


@pytest.mark.parametrize(("cause", "total", "value"), BALANCES)
def test_a_mistake_in_a_balance_is_named(tmp_path: Path, cause: str, total: str, value: str) -> None:
    balances = table(f"ts_local asset total haircut value currency source\n2000 EUR {total} 0.1 {value}00000 USDT bot")
    seen = told(tmp_path, case(cause, "0"), "balance_value", [], balances=balances,
                rates=rates("500 EUR USDT 1.2\n1000 EUR USDT 1.25\n3000 EUR USDT 1.5"))  # fmt: skip
    assert seen == [cause]


@pytest.mark.parametrize(
    ("cause", "claim"),
    [
        ("the fills of an order were averaged without their quantities", "170"),
        ("the fills of an order were merged into one at their average price", "160"),
    ],
)
def test_a_profit_that_depends_on_grouping_is_named(tmp_path: Path, cause: str, claim: str) -> None:
    assert told(tmp_path, case(cause, claim, PARTS), "grouping", pnl(f"2000 X {claim} - - - -")) == [cause]
