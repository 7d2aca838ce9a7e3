"""Cases of vwap, ema, returns, volatility, drawdown, trade_signs and lee_ready."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import accumulate
from typing import Any

import arithmetic
from corpus import EXACT, HAND, LOGS, Group, Numbers, text

TULIP = ["81.59", "81.06", "82.87", "83.00", "83.61", "83.15", "82.84", "83.99", "84.55", "84.36", "85.53", "86.54", "86.89", "87.77", "87.29"]
WICKRA = ["60000", "62000", "59000", "61500", "63000", "58500", "64000"]


def words(line: str) -> list[str | None]:
    """Split a line into numbers; '-' is a missing one."""
    return [None if word == "-" else word for word in line.split()]


def vwap() -> list[Group]:
    by_hand = Group({}, HAND)
    for comment, flags, expected, prices, qtys in [
        ("507 / 5", "Worked", "101.4", "100 101 103", "2 1 2"),
        ("one trade: its price", "SingleEvent", "100.05", "100.05", "3"),
        ("one trade of one satoshi", "SingleEvent Dust", "61234.5", "61234.5", "0.00000001"),
        ("weighted, not the mean of prices: 17.5, not 15", "Weights", "17.5", "10 20", "100 300"),
        ("weighted, not the last price", "Weights", "24", "10 30 25", "1 1 8"),
        ("two trades of the same instant both count", "SameTimestamp", "100.5", "100 101", "1 1"),
        ("four prints of one instant, equal price and size, all count", "SameTimestamp Duplicate", "100.2", "100 100 100 100 101", "1 1 1 1 1"),
        ("the same trade twice in the list is two trades: duplicates are told apart by id, before", "Duplicate", "101", "100 100 103", "1 1 1"),
        ("order does not matter: first", "OutOfOrder", "100.7", "100 101 102", "5 3 2"),
        ("order does not matter: reversed", "OutOfOrder", "100.7", "102 101 100", "2 3 5"),
        ("order does not matter: late print last", "OutOfOrder", "100.7", "100 102 101", "5 2 3"),
        ("a fill split in parts: whole", "PartialFill", "100.75", "100 101", "1 3"),
        ("a fill split in parts: parts", "PartialFill", "100.75", "100 101 101 101", "1 1 1.5 0.5"),
        ("no trades", "Empty ZeroVolume", None, "", ""),
        ("a trade of no quantity", "ZeroVolume", None, "10", "0"),
        ("several trades of no quantity", "ZeroVolume", None, "10 11 12", "0 0 0"),
        ("no quantity, written 0.000", "ZeroVolume", None, "100.5", "0.000"),
        ("a quantity of 0 among others adds nothing", "ZeroVolume", "10", "10 99999", "4 0"),
        ("a first quantity of 0", "ZeroVolume", "12", "10 12", "0 4"),
        ("dust beside size hardly moves it", "Dust", "100.0000001", "100 200", "0.999999999 0.000000001"),
        ("binary floats: 0.1, 0.2, 0.3 in equal parts", "BinaryNoise", "0.2", "0.1 0.2 0.3", "0.1 0.1 0.1"),
        ("binary floats: 1.1 and 2.2", "BinaryNoise", "1.65", "1.1 2.2", "0.3 0.3"),
        ("does not end: 302/3", "Repeating", F(302, 3), "100 101", "1 2"),
        ("does not end: 70/3", "Repeating", F(70, 3), "10 20 30", "10 20 30"),
        ("int32 would wrap: 61800.2 x 10^8 satoshi", "Overflow", "61800.2", "61800.2 61800.2", "100000000 250000000"),
        ("int64 of two scaled numbers would wrap", "Overflow Magnitude", "95000.5", "95000.123456 95000.876544", "1000000000 1000000000"),
        ("sum of p x q of 26 digits", "LongDigits", "12345678901.50000001", "12345678901.00000001 12345678902.00000001", "5000000 5000000"),
        ("differs in the eleventh digit of the price only", "Cancellation", "100000.000002", "100000.000001 100000.000003", "7 7"),
        ("small prices", "SmallPrice", "0.0000393225", "0.00003932 0.00003933", "3 1"),
        ("a spread of ten orders of magnitude in price", "Magnitude", "50000.000000025", "100000 0.00000005", "1 1"),
    ]:
        by_hand.add(comment, flags, expected, prices=prices.split(), qtys=qtys.split())

    hostile = Group({}, HAND)
    for comment, flag, prices, qtys in [
        ("one quantity too few", "UnequalLengths", "100 101", "1"),
        ("one price too few", "UnequalLengths", "100", "1 2"),
        ("quantities without prices", "UnequalLengths", "", "1"),
        ("prices without quantities", "UnequalLengths", "100", ""),
        ("a price of 0", "ZeroPrice", "100 0", "1 1"),
        ("a price of 0 with no quantity", "ZeroPrice", "100 0", "1 0"),
        ("a negative price", "NegativePrice", "100 -101", "1 1"),
        ("only negative prices", "NegativePrice", "-100 -101", "1 1"),
        ("a negative quantity", "NegativeQty", "100 101", "3 -1"),
        ("quantities that cancel out", "NegativeQty ZeroVolume", "100 101", "1 -1"),
        ("a price NaN", "NaN", "100 NaN", "1 1"),
        ("a quantity NaN", "NaN", "100 101", "1 NaN"),
        ("NaN where the quantity is 0", "NaN", "100 NaN", "1 0"),
    ]:
        hostile.refuse(comment, flag, prices=prices.split(), qtys=qtys.split())

    groups = [by_hand, hostile]
    for source, comment, flags, expected, prices, qtys in [
        ("fincyclopedia.net/exchanges/tutorials/vwap-calculation", "printed as 50.5", "Weights", "50.5", "50 51.5", "1000 500"),
        ("sapling.com/6130329/calculate-vwap", "printed as 100", "Worked", "100", "100 100", "10 15"),
        ("nautilus_trader a95c804, tests/unit_tests/indicators/test_vwap.py, all lower inputs", "printed as 1.0006032258064514", "Worked Repeating", F("155093.5") / 155000, "1.001 1.0009 1.0008 1.0007 1.0006 1.0005 1.0004 1.0003 1.0002 1.0001", "20000 19000 18000 17000 16000 15000 14000 13000 12000 11000"),
        ("nautilus_trader a95c804, crates/indicators/src/average/vwap.rs, three inputs of a day", "printed as 23.333333333333332", "Repeating", F(70, 3), "10 20 30", "10 20 30"),
        ("gbeced/pyalgotrade#155: bars (10.0, 100), (20.0, 300) gave 20.00", "right: 17.50", "Weights", "17.5", "10.0 20.0", "100 300"),
        ("bukosabino/ta#262: the last two of 10, 20, 30 gave 25.0 under a window of 2 by the wrong weights", "the window's own two trades: 25; all three: 20", "Weights", "20", "10 20 30", "1 1 1"),
        ("polygon-io/issues#13: two prints of 109.41 without the late report of 125984 at 114.6247", "right: 109.41", "Worked", "109.41", "109.41 109.41", "200 100"),
    ]:
        group = Group({}, source)
        group.add(comment, flags, expected, prices=prices.split(), qtys=qtys.split())
        groups.append(group)

    computed = Group({}, EXACT)
    numbers = Numbers(21)
    for number in range(40):
        count = numbers.between(1, 12)
        digits = numbers.between(0, 8)
        base = numbers.decimal(1, 90000, digits)
        prices = [base + F(numbers.between(0, 60), 10**digits) for _ in range(count)]
        qtys = [numbers.decimal(0, 50, numbers.between(0, 8)) for _ in range(count)]
        flag = "SmallPrice" if digits > 6 else "OutOfOrder" if number % 3 == 0 else "Weights" if number % 3 == 1 else "Worked"
        if number % 5 == 0:
            prices, qtys = [*prices, prices[0]], [*qtys, qtys[0]]
            flag = "SameTimestamp"
        value = arithmetic.vwap([text(p) for p in prices], [text(q) for q in qtys])
        computed.add(f"drawn trades {number + 1}", flag if value is not None else "ZeroVolume", value, prices=prices, qtys=qtys)
    return [*groups, computed]


def ema() -> list[Group]:
    groups = []

    def group(source: str = HAND, **params: str) -> Group:
        made = Group(params, source)
        groups.append(made)
        return made

    def add(where: Group, comment: str, flags: str, expected: str, values: str) -> None:
        given = words(values)
        size = max((abs(F(v)) for v in given if v not in (None, "NaN")), default=None)
        where.add(comment, flags, words(expected), size, values=given)

    half = group(span="3", init="first")
    add(half, "alpha = 0.5, seeded by the first value", "Worked", "100 102 101.5", "100 104 101")
    add(half, "one value: itself", "SingleEvent SeedBias", "7", "7")
    add(half, "a constant stays", "SeedBias", "5 5 5 5 5", "5 5 5 5 5")
    add(half, "0 is a value", "SeedBias", "0 2 3", "0 4 4")
    add(half, "a step decays by halves", "Worked", "8 4 2 1 0.5", "8 0 0 0 0")
    add(half, "negative values are values", "NegativeValue", "-4 0 2", "-4 4 4")
    add(half, "a gap repeats the last value, and the recursion goes on", "MissingInput", "100 102 102 101.5", "100 104 - 101")
    add(half, "a gap as NaN", "MissingInput NaN", "100 102 102 101.5", "100 104 NaN 101")
    add(half, "a gap of three", "MissingInput", "100 102 102 102 102 101.5", "100 104 - - - 101")
    add(half, "a gap at the end", "MissingInput", "100 102 102", "100 104 -")
    add(half, "a gap at the start: nothing before the first value, and never 0", "MissingInput SeedBias", "- 100 102", "- 100 104")
    add(half, "two gaps at the start", "MissingInput SeedBias", "- - 100", "- NaN 100")
    add(half, "nothing but gaps", "MissingInput Empty", "- - -", "- - NaN")
    add(half, "a gap is not 0: 0 would give 51", "MissingInput", "102 102 101.5", "102 - 101")
    add(half, "values before a change do not know of it", "LookAhead", "10 10 10 10 20", "10 10 10 10 30")
    add(half, "the same, cut before the change", "LookAhead", "10 10 10 10", "10 10 10 10")
    add(half, "binary floats: 0.1, 0.2, 0.3", "BinaryNoise", "0.1 0.15 0.225", "0.1 0.2 0.3")
    add(half, "12 digits and a small change", "Cancellation", "100000000000 100000000000.5 100000000000.25", "100000000000 100000000001 100000000000")
    add(half, "17 digits", "LongDigits", "12345678.123456789 12345679.123456789", "12345678.123456789 12345680.123456789")
    half.either("no values: an empty list, or refused", "Empty", [[], None], values=[])

    one = group(span="1", init="first")
    add(one, "span 1: alpha 1, the values themselves", "SeedBias", "3 1 4 1 5", "3 1 4 1 5")
    add(one, "span 1 with a gap", "MissingInput", "3 3 4", "3 - 4")

    third = group(span="2", init="first")
    add(third, "alpha 2/3: 3, 5, then 17/3", "Repeating", "3 5 17/3", "3 6 6")
    add(third, "alpha 2/3 from 0", "Repeating SeedBias", "0 2/3 8/9 26/27", "0 1 1 1")
    add(third, "alpha 2/3, the pandas docstring's 0, 1, 2, gap, 4 under ignore_na: the gap does not decay", "MissingInput Repeating", "0 2/3 14/9 14/9 86/27", "0 1 2 - 4")

    tenth = group(alpha="0.1", init="first")
    add(tenth, "alpha as given, no span", "Worked", "10 11 11.9", "10 20 20")
    add(tenth, "a spike of 100 leaves 10 of it", "Worked", "100 110 109", "100 200 100")
    add(tenth, "Wilder's 1/n is alpha, not span", "SeedBias", "50 49 48.1 47.29", "50 40 40 40")
    add(tenth, "a gap", "MissingInput", "10 10 11 11.9", "10 - 20 20")
    whole = group(alpha="1", init="first")
    add(whole, "alpha 1: the values themselves", "SeedBias", "3 1 4", "3 1 4")

    sma = group(span="3", init="sma")
    add(sma, "nothing before the third value, then their mean", "SeedBias", "- - 2", "1 2 3")
    add(sma, "the mean of three, then alpha 0.5", "SeedBias", "- - 2 3.5 2.75", "1 2 3 5 2")
    add(sma, "fewer values than the span: nothing at all, no early number", "SeedBias Empty", "- -", "100 101")
    add(sma, "one value: nothing", "SingleEvent SeedBias", "-", "100")
    add(sma, "the seed differs from the first value's", "SeedBias", "- - 4 2 1", "12 0 0 0 0")
    add(sma, "a constant", "Worked", "- - 5 5 5", "5 5 5 5 5")
    add(sma, "the mean does not end", "Repeating SeedBias", "- - 4/3 7/6", "1 1 2 1")
    add(sma, "a gap after the seed repeats it", "MissingInput", "- - 2 2 3.5", "1 2 3 - 5")
    add(sma, "one missing input does not poison what comes after", "MissingInput NaN", "- - 2 2 2 3.5 2.75", "1 2 3 NaN - 5 2")
    add(sma, "later values do not reach back into the seed", "LookAhead SeedBias", "- - 2 501", "1 2 3 1000")
    sma.either("a gap inside the seed: three values, or three places", "MissingInput SeedBias", [[None, None, None, 2], [None, None, F("1.5"), F("2.25")], [None, None, None, None]], scale="3", values=words("1 - 2 3"))
    sma.either("no values: an empty list, or refused", "Empty", [[], None], values=[])
    unit = group(span="1", init="sma")
    add(unit, "span 1: seeded at once", "SeedBias", "3 1 4", "3 1 4")

    adjusted = group(span="3", init="adjusted")
    add(adjusted, "weights 1/2 and 1 over their sum: 103.5 x 2/3 ...", "SeedBias Repeating", "100 308/3 712/7", "100 104 101")
    add(adjusted, "one value: itself", "SingleEvent", "7", "7")
    add(adjusted, "a constant", "Worked", "5 5 5", "5 5 5")
    add(adjusted, "differs from seeding by the first value (which gives 0, 0.5)", "SeedBias Repeating", "0 2/3", "0 1")
    add(adjusted, "a gap repeats, and the weights do not decay over it", "MissingInput Repeating", "0 2/3 2/3 10/7", "0 1 - 2")

    poison = group(span="3", init="first", ema_nan="propagate")
    add(poison, "convention propagate: NaN from the gap on", "MissingInput", "100 102 - -", "100 104 - 101")
    add(poison, "convention propagate: NaN from the start", "MissingInput SeedBias", "- - -", "- 100 104")
    add(poison, "convention propagate: no gap, no difference", "Worked", "100 102 101.5", "100 104 101")

    def hostile(comment: str, flag: str, values: str = "100 104 101", **params: str) -> None:
        group(**params).refuse(comment, flag, values=words(values))

    hostile("unknown init", "UnknownConvention", span="3", init="zero")
    hostile("init in another language", "UnknownConvention", span="3", init="premier")
    hostile("neither span nor alpha", "UnknownConvention", init="first")
    hostile("sma needs a span: alpha is an error", "UnknownConvention SeedBias", alpha="0.5", init="sma")
    hostile("span 0", "UnknownConvention", span="0", init="first")
    hostile("negative span", "UnknownConvention", span="-3", init="first")
    hostile("alpha above 1: it would swing beyond its inputs", "UnknownConvention", alpha="2", init="first")
    hostile("negative alpha", "UnknownConvention", alpha="-0.5", init="first")

    tulip = group("TulipCharts/tulipindicators tests/untest.txt, ema 5 (printed to 3 digits: last 86.701)", span="5", init="first")
    pandas = group("ran pandas 2.3.3 Series.ewm(span=5, adjust=True).mean() (printed: last 86.7128394848639)", span="5", init="adjusted")
    talib = group("ran TA-Lib 0.8.2 talib.EMA(5) of the same prices (printed: first 82.426, second 82.66733333333333)", span="5", init="sma")
    for where, init in ((tulip, "first"), (pandas, "adjusted"), (talib, "sma")):
        where.add("15 closes", "SeedBias", arithmetic.ema(TULIP, init, span="5"), "87.77", values=TULIP)
        where.add("the first 8 of them: nothing changes", "LookAhead", arithmetic.ema(TULIP[:8], init, span="5"), "87.77", values=TULIP[:8])
    nautilus = group("nautilus_trader a95c804, tests/unit_tests/indicators/test_ema.py, three inputs (printed: 1.5123966942148757)", span="10", init="first")
    add(nautilus, "alpha 2/11", "SeedBias Repeating", "1 13/11 183/121", "1 2 3")
    rma = group("twopirllc/pandas-ta#767: values 1, 3 under length 2 gave 2.333333", alpha="0.5", init="first")
    add(rma, "right: 2.0", "SeedBias", "1 2", "1 3")

    numbers = Numbers(22)
    for init, spans in (("first", ["4", "9", "19"]), ("sma", ["4", "9"]), ("adjusted", ["9"])):
        for span in spans:
            computed = group(EXACT, span=span, init=init)
            for number in range(5):
                base = numbers.decimal(1, 60000, 2)
                values: list[Any] = [text(base + numbers.decimal(0, 9, 2)) for _ in range(numbers.between(5, 11))]
                flag = "Worked" if init == "first" else "SeedBias"
                if number in (1, 3):
                    values[numbers.between(int(span) if init == "sma" and int(span) < len(values) else 1, len(values) - 1)] = None
                    flag = "MissingInput"
                if None in values[: int(span)] and init == "sma":
                    values = [value or values[0] for value in values]
                    flag = "SeedBias"
                biggest = max(F(v) for v in values if v)
                computed.add(f"drawn values {number + 1}", flag, arithmetic.ema(values, init, span=span), biggest, values=values)
    return groups


def returns() -> list[Group]:
    simple = Group({"kind": "simple"}, HAND)
    for comment, flags, expected, prices in [
        ("up a quarter, down a fifth", "Worked", "0.25 -0.2", "100 125 100"),
        ("one price: no return", "SingleEvent", "", "100"),
        ("no change is 0", "Worked", "0 0", "7 7 7"),
        ("against the earlier price, not the later", "Denominator", "1", "100 200"),
        ("against the earlier price, going down", "Denominator", "-0.5", "200 100"),
        ("does not end: 1/3", "Repeating", "1/3", "3 4"),
        ("does not end: -1/7", "Repeating", "-1/7", "7 6"),
        ("a hundredth of a basis point", "Cancellation", "0.000001", "50000 50000.05"),
        ("a small change of a high price", "Cancellation", "-0.0000000001", "100000000 99999999.99"),
        ("a satoshi market: one tick is a quarter", "SmallPrice", "0.25", "0.00000004 0.00000005"),
        ("to almost nothing", "Magnitude", "-0.99999999", "1000 0.00001"),
        ("binary floats: 0.1 to 0.3", "BinaryNoise", "2", "0.1 0.3"),
        ("the first return does not know of the second", "LookAhead", "0.1 0.5", "10 11 16.5"),
        ("the same, cut before the second", "LookAhead", "0.1", "10 11"),
        ("19 digits", "LongDigits", "0.0000000001", "1000000000 1000000000.1"),
    ]:
        simple.add(comment, flags, words(expected), prices=prices.split())
    simple.either("no prices: an empty list, or refused", "Empty", [[], None], prices=[])

    log = Group({"kind": "log"}, LOGS)
    for comment, flags, prices in [
        ("doubled: ln 2", "Worked", "100 200"),
        ("halved: -ln 2, log returns are symmetric", "Worked", "200 100"),
        ("no change is 0", "Worked", "7 7 7"),
        ("one price: no return", "SingleEvent", "100"),
        ("log, not simple: up 10 % is 0.0953", "KindOfReturn", "100 110"),
        ("log, not simple: down 10 % is -0.1054", "KindOfReturn", "100 90"),
        ("natural, not base 10: tenfold is 2.3026", "KindOfReturn", "1 10"),
        ("adds up over time", "KindOfReturn", "100 110 121 100"),
        ("a hundredth of a basis point: log(1 + x) by log1p", "Cancellation", "50000 50000.05"),
        ("a billionth", "Cancellation", "100000000 100000000.1"),
        ("a satoshi market", "SmallPrice", "0.00000004 0.00000005"),
        ("to almost nothing", "Magnitude", "1000 0.00001"),
        ("binary floats: 0.1 to 0.3", "BinaryNoise", "0.1 0.3"),
        ("the first return does not know of the second", "LookAhead", "10 11 16.5"),
        ("the same, cut before the second", "LookAhead", "10 11"),
        ("a day of prices", "Worked", " ".join(WICKRA)),
    ]:
        log.add(comment, flags, arithmetic.returns(prices.split(), "log"), prices=prices.split())
    log.either("no prices: an empty list, or refused", "Empty", [[], None], prices=[])

    groups = [simple, log]
    for kind in ("simple", "log"):
        hostile = Group({"kind": kind}, HAND)
        for comment, flag, prices in [
            ("a price of 0 at the start: a division by 0", "ZeroPrice", "0 100"),
            ("a price of 0 at the end", "ZeroPrice", "100 0"),
            ("a price of 0 between", "ZeroPrice", "100 0 100"),
            ("a negative price", "NegativePrice", "100 -50"),
            ("two negative prices: the ratio is positive all the same", "NegativePrice", "-100 -50"),
            ("a price NaN", "NaN", "100 NaN 102"),
            ("a single price of 0", "ZeroPrice SingleEvent", "0"),
        ]:
            hostile.refuse(comment, flag, prices=prices.split())
        groups.append(hostile)
    for unknown in ("arithmetic", "percent", ""):
        strange = Group({"kind": unknown}, HAND)
        strange.refuse(f"unknown kind {unknown!r}", "UnknownConvention", prices=["100", "110"])
        groups.append(strange)

    numbers = Numbers(23)
    for kind, source in (("simple", EXACT), ("log", LOGS)):
        computed = Group({"kind": kind}, source)
        for number in range(10):
            base = numbers.decimal(1, 60000, 2)
            prices = [text(base + F(numbers.between(0, 900), 10 ** numbers.between(0, 4))) for _ in range(numbers.between(2, 7))]
            flag = "KindOfReturn" if kind == "log" else "Denominator"
            computed.add(f"drawn prices {number + 1}", flag if number % 2 else "Worked", arithmetic.returns(prices, kind), prices=prices)
        groups.append(computed)
    return groups


def volatility() -> list[Group]:
    groups = []

    def group(source: str, periods: str, kind: str, ddof: str) -> Group:
        groups.append(Group({"periods_per_year": periods, "kind": kind, "ddof": ddof}, source))
        return groups[-1]

    def fill(where: Group, comment: str, flags: str, prices: list[str]) -> None:
        value = arithmetic.volatility(prices, **where.params)
        where.add(comment, flags, value, prices=prices)

    quarters = group(HAND, "4", "simple", "1")
    quarters.add("0.2, 0.1, 0: squares 0.01 + 0 + 0.01, over 2, times 4: 0.04", "Worked", "0.2", prices=["100", "120", "132", "132"])
    quarters.add("a constant growth has none", "Worked", "0", prices=["100", "120", "144"])
    quarters.add("a constant price has none", "Worked", "0", prices=["7", "7", "7", "7"])
    quarters.add("0.1 and -0.1: squares 0.02, over 1, times 4", "Repeating", arithmetic.rounded(arithmetic.root(F("0.08"))), prices=["100", "110", "99"])
    quarters.add("one return: no sample", "SingleEvent", None, prices=["100", "110"])
    quarters.add("one price: no return", "SingleEvent", None, prices=["100"])
    quarters.add("no price", "Empty", None, prices=[])

    population = group(HAND, "4", "simple", "0")
    population.add("0.5, 0, -0.5: squares 0.5, over 3, times 4", "Ddof", arithmetic.rounded(arithmetic.root(F(2, 3))), prices=["100", "150", "150", "75"])
    population.add("0.1 and -0.1: squares 0.02, over 2, times 4: 0.04", "Ddof", "0.2", prices=["100", "110", "99"])
    population.add("one return: it is the mean", "SingleEvent Ddof", "0", prices=["100", "110"])
    population.add("one price: no return", "SingleEvent Ddof", None, prices=["100"])
    population.add("no price", "Empty Ddof", None, prices=[])

    for periods, name in (("365", "a 365-day year of days"), ("252", "252 days, where it is asked for"), ("8760", "hours"), ("525600", "minutes"), ("1", "one period a year")):
        for kind in ("log", "simple"):
            for ddof in ("1", "0"):
                where = group(LOGS, periods, kind, ddof)
                fill(where, f"{name}, {kind}, ddof {ddof}", "Annualization" if periods != "365" else "KindOfReturn" if ddof == "1" else "Ddof", WICKRA)
                fill(where, f"{name}: three prices", "Annualization Ddof", ["100", "101", "100.5"])
                if periods == "365":
                    fill(where, "a high price that hardly moves", "Cancellation", ["100000", "100000.01", "100000.03", "100000.02"])
                    fill(where, "a constant price", "Worked", ["50", "50", "50"])
                    fill(where, "a satoshi market", "SmallPrice", ["0.00000040", "0.00000041", "0.00000039", "0.00000040"])
                    fill(where, "the order of the returns does not matter", "OutOfOrder", ["100", "90", "99", "148.5"])
                    fill(where, "the same returns in another order", "OutOfOrder", ["100", "150", "135", "148.5"])
                    fill(where, "one return more than ddof", "SingleEvent", ["100", "110", "121.5"][: 2 + int(ddof)])

    growth = [F(100)] + [1 + F(change) for change in ["0.01", "0.1", "-0.04", "0.02", "0.03", "0.02", "0.01", "-0.1"]]
    prices = [text(price) for price in accumulate(growth, lambda a, b: a * b)]
    empyrical = group("ran empyrical-reloaded 0.7.1 annual_volatility(annualization=365) of eight simple returns (printed: 1.0995737810624624)", "365", "simple", "1")
    fill(empyrical, "prices that have those returns", "Annualization", prices)
    wickra = group("ran wickra 2.0.0 HistoricalVolatility(6, 365) (printed in percent: 116.86840708278885)", "365", "log", "1")
    fill(wickra, "a fraction here, not percent", "KindOfReturn Annualization", WICKRA)
    loris = group("loris.tools volatility calculator; it prints 5.564, which fits neither ddof: the value here is its own rule's", "252", "log", "1")
    fill(loris, "sample deviation of log returns times sqrt(252)", "Ddof Annualization", ["5.0", "5.8", "4.5", "6.2", "4.0", "7.0", "5.5"])

    for comment, flag, prices in [("a price of 0", "ZeroPrice", ["100", "0", "100"]), ("a negative price", "NegativePrice", ["100", "-90", "95"]), ("two negative prices", "NegativePrice", ["-100", "-90", "-95"]), ("a price NaN", "NaN", ["100", "NaN", "95"])]:
        for kind in ("log", "simple"):
            group(HAND, "365", kind, "1").refuse(f"{comment}, {kind}", flag, prices=prices)
    group(HAND, "0", "log", "1").refuse("no periods a year", "Annualization", prices=["100", "110", "105"])
    group(HAND, "-365", "log", "1").refuse("a negative number of periods", "Annualization", prices=["100", "110", "105"])
    group(HAND, "365", "cubic", "1").refuse("unknown kind", "UnknownConvention", prices=["100", "110", "105"])
    group(HAND, "365", "", "0").refuse("kind left empty", "UnknownConvention", prices=["100", "110", "105"])
    return groups


def drawdown() -> list[Group]:
    by_hand = Group({}, HAND)
    for comment, flags, expected, equity in [
        ("rise, fall, recovery", "Worked", "0 0 0.2 0.1 0", "100 200 160 180 200"),
        ("the first equity is the first peak", "SeedBias", "0 0.5 0.45", "1000 500 550"),
        ("a fall at the start: 1000 to 496.588 is 50.34 %, not 9 %", "SeedBias", "0 0.503412", "1000 496.588"),
        ("a new high sets it back to 0", "NewHigh", "0 0.1 0 0.1", "100 90 200 180"),
        ("measured from the new high, not the old one", "NewHigh", "0 0 0.5", "100 1000 500"),
        ("exactly at the old high is 0", "NewHigh", "0 0.25 0", "100 75 100"),
        ("one value", "SingleEvent", "0", "100"),
        ("never below: all 0", "Worked", "0 0 0", "1 2 3"),
        ("to nothing is 1", "Ruin", "0 1", "100 0"),
        ("below nothing is more than 1", "Ruin", "0 1.5", "100 -50"),
        ("positive sign", "SignOfDrawdown", "0 0.1", "10 9"),
        ("a fraction, not an amount: 20 of 200", "SignOfDrawdown", "0 0.1", "200 180"),
        ("of the high, not of the low: 1.1 to 0.99 is 10 %, not 11.1 %", "Denominator", "0 0 0.1", "1.0 1.1 0.99"),
        ("does not end: 7/15", "Repeating", "0 0 7/15", "10000 15000 8000"),
        ("no drawdown while the peak is 0", "ZeroPeak", "- 0 0.5", "0 10 5"),
        ("no drawdown while the peak is below 0", "ZeroPeak", "- - 0", "-10 -5 5"),
        ("never above 0: none at all", "ZeroPeak", "- - -", "-10 0 -5"),
        ("an equity of 0 alone", "ZeroPeak SingleEvent", "-", "0"),
        ("a negative equity alone", "ZeroPeak SingleEvent", "-", "-1"),
        ("a peak of one satoshi", "Dust", "0 0.5", "0.00000002 0.00000001"),
        ("binary floats: 0.3 to 0.1", "BinaryNoise Repeating", "0 2/3", "0.3 0.1"),
        ("a cent of a million", "Cancellation", "0 0.00000001", "1000000 999999.99"),
        ("19 digits", "LongDigits", "0 0.5", "1234567890123.456788 617283945061.728394"),
        ("what comes later does not reach back", "LookAhead", "0 0.1 0", "100 90 300"),
        ("the same, cut before", "LookAhead", "0 0.1", "100 90"),
        ("absolute distances 0.135, the fraction 0.12 (ml4t/diagnostic#56)", "SignOfDrawdown", "0 0.05 0 0.12 0.0936", "1.10 1.045 1.1286 0.993168 1.02296304"),
    ]:
        by_hand.add(comment, flags, words(expected), "1", equity=equity.split())
    by_hand.either("no equity: an empty list, or refused", "Empty", [[], None], equity=[])

    groups = [by_hand]
    for source, comment, equity in [
        ("ycharts.com/glossary/terms/max_drawdown (prints 0.4667, 4 digits)", "the largest is at 80000", "100000 150000 90000 120000 80000 200000"),
        ("fastercapital.com Maximum-Drawdown (prints 0.4667, 4 digits)", "7/15", "10000 15000 8000"),
        ("nautilus_trader a95c804, max_drawdown.rs (its comment prints 0.0909 for what is 0.10)", "right: 0.10", "1.0 1.1 0.99"),
    ]:
        published = Group({}, source)
        published.add(comment, "Denominator", arithmetic.drawdown(equity.split()), "1", equity=equity.split())
        groups.append(published)
    losses = [F(1)] + [1 + F(change) for change in ["-0.02", "-0.06", "-0.07", "-0.01", "-0.09", "-0.02", "-0.06", "-0.08", "-0.05"]]
    equity = [text(value) for value in accumulate(losses, lambda a, b: a * b)]
    empyrical = Group({}, "stefan-jansen/empyrical-reloaded tests/test_stats.py, all negative returns (prints -0.378589157)")
    empyrical.add("the initial 1 is the first peak; positive here", "SeedBias SignOfDrawdown", arithmetic.drawdown(equity), "1", equity=equity)

    hostile = Group({}, HAND)
    for comment, equity in [("NaN first", "NaN 100"), ("NaN between: neither 0 nor the last value", "100 NaN 90"), ("NaN last", "100 90 NaN"), ("NaN alone", "NaN")]:
        hostile.refuse(comment, "NaN", equity=equity.split())

    computed = Group({}, EXACT)
    numbers = Numbers(24)
    for number in range(24):
        equity = [text(numbers.decimal(-200 if number % 4 == 0 else 100, 1000, numbers.between(0, 4))) for _ in range(numbers.between(3, 8))]
        flag = "ZeroPeak" if F(equity[0]) <= 0 else "Worked" if number % 2 else "NewHigh"
        value = arithmetic.drawdown(equity)
        size = max([F(1)] + [each for each in value if each is not None])
        computed.add(f"drawn equity {number + 1}", flag, value, arithmetic.rounded(size, 3), equity=equity)
    return [*groups, empyrical, hostile, computed]


def trade_signs() -> list[Group]:
    groups = []
    for first in ("0", "1", "-1"):
        by_hand = Group({"first": first}, HAND)
        groups.append(by_hand)

        def add(comment: str, flags: str, expected: str, prices: str, by_hand: Group = by_hand, first: str = first) -> None:
            by_hand.add(comment, flags, [first if each == "f" else each for each in expected.split()], prices=prices.split())

        add("up, down", "Worked", "f 1 -1", "100 101 100")
        add("a zero tick keeps the last sign", "ZeroTickRule", "f 1 1 1", "100 101 101 101")
        add("a zero tick after a fall keeps -1", "ZeroTickRule", "f -1 -1 1", "100 99 99 100")
        add("until the first change: first", "ZeroTickRule SeedBias", "f f f 1", "100 100 100 101")
        add("no change at all", "ZeroTickRule", "f f f", "100 100 100")
        add("one trade", "SingleEvent", "f", "100")
        add("against the last different price, not the one before the last", "ZeroTickRule", "f 1 -1 -1 1", "100 102 101 101 102")
    zero = groups[0]
    zero.add("trailing zeros are no change", "BinaryNoise ZeroTickRule", [0, 0, 1], prices=["100.10", "100.1", "100.2"])
    zero.add("one satoshi is a change", "SmallPrice", [0, 1, -1], prices=["0.00003932", "0.00003933", "0.00003932"])
    zero.add("a change in the 16th digit is one", "Cancellation", [0, 1], prices=["123456789.1234567", "123456789.1234568"])
    zero.add("values before a change do not know of it", "LookAhead", [0, 0, -1], prices=["5", "5", "4"])
    zero.add("the same, cut before the change", "LookAhead", [0, 0], prices=["5", "5"])
    zero.add("not the reverse tick rule, which looks ahead", "LookAhead", [0, 1, -1], prices=["1", "2", "1"])
    zero.add("the size of the change does not matter", "Magnitude", [0, 1, -1, 1], prices=["1", "1000000", "999999.99", "999999.991"])
    zero.either("no trades: an empty list, or refused", "Empty", [[], None], prices=[])
    hostile = Group({"first": "0"}, HAND)
    for comment, flag, prices in [("a price of 0", "ZeroPrice", "100 0 100"), ("a first price of 0", "ZeroPrice", "0 100"), ("a negative price", "NegativePrice", "100 -1"), ("NaN first", "NaN", "NaN 100"), ("NaN between: no sign is right", "NaN", "100 NaN 101"), ("NaN last", "NaN", "100 101 NaN")]:
        hostile.refuse(comment, flag, prices=prices.split())
    computed = Group({"first": "0"}, EXACT)
    numbers = Numbers(25)
    for number in range(26):
        base = numbers.decimal(1, 60000, 2)
        prices = [text(base + F(numbers.below(3), 100)) for _ in range(numbers.between(3, 14))]
        computed.add(f"drawn prices {number + 1}", "ZeroTickRule" if number % 2 else "Worked", arithmetic.trade_signs(prices, "0"), prices=prices)
    return [*groups, hostile, computed]


def lee_ready() -> list[Group]:
    by_hand = Group({}, HAND)

    def case(comment: str, flags: str, expected: str, trades: str, quotes: str) -> None:
        """Trades are price@ts, quotes bid/ask@ts."""
        pairs = [each.split("@") for each in trades.split()]
        books = [each.replace("/", "@").split("@") for each in quotes.split()]
        by_hand.add(comment, flags, expected.split(), trade_prices=[p for p, _ in pairs], trade_ts=[t for _, t in pairs], quote_ts=[t for _, _, t in books], bids=[b for b, _, _ in books], asks=[a for _, a, _ in books])

    case("above the mid a buy, below it a sell", "Worked", "1 -1", "101@20 99@30", "99/101@10")
    case("inside the spread, on either side of the mid", "Worked", "1 -1", "100.2@20 99.8@30", "99/101@10")
    case("at the mid: the tick rule", "AtMid", "1 -1", "101@20 100@30", "99/101@10")
    case("at the mid after a lower price: a buy", "AtMid", "-1 1", "99@20 100@30", "99/101@10")
    case("at the mid, first trade: 0", "AtMid SeedBias", "0", "100@20", "99/101@10")
    case("at the mid, a zero tick keeps the last change", "AtMid ZeroTickRule", "1 -1 -1", "101@20 100@30 100@40", "99/101@10")
    case("at the mid of a spread of one tick: exact, no float", "AtMid BinaryNoise", "-1 1", "100.004@20 100.005@30", "100.00/100.01@10")
    case("the mid of 0.1 and 0.3 is 0.2", "AtMid BinaryNoise", "0 0", "0.2@20 0.2@30", "0.1/0.3@10")
    case("the mid of 1.1 and 2.2 is 1.65", "AtMid BinaryNoise", "0", "1.65@20", "1.1/2.2@10")
    case("before the first quote: the tick rule", "SeedBias", "0 1 -1", "100@1 101@2 100@3", "90/91@10")
    case("no quotes at all: the tick rule", "Empty SeedBias", "0 1 1 -1", "100@1 101@2 101@3 100@4", "")
    case("a quote of the trade's own instant is its effect: not in force", "SameTimestamp", "-1", "100@20", "100/102@10 98/99@20")
    case("the first quote has the trade's own instant: none in force", "SameTimestamp SeedBias", "0", "100@20", "98/99@20")
    case("one nanosecond earlier it is in force", "SameTimestamp", "1", "100@20", "100/102@10 98/99@19")
    case("a quote after the trade is not in force", "LookAhead", "-1", "100@20", "100/102@10 97/98@21")
    case("the newest quote, not the first", "Stale", "1", "100@50", "100/102@10 101/103@20 98/99@30")
    case("each trade its own quote", "Stale", "1 -1 1", "101@15 101@25 101@35", "99/100@10 102/103@20 98/99@30")
    case("two trades of one instant both see the same quote", "SameTimestamp", "1 -1", "101@20 99@20", "99/101@10")
    case("two quotes of one instant: the later of the list", "SameTimestamp", "-1", "100@20", "98/99@10 101/102@10")
    case("locked quote: at it the tick rule", "Locked", "0 1", "100@20 101@30", "100/100@10")
    case("through the quote: above the ask a buy", "Worked", "1 -1", "105@20 95@30", "99/101@10")
    case("the tick rule looks at trades that the quote signed", "AtMid", "-1 1 1", "98@20 100@30 100@40", "99/101@10")
    case("times of 19 digits, one nanosecond apart", "LongDigits", "-1 1", "100@1700000000000000001 100@1700000000000000002", "100/102@1700000000000000000 98/99@1700000000000000001")
    case("times before 1970", "BeforeEpoch", "1", "101@-5", "99/101@-10")
    case("a satoshi market", "SmallPrice", "1 -1", "0.00003933@20 0.00003932@30", "0.00003932/0.00003933@10")
    case("one trade, one quote far back", "Stale", "1", "101@9000000000000", "99/100@10")
    by_hand.either("no trades: an empty list, or refused", "Empty", [[], None], trade_prices=[], trade_ts=[], quote_ts=["10"], bids=["99"], asks=["101"])
    by_hand.either("crossed quote: no mid and the tick rule, or its mean all the same, or refused", "Crossed", [["0"], ["1"], None], trade_prices=["101"], trade_ts=["20"], quote_ts=["10"], bids=["101"], asks=["99"])

    hostile = Group({}, HAND)
    good: dict[str, Any] = {"trade_prices": ["101", "99"], "trade_ts": ["20", "30"], "quote_ts": ["10"], "bids": ["99"], "asks": ["101"]}
    for name in good:
        hostile.refuse(f"{name}: one too few", "UnequalLengths", **{**good, name: good[name][:-1]})
        hostile.refuse(f"{name}: one too many", "UnequalLengths", **{**good, name: [*good[name], "40"]})
    for name in ("trade_prices", "bids", "asks"):
        for value, flag in (("0", "ZeroPrice"), ("-1", "NegativePrice"), ("NaN", "NaN")):
            hostile.refuse(f"{value} among {name}", flag, **{**good, name: [value, *good[name][1:]]})

    computed = Group({}, EXACT)
    numbers = Numbers(26)
    for number in range(30):
        base = numbers.decimal(10, 50000, 2)
        unit = F(1, 100)
        quote_ts = sorted(numbers.between(1, 40) for _ in range(numbers.between(0, 5)))
        bids = [base + unit * numbers.below(6) for _ in quote_ts]
        asks = [bid + unit * numbers.between(1, 4) for bid in bids]
        trade_ts = sorted(numbers.between(1, 50) for _ in range(numbers.between(2, 8)))
        given = {"trade_prices": [text(base + unit * F(numbers.below(16), 2)) for _ in trade_ts], "trade_ts": [str(t) for t in trade_ts], "quote_ts": [str(t) for t in quote_ts], "bids": [text(b) for b in bids], "asks": [text(a) for a in asks]}
        same = set(quote_ts) & set(trade_ts)
        flag = "SameTimestamp" if same else "SeedBias" if not quote_ts or quote_ts[0] > trade_ts[0] else "Worked"
        computed.add(f"drawn tape {number + 1}", flag, arithmetic.lee_ready(**given), **given)
    return [by_hand, hostile, computed]
