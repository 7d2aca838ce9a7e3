"""Section 3.3 on evidence that is odd and right: it raises nothing, and the same claim moved a little is found."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from checks.hand_3_3 import (
    BASE,
    LIMITS,
    MARKETS,
    T0_MS,
    Row,
    amount,
    changed,
    claim,
    closes,
    ema,
    known,
    look,
    printed,
    row_of,
    table,
    tape,
    trades,
    volatility,
    vwap,
    write,
)  # fmt: skip

from mmverify.errors import EvidenceError

ITEM = {"vwap": "3.3.1", "ema": "3.3.2", "volatility": "3.3.3"}

# In the window of a second: 100 x 2, 110 x 2, 130 x 1, the last of which arrives at 1010.
# The first alone 100; two (200 + 220) / 4 = 105; three (200 + 220 + 130) / 5 = 110.
THREE = trades("""
    0   5    BTC-USDT t1 100 2
    500 505  BTC-USDT t2 110 2
    900 1010 BTC-USDT t3 130 1
""")
# Without the bot's clock, about a claim at 1000: 990 is surely known, 998 and 1003 may be, 1008 is not.
BLIND = trades("""
    990  - BTC-USDT t1 100 1
    998  - BTC-USDT t2 110 1
    1003 - BTC-USDT t3 120 1
    1008 - BTC-USDT t4 130 1
""")
# 100, 101 and 103 of one moment, 104
FOUR = trades("""
    0   5   BTC-USDT t1 100 1
    400 405 BTC-USDT t2 101 1
    400 405 BTC-USDT t3 103 1
    700 705 BTC-USDT t4 104 1
""")
# Closes of 500 ms: 100, 110, 99, 108.9: simple returns 0.1, -0.1, 0.1; see hand_3_3 for the sums of squares: 24 / 900
# for simple, 2/3 (ln 11/9)^2 for log, ln 11/9 = 0.20067069546215116...
CLOSES = trades("""
    0    3    BTC-USDT c0 95    4
    499  502  BTC-USDT c1 100   1
    700  703  BTC-USDT c2 110   1
    1400 1403 BTC-USDT c3 99    1
    1999 2002 BTC-USDT c4 108.9 1
""")
HALF, FIFTH = 500_000_000, 200_000_000


def second(name: str, at: float, value: str, **params: Any) -> Row:
    """Claim a signal over the first second."""
    return claim(name, at, value, start=0, end=1000, **params)


def four(value: str, end: float = 2000, **params: Any) -> Row:
    """Claim a volatility over buckets of 500 ms."""
    return claim("volatility", end + 10, value, start=0, end=end, period_ns=HALF, **params)


LAG = {"timing": {"claim_lag_ms": 600}}
SKEW = {"timing": {"max_clock_skew_ms": 5}}
HUGE = trades("""
    0   5   BTC-USDT t1 999999999.999 999999999.999
    100 105 BTC-USDT t2 999999999.997 999999999.999
""")
TINY = trades("""
    0    5    BTC-USDT t1 0.000000000001 1
    500  505  BTC-USDT t2 0.000000000003 1
    1000 1005 BTC-USDT t3 0.000000000003 1
""")
TRILLION = trades("""
    0   5   BTC-USDT t1 1000000000000 0.5
    100 105 BTC-USDT t2 1000000000001 0.5
