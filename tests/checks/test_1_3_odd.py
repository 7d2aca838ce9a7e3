"""Odd but right evidence for section 1.3: each case is a sentence, a session that it is true of, and raises nothing.

`seen` names the checks that must have judged something, so that no case passes because nothing was looked at; `unseen`
those that must not have.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from checks.hand_1_3 import (
    Row,
    Tables,
    amount,
    base,
    cells,
    changed,
    fills,
    look,
    market,
    marks,
    pnl,
    rates,
    statuses,
    table,
    write,
    write_csv,
)  # fmt: skip

from mmverify.errors import EvidenceError
from mmverify.review.results import Assessment

SPOT, LINEAR, INVERSE, QUANTO = (market(name) for name in ("BTC-USDT", "ETH-PERP", "BTC-USD", "ETH-USDQ"))


class Odd(NamedTuple):
    """A session that is right: its sentence, tables, settings, and what has to have been judged."""

    sentence: str
    tables: Tables
    settings: dict[str, Any]
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    note: str


def odd(
    sentence: str, *, seen: str = "", unseen: str = "", note: str = "", settings: dict[str, Any] | None = None,
    **tables: list[Row],
) -> Odd:  # fmt: skip
    """Write a case; check names are separated by blanks."""
    return Odd(sentence, tables, settings or {}, tuple(seen.split()), tuple(unseen.split()), note)


# Bought 2 at 100 and 1 at 110, sold 1 at 120: FIFO realizes 20 and keeps 1 at 100 and 1 at 110; at a mark of 125 those
# are worth 25 + 15 = 40.
THREE = """
    1000 ETH-PERP e1 buy  100 2 maker 0 USDT
    2000 ETH-PERP e2 buy  110 1 maker 0 USDT
    3000 ETH-PERP e3 sell 120 1 taker 0 USDT
"""
MARK = marks("3500 ETH-PERP 125 126 124")
CLAIM = pnl("4000 ETH-PERP 20 40 0 - -")
BOOK = """
    ts_local symbol   seq prev_seq kind     side price qty
    100      ETH-PERP 10  -        snapshot bid  99    5
    100      ETH-PERP 10  -        snapshot bid  100   0.1
    100      ETH-PERP 10  -        snapshot ask  103   0.2
    100      ETH-PERP 10  -        snapshot ask  104   7
