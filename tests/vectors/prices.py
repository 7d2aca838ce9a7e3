"""Cases of mid, microprice, quote, round_price and round_qty."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

from corpus import EXACT, HAND, Group, Numbers

TICKS = ["0.01", "0.1", "0.5", "0.05", "0.00012", "4.4", "110", "0.0000001", "0.25", "3"]


def steps_down(value: F, step: F) -> F:
    """Return the largest multiple of step at or below value."""
    return (value / step).__floor__() * step


def steps_up(value: F, step: F) -> F:
    """Return the smallest multiple of step at or above value."""
    return -steps_down(-value, step)


def mid() -> list[Group]:
    by_hand = Group({"min_qty": "0"}, HAND)
    level = [["100", "1"]]
    by_hand.add("mean of best bid and best ask", "Worked", "100.5", bids=[["100", "2"]], asks=[["101", "3"]])
    by_hand.add("only the best level of each side counts", "Worked", "100.5", bids=[["100", "2"], ["99", "50"]], asks=[["101", "3"], ["110", "70"]])
    by_hand.add("one tick wide", "Worked", "1.00005", bids=[["1.0000", "5"]], asks=[["1.0001", "5"]])
    by_hand.add("quantities do not weigh", "Worked", "100.5", bids=[["100", "0.001"]], asks=[["101", "5000"]])
    by_hand.add("half a tick: the mid itself is not rounded", "HalfTick", "100.005", bids=[["100", "1"]], asks=[["100.01", "1"]])
    by_hand.add("half of an odd last digit", "HalfTick", "0.00000015", bids=[["0.0000001", "9"]], asks=[["0.0000002", "9"]])
    by_hand.add("binary floats: (0.1 + 0.3) / 2", "BinaryNoise", "0.2", bids=[["0.1", "1"]], asks=[["0.3", "1"]])
    by_hand.add("binary floats: (0.1 + 0.2) / 2", "BinaryNoise", "0.15", bids=[["0.1", "1"]], asks=[["0.2", "1"]])
    by_hand.add("locked book: best bid equals best ask", "Locked", "100", bids=level, asks=[["100", "4"]])
    by_hand.either("crossed book: no mid, or the mean all the same", "Crossed", ["100.5", None], bids=[["101", "1"]], asks=[["100", "1"]])
    by_hand.either("crossed by one tick", "Crossed", ["100.05", None], bids=[["100.1", "2"]], asks=[["100.0", "2"]])
    by_hand.add("no bids", "OneSided", None, bids=[], asks=[["101", "3"]])
    by_hand.add("no asks", "OneSided", None, bids=level, asks=[])
    by_hand.add("no asks, several bids", "OneSided", None, bids=[["100", "1"], ["99", "1"]], asks=[])
    by_hand.add("empty book", "Empty", None, bids=[], asks=[])
    by_hand.add("19 significant digits", "LongDigits", "1234567890.123456785", bids=[["1234567890.123456780", "1"]], asks=[["1234567890.123456790", "1"]])
    by_hand.add("a price of eight digits after the point", "SmallPrice", "0.000039325", bids=[["0.00003932", "508"]], asks=[["0.00003933", "12"]])
    by_hand.add("a very wide book", "Magnitude", "500000.0000005", bids=[["0.000001", "1"]], asks=[["1000000", "1"]])
    by_hand.add("the ask side, best first: 101, not 103 (a venue's array read from the wrong end gave 101.5)", "LevelOrder", "100.5", bids=[["100", "1"]], asks=[["101", "1"], ["102", "1"], ["103", "1"]])
    by_hand.add("the bid side, best first: 99, not 87", "LevelOrder", "99.5", bids=[["99", "1"], ["98", "1"], ["87", "1"]], asks=[["100", "1"]])

    hostile = Group({"min_qty": "0"}, HAND)
    hostile.refuse("bid price 0", "ZeroPrice", bids=[["0", "1"]], asks=[["101", "1"]])
    hostile.refuse("ask price 0", "ZeroPrice", bids=level, asks=[["0", "1"]])
    hostile.refuse("negative bid price", "NegativePrice", bids=[["-100", "1"]], asks=[["101", "1"]])
    hostile.refuse("both prices negative", "NegativePrice", bids=[["-101", "1"]], asks=[["-100", "1"]])
    hostile.refuse("negative quantity at the best bid", "NegativeQty", bids=[["100", "-1"]], asks=[["101", "1"]])
    hostile.refuse("negative quantity at the best ask", "NegativeQty", bids=level, asks=[["101", "-0.5"]])
    hostile.refuse("NaN as the best bid", "NaN", bids=[["NaN", "1"]], asks=[["101", "1"]])
    hostile.refuse("NaN as the best ask", "NaN", bids=level, asks=[["NaN", "1"]])
    hostile.either("NaN as the best bid's quantity, which nothing asks for: refused, or the mid all the same", "NaN", ["100.5", None], bids=[["100", "NaN"]], asks=[["101", "1"]])

    odd = Group({"min_qty": "0.1"}, HAND)
    bids, asks = [["100", "0.05"], ["99", "1"]], [["101", "2"], ["102", "2"]]
    odd.add("a bid of 0.05 is an odd lot: the next one counts", "OddLot", "100", bids=bids, asks=asks)
    odd.add("a quantity equal to min_qty is no odd lot", "OddLot TickBoundary", "100.5", bids=[["100", "0.1"], ["99", "1"]], asks=asks)
    odd.add("one unit of the last digit below min_qty", "OddLot TickBoundary", "100", bids=[["100", "0.09999999"], ["99", "1"]], asks=asks)
    odd.add("odd lots on both sides", "OddLot", "100.5", bids=[["100", "0.05"], ["99", "1"]], asks=[["101", "0.01"], ["102", "2"]])
    odd.add("several odd lots in a row", "OddLot", "99.5", bids=[["100", "0.05"], ["99.5", "0.06"], ["98", "3"]], asks=[["101", "1"]])
    odd.add("nothing but odd lots on the ask side", "OddLot OneSided", None, bids=[["100", "1"]], asks=[["101", "0.05"], ["102", "0.09"]])
    odd.add("nothing but odd lots at all", "OddLot Empty", None, bids=[["100", "0.01"]], asks=[["101", "0.05"]])
    odd.add("odd lots do not add up to one that counts", "OddLot OneSided", None, bids=[["100", "0.06"], ["99", "0.06"]], asks=[["101", "1"]])
    odd.add("no odd lot near the top", "Worked", "100.5", bids=[["100", "4"]], asks=[["101", "4"]])
    odd.add("an odd lot below the top changes nothing", "OddLot", "100.5", bids=[["100", "4"], ["99", "0.01"]], asks=asks)

    computed = Group({"min_qty": "0"}, EXACT)
    numbers = Numbers(11)
    for number in range(22):
        digits = numbers.between(0, 8)
        bid = numbers.decimal(1, 90000, digits)
        ask = bid + F(numbers.between(1, 9), 10**digits)
        # Only the top is drawn best; the second level is one unit behind it.
        unit = F(1, 10**digits)
        sides = {"bids": [[bid, numbers.decimal(1, 9, 3)]] + ([[bid - unit, 1]] if bid > unit else []), "asks": [[ask, numbers.decimal(1, 9, 3)], [ask + unit, 2]]}
        flag = "SmallPrice" if digits > 6 else "HalfTick" if (bid + ask) / unit % 2 else "Worked"
        computed.add(f"prices of {digits} digits after the point, number {number + 1}", flag, (bid + ask) / 2, **sides)
    return [by_hand, hostile, odd, computed]


def microprice() -> list[Group]:
    by_hand = Group({}, HAND)
    by_hand.add("(100 x 3 + 101 x 1) / 4: the small bid pulls the price down", "Worked", "100.25", bid="100", bid_qty="1", ask="101", ask_qty="3")
    by_hand.add("(100 x 1 + 101 x 3) / 4: the large bid pushes the price up", "OppositeWeights", "100.75", bid="100", bid_qty="3", ask="101", ask_qty="1")
    by_hand.add("equal quantities: the mid", "Worked", "100.5", bid="100", bid_qty="7", ask="101", ask_qty="7")
    by_hand.add("all the quantity on the bid: close to the ask", "OppositeWeights", "199.8", bid="100", bid_qty="998", ask="200", ask_qty="2")
    by_hand.add("all the quantity on the ask: close to the bid", "OppositeWeights", "100.2", bid="100", bid_qty="2", ask="200", ask_qty="998")
    by_hand.add("no bid quantity: the bid", "OneSided", "100", bid="100", bid_qty="0", ask="101", ask_qty="3")
    by_hand.add("no ask quantity: the ask", "OneSided", "101", bid="100", bid_qty="3", ask="101", ask_qty="0")
    by_hand.add("no quantity at all: not defined, and never 0", "ZeroVolume", None, bid="100", bid_qty="0", ask="101", ask_qty="0")
    by_hand.add("no quantity at all, written 0.00", "ZeroVolume", None, bid="99.5", bid_qty="0.00", ask="99.6", ask_qty="0.000")
    by_hand.add("locked book: that price", "Locked", "100", bid="100", bid_qty="1", ask="100", ask_qty="9")
    by_hand.either("crossed book: refused, or (101 x 3 + 100 x 1) / 4 all the same", "Crossed", ["100.75", None], bid="101", bid_qty="1", ask="100", ask_qty="3")
    by_hand.either("crossed by one tick: refused, or the formula all the same", "Crossed", ["10.005", None], bid="10.01", bid_qty="2", ask="10.00", ask_qty="2")
    by_hand.add("1 : 2 does not end: 302/3", "Repeating", F(302, 3), bid="100", bid_qty="2", ask="101", ask_qty="1")
    by_hand.add("1 : 6 does not end", "Repeating", F(701, 7), bid="100", bid_qty="1", ask="101", ask_qty="6")
    by_hand.add("dust against size", "Dust", F(10000000000101, 100000000001), bid="100", bid_qty="0.00000001", ask="101", ask_qty="1000")
    by_hand.add("binary floats: 0.1 and 0.3 with equal sizes", "BinaryNoise", "0.2", bid="0.1", bid_qty="0.7", ask="0.3", ask_qty="0.7")
    by_hand.add("quantities of 10^9 and prices of 10^-8", "Magnitude SmallPrice", "0.0000000125", bid="0.00000001", bid_qty="1000000000", ask="0.00000002", ask_qty="3000000000")
    by_hand.add("prices of 19 digits", "LongDigits", "1234567890.1234567825", bid="1234567890.123456780", bid_qty="1", ask="1234567890.123456790", ask_qty="3")

    hostile = Group({}, HAND)
    good = {"bid": "100", "bid_qty": "1", "ask": "101", "ask_qty": "3"}
    for name in ("bid", "ask"):
        hostile.refuse(f"{name} of 0", "ZeroPrice", **{**good, name: "0"})
        hostile.refuse(f"negative {name}", "NegativePrice", **{**good, name: "-100"})
    for name in ("bid_qty", "ask_qty"):
        hostile.refuse(f"negative {name}", "NegativeQty", **{**good, name: "-1"})
    hostile.refuse("quantities that cancel out: division by 0 all the same", "NegativeQty ZeroVolume", **{**good, "bid_qty": "-3"})
    for name in good:
        hostile.refuse(f"NaN as {name}", "NaN", **{**good, name: "NaN"})

    published = Group({}, "vyx.app/microprice; prints 100.09, rounded to 2 digits")
    published.add("printed as 100.09", "OppositeWeights Repeating", F("100") * F(50, 550) + F("100.1") * F(500, 550), bid="100.0", bid_qty="500", ask="100.1", ask_qty="50")
    printed = Group({}, "wickra documentation, Indicator-Microprice; prints 100.25")
    printed.add("printed as 100.25", "OppositeWeights", "100.25", bid="100", bid_qty="1", ask="101", ask_qty="3")

    computed = Group({}, EXACT)
    numbers = Numbers(12)
    for number in range(26):
        digits = numbers.between(0, 8)
        bid = numbers.decimal(1, 70000, digits)
        ask = bid + F(numbers.between(1, 40), 10**digits)
        bid_qty, ask_qty = (numbers.decimal(0, 400, numbers.between(0, 6)) + F(1, 1000) for _ in "ba")
        flag = "Worked" if number % 2 else "OppositeWeights"
        value = (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty)
        computed.add(f"drawn book {number + 1}", flag, value, bid=bid, bid_qty=bid_qty, ask=ask, ask_qty=ask_qty)
    return [by_hand, hostile, published, printed, computed]


def quote() -> list[Group]:
    def priced(fair: str | F, half: str | F, skew: str | F, tick: str | F) -> list[F] | None:
        bid = steps_down(F(fair) + F(skew) - F(half), F(tick))
        ask = steps_up(F(fair) + F(skew) + F(half), F(tick))
        return [bid, ask] if 0 < bid < ask else None

    by_hand = Group({}, HAND)

    def add(comment: str, flags: str, expected: Any, fair: str, half: str, skew: str, tick: str) -> None:
        by_hand.add(comment, flags, expected, fair=fair, half_spread=half, skew=skew, tick=tick)

    add("on the grid: nothing to round", "Worked", ["99.5", "100.5"], "100", "0.5", "0", "0.1")
    add("bid down, ask up", "OffTick", ["99.4", "100.6"], "100", "0.55", "0", "0.1")
    add("bid 99.47 down, ask 100.57 up", "OffTick", ["99.4", "100.6"], "100.02", "0.55", "0", "0.1")
    add("raw bid 1.0000399995 down to 1.0000, raw ask 1.0000600005 up to 1.0001", "OffTick", ["1.0000", "1.0001"], "1.00005", "0.0000100005", "0", "0.0001")
    add("a long position: skew below 0 moves both down", "Skew", ["99.3", "100.3"], "100", "0.5", "-0.2", "0.1")
    add("a short position: skew above 0 moves both up", "Skew", ["99.7", "100.7"], "100", "0.5", "0.2", "0.1")
    add("skew of less than a tick: 99.45 down, 100.45 up", "Skew OffTick", ["99.4", "100.5"], "100", "0.5", "-0.05", "0.1")
    add("skew larger than the half-spread", "Skew", ["98.5", "99.5"], "100", "0.5", "-1", "0.1")
    add("half-spread smaller than a tick: a tick wide at least", "HalfTick", ["100", "101"], "100.5", "0.1", "0", "1")
    add("fair half a tick off the grid, half-spread half a tick: exactly on the grid", "HalfTick TickBoundary", ["100.0", "100.1"], "100.05", "0.05", "0", "0.1")
    add("half-spread 0 off the grid: the tick around it", "HalfTick", ["100.0", "100.1"], "100.05", "0", "0", "0.1")
    add("half-spread 0 on the grid: bid and ask would be equal", "Crossed TickBoundary", None, "100", "0", "0", "0.1")
    add("half-spread 0, skew back onto the grid", "Crossed Skew", None, "100.05", "0", "0.05", "0.1")
    add("binary floats: 0.3 - 0.1 is a tick, not a tick less", "BinaryNoise", ["0.2", "0.4"], "0.3", "0.1", "0", "0.1")
    add("binary floats: 0.7 - 0.1 and 0.7 + 0.1", "BinaryNoise", ["0.6", "0.8"], "0.7", "0.1", "0", "0.1")
    add("binary floats: 1.1 + 2.2", "BinaryNoise Skew", ["1.1", "5.5"], "1.1", "2.2", "2.2", "1.1")
    add("binary floats: 8.20 - 0.02", "BinaryNoise", ["8.18", "8.22"], "8.20", "0.02", "0", "0.01")
    add("binary floats: 4.35 on a grid of 0.01", "BinaryNoise", ["4.34", "4.36"], "4.35", "0.01", "0", "0.01")
    add("tick 0.5", "OddTick", ["99.5", "100.5"], "100.1", "0.3", "0", "0.5")
    add("tick 0.05", "OddTick OffTick", ["50000.00", "50000.10"], "50000.03", "0.03", "0", "0.05")
    add("tick 0.00012: not a power of ten", "OddTick", ["0.00108", "0.00132"], "0.0012", "0.0001", "0", "0.00012")
    add("tick 4.4", "OddTick", ["39.6", "48.4"], "44", "1", "0", "4.4")
    add("tick 110", "OddTick", ["110", "220"], "165", "20", "0", "110")
    add("bid of exactly one tick", "TickBoundary", ["0.1", "0.5"], "0.3", "0.2", "0", "0.1")
    add("bid rounds to 0: no quote", "ZeroPrice", None, "0.3", "0.25", "0", "0.1")
    add("bid exactly 0: no quote", "ZeroPrice TickBoundary", None, "0.3", "0.3", "0", "0.1")
    add("bid below 0: a width of 2 at a price of 0.50", "NegativePrice", None, "0.50", "1", "0", "0.01")
    add("bid below 0 through the skew", "NegativePrice Skew", None, "1", "0.4", "-0.9", "0.1")
    add("fair below the tick: no bid above 0", "ZeroPrice", None, "0.05", "0.01", "0", "0.1")
    add("half-spread of 1 bp at 60000", "Worked", ["59994.0", "60006.0"], "60000", "6", "0", "0.1")
    add("half-spread of 1 bp at 61234.5: 61228.37655 and 61240.62345", "OffTick", ["61228.3", "61240.7"], "61234.5", "6.12345", "0", "0.1")
    add("a satoshi market", "SmallPrice", ["0.00003931", "0.00003934"], "0.000039325", "0.00000001", "0", "0.00000001")
    add("fair of 19 digits", "LongDigits", ["1234567890.12345677", "1234567890.12345680"], "1234567890.123456785", "0.00000001", "0", "0.00000001")

    hostile = Group({}, HAND)
    good = {"fair": "100", "half_spread": "0.5", "skew": "0", "tick": "0.1"}
    for name, value, flag in [("fair", "0", "ZeroPrice"), ("fair", "-100", "NegativePrice"), ("tick", "0", "ZeroTick"), ("tick", "-0.1", "ZeroTick"), ("half_spread", "-0.5", "Crossed"), ("fair", "NaN", "NaN"), ("half_spread", "NaN", "NaN"), ("skew", "NaN", "NaN"), ("tick", "NaN", "NaN")]:
        hostile.refuse(f"{name} of {value}", flag, **{**good, name: value})
    hostile.refuse("negative half-spread: the bid above the ask", "Crossed", fair="60000", half_spread="-6", skew="0", tick="0.1")
    hostile.refuse("fair of 0 with a skew that makes up for it", "ZeroPrice Skew", fair="0", half_spread="0.5", skew="10", tick="0.1")

    computed = Group({}, EXACT)
    numbers = Numbers(13)
    for number in range(36):
        tick = F(numbers.pick(TICKS))
        fair = tick * numbers.between(40, 9000) + tick * F(numbers.between(0, 99), 100)
        half = tick * F(numbers.between(0, 1500), 100)
        skew = tick * F(numbers.between(-800, 800), 100)
        expected = priced(fair, half, skew, tick)
        flag = "Skew OffTick" if number % 3 else "Worked"
        computed.add(f"drawn quote {number + 1}", flag if expected else "Crossed", expected, fair=fair, half_spread=half, skew=skew, tick=tick)
    return [by_hand, hostile, computed]


def round_price() -> list[Group]:
    by_hand = Group({}, HAND)

    def both(comment: str, flags: str, price: str, tick: str, buy: str, sell: str, group: Group = by_hand) -> None:
        group.add(f"{comment}, buy", flags, buy, price=price, tick=tick, side="buy")
        group.add(f"{comment}, sell", flags, sell, price=price, tick=tick, side="sell")

    both("between two ticks", "OffTick", "100.07", "0.1", "100.0", "100.1")
    both("on the grid", "Worked", "100.1", "0.1", "100.1", "100.1")
    both("on the grid of whole numbers", "Worked", "1495", "1", "1495", "1495")
    both("half a tick: no rounding to even", "HalfTick", "100.25", "0.5", "100", "100.5")
    both("half a tick above an odd tick", "HalfTick", "100.75", "0.5", "100.5", "101")
    both("a hair above the grid", "TickBoundary", "100.1000000001", "0.1", "100.1", "100.2")
    both("a hair below the grid", "TickBoundary", "100.0999999999", "0.1", "100.0", "100.1")
    both("binary floats: 0.3 / 0.1 is 3, not 2.9999", "BinaryNoise", "0.3", "0.1", "0.3", "0.3")
    both("binary floats: 0.6 / 0.2", "BinaryNoise", "0.6", "0.2", "0.6", "0.6")
    both("binary floats: 1.1 on a grid of 0.1", "BinaryNoise", "1.1", "0.1", "1.1", "1.1")
    both("binary floats: 4.35 on a grid of 0.01", "BinaryNoise", "4.35", "0.01", "4.35", "4.35")
    both("binary floats: 0.29 on a grid of 0.01", "BinaryNoise", "0.29", "0.01", "0.29", "0.29")
    both("binary floats: 2.675 is between two cents", "BinaryNoise HalfTick", "2.675", "0.01", "2.67", "2.68")
    both("tick 0.00012", "OddTick", "0.0013", "0.00012", "0.0012", "0.00132")
    both("tick 110", "OddTick HalfTick", "165", "110", "110", "220")
    both("tick 4.4", "OddTick", "44.00000001", "4.4", "44", "48.4")
    both("tick 0.00000012", "OddTick", "0.000123456789", "0.00000012", "0.00012336", "0.00012348")
    both("tick 3", "OddTick", "100", "3", "99", "102")
    both("tick above the price: a buy rounds to 0, which its caller must not send", "BelowOne", "0.05", "0.1", "0", "0.1")
    both("one unit above one tick", "TickBoundary", "0.11", "0.1", "0.1", "0.2")
    both("a grid of 10^-8", "SmallPrice", "0.000039325", "0.00000001", "0.00003932", "0.00003933")
    both("below 10^-6: no exponent in what is sent", "SmallPrice", "0.0000001234", "0.0000000001", "0.0000001234", "0.0000001234")
    both("20 significant digits", "LongDigits", "12345678901234567.895", "0.01", "12345678901234567.89", "12345678901234567.90")
    both("10^12 on a grid of 10^-2", "Magnitude", "1000000000000.005", "0.01", "1000000000000", "1000000000000.01")

    real = Group({}, "hand; numbers of public bug reports, named in each comment")
    for price in ("8.20", "78.60", "2.30", "1.13"):
        both(f"alexgolec/schwab-py#239: {price} is on the grid already", "BinaryNoise", price, "0.01", price, price, real)
    both("freqtrade#8386: 100.1 on a grid of 0.5", "OffTick OddTick", "100.1", "0.5", "100", "100.5", real)
    both("TorchTrade#197: a stop of 83456.78 less 1 %", "OffTick", "82622.2122", "0.10", "82622.2", "82622.3", real)
    both("bytex#21: 50000.03 on a grid of 0.05", "OffTick OddTick", "50000.03", "0.05", "50000.00", "50000.05", real)
    both("freqtrade#6504: 1495.2 on a grid of 1", "OffTick", "1495.2", "1", "1495", "1496", real)

    published = Group({}, "ccxt 4.5.90, ccxt/test/base/test_decimal_to_precision.py, TRUNCATE of values above 0 is rounding down")
    published.add("printed as 0", "BelowOne OddTick", "0", price="0.0001234567", tick="0.00013", side="buy")
    published.add("printed as 20", "Worked", "20", price="20", tick="0.00000001", side="buy")

    hostile = Group({}, HAND)
    good = {"price": "100.07", "tick": "0.1", "side": "buy"}
    for name, value, flag in [("price", "0", "ZeroPrice"), ("price", "-100.07", "NegativePrice"), ("price", "NaN", "NaN"), ("tick", "0", "ZeroTick"), ("tick", "-0.1", "ZeroTick"), ("tick", "NaN", "NaN"), ("side", "hold", "UnknownSide"), ("side", "", "UnknownSide")]:
        hostile.refuse(f"{name} {value!r}", flag, **{**good, name: value})
        if name != "side":
            hostile.refuse(f"{name} {value!r}, sell", flag, **{**good, "side": "sell", name: value})

    computed = Group({}, EXACT)
    numbers = Numbers(14)
    for number in range(30):
        tick = F(numbers.pick(TICKS))
        price = tick * numbers.between(1, 90000) + tick * F(numbers.between(0, 999), 1000) * (number % 4 > 0)
        side = numbers.pick(["buy", "sell"])
        value = steps_down(price, tick) if side == "buy" else steps_up(price, tick)
        computed.add(f"drawn price {number + 1}", "Worked" if value == price else "OffTick", value, price=price, tick=tick, side=side)
    return [by_hand, real, published, hostile, computed]


def round_qty() -> list[Group]:
    by_hand = Group({}, HAND)
    for comment, flags, qty, lot, value in [
        ("always down", "OffTick", "1.239", "0.01", "1.23"),
        ("on the grid", "Worked", "1.23", "0.01", "1.23"),
        ("on a grid of whole contracts", "Worked", "17", "1", "17"),
        ("half a lot goes down", "HalfTick", "2.5", "1", "2"),
        ("half a lot above an odd lot goes down too", "HalfTick", "3.5", "1", "3"),
        ("just short of a lot", "TickBoundary", "0.0999999999", "0.1", "0"),
        ("just above a lot", "TickBoundary", "0.1000000001", "0.1", "0.1"),
        ("exactly one lot", "TickBoundary", "0.1", "0.1", "0.1"),
        ("less than a lot is nothing", "BelowOne", "0.0004", "0.001", "0"),
        ("less than a lot of 100", "BelowOne", "99.99", "100", "0"),
        ("nothing stays nothing", "BelowOne", "0", "0.001", "0"),
        ("binary floats: 0.3 / 0.1 is 3", "BinaryNoise", "0.3", "0.1", "0.3"),
        ("binary floats: 0.7 / 0.1 is 7", "BinaryNoise", "0.7", "0.1", "0.7"),
        ("binary floats: 1.1 / 0.1 is 11", "BinaryNoise", "1.1", "0.1", "1.1"),
        ("binary floats: 0.29 / 0.01 is 29", "BinaryNoise", "0.29", "0.01", "0.29"),
        ("binary floats: 4.35 / 0.01 is 435", "BinaryNoise", "4.35", "0.01", "4.35"),
        ("binary floats: 0.57 / 0.01 is 57", "BinaryNoise", "0.57", "0.01", "0.57"),
        ("binary floats: 1.001 / 0.001 is 1001", "BinaryNoise", "1.001", "0.001", "1.001"),
        ("binary floats: 10.001 on a grid of 0.001", "BinaryNoise", "10.001", "0.001", "10.001"),
        ("a quarter of 10.001: 2.50025 down to 2.500 (nautilus_trader#4222 left 2.50025)", "OffTick", "2.50025", "0.001", "2.5"),
        ("6/7 of 2100 in lots of 300 (backtesting.py#954)", "OddTick", "1800", "300", "1800"),
        ("a lot of 300", "OddTick", "2099", "300", "1800"),
        ("a lot of 0.25", "OddTick", "1.99", "0.25", "1.75"),
        ("a lot of 0.00012", "OddTick", "0.0013", "0.00012", "0.0012"),
        ("a lot of 7", "OddTick", "48", "7", "42"),
        ("one satoshi", "Dust", "0.00000001", "0.00000001", "0.00000001"),
        ("dust below a satoshi", "Dust", "0.000000009", "0.00000001", "0"),
        ("4248.70514275 is on a grid of 10^-8", "Worked", "4248.70514275", "0.00000001", "4248.70514275"),
        ("21 significant digits", "LongDigits", "1234567890123.456789019", "0.00000001", "1234567890123.45678901"),
        ("10^15 in lots of 10^-3", "Magnitude", "1000000000000000.0009", "0.001", "1000000000000000"),
        ("rounding up would pass the balance: 0.9999 in lots of 0.01", "OffTick", "0.9999", "0.01", "0.99"),
    ]:
        by_hand.add(comment, flags, value, qty=qty, lot=lot)

    hostile = Group({}, HAND)
    for comment, flag, qty, lot in [("lot of 0", "ZeroTick", "1", "0"), ("negative lot", "ZeroTick", "1", "-0.1"), ("negative quantity", "NegativeQty", "-1.5", "0.1"), ("negative quantity on the grid", "NegativeQty", "-1", "1"), ("quantity NaN", "NaN", "NaN", "0.1"), ("lot NaN", "NaN", "1", "NaN")]:
        hostile.refuse(comment, flag, qty=qty, lot=lot)

    computed = Group({}, EXACT)
    numbers = Numbers(15)
    for number in range(30):
        lot = F(numbers.pick(["1", "0.1", "0.001", "0.00001", "0.00000001", "100", "0.25", "300", "0.00012"]))
        qty = lot * numbers.between(0, 70000) + lot * F(numbers.between(0, 999), 1000) * (number % 3 > 0)
        value = steps_down(qty, lot)
        computed.add(f"drawn quantity {number + 1}", "Worked" if value == qty else "OffTick", value, qty=qty, lot=lot)
    return [by_hand, hostile, computed]
