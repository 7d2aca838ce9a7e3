"""Cases of realized_pnl, unrealized_pnl, notional, fee, funding, convert, exposure and liquidation_price."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import arithmetic
from corpus import EXACT, HAND, Group, Numbers, rounded, text

BASES = ("fifo", "lifo", "average")


def fills(line: str) -> list[list[str]]:
    """Read 'B 2@100 S 1@101' as fills (side, price, qty)."""
    tokens = line.split()
    sides = {"B": "buy", "S": "sell"}
    return [[sides[side], *reversed(trade.split("@"))] for side, trade in zip(tokens[::2], tokens[1::2], strict=True)]


#: (comment, flags, fills, realized by fifo, lifo, average) of a linear contract of multiplier 1.
LINEAR: list[tuple[str, str, str, str, str, str]] = [
    ("bought and sold", "Worked", "B 2@100 S 2@101.5", "3", "3", "3"),
    ("sold and bought back", "ShortSide", "S 2@101.5 B 2@100", "3", "3", "3"),
    ("a loss", "Worked", "B 100@0.67 S 100@0.65", "-2", "-2", "-2"),
    ("a short that loses", "ShortSide", "S 1@100 B 1@110", "-10", "-10", "-10"),
    ("nothing closed: nothing realized", "Worked", "B 2@100 B 3@101", "0", "0", "0"),
    ("a short that is still open: nothing realized", "ShortSide", "S 2@100 S 3@101", "0", "0", "0"),
    ("part of a lot", "PartialFill", "B 10@100 S 4@101", "4", "4", "4"),
    ("one lot in two parts", "PartialFill", "B 10@100 S 4@101 S 6@102", "16", "16", "16"),
    ("the oldest or the newest lot", "LotOrder", "B 1@100 B 1@110 S 1@120", "20", "10", "15"),
    ("the oldest or the newest lot, short", "LotOrder ShortSide", "S 1@120 S 1@110 B 1@100", "20", "10", "15"),
    ("a sale over two lots", "LotOrder", "B 1@100 B 1@104 B 1@108 S 2@110", "16", "8", "12"),
    ("all lots gone: the cost basis no longer matters", "LotOrder", "B 1@100 B 1@104 B 1@109 S 3@110", "17", "17", "17"),
    ("adding after a partial close: averaged on what is left", "LotOrder PartialFill", "B 2@100 S 1@104 B 1@110 S 1@110", "14", "4", "9"),
    ("long 2 to short 1: the surplus opens at the fill's price", "FlipThroughZero", "B 2@100 S 3@103 B 1@101", "8", "8", "8"),
    ("short 2 to long 1", "FlipThroughZero ShortSide", "S 2@103 B 3@100 S 1@105", "11", "11", "11"),
    ("flips twice", "FlipThroughZero", "B 1@100 S 2@110 B 2@105 S 1@108", "18", "18", "18"),
    ("a flip closes several lots", "FlipThroughZero LotOrder", "B 1@100 B 1@104 S 5@106 B 3@105", "11", "11", "11"),
    ("long 1, sell 3: short 2 is open, only 1 is realized", "FlipThroughZero", "B 1@100 S 3@90", "-10", "-10", "-10"),
    ("flat, then a new cycle at its own price", "Reopened", "B 1@100 S 1@90 B 1@50 S 1@60", "0", "0", "0"),
    ("flat exactly: 0.1 + 0.2 - 0.3", "BinaryNoise Dust", "B 0.1@100 B 0.2@100 S 0.3@110 S 1@50 B 1@40", "13", "13", "13"),
    ("a remainder of one satoshi", "Dust", "B 1@100 S 0.99999999@101 S 0.00000001@101", "1", "1", "1"),
    ("sells at its own price: nothing", "Worked", "B 3@7 S 3@7", "0", "0", "0"),
    ("four parts of one fill are the fill", "PartialFill Duplicate", "B 4@100 S 1@101 S 1@101 S 1@101 S 1@101", "4", "4", "4"),
    ("prices of 8 digits", "SmallPrice", "B 508@0.00003932 S 508@0.00003933", "0.00000508", "0.00000508", "0.00000508"),
    ("large and small together", "Magnitude", "B 1000000000@95000.5 S 1000000000@95000.50000001", "10", "10", "10"),
    ("17 digits of price", "LongDigits", "B 3@123456789.12345678 S 3@123456789.12345679", "0.00000003", "0.00000003", "0.00000003"),
    ("a hair above entry: the difference of large numbers", "Cancellation", "B 1@100000.0001 S 1@100000.0002", "0.0001", "0.0001", "0.0001"),
    ("an average that does not end", "Repeating", "B 1@100 B 2@101 S 1@103", "3", "2", "7/3"),
    ("an average that does not end, closed whole", "Repeating", "B 1@100 B 2@101 S 3@103", "7", "7", "7"),
    ("interleaved, four decimals", "LotOrder", "B 12@0.5 B 17@0.4 S 9@0.6 B 3@0.3 S 4@0.7", "1.8", "3.3", "8457/3335"),
]
#: The same of an inverse contract.
INVERSE: list[tuple[str, str, str, str, str, str]] = [
    ("1/5000 - 1/8000, of 1000", "Inverse", "B 1000@5000 S 1000@8000", "0.075", "0.075", "0.075"),
    ("a short wins as the price falls", "Inverse ShortSide", "S 1000@8000 B 1000@5000", "0.075", "0.075", "0.075"),
    ("a short loses as the price rises", "Inverse ShortSide", "S 1000@5000 B 1000@8000", "-0.075", "-0.075", "-0.075"),
    ("as a linear contract it would be 3000000", "Inverse", "B 1000@5000 S 500@10000", "0.05", "0.05", "0.05"),
    ("nothing closed", "Inverse", "B 1000@5000", "0", "0", "0"),
    ("the mean is harmonic: 5625, not 5666.67", "Inverse HarmonicAverage", "B 1000@5000 B 2000@6000 S 3000@5625", "0", "0", "0"),
    ("two lots, one closed", "Inverse LotOrder", "B 100@100 B 100@200 S 100@400", "0.75", "0.25", "0.5"),
    ("two lots, one closed, short", "Inverse LotOrder ShortSide", "S 100@400 S 100@200 B 100@100", "0.75", "0.5", "0.625"),
    ("long to short", "Inverse FlipThroughZero", "B 100@100 S 300@200 B 200@400", "0", "0", "0"),
    ("short to long", "Inverse FlipThroughZero ShortSide", "S 100@200 B 200@100 S 100@200", "1", "1", "1"),
    ("does not end: 1/3", "Inverse Repeating", "B 1000@1500 S 1000@3000", "1/3", "1/3", "1/3"),
    ("a satoshi of difference", "Inverse Cancellation", "B 100@50000 S 100@50001", "1/25000500", "1/25000500", "1/25000500"),
]
PUBLISHED: list[tuple[str, str, str, str, str, str, str, str]] = [
    # source, comment, flags, kind, cost basis, multiplier, fills, realized
    ("docs.recap.io cost-basis-methods", "FIFO, printed as 2000", "LotOrder", "linear", "fifo", "1", "B 1@2000 B 2@2500 B 1@8000 S 1@4000", "2000"),
    ("bydfi answers page (FIFO/LIFO)", "LIFO, printed as 5000", "LotOrder", "linear", "lifo", "1", "B 1@10000 B 1@15000 S 1@20000", "5000"),
    ("bydfi answers page (FIFO/LIFO)", "LIFO, part of a lot, printed as 5000", "LotOrder PartialFill", "linear", "lifo", "1", "B 10@500 B 10@1000 S 5@2000", "5000"),
    ("nautilus_trader a95c804, test_position.py, long with several filled orders", "printed as 11.0", "LotOrder", "linear", "average", "1", "B 100000@1.0 B 100000@1.00001 S 200000@1.0001", "19"),
    ("nautilus_trader a95c804, test_position.py, short position winning", "printed as 1116.5", "ShortSide", "linear", "average", "1", "S 10.15@10500 B 10.15@10390", "1116.5"),
    ("nautilus_trader a95c804, test_position.py, long to short", "16.25 and -8.00 printed are net of fees", "FlipThroughZero", "linear", "average", "1", "B 100000@0.75 S 150000@0.7502 B 50000@0.7503", "15"),
    ("bitmex.com perpetual contracts guide", "printed as 1.25 XBT", "Inverse", "inverse", "fifo", "1", "B 15000@750 S 15000@800", "1.25"),
    ("support.kraken.com 360022835511", "printed as 0.42857 (5 digits)", "Inverse Repeating", "inverse", "fifo", "1", "B 10000@2500 S 10000@2800", "3/7"),
    ("support.kraken.com 360022835511", "printed as 25000", "Worked", "linear", "fifo", "1", "B 5@35000 S 5@40000", "25000"),
    ("nautilus_trader a95c804, test_position.py, inverse 1", "printed as -0.90909091 (8 digits)", "Inverse ShortSide", "inverse", "average", "1", "S 100000@10000 B 100000@11000", "-10/11"),
    ("basefex.com/docs/profit-and-loss", "printed as 0.17 (2 digits)", "Inverse Repeating", "inverse", "fifo", "1", "B 500@1000 S 500@1500", "1/6"),
    ("help.bybit.com 900000404726", "the mean of 1000 at 5000 and 2000 at 6000 is printed as 5625: closed there, nothing", "Inverse HarmonicAverage", "inverse", "average", "1", "B 1000@5000 B 2000@6000 S 3000@5625", "0"),
    ("hummingbot#3405: reported +2.00", "right: -2.00", "SignOfPnl", "linear", "average", "1", "B 100@0.67 S 100@0.65", "-2"),
    ("gateio/gateapi-js#4: 100 contracts of 0.0001 BTC, 9000 to 9100, reported as 10000", "right: 1.00", "Multiplier", "linear", "fifo", "0.0001", "B 100@9000 S 100@9100", "1"),
    ("jesse-ai/jesse#574: filled at 100.2, booked at the cap of 105 as -50.0", "right: -2.0", "ShortSide", "linear", "fifo", "1", "S 10@100.0 B 10@100.2", "-2"),
]


def realized_pnl() -> list[Group]:
    groups: list[Group] = []

    def group(source: str, cost_basis: str, kind: str, multiplier: str) -> Group:
        groups.append(Group({"cost_basis": cost_basis, "kind": kind, "multiplier": multiplier}, source))
        return groups[-1]

    def terms(where: Group, given: list[list[str]]) -> F | None:
        size = arithmetic.ledger(given, **where.params).terms
        return rounded(size, 3) if size else None

    for kind, table in (("linear", LINEAR), ("inverse", INVERSE)):
        for place, basis in enumerate(BASES):
            where = group(HAND, basis, kind, "1")
            for comment, flags, line, *answers in table:
                where.add(f"{comment}, {basis}", flags, F(answers[place]), terms(where, fills(line)), fills=fills(line))
            where.either("no fills: nothing realized, or refused", "Empty", ["0", None], fills=[])
    for source, comment, flags, kind, basis, multiplier, line, answer in PUBLISHED:
        where = group(source, basis, kind, multiplier)
        where.add(comment, flags, F(answer), terms(where, fills(line)), fills=fills(line))
    for kind, multiplier, line, answer in [
        ("linear", "10", "B 2@100 S 2@101.5", "30"),
        ("linear", "0.001", "S 5@20000 B 5@19000", "5"),
        ("inverse", "100", "B 10@5000 S 10@8000", "0.075"),
        ("inverse", "10", "S 7@2000 B 7@1000", "0.035"),
        ("quanto", "0.0001", "B 1000@500 S 1000@510", "1"),
        ("spot", "1", "B 1@10000 S 1@10100", "100"),
    ]:
        where = group(HAND, "fifo", kind, multiplier)
        where.add(f"{kind}, multiplier {multiplier}", "Multiplier", answer, terms(where, fills(line)), fills=fills(line))

    hostile = group(HAND, "fifo", "linear", "1")
    for comment, flag, given in [
        ("a price of 0 on the way out", "ZeroPrice", [["buy", "100", "1"], ["sell", "0", "1"]]),
        ("a price of 0 on the way in", "ZeroPrice", [["buy", "0", "1"], ["sell", "100", "1"]]),
        ("a negative price", "NegativePrice", [["buy", "100", "1"], ["sell", "-1", "1"]]),
        ("a negative quantity is no sale", "NegativeQty", [["buy", "100", "1"], ["buy", "110", "-1"]]),
        ("a quantity NaN", "NaN", [["buy", "100", "NaN"], ["sell", "101", "1"]]),
        ("a price NaN", "NaN", [["buy", "NaN", "1"], ["sell", "101", "1"]]),
        ("a price NaN in a fill that only opens", "NaN", [["buy", "100", "1"], ["sell", "101", "1"], ["buy", "NaN", "1"]]),
        ("an unknown side", "UnknownSide", [["buy", "100", "1"], ["close", "101", "1"]]),
        ("an empty side", "UnknownSide", [["", "100", "1"], ["sell", "101", "1"]]),
    ]:
        hostile.refuse(comment, flag, fills=given)
    inverse = group(HAND, "average", "inverse", "1")
    inverse.refuse("a price of 0 on the way in: a division by 0", "ZeroPrice Inverse", fills=[["buy", "0", "1"], ["sell", "100", "1"]])
    inverse.refuse("a price of 0 on the way out", "ZeroPrice Inverse", fills=[["buy", "100", "1"], ["sell", "0", "1"]])
    good = fills("B 1@100 S 1@101")
    for basis, kind, multiplier, flag in [("hifo", "linear", "1", "UnknownConvention"), ("", "linear", "1", "UnknownConvention"), ("fifo", "option", "1", "UnknownConvention"), ("average", "", "1", "UnknownConvention"), ("fifo", "linear", "NaN", "NaN")]:
        group(HAND, basis, kind, multiplier).refuse(f"cost basis {basis!r}, kind {kind!r}, multiplier {multiplier}", flag, fills=good)

    numbers = Numbers(31)
    for kind in ("linear", "inverse"):
        for basis in BASES:
            computed = group(EXACT, basis, kind, "1")
            for number in range(7):
                base = numbers.between(50, 60000)
                given, net = [], 0
                flips = False
                for _ in range(numbers.between(4, 7)):
                    qty, side = numbers.between(1, 9), numbers.pick(["buy", "sell"])
                    after = net + (qty if side == "buy" else -qty)
                    flips |= net * after < 0
                    net = after
                    price = base + numbers.between(0, 20) if basis == "average" else base + numbers.decimal(0, 20, 2)
                    given.append([side, text(F(price)), str(qty)])
                flag = ("Inverse " if kind == "inverse" else "") + ("FlipThroughZero" if flips else "LotOrder")
                computed.add(f"drawn fills {number + 1}", flag, arithmetic.realized_pnl(given, **computed.params), terms(computed, given), fills=given)
    return groups


def unrealized_pnl() -> list[Group]:
    groups: list[Group] = []

    def group(source: str, kind: str, multiplier: str = "1") -> Group:
        groups.append(Group({"kind": kind, "multiplier": multiplier}, source))
        return groups[-1]

    def add(where: Group, comment: str, flags: str, expected: Any, qty: str, avg_px: str, price: str) -> None:
        unit = 1 / F(avg_px) + 1 / F(price) if where.params["kind"] == "inverse" else F(avg_px) + F(price)
        size = rounded(unit * abs(F(qty)) * F(where.params["multiplier"]), 3)
        where.add(comment, flags, F(expected), size or None, qty=qty, avg_px=avg_px, price=price)

    linear, inverse = group(HAND, "linear"), group(HAND, "inverse")
    for comment, flags, expected, qty, avg_px, price in [
        ("long, the price above entry", "Worked", "2.5", "2", "100.25", "101.5"),
        ("long, the price below entry", "Worked", "-2.5", "2", "101.5", "100.25"),
        ("short, the price below entry: a gain", "ShortSide", "2.5", "-2", "101.5", "100.25"),
        ("short, the price above entry: a loss", "ShortSide", "-2.5", "-2", "100.25", "101.5"),
        ("at entry: nothing", "Worked", "0", "7", "100", "100"),
        ("short at entry: nothing", "ShortSide", "0", "-7", "100", "100"),
        ("flat: 0, whatever the entry", "Flat", "0", "0", "100", "250"),
        ("one satoshi of position", "Dust", "0.0000005", "0.00000001", "100", "150"),
        ("binary floats: 100.2 - 100.1", "BinaryNoise", "0.1", "1", "100.1", "100.2"),
        ("a hair of difference on a high price", "Cancellation", "0.0001", "1", "100000.0001", "100000.0002"),
        ("prices of 8 digits", "SmallPrice", "0.00000508", "508", "0.00003932", "0.00003933"),
        ("17 digits of price", "LongDigits", "-0.00000003", "-3", "123456789.12345678", "123456789.12345679"),
        ("10^9 of position", "Magnitude", "500000000", "1000000000", "95000", "95000.5"),
        ("flipped to short 2 at 100, marked at 90: a gain of 20 (nautilus_trader#60 said -20)", "ShortSide", "20", "-2", "100", "90"),
        ("entry 61.260, market 61.713, 207: 93.771, not 503.838 (Lean#3186)", "Worked", "93.771", "207", "61.260", "61.713"),
    ]:
        add(linear, comment, flags, expected, qty, avg_px, price)
    linear.either("flat, and no entry price at all: 0, or refused", "Flat", ["0", None], qty="0", avg_px=None, price="100")
    linear.either("flat, the entry price left at 0: 0, or refused", "Flat ZeroPrice", ["0", None], qty="0", avg_px="0", price="100")
    for comment, flags, expected, qty, avg_px, price in [
        ("1/5000 - 1/8000, of 1000", "Inverse", "0.075", "1000", "5000", "8000"),
        ("the same down: the loss is larger", "Inverse", "-0.3", "1000", "5000", "2000"),
        ("short, the price falls: a gain", "Inverse ShortSide", "0.3", "-1000", "5000", "2000"),
        ("short, the price rises: a loss, never more than the entry's value", "Inverse ShortSide", "-0.199", "-1000", "5000", "1000000"),
        ("at entry: nothing", "Inverse", "0", "1000", "5000", "5000"),
        ("flat", "Inverse Flat", "0", "0", "5000", "8000"),
        ("does not end", "Inverse Repeating", "1/3", "1000", "1500", "3000"),
        ("a tick at a high price", "Inverse Cancellation", F(1, 10000100000), "1", "100000", "100001"),
        ("the harmonic mean of two entries", "Inverse HarmonicAverage", "0.4", "3000", "5625", "22500"),
    ]:
        add(inverse, comment, flags, expected, qty, avg_px, price)
    for kind, multiplier, expected, qty, avg_px, price in [("linear", "0.001", "-5", "5", "20000", "19000"), ("linear", "10", "50", "-5", "100", "99"), ("inverse", "100", "0.075", "10", "5000", "8000"), ("quanto", "0.0001", "1", "1000", "500", "510"), ("spot", "1", "100", "1", "10000", "10100")]:
        add(group(HAND, kind, multiplier), f"{kind}, multiplier {multiplier}", "Multiplier", expected, qty, avg_px, price)
    for source, comment, flags, kind, expected, qty, avg_px, price in [
        ("nautilus_trader a95c804, test_position.py, unrealized of a long inverse", "printed as 0.83238969 (8 digits)", "Inverse Repeating", "inverse", F(100000) * (1 / F("10500") - 1 / F("11505.6")), "100000", "10500", "11505.6"),
        ("nautilus_trader a95c804, test_position.py, inverse 3", "printed as 16666.66666667 (8 digits)", "Inverse Repeating", "inverse", F(50000, 3), "100000", "2.0", "3.0"),
        ("help.bybit.com 900000630066", "printed as 400", "ShortSide", "linear", "400", "-0.4", "6000", "5000"),
        ("support.flipster.io 7352962731663", "printed as -200", "Worked", "linear", "-200", "0.1", "30000", "28000"),
    ]:
        add(group(source, kind), comment, flags, expected, qty, avg_px, price)

    for kind in ("linear", "inverse"):
        hostile = group(HAND, kind)
        good = {"qty": "2", "avg_px": "100", "price": "101"}
        for name, value, flag in [("price", "0", "ZeroPrice"), ("avg_px", "0", "ZeroPrice"), ("price", "-101", "NegativePrice"), ("avg_px", "-100", "NegativePrice"), ("qty", "NaN", "NaN"), ("avg_px", "NaN", "NaN"), ("price", "NaN", "NaN")]:
            hostile.refuse(f"{kind}, {name} of {value}", flag, **{**good, name: value})
    group(HAND, "option").refuse("unknown kind", "UnknownConvention", qty="1", avg_px="100", price="101")
    group(HAND, "").refuse("empty kind", "UnknownConvention", qty="1", avg_px="100", price="101")

    numbers = Numbers(32)
    for kind in ("linear", "inverse"):
        computed = group(EXACT, kind)
        for number in range(10):
            entry = numbers.decimal(1, 70000, numbers.between(0, 4))
            price = entry + F(numbers.between(0, 900), 100)
            qty = numbers.decimal(-50, 50, 3)
            flag = ("Inverse " if kind == "inverse" else "") + ("ShortSide" if qty < 0 else "Flat" if qty == 0 else "Worked" if kind == "linear" else "")
            value = arithmetic.unrealized_pnl(text(qty), text(entry), text(price), **computed.params)
            add(computed, f"drawn position {number + 1}", flag.strip(), value, text(qty), text(entry), text(price))
    return groups


def notional() -> list[Group]:
    return _products("notional", "price", "qty", None, Numbers(33))


def fee() -> list[Group]:
    return _products("fee", "price", "qty", "rate", Numbers(34))


def funding() -> list[Group]:
    return _products("funding", "mark", "qty", "rate", Numbers(35))


#: (name, comment, flags, kind, multiplier, price, qty, rate, expected)
PRODUCTS: list[tuple[str, str, str, str, str, str, str, str, Any]] = [
    ("notional", "price x quantity", "Worked", "linear", "1", "100.5", "2", "", "201"),
    ("notional", "one contract", "Worked", "linear", "1", "61234.5", "1", "", "61234.5"),
    ("notional", "nothing", "Flat", "linear", "1", "100", "0", "", "0"),
    ("notional", "contracts of 0.001", "Multiplier", "linear", "0.001", "60000", "5", "", "300"),
    ("notional", "contracts of 10", "Multiplier", "linear", "10", "12.5", "4", "", "500"),
    ("notional", "binary floats: 0.1 x 3", "BinaryNoise", "linear", "1", "0.1", "3", "", "0.3"),
    ("notional", "binary floats: 1.1 x 1.1", "BinaryNoise", "linear", "1", "1.1", "1.1", "", "1.21"),
    ("notional", "binary floats: 4.35 x 100", "BinaryNoise", "linear", "1", "4.35", "100", "", "435"),
    ("notional", "int32 wraps at 2^31: 50000 x 50000", "Overflow", "linear", "1", "50000", "50000", "", "2500000000"),
    ("notional", "int32 of cents wraps: 65000.01 x 10000", "Overflow", "linear", "1", "65000.01", "10000", "", "650000100"),
    ("notional", "int64 of scaled price x scaled quantity wraps: 10^8 x 10^8 x 10^16", "Overflow Magnitude", "linear", "1", "100000000.00000001", "100000000.5", "", "10000000050000001.000000005"),
    ("notional", "2^53 is no limit", "Overflow LongDigits", "linear", "1", "9007199254740993", "3", "", "27021597764222979"),
    ("notional", "all units kept: 0.00000001 x 0.00000001", "Dust", "linear", "1", "0.00000001", "0.00000001", "", "0.0000000000000001"),
    ("notional", "a satoshi market", "SmallPrice", "linear", "1", "0.00003932", "508", "", "0.01997456"),
    ("notional", "contracts / price", "Inverse", "inverse", "1", "50000", "2500", "", "0.05"),
    ("notional", "contracts of 100 / price", "Inverse Multiplier", "inverse", "100", "50000", "25", "", "0.05"),
    ("notional", "does not end", "Inverse Repeating", "inverse", "1", "3", "100", "", F(100, 3)),
    ("notional", "nothing of an inverse contract", "Inverse Flat", "inverse", "1", "50000", "0", "", "0"),
    ("notional", "a low price makes a large notional", "Inverse Magnitude", "inverse", "1", "0.00001", "1", "", "100000"),
    ("notional", "spot", "Worked", "spot", "1", "10000", "0.25", "", "2500"),
    ("notional", "quanto: in the settlement coin", "Multiplier", "quanto", "0.000001", "500", "1000", "", "0.5"),
    ("fee", "taker 7 bp of 10000", "Worked", "linear", "1", "100", "100", "0.0007", "7"),
    ("fee", "maker 2 bp of 10000", "Worked", "linear", "1", "100", "100", "0.0002", "2"),
    ("fee", "a rebate is negative", "NegativeFee", "linear", "1", "100", "100", "-0.00025", "-2.5"),
    ("fee", "a rebate of an inverse contract", "NegativeFee Inverse", "inverse", "1", "10000", "100000", "-0.00025", "-0.0025"),
    ("fee", "no fee", "ZeroRate", "linear", "1", "100", "100", "0", "0"),
    ("fee", "no quantity, no fee", "Flat", "linear", "1", "100", "0", "0.0007", "0"),
    ("fee", "of the notional, not of the quantity", "Multiplier", "linear", "0.001", "60000", "5", "0.001", "0.3"),
    ("fee", "contracts / price x rate, in coin", "Inverse", "inverse", "1", "50000", "2500", "0.0004", "0.00002"),
    ("fee", "contracts of 100 / price x rate", "Inverse Multiplier", "inverse", "100", "50000", "25", "0.0004", "0.00002"),
    ("fee", "binary floats: 0.1 x 3 x 0.1", "BinaryNoise", "linear", "1", "0.1", "3", "0.1", "0.03"),
    ("fee", "binary floats: 1.1 x 1.1 x 0.001", "BinaryNoise", "linear", "1", "1.1", "1.1", "0.001", "0.00121"),
    ("fee", "a third of a basis point is kept", "SmallPrice", "linear", "1", "0.00003932", "508", "0.000033", "0.00000065916048"),
    ("fee", "dust: not rounded to 0", "Dust", "linear", "1", "0.00000001", "1", "0.0001", "0.000000000001"),
    ("fee", "a fee of 100 %", "Magnitude", "linear", "1", "100", "1", "1", "100"),
    ("fee", "not rounded to cents: 24.015", "HalfTick", "linear", "1", "0.8005", "1500000", "0.00002", "24.015"),
    ("fee", "a fraction, not percent and not basis points", "UnitOfRate", "linear", "1", "20000", "1", "0.001", "20"),
    ("fee", "int64 of three scaled numbers wraps", "Overflow", "linear", "1", "95000.12345678", "1000000.00000001", "0.00055", F("95000.12345678") * F("1000000.00000001") * F("0.00055")),
    ("fee", "19 digits", "LongDigits", "linear", "1", "1234567890.123456789", "1", "0.01", "12345678.90123456789"),
    ("fee", "spot", "Worked", "spot", "1", "10000", "0.25", "0.001", "2.5"),
    ("fee", "quanto: in the settlement coin", "Multiplier", "quanto", "0.000001", "500", "1000", "0.0005", "0.00025"),
    ("fee", "does not end", "Inverse Repeating", "inverse", "1", "3", "100", "0.001", F(1, 30)),
    ("funding", "a long pays a positive rate", "Worked", "linear", "1", "40000", "1.5", "0.0001", "-6"),
    ("funding", "a short receives a positive rate", "ShortSide", "linear", "1", "40000", "-1.5", "0.0001", "6"),
    ("funding", "a long receives a negative rate", "NegativeRate", "linear", "1", "40000", "1.5", "-0.0001", "6"),
    ("funding", "a short pays a negative rate", "NegativeRate ShortSide", "linear", "1", "40000", "-1.5", "-0.0001", "-6"),
    ("funding", "flat: nothing", "Flat", "linear", "1", "40000", "0", "0.0001", "0"),
    ("funding", "rate 0: nothing", "ZeroRate", "linear", "1", "40000", "1.5", "0", "0"),
    ("funding", "1 bp of 10000 costs the long 1.00, it does not bring it (freqtrade#6185)", "SignOfPnl", "linear", "1", "10000", "1", "0.0001", "-1"),
    ("funding", "contracts of 0.001", "Multiplier", "linear", "0.001", "40000", "1500", "0.0001", "-6"),
    ("funding", "inverse: contracts / mark x rate, in coin", "Inverse", "inverse", "1", "50000", "100000", "0.0001", "-0.0002"),
    ("funding", "inverse, short", "Inverse ShortSide", "inverse", "1", "50000", "-100000", "0.0001", "0.0002"),
    ("funding", "inverse, short, negative rate", "Inverse NegativeRate ShortSide", "inverse", "1", "50000", "-100000", "-0.0001", "-0.0002"),
    ("funding", "inverse, contracts of 100", "Inverse Multiplier", "inverse", "100", "50000", "1000", "0.0001", "-0.0002"),
    ("funding", "inverse, does not end", "Inverse Repeating", "inverse", "1", "3", "100", "0.001", F(-1, 30)),
    ("funding", "inverse, flat", "Inverse Flat", "inverse", "1", "50000", "0", "0.0001", "0"),
    ("funding", "binary floats: 0.1 x 3 x 0.1", "BinaryNoise", "linear", "1", "0.1", "3", "0.1", "-0.03"),
    ("funding", "dust is not rounded away", "Dust", "linear", "1", "40000", "0.00000001", "0.000001", "-0.0000000004"),
    ("funding", "a large position", "Magnitude", "linear", "1", "95000.5", "-1000000", "0.000375", "35625187.5"),
    ("funding", "19 digits", "LongDigits", "linear", "1", "1234567890.123456789", "1", "0.01", "-12345678.90123456789"),
    ("funding", "a satoshi market", "SmallPrice", "linear", "1", "0.00003932", "508000", "0.0001", "-0.001997456"),
    ("funding", "quanto: in the settlement coin", "Multiplier", "quanto", "0.000001", "500", "1000", "0.0001", "-0.00005"),
    ("funding", "a fraction of an interval, not percent", "UnitOfRate", "linear", "1", "20000", "1", "0.01", "-200"),
]
#: The same with a source of its own in front.
PUBLISHED_PRODUCTS: list[tuple[str, str, str, str, str, str, str, str, str, Any]] = [
    ("nautilus_trader a95c804, test_conversion.py, quanto notional", "notional", "printed as 30.0", "Multiplier", "quanto", "1", "3000", "0.01", "", "30"),
    ("nautilus_trader a95c804, test_margin.py: its maintenance of 0.0035 is printed as 0.03045173", "notional", "the notional under it", "Inverse Repeating", "inverse", "1", "11493.6", "100000", "", F(100000) / F("11493.6")),
    ("bitmex.com series guide ETHUSD: the page computes 50 with a multiplier of 0.0001", "notional", "with that multiplier", "Multiplier", "quanto", "0.0001", "500", "1000", "", "50"),
    ("binance-spot-api-docs a5e0bc3, faqs/commission_faq.md, tax", "fee", "printed as 0.04022988 (8 digits, half up)", "HalfTick", "spot", "1", "17491.25", "1", "0.0000023", "0.040229875"),
    ("r/BitMEX, trading fee calculation", "fee", "printed as 0.000682 (6 digits)", "Inverse Repeating", "inverse", "1", "1100", "1000", "0.00075", F(3, 4400)),
    ("nautilus_trader a95c804, test_margin.py, inverse maker", "fee", "printed as -0.00218331 (8 digits)", "Inverse NegativeFee", "inverse", "1", "11450.5", "100000", "-0.00025", F(-25) / F("11450.5")),
    ("nautilus_trader a95c804, test_margin.py, taker fx", "fee", "printed as 24.02 (2 digits)", "HalfTick", "linear", "1", "0.8005", "1500000", "0.00002", "24.015"),
    ("jesse-ai and others: buy 1 at 100, 0.1 %, charged twice gave 0.220", "fee", "once: 0.1", "Duplicate", "linear", "1", "100", "1", "0.001", "0.1"),
    ("kernc/backtesting.py#958: 5429749 at -0.04 % came out as a cost", "fee", "a rebate", "NegativeFee", "linear", "1", "5429749", "1", "-0.0004", "-2171.8996"),
    ("hummingbot#3138: a maker fill of 10000 charged 7.00 at the taker rate", "fee", "at the maker rate: 2.00", "Worked", "linear", "1", "10000", "1", "0.0002", "2"),
    ("hummingbot#7891: the sign of a fee of 0.0034554 turned", "fee", "a cost is positive", "SignOfPnl", "linear", "1", "34.554", "1", "0.0001", "0.0034554"),
    ("Binance funding answer at askai.glarity.app: -6 for three intervals", "funding", "one interval: -2", "Worked", "linear", "1", "20000", "1", "0.0001", "-2"),
    ("support.kraken.com 360022835911, example 3: 0.05 % of a contract at 7000 is printed as 0.00000007142 coin", "funding", "the same of one inverse contract", "Inverse Repeating", "inverse", "1", "7000", "1", "0.0005", F(-1, 14000000)),
]


def _products(name: str, price_name: str, qty_name: str, rate_name: str | None, numbers: Numbers) -> list[Group]:
    groups: dict[tuple[str, ...], Group] = {}

    def group(source: str, kind: str, multiplier: str) -> Group:
        return groups.setdefault((source, kind, multiplier), Group({"kind": kind, "multiplier": multiplier}, source))

    def given(price: str, qty: str, rate: str) -> dict[str, str]:
        inputs = {qty_name: qty, price_name: price} if name == "funding" else {price_name: price, qty_name: qty}
        return {**inputs, rate_name: rate} if rate_name else inputs

    def add(where: Group, comment: str, flags: str, expected: Any, price: str, qty: str, rate: str) -> None:
        # Every factor that a float rounds adds its own half ulp.
        factors = 2 + (rate_name is not None) + (where.params["multiplier"] != "1")
        where.add(comment, flags, F(expected), rounded(abs(F(expected)) * factors, 3) or None, **given(price, qty, rate))

    for row_name, comment, flags, kind, multiplier, price, qty, rate, expected in PRODUCTS:
        if row_name == name:
            add(group(HAND, kind, multiplier), comment, flags, expected, price, qty, rate)
    for source, row_name, comment, flags, kind, multiplier, price, qty, rate, expected in PUBLISHED_PRODUCTS:
        if row_name == name:
            add(group(source, kind, multiplier), comment, flags, expected, price, qty, rate)

    hostile = [(price_name, "0", "ZeroPrice"), (price_name, "-100", "NegativePrice"), (price_name, "NaN", "NaN"), (qty_name, "NaN", "NaN")]
    if name != "funding":
        hostile.append((qty_name, "-2", "NegativeQty"))
    if rate_name:
        hostile.append((rate_name, "NaN", "NaN"))
    for kind in ("linear", "inverse"):
        where = group(HAND, kind, "1")
        for field, value, flag in hostile:
            where.refuse(f"{kind}, {field} of {value}", flag, **{**given("100", "2", "0.001"), field: value})
        where.refuse(f"{kind}, nothing held, and a {price_name} of 0 all the same", "ZeroPrice Flat", **given("0", "0", "0.001"))
    for kind, multiplier, flag in [("option", "1", "UnknownConvention"), ("", "1", "UnknownConvention"), ("linear", "NaN", "NaN"), ("inverse", "NaN", "NaN")]:
        group(HAND, kind, multiplier).refuse(f"kind {kind!r}, multiplier {multiplier}", flag, **given("100", "2", "0.001"))

    for kind in ("linear", "inverse"):
        where = group(EXACT, kind, "1")
        for number in range(9):
            price, qty = (numbers.decimal(1, 70000, numbers.between(0, 6)), numbers.decimal(1, 900, numbers.between(0, 6)))
            if name == "funding" and number % 2:
                qty = -qty
            rate = F(numbers.between(-90, 90), 100000)
            flag = ("Inverse " if kind == "inverse" else "") + ("NegativeFee" if name == "fee" and rate < 0 else "ShortSide" if qty < 0 else "")
            arguments = given(text(price), text(qty), text(rate))
            value = getattr(arithmetic, name)(**arguments, **where.params)
            add(where, f"drawn numbers {number + 1}", flag.strip() or "Worked", value, text(price), text(qty), text(rate))
    return list(groups.values())


def convert() -> list[Group]:
    by_hand = Group({}, HAND)

    def add(comment: str, flags: str, expected: Any, amount: str, asset: str, currency: str, rates: str, where: Group = by_hand) -> None:
        table = [[*pair.split("/"), rate] for pair, rate in (each.split("=") for each in rates.split())]
        size = rounded(abs(F(expected)) * 3, 3) or None
        where.add(comment, flags, F(expected), size, amount=amount, asset=asset, currency=currency, rates=table)

    add("direct", "Worked", "30000", "0.5", "BTC", "USDT", "BTC/USDT=60000")
    add("inverse of the opposite rate", "InverseRate", "0.5", "30000", "USDT", "BTC", "BTC/USDT=60000")
    add("one step through one currency: direct and direct", "Chain", "15", "10", "A", "C", "A/B=3 B/C=0.5")
    add("one step: direct and inverse", "Chain InverseRate", "9.6", "0.02", "BNB", "EUR", "BNB/USDT=600 EUR/USDT=1.25")
    add("one step: inverse and direct", "Chain InverseRate", "20", "100", "A", "C", "B/A=10 B/C=2")
    add("one step: inverse and inverse", "Chain InverseRate", "5", "100", "A", "C", "B/A=10 C/B=2")
    add("an asset into itself", "SameAsset", "12.5", "12.5", "USDT", "USDT", "BTC/USDT=60000")
    add("an asset into itself with no rates at all", "SameAsset Empty", "12.5", "12.5", "USDT", "USDT", "")
    add("an asset into itself through no round trip", "SameAsset", "7", "7", "A", "A", "A/B=3 B/A=0.3")
    add("direct before inverse, where both are there and differ", "RatePriority", "30", "10", "A", "B", "B/A=0.5 A/B=3")
    add("direct before a chain, where they differ", "RatePriority", "70", "10", "A", "C", "A/B=3 B/C=2 A/C=7")
    add("inverse before a chain, where they differ", "RatePriority InverseRate", "40", "10", "A", "C", "A/B=3 B/C=2 C/A=0.25")
    add("the order of the table does not matter: first", "OutOfOrder Chain", "15", "10", "A", "C", "A/B=3 B/C=0.5 X/Y=9")
    add("the order of the table does not matter: last", "OutOfOrder Chain", "15", "10", "A", "C", "X/Y=9 B/C=0.5 A/B=3")
    add("two chains that agree", "Chain", "60", "10", "A", "C", "A/B=3 B/C=2 A/D=12 D/C=0.5")
    add("a negative amount: money owed", "NegativeValue", "-30000", "-0.5", "BTC", "USDT", "BTC/USDT=60000")
    add("nothing is nothing, in any currency", "Flat", "0", "0", "BTC", "USDT", "BTC/USDT=60000")
    add("does not end", "InverseRate Repeating", "1/3", "1", "USD", "X", "X/USD=3")
    add("does not end on the way, ends at the end", "Chain InverseRate Repeating", "2", "1", "A", "C", "B/A=3 B/C=6")
    add("110 USD at EURUSD 1.10 is 100 EUR, not NaN (nautilus_trader#4205)", "InverseRate", "100", "110", "USD", "EUR", "EUR/USD=1.10")
    add("0.04671192 BNB at 10 is 0.47, not 2.78 (profit-trailer#1481)", "Worked", "0.4671192", "0.04671192", "BNB", "USD", "BNB/USD=10")
    add("a satoshi", "Dust", "0.0006", "0.00000001", "BTC", "USDT", "BTC/USDT=60000")
    add("a rate of 10^-8", "SmallPrice", "0.01", "1000000", "SHIB", "BTC", "SHIB/BTC=0.00000001")
    add("binary floats: 0.1 x 3", "BinaryNoise", "0.3", "3", "A", "B", "A/B=0.1")
    add("large amounts", "Magnitude", "95000000000000", "1000000000", "BTC", "USD", "BTC/USD=95000")
    add("19 digits", "LongDigits", "2469135780.246913578", "1234567890.123456789", "A", "B", "A/B=2")

    disagree: list[tuple[str, str, str, list[list[str]], list[Any]]] = [("10", "A", "C", [["A", "B", "3"], ["B", "C", "2"], ["A", "D", "4"], ["D", "C", "2"]], ["60", "80", None]), ("1", "A", "C", [["A", "B", "10"], ["C", "B", "5"], ["A", "D", "1"], ["D", "C", "3"]], ["2", "3", None])]
    for amount, asset, currency, rates, answers in disagree:
        by_hand.either("two chains that disagree: any one of them, or refused, never their mean", "Chain", answers, amount=amount, asset=asset, currency=currency, rates=rates)

    hostile = Group({}, HAND)
    rate = [["BTC", "USDT", "60000"]]
    for comment, flag, amount, asset, currency, rates in [
        ("no rates: never 0, never the amount itself", "NoPath Empty", "1", "BTC", "USDT", []),
        ("no path", "NoPath", "1", "BTC", "EUR", rate),
        ("neither currency is known", "NoPath", "1", "ETH", "EUR", rate),
        ("two steps would be needed: too far", "NoPath Chain", "1", "A", "D", [["A", "B", "1"], ["B", "C", "1"], ["C", "D", "1"]]),
        ("a name in the wrong case is another name", "NoPath", "1", "btc", "USDT", rate),
        ("a rate of 0", "ZeroPrice", "1", "BTC", "USDT", [["BTC", "USDT", "0"]]),
        ("an opposite rate of 0: a division by 0", "ZeroPrice InverseRate", "1", "USDT", "BTC", [["BTC", "USDT", "0"]]),
        ("a negative rate", "NegativePrice", "1", "BTC", "USDT", [["BTC", "USDT", "-60000"]]),
        ("two negative rates of a chain do not make it right", "NegativePrice Chain", "1", "A", "C", [["A", "B", "-3"], ["B", "C", "-2"]]),
        ("a rate of 0 in a chain", "ZeroPrice Chain", "1", "A", "C", [["A", "B", "3"], ["B", "C", "0"]]),
        ("a rate of 0 elsewhere in the table: error when any rate is", "ZeroPrice", "1", "BTC", "USDT", [*rate, ["ETH", "USDT", "0"]]),
        ("a negative rate elsewhere in the table", "NegativePrice", "1", "BTC", "USDT", [*rate, ["ETH", "USDT", "-3000"]]),
        ("a rate NaN", "NaN", "1", "BTC", "USDT", [["BTC", "USDT", "NaN"]]),
        ("an amount NaN", "NaN", "NaN", "BTC", "USDT", rate),
    ]:
        hostile.refuse(comment, flag, amount=amount, asset=asset, currency=currency, rates=rates)

    published = Group({}, "nautilus_trader a95c804, test_conversion.py, query methods with conversion (prints 9000 and 54000)")
    add("unrealized", "Worked", "9000", "10000", "USDT", "EUR", "USDT/EUR=0.9", published)
    add("exposure", "Worked", "54000", "60000", "USDT", "EUR", "USDT/EUR=0.9", published)
    chain = Group({}, "hummingbot test_performance.py, fees of different tokens: flat fees of 10 USDT and 5 DAI at 0.9 and 2 (total printed 128, with 100 of percent fee)")
    add("10 USDT through DAI", "Chain", "18", "10", "USDT", "QUOTE", "USDT/DAI=0.9 DAI/QUOTE=2", chain)
    add("5 DAI", "Worked", "10", "5", "DAI", "QUOTE", "USDT/DAI=0.9 DAI/QUOTE=2", chain)
    fx = Group({}, "nautilus_trader a95c804, test_calculators.py, rate for inverse (prints 0.00009522449173927534)")
    add("1 USD into BTC", "InverseRate Repeating", F(1) / F("10501.5"), "1", "USD", "BTC", "BTC/USD=10501.5", fx)

    computed = Group({}, EXACT)
    numbers = Numbers(36)
    for number in range(20):
        first, second = (numbers.decimal(1, 9000, numbers.between(0, 3)) / 10 ** numbers.below(4) for _ in "ab")
        amount = numbers.decimal(-500, 500, 4)
        rates = [["A", "B", text(first)] if number % 2 else ["B", "A", text(first)]]
        into = "B"
        if number % 3 == 0:
            rates, into = [*rates, ["B", "C", text(second)] if number % 4 else ["C", "B", text(second)]], "C"
        flag = "Chain" if into == "C" else "Worked" if number % 2 else "InverseRate"
        value = arithmetic.convert(text(amount), "A", into, rates)
        computed.add(f"drawn rates {number + 1}", flag, value, rounded(abs(value) * 3, 3), amount=amount, asset="A", currency=into, rates=rates)
    return [by_hand, hostile, published, chain, fx, computed]


def exposure() -> list[Group]:
    by_hand = Group({}, HAND)

    def orders(line: str) -> list[list[str]]:
        return [[{"B": "buy", "S": "sell"}[each[0]], each[1:]] for each in line.split()]

    def add(comment: str, flags: str, expected: str, position: str, line: str, where: Group = by_hand) -> None:
        given = orders(line)
        size = abs(F(position)) + sum(F(qty) for _, qty in given)
        where.add(comment, flags, expected.split(), size or None, position=position, open_orders=given)

    for comment, flags, expected, position, line in [
        ("long 2, bid 3, ask 1", "Worked", "5 1", "2", "B3 S1"),
        ("no open orders: the position, twice", "Empty", "2 2", "2", ""),
        ("flat, no open orders", "Empty Flat", "0 0", "0", ""),
        ("short 2", "ShortSide", "1 -5", "-2", "B3 S3"),
        ("all buys may fill and no sell", "OpenOrders", "6 0", "0", "B1 B2 B3"),
        ("all sells may fill and no buy", "OpenOrders", "0 -6", "0", "S1 S2 S3"),
        ("buys and sells do not net out", "OpenOrders", "10 -10", "0", "B10 S10"),
        ("the worst short of a long position is still long: not clamped at 0", "NotClamped", "7 3", "5", "B2 S2"),
        ("the worst long of a short position is still short: not clamped at 0", "NotClamped ShortSide", "-3 -7", "-5", "B2 S2"),
        ("the worst long of a short position without bids", "NotClamped ShortSide", "-5 -6", "-5", "S1"),
        ("sells through zero", "FlipThroughZero", "5 -3", "5", "S8"),
        ("buys through zero", "FlipThroughZero ShortSide", "3 -5", "-5", "B8"),
        ("exactly to zero", "FlipThroughZero Flat", "5 0", "5", "S5"),
        ("what is left of an order counts, nothing left counts nothing", "PartialFill", "1.5 1", "1", "B0.5 B0"),
        ("two orders of one price and size are two", "Duplicate", "3 1", "1", "B1 B1"),
        ("the order of the orders does not matter: first", "OutOfOrder", "4 -2", "1", "B3 S1 S2"),
        ("the order of the orders does not matter: last", "OutOfOrder", "4 -2", "1", "S2 S1 B3"),
        ("binary floats: 0.1 + 0.2", "BinaryNoise", "0.3 0.1", "0.1", "B0.2"),
        ("binary floats: 0.3 - 0.1 - 0.2", "BinaryNoise", "0.3 0", "0.3", "S0.1 S0.2"),
        ("one satoshi over", "Dust", "1.00000001 1", "1", "B0.00000001"),
        ("a large position and a small order", "Magnitude Cancellation", "1000000000.00000001 1000000000", "1000000000", "B0.00000001"),
        ("20 digits", "LongDigits", "123456789012.12345679 123456789012.12345678", "123456789012.12345678", "B0.00000001"),
        ("a working buy of 0.5 and a new one of 0.8: 1.3 (hummingbot#2187)", "OpenOrders", "1.3 0", "0", "B0.5 B0.8"),
        ("three bids of 1.0 (hummingbot#855)", "OpenOrders", "3 0", "0", "B1.0 B1.0 B1.0"),
        ("at the limit: 9 and 1 make 10", "TickBoundary", "10 9", "9", "B1"),
    ]:
        add(comment, flags, expected, position, line)

    hostile = Group({}, HAND)
    for comment, flag, position, given in [
        ("an unknown side", "UnknownSide", "1", [["hold", "1"]]),
        ("an empty side", "UnknownSide", "1", [["buy", "1"], ["", "1"]]),
        ("a side of a book, not of an order", "UnknownSide", "1", [["bid", "1"]]),
        ("a negative quantity is no sell", "NegativeQty", "1", [["buy", "-1"]]),
        ("a negative quantity among others", "NegativeQty", "1", [["buy", "3"], ["sell", "-1"]]),
        ("position NaN", "NaN", "NaN", [["buy", "1"]]),
        ("position NaN, no orders", "NaN", "NaN", []),
        ("quantity NaN", "NaN", "1", [["buy", "1"], ["sell", "NaN"]]),
    ]:
        hostile.refuse(comment, flag, position=position, open_orders=given)

    computed = Group({}, EXACT)
    numbers = Numbers(37)
    for number in range(24):
        position = numbers.decimal(-90, 90, 3)
        line = " ".join(numbers.pick(["B", "S"]) + text(numbers.decimal(0, 40, 3)) for _ in range(numbers.between(1, 6)))
        value = arithmetic.exposure(text(position), orders(line))
        flag = "NotClamped" if value[0] * value[1] > 0 else "OpenOrders" if number % 2 else "Worked"
        add(f"drawn orders {number + 1}", flag, " ".join(map(text, value)), text(position), line, computed)
    return [by_hand, hostile, computed]


#: kind, maintenance_at, qty, avg_px, margin, rate, amount, comment, flags, expected
LIQUIDATION: list[tuple[str, str, str, str, str, str, str, str, str, Any]] = [
    ("linear", "liquidation", "1", "100", "10", "0.1", "0", "long: 90 / 0.9", "Worked", "100"),
    ("linear", "liquidation", "1", "20000", "4000", "0.2", "0", "long: 16000 / 0.8", "Worked", "20000"),
    ("linear", "liquidation", "2", "100", "40", "0.2", "0", "long 2: (200 - 40) / (2 x 0.8)", "Worked", "100"),
    ("linear", "liquidation", "1", "100", "50", "0.2", "0", "long with more margin: 50 / 0.8", "Worked", "62.5"),
    ("linear", "liquidation", "-1", "100", "50", "0.25", "0", "short: (100 + 50) / 1.25", "ShortSide", "120"),
    ("linear", "liquidation", "-2", "100", "60", "0.3", "0", "short 2: (200 + 60) / (2 x 1.3)", "ShortSide", "100"),
    ("linear", "liquidation", "1", "100", "50", "0", "0", "no maintenance: bankruptcy, the margin is gone", "ZeroRate", "50"),
    ("linear", "liquidation", "-1", "100", "50", "0", "0", "no maintenance, short", "ZeroRate ShortSide", "150"),
    ("linear", "liquidation", "1", "100", "0", "0.2", "0", "no margin: 100 / 0.8, above entry, due already", "ZeroMargin", "125"),
    ("linear", "liquidation", "1", "100", "100", "0.2", "0", "margin covers everything: exactly 0 is none", "NoLiquidation", None),
    ("linear", "liquidation", "1", "100", "150", "0.2", "0", "margin above the value: none", "NoLiquidation", None),
    ("linear", "liquidation", "0", "100", "50", "0.2", "0", "flat: none", "Flat NoLiquidation", None),
    ("linear", "liquidation", "1", "100", "30", "0.2", "10", "maintenance amount 10: (100 - 30 - 10) / 0.8", "MaintenanceAmount", "75"),
    ("linear", "liquidation", "-1", "100", "30", "0.25", "20", "maintenance amount 20, short: (100 + 30 + 20) / 1.25", "MaintenanceAmount ShortSide", "120"),
    ("linear", "liquidation", "1", "100", "30", "0.2", "70", "the maintenance amount brings it to 0: none", "MaintenanceAmount NoLiquidation", None),
    ("linear", "liquidation", "1", "100", "10", "0.7", "0", "does not end: 90 / 0.3", "Worked", "300"),
    ("linear", "liquidation", "1", "100", "10", "0.01", "0", "does not end: 90 / 0.99", "Repeating", F(1000, 11)),
    ("linear", "liquidation", "3", "61234.5", "1837.035", "0.004", "0", "1 % of margin on a long of 3", "Repeating", F("181866.465") / F("2.988")),
    ("linear", "liquidation", "0.00000001", "60000", "0.0003", "0.2", "0", "dust: (0.0006 - 0.0003) / (0.00000001 x 0.8)", "Dust", "37500"),
    ("linear", "liquidation", "1000000000", "0.00004", "20000", "0.2", "0", "a satoshi market", "SmallPrice Magnitude", "0.000025"),
    ("linear", "entry", "1", "100", "10", "0.05", "0", "maintenance on the entry's notional: 100 - (10 - 5)", "MaintenanceAt", "95"),
    ("linear", "entry", "-1", "100", "10", "0.05", "0", "the same, short: 100 + (10 - 5)", "MaintenanceAt ShortSide", "105"),
    ("linear", "entry", "2", "100", "30", "0.05", "4", "with an amount: 100 - (30 - 10 + 4) / 2", "MaintenanceAt MaintenanceAmount", "88"),
    ("linear", "entry", "1", "100", "105", "0.05", "0", "exactly 0 is none", "MaintenanceAt NoLiquidation", None),
    ("linear", "entry", "0", "100", "10", "0.05", "0", "flat: none", "MaintenanceAt Flat NoLiquidation", None),
    ("linear", "entry", "1", "100", "0", "0.05", "0", "no margin: above entry, due already", "MaintenanceAt ZeroMargin", "105"),
    ("inverse", "liquidation", "10000", "8000", "0.25", "0.2", "0", "long: 10000 x 1.2 / (0.25 + 1.25)", "Inverse", "8000"),
    ("inverse", "liquidation", "10000", "8000", "0.75", "0", "0", "no maintenance: bankruptcy at 10000 / 2", "Inverse ZeroRate", "5000"),
    ("inverse", "liquidation", "-10000", "8000", "0.25", "0.2", "0", "short: 10000 x 0.8 / (1.25 - 0.25)", "Inverse ShortSide", "8000"),
    ("inverse", "liquidation", "-10000", "8000", "0.45", "0.2", "0", "short with more margin: 8000 / 0.8", "Inverse ShortSide", "10000"),
    ("inverse", "liquidation", "-10000", "8000", "1.25", "0.2", "0", "a short whose margin covers its entry value: none", "Inverse ShortSide NoLiquidation", None),
    ("inverse", "liquidation", "-10000", "8000", "2", "0.2", "0", "a short with more than that: none", "Inverse ShortSide NoLiquidation", None),
    ("inverse", "liquidation", "0", "8000", "0.25", "0.2", "0", "flat: none", "Inverse Flat NoLiquidation", None),
    ("inverse", "liquidation", "10000", "8000", "0.65", "0.2", "0.1", "maintenance amount 0.1: 12000 / (0.65 + 0.1 + 1.25)", "Inverse MaintenanceAmount", "6000"),
    ("inverse", "liquidation", "1000", "5000", "0.01", "0.005", "0", "does not end: 1005 / 0.21", "Inverse Repeating", F(1005) / F("0.21")),
    ("inverse", "entry", "10000", "8000", "0.5", "0.2", "0", "maintenance on the entry's value 0.25: 10000 / (0.5 + 1.25 - 0.25)", "Inverse MaintenanceAt Repeating", F(20000, 3)),
    ("inverse", "entry", "-10000", "8000", "0.5", "0.2", "0", "short: 10000 / (1.25 + 0.25 - 0.5)", "Inverse MaintenanceAt ShortSide", "10000"),
    ("inverse", "entry", "-10000", "8000", "1.5", "0.2", "0", "short, margin covers everything: none", "Inverse MaintenanceAt NoLiquidation", None),
    ("inverse", "entry", "10000", "8000", "0.5", "0.2", "0.5", "with an amount: 10000 / (0.5 + 0.5 + 1.25 - 0.25)", "Inverse MaintenanceAt MaintenanceAmount", "5000"),
]
PUBLISHED_LIQUIDATION: list[tuple[str, str, str, str, str, str, str, str, str, str, Any]] = [
    ("support.moonxbt.com 5532119155343", "linear", "entry", "1", "20000", "400", "0.005", "0", "isolated, 50x: printed as 19700", "MaintenanceAt", "19700"),
    ("support.moonxbt.com 5532119155343", "linear", "entry", "1", "20000", "2200", "0.005", "0", "cross, 100x with 2000 available: printed as 17900", "MaintenanceAt", "17900"),
    ("a copy of Bybit's USDT liquidation help", "linear", "entry", "1", "20000", "200", "0.005", "0", "unpaid funding of 200 ate half of the margin: printed as 19900", "MaintenanceAt", "19900"),
    ("a public post that prints 1.958 for a long at 2.05, 5x, 0.5 %, by a formula that gives 12.25", "linear", "entry", "1", "2.05", "0.41", "0.005", "0", "right: 1.65025", "MaintenanceAt", "1.65025"),
    ("help.mcs.io 360041008371 (printed 2209.94, 2 digits)", "inverse", "entry", "-2000", "2000", "0.1", "0.005", "0", "short at 2000, 10x", "Inverse MaintenanceAt ShortSide Repeating", F(400000, 181)),
    ("help.bybit.com 360039261334, bankruptcy of an inverse cross position, the fee in the place of the maintenance (printed 5718.57, 2 digits)", "inverse", "liquidation", "10000", "8000", "0.5", "0.00075", "0", "long at 8000 with 0.5 of balance", "Inverse Repeating", F(10000) * F("1.00075") / F("1.75")),
]


def liquidation_price() -> list[Group]:
    groups: dict[tuple[str, ...], Group] = {}

    def group(source: str, kind: str, at: str, multiplier: str = "1") -> Group:
        params = {"kind": kind, "multiplier": multiplier, "maintenance_at": at}
        return groups.setdefault((source, *params.values()), Group(params, source))

    def add(where: Group, comment: str, flags: str, expected: Any, qty: str, avg_px: str, margin: str, rate: str, amount: str) -> None:
        q, entry, money, r, a = (abs(F(each)) for each in (qty, avg_px, margin, rate, amount))
        m, value = F(where.params["multiplier"]), None if expected is None else F(expected)
        size = None
        if value is not None and where.params["kind"] == "inverse":
            # 1/P is a difference: its terms over its own size tell how far P may move.
            size = value * value * (money + a + q * m / entry * (1 + r)) / (q * m) + 2 * value
        elif value is not None:
            size = (money + a + q * m * entry * (1 + r)) / (q * m * (1 - r)) + 2 * value
        where.add(comment, flags, value, rounded(size, 3) if size is not None else None, qty=qty, avg_px=avg_px, margin=margin, maintenance_rate=rate, maintenance_amount=amount)

    for kind, at, qty, avg_px, margin, rate, amount, comment, flags, expected in LIQUIDATION:
        add(group(HAND, kind, at), comment, flags, expected, qty, avg_px, margin, rate, amount)
    for source, kind, at, qty, avg_px, margin, rate, amount, comment, flags, expected in PUBLISHED_LIQUIDATION:
        add(group(source, kind, at), comment, flags, expected, qty, avg_px, margin, rate, amount)
    add(group(HAND, "linear", "liquidation", "0.001"), "contracts of 0.001", "Multiplier", "62.5", "1000", "100", "50", "0.2", "0")
    add(group(HAND, "inverse", "liquidation", "100"), "contracts of 100", "Inverse Multiplier", "8000", "100", "8000", "0.25", "0.2", "0")
    add(group(HAND, "linear", "entry", "10"), "contracts of 10", "Multiplier MaintenanceAt", "95", "1", "100", "100", "0.05", "0")
    add(group(HAND, "quanto", "liquidation", "0.0001"), "quanto: all in the settlement coin", "Multiplier", "250", "1000", "500", "30", "0.2", "0")

    for kind in ("linear", "inverse"):
        where = group(HAND, kind, "liquidation")
        good = {"qty": "1", "avg_px": "100", "margin": "10", "maintenance_rate": "0.01", "maintenance_amount": "0"}
        for name, value, flag in [("avg_px", "0", "ZeroPrice"), ("avg_px", "-100", "NegativePrice"), ("qty", "NaN", "NaN"), ("avg_px", "NaN", "NaN"), ("margin", "NaN", "NaN"), ("maintenance_rate", "NaN", "NaN"), ("maintenance_amount", "NaN", "NaN")]:
            where.refuse(f"{kind}, {name} of {value}", flag, **{**good, name: value})
    group(HAND, "option", "liquidation").refuse("unknown kind", "UnknownConvention", qty="1", avg_px="100", margin="10", maintenance_rate="0.01", maintenance_amount="0")
    group(HAND, "", "liquidation").refuse("empty kind", "UnknownConvention", qty="1", avg_px="100", margin="10", maintenance_rate="0.01", maintenance_amount="0")

    numbers = Numbers(38)
    for kind in ("linear", "inverse"):
        for at in ("liquidation", "entry"):
            where = group(EXACT, kind, at)
            for number in range(6):
                qty, entry = numbers.between(1, 90) * numbers.pick([1, -1]), numbers.decimal(10, 60000, 1)
                value = F(abs(qty)) / entry if kind == "inverse" else abs(qty) * entry
                margin = rounded(value * F(numbers.between(2, 40), 100), 8)
                rate, amount = F(numbers.between(1, 60), 1000), rounded(margin * numbers.below(3) / 50, 4)
                given = [text(each) for each in (F(qty), entry, margin, rate, amount)]
                found = arithmetic.liquidation_price(given[0], given[1], given[2], given[3], given[4], **where.params)
                flag = ("Inverse " if kind == "inverse" else "") + ("MaintenanceAt " if at == "entry" else "") + ("ShortSide" if qty < 0 else "")
                add(where, f"drawn position {number + 1}", flag.strip() or "Worked", found, *given)
    return list(groups.values())