"""
LONG = fills("1000 ETH-PERP e1 buy 90 2 maker 0 USDT")


def book(text: str) -> list[Row]:
    return [{"ts_exchange": row["ts_local"]} | row for row in table(text)]


FILLS = [
    odd(
        "a fill that came late is booked when it came",
        # by the venue's clock e2 (at 90) came first; by the bot's it is the newer lot: FIFO closes the one at 100
        seen="realized_pnl",
        instruments=LINEAR,
        pnl=pnl("4000 ETH-PERP 20 - - - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy  100 1 maker 0 USDT
            2000 ETH-PERP e2 buy  90  1 maker 0 USDT ts_exchange=500
            3000 ETH-PERP e3 sell 120 1 maker 0 USDT"""),
    ),
    odd(
        "a claim of the same instant as a fill may hold it or not, row by row",
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        fills=fills(THREE),
        # before e3: 2 at 100 and 1 at 110 at the mark of 125 are worth 50 + 15 = 65
        marks=marks("2500 ETH-PERP 125 126 124"),
        pnl=pnl("3000 ETH-PERP 0 65 0 - -\n3000 ETH-PERP 20 40 0 - -"),
    ),
    odd(
        "a claim of the instant of the first fill, written before it, has no price beside it",
        instruments=LINEAR,
        fills=fills(THREE),
        marks=marks("500 ETH-PERP 99 99 99"),
        pnl=pnl("1000 ETH-PERP 0 0 0 - - price=0\n1000 ETH-PERP 0 0 0 - - price=\n1000 ETH-PERP 0 -2 0 - - price=99"),
    ),
    odd(
        "a claim of the instant of the first fill, where no mark is known yet, cannot be judged",
        unseen="unrealized_pnl",
        instruments=LINEAR,
        fills=fills(THREE),
        marks=marks("9000 ETH-PERP 99 99 99"),
        pnl=pnl("1000 ETH-PERP 0 7 0 - -"),
    ),
    odd(
        "a claim may be claim_lag_ms behind",
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        fills=fills(THREE),
        settings={"timing": {"claim_lag_ms": 300}},
        marks=marks("500 ETH-PERP 125 1 1\n3200 ETH-PERP 130 1 1"),
        # at 3250: the state of 2990 (65 at 125), of 3100 (40 at 125) and of 3250 (50 at 130)
        pnl=pnl("3250 ETH-PERP 0 65 0 - -\n3250 ETH-PERP 20 40 0 - -\n3250 ETH-PERP 20 50 0 - -"),
    ),
    odd(
        "a * row of its own may be claim_lag_ms behind, between two markets' fills",
        # at 3250 with 300 ms: the state of 3100 has ETH-PERP's close (20) and not BTC-USDT's (10)
        seen="realized_pnl",
        instruments=LINEAR + SPOT,
        settings={"timing": {"claim_lag_ms": 300}},
        fills=fills(
            THREE
            + """
            500  BTC-USDT s1 buy  50000 0.1 taker 0 USDT
            3200 BTC-USDT s2 sell 50100 0.1 taker 0 USDT"""
        ),
        pnl=pnl("3250 * 20 - - - -\n3250 * 30 - - - -\n3250 * 0 - - - -"),
    ),
    odd(
        "repeats of a report count once, wherever they come",
        seen="realized_pnl fees_claim",
        instruments=LINEAR,
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 20 40 0.3 - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy  100 2 maker 0.1 USDT
            1001 ETH-PERP e1 buy  100 2 maker 0.1 USDT
            2000 ETH-PERP e2 buy  110 1 maker 0.1 USDT
            3000 ETH-PERP e3 sell 120 1 taker 0.1 USDT
            3600 ETH-PERP e1 buy  100 2 maker 0.1 USDT"""),
    ),
    odd(
        "the same exec_id on two markets is two executions",
        # BTC-USDT: (120 - 100) x 1 = 20 for each of the two
        seen="realized_pnl",
        instruments=LINEAR + SPOT,
        pnl=pnl("4000 ETH-PERP 20 - - - -\n4000 BTC-USDT 20 - - - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy  100 1 maker 0 USDT
            1000 BTC-USDT e1 buy  100 1 maker 0 USDT
            3000 ETH-PERP e3 sell 120 1 maker 0 USDT
            3000 BTC-USDT e3 sell 120 1 maker 0 USDT"""),
    ),
    odd(
        "a correction restates price and quantity from when it comes, and its fee is the change",
        seen="realized_pnl unrealized_pnl fees_claim",
        instruments=LINEAR,
        marks=marks("500 ETH-PERP 125 1 1"),
        # e1 becomes 3 at 90: e3 realizes 30; 2 at 90 and 1 at 110 are worth 70 + 15 = 85; fees 0.3 - 0.05
        fills=fills(
            THREE.replace("0 USDT", "0.1 USDT")
            + "3500 ETH-PERP e4 buy 90 3 maker -0.05 USDT kind=correction correction_of=e1"
        ),
        pnl=pnl("3400 ETH-PERP 20 40 0.3 - -\n4000 ETH-PERP 30 85 0.25 - -"),
    ),
    odd(
        "a correction may be corrected, and come twice",
        # first 3 at 90, then 2 at 95: e3 realizes 25; 1 at 95 and 1 at 110 are worth 30 + 15 = 45
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        marks=marks("500 ETH-PERP 125 1 1"),
        pnl=pnl("3550 ETH-PERP 30 85 0 - -\n4000 ETH-PERP 25 45 0 - -"),
        fills=fills(
            THREE
            + """
            3500 ETH-PERP e4 buy 90 3 maker 0 USDT kind=correction correction_of=e1
            3600 ETH-PERP e5 buy 95 2 maker 0 USDT kind=correction correction_of=e4
            3700 ETH-PERP e4 buy 90 3 maker 0 USDT kind=correction correction_of=e1"""
        ),
    ),
    odd(
        "a bust takes an execution back, its rebate too",
        # without e1: short 1 at 120 less long 1 at 110, closed: FIFO realizes 10, nothing is open; fees -0.2 + 0.1
        seen="realized_pnl fees_claim",
        instruments=changed(LINEAR, maker_fee="-0.001"),
        marks=MARK,
        pnl=pnl("3400 ETH-PERP 20 - -0.31 - -\n4000 ETH-PERP 10 0 -0.11 - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy  100 2 maker -0.2  USDT
            2000 ETH-PERP e2 buy  110 1 maker -0.11 USDT
            3000 ETH-PERP e3 sell 120 1 taker 0     USDT
            3500 ETH-PERP e4 buy  100 2 maker 0.2   USDT kind=bust correction_of=e1"""),
    ),
    odd(
        "a bust may take back a corrected execution",
        seen="realized_pnl",
        instruments=LINEAR,
        pnl=pnl("3550 ETH-PERP 30 - - - -\n4000 ETH-PERP 10 - - - -"),
        fills=fills(
            THREE
            + """
            3500 ETH-PERP e4 buy 90 3 maker 0 USDT kind=correction correction_of=e1
            3600 ETH-PERP e5 buy 90 3 maker 0 USDT kind=bust correction_of=e4"""
        ),
    ),
    odd(
        "a correction on a spot market keeps the fee in base that was paid before it",
        # +1 - 0.001, corrected to 2 at 110 with 0.0005 more: +2 - 0.0015 = 1.9985; before: 0.999 x (120 - 100) = 19.98
        # and 0.1 of fees; after: 1.9985 x (120 - 110) = 19.985. Fees: 0.001 x 110 + 0.0005 x 110 = 0.165, or the first
        # part at the price that it was booked at, 0.1 + 0.055 = 0.155
        seen="unrealized_pnl fees_claim",
        instruments=SPOT,
        marks=marks("500 BTC-USDT 120 1 1"),
        pnl=pnl("1500 BTC-USDT 0 19.9800 0.100 - -\n4000 BTC-USDT 0 19.9850 0.155 - -\n4001 BTC-USDT 0 - 0.165 - -"),
        fills=fills("""
            1000 BTC-USDT e1 buy 100 1 taker 0.00100000 BTC
            3500 BTC-USDT e2 buy 110 2 taker 0.00050000 BTC kind=correction correction_of=e1"""),
    ),
    odd(
        "a bust on a spot market gives the fee in base back",
        # +1.999 after both; without e1, +0.9995 at 110: (120 - 110) x 0.9995 = 9.995; nothing else was paid
        seen="unrealized_pnl fees_claim",
        instruments=SPOT,
        marks=marks("500 BTC-USDT 120 1 1"),
        pnl=pnl("4000 BTC-USDT 0 9.9950 0.055 - -"),
        fills=fills("""
            1000 BTC-USDT e1 buy 100 1 taker 0.001  BTC
            2000 BTC-USDT e2 buy 110 1 taker 0.0005 BTC
            3500 BTC-USDT e3 buy 100 1 taker -0.001 BTC kind=bust correction_of=e1"""),
    ),
    odd(
        "a fill through zero closes and opens",
        # 3 sold at 120 from 2 long at 100: 40; the short of 1 at 120 is worth -5 at 125
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 40 -5 0 - -"),
        fills=fills("1000 ETH-PERP e1 buy 100 2 maker 0 USDT\n3000 ETH-PERP e2 sell 120 3 maker 0 USDT"),
    ),
    odd(
        "a fee in base shrinks what was bought and grows what was sold",
        # 1 - 0.001 = 0.999 bought at 100; 0.5 + 0.0005 = 0.5005 sold at 120: 20 x 0.5005 = 10.01; 0.4985 are left, at
        # 130 worth 30 x 0.4985 = 14.955; fees 0.001 x 100 + 0.0005 x 120 = 0.16; total 10.01 + 14.955 - 0.16 = 24.805
        seen="realized_pnl unrealized_pnl fee_rate fees_claim total_claim",
        instruments=changed(SPOT, taker_fee="0.001"),
        marks=marks("3500 BTC-USDT 130 1 1"),
        pnl=pnl("4000 BTC-USDT 10.010 14.955 0.160 - 24.805"),
        fills=fills("""
            1000 BTC-USDT e1 buy  100 1   taker 0.001  BTC
            3000 BTC-USDT e2 sell 120 0.5 taker 0.0005 BTC"""),
    ),
    odd(
        "LIFO closes the newest lot",
        # 120 - 110 = 10; 2 at 100 are worth 50
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        settings={"cost_basis": "lifo"},
        marks=MARK,
        fills=fills(THREE),
        pnl=pnl("4000 ETH-PERP 10 50 0 - -"),
    ),
    odd(
        "an average that never ends may be printed rounded half to even or half up",
        # (2 x 100 + 110) / 3 = 103.333...: 16.666...; 2 x 21.666... = 43.333...; three decimals, then exactly half:
        # 1 at 100 and 1 at 100.001 on average 100.0005; sold 1 at 101: 0.9995, printed 0.999, 1.000 or 0.9995
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR + changed(LINEAR, symbol="X-PERP"),
        settings={"cost_basis": "average"},
        fills=fills(
            THREE
            + """
            1000 X-PERP x1 buy  100     1 maker 0 USDT
            1000 X-PERP x2 buy  100.001 1 maker 0 USDT
            3000 X-PERP x3 sell 101     1 maker 0 USDT"""
        ),
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 16.667 43.333 0 - -\n4000 X-PERP 0.999 - 0 - -\n4001 X-PERP 1.000 - 0 - -"),
    ),
    odd(
        "the average of an inverse contract is harmonic",
        # 100 at 40000 and 100 at 60000: 200 / (1/400 + 1/600) = 48000; 100 sold at 50000:
        # (1/48000 - 1/50000) x 100 x 100 = 0.008333...; the rest at 64000: (1/48000 - 1/64000) x 10000 = 0.0520833...
        seen="realized_pnl unrealized_pnl",
        instruments=INVERSE,
        settings={"cost_basis": "average"},
        marks=marks("3500 BTC-USD 64000 1 1"),
        pnl=pnl("4000 BTC-USD 0.0083333 0.0520833 0 - - currency=BTC"),
        fills=fills("""
            1000 BTC-USD e1 buy  40000 100 maker 0 BTC
            2000 BTC-USD e2 buy  60000 100 maker 0 BTC
            3000 BTC-USD e3 sell 50000 100 maker 0 BTC"""),
    ),
    odd(
        "a quanto contract settles in a third currency",
        # 0.0001 BTC a dollar: 10 bought at 2000, 5 sold at 2100: 100 x 5 x 0.0001 = 0.05; 5 at 1900: -100 x 5 x 0.0001
        # = -0.05; fees 2000 x 10 x 0.0001 x 0.0005 = 0.001 and 2100 x 5 x 0.0001 x 0.0005 = 0.000525
        seen="realized_pnl unrealized_pnl fee_rate fees_claim total_claim",
        instruments=changed(QUANTO, taker_fee="0.0005"),
        marks=marks("3500 ETH-USDQ 1900 1 1"),
        pnl=pnl("4000 ETH-USDQ 0.05 -0.05 0.001525 0 -0.001525 currency=BTC"),
        fills=fills("""
            1000 ETH-USDQ e1 buy  2000 10 taker 0.001    BTC
            3000 ETH-USDQ e2 sell 2100 5  taker 0.000525 BTC"""),
    ),
    odd(
        "a contract has a multiplier",
        # (120 - 100) x 1 x 0.01 = 0.2; 1 at 100 and 1 at 110 at 125: 40 x 0.01 = 0.4
        seen="realized_pnl unrealized_pnl",
        instruments=changed(LINEAR, multiplier="0.01"),
        fills=fills(THREE),
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 0.20 0.40 0 - -"),
    ),
    odd(
        "realized may be net of fees and rebates",
        # 20 - (0.2 - 0.1 + 0.3) = 19.6; total 19.6 + 40 takes no fee off again
        seen="realized_pnl total_claim",
        instruments=LINEAR,
        marks=MARK,
        settings={"realized": "net"},
        pnl=pnl("4000 ETH-PERP 19.6 40 0.4 0 59.6"),
        fills=fills("""
            1000 ETH-PERP e1 buy  100 2 maker 0.2  USDT
            2000 ETH-PERP e2 buy  110 1 maker -0.1 USDT
            3000 ETH-PERP e3 sell 120 1 taker 0.3  USDT"""),
    ),
    odd(
        "a fill at price 0 of an inverse contract has no P&L, and the notes say so",
        note="a fill at price 0",
        instruments=INVERSE,
        fills=fills("1000 BTC-USD e1 buy 0 100 maker 0 BTC"),
        pnl=pnl("4000 BTC-USD 0 - 0 - - currency=BTC"),
    ),
    odd(
        "a market without fills has made nothing",
        unseen="realized_pnl unrealized_pnl",
        instruments=LINEAR + SPOT,
        marks=marks("500 BTC-USDT 50000 1 1"),
        fills=fills("1000 ETH-PERP e1 buy 100 2 maker 0 USDT"),
        pnl=pnl("4000 BTC-USDT 0 0 0 0 0\n4000 ETH-PERP 0 - 0 0 -"),
    ),
    odd(
        "an execution that restates one that is not there is left out, and the notes say so",
        seen="realized_pnl",
        note="restates e9",
        instruments=LINEAR,
        pnl=pnl("4000 ETH-PERP 20 - - - -"),
        fills=fills(THREE + "3500 ETH-PERP e4 buy 90 3 maker 0 USDT kind=correction correction_of=e9"),
    ),
]

# Long 2 at 100 from before; 1 sold at 120.
SOLD = fills("1000 ETH-PERP e1 sell 120 1 maker 0 USDT")


def stated(symbol: str, qty: str, avg_px: str, *, at: str = "10", source: str = "exchange") -> list[Row]:
    return table(f"ts_local symbol qty avg_px source\n{at} {symbol} {qty} {avg_px} {source}")


def held(asset: str, total: str, *, at: str = "10", source: str = "exchange") -> list[Row]:
    return table(f"ts_local asset total source\n{at} {asset} {total} {source}")


OPENINGS = [
    odd(
        "a long from before is one lot at its avg_px, finer than any fill's price",
        # (120 - 100.123456) x 1 = 19.876544; the other at 125: 24.876544
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        positions=stated("ETH-PERP", "2", "100.123456"),
        fills=SOLD,
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 19.876544 24.876544 0 - -"),
    ),
    odd(
        "a short from before is one lot at its avg_px",
        # 2 short at 130: 1 bought at 120 gains 10; the other at 125 is worth 5
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        positions=stated("ETH-PERP", "-2", "130"),
        marks=MARK,
        fills=fills("1000 ETH-PERP e1 buy 120 1 maker 0 USDT"),
        pnl=pnl("4000 ETH-PERP 10 5 0 - -"),
    ),
    odd(
        "a position of the instant of the first fill is one from before it",
        seen="realized_pnl",
        instruments=LINEAR,
        positions=stated("ETH-PERP", "2", "100", at="1000"),
        fills=SOLD,
        pnl=pnl("4000 ETH-PERP 20 - 0 - -"),
    ),
    odd(
        "the newest position before the first fill counts, the bot's own does not",
        seen="realized_pnl",
        instruments=LINEAR,
        fills=SOLD,
        pnl=pnl("4000 ETH-PERP 20 - 0 - -"),
        positions=stated("ETH-PERP", "7", "90")
        + stated("ETH-PERP", "2", "100", at="20")
        + stated("ETH-PERP", "5", "1", at="30", source="bot"),
    ),
    odd(
        "the opening position of an inverse contract",
        # (1/40000 - 1/50000) x 100 x 100 = 0.05; the other 100 at 64000: (1/40000 - 1/64000) x 10000 = 0.09375
        seen="realized_pnl unrealized_pnl",
        instruments=INVERSE,
        positions=stated("BTC-USD", "200", "40000"),
        fills=fills("1000 BTC-USD e1 sell 50000 100 maker 0 BTC"),
        marks=marks("3500 BTC-USD 64000 1 1"),
        pnl=pnl("4000 BTC-USD 0.05000 0.09375 0 - - currency=BTC"),
    ),
    odd(
        "without avg_px nothing is judged before the position was flat, then changes are",
        # the bot knows an entry of 90 and claims 30; the evidence does not: from flat on, (107 - 103) x 1 = 4 more
        seen="realized_pnl",
        note="has no avg_px",
        instruments=LINEAR,
        positions=stated("ETH-PERP", "1", "-"),
        pnl=pnl("900 ETH-PERP 0 35 0 - -\n4000 ETH-PERP 30 0 0 - -\n7000 ETH-PERP 34 0 0 - -"),
        marks=marks("500 ETH-PERP 125 1 1"),
        fills=SOLD + fills("5000 ETH-PERP e2 buy 103 1 maker 0 USDT\n6000 ETH-PERP e3 sell 107 1 maker 0 USDT"),
    ),
    odd(
        "without avg_px and never flat, nothing is judged",
        unseen="realized_pnl unrealized_pnl",
        seen="fees_claim",
        note="has no avg_px",
        instruments=LINEAR,
        positions=stated("ETH-PERP", "2", "-"),
        fills=SOLD,
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 30 35 0 - -\n4001 ETH-PERP 31 36 0 - -"),
    ),
    odd(
        "a spot position from before is the venue's balance of the base, whose price nothing states",
        # 1 BTC from before sold; then (107 - 103) x 1 = 4 more
        seen="realized_pnl",
        note="has no avg_px",
        instruments=SPOT,
        balances=held("BTC", "1"),
        pnl=pnl("4000 BTC-USDT 30 - 0 - -\n7000 BTC-USDT 34 - 0 - -"),
        fills=fills("""
            1000 BTC-USDT e1 sell 120 1 maker 0 USDT
            5000 BTC-USDT e2 buy  103 1 maker 0 USDT
            6000 BTC-USDT e3 sell 107 1 maker 0 USDT"""),
    ),
    odd(
        "a spot position from before may be finer than any fill",
        # 1.23456 from before is never flat again: what the bot realizes on it cannot be judged
        unseen="realized_pnl",
        instruments=SPOT,
        balances=held("BTC", "1.23456"),
        pnl=pnl("4000 BTC-USDT 30 - 0 - -\n4001 BTC-USDT 31 - - - -"),
        fills=fills("1000 BTC-USDT e1 sell 120 1 maker 0 USDT"),
    ),
    odd(
        "a linear position from before may be finer than any fill",
        # 1.5 at 100: (120 - 100) x 1 = 20; 0.5 at 125 are worth 12.5
        seen="realized_pnl unrealized_pnl",
        instruments=LINEAR,
        positions=stated("ETH-PERP", "1.5", "100"),
        fills=SOLD,
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 20.0 12.5 0 - -"),
    ),
    odd(
        "a balance from before that two markets share is no market's position",
        unseen="realized_pnl",
        note="base of several markets",
        balances=held("BTC", "3"),
        instruments=SPOT + changed(SPOT, symbol="BTC-USDC", quote="USDC"),
        fills=fills(
            "1000 BTC-USDT e1 sell 120 1 maker 0 USDT\n"
            "2000 BTC-USDT e2 sell 125 1 maker 0 USDT\n3000 BTC-USDT e3 buy 110 1 maker 0 USDT"
        ),
        pnl=pnl("2500 BTC-USDT 41 - 0 - -\n4000 BTC-USDT 52 - 0 - -"),
    ),
]

FEED = fills("1000 ETH-PERP e1 buy 100 2 maker {} {}")


def fee(text: str, asset: str = "USDT", **more: str) -> list[Row]:
    """One maker's purchase of 2 at 100: a notional of 200."""
    return changed(fills("1000 ETH-PERP e1 buy 100 2 maker 0 USDT"), fee=text, fee_asset=asset, **more)


RATED = changed(LINEAR, maker_fee="0.0002", taker_fee="0.0005")
FEES = [
    odd(
        "a fee may be off by one unit of its last digit",
        # 33.33 x 0.7 x 0.0002 = 0.00466620: 0.0047 and 0.0046 are within 0.0001 of it
        seen="fee_rate fees_claim",
        instruments=RATED,
        pnl=pnl("4000 ETH-PERP 0 - 0.0093 - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy 33.33 0.7 maker 0.0047 USDT
            1000 ETH-PERP e2 buy 33.33 0.7 maker 0.0046 USDT"""),
    ),
    odd(
        "the rate beside a fill goes before the market's",
        # 200 x 0.0001 = 0.02
        seen="fee_rate",
        instruments=RATED,
        fills=fee("0.02", fee_rate="0.0001"),
        pnl=pnl("4000 ETH-PERP 0 - 0.02 - -"),
    ),
    odd(
        "a fee in a third asset may be off by 0.9 % of the rate",
        # 200 x 0.0002 = 0.04 USDT at 500 = 0.00008 BNB; 0.9 % more is 0.00008072. Claimed at the rate: 0.04036
        seen="fee_rate fees_claim",
        instruments=RATED,
        rates=rates("500 BNB USDT 500"),
        fills=fee("0.00008072", "BNB"),
        pnl=pnl("4000 ETH-PERP 0 - 0.04036 - -"),
    ),
    odd(
        "a fee in the base asset of a perpetual is one in a third asset",
        # 0.04 USDT at 100 = 0.0004 ETH; 0.9 % more is 0.0004036, worth 0.04036
        seen="fee_rate fees_claim",
        instruments=RATED,
        rates=rates("500 ETH USDT 100"),
        fills=fee("0.0004036", "ETH"),
        pnl=pnl("4000 ETH-PERP 0 - 0.04036 - -"),
    ),
    odd(
        "a fee in a third asset whose rate is not known is not judged, and the notes say so",
        unseen="fee_rate fees_claim",
        note="no rate from BNB to USDT",
        instruments=RATED,
        fills=fee("0.1", "BNB"),
        pnl=pnl("4000 ETH-PERP 0 - 9 - -"),
    ),
    odd(
        "a fee in a third asset may be converted by the inverse rate, or through another currency",
        # 0.0001 BNB at 1 / 0.002 = 500; then at 0.01 BTC x 50000 = 500
        seen="fees_claim",
        instruments=LINEAR + changed(LINEAR, symbol="X-PERP", quote="USD", settle="USD"),
        rates=rates("500 USDT BNB 0.002\n500 BNB BTC 0.01\n500 BTC USD 50000"),
        fills=fee("0.0001", "BNB") + fee("0.0001", "BNB", symbol="X-PERP"),
        pnl=pnl("4000 ETH-PERP 0 - 0.05 - -\n4000 X-PERP 0 - 0.05 - - currency=USD"),
    ),
    odd(
        "of two rates of the fill's instant either may have been known, and so may the one before",
        # at 500, 510 or 520: 0.001 BNB = 0.5, 0.51, 0.52
        seen="fees_claim",
        instruments=LINEAR,
        rates=rates("500 BNB USDT 500\n1000 BNB USDT 510\n1000 BNB USDT 520"),
        fills=fee("0.001", "BNB"),
        pnl=pnl("4000 ETH-PERP 0 - 0.50 - -\n4001 ETH-PERP 0 - 0.51 - -\n4002 ETH-PERP 0 - 0.52 - -"),
    ),
    odd(
        "a fee rate holds from ts_from on, by the venue's clock",
        # e2 was done at 1995, under the old rate, and came at 2000; e3 at 2500 under the new one
        seen="fee_rate",
        instruments=RATED + changed(RATED, maker_fee="0.0001", ts_from="1998"),
        pnl=pnl("4000 ETH-PERP 0 - 0.10 - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy 100 2 maker 0.04 USDT
            2000 ETH-PERP e2 buy 100 2 maker 0.04 USDT
            2500 ETH-PERP e3 buy 100 2 maker 0.02 USDT"""),
    ),
    odd(
        "the fee of a liquidation is not the taker's, unless a rate stands beside it",
        seen="fees_claim",
        unseen="fee_rate",
        instruments=RATED,
        pnl=pnl("4000 ETH-PERP 0 - 3 - -"),
        fills=fee("3", kind="liquidation", liquidity="taker"),
    ),
    odd(
        "a market whose fees are not stated has no rate to hold a fee to",
        seen="fees_claim",
        unseen="fee_rate",
        instruments=LINEAR,
        fills=fee("7"),
        pnl=pnl("4000 ETH-PERP 0 - 7 - -"),
    ),
    odd(
        "a fill without liquidity has no rate to hold a fee to",
        seen="fees_claim",
        unseen="fee_rate",
        instruments=RATED,
        fills=fee("7", liquidity=""),
        pnl=pnl("4000 ETH-PERP 0 - 7 - -"),
    ),
    odd(
        "the fee of an inverse contract is in base",
        # 100 x 100 / 50000 = 0.2 BTC x -0.00025 = -0.00005
        seen="fee_rate fees_claim",
        instruments=changed(INVERSE, maker_fee="-0.00025"),
        fills=fills("1000 BTC-USD e1 buy 50000 100 maker -0.00005 BTC"),
        pnl=pnl("4000 BTC-USD 0 - -0.00005 - - currency=BTC"),
    ),
]

FUNDED = table("""
    ts_exchange ts_local symbol   rate   amount asset
    1500        1505     ETH-PERP 0.0001 -0.02  USDT
    2500        2505     ETH-PERP 0.0001 0.05   USDT
""")
CLAIMS = [
    odd(
        "a payment of the claim's instant may be in it or not",
        seen="funding_claim total_claim",
        instruments=LINEAR,
        fills=LONG,
        funding=FUNDED,
        pnl=pnl("2505 ETH-PERP 0 10 0 -0.02 9.98\n2505 ETH-PERP 0 10 0 0.03 10.03"),
        marks=marks("500 ETH-PERP 95 1 1"),
    ),
    odd(
        "money whose row names no currency is in the session's",
        # 5 USDT of funding to a market that settles in BTC
        seen="funding_claim total_claim",
        instruments=INVERSE,
        fills=fills("1000 BTC-USD e1 buy 40000 100 maker 0 BTC"),
        funding=table("ts_exchange ts_local symbol rate amount\n1500 1500 BTC-USD 0.0001 5"),
        rates=rates("500 BTC USDT 50000"),
        pnl=pnl("3000 BTC-USD 0 0 0 5 5"),
    ),
    odd(
        "a total is held to the fees and payments that the row does not claim",
        # 0 + 10 - 0.1 + 0.03 = 9.93
        seen="total_claim",
        unseen="funding_claim fees_claim",
        instruments=LINEAR,
        funding=FUNDED,
        fills=changed(LONG, fee="0.1"),
        pnl=pnl("3000 ETH-PERP 0 10 - - 9.93"),
        marks=marks("500 ETH-PERP 95 1 1"),
    ),
    odd(
        "columns may be empty in any row",
        seen="realized_pnl unrealized_pnl fees_claim",
        instruments=LINEAR,
        fills=fills(THREE),
        marks=MARK,
        pnl=pnl(
            """
            4000 ETH-PERP 20 -  - - -
            4001 ETH-PERP -  40 - - -
            4002 ETH-PERP -  -  0 - -
            4003 ETH-PERP -  -  - - 60
            4004 ETH-PERP -  -  - - -"""
        ),
    ),
    odd(
        "a row may be printed with fewer digits than another: its column's count",
        # 20 / 3 x ... : half a unit of the fourth digit
        seen="realized_pnl",
        instruments=LINEAR,
        settings={"cost_basis": "average"},
        fills=fills(THREE),
        # 16.666...: 16.6667 and, when the column has one decimal only in its rows, never 16.7
        pnl=pnl("4000 ETH-PERP 16.6667 - 0 - -\n4001 ETH-PERP 16.66670 - - - -").copy()[:1],
    ),
    odd(
        "claims may be in the session's currency, at a rate known then",
        # 0.05 BTC at 50000 = 2500, at the rate of the same instant 51000 = 2550; fees -0.00005 x 50000 = -2.5
        seen="realized_pnl fees_claim total_claim",
        instruments=INVERSE,
        rates=rates("500 BTC USDT 50000\n4000 BTC USDT 51000"),
        fills=fills("1000 BTC-USD e1 buy 40000 100 maker -0.00005 BTC\n2000 BTC-USD e2 sell 50000 100 maker 0 BTC"),
        pnl=pnl("3000 BTC-USD 2500 0 -2.5 0 2502.5\n4000 BTC-USD 2550 0 -2.55 0 2552.55"),
    ),
    odd(
        "claims in a currency without a rate are not judged, and the notes say so",
        unseen="realized_pnl unrealized_pnl fees_claim funding_claim total_claim",
        note="without a known rate",
        instruments=INVERSE,
        marks=marks("500 BTC-USD 45000 1 1"),
        funding=table("ts_exchange ts_local symbol rate amount asset\n900 900 BTC-USD 0.0001 5 BTC"),
        pnl=pnl("1500 BTC-USD 0 7 3 4 -\n3000 BTC-USD 2500 0 3 4 -"),
        fills=fills("1000 BTC-USD e1 buy 40000 100 maker 0 BTC\n2000 BTC-USD e2 sell 50000 100 maker 0 BTC"),
    ),
    odd(
        "a bot may claim the * row alone",
        # 20 of ETH-PERP, 0.05 BTC at 50000 = 2500; fees 0.3 - 0.00005 x 50000 = -2.2; unrealized is the bot's
        seen="realized_pnl fees_claim total_claim",
        instruments=LINEAR + INVERSE,
        rates=rates("500 BTC USDT 50000"),
        fills=fills(
            THREE.replace("0 USDT", "0.1 USDT")
            + """
            1000 BTC-USD b1 buy  40000 100 maker -0.00005 BTC
            2000 BTC-USD b2 sell 50000 100 maker 0        BTC"""
        ),
        pnl=pnl("4000 * 2520 40 -2.2 0 2562.2"),
    ),
    odd(
        "a bot may claim the * row alone, converted at each fill",
        # 0.05 BTC realized at 2000, when a BTC was 50000: 2500 for ever; the rebate at 1000, when it was 45000: -2.25;
        # funding 0.001 at 2500, when it was 52000: 52. At 4000 a BTC is 60000. Total 2500 + 2.25 + 52 = 2554.25
        seen="realized_pnl fees_claim funding_claim total_claim",
        settings={"conversion": "fill"},
        instruments=INVERSE,
        rates=rates("500 BTC USDT 45000\n1500 BTC USDT 50000\n2400 BTC USDT 52000\n3500 BTC USDT 60000"),
        funding=table("ts_exchange ts_local symbol rate amount asset\n2500 2500 BTC-USD -0.001 0.001 BTC"),
        fills=fills("1000 BTC-USD b1 buy 40000 100 maker -0.00005 BTC\n2000 BTC-USD b2 sell 50000 100 maker 0 BTC"),
        pnl=pnl("4000 * 2500 0 -2.25 52 2554.25"),
    ),
    odd(
        "the * row may be converted at each fill",
        seen="all_symbols_row",
        settings={"conversion": "fill"},
        instruments=INVERSE + LINEAR,
        # as above, and 20 of ETH-PERP
        rates=rates("500 BTC USDT 45000\n1500 BTC USDT 50000\n2400 BTC USDT 52000\n3500 BTC USDT 60000"),
        funding=table("ts_exchange ts_local symbol rate amount asset\n2500 2500 BTC-USD -0.001 0.001 BTC"),
        marks=MARK,
        fills=fills(
            "1000 BTC-USD b1 buy 40000 100 maker -0.00005 BTC\n2000 BTC-USD b2 sell 50000 100 maker 0 BTC\n" + THREE
        ),
        pnl=pnl("""
            4000 BTC-USD  0.05 0  -0.00005 0.001 0.05105 currency=BTC
            4000 ETH-PERP 20   40 0        0     60
            4010 *        2520 40 -2.25    52    2614.25"""),
    ),
    odd(
        "with conversion at the fill, what is open enters a * total at the row's own rate",
        # 100 contracts at 40000, mark 50000: 0.05 BTC; a BTC is 50000 at the symbol's row and 52000 at the * row: 2600
        seen="all_symbols_row",
        settings={"conversion": "fill"},
        instruments=INVERSE,
        marks=marks("1500 BTC-USD 50000 1 1"),
        rates=rates("500 BTC USDT 50000\n4005 BTC USDT 52000"),
        fills=fills("1000 BTC-USD b1 buy 40000 100 maker 0 BTC"),
        pnl=pnl("4000 BTC-USD 0 0.05 0 0 0.05 currency=BTC\n4010 * 0 2600 0 0 2600"),
    ),
    odd(
        "with conversion at the fill, a claim of a fill's instant may be without it",
        seen="all_symbols_row",
        settings={"conversion": "fill"},
        instruments=INVERSE,
        rates=rates("500 BTC USDT 50000\n3500 BTC USDT 60000"),
        fills=fills("""
            1000 BTC-USD b1 buy  40000 100 maker 0 BTC
            2000 BTC-USD b2 sell 50000 50  maker 0 BTC
            4000 BTC-USD b3 sell 50000 50  maker 0 BTC"""),
        # 0.025 at 50000 = 1250; b3 not seen yet
        pnl=pnl("4000 BTC-USD 0.025 - - - - currency=BTC\n4000 * 1250 - - - -"),
    ),
    odd(
        "with conversion at the fill, a fill before the first rate cannot be judged",
        unseen="all_symbols_row",
        note="1 * rows of realized are not judged",
        settings={"conversion": "fill"},
        instruments=INVERSE,
        rates=rates("3500 BTC USDT 60000"),
        fills=fills("1000 BTC-USD b1 buy 40000 100 maker 0 BTC\n2000 BTC-USD b2 sell 50000 100 maker 0 BTC"),
        pnl=pnl("4000 BTC-USD 0.05 - - - - currency=BTC\n4010 * 2500 - - - -"),
    ),
    odd(
        "the * row may be written before or after the symbols' rows of its instant",
        seen="all_symbols_row",
        instruments=LINEAR + changed(LINEAR, symbol="X-PERP"),
        fills=fills(THREE + THREE.replace("ETH-PERP", "X-PERP")),
        # at 4000 the symbols' rows of 3500 sum to 40; those of 4000 to 41, one of each to 40.5: printed with two digits
        pnl=pnl("""
            3500 ETH-PERP 20 - - - -
            3500 X-PERP   20 - - - -
            4000 *        40 - - - -
            4000 ETH-PERP 20 - - - -
            4000 X-PERP   20 - - - -
            4000 *        40 - - - -"""),
    ),
    odd(
        "the * row waits for every market that has traded",
        # at 3100 X-PERP has traded and not yet been claimed
        seen="all_symbols_row",
        instruments=LINEAR + changed(LINEAR, symbol="X-PERP"),
        fills=fills(THREE + THREE.replace("ETH-PERP", "X-PERP")),
        pnl=pnl("3050 ETH-PERP 20 - - - -\n3100 * 33 - - - -\n4000 X-PERP 20 - - - -\n4010 * 40 - - - -"),
    ),
    odd(
        "the parts of a * row may each be off by half a unit",
        # three markets at 16.666...: 16.67 each, and 50.00 or 50.01
        seen="all_symbols_row",
        settings={"cost_basis": "average"},
        fills=fills(THREE + THREE.replace("ETH-PERP", "X-PERP") + THREE.replace("ETH-PERP", "Y-PERP")),
        instruments=LINEAR + changed(LINEAR, symbol="X-PERP") + changed(LINEAR, symbol="Y-PERP"),
        pnl=pnl("""
            4000 ETH-PERP 16.67 - - - -
            4000 X-PERP   16.67 - - - -
            4000 Y-PERP   16.67 - - - -
            4010 *        50.00 - - - -
            4020 *        50.01 - - - -"""),
    ),
]

PRICES = [
    odd(
        "a mark of the claim's instant may be known or not",
        # 2 at 90: at 95 worth 10, at 96 worth 12
        seen="unrealized_pnl",
        instruments=LINEAR,
        fills=LONG,
        marks=marks("500 ETH-PERP 95 1 1\n4000 ETH-PERP 96 1 1"),
        pnl=pnl("4000 ETH-PERP 0 10 0 - - price=95\n4000 ETH-PERP 0 12 0 - - price=96"),
    ),
    odd(
        "of a table without the bot's clock, a row that is later within max_clock_skew_ms may be known",
        # made at 4080 by the venue's clock, 80 ms after the claim; the one before is as good; so is one of 3950
        seen="unrealized_pnl",
        instruments=LINEAR,
        fills=LONG,
        settings={"timing": {"max_clock_skew_ms": 100}},
        marks=table("ts_exchange symbol mark\n500 ETH-PERP 94\n3950 ETH-PERP 95\n4080 ETH-PERP 96"),
        pnl=pnl("4000 ETH-PERP 0 12 0 - -\n4000 ETH-PERP 0 10 0 - -\n4000 ETH-PERP 0 8 0 - -"),
    ),
    odd(
        "a row of marks may hold the index alone",
        seen="unrealized_pnl",
        instruments=LINEAR,
        fills=LONG,
        pnl=pnl("4000 ETH-PERP 0 10 0 - -"),
        marks=marks("500 ETH-PERP 95 97 99\n600 ETH-PERP - 98 -"),
    ),
    odd(
        "the index may be the stated price",
        seen="unrealized_pnl",
        instruments=LINEAR,
        fills=LONG,
        pnl=pnl("4000 ETH-PERP 0 16 0 - -"),
        settings={"unrealized_price": "index"},
        marks=marks("500 ETH-PERP 95 97 99\n600 ETH-PERP - 98 -"),
    ),
    odd(
        "the last may be the stated price",
        seen="unrealized_pnl",
        instruments=LINEAR,
        fills=LONG,
        pnl=pnl("4000 ETH-PERP 0 18 0 - -"),
        settings={"unrealized_price": "last"},
        marks=marks("500 ETH-PERP 95 97 99\n600 ETH-PERP - 98 -"),
    ),
    odd(
        "a flat position is worth 0, at any price or none",
        instruments=LINEAR,
        fills=LONG + fills("2000 ETH-PERP e2 sell 95 2 maker 0 USDT"),
        marks=marks("500 ETH-PERP 95 1 1"),
        unseen="unrealized_pnl",
        pnl=pnl(
            """
            3000 ETH-PERP 10 0 0 - - price=
            3001 ETH-PERP 10 0 0 - - price=95
            3002 ETH-PERP 10 0 0 - - price=77
            3003 ETH-PERP 10 0 0 - - price=0"""
        ),
    ),
    odd(
        "a position without a price known yet is not judged, and the notes say so",
        unseen="unrealized_pnl",
        note="no mark price known",
        instruments=LINEAR,
        fills=LONG,
        marks=marks("5000 ETH-PERP 95 1 1"),
        pnl=pnl("4000 ETH-PERP 0 10 0 - -"),
    ),
    odd(
        "levels below mid_min_qty do not make the mid",
        seen="unrealized_pnl",
        settings={"unrealized_price": "mid", "mid_min_qty": "0.2"},
        instruments=LINEAR,
        fills=LONG,
        # bid 99 (100 is too small), ask 103 (0.2 is enough): 101; 2 x 11 = 22
        book=book(BOOK),
        pnl=pnl("4000 ETH-PERP 0 22 0 - - price=101"),
    ),
    odd(
        "a long leaves at the best bid, a short at the best ask, of the whole book",
        # 2 long at 90, bid 100: 20; then 3 sold at 95: 1 short at 95, ask 103: -8
        seen="unrealized_pnl",
        settings={"unrealized_price": "exit"},
        instruments=LINEAR,
        book=book(BOOK),
        fills=LONG + fills("5000 ETH-PERP e2 sell 95 3 maker 0 USDT"),
        pnl=pnl(
            """
            4000 ETH-PERP 0  20 0 - - price=100
            5000 ETH-PERP 0  20 0 - - price=100
            5000 ETH-PERP 10 -8 0 - - price=103
            6000 ETH-PERP 10 -8 0 - - price=103"""
        ),
    ),
    odd(
        "between a gap and its snapshot the book is the one before, and early updates wait for their snapshot",
        seen="unrealized_pnl",
        settings={"unrealized_price": "exit"},
        instruments=LINEAR,
        fills=LONG,
        book=book(
            BOOK
            + """
            200 ETH-PERP 11 10 delta    bid 101 1     # bid 101
            300 ETH-PERP 14 13 delta    bid 102 1     # 12 and 13 are missing: still 101
            400 ETH-PERP 13 -  snapshot bid 98  4     # the book at 13, then 14 on it: 102
            400 ETH-PERP 13 -  snapshot ask 105 4
            500 ETH-PERP 13 12 delta    bid 103 9     # old: dropped
            600 ETH-PERP 15 14 delta    bid 102 0     # 98
        """
        ),
        # 2 at 90: 101 -> 22, 22, 102 -> 24, 24, 98 -> 16
        pnl=pnl("""
            1250 ETH-PERP 0 16 0 - -"""),
    ),
    odd(
        "the book at a claim is the one of that moment",
        seen="unrealized_pnl",
        settings={"unrealized_price": "exit"},
        instruments=LINEAR,
        fills=changed(LONG, ts_local="50", ts_exchange="45"),
        book=book(
            BOOK
            + """
            200 ETH-PERP 11 10 delta    bid 101 1
            300 ETH-PERP 14 13 delta    bid 102 1
            400 ETH-PERP 13 -  snapshot bid 98  4
            400 ETH-PERP 13 -  snapshot ask 105 4
            500 ETH-PERP 13 12 delta    bid 103 9
            600 ETH-PERP 15 14 delta    bid 102 0
        """
        ),
        pnl=pnl("""
            150 ETH-PERP 0 20 0 - -
            250 ETH-PERP 0 22 0 - -
            350 ETH-PERP 0 22 0 - -
            450 ETH-PERP 0 24 0 - -
            550 ETH-PERP 0 24 0 - -
            650 ETH-PERP 0 16 0 - -"""),
    ),
]

BALANCES = [
    odd(
        "rates may be inverse, or chains through one currency, in either direction of each leg",
        # 3 EUR: 3 / 0.75 = 4 USDT; 1 BNB through BTC: 0.01 x 50000 = 500; 2 GBP through EUR: 2 x 1.2 / 0.75 x 0.5 = 1.6
        seen="balance_value",
        rates=rates("500 USDT EUR 0.75\n500 BNB BTC 0.01\n500 BTC USDT 50000\n500 GBP EUR 1.2"),
        balances=table("""
            ts_local asset total haircut value currency source
            4000     EUR   3     -       4     USDT     bot
            4000     BNB   1     -       500   USDT     bot
            4000     GBP   2     0.5     1.6   USDT     bot"""),
    ),
    odd(
        "of rates of the claim's instant either may be known, and so may the one before",
        seen="balance_value",
        rates=rates("500 BTC USDT 50000\n4000 BTC USDT 50001\n4000 BTC USDT 50002"),
        balances=table("""
            ts_local asset total haircut value currency source
            4000     BTC   1     0       50000 USDT     bot
            4000     BTC   1     0       50001 USDT     bot
            4000     BTC   1     0       50002 USDT     bot"""),
    ),
    odd(
        "no haircut is taken off what is owed, off nothing nothing",
        seen="balance_value",
        rates=rates("500 BTC USDT 50000"),
        balances=table("""
            ts_local asset total haircut value  currency source
            4000     BTC   -1    0.1     -50000 USDT     bot
            4000     BTC   0     0.1     0      USDT     bot
            4000     BTC   1     0.1     45000  USDT     bot"""),
    ),
    odd(
        "a balance without a rate is not judged, and the notes say so; nor what the venue says, nor what has no value",
        unseen="balance_value",
        note="no rate known",
        balances=table("""
            ts_local asset total haircut value  currency source
            4000     BTC   1     -       7      USDT     bot
            4000     ETH   1     -       7      ETH      exchange
            4000     XRP   1     -       -      USDT     bot"""),
    ),
    odd(
        "a balance in the session's currency needs no rate and shows nothing",
        unseen="balance_value",
        balances=table("""
            ts_local asset total haircut value currency source
            4000     USDT  1     -       1     -        bot"""),
    ),
]

CONFIRMED = [
    odd(
        "fills that the bot recorded count up to the newest position of the venue's that agrees",
        # 2 + 1 - 1 = 2 at 3500 agrees; 5 at 4500 does not: the claim of 4000 is not confirmed, the one of 3500 is
        seen="realized_pnl unrealized_pnl",
        note="do not count as exercised",
        settings={"fills_from": "bot"},
        instruments=LINEAR,
        fills=fills(THREE),
        positions=stated("ETH-PERP", "2", "105", at="3500") + stated("ETH-PERP", "5", "105", at="4500"),
        marks=marks("500 ETH-PERP 125 1 1"),
        pnl=pnl("3500 ETH-PERP 20 40 0 - -\n4000 ETH-PERP 20 40 0 - -"),
    ),
    odd(
        "fills that the bot recorded and nothing confirms verify no realized P&L, and leave the rest",
        seen="unrealized_pnl fees_claim",
        unseen="realized_pnl",
        note="do not count as exercised",
        settings={"fills_from": "bot"},
        instruments=LINEAR,
        fills=fills(THREE),
        marks=MARK,
        pnl=CLAIM,
    ),
    odd(
        "a venue's balance of the base confirms a spot market's fills",
        # 1 - 0.001 bought, 0.5 sold: 0.499
        seen="realized_pnl",
        settings={"fills_from": "bot"},
        instruments=SPOT,
        balances=held("BTC", "0.4990", at="5000"),
        pnl=pnl("4000 BTC-USDT 10 - 0.1 - -"),
        fills=fills("1000 BTC-USDT e1 buy 100 1 taker 0.001 BTC\n3000 BTC-USDT e2 sell 120 0.5 taker 0 USDT"),
    ),
    odd(
        "an opening position that the venue states confirms nothing after it",
        unseen="realized_pnl",
        settings={"fills_from": "bot"},
        instruments=LINEAR,
        positions=stated("ETH-PERP", "2", "100"),
        fills=SOLD,
        pnl=pnl("4000 ETH-PERP 20 - 0 - -"),
    ),
]

EMPTY = [
    odd(
        "without a closing fill nothing is realized, so nothing of it is seen",
        unseen="realized_pnl grouping",
        seen="unrealized_pnl",
        instruments=LINEAR,
        fills=LONG,
        marks=marks("500 ETH-PERP 95 1 1"),
        pnl=pnl("4000 ETH-PERP 0 10 0 - -"),
    ),
    odd(
        "without marks nothing unrealized is seen",
        unseen="unrealized_pnl",
        seen="realized_pnl",
        instruments=LINEAR,
        fills=fills(THREE),
        pnl=CLAIM,
    ),
    odd(
        "without payments nothing of funding is seen, and nothing of a total without a fee",
        unseen="funding_claim total_claim",
        instruments=LINEAR,
        fills=fills(THREE),
        marks=MARK,
        pnl=pnl("4000 ETH-PERP 20 40 0 0 60"),
    ),
    odd(
        "a payment after the last claim is not seen",
        unseen="funding_claim",
        instruments=LINEAR,
        fills=LONG,
        funding=FUNDED,
        pnl=pnl("1000 ETH-PERP 0 - 0 0 -"),
    ),
    odd(
        "fills after the last claim are not seen",
        unseen="realized_pnl fees_claim",
        instruments=LINEAR,
        fills=fills(THREE),
        pnl=pnl("500 ETH-PERP 0 - 0 0 -"),
    ),
    odd(
        "without an order in parts at two prices nothing of grouping is seen",
        unseen="grouping",
        seen="realized_pnl",
        instruments=LINEAR,
        fills=fills(THREE),
        pnl=CLAIM,
        marks=MARK,
    ),
    odd(
        "an order in parts that is closed whole says nothing of grouping",
        # bought 1 at 100 and 1 at 102, both sold at 120: 38 either way
        unseen="grouping",
        seen="realized_pnl",
        instruments=LINEAR,
        pnl=pnl("4000 ETH-PERP 38 - 0 - -"),
        fills=fills("""
            1000 ETH-PERP e1 buy  100 1 maker 0 USDT client_order_id=o
            1000 ETH-PERP e2 buy  102 1 maker 0 USDT client_order_id=o
            3000 ETH-PERP e3 sell 120 2 maker 0 USDT"""),
    ),
    odd(
        "a * row without symbols' rows is no sum",
        unseen="all_symbols_row currencies_added",
        seen="realized_pnl",
        instruments=LINEAR,
        fills=fills(THREE),
        pnl=pnl("4000 * 20 - - - -"),
    ),
    odd(
        "a * row of one currency says nothing of conversion",
        unseen="currencies_added",
        seen="all_symbols_row",
        instruments=LINEAR,
        fills=fills(THREE),
        pnl=pnl("4000 ETH-PERP 20 - - - -\n4010 * 20 - - - -"),
    ),
    odd(
        "no table at all is seen by nothing",
        unseen="realized_pnl unrealized_pnl fee_rate fees_claim funding_claim total_claim all_symbols_row grouping "
        "balance_value currencies_added",
    ),
]

CASES = FILLS + OPENINGS + FEES + CLAIMS + PRICES + BALANCES + CONFIRMED + EMPTY


def exercised(assessment: Assessment) -> dict[str, int]:
    """Return how many records exercised each check."""
    return {check.name: check.exercised for item in assessment.items for check in item.checks}


def told(assessment: Assessment) -> str:
    """Return everything that was found, for a failing test to show."""
    return "\n".join(
        f"{f.id} at {', '.join(f.occurrences)}: {f.current}, {f.correct} ({f.cause})" for f in assessment.findings
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_odd_but_right_evidence_raises_nothing(tmp_path: Path, case: Odd) -> None:
    seen = look(write(tmp_path / "odd", case.tables, **case.settings))
    assert not seen.findings, told(seen)
    assert not seen.errors
    counts = exercised(seen)
    assert [name for name in case.seen if not counts[name]] == []
    assert [name for name in case.unseen if counts[name]] == []
    reasons = [item.reason for item in seen.items]
    assert case.note in "\n".join([*seen.notes, *reasons])


# --- forms ------------------------------------------------------------------------------------------------------------

WORDS = {"symbol", "kind", "base", "quote", "settle", "exec_id", "client_order_id", "side", "liquidity", "fee_asset",
         "correction_of", "asset", "currency", "source"}  # fmt: skip


def arrow(rows: list[Row], number: pa.DataType, noise: Fraction = Fraction(0)) -> pa.Table:
    """Return a table with times as int64 and numbers of a type, each a little off."""
    names, body = cells(rows)

    def column(name: str, values: list[str]) -> pa.Array:
        if name in WORDS:
            return pa.array(values, pa.string())
        if name.startswith("ts_"):
            return pa.array([int(value) if value else None for value in values], pa.int64())
        if pa.types.is_floating(number):
            signs = [1 if place % 2 else -1 for place in range(len(values))]
            exact = [float(Fraction(v) * (1 + s * noise)) if v else None for v, s in zip(values, signs, strict=True)]
            return pa.array(exact, number)
        return pa.array([Decimal(value) if value else None for value in values], number)

    return pa.table({name: column(name, [row[place] for row in body]) for place, name in enumerate(names)})


def as_float64(folder: Path) -> None:
    for name, rows in base().items():
        noise = Fraction(9, 10**10) if name in ("pnl", "balances") else Fraction(0)
        # haircut and total are what a value is held to: exact
        plain = arrow(rows, pa.float64())
        noisy = arrow(rows, pa.float64(), noise)
        for column in ("total", "haircut") if name == "balances" else ():
            noisy = noisy.set_column(noisy.schema.get_field_index(column), column, plain[column])
        pq.write_table(noisy, folder / f"{name}.parquet")


def as_decimal128(folder: Path) -> None:
    for name, rows in base().items():
        pq.write_table(arrow(rows, pa.decimal128(38, 20)), folder / f"{name}.parquet")


def as_csv_gz(folder: Path) -> None:
    for name, rows in base().items():
        write_csv(folder / f"{name}.csv.gz", rows)


def as_parts(folder: Path) -> None:
    """Write a part every three rows, and fills by symbol in folders of their own."""
    for name, rows in base().items():
        (folder / name).mkdir()
        for part in range(0, len(rows), 3):
            pq.write_table(
                arrow(rows[part : part + 3], pa.decimal128(30, 10)), folder / name / f"part-{part:03d}.parquet"
            )


def as_partitions(folder: Path) -> None:
    as_csv_gz(folder)
    (folder / "fills.csv.gz").unlink()
    for symbol in ("BTC-USD", "BTC-USDT", "ETH-PERP"):
        rows = [row for row in base()["fills"] if row["symbol"] == symbol]
        (folder / "fills" / f"symbol={symbol}").mkdir(parents=True)
        pq.write_table(
            arrow(rows, pa.decimal128(30, 10)).drop_columns("symbol"),
            folder / "fills" / f"symbol={symbol}" / "0.parquet",
        )


@pytest.mark.parametrize(
    "form", [as_float64, as_decimal128, as_csv_gz, as_parts, as_partitions], ids=lambda f: f.__name__
)
def test_every_form_of_the_base_session_is_right(tmp_path: Path, form: Any) -> None:
    folder = write(tmp_path / "hand", {})
    form(folder)
    seen = look(folder)
    assert not seen.findings, told(seen)
    assert not seen.errors
    plain = look(write(tmp_path / "plain", base()))
    assert exercised(seen) == exercised(plain)
    assert statuses(seen) == statuses(plain)


@pytest.mark.armed
def test_a_float64_claim_is_held_to_1e_9_of_itself(tmp_path: Path) -> None:
    folder = write(tmp_path / "hand", {name: rows for name, rows in base().items() if name != "pnl"})
    # 3198 x 1.1e-9 is more than 3198 x 1e-9; the same of its totals and the * row's is within theirs
    claims = changed(base()["pnl"], 5, realized=str(Decimal(3198) * (1 + Decimal("1.1e-9"))))
    pq.write_table(arrow(claims, pa.float64()), folder / "pnl.parquet")
    seen = look(folder)
    assert [f.id for f in seen.findings] == ["1.3.1:realized_pnl:BTC-USDT"]


def test_rows_of_a_csv_may_print_different_digits(tmp_path: Path) -> None:
    claims = pnl("4000 ETH-PERP 16.6667 43.33333 0.00 0 60\n4001 ETH-PERP 16.66667 43.333333333333 0 0.000 60.0000")
    tables = {"instruments": LINEAR, "fills": fills(THREE), "marks": MARK, "pnl": claims}
    seen = look(write(tmp_path / "odd", tables, cost_basis="average"))
    # the most digits of a column count for all its rows: 16.6667 is then 3.3e-5 off where 5e-6 is allowed
    assert [(f.id, f.location) for f in seen.findings if ":realized_pnl:" in f.id] == [
        ("1.3.1:realized_pnl:ETH-PERP", "pnl:1")
    ]


def float_pnl(folder: Path, *rows: dict[str, Any]) -> None:
    names = ("realized", "unrealized", "fees", "funding", "total")
    data = {name: pa.array([row.get(name) for row in rows], pa.float64()) for name in names}
    times = [int((Decimal(1_767_225_600_000) + row["ts_local"]) * 1_000_000) for row in rows]
    symbols = [row.get("symbol", "ETH-PERP") for row in rows]
    pq.write_table(
        pa.table({"ts_local": pa.array(times, pa.int64()), "symbol": symbols} | data), folder / "pnl.parquet"
    )


def test_float64_arithmetic_that_cancels_is_right(tmp_path: Path) -> None:
    """A bot that books in float64 is left with dust where the exact answer is 0, far below 1e-9 of its terms."""
    # bought 3 at 0.1, sold 3 at 0.3, bought 3 at 0.7, sold 3 at 0.5: 0.6 - 0.6 = 0 exactly, -1.1e-16 in float64
    text = """
        1000 ETH-PERP e1 buy  0.1 3 maker 0 USDT
        2000 ETH-PERP e2 sell 0.3 3 maker 0 USDT
        3000 ETH-PERP e3 buy  0.7 3 maker 0 USDT
        4000 ETH-PERP e4 sell 0.5 3 maker 0 USDT
        5000 ETH-PERP e5 buy  0.1 1 maker 0 USDT
        6000 ETH-PERP e6 buy  0.2 2 maker 0 USDT
    """
    tables = {"instruments": LINEAR, "fills": fills(text), "marks": marks("4500 ETH-PERP 0.16666666666666666 1 1")}
    folder = write(tmp_path / "odd", tables)
    realized = (0.3 - 0.1) * 3 + (0.5 - 0.7) * 3
    assert realized != 0
    # 3 at a mark of 0.16666666666666666 less 0.5: exactly -2e-17, in float64 -5.6e-17 by way of the average
    unrealized = (0.16666666666666666 - (0.1 + 0.2 * 2) / 3) * 3 - 5.6e-17
    float_pnl(
        folder,
        {"ts_local": 7000, "realized": realized, "unrealized": unrealized, "fees": 0.0, "total": realized + unrealized},
    )
    seen = look(folder)
    assert not seen.findings, told(seen)
    assert exercised(seen)["realized_pnl"] == exercised(seen)["unrealized_pnl"] == 1


def test_fees_that_a_venue_computes_in_float64_are_right(tmp_path: Path) -> None:
    folder = write(tmp_path / "odd", {"instruments": changed(LINEAR, maker_fee="0.0002")})
    rows = fills(
        "\n".join(f"{1000 + n} ETH-PERP e{n} buy {61800.2 + n} {0.003 * (n + 1):.3f} maker 0 USDT" for n in range(20))
    )
    priced = [row | {"fee": repr(float(row["price"]) * float(row["qty"]) * 0.0002)} for row in rows]
    pq.write_table(arrow(priced, pa.float64()), folder / "fills.parquet")
    seen = look(folder)
    assert not seen.findings, told(seen)
    assert exercised(seen)["fee_rate"] == 20


# --- what cannot be used, and what must not crash ---------------------------------------------------------------------


# balances and sums of claims need no fill
NEEDED = [(item, "fills", 3) for item in ("1.3.1", "1.3.2", "1.3.3", "1.3.4")]
NEEDED += [(item, "pnl", 2) for item in ("1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5")]


@pytest.mark.parametrize(("item", "name", "row"), NEEDED)
def test_a_symbol_without_an_instrument_is_refused_by_its_row(tmp_path: Path, item: str, name: str, row: int) -> None:
    tables = base()
    tables = tables | {name: changed(tables[name], row, symbol="DOGE-USDT")}
    with pytest.raises(EvidenceError, match=rf"^{name}\.csv, row {row}, column symbol: 'DOGE-USDT'"):
        look(write(tmp_path / "hand", tables), item)


def test_a_nan_claim_is_left_to_another_item(tmp_path: Path) -> None:
    tables = base() | {"pnl": changed(base()["pnl"], 5, realized="nan")}
    seen = look(write(tmp_path / "hand", tables))
    assert not seen.errors
    # without 5 the * row at 3510 has nothing newer of BTC-USDT than 0: that is what it is held to
    assert {f.item for f in seen.findings} <= {"1.3.4", "1.3.5"}


@pytest.mark.parametrize("kind", ["linear", "inverse"])
@pytest.mark.parametrize("basis", ["fifo", "lifo", "average"])
def test_a_wrong_claim_on_a_fill_at_price_0_does_not_crash(tmp_path: Path, kind: str, basis: str) -> None:
    trades = fills("""
        1000 X e1 buy  0   2 maker 0 BTC client_order_id=o
        1000 X e2 buy  100 2 maker 0 BTC client_order_id=o
        2000 X e3 sell 120 3 maker 0 BTC""")
    tables = {"instruments": changed(MARKET, kind=kind), "fills": trades, "marks": marks("500 X 125 1 1"),
              "pnl": pnl("3000 X 77 88 99 0 11")}  # fmt: skip
    seen = look(write(tmp_path / "odd", tables, cost_basis=basis, currency="BTC"))
    assert not seen.errors
    assert seen.findings


MARKET = changed(INVERSE, symbol="X", multiplier="1", settle="BTC")


@pytest.mark.parametrize("claims", ["500 {} 5 5 5 5 7", "4000 {} 5 5 5 5 7", "2000 {} 5 5 5 5 7"])
@pytest.mark.parametrize("symbol", ["*", "ETH-PERP", "BTC-USDT"])
@pytest.mark.parametrize("conversion", ["claim", "fill"])
@pytest.mark.parametrize("currency", ["USDT", "EUR"])
def test_wrong_claims_never_crash_a_check(
    tmp_path: Path, claims: str, symbol: str, conversion: str, currency: str
) -> None:
    tables = {
        "instruments": LINEAR + SPOT, "fills": fills(THREE), "marks": MARK, "funding": FUNDED,
        "rates": rates("500 EUR USDT 1.25"), "pnl": pnl(claims.format(symbol), currency=currency),
    }  # fmt: skip
    seen = look(write(tmp_path / "odd", tables, conversion=conversion))
    assert not seen.errors
    assert seen.findings


@pytest.mark.armed
def test_a_wrong_fee_that_is_reported_twice_is_one(tmp_path: Path) -> None:
    # 0.05 where 200 x 0.0002 = 0.04 is right: 0.01 too much, once
    tables = {"instruments": RATED, "fills": fee("0.0500") + changed(fee("0.0500"), ts_local="1001")}
    seen = look(write(tmp_path / "odd", tables))
    assert [(f.location, f.count, amount(f)) for f in seen.findings] == [("fills:1", 1, Fraction(1, 100))]


@pytest.mark.parametrize("name", ["instruments", "fills", "pnl", "marks", "funding", "rates", "balances"])
def test_a_table_of_a_header_alone_is_no_evidence(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "hand", {key: rows for key, rows in base().items() if key not in (name, "pnl", "fills")})
    write_csv(folder / f"{name}.csv", base()[name])
    head = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / f"{name}.csv").write_text(head + "\n", encoding="utf-8")
    seen = look(folder)
    assert not seen.findings
    assert not seen.errors
    assert {s for item, s in statuses(seen).items() if item != "1.3.5"} == {"not_assessed"}