""")

RIGHT: dict[str, tuple[list[Row], Row, dict[str, Any]]] = {
    "a trade of the claim's own moment is in it": (THREE, second("vwap", 1010, "110.00000000"), {}),
    "a trade of the claim's own moment is not in it": (THREE, second("vwap", 1010, "105.00000000"), {}),
    "a late trade is not in a claim of before it": (THREE, second("vwap", 1009, "105.00000000"), {}),
    "a late trade is in a claim of after it": (THREE, second("vwap", 1011, "110.00000000"), {}),
    "with a lag, the newest state": (THREE, second("vwap", 1011, "110.00000000"), LAG),
    "with a lag, a state between": (THREE, second("vwap", 1011, "105.00000000"), LAG),
    "with a lag, the oldest state": (THREE, second("vwap", 1011, "100.00000000"), LAG),
    "with a lag, an EMA of before": (THREE, claim("ema", 1011, "105.00000000", span=3), LAG),  # (100 + 110) / 2
    "without the bot's clock, what is sure": (BLIND, claim("vwap", 1000, "100.00000000", start=0, end=2000), SKEW),
    "without the bot's clock, what may be": (BLIND, claim("vwap", 1000, "105.00000000", start=0, end=2000), SKEW),
    "without the bot's clock, a little ahead": (BLIND, claim("vwap", 1000, "110.00000000", start=0, end=2000), SKEW),
    # a copy with its trade_id is the same trade, the first to arrive, whatever the order of the file: 105 before 1010
    "a repeated trade": (
        THREE[2:] + THREE + [THREE[1] | {"ts_local": "700"}], second("vwap", 1009, "105.00000000"), {},
    ),
    "a repeat that stands before its trade in the file": (
        [THREE[2] | {"ts_local": "1500"}, *THREE], second("vwap", 1011, "110.00000000"), {},
    ),
    # without an id they are two trades: (200 + 117 x 2 x 2 + 130) / 7 = 798 / 7 = 114
    "trades without an id": (
        changed([THREE[0], THREE[1], THREE[1], THREE[2]], 2, 3, trade_id="", price="117"),
        second("vwap", 1011, "114.00000000"), {},
    ),
    "a trade of no quantity": (
        [*THREE, THREE[0] | {"trade_id": "t0", "price": "500", "qty": "0"}], second("vwap", 1011, "110.00000000"), {},
    ),
    "a trade at a price of 0": (
        [*THREE, THREE[0] | {"trade_id": "t0", "price": "0"}], second("vwap", 1011, "110.00000000"), {},
    ),
    "a window of nothing but a trade at 0": (changed(THREE[:1], price="0"), second("vwap", 1011, ""), {}),
    "an EMA past a trade at a price of 0": (  # 100, 101.5, 102.75
        changed(FOUR, 2, price="0"), claim("ema", 800, "102.75000000", span=3), {},
    ),
    "a window of no quantity": (changed(THREE, qty="0"), second("vwap", 1011, ""), {}),
    "a window in which nothing had arrived": (changed(THREE, ts_local="5000"), second("vwap", 1011, ""), {}),
    "a window of no trade": (changed(THREE, symbol="ETH-PERP"), second("vwap", 1011, ""), {}),
    "a trade at the window's start is in it, one at its end is not": (
        THREE, claim("vwap", 2000, "110.00000000", start=500, end=900), {},
    ),
    "a window of one trade": (THREE, claim("vwap", 2000, "130.00000000", start=501, end=901), {}),
    "int64 is too narrow": (HUGE, second("vwap", 1010, "999999999.998"), {}),
    # every product fits: 999999999999 x 9000000 = 9.0 x 10^18 < 2^63; their sum does not
    "int64 is too narrow for the sum": (changed(HUGE, qty="9000.000"), second("vwap", 1010, "999999999.998"), {}),
    "a very high price": (TRILLION, second("vwap", 1010, "1000000000000.5"), {}),
    "a very high price, EMA": (TRILLION, second("ema", 1010, "1000000000000.50", span=3), {}),
    "a very low price": (TINY, second("vwap", 1010, "0.000000000002"), {}),
    "a very low price, EMA": (TINY, second("ema", 1010, "0.000000000002", span=3), {}),
    # 1e-12, 3e-12, 3e-12: simple returns 2 and 0: mean 1, squares 2, over 1, times 2: root of 4
    "a very low price, volatility": (
        TINY, four("2.00000000", end=1500, periods_per_year=2), {"volatility": "simple"},
    ),
    "an EMA since the session's start": (FOUR, claim("ema", 410, "101.75000000", span=3), {}),  # 100, 100.5, 101.75
    "an EMA with a window": (FOUR, claim("ema", 800, "103.00000000", start=400, span=3), {}),  # 101, 102, 103
    # t3 came before t2; of one moment the order of the file stands: 100, 100.5, 101.75
    "trades of one moment": (changed(FOUR, 3, ts_local="402"), claim("ema", 410, "101.75000000", span=3), {}),
    # 100, (100 + 103) / 2 = 101.5, (101.5 + 101) / 2 = 101.25
    "trades of one moment as they came": (
        changed(FOUR, 3, ts_local="402"), claim("ema", 410, "101.25000000", span=3), {},
    ),
    "trades of one moment by their ids": (
        changed(FOUR, 2, trade_id="t31"), claim("ema", 410, "101.25000000", span=3), {},
    ),
    "an EMA of alpha 1": (FOUR, claim("ema", 800, "104.00000000", alpha=1), {}),
    "an EMA of span 1": (FOUR, claim("ema", 800, "104.00000000", span=1), {}),
    # alpha 2 / (1.5 + 1) = 0.8: 100, 100.8, 102.56, 103.712
    "an EMA of a broken span": (FOUR, claim("ema", 800, "103.71200000", span=1.5), {}),
    "an sma start before n values": (FOUR, claim("ema", 300, "", span=3), {"ema_init": "sma"}),
    # (100 + 101 + 103) / 3 = 304 / 3; then (304 / 3 + 104) / 2 = 616 / 6 = 102.666...
    "an sma start at n values": (FOUR, claim("ema", 410, "101.33333333", span=3), {"ema_init": "sma"}),
    "an sma start after n values": (FOUR, claim("ema", 800, "102.66666667", span=3), {"ema_init": "sma"}),
    # (100 + 101) / 2 = 100.5; 100.5 + 0.25 x 2.5 = 101.125
    "an sma start with alpha and n": (FOUR, claim("ema", 410, "101.12500000", alpha=0.25, n=2), {"ema_init": "sma"}),
    # (103 + 101 / 2 + 100 / 4) / (1 + 1/2 + 1/4) = 178.5 / 1.75 = 102
    "an adjusted EMA": (FOUR, claim("ema", 410, "102.00000000", span=3), {"ema_init": "adjusted"}),
    # closes of 400 ms: 100, 110: 105. The third bucket is cut short by the window; its 130 gives 117.5
    "a bucket cut short, left out": (THREE, second("ema", 1011, "105.00000000", span=3, period_ns=2 * FIFTH), {}),
    "a bucket cut short, taken": (THREE, second("ema", 1011, "117.50000000", span=3, period_ns=2 * FIFTH), {}),
    # closes of 200 ms: 100, none, 103, 104, none. Passed over: 100, 101.5, 102.75. Repeated: 100, 100, 101.5, 102.75,
    # 103.375
    "empty buckets are passed over": (FOUR, second("ema", 1010, "102.75000000", span=3, period_ns=FIFTH), {}),
    "empty buckets repeat the last close": (FOUR, second("ema", 1010, "103.37500000", span=3, period_ns=FIFTH), {}),
    # 24 / 900 / 2 x 3 = 0.04; 24 / 900 / 3 x 4.5 = 0.04
    "simple returns": (CLOSES, four("0.20000000", n=3, ddof=1, periods_per_year=3), {"volatility": "simple"}),
    "a population's": (CLOSES, four("0.20000000", ddof=0, periods_per_year=4.5), {"volatility": "simple"}),
    # 2/3 x (ln 11/9)^2 / 2 x 3 = (ln 11/9)^2 = 2/3 x (ln 11/9)^2 / 3 x 4.5
    "log returns": (CLOSES, four("0.20067070", n=3, ddof=1, periods_per_year=3), {}),
    "log returns of a population": (CLOSES, four("0.20067070", ddof=0, periods_per_year=4.5), {}),
    # a year of 365 x 86400 s has 63072000 halves of a second: 24 / 900 / 2 x 63072000 = 840960, its root
    # 917.0387123780544...
    "a year of 365 days": (CLOSES, four("917.03871238", ddof=1), {"volatility": "simple"}),
    # 100, 110, 99, 108.9, 108.9: returns 0.1, -0.1, 0.1, 0, mean 0.025; squares 3 x 0.01 - 4 x 0.000625 = 0.0275;
    # / 3 x 12 = 0.11, its root 0.33166247903554
    "an empty bucket repeats the price": (
        CLOSES, four("0.33166248", end=2500, n=4, ddof=1, periods_per_year=12), {"volatility": "simple"},
    ),
    # 100, 100, 99, 108.9: returns 0, -0.01, 0.1, mean 0.03; squares 0.0009 + 0.0016 + 0.0049 = 0.0074; / 2 x 37 =
    # 0.1369, its root 0.37
    "a trade at a price of 0 is no close": (
        changed(CLOSES, 3, price="0"), four("0.37000000", ddof=1, periods_per_year=37), {"volatility": "simple"},
    ),
    # prices that do not move
    "no movement": (changed(CLOSES, price="100"), four("0.00000000", ddof=1), {}),
}  # fmt: skip


def session(folder: Path, held: list[Row], claims: list[Row], **settings: Any) -> Path:
    return write(folder, {"instruments": MARKETS, "trades": held, "signals": claims}, **settings)


@pytest.mark.parametrize("name", RIGHT)
def test_odd_and_right_raises_nothing(tmp_path: Path, name: str) -> None:
    held, row, settings = RIGHT[name]
    seen = look(session(tmp_path / "right", held, [row], **settings), ITEM[row["name"]])
    assert (seen.findings, seen.errors) == ((), ())
    assert (seen.items[0].status, seen.items[0].exercised) == ("verified", 1), seen.notes


@pytest.mark.armed
@pytest.mark.parametrize("name", RIGHT)
def test_the_same_claim_moved_by_one_digit_is_found(tmp_path: Path, name: str) -> None:
    held, row, settings = RIGHT[name]
    digits = len(row["value"].partition(".")[2])
    moved = printed(Fraction(row["value"]) + Fraction(1, 10**digits), digits) if row["value"] else "100"
    seen = look(session(tmp_path / "moved", held, [row | {"value": moved}], **settings), ITEM[row["name"]])
    assert [(f.location, f.count) for f in seen.findings] == [("signals:1", 1)]
    assert seen.errors == ()


WRONG = {
    "with a lag, a state of before it": (THREE, second("vwap", 1106, "100.00000000"), LAG),
    "a trade that came a nanosecond later": (
        changed(THREE, 3, ts_local="1010.000001"), second("vwap", 1010, "110.00000000"), {},
    ),
    "without the bot's clock, too far ahead": (BLIND, claim("vwap", 1000, "115.00000000", start=0, end=2000), SKEW),
    "an empty window gives a number": (changed(THREE, qty="0"), second("vwap", 1011, "110"), {}),
    "an sma start published early": (FOUR, claim("ema", 300, "100", span=3), {"ema_init": "sma"}),
    "an EMA of no trades": (changed(FOUR, symbol="ETH-PERP"), claim("ema", 300, "100", span=3), {}),
    "an EMA of no closes": (FOUR, claim("ema", 3000, "100", start=2000, end=3000, span=3, period_ns=HALF), {}),
    "no annualization where a 365-day year is due": (
        CLOSES, four("0.11547005", ddof=1), {"volatility": "simple"},
    ),
}  # fmt: skip


@pytest.mark.armed
@pytest.mark.parametrize("name", WRONG)
def test_odd_and_wrong_is_found(tmp_path: Path, name: str) -> None:
    held, row, settings = WRONG[name]
    seen = look(session(tmp_path / "wrong", held, [row], **settings), ITEM[row["name"]])
    assert [(f.location, f.count) for f in seen.findings] == [("signals:1", 1)]
    assert seen.errors == ()


def test_a_trade_at_a_price_of_0_that_was_counted_is_named(tmp_path: Path) -> None:
    # (200 + 220 + 130 + 0) / 6 = 91.666...
    held = [*THREE, THREE[0] | {"trade_id": "t0", "price": "0", "qty": "1"}]
    seen = look(session(tmp_path / "counted", held, [second("vwap", 1011, "91.66666667")]), "3.3.1")
    (finding,) = seen.findings
    assert finding.cause == "trades at a price of 0 were in it"


NOT_JUDGED = {
    "no bounds": (THREE, claim("vwap", 1010, "1"), "whose window or params leave it open"),
    "no end": (THREE, claim("vwap", 1010, "1", start=0), "whose window or params leave it open"),
    "no params": (FOUR, claim("ema", 1010, "1"), "whose window or params leave it open"),
    "buckets without a window": (FOUR, claim("ema", 1010, "1", span=3, period_ns=HALF), "leave it open"),
    "buckets of no length": (FOUR, second("ema", 1010, "1", span=3, period_ns=0), "leave it open"),
    "an alpha of 0": (FOUR, claim("ema", 1010, "1", alpha=0), "leave it open"),
    "an alpha above 1": (FOUR, claim("ema", 1010, "1", alpha=1.5), "leave it open"),
    "a span below 1": (FOUR, claim("ema", 1010, "1", span=0.5, alpha=0.5), "leave it open"),
    "params are not JSON": (FOUR, claim("ema", 1010, "1") | {"params": "span=3"}, "params is no JSON object"),
    "params are a list": (FOUR, claim("ema", 1010, "1") | {"params": "[3]"}, "params is no JSON object"),
    "params are nested without end": (
        FOUR,
        claim("ema", 1010, "1") | {"params": "[" * 9999},
        "params is no JSON object",
    ),
    "a span in text": (FOUR, claim("ema", 1010, "1", span="3"), "params is no JSON object with numbers"),
    "a span beyond float64": (
        FOUR,
        claim("ema", 1010, "1") | {"params": '{"span": 1e999}'},
        "no JSON object with numbers",
    ),
    "a span of 400 digits": (FOUR, claim("ema", 1010, "1", span=10**400), "no JSON object with numbers"),
    "a span that is no number": (FOUR, claim("ema", 1010, "1", span=float("nan")), "no JSON object with numbers"),
    "a negative span": (FOUR, claim("ema", 1010, "1", span=-3), "no JSON object with numbers"),
    "a span that is true": (FOUR, claim("ema", 1010, "1", span=True), "no JSON object with numbers"),
    "a broken n": (CLOSES, four("1", n=2.5), "no JSON object with numbers"),
    "no period": (CLOSES, claim("volatility", 2010, "1", start=0, end=2000), "leave it open"),
    "a volatility without bounds": (CLOSES, claim("volatility", 2010, "1", period_ns=HALF), "leave it open"),
    "a window of broken buckets": (CLOSES, four("1", end=2100), "leave it open"),
    "another number of returns than the window's": (CLOSES, four("1", n=2), "leave it open"),
    "too few returns": (CLOSES, four("1", end=1000, ddof=1), "leave it open"),
    "an empty first bucket": (CLOSES[2:], four("1"), "leave it open"),
    "no periods a year": (CLOSES, four("1", periods_per_year=0), "leave it open"),
    "all symbols together": (
        CLOSES,
        four("1") | {"symbol": "*"},
        "*: a volatility of all symbols together is not judged",
    ),
}


@pytest.mark.parametrize("name", NOT_JUDGED)
def test_what_is_left_open_is_noted_and_not_judged(tmp_path: Path, name: str) -> None:
    held, row, note = NOT_JUDGED[name]
    seen = look(session(tmp_path / "open", held, [row]), ITEM[row["name"]])
    assert (seen.findings, seen.errors, seen.items[0].status) == ((), (), "not_assessed")
    assert any(note in each for each in seen.notes), seen.notes
    assert note in seen.items[0].reason


@pytest.mark.parametrize(
    "row",
    [
        second("vwap", 1010, "NaN"),  # 5.1.3's
        second("vwap", 1010, "inf"),
        second("ema", 1010, "", span=3),  # no value where there is one: the bot claims nothing
        four(""),
        claim("imbalance", 1010, "0.3"),
        claim("vwap_60s", 1010, "1"),
        claim("VWAP", 1010, "1"),
    ],
    ids=lambda row: f"{row['name']} {row['value'] or 'empty'}",
)
def test_what_claims_no_value_is_not_exercised(tmp_path: Path, row: Row) -> None:
    seen = look(session(tmp_path / "idle", FOUR, [row]), "3.3.1", "3.3.2", "3.3.3")
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.status for item in seen.items] == ["not_assessed"] * 3
    assert {item.reason for item in seen.items} == {"no record exercised it"}


def test_without_trades_or_signals_nothing_is_assessed(tmp_path: Path) -> None:
    for missing in ("trades", "signals"):
        folder = write(
            tmp_path / missing, {name: rows for name, rows in BASE.items() if name != missing}, limits=LIMITS
        )
        seen = look(folder, "3.3")
        assert [item.status for item in seen.items[:3]] == ["not_assessed"] * 3
        assert {item.reason for item in seen.items[:3]} == {f"the evidence has no {missing}"}
    assert seen.items[3].status == "not_assessed"


def test_claims_are_held_to_the_digits_that_they_are_printed_with(tmp_path: Path) -> None:
    # (100 x 1 + 101 x 1 + 103 x 1) / 3 = 101.333...: two digits are right, and one of them more or less is not
    rows = [claim("vwap", 500, value, start=0, end=500) for value in ("101.33", "101.34", "101.32")]
    seen = look(session(tmp_path / "two", FOUR, rows), "3.3.1")
    assert [(f.count, f.occurrences) for f in seen.findings] == [(2, ("signals:2", "signals:3"))]
    # the column prints three digits once, so that two are too few for the others
    seen = look(session(tmp_path / "three", FOUR, [*rows[:1], rows[0] | {"value": "101.333"}]), "3.3.1")
    assert [(f.count, f.location) for f in seen.findings] == [(1, "signals:1")]


def test_claims_in_float64_are_held_to_a_billionth(tmp_path: Path) -> None:
    # 304 / 3 = 101.333...; 0.9 and 1.1 billionths of it above
    exact = 304 / 3
    values = [exact, exact * (1 + 0.9e-9), exact * (1 - 0.9e-9), exact * (1 + 1.1e-9), exact * (1 - 1.1e-9)]
    rows = [claim("vwap", 500, repr(value), start=0, end=500) for value in values]
    rows += [claim("ema", 410, repr(101.75 * (1 + off)), span=3) for off in (0, 0.9e-9, 1.1e-9)]
    seen = look(session(tmp_path / "float", FOUR, rows, floats=["signals", "trades"]), "3.3.1", "3.3.2")
    assert [f.occurrences for f in seen.findings] == [("signals:4", "signals:5"), ("signals:8",)]


def test_used_is_of_the_symbol_and_of_every_row_of_the_trade(tmp_path: Path) -> None:
    marks = table("""
        trade_id symbol   side used
        t1       ETH-PERP buy  false    # another symbol's t1
        t2       BTC-USDT buy  -        # not said
        t3       BTC-USDT buy  true
        t3       BTC-USDT buy  false    # its repeat
        t9       BTC-USDT buy  false    # no such trade
    """)
    tables = {"instruments": MARKETS, "trades": THREE, "bot_trades": marks, "signals": [second("vwap", 1011, "110")]}
    seen = look(write(tmp_path / "all", tables), "3.3.1")
    assert (seen.findings, seen.items[0].exercised) == ((), 1)
    tables = tables | {"bot_trades": changed(marks, 3, used="false"), "signals": [second("vwap", 1011, "105")]}
    seen = look(write(tmp_path / "two", tables), "3.3.1")
    assert (seen.findings, seen.items[0].exercised) == ((), 1)


def test_a_trade_without_the_venues_time_is_left_out_and_said_so(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "left", changed(THREE, 2, ts_exchange=""), [second("vwap", 1009, "100")]), "3.3.1")
    assert (seen.findings, seen.items[0].exercised) == ((), 1)
    assert "3.3.1 vwap: BTC-USDT: 1 trades have no ts_exchange and were left out" in seen.notes


def test_the_money_of_a_volatility_is_by_the_year_that_is_declared(tmp_path: Path) -> None:
    # Three periods of 8 hours are the year that is declared: its volatility is a day's. Claimed 0.4, right 0.2: 0.2 of
    # the 2 of max_position at 108.9: 0.2 x 2 x 108.9 = 43.56 USDT.
    hours = 8 * 3_600_000
    held = [row | {"ts_exchange": str(n * hours), "ts_local": str(n * hours)} for n, row in enumerate(CLOSES[1:])]
    row = claim("volatility", 4 * hours, "0.40000000", start=0, end=4 * hours, period_ns=hours * 10**6, ddof=1,
                periods_per_year=3)  # fmt: skip
    seen = look(session(tmp_path / "day", held, [row], limits=LIMITS, volatility="simple"), "3.3.3")
    (finding,) = seen.findings
    assert (round(amount(finding), 8), finding.impact.currency) == (Fraction("43.56"), "USDT")
    assert "at 108.9 is misjudged" in finding.impact.text


def ahead(folder: Path, rows: list[Row], **settings: Any) -> Any:
    return look(write(folder, {"instruments": MARKETS, "trades": BASE["trades"], "signals": rows}, **settings), "3.3.4")


def test_an_input_of_the_signals_own_moment_is_no_look_ahead(tmp_path: Path) -> None:
    seen = ahead(
        tmp_path / "same", [claim("imbalance", 1000, "0.1", newest=1000), claim("depth", 1000, "3", newest=999)]
    )
    assert (seen.findings, seen.items[0].status, seen.items[0].exercised) == ((), "verified", 2)


def test_a_signal_that_states_no_newest_input_assesses_nothing(tmp_path: Path) -> None:
    seen = ahead(tmp_path / "unsaid", [claim("imbalance", 1000, "0.1")])
    assert (seen.findings, seen.items[0].status) == ((), "not_assessed")


@pytest.mark.armed
def test_an_input_of_a_nanosecond_later_is_a_look_ahead(tmp_path: Path) -> None:
    seen = ahead(tmp_path / "later", [claim("imbalance", 1000, "0.1", newest="1000.000001")])
    assert [f.severity for f in seen.findings] == ["CRITICAL"]
    assert seen.findings[0].work[0].endswith(" = 1 ns after the signal")


@pytest.mark.armed
def test_looks_ahead_are_told_apart_by_symbol_and_name(tmp_path: Path) -> None:
    # BTC-USD: 50000 known at 300, 50100 at 755: (1/50000 - 1/50100) x 100 = 100 x 100 / (50000 x 50100) =
    # 10000 / 2505000000 = 0.000003992015968063... BTC for one contract. The second sees no further: 50100 twice.
    rows = [
        claim("x", 300, "1", newest=755, symbol="BTC-USD"), claim("x", 800, "1", newest=900, symbol="BTC-USD"),
        claim("y", 300, "1", newest=900, symbol="BTC-USD"), claim("x", 1, "1", newest=9, symbol="ETH-PERP"),
        claim("x", 1, "1", newest=9, symbol="*"),
    ]  # fmt: skip
    seen = ahead(tmp_path / "four", rows)
    found = {f.key: (f.count, f.location, f.impact.amount, f.impact.currency) for f in seen.findings}
    assert found == {
        "BTC-USD x": (2, "signals:1", 0.000003992016, "BTC"),
        "BTC-USD y": (1, "signals:3", 0.000003992016, "BTC"),
        "ETH-PERP x": (1, "signals:4", None, "USDT"),  # no trade was known before it
        "* x": (1, "signals:5", None, "USDT"),  # the session's currency
    }
    assert seen.errors == ()


@pytest.mark.armed
def test_a_look_ahead_without_trades_is_found_without_its_money(tmp_path: Path) -> None:
    tables = {"instruments": MARKETS, "signals": [claim("x", 1, "1", newest=9)]}
    seen = look(write(tmp_path / "bare", tables), "3.3.4")
    assert [(f.count, f.impact.amount) for f in seen.findings] == [(1, None)]


@pytest.mark.parametrize(
    "limit", ['max_order_qty = "many"', "max_order_qty = nan", "max_order_qty = 1e400", "max_order_qty = true"]
)
def test_a_limit_that_is_no_number_is_refused_in_one_line(tmp_path: Path, limit: str) -> None:
    folder = session(tmp_path / "bad", THREE, [second("vwap", 1011, "1")], limits=f'[limits."BTC-USDT"]\n{limit}')
    with pytest.raises(EvidenceError, match=r"^session\.toml, column limits\.BTC-USDT"):
        look(folder, "3.3.1")


def test_one_order_is_the_limit_or_the_largest_fill_or_one_unit(tmp_path: Path) -> None:
    # claimed 111 where 110 is right: 1 USDT a unit
    fills = table("""
        ts_exchange ts_local symbol   exec_id side price qty liquidity fee fee_asset
        1           1        BTC-USDT e1      buy  100   3   maker     0   USDT
        1           1        BTC-USDT e2      buy  100   7.5 maker     0   USDT
        1           1        ETH-PERP e3      buy  100   99  maker     0   USDT
    """)
    tables = {"instruments": MARKETS, "trades": THREE, "signals": [second("vwap", 1011, "111")]}
    seen = [
        look(write(tmp_path / "unit", tables), "3.3.1"),
        look(write(tmp_path / "fill", tables | {"fills": fills}), "3.3.1"),
        look(write(tmp_path / "limit", tables | {"fills": fills}, limits=LIMITS), "3.3.1"),
    ]
    assert [amount(each.findings[0]) for each in seen] == [1, Fraction("7.5"), Fraction("0.5")]


@pytest.mark.parametrize("seed", range(6))
def test_any_state_that_the_bot_may_have_had_is_right(tmp_path: Path, seed: int) -> None:
    """Late, unused and repeated trades, a lag of 700 ms, and a maker that is at a moment of its own within it."""
    draw, held, rows = Random(seed), tape(100 + seed, 60), []
    marks = [{"trade_id": t.trade_id, "symbol": "BTC-USDT", "side": "buy", "used": str(t.used).lower()} for t in held]
    last = max(trade.ts_local for trade in held)
    for at in range(2000, last, 250):
        moment = at - draw.randrange(0, 700)
        start, end = at - 2000, at - draw.choice([0, 100, 400])
        seen = known(held, moment, start=start, end=end)
        rows.append(claim("vwap", at, printed(vwap(seen)), start=start, end=end))
        prices = [trade.price for trade in seen]
        rows.append(
            claim("ema", at, printed(ema(prices, alpha=Fraction(1, 2), init="sma", n=3)), start=start, end=end, span=3)
        )
        if found := closes(known(held, moment, start=start, end=at), start=start, period=500, buckets=4):
            value = volatility(found, kind="log", ddof=1, periods=Fraction(365 * 86_400 * 2))
            rows.append(claim("volatility", at, printed(value), start=start, end=at, ddof=1, period_ns=HALF))
    tables = {"instruments": MARKETS, "trades": [row_of(t) for t in held], "bot_trades": marks, "signals": rows}
    seen = look(
        write(tmp_path / "lag", tables, timing={"claim_lag_ms": 700}, ema_init="sma"), "3.3.1", "3.3.2", "3.3.3"
    )
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.status for item in seen.items] == ["verified"] * 3
    assert min(item.exercised for item in seen.items) > 10
    # with no lag allowed, the states of before are wrong
    seen = look(write(tmp_path / "none", tables, ema_init="sma"), "3.3.1", "3.3.2")
    assert [item.status for item in seen.items] == ["failed"] * 2


def test_the_times_of_a_finding_are_the_sessions_own(tmp_path: Path) -> None:
    seen = ahead(tmp_path / "time", [claim("x", 5, "1", newest=7)])
    assert seen.findings[0].current == f"the newest input of x was of {T0_MS + 7}000000"
